//! Did both zones consume during the cut: the source everything that was sent, the mirror zone the
//! backlog it held?
//!
//! Observed: messages that the source acknowledged during the cut and its consumer processed, each
//! measured by itself (of records without that, the ledger's counts at the phase's ends); the
//! mirror zone's backlog as its servers' last sequence beyond its consumer's ack floor; the ledger's
//! count of what its consumer processed.

use super::{
    Check, Finding,
    case::{Case, PROGRESS, backlog},
    live::{Live, LiveCounter},
    or_void,
    reason::{Reason, Unknown},
    severed,
};
use crate::{
    drill::record::CommandOutcome,
    region::{UnixMs, status::Zone},
};

pub(super) static CHECK: Check = Check {
    id: "in-zone",
    was: &[],
    question: "did both zones consume during the cut: the source everything, the mirror its backlog?",
    by_ledger: false,
    by_replicas: false,
    live,
    judge: |case| or_void(&CHECK, judge(case)),
};

fn judge(case: &Case<'_>) -> Result<Finding, Reason> {
    // Without a real cut it shows nothing, either way.
    severed::real(case)?;
    let (source, mirror) = (&case.begin.source, &case.begin.mirror);
    let phase = case.phase("during")?;
    let samples = case.run.during(phase);
    if samples.iter().filter_map(|s| s.zone(source)).any(Zone::paused) {
        return Err(Reason::PausedDuringCut { zone: source.clone() });
    }
    let mut seen = samples.iter().filter_map(|sample| sample.zone(mirror)).peekable();
    let Some(held) = seen.peek().and_then(|zone| backlog(zone)) else {
        return Err(Reason::Unknown { what: Unknown::Backlog, zone: Some(mirror.clone()) });
    };
    if seen.all(Zone::paused) {
        return Err(Reason::PausedThroughoutCut { zone: mirror.clone() });
    }
    if held < PROGRESS {
        let zone = mirror.clone();
        return Err(Reason::NoBacklog { zone, backlog: held, needed: PROGRESS });
    }
    let unknown = |zone: &crate::region::ZoneName| Reason::Unknown {
        what: Unknown::ReceivedDuringCut,
        zone: Some(zone.clone()),
    };
    let measured = case.run.latency(source, "during");
    let exact = measured.and_then(|row| Some((row.acked?, row.histogram.count())));
    let (acked, here) = if let Some(exact) = exact {
        exact
    } else {
        let here = case.received_in(phase, source).ok_or_else(|| unknown(source))?;
        (case.run.acked_in(phase), here)
    };
    let there = case.received_in(phase, mirror).ok_or_else(|| unknown(mirror))?;
    // The ack floor at the beginning may be a moment old; that it reached the end says all.
    let done = |zone: &Zone| zone.ack_floor() >= zone.last_seq() && zone.last_seq().is_some();
    let all = samples.iter().filter_map(|sample| sample.zone(mirror)).any(done);
    let drained = if all && there >= PROGRESS { held } else { there.min(held) };
    let reason = Reason::InZone {
        source: source.clone(),
        processed: here.min(acked),
        acked,
        mirror: mirror.clone(),
        drained,
        backlog: held,
    };
    // A run that was interrupted, or ended with a failed command, would have had more time.
    let ended_early = case.run.interrupted.is_some()
        || case.run.given.iter().any(|given| {
            let failed =
                given.answer.as_ref().is_none_or(|answer| answer.outcome != CommandOutcome::Done);
            failed && (phase.from..=phase.to.unwrap_or(UnixMs::MAX)).contains(&given.at)
        });
    let finding = if here >= acked && drained == held {
        Finding::proved(CHECK.id, reason)
    } else if ended_early || (here >= acked && held - drained < PROGRESS) {
        Finding::void(CHECK.id, reason)
    } else {
        Finding::broken(CHECK.id, reason)
    };
    Ok(finding
        .with("acked during the cut", acked)
        .with("source received during the cut", here)
        .with("mirror's backlog", held)
        .with("mirror received during the cut", there))
}

fn live(live: &Live<'_>, counters: &mut Vec<LiveCounter>) {
    let (source, mirror) = (&live.begin.source, &live.begin.mirror);
    let acked = live.acked_in("during").unwrap_or(0);
    let got = live.received_in("during", source);
    // A message may be consumed before its publisher sees the ack.
    let of = |got: u64| format!("{}/{acked}", got.min(acked));
    let value = got.map(|got| if acked > 0 { of(got) } else { got.to_string() });
    let all = acked > 0 && got.is_some_and(|got| got >= acked);
    let here = format!("{source} received during the cut");
    counters.push(LiveCounter::known(&here, value).good(all));
    let drained = live.ends("during", mirror).and_then(|(first, last)| {
        let held = first.last_seq()?.checked_sub(first.ack_floor()?)?;
        Some((last.ledger.received.saturating_sub(first.ledger.received).min(held), held))
    });
    let there = format!("{mirror} backlog drained");
    let value = drained.map(|(drained, held)| match held {
        0..PROGRESS => format!("it held {held} at the cut, {PROGRESS} are needed"),
        _ => format!("{drained}/{held}"),
    });
    let too_little = drained.is_some_and(|(_, held)| held < PROGRESS);
    let done = drained.is_some_and(|(drained, held)| drained == held && held >= PROGRESS);
    counters.push(LiveCounter::known(&there, value).good(done).bad(too_little));
}
