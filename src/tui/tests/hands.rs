//! What a person does, and what comes of it.

use super::*;
use crate::region::{
    observation::{Consuming, Observation, ProcessState, ProcessTruth},
    status::{Foreign, ForeignKind},
};

#[test]
fn keys_become_commands() {
    let status = sample::status("cut");
    let mut view = view();
    let send = |line: &str, id| Effect::Send { id, line: line.into() };
    assert_eq!(press(&mut view, &status, &["p"]), [send("produce --count 1000", 1)]);
    // The source has no link.
    assert_eq!(press(&mut view, &status, &["c"]), []);
    assert_eq!(view.toast.as_ref().unwrap().text, "zone a is the source: focus a mirror zone");
    assert_eq!(press(&mut view, &status, &["tab", "c"]), [send("heal b", 2)]);
    assert_eq!(press(&mut view, &status, &["space"]), [send("consumer pause b", 3)]);
    assert_eq!(press(&mut view, &status, &["down", "f"]), [send("node freeze js2-zone-b", 4)]);
    // Destructive ones ask.
    assert_eq!(press(&mut view, &status, &["K"]), []);
    assert_eq!(press(&mut view, &status, &["n"]), []);
    assert_eq!(press(&mut view, &status, &["K", "y"]), [send("node kill js2-zone-b", 5)]);
    press(&mut view, &status, &["m"]);
    typed(&mut view, &status, "half way");
    assert_eq!(press(&mut view, &status, &["enter"]), [send("mark half way", 6)]);
    press(&mut view, &status, &[":", "up"]);
    assert_eq!(press(&mut view, &status, &["enter"]), [send("mark half way", 7)]);
    // An error stays in the palette.
    press(&mut view, &status, &[":"]);
    typed(&mut view, &status, "produce 5 1");
    assert_eq!(press(&mut view, &status, &["enter"]), []);
    assert!(matches!(&view.overlay, Some(Overlay::Palette(p)) if p.error.is_some()));
    press(&mut view, &status, &["esc"]);
    assert_eq!(view.overlay, None);
}

