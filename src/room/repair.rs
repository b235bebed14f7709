//! `repair`: streams, mirrors and consumers that somebody changed or removed are made as they were,
//! while the region runs.

use std::time::{Duration, Instant};

use super::{
    configuration::progress,
    drills::Statuses,
    failure::Failure,
    lost_source,
    runtime::ZoneRuntime,
    salvage,
    task::{CommandCtx, Completion, Result},
    work, zone_role,
};
use crate::{
    nats::{
        configuration::Reader,
        repair::{self, Damaged},
    },
    region::{
        Role, ZoneName, ZonePlan,
        configuration::{Configuration, Difference, Seen, Subject, differences},
        renumbering::Renumbering,
        status::{MirrorState, Zone},
        topology::STREAM,
    },
};

/// How long a zone may take to tell what it has: an election can take 9 s.
const ANSWERS: Duration = Duration::from_secs(15);
/// The pause between two questions.
const LOOK: Duration = Duration::from_millis(200);

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Which zone; `None` for all, the source first.
    pub zone: Option<ZoneName>,
    /// Also where messages are removed with it that no other zone is known to hold.
    pub force: bool,
    /// The zones that have no link.
    pub cut: Vec<ZoneName>,
}

/// Repairs a zone, or all of them.
///
/// # Errors
/// When a zone's link is needed and cut, messages would be removed that are nowhere else, its consumer does
/// not come to rest, or a server refuses or does not answer; zones that were repaired before stay repaired.
pub async fn repair(cx: CommandCtx, asked: Asked, statuses: Statuses) -> Result {
    let zones: Vec<ZoneName> = match &asked.zone {
        Some(zone) => vec![zone.clone()],
        None => cx.runtime.plans().into_iter().map(|plan| plan.name).collect(),
    };
    let mut lines = Vec::new();
    for zone in zones {
        let runtime = cx.runtime.zone(&zone)?;
        lines.extend(repair_zone(&cx, &runtime, &asked, &statuses).await?);
    }
    Ok(Completion::done(lines.join("\n")))
}

/// Whether the zone has no stream now: what was seen last may be from before its own repair.
async fn lacks_its_stream(cx: &CommandCtx, plan: &ZonePlan) -> std::result::Result<bool, Failure> {
    let zone = cx.runtime.zone(&plan.name)?;
    Ok(reader(cx, &zone)?.read().await.stream == Seen::Missing)
}

async fn repair_zone(
    cx: &CommandCtx,
    zone: &ZoneRuntime,
    asked: &Asked,
    statuses: &Statuses,
) -> std::result::Result<Vec<String>, Failure> {
    let is_cut = asked.cut.contains(&zone.plan.name);
    let name = &zone.plan.name;
    let busy = || Failure::Refused(format!("zone {name} is being repaired already"));
    let made = zone.configuration.made().ok_or_else(busy)?;
    let seen = looked_at(zone, is_cut).await?;
    let mut found = differences(&made, &seen);
    let source = cx.runtime.source_plan()?;
    let progress = progress(&cx.runtime, name).await?;
    let reader = &reader(cx, zone)?;
    let parted = statuses.borrow().status.zone(name).is_some_and(has_gone_beyond);
    let damaged = Damaged { reader, source: &source, made: &made, progress: &progress, parted };
    found.extend(damaged.taken_elsewhere(&seen).await?);
    let rebuilds = damaged.rebuilds(&found);
    if found.is_empty() && !rebuilds {
        return Ok(vec![format!("zone {name} is as it was made: nothing to repair")]);
    }
    let needs_link = rebuilds || needs_link(zone, &found);
    if is_cut && needs_link {
        let what = found.first().map_or_else(
            || format!("the copy of zone {name} has gone beyond its source"),
            |one| one.describe(name),
        );
        return Err(Failure::Refused(format!(
            "{what}: that needs the link, and zone {name} is cut: `heal {name}` first"
        )));
    }
    if needs_link && lacks_its_stream(cx, &source).await? {
        return Err(Failure::Refused(format!(
            "zone {from}, of which zone {name} holds a copy, has no stream: `repair {from}` comes first",
            from = source.name
        )));
    }
    let plan = &reader.zone;
    if plan.role == Role::Source && seen.stream == Seen::Missing {
        let published = statuses.borrow().status.clone();
        if zone_role::writable(cx, &published, name).is_ok() {
            // What it is made into is no change by another hand.
            zone.configuration.begin_repair();
            lost_source::begin_fenced(cx, plan, zone.client.clone()).await?;
            cx.runtime.servers.note_repaired(name);
            return Ok(vec![format!(
                "zone {name}: {STREAM} was created, empty and fenced, as another zone takes the messages: `switchover {name}` brings them here"
            )]);
        }
        lost_source::only_copy(&published, name).filter(|_| !asked.force).map_or(Ok(()), Err)?;
    }
    if !asked.force && rebuilds && seen.stream.there().is_some() {
        holds_alone(cx, plan, &source).await?;
    }
    cx.progress(format!("zone {name}: {} to mend", found.len().max(1)));
    // A message in hand would be delivered a second time.
    let was_paused = zone.control.borrow().paused;
    zone.control.send_modify(|held| held.paused = true);
    zone.configuration.begin_repair();
    let repaired = at_rest(cx, zone, &made, parted).await;
    if zone.plan.renumbers() {
        // It may have been made anew.
        cx.runtime.renumbering(name).send_replace(Renumbering::default());
    }
    let now = repaired.as_ref().map_or(made, |repaired| repaired.made.clone());
    zone.configuration.is_made(now);
    cx.runtime.servers.note_repaired(name);
    zone.control.send_modify(|held| held.paused = was_paused);
    let repaired = repaired?;
    if let Some(left) = repaired.left.first() {
        return Err(Failure::Broken(format!("{} after the repair, too", left.describe(name))));
    }
    Ok(repaired.steps.iter().map(|step| format!("zone {name}: {}", step.describe(name))).collect())
}

