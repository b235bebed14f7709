//! A zone's link to the source: up, cut by a command, or down by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::region::{UnixMs, topology::CutKind};

/// A zone's link to the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    pub state: LinkState,
    /// How it was cut; `null` while it is not.
    pub kind: Option<CutKind>,
    /// A cut is effective once both ends were seen without a leafnode connection. False while it
    /// was not, and while the link is not cut.
    pub effective: bool,
    /// Since when the link is in this state.
    #[serde(default)]
    pub since_at_ms: UnixMs,
    /// When the cut heals by itself; `null` when it does not.
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

words! {
    /// Whether a link carries traffic.
    #[derive(Default)]
    pub enum LinkState {
        /// At least one leafnode connection, at both ends.
        Up = "up",
        /// Cut by a command.
        Cut = "cut",
        /// No leafnode connection, though nobody cut it.
        #[default]
        Down = "down",
    }
}
