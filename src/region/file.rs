//! `region.toml`: a region of clusters that somebody else runs, as text and as what it means.
//!
//! Pure: a text comes in, and a region or one typed error with its line comes out. The files it names
//! are read elsewhere.

mod draft;
mod error;
mod read;

use std::time::Duration;

use super::{ZoneName, endpoint::Endpoint};

pub use self::{
    draft::{Copied, Draft, DraftZone, is_stream_name},
    error::{FileError, Wrong},
};

/// A region that zonedrill did not make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionFile {
    pub name: String,
    /// The subject that drills may publish on; without one nothing is ever published.
    pub subject: Option<String>,
    /// What may be done there besides looking.
    pub allow: Vec<Act>,
    pub limits: Limits,
    /// The source first, then the others by name.
    pub zones: Vec<ExternalZone>,
}

words! {
    /// What changes something in clusters of others, and is not done unless it is allowed by this word.
    #[derive(clap::ValueEnum, PartialOrd, Ord)]
    pub enum Act {
        Produce = "produce",
        Cut = "cut",
    }
}

/// How much may be produced in clusters of others, and how long a drill may take there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages a second.
    pub rate: u64,
    /// Bytes of payload, of one command.
    pub bytes: u64,
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rate: 500, bytes: 16 << 20, time: Duration::from_secs(600) }
    }
}

/// One of its zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalZone {
    pub name: ZoneName,
    /// The stream, at the source, or its copy. Which kind of copy it is, is asked.
    pub stream: String,
    pub reach: Reach,
    /// The way into the system account, if there is one.
    pub system: Option<Reach>,
    /// JetStream's domain or prefix, in place of the context's.
    pub domain: Option<String>,
    pub api_prefix: Option<String>,
    /// Consumers whose progress counts.
    pub consumers: Vec<String>,
    /// How its link can be cut.
    pub cut: Option<Cut>,
}

/// How a cluster is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// By the name of a context of the `nats` command line.
    Context(String),
    Direct(Box<Endpoint>),
}

/// How a link that is not ours can be cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The copy's durable consumer is paused (nats-facts §U).
    Pause,
    /// Commands of the user's.
    Hook { cut: String, heal: String, status: Option<String> },
}

/// One of its zones, with how it is reached read from wherever that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    pub zone: ExternalZone,
    pub endpoint: Endpoint,
    pub system: Option<Endpoint>,
}

impl RegionFile {
    /// The zone with the stream that is copied.
    #[must_use]
    pub fn source(&self) -> &ExternalZone {
        &self.zones[0]
    }

    /// The zones with copies.
    #[must_use]
    pub fn copies(&self) -> &[ExternalZone] {
        &self.zones[1..]
    }

    /// The zone of that name.
    #[must_use]
    pub fn zone(&self, name: &ZoneName) -> Option<&ExternalZone> {
        self.zones.iter().find(|zone| zone.name == *name)
    }
}

#[cfg(test)]
mod tests;
