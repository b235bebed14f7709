//! The ledger against a naive one, over drills with every kind of trouble in them.
// The short names are those of the records.
use crate::support::ledger::{
    Naive, acked, anything, drills, intend, interleave, join, ledger, received, split_within, zone,
};
use proptest::{collection::vec, prelude::*};
use zonedrill::ledger::{Ledger, account::Account, message::RunId, record::Record};

proptest! {
    #[test]
    fn it_says_what_a_naive_ledger_says(
        writers in drills(),
        order in vec(0usize..4, 1..50),
        floor in 0u64..100,
    ) {
    crate::support::turns::watched();
        let writers: Vec<_> = writers.iter().map(|records| join(records)).collect();
        let records = interleave(writers, &order);
        let (ledger, naive) = (ledger(&records), Naive::new(&records));
        for name in ["a", "b", "c"].map(zone) {
            prop_assert_eq!(ledger.account(&name, Some(floor)), naive.account(&name, floor));
        }
    }

    #[test]
    fn neither_the_order_nor_the_cut_of_records_matters(
        writers in drills(),
        order in vec(0usize..4, 1..50),
        other_order in vec(0usize..4, 1..50),
    ) {
    crate::support::turns::watched();
        let one = interleave(writers.clone(), &order);
        let runs = writers.iter().map(|records| join(records)).collect();
        let other = interleave(runs, &other_order);
        let (one, other) = (ledger(&one), ledger(&other));
        for name in ["a", "b", "c"].map(zone) {
            prop_assert_eq!(one.account(&name, Some(40)), other.account(&name, Some(40)));
        }
    }

    #[test]
    fn a_file_gives_the_same_ledger(writers in drills(), order in vec(0usize..4, 1..50)) {
    crate::support::turns::watched();
        let records = interleave(writers, &order);
        let run = Record::Run { run: RunId::from_number(7).to_string(), region: "east".into(), at: 1 };
        let lines: Vec<String> = std::iter::once(&run)
            .chain(&records)
            .map(|record| serde_json::to_string(record).unwrap() + "\n")
            .collect();
        let (replayed, read) = Ledger::replay(&lines).unwrap();
        prop_assert_eq!(read.lines, lines.len() as u64);
        prop_assert!(!read.torn_tail);
        let ledger = ledger(&records);
        prop_assert_eq!(ledger.totals(), replayed.totals());
        for name in ["a", "b", "c"].map(zone) {
            prop_assert_eq!(ledger.account(&name, None), replayed.account(&name, None));
        }
    }

    #[test]
    fn nonsense_is_survived_and_may_be_cut_anywhere(records in vec(anything(), 0..60)) {
    crate::support::turns::watched();
        let whole = ledger(&records);
        let possible: Vec<_> = records
            .iter()
            .filter(|record| !format!("{record:?}").contains(&format!("c: {}", u64::MAX)))
            .filter(|record| !["s: 0,", "c: 0,"].iter().any(|no| format!("{record:?}").contains(no)))
            .cloned()
            .collect();
        let (whole_possible, pieces) = (ledger(&possible), ledger(&split_within(&possible)));
        for name in ["a", "b"].map(zone) {
            // Whatever it says, it adds up.
            let account = whole.account(&name, Some(9));
            prop_assert!(account.lost + account.behind <= account.acked);
            prop_assert!(account.recovered <= account.received);
            prop_assert_eq!(
                whole_possible.account(&name, Some(9)),
                pieces.account(&name, Some(9))
            );
        }
    }
}

/// Fifty messages, all acknowledged and received in a and b; then one thing goes wrong.
fn account_after(trouble: impl FnOnce(&mut Vec<Record>)) -> Account {
    let mut records = vec![
        intend(1, 1, 50),
        acked((1, 1), 1, 50),
        received("a", (1, 1), 1, 50, 1),
        received("b", (1, 1), 1, 50, 1),
    ];
    trouble(&mut records);
    ledger(&records).account(&zone("b"), Some(50))
}

/// The account when nothing has gone wrong.
fn whole() -> Account {
    Account { intended: 50, acked: 50, received: 50, ..Account::default() }
}

#[test]
fn nothing_wrong() {
    crate::support::turns::watched();
    let account = account_after(|_| {});
    assert_eq!(account, whole());
    assert!(account.is_clean());
}

