//! Edges of a run by hand: what it is about, what it shows, and what was expected of it.

use zonedrill::{
    drill::{
        checks,
        record::{Entry, Sample},
        run::Run,
    },
    region::status::{LinkState, Recorded, Verdict},
};

use super::{at_the_end, conclude, found, otherwise};
use crate::support::laws::{Fault, Played, play};

/// The drill, as a person does it who runs no script.
fn by_hand() -> Played {
    let mut played = play("heal", Fault::None, 0, 0);
    let step = |entry: &Entry| matches!(entry, Entry::Step { .. } | Entry::StepDone { .. });
    played.entries.retain(|entry| !step(entry));
    let Some(Entry::Begin(begin)) = played.entries.first_mut() else { panic!() };
    (begin.by_hand, begin.mirror) = (vec![2], "z".parse().unwrap());
    played
}

fn samples(played: &mut Played) -> impl Iterator<Item = &mut Sample> {
    played.entries.iter_mut().filter_map(|entry| match entry {
        Entry::Sample(sample) => Some(&mut **sample),
        _ => None,
    })
}

/// Takes commands, and their answers, out of the record.
fn without(played: &mut Played, unwanted: &str) {
    let ids: Vec<u64> = (played.entries.iter())
        .filter_map(|entry| match entry {
            Entry::Given { id, line, .. } if line.starts_with(unwanted) => Some(*id),
            _ => None,
        })
        .collect();
    assert!(!ids.is_empty(), "{unwanted}");
    played.entries.retain(|entry| match entry {
        Entry::Given { id, .. } | Entry::Answered { id, .. } => !ids.contains(id),
        _ => true,
    });
}

/// A run by hand is about the zone that is cut, wherever it stands among the others.
#[test]
fn a_run_by_hand_is_about_the_zone_that_is_cut() {
    let mut played = by_hand();
    for sample in samples(&mut played) {
        let mut other = sample.status.zones[1].clone();
        other.name = "aa".parse().unwrap();
        other.link.as_mut().unwrap().state = LinkState::Up;
        sample.status.zones.insert(1, other);
    }
    let concluded = conclude(&played);
    assert_eq!(concluded.verdict, Verdict::Proved, "{concluded:#?}");
    let (_, text) = found(&played, "script-completed");
    assert!(text.starts_with("done by hand: 5 commands"), "{text}");
}

/// The clock of a heal by keys is told like that of a script's command.
#[test]
fn the_recovery_after_a_heal_that_no_command_tells_of() {
    let told = |mut played: Played| {
        without(&mut played, "heal b");
        let (_, _, counters) = checks::live(&Run::from_entries(played.entries));
        counters.into_iter().find(|one| one.label == "link up after").unwrap().value
    };
    assert_eq!(told(by_hand()), "0.11 s");
    assert_eq!(told(play("heal", Fault::None, 0, 0)), "?");
}

/// Of a run in which nobody produced, other messages prove nothing.
#[test]
fn a_run_without_a_message_of_its_own() {
    let mut played = by_hand();
    without(&mut played, "produce");
    let (verdict, text) = found(&played, "trial");
    assert_eq!((verdict, text.contains("nothing was shown")), (Verdict::Void, true), "{text}");
    let (verdict, text) = found(&played, "no-loss-no-duplicate");
    let said = "no message of this drill was acknowledged";
    assert_eq!((verdict, text.contains(said)), (Verdict::Void, true), "{text}");
}

/// The findings on a script of one's own that produces nothing, and expects something.
fn nothing_shown(expects: &[&str], change: impl FnOnce(&mut Played)) -> bool {
    let mut played = play("heal", Fault::None, 0, 0);
    without(&mut played, "produce");
    change(&mut played);
    let Some(Entry::Begin(begin)) = played.entries.first_mut() else { panic!() };
    begin.drill = "mine".into();
    begin.script = r#"
        name = "mine"
        claim = "x"
        about = "x"
        [[step]]
        title = "x"
        do = "x"
        expect = "x"
        watch = "x"
        actions = [{ run = "mark x" }]
    "#
    .into();
    for that in expects {
        begin.script.extend(["[[expect]]\nthat = \"", that, "\"\n"]);
    }
    let run = Run::from_entries(played.entries.clone());
    assert!(run.script().is_some(), "the script cannot be read");
    let findings = conclude(&played).findings;
    findings.iter().any(|one| one.text.contains("nothing was shown"))
}

/// Expectations that were met before the first step show nothing; one that was not does.
#[test]
fn expectations_that_were_met_from_the_start() {
    let (met, not_yet) = ("zones.b.link.leafs_here == 3", "zones.b.stream.last_seq == 220");
    assert!(nothing_shown(&[met], |_| ()));
    assert!(!nothing_shown(&[not_yet], |_| ()));
    assert!(!nothing_shown(&[met, not_yet], |_| ()));
    assert!(nothing_shown(&[met], |played| {
        at_the_end(played, "b").link.as_mut().unwrap().leafs_here = Some(2);
    }));
}

/// A script that was to produce, and did not, is told so.
#[test]
fn a_script_that_produced_nothing() {
    let (verdict, text) = otherwise("heal", "trial", |played| without(played, "produce"));
    let said = "nothing was produced: no message";
    assert_eq!((verdict, text.starts_with(said)), (Verdict::Void, true), "{text}");
}

/// An expectation compares the run's end with its beginning, as far as the record counted then.
#[test]
fn what_an_expectation_compares() {
    let expects = |that: &str, change: &dyn Fn(&mut Played)| {
        otherwise("cut", "expectations", |played| {
            let Some(Entry::Begin(begin)) = played.entries.first_mut() else { panic!() };
            begin.script = format!("{}\n[[expect]]\nthat = \"{that}\"\n", begin.script);
            change(played);
        })
        .0
    };
    assert_eq!(expects("zones.b.stream.last_seq == 225", &|_| ()), Verdict::Proved);
    assert_eq!(expects("new zones.b.stream.last_seq == 225", &|_| ()), Verdict::Proved);
    assert_eq!(expects("new zones.b.ledger.lost == 0", &|_| ()), Verdict::Proved);
    // The first formats counted nothing but what was received.
    let old = |played: &mut Played| {
        for sample in samples(played) {
            sample.status.zones[1].recorded = Some(Recorded::default());
        }
    };
    assert_eq!(expects("new zones.b.ledger.lost == 0", &old), Verdict::Void);
    assert_eq!(expects("new zones.a.ledger.lost == 0", &old), Verdict::Void);
    assert_eq!(expects("new zones.a.ledger.received == 225", &old), Verdict::Proved);
}
