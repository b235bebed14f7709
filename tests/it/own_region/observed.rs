//! A region of others as it is seen: one picture, and a screen.

use std::{
    ffi::OsStr,
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    time::Duration,
};

use async_nats::Client;
use serde_json::{Value, json};
use zonedrill::platform::local::ports::{free_base, give_back};

use super::{LEAST, refused, says, user};
use crate::support::{
    nats::eventually,
    others::{Others, Setup, api, caught_up, copy, publish, stream},
    screen::Terminal,
};

async fn start() -> (Others, [Client; 2], String) {
    let others = Others::start(&Setup { users: user("least", &LEAST), ..Setup::default() });
    let clients = others.with_stream("mirror", 300).await;
    let region = others.region("least", "");
    (others, clients, region)
}

fn picture(others: &Others, region: &str, code: i32) -> Value {
    let ran = others.run(region, &["status", "--json"]).expect_code(code);
    serde_json::from_str(&ran.out).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_says_what_is_seen_and_nothing_else() {
    let (mut others, clients, region) = start().await;
    let seen = picture(&others, &region, 0);
    assert_eq!((&seen["region"], &seen["platform"]), (&json!("shop"), &json!("external")));
    let [a, b] = [&seen["zones"][0], &seen["zones"][1]];
    assert_eq!((&a["stream"]["last_seq"], &b["stream"]["last_seq"]), (&json!(300), &json!(300)));
    assert_eq!((&a["stream"]["replicas"], &a["stream"]["leader"]), (&json!(1), &json!("eu-1")));
    assert_eq!((&a["role"], &a["mirror"]), (&json!("source"), &Value::Null));
    assert_eq!((&b["role"], &b["mirror"]["true_lag"]), (&json!("mirror"), &json!(0)));
    // What nobody can see, nothing is claimed of.
    assert_eq!((&b["link"], &b["consumer"], &b["nodes"]), (&Value::Null, &Value::Null, &json!([])));
    assert_eq!(seen["conclusions"], json!([]));
    assert_eq!(a["consumer"]["name"], "billing");
    assert_eq!((&a["consumer"]["ack_floor"], &a["consumer"]["pending"]), (&json!(0), &json!(300)));

    let text = others.run(&region, &["status"]).expect_code(0).out;
    says(&text, "region shop is up external nats-server");
    says(&text, "true lag 0");
    for word in ["lost", "conclusions", "producer", "link"] {
        assert!(!text.contains(word), "`{word}` is in:\n{text}");
    }

    // A copy that stands still is behind, and says so.
    api(&clients[1], "STREAM.DELETE.ORDERS", Value::Null).await;
    stream(&clients[1], copy("mirror")).await;
    caught_up(&clients[1], 300).await;
    others.stop(0);
    let gone = others.run(&region, &["status"]);
    refused(gone, "zone a");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_renumbers_is_not_compared_by_number() {
    let others = Others::start(&Setup::default());
    others.with_a_renumbered_copy().await;
    let region = others.region("admin", "");
    let seen = picture(&others, &region, 0);
    let b = &seen["zones"][1];
    assert_eq!((&b["stream"]["messages"], &b["stream"]["last_seq"]), (&json!(90), &json!(100)));
    assert_eq!(b["mirror"]["true_lag"], 0, "{seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_screen_shows_it_and_sends_nothing() {
    let (mut others, clients, region) = start().await;
    let file = others.write("region.toml", &region);
    let home = others.home.path().join("home");
    let config = others.home.path().join("config");
    let env = [
        ("ZONEDRILL_HOME", home.as_os_str()),
        ("XDG_CONFIG_HOME", config.as_os_str()),
        ("NO_COLOR", OsStr::new("1")),
    ];
    let args = [OsStr::new("--region-file"), file.as_os_str()];
    let program = env!("CARGO_BIN_EXE_zonedrill").as_ref();
    let mut screen = Terminal::run(program, &args, &env, (120, 40));
    screen.answer(true);
    screen.wait_for("zone b · mirror");
    screen.wait_for("streaming");
    screen.wait(" OK", |text| text.starts_with(" OK"));
    publish(&clients[0], 301..=350).await;
    screen.wait("both at 350", |text| text.matches("1–350").count() == 2);
    for word in ["prove", "ledger", "producing", "consuming"] {
        assert!(!screen.text().contains(word), "`{word}`:\n{}", screen.text());
    }
    screen.press("p");
    screen.wait_for("is not done in a region of others unless it is allowed");
    screen.press("n");
    screen.wait_for("somebody else runs this region");
    screen.press("!");
    screen.wait_for("nothing is wrong that can be seen");
    screen.press("\u{1b}");
    // The copy goes silent, and then its zone.
    others.stop(0);
    screen.wait("an alarm", |text| !text.starts_with(" OK"));
    others.stop(1);
    screen.wait_for("zone b does not tell of its stream");
    screen.wait(" UNKNOWN", |text| text.starts_with(" UNKNOWN"));
    screen.press("q");
    assert!(screen.child.wait().unwrap().success());
}

/// A process that is ended with the test.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn scraped(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let asked = "GET /metrics HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";
    stream.write_all(asked.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    assert!(text.contains("application/openmetrics-text"), "{text}");
    text.ends_with("# EOF\n").then_some(text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dashboards_are_told_what_is_known() {
    let (mut others, clients, region) = start().await;
    let file = others.write("region.toml", &region);
    let port = free_base(1).expect("a free port");
    let serving = Command::new(env!("CARGO_BIN_EXE_zonedrill"))
        .args(["--region-file", file.to_str().unwrap(), "observe"])
        .args(["--metrics", &format!("127.0.0.1:{port}")])
        .env("ZONEDRILL_HOME", others.home.path().join("home"))
        .stdout(Stdio::null())
        .spawn();
    let _serving = Running(serving.expect("it runs"));
    let holds = async |line: &str| {
        eventually(line, Duration::from_secs(60), async || {
            scraped(port).filter(|text| text.contains(line))
        })
        .await
    };
    holds("zonedrill_copy_lag_messages{region=\"shop\",zone=\"b\"} 0.0\n").await;
    publish(&clients[0], 301..=350).await;
    let text = holds("zonedrill_stream_last_sequence{region=\"shop\",zone=\"b\"} 350.0\n").await;
    assert!(text.contains(
        "zonedrill_consumer_pending_messages{region=\"shop\",zone=\"a\",consumer=\"billing\"}"
    ));
    for absent in ["zonedrill_faults", "zonedrill_nodes", "zonedrill_link", "zonedrill_conclusion"]
    {
        assert!(!text.contains(absent), "{absent} in\n{text}");
    }
    // What is not known any more has no sample.
    others.stop(0);
    eventually("no lag", Duration::from_secs(60), async || {
        scraped(port).filter(|text| !text.contains("zonedrill_copy_lag_messages{"))
    })
    .await;
    give_back(port);
}
