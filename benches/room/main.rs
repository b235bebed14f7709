//! What the running room costs and reaches, measured from outside: `cargo bench --bench room`, or
//! some of it: `cargo bench --bench room -- recording`.
//!
//! - *idle*: CPU of room and screen while nothing happens.
//! - *steady*: bytes written to a 120x40 terminal while 50 messages a second are produced.
//! - *burst*: `produce --count 100000 --size 128` in a room with a screen attached, against a
//!   raw-socket publisher (one connection, window 4096, message ids, acks awaited) on the same
//!   servers, in turns, in the same run. The raw publisher's messages are consumed, mirrored and
//!   put in the ledger like any other, so that both sides share the machine with the same work.
//! - *recording*: a burst with a drill's recording and without, in turns.
//!
//! Figures of a shared machine; the ratio is what to read.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]
#[path = "../../tests/it/support"]
mod support {
    pub mod region;
    pub mod server;
    pub mod turns;
}

mod raw;
mod recording;
mod screen;
mod spread;

use std::time::{Duration, Instant};

use screen::Screen;
use spread::median;
use support::region::Region;
use zonedrill::ledger::message::RunId;

const COUNT: u64 = 100_000;
const SIZE: u32 = 128;
const ROUNDS: usize = 5;
const SETTLE: Duration = Duration::from_secs(5);
const WATCH: Duration = Duration::from_secs(20);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` only wants to know that it builds.
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    let parts: Vec<&String> = arguments.iter().filter(|part| !part.starts_with('-')).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| *wanted == part);
    if wanted("idle") || wanted("steady") || wanted("burst") {
        let region = Region::up("bench");
        let screen = Screen::attach(&region);
        region.wait("a screen", Duration::from_secs(10), |status| {
            status["screens"].as_array().is_some_and(|screens| !screens.is_empty())
        });
        if wanted("idle") {
            idle(&region, &screen);
        }
        if wanted("steady") {
            steady(&region, &screen);
        }
        if wanted("burst") {
            burst(&region);
        }
    }
    if wanted("recording") {
        recording::cost();
    }
}

/// CPU seconds a process has used.
fn cpu(pid: i32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = text.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / rustix::param::clock_ticks_per_second() as f64
}

/// Waits until every zone holds everything, and its consumer has done it.
fn drained(region: &Region) {
    let total = region.status()["zones"][0]["stream"]["last_seq"].as_u64();
    region.wait("drained", Duration::from_secs(120), |status| {
        let total = total.max(status["zones"][0]["stream"]["last_seq"].as_u64());
        status["zones"].as_array().is_some_and(|zones| {
            zones.iter().all(|zone| {
                zone["stream"]["last_seq"].as_u64() == total
                    && zone["consumer"]["ack_floor"].as_u64() == total
            })
        })
    });
}

/// What room and screen cost for a while: (room, screen) in percent of a core, bytes a second.
fn watch(region: &Region, screen: &Screen) -> (f64, f64, f64) {
    let now = || (cpu(region.room_pid()), cpu(screen.pid()), screen.bytes() as f64);
    let before = now();
    std::thread::sleep(WATCH);
    let after = now();
    let seconds = WATCH.as_secs_f64();
    (
        (after.0 - before.0) / seconds * 100.0,
        (after.1 - before.1) / seconds * 100.0,
        (after.2 - before.2) / seconds,
    )
}

fn idle(region: &Region, screen: &Screen) {
    std::thread::sleep(SETTLE);
    let (room, screen, bytes) = watch(region, screen);
    println!(
        "idle     room {room:.2} % + screen {screen:.2} % of a core, {bytes:.0} B/s to the terminal"
    );
}

fn steady(region: &Region, screen: &Screen) {
    region.ok("produce --rate 50/s");
    std::thread::sleep(Duration::from_secs(2));
    let (room, screen, bytes) = watch(region, screen);
    region.ok("produce stop");
    println!(
        "steady   50 msg/s: {bytes:.0} B/s to a 120x40 terminal, room and screen {:.2} % of a core",
        room + screen
    );
}

/// Messages a second of a `produce` from the shell, from its beginning to its end.
fn room(region: &Region) -> f64 {
    let began = Instant::now();
    let said = region.ok(&format!("produce --count {COUNT} --size {SIZE}"));
    let elapsed = began.elapsed().as_secs_f64();
    assert!(said.starts_with(&format!("{COUNT} acked")), "{said}");
    COUNT as f64 / elapsed
}

fn burst(region: &Region) {
    let first = std::fs::read_to_string(region.folder().join("ledger.jsonl")).expect("a ledger");
    let first: serde_json::Value =
        serde_json::from_str(first.lines().next().expect("a line")).expect("JSON");
    let run: RunId = first["run"].as_str().expect("a run").parse().expect("a run");
    let leader =
        region.status()["zones"][0]["stream"]["leader"].as_str().expect("a leader").to_owned();
    let access = region.access();
    let port = region.port + u16::from(leader.as_bytes()[2].wrapping_sub(b'1'));
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // In turns, who goes first changes.
        let (us, them);
        if round % 2 == 0 {
            us = room(region);
            drained(region);
            them = raw::publish(&access, port, &run, 4_000_000 + round as u32);
            drained(region);
        } else {
            them = raw::publish(&access, port, &run, 4_000_000 + round as u32);
            drained(region);
            us = room(region);
            drained(region);
        }
        println!(
            "burst    round {}: room {us:.0} msg/s, raw socket {them:.0} msg/s, ratio {:.2}",
            round + 1,
            us / them
        );
        ours.push(us);
        theirs.push(them);
        ratios.push(us / them);
    }
    println!(
        "burst    median: room {:.0} msg/s, raw socket {:.0} msg/s, ratio {:.2}",
        median(&ours),
        median(&theirs),
        median(&ratios)
    );
}
