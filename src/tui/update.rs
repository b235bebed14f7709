//! What an event does to a screen's state. Pure: what must be done outside comes back as effects.

mod changes;
mod find;
mod give;
mod live;
mod mouse;
mod overlay;
mod question;
mod screen;

use std::path::PathBuf;

use self::give::give;
use super::{
    Leave, keys,
    pattern::{Pattern, Reading},
    state::{Connection, DrillLook, Overlay, Palette, TOAST_MS, ViewState},
};
use crate::{
    command::{
        CastFormat, Command, Drill as DrillCommand,
        keys::{Action, Binding, Key, ScreenAction, When},
        wind::Wind,
    },
    region::{
        Status, UnixMs,
        status::{Drill, Screen},
    },
    room::protocol::{Message, Outcome},
};

pub use changes::ages;
pub use live::{again, live};
pub use mouse::mouse;
pub use question::asks;

/// What must be done outside of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send a line to the room.
    Send {
        /// The number its answer will carry.
        id: u64,
        line: String,
    },
    /// What was typed in answer to the room's question; none if nothing was.
    Confirmed {
        /// The command that asks.
        id: u64,
        name: Option<String>,
    },
    Wind(Wind),
    Leave(Leave),
    /// Draw everything anew, as nothing on the terminal is known any more.
    Redraw,
    /// Stop until the shell brings the screen back.
    Suspend,
    /// Begin to record this screen.
    Record {
        /// Into which file; one named after region and time if none.
        file: Option<PathBuf>,
        format: CastFormat,
    },
    StopRecording,
    /// Put this text into the terminal's clipboard.
    Copy(String),
    /// Draw in the next theme's colours.
    NextTheme,
    /// Tell which regions this account has, or show the one of that name.
    Regions {
        /// The number its answer will carry.
        id: u64,
        name: Option<String>,
    },
}

/// A mouse event, as far as a screen cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mouse {
    /// A click at a cell.
    Click { x: u16, y: u16 },
    /// The wheel, away from the person.
    WheelUp,
    /// The wheel, towards the person.
    WheelDown,
}

/// Takes a message of the room. Returns whether the change must be seen at once; numbers alone
/// may wait a quarter of a second.
pub fn message(view: &mut ViewState, status: &mut Status, message: Message, now: UnixMs) -> bool {
    match message {
        Message::Hello { screen, drives, events, pid: _, .. } => {
            if view.connection != Connection::Waiting {
                view.say("connected to the room again", None, now);
            }
            if events.last().is_some_and(|e| e.id < view.log.newest()) {
                view.log.new_room();
            }
            view.connection = Connection::Live;
            view.me = Some(screen);
            view.drives = drives;
            for event in &events {
                view.log.push(event);
            }
            true
        }
        Message::Status { status: newest } => {
            let urgent = changes::differs_in_kind(status, &newest);
            if changes::driver(status) != changes::driver(&newest) {
                view.driver_changed(now);
            }
            *status = *newest;
            if let Some(me) = status.screens.iter().find(|s| Some(s.id) == view.me) {
                view.drives = me.drives;
            }
            urgent
        }
        Message::Event { event } => {
            view.log.push(&event);
            true
        }
        Message::Progress { id, text } => {
            if let Some(line) = view.pending.get(&id) {
                let (text, of_control) = (format!("{line}: {text}"), is_of_control(line));
                if of_control {
                    view.say_who_drives(text, None, now);
                } else {
                    view.say(text, None, now);
                }
            }
            true
        }
        Message::Answer { id, outcome, text, .. } => {
            let line = view.pending.remove(&id).unwrap_or_default();
            question::is_over(view, id);
            if view.asked == Some(id) {
                return live::take(view, &line, outcome, text);
            }
            let typed = view.from_palette.take_if(|typed| *typed == id).is_some();
            if typed && outcome == Outcome::Refused && view.overlay.is_none() {
                let mut palette = Palette::new(&line, status);
                palette.error = Some(text.clone());
                view.overlay = Some(Overlay::Palette(palette));
            }
            answer(view, status, line, (outcome, text), now);
            true
        }
        // The loop ends by it.
        Message::Removed => false,
        Message::Error { why } => {
            view.say(why, Some(Outcome::Refused), now);
            true
        }
    }
}

