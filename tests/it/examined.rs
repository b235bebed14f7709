//! `verify` on real servers where something is not there to be read, cannot come any more, or was
//! deleted by somebody else: what it says, how it ends, and how soon.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use zonedrill::region::topology::STREAM;

use crate::support::{
    hands::Stranger,
    region::{Ran, Region, SOON, has_all},
};

/// What can no longer come is not waited for: the servers' silence alone would take 5 s.
const AT_ONCE: Duration = Duration::from_millis(4_800);

/// A region with so many messages, which both zones have processed.
fn with_messages(name: &str, count: u64) -> Region {
    let region = Region::up(name);
    region.ok(&format!("produce 1 {count} --interval 1ms"));
    arrived(&region, count);
    region
}

#[track_caller]
fn arrived(region: &Region, count: u64) {
    for zone in ["a", "b"] {
        region.wait_zone(zone, "all is consumed", SOON, |zone| has_all(zone, count));
    }
}

async fn stranger(region: &Region, offset: u16) -> Stranger {
    let url = format!("nats://127.0.0.1:{}", region.port + offset);
    Stranger::connect(&region.access(), &url).await
}

/// `verify` with these words ends with that code.
#[track_caller]
fn verify(region: &Region, words: &[&str], code: i32) -> Ran {
    let words: Vec<&str> = ["verify"].iter().chain(words).copied().collect();
    region.run(&words).expect_code(code)
}

