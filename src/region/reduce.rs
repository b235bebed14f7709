//! How observations and the room's own doings change the picture, and which events they make.
//!
//! [`State`] is the only writer of a [`Snapshot`]. Every input takes the moment it happened and
//! returns what is worth a line in the log; an input that changes nothing returns nothing.
//!
//! Facts age: the moment a leader told its numbers moves with every answer, and so do memory and
//! CPU. Such *quiet* changes alone do not make a new revision; [`State::tick`] lets them out once
//! a second. Everything else does at once.

mod book;
mod inputs;
mod link;
mod mirror;
mod nodes;
mod numbers;

#[cfg(test)]
mod tests;

use self::book::ZoneBook;
use super::{
    UnixMs,
    event::{EventKind, Severity},
    history,
    names::ZoneName,
    observation::Observation,
    snapshot::{Conclusion, Mark, MarkKind, Phase, Snapshot, Verdict, ZoneState},
    topology::Role,
};

pub use self::book::Offenders;

/// A leader's word older than this is stale: shown with its age, and no lag is computed from it.
pub const FRESH_MS: u64 = 3_000;
/// A node whose last answer is older than this is silent.
pub const SILENT_MS: u64 = 2_000;
/// How many marks the timeline keeps.
pub const MARKS: usize = 64;
/// The four conclusions, in the order they are shown.
pub const CONCLUSIONS: [&str; 4] = ["cut", "heal", "independent", "grow"];

/// The picture of a region and what must be remembered to keep it true.
#[derive(Clone, Debug)]
pub struct State {
    snapshot: Snapshot,
    /// One book per zone, in the order of `snapshot.zones`.
    books: Vec<ZoneBook>,
    peaks: history::Peaks,
    revision: u64,
    /// Something changed that is not worth a revision of its own.
    quiet_change: bool,
}

impl State {
    /// An empty region: no zones, phase down.
    #[must_use]
    pub fn new(region: impl Into<String>, platform: impl Into<String>, started_ms: UnixMs) -> Self {
        let conclusions = CONCLUSIONS
            .iter()
            .map(|name| Conclusion {
                name: (*name).to_owned(),
                verdict: Verdict::Waiting,
                evidence: "no drill has run".into(),
            })
            .collect();
        let snapshot = Snapshot {
            region: region.into(),
            platform: platform.into(),
            started_ms,
            at_ms: started_ms,
            conclusions,
            ..Snapshot::default()
        };
        Self {
            snapshot,
            books: Vec::new(),
            peaks: history::Peaks::default(),
            revision: 1,
            quiet_change: false,
        }
    }

    /// The picture at `now`. A lag whose ends have become stale since the last input is unknown, and
    /// so is what a leader that does not tell any more thought of its replicas.
    #[must_use]
    pub fn snapshot(&self, now: UnixMs) -> Snapshot {
        let mut picture = self.snapshot.clone();
        picture.at_ms = now;
        let source_fresh = picture
            .source()
            .and_then(|zone| zone.stream.as_ref())
            .is_some_and(|stream| fresh(now, stream.told_ms));
        for zone in &mut picture.zones {
            let here_fresh = zone.stream.as_ref().is_some_and(|stream| fresh(now, stream.told_ms));
            if let Some(stream) = zone.stream.as_mut().filter(|_| !here_fresh) {
                stream.replicas_current = None;
            }
            if let Some(mirror) = &mut zone.mirror
                && !(source_fresh && here_fresh)
            {
                mirror.true_lag = None;
            }
        }
        picture
    }

