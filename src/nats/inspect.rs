//! Things as the servers tell them, whole: for people who look, and not for decisions.

use std::time::Duration;

use async_nats::{
    Client,
    jetstream::{message::StreamMessage, stream::LastRawMessageErrorKind},
};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    api::Ask,
    connect::{Login, jetstream, node_client},
    error::NatsError,
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

/// The message at a sequence of a zone's stream; `None` when there is none.
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
        let stream =
            jetstream(client).get_stream_no_info(STREAM).await.map_err(|e| e.to_string())?;
        match stream.get_raw_message(sequence).await {
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
