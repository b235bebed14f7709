//! The history that a bundle of format 1 or 2 does not hold, as far as its record and its events
//! tell of it. What they do not tell stays unknown: such a picture says less than a room's, never
//! something else.

use crate::{
    drill::{
        checks,
        record::{Begin, Entry},
        run::Run,
        script::Step,
    },
    region::{
        Actor, Event, EventKind, Input, PlatformKind, UnixMs,
        actor::Via,
        history::{self, Line},
        input::{Concluded, Moment},
        reduce::{CONCLUSIONS, State},
        status::{Drill, Phase, StepState, Verdict},
    },
};

/// What a drill came to, as it was computed anew from the bundle's evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub verdict: Verdict,
    pub evidence: String,
}

/// What is told, and when.
struct Told {
    lines: Vec<(UnixMs, Option<Actor>, Input)>,
    run: Run,
    view: Drill,
}

/// The history of a drill; `None` if the record does not begin as a record does.
#[must_use]
pub fn history(entries: Vec<Entry>, events: &[Event], outcome: Outcome) -> Option<Vec<Line>> {
    let Some(Entry::Begin(begin)) = entries.first() else { return None };
    let begin = Begin::clone(begin);
    let mut told = Told { lines: Vec::new(), run: Run::default(), view: view(&begin) };
    let mut now = begin.at;
    for entry in entries {
        // A clock that was set back, and entries without a time: when the one before was written.
        now = now.max(entry.at().unwrap_or(now));
        told.entry(now, entry);
    }
    let concluded = concluded(&begin, events, now);
    let during = (events.iter())
        .filter(|event| (begin.at..=concluded).contains(&event.at_ms) && !is_of_drill(event));
    for event in during {
        let input = match &event.kind {
            EventKind::Mark { text } => Input::Mark { text: text.clone() },
            kind => Input::Said(vec![kind.clone()]),
        };
        told.lines.push((event.at_ms, Some(event.actor.clone()), input));
    }
    let Outcome { verdict, evidence } = outcome;
    told.view.ended_at_ms = Some(now);
    (told.view.verdict, told.view.evidence) = (verdict, evidence.clone());
    told.show(concluded);
    told.say(concluded, EventKind::DrillEnded { drill: begin.drill.clone(), verdict, evidence });
    // Stable: at the same moment the record goes first, and the verdict last.
    told.lines.sort_by_key(|(at, ..)| *at);
    let named = |kind: &&PlatformKind| begin.platform.starts_with(kind.as_str());
    let platform = PlatformKind::ALL.iter().find(named).copied().unwrap_or_default();
    let mut state = State::new(&begin.region, platform, begin.at);
    state.apply(begin.at, Input::Phase(Phase::Up));
    let (version, mirror_kind) = (begin.server_version.clone(), begin.mirror_kind);
    let copy_kind = begin.copy_kind;
    state.apply(begin.at, Input::Servers { version, mirror_kind, copy_kind });
    for name in CONCLUSIONS {
        let (verdict, evidence) = (Verdict::Waiting, "not part of this replay".to_owned());
        let none = Concluded { name: name.to_owned(), verdict, evidence };
        state.apply(begin.at, Input::Concluded(none));
    }
    let first = Line::Begin(Box::new(history::Begin::with(begin.at, state)));
    let rest = told.lines.into_iter().map(|(at, by, input)| Moment { at, by, input });
    Some(std::iter::once(first).chain(rest.map(|moment| Line::Input(Box::new(moment)))).collect())
}

/// What the record tells itself.
fn is_of_drill(event: &Event) -> bool {
    match event.kind {
        EventKind::DrillBegan { .. }
        | EventKind::DrillStep { .. }
        | EventKind::DrillEnded { .. } => true,
        EventKind::CommandGiven { .. } => event.actor.via == Via::Drill,
        _ => false,
    }
}

/// When the verdict was told: by the event of it, if that is there, else with the record's end.
fn concluded(begin: &Begin, events: &[Event], ended: UnixMs) -> UnixMs {
    let of_it = |kind: &EventKind| matches!(kind, EventKind::DrillEnded { drill, .. } if *drill == begin.drill);
    events
        .iter()
        .filter(|event| event.at_ms >= ended)
        .take_while(|event| !matches!(event.kind, EventKind::DrillBegan { .. }))
        .find(|event| of_it(&event.kind))
        .map_or(ended, |event| event.at_ms)
}

impl Told {
    fn say(&mut self, at: UnixMs, kind: EventKind) {
        self.lines.push((at, None, Input::Said(vec![kind])));
    }

    fn show(&mut self, at: UnixMs) {
        let drill = Input::Drill(Box::new(self.view.clone()));
        if !self.lines.iter().rev().take(2).any(|(.., last)| *last == drill) {
            self.lines.push((at, None, drill));
        }
    }

    fn entry(&mut self, at: UnixMs, entry: Entry) {
        self.run.push(entry.clone());
        match entry {
            Entry::Begin(begin) => {
                if let Some(script) = self.run.script() {
                    self.view.conclusion = script.conclusion;
                    self.view.claim.clone_from(&script.claim);
                    self.view.steps = script.steps.iter().map(Step::shown).collect();
                }
                let sabotage = begin.sabotage.map(|kind| kind.as_str().to_owned());
                self.say(at, EventKind::DrillBegan { drill: begin.drill, sabotage });
            }
            Entry::Step { index, title, .. } => {
                let drill = self.view.name.clone();
                self.say(at, EventKind::DrillStep { drill, number: index + 1, title });
                if let Some(step) = self.view.steps.get_mut(index) {
                    (step.state, step.began_at_ms) = (Some(StepState::Running), Some(at));
                }
            }
            Entry::StepDone { index, ok, why, .. } => {
                if let Some(step) = self.view.steps.get_mut(index) {
                    step.state = Some(if ok { StepState::Done } else { StepState::Failed });
                    step.took_ms = step.began_at_ms.map(|began| at.saturating_sub(began));
                    step.detail = why.unwrap_or_default();
                }
            }
            Entry::Sample(sample) => {
                self.lines.push((at, None, Input::Recorded(Box::new(sample.status))));
            }
            Entry::Given { line, .. } => {
                let by = Actor { who: self.view.actor.clone(), via: Via::Drill };
                let given = EventKind::CommandGiven { command: line };
                self.lines.push((at, Some(by), Input::Said(vec![given])));
                return;
            }
            _ => return,
        }
        let (verdict, evidence, counters) = checks::live(&self.run);
        // Only the end can prove anything.
        self.view.verdict = if verdict == Verdict::Proved { Verdict::Holding } else { verdict };
        (self.view.evidence, self.view.counters) = (evidence, counters);
        self.show(at);
    }
}

fn view(begin: &Begin) -> Drill {
    Drill {
        scale: begin.scale,
        sabotage: begin.sabotage.map(|kind| kind.as_str().to_owned()),
        ..Drill::beginning(&begin.drill, &begin.actor, begin.at)
    }
}
