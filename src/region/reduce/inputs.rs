//! The room's own doings: phases, steps, zones, tasks, marks, producer, consumers, ledger, screens.

use super::{
    Change, FURTHER_CONCLUSIONS, State, ZoneBook, book::Offenders, flow, note, set, set_quietly,
};
use crate::region::{
    UnixMs,
    event::{EventKind, Severity},
    input::{Concluded, Produced, Producing},
    names::ZoneName,
    observation::Consuming,
    status::{
        Conclusion, Consumer, Drill, Ledger, Link, MarkKind, Mirror, Node, NodeState, Phase,
        Producer, Screen, Task, Verdict, Zone, ZoneState,
    },
    topology::{CopyKind, MirrorKind, Role, ZonePlan},
};

/// A growing alarm is repeated at most this often.
const ALARM_PAUSE_MS: u64 = 1_000;

impl State {
    /// What the region as a whole is doing now. Starting anew clears the steps of the last time.
    pub(super) fn phase(&mut self, phase: Phase) -> Vec<EventKind> {
        if phase == Phase::Starting && self.status.phase != Phase::Starting {
            self.status.steps.clear();
        }
        let change = set(&mut self.status.phase, phase).max(set(&mut self.status.failure, None));
        self.changed(change);
        Vec::new()
    }

    /// The bring-up failed; `why` says what to do.
    pub(super) fn failed(&mut self, why: String) -> Vec<EventKind> {
        self.phase(Phase::Failed);
        self.status.failure = Some(why);
        self.touch();
        Vec::new()
    }

    /// The server version, as the platform or a server says it.
    pub(super) fn server_version(&mut self, version: String) {
        if !version.is_empty() {
            let change = set(&mut self.status.server_version, Some(version));
            self.changed(change);
        }
    }

    /// How mirrors pull, once decided.
    pub(super) fn copy_kind(&mut self, kind: CopyKind) {
        let change = set(&mut self.status.copy_kind, kind);
        self.changed(change);
    }

    pub(super) fn mirror_kind(&mut self, kind: MirrorKind) {
        let change = set(&mut self.status.mirror_kind, Some(kind));
        self.changed(change);
    }

    /// A zone is being brought up. A zone of that name that is already there is left alone.
    pub(super) fn zone_added(&mut self, now: UnixMs, plan: &ZonePlan) -> Vec<EventKind> {
        if self.index(&plan.name).is_some() {
            return Vec::new();
        }
        // Steps that an earlier bring-up left are not this zone's; those of another zone that is
        // still on its way stay beside them.
        let alone = self.status.zones.iter().all(|zone| zone.state != ZoneState::Starting);
        if self.status.phase == Phase::Up && alone {
            self.status.steps.clear();
        }
        let (source, mirror) = (plan.is_hub(), plan.role == Role::Mirror);
        // What others run is shown as far as it is told.
        let ours = !plan.nodes.is_empty() || plan.external.is_some();
        let zone = Zone {
            nodes: plan
                .nodes
                .iter()
                .map(|node| Node {
                    container: None,
                    name: node.name.clone(),
                    state: NodeState::Starting,
                    since_at_ms: now,
                    url: node.url(),
                    pid: None,
                    meta_leader: false,
                    leader: false,
                    consumer_leader: false,
                    leafs: None,
                    rss_bytes: None,
                    cpu_percent: None,
                    answered_at_ms: None,
                })
                .collect(),
            consumer: ours.then(|| Consumer { name: plan.consumer(), ..Consumer::default() }),
            mirror: mirror.then(Mirror::default),
            keeping: plan.keeping,
            // The ends of a link of others tell of it, where they are asked.
            link: (!source && !plan.nodes.is_empty())
                .then(|| Link { since_at_ms: now, ..Link::default() }),
            ..Zone::new(plan.name.clone(), plan.role)
        };
        // The source first, then in the order of their ports.
        let zones = &mut self.status.zones;
        let place = (zones.iter().zip(&self.books))
            .position(|(other, book)| !other.is_hub() && (source || book.slot > plan.slot))
            .unwrap_or(zones.len());
        zones.insert(place, zone);
        self.books.insert(place, ZoneBook::new(plan));
        self.touch();
        Vec::new()
    }

    /// A zone serves.
    pub(super) fn zone_ready(&mut self, now: UnixMs, zone: &ZoneName) -> Vec<EventKind> {
        if self.zone_state(zone, ZoneState::Ready) && self.status.phase == Phase::Up {
            let text = format!("zone {zone} joined");
            self.push_mark(now, MarkKind::Zone, Some(zone.clone()), text);
        }
        Vec::new()
    }

    /// A zone is being removed.
    pub(super) fn zone_removing(&mut self, zone: &ZoneName) -> Vec<EventKind> {
        self.zone_state(zone, ZoneState::Removing);
        Vec::new()
    }

