//! One node: started, stopped, killed, frozen, thawed.

use std::sync::Arc;

use bollard::{
    Docker,
    query_parameters::{
        KillContainerOptions, KillContainerOptionsBuilder, RemoveContainerOptions,
        RemoveContainerOptionsBuilder, RemoveVolumeOptions, StartContainerOptions,
        StopContainerOptionsBuilder,
    },
};

use super::{
    DockerPlatform, Ready, Zone,
    containers::{self, Found, GRACE_S},
    engine::{failed, patient},
    locked,
};
use crate::{
    command::NodeAct,
    platform::PlatformError,
    region::{NodeName, observation::ProcessState, remedy::Remedy, topology::NodePlan},
};

impl DockerPlatform {
    fn node(&self, node: &NodeName) -> Result<(Arc<Zone>, NodePlan), PlatformError> {
        let zone = self.zone(&node.zone)?;
        let plan = zone.plan.nodes.iter().find(|plan| &plan.name == node).cloned();
        let plan = plan.ok_or_else(|| PlatformError::NoZone(node.zone.clone()))?;
        Ok((zone, plan))
    }

    /// Refuses what cannot be done to a node in the state it is in.
    async fn must(
        &self,
        ready: &Ready,
        node: &NodeName,
        asked: NodeAct,
    ) -> Result<(), PlatformError> {
        use ProcessState::{Dead, Frozen, Running, Stopped};
        let thaw = Remedy::ThawNode(node.clone());
        let why = match (ready.watch.look(node).await?.state, asked) {
            (Running, NodeAct::Thaw) => "is not frozen".to_owned(),
            (Frozen, NodeAct::Freeze) => format!("is frozen already: {}", thaw.told()),
            (
                Stopped | Dead,
                NodeAct::Stop | NodeAct::Drain | NodeAct::Kill | NodeAct::Freeze | NodeAct::Thaw,
            ) => {
                format!("is not running: {}", Remedy::StartNode(node.clone()).told())
            }
            (Running, NodeAct::Start) => "runs already".to_owned(),
            (Frozen, NodeAct::Start) => format!("is frozen: {}", thaw.told()),
            _ => return Ok(()),
        };
        Err(PlatformError::NodeState { node: node.clone(), why })
    }

    /// Starts a node's container, or where that is gone or of another version, one in its place; returns
    /// when its server answers.
    pub(super) async fn start_one(&self, node: &NodeName) -> Result<(), PlatformError> {
        let ready = self.ready()?;
        let (zone, plan) = self.node(node)?;
        self.must(&ready, node, NodeAct::Start).await?;
        let docker = &ready.engine.docker;
        let there = containers::list(docker, &self.names, Some(&node.zone)).await?;
        let there = there.into_iter().find(|one| &one.node == node);
        let wanted = locked(&self.upgraded).clone();
        let of_another = |one: &Found| wanted.is_some() && one.version != wanted;
        let other = there.as_ref().filter(|one| of_another(one)).map(|one| one.id.clone());
        if there.is_some() && other.is_none() {
            self.act(&ready, node, NodeAct::Start).await?;
        } else {
            ready.watch.track([node.clone()].into_iter());
            if let Some(id) = other {
                let gone = docker.remove_container(&id, None::<RemoveContainerOptions>).await;
                gone.map_err(|e| failed(&format!("remove the container of {node}"), &e))?;
            }
            let made = self.make_anew(&ready, &zone.plan, node).await;
            ready.watch.look(node).await?;
            ready.watch.settled([node].into_iter());
            made?;
        }
        self.lay_anew(&ready, &node.zone).await;
        self.answers(&ready, &plan).await
    }

    /// Ends a node's container, if it runs, and removes it with its volume.
    pub(super) async fn wipe(&self, node: &NodeName) -> Result<(), PlatformError> {
        let ready = self.ready()?;
        self.node(node)?;
        let docker = &patient(&ready.engine.docker);
        let container = self.container_id(&ready.engine.docker, node).await?;
        // Its name may be somebody else's by now: looked at before anything ends.
        let volume = self.names.volume(node);
        match ready.engine.docker.inspect_volume(&volume).await {
            Ok(there) => self.must_be_ours("volume", &volume, Some(there.labels))?,
            Err(error) => return Err(failed(&format!("look for volume {volume}"), &error)),
        }
        let state = ready.watch.look(node).await?.state;
        if matches!(state, ProcessState::Running | ProcessState::Frozen) {
            self.act(&ready, node, NodeAct::Kill).await?;
        }
        ready.watch.ending([node].into_iter());
        let removing = async {
            let options = RemoveContainerOptionsBuilder::new().force(true).build();
            let gone = docker.remove_container(&container, Some(options)).await;
            gone.map_err(|e| failed(&format!("remove the container of {node}"), &e))?;
            let gone = docker.remove_volume(&volume, None::<RemoveVolumeOptions>).await;
            gone.map_err(|e| failed(&format!("remove volume {volume}"), &e))?;
            ready.watch.look(node).await.map(drop)
        };
        let removed = removing.await;
        ready.watch.settled([node].into_iter());
        removed
    }

    /// Asks a node's container for anything but to start; returns when it is so.
    pub(super) async fn ask(&self, node: &NodeName, asked: NodeAct) -> Result<(), PlatformError> {
        let ready = self.ready()?;
        self.node(node)?;
        self.must(&ready, node, asked).await?;
        self.act(&ready, node, asked).await
    }

    /// The id of a node's container: its name may be somebody else's.
    async fn container_id(
        &self,
        docker: &Docker,
        node: &NodeName,
    ) -> Result<String, PlatformError> {
        let there = containers::list(docker, &self.names, Some(&node.zone)).await?;
        let one = there.into_iter().find(|one| &one.node == node);
        one.map(|one| one.id).ok_or_else(|| PlatformError::NodeState {
            node: node.clone(),
            why: format!("has no container any more: `node start {node}` makes one"),
        })
    }

    async fn act(
        &self,
        ready: &Ready,
        node: &NodeName,
        asked: NodeAct,
    ) -> Result<(), PlatformError> {
        let docker = &patient(&ready.engine.docker);
        let container = self.container_id(&ready.engine.docker, node).await?;
        let acting = async {
            match asked {
                NodeAct::Start => {
                    docker.start_container(&container, None::<StartContainerOptions>).await
                }
                NodeAct::Stop => {
                    let options = StopContainerOptionsBuilder::new().t(GRACE_S).build();
                    docker.stop_container(&container, Some(options)).await
                }
                NodeAct::Drain => {
                    let options = KillContainerOptionsBuilder::new().signal("SIGUSR2").build();
                    docker.kill_container(&container, Some(options)).await
                }
                NodeAct::Kill | NodeAct::Wipe => {
                    docker.kill_container(&container, None::<KillContainerOptions>).await
                }
                NodeAct::Freeze => docker.pause_container(&container).await,
                NodeAct::Thaw => docker.unpause_container(&container).await,
            }
        };
        ready.watch.act(node, asked, acting).await
    }
}
