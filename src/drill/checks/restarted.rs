//! Was every server of two zones stopped and started again, one at a time, while messages were taken?
//!
//! Observed: each server's own id as it answers at the beginning and at the end; the nodes' states in
//! every sample of the two phases; the producer's acknowledgements there, as it counts them itself.

use std::collections::BTreeSet;

use super::{
    Case, Check, Finding,
    reason::{Reason, When},
};
use crate::{
    drill::record::Sample,
    region::{
        NodeName, UnixMs, ZoneName, format::span, observation::ServerFacts, status::NodeState,
    },
};

pub(super) static CHECK: Check = Check {
    id: "restarted",
    was: &[],
    question: "was every server stopped and started again, one at a time, while messages were taken?",
    by_ledger: false,
    by_replicas: false,
    live: |_, _| {},
    judge,
};

/// The phases in which it happens, and the zone that each is of.
fn phases<'a>(case: &'a Case<'_>) -> [(&'static str, &'a ZoneName); 2] {
    [("rolling-mirror", &case.begin.mirror), ("rolling-source", &case.begin.source)]
}

/// A finding for each zone, and one for the load.
fn judge(case: &Case<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = phases(case)
        .into_iter()
        .map(|(phase, zone)| match zone_restarted(case, phase, zone) {
            Ok(reason) => Finding::proved(CHECK.id, reason),
            Err(reason) => Finding::void(CHECK.id, reason),
        })
        .collect();
    findings.push(match under_load(case) {
        Ok(reason @ Reason::TakenMeanwhile { acked, gap_ms }) => {
            Finding::proved(CHECK.id, reason).with("acked", acked).with("longest gap", span(gap_ms))
        }
        Ok(reason) | Err(reason) => Finding::void(CHECK.id, reason),
    });
    findings
}

fn zone_restarted(case: &Case<'_>, phase: &str, zone: &ZoneName) -> Result<Reason, Reason> {
    let phase = case.phase(phase)?;
    let to = phase.to.unwrap_or(UnixMs::MAX);
    case.watched(When::Phase(phase.name.clone()), phase.from, to)?;
    let looks = &case.run.servers;
    let (Some(first), Some(last)) = (looks.first(), looks.last()) else {
        return Err(Reason::ServersUnknown { zone: zone.clone() });
    };
    let wanted = case.begin.options.to_version.as_ref();
    let mut versions = BTreeSet::new();
    for node in zone.nodes() {
        let of = |look: &[ServerFacts]| {
            let facts = look.iter().find(|fact| fact.node == node.to_string())?;
            Some(facts.clone()).filter(|facts| !facts.server_id.is_empty())
        };
        let (Some(before), Some(after)) = (of(first), of(last)) else {
            return Err(Reason::ServersUnknown { zone: zone.clone() });
        };
        if before.server_id == after.server_id {
            return Err(Reason::NotRestarted { node });
        }
        if let Some(wanted) = wanted.filter(|wanted| after.version != **wanted) {
            let (version, wanted) = (after.version, wanted.clone());
            return Err(Reason::OtherVersion { node, version, wanted });
        }
        versions.insert(before.version);
    }
    let samples = case.run.between(phase.from, to);
    one_at_a_time(samples.iter().map(|sample| {
        let zones = sample.status.zones.iter();
        zones.flat_map(|zone| &zone.nodes).map(|node| (&node.name, node.state))
    }))?;
    let (zone, servers) = (zone.clone(), zone.nodes().count());
    Ok(match wanted.cloned() {
        Some(version) if versions.iter().all(|before| *before == version) => {
            return Err(Reason::NotUpgraded { zone, version });
        }
        Some(to) => Reason::Upgraded { zone, servers, from: versions.into_iter().collect(), to },
        None => Reason::Restarted { zone, servers },
    })
}

/// No two servers of the region were away at once.
fn one_at_a_time<'a>(
    looks: impl Iterator<Item = impl Iterator<Item = (&'a NodeName, NodeState)>>,
) -> Result<(), Reason> {
    // A silent one runs, as far as is known.
    let away = |state| !matches!(state, NodeState::Up | NodeState::Silent);
    for look in looks {
        let away: Vec<&NodeName> =
            look.filter(|(_, state)| away(*state)).map(|(node, _)| node).collect();
        if let [one, other, ..] = away.as_slice() {
            return Err(Reason::TwoAway { nodes: [(*one).clone(), (*other).clone()] });
        }
    }
    Ok(())
}

/// Messages were taken in both phases, and how long none was at most.
fn under_load(case: &Case<'_>) -> Result<Reason, Reason> {
    let (mut acked, mut gap_ms) = (0, 0);
    for (name, _) in phases(case) {
        let phase = case.phase(name)?;
        let samples = case.run.between(phase.from, phase.to.unwrap_or(UnixMs::MAX));
        let taken = taken(samples.iter().map(counted));
        let idle = samples.iter().any(|sample| !sample.status.producer.active);
        let Some((count, longest_ms)) = taken.filter(|(count, _)| *count > 0 && !idle) else {
            return Err(Reason::NothingMeanwhile { phase: phase.name.clone() });
        };
        acked += count;
        gap_ms = gap_ms.max(longest_ms);
    }
    Ok(Reason::TakenMeanwhile { acked, gap_ms })
}

fn counted(sample: &Sample) -> (UnixMs, u64) {
    (sample.at, sample.status.producer.acked)
}

/// How many more were acknowledged from the first look to the last, and the longest time in which none
/// can have been, in ms: from the look before one came to the look at which the next one is there.
/// `None` without two looks.
fn taken(mut looks: impl Iterator<Item = (UnixMs, u64)>) -> Option<(u64, u64)> {
    let (began, first) = looks.next()?;
    let (mut since, mut before, mut count, mut longest) = (began, began, first, None);
    for (now, acked) in looks {
        longest = longest.max(Some(now.saturating_sub(since)));
        if acked > count {
            (since, count) = (before, acked);
        }
        before = now;
    }
    longest.map(|longest| (count - first, longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_time_without_one_ends_with_the_next_or_with_the_phase() {
        let of = |looks: &[(UnixMs, u64)]| taken(looks.iter().copied());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(100, 5)]), None);
        assert_eq!(of(&[(100, 5), (200, 7), (900, 7), (1_000, 8)]), Some((3, 900)));
        assert_eq!(of(&[(100, 5), (200, 7), (1_500, 7)]), Some((2, 1_400)));
        assert_eq!(of(&[(100, 5), (900, 5)]), Some((0, 800)));
    }

    #[test]
    fn two_servers_are_never_away_at_once() {
        use NodeState::{Dead, Silent, Starting, Stopped, Up};
        let names = ["js1-zone-a", "js2-zone-a", "js1-zone-b"].map(|name| name.parse().unwrap());
        let judged = |looks: &[[NodeState; 3]]| {
            one_at_a_time(looks.iter().map(|look| names.iter().zip(look.iter().copied())))
        };
        let one = [[Up, Up, Up], [Up, Stopped, Up], [Silent, Starting, Up]];
        assert_eq!(judged(&one), Ok(()));
        for two in [[Stopped, Dead, Up], [Starting, Up, Stopped]] {
            assert!(matches!(judged(&[two]), Err(Reason::TwoAway { .. })), "{two:?}");
        }
    }
}
