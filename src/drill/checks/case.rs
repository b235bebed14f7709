//! What checks look at: a run with its evidence; its phases, watched spans, counts.

use super::{
    Finding, ReplicaAudit,
    reason::{FailedStep, Place, Reason, When},
};
use crate::{
    command::{Command, Produce},
    drill::{
        record::{Begin, Sample},
        run::{Phase, Run},
        script::Script,
    },
    ledger::{Ledger, finding::fault::Kind},
    region::{
        Role, UnixMs, ZoneName,
        status::{Verdict, Zone},
    },
};

/// The longest time without a look in a span that decides.
pub(super) const LONGEST_GAP_MS: u64 = 3000;
/// The longest time without a look in a span whose times are judged or told. A consumer that stands
/// still so long, or longer, is not undisturbed; a room that stands still so long sees nothing.
pub(super) const STALL_MS: u64 = 1000;
/// Fewer looks than these at a phase that decides are none, however short it was.
pub(super) const LOOKS: usize = 3;
/// Fewer messages than these are no progress: one could have been under way.
pub(super) const PROGRESS: u64 = 5;
/// The wall clock may differ by this much from the monotonic one between two looks.
const CLOCKS_AGREE_MS: u64 = 500;

/// A run with its evidence.
pub(super) struct Case<'a> {
    pub run: &'a Run,
    pub begin: &'a Begin,
    pub script: &'a Script,
    pub ledger: &'a Ledger,
    pub streams: &'a [ReplicaAudit],
}

