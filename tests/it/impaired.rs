//! Links that are worse than whole, on real servers: made, measured at both ends, healed, judged.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::region::{RECOVERED, Region, SOON};

fn effective(zone: &Value) -> bool {
    zone["link"]["state"] == "impaired" && zone["link"]["effective"] == true
}

#[test]
fn a_delay_is_measured_on_the_line_and_at_both_ends_and_gone_after_the_heal() {
    let region = Region::up("delayed");
    let said = region.ok("impair b --delay 60ms --jitter 5ms");
    assert!(said.contains("60ms ±5ms each way") && said.contains("on the line after"), "{said}");
    let b = region.wait_zone("b", "measured", SOON, effective);
    let measured = &b["link"]["measured"];
    assert!(measured["round_trip_us"].as_u64().unwrap() >= 108_000, "{measured:#}");
    for way in ["to_zone", "from_zone"] {
        assert!(measured[way]["held_us"].as_u64().unwrap() >= 54_000, "{measured:#}");
    }
    assert_eq!(measured["unproved"], serde_json::json!([]));
    // The servers' own figure follows with their next ping.
    region.wait_zone("b", "the servers' round trip", SOON, |b| {
        b["link"]["rtt_us"].as_u64().is_some_and(|us| us >= 108_000)
    });
    let told = region.ok("status");
    assert!(told.contains("impaired") && told.contains("60ms ±5ms each way"), "{told}");
    let inspected = region.ok("inspect link b");
    assert!(inspected.contains("it is 60ms ±5ms each way"), "{inspected}");
    let void = region.run(&["drill", "run", "cut"]).expect_code(2).out;
    assert!(void.contains("not begun: the link of zone b is impaired"), "{void}");
    region.ok("heal b");
    let b = region.wait_zone("b", "up", SOON, |b| {
        b["link"]["state"] == "up" && b["link"]["rtt_us"].as_u64().is_some_and(|us| us < 50_000)
    });
    assert_eq!((&b["link"]["condition"], &b["link"]["effective"]), (&Value::Null, &false.into()));
    let refused = region.run(&["heal", "b"]).expect_code(3).err;
    assert!(refused.contains("nothing to heal"), "{refused}");
}

#[test]
fn what_cannot_be_is_refused_before_anything_begins() {
    let region = Region::up("refused-links");
    for (line, part) in [
        ("impair b lossy", "the local platform cannot do loss: its links are TCP relays"),
        ("impair b blackhole", "cannot do mtu"),
        ("impair b moon", "no preset `moon`"),
        ("impair a thin", "the source"),
        ("impair b --rate 1kbit", "less than a packet a second"),
        ("impair z thin", "no zone z"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let ran = region.run(&words);
        assert_eq!(ran.code, 3, "{line}: {ran:?}");
        assert!(ran.err.contains(part), "{line}: {}", ran.err);
    }
    let b = region.zone("b");
    assert_eq!((&b["link"]["state"], &b["link"]["condition"]), (&"up".into(), &Value::Null));
    region.ok("cut b");
    let refused = region.run(&["impair", "b", "thin"]).expect_code(3).err;
    assert!(refused.contains("zone b is cut"), "{refused}");
    region.ok("heal b");
    // Ends by itself, and only the one that it was set for.
    region.ok("impair b --delay 20ms --for 60s");
    region.ok("impair b --delay 30ms --for 1s");
    region.wait_zone("b", "healed by itself", SOON, |b| b["link"]["state"] == "up");
}

#[test]
fn a_silent_direction_is_stuck_within_three_seconds_of_traffic_and_says_why() {
    let region = Region::up("stuck");
    region.ok("cut b --direction to");
    region.ok("produce --count 20");
    let began = Instant::now();
    let b = region.wait_zone("b", "stuck", SOON, |b| b["link"]["state"] == "stuck");
    let took = began.elapsed();
    println!("found stuck after {took:?}");
    // The aim is 3 s, on a machine that is not as busy as one that runs tests.
    assert!(took < Duration::from_secs(10), "{took:?}");
    let stuck = &b["link"]["stuck"];
    assert_eq!((&stuck["cause"], &stuck["behind"]), (&"one-way".into(), &20.into()));
    let told = region.ok("status");
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("one direction is silent"), "{told}");
    region.ok("heal b");
    region.wait_zone("b", "has all", RECOVERED, |b| {
        b["link"]["state"] == "up" && b["mirror"]["true_lag"] == 0
    });
}

/// All drills of links that are not whole. What relays cannot do is said beforehand, and neither
/// counted as proved nor in the way of the others.
#[test]
fn every_drill_of_conditions_that_relays_can_do_is_proved() {
    let region = Region::up("conditions");
    let ran = region.run(&["drill", "run", "conditions"]);
    println!("{}", ran.out);
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    for name in ["blackhole", "lossy"] {
        let said = format!("not run here: {name}: the local platform cannot do");
        assert_eq!(ran.out.matches(&said).count(), 1, "{}", ran.out);
    }
    assert!(ran.out.contains("7 of 7 proved; not run here: blackhole, lossy"), "{}", ran.out);
    // Each impairment, each cut and each server that was away has its own evidence.
    for (part, count) in [
        ("was measured on the line and at both ends", 5),
        ("was away for", 4),
        ("confirmed at both ends", 1),
    ] {
        let finding = |line: &&str| line.trim_start().starts_with("proved  ");
        let found = ran.out.lines().filter(finding).filter(|line| line.contains(part));
        assert_eq!(found.count(), count, "{part}: {}", ran.out);
    }
    let b = region.zone("b");
    assert_eq!((&b["link"]["state"], &b["link"]["condition"]), (&"up".into(), &Value::Null));
    let up = |node: &Value| node["state"] == "up";
    assert!(b["nodes"].as_array().unwrap().iter().all(up), "{b:#}");
}

/// The server that the drill suspended, or killed, runs: it has tested nothing.
#[test]
fn a_server_that_secretly_came_back_makes_a_drill_void() {
    let region = Region::up("revived");
    for drill in ["frozen", "leader-in-catchup"] {
        let ran = region.run(&["drill", "run", drill, "--sabotage", "revive"]).expect_code(2);
        println!("{}", ran.out);
        let seen = ran.out.contains("did not last: ") && ran.out.contains(" was back");
        assert!(seen || ran.out.contains("was not seen: "), "{}", ran.out);
    }
}

#[test]
fn an_impairment_that_is_not_in_effect_makes_a_drill_void() {
    let region = Region::up("unimpaired");
    let ran = region.run(&["drill", "run", "slow", "--sabotage", "unimpaired"]).expect_code(2);
    assert!(ran.out.contains("was not measured"), "{}", ran.out);
}
