//! A zone's link to the source: up, cut by a command, or down by itself.

use serde::{Deserialize, Serialize};

use crate::region::{UnixMs, topology::CutKind};

/// A zone's link to the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Up, cut by us, or down by itself.
    pub state: LinkState,
    /// How it was cut.
    pub kind: Option<CutKind>,
    /// A cut is effective once both ends were seen without a leafnode connection. Meaningless
    /// (false) while the link is not cut.
    pub effective: bool,
    /// Milliseconds from the command to the cut taking effect in the relay.
    pub severed_in_ms: Option<u64>,
    /// Milliseconds from the command to the proof at both ends.
    pub proved_in_ms: Option<u64>,
    /// Since when the link is in this state.
    pub since_ms: UnixMs,
    /// When the cut heals by itself.
    pub heals_at_ms: Option<UnixMs>,
    /// Leafnode connections this zone's nodes have; `None` while a node is silent.
    pub leafs_here: Option<u32>,
    /// Leafnode connections the source's nodes have from this zone.
    pub leafs_there: Option<u32>,
    /// Round trip of the leafnode connection as the server measured it, microseconds.
    pub rtt_us: Option<u64>,
}

impl Link {
    /// Of a cut that servers notice by their pings alone, while they have not: its age and the age
    /// at which they must have, in milliseconds.
    #[must_use]
    pub fn unnoticed(&self, now: UnixMs) -> Option<(u64, u64)> {
        let most = self.kind.and_then(CutKind::notice_ms)?;
        let open = self.state == LinkState::Cut && !self.effective;
        let bare = self.leafs_here == Some(0) && self.leafs_there == Some(0);
        (open && !bare).then(|| (now.saturating_sub(self.since_ms), most))
    }
}

/// Whether a link carries traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkState {
    /// At least one leafnode connection, at both ends.
    Up,
    /// Cut by a command.
    Cut,
    /// No leafnode connection, though nobody cut it.
    Down,
}

impl LinkState {
    /// The word shown and printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Cut => "cut",
            Self::Down => "down",
        }
    }
}
