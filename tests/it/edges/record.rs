//! Edges of the record: phases, looks and clocks, the script's end, and the servers' facts.

use zonedrill::{
    command::Sabotage,
    drill::{
        conclusions,
        record::{Begin, Entry},
        run::Run,
    },
    region::{MirrorKind, status::Verdict},
};

use super::{at_the_end, conclude, found, ledger_of, looks, otherwise, span};
use crate::support::laws::{Fault, Played, play};

fn begin(played: &mut Played) -> &mut Begin {
    let Some(Entry::Begin(begin)) = played.entries.first_mut() else { panic!() };
    begin
}

/// Nobody looked between two moments.
fn blind(played: &mut Played, from: u64, to: u64) {
    played.entries.retain(
        |entry| !matches!(entry, Entry::Sample(sample) if from < sample.at && sample.at < to),
    );
}

/// A second without a look is not yet too long for what is timed.
#[test]
fn the_longest_time_without_a_look() {
    for (late, expected) in [(0, Verdict::Proved), (1, Verdict::Void)] {
        let (verdict, text) = otherwise("cut", "latency", |played| {
            let (from, _) = span(played, "before");
            blind(played, from + 500, from + 1500);
            for entry in &mut played.entries {
                if let Entry::Sample(sample) = entry
                    && sample.at == from + 1500
                {
                    sample.at += late;
                }
            }
        });
        assert_eq!(verdict, expected, "{late} ms more: {text}");
        assert!(verdict == Verdict::Proved || text.contains("nobody looked for"), "{text}");
    }
}

/// Three looks are the least that says anything of a phase.
#[test]
fn the_fewest_looks() {
    for (looks, expected) in [(3, Verdict::Proved), (2, Verdict::Void)] {
        let (verdict, text) = otherwise("cut", "severed", |played| {
            let (from, to) = span(played, "during");
            let wanted = [from, from + (to - from) / 500 * 250, to];
            let mut kept = Vec::new();
            played.entries.retain(|entry| match entry {
                Entry::Sample(sample) if (from..=to).contains(&sample.at) => {
                    let keep = wanted[..looks].contains(&sample.at) && !kept.contains(&sample.at);
                    kept.push(sample.at);
                    keep
                }
                _ => true,
            });
        });
        assert_eq!(verdict, expected, "{looks} looks: {text}");
        assert!(verdict == Verdict::Proved || text.contains("more than 2 times"), "{text}");
    }
}

/// Clocks that part by half a second still agree; what they do before or after a span is not of it.
#[test]
fn clocks_that_part() {
    let apart = |by: u64, since: &dyn Fn(u64, u64) -> u64| {
        otherwise("cut", "latency", |played| {
            // The other phases that are judged are `before`, which has ended, and `after`.
            let (from, to) = span(played, "during");
            let since = since(from, to);
            for entry in &mut played.entries {
                if let Entry::Sample(sample) = entry
                    && sample.at >= since
                {
                    sample.mono_ms = sample.mono_ms.map(|mono| mono + by);
                }
            }
        })
    };
    for (by, expected) in [(500, Verdict::Proved), (501, Verdict::Void)] {
        let (verdict, text) = apart(by, &|from, _| from + 500);
        assert_eq!(verdict, expected, "{by} ms: {text}");
    }
    assert_eq!(apart(9_000, &|from, _| from).0, Verdict::Proved);
    assert_eq!(apart(9_000, &|from, _| from + 1).0, Verdict::Void);
    assert_eq!(apart(9_000, &|_, to| to).0, Verdict::Void);
    assert_eq!(apart(9_000, &|_, to| to + 1).0, Verdict::Proved);
}

