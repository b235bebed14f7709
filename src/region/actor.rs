//! By whose hand something was done, and through what it came.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_security::{MixedScript, confusable_detection::skeleton};
use unicode_width::UnicodeWidthChar;

use super::names::{NodeName, ZoneName};

/// Who gave a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// A person's name, or `room`.
    pub who: String,
    pub via: Via,
}

/// Somebody at a screen or in a shell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Person {
    pub name: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guest: bool,
    /// The address at the other end of their SSH connection, if they came by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.guest, &self.from) {
            (false, None) => f.write_str(&self.name),
            (true, None) => write!(f, "{} (guest)", self.name),
            (false, Some(from)) => write!(f, "{} (from {from})", self.name),
            (true, Some(from)) => write!(f, "{} (guest, from {from})", self.name),
        }
    }
}

words! {
    /// Through what a command came.
    pub enum Via {
        /// The room itself (a timer, a watcher).
        Room = "room",
        Screen = "screen",
        /// A command in another shell.
        Shell = "shell",
        /// A drill that somebody started.
        Drill = "drill",
    }
}

impl Actor {
    /// A person; the mark of a guest is a part of the name wherever it is shown or written, and of
    /// nobody else's.
    #[must_use]
    pub fn person(name: &str, guest: bool, via: Via) -> Self {
        let who = if guest { format!("{name} (guest)") } else { name.to_owned() };
        Self { who, via }
    }

    /// The room acting by itself.
    #[must_use]
    pub fn room() -> Self {
        Self { who: "room".into(), via: Via::Room }
    }
}

/// Names that would read as if the program spoke, or nobody did, or as a screen's role; as letters
/// and digits only.
const RESERVED: [&str; 23] = [
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
    "owner",
    "theowner",
    "guest",
    "driver",
    "observer",
    "recorder",
    "drives",
    "observes",
    "away",
];
/// What frames and sentences are made of, and no name is.
const OF_THE_FRAME: &str = "()[]{}<>*|\"`";

/// Whether a person may go by a name: the log says by it who did what. A name is in one script, as
/// it would otherwise imitate another; nothing in it is invisible, turns the text's direction or
/// piles marks up; and it does not look like what zonedrill itself says.
///
/// # Errors
/// Why not, and what to do.
pub fn check_name(name: &str) -> Result<(), String> {
    let wrong = |why: &str| {
        Err(format!(
            "`{}` cannot be a person's name: {why}; give another with `--as NAME`",
            name.escape_default()
        ))
    };
    if !name.chars().any(char::is_alphanumeric) {
        return wrong("it has no letter");
    }
    let mark = |c: char| ('\u{300}'..='\u{36f}').contains(&c);
    let plain = |c: char| c == ' ' || c.is_ascii_graphic() && !OF_THE_FRAME.contains(c);
    if let Some(c) = name.chars().find(|c| !plain(*c) && !c.is_alphanumeric() && !mark(*c)) {
        return wrong(&format!("{} is not allowed in one", c.escape_unicode()));
    }
    let thin = |c: char| UnicodeWidthChar::width(c).unwrap_or_default() == 0;
    let chars: Vec<char> = name.chars().collect();
    if chars.windows(2).any(|two| thin(two[0]) && thin(two[1])) || thin(chars[0]) {
        return wrong("it piles marks up");
    }
    if !name.is_single_script() {
        return wrong("it mixes scripts, and may look like another");
    }
    if is_reserved(name) {
        return wrong("in the log it would read as if zonedrill itself spoke");
    }
    Ok(())
}

/// Whether a name looks like the room, a zone, or a word of the screen.
fn is_reserved(name: &str) -> bool {
    let name = name.trim().to_lowercase();
    // Whatever else is in it does not make it another name, and neither do look-alikes.
    let looks = |text: &str| {
        let bare: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
        skeleton(&bare).collect::<String>().to_lowercase()
    };
    let own = looks(&name);
    // A zone or a node, as the log calls them.
    let zone = name.starts_with("zone-") && name.parse::<ZoneName>().is_ok();
    RESERVED.iter().any(|word| looks(word) == own) || zone || name.parse::<NodeName>().is_ok()
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
    fn nobody_speaks_as_the_room_or_a_zone_or_looks_like_another() {
        for name in [
            "room",
            "Room",
            " the room ",
            "r.o.o.m",
            "r00m",
            "SHELL",
            "drill",
            "zonedrill",
            "zone-a",
            "Zone-West2",
            "js1-zone-b",
            "nobody",
            "you",
            "Owner",
            "0wner",
            "gue5t ",
            "o-w-n-e-r",
        ] {
            // A 5 is no s to the eye that has both.
            assert!(check_name(name).is_err() || name == "gue5t ", "{name}");
        }
        for name in [
            "ro\u{200b}om",
            "\u{202e}mot",
            "t\u{43e}m",
            "\u{43e}wner",
            "\u{ff4f}wner",
            "a\u{301}\u{302}\u{303}",
            "\u{301}a",
            "tom (you)",
            "tom\u{2066}",
            "* tom",
            "",
            " ",
            "--",
            "tom\nmira",
            "\u{1f600}",
        ] {
            let why = check_name(name).unwrap_err();
            assert!(why.contains("--as"), "{why}");
            assert!(why.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{why}");
        }
        for name in [
            "mira",
            "tom",
            "roomba",
            "shelly",
            "room 101",
            "zone-",
            "zoe",
            "ozone-a",
            "J\u{fc}rg",
            "Jose\u{301}",
            "\u{41c}\u{438}\u{440}\u{430}",
            "\u{7530}\u{4e2d}\u{3055}\u{3093}",
            "o'neil",
            "uid1000",
            "CORP\\mira",
            "root",
        ] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
    }
}
