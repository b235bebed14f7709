//! An account's sums, and what it lists.

use super::{super::account::FIRST_OFFENDERS, *};
use crate::region::status;

#[test]
fn messages_of_one_producer_are_counted_apart() {
    let ledger = ledger(&[
        intend(1, 1, 9),
        acked((1, 1), 1, 5),
        intend(2, 1, 7),
        acked((2, 1), 6, 7),
        received((1, 1), 1, 3),
        received((2, 1), 6, 2),
        received((1, 9), 20, 1),
        Record::Received { z: zone("a"), p: 1, n: 1, s: 1, c: 5, r: 1, at: 1 },
    ]);
    assert_eq!([1, 2, 3].map(|p| ledger.acked_of(p)), [5, 7, 0]);
    assert_eq!([1, 2, 3].map(|p| ledger.received_of(&zone("b"), p)), [3, 2, 0]);
    assert_eq!([1, 2, 3].map(|p| ledger.received_of(&zone("a"), p)), [5, 0, 0]);
    assert_eq!([1, 2, 3].map(|p| ledger.received_of(&zone("c"), p)), [0, 0, 0]);
}

/// One message acknowledged at another's sequence stands nowhere, and is missed like any other.
#[test]
fn a_message_that_stands_nowhere_is_missed_at_the_sequence_it_was_promised() {
    let clash = [intend(1, 1, 20), acked((1, 1), 1, 10), acked((1, 20), 5, 1)];
    let all = [&clash[..], &[received((1, 1), 1, 10)]].concat();
    let promised = |records: &[Record], floor| {
        let account = account(records, floor);
        let listed = (account.first.lost, account.first.behind);
        (account.lost, account.behind, account.unrecorded, listed)
    };
    assert_eq!(promised(&all, 5), (1, 0, 0, (vec![5], vec![])));
    assert_eq!(promised(&all, 4), (0, 1, 0, (vec![], vec![5])));
    let has = [&all[..], &[received((1, 20), 5, 1)]].concat();
    assert_eq!(promised(&has, 5), (0, 0, 0, (vec![], vec![])));
    // Nobody knows once lines are gone that may have told of its receipt.
    let unsure = [&all[..], &[cut_short()]].concat();
    assert_eq!(promised(&unsure, 5), (0, 0, 1, (vec![], vec![])));
    assert_eq!(promised(&unsure, 4), (0, 1, 0, (vec![], vec![5])));
    let later = [&[intend(2, 1, 1), acked((2, 1), 90, 1), cut_short()], &all[..]].concat();
    assert_eq!(promised(&later, 5), (1, 1, 0, (vec![5], vec![90])));
}

/// Somebody else's messages are no fault, those that pretend to be of a drill are; what stands where
/// another message should is counted once, as that.
#[test]
fn foreign_messages_by_what_they_are() {
    let records = [
        Record::Baseline { s: 3, subject: None, at: 1 },
        intend(1, 1, 10),
        acked((1, 1), 11, 10),
        foreign(2, false),
        foreign(3, false),
        foreign(4, true),
        foreign(5, true),
        foreign(6, false),
        foreign(11, true),
        foreign(12, false),
        corrupt(1),
    ];
    let account = account(&records, 0);
    assert_eq!((account.foreign, account.unexpected, account.mismatched), (2, 1, 2));
    assert_eq!((account.first.unexpected, account.corrupt), (vec![6], 0));
    assert_eq!(ledger(&records).totals().baseline, 3);
}

/// What is damaged, and was there before, counts for nothing but as seen.
#[test]
fn the_last_sequence_that_was_there_before() {
    let before = [Record::Baseline { s: 3, subject: None, at: 1 }, corrupt(3)];
    let ledger = ledger(&before);
    let account = ledger.account(&zone("b"), None);
    assert_eq!((account.corrupt, account.foreign, account.unexpected), (0, 0, 0));
    assert_eq!(ledger.progress(&zone("b")).last, 3);
    let after = [&before[..], &[corrupt(5), foreign(4, false)]].concat();
    let account = super::account(&after, 0);
    assert_eq!((account.corrupt, account.foreign, account.unexpected), (1, 0, 1));
    let later = super::account(&[&before[..], &[corrupt(4)]].concat(), 0);
    assert_eq!((later.corrupt, later.unexpected), (1, 0));
}

