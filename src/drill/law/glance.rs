//! The live view: what the record shows so far, cheaply. Never proved.

use super::{Check, ran::PROGRESS};
use crate::{
    command::Command,
    drill::{
        record::{Begin, ZoneSample},
        run::{Phase, Run},
    },
    region::{
        ZoneName,
        event::seconds,
        snapshot::{Counter, Verdict},
    },
};

/// What has been shown so far: *waiting* before the first step, *holding* while nothing speaks
/// against the claim, *void* or *broken* once something does.
#[must_use]
pub fn glance(run: &Run) -> (Verdict, String, Vec<Counter>) {
    let (Some(begin), Some(script)) = (&run.begin, &run.script) else {
        return (Verdict::Waiting, "not begun".into(), Vec::new());
    };
    let view = View { run, begin };
    let mut counters = Vec::new();
    for check in &script.checks {
        match check {
            Check::Severed => view.severed(&mut counters),
            Check::InZone => view.in_zone(&mut counters),
            Check::Latency => view.latency(&mut counters),
            Check::Recovery => view.recovery(&mut counters),
            Check::Apart => view.apart(&mut counters),
            Check::Producer => view.producer(&mut counters),
            Check::Backfill => view.backfill(&mut counters),
            Check::Whole => view.whole(&mut counters),
            Check::Progress | Check::Faithful | Check::Servers | Check::Speeds => {}
        }
    }
    let (verdict, why) = view.verdict(&counters);
    (verdict, why, counters)
}

struct View<'a> {
    run: &'a Run,
    begin: &'a Begin,
}

/// Whether the cut was proved.
const EFFECTIVE: &str = "effective at both ends";
/// A counter whose failure breaks the claim, rather than voids the test.
const TOUCHED: &str = "producer's connections";

