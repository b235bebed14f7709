//! The run itself: every step, wait and command of the script, and nobody else's hand.

use std::collections::BTreeSet;

use super::{Case, Finding};
use crate::{
    command::{Command, Produce},
    drill::{record::Sample, run::Phase},
    region::{UnixMs, ZoneName, snapshot::LinkState},
};

pub(super) const CHECK: &str = "ran";
/// The longest time without a look in a phase that decides.
pub(super) const LONGEST_GAP_MS: u64 = 3000;
/// Fewer looks than these at a phase that decides are none, however short it was.
pub(super) const LOOKS: usize = 3;
/// Fewer messages than these are no progress: one could have been under way.
pub(super) const PROGRESS: u64 = 5;
/// A command shows in the samples this much later at most.
const SETTLES_MS: u64 = 1500;

/// What would explain everything after it.
pub(super) fn before_all(case: &Case<'_>) -> Vec<Finding> {
    let run = case.run;
    let mut findings = Vec::new();
    if let Some(why) = &run.interrupted {
        findings.push(Finding::void(CHECK, format!("the drill was interrupted: {why}")));
    }
    if run.ended.is_none() {
        findings.push(Finding::void(CHECK, "the record has no end: the drill was cut short"));
    }
    if let Some(odd) = run.odd.first() {
        findings.push(Finding::void(CHECK, format!("the record contradicts itself: {odd}")));
    }
    let produces = case.script.lines().filter(|line| is_produce(line)).count();
    let acked: u64 = run.produced().map(|produced| produced.acked).sum();
    if produces > 0 && acked == 0 {
        findings.push(Finding::void(
            "produced",
            "nothing was produced: no message of this drill was acknowledged",
        ));
    }
    for produced in run.produced() {
        let known = case.ledger.acked_of(produced.producer);
        if known != produced.acked {
            findings.push(Finding::void(
                "produced",
                format!(
                    "p{} reported {} acknowledged messages, the ledger knows {known}",
                    produced.producer, produced.acked
                ),
            ));
        }
    }
    findings
}

fn is_produce(line: &str) -> bool {
    matches!(line.parse(), Ok(Command::Produce(Produce::Range { .. } | Produce::Burst { .. })))
}

/// Every step ended well, every wait was met, every command was done, and nobody interfered.
pub(super) fn ran(case: &Case<'_>) -> Finding {
    let (run, script) = (case.run, case.script);
    for (index, step) in script.steps.iter().enumerate() {
        let Some(seen) = run.steps.iter().find(|seen| seen.index == index) else {
            let why = format!("step {} ({}) never began", index + 1, step.title);
            return Finding::void(CHECK, why);
        };
        let why = match &seen.ended {
            Some((true, _)) => continue,
            Some((false, why)) => {
                format!("failed: {}", why.as_deref().unwrap_or("no reason given"))
            }
            None => "never ended".into(),
        };
        return Finding::void(CHECK, format!("step {} ({}) {why}", index + 1, seen.title));
    }
    let mut phases = run.phases.iter();
    for name in script.steps.iter().filter_map(|step| step.phase.as_ref()) {
        if phases.next().is_none_or(|phase| phase.name != *name || phase.to.is_none()) {
            return Finding::void(
                CHECK,
                format!("phase `{name}` did not come in its turn, or never ended"),
            );
        }
    }
    let mut given = run.given.iter();
    for line in script.lines() {
        let command: Option<Command> = line.parse().ok();
        let found = given.by_ref().find(|given| given.command == command && command.is_some());
        match found.map(|given| &given.answer) {
            None => {
                let why = format!("`{line}` was not given in its turn");
                return Finding::void(CHECK, why);
            }
            Some(None) => return Finding::void(CHECK, format!("`{line}` was never answered")),
            Some(Some(answer)) if answer.outcome != "done" => {
                let why = format!("`{line}` ended {}: {}", answer.outcome, answer.text);
                return Finding::void(CHECK, why);
            }
            Some(Some(_)) => {}
        }
    }
    let mut waited = run.waits.iter();
    for condition in script.waits() {
        match waited.next() {
            Some(wait) if wait.condition == condition.to_string() && wait.met => {}
            Some(wait) if wait.condition == condition.to_string() => {
                let why = format!(
                    "waited {:.1} s in vain for `{condition}`: {}",
                    wait.took_ms as f64 / 1000.0,
                    wait.seen
                );
                return Finding::void(CHECK, why);
            }
            _ => return Finding::void(CHECK, format!("nobody waited for `{condition}`")),
        }
    }
    if let Some(why) = foreign_hand(case).or_else(|| foreign_messages(case)) {
        return Finding::void(CHECK, why);
    }
    let (steps, waits) = (script.steps.len(), script.waits().count());
    let commands = script.lines().count();
    Finding::proved(
        CHECK,
        format!("{steps} steps ended well, {waits} waits were met, {commands} commands done"),
    )
    .with("steps", steps)
    .with("waits", waits)
    .with("commands", commands)
    .with("samples", run.samples.len())
}

