//! The question whether a region that somebody else runs is meant: what would be done there, and a line
//! for its name.

use ratatui::{buffer::Buffer, layout::Rect, text::Line};

use super::{
    Scene,
    canvas::{popup, put_line, put_lines},
    palette,
};
use crate::tui::{edit::LineEdit, format};

/// Rows that are not the plan's: the frame, a gap, what to type, and the line for it.
const OTHER_ROWS: u16 = 7;

/// Returns where the cursor is shown.
pub fn draw(
    buf: &mut Buffer,
    area: Rect,
    edit: &LineEdit,
    scroll: usize,
    scene: Scene<'_>,
) -> Option<(u16, u16)> {
    let Scene { view, theme, .. } = scene;
    let question = view.question.as_ref()?;
    let most = usize::from(area.width.saturating_sub(8));
    let plan = theme.say(&question.plan);
    let lines: Vec<Line> =
        plan.lines().flat_map(|line| indented(line, most)).map(Line::raw).collect();
    let asked = theme.say("type the region's name and enter: it is done; esc: nothing is");
    let asked = format::wrap(&asked, most);
    let rows = lines.len().min(usize::from(area.height.saturating_sub(OTHER_ROWS)).max(1));
    let first = scroll.min(lines.len().saturating_sub(rows));
    let width = lines.iter().map(Line::width).chain(asked.iter().map(|line| format::width(line)));
    let width = width.max().unwrap_or(0);
    let title = view.pending.get(&question.id).map_or("", String::as_str);
    let right = if lines.len() > rows {
        let arrows = theme.pick("↑↓", "up/down");
        format!(" {}-{} of {}  {arrows}  esc ", first + 1, first + rows, lines.len())
    } else {
        " esc ".to_owned()
    };
    let inner = popup(
        buf,
        area,
        (width, rows + asked.len() + 2),
        theme,
        Line::styled(format!(" {title} "), theme.strong()),
        Line::styled(theme.say(&right), theme.label()),
    );
    let whole = Rect { height: inner.height.min(u16::try_from(rows).unwrap_or(u16::MAX)), ..inner };
    put_lines(buf, whole, lines.get(first..).unwrap_or_default());
    let mut y = whole.height + 1;
    for line in asked {
        put_line(buf, inner, y, &Line::styled(line, theme.warn()));
        y += 1;
    }
    let left = Rect { x: inner.x.saturating_sub(1), ..inner };
    palette::typing(buf, left, y.min(inner.height.saturating_sub(1)), ":", edit, scene)
}

/// A line of the plan in so many cells; what it needs more stands further in.
fn indented(line: &str, most: usize) -> Vec<String> {
    let words = line.trim_start();
    let indent = line.len() - words.len();
    let mut lines = format::wrap(words, most.saturating_sub(indent + 2)).into_iter();
    let first = lines.next().map(|line| format!("{:indent$}{line}", ""));
    let rest = lines.map(|line| format!("{:1$}{line}", "", indent + 2));
    first.into_iter().chain(rest).collect()
}
