//! How far a zone's consumer is, for one that has to go on where another ended.

use super::{Ledger, set::NumberSet};
use crate::region::ZoneName;

/// The most missing sequences that are named: a consumer goes on at the first that still exists.
const MOST_MISSING: usize = 1000;

/// What a zone's consumer has received of the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The highest sequence received; 0 for none.
    pub last: u64,
    /// The first sequences below it that were acknowledged to a producer and not received here.
    pub missing: Vec<u64>,
}

impl Ledger {
    /// How far a zone's consumer is; nothing for a zone that received nothing.
    #[must_use]
    pub fn progress(&self, zone: &ZoneName) -> Progress {
        let Some(zone) = self.zones.iter().find(|known| known.name == *zone) else {
            return Progress::default();
        };
        let last =
            [&zone.seen, &zone.corrupt, &zone.foreign].into_iter().filter_map(NumberSet::max);
        let last = last.max().unwrap_or_default();
        let missing = zone.missing.first(MOST_MISSING);
        Progress { last, missing: missing.into_iter().take_while(|seq| *seq < last).collect() }
    }
}