#[test]
fn each_fault_is_found_and_only_it() {
    crate::support::turns::watched();
    let lost = account_after(|records| {
        records.pop();
        records.extend([received("b", (1, 1), 1, 9, 1), received("b", (1, 11), 11, 40, 1)]);
    });
    let mut expected = Account { received: 49, lost: 1, ..whole() };
    expected.first.lost = vec![10];
    assert_eq!(lost, expected);

    let redelivered = account_after(|records| records.push(received("b", (1, 7), 7, 1, 2)));
    let mut expected = Account { redelivered: 1, processed_twice: 1, ..whole() };
    expected.first.processed_twice = vec![7];
    assert_eq!(redelivered, expected);
    assert!(redelivered.is_clean());

    let duplicate = account_after(|records| records.push(received("b", (1, 7), 51, 1, 1)));
    let mut expected = Account { duplicates: 1, ..whole() };
    expected.first.duplicates = vec![51];
    assert_eq!(duplicate, expected);

    let mismatched = account_after(|records| {
        records.pop();
        records.extend([received("b", (1, 1), 1, 49, 1), received("b", (1, 1), 50, 1, 1)]);
    });
    let mut expected = Account { received: 49, lost: 1, mismatched: 1, ..whole() };
    expected.first.lost = vec![50];
    expected.first.mismatched = vec![50];
    assert_eq!(mismatched, expected);

    let corrupt = account_after(|records| {
        records.pop();
        let why = "cut short".into();
        records.extend([
            received("b", (1, 1), 1, 49, 1),
            Record::Corrupt { z: zone("b"), s: 50, why, at: 1 },
        ]);
    });
    let mut expected = Account { received: 49, corrupt: 1, ..whole() };
    expected.first.corrupt = vec![50];
    assert_eq!(corrupt, expected);

    let foreign = account_after(|records| {
        records.push(Record::Foreign { z: zone("b"), s: 51, plain: false, at: 1 });
    });
    let mut expected = Account { unexpected: 1, ..whole() };
    expected.first.unexpected = vec![51];
    assert_eq!(foreign, expected);

    let recovered = account_after(|records| {
        records.extend([
            intend(1, 51, 1),
            Record::Unknown { p: 1, n: 51, c: 1, at: 1 },
            received("b", (1, 51), 51, 1, 1),
        ]);
    });
    let expected = Account { intended: 51, unknown: 1, received: 51, recovered: 1, ..whole() };
    assert_eq!(recovered, expected);
    assert!(recovered.is_clean());
}

#[test]
fn order_is_the_streams_and_a_producers_own_retry_is_no_fault() {
    crate::support::turns::watched();
    let swapped = |resent: bool| {
        account_after(|records| {
            records.push(intend(1, 51, 2));
            if resent {
                records.push(Record::Resent { p: 1, n: 51, c: 1, at: 1 });
            }
            records.extend([acked((1, 52), 51, 1), acked((1, 51), 52, 1)]);
            // Delivered out of order, which says nothing.
            records.extend([received("b", (1, 51), 52, 1, 1), received("b", (1, 52), 51, 1, 1)]);
        })
    };
    let all = Account { intended: 52, acked: 52, received: 52, ..whole() };
    let mut expected = Account { reordered: 1, ..all.clone() };
    expected.first.reordered = vec![52];
    assert_eq!(swapped(false), expected);
    assert_eq!(swapped(true), Account { late_by_resend: 1, ..all });
}

#[test]
fn a_zone_that_left_and_came_again_starts_anew() {
    crate::support::turns::watched();
    let account = account_after(|records| {
        records.push(Record::ZoneRemoved { z: zone("b"), at: 1 });
        records.push(received("b", (1, 1), 1, 10, 1));
    });
    assert_eq!((account.received, account.lost, account.processed_twice), (10, 40, 0));
}

#[test]
fn contradictions_are_counted() {
    crate::support::turns::watched();
    let other_run = Record::Run { run: "aaaaaa".into(), region: "east".into(), at: 1 };
    let account = account_after(|records| {
        records.push(other_run);
        records.push(acked((1, 60), 60, 1));
        records.push(Record::Failed { p: 1, n: 5, c: 1, why: "no".into(), at: 1 });
        records.extend([intend(2, 1, 1), acked((2, 1), 9, 1)]);
    });
    assert_eq!(account.contradictions, 4);
    assert!(!account.is_clean());
}

#[test]
fn whatever_is_said_of_numbers_nobody_announced_is_a_contradiction() {
    crate::support::turns::watched();
    let (p, n, c, at) = (7, 1, 3, 1);
    for said in [
        Record::Failed { p, n, c, why: "no".into(), at },
        Record::Unknown { p, n, c, at },
        Record::Resent { p, n, c, at },
        Record::Withdrawn { p, n, c, at },
        acked((p, n), 60, c),
    ] {
        let account = account_after(|records| records.push(said.clone()));
        assert_eq!(account.contradictions, 3, "{said:?}");
        assert!(!account.is_clean());
        // It is the announcement that counts, not the order.
        let announced = account_after(|records| records.extend([said.clone(), intend(p, n, c)]));
        assert_eq!(announced.contradictions, 0, "{said:?}");
    }
}

#[test]
fn another_message_at_a_known_sequence_counts_once() {
    crate::support::turns::watched();
    let account = account_after(|records| {
        records.pop();
        records.push(received("b", (1, 1), 1, 49, 1));
        records.push(Record::Foreign { z: zone("b"), s: 50, plain: false, at: 1 });
    });
    let mut expected = Account { received: 49, lost: 1, mismatched: 1, ..whole() };
    expected.first.lost = vec![50];
    expected.first.mismatched = vec![50];
    assert_eq!(account, expected);
}

