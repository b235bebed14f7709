//! What happened, shown again: the inputs of a history applied once more. Pure.
//!
//! A [`Story`] is a history laid out in time, with the moments worth going to; a [`Reel`] is wound
//! on through it and gives the [`Status`](crate::region::Status) of any moment: the picture that
//! was drawn then. Winding to a moment gives the same picture by whatever way one came to it.

pub mod old;
mod reel;
#[cfg(test)]
pub(crate) mod tests;

use crate::{
    drill::chapter::Chapters,
    region::{
        Actor, Event, UnixMs,
        actor::Via,
        history::{Begin, Line},
        reduce::State,
    },
};

pub use reel::Reel;

/// Between two lives of a room, or two drills, nothing is known: that passes within this time.
const LONGEST_BREAK_MS: u64 = 1000;
/// So many lines are applied at most to come to a moment.
const LINES_A_KEY: usize = 500;

/// A moment worth going to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Where it is on the story's axis.
    pub at: UnixMs,
    pub words: String,
}

/// A history in the order of time.
#[derive(Clone, Debug)]
pub struct Story {
    lines: Vec<Placed>,
    events: Vec<Event>,
    markers: Vec<Marker>,
    /// States on the way: after so many lines.
    keys: Vec<(usize, State)>,
}

/// A line, and where it is on the story's axis, which has no breaks.
#[derive(Clone, Debug)]
struct Placed {
    at: UnixMs,
    line: Line,
    /// Events up to its end.
    events: usize,
}

impl Story {
    /// Lays a history out in time; `None` if it does not begin with a state.
    #[must_use]
    pub fn new(history: Vec<Line>) -> Option<Self> {
        let Some(Line::Begin(begin)) = history.first() else { return None };
        let mut state = begin.state.clone();
        let mut story = Self {
            lines: Vec::with_capacity(history.len()),
            events: Vec::new(),
            markers: Vec::new(),
            keys: vec![(0, state.clone())],
        };
        let mut chapters = Chapters::default();
        for line in history {
            let at = story.place(&line);
            let first = story.events.len();
            apply(&mut state, &line, &mut story.events);
            let told = story.events[first..].iter().filter_map(|event| chapters.of(event));
            story.markers.extend(told.map(|words| Marker { at, words }));
            story.lines.push(Placed { at, line, events: story.events.len() });
            if story.lines.len().is_multiple_of(LINES_A_KEY) {
                story.keys.push((story.lines.len(), state.clone()));
            }
        }
        story.markers.dedup();
        Some(story)
    }

    /// Where the next line is on the axis. A clock that was set back stands still.
    fn place(&self, next: &Line) -> UnixMs {
        let Some(last) = self.lines.last() else { return next.at() };
        let passed = next.at().saturating_sub(last.line.at());
        let most = if matches!(next, Line::Begin(_)) { LONGEST_BREAK_MS } else { u64::MAX };
        last.at.saturating_add(passed.min(most))
    }

    /// Where it begins on its axis.
    #[must_use]
    pub fn from(&self) -> UnixMs {
        self.lines.first().map_or(0, |line| line.at)
    }

    /// Where there is no more.
    #[must_use]
    pub fn to(&self) -> UnixMs {
        self.lines.last().map_or(0, |line| line.at)
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

/// Applies a line; what happened is added to `events`.
fn apply(state: &mut State, line: &Line, events: &mut Vec<Event>) {
    match line {
        Line::Begin(begin) => {
            let Begin { state: begun, .. } = &**begin;
            *state = begun.clone();
        }
        Line::Input(moment) => {
            let actor = moment.by.clone().unwrap_or_else(Actor::room);
            for kind in state.apply(moment.at, moment.input.clone()) {
                let id = events.len() as u64 + 1;
                events.push(Event { id, at_ms: moment.at, actor: actor.clone(), kind });
            }
        }
    }
}

/// The replay's own hand.
#[must_use]
pub fn replaying() -> Actor {
    Actor { who: "replay".into(), via: Via::Room }
}
