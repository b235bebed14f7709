//! A drill: its steps, the numbers that decide, and what they have shown.
//!
//! Three forms: a few lines where there is little room, a pane, and the whole screen.

mod counters;
mod few;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use self::counters::flow;
pub(super) use self::counters::{Counted, column, counters};
use super::{
    Scene,
    canvas::{flat, framed, put_lines},
    rows::{self, Row},
    zone,
};
use crate::{
    region::{
        format::seconds,
        status::{Drill, DrillStep, StepState, Verdict},
    },
    tui::{
        format,
        layout::{DRILL_COLUMNS, DRILL_LOW, VERDICT_LINES},
        state::DrillLook,
        theme::Theme,
    },
};

/// Cells of a step's time.
const TIME: usize = 8;

pub fn draw(buf: &mut Buffer, area: Rect, drill: &Drill, look: DrillLook, scene: Scene<'_>) {
    if area.is_empty() {
        return;
    }
    if area.height <= DRILL_LOW {
        few::draw(buf, area, drill, scene);
        return;
    }
    let theme = scene.theme;
    let large = look == DrillLook::Large;
    let padded = |spans: Vec<Span<'static>>| -> Line<'static> {
        [Span::raw(" ")].into_iter().chain(spans).chain([Span::raw(" ")]).collect()
    };
    let (title, right) = (padded(name(drill, theme)), padded(state(drill, scene)));
    let inner = framed(buf, area, theme, large, title, right);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let width = usize::from(inner.width);

    let mut rows = Vec::new();
    push(&mut rows, 0, sabotage(drill, width, theme));
    push_text(&mut rows, 4, &drill.claim, width, 2, theme.label(), theme);
    let counters = counters(drill, theme);
    if area.width >= DRILL_COLUMNS {
        let left = width * 3 / 5;
        let steps = steps(drill, left, large, scene);
        let right = width - left - 3;
        let counted = column(&counters, right, theme);
        rows.extend(beside(steps, counted, left, theme));
    } else {
        rows.extend(steps(drill, width, large, scene));
        rows.extend(column(&counters, width, theme).into_iter().map(|line| Row::new(1, line)));
    }
    rows.extend(recoveries(drill, width, scene));
    // The rule that a verdict is by stands at the end of its reason.
    verdict(&mut rows, drill, width, if large { 12 } else { VERDICT_LINES }, theme);
    rest(&mut rows, drill, 2, width, scene);
    put_lines(buf, inner, &rows::fit(rows, usize::from(inner.height), theme));
}

/// The step that runs now; between two the next one, at the end the last.
pub(super) fn current(drill: &Drill) -> Option<(usize, &DrillStep)> {
    let mut steps = drill.steps.iter().enumerate();
    let running = steps.clone().find(|(_, step)| step.state == Some(StepState::Running));
    let failed = steps.clone().find(|(_, step)| step.state == Some(StepState::Failed));
    let next = steps.clone().find(|(_, step)| step.state.is_none());
    running
        .or(failed)
        .or(next.filter(|_| drill.ended_at_ms.is_none()))
        .or_else(|| steps.clone().rfind(|(_, step)| step.state.is_some()).or_else(|| steps.next()))
}

/// Its name, and what it is run with.
pub(super) fn name(drill: &Drill, theme: &Theme) -> Vec<Span<'static>> {
    let mut spans = vec![Span::styled(theme.say(&format!("drill {}", drill.name)), theme.strong())];
    let dot = theme.dot();
    if let Some(n) = drill.conclusion {
        let number = theme.say(&format!("conclusion {n}"));
        spans.push(Span::styled(format!("{dot}{number}"), theme.label()));
    }
    if drill.scale != 1 {
        let times = theme.pick("×", "x");
        let scale = theme.say(&format!("scale {times}{}", format::count(drill.scale)));
        spans.push(Span::styled(format!("{dot}{scale}"), theme.value()));
    }
    spans
}

/// Its verdict's word and how long it has run.
fn state(drill: &Drill, scene: Scene<'_>) -> Vec<Span<'static>> {
    let Scene { theme, now, .. } = scene;
    let (glyph, word, style) = theme.verdict(drill.verdict);
    let took = match drill.ended_at_ms {
        None => format!("running {}", format::age(drill.began_at_ms, now)),
        Some(ended) => {
            let took = seconds(ended.saturating_sub(drill.began_at_ms));
            let closes = theme.say("esc closes");
            format!("{}{}{closes}", theme.say(&format!("took {took}")), theme.dot())
        }
    };
    vec![
        Span::styled(format!("{glyph} {word}"), style),
        Span::styled(format!("{}{}", theme.dot(), theme.say(&took)), theme.label()),
    ]
}

/// A deliberate fault is said before anything else.
pub(super) fn sabotage(drill: &Drill, width: usize, theme: &Theme) -> Option<Line<'static>> {
    let kind = drill.sabotage.as_ref()?;
    let forms = [
        format!(" SABOTAGE {kind}: a deliberate fault is in; this must not end proved "),
        format!(" SABOTAGE {kind}: this must not end proved "),
        format!(" SABOTAGE {kind} "),
    ]
    .map(|form| theme.say(&form));
    let whole = forms.iter().find(|form| format::width(form) <= width);
    let text = whole.cloned().unwrap_or_else(|| format::clip(&forms[2], width, theme.ellipsis()));
    Some(Line::styled(text, theme.alarm()))
}

