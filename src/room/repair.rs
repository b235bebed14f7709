//! `repair`: streams, mirrors and consumers that somebody changed or removed are made as they were,
//! while the region runs.

use std::time::{Duration, Instant};

use super::{
    configuration::progress,
    failure::Failure,
    runtime::ZoneRuntime,
    task::{CommandCtx, Completion, Result},
    work,
};
use crate::{
    nats::{
        configuration::Reader,
        repair::{self, Damaged},
    },
    region::{
        Role, ZoneName,
        configuration::{Configuration, Difference, Subject, differences},
        renumbering::Renumbering,
    },
};

/// How long a zone may take to tell what it has: an election can take 9 s.
const ANSWERS: Duration = Duration::from_secs(15);
/// The pause between two questions.
const LOOK: Duration = Duration::from_millis(200);

/// Repairs a zone, or all of them, the source first. `cut` names the zones that have no link.
///
/// # Errors
/// When a zone's link is needed and cut, its consumer does not come to rest, or a server refuses or
/// does not answer; zones that were repaired before stay repaired.
pub async fn repair(cx: CommandCtx, zone: Option<ZoneName>, cut: Vec<ZoneName>) -> Result {
    let zones: Vec<ZoneName> = match zone {
        Some(zone) => vec![zone],
        None => cx.runtime.plans().into_iter().map(|plan| plan.name).collect(),
    };
    let mut lines = Vec::new();
    for zone in zones {
        let runtime = cx.runtime.zone(&zone)?;
        let is_cut = cut.contains(&zone);
        lines.extend(repair_zone(&cx, &runtime, is_cut).await?);
    }
    Ok(Completion::done(lines.join("\n")))
}

async fn repair_zone(
    cx: &CommandCtx,
    zone: &ZoneRuntime,
    is_cut: bool,
) -> std::result::Result<Vec<String>, Failure> {
    let name = &zone.plan.name;
    let busy = || Failure::Refused(format!("zone {name} is being repaired already"));
    let made = zone.configuration.made().ok_or_else(busy)?;
    let seen = looked_at(zone, is_cut).await?;
    let mut found = differences(&made, &seen);
    let source = cx.runtime.source_plan()?;
    let progress = progress(&cx.runtime, name).await?;
    let reader = &reader(cx, zone)?;
    let damaged = Damaged { reader, source: &source, made: &made, progress: &progress };
    found.extend(damaged.taken_elsewhere(&seen).await?);
    if found.is_empty() {
        return Ok(vec![format!("zone {name} is as it was made: nothing to repair")]);
    }
    if is_cut && needs_link(zone, &found) {
        return Err(Failure::Refused(format!(
            "{}: that needs the link, and zone {name} is cut: `heal {name}` first",
            found[0].describe(name)
        )));
    }
    cx.progress(format!("zone {name}: {} to mend", found.len()));
    // A message in hand would be delivered a second time.
    let was_paused = zone.control.borrow().paused;
    zone.control.send_modify(|held| held.paused = true);
    zone.configuration.begin_repair();
    let repaired = at_rest(cx, zone, &made).await;
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
    let damaged = Damaged { reader, source: &source, made: &made, progress: &progress };
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
) -> std::result::Result<repair::Repaired, Failure> {
    work::wait_for_rest(zone).await?;
    let progress = progress(&cx.runtime, &zone.plan.name).await?;
    let source = cx.runtime.source_plan()?;
    let reader = &reader(cx, zone)?;
    let damaged = Damaged { reader, source: &source, made, progress: &progress };
    Ok(repair::repair(&damaged).await?)
}

/// Whether the repair asks something of the source over the link.
fn needs_link(zone: &ZoneRuntime, found: &[Difference]) -> bool {
    zone.plan.role == Role::Mirror
        && found.iter().any(|difference| difference.subject != Subject::Consumer)
}
