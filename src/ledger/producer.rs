//! What is known of one producer's messages, whatever any zone has seen of them.

use std::collections::BTreeMap;

use super::{places::Places, set::NumberSet};

/// What is known of one producer's messages, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Producer {
    pub(super) id: u32,
    pub(super) intended: NumberSet,
    pub(super) acked: NumberSet,
    /// Refused, whether or not an acknowledgement contradicts it.
    pub(super) failed: NumberSet,
    /// Refused and not acknowledged.
    pub(super) failed_open: NumberSet,
    /// Without answer, and neither acknowledged nor refused.
    pub(super) unknown_open: NumberSet,
    pub(super) resent: NumberSet,
    /// Acknowledged, but never intended.
    pub(super) strays: NumberSet,
    /// Acknowledged at two sequences.
    pub(super) moved: NumberSet,
    pub(super) places: Places,
    /// Acknowledged at a sequence that is another message's: number → that sequence.
    pub(super) homeless: BTreeMap<u64, u64>,
}

impl Producer {
    /// Announced, and neither acknowledged, refused nor doubted.
    pub(super) fn open(&self) -> NumberSet {
        let open = self.intended.without(&self.acked);
        open.without(&self.failed_open).without(&self.unknown_open)
    }

    /// Messages not acknowledged before are.
    pub(super) fn acknowledge(&mut self, run: Run) {
        self.acked.insert(run.n, run.c);
        self.failed_open.remove(run.n, run.c);
        self.unknown_open.remove(run.n, run.c);
        if self.intended.count(run.n, run.c) < run.c {
            for one in run.each().filter(|one| !self.intended.contains(one.n)) {
                self.strays.insert(one.n, 1);
            }
        }
    }
}

/// A run of messages of one producer that stand one after the other on the stream.
#[derive(Clone, Copy)]
pub(super) struct Run {
    /// The producer's index.
    pub(super) p: usize,
    /// First number.
    pub(super) n: u64,
    /// First sequence.
    pub(super) s: u64,
    /// How many.
    pub(super) c: u64,
}

impl Run {
    /// The first `count` messages.
    pub(super) fn head(self, count: u64) -> Self {
        Self { c: count, ..self }
    }

    /// The messages after the first `count`. Not to be used once nothing is left.
    pub(super) fn skip(self, count: u64) -> Self {
        let (n, s) = (self.n.wrapping_add(count), self.s.wrapping_add(count));
        Self { n, s, c: self.c - count, ..self }
    }

    pub(super) fn each(self) -> impl Iterator<Item = Self> {
        (0..self.c).map(move |i| self.skip(i).head(1))
    }
}
