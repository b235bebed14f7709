//! Words for winding a past drill that is shown again.

use std::{fmt, str::FromStr, time::Duration};

use super::units::{format_duration, parse_duration};

/// Why a live region is not wound, and what is.
pub const NOTHING_TO_WIND: &str =
    "a region runs at its own pace: only a past drill is wound, in `zonedrill replay BUNDLE`";

/// What can be done with a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Subcommand)]
pub enum Wind {
    /// Stand still
    Pause,
    /// Go on; from the beginning once it is over
    On,
    /// Run so many times as fast as it was (0.1 to 100)
    Speed {
        /// Like 4 or 0.5
        #[arg(value_name = "TIMES")]
        speed: Speed,
    },
    /// Twice as fast
    Faster,
    /// Half as fast
    Slower,
    /// To the next step, command, mark or verdict
    Next,
    /// To the one before
    Back,
    /// To the beginning
    Start,
    /// To the end
    End,
    /// To so long after the beginning (12s)
    To {
        /// Like 12s or 1m30s
        #[arg(value_name = "TIME", value_parser = parse_duration)]
        time: Duration,
    },
}

impl fmt::Display for Wind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pause => f.write_str("pause"),
            Self::On => f.write_str("on"),
            Self::Speed { speed } => write!(f, "speed {speed}"),
            Self::Faster => f.write_str("faster"),
            Self::Slower => f.write_str("slower"),
            Self::Next => f.write_str("next"),
            Self::Back => f.write_str("back"),
            Self::Start => f.write_str("start"),
            Self::End => f.write_str("end"),
            Self::To { time } => write!(f, "to {}", format_duration(*time)),
        }
    }
}

/// How many times as fast as it was a replay runs, from a tenth to a hundred times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Speed {
    percent: u32,
}

impl Speed {
    /// As fast as it was.
    pub const ONE: Self = Self { percent: 100 };
    const SLOWEST: u32 = 10;
    const FASTEST: u32 = 10_000;

    /// In percent of what it was.
    #[must_use]
    pub fn percent(self) -> u32 {
        self.percent
    }

    /// Twice as fast, as far as that goes.
    #[must_use]
    pub fn faster(self) -> Self {
        Self { percent: (self.percent * 2).min(Self::FASTEST) }
    }

    /// Half as fast, as far as that goes.
    #[must_use]
    pub fn slower(self) -> Self {
        Self { percent: (self.percent / 2).max(Self::SLOWEST) }
    }
}

/// Not a speed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a speed: give a number from 0.1 to 100; 4 is four times as fast")]
pub struct SpeedError(String);

impl FromStr for Speed {
    type Err = SpeedError;

    fn from_str(text: &str) -> Result<Self, SpeedError> {
        match text.strip_suffix('x').unwrap_or(text).parse::<f64>() {
            Ok(times @ 0.1..=100.0) => Ok(Self { percent: (times * 100.0).round() as u32 }),
            _ => Err(SpeedError(text.to_owned())),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.percent) / 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_numbers() {
        for (text, percent) in [("4", 400), ("0.5x", 50), ("0.12", 12), ("100", 10_000)] {
            assert_eq!(text.parse::<Speed>().map(Speed::percent), Ok(percent), "{text}");
        }
        for bad in ["", "x", "0", "-1", "fast", "NaN", "inf", "100.1", "1e9"] {
            assert!(bad.parse::<Speed>().is_err(), "{bad}");
        }
    }

    #[test]
    fn faster_and_slower_end_somewhere() {
        let far = |step: fn(Speed) -> Speed| (0..20).fold(Speed::ONE, |speed, _| step(speed));
        assert_eq!(far(Speed::faster).percent(), 10_000);
        assert_eq!(far(Speed::slower).percent(), 10);
    }
}
