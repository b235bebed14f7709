//! Listens to the engine: its events as they come, and whether it is there at all.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bollard::{
    models::{EventMessage, EventMessageTypeEnum},
    query_parameters::EventsOptionsBuilder,
};
use futures::{StreamExt, future::join_all};

use super::{HEARTBEAT_ANSWER, Known, Shared, follow::Follower, locked, state::how_ended};
use crate::{
    command::NodeAct,
    platform::{
        PlatformEvent,
        docker::{
            engine::{code, words},
            names::NODE_LABEL,
        },
    },
    region::{NodeName, observation::ProcessState},
};

/// How often the engine is asked whether it is there.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// The pause before its events are asked for again.
const AGAIN: Duration = Duration::from_millis(300);

/// What can be told of: changes of containers, of networks, and of who is on which of them.
const EVENTS: [&str; 11] = [
    "create",
    "remove",
    "start",
    "die",
    "destroy",
    "pause",
    "unpause",
    "oom",
    "health_status",
    "connect",
    "disconnect",
];

impl Shared {
    /// Listens to the engine's events as long as it lives.
    pub(super) async fn listen(self: Arc<Self>) {
        let mut since = now_s();
        let mut newest = 0;
        loop {
            // One stream of everything, so that it comes in order. Networks' events bear no labels:
            // whose they are is seen here.
            let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
            let filters: HashMap<String, Vec<String>> = HashMap::from([
                ("type".to_owned(), words(&["container", "network"])),
                ("event".to_owned(), words(&EVENTS)),
            ]);
            let options =
                EventsOptionsBuilder::new().since(&since.to_string()).filters(&filters).build();
            let mut events = self.docker.events(Some(options));
            while let Some(Ok(event)) = events.next().await {
                // `since` counts seconds: what was told already is not told again.
                if event.time_nano.is_some_and(|at| at <= newest) {
                    continue;
                }
                newest = event.time_nano.unwrap_or(newest);
                self.happened(event).await;
            }
            tracing::warn!("the engine's events have ended; asking for them again");
            // What happens from here on is in the next stream's past.
            since = now_s();
            tokio::time::sleep(AGAIN).await;
            self.look_at_all().await;
            self.follow_all();
        }
    }

    /// Asks the engine whether it is there, and tells when that changes.
    pub(super) async fn heartbeat(self: Arc<Self>) {
        let mut trouble = false;
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            let why = match tokio::time::timeout(HEARTBEAT_ANSWER, self.docker.ping()).await {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(words(&error)),
                Err(_) => Some(format!("no answer within {} s", HEARTBEAT_ANSWER.as_secs())),
            };
            match (&why, trouble) {
                (Some(why), false) => {
                    self.measures_unknown();
                    self.tell(PlatformEvent::Trouble {
                        over: false,
                        why: format!(
                            "the Docker engine does not answer ({why}): until it does, links and nodes cannot be changed, and what is known of containers is old"
                        ),
                    });
                }
                (None, true) => {
                    self.look_at_all().await;
                    self.tell(PlatformEvent::Trouble {
                        over: true,
                        why: "the Docker engine answers again".into(),
                    });
                }
                _ => {}
            }
            trouble = why.is_some();
        }
    }

    async fn happened(self: &Arc<Self>, event: EventMessage) {
        let attributes = event.actor.and_then(|actor| actor.attributes).unwrap_or_default();
        let Some(action) = event.action else { return };
        let network = attributes.get("name").map(String::as_str);
        if event.typ == Some(EventMessageTypeEnum::NETWORK)
            && network == Some(&self.names.wan())
            && matches!(action.as_str(), "create" | "destroy" | "remove")
        {
            return self.look_at_the_wan().await;
        }
        if matches!(action.as_str(), "connect" | "disconnect") {
            let node = attributes.get("container").and_then(|id| self.node_of(id));
            let ours = |node: &NodeName| {
                network == Some(&self.names.wan())
                    || network == Some(&self.names.zone_network(&node.zone))
            };
            if let Some(node) = node.filter(ours) {
                // Where it is now is asked, not concluded: many such events are the room's doing.
                let _ = self.look(&node).await;
            }
            return;
        }
        let node: Option<NodeName> = attributes.get(NODE_LABEL).and_then(|n| n.parse().ok());
        let owned = self.names.owns(&attributes, None);
        let ours = |node: &NodeName| owned && self.is_tracked(node);
        let Some(node) = node.filter(ours) else { return };
        let asked = self.asked(&node);
        match action.as_str() {
            "die" => {
                let code = attributes.get("exitCode").map_or("unknown", String::as_str);
                self.ended(&node, asked, &how_ended(code));
            }
            "destroy" => self.removed(&node, asked),
            "pause" => {
                let state = ProcessState::Frozen;
                self.became(&node, state, "paused", asked == Some(NodeAct::Freeze), "was paused");
            }
            "unpause" => {
                let state = ProcessState::Running;
                self.became(&node, state, "running", asked == Some(NodeAct::Thaw), "was resumed");
            }
            "oom" => self.tell(PlatformEvent::Trouble {
                over: false,
                why: format!(
                    "{node}: the kernel ended a process of its container for want of memory"
                ),
            }),
            "start" => {
                // Its process id and its health are not in the event.
                let _ = self.look(&node).await;
            }
            action => {
                if let Some(health) = action.strip_prefix("health_status: ") {
                    self.measured(&node, |container| container.health = Some(health.to_owned()));
                }
            }
        }
    }

    /// Follows every container that runs, from the beginning of its log.
    fn follow_all(self: &Arc<Self>) {
        let nodes = self.nodes.borrow().clone();
        for (node, known) in nodes {
            if known.truth.is_some_and(|truth| truth.state == ProcessState::Running) {
                let follower = Follower::start(self, &node, &known.container.id);
                locked(&self.followers).insert(node, follower);
            }
        }
    }

    async fn look_at_all(self: &Arc<Self>) {
        let nodes: Vec<NodeName> = self.nodes.borrow().keys().cloned().collect();
        join_all(nodes.iter().map(|node| self.look(node))).await;
        self.look_at_the_wan().await;
    }

    /// Looks whether the WAN network is there, and tells if it is no more. The room removes it only
    /// when it has no nodes any more.
    async fn look_at_the_wan(&self) {
        let gone = match self.docker.inspect_network(&self.names.wan(), None).await {
            Ok(_) => false,
            Err(error) if code(&error) == Some(404) => true,
            Err(_) => return,
        };
        let before = self.wan_gone.swap(gone, Ordering::Relaxed);
        if gone && !before && !self.nodes.borrow().is_empty() {
            let lives = |known: &Known| {
                let state = known.truth.map(|truth| truth.state);
                matches!(state, Some(ProcessState::Running | ProcessState::Frozen))
            };
            let dead = {
                let nodes = self.nodes.borrow();
                let first = nodes.keys().next().cloned();
                first.filter(|_| !nodes.values().any(lives))
            };
            // A heal that finds nobody to put on it proves nothing.
            let way = dead.map_or_else(
                || Self::way_to_a_wan(self.to_heal()),
                |node| format!("`node start {node}` makes it anew"),
            );
            let why = format!("the WAN network was removed by somebody else: {way}");
            self.tell(PlatformEvent::Trouble { over: false, why });
        }
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
