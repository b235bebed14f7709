//! nats-server processes of this machine, and links in the room.
//!
//! | file | what is inside |
//! |---|---|
//! | `binary` | find nats-server, or fetch the pinned one |
//! | `process` | the thread that starts, signals and reaps servers |
//! | `launch` | how a server process is begun, and how its end is explained |
//! | `pids` | which processes are ours, across rooms |
//! | `ports` | which ports are free, and who has the others |
//! | `relay` | the links as relays of connections (`--network relay`) |
//! | `wire` | the links as wires that carry packets (`--network wire`, Linux) |
//! | `line` | one direction of either: when something arrives, and what was counted |
//! | `zone` | a zone that is up: what carries its link |
//! | `node` | a node's folder, and when it is up |
//!
//! Everything is under `servers` in the region's folder: a folder for each node with its
//! configuration, logs and data, and `pids.json`.

pub mod binary;
#[cfg(all(test, target_os = "linux"))]
mod elsewhere;
mod launch;
mod line;
mod node;
mod pids;
pub mod ports;
mod process;
pub mod relay;
#[cfg(target_os = "linux")]
pub mod wire;
#[cfg(not(target_os = "linux"))]
#[path = "wire_elsewhere.rs"]
pub mod wire;
mod zone;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use futures::future::join_all;
use tokio::sync::mpsc;

pub use self::pids::{Leftovers, end_leftovers_in};
use self::{
    binary::{Binary, Wanted},
    node::Folder,
    process::Supervisor,
    wire::Wire,
    zone::Zone,
};
use super::{
    Common, LinkStats, Platform, PlatformError, PlatformEvent, Progress, check_condition,
    choose_cut, locked, private,
};
use crate::command::NodeAct;
use crate::region::{
    NodeName, PlatformKind, ZoneName, ZonePlan,
    condition::{Feature, LinkCondition},
    observation::ProcessTruth,
    topology::{CutKind, Network},
};

/// How the local platform is set up.
#[derive(Clone, Debug)]
pub struct LocalOptions {
    /// What every region's servers have in common.
    pub common: Common,
    /// The server version to look for and fetch, `2.15.1`.
    pub nats_version: String,
    /// The server binary to use, whatever its version, instead of looking for one.
    pub nats_server: Option<PathBuf>,
    /// The folder of fetched servers.
    pub cache: PathBuf,
    /// What carries the links.
    pub network: Network,
    /// This program's own file: the wire's helper is this program.
    pub program: PathBuf,
}

/// Servers as processes of this machine. Dropping it kills them.
pub struct LocalPlatform {
    options: LocalOptions,
    servers: PathBuf,
    keeper: Supervisor,
    /// Until they are taken, and for the wire to tell.
    events: Mutex<Option<mpsc::UnboundedReceiver<PlatformEvent>>>,
    teller: mpsc::UnboundedSender<PlatformEvent>,
    wire: tokio::sync::Mutex<Option<Arc<Wire>>>,
    binary: tokio::sync::Mutex<Option<Binary>>,
    zones: Mutex<BTreeMap<ZoneName, Arc<Zone>>>,
    /// Servers that are noted as this region's and carry another's id, in words.
    left_alone: Mutex<Vec<String>>,
}

impl LocalPlatform {
    /// Sets the platform up; nothing is touched before [`Platform::prepare`].
    #[must_use]
    pub fn new(mut options: LocalOptions) -> Self {
        // The servers run in folders of their own, where a relative path would mean another.
        for path in [&mut options.common.home, &mut options.cache] {
            if let Ok(absolute) = std::path::absolute(&*path) {
                *path = absolute;
            }
        }
        let servers = options.common.home.join("servers");
        let (sender, events) = mpsc::unbounded_channel();
        Self {
            keeper: Supervisor::new(pid_file(&servers), sender.clone()),
            teller: sender,
            wire: tokio::sync::Mutex::new(None),
            servers,
            options,
            events: Mutex::new(Some(events)),
            binary: tokio::sync::Mutex::new(None),
            zones: Mutex::new(BTreeMap::new()),
            left_alone: Mutex::default(),
        }
    }

