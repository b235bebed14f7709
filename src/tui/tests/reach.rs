//! What is searched for, and what is clicked.

use super::*;
use crate::tui::{
    draw::written::{Segment, Written},
    format,
    pattern::{Level, Reading},
    update::Mouse,
};

fn answer(title: &str, lines: usize) -> Overlay {
    let text: Vec<String> = (0..lines).map(|n| format!("line {n} of zone {}", n % 3)).collect();
    let (title, text) = (title.to_owned(), text.join("\n"));
    Overlay::Answer { title, outcome: Outcome::Done, text, scroll: 0 }
}

fn click(view: &mut ViewState, status: &Status, (x, y): (u16, u16)) -> (bool, Vec<Effect>) {
    update::mouse(view, status, Mouse::Click { x, y }, status.at_ms)
}

/// Where a text stands on the screen.
fn place(view: &ViewState, status: &Status, words: &str) -> (u16, u16) {
    let shown = Written::screen(status, view, status.at_ms);
    (0..view.size.1)
        .find_map(|y| {
            let found = |segment: &Segment| {
                let at = segment.text.find(words)?;
                Some(segment.x + u16::try_from(format::width(segment.text.get(..at)?)).unwrap())
            };
            shown.row(y).iter().find_map(found).map(|x| (x, y))
        })
        .unwrap_or_else(|| {
            panic!("{words} is not on the screen: {}", screen(view.size, status, view))
        })
}

fn at(view: &mut ViewState, size: (u16, u16)) {
    view.size = size;
}

#[test]
fn a_text_is_searched_with_a_pattern() {
    let (status, mut view) = seen("cut");
    at(&mut view, (80, 24));
    view.overlay = Some(answer("verify", 200));
    press(&mut view, &status, &["/"]);
    typed(&mut view, &status, "LINE 1");
    assert!(screen((80, 24), &status, &view).contains("no hit"), "capitals are meant");
    press(&mut view, &status, &["ctrl-u"]);
    typed(&mut view, &status, "^line .*9 of zone [12]$");
    let shown = screen((80, 24), &status, &view);
    assert!(shown.contains("hit 1 of 13"), "{shown}");
    press(&mut view, &status, &["enter", "n", "n"]);
    let shown = screen((80, 24), &status, &view);
    assert!(shown.contains("hit 3 of 13  n next"), "{shown}");
    assert!(shown.contains("line 49 of zone 1"), "{shown}");
    press(&mut view, &status, &["N", "N", "N"]);
    let shown = screen((80, 24), &status, &view);
    assert!(shown.contains("hit 13 of 13") && shown.contains("line 199 of zone 1"), "{shown}");
    // Only lines with a hit, and all again.
    press(&mut view, &status, &["f"]);
    let shown = screen((80, 24), &status, &view);
    assert!(shown.contains("line 19 of zone 1") && !shown.contains("line 20 of"), "{shown}");
    // The hit that was gone to looks different from the others.
    let drawn = buffer((80, 24), &status, &view, &Theme::new(Colours::Default, false));
    let looks = |words: &str| {
        let (x, y) = place(&view, &status, words);
        drawn[(x, y)].style()
    };
    assert_ne!(looks("line 19 of"), looks("line 29 of"));
    // One step back after the other.
    press(&mut view, &status, &["esc"]);
    assert!(view.overlay.is_some() && view.reading == Reading::default());
    press(&mut view, &status, &["esc"]);
    assert_eq!(view.overlay, None);
}

#[test]
fn every_text_and_list_is_searched() {
    let (status, mut view) = seen("cut");
    at(&mut view, (80, 24));
    for (open, pattern) in [("?", "zone"), ("!", "heal"), ("w", "drill|void|proved"), ("i", "ack")]
    {
        press(&mut view, &status, &[open, "/"]);
        typed(&mut view, &status, pattern);
        press(&mut view, &status, &["enter", "n"]);
        let shown = screen((80, 24), &status, &view);
        assert!(shown.contains("hit 1 of 1") || shown.contains("hit 2 of "), "{open}: {shown}");
        press(&mut view, &status, &["esc", "esc"]);
        assert_eq!(view.overlay, None, "{open}");
    }
}

#[test]
fn what_is_no_pattern_is_told_in_words_and_stays_in_hand() {
    let (status, mut view) = seen("cut");
    at(&mut view, (120, 40));
    let all = view.log.hits();
    press(&mut view, &status, &["/"]);
    typed(&mut view, &status, "mira(");
    let shown = screen((120, 40), &status, &view);
    assert!(shown.contains("no pattern: unclosed group"), "{shown}");
    assert_eq!(view.log.hits(), all, "nothing is hidden by it");
    press(&mut view, &status, &["enter"]);
    assert!(matches!(view.overlay, Some(Overlay::Filter { .. })), "it is not taken");
    press(&mut view, &status, &["backspace"]);
    let some = view.log.hits();
    assert!((1..all).contains(&some), "{some} of {all}");
    press(&mut view, &status, &["enter"]);
    let lines = if some == 1 { "1 line".to_owned() } else { format!("{some} lines") };
    let shown = screen((120, 40), &status, &view);
    assert!(shown.contains(&format!("/mira  {lines}")), "{shown}");
    // `n` and `N` go through the hits, and send nothing.
    assert_eq!(press(&mut view, &status, &["n"]), []);
    let told = view.toast.as_ref().unwrap().text.clone();
    assert!(told.contains(&format!("of {some} from the newest")), "{told}");
    assert_eq!(press(&mut view, &status, &["esc", "esc", "esc"]), []);
    assert!(view.log.filter.is_empty());
}

