//! Edges of checks that no fault of the model reaches: runs that went well, with one fact of their
//! record changed.

use zonedrill::{
    drill::{
        checks,
        conclusions::{self, Conclusion},
        record::{CommandOutcome, Entry},
        run::Run,
    },
    ledger::{Ledger, record::Record},
    region::status::{Verdict, Zone},
};

mod apart;
mod by_hand;
mod cut;
mod facts;
mod glance;
mod hands;
mod record;
mod replicas;

use crate::support::laws::{Fault, Played, play, run_id};

fn conclude(played: &Played) -> Conclusion {
    let run = Run::from_entries(played.entries.clone());
    let findings = checks::judge(&run, &played.ledger, &played.streams);
    conclusions::conclude(&run, findings)
}

/// What a check found.
fn found(played: &Played, check: &str) -> (Verdict, String) {
    let findings = conclude(played).findings;
    let finding = findings.into_iter().find(|finding| finding.check == check).expect(check);
    (finding.verdict, finding.text)
}

/// What a check finds of a drill that went well but for this.
fn otherwise(drill: &str, check: &str, change: impl FnOnce(&mut Played)) -> (Verdict, String) {
    let mut played = play(drill, Fault::None, 0, 0);
    change(&mut played);
    found(&played, check)
}

/// When a phase begins and ends.
fn span(played: &Played, phase: &str) -> (u64, u64) {
    let mut begins = played.entries.iter().filter_map(|entry| match entry {
        Entry::Phase { name, at } => Some((name.as_str(), *at)),
        Entry::End { at } => Some(("", *at)),
        _ => None,
    });
    let (_, from) = begins.find(|(name, _)| *name == phase).expect(phase);
    (from, begins.next().expect("its end").1)
}

/// The zone in each sample, with the sample's moment.
fn looks<'a>(played: &'a mut Played, zone: &str) -> impl Iterator<Item = (u64, &'a mut Zone)> {
    played.entries.iter_mut().filter_map(move |entry| {
        let Entry::Sample(sample) = entry else { return None };
        let (at, zones) = (sample.at, &mut sample.status.zones);
        Some((at, zones.iter_mut().find(|seen| seen.name.as_str() == zone)?))
    })
}

/// The zone in each sample of a phase, in order.
fn samples_in<'a>(
    entries: &'a mut [Entry],
    phase: &str,
    zone: &str,
) -> impl Iterator<Item = &'a mut Zone> {
    let mut inside = false;
    let of_phase = entries.iter_mut().filter_map(move |entry| {
        if let Entry::Phase { name, .. } = entry {
            inside = name == phase;
        }
        match entry {
            Entry::Sample(sample) if inside => Some(sample),
            _ => None,
        }
    });
    of_phase.filter_map(move |sample| {
        sample.status.zones.iter_mut().find(|sampled| sampled.name.as_str() == zone)
    })
}

/// The zone's consumer has done no more than at the first of these moments.
fn stands_still(zone: &mut Zone, since: &mut Option<(u64, Option<u64>)>) {
    let consumer = zone.consumer.as_mut().unwrap();
    let (received, floor) = *since.get_or_insert((zone.ledger.received, consumer.ack_floor));
    (zone.ledger.received, consumer.ack_floor) = (received, floor);
}

/// What a bystander lacks is not this drill's business; what is damaged there is.
#[test]
fn damage_in_a_zone_that_the_drill_is_not_about_is_damage() {
    let mut played = play("cut", Fault::None, 0, 0);
    let at_sequence =
        |s| Record::Received { z: "d".parse().unwrap(), p: 1, n: 1, s, c: 1, r: 1, at: 0 };
    played.ledger.apply(&at_sequence(1));
    assert_eq!(conclude(&played).verdict, Verdict::Proved);
    played.ledger.apply(&at_sequence(2));
    assert_eq!(conclude(&played).verdict, Verdict::Broken);
}

/// Somebody who ends a cut early, or whose command fails in it, has not shown that a zone stood
/// still.
#[test]
fn a_cut_that_ended_early_had_no_time_to_be_consumed_in() {
    let incomplete = || {
        let mut played = play("cut", Fault::None, 0, 0);
        let measured = played.entries.iter_mut().find_map(|entry| match entry {
            Entry::Latency { zone, phase, buckets, .. }
                if zone.as_str() == "a" && phase == "during" =>
            {
                Some(buckets)
            }
            _ => None,
        });
        measured.and_then(Vec::pop).expect("something was measured");
        played
    };
    let phase = |played: &Played, wanted: &str| {
        let begins = |entry: &Entry| matches!(entry, Entry::Phase { name, .. } if name == wanted);
        played.entries.iter().position(begins).expect("the phase")
    };
    assert_eq!(found(&incomplete(), "in-zone").0, Verdict::Broken);
    let mut interrupted = incomplete();
    let last = interrupted.entries.len() - 1;
    let at = interrupted.entries[last].at().unwrap_or_default();
    interrupted.entries.insert(last, Entry::Interrupted { why: "ctrl-c".into(), at });
    assert_eq!(found(&interrupted, "in-zone").0, Verdict::Void);
    let mut failed = incomplete();
    let during = phase(&failed, "during");
    let answer = failed.entries[during..].iter_mut().find_map(|entry| match entry {
        Entry::Answered { outcome, .. } => Some(outcome),
        _ => None,
    });
    *answer.expect("a command of the cut") = CommandOutcome::Broken;
    assert_eq!(found(&failed, "in-zone").0, Verdict::Void);
}

