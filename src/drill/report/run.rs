//! From a run's record to what is told of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::format::maybe_micros;
use crate::{
    drill::{
        law::Conclusion,
        record::{Entry, ProducerSample, RecoverySample},
    },
    region::{MirrorKind, UnixMs, ZoneName, observation::ServerFacts, recovery},
};

/// What is told of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// Its folder in the bundle.
    pub folder: String,
    /// The drill's name.
    pub drill: String,
    /// Which of the four conclusions it tests, if one.
    pub conclusion_number: Option<u8>,
    /// What it claims.
    pub claim: String,
    /// The verdict, its reason, and the findings.
    pub conclusion: Conclusion,
    /// The deliberate fault, if one was asked for or put in.
    pub sabotage: Option<String>,
    /// What was done as sabotage.
    pub sabotaged: Vec<String>,
    /// Why it ended before its time, if it did.
    pub interrupted: Option<String>,
    /// How many times the seed's numbers.
    pub scale: u64,
    /// Who gave the command.
    pub actor: String,
    /// The ledger's run id.
    pub run: String,
    /// The region.
    pub region: String,
    /// Where the servers ran.
    pub platform: String,
    /// The version asked for.
    pub server_version: String,
    /// How mirrors pull.
    pub mirror_kind: MirrorKind,
    /// The source zone.
    pub source: ZoneName,
    /// The mirror zone.
    pub mirror: ZoneName,
    /// The zone that was added, if one.
    pub new_zone: Option<ZoneName>,
    /// The program that ran it.
    pub zonedrill: String,
    /// When it began.
    pub began_ms: UnixMs,
    /// When it ended; unknown if its record has no end.
    pub ended_ms: Option<UnixMs>,
    /// Step by step.
    pub steps: Vec<StepReport>,
    /// Latency from acknowledgement to processing.
    pub latency: Vec<LatencyReport>,
    /// Each recovery clock, as it stood last.
    pub recoveries: Vec<RecoveryReport>,
    /// The producer as it was seen first and last.
    pub producer: Option<(ProducerSample, ProducerSample)>,
    /// What the servers said about themselves, each time they were asked.
    pub servers: Vec<ServerSet>,
    /// The streams that were read.
    pub streams: Vec<StreamReport>,
    /// How often the region was looked at.
    pub samples: u64,
    /// The script as it was run.
    pub script: String,
}

/// A step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// Its title.
    pub title: String,
    /// What is done.
    pub does: String,
    /// What is expected.
    pub expect: String,
    /// When it began.
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
    /// Where.
    pub zone: ZoneName,
    /// When.
    pub phase: String,
    /// Messages.
    pub count: u64,
    /// Half took no longer. `None`: no time at all, as with the others: the message at that place
    /// was processed before its acknowledgement reached the producer.
    pub p50_us: Option<u64>,
    /// 99 of 100 took no longer.
    pub p99_us: Option<u64>,
    /// None took longer.
    pub max_us: Option<u64>,
    /// Processed before the acknowledgement reached the producer.
    pub before_ack: u64,
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
    pub clock: RecoverySample,
    /// What this server version and mirror kind let expect.
    pub expected: String,
}

/// Servers at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerSet {
    /// When.
    pub at_ms: UnixMs,
    /// Each node.
    pub nodes: Vec<ServerFacts>,
}

/// A stream that was read, or could not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamReport {
    /// Whose.
    pub zone: ZoneName,
    /// Which replica.
    pub replica: String,
    /// Messages read; unknown if it could not be read.
    pub messages: Option<u64>,
    /// First and last sequence.
    pub ends: Option<(u64, u64)>,
    /// Why it could not be read.
    pub why: Option<String>,
}

/// The words of a script that a report quotes. Anything it does not find it leaves empty: the
/// script's rules are the law's business.
#[derive(Default)]
struct Narrative {
    claim: String,
    conclusion: Option<u8>,
    steps: Vec<(String, String)>,
}

impl Narrative {
    fn of(script: &str) -> Self {
        let Ok(table) = script.parse::<toml::Table>() else { return Self::default() };
        let text = |table: &toml::Table, names: &[&str]| {
            names
                .iter()
                .find_map(|name| table.get(*name)?.as_str())
                .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
                .unwrap_or_default()
        };
        let steps = ["steps", "step"].iter().find_map(|name| table.get(*name)?.as_array());
        Self {
            claim: text(&table, &["claim"]),
            conclusion: table
                .get("conclusion")
                .and_then(toml::Value::as_integer)
                .and_then(|number| u8::try_from(number).ok()),
            steps: steps
                .into_iter()
                .flatten()
                .map(|step| {
                    let none = toml::Table::new();
                    let step = step.as_table().unwrap_or(&none);
                    (text(step, &["does", "do"]), text(step, &["expect"]))
                })
                .collect(),
        }
    }
}