/// A pause, a cut or a heal that this drill did not command.
fn foreign_hand(case: &Case<'_>) -> Option<String> {
    let zones: Vec<&ZoneName> = std::iter::once(&case.begin.source)
        .chain(std::iter::once(&case.begin.mirror))
        .chain(&case.begin.new_zone)
        .collect();
    for zone in zones {
        let paused = ours(case, |command| match command {
            Command::ConsumerPause { zone: named } if named == zone => Some(Some(true)),
            Command::ConsumerResume { zone: named } if named == zone => Some(Some(false)),
            _ => None,
        });
        let cut = ours(case, |command| match command {
            // It ends by itself, some time.
            Command::Cut { zone: named, heal_after: Some(_), .. } if named == zone => Some(None),
            Command::Cut { zone: named, .. } if named == zone => Some(Some(true)),
            Command::Heal { zone: named } if named.as_ref().is_none_or(|named| named == zone) => {
                Some(Some(false))
            }
            _ => None,
        });
        for sample in &case.run.samples {
            let Some(seen) = sample.zone(zone) else { continue };
            if expected(&paused, sample.at).is_some_and(|ours| ours != seen.paused) {
                let word = if seen.paused { "paused" } else { "resumed" };
                return Some(format!(
                    "somebody else's hand: the consumer of zone {zone} was {word}, and not by this drill"
                ));
            }
            let is_cut = seen.link.map(|link| link == LinkState::Cut);
            if let (Some(ours), Some(is_cut)) = (expected(&cut, sample.at), is_cut)
                && ours != is_cut
            {
                let word = if is_cut { "cut" } else { "healed" };
                return Some(format!(
                    "somebody else's hand: the link of zone {zone} was {word}, and not by this drill"
                ));
            }
        }
    }
    None
}

/// Messages of a producer that was not this drill's: receipts are counted whoever sent them, so
/// that "all were processed" could be met by somebody else's.
fn foreign_messages(case: &Case<'_>) -> Option<String> {
    let ours: BTreeSet<u32> = case.run.produced().map(|produced| produced.producer).collect();
    // Producers are numbered as they begin.
    let first = *ours.first()?;
    let others = (first..=case.ledger.last_producer()).filter(|number| !ours.contains(number));
    let foreign: Vec<(u32, u64)> = others
        .map(|number| (number, case.ledger.acked_of(number)))
        .filter(|(_, acked)| *acked > 0)
        .collect();
    let (number, _) = foreign.first()?;
    let count: u64 = foreign.iter().map(|(_, acked)| acked).sum();
    Some(format!(
        "somebody else's hand: p{number} and not this drill sent {count} of the messages on the stream while it ran"
    ))
}

/// What this drill's commands set, and from when to when that is not certain:
/// (given, settled, value).
type Set = (UnixMs, UnixMs, Option<bool>);

fn ours(case: &Case<'_>, of: impl Fn(&Command) -> Option<Option<bool>>) -> Vec<Set> {
    let given = case.run.given.iter();
    given
        .filter_map(|given| {
            let value = of(given.command.as_ref()?)?;
            let settled = match &given.answer {
                Some(answer) if answer.outcome == "done" => answer.at + SETTLES_MS,
                // Whether it took effect nobody knows.
                _ => UnixMs::MAX,
            };
            Some((given.at, settled, value))
        })
        .collect()
}

/// What must be seen at a moment, if that is certain.
fn expected(sets: &[Set], at: UnixMs) -> Option<bool> {
    match sets.iter().rev().find(|(given, ..)| *given <= at) {
        None => Some(false),
        Some((_, settled, value)) if at >= *settled => *value,
        Some(_) => None,
    }
}

