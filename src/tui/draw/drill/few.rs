//! A drill in a few lines.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    counters, current, current_presented, detail_style, flow, mark, name, next_key, push_text,
    recoveries, rest, state,
};
use crate::{
    command::keys::{Action, ScreenAction},
    region::status::{Drill, StepState},
    tui::{
        draw::{
            Scene,
            canvas::{put_lines, rule},
            rows::{self, Row},
        },
        format,
    },
};

/// The current step and the numbers, where there is little room.
pub fn draw(buf: &mut Buffer, area: Rect, drill: &Drill, scene: Scene<'_>) {
    let theme = scene.theme;
    let width = usize::from(area.width).saturating_sub(2);
    let mut title = name(drill, theme);
    if let Some(kind) = &drill.sabotage {
        title.push(Span::raw(" "));
        title.push(Span::styled(theme.say(&format!(" SABOTAGE {kind} ")), theme.alarm()));
    }
    let head = state(drill, scene);
    let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    if area.height == 1 {
        let line = vec![step_line(drill, width, scene)];
        put_lines(buf, inner, &line);
        return;
    }
    let cells: usize = title.iter().chain(&head).map(Span::width).sum();
    if cells + 7 <= usize::from(area.width) {
        title.push(Span::raw(theme.dot()));
        title.extend(head);
    } else {
        title.push(Span::raw(theme.dot()));
        title.extend(head.into_iter().take(1));
    }
    let body = Rect { y: area.y + 1, height: area.height - 1, ..inner };
    let mut rows = Vec::new();
    let failed = current(drill).is_some_and(|(_, s)| s.state == Some(StepState::Failed));
    if drill.ended_at_ms.is_none() || failed {
        rows.push(Row::new(0, step_line(drill, width, scene)));
    }
    // What must not be is never left out for what is as it must be.
    let mut counters = counters(drill, theme);
    counters.sort_by_key(|counted| counted.good != Some(false));
    let numbers = flow(&counters, width, theme);
    let evidence = drill.evidence.trim();
    let (_, _, style) = theme.verdict(drill.verdict);
    let over = drill.ended_at_ms.is_some();
    if over {
        push_text(&mut rows, 0, evidence, width, 3, style, theme);
    }
    rows.extend(numbers.into_iter().map(|line| Row::new(1, line)));
    if !over {
        push_text(&mut rows, 3, evidence, width, 1, style, theme);
        rows.extend(recoveries(drill, width, scene));
    }
    rest(&mut rows, drill, 0, width, scene);
    if !over && rows.len() < usize::from(body.height) {
        push_text(&mut rows, 5, &drill.claim, width, 1, theme.label(), theme);
    }
    let all = rows.len() <= usize::from(body.height);
    let more = key_for_all(scene).filter(|_| !all).map(|key| format!("{key} shows all"));
    rule(buf, area, theme, &title, &more.unwrap_or_default());
    put_lines(buf, body, &rows::fit(rows, usize::from(body.height), theme));
}

/// The key that shows a drill large.
fn key_for_all(scene: Scene<'_>) -> Option<String> {
    let mut bindings = scene.view.keymap.bindings().iter();
    let binding = bindings.find(|b| b.action == Action::Screen(ScreenAction::Drill))?;
    Some(binding.key.to_string())
}

/// The current step in one line.
fn step_line(drill: &Drill, width: usize, scene: Scene<'_>) -> Line<'static> {
    let theme = scene.theme;
    let Some((at, step)) = current_presented(drill) else {
        return Line::styled(theme.say("no steps"), theme.label());
    };
    let (glyph, style, time) = mark(step, scene);
    let waits = match (drill.waits_for.filter(|_| drill.ended_at_ms.is_none()), next_key(scene)) {
        (None, _) => String::new(),
        (Some(_), Some(key)) => theme.say(&format!("{key} goes on")),
        (Some(_), None) => theme.say("waits for the presenter"),
    };
    let head = format!("{}/{} {}", at + 1, drill.steps.len(), theme.say(&step.title));
    // The title gives way to how it goes on.
    let way = if waits.is_empty() { waits } else { format!("{}{waits}", theme.dot()) };
    let left = width.saturating_sub(2 + format::width(&way));
    let head = format::clip(&head, left, theme.ellipsis());
    let left = left.saturating_sub(format::width(&head));
    let mut rest = String::new();
    let detail = theme.say(&step.detail);
    for part in [time.as_str(), detail.as_str()].into_iter().filter(|part| !part.is_empty()) {
        rest.push_str(theme.dot());
        rest.push_str(part);
    }
    let rest = if left < 6 { String::new() } else { format::clip(&rest, left, theme.ellipsis()) };
    let rest = format!("{way}{rest}");
    Line::from(vec![
        Span::styled(format!("{glyph} "), style),
        Span::styled(head, theme.strong()),
        Span::styled(rest, detail_style(step, theme)),
    ])
}
