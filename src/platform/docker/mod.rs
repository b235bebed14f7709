//! nats-servers in containers, made and changed through the engine's API.
//!
//! | file | what is inside |
//! |---|---|
//! | `access` | the passwords of what is adopted |
//! | `endpoint` | which engine is meant |
//! | `engine` | greet the engine, and say what is wrong with it |
//! | `names` | what everything is called, and the labels it is found by |
//! | `files` | server configurations, and the compose files for use by hand |
//! | `image` | the servers' image |
//! | `foreign` | what has the region's names and is another's |
//! | `containers` | what of a region is in the engine; plugging and unplugging |
//! | `make` | networks, volumes, containers |
//! | `zones` | bring-up and adoption |
//! | `leftovers` | what is left of a region that has no room |
//! | `nodes` | one node started, stopped, killed, frozen, thawed |
//! | `link` | cut and heal |
//! | `impair` | links that are worse than whole |
//! | `sidecar`, `own_image` | the helper containers that do it, and what they are made of |
//! | `filter` | what runs in them |
//! | `watch` | the engine's events, measures and logs |
//! | `examine` | what `doctor` says |

mod access;
mod containers;
mod endpoint;
mod engine;
pub mod examine;
mod files;
pub mod filter;
mod foreign;
mod image;
mod impair;
mod leftovers;
mod link;
mod make;
mod names;
mod nodes;
mod own_image;
mod sidecar;
mod watch;
mod zones;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use futures::future::join_all;
use tokio::sync::mpsc;

pub use self::{
    access::adopted_access,
    containers::Swept,
    endpoint::reached,
    leftovers::{Removed, clear_region, may_take_over, remove_foreign, remove_region},
};
use self::{
    containers::Data,
    engine::{Engine, refuse},
    image::Image,
    impair::Laid,
    names::Names,
    watch::{Plug, Watch},
    zones::free_ports,
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
    topology::CutKind,
};

/// How the docker platform is set up.
#[derive(Clone, Debug)]
pub struct DockerOptions {
    /// What every region's servers have in common.
    pub common: Common,
    /// The zones the region is known to have.
    pub plans: Vec<ZonePlan>,
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
    /// What the image is made from.
    source: Mutex<image::Source>,
    /// The version that containers are to have since `upgrade`.
    upgraded: Mutex<Option<String>>,
    out: mpsc::UnboundedSender<PlatformEvent>,
    events: Mutex<Option<mpsc::UnboundedReceiver<PlatformEvent>>>,
    ready: Mutex<Option<Arc<Ready>>>,
    zones: Mutex<BTreeMap<ZoneName, Arc<Zone>>>,
    /// What the adoption keeps or changes, in words.
    adopted: Mutex<Vec<String>>,
}

/// What [`Platform::prepare`] found.
struct Ready {
    engine: Engine,
    watch: Watch,
    /// The servers' image; not looked for while everything is adopted.
    image: tokio::sync::Mutex<Option<Image>>,
    /// The image of the helpers, once one was needed.
    helpers: tokio::sync::OnceCell<String>,
    /// Held while networks are looked for and made.
    making: tokio::sync::Mutex<()>,
    /// The region's volumes that were there before it came up.
    before: BTreeSet<String>,
}

/// A zone that is up, or coming up.
struct Zone {
    plan: ZonePlan,
    /// Held while the link is cut, impaired or healed: the one must not overtake the other. What is
    /// laid for it, if it is impaired.
    turn: tokio::sync::Mutex<Option<Laid>>,
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
            names: Names::new(&options.common.region, options.common.identity.clone()),
            servers: options.common.home.join("servers"),
            upgraded: Mutex::default(),
            source: Mutex::new(image::Source {
                nats_version: options.nats_version.clone(),
                nats_server: options.nats_server.clone(),
                cache: options.cache.clone(),
            }),
            options,
            out,
            events: Mutex::new(Some(events)),
            ready: Mutex::new(None),
            zones: Mutex::default(),
            adopted: Mutex::default(),
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
    fn kind(&self) -> PlatformKind {
        PlatformKind::Docker
    }

    async fn prepare(&self, progress: Progress<'_>) -> Result<String, PlatformError> {
        private::folder(&self.servers)?;
        let engine = engine::find().await?;
        let Engine { version, api, host, .. } = &engine;
        progress(&format!("Docker {version} (API {api}) at {host}"));
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
        let volumes = containers::volumes(&engine.docker, &self.names, None).await?;
        let before = volumes.into_iter().collect();
        let making = tokio::sync::Mutex::default();
        let helpers = tokio::sync::OnceCell::new();
        let ready = Arc::new(Ready { engine, watch, image, helpers, making, before });
        *locked(&self.ready) = Some(ready);
        Ok(version)
    }

