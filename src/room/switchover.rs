//! `switchover`: another zone takes the messages, as planned: nothing is lost, nobody takes messages
//! for a moment.

use std::time::{Duration, Instant};

use super::{
    clock::now_ms,
    drain::has_quorum,
    drills::Statuses,
    failback::until_equal,
    failure::Failure,
    fence, produce, promote, salvage,
    task::{CommandCtx, Completion, Result},
    zone_role,
};
use crate::region::{Role, Status, ZoneName, ZonePlan, format::seconds, status::Zone};

/// How long a copy may take to hold what the fenced zone holds.
const EQUAL_WITHIN: Duration = Duration::from_secs(30);

/// Fences the zone that takes messages, brings the other what it lacks, makes that take them, and
/// moves the producer. A copy gets the rest over its link, a fenced zone by a salvage.
///
/// # Errors
/// When that is not possible; nothing was changed then. When a server refuses or does not answer: the
/// words say what was done by then.
pub async fn switchover(cx: CommandCtx, zone: ZoneName, statuses: Statuses) -> Result {
    let plan = cx.runtime.plan(&zone)?;
    let from = {
        let status = &statuses.borrow().status;
        let from = may_be(&cx, status, &plan).map_err(Failure::Refused)?;
        has_quorum(status, &plan).map_err(Failure::Refused)?;
        from
    };
    let producing = !cx.runtime.jobs.borrow().is_empty();
    let (began, began_at_ms) = (Instant::now(), now_ms());
    let mut lines = Vec::new();
    fence::fence(cx.clone(), from.name.clone(), true, statuses.clone()).await?;
    let fenced = seconds(began.elapsed().as_millis() as u64);
    lines.push(format!("zone {} takes no messages since {fenced} after the command", from.name));
    let promoting =
        promote::Asked { zone: zone.clone(), rebuild_dedup: false, force: true, follow: false };
    if plan.role == Role::Mirror {
        let of = |zone: &ZoneName| cx.runtime.zone(zone).map(|zone| zone.client.clone());
        let (there, here) = (of(&from.name)?, of(&zone)?);
        let equal = until_equal(&there, &from, &here, &plan, EQUAL_WITHIN).await;
        let last = equal.map_err(|why| undone(&why, &from))?;
        lines.push(format!("zone {zone} holds all of it, up to sequence {last}"));
        lines.push(promote::promote(cx.clone(), promoting, statuses.clone()).await?.text);
    } else {
        lines.push(promote::promote(cx.clone(), promoting, statuses.clone()).await?.text);
        match salvage::salvage(cx.clone(), from.name.clone(), statuses.clone()).await {
            Ok(salvaged) => lines.push(salvaged.text),
            // It held nothing that the other lacks.
            Err(Failure::Refused(nothing)) => lines.push(nothing),
            Err(failure) => return Err(failure),
        }
    }
    let moved = produce::move_to(cx.clone(), zone.clone(), 0, statuses).await?;
    let first = moved.data.as_ref().and_then(|data| data.get("first_ack_at_ms")?.as_u64());
    lines.push(moved.text);
    let gap_ms = first.map(|first| first.saturating_sub(began_at_ms));
    lines.push(match gap_ms {
        Some(ms) => format!("nobody took messages for {} at most: from the command to the first acknowledgement of zone {zone}", seconds(ms)),
        None if producing => "when the first message was acknowledged is not known".into(),
        None => "nothing was being produced, so for how long nobody took messages was not measured".into(),
    });
    let data = serde_json::json!({"from": from.name, "to": zone, "gap_ms": gap_ms});
    Ok(Completion { data: Some(data), ..Completion::done(lines.join("\n")) })
}

/// Why that zone may not take the messages now; the zone that takes them.
fn may_be(
    cx: &CommandCtx,
    status: &Status,
    plan: &ZonePlan,
) -> std::result::Result<ZonePlan, String> {
    let zone = &plan.name;
    if plan.role.takes_messages() {
        return Err(format!("zone {zone} takes messages already: name a copy, or a fenced zone"));
    }
    let from = zone_role::writable(cx, status, zone).map_err(|others| {
        if others.is_empty() {
            format!(
                "no zone takes messages, so that nothing can be switched over: `promote {zone}`"
            )
        } else {
            "more than one zone takes messages: fence all but one".to_owned()
        }
    })?;
    if plan.role == Role::Mirror {
        promote::can(status)?;
        if !from.is_hub() {
            return Err(format!(
                "zone {zone} is no copy of zone {}, which takes the messages: it lacks what that took",
                from.name
            ));
        }
        if !status.zone(zone).is_some_and(Zone::is_linked) {
            return Err(format!(
                "zone {zone} has no link to zone {}, and would lack its last messages: `heal {zone}` first; `promote {zone}` is for a source that is lost",
                from.name
            ));
        }
    }
    Ok(from)
}

fn undone(why: &Failure, from: &ZonePlan) -> Failure {
    Failure::Broken(format!(
        "{why}; zone {name} is fenced, and no zone takes messages: `promote {name}` makes it take them again",
        name = from.name
    ))
}