    fn zones(&self) -> MutexGuard<'_, BTreeMap<ZoneName, Arc<Zone>>> {
        locked(&self.zones)
    }

    fn zone(&self, name: &ZoneName) -> Result<Arc<Zone>, PlatformError> {
        self.zones().get(name).cloned().ok_or_else(|| PlatformError::NoZone(name.clone()))
    }

    fn folder(&self, node: &NodeName) -> Folder {
        Folder::new(&self.servers, node)
    }

    async fn binary(&self, progress: Progress<'_>) -> Result<Binary, PlatformError> {
        let mut known = self.binary.lock().await;
        if let Some(binary) = &*known {
            return Ok(binary.clone());
        }
        let LocalOptions { nats_version, nats_server, cache, .. } = &self.options;
        let wanted = Wanted { version: nats_version, explicit: nats_server.as_deref(), cache };
        Ok(known.insert(binary::find(wanted, progress).await?).clone())
    }

    /// The wire, begun if there is none yet.
    async fn wire(&self) -> Result<Arc<Wire>, PlatformError> {
        let mut known = self.wire.lock().await;
        if let Some(wire) = &*known {
            return Ok(Arc::clone(wire));
        }
        let LocalOptions { common, program, .. } = self.options.clone();
        let events = self.teller.clone();
        let begun =
            tokio::task::spawn_blocking(move || Wire::start(&program, &common, events)).await;
        let begun = begun.map_err(io::Error::other);
        let begun = begun.map_err(|e| PlatformError::io("make a wire in", &self.servers, e))?;
        Ok(Arc::clone(known.insert(begun?)))
    }

    /// Makes what carries the zone's link, and where its servers run.
    async fn place(&self, plan: &ZonePlan) -> Result<Zone, PlatformError> {
        match self.options.network {
            Network::Wire => Zone::on_a_wire(plan, self.wire().await?).await,
            Network::Relay => {
                let made = Zone::with_a_relay(plan, &self.options.common.source).await;
                made.map_err(|e| PlatformError::io("make a link for", &self.servers, e))
            }
        }
    }

    async fn bring_up(&self, binary: &Binary, zone: &Zone) -> Result<(), PlatformError> {
        zone.plan.nodes.iter().try_for_each(|node| self.configure(binary, zone, node))?;
        let nodes = zone.plan.nodes.iter();
        let started = join_all(nodes.map(|node| self.launch(binary, zone, node))).await;
        started.into_iter().collect()
    }

    /// Ends a zone's nodes with `ask` and forgets them; the first thing that went wrong.
    async fn end_nodes(&self, plan: &ZonePlan, ask: NodeAct) -> Result<(), PlatformError> {
        let ended = join_all(plan.nodes.iter().map(|node| self.keeper.ask(&node.name, ask))).await;
        for node in &plan.nodes {
            self.keeper.forget(node.name.clone());
        }
        let failed = |end: Result<(), PlatformError>| match end {
            // Not running is what is wanted.
            Ok(()) | Err(PlatformError::NodeState { .. }) => Ok(()),
            Err(error) => Err(error),
        };
        ended.into_iter().try_for_each(failed)
    }
}

#[async_trait]
impl Platform for LocalPlatform {
    fn kind(&self) -> PlatformKind {
        PlatformKind::Local
    }

    async fn prepare(&self, progress: Progress<'_>) -> Result<String, PlatformError> {
        private::folder(&self.servers)?;
        if self.zones().is_empty() {
            let file = pid_file(&self.servers);
            let identity = self.options.common.identity.clone();
            let clearing = move || pids::end_leftovers(&file, &identity);
            let cleared = tokio::task::spawn_blocking(clearing).await.map_err(io::Error::other);
            let Leftovers { ended, foreign } =
                cleared.map_err(|e| PlatformError::io("clear", &self.servers, e)).flatten()?;
            if !ended.is_empty() {
                progress(&format!("ended {} servers of an earlier room", ended.len()));
            }
            *locked(&self.left_alone) = foreign;
        }
        Ok(self.binary(progress).await?.version)
    }

    async fn check_zone(&self, zone: &ZonePlan) -> Result<(), PlatformError> {
        for node in &zone.nodes {
            let leaf = zone.is_hub().then_some((node.leaf_port, "leafnodes"));
            let kinds = [(node.client_port, "clients"), (node.cluster_port, "cluster")];
            for (port, kind) in kinds.into_iter().chain(leaf) {
                if !ports::is_free(port) {
                    let what = format!("{}, {kind}", node.name);
                    let owner = ports::owner(port, &self.options.common.identity);
                    return Err(PlatformError::PortTaken { port, what, owner });
                }
            }
        }
        Ok(())
    }

