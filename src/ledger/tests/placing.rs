//! Messages that do not stand where a record says.

use super::*;

/// The message at each of the first sequences, by number; 0 for none.
fn standing(ledger: &Ledger, through: u64) -> Vec<u64> {
    (1..=through).map(|seq| ledger.message_at(seq).map_or(0, |(_, number)| number)).collect()
}

/// An acknowledgement knows better than a zone where a message stands.
#[test]
fn an_acknowledgement_moves_what_a_zone_saw_elsewhere() {
    let mut ledger = ledger(&[intend(1, 1, 9), received((1, 1), 1, 4)]);
    assert_eq!(standing(&ledger, 5), [1, 2, 3, 4, 0]);
    // Message 2 stands at 3, so that message 3 stands nowhere, and nothing at 2.
    ledger.apply(&acked((1, 2), 3, 1));
    assert_eq!(standing(&ledger, 5), [1, 0, 2, 4, 0]);
    assert_eq!(ledger.place_of(1, 3), None);
    // The place that it left is free.
    ledger.apply(&acked((1, 9), 2, 1));
    assert_eq!(standing(&ledger, 5), [1, 9, 2, 4, 0]);
    // What stood behind it stands there still: another message finds the place taken.
    ledger.apply(&Record::Received { z: zone("a"), p: 1, n: 8, s: 4, c: 1, r: 1, at: 1 });
    assert_eq!(standing(&ledger, 5), [1, 9, 2, 4, 0]);
    assert_eq!(ledger.account(&zone("a"), None).mismatched, 1);
    let seen = ledger.account(&zone("b"), Some(9));
    assert_eq!((seen.mismatched, seen.first.mismatched), (2, vec![2, 3]));
    assert_eq!((seen.received, seen.recovered, seen.lost), (4, 3, 1));
}

/// Two messages acknowledged at one sequence contradict each other, however often it is said.
#[test]
fn a_promise_that_is_repeated_is_one() {
    let clash = [intend(1, 1, 20), acked((1, 1), 1, 10), acked((1, 20), 5, 1)];
    let once = ledger(&clash);
    let twice = ledger(&[&clash[..], &[acked((1, 20), 5, 1)]].concat());
    for ledger in [&once, &twice] {
        let account = ledger.account(&zone("b"), Some(10));
        assert_eq!((account.acked, account.contradictions, account.duplicates), (11, 1, 0));
        assert_eq!((account.lost, ledger.message_at(5)), (11, Some((1, 5))));
    }
    // At another sequence it is a second place.
    let elsewhere = ledger(&[&clash[..], &[acked((1, 20), 6, 1)]].concat());
    let account = elsewhere.account(&zone("b"), Some(10));
    assert_eq!((account.duplicates, account.first.duplicates), (1, vec![6]));
}

/// A message that was received before it was acknowledged, at another's sequence, is not recovered.
#[test]
fn what_was_received_and_then_acknowledged_nowhere_was_acknowledged() {
    let account = account(
        &[intend(1, 1, 20), acked((1, 1), 1, 10), received((1, 20), 5, 1), acked((1, 20), 5, 1)],
        10,
    );
    assert_eq!((account.received, account.recovered, account.contradictions), (1, 0, 1));
}

/// A run that fits in part is taken by stretches, each where it belongs.
#[test]
fn a_run_is_taken_as_far_as_it_fits() {
    let ledger = ledger(&[
        intend(1, 1, 30),
        intend(2, 1, 30),
        acked((2, 1), 5, 2),
        // Its messages 5 and 6 find the places taken.
        acked((1, 1), 1, 10),
        acked((1, 1), 1, 12),
    ]);
    assert_eq!(standing(&ledger, 13), [1, 2, 3, 4, 1, 2, 7, 8, 9, 10, 11, 12, 0]);
    let totals = ledger.totals();
    assert_eq!((totals.acked, totals.contradictions, totals.in_flight), (14, 2, 46));
    assert_eq!(ledger.acked_by()["zone-a"], 24);
    assert_eq!(ledger.account(&zone("b"), None).behind, 14);
}

/// What is open is counted, whatever else became of other numbers.
#[test]
fn what_is_open_is_neither_acknowledged_nor_refused_nor_unknown() {
    let open = |records: &[Record]| {
        let base = [intend(1, 1, 20), acked((1, 1), 1, 5)];
        ledger(&[&base, records].concat()).totals().in_flight
    };
    assert_eq!(open(&[]), 15);
    assert_eq!(open(&[failed(1, 6, 2)]), 13);
    assert_eq!(open(&[Record::Unknown { p: 1, n: 6, c: 3, at: 1 }]), 12);
    assert_eq!(open(&[acked((1, 21), 30, 4)]), 15);
    assert_eq!(open(&[failed(1, 1, 2), Record::Unknown { p: 1, n: 1, c: 9, at: 1 }]), 11);
    let both = [failed(1, 1, 8), Record::Unknown { p: 1, n: 3, c: 9, at: 1 }];
    let totals = ledger(&[&[intend(1, 1, 20), acked((1, 1), 1, 5)], &both[..]].concat()).totals();
    assert_eq!((totals.failed, totals.unknown, totals.in_flight), (3, 3, 9));
}

/// A consumer goes on after the last sequence it saw of any kind, and at the first that it lacks.
#[test]
fn how_far_a_consumer_is() {
    let records = [intend(1, 1, 5000), acked((1, 1), 1, 5000), received((1, 2), 2, 3)];
    let progress = |more: &[Record]| {
        let ledger = ledger(&[&records, more].concat());
        let progress = ledger.progress(&zone("b"));
        assert_eq!(ledger.progress(&zone("a")), super::super::progress::Progress::default());
        (progress.last, progress.missing.len(), progress.missing.first().copied())
    };
    let elsewhere = Record::Received { z: zone("c"), p: 1, n: 1, s: 1, c: 40, r: 1, at: 1 };
    assert_eq!(progress(&[elsewhere]), (4, 1, Some(1)));
    assert_eq!(progress(&[corrupt(9)]), (9, 5, Some(1)));
    assert_eq!(progress(&[corrupt(9), foreign(8, true)]), (9, 5, Some(1)));
    assert_eq!(progress(&[foreign(11, true)]), (11, 7, Some(1)));
    assert_eq!(progress(&[received((1, 5000), 5000, 1)]), (5000, 1000, Some(1)));
    // What it saw in another's place it lacks all the same.
    assert_eq!(progress(&[received((1, 1), 1, 1), foreign(5, false)]), (5, 0, None));
}

#[test]
fn what_is_known_of_a_ledger_as_a_whole() {
    let empty = ledger(&[]);
    assert_eq!((empty.last_producer(), empty.last_number(), empty.has_begun()), (0, None, false));
    assert_eq!(empty.has_received(&zone("b"), 1), None);
    let known = ledger(&[intend(3, 1, 9), intend(2, 1, 12), received((2, 1), 1, 3)]);
    assert_eq!((known.last_producer(), known.last_number()), (3, Some(12)));
    assert_eq!(known.producers().collect::<Vec<_>>(), [3, 2]);
    assert_eq!([3, 4].map(|seq| known.has_received(&zone("b"), seq)), [Some(true), Some(false)]);
    assert_eq!(known.has_received(&zone("a"), 3), None);
    assert!(ledger(&[Record::Baseline { s: 1, subject: None, at: 1 }]).has_begun());
}
