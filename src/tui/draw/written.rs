//! What stands where on a drawn screen: for clicks, and for what is searched for.
//!
//! A screen is drawn once more, into a buffer that nobody sees, and read back: what is clicked is
//! what is written there, in whatever language, and no pane keeps a second account of its places.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

use super::{Scene, alarms, overlay};
use crate::{
    command::keys::Key,
    region::{Status, UnixMs, status::Conclusion},
    tui::{
        format,
        pattern::Pattern,
        state::{Overlay, ViewState},
        theme::{Colours, Theme},
    },
};

/// The most rows of a text that are searched.
const MOST_ROWS: u16 = 8000;
/// Rows that a text of no known length may take.
const TEXT_ROWS: u16 = 600;

/// A screen, or what lies on top of one, as it is drawn.
pub struct Written(Buffer);

/// A run of words: two blank cells or a line of a frame end it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The first column.
    pub x: u16,
    /// One past the last.
    pub end: u16,
    pub text: String,
}

impl Segment {
    /// The key that it begins with, if it says what that does.
    #[must_use]
    pub fn hint(&self) -> Option<Key> {
        let (word, _) = self.text.split_once(' ')?;
        // `page-up/page-down scroll`
        word.split('/').find(|key| !key.is_empty()).unwrap_or(word).parse().ok()
    }

    /// The first of the keys that it is a list of.
    #[must_use]
    pub fn keys(&self) -> Option<Key> {
        let mut keys = self.text.split(", ").map(str::parse::<Key>);
        let first = keys.next()?.ok()?;
        keys.all(|key| key.is_ok()).then_some(first)
    }
}

impl Written {
    /// The whole screen.
    #[must_use]
    pub fn screen(status: &Status, view: &ViewState, now: UnixMs) -> Self {
        let area = Rect::new(0, 0, view.size.0, view.size.1);
        let mut buf = Buffer::empty(area);
        super::draw(&mut buf, area, Scene { status, view, theme: &plain(), now });
        Self(buf)
    }

    /// What lies on top, alone.
    #[must_use]
    pub fn on_top(status: &Status, view: &ViewState, overlay: &Overlay, now: UnixMs) -> Self {
        let area = Rect::new(0, 0, view.size.0, view.size.1);
        let theme = plain();
        let scene = Scene { status, view, theme: &theme, now };
        Self(drawn(overlay, area, scene))
    }

    /// The rectangle that anything is drawn in.
    #[must_use]
    pub fn frame(&self) -> Rect {
        bounds(&self.0)
    }

    /// The runs of words in a row.
    #[must_use]
    pub fn row(&self, y: u16) -> Vec<Segment> {
        let mut segments: Vec<Segment> = Vec::new();
        let mut blank = 2;
        let mut x = self.0.area.x;
        while let Some(cell) = self.0.cell((x, y)).filter(|_| x < self.0.area.right()) {
            let symbol = cell.symbol();
            let cells = u16::try_from(format::width(symbol)).unwrap_or(1).max(1);
            match symbol {
                " " | "" => blank += 1,
                line if is_frame(line) => blank = 2,
                word => {
                    match segments.last_mut().filter(|_| blank < 2) {
                        Some(last) => {
                            last.text.push_str(&" ".repeat(blank));
                            last.text.push_str(word);
                            last.end = x + cells;
                        }
                        None => segments.push(Segment { x, end: x + cells, text: word.into() }),
                    }
                    blank = 0;
                }
            }
            x += cells;
        }
        segments
    }

    /// The run of words at a cell.
    #[must_use]
    pub fn at(&self, x: u16, y: u16) -> Option<Segment> {
        self.row(y).into_iter().find(|segment| (segment.x..segment.end).contains(&x))
    }

    /// Which of the conclusions stands at a column of a row.
    #[must_use]
    pub fn conclusion(&self, conclusions: &[Conclusion], x: u16, y: u16) -> Option<usize> {
        let (text, columns) = self.text(y);
        let mut from = 0;
        let mut at = None;
        for (i, one) in conclusions.iter().enumerate() {
            let found = text.get(from..)?.find(&one.name)? + from;
            from = found + one.name.len();
            // Sign, number and the spaces before the name.
            if columns.get(found).is_some_and(|column| column.saturating_sub(4) <= x) {
                at = Some(i);
            }
        }
        at
    }

    /// A row's text, and the column of each of its bytes.
    fn text(&self, y: u16) -> (String, Vec<u16>) {
        row_text(&self.0, Rect { y, height: 1, ..self.0.area }, y)
    }
}

/// The number of cells of the region's word at the head of the screen.
#[must_use]
pub fn word_width(status: &Status, view: &ViewState, now: UnixMs) -> u16 {
    let theme = plain();
    let word = alarms::word(Scene { status, view, theme: &theme, now });
    word.map_or(0, |(word, _)| u16::try_from(format::width(&word)).unwrap_or(0))
}

/// Where in the text on top the hits are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// The row of each hit in the whole text; for a list of alarms the alarm.
    pub at: Vec<usize>,
    /// Rows of the whole text.
    pub rows: usize,
    /// Rows that are shown at once.
    pub shown: usize,
}

