//! Writing into a buffer without ever leaving an area, and rows of labelled facts.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    symbols::border,
    text::{Line, Span},
    widgets::{Block, Clear, Widget},
};

use crate::tui::{format, theme::Theme};

/// Writes a text at a place within `area`, cut off at its right edge. Returns the column after it.
pub fn put(buf: &mut Buffer, area: Rect, x: u16, y: u16, text: &str, style: Style) -> u16 {
    let area = area.intersection(buf.area);
    if x >= area.width || y >= area.height {
        return x;
    }
    let room = usize::from(area.width - x);
    let (end, _) = buf.set_stringn(area.x + x, area.y + y, text, room, style);
    end - area.x
}

/// Writes a line at a row of `area`.
pub fn put_line(buf: &mut Buffer, area: Rect, y: u16, line: &Line<'_>) {
    let area = area.intersection(buf.area);
    if y < area.height && area.width > 0 {
        buf.set_line(area.x, area.y + y, line, area.width);
    }
}

/// Writes lines from the top of `area`.
pub fn put_lines(buf: &mut Buffer, area: Rect, lines: &[Line<'_>]) {
    for (y, line) in lines.iter().enumerate() {
        put_line(buf, area, u16::try_from(y).unwrap_or(u16::MAX), line);
    }
}

/// Draws a frame with a title and returns what is inside.
pub fn framed(
    buf: &mut Buffer,
    area: Rect,
    theme: &Theme,
    focused: bool,
    title: Line<'_>,
    right: Line<'_>,
) -> Rect {
    let border = if focused { theme.focus() } else { theme.border() };
    framed_in(buf, area, theme.frame(focused), border, title, right)
}

/// The same, with lines of another look.
pub fn framed_in(
    buf: &mut Buffer,
    area: Rect,
    lines: border::Set<'static>,
    border: Style,
    title: Line<'_>,
    right: Line<'_>,
) -> Rect {
    let area = area.intersection(buf.area);
    let block = Block::bordered()
        .border_set(lines)
        .border_style(border)
        .title_top(title)
        .title_top(right.right_aligned());
    let inner = block.inner(area);
    block.render(area, buf);
    inner
}

/// A frame on top of everything, in the middle of `area`.
pub fn popup(
    buf: &mut Buffer,
    area: Rect,
    (width, height): (usize, usize),
    theme: &Theme,
    title: Line<'_>,
    right: Line<'_>,
) -> Rect {
    let fit = |want: usize, most: u16| u16::try_from(want).unwrap_or(u16::MAX).min(most);
    let (w, h) = (fit(width + 4, area.width), fit(height + 2, area.height));
    let place = Rect {
        x: area.x + (area.width - w) / 2,
        y: area.y + (area.height - h) / 2,
        width: w,
        height: h,
    };
    Clear.render(place, buf);
    let inner = framed(buf, place, theme, true, title, right);
    Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner }
}

/// A rule with a title, as the head of a pane without sides.
pub fn rule(buf: &mut Buffer, area: Rect, theme: &Theme, title: &[Span<'_>], right: &str) {
    let area = Rect { height: area.height.min(1), ..area };
    let dash = theme.pick("─", "-");
    put(buf, area, 0, 0, &dash.repeat(usize::from(area.width)), theme.border());
    let mut x = put(buf, area, 1, 0, " ", Style::new());
    for span in title {
        x = put(buf, area, x, 0, &span.content, span.style);
    }
    put(buf, area, x, 0, " ", Style::new());
    if !right.is_empty() {
        let text = format!(" {} ", theme.say(right));
        let cells = u16::try_from(format::width(&text)).unwrap_or(u16::MAX);
        if let Some(at) = area.width.checked_sub(cells + 1).filter(|at| *at > x) {
            put(buf, area, at, 0, &text, theme.label());
        }
    }
}

/// A labelled fact.
#[derive(Clone, Debug)]
pub struct Fact {
    pub label: String,
    pub value: String,
    pub style: Style,
    /// A label for where the first has no room.
    short: Option<&'static str>,
    /// A value for where the first has no room.
    brief: Option<String>,
}

impl Fact {
    /// A fact.
    pub fn new(label: &str, value: impl Into<String>, style: Style) -> Self {
        Self { label: label.to_owned(), value: value.into(), style, short: None, brief: None }
    }

    /// The label where the first has no room.
    pub fn or_label(self, short: &'static str) -> Self {
        Self { short: Some(short), ..self }
    }

    /// The value where the first has no room.
    pub fn or_value(self, brief: impl Into<String>) -> Self {
        Self { brief: Some(brief.into()), ..self }
    }

    /// Label and value in so many cells: whole if that can be, else ever shorter. The value
    /// matters more than the label.
    fn within(&self, cells: usize, theme: &Theme) -> (String, String) {
        let label = theme.say(&self.label);
        let short = self.short.map_or_else(|| label.clone(), |short| theme.say(short));
        let value = theme.say(&self.value);
        let brief = self.brief.as_ref().map_or_else(|| value.clone(), |brief| theme.say(brief));
        let (label, short) = (label.as_str(), short.as_str());
        let forms = [(label, &value), (short, &value), (label, &brief), (short, &brief)];
        let fits = |(label, value): &(&str, &String)| {
            format::width(label) + 1 + format::width(value) <= cells
        };
        if let Some((label, value)) = forms.into_iter().find(fits) {
            return (label.to_owned(), value.clone());
        }
        let value = format::clip(&brief, cells, theme.ellipsis());
        let room = cells.saturating_sub(format::width(&value) + 1);
        (format::clip(short, room, theme.ellipsis()), value)
    }
}

/// Facts in `columns` columns, labels left and values right, over `width` cells.
pub fn facts(facts: &[Fact], columns: usize, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    const GAP: usize = 3;
    let columns = columns.max(1);
    let gap = if width < 46 { 2 } else { GAP };
    let each = (width + gap).saturating_sub(gap * columns) / columns;
    // Cells that do not divide widen the first gap, so that the last column ends at the edge.
    let spare = width.saturating_sub(each * columns + gap * (columns - 1));
    facts
        .chunks(columns)
        .map(|row| {
            let mut spans = Vec::new();
            for (i, fact) in row.iter().enumerate() {
                if i > 0 {
                    spans.push(Span::raw(" ".repeat(gap + if i == 1 { spare } else { 0 })));
                }
                let (label, value) = fact.within(each, theme);
                let pad = each.saturating_sub(format::width(&value) + format::width(&label));
                spans.push(Span::styled(label, theme.label()));
                spans.push(Span::raw(" ".repeat(pad)));
                spans.push(Span::styled(value, fact.style));
            }
            Line::from(spans)
        })
        .collect()
}

/// A line whose style is its spans' own, so that spans of another can follow.
pub fn flat(line: Line<'static>) -> Line<'static> {
    let style = line.style;
    line.spans.into_iter().map(|span| span.patch_style(style)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_shortened_before_it_is_cut() {
        let theme = Theme::new(crate::tui::theme::Colours::Mono, false);
        let fact = Fact::new("held at source", "12,345 (3 s old)", Style::new())
            .or_label("held")
            .or_value("12,345 old");
        let at = |cells| {
            let (label, value) = fact.within(cells, &theme);
            format!("{label} {value}")
        };
        assert_eq!(at(31), "held at source 12,345 (3 s old)");
        assert_eq!(at(30), "held 12,345 (3 s old)");
        assert_eq!(at(20), "held 12,345 old");
        assert_eq!(at(14), "he… 12,345 old");
        assert_eq!(at(8), " 12,345 …");
        assert_eq!(at(5), "he… …");
    }
}
