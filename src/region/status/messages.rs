//! What was sent, and what became of it: the producer, and each zone's account.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::region::{UnixMs, names::ZoneName};

/// What the producer has done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Producer {
    /// A produce command is running.
    pub active: bool,
    /// Messages a second acknowledged now.
    pub rate: f64,
    pub acked: u64,
    pub failed: u64,
    /// Sent, outcome not known (yet).
    pub unknown: u64,
    /// Published for certain: `acked`, and those of `unknown` that are seen on the stream.
    #[serde(default)]
    pub published: u64,
    /// Messages on the source's stream that no producer of this region published: another
    /// client's, or there before this region's ledger began.
    #[serde(default)]
    pub foreign: u64,
    /// The last sequence that stood on the source's stream before this region's ledger began; 0 for
    /// none. No verdict is about what stands up to there.
    #[serde(default)]
    pub baseline: u64,
    /// The highest message number used.
    pub last_number: u64,
    /// Which producers run: `p3 101..200 every 100ms`.
    pub running: Vec<String>,
    /// The server-side id of its connection; a change means it reconnected.
    pub connection: Option<u64>,
    /// The server it is connected to, by its unique id.
    #[serde(default)]
    pub server_id: Option<String>,
    /// A hash over everything it is configured with (servers, user, stream, subject).
    #[serde(default)]
    pub config_hash: Option<String>,
    /// How often it reconnected.
    pub reconnects: u64,
    /// The zone it publishes into: the source, or a promoted zone that it was moved to.
    #[serde(default)]
    pub zone: Option<ZoneName>,
    /// The domain that acknowledged last; anything but that zone's is alarming.
    pub acked_by: Option<String>,
    /// Why it cannot publish just now; `null` when it can.
    pub trouble: Option<String>,
}

/// The account of messages in one zone (see `ledger`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ledger {
    /// Acknowledged by the source, all producers.
    pub acked: u64,
    /// Distinct messages the zone's consumer has received and processed.
    pub received: u64,
    /// Acknowledged messages that have not come to the zone's consumer: they may still come, or
    /// are lost. (`received` counts also what was never acknowledged.)
    #[serde(default)]
    pub behind: u64,
    /// Acknowledged messages that this zone has for certain passed over.
    pub lost: u64,
    /// Messages found at a second stream sequence.
    pub duplicates: u64,
    /// Deliveries after the first of the same sequence: legal.
    pub redelivered: u64,
    /// Sequences the consumer processed more than once: legal at-least-once, counted apart.
    pub processed_twice: u64,
    /// Messages out of order on the stream.
    pub reordered: u64,
    /// Messages whose checksum or content is not what was sent.
    pub corrupt: u64,
    /// Drill messages on the stream that no producer of this region sent, or that stand where
    /// another one was acknowledged.
    pub unexpected: u64,
    /// Messages of somebody else, who does not pretend to be a producer: no fault.
    #[serde(default)]
    pub foreign: u64,
    /// Messages of which the ledger cannot tell, because its file was cut short.
    #[serde(default)]
    pub unrecorded: u64,
    /// Of a zone that was promoted; `null` of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart: Option<Apart>,
}

/// How far a promoted zone and the zone that it copied have parted, in messages of this region's producers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Apart {
    /// Acknowledged by the promoted zone, and by no other.
    pub alone: u64,
    /// Acknowledged by another zone, and neither held nor acknowledged here.
    pub lacks: u64,
}

/// What was found wrong with a zone's messages when its streams were last read, by `verify` or at
/// the end of a drill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Audit {
    pub at_ms: UnixMs,
    /// Acknowledged, and not on the stream or never processed, whichever are more.
    pub lost: u64,
    pub duplicates: u64,
    pub reordered: u64,
    pub corrupt: u64,
    pub unexpected: u64,
}

impl Ledger {
    /// Takes over what an audit found that the consumers' receipts do not show.
    pub(in crate::region) fn take(&mut self, audit: &Audit) {
        for (count, found) in [
            (&mut self.lost, audit.lost),
            (&mut self.duplicates, audit.duplicates),
            (&mut self.reordered, audit.reordered),
            (&mut self.corrupt, audit.corrupt),
            (&mut self.unexpected, audit.unexpected),
        ] {
            *count = found.max(*count);
        }
    }

    /// Every count that must be zero, with its word.
    #[must_use]
    pub fn faults(&self) -> [(&'static str, u64); 5] {
        [
            ("lost", self.lost),
            ("duplicate", self.duplicates),
            ("reordered", self.reordered),
            ("corrupt", self.corrupt),
            ("unexpected", self.unexpected),
        ]
    }

    /// `behind`, where the ledger can tell: one that was cut short cannot.
    #[must_use]
    pub fn known_behind(&self) -> Option<u64> {
        (self.unrecorded == 0).then_some(self.behind)
    }
}