fn push(rows: &mut Vec<Row>, readily: u8, line: Option<Line<'static>>) {
    rows.extend(line.map(|line| Row::new(readily, line)));
}

fn push_text(
    rows: &mut Vec<Row>,
    readily: u8,
    text: &str,
    width: usize,
    most: usize,
    style: Style,
    theme: &Theme,
) {
    if text.trim().is_empty() {
        return;
    }
    let lines = format::wrap_at_most(&theme.say(text), width, most, theme.ellipsis());
    let first = rows.len();
    rows.extend(lines.into_iter().map(|line| Row::new(readily, Line::styled(line, style))));
    for row in rows.iter_mut().skip(first + 1) {
        row.tail = true;
    }
}

/// The glyph, style and time of a step.
fn mark(step: &DrillStep, scene: Scene<'_>) -> (&'static str, Style, String) {
    let Scene { theme, now, .. } = scene;
    let Some(state) = step.state else {
        return (theme.pick("○", "."), theme.label(), String::new());
    };
    let (glyph, style) = theme.step(state);
    let time = match (step.took_ms, step.began_at_ms) {
        (Some(ms), _) => seconds(ms),
        (None, Some(began)) if state == StepState::Running => format::age(began, now),
        _ => String::new(),
    };
    (glyph, style, time)
}

fn detail_style(step: &DrillStep, theme: &Theme) -> Style {
    if step.state == Some(StepState::Failed) { theme.bad() } else { theme.label() }
}

/// The steps, a line each; the detail beside what runs or failed. Large: with what is expected.
fn steps(drill: &Drill, width: usize, large: bool, scene: Scene<'_>) -> Vec<Row> {
    let theme = scene.theme;
    let longest = drill.steps.iter().map(|s| format::width(&theme.say(&s.title))).max();
    let longest = longest.unwrap_or(0);
    // Number, glyph and spaces before the title, the time after it.
    let numbers = drill.steps.len().to_string().len();
    let before = 2 + numbers + 1;
    let titles = longest.min(width.saturating_sub(before + TIME + 1).min(width * 2 / 3));
    let now = current(drill).map(|(at, _)| at);
    let mut rows = Vec::new();
    for (i, step) in drill.steps.iter().enumerate() {
        let (glyph, style, time) = mark(step, scene);
        let here = now == Some(i) && drill.ended_at_ms.is_none();
        let title = format::clip(&theme.say(&step.title), titles, theme.ellipsis());
        let pad = titles.saturating_sub(format::width(&title));
        let look = match step.state {
            _ if here => theme.strong(),
            None => theme.label(),
            Some(_) => theme.value(),
        };
        let room = width.saturating_sub(before + titles + TIME + 2);
        let telling = here || step.state == Some(StepState::Failed);
        let mut spans = vec![
            Span::styled(format!("{glyph} "), style),
            Span::styled(format!("{:>numbers$} ", i + 1), theme.label()),
            Span::styled(title, look),
            Span::raw(" ".repeat(pad)),
            Span::styled(format!("{time:>TIME$}"), theme.value()),
        ];
        // What it does now, or why it failed, is worth lines of its own.
        let detail = theme.say(&step.detail);
        let own_lines = telling && format::width(&detail) > room;
        if !own_lines && room >= 8 {
            let detail = format::clip(&detail, room, theme.ellipsis());
            spans.push(Span::styled(format!("  {detail}"), detail_style(step, theme)));
        }
        // Steps that are long done give way first.
        rows.push(Row::new(if telling { 0 } else { 3 }, Line::from(spans)));
        if own_lines {
            let indent = " ".repeat(before);
            let room = width.saturating_sub(before);
            let lines = format::wrap_at_most(&detail, room, 3, theme.ellipsis());
            for (at, text) in lines.into_iter().enumerate() {
                let line = Line::styled(format!("{indent}{text}"), detail_style(step, theme));
                rows.push(Row { tail: at > 0, ..Row::new(1, line) });
            }
        }
        if large {
            for (label, text) in [("do", &step.does), ("expect", &step.expect)] {
                // What a presenter keeps back is not told by the other form either.
                if text.is_empty() || (label == "expect" && hides(drill, i)) {
                    continue;
                }
                let room = width.saturating_sub(before + 8);
                for (at, text) in format::wrap(&theme.say(text), room).into_iter().enumerate() {
                    let label = if at == 0 { theme.say(label) } else { String::new() };
                    let label = format::left(&label, 8);
                    let indent = " ".repeat(before);
                    let line = Line::styled(format!("{indent}{label}{text}"), theme.label());
                    rows.push(Row { tail: at > 0, ..Row::new(if here { 4 } else { 6 }, line) });
                }
            }
        }
    }
    rows
}

