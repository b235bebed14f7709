//! Zones: brought up, or adopted where they run already.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use bollard::{Docker, query_parameters::StartContainerOptions};
use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::{
    DockerPlatform, Ready,
    containers::{self, Data, Found},
    engine::{Engine, failed, patient, refuse},
    files, foreign,
    image::Image,
    locked,
    names::Names,
    watch::Plug,
};
use crate::{
    platform::{PlatformError, Progress, banner::probe_banner, local::ports, private},
    region::{
        NodeName, ZoneName, ZonePlan,
        observation::ProcessState,
        topology::{NodePlan, region_flag},
    },
};

/// How long a node has from its container's start until it answers; one with data reads all of it
/// first.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a node that is waited for is asked.
pub(super) const POLL: Duration = Duration::from_millis(20);

impl DockerPlatform {
    /// What runs of this region already: nothing, or it is to be adopted, or it is in the way.
    pub(super) async fn clear_or_adopt(
        &self,
        engine: &Engine,
        progress: Progress<'_>,
    ) -> Result<Vec<Found>, PlatformError> {
        foreign::refuse_foreign(&engine.docker, &self.names, &self.options.plans).await?;
        let found = containers::list(&engine.docker, &self.names, None).await?;
        let lives: Vec<&Found> = found.iter().filter(|one| one.lives()).collect();
        if self.options.fresh && !self.options.adopt && lives.is_empty() {
            let volumes = containers::volumes(&engine.docker, &self.names, None).await?;
            if let Some(why) = nobodys(&volumes, &self.names, &self.options.common.home) {
                return Err(refuse(why));
            }
        }
        // Nothing is removed for a region that cannot come up.
        if lives.is_empty() {
            for plan in &self.options.plans {
                free_ports(&engine.docker, &self.names, plan).await?;
            }
        }
        if found.is_empty() {
            return Ok(found);
        }
        if self.options.adopt {
            let unknown = found.iter().find(|one| !self.is_known(&one.node.zone));
            if let Some(one) = unknown {
                return Err(refuse(format!(
                    "{} runs, and the region knows no zone {}: name all zones, the source first (`zonedrill{} up --adopt --zones a,b,…`)",
                    one.node,
                    one.node.zone,
                    region_flag(self.names.region())
                )));
            }
            progress(&format!("adopting {}", census(&found)));
            *locked(&self.adopted) = self.told_of_adoption(&found);
            return Ok(found);
        }
        if lives.is_empty() {
            containers::sweep(&engine.docker, &self.names, None, Data::Keep).await?;
            progress(&format!("removed {} ended containers of an earlier room", found.len()));
            return Ok(Vec::new());
        }
        let region = region_flag(self.names.region());
        Err(refuse(format!(
            "containers of region {} are there already, started by hand or left by a room that was killed ({}): `zonedrill{region} up --adopt` takes them over with their data, `zonedrill{region} down` removes them",
            self.names.region(),
            census(&found),
        )))
    }

    fn is_known(&self, zone: &ZoneName) -> bool {
        self.options.plans.iter().any(|plan| &plan.name == zone)
    }

    /// Is what runs of this zone to be taken over? Not of one that is added later.
    pub(super) fn adopts(&self, zone: &ZoneName) -> bool {
        self.options.adopt && self.is_known(zone)
    }

    /// What an adoption changes of what it finds, and what it keeps.
    fn told_of_adoption(&self, found: &[Found]) -> Vec<String> {
        let mut told = Vec::new();
        for plan in &self.options.plans {
            let of_it = || found.iter().filter(|one| one.node.zone == plan.name);
            let cut = is_found_cut(plan, found);
            if cut {
                let zone = &plan.name;
                told.push(format!("zone {zone} is cut and stays cut: `heal {zone}` heals it"));
            }
            for node in &plan.nodes {
                match of_it().find(|one| one.node == node.name) {
                    None => told.push(format!("{} has no container: it gets a new one", node.name)),
                    Some(one) if one.state == "paused" => {
                        told.push(format!("{} is frozen: it is resumed", node.name));
                    }
                    Some(one) if one.state != "running" => {
                        told.push(format!("{} is {}: it is started", node.name, one.state));
                    }
                    Some(one) if !one.on_wan && !cut => told.push(format!(
                        "{} is off the WAN network: it is put on it again",
                        node.name
                    )),
                    Some(_) => {}
                }
            }
        }
        told
    }

