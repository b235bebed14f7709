//! One picture of a screen, as text or as SVG (pure).

use std::fmt::Write;

use ratatui::{
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};

use crate::{drill::report::format::escape, tui::format::width};

/// A cell of the drawing, in pixels.
const CELL: (u16, u16) = (8, 17);
/// What a terminal calls its sixteen colours, as most have them since xterm.
const SIXTEEN: [&str; 16] = [
    "#1c1c1c", "#cd3131", "#0dbc79", "#e5e510", "#3b8eea", "#bc3fbc", "#11a8cd", "#d0d0d0",
    "#767676", "#f14c4c", "#23d18b", "#f5f543", "#3b8eea", "#d670d6", "#29b8db", "#ffffff",
];
const PAPER: &str = "#1c1c1c";
const INK: &str = "#d0d0d0";

/// The signs alone, a line a row, without the blanks at its end.
#[must_use]
pub fn text(picture: &Buffer) -> String {
    let rows = picture.content().chunks(usize::from(picture.area.width).max(1));
    let mut out = String::new();
    for row in rows {
        let line: String = signs(row).map(|(_, cell)| cell.symbol()).collect();
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The cells that show something: a wide sign hides the one after it.
fn signs(row: &[Cell]) -> impl Iterator<Item = (usize, &Cell)> {
    let mut hidden = 0;
    row.iter().enumerate().filter(move |(_, cell)| {
        if hidden > 0 {
            hidden -= 1;
            return false;
        }
        hidden = width(cell.symbol()).saturating_sub(1);
        true
    })
}

/// A drawing with the colours of a dark terminal, which any browser shows.
#[must_use]
pub fn svg(picture: &Buffer) -> String {
    let (wide, high) = (picture.area.width * CELL.0, picture.area.height * CELL.1);
    let mut out = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="ui-monospace, Menlo, 'DejaVu Sans Mono', monospace" font-size="13.2"><rect width="100%" height="100%" fill="{PAPER}"/>"#
    );
    out.push('\n');
    let rows = picture.content().chunks(usize::from(picture.area.width).max(1));
    for (row, y) in rows.zip((0u32..).map(|row| row * u32::from(CELL.1))) {
        for (at, cell) in signs(row) {
            let (ink, paper, dim) = look(cell);
            let x = at * usize::from(CELL.0);
            let wide = usize::from(CELL.0) * width(cell.symbol()).max(1);
            if paper != PAPER {
                let _ = write!(
                    out,
                    r#"<rect x="{x}" y="{y}" width="{wide}" height="{}" fill="{paper}"/>"#,
                    CELL.1
                );
            }
            if cell.symbol().trim().is_empty() {
                continue;
            }
            let bold = cell.modifier.contains(Modifier::BOLD);
            let _ = write!(
                out,
                r#"<text x="{x}" y="{}" textLength="{wide}" fill="{ink}"{}{}>{}</text>"#,
                y + 13,
                if bold { r#" font-weight="bold""# } else { "" },
                if dim { r#" opacity="0.6""# } else { "" },
                escape(cell.symbol())
            );
        }
        out.push('\n');
    }
    out.push_str("</svg>\n");
    out
}

/// A cell's ink and paper, and whether it is dim.
fn look(cell: &Cell) -> (String, String, bool) {
    let (ink, paper) = (colour(cell.fg, INK), colour(cell.bg, PAPER));
    let dim = cell.modifier.contains(Modifier::DIM);
    if cell.modifier.contains(Modifier::REVERSED) { (paper, ink, dim) } else { (ink, paper, dim) }
}

fn colour(colour: Color, none: &str) -> String {
    let index = match colour {
        Color::Reset => return none.to_owned(),
        Color::Rgb(r, g, b) => return format!("#{r:02x}{g:02x}{b:02x}"),
        Color::Indexed(index) => index,
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
    };
    if let Some(known) = SIXTEEN.get(usize::from(index)) {
        return (*known).to_owned();
    }
    // The cube of 6x6x6 and the 24 greys of xterm's 256 colours.
    if let Some(grey) = index.checked_sub(232) {
        let level = 8 + 10 * u16::from(grey);
        return format!("#{level:02x}{level:02x}{level:02x}");
    }
    let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * u16::from(n) };
    let cube = index - 16;
    let (r, g, b) = (level(cube / 36), level(cube / 6 % 6), level(cube % 6));
    format!("#{r:02x}{g:02x}{b:02x}")
}

#[cfg(test)]
mod tests {
    use ratatui::{layout::Rect, style::Style};

    use super::*;

    fn picture() -> Buffer {
        let mut picture = Buffer::empty(Rect::new(0, 0, 8, 2));
        picture.set_string(0, 0, "a<b", Style::new().fg(Color::Indexed(208)));
        picture.set_string(0, 1, "区 x", Style::new().add_modifier(Modifier::REVERSED));
        picture
    }

    #[test]
    fn a_picture_as_text_keeps_its_columns() {
        assert_eq!(text(&picture()), "a<b\n区 x\n");
    }

    #[test]
    fn a_picture_as_svg_keeps_signs_colours_and_widths() {
        let svg = svg(&picture());
        assert!(svg.contains(r##"fill="#ff8700">&lt;</text>"##), "{svg}");
        assert!(svg.contains(r##"textLength="16" fill="#1c1c1c">区</text>"##), "{svg}");
        assert!(
            svg.contains(r##"<rect x="0" y="17" width="16" height="17" fill="#d0d0d0"/>"##),
            "{svg}"
        );
        assert_eq!(svg.matches("<text").count(), 5, "{svg}");
    }

    #[test]
    fn colours_of_256_are_xterms() {
        for (index, told) in [(16, "#000000"), (231, "#ffffff"), (232, "#080808"), (255, "#eeeeee")]
        {
            assert_eq!(colour(Color::Indexed(index), INK), told);
        }
    }
}
