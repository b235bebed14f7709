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
        region: String,
        at: UnixMs,
    },
    /// A producer is about to publish these numbers (written before the first is sent).
    Intend {
        /// The producer: one for each produce command, counted from 1.
        p: u32,
        n: u64,
        c: u64,
        at: UnixMs,
    },
    /// The stream acknowledged these.
    Acked {
        p: u32,
        n: u64,
        c: u64,
        s: u64,
        /// The domain that acknowledged.
        d: String,
        /// The server knew the message id already: the sequence is that of the first copy.
        #[serde(default, skip_serializing_if = "is_false")]
        dup: bool,
        at: UnixMs,
    },
    /// The producer ended before it sent these: they were only announced.
    Withdrawn { p: u32, n: u64, c: u64, at: UnixMs },
    /// The stream refused these for certain; they are not stored.
    Failed { p: u32, n: u64, c: u64, why: String, at: UnixMs },
    /// No answer, or nobody left who could hear it; they may or may not be stored, or were never
    /// sent. A later `Acked` settles it.
    Unknown { p: u32, n: u64, c: u64, at: UnixMs },
    /// The producer sends these again under the same id: their place on the stream may come
    /// after later numbers, by the producer's own doing.
    Resent { p: u32, n: u64, c: u64, at: UnixMs },
    /// A zone's consumer received and processed these (written before they are acknowledged).
    Received {
        z: ZoneName,
        p: u32,
        n: u64,
        s: u64,
        c: u64,
        /// Which delivery of each this was, from 1.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        r: u64,
        at: UnixMs,
    },
    /// A zone's consumer received a message whose content is damaged.
    Corrupt {
        z: ZoneName,
        s: u64,
        /// What is wrong with it.
        why: String,
        at: UnixMs,
    },
    /// A zone's consumer received a message that no producer of this run sent.
    Foreign {
        z: ZoneName,
        s: u64,
        /// It is no drill message: somebody else's, who does not pretend to be a producer. (Earlier
        /// versions did not tell.)
        #[serde(default, skip_serializing_if = "is_false")]
        plain: bool,
        at: UnixMs,
    },
    /// What stood on the source's stream up to `s` when this ledger began: not this region's, and no
    /// verdict is about it.
    Baseline {
        s: u64,
        /// The stream is somebody else's, and only what is on this subject is of this ledger.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
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
    /// A zone was promoted: up to `s`, by the source's sequences, it holds what the source holds;
    /// what it acknowledges and receives after that has sequences of its own.
    Promoted { z: ZoneName, s: u64, at: UnixMs },
    /// A zone left the region; what its consumer received counts no longer.
    ZoneRemoved { z: ZoneName, at: UnixMs },
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
            | Self::Baseline { at, .. }
            | Self::CutShort { at, .. }
            | Self::Promoted { at, .. }
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
