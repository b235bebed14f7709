//! Sending: numbers are announced on disk, sent when due, and sent again while their outcome is unknown.

use std::sync::atomic::Ordering;

use async_nats::{HeaderMap, client::PublishErrorKind, header::NATS_MESSAGE_ID};
use tokio::time::{Instant, timeout};

use super::{ProduceError, Running};
use crate::{
    ledger::{message::encode, record::Record},
    nats::{
        producer::Fault,
        wire::{BLOCKED, is_connected, now_ms, steady_us},
    },
};

/// The most messages sent before answers are looked at again.
const TURN: u64 = 128;

/// What became of an attempt to send.
pub(super) enum Sent {
    Yes,
    /// There was no room; nothing was sent.
    Blocked,
    /// It cannot be sent at all.
    Refused(String),
}

impl Running {
    /// Announces numbers ahead of their sending, so that sending need not wait for the disk.
    pub(super) async fn announce(&mut self) -> Result<(), ProduceError> {
        let left = self.announced - self.next;
        if let Some((to, writing)) = &mut self.announcing {
            if left > 0 && !writing.is_finished() {
                return Ok(());
            }
            let written = writing.await.map_err(|_| ProduceError::Closed)?;
            self.announced = *to;
            self.announcing = None;
            written?;
        }
        let end = self.end.unwrap_or(u64::MAX);
        if self.announcing.is_none()
            && self.announced < end
            && self.announced - self.next <= self.chunk / 2
        {
            let count = self.chunk.min(end - self.announced);
            let record =
                Record::Intend { p: self.id.producer, n: self.announced, c: count, at: now_ms() };
            if left == 0 {
                self.evidence.write(vec![record]).await?;
                self.announced += count;
            } else {
                let evidence = self.evidence.clone();
                let writing = tokio::spawn(async move { evidence.write(vec![record]).await });
                self.announcing = Some((self.announced + count, writing));
            }
        }
        Ok(())
    }

    /// Sends what is due. Returns whether something was sent.
    pub(super) async fn send_due(&mut self) -> Result<bool, ProduceError> {
        self.announce().await?;
        if !is_connected(&self.client) {
            return Ok(false);
        }
        let window = self.most();
        let room = (window - self.window.len().min(window)) as u64;
        let due = self.pacer.take(Instant::now(), room.min(self.announced - self.next).min(TURN));
        let until = self.next + due;
        while self.next < until {
            let number = self.next;
            if number + 2 <= self.announced && self.shared.takes(Fault::Swap) {
                if !self.send_swapped().await? {
                    return Ok(false);
                }
                continue;
            }
            let sent = self.publish(number).await?;
            if matches!(sent, Sent::Blocked) {
                return Ok(false);
            }
            self.window.push(Instant::now());
            self.next += 1;
            self.state.sent += 1;
            self.state.last_number = number;
            if let Sent::Refused(why) = sent {
                self.window.settle(number);
                self.refused(number, why);
            }
        }
        Ok(due > 0)
    }

    /// Sabotage: sends the next two numbers in the wrong order.
    async fn send_swapped(&mut self) -> Result<bool, ProduceError> {
        for number in [self.next + 1, self.next] {
            if !matches!(self.publish(number).await?, Sent::Yes) {
                return Ok(false);
            }
        }
        for _ in 0..2 {
            self.window.push(Instant::now());
        }
        self.next += 2;
        self.state.sent += 2;
        self.state.last_number = self.next - 1;
        Ok(true)
    }

    /// Sends the lowest unknown number again, when nothing else is under way.
    pub(super) async fn send_again(&mut self) -> Result<(), ProduceError> {
        let due =
            self.recovery.as_ref().is_some_and(|recovery| recovery.retry_at <= Instant::now());
        if !due || self.window.waiting() > 0 || !is_connected(&self.client) {
            return Ok(());
        }
        if self.send_acknowledged().await? {
            return Ok(());
        }
        let Some((number, _)) = self.window.first_unknown() else {
            self.recovery = None;
            return Ok(());
        };
        self.notes.resent(number);
        let records = self.notes.take();
        self.evidence.write(records).await?;
        match self.publish(number).await? {
            Sent::Yes => {
                self.resent.entry(number).or_insert(0);
                self.window.wait_again(number, Instant::now());
            }
            Sent::Blocked => self.recover_from("the connection takes nothing".into()),
            // Its first copy was of the same size: cannot be.
            Sent::Refused(why) => self.recover_from(why),
        }
        Ok(())
    }

    pub(super) async fn publish(&mut self, number: u64) -> Result<Sent, ProduceError> {
        self.id.number = number;
        let mut payload = encode(&self.id, steady_us(), self.size);
        if self.shared.takes(Fault::Corrupt) {
            let mut altered = payload.to_vec();
            if let Some(last) = altered.last_mut() {
                *last ^= 1;
            }
            payload = altered.into();
        }
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, self.id.to_string());
        let reply = format!("{}.{number}", self.inbox);
        let sending = self.client.publish_with_reply_and_headers(
            self.target.subject.clone(),
            reply,
            headers,
            payload,
        );
        match timeout(BLOCKED, sending).await {
            Ok(Ok(())) => Ok(Sent::Yes),
            Ok(Err(error)) if error.kind() == PublishErrorKind::Send => Err(ProduceError::Closed),
            Ok(Err(error)) => Ok(Sent::Refused(error.to_string())),
            Err(_) => Ok(Sent::Blocked),
        }
    }

    /// The most messages that may be under way.
    pub(super) fn most(&self) -> usize {
        self.shared.window.load(Ordering::Relaxed)
    }
}
