//! How long something took, many times: counts by time, small and mergeable.

/// Buckets in each doubling above the first 32 microseconds: no bucket is wider than 1/32 (3.2 %) of
/// its lower bound.
const STEPS: u64 = 32;

/// What the latency at a percentile is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantile {
    /// None: that message was processed before its acknowledgement reached the producer.
    Ahead,
    /// So many microseconds.
    Us(u64),
}

impl Quantile {
    /// As a time to be compared: nothing for what was ahead.
    #[must_use]
    pub fn us(self) -> u64 {
        match self {
            Self::Ahead => 0,
            Self::Us(us) => us,
        }
    }
}

/// Counts by microseconds. Below 32 us every microsecond has its own bucket; above, every doubling
/// is split in 32.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// By the bucket's lower bound, ascending.
    counts: std::collections::BTreeMap<u64, u64>,
    total: u64,
    /// Of those in the lowest bucket: processed before their acknowledgement came.
    ahead: u64,
}

impl Histogram {
    /// Counts one.
    pub fn record(&mut self, us: u64) {
        self.add(floor(us), 1);
    }

    fn add(&mut self, bound: u64, count: u64) {
        if count > 0 {
            *self.counts.entry(bound).or_default() += count;
            self.total += count;
        }
    }

    /// Adds what another has counted.
    pub fn merge(&mut self, other: &Self) {
        for (bound, count) in &other.counts {
            self.add(*bound, *count);
        }
        self.ahead += other.ahead;
    }

    /// Says how many of those in the lowest bucket were processed before their acknowledgement came.
    #[must_use]
    pub fn with_ahead(self, ahead: u64) -> Self {
        let most = self.counts.get(&0).copied().unwrap_or(0);
        Self { ahead: ahead.min(most), ..self }
    }

    /// How many were processed before their acknowledgement came.
    #[must_use]
    pub fn ahead(&self) -> u64 {
        self.ahead
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.total
    }

    /// `(lower bound, count)`, ascending, without empty ones: the form of a drill's record.
    #[must_use]
    pub fn buckets(&self) -> Vec<(u64, u64)> {
        self.counts.iter().map(|(bound, count)| (*bound, *count)).collect()
    }

    /// The other way round. Any lower bounds are taken; they are put into this histogram's buckets.
    #[must_use]
    pub fn from_buckets(buckets: &[(u64, u64)]) -> Self {
        let mut histogram = Self::default();
        for (bound, count) in buckets {
            histogram.add(floor(*bound), *count);
        }
        histogram
    }

    /// The time that `percent` of all did not pass (nearest rank), as the last microsecond of its
    /// bucket: never less than the truth, and at most 3.2 % more. `None` without anything counted.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Option<u64> {
        if self.total == 0 {
            return None;
        }
        let rank = self.rank(percent);
        let mut seen = 0;
        for (bound, count) in &self.counts {
            seen += count;
            if seen >= rank {
                return Some(bound.saturating_add(width(*bound) - 1));
            }
        }
        self.counts.keys().next_back().copied()
    }

    /// The same, told apart from no time at all.
    #[must_use]
    pub fn quantile(&self, percent: f64) -> Option<Quantile> {
        let us = self.percentile(percent)?;
        Some(if self.rank(percent) <= self.ahead { Quantile::Ahead } else { Quantile::Us(us) })
    }

    fn rank(&self, percent: f64) -> u64 {
        (percent.clamp(0.0, 100.0) / 100.0 * self.total as f64).ceil().max(1.0) as u64
    }
}

/// How wide the bucket of a time is.
fn width(us: u64) -> u64 {
    if us < STEPS { 1 } else { 1 << (us.ilog2() - STEPS.ilog2()) }
}

/// The lower bound of a time's bucket.
fn floor(us: u64) -> u64 {
    us - us % width(us)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_percentile_is_the_truth_or_slightly_more(
            mut times in prop::collection::vec(0u64..600_000_000, 1..300),
            percent in 1u32..=100,
        ) {
            let mut histogram = Histogram::default();
            for us in &times {
                histogram.record(*us);
            }
            times.sort_unstable();
            let rank = (f64::from(percent) / 100.0 * times.len() as f64).ceil() as usize;
            let truth = times[rank.max(1) - 1];
            let said = histogram.percentile(f64::from(percent)).unwrap();
            prop_assert!(said >= truth && said as f64 <= truth as f64 * 1.05, "{said} for {truth}");
            prop_assert_eq!(Histogram::from_buckets(&histogram.buckets()), histogram);
        }

        #[test]
        fn merged_is_as_counted_together(
            ours in prop::collection::vec(any::<u64>(), 0..50),
            theirs in prop::collection::vec(any::<u64>(), 0..50),
        ) {
            let of = |times: &[u64]| {
                let mut histogram = Histogram::default();
                for us in times {
                    histogram.record(*us);
                }
                histogram
            };
            let mut merged = of(&ours);
            merged.merge(&of(&theirs));
            prop_assert_eq!(merged, of(&[ours, theirs].concat()));
        }
    }

    #[test]
    fn what_was_ahead_of_its_acknowledgement_took_no_time() {
        let counted = Histogram::from_buckets(&[(0, 60), (500, 40)]);
        let measured = counted.clone().with_ahead(0);
        assert_eq!(measured.quantile(50.0), Some(Quantile::Us(0)));
        let ahead = counted.clone().with_ahead(55);
        assert_eq!((ahead.ahead(), ahead.quantile(50.0)), (55, Some(Quantile::Ahead)));
        assert_eq!(ahead.quantile(56.0), Some(Quantile::Us(0)));
        assert_eq!(ahead.quantile(99.0), Some(Quantile::Us(503)));
        // More than there are in that bucket cannot be.
        assert_eq!(counted.with_ahead(100).ahead(), 60);
        assert_eq!(Histogram::default().with_ahead(3).quantile(50.0), None);
    }

    #[test]
    fn nothing_counted_has_no_percentile() {
        assert_eq!(Histogram::default().percentile(99.0), None);
    }
}
