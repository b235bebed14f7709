//! The state actor: the one task that holds the region's state. It takes what comes over the bus, in
//! order, lets the pure reducer change the state, and publishes what came of it.

mod commands;
mod moving;
mod platform;
mod possible;

use std::{
    collections::BTreeMap,
    io::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::commands::answer;
use super::{
    bounded_file::BoundedFile,
    clock::now_ms,
    configuration,
    evidence::AckFloors,
    history::History,
    mailbox::{CommandRequest, Mail},
    nodes,
    protocol::Outcome,
    runtime::{BUSY_PACE, IDLE_PACE, KEEN_PACE, Runtime},
    server::{EventWire, Published},
    task::Lease,
};
use crate::{
    command::Command,
    platform::PlatformEvent,
    region::{
        Actor, Event, EventKind, Input, Severity, UnixMs,
        actor::Via,
        input::{Moment, Producing},
        observation::Observation,
        reduce::State,
        status::{NodeState, Phase, Screen},
    },
};

/// Statuses are published at most this often.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);
/// The state's clock: histories, rates, ages.
const TICK: Duration = Duration::from_secs(1);
/// Why nothing can be done any more.
const ENDING: &str = "the region is being ended: wait for it, then `up` brings it up again";
/// After a heal the watchers stay keen for this long at most.
const KEEN_AFTER_HEAL: u64 = 60_000;

/// A command that is under way.
struct Running {
    given: CommandRequest,
    began: Instant,
    claims: Vec<Lease>,
    stop: CancellationToken,
}

/// The state actor of a region's state.
pub struct StateActor {
    state: State,
    runtime: Arc<Runtime>,
    inbox: mpsc::UnboundedReceiver<Mail>,
    publish: watch::Sender<Arc<Published>>,
    wire: Arc<EventWire>,
    file: Option<BoundedFile>,
    history: History,
    floors: watch::Sender<AckFloors>,
    screens: watch::Receiver<BTreeMap<u64, Screen>>,
    running: BTreeMap<u64, Running>,
    next_task: u64,
    next_event: u64,
    /// The revision that was published last.
    published: u64,
    /// Messages acknowledged, and processed in all zones, at the last tick.
    activity: (u64, u64),
    /// Messages acknowledged when the rate was last taken, and when that was.
    rated: (u64, Instant),
    port_base: u16,
}

/// How the room's life ended.
#[derive(Debug)]
pub struct End {
    /// The data is to be removed as well.
    pub purge: bool,
    /// Who still waits for an answer to `down`.
    pub asked: Option<CommandRequest>,
    /// When it was asked.
    pub began: Instant,
}

/// What an owner is made of.
pub struct Parts {
    pub state: State,
    pub runtime: Arc<Runtime>,
    pub inbox: mpsc::UnboundedReceiver<Mail>,
    pub publish: watch::Sender<Arc<Published>>,
    pub wire: Arc<EventWire>,
    /// Where the ledger writer learns floors.
    pub floors: watch::Sender<AckFloors>,
    pub screens: watch::Receiver<BTreeMap<u64, Screen>>,
    /// The first client port.
    pub port_base: u16,
}

impl StateActor {
    /// Owns `parts.state` from now on.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let file = BoundedFile::append(&parts.runtime.home.events());
        let file = file.inspect_err(|error| tracing::error!("events.jsonl: {error}")).ok();
        let history = History::at(&parts.runtime.home.history());
        Self {
            history,
            state: parts.state,
            runtime: parts.runtime,
            inbox: parts.inbox,
            publish: parts.publish,
            wire: parts.wire,
            file,
            floors: parts.floors,
            screens: parts.screens,
            running: BTreeMap::new(),
            next_task: 1,
            next_event: 1,
            published: 0,
            activity: (0, 0),
            rated: (0, Instant::now()),
            port_base: parts.port_base,
        }
    }

    /// Works until somebody ends the room.
    pub async fn run(mut self) -> (Self, End) {
        let mut platform = self.runtime.platform.events();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut next_publish = tokio::time::Instant::now();
        let end = loop {
            let dirty = self.state.changed_since(self.published);
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(next_publish), if dirty => {
                    self.publish();
                    next_publish = tokio::time::Instant::now() + PUBLISH_EVERY;
                }
                Some(event) = next_of(&mut platform) => self.platform_said(event),
                changed = self.screens.changed() => {
                    if changed.is_ok() {
                        let screens = self.screens.borrow_and_update().values().cloned().collect();
                        self.apply(Input::Screens(screens));
                    }
                }
                mail = self.inbox.recv() => {
                    if let Some(end) = self.take(mail) {
                        break end;
                    }
                }
                _ = tick.tick() => self.tick(),
            }
        };
        for running in self.running.values() {
            running.stop.cancel();
        }
        self.apply(Input::Phase(Phase::Stopping));
        self.publish();
        (self, end)
    }

    /// Goes on taking what comes (so that tasks can end and the log is complete) until `done`.
    pub async fn see_out(&mut self, done: impl Future<Output = ()>) {
        tokio::pin!(done);
        loop {
            tokio::select! {
                biased;
                () = &mut done => break,
                mail = self.inbox.recv() => match mail {
                    Some(Mail::Command(given)) => answer(&given, Outcome::Refused, ENDING, None),
                    Some(Mail::Signal(_)) => {}
                    mail => { self.take(mail); }
                },
            }
        }
        self.apply(Input::Phase(Phase::Down));
        self.history.flush();
        self.publish();
    }

    fn take(&mut self, mail: Option<Mail>) -> Option<End> {
        match mail {
            // Cannot be: the engine holds a sender. Ending is then the safe thing.
            None => return Some(End::unasked()),
            Some(Mail::Command(given)) => {
                // Whether it may be done is looked up in what is so now, not in the last picture.
                self.publish_news();
                return self.given(given);
            }
            Some(Mail::Input(input)) => self.apply(input),
            Some(Mail::Ended { task, outcome, said, data }) => {
                self.ended(task, outcome, &said, data);
            }
            Some(Mail::KeepHistory { path, done }) => {
                let _ = done.send(self.history.keep(&path, now_ms(), &self.state));
            }
            Some(Mail::EndHistory { path, done }) => {
                let _ = done.send(self.history.end(&path));
            }
            Some(Mail::Signal(name)) => {
                tracing::info!("{name}: ending");
                return Some(End::unasked());
            }
        }
        None
    }

    /// Changes the state by the room's own hand.
    fn apply(&mut self, input: Input) {
        self.apply_by(&Actor::room(), input);
    }

    /// Changes the state; what comes of it goes into the log. Nothing else changes it.
    fn apply_by(&mut self, actor: &Actor, input: Input) {
        let now = now_ms();
        let by = (actor.via != Via::Room).then(|| actor.clone());
        let moment = Moment { at: now, by, input };
        self.history.write(&moment, &self.state);
        let observed = matches!(moment.input, Input::Observed(_));
        if let Input::BegunAnew(zone) = &moment.input {
            // What is passed over is of the consumer that was.
            self.floors.send_modify(|floors| _ = floors.remove(zone));
        }
        self.strangers_came(&moment.input);
        let events = self.state.apply(now, moment.input);
        if observed {
            self.observed(&events);
        }
        self.log(now, actor, events);
    }

    /// Whether or not the log has a line for each: a drill that runs is void by any of them.
    fn strangers_came(&self, input: &Input) {
        let Input::Observed(Observation::Node { node, report: Some(report) }) = input else {
            return;
        };
        let zone = self.state.peek().zone(&node.zone);
        let known = zone.map_or(&[][..], |zone| &zone.foreign);
        let came = report.foreign.iter().flatten();
        for who in came.filter(|one| !known.iter().any(|known| known.is(one))) {
            configuration::connected(&self.runtime, who);
        }
    }

    fn observed(&mut self, events: &[EventKind]) {
        let probed = self.state.probed(now_ms());
        self.runtime.probed.send_if_modified(|old| {
            let changed = *old != probed;
            *old = probed;
            changed
        });
        for event in events {
            match event {
                EventKind::NodeChanged { node, to: NodeState::JsOff, .. } => {
                    nodes::explain_js_off(&self.runtime, node.clone());
                }
                EventKind::NodeChanged { node, to: NodeState::Leaving, .. }
                    if !self.runtime.servers.is_draining(node) =>
                {
                    self.meddled(nodes::leaving(node));
                }
                _ => {}
            }
        }
        // A consumer that is gone has no floor; what it had acknowledged stays acknowledged.
        let known = self.floors.borrow().clone();
        let floors: AckFloors = (self.state.peek().zones.iter())
            .map(|zone| {
                let floor = zone.passed_over().or_else(|| known.get(&zone.name).copied());
                (zone.name.clone(), floor.unwrap_or(0))
            })
            .collect();
        self.floors.send_if_modified(|old| {
            let changed = *old != floors;
            if changed {
                *old = floors;
            }
            changed
        });
    }

    fn note(&mut self, severity: Severity, text: String) {
        self.apply(Input::note(severity, text));
    }

    fn tick(&mut self) {
        let now = now_ms();
        self.apply(Input::Tick);
        self.history.flush();
        self.tell_producer();
        // Look closely while something moves, lazily while nothing does.
        let status = self.state.peek();
        let activity =
            (status.producer.acked, status.zones.iter().map(|z| z.ledger.received).sum::<u64>());
        let moving = activity != self.activity || !self.running.is_empty();
        self.activity = activity;
        let recovering = status.zones.iter().any(|zone| {
            zone.recovery.as_ref().is_some_and(|clock| {
                clock.caught_up_after_ms.is_none()
                    && now.saturating_sub(clock.healed_at_ms) < KEEN_AFTER_HEAL
            })
        });
        let pace = if recovering {
            KEEN_PACE * 2
        } else if moving {
            BUSY_PACE
        } else {
            IDLE_PACE
        };
        let proving = self
            .running
            .values()
            .any(|r| matches!(r.given.command, Command::Cut { .. } | Command::Heal { .. }));
        if !proving {
            self.runtime.pace.send_if_modified(|old| std::mem::replace(old, pace) != pace);
        }
    }

    /// What the producer is doing; what it has done comes from the ledger. Put together once a
    /// second and whenever a job ends.
    fn tell_producer(&mut self) {
        let mut told = Producing {
            last_number: self.runtime.last_number(),
            connection: self.runtime.producer().ok().map(|producer| producer.connection()),
            ..Producing::default()
        };
        for job in self.runtime.jobs.borrow().values() {
            let progress = job.progress.borrow();
            told.running.push(job.title.clone());
            told.trouble = told.trouble.or_else(|| progress.trouble.clone());
            told.acked_by = progress.acked_by.clone().or(told.acked_by);
        }
        let elapsed = self.rated.1.elapsed().as_secs_f64();
        if elapsed >= 0.9 {
            let acked = self.state.peek().producer.acked;
            told.rate = Some(acked.saturating_sub(self.rated.0) as f64 / elapsed);
            self.rated = (acked, Instant::now());
        }
        self.apply(Input::Producing(told));
    }

    /// Publishes what has changed, however short ago the last picture was.
    pub(super) fn publish_news(&mut self) {
        if self.state.changed_since(self.published) {
            self.publish();
        }
    }

    pub(super) fn publish(&mut self) {
        self.published = self.state.revision();
        self.publish.send_replace(Arc::new(Published::new(self.state.status(now_ms()))));
    }

    fn log(&mut self, now: UnixMs, actor: &Actor, events: Vec<EventKind>) {
        for kind in events {
            let event = Event { id: self.next_event, at_ms: now, actor: actor.clone(), kind };
            self.next_event += 1;
            tracing::info!(target: "event", "{actor}: {}", event.kind);
            if let Some(file) = &mut self.file {
                let written = serde_json::to_string(&event)
                    .map_err(std::io::Error::from)
                    .and_then(|line| file.write_all((line + "\n").as_bytes()));
                if let Err(error) = written {
                    tracing::error!("events.jsonl: {error}");
                }
            }
            self.wire.send(event);
        }
    }
}

impl End {
    /// By a signal, or because nobody can ask any more.
    fn unasked() -> Self {
        Self { purge: false, asked: None, began: Instant::now() }
    }
}

/// The next of a stream that may not be there; then never.
async fn next_of(
    events: &mut Option<mpsc::UnboundedReceiver<PlatformEvent>>,
) -> Option<PlatformEvent> {
    match events {
        Some(events) => events.recv().await,
        None => std::future::pending().await,
    }
}
