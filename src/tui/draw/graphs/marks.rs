//! What happened, on the axis of the graphs: cuts as shaded columns, marks with their words, times.

use ratatui::{buffer::Buffer, layout::Rect};

use super::super::{Scene, canvas::put};
use crate::{
    region::{
        Status, UnixMs,
        status::{LinkState, MarkKind, Zone},
    },
    tui::{
        format,
        graphs::{Axis, Seen},
        theme::Theme,
    },
};

/// Distances between two times on the axis, in seconds.
const STEPS: [u64; 13] = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400];

/// The columns in which a zone was cut, first and last of each.
pub(super) fn cuts(zone: &Zone, status: &Status, axis: Axis) -> Vec<(u16, u16)> {
    let mine = status.marks.iter().filter(|mark| mark.zone.as_ref() == Some(&zone.name));
    let mut cuts = Vec::new();
    let mut since: Option<UnixMs> = None;
    for mark in mine {
        match mark.kind {
            MarkKind::Cut => since = since.or(Some(mark.at_ms)),
            MarkKind::Heal => cuts.extend(since.take().map(|from| (from, mark.at_ms))),
            _ => {}
        }
    }
    let link = zone.link.as_ref().filter(|link| link.state == LinkState::Cut);
    if let Some(link) = link {
        cuts.push((since.unwrap_or(link.since_at_ms), status.at_ms));
    }
    let place = |(from, to): (UnixMs, UnixMs)| {
        // One that began before the axis does is seen from its first column on.
        let from = if from < axis.ends(0) { Some(0) } else { axis.column(from) };
        let to = if to < axis.ends(0) { None } else { axis.column(to).or(Some(axis.columns - 1)) };
        // The clock may have been set back between the two.
        Some((from?, to?)).filter(|(from, to)| from <= to)
    };
    cuts.into_iter().filter_map(place).collect()
}

/// Writes into the shaded columns what they are, where nothing is drawn.
pub(super) fn label(
    buf: &mut Buffer,
    band: Rect,
    zone: &Zone,
    cuts: &[(u16, u16)],
    columns: &[Seen],
    theme: &Theme,
) {
    let text = format!(" {} {} ", theme.say("cut"), zone.name);
    let cells = u16::try_from(format::width(&text)).unwrap_or(u16::MAX);
    for (from, to) in cuts {
        let spare = (to + 1 - from).saturating_sub(cells + 2);
        let at = from + 1 + spare / 2;
        let under = columns.get(usize::from(at)..usize::from(at + cells)).unwrap_or_default();
        let free = |seen: &Seen| !matches!(seen, Seen::Value(1..));
        if to + 1 - from >= cells + 2 && (band.height > 1 && under.iter().all(free)) {
            put(buf, band, at, 0, &text, theme.bad());
        }
    }
}

/// Marks with their words, where the words have room before the next mark.
pub(super) fn draw(buf: &mut Buffer, area: Rect, axis: Axis, scene: Scene<'_>) {
    let Scene { status, theme, .. } = scene;
    let placed: Vec<_> =
        status.marks.iter().filter_map(|mark| Some((axis.column(mark.at_ms)?, mark))).collect();
    let mut free = 0;
    for (i, (x, mark)) in placed.iter().enumerate() {
        let (glyph, style) = theme.mark(mark.kind);
        let next = placed.get(i + 1).map_or(area.width, |(next, _)| *next);
        let words = match &mark.zone {
            Some(zone) if !mark.text.contains(zone.as_str()) => format!("{} {zone}", mark.text),
            _ => mark.text.clone(),
        };
        let cells = u16::try_from(format::width(&words)).unwrap_or(u16::MAX);
        let right = next.saturating_sub(x + 3);
        let left = x.saturating_sub(free + 2);
        put(buf, area, *x, 0, glyph, style);
        free = x + 1;
        if cells <= right || right >= 12 {
            let text = format::clip(&words, usize::from(right.min(40)), theme.ellipsis());
            free = put(buf, area, x + 2, 0, &text, theme.label());
        } else if cells <= left {
            put(buf, area, x - cells - 1, 0, &words, theme.label());
        }
    }
}

/// Round times under the columns in which they come.
pub(super) fn ticks(buf: &mut Buffer, area: Rect, axis: Axis, scene: Scene<'_>) {
    let theme = scene.theme;
    let (first, last) = (axis.ends(0), axis.ends(axis.columns - 1));
    let seconds = last.saturating_sub(first) / 1000;
    let most = u64::from(area.width / 14).max(1);
    let step = STEPS.into_iter().find(|step| seconds / step <= most).unwrap_or(14_400);
    let fine = step < 60;
    // Round where the person sits: offsets that are no whole steps move the grid.
    let offset = offset_s(last, scene).rem_euclid(i64::try_from(step).unwrap_or(1));
    let offset = u64::try_from(offset).unwrap_or(0);
    let mut at = (first / 1000 + offset) / step * step + step - offset;
    while at * 1000 <= last {
        if let Some(column) = axis.column(at * 1000) {
            let text = format!("{}{}", theme.pick("╵", "'"), time(at * 1000, fine, scene));
            if usize::from(column) + format::width(&text) <= usize::from(area.width) {
                put(buf, area, column, 0, &text, theme.label());
            }
        }
        at += step;
    }
}

fn offset_s(at: UnixMs, scene: Scene<'_>) -> i64 {
    format::timestamp(at).map_or(0, |at| i64::from(scene.view.zone.to_offset(at).seconds()))
}

/// A time of day where the person sits.
pub(super) fn time(at: UnixMs, seconds: bool, scene: Scene<'_>) -> String {
    let form = if seconds { "%H:%M:%S" } else { "%H:%M" };
    format::local(at, &scene.view.zone, form).unwrap_or_default()
}