/// A mirror that holds sequences which its source never had.
fn has_gone_beyond(zone: &Zone) -> bool {
    zone.mirror.as_ref().is_some_and(|mirror| mirror.state == MirrorState::Diverged)
}

/// Refuses to make a copy anew that holds what its source does not.
async fn holds_alone(
    cx: &CommandCtx,
    copy: &ZonePlan,
    source: &ZonePlan,
) -> std::result::Result<(), Failure> {
    cx.progress(format!("reads what zone {} holds, and zone {} does not", copy.name, source.name));
    let found = salvage::compared(cx, copy, source, 0).await?;
    let (zone, alone) = (&copy.name, found.lacking.len());
    let what = match (alone, found.without_id) {
        (0, 0) => return Ok(()),
        (0, nameless) => format!(
            "{nameless} messages without an id, and whether zone {} has them cannot be told",
            source.name
        ),
        _ => format!("{alone} messages that zone {} does not hold", source.name),
    };
    Err(Failure::Refused(format!(
        "zone {zone} would be copied anew, and holds {what}: `promote {zone} --force` keeps them in a stream of its own, `repair {zone} --force` removes them"
    )))
}

/// What is there. Servers that have just begun do not tell before they have elected their leaders. What is
/// at the source is not asked for over a cut link.
async fn looked_at(
    zone: &ZoneRuntime,
    is_cut: bool,
) -> std::result::Result<Configuration, Failure> {
    let deadline = Instant::now() + ANSWERS;
    loop {
        let seen = zone.reader.read().await;
        let durable = seen.durable.clone().filter(|_| !is_cut);
        if (Configuration { durable, ..seen.clone() }).is_known() {
            return Ok(seen);
        }
        if Instant::now() >= deadline {
            let name = &zone.plan.name;
            return Err(Failure::Broken(format!(
                "zone {name} does not tell what it has, for {} s: its servers have no leader, or do not run; `status` shows which. Nothing was mended",
                ANSWERS.as_secs()
            )));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What a zone's consumer has passed and the room never received, if the stream still has it.
///
/// # Errors
/// When the zone does not answer.
pub async fn taken_elsewhere(
    cx: &CommandCtx,
    zone: &ZoneRuntime,
) -> std::result::Result<Option<Difference>, Failure> {
    let Some(made) = zone.configuration.made() else { return Ok(None) };
    let progress = progress(&cx.runtime, &zone.plan.name).await?;
    let source = cx.runtime.source_plan()?;
    let reader = &reader(cx, zone)?;
    let parted = false;
    let damaged = Damaged { reader, source: &source, made: &made, progress: &progress, parted };
    Ok(damaged.taken_elsewhere(&reader.read().await).await?)
}

/// A reader by the zone's plan as it is now.
fn reader(cx: &CommandCtx, zone: &ZoneRuntime) -> std::result::Result<Reader, Failure> {
    Ok(Reader { zone: cx.runtime.plan(&zone.plan.name)?, ..zone.reader.clone() })
}

async fn at_rest(
    cx: &CommandCtx,
    zone: &ZoneRuntime,
    made: &Configuration,
    parted: bool,
) -> std::result::Result<repair::Repaired, Failure> {
    work::wait_for_rest(zone).await?;
    let progress = progress(&cx.runtime, &zone.plan.name).await?;
    let source = cx.runtime.source_plan()?;
    let reader = &reader(cx, zone)?;
    let damaged = Damaged { reader, source: &source, made, progress: &progress, parted };
    Ok(repair::repair(&damaged).await?)
}

/// Whether the repair asks something of the source over the link.
fn needs_link(zone: &ZoneRuntime, found: &[Difference]) -> bool {
    zone.plan.role == Role::Mirror
        && found.iter().any(|difference| difference.subject != Subject::Consumer)
}
