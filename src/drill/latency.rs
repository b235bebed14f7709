//! The one histogram of the program: what the meter records, a record stores, checks judge and
//! reports print. Three significant digits: a percentile is never less than the truth and at most
//! 0.1 % more.

use serde::{Deserialize, Serialize};

/// Significant digits of a recorded time.
const DIGITS: u8 = 3;

/// The latency at a percentile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantile {
    /// None: that message was processed before its acknowledgement reached the producer.
    Ahead,
    Us(u64),
}

impl Quantile {
    /// The time to compare: zero for a message that was ahead of its acknowledgement.
    #[must_use]
    pub fn us(self) -> u64 {
        match self {
            Self::Ahead => 0,
            Self::Us(us) => us,
        }
    }
}

/// Counts by microseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    counts: hdrhistogram::Histogram<u64>,
    /// Of those counted as zero: processed before their acknowledgement came.
    ahead: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        let counts = hdrhistogram::Histogram::new(DIGITS);
        Self { counts: counts.unwrap_or_else(|_| unreachable!("3 digits are allowed")), ahead: 0 }
    }
}

impl Histogram {
    /// Counts a message that was processed so long after its acknowledgement.
    pub fn record(&mut self, us: u64) {
        self.add(us, 1);
    }

    /// Counts a message that was processed before its acknowledgement came.
    pub fn record_ahead(&mut self) {
        self.add(0, 1);
        self.ahead += 1;
    }

    fn add(&mut self, us: u64, count: u64) {
        // It grows by itself; only a value that no histogram can hold is an error.
        if self.counts.record_n(us, count).is_err() {
            self.counts.saturating_record_n(us, count);
        }
    }

    /// Adds what another has counted.
    pub fn merge(&mut self, other: &Self) {
        for (us, count) in other.buckets() {
            self.add(us, count);
        }
        self.ahead += other.ahead;
    }

    /// How many were processed before their acknowledgement came.
    #[must_use]
    pub fn ahead(&self) -> u64 {
        self.ahead
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.len()
    }

    /// `(microseconds, count)`, ascending, without empty ones: the form of a drill's record. Each
    /// time is the upper end of its bucket.
    #[must_use]
    pub fn buckets(&self) -> Vec<(u64, u64)> {
        let recorded = self.counts.iter_recorded();
        recorded.map(|at| (at.value_iterated_to(), at.count_at_value())).collect()
    }

    /// The histogram that a record of that format tells.
    #[must_use]
    pub fn of_format(format: u32, buckets: &[(u64, u64)], ahead: u64) -> Self {
        if format < 2 {
            Self::from_lower_bounds(buckets, ahead)
        } else {
            Self::from_buckets(buckets, ahead)
        }
    }

    /// The histogram of these buckets, by the upper ends.
    #[must_use]
    pub fn from_buckets(buckets: &[(u64, u64)], ahead: u64) -> Self {
        let mut histogram = Self::default();
        for (us, count) in buckets {
            histogram.add(*us, *count);
        }
        let most = histogram.counts.count_at(0);
        Self { ahead: ahead.min(most), ..histogram }
    }

    /// A record of format 1 told its buckets, eight to each doubling, by their lower ends. A time is
    /// taken as the upper end of its bucket: never less than the truth.
    fn from_lower_bounds(buckets: &[(u64, u64)], ahead: u64) -> Self {
        const STEPS: u64 = 8;
        let width = |us: u64| 1 << (us.max(STEPS).ilog2() - STEPS.ilog2());
        let upper = |us: u64| us.saturating_add(width(us) - 1);
        let upper: Vec<_> = buckets.iter().map(|(us, count)| (upper(*us), *count)).collect();
        Self::from_buckets(&upper, ahead)
    }

