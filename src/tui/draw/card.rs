//! The presenter's card: the current step, large, for people far from the screen.
//!
//! The audience predicts before the step begins and is shown afterwards what was expected beside
//! what happened; until then the expectation is nowhere on the screen.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{
    Scene,
    canvas::{flat, framed, put_line, put_lines},
    drill::{self, column, counters},
};
use crate::{
    region::{
        format::seconds,
        status::{Drill, DrillStep, Pause, StepState},
    },
    tui::{format, theme::Theme},
};

/// A line is not read well when it is longer.
const LINE: usize = 76;
/// From this size the step's number is drawn large.
const LARGE: (u16, u16) = (100, 16);
/// Cells of a large number's column.
const NUMBER: u16 = 16;

/// Digits of three by five blocks.
const DIGITS: [[u8; 5]; 10] = [
    [0b111, 0b101, 0b101, 0b101, 0b111],
    [0b010, 0b110, 0b010, 0b010, 0b111],
    [0b111, 0b001, 0b111, 0b100, 0b111],
    [0b111, 0b001, 0b111, 0b001, 0b111],
    [0b101, 0b101, 0b111, 0b001, 0b001],
    [0b111, 0b100, 0b111, 0b001, 0b111],
    [0b111, 0b100, 0b111, 0b101, 0b111],
    [0b111, 0b001, 0b010, 0b010, 0b010],
    [0b111, 0b101, 0b111, 0b101, 0b111],
    [0b111, 0b101, 0b111, 0b001, 0b111],
];

pub fn draw(buf: &mut Buffer, area: Rect, shown: &Drill, scene: Scene<'_>) {
    let theme = scene.theme;
    if area.height < 3 {
        return;
    }
    let mut title = vec![Span::raw(" ")];
    title.extend(drill::name(shown, theme));
    title.push(Span::raw(" "));
    let step = drill::current_presented(shown).filter(|_| shown.ended_at_ms.is_none());
    let right = step.map_or_else(
        || " the verdict ".to_owned(),
        |(at, _)| format!(" step {} of {} ", at + 1, shown.steps.len()),
    );
    let right = Line::styled(theme.say(&right), theme.label());
    let inner = framed(buf, area, theme, true, Line::from(title), right);
    let roomy = area.width >= LARGE.0 && area.height >= LARGE.1;
    let mut text = Rect { x: inner.x + 2, width: inner.width.saturating_sub(4), ..inner };
    if roomy {
        text.y += 1;
        text.height -= 1;
        if let Some((at, _)) = step {
            large_number(buf, Rect { x: inner.x + 3, width: NUMBER - 3, ..text }, at + 1, theme);
        }
        text.x = inner.x + NUMBER;
        text.width = inner.width.saturating_sub(NUMBER + 2);
    }
    if text.is_empty() {
        return;
    }
    let foot = Rect { y: text.bottom() - 1, height: 1, ..text };
    // An empty line goes before the last, once there is room for one.
    let body = Rect { height: text.height - if text.height > 8 { 2 } else { 1 }, ..text };
    let width = usize::from(text.width);
    let (sections, prompt) = match step {
        Some((_, step)) => step_sections(shown, step, width, scene),
        None => verdict_sections(shown, width, scene),
    };
    put_lines(buf, body, &spaced(sections, usize::from(body.height), theme));
    put_line(buf, foot, 0, &prompt);
}

/// A part of the card, and how readily it is left out.
struct Section {
    readily: u8,
    lines: Vec<Line<'static>>,
}

/// Sections with as much space between them as there is room for.
fn spaced(mut sections: Vec<Section>, height: usize, theme: &Theme) -> Vec<Line<'static>> {
    sections.retain(|section| !section.lines.is_empty());
    loop {
        let lines: usize = sections.iter().map(|section| section.lines.len()).sum();
        let gaps = sections.len().saturating_sub(1);
        if let Some(gap) = (0..=2).rev().find(|gap| lines + gap * gaps <= height) {
            let mut spaced = Vec::new();
            for (i, section) in sections.into_iter().enumerate() {
                if i > 0 {
                    spaced.extend(std::iter::repeat_n(Line::default(), gap));
                }
                spaced.extend(section.lines);
            }
            return spaced;
        }
        let most = sections.iter().map(|section| section.readily).max().unwrap_or(0);
        if let Some(at) = sections.iter().rposition(|s| s.readily == most && most > 0) {
            sections.remove(at);
        } else {
            let lines = sections.into_iter().flat_map(|section| section.lines);
            let mut lines: Vec<_> = lines.take(height.saturating_sub(1)).collect();
            lines.push(Line::styled(theme.ellipsis(), theme.label()));
            return lines;
        }
    }
}

