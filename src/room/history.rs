//! `history.jsonl`: every input of the room as it comes, and the same for a drill's record.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::bounded_file::{LONGEST, put_aside};
use crate::region::{
    history::{Begin, Line},
    input::Moment,
    reduce::State,
};

/// The region's history on disk, and those of the drills that are recorded.
pub struct History {
    path: PathBuf,
    longest: u64,
    file: Option<Writer>,
    /// The file cannot be opened or written.
    broken: bool,
    drills: Vec<(PathBuf, Writer)>,
}

struct Writer {
    out: BufWriter<File>,
    bytes: u64,
    /// The first thing that could not be written; nothing is written after it.
    failed: Option<io::Error>,
}

impl History {
    /// Goes on with the file at `path`, from the first input on.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        let (path, drills) = (path.to_owned(), Vec::new());
        Self { path, longest: LONGEST, file: None, broken: false, drills }
    }

    /// Writes an input down; `state` is what it will be applied to.
    pub fn write(&mut self, moment: &Moment, state: &State) {
        if !self.broken && self.file.as_ref().is_none_or(|file| file.bytes > self.longest) {
            // What is still to be written belongs before what begins now.
            self.file = None;
            self.file = self.begin(moment, state);
            self.broken = self.file.is_none();
        }
        let line = serde_json::to_vec(&Line::Input(Box::new(moment.clone())));
        let writers = self.file.iter_mut().chain(self.drills.iter_mut().map(|(_, file)| file));
        for writer in writers {
            writer.line(line.as_deref().map_err(|error| io::Error::other(error.to_string())));
        }
    }

    /// Begins the file, or a part of it that another life of the room began.
    fn begin(&self, moment: &Moment, state: &State) -> Option<Writer> {
        if let Err(error) = put_aside(&self.path, self.longest) {
            tracing::error!("history.jsonl: {error}");
        }
        let opened = Writer::open(&self.path, OpenOptions::new().create(true).append(true));
        match opened {
            Ok(mut writer) => {
                writer.begin(moment.at, state);
                Some(writer)
            }
            Err(error) => {
                tracing::error!("history.jsonl: {error}");
                None
            }
        }
    }

    /// Keeps a drill's history in a new file from now on.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&mut self, path: &Path, now: u64, state: &State) -> io::Result<()> {
        let mut writer = Writer::open(path, OpenOptions::new().write(true).create_new(true))?;
        writer.begin(now, state);
        writer.flush();
        if let Some(error) = writer.failed {
            return Err(error);
        }
        self.drills.push((path.to_owned(), writer));
        Ok(())
    }

    /// Ends a drill's history.
    ///
    /// # Errors
    /// When something of it could not be written, or it was never begun.
    pub fn end(&mut self, path: &Path) -> io::Result<()> {
        let place = self.drills.iter().position(|(known, _)| known == path);
        let place = place.ok_or_else(|| io::Error::other("it was never begun"))?;
        let (_, mut writer) = self.drills.remove(place);
        writer.flush();
        writer.failed.map_or(Ok(()), Err)
    }

    /// Puts what was written on the disk. What cannot be written is told once, in the room's log, and
    /// nothing is written after it.
    pub fn flush(&mut self) {
        let all = self.file.iter_mut().chain(self.drills.iter_mut().map(|(_, file)| file));
        all.for_each(Writer::flush);
        if let Some(error) = self.file.as_ref().and_then(|file| file.failed.as_ref()) {
            tracing::error!("history.jsonl ends here: {error}");
            (self.file, self.broken) = (None, true);
        }
    }
}

impl Writer {
    fn open(path: &Path, options: &mut OpenOptions) -> io::Result<Self> {
        let mut file = options.mode(0o600).open(path)?;
        let mut bytes = file.metadata()?.len();
        // The last line of a room that was killed may be cut off: it must not take the next along.
        if bytes > 0 {
            file.write_all(b"\n")?;
            bytes += 1;
        }
        Ok(Self { out: BufWriter::with_capacity(64 * 1024, file), bytes, failed: None })
    }

    fn begin(&mut self, now: u64, state: &State) {
        let line = Line::Begin(Box::new(Begin::with(now, state.clone())));
        let line = serde_json::to_vec(&line).map_err(io::Error::other);
        self.line(line.as_deref().map_err(|error| io::Error::other(error.to_string())));
    }

    fn line(&mut self, line: Result<&[u8], io::Error>) {
        if self.failed.is_some() {
            return;
        }
        let written = line.and_then(|line| {
            self.out.write_all(line)?;
            self.out.write_all(b"\n")?;
            self.bytes += line.len() as u64 + 1;
            Ok(())
        });
        self.failed = written.err();
    }

    fn flush(&mut self) {
        if self.failed.is_none() {
            self.failed = self.out.flush().err();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::{
        Input, PlatformKind,
        history::{HistoryError, read},
    };

    fn tick(history: &mut History, at: u64) {
        let state = State::new("region", PlatformKind::Local, 1);
        history.write(&Moment { at, by: None, input: Input::Tick }, &state);
    }

    fn lines(path: &Path) -> Result<usize, HistoryError> {
        read(&std::fs::read_to_string(path).unwrap()).map(|lines| lines.len())
    }

    #[test]
    fn a_line_that_was_cut_off_takes_no_other_along() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        let mut killed = History::at(&path);
        (2..5).for_each(|at| tick(&mut killed, at));
        killed.flush();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(file.metadata().unwrap().len() - 7).unwrap();
        assert_eq!(lines(&path).unwrap(), 3, "a beginning and two ticks");
        let mut next = History::at(&path);
        tick(&mut next, 6);
        next.flush();
        assert_eq!(lines(&path).unwrap(), 5);
    }

    #[test]
    fn a_long_file_is_put_aside_and_each_begins_with_a_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        let mut history = History { longest: 5_000, ..History::at(&path) };
        (2..200).for_each(|at| tick(&mut history, at));
        history.flush();
        let aside = path.with_extension("1.jsonl");
        assert!(lines(&path).is_ok() && lines(&aside).unwrap() > 10);
        assert!(path.metadata().unwrap().len() < 10_000);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
