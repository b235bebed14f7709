//! A past drill, shown again: from its record to the pictures a screen draws. Pure.
//!
//! A [`Story`] is the record and the events of the drill in the order of time; a [`Reel`] is wound
//! on through it and gives a [`Snapshot`](crate::region::Snapshot) of any moment. Winding to a
//! moment gives the same picture by whatever way one came to it. What the record does not hold stays
//! unknown: such a picture says less than a room's, never something else.

mod picture;
mod reel;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::record::{Begin, Entry};
use crate::{
    command::{Command, Drill as DrillCommand},
    region::{Actor, Event, EventKind, Severity, UnixMs, ZoneName, actor::Via, snapshot::Verdict},
};

pub use reel::Reel;

/// What a drill came to, as it was computed anew from the bundle's evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// Its reason.
    pub evidence: String,
}

/// A moment worth going to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// When.
    pub at: UnixMs,
    /// In words.
    pub words: String,
}

/// A past drill in the order of time.
#[derive(Clone, Debug)]
pub struct Story {
    begin: Begin,
    outcome: Outcome,
    moments: Vec<(UnixMs, Moment)>,
    markers: Vec<Marker>,
    /// When the record ends.
    ended: UnixMs,
    /// Since when links were as they were when the drill began, where an event says it.
    links: BTreeMap<ZoneName, UnixMs>,
}

#[derive(Clone, Debug)]
enum Moment {
    Entry(Entry),
    Event(Event),
    /// The verdict is out.
    Concluded,
}

impl Story {
    /// Lays a drill out in time; `None` if the record does not begin as a record does.
    #[must_use]
    pub fn new(entries: Vec<Entry>, events: &[Event], outcome: Outcome) -> Option<Self> {
        let Some(Entry::Begin(begin)) = entries.first() else { return None };
        let begin = Begin::clone(begin);
        let mut moments = Vec::with_capacity(entries.len() + events.len());
        // A clock that was set back, and entries without a time: when the one before was written.
        let mut now = begin.at;
        for entry in entries {
            now = now.max(entry.at().unwrap_or(now));
            moments.push((now, Moment::Entry(entry)));
        }
        let ended = now;
        let concluded = concluded(&begin, events, ended);
        let during = events
            .iter()
            .filter(|event| (begin.at..=concluded).contains(&event.at_ms))
            .zip(1..)
            .map(|(event, id)| (event.at_ms, Moment::Event(Event { id, ..event.clone() })));
        moments.extend(during);
        moments.push((concluded, Moment::Concluded));
        // Stable: at the same moment the record goes first, and the verdict last.
        moments.sort_by_key(|(at, _)| *at);
        let mut markers: Vec<Marker> = moments
            .iter()
            .filter_map(|(at, moment)| {
                let words = words(&begin, &outcome, moment)?;
                Some(Marker { at: *at, words })
            })
            .collect();
        markers.dedup();
        let links = events
            .iter()
            .filter(|event| event.at_ms < begin.at)
            .filter_map(|event| match &event.kind {
                EventKind::LinkChanged { zone, .. } | EventKind::LinkSevered { zone, .. } => {
                    Some((zone.clone(), event.at_ms))
                }
                _ => None,
            })
            .collect();
        Some(Self { begin, outcome, moments, markers, ended, links })
    }

    /// What was drilled.
    #[must_use]
    pub fn begin(&self) -> &Begin {
        &self.begin
    }

    /// When it began.
    #[must_use]
    pub fn from(&self) -> UnixMs {
        self.begin.at
    }

    /// When there is no more.
    #[must_use]
    pub fn to(&self) -> UnixMs {
        self.moments.last().map_or(self.begin.at, |(at, _)| *at)
    }

    /// The moments worth going to, in order.
    #[must_use]
    pub fn markers(&self) -> &[Marker] {
        &self.markers
    }

    /// The marker passed last.
    #[must_use]
    pub fn marker(&self, at: UnixMs) -> Option<&Marker> {
        self.markers.iter().rev().find(|marker| marker.at <= at)
    }

    /// The next marker after a moment.
    #[must_use]
    pub fn next(&self, at: UnixMs) -> Option<&Marker> {
        self.markers.iter().find(|marker| marker.at > at)
    }

    /// The last marker before a moment.
    #[must_use]
    pub fn previous(&self, at: UnixMs) -> Option<&Marker> {
        self.markers.iter().rev().find(|marker| marker.at < at)
    }
}

/// When the verdict was told: by the event of it, if that is there, else with the record's end.
fn concluded(begin: &Begin, events: &[Event], ended: UnixMs) -> UnixMs {
    events
        .iter()
        .filter(|event| event.at_ms >= ended)
        .take_while(|event| !matches!(event.kind, EventKind::DrillBegan { .. }))
        .find(|event| {
            matches!(&event.kind, EventKind::DrillEnded { drill, .. } if *drill == begin.drill)
        })
        .map_or(ended, |event| event.at_ms)
}

/// The marker a moment is; `None` for most.
fn words(begin: &Begin, outcome: &Outcome, moment: &Moment) -> Option<String> {
    match moment {
        Moment::Entry(Entry::Begin(_)) => Some(format!("drill {}", begin.drill)),
        Moment::Entry(Entry::Step { index, title, .. }) => {
            Some(format!("step {}: {title}", index + 1))
        }
        Moment::Entry(Entry::Given { line, .. }) => Some(line.clone()),
        Moment::Entry(Entry::Sabotaged { kind, .. }) => Some(format!("sabotage {}", kind.as_str())),
        Moment::Entry(Entry::Interrupted { why, .. }) => Some(format!("interrupted: {why}")),
        Moment::Event(Event { kind: EventKind::Mark { text }, .. }) => Some(format!("mark {text}")),
        Moment::Event(Event { kind: EventKind::CommandGiven { command }, actor, .. })
            if actor.via != Via::Drill && !is_of_the_screen(command) =>
        {
            Some(command.clone())
        }
        Moment::Concluded => Some(format!("verdict {}", outcome.verdict.as_str())),
        _ => None,
    }
}

/// A mark tells of itself; recording and control change nothing; the drill has its own marker.
fn is_of_the_screen(line: &str) -> bool {
    matches!(
        line.parse(),
        Ok(Command::Mark { .. }
            | Command::Record(_)
            | Command::Control(_)
            | Command::Drill(DrillCommand::Run(_)))
    )
}

/// A line of the replay itself, for the log.
#[must_use]
pub fn note(at_ms: UnixMs, severity: Severity, text: String) -> Event {
    let actor = Actor { who: "replay".into(), via: Via::Room };
    Event { id: 0, at_ms, actor, kind: EventKind::Note { severity, text } }
}