fn step_sections(
    shown: &Drill,
    step: &DrillStep,
    width: usize,
    scene: Scene<'_>,
) -> (Vec<Section>, Line<'static>) {
    let Scene { theme, now, .. } = scene;
    let mut sections = opening(shown, &step.title, width, theme);
    let closing = shown.closing();
    let revealed = closing || shown.waits_for == Some(Pause::GoOn);
    // Once the step is over, what happened matters more than what was done.
    let readily = u8::from(revealed);
    sections.push(labelled("do", &step.does, width, theme.value(), readily, theme));
    if revealed {
        sections.push(revealing(shown, step, width, theme));
    } else {
        sections.push(labelled("watch", &step.watch, width, theme.value(), 1, theme));
        let expect = match shown.waits_for {
            Some(Pause::Predict) => "what do you expect?",
            Some(_) => "was it what you expected?",
            None => "shown when the step is over",
        };
        let style = if shown.waits_for.is_some() { theme.strong() } else { theme.label() };
        sections.push(labelled("expect", expect, width, style, 0, theme));
    }
    let begun = step.state.is_some() && shown.waits_for != Some(Pause::Predict);
    if begun && !revealed {
        let (glyph, style) = step.state.map_or(("", theme.value()), |state| theme.step(state));
        let time = match (step.took_ms, step.began_at_ms) {
            (Some(ms), _) => seconds(ms),
            (None, Some(began)) => format::age(began, now),
            _ => String::new(),
        };
        let detail = theme.say(&step.detail);
        let parts: Vec<&str> =
            [time.as_str(), detail.as_str()].into_iter().filter(|p| !p.is_empty()).collect();
        let text = format!("{glyph} {}", parts.join(theme.dot()));
        let label = if step.state == Some(StepState::Running) { "now" } else { "done" };
        sections.push(labelled(label, &text, width, style, 2, theme));
    }
    let last = shown.steps.iter().all(|step| step.state == Some(StepState::Done));
    let prompt = match shown.waits_for {
        Some(Pause::Predict) => ask("begins the step", scene),
        Some(Pause::Reveal) => ask("shows what was expected and what happened", scene),
        Some(Pause::GoOn) if last => ask("goes on to the verdict", scene),
        Some(Pause::GoOn) => ask("goes on", scene),
        None if closing => {
            let text = "the streams are read, replica by replica: then the verdict";
            let text = theme.say(text);
            Line::styled(format!("{} {text}", theme.pick("▸", ">")), theme.active())
        }
        None => {
            let text = theme.say("the step runs");
            Line::styled(format!("{} {text}", theme.pick("▸", ">")), theme.active())
        }
    };
    (sections, prompt)
}

/// The end: the verdict, its reason, the numbers.
fn verdict_sections(
    shown: &Drill,
    width: usize,
    scene: Scene<'_>,
) -> (Vec<Section>, Line<'static>) {
    let theme = scene.theme;
    let (glyph, word, style) = theme.verdict(shown.verdict);
    let mut sections = opening(shown, &format!("{glyph} {}", word.to_uppercase()), width, theme);
    if let Some(line) = sections.last_mut().and_then(|section| section.lines.last_mut()) {
        *line = line.clone().style(style);
    }
    sections.push(labelled("claim", &shown.claim, width, theme.value(), 1, theme));
    sections.push(labelled("reason", &shown.evidence, width, style, 0, theme));
    let cells = width.min(LINE);
    sections.push(Section { readily: 2, lines: column(&counters(shown, theme), cells, theme) });
    let bundle = shown.bundle.as_deref().unwrap_or_default();
    sections.push(labelled("evidence", bundle, width, theme.value(), 3, theme));
    let prompt = match (shown.waits_for, shown.queue.first()) {
        (Some(_), Some(next)) => ask(&format!("goes on to the drill {next}"), scene),
        _ => Line::from(vec![
            Span::styled("esc", theme.focus()),
            Span::styled(theme.say(" closes the card"), theme.label()),
        ]),
    };
    (sections, prompt)
}

/// A deliberate fault, and the title.
fn opening(shown: &Drill, title: &str, width: usize, theme: &Theme) -> Vec<Section> {
    let sabotage = drill::sabotage(shown, width, theme);
    let lines = format::wrap_at_most(&theme.say(title), width.min(LINE), 2, theme.ellipsis());
    let lines = lines.into_iter().map(|line| Line::styled(line, theme.strong())).collect();
    vec![
        Section { readily: 0, lines: sabotage.into_iter().collect() },
        Section { readily: 0, lines },
    ]
}

