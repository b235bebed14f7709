//! What can be done to a node and to a raft group.

use std::time::Instant;

use super::{
    engine::{BUSY_PACE, Engine, Failure},
    task::{Cx, Result, Said},
};
use crate::{
    command::{Group, NodeAct},
    nats::leaders,
    region::{EventKind, NodeName, Role, Severity, ZoneName, event::seconds},
};

/// Does it to the node.
///
/// # Errors
/// When the node is not in a state in which that can be done.
pub async fn act(cx: Cx, act: NodeAct, node: NodeName) -> Result {
    cx.engine.check_node(&node)?;
    cx.engine.pace.send_replace(BUSY_PACE);
    let platform = &cx.engine.platform;
    match act {
        NodeAct::Kill => platform.kill_node(&node).await?,
        NodeAct::Freeze => platform.freeze_node(&node).await?,
        NodeAct::Thaw => platform.thaw_node(&node).await?,
        NodeAct::Stop => platform.stop_node(&node).await?,
        NodeAct::Start => platform.start_node(&node).await?,
    }
    Ok(Said::done(match act {
        NodeAct::Kill => format!("{node} was killed; `node start {node}` starts it again"),
        NodeAct::Freeze => format!("{node} is frozen; `node thaw {node}` resumes it"),
        NodeAct::Thaw => format!("{node} goes on"),
        NodeAct::Stop => format!("{node} has stopped; `node start {node}` starts it again"),
        NodeAct::Start => format!("{node} runs again"),
    }))
}

/// What to do about a server that has switched its JetStream off; it does not come back by itself.
#[must_use]
pub fn js_off_way_out(node: &NodeName) -> String {
    format!("free space where its data is, then `node stop {node}` and `node start {node}`")
}

/// Tells why a server has switched its JetStream off: it says so in its log alone.
pub fn explain_js_off(engine: &Engine, node: NodeName) {
    let (bus, log) = (engine.bus.clone(), engine.node_folder(&node).join("nats-server.log"));
    tokio::task::spawn_blocking(move || {
        let log = std::fs::read(log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let errors = || log.lines().rev().filter_map(|line| line.split_once("[ERR] "));
        let why = errors().find(|(_, word)| word.contains("DISABLED")).or_else(|| errors().next());
        let why = why.map_or("its log does not tell why", |(_, word)| word);
        let text =
            format!("{node} has switched its JetStream off ({why}): {}", js_off_way_out(&node));
        bus.change(move |_, _| vec![EventKind::Note { severity: Severity::Error, text }]);
    });
}

/// Makes a group elect another leader.
///
/// # Errors
/// When the group is not of that zone, or elects nobody in time.
pub async fn stepdown(cx: Cx, zone: ZoneName, group: Group) -> Result {
    let plan = cx.engine.plan(&zone)?;
    let wrong = match (group, plan.role) {
        (Group::Mirror, Role::Source) => Some("stream"),
        (Group::Stream, Role::Mirror) => Some("mirror"),
        _ => None,
    };
    if let Some(right) = wrong {
        return Err(Failure::Refused(format!(
            "zone {zone} has no {}: say `node stepdown {zone} {right}`",
            group.as_str()
        )));
    }
    let began = Instant::now();
    let engine = cx.engine.zone(&zone)?;
    let change = leaders::stepdown(&engine.client, &plan, group).await?;
    Ok(Said::done(format!(
        "zone {zone}: the {} is led by {} now ({} stepped down; {})",
        group.as_str(),
        change.to,
        change.from,
        seconds(began.elapsed().as_millis() as u64),
    )))
}

/// Hurries a mirror that waits.
///
/// # Errors
/// When the zone is no mirror, or elects nobody in time.
pub async fn nudge(cx: Cx, zone: ZoneName) -> Result {
    cx.engine.mirror_plan(&zone)?;
    let name = zone.clone();
    cx.bus().change(move |state, _| state.nudged(&name));
    stepdown(cx, zone, Group::Mirror).await
}