    /// The picture as of the last input, to look something up without copying it.
    #[must_use]
    pub fn peek(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Counts the changes that are worth publishing.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether there is something to publish that was not there at `revision`.
    #[must_use]
    pub fn changed_since(&self, revision: u64) -> bool {
        self.revision != revision
    }

    /// A watcher's fact.
    pub fn observe(&mut self, now: UnixMs, observation: Observation) -> Vec<EventKind> {
        let mut events = Vec::new();
        match observation {
            Observation::Process { node, truth } => {
                self.process(now, &node, truth, &mut events);
            }
            Observation::Astray { node, off } => self.went_astray(now, &node, off, &mut events),
            Observation::Container { node, container } => self.container(&node, *container),
            Observation::Node { node, report: Some(report) } => {
                self.report(now, &node, *report, &mut events);
            }
            Observation::Node { node, report: None } => self.silence(now, &node, &mut events),
            Observation::SourcePending { zone, pending } => {
                if let Some(i) = self.index(&zone) {
                    self.books[i].source_pending = Some(pending);
                }
            }
        }
        self.judge(now, &mut events);
        events
    }

    /// Once a second: what has aged, the lag history, alarms that were held back.
    pub fn tick(&mut self, now: UnixMs) -> Vec<EventKind> {
        let mut events = Vec::new();
        self.age_nodes(now, &mut events);
        self.judge(now, &mut events);
        for i in 0..self.books.len() {
            self.alarms(now, i, &mut events);
        }
        if !self.snapshot.zones.is_empty() {
            let (steps, newest) = history::due(self.snapshot.history_ms, now);
            if steps > 0 {
                history::append(&mut self.snapshot.zones, &mut self.peaks, steps);
                self.snapshot.history_ms = newest;
                self.touch();
            }
        }
        if std::mem::take(&mut self.quiet_change) {
            self.touch();
        }
        events
    }

    /// Draws the conclusions from what is known: links, mirrors, recovery clocks.
    fn judge(&mut self, now: UnixMs, events: &mut Vec<EventKind>) {
        for i in 0..self.books.len() {
            self.judge_link(now, i, events);
            self.judge_mirror(now, i, events);
            self.judge_recovery(now, i, events);
        }
    }

    fn touch(&mut self) {
        self.revision += 1;
    }

    /// Counts a change: a real one makes a revision, a quiet one waits for the tick.
    fn changed(&mut self, change: Change) {
        match change {
            Change::None => {}
            Change::Quiet => self.quiet_change = true,
            Change::Real => self.touch(),
        }
    }

    fn index(&self, zone: &ZoneName) -> Option<usize> {
        self.snapshot.zones.iter().position(|z| &z.name == zone)
    }

    fn source_index(&self) -> Option<usize> {
        self.snapshot.zones.iter().position(|zone| zone.role == Role::Source)
    }

    /// Whether the zone's changes are part of something announced otherwise: a bring-up's steps,
    /// a removal, an orderly end. Such changes make no lines.
    fn hushed(&self, i: usize) -> bool {
        self.snapshot.zones[i].state != ZoneState::Ready
            || matches!(self.snapshot.phase, Phase::Stopping | Phase::Down)
    }

    fn push_mark(&mut self, now: UnixMs, kind: MarkKind, zone: Option<ZoneName>, text: String) {
        let marks = &mut self.snapshot.marks;
        marks.push(Mark { at_ms: now, kind, zone, text });
        let excess = marks.len().saturating_sub(MARKS);
        marks.drain(..excess);
        self.touch();
    }
}

/// How much a changed value matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    None,
    Quiet,
    Real,
}

/// Puts a value in its place and tells whether that was news.
fn set<T: PartialEq>(place: &mut T, value: T) -> Change {
    if *place == value {
        return Change::None;
    }
    *place = value;
    Change::Real
}

/// The same for a value that moves all the time.
fn set_quietly<T: PartialEq>(place: &mut T, value: T) -> Change {
    set(place, value).min(Change::Quiet)
}

/// Whether a word told at `told` still counts at `now`.
fn fresh(now: UnixMs, told: UnixMs) -> bool {
    now.saturating_sub(told) < FRESH_MS
}

fn note(severity: Severity, text: impl Into<String>) -> EventKind {
    EventKind::Note { severity, text: text.into() }
}