#[test]
fn the_log_of_a_server_goes_on_while_it_is_read() {
    let (mut status, mut view) = seen("idle");
    at(&mut view, (120, 40));
    assert_eq!(update::again(&mut view), None);
    view.overlay = Some(answer("verify", 3));
    assert_eq!(update::again(&mut view), None, "an answer of the past stays");
    view.overlay = Some(answer("inspect node js1-zone-a", 3));
    let Some(Effect::Send { id, line }) = update::again(&mut view) else { panic!("not asked") };
    assert_eq!(line, "inspect node js1-zone-a");
    assert_eq!(update::again(&mut view), None, "one question at a time");
    let text = "[1] [INF] begins\n[1] [WRN] slow consumer\n[1] [ERR] no space".to_owned();
    let told = Message::Answer { id, outcome: Outcome::Done, text, data: None };
    assert!(update::message(&mut view, &mut status, told, 0));
    assert_eq!(view.toast, None);
    let shown = screen((120, 40), &status, &view);
    assert!(shown.contains("slow consumer") && shown.contains("live"), "{shown}");
    press(&mut view, &status, &["L"]);
    let shown = screen((120, 40), &status, &view);
    assert!(shown.contains("slow consumer") && !shown.contains("begins"), "{shown}");
    press(&mut view, &status, &["L"]);
    assert_eq!(view.reading.level, Level::Errors);
    // Level and place stay as the text goes on.
    let Some(Effect::Send { id, .. }) = update::again(&mut view) else { panic!("not asked") };
    let text = "[1] [ERR] no space\n[1] [WRN] later".to_owned();
    let told = Message::Answer { id, outcome: Outcome::Done, text, data: None };
    update::message(&mut view, &mut status, told, 0);
    let shown = screen((120, 40), &status, &view);
    assert!(shown.contains("no space") && !shown.contains("later"), "{shown}");
    // What comes after it was closed opens nothing.
    let Some(Effect::Send { id, .. }) = update::again(&mut view) else { panic!("not asked") };
    press(&mut view, &status, &["esc"]);
    let told = Message::Answer { id, outcome: Outcome::Done, text: "a\nb".into(), data: None };
    update::message(&mut view, &mut status, told, 0);
    assert_eq!(view.overlay, None);
}

#[test]
fn regions_are_listed_and_gone_to_by_a_word() {
    let (status, mut view) = seen("idle");
    let mut given = |line: &str| {
        press(&mut view, &status, &[":"]);
        typed(&mut view, &status, line);
        press(&mut view, &status, &["enter"])
    };
    assert_eq!(given("region"), [Effect::Regions { id: 1, name: None }]);
    assert_eq!(given("region list"), [Effect::Regions { id: 2, name: None }]);
    assert_eq!(given("region other"), [Effect::Regions { id: 3, name: Some("other".into()) }]);
    view.guest = true;
    press(&mut view, &status, &[":"]);
    typed(&mut view, &status, "region other");
    assert_eq!(press(&mut view, &status, &["enter"]), []);
}

#[test]
fn every_hint_at_the_foot_is_its_key() {
    for size in [(80, 24), (120, 40), (200, 60)] {
        let (status, mut view) = on_b("cut");
        at(&mut view, size);
        let y = size.1 - 1;
        let hints: Vec<_> = Written::screen(&status, &view, status.at_ms).row(y);
        let keyed: Vec<_> = hints
            .iter()
            .filter_map(|hint| Some((hint.x, hint.hint()?)))
            .filter(|(_, key)| view.keymap.get(*key).is_some())
            .collect();
        assert!(keyed.len() >= 5, "{hints:?}");
        for (x, key) in keyed {
            let fresh = || {
                let (_, mut view) = on_b("cut");
                at(&mut view, size);
                view
            };
            let (mut by_mouse, mut by_key) = (fresh(), fresh());
            let (changed, effects) = click(&mut by_mouse, &status, (x, y));
            assert!(changed, "{key}");
            assert_eq!(effects, update::key(&mut by_key, &status, key, status.at_ms), "{key}");
            assert_eq!(by_mouse.overlay, by_key.overlay, "{key}");
        }
    }
}

