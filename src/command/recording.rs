//! Words for recording a screen, and for handing over who drives.

use std::{fmt, path::PathBuf, str::FromStr};

use clap::Subcommand;
use serde::{Deserialize, Serialize};

use super::spelling::parse_path;
use crate::region::word::words;

/// Starting and ending a recording.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Record {
    /// Begin; from a shell, a screen without a terminal does it until `record stop`
    Start {
        /// A new file
        #[arg(value_parser = parse_path)]
        file: PathBuf,
        /// v2 plays everywhere, v3 is for asciinema 3
        #[arg(long, value_enum, default_value = "v2")]
        format: CastFormat,
        /// Columns and rows of a screen without a terminal [default: 120x36]
        #[arg(long, value_name = "COLSxROWS")]
        size: Option<ScreenSize>,
    },
    /// End the recording, and complete its file
    Stop,
}

words! {
    /// The versions of asciicast.
    #[derive(Default, Hash, clap::ValueEnum)]
    pub enum CastFormat {
        /// Plays everywhere.
        #[default]
        V2 = "v2",
        /// For asciinema 3 and its relatives.
        V3 = "v3",
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

words! {
    /// Handing over who drives.
    #[derive(Subcommand)]
    pub enum Control {
        /// Ask who drives for control; at once yours if nobody does
        Ask = "ask",
        /// Give it to who asked
        Grant = "grant",
        /// Keep it
        Refuse = "refuse",
        /// Drive no longer; end a hold
        Release = "release",
        /// Have it without asking (not for guests)
        Take = "take",
        /// Take it, and let no guest have it until `control release` (not for guests)
        Hold = "hold",
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