    /// The time that `percent` of all did not exceed (nearest rank). `None` if nothing was counted.
    #[must_use]
    pub fn quantile(&self, percent: f64) -> Option<Quantile> {
        if self.count() == 0 {
            return None;
        }
        let rank = (percent.clamp(0.0, 100.0) / 100.0 * self.count() as f64).ceil().max(1.0) as u64;
        if rank <= self.ahead {
            return Some(Quantile::Ahead);
        }
        Some(Quantile::Us(self.counts.value_at_percentile(percent)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(times: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        for us in times {
            histogram.record(*us);
        }
        histogram
    }

    proptest! {
        #[test]
        fn a_percentile_is_the_truth_or_slightly_more(
            mut times in prop::collection::vec(0u64..600_000_000, 1..300),
            percent in 1u32..=100,
        ) {
            let histogram = of(&times);
            times.sort_unstable();
            let rank = (f64::from(percent) / 100.0 * times.len() as f64).ceil() as usize;
            let truth = times[rank.max(1) - 1];
            let said = histogram.quantile(f64::from(percent)).unwrap().us();
            prop_assert!(said >= truth && said <= truth + truth / 1000 + 1, "{said} for {truth}");
            // What a record says is what was counted.
            let stored = Histogram::from_buckets(&histogram.buckets(), 0);
            prop_assert_eq!(stored.buckets(), histogram.buckets());
            prop_assert_eq!(stored.quantile(f64::from(percent)).unwrap().us(), said);
        }

        #[test]
        fn merged_is_as_counted_together(
            ours in prop::collection::vec(any::<u64>(), 0..50),
            theirs in prop::collection::vec(any::<u64>(), 0..50),
        ) {
            let mut merged = Histogram { ahead: 2, ..of(&ours) };
            merged.merge(&Histogram { ahead: 3, ..of(&theirs) });
            prop_assert_eq!(merged.buckets(), of(&[ours, theirs].concat()).buckets());
            prop_assert_eq!(merged.ahead(), 5);
        }
    }

    #[test]
    fn ahead_of_the_acknowledgement_is_not_zero() {
        let counted = [(0, 60), (500, 40)];
        let measured = Histogram::from_buckets(&counted, 0);
        assert_eq!(measured.quantile(50.0), Some(Quantile::Us(0)));
        let ahead = Histogram::from_buckets(&counted, 55);
        assert_eq!((ahead.ahead(), ahead.quantile(50.0)), (55, Some(Quantile::Ahead)));
        assert_eq!(ahead.quantile(56.0), Some(Quantile::Us(0)));
        assert_eq!(ahead.quantile(99.0), Some(Quantile::Us(500)));
        // No more than there are at zero.
        assert_eq!(Histogram::from_buckets(&counted, 100).ahead(), 60);
        assert_eq!(Histogram::from_buckets(&[], 3).quantile(50.0), None);
        let mut one = Histogram::default();
        one.record_ahead();
        assert_eq!((one.count(), one.quantile(99.0)), (1, Some(Quantile::Ahead)));
    }

    #[test]
    fn an_old_record_is_never_read_as_faster_than_it_was() {
        // The bucket that began at 1024 us ended at 1151 us.
        let old = Histogram::of_format(1, &[(5, 1), (1024, 1)], 0);
        let new = Histogram::of_format(2, &[(1024, 1)], 0);
        assert_eq!(new.quantile(99.0), Some(Quantile::Us(1024)));
        assert_eq!(old.quantile(100.0), Some(Quantile::Us(1151)));
        assert_eq!(old.quantile(50.0), Some(Quantile::Us(5)));
    }

    #[test]
    fn whatever_a_file_says_is_read() {
        let odd = [(u64::MAX, u64::MAX), (u64::MAX, 7), (1, u64::MAX)];
        let read = Histogram::from_buckets(&odd, u64::MAX);
        assert!(read.count() > 0 && read.quantile(100.0).is_some());
        assert!(Histogram::from_lower_bounds(&odd, 0).quantile(99.0).is_some());
    }
}
