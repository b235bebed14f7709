//! Where a region lives on disk, who holds it, and what it was brought up with.

pub mod contexts;
mod folder;
mod identity;
pub mod secrets;
#[cfg(test)]
mod tests;

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use crate::{
    platform::identity::LOCK,
    region::{Settings, ZoneName, ZonePlan, topology},
};

/// The longest path a Unix socket can have on every platform we know (macOS: 104 with the NUL).
const LONGEST_SOCKET_PATH: usize = 100;

/// Something about a region's folder is wrong. Each message ends with what to do.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// No folder to live in.
    #[error(
        "cannot tell where this user's state belongs (no HOME): set ZONEDRILL_HOME to a folder"
    )]
    NoHome,
    /// The folder holds something else.
    #[error("{} holds files, but no region: name another region with `--region`, or set ZONEDRILL_HOME to another folder", path.display())]
    Foreign { path: PathBuf },
    /// A bad region name.
    #[error("`{}` is not a region name: use 1 to 24 of a-z, 0-9 and `-`, starting with a letter", crate::command::readable(.0))]
    Name(String),
    /// A file or folder cannot be used.
    #[error("cannot {doing} {}: {source} (check its owner, mode and space, or set ZONEDRILL_HOME to another folder)", path.display())]
    Io { doing: &'static str, path: PathBuf, source: std::io::Error },
    /// The folder belongs to someone else.
    #[error("{} belongs to another user (uid {uid}): set ZONEDRILL_HOME to a folder of your own", path.display())]
    NotOurs { path: PathBuf, uid: u32 },
    /// Others can put another folder in its place.
    #[error(
        "other accounts can change {} (uid {uid}, mode {mode:o}), and put a folder of theirs in a region's place: `chmod go-w` it, or set ZONEDRILL_HOME to a folder of your own",
        path.display()
    )]
    Shared { path: PathBuf, uid: u32, mode: u32 },
    /// A link stands where a folder is wanted.
    #[error(
        "{} is a link, and the folder it leads to may be anybody's: remove the link, or set ZONEDRILL_HOME (for a region) or TMPDIR (for its socket) to a folder of your own",
        .0.display()
    )]
    Link(PathBuf),
    /// Another room holds the region.
    #[error(
        "region `{region}` already has a room (pid {pid}): `zonedrill{flag} attach` opens a screen on it, `zonedrill{flag} down` ends it",
        flag = region_flag(region)
    )]
    Held { region: String, pid: String },
    /// Another command works on a region of others.
    #[error(
        "region {region} is at work already: a command of process {pid} publishes or cuts there; wait for its end"
    )]
    AtWork { region: String, pid: String },
    /// The file with the region's id is damaged.
    #[error(
        "`{id}` in {} is no id of a region (8 digits of 0-9 and a-f): remove that line; without its id, what this region has in Docker is not touched any more",
        path.display()
    )]
    Id { path: PathBuf, id: String },
    /// A context of the `nats` command line that is another's.
    #[error(
        "{} was not made for this region, and stays as it is: move it away, or name another region with `--region`",
        path.display()
    )]
    Context { path: PathBuf },
    /// The file with the passwords.
    #[error("the passwords in {} cannot be used: {why}", path.display())]
    Secrets { path: PathBuf, why: String },
    /// The settings file is damaged.
    #[error("{} cannot be understood: {why}\n  Mend it, or start afresh: remove the folder {}", path.display(), path.parent().unwrap_or(path).display())]
    Settings {
        path: PathBuf,
        /// The reader's word, with line and column.
        why: String,
    },
}

/// What a purge removes, besides the consumers' logs.
const DATA: [&str; 18] = [
    "servers",
    "drills",
    "ledger.jsonl",
    "ledger.length",
    "events.jsonl",
    "history.jsonl",
    "history.1.jsonl",
    "events.1.jsonl",
    "room.1.log",
    identity::FILE,
    "region.id.new",
    secrets::FILE,
    secrets::NEW,
    "region.toml",
    "region.toml.new",
    "room.log",
    "screen.log",
    "screens",
];

/// A region's folder.
#[derive(Clone, Debug)]
pub struct Home {
    pub region: String,
    pub folder: PathBuf,
}

