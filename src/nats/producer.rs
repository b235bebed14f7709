//! The producer: publishes numbered drill messages and leaves a trace of each one's fate.
//!
//! What the ledger can rely on:
//! - A number is in an [`Intend`](crate::ledger::record::Record::Intend) on disk before its message
//!   is first sent, a second's worth or [`CHUNK`] ahead at most. Numbers that were intended and
//!   never sent get a `Withdrawn`.
//! - An acknowledgement becomes an `Acked`, within [`FLUSH`] or [`WINDOW`] messages.
//! - A message without a clear answer within [`PATIENCE`] becomes `Unknown`. Then nothing new is
//!   sent; what is under way is waited for; and the unknown ones are sent again under their ids,
//!   one at a time in ascending order (`Resent` first), until acknowledged, or until [`sent_again_for`]
//!   is over since one was sent first. What is left then stays `Unknown`.
//! - When the producer moves to another zone, everything under way becomes `Unknown` and is sent again
//!   there; the last acknowledged messages too, if that is asked for (`Resent`, then `Acked`).
//! - A definite refusal becomes `Failed`.
//! - A future that is dropped before its end, or evidence that cannot be written, leaves the last
//!   numbers intended without a fate, as after a crash: the ledger's keeper must be told that the
//!   producer is gone ([`Evidence::gone`]), and counts them as unknown.

mod again;
mod job;
mod notes;
mod window;

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_nats::{Client, Subject};
use sha2::{Digest, Sha256};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

pub use self::again::{GIVE_UP, sent_again_for};
use super::evidence::{Evidence, EvidenceLost};
use crate::{
    command::Produce,
    ledger::message::RunId,
    region::{
        ZoneName, ZonePlan,
        access::USER,
        input::Connection,
        renumbering::Renumbering,
        topology::{DRILL_SUBJECT, STREAM},
    },
};

/// The most messages under way: what a raw socket needs to reach its best rate
/// (nats-facts §K).
pub const WINDOW: usize = 4096;
/// The most numbers announced ahead.
pub const CHUNK: u64 = 10_000;
/// The longest an acknowledgement is kept in memory before it goes to the evidence keeper.
pub const FLUSH: Duration = Duration::from_millis(20);
/// How long an acknowledgement may take.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// How long a job that is told to stop goes on asking for what has no clear answer: longer than an
/// election takes (4 to 9 s by nats-server's timers).
pub const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// One produce command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its number: one for each produce command of the run, counted from 1.
    pub producer: u32,
    /// What to publish: a range or a burst.
    pub produce: Produce,
    /// The first number of a burst (a range brings its own).
    pub first_number: u64,
    /// How long the stream remembers ids: its duplicate window.
    pub remembered: Duration,
}

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobProgress {
    /// Sent (each number once).
    pub sent: u64,
    pub acked: u64,
    pub failed: u64,
    /// Sent without a clear answer so far.
    pub unknown: u64,
    /// The last stream sequence acknowledged; 0 before the first.
    pub last_seq: u64,
    pub last_number: u64,
    /// The domain that acknowledged last.
    pub acked_by: Option<String>,
    /// Why it cannot publish just now.
    pub trouble: Option<String>,
}

/// What a job did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobReport {
    pub progress: JobProgress,
    /// Acknowledgements that said the message was there already (after sending it again).
    pub duplicates: u64,
    /// First sendings that were answered as duplicates: another message has taken their ids, and
    /// they are not stored.
    pub ids_taken: u64,
    /// Messages refused for certain, by the server's reason.
    pub refusals: BTreeMap<String, u64>,
    pub resent: u64,
    /// Acknowledged messages that were sent again after a move, and how many were called duplicates.
    pub retried: (u64, u64),
    /// Messages announced but never sent.
    pub not_sent: u64,
    /// Those of unknown outcome: the first number, and how many.
    pub unknown: Vec<(u64, u64)>,
    /// From the first message to the last answer.
    pub took: Duration,
    pub ended: Ended,
}

/// Why a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every message has a known outcome.
    Complete,
    /// It was told to.
    Stopped,
    /// Unknown messages stayed unknown.
    GaveUp(String),
    /// The same, because the stream may have forgotten their ids by now.
    Forgotten,
}

