//! A drill's record, replayed: what the laws look at.

use super::{
    latency::Histogram,
    record::{Begin, Entry, Sample, ZoneSample},
    script::Script,
};
use crate::{
    command::{Command, Produce, Sabotage},
    region::{NodeName, UnixMs, ZoneName, observation::ServerFacts},
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
    pub(super) streams: Vec<Stream>,
    pub(super) unread: Vec<(ZoneName, NodeName, String)>,
    pub(super) sabotaged: Option<(Sabotage, String)>,
    pub(super) interrupted: Option<String>,
    pub(super) ended: Option<UnixMs>,
    /// Entries that cannot follow the ones before.
    pub(super) odd: Vec<String>,
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
    pub(super) outcome: String,
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
}

#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) zone: ZoneName,
    pub(super) replica: NodeName,
    pub(super) messages: u64,
    pub(super) ends: Option<(u64, u64)>,
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
            self.odd.push("the record goes on after its end".into());
        }
        if self.begin.is_none() && !matches!(entry, Entry::Begin(_)) {
            self.odd.push("the record has no beginning".into());
        }
        match entry {
            Entry::Begin(begin) => {
                if self.begin.is_some() {
                    self.odd.push("the record begins twice".into());
                    return;
                }
                self.script = Script::parse(&begin.script, &begin.drill).ok();
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
                    None => self.odd.push(format!("step {} ended and never began", index + 1)),
                }
            }
            Entry::Phase { name, at } => {
                self.close_phase(at);
                self.phases.push(Phase { name, from: at, to: None });
            }
            Entry::Given { id, line, at } => {
                let command = line.parse().ok();
                self.given.push(Given { id, line, command, at, answer: None });
            }
            Entry::Answered { id, outcome, text, data, at } => {
                match self.given.iter_mut().find(|given| given.id == id && given.answer.is_none()) {
                    Some(given) => given.answer = Some(Answer { outcome, text, data, at }),
                    None => self.odd.push(format!("command {id} was answered and never given")),
                }
            }
            Entry::Waited { condition, met, seen, took_ms, at } => {
                self.waits.push(Wait { condition, met, seen, took_ms, at });
            }
            Entry::Sample(sample) => {
                if self.samples.last().is_some_and(|last| last.at > sample.at) {
                    self.odd.push(format!("the clock went backwards at {}", sample.at));
                }
                self.samples.push(*sample);
            }
            Entry::Servers { nodes, .. } => self.servers.push(nodes),
            Entry::Latency { zone, phase, buckets, before_ack } => {
                let histogram = Histogram::from_buckets(&buckets).with_ahead(before_ack);
                self.latencies.push(Latency { zone, phase, histogram });
            }
            Entry::Stream { zone, replica, messages, ends, .. } => {
                self.streams.push(Stream { zone, replica, messages, ends });
            }
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
    pub(super) fn last(&self, zone: &ZoneName) -> Option<&ZoneSample> {
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

    /// Messages acknowledged by produce commands that began in a phase.
    pub(super) fn acked_in(&self, phase: &Phase) -> u64 {
        let to = phase.to.unwrap_or(UnixMs::MAX);
        self.produced().filter(|p| (phase.from..=to).contains(&p.from)).map(|p| p.acked).sum()
    }

    /// The first successful command that fits, from the moment on.
    pub(super) fn done(&self, fits: impl Fn(&Command) -> bool) -> Option<(&Given, &Answer)> {
        self.given.iter().find_map(|given| {
            let answer = given.answer.as_ref().filter(|answer| answer.outcome == "done")?;
            given.command.as_ref().filter(|command| fits(command))?;
            Some((given, answer))
        })
    }
}

impl Sample {
    /// The zone of that name.
    #[must_use]
    pub fn zone(&self, name: &ZoneName) -> Option<&ZoneSample> {
        self.zones.iter().find(|zone| zone.zone == *name)
    }
}