/// An answer of one line goes to the foot of the screen, a longer one on top of it.
fn answer(
    view: &mut ViewState,
    status: &Status,
    line: String,
    (outcome, text): (Outcome, String),
    now: UnixMs,
) {
    // A drill's own pane says what it came to; a list of findings would lie on top of it. In a region
    // of others nothing but the answer tells where the evidence is.
    let lines = text.trim().lines().count();
    let runs = matches!(line.parse(), Ok(Command::Drill(DrillCommand::Run(_))));
    if lines > 1 && runs && !status.is_external() && outcome != Outcome::Refused {
        let word = match outcome {
            Outcome::Done => "proved",
            Outcome::Broken => "broken",
            Outcome::Void | Outcome::Refused => "void",
        };
        view.say(format!("{line}: {word}, its pane says why"), Some(outcome), now);
    } else if lines > 1 {
        view.reading = Reading::default();
        view.overlay = Some(Overlay::Answer { title: line, outcome, text, scroll: 0 });
        view.toast = None;
    } else if is_of_control(&line) {
        view.say_who_drives(text.trim(), Some(outcome), now);
    } else {
        view.say(text.trim(), Some(outcome), now);
    }
}

/// Whether a line asks for control, hands it over or keeps it.
fn is_of_control(line: &str) -> bool {
    matches!(line.parse(), Ok(Command::Control(_)))
}

/// Takes a key.
pub fn key(view: &mut ViewState, status: &Status, key: Key, now: UnixMs) -> Vec<Effect> {
    let effects = pressed(view, status, key, now);
    question::lay(view);
    effects
}

fn pressed(view: &mut ViewState, status: &Status, key: Key, now: UnixMs) -> Vec<Effect> {
    let quits = view
        .keymap
        .get(key)
        .is_some_and(|b| b.action == Action::Screen(ScreenAction::Quit) && key.ctrl);
    match view.overlay.take() {
        Some(_) if quits && status.without_a_room() && view.pending.is_empty() => {
            vec![Effect::Leave(Leave::Detach)]
        }
        // The second ctrl-c.
        Some(Overlay::Leave) if quits => vec![Effect::Leave(Leave::Detach)],
        // A way out of everything else that lies on top.
        Some(_) if quits => {
            view.overlay = Some(Overlay::Leave);
            Vec::new()
        }
        Some(overlay) => {
            let effects = find::key(view, status, overlay, key, now);
            if view.overlay.as_mut().is_none_or(|overlay| overlay.scroll().is_none()) {
                view.reading = Reading::default();
            }
            effects
        }
        None if find::in_the_log(view, key, now) => Vec::new(),
        None => {
            let presented = running(status).is_some_and(|drill| drill.presented);
            let map = &view.keymap;
            let goes_on = map.get_presented(key).is_some_and(|b| b.when == When::Presented);
            if goes_on && !presented && view.verdict_card(status) {
                // Pressed once more than there was to go on with, a key must not do what it does
                // otherwise: `space` would pause a consumer.
                view.show_drill(status, DrillLook::Hidden);
                return Vec::new();
            }
            let binding = match () {
                () if status.replay.is_some() => map.get_replaying(key),
                () if presented => map.get_presented(key),
                () => map.get(key),
            };
            if let Some(binding) = binding.cloned() {
                return bound(view, status, &binding, now);
            }
            view.say(format!("{key} does nothing here; ? shows the keys"), None, now);
            Vec::new()
        }
    }
}

