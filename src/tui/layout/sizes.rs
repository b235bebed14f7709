//! How many rows everything gets while a drill is shown.

use super::{
    CARD_MOST, CARD_WHOLE, DRILL_COLUMNS, DRILL_LOW, GRAPHS_LEAST, GRAPHS_MOST, LOG_LEAST,
    PANE_LEAST, PANE_LOW, VERDICT_LINES,
};
use crate::{
    region::{
        Status,
        status::{Drill, Zone},
    },
    tui::format,
};

/// The rows of everything while a drill is shown.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) bus: u16,
    pub(super) pane: u16,
    pub(super) ledger: u16,
    pub(super) drill: u16,
    pub(super) graphs: u16,
}

impl Sizes {
    /// The drill takes the place of the log, then of the graphs; the panes give up what they
    /// need least. The log gets what is left.
    pub(super) fn with_drill(
        room: u16,
        pane: u16,
        lines: u16,
        bus: u16,
        accounted: u16,
        want: u16,
    ) -> Self {
        let pane = pane.min(PANE_LOW + 2);
        let ledger = if accounted == 0 { 0 } else { 1 + accounted.min((room / 8).max(2)) };
        let mut s = Self { bus, pane, ledger, drill: want.min(DRILL_LOW), graphs: 0 };
        while s.total(lines) > room {
            if s.pane > PANE_LOW - 2 {
                s.pane -= 1;
            } else if s.ledger > 3 {
                s.ledger -= 1;
            } else if s.drill > 5 {
                s.drill -= 1;
            } else if s.pane > 8 {
                s.pane -= 1;
            } else if s.ledger > 0 {
                s.ledger -= if s.ledger == 2 { 2 } else { 1 };
            } else if s.drill > 3 {
                s.drill -= 1;
            } else if s.pane > PANE_LEAST {
                s.pane -= 1;
            } else if s.drill > 1 {
                s.drill -= 1;
            } else {
                break;
            }
        }
        let mut spare = room.saturating_sub(s.total(lines));
        // Between a few lines and the whole there is nothing worth more rows.
        let more = want - s.drill.min(want);
        if more <= spare {
            s.drill += more;
            spare -= more;
        } else {
            s.drill += spare;
            spare = 0;
        }
        if spare >= GRAPHS_LEAST + LOG_LEAST {
            s.graphs = (spare - LOG_LEAST).min(GRAPHS_MOST);
        } else if spare < LOG_LEAST - 1 {
            s.drill += spare;
        }
        s
    }

    /// The card is what the audience reads: the zones keep what they need most. Where the card has
    /// all its numbers, the ledger of the `watched` zones stands above it: steps ask to watch it.
    pub(super) fn with_card(room: u16, lines: u16, bus: u16, watched: u16) -> Self {
        let lines = lines.max(1);
        let most = if room >= 50 { PANE_LOW } else { 8 };
        let pane = (room / 3 / lines).saturating_sub(bus).clamp(PANE_LEAST, most);
        let rest = room.saturating_sub((pane + bus) * lines);
        let ledger = 1 + watched.min(4);
        let ledger = if watched == 0 || rest < CARD_WHOLE + ledger { 0 } else { ledger };
        let rest = rest - ledger;
        let graphs = rest.saturating_sub(if ledger > 0 { CARD_WHOLE } else { CARD_MOST });
        let graphs = if graphs < GRAPHS_LEAST { 0 } else { graphs.min(GRAPHS_MOST) };
        Self { bus, pane, ledger, drill: rest - graphs, graphs }
    }

    fn total(self, lines: u16) -> u16 {
        (self.pane + self.bus) * lines + self.ledger + self.drill + self.graphs
    }
}

/// The rows a drill's pane fills: its text, its steps beside or above its counters, its verdict.
pub(super) fn wanted(drill: &Drill, status: &Status, width: u16) -> u16 {
    let steps = drill.steps.len();
    let body = if width >= DRILL_COLUMNS {
        steps.max(drill.counters.len())
    } else {
        steps + drill.counters.len()
    };
    let sabotage = usize::from(drill.sabotage.is_some());
    let healed =
        |zone: &&Zone| zone.recovery.as_ref().is_some_and(|r| r.healed_at_ms >= drill.began_at_ms);
    // Its clock, and the sentence of a stall.
    let clocks = 3 * status.zones.iter().filter(healed).count().min(3);
    let reason = format::wrap(&drill.evidence, usize::from(width.saturating_sub(4)).max(1)).len();
    // Border, claim (two lines each), what is queued or where the evidence is; the verdict.
    let verdict = reason.clamp(2, VERDICT_LINES);
    u16::try_from(body + sabotage + clocks + 5 + verdict).unwrap_or(u16::MAX)
}
