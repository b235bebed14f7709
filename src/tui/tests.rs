//! Snapshots of whole screens, drawn from hand-made regions and looked at by eye.

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
mod drills;
mod hands;
mod narrow;

use jiff::tz::TimeZone;
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer, style::Color};

use super::{
    Leave, draw, sample,
    state::{Connection, DrillLook, Overlay, Palette, ViewState},
    theme::Theme,
    update::{self, Effect},
};
use crate::{
    command::keys::{Key, Keymap},
    region::{
        Event, EventKind, Status, UnixMs, ZoneName,
        actor::{Actor, Via},
        status::{Counter, LinkState, MirrorState, NodeState, Pause, Verdict},
    },
    room::protocol::{Message, Outcome},
};

const NOW: UnixMs = sample::NOW;

/// A driver's screen, some events in its log.
fn view() -> ViewState {
    let mut view = ViewState::new(Keymap::standard().unwrap(), TimeZone::UTC);
    view.connection = Connection::Live;
    view.me = Some(1);
    view.drives = true;
    for event in events() {
        view.log.push(&event);
    }
    view
}

fn events() -> Vec<Event> {
    let mira = || Actor { who: "mira".into(), via: Via::Screen };
    let given = |command: &str| EventKind::CommandGiven { command: command.into() };
    let zone: ZoneName = "b".parse().unwrap();
    let started = EventKind::StepDone { title: "start zone a".into(), took_ms: 412 };
    let silent = EventKind::MirrorChanged {
        zone: zone.clone(),
        from: MirrorState::Streaming,
        to: MirrorState::Silent,
    };
    let refused = EventKind::CommandFailed {
        command: "zone add b".into(),
        why: "there is a zone b already: leave the name out to get the next free letter".into(),
    };
    let events = [
        (724_000, Actor::room(), started),
        (132_000, mira(), given("produce --rate 50/s")),
        (12_000, mira(), given("cut b")),
        (11_997, Actor::room(), EventKind::LinkSevered { zone: zone.clone(), after_ms: 3 }),
        (11_959, Actor::room(), EventKind::CutEffective { zone, after_ms: 41 }),
        (9_000, Actor::room(), silent),
        (2_000, mira(), refused),
    ];
    (1..)
        .zip(events)
        .map(|(id, (ago, actor, kind))| Event { id, at_ms: NOW - ago, actor, kind })
        .collect()
}

