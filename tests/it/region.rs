//! The whole program on real servers: what a user does, from another shell.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};

use crate::support::region::{RECOVERED, Region, SOON, has_all};
use serde_json::{Value, json};

fn clean(zone: &Value) {
    for what in ["lost", "duplicates", "reordered", "corrupt", "unexpected"] {
        assert_eq!(zone["ledger"][what], 0, "{what}: {zone:#}");
    }
}

#[test]
fn a_region_comes_up_works_and_goes_without_a_trace() {
    let region = Region::up("whole");
    let status = region.wait("all nodes up", SOON, |status| {
        status["zones"].as_array().is_some_and(|zones| {
            zones.len() == 2
                && zones.iter().all(|zone| {
                    zone["nodes"].as_array().is_some_and(|nodes| {
                        nodes.len() == 3 && nodes.iter().all(|node| node["state"] == "up")
                    })
                })
        })
    });
    assert_eq!(status["region"], "whole");
    assert_eq!(status["platform"], "local");
    assert_eq!(status["server_version"], "2.15.1");
    assert_eq!(status["zones"][0]["role"], "source");
    assert_eq!(status["zones"][0]["mirror"], Value::Null);
    assert_eq!(status["zones"][0]["link"], Value::Null);
    assert_eq!(status["zones"][1]["role"], "mirror");

    let said = region.ok("produce 1 100 --interval 5ms");
    assert!(said.contains("100 acked"), "{said}");
    for zone in ["a", "b"] {
        // The stream's leader and the consumer's tell at different moments.
        let seen = region.wait_zone(zone, "all received", SOON, |z| {
            has_all(z, 100) && z["stream"]["messages"] == 100
        });
        clean(&seen);
    }
    let b = region.wait_zone("b", "streaming", SOON, |z| z["mirror"]["state"] == "streaming");
    assert_eq!(b["mirror"]["true_lag"], 0);
    assert_eq!(b["link"]["state"], "up");

    let account = region.ok("verify");
    assert!(account.contains('a') && account.contains('b'), "{account}");
    let account: Value = serde_json::from_str(&region.ok("verify --json")).expect("JSON");
    assert!(account.is_object() || account.is_array(), "{account}");

    // The original plan's log, for `tail -f` and `grep seq`.
    let log = std::fs::read_to_string(region.folder().join("consumer-b.log")).expect("a log");
    assert_eq!(log.lines().filter(|line| line.contains("seq=")).count(), 100, "{log}");
    assert!(log.contains("number=100"), "{log}");

    region.ok("down");
    region.assert_gone();
    // Data is kept: the same messages are there when it comes back, and still accounted for.
    region.start(&[]).expect_code(0);
    let seen = region.wait_zone("b", "still there", SOON, |z| has_all(z, 100));
    clean(&seen);
    region.ok("produce --count 50");
    region.wait_zone("b", "more received", SOON, |z| has_all(z, 150));
    region.ok("verify");
    region.ok("down --purge");
    region.assert_gone();
    assert!(!region.folder().exists());
}

#[test]
fn a_cut_of_twenty_seconds_is_effective_and_heals() {
    let region = Region::up("cutting");
    region.ok("produce --count 100");
    region.wait_zone("b", "received", SOON, |z| has_all(z, 100));

    // The 20 s begin with the cut, and it is answered when it is proved.
    let cut = Instant::now();
    let said = region.ok("cut b --for 20s");
    assert!(said.contains("effective"), "{said}");
    let b = region.zone("b");
    assert_eq!(b["link"]["state"], "cut");
    assert_eq!(b["link"]["kind"], "refuse");
    assert_eq!(b["link"]["effective"], true);
    assert_eq!(b["link"]["leafs_here"], 0);
    assert_eq!(b["link"]["leafs_there"], 0);

    region.ok("produce --count 200");
    region.wait_zone("a", "a goes on", SOON, |z| has_all(z, 300));
    let b = region.wait_zone("b", "true lag", SOON, |z| z["mirror"]["true_lag"] == 200);
    assert_eq!(b["ledger"]["received"], 100, "the cut leaks: {b:#}");
    clean(&b);
    // Not lost, only late; and nobody may call it proved.
    let behind = region.run(&["verify", "b"]);
    assert_eq!(behind.code, 2, "{behind:?}");

    // It heals by itself.
    region.wait_zone("b", "healed", Duration::from_secs(30), |z| z["link"]["state"] == "up");
    assert!(cut.elapsed() >= Duration::from_secs(19), "healed after {:?}", cut.elapsed());
    let b = region.wait_zone("b", "caught up", RECOVERED, |z| has_all(z, 300));
    clean(&b);
    let b =
        region.wait_zone("b", "the clock", SOON, |z| z["recovery"]["caught_up_after_ms"].is_u64());
    println!("recovery: {}", b["recovery"]);
    region.ok("verify");
}

