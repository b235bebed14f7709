//! Waiting for a zone's consumer to be done, for as long as something can still come to it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{
    clock::now_ms,
    configuration::{why_nothing_comes, why_nothing_is_copied, why_nothing_is_delivered},
    server::Published,
    task::CommandCtx,
};
use crate::{
    ledger::finding::Outlook,
    region::{
        NodeName, Status, UnixMs, ZonePlan,
        remedy::Remedy,
        status::{LinkState, NodeState, Phase, Zone},
    },
};

/// How long nothing may come before what is late is late.
const STANDSTILL: Duration = Duration::from_secs(5);
/// The server must say for so long that nothing is left for the consumer: its leader may be a
/// follower of the stream, some milliseconds behind.
const SETTLED_MS: u64 = 1_000;
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(50);

/// Waits until a zone's consumer has acknowledged everything up to `target`, or nothing is left at
/// the server for it. `None` then: what it has not got, it will not get. Otherwise what becomes of
/// the rest. What cannot come is not waited for. `progress` is told where the consumer stands.
pub async fn drain(
    cx: &CommandCtx,
    plan: &ZonePlan,
    target: u64,
    statuses: &watch::Receiver<Arc<Published>>,
    mut progress: impl FnMut(u64),
) -> Option<Outlook> {
    let (mut best, mut moved, mut moved_ms) = (None, Instant::now(), now_ms());
    let mut asked = false;
    loop {
        let (seen, obstacle) = {
            let published = statuses.borrow();
            let zone = published.status.zone(&plan.name);
            (zone.map(Seen::of), obstacle(cx, &published.status, plan))
        };
        let seen = seen.unwrap_or_default();
        let here = seen.floor.unwrap_or(0);
        if here >= target || seen.is_done(target, moved_ms) {
            return None;
        }
        if obstacle.is_some() {
            return obstacle;
        }
        let has_all = seen.last_seq >= Some(target);
        if let Some(why) = why_not(cx, plan, has_all, std::mem::replace(&mut asked, true)).await {
            return Some(Outlook::WillNotCome { why });
        }
        if best.as_ref() != Some(&seen.place()) {
            best = Some(seen.place());
            (moved, moved_ms) = (Instant::now(), now_ms());
        } else if moved.elapsed() >= STANDSTILL {
            let why = format!(
                "its consumer stands at {here} of {target} and nothing came for {} s",
                STANDSTILL.as_secs()
            );
            return Some(Outlook::Late { why });
        }
        progress(here);
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = cx.stop.cancelled() => {
                return Some(Outlook::Late { why: "it was ended early".into() });
            }
        }
    }
}

/// What was seen of a zone.
#[derive(Default)]
struct Seen {
    floor: Option<u64>,
    last_seq: Option<u64>,
    delivered: Option<u64>,
    pending: Option<u64>,
    unacked: Option<u64>,
    reported_ms: UnixMs,
}

impl Seen {
    fn of(zone: &Zone) -> Self {
        let consumer = zone.consumer.as_ref();
        Self {
            floor: zone.passed_over(),
            last_seq: zone.last_seq(),
            delivered: consumer.and_then(|consumer| consumer.delivered),
            pending: consumer.and_then(|consumer| consumer.pending),
            unacked: consumer.and_then(|consumer| consumer.unacked),
            reported_ms: consumer.and_then(|consumer| consumer.told_at_ms).unwrap_or(0),
        }
    }

    /// What moves while something comes.
    fn place(&self) -> [Option<u64>; 4] {
        [self.floor, self.last_seq, self.delivered, self.unacked]
    }

    /// The stream reaches to the target, and the server has had nothing left for the consumer since
    /// `since`: the last messages are deleted, or somebody else has passed them.
    fn is_done(&self, target: u64, since: UnixMs) -> bool {
        self.last_seq >= Some(target)
            && self.pending == Some(0)
            && self.unacked == Some(0)
            && self.reported_ms >= since.saturating_add(SETTLED_MS)
    }
}

/// Why the servers will not bring what is missing: asked for once, then whenever the watch sees
/// something, which may just have been mended.
async fn why_not(cx: &CommandCtx, plan: &ZonePlan, has_all: bool, asked: bool) -> Option<String> {
    let zone = cx.runtime.zone(&plan.name).ok()?;
    if asked && why_nothing_comes(&zone, has_all).is_none() {
        return None;
    }
    match why_nothing_is_delivered(&zone).await {
        None if !has_all => why_nothing_is_copied(&zone).await,
        why => why,
    }
}

/// What the room itself knows to be in the way.
fn obstacle(cx: &CommandCtx, status: &Status, plan: &ZonePlan) -> Option<Outlook> {
    let name = &plan.name;
    let zone = status.zone(name)?;
    // The status follows the command by a moment.
    let paused = cx.runtime.zone(name).is_ok_and(|zone| zone.control.borrow().paused);
    let why = if status.phase != Phase::Up {
        return Some(Outlook::Late { why: "the region is being ended".into() });
    } else if paused {
        format!(
            "consumer-{name} is paused; {}",
            cx.runtime.told(&Remedy::ResumeConsumer(name.clone()))
        )
    } else if zone.link.as_ref().is_some_and(|link| link.state == LinkState::Cut) {
        format!("zone {name} is cut; {}", cx.runtime.told(&Remedy::Heal(name.clone())))
    } else {
        has_quorum(status, plan).err()?
    };
    Some(Outlook::WillNotCome { why })
}

/// Without a majority of its nodes a zone answers nothing, and is not waited for.
///
/// # Errors
/// Which nodes are away, and what brings them back.
pub fn has_quorum(status: &Status, plan: &ZonePlan) -> Result<(), String> {
    let (living, rest) = living(status, plan);
    // Nodes that are not seen say nothing of a quorum.
    if plan.nodes.is_empty() || 2 * living.nodes.len() > plan.nodes.len() {
        return Ok(());
    }
    let names: Vec<String> =
        rest.iter().map(|(node, state)| format!("{node} is {}", state.as_str())).collect();
    let back = rest.iter().find_map(|(node, state)| Remedy::of_node(node, *state));
    Err(format!(
        "zone {} has no quorum ({}){}",
        plan.name,
        names.join(", "),
        back.map(|remedy| format!("; `{remedy}` brings a node back")).unwrap_or_default()
    ))
}

/// The zone with only the nodes that answer, and the others.
#[must_use]
pub fn living(status: &Status, plan: &ZonePlan) -> (ZonePlan, Vec<(NodeName, NodeState)>) {
    let state = |name: &NodeName| {
        let nodes = status.zone(&plan.name).map(|zone| &zone.nodes)?;
        nodes.iter().find(|node| &node.name == name).map(|node| node.state)
    };
    let (mut living, mut rest) = (plan.clone(), Vec::new());
    living.nodes.retain(|node| match state(&node.name) {
        Some(state) if state != NodeState::Up => {
            rest.push((node.name.clone(), state));
            false
        }
        _ => true,
    });
    (living, rest)
}
