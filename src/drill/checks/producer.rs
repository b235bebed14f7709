//! Was the producer untouched while the zone joined?
//!
//! Observed: the producer's own connection number, server, reconnects and configuration hash at
//! every sample; the domain in the acknowledgements, by the last one at every sample and by the
//! ledger's count; the ledger's count of acknowledgements, for its progress and its longest pause.

use std::collections::BTreeSet;

use super::{
    Check, Finding,
    case::{Case, PROGRESS, STALL_MS},
    live::{Live, LiveCounter},
    or_void,
    reason::{Joining, ProducerFact, Reason, When},
};
use crate::{
    command::Command,
    drill::{
        record::Sample,
        run::{Answer, Given},
    },
    region::{
        UnixMs,
        status::{Producer, Verdict},
    },
};

pub(super) static CHECK: Check = Check {
    id: "producer",
    was: &[],
    question: "was the producer untouched while the zone joined?",
    by_ledger: false,
    by_replicas: false,
    live,
    judge: |case| or_void(&CHECK, judge(case)),
};

fn judge(case: &Case<'_>) -> Result<Finding, Reason> {
    // Touched is touched, whatever else was or was not tested.
    if let Some(reason) = touched(case) {
        return Ok(Finding::broken(CHECK.id, reason));
    }
    let run = case.run;
    let (given, answer) = joined(case).ok_or(Reason::NotJoined)?;
    case.timed(When::Joining, given.at, answer.at)?;
    let end = run.ended.unwrap_or(answer.at);
    let start = run.samples.first().map_or(given.at, |sample| sample.at);
    let spans = [
        (Joining::Before, start, given.at),
        (Joining::While, given.at, answer.at),
        (Joining::After, answer.at, end),
    ];
    let mut counts = [0; 3];
    for ((when, from, to), count) in spans.into_iter().zip(&mut counts) {
        let samples = run.between(from, to);
        let known = samples.iter().any(|sample| {
            let p = &sample.status.producer;
            p.connection.is_some()
                && p.server_id.is_some()
                && p.config_hash.is_some()
                && p.acked_by.is_some()
        });
        if !known {
            return Err(Reason::ProducerUnknown { when });
        }
        let acked = |sample: Option<&Sample>| sample.map_or(0, Sample::acked);
        *count = acked(samples.last()).saturating_sub(acked(samples.first()));
        if *count < PROGRESS {
            return Err(Reason::ProducerIdle { when, count: *count, needed: PROGRESS });
        }
    }
    let [before, during, after] = counts;
    let ms = longest_pause(run.between(given.at, answer.at));
    // A slow producer has long pauses by itself.
    let each = answer.at.saturating_sub(given.at) / during;
    if ms >= STALL_MS && each < STALL_MS / 4 {
        return Ok(Finding::broken(CHECK.id, Reason::ProducerStalled { ms, limit_ms: STALL_MS }));
    }
    let connections = list(&values(case, |producer| producer.connection));
    let domain = case.begin.source.long();
    // Counted from a span's first sample to its last: what was acknowledged between two spans is in
    // neither.
    let reason = Reason::ProducerUntouched {
        connection: connections.join(", "),
        before,
        during,
        after,
        domain: domain.clone(),
    };
    Ok(Finding::proved(CHECK.id, reason)
        .with("connection", connections.join(", "))
        .with("server", list(&values(case, |p| p.server_id.clone())).join(", "))
        .with("configuration hash", list(&values(case, |p| p.config_hash.clone())).join(", "))
        .with("reconnects", list(&values(case, |p| Some(p.reconnects))).join(", "))
        .with("acknowledged by", domain))
}

/// What of the producer changed during the run.
fn touched(case: &Case<'_>) -> Option<Reason> {
    let facts = [
        (ProducerFact::Connection, list(&values(case, |p| p.connection))),
        (ProducerFact::Server, list(&values(case, |p| p.server_id.clone()))),
        (ProducerFact::Configuration, list(&values(case, |p| p.config_hash.clone()))),
        (ProducerFact::Reconnects, list(&values(case, |p| Some(p.reconnects)))),
    ];
    if let Some((what, values)) = facts.into_iter().find(|(_, values)| values.len() > 1) {
        return Some(Reason::ProducerChanged { what, values });
    }
    let expected = case.begin.source.long();
    let domains = values(case, |producer| producer.acked_by.clone());
    let last = domains.into_iter().map(|other| (other, None));
    let counted = case.ledger.acked_by().iter();
    let counted = counted.map(|(name, count)| (name.clone(), Some(*count)));
    let (other, count) = last.chain(counted).find(|(other, _)| *other != expected)?;
    Some(Reason::OtherDomain { other, expected, count })
}

/// The longest time in which the producer was active and no acknowledgement came, for certain: from
/// the first look with a count to the last one with the same.
fn longest_pause(samples: &[Sample]) -> u64 {
    let mut since: Option<(u64, UnixMs)> = None;
    let mut longest = 0;
    for sample in samples {
        let acked = sample.acked();
        match since {
            Some((count, from)) if count == acked && sample.status.producer.active => {
                longest = longest.max(sample.at.saturating_sub(from));
            }
            _ => since = Some((acked, sample.at)),
        }
    }
    longest
}

fn values<T: Ord>(case: &Case<'_>, of: impl Fn(&Producer) -> Option<T>) -> BTreeSet<T> {
    case.run.samples.iter().filter_map(|sample| of(&sample.status.producer)).collect()
}

fn list<T: ToString>(values: &BTreeSet<T>) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

/// The command that added the zone.
pub(super) fn joined<'a>(case: &Case<'a>) -> Option<(&'a Given, &'a Answer)> {
    let new = case.begin.new_zone.as_ref();
    case.run.done(|command| {
        matches!(command, Command::ZoneAdd { zone } if zone.is_none() || zone.as_ref() == new)
    })
}

fn live(live: &Live<'_>, counters: &mut Vec<LiveCounter>) {
    let mut seen = Vec::new();
    for sample in &live.run.samples {
        let p = &sample.status.producer;
        let Some(connection) = p.connection else { continue };
        let now = (connection, p.reconnects, p.config_hash.as_deref());
        if seen.last() != Some(&now) {
            seen.push(now);
        }
    }
    let count = (!seen.is_empty()).then_some(seen.len());
    let counter = LiveCounter::known("producer's connections", count).good(count == Some(1));
    counters.push(counter.bad(count.is_some_and(|count| count > 1)).fails(Verdict::Broken));
}
