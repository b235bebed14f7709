//! A zone's link to the source: its containers' place on the WAN network.
//!
//! TCP notices nothing of a cut (facts §J): the servers find out by their pings, and since a
//! container comes back with another address, no connection of before lives on.

use std::{sync::Arc, time::Duration};

use bollard::errors::Error;
use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::{
    DockerPlatform, Ready, Zone, containers,
    engine::{code, failed, refuse, words},
    watch::Plug,
    zones::POLL,
};
use crate::{
    platform::{PlatformError, greet::greets},
    region::{
        NodeName, ZoneName, ZonePlan,
        observation::ProcessState,
        topology::{NodePlan, Role},
    },
};

/// How long a node of a cut zone has to answer its clients.
const STILL_THERE: Duration = Duration::from_secs(5);

impl DockerPlatform {
    /// Takes a zone's containers off the WAN network: all of them, or none.
    pub(super) async fn unplug_zone(&self, name: &ZoneName) -> Result<(), PlatformError> {
        let ready = self.ready()?;
        let zone = self.linked(name)?;
        let _turn = zone.turn.lock().await;
        let docker = &ready.engine.docker;
        ready.watch.plug(name, Plug::Moving).await;
        let unplug =
            |node: NodeName| async move { containers::unplug(docker, &self.names, &node).await };
        let mut cut = self.each_container(&zone.plan, "disconnect", unplug).await;
        if cut.is_ok() {
            cut = self.clients_remain(&ready, &zone.plan).await;
        }
        // Half a cut is none.
        if let Err(failure) = &cut
            && let Err(error) = self.plug_all(&ready, &zone.plan).await
        {
            cut = Err(refuse(format!(
                "{failure}. That could not be taken back ({error}): `heal {name}` tries again"
            )));
        }
        ready.watch.plug(name, if cut.is_ok() { Plug::Off } else { Plug::On }).await;
        cut
    }

    /// Puts a zone's containers back on the WAN network, and those of the source that somebody has
    /// taken off it: a link has two ends. Who took all of them off may have removed the network too.
    pub(super) async fn plug_zone(&self, name: &ZoneName) -> Result<(), PlatformError> {
        let ready = self.ready()?;
        let zone = self.linked(name)?;
        let _turn = zone.turn.lock().await;
        let docker = &ready.engine.docker;
        containers::ensure_wan(docker, &self.names).await?;
        ready.watch.plug(name, Plug::Moving).await;
        let source = &self.options.common.source;
        let off = |node: &&NodePlan| ready.watch.is_off_the_wan(&node.name);
        for node in source.nodes.iter().filter(off) {
            let plugged = containers::plug(docker, &self.names, &node.name).await;
            let doing = format!("connect {}", self.names.container(&node.name));
            plugged.map_err(|error| failed(&doing, &error))?;
        }
        let healed = self.plug_all(&ready, &zone.plan).await;
        if healed.is_ok() {
            ready.watch.plug(name, Plug::On).await;
        }
        healed
    }

    async fn plug_all(&self, ready: &Ready, zone: &ZonePlan) -> Result<(), PlatformError> {
        let docker = &ready.engine.docker;
        let plug =
            |node: NodeName| async move { containers::plug(docker, &self.names, &node).await };
        self.each_container(zone, "connect", plug).await
    }

    /// A mirror zone, which alone has a link.
    fn linked(&self, name: &ZoneName) -> Result<Arc<Zone>, PlatformError> {
        let zone = self.zone(name)?;
        match zone.plan.role {
            Role::Source => Err(PlatformError::NoLink(name.clone())),
            Role::Mirror => Ok(zone),
        }
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
            while !greets(node).await {
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

    async fn each_container<F: Future<Output = Result<(), Error>>>(
        &self,
        zone: &ZonePlan,
        doing: &str,
        act: impl Fn(NodeName) -> F,
    ) -> Result<(), PlatformError> {
        let acts = zone.nodes.iter().map(|node| {
            let doing = format!("{doing} {}", self.names.container(&node.name));
            let act = act(node.name.clone());
            async move {
                match act.await {
                    // A container that is gone is off every network.
                    Err(error) if code(&error) == Some(404) && is_no_container(&error) => Ok(()),
                    done => done.map_err(|error| failed(&doing, &error)),
                }
            }
        });
        join_all(acts).await.into_iter().collect()
    }
}

/// Asked to take what is not there off a network, an engine misses its endpoint.
fn is_no_container(error: &Error) -> bool {
    let words = words(error).to_lowercase();
    words.contains("no such container") || words.starts_with("endpoint ")
}
