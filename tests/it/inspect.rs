//! `inspect` on real servers: what is shown is what is there, and no password.

use crate::support::region::{Region, SOON, has_all};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn things_are_shown_as_the_servers_tell_them() {
    let region = Region::up("inspected");
    region.ok("produce 1 30 --interval 1ms");
    for zone in ["a", "b"] {
        region.wait_zone(zone, "all is consumed", SOON, |zone| has_all(zone, 30));
    }
    let shown = |line: &str, wanted: &[&str]| {
        let text = region.ok(line);
        for words in wanted {
            assert!(text.contains(words), "`{line}` lacks `{words}`: {text}");
        }
        text
    };
    let node = shown("inspect node js2-zone-b", &["[INF]", "server_name", "***"]);
    let secrets = region.access().secrets;
    for secret in [&secrets.client, &secrets.leaf, &secrets.route, &secrets.system] {
        assert!(!node.contains(secret.as_str()), "a password is shown");
    }
    shown(
        "inspect stream a",
        &["no difference from how it was made", "EVENTS.REGION", "\"last_seq\": 30"],
    );
    shown(
        "inspect consumer b",
        &["no difference from how it was made", "\"name\": \"consumer-b\""],
    );
    shown("inspect durable b", &["\"stream_name\": \"EVENTS_REGION\""]);
    let link = shown("inspect link b", &["connections that zone b lists", "carries"]);
    let ends = |mark: &str| link.lines().filter(|line| line.contains(mark)).count();
    assert_eq!((ends("-zone-b: to js"), ends("-zone-a: to js")), (3, 3), "{link}");
    shown("inspect faults", &["zone a", "zone b", "nothing is wrong"]);

    let message = shown("inspect message 7", &["zone a: sequence 7", "zone b: sequence 7", "zd1 "]);
    let id = message.split_once("ledger: ").unwrap().1.split(' ').next().unwrap();
    assert_eq!(shown(&format!("inspect message {id}"), &[]).lines().next(), message.lines().next());
    // What strangers write reaches nobody's terminal as it is.
    let log = region.folder().join("servers/js1-zone-a/nats-server.log");
    let mut log = std::fs::OpenOptions::new().append(true).open(log).unwrap();
    std::io::Write::write_all(&mut log, b"[1] [ERR] client \x1b[2Jeve\x07\n").unwrap();
    let told = shown("inspect node js1-zone-a", &["eve"]);
    assert!(!told.contains(['\x1b', '\x07']), "{told:?}");
    // Somebody removes it from one zone; somebody else's message is told as such.
    let a = region.client("a").await;
    let delete = "$JS.API.STREAM.MSG.DELETE.EVENTS_REGION";
    a.request(delete, r#"{"seq":7}"#.into()).await.expect("an answer");
    a.publish("EVENTS.REGION.other", "by\x1b[31m hand".into()).await.expect("sent");
    a.flush().await.expect("sent");
    region.wait_zone("b", "it came", SOON, |zone| zone["stream"]["last_seq"] == 31);
    shown("inspect message 7", &["zone a: holds no message at sequence 7", "zone b: sequence 7"]);
    let other = shown("inspect message 31", &["no drill message", "EVENTS.REGION.other"]);
    assert!(!other.contains('\x1b'), "{other:?}");

    // The difference stands above what the server tells.
    a.request(
        "$JS.API.CONSUMER.PAUSE.EVENTS_REGION.consumer-a",
        r#"{"pause_until":"2099-01-01T00:00:00Z"}"#.into(),
    )
    .await
    .expect("an answer");
    region.wait_zone("a", "it differs", SOON, |zone| {
        zone["differences"].as_array().is_some_and(|list| !list.is_empty())
    });
    shown("inspect consumer a", &["! ", "paused", "\"pause_remaining\""]);

    let refused = region.run(&["inspect", "message", "zzzzzz-p1-1"]).expect_code(3).err;
    assert!(refused.contains("knows no sequence of zzzzzz-p1-1"), "{refused}");
    let refused = region.run(&["inspect", "link", "a"]).expect_code(3).err;
    assert!(refused.contains("name a mirror zone"), "{refused}");
    region.run(&["inspect", "stream", "x"]).expect_code(3);
    region.run(&["inspect", "faults", "x"]).expect_code(3);
}
