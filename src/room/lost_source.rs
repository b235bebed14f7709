//! A source that lost its stream, with every store: no empty one takes messages beside the copies that hold
//! what was in it.

use super::{
    bringup::{open_promoted, step},
    failure::Failure,
    task::CommandCtx,
    zone_role,
};
use crate::{
    nats::{
        audit::{self, AuditError, Numbers},
        streams,
    },
    region::{Role, Severity, Status, ZoneName, ZonePlan, topology::STREAM},
};

/// Why an empty stream is not begun now: another zone holds what was in it.
#[must_use]
pub fn only_copy(status: &Status, source: &ZoneName) -> Option<Failure> {
    let others = status.zones.iter().filter(|zone| zone.name != *source);
    let copy = others.max_by_key(|zone| zone.messages())?;
    let count = copy.messages().filter(|count| *count > 0)?;
    Some(Failure::Refused(format!(
        "zone {source} lost its stream, and zone {copy} holds {count} messages of it: `promote {copy} --follow` makes zone {copy} take the messages, then `repair {source}` and `switchover {source}` bring them back; `repair {source} --force` begins an empty stream beside them",
        copy = copy.name,
    )))
}

/// Whether a source that is brought up held messages before, and has no stream any more.
///
/// # Errors
/// When it does not tell, or the ledger's keeper does not.
pub async fn is_lost(
    cx: &CommandCtx,
    source: &ZonePlan,
    client: &async_nats::Client,
) -> Result<bool, Failure> {
    let alone = cx.runtime.plans().len() == 1;
    if source.role != Role::Source || alone {
        return Ok(false);
    }
    let acked = cx.runtime.ledger_query.ask(|ledger| ledger.acked_by().values().sum::<u64>()).await;
    let silent =
        || Failure::Broken("the ledger's keeper gave no answer; see the room's log".into());
    if acked.ok_or_else(silent)? == 0 {
        return Ok(false);
    }
    match audit::describe(client, Numbers::Own).await {
        Ok(_) => Ok(false),
        Err(AuditError::NoStream) => Ok(true),
        Err(error) => Err(Failure::Broken(error.to_string())),
    }
}

/// The same, made empty and fenced, and told.
///
/// # Errors
/// When the zone refuses or does not answer, or it cannot be written down.
pub async fn bring_up_fenced(
    cx: &CommandCtx,
    source: &ZonePlan,
    client: async_nats::Client,
) -> Result<(), Failure> {
    let name = &source.name;
    let title = format!("zone {name} lost its stream: an empty one, fenced");
    step(cx, &title, begin_fenced(cx, source, client)).await?;
    cx.bus().note(Severity::Warn, format!(
        "zone {name} lost {STREAM} while nothing ran: an empty one stands there, fenced. `promote ZONE --follow` makes a copy that holds the messages take them, and `switchover {name}` brings them back; `promote {name}` begins with nothing"
    ));
    Ok(())
}

/// Gives a zone an empty stream that takes no messages. What its consumer received counts no longer.
///
/// # Errors
/// When the zone refuses or does not answer, or it cannot be written down.
pub async fn begin_fenced(
    cx: &CommandCtx,
    plan: &ZonePlan,
    client: async_nats::Client,
) -> Result<(), Failure> {
    let fenced = ZonePlan { role: Role::Fenced, ..plan.clone() };
    zone_role::forget(cx, &plan.name).await?;
    // The role is noted first: a room that is killed in between must not find a source here that takes
    // messages.
    zone_role::announce(cx, &fenced)?;
    streams::create_source(&client, &fenced).await?;
    open_promoted(cx, &fenced, &fenced, client, None).await
}
