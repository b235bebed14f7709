//! What servers say about themselves when a drill asks: who they are, since when, and since when
//! with this configuration.

use std::time::Duration;

use futures::future::join_all;

use super::{
    connect::{Login, node_client},
    system,
};
use crate::region::{ZonePlan, observation::ServerFacts, topology::NodePlan};

/// How long a node may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(1500);

/// The facts of every node that answers, in order; a silent one is left out.
pub async fn servers(plans: &[ZonePlan]) -> Vec<ServerFacts> {
    let nodes = plans.iter().flat_map(|plan| plan.nodes.iter().map(move |node| (plan, node)));
    join_all(nodes.map(|(plan, node)| server(plan, node))).await.into_iter().flatten().collect()
}

async fn server(zone: &ZonePlan, node: &NodePlan) -> Option<ServerFacts> {
    let asking = async {
        let client = node_client(zone, node, Login::System, "zonedrill facts").await.ok()?;
        system::varz(&client, ANSWER_TIMEOUT).await
    };
    let varz = tokio::time::timeout(2 * ANSWER_TIMEOUT, asking).await.ok()??;
    Some(ServerFacts {
        node: node.name.to_string(),
        server_id: varz.server_id,
        version: varz.version,
        start: varz.start,
        config_load_time: varz.config_load_time,
    })
}
