//! Snapshots of whole screens, drawn from regions that were recorded, and looked at by eye.

/// A screen at each of these sizes, as it was looked at.
macro_rules! sizes {
    ($name:literal, $status:expr, $view:expr, [$($w:literal x $h:literal),+]) => {
        $(insta::assert_snapshot!(
            concat!($name, "_", $w, "x", $h),
            screen(($w, $h), $status, $view)
        );)+
    };
}

mod alarms;
mod anything;
mod chinese;
mod drills;
mod hands;
mod leaving;
mod narrow;
mod others;
mod reach;

use std::time::Duration;

use jiff::tz::TimeZone;
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer, style::Color};

use super::{
    Leave, draw, format,
    player::{Player, Playing},
    sample,
    state::{Connection, DrillLook, Overlay, Palette, ViewState},
    theme::{Colours, Theme},
    update::{self, Effect},
};
use crate::{
    command::{
        Command, Wind,
        keys::{Key, Keymap},
        wind::Speed,
    },
    drill::replay::tests::story,
    region::{
        Input, PlatformKind, Status,
        input::{Produced, ZoneAccount},
        reduce::Offenders,
        status::{Counter, Drill, Ledger, LinkState, Pause, Producer, Screen, Verdict},
    },
    room::protocol::{Message, Outcome},
};

/// A driver's screen with an empty log.
fn view() -> ViewState {
    let mut view = ViewState::new(Keymap::standard().unwrap(), TimeZone::UTC);
    view.connection = Connection::Live;
    view.me = Some(1);
    view.drives = true;
    view
}

/// A region at a moment, and a driver's screen that has seen all of it.
fn seen(moment: &str) -> (Status, ViewState) {
    let (played, mut view) = (sample::at(moment), view());
    played.events().iter().for_each(|event| view.log.push(event));
    (played.status(), view)
}

/// The same, with zone b in focus.
fn on_b(moment: &str) -> (Status, ViewState) {
    let (status, mut view) = seen(moment);
    view.focus = Some("b".parse().unwrap());
    (status, view)
}

/// A region whose drill stands differently: a drill tells how it stands as a whole.
fn drilled(moment: &str, change: impl FnOnce(&mut Drill)) -> Status {
    let played = sample::at(moment);
    let mut drill = played.status().drill.unwrap();
    change(&mut drill);
    played.then(Input::Drill(Box::new(drill))).status()
}

/// A region whose people stand differently.
fn attended(moment: &str, change: impl FnOnce(&mut [Screen])) -> Status {
    let played = sample::at(moment);
    let mut screens = played.status().screens;
    change(&mut screens);
    played.then(Input::Screens(screens)).status()
}

/// A region whose ledger counts differently in a zone.
fn counted(moment: &str, zone: usize, change: impl FnOnce(&mut Ledger)) -> Status {
    let played = sample::at(moment);
    let Status { zones, producer, .. } = played.status();
    let mut ledger = zones[zone].ledger;
    change(&mut ledger);
    let Producer { acked, failed, unknown, baseline, .. } = producer;
    let produced = Produced { acked, failed, unknown, baseline };
    let offenders = Offenders::default();
    let zones = vec![ZoneAccount { zone: zones[zone].name.clone(), ledger, offenders }];
    played.then(Input::Accounts { produced, zones }).status()
}