/// Five messages before and five after, in each zone: without them "nothing lost" would be empty.
pub(super) fn progress(case: &Case<'_>) -> Finding {
    const CHECK: &str = "progress";
    let mut finding = Finding::proved(CHECK, "");
    let mut words = Vec::new();
    for zone in [&case.begin.source, &case.begin.mirror] {
        let mut counts = Vec::new();
        for name in ["before", "after"] {
            let phase = match case.phase(name) {
                Ok(phase) => phase,
                Err(why) => return Finding::void(CHECK, why),
            };
            let Some(count) = case.received_in(phase, zone) else {
                return Finding::void(CHECK, format!("zone {zone} was not seen in phase `{name}`"));
            };
            if count < PROGRESS {
                return Finding::void(
                    CHECK,
                    format!(
                        "the consumer of zone {zone} made no progress in phase `{name}`: {count} messages, at least {PROGRESS} are needed"
                    ),
                );
            }
            finding = finding.with(&format!("{zone} received {name}"), count);
            counts.push(format!("{count} {name}"));
        }
        words.push(format!("zone {zone} processed {}", counts.join(" and ")));
    }
    finding.text = words.join(", ");
    finding
}

impl Case<'_> {
    /// A phase that began and ended.
    pub(super) fn phase(&self, name: &str) -> Result<&Phase, String> {
        match self.run.phase(name) {
            Some(phase) if phase.to.is_some() => Ok(phase),
            Some(_) => Err(format!("phase `{name}` never ended{}", self.failed_step())),
            None => Err(format!("there was no phase `{name}`{}", self.failed_step())),
        }
    }

    /// The step that ended the run before its time, as the end of a sentence.
    fn failed_step(&self) -> String {
        let failed = self.run.steps.iter().find_map(|step| match &step.ended {
            Some((false, why)) => {
                Some((step.index, why.as_deref().unwrap_or("no reason is known")))
            }
            _ => None,
        });
        match failed {
            Some((index, why)) => format!(": step {} failed ({why})", index + 1),
            None => String::new(),
        }
    }

    /// A span that was watched without a gap.
    pub(super) fn watched(
        &self,
        what: &str,
        from: UnixMs,
        to: UnixMs,
    ) -> Result<&[Sample], String> {
        let samples = self.run.between(from, to);
        let times = std::iter::once(from).chain(samples.iter().map(|s| s.at)).chain([to]);
        let gap = longest_gap(times);
        if samples.len() < LOOKS {
            return Err(format!(
                "nobody looked more than {} times {what}: at least {LOOKS} looks are needed",
                samples.len()
            ));
        }
        if gap > LONGEST_GAP_MS {
            return Err(format!(
                "nobody looked for {:.1} s {what}: at most {:.0} s may pass",
                gap as f64 / 1000.0,
                LONGEST_GAP_MS as f64 / 1000.0
            ));
        }
        Ok(samples)
    }

    /// Messages a zone's consumer processed in a phase: from the last look before it to the first
    /// look after its end.
    pub(super) fn received_in(&self, phase: &Phase, zone: &ZoneName) -> Option<u64> {
        self.received_between(phase.from, phase.to?, zone)
    }

    pub(super) fn received_between(
        &self,
        from: UnixMs,
        to: UnixMs,
        zone: &ZoneName,
    ) -> Option<u64> {
        let samples = &self.run.samples;
        let received = |sample: &Sample| sample.zone(zone).map(|zone| zone.received);
        let before = samples.iter().rev().filter(|s| s.at <= from).find_map(received);
        let first = before
            .or_else(|| samples.iter().filter(|s| s.at >= from && s.at <= to).find_map(received))?;
        let after = samples.iter().filter(|s| s.at >= to).find_map(received);
        let last = after.or_else(|| {
            samples.iter().rev().filter(|s| s.at <= to && s.at >= from).find_map(received)
        })?;
        Some(last.saturating_sub(first))
    }
}

/// The longest step between moments in order.
pub(super) fn longest_gap(times: impl Iterator<Item = UnixMs>) -> u64 {
    let mut last = None;
    let mut longest = 0;
    for at in times {
        if let Some(last) = last.replace(at) {
            longest = longest.max(at.saturating_sub(last));
        }
    }
    longest
}
