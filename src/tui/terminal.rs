//! The terminal: taking it, and giving it back on every way out.
//!
//! ratatui's own `init` and `restore` leave the terminal raw on SIGTERM and SIGHUP, restore it
//! under a running screen when some other task panics, and abort the process when the terminal is
//! gone. So the modes are taken and given back here: once, without a print macro, errors ignored.

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal, Write},
    panic,
    path::Path,
    sync::{
        Mutex, Once, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ThreadId},
};

use rustix::{
    fd::OwnedFd,
    process::Signal,
    termios::{OptionalActions, Termios},
};

use crate::record::Tap;

/// Alternate screen, hidden cursor, bracketed paste. Few modes: what is on when a connection drops
/// stays on.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h";
/// Mouse clicks and wheel, in the form that knows wide terminals.
const MOUSE: &[u8] = b"\x1b[?1000h\x1b[?1006h";
/// Everything off that could be on, whoever switched it on.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1004l\x1b[<u\x1b[0m\x1b[?25h\x1b[?1049l";

/// Everything on the terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// What it was like before.
static BEFORE: Mutex<Option<Before>> = Mutex::new(None);

struct Before {
    termios: Termios,
    /// The terminal's stderr, while ours leads elsewhere.
    stderr: Option<OwnedFd>,
    /// The thread that draws: a panic elsewhere leaves the screen up.
    owner: ThreadId,
}

/// The terminal while a screen has it; dropping it gives it back.
#[derive(Debug)]
pub struct Taken {
    mouse: bool,
    stderr_log: Option<std::path::PathBuf>,
}

impl Taken {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When stdout is no terminal, or its modes cannot be set.
    pub fn new(mouse: bool, stderr_log: Option<&Path>) -> io::Result<Self> {
        hook();
        let taken = Self { mouse, stderr_log: stderr_log.map(Path::to_path_buf) };
        taken.enter()?;
        Ok(taken)
    }

    /// Takes the terminal (again, after [`restore`]).
    ///
    /// # Errors
    /// When stdout is no terminal, or its modes cannot be set.
    pub fn enter(&self) -> io::Result<()> {
        let stdout = io::stdout();
        let termios = rustix::termios::tcgetattr(&stdout)?;
        let mut raw = termios.clone();
        raw.make_raw();
        {
            let mut before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
            *before = Some(Before {
                termios,
                stderr: self.divert_stderr(),
                owner: thread::current().id(),
            });
        }
        TAKEN.store(true, Ordering::SeqCst);
        rustix::termios::tcsetattr(&stdout, OptionalActions::Now, &raw)?;
        let mut out = stdout.lock();
        out.write_all(ENTER)?;
        if self.mouse {
            out.write_all(MOUSE)?;
        }
        out.flush()
    }

    /// Leads stderr away from the terminal; returns what it was.
    fn divert_stderr(&self) -> Option<OwnedFd> {
        let stderr = io::stderr();
        if !stderr.is_terminal() {
            return None;
        }
        let open = |path: &Path| OpenOptions::new().create(true).append(true).open(path);
        let elsewhere = self
            .stderr_log
            .as_deref()
            .and_then(|path| open(path).ok())
            .or_else(|| File::options().write(true).open("/dev/null").ok())?;
        let before = rustix::io::dup(&stderr).ok()?;
        rustix::stdio::dup2_stderr(&elsewhere).ok()?;
        Some(before)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        restore();
    }
}

/// Is the terminal ours to draw on?
#[must_use]
pub fn is_taken() -> bool {
    TAKEN.load(Ordering::SeqCst)
}

/// Is there still a terminal behind stdout? One that was hung up answers no question, and what asks
/// it by another way (crossterm's size, through `tput`) fails with an error that does not say so.
#[must_use]
pub fn is_there() -> bool {
    rustix::termios::tcgetattr(rustix::stdio::stdout()).is_ok()
}

