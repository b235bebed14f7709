//! Edges of independence, of recovery, and of a zone that joins.

use zonedrill::{
    drill::record::{Entry, Sample},
    region::status::Verdict,
};

use super::{looks, otherwise, span};
use crate::support::laws::Played;

fn samples(played: &mut Played) -> impl Iterator<Item = &mut Sample> {
    played.entries.iter_mut().filter_map(|entry| match entry {
        Entry::Sample(sample) => Some(&mut **sample),
        _ => None,
    })
}

/// When a command was given and answered.
fn command(played: &Played, wanted: &str) -> (u64, u64) {
    let given = played.entries.iter().find_map(|entry| match entry {
        Entry::Given { id, line, at } if line == wanted => Some((*id, *at)),
        _ => None,
    });
    let (id, given) = given.expect(wanted);
    let answered = played.entries.iter().find_map(|entry| match entry {
        Entry::Answered { id: of, at, .. } if *of == id => Some(*at),
        _ => None,
    });
    (given, answered.expect("an answer"))
}

/// Another command was given than the drill's.
fn instead(played: &mut Played, of: &str, other: &str) {
    for entry in &mut played.entries {
        if let Entry::Given { line, .. } = entry
            && line == of
        {
            other.clone_into(line);
        }
    }
}

/// What was done to another zone was not done to this one.
#[test]
fn a_command_for_another_zone_is_not_the_drills() {
    for (drill, check, of, other, said) in [
        (
            "independent",
            "progress-independent",
            "consumer pause a",
            "consumer pause b",
            "not paused",
        ),
        (
            "independent",
            "progress-independent",
            "consumer resume a",
            "consumer resume b",
            "not resumed",
        ),
        ("heal", "recovery", "heal b", "heal c", "was not healed"),
        ("grow", "producer", "zone add c", "zone add d", "no zone joined"),
    ] {
        let (verdict, text) = otherwise(drill, check, |played| instead(played, of, other));
        assert_eq!((verdict, text.contains(said)), (Verdict::Void, true), "{other}: {text}");
    }
    assert_eq!(
        otherwise("heal", "recovery", |p| instead(p, "heal b", "heal all")).0,
        Verdict::Proved
    );
    let (verdict, text) = otherwise("grow", "producer", |p| instead(p, "zone add c", "zone add"));
    assert_eq!(verdict, Verdict::Proved, "{text}");
}

/// While one zone is paused: what waits for it, what the other does, and how far they part.
#[test]
fn the_least_of_a_pause() {
    let paused = |change: &dyn Fn(&mut Played, u64, u64)| {
        otherwise("independent", "progress-independent", |played| {
            let (_, from) = command(played, "consumer pause a");
            let (to, _) = command(played, "consumer resume a");
            change(played, from, to);
        })
    };
    for (count, expected) in [(5, Verdict::Proved), (4, Verdict::Void)] {
        let (verdict, text) = paused(&|played, from, to| {
            for (_, zone) in looks(played, "a").filter(|(at, _)| (from..=to).contains(at)) {
                zone.stream.as_mut().unwrap().last_seq = zone.ack_floor().unwrap() + count;
            }
        });
        assert_eq!(verdict, expected, "{count} wait: {text}");
        let (verdict, text) = paused(&|played, from, to| {
            for (_, zone) in looks(played, "b").filter(|(at, _)| (from..=to).contains(at)) {
                zone.consumer.as_mut().unwrap().ack_floor = Some(50 + count);
            }
        });
        assert_eq!(verdict, expected, "{count} apart: {text}");
        let (verdict, text) = paused(&|played, from, to| {
            for (at, zone) in looks(played, "b").filter(|(at, _)| *at <= to) {
                zone.ledger.received = 50 + if at > from { count } else { 0 };
            }
        });
        assert_eq!(verdict, expected, "{count} processed: {text}");
    }
    let (verdict, text) = paused(&|played, from, to| {
        let (_, zone) =
            looks(played, "a").filter(|(at, _)| *at < to && *at > from + 500).last().unwrap();
        zone.consumer.as_mut().unwrap().paused = false;
    });
    assert_eq!((verdict, text.contains("did not stay paused")), (Verdict::Void, true), "{text}");
    // The floors met where the stream ended in the pause, and not again.
    let (verdict, text) = paused(&|played, _, to| {
        for (_, zone) in looks(played, "b").filter(|(at, _)| *at > to) {
            let consumer = zone.consumer.as_mut().unwrap();
            consumer.ack_floor = consumer.ack_floor.map(|at| if at > 100 { at - 1 } else { at });
        }
    });
    assert_eq!((verdict, text.contains("both reached 100")), (Verdict::Proved, true), "{text}");
}

