//! A copy is made a stream of its own: what is refused, what is tried, and what a retry comes to.

use serde_json::{Value, json};
use zonedrill::region::topology::{DRILL_SUBJECT, STREAM};

use crate::support::region::{Region, SOON, has_all};

/// Retries the message at a sequence of a zone's stream under its id; the stream's answer.
async fn retry(client: &async_nats::Client, seq: u64) -> Value {
    let stream = async_nats::jetstream::new(client.clone()).get_stream(STREAM).await.unwrap();
    let message = stream.get_raw_message(seq).await.unwrap();
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Nats-Msg-Id", message.headers.get("Nats-Msg-Id").unwrap().as_str());
    let reply = client.request_with_headers(DRILL_SUBJECT, headers, message.payload).await;
    serde_json::from_slice(&reply.unwrap().payload).unwrap()
}

fn is_promoted(zone: &Value, floor: u64) -> bool {
    zone["role"] == "promoted"
        && zone["mirror"].is_null()
        && zone["consumer"]["ack_floor"] == floor
        && zone["stream"]["last_seq"] == floor
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_mirror_knows_no_ids_until_they_are_rebuilt() {
    let region = Region::up("promote-mirror");
    region.ok("produce 1 20 --interval 1ms");
    region.wait_zone("b", "all is consumed", SOON, |zone| has_all(zone, 20));
    let refused = |line: &str, why: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let told = region.run(&words).expect_code(3).err;
        let flowing = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flowing.contains(why), "{line}: {told}");
    };
    refused("promote a", "zone a is the source");
    refused("promote b", "the source is alive and zone b is linked to it");
    region.ok("cut b");
    let told = region.ok("promote b");
    assert!(told.contains("does not know its ids"), "{told}");
    assert!(told.contains("`promote b --rebuild-dedup`"), "{told}");
    refused("promote b", "zone b is promoted already");
    region.wait_zone("b", "it is promoted", SOON, |zone| is_promoted(zone, 20));
    let word = region.ok("status");
    assert!(word.contains("SPLIT BRAIN"), "{word}");

    let told = region.ok("promote b --rebuild-dedup");
    assert!(told.contains("it knows its ids"), "{told}");
    let b = region.client("b").await;
    let answer = retry(&b, 20).await;
    assert_eq!(answer, json!({"stream": STREAM, "domain": "zone-b", "seq": 20, "duplicate": true}));
    // What was tried was never stored.
    assert_eq!(region.zone("b")["stream"]["last_seq"], 20);
    assert!(region.ok("repair b").contains("nothing to repair"));

    // It stays so, and takes messages.
    region.ok("down");
    region.start(&[]).expect_code(0);
    region.wait_zone("b", "it is promoted still", SOON, |zone| is_promoted(zone, 20));
    let b = region.client("b").await;
    let reply = b.request("EVENTS.REGION.other", "new".into()).await.unwrap();
    let ack: Value = serde_json::from_slice(&reply.payload).unwrap();
    assert_eq!((&ack["domain"], &ack["seq"]), (&json!("zone-b"), &json!(21)), "{ack}");
    // Two streams that differ are not called whole.
    assert_ne!(region.run(&["verify"]).code, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_copy_by_sources_knows_the_ids_of_a_lost_source() {
    let region = Region::new("promote-sources");
    region.start(&["--copy", "sources"]).expect_code(0);
    // A hole at the source, which the copy does not count.
    region.ok("cut b");
    let a = region.client("a").await;
    a.request("EVENTS.REGION.other", "gone".into()).await.unwrap();
    a.request(format!("$JS.API.STREAM.MSG.DELETE.{STREAM}"), r#"{"seq":1}"#.into()).await.unwrap();
    region.ok("heal b");
    region.ok("produce 1 20 --interval 1ms");
    region.wait_zone("b", "all is consumed", 2 * SOON, |zone| {
        zone["ledger"]["received"] == 20 && zone["consumer"]["ack_floor"] == 21
    });
    for node in ["js1-zone-a", "js2-zone-a", "js3-zone-a"] {
        region.ok(&format!("node kill {node}"));
    }
    let told = region.ok("promote b");
    assert!(told.contains("it knows its ids"), "{told}");
    region.wait_zone("b", "it is promoted", SOON, |zone| is_promoted(zone, 21));
    let b = region.client("b").await;
    assert_eq!(retry(&b, 20).await["duplicate"], true);
    // What it takes now counts on from where the source ended, and is nobody's loss.
    b.request("EVENTS.REGION.other", "new".into()).await.unwrap();
    let zone = region.wait_zone("b", "it is consumed", SOON, |zone| is_promoted(zone, 22));
    assert_eq!((&zone["ledger"]["lost"], &zone["ledger"]["unexpected"]), (&json!(0), &json!(0)));
    let told = region.ok("status");
    assert!(!told.contains("SPLIT BRAIN"), "{told}");
    for node in ["js1-zone-a", "js2-zone-a", "js3-zone-a"] {
        region.ok(&format!("node start {node}"));
    }
    region.wait("both take messages", 2 * SOON, |_| region.ok("status").contains("SPLIT BRAIN"));
}
