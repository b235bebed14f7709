//! Drawing: one file per thing on screen, each a function of status, view state and theme.

mod alarms;
mod canvas;
mod card;
mod drill;
mod figures;
mod foot;
mod graphs;
mod header;
mod ledger;
mod links;
mod logs;
mod named;
mod nodes;
mod overlay;
mod palette;
mod question;
mod rows;
mod steps;
pub mod written;
mod zone;
mod zoom;

use ratatui::{
    Frame,
    buffer::{Buffer, Cell},
    layout::Rect,
    widgets::{Clear, Widget},
};

use super::{
    layout::{Plan, SMALLEST},
    state::{Connection, Overlay, ViewState},
    theme::Theme,
};
use crate::region::{Status, UnixMs, status::Phase};

/// Everything a pane is drawn from.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    status: &'a Status,
    view: &'a ViewState,
    theme: &'a Theme,
    now: UnixMs,
}

/// Draws a screen. Depends on nothing but its arguments (and tui-logger's buffer, on a screen that
/// feeds it).
pub fn render(frame: &mut Frame, status: &Status, view: &ViewState, theme: &Theme, now: UnixMs) {
    // In a replay, ages count to the moment that is shown.
    let now = if status.replay.is_some() { status.at_ms } else { now };
    let scene = Scene { status, view, theme, now };
    let area = frame.area();
    let cursor = draw(frame.buffer_mut(), area, scene);
    if theme.ascii {
        frame.buffer_mut().content.iter_mut().for_each(plain);
    }
    if let Some((x, y)) = cursor.filter(|at| area.contains((*at).into())) {
        frame.set_cursor_position((x, y));
    }
}

/// What the room and people write may hold what this terminal cannot show.
fn plain(cell: &mut Cell) {
    if !cell.symbol().is_ascii() {
        cell.set_symbol(if cell.symbol() == "µ" { "u" } else { "?" });
    }
}

/// Draws into a buffer; returns where the cursor is shown, if something is being typed.
fn draw(buf: &mut Buffer, area: Rect, scene: Scene<'_>) -> Option<(u16, u16)> {
    let Scene { status, view, theme, .. } = scene;
    let plan = Plan::new(area, status, view);
    if plan.too_small {
        too_small(buf, area, theme);
        return None;
    }
    header::draw(buf, plan.header, scene);
    header::verdicts(buf, plan.verdicts, scene);
    for bus in &plan.buses {
        links::draw(buf, bus, &plan, scene);
    }
    for pane in &plan.panes {
        if let Some(zone) = status.zones.get(pane.zone) {
            zone::draw(buf, pane.area, zone, scene);
        }
    }
    if let Some(zone) = view.focused(status).filter(|_| !plan.zoom.is_empty()) {
        zoom::draw(buf, plan.zoom, zone, scene);
    }
    steps::draw(buf, plan.steps, scene);
    if let Some((shown, look)) = view.drill(status) {
        drill::draw(buf, plan.drill, shown, look, scene);
        card::draw(buf, plan.card, shown, scene);
    }
    ledger::draw(buf, plan.ledger, scene);
    match view.focused(status).filter(|_| !plan.zoom.is_empty()) {
        Some(zone) => graphs::of_zone(buf, plan.graphs, zone, scene),
        None => graphs::draw(buf, plan.graphs, scene),
    }
    logs::draw(buf, plan.log, scene);
    foot::draw(buf, plan.foot, scene);
    let nothing = plan.panes.is_empty() && plan.zoom.is_empty() && plan.steps.is_empty();
    if nothing && plan.drill.is_empty() {
        empty(buf, plan.log, scene);
    }
    match &view.overlay {
        None => {
            if let Connection::Lost { why, since_at_ms } = &view.connection {
                overlay::lost(buf, area, why, *since_at_ms, scene);
            }
            None
        }
        Some(Overlay::Palette(line)) => palette::draw(buf, area, line, scene),
        Some(Overlay::Filter { edit, large }) => {
            if *large {
                logs::large(buf, area, scene);
            }
            let log = &view.log;
            let told =
                log.filter.wrong().map_or_else(String::new, |why| format!("no pattern: {why}"));
            palette::filter(buf, plan.foot, edit, &told, scene)
        }
        Some(Overlay::Graphs(cursor)) => {
            let area = Rect { y: plan.verdicts.bottom(), ..area };
            let area = Rect { height: plan.foot.y.saturating_sub(area.y), ..area };
            graphs::large(buf, area, *cursor, scene);
            None
        }
        Some(Overlay::Named { edit, scroll }) => named::draw(buf, area, edit, *scroll, scene),
        Some(Overlay::Log) => {
            logs::large(buf, area, scene);
            None
        }
        Some(other) => {
            overlay::draw(buf, area, other, scene);
            written::mark(buf, area, other, scene);
            searched(buf, plan.foot, other, scene)
        }
    }
}

/// What is searched for in the text on top, in place of the foot.
fn searched(
    buf: &mut Buffer,
    foot: Rect,
    overlay: &Overlay,
    scene: Scene<'_>,
) -> Option<(u16, u16)> {
    let Scene { status, view, theme, now } = scene;
    let reading = &view.reading;
    if reading.typing.is_none() && reading.pattern.is_empty() {
        return None;
    }
    let hits = written::find(&reading.pattern, overlay, status, view, now).at.len();
    let told = match (reading.pattern.wrong(), hits) {
        _ if reading.pattern.is_empty() => String::new(),
        (Some(why), _) => format!("no pattern: {why}"),
        (None, 0) => "no hit".to_owned(),
        (None, hits) => format!("hit {} of {hits}", reading.at.min(hits - 1) + 1),
    };
    if let Some(edit) = &reading.typing {
        return palette::filter(buf, foot, edit, &told, scene);
    }
    Clear.render(foot.intersection(buf.area), buf);
    let x = canvas::put(buf, foot, 1, 0, &format!("/{}", reading.pattern.text()), theme.focus());
    let only = match overlay {
        Overlay::Answer { .. } if reading.only => "f all lines  ",
        Overlay::Answer { .. } => "f only hits  ",
        _ => "",
    };
    let keys = format!("  {told}  n next  N previous  {only}esc clears it");
    canvas::put(buf, foot, x, 0, &keys, theme.label());
    None
}

fn too_small(buf: &mut Buffer, area: Rect, theme: &Theme) {
    let text = theme.say(&format!("too small: {}x{} at least", SMALLEST.0, SMALLEST.1));
    for (y, line) in super::format::wrap(&text, usize::from(area.width)).iter().enumerate() {
        canvas::put(buf, area, 0, u16::try_from(y).unwrap_or(u16::MAX), line, theme.warn());
    }
}

/// What is said while there is nothing to show.
fn empty(buf: &mut Buffer, area: Rect, scene: Scene<'_>) {
    let text = match (&scene.view.connection, &scene.status.phase) {
        (Connection::Waiting, _) => "waiting for the room …",
        (_, Phase::Down) => "no servers run: `:` and `up` starts them",
        (_, Phase::Stopping) => "the servers are being stopped …",
        _ => "no zones yet",
    };
    let text = scene.theme.say(text);
    let row = area.height / 3;
    let cells = u16::try_from(super::format::width(&text)).unwrap_or(0);
    let column = area.width.saturating_sub(cells) / 2;
    canvas::put(buf, area, column, row, &text, scene.theme.strong());
}
