//! How the words of a line are spelled, whatever the verb, and why a line may be none.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Why a line is not a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("no command: try `status`, or `help` for the list")]
    Empty,
    /// A quote is not closed.
    #[error("a quote is not closed: close it, or write `\\` before it")]
    Quote,
    /// The words are off; the text is ready to be shown.
    #[error("{0}")]
    Words(String),
}

/// Would break a line, or turn round the order in which a terminal shows it.
pub(crate) fn is_unruly(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The most characters told of a name that a stranger chose.
const LONGEST_FOREIGN: usize = 100;

/// A text that a stranger chose, fit for a line of the log and a terminal: a name could hold escape
/// sequences, line breaks and a verdict of its own.
pub(crate) fn readable(text: &str) -> String {
    text.chars().map(|c| if is_unruly(c) { '\u{fffd}' } else { c }).take(LONGEST_FOREIGN).collect()
}

/// Reads a path. One that begins with `-` is written as `./-…` from here on, so that no line takes
/// it for a flag.
pub(super) fn parse_path(text: &str) -> Result<PathBuf, String> {
    match text {
        "" => Err("a path has at least one character".into()),
        _ if text.contains(is_unruly) => Err("a path has no control characters".into()),
        _ if text.starts_with('-') => Ok(Path::new(".").join(text)),
        _ => Ok(text.into()),
    }
}

/// Writes a path as a word of a line. [`parse_path`] is the inverse.
pub(super) fn write_path(path: &Path) -> String {
    shell_words::quote(&path.to_string_lossy()).into_owned()
}

/// Writes an option with its value, if there is one.
pub(super) fn option(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    value: Option<impl fmt::Display>,
) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " --{name} {value}"))
}

/// A flag, if it is set.
pub(super) fn flag(set: bool, text: &'static str) -> &'static str {
    if set { text } else { "" }
}
