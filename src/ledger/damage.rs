//! What of the evidence is gone or altered: then nothing can be proved by the ledger, and that
//! something is not in it means nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What happened to the ledger's file behind the room's back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Damage {
    /// Its end was gone when a room opened it.
    CutShort {
        /// Lines that were left.
        after: u64,
        /// Bytes that were gone; `None` if it is not known how long the file had been.
        lost: Option<u64>,
    },
    /// It was removed under a running room.
    Removed,
    /// Another file stands in its place.
    Replaced,
    /// Its end was removed under a running room.
    Truncated { lost: u64 },
    /// Somebody else wrote to it.
    Extended { bytes: u64 },
    /// A line was altered, removed or inserted; `None` if it is not known where.
    Altered { line: Option<u64> },
    /// It cannot be read any more.
    Unreadable { why: String },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes =
            |count: u64| if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") };
        f.write_str("the evidence is damaged: the ledger ")?;
        match self {
            Self::CutShort { after, lost } => {
                write!(f, "was cut short after line {after} (")?;
                match lost {
                    Some(1) => f.write_str("1 byte is gone)")?,
                    Some(lost) => write!(f, "{lost} bytes are gone)")?,
                    None => f.write_str("how much is gone is not known)")?,
                }
                f.write_str(", and what those lines told of messages is not known")
            }
            Self::Removed => f.write_str("(ledger.jsonl) was removed while the room ran"),
            Self::Replaced => {
                f.write_str("(ledger.jsonl) was replaced by another file while the room ran")
            }
            Self::Truncated { lost } => {
                write!(f, "was truncated while the room ran: {} gone", bytes(*lost))
            }
            Self::Extended { bytes: more } => {
                write!(
                    f,
                    "was written to by somebody else while the room ran: {} more",
                    bytes(*more)
                )
            }
            Self::Altered { line: Some(line) } => {
                write!(f, "was altered while the room ran, first at line {line}")
            }
            Self::Altered { line: None } => {
                f.write_str("was altered while the room ran; where is not known")
            }
            Self::Unreadable { why } => write!(f, "cannot be read any more: {why}"),
        }
    }
}