/// A phase that lasts when the record ends has shown nothing; one that never came says why.
#[test]
fn a_phase_that_did_not_end_or_did_not_come() {
    let (verdict, text) = otherwise("cut", "severed", |played| {
        let (_, to) = span(played, "during");
        let place = played.entries.iter().position(|entry| entry.at() >= Some(to)).unwrap();
        played.entries.truncate(place);
    });
    assert_eq!((verdict, text.contains("`during` never ended")), (Verdict::Void, true), "{text}");
    let (verdict, text) = otherwise("cut", "severed", |played| {
        let done = played.entries.iter_mut().enumerate().find_map(|(place, entry)| match entry {
            Entry::StepDone { index: 1, ok, why, .. } => {
                (*ok, *why) = (false, Some("in vain".into()));
                Some(place)
            }
            _ => None,
        });
        played.entries.truncate(done.unwrap() + 1);
    });
    assert_eq!(verdict, Verdict::Void);
    assert!(text.ends_with("no phase `during`: step 2 failed (in vain)"), "{text}");
}

/// Both zones must have consumed before and after; fewer than five messages are nothing.
#[test]
fn the_least_progress() {
    for phase in ["before", "after"] {
        for (count, expected) in [(5, Verdict::Proved), (4, Verdict::Void)] {
            let (verdict, text) = otherwise("cut", "progress", |played| {
                let (from, to) = span(played, phase);
                for (at, zone) in looks(played, "b") {
                    let grown = |ms: u64| ms / 50;
                    zone.ledger.received = match at {
                        _ if at <= from => grown(at),
                        _ if at <= to => grown(from) + count,
                        _ => grown(from) + count + grown(at - to),
                    };
                }
            });
            assert_eq!(verdict, expected, "{count} {phase}: {text}");
        }
    }
}

/// A zone is known to be done when it has all the source has, its consumer is at the end of that, and
/// nobody produces any more.
#[test]
fn what_is_still_to_come_is_not_called_received() {
    let not_done: [fn(&mut Played); 4] = [
        |played| {
            let consumer = at_the_end(played, "b").consumer.as_mut().unwrap();
            consumer.ack_floor = consumer.ack_floor.map(|floor| floor - 1);
        },
        |played| at_the_end(played, "b").stream.as_mut().unwrap().last_seq -= 1,
        |played| {
            let last = played.entries.iter_mut().rev().find_map(|entry| match entry {
                Entry::Sample(sample) => Some(sample),
                _ => None,
            });
            last.unwrap().status.producer.active = true;
        },
        |played| {
            let end = played.entries.len() - 1;
            let (why, at) = ("ctrl-c".into(), played.entries[end].at().unwrap());
            played.entries.insert(end, Entry::Interrupted { why, at });
        },
    ];
    for change in not_done {
        let mut played = play("cut", Fault::None, 0, 0);
        change(&mut played);
        let found = conclude(&played).findings;
        let of_b = found.iter().filter(|one| one.check == "no-loss-no-duplicate").nth(1).unwrap();
        assert_eq!(of_b.verdict, Verdict::Void, "{}", of_b.text);
        assert!(of_b.text.contains("was not seen to have done everything"), "{}", of_b.text);
    }
}

/// A zone that the script does not add is none of the drill's.
#[test]
fn a_zone_that_is_not_added_is_not_judged() {
    let mut played = play("cut", Fault::None, 0, 0);
    begin(&mut played).new_zone = Some("c".parse().unwrap());
    let found = conclude(&played).findings;
    assert_eq!(found.iter().filter(|one| one.check == "no-loss-no-duplicate").count(), 2);
}

/// What was read of a replica must be what the record says of that very replica.
#[test]
fn what_was_read_is_what_was_recorded() {
    for change in [(1, 0, 0), (0, 1, 0), (0, 0, 1)] {
        let (verdict, text) = otherwise("cut", "replicas-identical", |played| {
            let said = played.entries.iter_mut().find_map(|entry| match entry {
                Entry::Stream { zone, messages, ends, .. } if zone.as_str() == "a" => {
                    Some((messages, ends))
                }
                _ => None,
            });
            let (messages, ends) = said.unwrap();
            *messages += change.0;
            *ends = ends.map(|(first, last)| (first + change.1, last + change.2));
        });
        assert_eq!(verdict, Verdict::Void, "{text}");
        assert!(text.contains("is not what the record says"), "{text}");
    }
}

