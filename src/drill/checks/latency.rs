//! Did the source zone's publish-to-consume latency stay within the stated rule during the cut?
//!
//! Observed: each message acknowledged in a phase, by itself: the moment its acknowledgement
//! reached the producer, and the moment the zone's consumer first processed it, whatever its
//! delivery count, on one monotonic clock. As many measurements as acknowledged messages are
//! needed; the room must not have stood still; and the phases before and after must be quiet
//! enough to compare with.

use super::{
    Check, Finding,
    case::{Case, STALL_MS},
    live::{Live, LiveCounter},
    or_void,
    reason::{PhaseLatency, Reason, When},
    words::quantile,
};
use crate::drill::{latency::Quantile, report::format::micros};

/// Fewer messages have no percentiles worth telling.
const ENOUGH: u64 = 20;
/// In the cut a percentile may be this many times the one before it, …
const TIMES: u64 = 10;
/// … and always this much. The pauses of a busy machine are shorter: over 60 runs that nobody
/// delayed the worst p99 in a cut was 168 ms at load 30.
const P50_ALWAYS_US: u64 = 100_000;
const P99_ALWAYS_US: u64 = 250_000;
/// … and never more than this, however slow it was before.
const P50_CAP_US: u64 = 250_000;
const P99_CAP_US: u64 = 500_000;
/// A message that took so long was not undisturbed.
const STALL_US: u64 = STALL_MS * 1000;
/// A phase with a p99 like this is no baseline.
const NOISY_P99_US: u64 = 250_000;

pub(super) static CHECK: Check = Check {
    id: "latency",
    was: &[],
    question: "did the source zone's publish-to-consume latency stay within the rule during the cut?",
    by_ledger: false,
    by_replicas: false,
    live,
    judge: |case| or_void(&CHECK, judge(case)),
};

fn judge(case: &Case<'_>) -> Result<Finding, Reason> {
    let before = baseline(case, "before")?;
    let during = measured(case, "during")?;
    let limit = |before: Quantile, always: u64, cap: u64| {
        before.us().saturating_mul(TIMES).clamp(always, cap)
    };
    let p50_limit_us = limit(before.p50, P50_ALWAYS_US, P50_CAP_US);
    let p99_limit_us = limit(before.p99, P99_ALWAYS_US, P99_CAP_US);
    let disturbed = during.p50.us() > p50_limit_us
        || during.p99.us() > p99_limit_us
        || during.longest.us() >= STALL_US;
    let mut phases = vec![before, during];
    if !disturbed {
        phases.push(baseline(case, "after")?);
    }
    let numbers = phases.iter().flat_map(numbers).collect::<Vec<_>>();
    let zone = case.begin.source.clone();
    let reason = Reason::Latency { zone, disturbed, phases, p50_limit_us, p99_limit_us };
    let mut finding = if disturbed {
        Finding::broken(CHECK.id, reason)
    } else {
        Finding::proved(CHECK.id, reason)
    };
    finding.numbers = numbers;
    Ok(finding
        .with("limit of p50 during", micros(p50_limit_us))
        .with("limit of p99 during", micros(p99_limit_us))
        .with("limit of the longest during", micros(STALL_US)))
}

fn numbers(one: &PhaseLatency) -> [(String, String); 5] {
    let PhaseLatency { phase, count, ahead, p50, p99, longest } = one;
    [
        (format!("{phase} p50"), quantile(*p50)),
        (format!("{phase} p99"), quantile(*p99)),
        (format!("{phase} longest"), quantile(*longest)),
        (format!("{phase} messages"), count.to_string()),
        (format!("{phase} ahead of the ack"), ahead.to_string()),
    ]
}

/// The latency of the messages of a phase, all of which were measured while the room looked.
fn measured(case: &Case<'_>, name: &str) -> Result<PhaseLatency, Reason> {
    let zone = || case.begin.source.clone();
    let phase = || name.to_owned();
    let span = case.phase(name)?;
    let to = span.to.unwrap_or(span.from);
    case.timed(When::Phase(phase()), span.from, to)?;
    let row = case.run.latency(&case.begin.source, name);
    let none = || Reason::NoLatency { zone: zone(), phase: phase() };
    let histogram = &row.ok_or_else(none)?.histogram;
    let count = histogram.count();
    let acked = row.and_then(|row| row.acked).unwrap_or_else(|| case.run.acked_in(span));
    if count < acked {
        let (zone, phase) = (zone(), phase());
        return Err(Reason::NotAllMeasured { zone, phase, measured: count, acked });
    }
    if count < ENOUGH {
        let (zone, phase) = (zone(), phase());
        return Err(Reason::TooFewMeasured { zone, phase, count, needed: ENOUGH });
    }
    let of = |percent| histogram.quantile(percent).ok_or_else(none);
    Ok(PhaseLatency {
        phase: phase(),
        count,
        ahead: histogram.ahead(),
        p50: of(50.0)?,
        p99: of(99.0)?,
        longest: of(100.0)?,
    })
}

/// A phase quiet enough to compare with.
fn baseline(case: &Case<'_>, name: &str) -> Result<PhaseLatency, Reason> {
    let one = measured(case, name)?;
    if one.p99.us() >= NOISY_P99_US || one.longest.us() >= STALL_US {
        return Err(Reason::NoisyBaseline {
            zone: case.begin.source.clone(),
            phase: one.phase,
            p99: one.p99,
            longest: one.longest,
            limit_us: NOISY_P99_US,
        });
    }
    Ok(one)
}

fn live(live: &Live<'_>, counters: &mut Vec<LiveCounter>) {
    let zone = &live.begin.source;
    for name in ["before", "during", "after"] {
        let row = live.run.latency(zone, name);
        let p99 = row.and_then(|row| row.histogram.quantile(99.0));
        counters.push(LiveCounter::known(&format!("{zone} p99 {name}"), p99.map(quantile)));
    }
}
