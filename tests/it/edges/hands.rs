//! Edges of a script that comes to its end: its steps, commands and waits, and whose hand it was.

use zonedrill::{
    drill::record::{CommandOutcome, Entry},
    ledger::record::Record,
    region::status::{Link, LinkState, Verdict},
};

use super::{looks, otherwise, span};
use crate::support::laws::Played;

/// What is found of a script.
fn script(drill: &str, change: impl FnOnce(&mut Played)) -> (Verdict, String) {
    otherwise(drill, "script-completed", change)
}

#[track_caller]
fn is_void(drill: &str, said: &str, change: impl FnOnce(&mut Played)) {
    let (verdict, text) = script(drill, change);
    assert_eq!((verdict, text.contains(said)), (Verdict::Void, true), "{said}: {text}");
}

#[track_caller]
fn is_done(drill: &str, change: impl FnOnce(&mut Played)) {
    let (verdict, text) = script(drill, change);
    assert_eq!((verdict, text.contains("steps ended well")), (Verdict::Proved, true), "{text}");
}

/// A further command, given at a moment and answered a little later.
fn also(played: &mut Played, line: &str, at: u64, outcome: CommandOutcome) {
    let place = played.entries.iter().position(|entry| entry.at() > Some(at)).unwrap();
    let answer = Entry::Answered { id: 900, outcome, text: String::new(), data: None, at: at + 10 };
    let given = Entry::Given { id: 900, line: line.into(), at };
    played.entries.splice(place..place, [given, answer]);
}

/// From a moment on, until another, the consumer of a zone is seen paused, or not.
fn seen_paused(played: &mut Played, zone: &str, span: (u64, u64), paused: bool) {
    let inside = looks(played, zone).filter(|(at, _)| (span.0..=span.1).contains(at));
    inside.for_each(|(_, zone)| zone.consumer.as_mut().unwrap().paused = paused);
}

fn seen_linked(played: &mut Played, zone: &str, span: (u64, u64), state: LinkState) {
    let inside = looks(played, zone).filter(|(at, _)| (span.0..=span.1).contains(at));
    inside.for_each(|(_, zone)| zone.link.get_or_insert_with(Link::default).state = state);
}

/// When the first command of that line was answered.
fn answered<'a>(played: &'a mut Played, wanted: &str) -> (u64, &'a mut CommandOutcome) {
    let id = played.entries.iter().find_map(|entry| match entry {
        Entry::Given { id, line, .. } if line == wanted => Some(*id),
        _ => None,
    });
    let answer = played.entries.iter_mut().find_map(|entry| match entry {
        Entry::Answered { id: of, outcome, at, .. } if Some(*of) == id => Some((*at, outcome)),
        _ => None,
    });
    answer.expect(wanted)
}

/// Each command was done, each wait was met, each phase came; what else was given does not count.
#[test]
fn what_a_script_asks_for_happened() {
    is_done("cut", |_| ());
    is_done("cut", |played| {
        let (at, _) = span(played, "before");
        also(played, "mark mine", at, CommandOutcome::Broken);
    });
    is_void("cut", "`cut b` ended", |played| *answered(played, "cut b").1 = CommandOutcome::Broken);
    is_void("cut", "in vain", |played| {
        let met = played.entries.iter_mut().find_map(|entry| match entry {
            Entry::Waited { met, .. } => Some(met),
            _ => None,
        });
        *met.unwrap() = false;
    });
    is_void("cut", "phase `cutting` did not come", |played| {
        for entry in &mut played.entries {
            if let Entry::Phase { name, .. } = entry
                && name == "cutting"
            {
                *name = "resting".into();
            }
        }
    });
}

/// A pause that nobody of the drill commanded is somebody's; so is its end.
#[test]
fn a_pause_by_somebody_else() {
    is_void("cut", "of zone b was resumed", |played| {
        let (paused, _) = answered(played, "consumer pause b");
        let (resumed, _) = answered(played, "consumer resume b");
        also(played, "consumer resume a", paused + 20, CommandOutcome::Done);
        seen_paused(played, "b", (paused + 2000, resumed), false);
    });
    is_void("heal", "of zone b was paused", |played| {
        let during = span(played, "during");
        also(played, "consumer pause c", during.0, CommandOutcome::Done);
        seen_paused(played, "b", during, true);
    });
    // What was refused, or never answered well, may have taken effect all the same; who knows?
    is_done("heal", |played| {
        let during = span(played, "during");
        also(played, "consumer pause a", during.0, CommandOutcome::Broken);
        seen_paused(played, "a", (during.0 + 2000, during.1), true);
    });
}

/// A cut or a heal by somebody else; a cut for a time ends by itself, and that of another zone says
/// nothing of this one.
#[test]
fn a_cut_by_somebody_else() {
    for (line, said) in [
        ("mark nothing", "of zone b was healed"),
        ("heal c", "of zone b was healed"),
        ("cut a --for 2s", "of zone b was healed"),
    ] {
        is_void("heal", said, |played| {
            let during = span(played, "during");
            also(played, line, during.0, CommandOutcome::Done);
            seen_linked(played, "b", (during.0 + 2000, during.1), LinkState::Up);
        });
    }
    for line in ["heal b", "heal all", "cut b --for 2s"] {
        is_done("heal", |played| {
            let during = span(played, "during");
            also(played, line, during.0, CommandOutcome::Done);
            seen_linked(played, "b", (during.0, during.1), LinkState::Up);
        });
    }
    for line in ["cut c", "mark nothing"] {
        is_done("heal", |played| {
            let (at, _) = span(played, "before");
            also(played, line, at, CommandOutcome::Done);
        });
    }
    is_void("heal", "of zone b was cut", |played| {
        let before = span(played, "before");
        seen_linked(played, "b", before, LinkState::Cut);
    });
}

/// From the moment it is given to a second and a half after its answer a command may show, or not.
#[test]
fn when_a_command_must_show() {
    let shows = |after: u64, paused: bool| {
        script("independent", |played| {
            let (at, _) = answered(played, "consumer pause a");
            assert!(looks(played, "a").any(|(seen, _)| seen == at + after));
            seen_paused(played, "a", (at + after, at + after), paused);
        })
    };
    assert_eq!(shows(1500, true).0, Verdict::Proved);
    assert_eq!(shows(1250, false).0, Verdict::Proved);
    let (verdict, text) = shows(1500, false);
    assert_eq!((verdict, text.contains("of zone a was resumed")), (Verdict::Void, true), "{text}");
    // The model answers at once.
    assert_eq!(shows(0, true).0, Verdict::Proved);
}

/// A producer that got nothing acknowledged has sent nobody's messages.
#[test]
fn a_producer_of_nothing_is_nobody() {
    is_done("cut", |played| {
        played.ledger.apply(&Record::Intend { p: 9, n: 1, c: 1, at: 1 });
    });
}
