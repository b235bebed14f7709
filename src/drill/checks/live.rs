//! The live view: what the record shows so far, cheaply. Never proved.

use super::{ALL, Check};
use crate::{
    drill::{
        record::{Begin, Sample},
        run::Run,
        script::Script,
    },
    region::{
        ZoneName,
        status::{Counter, Verdict, Zone},
    },
};

/// A run as live counters see it.
pub(super) struct Live<'a> {
    pub run: &'a Run,
    pub begin: &'a Begin,
}

/// A counter, and what it makes of the verdict should it be bad.
pub(super) struct LiveCounter {
    counter: Counter,
    fails: Verdict,
}

impl LiveCounter {
    /// A value, if it is known.
    pub fn known(label: &str, value: Option<impl ToString>) -> Self {
        let value = value.map_or_else(|| "?".into(), |value| value.to_string());
        let counter = Counter { label: label.to_owned(), value, good: None };
        Self { counter, fails: Verdict::Void }
    }

    pub fn unknown(label: &str) -> Self {
        Self::known(label, None::<String>)
    }

    /// It is as it must be, if so.
    pub fn good(mut self, so: bool) -> Self {
        if so {
            self.counter.good = Some(true);
        }
        self
    }

    /// It is as it must not be, if so.
    pub fn bad(mut self, so: bool) -> Self {
        if so {
            self.counter.good = Some(false);
        }
        self
    }

    /// What a bad one makes of the verdict: void unless said otherwise.
    pub fn fails(mut self, verdict: Verdict) -> Self {
        self.fails = verdict;
        self
    }
}

/// What has been shown so far: *waiting* before the first step, *holding* while nothing speaks
/// against the claim, *void* or *broken* once something does; why; and the counters of the script's
/// checks.
#[must_use]
pub fn live(run: &Run) -> (Verdict, String, Vec<Counter>) {
    live_of(run, &run.script.as_ref().map(Script::checks).unwrap_or_default())
}

/// The same by these checks.
#[must_use]
pub fn live_of(run: &Run, checks: &[&'static Check]) -> (Verdict, String, Vec<Counter>) {
    let Some(begin) = run.begin.as_ref().filter(|_| run.script.is_some()) else {
        return (Verdict::Waiting, "not begun".into(), Vec::new());
    };
    let counters = counters(run, begin, checks);
    let (verdict, why) = verdict(run, &counters);
    (verdict, why, counters.into_iter().map(|one| one.counter).collect())
}

fn counters(run: &Run, begin: &Begin, checks: &[&'static Check]) -> Vec<LiveCounter> {
    let view = Live { run, begin };
    let mut counters = Vec::new();
    for check in ALL.into_iter().filter(|check| checks.contains(check)) {
        (check.live)(&view, &mut counters);
    }
    counters
}

fn verdict(run: &Run, counters: &[LiveCounter]) -> (Verdict, String) {
    // After an interruption the cause is unknown.
    if let Some(why) = &run.interrupted {
        return (Verdict::Void, format!("the drill was interrupted: {why}"));
    }
    for fails in [Verdict::Broken, Verdict::Void] {
        let bad = |one: &&LiveCounter| one.counter.good == Some(false) && one.fails == fails;
        if let Some(LiveCounter { counter, .. }) = counters.iter().find(bad) {
            return (fails, format!("{}: {}", counter.label, counter.value));
        }
    }
    let failed = run.steps.iter().find_map(|step| match &step.ended {
        Some((false, why)) => Some((step, why)),
        _ => None,
    });
    if let Some((step, why)) = failed {
        let why = why.as_deref().unwrap_or("no reason given");
        return (Verdict::Void, format!("step {} failed: {why}", step.index + 1));
    }
    if let Some(phase) = run.phases.last().filter(|_| run.steps.is_empty()) {
        return (Verdict::Holding, format!("by hand, no violation yet ({})", phase.name));
    }
    match run.steps.last() {
        None => (Verdict::Waiting, "no step has begun".into()),
        Some(step) => {
            let why = format!("step {}, no violation yet ({})", step.index + 1, step.title);
            (Verdict::Holding, why)
        }
    }
}

impl Live<'_> {
    /// The samples of a phase so far.
    fn samples(&self, phase: &str) -> &[Sample] {
        self.run.phase(phase).map_or(&[], |phase| self.run.during(phase))
    }

    /// A zone at the beginning and at the end (so far) of a phase.
    pub fn ends(&self, phase: &str, zone: &ZoneName) -> Option<(&Zone, &Zone)> {
        let mut seen = self.samples(phase).iter().filter_map(|sample| sample.zone(zone));
        let first = seen.next()?;
        Some((first, seen.next_back().unwrap_or(first)))
    }

    /// Messages a zone's consumer processed in a phase so far.
    pub fn received_in(&self, phase: &str, zone: &ZoneName) -> Option<u64> {
        let (first, last) = self.ends(phase, zone)?;
        Some(last.ledger.received.saturating_sub(first.ledger.received))
    }

    /// Messages the source acknowledged in a phase so far.
    pub fn acked_in(&self, phase: &str) -> Option<u64> {
        let samples = self.samples(phase);
        let (first, last) = (samples.first()?, samples.last()?);
        Some(last.acked().saturating_sub(first.acked()))
    }
}
