//! Lines that a person gives: which of them this screen may send to the room, and which it does
//! itself.

use super::{Effect, key_of, screen};
use crate::{
    command::{
        Command, Drill, Record,
        keys::{Action, ScreenAction},
        wind::NOTHING_TO_WIND,
    },
    region::{Status, UnixMs},
    room::protocol::Outcome,
    tui::state::{Connection, ViewState},
};

/// Gives a line to the room, if this screen may.
pub(super) fn give(
    view: &mut ViewState,
    status: &Status,
    line: String,
    now: UnixMs,
) -> Vec<Effect> {
    let command = line.parse::<Command>();
    let refused = match &command {
        Ok(Command::Record(record)) if !view.guest => return self_record(view, record, now),
        Ok(Command::Wind(wind)) if status.replay.is_some() => return vec![Effect::Wind(*wind)],
        Ok(Command::Wind(_)) => Some(NOTHING_TO_WIND.into()),
        _ if status.replay.is_some() => Some(in_a_replay(&line)),
        Ok(command) if status.is_external() => command.check_for_others().err(),
        Ok(command) if view.guest && command.check_for_guests().is_err() => Some(format!(
            "you are a guest here: `{line}` is not for guests, {}",
            command.check_for_guests().err().unwrap_or_default()
        )),
        Ok(Command::Control(_) | Command::Kick { .. }) => None,
        Ok(command) if command.is_harmless() || view.drives => None,
        Err(_) if view.drives => None,
        _ => {
            let why = format!("{} (`{line}` was not sent)", way_to_drive(view, status));
            view.say_who_drives(why, Some(Outcome::Refused), now);
            return Vec::new();
        }
    };
    if let Some(why) = refused {
        view.say(why, Some(Outcome::Refused), now);
        return Vec::new();
    }
    if let Connection::Lost { .. } = view.connection {
        view.say(
            format!("not connected to the room: `{line}` was not sent"),
            Some(Outcome::Refused),
            now,
        );
        return Vec::new();
    }
    let id = view.next_id;
    view.next_id += 1;
    view.pending.insert(id, line.clone());
    view.say(format!("{line} …"), None, now);
    vec![Effect::Send { id, line }]
}

/// Whether nothing asks for the name of a region of others before such a line is carried out: it was
/// given when the screen was opened, or nothing is begun.
pub(super) fn asks_no_name(view: &ViewState, line: &str) -> bool {
    view.named || matches!(line.parse(), Ok(Command::Drill(Drill::Stop | Drill::Next)))
}

/// Gives a key's line in a region of others, which asks by itself. A link of others is cut for a while
/// only: for how long is typed.
pub(super) fn to_others(
    view: &mut ViewState,
    status: &Status,
    line: String,
    now: UnixMs,
) -> Vec<Effect> {
    match line.parse() {
        Ok(Command::Cut { kind: None, heal_after: None, .. }) => {
            screen::palette(view, status, &format!("{line} --for 30s"))
        }
        _ => give(view, status, line, now),
    }
}

/// Why a command is of no use in a replay.
fn in_a_replay(line: &str) -> String {
    format!("this is a replay of what happened: `{line}` was not sent")
}

/// How an observer comes to drive.
fn way_to_drive(view: &ViewState, status: &Status) -> String {
    let me = status.screens.iter().find(|screen| Some(screen.id) == view.me);
    if me.is_some_and(|me| me.observes) {
        return "this screen only observes".into();
    }
    let driver = status.screens.iter().find(|screen| screen.drives);
    let key = key_of(view, &Action::Screen(ScreenAction::Control));
    match (driver, key) {
        (Some(driver), Some(key)) => format!("{} drives: {key} asks for control", driver.name),
        (None, Some(key)) => format!("nobody drives: {key} takes control"),
        (_, None) => "you are observing: `control ask` asks for control".into(),
    }
}

/// A screen records itself; the room has no part in it.
fn self_record(view: &mut ViewState, record: &Record, now: UnixMs) -> Vec<Effect> {
    match record {
        Record::Start { size: Some(_), .. } => {
            let why =
                "a screen is recorded at its own size: leave --size out, or record from a shell";
            view.say(why, Some(Outcome::Refused), now);
            Vec::new()
        }
        Record::Start { file, format, size: None } => {
            vec![Effect::Record { file: Some(file.clone()), format: *format }]
        }
        Record::Stop => vec![Effect::StopRecording],
    }
}
