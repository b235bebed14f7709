//! What somebody asked a zone's JetStream to do, as the server's own audit advisories tell it.
//!
//! `$JS.EVENT.ADVISORY.API` names every API call with its caller, but for reads by direct or
//! message get, and a consumer's reset and fetches, of which there is none (nats-server 2.11.11,
//! 2.12.8 and 2.15.1).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    UnixMs, ZoneName,
    configuration::{Kind, Subject},
    topology::{STREAM, consumer_name, mirror_consumer_name},
};

/// An API call of a client that is not the room's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Advisory {
    /// When the server carried it out.
    pub at_ms: UnixMs,
    pub zone: ZoneName,
    pub caller: Caller,
    pub call: Call,
    /// The error the caller was answered with; `None` if it was done.
    pub refused: Option<String>,
}

/// The client that called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Caller {
    /// The name the client gave; for a leafnode connection the server at its other end.
    pub name: String,
    pub user: String,
    pub host: String,
    /// It came over a leafnode connection: from a client of another zone, or its server.
    pub leafnode: bool,
}

/// An API call, by what it works on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Call {
    pub act: Act,
    /// The stream; empty for a call about the whole account.
    pub stream: String,
    /// The consumer; empty for a call about a stream.
    pub consumer: String,
}

/// What an API call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    StreamCreate,
    StreamUpdate,
    StreamDelete,
    StreamPurge,
    StreamRestore,
    MessageDelete,
    StreamStepDown,
    PeerRemove,
    /// Also an update: JetStream has one call for both.
    ConsumerCreate,
    ConsumerDelete,
    ConsumerPause,
    ConsumerResume,
    ConsumerReset,
    ConsumerUnpin,
    ConsumerStepDown,
    MetaStepDown,
    /// It only reads: information, names, lists, snapshots, messages.
    Read,
    /// A call this release does not know.
    Other,
}

impl Act {
    /// Whether it can change what the region's drills judge.
    #[must_use]
    pub fn changes(self) -> bool {
        self != Self::Read
    }

    fn verb(self) -> &'static str {
        match self {
            Self::StreamCreate => "created",
            Self::StreamUpdate => "changed the configuration of",
            Self::StreamDelete | Self::ConsumerDelete => "deleted",
            Self::StreamPurge => "purged",
            Self::StreamRestore => "restored",
            Self::MessageDelete => "deleted a message of",
            Self::StreamStepDown | Self::ConsumerStepDown => "made the leader step down of",
            Self::PeerRemove => "removed a replica of",
            Self::ConsumerCreate => "created or changed",
            Self::ConsumerPause => "paused",
            Self::ConsumerResume => "resumed",
            Self::ConsumerReset => "reset",
            Self::ConsumerUnpin => "unpinned a client of",
            Self::MetaStepDown => "made the meta leader step down",
            Self::Read => "read",
            Self::Other => "called the API of",
        }
    }
}

impl Call {
    /// Reads an API subject: `$JS.API.CONSUMER.PAUSE.EVENTS_REGION.consumer-b`.
    #[must_use]
    pub fn of(subject: &str) -> Self {
        let tokens: Vec<&str> = subject.split('.').skip(2).collect();
        let (act, rest) = match tokens.as_slice() {
            ["STREAM", "CREATE", rest @ ..] => (Act::StreamCreate, rest),
            ["STREAM", "UPDATE", rest @ ..] => (Act::StreamUpdate, rest),
            ["STREAM", "DELETE", rest @ ..] => (Act::StreamDelete, rest),
            ["STREAM", "PURGE", rest @ ..] => (Act::StreamPurge, rest),
            ["STREAM", "RESTORE", rest @ ..] => (Act::StreamRestore, rest),
            ["STREAM", "MSG", "DELETE", rest @ ..] => (Act::MessageDelete, rest),
            ["STREAM", "LEADER", "STEPDOWN", rest @ ..] => (Act::StreamStepDown, rest),
            ["STREAM", "PEER", "REMOVE", rest @ ..] => (Act::PeerRemove, rest),
            // The longer one as clients before 2.9 do it.
            ["CONSUMER", "CREATE", rest @ ..] | ["CONSUMER", "DURABLE", "CREATE", rest @ ..] => {
                (Act::ConsumerCreate, rest)
            }
            ["CONSUMER", "DELETE", rest @ ..] => (Act::ConsumerDelete, rest),
            ["CONSUMER", "PAUSE", rest @ ..] => (Act::ConsumerPause, rest),
            ["CONSUMER", "RESET", rest @ ..] => (Act::ConsumerReset, rest),
            ["CONSUMER", "UNPIN", rest @ ..] => (Act::ConsumerUnpin, rest),
            ["CONSUMER", "LEADER", "STEPDOWN", rest @ ..] => (Act::ConsumerStepDown, rest),
            ["META", "LEADER", "STEPDOWN", ..] => (Act::MetaStepDown, &[][..]),
            ["INFO" | "DIRECT", ..] => (Act::Read, &[][..]),
            ["STREAM" | "CONSUMER", "INFO" | "NAMES" | "LIST" | "SNAPSHOT", rest @ ..]
            | ["STREAM", "MSG", "GET", rest @ ..]
            | ["CONSUMER", "MSG", "NEXT", rest @ ..] => (Act::Read, rest),
            _ => (Act::Other, &[][..]),
        };
        let token = |at: usize| rest.get(at).copied().unwrap_or_default().to_owned();
        Self { act, stream: token(0), consumer: token(1) }
    }