    async fn start_zone(&self, plan: &ZonePlan) -> Result<(), PlatformError> {
        let binary = self.binary(&|_| {}).await?;
        if let (Ok(_), Some(node)) = (self.zone(&plan.name), plan.nodes.first()) {
            let why = "belongs to a zone that is up already".to_owned();
            return Err(PlatformError::NodeState { node: node.name.clone(), why });
        }
        self.check_zone(plan).await?;
        let zone = Arc::new(self.place(plan).await?);
        self.zones().insert(plan.name.clone(), Arc::clone(&zone));
        let up = self.bring_up(&binary, &zone).await;
        if up.is_err() {
            self.zones().remove(&plan.name);
            // What it failed for is what the user must hear.
            let _ = self.end_nodes(plan, NodeAct::Kill).await;
            zone.close().await;
        }
        up
    }

    async fn remove_zone(&self, name: &ZoneName, purge: bool) -> Result<(), PlatformError> {
        let zone = self.zone(name)?;
        let ended = self.end_nodes(&zone.plan, NodeAct::Stop).await;
        zone.close().await;
        self.zones().remove(name);
        if purge {
            for node in &zone.plan.nodes {
                private::remove(&self.folder(&node.name).path()).await?;
            }
        }
        ended
    }

    async fn act(&self, act: NodeAct, node: &NodeName) -> Result<(), PlatformError> {
        let zone = self.zone(&node.zone)?;
        if act == NodeAct::Wipe {
            return self.wipe(node).await;
        }
        if act != NodeAct::Start {
            return self.keeper.ask(node, act).await;
        }
        let plan = zone.plan.nodes.iter().find(|plan| &plan.name == node);
        let plan = plan.ok_or_else(|| PlatformError::NoZone(node.zone.clone()))?;
        let binary = self.binary(&|_| {}).await?;
        self.configure(&binary, &zone, plan)?;
        self.launch(&binary, &zone, plan).await
    }

    async fn use_version(
        &self,
        version: &str,
        progress: Progress<'_>,
    ) -> Result<(), PlatformError> {
        let wanted = Wanted { version, explicit: None, cache: &self.options.cache };
        let found = binary::find(wanted, progress).await?;
        *self.binary.lock().await = Some(found);
        Ok(())
    }

    fn adopted(&self) -> Vec<String> {
        let left = locked(&self.left_alone);
        left.iter().map(|foreign| format!("left alone: {foreign}")).collect()
    }

    fn cut_kinds(&self) -> &'static [CutKind] {
        match self.options.network {
            Network::Relay => &[CutKind::Refuse, CutKind::Silent],
            Network::Wire => &wire::CUTS,
        }
    }

    async fn cut(&self, name: &ZoneName, kind: CutKind) -> Result<(), PlatformError> {
        choose_cut(self, Some(kind))?;
        self.zone(name)?.cut(kind).await
    }

    fn carries(&self) -> &'static str {
        match self.options.network {
            Network::Relay => {
                "its links are TCP relays, and TCP repairs what happens to packets before a server sees it"
            }
            Network::Wire => "its links are wires of packets",
        }
    }

    fn features(&self) -> &'static [Feature] {
        match self.options.network {
            Network::Relay => &relay::FEATURES,
            Network::Wire => &wire::FEATURES,
        }
    }

    async fn impair(&self, name: &ZoneName, condition: LinkCondition) -> Result<(), PlatformError> {
        check_condition(self, &condition)?;
        self.zone(name)?.impair(condition).await
    }

    async fn heal(&self, name: &ZoneName) -> Result<(), PlatformError> {
        self.zone(name)?.heal().await
    }

    async fn link_stats(&self, name: &ZoneName) -> Option<LinkStats> {
        self.zone(name).ok()?.stats().await
    }

    async fn truth(&self) -> Vec<(NodeName, ProcessTruth)> {
        self.keeper.truth().await
    }

    fn events(&self) -> Option<mpsc::UnboundedReceiver<PlatformEvent>> {
        locked(&self.events).take()
    }

    async fn down(&self, purge: bool) -> Result<(), PlatformError> {
        let zones: Vec<ZoneName> = self.zones().keys().cloned().collect();
        let ended = join_all(zones.iter().map(|zone| self.remove_zone(zone, purge))).await;
        let purged = if purge { private::remove(&self.servers).await } else { Ok(()) };
        ended.into_iter().chain([purged]).collect()
    }
}

fn pid_file(servers: &Path) -> PathBuf {
    servers.join("pids.json")
}
