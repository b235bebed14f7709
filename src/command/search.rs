//! `drill search`: its words, what they mean, and how they are written.

use std::{fmt, path::PathBuf, time::Duration};

use clap::Args;

use super::{
    ParseError, Sabotage,
    spelling::{option, parse_path, write_path},
    units::{format_duration, parse_duration},
};
use crate::region::word::words;

/// How many schedules are tried when nothing else is said.
pub const ROUNDS: u64 = 10;
/// From the first fault of a schedule to the end of the last one, when nothing else is said.
pub const LENGTH: Duration = Duration::from_secs(12);
/// The shortest and the longest that can be said.
const LENGTHS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(2)..=Duration::from_secs(600);

words! {
    /// What a fault is done to.
    #[derive(Hash, PartialOrd, Ord, clap::ValueEnum)]
    pub enum Family {
        /// The link between the zones: cut, delayed, thin, flapping, silent one way.
        Link = "link",
        /// A server is suspended or stopped for a while, or a leader steps down.
        Node = "node",
        /// A server is killed.
        Process = "process",
        /// A consumer stands still or is held to a rate.
        Consumer = "consumer",
        /// A zone joins and leaves.
        Zone = "zone",
    }
}

/// What is searched for what breaks: the words after `drill search`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct DrillSearch {
    /// The first schedule's seed; each next one's is one more
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How many schedules are tried, each in a region of its own
    #[arg(long, value_name = "N", default_value_t = ROUNDS, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub rounds: u64,
    /// Begin none after so long (10m)
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    pub at_most: Option<Duration>,
    /// What faults are done to
    #[arg(
        long,
        value_delimiter = ',',
        value_enum,
        default_value = "link,node,process,consumer,zone"
    )]
    pub faults: Vec<Family>,
    /// From the first fault of a schedule to the end of the last one
    #[arg(long, value_name = "TIME", default_value = "12s", value_parser = parse_duration)]
    pub length: Duration,
    /// A deliberate fault in the experiment, which must be found
    #[arg(long, value_enum)]
    pub sabotage: Option<Sabotage>,
    /// Put the fault in only once this held, as in a drill's `until`
    #[arg(long, value_name = "CONDITION", requires = "sabotage")]
    pub when: Option<String>,
    /// Where the scripts and bundles of what failed go [default: a new folder]
    #[arg(long, value_name = "FOLDER", value_parser = parse_path)]
    pub out: Option<PathBuf>,
}

impl DrillSearch {
    /// With each family once, if no words contradict each other.
    pub(super) fn checked(mut self) -> Result<Self, ParseError> {
        self.faults.sort_unstable();
        self.faults.dedup();
        let Self { seed, rounds, length, .. } = &self;
        if !LENGTHS.contains(length) {
            return Err(ParseError::Words(format!(
                "`--length {}`: a schedule takes {} to {}",
                format_duration(*length),
                format_duration(*LENGTHS.start()),
                format_duration(*LENGTHS.end()),
            )));
        }
        if seed.checked_add(*rounds).is_none() {
            return Err(ParseError::Words(format!(
                "`--seed {seed}` leaves no room for {rounds} more"
            )));
        }
        Ok(self)
    }
}

impl fmt::Display for DrillSearch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<&str> = self.faults.iter().map(|family| family.as_str()).collect();
        write!(f, "search --seed {} --rounds {}", self.seed, self.rounds)?;
        option(f, "for", self.at_most.map(format_duration))?;
        if faults.len() < Family::ALL.len() {
            write!(f, " --faults {}", faults.join(","))?;
        }
        if self.length != LENGTH {
            write!(f, " --length {}", format_duration(self.length))?;
        }
        option(f, "sabotage", self.sabotage)?;
        option(f, "when", self.when.as_deref().map(shell_words::quote))?;
        option(f, "out", self.out.as_deref().map(write_path))
    }
}

#[cfg(test)]
pub mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any search that can be written.
    pub fn any_search() -> impl Strategy<Value = DrillSearch> {
        let first = (0u64..1 << 40, 1u64..1_000, proptest::option::of(1u64..900), 2u64..100);
        let families = proptest::sample::subsequence(Family::ALL.to_vec(), 1..=5);
        let kind = proptest::option::of(proptest::sample::select(Sabotage::ALL.to_vec()));
        let when = "[a-z.]{1,9} >= [0-9]{1,3}( and [a-z]{1,4} == '[a-z]{1,4}')?";
        let out = proptest::option::of("[a-z /]{0,9}[a-z]");
        (first, families, kind, when, out).prop_map(
            |((seed, rounds, at_most, length), faults, sabotage, when, out)| DrillSearch {
                seed,
                rounds,
                at_most: at_most.map(Duration::from_secs),
                faults,
                length: Duration::from_secs(length),
                when: sabotage.map(|_| when),
                sabotage,
                out: out.map(PathBuf::from),
            },
        )
    }
}