    async fn check_zone(&self, zone: &ZonePlan) -> Result<(), PlatformError> {
        let ready = self.ready()?;
        let docker = &ready.engine.docker;
        if self.adopts(&zone.name)
            && !containers::list(docker, &self.names, Some(&zone.name)).await?.is_empty()
        {
            return Ok(());
        }
        foreign::refuse_foreign(docker, &self.names, std::slice::from_ref(zone)).await?;
        free_ports(docker, &self.names, zone).await
    }

    async fn start_zone(&self, plan: &ZonePlan) -> Result<(), PlatformError> {
        let ready = self.ready()?;
        if let (Ok(_), Some(node)) = (self.zone(&plan.name), plan.nodes.first()) {
            let why = "belongs to a zone that is up already".to_owned();
            return Err(PlatformError::NodeState { node: node.name.clone(), why });
        }
        self.check_zone(plan).await?;
        let docker = &ready.engine.docker;
        let volumes = containers::volumes(docker, &self.names, Some(&plan.name)).await?;
        let before: BTreeSet<String> = volumes.into_iter().collect();
        let zone = Arc::new(Zone { plan: plan.clone(), turn: tokio::sync::Mutex::default() });
        locked(&self.zones).insert(plan.name.clone(), zone);
        let up = self.bring_up(&ready, plan).await;
        if up.is_err() {
            ready.watch.forget(plan.nodes.iter().map(|node| &node.name));
            // What it failed for is what the user must hear; what was to be adopted is not ours to
            // end. What cannot be removed now is still the zone's, and removed with it.
            let data = Data::RemoveBut(&before);
            if self.adopts(&plan.name)
                || containers::sweep(docker, &self.names, Some(&plan.name), data).await.is_ok()
            {
                locked(&self.zones).remove(&plan.name);
            }
        }
        up
    }

    async fn remove_zone(&self, name: &ZoneName, purge: bool) -> Result<(), PlatformError> {
        let ready = self.ready()?;
        let zone = self.zone(name)?;
        let nodes = || zone.plan.nodes.iter().map(|node| &node.name);
        ready.watch.ending(nodes());
        self.make_whole(&mut *zone.turn.lock().await).await;
        let (docker, data) = (&ready.engine.docker, Data::of(purge));
        if let Err(error) = containers::sweep(docker, &self.names, Some(name), data).await {
            // What is left can be removed again.
            ready.watch.settled(nodes());
            return Err(error);
        }
        ready.watch.forget(nodes());
        ready.watch.plug(name, Plug::On).await;
        locked(&self.zones).remove(name);
        if purge {
            for node in nodes() {
                private::remove(&self.servers.join(node.to_string())).await?;
            }
        }
        Ok(())
    }

    async fn use_version(
        &self,
        version: &str,
        progress: Progress<'_>,
    ) -> Result<(), PlatformError> {
        self.use_image(version, progress).await
    }

    async fn act(&self, act: NodeAct, node: &NodeName) -> Result<(), PlatformError> {
        match act {
            NodeAct::Start => self.start_one(node).await,
            NodeAct::Wipe => self.wipe(node).await,
            _ => self.ask(node, act).await,
        }
    }

    fn carries(&self) -> &'static str {
        "the kernel drops packets of its containers, and holds none back"
    }

    fn features(&self) -> &'static [Feature] {
        &impair::FEATURES
    }

    async fn impair(&self, name: &ZoneName, condition: LinkCondition) -> Result<(), PlatformError> {
        check_condition(self, &condition)?;
        self.impair_zone(name, condition).await
    }

    async fn link_stats(&self, name: &ZoneName) -> Option<LinkStats> {
        self.counted(name).await
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

    fn adopted(&self) -> Vec<String> {
        locked(&self.adopted).clone()
    }

    fn is_cut(&self, zone: &ZoneName) -> bool {
        self.ready().is_ok_and(|ready| ready.watch.plugged(zone) == Plug::Off)
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
            self.down(false).await?;
            // Neither does the data that it made.
            let Ok(ready) = self.ready() else { return Ok(()) };
            let data = Data::RemoveBut(&ready.before);
            return containers::sweep(&ready.engine.docker, &self.names, None, data)
                .await
                .map(drop);
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
        let swept =
            containers::sweep(&ready.engine.docker, &self.names, None, Data::of(purge)).await;
        let purged = if purge { private::remove(&self.servers).await } else { Ok(()) };
        ended.into_iter().chain([swept.map(drop), purged]).collect()
    }
}
