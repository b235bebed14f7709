//! The evidence: one record for each run of messages that share a fate, one JSON object a line.
//!
//! Runs are compressed: `n` and `s` are the first number and sequence of `c` consecutive ones.

use serde::{Deserialize, Serialize};

use crate::region::{UnixMs, ZoneName};

/// A line of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "kebab-case")]
pub enum Record {
    /// The first line of a ledger.
    Run {
        /// The run's id, part of every message.
        run: String,
        /// The region's name.
        region: String,
        /// When.
        at: UnixMs,
    },
    /// A producer is about to publish these numbers (written before the first is sent).
    Intend {
        /// The producer: one for each produce command, counted from 1.
        p: u32,
        /// First number.
        n: u64,
        /// How many.
        c: u64,
        /// When.
        at: UnixMs,
    },
    /// The stream acknowledged these.
    Acked {
        /// The producer.
        p: u32,
        /// First number.
        n: u64,
        /// How many.
        c: u64,
        /// First stream sequence.
        s: u64,
        /// The domain that acknowledged.
        d: String,
        /// The server knew the message id already: the sequence is that of the first copy.
        #[serde(default, skip_serializing_if = "is_false")]
        dup: bool,
        /// When.
        at: UnixMs,
    },
    /// The producer ended before it sent these: they were only announced.
    Withdrawn {
        /// The producer.
        p: u32,
        /// First number.
        n: u64,
        /// How many.
        c: u64,
        /// When.
        at: UnixMs,
    },
    /// The stream refused these for certain; they are not stored.
    Failed {
        /// The producer.
        p: u32,
        /// First number.
        n: u64,
        /// How many.
        c: u64,
        /// Why.
        why: String,
        /// When.
        at: UnixMs,
    },
    /// No answer, or nobody left who could hear it; they may or may not be stored, or were never
    /// sent. A later `Acked` settles it.
    Unknown {
        /// The producer.
        p: u32,
        /// First number.
        n: u64,
        /// How many.
        c: u64,
        /// When.
        at: UnixMs,
    },
    /// The producer sends these again under the same id: their place on the stream may come
    /// after later numbers, by the producer's own doing.
    Resent {
        /// The producer.
        p: u32,
        /// First number.
        n: u64,
        /// How many.
        c: u64,
        /// When.
        at: UnixMs,
    },
    /// A zone's consumer received and processed these (written before they are acknowledged).
    Received {
        /// The zone.
        z: ZoneName,
        /// The producer.
        p: u32,
        /// First number.
        n: u64,
        /// First stream sequence.
        s: u64,
        /// How many.
        c: u64,
        /// Which delivery of each this was, from 1.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        r: u64,
        /// When.
        at: UnixMs,
    },
    /// A zone's consumer received a message whose content is damaged.
    Corrupt {
        /// The zone.
        z: ZoneName,
        /// Its stream sequence.
        s: u64,
        /// What is wrong with it.
        why: String,
        /// When.
        at: UnixMs,
    },
    /// A zone's consumer received a message that no producer of this run sent.
    Foreign {
        /// The zone.
        z: ZoneName,
        /// Its stream sequence.
        s: u64,
        /// When.
        at: UnixMs,
    },
    /// The file ended before its time when a room opened it: lines that had been written were
    /// gone. Nobody knows what they told.
    CutShort {
        /// Lines that were left, this one not among them.
        after: u64,
        /// Bytes that were gone; `None` if it is not known how long the file had been.
        lost: Option<u64>,
        /// When the last line that was left was written: all that is later is in doubt.
        at: UnixMs,
    },
    /// A zone left the region; what its consumer received counts no longer.
    ZoneRemoved {
        /// The zone.
        z: ZoneName,
        /// When.
        at: UnixMs,
    },
}

impl Record {
    /// When it was written.
    #[must_use]
    pub fn at(&self) -> UnixMs {
        match self {
            Self::Run { at, .. }
            | Self::Intend { at, .. }
            | Self::Acked { at, .. }
            | Self::Withdrawn { at, .. }
            | Self::Failed { at, .. }
            | Self::Unknown { at, .. }
            | Self::Resent { at, .. }
            | Self::Received { at, .. }
            | Self::Corrupt { at, .. }
            | Self::Foreign { at, .. }
            | Self::CutShort { at, .. }
            | Self::ZoneRemoved { at, .. } => *at,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_false(value: &bool) -> bool {
    !*value
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_one(value: &u64) -> bool {
    *value == 1
}

fn one() -> u64 {
    1
}
