//! What a drill's recording (its record, its samples, its measuring of latencies) costs: the same
//! burst as a drill and as a plain command, pair by pair, on one region.
//!
//! Each pair is turned round (plain recorded, recorded plain, …), so that what drifts or what one
//! burst leaves behind for the next meets both alike. Rates are the room's own figures. They are
//! noisy where servers and room share the cores; the CPU time a message costs is much less so, and
//! where the cores are what limits the rate, it says the same.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    COUNT, SIZE, cpu, drained,
    spread::{interval, median},
    support::region::{Region, nats_server},
};

/// Pairs of bursts.
const PAIRS: usize = 16;
/// What a recorded burst's rate is to be of a plain one's, at least.
const WANTED: f64 = 0.97;
/// A region is at rest that uses less than [`STILL_CORES`] for so long.
const STILL: Duration = Duration::from_secs(1);
/// Cores; an idle region uses some 0.05.
const STILL_CORES: f64 = 0.15;
/// A burst takes this long at most.
const PATIENCE: Duration = Duration::from_secs(120);

/// A drill that only produces, and then goes on recording until it is stopped: what a drill does
/// after its last step (it reads every replica) would disturb the next burst.
const DRILL: &str = r#"
name = "burst"
claim = "A burst arrives."
about = "what a drill's recording costs"
checks = ["whole"]

[[step]]
title = "a burst"
phase = "burst"
do = "A burst."
expect = "It arrives."
watch = "the ledger"
actions = [
  { run = "produce --count COUNT --size SIZE" },
  { until = "region == 'stopped from outside'", within = "1h" },
]
"#;

/// What one burst came to.
#[derive(Clone, Copy)]
struct Burst {
    /// Messages a second, from the first sent to the last acknowledged.
    rate: f64,
    /// CPU of the room, microseconds a message, until every zone has processed all.
    room: f64,
    /// The same of room and servers together.
    all: f64,
}

/// Measures and tells.
pub fn cost() {
    let bench = Bench::begin();
    // The first bursts of a region are its fastest or slowest: they count for nothing.
    bench.plain();
    bench.recorded();
    let mut pairs = Vec::new();
    for pair in 0..PAIRS {
        let (plain, recorded);
        if pair % 2 == 0 {
            plain = bench.plain();
            recorded = bench.recorded();
        } else {
            recorded = bench.recorded();
            plain = bench.plain();
        }
        println!(
            "recording pair {:2}: plain {:.0} msg/s, recorded {:.0} msg/s, ratio {:.3}; the room's CPU {:.2} and {:.2} us a message, ratio {:.3}",
            pair + 1,
            plain.rate,
            recorded.rate,
            recorded.rate / plain.rate,
            plain.room,
            recorded.room,
            recorded.room / plain.room
        );
        pairs.push((plain, recorded));
    }
    let (low, high) = tell(&pairs, "rate", "msg/s", |burst| burst.rate);
    tell(&pairs, "CPU of the room", "us a message", |burst| burst.room);
    tell(&pairs, "CPU of room and servers", "us a message", |burst| burst.all);
    let said = if low >= WANTED {
        "the interval is above it: shown"
    } else if high < WANTED {
        "the interval is below it: missed"
    } else {
        "the interval holds it: the rates of this run cannot tell"
    };
    println!("recording a rate of {WANTED} is wanted: {said}");
}

/// Prints a figure of both kinds and their ratio pair by pair; returns the ratio's interval.
fn tell(
    pairs: &[(Burst, Burst)],
    name: &str,
    unit: &str,
    of: impl Fn(&Burst) -> f64,
) -> (f64, f64) {
    let plain: Vec<f64> = pairs.iter().map(|(plain, _)| of(plain)).collect();
    let recorded: Vec<f64> = pairs.iter().map(|(_, recorded)| of(recorded)).collect();
    let ratios: Vec<f64> = recorded.iter().zip(&plain).map(|(r, p)| r / p).collect();
    let (low, high) = interval(&ratios);
    println!(
        "recording {name}: plain {:.1}, recorded {:.1} {unit}; recorded/plain {:.3}, 95 % interval {low:.3} to {high:.3} ({} pairs)",
        median(&plain),
        median(&recorded),
        median(&ratios),
        pairs.len()
    );
    (low, high)
}

/// Where this bench's drill is.
fn drills(region: &Region) -> PathBuf {
    region.home.path().join("drills")
}

