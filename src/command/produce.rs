//! `produce`: its words, what they mean, and how they are written.

use std::{fmt, time::Duration};

use clap::{Args, Subcommand};

use super::{
    ParseError, Rate, Size,
    units::{format_duration, parse_duration},
};
use crate::{
    ledger::message::{LARGEST_SIZE, SMALLEST_SIZE},
    region::ZoneName,
};

/// Bytes of a message when nothing else is said.
pub const DEFAULT_SIZE: Size = Size(128);

/// The pause between two numbers of a range when nothing else is said: the original plan's 0.1 s.
pub const DEFAULT_INTERVAL: Duration = Duration::from_millis(100);

/// The highest message number, and the largest count.
pub const HIGHEST_NUMBER: u64 = 999_999_999_999;

/// Ways to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Produce {
    /// Numbers `from` to `to`, one every `interval`, as the original plan's `producer.sh`.
    Range {
        /// First number.
        from: u64,
        /// Last number.
        to: u64,
        /// Pause between two.
        interval: Duration,
        /// Bytes of each message.
        size: Size,
    },
    /// `count` messages numbered on from the last, at `rate` or as fast as they are acknowledged.
    Burst {
        /// How many; `None` goes on until stopped (then a rate is given).
        count: Option<u64>,
        /// At which rate.
        rate: Option<Rate>,
        /// Bytes of each message.
        size: Size,
    },
    /// End every running produce.
    Stop,
}

fn parse_number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| {
        "give a whole number, as in `produce 1 100`; or `--count 100`, `--rate 50/s`, `stop`".into()
    })
}

/// A pause as the original plan's `producer.sh` takes it, in bare seconds, or with a unit.
fn parse_pause(text: &str) -> Result<Duration, String> {
    match text.parse().map(Duration::try_from_secs_f64) {
        Ok(Ok(pause)) => Ok(pause),
        Ok(Err(_)) => Err("give a pause from 0 on, like 0.1 or 100ms".into()),
        Err(_) => parse_duration(text).map_err(|error| error.to_string()),
    }
}

/// The words after `produce`.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ProduceWords {
    #[command(subcommand)]
    act: Option<ProduceAct>,
    /// First number of a range
    #[arg(requires = "to", conflicts_with_all = ["count", "rate"], value_parser = parse_number)]
    from: Option<u64>,
    /// Last number of the range
    #[arg(value_parser = parse_number)]
    to: Option<u64>,
    /// Pause between two numbers of the range, as `--interval`; a bare number is seconds
    #[arg(value_name = "INTERVAL", value_parser = parse_pause, conflicts_with = "interval")]
    pause: Option<Duration>,
    /// Pause between two numbers of the range [default: 100ms]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "from")]
    interval: Option<Duration>,
    /// How many messages, numbered on from the last
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// How fast (50/s); as fast as acknowledged if not given
    #[arg(long)]
    rate: Option<Rate>,
    /// Bytes of each message [default: 128]
    #[arg(long)]
    size: Option<Size>,
}

#[derive(Clone, Debug, Subcommand)]
enum ProduceAct {
    /// End every running produce
    Stop,
    /// Publish into another zone; what has no clear answer is sent again there, under the same ids
    Move {
        /// Which: the source, or a promoted zone
        zone: ZoneName,
        /// Send so many acknowledged messages again as well, as a producer does whose acks were lost
        #[arg(long, value_name = "N", default_value_t = 0)]
        resend: u64,
    },
}

impl ProduceWords {
    /// Where the producer is to move, and how many acknowledged messages it sends again there.
    pub(super) fn moves(&self) -> Option<(ZoneName, u64)> {
        match &self.act {
            Some(ProduceAct::Move { zone, resend }) => Some((zone.clone(), *resend)),
            _ => None,
        }
    }
}

impl TryFrom<ProduceWords> for Produce {
    type Error = ParseError;

    fn try_from(words: ProduceWords) -> Result<Self, ParseError> {
        let refuse = |text: String| Err(ParseError::Words(text));
        if words.act.is_some() {
            return Ok(Self::Stop);
        }
        let size = words.size.unwrap_or(DEFAULT_SIZE);
        if !(SMALLEST_SIZE..=LARGEST_SIZE).contains(&size.0) {
            return refuse(format!(
                "--size {size}: a message has {SMALLEST_SIZE} to {LARGEST_SIZE} bytes (its own record takes the first {SMALLEST_SIZE})"
            ));
        }
        match (words.from, words.to) {
            (Some(from), Some(to)) => {
                if from == 0 {
                    return refuse("numbers start at 1".into());
                }
                if to < from {
                    return refuse(format!("the range {from} {to} is empty: the last number comes second"));
                }
                if to > HIGHEST_NUMBER {
                    return refuse(format!("the highest number is {HIGHEST_NUMBER}"));
                }
                let interval = words.interval.or(words.pause).unwrap_or(DEFAULT_INTERVAL);
                Ok(Self::Range { from, to, interval, size })
            }
            _ => match (words.count, words.rate) {
                (None, None) => refuse("what to produce? A range (`produce 1 100`), a burst (`produce --count 1000`), a steady rate (`produce --rate 50/s`), or `produce stop`".into()),
                (Some(0), _) => refuse("--count 0 would produce nothing".into()),
                (Some(count), _) if count > HIGHEST_NUMBER => {
                    refuse(format!("the highest number is {HIGHEST_NUMBER}"))
                }
                (count, rate) => Ok(Self::Burst { count, rate, size }),
            },
        }
    }
}

impl fmt::Display for Produce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = match self {
            Self::Stop => return f.write_str("stop"),
            Self::Range { from, to, interval, size } => {
                write!(f, "{from} {to}")?;
                if *interval != DEFAULT_INTERVAL {
                    write!(f, " --interval {}", format_duration(*interval))?;
                }
                size
            }
            Self::Burst { count, rate, size } => {
                let parts: Vec<String> = [
                    count.map(|count| format!("--count {count}")),
                    rate.map(|rate| format!("--rate {rate}")),
                ]
                .into_iter()
                .flatten()
                .collect();
                f.write_str(&parts.join(" "))?;
                size
            }
        };
        if *size == DEFAULT_SIZE { Ok(()) } else { write!(f, " --size {size}") }
    }
}
