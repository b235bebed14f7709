//! Keys while something lies on top of the panes: a question, a text to scroll, a line being typed.

use super::{Effect, give, question, screen};
use crate::{
    command::{
        Command,
        keys::{Action, Code, Key, Named, ScreenAction},
    },
    region::{Status, UnixMs},
    room::{home::region_flag, protocol::Outcome},
    tui::{
        Leave,
        edit::LineEdit,
        graphs::Axis,
        keys,
        layout::GRAPHS_MARGIN,
        pattern::Pattern,
        state::{Cursor, Overlay, Palette, ViewState},
    },
};

/// A key while something lies on top. The overlay was taken out; it is put back unless the key
/// closes it.
pub(super) fn key(
    view: &mut ViewState,
    status: &Status,
    overlay: Overlay,
    key: Key,
    now: UnixMs,
) -> Vec<Effect> {
    let is = |named: Named| key == Key::named(named);
    match overlay {
        Overlay::Palette(palette) => palette_key(view, status, palette, key, now),
        Overlay::Filter { mut edit, large } => {
            let wrong = view.log.filter.wrong().is_some();
            if is(Named::Esc) {
                view.log.search(Pattern::default());
            } else if !is(Named::Enter) || wrong {
                let before = edit.clone();
                if edit.key(key) && edit != before {
                    view.log.search(Pattern::new(edit.text()));
                }
                view.overlay = Some(Overlay::Filter { edit, large });
                return Vec::new();
            }
            view.overlay = large.then_some(Overlay::Log);
            Vec::new()
        }
        Overlay::Confirm { line } => match key.code {
            Code::Char('y' | 'Y') | Code::Named(Named::Enter) if !key.ctrl => {
                give(view, status, line, now)
            }
            // Whoever types on meant something else.
            _ => {
                view.say(format!("`{line}` was not sent"), None, now);
                Vec::new()
            }
        },
        Overlay::Named { edit, scroll } => question::key(view, edit, scroll, key),
        Overlay::TearDown(purge) => {
            if key.code == Code::Char('y') && !key.ctrl && view.drives && !view.guest {
                return vec![Effect::Leave(Leave::TearDown { purge })];
            }
            view.say("the region stays", None, now);
            Vec::new()
        }
        Overlay::Leave => match key.code {
            Code::Named(Named::Enter) | Code::Char('k' | 'y' | 'q') => {
                vec![Effect::Leave(Leave::Detach)]
            }
            Code::Char('t') if view.drives && !view.guest && !status.without_a_room() => {
                view.overlay = Some(Overlay::TearDown(false));
                Vec::new()
            }
            Code::Char('p') if view.drives && !view.guest && !status.without_a_room() => {
                view.overlay = Some(Overlay::TearDown(true));
                Vec::new()
            }
            Code::Named(Named::Esc) | Code::Char('n' | 'c') => Vec::new(),
            _ => {
                view.overlay = Some(Overlay::Leave);
                Vec::new()
            }
        },
        Overlay::Alarms { scroll } => {
            let alarms = status.alarms();
            let last = alarms.len().saturating_sub(1);
            let remedy = alarms.get(scroll.min(last)).and_then(|alarm| alarm.remedy.as_ref());
            if let (Code::Char('y'), Some(remedy)) = (key.code, remedy) {
                view.overlay = Some(Overlay::Alarms { scroll });
                let flag = region_flag(&status.region);
                return screen::copy(view, format!("zonedrill{flag} {remedy}"), now);
            }
            view.overlay = match remedy.filter(|_| is(Named::Enter)) {
                // What mends it is given by a second enter, with the line in sight.
                Some(remedy) => Some(Overlay::Palette(Palette::new(&remedy.to_string(), status))),
                None => {
                    scrolled(key, scroll).map(|scroll| Overlay::Alarms { scroll: scroll.min(last) })
                }
            };
            Vec::new()
        }
        Overlay::Answer { title, outcome, text, scroll } if key.code == Code::Char('y') => {
            view.overlay = Some(Overlay::Answer { title, outcome, text: text.clone(), scroll });
            screen::copy(view, text, now)
        }
        mut text @ (Overlay::Help { .. }
        | Overlay::Why { .. }
        | Overlay::Figures { .. }
        | Overlay::Answer { .. }) => {
            if let Some(at) = text.scroll()
                && let Some(to) = scrolled(key, *at)
            {
                *at = to;
                view.overlay = Some(text);
            }
            Vec::new()
        }
        Overlay::Graphs(cursor) => {
            view.overlay = graphs(view, status, cursor, key).map(Overlay::Graphs);
            Vec::new()
        }
        Overlay::Log if key == Key::char('/') => {
            let edit = LineEdit::new(view.log.filter.text());
            view.overlay = Some(Overlay::Filter { edit, large: true });
            Vec::new()
        }
        Overlay::Log if !view.log.filter.is_empty() => {
            view.overlay = Some(Overlay::Log);
            match key.code {
                Code::Char('q') => view.overlay = None,
                Code::Named(Named::Esc) => view.log.search(Pattern::default()),
                Code::Named(Named::PageUp) => view.log.scroll(true, 10),
                Code::Named(Named::PageDown) => view.log.scroll(false, 10),
                Code::Named(Named::Up) => view.log.scroll(true, 1),
                Code::Named(Named::Down) => view.log.scroll(false, 1),
                Code::Named(Named::End) => view.log.follow(),
                _ => {
                    super::find::in_the_log(view, key, now);
                }
            }
            Vec::new()
        }
        Overlay::Log => {
            if let Some(event) = keys::for_tui_logger(key) {
                if let Some(large) = view.log.large() {
                    large.transition(event);
                }
                view.overlay = Some(Overlay::Log);
            }
            Vec::new()
        }
    }
}

