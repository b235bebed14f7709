//! How long it takes, and how much memory, to verify the evidence of ten million messages: their
//! ledger (two zones), every replica of each zone judged and compared by the house's laws, a record
//! with a sample every 50 ms, the digests, the reports written anew. No step is in the record, so
//! the verdict is void: what is measured is the way to it.
//!
//! Verifying is a process of its own, which tells its own time and peak: nothing of what made the
//! evidence is in its memory.
//!
//! ```sh
//! cargo bench --bench bundle
//! ```

#![allow(clippy::print_stdout, clippy::expect_used)]

use std::{
    error::Error,
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    process::Command,
    time::Instant,
};

use serde_json::json;
use zonedrill::{
    drill::{
        bundle::{self, Parts, RunFolder},
        library,
        record::{Entry as Line, Sample},
        script::Filling,
    },
    ledger::{
        audit::{Entry, StreamAudit},
        message::{MessageId, RunId, encode},
    },
    region::{
        Role, Status,
        status::{Consumer, Ledger, Mirror, Producer, Stream, Zone},
    },
};

const MESSAGES: u64 = 10_000_000;
/// When the run ends: after the ledger's last record, which is not looked at otherwise.
const END: u64 = MESSAGES + 1;
/// Messages in a record of the ledger.
const SHAPES: [u64; 2] = [1000, 50];
/// Samples of a drill that sends 26,000 messages a second and is looked at every 50 ms.
const SAMPLES: u64 = MESSAGES / 26_000 * 20;
/// The word that makes this process the one that verifies.
const VERIFY: &str = "verify";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(VERIFY) {
        let folder = arguments.next().ok_or("which folder?")?;
        return verify(Path::new(&folder));
    }
    let streams = tempfile::tempdir()?;
    write_streams(streams.path())?;
    for shape in SHAPES {
        let home = tempfile::tempdir()?;
        let parts = evidence(home.path(), streams.path(), shape)?;
        let folder = home.path().join("bundle");
        let size = fs::metadata(&parts.ledger)?.len() >> 20;
        let began = Instant::now();
        bundle::write(&folder, &parts)?;
        let written = began.elapsed();
        let verified = Command::new(std::env::current_exe()?).arg(VERIFY).arg(&folder).output()?;
        let said = String::from_utf8_lossy(&verified.stdout);
        let said = said.trim();
        if !verified.status.success() || said.is_empty() {
            return Err(String::from_utf8_lossy(&verified.stderr).into());
        }
        println!(
            "{MESSAGES} messages, {shape} a record (a ledger of {size} MiB): written in {written:.2?}; {said}"
        );
    }
    Ok(())
}

/// Verifies a bundle and tells what that took.
fn verify(folder: &Path) -> Result<(), Box<dyn Error>> {
    let before = peak()?;
    let began = Instant::now();
    let verification = bundle::verify(folder)?;
    let took = began.elapsed();
    if let Some(alteration) = verification.altered.first() {
        return Err(format!("{} {}", alteration.file, alteration.what).into());
    }
    println!(
        "verified in {took:.2?} ({}), at most {:.1} MiB of memory ({:.1} before it began)",
        verification.verdict.map_or("no verdict", |verdict| verdict.as_str()),
        peak()? / 1024.0,
        before / 1024.0
    );
    Ok(())
}

/// The most memory this process has had, in KiB.
fn peak() -> Result<f64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// The streams of both zones, read message by message.
fn write_streams(at: &Path) -> Result<(), Box<dyn Error>> {
    let run: RunId = "k3f9q2".parse()?;
    let mut audits =
        [StreamAudit::new("a".parse()?, run.clone()), StreamAudit::new("b".parse()?, run.clone())];
    let mut id = MessageId { run, producer: 1, number: 0 };
    for seq in 1..=MESSAGES {
        id.number = seq;
        let (label, payload) = (id.to_string(), encode(&id, seq, 64));
        let (subject, id) = ("EVENTS.REGION.x", Some(label.as_str()));
        for audit in &mut audits {
            audit.feed(&Entry { seq, subject, subject_fits: true, id, payload: &payload });
        }
    }
    for audit in audits {
        let file = File::create(at.join(format!("{}.stream", audit.zone())))?;
        audit.write_lines(BufWriter::new(file))?;
    }
    Ok(())
}

