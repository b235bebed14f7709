//! The pictures of a past drill, moment by moment.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Moment, Outcome, Story,
    picture::{blank, nothing_known, step, zone},
};
use crate::{
    command::Command,
    drill::{
        law,
        record::{Entry, Sample},
        run::Run,
    },
    region::{
        Actor, Event, EventKind, NodeName, Snapshot, UnixMs, ZoneName,
        actor::Via,
        history,
        snapshot::{DrillStep, Link, Mark, MarkKind, Producer, StepState, Task, Verdict},
        topology::CutKind,
    },
};

/// A story wound on to some moment.
#[derive(Clone, Debug)]
pub struct Reel {
    story: Arc<Story>,
    /// The next moment to take in.
    next: usize,
    at: UnixMs,
    run: Run,
    snapshot: Snapshot,
    peaks: history::Peaks,
    /// How each zone was cut, where the command said it, and when that heals by itself.
    cuts: BTreeMap<ZoneName, (Option<CutKind>, Option<UnixMs>)>,
    given: Vec<(u64, String, UnixMs)>,
}

impl Reel {
    /// At the beginning.
    #[must_use]
    pub fn new(story: Arc<Story>) -> Self {
        let at = story.from();
        let mut reel = Self {
            snapshot: blank(&story.begin),
            story,
            next: 0,
            at,
            run: Run::default(),
            peaks: history::Peaks::default(),
            cuts: BTreeMap::new(),
            given: Vec::new(),
        };
        // The record's first line says what steps there are.
        reel.wind(at);
        reel
    }

    /// The story.
    #[must_use]
    pub fn story(&self) -> &Arc<Story> {
        &self.story
    }

    /// Where it stands.
    #[must_use]
    pub fn at(&self) -> UnixMs {
        self.at
    }

    /// Winds on to a moment (never back) and returns what happened on the way.
    pub fn wind(&mut self, to: UnixMs) -> Vec<Event> {
        let mut events = Vec::new();
        let story = Arc::clone(&self.story);
        while let Some((at, moment)) = story.moments.get(self.next).filter(|(at, _)| *at <= to) {
            self.next += 1;
            match moment {
                Moment::Entry(entry) => {
                    self.entry(*at, entry);
                    self.run.push(entry.clone());
                    if let Entry::Begin(_) = entry {
                        self.steps();
                    }
                }
                Moment::Event(event) => {
                    self.event(event);
                    events.push(event.clone());
                }
                Moment::Concluded => self.conclude(),
            }
        }
        self.at = self.at.max(to.min(story.to()));
        events
    }

    /// A reel at a moment, before or after this one, and everything that had happened by then.
    #[must_use]
    pub fn sought(&self, to: UnixMs) -> (Self, Vec<Event>) {
        let from = self.story.from();
        let mut reel = Self::new(Arc::clone(&self.story));
        reel.wind(to.max(from));
        let events =
            self.story.moments[..reel.next].iter().filter_map(|(_, moment)| match moment {
                Moment::Event(event) => Some(event.clone()),
                _ => None,
            });
        let events = events.collect();
        (reel, events)
    }

