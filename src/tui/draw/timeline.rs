//! True lag over time: a band for every mirror zone, with the marks of cuts, heals and nodes.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{
    Scene,
    canvas::{put, rule},
};
use crate::{
    region::{
        UnixMs,
        status::{HISTORY_LEN, HISTORY_STEP_MS, Zone},
        topology::Role,
    },
    tui::{format, theme::Theme},
};

/// Cells left of the bands: name and scale.
const MARGIN: u16 = 12;

/// Which moment a column of the plot stands for. A column's bounds are fixed in time, so that
/// bars move to the left and never change their height on the way.
#[derive(Clone, Copy)]
struct Axis {
    /// The newest sample's number since the epoch.
    newest: u64,
    columns: u16,
}

impl Axis {
    fn new(history_at_ms: UnixMs, columns: u16) -> Self {
        let samples = u16::try_from(HISTORY_LEN).unwrap_or(u16::MAX);
        Self { newest: history_at_ms / HISTORY_STEP_MS, columns: columns.min(samples) }
    }

    /// The column of a sample's number.
    fn column(self, sample: u64) -> Option<u16> {
        let bin = |n: u64| u128::from(n) * u128::from(self.columns) / HISTORY_LEN as u128;
        let back = bin(self.newest).checked_sub(bin(sample))?;
        u16::try_from(back).ok().and_then(|back| (self.columns.checked_sub(1)?).checked_sub(back))
    }
}

/// What is known of a column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sample {
    /// Before the zone was there.
    None,
    Unknown,
    Lag(u64),
}

fn samples(zone: &Zone, axis: Axis) -> Vec<Sample> {
    let mut columns = vec![Sample::None; usize::from(axis.columns)];
    let first = (axis.newest + 1).saturating_sub(zone.lag_history.len() as u64);
    for (number, lag) in (first..).zip(&zone.lag_history) {
        let Some(column) = axis.column(number) else { continue };
        if let Some(at) = columns.get_mut(usize::from(column)) {
            *at = match (*at, lag) {
                (Sample::Lag(a), Some(b)) => Sample::Lag(a.max(*b)),
                (Sample::Lag(a), None) => Sample::Lag(a),
                (_, Some(b)) => Sample::Lag(*b),
                (_, None) => Sample::Unknown,
            };
        }
    }
    columns
}

/// The height of a lag in eighths (or the theme's steps) of a band: logarithmic, so that a lag of
/// one is seen beside a lag of a million.
fn level(lag: u64, most: u64, levels: usize) -> usize {
    if lag == 0 || levels == 0 {
        return 0;
    }
    let share = (lag as f64).ln_1p() / (most.max(1) as f64).ln_1p();
    ((share * levels as f64).round() as usize).clamp(1, levels)
}

/// The last samples as a line of bars.
pub fn spark(zone: &Zone, cells: usize, theme: &Theme) -> Line<'static> {
    let most = zone.lag_history.iter().flatten().max().copied().unwrap_or(0);
    let bars = theme.bars();
    let skip = zone.lag_history.len().saturating_sub(cells);
    let text: String = zone
        .lag_history
        .iter()
        .skip(skip)
        .map(|lag| match lag {
            None => theme.pick("·", " "),
            Some(0) => bars[0],
            Some(lag) => bars[level(*lag, most, bars.len() - 1).min(bars.len() - 1)],
        })
        .collect();
    Line::from(Span::styled(text, if most > 0 { theme.warn() } else { theme.label() }))
}

pub fn draw(buf: &mut Buffer, area: Rect, scene: Scene<'_>) {
    let Scene { status, view, theme, .. } = scene;
    if area.height < 4 || area.width < MARGIN + 10 {
        return;
    }
    let plot = Rect {
        x: area.x + MARGIN,
        y: area.y + 1,
        width: area.width - MARGIN - 2,
        height: area.height - 2,
    };
    let axis = Axis::new(status.history_at_ms, plot.width);
    let plot = Rect { x: plot.right() - axis.columns, width: axis.columns, ..plot };
    let mirrors: Vec<(usize, &Zone)> =
        status.zones.iter().enumerate().filter(|(_, zone)| zone.role == Role::Mirror).collect();
    let focus = view.focus_index(status).unwrap_or(0);
    let n = u16::try_from(mirrors.len()).unwrap_or(u16::MAX);
    let shown = n.min(plot.height);
    let mut title = vec![
        Span::styled("true lag", theme.strong()),
        Span::styled(format!("{}log scale", theme.dot()), theme.label()),
    ];
    if n > shown {
        let more = n - shown;
        let zones = if more == 1 { "zone" } else { "zones" };
        title.push(Span::styled(format!("{}{more} more {zones}", theme.dot()), theme.focus()));
    }
    let right = format!("last {}", format::span(HISTORY_LEN as u64 * HISTORY_STEP_MS));
    rule(buf, area, theme, &title, &right);
    // The page with the focus, when not all bands fit.
    let at = mirrors.iter().position(|(i, _)| *i == focus).unwrap_or(0);
    let first = if shown == 0 { 0 } else { at / usize::from(shown) * usize::from(shown) };
    let first = first.min(mirrors.len() - usize::from(shown));
    let each = plot.height.checked_div(shown).unwrap_or(0).min(8);
    for (row, (i, zone)) in (0..shown).zip(&mirrors[first..]) {
        let band = Rect { y: plot.y + row * each, height: each, ..plot };
        let name = if *i == focus { theme.focus() } else { theme.value() };
        draw_band(buf, area, band, zone, axis, name, theme);
    }
    let marks = Rect { y: area.bottom() - 1, height: 1, ..plot };
    draw_marks(buf, marks, axis, scene);
}

fn draw_band(
    buf: &mut Buffer,
    area: Rect,
    band: Rect,
    zone: &Zone,
    axis: Axis,
    name: Style,
    theme: &Theme,
) {
    let columns = samples(zone, axis);
    let most = columns
        .iter()
        .filter_map(|s| if let Sample::Lag(lag) = s { Some(*lag) } else { None })
        .max();
    let scale = format!("{:>5}", most.map_or_else(|| "?".into(), format::short));
    let most = most.unwrap_or(0);
    let bars = theme.bars();
    let levels = bars.len() * usize::from(band.height);
    let top = band.y - area.y;
    let bottom = top + band.height - 1;
    let label = format::clip(zone.name.as_str(), 5, theme.ellipsis());
    put(buf, area, 1, bottom, &label, name);
    put(buf, area, MARGIN - 6, top, &scale, theme.label());
    for (x, sample) in (band.x..).zip(&columns) {
        let x = x - area.x;
        match sample {
            Sample::None => {}
            Sample::Unknown => {
                put(buf, area, x, bottom, theme.pick("·", "?"), theme.label());
            }
            Sample::Lag(0) => {
                put(buf, area, x, bottom, theme.pick("▁", "_"), theme.label());
            }
            Sample::Lag(lag) => {
                let mut left = level(*lag, most, levels);
                let mut y = bottom;
                while left > 0 {
                    let part = left.min(bars.len());
                    put(buf, area, x, y, bars[part - 1], theme.warn());
                    left -= part;
                    if y == top {
                        break;
                    }
                    y -= 1;
                }
            }
        }
    }
}

/// Marks with their words, where the words have room before the next mark.
fn draw_marks(buf: &mut Buffer, area: Rect, axis: Axis, scene: Scene<'_>) {
    let Scene { status, theme, .. } = scene;
    let placed: Vec<_> = status
        .marks
        .iter()
        .filter_map(|mark| Some((axis.column(mark.at_ms / HISTORY_STEP_MS)?, mark)))
        .collect();
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
