//! Runs made by hand, and a law of the smallest kind for them.

use std::{fs, path::Path};

use serde_json::{Value, json};
use zonedrill::{
    drill::{
        bundle::{Parts, RunFolder, judge::RunFiles},
        checks::Finding,
        record::Entry,
    },
    region::status::Verdict,
};

/// 2026-11-24 12:00:00 UTC.
const START: u64 = 1_795_521_600_000;

const SCRIPT: &str = r#"name = "own"
claim = "After a cut is healed, nothing is lost, nothing is there twice, and the order is the same."
[[steps]]
title = "Before the cut"
does = "Messages 1 to 100 are published in zone a."
expect = "Both zones receive them."
[[steps]]
title = "Cut <b>"
does = "The link of zone b is cut; messages 101 to 200 are published."
expect = "Zone b receives nothing new."
[[steps]]
title = "Heal"
does = "The link is healed."
expect = "Zone b catches up & nothing is lost."
"#;

/// What is different about a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kind {
    /// The mirror lacks a message.
    pub loses: bool,
    /// Nothing was produced.
    pub empty: bool,
    /// Sabotage was asked for, though the law sees nothing of it.
    pub sabotaged: bool,
    /// It was ended before its time.
    pub interrupted: bool,
    /// A replica was not read.
    pub unread: bool,
}

/// Puts the parts of a bundle of one run into a folder.
pub fn parts(at: &Path, kind: Kind) -> Parts {
    let run = at.join("run");
    fs::create_dir_all(&run).unwrap();
    let write = |name: &str, lines: &[Value]| {
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        let text = lines.join("\n") + "\n";
        fs::write(at.join(name), text).unwrap();
    };
    let count = if kind.empty { 0 } else { 200 };
    let mut ledger = vec![json!({"k": "run", "run": "k3f9q2", "region": "east", "at": START})];
    if count > 0 {
        ledger.extend([
            json!({"k": "intend", "p": 1, "n": 1, "c": count, "at": START}),
            json!({"k": "acked", "p": 1, "n": 1, "c": count, "s": 1, "d": "zone-a", "at": START}),
            json!({"k": "received", "z": "a", "p": 1, "n": 1, "s": 1, "c": count, "at": START}),
            json!({"k": "received", "z": "b", "p": 1, "n": 1, "s": 1, "c": count, "at": START}),
        ]);
    }
    write("ledger.jsonl", &ledger);
    write("events.jsonl", &[json!({"at_ms": START, "what": "something"})]);
    write("run/drill.jsonl", &record(kind, count));
    let there = if kind.loses { "1..41 43..200\n" } else { "1..200\n" };
    for zone in ["a", "b"] {
        let content = if zone == "b" { there } else { "1..200\n" };
        for replica in 1..=3 {
            fs::write(run.join(format!("js{replica}-zone-{zone}.stream")), content).unwrap();
        }
    }
    fs::write(at.join("js1-zone-a.conf"), "{user: \"admin\", password: \"hush\"}\n").unwrap();
    fs::write(at.join("js1-zone-a.log"), "[1] Server is ready\n").unwrap();
    Parts {
        runs: vec![RunFolder { folder: run }],
        ledger: at.join("ledger.jsonl"),
        events: at.join("events.jsonl"),
        server_configs: vec![at.join("js1-zone-a.conf")],
        server_logs: vec![at.join("js1-zone-a.log")],
        at: START + 90_000,
    }
}

