//! The laws on simulated runs: the four scripts are played through a small model of a region with
//! a known truth, and what is concluded must be that truth. (`interleavings.rs` lets go of the
//! scripts' order.)
use crate::support::laws::{FAULTS, Fault, Played, play, run_id};
use proptest::prelude::*;
use zonedrill::{
    drill::{
        checks::{self, ReplicaAudit},
        conclusions::{self, Conclusion},
        record::Entry,
        run::Run,
    },
    ledger::{Ledger, record::Record},
    region::status::Verdict,
};

mod glance;

fn conclude(played: &Played) -> Conclusion {
    concluded(&Run::from_entries(played.entries.clone()), &played.ledger, &played.streams)
}

fn concluded(run: &Run, ledger: &Ledger, streams: &[ReplicaAudit]) -> Conclusion {
    conclusions::conclude(run, checks::judge(run, ledger, streams))
}

const DRILLS: [&str; 4] = ["cut", "heal", "independent", "grow"];

#[track_caller]
fn ends(drill: &str, fault: Fault, verdict: Verdict, reason: &str) {
    let concluded = conclude(&play(drill, fault, 17, 1));
    assert_eq!(concluded.verdict, verdict, "{drill} {fault:?}: {concluded:#?}");
    assert!(concluded.evidence.contains(reason), "{drill} {fault:?}: {}", concluded.evidence);
}

#[test]
fn what_holds_is_proved() {
    crate::support::turns::watched();
    ends("cut", Fault::None, Verdict::Proved, "none of 100 messages sent during it reached zone b");
    ends(
        "cut",
        Fault::None,
        Verdict::Proved,
        "zone a processed 100 of 100 messages sent during the cut, and zone b 50 of the 50 it held",
    );
    ends("heal", Fault::None, Verdict::Proved, "caught up on 100 messages");
    ends(
        "independent",
        Fault::None,
        Verdict::Proved,
        "the ack floors differed by 50, then both reached 200",
    );
    ends("grow", Fault::None, Verdict::Proved, "one producer connection (17)");
}

#[test]
fn what_does_not_hold_is_broken_for_the_right_reason() {
    crate::support::turns::watched();
    for drill in DRILLS {
        ends(
            drill,
            Fault::Lose,
            Verdict::Broken,
            "replica js2-zone-b: 1 acknowledged message is not on the stream",
        );
        ends(drill, Fault::Duplicate, Verdict::Broken, "1 message is twice on the stream");
        ends(drill, Fault::Corrupt, Verdict::Broken, "replica js2-zone-b");
        ends(drill, Fault::Reorder, Verdict::Broken, "replica js2-zone-b");
        ends(drill, Fault::Skip, Verdict::Broken, "never processed by the consumer");
    }
    ends(
        "cut",
        Fault::Stall,
        Verdict::Broken,
        "zone a processed 0 of 100 messages sent during the cut",
    );
    ends("cut", Fault::Stalls(0, "during"), Verdict::Broken, "broke the stated rule");
    ends("cut", Fault::Stalls(1, "during"), Verdict::Broken, "zone b stood still for 4.0 s");
    ends("grow", Fault::Restart, Verdict::Broken, "the producer's connection changed: 17, 18");
    ends("grow", Fault::Reconfigure, Verdict::Broken, "configuration changed");
}

/// What was processed before its acknowledgement reached the producer took no time; it did not take
/// none.
#[test]
fn a_latency_that_is_none_is_not_told_as_zero() {
    crate::support::turns::watched();
    let mut played = play("cut", Fault::None, 17, 1);
    for entry in &mut played.entries {
        if let Entry::Latency { phase, buckets, before_ack, .. } = entry
            && phase == "before"
        {
            (*buckets, *before_ack) = (vec![(0, 90), (2000, 10)], 90);
        }
    }
    let concluded = conclude(&played);
    let found = concluded.findings.iter().find(|found| found.check == "latency").unwrap();
    assert_eq!(found.verdict, Verdict::Proved);
    assert!(
        found
            .text
            .contains("p50 / p99 / longest: ahead of the ack / 2.0 ms / 2.0 ms before, 2.0 ms"),
        "{found:?}"
    );
    assert!(
        found.text.ends_with(
            "; consumed before the publisher saw its ack: 90 of 100 before, 0 of 100 during, 0 of 25 after"
        ),
        "{found:?}"
    );
    assert!(found.numbers.iter().all(|(_, value)| !value.starts_with("0 us")), "{found:?}");
    // And not at all where there is none.
    let concluded = conclude(&play("cut", Fault::None, 17, 1));
    let found = concluded.findings.iter().find(|found| found.check == "latency").unwrap();
    assert!(!found.text.contains("saw its ack"), "{found:?}");
}

