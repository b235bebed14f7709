//! Rates, latency and lag over time: a band for each figure of each zone on one axis, with the cuts
//! shaded and marks below.

mod marks;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span as Text},
    widgets::{Clear, Widget},
};

use super::{
    Scene,
    canvas::{put, rule},
};
use crate::{
    command::keys::{Action, ScreenAction},
    region::{UnixMs, status::Zone, topology::Role},
    tui::{
        format,
        graphs::{Axis, Figure, Seen, Span},
        layout::GRAPHS_MARGIN,
        state::Cursor,
        theme::Theme,
        update,
    },
};

/// Cells of a zone's and of a figure's name.
const ZONE: usize = 5;
const FIGURE: usize = 9;
/// Cells of a number.
const SCALE: usize = 8;

/// A figure of a zone that is drawn.
struct Band<'a> {
    figure: Figure,
    zone: &'a Zone,
}

/// The graphs beside other panes.
pub fn draw(buf: &mut Buffer, area: Rect, scene: Scene<'_>) {
    let zones: Vec<&Zone> = scene.status.zones.iter().collect();
    draw_of(buf, area, &zones, None, scene);
}

/// The graphs of one zone.
pub fn of_zone(buf: &mut Buffer, area: Rect, zone: &Zone, scene: Scene<'_>) {
    draw_of(buf, area, &[zone], None, scene);
}

/// The graphs over the whole screen, with a cursor that reads values.
pub fn large(buf: &mut Buffer, area: Rect, cursor: Cursor, scene: Scene<'_>) {
    Clear.render(area.intersection(buf.area), buf);
    let zones: Vec<&Zone> = scene.status.zones.iter().collect();
    draw_of(buf, area, &zones, Some(cursor), scene);
}

fn draw_of(
    buf: &mut Buffer,
    area: Rect,
    zones: &[&Zone],
    cursor: Option<Cursor>,
    scene: Scene<'_>,
) {
    let Scene { status, view, theme, .. } = scene;
    if area.height < 4 || area.width < GRAPHS_MARGIN + 10 {
        return;
    }
    let below = if area.height < 5 { 1 } else { 2 };
    let plot = Rect {
        x: area.x + GRAPHS_MARGIN,
        y: area.y + 1,
        width: area.width - GRAPHS_MARGIN - 1,
        height: area.height - 1 - below,
    };
    let axis = Axis::new(status, view.span, plot.width);
    let rows = usize::from(plot.height);
    let (bands, hidden) = chosen(zones, view.focus_index(status), rows);
    let read = cursor.and_then(|cursor| cursor.at_ms).and_then(|at| axis.column(at));
    let log = cursor.is_some_and(|cursor| cursor.log);
    title(buf, area, hidden, cursor, read.map(|column| axis.ends(column)), scene);

    let count = u16::try_from(bands.len()).unwrap_or(1).max(1);
    let (each, mut rest) = (plot.height / count, plot.height % count);
    let most_rows = if cursor.is_some() { 8 } else { 4 };
    let mut y = plot.y;
    for &figure in Figure::ALL {
        // One scale for all zones: what is as high is as much.
        let all = zones.iter().map(|zone| axis.columns(figure.of(zone, view.span, status), figure));
        let most = end(all.flatten().filter_map(value).collect(), figure);
        for Band { zone, .. } in bands.iter().filter(|band| band.figure == figure) {
            // The rows that do not divide go to the first bands.
            let height = (each + rest.min(1)).min(most_rows);
            rest = rest.saturating_sub(1);
            let band = Rect { y, height, ..plot };
            y += height;
            let columns = axis.columns(figure.of(zone, view.span, status), figure);
            let at = read.map(|column| columns[usize::from(column)]);
            name(
                buf,
                Rect { x: area.x, width: GRAPHS_MARGIN, ..band },
                (figure, zone),
                (most, at),
                scene,
            );
            let cuts = marks::cuts(zone, status, axis);
            bars(buf, band, &columns, most.unwrap_or(0), &cuts, (figure, log), theme);
            marks::label(buf, band, zone, &cuts, &columns, theme);
            if let Some(column) = read {
                for row in 0..height {
                    if let Some(cell) = buf.cell_mut((band.x + column, band.y + row)) {
                        cell.set_style(theme.chosen());
                    }
                }
            }
        }
    }
    let bottom = Rect { y: area.bottom() - below, height: 1, ..plot };
    marks::draw(buf, bottom, axis, scene);
    if below == 2 {
        marks::ticks(buf, Rect { y: area.bottom() - 1, ..bottom }, axis, scene);
    }
}

