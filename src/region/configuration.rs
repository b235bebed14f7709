//! What a zone's JetStream holds: the configuration of its stream and consumers, as it was made
//! and as it is seen.
//!
//! The types are written and read as JetStream's API has them; a field that no bring-up sets and no
//! check compares is left out. What was made is compared with what is seen all the time, because
//! every client of the zone can change it.

mod difference;
mod words;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::topology::CopyKind;

pub use self::difference::{Difference, Differing, Kind, Limit, Subject, differences};
pub use self::words::gone_at_source;

/// JetStream's "no limit" and "no maximum".
pub const UNLIMITED: i64 = -1;

/// A stream's configuration. Durations are nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamConfig {
    pub name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
    pub storage: String,
    pub retention: String,
    pub discard: String,
    pub num_replicas: u8,
    pub max_msgs: i64,
    pub max_bytes: i64,
    pub max_age: u64,
    pub max_msgs_per_subject: i64,
    pub max_msg_size: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub duplicate_window: u64,
    pub allow_direct: bool,
    /// Single messages may have a time to live.
    #[serde(skip_serializing_if = "is_false")]
    pub allow_msg_ttl: bool,
    /// Nothing may be deleted by hand, message by message.
    #[serde(skip_serializing_if = "is_false")]
    pub deny_delete: bool,
    /// Nor by a purge.
    #[serde(skip_serializing_if = "is_false")]
    pub deny_purge: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub sealed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Origin>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Origin>,
}

impl Default for StreamConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            subjects: Vec::new(),
            storage: "file".into(),
            retention: "limits".into(),
            discard: "old".into(),
            num_replicas: 1,
            max_msgs: UNLIMITED,
            max_bytes: UNLIMITED,
            max_age: 0,
            max_msgs_per_subject: UNLIMITED,
            max_msg_size: UNLIMITED,
            duplicate_window: 0,
            allow_direct: false,
            allow_msg_ttl: false,
            deny_delete: false,
            deny_purge: false,
            sealed: false,
            mirror: None,
            sources: Vec::new(),
        }
    }
}

impl StreamConfig {
    /// What it copies, as a mirror or by `sources`, and which of both.
    #[must_use]
    pub fn origin(&self) -> Option<(CopyKind, &Origin)> {
        let sources = || self.sources.first().map(|origin| (CopyKind::Sources, origin));
        self.mirror.as_ref().map(|origin| (CopyKind::Mirror, origin)).or_else(sources)
    }
}

/// The stream that a copy is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Origin {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
    /// The durable sourcing consumer it copies over; `None` for the hidden one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<OriginConsumer>,
    #[serde(skip_serializing_if = "is_zero")]
    pub opt_start_seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opt_start_time: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub filter_subject: String,
    /// Under which other subjects messages are copied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subject_transforms: Vec<Transform>,
}

/// Which messages an [`Origin`] gives, and what their subjects become.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Transform {
    pub src: String,
    pub dest: String,
}

/// The JetStream domain of an [`Origin`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct External {
    /// The prefix of its API's subjects.
    pub api: String,
    pub deliver: String,
}

/// The durable sourcing consumer as a mirror names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OriginConsumer {
    pub name: String,
    pub deliver_subject: String,
}

/// A consumer's configuration. Durations are nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsumerConfig {
    pub name: String,
    pub durable_name: String,
    pub deliver_policy: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub opt_start_seq: u64,
    pub ack_policy: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub ack_wait: u64,
    pub max_deliver: i64,
    pub max_ack_pending: i64,
    pub num_replicas: u8,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub filter_subject: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filter_subjects: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub deliver_subject: String,
    #[serde(skip_serializing_if = "is_false")]
    pub flow_control: bool,
    #[serde(skip_serializing_if = "is_zero")]
    pub idle_heartbeat: u64,
    #[serde(skip_serializing_if = "is_false")]
    pub headers_only: bool,
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            durable_name: String::new(),
            deliver_policy: "all".into(),
            opt_start_seq: 0,
            ack_policy: "explicit".into(),
            ack_wait: 0,
            max_deliver: UNLIMITED,
            max_ack_pending: 0,
            num_replicas: 0,
            filter_subject: String::new(),
            filter_subjects: Vec::new(),
            deliver_subject: String::new(),
            flow_control: false,
            idle_heartbeat: 0,
            headers_only: false,
        }
    }
}

impl ConsumerConfig {
    /// The subjects it is limited to; empty for all of the stream.
    pub fn filters(&self) -> impl Iterator<Item = &str> {
        let one = Some(self.filter_subject.as_str()).filter(|subject| !subject.is_empty());
        one.into_iter().chain(self.filter_subjects.iter().map(String::as_str))
    }
}

/// What a zone said when it was asked about a stream or a consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen<T> {
    There(T),
    /// The zone says that it does not exist.
    Missing,
    /// No answer: nothing is known.
    #[default]
    Unknown,
}

impl<T> Seen<T> {
    /// The same of something else.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Seen<U> {
        match self {
            Self::There(found) => Seen::There(change(found)),
            Self::Missing => Seen::Missing,
            Self::Unknown => Seen::Unknown,
        }
    }

    /// What is there, if it is known.
    pub fn there(&self) -> Option<&T> {
        match self {
            Self::There(found) => Some(found),
            Self::Missing | Self::Unknown => None,
        }
    }

    /// The same, to be changed.
    pub fn there_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::There(found) => Some(found),
            Self::Missing | Self::Unknown => None,
        }
    }
}

/// A stream at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    pub config: StreamConfig,
    /// When it was created, as the server prints it.
    pub created: String,
    pub messages: u64,
    pub first_seq: u64,
    pub last_seq: u64,
}

/// A consumer at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumer {
    pub config: ConsumerConfig,
    /// When it was created, as the server prints it.
    pub created: String,
    /// Until when it is paused at the server, as the server prints it; `None` when it is not.
    pub paused_until: Option<String>,
    /// How many deliveries the server has counted, redeliveries included.
    pub delivered: u64,
    /// The last stream sequence delivered.
    pub delivered_seq: u64,
    /// Every stream sequence up to here is acknowledged.
    pub ack_floor: u64,
}

/// What a zone's part of the region consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    pub stream: Seen<Stream>,
    /// The zone's own durable consumer.
    pub consumer: Seen<Consumer>,
    /// The zone's durable sourcing consumer at the source; `None` at the source itself and for a
    /// classic mirror, which have none.
    pub durable: Option<Seen<Consumer>>,
    /// When the source's stream was created; `None` at the source itself, and when that is unknown.
    pub source_created: Option<String>,
}

impl Configuration {
    /// Whether everything in it was answered.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.stream != Seen::Unknown
            && self.consumer != Seen::Unknown
            && self.durable.as_ref().is_none_or(|durable| *durable != Seen::Unknown)
    }

    /// Raises the marks below which a later reading is a loss: last sequence and delivery counts.
    pub fn raise_marks(&mut self, seen: &Self) {
        if let (Some(stream), Some(now)) = (self.stream.there_mut(), seen.stream.there()) {
            stream.last_seq = stream.last_seq.max(now.last_seq);
        }
        if let (Some(consumer), Some(now)) = (self.consumer.there_mut(), seen.consumer.there()) {
            consumer.delivered = consumer.delivered.max(now.delivered);
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands a reference
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands a reference
fn is_false(truth: &bool) -> bool {
    !*truth
}
