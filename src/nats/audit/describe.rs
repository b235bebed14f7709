//! A stream, as its leader describes it.

use async_nats::Client;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{AuditError, Numbers, PAUSE, STALLED, ask};
use crate::{
    nats::{api, renumbering},
    region::topology::STREAM,
};

/// A stream as its leader describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// The first sequence that it still has; of an empty one the next after the last, and 0 of a new one.
    pub first_seq: u64,
    /// The last sequence it has ever had.
    pub last_seq: u64,
    /// The servers that hold a replica; empty if that is not told.
    pub holders: Vec<String>,
    /// What it keeps: `limits`, `interest` or `workqueue`.
    pub retention: String,
}

impl Described {
    /// It keeps messages that every consumer is done with: only then can it be held to account for
    /// what was acknowledged.
    #[must_use]
    pub fn keeps(&self) -> bool {
        self.retention == "limits"
    }
}

/// The zone's stream, by its leader's own word, its last sequence by `numbers`. Asked again until there is a leader, at most for
/// [`STALLED`].
///
/// # Errors
/// When the stream does not exist, or nobody answers for it.
pub async fn describe(client: &Client, numbers: Numbers) -> Result<Described, AuditError> {
    let began = Instant::now();
    loop {
        let asked = ask(client, &format!("STREAM.INFO.{STREAM}"), &Value::Null).await;
        let why = match asked {
            Ok(Ok(answer)) => match described(&answer) {
                Some(described) if numbers == Numbers::Own => return Ok(described),
                Some(described) => match renumbering::last(client).await {
                    Ok(last) => {
                        let last_seq = last.map_or(0, |last| last.origin);
                        return Ok(Described { last_seq, ..described });
                    }
                    Err(failure) => failure.words(),
                },
                None => "an answer without the stream's state".to_owned(),
            },
            Ok(Err(error)) if error.err_code == api::STREAM_NOT_FOUND => {
                return Err(AuditError::NoStream);
            }
            Ok(Err(error)) => error.description,
            Err(why) => why,
        };
        if began.elapsed() >= STALLED {
            return Err(AuditError::Silent { why });
        }
        sleep(PAUSE).await;
    }
}

fn described(answer: &Value) -> Option<Described> {
    let text = |path: &str| answer.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let peers = answer.pointer("/cluster/replicas").and_then(Value::as_array);
    let peers = peers.into_iter().flatten().filter_map(|peer| peer["name"].as_str());
    Some(Described {
        first_seq: answer.pointer("/state/first_seq").and_then(Value::as_u64)?,
        last_seq: answer.pointer("/state/last_seq").and_then(Value::as_u64)?,
        holders: text("/cluster/leader").into_iter().chain(peers.map(str::to_owned)).collect(),
        retention: text("/config/retention")?,
    })
}
