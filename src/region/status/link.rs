//! A zone's link to the source: up, impaired or cut by a command, stuck or down by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::region::{
    UnixMs,
    condition::{
        BitRate, LinkCondition,
        measured::{Measured, Stuck, StuckCause},
    },
    external::cutting::ShownBy,
    format::{bytes, count, round_trip, span},
    topology::CutKind,
};

/// A zone's link to the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    pub state: LinkState,
    /// How it was cut; `null` while it is not.
    pub kind: Option<CutKind>,
    /// A cut is effective once both ends were seen without a leafnode connection; what else is asked
    /// of a link, once its carrier and its ends have seen it. False while that is not so, and while
    /// nothing is asked.
    pub effective: bool,
    /// Since when the link is in this state.
    #[serde(default)]
    pub since_at_ms: UnixMs,
    /// When it heals by itself; `null` when it does not.
    pub heals_at_ms: Option<UnixMs>,
    /// Leafnode connections this zone's nodes have; `null` while a node is silent.
    pub leafs_here: Option<u32>,
    /// Leafnode connections the source's nodes have from this zone; `null` likewise.
    pub leafs_there: Option<u32>,
    /// Round trip of the leafnode connection as the server measured it, microseconds.
    pub rtt_us: Option<u64>,
    /// From the command to the relay carrying nothing; `null` while not cut.
    pub severed_in_ms: Option<u64>,
    /// From the command to the proof at both ends; `null` while not proved.
    pub proved_in_ms: Option<u64>,
    /// What shows the cut of a link that somebody else runs; `null` while nothing does, and of links
    /// of our own, which are cut when both ends have no leafnode connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_by: Option<ShownBy>,
    /// When both ends were asked for that last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at_ms: Option<UnixMs>,
    /// What is asked of a link that is not whole, in each direction; `null` while nothing is. A cut
    /// comes before it.
    #[serde(default)]
    pub condition: Option<LinkCondition>,
    /// What its carrier and its ends have seen; `null` where the platform does not carry it itself.
    #[serde(default)]
    pub measured: Option<Measured>,
    /// Why nothing moves, while nothing does; `null` otherwise.
    #[serde(default)]
    pub stuck: Option<Stuck>,
}

impl Link {
    /// Of a cut that servers notice by their pings alone, while they have not: its age and the age
    /// at which they must have, in milliseconds.
    #[must_use]
    pub fn unnoticed(&self, now: UnixMs) -> Option<(u64, u64)> {
        let most = self.kind.and_then(CutKind::notice_ms)?;
        let open = self.state == LinkState::Cut && !self.effective;
        let bare = self.leafs_here == Some(0) && self.leafs_there == Some(0);
        (open && !bare).then(|| (now.saturating_sub(self.since_at_ms), most))
    }
}

impl Link {
    /// What it carries to the zone, while something is asked of it: how long until the zone has
    /// everything, rate, queue, round trip.
    #[must_use]
    pub fn traffic(&self) -> Vec<String> {
        let Some(measured) = self.measured.as_ref().filter(|_| self.condition.is_some()) else {
            return Vec::new();
        };
        let to = measured.to_zone;
        let clears = measured.clears_in_ms.map(|ms| format!("clears in {}", span(ms)));
        let mut parts: Vec<String> = clears.into_iter().collect();
        parts.extend(to.bytes_per_s.map(|rate| format!("carries {}/s", bytes(rate))));
        if to.queued_bytes > 0 {
            parts.push(format!("{} queued", bytes(to.queued_bytes)));
        }
        parts.extend(measured.round_trip_us.map(|us| format!("request {}", round_trip(us))));
        parts
    }

    /// Why nothing moves, while nothing does, with the numbers behind it.
    #[must_use]
    pub fn why_stuck(&self) -> Option<String> {
        let stuck = self.stuck.as_ref()?;
        let asked = self.condition.unwrap_or_default();
        let behind = format!("{} messages behind", count(stuck.behind));
        let queued = format!("{} queued", bytes(stuck.queued_bytes));
        Some(match stuck.cause {
            StuckCause::OneWay => {
                let end = if asked.to_zone.silent { "in the zone" } else { "at the source" };
                format!("{behind}; one direction is silent, nothing arrives {end}")
            }
            StuckCause::Rate => {
                let rate = asked.to_zone.rate_bps.unwrap_or(BitRate(0));
                format!("{behind}; {queued} for a line of {rate}/s")
            }
            StuckCause::Mtu => {
                let mtu = asked.to_zone.mtu.or(asked.from_zone.mtu);
                let mtu = mtu.map_or("so many".into(), |mtu| count(mtu.into()));
                format!(
                    "{behind}; packets over {mtu} bytes vanish on the way (mtu), smaller ones pass"
                )
            }
            StuckCause::Receiver => format!("{behind}; {queued}, and the receiver takes none"),
            StuckCause::Unknown => format!(
                "{behind}; requests over it are not answered: one direction lost, large packets dropped (mtu), or flow control"
            ),
        })
    }
}

words! {
    /// Whether a link carries traffic.
    #[derive(Default)]
    pub enum LinkState {
        /// At least one leafnode connection, at both ends.
        Up = "up",
        /// The same, and something is asked of it that makes it worse than whole.
        Impaired = "impaired",
        /// Connected at both ends, and nothing moves that should.
        Stuck = "stuck",
        /// Cut by a command.
        Cut = "cut",
        /// No leafnode connection, though nobody cut it.
        #[default]
        Down = "down",
    }
}

impl LinkState {
    /// Both ends have a leafnode connection.
    #[must_use]
    pub const fn connected(self) -> bool {
        matches!(self, Self::Up | Self::Impaired | Self::Stuck)
    }
}