/// Why a job could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ProduceError {
    /// Nothing may be sent that leaves no trace.
    #[error(transparent)]
    Evidence(#[from] EvidenceLost),
    /// The client has been closed.
    #[error("the connection to the source zone has been closed")]
    Closed,
    /// `produce stop` is not something to publish.
    #[error("nothing to produce")]
    NothingToDo,
}

/// Publishes to one zone's stream over one connection.
#[derive(Clone, Debug)]
pub struct Producer {
    /// Where to; running jobs follow.
    target: watch::Sender<Target>,
    run: RunId,
    evidence: Evidence,
    shared: Arc<Shared>,
}

/// Where messages are published.
#[derive(Clone, Debug)]
pub struct Target {
    pub client: Client,
    /// The zone's servers, in this order.
    servers: Vec<String>,
    zone: Option<ZoneName>,
    stream: String,
    subject: Subject,
    /// It is the region's source.
    source: bool,
    /// How its sequences are read by the source's, if it counts by itself.
    map: Option<watch::Receiver<Renumbering>>,
    /// How many acknowledged messages jobs send again when they come here.
    resend: u64,
}

impl Target {
    /// A zone, over this connection.
    #[must_use]
    pub fn new(client: Client, zone: &ZonePlan, map: Option<watch::Receiver<Renumbering>>) -> Self {
        let (servers, source) = (zone.urls(), zone.is_hub());
        let (stream, subject) = (zone.stream().to_owned(), Subject::from(zone.subject()));
        let zone = Some(zone.name.clone());
        Self { client, servers, zone, stream, subject, source, map, resend: 0 }
    }

    fn told(&self) -> String {
        let zone = self.zone.as_ref().filter(|_| !self.source);
        zone.map_or_else(|| "the source zone".into(), |zone| format!("zone {zone}"))
    }
}

/// What running jobs look at.
#[derive(Debug)]
struct Shared {
    window: AtomicUsize,
    /// A [`Fault`] to be put in, once.
    fault: AtomicU8,
    /// The highest stream sequence the source acknowledged; 0 before the first.
    last_seq: AtomicU64,
    /// When the first acknowledgement came after the last move.
    first_ack: watch::Sender<Option<Instant>>,
    /// Sabotage: acknowledged messages are not sent again after a move.
    forgetful: AtomicBool,
}

/// Deliberate faults of a drill's producer, each put into one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The payload is altered after its checksum was made.
    Corrupt = 1,
    /// The message after it is sent first.
    Swap = 2,
}

