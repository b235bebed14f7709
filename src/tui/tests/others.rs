//! A screen on a region that somebody else runs: what its keys give, and the question before anything is
//! done.

use super::*;

fn of_others() -> Status {
    Status { platform: PlatformKind::External, screens: Vec::new(), ..sample::status("idle") }
}

/// A command that asks, with its number.
fn asking(line: &str) -> (Status, ViewState, u64) {
    let (status, mut view) = (of_others(), view());
    press(&mut view, &status, &[":"]);
    typed(&mut view, &status, line);
    let sent = press(&mut view, &status, &["enter"]);
    let [Effect::Send { id, .. }] = &sent[..] else { panic!("{sent:?}") };
    let id = *id;
    update::asks(&mut view, id, format!("region demo: {line}\n  zone b: is cut"));
    (status, view, id)
}

#[test]
fn keys_give_what_can_be_done_there_without_asking_twice() {
    let (status, mut view) = (of_others(), view());
    let send = |line: &str, id| Effect::Send { id, line: line.into() };
    assert_eq!(press(&mut view, &status, &["p"]), [send("produce --count 1000", 1)]);
    assert_eq!(press(&mut view, &status, &["tab", "2"]), [send("drill run heal --zone b", 2)]);
    // For how long a link is cut is typed.
    assert_eq!(press(&mut view, &status, &["c"]), []);
    let palette = |view: &ViewState| match &view.overlay {
        Some(Overlay::Palette(palette)) => palette.edit.text().to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(palette(&view), "cut b --for 30s");
    press(&mut view, &status, &["esc"]);
    // Who has given the name already is asked as anywhere.
    view.named = true;
    assert_eq!(press(&mut view, &status, &["2"]), []);
    assert_eq!(press(&mut view, &status, &["y"]), [send("drill run heal --zone b", 3)]);
    view.named = false;
    let running = Status {
        platform: PlatformKind::External,
        screens: Vec::new(),
        ..sample::status("drill running")
    };
    assert_eq!(press(&mut view, &running, &["x"]), []);
    assert_eq!(press(&mut view, &running, &["y"]), [send("drill stop", 4)]);
    // What does not go is not sent, whatever has the focus.
    for keys in [["K"], ["n"]] {
        assert_eq!(press(&mut view, &status, &keys), []);
        let told = &view.toast.as_ref().unwrap().text;
        assert!(told.starts_with("somebody else runs this region: `"), "{told}");
    }
}

#[test]
fn the_name_is_the_answer_and_nothing_else_is() {
    let (status, mut view, id) = asking("drill run heal");
    let shown = screen((80, 24), &status, &view);
    for words in ["drill run heal", "  zone b: is cut", "type the region's name"] {
        assert!(shown.contains(words), "{words}:\n{shown}");
    }
    // Nothing is no name, and keys mean nothing but letters.
    assert_eq!(press(&mut view, &status, &["enter", "y", "backspace", "q", "backspace"]), []);
    update::paste(&mut view, &status, "dem");
    let sent = press(&mut view, &status, &["o", "enter"]);
    assert_eq!(sent, [Effect::Confirmed { id, name: Some("demo".into()) }]);
    assert_eq!((&view.overlay, &view.question), (&None, &None));

    let (status, mut view, id) = asking("drill run heal");
    assert_eq!(press(&mut view, &status, &["esc"]), [Effect::Confirmed { id, name: None }]);
    assert_eq!(view.question, None);
}

#[test]
fn a_question_waits_for_what_is_being_typed_and_ends_with_its_command() {
    let (status, mut view, id) = asking("cut b --for 30s");
    let question = view.question.clone();
    press(&mut view, &status, &["esc"]);
    press(&mut view, &status, &["?"]);
    update::asks(&mut view, id, question.unwrap().plan);
    assert!(matches!(view.overlay, Some(Overlay::Help { .. })));
    press(&mut view, &status, &["esc"]);
    assert!(matches!(view.overlay, Some(Overlay::Named { .. })));
    let (outcome, text) = (Outcome::Refused, "it was ended before it began".into());
    let ended = Message::Answer { id, outcome, text, data: None };
    let mut status = status;
    update::message(&mut view, &mut status, ended, 1);
    assert_eq!(view.question, None);
    assert!(!matches!(view.overlay, Some(Overlay::Named { .. })), "{:?}", view.overlay);
}

#[test]
fn leaving_asks_only_while_something_runs() {
    let (status, mut idle) = (of_others(), view());
    assert_eq!(press(&mut idle, &status, &["q"]), [Effect::Leave(Leave::Detach)]);
    let (status, mut view, _) = asking("drill run heal");
    assert_eq!(press(&mut view, &status, &["ctrl-c"]), []);
    assert_eq!(view.overlay, Some(Overlay::Leave));
    let shown = screen((80, 24), &status, &view);
    assert!(shown.contains("leave; `drill run heal` ends, what it cut is healed"), "{shown}");
    assert!(!shown.contains("tear down"), "{shown}");
    // Back to the question.
    press(&mut view, &status, &["esc"]);
    assert!(matches!(view.overlay, Some(Overlay::Named { .. })));
    press(&mut view, &status, &["ctrl-c"]);
    assert_eq!(press(&mut view, &status, &["ctrl-c"]), [Effect::Leave(Leave::Detach)]);
}
