//! Whole frames: what ratatui draws at once reaches the terminal, and a recording, at once.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::record::Tap;

/// A writer that sends what was written since the last flush at once, as one frame (DEC 2026:
/// terminals that know it show the whole frame or nothing; others ignore it). An open tap gets
/// each frame as well, before a slow terminal can hold it up.
#[derive(Debug)]
pub struct Frames<W> {
    out: W,
    frame: Vec<u8>,
    tap: Tap,
    /// The last frame left the cursor hidden.
    hidden: bool,
    mute: Mute,
}

/// Keeps [`Frames`] from sending anything more: ratatui shows the cursor when it goes.
#[derive(Clone, Debug, Default)]
pub struct Mute(Arc<AtomicBool>);

impl Mute {
    /// For good.
    pub fn mute(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// What ratatui writes for a frame in which nothing changed.
const UNCHANGED: &[u8] = b"\x1b[39m\x1b[49m\x1b[59m\x1b[0m\x1b[?25l";
/// How a frame without a cursor ends.
const HIDDEN: &[u8] = b"\x1b[?25l";
/// Erases everything.
const ERASE: &[u8] = b"\x1b[2J";

impl<W: Write> Frames<W> {
    /// Frames for `out`.
    pub fn new(out: W) -> Self {
        Self::tapped(out, Tap::default())
    }

    /// Frames for `out` and, while it is open, for a tap.
    pub fn tapped(out: W, tap: Tap) -> Self {
        let frame = Vec::with_capacity(16 * 1024);
        Self { out, frame, tap, hidden: false, mute: Mute::default() }
    }

    /// The same on a terminal that shows something else, which the first frame erases; and what ends
    /// them.
    pub fn erasing(out: W, tap: Tap) -> (Self, Mute) {
        let mut frames = Self::tapped(out, tap);
        frames.frame.extend_from_slice(ERASE);
        let mute = frames.mute.clone();
        (frames, mute)
    }
}

impl<W: Write> Write for Frames<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.frame.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.frame.is_empty() {
            return Ok(());
        }
        if self.mute.0.load(Ordering::SeqCst) {
            self.frame.clear();
            return Ok(());
        }
        // Nothing to see: nothing to send, each second, over a line that may be thin.
        if self.hidden && self.frame == UNCHANGED {
            self.frame.clear();
            return Ok(());
        }
        self.hidden = self.frame.ends_with(HIDDEN);
        self.tap.drawn(&self.frame);
        let mut whole = Vec::with_capacity(self.frame.len() + 16);
        whole.extend_from_slice(b"\x1b[?2026h");
        whole.append(&mut self.frame);
        whole.extend_from_slice(b"\x1b[?2026l");
        self.out.write_all(&whole)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_written_whole_and_an_empty_one_not_at_all() {
        let mut out = Vec::new();
        let mut frames = Frames::new(&mut out);
        frames.flush().unwrap();
        frames.write_all(b"one").unwrap();
        frames.write_all(b"two").unwrap();
        frames.flush().unwrap();
        assert_eq!(out, b"\x1b[?2026honetwo\x1b[?2026l");
    }

    #[test]
    fn a_frame_without_a_change_is_not_sent_unless_it_hides_the_cursor() {
        let mut out = Vec::new();
        let mut frames = Frames::new(&mut out);
        for _ in 0..3 {
            frames.write_all(UNCHANGED).unwrap();
            frames.flush().unwrap();
        }
        frames.write_all(b"typing\x1b[?25h").unwrap();
        frames.flush().unwrap();
        frames.write_all(UNCHANGED).unwrap();
        frames.flush().unwrap();
        drop(frames);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches("\x1b[?25l").count(), 2, "{text:?}");
    }

    #[test]
    fn ratatui_writes_what_is_taken_for_no_change() {
        use ratatui::{Terminal, TerminalOptions, Viewport, layout::Rect};
        let tap = Tap::default();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("frames.cast");
        let size = crate::command::ScreenSize { columns: 20, rows: 5 };
        let frames = Frames::tapped(io::sink(), tap.clone());
        let backend = ratatui::backend::CrosstermBackend::new(frames);
        let viewport = Viewport::Fixed(Rect::new(0, 0, 20, 5));
        let mut terminal = Terminal::with_options(backend, TerminalOptions { viewport }).unwrap();
        tap.start(&path, crate::command::CastFormat::V2, size, "").unwrap();
        for _ in 0..4 {
            terminal.draw(|frame| frame.render_widget("text", frame.area())).unwrap();
        }
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        // The header, what a player does first, and one frame.
        assert_eq!(lines, 3);
    }
}
