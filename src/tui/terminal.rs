//! The terminal: taking it, and giving it back on every way out.
//!
//! ratatui's own `init` and `restore` leave the terminal raw on SIGTERM and SIGHUP, restore it
//! under a running screen when some other task panics, and abort the process when the terminal is
//! gone. So the modes are taken and given back here: once, without a print macro, errors ignored.

pub mod frames;
pub mod input;
pub mod line;
pub mod signals;

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    panic,
    path::Path,
    process,
    sync::{
        Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::OwnedFd,
    process::Signal,
    termios::{OptionalActions, Termios},
};

use crate::command::{ScreenSize, recording::LARGEST};

pub use frames::Frames;

/// Alternate screen, hidden cursor, bracketed paste. Few modes: what is on when a connection drops
/// stays on.
const ENTER: &[u8] = b"\x1b[22;0t\x1b[?1049h\x1b[?25l\x1b[?2004h";
/// Mouse clicks and wheel, in the form that knows wide terminals.
const MOUSE: &[u8] = b"\x1b[?1000h\x1b[?1006h";
/// Everything off that could be on, whoever switched it on.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1004l\x1b[<u\x1b[0m\x1b[?25h\x1b[?1049l\x1b[23;0t";

/// Everything on the terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// What it was like before.
static BEFORE: Mutex<Option<Before>> = Mutex::new(None);
/// Held while something is written to it.
static OUTPUT: Mutex<()> = Mutex::new(());
/// How Rust ends a process whose main thread panicked.
const PANICKED: i32 = 101;

struct Before {
    termios: Termios,
    /// The terminal's stderr, while ours leads elsewhere.
    stderr: Option<OwnedFd>,
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
            *before = Some(Before { termios, stderr: self.divert_stderr() });
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
        let nofollow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let mut log = OpenOptions::new();
        log.create(true).append(true).mode(0o600).custom_flags(nofollow);
        let open = |path: &Path| log.open(path);
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

/// The terminal's size as it says itself, and as it is drawn. One that does not know (0) is taken
/// for the classic one.
///
/// # Errors
/// When there is no terminal any more.
pub fn size() -> io::Result<(ScreenSize, ScreenSize)> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout())?;
    let told = |n: u16, none: u16| if n == 0 { none } else { n };
    let whole = ScreenSize { columns: told(size.ws_col, 80), rows: told(size.ws_row, 24) };
    let drawn = ScreenSize {
        columns: whole.columns.min(LARGEST.columns),
        rows: whole.rows.min(LARGEST.rows),
    };
    Ok((whole, drawn))
}

/// Is there still a terminal behind stdout? One that was hung up answers no question.
#[must_use]
pub fn is_there() -> bool {
    rustix::termios::tcgetattr(rustix::stdio::stdout()).is_ok()
}

/// Does something to the terminal that must not be mixed with giving it back.
fn with_output<T>(act: impl FnOnce() -> T) -> T {
    let _held = OUTPUT.lock().unwrap_or_else(PoisonError::into_inner);
    act()
}

/// Waits until nobody writes to the terminal any more; not for long, as who writes may be held up,
/// or may be who panicked.
fn quiet() -> Option<MutexGuard<'static, ()>> {
    (0..40).find_map(|_| {
        OUTPUT.try_lock().ok().or_else(|| {
            thread::sleep(Duration::from_millis(5));
            None
        })
    })
}

/// Gives the terminal back. Does nothing if it has been given back already; never panics, and
/// ignores that the terminal may be gone.
pub fn restore() {
    give_back(false);
}

/// Gives the terminal back although it may take nothing more: what waits to be written is thrown
/// away first. For a signal, which must end the process whatever the terminal does.
pub fn restore_now() {
    give_back(true);
}

fn give_back(at_once: bool) {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let stdout = rustix::stdio::stdout();
    let none = Timespec { tv_sec: 0, tv_nsec: 0 };
    let takes_more = || poll(&mut [PollFd::new(&stdout, PollFlags::OUT)], Some(&none)) == Ok(1);
    if at_once || !takes_more() {
        let _ = rustix::termios::tcflush(stdout, rustix::termios::QueueSelector::OFlush);
        let _ = rustix::termios::tcflow(stdout, rustix::termios::Action::OOn);
    }
    let _quiet = quiet();
    let _ = rustix::io::write(stdout, LEAVE);
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        let _ = rustix::termios::tcsetattr(stdout, OptionalActions::Now, &before.termios);
        // A dead terminal's stays away: who prints to it would panic.
        if let Some(stderr) = before.stderr.filter(|fd| rustix::termios::tcgetattr(fd).is_ok()) {
            let _ = rustix::stdio::dup2_stderr(&stderr);
        }
    }
}

/// Puts a hook around the one that is there: a panic, of whichever thread or task, gives the
/// terminal back before the message is written, and ends the process as a panic of its main thread
/// would. A screen of which a part is missing would show what is no longer true.
fn hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let inner = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let taken = is_taken();
            restore();
            inner(info);
            if taken {
                process::exit(PANICKED);
            }
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
}