impl Case<'_> {
    /// A phase that began and ended.
    pub fn phase(&self, name: &str) -> Result<&Phase, Reason> {
        let phase = name.to_owned();
        match self.run.phase(name) {
            Some(phase) if phase.to.is_some() => Ok(phase),
            Some(_) => Err(Reason::PhaseNeverEnded { phase, failed: self.failed_step() }),
            None => Err(Reason::NoPhase { phase, failed: self.failed_step() }),
        }
    }

    fn failed_step(&self) -> Option<FailedStep> {
        self.run.steps.iter().find_map(|step| match &step.ended {
            Some((false, why)) => Some(FailedStep { step: step.index + 1, why: why.clone() }),
            _ => None,
        })
    }

    /// The looks of a span in which somebody looked all the time.
    pub fn watched(&self, when: When, from: UnixMs, to: UnixMs) -> Result<&[Sample], Reason> {
        self.awake(&when, from, to, LONGEST_GAP_MS).and_then(|samples| often(when, samples))
    }

    /// The same for a span whose times are judged.
    pub fn timed(&self, when: When, from: UnixMs, to: UnixMs) -> Result<&[Sample], Reason> {
        self.awake(&when, from, to, STALL_MS).and_then(|samples| often(when, samples))
    }

    /// A span whose length is told, however short it was: neither may the room have stood still in
    /// it, nor the clock been set.
    pub fn clocked(&self, when: &When, from: UnixMs, to: UnixMs) -> Result<(), Reason> {
        self.awake(when, from, to, STALL_MS).map(|_| ())
    }

    fn awake(
        &self,
        when: &When,
        from: UnixMs,
        to: UnixMs,
        allowed_ms: u64,
    ) -> Result<&[Sample], Reason> {
        let when = || when.clone();
        if let Some(ms) = self.clock_step(from, to) {
            return Err(Reason::ClockStepped { when: when(), ms });
        }
        let samples = self.run.between(from, to);
        let times = std::iter::once(from).chain(samples.iter().map(|s| s.at)).chain([to]);
        let ms = longest_gap(times);
        if ms > allowed_ms {
            return Err(Reason::NobodyLooked { when: when(), ms, allowed_ms });
        }
        Ok(samples)
    }

    /// By how much the wall clock left the monotonic one between two looks of which one is in a span,
    /// or both around it. Old records have only the one clock.
    fn clock_step(&self, from: UnixMs, to: UnixMs) -> Option<u64> {
        let looks: Vec<(u64, u64)> = self
            .run
            .samples
            .iter()
            .filter_map(|sample| Some((sample.at, sample.mono_ms?)))
            .collect();
        looks
            .windows(2)
            .filter(|pair| pair[1].0 > from && pair[0].0 < to)
            .map(|pair| {
                let (wall, mono) =
                    (pair[1].0.abs_diff(pair[0].0), pair[1].1.saturating_sub(pair[0].1));
                wall.abs_diff(mono)
            })
            .find(|ms| *ms > CLOCKS_AGREE_MS)
    }

    /// Messages a zone's consumer processed in a phase: from the last look before it to the first
    /// look after its end.
    pub fn received_in(&self, phase: &Phase, zone: &ZoneName) -> Option<u64> {
        self.received_between(phase.from, phase.to?, zone)
    }

    pub fn received_between(&self, from: UnixMs, to: UnixMs, zone: &ZoneName) -> Option<u64> {
        self.grown(from, to, |sample| sample.zone(zone).map(|zone| zone.ledger.received))
    }

    /// Messages the source acknowledged in a span, whoever sent them.
    pub fn acked_between(&self, from: UnixMs, to: UnixMs) -> Option<u64> {
        self.grown(from, to, |sample| Some(sample.acked()))
    }

    fn grown(
        &self,
        from: UnixMs,
        to: UnixMs,
        count: impl Fn(&Sample) -> Option<u64>,
    ) -> Option<u64> {
        let inside = || self.run.between(from, to).iter();
        let before = self.run.between(0, from).iter().rev().find_map(&count);
        let first = before.or_else(|| inside().find_map(&count))?;
        let after = self.run.between(to, UnixMs::MAX).iter().find_map(&count);
        let last = after.or_else(|| inside().rev().find_map(&count))?;
        Some(last.saturating_sub(first))
    }

    /// A finding that something else may have caused accuses nobody: after an interruption the cause
    /// is unknown, and what was delivered to somebody else is not the region's doing. Messages that
    /// a stream lacks, has twice, or altered are so whoever did it.
    pub fn unless_another(&self, mut finding: Finding) -> Finding {
        let zones = match &finding.reason {
            _ if finding.verdict != Verdict::Broken => return finding,
            Some(Reason::Damaged { place: Place::Zone(zone), faults })
                if faults.iter().all(|fault| fault.of(Kind::NotReceived)) =>
            {
                vec![zone]
            }
            Some(Reason::Damaged { .. } | Reason::Expectation { .. }) | None => return finding,
            Some(Reason::Latency { zone, .. } | Reason::Stalled { zone, .. }) => vec![zone],
            Some(Reason::InZone { source, mirror, .. }) => vec![source, mirror],
            Some(_) => Vec::new(),
        };
        let elsewhere = zones.into_iter().find_map(|zone| self.elsewhere(zone));
        let Some(why) = elsewhere.or_else(|| self.interrupted()) else { return finding };
        let Some(otherwise) = finding.reason.take() else { return finding };
        let reason = Reason::NotDecided { why: Box::new(why), otherwise: Box::new(otherwise) };
        Finding { numbers: finding.numbers, ..Finding::void(&finding.check, reason) }
    }

    fn interrupted(&self) -> Option<Reason> {
        let why = self.run.interrupted.clone()?;
        Some(Reason::Interrupted { why })
    }

    /// Deliveries of a zone's consumer that came to somebody else.
    fn elsewhere(&self, zone: &ZoneName) -> Option<Reason> {
        let count = *self.run.elsewhere.get(zone)?;
        Some(Reason::DeliveredElsewhere { zone: zone.clone(), count })
    }

    /// Both zones of the drill, and its new one, unless the drill has removed that again.
    pub fn zones(&self) -> Vec<&ZoneName> {
        let mut zones = vec![&self.begin.source, &self.begin.mirror];
        let stays = |zone: &&ZoneName| self.grows() && !self.run.removed(zone);
        zones.extend(self.begin.new_zone.iter().filter(stays));
        zones
    }

    /// The script adds a zone.
    fn grows(&self) -> bool {
        self.commands().any(|command| matches!(command, Command::ZoneAdd { .. }))
    }

    /// The commands of the script.
    pub fn commands(&self) -> impl Iterator<Item = Command> {
        self.script.commands()
    }

    /// The script produces messages.
    pub fn produces(&self) -> bool {
        self.commands().any(|command| {
            matches!(command, Command::Produce(Produce::Range { .. } | Produce::Burst { .. }))
        })
    }

    /// Nothing more will come to a zone: it has all the source has, and its consumer has done it.
    pub fn is_drained(&self, zone: &ZoneName) -> bool {
        let done = || {
            let (here, there) = (self.run.last(zone)?, self.run.last(&self.begin.source)?);
            let last = here.last_seq()?;
            // A promoted zone has an end of its own.
            Some(
                (here.role == Role::Promoted || last >= there.last_seq()?)
                    && here.ack_floor()? >= last
                    && !self.run.samples.last()?.status.producer.active,
            )
        };
        self.run.ended.is_some() && self.run.interrupted.is_none() && done() == Some(true)
    }
}

/// Somebody looked often enough.
fn often(when: When, samples: &[Sample]) -> Result<&[Sample], Reason> {
    if samples.len() < LOOKS {
        return Err(Reason::TooFewLooks { when, looks: samples.len(), needed: LOOKS });
    }
    Ok(samples)
}

/// Messages that a zone's stream holds beyond its consumer's ack floor, as its server says.
pub(super) fn backlog(zone: &Zone) -> Option<u64> {
    Some(zone.last_seq()?.saturating_sub(zone.ack_floor()?))
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
