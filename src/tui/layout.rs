//! Where things go. Pure arithmetic: the same plan serves drawing and the mouse.

mod sizes;

use ratatui::layout::Rect;

use self::sizes::Sizes;
use super::state::{DrillLook, ViewState};
use crate::{
    command::recording,
    region::{
        Status,
        status::{Phase, StepState, Zone},
    },
};

/// Below this, only a sentence is shown.
pub const SMALLEST: (u16, u16) = (recording::SMALLEST.columns, recording::SMALLEST.rows);
/// A pane is never narrower than this while there is a choice.
const PANE_WIDTH: u16 = 30;
/// Inside this many cells, facts stand in two columns.
pub const TWO_COLUMNS: u16 = 36;
/// Inside this many cells, a column on the left names the sections.
pub const SECTIONS: u16 = 52;
/// Rows of a pane whose facts stand in two columns, with its border.
const PANE_LOW: u16 = 12;
/// Rows of a pane whose facts stand in one column, with its border.
const PANE_HIGH: u16 = 18;
/// Rows a pane can use when there are plenty.
const PANE_RICH: u16 = 4;
/// Rows of a drill in a few lines, and the most of such a form.
pub const DRILL_LOW: u16 = 8;
/// The most lines of a verdict in its pane.
pub const VERDICT_LINES: usize = 4;
/// From this width a drill's steps and counters stand side by side.
pub const DRILL_COLUMNS: u16 = 100;
/// Rows of the presenter's card: fewer cannot be read, more do not help.
const CARD_LEAST: u16 = 8;
const CARD_MOST: u16 = 21;
/// Rows in which the card shows a drill's ten numbers.
const CARD_WHOLE: u16 = 18;
/// The fewest rows a pane is worth.
const PANE_LEAST: u16 = 5;
/// Title and three lines.
const LOG_LEAST: u16 = 4;
/// Title, two bands, marks and times.
const GRAPHS_LEAST: u16 = 5;
/// Cells left of the graphs: zone, figure and scale.
pub const GRAPHS_MARGIN: u16 = 27;

/// The most rows of graphs beside a drill.
const GRAPHS_MOST: u16 = 10;

/// Where everything is drawn. Areas that have no room are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Too small for anything but a sentence.
    pub too_small: bool,
    /// One row at the top.
    pub header: Rect,
    pub verdicts: Rect,
    pub steps: Rect,
    /// The zones that are shown.
    pub panes: Vec<Pane>,
    /// The links of each row of panes, above it.
    pub buses: Vec<Bus>,
    /// Zones left out on the left and on the right of those shown.
    pub hidden: (usize, usize),
    pub zoom: Rect,
    /// The drill, below the zones or over the whole screen.
    pub drill: Rect,
    pub card: Rect,
    pub ledger: Rect,
    pub graphs: Rect,
    pub log: Rect,
    /// Keys, or the last answer.
    pub foot: Rect,
}

/// A zone's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pane {
    /// Index into the status's zones.
    pub zone: usize,
    pub area: Rect,
}

/// The links above a row of panes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bus {
    /// One or two rows.
    pub area: Rect,
    /// The first of the row's panes, as an index into [`Plan::panes`].
    pub from: usize,
    /// One past the last.
    pub to: usize,
}

/// The whole terminal.
#[must_use]
pub fn screen((width, height): (u16, u16)) -> Rect {
    Rect::new(0, 0, width, height)
}

/// Hands out rows from the top.
struct Rows {
    area: Rect,
}

impl Rows {
    fn take(&mut self, rows: u16) -> Rect {
        let rows = rows.min(self.area.height);
        let taken = Rect { height: rows, ..self.area };
        self.area.y += rows;
        self.area.height -= rows;
        taken
    }
}

/// Whether bring-up steps are worth showing.
#[must_use]
pub fn shows_steps(status: &Status) -> bool {
    matches!(status.phase, Phase::Starting | Phase::Failed)
        || status.steps.iter().any(|step| step.state == StepState::Running)
}