/// Where a scrolled text goes; `None` when the key closes it.
fn scrolled(key: Key, scroll: usize) -> Option<usize> {
    match key.code {
        Code::Named(Named::Up) | Code::Char('k') => Some(scroll.saturating_sub(1)),
        Code::Named(Named::Down) | Code::Char('j') => Some(scroll + 1),
        Code::Named(Named::PageUp) => Some(scroll.saturating_sub(10)),
        Code::Named(Named::PageDown) | Code::Char(' ') => Some(scroll + 10),
        Code::Named(Named::Home) | Code::Char('g') => Some(0),
        Code::Named(Named::End) | Code::Char('G') => Some(usize::MAX / 2),
        Code::Named(Named::Esc | Named::Enter) | Code::Char('q' | '?' | '!' | 'w' | 'i') => None,
        _ => Some(scroll),
    }
}

/// A key over the large graphs; `None` when it closes them.
fn graphs(view: &mut ViewState, status: &Status, cursor: Cursor, key: Key) -> Option<Cursor> {
    let axis = Axis::new(status, view.span, view.size.0.saturating_sub(GRAPHS_MARGIN + 1));
    let last = axis.newest(status);
    let at = cursor.at_ms.map(|at| axis.column(at).unwrap_or(0));
    let moved = |to: Option<u16>| Cursor { at_ms: to.map(|to| axis.ends(to)), ..cursor };
    // Beyond the newest column there is nothing to read.
    let on = |by: u16| moved(at.map(|at| at.saturating_add(by)).filter(|to| *to <= last));
    let back = |by: u16| moved(Some(at.map_or(last, |at| at.saturating_sub(by))));
    Some(match key.code {
        Code::Named(Named::Left) => back(1),
        Code::Named(Named::Right) => on(1),
        Code::Named(Named::PageUp) => back(10),
        Code::Named(Named::PageDown) => on(10),
        Code::Named(Named::Home) => moved(Some(0)),
        Code::Named(Named::End) => moved(None),
        Code::Char('*') => Cursor { log: !cursor.log, ..cursor },
        Code::Named(Named::Esc | Named::Enter) | Code::Char('q') => return None,
        _ => {
            match view.keymap.get(key).map(|binding| &binding.action) {
                Some(Action::Screen(ScreenAction::Span)) => view.span = view.span.next(),
                Some(Action::Screen(ScreenAction::Graphs)) => return None,
                _ => {}
            }
            cursor
        }
    })
}

