//! What was seen of a link: what its carrier counted, what its ends saw, and what of a condition
//! that proves.
//!
//! An impairment counts as in effect only when both say so. Either alone can be wrong: a relay
//! counts what passes it and not what walks around it, and a round trip that was slow once proves
//! no delay.

mod proof;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::proof::{Proof, prove};
use super::{Feature, LinkCondition};
use crate::region::UnixMs;

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
    /// Where packets are carried: what became of them.
    pub packets: PacketCount,
}

/// What became of the packets of one direction since the condition is in effect; all 0 where bytes
/// are carried, not packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PacketCount {
    /// Packets that came.
    pub came: u64,
    /// Dropped, since the direction is silent or the link cut.
    pub silenced: u64,
    /// Dropped by chance.
    pub lost: u64,
    /// Dropped, since they were larger than the `mtu`.
    pub too_large: u64,
    /// Dropped, since the queue of a thin line was full.
    pub overflowed: u64,
    /// Passed with a bit changed.
    pub spoiled: u64,
    /// Passed twice.
    pub doubled: u64,
    /// Held back, so that others could overtake them.
    pub held_back: u64,
}

/// What the kernel at one end of the link counted of TCP since the condition is in effect; of all
/// connections of the zone, which are few besides those over the link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndCount {
    /// Segments sent again.
    pub retransmitted: u64,
    /// Packets that came with a wrong checksum.
    pub spoiled: u64,
    /// Segments that came though they had come before.
    pub repeated: u64,
    /// Segments that came before one that was sent earlier.
    pub out_of_order: u64,
}

impl EndCount {
    /// What two ends have counted together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            retransmitted: self.retransmitted + other.retransmitted,
            spoiled: self.spoiled + other.spoiled,
            repeated: self.repeated + other.repeated,
            out_of_order: self.out_of_order + other.out_of_order,
        }
    }

    /// What was counted since then.
    #[must_use]
    pub fn since(self, then: Self) -> Self {
        Self {
            retransmitted: self.retransmitted.saturating_sub(then.retransmitted),
            spoiled: self.spoiled.saturating_sub(then.spoiled),
            repeated: self.repeated.saturating_sub(then.repeated),
            out_of_order: self.out_of_order.saturating_sub(then.out_of_order),
        }
    }
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
    /// What the ends' kernels counted, where the platform can ask them: at the source, in the zone.
    pub source_end: Option<EndCount>,
    pub zone_end: Option<EndCount>,
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
        /// Packets that are too large for the path vanish on it (mtu).
        Mtu = "mtu",
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
