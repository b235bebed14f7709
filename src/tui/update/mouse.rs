//! What is clicked is what is written there: a hint is its key, a row what it names.

use super::{Effect, give, key, key_for, running, screen};
use crate::{
    command::keys::{Key, Named, ScreenAction},
    drill::conclusions,
    region::{
        Status, UnixMs,
        status::{Phase, Verdict, Zone},
    },
    tui::{
        draw::written::{self, Written},
        graphs::Axis,
        layout::{self, GRAPHS_MARGIN, Plan},
        state::{Connection, Cursor, DrillLook, Overlay, ViewState},
        update::{Mouse, asker},
    },
};

/// Takes a mouse event; says whether it changed anything, and what must be done outside.
pub fn mouse(
    view: &mut ViewState,
    status: &Status,
    mouse: Mouse,
    now: UnixMs,
) -> (bool, Vec<Effect>) {
    if let Mouse::Click { x, y } = mouse {
        let clicked = match view.overlay.clone() {
            Some(overlay) => on_top(view, status, &overlay, (x, y), now),
            None => ground(view, status, (x, y), now),
        };
        return clicked.map_or((false, Vec::new()), |effects| (true, effects));
    }
    let back = mouse == Mouse::WheelUp;
    match view.overlay.as_mut().and_then(Overlay::scroll) {
        Some(scroll) if back => *scroll = scroll.saturating_sub(3),
        Some(scroll) => *scroll = scroll.saturating_add(3),
        None => view.log.scroll(back, 3),
    }
    (true, Vec::new())
}

/// A click while something lies on top.
fn on_top(
    view: &mut ViewState,
    status: &Status,
    overlay: &Overlay,
    (x, y): (u16, u16),
    now: UnixMs,
) -> Option<Vec<Effect>> {
    let esc = Key::named(Named::Esc);
    let screen = Written::screen(status, view, now);
    let pressed = |view: &mut ViewState, pressed: Key| Some(key(view, status, pressed, now));
    let hint = screen.at(x, y).and_then(|segment| segment.hint());
    match overlay {
        Overlay::Palette(palette) => {
            let first = screen.row(y).into_iter().next()?;
            let chosen =
                palette.completions.candidates.iter().find(|candidate| {
                    y < view.size.1 && first.x == 2 && candidate.text == first.text
                });
            if let (Some(chosen), Some(Overlay::Palette(line))) = (chosen, &mut view.overlay) {
                line.edit.replace_from(palette.completions.start, &chosen.text);
                line.edit.insert(" ");
                line.typed(status);
                return Some(Vec::new());
            }
            pressed(view, hint?)
        }
        Overlay::Filter { .. } | Overlay::Log => pressed(view, hint?),
        Overlay::Graphs(cursor) => {
            let plot = GRAPHS_MARGIN..view.size.0.saturating_sub(1);
            let plan = Plan::new(layout::screen(view.size), status, view);
            let inside = (plan.verdicts.bottom()..plan.foot.y).contains(&y);
            if !inside {
                return pressed(view, esc);
            }
            let axis = Axis::new(status, view.span, plot.end.saturating_sub(plot.start));
            let column = x.checked_sub(plot.start).filter(|_| plot.contains(&x))?;
            let at_ms = (column <= axis.newest(status)).then(|| axis.ends(column));
            view.overlay = Some(Overlay::Graphs(Cursor { at_ms, ..*cursor }));
            Some(Vec::new())
        }
        _ => {
            let frame = Written::on_top(status, view, overlay, now).frame();
            if !frame.contains((x, y).into()) {
                let searched = y + 1 == view.size.1 && !view.reading.pattern.is_empty();
                return pressed(view, if searched { hint? } else { esc });
            }
            // The corner says it: `esc`.
            if y == frame.y && x > frame.x + frame.width / 2 {
                view.reading.typing = None;
                view.reading.pattern = crate::tui::pattern::Pattern::default();
                return pressed(view, esc);
            }
            in_the_frame(view, status, overlay, y, now)
        }
    }
}

