//! How many messages a second `verify` compares in a region of others, beside the same messages read raw
//! in batches of direct gets over two bare sockets at the same time, and beside reading them one by one:
//! `cargo bench --bench verify`. Figures of a shared machine; the ratios of one run are what to read.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr
)]
#[path = "../tests/it/support"]
mod support {
    pub mod nats;
    pub mod others;
    pub mod region;
    pub mod server;
    pub mod turns;
}

#[path = "room/spread.rs"]
#[allow(dead_code)]
mod spread;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;
use spread::median;
use support::others::{Others, Setup};

const ROUNDS: usize = 5;
const BATCH: u64 = 1000;

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let messages = std::env::var("ZONEDRILL_MESSAGES").ok();
    let messages: u64 = messages.and_then(|text| text.parse().ok()).unwrap_or(200_000);
    let single =
        "{user: single, password: single, permissions: {publish: {deny: [\"$JS.API.DIRECT.>\"]}}}";
    let setup = Setup { users: format!(", {single}"), ..Setup::default() };
    let others = Others::start(&setup);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(others.with_stream("mirror", messages));
    let (batched, alone) = (others.region("admin", ""), others.region("single", ""));
    let (mut ratios, mut rates, mut raws, mut times, mut most) =
        (vec![], vec![], vec![], vec![], 0);
    for _ in 0..ROUNDS {
        let raw = raw(&others, messages);
        let (rate, memory) = verified(&others, &batched, messages, None);
        // A tenth is enough to know how slow that is.
        let (one_by_one, _) = verified(&others, &alone, messages / 10, Some(messages / 10));
        println!(
            "raw {raw:.0}/s in both zones, verify {rate:.0}/s ({:.2} of it, {memory} KiB), one by one {one_by_one:.0}/s ({:.1} times slower)",
            rate / raw,
            rate / one_by_one
        );
        ratios.push(rate / raw);
        rates.push(rate);
        raws.push(raw);
        times.push(rate / one_by_one);
        most = most.max(memory);
    }
    println!(
        "median of {ROUNDS}: raw {:.0}/s, verify {:.0}/s, {:.2} of raw, {:.1} times as fast as one by one; {most} KiB at the most",
        median(&raws),
        median(&rates),
        median(&ratios),
        median(&times),
    );
}

/// Messages a second that are read from each of both zones at the same time.
fn raw(others: &Others, messages: u64) -> f64 {
    let began = Instant::now();
    let reading = others.ports.map(|port| std::thread::spawn(move || read_all(port, messages)));
    for one in reading {
        assert_eq!(one.join().expect("no panic"), messages);
    }
    messages as f64 / began.elapsed().as_secs_f64()
}

/// Reads a stream over a bare socket, one batch after the other; how many messages came.
fn read_all(port: u16, messages: u64) -> u64 {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("a server");
    socket.set_nodelay(true).expect("nodelay");
    let mut reader = BufReader::with_capacity(1 << 18, socket.try_clone().expect("a clone"));
    let hello = "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true,\"user\":\"admin\",\"pass\":\"admin\"}\r\nSUB raw 1\r\n";
    socket.write_all(hello.as_bytes()).expect("the server takes it");
    let (mut line, mut body) = (String::new(), Vec::new());
    let (mut held, mut next) = (0, 1);
    while next <= messages {
        let asked = format!("{{\"seq\":{next},\"batch\":{}}}", BATCH.min(messages - next + 1));
        let request = format!("PUB $JS.API.DIRECT.GET.ORDERS raw {}\r\n{asked}\r\n", asked.len());
        socket.write_all(request.as_bytes()).expect("the server takes it");
        next += BATCH;
        loop {
            line.clear();
            assert!(reader.read_line(&mut line).expect("a line") > 0, "the server went away");
            if line.starts_with("PING") {
                socket.write_all(b"PONG\r\n").expect("the server takes it");
            }
            if !line.starts_with("HMSG") {
                continue;
            }
            let mut sizes = line.split_whitespace().rev();
            let total: usize = sizes.next().unwrap().parse().unwrap();
            body.resize(total + 2, 0);
            reader.read_exact(&mut body).expect("a message");
            if body.starts_with(b"NATS/1.0 204") {
                break;
            }
            held += 1;
        }
    }
    held
}

/// Messages a second that `verify` compares, and the most memory that it took, in KiB.
fn verified(others: &Others, region: &str, messages: u64, to: Option<u64>) -> (f64, u64) {
    let to = to.map(|to| to.to_string());
    let mut words = vec!["verify", "--json"];
    words.extend(to.iter().flat_map(|to| ["--to", to]));
    let mut running = others.begin(region, &words, Stdio::piped());
    let status = format!("/proc/{}/status", running.id());
    let mut out = running.stdout.take().unwrap();
    let printed = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        text
    });
    let mut memory = 0;
    while running.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let high = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let high = high.and_then(|high| high.trim().trim_end_matches(" kB").parse().ok());
        memory = memory.max(high.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(10));
    }
    let document: Value = serde_json::from_str(&printed.join().unwrap()).unwrap();
    let copy = &document["copies"][0];
    assert_eq!((&copy["is"], copy["messages"].as_u64()), (&"identical".into(), Some(messages)));
    (messages as f64 / (copy["took_ms"].as_f64().unwrap() / 1000.0), memory)
}
