//! What a drill needs before it can begin: a source and a mirror zone that serve, are linked, have
//! everything and consume, nobody who produces, and every node whose replica it will read.

use std::time::Duration;

use Obstacle::{Passing, Standing};

use super::DrillCtx;
use crate::{
    command::{Command, NodeAct},
    drill::script::Script,
    platform::{check_condition, choose_cut, version_at_least},
    region::{
        Role, Status, ZoneName,
        condition::LinkCondition,
        remedy::Remedy,
        status::{LinkState, NodeState, Zone, ZoneState},
    },
    room::{
        clock::now_ms, configuration::why_nothing_comes, impair::known_presets,
        promote::PROMOTES_FROM, runtime::Runtime,
    },
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
    may_promote(&ctx.statuses.borrow().status, script)?;
    can_be_done(&ctx.cx.runtime, script)?;
    let mut statuses = ctx.statuses.clone();
    let began = tokio::time::Instant::now();
    let (mut newest, mut reports) = (now_ms(), 0_u32);
    loop {
        let found = {
            let seen = statuses.borrow_and_update();
            let stream = seen.status.source().and_then(|source| source.stream.as_ref());
            if let Some(told) = stream.map(|stream| stream.told_at_ms).filter(|at| *at > newest) {
                (newest, reports) = (told, reports + 1);
            }
            let look = Look { status: &seen.status, runtime: &ctx.cx.runtime, reports };
            look.candidates(only, reads_all(script))
        };
        let (obstacle, patience) = match found {
            Ok(zones) => return Ok(zones),
            Err(Passing(why)) => (why, READY_WITHIN),
            Err(Standing(why)) => (why, PICTURE_WITHIN),
        };
        tokio::select! {
            () = ctx.cx.stop.cancelled() => return Err(ctx.why_ended()),
            () = tokio::time::sleep_until(began + patience) => return Err(obstacle),
            changed = statuses.changed() => if changed.is_err() { return Err(obstacle) },
        }
    }
}

/// A region in which a zone was promoted has no source and copies to drill any more; and not every
/// server can promote one.
fn may_promote(status: &Status, script: &Script) -> Result<(), String> {
    if let Some(zone) = status.zones.iter().find(|zone| zone.role == Role::Fenced) {
        return Err(format!(
            "zone {} is fenced, and a drill begins with one source and its copies: `down --purge` and `up` begin anew",
            zone.name
        ));
    }
    if let Some(zone) = status.zones.iter().find(|zone| zone.role == Role::Promoted) {
        return Err(format!(
            "zone {name} is promoted: `zone remove {name}` and `zone add {name}` make it a copy again once the source is back, `down --purge` and `up` begin anew",
            name = zone.name
        ));
    }
    let version = status.server_version.as_deref().unwrap_or_default();
    let promotes = script.commands().any(|command| matches!(command, Command::Promote { .. }));
    if promotes && !version_at_least(version, PROMOTES_FROM) {
        return Err(format!(
            "nats-server {version} cannot make a copy a stream of its own, 2.12 and later can: `down --purge`, then `zonedrill up --nats-version 2.15.1`"
        ));
    }
    Ok(())
}

/// The platform can do to links what the script asks of it.
///
/// # Errors
/// What it cannot, why, and where that can be done.
pub fn can_be_done(runtime: &Runtime, script: &Script) -> Result<(), String> {
    let platform = &*runtime.platform;
    script.commands().try_for_each(|command| match command {
        Command::Impair { what, .. } => {
            let known = known_presets()?;
            let condition = what.condition(LinkCondition::default(), &known)?;
            check_condition(platform, &condition).map_err(|why| why.to_string())
        }
        Command::Cut { kind, .. } => {
            choose_cut(platform, kind).map(drop).map_err(|why| why.to_string())
        }
        _ => Ok(()),
    })
}

/// Will the drill be void if a node is not there: does it judge by every replica, without bringing
/// nodes back itself?
fn reads_all(script: &Script) -> bool {
    let revives = |command: Command| {
        matches!(command, Command::Node { act: NodeAct::Start | NodeAct::Thaw, .. })
    };
    script.checks().iter().any(|check| check.by_replicas) && !script.commands().any(revives)
}

/// What was observed last, and what is told to the consumers and producers now: an observation is
/// older than the command that was just answered.
struct Look<'a> {
    status: &'a Status,
    runtime: &'a Runtime,
    /// How often the source has reported since the drill was asked for.
    reports: u32,
}

