//! The producer has moved: what has no clear answer is sent again to the other zone, and before that the
//! last messages that were acknowledged, as a producer does whose acknowledgements were lost.

use futures::{FutureExt, StreamExt};
use tokio::time::Instant;

use super::{PATIENCE, ProduceError, Running, send::Sent};
use crate::nats::{producer::notes::Ack, wire::Liveness};

/// Acknowledged numbers that are sent again, one at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Again {
    next: u64,
    end: u64,
    /// When the next one was sent.
    sent: Option<Instant>,
}

impl Running {
    /// Goes where it is to publish from now on.
    pub(super) async fn follow(&mut self) -> Result<(), ProduceError> {
        // What has been answered by then is.
        while let Some(Some(message)) = self.replies.next().now_or_never() {
            self.on_reply(&message);
        }
        self.target = self.targets.borrow_and_update().clone();
        self.client = self.target.client.clone();
        self.inbox = self.client.new_inbox();
        let replies = self.client.subscribe(format!("{}.*", self.inbox)).await;
        self.replies = replies.map_err(|_| ProduceError::Closed)?;
        self.liveness = Liveness::new(&self.inbox);
        self.greeted = false;
        for span in self.window.expire(Instant::now()) {
            self.notes.unknown(span);
        }
        // Those in between that have no answer are sent again anyway.
        let end = self.next;
        let from = end.saturating_sub(self.target.resend).max(self.first).max(self.refused_to + 1);
        self.again = (from < end).then_some(Again { next: from, end, sent: None });
        if self.again.is_some() || self.window.unknown() > 0 {
            self.recovery = None;
            self.recover_from(format!("the producer moved to {}", self.target.told()));
            if let Some(recovery) = &mut self.recovery {
                recovery.retry_at = Instant::now();
            }
        }
        Ok(())
    }

    /// Sends the next acknowledged number again; whether one is still to be sent.
    pub(super) async fn send_acknowledged(&mut self) -> Result<bool, ProduceError> {
        let Some(mut again) = self.again else { return Ok(false) };
        while again.sent.is_none() && again.next < again.end && self.window.is_open(again.next) {
            again.next += 1;
        }
        self.again = Some(again).filter(|again| again.next < again.end);
        if self.again.is_none() {
            return Ok(false);
        }
        match self.again_due() {
            Some(due) if Instant::now() < due => return Ok(true),
            Some(_) => self.liveness.ask(&self.client).await,
            None => {}
        }
        self.notes.resent(again.next);
        let records = self.notes.take();
        self.evidence.write(records).await?;
        match self.publish(again.next).await? {
            Sent::Yes => self.again = Some(Again { sent: Some(Instant::now()), ..again }),
            Sent::Blocked => self.recover_from("the connection takes nothing".into()),
            Sent::Refused(_) => self.acknowledged_again(again.next, false),
        }
        Ok(true)
    }

    /// Until when an acknowledged number's second answer is waited for.
    pub(super) fn again_due(&self) -> Option<Instant> {
        Some(self.again?.sent? + PATIENCE)
    }

    /// A number that is sent again, though it was acknowledged.
    pub(super) fn is_again(&self, number: u64) -> bool {
        self.again.is_some_and(|again| again.next == number && again.sent.is_some())
    }

    /// Its answer came.
    pub(super) fn acknowledged_again(&mut self, number: u64, duplicate: bool) {
        self.retried = (self.retried.0 + 1, self.retried.1 + u64::from(duplicate));
        self.again = self.again.filter(|again| number + 1 < again.end);
        if let Some(again) = &mut self.again {
            (again.next, again.sent) = (number + 1, None);
        }
        if let Some(recovery) = &mut self.recovery {
            recovery.retry_at = Instant::now();
        }
    }

    /// The zone it moved to has answered for the first time.
    pub(super) fn greet(&mut self) {
        if !std::mem::replace(&mut self.greeted, true) {
            self.shared.first_ack.send_if_modified(|first| {
                let new = first.is_none();
                first.get_or_insert_with(Instant::now);
                new
            });
        }
    }

    /// Writes down an acknowledgement of a number that had one before.
    pub(super) fn note_again(&mut self, ack: Ack<'_>) {
        let (number, duplicate) = (ack.number, ack.duplicate);
        self.notes.acked(ack);
        self.acknowledged_again(number, duplicate);
    }
}
