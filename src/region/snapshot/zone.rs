//! A zone as it is seen: where it is in its life, and what its stream and its consumer hold.

use serde::{Deserialize, Serialize};

use super::{Ledger, Link, Mirror, Node, Recovery};
use crate::region::{UnixMs, names::ZoneName, topology::Role};

/// A zone as it is seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Zone {
    /// Its name.
    pub name: ZoneName,
    /// Source or mirror.
    pub role: Role,
    /// Being added, serving, being removed.
    pub state: ZoneState,
    /// Its nodes, in order.
    pub nodes: Vec<Node>,
    /// The stream, as its leader last told.
    pub stream: Option<Stream>,
    /// The zone's consumer, as its leader last told.
    pub consumer: Option<Consumer>,
    /// What this room does with that consumer.
    pub work: Work,
    /// The mirror; `None` at the source.
    pub mirror: Option<Mirror>,
    /// The link to the source; `None` at the source.
    pub link: Option<Link>,
    /// The clock of the last heal; `None` before the first.
    pub recovery: Option<Recovery>,
    /// The account of messages.
    pub ledger: Ledger,
    /// The highest true lag of each second, oldest first, `None` where it was unknown.
    pub lag_history: Vec<Option<u64>>,
    /// In a replay: all that is known of the zone's nodes, stream and consumer. `nodes` is empty
    /// then, `stream` and `consumer` are `None`, and of `ledger` only `acked` and `received` say
    /// something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Recorded>,
}

/// Where a zone is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ZoneState {
    /// Being brought up.
    Starting,
    /// Serving.
    Ready,
    /// Being removed.
    Removing,
}

/// A stream as its leader last told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Messages held.
    pub messages: u64,
    /// Bytes held.
    pub bytes: u64,
    /// First sequence held.
    pub first_seq: u64,
    /// Last sequence assigned.
    pub last_seq: u64,
    /// Holes between them.
    pub num_deleted: u64,
    /// The leader's server name.
    pub leader: Option<String>,
    /// Replicas (leader included).
    pub replicas: u32,
    /// Of them, those that are current, as the leader sees it (leader included); `None` while
    /// nobody leads, or the leader has not told for a while.
    pub replicas_current: Option<u32>,
    /// When the leader told.
    pub told_ms: UnixMs,
}

/// A consumer as its leader last told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// Last stream sequence delivered.
    pub delivered: u64,
    /// Every stream sequence up to here is acknowledged.
    pub ack_floor: u64,
    /// Messages not delivered yet.
    pub pending: u64,
    /// Delivered and not acknowledged.
    pub unacked: u64,
    /// Waiting messages that were delivered more than once, as the server counts.
    pub redelivered: u64,
    /// The leader's server name.
    pub leader: Option<String>,
    /// When the leader told.
    pub told_ms: UnixMs,
}

/// What the room does with a zone's consumer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// The room consumes in this zone.
    pub running: bool,
    /// Paused by a command.
    pub paused: bool,
    /// Messages a second it is held to; `None` means as fast as it can.
    pub limit: Option<f64>,
    /// Messages a second it processes now.
    pub rate: f64,
    /// Why it cannot consume just now, if it cannot.
    pub trouble: Option<String>,
}

/// What a drill's record holds of a zone at one moment. `None` is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Nodes that answered.
    pub nodes_up: u32,
    /// First sequence the stream held.
    pub first_seq: Option<u64>,
    /// Last sequence assigned.
    pub last_seq: Option<u64>,
    /// Messages the stream held.
    pub messages: Option<u64>,
    /// Last stream sequence delivered to the consumer.
    pub delivered: Option<u64>,
    /// The consumer's ack floor.
    pub ack_floor: Option<u64>,
    /// Messages acknowledged and not processed.
    #[serde(default)]
    pub behind: Option<u64>,
}
