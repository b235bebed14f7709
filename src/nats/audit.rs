//! Reads a whole stream of one zone, in order and without gaps, or says that it cannot.
//!
//! Works on source and mirror alike, for servers from 2.10 on: a short-lived pull consumer
//! without acknowledgements, whose own count of deliveries proves that none is missing on the
//! way. If one is, or nothing comes, the reading goes on with a new consumer where it was. That
//! the rest of a stream is empty is believed only of the stream's leader.

mod describe;
mod reading;

use std::{ops::RangeInclusive, time::Duration};

use async_nats::Client;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

pub use self::describe::{Described, describe};
use self::reading::{FIRST_BATCH, Reading, Step};
use super::api::{self, ApiError, Failure};
use crate::{
    ledger::audit::Entry,
    region::{ZonePlan, topology::STREAM},
};

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(1);
/// Without progress for so long the reading has failed. A stream that has just lost its leader
/// elects another within 4 to 9 s (the servers' election timeout), and answers nobody until then.
pub const STALLED: Duration = Duration::from_secs(12);
/// The pause before trying again.
const PAUSE: Duration = Duration::from_millis(100);
/// What was found where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub messages: u64,
    /// Sequences within the range at which there is no message: first and last of each hole, in
    /// order. The last one reaches to the end of the range if the stream ends before.
    pub holes: Vec<(u64, u64)>,
}

/// Why a stream could not be read to the end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// Nothing came for [`STALLED`].
    #[error("the stream could not be read past sequence {next} for {} s: {why}", STALLED.as_secs())]
    Stalled {
        /// The sequence that was to come next.
        next: u64,
        why: String,
    },
    /// The stream's leader did not answer for [`STALLED`].
    #[error("the stream's leader did not answer for {} s: {why}; see `status`", STALLED.as_secs())]
    Silent { why: String },
    /// The stream has no replica there.
    #[error("it holds no replica of the stream, which has {} ({})", holders.len(), holders.join(", "))]
    NoReplica {
        /// The servers that hold one.
        holders: Vec<String>,
    },
    /// There is no such stream in the zone.
    #[error("there is no stream {STREAM} in the zone")]
    NoStream,
    /// The client has been closed.
    #[error("the connection to the zone has been closed")]
    Closed,
}

/// Reads the sequences of `range` from the stream, over the zone's own connection, and hands each
/// message to `sink`, in order. Which replica is read is the server's choice.
///
/// See [`read_from`].
///
/// # Errors
/// When the stream does not exist, or nothing comes any more.
pub async fn read_stream(
    client: &Client,
    range: RangeInclusive<u64>,
    sink: impl FnMut(&Entry<'_>),
    progress: impl FnMut(u64),
) -> Result<Found, AuditError> {
    read_from(client, None, Numbers::Own, range, sink, progress).await
}

/// By which sequences a stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Its own, which those of a mirror's source are, too.
    Own,
    /// Those of the source, which each message of a copy by `sources` carries. One that was not
    /// sourced counts on from the one before it.
    Source,
}

impl Numbers {
    /// Those of a zone's stream that are the source's.
    #[must_use]
    pub fn of(zone: &ZonePlan) -> Self {
        if zone.renumbers() { Self::Source } else { Self::Own }
    }
}

/// As [`read_stream`], but from the replica of that server name, if one is named, and from no
/// other. Sequences are those of `numbers`; ones of a source that do not ascend are handed on all the
/// same. `progress` is told the last sequence read, after each batch. Messages beyond the end of
/// the stream are not waited for; they are a hole.
///
/// # Errors
/// When the stream does not exist, nothing comes any more, or no consumer can be had on that
/// replica.
pub async fn read_from(
    client: &Client,
    replica: Option<&str>,
    numbers: Numbers,
    range: RangeInclusive<u64>,
    mut sink: impl FnMut(&Entry<'_>),
    mut progress: impl FnMut(u64),
) -> Result<Found, AuditError> {
    let last = *range.end();
    let next = (*range.start()).max(1);
    let mut reading = Reading {
        client,
        replica,
        numbers,
        next,
        own: if numbers == Numbers::Own { Some(next) } else { None },
        last,
        found: Found::default(),
        batch: FIRST_BATCH,
        largest: 1,
        progressed: Instant::now(),
        why: "no answer".into(),
    };
    while reading.next <= last {
        match reading.read_on(&mut sink, &mut progress).await {
            Ok(()) => {}
            Err(Step::Fatal(error)) => return Err(error),
            Err(Step::Again(why)) => {
                reading.why = why;
                reading.check_stall()?;
                sleep(PAUSE).await;
            }
        }
    }
    Ok(reading.found)
}

/// One request to the zone's API: its answer, its refusal, or why there is neither.
async fn ask(client: &Client, what: &str, body: &Value) -> Result<Result<Value, ApiError>, String> {
    let subject = format!("$JS.API.{what}");
    // The client's own time-out does not bound the wait for room in its queue.
    match timeout(2 * REQUEST, api::once(client, &subject, body, REQUEST)).await {
        Ok(Ok(answer)) => Ok(Ok(answer)),
        Ok(Err(Failure::Api(error))) => Ok(Err(error)),
        Ok(Err(failure)) => Err(failure.words()),
        Err(_) => Err("the connection takes nothing".to_owned()),
    }
}
