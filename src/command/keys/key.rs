//! A key and its name, as a file of bindings writes it: `c`, `ctrl-x`, `shift-tab`, `f5`.

use std::{fmt, str::FromStr};

/// A key, without any terminal's notion of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// With the control key held.
    pub ctrl: bool,
    /// With the alt key held.
    pub alt: bool,
    pub code: Code,
}

/// The keys a binding can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A character; capital letters are characters of their own.
    Char(char),
    F(u8),
    /// A key with a name.
    Named(Named),
}

/// Keys with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Named {
    Enter,
    Esc,
    Tab,
    /// Tab with shift held.
    BackTab,
    Backspace,
    Delete,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
}

/// Names and keys, in the order messages list them.
const NAMED: [(&str, Named); 14] = [
    ("enter", Named::Enter),
    ("esc", Named::Esc),
    ("tab", Named::Tab),
    ("shift-tab", Named::BackTab),
    ("backspace", Named::Backspace),
    ("delete", Named::Delete),
    ("up", Named::Up),
    ("down", Named::Down),
    ("left", Named::Left),
    ("right", Named::Right),
    ("home", Named::Home),
    ("end", Named::End),
    ("page-up", Named::PageUp),
    ("page-down", Named::PageDown),
];

impl Key {
    /// A plain character.
    #[must_use]
    pub fn char(c: char) -> Self {
        Self { ctrl: false, alt: false, code: Code::Char(c) }
    }

    /// A named key without modifiers.
    #[must_use]
    pub fn named(named: Named) -> Self {
        Self { ctrl: false, alt: false, code: Code::Named(named) }
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut rest = text;
        let (mut ctrl, mut alt) = (false, false);
        loop {
            // A lone `-` must stay a character.
            match (rest.strip_prefix("ctrl-"), rest.strip_prefix("alt-")) {
                (Some(more), _) if !more.is_empty() => (ctrl, rest) = (true, more),
                (_, Some(more)) if !more.is_empty() => (alt, rest) = (true, more),
                _ => break,
            }
        }
        let mut chars = rest.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_control() && c != ' ' => Code::Char(c),
            _ if rest == "space" => Code::Char(' '),
            _ => match NAMED.iter().find(|(name, _)| *name == rest) {
                Some((_, named)) => Code::Named(*named),
                None => match rest.strip_prefix('f').map(str::parse::<u8>) {
                    Some(Ok(n @ 1..=12)) => Code::F(n),
                    _ => return Err(KeyError(text.to_owned())),
                },
            },
        };
        Ok(Self { ctrl, alt, code })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("ctrl-")?;
        }
        if self.alt {
            f.write_str("alt-")?;
        }
        match self.code {
            Code::Char(' ') => f.write_str("space"),
            Code::Char(c) => write!(f, "{c}"),
            Code::F(n) => write!(f, "f{n}"),
            Code::Named(named) => {
                f.write_str(NAMED.iter().find(|(_, k)| *k == named).map_or("", |(name, _)| name))
            }
        }
    }
}

/// Not the name of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a key: write one character, or enter, esc, tab, shift-tab, space, backspace, \
     delete, up, down, left, right, home, end, page-up, page-down, f1 to f12; ctrl- and alt- go \
     before it"
)]
pub struct KeyError(String);
