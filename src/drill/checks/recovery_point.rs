//! What of the acknowledged messages did the promoted zone not hold, and is anything of that missing?
//!
//! Observed: the ledger: which messages the source acknowledged after the last one that the promoted
//! zone holds, and when; every replica of the promoted zone, read at the end.

use super::{
    Case, Check, Finding,
    case::PROGRESS,
    live::{Live, LiveCounter},
    promoted,
    reason::Reason,
};
use crate::region::{format::count, status::Zone};

pub(super) static CHECK: Check = Check {
    id: "recovery-point",
    was: &[],
    question: "what of the acknowledged messages did the promoted zone not hold, and is anything of that missing at the end?",
    by_ledger: true,
    by_replicas: true,
    live,
    judge: |case| judge(case).unwrap_or_else(|why| vec![Finding::void(CHECK.id, why)]),
};

fn judge(case: &Case<'_>) -> Result<Vec<Finding>, Reason> {
    let zone = promoted::zone(case).clone();
    let (load, lost) = (case.phase("load")?, case.phase("lost")?);
    let acked = case.acked_between(load.from, lost.from).unwrap_or(0);
    if acked < PROGRESS {
        return Err(Reason::NothingBeforeLoss { acked, needed: PROGRESS });
    }
    let told = promoted::promotion(case)?;
    if told.missing.count > 0 {
        let (count, ids, of) = (told.missing.count, told.missing.ids, told.owed.count);
        let reason = Reason::AckedLost { zone, source: case.begin.source.clone(), count, of, ids };
        return Ok(vec![Finding::broken(CHECK.id, reason)]);
    }
    let replicas = promoted::replicas(case)?;
    let damaged = promoted::damaged(CHECK.id, &replicas, promoted::is_loss);
    if !damaged.is_empty() {
        return Ok(damaged);
    }
    if !case.is_drained(&zone) {
        return Err(Reason::NotDrained { zone });
    }
    let reason = Reason::RecoveryPoint {
        zone,
        source: case.begin.source.clone(),
        count: told.owed.count,
        ms: told.owed_ms,
        ids: told.owed.ids.clone(),
    };
    let ms = told.owed_ms.map_or_else(|| "?".to_owned(), |ms| ms.to_string());
    let finding = Finding::proved(CHECK.id, reason)
        .with("acknowledged and not held", told.owed.count)
        .with("milliseconds of acknowledgements", ms)
        .with("held up to the source's sequence", told.after)
        .with("missing at the end", told.missing.count)
        .with("their ids", told.owed.ids.join(", "));
    Ok(vec![finding])
}

fn live(live: &Live<'_>, counters: &mut Vec<LiveCounter>) {
    let last = live.run.last(&live.begin.mirror);
    let lag = last.and_then(Zone::true_lag).map(count);
    counters.push(LiveCounter::known(&format!("{} true lag", live.begin.mirror), lag));
}
