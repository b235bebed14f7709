//! `zone add` and `zone remove`: a mirror zone comes, or goes, while everything runs.

use std::time::Instant;

use super::{
    bringup::{connect, open_mirror, start_servers},
    clock::now_ms,
    engine::{BUSY_PACE, Engine, Failure},
    task::{Cx, Result, Said},
};
use crate::{
    ledger::record::Record,
    nats::{
        connect::{Login, zone_client},
        streams,
    },
    region::{Role, ZoneName, ZonePlan, event::seconds, topology::MOST_ZONES},
};

/// The name and ports of a zone to be added.
///
/// # Errors
/// When the name is taken, or there are too many.
pub fn plan(
    engine: &Engine,
    asked: Option<ZoneName>,
    port_base: u16,
) -> std::result::Result<ZonePlan, Failure> {
    let plans = engine.plans();
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
    Ok(ZonePlan::new(name, Role::Mirror, slot, port_base))
}

/// Adds a mirror zone while everything runs.
///
/// # Errors
/// When a step fails; then nothing of the zone is left.
pub async fn add(cx: Cx, plan: ZonePlan) -> Result {
    let began = Instant::now();
    let engine = &cx.engine;
    engine.platform.check_zone(&plan).await?;
    let source = engine.source_plan()?;
    engine.remember(plan.clone())?;
    let shown = plan.clone();
    cx.bus().change(move |state, now| state.zone_added(now, &shown));
    engine.pace.send_replace(BUSY_PACE);
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
        Ok(()) => Ok(Said::done(format!(
            "zone {} is up in {}; its clients connect to localhost:{}-{}",
            plan.name,
            seconds(began.elapsed().as_millis() as u64),
            plan.nodes[0].client_port,
            plan.nodes[plan.nodes.len() - 1].client_port,
        ))),
        Err(failure) => {
            if let Err(error) = take_down(&cx, &plan).await {
                tracing::warn!("after a failed `zone add {}`: {error}", plan.name);
            }
            Err(failure)
        }
    }
}

/// Removes a mirror zone.
///
/// # Errors
/// When something of it cannot be removed.
pub async fn remove(cx: Cx, zone: ZoneName) -> Result {
    let plan = cx.engine.mirror_plan(&zone)?;
    let name = zone.clone();
    cx.bus().change(move |state, _| state.zone_removing(&name));
    take_down(&cx, &plan).await?;
    Ok(Said::done(format!(
        "zone {zone} is gone: its servers, its data, and its durable at the source"
    )))
}

async fn take_down(cx: &Cx, plan: &ZonePlan) -> std::result::Result<(), Failure> {
    let engine = &cx.engine;
    engine.count_cut(&plan.name);
    engine.retire(&plan.name).await;
    let removed = engine.platform.remove_zone(&plan.name, true).await;
    // The durable goes last: while the mirror lives, it would be missed.
    let dropped = match engine.source_plan() {
        Ok(source) => match zone_client(&source, Login::App, "zonedrill set-up").await {
            Ok(client) => streams::drop_zone(&client, plan).await,
            Err(error) => Err(error),
        },
        Err(failure) => return Err(failure),
    };
    let record = Record::ZoneRemoved { z: plan.name.clone(), at: now_ms() };
    let noted = engine.evidence.write(vec![record]).await;
    engine.forget(&plan.name)?;
    let name = plan.name.clone();
    cx.bus().change(move |state, now| state.zone_removed(now, &name));
    removed?;
    dropped?;
    noted.map_err(|error| Failure::Broken(error.to_string()))
}
