//! Whether a zone's stream takes messages, and whether it knows the ids of those it holds: a promoted
//! mirror does not, so that a producer's retry is stored a second time (nats-facts §V).

use std::time::Duration;

use async_nats::{Client, HeaderMap, Request, StatusCode, header::NATS_MESSAGE_ID};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    api::{self, Failure},
    configuration::wanted::DUPLICATE_WINDOW,
    connect::REQUEST_TIMEOUT,
    error::NatsError,
    external::read::message::Answer,
};
use crate::region::{
    ZonePlan,
    topology::{DRILL_SUBJECT, STREAM},
};

/// How long the stream may take to say anything clear.
const PATIENCE: Duration = Duration::from_secs(20);
/// The pause before it is asked again.
const PAUSE: Duration = Duration::from_millis(100);
/// JetStream: "no message found".
const NO_MESSAGE: u64 = 10037;
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
    let began = Instant::now();
    loop {
        let why = match once(client).await {
            Ok(memory) => return Ok(memory),
            Err(failure) => failure.words(),
        };
        if began.elapsed() >= PATIENCE {
            return Err(NatsError::NoAnswer {
                whom: zone.domain(),
                what: "say whether it knows the id of its last message".into(),
                waited: began.elapsed(),
                why,
            });
        }
        sleep(PAUSE).await;
    }
}

/// Sends a message that a stream which takes messages would answer, and never store; returns when
/// nobody takes it.
///
/// # Errors
/// When somebody still answers after 20 s, or the zone is not reached.
pub async fn refuses(client: &Client, zone: &ZonePlan) -> Result<(), NatsError> {
    let began = Instant::now();
    loop {
        let mut headers = HeaderMap::new();
        headers.insert(EXPECTED_LAST, IMPOSSIBLE.to_string());
        let request = Request::new().headers(headers).timeout(Some(REQUEST_TIMEOUT));
        let why = match client.send_request(DRILL_SUBJECT, request).await.map_err(Failure::from) {
            Err(Failure::NoResponders) => return Ok(()),
            Err(failure) => failure.words(),
            Ok(reply) if reply.status == Some(StatusCode::NO_RESPONDERS) => return Ok(()),
            Ok(reply) => format!("it was answered: {}", String::from_utf8_lossy(&reply.payload)),
        };
        if began.elapsed() >= PATIENCE {
            return Err(NatsError::NoAnswer {
                whom: zone.domain(),
                what: format!("refuse a message on {DRILL_SUBJECT}"),
                waited: began.elapsed(),
                why,
            });
        }
        sleep(PAUSE).await;
    }
}

async fn once(client: &Client) -> Result<Memory, Failure> {
    let subject = format!("$JS.API.STREAM.MSG.GET.{STREAM}");
    let body = json!({"last_by_subj": DRILL_SUBJECT});
    let last = match api::once::<Answer>(client, &subject, &body, REQUEST_TIMEOUT).await {
        Ok(answer) => answer.message.read(),
        Err(Failure::Api(error)) if error.err_code == NO_MESSAGE => None,
        Err(failure) => return Err(failure),
    };
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
