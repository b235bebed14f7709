//! Edges of what is told while a drill runs.

use zonedrill::{
    drill::{checks, record::Entry, run::Run},
    region::status::{Counter, Verdict},
};

use super::{at_the_end, span};
use crate::support::laws::{Fault, Played, play};

fn glance(drill: &str, change: impl FnOnce(&mut Played)) -> (Verdict, String, Vec<Counter>) {
    let mut played = play(drill, Fault::None, 0, 0);
    change(&mut played);
    checks::live(&Run::from_entries(played.entries))
}

/// The value of a counter, and whether it is as it must be.
fn counter(drill: &str, label: &str, change: impl FnOnce(&mut Played)) -> (String, Option<bool>) {
    let (_, _, counters) = glance(drill, change);
    let one = counters.into_iter().find(|one| one.label == label).expect(label);
    (one.value, one.good)
}

/// An interruption, and a step that failed, are told as the reason.
#[test]
fn a_run_that_was_ended_is_told_as_void() {
    let (verdict, why, _) = glance("cut", |played| {
        let end = played.entries.len() - 1;
        played.entries[end] = Entry::Interrupted { why: "ctrl-c".into(), at: 1 };
    });
    assert_eq!((verdict, why.as_str()), (Verdict::Void, "the drill was interrupted: ctrl-c"));
    let (verdict, why, _) = glance("cut", |played| {
        for entry in &mut played.entries {
            if let Entry::StepDone { index: 4, ok, why, .. } = entry {
                (*ok, *why) = (false, Some("in vain".into()));
            }
        }
    });
    assert_eq!((verdict, why.as_str()), (Verdict::Void, "step 5 failed: in vain"));
}

/// A run by hand has phases and no steps.
#[test]
fn a_run_by_hand_is_told_by_its_phase() {
    let (verdict, why, _) = glance("heal", |played| {
        let Some(Entry::Begin(begin)) = played.entries.first_mut() else { panic!() };
        begin.by_hand = vec![2];
        let step = |entry: &Entry| matches!(entry, Entry::Step { .. } | Entry::StepDone { .. });
        played.entries.retain(|entry| !step(entry));
    });
    assert_eq!(verdict, Verdict::Holding);
    assert_eq!(why, "by hand, no violation yet (after)");
}

/// A cut is told as one while both ends say so, and each connection as one too many.
#[test]
fn how_a_cut_is_told() {
    let label = "effective at both ends";
    // The last look of the phase that was cut is the one that counts.
    let link = |leafs: u32, effective: bool| {
        counter("cut", label, |played| {
            let (_, to) = span(played, "during");
            for (at, zone) in super::looks(played, "b") {
                if at == to {
                    let link = zone.link.as_mut().unwrap();
                    (link.leafs_here, link.leafs_there) = (Some(leafs), Some(0));
                    link.effective = effective;
                }
            }
        })
    };
    assert_eq!(link(0, true), ("yes".into(), Some(true)));
    assert_eq!(link(0, false), ("?".into(), None));
    assert_eq!(link(2, true), ("no, 2 leafnode connections".into(), Some(false)));
    let label = "b received new during the cut";
    assert_eq!(counter("cut", label, |_| ()), ("0".into(), Some(true)));
}

/// What both zones did in a cut, counted while it lasts.
#[test]
fn how_consumption_in_a_cut_is_told() {
    let of_source = "a received during the cut";
    assert_eq!(counter("cut", of_source, |_| ()), ("100/100".into(), Some(true)));
    let lags = |less: u64| {
        counter("cut", of_source, |played| {
            let (_, to) = span(played, "during");
            let late = super::looks(played, "a").filter(|(at, _)| *at == to);
            late.for_each(|(_, zone)| zone.ledger.received -= less);
        })
    };
    assert_eq!(lags(1), ("99/100".into(), None));
    let idle = counter("cut", of_source, |played| {
        for entry in &mut played.entries {
            if let Entry::Sample(sample) = entry {
                sample.status.producer.acked = 7;
                sample.status.zones[0].ledger.received = 7;
            }
        }
    });
    assert_eq!(idle, ("0".into(), None));
    let backlog = |held: u64, drained: u64| {
        counter("cut", "b backlog drained", |played| {
            let (from, _) = span(played, "during");
            for (at, zone) in super::looks(played, "b") {
                let end = zone.last_seq().unwrap_or(0);
                zone.ledger.received = 50 + if at > from { drained } else { 0 };
                let floor = if at > from { end } else { end.saturating_sub(held) };
                zone.consumer.as_mut().unwrap().ack_floor = Some(floor);
            }
        })
    };
    assert_eq!(backlog(5, 5), ("5/5".into(), Some(true)));
    assert_eq!(backlog(6, 5), ("5/6".into(), None));
    assert_eq!(backlog(4, 4), ("it held 4 at the cut, 5 are needed".into(), Some(false)));
}

/// One connection of the producer is as it must be; a second is not.
#[test]
fn how_a_producer_is_told() {
    let label = "producer's connections";
    assert_eq!(counter("grow", label, |_| ()), ("1".into(), Some(true)));
    let second = counter("grow", label, |played| {
        let last = played.entries.iter_mut().rev().find_map(|entry| match entry {
            Entry::Sample(sample) => Some(sample),
            _ => None,
        });
        last.unwrap().status.producer.reconnects += 1;
    });
    assert_eq!(second, ("2".into(), Some(false)));
    // Back again is a third one.
    let back = counter("grow", label, |played| {
        let mut nth = 0;
        for entry in &mut played.entries {
            if let Entry::Sample(sample) = entry {
                nth += 1;
                sample.status.producer.connection = Some(if nth == 3 { 18 } else { 17 });
            }
        }
    });
    assert_eq!(back, ("3".into(), Some(false)));
}

/// Floors and the stages of a recovery are told as they are known.
#[test]
fn how_floors_and_a_recovery_are_told() {
    assert_eq!(counter("independent", "b ack floor", |_| ()).0, "200");
    assert_eq!(counter("heal", "link up after", |_| ()), ("0.11 s".into(), Some(true)));
    let clock_of = |before: u64| {
        counter("heal", "link up after", |played| {
            let given = played.entries.iter().find_map(|entry| match entry {
                Entry::Given { line, at, .. } if line == "heal b" => Some(*at),
                _ => None,
            });
            let clock = at_the_end(played, "b").recovery.as_mut().unwrap();
            clock.healed_at_ms = given.unwrap() - before;
        })
    };
    assert_eq!(clock_of(1001), ("?".into(), None));
    assert_eq!(clock_of(1000), ("0.11 s".into(), Some(true)));
}

/// The latency of each phase, as soon as it is known; and the step that is played.
#[test]
fn how_latency_and_the_step_are_told() {
    assert_eq!(counter("cut", "a p99 during", |_| ()).0, "2.0 ms");
    let (verdict, why, _) = glance("cut", |_| ());
    let said = "step 6, no violation yet (linked again: 25 more)";
    assert_eq!((verdict, why.as_str()), (Verdict::Holding, said));
}
