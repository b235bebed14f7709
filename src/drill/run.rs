//! A drill's record, replayed: what the laws look at.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    by_hand::{self, Stage},
    latency::Histogram,
    record::{Begin, CommandOutcome, Entry, FORMAT, Sample},
    script::Script,
    told::ToldOf,
};
use crate::{
    command::{Command, Produce, Sabotage},
    region::{NodeName, UnixMs, ZoneName, observation::ServerFacts, status::Zone},
};

/// A run as its record tells it, complete or not yet.
#[derive(Clone, Debug, Default)]
pub struct Run {
    pub(super) begin: Option<Begin>,
    /// The script of `begin`, if it can be read.
    pub(super) script: Option<Script>,
    pub(super) steps: Vec<StepRun>,
    pub(super) phases: Vec<Phase>,
    pub(super) given: Vec<Given>,
    pub(super) waits: Vec<Wait>,
    pub(super) samples: Vec<Sample>,
    pub(super) servers: Vec<Vec<ServerFacts>>,
    pub(super) latencies: Vec<Latency>,
    pub(super) paces: Vec<Pace>,
    /// Deliveries of a zone's consumer that came to somebody else.
    pub(super) elsewhere: BTreeMap<ZoneName, u64>,
    pub(super) streams: Vec<Stream>,
    /// What the leaders of zones said at the end.
    pub(super) told: ToldOf,
    pub(super) unread: Vec<(ZoneName, NodeName, String)>,
    pub(super) sabotaged: Option<(Sabotage, String)>,
    pub(super) interrupted: Option<String>,
    pub(super) ended: Option<UnixMs>,
    /// Entries that cannot follow the ones before.
    pub(super) odd: Vec<Contradiction>,
}

/// An entry that cannot follow the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum Contradiction {
    AfterItsEnd,
    BeforeItsBeginning,
    SecondBeginning,
    /// A step ended that never began; counted from 0.
    StepNeverBegan {
        index: usize,
    },
    /// A command was answered that was never given.
    NeverGiven {
        id: u64,
    },
    ClockWentBack {
        at: UnixMs,
    },
}

#[derive(Clone, Debug)]
pub(super) struct StepRun {
    pub(super) index: usize,
    pub(super) title: String,
    pub(super) ended: Option<(bool, Option<String>)>,
}

/// A span of the drill that has a name.
#[derive(Clone, Debug)]
pub(super) struct Phase {
    pub(super) name: String,
    pub(super) from: UnixMs,
    /// `None` while it lasts.
    pub(super) to: Option<UnixMs>,
}

/// A command the drill gave.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) id: u64,
    pub(super) line: String,
    pub(super) command: Option<Command>,
    pub(super) at: UnixMs,
    pub(super) answer: Option<Answer>,
}

#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) outcome: CommandOutcome,
    pub(super) text: String,
    pub(super) data: Option<serde_json::Value>,
    pub(super) at: UnixMs,
}

#[derive(Clone, Debug)]
pub(super) struct Wait {
    pub(super) condition: String,
    pub(super) met: bool,
    pub(super) seen: String,
    pub(super) took_ms: u64,
    pub(super) at: UnixMs,
}

#[derive(Clone, Debug)]
pub(super) struct Latency {
    pub(super) zone: ZoneName,
    pub(super) phase: String,
    pub(super) histogram: Histogram,
    /// Messages the source acknowledged in that phase, if that was counted.
    pub(super) acked: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Pace {
    pub(super) zone: ZoneName,
    pub(super) phase: String,
    pub(super) worked_us: u64,
    pub(super) longest_pause_us: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) zone: ZoneName,
    pub(super) replica: NodeName,
    pub(super) messages: u64,
    pub(super) ends: Option<(u64, u64)>,
    pub(super) through: Option<u64>,
}

/// Messages that a produce command of this drill sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Produced {
    pub(super) producer: u32,
    pub(super) acked: u64,
    /// The highest sequence of them.
    pub(super) last_seq: Option<u64>,
    /// When the command was given and when it ended.
    pub(super) from: UnixMs,
    pub(super) to: UnixMs,
}

impl Run {
    /// Replays a whole record.
    #[must_use]
    pub fn from_entries(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut run = Self::default();
        entries.into_iter().for_each(|entry| run.push(entry));
        run
    }