/// Gives the terminal back. Does nothing if it has been given back already; never panics, and
/// ignores that the terminal may be gone.
pub fn restore() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    // Straight to the descriptor: a lock held by a thread that panicked must not be waited for.
    let _ = rustix::io::write(rustix::stdio::stdout(), LEAVE);
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        let _ = rustix::termios::tcsetattr(
            rustix::stdio::stdout(),
            OptionalActions::Now,
            &before.termios,
        );
        if let Some(stderr) = before.stderr {
            let _ = rustix::stdio::dup2_stderr(&stderr);
        }
    }
}

/// Gives the terminal back although it may take nothing more: what waits to be written is thrown
/// away first. For a signal, which must end the process whatever the terminal does.
pub fn restore_now() {
    if TAKEN.load(Ordering::SeqCst) {
        let stdout = rustix::stdio::stdout();
        let _ = rustix::termios::tcflush(stdout, rustix::termios::QueueSelector::OFlush);
        let _ = rustix::termios::tcflow(stdout, rustix::termios::Action::OOn);
    }
    restore();
}

/// Puts a hook around the one that is there: a panic of the thread that draws gives the terminal
/// back before the message is written.
fn hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let inner = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let owner = BEFORE
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .as_ref()
                .is_some_and(|before| before.owner == thread::current().id());
            if owner {
                restore();
            }
            inner(info);
        }));
    });
}

/// Stops this process until a shell brings it back. The caller has given the terminal back.
///
/// Returns `false`, without stopping, when nobody could bring it back: the process has no parent
/// in its session that controls jobs (a forced command of sshd, a pane of a multiplexer).
#[must_use = "when false, the terminal must be taken again"]
pub fn suspend() -> bool {
    has_job_control_parent()
        && rustix::process::kill_process(rustix::process::getpid(), Signal::STOP).is_ok()
}

/// Asked through nix: a session or group that began outside of this process's PID namespace has
/// the number 0 (`pid_namespaces(7)`), which rustix's `Pid` cannot hold.
fn has_job_control_parent() -> bool {
    use nix::unistd::{getpgid, getpgrp, getppid, getsid};
    let parent = getppid();
    let (Ok(session), Ok(parents), Ok(group)) =
        (getsid(None), getsid(Some(parent)), getpgid(Some(parent)))
    else {
        return false;
    };
    controls_jobs(
        Place { session: parents.as_raw(), group: group.as_raw() },
        Place { session: session.as_raw(), group: getpgrp().as_raw() },
    )
}

/// Where a process stands, as the kernel numbers it for us; 0 is outside of our PID namespace.
#[derive(Clone, Copy)]
struct Place {
    session: i32,
    group: i32,
}

/// The parent is a shell that can bring the child back: in the same session, and with a process
/// group of its own. Of a session we cannot see nothing is known, so nothing is hoped.
fn controls_jobs(parent: Place, child: Place) -> bool {
    child.session != 0 && parent.session == child.session && parent.group != child.group
}

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
}

/// What ratatui writes for a frame in which nothing changed.
const UNCHANGED: &[u8] = b"\x1b[39m\x1b[49m\x1b[59m\x1b[0m\x1b[?25l";
/// How a frame without a cursor ends.
const HIDDEN: &[u8] = b"\x1b[?25l";

impl<W: Write> Frames<W> {
    /// Frames for `out`.
    pub fn new(out: W) -> Self {
        Self::tapped(out, Tap::default())
    }

    /// Frames for `out` and, while it is open, for a tap.
    pub fn tapped(out: W, tap: Tap) -> Self {
        Self { out, frame: Vec::with_capacity(16 * 1024), tap, hidden: false }
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
    fn only_a_shell_that_is_seen_to_control_jobs_can_bring_a_process_back() {
        let at = |session, group| Place { session, group };
        // A shell; a multiplexer's pane, where the child leads its session; `sh -c` in one group.
        assert!(controls_jobs(at(10, 10), at(10, 20)));
        assert!(!controls_jobs(at(10, 10), at(20, 20)));
        assert!(!controls_jobs(at(10, 20), at(10, 20)));
        // Sessions that began outside of a container are all numbered 0.
        assert!(!controls_jobs(at(0, 0), at(20, 20)));
        assert!(!controls_jobs(at(0, 10), at(0, 20)));
    }

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
