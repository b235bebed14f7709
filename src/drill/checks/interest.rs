//! Does a source that deletes what its consumers have hold for a copy what that lacks?
//!
//! Observed: the retention, as the room has set it; the first and the last sequence of the source's
//! stream, its consumer's ack floor, and the last sequence of the copy, as their leaders tell.

use super::{
    Check, Finding,
    case::{Case, PROGRESS},
    live::{Live, LiveCounter},
    or_void,
    reason::Reason,
    retention::{Look, gone, looks},
};
use crate::{
    drill::record::Sample,
    region::{
        keeping::Retention,
        status::{Verdict, Zone},
    },
};

pub(super) static CHECK: Check = Check {
    id: "interest",
    was: &[],
    question: "did a source that deletes what its consumers have hold for the copy what that lacked in the cut?",
    by_ledger: false,
    by_replicas: false,
    live,
    judge: |case| or_void(&CHECK, judge(case)),
};

fn judge(case: &Case<'_>) -> Result<Finding, Reason> {
    let (source, zone) = (case.begin.source.clone(), case.begin.mirror.clone());
    let phase = case.phase("during")?;
    let end = phase.to.unwrap_or(phase.from);
    let set = |sample: &Sample| {
        sample.zone(&source).is_some_and(|zone| zone.keeping.retention == Retention::Interest)
    };
    if !case.run.between(phase.from, end).iter().all(set) {
        return Err(Reason::NoInterest { zone: source });
    }
    let (linked, during) = (looks(case, "linked", "linked")?, looks(case, "during", "during")?);
    let deleted = |looks: &[Look]| looks.iter().map(|look| look.first).max().unwrap_or(0);
    let before = linked.first().map_or(0, |look| look.first);
    if deleted(&linked) < before + PROGRESS {
        return Err(Reason::NothingOfInterest { zone: source });
    }
    let last = during[during.len() - 1];
    let mut floors = case.run.between(phase.from, end).iter().rev();
    let floor = floors.find_map(|sample| sample.zone(&source)?.ack_floor());
    let of = last.behind();
    if of < PROGRESS || floor < Some(last.last) {
        return Err(Reason::NotConsumed { zone: source });
    }
    let (gone, ms) = (deleted_for(&during), end.saturating_sub(phase.from));
    Ok(if gone == 0 {
        Finding::proved(CHECK.id, Reason::HeldForCopy { zone, source, count: of, ms })
    } else {
        let via = case.begin.mirror_kind;
        Finding::broken(CHECK.id, Reason::GoneForCopy { zone, source, gone, of, ms, via })
    })
}

/// The most that were deleted and that the copy lacked.
fn deleted_for(during: &[Look]) -> u64 {
    during.iter().map(|look| look.gone()).max().unwrap_or(0)
}

fn live(live: &Live<'_>, counters: &mut Vec<LiveCounter>) {
    let (source, mirror) = (&live.begin.source, &live.begin.mirror);
    let look = live.run.samples.last().and_then(|sample| Look::of(sample, source, mirror));
    let held = live.run.last(source).and_then(|zone: &Zone| Some(zone.stream.as_ref()?.messages));
    counters.push(LiveCounter::known("held at the source", held));
    // Linked, a message may be gone before the copy tells that it has it.
    let phase = live.run.phases.last().is_some_and(|phase| phase.name == "during");
    let count = look.filter(|_| phase).map(Look::gone);
    let lost = count.is_some_and(|gone| gone > 0);
    counters.push(gone(count, mirror).bad(lost).fails(Verdict::Broken));
}