/// A ledger whose end is gone accuses nobody, and proves nothing; what the streams show, they show.
#[test]
fn a_damaged_ledger_makes_void_what_only_it_could_tell() {
    crate::support::turns::watched();
    for drill in DRILLS {
        for (fault, verdict, reason) in [
            (Fault::None, Verdict::Void, "the ledger was cut short after line 57"),
            (Fault::Skip, Verdict::Void, "the ledger was cut short after line 57"),
            (Fault::Lose, Verdict::Broken, "1 acknowledged message is not on the stream"),
        ] {
            let mut played = play(drill, fault, 17, 1);
            played.ledger.apply(&Record::CutShort { after: 57, lost: Some(312), at: 1 });
            let concluded = conclude(&played);
            assert_eq!(concluded.verdict, verdict, "{drill} {fault:?}: {concluded:#?}");
            let said = |what: &str| concluded.findings.iter().any(|one| one.text.contains(what));
            assert!(said(reason), "{drill} {fault:?}: {concluded:#?}");
            assert!(!said("never processed"), "{drill} {fault:?}: {concluded:#?}");
        }
    }
}

#[test]
fn what_tests_nothing_is_void_for_the_right_reason() {
    crate::support::turns::watched();
    for drill in DRILLS {
        ends(drill, Fault::Nothing, Verdict::Void, "nothing was produced");
        ends(drill, Fault::Unread, Verdict::Void, "js2-zone-b was not read: it is frozen");
        ends(drill, Fault::Interrupt, Verdict::Void, "interrupted: ctrl-c");
        ends(drill, Fault::Hand, Verdict::Void, "");
        ends(
            drill,
            Fault::Foreign,
            Verdict::Void,
            "somebody else's hand: p2 and not this drill sent",
        );
    }
    ends("grow", Fault::Reload, Verdict::Void, "was told to reload its configuration");
    ends("heal", Fault::Published, Verdict::Void, "somebody else published 3 messages");
    let fetched = "somebody else fetched 60 messages of consumer-a in zone a";
    ends("cut", Fault::TakenAway(0), Verdict::Void, fetched);
    for drill in ["cut", "heal"] {
        ends(drill, Fault::Leak, Verdict::Void, "the cut leaked: ");
        ends(drill, Fault::Bypass, Verdict::Void, "the cut was not effective");
        ends(drill, Fault::Blind, Verdict::Void, "nobody looked");
    }
    ends("independent", Fault::Blind, Verdict::Void, "nobody looked");
    ends("independent", Fault::NoPause, Verdict::Void, "the pause did not pause");
    ends("independent", Fault::SameSpeed, Verdict::Void, "the speeds were not different");
    ends("cut", Fault::NoPause, Verdict::Void, "no backlog");
    ends("heal", Fault::Nudge, Verdict::Void, "was nudged");
}

#[test]
fn whose_doing_it_was_nobody_knows_in_a_disturbed_run() {
    crate::support::turns::watched();
    for fault in [Fault::Restart, Fault::Reconfigure, Fault::Reload] {
        let mut played = play("grow", fault, 0, 0);
        let end = played.entries.len() - 1;
        let (why, at) = ("eve gave `node kill js1-zone-a` while the drill ran".into(), 1);
        played.entries.insert(end, Entry::Interrupted { why, at });
        let concluded = conclude(&played);
        assert_eq!(concluded.verdict, Verdict::Void, "{concluded:#?}");
        assert!(concluded.evidence.contains("eve gave"), "{}", concluded.evidence);
    }
}