/// Tells a run. The first entry is its beginning (`bundle::files::record` sees to that); a record
/// without one is told as nothing.
#[must_use]
pub fn tell(folder: &str, entries: &[Entry], conclusion: Conclusion) -> RunReport {
    let begin = entries.iter().find_map(|entry| match entry {
        Entry::Begin(begin) => Some((**begin).clone()),
        _ => None,
    });
    let begin = begin.unwrap_or_else(|| unreachable!("a record begins with its beginning"));
    let words = Narrative::of(&begin.script);
    let mut report = RunReport {
        folder: folder.into(),
        drill: begin.drill,
        conclusion_number: words.conclusion,
        claim: words.claim.clone(),
        conclusion,
        sabotage: begin.sabotage.map(|kind| kind.as_str().to_owned()),
        sabotaged: Vec::new(),
        interrupted: None,
        scale: begin.scale,
        actor: begin.actor,
        run: begin.run,
        region: begin.region,
        platform: begin.platform,
        server_version: begin.server_version,
        mirror_kind: begin.mirror_kind,
        source: begin.source,
        mirror: begin.mirror,
        new_zone: begin.new_zone,
        zonedrill: begin.zonedrill,
        began_ms: begin.at,
        ended_ms: None,
        steps: Vec::new(),
        latency: Vec::new(),
        recoveries: Vec::new(),
        producer: None,
        servers: Vec::new(),
        streams: Vec::new(),
        samples: 0,
        script: begin.script,
    };
    let mut clocks: BTreeMap<(ZoneName, UnixMs), RecoverySample> = BTreeMap::new();
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
        clocks: &mut BTreeMap<(ZoneName, UnixMs), RecoverySample>,
    ) {
        match entry {
            Entry::Begin(_) | Entry::Phase { .. } => {}
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
                    line.outcome = Some(outcome.clone());
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
                let first = self.producer.take().map_or_else(|| sample.producer.clone(), |p| p.0);
                self.producer = Some((first, sample.producer.clone()));
                for zone in &sample.zones {
                    if let Some(clock) = &zone.recovery {
                        clocks.insert((zone.zone.clone(), clock.healed_ms), clock.clone());
                    }
                }
            }
            Entry::Servers { nodes, at } => {
                self.servers.push(ServerSet { at_ms: *at, nodes: nodes.clone() });
            }
            Entry::Latency { zone, phase, buckets, before_ack } => {
                self.latency.push(LatencyReport {
                    zone: zone.clone(),
                    phase: phase.clone(),
                    count: buckets.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count)),
                    p50_us: percentile(buckets, *before_ack, 50),
                    p99_us: percentile(buckets, *before_ack, 99),
                    max_us: percentile(buckets, *before_ack, 100),
                    before_ack: *before_ack,
                });
            }
            Entry::Stream { zone, replica, messages, ends, .. } => {
                self.streams.push(StreamReport {
                    zone: zone.clone(),
                    replica: replica.to_string(),
                    messages: Some(*messages),
                    ends: *ends,
                    why: None,
                });
            }
            Entry::Unread { zone, replica, why, .. } => self.streams.push(StreamReport {
                zone: zone.clone(),
                replica: replica.to_string(),
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
            let title = "before the first step".into();
            self.steps.push(StepReport { title, began_ms: line.at_ms, ..StepReport::default() });
        }
        if let Some(step) = self.steps.last_mut() {
            step.lines.push(line);
        }
    }
}

/// Nearest rank; the last microsecond of the bucket (32 buckets a doubling). `None` of nothing, and
/// of a message that was processed before its acknowledgement came: those are counted in the lowest
/// bucket.
fn percentile(buckets: &[(u64, u64)], before_ack: u64, percent: u64) -> Option<u64> {
    let total: u128 = buckets.iter().map(|(_, count)| u128::from(*count)).sum();
    let rank = (total * u128::from(percent)).div_ceil(100).max(1);
    let lowest = buckets.iter().find(|(bound, _)| *bound == 0).map_or(0, |(_, count)| *count);
    if rank <= u128::from(before_ack.min(lowest)) {
        return None;
    }
    let mut seen = 0;
    let (bound, _) = buckets.iter().find(|(_, count)| {
        seen += u128::from(*count);
        seen >= rank
    })?;
    let width = if *bound < 32 { 1 } else { 1 << (bound.ilog2() - 5) };
    Some(bound.saturating_add(width - 1))
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_never_less_than_the_truth() {
        let buckets = [(5, 50), (1000, 49), (2048, 1)];
        assert_eq!(
            [50, 99, 100].map(|p| percentile(&buckets, 0, p)),
            [Some(5), Some(1015), Some(2111)]
        );
        assert_eq!(percentile(&[], 0, 50), None);
        assert_eq!(percentile(&[(5, 0)], 0, 50), None);
    }

    #[test]
    fn no_percentile_is_zero_for_what_came_before_its_acknowledgement() {
        let buckets = [(0, 60), (1000, 40)];
        assert_eq!([50, 99].map(|p| percentile(&buckets, 55, p)), [None, Some(1015)]);
        assert_eq!(percentile(&buckets, 49, 50), Some(0));
        // Nothing in the lowest bucket: that number cannot be true.
        assert_eq!(percentile(&[(1000, 40)], 40, 50), Some(1015));
    }
}
