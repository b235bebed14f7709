//! Reads a whole stream of one zone, in order and without gaps, or says that it cannot.
//!
//! Works on source and mirror alike, for servers from 2.10 on: a short-lived pull consumer
//! without acknowledgements, whose own count of deliveries proves that none is missing on the
//! way. If one is, or nothing comes, the reading goes on with a new consumer where it was. That
//! the rest of a stream is empty is believed only of the stream's leader.

use std::{ops::RangeInclusive, time::Duration};

use async_nats::{Client, HeaderValue, Message, Request, Subscriber, header::NATS_MESSAGE_ID};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::wire::{ApiError, Delivery};
use crate::{
    ledger::audit::Entry,
    region::topology::{DRILL_SUBJECT, STREAM},
};

/// Messages asked for at once: some 5 ms of reading.
const BATCH: u64 = 256;
/// Bytes asked for at once, reckoned by the largest message so far, so that large messages do not
/// fill the memory. The request's own `max_bytes` would do that too, but costs eight times as much
/// as the reading itself (2.15.1: 8k instead of 65k to 90k messages a second).
const BATCH_BYTES: u64 = 16 * 1024 * 1024;
/// The first batch: the largest possible messages fit into [`BATCH_BYTES`].
const FIRST_BATCH: u64 = 16;
/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(1);
/// How long nothing may come before a new consumer is tried.
const SILENCE: Duration = Duration::from_secs(1);
/// Without progress for so long the reading has failed. A stream that has just lost its leader
/// elects another within 4 to 9 s (the servers' election timeout), and answers nobody until then.
pub const STALLED: Duration = Duration::from_secs(12);
/// The pause before trying again.
const PAUSE: Duration = Duration::from_millis(100);
/// Tries to have a consumer placed on one server of three: that all fail by chance happens once in
/// ten million.
const PLACEMENTS: u32 = 40;
/// JetStream's "no message found".
const NO_MESSAGE: u32 = 10037;
/// JetStream's "stream not found".
const NO_STREAM: u32 = 10059;

/// What was found where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Messages.
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
        /// What happened last.
        why: String,
    },
    /// The stream's leader did not answer for [`STALLED`].
    #[error("the stream's leader did not answer for {} s: {why}; see `status`", STALLED.as_secs())]
    Silent {
        /// What happened last.
        why: String,
    },
    /// No consumer could be had there.
    #[error(
        "no consumer was placed on {replica} in {PLACEMENTS} tries (the last one on {elsewhere}): it does not serve the stream now"
    )]
    Unplaced {
        /// The wanted server.
        replica: String,
        /// Where the last one was.
        elsewhere: String,
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
    read_from(client, None, range, sink, progress).await
}

