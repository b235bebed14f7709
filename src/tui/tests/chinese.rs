//! The same screens for somebody who reads Chinese.

use super::{buffer, on_b, press, screen, seen, text, typed};
use crate::{
    lang::Lang,
    region::Status,
    tui::{
        state::{Overlay, ViewState},
        theme::{Colours, Theme},
    },
};

fn chinese() -> Theme {
    Theme::new(Colours::Default, false).in_language(Lang::Chinese)
}

/// As [`sizes!`], in Chinese.
macro_rules! sizes_zh {
    ($name:literal, $status:expr, $view:expr, [$($w:literal x $h:literal),+]) => {
        $(insta::assert_snapshot!(
            concat!($name, "_", $w, "x", $h),
            text(&buffer(($w, $h), $status, $view, &chinese()))
        );)+
    };
}

#[test]
fn the_region() {
    let (status, view) = on_b("idle");
    sizes_zh!("idle", &status, &view, [80 x 24, 120 x 40, 200 x 60]);
    let (status, view) = on_b("cut");
    sizes_zh!("cut", &status, &view, [80 x 24, 120 x 40, 200 x 60, 40 x 10]);
    let (status, view) = on_b("recovering");
    sizes_zh!("recovering", &status, &view, [120 x 40]);
    let (status, mut view) = on_b("cut");
    view.zoom = true;
    sizes_zh!("zoomed", &status, &view, [120 x 40]);
    let (status, view) = seen("starting");
    sizes_zh!("starting", &status, &view, [80 x 24]);
}

#[test]
fn a_drill() {
    let (status, view) = seen("drill running");
    sizes_zh!("drill_running", &status, &view, [80 x 24, 120 x 40, 200 x 60]);
    let (status, view) = seen("drill proved");
    sizes_zh!("drill_proved", &status, &view, [120 x 40, 200 x 60]);
    let (status, view) = seen("drill broken");
    sizes_zh!("drill_broken", &status, &view, [120 x 40]);
    let (status, view) = seen("present revealed");
    sizes_zh!("presented", &status, &view, [120 x 40]);
}

#[test]
fn what_lies_on_top() {
    let on_top = |moment: &str, keys: &[&str]| {
        let (status, mut view) = on_b(moment);
        press(&mut view, &status, keys);
        (status, view)
    };
    let (status, view) = on_top("cut", &["?"]);
    sizes_zh!("help", &status, &view, [80 x 24, 120 x 60]);
    let (status, view) = on_top("cut", &["!"]);
    sizes_zh!("alarms", &status, &view, [80 x 24]);
    let (status, view) = on_top("drill proved", &["w"]);
    sizes_zh!("why", &status, &view, [120 x 40]);
    let (status, mut view) = on_b("cut");
    view.overlay = Some(Overlay::Confirm { line: "zone remove b".into() });
    sizes_zh!("confirm", &status, &view, [80 x 24]);
    view.overlay = Some(Overlay::Leave);
    sizes_zh!("leave", &status, &view, [80 x 24]);
    let (status, mut view) = on_top("cut", &[":"]);
    typed(&mut view, &status, "hea");
    sizes_zh!("palette", &status, &view, [80 x 24]);
}

/// Where a frame's sides stand, from the left.
fn sides(size: (u16, u16), status: &Status, view: &ViewState, theme: &Theme) -> Vec<usize> {
    let buffer = buffer(size, status, view, theme);
    let is_side = |symbol: &str| matches!(symbol, "│" | "┃" | "╮" | "┓" | "╯" | "┛");
    let cells = buffer.content.iter().enumerate();
    cells.filter(|(_, cell)| is_side(cell.symbol())).map(|(at, _)| at).collect()
}

/// A character that is two cells wide moves nothing beside it.
#[test]
fn frames_stand_where_they_stand_in_english() {
    let mut seen_sides = 0;
    for moment in ["idle", "cut", "recovering", "troubled", "ten cut"] {
        let (status, view) = on_b(moment);
        for size in [(80, 24), (120, 40), (200, 60)] {
            let english = Theme::new(Colours::Default, false);
            let [ours, theirs] =
                [english, chinese()].map(|theme| sides(size, &status, &view, &theme));
            assert_eq!(ours, theirs, "{moment} {size:?}");
            seen_sides += ours.len();
        }
    }
    assert!(seen_sides > 1000, "{seen_sides}");
}

/// Plain ASCII has no Chinese.
#[test]
fn ascii_is_english() {
    let (status, view) = on_b("cut");
    let ascii = Theme::new(Colours::Mono, true).in_language(Lang::Chinese);
    let text = text(&buffer((120, 40), &status, &view, &ascii));
    assert!(text.is_ascii() && text.contains("consumer"), "{text}");
}

/// No number is another one, or missing, because of the language: what a person compares is the same.
#[test]
fn every_number_is_shown_in_both() {
    let numbers = |text: &str| {
        let mut all: Vec<String> = text
            .split(|c: char| !(c.is_ascii_digit() || c == ','))
            .map(|number| number.trim_matches(',').to_owned())
            .filter(|number| number.len() > 2)
            .collect();
        all.sort();
        all.dedup();
        all
    };
    for moment in ["idle", "cut", "recovering"] {
        let (status, mut view) = on_b(moment);
        view.log = crate::tui::log::Log::default();
        let ours = numbers(&screen((200, 60), &status, &view));
        let theirs = numbers(&text(&buffer((200, 60), &status, &view, &chinese())));
        assert_eq!(ours, theirs, "{moment}");
    }
}
