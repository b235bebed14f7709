//! A mirror as seen from both ends, and the clock of its recovery after a heal.

use serde::{Deserialize, Serialize};

use crate::region::UnixMs;

/// A mirror as seen from both ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mirror {
    /// Source last sequence minus mirror last sequence; `None` while either is not known freshly.
    /// Zero when the mirror has all that the source had a quarter of a second before.
    pub true_lag: Option<u64>,
    /// What the server says; frozen during a cut, so never to be trusted alone.
    pub reported_lag: Option<u64>,
    /// When the mirror last heard from its source (message or heartbeat); `None` for never.
    pub heard_ms: Option<UnixMs>,
    /// What that adds up to.
    pub state: MirrorState,
    /// The server's own error text.
    pub error: Option<String>,
    /// Backlog the source's durable consumer counts (durable mirrors only).
    pub source_pending: Option<u64>,
    /// When the mirror's leader told.
    pub told_ms: UnixMs,
}

/// What a mirror is doing (`nats-facts.md`, "What a control room should show").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MirrorState {
    /// Has never heard from its source.
    NeverLinked,
    /// Hears from its source and has everything.
    Streaming,
    /// Hears from its source and is behind, moving.
    CatchingUp,
    /// Has not heard for more than two seconds, or its cut is proved.
    Silent,
    /// Link up, behind, and not moving.
    Stalled,
    /// Holds sequences its source never had: the source was recreated.
    Diverged,
    /// No fresh word from either end.
    Unknown,
}

impl MirrorState {
    /// The word shown and printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NeverLinked => "never-linked",
            Self::Streaming => "streaming",
            Self::CatchingUp => "catching-up",
            Self::Silent => "silent",
            Self::Stalled => "stalled",
            Self::Diverged => "diverged",
            Self::Unknown => "unknown",
        }
    }
}

/// The recovery clock: three stages after a heal, timed apart. Only the first is the network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// When the heal was commanded.
    pub healed_ms: UnixMs,
    /// Messages missing at that moment.
    pub behind: Option<u64>,
    /// Heal → leafnode connections at both ends.
    pub link_up_after_ms: Option<u64>,
    /// Heal → first new message in the mirror.
    pub moving_after_ms: Option<u64>,
    /// Heal → true lag zero.
    pub caught_up_after_ms: Option<u64>,
    /// The mirror's leader was asked to step down to hurry it.
    pub nudged: bool,
    /// Why it stands still, in a sentence, while it does.
    pub stall: Option<String>,
}
