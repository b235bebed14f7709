//! How a server process is begun, and how its end is explained.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::{
        fd::OwnedFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
};

use crate::{
    platform::{PlatformError, identity::Identity, marks},
    region::NodeName,
};

/// How much of a log's end is searched for the reason of an end.
const LOG_TAIL: u64 = 16 * 1024;

/// Where a server runs that is on the wire.
#[derive(Clone, Debug)]
pub struct Namespaces {
    pub user: Arc<OwnedFd>,
    pub net: Arc<OwnedFd>,
}

/// How to start a node's server.
#[derive(Clone, Debug)]
pub struct Launch {
    pub program: PathBuf,
    pub config: PathBuf,
    pub log: PathBuf,
    /// Where its standard error goes.
    pub stderr: PathBuf,
    /// The region's name and whose it is, for whoever looks at the process.
    pub region: String,
    pub identity: Identity,
    /// Of its zone, where that is on the wire.
    pub namespaces: Option<Namespaces>,
}

impl Launch {
    /// Starts the server.
    pub fn spawn(&self, node: &NodeName) -> Result<Child, PlatformError> {
        let stderr = File::create(&self.stderr)
            .map_err(|error| PlatformError::io("create", &self.stderr, error))?;
        let mut command = Command::new(&self.program);
        command
            .arg("--config")
            .arg(&self.config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .current_dir(self.config.parent().unwrap_or(Path::new("/")))
            // A group of its own: ctrl-c in the room's terminal is not for the servers.
            .process_group(0);
        marks::mark(&mut command, &self.region, &self.identity);
        marks::mark_server(&mut command, node);
        enter_and_die_with_us(&mut command, self.namespaces.clone());
        command.spawn().map_err(|error| PlatformError::io("run", &self.program, error))
    }

    /// Why a server that was not asked to end has ended: its status, and its own last word.
    pub fn why_ended(&self, status: ExitStatus, log_from: u64) -> String {
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("killed by signal {signal}"),
            (None, None) => "ended".to_owned(),
        };
        if status.signal() == Some(9) {
            // It had no time for a last word; what is in the log is about something else.
            return how;
        }
        match self.last_word(log_from) {
            Some(word) => format!("{how}; {word}"),
            // A server on a full disk has nowhere to say so.
            None if self.is_full() => {
                format!("{how}; no space is left on its disk: free some, and try again")
            }
            None => how,
        }
    }

    fn is_full(&self) -> bool {
        rustix::fs::statvfs(&self.log).is_ok_and(|disk| disk.f_bavail == 0)
    }

    /// The most telling line a server left: its fatal one, what it wrote to standard error, or else
    /// its last error.
    fn last_word(&self, log_from: u64) -> Option<String> {
        let log = tail(&self.log, log_from);
        let stderr = tail(&self.stderr, 0);
        let tagged = |text: &str, tag: &str| {
            let line = text.lines().rev().find_map(|line| line.split_once(tag))?;
            Some(line.1.trim().to_owned())
        };
        tagged(&log, "[FTL]")
            .or_else(|| tagged(&stderr, "[FTL]"))
            .or_else(|| {
                let line = stderr.lines().map(str::trim).find(|line| !line.is_empty())?;
                Some(line.trim_start_matches("nats-server: ").to_owned())
            })
            .or_else(|| tagged(&log, "[ERR]"))
    }
}

/// Has the child join its zone's namespaces, and the kernel kill it when the keeper's thread ends,
/// however it ends.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn enter_and_die_with_us(command: &mut Command, namespaces: Option<Namespaces>) {
    use nix::sched::{CloneFlags, setns};
    let parent = rustix::process::getpid();
    let hook = move || {
        if let Some(Namespaces { user, net }) = &namespaces {
            setns(user, CloneFlags::CLONE_NEWUSER)?;
            setns(net, CloneFlags::CLONE_NEWNET)?;
        }
        // After them: a change of credentials forgets it.
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        // If the room died before the line above, its signal will never come.
        if rustix::process::getppid() == Some(parent) {
            Ok(())
        } else {
            Err(rustix::io::Errno::SRCH.into())
        }
    };
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. The hook makes a few
    // bare system calls on descriptors that it holds and builds an error from a number; it allocates
    // nothing and takes no lock.
    unsafe {
        command.pre_exec(hook);
    }
}

/// Elsewhere the file of process ids is what ends leftovers, at the next start.
#[cfg(not(target_os = "linux"))]
fn enter_and_die_with_us(_command: &mut Command, _namespaces: Option<Namespaces>) {}

/// The end of a file from `from` on, at most [`LOG_TAIL`] bytes; empty when it cannot be read.
fn tail(path: &Path, from: u64) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        // A log that was rotated since is shorter than where we began.
        let from = if from > length { 0 } else { from };
        file.seek(SeekFrom::Start(from.max(length.saturating_sub(LOG_TAIL))))?;
        let mut bytes = Vec::new();
        file.take(LOG_TAIL).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}
