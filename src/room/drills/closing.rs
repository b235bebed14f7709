//! The closing: what is gathered after the last step, and the conclusion from all of it.

use std::{
    io::{BufWriter, Write},
    path::Path,
    time::Duration,
};

use tokio::time::timeout;

use super::{DrillCtx, recorder::Recorder, sabotage::Saboteur, told};
use crate::{
    drill::{
        checks::{self, ReplicaAudit},
        conclusions::{self, Conclusion},
        record::Entry,
        run::Run,
    },
    nats::{
        audit::{self, Numbers},
        facts, replicas,
    },
    region::{
        Input, NodeName, Role, ZoneName, ZonePlan,
        status::{NodeState, Verdict},
    },
    room::{
        clock::now_ms,
        drain::{drain, has_quorum, living},
    },
};

/// How long replicas may need for what they missed while their servers were away.
const CURRENT_WITHIN: Duration = Duration::from_secs(20);

/// Waits until each server of the zone that answers is current: one that was away until just now
/// lacks nothing for good.
async fn until_current(ctx: &DrillCtx, plan: &ZonePlan) {
    let mut statuses = ctx.statuses.clone();
    let current = statuses.wait_for(|published| {
        let status = &published.status;
        let nodes = status.zone(&plan.name).into_iter().flat_map(|zone| &zone.nodes);
        // Just let go on, and not heard of again yet.
        let away =
            |state| matches!(state, NodeState::Frozen | NodeState::Silent | NodeState::Starting);
        if nodes.clone().any(|node| away(node.state)) {
            return false;
        }
        let answering = living(status, plan).0.nodes.len();
        let stream = status.zone(&plan.name).and_then(|zone| zone.stream.as_ref());
        stream.and_then(|stream| stream.replicas_current).is_none_or(|n| n as usize >= answering)
    });
    // Those that are not by then are read as they are.
    let _ = timeout(CURRENT_WITHIN, current).await;
}

/// Waits for the consumers, asks the servers, reads every replica of every zone.
pub async fn gather(
    ctx: &DrillCtx,
    recorder: &Recorder,
    saboteur: &mut Saboteur,
    folder: &Path,
    first: u64,
) -> Vec<ReplicaAudit> {
    let runtime = &ctx.cx.runtime;
    ctx.cx.progress("waits for the consumers, then reads every replica of every zone");
    let last = end(ctx).await;
    let last = saboteur.duplicate(last).await.unwrap_or(last);
    for plan in runtime.plans() {
        until_current(ctx, &plan).await;
        let last = through(ctx, &plan, last).await;
        // What does not come is in the last sample: the checks see it there.
        if let Some(outlook) = drain(&ctx.cx, &plan, last, &ctx.statuses, |_| {}).await {
            tracing::info!("zone {} is not done at the drill's end: {outlook:?}", plan.name);
        }
    }
    saboteur.lose(first, last).await;
    let nodes = facts::servers(&runtime.plans()).await;
    recorder.write(Entry::Servers { nodes, at: now_ms() });
    recorder.sample(runtime, &ctx.statuses);
    if let Some(external) = &runtime.external {
        let put = |file: &str, read: &ReplicaAudit| write(&folder.join(file), &read.audit);
        return external.read(runtime, recorder, put).await;
    }
    let mut streams = Vec::new();
    for plan in runtime.plans() {
        let Ok(zone) = runtime.zone(&plan.name) else { continue };
        until_current(ctx, &plan).await;
        let (living, rest) = living(&ctx.statuses.borrow().status, &plan);
        for (node, state) in rest {
            unread(recorder, &plan.name, node, format!("it is {}", state.as_str()));
        }
        if 2 * living.nodes.len() <= plan.nodes.len() {
            for node in living.nodes {
                unread(recorder, &plan.name, node.name, "its zone has no quorum".into());
            }
            continue;
        }
        let described = match audit::describe(&zone.client, Numbers::Own).await {
            Ok(described) => described,
            Err(error) => {
                for node in living.nodes {
                    unread(recorder, &plan.name, node.name, error.to_string());
                }
                continue;
            }
        };
        let (client, run) = (&zone.client, &runtime.run);
        let last = through(ctx, &plan, last).await;
        let own = described.last_seq;
        let through = if plan.renumbers() {
            runtime.renumbering(&plan.name).borrow().origin(own)
        } else {
            own
        };
        let read =
            replicas::read_replicas(client, &living, &described, run, 1..=last, |_| {}).await;
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
                        through: Some(through),
                        at: now_ms(),
                    });
                    streams.push(ReplicaAudit { replica: replica.node, audit: content.audit });
                }
                Err(error) => unread(recorder, &plan.name, replica.node, error.to_string()),
            }
        }
    }
    told::ask(ctx, recorder).await;
    streams
}

/// Up to which sequence a zone is waited for and read: a promoted one has its own.
async fn through(ctx: &DrillCtx, plan: &ZonePlan, last: u64) -> u64 {
    if plan.role != Role::Promoted {
        return last;
    }
    let asked = async {
        let client = ctx.cx.runtime.zone(&plan.name).ok()?.client.clone();
        let own = audit::describe(&client, Numbers::Own).await.ok()?.last_seq;
        // What it took from producers counts on from what it copied.
        let map = ctx.cx.runtime.renumbering(&plan.name);
        let last = map.borrow().origin(own);
        Some(if plan.renumbers() { last } else { own })
    };
    asked.await.unwrap_or(last)
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
async fn end(ctx: &DrillCtx) -> u64 {
    let asked = async {
        let source = ctx.cx.runtime.source_plan().ok()?;
        // On a stream of others the picture counts the drill's messages, which alone are waited for.
        if source.external.is_some() {
            return None;
        }
        has_quorum(&ctx.statuses.borrow().status, &source).ok()?;
        let client = ctx.cx.runtime.zone(&source.name).ok()?.client.clone();
        Some(audit::describe(&client, Numbers::Own).await.ok()?.last_seq)
    };
    if let Some(last) = asked.await {
        return last;
    }
    let published = ctx.statuses.borrow();
    let source = published.status.source().and_then(|zone| zone.stream.as_ref());
    source.map_or(0, |stream| stream.last_seq)
}

/// The conclusion, by the same checks that a bundle is verified by. What they found of each zone's
/// messages stands on every screen from then on.
pub async fn conclude(ctx: &DrillCtx, run: Run, streams: Vec<ReplicaAudit>) -> Conclusion {
    let question = move |ledger: &crate::ledger::Ledger| {
        conclusions::conclude(&run, checks::judge(&run, ledger, &streams))
    };
    let asked = ctx.cx.runtime.ledger_query.ask_inspected(question);
    let Some(conclusion) = asked.await else {
        let evidence =
            "nothing was concluded: the ledger's keeper gave no answer (the room's log says why)";
        let (verdict, findings) = (Verdict::Void, Vec::new());
        return Conclusion { verdict, evidence: evidence.into(), findings };
    };
    for (zone, audit) in checks::audits(&conclusion.findings, now_ms()) {
        ctx.cx.bus().tell(Input::Audited { zone, audit });
    }
    conclusion
}
