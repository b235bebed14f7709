//! What one zone's stream holds and another's lacks, by message id; published there.

use std::{collections::HashMap, time::Duration};

use async_nats::{Client, HeaderMap, HeaderValue, Request, Subject, header::NATS_MESSAGE_ID};
use bytes::Bytes;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{
    api::{self, Failure},
    audit::{self, AuditError, Numbers, read_from},
    connect::REQUEST_TIMEOUT,
    error::NatsError,
    external::read::message::Stored,
    renumbering::{self, SOURCE_HEADER},
    wire::{Reply, read_reply},
};
use crate::{
    ledger::audit::Entry,
    region::{ZonePlan, topology::FENCED_SUBJECTS},
};

/// How long one message may take until it is stored. It is sent again under its id until then.
const PATIENCE: Duration = Duration::from_secs(20);
/// The pause before it is sent again.
const PAUSE: Duration = Duration::from_millis(100);
/// Headers in which a publisher states what it expects of a stream: true of the old one alone.
const EXPECTATIONS: &str = "Nats-Expected-";

/// A zone's stream, over the zone's own connection.
pub struct Side<'a> {
    client: &'a Client,
    zone: &'a ZonePlan,
}

impl<'a> Side<'a> {
    /// The stream of that zone.
    #[must_use]
    pub fn new(client: &'a Client, zone: &'a ZonePlan) -> Self {
        Self { client, zone }
    }

    /// The id and the payload at a sequence of the source; `None` if nothing is there or it is not told.
    async fn at(&self, seq: u64) -> Option<(Option<String>, Bytes)> {
        let own = renumbering::own_of(self.client, self.zone, seq).await?;
        let stored = api::message(self.client, &json!({"seq": own})).await.ok()??.read()?;
        Some((stored.id().map(str::to_owned), stored.payload))
    }

    /// Reads all after a sequence, by the source's numbers.
    async fn read(&self, after: u64, sink: impl FnMut(&Entry<'_>)) -> Result<(), AuditError> {
        let numbers = Numbers::of(self.zone);
        let last = audit::describe(self.client, numbers).await?.last_seq;
        let range = after + 1..=last.max(after);
        read_from(self.client, None, numbers, range, sink, |_| {}).await.map(drop)
    }
}

/// A message that one zone lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// Where it stands in the other, by the source's numbers.
    pub seq: u64,
    pub id: String,
}

/// What a zone's stream holds after it parted from another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Of `held`, what the other lacks, in the order of the stream.
    pub lacking: Vec<Lacking>,
    /// Messages with an id; one that is there twice counts once.
    pub held: u64,
    /// Messages without one: whether the other has them cannot be told.
    pub without_id: u64,
}

/// What one zone holds and another lacks, after the sequence up to which both held the same when they
/// parted. Where the other does not hold that any more, as its stores were lost meanwhile, all is compared.
///
/// # Errors
/// When one of both streams cannot be read.
pub async fn lacking(from: &Side<'_>, into: &Side<'_>, after: u64) -> Result<Found, AuditError> {
    let after = if share(from, into, after).await? { after } else { 0 };
    let mut tail: HashMap<String, u64> = HashMap::new();
    let mut without_id = 0;
    from.read(after, |entry| match entry.id {
        // Sent to the fence itself: no message of the region.
        _ if is_of_fence(entry.subject) => {}
        Some(id) => _ = tail.entry(id.to_owned()).or_insert(entry.seq),
        None => without_id += 1,
    })
    .await?;
    let held = tail.len() as u64;
    into.read(after, |entry| {
        if let Some(id) = entry.id {
            tail.remove(id);
        }
    })
    .await?;
    let mut lacking: Vec<Lacking> = tail.into_iter().map(|(id, seq)| Lacking { seq, id }).collect();
    lacking.sort_by_key(|one| one.seq);
    Ok(Found { lacking, held, without_id })
}

/// Whether two zones still hold the same up to a sequence: the same message stands there, or the
/// other's own settings have deleted it.
async fn share(from: &Side<'_>, into: &Side<'_>, after: u64) -> Result<bool, AuditError> {
    if after == 0 {
        return Ok(true);
    }
    let begins = audit::describe(into.client, Numbers::Own).await?.first_seq;
    if begins > after && !into.zone.renumbers() {
        return Ok(true);
    }
    let (one, other) = (from.at(after).await, into.at(after).await);
    Ok(one.is_some() && one == other)
}

