//! Where blocks, ranges and streams begin and end.

use super::*;

type Stream = BTreeMap<u64, u64>;

/// Messages at these sequences.
fn at(seqs: impl IntoIterator<Item = u64>) -> Stream {
    seqs.into_iter().map(|seq| (seq, seq)).collect()
}

/// Narrows one block by what both streams hold there.
fn narrowed(found: &Fidelity, first: u64, source: &Stream, mirror: &Stream) -> Fidelity {
    let block = first..=first + BLOCK - 1;
    let of = |stream: &Stream| -> Vec<Print> {
        stream.range(block.clone()).map(|(seq, hash)| Print { seq: *seq, hash: *hash }).collect()
    };
    let mut found = found.clone();
    let (ours, theirs) = (fingerprint(source), fingerprint(mirror));
    found.narrow(&block, (&ours, &of(source)), (&theirs, &of(mirror)));
    found
}

#[test]
fn only_blocks_that_a_stream_can_have_are_taken_from_a_file() {
    let whole = fingerprint(&at((1..=1500).chain(5000..=5001)));
    let blocks: Vec<_> = whole.blocks().collect();
    let counts: Vec<_> = blocks.iter().map(|block| (block.0, block.2)).collect();
    assert_eq!(counts, [(0, 1024), (1, 476), (4, 2)]);
    let rebuilt = Fingerprint::rebuild(&blocks, Some((1, 5001))).unwrap();
    assert!(compare(&whole, &rebuilt).is_equal());
    let ends = (rebuilt.first(), rebuilt.last(), rebuilt.messages());
    assert_eq!(ends, (Some(1), 5001, 1502));
    let empty = Fingerprint::rebuild(&[], None).unwrap();
    assert_eq!((empty.first(), empty.last(), empty.messages()), (None, 0, 0));

    let refused = |blocks: &[(u64, u64, u64)], ends| Fingerprint::rebuild(blocks, ends).is_none();
    assert!(refused(&blocks, None));
    assert!(refused(&[], Some((1, 1))) && refused(&[], Some((0, 0))));
    let of = |index, messages| (index, 7, messages);
    assert!(!refused(&[of(0, 2)], Some((1, 2))) && refused(&[of(0, 2)], Some((2, 1))));
    assert!(refused(&[of(0, 2)], Some((0, 2))));
    assert!(refused(&[of(0, 0)], Some((1, 2))) && refused(&[of(0, 1025)], Some((1, 2))));
    assert!(refused(&[of(0, 1), of(1, 1025)], Some((1, 1025))));
    assert!(!refused(&[of(0, 1024)], Some((1, 1024))));
    assert!(refused(&[of(0, 2)], Some((1, 1025))) && refused(&[of(1, 2)], Some((1, 1025))));
    assert!(refused(&[of(0, 1), of(0, 1)], Some((1, 2))));
    assert!(refused(&[of(1, 1), of(0, 1)], Some((1025, 1024))));
    assert!(refused(&[of(0, 1), of(2, 1), of(1, 1), of(3, 1)], Some((1, 4000))));
}

#[test]
fn a_sequence_counts_with_its_hash() {
    let swapped = |one, two| fingerprint(&[(one, 5), (two, 6)].into());
    assert!(!compare(&swapped(1, 3), &swapped(2, 3)).is_equal());
    let zero = &mut Fingerprint::default();
    assert!(!zero.push(Print { seq: 0, hash: 1 }) && zero.push(Print { seq: 1, hash: 1 }));
}

#[test]
fn streams_are_equal_that_hold_and_end_alike() {
    let whole = Fidelity { equal_through: 9, ..Fidelity::default() };
    assert!(whole.is_equal());
    assert!(!Fidelity { behind: 1, ..whole.clone() }.is_equal());
    assert!(!Fidelity { beyond: 1, ..whole.clone() }.is_equal());
    assert!(!Fidelity { differing: vec![1..=9], ..whole }.is_equal());
}

