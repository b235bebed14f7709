//! Did the promoted zone's consumer go on where it was?
//!
//! Observed: its ack floor, as the zone's own servers say, before the source was lost and in every
//! sample after that; that it reaches the end of the zone's stream.

use super::{
    Case, Check, Finding,
    case::PROGRESS,
    live::{Live, LiveCounter},
    or_void, promoted,
    reason::{Reason, When},
};
use crate::region::{UnixMs, format::count, status::Zone};

pub(super) static CHECK: Check = Check {
    id: "floors",
    was: &[],
    question: "did the promoted zone's consumer go on where it was?",
    by_ledger: false,
    by_replicas: false,
    live,
    judge: |case| or_void(&CHECK, judge(case)),
};

fn judge(case: &Case<'_>) -> Result<Finding, Reason> {
    let zone = promoted::zone(case).clone();
    let (load, promoting) = (case.phase("load")?, case.phase("promoting")?);
    let end = case.run.ended.unwrap_or(UnixMs::MAX);
    case.watched(When::Failover, promoting.from, case.phase("after")?.from)?;
    let floors = |from, to| {
        let seen = case.run.between(from, to).iter();
        seen.filter_map(|sample| sample.zone(&zone)?.ack_floor())
    };
    let unknown = || Reason::FloorUnknown { zone: zone.clone() };
    // While its leader changes, nobody tells.
    let before = floors(load.from, case.phase("lost")?.from).max().ok_or_else(unknown)?;
    let lowest = floors(promoting.from, end).min().ok_or_else(unknown)?;
    if lowest < before {
        let reason = Reason::FloorWentBack { zone, from: before, to: lowest };
        return Ok(Finding::broken(CHECK.id, reason));
    }
    let last = floors(promoting.from, end).next_back().ok_or_else(unknown)?;
    if !case.is_drained(&zone) {
        return Err(Reason::NotDrained { zone });
    }
    if last < before + PROGRESS {
        let (phase, count, needed) = ("after".into(), last - before, PROGRESS);
        return Err(Reason::NoProgress { zone, phase, count, needed });
    }
    let reason = Reason::FloorKept { zone, before, lowest, last };
    Ok(Finding::proved(CHECK.id, reason)
        .with("ack floor before the loss", before)
        .with("lowest since the promotion", lowest)
        .with("at the end", last))
}

fn live(live: &Live<'_>, counters: &mut Vec<LiveCounter>) {
    let zone = &live.begin.mirror;
    let floor = live.run.last(zone).and_then(Zone::ack_floor).map(count);
    counters.push(LiveCounter::known(&format!("ack floor of {zone}"), floor));
}
