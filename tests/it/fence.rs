//! A lost source comes back: it is fenced, what it alone holds is salvaged, and what is refused on the way.

use serde_json::{Value, json};
use zonedrill::region::topology::{DRILL_SUBJECT, STREAM};

use crate::support::region::{Region, SOON, flowing, has_all};

const ALL: [&str; 3] = ["js1-zone-a", "js2-zone-a", "js3-zone-a"];

async fn publish(client: &async_nats::Client, id: Option<&str>) -> Value {
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Kept", "as it is");
    if let Some(id) = id {
        headers.insert("Nats-Msg-Id", id);
    }
    let subject = "EVENTS.REGION.other".to_owned();
    let reply = client.request_with_headers(subject, headers, "theirs".into()).await.unwrap();
    serde_json::from_slice(&reply.payload).unwrap()
}

/// Zone b took over while it was cut off, and zone a went on: 25 messages in both, then 10 and two of
/// others in zone a alone, 30 in zone b alone.
async fn parted(region: &Region) {
    region.ok("produce 1 25 --interval 1ms");
    region.wait_zone("b", "all is consumed", SOON, |zone| has_all(zone, 25));
    region.ok("cut b");
    region.ok("produce 26 35 --interval 1ms");
    let a = region.client("a").await;
    assert_eq!(publish(&a, Some("theirs-1")).await["seq"], 36);
    assert_eq!(publish(&a, None).await["seq"], 37);
    let told = region.ok("promote b --follow");
    assert!(told.contains("left behind"), "{told}");
    region.ok("produce 101 130 --interval 1ms");
    region.ok("heal b");
    region.wait("the split is told", SOON, |status| {
        status["word"] == "SPLIT BRAIN" && status["alarms"][0]["remedy"] == "fence a"
    });
    let told = region.wait_zone("b", "how far they have parted", SOON, |zone| {
        zone["ledger"]["apart"] == json!({"alone": 30, "lacks": 10})
    });
    assert_eq!(told["role"], "promoted");
    let cause = region.status()["alarms"][0]["cause"].to_string();
    let counts = "zone a has 10 acknowledged ones that zone b lacks, zone b 30 that zone a lacks";
    assert!(cause.contains(counts), "{cause}");
    // Each has what the other lacks: neither is called whole.
    assert_ne!(region.run(&["verify", "b"]).code, 0);
}

