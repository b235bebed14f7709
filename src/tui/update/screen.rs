//! What a key does to the screen itself.

use super::{Effect, asker, give};
use crate::{
    command::{CastFormat, keys::ScreenAction},
    region::{Status, UnixMs, topology::STREAM},
    room::{home::region_flag, protocol::Outcome},
    tui::{
        Leave,
        edit::LineEdit,
        pattern::Pattern,
        state::{Cursor, DrillLook, Overlay, Palette, ViewState},
    },
};

/// The longest text that terminals take for their clipboard, in bytes: xterm's limit is 100,000 of
/// base64.
const LONGEST_COPY: usize = 74_994;

/// Does what a key means to the screen.
pub(super) fn act(
    view: &mut ViewState,
    status: &Status,
    action: ScreenAction,
    now: UnixMs,
) -> Vec<Effect> {
    match action {
        ScreenAction::Help => view.overlay = Some(Overlay::Help { scroll: 0 }),
        ScreenAction::Alarms => view.overlay = Some(Overlay::Alarms { scroll: 0 }),
        ScreenAction::Why => view.overlay = Some(Overlay::Why { scroll: 0 }),
        ScreenAction::Figures => view.overlay = Some(Overlay::Figures { scroll: 0 }),
        ScreenAction::Filter => {
            view.overlay =
                Some(Overlay::Filter { edit: LineEdit::new(view.log.filter.text()), large: false });
        }
        ScreenAction::Graphs => view.overlay = Some(Overlay::Graphs(Cursor::default())),
        ScreenAction::Span => view.span = view.span.next(),
        ScreenAction::Next => view.move_focus(status, true),
        ScreenAction::Previous => view.move_focus(status, false),
        ScreenAction::NodeNext => view.move_node(status, true),
        ScreenAction::NodePrevious => view.move_node(status, false),
        ScreenAction::Zoom => view.zoom = !view.zoom,
        ScreenAction::Drill => {
            if status.drill.is_none() {
                view.say("no drill has run yet: 1 to 4 run the conclusions", None, now);
            }
            let next = match view.drill(status).map(|(_, look)| look) {
                None => DrillLook::Pane,
                Some(DrillLook::Pane) => DrillLook::Large,
                Some(DrillLook::Large | DrillLook::Hidden) => DrillLook::Hidden,
            };
            view.zoom = false;
            view.show_drill(status, next);
        }
        ScreenAction::Back => back(view, status),
        // No region stands behind it that could be asked about.
        ScreenAction::Quit if status.without_a_room() && view.pending.is_empty() => {
            return vec![Effect::Leave(Leave::Detach)];
        }
        ScreenAction::Quit => view.overlay = Some(Overlay::Leave),
        ScreenAction::LogUp => view.log.scroll(true, 3),
        ScreenAction::LogDown => view.log.scroll(false, 3),
        ScreenAction::LogZone => {
            let only = match view.log.only {
                None => view.focused(status).map(|zone| zone.name.clone()),
                Some(_) => None,
            };
            view.log.show_only(only);
        }
        ScreenAction::Log => {
            if view.log.large().is_some() {
                view.overlay = Some(Overlay::Log);
            } else {
                view.say("this screen has no large log", None, now);
            }
        }
        ScreenAction::Theme => return vec![Effect::NextTheme],
        ScreenAction::Redraw => return vec![Effect::Redraw],
        ScreenAction::Suspend if view.guest => {
            view.say("a guest has no shell to go back to", Some(Outcome::Refused), now);
        }
        ScreenAction::Suspend if status.is_external() && !view.pending.is_empty() => {
            let why = "not while a command runs here: it would stand still";
            view.say(why, Some(Outcome::Refused), now);
        }
        ScreenAction::Suspend => return vec![Effect::Suspend],
        ScreenAction::Record if view.guest => {
            view.say("you are a guest here: no file is written", Some(Outcome::Refused), now);
        }
        ScreenAction::Record if view.recording => return vec![Effect::StopRecording],
        ScreenAction::Record => {
            return vec![Effect::Record { file: None, format: CastFormat::default() }];
        }
        ScreenAction::Copy => {
            if let Some(zone) = view.focused(status) {
                let flag = region_flag(&status.region);
                let text = format!(
                    "eval \"$(zonedrill{flag} env {})\"; nats stream info {STREAM}",
                    zone.name
                );
                return copy(view, text, now);
            }
        }
        ScreenAction::Control => {
            let what = match (view.drives, asker(view, status)) {
                (false, _) => "control ask",
                (true, Some(_)) => "control grant",
                (true, None) => "control release",
            };
            return give(view, status, what.into(), now);
        }
    }
    Vec::new()
}

/// Opens the palette with these words in it.
pub(super) fn palette(view: &mut ViewState, status: &Status, words: &str) -> Vec<Effect> {
    view.overlay = Some(Overlay::Palette(Palette::new(words, status)));
    Vec::new()
}

/// Puts a text into the terminal's clipboard, if it takes one that long.
pub(super) fn copy(view: &mut ViewState, text: String, now: UnixMs) -> Vec<Effect> {
    if text.len() > LONGEST_COPY {
        let why =
            format!("not copied: terminals take {LONGEST_COPY} bytes, this is {}", text.len());
        view.say(why, Some(Outcome::Refused), now);
        return Vec::new();
    }
    let first = text.lines().next().unwrap_or_default();
    view.say(format!("copied, if this terminal allows it (OSC 52): {first}"), None, now);
    vec![Effect::Copy(text)]
}

/// One step back: zoom, large drill, scrolled log, filter, limit, a drill that is over, in this
/// order.
fn back(view: &mut ViewState, status: &Status) {
    let drill = view.drill(status).map(|(drill, look)| (drill.ended_at_ms.is_some(), look));
    if view.zoom {
        view.zoom = false;
    } else if let Some((_, DrillLook::Large)) = drill {
        view.show_drill(status, DrillLook::Pane);
    } else if view.log.is_scrolled() {
        view.log.follow();
    } else if !view.log.filter.is_empty() {
        view.log.search(Pattern::default());
    } else if view.log.only.is_some() {
        view.log.show_only(None);
    } else if let Some((true, _)) = drill {
        view.show_drill(status, DrillLook::Hidden);
    } else {
        view.toast = None;
    }
}
