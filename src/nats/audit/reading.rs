//! One reading: a consumer after the other, until the range is read.

use std::{collections::VecDeque, time::Duration};

use async_nats::{Client, HeaderValue, Message, Subscriber, header::NATS_MESSAGE_ID};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::{AuditError, Found, Numbers, REQUEST, STALLED, ask};
use crate::{
    ledger::audit::Entry,
    nats::{api, renumbering, wire::Delivery},
    region::topology::{DRILL_SUBJECT, STREAM},
};

/// Messages asked for in one request: some 5 ms of reading.
const BATCH: u64 = 256;
/// Bytes asked for in all, reckoned by the largest message so far, so that large messages do not
/// fill the memory. The request's own `max_bytes` would do that too, but costs eight times as much
/// as the reading itself (2.15.1: 8k instead of 65k to 90k messages a second).
const BATCH_BYTES: u64 = 16 * 1024 * 1024;
/// The first batch: the largest possible messages fit into [`BATCH_BYTES`].
pub(super) const FIRST_BATCH: u64 = 16;
/// Requests under way: the server goes on while the last messages are on their way (twice as fast as
/// one at a time on an idle machine; more bring nothing).
const AHEAD: usize = 2;
/// How long nothing may come before a new consumer is tried.
const SILENCE: Duration = Duration::from_secs(1);
/// Tries to have a consumer placed on one server of three: that all fail by chance happens once in
/// ten million.
const PLACEMENTS: u32 = 40;
/// The pause before so many are made again.
const PLACEMENT_PAUSE: Duration = Duration::from_secs(1);
/// Why a consumer's part of the reading ended before its time.
pub(super) enum Step {
    Again(String),
    Fatal(AuditError),
}

pub(super) struct Reading<'a> {
    pub(super) client: &'a Client,
    /// The only server it may be read from.
    pub(super) replica: Option<&'a str>,
    pub(super) numbers: Numbers,
    /// The next sequence of the range.
    pub(super) next: u64,
    /// Where that is in the stream itself; `None` until it was looked up.
    pub(super) own: Option<u64>,
    pub(super) last: u64,
    pub(super) found: Found,
    /// How many messages to ask for.
    pub(super) batch: u64,
    /// Bytes of the largest message so far.
    pub(super) largest: u64,
    pub(super) progressed: Instant,
    pub(super) why: String,
}

