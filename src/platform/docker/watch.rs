//! Follows the engine: what becomes of each node's container, what it uses, what its server logs.
//!
//! Events tell of every change at once, whoever made it; after a gap everything is looked at anew.

mod follow;
mod listen;
mod state;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bollard::{Docker, errors::Error};
use futures::future::join_all;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use self::follow::Follower;
use super::{
    engine::failed,
    locked,
    names::{Names, lan},
};
use crate::{
    command::NodeAct,
    platform::{LEAVES, PlatformError, PlatformEvent},
    region::{
        NodeName, ZoneName,
        observation::{ProcessState, ProcessTruth},
        status::Container,
    },
};

/// How long after an act the container must have followed it.
const FOLLOWS: Duration = Duration::from_secs(12);
/// How long it may take to say so.
const HEARTBEAT_ANSWER: Duration = Duration::from_secs(4);
/// What the room has made of a zone's place on the WAN network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plug {
    /// Its containers belong on it.
    On,
    Off,
    /// Its containers are being put on it, or taken off.
    Moving,
}

/// What is known of a node.
#[derive(Clone, Debug, Default)]
struct Known {
    truth: Option<ProcessTruth>,
    container: Container,
    /// Whether it is on the WAN network, where the room has not put it.
    astray: Option<bool>,
    /// It is off its own zone's network.
    alone: bool,
}

impl Known {
    /// Its container as it is shown.
    fn shown(&self) -> Container {
        let mut container = self.container.clone();
        if self.astray == Some(false) {
            container.state.push_str(", off the WAN");
        }
        if self.alone {
            container.state.push_str(", off its zone");
        }
        container
    }
}

/// The one who follows. Stops when dropped.
pub struct Watch {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

struct Shared {
    docker: Docker,
    names: Names,
    /// The zone that has no link of its own.
    source: ZoneName,
    /// Where the nodes' folders are.
    servers: PathBuf,
    out: mpsc::UnboundedSender<PlatformEvent>,
    nodes: watch::Sender<BTreeMap<NodeName, Known>>,
    asked: Mutex<BTreeMap<NodeName, NodeAct>>,
    /// Zones that are not [`Plug::On`].
    plugs: Mutex<BTreeMap<ZoneName, Plug>>,
    /// Somebody has removed the WAN network.
    wan_gone: AtomicBool,
    followers: Mutex<BTreeMap<NodeName, Follower>>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        // They hold what holds them.
        locked(&self.shared.followers).clear();
    }
}

impl Watch {
    /// Follows the region's containers from now on.
    pub fn start(
        docker: Docker,
        names: Names,
        source: ZoneName,
        servers: PathBuf,
        out: mpsc::UnboundedSender<PlatformEvent>,
    ) -> Self {
        let shared = Arc::new(Shared {
            docker,
            names,
            source,
            servers,
            out,
            nodes: watch::channel(BTreeMap::new()).0,
            asked: Mutex::default(),
            plugs: Mutex::default(),
            wan_gone: AtomicBool::new(false),
            followers: Mutex::default(),
        });
        let tasks = vec![
            tokio::spawn(Arc::clone(&shared).listen()),
            tokio::spawn(Arc::clone(&shared).heartbeat()),
        ];
        Self { shared, tasks }
    }

    /// Tells of these nodes from now on. Their start is the room's doing.
    pub fn track(&self, nodes: impl Iterator<Item = NodeName>) {
        for node in nodes {
            locked(&self.shared.asked).insert(node.clone(), NodeAct::Start);
            self.shared.nodes.send_modify(|known| {
                known.entry(node).or_default();
            });
        }
    }