/// The block in which the shorter one ends is not judged, whichever it is.
#[test]
fn streams_are_compared_as_far_as_both_are_known() {
    let (long, short) = (fingerprint(&at(1..=3000)), fingerprint(&at(1..=2000)));
    for (source, mirror) in [(&long, &short), (&short, &long)] {
        let found = compare(source, mirror);
        assert_eq!((found.equal_through, found.differing), (1024, vec![]));
        assert_eq!(found.behind + found.beyond, 1000);
    }
    // The mirror had as much, and its last messages are deleted there.
    let found = compare_through((&long, 3000), (&short, 3000));
    assert_eq!((found.behind, found.differing), (0, vec![1025..=3000]));
    let found = compare_through((&long, 3000), (&short, 2500));
    assert_eq!((found.behind, found.differing), (500, vec![1025..=2048]));
    let nothing = Fingerprint::default();
    assert!(compare(&nothing, &nothing).is_equal());
}

/// A mirror keeps a block's last message, another's first one, and a whole block after them.
#[test]
fn what_a_mirror_keeps_at_the_edges_of_blocks() {
    let mirror = at(1..=5000);
    let source = at((1..=1023).chain(1026..=2048).chain(3073..=5000));
    let found = compare(&fingerprint(&source), &fingerprint(&mirror));
    assert_eq!((&found.differing, &found.kept), (&vec![1..=3072], &vec![2049..=3072]));
    assert_eq!(found.blocks(), [1..=1024, 1025..=2048]);
    assert_eq!(found.unexplained(), Some(1..=2048));
    let second = narrowed(&found, 1025, &source, &mirror);
    assert_eq!(second.differing, [1..=1025, 2049..=3072]);
    assert_eq!(second.kept, [1025..=1025, 2049..=3072]);
    assert_eq!((second.unexplained(), second.blocks()), (Some(1..=1024), vec![1..=1024]));
    let both = narrowed(&second, 1, &source, &mirror);
    assert_eq!(both.differing, both.kept);
    assert_eq!(both.kept, [1024..=1024, 1025..=1025, 2049..=3072]);
    assert_eq!((both.equal_through, both.kept_messages), (1023, 1026));
    assert_eq!((both.unexplained(), both.blocks()), (None, vec![]));
    // The same the other way round.
    let first = narrowed(&found, 1, &source, &mirror);
    assert_eq!((&first.differing, first.equal_through), (&vec![1024..=1024, 1025..=3072], 1023));
    assert_eq!((first.blocks(), first.unexplained()), (vec![1025..=2048], Some(1025..=2048)));
    assert_eq!(narrowed(&first, 1025, &source, &mirror).unexplained(), None);
}

/// Messages that the source deleted on both sides of a block's end explain the whole difference.
#[test]
fn what_is_kept_across_the_end_of_a_block_is_explained() {
    let mirror = at(1..=3000);
    let source = at((1..1000).chain(1101..=3000));
    let found = compare(&fingerprint(&source), &fingerprint(&mirror));
    assert_eq!(found.unexplained(), Some(1..=2048));
    let first = narrowed(&found, 1, &source, &mirror);
    let both = narrowed(&first, 1025, &source, &mirror);
    assert_eq!((both.kept_messages, both.unexplained()), (101, None));
    let second = narrowed(&found, 1025, &source, &mirror);
    let both = narrowed(&second, 1, &source, &mirror);
    assert_eq!((both.kept_messages, both.unexplained()), (101, None));
}

/// What differs beside what is kept is named up to that.
#[test]
fn what_is_kept_explains_no_more_than_itself() {
    let unexplained = |differing: RangeInclusive<u64>, kept: &[RangeInclusive<u64>]| {
        let (differing, kept) = (vec![differing], kept.to_vec());
        Fidelity { differing, kept, ..Fidelity::default() }.unexplained()
    };
    assert_eq!(unexplained(1..=10, &[5..=6]), Some(1..=4));
    assert_eq!(unexplained(1..=10, &[1..=6]), Some(7..=10));
    assert_eq!(unexplained(1..=10, &[1..=2, 3..=4, 8..=8]), Some(5..=7));
    assert_eq!(unexplained(1..=10, &[1..=9]), Some(10..=10));
    assert_eq!(unexplained(1..=10, &[1..=10]), None);
    assert_eq!(unexplained(1..=10, &[12..=12]), Some(1..=10));
}

