//! Whether two zones hold the same, without holding either.
//!
//! A stream is condensed to one 64-bit digest for every [`BLOCK`] sequences. Two streams are equal
//! where their digests are; a block that differs can be read again from both and compared message by
//! message ([`Fidelity::narrow`]).

use std::{collections::BTreeSet, ops::RangeInclusive};

use serde::Serialize;

/// Sequences in a block: block `i` holds `i * BLOCK + 1 ..= i * BLOCK + BLOCK`.
pub const BLOCK: u64 = 1024;

/// A message boiled down to what must be equal everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Print {
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
        let (words, rest) = part.as_chunks();
        for word in words {
            state = mix(state ^ u64::from_le_bytes(*word));
        }
        state = mix(state ^ rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
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
    /// Takes the next message in. Sequences begin at 1 and ascend; one that does not is left out and
    /// `false` is answered.
    pub fn push(&mut self, print: Print) -> bool {
        if print.seq <= self.last {
            return false;
        }
        let index = (print.seq - 1) / BLOCK;
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

    /// A message that does not belong where it is: the block it would be in equals no other.
    pub(super) fn taint(&mut self, print: Print) {
        if let Some(block) = self.blocks.last_mut() {
            block.digest = mix(mix(block.digest ^ print.seq) ^ print.hash);
        }
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
        let index = block.start() / BLOCK;
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
    /// Sequences the mirror has after the last one that the source ever had: the source was
    /// recreated, or lost its end.
    pub beyond: u64,
    /// The sequences, all within `differing`, at which the mirror holds what the source had and
    /// does not hold any more; between those of one range neither holds anything.
    pub kept: Vec<RangeInclusive<u64>>,
    /// The messages of `kept`.
    pub kept_messages: u64,
    /// Messages that the copy dropped because it remembers their id: the source has it twice.
    pub swallowed: u64,
    /// The sequence of the first of them.
    pub first_swallowed: Option<u64>,
}

/// The most blocks that are read again to name differences by their sequences.
const MOST_NARROWED: usize = 16;

impl Fidelity {
    /// Nothing differs, and neither goes further than the other.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.differing.is_empty() && self.behind == 0 && self.beyond == 0 && self.swallowed == 0
    }

    /// The first sequences that differ in another way than that the source has deleted what the
    /// mirror keeps.
    #[must_use]
    pub fn unexplained(&self) -> Option<RangeInclusive<u64>> {
        let mut kept = self.kept.iter().peekable();
        // What is kept may reach over the end of one range into the next one.
        let mut at = 1;
        self.differing.iter().find_map(|range| {
            at = at.max(*range.start());
            while let Some(range) = kept.next_if(|kept| *kept.start() <= at) {
                at = at.max(range.end().saturating_add(1));
            }
            let end = kept.peek().map_or(*range.end(), |next| (*range.end()).min(next.start() - 1));
            (at <= *range.end()).then_some(at..=end)
        })
    }

    /// The first blocks with differences that [`Self::narrow`] can name by their sequences.
    #[must_use]
    pub fn blocks(&self) -> Vec<RangeInclusive<u64>> {
        let blocks = self.differing.iter().flat_map(|range| {
            let (first, last) = ((range.start() - 1) / BLOCK, (range.end() - 1) / BLOCK);
            (first..=last).map(block)
        });
        let named = |block: &RangeInclusive<u64>| {
            self.kept.iter().any(|kept| kept.start() <= block.end() && kept.end() >= block.start())
        };
        blocks.filter(|block| !named(block)).take(MOST_NARROWED).collect()
    }

    /// Names the differences in a block of [`Self::blocks`] by their sequences, from what both hold
    /// in it. Each must be what its fingerprint was made of: what has changed since, or came from
    /// elsewhere, says nothing of the difference that was found.
    pub fn narrow(
        &mut self,
        block: &RangeInclusive<u64>,
        (source, ours): (&Fingerprint, &[Print]),
        (mirror, theirs): (&Fingerprint, &[Print]),
    ) {
        let within = |range: &RangeInclusive<u64>| range.end() >= block.start();
        let Some(i) = self.differing.iter().position(within) else { return };
        if !source.is_made_of(block, ours) || !mirror.is_made_of(block, theirs) {
            return;
        }
        let differing = differences(ours, theirs);
        let range = self.differing[i].clone();
        let mut exact = Vec::new();
        if range.start() < block.start() {
            exact.push(*range.start()..=block.start() - 1);
        }
        for seq in &differing {
            extend(&mut exact, *seq..=*seq);
        }
        if block.end() < range.end() {
            exact.push(block.end() + 1..=*range.end());
        }
        self.differing.splice(i..=i, exact);
        if let Some(first) = self.differing.first() {
            self.equal_through = first.start() - 1;
        }
        let ours: BTreeSet<u64> = ours.iter().map(|print| print.seq).collect();
        for seq in differing.into_iter().filter(|seq| !ours.contains(seq)) {
            self.kept_messages += 1;
            extend(&mut self.kept, seq..=seq);
        }
        self.kept.sort_by_key(|range| *range.start());
    }
}

/// The sequences of a block.
fn block(index: u64) -> RangeInclusive<u64> {
    index * BLOCK + 1..=(index * BLOCK).saturating_add(BLOCK)
}

/// Adds a range to a list of ranges, joined with the last one if it adjoins.
fn extend(ranges: &mut Vec<RangeInclusive<u64>>, range: RangeInclusive<u64>) {
    match ranges.last_mut() {
        Some(last) if last.end().checked_add(1) == Some(*range.start()) => {
            *last = *last.start()..=*range.end();
        }
        _ => ranges.push(range),
    }
}

/// Compares a mirror with its source, each as it was read: to its last message.
#[must_use]
pub fn compare(source: &Fingerprint, mirror: &Fingerprint) -> Fidelity {
    compare_through((source, source.last), (mirror, mirror.last))
}

/// Compares a mirror with its source, each with the last sequence it has ever had: the message there
/// may be deleted. Both should have been read up to the same sequence where both have it; if not,
/// the block in which the shorter one ends stays unjudged.
#[must_use]
pub fn compare_through(
    (source, source_through): (&Fingerprint, u64),
    (mirror, mirror_through): (&Fingerprint, u64),
) -> Fidelity {
    let source_last = source.last.max(source_through);
    let mirror_last = mirror.last.max(mirror_through);
    let shorter = source_last.min(mirror_last);
    let same_end = source_last == mirror_last;
    // Blocks from this one on cannot be judged.
    let limit = if same_end { u64::MAX } else { shorter / BLOCK };
    // A block begins and ends where blocks do; what can differ begins and ends with the streams.
    let first = source.first.into_iter().chain(mirror.first).min().unwrap_or_default();
    let last = source.last.max(mirror.last);
    let trimmed = |index: u64| {
        let block = block(index);
        first.max(*block.start())..=last.min(*block.end())
    };
    let (mut differing, mut kept, mut kept_messages) = (Vec::new(), Vec::new(), 0);
    let (mut ours, mut theirs) = (source.blocks.iter().peekable(), mirror.blocks.iter().peekable());
    loop {
        let next = [ours.peek(), theirs.peek()].into_iter().flatten().map(|block| block.index);
        let Some(index) = next.min().filter(|index| *index < limit) else { break };
        let at = |block: &&Block| block.index == index;
        let (our, their) = (ours.next_if(at), theirs.next_if(at));
        if our == their {
            continue;
        }
        extend(&mut differing, trimmed(index));
        if let (None, Some(their)) = (our, their) {
            extend(&mut kept, trimmed(index));
            kept_messages += their.messages;
        }
    }
    let equal_through = match differing.first() {
        Some(range) => range.start() - 1,
        None if same_end => shorter,
        None => limit * BLOCK,
    };
    Fidelity {
        equal_through,
        differing,
        behind: source_last.saturating_sub(mirror_last),
        beyond: mirror_last.saturating_sub(source_last),
        kept,
        kept_messages,
        swallowed: 0,
        first_swallowed: None,
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
mod tests;
