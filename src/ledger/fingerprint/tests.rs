//! What a comparison of two streams names.

use std::collections::BTreeMap;

mod limits;

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
    // The second and the third range are read in turn; here it is only the first.
    let block = found.blocks().remove(0);
    assert_eq!(found.blocks(), [1025..=2048, 2049..=3072, 4097..=5120]);
    assert_eq!(block, 1025..=2048);
    let of = |stream: &BTreeMap<u64, u64>| -> Vec<Print> {
        stream.range(block.clone()).map(|(seq, hash)| Print { seq: *seq, hash: *hash }).collect()
    };
    let mut exact = found.clone();
    exact.narrow(&block, (&ours, &of(&source)), (&theirs, &of(&mirror)));
    assert_eq!(exact.differing, [1500..=1501, 1700..=1700, 2049..=3072, 4097..=5000]);
    assert_eq!(exact.equal_through, 1499);

    // Not what was compared before: it says nothing.
    let mut other = mirror.clone();
    other.insert(1100, 9);
    for (ours_now, theirs_now) in
        [(&source, &other), (&other, &mirror), (&source, &source), (&mirror, &mirror)]
    {
        let mut same = found.clone();
        same.narrow(&block, (&ours, &of(ours_now)), (&theirs, &of(theirs_now)));
        assert_eq!(same, found);
    }
    let mut equal = compare(&ours, &ours);
    equal.narrow(&block, (&ours, &of(&source)), (&ours, &of(&source)));
    assert!(equal.is_equal() && equal.blocks().is_empty());
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
    let distinct: BTreeSet<_> = hashes.iter().collect();
    assert_eq!(distinct.len(), hashes.len());
}

/// Files keep digests, so that every version must compute the same; these are another program's.
#[test]
fn a_hash_is_the_same_in_every_version() {
    assert_eq!(hash(&[b"abcdefghij", b"", b"xyz"]), 0x3fad_dc0c_e518_cc25);
    let block = fingerprint(&[(7, 5), (9, 6)].into()).blocks().next();
    assert_eq!(block, Some((0, 0x300f_6760_ae07_0153, 2)));
}

#[test]
fn what_does_not_ascend_is_left_out() {
    let mut fingerprint = Fingerprint::default();
    assert!(fingerprint.push(Print { seq: 5, hash: 1 }));
    assert!(!fingerprint.push(Print { seq: 5, hash: 1 }));
    assert_eq!((fingerprint.first(), fingerprint.last(), fingerprint.messages()), (Some(5), 5, 1));
}

/// A source that deleted some of its messages, and a mirror that keeps them.
#[test]
fn what_the_source_deleted_is_no_end_that_it_lost() {
    let mirror: BTreeMap<u64, u64> = (1..=20).map(|seq| (seq, seq)).collect();
    let mut source = mirror.clone();
    source.remove(&20);
    let (ours, theirs) = (fingerprint(&source), fingerprint(&mirror));
    // By what was read alone it looks like a stream that lost its end.
    assert_eq!(compare(&ours, &theirs).beyond, 1);
    let mut found = compare_through((&ours, 20), (&theirs, 20));
    assert_eq!((found.beyond, found.kept_messages, found.unexplained()), (0, 0, Some(1..=20)));
    let block = found.blocks().remove(0);
    found.narrow(&block, (&ours, &prints(&source)), (&theirs, &prints(&mirror)));
    assert_eq!((found.kept_messages, found.unexplained()), (1, None));
    assert_eq!((found.kept.as_slice(), found.equal_through), ([20..=20].as_slice(), 19));
    assert!(!found.is_equal());
    // A source that was made anew has never had the sequence.
    let anew = compare_through((&ours, 19), (&theirs, 20));
    assert_eq!((anew.beyond, anew.kept_messages), (1, 0));
}

#[test]
fn a_purge_at_the_source_needs_no_second_reading_but_at_its_edge() {
    let mirror: BTreeMap<u64, u64> = (1..=5000).map(|seq| (seq, seq)).collect();
    let source: BTreeMap<u64, u64> =
        mirror.range(3000..).map(|(seq, hash)| (*seq, *hash)).collect();
    let (ours, theirs) = (fingerprint(&source), fingerprint(&mirror));
    let mut found = compare_through((&ours, 5000), (&theirs, 5000));
    assert_eq!((found.kept.as_slice(), found.kept_messages), ([1..=2048].as_slice(), 2048));
    assert_eq!((found.blocks(), found.unexplained()), (vec![2049..=3072], Some(2049..=3072)));
    let of = |stream: &BTreeMap<u64, u64>| {
        prints(&stream.range(2049..=3072).map(|(seq, hash)| (*seq, *hash)).collect())
    };
    found.narrow(&(2049..=3072), (&ours, &of(&source)), (&theirs, &of(&mirror)));
    assert_eq!((found.kept_messages, found.unexplained()), (2999, None));
    // Everything purged: the source holds nothing at all.
    let none = compare_through((&Fingerprint::default(), 5000), (&theirs, 5000));
    assert_eq!((none.kept_messages, none.unexplained(), none.beyond), (5000, None, 0));
}

proptest! {
    /// Whatever is only at the source, or altered, is never explained by a deletion.
    #[test]
    fn only_what_the_mirror_alone_holds_is_kept(
        length in 1u64..3000,
        changes in prop::collection::vec((1u64..3000, 0u8..3), 0..8),
    ) {
        let whole: BTreeMap<u64, u64> = (1..=length).map(|seq| (seq, seq * 7)).collect();
        let (mut source, mut mirror) = (whole.clone(), whole);
        for (seq, how) in changes {
            match how {
                0 => drop(source.remove(&seq)),
                1 => drop(mirror.remove(&seq)),
                _ => drop(mirror.entry(seq).and_modify(|hash| *hash += 1)),
            }
        }
        let (ours, theirs) = (fingerprint(&source), fingerprint(&mirror));
        let mut found = compare_through((&ours, length), (&theirs, length));
        for block in found.blocks() {
            let of = |stream: &BTreeMap<u64, u64>| {
                prints(&stream.range(block.clone()).map(|(seq, hash)| (*seq, *hash)).collect())
            };
            found.narrow(&block, (&ours, &of(&source)), (&theirs, &of(&mirror)));
        }
        let kept: Vec<u64> =
            mirror.keys().copied().filter(|seq| !source.contains_key(seq)).collect();
        prop_assert_eq!(found.kept_messages, kept.len() as u64);
        let otherwise = source.iter().find(|(seq, hash)| mirror.get(seq) != Some(hash));
        prop_assert_eq!(found.unexplained().map(|range| *range.start()), otherwise.map(|(seq, _)| *seq));
    }
}

/// Digests are what bundles hold: these stay as they are.
#[test]
fn a_digest_is_the_same_in_every_version() {
    assert_eq!(hash(&[b"zd.east", b"k3f9q2-p1-1", b"hello, world"]), 10_501_474_725_311_232_172);
    let print = |seq| Print { seq, hash: 0x1234_5678_9abc_def1 * seq };
    let mut one = Fingerprint::default();
    for seq in [5, 6, 7] {
        assert!(one.push(print(seq)));
    }
    assert_eq!(one.blocks().collect::<Vec<_>>(), [(0, 14_256_037_825_085_079_663, 3)]);
    one.taint(print(3));
    assert_eq!(one.blocks().collect::<Vec<_>>(), [(0, 10_885_387_727_302_872_138, 3)]);
}
