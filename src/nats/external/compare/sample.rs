//! A part of a stream that stands for the whole, for one that is too large to be read.

use std::ops::RangeInclusive;

use crate::ledger::fingerprint::hash;

/// Messages that are read together: a request costs more than a message.
const RUN: u64 = 100;

/// How much is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// About so many messages.
    pub messages: u64,
    /// Another one looks elsewhere.
    pub seed: u64,
}

impl Sample {
    /// Runs of sequences spread over all of them: one in each of as many equal stretches, anywhere in it.
    /// The whole, where that is no more.
    pub(super) fn of(self, whole: RangeInclusive<u64>) -> Vec<RangeInclusive<u64>> {
        let (first, last) = (*whole.start(), *whole.end());
        let length = last - first + 1;
        if self.messages >= length {
            return vec![whole];
        }
        let runs = self.messages.div_ceil(RUN).max(1);
        let size = self.messages.div_ceil(runs);
        let begins = |at: u64| {
            let at = u128::from(length) * u128::from(at) / u128::from(runs);
            first + u64::try_from(at).unwrap_or(u64::MAX)
        };
        let run = |at: u64| {
            let (from, after) = (begins(at), begins(at + 1));
            let spare = (after - from).saturating_sub(size) + 1;
            let chance = hash(&[&self.seed.to_le_bytes(), &at.to_le_bytes()]);
            let from = from + chance % spare;
            from..=(from + size - 1).min(after - 1)
        };
        (0..runs).map(run).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_over_all_of_it_and_overlaps_nowhere() {
        for (messages, whole) in [
            (1000, 1..=1_000_000_u64),
            (1, 7..=9),
            (250, 100..=350),
            (99_999, 1..=100_000),
            (5, 1..=5),
        ] {
            let runs = Sample { messages, seed: 3 }.of(whole.clone());
            let held: u64 = runs.iter().map(|run| run.end() - run.start() + 1).sum();
            assert!(held <= messages + runs.len() as u64 && 10 * held >= 9 * messages, "{held}");
            assert!(runs.windows(2).all(|pair| pair[0].end() < pair[1].start()));
            let length = whole.end() - whole.start() + 1;
            let stretch = length / runs.len() as u64 + 1;
            assert!(runs[0].start() - whole.start() < stretch, "{runs:?}");
            assert!(whole.end() - runs[runs.len() - 1].end() < stretch, "{runs:?}");
            assert!(
                runs.iter().all(|run| whole.contains(run.start()) && whole.contains(run.end()))
            );
        }
        let of = |seed| Sample { messages: 1000, seed }.of(1..=1_000_000);
        assert_ne!(of(1), of(2));
    }
}
