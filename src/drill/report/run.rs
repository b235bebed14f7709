//! From a run's record to what is told of it.

mod narrative;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::narrative::Narrative;
use super::format::maybe_micros;
use crate::{
    drill::{
        conclusions::{self, Conclusion},
        latency::{Histogram, Quantile},
        record::Entry,
    },
    region::{
        CopyKind, MirrorKind, UnixMs, ZoneName,
        observation::ServerFacts,
        recovery,
        status::{Producer, Recovery},
    },
};

/// What is told of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// Its folder in the bundle.
    pub folder: String,
    pub drill: String,
    /// Which of the four conclusions it tests, if one.
    pub conclusion_number: Option<u8>,
    pub claim: String,
    /// The verdict, its reason, and the findings.
    pub conclusion: Conclusion,
    /// The deliberate fault, if one was asked for or put in.
    pub sabotage: Option<String>,
    /// What was done as sabotage.
    pub sabotaged: Vec<String>,
    /// Of a sabotaged run: it came to the verdict that its fault must come to, by that fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_it_must: Option<bool>,
    /// Why it ended before its time, if it did.
    pub interrupted: Option<String>,
    /// How many times the original plan's numbers.
    pub scale: u64,
    /// Who gave the command.
    pub actor: String,
    /// The ledger's run id.
    pub run: String,
    pub region: String,
    /// Where the servers ran.
    pub platform: String,
    /// The version asked for.
    pub server_version: String,
    pub mirror_kind: MirrorKind,
    #[serde(default, skip_serializing_if = "CopyKind::is_mirror")]
    pub copy_kind: CopyKind,
    pub source: ZoneName,
    pub mirror: ZoneName,
    /// The zone that was added, if one.
    pub new_zone: Option<ZoneName>,
    /// The program that ran it.
    pub zonedrill: String,
    pub began_ms: UnixMs,
    /// When it ended; unknown if its record has no end.
    pub ended_ms: Option<UnixMs>,
    pub steps: Vec<StepReport>,
    /// Latency from acknowledgement to processing.
    pub latency: Vec<LatencyReport>,
    #[serde(default)]
    pub paces: Vec<PaceReport>,
    /// Each recovery clock, as it stood last.
    pub recoveries: Vec<RecoveryReport>,
    /// The producer as it was seen first and last.
    pub producer: Option<(Producer, Producer)>,
    /// What the servers said about themselves, each time they were asked.
    pub servers: Vec<ServerSet>,
    /// The streams that were read.
    pub streams: Vec<StreamReport>,
    /// How often the region was looked at.
    pub samples: u64,
    /// The script as it was run.
    pub script: String,
    /// The format of its record.
    #[serde(skip)]
    format: u32,
}

/// A step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    pub title: String,
    pub does: String,
    pub expect: String,
    pub began_ms: UnixMs,
    /// How long it took; unknown if it did not end.
    pub took_ms: Option<u64>,
    /// All its commands succeeded; unknown if it did not end.
    pub ok: Option<bool>,
    /// What failed, if something did.
    pub why: Option<String>,
    /// Its commands and waits.
    pub lines: Vec<LineReport>,
}

/// A command or a wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineReport {
    /// The command, or `wait` and its condition.
    pub line: String,
    /// When it was given, or its wait ended.
    pub at_ms: UnixMs,
    /// How long it took.
    pub took_ms: Option<u64>,
    /// `done`, `met`, …; unknown if no answer was written down.
    pub outcome: Option<String>,
    /// What was said or seen.
    pub text: String,
    #[serde(skip)]
    id: Option<u64>,
}

/// Latency in a zone in a phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyReport {
    pub zone: ZoneName,
    pub phase: String,
    pub count: u64,
    /// Half took no longer. `None`: no time at all, as with the others: the message at that place
    /// was processed before its acknowledgement reached the producer.
    pub p50_us: Option<u64>,
    /// 99 of 100 took no longer.
    pub p99_us: Option<u64>,
    pub max_us: Option<u64>,
    /// Processed before the acknowledgement reached the producer.
    pub before_ack: u64,
    /// Processed too late to be measured.
    #[serde(default)]
    pub missed: u64,
}

