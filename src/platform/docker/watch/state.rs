//! What is known of each node, and what becomes of it when the engine tells or is looked at.

use std::sync::Arc;

use bollard::{
    errors::Error, models::ContainerInspectResponse, query_parameters::InspectContainerOptions,
};

use super::{Plug, Shared, follow::Follower, locked};
use crate::{
    command::NodeAct,
    platform::{PlatformEvent, docker::engine::code},
    region::{
        NodeName,
        observation::{ProcessState, ProcessTruth},
        remedy::Remedy,
        status::Container,
    },
};

impl Shared {
    /// A container's process has ended.
    pub(super) fn ended(&self, node: &NodeName, asked: Option<NodeAct>, how: &str) {
        let (state, ours) = match asked {
            Some(NodeAct::Stop | NodeAct::Drain) => (ProcessState::Stopped, true),
            Some(NodeAct::Kill) => (ProcessState::Dead, true),
            _ => (ProcessState::Dead, false),
        };
        self.became(node, state, "exited", ours, how);
    }

    pub(super) fn removed(&self, node: &NodeName, asked: Option<NodeAct>) {
        let was = self.nodes.borrow().get(node).map(|known| known.container.state.clone());
        if was.as_deref() == Some("removed") {
            return;
        }
        let stopped = self.nodes.borrow().get(node).and_then(|known| known.truth);
        // Removing what was stopped on purpose does not make it die.
        let state = match stopped {
            Some(truth) if truth.state == ProcessState::Stopped => ProcessState::Stopped,
            _ => ProcessState::Dead,
        };
        self.became(node, state, "removed", asked.is_some(), "is gone, its container was removed");
    }

    /// Takes over what a container became, and tells. `how` continues the node's name.
    pub(super) fn became(
        &self,
        node: &NodeName,
        state: ProcessState,
        word: &str,
        ours: bool,
        how: &str,
    ) {
        let lives = matches!(state, ProcessState::Running | ProcessState::Frozen);
        if !lives && let Some(follower) = locked(&self.followers).get_mut(node) {
            follower.stop_measuring();
        }
        let mut news = None;
        self.nodes.send_if_modified(|known| {
            let Some(known) = known.get_mut(node) else { return false };
            let pid = known.truth.and_then(|truth| truth.pid).filter(|_| lives);
            let truth = ProcessTruth { state, pid };
            let same = known.truth == Some(truth) && known.container.state == word;
            if same {
                return false;
            }
            known.truth = Some(truth);
            word.clone_into(&mut known.container.state);
            if !lives {
                (known.container.cpu_percent, known.container.memory_bytes) = (None, None);
                (known.astray, known.alone) = (None, false);
            }
            news = Some((truth, known.shown()));
            true
        });
        let Some((truth, container)) = news else { return };
        let who = if ours { "" } else { " by somebody else" };
        let way_out = match (ours, state) {
            (false, ProcessState::Frozen) => format!(": {}", Remedy::ThawNode(node.clone()).told()),
            // What has no container any more may have no volume either.
            (false, ProcessState::Dead) if word == "removed" => {
                format!(": `node start {node}` makes a new one")
            }
            (false, ProcessState::Dead) => {
                format!(": {}, with its data", Remedy::StartNode(node.clone()).told())
            }
            _ => String::new(),
        };
        self.tell(PlatformEvent::Node {
            node: node.clone(),
            truth,
            why: format!("{how}{who}{way_out}"),
            foreign: !ours,
        });
        self.tell(PlatformEvent::Container { node: node.clone(), container });
    }

    /// Takes over whether a container that lives is on the WAN network, and tells if that is not
    /// what the room has made of it.
    fn is_on_the_wan(&self, node: &NodeName, on: bool) {
        let wanted = match self.plug(&node.zone) {
            Plug::On => true,
            Plug::Off => false,
            Plug::Moving => return,
        };
        let astray = (on != wanted).then_some(on);
        let mut news = None;
        self.nodes.send_if_modified(|known| {
            let Some(known) = known.get_mut(node).filter(|known| known.astray != astray) else {
                return false;
            };
            known.astray = astray;
            news = Some(known.shown());
            false
        });
        let Some(container) = news else { return };
        let told = astray.map(|on| {
            if on {
                format!(
                    "was put on the WAN network by somebody else, though zone {} is cut: `docker network disconnect {} {}` takes it off",
                    node.zone,
                    self.names.wan(),
                    self.names.container(node)
                )
            } else {
                let way_back = self.way_back(node);
                format!("was taken off the WAN network by somebody else: {way_back}")
            }
        });
        self.tell(PlatformEvent::Astray { node: node.clone(), off: astray == Some(false), told });
        self.tell(PlatformEvent::Container { node: node.clone(), container });
    }

    /// Takes over whether a container that lives is on its own zone's network, where the room never
    /// takes it off, and tells if that has changed.
    fn is_in_its_zone(&self, node: &NodeName, there: bool) {
        let mut news = None;
        self.nodes.send_if_modified(|known| {
            let Some(known) = known.get_mut(node).filter(|known| known.alone == there) else {
                return false;
            };
            known.alone = !there;
            news = Some(known.shown());
            false
        });
        let Some(container) = news else { return };
        let told = if there {
            "is on its zone's network again".to_owned()
        } else {
            let way_back = self.way_to_its_zone(node);
            format!("was taken off its zone's network by somebody else: {way_back}")
        };
        self.tell(PlatformEvent::Alone { node: node.clone(), off: !there, told });
        self.tell(PlatformEvent::Container { node: node.clone(), container });
    }

