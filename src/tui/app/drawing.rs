//! When a frame is drawn, and on how many cells.

use std::{io, time::Duration};

use ratatui::{
    Terminal, TerminalOptions, Viewport,
    backend::CrosstermBackend,
    buffer::{Buffer, Cell},
    layout::Rect,
};
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

/// Cells of a part of a new picture: 3 KB at most, as the lines of frames take three bytes a cell.
const PART: u16 = 800;
/// A line on which a frame arrives this soon takes a whole picture.
const FAST: Duration = Duration::from_millis(200);

/// Leaves out everything below so many rows.
fn veil(buf: &mut Buffer, rows: u16) {
    let below = usize::from(buf.area.width) * usize::from(rows);
    buf.content.iter_mut().skip(below).for_each(Cell::reset);
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
        let rows = self.unveil();
        let Self { terminal, status, view, theme, held, pace, .. } = self;
        let status = held.of(status, pace.took, at);
        terminal.draw(|frame| {
            view.size = (frame.area().width, frame.area().height);
            draw::render(frame, &status, view, theme, now());
            veil(frame.buffer_mut(), rows);
        })?;
        self.due = if rows < self.size.rows { Due::Soon } else { Due::Not };
        self.drawn = Instant::now();
        self.pace.drew(self.drawn);
        Ok(())
    }

    /// How many rows of the picture are drawn: over a line that may be thin a new picture is drawn
    /// part by part, as a whole one is older than two seconds when the last of it is seen.
    fn unveil(&mut self) -> u16 {
        let fast = self.pace.took > Duration::ZERO && self.pace.took < FAST;
        let more = if self.slower == 1 || fast {
            u16::MAX
        } else {
            (PART / self.size.columns.max(1)).max(1)
        };
        self.rows = self.rows.saturating_add(more).min(self.size.rows);
        self.rows
    }

    /// Draws in the next theme's colours.
    pub(super) fn next_theme(&mut self) {
        self.theme.colours = self.theme.colours.next();
        let name = self.theme.colours.as_str();
        self.view.say(format!("theme {name}: `--theme {name}` begins with it"), None, now());
        self.due = Due::Soon;
    }

    /// Forgets what is on the terminal and draws everything.
    pub(super) fn redraw(&mut self) -> io::Result<()> {
        self.rows = 0;
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