    /// What it worked on, in words.
    fn object(&self) -> String {
        match (self.stream.as_str(), self.consumer.as_str()) {
            ("", _) if self.act == Act::MetaStepDown => String::new(),
            ("", _) => " the account".into(),
            (stream, "") => format!(" {stream}"),
            (STREAM, consumer) => format!(" {consumer}"),
            (stream, consumer) => format!(" {consumer} of {stream}"),
        }
    }
}

impl Advisory {
    /// Whether another one is the same act of the same client.
    #[must_use]
    pub fn is_repeated_by(&self, other: &Self) -> bool {
        let same = Self { at_ms: self.at_ms, ..other.clone() };
        *self == same
    }

    /// Whether it was about the region's own stream or its consumers.
    #[must_use]
    pub fn concerns_region(&self) -> bool {
        self.call.stream == STREAM || self.call.act == Act::MetaStepDown
    }

    /// Whether this call, in this zone, can have made that difference of `zone`.
    #[must_use]
    pub fn explains(&self, zone: &ZoneName, subject: Subject, kind: &Kind) -> bool {
        if self.refused.is_some() || self.call.stream != STREAM {
            return false;
        }
        let act = self.call.act;
        // A stream takes its consumers along.
        let stream_went = matches!(act, Act::StreamDelete | Act::StreamCreate | Act::StreamRestore);
        let here = self.zone == *zone;
        match (subject, kind) {
            (Subject::Stream, Kind::SourceRecreated) => !here && stream_went,
            (Subject::Stream, Kind::Missing) => here && act == Act::StreamDelete,
            (Subject::Stream, Kind::Recreated | Kind::Replaced) => here && stream_went,
            (Subject::Stream, _) => here && (act == Act::StreamUpdate || stream_went),
            (Subject::Consumer, kind) => {
                here && (stream_went
                    || (self.call.consumer == consumer_name(zone) && of_consumer(act, kind)))
            }
            (Subject::Durable, kind) => {
                !here
                    && (stream_went
                        || (self.call.consumer == mirror_consumer_name(zone)
                            && of_consumer(act, kind)))
            }
        }
    }
}

/// Whether a call about a consumer can have made that difference of it.
fn of_consumer(act: Act, kind: &Kind) -> bool {
    match kind {
        Kind::Missing => act == Act::ConsumerDelete,
        Kind::Paused { .. } => matches!(act, Act::ConsumerPause | Act::ConsumerCreate),
        Kind::Reset => act == Act::ConsumerReset,
        // Of a fetch there is no advisory.
        Kind::TakenElsewhere { .. } => false,
        Kind::Recreated => matches!(act, Act::ConsumerCreate | Act::ConsumerDelete),
        _ => act == Act::ConsumerCreate,
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.leafnode {
            return write!(f, "a client on the other side of the link, through {}", self.name);
        }
        let name = if self.name.is_empty() { "without a name" } else { &self.name };
        write!(f, "client {name} (user {}, {})", self.user, self.host)
    }
}

