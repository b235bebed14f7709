//! What the watchers report: raw facts of one moment, before the reducer makes sense of them.

use serde::{Deserialize, Serialize};

use super::{
    UnixMs,
    condition::measured::{Echo, LinkCount},
    configuration::Differing,
    external::cutting::ShownBy,
    names::{NodeName, ZoneName},
    status::{Container, Foreign, Latency},
};

/// One fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observation {
    /// A node answered, or did not within its deadline.
    Node {
        node: NodeName,
        /// What it said; `None` for silence.
        report: Option<Box<NodeReport>>,
    },
    /// The stream of a zone whose servers are nobody's of the room, as its leader tells it.
    Stream {
        zone: ZoneName,
        /// Of the server that was asked.
        version: String,
        at_ms: UnixMs,
        report: Box<StreamReport>,
    },
    /// A node said that it is leaving: somebody put it into lame-duck mode.
    Leaving { node: NodeName },
    /// What the platform knows of a node's process.
    Process {
        node: NodeName,
        /// What it is doing.
        truth: ProcessTruth,
    },
    /// A node was taken off the network of the links, though its zone's link is not cut; or it is
    /// where it belongs again.
    Astray { node: NodeName, off: bool },
    /// In what a zone differs from how it was made.
    Differs { zone: ZoneName, differences: Vec<Differing> },
    /// What the engine tells of a node's container.
    Container { node: NodeName, container: Box<Container> },
    /// What the carrier of a zone's link counted, if the platform carries it, and whether a request
    /// over it was answered.
    Link { zone: ZoneName, count: Option<Box<LinkCount>>, echo: Option<Echo> },
    /// What both ends of a link tell that somebody else runs.
    Ends {
        zone: ZoneName,
        /// When they were asked.
        at_ms: UnixMs,
        /// Everything that told of the link before tells it again, or still does.
        whole: bool,
        /// What shows that it is cut, if something does.
        shown_by: Option<ShownBy>,
    },
    /// The zone's durable consumer at the source (durable mirrors) counts this backlog.
    SourcePending {
        zone: ZoneName,
        /// Messages not delivered to it.
        pending: u64,
    },
}

/// What the platform knows of a node's process.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessTruth {
    /// What it is doing.
    pub state: ProcessState,
    pub pid: Option<u32>,
}

/// What a process is doing, as its platform sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProcessState {
    Running,
    Frozen,
    /// Ended because it was asked to.
    Stopped,
    /// Ended without being asked to.
    Dead,
}

/// What one node said about itself at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeReport {
    /// The server's unique id (a new one after every start).
    pub server_id: String,
    pub version: String,
    pub at_ms: UnixMs,
    /// Resident memory in bytes.
    pub rss_bytes: Option<u64>,
    /// CPU in percent of one core, over the server's own short window.
    pub cpu_percent: Option<f32>,
    /// Server name of the leader of the zone's meta group.
    pub meta_leader: Option<String>,
    /// It answers, and its JetStream is off.
    pub jetstream_off: bool,
    pub leafs: Vec<LeafReport>,
    /// Connections that are nobody's of the region; `None` where it was not asked this time.
    #[serde(default)]
    pub foreign: Option<Vec<Foreign>>,
    /// Connections that came since it was asked last, and are too many to be listed in `foreign`.
    #[serde(default)]
    pub foreign_unlisted: u64,
    /// The region's stream as this node sees it.
    pub stream: Option<StreamReport>,
}

/// One leafnode connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LeafReport {
    /// The connection's id on this server.
    pub id: u64,
    /// The server name at the other end, `js1-zone-b`.
    pub name: String,
    /// The address it comes from.
    #[serde(default)]
    pub host: String,
    /// Round trip in microseconds.
    pub rtt_us: Option<u64>,
    /// Bytes that came over it, as the server counts them: of messages, before compression.
    #[serde(default)]
    pub in_bytes: Option<u64>,
}

/// The stream as one node sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StreamReport {
    pub messages: u64,
    pub bytes: u64,
    pub first_seq: u64,
    pub last_seq: u64,
    pub num_deleted: u64,
    /// Of a copy that counts by itself: `last_seq` before it was read as the source's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_last_seq: Option<u64>,
    /// When the stream was created, as the server prints it.
    pub created: String,
    /// Server name of the stream's leader, as this node sees it.
    pub leader: Option<String>,
    /// The other replicas, as this node sees them (only the leader's view is trustworthy).
    pub peers: Vec<PeerReport>,
    /// Mirror information (only the leader knows it).
    pub mirror: Option<MirrorReport>,
    /// Consumers, as this node sees them.
    pub consumers: Vec<ConsumerReport>,
}

/// A replica as the leader sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PeerReport {
    pub name: String,
    pub current: bool,
}

/// Mirror information as the mirror's leader tells it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MirrorReport {
    /// The server's own lag figure.
    pub lag: u64,
    /// Milliseconds since it last heard from the source; `None` for never.
    pub silent_ms: Option<u64>,
    /// The server's error text.
    pub error: Option<String>,
}

/// A consumer as one node sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConsumerReport {
    pub name: String,
    /// Last stream sequence delivered.
    pub delivered: u64,
    /// On a copy that counts by itself: `delivered` before it was read as the source's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_delivered: Option<u64>,
    /// How many deliveries it has made, repeated ones included.
    pub deliveries: u64,
    /// Acknowledged up to here (stream sequence).
    pub ack_floor: u64,
    pub pending: u64,
    pub unacked: u64,
    /// Waiting messages that were delivered more than once.
    pub redelivered: u64,
    /// Server name of its leader, as this node sees it.
    pub leader: Option<String>,
}

/// What the room does with a zone's consumer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Consuming {
    /// The room consumes in this zone.
    pub running: bool,
    /// Paused by a command.
    pub paused: bool,
    /// Messages a second it is held to; `None` means as fast as it can.
    pub limit: Option<f64>,
    /// Messages a second it processes now.
    pub rate: f64,
    /// Messages it has processed, repeated ones included.
    #[serde(default)]
    pub processed: u64,
    /// Of the messages it processed for the first time in the last 10 s.
    #[serde(default)]
    pub latency: Option<Latency>,
    /// What the deliveries that came to it say of the server's count; `None` before the first.
    #[serde(default)]
    pub deliveries: Option<Deliveries>,
    /// Why it cannot consume just now, if it cannot.
    pub trouble: Option<String>,
    /// How often it has connected.
    #[serde(default)]
    pub connections: u64,
}

/// Each delivery carries the server's count of the consumer's deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliveries {
    /// The server's count at the newest that came to the room.
    pub count: u64,
    /// Of them, those that came to the room: without the gaps between them.
    pub here: u64,
    /// When the newest came.
    pub at_ms: UnixMs,
}

impl Deliveries {
    /// One more came, by the server's count the `count`th. A consumer that was made anew counts
    /// from one; a new leader repeats the last few.
    #[must_use]
    pub fn after(before: Option<Self>, count: u64, at_ms: UnixMs) -> Self {
        let here = match before {
            Some(before) if count > before.count => before.here + 1,
            Some(before) if count > 1 => before.here.saturating_sub(before.count - count),
            _ => count,
        };
        Self { count, here, at_ms }
    }
}

/// What a server says about itself when a drill asks; kept in the drill's record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFacts {
    pub node: String,
    /// Its unique id: another after every start.
    pub server_id: String,
    pub version: String,
    /// When it was started, as it prints it.
    pub start: String,
    /// When its configuration was last loaded, as it prints it.
    pub config_load_time: String,
}
