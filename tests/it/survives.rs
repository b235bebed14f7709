//! A region that loses its source: the producer moves, and the drill that proves what becomes of every
//! message.

mod judged;

use serde_json::{Value, json};

use crate::support::region::{Ran, Region, SOON, flowing, has_all};

fn lose_the_source(region: &Region) {
    for node in ["js1-zone-a", "js2-zone-a", "js3-zone-a"] {
        region.ok(&format!("node kill {node}"));
    }
}

fn up(name: &str, copy: &str) -> Region {
    let region = Region::new(name);
    region.start(&["--copy", copy]).expect_code(0);
    region
}

/// What the drill came to, check by check: verdict and reason.
fn findings(ran: &Ran) -> String {
    flowing(&ran.out)
}

/// A drill of which the verdict is that one, whatever the machine's moods: a room that stood still knows
/// no times.
#[track_caller]
fn drilled(name: &str, copy: &str, words: &[&str], codes: &[i32]) -> (Region, String) {
    for left in (0..3).rev() {
        let region = up(name, copy);
        let ran = region.run(&[&["drill", "run", "failover"], words].concat());
        let told = findings(&ran);
        let calm = !["nobody looked for", "stood still"].iter().any(|mood| told.contains(mood));
        if calm || left == 0 {
            assert!(codes.contains(&ran.code), "{} {}", ran.out, ran.err);
            return (region, told);
        }
    }
    unreachable!()
}

#[test]
fn the_producer_moves_with_its_window_and_stays_there() {
    let region = up("moves", "sources");
    let refused = |line: &str, why: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let told = flowing(&region.run(&words).expect_code(3).err);
        assert!(told.contains(why), "{line}: {told}");
    };
    refused("produce move b", "`promote b` makes it a stream that does");
    refused("produce move a", "publishes into zone a already");
    refused("produce move x", "there is no zone x");
    let producing = region.program().args(["produce", "--rate", "50/s"]).spawn().unwrap();
    region.wait_zone("b", "messages flow", SOON, |zone| {
        zone["ledger"]["received"].as_u64() >= Some(50)
    });
    lose_the_source(&region);
    let told = region.ok("promote b --follow");
    assert!(told.contains("the producer publishes into zone b"), "{told}");
    let before = region.status()["producer"]["acked"].as_u64();
    let status = region.wait("it goes on there", SOON, |status| {
        status["producer"]["acked"].as_u64() > before.map(|acked| acked + 20)
            && status["producer"]["acked_by"] == "zone-b"
            && status["producer"]["unknown"] == 0
    });
    let producer = &status["producer"];
    assert_eq!((&producer["zone"], &producer["acked_by"]), (&json!("b"), &json!("zone-b")));
    region.ok("produce stop");
    let mut producing = producing;
    assert!(producing.wait().unwrap().success(), "every message has a known outcome");
    let b = region.wait_zone("b", "all is consumed", SOON, |zone| {
        zone["ledger"]["behind"] == zone["ledger"]["lost"]
            && zone["consumer"]["ack_floor"] == zone["stream"]["last_seq"]
    });
    // What the copy did not hold when the source was lost, by chance, is lost, and was told.
    let lost = b["ledger"]["lost"].as_u64().unwrap();
    assert_eq!(lost > 0, told.contains("left behind"), "{told} {b:#}");
    for fault in ["duplicates", "reordered", "corrupt", "unexpected"] {
        assert_eq!(b["ledger"][fault], 0, "{fault}: {b:#}");
    }
    let acked = region.status()["producer"]["acked"].as_u64();
    assert_eq!(b["ledger"]["received"].as_u64().map(|received| received + lost), acked);

    // So it is after the room ended, and the source is back: two zones take messages, one gets them.
    region.ok("down");
    region.start(&[]).expect_code(0);
    let status = region.wait("it is there still", SOON, |status| status["producer"]["zone"] == "b");
    assert!(region.ok("status").contains("SPLIT BRAIN"), "{status:#}");
    region.ok("produce --count 10");
    assert_eq!(region.status()["producer"]["acked_by"], "zone-b");
    region.ok("produce move a");
    region.ok("produce --count 10");
    assert_eq!(region.status()["producer"]["acked_by"], "zone-a");
}

