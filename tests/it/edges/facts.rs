//! Edges of single facts: what a zone begins with, what was sent by the heal, who else had a message.

use serde_json::json;
use zonedrill::{
    drill::{
        checks,
        record::{Begin, Entry},
        run::Run,
    },
    ledger::record::Record,
    region::status::Verdict,
};

use super::{at_the_end, conclude, looks, otherwise, span};
use crate::support::laws::{Fault, Played, play};

fn begin(played: &mut Played) -> &mut Begin {
    let Some(Entry::Begin(begin)) = played.entries.first_mut() else { panic!() };
    begin
}

/// When the drill healed.
fn healed(played: &Played) -> u64 {
    let given = played.entries.iter().find_map(|entry| match entry {
        Entry::Given { line, at, .. } if line == "heal b" => Some(*at),
        _ => None,
    });
    given.expect("a heal")
}

/// A new zone that begins after the source's first message was not filled from there; nor was one
/// whose consumer lacks a message.
#[test]
fn a_new_zone_that_begins_too_late() {
    let (verdict, text) = otherwise("grow", "backfill", |played| {
        at_the_end(played, "c").stream.as_mut().unwrap().first_seq = 2;
    });
    let said = "begins at sequence 2, zone a at 1";
    assert_eq!((verdict, text.contains(said)), (Verdict::Broken, true), "{text}");
    let (verdict, text) = otherwise("grow", "backfill", |played| {
        let last = at_the_end(played, "a").last_seq().unwrap();
        let (p, n, c, at) = (9, 1, 1, 1);
        played.ledger.apply(&Record::Intend { p, n, c, at });
        let (s, d) = (last + 1, "zone-a".into());
        played.ledger.apply(&Record::Acked { p, n, c, s, d, dup: false, at });
    });
    assert_eq!((verdict, text.contains("did not receive 1 of")), (Verdict::Broken, true), "{text}");
}

/// Deliveries to somebody else excuse what a consumer did not receive, and nothing else.
#[test]
fn what_somebody_elses_deliveries_excuse() {
    let elsewhere = |fault, twice: bool, check: &str| {
        let mut played = play("cut", fault, 0, 0);
        let zone = "b".parse().unwrap();
        let end = played.entries.len() - 1;
        played.entries.insert(end, Entry::Elsewhere { zone, count: 1 });
        if twice {
            let z = "b".parse().unwrap();
            let copy = Record::Received { z, p: 1, n: 1, s: 900, c: 1, r: 1, at: 1 };
            played.ledger.apply(&copy);
        }
        let findings = conclude(&played).findings;
        let mut verdicts = findings.iter().filter(|one| one.check == check).map(|one| one.verdict);
        verdicts.next_back().unwrap()
    };
    assert_eq!(elsewhere(Fault::None, false, "in-zone"), Verdict::Proved);
    assert_eq!(elsewhere(Fault::Skip, false, "no-loss-no-duplicate"), Verdict::Void);
    assert_eq!(elsewhere(Fault::None, true, "no-loss-no-duplicate"), Verdict::Broken);
    assert_eq!(elsewhere(Fault::Skip, true, "no-loss-no-duplicate"), Verdict::Broken);
}

/// What a conclusion found is told of each zone.
#[test]
fn what_is_told_of_each_zone_after_a_drill() {
    let audits = |fault| checks::audits(&conclude(&play("cut", fault, 0, 0)).findings, 7);
    let whole = audits(Fault::None);
    let zones: Vec<String> = whole.keys().map(ToString::to_string).collect();
    assert_eq!(zones, ["a", "b"]);
    assert!(whole.values().all(|audit| *audit == whole[&"a".parse().unwrap()]));
    let lost = audits(Fault::Lose);
    assert_ne!(lost.get(&"b".parse().unwrap()), whole.get(&"b".parse().unwrap()));
    assert!(lost.contains_key(&"b".parse().unwrap()));
}

/// One look that does not know the producer leaves the others to know it.
#[test]
fn a_look_that_does_not_know_the_producer() {
    let (verdict, text) = otherwise("grow", "producer", |played| {
        let mut samples = played.entries.iter_mut().filter_map(|entry| match entry {
            Entry::Sample(sample) => Some(sample),
            _ => None,
        });
        samples.nth(3).unwrap().status.producer.connection = None;
    });
    assert_eq!(verdict, Verdict::Proved, "{text}");
}

/// A script that nudges the mirror may find a nudged clock.
#[test]
fn a_nudge_that_the_script_asks_for() {
    for (nudges, expected) in [(true, Verdict::Proved), (false, Verdict::Void)] {
        let (verdict, text) = otherwise("heal", "recovery", |played| {
            if nudges {
                let asks = r#"
                    [[step]]
                    title = "x"
                    do = "x"
                    expect = "x"
                    watch = "x"
                    actions = [{ run = "nudge b" }]"#;
                begin(played).script.push_str(asks);
            }
            let clocks = looks(played, "b").filter_map(|(_, zone)| zone.recovery.as_mut());
            clocks.for_each(|clock| clock.nudged = true);
        });
        assert_eq!(verdict, expected, "{nudges}: {text}");
    }
}

