//! Whether two zones hold the same, without holding either.
//!
//! A stream is condensed to one 64-bit digest for every [`BLOCK`] sequences. Two streams are equal
//! where their digests are; a block that differs can be read again from both and compared message by
//! message ([`Fidelity::narrow`]).

use std::ops::RangeInclusive;

use serde::Serialize;

/// Sequences in a block: block `i` holds `i * BLOCK + 1 ..= i * BLOCK + BLOCK`.
pub const BLOCK: u64 = 1024;

/// A message boiled down to what must be equal everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Print {
    /// Its stream sequence.
    pub seq: u64,
    /// Over subject, message id and payload; see [`hash`].
    pub hash: u64,
}

/// A 64-bit hash over parts (subject, message id, payload). Where one part ends and the next
/// begins makes a difference. For telling apart, not against forgery.
#[must_use]
pub fn hash(parts: &[&[u8]]) -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for part in parts {
        state = mix(state ^ part.len() as u64);
        let mut words = part.chunks_exact(8);
        for word in &mut words {
            state =
                mix(state ^ word.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
        state = mix(
            state ^ words.remainder().iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
        );
    }
    state
}

/// A bijection of 64 bits in which every input bit moves every output bit (the finalizer of
/// Stafford's "Mix13", as in `SplitMix64`).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A condensed stream, fed in sequence order. 24 bytes a block.
#[derive(Clone, Debug, Default)]
pub struct Fingerprint {
    /// Blocks that hold anything, ascending.
    blocks: Vec<Block>,
    first: Option<u64>,
    last: u64,
    messages: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    index: u64,
    digest: u64,
    messages: u64,
}

impl Fingerprint {
    /// Takes the next message in. Sequences ascend; one that does not is left out and `false` is
    /// answered.
    pub fn push(&mut self, print: Print) -> bool {
        if self.first.is_some() && print.seq <= self.last {
            return false;
        }
        // The first sequence there is is 1.
        let index = print.seq.saturating_sub(1) / BLOCK;
        if self.blocks.last().is_none_or(|block| block.index != index) {
            self.blocks.push(Block { index, digest: 0, messages: 0 });
        }
        if let Some(block) = self.blocks.last_mut() {
            block.digest = mix(mix(block.digest ^ print.seq) ^ print.hash);
            block.messages += 1;
        }
        self.first.get_or_insert(print.seq);
        self.last = print.seq;
        self.messages += 1;
        true
    }

    /// The blocks that hold anything: (index, digest, messages).
    pub(super) fn blocks(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        self.blocks.iter().map(|block| (block.index, block.digest, block.messages))
    }

    /// A fingerprint from what [`Self::blocks`] told; nothing if that cannot be one.
    pub(super) fn rebuild(blocks: &[(u64, u64, u64)], ends: Option<(u64, u64)>) -> Option<Self> {
        let ascending = blocks.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let full = blocks.iter().all(|(_, _, messages)| (1..=BLOCK).contains(messages));
        let at = |seq: u64| seq.checked_sub(1).map(|before| before / BLOCK);
        let fits = match ends {
            Some((first, last)) => {
                first <= last
                    && at(first).is_some()
                    && at(first) == blocks.first().map(|block| block.0)
                    && at(last) == blocks.last().map(|block| block.0)
            }
            None => blocks.is_empty(),
        };
        (ascending && full && fits).then(|| Self {
            blocks: blocks
                .iter()
                .map(|&(index, digest, messages)| Block { index, digest, messages })
                .collect(),
            first: ends.map(|(first, _)| first),
            last: ends.map_or(0, |(_, last)| last),
            messages: blocks.iter().map(|block| block.2).sum(),
        })
    }

    /// Is that what it holds in a block?
    fn is_made_of(&self, block: &RangeInclusive<u64>, prints: &[Print]) -> bool {
        let mut made = Self::default();
        let fits = |print: &Print| block.contains(&print.seq);
        let pushed = prints.iter().all(|print| fits(print) && made.push(*print));
        let index = (block.start() - 1) / BLOCK;
        pushed && made.blocks.first() == self.blocks.iter().find(|block| block.index == index)
    }

    /// The first sequence held.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        self.first
    }

    /// The last sequence held, 0 for none.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Messages held.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages
    }
}

/// How faithful a mirror is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fidelity {
    /// Up to and with this sequence both hold the same (gaps included), in whole blocks; with
    /// equal ends it is the last sequence of both.
    pub equal_through: u64,
    /// Sequences within which they differ, adjoining blocks joined; none is before the first
    /// sequence of either or after the last. Blocks that the shorter of both has only begun are
    /// not judged.
    pub differing: Vec<RangeInclusive<u64>>,
    /// Sequences the source has after the mirror's last.
    pub behind: u64,
    /// Sequences the mirror has after the source's last: the source was recreated, or lost its
    /// end.
    pub beyond: u64,
}

