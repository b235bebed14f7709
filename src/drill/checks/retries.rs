//! Does the promoted zone know the ids of the messages it holds, or does it store a producer's retries
//! a second time?
//!
//! Observed: the ledger: which messages the producer sent again after the promotion, and what the zone
//! answered to each; every replica of the zone, read at the end.

use super::{
    Case, Check, Finding,
    case::PROGRESS,
    live::{Live, LiveCounter},
    promoted,
    reason::Reason,
};
use crate::{
    command::Command,
    ledger::finding::fault::Kind,
    region::{UnixMs, status::Verdict},
};

pub(super) static CHECK: Check = Check {
    id: "retries",
    was: &[],
    question: "are a producer's retries of messages that the promoted zone holds answered as duplicates?",
    by_ledger: true,
    by_replicas: true,
    live,
    judge: |case| judge(case).unwrap_or_else(|why| vec![Finding::void(CHECK.id, why)]),
};

fn judge(case: &Case<'_>) -> Result<Vec<Finding>, Reason> {
    let zone = promoted::zone(case).clone();
    let told = promoted::promotion(case)?;
    let held = told.known + told.stored_twice.count;
    if told.stored_twice.count > 0 {
        let reason = Reason::StoredTwice {
            zone,
            count: told.stored_twice.count,
            of: held,
            ids: told.stored_twice.ids,
            copy: case.begin.copy_kind,
            rebuilt: case.begin.options.rebuild_dedup,
        };
        let finding = Finding::broken(CHECK.id, reason)
            .with("retries of messages that it held", held)
            .with("stored a second time", told.stored_twice.count);
        return Ok(vec![finding]);
    }
    let replicas = promoted::replicas(case)?;
    let damaged = promoted::damaged(CHECK.id, &replicas, |fault| fault.of(Kind::Duplicates));
    if !damaged.is_empty() {
        return Ok(damaged);
    }
    let asked = case.commands().find_map(|command| match command {
        Command::ProducerMove { resend, .. } => Some(resend),
        _ => None,
    });
    let needed = asked.unwrap_or(0).max(PROGRESS);
    if told.resent < needed || held < PROGRESS {
        let (resent, held) = (told.resent, held);
        return Err(Reason::NotRetried { zone, resent, held, needed });
    }
    let (known, resent) = (told.known, told.resent);
    let finding = Finding::proved(CHECK.id, Reason::RetriesKnown { zone, known, resent })
        .with("sent again", resent)
        .with("answered as duplicates", known)
        .with("stored a second time", 0);
    Ok(vec![finding])
}

fn live(live: &Live<'_>, counters: &mut Vec<LiveCounter>) {
    let zone = &live.begin.mirror;
    let promoting = live.run.phase("promoting").map_or(UnixMs::MAX, |phase| phase.from);
    let twice = live.run.between(promoting, UnixMs::MAX).last();
    let twice = twice.and_then(|sample| Some(sample.zone(zone)?.ledger.duplicates));
    let counter = LiveCounter::known(&format!("stored twice in {zone}"), twice);
    let bad = twice.is_some_and(|count| count > 0);
    counters.push(counter.good(twice == Some(0)).bad(bad).fails(Verdict::Broken));
}
