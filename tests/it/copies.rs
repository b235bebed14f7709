//! Zones that hold a copy by `sources`: the same drills, the same verdicts, and what only such a
//! copy does.

use serde_json::{Value, json};
use zonedrill::region::topology::STREAM;

use crate::support::region::{RECOVERED, Region, SOON, flowing, has_all};

fn up(name: &str, more: &[&str]) -> Region {
    let region = Region::new(name);
    let mut words = vec!["--copy", "sources"];
    words.extend_from_slice(more);
    region.start(&words).expect_code(0);
    region
}

/// Asks a zone's JetStream.
async fn ask(client: &async_nats::Client, what: &str, body: Value) -> Value {
    let subject = format!("$JS.API.{what}");
    let payload = if body.is_null() { String::new() } else { body.to_string() };
    let reply = client.request(subject, payload.into()).await.expect("an answer");
    let answer: Value = serde_json::from_slice(&reply.payload).expect("JSON");
    assert!(answer.get("error").is_none(), "{what}: {answer}");
    answer
}

async fn publish(client: &async_nats::Client, id: Option<&str>, payload: &str) -> u64 {
    let mut headers = async_nats::HeaderMap::new();
    if let Some(id) = id {
        headers.insert("Nats-Msg-Id", id);
    }
    let subject = "EVENTS.REGION.other".to_owned();
    let reply = client
        .request_with_headers(subject, headers, payload.to_owned().into())
        .await
        .expect("acknowledged");
    let ack: Value = serde_json::from_slice(&reply.payload).expect("JSON");
    assert_ne!(ack["duplicate"], true, "{ack}");
    ack["seq"].as_u64().unwrap_or_else(|| panic!("{ack}"))
}

fn lag_is_zero(zone: &Value) -> bool {
    zone["mirror"]["true_lag"] == 0 && zone["mirror"]["state"] == "streaming"
}

#[test]
fn the_four_conclusions_are_proved_with_copies_by_sources() {
    let region = up("sources-four", &[]);
    let told = region.ok("status");
    assert!(told.contains("durable sources copies"), "{told}");
    let configured = region.ok("inspect stream b");
    assert!(configured.contains("\"sources\""), "{configured}");
    for drill in ["cut", "heal", "independent", "grow"] {
        region.proved(&["drill", "run", drill]);
    }
    region.ok("verify");
    // The fault is found in the copy's own numbers, too.
    let lost = region.run(&["drill", "run", "cut", "--sabotage", "lose"]).expect_code(1);
    assert!(lost.out.contains("not on the stream"), "{}", lost.out);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holes_at_the_origin_and_renumbering_are_no_false_alarms() {
    let region = up("sources-holes", &["--via", "classic"]);
    let (a, b) = (region.client("a").await, region.client("b").await);
    region.ok("produce 1 20 --interval 1ms");
    region.ok("cut b");
    for n in 0..7 {
        let seq = publish(&a, None, &format!("gone {n}")).await;
        ask(&a, &format!("STREAM.MSG.DELETE.{STREAM}"), json!({"seq": seq})).await;
    }
    region.ok("produce 21 40 --interval 1ms");
    region.ok("heal b");
    region.wait_zone("b", "all has come", RECOVERED, |zone| {
        lag_is_zero(zone) && zone["stream"]["last_seq"] == 47 && zone["consumer"]["ack_floor"] == 47
    });
    let own = ask(&b, &format!("STREAM.INFO.{STREAM}"), Value::Null).await;
    assert_eq!(own["state"]["last_seq"], 40, "it counts by itself: {own}");
    assert_eq!(own["config"]["duplicate_window"], 600_000_000_000_u64, "{own}");
    region.ok("verify");
    let shown = region.ok("inspect message 30");
    assert!(shown.contains("zone b: sequence") && !shown.contains("NOT what"), "{shown}");

    // A consumer that is made anew goes on where it was, though its numbers are others.
    region.ok("consumer pause b");
    ask(&b, &format!("CONSUMER.DELETE.{STREAM}.consumer-b"), Value::Null).await;
    region.wait("it is told", SOON, |_| region.ok("status").contains("consumer-b"));
    region.ok("repair b");
    region.ok("consumer resume b");
    region.ok("produce 41 60 --interval 1ms");
    let b = region.wait_zone("b", "all is consumed", RECOVERED, |zone| {
        zone["ledger"]["received"] == 60 && zone["consumer"]["ack_floor"] == 67
    });
    assert_eq!(b["ledger"]["processed_twice"], 0, "{b:#}");
    // On a loaded machine a run may see too little to tell: void, and nothing else.
    let mut runs = (0..3).map(|_| region.run(&["drill", "run", "heal"]));
    runs.find(|ran| ran.code != 2).expect("a run that tests it").expect_code(0);
    // The room finds its way again from nothing.
    region.ok("down");
    region.start(&[]).expect_code(0);
    region.wait_zone("b", "it is up with its copy", RECOVERED, lag_is_zero);
    region.ok("verify");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swallowed_id_is_found_and_named() {
    let region = up("sources-swallow", &[]);
    let a = region.client("a").await;
    region.ok("produce 1 20 --interval 1ms");
    region.wait_zone("b", "all is consumed", SOON, |zone| has_all(zone, 20));
    // The origin forgets ids soon, and the copy does not.
    let mut config = ask(&a, &format!("STREAM.INFO.{STREAM}"), Value::Null).await["config"].take();
    config["duplicate_window"] = json!(100_000_000);
    ask(&a, &format!("STREAM.UPDATE.{STREAM}"), config).await;
    let first = publish(&a, Some("order-7"), "one").await;
    std::thread::sleep(std::time::Duration::from_millis(400));
    let second = publish(&a, Some("order-7"), "one").await;
    assert!(second > first);
    region.ok("repair a");
    // The source's durable says that there is nothing more for it.
    region.wait_zone("b", "it passed over it", SOON, |zone| {
        lag_is_zero(zone) && zone["stream"]["last_seq"] == second
    });
    let told = region.run(&["verify"]).expect_code(1);
    let want = format!(
        "1 message was swallowed by the id window: the origin has the id twice (first at sequence {second})"
    );
    assert!(flowing(&told.out).contains(&want), "{}", told.out);
    // What comes after it does not hide it.
    region.ok("produce 21 40 --interval 1ms");
    let told = region.run(&["verify"]).expect_code(1);
    assert!(flowing(&told.out).contains(&want), "{}", told.out);
}

#[test]
fn what_a_region_holds_is_kept_and_not_changed_by_another_word() {
    let region = up("sources-kept", &[]);
    region.ok("down");
    let refused = region.start(&["--copy", "mirror"]).expect_code(3);
    assert!(refused.err.contains("holds data of sources copies, not mirror"), "{}", refused.err);
    region.start(&[]).expect_code(0);
    assert_eq!(region.status()["copy_kind"], "sources");
}