#[test]
fn rows_verdicts_links_and_questions_are_clicked() {
    let (status, mut view) = seen("cut");
    at(&mut view, (120, 40));
    let there = |view: &ViewState, words: &str| place(view, &status, words);
    // A verdict says why; the region's word lists the alarms.
    let verdict = there(&view, "independent");
    click(&mut view, &status, verdict);
    assert!(matches!(view.overlay, Some(Overlay::Why { .. })));
    // Beside what lies on top: back.
    click(&mut view, &status, (0, 39));
    assert_eq!(view.overlay, None);
    click(&mut view, &status, (2, 0));
    assert!(matches!(view.overlay, Some(Overlay::Alarms { scroll: 0 })));
    // The alarm that is chosen gives its command, as enter does.
    let first = there(&view, "1 of ");
    click(&mut view, &status, first);
    assert!(matches!(&view.overlay, Some(Overlay::Palette(line)) if line.edit.text() == "heal b"));
    press(&mut view, &status, &["esc"]);
    // A node: focus and selection, then its log.
    view.focus = None;
    let plan = crate::tui::layout::Plan::new(crate::tui::layout::screen(view.size), &status, &view);
    let pane = plan.panes[1].area;
    let row = Written::screen(&status, &view, status.at_ms).row(pane.y + 1);
    let node = row.iter().filter(|one| one.x > pane.x && one.text.contains("js")).nth(1);
    let node = node.map_or((pane.x + 4, pane.y + 2), |node| (node.x + 1, pane.y + 1));
    assert_eq!(click(&mut view, &status, node), (true, vec![]));
    assert_eq!(view.focused(&status).unwrap().name.as_str(), "b");
    assert_eq!(view.selected(&status.zones[1]).unwrap().name.number, 2);
    let (_, effects) = click(&mut view, &status, node);
    assert!(
        matches!(&effects[..], [Effect::Send { line, .. }] if line == "inspect node js2-zone-b"),
        "{effects:?}"
    );
    view.toast = None;
    // A link of the focused zone.
    let bus = plan.buses[0].area;
    let (_, effects) = click(&mut view, &status, (pane.x + 5, bus.bottom() - 1));
    assert!(
        matches!(&effects[..], [Effect::Send { line, .. }] if line == "inspect link b"),
        "{effects:?}"
    );
    view.toast = None;
    // A question.
    press(&mut view, &status, &["K"]);
    let no = there(&view, "or any other key: no");
    assert_eq!(click(&mut view, &status, no), (true, vec![]));
    assert_eq!(view.overlay, None);
    press(&mut view, &status, &["K"]);
    let yes = there(&view, "or enter: yes");
    let (_, effects) = click(&mut view, &status, yes);
    assert!(matches!(&effects[..], [Effect::Send { line, .. }] if line.starts_with("node kill")));
    // A line of the help does what its key does.
    view.toast = None;
    press(&mut view, &status, &["?"]);
    let graphs = there(&view, "graphs over the whole screen");
    click(&mut view, &status, graphs);
    assert!(matches!(view.overlay, Some(Overlay::Graphs(_))), "{:?}", view.overlay);
    // A moment of the large graphs.
    click(&mut view, &status, (60, 20));
    assert!(matches!(view.overlay, Some(Overlay::Graphs(cursor)) if cursor.at_ms.is_some()));
    press(&mut view, &status, &["esc"]);
    // A candidate of the palette.
    press(&mut view, &status, &[":"]);
    typed(&mut view, &status, "consumer ");
    let pause = there(&view, "pause");
    click(&mut view, &status, pause);
    assert!(
        matches!(&view.overlay, Some(Overlay::Palette(line)) if line.edit.text() == "consumer pause "),
        "{:?}",
        view.overlay
    );
}

/// Every cell in every mode: nothing panics, and what is asked for is sent by no click alone that
/// a key would ask about first.
#[test]
fn every_cell_is_clicked_in_every_mode() {
    let modes: [&[&str]; 12] = [
        &[],
        &["enter"],
        &["?"],
        &["!"],
        &["w"],
        &["i"],
        &["g"],
        &[":"],
        &["/"],
        &["q"],
        &["K"],
        &["?", "/", "a", "enter"],
    ];
    for (moment, size, every) in [("troubled", (80, 24), (16, 1)), ("cut", (120, 40), (26, 3))] {
        let (status, mut fresh) = on_b(moment);
        at(&mut fresh, size);
        let rows = (0..size.1).step_by(every.1);
        let cells = rows.flat_map(|y| (0..size.0).step_by(every.0).map(move |x| (x, y)));
        for ((x, y), mode) in cells.flat_map(|cell| modes.map(|mode| (cell, mode))) {
            let mut view = ViewState::new(fresh.keymap.clone(), TimeZone::UTC);
            view.connection = Connection::Live;
            (view.me, view.drives, view.size) = (Some(1), true, size);
            view.focus.clone_from(&fresh.focus);
            press(&mut view, &status, mode);
            let (_, effects) = click(&mut view, &status, (x, y));
            for effect in effects {
                let Effect::Send { line, .. } = effect else { continue };
                let command: Command = line.parse().unwrap();
                let asked = matches!(mode, ["K"]);
                assert!(asked || !command.is_destructive(), "{mode:?} {x},{y}: {line}");
            }
        }
    }
}
