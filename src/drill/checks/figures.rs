//! Do the figures on the screen agree with the servers' own, once nothing moves any more?
//!
//! Observed: the last sample, which is the status as every screen had it then; the answers of each
//! zone's leaders to `STREAM.INFO` and `CONSUMER.INFO`, asked for just before by a client's API (the
//! room watches by the monitoring of every server); what was read from each replica.

use super::{Check, Finding, case::Case, reason::Reason};
use crate::{
    drill::told::{Differs, compare, lag},
    region::ZoneName,
};

pub(super) static CHECK: Check = Check {
    id: "figures",
    was: &[],
    question: "do the figures on the screen agree with the servers' own?",
    by_ledger: false,
    by_replicas: true,
    live: |_, _| {},
    judge,
};

fn judge(case: &Case<'_>) -> Vec<Finding> {
    let found = case.zones().into_iter().map(|zone| match of_zone(case, zone) {
        Ok(count) => {
            let zone = zone.clone();
            Finding::proved(CHECK.id, Reason::FiguresAgree { zone, count })
        }
        Err(reason @ Reason::FigureDiffers { .. }) => Finding::broken(CHECK.id, reason),
        Err(reason) => Finding::void(CHECK.id, reason),
    });
    found.collect()
}

/// How many of its figures agree.
fn of_zone(case: &Case<'_>, name: &ZoneName) -> Result<usize, Reason> {
    let nothing = || Reason::NothingTold { zone: name.clone() };
    let told = case.run.told.get(name).ok_or_else(nothing)?;
    let zone = case.run.last(name).ok_or_else(nothing)?;
    let differs = |Differs { figure, shown, told }| {
        Err(Reason::FigureDiffers { zone: name.clone(), figure, shown, told })
    };
    if let Some(first) = compare(zone, told).into_iter().next() {
        return differs(first);
    }
    let mut count = told.len();
    let source = case.run.told.get(&case.begin.source);
    if let (Some(mirror), Some(behind)) =
        (&zone.mirror, source.and_then(|source| lag(source, told)))
    {
        if mirror.true_lag != Some(behind) {
            let figure = "mirror.true_lag".to_owned();
            return differs(Differs { figure, shown: mirror.true_lag, told: behind });
        }
        count += 1;
    }
    // What each replica holds, as it was read from that very server.
    let shown = zone.stream.as_ref().map(|stream| stream.messages);
    for read in case.run.streams.iter().filter(|read| read.zone == *name) {
        if shown != Some(read.messages) {
            let figure = format!("stream.messages of {}", read.replica);
            return differs(Differs { figure, shown, told: read.messages });
        }
        count += 1;
    }
    Ok(count)
}
