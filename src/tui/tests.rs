//! Snapshots of whole screens, drawn from hand-made regions and looked at by eye.

mod hands;

use jiff::tz::TimeZone;
use proptest::prelude::*;
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
        Event, EventKind, Snapshot, UnixMs, ZoneName,
        actor::{Actor, Via},
        snapshot::{Counter, LinkState, MirrorState, NodeState, Pause, Verdict},
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

fn buffer(size: (u16, u16), snapshot: &Snapshot, view: &ViewState, theme: &Theme) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal.draw(|frame| draw::render(frame, snapshot, view, theme, NOW)).unwrap();
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

fn screen(size: (u16, u16), snapshot: &Snapshot, view: &ViewState) -> String {
    text(&buffer(size, snapshot, view, &Theme::new(true, false)))
}

fn press(view: &mut ViewState, snapshot: &Snapshot, keys: &[&str]) -> Vec<Effect> {
    keys.iter()
        .flat_map(|key| {
            let key: Key = key.parse().unwrap();
            update::key(view, snapshot, key, NOW)
        })
        .collect()
}

fn typed(view: &mut ViewState, snapshot: &Snapshot, text: &str) {
    for c in text.chars() {
        update::key(view, snapshot, Key::char(c), NOW);
    }
}

macro_rules! sizes {
    ($name:literal, $snapshot:expr, $view:expr, [$($w:literal x $h:literal),+]) => {
        $(insta::assert_snapshot!(
            concat!($name, "_", $w, "x", $h),
            screen(($w, $h), $snapshot, $view)
        );)+
    };
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
    let mut snapshot = sample::idle(10);
    sample::producing(&mut snapshot);
    sample::cut_off(&mut snapshot.zones[4], 40_000, 1_800);
    let mut view = view();
    view.focus = Some("e".parse().unwrap());
    sizes!("ten_zones", &snapshot, &view, [80 x 24, 120 x 40, 200 x 60]);
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
    let mut snapshot = sample::cut();
    snapshot.zones[1].link.as_mut().unwrap().heals_at_ms = Some(NOW + 18_000);
    sizes!("zoomed_cut", &snapshot, &view, [80 x 24, 120 x 40]);
}

#[test]
fn drill_running() {
    sizes!(
        "drill_running",
        &sample::drilling(),
        &view(),
        [80 x 24, 120 x 40, 200 x 60, 40 x 10, 200 x 24]
    );
}

#[test]
fn drill_begun() {
    sizes!("drill_begun", &sample::drill_begun(), &view(), [80 x 24, 120 x 40]);
}

#[test]
fn drill_large() {
    let snapshot = sample::drilling();
    let mut view = view();
    press(&mut view, &snapshot, &["d"]);
    sizes!("drill_large", &snapshot, &view, [80 x 24, 120 x 40, 200 x 60]);
}

#[test]
fn drill_verdicts() {
    let view = view();
    sizes!("drill_proved", &sample::drilled(Verdict::Proved), &view, [80 x 24, 120 x 40, 200 x 60]);
    sizes!("drill_broken", &sample::drilled(Verdict::Broken), &view, [80 x 24, 120 x 40, 200 x 60]);
    sizes!("drill_void", &sample::drilled(Verdict::Void), &view, [80 x 24, 120 x 40, 200 x 60]);
}

#[test]
fn drill_sabotaged() {
    let mut view = view();
    view.focus = Some("b".parse().unwrap());
    sizes!("drill_sabotaged", &sample::sabotaged(), &view, [80 x 24, 120 x 40, 200 x 60]);
}

#[test]
fn drill_among_many_zones() {
    let mut snapshot = sample::idle(10);
    sample::producing(&mut snapshot);
    sample::cut_off(&mut snapshot.zones[1], 12_000, 612);
    snapshot.drill = sample::drilling().drill;
    sizes!("drill_ten_zones", &snapshot, &view(), [80 x 24, 120 x 40]);
    let drill = snapshot.drill.as_mut().unwrap();
    drill.presented = true;
    drill.waits_for = Some(Pause::Predict);
    sizes!("present_ten_zones", &snapshot, &view(), [80 x 24, 120 x 40]);
}