fn record(kind: Kind, count: u64) -> Vec<Value> {
    let sabotage = kind.sabotaged.then_some("lose");
    let mut lines = vec![json!({
        "k": "begin", "format": 2, "zonedrill": env!("CARGO_PKG_VERSION"), "drill": "own", "script": SCRIPT, "scale": 1,
        "sabotage": sabotage, "run": "k3f9q2", "region": "east", "platform": "local",
        "server_version": "2.15.1", "mirror_kind": "durable", "source": "a", "mirror": "b",
        "new_zone": null, "actor": "mia", "at": START,
    })];
    let servers = |at: u64| {
        let nodes: Vec<Value> = (1..=3)
            .map(|n| {
                json!({
                    "node": format!("js{n}-zone-a"), "server_id": format!("NA{n}"), "version": "2.15.1",
                    "start": "2026-11-24T11:58:00Z", "config_load_time": "2026-11-24T11:58:00Z",
                })
            })
            .collect();
        json!({"k": "servers", "nodes": nodes, "at": at})
    };
    lines.push(servers(START + 100));
    let at = |ms: u64| START + ms;
    let mut id = 0;
    let mut give = |lines: &mut Vec<Value>, line: &str, from: u64, took: u64, text: &str| {
        id += 1;
        lines.push(json!({"k": "given", "id": id, "line": line, "at": at(from)}));
        lines.push(json!({"k": "answered", "id": id, "outcome": "done", "text": text, "at": at(from + took)}));
    };
    let step = |lines: &mut Vec<Value>, index: u64, title: &str, from: u64| {
        lines.push(json!({"k": "step", "index": index, "title": title, "at": at(from)}));
    };
    let done = |lines: &mut Vec<Value>, index: u64, until: u64| {
        lines.push(
            json!({"k": "step-done", "index": index, "ok": true, "why": null, "at": at(until)}),
        );
    };
    let samples = |lines: &mut Vec<Value>, from: u64, to: u64| {
        for ms in (from..to).step_by(250) {
            lines.push(sample(ms, count));
        }
    };
    lines.push(json!({"k": "phase", "name": "before", "at": at(200)}));
    step(&mut lines, 0, "Before the cut", 200);
    give(&mut lines, "produce 1 100 --interval 50ms", 300, 5200, "100 acked");
    samples(&mut lines, 300, 6000);
    lines.push(json!({"k": "waited", "condition": "zones.b.mirror.true_lag == 0", "met": true, "seen": "0", "took_ms": 300, "at": at(5900)}));
    done(&mut lines, 0, 6000);
    lines.push(json!({"k": "phase", "name": "during", "at": at(6000)}));
    step(&mut lines, 1, "Cut <b>", 6000);
    give(&mut lines, "cut b", 6100, 200, "cut; proved at both ends");
    give(&mut lines, "produce 101 200 --interval 50ms", 6400, 5300, "100 acked");
    samples(&mut lines, 6000, 14000);
    done(&mut lines, 1, 14000);
    lines.push(json!({"k": "phase", "name": "after", "at": at(14000)}));
    step(&mut lines, 2, "Heal", 14000);
    give(&mut lines, "heal b", 14100, 150, "healed");
    samples(&mut lines, 14000, 20000);
    if kind.interrupted {
        lines.push(json!({"k": "interrupted", "why": "ctrl-c", "at": at(16000)}));
    } else {
        lines.push(json!({"k": "waited", "condition": "zones.b.mirror.true_lag == 0", "met": true, "seen": "0", "took_ms": 2400, "at": at(19500)}));
        done(&mut lines, 2, 20000);
    }
    for (zone, phase, low) in [
        ("a", "before", 600),
        ("a", "during", 640),
        ("a", "after", 640),
        ("b", "before", 1_280),
        ("b", "after", 4_194_304),
    ] {
        lines.push(json!({
            "k": "latency", "zone": zone, "phase": phase, "before_ack": 2,
            "buckets": [[0, 2], [low, 58], [low * 2, 35], [low * 4, 5]], "acked": 100,
        }));
    }
    for (zone, replica) in [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 2), ("b", 3)] {
        let name = format!("js{replica}-zone-{zone}");
        lines.push(if kind.unread && name == "js2-zone-b" {
            json!({"k": "unread", "zone": zone, "replica": name, "why": "no answer in 5 s", "at": at(20_200)})
        } else {
            json!({
                "k": "stream", "zone": zone, "replica": name, "file": format!("{name}.stream"),
                "messages": count, "ends": [1, 200], "at": at(20_100),
            })
        });
    }
    if kind.sabotaged {
        lines.push(json!({"k": "sabotaged", "kind": "lose", "what": "Message 42 was removed from the mirror.", "at": at(15_000)}));
    }
    lines.push(servers(START + 20_300));
    lines.push(json!({"k": "end", "at": at(20_400)}));
    lines
}

/// Published at 20/s until 5.3 s and from 6.4 to 11.4 s; b is cut from 6.1 s and has all at 16.5 s.
fn sample(ms: u64, count: u64) -> Value {
    let sent =
        (ms.saturating_sub(300).min(5000) / 50 + ms.saturating_sub(6400).min(5000) / 50).min(count);
    let b = match ms {
        0..=6100 => sent,
        6101..=15_200 => sent.min(100),
        _ => (100 + (ms - 15_200) / 13).min(sent),
    };
    // Just after the cut nobody answers for b: unknown.
    let known = !(7000..8200).contains(&ms);
    let some = |value: u64| if known { json!(value) } else { Value::Null };
    let recovery = (ms > 14_100).then(|| {
        json!({
            "healed_ms": START + 14_100, "behind": 100, "link_up_after_ms": 110, "nudged": false,
            "moving_after_ms": (ms > 15_250).then_some(1_130),
            "caught_up_after_ms": (ms > 16_500).then_some(2_400),
        })
    });
    let zone = |name: &str, role: &str, has: Value, lag: Value, recovery: Value| {
        json!({
            "zone": name, "role": role, "nodes_up": 3, "first_seq": 1, "last_seq": has, "messages": has,
            "delivered": has, "ack_floor": has, "received": sent, "rate": 20.0, "paused": false,
            "true_lag": lag, "reported_lag": lag.is_null().then_some(0), "mirror": null, "link": null,
            "cut_effective": (6300..14_100).contains(&ms) && name == "b",
            "leafs_here": null, "leafs_there": null, "recovery": recovery,
        })
    };
    json!({
        "k": "sample", "at": START + ms,
        "zones": [
            zone("a", "source", json!(sent), Value::Null, Value::Null),
            zone("b", "mirror", some(b), some(sent - b), json!(recovery)),
        ],
        "producer": {
            "acked": sent, "failed": 0, "unknown": 0, "active": true, "rate": 20.0, "connection": 14,
            "server_id": "NA1", "reconnects": 0, "config_hash": "9f2c71e0", "acked_by": "zone-a",
        },
    })
}

/// Void of nothing acknowledged, broken of streams that differ, else proved.
pub fn law(run: &RunFiles<'_>) -> Result<Vec<Finding>, String> {
    let texts: Vec<String> = run
        .streams
        .iter()
        .map(|s| fs::read_to_string(&s.path).map_err(|error| error.to_string()))
        .collect::<Result<_, _>>()?;
    let acked = run.ledger.acked_by().values().sum::<u64>();
    let samples = run.entries.iter().filter(|e| matches!(e, Entry::Sample(_))).count();
    let (verdict, text) = match () {
        () if acked == 0 => (Verdict::Void, "nothing was produced"),
        () if texts.windows(2).any(|two| two[0] != two[1]) => {
            (Verdict::Broken, "b lacks 1 acknowledged message: 42")
        }
        () => (Verdict::Proved, "b holds what a holds, message by message"),
    };
    Ok(vec![Finding {
        check: "the mirror is the source".into(),
        verdict,
        reason: None,
        text: text.into(),
        numbers: vec![
            ("acknowledged".into(), acked.to_string()),
            ("streams read".into(), texts.len().to_string()),
            ("samples".into(), samples.to_string()),
        ],
    }])
}
