//! Is each zone's progress its own: does one go on, without standing still, while the other's
//! consumer is paused, and do both ack floors meet afterwards?
//!
//! Observed: both consumers' ack floors and both streams' last sequences, as the zones' own servers
//! say; the ledger's count of what each consumer processed; the going zone's latency, measured
//! message by message in the phase `apart`.

use super::{
    Check, Finding,
    case::{Case, PROGRESS, STALL_MS, backlog},
    live::{Live, LiveCounter},
    or_void,
    reason::{Reason, Unknown, When},
};
use crate::{command::Command, region::status::Zone};

/// A paused consumer may still finish what it had in hand when the command was answered.
const IN_HAND_MS: u64 = 300;
/// A message that took so long did not go on undisturbed.
const STALL_US: u64 = STALL_MS * 1000;

pub(super) static CHECK: Check = Check {
    id: "progress-independent",
    was: &["apart"],
    question: "does one zone go on while the other's consumer is paused, and do both meet afterwards?",
    by_ledger: false,
    by_replicas: false,
    live,
    judge: |case| or_void(&CHECK, judge(case)),
};

fn judge(case: &Case<'_>) -> Result<Finding, Reason> {
    let (paused, other) = (&case.begin.source, &case.begin.mirror);
    let zone = || paused.clone();
    let pause = case
        .run
        .done(|command| matches!(command, Command::ConsumerPause { zone } if zone == paused));
    let (_, answer) = pause.ok_or_else(|| Reason::NotPaused { zone: zone() })?;
    let resume = case
        .run
        .done(|command| matches!(command, Command::ConsumerResume { zone } if zone == paused));
    let resume = resume.filter(|(given, _)| given.at >= answer.at);
    let (resumed, _) = resume.ok_or_else(|| Reason::NotResumed { zone: zone() })?;
    let (from, to) = (answer.at + IN_HAND_MS, resumed.at);
    let samples = case.timed(When::Pause, from, to)?;
    let pairs =
        || samples.iter().filter_map(|sample| Some((sample.zone(paused)?, sample.zone(other)?)));
    let (Some((first, _)), Some((last, last_other))) = (pairs().next(), pairs().next_back()) else {
        return Err(Reason::Unknown { what: Unknown::ZonesDuringPause, zone: None });
    };
    let most = pairs().map(|(zone, _)| zone.ledger.received).max().unwrap_or(first.ledger.received);
    let processed = most.saturating_sub(first.ledger.received);
    if processed > 0 {
        return Err(Reason::PauseDidNotPause { zone: zone(), processed });
    }
    if pairs().any(|(zone, _)| !zone.paused()) {
        return Err(Reason::DidNotStayPaused { zone: zone() });
    }
    let (Some(end), Some(floor)) = (last.last_seq(), last.ack_floor()) else {
        return Err(Reason::Unknown { what: Unknown::FloorDuringPause, zone: Some(zone()) });
    };
    let waiting = end.saturating_sub(floor);
    if waiting < PROGRESS {
        return Err(Reason::NothingWaited { zone: zone(), waiting, needed: PROGRESS });
    }
    let processed = case.received_between(answer.at, to, other).unwrap_or(0);
    if processed < PROGRESS {
        let held = backlog(last_other).filter(|held| *held >= PROGRESS && !last_other.paused());
        let (zone, paused, needed) = (other.clone(), zone(), PROGRESS);
        let reason = Reason::HeldUp { zone, processed, paused, held, needed };
        return if held.is_some() { Ok(Finding::broken(CHECK.id, reason)) } else { Err(reason) };
    }
    if let Some(stalled) = stalled(case)? {
        return Ok(stalled);
    }
    let gaps = pairs()
        .filter_map(|(zone, other)| Some(other.ack_floor()?.saturating_sub(zone.ack_floor()?)));
    let gap = gaps.max().unwrap_or(0);
    if gap < PROGRESS {
        return Err(Reason::FloorsTogether { most: gap });
    }
    let after = case.run.samples.iter().rev().take_while(|sample| sample.at > to);
    let met = after.filter_map(|sample| {
        let (here, there) = (sample.zone(paused)?, sample.zone(other)?);
        let floor = here.ack_floor()?;
        (there.ack_floor() == Some(floor) && here.last_seq() == Some(floor)).then_some(floor)
    });
    let met = met.max().filter(|met| *met >= end).ok_or(Reason::FloorsNeverMet)?;
    let (paused, zone) = (zone(), other.clone());
    let reason = Reason::Independent { paused, floor, waiting, zone, processed, gap, met };
    Ok(Finding::proved(CHECK.id, reason)
        .with("paused at", floor)
        .with("waiting", waiting)
        .with("the other zone processed", processed)
        .with("floors apart", gap)
        .with("floors met at", met))
}

/// The going zone stood still while the other was paused; unless it did so before as well.
fn stalled(case: &Case<'_>) -> Result<Option<Finding>, Reason> {
    let zone = &case.begin.mirror;
    let longest = |name: &str| {
        let row = case.run.latency(zone, name);
        let none = || Reason::NoLatency { zone: zone.clone(), phase: name.to_owned() };
        let row = row.ok_or_else(none)?;
        let acked = row.acked.unwrap_or(0);
        let measured = row.histogram.count();
        if measured < acked {
            let (zone, phase) = (zone.clone(), name.to_owned());
            return Err(Reason::NotAllMeasured { zone, phase, measured, acked });
        }
        Ok((row, row.histogram.quantile(100.0).ok_or_else(none)?))
    };
    let (row, before) = longest("before")?;
    if before.us() >= STALL_US {
        return Err(Reason::NoisyBaseline {
            zone: zone.clone(),
            phase: "before".into(),
            p99: row.histogram.quantile(99.0).unwrap_or(before),
            longest: before,
            limit_us: STALL_US,
        });
    }
    let (_, apart) = longest("apart")?;
    Ok((apart.us() >= STALL_US).then(|| {
        let (zone, phase) = (zone.clone(), "apart".to_owned());
        let (pause_us, limit_us) = (apart.us(), STALL_US);
        Finding::broken(CHECK.id, Reason::Stalled { zone, phase, pause_us, limit_us })
    }))
}

fn live(live: &Live<'_>, counters: &mut Vec<LiveCounter>) {
    for zone in [&live.begin.source, &live.begin.mirror] {
        let floor = live.run.last(zone).and_then(Zone::ack_floor);
        counters.push(LiveCounter::known(&format!("{zone} ack floor"), floor));
    }
}
