//! The first rows: which region this is and who is here; the four conclusions.

use jiff::tz::TimeZone;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{
    Scene, alarms,
    canvas::{put, put_line},
};
use crate::{
    drill::conclusions,
    region::{
        UnixMs,
        format::span,
        status::{Conclusion, Drill, Phase, Replay, Screen, Verdict},
    },
    tui::{format, state::Connection, update},
};

/// Fewer cells than this are not worth a piece of evidence.
const EVIDENCE: usize = 12;

/// How long it is told that the room was late, in milliseconds.
const LATE_SHOWN_MS: u64 = 10_000;

/// What is left out before anything else.
const READIEST: u8 = 6;

/// What is left out only where nobody's name is told.
const NAMES_BEFORE: u8 = 1;

/// A fact of the header, and how readily it is left out, to [`READIEST`]: 0 stays to the last.
struct Part {
    text: String,
    style: Style,
    readily: u8,
}

pub fn draw(buf: &mut Buffer, area: Rect, scene: Scene<'_>) {
    let width = usize::from(area.width);
    let all = parts(scene);
    // Names are worth the region's lesser details, a number of people is not worth more.
    let tries =
        [(people(scene, true), NAMES_BEFORE), (people(scene, false), 0), (Line::default(), 0)];
    for (here, least) in &tries {
        for most in (*least..=READIEST).rev() {
            let left = joined(all.iter().filter(|part| part.readily <= most), scene);
            let last = here.spans.is_empty() && most == 0;
            let gap = if here.spans.is_empty() { 0 } else { 2 };
            if last || left.width() + here.width() + gap <= width {
                put_line(buf, area, 0, &left);
                let cells = u16::try_from(here.width()).unwrap_or(area.width).min(area.width);
                put_line(buf, Rect { x: area.right() - cells, width: cells, ..area }, 0, here);
                return;
            }
        }
    }
}

fn joined<'a>(parts: impl Iterator<Item = &'a Part>, scene: Scene<'_>) -> Line<'static> {
    let theme = scene.theme;
    let mut spans = vec![Span::raw(" ")];
    for (i, part) in parts.enumerate() {
        if i > 0 {
            spans.push(Span::styled(theme.dot(), theme.label()));
        }
        spans.push(Span::styled(part.text.clone(), part.style));
    }
    Line::from(spans)
}

fn parts(scene: Scene<'_>) -> Vec<Part> {
    let Scene { status, view, theme, now } = scene;
    let mut parts = Vec::new();
    let mut add = |readily, text: String, style| parts.push(Part { text, style, readily });
    if let Some(replay) = &status.replay {
        return replayed(replay, scene);
    }
    if let Some((word, style)) = alarms::word(scene) {
        add(0, word, style);
    }
    let region = status.region.clone();
    add(if region.is_empty() { 0 } else { 5 }, "zonedrill".into(), theme.focus());
    if !region.is_empty() {
        add(0, region, theme.bar());
    }
    if let Connection::Lost { since_at_ms, .. } = &view.connection {
        let age = format::age(*since_at_ms, now);
        let text = theme.say(&format!("no connection to the room for {age}, retrying"));
        let text = format!("{} {text}", theme.pick("▲", "!"));
        add(0, text, theme.bad());
        return parts;
    }
    if let Some(late) = view.slow_line {
        let text = theme.say(&format!("slow line: {:.1} s late", late.as_secs_f64()));
        let text = format!("{} {text}", theme.pick("▲", "!"));
        add(0, text, theme.warn());
    }
    if let Some(late) = status.late.filter(|late| now.saturating_sub(late.at_ms) < LATE_SHOWN_MS) {
        let text = theme.say(&format!("room {} late", span(late.for_ms)));
        let text = format!("{} {text}", theme.pick("▲", "!"));
        add(0, text, theme.warn());
    }
    match &status.phase {
        Phase::Up => {}
        Phase::Down if view.connection == Connection::Waiting => {}
        Phase::Down => add(0, theme.say("down"), theme.warn()),
        Phase::Starting => add(0, theme.say("starting"), theme.active()),
        Phase::Stopping => add(0, theme.say("stopping"), theme.warn()),
        Phase::Failed => add(0, theme.say("FAILED"), theme.bad()),
    }
    if status.open {
        add(0, theme.say("open"), theme.warn());
    }
    if !status.region.is_empty() {
        add(6, status.where_it_runs(), theme.value());
    }
    if view.connection == Connection::Live {
        let version = status.server_version.as_deref().unwrap_or("?");
        add(1, format!("nats {version}"), theme.value());
        if !status.without_a_room() {
            let copies = status.copy_kind.several(status.mirror_kind);
            // The kind is a word of the configuration.
            let (via, of) = copies.split_once(' ').unwrap_or((&copies, ""));
            add(2, format!("{via} {}", theme.say(of)), theme.value());
        }
        let up = format::uptime(now.saturating_sub(status.started_at_ms));
        add(3, theme.say(&format!("up {up}")), theme.value());
    } else {
        add(2, view.name.clone(), theme.label());
    }
    parts
}

