//! The tap under a screen: open, what is drawn also goes into a file; closed, it goes nowhere.
//!
//! Each line is written at once and by one call, so that a process that is killed leaves a file
//! that plays to its last frame. A file that cannot be written ends the recording, not the screen;
//! what was recorded until then plays.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::cast::{Header, Lines, What};
use crate::{
    command::{CastFormat, ScreenSize},
    drill::chapter::Chapters,
    region::Event,
};

/// What a player must do first: a cast may begin in the middle of a screen's life.
const BEGIN: &str = "\x1b[?25l\x1b[0m\x1b[2J\x1b[H";
/// How long the last frame is held: a player shortens a longer wait.
const HELD: Duration = Duration::from_secs(2);

/// What a player is left with: the last frame, and a cursor again where it covers nothing of it.
fn end(size: ScreenSize) -> String {
    format!("\x1b[0m\x1b[{};{}H\x1b[?25h", size.rows, size.columns)
}

/// Why there is no recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file is there.
    #[error("{} is there already: give another name, or remove it first", .0.display())]
    Exists(PathBuf),
    /// It cannot be made or written.
    #[error("cannot record into {}: {why}; {}", path.display(), way_out(path, why))]
    Io {
        path: PathBuf,
        /// The system's word, which the sentence holds: it is not told again as the cause.
        why: io::Error,
    },
    #[error("this screen is being recorded into {} already: end that first", .0.display())]
    Running(PathBuf),
}

/// What to do about a file that cannot be made.
fn way_out(path: &Path, why: &io::Error) -> String {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.display().to_string(),
        _ => "the folder here".into(),
    };
    match why.kind() {
        io::ErrorKind::NotFound => format!("make {folder} first, or name a file elsewhere"),
        io::ErrorKind::PermissionDenied => {
            format!("{folder} is not yours to write in: name a file elsewhere")
        }
        _ => "name a file elsewhere".into(),
    }
}

/// Whether a recording could begin in this file; for who is about to do much else first.
///
/// # Errors
/// When the file is there, or cannot be made.
pub fn check(path: &Path) -> Result<(), RecordError> {
    create(path)?;
    std::fs::remove_file(path).map_err(|why| RecordError::Io { path: path.to_owned(), why })
}

/// A new file: what somebody has recorded is never written over.
fn create(path: &Path) -> Result<File, RecordError> {
    OpenOptions::new().write(true).create_new(true).open(path).map_err(|why| match why.kind() {
        io::ErrorKind::AlreadyExists => RecordError::Exists(path.to_owned()),
        _ => RecordError::Io { path: path.to_owned(), why },
    })
}

/// A recording that ended by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the recording has ended: {} {why}; what was recorded until then plays", path.display())]
pub struct BrokenOff {
    /// The file, by its whole path.
    pub path: PathBuf,
    /// Why: goes on from the path.
    pub why: String,
}

impl BrokenOff {
    fn new(recording: &Recording, error: &io::Error) -> Self {
        // Told to others as well, who are in other folders.
        let path = std::path::absolute(&recording.path).unwrap_or_else(|_| recording.path.clone());
        let why = match error.raw_os_error() {
            Some(_) => format!("cannot be written on: {error}"),
            None => format!("cannot be written on, {error}"),
        };
        Self { path, why }
    }
}

/// A recording that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub path: PathBuf,
    /// How long it took.
    pub took: Duration,
    pub bytes: u64,
}

impl std::fmt::Display for Recorded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.took.as_secs_f64();
        let kib = self.bytes.div_ceil(1024);
        write!(f, "recorded {seconds:.1} s into {} ({kib} KiB)", self.path.display())
    }
}

#[derive(Debug)]
struct Recording {
    path: PathBuf,
    file: File,
    lines: Lines,
    chapters: Chapters,
    size: ScreenSize,
    began: Instant,
    /// When the last frame was drawn.
    drawn: Duration,
    bytes: u64,
}

impl Recording {
    fn new(path: PathBuf, file: File, format: CastFormat, size: ScreenSize) -> Self {
        let (lines, chapters, began) = (Lines::new(format), Chapters::default(), Instant::now());
        Self { path, file, lines, chapters, size, began, drawn: Duration::ZERO, bytes: 0 }
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        // Writing into a file that nobody can find again would succeed for ever.
        if self.file.metadata()?.nlink() == 0 {
            return Err(io::Error::other("it was removed"));
        }
        if let Err(error) = self.file.write_all(line.as_bytes()) {
            // No player reads half a line.
            let _ = self.file.set_len(self.bytes);
            return Err(error);
        }
        self.bytes += line.len() as u64;
        Ok(())
    }

    fn event(&mut self, what: What<'_>) -> io::Result<()> {
        let now = self.began.elapsed();
        match what {
            What::Output(_) => self.drawn = now,
            What::Resize(size) => self.size = size,
            What::Marker(_) | What::Exit => {}
        }
        self.event_at(now, what)
    }

    fn event_at(&mut self, at: Duration, what: What<'_>) -> io::Result<()> {
        match self.lines.event(at, what) {
            Some(line) => self.line(&line),
            None => Ok(()),
        }
    }

    /// Ends it with the last frame held; when that is.
    fn end(&mut self) -> io::Result<Duration> {
        let at = self.began.elapsed().max(self.drawn + HELD);
        self.event_at(at, What::Output(&end(self.size)))?;
        self.event_at(at, What::Exit)?;
        Ok(at)
    }
}

#[derive(Debug, Default)]
struct Inner {
    recording: Option<Recording>,
    /// Why the last recording ended by itself, until somebody asks.
    fault: Option<BrokenOff>,
}

