//! The ledger strip: how far the messages have come in each zone, and what must be zero.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{Scene, canvas::put_line};
use crate::{
    region::{
        Status,
        status::{Ledger, Zone},
    },
    tui::{format, theme::Theme},
};

/// A column: its heading, its widths, and what stands in it.
struct Column {
    name: &'static str,
    /// Cells below [`ROOMY`] and from there.
    cells: (usize, usize),
    value: fn(&Zone, &Status) -> Option<u64>,
    kind: Kind,
    /// The strip needs this many cells to show it: a column is there whole or not at all.
    from: usize,
}

/// From this many cells columns are wide enough for millions.
const ROOMY: usize = 104;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A step on a message's way; an arrow leads to it.
    Step,
    /// The same, told as the sequence up to which it went.
    UpTo,
    Plain,
    Zero,
}

/// Of a ledger that was cut short that is not known.
fn lost(zone: &Zone) -> Option<u64> {
    let Ledger { lost, unrecorded, .. } = zone.ledger;
    known(zone, lost).filter(|lost| unrecorded == 0 || *lost > 0)
}

/// What a drill's record does not hold.
fn known(zone: &Zone, n: u64) -> Option<u64> {
    zone.recorded.is_none().then_some(n)
}

fn stored(zone: &Zone) -> Option<u64> {
    let recorded = zone.recorded.as_ref().and_then(|recorded| recorded.messages);
    zone.messages().or(recorded)
}

fn delivered(zone: &Zone) -> Option<u64> {
    zone.consumer.as_ref()?.delivered
}

static COLUMNS: [Column; 12] = [
    column("produced", (9, 12), |_, status| Some(status.producer.published), Kind::Plain, 0),
    column("stored", (10, 12), |z, _| stored(z), Kind::Step, 43),
    column("delivered", (11, 12), |z, _| delivered(z), Kind::UpTo, 54),
    column("acked", (10, 12), |z, _| z.ack_floor(), Kind::UpTo, 0),
    column("lost", (5, 6), |z, _| lost(z), Kind::Zero, 0),
    column("dup", (4, 6), |z, _| known(z, z.ledger.duplicates), Kind::Zero, 66),
    column("reord", (6, 7), |z, _| known(z, z.ledger.reordered), Kind::Zero, 72),
    column("corrupt", (8, 9), |z, _| known(z, z.ledger.corrupt), Kind::Zero, 80),
    column("redeliv", (8, 9), |z, _| known(z, z.ledger.redelivered), Kind::Plain, 108),
    column("processed", (12, 12), |z, _| Some(z.ledger.received), Kind::Plain, 130),
    column("twice", (8, 8), |z, _| known(z, z.ledger.processed_twice), Kind::Plain, 140),
    column("unexpected", (12, 12), |z, _| known(z, z.ledger.unexpected), Kind::Zero, 150),
];

const fn column(
    name: &'static str,
    cells: (usize, usize),
    value: fn(&Zone, &Status) -> Option<u64>,
    kind: Kind,
    from: usize,
) -> Column {
    Column { name, cells, value, kind, from }
}

impl Column {
    fn width(&self, strip: usize) -> usize {
        if strip < ROOMY { self.cells.0 } else { self.cells.1 }
    }
}

/// Cells of the zone's name.
const NAME: usize = 8;