fn palette_key(
    view: &mut ViewState,
    status: &Status,
    mut palette: Palette,
    key: Key,
    now: UnixMs,
) -> Vec<Effect> {
    match key.code {
        Code::Named(Named::Esc) => return Vec::new(),
        Code::Named(Named::Backspace) if palette.edit.text().is_empty() => return Vec::new(),
        Code::Named(Named::Enter) => return palette_enter(view, status, palette, now),
        Code::Named(Named::Tab) => palette.cycle(true, status),
        Code::Named(Named::BackTab) => palette.cycle(false, status),
        Code::Named(Named::Up) => palette.recall(true, &view.history, status),
        Code::Named(Named::Down) => palette.recall(false, &view.history, status),
        _ => {
            let before = palette.edit.clone();
            // A full line takes nothing more: the rest of a large paste costs nothing.
            if palette.edit.key(key) && palette.edit != before {
                palette.typed(status);
            }
        }
    }
    view.overlay = Some(Overlay::Palette(palette));
    Vec::new()
}

fn palette_enter(
    view: &mut ViewState,
    status: &Status,
    mut palette: Palette,
    now: UnixMs,
) -> Vec<Effect> {
    let line = palette.edit.text().trim().to_owned();
    if line.is_empty() {
        return Vec::new();
    }
    let parsed = line.parse::<Command>();
    if parsed.is_err() {
        if let Some(name) = region(&line) {
            let name = (!name.is_empty()).then(|| name.to_owned());
            return regions(view, status, line.clone(), name, now);
        }
        if let Some(action) = ScreenAction::typed(&line) {
            return screen::act(view, status, action, now);
        }
        // It lacks a zone: the focused one is meant, and a second enter gives the line in sight.
        if let Some(whole) = with_focus(view, status, &line) {
            view.overlay = Some(Overlay::Palette(Palette::new(&whole, status)));
            return Vec::new();
        }
    }
    match parsed {
        // Refused here, with the line still in hand: keys typed on would mean other things.
        Ok(command) if command.zone().is_some_and(|zone| status.zone(zone).is_none()) => {
            let zones: Vec<&str> = status.zones.iter().map(|zone| zone.name.as_str()).collect();
            palette.error = command
                .zone()
                .map(|zone| format!("there is no zone {zone}: the zones are {}", zones.join(", ")));
            view.overlay = Some(Overlay::Palette(palette));
            Vec::new()
        }
        Ok(_) => {
            view.remember(&line);
            let effects = give(view, status, line, now);
            view.from_palette = effects.iter().find_map(|effect| match effect {
                Effect::Send { id, .. } => Some(*id),
                _ => None,
            });
            effects
        }
        Err(e) => {
            palette.error = Some(e.to_string());
            view.overlay = Some(Overlay::Palette(palette));
            Vec::new()
        }
    }
}

/// A line that only lacks its zone, with the focused one.
fn with_focus(view: &ViewState, status: &Status, line: &str) -> Option<String> {
    let zone = &view.focused(status)?.name;
    let whole = format!("{line} {zone}");
    (whole.parse::<Command>().ok()?.zone() == Some(zone)).then_some(whole)
}

/// What follows in `region`, `region list`, `region NAME`: the name, or nothing.
fn region(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    if !matches!(words.next(), Some("region" | "regions")) {
        return None;
    }
    let name = words.next().filter(|word| *word != "list").unwrap_or_default();
    words.next().is_none().then_some(name)
}

/// Asks which regions there are, or for the way to one.
fn regions(
    view: &mut ViewState,
    status: &Status,
    line: String,
    name: Option<String>,
    now: UnixMs,
) -> Vec<Effect> {
    let why = if view.guest {
        "you are a guest here: this is the region you are shown"
    } else if status.without_a_room() {
        "what is shown has no room, so there is no other one to go to"
    } else {
        let id = view.next_id;
        view.next_id += 1;
        view.remember(&line);
        view.pending.insert(id, line);
        return vec![Effect::Regions { id, name }];
    };
    view.say(why, Some(Outcome::Refused), now);
    Vec::new()
}