/// Searches the whole text of what lies on top.
#[must_use]
pub fn find(
    pattern: &Pattern,
    overlay: &Overlay,
    status: &Status,
    view: &ViewState,
    now: UnixMs,
) -> Hits {
    let mut whole = overlay.clone();
    let Some(scroll) = whole.scroll().filter(|_| !pattern.is_empty()) else {
        return Hits::default();
    };
    *scroll = 0;
    let width = view.size.0.max(1);
    let rows = match overlay {
        Overlay::Answer { text, .. } => {
            let room = usize::from(width.saturating_sub(8)).max(1);
            let rows = text.lines().map(|line| 1 + format::width(line) * 2 / room).sum::<usize>();
            u16::try_from(rows + 8).unwrap_or(MOST_ROWS).min(MOST_ROWS)
        }
        _ => TEXT_ROWS,
    };
    let area = Rect::new(0, 0, width, rows.max(view.size.1));
    let theme = plain();
    let buf = drawn(&whole, area, Scene { status, view, theme: &theme, now });
    let inner = inside(bounds(&buf));
    let listed = matches!(overlay, Overlay::Alarms { .. });
    let (mut hits, mut alarm) = (Vec::new(), 0_usize);
    for y in inner.y..inner.bottom() {
        let (text, _) = row_text(&buf, inner, y);
        if text.split_whitespace().next() == Some((alarm + 1).to_string().as_str()) {
            alarm += 1;
        }
        let at = if listed { alarm.saturating_sub(1) } else { usize::from(y - inner.y) };
        hits.extend(pattern.hits(text.trim_end()).map(|_| at));
    }
    let shown = usize::from(view.size.1.saturating_sub(4)).max(1);
    Hits { at: hits, rows: usize::from(inner.height), shown }
}

/// Marks the hits in what lies on top.
pub(super) fn mark(buf: &mut Buffer, area: Rect, overlay: &Overlay, scene: Scene<'_>) {
    let reading = &scene.view.reading;
    if reading.pattern.is_empty() {
        return;
    }
    let frame = bounds(&drawn(overlay, area, scene));
    let hits = find(&reading.pattern, overlay, scene.status, scene.view, scene.now);
    let inner = inside(frame);
    let mut own = overlay.clone();
    let scroll = own.scroll().map_or(0, |scroll| *scroll);
    let first = scroll.min(hits.rows.saturating_sub(usize::from(inner.height)));
    let before = hits.at.iter().filter(|row| **row < first).count();
    highlight(buf, inner, &reading.pattern, reading.at.checked_sub(before), scene.theme);
}

/// Marks the hits in a part of the screen; `current` is the one that was gone to.
pub(super) fn highlight(
    buf: &mut Buffer,
    area: Rect,
    pattern: &Pattern,
    current: Option<usize>,
    theme: &Theme,
) {
    let area = area.intersection(buf.area);
    let mut number = 0;
    for y in area.y..area.bottom() {
        let (text, columns) = row_text(buf, area, y);
        for hit in pattern.hits(text.trim_end()) {
            let style = if current == Some(number) { theme.chosen() } else { hit_style(theme) };
            number += 1;
            for x in columns.get(hit).unwrap_or_default() {
                if let Some(cell) = buf.cell_mut((*x, y)) {
                    cell.set_style(style);
                }
            }
        }
    }
}

fn hit_style(theme: &Theme) -> Style {
    theme.active().add_modifier(Modifier::UNDERLINED | Modifier::BOLD)
}

/// Where things stand depends on no colour.
fn plain() -> Theme {
    Theme::new(Colours::Mono, false)
}

fn drawn(overlay: &Overlay, area: Rect, scene: Scene<'_>) -> Buffer {
    let mut buf = Buffer::empty(area);
    overlay::draw(&mut buf, area, overlay, scene);
    buf
}

/// What is inside a frame and its padding.
fn inside(frame: Rect) -> Rect {
    Rect {
        x: frame.x + 2,
        y: frame.y + 1,
        width: frame.width.saturating_sub(4),
        height: frame.height.saturating_sub(2),
    }
}

fn bounds(buf: &Buffer) -> Rect {
    let mut found: Option<Rect> = None;
    for y in buf.area.y..buf.area.bottom() {
        let drawn = |x: &u16| buf.cell((*x, y)).is_some_and(|cell| cell.symbol().trim() != "");
        let first = (buf.area.x..buf.area.right()).find(drawn);
        let last = (buf.area.x..buf.area.right()).rev().find(drawn);
        if let (Some(first), Some(last)) = (first, last) {
            let row = Rect { x: first, y, width: last + 1 - first, height: 1 };
            found = Some(found.map_or(row, |all| all.union(row)));
        }
    }
    found.unwrap_or_default()
}

/// A row's text within an area, and the column of each of its bytes.
fn row_text(buf: &Buffer, area: Rect, y: u16) -> (String, Vec<u16>) {
    let (mut text, mut columns) = (String::new(), Vec::new());
    let mut x = area.x;
    while let Some(cell) = buf.cell((x, y)).filter(|_| x < area.right()) {
        let symbol = if cell.symbol().is_empty() { " " } else { cell.symbol() };
        text.push_str(symbol);
        columns.resize(text.len(), x);
        // The cell behind a wide character is its second half.
        x += u16::try_from(format::width(symbol)).unwrap_or(1).max(1);
    }
    (text, columns)
}

fn is_frame(symbol: &str) -> bool {
    symbol.chars().next().is_some_and(|c| ('\u{2500}'..='\u{257f}').contains(&c))
}