#[test]
fn what_comes_after_an_early_end_is_no_leak() {
    crate::support::turns::watched();
    for interrupted in [true, false] {
        let mut played = play("heal", Fault::None, 0, 0);
        let healed =
            |entry: &Entry| matches!(entry, Entry::Phase { name, .. } if name == "healing");
        let place = played.entries.iter().position(healed).unwrap();
        let Entry::Phase { at, .. } = played.entries[place] else { panic!() };
        played
            .entries
            .retain(|entry| !matches!(entry, Entry::Phase { name, .. } if name == "after"));
        if interrupted {
            played.entries[place] = Entry::Interrupted { why: "ctrl-c".into(), at };
        } else {
            played.entries.remove(place);
            for entry in &mut played.entries {
                if let Entry::StepDone { index: 2, ok, why, .. } = entry {
                    (*ok, *why) = (false, Some("in vain".into()));
                }
            }
        }
        let concluded = conclude(&played);
        assert_eq!(concluded.verdict, Verdict::Void);
        let leaked = concluded.findings.iter().any(|finding| finding.text.contains("leaked"));
        assert!(!leaked, "{concluded:#?}");
    }
}

#[test]
fn damage_of_an_earlier_drill_is_named() {
    crate::support::turns::watched();
    let mut played = play("cut", Fault::Lose, 17, 1);
    let Entry::Begin(begin) = &mut played.entries[0] else { panic!() };
    begin.damaged = Some("lose in 1-cut".into());
    let concluded = conclude(&played);
    assert_eq!(concluded.verdict, Verdict::Broken);
    assert!(concluded.evidence.contains("on purpose (lose in 1-cut)"), "{}", concluded.evidence);
}

#[test]
fn what_a_heal_had_to_make_up_for_is_what_was_sent() {
    crate::support::turns::watched();
    let mut played = play("heal", Fault::None, 0, 0);
    for entry in &mut played.entries {
        match entry {
            // The last poll before the heal was a moment old.
            Entry::Sample(sample) => {
                if let Some(clock) = &mut sample.status.zones[1].recovery {
                    clock.behind = Some(97);
                }
            }
            Entry::Answered { data: Some(data), .. } if data["producer"] == 2 => {
                data["last_seq"] = 120.into();
            }
            _ => {}
        }
    }
    let evidence = conclude(&played).evidence;
    assert!(evidence.contains("caught up on 100 messages"), "{evidence}");
}

#[test]
fn without_any_one_piece_of_evidence_nothing_is_proved() {
    crate::support::turns::watched();
    for drill in DRILLS {
        let whole = play(drill, Fault::None, 0, 0);
        for missing in 0..whole.entries.len() {
            // One look of many is no evidence of its own.
            let spare = match &whole.entries[missing] {
                Entry::Sample(_) => true,
                Entry::Servers { .. } => drill != "grow",
                Entry::Pace { zone, phase, .. } => {
                    drill != "cut" || zone.as_str() != "b" || phase != "during"
                }
                Entry::Latency { zone, phase, .. } => match drill {
                    "cut" => {
                        zone.as_str() != "a"
                            || !["before", "during", "after"].contains(&phase.as_str())
                    }
                    "independent" => {
                        zone.as_str() != "b" || !["before", "apart"].contains(&phase.as_str())
                    }
                    _ => true,
                },
                _ => false,
            };
            if spare {
                continue;
            }
            let mut entries = whole.entries.clone();
            let gone = entries.remove(missing);
            let run = Run::from_entries(entries);
            let concluded = concluded(&run, &whole.ledger, &whole.streams);
            assert_ne!(concluded.verdict, Verdict::Proved, "{drill} without {gone:?}");
        }
        for missing in 0..whole.streams.len() {
            let mut streams = whole.streams.clone();
            let gone = streams.remove(missing).replica;
            let run = Run::from_entries(whole.entries.clone());
            let concluded = concluded(&run, &whole.ledger, &streams);
            assert_eq!(concluded.verdict, Verdict::Void, "{drill} without {gone}");
        }
        let run = Run::from_entries(whole.entries.clone());
        let empty = concluded(&run, &Ledger::new(run_id(), "east"), &whole.streams);
        assert_ne!(empty.verdict, Verdict::Proved, "{drill}");
        let mut blind = whole.entries.clone();
        blind.retain(|entry| !matches!(entry, Entry::Sample(_)));
        let blind = concluded(&Run::from_entries(blind), &whole.ledger, &whole.streams);
        assert_eq!(blind.verdict, Verdict::Void, "{drill}");
    }
    let nothing = concluded(&Run::default(), &Ledger::new(run_id(), "east"), &[]);
    assert_eq!(nothing.verdict, Verdict::Void);
}