    /// The picture of this moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.snapshot.clone();
        snapshot.at_ms = self.at;
        let Some(drill) = &mut snapshot.drill else { return snapshot };
        let (verdict, evidence, counters) = law::glance(&self.run);
        drill.counters = counters;
        if drill.ended_ms.is_none() {
            // Only the end can prove anything.
            drill.verdict = if verdict == Verdict::Proved { Verdict::Holding } else { verdict };
            drill.evidence = evidence;
        }
        let tested = drill
            .conclusion
            .and_then(|number| usize::from(number).checked_sub(1))
            .and_then(|at| snapshot.conclusions.get_mut(at));
        if let Some(conclusion) = tested {
            conclusion.verdict = drill.verdict;
            conclusion.evidence.clone_from(&drill.evidence);
        }
        snapshot
    }

    /// The script's steps, as nothing of them has begun.
    fn steps(&mut self) {
        let (Some(script), Some(drill)) = (self.run.script(), &mut self.snapshot.drill) else {
            return;
        };
        drill.conclusion = script.conclusion;
        drill.claim.clone_from(&script.claim);
        drill.steps = script.steps.iter().map(step).collect();
    }

    fn conclude(&mut self) {
        let Outcome { verdict, evidence } = self.story.outcome.clone();
        self.snapshot.tasks.clear();
        self.snapshot.producer.running.clear();
        if let Some(drill) = &mut self.snapshot.drill {
            drill.ended_ms = Some(self.story.ended);
            drill.verdict = verdict;
            drill.evidence = evidence;
        }
    }

    fn entry(&mut self, at: UnixMs, entry: &Entry) {
        match entry {
            Entry::Sample(sample) => self.sample(at, sample),
            Entry::Step { index, title, .. } => {
                if let Some(step) = self.step(*index, title) {
                    step.state = Some(StepState::Running);
                    step.began_ms = Some(at);
                }
            }
            Entry::StepDone { index, ok, why, .. } => {
                if let Some(step) = self.step(*index, "") {
                    step.state = Some(if *ok { StepState::Done } else { StepState::Failed });
                    step.took_ms = step.began_ms.map(|began| at.saturating_sub(began));
                    step.detail = why.clone().unwrap_or_default();
                }
            }
            Entry::Given { id, line, .. } => self.given(*id, line, at),
            Entry::Answered { id, outcome, .. } => self.answered(*id, outcome, at),
            _ => {}
        }
    }

    /// The step of an index; one the script does not know is added.
    fn step(&mut self, index: usize, title: &str) -> Option<&mut DrillStep> {
        let steps = &mut self.snapshot.drill.as_mut()?.steps;
        if steps.len() == index && !title.is_empty() {
            steps.push(DrillStep { title: title.into(), ..nothing_known() });
        }
        steps.get_mut(index)
    }

    fn given(&mut self, id: u64, line: &str, at: UnixMs) {
        let actor = Actor { who: self.story.begin.actor.clone(), via: Via::Drill };
        self.given.push((id, line.into(), at));
        self.snapshot.tasks.push(Task {
            id,
            command: line.into(),
            actor,
            since_ms: at,
            progress: "under way".into(),
        });
        if matches!(line.parse(), Ok(Command::Produce(_))) {
            self.snapshot.producer.running.push(line.into());
        }
        let running = self.snapshot.drill.as_mut().and_then(|drill| {
            drill.steps.iter_mut().find(|step| step.state == Some(StepState::Running))
        });
        if let Some(step) = running {
            step.detail = line.into();
        }
    }

    fn answered(&mut self, id: u64, outcome: &str, at: UnixMs) {
        self.snapshot.tasks.retain(|task| task.id != id);
        let Some(place) = self.given.iter().position(|(given, ..)| *given == id) else { return };
        let (_, line, since) = self.given.remove(place);
        let running = &mut self.snapshot.producer.running;
        if let Some(place) = running.iter().position(|running| *running == line) {
            running.remove(place);
        }
        if outcome == "done" {
            self.done(&line, since, at);
        }
    }

    /// A command that was carried out is a mark on the timeline.
    fn done(&mut self, line: &str, since: UnixMs, at: UnixMs) {
        let Ok(command) = line.parse::<Command>() else { return };
        let (when, kind, zone, text) = match command {
            Command::Cut { zone, kind, heal_after } => {
                let heals =
                    heal_after.map(|after| since + u64::try_from(after.as_millis()).unwrap_or(0));
                self.cuts.insert(zone.clone(), (kind, heals));
                (since, MarkKind::Cut, Some(zone), "cut".to_owned())
            }
            Command::Heal { zone } => (since, MarkKind::Heal, zone, "heal".to_owned()),
            Command::ZoneAdd { zone } => {
                let zone = zone.or_else(|| self.story.begin.new_zone.clone());
                (at, MarkKind::Zone, zone, "joined".to_owned())
            }
            Command::ZoneRemove { zone } => (at, MarkKind::Zone, Some(zone), "removed".to_owned()),
            Command::Node { act, node } => {
                let NodeName { zone, number } = node;
                let text = format!("{} js{number}", act.as_str());
                (since, MarkKind::Node, Some(zone), text)
            }
            _ => return,
        };
        self.snapshot.marks.push(Mark { at_ms: when, kind, zone, text });
    }

    fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::LinkSevered { zone, after_ms } => {
                if let Some(link) = self.link(zone) {
                    link.severed_in_ms = Some(*after_ms);
                }
            }
            EventKind::CutEffective { zone, after_ms } => {
                if let Some(link) = self.link(zone) {
                    link.proved_in_ms = Some(*after_ms);
                }
            }
            EventKind::Mark { text } => self.snapshot.marks.push(Mark {
                at_ms: event.at_ms,
                kind: MarkKind::Note,
                zone: None,
                text: text.clone(),
            }),
            // Somebody else's hand; the drill's own commands are in the record.
            EventKind::CommandDone { command, took_ms, .. } if event.actor.via != Via::Drill => {
                self.done(command, event.at_ms.saturating_sub(*took_ms), event.at_ms);
            }
            _ => {}
        }
    }

    fn link(&mut self, zone: &ZoneName) -> Option<&mut Link> {
        self.snapshot.zones.iter_mut().find(|known| known.name == *zone)?.link.as_mut()
    }

    fn sample(&mut self, at: UnixMs, sample: &Sample) {
        let acked = sample.producer.acked;
        let mut old = std::mem::take(&mut self.snapshot.zones);
        self.snapshot.zones = sample
            .zones
            .iter()
            .map(|seen| {
                let place = old.iter().position(|zone| zone.name == seen.zone);
                let before = place.map(|place| old.swap_remove(place));
                let since = match before {
                    Some(_) => at,
                    None => self.story.links.get(&seen.zone).copied().unwrap_or(at),
                };
                zone(at, since, seen, acked, before, self.cuts.get(&seen.zone))
            })
            .collect();
        let told = &sample.producer;
        self.snapshot.producer = Producer {
            active: told.active,
            rate: told.rate,
            acked: told.acked,
            failed: told.failed,
            unknown: told.unknown,
            connection: told.connection,
            reconnects: told.reconnects,
            acked_by: told.acked_by.clone(),
            running: std::mem::take(&mut self.snapshot.producer.running),
            ..Producer::default()
        };
        for seen in &sample.zones {
            self.peaks.saw(&seen.zone, seen.true_lag);
        }
        let (steps, newest) = history::due(self.snapshot.history_ms, at);
        if steps > 0 {
            history::append(&mut self.snapshot.zones, &mut self.peaks, steps);
            self.snapshot.history_ms = newest;
        }
    }
}