/// Ranges are handled as ranges: what a line costs does not depend on how much it speaks of.
#[test]
fn long_runs_cost_no_more_than_short_ones() {
    crate::support::turns::watched();
    let c = zonedrill::ledger::LONGEST_RUN;
    let began = std::time::Instant::now();
    let mut records = Vec::new();
    for p in 1..=300 {
        let n = 1 + u64::from(p) * c;
        records.push(intend(p, n, c));
        records.push(Record::Unknown { p, n, c, at: 1 });
        records.push(Record::Failed { p, n: n + 1, c: c - 1, why: "no".into(), at: 1 });
        records.push(acked((p, n), n, c));
        records.push(received("a", (p, n), n, 1, 1));
        records.push(received("a", (p, n), n, c, 2));
        // Nothing of these fits, and each line is about as many.
        records.push(received("b", (p, n), n + 1, c, 1));
        records.push(acked((p, n), n + 2, c));
    }
    let ledger = ledger(&records);
    let account = ledger.account(&zone("a"), Some(u64::MAX));
    assert_eq!((account.received, account.processed_twice), (300 * c, 300));
    assert!(account.contradictions > 0);
    assert!(ledger.account(&zone("b"), Some(u64::MAX)).mismatched > 0);
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn numbers_that_were_only_announced_count_for_nothing() {
    crate::support::turns::watched();
    let mut ledger = Ledger::new(RunId::from_number(1), "test");
    let zone = zone("b");
    ledger.apply(&intend(1, 1, 10));
    ledger.apply(&Record::Acked { p: 1, n: 1, c: 6, s: 1, d: "zone-a".into(), dup: false, at: 1 });
    ledger.apply(&Record::Withdrawn { p: 1, n: 7, c: 4, at: 1 });
    let totals = ledger.totals();
    assert_eq!((totals.intended, totals.acked, totals.failed, totals.in_flight), (6, 6, 0, 0));
    // One that turns up all the same was sent by nobody who said so.
    let turned_up = Record::Received { z: zone.clone(), p: 1, n: 8, s: 7, c: 1, r: 1, at: 2 };
    ledger.apply(&turned_up);
    assert_eq!(ledger.account(&zone, Some(0)).unexpected, 1);
}

#[test]
fn numbers_cannot_be_withdrawn_once_they_were_heard_of() {
    crate::support::turns::watched();
    let withdrawn = Record::Withdrawn { p: 1, n: 7, c: 4, at: 1 };
    let heard = [acked((1, 1), 1, 8), received("b", (1, 1), 1, 8, 1)];
    let before =
        ledger(&[&[intend(1, 1, 10)], &heard[..], std::slice::from_ref(&withdrawn)].concat());
    let after = ledger(&[&[intend(1, 1, 10), withdrawn], &heard[..]].concat());
    for ledger in [before, after] {
        let account = ledger.account(&zone("b"), Some(8));
        assert_eq!((account.unexpected, account.contradictions), (2, 2));
        assert_eq!(ledger.totals().in_flight, 0);
    }
}

#[test]
fn what_was_never_intended_does_not_hide_what_is_under_way() {
    crate::support::turns::watched();
    let ledger = ledger(&[intend(1, 1, 10), acked((1, 11), 1, 3)]);
    let totals = ledger.totals();
    assert_eq!((totals.intended, totals.acked, totals.in_flight), (10, 3, 10));
}

#[test]
fn nothing_is_behind_a_floor_at_the_end_of_numbers() {
    crate::support::turns::watched();
    let end = u64::MAX - 1;
    let ledger = ledger(&[intend(1, 1, 2), acked((1, 1), end, 1), acked((1, 2), u64::MAX, 1)]);
    let account = ledger.account(&zone("b"), Some(u64::MAX));
    assert_eq!((account.lost, account.behind), (2, 0));
    assert_eq!((account.first.lost, account.first.behind), (vec![end, u64::MAX], vec![]));
}

/// What was received without an acknowledgement does not make up for what is missing.
#[test]
fn what_is_behind_is_not_hidden_by_what_was_never_acknowledged() {
    crate::support::turns::watched();
    let ledger = ledger(&[
        intend(1, 1, 10),
        received("b", (1, 1), 1, 10, 1),
        intend(2, 1, 4),
        acked((2, 1), 11, 4),
    ]);
    let shown = zonedrill::region::status::Ledger::from(&ledger.account(&zone("b"), Some(10)));
    assert_eq!((shown.acked, shown.received, shown.behind, shown.lost), (4, 10, 4, 0));
    let shown = zonedrill::region::status::Ledger::from(&ledger.account(&zone("b"), Some(11)));
    assert_eq!((shown.behind, shown.lost), (4, 1));
}
