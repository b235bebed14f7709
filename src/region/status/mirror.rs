//! A mirror as seen from both ends, and the clock of its recovery after a heal.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::region::UnixMs;

/// A mirror as seen from both ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mirror {
    /// Source last sequence minus mirror last sequence; `null` while either is not known freshly.
    /// Zero when the mirror has all that the source had a quarter of a second before.
    pub true_lag: Option<u64>,
    /// What the server says. It stays 0 in a cut: never trust it alone.
    pub reported_lag: Option<u64>,
    /// When the mirror last received a message or a heartbeat from its source; `null` for never,
    /// or unknown.
    pub heard_at_ms: Option<UnixMs>,
    pub state: MirrorState,
    /// The server's own error text.
    pub error: Option<String>,
    /// Backlog that the source's durable consumer counts (durable mirrors only).
    pub source_pending: Option<u64>,
    /// When the mirror's leader reported; `null` before it has.
    pub told_at_ms: Option<UnixMs>,
}

words! {
    /// What a mirror is doing (nats-facts §R).
    #[derive(Default)]
    pub enum MirrorState {
        /// Has never received anything from its source.
        NeverLinked = "never-linked",
        /// Receives from its source and has everything.
        Streaming = "streaming",
        /// Receives from its source and is behind, moving.
        CatchingUp = "catching-up",
        /// Has received nothing for more than two seconds, or its cut is proved.
        Silent = "silent",
        /// Link up, behind, and not moving.
        Stalled = "stalled",
        /// Holds sequences its source never had: the source was recreated.
        Diverged = "diverged",
        /// The zone has no stream of that name: it was deleted, or lost with every store.
        Missing = "missing",
        /// It was turned into a stream of its own, and copies nothing.
        Promoted = "promoted",
        /// A plain stream, or another mirror, stands where it was.
        Replaced = "replaced",
        /// The source's stream was deleted and created again; it copies nothing of the new one.
        SourceRecreated = "source-recreated",
        /// The durable consumer at the source that it copies over does not exist.
        DurableMissing = "durable-missing",
        /// The same is paused at the server.
        DurablePaused = "durable-paused",
        /// No fresh report from either end.
        #[default]
        Unknown = "unknown",
    }
}

/// The recovery clock: three stages after a heal, timed apart. Only the first is the network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recovery {
    /// When the heal was commanded.
    pub healed_at_ms: UnixMs,
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