fn buffer(size: (u16, u16), status: &Status, view: &ViewState, theme: &Theme) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal.draw(|frame| draw::render(frame, status, view, theme, NOW)).unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let mut out = String::new();
    for row in buffer.content.chunks(width.max(1)) {
        let line: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn screen(size: (u16, u16), status: &Status, view: &ViewState) -> String {
    text(&buffer(size, status, view, &Theme::new(true, false)))
}

fn press(view: &mut ViewState, status: &Status, keys: &[&str]) -> Vec<Effect> {
    keys.iter()
        .flat_map(|key| {
            let key: Key = key.parse().unwrap();
            update::key(view, status, key, NOW)
        })
        .collect()
}

fn typed(view: &mut ViewState, status: &Status, text: &str) {
    for c in text.chars() {
        update::key(view, status, Key::char(c), NOW);
    }
}

#[test]
fn starting() {
    sizes!("starting", &sample::starting(), &view(), [80 x 24, 120 x 40, 40 x 10]);
}

#[test]
fn failed() {
    sizes!("failed", &sample::failed(), &view(), [80 x 24]);
}

#[test]
fn idle() {
    sizes!("idle", &sample::idle(2), &view(), [80 x 24, 120 x 40, 200 x 60, 40 x 10]);
}

#[test]
fn cut() {
    let mut view = view();
    view.focus = Some("b".parse().unwrap());
    sizes!("cut", &sample::cut(), &view, [80 x 24, 120 x 40, 200 x 60, 40 x 10]);
}

#[test]
fn recovering() {
    let mut view = view();
    view.focus = Some("b".parse().unwrap());
    sizes!("recovering", &sample::recovering(), &view, [80 x 24, 120 x 40, 200 x 60]);
}

#[test]
fn ten_zones() {
    let mut status = sample::idle(10);
    sample::producing(&mut status);
    sample::cut_off(&mut status.zones[4], 40_000, 1_800);
    let mut view = view();
    view.focus = Some("e".parse().unwrap());
    sizes!("ten_zones", &status, &view, [80 x 24, 120 x 40, 200 x 60]);
}

#[test]
fn troubled() {
    sizes!("troubled", &sample::troubled(), &view(), [80 x 24, 120 x 40, 200 x 60]);
}

#[test]
fn zoomed() {
    let mut view = view();
    view.focus = Some("b".parse().unwrap());
    view.zoom = true;
    sizes!("zoomed", &sample::recovering(), &view, [80 x 24, 120 x 40]);
}

#[test]
fn zoomed_cut() {
    let mut view = view();
    view.focus = Some("b".parse().unwrap());
    view.zoom = true;
    let mut status = sample::cut();
    status.zones[1].link.as_mut().unwrap().heals_at_ms = Some(NOW + 18_000);
    sizes!("zoomed_cut", &status, &view, [80 x 24, 120 x 40]);
}

#[test]
fn help() {
    let mut view = view();
    press(&mut view, &sample::idle(2), &["?"]);
    sizes!("help", &sample::idle(2), &view, [80 x 24, 120 x 40, 120 x 60]);
}

#[test]
fn palette() {
    let status = sample::idle(2);
    let mut view = view();
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
    let status = sample::cut();
    let mut view = view();
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
    let drawn = |mut view: ViewState, through: bool, only: Option<&str>| {
        let mut fresh = ViewState::new(Keymap::standard().unwrap(), TimeZone::UTC);
        if through {
            fresh.log.through_tui_logger();
        }
        std::mem::swap(&mut view.log, &mut fresh.log);
        for event in events() {
            view.log.push(&event);
        }
        view.log.show_only(only.map(|zone| zone.parse().unwrap()));
        let screen = screen((120, 40), &sample::idle(2), &view);
        screen.split("─ log ").nth(1).unwrap().to_owned()
    };
    // The own first, so that the other's lines are not in the buffer yet.
    assert_eq!(drawn(view(), true, None), drawn(view(), false, None));
    let only = drawn(view(), false, Some("b"));
    assert!(only.contains("zone b only") && only.contains("severed") && !only.contains("produce"));
    // The buffer has every line twice by now.
    assert!(!drawn(view(), true, Some("b")).contains("produce"));
}

#[test]
fn a_filter_narrows_the_log() {
    let status = sample::cut();
    let mut view = view();
    press(&mut view, &status, &["/"]);
    typed(&mut view, &status, "mira");
    sizes!("filter", &status, &view, [80 x 24]);
}

#[test]
fn ascii_screens_hold_nothing_else() {
    let theme = Theme::new(false, true);
    let mut view = view();
    view.focus = Some("b".parse().unwrap());
    for status in [sample::recovering(), sample::troubled(), sample::starting(), sample::cut()] {
        let text = text(&buffer((120, 40), &status, &view, &theme));
        let odd: String = text.chars().filter(|c| !c.is_ascii()).collect();
        // The room's own sentences are shown as they are.
        assert_eq!(odd, "", "{text}");
    }
    insta::assert_snapshot!(
        "ascii_120x40",
        text(&buffer((120, 40), &sample::cut(), &view, &theme))
    );
}

#[test]
fn no_color_means_no_colour() {
    let theme = Theme::new(false, false);
    for status in [sample::recovering(), sample::troubled(), sample::starting()] {
        let buffer = buffer((120, 40), &status, &view(), &theme);
        assert!(buffer.content.iter().all(|c| c.fg == Color::Reset && c.bg == Color::Reset));
    }
}

#[test]
fn a_waiting_verdict_is_never_green() {
    let buffer = buffer((120, 40), &sample::idle(2), &view(), &Theme::new(true, false));
    let strip = &buffer.content[120..360];
    assert!(strip.iter().all(|cell| cell.fg != Color::Green));
}

#[test]
fn tiny_terminals_get_a_sentence() {
    for size in [(1, 1), (20, 5), (39, 10), (40, 9), (0, 0), (3, 200), (200, 3)] {
        for status in [sample::cut(), sample::starting(), sample::troubled()] {
            screen(size, &status, &view());
        }
    }
    sizes!("tiny", &sample::cut(), &view(), [20 x 5]);
}

/// A region as a drill's record tells of it: of zone b nothing is known.
fn replayed() -> Status {
    use crate::region::status::{Recorded, Replay};
    let mut status = sample::cut();
    status.region = "replay of demo".into();
    status.screens.clear();
    for zone in &mut status.zones {
        zone.nodes.clear();
        let known = zone.name.as_str() == "a";
        let stream = zone.stream.take().filter(|_| known);
        if !known && let Some(consumer) = &mut zone.consumer {
            (consumer.delivered, consumer.ack_floor) = (None, None);
        }
        zone.recorded = Some(Recorded {
            nodes_up: 3,
            first_seq: stream.as_ref().map(|stream| stream.first_seq),
            last_seq: stream.as_ref().map(|stream| stream.last_seq),
            messages: stream.as_ref().map(|stream| stream.messages),
            behind: known.then_some(zone.ledger.behind),
        });
        if let Some(mirror) = &mut zone.mirror {
            (mirror.true_lag, mirror.reported_lag, mirror.heard_at_ms) = (None, None, None);
        }
    }
    status.replay = Some(Replay {
        bundle: "evidence".into(),
        position_ms: 12_000,
        length_ms: 94_000,
        speed_percent: 400,
        paused: false,
        marker: "cut b".into(),
    });
    status
}

#[test]
fn a_replay_looks_like_one_and_shows_no_number_it_has_not() {
    let status = replayed();
    let mut watching = view();
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
    let mut view = view();
    view.connection = Connection::Lost { why: "it hung up".into(), since_at_ms: NOW - 2_000 };
    let mut status = sample::idle(2);
    status.region = crate::region::topology::DEFAULT_REGION.into();
    let said = |status: &Status| {
        let text = screen((120, 40), status, &view);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let local = said(&status);
    assert!(local.contains("its servers ended with it"), "{local}");
    assert!(local.contains("`zonedrill up` starts it again"), "{local}");
    (status.platform, status.region) = ("docker".into(), "lab".into());
    let docker = said(&status);
    assert!(docker.contains("its containers run on"), "{docker}");
    assert!(docker.contains("`zonedrill --region lab up --adopt` takes them over"), "{docker}");
}