async fn salvaged(region: &Region) {
    region.refused("salvage a", "zone a is not fenced (it is source): `fence a` comes first");
    region.refused("fence b", "the producer publishes into zone b: `produce move a` comes first");
    let told = region.ok("fence a");
    assert!(told.contains("a message to it was tried and not taken"), "{told}");
    // As any other client sees it.
    let a = region.client("a").await;
    let error = a.request(DRILL_SUBJECT, "new".into()).await.unwrap_err();
    assert_eq!(error.kind(), async_nats::RequestErrorKind::NoResponders);
    let b = region.client("b").await;
    let end = region.wait_zone("a", "it is fenced", SOON, |zone| zone["role"] == "fenced");
    assert_eq!(end["stream"]["last_seq"], 37);
    region.refused("fence a", "zone a is fenced already");
    region.refused("fence b", "zone b is the only one that takes messages");
    region.refused("produce move a", "zone a is fenced and takes no messages");
    region.refused("promote a", "zone a is fenced because zone b takes messages");

    let told = flowing(&region.ok("salvage a"));
    assert!(told.contains("11 messages that zone a holds and zone b lacked"), "{told}");
    assert!(told.contains("-p2-26..35, theirs-1; 1 without an id"), "{told}");
    region.refused("salvage a", "nothing to salvage: zone b has each of the 11 messages");
    let stream = async_nats::jetstream::new(b).get_stream(STREAM).await.unwrap();
    let last = stream.get_raw_message(25 + 30 + 11).await.unwrap();
    assert_eq!(last.headers.get("Nats-Msg-Id").unwrap().as_str(), "theirs-1");
    assert_eq!(last.headers.get("Kept").unwrap().as_str(), "as it is");
    assert!(last.headers.get("Nats-Stream-Source").is_none());
    assert_eq!(last.payload, "theirs");

    // Nothing is missing in the zone that took over, nothing is there twice, and `verify` says so.
    region.wait_zone("b", "all is consumed", SOON, |zone| zone["consumer"]["ack_floor"] == 66);
    let told = region.run(&["verify", "b"]).expect_code(0);
    assert!(told.out.contains("the ledger judges it"), "{}", told.out);
    // What the look before the salvage found missing stood until now.
    region.wait_zone("b", "nothing is lost", SOON, |zone| zone["ledger"]["lost"] == 0);
    let orphaned = region.status()["zones"].as_array().unwrap().len() > 2;
    if !orphaned {
        region.wait("the word is told", SOON, |status| status["word"] == "FENCED a");
    }
    assert!(region.ok("repair a").contains("nothing to repair"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_fenced_source_holds_alone_is_published_once() {
    let region = Region::up("fence-mirror");
    region.refused("fence b", "zone b is a copy and takes no messages");
    region.refused("fence a", "zone a is the only one that takes messages");
    parted(&region).await;
    salvaged(&region).await;

    // It stays fenced, and the producer where it is.
    region.ok("down");
    region.start(&[]).expect_code(0);
    region.wait_zone("a", "it is fenced still", SOON, |zone| zone["role"] == "fenced");
    region.ok("produce --count 5");
    let b = region
        .wait_zone("b", "they are consumed", SOON, |zone| zone["consumer"]["ack_floor"] == 71);
    assert_eq!((&b["ledger"]["lost"], &b["ledger"]["duplicates"]), (&json!(0), &json!(0)));
    // And takes messages again only if nobody else does, or if it is told twice.
    region.refused("promote a", "`fence b --force` comes first");
    region.ok("fence b --force");
    region.refused("produce 1 1", "the producer publishes into zone b, which is fenced");
    region.ok("promote a --follow");
    region.wait_zone("a", "it is the source", SOON, |zone| zone["role"] == "source");
    region.wait("the word is told", SOON, |status| status["word"] == "FENCED b");
    let told = flowing(&region.ok("salvage b"));
    assert!(told.contains("35 messages that zone b holds and zone a lacked"), "{told}");
    region.run(&["verify", "a"]).expect_code(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zone_by_sources_that_took_over_gets_what_the_source_holds_alone() {
    let region = Region::new("fence-sources");
    region.start(&["--copy", "sources", "--zones", "a,b,c"]).expect_code(0);
    parted(&region).await;
    salvaged(&region).await;
    // Another copy of the old source gets nothing of what is published now, and says so.
    region.wait("the orphan is told", SOON, |status| {
        let alarms = status["alarms"].as_array().into_iter().flatten();
        alarms.clone().any(|alarm| alarm["zone"] == "c" && alarm["kind"] == "SPLIT")
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_comes_back_after_its_loss_is_fenced() {
    let region = Region::up("fence-back");
    region.ok("produce 1 20 --interval 1ms");
    region.wait_zone("b", "all is consumed", SOON, |zone| has_all(zone, 20));
    for node in ALL {
        region.ok(&format!("node kill {node}"));
    }
    region.ok("promote b --rebuild-dedup --follow");
    region.ok("produce 101 110 --interval 1ms");
    region.run(&["verify", "b"]).expect_code(0);
    region.refused("fence a", "zone a has no quorum");
    for node in ALL {
        region.ok(&format!("node start {node}"));
    }
    region.wait("both take messages", 2 * SOON, |status| status["word"] == "SPLIT BRAIN");
    region.ok("fence a");
    region.refused("salvage a", "nothing to salvage");
}
