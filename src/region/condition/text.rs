//! Rates, shares and flaps as people write them: `1mbit`, `5%`, `5s/2s`.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::region::format::{read_exact, span_exact};

/// A text that is not what it should be: what it should look like.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    #[error("`{0}` is not the rate of a line: write 64kbit, 1mbit or 1.5gbit (bits a second)")]
    Rate(String),
    #[error("`{0}` is not a share: write 5% or 0.5%")]
    Share(String),
    #[error("`{0}` does not say how long the link is up and down: write 5s/2s")]
    Flap(String),
}

/// Bits a second.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct BitRate(pub u64);

/// The most that a line can be held to: more than loopback carries.
const FASTEST: u64 = 100_000_000_000;

impl BitRate {
    /// Bytes a second.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.0 / 8
    }
}

impl FromStr for BitRate {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let wrong = || TextError::Rate(text.to_owned());
        let lower = text.to_ascii_lowercase();
        let line = lower.strip_suffix("/s").unwrap_or(&lower);
        let end = line.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, unit) = line.split_at(end);
        let factor = match unit {
            "bit" => 1,
            "kbit" => 1_000,
            "mbit" => 1_000_000,
            "gbit" => 1_000_000_000,
            _ => return Err(wrong()),
        };
        let bits = decimal(number, factor).filter(|bits| (1..=FASTEST).contains(bits));
        bits.map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1_000_000_000, "gbit"), (1_000_000, "mbit"), (1_000, "kbit")];
        let unit =
            units.into_iter().find(|(factor, _)| self.0 > 0 && self.0.is_multiple_of(*factor));
        let (factor, unit) = unit.unwrap_or((1, "bit"));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

/// A share, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Share(pub u16);

impl FromStr for Share {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let wrong = || TextError::Share(text.to_owned());
        let number = text.strip_suffix('%').ok_or_else(wrong)?;
        let thousandths = decimal(number, 10).and_then(|share| u16::try_from(share).ok());
        thousandths.filter(|share| *share <= 1000).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 10, self.0 % 10) {
            (whole, 0) => write!(f, "{whole}%"),
            (whole, tenth) => write!(f, "{whole}.{tenth}%"),
        }
    }
}

/// How long a link is up, and how long down, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Flap {
    pub up_ms: u32,
    pub down_ms: u32,
}

impl FromStr for Flap {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let wrong = || TextError::Flap(text.to_owned());
        let (up, down) = text.split_once('/').ok_or_else(wrong)?;
        let ms = |text| read_exact(text).and_then(|ms| u32::try_from(ms).ok());
        let (up_ms, down_ms) = ms(up).zip(ms(down)).ok_or_else(wrong)?;
        Ok(Self { up_ms, down_ms })
    }
}

impl fmt::Display for Flap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [up, down] = [self.up_ms, self.down_ms].map(|ms| span_exact(u64::from(ms)));
        write!(f, "{up}/{down}")
    }
}

/// A decimal number times `factor`, if that is whole: digits, at most one point.
fn decimal(text: &str, factor: u64) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || text.ends_with('.') || part.len() > 9
    {
        return None;
    }
    let mut scale = 1;
    for _ in 0..part.len() {
        scale *= 10;
    }
    let part = if part.is_empty() { 0 } else { part.parse::<u64>().ok()? };
    let part = part.checked_mul(factor)?;
    let whole = whole.parse::<u64>().ok()?.checked_mul(factor)?;
    (part % scale == 0).then(|| whole.checked_add(part / scale)).flatten()
}