    /// A zone is gone.
    pub(super) fn zone_removed(&mut self, now: UnixMs, zone: &ZoneName) -> Vec<EventKind> {
        if let Some(i) = self.index(zone) {
            self.status.zones.remove(i);
            self.books.remove(i);
            self.touch();
            if self.status.phase == Phase::Up {
                let text = format!("zone {zone} left");
                self.push_mark(now, MarkKind::Zone, Some(zone.clone()), text);
            }
        }
        Vec::new()
    }

    fn zone_state(&mut self, zone: &ZoneName, state: ZoneState) -> bool {
        let Some(i) = self.index(zone) else { return false };
        let change = set(&mut self.status.zones[i].state, state);
        self.changed(change);
        change == Change::Real
    }

    /// A long command began.
    pub(super) fn task_started(&mut self, task: Task) -> Vec<EventKind> {
        self.status.tasks.retain(|known| known.id != task.id);
        self.status.tasks.push(task);
        self.touch();
        Vec::new()
    }

    /// How far a long command is.
    pub(super) fn task_progress(&mut self, id: u64, progress: &str) -> Vec<EventKind> {
        if let Some(task) = self.status.tasks.iter_mut().find(|task| task.id == id)
            && task.progress != progress
        {
            progress.clone_into(&mut task.progress);
            self.touch();
        }
        Vec::new()
    }

    /// A long command ended.
    pub(super) fn task_ended(&mut self, id: u64) -> Vec<EventKind> {
        let before = self.status.tasks.len();
        self.status.tasks.retain(|task| task.id != id);
        if self.status.tasks.len() != before {
            self.touch();
        }
        Vec::new()
    }

    /// A user's mark.
    pub(super) fn mark(&mut self, now: UnixMs, text: &str) -> Vec<EventKind> {
        self.push_mark(now, MarkKind::Note, None, text.to_owned());
        vec![EventKind::Mark { text: text.to_owned() }]
    }

    /// What the producers are doing; what they have done comes from the ledger.
    pub(super) fn producing(&mut self, told: Producing) -> Vec<EventKind> {
        let old = self.status.producer.clone();
        let mut producer = Producer {
            active: !told.running.is_empty(),
            running: told.running,
            last_number: told.last_number,
            rate: told.rate.unwrap_or(old.rate),
            acked_by: told.acked_by.or_else(|| old.acked_by.clone()),
            trouble: told.trouble,
            ..old
        };
        if let Some(connection) = told.connection {
            connection.put(&mut producer);
        }
        self.producer(producer)
    }

    /// What the ledger says of all producers.
    pub(super) fn produced(&mut self, told: Produced) -> Vec<EventKind> {
        let Produced { acked, failed, unknown, baseline } = told;
        self.producer(Producer { acked, failed, unknown, baseline, ..self.status.producer.clone() })
    }

    /// What the producer has done. Its troubles, a new connection and an acknowledgement from
    /// anywhere but the source's domain get a line.
    pub(super) fn producer(&mut self, mut producer: Producer) -> Vec<EventKind> {
        let mut events = Vec::new();
        if !producer.active {
            // The rate is that of the last second, in which it may still have been.
            producer.rate = 0.0;
        }
        let old = &self.status.producer;
        trouble("the producer", old.trouble.as_deref(), producer.trouble.as_deref(), &mut events);
        if producer.reconnects > old.reconnects {
            events.push(note(Severity::Warn, "the producer's connection was made anew"));
        }
        // Others call their domains as they like.
        let source = self.status.source().filter(|_| !self.status.is_external());
        let domain = source.map(|source| source.name.long());
        let moved = |by: &String| {
            let mut zones = self.status.zones.iter();
            zones.any(|zone| zone.role == Role::Promoted && zone.name.long() == *by)
        };
        if let (Some(by), Some(domain)) = (&producer.acked_by, domain)
            && old.acked_by.as_ref() != Some(by)
            && *by != domain
            && !moved(by)
        {
            events.push(note(
                Severity::Error,
                format!(
                    "the producer was acknowledged by domain {by}, not by the source's {domain}"
                ),
            ));
        }
        let change = ignoring_rate(&mut self.status.producer, producer, |p| &mut p.rate);
        self.changed(change);
        self.explain_excess();
        events
    }

    /// What the room does with a zone's consumer.
    pub(super) fn consuming(
        &mut self,
        now: UnixMs,
        zone: &ZoneName,
        does: Consuming,
    ) -> Vec<EventKind> {
        let mut events = Vec::new();
        if let Some(i) = self.index(zone)
            && let Zone { consumer: Some(shown), flow, .. } = &mut self.status.zones[i]
        {
            let name = format!("the consumer of zone {zone}");
            trouble(&name, shown.trouble.as_deref(), does.trouble.as_deref(), &mut events);
            let Consuming { running, paused, limit, rate, trouble, .. } = does;
            let book = &mut self.books[i];
            if trouble.is_some() {
                book.elsewhere.doubt(now);
            }
            let new = Consumer { running, paused, limit, rate, trouble, ..shown.clone() };
            let change = ignoring_rate(shown, new, |consumer| &mut consumer.rate);
            (book.processed, book.came) = (Some(does.processed), does.deliveries);
            let mut new = shown.clone();
            if let Some(came) = book.came {
                book.elsewhere.came(now, came, does.connections);
            }
            flow::deliveries(&mut new, book.deliveries, book.came);
            let change = change.max(set_quietly(shown, new));
            let change = change.max(set_quietly(&mut flow.latency, does.latency));
            self.changed(change);
        }
        events
    }

