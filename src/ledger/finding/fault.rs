//! What can be wrong with a zone's messages, as types, and the one place that puts it into words.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Lost;
use crate::{
    ledger::damage::Damage,
    region::{UnixMs, status::Audit},
};

/// A kind of trouble that is counted in messages or sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Acknowledged, and not on the stream.
    Lost,
    /// Acknowledged, and passed over by the consumer.
    NotReceived,
    Duplicates,
    Reordered,
    Corrupt,
    Unexpected,
    /// Another message than was acknowledged at that sequence.
    Mismatched,
}

impl Kind {
    /// The word shown, printed and stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::NotReceived => "not-received",
            Self::Duplicates => "duplicates",
            Self::Reordered => "reordered",
            Self::Corrupt => "corrupt",
            Self::Unexpected => "unexpected",
            Self::Mismatched => "mismatched",
        }
    }
}

/// Something that is wrong for certain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Fault {
    /// Messages, or sequences, of one kind.
    Messages {
        kind: Kind,
        count: u64,
        /// Where they are missing, for the kinds that are missing messages.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Lost>,
    },
    /// The stream is not the source's, first between these sequences.
    Differs { first: u64, last: u64 },
    /// The source has deleted messages that the stream still holds.
    DeletedAtSource {
        count: u64,
        /// The first sequence of them.
        first: u64,
    },
    /// The stream goes on for so many sequences after the source's last.
    Beyond { sequences: u64 },
    /// The stream ends so many sequences before the source's last, and nothing more will come.
    EndsEarly { sequences: u64 },
    /// A copy that remembers ids dropped messages whose id the source has twice.
    Swallowed {
        count: u64,
        /// The first sequence of them.
        first: u64,
    },
    /// The ledger contradicts itself.
    Contradictions { count: u64 },
    /// Beside what is wrong for certain, evidence is damaged.
    Evidence { damage: Damage },
}

impl Fault {
    /// It counts messages of that kind.
    #[must_use]
    pub fn of(&self, kind: Kind) -> bool {
        matches!(self, Self::Messages { kind: this, .. } if *this == kind)
    }
}

/// What a screen shows of faults beside what the receipts show.
#[must_use]
pub fn audit<'a>(faults: impl IntoIterator<Item = &'a Fault>, at_ms: UnixMs) -> Audit {
    let mut audit = Audit { at_ms, ..Audit::default() };
    for fault in faults {
        let Fault::Messages { kind, count, .. } = fault else { continue };
        let shown = match kind {
            Kind::Lost | Kind::NotReceived => &mut audit.lost,
            Kind::Duplicates => &mut audit.duplicates,
            Kind::Reordered => &mut audit.reordered,
            Kind::Corrupt => &mut audit.corrupt,
            Kind::Unexpected | Kind::Mismatched => &mut audit.unexpected,
        };
        *shown = (*shown).max(*count);
    }
    audit
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Messages { kind, count, at } => messages(f, *kind, *count, *at),
            Self::Differs { first, last } => {
                write!(f, "the stream differs from the source's, first {}", within(*first, *last))
            }
            Self::DeletedAtSource { count: 1, first } => {
                write!(
                    f,
                    "the source has deleted 1 message (sequence {first}) that this mirror keeps"
                )
            }
            Self::DeletedAtSource { count, first } => write!(
                f,
                "the source has deleted {count} messages (the first at sequence {first}) that this mirror keeps"
            ),
            Self::Beyond { sequences } => write!(
                f,
                "the stream goes {sequences} sequences further than the source's: the source was recreated or lost its end"
            ),
            Self::EndsEarly { sequences } => {
                write!(f, "the stream ends {sequences} sequences before the source's")
            }
            Self::Swallowed { count, first } => write!(
                f,
                "{count} {} swallowed by the id window: the origin has the id twice (first at sequence {first})",
                plural(*count, "message was", "messages were")
            ),
            Self::Contradictions { count } => {
                let word = plural(*count, "contradiction", "contradictions");
                write!(f, "{count} {word} in the ledger itself")
            }
            Self::Evidence { damage } => write!(f, "{damage}"),
        }
    }
}

fn messages(f: &mut fmt::Formatter<'_>, kind: Kind, count: u64, at: Option<Lost>) -> fmt::Result {
    let (are, were) = (
        plural(count, "message is", "messages are"),
        plural(count, "message was", "messages were"),
    );
    match kind {
        Kind::Lost => write!(f, "{count} acknowledged {are} not on the stream")?,
        Kind::NotReceived => {
            write!(f, "{count} acknowledged {were} never processed by the consumer")?;
        }
        Kind::Duplicates => write!(f, "{count} {are} twice on the stream")?,
        Kind::Reordered => {
            let stand = plural(count, "message stands", "messages stand");
            write!(f, "{count} {stand} after a higher number of the same producer")?;
        }
        Kind::Corrupt => write!(f, "{count} {are} not as sent")?,
        Kind::Unexpected => {
            let was = plural(count, "was", "were");
            write!(f, "{count} {are} there that nobody sent, or that {was} refused")?;
        }
        Kind::Mismatched => {
            let hold = plural(count, "sequence holds", "sequences hold");
            write!(f, "{count} {hold} another message than was acknowledged")?;
        }
    }
    at.map_or(Ok(()), |at| write!(f, " ({at})"))
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.prefix, "at the start"),
            (self.middle, "in the middle"),
            (self.postfix, "at the end"),
        ];
        let mut between = "";
        for (count, at) in parts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{between}{count} {at}")?;
            between = ", ";
        }
        Ok(())
    }
}

/// Where in a stream: `between sequences 1025 and 2048`.
#[must_use]
pub fn within(first: u64, last: u64) -> String {
    if first == last {
        format!("at sequence {first}")
    } else {
        format!("between sequences {first} and {last}")
    }
}

pub(super) fn plural(count: u64, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}
