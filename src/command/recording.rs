//! Words for recording a screen, and for handing over who drives.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

/// Starting and ending a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Write what a screen shows into a file. A screen records itself; a shell starts a screen
    /// without a terminal for it.
    Start {
        /// The file; must not exist.
        file: PathBuf,
        /// In which form.
        format: CastFormat,
        /// How large a screen without a terminal is; a screen with one has its own size.
        size: Option<ScreenSize>,
    },
    /// End it.
    Stop,
}

/// The versions of asciicast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum CastFormat {
    /// Plays everywhere.
    #[default]
    V2,
    /// For asciinema 3 and its relatives.
    V3,
}

impl CastFormat {
    /// The word of the command language.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::V3 => "v3",
        }
    }
}

/// Cells of a screen, as people write them: `120x36`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ScreenSize {
    /// Cells in a row.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// The smallest on which more than a sentence is drawn.
pub const SMALLEST: ScreenSize = ScreenSize { columns: 40, rows: 10 };
/// The size of a recording when nothing else is said.
pub const RECORDED_SIZE: ScreenSize = ScreenSize { columns: 120, rows: 36 };
/// The largest screen that is drawn: what a terminal says of its size is not bounded, and each cell
/// costs memory and time.
pub const LARGEST: ScreenSize = ScreenSize { columns: 500, rows: 200 };

impl fmt::Display for ScreenSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.columns, self.rows)
    }
}

/// Not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size: write columns and rows, as in 120x36 (40x10 to 500x200)")]
pub struct SizeError(String);

impl FromStr for ScreenSize {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let wrong = || SizeError(text.to_owned());
        let (columns, rows) = text.split_once('x').ok_or_else(wrong)?;
        let number = |text: &str| match text.parse::<u16>() {
            Ok(n) if text.starts_with(|c: char| c.is_ascii_digit()) => Ok(n),
            _ => Err(wrong()),
        };
        let size = Self { columns: number(columns)?, rows: number(rows)? };
        let fits = (SMALLEST.columns..=LARGEST.columns).contains(&size.columns)
            && (SMALLEST.rows..=LARGEST.rows).contains(&size.rows);
        if fits { Ok(size) } else { Err(wrong()) }
    }
}

/// Handing over who drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Subcommand)]
pub enum Control {
    /// Ask who drives for control; at once yours if nobody does
    Ask,
    /// Give it to who asked
    Grant,
    /// Keep it
    Refuse,
    /// Drive no longer; end a hold
    Release,
    /// Have it without asking (not for guests)
    Take,
    /// Take it, and let no guest have it until `control release` (not for guests)
    Hold,
}

impl Control {
    /// The word of the command language.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Grant => "grant",
            Self::Refuse => "refuse",
            Self::Release => "release",
            Self::Take => "take",
            Self::Hold => "hold",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_people_write_them() {
        let size: ScreenSize = "120x36".parse().unwrap();
        assert_eq!(size, RECORDED_SIZE);
        assert_eq!(size.to_string(), "120x36");
        for bad in
            ["120", "x", "120x", "0x0", "+20x10", "120 x 36", "70000x10", "501x36", "39x10", "40x9"]
        {
            assert!(bad.parse::<ScreenSize>().is_err(), "{bad}");
        }
    }
}
