//! What can be wrong with a region file, where, and what to do.

use std::fmt;

use crate::region::ZoneName;

/// What is wrong with the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// From 1; `None` where no line is to blame.
    pub line: Option<usize>,
    pub wrong: Wrong,
}

/// The kinds of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// No TOML, an unknown key, a value of another type: in the reader's words, which quote no value.
    #[error("{0}")]
    Syntax(String),
    #[error("`{0}` is no name of a region: use letters, digits, `-` and `_`")]
    Name(String),
    #[error(
        "`{0}` is no name of a stream: it has no spaces, dots, `*`, `>` or slashes (a subject has dots)"
    )]
    Stream(String),
    #[error(
        "`{0}` is no subject to publish on: it is tokens with dots between them, without `*` and `>`"
    )]
    Subject(String),
    #[error("a region has two zones or more, one [zone.NAME] each; this one has {0}")]
    TooFewZones(usize),
    #[error("`source` names zone {0}, and there is no [zone.{0}]")]
    NoSource(ZoneName),
    #[error("zone {0} says nowhere how it is reached: give `context` or `url`")]
    Unreachable(ZoneName),
    #[error(
        "zone {zone} has `context` and `{key}`: a context says all of that, so keep one of them"
    )]
    Both { zone: ZoneName, key: &'static str },
    #[error("zone {zone} has `{one}` and `{other}`: keep one of them")]
    TwoCredentials { zone: ZoneName, one: &'static str, other: &'static str },
    #[error("zone {zone} has `{has}` without `{lacks}`: give both")]
    Half { zone: ZoneName, has: &'static str, lacks: &'static str },
    #[error("zone {0} has `domain` and `api_prefix`: the prefix says it all, so keep one of them")]
    TwoPrefixes(ZoneName),
    #[error("zone {zone}: {what} is empty")]
    Empty { zone: ZoneName, what: &'static str },
    #[error("zone {0} is the source: `cut` goes with the zones that copy it")]
    CutOfSource(ZoneName),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.wrong),
            None => write!(f, "{}", self.wrong),
        }
    }
}

impl std::error::Error for FileError {}