    /// A zone was promoted by a command of the run.
    #[must_use]
    pub fn has_promoted(&self) -> bool {
        self.done(|command| matches!(command, Command::Promote { .. })).is_some()
    }

    /// When somebody looked last; zero before the first look.
    #[must_use]
    pub fn looked_at(&self) -> UnixMs {
        self.samples.last().map_or(0, |sample| sample.at)
    }

    /// What is drilled, and on what; `None` before the first line.
    #[must_use]
    pub fn begin(&self) -> Option<&Begin> {
        self.begin.as_ref()
    }

    /// The script that is run, if the record holds one that can be read.
    #[must_use]
    pub fn script(&self) -> Option<&Script> {
        self.script.as_ref()
    }

    /// The record's last line was read.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Takes the next entry in.
    pub fn push(&mut self, entry: Entry) {
        if self.ended.is_some() {
            self.odd.push(Contradiction::AfterItsEnd);
        }
        if self.begin.is_none() && !matches!(entry, Entry::Begin(_)) {
            self.odd.push(Contradiction::BeforeItsBeginning);
        }
        match entry {
            Entry::Begin(begin) => {
                if self.begin.is_some() {
                    self.odd.push(Contradiction::SecondBeginning);
                    return;
                }
                self.script = if begin.by_hand.is_empty() {
                    Script::recorded(&begin.script, &begin.drill).ok()
                } else {
                    Some(Script::by_hand(&begin.drill, &begin.by_hand))
                };
                self.begin = Some(*begin);
            }
            Entry::Step { index, title, .. } => {
                self.steps.push(StepRun { index, title, ended: None });
            }
            Entry::StepDone { index, ok, why, at } => {
                // What follows a failure undoes what the drill did: no phase goes on.
                if !ok {
                    self.close_phase(at);
                }
                match self.steps.iter_mut().find(|step| step.index == index && step.ended.is_none())
                {
                    Some(step) => step.ended = Some((ok, why)),
                    None => self.odd.push(Contradiction::StepNeverBegan { index }),
                }
            }
            Entry::Phase { name, at } => {
                self.close_phase(at);
                self.is_about(&name);
                self.phases.push(Phase { name, from: at, to: None });
            }
            Entry::Given { id, line, at } => {
                let command = line.parse().ok();
                self.given.push(Given { id, line, command, at, answer: None });
            }
            Entry::Answered { id, outcome, text, data, at } => {
                match self.given.iter_mut().find(|given| given.id == id && given.answer.is_none()) {
                    Some(given) => given.answer = Some(Answer { outcome, text, data, at }),
                    None => self.odd.push(Contradiction::NeverGiven { id }),
                }
            }
            Entry::Waited { condition, met, seen, took_ms, at } => {
                self.waits.push(Wait { condition, met, seen, took_ms, at });
            }
            Entry::Sample(sample) => {
                if self.samples.last().is_some_and(|last| last.at > sample.at) {
                    self.odd.push(Contradiction::ClockWentBack { at: sample.at });
                }
                self.samples.push(*sample);
            }
            Entry::Servers { nodes, .. } => self.servers.push(nodes),
            Entry::Latency { zone, phase, buckets, before_ack, acked, .. } => {
                let format = self.begin.as_ref().map_or(FORMAT, |begin| begin.format);
                let histogram = Histogram::of_format(format, &buckets, before_ack);
                self.latencies.push(Latency { zone, phase, histogram, acked });
            }
            Entry::Pace { zone, phase, worked_us, longest_pause_us, .. } => {
                self.paces.push(Pace { zone, phase, worked_us, longest_pause_us });
            }
            Entry::Elsewhere { zone, count } => *self.elsewhere.entry(zone).or_default() += count,
            Entry::Stream { zone, replica, messages, ends, through, .. } => {
                self.streams.push(Stream { zone, replica, messages, ends, through });
            }
            Entry::Told { zone, figures, .. } => drop(self.told.insert(zone, figures)),
            Entry::Unread { zone, replica, why, .. } => self.unread.push((zone, replica, why)),
            Entry::Sabotaged { kind, what, .. } => self.sabotaged = Some((kind, what)),
            Entry::Interrupted { why, at } => {
                self.close_phase(at);
                self.interrupted = Some(why);
            }
            Entry::End { at } => {
                self.close_phase(at);
                self.ended = Some(at);
            }
        }
    }

