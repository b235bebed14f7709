//! What is known of one producer's messages, whatever any zone has seen of them.

use std::collections::BTreeMap;

use super::{sequence_index::SequenceIndex, set::NumberSet};

/// What is known of one producer's messages, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Producer {
    pub(super) id: u32,
    pub(super) intended: NumberSet,
    pub(super) acked: NumberSet,
    /// Acknowledged by another line: a promoted zone, or, in a promoted zone's own, the source.
    pub(super) elsewhere: NumberSet,
    /// Refused, whether or not an acknowledgement contradicts it.
    pub(super) failed: NumberSet,
    /// Once without answer, whatever is known of them by now.
    pub(super) unknown: NumberSet,
    pub(super) resent: NumberSet,
    /// Spoken of (acknowledged, refused, unknown, sent again, withdrawn), but not announced.
    pub(super) unannounced: NumberSet,
    /// Acknowledged at two sequences.
    pub(super) moved: NumberSet,
    pub(super) places: SequenceIndex,
    /// Acknowledged at a sequence that is another message's: number → that sequence.
    pub(super) unplaced: BTreeMap<u64, u64>,
}

impl Producer {
    /// Refused and not acknowledged.
    pub(super) fn refused(&self) -> NumberSet {
        self.failed.without(&self.acked)
    }

    /// Without answer, and neither acknowledged nor refused.
    pub(super) fn unsettled(&self) -> NumberSet {
        self.unknown.without(&self.acked).without(&self.failed).without(&self.elsewhere)
    }

    /// Announced, and neither acknowledged, refused nor doubted.
    pub(super) fn open(&self) -> NumberSet {
        let open = self.intended.without(&self.acked).without(&self.failed).without(&self.unknown);
        open.without(&self.elsewhere)
    }

    /// How many were acknowledged, by whomever.
    pub(super) fn count_acked(&self) -> u64 {
        self.acked.len() + self.only_elsewhere()
    }

    /// How many of these were acknowledged, by whomever: what a promoted zone acknowledged can stand at the
    /// source as well, which never gave an answer to it.
    pub(super) fn count_acked_of(&self, numbers: &NumberSet) -> u64 {
        let mut count = self.acked.common_len(numbers);
        if !self.elsewhere.is_empty() {
            count += self.elsewhere.without(&self.acked).common_len(numbers);
        }
        count
    }

    /// How many were acknowledged by another line alone.
    pub(super) fn only_elsewhere(&self) -> u64 {
        self.elsewhere.len() - self.elsewhere.common_len(&self.acked)
    }

    /// Messages not acknowledged before are.
    pub(super) fn acknowledge(&mut self, run: Run) {
        self.acked.insert(run.n, run.c);
        self.spoken_of(run.n, run.c);
    }

    /// How many are [`Self::open`]. Mostly a fate is that of a number that was announced; then
    /// counting will do.
    pub(super) fn count_open(&self) -> u64 {
        if self.unannounced.is_empty() && self.failed.is_empty() && self.unknown.is_empty() {
            self.intended.len() - self.count_acked()
        } else {
            self.open().len()
        }
    }

    /// Something is said of numbers: those that were not announced contradict it.
    pub(super) fn spoken_of(&mut self, first: u64, count: u64) {
        self.unannounced.insert_absent(&self.intended, first, count);
    }
}

/// A run of messages of one producer that stand one after the other on the stream.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) p: usize,
    pub(super) n: u64,
    pub(super) s: u64,
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
}