/// A tap; its clones are one tap.
#[derive(Clone, Debug, Default)]
pub struct Tap(Arc<Mutex<Inner>>);

impl Tap {
    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the tap. What is on the screen already must be drawn anew after it.
    ///
    /// # Errors
    /// When one is open, the file exists, or it cannot be made.
    pub fn start(
        &self,
        path: &Path,
        format: CastFormat,
        size: ScreenSize,
        title: &str,
    ) -> Result<(), RecordError> {
        let mut inner = self.inner();
        if let Some(running) = &inner.recording {
            return Err(RecordError::Running(running.path.clone()));
        }
        let file = create(path)?;
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut recording = Recording::new(path.to_owned(), file, format, size);
        let header = recording.lines.header(&Header { size, title: title.to_owned(), timestamp });
        recording.line(&header).and_then(|()| recording.event(What::Output(BEGIN))).map_err(
            |why| {
                // Made a moment ago by this very call: an empty file would only bar the next try.
                let _ = std::fs::remove_file(path);
                RecordError::Io { path: path.to_owned(), why }
            },
        )?;
        inner.recording = Some(recording);
        Ok(())
    }

    /// Closes the tap; `None` if it was closed.
    #[allow(clippy::must_use_candidate, reason = "a screen that ends has nobody to tell")]
    pub fn stop(&self) -> Option<Recorded> {
        let mut inner = self.inner();
        let mut recording = inner.recording.take()?;
        match recording.end() {
            Ok(took) => Some(Recorded { path: recording.path, took, bytes: recording.bytes }),
            Err(error) => {
                inner.fault = Some(BrokenOff::new(&recording, &error));
                None
            }
        }
    }

    /// Is it open?
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.inner().recording.is_some()
    }

    /// A frame was drawn.
    pub fn drawn(&self, frame: &[u8]) {
        let mut inner = self.inner();
        if inner.recording.is_some() {
            write(&mut inner, What::Output(&String::from_utf8_lossy(frame)));
        }
    }

    /// The screen has another size.
    pub fn resized(&self, size: ScreenSize) {
        self.event(What::Resize(size));
    }

    /// The room says that something happened.
    pub fn happened(&self, event: &Event) {
        let mut inner = self.inner();
        let chapter = inner.recording.as_mut().and_then(|tape| tape.chapters.of(event));
        if let Some(chapter) = chapter {
            write(&mut inner, What::Marker(&chapter));
        }
    }

    /// Why the recording ended by itself, told once.
    #[must_use]
    pub fn fault(&self) -> Option<BrokenOff> {
        self.inner().fault.take()
    }

    fn event(&self, what: What<'_>) {
        write(&mut self.inner(), what);
    }
}

fn write(inner: &mut Inner, what: What<'_>) {
    let Some(recording) = &mut inner.recording else { return };
    if let Err(error) = recording.event(what) {
        inner.fault = Some(BrokenOff::new(recording, &error));
        inner.recording = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: ScreenSize = ScreenSize { columns: 80, rows: 24 };

    #[test]
    fn every_line_is_in_the_file_when_it_happened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one.cast");
        let tap = Tap::default();
        tap.drawn(b"before");
        tap.start(&path, CastFormat::V2, SIZE, "one").unwrap();
        tap.drawn(b"first");
        // Read while the tap is open: what a killed process would leave.
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("\"o\", \"first\"]\n"), "{text}");
        assert!(!text.contains("before"));
        assert!(matches!(
            tap.start(&path, CastFormat::V2, SIZE, "x"),
            Err(RecordError::Running(_))
        ));
        let recorded = tap.stop().unwrap();
        assert_eq!(recorded.bytes, std::fs::metadata(&path).unwrap().len());
        assert!(tap.stop().is_none());
        assert!(matches!(tap.start(&path, CastFormat::V2, SIZE, "x"), Err(RecordError::Exists(_))));
    }

    fn recording_into(path: &str, file: File, bytes: u64) -> Tap {
        let tap = Tap::default();
        let recording = Recording::new(path.into(), file, CastFormat::V2, SIZE);
        tap.inner().recording = Some(Recording { bytes, ..recording });
        tap
    }

    #[test]
    fn a_full_disk_ends_the_recording_and_says_so_once() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let tap = recording_into("/dev/full", full, 0);
        tap.drawn(b"x");
        assert!(!tap.is_open());
        let fault = tap.fault().unwrap();
        assert_eq!(fault.path, Path::new("/dev/full"));
        assert!(fault.to_string().contains("No space left"), "{fault}");
        assert!(tap.fault().is_none());
    }

    #[test]
    fn a_file_that_was_removed_is_not_recorded_into() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gone.cast");
        let tap = Tap::default();
        tap.start(&path, CastFormat::V2, SIZE, "gone").unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(tap.stop().is_none());
        assert!(tap.fault().unwrap().to_string().contains("it was removed"));
    }

    #[test]
    fn what_cannot_be_recorded_into_is_known_before_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one.cast");
        check(&path).unwrap();
        assert!(!path.exists());
        std::fs::write(&path, "somebody's").unwrap();
        assert!(matches!(check(&path), Err(RecordError::Exists(_))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "somebody's");
        let lost = check(&folder.path().join("no/such.cast")).unwrap_err().to_string();
        assert!(lost.contains("make ") && lost.contains("/no first"), "{lost}");
        let within = check(&path.join("x.cast")).unwrap_err().to_string();
        assert!(within.contains("name a file elsewhere"), "{within}");
    }
}
