//! Where a producer's messages stand on the stream: number → stream sequence, compactly.
//!
//! Numbers are kept in chunks. A chunk is a list of runs (numbers and sequences ascending
//! together) as long as that is smaller, and a table of four-byte offsets otherwise. So a lone
//! producer costs next to nothing, and producers that alternate on every message cost four bytes
//! a message.

mod chunk;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{LazyLock, OnceLock},
};

use self::chunk::{CHUNK, Chunk};
use super::set::NumberSet;

/// What a producer without disorder answers.
static NONE_LATE: LazyLock<NumberSet> = LazyLock::new(NumberSet::default);

/// A stretch of numbers that share a fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// How many, at least one.
    pub(super) count: u64,
    /// The sequence of the first, the others follow; `None` if none of them has a place.
    pub(super) seq: Option<u64>,
}

/// Number → stream sequence.
#[derive(Clone, Debug, Default)]
pub(super) struct SequenceIndex {
    chunks: Vec<Chunk>,
    /// Places that did not fit into their chunk's table.
    far: BTreeMap<u64, u64>,
    /// The greatest number and the greatest sequence so far (not always of one message).
    top: Option<(u64, u64)>,
    /// Some number stands, or once stood, after a higher one.
    tangled: bool,
    /// The late numbers, once asked for; emptied by whatever may change them.
    late: OnceLock<NumberSet>,
}

impl SequenceIndex {
    /// The place of a number.
    pub(super) fn get(&self, number: u64) -> Option<u64> {
        self.piece(number, 1).seq
    }

    /// A stretch of at most `at_most` numbers from `number` on that share a fate.
    pub(super) fn piece(&self, number: u64, at_most: u64) -> Piece {
        let offset = number % CHUNK;
        let at_most = at_most.min(CHUNK - offset);
        match self.find(number / CHUNK) {
            Ok(at) => self.chunks[at].piece(offset, at_most, &self.far),
            Err(_) => Piece { count: at_most, seq: None },
        }
    }

    /// Gives a run of numbers, none of which has a place, consecutive places.
    pub(super) fn set(&mut self, number: u64, seq: u64, count: u64) {
        self.watch_order(number, seq, count);
        let (mut number, mut seq, mut left) = (number, seq, count);
        while left > 0 {
            let offset = number % CHUNK;
            let here = left.min(CHUNK - offset);
            let at = match self.find(number / CHUNK) {
                Ok(at) => at,
                Err(at) => {
                    self.chunks.insert(at, Chunk::new(number / CHUNK, seq));
                    at
                }
            };
            self.chunks[at].set(offset, seq, here, &mut self.far);
            left -= here;
            // Both may leave u64 only after the last turn.
            number = number.wrapping_add(here);
            seq = seq.wrapping_add(here);
        }
    }

    /// Takes a number's place away.
    pub(super) fn unset(&mut self, number: u64) {
        if let Ok(at) = self.find(number / CHUNK) {
            self.chunks[at].unset(number % CHUNK);
            self.far.remove(&number);
            self.late.take();
        }
    }

    /// The number that stands at a sequence. A search; for exceptions.
    pub(super) fn owner(&self, seq: u64) -> Option<u64> {
        self.chunks
            .iter()
            .filter(|chunk| (chunk.low..=chunk.high).contains(&seq))
            .find_map(|chunk| chunk.owner(seq, &self.far))
    }

    /// Of how many parts the index is: what a search may pass.
    pub(super) fn parts(&self) -> u64 {
        self.chunks.len() as u64
    }

    /// Every run of numbers with consecutive places, ascending: (number, sequence, count).
    pub(super) fn runs(&self) -> impl DoubleEndedIterator<Item = (u64, u64, u64)> + '_ {
        self.chunks.iter().flat_map(|chunk| {
            let first = chunk.index * CHUNK;
            chunk
                .runs(&self.far)
                .into_iter()
                .map(move |run| (first + u64::from(run.at), run.seq, u64::from(run.count)))
        })
    }

    /// The numbers that stand after a higher number ("reordered" as RFC 4737 counts).
    pub(super) fn late(&self) -> &NumberSet {
        if !self.tangled {
            return &NONE_LATE;
        }
        self.late.get_or_init(|| {
            let mut late = NumberSet::default();
            let mut lowest_above = u64::MAX;
            for (number, seq, count) in self.runs().rev() {
                // Nothing else stands between the first and the last of a run.
                if seq > lowest_above {
                    late.insert(number, count);
                }
                lowest_above = lowest_above.min(seq);
            }
            late
        })
    }

    /// Notices, before a run is set, whether it may bring disorder.
    fn watch_order(&mut self, number: u64, seq: u64, count: u64) {
        let last = (number + (count - 1), seq + (count - 1));
        let Some(top) = self.top else {
            self.top = Some(last);
            return;
        };
        self.top = Some((top.0.max(last.0), top.1.max(last.1)));
        if number > top.0 && seq > top.1 {
            return;
        }
        if !self.tangled {
            // Nothing stands between a run's numbers or places: its first tells as much as its last.
            let after_lower = self.before(number).is_none_or(|lower| lower < seq);
            let before_higher = self.after(number).is_none_or(|higher| seq < higher);
            self.tangled = !(after_lower && before_higher);
        }
        self.late.take();
    }

    /// A place of the run of the nearest lower number that has one.
    fn before(&self, number: u64) -> Option<u64> {
        let end = self.find(number / CHUNK).map_or_else(|at| at, |at| at + 1);
        self.chunks[..end].iter().rev().find_map(|chunk| {
            let limit = number.saturating_sub(chunk.index * CHUNK).min(CHUNK);
            chunk.before(limit, &self.far)
        })
    }

    /// A place of the run of the nearest higher number that has one; `number` has none.
    fn after(&self, number: u64) -> Option<u64> {
        let start = self.find(number / CHUNK).unwrap_or_else(|at| at);
        self.chunks[start..]
            .iter()
            .find_map(|chunk| chunk.after(number.saturating_sub(chunk.index * CHUNK), &self.far))
    }

    /// Where the chunk is, or where it belongs.
    fn find(&self, index: u64) -> Result<usize, usize> {
        self.chunks.binary_search_by_key(&index, |chunk| chunk.index)
    }
}