/// Without a replica of the source there is nothing to compare the others with.
#[test]
fn without_a_replica_of_the_source_none_is_identical() {
    let mut played = play("cut", Fault::None, 0, 0);
    played.streams.retain(|read| read.audit.zone().as_str() != "a");
    let found = conclude(&played).findings;
    let identical = found.iter().filter(|one| one.check == "replicas-identical");
    assert!(identical.clone().all(|one| one.verdict == Verdict::Void));
    assert!(identical.clone().any(|one| one.text.contains("nothing to compare")));
}

/// Servers are known by two looks, with all three facts of each server in both.
#[test]
fn servers_are_untouched_when_two_full_looks_agree() {
    let servers = |change: &dyn Fn(usize, &mut String, &mut String, &mut String)| {
        otherwise("grow", "servers", |played| {
            let mut nth = 0;
            for entry in &mut played.entries {
                if let Entry::Servers { nodes, .. } = entry {
                    let one = &mut nodes[0];
                    let (id, start) = (&mut one.server_id, &mut one.start);
                    change(nth, id, start, &mut one.config_load_time);
                    nth += 1;
                }
            }
        })
    };
    let (verdict, text) = servers(&|_, _, _, _| ());
    assert_eq!((verdict, text.contains("one durable consumer")), (Verdict::Proved, true), "{text}");
    for which in 0..3 {
        let empty = |_: usize, id: &mut String, start: &mut String, load: &mut String| {
            [id, start, load].into_iter().nth(which).unwrap().clear();
        };
        assert_eq!(servers(&empty).0, Verdict::Void, "{which}");
    }
    for (which, said) in [(0, "started again"), (1, "started again"), (2, "told to reload")] {
        let (verdict, text) = servers(&|nth, id, start, load| {
            if nth > 0 {
                [id, start, load].into_iter().nth(which).unwrap().push('x');
            }
        });
        assert_eq!((verdict, text.contains(said)), (Verdict::Void, true), "{which}: {text}");
    }
    let (verdict, _) = otherwise("grow", "servers", |played| {
        let first = played.entries.iter().position(|e| matches!(e, Entry::Servers { .. }));
        played.entries.remove(first.unwrap());
    });
    assert_eq!(verdict, Verdict::Void);
    let (_, text) = otherwise("grow", "servers", |played| {
        begin(played).mirror_kind = MirrorKind::Classic;
    });
    assert!(!text.contains("durable"), "{text}");
}

/// A script that is not this version's own proves nothing; nor does a ledger that knows other
/// numbers than the producers told.
#[test]
fn a_trial_by_other_means_is_none() {
    let (verdict, text) = otherwise("cut", "trial", |played| {
        let begin = begin(played);
        begin.script = begin.script.replacen("within = \"30s\"", "within = \"31s\"", 1);
    });
    assert_eq!((verdict, text.contains("not the one")), (Verdict::Void, true), "{text}");
    // Other words for the same are no other means.
    let mut told = play("cut", Fault::None, 0, 0);
    let script = &mut begin(&mut told).script;
    *script = script.replacen("Both consumers receive", "Each receives", 1) + "# mine";
    assert_eq!(conclude(&told).verdict, Verdict::Proved);
    let (verdict, text) = otherwise("cut", "trial", |played| {
        use zonedrill::ledger::record::Record;
        played.ledger = ledger_of(played, |record| {
            !matches!(record, Record::Acked { s: 7, .. } | Record::Received { s: 7, .. })
        });
    });
    assert_eq!((verdict, text.contains("the ledger knows 49")), (Verdict::Void, true), "{text}");
}

/// What a script expects at its end is found met, broken, or not known.
#[test]
fn a_scripts_own_expectations() {
    for (that, interrupted, expected) in [
        ("zones.b.ledger.lost == 0", false, Verdict::Proved),
        ("zones.b.ledger.lost == 1", false, Verdict::Broken),
        ("zones.b.ledger.lost == 1", true, Verdict::Void),
        ("zones.b.ledger.lost == 0 and zones.a.ledger.lost == 1", false, Verdict::Broken),
        ("zones.z.ledger.lost == 0", false, Verdict::Void),
    ] {
        let (verdict, text) = otherwise("cut", "expectations", |played| {
            let begin = begin(played);
            begin.script = format!("{}\n[[expect]]\nthat = \"{that}\"\n", begin.script);
            if interrupted {
                let end = played.entries.len() - 1;
                let (why, at) = ("ctrl-c".into(), played.entries[end].at().unwrap());
                played.entries.insert(end, Entry::Interrupted { why, at });
            }
        });
        assert_eq!(verdict, expected, "{that}: {text}");
    }
}