    /// The room ends these nodes: what becomes of them is its doing.
    pub fn ending<'a>(&self, nodes: impl Iterator<Item = &'a NodeName>) {
        for node in nodes {
            locked(&self.shared.asked).insert(node.clone(), NodeAct::Stop);
        }
    }

    /// What the room asked of these nodes is done: what happens next is not its doing.
    pub fn settled<'a>(&self, nodes: impl Iterator<Item = &'a NodeName>) {
        for node in nodes {
            locked(&self.shared.asked).remove(node);
        }
    }

    /// Tells no more of these nodes.
    pub fn forget<'a>(&self, nodes: impl Iterator<Item = &'a NodeName>) {
        for node in nodes {
            self.shared.nodes.send_modify(|known| {
                known.remove(node);
            });
            locked(&self.shared.asked).remove(node);
            locked(&self.shared.followers).remove(node);
        }
    }

    /// What the room makes of a zone's place on the WAN network from now on. What does not follow
    /// it is somebody else's doing.
    pub async fn plug(&self, zone: &ZoneName, plug: Plug) {
        match plug {
            Plug::On => locked(&self.shared.plugs).remove(zone),
            plug => locked(&self.shared.plugs).insert(zone.clone(), plug),
        };
        if plug == Plug::Moving {
            return;
        }
        let nodes: Vec<NodeName> = self.shared.nodes.borrow().keys().cloned().collect();
        let nodes = nodes.iter().filter(|node| &node.zone == zone);
        // An engine that does not answer is told by the heartbeat.
        join_all(nodes.map(|node| self.shared.look(node))).await;
    }

    /// What the room has made of a zone's place on the WAN network.
    pub fn plugged(&self, zone: &ZoneName) -> Plug {
        self.shared.plug(zone)
    }

    /// Nodes that were taken off a network by somebody else, each with what brings it back.
    pub fn astray(&self) -> Vec<(NodeName, String)> {
        let nodes = self.shared.nodes.borrow().clone();
        let off = |node: &NodeName, known: &Known| {
            let wan = (known.astray == Some(false))
                .then(|| format!("off the WAN network: {}", self.shared.way_back(node)));
            let zone = known
                .alone
                .then(|| format!("off its zone's network: {}", self.shared.way_to_its_zone(node)));
            let off: Vec<String> = wan.into_iter().chain(zone).collect();
            (!off.is_empty()).then(|| (node.clone(), off.join("; ")))
        };
        nodes.iter().filter_map(|(node, known)| off(node, known)).collect()
    }

    /// Did somebody else take it off the WAN network?
    pub fn is_off_the_wan(&self, node: &NodeName) -> bool {
        self.shared.nodes.borrow().get(node).is_some_and(|known| known.astray == Some(false))
    }

    /// Looks at a node's container now.
    pub async fn look(&self, node: &NodeName) -> Result<ProcessTruth, PlatformError> {
        self.shared.look(node).await.map_err(|error| failed("look at a container", &error))
    }

    /// What is true of all nodes: as the engine says now, or where it does not answer, as it last
    /// said.
    pub async fn truth(&self) -> Vec<(NodeName, ProcessTruth)> {
        let nodes: Vec<NodeName> = self.shared.nodes.borrow().keys().cloned().collect();
        let looks = join_all(nodes.iter().map(|node| self.shared.look(node)));
        let _ = tokio::time::timeout(HEARTBEAT_ANSWER, looks).await;
        let known = self.shared.nodes.borrow();
        nodes
            .into_iter()
            .filter_map(|node| {
                let truth = known.get(&node)?.truth?;
                Some((node, truth))
            })
            .collect()
    }

    /// Does `doing`, which asks a node's container for `asked`, and waits until it is so.
    ///
    /// # Errors
    /// When the engine refuses, or the container does not follow.
    pub async fn act(
        &self,
        node: &NodeName,
        asked: NodeAct,
        doing: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), PlatformError> {
        let what = match asked {
            NodeAct::Start => "start",
            NodeAct::Stop => "stop",
            NodeAct::Drain => "drain",
            NodeAct::Kill | NodeAct::Wipe => "kill",
            NodeAct::Freeze => "pause",
            NodeAct::Thaw => "resume",
        };
        locked(&self.shared.asked).insert(node.clone(), asked);
        let done = self.follow_through(node, asked, doing, what).await;
        locked(&self.shared.asked).remove(node);
        done
    }

    async fn follow_through(
        &self,
        node: &NodeName,
        asked: NodeAct,
        doing: impl Future<Output = Result<(), Error>>,
        what: &str,
    ) -> Result<(), PlatformError> {
        doing.await.map_err(|error| failed(&format!("{what} the container of {node}"), &error))?;
        let as_asked = |truth: ProcessTruth| match asked {
            NodeAct::Start | NodeAct::Thaw => truth.state == ProcessState::Running,
            NodeAct::Stop | NodeAct::Drain | NodeAct::Kill | NodeAct::Wipe => {
                matches!(truth.state, ProcessState::Stopped | ProcessState::Dead)
            }
            NodeAct::Freeze => truth.state == ProcessState::Frozen,
        };
        let mut nodes = self.shared.nodes.subscribe();
        let followed = nodes
            .wait_for(|known| known.get(node).and_then(|known| known.truth).is_some_and(as_asked));
        let patience = if asked == NodeAct::Drain { LEAVES } else { FOLLOWS };
        if tokio::time::timeout(patience, followed).await.is_ok() {
            return Ok(());
        }
        let truth = self.look(node).await?;
        if as_asked(truth) {
            return Ok(());
        }
        Err(super::engine::refuse(format!(
            "Docker was told to {what} the container of {node}, and has not done it within {} s: `docker inspect {}` may tell why",
            patience.as_secs(),
            self.shared.names.container(node)
        )))
    }
}

