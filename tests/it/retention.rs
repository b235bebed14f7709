//! A source that deletes messages: how long it keeps them is set, kept, told and ended; how long a cut
//! may be is forecast; and what is held for a copy that is cut depends on its kind.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{
    calm::calmly,
    region::{Ran, Region, SOON, flowing, has_all},
};

/// A drill in a region of its own, as it leaves zone a without what it deleted.
fn drilled(name: &str, kind: &[&str], words: &[&str]) -> (Ran, Region) {
    let mut last = None;
    let ran = calmly(|| {
        let region = Region::new(name);
        region.start(kind).expect_code(0);
        let ran = region.run(&[&["drill", "run"], words].concat());
        last = Some(region);
        ran
    });
    (Ran { out: flowing(&ran.out), ..ran }, last.unwrap())
}

#[test]
fn how_long_a_cut_may_be_is_forecast_and_proved() {
    let (ran, region) = drilled("keep", &[], &["retention"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains("the forecast held: with 1,200 messages kept"), "{}", ran.out);
    let (a, b) = (region.zone("a"), region.zone("b"));
    assert_eq!(a["keeping"], json!({"limit": null, "retention": "limits"}));
    assert!(b["ledger"]["lost"].as_u64() > Some(0), "{b:#}");
    // What the source deleted is missing for every drill after it, which says why.
    let after = region.run(&["drill", "run", "heal"]).expect_code(1);
    assert!(flowing(&after.out).contains("messages deleted at the source in"), "{}", after.out);
}

#[test]
fn a_message_that_no_limit_deleted_is_not_forecast() {
    let (ran, _) = drilled("lacks", &["--copy", "sources"], &["retention", "--sabotage", "lose"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("the source deleted those from"), "{}", ran.out);
}

#[test]
fn a_durable_copy_is_waited_for() {
    let (ran, region) = drilled("waits", &[], &["interest"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains("zone a held 100 messages for zone b alone"), "{}", ran.out);
    assert_eq!(region.zone("b")["ledger"]["lost"], 0);
}

#[test]
fn a_classic_copy_is_not_waited_for() {
    let (ran, region) = drilled("gone", &["--via", "classic"], &["interest"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    let why = "deleted 100 of 100 messages that zone b lacked";
    assert!(ran.out.contains(why) && ran.out.contains("a classic copy leaves"), "{}", ran.out);
    assert_eq!(region.zone("b")["ledger"]["lost"], 100);
}

/// The settings are the room's own: no difference, kept, repaired, and ended with a drill that set them.
#[test]
fn how_long_messages_are_kept_is_set_kept_and_ended() {
    let region = Region::up("kept");
    region.ok("produce 1 300 --interval 1ms");
    region.wait_zone("b", "all is consumed", SOON, |zone| has_all(zone, 300));
    region.refused("stream limit 0", "`0` is not a limit");
    assert!(region.ok("stream limit none").contains("keeps every message already"));
    let told = flowing(&region.ok("stream limit 100"));
    assert!(told.contains("200 of those it held are deleted"), "{told}");
    let limited = |zone: &Value| zone["stream"]["messages"] == 100;
    let a = region.wait_zone("a", "it is limited", SOON, limited);
    assert_eq!((&a["keeping"]["limit"], &a["differences"]), (&json!(100), &json!([])));
    assert!(
        flowing(&region.ok("status")).contains("`stream limit none` keeps every message again")
    );
    let void = region.run(&["drill", "run", "heal"]).expect_code(2);
    assert!(flowing(&void.out).contains("keeps only the newest 100 messages"), "{}", void.out);

    region.ok("down");
    region.start(&[]).expect_code(0);
    let a = region.wait_zone("a", "it is limited still", SOON, limited);
    assert_eq!((&a["keeping"]["limit"], &a["differences"]), (&json!(100), &json!([])));
    assert!(region.ok("repair a").contains("nothing to repair"));
    region.ok("cut b");
    region.ok("produce 301 450 --interval 1ms");
    let gone = "50 are already gone at the source (its max_msgs is 100)";
    region.wait("what is gone is told", SOON, |_| flowing(&region.ok("status")).contains(gone));
    region.ok("stream limit none");
    region.ok("heal b");

    let other = Region::up("ended");
    let mut drill = other.program();
    let drill = drill.args(["drill", "run", "retention"]).stdout(Stdio::null()).spawn().unwrap();
    let limit = |limit: Value| move |zone: &Value| zone["keeping"]["limit"] == limit;
    other.wait_zone("a", "the drill has limited it", 3 * SOON, limit(json!(1200)));
    other.ok("drill stop");
    assert_eq!(drill.wait_with_output().unwrap().status.code(), Some(2));
    other.wait_zone("a", "that is undone", SOON, limit(Value::Null));
}
