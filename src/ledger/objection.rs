//! Why a record cannot be true, whatever else a ledger says.

use std::fmt;

use super::{
    Ledger,
    ledger::{LONGEST_RUN, MOST_PRODUCERS, MOST_ZONES_EVER, MOST_ZONES_KNOWN},
    record::Record,
};

/// Why a record cannot be one that a room wrote. The words are the end of a sentence that begins
/// with the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objection {
    /// It begins another run.
    AnotherRun(String),
    /// It speaks of no message at all.
    NoMessages,
    /// It speaks of more messages than anybody writes into one record.
    TooMany(u64),
    /// Its numbers go past the last number there is.
    PastTheEnd,
    /// Sequences begin at 1.
    SequenceZero,
    TooManyProducers,
    TooManyZones,
    /// What was there before is told before anything else.
    LateBaseline,
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnotherRun(run) => write!(f, "begins another run, {run}"),
            Self::NoMessages => write!(f, "is about 0 messages"),
            Self::TooMany(count) => write!(
                f,
                "is about {count} messages at once; a room writes at most {LONGEST_RUN} in one line"
            ),
            Self::PastTheEnd => write!(f, "has numbers greater than {}", u64::MAX),
            Self::SequenceZero => write!(f, "names sequence 0; streams begin at 1"),
            Self::TooManyProducers => write!(f, "names one producer more than {MOST_PRODUCERS}"),
            Self::TooManyZones => write!(
                f,
                "names one zone more than {MOST_ZONES_KNOWN} at a time, or {MOST_ZONES_EVER} in all"
            ),
            Self::LateBaseline => {
                write!(f, "says what was there before, after producers or zones were heard of")
            }
        }
    }
}

/// Objects to a run that no room writes.
fn to_run(first: u64, count: u64) -> Option<Objection> {
    match count {
        0 => Some(Objection::NoMessages),
        count if count > LONGEST_RUN => Some(Objection::TooMany(count)),
        count => first.checked_add(count - 1).is_none().then_some(Objection::PastTheEnd),
    }
}

impl Ledger {
    /// Why a record cannot be true here, if it cannot.
    #[must_use]
    pub fn objection(&self, record: &Record) -> Option<Objection> {
        match record {
            Record::Run { run, .. } => {
                (*run != self.run().as_str()).then(|| Objection::AnotherRun(run.clone()))
            }
            Record::Intend { p, n, c, .. }
            | Record::Withdrawn { p, n, c, .. }
            | Record::Failed { p, n, c, .. }
            | Record::Unknown { p, n, c, .. }
            | Record::Resent { p, n, c, .. } => to_run(*n, *c).or_else(|| self.to_producer(*p)),
            Record::Acked { s: 0, .. }
            | Record::Received { s: 0, .. }
            | Record::Corrupt { s: 0, .. }
            | Record::Foreign { s: 0, .. }
            | Record::Baseline { s: 0, subject: None, .. } => Some(Objection::SequenceZero),
            Record::Baseline { .. } => self.has_begun().then_some(Objection::LateBaseline),
            Record::Acked { p, n, c, s, .. } => {
                to_run(*n, *c).or_else(|| to_run(*s, *c)).or_else(|| self.to_producer(*p))
            }
            Record::Received { z, p, n, s, c, .. } => to_run(*n, *c)
                .or_else(|| to_run(*s, *c))
                .or_else(|| self.to_producer(*p))
                .or_else(|| self.to_zone(z)),
            Record::Corrupt { z, .. } | Record::Foreign { z, .. } | Record::Promoted { z, .. } => {
                self.to_zone(z)
            }
            Record::CutShort { .. } | Record::ZoneRemoved { .. } => None,
        }
    }
}
