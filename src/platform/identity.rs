//! Whose things are: the identity of a region's folder, carried by everything that is made for it
//! outside that folder.

use std::{
    fmt, fs,
    hash::{BuildHasher, Hasher, RandomState},
    io::Read,
    path::{Path, PathBuf},
};

use rustix::fs::FlockOperation;

use crate::region::topology::region_flag;

/// The id that stands for "bears the region's label and no id": things made by an earlier release,
/// or by hand with the compose files.
pub const UNMARKED: &str = "unmarked";
/// The file in a region's folder that its room holds locked; it says the room's process id.
pub const LOCK: &str = "room.lock";

/// Who a region's things belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The folder's own id, then those it has taken over. None where no room ever ran.
    pub ids: Vec<String>,
    /// The region's folder.
    pub home: PathBuf,
    /// Whose it is, `user@host`.
    pub owner: String,
}

impl Identity {
    /// The identity of folder `home` with these ids.
    #[must_use]
    pub fn new(ids: Vec<String>, home: &Path) -> Self {
        let owner = format!("{}@{}", super::person::name(), host());
        Self { ids, home: home.to_owned(), owner }
    }

    /// The id that new things get.
    #[must_use]
    pub fn own(&self) -> Option<&str> {
        self.ids.first().map(String::as_str)
    }

    /// Does a thing with this id belong here? One without an id has [`UNMARKED`].
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.ids.iter().any(|ours| ours == id)
    }
}

/// A new id: eight hexadecimal digits.
#[must_use]
pub fn new_id() -> String {
    format!("{:08x}", RandomState::new().build_hasher().finish() & 0xffff_ffff)
}

/// Can this be an id?
#[must_use]
pub fn is_id(text: &str) -> bool {
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    text == UNMARKED || (text.len() == 8 && hex(text))
}

/// This machine's name.
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// What is known of the room of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomOf {
    /// It runs, as this process (where that can be read).
    Alive { pid: Option<u32> },
    /// None runs.
    Dead,
    /// The folder is not there any more.
    Gone,
    /// The folder is on another machine, or may not be read.
    Unknown,
}

impl fmt::Display for RoomOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alive { pid: Some(pid) } => write!(f, "its room runs, pid {pid}"),
            Self::Alive { pid: None } => f.write_str("its room runs"),
            Self::Dead => f.write_str("no room of it runs"),
            Self::Gone => f.write_str("that folder is gone"),
            Self::Unknown => f.write_str("whether its room runs cannot be seen from here"),
        }
    }
}

/// The command that ends the region of another home, in backquotes; `None` where its folder or name
/// cannot be written as words of a shell's line without a doubt.
#[must_use]
pub fn their_down(home: &Path, region: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let root = home.parent().and_then(Path::to_str).filter(|root| root.chars().all(plain))?;
    let flag = region_flag(region);
    region.chars().all(plain).then(|| format!("`ZONEDRILL_HOME={root} zonedrill{flag} down`"))
}

/// Looks whether a room runs in a folder of `owner` (`user@host`), without changing anything.
#[must_use]
pub fn room_of(home: &Path, owner: &str) -> RoomOf {
    if owner.rsplit_once('@').is_none_or(|(_, on)| on != host()) {
        return RoomOf::Unknown;
    }
    room_here(home)
}

/// Looks whether a room runs in a folder of this machine, without changing anything.
#[must_use]
pub fn room_here(home: &Path) -> RoomOf {
    let mut file = match fs::File::open(home.join(LOCK)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return if home.exists() { RoomOf::Dead } else { RoomOf::Gone };
        }
        Err(_) => return RoomOf::Unknown,
    };
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
        return RoomOf::Dead;
    }
    let mut pid = String::new();
    let _ = file.read_to_string(&mut pid);
    RoomOf::Alive { pid: pid.trim().parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ids_and_differ() {
        let (one, two) = (new_id(), new_id());
        assert!(is_id(&one) && is_id(&two) && one != two, "{one} {two}");
        assert!(is_id(UNMARKED));
        assert!(!is_id("") && !is_id("../../x") && !is_id("3FA9C1D2"));
    }

    #[test]
    fn a_room_is_seen_by_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let here = format!("mira@{}", host());
        let look = |home: &Path| room_of(home, &here);
        assert_eq!(look(folder.path()), RoomOf::Dead);
        assert_eq!(look(&folder.path().join("none")), RoomOf::Gone);
        assert_eq!(room_of(folder.path(), "mira@elsewhere.invalid"), RoomOf::Unknown);
        let lock = folder.path().join(LOCK);
        fs::write(&lock, "4711\n").unwrap();
        assert_eq!(look(folder.path()), RoomOf::Dead);
        let held = fs::File::open(&lock).unwrap();
        rustix::fs::flock(&held, FlockOperation::NonBlockingLockExclusive).unwrap();
        assert_eq!(look(folder.path()), RoomOf::Alive { pid: Some(4711) });
    }
}