/// The strip, as many rows as there is room for.
pub fn draw(buf: &mut Buffer, area: Rect, scene: Scene<'_>) {
    let Scene { status, view, theme, .. } = scene;
    if area.height < 2 {
        return;
    }
    let width = usize::from(area.width);
    let columns = columns(width);
    let rows = usize::from(area.height) - 1;
    let focus = view.focus_index(status).unwrap_or(0);
    let zones = chosen(&status.zones, rows, focus);

    let left_out = status.zones.len() - zones.len();
    let more = theme.say(&format!("  +{left_out} zones"));
    let beside = left_out > 0 && cells(&columns, width) + format::width(&more) <= width;
    let mut head = vec![match left_out {
        n if n > 0 && !beside => {
            Span::styled(named(&theme.say(&format!("+{n} more"))), theme.focus())
        }
        _ => Span::styled(named(&theme.say("ledger")), theme.strong()),
    }];
    for column in &columns {
        let name = format::right(&theme.say(column.name), column.width(width));
        head.push(Span::styled(name, theme.label()));
    }
    if beside {
        head.push(Span::styled(more, theme.focus()));
    }
    put_line(buf, area, 0, &Line::from(head));
    for (y, (i, zone)) in zones.iter().enumerate() {
        let mut name = theme.say(&format!("zone {}", zone.name));
        if format::width(&name) > NAME {
            name = format::clip(zone.name.as_str(), NAME, theme.ellipsis());
        }
        let style = if *i == focus { theme.focus() } else { theme.value() };
        let mut spans = vec![Span::styled(named(&name), style)];
        for column in &columns {
            spans.extend(cell(column, column.width(width), (zone, status), theme));
        }
        put_line(buf, area, u16::try_from(y + 1).unwrap_or(u16::MAX), &Line::from(spans));
    }
}

/// What stands in the zone's column.
fn named(text: &str) -> String {
    format!(" {}", format::left(text, NAME))
}

/// The columns that a strip of so many cells has room for.
fn columns(width: usize) -> Vec<&'static Column> {
    COLUMNS.iter().filter(|column| width >= column.from).collect()
}

/// The cells that these columns and the zone's name take.
fn cells(columns: &[&Column], width: usize) -> usize {
    1 + NAME + columns.iter().map(|column| column.width(width)).sum::<usize>()
}

fn cell(
    column: &Column,
    cells: usize,
    (zone, status): (&Zone, &Status),
    theme: &Theme,
) -> [Span<'static>; 2] {
    let value = (column.value)(zone, status);
    let leads = matches!(column.kind, Kind::Step | Kind::UpTo);
    let arrow = if leads { theme.pick(" →", " >") } else { "" };
    let room = cells - format::width(arrow);
    let mark = if column.kind == Kind::UpTo && has_holes(zone) { "#" } else { "" };
    let cells = room.saturating_sub(1 + mark.len());
    let text = value.map_or_else(|| "?".into(), |n| format!("{mark}{}", format::within(n, cells)));
    let style = match (column.kind, value) {
        (_, None) => theme.stale(),
        (Kind::Zero, Some(n)) if n > 0 => theme.bad(),
        (Kind::Zero, _) => theme.label(),
        _ => theme.value(),
    };
    [Span::styled(arrow, theme.label()), Span::styled(format!("{text:>room$}"), style)]
}

/// Its stream holds fewer messages than its last sequence says, so that the two must not be read as one.
fn has_holes(zone: &Zone) -> bool {
    zone.stream.as_ref().is_some_and(|stream| stream.messages != stream.last_seq)
}

/// The zones with room for a row: those with something wrong and the focused one first, then in
/// order; shown in order.
fn chosen(zones: &[Zone], rows: usize, focus: usize) -> Vec<(usize, &Zone)> {
    let mut ranked: Vec<(usize, &Zone)> = zones.iter().enumerate().collect();
    ranked.sort_by_key(|(i, zone)| (!is_wrong(&zone.ledger), *i != focus, *i));
    ranked.truncate(rows);
    ranked.sort_by_key(|(i, _)| *i);
    ranked
}

fn is_wrong(ledger: &Ledger) -> bool {
    ledger.faults().iter().any(|(_, number)| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_column_is_cut_by_the_edge() {
        for width in 40..240 {
            assert!(cells(&columns(width), width) <= width, "{width}");
        }
        let shown: Vec<&str> = columns(40).iter().map(|column| column.name).collect();
        assert_eq!(shown, ["produced", "acked", "lost"]);
    }
}
