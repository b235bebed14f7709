//! `fence`: a zone's stream takes no messages any more, so that only one zone of a region does.

use std::time::Instant;

use super::{
    drain::has_quorum,
    drills::Statuses,
    failure::Failure,
    task::{CommandCtx, Completion, Result},
    zone_role,
};
use crate::{
    nats::promote::refuses,
    region::{Role, Status, ZoneName, ZonePlan, format::seconds, topology::FENCED_SUBJECTS},
};

/// Moves a zone's stream to subjects on which nobody publishes, and proves it by a message that it
/// does not take.
///
/// # Errors
/// When the zone takes no messages, or is the only one that does; when a server refuses or does not
/// answer; when a message is still taken.
pub async fn fence(cx: CommandCtx, zone: ZoneName, force: bool, statuses: Statuses) -> Result {
    let plan = cx.runtime.plan(&zone)?;
    {
        let status = &statuses.borrow().status;
        let producer = cx.runtime.producer()?.zone();
        may_be(&cx, status, &plan, producer.as_ref(), force).map_err(Failure::Refused)?;
        has_quorum(status, &plan).map_err(Failure::Refused)?;
    }
    let began = Instant::now();
    let fenced = ZonePlan { role: Role::Fenced, ..plan };
    zone_role::change_stream(&cx, &fenced).await?;
    // From here on it is fenced, whether or not that can be proved.
    zone_role::take(&cx, &fenced).await?;
    let client = cx.runtime.zone(&zone)?.client.clone();
    refuses(&client, &fenced).await?;
    let took = seconds(began.elapsed().as_millis() as u64);
    Ok(Completion::done(format!(
        "zone {zone} is fenced after {took}: its stream listens on {FENCED_SUBJECTS} alone, and a message to it was tried and not taken; `salvage {zone}` brings what it holds alone to the zone that takes messages"
    )))
}

/// Why a zone may not be fenced now, and what to do.
fn may_be(
    cx: &CommandCtx,
    status: &Status,
    plan: &ZonePlan,
    producer: Option<&ZoneName>,
    force: bool,
) -> std::result::Result<(), String> {
    let zone = &plan.name;
    match plan.role {
        Role::Mirror => {
            return Err(format!(
                "zone {zone} is a copy and takes no messages: there is nothing to fence"
            ));
        }
        Role::Fenced => {
            return Err(format!(
                "zone {zone} is fenced already; `salvage {zone}` brings what it holds alone to the zone that takes messages"
            ));
        }
        Role::Source | Role::Promoted if force => return Ok(()),
        Role::Source | Role::Promoted => {}
    }
    let others = zone_role::writable(cx, status, zone);
    let other = others.map_or_else(|others| others.into_iter().next(), Some);
    let Some(ZonePlan { name: other, .. }) = other else {
        return Err(format!(
            "zone {zone} is the only one that takes messages: `promote ZONE` comes first; `fence {zone} --force` does it all the same"
        ));
    };
    if producer == Some(zone) {
        return Err(format!(
            "the producer publishes into zone {zone}: `produce move {other}` comes first; `fence {zone} --force` does it all the same"
        ));
    }
    Ok(())
}
