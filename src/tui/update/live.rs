//! A server's log that goes on while it is looked at: its question is asked again every second.

use super::Effect;
use crate::{
    command::{Command, Inspect},
    room::protocol::Outcome,
    tui::state::{Connection, Overlay, ViewState},
};

/// Whether the answer to a line changes while it is looked at.
#[must_use]
pub fn live(line: &str) -> bool {
    matches!(line.parse(), Ok(Command::Inspect(Inspect::Node { .. })))
}

/// Asks once more for what is looked at, unless that is still being answered.
pub fn again(view: &mut ViewState) -> Option<Effect> {
    let Some(Overlay::Answer { title, outcome: Outcome::Done, .. }) = &view.overlay else {
        return None;
    };
    let line = title.clone();
    let waits = view.asked.is_some_and(|id| view.pending.contains_key(&id));
    if waits || view.connection != Connection::Live || !live(&line) {
        return None;
    }
    let id = view.next_id;
    view.next_id += 1;
    view.asked = Some(id);
    view.pending.insert(id, line.clone());
    Some(Effect::Send { id, line })
}

/// Takes the newer text; says whether it differs. A failure is told once, in place of the text.
pub(super) fn take(view: &mut ViewState, line: &str, told: Outcome, newer: String) -> bool {
    view.asked = None;
    match &mut view.overlay {
        Some(Overlay::Answer { title, outcome, text, .. }) if title == line => {
            let changed = *text != newer;
            (*outcome, *text) = (told, newer);
            changed
        }
        _ => false,
    }
}