/// What is worth the rows there are, in the order of the screen, and how many figures are left out.
///
/// First what every zone consumes and what the mirrors lack: one look shows who went on and who
/// caught up. Then the latency, then what is published, while each band keeps two rows.
fn chosen<'a>(zones: &[&'a Zone], focus: Option<usize>, rows: usize) -> (Vec<Band<'a>>, usize) {
    let lags = |zone: &&&Zone| zone.role == Role::Mirror;
    let core = zones.len() + zones.iter().filter(lags).count();
    let figures = match rows / 2 {
        pairs if pairs >= core + 2 * zones.len() => Figure::ALL,
        pairs if pairs >= core + zones.len() => &Figure::ALL[1..],
        _ => &[Figure::Consumed, Figure::Lag],
    };
    let mut bands: Vec<(usize, Band<'_>)> = figures
        .iter()
        .flat_map(|figure| zones.iter().enumerate().map(move |(i, zone)| (i, *figure, *zone)))
        .filter(|(_, figure, zone)| *figure != Figure::Lag || zone.role == Role::Mirror)
        .map(|(i, figure, zone)| (i, Band { figure, zone }))
        .collect();
    let hidden = bands.len().saturating_sub(rows);
    if hidden > 0 {
        // The source, then the zone with the focus, then the others.
        let rank = |i: usize| if i == 0 { 0 } else { 1 + usize::from(Some(i) != focus) };
        bands.sort_by_key(|(i, _)| (rank(*i), *i));
        bands.truncate(rows);
        bands.sort_by_key(|(i, band)| (band.figure, *i));
    }
    (bands.into_iter().map(|(_, band)| band).collect(), hidden)
}

/// The spans with the chosen one marked, and what the cursor or the keys are.
fn title(
    buf: &mut Buffer,
    area: Rect,
    hidden: usize,
    cursor: Option<Cursor>,
    read: Option<UnixMs>,
    scene: Scene<'_>,
) {
    let Scene { view, theme, now, .. } = scene;
    let mut title = vec![Text::styled(theme.say("last"), theme.strong())];
    for &span in Span::ALL {
        let (text, style) = if span == view.span {
            (format!(" [{span}]"), theme.focus())
        } else {
            (format!(" {span}"), theme.label())
        };
        title.push(Text::styled(text, style));
    }
    if cursor.is_some_and(|cursor| cursor.log) {
        title
            .push(Text::styled(format!("{}{}", theme.dot(), theme.say("log scale")), theme.warn()));
    }
    if hidden > 0 {
        let more = theme.say(&format!("{hidden} more"));
        title.push(Text::styled(format!("{}{more}", theme.dot()), theme.focus()));
    }
    if let Some(at) = read {
        let (time, age) = (marks::time(at, true, scene), format::age(at, now));
        let told = theme.say(&format!("at {time}, {age} ago"));
        title.push(Text::styled(format!("{}{told}", theme.dot()), theme.strong()));
    }
    let key = |action| update::key_of(view, &Action::Screen(action)).map(|key| key.to_string());
    let span = key(ScreenAction::Span).unwrap_or_default();
    let span = format!("{span} span");
    let keys = if cursor.is_some() {
        let cursor = format!("{} cursor", theme.pick("←→", "<>"));
        vec![cursor, span, "* scale".to_owned(), "esc back".to_owned()]
    } else {
        let large = key(ScreenAction::Graphs).unwrap_or_default();
        vec![span, format!("{large} large")]
    };
    let keys: Vec<String> = keys.iter().map(|key| theme.say(key)).collect();
    let right = keys.join(theme.dot());
    rule(buf, area, theme, &title, &right);
}

/// Zone, figure, and where the scale ends, or what the cursor reads.
fn name(
    buf: &mut Buffer,
    area: Rect,
    (figure, zone): (Figure, &Zone),
    (most, read): (Option<u64>, Option<Seen>),
    scene: Scene<'_>,
) {
    let Scene { status, view, theme, .. } = scene;
    let focused = view.focused(status).is_some_and(|focused| focused.name == zone.name);
    let style = if focused { theme.focus() } else { theme.value() };
    let zone = format::clip(zone.name.as_str(), ZONE, theme.ellipsis());
    put(buf, area, 1, 0, &zone, style);
    put(buf, area, 2 + ZONE as u16, 0, &theme.say(figure.as_str()), theme.label());
    let shown = |value: u64| match figure {
        Figure::P99 => format::round_trip(value),
        Figure::Lag => format::short(value),
        Figure::Published | Figure::Consumed => format!("{}/s", format::short(value)),
    };
    let (text, style) = match read {
        Some(Seen::Value(value)) => (shown(value), theme.strong()),
        Some(_) => ("?".into(), theme.strong()),
        None => (most.map_or_else(|| "?".into(), shown), theme.label()),
    };
    let at = 3 + ZONE + FIGURE + SCALE - format::width(&text).min(SCALE);
    let end = put(buf, area, u16::try_from(at).unwrap_or(0), 0, &text, style);
    if read.is_none() {
        put(buf, area, end, 0, theme.pick("┤", "|"), theme.label());
    }
}

fn value(seen: Seen) -> Option<u64> {
    if let Seen::Value(value) = seen { Some(value) } else { None }
}

/// Where a figure's scale ends; `None` where nothing is known. A burst of some seconds does not press
/// the rates of all others flat: it goes beyond the end, and is marked so.
fn end(mut values: Vec<u64>, figure: Figure) -> Option<u64> {
    let most = *values.iter().max()?;
    values.retain(|value| *value > 0);
    values.sort_unstable();
    let usual = values.get(values.len() * 9 / 10).copied().filter(|_| !figure.peaks());
    Some(top(usual.map_or(most, |usual| most.min(usual.saturating_mul(2)))))
}

/// The end of a scale that reaches so far: 1, 2 or 5 with zeros, so that the scale, and with it
/// every bar, stays as it is while values change a little.
fn top(most: u64) -> u64 {
    let mut ten = 1_u64;
    loop {
        for steps in [1, 2, 5] {
            let end = ten.saturating_mul(steps);
            if end >= most {
                return end;
            }
        }
        ten = ten.saturating_mul(10);
    }
}

/// The height of a value in eighths (or the theme's steps) of a band.
fn level(value: u64, most: u64, levels: usize, log: bool) -> usize {
    if value == 0 || levels == 0 {
        return 0;
    }
    let (value, most) = (value as f64, most.max(1) as f64);
    let share = if log { value.ln_1p() / most.ln_1p() } else { value / most };
    ((share * levels as f64).round() as usize).clamp(1, levels)
}

fn bars(
    buf: &mut Buffer,
    band: Rect,
    columns: &[Seen],
    most: u64,
    cuts: &[(u16, u16)],
    (figure, log): (Figure, bool),
    theme: &Theme,
) {
    let bars = theme.bars();
    let levels = bars.len() * usize::from(band.height);
    let style = theme.figure(figure);
    let bottom = band.height - 1;
    for (x, seen) in (0..).zip(columns) {
        let cut = cuts.iter().any(|(from, to)| (*from..=*to).contains(&x));
        if cut {
            for y in 0..band.height {
                put(buf, band, x, y, theme.pick("░", "/"), theme.cut_band());
            }
        }
        match seen {
            Seen::None => {}
            Seen::Unknown => {
                put(buf, band, x, bottom, theme.pick("·", "?"), theme.label());
            }
            Seen::Value(0) => {
                let style = if cut { theme.cut_band() } else { theme.label() };
                put(buf, band, x, bottom, theme.pick("▁", "_"), style);
            }
            Seen::Value(value) => {
                let mut left = level(*value, most, levels, log);
                let mut y = bottom;
                while left > 0 {
                    let part = left.min(bars.len());
                    put(buf, band, x, y, bars[part - 1], style);
                    left -= part;
                    let Some(above) = y.checked_sub(1) else { break };
                    y = above;
                }
                if *value > most && !log {
                    put(buf, band, x, 0, theme.pick("▲", "^"), style);
                }
            }
        }
    }
}

/// The last seconds' lag as a line of bars.
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
            Some(lag) => bars[level(*lag, most, bars.len() - 1, false).min(bars.len() - 1)],
        })
        .collect();
    Line::from(Text::styled(text, if most > 0 { theme.warn() } else { theme.label() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_at_a_round_number_that_holds_all() {
        let ends = [0, 1, 2, 3, 48, 51, 100, 101, 831, u64::MAX].map(top);
        assert_eq!(ends, [1, 1, 2, 5, 50, 100, 100, 200, 1_000, u64::MAX]);
    }

    #[test]
    fn a_burst_goes_beyond_the_scale_of_a_rate_and_of_nothing_else() {
        let burst = || [[50; 40].as_slice(), &[0; 20], &[1000; 2]].concat();
        assert_eq!(end(burst(), Figure::Consumed), Some(100));
        assert_eq!(end(burst(), Figure::Lag), Some(1000));
        // Half the time is no burst.
        assert_eq!(end([[50; 40], [1000; 40]].concat(), Figure::Consumed), Some(1000));
        assert_eq!(end(vec![0; 9], Figure::Consumed), Some(1));
        assert_eq!(end(Vec::new(), Figure::Consumed), None);
    }

    #[test]
    fn bars_are_linear_and_what_is_there_is_seen() {
        let levels = [0, 1, 25, 50, 100].map(|value| level(value, 100, 8, false));
        assert_eq!(levels, [0, 1, 2, 4, 8]);
        assert_eq!((level(10, 100, 8, false), level(10, 100, 8, true)), (1, 4), "logarithmic");
    }
}