#[test]
fn presenting() {
    let view = view();
    let at = |pause| sample::presented(pause);
    sizes!("present_predict", &at(Some(Pause::Predict)), &view, [80 x 24, 120 x 40, 200 x 60]);
    sizes!("present_running", &at(None), &view, [80 x 24, 120 x 40]);
    sizes!("present_reveal", &at(Some(Pause::Reveal)), &view, [80 x 24, 120 x 40]);
    sizes!(
        "present_revealed",
        &at(Some(Pause::GoOn)),
        &view,
        [80 x 24, 120 x 40, 200 x 60, 40 x 10]
    );
    let mut over = sample::drilled(Verdict::Proved);
    over.drill.as_mut().unwrap().presented = true;
    sizes!("present_over", &over, &view, [80 x 24, 120 x 40]);
}

#[test]
fn drill_in_plain_signs() {
    let theme = Theme::new(false, true);
    let mut shown = vec![sample::drilling(), sample::sabotaged()];
    shown.extend([Verdict::Proved, Verdict::Broken, Verdict::Void].map(sample::drilled));
    shown.extend([Pause::Predict, Pause::Reveal, Pause::GoOn].map(|p| sample::presented(Some(p))));
    for snapshot in &shown {
        for size in [(80, 24), (120, 40), (200, 60)] {
            let buffer = buffer(size, snapshot, &view(), &theme);
            let text = text(&buffer);
            let odd: String = text.chars().filter(|c| !c.is_ascii()).collect();
            assert_eq!(odd, "", "{text}");
            assert!(buffer.content.iter().all(|c| c.fg == Color::Reset && c.bg == Color::Reset));
        }
    }
    insta::assert_snapshot!(
        "drill_ascii_120x40",
        text(&buffer((120, 40), &shown[0], &view(), &theme))
    );
    insta::assert_snapshot!(
        "present_ascii_120x40",
        text(&buffer((120, 40), &shown[7], &view(), &theme))
    );
}

/// A number that moves on redraws itself, and shifts nothing beside it.
#[test]
fn a_drills_numbers_cost_a_few_cells() {
    let old = sample::drilling();
    let mut new = old.clone();
    let drill = new.drill.as_mut().unwrap();
    drill.counters[0].value = "62 of 62".into();
    drill.steps[2].detail = "162 of 200 acked".into();
    for size in [(80, 24), (120, 40), (200, 60)] {
        let theme = Theme::new(true, false);
        let before = buffer(size, &old, &view(), &theme);
        let after = buffer(size, &new, &view(), &theme);
        let cells = before.diff(&after).len();
        assert!((3..=6).contains(&cells), "{size:?}: {cells} cells");
    }
}

/// Whatever the size, an audience reads what was expected only once it is revealed.
#[test]
fn an_expectation_is_kept_until_it_is_revealed() {
    let expectation = "usual latency";
    for look in [DrillLook::Pane, DrillLook::Large] {
        for size in [(80, 24), (120, 40), (200, 60)] {
            let told = |pause| {
                let snapshot = sample::presented(pause);
                let mut view = view();
                view.show_drill(&snapshot, look);
                let text = screen(size, &snapshot, &view);
                text.split_whitespace().collect::<Vec<_>>().join(" ").contains(expectation)
            };
            for pause in [None, Some(Pause::Predict), Some(Pause::Reveal)] {
                assert!(!told(pause), "{look:?} {size:?} {pause:?}");
            }
            if look == DrillLook::Pane {
                assert!(told(Some(Pause::GoOn)) || size.0 == 80, "{size:?}");
            }
        }
    }
}