impl Plan {
    /// Lays out a screen.
    #[must_use]
    pub fn new(area: Rect, status: &Status, view: &ViewState) -> Self {
        if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
            return Self { too_small: true, ..Self::default() };
        }
        let mut plan = Self::default();
        let mut rows = Rows { area };
        plan.header = rows.take(1);
        plan.verdicts = rows.take(match area.height {
            _ if status.conclusions.is_empty() => 0,
            36.. => 2,
            _ => 1,
        });
        plan.foot = Rect { y: area.bottom() - 1, height: 1, ..area };
        rows.area.height -= 1;

        if view.zoom && view.focus_index(status).is_some() {
            let room = rows.area.height;
            let log = if room >= 24 { room / 4 } else { 0 };
            let graphs = if room >= 34 { GRAPHS_MOST } else { 0 };
            plan.zoom = rows.take(room - log - graphs);
            plan.graphs = rows.take(graphs);
            plan.log = rows.area;
            return plan;
        }
        let drill = view.drill(status);
        if drill.is_some_and(|(_, look)| look == DrillLook::Large) {
            let log = if rows.area.height >= 30 { rows.area.height / 4 } else { 0 };
            plan.drill = rows.take(rows.area.height - log);
            plan.log = rows.area;
            return plan;
        }
        plan.body(rows, status, view);
        plan
    }

    fn body(&mut self, mut rows: Rows, status: &Status, view: &ViewState) {
        let room = rows.area.height;
        let steps = shows_steps(status);
        let starting = matches!(status.phase, Phase::Starting | Phase::Failed);
        let zones = status.zones.len();
        let steps_rows = u16::try_from(status.steps.len()).unwrap_or(u16::MAX).saturating_add(3);
        if zones == 0 || (starting && room < 30) {
            if steps {
                let log = if room >= 12 { room / 3 } else { 0 };
                self.steps = rows.take(room - log);
            } else {
                self.log = rows.take(room);
            }
            self.log = if steps { rows.area } else { self.log };
            return;
        }

        let mut columns = usize::from((rows.area.width / PANE_WIDTH).max(1)).min(zones);
        let lines = if zones > columns && room >= 44 { 2 } else { 1 };
        if lines == 2 {
            columns = columns.min(zones.div_ceil(2));
        }
        let (shown, hidden) = window(zones, columns * lines, view.focus_index(status));
        self.hidden = hidden;

        let inner = rows.area.width / u16::try_from(columns).unwrap_or(1) - 2;
        let mut pane = if inner >= TWO_COLUMNS { PANE_LOW } else { PANE_HIGH };
        let lines = u16::try_from(lines).unwrap_or(1);
        let bus = if room >= 31 { 2 } else { 1 };
        let known = u16::try_from(zones).unwrap_or(u16::MAX);
        let counted = !status.zones.iter().all(Zone::of_others);
        if let Some((drill, _)) = view.drill(status).filter(|_| !starting) {
            let accounted = if counted { known } else { 0 };
            let watched = if drill.ended_at_ms.is_none() { accounted } else { 0 };
            let card = Sizes::with_card(room, lines, bus, watched);
            let carded = drill.presented && card.drill >= CARD_LEAST;
            let sizes = if carded {
                card
            } else {
                let want = sizes::wanted(drill, status, rows.area.width);
                Sizes::with_drill(room, pane, lines, bus, accounted, want)
            };
            self.place(&mut rows, &shown, columns, lines, sizes.bus, sizes.pane);
            self.ledger = rows.take(sizes.ledger);
            if carded {
                self.card = rows.take(sizes.drill);
            } else {
                self.drill = rows.take(sizes.drill);
            }
            self.graphs = rows.take(sizes.graphs);
            self.log = rows.take(rows.area.height);
            return;
        }
        let mut ledger = if counted { 1 + known.min((room / 8).max(2)) } else { 0 };
        let mut log = LOG_LEAST;
        let mut third = 0;
        if starting {
            ledger = 0;
            third = steps_rows.min(room / 2);
        }

        let fixed = |pane: u16, ledger: u16, third: u16, log: u16| {
            (pane + bus) * lines + ledger + third + log
        };
        // Too much: the pane gives first down to two columns' worth, then the log, the ledger,
        // and the pane again.
        while fixed(pane, ledger, third, log) > room {
            if pane > PANE_LOW {
                pane -= 1;
            } else if third > GRAPHS_LEAST {
                third -= 1;
            } else if log > 0 && pane < PANE_LOW {
                log = 0;
            } else if ledger > 2 {
                ledger -= 1;
            } else if pane > 8 {
                pane -= 1;
            } else if log > 0 {
                log = 0;
            } else if ledger > 0 {
                ledger = 0;
            } else if pane > PANE_LEAST {
                pane -= 1;
            } else {
                break;
            }
        }
        let mut spare = room.saturating_sub(fixed(pane, ledger, third, log));
        let give = |spare: &mut u16, to: &mut u16, most: u16, each: u16| {
            let more = most.min(*spare / each.max(1));
            *to += more;
            *spare -= more * each;
        };
        let mirrors = status.zones.iter().filter(|z| !z.is_hub()).count();
        // What each zone consumes, and what each mirror lacks.
        let bands = u16::try_from(zones + mirrors).unwrap_or(u16::MAX);
        // The steps of a zone that joins stand in the graphs's place, if it has one, so that
        // nothing else moves while they come and go; the foot tells them anyway.
        if !starting {
            give(&mut spare, &mut third, GRAPHS_LEAST, 1);
            if third < GRAPHS_LEAST {
                log += third;
                third = 0;
            }
            let rest = if counted { (known + 1).saturating_sub(ledger) } else { 0 };
            give(&mut spare, &mut ledger, rest, 1);
        }
        give(&mut spare, &mut pane, PANE_RICH / 2, lines);
        if third > 0 && !starting {
            give(&mut spare, &mut third, bands.saturating_sub(2).min(6), 1);
        }
        give(&mut spare, &mut log, 3, 1);
        give(&mut spare, &mut pane, PANE_RICH / 2, lines);
        if third > 0 && !starting {
            give(&mut spare, &mut third, bands.min(9), 1);
            if spare > 16 {
                give(&mut spare, &mut third, 4, 1);
            }
        }
        give(&mut spare, &mut log, u16::MAX, 1);

        self.place(&mut rows, &shown, columns, lines, bus, pane);
        self.ledger = rows.take(ledger);
        if steps {
            self.steps = rows.take(third);
        } else {
            self.graphs = rows.take(third);
        }
        self.log = rows.take(log);
    }

    fn place(
        &mut self,
        rows: &mut Rows,
        shown: &[usize],
        columns: usize,
        lines: u16,
        bus: u16,
        height: u16,
    ) {
        for line in shown.chunks(columns).take(usize::from(lines)) {
            let from = self.panes.len();
            let bus = rows.take(bus);
            let strip = rows.take(height);
            let n = u16::try_from(columns).unwrap_or(1);
            let (width, rest) = (strip.width / n, strip.width % n);
            let mut x = strip.x;
            for (i, zone) in line.iter().enumerate() {
                // The cells that do not divide go to the first panes.
                let width = width + u16::from(i < usize::from(rest));
                self.panes.push(Pane { zone: *zone, area: Rect { x, width, ..strip } });
                x += width;
            }
            self.buses.push(Bus { area: bus, from, to: self.panes.len() });
        }
    }
}

/// Which zones are shown, when not all can be: the source, and the page of mirrors with the
/// focus; alone, the focused zone. Also how many are left out on either side.
fn window(zones: usize, places: usize, focus: Option<usize>) -> (Vec<usize>, (usize, usize)) {
    let focus = focus.unwrap_or(0);
    if zones <= places {
        return ((0..zones).collect(), (0, 0));
    }
    if places <= 1 {
        return (vec![focus], (focus, zones - focus - 1));
    }
    let page = places - 1;
    let first = 1 + focus.saturating_sub(1) / page * page;
    // The last page is filled up from the left.
    let first = first.min(zones - page);
    let shown = std::iter::once(0).chain(first..first + page).collect();
    (shown, (first - 1, zones - first - page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_can_be_reached() {
        for zones in 1..12 {
            for places in 1..8 {
                for focus in 0..zones {
                    let (shown, hidden) = window(zones, places, Some(focus));
                    assert!(shown.contains(&focus), "{zones} {places} {focus}: {shown:?}");
                    assert!(shown.len() <= places);
                    assert_eq!(shown.len() + hidden.0 + hidden.1, zones);
                }
            }
        }
    }
}
