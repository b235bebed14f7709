//! Deliberate faults of an experiment. Each must turn the right verdict; that is how verdicts are
//! tested.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use super::{Statuses, recorder::Recorder};
use crate::{
    command::{Command, CutKind, NodeAct, Produce, Sabotage},
    drill::{condition::Condition, record::Entry},
    nats::{connect::jetstream, producer::Fault, renumbering},
    region::{
        NodeName, Status, ZoneName,
        status::LinkState,
        topology::{DRILL_SUBJECT, STREAM},
    },
    room::{clock::now_ms, runtime::Runtime},
};

/// How long a leak may take until a message has come through it.
const LEAKS_WITHIN: Duration = Duration::from_secs(20);
/// When, after a zone began to join, the producer is meddled with.
const WHILE_JOINING: Duration = Duration::from_millis(700);
/// How often it is looked whether the leak has leaked.
const LOOK: Duration = Duration::from_millis(20);

/// Puts the fault in, at the right moment.
pub struct Saboteur {
    kind: Option<Sabotage>,
    runtime: Arc<Runtime>,
    recorder: Arc<Recorder>,
    statuses: Statuses,
    mirror: ZoneName,
    /// Produces of the script that are still to come.
    produces: usize,
    /// The script has impaired the link.
    impaired: bool,
    /// The server that the script has suspended, killed or stopped last.
    felled: Option<(NodeAct, NodeName)>,
    done: bool,
    task: Option<JoinHandle<()>>,
    /// What must have held before the fault is put in; none where it need not wait.
    trigger: Option<Trigger>,
}

/// Looks at every status until a condition holds.
struct Trigger {
    held: Arc<AtomicBool>,
    _watch: AbortOnDropHandle<()>,
}

impl Trigger {
    fn on(condition: Condition, mut statuses: Statuses) -> Self {
        let held = Arc::new(AtomicBool::new(false));
        let set = Arc::clone(&held);
        let watch = tokio::spawn(async move {
            let start = statuses.borrow_and_update().status.document();
            while statuses.changed().await.is_ok() {
                let now = statuses.borrow_and_update().status.document();
                if condition.holds(&now, &start).met {
                    set.store(true, Ordering::Relaxed);
                    break;
                }
            }
        });
        Self { held, _watch: AbortOnDropHandle::new(watch) }
    }
}

impl Saboteur {
    /// A saboteur of a script with so many produces; without a kind it does nothing.
    #[must_use]
    pub fn new(
        kind: Option<Sabotage>,
        runtime: Arc<Runtime>,
        recorder: Arc<Recorder>,
        statuses: Statuses,
        mirror: ZoneName,
        produces: usize,
    ) -> Self {
        Self {
            kind,
            runtime,
            recorder,
            statuses,
            mirror,
            produces,
            impaired: false,
            felled: None,
            done: false,
            task: None,
            trigger: None,
        }
    }

    /// The same; the fault is put in only once that held.
    #[must_use]
    pub fn once(mut self, condition: Option<Condition>) -> Self {
        self.trigger = condition.map(|condition| Trigger::on(condition, self.statuses.clone()));
        self
    }

    /// The fault may be put in now.
    fn armed(&self) -> bool {
        self.trigger.as_ref().is_none_or(|trigger| trigger.held.load(Ordering::Relaxed))
    }

    fn tell(&mut self, what: impl Into<String>) {
        if let Some(kind) = self.kind {
            self.done = true;
            self.recorder.write(Entry::Sabotaged { kind, what: what.into(), at: now_ms() });
        }
    }

    /// How long a wait may take: what cannot come any more need not be waited for.
    #[must_use]
    pub fn patience(&self, within: Duration) -> Duration {
        match self.kind {
            Some(Sabotage::Nothing) if self.done => within.min(Duration::from_secs(2)),
            // A damaged message is not counted as received: waited for in vain.
            Some(Sabotage::Corrupt) if self.done => within.min(Duration::from_secs(6)),
            _ => within,
        }
    }

