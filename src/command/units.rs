//! Numbers with units, as people write them: `100ms`, `1m30s`, `500/s`, `64KiB`.

use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

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
    #[error("`{0}` is not a rate: write 50/s or 600/m, from 1/m to 1000000/s")]
    Rate(String),
    #[error("`{0}` is not a size: write 128, 512B, 4KiB or 1MB")]
    Size(String),
}

/// Reads a duration; a bare number is seconds, as the original plan's scripts take it (`0.1`).
///
/// # Errors
/// When it is no duration, finer than milliseconds, or longer than a day.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let wrong = || UnitError::Duration(text.to_owned());
    let parsed = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?,
        Err(_) => humantime::parse_duration(text).map_err(|_| wrong())?,
    };
    // Milliseconds are the finest a drill can keep. What is finer is refused: cut off, half a
    // millisecond would mean no pause at all.
    let fine = !parsed.subsec_nanos().is_multiple_of(1_000_000);
    if parsed > LONGEST || fine { Err(wrong()) } else { Ok(parsed) }
}

/// Writes a duration in the largest unit that holds it without a fraction.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        0 => "0s".into(),
        _ if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        _ if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        _ if ms.is_multiple_of(1000) => format!("{}s", ms / 1000),
        _ => format!("{ms}ms"),
    }
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