/// As [`read_stream`], but from the replica of that server name, if one is named, and from no
/// other. `progress` is told the last sequence read, after each batch. Messages beyond the end of
/// the stream are not waited for; they are a hole.
///
/// # Errors
/// When the stream does not exist, nothing comes any more, or no consumer can be had on that
/// replica.
pub async fn read_from(
    client: &Client,
    replica: Option<&str>,
    range: RangeInclusive<u64>,
    mut sink: impl FnMut(&Entry<'_>),
    mut progress: impl FnMut(u64),
) -> Result<Found, AuditError> {
    let last = *range.end();
    let mut reading = Reading {
        client,
        replica,
        next: (*range.start()).max(1),
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

/// The last sequence of the zone's stream, by its leader's own word. Asked again until there is a
/// leader, at most for [`STALLED`].
///
/// # Errors
/// When the stream does not exist, or nobody answers for it.
pub async fn last_sequence(client: &Client) -> Result<u64, AuditError> {
    let began = Instant::now();
    loop {
        let asked = ask(client, &format!("STREAM.INFO.{STREAM}"), &Value::Null).await;
        let why = match asked {
            Ok(Ok(answer)) => match answer.pointer("/state/last_seq").and_then(Value::as_u64) {
                Some(last) => return Ok(last),
                None => "an answer without the stream's state".to_owned(),
            },
            Ok(Err(error)) if error.err_code == NO_STREAM => return Err(AuditError::NoStream),
            Ok(Err(error)) => error.description,
            Err(why) => why,
        };
        if began.elapsed() >= STALLED {
            return Err(AuditError::Silent { why });
        }
        sleep(PAUSE).await;
    }
}

/// One request to the zone's API: its answer, its refusal, or why there is neither.
async fn ask(client: &Client, what: &str, body: &Value) -> Result<Result<Value, ApiError>, String> {
    let payload = if body.is_null() { String::new() } else { body.to_string() };
    let request = Request::new().payload(payload.into()).timeout(Some(REQUEST));
    let asking = client.send_request(format!("$JS.API.{what}"), request);
    // The client's own time-out does not bound the wait for room in its queue.
    let answer = timeout(2 * REQUEST, asking)
        .await
        .map_err(|_| "the connection takes nothing".to_owned())?
        .map_err(|error| error.to_string())?;
    let answer: Value = serde_json::from_slice(&answer.payload)
        .map_err(|_| "an answer that is no JSON".to_owned())?;
    let error = answer.get("error").and_then(|error| ApiError::deserialize(error).ok());
    Ok(error.map_or(Ok(answer), Err))
}

/// Why a consumer's part of the reading ended before its time.
enum Step {
    Again(String),
    Fatal(AuditError),
}

struct Reading<'a> {
    client: &'a Client,
    /// The only server it may be read from.
    replica: Option<&'a str>,
    next: u64,
    last: u64,
    found: Found,
    /// How many messages to ask for.
    batch: u64,
    /// Bytes of the largest message so far.
    largest: u64,
    progressed: Instant,
    why: String,
}

impl Reading<'_> {
    fn check_stall(&self) -> Result<(), AuditError> {
        if self.progressed.elapsed() < STALLED {
            return Ok(());
        }
        Err(AuditError::Stalled { next: self.next, why: self.why.clone() })
    }

    /// Reads with one consumer as far as it goes.
    async fn read_on(
        &mut self,
        sink: &mut impl FnMut(&Entry<'_>),
        progress: &mut impl FnMut(u64),
    ) -> Result<(), Step> {
        let inbox = self.client.new_inbox();
        let mut messages = self
            .client
            .subscribe(format!("{inbox}.*"))
            .await
            .map_err(|_| Step::Fatal(AuditError::Closed))?;
        let name = match self.replica {
            None => self.make_consumer().await?.0,
            Some(replica) => self.make_consumer_on(replica).await?,
        };
        let read = self.pull_all(&name, &inbox, &mut messages, sink, progress).await;
        // Best effort: the server removes it by itself, too.
        let _ = self.request(&format!("CONSUMER.DELETE.{STREAM}.{name}"), &Value::Null).await;
        read
    }

    /// A consumer of one replica lives where the server puts it, at random: tries until it is the
    /// wanted one. Nothing else is disturbed by that.
    async fn make_consumer_on(&self, replica: &str) -> Result<String, Step> {
        let mut elsewhere = String::new();
        for _ in 0..PLACEMENTS {
            let (name, leader) = self.make_consumer().await?;
            if leader == replica {
                return Ok(name);
            }
            let _ = self.request(&format!("CONSUMER.DELETE.{STREAM}.{name}"), &Value::Null).await;
            elsewhere = leader;
        }
        Err(Step::Fatal(AuditError::Unplaced { replica: replica.to_owned(), elsewhere }))
    }

    /// Makes a consumer; returns its name and the server it lives on.
    async fn make_consumer(&self) -> Result<(String, String), Step> {
        let name = format!("audit-{}", self.client.new_inbox().replace(['.', '_'], ""));
        let config = json!({
            "stream_name": STREAM,
            "action": "create",
            "config": {
                "name": name,
                "deliver_policy": "by_start_sequence",
                "opt_start_seq": self.next,
                "ack_policy": "none",
                "replay_policy": "instant",
                "mem_storage": true,
                "num_replicas": 1,
                "inactive_threshold": (2 * STALLED).as_nanos() as u64,
            },
        });
        let made = self.request(&format!("CONSUMER.CREATE.{STREAM}.{name}"), &config).await?;
        let leader = made.pointer("/cluster/leader").and_then(Value::as_str).unwrap_or_default();
        Ok((name, leader.to_owned()))
    }

    /// A request to the zone's API; its errors are worth another try, but for a missing stream.
    async fn request(&self, what: &str, body: &Value) -> Result<Value, Step> {
        match ask(self.client, what, body).await.map_err(Step::Again)? {
            Ok(answer) => Ok(answer),
            Err(error) if error.err_code == NO_STREAM => Err(Step::Fatal(AuditError::NoStream)),
            Err(error) => Err(Step::Again(error.description)),
        }
    }

    async fn pull_all(
        &mut self,
        name: &str,
        inbox: &str,
        messages: &mut Subscriber,
        sink: &mut impl FnMut(&Entry<'_>),
        progress: &mut impl FnMut(u64),
    ) -> Result<(), Step> {
        let mut delivered = 0;
        let mut request = 0;
        while self.next <= self.last {
            request += 1;
            let batch = self.batch.min(self.last - self.next + 1);
            let body = json!({"batch": batch, "no_wait": true});
            let asking = self.client.publish_with_reply(
                format!("$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{name}"),
                format!("{inbox}.{request}"),
                body.to_string().into(),
            );
            match timeout(REQUEST, asking).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Step::Fatal(AuditError::Closed)),
                Err(_) => return Err(Step::Again("the connection takes nothing".into())),
            }
            let before = delivered;
            let mut left = batch;
            while left > 0 && self.next <= self.last {
                let message = match timeout(SILENCE, messages.next()).await {
                    Ok(Some(message)) => message,
                    Ok(None) => return Err(Step::Fatal(AuditError::Closed)),
                    Err(_) => return Err(Step::Again("the server went silent".into())),
                };
                match message.status.map(|status| status.as_u16()) {
                    None => {}
                    // No more messages.
                    Some(404 | 408) => break,
                    Some(code) => {
                        let text = message.description.unwrap_or_default();
                        return Err(Step::Again(format!("{text} ({code})")));
                    }
                }
                let Some(delivery) = message.reply.as_deref().and_then(Delivery::read) else {
                    continue;
                };
                delivered += 1;
                left -= 1;
                if delivery.consumer_seq != delivered {
                    return Err(Step::Again("a message went missing on the way".into()));
                }
                self.entry(&message, delivery.stream_seq, sink);
            }
            progress(self.next - 1);
            // Growing by doubling, in case the first messages are small and the next are not.
            self.batch = (BATCH_BYTES / self.largest).min(2 * self.batch).clamp(1, BATCH);
            if delivered == before {
                self.look_for_more().await?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, message: &Message, seq: u64, sink: &mut impl FnMut(&Entry<'_>)) {
        self.progressed = Instant::now();
        self.largest = self.largest.max(message.length as u64);
        if seq > self.next {
            self.found.holes.push((self.next, (seq - 1).min(self.last)));
        }
        self.next = seq + 1;
        if seq > self.last {
            return;
        }
        self.found.messages += 1;
        let id = message.headers.as_ref().and_then(|headers| headers.get(NATS_MESSAGE_ID));
        sink(&Entry {
            seq,
            subject: message.subject.as_str(),
            subject_fits: message.subject.as_str() == DRILL_SUBJECT,
            id: id.map(HeaderValue::as_str),
            payload: &message.payload,
        });
    }

    /// The consumer says that there is nothing more: asks the stream's leader whether that is so.
    async fn look_for_more(&mut self) -> Result<(), Step> {
        let body = json!({"seq": self.next, "next_by_subj": ">"});
        let subject = format!("STREAM.MSG.GET.{STREAM}");
        match ask(self.client, &subject, &body).await.map_err(Step::Again)? {
            Err(error) if error.err_code == NO_MESSAGE => {
                self.found.holes.push((self.next, self.last));
                self.next = self.last.saturating_add(1);
                Ok(())
            }
            Err(error) => Err(Step::Again(error.description)),
            Ok(answer) => match answer.pointer("/message/seq").and_then(Value::as_u64) {
                // Beyond the range: all that is left of it is a hole.
                Some(seq) if seq > self.last => {
                    self.found.holes.push((self.next, self.last));
                    self.next = seq;
                    Ok(())
                }
                _ => Err(Step::Again("the replica that is read lags behind".into())),
            },
        }
    }
}
