//! What is done outside of a screen's state: lines sent, files written, the terminal given back.

use std::io;

use super::{Screen, telling};
use crate::{
    room::{clock::now_ms as now, protocol::Outcome},
    tui::{Leave, ToRoom, terminal, update::Effect},
};

impl Screen {
    /// Does it; returns how the screen is left, if it is.
    pub(super) fn act(&mut self, effect: Effect) -> io::Result<Option<Leave>> {
        match effect {
            Effect::Leave(leave) => return Ok(Some(leave)),
            Effect::Send { id, line } => self.send(id, line),
            Effect::Confirmed { id, name } => {
                // Channel full: the question stays with the command, which ends with the screen.
                let _ = self.to_room.try_send(ToRoom::Confirmed { id, name });
            }
            Effect::Wind(wind) => {
                // Channel full: so many keys at once are not all meant.
                let _ = self.to_room.try_send(ToRoom::Wind(wind));
            }
            Effect::Regions { id, name } => {
                // Channel full: the question can be asked again.
                if self.to_room.try_send(ToRoom::Regions { id, name }).is_err() {
                    self.view.pending.remove(&id);
                }
            }
            Effect::Redraw => self.redraw()?,
            Effect::Suspend => self.suspend()?,
            Effect::Record { file, format } => self.start_recording(file, format)?,
            Effect::StopRecording => self.stop_recording(),
            Effect::NextTheme => self.next_theme(),
            Effect::Copy(text) => self.line.tell(telling::clipboard(&text)),
        }
        Ok(None)
    }

    fn suspend(&mut self) -> io::Result<()> {
        terminal::restore();
        if !terminal::suspend() {
            self.taken.enter()?;
            self.view.say("no shell here could bring a suspended screen back", None, now());
            return self.redraw();
        }
        // The process stands still until SIGCONT, which arrives as an event of its own.
        Ok(())
    }

    fn send(&mut self, id: u64, line: String) {
        // The way is bounded; a full one means that nobody reads it, and waiting would freeze
        // the screen.
        if self.to_room.try_send(ToRoom::Command { id, line }).is_err() {
            let line = self.view.pending.remove(&id).unwrap_or_default();
            let why = format!("`{line}` was not sent: the connection to the room is blocked");
            self.view.say(why, Some(Outcome::Refused), now());
        }
    }
}