/// Takes pasted text.
pub fn paste(view: &mut ViewState, status: &Status, text: &str) {
    match &mut view.overlay {
        Some(Overlay::Palette(palette)) => {
            palette.edit.insert(text);
            palette.typed(status);
        }
        Some(Overlay::Named { edit, .. }) => edit.insert(text),
        Some(Overlay::Filter { edit, .. }) => {
            edit.insert(text);
            view.log.search(Pattern::new(edit.text()));
        }
        _ => {
            if let Some(edit) = &mut view.reading.typing {
                edit.insert(text);
                view.reading.typed();
            }
        }
    }
}

/// A second has passed: forget what has been said long enough. Returns whether that changed
/// anything.
pub fn tick(view: &mut ViewState, now: UnixMs) -> bool {
    let over = view.toast.as_ref().is_some_and(|toast| now.saturating_sub(toast.at_ms) > TOAST_MS);
    if over {
        view.toast = None;
    }
    over
}

/// The drill that runs.
fn running(status: &Status) -> Option<&Drill> {
    status.drill.as_ref().filter(|drill| drill.under_way())
}

/// A key while nothing lies on top.
fn bound(view: &mut ViewState, status: &Status, binding: &Binding, now: UnixMs) -> Vec<Effect> {
    match &binding.action {
        Action::Screen(action) => screen::act(view, status, *action, now),
        Action::Palette(words) => screen::palette(view, status, words),
        Action::Line(template) if status.replay.is_some() => {
            let line = keys::fill(template, view, status).unwrap_or_else(|_| template.clone());
            give(view, status, line, now)
        }
        Action::Line(template) => {
            let line = keys::fill(template, view, status);
            let goes = |line: &String| line.parse::<Command>().map(|one| one.goes_with_others());
            if let Ok(line) = line.as_ref()
                && status.is_external()
                && goes(line) == Ok(false)
            {
                // It says what does, whatever has the focus.
                return give(view, status, line.clone(), now);
            }
            if binding.when == When::Drill && running(status).is_none() {
                view.say("no drill runs", Some(Outcome::Refused), now);
                return Vec::new();
            }
            let zone = view.focused(status);
            if binding.when == When::Mirror
                && let Some(zone) = zone
                && zone.is_hub()
            {
                let why = format!("zone {} is the source: focus a mirror zone", zone.name);
                view.say(why, Some(Outcome::Refused), now);
                return Vec::new();
            }
            match line {
                Ok(line)
                    if status.is_external()
                        && !(binding.confirm && give::asks_no_name(view, &line)) =>
                {
                    give::to_others(view, status, line, now)
                }
                Ok(line) if binding.confirm && view.drives => {
                    view.overlay = Some(Overlay::Confirm { line });
                    Vec::new()
                }
                Ok(line) => give(view, status, line, now),
                Err(why) => {
                    view.say(why, Some(Outcome::Refused), now);
                    Vec::new()
                }
            }
        }
    }
}

/// The first key that leads there.
#[must_use]
pub fn key_of(view: &ViewState, action: &Action) -> Option<Key> {
    view.keymap.bindings().iter().find(|binding| binding.action == *action).map(|b| b.key)
}

/// The first key that gives a line.
#[must_use]
pub fn key_for(view: &ViewState, line: &str) -> Option<Key> {
    view.keymap.bindings().iter().find(|binding| binding.action.gives(line)).map(|b| b.key)
}

/// Who asks this screen's person for control.
#[must_use]
pub fn asker<'a>(view: &ViewState, status: &'a Status) -> Option<&'a Screen> {
    status.screens.iter().find(|screen| view.drives && screen.ask_ends_at_ms.is_some())
}

/// Until when this screen waits for the driver's word, if it asked for control.
#[must_use]
pub fn asking(view: &ViewState, status: &Status) -> Option<UnixMs> {
    let me = status.screens.iter().find(|screen| Some(screen.id) == view.me)?;
    me.ask_ends_at_ms
}
