//! The guard: a tiny process that outlives a room killed without warning, and clears up after it.
//!
//! It holds the reading end of a pipe whose writing end only the room has. When the room dies in
//! whatever way, the kernel closes the pipe; the guard then ends the servers the room left (on
//! Linux they are dead already), removes the socket, and ends itself. Containers stay, to be
//! adopted; but of a region that was made for one run it leaves nothing, in the engine or on disk.

use std::{
    fs,
    io::{self, Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::home::{Home, HomeError, Lease};
use crate::{
    platform::{PlatformError, docker, identity::Identity, local, marks},
    region::PlatformKind,
};

/// The hidden subcommand the guard is started with.
pub const SUBCOMMAND: &str = "guard";
/// Its flag for a region that was made for one run, with the platform.
const ONCE: &str = "--once";
/// How long the lock of a room that died may outlive its pipe.
const LOCK_GONE_WITHIN: Duration = Duration::from_secs(2);
/// What the room says before it ends in order.
const ALL_CLEAR: &[u8] = b"clear";

/// The guard, as its room holds it.
#[derive(Debug)]
pub struct Guard(Child);

impl Guard {
    /// Starts a guard for this process's room; `once` is the platform of a region that was made for
    /// one run.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(home: &Home, identity: &Identity, once: Option<PlatformKind>) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg(SUBCOMMAND)
            .arg("--region")
            .arg(&home.region)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(platform) = once {
            command.args([ONCE, platform.as_str()]);
        }
        marks::mark(&mut command, &home.region, identity);
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

/// Why not everything could be cleared up.
#[derive(Debug, thiserror::Error)]
pub enum ClearError {
    /// A file or folder cannot be removed.
    #[error("{0}")]
    Home(#[from] HomeError),
    /// What is left elsewhere cannot be removed.
    #[error("{0}")]
    Platform(#[from] PlatformError),
}

/// Who has the region of a dead room.
enum Heir {
    Us(Lease),
    /// A new room, or somebody who clears up.
    Another,
    /// Its folder cannot be claimed: it is gone, or going.
    Nobody,
}

/// Claims what the dead room had. The kernel closes a process's files one by one: the pipe may be
/// gone before the lock is.
async fn claim(home: &Home) -> Heir {
    let deadline = Instant::now() + LOCK_GONE_WITHIN;
    loop {
        match home.claim() {
            Ok(claim) => return Heir::Us(claim),
            Err(HomeError::Held { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(HomeError::Held { .. }) => return Heir::Another,
            Err(_) => return Heir::Nobody,
        }
    }
}

/// Waits as long as the room lives. Did it die without clearing up?
#[must_use]
pub fn outlives_the_room() -> bool {
    // Out of the room's session: a signal to its group must not take the guard along.
    let _ = rustix::process::setsid();
    let mut said = Vec::new();
    let _ = io::stdin().read_to_end(&mut said);
    said != ALL_CLEAR
}

/// Clears up after a room that died. A region stays, to be brought up or adopted again; of one that
/// was made for one run, on the platform `once`, nothing does. What bears another id than
/// `identity`, which was read while the folder was there, is not touched.
///
/// # Errors
/// When something cannot be removed. The folder of a region made for one run is kept then, with the
/// reason in the room's log.
pub async fn clear_up(
    home: &Home,
    identity: &Identity,
    once: Option<PlatformKind>,
) -> Result<(), ClearError> {
    let _claim = match (claim(home).await, once) {
        (Heir::Us(claim), _) => Some(claim),
        (Heir::Nobody, Some(_)) => None,
        // Then everything is its business.
        (Heir::Another, _) | (Heir::Nobody, None) => return Ok(()),
    };
    // Another region may have been made in the folder's place since.
    let now = home.identity()?;
    if now.own().is_some_and(|id| !identity.has(id)) {
        return Ok(());
    }
    let _ = local::end_leftovers_in(&home.folder, identity);
    remove_socket(home)?;
    let Some(platform) = once else { return Ok(()) };
    if platform == PlatformKind::Docker
        && let Err(error) = docker::clear_region(&home.region, identity).await
    {
        if let Ok(mut log) = fs::OpenOptions::new().append(true).open(home.log()) {
            let _ = writeln!(log, "{error}");
        }
        return Err(error.into());
    }
    remove(&home.folder, |path| fs::remove_dir_all(path))?;
    if let Some(root) = home.folder.parent() {
        // Made for this run like the folder in it, unless something else is there.
        let _ = fs::remove_dir(root);
    }
    Ok(())
}

/// Removes the socket of a dead room, of whose region the caller has the claim.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn remove_socket(home: &Home) -> Result<(), HomeError> {
    remove(&home.socket(), |path| fs::remove_file(path))
}

/// Removes it; what is gone already is fine.
fn remove(path: &Path, removing: impl Fn(&Path) -> io::Result<()>) -> Result<(), HomeError> {
    match removing(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(HomeError::Io { doing: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
