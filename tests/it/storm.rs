//! A stranger's client that floods a zone with what the room listens to.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::Duration,
};

use crate::support::region::{Region, SOON};
use serde_json::json;

/// What the room's process has in memory, in KiB.
fn resident(region: &Region) -> u64 {
    let status =
        fs::read_to_string(format!("/proc/{}/status", region.room_pid())).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number")
}

/// Connects as somebody who knows the passwords, and goes.
fn passes_by(port: u16, login: &str) {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    let mut lines = BufReader::new(stream.try_clone().expect("a handle")).lines();
    let info = lines.next().expect("a line").expect("INFO");
    assert!(info.starts_with("INFO"), "{info}");
    write!(&stream, "CONNECT {login}\r\nPING\r\n").expect("written");
    let pong = lines.next().expect("a line").expect("PONG");
    assert!(pong.starts_with("PONG"), "{pong}");
}

/// Three thousand clients that connect and go, to one server.
#[test]
fn a_storm_of_connections_fills_neither_log_nor_status() {
    const CLIENTS: u64 = 3_000;
    let region = Region::up("crowd");
    let login = json!({
        "user": zonedrill::region::access::USER, "pass": region.access().secrets.client,
        "name": "crowd", "verbose": false, "pedantic": false,
    });
    let files = ["events.jsonl", "history.jsonl", "room.log"];
    let before = files.map(|file| length(&region, file));
    let port = region.port;
    for _ in 0..CLIENTS {
        passes_by(port, &login.to_string());
    }
    region.ok("produce --count 10");
    let counted = || {
        let events = fs::read_to_string(region.folder().join("events.jsonl")).expect("events");
        let told = events.lines().filter(|line| line.contains(r#""name":"crowd""#)).count() as u64;
        let said = events.lines().filter_map(|line| {
            let (_, rest) = line.split_once("somebody else's hand: ")?;
            let (number, _) = rest.split_once(" more connections to the servers")?;
            number.replace([',', ' ', '\u{202f}'], "").parse::<u64>().ok()
        });
        (told, said.sum::<u64>())
    };
    let deadline = std::time::Instant::now() + SOON;
    loop {
        let (told, said) = counted();
        if told + said == CLIENTS {
            assert!(told < 200, "{told} lines");
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{told} told, {said} left out");
        std::thread::sleep(Duration::from_millis(100));
    }
    region.wait_zone("a", "they are gone", SOON, |a| a["foreign"] == json!([]));
    for (file, before) in files.iter().zip(before) {
        let grown = length(&region, file) - before;
        assert!(grown < 4 << 20, "{file} has grown by {grown} bytes");
    }
}

fn length(region: &Region, file: &str) -> u64 {
    fs::metadata(region.folder().join(file)).expect("a file").len()
}

/// Fifty thousand acts, ten thousand in each burst.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_advisories_fills_neither_memory_nor_log() {
    const ACTS: u64 = 50_000;
    let region = Region::up("storm");
    let client = region.client("a").await;
    let files = ["events.jsonl", "history.jsonl", "room.log"];
    let before = files.map(|file| length(&region, file));
    let memory = resident(&region);
    for act in 0..ACTS {
        let advisory = json!({
            "subject": format!("$JS.API.CONSUMER.DELETE.OTHER.c{act}"),
            "client": {"name": "storm", "user": "zonedrill", "host": "127.0.0.1", "kind": "Client"},
            "response": "{}",
        });
        let payload = advisory.to_string().into();
        client.publish("$JS.EVENT.ADVISORY.API", payload).await.expect("published");
        if act % 10_000 == 9_999 {
            client.flush().await.expect("flushed");
            // The pace is part of what is tried, nothing is waited for.
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    // It works on meanwhile, and afterwards tells how much it did not tell.
    region.ok("produce --count 10");
    let left_out = || {
        let events = fs::read_to_string(region.folder().join("events.jsonl")).expect("events");
        let told =
            events.lines().filter(|line| line.contains("somebody else's hand: client storm"));
        let told = told.count() as u64;
        let said = events.lines().filter_map(|line| {
            let (_, rest) = line.split_once("somebody else's hand: ")?;
            let (number, _) = rest.split_once(" more acts in zone a")?;
            number.replace([',', ' ', '\u{202f}'], "").parse::<u64>().ok()
        });
        (told, said.sum::<u64>())
    };
    let deadline = std::time::Instant::now() + SOON;
    loop {
        let (told, said) = left_out();
        if told + said == ACTS {
            assert!(told < 200, "{told} lines");
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{told} told, {said} left out");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for (file, before) in files.iter().zip(before) {
        let grown = length(&region, file) - before;
        assert!(grown < 4 << 20, "{file} has grown by {grown} bytes");
    }
    let grown = resident(&region).saturating_sub(memory);
    assert!(grown < 100 * 1024, "the room has grown by {grown} KiB");
}