/// A replay says first and to the last that it is one.
fn replayed(replay: &Replay, scene: Scene<'_>) -> Vec<Part> {
    let Scene { status, view, theme, .. } = scene;
    let mut parts = Vec::new();
    let mut add = |readily, text: String, style| parts.push(Part { text, style, readily });
    let glyph = if replay.paused { theme.pick("⏸", "||") } else { theme.pick("⏵", ">") };
    add(0, format!("{glyph} {}", theme.say("REPLAY")), theme.warn().patch(theme.strong()));
    let (at, of) = (format::clock(replay.position_ms), format::clock(replay.length_ms));
    add(0, format!("{at} / {of}"), theme.value());
    let over = replay.position_ms >= replay.length_ms;
    let pace = match (over, replay.paused) {
        (true, _) => "over".to_owned(),
        (false, true) => "paused".into(),
        (false, false) => format!("{}x", f64::from(replay.speed_percent) / 100.0),
    };
    add(1, theme.say(&pace), theme.active());
    add(2, status.region.clone(), theme.bar());
    let when = date(status.at_ms, &view.zone);
    add(3, when, theme.value());
    if !replay.marker.is_empty() {
        add(4, replay.marker.clone(), theme.label());
    }
    let version = status.server_version.as_deref().unwrap_or("?");
    add(5, format!("nats {version}"), theme.value());
    add(6, replay.bundle.clone(), theme.label());
    parts
}

/// The moment that is shown, as the people of then saw it.
fn date(at_ms: UnixMs, zone: &TimeZone) -> String {
    format::local(at_ms, zone, "%Y-%m-%d %H:%M:%S").unwrap_or_else(|| "?".into())
}

