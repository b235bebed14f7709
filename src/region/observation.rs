//! What the watchers report: raw facts of one moment, before the reducer makes sense of them.

use serde::{Deserialize, Serialize};

use super::{
    UnixMs,
    names::{NodeName, ZoneName},
    snapshot::Container,
};

/// One fact.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// A node answered, or did not within its deadline.
    Node {
        /// Which.
        node: NodeName,
        /// What it said; `None` for silence.
        report: Option<Box<NodeReport>>,
    },
    /// What the platform knows of a node's process.
    Process {
        /// Which.
        node: NodeName,
        /// What it is doing.
        truth: ProcessTruth,
    },
    /// A node was taken off the network of the links, though its zone's link is not cut; or it is
    /// where it belongs again.
    Astray {
        /// Which.
        node: NodeName,
        /// It is off.
        off: bool,
    },
    /// What the engine tells of a node's container.
    Container {
        /// Which.
        node: NodeName,
        /// What it tells.
        container: Box<Container>,
    },
    /// The zone's durable consumer at the source (durable mirrors) counts this backlog.
    SourcePending {
        /// The mirror zone.
        zone: ZoneName,
        /// Messages not delivered to it.
        pending: u64,
    },
}

/// What the platform knows of a node's process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcessTruth {
    /// What it is doing.
    pub state: ProcessState,
    /// Its process id.
    pub pid: Option<u32>,
}

/// What a process is doing, as its platform sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessState {
    /// Runs.
    Running,
    /// Suspended.
    Frozen,
    /// Ended because it was asked to.
    Stopped,
    /// Ended without being asked to.
    Dead,
}

/// What one node said about itself at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeReport {
    /// The server's unique id (a new one after every start).
    pub server_id: String,
    /// `2.15.1`.
    pub version: String,
    /// When it answered.
    pub at_ms: UnixMs,
    /// Resident memory in bytes.
    pub rss_bytes: Option<u64>,
    /// CPU in percent of one core, over the server's own short window.
    pub cpu_percent: Option<f32>,
    /// Server name of the leader of the zone's meta group.
    pub meta_leader: Option<String>,
    /// It answers, and its JetStream is off.
    pub jetstream_off: bool,
    /// Its leafnode connections.
    pub leafs: Vec<LeafReport>,
    /// The region's stream as this node sees it.
    pub stream: Option<StreamReport>,
}

/// One leafnode connection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LeafReport {
    /// The connection's id on this server.
    pub id: u64,
    /// The server name at the other end, `js1-zone-b`.
    pub name: String,
    /// Round trip in microseconds.
    pub rtt_us: Option<u64>,
}

/// The stream as one node sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamReport {
    /// Messages held.
    pub messages: u64,
    /// Bytes held.
    pub bytes: u64,
    /// First sequence held.
    pub first_seq: u64,
    /// Last sequence assigned.
    pub last_seq: u64,
    /// Holes.
    pub num_deleted: u64,
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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PeerReport {
    /// Server name.
    pub name: String,
    /// Has everything.
    pub current: bool,
}

/// Mirror information as the mirror's leader tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MirrorReport {
    /// The server's own lag figure.
    pub lag: u64,
    /// Milliseconds since it last heard from the source; `None` for never.
    pub silent_ms: Option<u64>,
    /// The server's error text.
    pub error: Option<String>,
}

/// A consumer as one node sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConsumerReport {
    /// Its name.
    pub name: String,
    /// Last stream sequence delivered.
    pub delivered: u64,
    /// Acknowledged up to here (stream sequence).
    pub ack_floor: u64,
    /// Not delivered yet.
    pub pending: u64,
    /// Delivered, not acknowledged.
    pub unacked: u64,
    /// Waiting messages that were delivered more than once.
    pub redelivered: u64,
    /// Server name of its leader, as this node sees it.
    pub leader: Option<String>,
}

/// What a server says about itself when a drill asks; kept in the drill's record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFacts {
    /// `js1-zone-a`.
    pub node: String,
    /// Its unique id: another after every start.
    pub server_id: String,
    /// `2.15.1`.
    pub version: String,
    /// When it was started, as it prints it.
    pub start: String,
    /// When its configuration was last loaded, as it prints it.
    pub config_load_time: String,
}
