//! A server of a zone: what it is doing, what it leads, what it costs.

use serde::{Deserialize, Serialize};

use crate::region::{UnixMs, names::NodeName};

/// A node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// `js2-zone-b`.
    pub name: NodeName,
    /// What it is doing.
    pub state: NodeState,
    /// Since when it is in that state.
    pub since_ms: UnixMs,
    /// The client port, for a tool that wants to look in.
    pub client_port: u16,
    /// Its process (or container's main process), where the platform knows it.
    pub pid: Option<u32>,
    /// Leads the zone's meta group.
    pub meta_leader: bool,
    /// Leads the stream.
    pub stream_leader: bool,
    /// Leads the zone's consumer.
    pub consumer_leader: bool,
    /// Leafnode connections it has, when it last answered.
    pub leafs: Option<u32>,
    /// Resident memory in bytes.
    pub rss_bytes: Option<u64>,
    /// CPU in percent of one core.
    pub cpu_percent: Option<f32>,
    /// When it last answered.
    pub answered_ms: Option<UnixMs>,
    /// Its container, where it runs in one.
    #[serde(default)]
    pub container: Option<Container>,
}

/// What a node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// Started, has not answered yet.
    Starting,
    /// Answers.
    Up,
    /// Answers, but has switched its JetStream off (its disk is full, or cannot be written): it
    /// holds no replica that counts until it is started again.
    #[serde(rename = "js-off")]
    JsOff,
    /// Its process runs, but it does not answer.
    Silent,
    /// Suspended on purpose.
    Frozen,
    /// Its process ended without being asked to.
    Dead,
    /// Stopped on purpose.
    Stopped,
}

impl NodeState {
    /// Its server answers.
    #[must_use]
    pub fn answers(self) -> bool {
        matches!(self, Self::Up | Self::JsOff)
    }

    /// The word shown and printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::JsOff => "js-off",
            Self::Silent => "silent",
            Self::Frozen => "frozen",
            Self::Dead => "dead",
            Self::Stopped => "stopped",
        }
    }
}

/// A node's container, as its engine tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// The first twelve digits of its id.
    pub id: String,
    /// The engine's word: `running`, `paused`, `exited`, `removed`.
    pub state: String,
    /// The engine's word on its health; `None` where its image has no health check.
    pub health: Option<String>,
    /// How often the engine restarted it.
    pub restarts: Option<u64>,
    /// CPU in percent of one core; `None` unless it runs and the engine has measured it.
    pub cpu_percent: Option<f32>,
    /// Memory in bytes, page cache left out.
    pub memory_bytes: Option<u64>,
}
