//! What may be produced in a region of others: as much, and as fast, as its file allows.

use super::Produce;
use crate::region::{file::Limits, format};

impl Produce {
    /// What may be published of what is asked for, when `used` bytes were asked for before: at the
    /// limit's rate, where none is given.
    ///
    /// # Errors
    /// Which limit is passed, in words, and what keeps it.
    pub fn within(self, limits: &Limits, used: u64) -> Result<Self, String> {
        if matches!(self, Self::Stop) {
            return Ok(self);
        }
        let bytes = self.bytes().ok_or(
            "what has no end is not produced in a region of others: give `produce --count 100`",
        )?;
        let all = bytes.saturating_add(used);
        if all > limits.bytes {
            return Err(format!(
                "that makes {} in all, and the limit of this region is {}: produce less, or raise `bytes` under [limits] in its file",
                format::bytes(all),
                format::bytes(limits.bytes)
            ));
        }
        let most = limits.rate as f64;
        let too_fast = |rate: f64| {
            format!(
                "{rate:.0} messages a second are more than the {most:.0} that the limit of this region allows: produce more slowly, or raise `rate` under [limits] in its file"
            )
        };
        match self {
            // The clock's own grain is no excess.
            Self::Range { interval, .. } if interval.as_secs_f64() * most < 0.999 => {
                Err(too_fast(1.0 / interval.as_secs_f64().max(1e-6)))
            }
            Self::Burst { rate: Some(rate), .. } if rate.per_second() > most => {
                Err(too_fast(rate.per_second()))
            }
            Self::Burst { count, rate: None, size } => {
                let rate = format!("{}/s", limits.rate).parse().ok();
                Ok(Self::Burst { count, rate, size })
            }
            asked => Ok(asked),
        }
    }

    /// How many messages it sends; `None` for no end.
    #[must_use]
    pub fn messages(&self) -> Option<u64> {
        match self {
            Self::Range { from, to, .. } => Some(to.saturating_sub(*from) + 1),
            Self::Burst { count, .. } => *count,
            Self::Stop => Some(0),
        }
    }

    /// Bytes of payload that it sends; `None` for no end.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        let size = match self {
            Self::Range { size, .. } | Self::Burst { size, .. } => size.0,
            Self::Stop => 0,
        };
        Some(self.messages()?.saturating_mul(size.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;

    fn asked(line: &str) -> Produce {
        match line.parse() {
            Ok(Command::Produce(produce)) => produce,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_passes_a_limit_is_refused_or_held() {
        let limits = Limits { rate: 100, bytes: 100_000, ..Limits::default() };
        let within = |line: &str, used| asked(line).within(&limits, used);
        assert!(within("produce 1 100 --interval 10ms", 0).is_ok());
        let fast = within("produce 1 100 --interval 5ms", 0).unwrap_err();
        assert!(fast.starts_with("200 messages a second are more than the 100"), "{fast}");
        let held = within("produce --count 100", 0).unwrap();
        assert_eq!(held, asked("produce --count 100 --rate 100/s"));
        assert!(within("produce --count 100 --rate 101/s", 0).is_err());
        let much = within("produce --count 100 --size 1000", 10).unwrap_err();
        assert!(much.contains("the limit of this region is 97.7 KiB"), "{much}");
        assert!(within("produce --rate 10/s", 0).unwrap_err().contains("--count 100"));
        assert_eq!(within("produce stop", 0), Ok(Produce::Stop));
    }
}