    /// Writes a node's configuration into its folder, for who looks there, and returns it.
    pub(super) fn write(
        &self,
        plan: &ZonePlan,
        node: &NodePlan,
        image: &Image,
    ) -> Result<String, PlatformError> {
        let folder = self.servers.join(node.name.to_string());
        private::folder(&folder)?;
        let path = folder.join("nats-server.conf");
        let source = &self.options.common.source;
        let text = files::config(&image.version, source, plan, node)
            .map_err(|error| PlatformError::io("write", &path, std::io::Error::other(error)))?;
        private::write(&path, &text)?;
        Ok(text)
    }

    /// Takes over what runs of the zone. False if nothing of it is there.
    async fn adopt(&self, ready: &Ready, plan: &ZonePlan) -> Result<bool, PlatformError> {
        let docker = &ready.engine.docker;
        let found = containers::list(docker, &self.names, Some(&plan.name)).await?;
        if !self.adopts(&plan.name) || found.is_empty() {
            return Ok(false);
        }
        for node in &plan.nodes {
            let Some(one) = found.iter().find(|one| one.node == node.name) else { continue };
            if let Some(port) = one.port.filter(|port| *port != node.client_port) {
                return Err(refuse(format!(
                    "the container of {} publishes port {port}, this region has {} for it: adopt it with `--port-base {}`",
                    node.name,
                    node.client_port,
                    port.saturating_sub(node.client_port - self.first_port())
                )));
            }
        }
        private_folders(&self.servers, plan)?;
        let cut = is_found_cut(plan, &found);
        if cut {
            ready.watch.plug(&plan.name, Plug::Off).await;
        }
        let all = plan.nodes.iter().map(|node| async {
            match found.iter().find(|one| one.node == node.name) {
                Some(one) => {
                    match one.state.as_str() {
                        "paused" => docker.unpause_container(&one.id).await,
                        "running" => Ok(()),
                        _ => {
                            patient(docker)
                                .start_container(&one.id, None::<StartContainerOptions>)
                                .await
                        }
                    }
                    .map_err(|error| failed(&format!("start {}", node.name), &error))?;
                    if cut {
                        return Ok(());
                    }
                    let plugged = containers::plug(docker, &self.names, &node.name, &one.id).await;
                    plugged.map_err(|error| failed(&format!("connect {}", node.name), &error))
                }
                None => self.make_anew(ready, plan, &node.name).await,
            }
        });
        for done in join_all(all).await {
            done?;
        }
        for node in &plan.nodes {
            ready.watch.look(&node.name).await?;
        }
        Ok(true)
    }

    fn first_port(&self) -> u16 {
        let source = &self.options.common.source;
        source.nodes.first().map_or(0, |node| node.client_port - source.slot * 10)
    }

    /// Makes a node's container that is not there.
    pub(super) async fn make_anew(
        &self,
        ready: &Ready,
        plan: &ZonePlan,
        node: &NodeName,
    ) -> Result<(), PlatformError> {
        let zone = std::slice::from_ref(plan);
        foreign::refuse_foreign(&ready.engine.docker, &self.names, zone).await?;
        self.make(ready, plan, plan.nodes.iter().filter(|one| &one.name == node)).await
    }

    pub(super) async fn bring_up(
        &self,
        ready: &Ready,
        plan: &ZonePlan,
    ) -> Result<(), PlatformError> {
        ready.watch.track(plan.nodes.iter().map(|node| node.name.clone()));
        if !self.adopt(ready, plan).await? {
            // What was begun once and could not be removed then.
            let docker = &ready.engine.docker;
            containers::sweep(docker, &self.names, Some(&plan.name), Data::Keep).await?;
            self.make(ready, plan, plan.nodes.iter()).await?;
        }
        let up = join_all(plan.nodes.iter().map(|node| self.answers(ready, node))).await;
        // A busy engine tells of their start late; from here on it would be somebody else's.
        let _ = join_all(plan.nodes.iter().map(|node| ready.watch.look(&node.name))).await;
        ready.watch.settled(plan.nodes.iter().map(|node| &node.name));
        up.into_iter().collect()
    }

