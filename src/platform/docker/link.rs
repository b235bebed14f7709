//! A zone's link to the source: its containers' place on the WAN network.
//!
//! TCP notices nothing of a cut (nats-facts §J): the servers find out by their pings, and since a
//! container comes back with another address, no connection of before lives on.

use std::{sync::Arc, time::Duration};

use bollard::{
    Docker, errors::Error, models::ContainerStateStatusEnum,
    query_parameters::InspectContainerOptions,
};
use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::{
    DockerPlatform, Ready, Zone,
    containers::{self, Found},
    engine::{code, failed, refuse},
    watch::Plug,
    zones::POLL,
};
use crate::{
    platform::{PlatformError, banner::probe_banner},
    region::{ZoneName, ZonePlan, observation::ProcessState, topology::NodePlan},
};

/// How long a node of a cut zone has to answer its clients.
const STILL_THERE: Duration = Duration::from_secs(5);

impl DockerPlatform {
    /// Takes a zone's containers off the WAN network: all of them, or none.
    pub(super) async fn unplug_zone(&self, name: &ZoneName) -> Result<(), PlatformError> {
        let ready = self.ready()?;
        let zone = self.linked(name)?;
        let mut turn = zone.turn.lock().await;
        self.make_whole(&mut turn).await;
        let docker = &ready.engine.docker;
        let there = containers::list(docker, &self.names, Some(name)).await?;
        ready.watch.plug(name, Plug::Moving).await;
        let unplug =
            |one: Found| async move { containers::unplug(docker, &self.names, &one.id).await };
        let mut cut = self.each_container(docker, there, "disconnect", unplug).await;
        if cut.is_ok() {
            cut = self.clients_remain(&ready, &zone.plan).await;
        }
        let Err(failure) = cut else {
            ready.watch.plug(name, Plug::Off).await;
            return Ok(());
        };
        // Half a cut is none.
        match self.plug_all(&ready, &zone.plan).await {
            Ok(()) => {
                ready.watch.plug(name, Plug::On).await;
                Err(failure)
            }
            Err(error) => Err(PlatformError::HalfCut(format!(
                "{failure}. That could not be taken back ({error}): zone {name} counts as cut until `heal {name}` succeeds"
            ))),
        }
    }

    /// Puts a zone's containers back on the WAN network, and those of the source that somebody has
    /// taken off it: a link has two ends. Who took all of them off may have removed the network too.
    pub(super) async fn plug_zone(&self, name: &ZoneName) -> Result<(), PlatformError> {
        let ready = self.ready()?;
        let zone = self.linked(name)?;
        let mut turn = zone.turn.lock().await;
        self.make_whole(&mut turn).await;
        let docker = &ready.engine.docker;
        self.ensure_network(docker, self.names.wan(), self.names.labels()).await?;
        ready.watch.plug(name, Plug::Moving).await;
        let healed = self.plug_both_ends(&ready, &zone.plan).await;
        if healed.is_ok() {
            ready.watch.plug(name, Plug::On).await;
        }
        healed
    }

    async fn plug_both_ends(&self, ready: &Ready, zone: &ZonePlan) -> Result<(), PlatformError> {
        let docker = &ready.engine.docker;
        let source = &self.options.common.source.name;
        let off = |one: &Found| ready.watch.is_off_the_wan(&one.node);
        let there = containers::list(docker, &self.names, Some(source)).await?;
        for one in there.into_iter().filter(off) {
            let plugged = containers::plug(docker, &self.names, &one.node, &one.id).await;
            let doing = format!("connect {}", self.names.container(&one.node));
            plugged.map_err(|error| failed(&doing, &error))?;
        }
        self.plug_all(ready, zone).await
    }

    async fn plug_all(&self, ready: &Ready, zone: &ZonePlan) -> Result<(), PlatformError> {
        let docker = &ready.engine.docker;
        let plug = |one: Found| async move {
            containers::plug(docker, &self.names, &one.node, &one.id).await
        };
        let there = containers::list(docker, &self.names, Some(&zone.name)).await?;
        self.each_container(docker, there, "connect", plug).await
    }

    /// A mirror zone, which alone has a link.
    pub(super) fn linked(&self, name: &ZoneName) -> Result<Arc<Zone>, PlatformError> {
        let zone = self.zone(name)?;
        if zone.plan.is_hub() { Err(PlatformError::NoLink(name.clone())) } else { Ok(zone) }
    }

    /// A cut zone must keep its clients: where the engine took their ports along, the cut would test
    /// nothing that can be observed.
    async fn clients_remain(&self, ready: &Ready, zone: &ZonePlan) -> Result<(), PlatformError> {
        let truths = ready.watch.truth().await;
        let runs = |node: &&NodePlan| {
            truths
                .iter()
                .any(|(name, truth)| name == &node.name && truth.state == ProcessState::Running)
        };
        let asked = zone.nodes.iter().filter(runs).map(|node| async {
            let deadline = Instant::now() + STILL_THERE;
            while !probe_banner(node).await {
                if Instant::now() > deadline {
                    return Err(refuse(format!(
                        "without its WAN network, {} does not answer its clients on port {}: Docker took the published port along. Nothing could be seen of zone {}, so the cut is taken back. Is there a network that sorts before {} on its container?",
                        node.name,
                        node.client_port,
                        zone.name,
                        self.names.zone_network(&zone.name)
                    )));
                }
                sleep(POLL).await;
            }
            Ok(())
        });
        join_all(asked).await.into_iter().collect()
    }

    /// Does it to each of these containers, by its id: somebody else's may have its name.
    async fn each_container<F: Future<Output = Result<(), Error>>>(
        &self,
        docker: &Docker,
        there: Vec<Found>,
        doing: &str,
        act: impl Fn(Found) -> F,
    ) -> Result<(), PlatformError> {
        let acts = there.into_iter().map(|one| {
            let doing = format!("{doing} {}", self.names.container(&one.node));
            let id = one.id.clone();
            let act = act(one);
            async move {
                match act.await {
                    Err(_) if is_gone(docker, &id).await => Ok(()),
                    done => done.map_err(|error| failed(&doing, &error)),
                }
            }
        });
        join_all(acts).await.into_iter().collect()
    }
}

/// Is a container gone, or being removed? Then it is off every network.
async fn is_gone(docker: &Docker, id: &str) -> bool {
    match docker.inspect_container(id, None::<InspectContainerOptions>).await {
        Ok(told) => {
            let status = told.state.and_then(|state| state.status);
            matches!(
                status,
                Some(ContainerStateStatusEnum::REMOVING | ContainerStateStatusEnum::DEAD)
            )
        }
        Err(error) => code(&error) == Some(404),
    }
}