#[test]
fn hands_that_know_vi_move_and_words_from_elsewhere_are_understood() {
    let status = sample::status("idle");
    let mut view = view();
    press(&mut view, &status, &["l", "j"]);
    assert_eq!(view.focused(&status).unwrap().name.as_str(), "b");
    assert_eq!(view.selected(&status.zones[1]).unwrap().name.to_string(), "js2-zone-b");
    press(&mut view, &status, &["k", "h"]);
    assert_eq!(view.focused(&status).unwrap().name.as_str(), "a");
    let given = |view: &mut ViewState, line: &str| {
        press(view, &status, &[":"]);
        typed(view, &status, line);
        press(view, &status, &["enter"])
    };
    for word in ["q", "quit", "exit"] {
        assert_eq!(given(&mut view, word), []);
        assert_eq!(view.overlay.take(), Some(Overlay::Leave), "{word}");
    }
    given(&mut view, "alarms");
    assert!(matches!(view.overlay.take(), Some(Overlay::Alarms { .. })));
    // A unique beginning is enough; a word from elsewhere is known.
    let sent = |effects: Vec<Effect>| match effects.as_slice() {
        [Effect::Send { line, .. }] => line.parse::<Command>().unwrap().to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(sent(given(&mut view, "prod 1 5")), "produce 1 5");
    assert_eq!(sent(given(&mut view, "produce 1 5 0.2")), "produce 1 5 --interval 200ms");
    assert_eq!(sent(given(&mut view, "ps")), "status");
    // A line that only lacks its zone gets the focused one, and is given with that in sight.
    press(&mut view, &status, &["l"]);
    assert_eq!(given(&mut view, "cut"), []);
    assert!(matches!(&view.overlay, Some(Overlay::Palette(p)) if p.edit.text() == "cut b"));
    assert_eq!(sent(press(&mut view, &status, &["enter"])), "cut b");
    // Nothing is guessed.
    assert_eq!(given(&mut view, "ct b"), []);
    assert!(matches!(&view.overlay, Some(Overlay::Palette(p)) if p.error.is_some()));
}

/// A drill's own pane says what it came to, in whatever words it was given.
#[test]
fn the_end_of_a_drill_that_was_typed_short_lies_on_nothing() {
    let (mut status, now) = (sample::status("cut"), 0);
    for (line, lies_on_top) in [("drill run cut", false), ("dr ru cut", false), ("verify", true)] {
        let mut view = view();
        view.pending.insert(1, line.into());
        let (outcome, text) = (Outcome::Done, "one\ntwo".to_owned());
        let answer = Message::Answer { id: 1, outcome, text, data: None };
        update::message(&mut view, &mut status, answer, now);
        assert_eq!(view.overlay.is_some(), lies_on_top, "{line}");
    }
}

#[test]
fn what_is_looked_at_is_copied() {
    let status = sample::status("cut");
    let mut view = view();
    let copied = |effects: Vec<Effect>| match effects.as_slice() {
        [Effect::Copy(text)] => text.clone(),
        other => panic!("{other:?}"),
    };
    let command = copied(press(&mut view, &status, &["tab", "y"]));
    assert!(command.contains("env b") && command.contains("nats stream info"), "{command}");
    let remedy = copied(press(&mut view, &status, &["!", "y"]));
    assert_eq!(remedy, "zonedrill --region demo heal b");
    press(&mut view, &status, &["esc"]);
    let text = "one\ntwo".to_owned();
    let answer =
        |text| Overlay::Answer { title: "verify".into(), outcome: Outcome::Done, text, scroll: 0 };
    view.overlay = Some(answer(text.clone()));
    assert_eq!(copied(press(&mut view, &status, &["y"])), text);
    assert!(matches!(view.overlay, Some(Overlay::Answer { .. })), "it stays");
    view.overlay = Some(answer("x".repeat(80_000)));
    assert_eq!(press(&mut view, &status, &["y"]), []);
    assert!(view.toast.as_ref().is_some_and(|toast| toast.text.starts_with("not copied")));
}

#[test]
fn state_words_follow_the_zone() {
    let paused = Consuming { running: true, paused: true, ..Consuming::default() };
    let truth = ProcessTruth { state: ProcessState::Frozen, pid: Some(1) };
    let node = "js1-zone-a".parse().unwrap();
    let status = sample::at("cut")
        .then(Input::Consuming { zone: "a".parse().unwrap(), does: paused })
        .then(Input::Observed(Observation::Process { node, truth }))
        .status();
    let mut view = view();
    let sent: Vec<Effect> = press(&mut view, &status, &["space", "f"]);
    let lines: Vec<&str> = sent
        .iter()
        .filter_map(|e| if let Effect::Send { line, .. } = e { Some(line.as_str()) } else { None })
        .collect();
    assert_eq!(lines, ["consumer resume a", "node thaw js1-zone-a"]);
}

#[test]
fn what_was_said_of_who_drives_goes_when_that_changes() {
    let mut view = view();
    let mut status = sample::status("cut");
    let picture = |driver: usize| {
        let status = attended("cut", |screens| {
            for (i, screen) in screens.iter_mut().enumerate() {
                screen.drives = i == driver;
            }
        });
        Message::Status { status: Box::new(status) }
    };
    let answer = |view: &mut ViewState, status: &mut Status, line: &str, now| {
        view.pending.insert(1, line.into());
        let text = "so it is".into();
        let outcome = Outcome::Done;
        let answer = Message::Answer { id: 1, outcome, text, data: None };
        update::message(view, status, answer, now);
    };
    // The news and the picture of it, in either order.
    answer(&mut view, &mut status, "control release", 10_000);
    update::message(&mut view, &mut status, picture(1), 10_100);
    assert!(view.toast.is_some());
    // Numbers come all the time.
    update::message(&mut view, &mut status, picture(1), 11_000);
    assert!(view.toast.is_some());
    // Somebody else drives: nobody keeps control, nobody has it for the asking.
    update::message(&mut view, &mut status, picture(0), 12_000);
    assert_eq!(view.toast, None);
    // Also when a command was not sent because of that.
    view.drives = false;
    view.me = Some(99);
    press(&mut view, &status, &["p"]);
    assert!(view.toast.as_ref().is_some_and(|toast| toast.text.contains("drives")));
    view.toast.iter_mut().for_each(|toast| toast.at_ms = 12_000);
    update::message(&mut view, &mut status, picture(1), 13_000);
    assert_eq!(view.toast, None);
    // Other words stay their time.
    answer(&mut view, &mut status, "mark here", 14_000);
    update::message(&mut view, &mut status, picture(0), 16_000);
    assert!(view.toast.is_some());
}

#[test]
fn one_key_asks_for_control_grants_it_and_gives_it_up() {
    let sent = |view: &mut ViewState, status: &Status, key: &str| match press(view, status, &[key])
        .as_slice()
    {
        [Effect::Send { line, .. }] => line.clone(),
        other => panic!("{other:?}"),
    };
    let status = sample::status("cut");
    let mut view = view();
    assert_eq!(sent(&mut view, &status, "o"), "control release");
    let status = attended("cut", |screens| screens[1].ask_ends_at_ms = Some(1));
    assert_eq!(sent(&mut view, &status, "o"), "control grant");
    assert_eq!(sent(&mut view, &status, "O"), "control refuse");
    view.drives = false;
    assert_eq!(sent(&mut view, &status, "o"), "control ask");
}

#[test]
fn who_asks_sees_for_how_long_and_what_came_of_it() {
    let (status, mut view) = (sample::status("idle"), view());
    view.me = Some(2);
    view.drives = false;
    let effects = press(&mut view, &status, &["o"]);
    let [Effect::Send { id, .. }] = effects[..] else { panic!("{effects:?}") };
    let now = status.at_ms;
    let mut status = attended("idle", |screens| screens[1].ask_ends_at_ms = Some(now + 24_000));
    view.toast = None;
    let shown = screen((80, 24), &status, &view);
    assert!(shown.contains("? mira is asked for control (24 s)"), "{shown}");
    let text = "mira keeps control: you were refused".to_owned();
    let answer = Message::Answer { id, outcome: Outcome::Refused, text, data: None };
    update::message(&mut view, &mut status, answer, now);
    let shown = screen((80, 24), &status, &view);
    assert!(shown.contains("mira keeps control: you were refused"), "{shown}");
    assert!(!shown.contains("is asked for control"), "{shown}");
}

#[test]
fn a_driver_who_is_away_is_seen_on_a_narrow_screen() {
    let now = sample::status("idle").at_ms;
    let status = attended("idle", |screens| screens[0].place_ends_at_ms = Some(now + 58_000));
    let mut view = view();
    view.me = Some(2);
    let head = |width, view: &ViewState| {
        let shown = screen((width, 24), &status, view);
        shown.lines().next().unwrap_or_default().to_owned()
    };
    assert!(
        head(120, &view).contains("mira drives, away, place kept 58 s"),
        "{}",
        head(120, &view)
    );
    assert!(head(80, &view).contains("mira"), "{}", head(80, &view));
    assert!(head(40, &view).contains("◌ mira away ○ tom (you)"), "{}", head(40, &view));
}

#[test]
fn a_screen_records_itself_and_a_guests_does_not() {
    let status = sample::status("cut");
    let mut view = view();
    let start = Effect::Record { file: None, format: crate::command::CastFormat::V2 };
    assert_eq!(press(&mut view, &status, &["r"]), [start]);
    view.recording = true;
    assert_eq!(press(&mut view, &status, &["r"]), [Effect::StopRecording]);
    view.recording = false;
    view.guest = true;
    assert_eq!(press(&mut view, &status, &["r"]), []);
    assert_eq!(press(&mut view, &status, &["ctrl-z"]), []);
    assert_eq!(press(&mut view, &status, &["q", "t"]), []);
    assert_eq!(view.overlay, Some(Overlay::Leave));
    for line in ["record start x", "report /x", "down", "drill run cut --report x"] {
        view.overlay = Some(Overlay::Palette(Palette::new(line, &status)));
        assert_eq!(press(&mut view, &status, &["enter"]), [], "{line}");
        assert!(view.toast.as_ref().unwrap().text.contains("guest"), "{line}");
    }
}

#[test]
fn observers_look_and_send_nothing() {
    let status = sample::status("cut");
    let mut view = view();
    view.drives = false;
    assert_eq!(press(&mut view, &status, &["p"]), []);
    let told = view.toast.as_ref().unwrap().text.clone();
    assert!(told.starts_with("mira drives: o asks for control"), "{told}");
    assert!(told.contains("was not sent"), "{told}");
    assert_eq!(press(&mut view, &status, &["k"]), []);
    assert_eq!(view.overlay, None);
    assert_eq!(press(&mut view, &status, &["v"]).len(), 1);
    assert_eq!(press(&mut view, &status, &["q", "t"]), []);
    assert_eq!(view.overlay, Some(Overlay::Leave));
}

#[test]
fn answers_find_their_place() {
    let mut status = sample::status("cut");
    let mut view = view();
    press(&mut view, &status, &["v"]);
    let answer = |id, text: &str| Message::Answer {
        id,
        outcome: Outcome::Done,
        text: text.into(),
        data: None,
    };
    update::message(&mut view, &mut status, answer(1, "all is well"), 0);
    assert_eq!(view.toast.as_ref().unwrap().text, "all is well");
    update::message(&mut view, &mut status, answer(2, "one\ntwo"), 0);
    assert!(matches!(&view.overlay, Some(Overlay::Answer { text, .. }) if text == "one\ntwo"));
    press(&mut view, &status, &["esc"]);
    assert_eq!(view.overlay, None);
    // A drill has a pane of its own; its findings do not lie on top of it.
    view.pending.insert(3, "drill run cut".into());
    update::message(&mut view, &mut status, answer(3, "cut proved\n severed proved"), 0);
    assert_eq!(view.overlay, None);
    assert!(view.toast.as_ref().unwrap().text.starts_with("drill run cut: proved"));
}

#[test]
fn only_what_ages_ticks() {
    let view = view();
    let ages = |moment, later| {
        let status = sample::status(moment);
        update::ages(&view, &status, status.at_ms + later)
    };
    assert!(!ages("three", 0));
    assert!(ages("three", 10_000), "stale by then");
    assert!(ages("cut", 0));
}

#[test]
fn a_click_focuses_a_zone() {
    let status = sample::status("three");
    let mut view = view();
    view.size = (120, 40);
    let click = |view: &mut ViewState, x, y| {
        update::mouse(view, &status, update::Mouse::Click { x, y }, status.at_ms).0
    };
    assert!(click(&mut view, 100, 10));
    assert_eq!(view.focus, Some("c".parse().unwrap()));
    assert!(!click(&mut view, 0, 0));
}

#[test]
fn a_replay_is_wound_and_not_driven() {
    let mut player = replayed();
    let status = player.status();
    let mut view = view();
    // Even where the room's word for the driver was left over.
    view.drives = true;
    view.focus = Some("b".parse().unwrap());
    let wound = press(&mut view, &status, &["space", "]", "left", "+", "-", "home", "end"]);
    let winds =
        [Wind::Pause, Wind::Next, Wind::Back, Wind::Faster, Wind::Slower, Wind::Start, Wind::End];
    assert_eq!(wound, winds.map(Effect::Wind));
    player.wind(Wind::Pause);
    assert_eq!(press(&mut view, &player.status(), &["space"]), [Effect::Wind(Wind::On)]);
    // The palette completes and gives the same words.
    press(&mut view, &status, &[":"]);
    typed(&mut view, &status, "wi");
    press(&mut view, &status, &["tab"]);
    typed(&mut view, &status, "to 12s");
    let to = Wind::To { time: Duration::from_secs(12) };
    assert_eq!(press(&mut view, &status, &["enter"]), [Effect::Wind(to)]);
    for key in ["c", "h", "k", "1", "o", "p", "x"] {
        assert_eq!(press(&mut view, &status, &[key]), [], "{key}");
        let said = &view.toast.as_ref().unwrap().text;
        assert!(said.starts_with("this is a replay"), "{key}: {said}");
        assert!(view.overlay.is_none(), "{key}");
    }
    press(&mut view, &status, &[":"]);
    typed(&mut view, &status, "cut b");
    assert_eq!(press(&mut view, &status, &["enter"]), []);
    assert!(view.toast.as_ref().unwrap().text.starts_with("this is a replay"));
    let help = {
        press(&mut view, &status, &["?"]);
        screen((120, 60), &status, &view)
    };
    assert!(help.contains("to the next step") && !help.contains("cut {zone}"), "{help}");
    // No region stands behind it that could be asked about.
    assert_eq!(press(&mut view, &status, &["ctrl-c"]), [Effect::Leave(Leave::Detach)]);
    assert_eq!(press(&mut view, &status, &["q"]), [Effect::Leave(Leave::Detach)]);
    // A room is not wound.
    let live = sample::status("idle");
    assert_eq!(press(&mut view, &live, &["]", "home", "end"]), []);
    press(&mut view, &live, &[":"]);
    typed(&mut view, &live, "wind pause");
    assert_eq!(press(&mut view, &live, &["enter"]), []);
    let said = &view.toast.as_ref().unwrap().text;
    assert!(said.contains("only a past drill is wound"), "{said}");
}

#[test]
fn a_stranger_and_an_open_region_are_seen() {
    // Whether a region is open is settled when its room begins.
    let mut status = sample::status("idle");
    status.open = true;
    status.zones[1].foreign = vec![Foreign {
        kind: ForeignKind::Client,
        node: "js2-zone-b".parse().unwrap(),
        cid: 39,
        name: "stranger".into(),
        user: "zonedrill".into(),
        host: "127.0.0.1".into(),
        since_at_ms: 0,
        looks: false,
    }];
    for size in [(80, 24), (120, 40), (200, 60)] {
        let seen = screen(size, &status, &view());
        assert!(seen.contains("open"), "{seen}");
        assert!(size.0 == 80 || seen.contains("foreign: client stranger"), "{seen}");
    }
}