impl View<'_> {
    fn verdict(&self, counters: &[Counter]) -> (Verdict, String) {
        let bad = |label: &str| {
            counters.iter().find(|counter| counter.label == label && counter.good == Some(false))
        };
        // Whose doing it was, nobody knows then.
        if let Some(why) = &self.run.interrupted {
            return (Verdict::Void, format!("the drill was interrupted: {why}"));
        }
        if let Some(counter) = bad(TOUCHED) {
            return (Verdict::Broken, format!("the producer was touched: {}", counter.value));
        }
        if let Some(bad) = counters.iter().find(|counter| counter.good == Some(false)) {
            return (Verdict::Void, format!("{}: {}", bad.label, bad.value));
        }
        let failed = self.run.steps.iter().find_map(|step| match &step.ended {
            Some((false, why)) => Some((step, why)),
            _ => None,
        });
        if let Some((step, why)) = failed {
            let why = why.as_deref().unwrap_or("no reason given");
            return (Verdict::Void, format!("step {} failed: {why}", step.index + 1));
        }
        match self.run.steps.last() {
            None => (Verdict::Waiting, "no step has begun".into()),
            Some(step) => (
                Verdict::Holding,
                format!("nothing against it so far, in step {}: {}", step.index + 1, step.title),
            ),
        }
    }

    fn phase(&self, name: &str) -> Option<&Phase> {
        self.run.phase(name)
    }

    /// The zone at the beginning and at the end (so far) of a phase.
    fn ends(&self, phase: &Phase, zone: &ZoneName) -> Option<(&ZoneSample, &ZoneSample)> {
        let mut seen = self.run.during(phase).iter().filter_map(|sample| sample.zone(zone));
        let first = seen.next()?;
        Some((first, seen.next_back().unwrap_or(first)))
    }

    fn severed(&self, counters: &mut Vec<Counter>) {
        let zone = &self.begin.mirror;
        let ends = self.phase("during").and_then(|phase| self.ends(phase, zone));
        let Some((first, last)) = ends else {
            // Proved before the messages come that it is to keep out: an audience is told then.
            let proved = self.run.last(zone).is_some_and(|zone| {
                zone.cut_effective && zone.leafs_here == Some(0) && zone.leafs_there == Some(0)
            });
            counters.push(if proved {
                Counter { label: EFFECTIVE.into(), value: "yes".into(), good: Some(true) }
            } else {
                unknown(EFFECTIVE)
            });
            counters.push(unknown(&format!("{zone} received new during the cut")));
            return;
        };
        let leafs = last.leafs_here.zip(last.leafs_there).map(|(here, there)| here + there);
        counters.push(Counter {
            label: EFFECTIVE.into(),
            value: match leafs {
                Some(0) if last.cut_effective => "yes".into(),
                Some(leafs) if leafs > 0 => format!("no, {leafs} leafnode connections"),
                _ => "?".into(),
            },
            good: match leafs {
                Some(0) if last.cut_effective => Some(true),
                Some(leafs) if leafs > 0 => Some(false),
                _ => None,
            },
        });
        let leaked = first.last_seq.zip(last.last_seq).map(|(was, is)| is.saturating_sub(was));
        counters.push(Counter {
            label: format!("{zone} received new during the cut"),
            value: leaked.map_or_else(|| "?".into(), |leaked| leaked.to_string()),
            good: leaked.map(|leaked| leaked == 0),
        });
    }

    fn in_zone(&self, counters: &mut Vec<Counter>) {
        let (source, mirror) = (&self.begin.source, &self.begin.mirror);
        let here = format!("{source} received during the cut");
        let there = format!("{mirror} backlog drained");
        let Some(phase) = self.phase("during") else {
            counters.extend([unknown(&here), unknown(&there)]);
            return;
        };
        counters.push(match self.ends(phase, source) {
            Some((first, last)) => {
                let acked = self.run.acked_in(phase);
                let got = last.received.saturating_sub(first.received);
                let value = if acked > 0 { format!("{got}/{acked}") } else { got.to_string() };
                Counter { label: here, value, good: (acked > 0 && got >= acked).then_some(true) }
            }
            None => unknown(&here),
        });
        let drained = self.ends(phase, mirror).and_then(|(first, last)| {
            let backlog = first.last_seq?.checked_sub(first.ack_floor?)?;
            Some((last.received.saturating_sub(first.received).min(backlog), backlog))
        });
        counters.push(match drained {
            Some((drained, backlog)) => Counter {
                label: there,
                value: format!("{drained}/{backlog}"),
                good: if backlog < PROGRESS {
                    Some(false)
                } else {
                    (drained == backlog).then_some(true)
                },
            },
            None => unknown(&there),
        });
    }

    fn latency(&self, counters: &mut Vec<Counter>) {
        for name in ["before", "during", "after"] {
            let label = format!("{} p99 {name}", self.begin.source);
            let latency = self.run.latencies.iter().rev();
            let p99 = latency
                .filter(|l| l.zone == self.begin.source && l.phase == name)
                .find_map(|l| l.histogram.quantile(99.0));
            counters.push(match p99 {
                Some(p99) => Counter { label, value: super::cut::at(p99), good: None },
                None => unknown(&label),
            });
        }
    }

    fn recovery(&self, counters: &mut Vec<Counter>) {
        let healed = self.run.done(|command| matches!(command, Command::Heal { .. }));
        let clock = healed.and_then(|(given, _)| {
            let clock = self.run.last(&self.begin.mirror)?.recovery.as_ref()?;
            (clock.healed_ms + 1000 >= given.at).then_some(clock)
        });
        let stages = [
            ("link up after", clock.and_then(|clock| clock.link_up_after_ms)),
            ("mirror moving after", clock.and_then(|clock| clock.moving_after_ms)),
            ("caught up after", clock.and_then(|clock| clock.caught_up_after_ms)),
        ];
        counters.extend(stages.map(|(label, ms)| match ms {
            Some(ms) => Counter { label: label.into(), value: seconds(ms), good: Some(true) },
            None => unknown(label),
        }));
    }

    fn apart(&self, counters: &mut Vec<Counter>) {
        let floors = [&self.begin.source, &self.begin.mirror]
            .map(|zone| (zone, self.run.last(zone).and_then(|zone| zone.ack_floor)));
        for (zone, floor) in floors {
            let label = format!("{zone} ack floor");
            counters.push(match floor {
                Some(floor) => Counter { label, value: floor.to_string(), good: None },
                None => unknown(&label),
            });
        }
    }

    fn producer(&self, counters: &mut Vec<Counter>) {
        let mut seen = Vec::new();
        for sample in &self.run.samples {
            let p = &sample.producer;
            let Some(connection) = p.connection else { continue };
            let now = (connection, p.reconnects, p.config_hash.as_deref());
            if seen.last() != Some(&now) {
                seen.push(now);
            }
        }
        counters.push(Counter {
            label: TOUCHED.into(),
            value: if seen.is_empty() { "?".into() } else { seen.len().to_string() },
            good: (!seen.is_empty()).then_some(seen.len() == 1),
        });
    }

    fn backfill(&self, counters: &mut Vec<Counter>) {
        let Some(new) = &self.begin.new_zone else { return };
        let label = format!("{new} received");
        let got = self.run.last(new).map(|zone| zone.received);
        let of = self.run.last(&self.begin.source).and_then(|zone| zone.last_seq);
        counters.push(match got.zip(of) {
            Some((got, of)) => Counter {
                label,
                // Under load the consumer's word is newer than its stream's.
                value: format!("{got}/{}", of.max(got)),
                good: (got >= of && of > 0).then_some(true),
            },
            None => unknown(&label),
        });
    }

    fn whole(&self, counters: &mut Vec<Counter>) {
        let (first, last) = (self.run.samples.first(), self.run.samples.last());
        let reported: u64 = self.run.produced().map(|produced| produced.acked).sum();
        // What a running `produce` has got acknowledged is in the samples alone.
        let running = self.run.given.iter().any(|given| {
            given.answer.is_none() && matches!(given.command, Some(Command::Produce(_)))
        });
        let sampled = first
            .zip(last)
            .filter(|_| running)
            .map_or(0, |(was, is)| is.producer.acked.saturating_sub(was.producer.acked));
        let acked = reported.max(sampled);
        counters.push(Counter {
            label: "acked in this drill".into(),
            value: acked.to_string(),
            good: None,
        });
        let (source, zone) = (&self.begin.source, &self.begin.mirror);
        let got = |zone: &ZoneName| {
            let (had, is) = (first?.zone(zone)?.received, self.run.last(zone)?.received);
            // What was still on its way when the drill began is not of this drill.
            Some(is.saturating_sub(had.max(first?.producer.acked)))
        };
        let label = format!("received in {source}, {zone}");
        counters.push(match got(source).zip(got(zone)) {
            Some((there, here)) => Counter { label, value: format!("{there}, {here}"), good: None },
            None => unknown(&label),
        });
        let label = format!("{zone} true lag");
        counters.push(match self.run.last(zone).and_then(|zone| zone.true_lag) {
            Some(lag) => Counter { label, value: lag.to_string(), good: None },
            None => unknown(&label),
        });
    }
}

fn unknown(label: &str) -> Counter {
    Counter { label: label.into(), value: "?".into(), good: None }
}
