//! Does the new zone hold everything from the first message on, and did its consumer receive it?
//!
//! Observed: first and last sequences of both zones' streams and the new consumer's ack floor, as
//! the zones' own servers say at the end; the source's last sequence at the joining; the ledger's
//! account of what the new consumer processed.

use super::{
    Check, Finding,
    case::{Case, PROGRESS},
    live::{Live, LiveCounter},
    or_void,
    producer::joined,
    reason::{Reason, Unknown},
};
use crate::region::{ZoneName, status::Zone};

pub(super) static CHECK: Check = Check {
    id: "backfill",
    was: &[],
    question: "does the new zone hold everything from the first message on, and did its consumer receive it?",
    by_ledger: false,
    by_replicas: false,
    live,
    judge: |case| or_void(&CHECK, judge(case)),
};

fn judge(case: &Case<'_>) -> Result<Finding, Reason> {
    let (Some(new), Some((given, _))) = (&case.begin.new_zone, joined(case)) else {
        return Err(Reason::NotJoined);
    };
    let source = &case.begin.source;
    let unknown = |what, zone: &ZoneName| Reason::Unknown { what, zone: Some(zone.clone()) };
    let before = case.run.between(0, given.at).last().and_then(|s| s.zone(source)?.last_seq());
    let before = before.ok_or_else(|| unknown(Unknown::HeldAtJoin, source))?;
    let ends = |zone: &ZoneName| {
        let zone = case.run.last(zone)?;
        let stream = zone.stream.as_ref()?;
        Some((stream.first_seq, stream.last_seq, zone.ack_floor()))
    };
    let (first, last, floor) = ends(new).ok_or_else(|| unknown(Unknown::HeldAtEnd, new))?;
    let floor = floor.ok_or_else(|| unknown(Unknown::HeldAtEnd, new))?;
    let (source_first, source_last, _) =
        ends(source).ok_or_else(|| unknown(Unknown::HeldAtEnd, source))?;
    if before < source_first + PROGRESS - 1 {
        return Err(Reason::NothingToBackfill { zone: source.clone() });
    }
    let (zone, source) = (new.clone(), source.clone());
    if first != source_first {
        let reason = Reason::BeginsLate { zone, first, source, source_first };
        return Ok(Finding::broken(CHECK.id, reason));
    }
    if last < source_last || floor < last {
        return Err(Reason::NotDone { zone, last, source_last, floor });
    }
    let account = case.ledger.account(new, Some(floor));
    let missing = account.lost + account.behind;
    if missing > 0 {
        let reason = Reason::BackfillIncomplete { zone, missing, acked: account.acked };
        return Ok(Finding::broken(CHECK.id, reason));
    }
    let received = account.received;
    if received < PROGRESS {
        return Err(Reason::BackfillTooLittle { zone, received });
    }
    let reason = Reason::Backfilled { zone, first, last, source, before, received };
    Ok(Finding::proved(CHECK.id, reason)
        .with("first sequence", first)
        .with("last sequence", last)
        .with("last sequence when it joined", before)
        .with(&format!("consumer-{new} received"), received))
}

fn live(live: &Live<'_>, counters: &mut Vec<LiveCounter>) {
    let Some(new) = &live.begin.new_zone else { return };
    let got = live.run.last(new).map(|zone| zone.ledger.received);
    let of = live.run.last(&live.begin.source).and_then(Zone::last_seq);
    // Under load the consumer's word is newer than its stream's.
    let value = got.zip(of).map(|(got, of)| format!("{got}/{}", of.max(got)));
    let all = got.zip(of).is_some_and(|(got, of)| got >= of && of > 0);
    counters.push(LiveCounter::known(&format!("{new} received"), value).good(all));
}