/// What is kept between two lives of a region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// What it was brought up with.
    pub settings: Settings,
    /// The zone that the producer was moved to; the source if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub producer: Option<ZoneName>,
    /// Its zones, source first, those added later included.
    pub zones: Vec<ZonePlan>,
}

/// The room's claim on a region; let go when dropped, or by the kernel when the process dies.
#[derive(Debug)]
pub struct Lease {
    _file: File,
}

impl Home {
    /// The folder of region `region`, under `ZONEDRILL_HOME` or the user's state folder.
    ///
    /// # Errors
    /// When there is no such place, or the name cannot be one.
    pub fn find(region: &str) -> Result<Self, HomeError> {
        let fits = (1..=24).contains(&region.len())
            && region.starts_with(|c: char| c.is_ascii_lowercase())
            && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !fits {
            return Err(HomeError::Name(region.to_owned()));
        }
        let root =
            if let Some(folder) = std::env::var_os("ZONEDRILL_HOME").filter(|v| !v.is_empty()) {
                std::path::absolute(PathBuf::from(&folder)).map_err(|source| HomeError::Io {
                    doing: "use",
                    path: PathBuf::from(folder),
                    source,
                })?
            } else {
                let base = etcetera::choose_base_strategy().map_err(|_| HomeError::NoHome)?;
                base.state_dir().unwrap_or_else(|| base.data_dir()).join("zonedrill")
            };
        Ok(Self { region: region.to_owned(), folder: root.join(region) })
    }

    /// What a command line needs to mean this region: nothing for the default one.
    #[must_use]
    pub fn flag(&self) -> String {
        region_flag(&self.region)
    }

    /// Creates the folder, for its owner only.
    ///
    /// # Errors
    /// When it cannot be created, or is someone else's.
    pub fn create(&self) -> Result<(), HomeError> {
        if self.folder.exists() && !self.is_ours() {
            return Err(HomeError::Foreign { path: self.folder.clone() });
        }
        private_folder(&self.folder)?;
        self.folder.parent().map_or(Ok(()), folder::not_shared)
    }

    /// Whether the folder can be used, without making or changing anything: itself, or while it is
    /// not there the one in which it would be made.
    ///
    /// # Errors
    /// When it cannot be entered or made, or is someone else's.
    pub fn usable(&self) -> Result<&Path, HomeError> {
        let there = self.folder.ancestors().find(|folder| folder.exists());
        let path = there.unwrap_or(&self.folder);
        let io = |doing| move |source| HomeError::Io { doing, path: path.to_owned(), source };
        if path == self.folder {
            let told = fs::symlink_metadata(path).map_err(io("read"))?;
            if told.is_symlink() {
                return Err(HomeError::Link(path.to_owned()));
            }
            let owner = told.uid();
            if owner != rustix::process::getuid().as_raw() {
                return Err(HomeError::NotOurs { path: path.to_owned(), uid: owner });
            }
        }
        let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        rustix::fs::access(path, access).map_err(|error| io("write in")(error.into()))?;
        Ok(path)
    }

