//! A source that lost every store: its copies are not made to follow an empty stream, and give it back what it
//! held; on the way no command removes what is nowhere else.

use std::{fs, process::Command};

use serde_json::json;

use crate::support::region::{Region, SOON, flowing, has_all};

/// Both zones have 30 messages; then every store of zone a is gone, and its servers run again.
fn lost(region: &Region) {
    region.ok("produce 1 30 --interval 1ms");
    region.wait_zone("b", "all is consumed", SOON, |zone| has_all(zone, 30));
    for node in 1..=3 {
        region.ok(&format!("node wipe js{node}-zone-a"));
    }
    for node in 1..=3 {
        region.ok(&format!("node start js{node}-zone-a"));
    }
    region.wait_zone("a", "its stream is gone", SOON, |zone| {
        let all = zone["differences"].as_array();
        all.is_some_and(|all| all.iter().any(|one| one["subject"] == "stream"))
    });
}

/// What zone a's servers stored is gone, while they do not run.
fn lose_the_stores(region: &Region) {
    for node in 1..=3 {
        let data = region.folder().join(format!("servers/js{node}-zone-a/data"));
        fs::remove_dir_all(data).unwrap();
    }
}

/// Both zones are as before, with nothing lost and nothing twice.
fn is_whole(region: &Region, count: u64) {
    for zone in ["a", "b"] {
        region.wait_zone(zone, "all is consumed", SOON, |zone| has_all(zone, count));
    }
    let verified = region.ok("verify");
    assert_eq!(verified.matches(" whole ").count(), 2, "{verified}");
    // Not for a moment was anything called lost.
    let log = fs::read_to_string(region.folder().join("events.jsonl")).unwrap();
    assert!(!log.contains("\"ledger-alarm\""), "{log}");
}

#[test]
fn a_source_that_lost_every_store_gets_everything_back_as_is_told() {
    let region = Region::up("lost-source");
    lost(&region);
    let way = "zone b holds 30 messages of it: `promote b --follow` makes zone b take the messages, then `repair a` and `switchover a` bring them back";
    region.refused("repair a", way);
    region.refused("repair all", way);
    region.refused("repair b", "has no stream: `repair a` comes first");
    region.refused("zone remove b", "no other zone holds as many as zone b (30)");
    region.ok("promote b --follow");
    let told = region.ok("repair a");
    assert!(flowing(&told).contains("created, empty and fenced"), "{told}");
    region.ok("produce --count 10");
    let told = flowing(&region.ok("switchover a"));
    assert!(told.contains("40 messages that zone b holds and zone a lacked"), "{told}");
    region.ok("failback b");
    region.ok("produce --count 5");
    is_whole(&region, 45);
}

/// Whoever begins an empty stream beside the copy all the same loses nothing by what comes after.
#[test]
fn what_only_a_copy_holds_is_removed_by_force_alone() {
    let region = Region::up("only-copy");
    lost(&region);
    region.ok("repair a --force");
    region.wait_zone("a", "it takes messages", SOON, |zone| zone["stream"]["messages"] == 0);
    region.refused("repair b", "holds 30 messages that zone a does not hold");
    region.ok("promote b --force --follow");
    region.ok("produce --count 5");
    region.refused("zone remove b", "the producer publishes into zone b");
    region.ok("produce move a");
    region.wait_zone("b", "it took them", SOON, |zone| zone["ledger"]["apart"]["alone"] == 5);
    let way = "zone b alone has acknowledged 5 messages: `fence b` and `salvage b`";
    region.refused("zone remove b", way);
    region.ok("produce move b");
    region.ok("fence a");
    let told = flowing(&region.ok("switchover a"));
    assert!(told.contains("35 messages that zone b holds and zone a lacked"), "{told}");
    region.ok("failback b");
    let b = region.wait_zone("b", "it has everything", SOON, |zone| has_all(zone, 35));
    assert_eq!(b["ledger"]["lost"], 0, "{b:#}");
}

#[test]
fn a_region_whose_source_lost_its_stores_while_nothing_ran_comes_up_fenced() {
    let region = Region::up("lost-down");
    region.ok("produce 1 30 --interval 1ms");
    region.wait_zone("b", "all is consumed", SOON, |zone| has_all(zone, 30));
    region.ok("down");
    lose_the_stores(&region);
    let up = region.start(&[]).expect_code(0);
    assert!(up.out.contains("zone a lost its stream: an empty one, fenced"), "{up:?}");
    let b = region.wait_zone("b", "it holds all", SOON, |zone| zone["stream"]["messages"] == 30);
    assert_eq!(b["role"], json!("mirror"));
    region.refused("produce 31 40", "fenced");
    region.ok("promote b --follow");
    region.ok("produce --count 10");
    region.ok("switchover a");
    region.ok("failback b");
    is_whole(&region, 40);

    // Beside a zone that has taken over meanwhile: not a second one that takes messages.
    region.ok("promote b --force --follow");
    region.ok("produce --count 5");
    region.ok("down");
    lose_the_stores(&region);
    region.start(&[]).expect_code(0);
    region.wait_zone("a", "it is fenced", SOON, |zone| zone["role"] == "fenced");
    region.ok("switchover a");
    region.ok("failback b");
    region.wait_zone("b", "all is consumed", SOON, |zone| has_all(zone, 45));
    region.ok("verify");
}

/// Stores that were brought back from an earlier day: what came after that is in the copy alone.
#[test]
fn a_source_whose_stores_are_old_gets_the_rest_from_its_copy() {
    let region = Region::up("old-stores");
    let produced = |range: &str, count| {
        region.ok(&format!("produce {range} --interval 1ms"));
        region.wait_zone("b", "all is consumed", SOON, |zone| has_all(zone, count));
        region.ok("down");
    };
    produced("1 20", 20);
    let copied =
        Command::new("cp").args(["-a", "servers", "before"]).current_dir(region.folder()).status();
    assert!(copied.unwrap().success());
    region.start(&[]).expect_code(0);
    produced("21 30", 30);
    for node in 1..=3 {
        let name = format!("js{node}-zone-a/data");
        let (old, data) = (
            region.folder().join("before").join(&name),
            region.folder().join("servers").join(&name),
        );
        fs::remove_dir_all(&data).unwrap();
        fs::rename(old, data).unwrap();
    }
    region.start(&[]).expect_code(0);
    region.wait_zone("b", "it is apart", SOON, |zone| zone["mirror"]["state"] == "diverged");
    region.refused("repair b", "holds 10 messages that zone a does not hold");
    region.ok("promote b --force --follow");
    region.ok("fence a");
    region.ok("produce --count 5");
    region.ok("switchover a");
    region.ok("failback b");
    is_whole(&region, 35);
}

#[test]
fn the_drill_of_it_is_proved_and_no_fault_in_it() {
    let region = Region::up("lost-drill");
    region.proved(&["drill", "run", "rebuild-source"]);
    let ran = region.run(&["drill", "run", "rebuild-source", "--sabotage", "lose"]);
    assert_ne!(ran.code, 0, "{}", ran.out);
}