#[test]
fn a_promoted_mirror_stores_retries_twice_and_the_drill_shows_it() {
    let (region, told) = drilled("trap", "mirror", &[], &[1]);
    assert!(
        told.contains("broken retries: stored twice: the promoted mirror does not know its ids"),
        "{told}"
    );
    for check in
        ["recovery-point: RPO", "recovery-time: RTO", "floors:", "order:", "script-completed:"]
    {
        assert!(told.contains(&format!("proved {check}")), "{check}: {told}");
    }
    let status = region.status();
    let five = status["conclusions"].as_array().unwrap().last().unwrap();
    assert_eq!((&five["name"], &five["verdict"]), (&json!("failover"), &json!("broken")));
    let nodes = &region.zone("a")["nodes"];
    let dead = |node: &Value| node["state"] == "dead";
    assert!(nodes.as_array().unwrap().iter().all(dead), "the source stays lost: {nodes:#}");
    assert!(region.zone("b")["ledger"]["duplicates"].as_u64() > Some(0));
    // What is drilled there next is refused, and says what is in the way.
    let again = flowing(&region.run(&["drill", "run", "failover"]).out);
    assert!(again.contains("not begun: zone b is promoted"), "{again}");
}

#[test]
fn a_mirror_whose_ids_were_rebuilt_survives_the_loss_of_its_source() {
    let (region, told) = drilled("rebuilt", "mirror", &["--rebuild-dedup"], &[0]);
    assert!(told.contains("zone b knows its ids"), "{told}");
    let bundle = told.split("evidence: ").nth(1).unwrap().split(' ').next().unwrap();
    region.run(&["verify", bundle]).expect_code(0);
    // The source is gone: the zone's own ledger and its replicas tell, and that is said.
    let verified = flowing(&region.run(&["verify", "b"]).expect_code(0).out);
    assert!(verified.contains("replicas of zone b: 3 of 3 hold the same"), "{verified}");
    assert!(verified.contains("no other stream was compared with it"), "{verified}");
}

#[test]
fn a_copy_by_sources_survives_the_loss_of_its_source() {
    let (region, told) = drilled("survives", "sources", &[], &[0]);
    assert!(told.contains("zone b knows its ids"), "{told}");
    let conclusions = region.status()["conclusions"].clone();
    assert_eq!(conclusions.as_array().unwrap().len(), 5, "{conclusions:#}");
    assert_eq!(conclusions[4]["verdict"], "proved");
}

#[test]
fn what_was_not_retried_proves_nothing_and_what_is_gone_is_lost() {
    // What the copy did not hold, by chance, is lost then.
    let (_region, told) = drilled("no-retry", "sources", &["--sabotage", "no-retry"], &[1, 2]);
    assert!(told.contains("void retries: no retry was tried"), "{told}");
    let (_region, told) = drilled("lose", "sources", &["--sabotage", "lose"], &[1]);
    assert!(told.contains("broken recovery-point: replica"), "{told}");
    assert!(told.contains("not on the stream"), "{told}");
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_done() {
    let region = Region::up("unfit");
    let refused = |words: &[&str], why: &str| {
        let told = flowing(&region.run(words).expect_code(3).err);
        assert!(told.contains(why), "{told}");
    };
    refused(
        &["drill", "run", "cut", "--rebuild-dedup"],
        "goes with a drill that promotes a zone, and cut does not",
    );
    region.ok("produce 1 5 --interval 1ms");
    region.wait_zone("b", "all is consumed", SOON, |zone| has_all(zone, 5));
    region.ok("cut b");
    let told = flowing(&region.run(&["drill", "run", "failover"]).out);
    assert!(told.contains("not begun: zone b is cut"), "{told}");
    assert_eq!(region.zone("b")["role"], "mirror");
}
