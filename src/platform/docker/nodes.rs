//! One node: started, stopped, killed, frozen, thawed.

use std::sync::Arc;

use bollard::{
    Docker,
    query_parameters::{KillContainerOptions, StartContainerOptions, StopContainerOptionsBuilder},
};

use super::{
    DockerPlatform, Ready, Zone,
    containers::{self, GRACE_S},
    engine::patient,
    watch::Asked,
};
use crate::{
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
        asked: Asked,
    ) -> Result<(), PlatformError> {
        use ProcessState::{Dead, Frozen, Running, Stopped};
        let thaw = Remedy::ThawNode(node.clone());
        let why = match (ready.watch.look(node).await?.state, asked) {
            (Running, Asked::Thaw) => "is not frozen".to_owned(),
            (Frozen, Asked::Freeze) => format!("is frozen already: {}", thaw.told()),
            (Stopped | Dead, Asked::Stop | Asked::Kill | Asked::Freeze | Asked::Thaw) => {
                format!("is not running: {}", Remedy::StartNode(node.clone()).told())
            }
            (Running, Asked::Start) => "runs already".to_owned(),
            (Frozen, Asked::Start) => format!("is frozen: {}", thaw.told()),
            _ => return Ok(()),
        };
        Err(PlatformError::NodeState { node: node.clone(), why })
    }

    /// Starts a node's container, or where that is gone, one in its place; returns when its server
    /// answers.
    pub(super) async fn start_one(&self, node: &NodeName) -> Result<(), PlatformError> {
        let ready = self.ready()?;
        let (zone, plan) = self.node(node)?;
        self.must(&ready, node, Asked::Start).await?;
        let docker = &ready.engine.docker;
        let there = containers::list(docker, &self.names, Some(&node.zone)).await?;
        if there.iter().any(|one| &one.node == node) {
            self.act(&ready, node, Asked::Start).await?;
        } else {
            ready.watch.track([node.clone()].into_iter());
            let made = self.make_anew(&ready, &zone.plan, node).await;
            ready.watch.look(node).await?;
            ready.watch.settled([node].into_iter());
            made?;
        }
        self.lay_anew(&ready, &node.zone).await;
        self.answers(&ready, &plan).await
    }

    /// Asks a node's container for anything but to start; returns when it is so.
    pub(super) async fn ask(&self, node: &NodeName, asked: Asked) -> Result<(), PlatformError> {
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

    async fn act(&self, ready: &Ready, node: &NodeName, asked: Asked) -> Result<(), PlatformError> {
        let docker = &patient(&ready.engine.docker);
        let container = self.container_id(&ready.engine.docker, node).await?;
        let acting = async {
            match asked {
                Asked::Start => {
                    docker.start_container(&container, None::<StartContainerOptions>).await
                }
                Asked::Stop => {
                    let options = StopContainerOptionsBuilder::new().t(GRACE_S).build();
                    docker.stop_container(&container, Some(options)).await
                }
                Asked::Kill => {
                    docker.kill_container(&container, None::<KillContainerOptions>).await
                }
                Asked::Freeze => docker.pause_container(&container).await,
                Asked::Thaw => docker.unpause_container(&container).await,
            }
        };
        ready.watch.act(node, asked, acting).await
    }
}
