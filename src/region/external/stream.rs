//! What a drill uses of a zone that somebody else runs.

use serde::{Deserialize, Serialize};

use crate::region::topology::{DRILL_SUBJECT, STREAM, ZonePlan};

/// The stream, the subject and the consumer that a drill uses in a zone of others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalStream {
    pub stream: String,
    /// The prefix of its JetStream's API: `$JS.API`.
    pub api: String,
    /// The subject of the drill's messages; nothing else on the stream is the drill's.
    pub subject: String,
    /// The drill's own durable consumer there.
    pub consumer: String,
}

impl ZonePlan {
    /// The name of the zone's stream.
    #[must_use]
    pub fn stream(&self) -> &str {
        self.external.as_ref().map_or(STREAM, |external| &external.stream)
    }

    /// The prefix of its JetStream's API.
    #[must_use]
    pub fn api(&self) -> &str {
        self.external.as_ref().map_or("$JS.API", |external| &external.api)
    }

    /// The subject that drill messages are published on.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.external.as_ref().map_or(DRILL_SUBJECT, |external| &external.subject)
    }
}
