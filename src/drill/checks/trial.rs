//! Whether the run tested anything at all. Made of every run.
//!
//! Observed: deliveries that came to somebody else, by the server's count of them; messages that are
//! no drill messages, on the streams that were read and as consumers received them, after the
//! source's last sequence at the first look; the record's own beginning, end and interruptions; the produce commands' answers
//! beside the ledger's counts; the expectations at the first look.

use super::{Case, Finding, expectations, reason::Reason};
use crate::drill::{conclusions, library};

/// The id of its findings.
pub(super) const ID: &str = "trial";

/// What would explain everything that follows.
pub(super) fn judge(case: &Case<'_>) -> Vec<Finding> {
    let run = case.run;
    let mut reasons: Vec<Reason> = (run.elsewhere.iter())
        .map(|(zone, count)| Reason::DeliveredElsewhere { zone: zone.clone(), count: *count })
        .collect();
    reasons.extend(somebody_published(case));
    if let Some(why) = &run.interrupted {
        reasons.push(Reason::Interrupted { why: why.clone() });
    }
    if run.ended.is_none() {
        reasons.push(Reason::NoEnd);
    }
    reasons.extend(run.odd.first().map(|what| Reason::Contradiction { what: *what }));
    if !library::is_ours(case.begin) {
        reasons.push(Reason::OtherScript { drill: case.begin.drill.clone() });
    }
    let phases = || run.phases.iter().map(|phase| phase.name.as_str());
    if let Some(requirement) = conclusions::required(case.script.conclusion)
        && let Err(phase) = match case.begin.by_hand.as_slice() {
            [] => requirement.phases_of(case.script),
            _ => requirement.phases_among(phases()),
        }
    {
        let conclusion = requirement.number;
        reasons.push(Reason::PhaseMissing { conclusion, phase: phase.to_owned() });
    }
    let acked: u64 = run.produced().map(|produced| produced.acked).sum();
    if acked == 0 && case.produces() {
        reasons.push(Reason::NothingProduced);
    } else if acked == 0 && expectations::met_from_the_start(case) {
        reasons.push(Reason::NothingShown);
    }
    for produced in run.produced() {
        let (producer, reported) = (produced.producer, produced.acked);
        let known = case.ledger.acked_of(producer);
        if known != reported {
            reasons.push(Reason::LedgerDiffers { producer, reported, known });
        }
    }
    reasons.into_iter().map(|reason| Finding::void(ID, reason)).collect()
}

/// Messages that somebody else published while the drill ran, and that no producer can have sent.
fn somebody_published(case: &Case<'_>) -> Option<Reason> {
    let began = case.run.samples.first()?.zone(&case.begin.source)?.last_seq()?;
    let began = case.ledger.sequence(began);
    let streams = case.streams.iter().map(|read| read.audit.plain_after(began));
    let count = streams.chain([case.ledger.plain_after(began)]).max()?;
    (count > 0).then_some(Reason::SomebodyPublished { count })
}