/// How steadily a zone's consumer worked in a phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaceReport {
    pub zone: ZoneName,
    pub phase: String,
    pub processed: u64,
    /// From the phase's beginning, or the consumer's resumption, to the last processing.
    pub worked_us: u64,
    /// The longest time without a processing before that.
    pub longest_pause_us: u64,
}

impl LatencyReport {
    /// Its p50, p99 and longest, as people read them.
    pub(super) fn words(&self) -> [String; 3] {
        [self.p50_us, self.p99_us, self.max_us].map(|us| match us {
            None if self.before_ack > 0 => "before the ack".into(),
            us => maybe_micros(us),
        })
    }
}

/// A recovery clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryReport {
    /// Which zone was healed.
    pub zone: ZoneName,
    /// The clock as it stood last.
    pub clock: Recovery,
    /// What this server version and mirror kind let expect.
    pub expected: String,
}

/// Servers at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerSet {
    pub at_ms: UnixMs,
    pub nodes: Vec<ServerFacts>,
}

/// A stream that was read, or could not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamReport {
    pub zone: ZoneName,
    pub replica: String,
    /// Messages read; unknown if it could not be read.
    pub messages: Option<u64>,
    /// First and last sequence.
    pub ends: Option<(u64, u64)>,
    /// Why it could not be read.
    pub why: Option<String>,
}

/// Tells a run; one by hand for the conclusion that it was judged for. The first entry is its
/// beginning: `bundle::files::record` refuses any other record.
#[must_use]
pub fn tell(
    folder: &str,
    entries: &[Entry],
    claim: Option<u8>,
    conclusion: Conclusion,
) -> RunReport {
    let begin = entries.iter().find_map(|entry| match entry {
        Entry::Begin(begin) => Some((**begin).clone()),
        _ => None,
    });
    let begin = begin.unwrap_or_else(|| unreachable!("a record begins with its beginning"));
    let mut words = Narrative::of(&begin.script);
    if let Some(required) = conclusions::required(claim) {
        (words.conclusion, words.claim) = (claim, required.claim.to_owned());
    }
    let by_hand = conclusions::required(claim).map(|one| format!("{} by hand", one.drill));
    let mut report = RunReport {
        folder: folder.into(),
        drill: by_hand.unwrap_or(begin.drill),
        conclusion_number: words.conclusion,
        claim: words.claim.clone(),
        conclusion,
        sabotage: begin.sabotage.map(|kind| kind.as_str().to_owned()),
        sabotaged: Vec::new(),
        as_it_must: None,
        interrupted: None,
        scale: begin.scale,
        actor: begin.actor,
        run: begin.run,
        region: begin.region,
        platform: begin.platform,
        server_version: begin.server_version,
        mirror_kind: begin.mirror_kind,
        copy_kind: begin.copy_kind,
        source: begin.source,
        mirror: begin.mirror,
        new_zone: begin.new_zone,
        zonedrill: begin.zonedrill,
        began_ms: begin.at,
        ended_ms: None,
        steps: Vec::new(),
        latency: Vec::new(),
        paces: Vec::new(),
        recoveries: Vec::new(),
        producer: None,
        servers: Vec::new(),
        streams: Vec::new(),
        samples: 0,
        script: begin.script,
        format: begin.format,
    };
    let mut clocks: BTreeMap<(ZoneName, UnixMs), Recovery> = BTreeMap::new();
    for entry in entries {
        report.take(entry, &words, &mut clocks);
    }
    let expected = recovery::expected(&report.server_version, report.mirror_kind);
    report.recoveries = clocks
        .into_iter()
        // A clock of a heal before this run is another run's.
        .filter(|((_, healed), _)| *healed >= report.began_ms)
        .map(|((zone, _), clock)| RecoveryReport { zone, clock, expected: expected.clone() })
        .collect();
    report
}

