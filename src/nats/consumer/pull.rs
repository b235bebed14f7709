//! The one request for messages that is under way.

use std::time::Duration;

use async_nats::{Client, Message};
use tokio::time::{Instant, timeout};

use super::{BACK_OFF, WAIT};
use crate::{
    nats::wire::{BLOCKED, number_of},
    region::ZonePlan,
};

/// A word of the server about a request, instead of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Status {
    request: u64,
    code: u16,
    text: String,
}

impl Status {
    /// Reads it; `None` for a delivered message.
    pub(super) fn of(message: &Message) -> Option<Self> {
        let code = message.status?.as_u16();
        let text = message.description.clone().unwrap_or_default();
        Some(Self { request: number_of(&message.subject)?, code, text })
    }
}

/// Asks a consumer for messages.
#[derive(Debug)]
pub(super) struct Pull {
    subject: String,
    inbox: String,
    /// The request's number: the last token of its reply subject.
    request: u64,
    /// Messages still to come.
    left: u64,
    since: Instant,
    /// What the consumer had not delivered after its last message.
    pending: u64,
    back_off: Duration,
    retry_at: Instant,
}

impl Pull {
    pub(super) fn new(zone: &ZonePlan, inbox: &str) -> Self {
        let now = Instant::now();
        let (api, stream, consumer) = (zone.api(), zone.stream(), zone.consumer());
        Self {
            subject: format!("{api}.CONSUMER.MSG.NEXT.{stream}.{consumer}"),
            inbox: inbox.to_owned(),
            request: 0,
            left: 0,
            since: now,
            pending: 0,
            back_off: BACK_OFF.0,
            retry_at: now,
        }
    }

    /// A request is under way.
    pub(super) fn is_open(&self) -> bool {
        self.left > 0
    }

    /// When the next request may be made.
    pub(super) fn retry_at(&self) -> Instant {
        self.retry_at
    }

    /// When the request under way is over by itself.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.is_open().then(|| self.since + WAIT)
    }

    /// Messages the server can deliver at once.
    pub(super) fn pending(&self) -> u64 {
        self.pending
    }

    /// Asks for up to `batch` messages.
    pub(super) async fn open(&mut self, client: &Client, batch: u64) {
        self.request += 1;
        self.since = Instant::now();
        let body = format!(r#"{{"batch":{batch},"expires":{}}}"#, WAIT.as_nanos());
        let reply = format!("{}.{}", self.inbox, self.request);
        let asking = client.publish_with_reply(self.subject.clone(), reply, body.into());
        if matches!(timeout(BLOCKED, asking).await, Ok(Ok(()))) {
            self.left = batch;
        } else {
            self.wait(self.since);
        }
    }

    /// A message came; `pending` more are waiting at the server.
    pub(super) fn delivered(&mut self, pending: u64) {
        self.left = self.left.saturating_sub(1);
        self.pending = pending;
        self.back_off = BACK_OFF.0;
    }

    /// The server ended a request. Returns what is wrong, if it is not just that there was nothing.
    pub(super) fn ended(&mut self, status: &Status, now: Instant) -> Option<String> {
        if status.request != self.request || status.code == 100 {
            return None;
        }
        self.left = 0;
        self.pending = 0;
        // 408: its time is over. 404: no messages. A server that answers so too early is asked
        // again more slowly.
        if matches!(status.code, 404 | 408) && now - self.since >= WAIT / 2 {
            self.back_off = BACK_OFF.0;
            self.retry_at = now;
            return None;
        }
        self.wait(now);
        match status.code {
            404 | 408 => None,
            503 => {
                Some("no server answers for the consumer (no leader, or it does not exist)".into())
            }
            code => Some(format!("the server says: {} ({code})", status.text)),
        }
    }

    /// No answer came.
    pub(super) fn lost(&mut self, now: Instant) {
        self.left = 0;
        self.pending = 0;
        self.wait(now);
    }

    fn wait(&mut self, now: Instant) {
        self.retry_at = now + self.back_off;
        self.back_off = (self.back_off * 2).min(BACK_OFF.1);
    }
}