/// Whether the expectation of a step is kept from the audience now.
pub(super) fn hides(drill: &Drill, step: usize) -> bool {
    use crate::region::status::Pause;
    // Once it is revealed, the next ones are still to be predicted.
    let revealed = drill.waits_for == Some(Pause::GoOn);
    drill.presented
        && drill.ended_at_ms.is_none()
        && !drill.closing()
        && current_presented(drill).is_none_or(|(at, _)| step > at || (step == at && !revealed))
}

/// The step a presenter stands at: with the audience predicting it is the one that begins next,
/// once it is over it stays until the next key.
pub(super) fn current_presented(drill: &Drill) -> Option<(usize, &DrillStep)> {
    use crate::region::status::Pause;
    let over = matches!(drill.waits_for, Some(Pause::Reveal | Pause::GoOn));
    let last = drill.steps.iter().enumerate().rfind(|(_, step)| step.state.is_some());
    last.filter(|_| over).or_else(|| current(drill))
}

/// Two columns with a rule between them.
fn beside(left: Vec<Row>, right: Vec<Line<'static>>, cells: usize, theme: &Theme) -> Vec<Row> {
    let n = left.len().max(right.len());
    let mut left = left.into_iter();
    let mut right = right.into_iter();
    (0..n)
        .map(|_| {
            let row = left.next().unwrap_or(Row::new(3, Line::default()));
            let number = right.next();
            let mut line = flat(row.line);
            let pad = cells.saturating_sub(line.width());
            line.spans.push(Span::raw(" ".repeat(pad)));
            line.spans.push(Span::styled(theme.pick(" │ ", " | "), theme.border()));
            let readily = if number.is_some() { row.readily.min(1) } else { row.readily };
            line.spans.extend(number.map(|line| line.spans).unwrap_or_default());
            Row::new(readily, line)
        })
        .collect()
}

/// The recovery clocks of the zones that this drill has healed.
fn recoveries(drill: &Drill, width: usize, scene: Scene<'_>) -> Vec<Row> {
    let Scene { status, theme, .. } = scene;
    let mut rows = Vec::new();
    for zone in &status.zones {
        let Some(recovery) = zone.recovery.as_ref().filter(|r| {
            r.healed_at_ms >= drill.began_at_ms
                && drill.ended_at_ms.is_none_or(|end| r.healed_at_ms <= end)
        }) else {
            continue;
        };
        let behind = recovery
            .behind
            .map(|n| theme.say(&format!("{} behind at the heal", format::count(n))))
            .map(|behind| format!("{}{behind}", theme.dot()))
            .unwrap_or_default();
        let name = theme.say(&format!("zone {}", zone.name));
        let text = format!("{name}: {}{behind}", zone::clock(recovery, theme));
        let open = recovery.caught_up_after_ms.is_none();
        let style = if open { theme.active() } else { theme.value() };
        push_text(&mut rows, 2, &text, width, 2, style, theme);
        if let Some(stall) = &recovery.stall {
            push_text(&mut rows, 2, stall, width, 6, theme.warn(), theme);
        }
    }
    rows
}

/// The verdict with its reason.
fn verdict(rows: &mut Vec<Row>, drill: &Drill, width: usize, most: usize, theme: &Theme) {
    let (glyph, word, style) = theme.verdict(drill.verdict);
    let text = match drill.evidence.trim() {
        "" => format!("{glyph} {word}"),
        evidence => format!("{glyph} {word}: {}", theme.say(evidence)),
    };
    let style = if drill.verdict == Verdict::Waiting { theme.value() } else { style };
    push_text(rows, 0, &text, width, most, style, theme);
}

/// What is queued, and where the evidence is.
fn rest(rows: &mut Vec<Row>, drill: &Drill, readily: u8, width: usize, scene: Scene<'_>) {
    let theme = scene.theme;
    if !drill.queue.is_empty() {
        let mut text = theme.say(&format!("then: {}", drill.queue.join(", ")));
        if drill.ended_at_ms.is_some() && drill.waits_for.is_some() {
            let key = next_key(scene).map(|key| theme.say(&format!("{key} goes on")));
            text.push_str(theme.dot());
            text.push_str(&key.unwrap_or_else(|| theme.say("the presenter goes on")));
        }
        push_text(rows, 3, &text, width, 1, theme.label(), theme);
    }
    if let Some(bundle) = &drill.bundle {
        // Where things lie on this machine is nobody's business who is given a recording.
        let recorded =
            scene.view.recording || scene.status.screens.iter().any(|screen| screen.records);
        let bundle = bundle.rsplit('/').next().filter(|_| recorded).unwrap_or(bundle);
        let text = format!("evidence: {bundle}");
        push_text(rows, readily, &text, width, 2, theme.value(), theme);
    }
}

/// The key a driver goes on with in a presented drill.
pub(super) fn next_key(scene: Scene<'_>) -> Option<String> {
    let key = scene.view.keymap.key_for("drill next").filter(|_| scene.view.drives)?.to_string();
    // A single letter is another key in capitals.
    Some(if key.chars().count() > 1 { key.to_uppercase() } else { key })
}
