//! The guard: a tiny process that outlives a room killed without warning, and clears up after it.
//!
//! It holds the reading end of a pipe whose writing end only the room has. When the room dies in
//! whatever way, the kernel closes the pipe; the guard then ends the servers the room left (on
//! Linux they are dead already), removes the socket, and ends itself.

use std::{
    io::{self, Read, Write},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::home::{Claim, Home, HomeError};
use crate::platform::local;

/// The hidden subcommand the guard is started with.
pub const SUBCOMMAND: &str = "guard";
/// How long the lock of a room that died may outlive its pipe.
const LOCK_GONE_WITHIN: Duration = Duration::from_secs(2);
/// What the room says before it ends in order.
const ALL_CLEAR: &[u8] = b"clear";

/// The guard, as its room holds it.
#[derive(Debug)]
pub struct Guard(Child);

impl Guard {
    /// Starts a guard for this process's room.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(home: &Home) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg(SUBCOMMAND)
            .arg("--region")
            .arg(&home.region)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(root) = home.folder.parent() {
            command.env("ZONEDRILL_HOME", root);
        }
        command.spawn().map(Self)
    }

    /// Dismisses the guard: the room has cleared up itself.
    pub fn dismiss(mut self) {
        if let Some(mut pipe) = self.0.stdin.take() {
            let _ = pipe.write_all(ALL_CLEAR);
        }
        let _ = self.0.wait();
    }
}

/// The dead room's claim. The kernel closes a process's files one by one: the pipe may be gone
/// before the lock is.
fn claim(home: &Home) -> Option<Claim> {
    let deadline = Instant::now() + LOCK_GONE_WITHIN;
    loop {
        match home.claim() {
            Ok(claim) => return Some(claim),
            Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(20)),
            Err(_) => return None,
        }
    }
}

/// The guard's whole life.
///
/// # Errors
/// When the region's folder cannot be used.
pub fn stand(home: &Home) -> Result<(), HomeError> {
    // Out of the room's session: a signal to its group must not take the guard along.
    let _ = rustix::process::setsid();
    let mut said = Vec::new();
    let _ = io::stdin().read_to_end(&mut said);
    if said == ALL_CLEAR {
        return Ok(());
    }
    // A new room may be there already; then everything is its business.
    let Some(_claim) = claim(home) else { return Ok(()) };
    let _ = local::end_leftovers(&home.folder);
    let socket = home.socket();
    match std::fs::remove_file(&socket) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(HomeError::Io { doing: "remove", path: socket, source })
        }
        _ => Ok(()),
    }
}
