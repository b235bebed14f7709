//! What a ledger of which lines are gone leaves unknown: neither lost nor whole.

use super::*;

/// Ten messages were acknowledged before the end was gone, and ten after it; the zone has recorded
/// the receipt of four of the first and of all but one of the second.
fn half_known() -> Vec<Record> {
    vec![
        intend(1, 1, 20),
        acked((1, 1), 1, 10),
        received((1, 1), 1, 4),
        cut_short(),
        acked((1, 11), 11, 10),
        received((1, 12), 12, 9),
    ]
}

#[test]
fn what_the_missing_lines_may_have_told_is_not_lost() {
    let passed = account(&half_known(), 20);
    assert_eq!((passed.lost, passed.unrecorded, passed.behind), (1, 6, 0));
    assert_eq!((passed.first.lost, passed.first.behind), (vec![11], vec![]));
    let before = account(&half_known(), 8);
    assert_eq!((before.lost, before.unrecorded, before.behind), (0, 4, 3));
    assert_eq!((before.first.lost, before.first.behind), (vec![], vec![9, 10, 11]));
}

#[test]
fn what_was_received_may_have_been_acknowledged() {
    let after = |records: &[Record]| account(&[&half_known(), records].concat(), 0);
    let recovered = after(&[intend(1, 21, 2), received((1, 21), 21, 2)]);
    assert_eq!((recovered.recovered, recovered.unrecorded), (0, 2));
    // One that was refused, and of which lines that are left say so, is a contradiction.
    let refused = after(&[intend(1, 21, 2), failed(1, 21, 1), received((1, 21), 21, 2)]);
    assert_eq!((refused.recovered, refused.unexpected, refused.unrecorded), (0, 1, 1));
}

#[test]
fn what_was_received_may_have_been_announced() {
    let records = [received((1, 40), 40, 3), intend(1, 50, 2), failed(1, 50, 2)];
    let all = [&half_known()[..], &records, &[received((1, 50), 50, 2)]].concat();
    let account = account(&all, 0);
    assert_eq!((account.unexpected, account.unrecorded), (2, 3));
    assert_eq!((account.first.unexpected, account.recovered), (vec![50, 51], 0));
}

#[test]
fn what_stands_late_may_have_been_sent_again() {
    let late = [intend(2, 1, 4), acked((2, 2), 21, 3), acked((2, 1), 24, 1)];
    let late = [&late[..], &[received((2, 2), 21, 3), received((2, 1), 24, 1)]].concat();
    let known = account(&[&[intend(1, 1, 20)], &late[..]].concat(), 0);
    assert_eq!((known.reordered, known.unrecorded), (1, 0));
    assert_eq!(known.first.reordered, [24]);
    let account = account(&[half_known(), late].concat(), 0);
    assert_eq!((account.reordered, account.unrecorded), (0, 1));
    assert_eq!((account.first.reordered, account.late_by_resend), (vec![], 0));
}
