//! What a drill needs before it can begin: a source and a mirror zone that serve, are linked, have
//! everything and consume, nobody who produces, and every node whose replica it will read.

use std::time::Duration;

use super::DrillCtx;
use crate::{
    drill::script::Script,
    region::{
        Role, Status, ZoneName,
        remedy::Remedy,
        status::{LinkState, NodeState, Zone, ZoneState},
    },
    room::configuration::why_nothing_comes,
};

/// How long a drill waits for what passes by itself.
const READY_WITHIN: Duration = Duration::from_secs(15);
/// How long for what does not: somebody may just have put it right, and the picture be a moment old.
const PICTURE_WITHIN: Duration = Duration::from_secs(1);

/// Why a drill cannot begin.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Obstacle {
    /// It may pass by itself.
    Passing(String),
    /// It stays until somebody does something, which is named.
    Standing(String),
}

/// Waits until there is a source and a mirror zone (the one that is meant, if one is) that are as a
/// drill needs them.
///
/// # Errors
/// What is in the way, and what removes it.
pub async fn ready(
    ctx: &DrillCtx,
    script: &Script,
    only: Option<&ZoneName>,
) -> Result<(ZoneName, ZoneName), String> {
    let mut statuses = ctx.statuses.clone();
    let began = tokio::time::Instant::now();
    loop {
        let found = candidates(&statuses.borrow_and_update().status, only, reads_all(script));
        let (obstacle, patience) = match found {
            Ok((source, mirror)) => match unable(ctx, [&source, &mirror]) {
                None => return Ok((source, mirror)),
                Some(why) => (why, PICTURE_WITHIN),
            },
            Err(Obstacle::Passing(why)) => (why, READY_WITHIN),
            Err(Obstacle::Standing(why)) => (why, PICTURE_WITHIN),
        };
        tokio::select! {
            () = ctx.cx.stop.cancelled() => return Err(ctx.why_ended()),
            () = tokio::time::sleep_until(began + patience) => return Err(obstacle),
            changed = statuses.changed() => if changed.is_err() { return Err(obstacle) },
        }
    }
}

/// Why messages do not come to one of these zones, whatever the drill does.
fn unable(ctx: &DrillCtx, zones: [&ZoneName; 2]) -> Option<String> {
    let why = |zone: &ZoneName| why_nothing_comes(&*ctx.cx.runtime.zone(zone).ok()?, false);
    zones.into_iter().find_map(why)
}

/// Will the drill be void if a node is not there: does it judge by every replica, without bringing
/// nodes back itself?
fn reads_all(script: &Script) -> bool {
    let revives = |line: &str| line.starts_with("node start") || line.starts_with("node thaw");
    script.checks().iter().any(|check| check.by_replicas) && !script.lines().any(revives)
}

/// The source and the first mirror zone, or the one that is meant, that serves, is linked, has
/// everything, and consumes.
fn candidates(
    status: &Status,
    only: Option<&ZoneName>,
    every_node: bool,
) -> Result<(ZoneName, ZoneName), Obstacle> {
    use Obstacle::{Passing, Standing};
    let source = status.source().ok_or_else(|| Standing("the region has no source zone".into()))?;
    serves(source, every_node)?;
    consumes(source)?;
    if status.producer.active {
        return Err(Passing("messages are being produced: `produce stop` ends that".into()));
    }
    let mut first = None;
    let meant = |zone: &&Zone| only.is_none_or(|only| *only == zone.name);
    for zone in status.zones.iter().filter(|zone| zone.role == Role::Mirror).filter(meant) {
        let looked =
            serves(zone, every_node).and_then(|()| follows(zone)).and_then(|()| consumes(zone));
        match looked {
            Ok(()) => return Ok((source.name.clone(), zone.name.clone())),
            Err(obstacle) => {
                first.get_or_insert(obstacle);
            }
        }
    }
    let none = || match only {
        Some(zone) => Standing(format!("there is no mirror zone {zone}: `status` lists the zones")),
        None => Standing("a drill needs a mirror zone: `zone add` adds one".into()),
    };
    Err(first.unwrap_or_else(none))
}

fn serves(zone: &Zone, every_node: bool) -> Result<(), Obstacle> {
    let needed = if every_node { &zone.nodes[..] } else { &[] };
    for node in needed {
        let name = &node.name;
        let cure = match (Remedy::of_node(name, node.state), node.state) {
            (Some(remedy), _) => format!("`{remedy}`"),
            (None, NodeState::JsOff | NodeState::Leaving) => {
                format!("`node stop {name}` and `node start {name}`")
            }
            (None, _) => continue,
        };
        return Err(Obstacle::Standing(format!(
            "node {name} is {}, and the drill's verdict needs every replica: {cure} brings it back",
            node.state.as_str()
        )));
    }
    match zone.state {
        ZoneState::Ready => Ok(()),
        _ => Err(Obstacle::Passing(format!("zone {} is not serving", zone.name))),
    }
}

/// A mirror zone is linked, and has everything.
fn follows(zone: &Zone) -> Result<(), Obstacle> {
    use Obstacle::{Passing, Standing};
    let name = &zone.name;
    match &zone.link {
        Some(link) if link.state == LinkState::Up => {}
        Some(link) if link.state == LinkState::Cut => {
            let why = format!("zone {name} is cut: `heal {name}` restores its link");
            return Err(if link.heals_at_ms.is_some() { Passing(why) } else { Standing(why) });
        }
        _ => return Err(Passing(format!("the link of zone {name} is down"))),
    }
    match zone.mirror.as_ref().and_then(|mirror| mirror.true_lag) {
        Some(0) => Ok(()),
        Some(lag) => Err(Passing(format!("zone {name} is {lag} messages behind the source"))),
        None => Err(Passing(format!("it is not known how far zone {name} is behind the source"))),
    }
}

fn consumes(zone: &Zone) -> Result<(), Obstacle> {
    let name = &zone.name;
    if zone.paused() {
        return Err(Obstacle::Standing(format!(
            "the consumer of zone {name} is paused: `{}` goes on",
            Remedy::ResumeConsumer(name.clone())
        )));
    }
    if zone.consumer.as_ref().is_some_and(|consumer| consumer.limit.is_some()) {
        return Err(Obstacle::Standing(format!(
            "the consumer of zone {name} is held to a rate: `{}` lifts it",
            Remedy::FreeConsumer(name.clone())
        )));
    }
    Ok(())
}
