//! `salvage`: what a fenced zone holds and the zone that takes messages lacks is published there,
//! once, under the same ids.

use std::time::Instant;

use futures::{StreamExt, stream};

use super::{
    clock::now_ms,
    drain::has_quorum,
    drills::Statuses,
    failure::Failure,
    task::{CommandCtx, Completion, Result},
    zone_role,
};
use crate::{
    ledger::{message::MessageId, promotion::Named, record::Record},
    nats::{
        error::NatsError,
        salvage::{self as nats, Found, Published, Side},
    },
    region::{Role, Status, ZoneName, ZonePlan, format::seconds},
};

/// Ids of other programs' messages that are told at most.
const OTHERS: usize = 20;
/// How many messages are read before their turn to be published comes.
const READ_AHEAD: usize = 16;

/// Publishes what only a fenced zone holds.
///
/// # Errors
/// When the zone is not fenced, not exactly one other takes messages, or that has everything; when
/// a stream cannot be read or a message is not taken. What was published before that stays.
pub async fn salvage(cx: CommandCtx, zone: ZoneName, statuses: Statuses) -> Result {
    let from = cx.runtime.plan(&zone)?;
    let into = {
        let status = &statuses.borrow().status;
        let into = target(&cx, status, &from).map_err(Failure::Refused)?;
        has_quorum(status, &from).map_err(Failure::Refused)?;
        has_quorum(status, &into).map_err(Failure::Refused)?;
        into
    };
    let began = Instant::now();
    let (there, here) =
        (cx.runtime.zone(&from.name)?.client.clone(), cx.runtime.zone(&into.name)?.client.clone());
    let (one, other) = (Side::new(&there, &from), Side::new(&here, &into));
    let found = lacking(&cx, &from, &into).await?;
    let nameless = match found.without_id {
        0 => String::new(),
        count => format!(
            "; {count} without an id (`Nats-Msg-Id`) stay there: whether zone {} has them cannot be told",
            into.name
        ),
    };
    if found.lacking.is_empty() {
        return Err(Failure::Refused(format!(
            "nothing to salvage: zone {} has each of the {} messages with an id that zone {zone} holds where they differ{nameless}",
            into.name, found.held
        )));
    }
    let (mut own, mut others, mut known) = (Vec::new(), Vec::new(), 0_u64);
    let count = found.lacking.len();
    let resent = found.lacking.iter().filter_map(|one| {
        let MessageId { producer: p, number: n, .. } = ours(&cx, &one.id)?;
        Some(Record::Resent { p, n, c: 1, at: now_ms() })
    });
    write(&cx, resent.collect()).await?;
    // Read ahead, and published one after the other: the order of the stream is theirs.
    let mut parcels = stream::iter(found.lacking)
        .map(|each| nats::fetch(&one, each))
        .buffered(READ_AHEAD)
        .enumerate();
    while let Some((at, fetched)) = parcels.next().await {
        if cx.stop.is_cancelled() {
            return Err(Failure::Broken(format!(
                "ended after {at} of {count} messages; `salvage {zone}` goes on with the rest"
            )));
        }
        let broken = |error: NatsError| {
            Failure::Broken(format!(
                "{error}; {at} of {count} messages were published before; `salvage {zone}` goes on with the rest"
            ))
        };
        let parcel = fetched.map_err(broken)?;
        let published = nats::publish(&other, &parcel).await.map_err(broken)?;
        let id = ours(&cx, &parcel.id);
        if let Some(id) = &id {
            let Published { own, domain, duplicate } = published.clone();
            let map = cx.runtime.renumbering(&into.name);
            let s = if into.renumbers() { map.borrow().origin(own) } else { own };
            let (p, n, at) = (id.producer, id.number, now_ms());
            let acked = Record::Acked { p, n, c: 1, s, d: domain, dup: duplicate, at };
            let sent = cx.runtime.evidence.send(vec![acked]).await;
            sent.map_err(|lost| Failure::Broken(lost.to_string()))?;
        }
        known += u64::from(published.duplicate);
        match id {
            Some(id) => own.push(id),
            None => others.push(parcel.id.clone()),
        }
        if at % 100 == 0 {
            cx.progress(format!("published {at} of {count} into zone {}", into.name));
        }
    }
    // Once this is written, so is all that was handed over before.
    write(&cx, Vec::new()).await?;
    let mut ids = Named::of(own).ids;
    ids.extend(others.into_iter().take(OTHERS));
    let twice = match known {
        0 => String::new(),
        known => format!("; {known} of them were answered as duplicates and not stored"),
    };
    let data = serde_json::json!({
        "from": zone, "into": into.name, "salvaged": count, "duplicates": known,
        "both_have": found.held - count as u64, "without_id": found.without_id, "ids": ids,
    });
    let text = format!(
        "{count} messages that zone {zone} holds and zone {} lacked were published there once, in {}: {}{twice}{nameless}",
        into.name,
        seconds(began.elapsed().as_millis() as u64),
        ids.join(", "),
    );
    Ok(Completion { data: Some(data), ..Completion::done(text) })
}

/// What one zone holds, after the sequence up to which both hold the same, and the other lacks.
///
/// # Errors
/// When a stream cannot be read.
pub async fn lacking(
    cx: &CommandCtx,
    from: &ZonePlan,
    into: &ZonePlan,
) -> std::result::Result<Found, Failure> {
    let names = [from.name.clone(), into.name.clone()];
    let asked = cx.runtime.ledger_query.ask(move |ledger| ledger.parted_after(&names)).await;
    let after = asked.ok_or_else(|| {
        Failure::Broken("the ledger's keeper gave no answer; see the room's log".into())
    })?;
    cx.progress(format!(
        "reads zones {} and {} from sequence {} on",
        from.name,
        into.name,
        after + 1
    ));
    compared(cx, from, into, after).await
}

/// The same, after a given sequence.
///
/// # Errors
/// When a stream cannot be read.
pub async fn compared(
    cx: &CommandCtx,
    from: &ZonePlan,
    into: &ZonePlan,
    after: u64,
) -> std::result::Result<Found, Failure> {
    let of = |zone: &ZonePlan| cx.runtime.zone(&zone.name).map(|zone| zone.client.clone());
    let (there, here) = (of(from)?, of(into)?);
    let found = nats::lacking(&Side::new(&there, from), &Side::new(&here, into), after).await;
    found.map_err(|error| Failure::Broken(error.to_string()))
}

/// The zone to publish into.
fn target(
    cx: &CommandCtx,
    status: &Status,
    from: &ZonePlan,
) -> std::result::Result<ZonePlan, String> {
    let zone = &from.name;
    if from.role != Role::Fenced {
        return Err(format!(
            "zone {zone} is not fenced (it is {}): `fence {zone}` comes first, so that nothing is added while it is read",
            from.role
        ));
    }
    zone_role::writable(cx, status, zone).map_err(|others| {
        let names: Vec<&str> = others.iter().map(|zone| zone.name.as_str()).collect();
        match names[..] {
            [] => "no zone takes messages: `promote ZONE` makes a copy one that does".into(),
            _ => format!(
                "zones {} take messages: fence all but one, so that it is clear where to publish",
                names.join(" and ")
            ),
        }
    })
}

/// A message of this run's producers.
fn ours(cx: &CommandCtx, id: &str) -> Option<MessageId> {
    id.parse::<MessageId>().ok().filter(|id| id.run == cx.runtime.run)
}

async fn write(cx: &CommandCtx, records: Vec<Record>) -> std::result::Result<(), Failure> {
    let written = cx.runtime.evidence.write(records).await;
    written.map_err(|lost| Failure::Broken(lost.to_string()))
}
