//! What differs between a configuration as it was made and as it is seen.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Configuration, Consumer, ConsumerConfig, Seen, Stream, StreamConfig};
use crate::region::{UnixMs, advisory::Advisory};

/// One thing that is not as it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    pub subject: Subject,
    pub kind: Kind,
}

/// A difference that stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Differing {
    #[serde(flatten)]
    pub difference: Difference,
    /// When it was seen first.
    pub since_at_ms: UnixMs,
    /// Whose call of the API made it, if one is known that can have.
    pub by: Option<Advisory>,
}

/// What it is about.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The zone's stream: the source's own, or the mirror.
    Stream,
    /// The zone's durable consumer.
    Consumer,
    /// The zone's durable sourcing consumer at the source.
    Durable,
}

/// How it differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Missing,
    /// It was deleted and made again: the same name, created at another time.
    Recreated,
    /// A mirror that was turned into a plain stream: created at the same time, no mirror any more.
    Promoted,
    /// A plain stream stands where the mirror was.
    Replaced,
    /// It mirrors another stream, or in another way.
    OtherOrigin,
    /// The source's stream was deleted and made again; this mirror still holds the old one's
    /// messages and copies nothing of the new one.
    SourceRecreated,
    /// The same stream has lost its messages: its last sequence went back.
    Emptied {
        had: u64,
        has: u64,
    },
    /// The same consumer began anew: its count of deliveries went back.
    Reset,
    /// Its ack floor has passed messages that never came to the room: somebody else acknowledged
    /// them.
    TakenElsewhere {
        count: u64,
    },
    /// Deliveries are paused at the server.
    Paused {
        until: String,
    },
    /// It delivers these subjects only.
    Filtered {
        subjects: Vec<String>,
    },
    AckPolicy {
        made: String,
        seen: String,
    },
    Replicas {
        made: u8,
        seen: u8,
    },
    Limit {
        limit: Limit,
        /// −1 is no limit.
        made: i64,
        seen: i64,
    },
    /// In nanoseconds.
    DuplicateWindow {
        made: u64,
        seen: u64,
    },
    Retention {
        made: String,
        seen: String,
    },
    Subjects {
        made: Vec<String>,
        seen: Vec<String>,
    },
    /// Nothing can be written to it, or deleted, any more.
    Sealed,
    /// Any other setting, by JetStream's own name for it.
    Setting {
        name: String,
        made: String,
        seen: String,
    },
}

words! {
    /// What a stream may be limited in.
    pub enum Limit {
        MaxMsgs = "max_msgs",
        MaxBytes = "max_bytes",
        /// In nanoseconds.
        MaxAge = "max_age",
        MaxMsgsPerSubject = "max_msgs_per_subject",
        MaxMsgSize = "max_msg_size",
    }
}

/// Everything in which `seen` differs from what was `made`. What is not known differs in nothing.
#[must_use]
pub fn differences(made: &Configuration, seen: &Configuration) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut add = |subject, kind| found.push(Difference { subject, kind });
    if let Some(made) = made.stream.there() {
        compare_stream(made, &seen.stream, &mut |kind| add(Subject::Stream, kind));
    }
    let stale = made.source_created.is_some()
        && seen.source_created.is_some()
        && made.source_created != seen.source_created;
    if stale && seen.stream != Seen::Missing {
        add(Subject::Stream, Kind::SourceRecreated);
    }
    // A consumer goes with its stream: one act is told once.
    if let Some(made) = made.consumer.there().filter(|_| seen.stream != Seen::Missing) {
        compare_consumer(made, &seen.consumer, &mut |kind| add(Subject::Consumer, kind));
    }
    if let (Some(Seen::There(made)), Some(seen)) = (&made.durable, &seen.durable) {
        compare_consumer(made, seen, &mut |kind| {
            // Its mirror resets it whenever it connects again.
            if kind != Kind::Reset {
                add(Subject::Durable, kind);
            }
        });
    }
    found
}

fn compare_stream(made: &Stream, seen: &Seen<Stream>, add: &mut impl FnMut(Kind)) {
    let seen = match seen {
        Seen::There(seen) => seen,
        Seen::Missing => return add(Kind::Missing),
        Seen::Unknown => return,
    };
    let same = made.created == seen.created;
    let copies = made.config.origin().is_some();
    let other = made.config.mirror != seen.config.mirror
        || copies && made.config.sources != seen.config.sources;
    match seen.config.origin() {
        None if copies => add(if same { Kind::Promoted } else { Kind::Replaced }),
        _ if !same => add(Kind::Recreated),
        _ if other => add(Kind::OtherOrigin),
        _ if seen.last_seq < made.last_seq => {
            add(Kind::Emptied { had: made.last_seq, has: seen.last_seq });
        }
        _ => {}
    }
    compare_settings(&made.config, &seen.config, add);
}

