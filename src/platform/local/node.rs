//! A node: its folder, its start, when it is up, and the loss of its store.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::{sleep, timeout};

use super::{
    LocalPlatform,
    binary::Binary,
    launch::{Launch, Namespaces},
    process::Ended,
    wire,
    zone::Zone,
};
use crate::{
    command::NodeAct,
    platform::{
        Common, PlatformError,
        banner::probe_banner,
        config::{self, Clients, Values},
        private,
    },
    region::{
        NodeName, ZonePlan,
        topology::{LOCAL_PINGS, NodePlan},
    },
};

/// How long a new node has until it answers (measured: well under a second).
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a node with data has: it reads all of it before it listens.
const PATIENCE_WITH_DATA: Duration = Duration::from_secs(60);
/// How often a starting node is asked.
const POLL: Duration = Duration::from_millis(10);

/// The folder of one node: `nats-server.conf`, `nats-server.log`, `stderr.log`, `nats.pid`, `data`.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The node's folder among the servers.
    pub fn new(servers: &Path, node: &NodeName) -> Self {
        Self(servers.join(node.to_string()))
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.0.clone()
    }

    /// The server's log.
    pub fn log(&self) -> PathBuf {
        self.0.join("nats-server.log")
    }

    fn config(&self) -> PathBuf {
        self.0.join("nats-server.conf")
    }

    /// What the server stores.
    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// How long the node has from its start until it answers.
    pub fn patience(&self) -> Duration {
        if self.data().exists() { PATIENCE_WITH_DATA } else { PATIENCE }
    }

    /// How to start the node.
    pub fn launch(
        &self,
        program: &Path,
        common: &Common,
        namespaces: Option<Namespaces>,
    ) -> Launch {
        Launch {
            program: program.to_owned(),
            config: self.config(),
            log: self.log(),
            stderr: self.0.join("stderr.log"),
            region: common.region.clone(),
            identity: common.identity.clone(),
            namespaces,
        }
    }

    /// Makes the folder and writes the configuration into it; data of an earlier life stays. On the
    /// wire each node has an address of its own, and clients come from outside.
    pub fn prepare(
        &self,
        zone: &ZonePlan,
        node: &NodePlan,
        version: &str,
        links: &[String],
        wired: bool,
    ) -> Result<(), PlatformError> {
        private::folder(&self.0)?;
        let path = self.config();
        let text = self.render(zone, node, version, links, wired);
        let text = text.map_err(|error| PlatformError::io("write", &path, error))?;
        private::write(&path, &text)
    }

    fn render(
        &self,
        zone: &ZonePlan,
        node: &NodePlan,
        version: &str,
        links: &[String],
        wired: bool,
    ) -> io::Result<String> {
        let utf8 = |path: PathBuf| {
            let told = path.into_os_string().into_string();
            told.map_err(|path| io::Error::other(format!("{} is not UTF-8", path.display())))
        };
        let host = |node: &NodePlan| {
            if wired { wire::address(zone, node).to_string() } else { "127.0.0.1".into() }
        };
        let (listen_host, outside) = (host(node), format!("127.0.0.1:{}", node.client_port));
        let peers = zone.nodes.iter().filter(|peer| peer.name != node.name);
        let routes: Vec<String> =
            peers.map(|peer| format!("{}:{}", host(peer), peer.cluster_port)).collect();
        let values = Values {
            version,
            listen_host: &listen_host,
            clients: if wired { Clients::ComeTo(&outside) } else { Clients::ComeThere },
            ping_interval: &LOCAL_PINGS.written(),
            routes: &routes,
            pid_file: &utf8(self.0.join("nats.pid"))?,
            log_file: &utf8(self.log())?,
            store_dir: &utf8(self.data())?,
            leaf_urls: links,
        };
        config::render(zone, node, &values).map_err(io::Error::other)
    }
}

/// Returns when the node answers on its client port, which it opens after its leafnode port (seen in
impl LocalPlatform {
    /// Starts a node and returns when it answers.
    pub(super) async fn launch(
        &self,
        binary: &Binary,
        zone: &Zone,
        plan: &NodePlan,
    ) -> Result<(), PlatformError> {
        let folder = self.folder(&plan.name);
        let deadline = folder.patience();
        let launch = folder.launch(&binary.path, &self.options.common, zone.namespaces());
        let ended = self.keeper.start(&plan.name, launch).await?;
        let answer = answers(plan, ended, deadline).await;
        answer.map_err(|why| PlatformError::NotStarted {
            node: plan.name.clone(),
            why,
            log: folder.log(),
        })
    }

    /// Writes a node's configuration, which goes by the server's version.
    pub(super) fn configure(
        &self,
        binary: &Binary,
        zone: &Zone,
        node: &NodePlan,
    ) -> Result<(), PlatformError> {
        let links = zone.links(&self.options.common.source);
        let wired = zone.namespaces().is_some();
        self.folder(&node.name).prepare(&zone.plan, node, &binary.version, &links, wired)
    }

    /// Ends a node, if it runs, and removes what it stored.
    pub(super) async fn wipe(&self, node: &NodeName) -> Result<(), PlatformError> {
        match self.keeper.ask(node, NodeAct::Kill).await {
            // Not running is what is wanted.
            Ok(()) | Err(PlatformError::NodeState { .. }) => {}
            Err(error) => return Err(error),
        }
        private::remove(&self.folder(node).data()).await
    }
}

/// its log); the error says why it does not.
pub async fn answers(node: &NodePlan, mut ended: Ended, patience: Duration) -> Result<(), String> {
    let asking = async {
        while !probe_banner(node).await {
            sleep(POLL).await;
        }
    };
    tokio::select! {
        biased;
        why = ended.wait_for(Option::is_some) => Err(match why {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => "its keeper is gone".to_owned(),
        }),
        answered = timeout(patience, asking) => answered.map_err(|_| {
            format!("it runs, but did not answer on port {} within {patience:?}", node.client_port)
        }),
    }
}