/// What a mirror missed is what was sent by the heal, less what it held at that moment.
#[test]
fn what_a_mirror_missed() {
    let missed = |held_then: Option<u64>| {
        otherwise("heal", "recovery", |played| {
            let at_heal = healed(played);
            let clocks = looks(played, "b").filter_map(|(_, zone)| zone.recovery.as_mut());
            clocks.for_each(|clock| clock.behind = Some(0));
            let (mut sent, mut latest) = (0, None);
            for entry in &mut played.entries {
                if let Entry::Answered { data: Some(data), at, .. } = entry {
                    sent += data["acked"].as_u64().unwrap();
                    data["last_seq"] = json!(sent);
                    if *at <= at_heal {
                        latest = Some(at);
                    }
                }
            }
            // It ended at the very moment of the heal.
            *latest.unwrap() = at_heal;
            if let Some(held) = held_then {
                let then = looks(played, "b").filter(|(at, _)| *at == at_heal);
                then.for_each(|(_, zone)| zone.stream.as_mut().unwrap().last_seq = held);
            }
        })
    };
    let (verdict, text) = missed(None);
    assert_eq!((verdict, text.contains("100 messages")), (Verdict::Proved, true), "{text}");
    let (verdict, text) = missed(Some(118));
    assert_eq!((verdict, text.contains("missing 2 messages")), (Verdict::Void, true), "{text}");
}

/// A room that slept between the command and the heal does not know how long the recovery took.
#[test]
fn a_room_that_sleeps_as_it_heals() {
    for (slept, expected) in [(1000, Verdict::Proved), (1250, Verdict::Void)] {
        let (verdict, text) = otherwise("heal", "recovery", |played| {
            let at_heal = healed(played);
            let asleep = at_heal + 1..at_heal + slept;
            let seen = |entry: &Entry| matches!(entry, Entry::Sample(s) if asleep.contains(&s.at));
            played.entries.retain(|entry| !seen(entry));
            for clock in looks(played, "b").filter_map(|(_, zone)| zone.recovery.as_mut()) {
                clock.healed_at_ms = at_heal + slept;
            }
        });
        assert_eq!(verdict, expected, "{slept} ms: {text}");
    }
}

/// Each server counts, in the first look and in the last.
#[test]
fn every_server_is_looked_at() {
    let servers = |change: &dyn Fn(usize, &mut Entry)| {
        otherwise("grow", "servers", |played| {
            let is_look = |entry: &&mut Entry| matches!(entry, Entry::Servers { .. });
            let looks = played.entries.iter_mut().filter(is_look).enumerate();
            looks.for_each(|(nth, entry)| change(nth, entry));
        })
    };
    for node in 0..3 {
        let (verdict, text) = servers(&|nth, entry| {
            if let Entry::Servers { nodes, .. } = entry {
                nodes[node].start.push_str(if nth > 0 { "x" } else { "" });
            }
        });
        assert_eq!((verdict, text.contains("started again")), (Verdict::Void, true), "{text}");
    }
    for look in 0..2 {
        let (verdict, text) = servers(&|nth, entry| {
            if let Entry::Servers { nodes, .. } = entry
                && nth == look
            {
                nodes.pop();
            }
        });
        assert_eq!(verdict, Verdict::Void, "{look}: {text}");
    }
}

/// Three seconds without a look that confirms the cut are the most.
#[test]
fn the_longest_time_in_which_a_cut_is_not_confirmed() {
    for (blind, expected) in [(3000, Verdict::Proved), (3250, Verdict::Void)] {
        let (verdict, text) = otherwise("cut", "severed", |played| {
            let (from, to) = span(played, "during");
            assert!(to > from + blind + 500);
            let hidden =
                looks(played, "b").filter(|(at, _)| (from + 251..from + 250 + blind).contains(at));
            hidden.for_each(|(_, zone)| zone.link = None);
        });
        assert_eq!(verdict, expected, "{blind} ms: {text}");
    }
}

/// A record that did not count a phase's messages by themselves has those of its commands.
#[test]
fn a_phase_whose_messages_the_record_did_not_count() {
    for (count, expected) in [(100, Verdict::Proved), (99, Verdict::Void)] {
        let (verdict, text) = otherwise("cut", "latency", |played| {
            for entry in &mut played.entries {
                if let Entry::Latency { phase, buckets, acked, .. } = entry
                    && phase == "during"
                {
                    (*buckets, *acked) = (vec![(2_000, count)], None);
                }
            }
        });
        assert_eq!(verdict, expected, "{count}: {text}");
        assert_eq!(text.contains("99 of 100"), count == 99, "{text}");
    }
}

/// When somebody looked last.
#[test]
fn the_last_look() {
    let mut played = play("cut", Fault::None, 0, 0);
    let last = looks(&mut played, "a").last().unwrap().0;
    assert_eq!(Run::from_entries(played.entries).looked_at(), last);
    assert_eq!(Run::default().looked_at(), 0);
}
