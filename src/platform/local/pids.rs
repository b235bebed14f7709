//! Which processes are ours: told apart from later holders of the same process id by their start
//! time, and kept in a file, so that a later room can end what an earlier one left running.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::{
    platform::{PlatformError, identity::Identity as Home, marks::Whose},
    region::NodeName,
};

/// How long a leftover server has to end in order before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// A process, for as long as it lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub pid: u32,
    /// When it began: clock ticks since boot on Linux, elsewhere the words of `ps`.
    pub start: String,
}

impl Identity {
    /// The identity of the process that has this id now; `None` when there is none.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let start = if cfg!(target_os = "linux") {
            let stat = Stat::read(pid)?;
            (stat.state != 'Z').then_some(stat.start)?
        } else {
            let output =
                Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
            let start = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            (output.status.success() && !start.is_empty()).then_some(start)?
        };
        Some(Self { pid, start })
    }

    /// Does this very process still run?
    #[must_use]
    pub fn lives(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            // Gone in the meantime is what is wanted.
            let _ = kill_process(pid, signal);
        }
    }
}

/// What `/proc/PID/stat` says of a process.
pub(super) struct Stat {
    /// `R`, `S`, `T` (suspended), `Z` (ended, not yet waited for), …
    pub state: char,
    pub start: String,
}

impl Stat {
    /// `None` when there is no such process, or no `/proc`.
    pub fn read(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(stat: &str) -> Option<Self> {
        // The second field is the program's name in parentheses and may hold anything.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?.chars().next()?;
        let start = fields.nth(18)?.to_owned();
        Some(Self { state, start })
    }
}

/// The file beside the servers.
#[derive(Debug, Serialize, Deserialize)]
pub struct PidFile {
    /// The room that runs them.
    pub owner: Identity,
    pub servers: Vec<Server>,
}

/// A server that runs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Server {
    pub node: NodeName,
    pub process: Identity,
    pub executable: PathBuf,
}

impl PidFile {
    /// Replaces the file in one step; without servers there is no file.
    pub fn write(&self, path: &Path) -> Result<(), PlatformError> {
        if self.servers.is_empty() {
            return match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(PlatformError::io("remove", path, error))
                }
                _ => Ok(()),
            };
        }
        let fresh = path.with_extension("json.new");
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::from);
        text.and_then(|text| fs::write(&fresh, text))
            .and_then(|()| fs::rename(&fresh, path))
            .map_err(|error| PlatformError::io("write", path, error))
    }

    fn read(path: &Path) -> Result<Option<Self>, PlatformError> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(PlatformError::io("read", path, error)),
        };
        match serde_json::from_slice(&text) {
            Ok(file) => Ok(Some(file)),
            Err(error) => {
                // Nothing can be told from it, and nothing may be signalled on a guess; a server
                // that really is left over will show as the owner of its port.
                tracing::warn!(%error, path = %path.display(), "unreadable file of process ids");
                Ok(None)
            }
        }
    }
}

/// What an earlier room left running.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Ended now.
    pub ended: Vec<NodeName>,
    /// Not touched, since they carry another home's id; in words, with whose they are.
    pub foreign: Vec<String>,
}

/// Ends the servers that an earlier room of the region in `home` left running, as far as they are
/// the home's with this identity.
///
/// # Errors
/// When the note of what ran cannot be read, or a server does not end.
pub fn end_leftovers_in(home: &Path, identity: &Home) -> Result<Leftovers, PlatformError> {
    end_leftovers(&super::pid_file(&home.join("servers")), identity)
}

/// Ends the servers that an earlier room left running, in order if they can, within about two
/// seconds. A process that carries another id than this home's is left alone, whatever the file
/// says. Blocks.
///
/// # Errors
/// [`PlatformError::Busy`] when that room still runs; or when the file cannot be read or removed.
pub fn end_leftovers(path: &Path, home: &Home) -> Result<Leftovers, PlatformError> {
    let Some(file) = PidFile::read(path)? else { return Ok(Leftovers::default()) };
    let noted = file.servers.into_iter();
    let (left, others): (Vec<Server>, Vec<Server>) = noted
        .filter(|server| server.process.lives() && runs(&server.process, &server.executable))
        .partition(|server| !matches!(whose(server, home), Whose::Another(_)));
    let told = |server: &Server| {
        let pid = server.process.pid;
        format!("pid {pid}, noted as {}: {}", server.node, whose(server, home).words(pid))
    };
    let foreign: Vec<String> = others.iter().map(told).collect();
    for told in &foreign {
        tracing::warn!("a server is not ended: {told}");
    }
    if !left.is_empty() && file.owner.pid != std::process::id() && file.owner.lives() {
        let folder = path.parent().unwrap_or(path).to_owned();
        return Err(PlatformError::Busy { folder, pid: file.owner.pid });
    }
    for signals in [&[Signal::TERM, Signal::CONT][..], &[Signal::KILL]] {
        for server in left.iter().filter(|server| server.process.lives()) {
            // A suspended server hears the first only after the second.
            for signal in signals {
                server.process.signal(*signal);
            }
        }
        let begun = Instant::now();
        while begun.elapsed() < GRACE && left.iter().any(|server| server.process.lives()) {
            thread::sleep(Duration::from_millis(10));
        }
    }
    PidFile { owner: file.owner, servers: Vec::new() }.write(path)?;
    Ok(Leftovers { ended: left.into_iter().map(|server| server.node).collect(), foreign })
}

