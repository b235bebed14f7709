//! The room's side of the helper: started, asked, and replaced when it is gone.

use std::{
    fmt, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    net::{AddressFamily, SocketFlags, SocketType, socketpair, sockopt},
};

use super::{
    Wire,
    helper::{self, Answer, Request},
};
use crate::platform::{Common, marks};

/// The helper answers within milliseconds; longer means that somebody has suspended it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the helper has not done what it was asked.
#[derive(Debug)]
pub enum Refusal {
    /// It is gone or suspended: which one, and the system's error.
    NoAnswer(u64, io::Error),
    /// It could not, in words.
    Failed(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer(_, error) => write!(f, "the wire's helper does not answer ({error})"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// One helper process.
struct Running {
    child: Child,
    socket: OwnedFd,
    /// Counts the helpers of a wire.
    number: u64,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The helper of a wire, whichever process it is at present.
pub struct Helper {
    program: PathBuf,
    common: Common,
    running: Mutex<Running>,
}

impl Helper {
    /// Starts it; returns it with the user namespace that it has made.
    pub fn start(program: &Path, common: &Common) -> Result<(Self, Arc<OwnedFd>), String> {
        let running = Running::start(program, common, 1)?;
        let began = running.ask(&Request::Begin, &[]).map_err(|refusal| refusal.to_string())?;
        let user = began.1.into_iter().next().ok_or("it gave no namespace")?;
        let (program, common) = (program.to_owned(), common.clone());
        Ok((Self { program, common, running: Mutex::new(running) }, Arc::new(user)))
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        // What a panic could have left half read is found out by the next answer.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks it for something, with descriptors; what it answers may come with some.
    pub fn ask(
        &self,
        request: &Request,
        along: &[BorrowedFd<'_>],
    ) -> Result<(Answer, Vec<OwnedFd>), Refusal> {
        self.running().ask(request, along)
    }

    /// Starts another one in the place of that one; returns both their process ids. `None` if that
    /// has been done.
    pub fn replace(&self, number: u64, user: &OwnedFd) -> Result<Option<(u32, u32)>, String> {
        let mut running = self.running();
        if running.number != number {
            return Ok(None);
        }
        let new = Running::start(&self.program, &self.common, number + 1)?;
        let joined = new.ask(&Request::Join, &[user.as_fd()]);
        joined.map_err(|refusal| refusal.to_string())?;
        let old = running.child.id();
        let ids = (old, new.child.id());
        *running = new;
        Ok(Some(ids))
    }
}

impl Running {
    fn start(program: &Path, common: &Common, number: u64) -> Result<Self, String> {
        let started = || -> io::Result<Self> {
            let kind = SocketType::SEQPACKET;
            let (here, there) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
            for timeout in [sockopt::Timeout::Recv, sockopt::Timeout::Send] {
                sockopt::set_socket_timeout(&here, timeout, Some(PATIENCE))?;
            }
            let mut command = Command::new(program);
            command
                .arg(helper::SUBCOMMAND)
                .stdin(Stdio::from(there))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .current_dir("/");
            marks::mark(&mut command, &common.region, &common.identity);
            Ok(Self { child: command.spawn()?, socket: here, number })
        };
        started().map_err(|error| format!("cannot run {}: {error}", program.display()))
    }

    fn ask(
        &self,
        request: &Request,
        along: &[BorrowedFd<'_>],
    ) -> Result<(Answer, Vec<OwnedFd>), Refusal> {
        let asked = || -> io::Result<(Answer, Vec<OwnedFd>)> {
            helper::send(self.socket.as_fd(), &serde_json::to_vec(request)?, along)?;
            let answer = helper::receive(self.socket.as_fd())?;
            let (bytes, given) = answer.ok_or(io::ErrorKind::UnexpectedEof)?;
            Ok((serde_json::from_slice(&bytes)?, given))
        };
        match asked() {
            Ok((Answer::Failed(doing, why), _)) => {
                Err(Refusal::Failed(format!("cannot {doing}: {why}")))
            }
            Ok(answered) => Ok(answered),
            Err(error) => Err(Refusal::NoAnswer(self.number, error)),
        }
    }
}

/// Waits, on a thread that sleeps, until the helper is gone, and has it replaced while the wire is
/// there.
pub fn watch(wire: &Arc<Wire>) {
    let held = {
        let running = wire.helper.running();
        running.socket.try_clone().map(|socket| (socket, running.number))
    };
    let wire = Arc::downgrade(wire);
    // Without a watcher the next question finds out.
    let Ok((socket, number)) = held else { return };
    let watching = move || {
        gone(&socket);
        drop(socket);
        if let Some(wire) = Weak::upgrade(&wire) {
            // What came of it is told by an event.
            let _ = wire.replace_helper(number);
        }
    };
    let _ = thread::Builder::new().name("wire-helper".into()).spawn(watching);
}

/// Returns once the other end of a socket is closed.
fn gone(socket: &OwnedFd) {
    loop {
        // Without a flag that is asked for, only the end of the other side wakes.
        let mut fds = [PollFd::new(socket, PollFlags::empty())];
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(_) if fds[0].revents().is_empty() => {}
            Ok(_) | Err(_) => return,
        }
    }
}
