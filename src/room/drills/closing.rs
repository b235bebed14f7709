//! The closing: what is gathered after the last step, and the conclusion from all of it.

use std::{
    io::{BufWriter, Write},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Crew, recorder::Recorder, sabotage::Saboteur};
use crate::{
    drill::{
        law::{self, Conclusion, ReplicaAudit},
        record::Entry,
    },
    nats::{audit, facts, replicas},
    region::{
        NodeName, ZoneName, ZonePlan,
        snapshot::{LinkState, Verdict},
    },
    room::{clock::now_ms, verify::living},
};

/// How long nothing may come before what is late is late.
const STANDSTILL: Duration = Duration::from_secs(5);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(50);

/// Waits for the consumers, asks the servers, reads every replica of every zone.
pub async fn gather(
    crew: &Crew,
    recorder: &Recorder,
    saboteur: &mut Saboteur,
    folder: &Path,
    first: u64,
) -> Vec<ReplicaAudit> {
    let engine = &crew.cx.engine;
    crew.cx.progress("waits for the consumers, then reads every replica of every zone");
    let last = end(crew).await;
    let last = saboteur.duplicate(last).await.unwrap_or(last);
    for plan in engine.plans() {
        drain(crew, &plan, last).await;
    }
    saboteur.lose(first, last).await;
    let nodes = facts::servers(&engine.plans()).await;
    recorder.write(Entry::Servers { nodes, at: now_ms() });
    recorder.sample(engine, &crew.snapshots);
    let mut streams = Vec::new();
    for plan in engine.plans() {
        let Ok(zone) = engine.zone(&plan.name) else { continue };
        let (living, rest) = living(&crew.snapshots.borrow().snapshot, &plan);
        for (node, state) in rest {
            unread(recorder, &plan.name, node, format!("it is {}", state.as_str()));
        }
        let read = replicas::read_replicas(&zone.client, &living, &engine.run, 1..=last).await;
        for replica in read {
            match replica.read {
                Ok(content) => {
                    let file = format!("stream-{}.jsonl", replica.node);
                    if let Err(error) = write(&folder.join(&file), &content.audit) {
                        unread(recorder, &plan.name, replica.node, format!("{file}: {error}"));
                        continue;
                    }
                    recorder.write(Entry::Stream {
                        zone: plan.name.clone(),
                        replica: replica.node.clone(),
                        file,
                        messages: content.found.messages,
                        ends: content.ends,
                        at: now_ms(),
                    });
                    streams.push(ReplicaAudit { replica: replica.node, audit: content.audit });
                }
                Err(error) => unread(recorder, &plan.name, replica.node, error.to_string()),
            }
        }
    }
    streams
}

fn unread(recorder: &Recorder, zone: &ZoneName, replica: NodeName, why: String) {
    recorder.write(Entry::Unread { zone: zone.clone(), replica, why, at: now_ms() });
}

fn write(path: &Path, audit: &crate::ledger::audit::StreamAudit) -> std::io::Result<()> {
    let mut out = BufWriter::new(std::fs::File::create(path)?);
    audit.write_lines(&mut out)?;
    out.flush()
}

/// The source's last sequence, from its leader; from the picture if it does not answer.
async fn end(crew: &Crew) -> u64 {
    let asked = async {
        let source = crew.cx.engine.source_plan().ok()?;
        let client = crew.cx.engine.zone(&source.name).ok()?.client.clone();
        audit::last_sequence(&client).await.ok()
    };
    if let Some(last) = asked.await {
        return last;
    }
    let published = crew.snapshots.borrow();
    let source = published.snapshot.source().and_then(|zone| zone.stream.as_ref());
    source.map_or(0, |stream| stream.last_seq)
}

/// Waits until a zone's consumer has acknowledged everything up to `last`, as long as it moves.
async fn drain(crew: &Crew, plan: &ZonePlan, last: u64) {
    let mut best = None;
    let mut moved = Instant::now();
    while moved.elapsed() < STANDSTILL && !crew.cx.stop.is_cancelled() {
        let (floor, held) = {
            let published = crew.snapshots.borrow();
            let Some(zone) = published.snapshot.zone(&plan.name) else { return };
            let cut = zone.link.as_ref().is_some_and(|link| link.state == LinkState::Cut);
            (zone.consumer.as_ref().map_or(0, |c| c.ack_floor), cut || zone.work.paused)
        };
        if floor >= last || held {
            return;
        }
        if Some(floor) != best {
            best = Some(floor);
            moved = Instant::now();
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The conclusion, by the same law that a bundle is verified by.
pub async fn conclude(
    crew: &Crew,
    recorder: &Arc<Recorder>,
    streams: Vec<ReplicaAudit>,
) -> Conclusion {
    let run = recorder.run();
    let question =
        move |ledger: &crate::ledger::book::Ledger| law::conclude(&run, ledger, &streams);
    let asked = crew.cx.engine.asker.ask(question);
    asked.await.unwrap_or_else(|| Conclusion {
        verdict: Verdict::Void,
        evidence:
            "nothing was concluded: the ledger's keeper gave no answer (the room's log says why)"
                .into(),
        findings: Vec::new(),
    })
}
