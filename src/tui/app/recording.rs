//! The recording of a screen: begun and ended by a person, or broken off by itself.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{Screen, ToRoom};
use crate::{
    command::CastFormat,
    record::{BrokenOff, RecordError, Recorded},
    room::{clock::now_ms as now, protocol::Outcome},
};

impl Screen {
    /// Opens the tap; what is on the screen already is drawn anew into it.
    pub(super) fn record(&mut self, path: &Path, format: CastFormat) -> Result<(), RecordError> {
        let size = self.size;
        let region = &self.status.region;
        let title =
            if region.is_empty() { "zonedrill".into() } else { format!("zonedrill: {region}") };
        self.tap.start(path, format, size, &title)?;
        self.view.recording = true;
        Ok(())
    }

    pub(super) fn start_recording(
        &mut self,
        file: Option<PathBuf>,
        format: CastFormat,
    ) -> io::Result<()> {
        let path = file.unwrap_or_else(|| {
            let at = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S");
            format!("zonedrill-{}-{at}.cast", self.status.region).into()
        });
        match self.record(&path, format) {
            Ok(()) => {
                self.view.say(format!("recording into {}", path.display()), None, now());
                self.redraw()
            }
            Err(error) => {
                self.view.say(error.to_string(), Some(Outcome::Refused), now());
                Ok(())
            }
        }
    }

    pub(super) fn stop_recording(&mut self) {
        let (text, outcome) = match self.end_recording() {
            Some(Ok(recorded)) => (recorded.to_string(), Outcome::Done),
            Some(Err(broken)) => (broken.to_string(), Outcome::Broken),
            None => ("this screen is not being recorded".into(), Outcome::Refused),
        };
        self.view.say(text, Some(outcome), now());
    }

    /// Closes the tap; `None` if it was closed.
    pub(super) fn end_recording(&mut self) -> Option<Result<Recorded, BrokenOff>> {
        self.view.recording = false;
        let recorded = self.tap.stop();
        recorded.map(Ok).or_else(|| self.broken_off().map(Err))
    }

    /// Why the recording ended by itself, if it just did; told to the room as well, for all who
    /// rely on it.
    pub(super) fn broken_off(&mut self) -> Option<BrokenOff> {
        let broken = self.tap.fault()?;
        self.view.recording = false;
        // Channel full: drop the notice.
        let _ = self.to_room.try_send(ToRoom::BrokenOff(broken.clone()));
        Some(broken)
    }
}
