//! By whose hand something was done, and through what it came.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::names::{NodeName, ZoneName};

/// Who gave a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// A person's name, or `room`.
    pub who: String,
    /// Through what.
    pub via: Via,
}

/// Through what a command came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// The room itself (a timer, a watcher).
    Room,
    /// An attached screen.
    Screen,
    /// A command in another shell.
    Shell,
    /// A drill that somebody started.
    Drill,
}

impl Actor {
    /// The room acting by itself.
    #[must_use]
    pub fn room() -> Self {
        Self { who: "room".into(), via: Via::Room }
    }
}

/// Names that would read as if the program spoke, or nobody did; as letters and digits only.
const RESERVED: [&str; 14] = [
    "room",
    "theroom",
    "region",
    "theregion",
    "zonedrill",
    "drill",
    "thedrill",
    "replay",
    "shell",
    "screen",
    "guard",
    "nobody",
    "somebody",
    "you",
];

/// Whether a person must not go by a name: the log says by it who did what, and `room` or a zone
/// did not.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    let name = name.trim().to_lowercase();
    // Whatever else is in it, invisible characters included, does not make it another name.
    let bare: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
    // A zone or a node, as the log calls them.
    let zone = name.starts_with("zone-") && name.parse::<ZoneName>().is_ok();
    RESERVED.contains(&bare.as_str()) || zone || name.parse::<NodeName>().is_ok()
}

/// Why not, and what to do.
#[must_use]
pub fn why_reserved(name: &str) -> String {
    format!(
        "`{name}` cannot be a person's name: in the log it would read as if zonedrill itself spoke; give another with `--as NAME`"
    )
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.who)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_speaks_as_the_room_or_a_zone() {
        for name in [
            "room",
            "Room",
            " the room ",
            "r.o.o.m",
            "ro\u{200b}om",
            "SHELL",
            "drill",
            "zonedrill",
            "zone-a",
            "Zone-West2",
            "js1-zone-b",
            "nobody",
            "you",
        ] {
            assert!(is_reserved(name), "{name}");
            assert!(why_reserved(name).contains("--as"), "{name}");
        }
        for name in ["mira", "tom", "roomba", "shelly", "room 101", "zone-", "zoe", "ozone-a", ""] {
            assert!(!is_reserved(name), "{name}");
        }
    }
}
