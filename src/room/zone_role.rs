//! A zone takes part otherwise: its stream is changed, and its consumer and watches begin anew.

use super::{
    bringup::{open_promoted, watch_zone},
    clock::now_ms,
    drain::has_quorum,
    failure::Failure,
    task::CommandCtx,
};
use crate::{
    ledger::record::Record,
    nats::{configuration::wanted, streams},
    region::{Input, Role, Status, ZoneName, ZonePlan, configuration::Configuration},
};

/// The one zone that takes messages, apart from `zone`, and has a majority to do it with.
///
/// # Errors
/// Those there are, if there is none or more than one.
pub fn writable(
    cx: &CommandCtx,
    status: &Status,
    zone: &ZoneName,
) -> Result<ZonePlan, Vec<ZonePlan>> {
    let mut others = cx.runtime.plans();
    others.retain(|plan| plan.name != *zone && plan.role.takes_messages());
    others.retain(|plan| has_quorum(status, plan).is_ok());
    match others.len() {
        1 => Ok(others.remove(0)),
        _ => Err(others),
    }
}

/// Gives a zone's stream the settings of a role in which it copies nothing. Returns the configuration as it
/// was made before; no difference is reported until the new one is noted.
///
/// # Errors
/// When the zone refuses or does not answer, or is being repaired.
pub async fn change_stream(cx: &CommandCtx, plan: &ZonePlan) -> Result<Configuration, Failure> {
    let zone = &plan.name;
    let open = cx.runtime.zone(zone)?;
    let busy = || Failure::Refused(format!("zone {zone} is being repaired: wait for that"));
    let made = open.configuration.made().ok_or_else(busy)?;
    // What it is made into is no change by another hand.
    open.configuration.begin_repair();
    let updated = streams::update(&open.client, plan, &wanted::own_stream(plan)).await;
    if let Err(error) = updated {
        open.configuration.is_made(made);
        return Err(error.into());
    }
    Ok(made)
}

/// Ends what belongs to a zone whose stream is about to be another one: what its consumer received counts no
/// longer.
///
/// # Errors
/// When it cannot be written down.
pub async fn forget(cx: &CommandCtx, zone: &ZoneName) -> Result<(), Failure> {
    cx.runtime.retire(zone).await;
    let record = Record::ZoneRemoved { z: zone.clone(), at: now_ms() };
    let written = cx.runtime.evidence.write(vec![record]).await;
    written.map_err(|lost| Failure::Broken(lost.to_string()))?;
    cx.bus().tell(Input::BegunAnew(zone.clone()));
    Ok(())
}

/// Notes a zone's role, and watches it anew.
///
/// # Errors
/// When it cannot be written down.
pub fn announce(cx: &CommandCtx, plan: &ZonePlan) -> Result<(), Failure> {
    let (zone, role) = (plan.name.clone(), plan.role);
    cx.runtime.take_role(&zone, role)?;
    cx.bus().tell(Input::RoleTaken { zone, role });
    watch_zone(cx, plan);
    Ok(())
}

/// Notes a zone's role, whose stream was changed before; its consumer and watches begin anew.
///
/// # Errors
/// When it cannot be written down, or the zone does not answer.
pub async fn take(cx: &CommandCtx, plan: &ZonePlan) -> Result<(), Failure> {
    let (zone, role) = (plan.name.clone(), plan.role);
    cx.runtime.take_role(&zone, role)?;
    cx.bus().tell(Input::RoleTaken { zone, role });
    let source = cx.runtime.source_plan()?;
    let before = cx.runtime.zone(&plan.name)?;
    let (held, client) = (*before.control.borrow(), before.client.clone());
    cx.runtime.retire(&plan.name).await;
    let told = before.report.borrow().clone();
    drop(before);
    watch_zone(cx, plan);
    open_promoted(cx, &source, plan, client, Some(told)).await?;
    cx.runtime.zone(&plan.name)?.control.send_replace(held);
    Ok(())
}

/// The role of a zone that takes messages.
#[must_use]
pub fn that_takes_messages(plan: &ZonePlan) -> Role {
    if plan.is_hub() { Role::Source } else { Role::Promoted }
}