    /// A command is about to be given. Returns whether it is to be given.
    pub fn before(&mut self, command: &Command) -> bool {
        let Some(kind) = self.kind else { return true };
        let produces = matches!(command, Command::Produce(what) if *what != Produce::Stop);
        if produces {
            self.produces = self.produces.saturating_sub(1);
        }
        if !self.armed() {
            return true;
        }
        match (kind, command) {
            (Sabotage::Nothing, _) if produces => {
                self.tell(format!("`{command}` was not given"));
                return false;
            }
            // In the last produce, so that no wait before it is in vain.
            (Sabotage::Corrupt, _) if produces && self.produces == 0 => {
                self.fault(
                    Fault::Corrupt,
                    "the payload of one message is altered after its checksum was made",
                );
            }
            (Sabotage::Reorder, _) if produces && self.produces == 0 => {
                self.fault(Fault::Swap, "two consecutive messages are sent in the wrong order");
            }
            (Sabotage::NoPause, Command::ConsumerPause { zone }) => {
                if let Ok(zone) = self.runtime.zone(zone) {
                    zone.control.send_modify(|held| held.defiant = true);
                }
                self.tell(format!(
                    "the consumer of zone {zone} goes on although its pause is reported"
                ));
            }
            (Sabotage::RestartProducer | Sabotage::Reconfigure, Command::ZoneAdd { .. })
                if !self.done =>
            {
                self.meddle(kind);
            }
            (Sabotage::NoRetry, Command::ProducerMove { .. }) => {
                if let Ok(producer) = self.runtime.producer() {
                    producer.forget_retries(true);
                    self.tell("the producer secretly sends no acknowledged message again");
                }
            }
            (Sabotage::Unimpaired, Command::Impair { .. }) => self.impaired = true,
            (Sabotage::Unimpaired, _) if produces && self.impaired && !self.done => {
                self.make_whole();
            }
            (Sabotage::Revive, Command::Node { act, node }) => {
                self.felled = act.undone_by().map(|act| (act, node.clone()));
            }
            (Sabotage::Revive, _) if produces && !self.done => {
                if let Some((act, node)) = self.felled.take() {
                    self.revive(act, node);
                }
            }
            (Sabotage::Leak, _) if produces && !self.done => {
                let how = proved_cut(&self.statuses.borrow().status, &self.mirror);
                if let Some(how) = how {
                    self.leak(how);
                }
            }
            _ => {}
        }
        true
    }

    fn fault(&mut self, fault: Fault, what: &str) {
        if let Ok(producer) = self.runtime.producer() {
            producer.put_fault(fault);
            self.tell(what);
        }
    }

    fn meddle(&mut self, kind: Sabotage) {
        let Ok(producer) = self.runtime.producer() else { return };
        let what = if kind == Sabotage::Reconfigure {
            "the producer's window was halved while the zone joined"
        } else {
            "the producer's connection was made anew while the zone joined"
        };
        self.tell(what);
        self.task = Some(tokio::spawn(async move {
            tokio::time::sleep(WHILE_JOINING).await;
            if kind == Sabotage::Reconfigure {
                producer.reconfigure();
            } else {
                producer.restart().await;
            }
        }));
    }

    /// Restores the link behind the room's back for good.
    fn make_whole(&mut self) {
        self.tell(format!("the impaired link of zone {} was secretly made whole", self.mirror));
        let (runtime, zone) = (Arc::clone(&self.runtime), self.mirror.clone());
        self.task = Some(tokio::spawn(async move {
            if let Err(error) = runtime.platform.heal(&zone).await {
                tracing::warn!("sabotage: making zone {zone} whole: {error}");
            }
        }));
    }

    /// Brings a server back behind the room's back.
    fn revive(&mut self, act: NodeAct, node: NodeName) {
        self.tell(format!("{node} was secretly brought back"));
        let runtime = Arc::clone(&self.runtime);
        self.task = Some(tokio::spawn(async move {
            if let Err(error) = runtime.platform.act(act, &node).await {
                tracing::warn!("sabotage: bringing {node} back: {error}");
            }
        }));
    }

