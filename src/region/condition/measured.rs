//! What was seen of a link: what its carrier counted, what its ends saw, and what of a condition
//! that proves.
//!
//! An impairment counts as in effect only when both say so. Either alone can be wrong: a relay
//! counts what passes it and not what walks around it, and a round trip that was slow once proves
//! no delay.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Direction, Feature, LinkCondition, Way};
use crate::region::UnixMs;

/// Timers are this much too early at most, in microseconds.
const EARLY_US: u64 = 1_000;
/// A line held to a rate that carries more than these percent of it is not held to it.
const RATE_PERCENT: u64 = 125;
/// Connections to the servers carry also what is no message; what their ends count may be so many
/// percent of what the line carried. Beyond that the servers have compressed it.
const ENDS_PERCENT: u64 = 150;

/// What the carrier of a link counted in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WayCount {
    /// Bytes that passed, since the link is there.
    pub passed: u64,
    /// Bytes that passed since the condition is in effect.
    pub since: u64,
    /// Bytes that came and have not passed yet, as far as the carrier sees them.
    pub queued: u64,
    /// How long the line needs for what was put on it, in microseconds; 0 where it has no rate.
    pub booked_us: u64,
    /// Pieces that were held before they passed, since the condition is in effect.
    pub held: u64,
    /// The least and the sum of the times for which they were held, in microseconds.
    pub least_us: Option<u64>,
    pub sum_us: u64,
    /// The longest of them.
    pub most_us: u64,
}

/// What the carrier of a link counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkCount {
    /// The condition it carries out.
    pub condition: LinkCondition,
    pub to_zone: WayCount,
    pub from_zone: WayCount,
    /// How often all connections were reset since the condition is in effect.
    pub resets: u64,
}

/// A request over the link, from a client in the zone to the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// When it was sent.
    pub sent_at_ms: UnixMs,
    /// How long its answer took; `None` if none came in time.
    pub took_us: Option<u64>,
}

/// One direction of a link, as it was seen lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WayMeasured {
    /// Bytes a second that passed; `null` before the second look.
    pub bytes_per_s: Option<u64>,
    /// Bytes that came and have not passed yet. What still is in the sending server's own socket is
    /// not among them.
    pub queued_bytes: u64,
    /// How long what passed was held, on the average since the condition is in effect, in
    /// microseconds; `null` if nothing was.
    pub held_us: Option<u64>,
    /// Bytes that passed since the condition is in effect; `null` without one.
    pub since_bytes: Option<u64>,
}

/// What was seen of a link.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Measured {
    /// When its carrier counted last.
    pub at_ms: UnixMs,
    /// From the source to the zone.
    pub to_zone: WayMeasured,
    /// From the zone to the source.
    pub from_zone: WayMeasured,
    /// How often all connections were reset since the condition is in effect.
    pub resets: u64,
    /// A request from the zone to the source and its answer took so long; `null` if the last one
    /// was not answered, and while none is sent.
    pub round_trip_us: Option<u64>,
    /// At the present rates the zone has everything after so long; `null` while it has everything,
    /// and while the backlog does not shrink.
    pub clears_in_ms: Option<u64>,
    /// What is asked of the link and was not yet seen at both, by the carrier and by the ends.
    pub unproved: Vec<Feature>,
}

words! {
    /// Why a link carries nothing though its ends are connected.
    pub enum StuckCause {
        /// One direction is silent.
        OneWay = "one-way",
        /// The line is too thin for what is sent over it.
        Rate = "rate",
        /// The receiver takes nothing: flow control.
        Receiver = "receiver",
        /// Nothing that was asked explains it: large packets dropped on the way (mtu), one direction
        /// lost, flow control.
        Unknown = "unknown",
    }
}

/// What is known of a link that carries nothing though its ends are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stuck {
    pub cause: StuckCause,
    /// Messages that should move.
    pub behind: u64,
    /// Since when none has.
    pub since_at_ms: UnixMs,
    /// Bytes that the carrier holds towards the zone.
    pub queued_bytes: u64,
}

/// What the ends and the carrier have seen since a condition is in effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// What the carrier counted last.
    pub count: LinkCount,
    /// The shortest round trip of a request that began under the condition.
    pub round_trip_us: Option<u64>,
    /// The longest.
    pub slowest_us: Option<u64>,
    /// Requests of that time that nobody answered.
    pub unanswered: u64,
    /// All leafnode connections of before are gone.
    pub reconnected: bool,
    /// Bytes a second that the carrier passed at most while more was waiting: to the zone, from it.
    pub full_bps: (Option<u64>, Option<u64>),
    /// Bytes a second that the servers in the zone took in at most at such times, beyond one block
    /// that they may have counted late.
    pub taken_bps: Option<u64>,
}

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
            let carrier = both(|_, count| match (count.since, count.queued) {
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
        // No platform of this version carries these out.
        Feature::Loss | Feature::Mtu => Shown::NotYet,
    }
}

impl LinkCount {
    /// One direction of it.
    #[must_use]
    pub fn way(&self, direction: Direction) -> &WayCount {
        if direction == Direction::From { &self.from_zone } else { &self.to_zone }
    }
}

impl WayMeasured {
    /// From what was counted now, and at an earlier look so many milliseconds before.
    #[must_use]
    pub fn of(now: &WayCount, before: Option<(u64, &WayCount)>, impaired: bool) -> Self {
        let rate = |(ms, before): (u64, &WayCount)| {
            let passed = now.passed.saturating_sub(before.passed);
            (ms > 0).then(|| passed.saturating_mul(1000) / ms)
        };
        Self {
            bytes_per_s: before.and_then(rate),
            queued_bytes: now.queued,
            held_us: (now.held > 0).then(|| now.sum_us / now.held),
            since_bytes: impaired.then_some(now.since),
        }
    }
}
