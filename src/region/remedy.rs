//! What mends something, as the command line that does it. What is shown to people is made from it
//! here, and whatever can be made here is known to be a command.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{
    names::{NodeName, ZoneName},
    status::NodeState,
};

/// A command that mends something, or tells more of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    StartNode(NodeName),
    StopNode(NodeName),
    ThawNode(NodeName),
    Heal(ZoneName),
    Nudge(ZoneName),
    Repair(ZoneName),
    /// Makes a zone take no messages.
    Fence(ZoneName),
    /// Brings what a fenced zone holds alone to the one that takes messages.
    Salvage(ZoneName),
    ResumeConsumer(ZoneName),
    /// Lifts the rate that a consumer is held to.
    FreeConsumer(ZoneName),
    StopProducing,
    /// Removes what is left of a zone.
    RemoveZone(ZoneName),
    /// Looks at every message of a zone.
    Verify(ZoneName),
    Status,
    Doctor,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StartNode(node) => write!(f, "node start {node}"),
            Self::StopNode(node) => write!(f, "node stop {node}"),
            Self::ThawNode(node) => write!(f, "node thaw {node}"),
            Self::Heal(zone) => write!(f, "heal {zone}"),
            Self::Nudge(zone) => write!(f, "nudge {zone}"),
            Self::Repair(zone) => write!(f, "repair {zone}"),
            Self::Fence(zone) => write!(f, "fence {zone}"),
            Self::Salvage(zone) => write!(f, "salvage {zone}"),
            Self::ResumeConsumer(zone) => write!(f, "consumer resume {zone}"),
            Self::FreeConsumer(zone) => write!(f, "consumer rate {zone} max"),
            Self::StopProducing => f.write_str("produce stop"),
            Self::RemoveZone(zone) => write!(f, "zone remove {zone}"),
            Self::Verify(zone) => write!(f, "verify {zone}"),
            Self::Status => f.write_str("status"),
            Self::Doctor => f.write_str("doctor"),
        }
    }
}

impl Serialize for Remedy {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl Remedy {
    /// The command and what it does: "`node thaw js2-zone-b` resumes it".
    #[must_use]
    pub fn told(&self) -> String {
        self.told_as(&self.to_string())
    }

    /// The same, typed as this line.
    #[must_use]
    pub fn told_as(&self, line: &str) -> String {
        let does = match self {
            Self::StartNode(_) => "starts it",
            Self::StopNode(_) => "ends it",
            Self::ThawNode(_) => "resumes it",
            Self::Heal(_) => "restores the link",
            Self::Nudge(_) => "hurries it",
            Self::Repair(_) => "mends it",
            Self::Fence(_) => "makes it refuse messages",
            Self::Salvage(_) => "publishes what it holds alone",
            Self::ResumeConsumer(_) => "goes on",
            Self::FreeConsumer(_) => "lifts it",
            Self::StopProducing => "ends that",
            Self::RemoveZone(_) => "removes what is left",
            Self::Verify(_) => "looks at every message",
            Self::Status | Self::Doctor => "tells more",
        };
        format!("`{line}` {does}")
    }

    /// What brings a node in this state back, where one command does.
    #[must_use]
    pub fn of_node(node: &NodeName, state: NodeState) -> Option<Self> {
        match state {
            NodeState::Dead | NodeState::Stopped => Some(Self::StartNode(node.clone())),
            NodeState::Frozen => Some(Self::ThawNode(node.clone())),
            NodeState::JsOff
            | NodeState::Leaving
            | NodeState::Starting
            | NodeState::Up
            | NodeState::Silent => None,
        }
    }

    /// One of each kind.
    #[cfg(test)]
    pub(crate) fn one_of_each(node: &NodeName) -> Vec<Self> {
        let zone = || node.zone.clone();
        let all = vec![
            Self::StartNode(node.clone()),
            Self::StopNode(node.clone()),
            Self::ThawNode(node.clone()),
            Self::Heal(zone()),
            Self::Nudge(zone()),
            Self::Repair(zone()),
            Self::Fence(zone()),
            Self::Salvage(zone()),
            Self::ResumeConsumer(zone()),
            Self::FreeConsumer(zone()),
            Self::StopProducing,
            Self::RemoveZone(zone()),
            Self::Verify(zone()),
            Self::Status,
            Self::Doctor,
        ];
        // A new kind belongs into the list above.
        for one in &all {
            match one {
                Self::StartNode(_)
                | Self::StopNode(_)
                | Self::ThawNode(_)
                | Self::Heal(_)
                | Self::Nudge(_)
                | Self::Repair(_)
                | Self::Fence(_)
                | Self::Salvage(_)
                | Self::ResumeConsumer(_)
                | Self::FreeConsumer(_)
                | Self::StopProducing
                | Self::RemoveZone(_)
                | Self::Verify(_)
                | Self::Status
                | Self::Doctor => {}
            }
        }
        all
    }
}
