//! `failback`: a fenced zone becomes a copy again of the zone that takes messages.

use std::time::{Duration, Instant};

use super::{
    bringup::open_mirror,
    drain::has_quorum,
    drills::Statuses,
    failure::Failure,
    salvage,
    task::{CommandCtx, Completion, Result},
    zone_role,
};
use crate::{
    nats::{audit, streams},
    region::{Role, Status, ZoneName, ZonePlan, format::seconds, status::Zone},
};

/// How long the new copy may take until it holds what the source held.
const EQUAL_WITHIN: Duration = Duration::from_secs(60);
/// The pause between two looks at it.
const LOOK: Duration = Duration::from_millis(25);

/// Deletes a fenced zone's stream and copies that of the source anew. Its consumer begins anew, too.
///
/// # Errors
/// When the zone is not fenced or not linked, when it holds what the source lacks, or when a server
/// refuses or does not answer.
pub async fn failback(cx: CommandCtx, zone: ZoneName, force: bool, statuses: Statuses) -> Result {
    let plan = cx.runtime.plan(&zone)?;
    let source = {
        let status = &statuses.borrow().status;
        let source = may_be(&cx, status, &plan).map_err(Failure::Refused)?;
        has_quorum(status, &plan).map_err(Failure::Refused)?;
        source
    };
    let found = salvage::lacking(&cx, &plan, &source).await?;
    if let lacking @ 1.. = found.lacking.len() {
        return Err(Failure::Refused(format!(
            "zone {zone} holds {lacking} messages that zone {} lacks: `salvage {zone}` comes first, or they are gone with its stream",
            source.name
        )));
    }
    if found.without_id > 0 && !force {
        return Err(Failure::Refused(format!(
            "zone {zone} holds {} messages without an id, and whether zone {} has them cannot be told: `failback {zone} --force` removes them",
            found.without_id, source.name
        )));
    }
    let began = Instant::now();
    let client = cx.runtime.zone(&zone)?.client.clone();
    let there = cx.runtime.zone(&source.name)?.client.clone();
    // Its consumer goes with its stream: what it received counts no longer.
    zone_role::forget(&cx, &zone).await?;
    streams::delete_stream(&client, &plan.domain()).await?;
    let copy = ZonePlan { role: Role::Mirror, ..plan };
    zone_role::announce(&cx, &copy)?;
    open_mirror(&cx, &source, &copy, client.clone()).await?;
    let last = until_equal(&there, &source, &client, &copy, EQUAL_WITHIN).await?;
    Ok(Completion::done(format!(
        "zone {zone} is a copy of zone {} again, equal up to sequence {last} after {}; its consumer began anew",
        source.name,
        seconds(began.elapsed().as_millis() as u64)
    )))
}

/// Why a zone may not become a copy now, and what to do; the zone to copy.
fn may_be(
    cx: &CommandCtx,
    status: &Status,
    plan: &ZonePlan,
) -> std::result::Result<ZonePlan, String> {
    let zone = &plan.name;
    if plan.role != Role::Fenced {
        return Err(format!(
            "zone {zone} is not fenced (it is {}): `fence {zone}` comes first",
            plan.role
        ));
    }
    let source = zone_role::writable(cx, status, zone).map_err(|others| {
        let names = others.iter().map(|other| other.name.as_str()).collect::<Vec<_>>();
        match names[..] {
            [] => "no zone takes messages: there is nothing to copy".to_owned(),
            _ => format!("zones {} take messages: fence all but one", names.join(" and ")),
        }
    })?;
    if plan.is_hub() {
        return Err(format!(
            "all links lead to zone {zone}, so that it cannot be a copy of zone {other}: `switchover {zone}` makes it the source again, and `failback {other}` makes zone {other} the copy",
            other = source.name
        ));
    }
    if !source.is_hub() {
        return Err(format!(
            "zone {zone} has a link to the first zone alone, and that takes no messages: `switchover ZONE` leads back to it"
        ));
    }
    if !status.zone(zone).is_some_and(Zone::is_linked) {
        return Err(format!(
            "zone {zone} has no link to zone {}: `heal {zone}` first",
            source.name
        ));
    }
    Ok(source)
}

/// Waits until a copy holds what its source held when this was asked; up to which sequence that is.
///
/// # Errors
/// When it does not within that time, or one of both does not answer.
pub async fn until_equal(
    there: &async_nats::Client,
    source: &ZonePlan,
    here: &async_nats::Client,
    copy: &ZonePlan,
    within: Duration,
) -> std::result::Result<u64, Failure> {
    let broken = |error: audit::AuditError| Failure::Broken(error.to_string());
    let began = Instant::now();
    let numbers = audit::Numbers::of;
    let last = audit::describe(there, numbers(source)).await.map_err(broken)?.last_seq;
    loop {
        let has = audit::describe(here, numbers(copy)).await.map_err(broken)?.last_seq;
        if has >= last {
            return Ok(last);
        }
        if began.elapsed() >= within {
            return Err(Failure::Broken(format!(
                "zone {} came to sequence {has} of {last} within {} s; `status` tells more",
                copy.name,
                within.as_secs()
            )));
        }
        tokio::time::sleep(LOOK).await;
    }
}
