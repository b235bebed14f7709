//! Things as the servers tell them, whole: for people who look, and not for decisions.

use std::time::Duration;

use async_nats::{
    Client, HeaderMap,
    jetstream::{message::StreamMessage, stream::LastRawMessageErrorKind},
};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    api::Ask,
    connect::{Login, jetstream, node_client},
    error::NatsError,
    renumbering,
    system::leafz_whole,
};
use crate::region::{
    ZonePlan,
    topology::{NodePlan, STREAM},
};

/// How long an answer may take; nobody waits longer for a look.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a zone tells of its stream.
///
/// # Errors
/// When it refuses or does not answer.
pub async fn stream(client: &Client, zone: &ZonePlan) -> Result<Value, NatsError> {
    info(client, zone, format!("STREAM.INFO.{STREAM}"), "describe its stream").await
}

/// What a zone tells of a consumer of its stream.
///
/// # Errors
/// When it refuses or does not answer.
pub async fn consumer(client: &Client, zone: &ZonePlan, name: &str) -> Result<Value, NatsError> {
    let what = format!("describe the consumer {name}");
    info(client, zone, format!("CONSUMER.INFO.{STREAM}.{name}"), &what).await
}

async fn info(
    client: &Client,
    zone: &ZonePlan,
    request: String,
    what: &str,
) -> Result<Value, NatsError> {
    let subject = format!("$JS.API.{request}");
    let whom = zone.domain();
    let ask = Ask { client, subject, body: Value::Null, whom: &whom, what };
    ask.by(Instant::now() + PATIENCE).await
}

/// The message at a sequence of the source in a zone's stream, without the header that says where it
/// was sourced from; `None` when there is none.
///
/// # Errors
/// When the zone does not answer.
pub async fn message(
    client: &Client,
    zone: &ZonePlan,
    sequence: u64,
) -> Result<Option<StreamMessage>, NatsError> {
    let began = Instant::now();
    let asked = async {
        let mut sequence = sequence;
        if zone.renumbers() {
            let found = renumbering::at_or_after(client, sequence).await.map_err(|e| e.words())?;
            let Some(place) = found.filter(|place| place.origin == sequence) else {
                return Ok(None);
            };
            sequence = place.own;
        }
        let stream =
            jetstream(client).get_stream_no_info(STREAM).await.map_err(|e| e.to_string())?;
        match stream.get_raw_message(sequence).await {
            Ok(mut message) if zone.renumbers() => {
                let headers = message
                    .headers
                    .iter()
                    .filter(|(name, _)| AsRef::<str>::as_ref(*name) != renumbering::SOURCE_HEADER);
                let mut kept = HeaderMap::new();
                for (name, values) in headers {
                    for value in values {
                        kept.append(name.clone(), value.clone());
                    }
                }
                message.headers = kept;
                Ok(Some(message))
            }
            Ok(message) => Ok(Some(message)),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    };
    let told = tokio::time::timeout(PATIENCE, asked).await;
    told.unwrap_or_else(|_| Err("no answer".into())).map_err(|why| NatsError::NoAnswer {
        whom: zone.domain(),
        what: format!("show the message at sequence {sequence}"),
        waited: began.elapsed(),
        why,
    })
}

/// The leafnode connections a server lists, each as it tells it; `None` when it does not answer.
pub async fn leafs(zone: &ZonePlan, node: &NodePlan) -> Option<Vec<Value>> {
    let client = node_client(zone, node, Login::System, "zonedrill inspect").await.ok()?;
    leafz_whole(&client, PATIENCE).await
}
