//! How inputs change the picture, and which lines of the log they make.
//!
//! [`State`] is the only writer of a [`Status`], and [`State::apply`] the only way to change it: an
//! input and the moment it came make a new state and what is worth a line in the log.
//!
//! Facts age: the moment a leader told its numbers moves with every answer, and so do memory and
//! CPU. Such *quiet* changes alone do not make a new revision; the tick of each second lets them
//! out. Everything else does at once.

mod apply;
mod audit;
mod book;
mod carried;
mod ends;
mod flow;
mod foreign;
mod frame;
mod inputs;
mod late;
mod link;
mod mirror;
mod nodes;
mod numbers;
mod recorded;
mod roles;
mod steps;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use self::{book::ZoneBook, frame::Excess};
use super::{
    UnixMs,
    event::{EventKind, Severity},
    names::ZoneName,
    observation::Observation,
    past,
    status::{Conclusion, Mark, MarkKind, Phase, Status, Verdict, Zone, ZoneState},
    storm::Storm,
    topology::{Network, PlatformKind},
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

/// Those of them that can be drilled in regions of others: the drills of the rest change what is not ours.
pub const CONCLUSIONS_OF_OTHERS: [&str; 3] = [CONCLUSIONS[0], CONCLUSIONS[1], CONCLUSIONS[2]];

/// Those after them, shown once their drill was tried.
pub const FURTHER_CONCLUSIONS: [&str; 2] = ["failover", "rolling"];

/// The picture of a region and what must be remembered to keep it true.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    status: Status,
    /// One book per zone, in the order of `status.zones`.
    books: Vec<ZoneBook>,
    peaks: past::Peaks,
    excess: Excess,
    revision: u64,
    /// Something changed that is not worth a revision of its own.
    quiet_change: bool,
    /// The conclusions that the watching of what is done by hand has told last.
    watched: BTreeSet<String>,
    /// How many lines the foreign connections may still have.
    #[serde(default)]
    strangers: Storm,
    #[serde(default)]
    last_input_at_ms: UnixMs,
}

impl State {
    /// An empty region: no zones, phase down.
    #[must_use]
    pub fn new(region: impl Into<String>, platform: PlatformKind, started_at_ms: UnixMs) -> Self {
        // Who only looks at a region of others drills nothing.
        let conclusions = match platform {
            PlatformKind::External => Vec::new(),
            PlatformKind::Local | PlatformKind::Docker => waiting(&CONCLUSIONS),
        };
        let status = Status {
            region: region.into(),
            platform,
            started_at_ms,
            at_ms: started_at_ms,
            conclusions,
            ..Status::default()
        };
        Self {
            status,
            books: Vec::new(),
            peaks: past::Peaks::default(),
            excess: Excess::default(),
            revision: 1,
            quiet_change: false,
            watched: BTreeSet::new(),
            strangers: Storm::default(),
            last_input_at_ms: started_at_ms,
        }
    }

    /// Says whether the well-known user may change everything.
    #[must_use]
    pub fn open(mut self, open: bool) -> Self {
        self.status.open = open;
        self
    }

    /// Says what carries the links, where the platform has a choice.
    #[must_use]
    pub fn over(mut self, network: Option<Network>) -> Self {
        self.status.network = network;
        self
    }

    /// The picture as of the last input, to look something up without copying it.
    #[must_use]
    pub fn peek(&self) -> &Status {
        &self.status
    }

    /// What is remembered belongs to what is shown: so it is of every state that was not forged.
    #[must_use]
    pub fn is_coherent(&self) -> bool {
        let zones = &self.status.zones;
        let nodes = |(zone, book): (&Zone, &ZoneBook)| zone.nodes.len() == book.nodes.len();
        zones.len() == self.books.len() && zones.iter().zip(&self.books).all(nodes)
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
    pub(super) fn observe(&mut self, now: UnixMs, observation: Observation) -> Vec<EventKind> {
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
            Observation::Stream { zone, version, at_ms, report } => {
                if let Some(i) = self.index(&zone) {
                    if self.status.zones[i].is_hub() {
                        self.server_version(version);
                    }
                    // An observer's clock may be ahead of the owner's by a hair.
                    self.stream_told(now, (i, None), at_ms.min(now), &report);
                }
            }
            Observation::Node { node, report: None } => self.silence(now, &node, &mut events),
            Observation::Leaving { node } => self.leaving(now, &node, &mut events),
            Observation::Differs { zone, differences } => {
                if let Some(i) = self.index(&zone) {
                    let change = set(&mut self.status.zones[i].differences, differences);
                    self.changed(change);
                }
            }
            Observation::Link { zone, count, echo } => {
                self.carried(now, &zone, count.as_deref(), echo, &mut events);
            }
            Observation::Ends { zone, at_ms, whole, shown_by } => {
                self.ends_told(now, &zone, (at_ms, whole, shown_by), &mut events);
            }
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
    pub(super) fn tick(&mut self, now: UnixMs) -> Vec<EventKind> {
        let mut events = Vec::new();
        self.age_nodes(now, &mut events);
        self.say_strangers(now, &mut events);
        self.judge(now, &mut events);
        for i in 0..self.books.len() {
            self.alarms(now, i, &mut events);
            self.note_elsewhere(now, i, &mut events);
        }
        self.count_excess(now);
        self.measure(now);
        if !self.status.zones.is_empty() {
            let due = past::due(self.status.history_at_ms, now);
            if due.0 > 0 {
                self.remember(now, due);
                self.touch();
            }
        }
        if std::mem::take(&mut self.quiet_change) {
            self.touch();
        }
        events
    }

    /// A region of others that is drilled: its conclusions wait for that.
    #[must_use]
    pub fn drilled(mut self) -> Self {
        self.status.conclusions = waiting(&CONCLUSIONS_OF_OTHERS);
        self
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
        self.status.zones.iter().position(|z| &z.name == zone)
    }

    fn source_index(&self) -> Option<usize> {
        self.status.zones.iter().position(Zone::is_hub)
    }

    /// Whether the zone's changes are part of something announced otherwise: a bring-up's steps,
    /// a removal, an orderly end. Such changes make no lines.
    fn hushed(&self, i: usize) -> bool {
        self.status.zones[i].state != ZoneState::Ready
            || matches!(self.status.phase, Phase::Stopping | Phase::Down)
    }

    fn push_mark(&mut self, now: UnixMs, kind: MarkKind, zone: Option<ZoneName>, text: String) {
        let marks = &mut self.status.marks;
        marks.push(Mark { at_ms: now, kind, zone, text });
        let excess = marks.len().saturating_sub(MARKS);
        marks.drain(..excess);
        self.touch();
    }
}

/// Conclusions of which nothing is shown yet.
fn waiting(names: &[&str]) -> Vec<Conclusion> {
    let waiting = |name: &&str| Conclusion {
        name: (*name).to_owned(),
        verdict: Verdict::Waiting,
        evidence: "no drill has run".into(),
    };
    names.iter().map(waiting).collect()
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