/// A click on a row of a question or a text.
fn in_the_frame(
    view: &mut ViewState,
    status: &Status,
    overlay: &Overlay,
    y: u16,
    now: UnixMs,
) -> Option<Vec<Effect>> {
    let alone = Written::on_top(status, view, overlay, now);
    let keys = alone.row(y).first().and_then(written::Segment::keys);
    match overlay {
        Overlay::Help { .. } => {
            let binding = keys?;
            view.overlay = None;
            view.reading = crate::tui::pattern::Reading::default();
            Some(key(view, status, binding, now))
        }
        Overlay::Alarms { scroll } => {
            // Each begins with its number.
            let number = |y: u16| {
                let words = alone.row(y);
                let first = words.first()?.text.split(' ').next()?.parse::<usize>().ok();
                first.filter(|number| *number > *scroll)
            };
            let top = alone.frame().y;
            let at = (top..=y).rev().find_map(number)?.checked_sub(1)?;
            if at == *scroll {
                return Some(key(view, status, Key::named(Named::Enter), now));
            }
            view.overlay = Some(Overlay::Alarms { scroll: at });
            Some(Vec::new())
        }
        Overlay::Confirm { .. } | Overlay::Leave | Overlay::TearDown(_) => {
            Some(key(view, status, keys?, now))
        }
        _ => None,
    }
}

/// A click while nothing lies on top.
fn ground(
    view: &mut ViewState,
    status: &Status,
    (x, y): (u16, u16),
    now: UnixMs,
) -> Option<Vec<Effect>> {
    let screen = Written::screen(status, view, now);
    let at = (x, y).into();
    if let Connection::Lost { .. } = view.connection {
        let keys = screen.row(y).iter().find_map(written::Segment::keys)?;
        return Some(key(view, status, keys, now));
    }
    let act =
        |view: &mut ViewState, action: ScreenAction| Some(screen::act(view, status, action, now));
    let plan = Plan::new(layout::screen(view.size), status, view);
    if plan.too_small {
        return None;
    }
    if plan.header.contains(at) {
        let word = 1..=written::word_width(status, view, now);
        return if word.contains(&x) { act(view, ScreenAction::Alarms) } else { None };
    }
    if plan.verdicts.contains(at) {
        let index = screen.conclusion(&status.conclusions, x, plan.verdicts.y)?;
        let waits = status.conclusions.get(index)?.verdict == Verdict::Waiting;
        let idle =
            running(status).is_none() && status.phase == Phase::Up && !status.without_a_room();
        // What to press stands below.
        if y > plan.verdicts.y && waits && idle && view.drives {
            let one = conclusions::required(u8::try_from(index + 1).ok())?;
            let pressed = key_for(view, &format!("drill run {}", one.drill))?;
            return Some(key(view, status, pressed, now));
        }
        return act(view, ScreenAction::Why);
    }
    if plan.foot.contains(at) {
        return foot(view, status, &screen, (x, y), now);
    }
    if let Some(bus) = plan.buses.iter().find(|bus| bus.area.contains(at)) {
        let more = screen.at(x, y).map(|segment| segment.text).unwrap_or_default();
        match more.chars().next().zip(more.chars().last()) {
            Some(('‹', _)) => return act(view, ScreenAction::Previous),
            Some((_, '›')) => return act(view, ScreenAction::Next),
            _ => {}
        }
        let panes = plan.panes.get(bus.from..bus.to)?;
        let pane = panes.iter().find(|pane| (pane.area.x..pane.area.right()).contains(&x))?;
        let zone = status.zones.get(pane.zone)?;
        let focused = view.focused(status).is_some_and(|own| own.name == zone.name);
        if focused && !zone.is_hub() && zone.link.is_some() {
            return Some(give(view, status, format!("inspect link {}", zone.name), now));
        }
        view.focus = Some(zone.name.clone());
        return Some(Vec::new());
    }
    if let Some(pane) = plan.panes.iter().find(|pane| pane.area.contains(at)) {
        let zone = status.zones.get(pane.zone)?;
        return Some(in_a_zone(view, status, zone, &screen, pane.area.x, (x, y), now));
    }
    if plan.zoom.contains(at) {
        let zone = view.focused(status)?;
        return Some(in_a_zone(view, status, zone, &screen, plan.zoom.x, (x, y), now));
    }
    if plan.ledger.contains(at) {
        let first = screen.row(y).into_iter().next()?.text;
        let named = |zone: &&Zone| first.split(' ').any(|word| word == zone.name.as_str());
        view.focus = Some(status.zones.iter().find(named)?.name.clone());
        return Some(Vec::new());
    }
    if plan.graphs.contains(at) {
        return act(view, ScreenAction::Graphs);
    }
    if plan.drill.contains(at) {
        let (_, look) = view.drill(status)?;
        let other = if look == DrillLook::Large { DrillLook::Pane } else { DrillLook::Large };
        view.show_drill(status, other);
        return Some(Vec::new());
    }
    if plan.card.contains(at) && view.drives {
        let pressed = view.keymap.key_for("drill next")?;
        let waits = running(status).is_some_and(|drill| drill.waits_for.is_some());
        return if waits { Some(key(view, status, pressed, now)) } else { None };
    }
    if plan.log.contains(at) && y == plan.log.y {
        if view.log.is_scrolled() {
            view.log.follow();
            return Some(Vec::new());
        }
        return act(view, ScreenAction::Log);
    }
    None
}

