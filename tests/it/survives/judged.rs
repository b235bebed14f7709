//! The checks of a failover on a record that is made here: what is true is proved, and whatever is
//! taken from it or added to it is not.

use serde_json::{Value, json};
use zonedrill::{
    drill::{
        checks::{ReplicaAudit, judge},
        conclusions::conclude,
        library,
        record::{CommandOutcome, Entry, Sample},
        run::Run,
        script::{Action, Filling},
    },
    ledger::{Ledger, record::Record},
    region::{
        NodeName, Status, ZoneName,
        status::{Producer, Verdict, Zone},
    },
};

use crate::support::model::{Stored, begin, read, run_id};

const START: u64 = 1_795_521_600_000;
/// Messages of the load that the source acknowledged, after the first 50.
const LOAD: u64 = 250;
const RESENT: u64 = 50;

/// What is so.
#[derive(Clone, Copy, Debug)]
struct World {
    /// Messages that the source acknowledged and the copy did not hold.
    tail: u64,
    /// Acknowledged messages that are sent again.
    resent: u64,
    /// The promoted zone knows the ids it holds.
    knows: bool,
    /// The ledger knows of the promotion.
    written: bool,
    source_back: bool,
    floor_back: bool,
    stood_still: bool,
    first_ack: Option<u64>,
    /// What is wrong with the second replica.
    replica: Replica,
    drained: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Replica {
    Whole,
    Unread,
    Lacks,
    Twice,
    Swapped,
    Altered,
}

const FINE: World = World {
    tail: 0,
    resent: RESENT,
    knows: true,
    written: true,
    source_back: false,
    floor_back: false,
    stood_still: false,
    first_ack: Some(900),
    replica: Replica::Whole,
    drained: true,
};

fn zone(name: &str) -> ZoneName {
    name.parse().unwrap()
}

/// The records of the ledger, and what stands in zone b.
fn told(world: World) -> (Vec<Record>, Vec<Stored>) {
    let at = START;
    let stored = |seq, producer, number| Stored { seq, producer, number, altered: false };
    let acked =
        |p, n, s, domain: &str, dup| Record::Acked { p, n, c: 1, s, d: domain.into(), dup, at };
    let received = |z: &str, p, n, s| Record::Received { z: zone(z), p, n, s, c: 1, r: 1, at };
    let mut records = vec![
        Record::Intend { p: 1, n: 1, c: 50, at },
        Record::Intend { p: 2, n: 51, c: LOAD + 100, at },
        Record::Intend { p: 3, n: 401, c: 25, at },
    ];
    let mut there = Vec::new();
    let held = 50 + LOAD - world.tail;
    for n in 1..=50 + LOAD {
        let p = if n <= 50 { 1 } else { 2 };
        records.extend([acked(p, n, n, "zone-a", false), received("a", p, n, n)]);
        if n <= held {
            records.push(received("b", p, n, n));
            there.push(stored(n, p, n));
        }
    }
    if world.written {
        records.push(Record::Promoted { z: zone("b"), s: held, at });
    }
    let mut next = held;
    let mut take = |records: &mut Vec<Record>, p, n| {
        next += 1;
        records.extend([acked(p, n, next, "zone-b", false), received("b", p, n, next)]);
        there.push(stored(next, p, n));
    };
    for n in 50 + LOAD + 1 - world.resent..=50 + LOAD {
        records.push(Record::Resent { p: 2, n, c: 1, at });
        if n <= held && world.knows {
            records.push(acked(2, n, n, "zone-b", true));
        } else {
            take(&mut records, 2, n);
        }
    }
    (301..=400).for_each(|n| take(&mut records, 2, n));
    (401..=425).for_each(|n| take(&mut records, 3, n));
    (records, there)
}

fn replicas(world: World, stored: &[Stored]) -> Vec<ReplicaAudit> {
    let mut all = Vec::new();
    for node in zone("b").nodes() {
        let mut here = stored.to_vec();
        if node.number == 2 {
            match world.replica {
                Replica::Whole => {}
                Replica::Unread => continue,
                Replica::Lacks => drop(here.remove(20)),
                Replica::Twice => {
                    let last = here.last().unwrap().seq;
                    here.push(Stored { seq: last + 1, ..here[20] });
                }
                Replica::Swapped => {
                    let (one, two) = (here[20].number, here[21].number);
                    (here[20].number, here[21].number) = (two, one);
                }
                Replica::Altered => here[20].altered = true,
            }
        }
        all.push(ReplicaAudit { replica: node, audit: read(zone("b"), here) });
    }
    all
}

/// A zone in a sample.
fn seen(name: &str, role: &str, up: bool, last: u64, floor: u64) -> Zone {
    let this = zone(name);
    let nodes = this.nodes().map(|node: NodeName| {
        json!({"name": node, "state": if up { "up" } else { "dead" }, "leader": false,
               "meta_leader": false, "consumer_leader": false, "url": "nats://127.0.0.1:1"})
    });
    let stream = json!({"messages": last, "bytes": 1, "first_seq": 1, "last_seq": last,
        "num_deleted": 0, "leader": null, "replicas": 3, "replicas_current": 3});
    let consumer = json!({"name": format!("consumer-{name}"), "delivered": floor, "ack_floor": floor,
        "running": true, "paused": false, "rate": 0.0, "processed": floor});
    let none = Value::Null;
    serde_json::from_value(json!({
        "name": name, "role": role, "state": "ready", "nodes": nodes.collect::<Vec<_>>(),
        "stream": if up { stream } else { none }, "consumer": consumer,
        "mirror": null, "link": null, "recovery": null,
        "ledger": {"acked": 0, "received": floor, "lost": 0, "duplicates": 0, "redelivered": 0,
                   "processed_twice": 0, "reordered": 0, "corrupt": 0, "unexpected": 0},
    }))
    .unwrap()
}

fn record(world: World, end: u64) -> Vec<Entry> {
    let script = library::builtin().into_iter().find(|script| script.name == "failover").unwrap();
    let filling = Filling {
        scale: 1,
        source: zone("a"),
        mirror: zone("b"),
        leader: None,
        new_zone: None,
        options: zonedrill::command::DrillOptions::default(),
        external: false,
    };
    let script = script.fill(&filling).unwrap();
    let mut entries = vec![begin("failover", script.text.clone(), None, START)];
    let (mut at, mut id, mut background) = (START, 0, Vec::new());
    for (index, step) in script.steps.iter().enumerate() {
        let phase = step.phase.clone().unwrap();
        let sample = |at: u64, entries: &mut Vec<Entry>, index: usize| {
            let lost = index >= 2;
            let promoted = index >= 4;
            let done = index == 5;
            let held = 50 + LOAD - world.tail;
            let last = [50, held, held, held, end, end][index];
            let mut floor = if done && !world.drained { last - 1 } else { last };
            if world.floor_back && index == 4 {
                floor = 10;
            }
            let acked = [50, 50 + LOAD, 50 + LOAD, 50 + LOAD, 400, 425][index];
            let role = if promoted { "promoted" } else { "mirror" };
            let up = !lost || (world.source_back && index == 5);
            let producer = Producer {
                acked,
                active: (1..5).contains(&index),
                acked_by: Some(if promoted { "zone-b" } else { "zone-a" }.into()),
                ..Producer::default()
            };
            let zones = vec![
                seen("a", "source", up, 50 + LOAD, 50 + LOAD),
                seen("b", role, true, last, floor),
            ];
            let status = Status { at_ms: at, zones, producer, ..Status::default() };
            entries.push(Entry::Sample(Box::new(Sample { at, mono_ms: Some(at), status })));
        };
        entries.push(Entry::Phase { name: phase, at });
        entries.push(Entry::Step { index, title: step.title.clone(), at });
        // As the step before left it.
        sample(at, &mut entries, index.saturating_sub(1));
        let answer = |id: u64, line: &str, at: u64| {
            let produced =
                |producer: u32, acked: u64| json!({"producer": producer, "acked": acked});
            let moves = line.starts_with("produce move");
            let data = match (line.split(' ').next().unwrap(), index) {
                _ if moves => {
                    world.first_ack.map(|ms| json!({"first_ack_at_ms": START + 2000 + ms}))
                }
                ("produce", 0) => Some(produced(1, 50)),
                ("produce", 1) => Some(produced(2, LOAD + 100)),
                ("produce", 5) if line != "produce stop" => Some(produced(3, 25)),
                _ => None,
            };
            let (outcome, text) = (CommandOutcome::Done, String::new());
            Entry::Answered { id, outcome, text, data, at }
        };
        for action in &step.actions {
            at += 100;
            match action {
                Action::Run { line, background: in_background } => {
                    id += 1;
                    entries.push(Entry::Given { id, line: line.clone(), at });
                    if *in_background && line.starts_with("produce") {
                        background.push((id, line.clone()));
                    } else {
                        entries.push(answer(id, line, at));
                    }
                }
                Action::Wait { condition, .. } => entries.push(Entry::Waited {
                    condition: condition.to_string(),
                    met: true,
                    seen: String::new(),
                    took_ms: 1,
                    at,
                }),
                Action::WaitFor { command } if command == "produce" => {
                    for (id, line) in background.drain(..) {
                        let produced = json!({"producer": 2, "acked": LOAD + 100});
                        let _ = line;
                        entries.push(Entry::Answered {
                            id,
                            outcome: CommandOutcome::Done,
                            text: String::new(),
                            data: Some(produced),
                            at,
                        });
                    }
                }
                Action::WaitFor { .. } => {}
            }
            sample(at, &mut entries, index);
        }
        if index == 4 && world.first_ack > Some(60_000) {
            for _ in 0..90 {
                at += 1_000;
                sample(at, &mut entries, index);
            }
        }
        if world.stood_still && index == 3 {
            at += 5_000;
        }
        at += 100;
        sample(at, &mut entries, index);
        entries.push(Entry::StepDone { index, ok: true, why: None, at });
    }
    entries.push(Entry::End { at });
    entries
}

/// The verdict, and each check's: `retries broken`.
fn judged(world: World) -> (Verdict, Vec<String>, String) {
    let (records, stored) = told(world);
    let mut ledger = Ledger::new(run_id(), "east");
    for record in &records {
        assert_eq!(ledger.objection(record), None);
        ledger.apply(record);
    }
    let streams = replicas(world, &stored);
    let run = Run::from_entries(record(world, stored.last().unwrap().seq));
    let conclusion = conclude(&run, judge(&run, &ledger, &streams));
    let bad = conclusion.findings.iter().filter(|one| one.verdict != Verdict::Proved);
    let bad = bad.map(|one| format!("{} {}", one.check, one.verdict.as_str())).collect();
    let texts: Vec<&str> = conclusion.findings.iter().map(|one| one.text.as_str()).collect();
    (conclusion.verdict, bad, texts.join("\n"))
}

#[test]
fn a_failover_that_lost_nothing_is_proved_and_tells_its_figures() {
    let (verdict, bad, texts) = judged(FINE);
    assert_eq!((verdict, bad), (Verdict::Proved, Vec::new()), "{texts}");
    assert!(texts.contains("RPO 0: zone b held every message"), "{texts}");
    assert!(texts.contains("of 50 messages that were sent again it held 50"), "{texts}");
    // A tail that the producer brings again is told, and no loss.
    let (verdict, bad, texts) = judged(World { tail: 7, ..FINE });
    assert_eq!((verdict, bad), (Verdict::Proved, Vec::new()), "{texts}");
    assert!(texts.contains("RPO 7 (0 ms)") && texts.contains("k3f9q2-p2-294..300"), "{texts}");
    assert!(texts.contains("of 50 messages that were sent again it held 43"), "{texts}");
}

#[test]
fn whatever_is_not_so_is_not_proved() {
    let twice = "stored twice: the promoted mirror does not know its ids";
    for (world, check, verdict, said) in [
        (World { knows: false, ..FINE }, "retries", "broken", twice),
        (World { resent: 10, ..FINE }, "retries", "void", "no retry was tried"),
        (
            World { tail: 60, ..FINE },
            "recovery-point",
            "broken",
            "and lost: 10 of the 60 that zone b did not hold",
        ),
        (World { written: false, ..FINE }, "recovery-point", "void", "was not promoted"),
        (World { source_back: true, ..FINE }, "recovery-time", "void", "came back"),
        (World { floor_back: true, ..FINE }, "floors", "broken", "went back"),
        (
            World { stood_still: true, first_ack: Some(5_900), ..FINE },
            "recovery-time",
            "void",
            "looked",
        ),
        (World { first_ack: None, ..FINE }, "recovery-time", "void", "not known"),
        (World { first_ack: Some(90_000), ..FINE }, "recovery-time", "broken", "at most 60.0 s"),
        (World { drained: false, ..FINE }, "floors", "void", "done everything"),
        (World { replica: Replica::Unread, ..FINE }, "order", "void", "was not read"),
        (
            World { replica: Replica::Lacks, ..FINE },
            "recovery-point",
            "broken",
            "not on the stream",
        ),
        (World { replica: Replica::Twice, ..FINE }, "retries", "broken", "twice"),
        (World { replica: Replica::Swapped, ..FINE }, "order", "broken", "another message"),
        (World { replica: Replica::Altered, ..FINE }, "order", "broken", "not as sent"),
    ] {
        let (overall, bad, texts) = judged(world);
        assert_ne!(overall, Verdict::Proved, "{world:?}");
        assert!(bad.contains(&format!("{check} {verdict}")), "{world:?}: {bad:?} {texts}");
        assert!(texts.contains(said), "{world:?}: {texts}");
    }
}