    /// Returns when the node answers on its published port; the error says why it does not.
    pub(super) async fn answers(
        &self,
        ready: &Ready,
        node: &NodePlan,
    ) -> Result<(), PlatformError> {
        let log = self.servers.join(node.name.to_string()).join("nats-server.log");
        let not_started =
            |why| PlatformError::NotStarted { node: node.name.clone(), why, log: log.clone() };
        let deadline = Instant::now() + PATIENCE;
        let mut looked = Instant::now();
        while !probe_banner(node).await {
            if looked.elapsed() > Duration::from_secs(1) {
                looked = Instant::now();
                let truth = ready.watch.look(&node.name).await?;
                if matches!(truth.state, ProcessState::Dead) {
                    // The log comes by another way than the event.
                    sleep(Duration::from_millis(200)).await;
                    return Err(not_started(last_word(&log)));
                }
            }
            if Instant::now() > deadline {
                return Err(not_started(format!(
                    "its container runs, but it did not answer at {}:{} within {PATIENCE:?}{}",
                    node.host(),
                    node.client_port,
                    if node.published.is_loopback() || node.published.is_unspecified() {
                        "; if the engine is on another machine, `--publish ADDRESS` names the address by which that is reached"
                    } else {
                        ""
                    }
                )));
            }
            sleep(POLL).await;
        }
        Ok(())
    }
}

/// Was a mirror zone left cut: is none of its containers on the network of the links?
fn is_found_cut(plan: &ZonePlan, found: &[Found]) -> bool {
    let mut of_it = found.iter().filter(|one| one.node.zone == plan.name).peekable();
    !plan.is_hub() && of_it.peek().is_some() && of_it.all(|one| !one.on_wan)
}

/// Could a port of the node be published? Yes at another machine's address: that is for its engine
/// to say.
pub(super) fn is_free(node: &NodePlan, port: u16) -> bool {
    node.reached.is_some() || ports::is_free_at(node.published, port)
}

/// Refuses a zone's ports that somebody has.
pub(super) async fn free_ports(
    docker: &Docker,
    names: &Names,
    zone: &ZonePlan,
) -> Result<(), PlatformError> {
    for node in &zone.nodes {
        let leaf = zone.is_hub().then_some((node.leaf_port, "leafnodes"));
        for (port, kind) in [(node.client_port, "clients")].into_iter().chain(leaf) {
            // Engines without a proxy of their own take a port that looks free.
            let container = containers::publisher(docker, node.published, port).await;
            if container.is_some() || !is_free(node, port) {
                let owner = container.unwrap_or_else(|| ports::owner(port, names.identity()));
                let what = format!("{}, {kind}", node.name);
                return Err(PlatformError::PortTaken { port, what, owner });
            }
        }
    }
    Ok(())
}

/// Why a region whose folder knows nothing is refused where the engine holds data under its name:
/// messages that it never produced would be on its streams, and its `down --purge` would take them.
pub(super) fn nobodys(volumes: &[String], names: &Names, folder: &Path) -> Option<String> {
    let first = volumes.first()?;
    let region = region_flag(names.region());
    Some(format!(
        "Docker holds data of a region {name} that {folder} knows nothing of ({count} volumes: {first}, …): `zonedrill{region} down --purge` removes it, `--region NAME` starts another region beside it",
        name = names.region(),
        folder = folder.display(),
        count = volumes.len(),
    ))
}

/// "zone a: 3 running; zone b: 2 running, 1 exited".
pub(super) fn census(found: &[Found]) -> String {
    let mut zones: BTreeMap<&ZoneName, BTreeMap<&str, usize>> = BTreeMap::new();
    for one in found {
        *zones.entry(&one.node.zone).or_default().entry(&one.state).or_default() += 1;
    }
    let zones: Vec<String> = zones
        .into_iter()
        .map(|(zone, states)| {
            let states: Vec<String> =
                states.into_iter().map(|(state, count)| format!("{count} {state}")).collect();
            format!("zone {zone}: {}", states.join(", "))
        })
        .collect();
    zones.join("; ")
}

/// The most telling line at the end of a server's log.
fn last_word(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let tagged = |tag: &str| {
        let line = text.lines().rev().find_map(|line| line.split_once(tag))?;
        Some(line.1.trim().to_owned())
    };
    let last = || Some(text.lines().rev().find(|line| !line.trim().is_empty())?.to_owned());
    let word = tagged("[FTL]").or_else(|| tagged("[ERR]")).or_else(last);
    format!("its container ended; {}", word.unwrap_or_else(|| "it logged nothing".into()))
}

fn private_folders(servers: &Path, plan: &ZonePlan) -> Result<(), PlatformError> {
    plan.nodes.iter().try_for_each(|node| private::folder(&servers.join(node.name.to_string())))
}