#[test]
fn a_silent_cut_is_proved_by_the_servers_own_pings() {
    let region = Region::up("silent");
    region.ok("produce --count 10");
    region.wait_zone("b", "received", SOON, |z| has_all(z, 10));
    region.ok("cut b --kind silent");
    let b = region.zone("b");
    assert_eq!(b["link"]["kind"], "silent");
    region.ok("produce --count 10");
    region.wait_zone("a", "a goes on", SOON, |z| has_all(z, 20));
    assert_eq!(region.zone("b")["ledger"]["received"], 10, "the cut leaks");
    region.wait_zone("b", "proved", Duration::from_secs(40), |z| z["link"]["effective"] == true);
    region.ok("heal b");
    let b = region.wait_zone("b", "caught up", RECOVERED, |z| has_all(z, 20));
    clean(&b);
    region.ok("verify");
    // Shorter than the servers need to notice: it heals all the same, and is not called proved.
    let ran = region.run(&["cut", "b", "--kind", "silent", "--for", "2s"]).expect_code(2);
    assert!(ran.out.contains("before it was proved"), "{ran:?}");
    region.wait_zone("b", "healed by itself", SOON, |z| z["link"]["state"] == "up");
}

#[test]
fn zones_join_and_leave_under_load() {
    let region = Region::up("growing");
    region.ok("produce --count 500");
    let said = region.ok("produce --rate 200/s");
    assert!(said.contains("produce stop"), "{said}");
    let before = region.status();
    region.ok("zone add c");
    region.ok("zone add");
    region.ok("produce stop");
    let total = region.status()["producer"]["acked"].as_u64().expect("a count");
    assert!(total > 500, "nothing was produced meanwhile");
    for zone in ["a", "b", "c", "d"] {
        let seen = region.wait_zone(zone, "backfilled", Duration::from_secs(30), |z| {
            z["stream"]["last_seq"].as_u64() == Some(total) && has_all(z, total)
        });
        assert_eq!(seen["stream"]["first_seq"], 1, "{seen:#}");
        clean(&seen);
    }
    let after = region.status();
    assert_eq!(before["producer"]["connection"], after["producer"]["connection"]);
    assert_eq!(after["producer"]["reconnects"], 0);
    assert_eq!(after["producer"]["acked_by"], "zone-a");
    region.ok("verify");

    region.ok("zone remove c");
    assert_eq!(region.zone("c"), Value::Null);
    let consumers = region.ok("status");
    assert!(!consumers.contains("consumer-c"), "{consumers}");
    region.ok("produce --count 10");
    region.wait_zone("d", "d goes on", SOON, |z| has_all(z, total + 10));
    // The name is free again, and what c had received before does not count for the new c.
    region.ok("zone add c");
    let c = region
        .wait_zone("c", "backfilled again", Duration::from_secs(30), |z| has_all(z, total + 10));
    clean(&c);
    region.ok("verify");
    // Nor does its consumer's log go on with the old one's.
    let lines = |name: &str| {
        let log = std::fs::read_to_string(region.folder().join(name)).expect(name);
        let messages = log.lines().filter_map(|line| line.split(' ').nth(2));
        messages.collect::<BTreeSet<_>>().len() as u64
    };
    assert_eq!((lines("consumer-c.1.log"), lines("consumer-c.log")), (total, total + 10));
}

