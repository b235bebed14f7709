//! A difference in words: what it is, what it means, what mends it.

use super::{Difference, Differing, Kind, Limit, Subject, UNLIMITED};
use crate::region::{
    UnixMs, ZoneName,
    format::span,
    remedy::Remedy,
    topology::{STREAM, consumer_name, mirror_consumer_name},
};

impl Difference {
    /// What it is and what it means, as a sentence without its full stop.
    #[must_use]
    pub fn describe(&self, zone: &ZoneName) -> String {
        let name = match self.subject {
            Subject::Stream => format!("{STREAM} in zone {zone}"),
            Subject::Consumer => consumer_name(zone),
            Subject::Durable => format!("{} at the source", mirror_consumer_name(zone)),
        };
        let (what, meaning) = match self.subject {
            Subject::Stream => self.kind.of_a_stream(),
            Subject::Consumer => self.kind.of_a_consumer(),
            Subject::Durable => self.kind.of_a_durable(),
        };
        if meaning.is_empty() {
            format!("{name} {what}")
        } else {
            format!("{name} {what}: {meaning}")
        }
    }

    /// The same, and what mends it.
    #[must_use]
    pub fn told(&self, zone: &ZoneName) -> String {
        format!("{}; {}", self.describe(zone), self.remedy(zone).told())
    }

    /// The command that mends it.
    #[must_use]
    pub fn remedy(&self, zone: &ZoneName) -> Remedy {
        Remedy::Repair(zone.clone())
    }
}

impl Differing {
    /// What it is, for how long, whose doing it was if that is known, and what mends it.
    #[must_use]
    pub fn describe(&self, zone: &ZoneName, at: UnixMs) -> String {
        let what = self.difference.describe(zone);
        let age = span(at.saturating_sub(self.since_at_ms));
        let by = self.by.as_ref().map(|by| format!("; {by}")).unwrap_or_default();
        format!("{what} (for {age}{by}); {}", self.difference.remedy(zone).told())
    }
}

/// What is said of messages that a mirror will never get; `limits` are the settings of the source that
/// may have deleted them.
#[must_use]
pub fn gone_at_source(zone: &ZoneName, count: u64, limits: &[String]) -> String {
    let why = if limits.is_empty() { String::new() } else { format!(" ({})", limits.join(", ")) };
    let (are, them) = if count == 1 { ("is", "it") } else { ("are", "them") };
    format!("{count} {are} already gone at the source{why}: zone {zone} will never get {them}")
}

impl Kind {
    /// A limit as it is seen.
    pub(in crate::region) fn limit(&self) -> Option<String> {
        match self {
            Self::Limit { limit, seen, .. } => {
                Some(format!("its {} is {}", limit, limit.value(*seen)))
            }
            _ => None,
        }
    }

    fn of_a_stream(&self) -> (String, &'static str) {
        match self {
            Self::Missing => ("does not exist".into(), "its messages are gone"),
            Self::Recreated => (
                "was deleted and created again".into(),
                "messages it held before may be missing, and its consumer is gone",
            ),
            Self::Promoted => (
                "is no mirror any more (it was promoted to a stream of its own)".into(),
                "nothing is copied from the source",
            ),
            Self::Replaced => (
                "is a plain stream where the mirror was".into(),
                "nothing is copied from the source",
            ),
            Self::OtherOrigin => {
                ("does not mirror the source's stream as it was made to".into(), "")
            }
            Self::SourceRecreated => (
                "mirrors a stream that was deleted and created again at the source".into(),
                "nothing is copied until the new one has passed this mirror's last sequence",
            ),
            Self::Emptied { had, has } => (
                format!("has lost messages: its last sequence was {had} and is {has}"),
                "its stores were removed or damaged",
            ),
            Self::Replicas { made, seen } => (
                format!("has {} instead of {made}", count(*seen, "replica")),
                if seen < made { "the loss of a node can lose messages" } else { "" },
            ),
            Self::Limit { limit, made, seen } => (
                format!("has {} {} instead of {}", limit, limit.value(*seen), limit.value(*made)),
                if *seen == UNLIMITED || (*made != UNLIMITED && seen > made) {
                    ""
                } else {
                    "what exceeds it is deleted, whether or not a mirror has it"
                },
            ),
            Self::DuplicateWindow { made, seen } => (
                format!("recognises a message id for {} instead of {}", time(*seen), time(*made)),
                if seen < made { "a retry after that is stored a second time" } else { "" },
            ),
            Self::Retention { made, seen } => (
                format!("has {seen} retention instead of {made}"),
                "it deletes messages once they are acknowledged",
            ),
            Self::Subjects { made, seen } => (
                format!("listens on {} instead of {}", list(seen), list(made)),
                "what is published elsewhere is not stored",
            ),
            Self::Sealed => ("is sealed".into(), "nothing can be stored in it any more"),
            other => other.of_anything(),
        }
    }

    fn of_a_consumer(&self) -> (String, &'static str) {
        match self {
            Self::Missing => ("does not exist".into(), "nothing is consumed in this zone"),
            Self::Recreated => (
                "was deleted and created again".into(),
                "messages may be delivered twice, or never",
            ),
            Self::Reset => (
                "was set back at the server".into(),
                "messages that were consumed before are delivered again",
            ),
            Self::TakenElsewhere { count } => (
                format!("has passed {count} messages that never came to the room"),
                "somebody else acknowledged them, or made it pass them over",
            ),
            Self::Paused { until } => (
                format!("is paused at the server until {until}"),
                "nothing is delivered; `consumer resume` alone does not end that",
            ),
            Self::AckPolicy { made, seen } => (
                format!("has ack policy {seen} instead of {made}"),
                "what is lost on the way is not delivered again",
            ),
            Self::Filtered { subjects } if subjects.is_empty() => {
                ("has no filter any more".into(), "")
            }
            Self::Filtered { subjects } => (
                format!("delivers only {}", list(subjects)),
                "other messages are passed over and count as done",
            ),
            other => other.of_anything(),
        }
    }

    fn of_a_durable(&self) -> (String, &'static str) {
        match self {
            Self::Missing => ("does not exist".into(), "the mirror copies nothing"),
            Self::Recreated => ("was deleted and created again".into(), ""),
            Self::Paused { until } => (
                format!("is paused at the server until {until}"),
                "the mirror copies nothing; the link is not the cause",
            ),
            Self::Filtered { subjects } => {
                (format!("delivers only {}", list(subjects)), "the mirror lacks the other messages")
            }
            other => other.of_anything(),
        }
    }

    /// What is said alike of a stream and of a consumer.
    fn of_anything(&self) -> (String, &'static str) {
        match self {
            Self::Replicas { made, seen } => (
                format!("has {} instead of {made}", count(*seen, "replica")),
                if seen < made { "the loss of a node can lose its position" } else { "" },
            ),
            Self::Setting { name, made, seen } => {
                (format!("has {name} `{seen}` instead of `{made}`"), "")
            }
            other => (format!("is not as it was made ({other:?})"), ""),
        }
    }
}

impl Limit {
    fn value(self, value: i64) -> String {
        match (self, u64::try_from(value)) {
            (_, Err(_)) => "unlimited".into(),
            (Self::MaxAge, Ok(nanos)) => time(nanos),
            (_, Ok(value)) => value.to_string(),
        }
    }
}

fn count(number: u8, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn list(subjects: &[String]) -> String {
    if subjects.is_empty() { "nothing".into() } else { subjects.join(", ") }
}

/// A duration of JetStream, in nanoseconds.
fn time(nanos: u64) -> String {
    span(nanos / 1_000_000)
}
