//! `inspect`: what it can look at, and how that is written.

use std::{fmt, str::FromStr};

use clap::Subcommand;

use crate::{
    ledger::message::MessageId,
    region::{NodeName, ZoneName},
};

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Inspect {
    /// A server: its log, newest lines first, and its configuration
    Node {
        /// Which
        node: NodeName,
    },
    /// A zone's stream, as its servers tell, and in what it differs from how it was made
    Stream {
        /// Whose
        zone: ZoneName,
    },
    /// A zone's consumer, likewise
    Consumer {
        /// Whose
        zone: ZoneName,
    },
    /// The durable at the source from which a zone's mirror is fed, likewise
    Durable {
        /// The mirror zone
        zone: ZoneName,
    },
    /// A zone's link to the source: the leafnode connections at both ends
    Link {
        /// The mirror zone
        zone: ZoneName,
    },
    /// The messages that are lost, duplicated, out of order, damaged or unexpected
    Faults {
        /// Only in this zone
        zone: Option<ZoneName>,
    },
    /// One message: in which zones it stands, and what it holds
    Message {
        /// Its stream sequence, or its id (k3f9q2-p4-123)
        #[arg(value_name = "SEQUENCE|ID")]
        which: Which,
    },
}

/// Which message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    Sequence(u64),
    Id(MessageId),
}

/// Neither a sequence nor an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is neither a stream sequence (1 or more) nor the id of a drill message (k3f9q2-p4-123)"
)]
pub struct WhichError(String);

impl FromStr for Which {
    type Err = WhichError;

    fn from_str(text: &str) -> Result<Self, WhichError> {
        let sequence = text
            .parse()
            .ok()
            .filter(|seq| *seq > 0 && text.starts_with(|c: char| c.is_ascii_digit()));
        match (sequence, text.parse()) {
            (Some(sequence), _) => Ok(Self::Sequence(sequence)),
            (None, Ok(id)) => Ok(Self::Id(id)),
            (None, Err(_)) => Err(WhichError(text.to_owned())),
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence(sequence) => write!(f, "{sequence}"),
            Self::Id(id) => write!(f, "{id}"),
        }
    }
}

impl Inspect {
    /// The zone it names that must be there already.
    #[must_use]
    pub fn zone(&self) -> Option<&ZoneName> {
        match self {
            Self::Node { node } => Some(&node.zone),
            Self::Stream { zone }
            | Self::Consumer { zone }
            | Self::Durable { zone }
            | Self::Link { zone } => Some(zone),
            Self::Faults { zone } => zone.as_ref(),
            Self::Message { .. } => None,
        }
    }
}

impl fmt::Display for Inspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node { node } => write!(f, "node {node}"),
            Self::Stream { zone } => write!(f, "stream {zone}"),
            Self::Consumer { zone } => write!(f, "consumer {zone}"),
            Self::Durable { zone } => write!(f, "durable {zone}"),
            Self::Link { zone } => write!(f, "link {zone}"),
            Self::Faults { zone: Some(zone) } => write!(f, "faults {zone}"),
            Self::Faults { zone: None } => f.write_str("faults"),
            Self::Message { which } => write!(f, "message {which}"),
        }
    }
}
