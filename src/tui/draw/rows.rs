//! The rows of a pane, and which of them are left out where there is no room for all.

use ratatui::text::Line;

use crate::tui::{format, theme::Theme};

/// A line of a pane, and how readily it is left out: 0 stays to the last.
pub struct Row {
    pub readily: u8,
    pub line: Line<'static>,
    /// It goes on with the sentence of the line above, which must not seem to end there.
    pub tail: bool,
}

impl Row {
    pub fn new(readily: u8, line: Line<'static>) -> Self {
        Self { readily, line, tail: false }
    }
}

/// Leaves out what is least needed until the rows fit.
pub fn fit(mut rows: Vec<Row>, height: usize, theme: &Theme) -> Vec<Line<'static>> {
    while rows.len() > height {
        let most = rows.iter().map(|row| row.readily).max().unwrap_or(0);
        if let Some(at) = rows.iter().rposition(|row| row.readily == most) {
            let removed = rows.remove(at);
            if let Some(above) = at.checked_sub(1).filter(|_| removed.tail)
                && let Some(last) = rows.get_mut(above).and_then(|row| row.line.spans.last_mut())
            {
                last.content = cut_short(&last.content, theme.ellipsis()).into();
            }
        }
    }
    rows.into_iter().map(|row| row.line).collect()
}

/// Gives up a text's last word for an ellipsis.
fn cut_short(text: &str, ellipsis: &str) -> String {
    let text = text.trim_end().trim_end_matches(ellipsis);
    match text.rsplit_once(' ') {
        Some((head, _)) if !head.trim().is_empty() => format!("{head}{ellipsis}"),
        _ => format::clip(&format!("{text} "), format::width(text), ellipsis),
    }
}
