//! What was sent, and what became of it: the producer, and each zone's account.

use serde::{Deserialize, Serialize};

/// What the producer has done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Producer {
    /// A produce command is running.
    pub active: bool,
    /// Messages a second acknowledged now.
    pub rate: f64,
    /// Acknowledged.
    pub acked: u64,
    /// Refused for certain.
    pub failed: u64,
    /// Sent, outcome not known (yet).
    pub unknown: u64,
    /// The highest message number used.
    pub last_number: u64,
    /// Which producers run: "p3 101..200 every 100ms".
    pub running: Vec<String>,
    /// The server-side id of its connection; a change means it reconnected.
    pub connection: Option<u64>,
    /// How often it reconnected.
    pub reconnects: u64,
    /// The domain that acknowledged last; anything but the source's is alarming.
    pub acked_by: Option<String>,
    /// Why it cannot publish just now, if it cannot.
    pub trouble: Option<String>,
}

/// The account of messages in one zone (see `ledger`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Messages on the stream that no producer of this region sent.
    pub unexpected: u64,
    /// Messages of which the ledger cannot tell, because its file was cut short.
    #[serde(default)]
    pub unrecorded: u64,
}

impl Ledger {
    /// `behind`, where the ledger can tell: one that was cut short cannot.
    #[must_use]
    pub fn known_behind(&self) -> Option<u64> {
        (self.unrecorded == 0).then_some(self.behind)
    }
}
