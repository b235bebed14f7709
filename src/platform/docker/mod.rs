//! nats-servers in containers: zones by the compose tool, everything live through the engine's API.
//!
//! | file | what is inside |
//! |---|---|
//! | `engine` | find the engine, and say what is wrong with it |
//! | `tool` | the compose tool |
//! | `names` | what everything is called, and the labels it is found by |
//! | `files` | compose files and server configurations |
//! | `image` | the servers' image |
//! | `containers` | what of a region is in the engine; plugging and unplugging |
//! | `zones` | bring-up, adoption, end |
//! | `leftovers` | what is left of a region that has no room |
//! | `nodes` | one node started, stopped, killed, frozen, thawed |
//! | `link` | cut and heal |
//! | `watch` | the engine's events, measures and logs |
//! | `examine` | what `doctor` says |

mod containers;
mod engine;
pub mod examine;
mod files;
mod image;
mod leftovers;
mod link;
mod names;
mod nodes;
mod tool;
mod watch;
mod zones;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use futures::future::join_all;
use tokio::sync::mpsc;

pub use self::{
    containers::Swept,
    leftovers::{clear_region, remove_region},
};
use self::{
    engine::{Engine, refuse},
    image::Image,
    names::Names,
    tool::Tool,
    watch::{Asked, Plug, Watch},
    zones::private_folder,
};
use super::{Common, Platform, PlatformError, PlatformEvent, Progress, choose_cut, local::ports};
use crate::region::{
    NodeName, ZoneName, ZonePlan,
    observation::ProcessTruth,
    topology::{CutKind, Role},
};

/// How the docker platform is set up.
#[derive(Clone, Debug)]
pub struct DockerOptions {
    /// What every region's servers have in common.
    pub common: Common,
    /// The zones the region is known to have.
    pub zones: Vec<ZoneName>,
    /// The server version to look for.
    pub nats_version: String,
    /// The server binary to put into the image, whatever its version.
    pub nats_server: Option<PathBuf>,
    /// The folder of fetched servers.
    pub cache: PathBuf,
    /// Take over containers that run already.
    pub adopt: bool,
    /// The region has no data: what the engine holds under its name is another's.
    pub fresh: bool,
}

/// Servers in containers. Dropping it leaves them running.
pub struct DockerPlatform {
    options: DockerOptions,
    names: Names,
    servers: PathBuf,
    out: mpsc::UnboundedSender<PlatformEvent>,
    events: Mutex<Option<mpsc::UnboundedReceiver<PlatformEvent>>>,
    ready: Mutex<Option<Arc<Ready>>>,
    zones: Mutex<BTreeMap<ZoneName, Arc<Zone>>>,
}

/// What [`Platform::prepare`] found.
struct Ready {
    engine: Engine,
    tool: Tool,
    watch: Watch,
    /// The servers' image; not looked for while everything is adopted.
    image: tokio::sync::Mutex<Option<Image>>,
}

/// A zone that is up, or coming up.
struct Zone {
    plan: ZonePlan,
    /// Held while the link is cut or healed: the one must not overtake the other.
    turn: tokio::sync::Mutex<()>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DockerPlatform {
    /// Sets the platform up; nothing is touched before [`Platform::prepare`].
    #[must_use]
    pub fn new(mut options: DockerOptions) -> Self {
        for path in [&mut options.common.home, &mut options.cache] {
            if let Ok(absolute) = std::path::absolute(&*path) {
                *path = absolute;
            }
        }
        let (out, events) = mpsc::unbounded_channel();
        Self {
            names: Names::new(&options.common.region),
            servers: options.common.home.join("servers"),
            options,
            out,
            events: Mutex::new(Some(events)),
            ready: Mutex::new(None),
            zones: Mutex::default(),
        }
    }

    fn ready(&self) -> Result<Arc<Ready>, PlatformError> {
        let ready = locked(&self.ready).clone();
        ready.ok_or_else(|| refuse("the Docker engine has not been looked for yet".into()))
    }

    fn zone(&self, name: &ZoneName) -> Result<Arc<Zone>, PlatformError> {
        let zone = locked(&self.zones).get(name).cloned();
        zone.ok_or_else(|| PlatformError::NoZone(name.clone()))
    }
}

#[async_trait]
impl Platform for DockerPlatform {
    fn name(&self) -> &'static str {
        "docker"
    }

    async fn prepare(&self, progress: Progress<'_>) -> Result<String, PlatformError> {
        private_folder(&self.servers)?;
        let engine = engine::find().await?;
        let Engine { version, api, host, .. } = &engine;
        progress(&format!("Docker {version} (API {api}) at {host}"));
        // A compose tool takes half a second to say that it is there; the image is ready meanwhile.
        let found_and_image = async {
            let found = if locked(&self.zones).is_empty() {
                self.clear_or_adopt(&engine, progress).await?
            } else {
                Vec::new()
            };
            // What is adopted has its image.
            let image = match found.first() {
                Some(_) => None,
                None => Some(image::ready(&engine, &self.image_source(), progress).await?),
            };
            Ok((found, image))
        };
        let ((found, image), tool) = tokio::try_join!(found_and_image, tool::find(host))?;
        // The version of what is adopted; where its label does not tell, the one that is wanted.
        let label = found.first().and_then(|one| one.version.clone());
        let version = match (&image, label) {
            (Some(image), _) => image.version.clone(),
            (None, Some(version)) => version,
            (None, None) => self.options.nats_version.clone(),
        };
        let watch = Watch::start(
            engine.docker.clone(),
            self.names.clone(),
            self.options.common.source.name.clone(),
            self.servers.clone(),
            self.out.clone(),
        );
        let image = tokio::sync::Mutex::new(image);
        let ready = Arc::new(Ready { engine, tool, watch, image });
        containers::ensure_wan(&ready.engine.docker, &self.names).await?;
        *locked(&self.ready) = Some(ready);
        Ok(version)
    }

