//! Was the cut real: confirmed at both ends for its whole phase, and nothing passed it?
//!
//! Observed: leafnode connections as the servers of both ends count them; the last sequence of the
//! mirror's stream and its consumer's delivered sequence, as the mirror zone's servers say; the
//! link's state as the room commands it; the source's acknowledgements.

use super::{
    Check, Finding,
    case::{Case, LONGEST_GAP_MS, LOOKS, PROGRESS, longest_gap},
    live::{Live, LiveCounter},
    or_void,
    reason::{Reason, Unknown, When},
};
use crate::region::{
    external::cutting::ShownBy,
    status::{LinkState, Zone},
};

pub(super) static CHECK: Check = Check {
    id: "severed",
    was: &[],
    question: "was the cut confirmed at both ends for its whole phase, and did nothing pass it?",
    by_ledger: false,
    by_replicas: false,
    live,
    judge: |case| or_void(&CHECK, real(case)),
};

/// The cut was real, or why that is not proved.
pub(super) fn real(case: &Case<'_>) -> Result<Finding, Reason> {
    let mirror = &case.begin.mirror;
    let phase = case.phase("during")?;
    let end = phase.to.unwrap_or(phase.from);
    let acked = case.acked_between(phase.from, end).unwrap_or(0);
    if acked < PROGRESS {
        return Err(Reason::NothingDuringCut { acked, needed: PROGRESS });
    }
    let samples = case.watched(When::Cut, phase.from, end)?;
    let zones = || samples.iter().filter_map(|s| s.zone(mirror).map(|zone| (s.at, zone)));
    // What arrived is told first: it says how much of the test is void. The zone's own count knows
    // it at once; recordings from before it was kept have only what was read as the source's.
    let own = zones().all(|(_, zone)| zone.own_counts().is_some());
    let counts = |zone: &Zone| match zone.own_counts() {
        Some(counts) if own => Some(counts),
        _ => zone.last_seq().map(|last| (last, zone.delivered())),
    };
    let counted: Vec<_> = zones().filter_map(|(_, zone)| counts(zone)).collect();
    // The first look may be older than the cut: what the zone was seen to hold before did not leak.
    let before = case.run.samples.iter().filter(|sample| sample.at <= phase.from);
    let before = before.filter_map(|sample| Some(counts(sample.zone(mirror)?)?.0)).max();
    let Some(held) = counted.first().map(|(last, _)| *last).max(before) else {
        let zone = Some(mirror.clone());
        return Err(Reason::Unknown { what: Unknown::HeldDuringCut, zone });
    };
    let reached = counted.iter().map(|(last, delivered)| *last.max(&delivered.unwrap_or(0)));
    let leaked = reached.max().unwrap_or(0).saturating_sub(held);
    if leaked > 0 {
        return Err(Reason::Leaked { count: leaked, of: acked, zone: mirror.clone() });
    }
    if zones().any(|(_, zone)| zone.cut_shown_by() == Some(ShownBy::Paused)) {
        return Err(Reason::OnlyPaused { zone: mirror.clone(), missed: acked });
    }
    for (at, zone) in zones() {
        let (here, there) = zone.leafs();
        let leafs = here.unwrap_or(0).max(there.unwrap_or(0));
        let after_ms = at.saturating_sub(phase.from);
        if leafs > 0 {
            return Err(Reason::CutNotEffective { after_ms, zone: mirror.clone(), leafs });
        }
        if zone.link_state().is_some_and(|link| link != LinkState::Cut) {
            return Err(Reason::CutEnded { after_ms, zone: mirror.clone() });
        }
    }
    let confirmed =
        zones().filter(|(_, zone)| confirmed(zone) && zone.link_state() == Some(LinkState::Cut));
    // Of a link of others a sample tells the last look at its ends, which several may share.
    let asked = confirmed.map(|(at, zone)| zone.ends_asked_at().unwrap_or(at));
    let mut times: Vec<u64> = asked.filter(|at| *at >= phase.from).collect();
    times.dedup();
    let all = std::iter::once(phase.from).chain(times.iter().copied()).chain([end]);
    let (looks, longest_ms) = (times.len(), longest_gap(all));
    if looks < LOOKS || longest_ms > LONGEST_GAP_MS {
        return Err(Reason::CutNotProved { looks, longest_ms });
    }
    let (ms, zone) = (end.saturating_sub(phase.from), mirror.clone());
    Ok(Finding::proved(CHECK.id, Reason::Severed { ms, looks, acked, zone })
        .with("looks", looks)
        .with("acked during the cut", acked)
        .with("arrived before the heal", 0)
        .with("the mirror's last sequence", held))
}

/// Both ends say that the cut is there; of a link that somebody else runs, what was seen of it.
fn confirmed(zone: &Zone) -> bool {
    let severed = zone.cut_shown_by().is_some_and(ShownBy::severs);
    zone.cut_effective() && (severed || zone.leafs() == (Some(0), Some(0)))
}

const EFFECTIVE: &str = "effective at both ends";

fn live(live: &Live<'_>, counters: &mut Vec<LiveCounter>) {
    let zone = &live.begin.mirror;
    let received = format!("{zone} received new during the cut");
    let Some((first, last)) = live.ends("during", zone) else {
        // It is confirmed before the messages come that it is to keep out: tell it then.
        let proved = live.run.last(zone).is_some_and(confirmed);
        counters.push(LiveCounter::known(EFFECTIVE, proved.then_some("yes")).good(proved));
        counters.push(LiveCounter::unknown(&received));
        return;
    };
    let (here, there) = last.leafs();
    let leafs = here.zip(there).map(|(here, there)| here + there);
    counters.push(match leafs {
        Some(0) if last.cut_effective() => LiveCounter::known(EFFECTIVE, Some("yes")).good(true),
        Some(leafs) if leafs > 0 => {
            let value = format!("no, {leafs} leafnode connections");
            LiveCounter::known(EFFECTIVE, Some(value)).bad(true)
        }
        None if confirmed(last) => LiveCounter::known(EFFECTIVE, Some("yes")).good(true),
        _ => LiveCounter::unknown(EFFECTIVE),
    });
    let last_seq = |zone: &Zone| zone.own_counts().map_or(zone.last_seq(), |(last, _)| Some(last));
    let leaked = last_seq(first).zip(last_seq(last)).map(|(was, is)| is.saturating_sub(was));
    let counter = LiveCounter::known(&received, leaked);
    counters.push(counter.good(leaked == Some(0)).bad(leaked.is_some_and(|count| count > 0)));
}