/// The going zone's latency is that of all its messages, and it is compared with itself.
#[test]
fn the_latency_of_the_zone_that_goes_on() {
    let latency = |of: &str, slow: bool, unmeasured: u64| {
        otherwise("independent", "progress-independent", |played| {
            for entry in &mut played.entries {
                if let Entry::Latency { zone, phase, buckets, acked, .. } = entry
                    && (zone.as_str(), phase.as_str()) == ("b", of)
                {
                    *acked = acked.map(|count| count + unmeasured);
                    if slow {
                        *buckets = vec![(2_000, 49), (1_100_000, 1)];
                    }
                }
            }
        })
    };
    for (phase, slow, unmeasured, expected) in [
        ("before", true, 0, Verdict::Void),
        ("before", false, 1, Verdict::Void),
        ("apart", false, 1, Verdict::Void),
        ("apart", true, 0, Verdict::Broken),
        ("apart", false, 0, Verdict::Proved),
    ] {
        let (verdict, text) = latency(phase, slow, unmeasured);
        assert_eq!(verdict, expected, "{phase} {slow} {unmeasured}: {text}");
    }
}

/// Speeds differ from half as much again, of enough, and only while both have work.
#[test]
fn how_different_speeds_must_be() {
    for (ours, theirs, idle, expected) in [
        (5, 8, false, Verdict::Proved),
        (4, 8, false, Verdict::Void),
        (10, 15, false, Verdict::Proved),
        (10, 14, false, Verdict::Void),
        (10, 15, true, Verdict::Void),
    ] {
        let (verdict, text) = otherwise("independent", "speeds", |played| {
            let (from, to) = span(played, "speeds");
            for (zone, count) in [("a", ours), ("b", theirs)] {
                let mut first = true;
                for (at, seen) in looks(played, zone).filter(|(at, _)| (from..=to).contains(at)) {
                    seen.ledger.received = 100 + if first { 0 } else { count };
                    let end = seen.last_seq().unwrap();
                    let busy = at > from && !(idle && zone == "b");
                    let floor = if busy { end.min(101) } else { end };
                    seen.consumer.as_mut().unwrap().ack_floor = Some(floor);
                    first &= !(busy && floor < end);
                }
            }
        });
        assert_eq!(verdict, expected, "{ours} and {theirs}, idle {idle}: {text}");
        assert_eq!(text.contains("never had work at the same time"), idle, "{text}");
    }
}

/// A clock that was started by this heal, and five messages to catch up on.
#[test]
fn the_least_of_a_recovery() {
    for (early, behind, expected) in
        [(1000, 5, Verdict::Proved), (1001, 5, Verdict::Void), (0, 4, Verdict::Void)]
    {
        let (verdict, text) = otherwise("heal", "recovery", |played| {
            let (given, _) = command(played, "heal b");
            for clock in looks(played, "b").filter_map(|(_, zone)| zone.recovery.as_mut()) {
                (clock.healed_at_ms, clock.behind) = (given - early, Some(behind));
            }
        });
        assert_eq!(verdict, expected, "{early} ms, {behind}: {text}");
    }
}

/// Every fact of the producer must be known around the joining.
#[test]
fn a_producer_of_which_a_fact_is_unknown() {
    for which in 0..4 {
        let (verdict, text) = otherwise("grow", "producer", |played| {
            let (from, to) = command(played, "zone add c");
            for sample in samples(played).filter(|sample| (from..=to).contains(&sample.at)) {
                let producer = &mut sample.status.producer;
                match which {
                    0 => producer.connection = None,
                    1 => producer.server_id = None,
                    2 => producer.config_hash = None,
                    _ => producer.acked_by = None,
                }
            }
        });
        assert_eq!(
            (verdict, text.contains("are not known")),
            (Verdict::Void, true),
            "{which}: {text}"
        );
    }
}

/// Acknowledgements while the zone joins: none for so long, then so many.
fn acknowledged(still_ms: u64, count: u64) -> (Verdict, String) {
    otherwise("grow", "producer", |played| {
        let (from, to) = command(played, "zone add c");
        let mut first = None;
        for sample in samples(played).filter(|sample| sample.at >= from) {
            let first = *first.get_or_insert(sample.status.producer.acked);
            if sample.at <= from + still_ms {
                sample.status.producer.acked = first;
            } else if sample.at <= to {
                // The look at the end has all of them, those before have one each.
                let nth = (sample.at - from - still_ms) / 250;
                let grown = if sample.at == to { count } else { nth.min(count) };
                sample.status.producer.acked = first + grown;
            } else {
                sample.status.producer.acked = first + count + (sample.at - to) / 10;
            }
        }
    })
}

/// A second without an acknowledgement is a stall, unless the producer is that slow by itself; fewer
/// than five are no test.
#[test]
fn the_shortest_stall_of_a_producer() {
    assert_eq!(acknowledged(750, 100).0, Verdict::Proved);
    assert_eq!(acknowledged(1000, 100).0, Verdict::Broken);
    assert_eq!(acknowledged(1000, 9).0, Verdict::Broken);
    assert_eq!(acknowledged(1000, 8).0, Verdict::Proved);
    assert_eq!(acknowledged(1000, 5).0, Verdict::Proved);
    assert_eq!(acknowledged(1000, 4).0, Verdict::Void);
}