impl Fidelity {
    /// Nothing differs, and neither goes further than the other.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.differing.is_empty() && self.behind == 0 && self.beyond == 0
    }

    /// The block in which the first difference is: what [`Self::narrow`] needs of both.
    #[must_use]
    pub fn first_block(&self) -> Option<RangeInclusive<u64>> {
        let start = self.differing.first()?.start();
        let before = start.saturating_sub(1) / BLOCK * BLOCK;
        Some(before + 1..=before.saturating_add(BLOCK))
    }

    /// Names the first differences by their sequences, from what both hold in [`Self::first_block`].
    /// Each must be what its fingerprint was made of: what has changed since, or came from elsewhere,
    /// says nothing of the difference that was found.
    pub fn narrow(
        &mut self,
        (source, ours): (&Fingerprint, &[Print]),
        (mirror, theirs): (&Fingerprint, &[Print]),
    ) {
        let Some((block, first)) = self.first_block().zip(self.differing.first().cloned()) else {
            return;
        };
        let differing = differences(ours, theirs);
        if !source.is_made_of(&block, ours)
            || !mirror.is_made_of(&block, theirs)
            || differing.is_empty()
        {
            return;
        }
        let mut exact: Vec<RangeInclusive<u64>> = Vec::new();
        for seq in differing {
            match exact.last_mut() {
                Some(range) if *range.end() + 1 == seq => *range = *range.start()..=seq,
                _ => exact.push(seq..=seq),
            }
        }
        self.equal_through = exact.first().map_or(self.equal_through, |range| range.start() - 1);
        if block.end() < first.end() {
            exact.push(block.end() + 1..=*first.end());
        }
        self.differing.splice(..1, exact);
    }
}

/// Compares a mirror with its source. Both should have been read up to the same sequence where
/// both have it; if not, the block in which the shorter one ends stays unjudged.
#[must_use]
pub fn compare(source: &Fingerprint, mirror: &Fingerprint) -> Fidelity {
    let shorter = source.last.min(mirror.last);
    let same_end = source.last == mirror.last;
    // Blocks from this one on cannot be judged.
    let limit = if same_end { u64::MAX } else { shorter / BLOCK };
    let mut differing: Vec<RangeInclusive<u64>> = Vec::new();
    let mut note = |index: u64| {
        let (start, end) = (index * BLOCK + 1, (index * BLOCK).saturating_add(BLOCK));
        match differing.last_mut() {
            Some(range) if *range.end() == start - 1 => *range = *range.start()..=end,
            _ => differing.push(start..=end),
        }
    };
    let (mut ours, mut theirs) = (source.blocks.iter().peekable(), mirror.blocks.iter().peekable());
    loop {
        let next = [ours.peek(), theirs.peek()].into_iter().flatten().map(|block| block.index);
        let Some(index) = next.min().filter(|index| *index < limit) else { break };
        let at = |block: &&Block| block.index == index;
        if ours.next_if(at) != theirs.next_if(at) {
            note(index);
        }
    }
    // A block begins and ends where blocks do; what can differ begins and ends with the streams.
    let first = source.first.into_iter().chain(mirror.first).min().unwrap_or(1);
    let last = source.last.max(mirror.last);
    for range in &mut differing {
        *range = first.max(*range.start())..=last.min(*range.end());
    }
    let equal_through = match differing.first() {
        Some(range) => range.start() - 1,
        None if same_end => shorter,
        None => limit * BLOCK,
    };
    Fidelity {
        equal_through,
        differing,
        behind: source.last.saturating_sub(mirror.last),
        beyond: mirror.last.saturating_sub(source.last),
    }
}