/// One look that learned nothing of the link does not end a cut that the looks around it confirm.
#[test]
fn a_link_that_one_look_knows_nothing_of_is_not_back() {
    let mut played = play("cut", Fault::None, 0, 0);
    let look = samples_in(&mut played.entries, "during", "b").nth(3).expect("a sample");
    look.link = None;
    assert_eq!(conclude(&played).verdict, Verdict::Proved);
}

/// A zone that nobody paused and that has work is held up when it stands still beside a paused one.
#[test]
fn a_zone_that_stands_still_beside_a_paused_one_is_held_up() {
    let mut played = play("independent", Fault::None, 0, 0);
    let mut stood = None;
    for zone in samples_in(&mut played.entries, "apart", "b") {
        stands_still(zone, &mut stood);
    }
    let (verdict, text) = found(&played, "progress-independent");
    assert_eq!(verdict, Verdict::Broken, "{text}");
}

/// Five messages of work are work; fewer could have been under way.
#[test]
fn the_least_work_that_a_zone_can_be_held_up_with() {
    for (left, expected) in [(5, Verdict::Broken), (4, Verdict::Void)] {
        let mut played = play("independent", Fault::None, 0, 0);
        let mut stood = None;
        for zone in samples_in(&mut played.entries, "apart", "b") {
            stands_still(zone, &mut stood);
            let floor = zone.ack_floor().unwrap();
            zone.stream.as_mut().unwrap().last_seq = floor + left;
        }
        let (verdict, text) = found(&played, "progress-independent");
        assert_eq!(verdict, expected, "{left} left: {text}");
    }
}

/// That the paused zone caught up with its stream is not that both zones met.
#[test]
fn floors_that_stay_one_apart_never_met() {
    let mut played = play("independent", Fault::None, 0, 0);
    for phase in ["meeting", "speeds", "after"] {
        for zone in samples_in(&mut played.entries, phase, "b") {
            let consumer = zone.consumer.as_mut().unwrap();
            consumer.ack_floor = consumer.ack_floor.map(|floor| floor - 1);
        }
    }
    let (verdict, text) = found(&played, "progress-independent");
    assert_eq!((verdict, text.contains("not seen to meet")), (Verdict::Void, true), "{text}");
}

/// A delivery beyond what the mirror held is a leak, whatever its stream says.
#[test]
fn a_delivery_in_the_cut_is_a_leak() {
    let mut played = play("cut", Fault::None, 0, 0);
    let looks = samples_in(&mut played.entries, "during", "b");
    looks.for_each(|zone| {
        let beyond = zone.last_seq().map(|last| last + 1);
        let consumer = zone.consumer.as_mut().unwrap();
        (consumer.delivered, consumer.own_delivered) = (beyond, beyond);
    });
    let (verdict, text) = found(&played, "in-zone");
    assert_eq!((verdict, text.contains("leaked")), (Verdict::Void, true), "{text}");
}

/// What somebody else gets acknowledged is not of a script's drill.
#[test]
fn the_counters_are_those_of_the_drill() {
    let mut played = play("cut", Fault::None, 0, 0);
    let last = played.entries.iter_mut().rev().find_map(|entry| match entry {
        Entry::Sample(sample) => Some(sample),
        _ => None,
    });
    last.expect("a sample").status.producer.acked += 9;
    let (_, _, counters) = checks::live(&Run::from_entries(played.entries));
    let value = |label: &str| counters.iter().find(|one| one.label == label).unwrap().value.clone();
    assert_eq!(value("acked in this drill"), "225");
    assert_eq!(value("a received during the cut"), "100/100");
}

/// A producer that gets nothing acknowledged for two seconds while a zone joins was touched.
#[test]
fn a_producer_that_stands_still_while_a_zone_joins_is_told() {
    let mut played = play("grow", Fault::None, 0, 0);
    let given = played.entries.iter().find_map(|entry| match entry {
        Entry::Given { line, at, .. } if line.starts_with("zone add") => Some(*at),
        _ => None,
    });
    let given = given.expect("a zone is added");
    let mut stood = None;
    for entry in &mut played.entries {
        if let Entry::Sample(sample) = entry
            && (given..given + 2_000).contains(&sample.at)
        {
            sample.status.producer.acked = *stood.get_or_insert(sample.status.producer.acked);
        }
    }
    let concluded = conclude(&played);
    assert_eq!(concluded.verdict, Verdict::Broken, "{}", concluded.evidence);
    assert!(concluded.evidence.contains("got no acknowledgement"), "{}", concluded.evidence);
}