impl RunReport {
    fn take(
        &mut self,
        entry: &Entry,
        words: &Narrative,
        clocks: &mut BTreeMap<(ZoneName, UnixMs), Recovery>,
    ) {
        match entry {
            Entry::Begin(_)
            | Entry::Phase { .. }
            | Entry::Elsewhere { .. }
            | Entry::Told { .. } => {}
            Entry::Step { index, title, at } => {
                let (does, expect) = words.steps.get(*index).cloned().unwrap_or_default();
                let title = title.clone();
                self.steps.push(StepReport {
                    title,
                    does,
                    expect,
                    began_ms: *at,
                    ..StepReport::default()
                });
            }
            Entry::StepDone { ok, why, at, .. } => {
                if let Some(step) = self.steps.last_mut() {
                    step.took_ms = Some(at.saturating_sub(step.began_ms));
                    (step.ok, step.why) = (Some(*ok), why.clone());
                }
            }
            Entry::Given { id, line, at } => self.line(LineReport {
                line: line.clone(),
                at_ms: *at,
                took_ms: None,
                outcome: None,
                text: String::new(),
                id: Some(*id),
            }),
            Entry::Answered { id, outcome, text, at, .. } => {
                let lines = self.steps.iter_mut().flat_map(|step| &mut step.lines);
                if let Some(line) = lines.rev().find(|line| line.id == Some(*id)) {
                    line.outcome = Some(outcome.as_str().to_owned());
                    line.text.clone_from(text);
                    line.took_ms = Some(at.saturating_sub(line.at_ms));
                }
            }
            Entry::Waited { condition, met, seen, took_ms, at } => self.line(LineReport {
                line: format!("wait {condition}"),
                at_ms: *at,
                took_ms: Some(*took_ms),
                outcome: Some(if *met { "met" } else { "not met" }.into()),
                text: seen.clone(),
                id: None,
            }),
            Entry::Sample(sample) => {
                self.samples += 1;
                let producer = &sample.status.producer;
                let first = self.producer.take().map_or_else(|| producer.clone(), |p| p.0);
                self.producer = Some((first, producer.clone()));
                for zone in &sample.status.zones {
                    if let Some(clock) = &zone.recovery {
                        clocks.insert((zone.name.clone(), clock.healed_at_ms), clock.clone());
                    }
                }
            }
            Entry::Servers { nodes, at } => {
                self.servers.push(ServerSet { at_ms: *at, nodes: nodes.clone() });
            }
            Entry::Latency { zone, phase, buckets, before_ack, missed, .. } => {
                let measured = Histogram::of_format(self.format, buckets, *before_ack);
                let of = |percent| match measured.quantile(percent)? {
                    Quantile::Ahead => None,
                    Quantile::Us(us) => Some(us),
                };
                self.latency.push(LatencyReport {
                    zone: zone.clone(),
                    phase: phase.clone(),
                    count: measured.count(),
                    p50_us: of(50.0),
                    p99_us: of(99.0),
                    max_us: of(100.0),
                    before_ack: measured.ahead(),
                    missed: *missed,
                });
            }
            Entry::Pace { zone, phase, processed, worked_us, longest_pause_us } => {
                self.paces.push(PaceReport {
                    zone: zone.clone(),
                    phase: phase.clone(),
                    processed: *processed,
                    worked_us: *worked_us,
                    longest_pause_us: *longest_pause_us,
                });
            }
            Entry::Stream { zone, replica, messages, ends, .. } => {
                self.streams.push(StreamReport {
                    zone: zone.clone(),
                    replica: self.replica(replica),
                    messages: Some(*messages),
                    ends: *ends,
                    why: None,
                });
            }
            Entry::Unread { zone, replica, why, .. } => self.streams.push(StreamReport {
                zone: zone.clone(),
                replica: self.replica(replica),
                messages: None,
                ends: None,
                why: Some(why.clone()),
            }),
            Entry::Sabotaged { kind, what, .. } => {
                self.sabotage = Some(kind.as_str().into());
                self.sabotaged.push(what.clone());
            }
            Entry::Interrupted { why, .. } => self.interrupted = Some(why.clone()),
            Entry::End { at } => self.ended_ms = Some(*at),
        }
    }

    fn line(&mut self, line: LineReport) {
        if self.steps.is_empty() {
            let title =
                if self.script.is_empty() { "by hand" } else { "before the first step" }.into();
            self.steps.push(StepReport { title, began_ms: line.at_ms, ..StepReport::default() });
        }
        if let Some(step) = self.steps.last_mut() {
            step.lines.push(line);
        }
    }
}