    /// The same run, judged for one of the conclusions that it was done by hand for.
    #[must_use]
    pub fn claiming(&self, conclusion: u8) -> Self {
        let mut run = self.clone();
        if let Some(begin) = &mut run.begin {
            run.script = Some(Script::by_hand(&begin.drill, &[conclusion]));
        }
        run
    }

    /// A run by hand is about the zone that is cut when its cut begins.
    fn is_about(&mut self, phase: &str) {
        let Some(begin) = self.begin.as_mut().filter(|begin| !begin.by_hand.is_empty()) else {
            return;
        };
        if phase == Stage::Cut.phase()
            && let Some(zone) = self.samples.last().and_then(by_hand::about)
        {
            begin.mirror = zone.clone();
        }
    }

    fn close_phase(&mut self, at: UnixMs) {
        if let Some(phase) = self.phases.last_mut() {
            phase.to.get_or_insert(at);
        }
    }

    /// The phase of that name, once.
    pub(super) fn phase(&self, name: &str) -> Option<&Phase> {
        self.phases.iter().find(|phase| phase.name == name)
    }

    /// The samples from one moment to another, both included.
    pub(super) fn between(&self, from: UnixMs, to: UnixMs) -> &[Sample] {
        let start = self.samples.partition_point(|sample| sample.at < from);
        let end = self.samples.partition_point(|sample| sample.at <= to);
        &self.samples[start..end.max(start)]
    }

    /// The samples of a phase.
    pub(super) fn during(&self, phase: &Phase) -> &[Sample] {
        self.between(phase.from, phase.to.unwrap_or(UnixMs::MAX))
    }

    /// What was known of a zone when the record ends.
    pub(super) fn last(&self, zone: &ZoneName) -> Option<&Zone> {
        self.samples.last()?.zone(zone)
    }

    /// What the drill's own produce commands sent, as far as they ended.
    pub(super) fn produced(&self) -> impl Iterator<Item = Produced> {
        self.given.iter().filter_map(|given| {
            let Some(Command::Produce(Produce::Range { .. } | Produce::Burst { .. })) =
                given.command
            else {
                return None;
            };
            let answer = given.answer.as_ref()?;
            let number = |name: &str| answer.data.as_ref()?.get(name)?.as_u64();
            Some(Produced {
                producer: u32::try_from(number("producer")?).ok()?,
                acked: number("acked")?,
                last_seq: number("last_seq"),
                from: given.at,
                to: answer.at,
            })
        })
    }

    /// The latency of the messages of a phase in a zone.
    pub(super) fn latency(&self, zone: &ZoneName, phase: &str) -> Option<&Latency> {
        self.latencies.iter().rev().find(|row| row.zone == *zone && row.phase == phase)
    }

    /// Messages acknowledged by produce commands that began in a phase.
    pub(super) fn acked_in(&self, phase: &Phase) -> u64 {
        let to = phase.to.unwrap_or(UnixMs::MAX);
        self.produced().filter(|p| (phase.from..=to).contains(&p.from)).map(|p| p.acked).sum()
    }

    /// The drill has removed this zone, and not added it again.
    pub(super) fn removed(&self, zone: &ZoneName) -> bool {
        let done = |given: &&Given| {
            given.answer.as_ref().is_some_and(|answer| answer.outcome == CommandOutcome::Done)
        };
        let last = self.given.iter().rev().filter(done).find_map(|given| match &given.command {
            Some(Command::ZoneRemove { zone: named, .. }) if named == zone => Some(true),
            Some(Command::ZoneAdd { zone: named }) if named.as_ref().is_none_or(|n| n == zone) => {
                Some(false)
            }
            _ => None,
        });
        last == Some(true) && self.last(zone).is_none()
    }

    /// The first successful command that fits, from the moment on.
    pub(super) fn done(&self, fits: impl Fn(&Command) -> bool) -> Option<(&Given, &Answer)> {
        self.given.iter().find_map(|given| {
            let answer =
                given.answer.as_ref().filter(|answer| answer.outcome == CommandOutcome::Done)?;
            given.command.as_ref().filter(|command| fits(command))?;
            Some((given, answer))
        })
    }
}
