//! A server of a zone: what it is doing, what it leads, what it costs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::region::{UnixMs, names::NodeName};

/// A node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    pub name: NodeName,
    /// What it is doing.
    pub state: NodeState,
    /// Since when it is in that state.
    #[serde(default)]
    pub since_at_ms: UnixMs,
    /// Leads the zone's stream.
    pub leader: bool,
    /// Leads the zone's meta group.
    pub meta_leader: bool,
    /// Leads the zone's consumer.
    pub consumer_leader: bool,
    /// Where clients connect: `nats://127.0.0.1:15222`.
    pub url: String,
    /// Its process (or container's main process), where the platform knows it.
    pub pid: Option<u32>,
    /// Leafnode connections it has, when it last answered.
    pub leafs: Option<u32>,
    /// Resident memory in bytes.
    pub rss_bytes: Option<u64>,
    /// CPU in percent of one core.
    pub cpu_percent: Option<f32>,
    /// When it last answered.
    pub answered_at_ms: Option<UnixMs>,
    /// Its container; left out where nodes are processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
}

words! {
/// What a node is doing.
pub enum NodeState {
    /// Started, has not answered yet.
    Starting = "starting",
    Up = "up",
    /// Answers, but has switched its JetStream off (its disk is full, or cannot be written): it
    /// holds no replica that counts until it is started again.
    JsOff = "js-off",
    /// Told to leave (lame-duck mode, SIGUSR2): it takes no client, has ended its JetStream, and ends
    /// by itself.
    Leaving = "leaving",
    /// Its process runs, but it does not answer.
    Silent = "silent",
    Frozen = "frozen",
    /// Its process ended without being asked to.
    Dead = "dead",
    Stopped = "stopped",
}
}

impl Node {
    /// Its `url` as people type it: `localhost:15222`.
    #[must_use]
    pub fn address(&self) -> String {
        let address = self.url.strip_prefix("nats://").unwrap_or(&self.url);
        address
            .strip_prefix("127.0.0.1:")
            .map_or(address.to_owned(), |port| format!("localhost:{port}"))
    }

    /// The port of its `url`, for a tool that connects.
    #[must_use]
    pub fn port(&self) -> &str {
        self.url.rsplit(':').next().unwrap_or_default()
    }
}

impl NodeState {
    /// Its server answers.
    #[must_use]
    pub fn answers(self) -> bool {
        matches!(self, Self::Up | Self::JsOff)
    }

    /// Its process has ended, and every connection with it.
    #[must_use]
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Dead | Self::Stopped)
    }
}

/// A node's container, as its engine tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Container {
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
