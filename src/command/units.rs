//! Numbers with units, as people write them: `100ms`, `1m30s`, `500/s`, `64KiB`.

use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

use jiff::Timestamp;

use super::spelling::{flag, option};
use crate::region::{
    UnixMs,
    format::{read_exact, span_exact, timestamp},
};

/// The longest duration a command takes: a day.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Why a text is not a number of its unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a duration.
    #[error(
        "`{0}` is not a duration: write 100ms, 30s, 2m or 1m30s; whole milliseconds, a day at most"
    )]
    Duration(String),
    #[error("`{0}` is not a limit: write a number of messages from 1 on, or `none`")]
    Most(String),
    #[error("`{0}` is not a rate: write 50/s or 600/m, from 1/m to 1000000/s")]
    Rate(String),
    #[error(
        "`{0}` is neither a sequence nor a time: write 13164, or 2026-11-28T09:30:00Z (whole milliseconds)"
    )]
    Point(String),
    #[error("`{0}` is not a size: write 128, 512B, 4KiB or 1MB")]
    Size(String),
}

/// Reads a duration; see [`read_exact`].
///
/// # Errors
/// When it is no duration, finer than milliseconds, or longer than a day.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let read = read_exact(text).map(Duration::from_millis).filter(|time| *time <= LONGEST);
    read.ok_or_else(|| UnitError::Duration(text.to_owned()))
}

/// Writes a duration in the largest unit that holds it without a fraction.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    span_exact(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// Messages per second or minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub messages: NonZeroU32,
    /// Per minute rather than per second.
    pub per_minute: bool,
}

impl Rate {
    /// As messages a second.
    #[must_use]
    pub fn per_second(self) -> f64 {
        f64::from(self.messages.get()) / if self.per_minute { 60.0 } else { 1.0 }
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError::Rate(text.to_owned());
        let (number, per_minute) = match text.split_once('/') {
            None => (text, false),
            Some((number, "s")) => (number, false),
            Some((number, "m" | "min")) => (number, true),
            Some(_) => return Err(wrong()),
        };
        let messages: NonZeroU32 = number.parse().map_err(|_| wrong())?;
        if messages.get() > 1_000_000 || !number.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(wrong());
        }
        Ok(Self { messages, per_minute })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.messages, if self.per_minute { "m" } else { "s" })
    }
}

/// A place in a stream: a sequence, or a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    Sequence(u64),
    Time(UnixMs),
}

impl FromStr for Point {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError::Point(text.to_owned());
        if text.bytes().all(|b| b.is_ascii_digit()) {
            let seq = text.parse().ok().filter(|seq| *seq > 0).ok_or_else(wrong)?;
            return Ok(Self::Sequence(seq));
        }
        let time: Timestamp = text.parse().map_err(|_| wrong())?;
        let fine = time.subsec_nanosecond() % 1_000_000 != 0;
        match u64::try_from(time.as_millisecond()) {
            Ok(ms) if !fine => Ok(Self::Time(ms)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence(seq) => write!(f, "{seq}"),
            Self::Time(ms) => write!(f, "{}", timestamp(*ms).unwrap_or(Timestamp::MAX)),
        }
    }
}

/// Which part of a stream, and how fast it may be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct Extent {
    /// With --region-file: from this sequence or time on [default: the beginning]
    #[arg(long, value_name = "SEQ|TIME")]
    pub from: Option<Point>,
    /// With --region-file: up to this sequence, or before this time [default: the copy's end]
    #[arg(long, value_name = "SEQ|TIME")]
    pub to: Option<Point>,
    /// With --region-file: read at most so many messages from each zone (1000/s)
    #[arg(long, value_name = "RATE")]
    pub max_rate: Option<Rate>,
    /// With --region-file: only about so many messages, spread over all of it; that proves nothing of the rest
    #[arg(long, value_name = "MESSAGES", value_parser = clap::value_parser!(u64).range(1..))]
    pub sample: Option<u64>,
    /// With --region-file: go on where the last one was ended
    #[arg(long)]
    pub resume: bool,
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        option(f, "from", self.from)?;
        option(f, "to", self.to)?;
        option(f, "max-rate", self.max_rate)?;
        option(f, "sample", self.sample)?;
        f.write_str(flag(self.resume, " --resume"))
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u32);

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError::Size(text.to_owned());
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor: u32 = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" => 1000,
            "kib" => 1024,
            "m" | "mb" => 1_000_000,
            "mib" => 1024 * 1024,
            _ => return Err(wrong()),
        };
        let number: u32 = number.parse().map_err(|_| wrong())?;
        number.checked_mul(factor).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n > 0 && n.is_multiple_of(1024 * 1024) => write!(f, "{}MiB", n / (1024 * 1024)),
            n if n > 0 && n.is_multiple_of(1024) => write!(f, "{}KiB", n / 1024),
            n => write!(f, "{n}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_milliseconds_of_a_day_at_most() {
        let ms = |text: &str| parse_duration(text).map(|duration| duration.as_millis());
        assert_eq!(ms("0.1"), Ok(100));
        assert_eq!(ms("1m30s"), Ok(90_000));
        assert_eq!(ms("86399.999"), Ok(86_399_999));
        assert_eq!(ms("1day"), Ok(86_400_000));
        for bad in [
            "",
            " ",
            "-1",
            "-5s",
            "nan",
            "inf",
            "1e400",
            "500us",
            "0.0004",
            "1.5ms",
            "25h",
            "٣s",
            "1 2",
            "s",
            "99999999999999999999y",
        ] {
            assert!(ms(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rates_and_sizes_are_plain_numbers() {
        for bad in ["", "0", "-1/s", "+5/s", "5/h", "5/", "/s", "1000001/s", "1e3", "٣/s"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
        for bad in ["", "-1", "+5", "1.5KiB", "0x10", "4294967296", "4096MiB", "KiB", "٣"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
        assert_eq!("64 KiB".parse(), Ok(Size(65_536)));
    }
}