#[track_caller]
fn is_whole_as_far_as_read(region: &Region, unread: usize, why: &str) {
    let said = verify(region, &[], 2).out;
    println!("{said}");
    assert!(said.contains(why), "{said}");
    let last = format!("whole as far as it was read: {unread} of 6 replicas not read");
    assert!(said.trim_end().ends_with(&last), "{said}");
    let told: Value = serde_json::from_str(&verify(region, &["--json"], 2).out).expect("JSON");
    assert_eq!(told["verdict"], "whole-as-far-as-read", "{told:#}");
    let none = |replica: &&Value| replica["equal"].is_null();
    assert_eq!(told["replicas"].as_array().unwrap().iter().filter(none).count(), unread);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_was_not_read_is_named_and_nothing_is_green() {
    let region = with_messages("unread", 20);
    assert!(region.ok("verify").contains("3 of 3 hold the same"));

    region.ok("node freeze js2-zone-b");
    region.wait_zone("b", "seen frozen", SOON, |b| b["nodes"][1]["state"] == "frozen");
    is_whole_as_far_as_read(&region, 1, "js2-zone-b was not read: it is frozen");
    region.ok("node thaw js2-zone-b");
    region.wait_zone("b", "thawed", SOON, |b| b["nodes"][1]["state"] == "up");

    region.ok("node kill js3-zone-a");
    region.wait_zone("a", "seen dead", SOON, |a| {
        matches!(a["nodes"][2]["state"].as_str(), Some("dead" | "stopped"))
    });
    is_whole_as_far_as_read(&region, 1, "js3-zone-a was not read: ");
    region.ok("node start js3-zone-a");
    region.wait_zone("a", "back", SOON, |a| a["nodes"][2]["state"] == "up");
    region.wait_zone("a", "current", SOON, |a| a["stream"]["replicas_current"] == 3);
    region.ok("verify");

    let in_a = stranger(&region, 1).await;
    in_a.update_stream(|config| config["num_replicas"] = json!(1)).await;
    region.wait_zone("a", "one replica", SOON, |a| a["stream"]["replicas"] == 1);
    let began = Instant::now();
    is_whole_as_far_as_read(
        &region,
        2,
        "was not read: it holds no replica of the stream, which has 1",
    );
    println!("two examinations of a stream with one replica: {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_come_is_said_at_once() {
    let region = with_messages("nevercomes", 20);
    let in_b = stranger(&region, 11).await;
    let will_not_come = |count: u64, why: &str| {
        let began = Instant::now();
        let said = verify(&region, &["b"], 2).out;
        let took = began.elapsed();
        println!("after {took:?}: {said}");
        let joined = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(joined.contains(&format!("{count} messages will not come: {why}")), "{said}");
        assert!(!joined.contains("still to come"), "{said}");
        assert!(took < AT_ONCE, "{took:?}");
    };
    region.ok("consumer pause b");
    region.ok("produce 21 30 --interval 1ms");
    region.wait_zone("a", "a goes on", SOON, |a| has_all(a, 30));
    will_not_come(10, "consumer-b is paused; `consumer resume b` goes on");
    region.ok("consumer resume b");
    arrived(&region, 30);

    in_b.delete_consumer("consumer-b").await;
    region.ok("produce 31 40 --interval 1ms");
    region.wait_zone("a", "a goes on", SOON, |a| has_all(a, 40));
    will_not_come(10, "consumer-b does not exist");
    region.ok("repair b");
    arrived(&region, 40);
    region.ok("verify");

    // The last message is deleted before the mirror's consumer has it: nothing is left for it there,
    // and its floor never reaches the source's last sequence.
    region.ok("consumer pause b");
    region.ok("produce 41 50 --interval 1ms");
    region.wait_zone("b", "b holds it", SOON, |b| b["stream"]["last_seq"] == 50);
    in_b.call(format!("STREAM.MSG.DELETE.{STREAM}"), json!({"seq": 50})).await;
    region.ok("consumer resume b");
    let began = Instant::now();
    let said = verify(&region, &["b"], 1).out;
    println!("after {:?}: {said}", began.elapsed());
    assert!(said.contains("1 acknowledged message is not on the stream"), "{said}");
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_source_deleted_is_not_a_source_made_anew() {
    let region = with_messages("deleted", 20);
    let in_a = stranger(&region, 1).await;
    in_a.call(format!("STREAM.MSG.DELETE.{STREAM}"), json!({"seq": 20})).await;
    let of_b = || {
        let said = verify(&region, &[], 1).out;
        println!("{said}");
        assert!(!said.contains("recreated"), "{said}");
        let of_b = said.split("zone b:").nth(1).expect("zone b").to_owned();
        of_b.split("replicas").next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let kept = "the source has deleted 1 message (sequence 20) that this mirror keeps";
    assert!(of_b().contains(kept), "{}", of_b());
    // One account: the strip shows what the examination found.
    region.wait_zone("a", "the audit is shown", SOON, |a| a["ledger"]["lost"] == 1);
    assert_eq!(region.zone("b")["ledger"]["lost"], 0);
    assert!(region.ok("status").contains("lost 1"), "{}", region.ok("status"));
    in_a.call(format!("STREAM.PURGE.{STREAM}"), json!({})).await;
    let kept =
        "the source has deleted 20 messages (the first at sequence 1) that this mirror keeps";
    assert!(of_b().contains(kept), "{}", of_b());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_keeps_nothing_is_judged_by_what_was_received() {
    let region = with_messages("interest", 20);
    let in_a = stranger(&region, 1).await;
    in_a.update_stream(|config| config["retention"] = json!("interest")).await;
    region.ok("produce 21 40 --interval 1ms");
    arrived(&region, 40);
    let began = Instant::now();
    let said = verify(&region, &[], 2).out;
    println!("after {:?}: {said}", began.elapsed());
    for words in [
        "the stream of zone a was not judged: its retention is interest",
        "the stream of zone b was not compared with that of zone a",
        "replicas of zone b: 3 of 3 hold the same",
        "whole as far as it was read",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}

/// A drill whose consumer somebody deletes does not wait for what cannot come, nor does the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_does_not_wait_for_a_consumer_that_is_gone() {
    let region = with_messages("goneindrill", 10);
    let in_b = stranger(&region, 11).await;
    let mut drill = region.program();
    drill.args(["drill", "run", "cut"]).stdout(Stdio::piped());
    let drill = drill.spawn().expect("a drill");
    region.wait_zone("b", "the cut is proved", SOON, |b| b["link"]["effective"] == true);
    let began = Instant::now();
    in_b.delete_consumer("consumer-b").await;
    let ended = drill.wait_with_output().expect("it ends");
    println!("the drill ended after {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let said = String::from_utf8_lossy(&ended.stdout);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    // Told by the advisory, or by the step that came first.
    let told = said.contains("deleted consumer-b") || said.contains("consumer-b does not exist");
    assert!(told, "{said}");

    let began = Instant::now();
    let said = region.run(&["drill", "run", "heal"]).expect_code(2).out;
    println!("after {:?}: {said}", began.elapsed());
    assert!(said.contains("not begun: consumer-b does not exist"), "{said}");
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    region.ok("repair b");
    region.wait_zone("b", "b is linked", SOON, |b| b["link"]["state"] == "up");
}