/// What a room knows when so many messages were sent.
fn moment(at: u64) -> Sample {
    let zone = |name: &str, role| Zone {
        stream: Some(Stream { first_seq: 1, last_seq: at, messages: at, ..Stream::default() }),
        consumer: Some(Consumer {
            delivered: Some(at),
            ack_floor: Some(at),
            rate: 26_000.0,
            ..Consumer::default()
        }),
        mirror: (role == Role::Mirror)
            .then(|| Mirror { true_lag: Some(at % 100), ..Mirror::default() }),
        ledger: Ledger { acked: at, received: at, ..Ledger::default() },
        ..Zone::new(name.parse().expect("a zone's name"), role)
    };
    let producer = Producer {
        acked: at,
        active: true,
        rate: 26_000.0,
        connection: Some(17),
        server_id: Some("NAAA".into()),
        config_hash: Some("abcd".into()),
        acked_by: Some("zone-a".into()),
        ..Producer::default()
    };
    let zones = vec![zone("a", Role::Source), zone("b", Role::Mirror)];
    let status = Status { at_ms: at, zones, producer, ..Status::default() };
    Sample { at, mono_ms: Some(at), status }
}

fn evidence(at: &Path, streams: &Path, c: u64) -> std::io::Result<Parts> {
    let mut out = BufWriter::new(File::create(at.join("ledger.jsonl"))?);
    writeln!(out, r#"{{"k":"run","run":"k3f9q2","region":"east","at":1}}"#)?;
    for n in (1..=MESSAGES).step_by(c as usize) {
        writeln!(out, r#"{{"k":"intend","p":1,"n":{n},"c":{c},"at":{n}}}"#)?;
        writeln!(out, r#"{{"k":"acked","p":1,"n":{n},"c":{c},"s":{n},"d":"zone-a","at":{n}}}"#)?;
        for zone in ["a", "b"] {
            writeln!(
                out,
                r#"{{"k":"received","z":"{zone}","p":1,"n":{n},"s":{n},"c":{c},"at":{n}}}"#
            )?;
        }
    }
    out.flush()?;
    fs::write(at.join("events.jsonl"), "{}\n")?;
    let run = at.join("run");
    fs::create_dir(&run)?;
    let a = "a".parse().map_err(std::io::Error::other)?;
    let b = "b".parse().map_err(std::io::Error::other)?;
    let filling = Filling {
        leader: None,
        scale: 1,
        source: a,
        mirror: b,
        new_zone: None,
        options: zonedrill::command::DrillOptions::default(),
        external: false,
    };
    let script = library::builtin()
        .into_iter()
        .find(|script| script.name == "heal")
        .and_then(|script| script.fill(&filling).ok())
        .ok_or_else(|| std::io::Error::other("no drill called heal"))?;
    let mut lines = vec![json!({
        "k": "begin", "format": 1, "zonedrill": "0.1.0", "drill": "heal", "script": script.text,
        "scale": 1, "sabotage": null, "run": "k3f9q2", "region": "east", "platform": "local",
        "server_version": "2.15.1", "mirror_kind": "durable", "source": "a", "mirror": "b",
        "new_zone": null, "actor": "bench", "at": 1,
    })];
    for sample in 1..=SAMPLES {
        let at = MESSAGES / SAMPLES * sample;
        lines.push(serde_json::to_value(Line::Sample(Box::new(moment(at))))?);
    }
    for zone in ["a", "b"] {
        for replica in 1..=3 {
            let node = format!("js{replica}-zone-{zone}");
            let file = format!("{node}.stream");
            fs::copy(streams.join(format!("{zone}.stream")), run.join(&file))?;
            lines.push(json!({
                "k": "stream", "zone": zone, "replica": node, "file": file,
                "messages": MESSAGES, "ends": [1, MESSAGES], "at": END,
            }));
        }
    }
    lines.push(json!({"k": "end", "at": END}));
    let lines: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(run.join("drill.jsonl"), lines.concat())?;
    Ok(Parts {
        runs: vec![RunFolder { folder: run }],
        ledger: at.join("ledger.jsonl"),
        events: at.join("events.jsonl"),
        at: END,
        ..Parts::default()
    })
}
