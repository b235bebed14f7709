//! Another zone takes the messages as planned, gives them back, and is a copy again.

use serde_json::{Value, json};

use crate::support::region::{Region, SOON, flowing, has_all};

fn is_drained(zone: &Value, last: u64) -> bool {
    let (consumer, stream) = (&zone["consumer"], &zone["stream"]);
    consumer["ack_floor"] == last && stream["last_seq"] == last && zone["ledger"]["lost"] == 0
}

fn there_and_back(region: &Region) {
    region.ok("produce 1 20 --interval 1ms");
    region.wait_zone("b", "all is consumed", SOON, |zone| has_all(zone, 20));
    region.refused("switchover a", "zone a takes messages already");
    region.refused("failback b", "zone b is not fenced (it is mirror): `fence b` comes first");
    region.ok("cut b");
    region.refused("switchover b", "zone b has no link to zone a");
    region.ok("heal b");
    region.wait_zone("b", "it is linked", SOON, |zone| zone["link"]["state"] == "up");
    let told = flowing(&region.ok("switchover b"));
    assert!(told.contains("zone b holds all of it, up to sequence 20"), "{told}");
    assert!(told.contains("nothing was being produced"), "{told}");
    region.ok("produce 21 50 --interval 1ms");
    region.wait_zone("b", "it has its own", SOON, |zone| is_drained(zone, 50));
    assert_eq!(region.zone("a")["stream"]["last_seq"], 20);
    region.refused("failback a", "all links lead to zone a");

    let told = flowing(&region.ok("switchover a"));
    assert!(told.contains("30 messages that zone b holds and zone a lacked"), "{told}");
    region.wait_zone("a", "it has all", SOON, |zone| is_drained(zone, 50));
    region.ok("produce 51 55 --interval 1ms");
    let told = flowing(&region.ok("failback b"));
    assert!(told.contains("zone b is a copy of zone a again, equal up to sequence 55"), "{told}");
    let b = region.wait_zone("b", "it has all", 2 * SOON, |zone| is_drained(zone, 55));
    assert_eq!((&b["role"], &b["mirror"]["true_lag"]), (&json!("mirror"), &json!(0)));
    for zone in ["a", "b"] {
        let ledger = &region.zone(zone)["ledger"];
        for fault in ["lost", "duplicates", "reordered", "unexpected"] {
            assert_eq!(ledger[fault], 0, "zone {zone}: {fault}: {ledger}");
        }
    }
    region.run(&["verify"]).expect_code(0);
    region.wait("all is well", SOON, |status| status["word"] == "OK");
}

#[test]
fn a_mirror_takes_the_messages_and_gives_them_back() {
    let region = Region::up("switch-mirror");
    there_and_back(&region);
    // And it is a region like any other.
    region.ok("down");
    region.start(&[]).expect_code(0);
    region.run(&["verify"]).expect_code(0);
}

#[test]
fn a_copy_by_sources_takes_the_messages_and_gives_them_back() {
    let region = Region::new("switch-sources");
    region.start(&["--copy", "sources"]).expect_code(0);
    there_and_back(&region);
}

/// What only the fenced zone holds goes with its stream: not without a salvage.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failback_removes_nothing_that_is_there_alone() {
    let region = Region::up("failback-alone");
    region.ok("produce 1 20 --interval 1ms");
    region.wait_zone("b", "all is consumed", SOON, |zone| has_all(zone, 20));
    region.ok("switchover b");
    region.ok("produce 21 25 --interval 1ms");
    let b = region.client("b").await;
    b.request("EVENTS.REGION.other", "nameless".into()).await.unwrap();
    region.ok("fence b --force");
    region.ok("promote a --follow");
    region.refused("failback b", "zone b holds 5 messages that zone a lacks: `salvage b`");
    region.ok("salvage b");
    region.refused("failback b", "zone b holds 1 messages without an id");
    region.ok("cut b");
    region.refused("failback b --force", "zone b has no link to zone a: `heal b` first");
    region.ok("heal b");
    region.wait_zone("b", "it is linked", SOON, |zone| zone["link"]["state"] == "up");
    region.ok("failback b --force");
    region.wait_zone("b", "it has all", 2 * SOON, |zone| is_drained(zone, 25));
    region.run(&["verify"]).expect_code(0);
}

#[test]
fn the_drills_of_changing_roles_and_leaders_are_proved() {
    for copy in ["mirror", "sources"] {
        let region = Region::new(&format!("switch-drill-{copy}"));
        region.start(&["--copy", copy]).expect_code(0);
        for drill in ["switchover", "stepdowns", "switchover"] {
            region.proved(&["drill", "run", drill]);
        }
    }
}

#[test]
fn a_region_comes_back_to_the_source_that_it_lost() {
    for copy in ["mirror", "sources"] {
        let region = Region::new(&format!("comeback-{copy}"));
        region.start(&["--copy", copy]).expect_code(0);
        region.proved(&["drill", "run", "failback"]);
    }
}

#[test]
fn a_fault_in_a_switchover_turns_its_verdict() {
    for sabotage in ["lose", "nothing"] {
        let region = Region::up(&format!("switch-{sabotage}"));
        let ran = region.run(&["drill", "run", "switchover", "--sabotage", sabotage]);
        assert_ne!(ran.code, 0, "{}", ran.out);
    }
}
