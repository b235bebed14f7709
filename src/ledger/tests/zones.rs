//! What a zone saw where it does not fit, as places come and go.

use super::*;

fn seen_by(name: &str, (p, n): Message, s: u64) -> Record {
    Record::Received { z: zone(name), p, n, s, c: 1, r: 1, at: 1 }
}

/// The messages of zone b found at a second place, and the sequences where another message stands.
fn odd(records: &[Record]) -> (u64, Vec<u64>, Vec<u64>) {
    let account = account(records, 0);
    (account.duplicates, account.first.duplicates, account.first.mismatched)
}

/// Somebody else's message where one of ours turns out to stand.
#[test]
fn a_foreign_message_in_anothers_place_is_noticed_whichever_comes_first() {
    let base = [intend(1, 1, 20)];
    let acks = acked((1, 1), 1, 10);
    for records in [[foreign(5, true), acks.clone()], [acks, foreign(5, true)]] {
        let account = account(&[&base[..], &records].concat(), 0);
        assert_eq!((account.mismatched, account.foreign, account.unexpected), (1, 0, 0));
        assert_eq!((account.first.mismatched, account.behind), (vec![5], 10));
    }
    // It stays so when a message that was seen there as well turns out to be the right one.
    let seen = [seen_by("a", (1, 1), 5), foreign(5, false), seen_by("b", (1, 2), 5)];
    assert_eq!(odd(&seen), (0, vec![], vec![5]));
    assert_eq!(odd(&[&seen[..], &[acked((1, 2), 5, 1)]].concat()), (0, vec![], vec![5]));
    let without = [seen[0].clone(), seen[2].clone(), acked((1, 2), 5, 1)];
    assert_eq!(odd(&without), (0, vec![], vec![]));
}

/// A zone saw a message at its place, and another one there too; then it turns out to stand
/// elsewhere.
#[test]
fn a_message_was_seen_at_the_place_that_it_leaves() {
    let moves = acked((1, 2), 9, 1);
    let seen = [seen_by("b", (1, 2), 5), seen_by("b", (1, 3), 5), moves.clone()];
    assert_eq!(odd(&seen), (2, vec![5], vec![]));
    // Zone a saw it there; b saw it elsewhere, in another's place, and a third one here.
    let others = [seen_by("a", (1, 2), 5), seen_by("a", (1, 6), 6)];
    let here = [seen_by("b", (1, 2), 6), seen_by("b", (1, 3), 5)];
    let both = [&others[..], &here].concat();
    assert_eq!(odd(&both), (0, vec![], vec![5, 6]));
    assert_eq!(odd(&[&both[..], &[moves]].concat()), (1, vec![5], vec![6]));
}

/// What fits once a place is free fits as if it always had.
#[test]
fn what_came_to_fit_is_forgotten_as_odd() {
    let mut records = vec![seen_by("a", (1, 1), 5), seen_by("b", (1, 2), 5)];
    assert_eq!(odd(&records), (0, vec![], vec![5]));
    records.push(acked((1, 1), 9, 1));
    assert_eq!(odd(&records), (1, vec![5], vec![]));
    records.push(seen_by("a", (1, 2), 5));
    assert_eq!(odd(&records), (0, vec![], vec![]));
    records.extend([seen_by("b", (1, 3), 5), acked((1, 2), 10, 1)]);
    assert_eq!(odd(&records), (2, vec![5], vec![]));
}

/// The first producer's message 0 is one like any other.
#[test]
fn numbers_begin_at_zero() {
    assert_eq!(odd(&[acked((1, 1), 5, 1), seen_by("b", (1, 0), 5)]), (0, vec![], vec![5]));
    assert_eq!(odd(&[seen_by("b", (1, 0), 5), seen_by("b", (1, 0), 7)]), (1, vec![7], vec![]));
}

/// A message acknowledged at another's sequence counts as acknowledged among those received, if it
/// was.
#[test]
fn a_promise_that_cannot_be_kept_is_no_receipt() {
    let base = [intend(1, 1, 30), acked((1, 1), 1, 10), received((1, 1), 1, 10)];
    let late = [acked((1, 20), 5, 1), received((1, 21), 21, 2)];
    let account = account(&[&base[..], &late].concat(), 0);
    assert_eq!((account.received, account.acked, account.recovered), (12, 11, 2));
    // Nor is that of a producer of which the zone has received nothing.
    let other = [intend(2, 1, 1), acked((2, 1), 5, 1), received((1, 21), 21, 2)];
    let account = super::account(&[&base[..], &other].concat(), 0);
    assert_eq!((account.received, account.acked, account.recovered), (12, 11, 2));
}

/// Of what is acknowledged after it was received in part, the rest is missing.
#[test]
fn what_an_acknowledgement_adds_to_what_is_missing() {
    // Zone a saw all of it, so that its place is known.
    let all = Record::Received { z: zone("a"), p: 1, n: 1, s: 11, c: 10, r: 1, at: 1 };
    let records = [intend(1, 1, 10), all, received((1, 3), 13, 3), acked((1, 1), 11, 10)];
    let account = account(&records, 0);
    assert_eq!((account.received, account.behind, account.recovered), (3, 7, 0));
    assert_eq!(account.first.behind, [11, 12, 16, 17, 18, 19, 20]);
}

/// Deliveries after the first are counted for each sequence, up to sixty-four.
#[test]
fn deliveries_are_counted() {
    let delivered = |r| Record::Received { z: zone("b"), p: 1, n: 1, s: 1, c: 3, r, at: 1 };
    let redelivered = |records: &[Record]| account(records, 0).redelivered;
    assert_eq!(redelivered(&[delivered(1)]), 0);
    assert_eq!(redelivered(&[delivered(3), delivered(2)]), 6);
    assert_eq!(redelivered(&[delivered(2), delivered(65)]), 3 * 64);
    assert_eq!(redelivered(&[delivered(66), delivered(0)]), 3 * 64);
}