/// Whose a noted server is. An earlier release marked its own with the region's name alone.
fn whose(server: &Server, home: &Home) -> Whose {
    match Whose::of(server.process.pid, home) {
        Whose::Another(marks) if !marks.has_id() => Whose::Unknown,
        whose => whose,
    }
}

/// Does the process run this program? Yes where that cannot be known: its start time was right.
fn runs(process: &Identity, executable: &Path) -> bool {
    let Ok(running) = fs::read_link(format!("/proc/{}/exe", process.pid)) else { return true };
    let running = running.to_string_lossy();
    let running = Path::new(running.trim_end_matches(" (deleted)"));
    running == executable || fs::canonicalize(executable).is_ok_and(|path| path == running)
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Stdio};

    use super::*;

    /// A child that is ended with the test.
    struct Sleeper(Child);

    impl Sleeper {
        fn new() -> Self {
            Self(Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap())
        }

        fn identity(&self) -> Identity {
            Identity::of(self.0.id()).unwrap()
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn file(owner: Identity, process: Identity, executable: &str) -> PidFile {
        let node = "js1-zone-a".parse().unwrap();
        PidFile { owner, servers: vec![Server { node, process, executable: executable.into() }] }
    }

    fn sleep_path() -> String {
        let path = std::env::var("PATH").unwrap();
        let found =
            path.split(':').map(|dir| format!("{dir}/sleep")).find(|p| Path::new(p).exists());
        found.unwrap()
    }

    fn gone() -> Identity {
        Identity { pid: 1 << 30, start: "1".into() }
    }

    #[test]
    fn a_name_with_parentheses_does_not_confuse() {
        let stat = "42 (a) b (c) T 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 123456 1 2";
        let stat = Stat::parse(stat).unwrap();
        assert_eq!((stat.state, stat.start.as_str()), ('T', "123456"));
    }

    #[test]
    fn leftovers_are_ended_even_when_suspended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pids.json");
        let sleeper = Sleeper::new();
        sleeper.identity().signal(Signal::STOP);
        let identity = sleeper.identity();
        file(gone(), identity.clone(), &sleep_path()).write(&path).unwrap();
        assert_eq!(end_leftovers(&path, &Home::default()).unwrap().ended.len(), 1);
        assert!(!identity.lives());
        assert!(!path.exists());
    }

    #[test]
    fn a_process_that_only_has_the_same_id_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pids.json");
        let sleeper = Sleeper::new();
        let other = Identity { start: "1".into(), ..sleeper.identity() };
        file(gone(), other, &sleep_path()).write(&path).unwrap();
        assert!(end_leftovers(&path, &Home::default()).unwrap() == Leftovers::default());
        assert!(sleeper.identity().lives());
        if cfg!(target_os = "linux") {
            file(gone(), sleeper.identity(), "/somewhere/else/nats-server").write(&path).unwrap();
            assert!(end_leftovers(&path, &Home::default()).unwrap() == Leftovers::default());
            assert!(sleeper.identity().lives());
        }
    }

    #[test]
    fn the_servers_of_a_running_room_are_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pids.json");
        let (room, server) = (Sleeper::new(), Sleeper::new());
        file(room.identity(), server.identity(), &sleep_path()).write(&path).unwrap();
        let refused = end_leftovers(&path, &Home::default()).unwrap_err();
        assert!(matches!(refused, PlatformError::Busy { pid, .. } if pid == room.0.id()));
        assert!(server.identity().lives());
    }

    #[test]
    fn an_unreadable_file_is_no_reason_to_signal_anyone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pids.json");
        fs::write(&path, "{\"owner\":").unwrap();
        assert!(end_leftovers(&path, &Home::default()).unwrap() == Leftovers::default());
    }
}