/// A click at the foot: the key that is written there.
fn foot(
    view: &mut ViewState,
    status: &Status,
    screen: &Written,
    (x, y): (u16, u16),
    now: UnixMs,
) -> Option<Vec<Effect>> {
    let segment = screen.at(x, y)?;
    if asker(view, status).is_some() {
        // `… o grants, O refuses`: the sentence up to what is clicked ends in the key's part.
        let upto = usize::from(x - segment.x);
        let parts: Vec<&str> = segment.text.split(", ").collect();
        let second = segment.text.find(", ").is_some_and(|comma| upto > comma);
        let part = if second { parts.get(1) } else { parts.first() }?;
        let words = part.rsplit(": ").next()?;
        let pressed: Key = words.split(' ').next()?.parse().ok()?;
        return Some(key(view, status, pressed, now));
    }
    if view.toast.take().is_some() {
        return Some(Vec::new());
    }
    if let Some(pressed) = segment.hint().filter(|key| view.keymap.get(*key).is_some()) {
        return Some(key(view, status, pressed, now));
    }
    // `1-4 prove`: any of them.
    if segment.text.starts_with(|c: char| c.is_ascii_digit()) {
        return Some(screen::palette(view, status, "drill run "));
    }
    None
}

/// A click on a zone: it gets the focus, the node that is written there is selected; once more on
/// that node shows its log.
fn in_a_zone(
    view: &mut ViewState,
    status: &Status,
    zone: &Zone,
    screen: &Written,
    left: u16,
    (x, y): (u16, u16),
    now: UnixMs,
) -> Vec<Effect> {
    let focused = view.focused(status).is_some_and(|own| own.name == zone.name);
    view.focus = Some(zone.name.clone());
    // Of the nodes that are named in the row, the last one that begins before the click.
    let row = screen.row(y);
    let mut named =
        row.iter().filter(|segment| (left..=x + 2).contains(&segment.x)).filter_map(|segment| {
            let word = segment.text.trim_start_matches(['▸', ' ']).strip_prefix("js")?;
            let number = word.chars().next()?.to_digit(10)?;
            zone.nodes.iter().find(|node| u32::from(node.name.number) == number)
        });
    let Some(node) = named.next_back() else { return Vec::new() };
    let selected = view.selected(zone).is_some_and(|own| own.name == node.name);
    if focused && selected {
        return give(view, status, format!("inspect node {}", node.name), now);
    }
    view.selected.insert(zone.name.clone(), node.name.number);
    Vec::new()
}