/// The last look at a zone.
fn at_the_end<'a>(played: &'a mut Played, zone: &str) -> &'a mut Zone {
    let last = played.entries.iter_mut().rev().find_map(|entry| match entry {
        Entry::Sample(sample) => Some(sample),
        _ => None,
    });
    let zones = &mut last.expect("a sample").status.zones;
    zones.iter_mut().find(|seen| seen.name.as_str() == zone).expect(zone)
}

/// The messages of a run, as far as a test wants them.
fn ledger_of(played: &Played, wanted: impl Fn(&Record) -> bool) -> Ledger {
    let mut ledger = Ledger::new(run_id(), "east");
    played.records.iter().filter(|record| wanted(record)).for_each(|record| ledger.apply(record));
    ledger
}

/// Four messages could have been on their way when the zone joined; five were there before.
#[test]
fn the_least_that_a_new_zone_can_be_filled_with() {
    for (held, expected) in [(5, Verdict::Proved), (4, Verdict::Void)] {
        let mut played = play("grow", Fault::None, 0, 0);
        let joins = |entry: &Entry| matches!(entry, Entry::Given { line, .. } if line.starts_with("zone add"));
        let joins = played.entries.iter().position(joins).expect("a zone is added");
        let at = played.entries[joins].at();
        // The look of the very moment counts, wherever it stands.
        for entry in &mut played.entries {
            if let Entry::Sample(sample) = entry
                && Some(sample.at) <= at
            {
                sample.status.zones[0].stream.as_mut().unwrap().last_seq = held;
            }
        }
        let (verdict, text) = found(&played, "backfill");
        assert_eq!(verdict, expected, "{held} held: {text}");
    }
    for (count, expected) in [(5, Verdict::Proved), (4, Verdict::Void)] {
        let mut played = play("grow", Fault::None, 0, 0);
        played.ledger = ledger_of(&played, |record| match record {
            Record::Acked { p, n, .. } | Record::Received { p, n, .. } => *p == 1 && *n <= count,
            _ => true,
        });
        let (verdict, text) = found(&played, "backfill");
        assert_eq!(verdict, expected, "{count} received: {text}");
    }
}

/// A new zone that lacks the stream's end, or whose consumer is still at it, is not done; one whose
/// consumer passed over a message is not filled.
#[test]
fn a_new_zone_that_is_not_done_has_shown_nothing() {
    let mut behind = play("grow", Fault::None, 0, 0);
    let zone = at_the_end(&mut behind, "c");
    zone.stream.as_mut().unwrap().last_seq -= 1;
    let consumer = zone.consumer.as_mut().unwrap();
    consumer.ack_floor = consumer.ack_floor.map(|floor| floor - 1);
    assert_eq!(found(&behind, "backfill").0, Verdict::Void);
    let mut working = play("grow", Fault::None, 0, 0);
    let consumer = at_the_end(&mut working, "c").consumer.as_mut().unwrap();
    consumer.ack_floor = consumer.ack_floor.map(|floor| floor - 1);
    assert_eq!(found(&working, "backfill").0, Verdict::Void);
    let mut skipped = play("grow", Fault::None, 0, 0);
    skipped.ledger = ledger_of(
        &skipped,
        |record| !matches!(record, Record::Received { z, s: 7, .. } if z.as_str() == "c"),
    );
    assert_eq!(found(&skipped, "backfill").0, Verdict::Broken);
}

/// A new zone is told as filled once its consumer has all that the source holds, of something.
#[test]
fn a_glance_tells_when_a_new_zone_is_filled() {
    let glance = |change: &dyn Fn(&mut Played)| {
        let mut played = play("grow", Fault::None, 0, 0);
        change(&mut played);
        let (_, _, counters) = checks::live(&Run::from_entries(played.entries));
        let counter = counters.into_iter().find(|one| one.label == "c received").unwrap();
        (counter.value, counter.good)
    };
    let (value, good) = glance(&|_| ());
    let (got, of) = value.split_once('/').unwrap();
    assert_eq!((got, good), (of, Some(true)));
    let (_, good) = glance(&|played| at_the_end(played, "c").ledger.received -= 1);
    assert_eq!(good, None);
    let (value, good) = glance(&|played| {
        at_the_end(played, "c").ledger.received = 0;
        at_the_end(played, "a").stream.as_mut().unwrap().last_seq = 0;
    });
    assert_eq!((value.as_str(), good), ("0/0", None));
}
