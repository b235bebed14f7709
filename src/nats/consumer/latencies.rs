//! Publish-to-consume latency over the last ten seconds.

use std::collections::VecDeque;

use roaring::RoaringTreemap;

use crate::{
    drill::latency::{Histogram, Quantile},
    region::status::Latency,
};

/// The seconds that count, the one that goes on included.
const SECONDS: u64 = 10;
/// A message this far before the newest is not measured any more: whether it was processed before
/// is forgotten. (At most 32 KiB.)
const REMEMBERED: u64 = 1 << 18;

/// How long messages took, by the second in which they were processed for the first time.
#[derive(Debug, Default)]
pub(super) struct Latencies {
    seconds: VecDeque<(u64, Histogram)>,
    /// Sequences processed, of the newest [`REMEMBERED`].
    done: RoaringTreemap,
    /// The second in which they were last added up, and what came of it.
    told: (u64, Option<Latency>),
}

impl Latencies {
    /// The message at `seq` was processed at `now` (microseconds), `us` after it was sent. Only its
    /// first processing counts.
    pub(super) fn record(&mut self, now: u64, seq: u64, us: u64) {
        let forgotten = self.done.max().unwrap_or(0).saturating_sub(REMEMBERED);
        if seq <= forgotten || !self.done.insert(seq) {
            return;
        }
        let second = now / 1_000_000;
        if self.seconds.back().is_none_or(|(last, _)| *last != second) {
            self.done.remove_range(..=forgotten);
            self.seconds.push_back((second, Histogram::default()));
        }
        if let Some((_, histogram)) = self.seconds.back_mut() {
            histogram.record(us);
        }
    }

    /// What was measured in the last ten seconds, added up once a second; `None` for nothing.
    pub(super) fn told(&mut self, now: u64) -> Option<Latency> {
        let second = now / 1_000_000;
        if self.told.0 != second {
            self.seconds.retain(|(then, _)| then + SECONDS > second);
            let mut all = Histogram::default();
            self.seconds.iter().for_each(|(_, histogram)| all.merge(histogram));
            let at = |percent| all.quantile(percent).map(Quantile::us);
            let latency = || {
                let (p50_us, p99_us, max_us) = (at(50.0)?, at(99.0)?, at(100.0)?);
                Some(Latency { messages: all.count(), p50_us, p99_us, max_us })
            };
            self.told = (second, latency());
        }
        self.told.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn the_last_ten_seconds_count_and_then_nothing_is_known() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.told(SECOND), None);
        for seq in 1..=100 {
            latencies.record(5 * SECOND, seq, seq * 10);
        }
        latencies.record(8 * SECOND, 101, 2_000_000);
        let told = latencies.told(9 * SECOND).unwrap();
        assert_eq!((told.messages, told.p50_us, told.p99_us), (101, 510, 1_000));
        assert!((2_000_000..=2_002_000).contains(&told.max_us), "{told:?}");
        let told = latencies.told(15 * SECOND).unwrap();
        assert_eq!((told.messages, told.p50_us), (1, told.max_us));
        assert!(latencies.told(18 * SECOND - 1).is_some());
        assert_eq!(latencies.told(18 * SECOND), None);
    }

    #[test]
    fn only_the_first_processing_of_a_message_counts() {
        let mut latencies = Latencies::default();
        latencies.record(SECOND, 2, 1_000);
        // Held up by somebody else's fetch: processed late, and then once more.
        latencies.record(SECOND, 1, 5_000);
        latencies.record(SECOND, 1, 30_000);
        let told = latencies.told(2 * SECOND).unwrap();
        assert_eq!((told.messages, told.p50_us), (2, 1_000));
        assert!(told.max_us < 6_000);
        // Of what is long gone by nobody knows whether it was the first time.
        latencies.record(2 * SECOND, 1 + REMEMBERED + 5, 1_000);
        latencies.record(2 * SECOND, 5, 1_000);
        assert_eq!(latencies.told(3 * SECOND).unwrap().messages, 3);
    }
}