/// `docs/verdicts.md`: for each fault and each conclusion the verdict that somebody who doubts the
/// claim would give.
#[test]
fn the_verdicts_are_those_of_the_table() {
    crate::support::turns::watched();
    let document = include_str!("../../docs/verdicts.md");
    let rows = document.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split('|').map(str::trim);
        let (_, fault) = {
            let name = cells.next()?;
            FAULTS.iter().find(|(known, _)| *known == name)?
        };
        Some((*fault, cells.take(4).collect::<Vec<_>>()))
    });
    let rows: Vec<_> = rows.collect();
    let mut wrong = Vec::new();
    for (name, fault) in FAULTS {
        let row = rows.iter().find(|(known, _)| *known == fault);
        for (place, drill) in DRILLS.iter().enumerate() {
            let concluded = conclude(&play(drill, fault, 17, 1));
            let said = row.map_or("not in the table", |(_, cells)| cells[place]);
            if said != concluded.verdict.as_str() {
                let (is, why) = (concluded.verdict.as_str(), &concluded.evidence);
                wrong.push(format!("{name}, {drill}: the table says {said}; {is}: {why}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cells:\n{}", wrong.len(), wrong.join("\n"));
}

/// Prints the rows as they come out, to be read before they are put into the table.
#[test]
#[ignore = "prints"]
fn the_verdicts_as_they_are() {
    crate::support::turns::watched();
    for (name, fault) in FAULTS {
        let verdicts = DRILLS.map(|drill| conclude(&play(drill, fault, 17, 1)).verdict.as_str());
        println!("| {name} | {} |", verdicts.join(" | "));
    }
}

fn faults() -> impl Strategy<Value = Fault> {
    prop::sample::select(vec![
        Fault::None,
        Fault::Lose,
        Fault::Duplicate,
        Fault::Corrupt,
        Fault::Reorder,
        Fault::Unread,
        Fault::Interrupt,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_fault_anywhere_is_found_and_only_it(
        drill in prop::sample::select(DRILLS.to_vec()),
        fault in faults(),
        at in 0u64..10_000,
        replica in 0usize..3,
    ) {
    crate::support::turns::watched();
        let concluded = conclude(&play(drill, fault, at, replica));
        let expected = match fault {
            Fault::None => Verdict::Proved,
            Fault::Unread | Fault::Interrupt => Verdict::Void,
            _ => Verdict::Broken,
        };
        prop_assert_eq!(concluded.verdict, expected, "{}", concluded.evidence);
        for finding in concluded.findings.iter().filter(|f| f.verdict == Verdict::Broken) {
            let node = format!("replica js{}-zone-b", replica + 1);
            prop_assert!(finding.text.contains(&node), "{}", finding.text);
        }
    }

    #[test]
    fn samples_that_are_dropped_never_turn_a_verdict_green(
        drill in prop::sample::select(DRILLS.to_vec()),
        fault in prop::sample::select(vec![Fault::Bypass, Fault::NoPause, Fault::Nothing, Fault::Unread]),
        keep in prop::collection::vec(any::<bool>(), 300),
    ) {
    crate::support::turns::watched();
        let mut played = play(drill, fault, 3, 0);
        let proved_anyway = conclude(&played).verdict == Verdict::Proved;
        let mut turn = keep.iter().cycle();
        played.entries.retain(|entry| !matches!(entry, Entry::Sample(_)) || *turn.next().unwrap());
        let concluded = conclude(&played);
        if !proved_anyway {
            // Half of the looks at a bypassed cut, or at a pause that paused nobody, still show it.
            prop_assert_ne!(concluded.verdict, Verdict::Proved, "{}", concluded.evidence);
        }
    }
}