/// The sequences at which a stretch that was read from both is not the same, ascending.
fn differences(source: &[Print], mirror: &[Print]) -> Vec<u64> {
    let (mut ours, mut theirs) = (source.iter().peekable(), mirror.iter().peekable());
    let mut found = Vec::new();
    loop {
        let next = [ours.peek(), theirs.peek()].into_iter().flatten().map(|print| print.seq).min();
        let Some(seq) = next else { return found };
        let at = |print: &&Print| print.seq == seq;
        if ours.next_if(at) != theirs.next_if(at) {
            found.push(seq);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    fn prints(stream: &BTreeMap<u64, u64>) -> Vec<Print> {
        stream.iter().map(|(seq, hash)| Print { seq: *seq, hash: *hash }).collect()
    }

    fn fingerprint(stream: &BTreeMap<u64, u64>) -> Fingerprint {
        let mut fingerprint = Fingerprint::default();
        for print in prints(stream) {
            assert!(fingerprint.push(print));
        }
        fingerprint
    }

    proptest! {
        #[test]
        fn whatever_differs_is_in_a_named_block_and_is_named(
            length in 1u64..5000,
            changes in prop::collection::vec((1u64..5000, 0u8..3), 0..6),
        ) {
            let source: BTreeMap<u64, u64> = (1..=length).map(|seq| (seq, seq * 7)).collect();
            let mut mirror = source.clone();
            for (seq, how) in changes {
                match how {
                    0 => drop(mirror.remove(&seq)),
                    1 => drop(mirror.entry(seq).and_modify(|hash| *hash += 1)),
                    _ => {}
                }
            }
            let fidelity = compare(&fingerprint(&source), &fingerprint(&mirror));
            let differences = differences(&prints(&source), &prints(&mirror));
            let expected: Vec<u64> = source
                .iter()
                .filter(|(seq, hash)| mirror.get(seq) != Some(hash))
                .map(|(seq, _)| *seq)
                .collect();
            prop_assert_eq!(&differences, &expected);
            let mirror_last = mirror.keys().last().copied().unwrap_or(0);
            prop_assert_eq!(fidelity.behind, length - mirror_last);
            for range in &fidelity.differing {
                prop_assert!(*range.start() >= 1 && *range.end() <= length, "{range:?}");
            }
            let judged = if fidelity.behind == 0 { u64::MAX } else { mirror_last / BLOCK * BLOCK };
            for seq in differences.iter().copied() {
                prop_assert!(seq > fidelity.equal_through);
                prop_assert!(seq > judged || fidelity.differing.iter().any(|r| r.contains(&seq)));
            }
            if differences.is_empty() {
                prop_assert!(fidelity.is_equal());
                prop_assert_eq!(fidelity.equal_through, length);
            }
        }
    }

    #[test]
    fn a_mirror_that_is_behind_is_not_different() {
        let source: BTreeMap<u64, u64> = (1..=3000).map(|seq| (seq, seq)).collect();
        let mirror = source.range(..=2500).map(|(seq, hash)| (*seq, *hash)).collect();
        let fidelity = compare(&fingerprint(&source), &fingerprint(&mirror));
        let expected = Fidelity { equal_through: 2048, behind: 500, ..Fidelity::default() };
        assert_eq!(fidelity, expected);
        let other_way = compare(&fingerprint(&mirror), &fingerprint(&source));
        assert_eq!((other_way.beyond, other_way.differing), (500, vec![]));
    }

    #[test]
    fn a_difference_is_named_within_what_there_is() {
        let from_900 = |changed: u64| -> Fingerprint {
            let hash = |seq: u64| u64::from(seq == changed);
            fingerprint(&(900..=2500).map(|seq| (seq, hash(seq))).collect())
        };
        let differing = |changed| compare(&from_900(0), &from_900(changed)).differing;
        assert_eq!(differing(2400), [2049..=2500]);
        assert_eq!(differing(901), [900..=1024]);
        assert_eq!(compare(&from_900(0), &from_900(901)).equal_through, 899);
        assert_eq!(differing(1500), [1025..=2048]);
    }

    #[test]
    fn what_is_read_again_names_the_first_differences_by_sequence() {
        let source: BTreeMap<u64, u64> = (1..=5000).map(|seq| (seq, seq)).collect();
        let mut mirror = source.clone();
        mirror.remove(&1500);
        mirror.insert(1501, 9);
        mirror.insert(1700, 9);
        mirror.remove(&2500);
        mirror.remove(&4500);
        let (ours, theirs) = (fingerprint(&source), fingerprint(&mirror));
        let found = compare(&ours, &theirs);
        assert_eq!(found.differing, [1025..=3072, 4097..=5000]);
        let block = found.first_block().unwrap();
        assert_eq!(block, 1025..=2048);
        let of = |stream: &BTreeMap<u64, u64>| -> Vec<Print> {
            stream
                .range(block.clone())
                .map(|(seq, hash)| Print { seq: *seq, hash: *hash })
                .collect()
        };
        let mut exact = found.clone();
        exact.narrow((&ours, &of(&source)), (&theirs, &of(&mirror)));
        assert_eq!(exact.differing, [1500..=1501, 1700..=1700, 2049..=3072, 4097..=5000]);
        assert_eq!(exact.equal_through, 1499);

        // Not what was compared before: it says nothing.
        let mut other = mirror.clone();
        other.insert(1100, 9);
        for (ours_now, theirs_now) in
            [(&source, &other), (&other, &mirror), (&source, &source), (&mirror, &mirror)]
        {
            let mut same = found.clone();
            same.narrow((&ours, &of(ours_now)), (&theirs, &of(theirs_now)));
            assert_eq!(same, found);
        }
        let mut equal = compare(&ours, &ours);
        equal.narrow((&ours, &of(&source)), (&ours, &of(&source)));
        assert!(equal.is_equal() && equal.first_block().is_none());
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let hashes = [
            hash(&[b"ab", b"c"]),
            hash(&[b"a", b"bc"]),
            hash(&[b"abc"]),
            hash(&[b"abc", b""]),
            hash(&[b"ab", b"c\0"]),
        ];
        let distinct: std::collections::BTreeSet<_> = hashes.iter().collect();
        assert_eq!(distinct.len(), hashes.len());
    }

    #[test]
    fn what_does_not_ascend_is_left_out() {
        let mut fingerprint = Fingerprint::default();
        assert!(fingerprint.push(Print { seq: 5, hash: 1 }));
        assert!(!fingerprint.push(Print { seq: 5, hash: 1 }));
        assert_eq!(
            (fingerprint.first(), fingerprint.last(), fingerprint.messages()),
            (Some(5), 5, 1)
        );
    }
}
