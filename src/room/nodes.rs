//! What can be done to a node and to a raft group.

use std::time::Instant;

use super::{
    configuration,
    failure::Failure,
    runtime::{BUSY_PACE, Runtime},
    task::{CommandCtx, Completion, Result},
};
use crate::{
    command::{Group, NodeAct},
    nats::leaders,
    region::{Input, NodeName, Role, Severity, ZoneName, format::seconds, remedy::Remedy},
};

/// Does it to the node.
///
/// # Errors
/// When the node is not in a state in which that can be done.
pub async fn act(cx: CommandCtx, act: NodeAct, node: NodeName) -> Result {
    cx.runtime.check_node(&node)?;
    cx.runtime.pace.send_replace(BUSY_PACE);
    cx.runtime.servers.note_draining(&node, act == NodeAct::Drain);
    let done = cx.runtime.platform.act(act, &node).await;
    cx.runtime.servers.note_draining(&node, false);
    done?;
    match act {
        NodeAct::Wipe => cx.runtime.servers.note_wiped(&node),
        NodeAct::Start => {
            cx.runtime.servers.note_started(&node, &cx.runtime.plan(&node.zone)?);
        }
        _ => {}
    }
    Ok(Completion::done(match act {
        NodeAct::Kill => format!("{node} was killed; {}", Remedy::StartNode(node.clone()).told()),
        NodeAct::Freeze => format!("{node} is frozen; {}", Remedy::ThawNode(node.clone()).told()),
        NodeAct::Thaw => format!("{node} goes on"),
        NodeAct::Stop => format!("{node} has stopped; {}", Remedy::StartNode(node.clone()).told()),
        NodeAct::Wipe => {
            let start = Remedy::StartNode(node.clone()).told();
            format!("{node} was killed, and what it stored is removed; {start}, empty")
        }
        NodeAct::Drain => format!("{node} has left; {}", Remedy::StartNode(node.clone()).told()),
        NodeAct::Start => {
            format!("{node} runs again{}", configuration::still_differs(&cx, &node.zone))
        }
    }))
}

/// What to do about a server that has switched its JetStream off; it does not come back by itself.
#[must_use]
pub fn js_off_way_out(node: &NodeName) -> String {
    format!("free space where its data is, then `node stop {node}` and `node start {node}`")
}

/// What somebody else did to a server that says it is leaving, and what to do.
#[must_use]
pub fn leaving(node: &NodeName) -> String {
    format!(
        "{node} was told to leave by somebody else (lame-duck mode, SIGUSR2), and ends by itself: \
         `node start {node}` starts it then, with its data"
    )
}

/// Tells why a server has switched its JetStream off: it says so in its log alone.
pub fn explain_js_off(runtime: &Runtime, node: NodeName) {
    let (bus, log) = (runtime.bus.clone(), runtime.node_folder(&node).join("nats-server.log"));
    tokio::task::spawn_blocking(move || {
        let log = std::fs::read(log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let errors = || log.lines().rev().filter_map(|line| line.split_once("[ERR] "));
        let why = errors().find(|(_, word)| word.contains("DISABLED")).or_else(|| errors().next());
        let why = why.map_or("its log does not tell why", |(_, word)| word);
        let text =
            format!("{node} has switched its JetStream off ({why}): {}", js_off_way_out(&node));
        bus.note(Severity::Error, text);
    });
}

/// Makes a group elect another leader.
///
/// # Errors
/// When the group is not of that zone, or elects nobody in time.
pub async fn stepdown(cx: CommandCtx, zone: ZoneName, group: Group) -> Result {
    let plan = cx.runtime.plan(&zone)?;
    let wrong = match (group, plan.role) {
        (Group::Mirror, Role::Source | Role::Promoted | Role::Fenced) => Some("stream"),
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
    let runtime = cx.runtime.zone(&zone)?;
    let change = leaders::stepdown(&runtime.client, &plan, group).await?;
    Ok(Completion::done(format!(
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
pub async fn nudge(cx: CommandCtx, zone: ZoneName) -> Result {
    let role = cx.runtime.mirror_plan(&zone)?.role;
    if role != Role::Mirror {
        return Err(Failure::Refused(format!(
            "zone {zone} is {role} and copies nothing: there is nothing to hurry"
        )));
    }
    let runtime = cx.runtime.zone(&zone)?;
    if let Some(why) = configuration::why_nothing_is_copied(&runtime).await {
        return Err(Failure::Refused(format!("a nudge cannot help: {why}")));
    }
    cx.bus().tell(Input::Nudged { zone: zone.clone() });
    stepdown(cx, zone, Group::Mirror).await
}
