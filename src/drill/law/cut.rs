//! Conclusion 1: in-zone consumption goes on in both zones, with its usual latency.

use super::{Case, Finding, ran::PROGRESS, severed};
use crate::{
    drill::latency::{Histogram, Quantile},
    region::UnixMs,
};

/// Fewer messages have no percentiles worth telling.
const ENOUGH: u64 = 20;
/// Latency is disturbed when p99 during the cut is more than this many times that before it, …
const TIMES: u64 = 10;
/// … and more than this: half a second. A stall of a consumer takes seconds (`ack_wait` is 5 s, an
/// election 4 to 9 s); the hiccups of a busy machine do not.
const AT_LEAST_US: u64 = 500_000;

/// Both zones consumed during the cut.
pub(super) fn in_zone(case: &Case<'_>) -> Finding {
    const CHECK: &str = "in-zone";
    // Without a real cut it shows nothing, either way.
    if let Err(why) = severed::real(case) {
        return Finding::void(CHECK, why);
    }
    let (source, mirror) = (&case.begin.source, &case.begin.mirror);
    let phase = match case.phase("during") {
        Ok(phase) => phase,
        Err(why) => return Finding::void(CHECK, why),
    };
    let samples = case.run.during(phase);
    let all_paused = |name| {
        let mut seen = samples.iter().filter_map(|sample| sample.zone(name)).peekable();
        seen.peek().is_some() && seen.all(|zone| zone.paused)
    };
    if samples.iter().filter_map(|s| s.zone(source)).any(|zone| zone.paused) {
        let why = format!("the consumer of zone {source} was paused during the cut");
        return Finding::void(CHECK, why);
    }
    if all_paused(mirror) {
        let why = format!("the consumer of zone {mirror} was paused for all of the cut");
        return Finding::void(CHECK, why);
    }
    let acked = case.run.acked_in(phase);
    let start = samples.iter().find_map(|sample| sample.zone(mirror));
    let backlog = start.and_then(|zone| Some(zone.last_seq?.saturating_sub(zone.ack_floor?)));
    let Some(backlog) = backlog else {
        let why = format!("how much zone {mirror} held unprocessed at the cut is not known");
        return Finding::void(CHECK, why);
    };
    if backlog < PROGRESS {
        return Finding::void(
            CHECK,
            format!(
                "zone {mirror} held no backlog at the cut ({backlog} messages, at least {PROGRESS} are needed): its consumer had nothing to do"
            ),
        );
    }
    let (Some(here), Some(there)) =
        (case.received_in(phase, source), case.received_in(phase, mirror))
    else {
        return Finding::void(CHECK, "what the consumers received during the cut is not known");
    };
    let drained = there.min(backlog);
    let text = format!(
        "while cut, zone {source} processed {} of {acked} new messages, and zone {mirror} {drained} of the {backlog} it held",
        here.min(acked)
    );
    // A run that was interrupted, or ended with a failed command, would have had more time.
    let ended_early = case.run.interrupted.is_some()
        || case.run.given.iter().any(|given| {
            let failed = given.answer.as_ref().is_none_or(|answer| answer.outcome != "done");
            failed && (phase.from..=phase.to.unwrap_or(UnixMs::MAX)).contains(&given.at)
        });
    let finding = if here >= acked && drained == backlog {
        Finding::proved(CHECK, text)
    } else if ended_early {
        Finding::void(CHECK, text)
    } else {
        Finding::broken(CHECK, text)
    };
    finding
        .with("acked during the cut", acked)
        .with("source received during the cut", here)
        .with("mirror's backlog", backlog)
        .with("mirror received during the cut", there)
}

/// The source zone's latency was not disturbed.
pub(super) fn latency(case: &Case<'_>) -> Finding {
    const CHECK: &str = "latency";
    let zone = &case.begin.source;
    let mut p99s = Vec::new();
    let mut words = Vec::new();
    let mut numbers = Vec::new();
    let mut ahead = Vec::new();
    for phase in ["before", "during", "after"] {
        let histogram = of(case, phase);
        let (Some(p50), Some(p99)) = (histogram.quantile(50.0), histogram.quantile(99.0)) else {
            return Finding::void(CHECK, format!("no latency of zone {zone} {phase} the cut"));
        };
        if histogram.count() < ENOUGH {
            return Finding::void(
                CHECK,
                format!(
                    "too few messages for the latency of zone {zone} {phase} the cut: {}, at least {ENOUGH} are needed",
                    histogram.count()
                ),
            );
        }
        numbers.push((format!("{phase} p50"), at(p50)));
        numbers.push((format!("{phase} p99"), at(p99)));
        numbers.push((format!("{phase} messages"), histogram.count().to_string()));
        numbers.push((format!("{phase} {AHEAD}"), histogram.ahead().to_string()));
        words.push(format!("{} / {} {phase}", at(p50), at(p99)));
        ahead.push((histogram.ahead(), format!("of {} {phase}", histogram.count())));
        p99s.push(p99.us());
    }
    let limit = limit(p99s[0]);
    let rule = format!("the limit is {}", time(limit));
    numbers.push(("limit of p99 during".into(), time(limit)));
    let mut text = format!(
        "acked to processed in zone {zone}, p50 / p99: {} the cut ({rule}: {TIMES} x p99 before, at least {})",
        words.join(", "),
        time(AT_LEAST_US)
    );
    if ahead.iter().any(|(count, _)| *count > 0) {
        let ahead: Vec<String> = ahead.iter().map(|(count, of)| format!("{count} {of}")).collect();
        text = format!("{text}; processed {AHEAD}: {}", ahead.join(", "));
    }
    let mut finding =
        if p99s[1] > limit { Finding::broken(CHECK, text) } else { Finding::proved(CHECK, text) };
    finding.numbers = numbers;
    finding
}

fn limit(before: u64) -> u64 {
    before.saturating_mul(TIMES).max(AT_LEAST_US)
}

fn of(case: &Case<'_>, phase: &str) -> Histogram {
    let mut histogram = Histogram::default();
    for latency in &case.run.latencies {
        if latency.zone == case.begin.source && latency.phase == phase {
            histogram.merge(&latency.histogram);
        }
    }
    histogram
}

/// Processed before its acknowledgement reached the producer ("before" is a phase here).
const AHEAD: &str = "ahead of the ack";

/// A latency, as people read it.
pub(super) fn at(quantile: Quantile) -> String {
    match quantile {
        Quantile::Ahead => AHEAD.into(),
        Quantile::Us(us) => time(us),
    }
}

/// Microseconds, as people read them.
fn time(us: u64) -> String {
    match us {
        0 => "under 1 us".into(),
        1..1000 => format!("{us} us"),
        1000..1_000_000 => format!("{:.1} ms", us as f64 / 1000.0),
        _ => format!("{:.1} s", us as f64 / 1_000_000.0),
    }
}
