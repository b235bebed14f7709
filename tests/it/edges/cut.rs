//! Edges of a cut: of the latency and the drain in it, and of what each zone processed.

use zonedrill::{
    drill::record::Entry,
    region::status::{LinkState, Verdict},
};

use super::{looks, otherwise, span};
use crate::support::laws::Played;

/// The latencies of the source's messages in a phase, and how many were acknowledged.
fn measured(played: &mut Played, phase: &str, latencies: &[(u64, u64)], count: u64) {
    for entry in &mut played.entries {
        if let Entry::Latency { zone, phase: of, buckets, acked, .. } = entry
            && (zone.as_str(), of.as_str()) == ("a", phase)
        {
            (*buckets, *acked) = (latencies.to_vec(), Some(count));
        }
    }
}

/// Each part of the rule counts by itself, and whatever comes after.
#[test]
fn a_latency_breaks_the_rule_by_any_part_of_it() {
    let quick: &[(u64, u64)] = &[(2_000, 100)];
    for (before, during, after, expected) in [
        (quick, quick, quick, Verdict::Proved),
        // A busy machine makes some of a cut's messages slow.
        (quick, &[(90_000, 98), (240_000, 2)], quick, Verdict::Proved),
        (quick, &[(120_000, 100)], quick, Verdict::Broken),
        (quick, &[(2_000, 98), (300_000, 2)], quick, Verdict::Broken),
        (quick, &[(2_000, 99), (1_100_000, 1)], quick, Verdict::Broken),
        // Ten times what was before, …
        (&[(20_000, 100)], &[(150_000, 100)], quick, Verdict::Proved),
        // … and not more than half a second.
        (&[(100_000, 100)], &[(150_000, 98), (520_000, 2)], quick, Verdict::Broken),
        (quick, &[(120_000, 100)], &[(300_000, 100)], Verdict::Broken),
        (quick, quick, &[(300_000, 100)], Verdict::Void),
        (&[(2_000, 98), (300_000, 2)], quick, quick, Verdict::Void),
        (&[(2_000, 99), (1_100_000, 1)], quick, quick, Verdict::Void),
    ] {
        let (verdict, text) = otherwise("cut", "latency", |played| {
            for (phase, latencies) in [("before", before), ("during", during), ("after", after)] {
                measured(played, phase, latencies, 100);
            }
        });
        assert_eq!(verdict, expected, "{before:?} {during:?} {after:?}: {text}");
        let said = if verdict == Verdict::Broken { "broke the stated rule" } else { "" };
        assert!(text.contains(said), "{text}");
    }
}

/// A latency is that of all messages, and of enough of them.
#[test]
fn a_latency_of_some_messages_is_none() {
    for (count, acked, expected) in
        [(20, 20, Verdict::Proved), (19, 19, Verdict::Void), (99, 100, Verdict::Void)]
    {
        let (verdict, text) = otherwise("cut", "latency", |played| {
            measured(played, "during", &[(2_000, count)], acked);
        });
        assert_eq!(verdict, expected, "{count} of {acked}: {text}");
    }
}

/// How the mirror zone's consumer worked in the cut: its longest pause, and its time for 50 messages.
#[test]
fn a_backlog_is_worked_off_without_a_stall_and_in_time() {
    for (pause, worked, expected) in [
        (999_999, 2_250_000, Verdict::Proved),
        (1_000_000, 2_250_000, Verdict::Broken),
        (999_999, 2_250_001, Verdict::Broken),
    ] {
        let (verdict, text) = otherwise("cut", "drain", |played| {
            for entry in &mut played.entries {
                if let Entry::Pace { zone, phase, worked_us, longest_pause_us, .. } = entry
                    && (zone.as_str(), phase.as_str()) == ("b", "during")
                {
                    (*worked_us, *longest_pause_us) = (worked, pause);
                }
            }
        });
        assert_eq!(verdict, expected, "{pause} {worked}: {text}");
    }
}

/// A consumer that was held to a rate shows nothing of its own speed; another zone's says nothing.
#[test]
fn a_rate_of_the_zone_that_drains_makes_its_speed_void() {
    for (line, expected) in [
        ("consumer rate b 10", Verdict::Void),
        ("consumer rate b max", Verdict::Proved),
        ("consumer rate a 10", Verdict::Proved),
    ] {
        let (verdict, text) = otherwise("cut", "drain", |played| {
            let (at, _) = span(played, "before");
            let place = played.entries.iter().position(|e| matches!(e, Entry::Phase { .. }));
            let given = Entry::Given { id: 900, line: line.into(), at };
            played.entries.insert(place.unwrap(), given);
        });
        assert_eq!(verdict, expected, "{line}: {text}");
    }
}

/// The mirror zone's consumer processed so many in the cut, and its floor came so near its stream's
/// end.
fn drains(played: &mut Played, processed: u64, left: u64) {
    let (from, to) = span(played, "during");
    for (at, zone) in looks(played, "b") {
        zone.ledger.received = if at <= from { 50 } else { 50 + processed };
        let end = zone.last_seq().map(|last| last.saturating_sub(left));
        if (from..=to).contains(&at) {
            let consumer = zone.consumer.as_mut().unwrap();
            consumer.ack_floor = consumer.ack_floor.min(end);
        }
    }
}