#[test]
fn drills_have_keys() {
    let mut snapshot = sample::idle(2);
    let mut view = view();
    let send = |line: &str, id| Effect::Send { id, line: line.into() };
    for (id, (key, line)) in (1..).zip([
        ("1", "drill run cut"),
        ("2", "drill run heal"),
        ("3", "drill run independent"),
        ("4", "drill run grow"),
    ]) {
        // They cut and produce: they ask.
        assert_eq!(press(&mut view, &snapshot, &[key]), []);
        assert_eq!(press(&mut view, &snapshot, &["y"]), [send(line, id)]);
    }
    assert_eq!(press(&mut view, &snapshot, &["x"]), []);
    assert_eq!(view.toast.as_ref().unwrap().text, "no drill runs");
    assert_eq!(press(&mut view, &snapshot, &["e"]), [send("report", 5)]);
    snapshot = sample::drilling();
    assert_eq!(press(&mut view, &snapshot, &["x", "y"]), [send("drill stop", 6)]);
    assert_eq!(press(&mut view, &snapshot, &["space"]), [send("consumer pause a", 7)]);
    // A presenter's key never touches the region, whether the drill waits or not.
    for pause in [None, Some(Pause::Predict)] {
        snapshot = sample::presented(pause);
        let id = view.next_id;
        assert_eq!(press(&mut view, &snapshot, &["space"]), [send("drill next", id)]);
    }
    // With its verdict told and another drill to come it still waits for the presenter.
    snapshot.drill.as_mut().unwrap().ended_ms = Some(NOW);
    let id = view.next_id;
    assert_eq!(press(&mut view, &snapshot, &["space"]), [send("drill next", id)]);
    assert_eq!(press(&mut view, &snapshot, &["x", "y"]), [send("drill stop", id + 1)]);
    // Pressed once more than there is to go on with, it closes the card.
    snapshot.drill.as_mut().unwrap().waits_for = None;
    assert_eq!(press(&mut view, &snapshot, &["space"]), []);
    assert_eq!(view.drill(&snapshot), None);
    assert_eq!(press(&mut view, &snapshot, &["space"]), [send("consumer pause a", id + 2)]);
}

