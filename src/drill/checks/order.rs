//! Are the messages in the promoted zone in each producer's order, as they were sent, and nobody else's?
//!
//! Observed: every replica of the zone, read at the end; the ledger, for what was sent, and what was
//! sent again (whose place is the producer's own doing).

use super::{Case, Check, Finding, case::PROGRESS, promoted, reason::Reason};
use crate::ledger::finding::fault::Kind;

pub(super) static CHECK: Check = Check {
    id: "order",
    was: &[],
    question: "are the messages in the promoted zone in each producer's order, and as they were sent?",
    by_ledger: true,
    by_replicas: true,
    live: |_, _| {},
    judge: |case| judge(case).unwrap_or_else(|why| vec![Finding::void(CHECK.id, why)]),
};

fn judge(case: &Case<'_>) -> Result<Vec<Finding>, Reason> {
    let zone = promoted::zone(case).clone();
    let told = promoted::promotion(case)?;
    let replicas = promoted::replicas(case)?;
    // What is lost or twice is for the others.
    let other = |fault: &_| !promoted::is_loss(fault) && !fault.of(Kind::Duplicates);
    let damaged = promoted::damaged(CHECK.id, &replicas, other);
    if !damaged.is_empty() {
        return Ok(damaged);
    }
    if told.acked < PROGRESS {
        let (phase, count, needed) = ("after".into(), told.acked, PROGRESS);
        return Err(Reason::NoProgress { zone, phase, count, needed });
    }
    let messages = replicas.iter().filter_map(|(_, found)| found.on_stream).min().unwrap_or(0);
    let late = replicas.iter().map(|(_, found)| found.late_by_resend).max().unwrap_or(0);
    let (replicas, acked) = (replicas.len(), told.acked);
    let finding =
        Finding::proved(CHECK.id, Reason::InOrder { zone, replicas, messages, acked, late })
            .with("replicas", replicas)
            .with("messages", messages)
            .with("acknowledged by it alone", acked)
            .with("late by the producer's own retry", late);
    Ok(vec![finding])
}
