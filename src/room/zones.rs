//! `zone add` and `zone remove`: a mirror zone comes, or goes, while everything runs.

use std::time::Instant;

use super::{
    bringup::{connect, open_mirror, start_servers},
    clock::now_ms,
    drills::Statuses,
    failure::Failure,
    runtime::{BUSY_PACE, Runtime},
    task::{CommandCtx, Completion, Result},
};
use crate::{
    ledger::record::Record,
    nats::{
        connect::{Login, zone_client},
        streams,
    },
    platform::PlatformError,
    region::{
        Input, Role, Status, ZoneName, ZonePlan,
        format::seconds,
        status::{Apart, MirrorState, Zone},
        topology::MOST_ZONES,
    },
};

/// The name and ports of a zone to be added.
///
/// # Errors
/// When the name is taken, or there are too many.
pub fn plan(
    runtime: &Runtime,
    asked: Option<ZoneName>,
    port_base: u16,
) -> std::result::Result<ZonePlan, Failure> {
    let plans = runtime.plans();
    if plans.len() >= MOST_ZONES {
        return Err(Failure::Refused(format!(
            "a region has at most {MOST_ZONES} zones: `zone remove ZONE` makes room for another"
        )));
    }
    let taken = |name: &ZoneName| plans.iter().any(|plan| &plan.name == name);
    let name = match asked {
        Some(name) if taken(&name) => {
            return Err(Failure::Refused(format!(
                "there is a zone {name} already: choose another name"
            )));
        }
        Some(name) => name,
        None => ('b'..='z')
            .filter_map(|letter| letter.to_string().parse().ok())
            .find(|name| !taken(name))
            .ok_or_else(|| Failure::Refused("every letter is taken: name the zone".into()))?,
    };
    let slot = (0..=u16::try_from(MOST_ZONES).unwrap_or(u16::MAX))
        .find(|slot| plans.iter().all(|plan| plan.slot != *slot))
        .unwrap_or_default();
    let source = runtime.source_plan()?;
    let first = source.nodes.first();
    Ok(ZonePlan::new(name, Role::Mirror, slot, port_base)
        .holding(runtime.copy())
        .at(first.map(|node| node.published))
        .reached_at(first.and_then(|node| node.reached))
        .with_access(&source.access))
}

/// Adds a mirror zone while everything runs.
///
/// # Errors
/// When a step fails; then nothing of the zone is left.
pub async fn add(cx: CommandCtx, plan: ZonePlan) -> Result {
    let began = Instant::now();
    let runtime = &cx.runtime;
    runtime.platform.check_zone(&plan).await?;
    let source = runtime.source_plan()?;
    runtime.remember(plan.clone())?;
    cx.bus().tell(Input::ZoneAdded(plan.clone()));
    runtime.pace.send_replace(BUSY_PACE);
    let raise = async {
        start_servers(&cx, &plan).await?;
        let client = connect(&plan).await?;
        open_mirror(&cx, &source, &plan, client).await
    };
    let raised = tokio::select! {
        raised = raise => raised,
        () = cx.stop.cancelled() => Err(Failure::Broken("ended before the zone was up".into())),
    };
    match raised {
        Ok(()) => Ok(Completion::done(format!(
            "zone {} is up in {}; its clients connect to {}:{}-{}",
            plan.name,
            seconds(began.elapsed().as_millis() as u64),
            plan.nodes[0].host(),
            plan.nodes[0].client_port,
            plan.nodes[plan.nodes.len() - 1].client_port,
        ))),
        Err(failure) => match take_down(&cx, &plan).await {
            Ok(()) => Err(failure),
            Err(error) => Err(Failure::Broken(format!(
                "{failure}. What was begun of zone {zone} is not all removed ({error}): `zone remove {zone}` removes the rest",
                zone = plan.name
            ))),
        },
    }
}

/// Removes a mirror zone.
///
/// # Errors
/// When it alone holds messages, or something of it cannot be removed.
pub async fn remove(cx: CommandCtx, zone: ZoneName, force: bool, statuses: Statuses) -> Result {
    let plan = cx.runtime.mirror_plan(&zone)?;
    if cx.runtime.produces_in().as_ref() == Some(&zone) {
        let source = cx.runtime.source_plan()?.name;
        return Err(Failure::Refused(format!(
            "the producer publishes into zone {zone}: `produce move {source}` first"
        )));
    }
    let alone = alone_with(&statuses.borrow().status, &zone);
    alone.filter(|_| !force).map_or(Ok(()), |why| Err(Failure::Refused(why)))?;
    cx.bus().tell(Input::ZoneRemoving(zone.clone()));
    take_down(&cx, &plan).await?;
    Ok(Completion::done(format!(
        "zone {zone} is gone: its servers, its data, and its durable at the source"
    )))
}

/// What a zone holds that no other zone is known to hold, and how it is brought to one.
fn alone_with(status: &Status, name: &ZoneName) -> Option<String> {
    let (zone, source) = (status.zone(name)?, status.source()?);
    let removes = format!("`zone remove {name} --force` removes them");
    if let Some(Apart { alone: alone @ 1.., .. }) = zone.ledger.apart {
        let others = status.writable().iter().any(|other| other.name != *name);
        let way = if others {
            format!("`fence {name}` and `salvage {name}` bring them to the one that takes messages")
        } else {
            format!("`switchover {}` brings them there", source.name)
        };
        return Some(format!(
            "zone {name} alone has acknowledged {alone} messages: {way}; {removes}"
        ));
    }
    // Of one that does not answer, what it said last is no promise.
    let holds = |other: &Zone| other.messages().filter(|_| other.has_majority()).unwrap_or(0);
    let held = zone.messages().unwrap_or(0);
    let apart = [MirrorState::Diverged, MirrorState::SourceRecreated];
    let apart = zone.mirror.as_ref().is_some_and(|mirror| apart.contains(&mirror.state));
    let mut others = status.zones.iter().filter(|other| other.name != *name);
    let is_lost = apart || source.lacks_its_stream() || !source.has_majority();
    (is_lost && held > 0 && others.all(|other| holds(other) < held)).then(|| {
        format!(
            "zone {source} lost messages or does not answer, and no other zone holds as many as zone {name} ({held}): `promote {name} --force --follow` makes it take messages, and `switchover {source}` brings them back once zone {source} is fenced; {removes}",
            source = source.name
        )
    })
}

async fn take_down(cx: &CommandCtx, plan: &ZonePlan) -> std::result::Result<(), Failure> {
    let runtime = &cx.runtime;
    runtime.count_cut(&plan.name);
    runtime.retire(&plan.name).await;
    // What is still there in part is not recorded as gone: it can be removed again.
    match runtime.platform.remove_zone(&plan.name, true).await {
        // Its servers were never begun, or ended when they could not start.
        Ok(()) | Err(PlatformError::NoZone(_)) => {}
        Err(error) => return Err(error.into()),
    }
    // The durable goes last: while the mirror lives, it would be missed.
    let dropped = match runtime.source_plan() {
        Ok(source) => match zone_client(&source, Login::App, "zonedrill set-up").await {
            Ok(client) => streams::drop_zone(&client, plan).await,
            Err(error) => Err(error),
        },
        Err(failure) => return Err(failure),
    };
    let record = Record::ZoneRemoved { z: plan.name.clone(), at: now_ms() };
    let noted = runtime.evidence.write(vec![record]).await;
    runtime.forget(&plan.name)?;
    runtime.servers.note_repaired(&plan.name);
    cx.bus().tell(Input::ZoneRemoved(plan.name.clone()));
    dropped?;
    noted.map_err(|error| Failure::Broken(error.to_string()))
}