/// What is awaited is listed by its sequence, the promised one of a message that stands nowhere too.
#[test]
fn what_is_awaited_is_listed_in_order() {
    let account = account(&[intend(1, 1, 40), acked((1, 1), 1, 12), acked((1, 20), 5, 1)], 0);
    assert_eq!((account.behind, account.first.behind), (13, (1..=10).collect()));
    let clash = [acked((2, 1), 7, 1), received((2, 1), 7, 1), received((1, 1), 1, 12)];
    let base = [intend(1, 1, 40), intend(2, 1, 1), acked((1, 1), 1, 12)];
    let with = [&base[..], &clash, &[acked((1, 13), 13, 2), acked((1, 20), 5, 1)]].concat();
    assert_eq!(super::account(&with, 0).first.behind, [5, 13, 14]);
}

/// A message that was refused, and received all the same, was not recovered: it is unexpected.
#[test]
fn what_was_received_without_an_answer_was_recovered_unless_it_is_unexpected() {
    let account = account(
        &[
            intend(1, 1, 10),
            failed(1, 1, 2),
            acked((1, 2), 2, 1),
            received((1, 1), 1, 4),
            received((1, 11), 11, 1),
            received((2, 1), 20, 1),
            acked((2, 1), 20, 1),
        ],
        0,
    );
    assert_eq!((account.failed, account.acked, account.received), (1, 2, 6));
    assert_eq!((account.recovered, account.unexpected), (2, 3));
    assert_eq!(account.first.unexpected, [1, 11, 20]);
}

#[test]
fn each_list_names_the_first_ten() {
    let several = FIRST_OFFENDERS as u64 + 2;
    let mut records = vec![intend(1, 1, 600)];
    // Twelve of each: swapped, taken for another, damaged, twice processed, at a second place.
    for i in 0..several {
        let s = 1 + 2 * i;
        records.extend([acked((1, s + 1), s, 1), acked((1, s), s + 1, 1)]);
        records.extend([received((1, s + 1), s, 1), received((1, s), s + 1, 1)]);
    }
    records.push(acked((1, 101), 101, 100));
    records.extend((0..several).map(|i| received((1, 301), 101 + i, 1)));
    records.extend((0..several).map(|i| corrupt(121 + i)));
    records.push(received((1, 141), 141, several));
    records.push(received((1, 141), 141, several));
    records.extend((0..several).map(|i| received((1, 160), 401 + i, 1)));
    records.push(received((9, 1), 501, several));
    records.extend((0..several).map(|i| acked((1, 170), 521 + i, 1)));
    let first = account(&records, 190).first;
    let ten = |from: u64| (from..from + 10).collect::<Vec<_>>();
    let every_other: Vec<u64> = (1..=10).map(|i| 2 * i).collect();
    assert_eq!(first.reordered, every_other);
    assert_eq!((first.mismatched, first.corrupt), (ten(101), ten(121)));
    assert_eq!((first.processed_twice, first.unexpected), (ten(141), ten(501)));
    assert_eq!((first.duplicates, first.lost), (ten(401), ten(101)));
    assert_eq!(first.behind, ten(191));
}

#[test]
fn an_account_is_clean_if_nothing_is_wrong() {
    let whole =
        Account { behind: 3, redelivered: 2, foreign: 1, unrecorded: 1, ..Account::default() };
    assert!(whole.is_clean());
    let wrong: [fn(&mut Account) -> &mut u64; 7] = [
        |account| &mut account.lost,
        |account| &mut account.duplicates,
        |account| &mut account.reordered,
        |account| &mut account.corrupt,
        |account| &mut account.unexpected,
        |account| &mut account.mismatched,
        |account| &mut account.contradictions,
    ];
    for (i, field) in wrong.into_iter().enumerate() {
        let mut account = whole.clone();
        *field(&mut account) = 1;
        assert!(!account.is_clean(), "the field {i}");
    }
}

#[test]
fn a_screen_shows_what_stands_in_anothers_place_as_unexpected() {
    let account =
        Account { unexpected: 3, mismatched: 2, lost: 5, behind: 7, ..Account::default() };
    let shown = status::Ledger::from(&account);
    assert_eq!((shown.unexpected, shown.lost, shown.behind), (5, 5, 12));
}

#[test]
fn what_was_announced_what_is_open_and_what_was_processed_again() {
    let records = [
        intend(1, 1, 9),
        acked((1, 1), 1, 4),
        failed(1, 5, 2),
        Record::Unknown { p: 1, n: 7, c: 3, at: 1 },
        received((1, 1), 1, 3),
        Record::Received { z: zone("b"), p: 1, n: 2, s: 2, c: 2, r: 2, at: 1 },
    ];
    let account = account(&records, 3);
    assert_eq!((account.intended, account.failed, account.unknown), (9, 2, 3));
    assert_eq!((account.redelivered, account.processed_twice), (2, 2));
}
