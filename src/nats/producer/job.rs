//! The loop of a job: publish, take replies, publish again what has no clear reply, write it all down.
//!
//! Answers come to an inbox of the job's own whose last token is the message's number, on one
//! subscription: cheaper than a one-time request for each message, and an answer that comes late
//! still finds its message.

mod moving;
mod replies;
mod send;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_nats::{Client, Subscriber};
use futures::{FutureExt, StreamExt};
use tokio::{
    select,
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;

use self::{moving::Again, replies::Recovery};
use super::{
    CHUNK, Ended, FLUSH, GIVE_UP, Job, JobProgress, JobReport, PATIENCE, Plan, ProduceError,
    Producer, STOP_PATIENCE, Schedule, Shared, Target, WINDOW, notes::Notes, sent_again_for,
    window::Window,
};
use crate::{
    ledger::message::MessageId,
    nats::{
        evidence::{Evidence, EvidenceLost},
        pace::Pacer,
        wire::{Liveness, is_connected},
    },
};

/// The shortest time between two reports of progress.
const TELL: Duration = Duration::from_millis(50);
/// How often a connection that is down is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// Numbers that are being announced.
type Announcing = JoinHandle<Result<(), EvidenceLost>>;

pub(super) struct Running {
    client: Client,
    /// Where it publishes, and where it is to publish from now on.
    target: Target,
    targets: watch::Receiver<Target>,
    /// The first acknowledgement from there was told.
    greeted: bool,
    first: u64,
    evidence: Evidence,
    shared: Arc<Shared>,
    id: MessageId,
    size: u32,
    end: Option<u64>,
    inbox: String,
    replies: Subscriber,
    liveness: Liveness,
    pacer: Pacer,
    next: u64,
    chunk: u64,
    /// One past the last number announced on disk.
    announced: u64,
    announcing: Option<(u64, Announcing)>,
    /// Once it is told to stop: until when what has no clear answer is sent again.
    stop_by: Option<Instant>,
    window: Window,
    notes: Notes,
    /// How long after its first sending a message is sent again.
    again_for: Duration,
    recovery: Option<Recovery>,
    /// Acknowledged numbers that are sent again after a move.
    again: Option<Again>,
    retried: (u64, u64),
    /// The highest number that was refused.
    refused_to: u64,
    /// Numbers sent again, and where they were stored (0 as long as that is not known).
    resent: BTreeMap<u64, u64>,
    duplicates: u64,
    ids_taken: u64,
    refusals: BTreeMap<String, u64>,
    started: Instant,
    state: JobProgress,
    progress: watch::Sender<JobProgress>,
    told: Instant,
}

impl Running {
    pub(super) async fn start(
        producer: &Producer,
        plan: &Plan,
        job: &Job,
        progress: watch::Sender<JobProgress>,
    ) -> Result<Self, ProduceError> {
        let mut targets = producer.target.subscribe();
        let target = targets.borrow_and_update().clone();
        let client = target.client.clone();
        let inbox = client.new_inbox();
        let replies =
            client.subscribe(format!("{inbox}.*")).await.map_err(|_| ProduceError::Closed)?;
        let now = Instant::now();
        let pacer = match plan.schedule {
            Schedule::Every(step) => Pacer::every(step, now),
            Schedule::PerSecond(rate) => Pacer::per_second(Some(rate), now),
            Schedule::Free => Pacer::per_second(None, now),
        };
        let chunk = pacer.rate().map_or(CHUNK, |rate| (rate.ceil() as u64).clamp(1, CHUNK));
        Ok(Self {
            evidence: producer.evidence.clone(),
            shared: Arc::clone(&producer.shared),
            id: MessageId { run: producer.run.clone(), producer: job.producer, number: plan.first },
            size: plan.size,
            end: plan.end,
            liveness: Liveness::new(&inbox),
            inbox,
            replies,
            pacer,
            next: plan.first,
            chunk,
            announced: plan.first,
            announcing: None,
            stop_by: None,
            window: Window::new(plan.first),
            notes: Notes::new(job.producer),
            again_for: sent_again_for(job.remembered),
            recovery: None,
            again: None,
            retried: (0, 0),
            refused_to: 0,
            target,
            targets,
            greeted: false,
            first: plan.first,
            resent: BTreeMap::new(),
            duplicates: 0,
            ids_taken: 0,
            refusals: BTreeMap::new(),
            started: now,
            state: JobProgress::default(),
            progress,
            told: now,
            client,
        })
    }

    pub(super) async fn drive(
        mut self,
        stop: &CancellationToken,
    ) -> Result<JobReport, ProduceError> {
        let ended = self.publish_all(stop).await;
        match ended {
            Ok(ended) => {
                if ended != Ended::Complete {
                    self.wait_for_window().await;
                }
                self.close(ended).await
            }
            Err(ProduceError::Closed) => {
                self.close(Ended::GaveUp("closed".into())).await?;
                Err(ProduceError::Closed)
            }
            Err(error) => Err(error),
        }
    }

    async fn publish_all(&mut self, stop: &CancellationToken) -> Result<Ended, ProduceError> {
        loop {
            while let Some(message) = self.replies.next().now_or_never() {
                self.on_reply(&message.ok_or(ProduceError::Closed)?);
            }
            if self.targets.has_changed().unwrap_or(false) {
                self.follow().await?;
            }
            self.expire_overdue().await;
            if self.notes.messages() >= WINDOW
                || self.notes.since().is_some_and(|since| since.elapsed() >= FLUSH)
            {
                self.flush().await?;
            }
            self.tell(false);
            let stopped = stop.is_cancelled();
            if stopped {
                // What has no clear answer is sent again for a while: a zone may be electing.
                let until = *self.stop_by.get_or_insert_with(|| Instant::now() + STOP_PATIENCE);
                self.end = Some(self.next);
                let settled = self.window.is_empty() && self.again.is_none();
                if settled || Instant::now() >= until {
                    return Ok(Ended::Stopped);
                }
            }
            let sent = self.end.is_some_and(|end| self.next >= end);
            if sent && self.window.is_empty() && self.again.is_none() {
                return Ok(Ended::Complete);
            }
            if let Some(recovery) = &self.recovery {
                let first = self.window.first_unknown();
                if first.is_some_and(|(_, first)| first.ago() > self.again_for) {
                    return Ok(Ended::Forgotten);
                }
                if recovery.since.elapsed() > GIVE_UP {
                    return Ok(Ended::GaveUp(recovery.why.clone()));
                }
                self.send_again().await?;
            } else if !stopped && self.send_due().await? {
                continue;
            }
            self.wait(stop).await?;
        }
    }

    async fn flush(&mut self) -> Result<(), ProduceError> {
        let records = self.notes.take();
        if !records.is_empty() {
            self.evidence.send(records).await?;
        }
        Ok(())
    }

    /// Sleeps until something may have to be done.
    async fn wait(&mut self, stop: &CancellationToken) -> Result<(), ProduceError> {
        let now = Instant::now();
        let connected = is_connected(&self.client);
        let room = self.window.len() < self.most() && self.announced > self.next;
        let wake = [
            self.window.oldest().map(|sent| sent + PATIENCE),
            self.notes.since().map(|since| since + FLUSH),
            self.liveness.deadline(),
            Some(self.told + TELL).filter(|_| self.is_news()),
            Some(now + GLANCE).filter(|_| !connected),
            self.recovery
                .as_ref()
                .map(|r| r.retry_at)
                .filter(|_| connected && self.window.waiting() == 0 && self.again_due().is_none()),
            self.again_due(),
            self.stop_by,
            self.pacer
                .next()
                .filter(|_| self.recovery.is_none() && connected && room && self.stop_by.is_none()),
        ];
        let wake = wake.into_iter().flatten().min().unwrap_or(now + Duration::from_secs(1));
        // A sleep of zero would be none, and others must have their turn.
        let wake = wake.max(now + Duration::from_micros(200));
        select! {
            message = self.replies.next() => self.on_reply(&message.ok_or(ProduceError::Closed)?),
            () = sleep_until(wake) => {}
            _ = self.targets.changed() => self.targets.mark_changed(),
            () = stop.cancelled(), if self.stop_by.is_none() => {}
        }
        Ok(())
    }

    /// Waits for what is under way, after the last message was sent.
    async fn wait_for_window(&mut self) {
        let until = Instant::now() + PATIENCE;
        while self.window.waiting() > 0 {
            match timeout_at(until, self.replies.next()).await {
                Ok(Some(message)) => self.on_reply(&message),
                Ok(None) | Err(_) => break,
            }
        }
    }

    /// Leaves no number without a fate, and reports.
    async fn close(mut self, ended: Ended) -> Result<JobReport, ProduceError> {
        let took = self.started.elapsed();
        for span in self.window.expire(Instant::now()) {
            self.notes.unknown(span);
        }
        let unknown = self.window.unknown_spans();
        if let Some((to, writing)) = self.announcing.take() {
            writing.await.map_err(|_| ProduceError::Closed)??;
            self.announced = to;
        }
        let not_sent = self.announced - self.next;
        if not_sent > 0 {
            self.notes.withdrawn((self.next, not_sent));
        }
        let records = self.notes.take();
        if !records.is_empty() {
            self.evidence.write(records).await?;
        }
        self.recovery = None;
        self.tell(true);
        Ok(JobReport {
            progress: self.state,
            duplicates: self.duplicates,
            ids_taken: self.ids_taken,
            refusals: self.refusals,
            resent: self.resent.len() as u64,
            retried: self.retried,
            not_sent,
            unknown,
            took,
            ended,
        })
    }

    fn trouble(&self) -> Option<String> {
        if !is_connected(&self.client) {
            return Some(format!("not connected to {}", self.target.told()));
        }
        self.recovery.as_ref().map(|recovery| {
            format!("{}; {} in doubt, to be sent again", recovery.why, self.window.unknown())
        })
    }

    fn is_news(&self) -> bool {
        let told = self.progress.borrow();
        told.sent != self.state.sent
            || told.acked != self.state.acked
            || told.failed != self.state.failed
            || told.unknown != self.window.unknown() as u64
            || told.trouble.is_some() != (self.recovery.is_some() || !is_connected(&self.client))
    }

    fn tell(&mut self, at_once: bool) {
        if !at_once && self.told.elapsed() < TELL {
            return;
        }
        self.told = Instant::now();
        self.state.unknown = self.window.unknown() as u64;
        self.state.trouble = self.trouble();
        self.progress.send_if_modified(|told| {
            let news = *told != self.state;
            if news {
                told.clone_from(&self.state);
            }
            news
        });
    }
}
