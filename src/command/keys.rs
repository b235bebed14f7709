//! Which key does what: `config/keys.toml`, and a user's file laid over it.
//!
//! A binding leads to a line of the command language or to a movement of the screen. Everything
//! that can be wrong with a binding is found when it is read, with file and line.

mod action;
mod key;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use self::action::action;
pub use self::{
    action::{Action, ScreenAction},
    key::{Code, Key, KeyError, Named},
};

/// The bindings zonedrill comes with.
pub const DEFAULT: &str = include_str!("../../config/keys.toml");
/// The name the default bindings go by in messages.
const DEFAULT_NAME: &str = "config/keys.toml";

/// While what a key works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    #[default]
    Always,
    /// While a mirror zone has the focus.
    Mirror,
    /// While a drill runs.
    Drill,
    /// While a presented drill runs. Goes before what the same key does otherwise, so that a key
    /// the presenter leans on can never touch the region.
    Presented,
    /// While a past drill is shown again. Goes before what the same key does otherwise.
    Replay,
}

impl When {
    /// Bindings of different layers stand beside each other on one key.
    fn layer(self) -> u8 {
        match self {
            Self::Always | Self::Mirror | Self::Drill => 0,
            Self::Presented => 1,
            Self::Replay => 2,
        }
    }
}

/// A key and what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    pub key: Key,
    pub action: Action,
    /// What it does, as its file says it.
    pub words: String,
    pub help: String,
    pub confirm: bool,
    /// While what it works.
    pub when: When,
    /// The word for it at the foot of the screen, where it is shown there.
    pub hint: Option<String>,
}

/// Every binding, in the order the help lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap {
    bindings: Vec<Binding>,
}

/// What is wrong with a file of bindings or of settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {why}")]
pub struct KeymapError {
    /// The file, as it was named.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong and what is allowed.
    pub why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    bind: Bindings,
}

/// The bindings of one file, not looked at yet.
#[derive(Debug, Default, Deserialize)]
pub struct Bindings(Vec<Entry>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    key: Spanned<String>,
    #[serde(rename = "do")]
    action: Spanned<String>,
    #[serde(default)]
    help: Option<String>,
    #[serde(default)]
    when: When,
    #[serde(default)]
    confirm: Option<bool>,
    #[serde(default)]
    hint: Option<String>,
}

impl Keymap {
    /// The bindings zonedrill comes with.
    ///
    /// # Errors
    /// Never in a released zonedrill: a test reads the same file.
    pub fn standard() -> Result<Self, KeymapError> {
        let mut map = Self { bindings: Vec::new() };
        map.overlay(DEFAULT_NAME, DEFAULT)?;
        Ok(map)
    }

    /// Lays a user's file over these bindings.
    ///
    /// # Errors
    /// When the text is not TOML of the expected form, names an unknown key or command, or binds
    /// one key twice. The keymap is unchanged then.
    pub fn overlay(&mut self, file: &str, text: &str) -> Result<(), KeymapError> {
        let parsed: File = read(file, text)?;
        self.lay(file, text, parsed.bind)
    }

    /// Lays bindings over these; `text` is the whole of the file that they stand in.
    ///
    /// # Errors
    /// As [`Self::overlay`].
    pub fn lay(&mut self, file: &str, text: &str, over: Bindings) -> Result<(), KeymapError> {
        let wrong = |at: usize, why: String| KeymapError::at(file, text, at, why);
        let mut merged = self.bindings.clone();
        let mut seen: Vec<(Key, u8, usize)> = Vec::new();
        for entry in over.0 {
            let at = entry.key.span().start;
            let key: Key =
                entry.key.get_ref().parse().map_err(|e: KeyError| wrong(at, e.to_string()))?;
            let layer = entry.when.layer();
            if let Some((.., first)) = seen.iter().find(|(k, l, _)| (*k, *l) == (key, layer)) {
                return Err(wrong(at, format!("`{key}` is bound on line {first} already")));
            }
            seen.push((key, layer, line_at(text, at)));
            let place = merged.iter().position(|b| b.key == key && b.when.layer() == layer);
            let words = entry.action.get_ref().trim();
            if words == "none" {
                if let Some(place) = place {
                    merged.remove(place);
                }
                continue;
            }
            let (action, destructive) =
                action(words).map_err(|why| wrong(entry.action.span().start, why))?;
            let binding = Binding {
                key,
                words: words.to_owned(),
                help: entry.help.unwrap_or_else(|| words.to_owned()),
                confirm: entry.confirm.unwrap_or(destructive),
                when: entry.when,
                hint: entry.hint,
                action,
            };
            match place.and_then(|place| merged.get_mut(place)) {
                Some(old) => *old = binding,
                None => merged.push(binding),
            }
        }
        self.bindings = merged;
        Ok(())
    }

    /// What a key does.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&Binding> {
        self.bindings.iter().find(|b| b.key == key && b.when.layer() == 0)
    }

    /// What a key does while a drill is presented.
    #[must_use]
    pub fn get_presented(&self, key: Key) -> Option<&Binding> {
        let own = self.bindings.iter().find(|b| b.key == key && b.when == When::Presented);
        own.or_else(|| self.get(key))
    }

    /// What a key does while a past drill is shown again.
    #[must_use]
    pub fn get_replaying(&self, key: Key) -> Option<&Binding> {
        let own = self.bindings.iter().find(|b| b.key == key && b.when == When::Replay);
        own.or_else(|| self.get(key))
    }

    /// The key that gives a line of the command language, for texts that name it; one for
    /// presented drills goes first.
    #[must_use]
    pub fn key_for(&self, line: &str) -> Option<Key> {
        let gives = |b: &&Binding| matches!(&b.action, Action::Line(own) if own == line);
        let presented = self.bindings.iter().filter(gives).find(|b| b.when == When::Presented);
        presented.or_else(|| self.bindings.iter().find(gives)).map(|b| b.key)
    }

    /// The bindings whose keys the other does not bind.
    pub fn without<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Binding> {
        let bound = |one: &Binding| {
            let same = |two: &&Binding| two.key == one.key && two.when.layer() == one.when.layer();
            other.bindings.iter().find(same).is_some()
        };
        self.bindings.iter().filter(move |one| !bound(one))
    }

    /// Every binding in order.
    #[must_use]
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }
}

impl KeymapError {
    /// Something that stands so many bytes into a file.
    #[must_use]
    pub fn at(file: &str, text: &str, at: usize, why: String) -> Self {
        Self { file: file.to_owned(), line: line_at(text, at), why }
    }
}

/// Reads a file's TOML.
///
/// # Errors
/// When it is none, or holds what it should not.
pub fn read<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T, KeymapError> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        KeymapError::at(file, text, at, error.message().to_owned())
    })
}

/// The line of a byte offset, counted from 1.
fn line_at(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|b| *b == b'\n').count() + 1
}
