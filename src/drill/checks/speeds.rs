//! Did both zones consume at different speeds while both had work?
//!
//! Observed: the ledger's count of what each consumer processed, at the samples of the phase
//! `speeds` in which both consumers' ack floors, as their servers say, were behind the source's last
//! sequence.

use super::{
    Check, Finding,
    case::{Case, PROGRESS},
    or_void,
    reason::{Reason, Speeds, When},
};
use crate::{drill::record::Sample, region::status::Zone};

/// Speeds differ when one zone processed this many times as much as the other.
const TIMES: f64 = 1.5;

pub(super) static CHECK: Check = Check {
    id: "speeds",
    was: &[],
    question: "did both zones consume at different speeds while both had work?",
    by_ledger: false,
    by_replicas: false,
    live: |_, _| {},
    judge: |case| or_void(&CHECK, judge(case)),
};

fn judge(case: &Case<'_>) -> Result<Finding, Reason> {
    let (one, other) = (&case.begin.source, &case.begin.mirror);
    let phase = case.phase("speeds")?;
    let when = When::Phase(phase.name.clone());
    let samples = case.timed(when, phase.from, phase.to.unwrap_or(phase.from))?;
    let end = |sample: &Sample| sample.zone(one)?.last_seq();
    // Only while both have work does a speed say anything.
    let busy = |sample: &&Sample| {
        let has_work = |name| {
            let floor = sample.zone(name).and_then(Zone::ack_floor);
            floor.zip(end(sample)).is_some_and(|(floor, end)| floor < end)
        };
        has_work(one) && has_work(other)
    };
    let busy: Vec<&Sample> = samples.iter().filter(busy).collect();
    let (Some(first), Some(last)) = (busy.first(), busy.last()) else {
        return Err(Reason::NeverBothAtWork);
    };
    let progress = |name| {
        let received = |sample: &Sample| Some(sample.zone(name)?.ledger.received);
        Some(received(last)?.saturating_sub(received(first)?))
    };
    let (ours, theirs) = progress(one).zip(progress(other)).ok_or(Reason::NeverBothAtWork)?;
    let (less, more) = (ours.min(theirs), ours.max(theirs));
    let finding = if less < PROGRESS {
        Speeds::TooLittle
    } else if (more as f64) < less as f64 * TIMES {
        Speeds::Alike
    } else {
        Speeds::Different
    };
    let reason = Reason::Speeds {
        finding,
        ms: last.at.saturating_sub(first.at),
        one: one.clone(),
        ours,
        other: other.clone(),
        theirs,
    };
    if finding != Speeds::Different {
        return Err(reason);
    }
    Ok(Finding::proved(CHECK.id, reason)
        .with(&format!("{one} processed"), ours)
        .with(&format!("{other} processed"), theirs)
        .with("times", format!("{:.1}", more as f64 / less as f64)))
}
