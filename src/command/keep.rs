//! `stream`: how long the source's stream keeps its messages.

use std::{fmt, str::FromStr};

use clap::Subcommand;

use super::units::UnitError;
use crate::region::keeping::{Keeping, Retention};

/// The words after `stream`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum Keep {
    /// Keep only the newest messages: what exceeds that is deleted, whether or not a copy has it
    Limit {
        /// How many messages, or `none` to keep all
        #[arg(value_name = "N|none", allow_negative_numbers = true)]
        most: Most,
    },
    /// Delete what exceeds a limit (`limits`), or what every consumer has acknowledged (`interest`)
    Retention {
        /// Which
        #[arg(value_enum)]
        retention: Retention,
    },
}

impl Keep {
    /// How a stream keeps messages after this command.
    #[must_use]
    pub fn changed(self, keeping: Keeping) -> Keeping {
        match self {
            Self::Limit { most: Most(limit) } => Keeping { limit, ..keeping },
            Self::Retention { retention } => Keeping { retention, ..keeping },
        }
    }

    /// It makes the source delete messages; the others end that.
    #[must_use]
    pub fn deletes(self) -> bool {
        !self.changed(Keeping::default()).is_all()
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit { most: Most(Some(most)) } => write!(f, "limit {most}"),
            Self::Limit { most: Most(None) } => f.write_str("limit none"),
            Self::Retention { retention } => write!(f, "retention {retention}"),
        }
    }
}

/// A number of messages, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most(pub Option<u64>);

impl FromStr for Most {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" {
            return Ok(Self(None));
        }
        // JetStream's numbers are signed.
        let number = text.parse::<u64>().ok().filter(|n| *n > 0 && i64::try_from(*n).is_ok());
        let digits = text.starts_with(|c: char| c.is_ascii_digit());
        let number = number.filter(|_| digits);
        number.map(|number| Self(Some(number))).ok_or_else(|| UnitError::Most(text.to_owned()))
    }
}