fn is_of_fence(subject: &str) -> bool {
    subject.starts_with(FENCED_SUBJECTS.trim_end_matches('>'))
}

/// A message that was stored, or known already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The sequence, as the zone counts.
    pub own: u64,
    /// The domain that said so.
    pub domain: String,
    pub duplicate: bool,
}

/// A message as it is published in the other zone.
#[derive(Debug)]
pub struct Parcel {
    pub id: String,
    subject: Subject,
    headers: HeaderMap,
    payload: Bytes,
}

/// Reads a message that the other zone lacks, as it is; asked again until there is a clear answer.
///
/// # Errors
/// When it is not there any more, or has no clear answer for 20 s.
pub async fn fetch(from: &Side<'_>, one: Lacking) -> Result<Parcel, NatsError> {
    let began = Instant::now();
    loop {
        let failure = match read(from, &one).await {
            Ok(parcel) => return Ok(parcel),
            Err(failure) => failure,
        };
        again(failure, began, from, &format!("give the message {}", one.id)).await?;
    }
}

/// Publishes a message in the other zone under its id; sent again until there is a clear answer.
///
/// # Errors
/// When it is refused, or has no clear answer for 20 s.
pub async fn publish(into: &Side<'_>, parcel: &Parcel) -> Result<Published, NatsError> {
    let began = Instant::now();
    loop {
        let failure = match send(into, parcel).await {
            Ok(published) => return Ok(published),
            Err(failure) => failure,
        };
        again(failure, began, into, &format!("take the message {}", parcel.id)).await?;
    }
}

/// Waits a moment, where another try is worth it.
async fn again(
    failure: Failure,
    began: Instant,
    whom: &Side<'_>,
    what: &str,
) -> Result<(), NatsError> {
    if !failure.passes() || began.elapsed() >= PATIENCE {
        return Err(NatsError::NoAnswer {
            whom: whom.zone.domain(),
            what: what.to_owned(),
            waited: began.elapsed(),
            why: failure.words(),
        });
    }
    sleep(PAUSE).await;
    Ok(())
}

async fn read(from: &Side<'_>, one: &Lacking) -> Result<Parcel, Failure> {
    let gone = || Failure::Unreadable("it is not on its stream any more".into());
    let own = renumbering::own_of(from.client, from.zone, one.seq).await.ok_or_else(gone)?;
    let stored = api::message(from.client, &json!({"seq": own})).await?;
    let (subject, stored, payload) = stored.and_then(Stored::whole).ok_or_else(gone)?;
    let mut headers = HeaderMap::new();
    for (name, values) in stored.iter() {
        let text: &str = name.as_ref();
        if text != SOURCE_HEADER && !text.starts_with(EXPECTATIONS) {
            for value in values {
                headers.append(name.clone(), value.clone());
            }
        }
    }
    if headers.get(NATS_MESSAGE_ID).map(HeaderValue::as_str) != Some(one.id.as_str()) {
        return Err(gone());
    }
    Ok(Parcel { id: one.id.clone(), subject: subject.into(), headers, payload })
}

async fn send(into: &Side<'_>, parcel: &Parcel) -> Result<Published, Failure> {
    let request = Request::new().headers(parcel.headers.clone()).payload(parcel.payload.clone());
    let request = request.timeout(Some(REQUEST_TIMEOUT));
    let reply = into.client.send_request(parcel.subject.clone(), request).await;
    match read_reply(&reply.map_err(Failure::from)?) {
        Reply::Stored { seq, domain, duplicate } if domain == into.zone.domain() => {
            Ok(Published { own: seq, domain: domain.into_owned(), duplicate })
        }
        Reply::Stored { domain, .. } => {
            Err(Failure::Unreadable(format!("it was stored in {domain}, not there")))
        }
        Reply::Refused(why) => Err(Failure::Unreadable(why)),
        Reply::Unclear(why) => Err(Failure::NotSent(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_to_the_fence_is_no_message_of_the_region() {
        assert!(is_of_fence("FENCED.EVENTS.REGION.drill"));
        assert!(!is_of_fence("EVENTS.REGION.drill"));
    }
}