#[test]
fn consumers_go_their_own_ways() {
    let region = Region::up("pausing");
    region.ok("consumer pause a");
    // Long enough that the counts, taken once a second, see it grow.
    region.ok("produce --count 100 --rate 30/s");
    let b = region.wait_zone("b", "b goes on", SOON, |z| has_all(z, 100));
    clean(&b);
    let b = region.wait_zone("b", "all are timed", SOON, |z| {
        z["flow"]["latency"]["messages"] == 100
            && z["flow"]["publish_rate"].as_f64() > Some(0.0)
            && z["flow"]["consume_rate"].as_f64() > Some(0.0)
            && z["consumer"]["deliveries_here"] == 100
    });
    let time = |name: &str| b["flow"]["latency"][name].as_u64().expect("microseconds");
    assert!(time("p50_us") > 0 && time("p50_us") <= time("p99_us"), "{b}");
    assert!(time("p99_us") <= time("max_us") && time("max_us") < 10_000_000, "{b}");
    let a = region.wait_zone("a", "the backlog", SOON, |z| z["consumer"]["pending"] == 100);
    assert_eq!(a["consumer"]["paused"], true);
    assert_eq!(a["ledger"]["received"], 0);
    assert!(a["flow"]["consume_rate"].is_null() && a["flow"]["latency"].is_null(), "{a}");
    assert!(a["flow"]["publish_rate"].is_number(), "{a}");
    region.ok("consumer rate a 20/s");
    region.ok("consumer resume a");
    let resumed = Instant::now();
    let a = region.wait_zone("a", "a follows", Duration::from_secs(30), |z| has_all(z, 100));
    assert!(resumed.elapsed() > Duration::from_secs(3), "the rate was not held");
    region.wait_zone("a", "the last one waited long", SOON, |z| {
        z["flow"]["latency"]["max_us"].as_u64() > Some(3_000_000)
    });
    region.wait_zone("b", "nothing was processed for 10 s", RECOVERED, |z| {
        z["flow"]["latency"].is_null() && z["flow"]["consume_rate"] == 0.0
    });
    clean(&a);
    region.ok("consumer rate a max");
    region.ok("verify");
}

#[test]
fn nodes_die_freeze_and_come_back() {
    let region = Region::up("nodes");
    region.ok("produce --count 100");
    let a = region.wait_zone("a", "a leader", SOON, |z| z["stream"]["leader"].is_string());
    let leader = a["stream"]["leader"].as_str().expect("a name").to_owned();
    region.ok(&format!("node kill {leader}"));
    let dead = |z: &Value, state: &str| {
        z["nodes"].as_array().is_some_and(|nodes| {
            nodes.iter().any(|n| n["name"] == leader.as_str() && n["state"] == state)
        })
    };
    region.wait_zone("a", "seen dead", SOON, |z| dead(z, "dead") || dead(z, "stopped"));
    // Nothing acknowledged is lost, and the rest is acknowledged after the election.
    region.ok("produce --count 100");
    region.ok(&format!("node start {leader}"));
    region.wait_zone("a", "back", SOON, |z| dead(z, "up"));
    for zone in ["a", "b"] {
        let seen = region.wait_zone(zone, "all there", RECOVERED, |z| has_all(z, 200));
        clean(&seen);
    }
    let b = region.wait_zone("b", "a leader", SOON, |z| z["stream"]["leader"].is_string());
    let leader = b["stream"]["leader"].as_str().expect("a name").to_owned();
    region.ok(&format!("node freeze {leader}"));
    let state = |z: &Value, state: &str| {
        z["nodes"].as_array().is_some_and(|nodes| {
            nodes.iter().any(|n| n["name"] == leader.as_str() && n["state"] == state)
        })
    };
    region.wait_zone("b", "seen frozen", SOON, |z| state(z, "frozen"));
    region.ok(&format!("node thaw {leader}"));
    region.wait_zone("b", "thawed", SOON, |z| state(z, "up"));
    region.ok("node stepdown b mirror");
    region.ok("nudge b");
    assert_eq!(region.run(&["node", "stepdown", "b", "stream"]).code, 3);
    region.ok("produce --count 10");
    region.wait_zone("b", "all there", RECOVERED, |z| has_all(z, 210));
    region.ok("verify");
}

