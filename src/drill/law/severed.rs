//! The cut was real: effective at both ends for its whole phase, and nothing passed it.

use super::{
    Case, Finding,
    ran::{LONGEST_GAP_MS, LOOKS, PROGRESS, longest_gap},
};
use crate::region::snapshot::LinkState;

const CHECK: &str = "severed";

/// The law.
pub(super) fn severed(case: &Case<'_>) -> Finding {
    match real(case) {
        Ok(finding) => finding,
        Err(why) => Finding::void(CHECK, why),
    }
}

/// The cut was real, or why that is not proved.
pub(super) fn real(case: &Case<'_>) -> Result<Finding, String> {
    let mirror = &case.begin.mirror;
    let phase = case.phase("during")?;
    let acked = case.run.acked_in(phase);
    if acked < PROGRESS {
        return Err(format!(
            "nothing was produced during the cut: {acked} messages, at least {PROGRESS} are needed"
        ));
    }
    let end = phase.to.unwrap_or(phase.from);
    let samples = case.watched("during the cut", phase.from, end)?;
    let zones = || samples.iter().filter_map(|s| s.zone(mirror).map(|zone| (s.at, zone)));
    // What arrived is told first: it says how much of the test is void.
    let last_seqs: Vec<u64> = zones().filter_map(|(_, zone)| zone.last_seq).collect();
    let (Some(held), Some(most)) = (last_seqs.first(), last_seqs.iter().max()) else {
        return Err(format!("what zone {mirror} held during the cut is not known"));
    };
    let leaked = most - held;
    let delivered = zones().filter_map(|(_, zone)| zone.delivered).max().unwrap_or(0);
    let leaked = leaked.max(delivered.saturating_sub(*held));
    if leaked > 0 {
        return Err(format!(
            "the cut leaked: {leaked} of {acked} messages sent during it arrived in zone {mirror} before the heal"
        ));
    }
    for (at, zone) in zones() {
        let leafs = zone.leafs_here.unwrap_or(0).max(zone.leafs_there.unwrap_or(0));
        let after = (at - phase.from) as f64 / 1000.0;
        if leafs > 0 {
            return Err(format!(
                "the cut was not effective: {after:.1} s into it zone {mirror} and its source had {leafs} leafnode connections"
            ));
        }
        if zone.link.is_some_and(|link| link != LinkState::Cut) {
            return Err(format!(
                "the cut did not last: {after:.1} s into it the link of zone {mirror} was no longer cut"
            ));
        }
    }
    let proofs = zones().filter(|(_, zone)| {
        zone.cut_effective
            && zone.leafs_here == Some(0)
            && zone.leafs_there == Some(0)
            && zone.link == Some(LinkState::Cut)
    });
    let times: Vec<u64> = proofs.map(|(at, _)| at).collect();
    let gap = longest_gap(
        std::iter::once(phase.from).chain(times.iter().copied()).chain(std::iter::once(end)),
    );
    if times.len() < LOOKS || gap > LONGEST_GAP_MS {
        return Err(format!(
            "the cut was not proved effective at both ends: {} looks prove it, and {:.1} s passed without one",
            times.len(),
            gap as f64 / 1000.0
        ));
    }
    let lasted = (end - phase.from) as f64 / 1000.0;
    Ok(Finding::proved(
        CHECK,
        format!(
            "the cut was effective at both ends for all of {lasted:.1} s ({} looks), and none of {acked} messages sent during it reached zone {mirror}",
            times.len()
        ),
    )
    .with("looks", times.len())
    .with("acked during the cut", acked)
    .with("arrived before the heal", 0)
    .with("the mirror's last sequence", held))
}