/// A label and a text beside it.
fn labelled(
    label: &str,
    text: &str,
    width: usize,
    style: Style,
    readily: u8,
    theme: &Theme,
) -> Section {
    const LABEL: usize = 10;
    if text.trim().is_empty() {
        return Section { readily, lines: Vec::new() };
    }
    let room = width.saturating_sub(LABEL).clamp(1, LINE);
    let lines = format::wrap_at_most(&theme.say(text), room, 8, theme.ellipsis())
        .into_iter()
        .enumerate()
        .map(|(i, line)| {
            let label = if i == 0 { theme.say(label) } else { String::new() };
            Line::from(vec![
                Span::styled(format::left(&label, LABEL), theme.label()),
                Span::styled(line, style),
            ])
        })
        .collect();
    Section { readily, lines }
}

/// What was expected beside what happened.
fn revealing(shown: &Drill, step: &DrillStep, width: usize, theme: &Theme) -> Section {
    let gap = theme.pick(" │ ", " | ");
    // The numbers' labels must be read to their ends.
    let inside = width.saturating_sub(3);
    let left = if width < 90 { inside * 2 / 5 } else { inside / 2 };
    let right = width.saturating_sub(left + 3);
    let wrapped = |text: &str, cells: usize, style: Style| -> Vec<Line<'static>> {
        let lines = format::wrap_at_most(&theme.say(text), cells, 8, theme.ellipsis());
        lines.into_iter().map(|line| Line::styled(line, style)).collect()
    };
    let (mark, style) = match met(shown, step) {
        Some(met) => theme.counter(Some(met)),
        None => ("?", theme.warn()),
    };
    let title =
        vec![Span::styled(theme.say("EXPECTED "), theme.label()), Span::styled(mark, style)];
    let mut expected = vec![Line::from(title)];
    expected.extend(wrapped(&step.expect, left, theme.value()));
    let mut happened = wrapped("WHAT HAPPENED", right, theme.label());
    let failed = step.state == Some(StepState::Failed);
    let took = step.took_ms.map(seconds);
    let parts: Vec<&str> = [step.detail.as_str(), took.as_deref().unwrap_or_default()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    if !parts.is_empty() {
        let style = if failed { theme.bad() } else { theme.value() };
        happened.extend(wrapped(&parts.join(theme.dot()), right, style));
    }
    // What is known by now goes before what later steps are to show.
    let mut counters = counters(shown, theme);
    counters.sort_by_key(drill::Counted::is_unknown);
    happened.extend(column(&counters, right, theme));
    let n = expected.len().max(happened.len());
    let (mut expected, mut happened) = (expected.into_iter(), happened.into_iter());
    let lines = (0..n)
        .map(|_| {
            let mut line = flat(expected.next().unwrap_or_default());
            let pad = left.saturating_sub(line.width());
            line.spans.push(Span::raw(" ".repeat(pad)));
            line.spans.push(Span::styled(gap, theme.border()));
            line.spans.extend(flat(happened.next().unwrap_or_default()).spans);
            line
        })
        .collect();
    Section { readily: 0, lines }
}

/// Whether what was expected of a step came: not if it failed, or a number that decides is as it must
/// not be; it did if it ended well and a number says so. Otherwise nobody knows.
fn met(shown: &Drill, step: &DrillStep) -> Option<bool> {
    let any = |good: bool| shown.counters.iter().any(|counter| counter.good == Some(good));
    match step.state? {
        StepState::Failed => Some(false),
        StepState::Running => None,
        StepState::Done if any(false) => Some(false),
        StepState::Done => any(true).then_some(true),
    }
}

/// Which key goes on, in the words of the keymap; nobody but a driver can.
fn ask(what: &str, scene: Scene<'_>) -> Line<'static> {
    let Scene { view, theme, .. } = scene;
    if !view.drives {
        return Line::styled(theme.say("the presenter goes on"), theme.label());
    }
    let key = drill::next_key(scene).unwrap_or_else(|| ": drill next".to_owned());
    Line::from(vec![
        Span::styled(format!("{} ", theme.pick("▸", ">")), theme.active()),
        Span::styled(key, theme.focus()),
        Span::styled(format!(" {}", theme.say(what)), theme.strong()),
    ])
}

/// The step's number in blocks.
fn large_number(buf: &mut Buffer, area: Rect, number: usize, theme: &Theme) {
    let block = theme.pick("█", "#");
    let digits: Vec<usize> =
        number.to_string().chars().filter_map(|c| c.to_digit(10)).map(|d| d as usize).collect();
    for y in 0..5 {
        let mut text = String::new();
        for digit in &digits {
            let bits = DIGITS.get(*digit).and_then(|rows| rows.get(y)).copied().unwrap_or(0);
            for bit in [0b100, 0b010, 0b001] {
                text.push_str(&(if bits & bit == 0 { " " } else { block }).repeat(2));
            }
            text.push(' ');
        }
        let row = u16::try_from(y).unwrap_or(u16::MAX);
        put_line(buf, area, row, &Line::styled(text, theme.active()));
    }
}