impl Reading<'_> {
    pub(super) fn check_stall(&self) -> Result<(), AuditError> {
        if self.progressed.elapsed() < STALLED {
            return Ok(());
        }
        Err(AuditError::Stalled { next: self.next, why: self.why.clone() })
    }

    /// Reads with one consumer as far as it goes.
    pub(super) async fn read_on(
        &mut self,
        sink: &mut impl FnMut(&Entry<'_>),
        progress: &mut impl FnMut(u64),
    ) -> Result<(), Step> {
        if self.own.is_none() {
            let found = renumbering::at_or_after(self.client, self.next).await;
            let found = found.map_err(|failure| Step::Again(failure.words()))?;
            let Some(place) = found else {
                self.found.holes.push((self.next, self.last));
                self.next = self.last.saturating_add(1);
                return Ok(());
            };
            self.own = Some(place.own);
        }
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
        // A server that has just come back is not given any for some seconds.
        sleep(PLACEMENT_PAUSE).await;
        Err(Step::Again(format!(
            "no consumer was placed on {replica} in {PLACEMENTS} tries (the last one on {elsewhere}): it does not serve the stream now"
        )))
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
                "opt_start_seq": self.own.unwrap_or(self.next),
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
            Err(error) if error.err_code == api::STREAM_NOT_FOUND => {
                Err(Step::Fatal(AuditError::NoStream))
            }
            Err(error) => Err(Step::Again(error.description)),
        }
    }

    /// Reads with one consumer, with the next messages asked for while the last are on their way.
    async fn pull_all(
        &mut self,
        name: &str,
        inbox: &str,
        messages: &mut Subscriber,
        sink: &mut impl FnMut(&Entry<'_>),
        progress: &mut impl FnMut(u64),
    ) -> Result<(), Step> {
        let (mut delivered, mut before) = (0, 0);
        // What is asked for: the number of the request, and how many messages it still brings.
        let mut asked: VecDeque<(u64, u64)> = VecDeque::new();
        let mut requests = 0;
        // One request came to the end of the stream: others behind it would only be refused.
        let mut ended = false;
        while self.next <= self.last {
            let under_way: u64 = asked.iter().map(|(_, left)| left).sum();
            let left = (self.last - self.next + 1).saturating_sub(under_way);
            let ahead = if ended || self.batch == FIRST_BATCH { 1 } else { AHEAD };
            if left > 0 && asked.len() < ahead {
                requests += 1;
                let batch = self.batch.min(left);
                self.ask_for(name, format!("{inbox}.{requests}"), batch).await?;
                asked.push_back((requests, batch));
                continue;
            }
            let message = match timeout(SILENCE, messages.next()).await {
                Ok(Some(message)) => message,
                Ok(None) => return Err(Step::Fatal(AuditError::Closed)),
                Err(_) => return Err(Step::Again("the server went silent".into())),
            };
            match message.status.map(|status| status.as_u16()) {
                None => {}
                // No more messages for this request.
                Some(404 | 408) => {
                    let number = message.subject.rsplit('.').next().and_then(|n| n.parse().ok());
                    asked.retain(|(request, _)| Some(*request) != number);
                    ended = true;
                    progress(self.next - 1);
                }
                Some(code) => {
                    let text = message.description.unwrap_or_default();
                    return Err(Step::Again(format!("{text} ({code})")));
                }
            }
            if let Some(delivery) = message.reply.as_deref().and_then(Delivery::read) {
                delivered += 1;
                if delivery.consumer_seq != delivered {
                    return Err(Step::Again("a message went missing on the way".into()));
                }
                self.entry(&message, delivery.stream_seq, sink);
                // They are served one after the other.
                if let Some((_, left)) = asked.front_mut() {
                    *left -= 1;
                    if *left == 0 {
                        asked.pop_front();
                        progress(self.next - 1);
                        self.grow();
                    }
                }
            }
            if asked.is_empty() && std::mem::take(&mut ended) {
                if delivered == before {
                    self.look_for_more().await?;
                }
                before = delivered;
            }
        }
        Ok(())
    }

    /// Asks for more messages at once, by doubling, in case the first are small and the next are not.
    fn grow(&mut self) {
        let room = BATCH_BYTES / AHEAD as u64 / self.largest;
        self.batch = room.min(2 * self.batch).clamp(1, BATCH);
    }

    async fn ask_for(&self, name: &str, answers: String, batch: u64) -> Result<(), Step> {
        let body = json!({"batch": batch, "no_wait": true});
        let asking = self.client.publish_with_reply(
            format!("$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{name}"),
            answers,
            body.to_string().into(),
        );
        match timeout(REQUEST, asking).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Step::Fatal(AuditError::Closed)),
            Err(_) => Err(Step::Again("the connection takes nothing".into())),
        }
    }

    fn entry(&mut self, message: &Message, own: u64, sink: &mut impl FnMut(&Entry<'_>)) {
        self.progressed = Instant::now();
        self.largest = self.largest.max(message.length as u64);
        let seq = match self.numbers {
            Numbers::Own => own,
            Numbers::Source => renumbering::origin_in(message.headers.as_ref())
                .unwrap_or_else(|| self.next + own.saturating_sub(self.own.unwrap_or(own))),
        };
        self.own = Some(own + 1);
        if seq > self.next {
            self.found.holes.push((self.next, (seq - 1).min(self.last)));
        }
        self.next = self.next.max(seq + 1);
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
        let body = json!({"seq": self.own.unwrap_or(self.next), "next_by_subj": ">"});
        let subject = format!("STREAM.MSG.GET.{STREAM}");
        match ask(self.client, &subject, &body).await.map_err(Step::Again)? {
            Err(error) if error.err_code == api::NO_MESSAGE => {
                self.found.holes.push((self.next, self.last));
                self.next = self.last.saturating_add(1);
                Ok(())
            }
            Err(error) => Err(Step::Again(error.description)),
            Ok(answer) => match answer.pointer("/message/seq").and_then(Value::as_u64) {
                // Beyond the range: all that is left of it is a hole.
                Some(seq) if seq > self.last && self.numbers == Numbers::Own => {
                    self.found.holes.push((self.next, self.last));
                    self.next = seq;
                    Ok(())
                }
                _ => Err(Step::Again("the replica that is read lags behind".into())),
            },
        }
    }
}