impl Shared {
    fn is_tracked(&self, node: &NodeName) -> bool {
        self.nodes.borrow().contains_key(node)
    }

    /// Whose container it is. Only the first digits of the id are kept.
    fn node_of(&self, id: &str) -> Option<NodeName> {
        let nodes = self.nodes.borrow();
        let mut nodes = nodes.iter();
        let its =
            |known: &Known| !known.container.id.is_empty() && id.starts_with(&known.container.id);
        nodes.find_map(|(node, known)| its(known).then(|| node.clone()))
    }

    fn plug(&self, zone: &ZoneName) -> Plug {
        locked(&self.plugs).get(zone).copied().unwrap_or(Plug::On)
    }

    /// How a node that was taken off the WAN network comes back.
    fn way_back(&self, node: &NodeName) -> String {
        let is_source = node.zone == self.source;
        if self.wan_gone.load(Ordering::Relaxed) {
            let own = Some(&node.zone).filter(|_| !is_source).cloned();
            return Self::way_to_a_wan(own.or_else(|| self.to_heal()));
        }
        let (wan, container) = (self.names.wan(), self.names.container(node));
        let by_hand = format!("`docker network connect {wan} {container}` brings it back");
        if is_source { by_hand } else { format!("`heal {}` or {by_hand}", node.zone) }
    }

    /// How the WAN network itself comes back, without which nobody can be put on it by hand.
    fn way_to_a_wan(healed: Option<ZoneName>) -> String {
        healed.map_or_else(
            || "`down`, then `up` makes it anew".to_owned(),
            |zone| format!("`heal {zone}` makes it anew, and plugs zone {zone} and the source in"),
        )
    }

    /// A mirror zone, rather one that is not cut.
    fn to_heal(&self) -> Option<ZoneName> {
        let nodes = self.nodes.borrow();
        let mirrors = nodes.keys().map(|node| &node.zone).filter(|zone| **zone != self.source);
        mirrors.min_by_key(|zone| self.plug(zone) != Plug::On).cloned()
    }

    /// How a node that was taken off its own zone's network comes back, under the name by which the
    /// zone's other nodes call it.
    fn way_to_its_zone(&self, node: &NodeName) -> String {
        format!(
            "`docker network connect --alias {} {} {}` brings it back",
            lan(node),
            self.names.zone_network(&node.zone),
            self.names.container(node)
        )
    }

    fn asked(&self, node: &NodeName) -> Option<NodeAct> {
        locked(&self.asked).get(node).copied()
    }

    fn tell(&self, event: PlatformEvent) {
        // Nobody listens any more when the room ends.
        let _ = self.out.send(event);
    }
}