    /// Restores the link behind the room's back until something has come through, and severs it.
    fn leak(&mut self, how: CutKind) {
        self.tell(format!(
            "the cut link of zone {} was secretly restored for a moment",
            self.mirror
        ));
        let (runtime, zone) = (Arc::clone(&self.runtime), self.mirror.clone());
        let statuses = self.statuses.clone();
        self.task = Some(tokio::spawn(async move {
            let last = |status: &Status| {
                status.zone(&zone).and_then(|zone| zone.stream.as_ref()).map(|s| s.last_seq)
            };
            let before = last(&statuses.borrow().status);
            if let Err(error) = runtime.platform.heal(&zone).await {
                tracing::warn!("sabotage: the leak of zone {zone}: {error}");
                return;
            }
            let deadline = tokio::time::Instant::now() + LEAKS_WITHIN;
            let still_cut = |status: &Status| {
                let link = status.zone(&zone).and_then(|zone| zone.link.as_ref());
                link.is_some_and(|link| link.state == LinkState::Cut)
            };
            while tokio::time::Instant::now() < deadline {
                let over = {
                    let published = statuses.borrow();
                    !still_cut(&published.status) || last(&published.status) > before
                };
                if over {
                    break;
                }
                tokio::time::sleep(LOOK).await;
            }
            // Healed in earnest meanwhile: then it must stay so.
            let still_cut = still_cut(&statuses.borrow().status);
            if still_cut && let Err(error) = runtime.platform.cut(&zone, how).await {
                tracing::warn!("sabotage: severing zone {zone} again: {error}");
            }
        }));
    }

    /// Waits until what goes on beside the drill is over.
    ///
    /// # Errors
    /// When it crashed: whether the fault was put in is not known then.
    pub async fn settle(&mut self) -> Result<(), String> {
        match self.task.take() {
            Some(task) => task.await.map_err(|crash| format!("the sabotage crashed: {crash}")),
            None => Ok(()),
        }
    }

    /// After the last step, before the consumers are waited for: a second copy of the message at
    /// `last` without an id. Returns the copy's sequence, the stream's new end.
    pub async fn duplicate(&mut self, last: u64) -> Option<u64> {
        if self.kind != Some(Sabotage::Duplicate) || last == 0 || !self.armed() {
            return None;
        }
        let copied = async {
            let source = self.runtime.source_plan().ok()?;
            let client = self.runtime.zone(&source.name).ok()?.client.clone();
            let context = jetstream(&client);
            let stream = context.get_stream(STREAM).await.ok()?;
            let message = stream.get_raw_message(last).await.ok()?;
            context.publish(DRILL_SUBJECT, message.payload).await.ok()?.await.ok()
        };
        let Some(ack) = copied.await else {
            tracing::warn!("sabotage: no duplicate could be published");
            return None;
        };
        self.tell(format!(
            "the message at sequence {last} was published again without its id, at {}",
            ack.sequence
        ));
        Some(ack.sequence)
    }

    /// After the consumers have everything: a message of this drill disappears from the mirror.
    pub async fn lose(&mut self, first: u64, last: u64) {
        if self.kind != Some(Sabotage::Lose) || last <= first || !self.armed() {
            return;
        }
        let removed = async |seq| {
            let zone = self.runtime.zone(&self.mirror).ok()?;
            let client = zone.client.clone();
            let seq = renumbering::own_of(&client, &zone.plan, seq).await?;
            let stream = jetstream(&client).get_stream(STREAM).await.ok()?;
            stream.delete_message(seq).await.ok()
        };
        // What the source deleted before it was copied is not there to be lost.
        let mut lost = None;
        for seq in [first + (last - first) / 2, last - (last - first) / 16] {
            if lost.is_none() && removed(seq).await == Some(true) {
                lost = Some(seq);
            }
        }
        if let Some(seq) = lost {
            self.tell(format!(
                "the message at sequence {seq} was removed from the stream of zone {}",
                self.mirror
            ));
        } else {
            tracing::warn!("sabotage: no message could be removed");
        }
    }

    /// Takes out what was put in and would stay.
    pub fn clear(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
        if self.kind.is_none() {
            return;
        }
        if let Ok(producer) = self.runtime.producer() {
            producer.clear_fault();
            producer.configure_back();
            producer.forget_retries(false);
        }
        for zone in self.runtime.zones() {
            zone.control.send_if_modified(|held| std::mem::take(&mut held.defiant));
        }
    }
}

/// How a zone's link is cut, if it is and both ends say so.
fn proved_cut(status: &Status, zone: &ZoneName) -> Option<CutKind> {
    let link = status.zone(zone)?.link.as_ref()?;
    if link.state == LinkState::Cut && link.effective { link.kind } else { None }
}

/// Does it leave the region's data as whole as it was? The others' faults stay on the streams, and
/// every later verdict there is rightly broken.
#[must_use]
pub fn leaves_no_trace(kind: Sabotage) -> bool {
    !matches!(kind, Sabotage::Lose | Sabotage::Duplicate | Sabotage::Corrupt | Sabotage::Reorder)
}
