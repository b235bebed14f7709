//! The numbers that decide, below or beside one another.

use ratatui::{
    style::Style,
    text::{Line, Span},
};

use crate::{
    region::status::{Counter, Drill},
    tui::{format, theme::Theme},
};

/// A deciding number as glyph, label and value.
pub(in crate::tui::draw) struct Counted {
    pub(super) good: Option<bool>,
    glyph: &'static str,
    style: Style,
    label: String,
    value: String,
}

impl Counted {
    pub(in crate::tui::draw) fn is_unknown(&self) -> bool {
        self.value == "?"
    }
}

pub(in crate::tui::draw) fn counters(drill: &Drill, theme: &Theme) -> Vec<Counted> {
    drill
        .counters
        .iter()
        .map(|Counter { label, value, good }| {
            let (glyph, style) = theme.counter(*good);
            let value = if value.is_empty() { "?".into() } else { theme.say(value) };
            Counted { good: *good, glyph, style, label: theme.say(label), value }
        })
        .collect()
}

/// Deciding numbers below one another, values at the right edge.
pub(in crate::tui::draw) fn column(
    counters: &[Counted],
    width: usize,
    theme: &Theme,
) -> Vec<Line<'static>> {
    counters
        .iter()
        .map(|counted| {
            let value = format::clip(&counted.value, width.saturating_sub(3), theme.ellipsis());
            let room = width.saturating_sub(format::width(&value) + 3);
            let label = format::clip(&counted.label, room, theme.ellipsis());
            let pad = room.saturating_sub(format::width(&label)) + 1;
            Line::from(vec![
                Span::styled(format!("{} ", counted.glyph), counted.style),
                Span::styled(label, theme.label()),
                Span::raw(" ".repeat(pad)),
                Span::styled(value, counted.style),
            ])
        })
        .collect()
}

/// Deciding numbers beside one another, over as many lines as they take.
pub(super) fn flow(counters: &[Counted], width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut lines: Vec<Vec<Span>> = vec![Vec::new()];
    let mut used = 0;
    for counted in counters {
        let text = format!("{} {}", counted.label, counted.value);
        let text = format::clip(&text, width.saturating_sub(2), theme.ellipsis());
        let cells = format::width(&text) + 2;
        if used > 0 && used + 3 + cells > width {
            lines.push(Vec::new());
            used = 0;
        }
        let Some(line) = lines.last_mut() else { break };
        if used > 0 {
            line.push(Span::raw("   "));
            used += 3;
        }
        line.push(Span::styled(format!("{} ", counted.glyph), counted.style));
        line.push(Span::styled(text, counted.style));
        used += cells;
    }
    lines.into_iter().filter(|line| !line.is_empty()).map(Line::from).collect()
}