/// Whatever its checks say: a run that was sabotaged, interrupted, or has no end is not proved, and
/// nothing found is nothing proved.
#[test]
fn what_all_checks_proved_may_still_be_objected_to() {
    let whole = play("cut", Fault::None, 0, 0);
    let proved = conclude(&whole).findings;
    let again = |change: &dyn Fn(&mut Played)| {
        let mut played = play("cut", Fault::None, 0, 0);
        change(&mut played);
        conclusions::conclude(&Run::from_entries(played.entries), proved.clone()).verdict
    };
    assert_eq!(again(&|_| ()), Verdict::Proved);
    assert_eq!(again(&|played| begin(played).sabotage = Some(Sabotage::Lose)), Verdict::Broken);
    assert_eq!(again(&|played| drop(played.entries.pop())), Verdict::Void);
    assert_eq!(otherwise("cut", "trial", |played| drop(played.entries.pop())).0, Verdict::Void);
    // A sabotage that one check noticed is none that all of them missed.
    let mut sabotaged = play("cut", Fault::None, 0, 0);
    begin(&mut sabotaged).sabotage = Some(Sabotage::Leak);
    let mut noticed = proved.clone();
    noticed[0].verdict = Verdict::Void;
    let concluded = conclusions::conclude(&Run::from_entries(sabotaged.entries), noticed);
    assert_eq!(concluded.verdict, Verdict::Void);
    let interrupt = |played: &mut Played| {
        played.entries.insert(2, Entry::Interrupted { why: "ctrl-c".into(), at: 1 });
    };
    assert_eq!(again(&interrupt), Verdict::Void);
    let run = Run::from_entries(whole.entries.clone());
    let none = conclusions::conclude(&run, Vec::new());
    assert_eq!((none.verdict, none.findings.len()), (Verdict::Void, 1));
    let broken = found(&play("cut", Fault::Skip, 0, 0), "no-loss-no-duplicate");
    assert_eq!(broken.0, Verdict::Proved, "zone a's: {}", broken.1);
    let findings = conclude(&play("cut", Fault::Skip, 0, 0)).findings;
    let count = findings.len();
    assert_eq!(conclusions::conclude(&run, findings).findings.len(), count);
}

/// A record that cannot be so proves nothing, whatever else stands in it.
#[test]
fn a_record_that_contradicts_itself() {
    type Change = fn(&mut Vec<Entry>);
    let cases: [(&str, Change); 7] = [
        ("it has no beginning", |entries| {
            entries.swap(0, 1);
            entries.push(entries[1].clone());
        }),
        ("the clock went backwards at", |entries| {
            let mut samples = entries.iter_mut().filter_map(|entry| match entry {
                Entry::Sample(sample) => Some(sample),
                _ => None,
            });
            let before = samples.nth(20).unwrap().at;
            samples.next().unwrap().at = before - 1;
        }),
        ("it goes on after its end", |entries| entries.push(entries[1].clone())),
        ("it has no beginning", |entries| entries.swap(0, 1)),
        ("it begins twice", |entries| entries.insert(1, entries[0].clone())),
        ("step 4 ended and never began", |entries| {
            let first = entries.iter().position(|e| matches!(e, Entry::Step { .. })).unwrap();
            let at = entries[first].at().unwrap();
            entries.insert(first + 1, Entry::StepDone { index: 3, ok: true, why: None, at });
        }),
        ("the clock went backwards at 5", |entries| {
            let sample = entries.iter_mut().rev().find_map(|entry| match entry {
                Entry::Sample(sample) => Some(sample),
                _ => None,
            });
            sample.unwrap().at = 5;
        }),
    ];
    for (said, change) in cases {
        let (verdict, text) = otherwise("heal", "trial", |played| change(&mut played.entries));
        assert_eq!((verdict, text.contains(said)), (Verdict::Void, true), "{said}: {text}");
    }
}
