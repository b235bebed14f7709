//! Regions for the screen's tests and benchmarks: histories of real ones, played to a moment. What
//! production cannot make is not in them. `tests/fixtures/record_screens.py` records them anew.

// A fixture that cannot be read fails the test that wants it.
#![allow(clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

use std::{collections::BTreeMap, fs::File, io::Read, sync::LazyLock};

use crate::command::Command;
use crate::region::{
    Actor, Event, EventKind, Input, NodeName, Status, UnixMs, ZoneName,
    history::{self, Line},
    input::{Moment, Produced, ZoneAccount},
    observation::{NodeReport, Observation},
    reduce::{Offenders, State},
    status::{LinkState, Phase, Zone},
};

/// Read when it is wanted: no program that is handed out needs it.
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/screens.zip");

static MOMENTS: LazyLock<BTreeMap<String, Played>> = LazyLock::new(|| {
    let mut archive =
        zip::ZipArchive::new(File::open(RECORDED).expect(RECORDED)).expect("an archive");
    let mut moments = BTreeMap::new();
    for number in 0..archive.len() {
        let mut text = String::new();
        let mut file = archive.by_index(number).expect("a file");
        file.read_to_string(&mut text).expect("text");
        let mut history = history::read(&text).expect("a history");
        // It was packed node by node.
        history.sort_by_key(Line::at);
        play(history, &mut moments);
    }
    moments
});

/// A region at a moment.
#[derive(Clone, Debug)]
pub struct Played {
    state: State,
    at: UnixMs,
    events: Vec<Event>,
    /// What each node said last.
    reports: BTreeMap<NodeName, NodeReport>,
}

/// Keeps what was when somebody gave a `mark`, by its words, and what no mark is given in: a bring-up
/// (`starting`) and one that failed (`failed`).
fn play(history: Vec<Line>, moments: &mut BTreeMap<String, Played>) {
    let mut lines = history.into_iter();
    let Some(Line::Begin(begin)) = lines.next() else { panic!("a beginning") };
    let (at, state) = (begin.at, begin.state);
    let mut played = Played { state, at, events: Vec::new(), reports: BTreeMap::new() };
    for line in lines {
        let Line::Input(moment) = line else { panic!("one life of a room") };
        let failed = played.state.peek().phase == Phase::Failed;
        if let Some(name) = name(&moment.input, failed) {
            moments.entry(name).or_insert_with(|| played.clone());
        }
        played.take(*moment);
    }
}

/// What the moment before an input is called, if it is kept.
fn name(input: &Input, failed: bool) -> Option<String> {
    match input {
        // A mirror is all that is missing.
        Input::StepStarted { title } if title.starts_with("consumer") => Some("starting".into()),
        Input::Said(events) => events.iter().find_map(|event| match event {
            // Whoever started it ends it.
            EventKind::CommandGiven { .. } if failed => Some("failed".into()),
            EventKind::CommandGiven { command } => match command.parse() {
                Ok(Command::Mark { text }) => Some(text),
                _ => None,
            },
            _ => None,
        }),
        _ => None,
    }
}

/// A region when it was marked so.
#[must_use]
pub fn at(moment: &str) -> Played {
    let known = || MOMENTS.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    MOMENTS.get(moment).unwrap_or_else(|| panic!("no `{moment}` among {}", known())).clone()
}

/// What was known then.
#[must_use]
pub fn status(moment: &str) -> Status {
    at(moment).status()
}

/// Every moment's words.
pub fn moments() -> impl Iterator<Item = &'static str> {
    MOMENTS.keys().map(String::as_str)
}

impl Played {
    /// What is known.
    #[must_use]
    pub fn status(&self) -> Status {
        self.state.status(self.at)
    }

    /// What has happened.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What is known after one more input.
    #[must_use]
    pub fn then(mut self, input: Input) -> Self {
        self.take(Moment { at: self.at, by: None, input });
        self
    }

    /// The same when nothing more is told for so many milliseconds.
    #[must_use]
    pub fn later(mut self, ms: u64) -> Self {
        self.at += ms;
        self
    }

    fn take(&mut self, moment: Moment) {
        let Moment { at, by, input } = moment;
        if let Input::Observed(Observation::Node { node, report: Some(report) }) = &input {
            self.reports.insert(node.clone(), (**report).clone());
        }
        self.at = at;
        let actor = by.unwrap_or_else(Actor::room);
        for kind in self.state.apply(at, input) {
            let id = self.events.len() as u64 + 1;
            self.events.push(Event { id, at_ms: at, actor: actor.clone(), kind });
        }
    }

    /// Goes on to `now`, `messages` later: every node has just answered, and whatever is linked has
    /// got and consumed them.
    pub fn go_on(&mut self, messages: u64, now: UnixMs) {
        let status = self.state.peek();
        let linked =
            |zone: &&Zone| zone.link.as_ref().is_none_or(|link| link.state == LinkState::Up);
        let linked: Vec<_> =
            status.zones.iter().filter(linked).map(|zone| zone.name.clone()).collect();
        let moved = |zone: &ZoneName| if linked.contains(zone) { messages } else { 0 };
        let zones = status.zones.iter().map(|zone| {
            let mut ledger = zone.ledger;
            ledger.acked += messages;
            ledger.received += moved(&zone.name);
            ledger.behind += messages - moved(&zone.name);
            ZoneAccount { zone: zone.name.clone(), ledger, offenders: Offenders::default() }
        });
        let producer = &status.producer;
        let produced = Produced {
            acked: producer.acked + messages,
            failed: producer.failed,
            unknown: producer.unknown,
            baseline: producer.baseline,
        };
        let accounts = Input::Accounts { produced, zones: zones.collect() };
        let passed = now / 1000 > self.at / 1000;
        let mut inputs = vec![accounts];
        for (node, mut report) in self.reports.clone() {
            let moved = moved(&node.zone);
            report.at_ms = now;
            if let Some(stream) = &mut report.stream {
                stream.messages += moved;
                stream.last_seq += moved;
                stream.bytes += moved * 348;
                for consumer in &mut stream.consumers {
                    consumer.delivered += moved;
                    consumer.deliveries += moved;
                    consumer.ack_floor += moved;
                }
            }
            let report = Some(Box::new(report));
            inputs.push(Input::Observed(Observation::Node { node, report }));
        }
        inputs.extend(passed.then_some(Input::Tick));
        for input in inputs {
            self.take(Moment { at: now, by: None, input });
        }
    }
}