/// The act as a sentence: `client NAME (user, host) deleted consumer-b`.
impl fmt::Display for Advisory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.caller)?;
        if let Some(why) = &self.refused {
            return write!(f, "was refused in zone {} ({why}): {}", self.zone, self.call);
        }
        write!(f, "{} in zone {}", self.call, self.zone)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.act.verb(), self.object())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_apart() {
        for (subject, act, stream, consumer) in [
            ("$JS.API.CONSUMER.PAUSE.S.c", Act::ConsumerPause, "S", "c"),
            ("$JS.API.CONSUMER.CREATE.S.c", Act::ConsumerCreate, "S", "c"),
            ("$JS.API.CONSUMER.CREATE.S.c.filter.>", Act::ConsumerCreate, "S", "c"),
            ("$JS.API.CONSUMER.CREATE.S", Act::ConsumerCreate, "S", ""),
            ("$JS.API.CONSUMER.DURABLE.CREATE.S.c", Act::ConsumerCreate, "S", "c"),
            ("$JS.API.CONSUMER.LEADER.STEPDOWN.S.c", Act::ConsumerStepDown, "S", "c"),
            ("$JS.API.CONSUMER.RESET.S.c", Act::ConsumerReset, "S", "c"),
            ("$JS.API.STREAM.MSG.DELETE.S", Act::MessageDelete, "S", ""),
            ("$JS.API.STREAM.PURGE.S", Act::StreamPurge, "S", ""),
            ("$JS.API.META.LEADER.STEPDOWN", Act::MetaStepDown, "", ""),
            ("$JS.API.SOMETHING.NEW", Act::Other, "", ""),
        ] {
            let call = Call::of(subject);
            assert_eq!(call.act, act, "{subject}");
            assert_eq!((call.stream.as_str(), call.consumer.as_str()), (stream, consumer));
            assert!(call.act.changes(), "{subject}");
        }
        for subject in [
            "$JS.API.INFO",
            "$JS.API.STREAM.INFO.S",
            "$JS.API.STREAM.NAMES",
            "$JS.API.STREAM.LIST",
            "$JS.API.STREAM.MSG.GET.S",
            "$JS.API.STREAM.SNAPSHOT.S",
            "$JS.API.DIRECT.GET.S",
            "$JS.API.CONSUMER.INFO.S.c",
            "$JS.API.CONSUMER.LIST.S",
            "$JS.API.CONSUMER.MSG.NEXT.S.c",
        ] {
            assert!(!Call::of(subject).act.changes(), "{subject}");
        }
    }

    fn advisory(zone: &str, subject: &str) -> Advisory {
        Advisory {
            at_ms: 1,
            zone: zone.parse().unwrap(),
            caller: Caller {
                name: "nats-cli".into(),
                user: "admin".into(),
                host: "127.0.0.1".into(),
                leafnode: false,
            },
            call: Call::of(subject),
            refused: None,
        }
    }

    #[test]
    fn an_act_is_a_sentence() {
        let deleted = advisory("b", "$JS.API.CONSUMER.DELETE.EVENTS_REGION.consumer-b");
        assert_eq!(
            deleted.to_string(),
            "client nats-cli (user admin, 127.0.0.1) deleted consumer-b in zone b"
        );
        let purged = advisory("a", "$JS.API.STREAM.PURGE.EVENTS_REGION");
        assert_eq!(
            purged.to_string(),
            "client nats-cli (user admin, 127.0.0.1) purged EVENTS_REGION in zone a"
        );
        assert!(purged.concerns_region());
        assert!(!advisory("a", "$JS.API.STREAM.PURGE.OTHER").concerns_region());
    }

    #[test]
    fn an_act_explains_what_it_can_have_made() {
        let b: ZoneName = "b".parse().unwrap();
        let deleted = advisory("b", "$JS.API.CONSUMER.DELETE.EVENTS_REGION.consumer-b");
        assert!(deleted.explains(&b, Subject::Consumer, &Kind::Missing));
        assert!(!deleted.explains(&b, Subject::Durable, &Kind::Missing));
        assert!(!deleted.explains(&"c".parse().unwrap(), Subject::Consumer, &Kind::Missing));
        let refused = Advisory { refused: Some("no".into()), ..deleted };
        assert!(!refused.explains(&b, Subject::Consumer, &Kind::Missing));
        let durable = advisory("a", "$JS.API.CONSUMER.DELETE.EVENTS_REGION.MIRROR_zone-b");
        assert!(durable.explains(&b, Subject::Durable, &Kind::Missing));
        let update = advisory("b", "$JS.API.STREAM.UPDATE.EVENTS_REGION");
        assert!(update.explains(&b, Subject::Stream, &Kind::Promoted));
        assert!(!update.explains(&b, Subject::Stream, &Kind::Missing));
        let recreated = advisory("a", "$JS.API.STREAM.CREATE.EVENTS_REGION");
        assert!(recreated.explains(&b, Subject::Stream, &Kind::SourceRecreated));
        assert!(recreated.explains(&b, Subject::Durable, &Kind::Missing));
        assert!(!recreated.explains(&b, Subject::Stream, &Kind::Recreated));
    }
}
