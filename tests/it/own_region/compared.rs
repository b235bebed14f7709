//! `verify` on a region of others: identical, differs, could not be compared.

use std::{process::Stdio, time::Duration};

use serde_json::{Value, json};

use super::{refused, says, user};
use crate::support::{
    nats::eventually,
    others::{Others, Setup, api, caught_up, copy, publish, publish_on, stream},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_removed_or_changed_in_a_copy_is_found() {
    let others = Others::start(&Setup::default());
    let clients = others.with_stream("mirror", 3000).await;
    let region = others.region("admin", "");
    let verify = |words: &[&str], code: i32| {
        let ran = others.run(&region, &[&["verify"], words].concat());
        assert_eq!(ran.code, code, "{ran:?}");
        ran.out
    };
    says(&verify(&[], 0), "identical 3,000 messages compared, sequences 1 to 3,000");
    says(&verify(&["--from", "101", "--to", "200"], 0), "100 messages compared");
    // By time: all of it lies between these.
    let times = ["--from", "2020-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z"];
    says(&verify(&times, 0), "3,000 messages compared");
    says(&verify(&["--to", "2020-01-01T00:00:00Z"], 2), "could not be compared: there is nothing");
    says(&verify(&["--to", "4000"], 2), "3001 to 4000 is not there to compare");

    // Deleted at the origin, which the copy keeps: as it should be.
    api(&clients[0], "STREAM.MSG.DELETE.ORDERS", json!({"seq": 7})).await;
    says(&verify(&[], 0), "1 are kept by the copy and gone at the origin");
    // Deleted in the copy.
    let gone = api(&clients[1], "STREAM.MSG.DELETE.ORDERS", json!({"seq": 2500})).await;
    assert_eq!(gone["success"], true, "{gone}");
    let found = verify(&[], 1);
    says(&found, "differs");
    says(&found, "sequence 2,500: missing in the copy (id id-2500)");
    says(&verify(&["--to", "2499"], 0), "identical");
    let json: Value = serde_json::from_str(&verify(&["--json"], 1)).unwrap();
    let copy = &json["copies"][0];
    assert_eq!((&copy["is"], &copy["differing"]), (&json!("differs"), &json!(1)));
    assert_eq!(copy["differences"][0]["first"], 2500);
    assert_eq!(json["exit_code"], 1);
}

/// A mirror beside the origin that answers direct gets in its stead, and lacks what the copy lacks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_that_answers_for_the_origin_is_not_believed() {
    let others = Others::start(&Setup::default());
    let clients = others.with_stream("mirror", 3000).await;
    let near = json!({"name": "NEAR", "mirror": {"name": "ORDERS"}, "allow_direct": true, "mirror_direct": true});
    stream(&clients[0], near).await;
    eventually("mirrored", Duration::from_secs(60), async || {
        let info = api(&clients[0], "STREAM.INFO.NEAR", Value::Null).await;
        (info["state"]["last_seq"] == 3000).then_some(())
    })
    .await;
    let lost = [7, 40, 120, 300, 1500, 2900];
    for seq in lost {
        for (client, stream) in [(&clients[0], "NEAR"), (&clients[1], "ORDERS")] {
            let call = format!("STREAM.MSG.DELETE.{stream}");
            let gone = api(client, &call, json!({"seq": seq})).await;
            assert_eq!(gone["success"], true, "{gone}");
        }
    }
    let region = others.region("admin", "");
    let ran = others.run(&region, &["verify"]).expect_code(1);
    for seq in lost {
        let seq = zonedrill::region::format::count(seq);
        says(&ran.out, &format!("sequence {seq}: missing in the copy"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_message_is_found_and_a_sourced_copy_is_compared_by_origin() {
    let others = Others::start(&Setup::default());
    let clients = others.with_a_renumbered_copy().await;
    let region = others.region("admin", "");
    let ran = others.run(&region, &["verify"]).expect_code(0);
    says(&ran.out, "identical 90 messages compared, sequences 1 to 100");
    api(&clients[1], "STREAM.MSG.DELETE.ORDERS", json!({"seq": 40})).await;
    let ran = others.run(&region, &["verify"]).expect_code(1);
    says(&ran.out, "sequence 50: missing in the copy (id id-50)");

    // The origin is made anew with other messages: the mirror's are another's.
    let mut mirror = copy("mirror");
    mirror["name"] = json!("MIRROR");
    stream(&clients[1], mirror).await;
    let of_mirror = format!("{region}stream = \"MIRROR\"\n");
    eventually("mirrored", Duration::from_secs(60), async || {
        let info = api(&clients[1], "STREAM.INFO.MIRROR", Value::Null).await;
        (info["state"]["last_seq"] == 100).then_some(())
    })
    .await;
    others.run(&of_mirror, &["verify"]).expect_code(0);
    api(&clients[0], "STREAM.DELETE.ORDERS", Value::Null).await;
    let again = json!({"name": "ORDERS", "subjects": ["ORDERS.>"], "allow_direct": true});
    stream(&clients[0], again).await;
    publish(&clients[0], 1001..=1005).await;
    let ran = others.run(&of_mirror, &["verify"]).expect_code(1);
    says(&ran.out, "sequence 1: another message id");
    says(&ran.out, "sequence 1: another payload");
    says(&ran.out, "not at the origin, which ends before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_part_is_compared_with_that_part() {
    let others = Others::start(&Setup::default());
    let clients = others.with_stream("mirror", 5).await;
    publish_on(&clients[0], "ORDERS.old", 6..=9).await;
    let mut part = copy("sources");
    part["name"] = json!("PART");
    part["sources"][0]["filter_subject"] = json!("ORDERS.old");
    stream(&clients[1], part).await;
    eventually("sourced", Duration::from_secs(60), async || {
        let info = api(&clients[1], "STREAM.INFO.PART", Value::Null).await;
        (info["state"]["messages"] == 4).then_some(())
    })
    .await;
    let region = format!("{}stream = \"PART\"\n", others.region("admin", ""));
    let ran = others.run(&region, &["verify"]).expect_code(0);
    says(&ran.out, "identical 4 messages compared");
    api(&clients[1], "STREAM.MSG.DELETE.PART", json!({"seq": 2})).await;
    let ran = others.run(&region, &["verify"]).expect_code(1);
    says(&ran.out, "sequence 7: missing in the copy (id id-7)");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_meanwhile_is_no_difference() {
    let others = Others::start(&Setup::default());
    let [a, _] = others.with_stream("mirror", 200).await;
    let publishing = tokio::spawn(async move {
        for from in (201..).step_by(20) {
            publish(&a, from..=from + 19).await;
        }
    });
    let region = others.region("admin", "");
    for _ in 0..4 {
        let ran = others.run(&region, &["verify"]).expect_code(0);
        says(&ran.out, "identical");
    }
    assert!(!publishing.is_finished(), "nothing was published meanwhile");
    publishing.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_holds_and_streams_without_direct_gets_are_read_one_by_one() {
    let lines = [
        ("publish", "$SYS.REQ.USER.INFO"),
        ("publish", "$JS.API.STREAM.INFO.ORDERS"),
        ("publish", "$JS.API.STREAM.MSG.GET.ORDERS"),
        ("subscribe", "_INBOX.>"),
    ];
    let others = Others::start(&Setup { users: user("single", &lines), ..Setup::default() });
    others.with_stream("mirror", 3000).await;
    let region = others.region("admin", "");
    let ran = others.run(&region, &["verify", "--json", "--max-rate", "1000/s"]).expect_code(0);
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    let copy = &json["copies"][0];
    assert_eq!(copy["messages"], 3000);
    let rate = 3_000_000.0 / copy["took_ms"].as_f64().unwrap();
    // Messages are paid for before they are asked for; that a busy machine is late is its own matter.
    assert!(rate < 1005.0, "{rate} messages a second");
    says(&ran.err, "zone b: sequence");
    says(&ran.err, "left");
    let single = others.region("single", "");
    let ran = others.run(&single, &["verify"]).expect_code(0);
    says(&ran.out, "identical 3,000 messages compared");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_is_told_as_one_and_is_never_identical() {
    let others = Others::start(&Setup::default());
    let clients = others.with_stream("mirror", 3000).await;
    let region = others.region("admin", "");
    let ran = others.run(&region, &["verify", "--sample", "300"]).expect_code(2);
    says(&ran.out, "no difference in a sample; nothing is shown of the rest");
    says(&ran.out, "300 messages compared, sequences 1 to 3,000 of the origin");
    says(&ran.out, "a sample: 3 runs of messages");
    assert!(!ran.out.contains("identical"), "{}", ran.out);
    let json = others.run(&region, &["verify", "--sample", "300", "--json"]).expect_code(2);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&json["copies"][0]["is"], &json["exit_code"]), (&json!("sampled"), &json!(2)));
    // What a sample finds is found.
    for seq in (1..3000).step_by(50) {
        api(&clients[1], "STREAM.MSG.DELETE.ORDERS", json!({"seq": seq})).await;
    }
    let ran = others.run(&region, &["verify", "--sample", "300"]).expect_code(1);
    says(&ran.out, "differs");
    says(&ran.out, "missing in the copy");
    says(&others.run(&region, &["verify", "--sample", "0"]).expect_code(3).err, "--sample");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_of_a_renumbered_copy_is_compared_by_origin() {
    let others = Others::start(&Setup::default());
    let clients = others.with_a_renumbered_copy().await;
    let region = others.region("admin", "");
    let ran = others.run(&region, &["verify", "--sample", "40"]).expect_code(2);
    says(&ran.out, "no difference in a sample");
    for seq in 1..=90 {
        api(&clients[1], "STREAM.MSG.DELETE.ORDERS", json!({"seq": seq})).await;
    }
    others.run(&region, &["verify", "--sample", "40"]).expect_code(2);
}

/// Waits until a comparison that is slow on purpose has kept how far it has come.
async fn kept(others: &Others) -> Value {
    let file = others.home.path().join("home/verify-shop.json");
    eventually("it is kept", Duration::from_secs(60), async || {
        let text = std::fs::read_to_string(&file).ok()?;
        let kept: Value = serde_json::from_str(&text).ok()?;
        (!kept["halfway"].is_null()).then_some(kept)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_comparison_that_was_ended_goes_on() {
    let others = Others::start(&Setup::default());
    let clients = others.with_stream("mirror", 3000).await;
    let region = others.region("admin", "");
    let none = others.run(&region, &["verify", "--resume"]);
    refused(none, "there is no comparison to go on with: leave `--resume` out");
    let slow = ["verify", "--max-rate", "400/s"];
    let comparing = others.begin(&region, &slow, Stdio::piped());
    kept(&others).await;
    let pid = rustix::process::Pid::from_raw(comparing.id().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ended = comparing.wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert_eq!(ended.status.code(), Some(2), "{out}");
    says(&out, "ended before its end: nothing is said of the copies");
    says(&out, "region.toml verify --resume` goes on at sequence");

    refused(others.run(&region, &["verify", "--resume", "--to", "9"]), "leave the zone, `--from`");
    // Killed in the middle it goes on as well, from where it was then.
    let mut comparing = others.begin(&region, &[&slow[..], &["--resume"]].concat(), Stdio::null());
    let reached = |kept: &Value| kept["halfway"]["reached"]["origin"].as_u64().unwrap();
    let before = reached(&kept(&others).await);
    let after = eventually("it goes on", Duration::from_secs(60), async || {
        Some(reached(&kept(&others).await)).filter(|now| *now > before)
    })
    .await;
    comparing.kill().unwrap();
    comparing.wait().unwrap();
    // What was compared is not looked at again; what was not, is.
    for seq in [1, 2999] {
        let gone = api(&clients[1], "STREAM.MSG.DELETE.ORDERS", json!({"seq": seq})).await;
        assert_eq!(gone["success"], true, "{gone}");
    }
    let ran = others.run(&region, &["verify", "--resume", "--json"]).expect_code(1);
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    let copy = &json["copies"][0];
    assert_eq!((&copy["messages"], &copy["differing"]), (&json!(2999), &json!(1)), "{copy}");
    assert_eq!(copy["differences"][0]["first"], 2999);
    let earlier: Vec<u64> = copy["earlier"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|run| run["through"].as_u64())
        .collect();
    assert!(
        earlier.len() == 2 && earlier[0] < earlier[1] && earlier[1] + 1 >= after,
        "{earlier:?}"
    );
    assert!(!others.home.path().join("home/verify-shop.json").exists());
    // The first message is gone, which a mirror without limits never loses by itself.
    others.run(&region, &["verify"]).expect_code(1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_on_with_a_stream_that_was_made_anew() {
    let others = Others::start(&Setup::default());
    let clients = others.with_stream("mirror", 3000).await;
    let region = others.region("admin", "");
    let mut comparing = others.begin(&region, &["verify", "--max-rate", "400/s"], Stdio::null());
    kept(&others).await;
    comparing.kill().unwrap();
    comparing.wait().unwrap();
    api(&clients[1], "STREAM.DELETE.ORDERS", Value::Null).await;
    stream(&clients[1], copy("mirror")).await;
    caught_up(&clients[1], 3000).await;
    let ran = others.run(&region, &["verify", "--resume"]).expect_code(2);
    says(&ran.out, "a stream was made anew since it was compared in part");
    others.run(&region, &["verify"]).expect_code(0);
}