/// The last step is revealed like the others, and its verdict stands until somebody goes on.
#[test]
fn a_presented_drill_ends_with_its_last_step_and_its_verdict() {
    let mut snapshot = sample::presented(Some(Pause::GoOn));
    let drill = snapshot.drill.as_mut().unwrap();
    drill.steps.truncate(3);
    let words = |snapshot: &Snapshot| {
        let text = screen((120, 40), snapshot, &view());
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let shown = words(&snapshot);
    assert!(shown.contains("SPACE goes on to the verdict"), "{shown}");
    snapshot.drill.as_mut().unwrap().waits_for = None;
    let shown = words(&snapshot);
    assert!(shown.contains("the streams are read, replica by replica"), "{shown}");
    assert!(shown.contains("WHAT HAPPENED") && !shown.contains("the step runs"), "{shown}");
    let mut over = sample::drilled(Verdict::Proved);
    let drill = over.drill.as_mut().unwrap();
    (drill.presented, drill.waits_for) = (true, Some(Pause::GoOn));
    drill.queue = vec!["heal".into()];
    let shown = words(&over);
    assert!(shown.contains("SPACE goes on to the drill heal"), "{shown}");
    over.drill.as_mut().unwrap().presented = false;
    let mut guest = view();
    guest.drives = false;
    let text = screen((120, 40), &over, &guest);
    assert!(text.contains("then: heal · the presenter goes on"), "{text}");
}

/// What is known stands before what later steps are to show, where not all has room.
#[test]
fn a_reveal_begins_with_what_is_known() {
    let mut snapshot = sample::presented(Some(Pause::GoOn));
    let unknown = |n: usize| Counter { label: format!("later {n}"), value: "?".into(), good: None };
    let drill = snapshot.drill.as_mut().unwrap();
    drill.counters = (0..12).map(unknown).collect();
    drill.counters.push(Counter {
        label: "received in a, b".into(),
        value: "50, 50".into(),
        good: None,
    });
    let text = screen((80, 24), &snapshot, &view());
    assert!(text.contains("received in a, b"), "{text}");
}

#[test]
fn a_verdicts_reason_is_read_to_its_end() {
    let mut snapshot = sample::drilled(Verdict::Proved);
    let drill = snapshot.drill.as_mut().unwrap();
    drill.evidence =
        format!("{}(the limit is 500.0 ms)", "zone a processed 100 of 100; ".repeat(14));
    let claim: String = drill.claim.chars().take(40).collect();
    let text = screen((120, 40), &snapshot, &view());
    assert!(text.contains("(the limit is 500.0 ms)") && text.contains(&claim), "{text}");
}

#[test]
fn a_silent_mirror_is_not_said_to_be_heard() {
    let mut snapshot = sample::cut();
    let mirror = snapshot.zones[1].mirror.as_mut().unwrap();
    mirror.state = MirrorState::Silent;
    mirror.heard_ms = Some(NOW - 1_200);
    let text = screen((120, 40), &snapshot, &view());
    assert!(text.contains("silent") && text.contains("silence"), "{text}");
    assert!(!text.contains("heard"), "{text}");
}

#[test]
fn a_drill_is_shown_until_it_is_dismissed_or_replaced() {
    let mut view = view();
    let running = sample::drilling();
    let look = |view: &ViewState, snapshot: &Snapshot| view.drill(snapshot).map(|(_, look)| look);
    assert_eq!(look(&view, &running), Some(DrillLook::Pane));
    // One that runs is hidden only on purpose.
    press(&mut view, &running, &["esc"]);
    assert_eq!(look(&view, &running), Some(DrillLook::Pane));
    press(&mut view, &running, &["d"]);
    assert_eq!(look(&view, &running), Some(DrillLook::Large));
    press(&mut view, &running, &["esc", "d", "d"]);
    assert_eq!(look(&view, &running), None);
    press(&mut view, &running, &["d"]);
    assert_eq!(look(&view, &running), Some(DrillLook::Pane));
    let mut over = sample::drilled(Verdict::Broken);
    press(&mut view, &over, &["esc"]);
    assert_eq!(look(&view, &over), None);
    over.drill.as_mut().unwrap().began_ms += 1;
    assert_eq!(look(&view, &over), Some(DrillLook::Pane));
}

#[test]
fn a_drills_numbers_wait_and_its_steps_do_not() {
    let mut view = view();
    let mut snapshot = sample::drilling();
    let mut told = |new: &Snapshot| {
        let message = Message::Snapshot { snapshot: Box::new(new.clone()) };
        update::message(&mut view, &mut snapshot, message, NOW)
    };
    let mut new = sample::drilling();
    let drill = new.drill.as_mut().unwrap();
    drill.counters[0].value = "62 of 62".into();
    drill.evidence = "b got nothing new for 13 s".into();
    drill.steps[2].detail = "162 of 200 acked".into();
    new.conclusions[0].evidence = "b got nothing new for 13 s".into();
    assert!(!told(&new));
    new.drill.as_mut().unwrap().verdict = Verdict::Broken;
    assert!(told(&new));
    new.drill.as_mut().unwrap().waits_for = Some(Pause::Predict);
    assert!(told(&new));
    new.drill = None;
    assert!(told(&new));
    assert!(update::ages(
        &ViewState::new(Keymap::standard().unwrap(), TimeZone::UTC),
        &{
            let mut snapshot = sample::idle(2);
            snapshot.drill = sample::drilling().drill;
            snapshot
        },
        NOW
    ));
}

#[test]
fn every_size_is_drawn() {
    let mut shown = vec![sample::drilling(), sample::sabotaged(), sample::drill_begun()];
    shown.push(sample::drilled(Verdict::Void));
    shown.extend([Pause::Predict, Pause::GoOn].map(|p| sample::presented(Some(p))));
    let mut many = sample::idle(10);
    many.drill = shown[0].drill.clone();
    shown.push(many);
    let large = |snapshot: &Snapshot| {
        let mut view = view();
        view.show_drill(snapshot, DrillLook::Large);
        view
    };
    for snapshot in &shown {
        for view in [view(), large(snapshot)] {
            for width in (1..80).step_by(3).chain([80, 120, 200, 260]) {
                for height in (1..24).step_by(2).chain([24, 31, 40, 60, 90]) {
                    buffer((width, height), snapshot, &view, &Theme::new(true, false));
                }
            }
        }
    }
}

#[test]
fn help() {
    let mut view = view();
    press(&mut view, &sample::idle(2), &["?"]);
    sizes!("help", &sample::idle(2), &view, [80 x 24, 120 x 40, 120 x 60]);
}

#[test]
fn palette() {
    let snapshot = sample::idle(2);
    let mut view = view();
    press(&mut view, &snapshot, &[":"]);
    sizes!("palette_empty", &snapshot, &view, [80 x 24]);
    typed(&mut view, &snapshot, "cut b --kind ");
    press(&mut view, &snapshot, &["tab", "tab"]);
    sizes!("palette_cycling", &snapshot, &view, [80 x 24]);
    press(&mut view, &snapshot, &["ctrl-u"]);
    typed(&mut view, &snapshot, "prodcue 1 2");
    sizes!("palette_error", &snapshot, &view, [80 x 24, 40 x 10]);
}

#[test]
fn questions_and_answers() {
    let snapshot = sample::cut();
    let mut view = view();
    press(&mut view, &snapshot, &["k"]);
    sizes!("confirm", &snapshot, &view, [80 x 24, 40 x 10]);
    press(&mut view, &snapshot, &["n", "q"]);
    sizes!("leave", &snapshot, &view, [80 x 24]);
    press(&mut view, &snapshot, &["esc"]);
    view.overlay = Some(Overlay::Answer {
        title: "verify".into(),
        outcome: Outcome::Broken,
        text: "zone  acked   received  lost\na     12,345  12,345    0\nb     12,345  12,342    3   first at 812, 813, 999".into(),
        scroll: 0,
    });
    sizes!("answer", &snapshot, &view, [80 x 24]);
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
    let snapshot = sample::cut();
    let mut view = view();
    press(&mut view, &snapshot, &["/"]);
    typed(&mut view, &snapshot, "mira");
    sizes!("filter", &snapshot, &view, [80 x 24]);
}

#[test]
fn ascii_screens_hold_nothing_else() {
    let theme = Theme::new(false, true);
    let mut view = view();
    view.focus = Some("b".parse().unwrap());
    for snapshot in [sample::recovering(), sample::troubled(), sample::starting(), sample::cut()] {
        let text = text(&buffer((120, 40), &snapshot, &view, &theme));
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
    for snapshot in [sample::recovering(), sample::troubled(), sample::starting()] {
        let buffer = buffer((120, 40), &snapshot, &view(), &theme);
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
        for snapshot in [sample::cut(), sample::starting(), sample::troubled()] {
            screen(size, &snapshot, &view());
        }
    }
    sizes!("tiny", &sample::cut(), &view(), [20 x 5]);
}

prop_compose! {
    /// Regions with anything anywhere.
    fn any_region()(
        base in 0usize..6,
        zones in 0u16..14,
        numbers in proptest::collection::vec(any::<u64>(), 40),
        flags in proptest::collection::vec(any::<bool>(), 40),
        text in "\\PC{0,40}",
    ) -> Snapshot {
        let mut snapshot = match base {
            0 => sample::starting(),
            1 => sample::failed(),
            2 => sample::troubled(),
            3 => sample::recovering(),
            4 => sample::cut(),
            _ => sample::idle(zones),
        };
        let mut number = numbers.iter().copied().cycle();
        let mut flag = flags.iter().copied().cycle();
        let mut n = move || number.next().unwrap_or(0);
        let mut f = move || flag.next().unwrap_or(false);
        snapshot.history_ms = n();
        snapshot.started_ms = n();
        snapshot.region.clone_from(&text);
        snapshot.producer.rate = n() as f64;
        snapshot.producer.running = vec![text.clone(); 5];
        for step in &mut snapshot.steps {
            step.detail.clone_from(&text);
            step.took_ms = Some(n());
        }
        for conclusion in &mut snapshot.conclusions {
            conclusion.evidence.clone_from(&text);
        }
        for mark in &mut snapshot.marks {
            mark.at_ms = if f() { n() } else { snapshot.history_ms.saturating_sub(n() % 300_000) };
        }
        for zone in &mut snapshot.zones {
            zone.ledger.acked = n();
            zone.ledger.received = n();
            zone.ledger.lost = n();
            if let Some(stream) = &mut zone.stream {
                stream.first_seq = n();
                stream.last_seq = n();
                stream.bytes = n();
                stream.told_ms = n();
            }
            if let Some(mirror) = &mut zone.mirror {
                mirror.true_lag = f().then(&mut n);
                mirror.heard_ms = f().then(&mut n);
                mirror.error = f().then(|| text.clone());
            }
            if let Some(link) = &mut zone.link {
                link.state = if f() { LinkState::Cut } else { LinkState::Down };
                link.since_ms = n();
                link.heals_at_ms = Some(n());
                link.rtt_us = Some(n());
            }
            if f() { zone.nodes.clear(); }
            if f() { zone.mirror = None; }
            zone.lag_history = numbers.iter().zip(&flags).map(|(n, f)| f.then_some(*n)).collect();
        }
        if f() { snapshot.zones.reverse(); }
        if f() {
            snapshot.drill = sample::presented(None).drill;
        }
        if let Some(drill) = &mut snapshot.drill {
            let pauses = [None, Some(Pause::Predict), Some(Pause::Reveal), Some(Pause::GoOn)];
            drill.waits_for = pauses[usize::try_from(n() % 4).unwrap()];
            drill.presented = f();
            drill.ended_ms = f().then(&mut n);
            drill.began_ms = n();
            drill.scale = n();
            drill.sabotage = f().then(|| text.clone());
            drill.name.clone_from(&text);
            drill.evidence = text.repeat(4);
            drill.steps.truncate(usize::try_from(n() % 6).unwrap());
            for step in &mut drill.steps {
                step.title.clone_from(&text);
                step.detail.clone_from(&text);
                step.took_ms = f().then(&mut n);
            }
            for counter in &mut drill.counters {
                counter.label.clone_from(&text);
                counter.value.clone_from(&text);
            }
        }
        snapshot
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_region_is_drawn_at_any_size(
        snapshot in any_region(), width in 0u16..210, height in 0u16..70, focus in 0usize..14,
        zoom: bool, overlay in 0u8..6, unicode: bool,
    ) {
        let mut view = view();
        view.focus = snapshot.zones.get(focus).map(|zone| zone.name.clone());
        view.zoom = zoom;
        let key = ["", "?", ":", "/", "k", "q"][usize::from(overlay)];
        if !key.is_empty() {
            press(&mut view, &snapshot, &[key]);
        }
        buffer((width, height), &snapshot, &view, &Theme::new(true, !unicode));
    }
}

/// A region as a drill's record tells of it: of zone b nothing is known.
fn replayed() -> Snapshot {
    use crate::region::snapshot::{Recorded, Replay};
    let mut snapshot = sample::cut();
    snapshot.region = "replay of demo".into();
    snapshot.screens.clear();
    for zone in &mut snapshot.zones {
        zone.nodes.clear();
        let (stream, consumer) = (zone.stream.take(), zone.consumer.take());
        let known = zone.name.as_str() == "a";
        let (stream, consumer) = (stream.filter(|_| known), consumer.filter(|_| known));
        zone.recorded = Some(Recorded {
            nodes_up: 3,
            first_seq: stream.as_ref().map(|stream| stream.first_seq),
            last_seq: stream.as_ref().map(|stream| stream.last_seq),
            messages: stream.as_ref().map(|stream| stream.messages),
            delivered: consumer.as_ref().map(|consumer| consumer.delivered),
            ack_floor: consumer.as_ref().map(|consumer| consumer.ack_floor),
        });
        if let Some(mirror) = &mut zone.mirror {
            (mirror.true_lag, mirror.reported_lag, mirror.heard_ms) = (None, None, None);
        }
    }
    snapshot.replay = Some(Replay {
        bundle: "evidence".into(),
        position_ms: 12_000,
        length_ms: 94_000,
        speed_percent: 400,
        paused: false,
        marker: "cut b".into(),
    });
    snapshot
}

#[test]
fn a_replay_looks_like_one_and_shows_no_number_it_has_not() {
    let snapshot = replayed();
    let mut watching = view();
    watching.drives = false;
    for size in [(40, 10), (80, 24), (120, 40), (200, 60)] {
        let shown = screen(size, &snapshot, &watching);
        let first = shown.lines().next().unwrap();
        assert!(first.contains("REPLAY"), "{size:?}: {first}");
        assert!(!first.contains("up "), "{first}");
    }
    insta::assert_snapshot!("replay_80x24", screen((80, 24), &snapshot, &watching));
    insta::assert_snapshot!("replay_120x40", screen((120, 40), &snapshot, &watching));
    watching.focus = Some("b".parse().unwrap());
    watching.zoom = true;
    let zoomed = screen((200, 60), &snapshot, &watching);
    for line in zoomed.lines() {
        for word in ["messages", "delivered", "ack floor", "true lag", "lost", "heard"] {
            let after = line.split_once(&format!(" {word} ")).map(|(_, after)| after.trim_start());
            assert!(after.is_none_or(|after| after.starts_with('?')), "{line}");
        }
    }
    assert!(zoomed.contains("messages") && zoomed.contains("lost"), "{zoomed}");
}