impl Shared {
    /// Is this fault to be put in now? It is then done with.
    fn takes(&self, fault: Fault) -> bool {
        let wanted = fault as u8;
        self.fault.load(Ordering::Relaxed) == wanted
            && self.fault.compare_exchange(wanted, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl Producer {
    /// A producer of this run on the source zone's connection.
    #[must_use]
    pub fn new(client: Client, run: RunId, evidence: Evidence) -> Self {
        let servers = Vec::new();
        let (stream, subject) = (STREAM.to_owned(), Subject::from_static(DRILL_SUBJECT));
        let (zone, source, map) = (None, true, None);
        let target = Target { client, servers, zone, stream, subject, source, map, resend: 0 };
        let shared = Shared {
            window: AtomicUsize::new(WINDOW),
            fault: AtomicU8::new(0),
            last_seq: AtomicU64::new(0),
            first_ack: watch::channel(None).0,
            forgetful: AtomicBool::new(false),
        };
        Self { target: watch::channel(target).0, run, evidence, shared: Arc::new(shared) }
    }

    /// Says which servers its connection may go to: part of its configuration.
    #[must_use]
    pub fn at(self, zone: &ZonePlan) -> Self {
        self.target.send_modify(|to| *to = Target::new(to.client.clone(), zone, None));
        self
    }

    /// The zone it publishes into.
    #[must_use]
    pub fn zone(&self) -> Option<ZoneName> {
        self.target.borrow().zone.clone()
    }

    /// Publishes elsewhere from now on. Jobs that run send what has no clear answer again there,
    /// under the same ids, and before that the last `resend` messages that were acknowledged.
    pub fn move_to(&self, target: Target, resend: u64) {
        let resend = if self.shared.forgetful.load(Ordering::Relaxed) { 0 } else { resend };
        self.shared.first_ack.send_replace(None);
        self.target.send_replace(Target { resend, ..target });
    }

    /// When the first acknowledgement came after the last move.
    #[must_use]
    pub fn first_ack(&self) -> watch::Receiver<Option<Instant>> {
        self.shared.first_ack.subscribe()
    }

    /// Sabotage: after a move acknowledged messages are not sent again; or are, as before.
    pub fn forget_retries(&self, so: bool) {
        self.shared.forgetful.store(so, Ordering::Relaxed);
    }

    /// A hash over all it is configured with: servers, user, stream, subject, window and times.
    fn config_hash(&self) -> String {
        let window = self.shared.window.load(Ordering::Relaxed);
        let target = self.target.borrow();
        let Target { servers, stream, subject, .. } = &*target;
        let text = format!(
            "servers {servers:?} user {USER} stream {stream} subject {subject} window {window} chunk {CHUNK} flush {FLUSH:?} patience {PATIENCE:?} give-up {GIVE_UP:?}"
        );
        Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hash, byte| {
            let _ = write!(hash, "{byte:02x}");
            hash
        })
    }
    /// Sabotage: its configuration changes, for the jobs that run, too.
    pub fn reconfigure(&self) {
        self.shared.window.store(WINDOW / 2, Ordering::Relaxed);
    }

    /// Undoes [`Self::reconfigure`].
    pub fn configure_back(&self) {
        self.shared.window.store(WINDOW, Ordering::Relaxed);
    }

    /// Sabotage: its connection is made anew.
    pub async fn restart(&self) {
        let client = self.target.borrow().client.clone();
        super::wire::reconnect(&client).await;
    }

    /// Sabotage: the next message gets that fault.
    pub fn put_fault(&self, fault: Fault) {
        self.shared.fault.store(fault as u8, Ordering::Relaxed);
    }

    /// No fault is to be put in any more.
    pub fn clear_fault(&self) {
        self.shared.fault.store(0, Ordering::Relaxed);
    }

    /// The highest stream sequence the source acknowledged to it; `None` before the first. Newer
    /// than any answer about the stream that is asked for now and then.
    #[must_use]
    pub fn last_seq(&self) -> Option<u64> {
        Some(self.shared.last_seq.load(Ordering::Relaxed)).filter(|last| *last > 0)
    }

    /// The connection it publishes on: the server's number for it, and how often it was made anew.
    /// All of it unchanged is what "the producer was not touched" means.
    #[must_use]
    pub fn connection(&self) -> Connection {
        let client = self.target.borrow().client.clone();
        let made = client.statistics().connects.load(Ordering::Relaxed);
        Connection {
            id: client.server_info().client_id,
            reconnects: made.saturating_sub(1),
            server_id: client.try_server_info().map(|info| info.server_id),
            config_hash: self.config_hash(),
            zone: self.zone(),
        }
    }

    /// Does a job; several may run at once. A range goes one number every interval, a burst at
    /// its rate or as fast as it is acknowledged; a stall moves the schedule and causes no burst
    /// afterwards. `progress` is updated 20 times a second at most, and at the end. On `stop`
    /// nothing new is sent; what has no clear answer is sent again for up to [`STOP_PATIENCE`].
    ///
    /// # Errors
    /// When evidence cannot be written, the client is closed, or there is nothing to produce.
    pub async fn run(
        &self,
        job: Job,
        progress: watch::Sender<JobProgress>,
        stop: CancellationToken,
    ) -> Result<JobReport, ProduceError> {
        let plan = Plan::of(&job).ok_or(ProduceError::NothingToDo)?;
        job::Running::start(self, &plan, &job, progress).await?.drive(&stop).await
    }
}

/// A job in plain numbers.
#[derive(Clone, Debug, PartialEq)]
struct Plan {
    first: u64,
    /// One past the last; `None` for no end.
    end: Option<u64>,
    schedule: Schedule,
    size: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Schedule {
    Every(Duration),
    PerSecond(f64),
    Free,
}

impl Plan {
    fn of(job: &Job) -> Option<Self> {
        match &job.produce {
            Produce::Range { from, to, interval, size } => Some(Self {
                first: *from,
                end: Some(to.saturating_add(1)),
                schedule: Schedule::Every(*interval),
                size: size.0,
            }),
            Produce::Burst { count, rate, size } => Some(Self {
                first: job.first_number,
                end: count.map(|count| job.first_number.saturating_add(count)),
                schedule: rate
                    .map_or(Schedule::Free, |rate| Schedule::PerSecond(rate.per_second())),
                size: size.0,
            }),
            Produce::Stop => None,
        }
    }
}
