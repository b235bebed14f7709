//! What of a condition is proved by what was seen.

use super::{EndCount, Seen, WayCount};
use crate::region::condition::{Feature, LinkCondition, Share, Way};

/// Timers are this much too early at most, in microseconds.
const EARLY_US: u64 = 1_000;
/// A line held to a rate that carries more than these percent of it is not held to it.
const RATE_PERCENT: u64 = 125;
/// Connections to the servers carry also what is no message; what their ends count may be so many
/// percent of what the line carried. Beyond that the servers have compressed it.
const ENDS_PERCENT: u64 = 150;
/// Fewer packets than this tell nothing about a share of all.
const FEW: u64 = 4;

/// What has been shown about one thing that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Yes,
    NotYet,
    /// It is seen not to be so.
    No,
}

impl Shown {
    fn of(fact: Option<bool>) -> Self {
        match fact {
            None => Self::NotYet,
            Some(true) => Self::Yes,
            Some(false) => Self::No,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::NotYet,
        }
    }
}

/// What of a condition is proved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Not seen at both, or not yet.
    pub unproved: Vec<Feature>,
    /// Seen not to be so.
    pub refuted: Vec<Feature>,
}

/// What `seen` proves of what is asked. What was seen under another condition proves nothing.
#[must_use]
pub fn prove(asked: &LinkCondition, seen: &Seen) -> Proof {
    let mut proof = Proof::default();
    let mut features: Vec<Feature> = asked.features().collect();
    features.sort_unstable();
    features.dedup();
    for feature in features {
        let shown = if seen.count.condition == *asked {
            shown(feature, asked, seen)
        } else {
            Shown::NotYet
        };
        match shown {
            Shown::Yes => {}
            Shown::NotYet => proof.unproved.push(feature),
            Shown::No => {
                proof.unproved.push(feature);
                proof.refuted.push(feature);
            }
        }
    }
    proof
}

