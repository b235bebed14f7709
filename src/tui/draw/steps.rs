//! The steps of a bring-up, as they happen; a failed one with its reason and what to do.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    Scene,
    canvas::{framed, put_lines},
};
use crate::{
    region::{
        format::seconds,
        status::{Phase, StepState},
    },
    tui::format,
};

/// Fewer cells are not worth a part of a detail.
const DETAIL: usize = 8;

pub fn draw(buf: &mut Buffer, area: Rect, scene: Scene<'_>) {
    let Scene { status, theme, .. } = scene;
    if area.height < 3 {
        return;
    }
    let failed = matches!(status.phase, Phase::Failed);
    let title = match status.phase {
        Phase::Failed => " the region did not come up ",
        Phase::Starting => " bringing the region up ",
        _ => " under way ",
    };
    let style = if failed { theme.bad() } else { theme.strong() };
    let inner =
        framed(buf, area, theme, false, Line::styled(theme.say(title), style), Line::default());
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let room = usize::from(inner.width);
    let longest = status.steps.iter().map(|s| format::width(&theme.say(&s.title))).max();
    let longest = longest.unwrap_or(0);
    let titles = longest.min(room / 2);

    let mut reason = Vec::new();
    if let Some(why) = &status.failure {
        reason.push(Line::default());
        reason.extend(
            format::wrap(&theme.say(why), room).into_iter().map(|l| Line::styled(l, theme.bad())),
        );
        let again = theme.say("`:` and `up` tries again; q leaves");
        reason.push(Line::styled(again, theme.label()));
    }
    let mut lines: Vec<Line> = Vec::new();
    for step in &status.steps {
        let (glyph, style) = theme.step(step.state);
        let title = format::clip(&theme.say(&step.title), titles, theme.ellipsis());
        let pad = titles - format::width(&title) + 2;
        let took = step.took_ms.map(seconds).unwrap_or_default();
        let rest = room.saturating_sub(titles + 14);
        let detail = theme.say(&step.detail);
        let fits = rest >= DETAIL || format::width(&detail) <= rest;
        let detail = if fits { detail.as_str() } else { "" };
        let detail = format::clip(detail, rest, theme.ellipsis());
        let emphasis =
            if step.state == StepState::Running { theme.strong() } else { theme.value() };
        lines.push(Line::from(vec![
            Span::styled(format!("{glyph} "), style),
            Span::styled(title, emphasis),
            Span::raw(" ".repeat(pad)),
            Span::styled(format!("{took:>8}  "), theme.value()),
            Span::styled(
                detail,
                if step.state == StepState::Failed { theme.bad() } else { theme.label() },
            ),
        ]));
    }
    // The newest steps and the reason matter most.
    let height = usize::from(inner.height);
    let most = height.saturating_sub(reason.len());
    let skip = lines.len().saturating_sub(most.max(1));
    let mut shown = lines.split_off(skip);
    shown.extend(reason);
    put_lines(buf, inner, &shown);
}