impl Look<'_> {
    /// The source and the first mirror zone, or the one that is meant, that serves, is linked, has
    /// everything, and consumes.
    fn candidates(
        &self,
        only: Option<&ZoneName>,
        every_node: bool,
    ) -> Result<(ZoneName, ZoneName), Obstacle> {
        let source =
            self.status.source().ok_or_else(|| Standing("the region has no source zone".into()))?;
        serves(source, every_node)?;
        keeps_all(source)?;
        self.consumes(source)?;
        self.nobody_produces()?;
        self.figures_are_new(source)?;
        let mut first = None;
        let meant = |zone: &&Zone| only.is_none_or(|only| *only == zone.name);
        let mirrors = self.status.zones.iter().filter(|zone| zone.role == Role::Mirror);
        for zone in mirrors.filter(meant) {
            let looked = serves(zone, every_node)
                .and_then(|()| follows(zone, source, self.runtime))
                .and_then(|()| self.consumes(zone));
            match looked {
                Ok(()) => return Ok((source.name.clone(), zone.name.clone())),
                Err(obstacle) => {
                    first.get_or_insert(obstacle);
                }
            }
        }
        let none = || match only {
            Some(zone) => {
                Standing(format!("there is no mirror zone {zone}: `status` lists the zones"))
            }
            None => Standing("a drill needs a mirror zone: `zone add` adds one".into()),
        };
        Err(first.unwrap_or_else(none))
    }

    fn nobody_produces(&self) -> Result<(), Obstacle> {
        let why = || {
            format!("messages are being produced: {}", self.runtime.told(&Remedy::StopProducing))
        };
        let jobs = self.runtime.jobs.borrow();
        if jobs.values().any(|job| job.endless) {
            return Err(Standing(why()));
        }
        if self.status.producer.active || !jobs.is_empty() {
            return Err(Passing(why()));
        }
        Ok(())
    }

    /// What was acknowledged before the drill must not count as the drill's: its first message
    /// comes after all that the source is known to have.
    fn figures_are_new(&self, source: &Zone) -> Result<(), Obstacle> {
        let acked = self.runtime.producer().ok().and_then(|producer| producer.last_seq());
        let stream = source.stream.as_ref();
        // A stream that was made anew has fewer than were acknowledged. The first report may have been
        // under way already: the second was asked for since.
        if stream.is_some_and(|s| Some(s.last_seq) >= acked || self.reports > 1) {
            return Ok(());
        }
        Err(Passing(format!(
            "zone {} has not reported the messages that were acknowledged last",
            source.name
        )))
    }

    fn consumes(&self, zone: &Zone) -> Result<(), Obstacle> {
        let name = &zone.name;
        let at_work = self.runtime.zone(name).ok();
        let held = at_work.as_ref().map(|zone| *zone.control.borrow()).unwrap_or_default();
        if zone.paused() || held.paused {
            return Err(Standing(format!(
                "the consumer of zone {name} is paused: {}",
                self.runtime.told(&Remedy::ResumeConsumer(name.clone()))
            )));
        }
        let limit = zone.consumer.as_ref().and_then(|consumer| consumer.limit);
        if limit.or(held.limit).is_some() {
            return Err(Standing(format!(
                "the consumer of zone {name} is held to a rate: {}",
                self.runtime.told(&Remedy::FreeConsumer(name.clone()))
            )));
        }
        match at_work.and_then(|zone| why_nothing_comes(&zone, false)) {
            Some(why) => Err(Standing(why)),
            None => Ok(()),
        }
    }
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
        return Err(Standing(format!(
            "node {name} is {}, and the drill's verdict needs every replica: {cure} brings it back",
            node.state.as_str()
        )));
    }
    match zone.state {
        ZoneState::Ready => Ok(()),
        _ => Err(Passing(format!("zone {} is not serving", zone.name))),
    }
}

/// A drill cannot look for its messages in a source that deletes them.
fn keeps_all(source: &Zone) -> Result<(), Obstacle> {
    let deletes = source.keeping.told();
    deletes.map_or(Ok(()), |told| Err(Standing(format!("zone {} {told}", source.name))))
}

/// A mirror zone is linked, and has everything.
fn follows(zone: &Zone, source: &Zone, runtime: &Runtime) -> Result<(), Obstacle> {
    let name = &zone.name;
    match &zone.link {
        Some(link) if link.state == LinkState::Up => {}
        Some(link) if link.state == LinkState::Cut => {
            let why = format!("zone {name} is cut: {}", runtime.told(&Remedy::Heal(name.clone())));
            return Err(if link.heals_at_ms.is_some() { Passing(why) } else { Standing(why) });
        }
        Some(link) if link.condition.is_some() => {
            let why = format!(
                "the link of zone {name} is impaired: {}",
                runtime.told(&Remedy::Heal(name.clone()))
            );
            return Err(if link.heals_at_ms.is_some() { Passing(why) } else { Standing(why) });
        }
        Some(link) if link.state == LinkState::Stuck => {
            return Err(Passing(format!("nothing moves over the link of zone {name}")));
        }
        _ => return Err(Passing(format!("the link of zone {name} is down"))),
    }
    match zone.mirror.as_ref().and_then(|mirror| mirror.true_lag) {
        Some(0) if zone.last_seq() >= source.last_seq() => Ok(()),
        Some(0) => Err(Passing(format!("zone {name} has not reported what the source has"))),
        Some(lag) => Err(Passing(format!("zone {name} is {lag} messages behind the source"))),
        None => Err(Passing(format!("it is not known how far zone {name} is behind the source"))),
    }
}
