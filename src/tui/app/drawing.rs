//! When a frame is drawn, and on how many cells.

use std::io;

use ratatui::{Terminal, TerminalOptions, Viewport, backend::CrosstermBackend, layout::Rect};
use tokio::time::Instant;

use super::{Due, SOON, Screen};
use crate::{
    command::ScreenSize,
    record::Tap,
    room::clock::now_ms as now,
    tui::{
        draw,
        terminal::{self, Frames, frames::Mute, line::Line},
    },
};

/// A terminal of that size to draw on, of which nothing is known.
pub(super) fn drawing(
    line: &Line,
    tap: &Tap,
    size: ScreenSize,
) -> io::Result<(Terminal<CrosstermBackend<Frames<Line>>>, Mute)> {
    let (frames, mute) = Frames::erasing(line.clone(), tap.clone());
    let viewport = Viewport::Fixed(Rect::new(0, 0, size.columns, size.rows));
    let options = TerminalOptions { viewport };
    Ok((Terminal::with_options(CrosstermBackend::new(frames), options)?, mute))
}

impl Screen {
    /// When the next frame is drawn, if one is due and none is under way.
    pub(super) fn frame_at(&self) -> Option<Instant> {
        match self.due {
            Due::Not => None,
            _ if !self.pace.is_free() => None,
            Due::Numbers => Some(self.drawn + self.refresh * self.slower),
            Due::Soon => Some(self.drawn + SOON * self.slower),
        }
    }

    pub(super) fn draw(&mut self) -> io::Result<()> {
        // Suspended (the process stands still a moment later): the terminal is the shell's.
        if !terminal::is_taken() {
            return Ok(());
        }
        if let Some(signs) = self.told.tell(&self.status) {
            self.line.tell(signs);
        }
        let at = Instant::now();
        self.view.slow_line = self.pace.slow(at);
        let Self { terminal, status, view, theme, held, pace, .. } = self;
        let status = held.of(status, pace.took, at);
        terminal.draw(|frame| {
            view.size = (frame.area().width, frame.area().height);
            draw::render(frame, &status, view, theme, now());
        })?;
        self.due = Due::Not;
        self.drawn = Instant::now();
        self.pace.drew(self.drawn);
        Ok(())
    }

    /// Forgets what is on the terminal and draws everything.
    pub(super) fn redraw(&mut self) -> io::Result<()> {
        let (terminal, mute) = drawing(&self.line, &self.tap, self.size)?;
        self.mute.mute();
        (self.terminal, self.mute) = (terminal, mute);
        self.due = Due::Soon;
        Ok(())
    }

    pub(super) fn resized(&mut self) -> io::Result<()> {
        let (_, size) = terminal::size()?;
        if size != self.size {
            self.size = size;
            self.tap.resized(size);
        }
        self.say_if_clamped();
        self.redraw()
    }

    pub(super) fn say_if_clamped(&mut self) {
        if let Ok((whole, drawn)) = terminal::size()
            && whole != drawn
        {
            let text = format!("this terminal is {whole}: drawn at {drawn}, the largest size");
            self.view.say(text, None, now());
        }
    }
}