/// The program, which knows that drill.
fn program(region: &Region) -> Command {
    let mut program = region.program();
    program.env("ZONEDRILL_DRILLS", drills(region));
    program
}

struct Bench {
    region: Region,
    room: i32,
    servers: Vec<i32>,
}

impl Bench {
    fn begin() -> Self {
        let region = Region::new("bench-drill");
        let drills = drills(&region);
        fs::create_dir_all(&drills).expect("a folder");
        let script = DRILL.replace("COUNT", &COUNT.to_string()).replace("SIZE", &SIZE.to_string());
        fs::write(drills.join("burst.toml"), script).expect("a script");
        let port = region.port.to_string();
        let server = nats_server().to_str().expect("a path");
        let up = program(&region)
            .args(["up", "--port-base", &port, "--nats-server", server])
            .output()
            .expect("the program runs");
        assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
        let status = region.status();
        let nodes = status["zones"].as_array().expect("zones").iter();
        let nodes = nodes.flat_map(|zone| zone["nodes"].as_array().expect("nodes"));
        let servers: Vec<i32> = nodes
            .map(|node| i32::try_from(node["pid"].as_i64().expect("a pid")).expect("a pid"))
            .collect();
        let room = region.room_pid();
        Self { region, room, servers }
    }

    fn used(&self) -> (f64, f64) {
        let room = cpu(self.room);
        (room, room + self.servers.iter().map(|server| cpu(*server)).sum::<f64>())
    }

    /// Waits until the burst before has left nothing to do: servers write on for a moment after
    /// everything is processed, and a drill, which looks round before it begins, gives them the
    /// time that a plain command does not.
    fn settle(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (_, before) = self.used();
            std::thread::sleep(STILL);
            let (_, after) = self.used();
            if after - before < STILL.as_secs_f64() * STILL_CORES {
                return;
            }
            assert!(Instant::now() < deadline, "the region does not come to rest");
        }
    }

    /// Gives a burst, waits until it is processed everywhere, and counts what it took.
    fn measured(&self, burst: impl FnOnce() -> f64) -> Burst {
        self.settle();
        let before = self.used();
        let seconds = burst();
        drained(&self.region);
        let after = self.used();
        let a_message = |seconds: f64| seconds * 1e6 / COUNT as f64;
        Burst {
            rate: COUNT as f64 / seconds,
            room: a_message(after.0 - before.0),
            all: a_message(after.1 - before.1),
        }
    }

    fn plain(&self) -> Burst {
        self.measured(|| {
            let said = self.region.ok(&format!("produce --count {COUNT} --size {SIZE}"));
            // `100000 acked of 100000 sent as p1 in 3.27 s, the last at sequence 100000`
            let took = said.split_once(" in ").and_then(|(_, rest)| rest.split(' ').next());
            assert!(said.starts_with(&format!("{COUNT} acked")), "{said}");
            took.and_then(|seconds| seconds.parse().ok()).expect("how long it took")
        })
    }

    fn recorded(&self) -> Burst {
        let mut drill = None;
        let burst = self.measured(|| {
            let known = self.records();
            let mut shell = program(&self.region);
            shell.args(["drill", "run", "burst"]).stdout(Stdio::null());
            drill = Some(shell.spawn().expect("the program runs"));
            self.answer(known)
        });
        self.stop(drill.expect("a drill"));
        burst
    }

    /// How many drills have a record.
    fn records(&self) -> usize {
        fs::read_dir(self.region.folder().join("drills")).map_or(0, Iterator::count)
    }

    /// How many seconds the newest drill's produce took, once it has ended.
    fn answer(&self, known: usize) -> f64 {
        let place = self.region.folder().join(format!("drills/{}-burst/drill.jsonl", known + 1));
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(ms) = answered(&place) {
                return ms / 1000.0;
            }
            assert!(
                Instant::now() < deadline,
                "no answer within {PATIENCE:?}: {}",
                place.display()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends a drill; what it leaves is not for keeping.
    fn stop(&self, mut drill: Child) {
        self.region.ok("drill stop");
        drill.wait().expect("its end");
        let _ = fs::remove_dir_all(self.region.folder().join("reports"));
    }
}

/// How many milliseconds the produce of a record took, and that it was whole.
fn answered(record: &Path) -> Option<f64> {
    let text = fs::read_to_string(record).ok()?;
    let entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let answer = entries.into_iter().find(|entry| entry["k"] == "answered")?;
    assert_eq!(answer["data"]["acked"], COUNT, "{answer}");
    answer["data"]["took_ms"].as_f64()
}