/// Who is here: drivers, then those who watch, by name or as a number.
fn people(scene: Scene<'_>, all: bool) -> Line<'static> {
    let Scene { status, view, theme, now } = scene;
    let (drivers, watchers): (Vec<&Screen>, Vec<&Screen>) =
        status.screens.iter().partition(|s| s.drives);
    let mut spans = Vec::new();
    if view.recording {
        spans.push(Span::styled(
            format!("{} {} ", theme.pick("⏺", "R"), theme.say("rec")),
            theme.bad(),
        ));
    }
    let mut add = |screen: &Screen| {
        // Nobody sits at a recorder.
        let mine = Some(screen.id) == view.me && !screen.records;
        let me = match (mine, screen.guest) {
            (true, true) => " (you, guest)",
            (true, false) => " (you)",
            (false, true) => " (guest)",
            (false, false) => "",
        };
        let (glyph, style) = if screen.records {
            (theme.pick("⏺", "R"), theme.bad())
        } else if screen.place_ends_at_ms.is_some() || screen.silent {
            (theme.pick("◌", "-"), theme.warn())
        } else if screen.ask_ends_at_ms.is_some() {
            (theme.pick("?", "?"), theme.active())
        } else if screen.drives {
            (theme.pick("●", "*"), theme.good())
        } else {
            (theme.pick("○", "o"), theme.label())
        };
        let name = format::clip(&screen.name, 16, theme.ellipsis());
        spans.push(Span::styled(format!("{glyph} "), style));
        let state = match (screen.place_ends_at_ms, screen.drives) {
            (Some(_), _) if !all => " away".into(),
            (Some(until), true) => format!(" drives, away, place kept {}", format::age(now, until)),
            (Some(until), false) => format!(" away, place kept {}", format::age(now, until)),
            (None, _) if screen.silent => " no answer".into(),
            (None, _) => String::new(),
        };
        let (me, state) = (theme.say(me), theme.say(&state));
        spans.push(Span::raw(format!("{name}{me}{state} ")));
    };
    let here = || drivers.iter().chain(&watchers);
    // Who drives, and who one is oneself, is told to the last.
    let told =
        |i: usize, screen: &Screen| all || (i == 0 && screen.drives) || Some(screen.id) == view.me;
    for (_, screen) in here().enumerate().filter(|(i, screen)| told(*i, screen)) {
        add(screen);
    }
    let more = here().enumerate().filter(|(i, screen)| !told(*i, screen)).count();
    if more > 0 {
        spans.push(Span::styled(format!("+{more} "), theme.label()));
    }
    Line::from(spans)
}

/// Whether a drill tests the conclusion at an index.
fn tests(drill: &Drill, index: usize, conclusion: &Conclusion) -> bool {
    match drill.conclusion {
        Some(number) => usize::from(number) == index + 1,
        None => drill.name == conclusion.name,
    }
}

/// The four conclusions, always in sight; in two rows with their evidence.
pub fn verdicts(buf: &mut Buffer, area: Rect, scene: Scene<'_>) {
    let Scene { status, theme, .. } = scene;
    let running = status.drill.as_ref().filter(|drill| drill.ended_at_ms.is_none());
    let n = status.conclusions.len();
    if n == 0 || area.is_empty() {
        return;
    }
    let width = usize::from(area.width) - 1;
    // A conclusion as number, name and word; with less room without the number, then the word.
    let entry = |i: usize, form: usize| -> Line<'static> {
        let Some(conclusion) = status.conclusions.get(i) else { return Line::default() };
        let (glyph, word, style) = theme.verdict(conclusion.verdict);
        let number = if form == 0 { format!("{} ", i + 1) } else { String::new() };
        let mut spans = vec![
            Span::styled(format!("{glyph} "), style),
            Span::styled(format!("{number}{}", conclusion.name), theme.strong()),
        ];
        if form < 2 {
            spans.push(Span::styled(format!(" {word}"), style));
        }
        Line::from(spans)
    };
    let total = |form| (0..n).map(|i| entry(i, form).width()).sum::<usize>() + 2 * (n - 1);
    let form = (0..2).find(|form| total(*form) <= width).unwrap_or(2);
    let each = width / n;
    let even = (0..n).all(|i| entry(i, form).width() + 3 <= each);
    let gap = width.saturating_sub(total(form)) / n + 2;

    // What to press, until something was: nobody has to read anything to begin.
    let idle = running.is_none() && status.phase == Phase::Up && !status.without_a_room();
    let told = |i: usize, conclusion: &Conclusion| match conclusion.verdict {
        Verdict::Waiting if idle => invitation(i, scene).unwrap_or_default(),
        _ => conclusion.evidence.clone(),
    };
    let told = |i: usize, conclusion: &Conclusion| theme.say(&told(i, conclusion));

    let mut x = 1;
    for (i, conclusion) in status.conclusions.iter().enumerate() {
        let entry = entry(i, form);
        let column = u16::try_from(x).unwrap_or(u16::MAX);
        if column >= area.width {
            break;
        }
        let place = Rect { x: area.x + column, width: area.width - column, ..area };
        put_line(buf, place, 0, &entry);
        // The one being tested now, in the cell that is free before every entry.
        if running.is_some_and(|drill| tests(drill, i, conclusion)) {
            put(buf, area, column - 1, 0, theme.pick("▸", ">"), theme.active());
        }
        if area.height > 1 {
            let text = format::clip(&told(i, conclusion), each.saturating_sub(3), theme.ellipsis());
            put(buf, place, 2, 1, &text, theme.label());
        } else if even {
            // On one row the evidence takes what the entry leaves of its column.
            let used = entry.width();
            let text = format!(": {}", told(i, conclusion));
            let text = format::clip(&text, each - used - 2, theme.ellipsis());
            if each > used + EVIDENCE {
                put(buf, place, u16::try_from(used).unwrap_or(0), 0, &text, theme.label());
            }
        }
        x += if even || area.height > 1 { each } else { entry.width() + gap };
    }
}

/// Which key runs the drill of a conclusion, and how long that takes.
fn invitation(index: usize, scene: Scene<'_>) -> Option<String> {
    let requirement = conclusions::required(u8::try_from(index + 1).ok())?;
    let line = format!("drill run {}", requirement.drill);
    let key = update::key_for(scene.view, &line)?;
    Some(match requirement.takes_s(scene.status) {
        Some(seconds) => format!("press {key}: about {seconds} s"),
        None => format!("press {key}"),
    })
}
