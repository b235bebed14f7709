//! Replies settle messages; a message without a clear one is unknown until it is sent again.

use std::{sync::atomic::Ordering, time::Duration};

use async_nats::Message;
use tokio::time::Instant;

use super::{PATIENCE, Running};
use crate::nats::{
    producer::notes::Ack,
    wire::{Reply, is_connected, number_of, read_reply, reconnect},
};

/// The pause before a message is sent again: from, doubling, to.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// After so many time-outs in a row another server is tried.
const TIMEOUTS_IN_A_ROW: u32 = 3;

/// Some messages have no clear answer.
#[derive(Debug)]
pub(super) struct Recovery {
    pub(super) since: Instant,
    pub(super) why: String,
    back_off: Duration,
    pub(super) retry_at: Instant,
    /// Time-outs since the last acknowledgement.
    timeouts: u32,
    counted_at: Instant,
}

impl Running {
    /// Takes a reply.
    pub(super) fn on_reply(&mut self, message: &Message) {
        if self.liveness.arrived(&message.subject) {
            return;
        }
        let Some(number) = number_of(&message.subject) else { return };
        match read_reply(message) {
            Reply::Stored { seq, domain, duplicate } => {
                let seq = self.target.map.as_ref().map_or(seq, |map| map.borrow().origin(seq));
                self.greet();
                if self.is_again(number) {
                    self.evidence.meter().acked(seq);
                    self.note_again(Ack { number, seq, domain: &domain, duplicate });
                    if self.state.acked_by.as_deref() != Some(&*domain) {
                        self.state.acked_by = Some(domain.into_owned());
                    }
                    return;
                }
                if self.window.settle(number) {
                    if let Some(stored) = self.resent.get_mut(&number) {
                        *stored = seq;
                    }
                } else if self.resent.get(&number).is_none_or(|stored| *stored == seq) {
                    // The late answer to the first copy of what was sent twice.
                    return;
                }
                // Also a second copy at another sequence, if that should ever happen: the ledger
                // must know.
                self.evidence.meter().acked(seq);
                if self.target.source {
                    self.shared.last_seq.fetch_max(seq, Ordering::Relaxed);
                }
                self.notes.acked(Ack { number, seq, domain: &domain, duplicate });
                self.state.acked += 1;
                self.duplicates += u64::from(duplicate);
                self.ids_taken += u64::from(duplicate && !self.resent.contains_key(&number));
                self.state.last_seq = seq;
                if self.state.acked_by.as_deref() != Some(&*domain) {
                    self.state.acked_by = Some(domain.into_owned());
                }
                if let Some(recovery) = &mut self.recovery {
                    recovery.back_off = BACK_OFF.0;
                    recovery.retry_at = Instant::now();
                    recovery.timeouts = 0;
                }
            }
            Reply::Refused(_) if self.is_again(number) => self.acknowledged_again(number, false),
            Reply::Refused(why) => {
                if self.window.settle(number) {
                    self.refused(number, why);
                }
            }
            Reply::Unclear(why) => {
                if self.window.mark_unknown(number) {
                    self.notes.unknown((number, 1));
                    self.recover_from(why);
                }
            }
        }
        let settled = self.window.unknown() == 0 && self.window.waiting() == 0;
        if self.recovery.is_some() && settled && self.again.is_none() {
            self.recovery = None;
        }
    }

    /// A message is not stored, for certain.
    pub(super) fn refused(&mut self, number: u64, why: String) {
        self.state.failed += 1;
        self.refused_to = self.refused_to.max(number);
        *self.refusals.entry(why.clone()).or_default() += 1;
        self.notes.failed((number, 1), why);
    }

    /// A message has no clear reply: begins to recover, or waits longer for the next attempt.
    pub(super) fn recover_from(&mut self, why: String) {
        let now = Instant::now();
        let recovery = self.recovery.get_or_insert_with(|| Recovery {
            since: now,
            why: String::new(),
            back_off: BACK_OFF.0,
            retry_at: now,
            timeouts: 0,
            counted_at: now,
        });
        recovery.why = why;
        if self.window.waiting() == 0 {
            recovery.retry_at = now + recovery.back_off;
            recovery.back_off = (recovery.back_off * 2).min(BACK_OFF.1);
        }
    }

    /// Marks messages unknown whose replies are overdue, and leaves a connection that carries nothing.
    pub(super) async fn expire_overdue(&mut self) {
        let now = Instant::now();
        let overdue = now.checked_sub(PATIENCE).map(|limit| self.window.expire(limit));
        if let Some(spans) = overdue.filter(|spans| !spans.is_empty()) {
            for span in spans {
                self.notes.unknown(span);
            }
            self.recover_from(format!("no answer within {} s", PATIENCE.as_secs()));
            self.liveness.ask(&self.client).await;
            if let Some(recovery) = &mut self.recovery
                && (recovery.timeouts == 0 || now - recovery.counted_at >= PATIENCE / 2)
            {
                recovery.timeouts += 1;
                recovery.counted_at = now;
                if recovery.timeouts >= TIMEOUTS_IN_A_ROW && is_connected(&self.client) {
                    recovery.timeouts = 0;
                    reconnect(&self.client).await;
                }
            }
        }
        self.liveness.check(&self.client).await;
    }
}
