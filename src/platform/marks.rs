//! What a process of a region carries in its environment, so that whoever meets it can tell whose it
//! is: the region's name, its id, its folder, and of a server the node.

use std::{fs, path::PathBuf, process::Command};

use super::identity::{Identity, RoomOf, UNMARKED, is_id, room_here, their_down};
use crate::{command::readable, region::NodeName};

/// The region's name.
const REGION: &str = "ZONEDRILL_REGION";
/// The region's id.
const ID: &str = "ZONEDRILL_REGION_ID";
/// The folder in which the region's folder is.
const HOME: &str = "ZONEDRILL_HOME";
/// The node, where the process is its server.
const NODE: &str = "ZONEDRILL_NODE";

/// Marks a process that is about to start as one of the region's.
pub fn mark(command: &mut Command, region: &str, identity: &Identity) {
    command.env(REGION, region);
    match identity.own() {
        Some(id) => command.env(ID, id),
        // That of whoever started us is not this one's.
        None => command.env_remove(ID),
    };
    if let Some(root) = identity.home.parent() {
        command.env(HOME, root);
    }
}

/// Marks it as a node's server, too.
pub fn mark_server(command: &mut Command, node: &NodeName) {
    command.env(NODE, node.to_string());
}

/// The id that this process was started with, for a folder that has none yet.
#[must_use]
pub fn given_id() -> Option<String> {
    std::env::var(ID).ok().filter(|id| is_id(id) && id != UNMARKED)
}

/// What another process carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    region: String,
    /// None where an earlier release started it.
    id: Option<String>,
    /// The region's folder.
    home: Option<PathBuf>,
    /// The node it serves.
    node: Option<String>,
}

/// Whose a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// It carries this home's id.
    Ours(Marks),
    /// It carries another's, or a region's name and no id.
    Another(Marks),
    /// It carries nothing, or that cannot be read here.
    Unknown,
}

impl Marks {
    /// Those of a process; `None` where it has none, or they cannot be read (another user's process,
    /// a system without `/proc`).
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read(format!("/proc/{pid}/environ")).ok()?)
    }

    fn parse(environment: &[u8]) -> Option<Self> {
        let variable = |wanted: &str| {
            environment.split(|byte| *byte == 0).find_map(|pair| {
                let (name, value) = std::str::from_utf8(pair).ok()?.split_once('=')?;
                (name == wanted).then(|| value.to_owned())
            })
        };
        let (region, id, node) = (variable(REGION)?, variable(ID), variable(NODE));
        // A user may say by the variable which region is meant: that alone makes nothing a region's.
        if id.is_none() && node.is_none() {
            return None;
        }
        let home = variable(HOME).map(|root| PathBuf::from(root).join(&region));
        Some(Self { region, id, home, node })
    }

    /// It says an id; a release before ids did not.
    #[must_use]
    pub fn has_id(&self) -> bool {
        self.id.is_some()
    }

    /// In words: "js1-zone-a of region `demo`".
    fn what(&self) -> String {
        let region = format!("region `{}`", readable(&self.region));
        match &self.node {
            Some(node) => format!("{} of {region}", readable(node)),
            None => region,
        }
    }
}

impl Whose {
    /// Whose process this is, seen from the home with this identity.
    #[must_use]
    pub fn of(pid: u32, identity: &Identity) -> Self {
        Self::told(Marks::of(pid), identity)
    }

    fn told(marks: Option<Marks>, identity: &Identity) -> Self {
        match marks {
            None => Self::Unknown,
            Some(marks) if marks.id.as_ref().is_some_and(|id| identity.has(id)) => {
                Self::Ours(marks)
            }
            Some(marks) => Self::Another(marks),
        }
    }

    /// In words, with what ends it where that is known; empty where nothing is.
    #[must_use]
    pub fn words(&self, pid: u32) -> String {
        match self {
            Self::Unknown => String::new(),
            Self::Ours(marks) => {
                format!(
                    "{}, this home's, left by an earlier room: `kill {pid}` ends it",
                    marks.what()
                )
            }
            Self::Another(marks) => {
                let id = marks
                    .id
                    .as_deref()
                    .map_or("no id".to_owned(), |id| format!("id {}", readable(id)));
                let Some(home) = &marks.home else { return format!("{}, {id}", marks.what()) };
                let room = room_here(home);
                let end = match &room {
                    RoomOf::Alive { .. } => their_down(home, &marks.region),
                    _ => Some(format!("`kill {pid}`")),
                };
                format!(
                    "{}, {id}, not this home's but of {}; {room}{}",
                    marks.what(),
                    readable(&home.display().to_string()),
                    end.map(|end| format!(": {end} ends it")).unwrap_or_default()
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn whose(environment: &str, ids: &[&str]) -> Whose {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        let identity = Identity::new(ids, Path::new("/home/mira/demo"));
        Whose::told(Marks::parse(environment.as_bytes()), &identity)
    }

    #[test]
    fn a_name_alone_makes_a_process_nobodys() {
        assert_eq!(whose("PATH=/bin\0ZONEDRILL_REGION=demo\0", &["00c0ffee"]), Whose::Unknown);
        assert_eq!(whose("", &["00c0ffee"]), Whose::Unknown);
        let server = "ZONEDRILL_REGION=demo\0ZONEDRILL_NODE=js1-zone-a\0";
        assert!(matches!(whose(server, &["00c0ffee"]), Whose::Another(_)), "of no id");
    }

    #[test]
    fn the_id_tells_whose_a_process_is() {
        let server = "ZONEDRILL_REGION=demo\0ZONEDRILL_REGION_ID=0ddba11d\0ZONEDRILL_HOME=/no/where\0ZONEDRILL_NODE=js1-zone-a\0";
        assert!(matches!(whose(server, &["00c0ffee", "0ddba11d"]), Whose::Ours(_)));
        let other = whose(server, &["00c0ffee"]);
        let words = other.words(4711);
        for part in ["js1-zone-a of region `demo`", "0ddba11d", "/no/where/demo", "is gone"] {
            assert!(words.contains(part), "{part}: {words}");
        }
        assert!(matches!(other, Whose::Another(_)), "{other:?}");
    }

    #[test]
    fn what_a_process_says_of_itself_moves_no_cursor() {
        let evil =
            "ZONEDRILL_REGION=\u{1b}[2J\0ZONEDRILL_REGION_ID=\u{1b}c\0ZONEDRILL_HOME=/\u{202e}x\0";
        let words = whose(evil, &[]).words(1);
        assert!(!words.contains(|c: char| c.is_control() || c == '\u{202e}'), "{words:?}");
    }
}