#[test]
fn a_frozen_node_does_not_keep_a_silent_cut_waiting() {
    let region = Region::up("frozen");
    region.a_frozen_node_is_told("cut b --kind silent");
}

#[test]
fn mistakes_get_one_clear_message_and_change_nothing() {
    let region = Region::new("wrong");
    let ran = region.run(&["status"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("zonedrill --region wrong up"), "{ran:?}");
    let ran = region.start(&["--zones", "a,b,a"]).expect_code(3);
    assert!(ran.err.contains("twice"), "{ran:?}");
    let ran = region.run(&["up", "--nats-server", "/nonexistent/nats-server"]).expect_code(1);
    assert!(ran.err.contains("/nonexistent/nats-server"), "{ran:?}");
    region.assert_gone();

    region.start(&[]).expect_code(0);
    for (line, words) in [
        ("cut x", "no zone x"),
        ("cut a", "source"),
        ("heal b", "not cut"),
        ("zone remove a", "source"),
        ("zone add b", "already"),
        ("node kill js9-zone-a", "js9-zone-a"),
        ("node start js1-zone-a", "runs already"),
        ("node thaw js1-zone-a", "js1-zone-a"),
        ("produce 5 1", "empty"),
        ("produce --count 10 --size 1", "--size"),
        ("consumer rate b fast", "rate"),
        ("prodcue 1 2", "produce"),
    ] {
        let words_given: Vec<&str> = line.split(' ').collect();
        let ran = region.run(&words_given);
        assert_eq!(ran.code, 3, "{line}: {ran:?}");
        assert!(ran.err.contains(words), "{line}: {ran:?}");
    }
    // A folder that holds something else is neither used nor purged.
    let foreign = region.home.path().join("docs");
    std::fs::create_dir(&foreign).expect("a folder");
    std::fs::write(foreign.join("letter.txt"), "dear").expect("a file");
    let ran = region.run(&["--region", "docs", "up"]).expect_code(3);
    assert!(ran.err.contains("holds files"), "{ran:?}");
    region.run(&["--region", "docs", "down", "--purge"]).expect_code(0);
    assert!(foreign.join("letter.txt").exists());
    // A second room is refused, with the way in.
    let mut second = region.program();
    let status: Value = region.status();
    assert_eq!(status["zones"].as_array().map(Vec::len), Some(2));
    let settings = json!({
        "region": "wrong", "platform": "local", "nats_version": "2.15.1", "nats_server": null,
        "mirror": null, "port_base": region.port, "zones": ["a", "b"],
    });
    let refused =
        second.args(["room", "--settings", &settings.to_string()]).output().expect("it runs");
    assert_eq!(refused.status.code(), Some(3));
    let words = String::from_utf8_lossy(&refused.stderr);
    assert!(words.contains("zonedrill --region wrong attach"), "{words}");

    // Another region on the same ports: told who holds them, and nothing half-started stays.
    let mut other = Region::new("other");
    other.port = region.port;
    let ran = other.start(&[]).expect_code(1);
    assert!(ran.err.contains(&region.port.to_string()), "{ran:?}");
    assert!(ran.err.contains("nats-server"), "{ran:?}");
    region.ok("produce --count 5");
}

#[test]
fn status_watch_follows() {
    let region = Region::up("watched");
    let mut watch = region
        .program()
        .args(["status", "--json", "--watch"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let lines = BufReader::new(watch.stdout.take().expect("its output")).lines();
    region.ok("produce --count 25");
    let seen = lines
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
        .any(|status| status["producer"]["acked"] == 25);
    assert!(seen);
    // It ends with its room.
    region.ok("down");
    assert!(watch.wait().expect("it ends").success());
}
