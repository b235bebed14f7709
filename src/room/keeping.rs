//! `stream`: the stream of the zone that takes messages keeps them for less time, or for ever again.

use super::{
    drain::has_quorum,
    drills::Statuses,
    failure::Failure,
    runtime::Runtime,
    task::{CommandCtx, Completion, Result},
    zone_role,
};
use crate::{
    command::Keep,
    nats::configuration::wanted,
    region::{
        Input, MirrorKind, Status, ZonePlan,
        format::{count, rate, seconds},
        keeping::Retention,
    },
};

/// Slower producers give no time that is worth telling.
const SLOWEST: f64 = 0.5;

/// The one zone that takes messages.
///
/// # Errors
/// When there is none, or more than one.
pub fn target(runtime: &Runtime) -> std::result::Result<ZonePlan, Failure> {
    let mut plans = runtime.plans();
    plans.retain(|plan| plan.role.takes_messages());
    match plans.len() {
        1 => Ok(plans.remove(0)),
        0 => Err(Failure::Refused("no zone takes messages: `promote ZONE` comes first".into())),
        _ => {
            let names: Vec<&str> = plans.iter().map(|plan| plan.name.as_str()).collect();
            Err(Failure::Refused(format!(
                "zones {} take messages: fence all but one",
                names.join(" and ")
            )))
        }
    }
}

/// Changes how the stream keeps messages, by an update of that setting alone.
///
/// # Errors
/// When the zone refuses or does not answer, or it cannot be written down.
pub async fn keep(cx: CommandCtx, what: Keep, statuses: Statuses) -> Result {
    let before = target(&cx.runtime)?;
    let plan = ZonePlan { keeping: what.changed(before.keeping), ..before.clone() };
    let (zone, keeping) = (&plan.name, plan.keeping);
    if plan == before {
        return Ok(Completion::done(format!("zone {zone} {keeping} already")));
    }
    has_quorum(&statuses.borrow().status, &plan).map_err(Failure::Refused)?;
    let open = cx.runtime.zone(zone)?;
    let told = told(&statuses.borrow().status, &plan, what, cx.runtime.mirror());
    let mut made = zone_role::change_stream(&cx, &plan).await?;
    if let Some(stream) = made.stream.there_mut() {
        stream.config = wanted::own_stream(&plan);
    }
    let kept = cx.runtime.keep_as(zone, keeping);
    open.configuration.is_made(made);
    cx.bus().tell(Input::Keeping { zone: zone.clone(), keeping });
    kept?;
    Ok(Completion::done(told))
}

/// What holds then, and for how long a copy may be cut.
fn told(status: &Status, plan: &ZonePlan, what: Keep, via: Option<MirrorKind>) -> String {
    let (zone, keeping) = (&plan.name, plan.keeping);
    let mut told = vec![format!("zone {zone} {keeping} from now on")];
    if !what.deletes() {
        told.push("what was deleted before does not come back".into());
    }
    let held = status.zone(zone).and_then(|zone| zone.stream.as_ref());
    if let Some(limit) = keeping.limit {
        let over = held.map_or(0, |stream| stream.messages.saturating_sub(limit));
        if over > 0 {
            told.push(format!("{} of those it held are deleted", count(over)));
        }
        let now = status.producer.rate;
        if now >= SLOWEST {
            told.push(format!(
                "at {} a copy may be cut for {}: then messages are deleted that it does not have",
                rate(now),
                seconds(longest_cut_ms(limit, now))
            ));
        }
    }
    if keeping.retention == Retention::Interest && via == Some(MirrorKind::Classic) {
        // nats-facts §X.
        told.push("a classic copy's consumer at the source is gone ten seconds after a cut, and nothing is kept for the copy then".into());
    }
    if !keeping.is_all() {
        told.push(format!("{} keeps every message again", keeping.undone_by()));
    }
    told.join("; ")
}

/// After how long a limit is used up.
fn longest_cut_ms(limit: u64, rate: f64) -> u64 {
    (limit as f64 * 1000.0 / rate) as u64
}
