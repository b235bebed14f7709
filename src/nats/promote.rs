//! Whether a zone's stream takes messages, and whether it knows the ids of those it holds: a promoted
//! mirror does not, so that a producer's retry is stored a second time (nats-facts §V).

use std::time::Duration;

use async_nats::{Client, HeaderMap, Request, StatusCode, header::NATS_MESSAGE_ID};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    api::{self, Failure},
    configuration::wanted::DUPLICATE_WINDOW,
    connect::REQUEST_TIMEOUT,
    error::NatsError,
    external::read::message::Stored,
};
use crate::region::{ZonePlan, topology::DRILL_SUBJECT};

/// How long the stream may take to say anything clear.
const PATIENCE: Duration = Duration::from_secs(20);
/// The pause before it is asked again.
const PAUSE: Duration = Duration::from_millis(100);
/// JetStream: "wrong last sequence".
const WRONG_LAST_SEQUENCE: u64 = 10071;
/// The header in which a message says at which sequence the stream must end.
const EXPECTED_LAST: &str = "Nats-Expected-Last-Sequence";
/// A stream that ends at this sequence there is none.
const IMPOSSIBLE: u64 = 1 << 62;

/// What a stream says to a retry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Memory {
    /// It knows this id: the retry is a duplicate.
    Known(String),
    /// It holds the message and does not know its id: a retry would be stored a second time.
    Forgotten(String),
    /// Its last message is older than the time for which ids are remembered.
    Outdated,
    /// It holds no message with an id.
    Untested,
}

/// Retries the last drill message of a zone's stream under its id, in a way that is never stored:
/// with an expectation that cannot be true, which the server looks at after the id.
///
/// # Errors
/// When the zone says nothing clear within 20 s.
pub async fn remembers(client: &Client, zone: &ZonePlan) -> Result<Memory, NatsError> {
    let what = "say whether it knows the id of its last message";
    let asked = || async { once(client).await.map_err(|failure| failure.words()) };
    api::insist(zone, what, (PATIENCE, PAUSE), asked).await
}

/// Sends a message that a stream which takes messages would answer, and never store; returns when
/// nobody takes it.
///
/// # Errors
/// When somebody still answers after 20 s, or the zone is not reached.
pub async fn refuses(client: &Client, zone: &ZonePlan) -> Result<(), NatsError> {
    let asked = || async {
        let mut headers = HeaderMap::new();
        headers.insert(EXPECTED_LAST, IMPOSSIBLE.to_string());
        let request = Request::new().headers(headers).timeout(Some(REQUEST_TIMEOUT));
        match client.send_request(DRILL_SUBJECT, request).await.map_err(Failure::from) {
            Err(Failure::NoResponders) => Ok(()),
            Err(failure) => Err(failure.words()),
            Ok(reply) if reply.status == Some(StatusCode::NO_RESPONDERS) => Ok(()),
            Ok(reply) => {
                Err(format!("it was answered: {}", String::from_utf8_lossy(&reply.payload)))
            }
        }
    };
    let what = format!("refuse a message on {DRILL_SUBJECT}");
    api::insist(zone, &what, (PATIENCE, PAUSE), asked).await
}

async fn once(client: &Client) -> Result<Memory, Failure> {
    let last = api::message(client, &json!({"last_by_subj": DRILL_SUBJECT})).await?;
    let last = last.and_then(Stored::read);
    let Some((id, time, payload)) =
        last.and_then(|last| Some((last.id()?.to_owned(), last.time(), last.payload)))
    else {
        return Ok(Memory::Untested);
    };
    let window = i64::try_from(DUPLICATE_WINDOW.as_secs()).unwrap_or(i64::MAX);
    if time.is_some_and(|time| Timestamp::now().as_second() - time.as_second() >= window) {
        return Ok(Memory::Outdated);
    }
    let mut headers = HeaderMap::new();
    headers.insert(NATS_MESSAGE_ID, id.as_str());
    headers.insert(EXPECTED_LAST, IMPOSSIBLE.to_string());
    let request = Request::new().headers(headers).payload(payload).timeout(Some(REQUEST_TIMEOUT));
    let reply = client.send_request(DRILL_SUBJECT, request).await.map_err(Failure::from)?;
    let unreadable = |error: serde_json::Error| Failure::Unreadable(error.to_string());
    let reply: Value = serde_json::from_slice(&reply.payload).map_err(unreadable)?;
    if reply["duplicate"] == true {
        return Ok(Memory::Known(id));
    }
    match reply.pointer("/error/err_code").and_then(Value::as_u64) {
        Some(WRONG_LAST_SEQUENCE) => Ok(Memory::Forgotten(id)),
        _ => Err(Failure::Unreadable(reply.to_string())),
    }
}