fn buffer(size: (u16, u16), status: &Status, view: &ViewState, theme: &Theme) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal.draw(|frame| draw::render(frame, status, view, theme, status.at_ms)).unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let mut out = String::new();
    for row in buffer.content.chunks(width.max(1)) {
        let mut line = String::new();
        let mut cells = row.iter();
        while let Some(cell) = cells.next() {
            line.push_str(cell.symbol());
            // A wide character covers the cell after it.
            (1..format::width(cell.symbol())).for_each(|_| {
                let _ = cells.next();
            });
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn screen(size: (u16, u16), status: &Status, view: &ViewState) -> String {
    text(&buffer(size, status, view, &Theme::new(Colours::Default, false)))
}

fn press(view: &mut ViewState, status: &Status, keys: &[&str]) -> Vec<Effect> {
    keys.iter()
        .flat_map(|key| {
            let key: Key = key.parse().unwrap();
            update::key(view, status, key, status.at_ms)
        })
        .collect()
}

fn typed(view: &mut ViewState, status: &Status, text: &str) {
    for c in text.chars() {
        update::key(view, status, Key::char(c), status.at_ms);
    }
}

#[test]
fn starting() {
    let (status, view) = seen("starting");
    sizes!("starting", &status, &view, [80 x 24, 120 x 40, 40 x 10]);
}

#[test]
fn failed() {
    let (status, view) = seen("failed");
    sizes!("failed", &status, &view, [80 x 24]);
}

#[test]
fn idle() {
    let (status, view) = seen("idle");
    sizes!("idle", &status, &view, [80 x 24, 120 x 40, 200 x 60, 40 x 10]);
}

#[test]
fn cut() {
    let (status, view) = on_b("cut");
    sizes!("cut", &status, &view, [80 x 24, 120 x 40, 200 x 60, 40 x 10]);
}

#[test]
fn recovering() {
    let (status, view) = on_b("recovering");
    sizes!("recovering", &status, &view, [80 x 24, 120 x 40, 200 x 60]);
}

#[test]
fn ten_zones() {
    let (status, mut view) = seen("ten cut");
    view.focus = Some("e".parse().unwrap());
    sizes!("ten_zones", &status, &view, [80 x 24, 120 x 40, 200 x 60]);
}

#[test]
fn troubled() {
    let (status, view) = seen("troubled");
    sizes!("troubled", &status, &view, [80 x 24, 120 x 40, 200 x 60]);
}

#[test]
fn zoomed() {
    let (status, mut view) = on_b("recovering");
    view.zoom = true;
    sizes!("zoomed", &status, &view, [80 x 24, 120 x 40]);
}

#[test]
fn zoomed_cut() {
    let (status, mut view) = on_b("timed cut");
    view.zoom = true;
    sizes!("zoomed_cut", &status, &view, [80 x 24, 120 x 40]);
}

#[test]
fn help() {
    let (status, mut view) = seen("idle");
    press(&mut view, &status, &["?"]);
    sizes!("help", &status, &view, [80 x 24, 120 x 40, 120 x 60]);
}

#[test]
fn palette() {
    let (status, mut view) = seen("idle");
    press(&mut view, &status, &[":"]);
    sizes!("palette_empty", &status, &view, [80 x 24]);
    typed(&mut view, &status, "cut b --kind ");
    press(&mut view, &status, &["tab", "tab"]);
    sizes!("palette_cycling", &status, &view, [80 x 24]);
    press(&mut view, &status, &["ctrl-u"]);
    typed(&mut view, &status, "prodcue 1 2");
    sizes!("palette_error", &status, &view, [80 x 24, 40 x 10]);
}

#[test]
fn questions_and_answers() {
    let (status, mut view) = seen("cut");
    press(&mut view, &status, &["k"]);
    sizes!("confirm", &status, &view, [80 x 24, 40 x 10]);
    press(&mut view, &status, &["n", "q"]);
    sizes!("leave", &status, &view, [80 x 24]);
    press(&mut view, &status, &["esc"]);
    view.overlay = Some(Overlay::Answer {
        title: "verify".into(),
        outcome: Outcome::Broken,
        text: "zone  acked   received  lost\na     12,345  12,345    0\nb     12,345  12,342    3   first at 812, 813, 999".into(),
        scroll: 0,
    });
    sizes!("answer", &status, &view, [80 x 24]);
}

/// The only test that feeds tui-logger: its buffer is one for the whole process.
#[test]
fn tui_logger_draws_the_same_lines() {
    let played = sample::at("cut");
    let drawn = |through: bool, only: Option<&str>| {
        let mut view = view();
        if through {
            view.log.through_tui_logger();
        }
        played.events().iter().for_each(|event| view.log.push(event));
        view.log.show_only(only.map(|zone| zone.parse().unwrap()));
        let screen = screen((120, 40), &sample::status("idle"), &view);
        screen.split("─ log ").nth(1).unwrap().to_owned()
    };
    // The own first, so that the other's lines are not in the buffer yet.
    assert_eq!(drawn(true, None), drawn(false, None));
    let only = drawn(false, Some("b"));
    assert!(only.contains("zone b only") && only.contains("severed") && !only.contains("produce"));
    // The buffer has every line twice by now.
    assert!(!drawn(true, Some("b")).contains("produce"));
}

#[test]
fn a_filter_narrows_the_log() {
    let (status, mut view) = seen("cut");
    press(&mut view, &status, &["/"]);
    typed(&mut view, &status, "mira");
    sizes!("filter", &status, &view, [80 x 24]);
}

#[test]
fn ascii_screens_hold_nothing_else() {
    let theme = Theme::new(Colours::Mono, true);
    for moment in sample::moments() {
        let (status, view) = on_b(moment);
        for size in [(80, 24), (120, 40), (200, 60)] {
            let text = text(&buffer(size, &status, &view, &theme));
            let odd: String = text.chars().filter(|c| !c.is_ascii()).collect();
            assert_eq!(odd, "", "{moment}: {text}");
        }
    }
    let (status, view) = on_b("cut");
    insta::assert_snapshot!("ascii_120x40", text(&buffer((120, 40), &status, &view, &theme)));
}

#[test]
fn no_color_means_no_colour() {
    let theme = Theme::new(Colours::Mono, false);
    for moment in sample::moments() {
        let (status, view) = seen(moment);
        let buffer = buffer((120, 40), &status, &view, &theme);
        assert!(buffer.content.iter().all(|c| c.fg == Color::Reset && c.bg == Color::Reset));
    }
}

#[test]
fn a_waiting_verdict_is_never_green() {
    let buffer =
        buffer((120, 40), &sample::status("idle"), &view(), &Theme::new(Colours::Default, false));
    let strip = &buffer.content[120..360];
    assert!(strip.iter().all(|cell| cell.fg != Color::Green));
}

#[test]
fn tiny_terminals_get_a_sentence() {
    for size in [(1, 1), (20, 5), (39, 10), (40, 9), (0, 0), (3, 200), (200, 3)] {
        for moment in sample::moments() {
            screen(size, &sample::status(moment), &view());
        }
    }
    sizes!("tiny", &sample::status("cut"), &view(), [20 x 5]);
}

/// An old drill's record, where it tells nothing of zone b.
fn replayed() -> Player {
    let playing = Playing { bundle: "evidence".into(), speed: Speed::ONE, once: false };
    let mut player = Player::new(story(), &playing);
    player.wind(Wind::To { time: Duration::from_millis(1_700) });
    player
}

#[test]
fn a_replay_looks_like_one_and_shows_no_number_it_has_not() {
    let (status, mut watching) = (replayed().status(), view());
    watching.drives = false;
    for size in [(40, 10), (80, 24), (120, 40), (200, 60)] {
        let shown = screen(size, &status, &watching);
        let first = shown.lines().next().unwrap();
        assert!(first.contains("REPLAY"), "{size:?}: {first}");
        assert!(!first.contains("up "), "{first}");
    }
    insta::assert_snapshot!("replay_80x24", screen((80, 24), &status, &watching));
    insta::assert_snapshot!("replay_120x40", screen((120, 40), &status, &watching));
    watching.focus = Some("b".parse().unwrap());
    watching.zoom = true;
    let zoomed = screen((200, 60), &status, &watching);
    // The graphs below show what was recorded of other moments.
    for line in zoomed.lines().take_while(|line| !line.contains("[1m]")) {
        for word in ["messages", "delivered", "ack floor", "true lag", "lost", "heard"] {
            let after = line.split_once(&format!(" {word} ")).map(|(_, after)| after.trim_start());
            assert!(after.is_none_or(|after| after.starts_with('?')), "{line}");
        }
    }
    assert!(zoomed.contains("messages") && zoomed.contains("lost"), "{zoomed}");
}

/// What comes back how, by where the servers ran; for the region it is about.
#[test]
fn a_lost_room_is_told_with_the_way_back() {
    let (mut status, mut view) = (sample::status("idle"), view());
    view.connection =
        Connection::Lost { why: "it hung up".into(), since_at_ms: status.at_ms - 2_000 };
    status.region = crate::region::topology::DEFAULT_REGION.into();
    let said = |status: &Status| {
        let text = screen((120, 40), status, &view);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let local = said(&status);
    assert!(local.contains("its servers ended with it"), "{local}");
    assert!(local.contains("`zonedrill up` starts it again"), "{local}");
    (status.platform, status.region) = (PlatformKind::Docker, "lab".into());
    let docker = said(&status);
    assert!(docker.contains("its containers run on"), "{docker}");
    assert!(docker.contains("`zonedrill --region lab up --adopt` takes them over"), "{docker}");
}
