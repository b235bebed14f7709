//! Everything a zone's own clients could do to a stream behind zonedrill's back: what isolation does
//! not prevent, `verify` finds.

use std::process::Stdio;

use crate::support::region::{RECOVERED, Region, SOON, has_all};
use async_nats::{HeaderMap, jetstream};
use serde_json::Value;

/// `verify --json`, which must say this word.
fn verdict(region: &Region, code: i32) -> Value {
    let ran = region.run(&["verify", "--json"]).expect_code(code);
    serde_json::from_str(&ran.out).expect("JSON")
}

fn finding<'a>(account: &'a Value, zone: &str) -> &'a Value {
    let zones = account["zones"].as_array().expect("zones");
    zones.iter().find(|z| z["zone"] == zone).expect("the zone")
}

fn troubles(account: &Value, zone: &str) -> Vec<String> {
    let troubles = finding(account, zone)["troubles"].as_array().expect("troubles").clone();
    troubles.iter().map(|t| t["kind"].as_str().expect("a kind").to_owned()).collect()
}

fn prepared(name: &str) -> Region {
    let region = Region::up(name);
    region.ok("produce --count 50");
    for zone in ["a", "b"] {
        region.wait_zone(zone, "received", SOON, |z| has_all(z, 50));
    }
    region
}

#[test]
fn nothing_produced_proves_nothing() {
    let region = Region::up("nothing");
    let account = verdict(&region, 2);
    assert_eq!(account["verdict"], "void");
}

#[test]
fn what_is_produced_meanwhile_is_not_called_lost() {
    let region = prepared("meanwhile");
    region.ok("produce --rate 2000/s");
    // Verified while it grows, and while it stops growing.
    for _ in 0..3 {
        let ran = region.run(&["verify"]);
        assert!(ran.code == 0 || ran.code == 2, "{ran:?}");
    }
    let mut verifying =
        region.program().args(["verify"]).stdout(Stdio::null()).spawn().expect("it runs");
    region.ok("produce stop");
    let code = verifying.wait().expect("it ends").code();
    assert!(code == Some(0) || code == Some(2), "{code:?}");
    region.ok("verify");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_is_isolated() {
    let region = prepared("isolated");
    let b = region.client("b").await;
    // A publish in the mirror zone reaches nobody.
    let refused = b.request("EVENTS.REGION.x", "x".into()).await.expect_err("no responders");
    assert_eq!(refused.kind(), async_nats::RequestErrorKind::NoResponders, "{refused}");
    // The source's API cannot be reached, and its consumer cannot be touched, from there.
    for call in [
        "STREAM.NAMES",
        "STREAM.DELETE.EVENTS_REGION",
        "STREAM.PURGE.EVENTS_REGION",
        "CONSUMER.DELETE.EVENTS_REGION.consumer-a",
        "CONSUMER.RESET.EVENTS_REGION.consumer-a",
        "CONSUMER.CREATE.EVENTS_REGION.consumer-a",
    ] {
        let answer = b.request(format!("$JS.zone-a.API.{call}"), "".into()).await;
        let refused = answer.expect_err(call);
        assert_eq!(refused.kind(), async_nats::RequestErrorKind::NoResponders, "{call}");
    }
    assert_eq!(verdict(&region, 0)["verdict"], "whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_removed_from_the_mirror_is_lost() {
    let region = prepared("removed");
    assert_eq!(verdict(&region, 0)["verdict"], "whole");
    let b = jetstream::new(region.client("b").await);
    let stream = b.get_stream("EVENTS_REGION").await.expect("the mirror");
    stream.delete_message(17).await.expect("deleted");
    let account = verdict(&region, 1);
    assert_eq!(troubles(&account, "b"), ["lost"]);
    let lost = &finding(&account, "b")["troubles"][0];
    assert_eq!((lost["count"].as_u64(), lost["first"][0]["seq"].as_u64()), (Some(1), Some(17)));
    assert_eq!(finding(&account, "a")["judgement"]["is"], "whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_without_its_id_is_found_in_every_zone() {
    let region = prepared("doubled");
    let a = jetstream::new(region.client("a").await);
    let stream = a.get_stream("EVENTS_REGION").await.expect("the stream");
    let message = stream.get_raw_message(20).await.expect("a message");
    a.publish("EVENTS.REGION.drill", message.payload).await.expect("sent").await.expect("acked");
    for zone in ["a", "b"] {
        region.wait_zone(zone, "found", SOON, |z| z["ledger"]["duplicates"] == 1);
    }
    let account = verdict(&region, 1);
    for zone in ["a", "b"] {
        assert!(troubles(&account, zone).contains(&"duplicates".to_owned()), "{account:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_message_and_a_foreign_one_are_found() {
    let region = prepared("damaged");
    let a = jetstream::new(region.client("a").await);
    let stream = a.get_stream("EVENTS_REGION").await.expect("the stream");
    let mut payload = stream.get_raw_message(20).await.expect("a message").payload.to_vec();
    *payload.last_mut().expect("bytes") ^= 1;
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", "somebody");
    let sent = a.publish_with_headers("EVENTS.REGION.drill", headers, payload.into()).await;
    sent.expect("sent").await.expect("acked");
    a.publish("EVENTS.REGION.drill", "hello".into()).await.expect("sent").await.expect("acked");
    for zone in ["a", "b"] {
        region.wait_zone(zone, "found", SOON, |z| {
            z["ledger"]["corrupt"] == 1 && z["ledger"]["foreign"] == 1
        });
    }
    let account = verdict(&region, 1);
    for zone in ["a", "b"] {
        assert_eq!(troubles(&account, zone), ["corrupt"], "{account:#}");
        assert_eq!(finding(&account, zone)["foreign"], 1, "{account:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_purged_behind_a_cut_are_lost() {
    let region = prepared("purged");
    region.ok("cut b");
    region.ok("produce --count 50");
    region.wait_zone("a", "received", SOON, |z| has_all(z, 100));
    let a = jetstream::new(region.client("a").await);
    let stream = a.get_stream("EVENTS_REGION").await.expect("the stream");
    stream.purge().sequence(81).await.expect("purged");
    region.ok("heal b");
    region.wait_zone("b", "the rest", RECOVERED, |z| z["stream"]["last_seq"] == 100);
    region.wait_zone("b", "seen", RECOVERED, |z| z["ledger"]["lost"] == 30);
    let account = verdict(&region, 1);
    assert!(troubles(&account, "b").contains(&"lost".to_owned()), "{account:#}");
}

#[test]
fn a_ledger_that_is_removed_under_a_running_room_proves_nothing_any_more() {
    let region = prepared("gone");
    std::fs::remove_file(region.folder().join("ledger.jsonl")).expect("removed");
    let said = "the ledger (ledger.jsonl) was removed while the room ran";
    let ran = region.run(&["verify"]).expect_code(2);
    assert!(ran.out.replace('\n', " ").contains(said), "{ran:?}");
    let ran = region.run(&["drill", "run", "heal"]).expect_code(2);
    assert!(ran.out.contains(said) && ran.out.contains("0 of 1 proved"), "{ran:?}");
    let log = std::fs::read_to_string(region.folder().join("events.jsonl")).expect("events");
    assert!(log.contains(said), "{log}");
}