/// That its floor reached the end says that all was done; but for that, what it processed counts.
/// A few that are left may be under way.
#[test]
fn what_the_mirror_zone_did_in_a_cut() {
    for (processed, left, expected) in [
        (50, 0, Verdict::Proved),
        (5, 0, Verdict::Proved),
        (4, 0, Verdict::Broken),
        (50, 10, Verdict::Proved),
        (46, 1, Verdict::Void),
        (45, 1, Verdict::Broken),
    ] {
        let (verdict, text) = otherwise("cut", "in-zone", |played| drains(played, processed, left));
        assert_eq!(verdict, expected, "{processed} processed, {left} left: {text}");
    }
    for (processed, expected) in [(5, Verdict::Proved), (4, Verdict::Void)] {
        let (verdict, text) = otherwise("cut", "drain", |played| drains(played, processed, 0));
        assert_eq!(verdict, expected, "{processed} processed: {text}");
    }
}

/// Five messages that wait are a backlog; fewer are none.
#[test]
fn the_least_backlog_of_a_cut() {
    for (held, expected) in [(5, Verdict::Proved), (4, Verdict::Void)] {
        let (verdict, text) = otherwise("cut", "in-zone", |played| {
            let (from, _) = span(played, "during");
            let (_, first) = looks(played, "b").find(|(at, _)| *at >= from).unwrap();
            let floor = first.last_seq().map(|last| last - held);
            first.consumer.as_mut().unwrap().ack_floor = floor;
        });
        assert_eq!(verdict, expected, "{held} held: {text}");
    }
}

/// A source zone that was paused in the cut, or a mirror zone that was paused for all of it, was not
/// to consume.
#[test]
fn who_is_paused_in_a_cut_shows_nothing() {
    let pause = |zone: &'static str, least: usize| {
        otherwise("cut", "in-zone", |played| {
            let (from, to) = span(played, "during");
            let inside = looks(played, zone).filter(|(at, _)| (from..=to).contains(at));
            inside.take(least).for_each(|(_, zone)| zone.consumer.as_mut().unwrap().paused = true);
        })
    };
    let (verdict, text) = pause("a", 1);
    assert_eq!((verdict, text.contains("was paused during")), (Verdict::Void, true), "{text}");
    let (verdict, text) = pause("b", usize::MAX);
    assert_eq!((verdict, text.contains("for all of the cut")), (Verdict::Void, true), "{text}");
    assert_eq!(pause("b", 3).0, Verdict::Proved);
}

/// Five messages must have been sent in a cut that is to have kept them out.
#[test]
fn the_least_that_a_cut_keeps_out() {
    for (sent, expected) in [(5, Verdict::Proved), (4, Verdict::Void)] {
        let (verdict, text) = otherwise("cut", "severed", |played| {
            let (from, to) = span(played, "during");
            for entry in &mut played.entries {
                if let Entry::Sample(sample) = entry
                    && (from..=to).contains(&sample.at)
                {
                    sample.status.producer.acked = 100 + if sample.at > from { sent } else { 0 };
                }
            }
        });
        assert_eq!(verdict, expected, "{sent} sent: {text}");
    }
}

/// Whichever end sees a connection, the cut is none; and what only one end says, is not confirmed.
#[test]
fn a_cut_is_one_at_both_ends() {
    let at_each = |here: Option<u32>, there: Option<u32>, effective: bool| {
        otherwise("cut", "severed", |played| {
            let (from, to) = span(played, "during");
            for (_, zone) in looks(played, "b").filter(|(at, _)| (from..=to).contains(at)) {
                let link = zone.link.as_mut().unwrap();
                (link.leafs_here, link.leafs_there) = (here, there);
                link.effective = effective;
            }
        })
    };
    assert_eq!(at_each(Some(0), Some(0), true).0, Verdict::Proved);
    for (here, there, effective, said) in [
        (Some(1), Some(0), true, "not effective"),
        (Some(0), Some(1), true, "not effective"),
        (Some(0), None, true, "not confirmed at both ends"),
        (None, Some(0), true, "not confirmed at both ends"),
        (Some(0), Some(0), false, "not confirmed at both ends"),
    ] {
        let (verdict, text) = at_each(here, there, effective);
        assert_eq!((verdict, text.contains(said)), (Verdict::Void, true), "{text}");
    }
}

/// A cut that ends before its phase does is told so; and three looks must confirm it.
#[test]
fn a_cut_lasts_as_long_as_its_phase() {
    let (verdict, text) = otherwise("cut", "severed", |played| {
        let (from, to) = span(played, "during");
        let last = looks(played, "b").filter(|(at, _)| (from..=to).contains(at)).last();
        last.unwrap().1.link.as_mut().unwrap().state = LinkState::Up;
    });
    assert_eq!((verdict, text.contains("no longer cut")), (Verdict::Void, true), "{text}");
    for (looked, expected) in [(3, Verdict::Proved), (2, Verdict::Void)] {
        let (verdict, text) = otherwise("cut", "severed", |played| {
            let (from, to) = span(played, "during");
            let mut kept = 0;
            for (at, zone) in looks(played, "b").filter(|(at, _)| (from..=to).contains(at)) {
                let spread = (at - from).is_multiple_of((to - from) / 4 / 250 * 250);
                if at > from && at < to && spread && kept < looked {
                    kept += 1;
                } else {
                    zone.link = None;
                }
            }
            assert_eq!(kept, looked);
        });
        assert_eq!(verdict, expected, "{looked} looks: {text}");
    }
}