fn compare_settings(made: &StreamConfig, seen: &StreamConfig, add: &mut impl FnMut(Kind)) {
    if made.num_replicas != seen.num_replicas {
        add(Kind::Replicas { made: made.num_replicas, seen: seen.num_replicas });
    }
    let age = |nanos: u64| i64::try_from(nanos).unwrap_or(i64::MAX);
    // Without a maximal age JetStream writes 0, and for the others −1; older servers 0 as well.
    let none = |limit: i64| if limit <= 0 { super::UNLIMITED } else { limit };
    for (limit, made, seen) in [
        (Limit::MaxMsgs, made.max_msgs, seen.max_msgs),
        (Limit::MaxBytes, made.max_bytes, seen.max_bytes),
        (Limit::MaxAge, age(made.max_age), age(seen.max_age)),
        (Limit::MaxMsgsPerSubject, made.max_msgs_per_subject, seen.max_msgs_per_subject),
        (Limit::MaxMsgSize, made.max_msg_size, seen.max_msg_size),
    ] {
        let (made, seen) = (none(made), none(seen));
        if made != seen {
            add(Kind::Limit { limit, made, seen });
        }
    }
    if made.retention != seen.retention {
        add(Kind::Retention { made: made.retention.clone(), seen: seen.retention.clone() });
    }
    // A mirror that became a stream of its own has subjects and a window because of that.
    if made.mirror.is_none() {
        // So does a copy that became one have subjects.
        let promoted = made.origin().is_some() && seen.origin().is_none();
        if made.duplicate_window != seen.duplicate_window {
            add(Kind::DuplicateWindow { made: made.duplicate_window, seen: seen.duplicate_window });
        }
        if made.subjects != seen.subjects && !promoted {
            add(Kind::Subjects { made: made.subjects.clone(), seen: seen.subjects.clone() });
        }
    }
    if seen.sealed && !made.sealed {
        add(Kind::Sealed);
    }
    // What a copy takes from is compared as its origin.
    let names = |config: &StreamConfig| match made.origin() {
        Some(_) => String::new(),
        None => {
            config.sources.iter().map(|origin| origin.name.clone()).collect::<Vec<_>>().join(", ")
        }
    };
    let flag = |truth: bool| truth.to_string();
    for (name, made, seen) in [
        ("storage", made.storage.clone(), seen.storage.clone()),
        ("discard", made.discard.clone(), seen.discard.clone()),
        ("allow_direct", flag(made.allow_direct), flag(seen.allow_direct)),
        ("sources", names(made), names(seen)),
    ] {
        setting(name, made, seen, add);
    }
}

fn compare_consumer(made: &Consumer, seen: &Seen<Consumer>, add: &mut impl FnMut(Kind)) {
    let seen = match seen {
        Seen::There(seen) => seen,
        Seen::Missing => return add(Kind::Missing),
        Seen::Unknown => return,
    };
    if let Some(until) = &seen.paused_until {
        add(Kind::Paused { until: until.clone() });
    }
    compare_consumer_settings(&made.config, &seen.config, add);
    // What it does now is told before how it came about.
    if made.created != seen.created {
        add(Kind::Recreated);
    } else if seen.delivered < made.delivered {
        add(Kind::Reset);
    }
}

fn compare_consumer_settings(
    made: &ConsumerConfig,
    seen: &ConsumerConfig,
    add: &mut impl FnMut(Kind),
) {
    if made.ack_policy != seen.ack_policy {
        add(Kind::AckPolicy { made: made.ack_policy.clone(), seen: seen.ack_policy.clone() });
    }
    let subjects: Vec<String> = seen.filters().map(str::to_owned).collect();
    if !made.filters().eq(seen.filters()) {
        add(Kind::Filtered { subjects });
    }
    if made.num_replicas != seen.num_replicas {
        add(Kind::Replicas { made: made.num_replicas, seen: seen.num_replicas });
    }
    for (name, value) in SETTINGS {
        setting(name, value(made), value(seen), add);
    }
}

/// A consumer's setting, written out.
type Value = fn(&ConsumerConfig) -> String;

/// The rest of a consumer's settings. Where it began is no setting: a repair may choose it anew.
const SETTINGS: [(&str, Value); 7] = [
    ("ack_wait", |config| config.ack_wait.to_string()),
    ("max_deliver", |config| config.max_deliver.to_string()),
    ("max_ack_pending", |config| config.max_ack_pending.to_string()),
    ("deliver_subject", |config| config.deliver_subject.clone()),
    ("flow_control", |config| config.flow_control.to_string()),
    ("idle_heartbeat", |config| config.idle_heartbeat.to_string()),
    ("headers_only", |config| config.headers_only.to_string()),
];

fn setting(name: &str, made: String, seen: String, add: &mut impl FnMut(Kind)) {
    if made != seen {
        add(Kind::Setting { name: name.into(), made, seen });
    }
}