fn shown(feature: Feature, asked: &LinkCondition, seen: &Seen) -> Shown {
    let count = &seen.count;
    let both = |of: fn(Way, WayCount) -> Shown| {
        let (to, from) = (asked.to_zone, asked.from_zone);
        let asked = |way: &Way| way.features().any(|one| one == feature);
        let to = if asked(&to) { of(to, count.to_zone) } else { Shown::Yes };
        to.and(if asked(&from) { of(from, count.from_zone) } else { Shown::Yes })
    };
    // Of each direction in which it is asked: what the kernels at its two ends have counted.
    let at_ends = |asked_of: fn(&Way) -> bool, of: fn(EndCount, EndCount) -> u64| {
        if count.source_end.is_none() && count.zone_end.is_none() {
            return Vec::new();
        }
        let (source, zone) =
            (count.source_end.unwrap_or_default(), count.zone_end.unwrap_or_default());
        let ways = [(asked.to_zone, source, zone), (asked.from_zone, zone, source)];
        let asked = ways.into_iter().filter(move |(way, ..)| asked_of(way));
        asked.map(|(_, from, to)| of(from, to) > 0).collect()
    };
    // Acknowledgements alone are neither sent again nor found out of order: where both directions are
    // asked, the one that carries messages tells.
    let ends = |asked_of: fn(&Way) -> bool, of: fn(EndCount, EndCount) -> u64| {
        Shown::of(at_ends(asked_of, of).contains(&true).then_some(true))
    };
    match feature {
        Feature::Jitter => {
            // What is as likely anywhere between two bounds is soon seen to differ by half of them.
            let enough = |way: Way| u64::from(way.jitter_ms) * 1000;
            let carrier = both(|way, count| {
                let differs = count.least_us.map(|least| count.most_us.saturating_sub(least));
                let enough = u64::from(way.jitter_ms) * 1000;
                Shown::of(differs.filter(|us| *us >= enough).map(|_| true))
            });
            let enough = enough(asked.to_zone).max(enough(asked.from_zone)) / 2;
            let trips = seen.round_trip_us.zip(seen.slowest_us);
            let differs = trips.filter(|(least, most)| most - least >= enough);
            // Where nothing comes back nobody can time it.
            let timed = asked.least_round_trip_ms().is_some();
            let ends = if timed { Shown::of(differs.map(|_| true)) } else { Shown::Yes };
            carrier.and(ends)
        }
        Feature::Delay => {
            let least = |way: Way| u64::from(way.least_ms()) * 1000;
            let carrier = both(|way, count| {
                let least = u64::from(way.least_ms()) * 1000;
                Shown::of(count.least_us.map(|us| us + EARLY_US >= least))
            });
            let least = least(asked.to_zone) + least(asked.from_zone);
            let slow = seen.round_trip_us.map(|us| us + 2 * EARLY_US >= least);
            // Where nothing comes back nobody can time it: then the silence is what is proved.
            let timed = asked.least_round_trip_ms().is_some();
            let ends = if timed { Shown::of(slow) } else { Shown::Yes };
            carrier.and(ends)
        }
        Feature::Rate => {
            let held = |way: Way, full: Option<u64>| match way.rate_bps {
                None => Shown::Yes,
                Some(rate) => {
                    Shown::of(full.map(|bytes| bytes * 100 <= rate.bytes() * RATE_PERCENT))
                }
            };
            let to = held(asked.to_zone, seen.full_bps.0);
            let from = held(asked.from_zone, seen.full_bps.1);
            // Messages go to the zone: what comes back never fills a line, and counts only when it
            // was too much.
            let from = match (from, asked.to_zone.rate_bps) {
                (Shown::NotYet, Some(_)) => Shown::Yes,
                (from, _) => from,
            };
            let ends = match asked.to_zone.rate_bps {
                None => Shown::Yes,
                Some(rate) => {
                    let most = rate.bytes() * ENDS_PERCENT;
                    Shown::of(seen.taken_bps.map(|bytes| bytes * 100 <= most))
                }
            };
            to.and(ends).and(from)
        }
        Feature::Silence => {
            let carrier =
                both(|_, count| match (count.since, count.queued + count.packets.silenced) {
                    (0, 0) => Shown::NotYet,
                    (0, _) => Shown::Yes,
                    _ => Shown::No,
                });
            // An answer that came walked around the silence.
            let ends = match (seen.round_trip_us, seen.unanswered > 0 || seen.reconnected) {
                (Some(_), _) => Shown::No,
                (None, true) => Shown::Yes,
                (None, false) => Shown::NotYet,
            };
            // What waited is gone with the connection that nobody answered on.
            let carrier = match carrier {
                Shown::NotYet if seen.reconnected => Shown::Yes,
                carrier => carrier,
            };
            carrier.and(ends)
        }
        Feature::Flap | Feature::Reset => {
            let carrier = Shown::of((count.resets > 0).then_some(true));
            carrier.and(Shown::of(seen.reconnected.then_some(true)))
        }
        // A line that has lost enough to tell, and not much more or less than it should; and an end
        // that had to send again.
        Feature::Loss => {
            let lost = |way: Way, count: WayCount| share_held(way.loss, count.packets.lost, count);
            both(lost).and(ends(|asked| asked.loss.is_some(), |from, _| from.retransmitted))
        }
        Feature::Mtu => {
            // Messages go to the zone: what comes back is small, and may never fall into the hole.
            let way = if asked.to_zone.mtu.is_some() { count.to_zone } else { count.from_zone };
            let carrier = Shown::of((way.packets.too_large > 0).then_some(true));
            carrier.and(ends(|asked| asked.mtu.is_some(), |from, _| from.retransmitted))
        }
        Feature::Reorder => {
            let held =
                |way: Way, count: WayCount| share_held(way.reorder, count.packets.held_back, count);
            both(held).and(ends(|asked| asked.reorder.is_some(), |_, to| to.out_of_order))
        }
        Feature::Duplicate => {
            let doubled =
                |way: Way, count: WayCount| share_held(way.duplicate, count.packets.doubled, count);
            both(doubled).and(ends(|asked| asked.duplicate.is_some(), |_, to| to.repeated))
        }
        Feature::Corrupt => {
            let spoiled =
                |way: Way, count: WayCount| share_held(way.corrupt, count.packets.spoiled, count);
            both(spoiled).and(ends(|asked| asked.corrupt.is_some(), |_, to| to.spoiled))
        }
    }
}

/// Did so many of the packets that came meet this share? Told once a few have, or should have, by
/// whether their number is within three times and a third of what is expected.
fn share_held(share: Option<Share>, hit: u64, count: WayCount) -> Shown {
    let Some(share) = share else { return Shown::Yes };
    let gone = count.packets.too_large + count.packets.silenced;
    let expected = count.packets.came.saturating_sub(gone) * u64::from(share.0) / 1000;
    if hit < FEW && expected < 5 * FEW {
        return Shown::NotYet;
    }
    Shown::of(Some(hit <= 3 * expected.max(FEW) && 3 * hit >= expected))
}