    /// Does the folder hold a region, or nothing at all? Any other folder is somebody's.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        let marks = [LOCK, "room.log", identity::FILE, "region.toml", "ledger.jsonl", "reports"];
        marks.iter().any(|mark| self.folder.join(mark).exists())
            || fs::read_dir(&self.folder).is_ok_and(|mut entries| entries.next().is_none())
    }

    /// Removes what is left after a purge: the lock, and the folder if nothing else is in it.
    ///
    /// # Errors
    /// When the lock cannot be removed.
    pub fn remove(&self) -> Result<(), HomeError> {
        let path = self.folder.join(LOCK);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(HomeError::Io { doing: "remove", path, source });
            }
            _ => {}
        }
        // Not empty means that something of the user's is in it.
        let _ = fs::remove_dir(&self.folder);
        Ok(())
    }

    /// Where the room listens. In the region's folder, unless that path is too long for a socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        let path = self.folder.join("room.sock");
        if path.as_os_str().len() <= LONGEST_SOCKET_PATH {
            return path;
        }
        let mark = crc32fast::hash(self.folder.as_os_str().as_encoded_bytes());
        let user = rustix::process::getuid().as_raw();
        std::env::temp_dir().join(format!("zonedrill-{user}")).join(format!("{mark:08x}.sock"))
    }

    /// The room's own log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join("room.log")
    }

    /// Every event, one JSON object a line.
    #[must_use]
    pub fn events(&self) -> PathBuf {
        self.folder.join("events.jsonl")
    }

    /// Every input of the room, one JSON object a line.
    #[must_use]
    pub fn history(&self) -> PathBuf {
        self.folder.join("history.jsonl")
    }

    /// The evidence, one JSON object a line.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.folder.join("ledger.jsonl")
    }

    /// How many bytes have been written to the ledger.
    #[must_use]
    pub fn ledger_length(&self) -> PathBuf {
        self.folder.join("ledger.length")
    }

    /// The log of a zone's consumer, one line a message.
    #[must_use]
    pub fn consumer_log(&self, consumer: &str) -> PathBuf {
        self.folder.join(format!("{consumer}.log"))
    }

    /// Where what is kept is kept.
    #[must_use]
    pub fn kept_file(&self) -> PathBuf {
        self.folder.join("region.toml")
    }

    /// Takes the region for this process.
    ///
    /// # Errors
    /// When another room holds it.
    pub fn claim(&self) -> Result<Lease, HomeError> {
        let path = self.folder.join(LOCK);
        let io = |doing| {
            let path = path.clone();
            move |source| HomeError::Io { doing, path, source }
        };
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(io("open"))?;
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut pid = String::new();
            let _ = file.read_to_string(&mut pid);
            let pid = if pid.trim().is_empty() { "unknown" } else { pid.trim() };
            return Err(HomeError::Held { region: self.region.clone(), pid: pid.to_owned() });
        }
        file.set_len(0).map_err(io("write"))?;
        writeln!(file, "{}", std::process::id()).map_err(io("write"))?;
        Ok(Lease { _file: file })
    }

    /// What an earlier life left, if there was one.
    ///
    /// # Errors
    /// When the file is there and cannot be read or understood.
    pub fn kept(&self) -> Result<Option<Kept>, HomeError> {
        let path = self.kept_file();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(HomeError::Io { doing: "read", path, source }),
        };
        toml::from_str(&text)
            .map(Some)
            .map_err(|error| HomeError::Settings { path, why: error.to_string() })
    }

    /// Keeps it for the next life.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, kept: &Kept) -> Result<(), HomeError> {
        let path = self.kept_file();
        let io = |source| HomeError::Io { doing: "write", path: path.clone(), source };
        let text = toml::to_string(kept).map_err(|error| io(std::io::Error::other(error)))?;
        let new = path.with_extension("toml.new");
        fs::write(&new, text).map_err(io)?;
        fs::rename(&new, &path).map_err(io)
    }

    /// Removes the region's data: everything but the lock, which is held, and the room's log; and the
    /// contexts with its passwords.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn purge(&self) -> Result<(), HomeError> {
        self.remove_contexts()?;
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| HomeError::Io { doing: "remove", path, source }
        };
        for entry in fs::read_dir(&self.folder).map_err(io(&self.folder))? {
            let entry = entry.map_err(io(&self.folder))?;
            let (name, path) = (entry.file_name(), entry.path());
            let name = name.to_string_lossy();
            // Whatever else lies here is not ours to remove.
            let log = name.starts_with("consumer-") && name.ends_with(".log");
            if !log && !DATA.contains(&&*name) {
                continue;
            }
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }
                .map_err(io(&path))?;
        }
        Ok(())
    }
}

pub use self::folder::private_folder;
pub use crate::region::topology::DEFAULT_REGION;

/// What a command line needs to mean region `region`: nothing for the default one.
#[must_use]
pub fn region_flag(region: &str) -> String {
    topology::region_flag(region)
}

/// Where fetched server binaries are kept.
///
/// # Errors
/// When the user has no cache folder.
pub fn cache_folder() -> Result<PathBuf, HomeError> {
    if let Some(folder) = std::env::var_os("ZONEDRILL_CACHE").filter(|v| !v.is_empty()) {
        return Ok(PathBuf::from(folder));
    }
    let base = etcetera::choose_base_strategy().map_err(|_| HomeError::NoHome)?;
    Ok(base.cache_dir().join("zonedrill"))
}