    /// Takes over a measure, and tells.
    pub(super) fn measured(&self, node: &NodeName, change: impl FnOnce(&mut Container)) {
        let mut news = None;
        self.nodes.send_if_modified(|known| {
            let Some(known) = known.get_mut(node) else { return false };
            let before = known.container.clone();
            change(&mut known.container);
            if before != known.container {
                news = Some(known.shown());
            }
            // Nobody waits for a measure.
            false
        });
        if let Some(container) = news {
            self.tell(PlatformEvent::Container { node: node.clone(), container });
        }
    }

    pub(super) fn measures_unknown(&self) {
        let nodes: Vec<NodeName> = self.nodes.borrow().keys().cloned().collect();
        for node in nodes {
            self.measured(&node, |container| {
                (container.cpu_percent, container.memory_bytes) = (None, None);
            });
        }
    }

    /// Looks at a node's container and takes over what it finds.
    pub(super) async fn look(self: &Arc<Self>, node: &NodeName) -> Result<ProcessTruth, Error> {
        let name = self.names.container(node);
        let told = match self.docker.inspect_container(&name, None::<InspectContainerOptions>).await
        {
            Ok(told) => {
                let config = told.config.as_ref();
                let labels = config.and_then(|config| config.labels.as_ref());
                // Somebody else's under that name: ours is gone.
                if labels.is_some_and(|labels| self.names.owns(labels, None)) {
                    told
                } else {
                    self.removed(node, self.asked(node));
                    return Ok(ProcessTruth { state: ProcessState::Dead, pid: None });
                }
            }
            Err(error) if code(&error) == Some(404) => {
                self.removed(node, self.asked(node));
                return Ok(ProcessTruth { state: ProcessState::Dead, pid: None });
            }
            Err(error) => return Err(error),
        };
        Ok(self.found(node, &name, told))
    }

    fn found(
        self: &Arc<Self>,
        node: &NodeName,
        name: &str,
        told: ContainerInspectResponse,
    ) -> ProcessTruth {
        let asked = self.asked(node);
        let id = told.id.unwrap_or_default();
        let state = told.state.unwrap_or_default();
        let word = state.status.map(|status| status.to_string()).unwrap_or_default();
        let pid = state.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0);
        let health = state.health.and_then(|health| health.status).map(|word| word.to_string());
        let mut started = false;
        self.nodes.send_modify(|known| {
            let Some(known) = known.get_mut(node) else { return };
            let container = &mut known.container;
            name.clone_into(&mut container.name);
            container.id = id.chars().take(12).collect();
            container.health = health.filter(|word| word != "none" && !word.is_empty());
            container.restarts = told.restart_count.and_then(|count| u64::try_from(count).ok());
            // A process that is not the one of before: `became` keeps the one that is known.
            if let (Some(pid), Some(truth)) = (pid, &mut known.truth)
                && truth.pid != Some(pid)
            {
                started = true;
                truth.pid = Some(pid);
                // So that it is news even if nobody saw the end of the one before.
                truth.state = ProcessState::Stopped;
            }
            if let (Some(pid), None) = (pid, known.truth) {
                started = true;
                known.truth = Some(ProcessTruth { state: ProcessState::Stopped, pid: Some(pid) });
            }
        });
        match word.as_str() {
            "running" | "restarting" => {
                let ours = matches!(asked, Some(NodeAct::Start | NodeAct::Thaw));
                self.became(node, ProcessState::Running, "running", ours, "was started");
            }
            "paused" => {
                let ours = matches!(asked, Some(NodeAct::Start | NodeAct::Freeze));
                self.became(node, ProcessState::Frozen, "paused", ours, "was paused");
            }
            "exited" | "dead" => {
                let ended = self.nodes.borrow().get(node).and_then(|known| known.truth);
                let ended = ended.is_some_and(|truth| {
                    matches!(truth.state, ProcessState::Stopped | ProcessState::Dead)
                        && truth.pid.is_none()
                });
                if !ended {
                    let code = state.exit_code.map_or("unknown".into(), |code| code.to_string());
                    self.ended(node, asked, &how_ended(&code));
                }
            }
            // Just made: it starts, or whoever made it says why not.
            _ => {}
        }
        let lives = matches!(word.as_str(), "running" | "paused");
        let networks = told.network_settings.and_then(|settings| settings.networks);
        if let Some(networks) = networks.filter(|_| lives && asked.is_none()) {
            self.is_on_the_wan(node, networks.contains_key(&self.names.wan()));
            let its_zone = self.names.zone_network(&node.zone);
            self.is_in_its_zone(node, networks.contains_key(&its_zone));
        }
        if started && self.is_tracked(node) {
            let follower = Follower::start(self, node, &id);
            locked(&self.followers).insert(node.clone(), follower);
        }
        let truth = self.nodes.borrow().get(node).and_then(|known| known.truth);
        truth.unwrap_or(ProcessTruth { state: ProcessState::Stopped, pid: None })
    }
}

/// Continues the node's name, and is continued by who did it: an exit status alone does not tell
/// whether somebody stopped it or it ended by itself.
pub(super) fn how_ended(code: &str) -> String {
    match code {
        "137" => "was killed (signal 9)".into(),
        code => format!("has ended (exit status {code}), unasked or stopped"),
    }
}
