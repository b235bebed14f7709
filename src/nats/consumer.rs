//! A zone's consumer: takes messages, writes down what they are, acknowledges them.
//!
//! It pulls, one request at a time, and a request is either sure to be filled at once (it asks
//! for no more than the server's own count of what is pending) or asks for one message and ends
//! after [`WAIT`]. So there is little to take back when the consumer pauses: the request that
//! is under way is served or runs out, within [`WAIT`] and with one more message at most when the
//! consumer keeps up; then nothing is under way, and the server's counts are exact. Giving the
//! inbox up instead would be quicker but worse: a server with leafnodes goes on delivering to it
//! for two seconds, to nobody.
//!
//! Evidence is on disk before a message is acknowledged: a crash between the two shows as a
//! redelivery, never as a message that nobody has seen.

mod control;
mod latencies;
mod notes;
mod pull;
mod report;

use std::{sync::atomic::Ordering, time::Duration};

use async_nats::{Client, Message, Subscriber};
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use tokio::{
    select,
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

pub use self::{control::Control, report::ConsumerReport};
use self::{
    notes::Notes,
    pull::{Pull, Status},
};
use super::{
    evidence::{Evidence, EvidenceLost},
    pace::Pacer,
    renumbering,
    wire::{BLOCKED, Delivery, Liveness, is_connected, steady_us},
};
use crate::{
    ledger::message::RunId,
    region::{ZonePlan, renumbering::Renumbering},
};

/// The pause before evidence that could not be written is tried again.
const EVIDENCE_PAUSE: Duration = Duration::from_secs(1);
/// How long a request for messages waits at the server when there are none: a request and an
/// answer a second are next to nothing, and a pause is complete within a second.
pub const WAIT: Duration = Duration::from_secs(1);
/// The most messages asked for, and written down, at once.
pub const BATCH: u64 = 500;
/// Bytes asked for at once, reckoned by the largest message so far. (A request's own `max_bytes`
/// slows the server down to an eighth, see [`super::audit`].)
const BATCH_BYTES: u64 = 16 * 1024 * 1024;
/// A request that is not answered so long after its end is lost.
const GRACE: Duration = Duration::from_millis(500);
/// The pause after a request that failed: from, doubling, to.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// The shortest time between two reports.
const TELL: Duration = Duration::from_millis(50);
/// The time over which the rate is counted.
const RATE_SPAN: Duration = Duration::from_millis(500);

/// A consumer at work in a task of its own. Dropping it ends the task in order.
#[derive(Debug)]
pub struct ConsumerTask {
    stop: CancellationToken,
    task: JoinHandle<Result<(), EvidenceLost>>,
}

impl ConsumerTask {
    /// Starts consuming from the durable consumer of the zone's stream over the zone's own
    /// connection. Survives whatever happens to servers, stream and consumer, and says so in the
    /// report's `trouble`; ends by itself only when evidence cannot be written or the client is
    /// closed. The report goes on from what it is now. Evidence is by the source's
    /// sequences: those in the headers of a copy by `sources`, which has a `map`, and by that of what was
    /// not sourced.
    #[must_use]
    pub fn spawn(
        client: Client,
        zone: &ZonePlan,
        run: RunId,
        evidence: Evidence,
        control: watch::Receiver<Control>,
        report: watch::Sender<ConsumerReport>,
        map: Option<watch::Receiver<Renumbering>>,
    ) -> Self {
        let stop = CancellationToken::new();
        let inbox = client.new_inbox();
        let now = Instant::now();
        let state = report.borrow().clone();
        let worker = Worker {
            pull: Pull::new(zone, &inbox),
            liveness: Liveness::new(&inbox),
            inbox,
            notes: Notes::new(zone.name.clone(), run, evidence.clone()),
            map,
            evidence,
            pacer: Pacer::per_second(None, now),
            largest: 1,
            unflushed: 0,
            told: now,
            counted: (now, 0),
            connected_before: state.connections,
            state,
            wanted: Control::default(),
            control,
            report,
            stop: stop.clone(),
            client,
        };
        Self { stop, task: tokio::spawn(worker.work()) }
    }

    /// Ends it once what is in hand is written down and acknowledged (a second at most while the
    /// servers answer).
    ///
    /// # Errors
    /// When evidence could not be written.
    pub async fn stop(mut self) -> Result<(), EvidenceLost> {
        self.stop.cancel();
        (&mut self.task).await.unwrap_or_else(|error| Err(EvidenceLost(error.to_string())))
    }

    /// Ends it at once, wherever it is: like a crash.
    pub fn abort(&self) {
        self.task.abort();
    }
}

impl Drop for ConsumerTask {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Worker {
    client: Client,
    inbox: String,
    evidence: Evidence,
    pull: Pull,
    liveness: Liveness,
    notes: Notes,
    map: Option<watch::Receiver<Renumbering>>,
    pacer: Pacer,
    /// Bytes of the largest message so far.
    largest: u64,
    /// Acknowledgements handed to the client since it was flushed.
    unflushed: usize,
    wanted: Control,
    control: watch::Receiver<Control>,
    state: ConsumerReport,
    report: watch::Sender<ConsumerReport>,
    told: Instant,
    /// When the rate was counted last, and how many were processed by then.
    counted: (Instant, u64),
    /// What the report said of it before this task.
    connected_before: u64,
    stop: CancellationToken,
}

impl Worker {
    async fn work(mut self) -> Result<(), EvidenceLost> {
        let Ok(mut inbox) = self.client.subscribe(format!("{}.*", self.inbox)).await else {
            return Ok(());
        };
        loop {
            self.obey();
            let batch = self.take(&mut inbox);
            let leaving = self.stop.is_cancelled();
            if !leaving && !self.wanted.rests() {
                self.ask().await;
            }
            if !batch.is_empty() {
                self.process(batch).await?;
            } else if leaving && (!self.pull.is_open() || !is_connected(&self.client)) {
                let _ = timeout(BLOCKED, self.client.flush()).await;
                // Whoever consumes here next goes on from that.
                self.report.send_replace(self.state.clone());
                return Ok(());
            }
            self.watch_silence().await;
            self.tell();
            let wake = self.wake();
            select! {
                message = inbox.next() => match message {
                    Some(message) => if let Some(message) = self.receive(message) {
                        let mut batch = vec![message];
                        batch.append(&mut self.take(&mut inbox));
                        if !self.stop.is_cancelled() && !self.control.borrow().rests() {
                            self.ask().await;
                        }
                        self.process(batch).await?;
                    },
                    None => return Ok(()),
                },
                () = sleep_until(wake) => {}
                changed = self.control.changed() => if changed.is_err() {
                    // Whoever controlled it has gone.
                    self.stop.cancel();
                },
                () = self.stop.cancelled(), if !leaving => {}
            }
        }
    }

    /// Takes over what it is told to do.
    fn obey(&mut self) {
        let wanted = *self.control.borrow_and_update();
        if wanted.limit != self.wanted.limit {
            self.pacer = Pacer::per_second(wanted.limit, Instant::now());
        }
        if self.wanted.rests() && !wanted.rests() {
            self.notes.resumed();
        }
        self.wanted = wanted;
        self.state.paused = self.is_paused();
    }

    /// Paused, as it is reported.
    fn is_paused(&self) -> bool {
        self.wanted.paused && (self.wanted.defiant || !self.pull.is_open())
    }

    /// Takes what has arrived, up to a batch.
    fn take(&mut self, inbox: &mut Subscriber) -> Vec<(Message, Delivery)> {
        let mut batch = Vec::new();
        while batch.len() < BATCH as usize {
            match inbox.next().now_or_never() {
                Some(Some(message)) => batch.extend(self.receive(message)),
                Some(None) | None => break,
            }
        }
        batch
    }

    /// A delivered message, or a word of the server about a request.
    fn receive(&mut self, message: Message) -> Option<(Message, Delivery)> {
        if self.liveness.arrived(&message.subject) {
            return None;
        }
        if let Some(status) = Status::of(&message) {
            self.state.trouble = self.pull.ended(&status, Instant::now());
            return None;
        }
        let delivery = message.reply.as_deref().and_then(Delivery::read)?;
        self.state.trouble = None;
        self.pull.delivered(delivery.pending);
        self.largest = self.largest.max(message.length as u64);
        Some((message, delivery))
    }

    /// Asks for messages, if no request is under way and some are due.
    async fn ask(&mut self) {
        let now = Instant::now();
        if self.pull.is_open() || self.pull.retry_at() > now {
            return;
        }
        if !is_connected(&self.client) {
            self.state.trouble = Some("not connected to the zone".into());
            return;
        }
        let most = self.pull.pending().min(BATCH).min(BATCH_BYTES / self.largest).max(1);
        let due = self.pacer.take(now, most);
        if due > 0 {
            self.pull.open(&self.client, due).await;
        }
    }

    /// Writes messages down, then acknowledges them.
    async fn process(&mut self, batch: Vec<(Message, Delivery)>) -> Result<(), EvidenceLost> {
        for (message, delivery) in &batch {
            let own = delivery.stream_seq;
            let stream_seq = match &self.map {
                None => own,
                Some(map) => renumbering::origin_in(message.headers.as_ref())
                    .unwrap_or_else(|| map.borrow().origin(own)),
            };
            let delivery = Delivery { stream_seq, ..*delivery };
            self.notes.add(&message.payload, delivery, &mut self.state);
        }
        let records = self.notes.take();
        // What is not on disk is not acknowledged; a full disk is waited for.
        while let Err(lost) = self.evidence.write(records.clone()).await {
            if lost.is_final() || self.stop.is_cancelled() {
                return Err(lost);
            }
            self.state.trouble = Some(lost.to_string());
            self.tell();
            select! {
                () = tokio::time::sleep(EVIDENCE_PAUSE) => {}
                () = self.stop.cancelled() => {}
            }
        }
        self.unflushed += batch.len();
        for (message, _) in batch {
            let Some(reply) = message.reply else { continue };
            let ack = self.client.publish(reply, Bytes::from_static(b"+ACK"));
            if !matches!(timeout(BLOCKED, ack).await, Ok(Ok(()))) {
                // The connection takes nothing: these will be delivered again.
                break;
            }
        }
        // Acknowledgements must not pile up in the client while its socket is slow; to wait for each
        // would cost two changes of thread a message.
        if self.unflushed >= BATCH as usize {
            self.unflushed = 0;
            let _ = timeout(BLOCKED, self.client.flush()).await;
        }
        Ok(())
    }

    /// Gives up a request that is long over, and a connection that carries nothing.
    async fn watch_silence(&mut self) {
        let now = Instant::now();
        let quiet = now.saturating_duration_since(self.liveness.heard()) > GRACE;
        if quiet && self.pull.deadline().is_some_and(|end| end + GRACE <= now) {
            self.pull.lost(now);
            self.state.trouble = Some("a request for messages was not answered".into());
            self.liveness.ask(&self.client).await;
        }
        if self.liveness.check(&self.client).await {
            self.state.trouble = Some("the server answers nothing: trying another one".into());
        }
    }

    /// When something may have to be done.
    fn wake(&self) -> Instant {
        let now = Instant::now();
        let idle = !self.pull.is_open() && !self.wanted.rests() && !self.stop.is_cancelled();
        let next_ask = idle.then(|| {
            let due = self.pacer.next().unwrap_or(now).max(self.pull.retry_at());
            // A connection that is down is looked at now and then.
            if is_connected(&self.client) { due } else { due.max(now + BACK_OFF.0) }
        });
        let silence =
            self.pull.deadline().map(|end| (end + GRACE).max(self.liveness.heard() + GRACE));
        let news = *self.report.borrow() != self.state;
        let wake = [
            next_ask,
            silence,
            self.liveness.deadline(),
            news.then(|| self.told + TELL),
            (self.state.rate > 0.0).then(|| self.counted.0 + RATE_SPAN),
            self.state.latency.is_some().then(|| now + Duration::from_secs(1)),
        ];
        let wake = wake.into_iter().flatten().min().unwrap_or(now + Duration::from_secs(60));
        // A sleep of zero would be none, and others must have their turn.
        wake.max(now + Duration::from_millis(1))
    }

    fn tell(&mut self) {
        let since = self.counted.0.elapsed();
        if since >= RATE_SPAN {
            self.state.rate = (self.state.processed - self.counted.1) as f64 / since.as_secs_f64();
            self.counted = (Instant::now(), self.state.processed);
        }
        self.state.latency = self.notes.latencies().told(steady_us());
        self.state.paused = self.is_paused();
        let connects = self.client.statistics().connects.load(Ordering::Relaxed);
        self.state.connections = self.connected_before + connects;
        if self.told.elapsed() >= TELL && *self.report.borrow() != self.state {
            self.told = Instant::now();
            self.report.send_replace(self.state.clone());
        }
    }
}
