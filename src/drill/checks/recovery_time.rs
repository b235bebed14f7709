//! How long did nobody acknowledge anything, and what was that time spent on?
//!
//! Observed: the commands' own moments; the first sample in which the source has no majority; the
//! producer's clock at the first acknowledgement of the promoted zone; that the source stayed lost.

use super::{
    Case, Check, Finding,
    live::{Live, LiveCounter},
    or_void, promoted,
    reason::{Reason, When},
};
use crate::{
    command::{Command, NodeAct},
    drill::record::Sample,
    region::{
        UnixMs,
        format::seconds,
        status::{NodeState, Zone},
    },
};

pub(super) static CHECK: Check = Check {
    id: "recovery-time",
    was: &[],
    question: "how long did nobody acknowledge anything, and what was that time spent on?",
    by_ledger: false,
    by_replicas: false,
    live,
    judge: |case| or_void(&CHECK, judge(case)),
};

/// From the detection to the first acknowledgement at most: a rebuild restarts a node.
const LIMIT_MS: u64 = 60_000;

fn judge(case: &Case<'_>) -> Result<Finding, Reason> {
    let (run, source, zone) = (case.run, &case.begin.source, promoted::zone(case));
    let none = || Reason::NotPromoted { zone: zone.clone() };
    let kills = run.given.iter().filter(|given| {
        matches!(&given.command, Some(Command::Node { act: NodeAct::Kill, node }) if node.zone == *source)
    });
    let killed = kills.map(|given| given.at).min();
    let killed = killed.ok_or_else(|| Reason::NotLost { zone: source.clone() })?;
    let lost = |at: UnixMs| {
        let seen = run.between(at, UnixMs::MAX).iter();
        seen.filter_map(|sample| Some((sample.at, has_majority(sample.zone(source)?))))
    };
    let detected = lost(killed).find(|(_, up)| !up).map(|(at, _)| at);
    let detected = detected.ok_or_else(|| Reason::NotLost { zone: source.clone() })?;
    if lost(detected).any(|(_, up)| up) {
        return Err(Reason::SourceBack { zone: source.clone() });
    }
    let promote = |command: &Command| matches!(command, Command::Promote { zone: named, .. } if named == zone);
    let (promote, promoted) = run.done(promote).ok_or_else(none)?;
    let moved = |command: &Command| matches!(command, Command::ProducerMove { zone: named, .. } if named == zone);
    let (_, moved) = run.done(moved).ok_or_else(none)?;
    let first = moved.data.as_ref().and_then(|data| data.get("first_ack_at_ms")?.as_u64());
    let first = first.ok_or_else(|| Reason::NoFirstAck { zone: zone.clone() })?;
    case.watched(When::Failover, killed, first)?;
    let since = |from: UnixMs, to: UnixMs| to.saturating_sub(from);
    let (detect_ms, decide_ms) = (since(killed, detected), since(detected, promote.at));
    let (promote_ms, first_ack_ms) = (since(promote.at, promoted.at), since(promoted.at, first));
    let (total_ms, zone) = (since(killed, first), zone.clone());
    if since(detected, first) > LIMIT_MS {
        let ms = since(detected, first);
        return Ok(Finding::broken(CHECK.id, Reason::TookTooLong { zone, ms, limit_ms: LIMIT_MS }));
    }
    let reason =
        Reason::RecoveryTime { zone, total_ms, detect_ms, decide_ms, promote_ms, first_ack_ms };
    Ok(Finding::proved(CHECK.id, reason)
        .with("ms from the kill to the first acknowledgement", total_ms)
        .with("ms to detect", detect_ms)
        .with("ms to decide", decide_ms)
        .with("ms to promote", promote_ms)
        .with("ms to the first acknowledgement", first_ack_ms))
}

fn has_majority(zone: &Zone) -> bool {
    let up = zone.nodes.iter().filter(|node| node.state == NodeState::Up).count();
    2 * up > zone.nodes.len()
}

fn live(live: &Live<'_>, counters: &mut Vec<LiveCounter>) {
    let Some(lost) = live.run.phase("lost") else { return };
    let by = live.begin.mirror.long();
    let seen = live.run.between(lost.from, UnixMs::MAX);
    let answered = |sample: &&Sample| sample.status.producer.acked_by.as_ref() == Some(&by);
    let until = seen.iter().find(answered).or(seen.last());
    let time = until.map(|sample| seconds(sample.at.saturating_sub(lost.from)));
    counters.push(LiveCounter::known("without acknowledgements", time));
}