/// A last block of one message; one that is equal beside others that differ.
#[test]
fn a_block_is_named_by_what_it_holds() {
    let source = at(1..=3073);
    let mut mirror = source.clone();
    mirror.insert(3073, 9);
    mirror.insert(1500, 9);
    let found = compare(&fingerprint(&source), &fingerprint(&mirror));
    assert_eq!(found.differing, [1025..=2048, 3073..=3073]);
    assert_eq!(found.blocks(), [1025..=2048, 3073..=4096]);
    // Blocks that are equal, before and between what differs.
    assert_eq!(narrowed(&found, 1, &source, &mirror), found);
    assert_eq!(narrowed(&found, 2049, &source, &mirror), found);
    let last = narrowed(&found, 3073, &source, &mirror);
    assert_eq!((&last, last.equal_through), (&found, 1024));
    let first = narrowed(&found, 1025, &source, &mirror);
    assert_eq!(
        (&first.differing[..], first.equal_through),
        ([1500..=1500, 3073..=3073].as_slice(), 1499)
    );
    // The last message of a block that ends within what differs.
    mirror.insert(2048, 9);
    mirror.insert(2049, 9);
    let found = compare(&fingerprint(&source), &fingerprint(&mirror));
    assert_eq!(found.differing, [1025..=3073]);
    let exact = narrowed(&found, 1025, &source, &mirror);
    assert_eq!(exact.differing, [1500..=1500, 2048..=2048, 2049..=3073]);
    assert_eq!(
        narrowed(&exact, 2049, &source, &mirror).differing,
        [1500..=1500, 2048..=2048, 2049..=2049, 3073..=3073]
    );
}

/// A block whose first or last message alone differs.
#[test]
fn the_ends_of_a_block_are_of_that_block() {
    let source = at(1..=3073);
    let altered = |seqs: &[u64]| {
        let mut mirror = source.clone();
        mirror.extend(seqs.iter().map(|seq| (*seq, 9)));
        let found = compare(&fingerprint(&source), &fingerprint(&mirror));
        (mirror, found)
    };
    let (mirror, found) = altered(&[2048]);
    let exact = narrowed(&found, 1025, &source, &mirror);
    assert_eq!(exact.differing, [2048..=2048]);
    assert_eq!(exact.blocks(), [1025..=2048]);
    let (mirror, found) = altered(&[2500, 3073]);
    assert_eq!(found.differing, [2049..=3073]);
    assert_eq!(narrowed(&found, 3073, &source, &mirror), found);
    let exact = narrowed(&found, 2049, &source, &mirror);
    assert_eq!(exact.differing, [2500..=2500, 3073..=3073]);
}

/// What was read again of another block, or out of order, says nothing.
#[test]
fn what_was_read_again_must_be_the_block() {
    let source = at(1..=3000);
    let mut mirror = source.clone();
    mirror.insert(1500, 9);
    let (ours, theirs) = (fingerprint(&source), fingerprint(&mirror));
    let found = compare(&ours, &theirs);
    let block = 1025..=2048;
    let prints = |stream: &Stream, range: RangeInclusive<u64>| -> Vec<Print> {
        stream.range(range).map(|(seq, hash)| Print { seq: *seq, hash: *hash }).collect()
    };
    let (right, wide) = (prints(&source, block.clone()), prints(&source, 1025..=2049));
    let others = prints(&mirror, block.clone());
    let mut unordered = right.clone();
    unordered.push(right[0]);
    let widened = prints(&mirror, 1024..=2048);
    for (ours_now, theirs_now) in [(&wide, &others), (&unordered, &others), (&right, &widened)] {
        let mut same = found.clone();
        same.narrow(&block, (&ours, ours_now), (&theirs, theirs_now));
        assert_eq!(same, found);
    }
    let mut exact = found.clone();
    exact.narrow(&block, (&ours, &right), (&theirs, &others));
    assert_eq!(exact.differing, [1500..=1500]);
}

/// No more blocks are read again than sixteen.
#[test]
fn the_most_blocks_that_are_read_again() {
    let source = at(1..=20 * BLOCK);
    let mirror: Stream = source.keys().map(|seq| (*seq, seq + 1)).collect();
    let found = compare(&fingerprint(&source), &fingerprint(&mirror));
    assert_eq!(found.blocks().len(), 16);
}
