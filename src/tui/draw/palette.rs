//! The lines that are typed: the palette with its candidates, and the log's filter.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
    widgets::{Clear, Widget},
};

use super::{
    Scene,
    canvas::{put, put_line, rule},
};
use crate::tui::{edit::LineEdit, format, state::Palette};

/// The most candidates shown at once.
const MOST: usize = 10;

pub fn draw(
    buf: &mut Buffer,
    area: Rect,
    palette: &Palette,
    scene: Scene<'_>,
) -> Option<(u16, u16)> {
    let theme = scene.theme;
    let candidates = &palette.completions.candidates;
    let width = usize::from(area.width);
    let mut below: Vec<Line> = if let Some(error) = &palette.error {
        format::wrap_at_most(&theme.say(error), width.saturating_sub(6), 3, theme.ellipsis())
            .into_iter()
            .map(|line| Line::styled(format!("     {line}"), theme.bad()))
            .collect()
    } else {
        let keys = ["tab completes", "enter gives", "esc closes", "up recalls"];
        let keys = keys.map(|key| theme.say(key));
        let keys = format::in_one_line(&keys, width.saturating_sub(3));
        vec![Line::styled(format!("   {keys}"), theme.label())]
    };
    if palette.error.is_some()
        && let Some(first) = below.first_mut()
    {
        let text = first.to_string();
        *first = Line::styled(text.replacen("     ", theme.pick("   ▲ ", "   ! "), 1), theme.bad());
    }
    // A rule, candidates, the line, and what is said about it.
    let foot = below.len() + 2;
    let shown = candidates.len().min(MOST).min(usize::from(area.height).saturating_sub(foot));
    let height = u16::try_from(shown + foot).unwrap_or(u16::MAX).min(area.height);
    let place = Rect { y: area.bottom() - height, height, ..area };
    Clear.render(place.intersection(buf.area), buf);
    let more = candidates.len() - shown;
    let right = if more > 0 { format!("{more} more") } else { String::new() };
    rule(buf, place, theme, &[Span::styled(theme.say("command"), theme.strong())], &right);

    let chosen = palette.chosen.unwrap_or(0);
    let first = (chosen + 1).saturating_sub(shown);
    let widest = candidates.iter().map(|c| format::width(&c.text)).max().unwrap_or(0).min(24);
    let list = Rect { x: place.x + 1, width: place.width.saturating_sub(1), ..place };
    for (row, (i, candidate)) in candidates.iter().enumerate().skip(first).take(shown).enumerate() {
        let picked = palette.chosen == Some(i);
        let style = if picked { theme.chosen() } else { theme.value() };
        let text = format::clip(&candidate.text, 24, theme.ellipsis());
        let help = format::clip(
            &theme.say(&candidate.help),
            width.saturating_sub(widest + 6),
            theme.ellipsis(),
        );
        let line = Line::from(vec![
            Span::styled(format!(" {text:<widest$} "), style),
            Span::styled(format!("  {help}"), theme.label()),
        ]);
        put_line(buf, list, u16::try_from(row + 1).unwrap_or(u16::MAX), &line);
    }

    let line = u16::try_from(shown + 1).unwrap_or(u16::MAX);
    for (y, text) in (line + 1..).zip(&below) {
        put_line(buf, place, y, text);
    }
    typing(buf, place, line, ":", &palette.edit, scene)
}

/// A pattern being typed, in place of the foot; `told` is what it finds.
pub fn filter(
    buf: &mut Buffer,
    area: Rect,
    edit: &LineEdit,
    told: &str,
    scene: Scene<'_>,
) -> Option<(u16, u16)> {
    Clear.render(area.intersection(buf.area), buf);
    let at = typing(buf, area, 0, "/", edit, scene);
    let hint = scene.theme.say(&format!("{told}  enter keeps it  esc clears it "));
    let cells = u16::try_from(format::width(&hint)).unwrap_or(0);
    let used = u16::try_from(format::width(edit.text())).unwrap_or(u16::MAX);
    if used.saturating_add(cells + 6) <= area.width {
        put(buf, area, area.width - cells, 0, &hint, scene.theme.label());
    }
    at
}

/// A line with its prompt, moved left while the cursor would leave it. Returns the cursor.
pub(super) fn typing(
    buf: &mut Buffer,
    area: Rect,
    y: u16,
    prompt: &str,
    edit: &LineEdit,
    scene: Scene<'_>,
) -> Option<(u16, u16)> {
    let x = put(buf, area, 1, y, prompt, scene.theme.focus());
    let room = usize::from(area.width.saturating_sub(x + 1));
    let before = edit.text().get(..edit.cursor()).unwrap_or_default();
    let mut start = 0;
    while format::width(before.get(start..).unwrap_or_default()) > room.saturating_sub(1) {
        start += before[start..].chars().next().map_or(1, char::len_utf8);
    }
    put(buf, area, x, y, edit.text().get(start..).unwrap_or_default(), scene.theme.value());
    let cursor = u16::try_from(format::width(before.get(start..).unwrap_or_default())).ok()?;
    Some((area.x + x + cursor, area.y + y))
}