    /// A zone's account of messages, and the first sequences behind each count that must be zero.
    pub(super) fn ledger(
        &mut self,
        now: UnixMs,
        zone: &ZoneName,
        ledger: Ledger,
        offenders: Offenders,
    ) -> Vec<EventKind> {
        let mut events = Vec::new();
        if let Some(i) = self.index(zone) {
            let change = set(&mut self.status.zones[i].ledger, ledger);
            self.changed(change);
            self.books[i].offenders = offenders;
            self.alarms(now, i, &mut events);
        }
        events
    }

    /// Counts that must be zero and have grown since they were last announced.
    pub(super) fn alarms(&mut self, now: UnixMs, i: usize, events: &mut Vec<EventKind>) {
        let zone = &self.status.zones[i];
        let book = &mut self.books[i];
        let first = &book.offenders;
        let counts = [
            ("lost", zone.ledger.lost, &first.lost),
            ("duplicate", zone.ledger.duplicates, &first.duplicates),
            ("reordered", zone.ledger.reordered, &first.reordered),
            ("corrupt", zone.ledger.corrupt, &first.corrupt),
            ("unexpected", zone.ledger.unexpected, &first.unexpected),
        ];
        for ((what, count, first), alarm) in counts.into_iter().zip(&mut book.alarms) {
            let paused = alarm.count > 0 && now.saturating_sub(alarm.at_ms) < ALARM_PAUSE_MS;
            if count > alarm.count && !paused {
                alarm.count = count;
                alarm.at_ms = now;
                events.push(EventKind::LedgerAlarm {
                    zone: zone.name.clone(),
                    what: what.to_owned(),
                    count,
                    first: first.clone(),
                });
            } else if count < alarm.count {
                alarm.count = count;
            }
        }
    }

    /// The screens attached now.
    pub(super) fn screens(&mut self, screens: Vec<Screen>) -> Vec<EventKind> {
        let has = |list: &[Screen], id: u64| list.iter().any(|screen| screen.id == id);
        let old = &self.status.screens;
        let left = old.iter().filter(|screen| !has(&screens, screen.id));
        let came = screens.iter().filter(|screen| !has(old, screen.id));
        let events = left
            .map(|screen| EventKind::ScreenLeft { person: screen.person() })
            .chain(came.map(|screen| EventKind::ScreenAttached {
                person: screen.person(),
                drives: screen.drives,
            }))
            .collect();
        let change = set(&mut self.status.screens, screens);
        self.changed(change);
        events
    }

    /// The drill that runs, as it stands now, or the last one; `None` clears it.
    pub(super) fn drill(&mut self, drill: Option<Drill>) -> Vec<EventKind> {
        let change = set(&mut self.status.drill, drill);
        self.changed(change);
        Vec::new()
    }

    /// What has been shown about one of the [`super::CONCLUSIONS`].
    pub(super) fn conclude(&mut self, told: &Concluded) -> Vec<EventKind> {
        self.watched.remove(&told.name);
        // One after the four stands on the strip once its drill was tried.
        if FURTHER_CONCLUSIONS.contains(&told.name.as_str())
            && !self.status.conclusions.is_empty()
            && !self.status.conclusions.iter().any(|known| known.name == told.name)
        {
            let (name, evidence) = (told.name.clone(), String::new());
            self.status.conclusions.push(Conclusion { name, verdict: Verdict::Waiting, evidence });
        }
        let mut known = self.status.conclusions.iter_mut();
        if let Some(known) = known.find(|known| known.name == told.name) {
            let change = set(&mut known.verdict, told.verdict);
            let change = change.max(set(&mut known.evidence, told.evidence.clone()));
            self.changed(change);
        }
        Vec::new()
    }
}

/// A line when trouble comes and when it goes; its words may change in between.
fn trouble(who: &str, old: Option<&str>, new: Option<&str>, events: &mut Vec<EventKind>) {
    match (old, new) {
        (None, Some(why)) => {
            events.push(note(Severity::Warn, format!("{who} cannot go on: {why}")));
        }
        (Some(_), None) => events.push(note(Severity::Info, format!("{who} goes on"))),
        _ => {}
    }
}

/// Takes a new value over; a rate that differs a little is no news by itself.
fn ignoring_rate<T: PartialEq>(place: &mut T, mut new: T, rate: fn(&mut T) -> &mut f64) -> Change {
    let old = std::mem::replace(rate(place), *rate(&mut new));
    let quiet = if old.to_bits() == rate(place).to_bits() { Change::None } else { Change::Quiet };
    quiet.max(set(place, new))
}