    async fn check_zone(&self, zone: &ZonePlan) -> Result<(), PlatformError> {
        let ready = self.ready()?;
        let docker = &ready.engine.docker;
        if self.options.adopt
            && !containers::list(docker, &self.names, Some(&zone.name)).await?.is_empty()
        {
            return Ok(());
        }
        for node in &zone.nodes {
            let leaf = (zone.role == Role::Source).then_some((node.leaf_port, "leafnodes"));
            for (port, kind) in [(node.client_port, "clients")].into_iter().chain(leaf) {
                // Engines without a proxy of their own take a port that looks free.
                let container = containers::publisher(docker, port).await;
                if container.is_some() || !ports::is_free(port) {
                    let owner = container.unwrap_or_else(|| ports::owner(port));
                    let what = format!("{}, {kind}", node.name);
                    return Err(PlatformError::PortTaken { port, what, owner });
                }
            }
        }
        Ok(())
    }

    async fn start_zone(&self, plan: &ZonePlan) -> Result<(), PlatformError> {
        let ready = self.ready()?;
        if let (Ok(_), Some(node)) = (self.zone(&plan.name), plan.nodes.first()) {
            let why = "belongs to a zone that is up already".to_owned();
            return Err(PlatformError::NodeState { node: node.name.clone(), why });
        }
        self.check_zone(plan).await?;
        let zone = Arc::new(Zone { plan: plan.clone(), turn: tokio::sync::Mutex::new(()) });
        locked(&self.zones).insert(plan.name.clone(), zone);
        let up = self.bring_up(&ready, plan).await;
        if up.is_err() {
            locked(&self.zones).remove(&plan.name);
            ready.watch.forget(plan.nodes.iter().map(|node| &node.name));
            // What it failed for is what the user must hear; what was to be adopted is not ours to
            // end.
            if !self.options.adopt {
                let _ = self.end_zone(&ready, &plan.name, false).await;
            }
        }
        up
    }

    async fn remove_zone(&self, name: &ZoneName, purge: bool) -> Result<(), PlatformError> {
        let ready = self.ready()?;
        let zone = self.zone(name)?;
        ready.watch.forget(zone.plan.nodes.iter().map(|node| &node.name));
        ready.watch.plug(name, Plug::On).await;
        let ended = self.end_zone(&ready, name, purge).await;
        locked(&self.zones).remove(name);
        if purge {
            for node in &zone.plan.nodes {
                remove_folder(&self.servers.join(node.name.to_string())).await?;
            }
            let _ = fs::remove_file(self.compose_file(name));
        }
        ended
    }

    async fn start_node(&self, node: &NodeName) -> Result<(), PlatformError> {
        self.start_one(node).await
    }

    async fn stop_node(&self, node: &NodeName) -> Result<(), PlatformError> {
        self.ask(node, Asked::Stop).await
    }

    async fn kill_node(&self, node: &NodeName) -> Result<(), PlatformError> {
        self.ask(node, Asked::Kill).await
    }

    async fn freeze_node(&self, node: &NodeName) -> Result<(), PlatformError> {
        self.ask(node, Asked::Freeze).await
    }

    async fn thaw_node(&self, node: &NodeName) -> Result<(), PlatformError> {
        self.ask(node, Asked::Thaw).await
    }

    fn cut_kinds(&self) -> &'static [CutKind] {
        &[CutKind::Unplug]
    }

    async fn cut(&self, name: &ZoneName, kind: CutKind) -> Result<(), PlatformError> {
        choose_cut(self, Some(kind))?;
        self.unplug_zone(name).await
    }

    async fn heal(&self, name: &ZoneName) -> Result<(), PlatformError> {
        self.plug_zone(name).await
    }

    fn astray(&self) -> Vec<(NodeName, String)> {
        self.ready().map(|ready| ready.watch.astray()).unwrap_or_default()
    }

    async fn truth(&self) -> Vec<(NodeName, ProcessTruth)> {
        match self.ready() {
            Ok(ready) => ready.watch.truth().await,
            Err(_) => Vec::new(),
        }
    }

    fn events(&self) -> Option<mpsc::UnboundedReceiver<PlatformEvent>> {
        locked(&self.events).take()
    }

    async fn abandon(&self) -> Result<(), PlatformError> {
        if !self.options.adopt {
            return self.down(false).await;
        }
        let Ok(ready) = self.ready() else { return Ok(()) };
        for zone in std::mem::take(&mut *locked(&self.zones)).into_values() {
            ready.watch.forget(zone.plan.nodes.iter().map(|node| &node.name));
        }
        // What a later `down` of this room must not end either: it has nothing.
        locked(&self.ready).take();
        Ok(())
    }

    async fn down(&self, purge: bool) -> Result<(), PlatformError> {
        // Not prepared, or abandoned: nothing was begun.
        let Ok(ready) = self.ready() else { return Ok(()) };
        let zones: Vec<ZoneName> = locked(&self.zones).keys().cloned().collect();
        let ended = join_all(zones.iter().map(|zone| self.remove_zone(zone, purge))).await;
        // The WAN network, and whatever else bears the region's name.
        let swept = containers::sweep(&ready.engine.docker, &self.names, None, purge).await;
        let purged = if purge { remove_folder(&self.servers).await } else { Ok(()) };
        ended.into_iter().chain([swept.map(drop), purged]).collect()
    }
}

async fn remove_folder(folder: &Path) -> Result<(), PlatformError> {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(PlatformError::io("remove", folder, error))
        }
        _ => Ok(()),
    }
}
