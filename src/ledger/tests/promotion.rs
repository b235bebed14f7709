//! A promoted zone has a line of its own.

use crate::{
    ledger::{Ledger, account::Account, promotion::Named, record::Record},
    region::{UnixMs, ZoneName, status::Apart},
};

const AT: UnixMs = 9;

fn zone(name: &str) -> ZoneName {
    name.parse().unwrap()
}

fn acked(domain: &str, n: u64, c: u64, s: u64, dup: bool, at: UnixMs) -> Record {
    Record::Acked { p: 1, n, c, s, d: domain.into(), dup, at }
}

fn received(z: &str, n: u64, c: u64, s: u64) -> Record {
    Record::Received { z: zone(z), p: 1, n, s, c, r: 1, at: AT }
}

/// The source acknowledged 10 messages, zone b was promoted with 8 of them.
fn promoted() -> Ledger {
    let records = [
        Record::Intend { p: 1, n: 1, c: 20, at: AT },
        acked("zone-a", 1, 8, 1, false, 100),
        received("a", 1, 10, 1),
        received("b", 1, 8, 1),
        acked("zone-a", 9, 2, 9, false, 130),
        Record::Promoted { z: zone("b"), s: 8, at: 200 },
    ];
    apply(Ledger::new("k3f9q2".parse().unwrap(), "east"), &records)
}

fn apply(mut ledger: Ledger, records: &[Record]) -> Ledger {
    for record in records {
        assert_eq!(ledger.objection(record), None);
        ledger.apply(record);
    }
    ledger
}

fn b(ledger: &Ledger, floor: u64) -> Account {
    ledger.account(&zone("b"), Some(floor))
}

#[test]
fn what_the_source_acknowledged_alone_is_lost_until_it_is_sent_again() {
    let ledger = promoted();
    let told = ledger.promotion(&zone("b")).unwrap();
    assert_eq!((told.after, told.owed.count, told.owed_ms), (8, 2, Some(30)));
    assert_eq!(
        (told.missing.count, &told.missing.ids[..]),
        (2, &["k3f9q2-p1-9..10".to_owned()][..])
    );
    assert_eq!((b(&ledger, 8).lost, b(&ledger, 8).received), (2, 8));
    assert!(ledger.promotion(&zone("a")).is_none());
    assert_eq!(b(&ledger, 8).apart, Some(Apart { alone: 0, lacks: 2 }));
    assert_eq!(ledger.account(&zone("a"), Some(8)).apart, None);
    // Its first new message takes the sequence that another one has at the source.
    let resent = Record::Resent { p: 1, n: 9, c: 2, at: AT };
    let again = [resent, acked("zone-b", 9, 2, 9, false, AT), received("b", 9, 2, 9)];
    let more = [acked("zone-b", 11, 5, 11, false, AT), received("b", 11, 5, 11)];
    let ledger = apply(apply(ledger, &again), &more);
    let told = ledger.promotion(&zone("b")).unwrap();
    assert_eq!((told.owed.count, told.missing.count, told.acked), (2, 0, 5));
    assert_eq!((told.resent, told.known, told.stored_twice.count), (2, 0, 0));
    let account = b(&ledger, 15);
    assert!(account.is_clean(), "{account:?}");
    assert_eq!((account.acked, account.received, account.behind), (15, 15, 0));
    // The source's own account is what it was.
    let a = ledger.account(&zone("a"), Some(10));
    assert!(a.is_clean(), "{a:?}");
    assert_eq!((a.received, a.acked, ledger.acked_of(1)), (10, 15, 15));
    assert_eq!((ledger.acked_by()["zone-a"], ledger.acked_by()["zone-b"]), (10, 7));
    assert_eq!((ledger.totals().acked, ledger.totals().in_flight), (15, 5));
}

#[test]
fn what_a_promoted_zone_alone_had_is_lost_with_it() {
    let more = [acked("zone-b", 11, 5, 9, false, AT), Record::ZoneRemoved { z: zone("b"), at: AT }];
    let ledger = apply(promoted(), &more[..1]);
    assert_eq!(ledger.account(&zone("a"), Some(10)).lost, 0);
    let ledger = apply(ledger, &more[1..]);
    assert_eq!(ledger.account(&zone("a"), Some(10)).lost, 5);
    assert!(ledger.promotion(&zone("b")).is_none());
}

/// The source had stored a message before it was lost and never said so; the promoted zone took it
/// under the same id, and the source has it still when it is back.
#[test]
fn what_the_source_never_answered_for_and_another_zone_did_is_received_at_the_source() {
    let back = [
        Record::Unknown { p: 1, n: 11, c: 1, at: AT },
        Record::Resent { p: 1, n: 11, c: 1, at: AT },
        acked("zone-b", 11, 1, 11, false, AT),
        received("b", 11, 1, 11),
        received("a", 11, 1, 11),
        Record::ZoneRemoved { z: zone("b"), at: AT },
        received("b", 1, 11, 1),
    ];
    let ledger = apply(promoted(), &back);
    assert_eq!(ledger.acked_of(1), 11);
    for name in ["a", "b"] {
        assert_eq!(ledger.received_of(&zone(name), 1), 11, "zone {name}");
        assert!(ledger.account(&zone(name), Some(11)).is_clean(), "zone {name}");
    }
}

#[test]
fn a_retry_that_is_stored_a_second_time_is_told_and_a_known_one_is_not() {
    let retry = |n: u64, s: u64, dup: bool| {
        [Record::Resent { p: 1, n, c: 1, at: AT }, acked("zone-b", n, 1, s, dup, AT)]
    };
    let known = apply(promoted(), &retry(7, 7, true));
    let told = known.promotion(&zone("b")).unwrap();
    assert_eq!((told.resent, told.known, told.stored_twice.count), (1, 1, 0));
    assert_eq!((b(&known, 8).duplicates, told.acked), (0, 0));

    let twice = apply(apply(promoted(), &retry(7, 9, false)), &[received("b", 7, 1, 9)]);
    let told = twice.promotion(&zone("b")).unwrap();
    assert_eq!((told.resent, told.known, told.stored_twice.count), (1, 0, 1));
    assert_eq!(told.stored_twice.ids, ["k3f9q2-p1-7"]);
    assert_eq!(b(&twice, 9).duplicates, 1);
    assert!(twice.account(&zone("a"), Some(10)).is_clean());
}

/// Its acknowledgement was lost with the source, the copy had it: nobody but the zone's consumer
/// knows that it was held.
#[test]
fn a_message_that_nobody_acknowledged_and_the_copy_held_is_stored_twice_as_well() {
    let records = [
        Record::Intend { p: 1, n: 1, c: 3, at: AT },
        acked("zone-a", 1, 2, 1, false, AT),
        received("b", 1, 3, 1),
        Record::Unknown { p: 1, n: 3, c: 1, at: AT },
        Record::Promoted { z: zone("b"), s: 3, at: AT },
        Record::Resent { p: 1, n: 3, c: 1, at: AT },
        acked("zone-b", 3, 1, 4, false, AT),
        received("b", 3, 1, 4),
    ];
    let ledger = apply(Ledger::new("k3f9q2".parse().unwrap(), "east"), &records);
    let told = ledger.promotion(&zone("b")).unwrap();
    assert_eq!((told.owed.count, told.owed_ms, told.stored_twice.count), (0, Some(0), 1));
    assert_eq!(ledger.totals().unknown, 0);
}

#[test]
fn acknowledgements_that_are_written_late_count_where_they_belong() {
    // Written after the promotion, though the copy has one of them.
    let records = [
        Record::Intend { p: 1, n: 1, c: 20, at: AT },
        acked("zone-a", 1, 8, 1, false, 100),
        Record::Promoted { z: zone("b"), s: 9, at: 200 },
        acked("zone-a", 9, 2, 9, false, 130),
    ];
    let ledger = apply(Ledger::new("k3f9q2".parse().unwrap(), "east"), &records);
    let told = ledger.promotion(&zone("b")).unwrap();
    assert_eq!((told.owed.count, told.missing.ids[0].as_str()), (1, "k3f9q2-p1-10"));
    let ledger = apply(promoted(), &[acked("zone-a", 11, 2, 11, false, 150)]);
    let told = ledger.promotion(&zone("b")).unwrap();
    assert_eq!((told.owed.count, told.owed_ms, told.missing.count), (4, Some(50), 4));
}

#[test]
fn two_zones_part_where_the_first_of_them_was_promoted() {
    let ledger = apply(promoted(), &[Record::Promoted { z: zone("c"), s: 5, at: 300 }]);
    let parted = |one: &str, other: &str| ledger.parted_after(&[zone(one), zone(other)]);
    assert_eq!((parted("a", "b"), parted("c", "b"), parted("a", "d")), (8, 5, 0));
}

#[test]
fn messages_are_named_by_runs_of_their_numbers() {
    let ids = ["k3f9q2-p2-7", "k3f9q2-p1-9", "k3f9q2-p1-10", "k3f9q2-p2-5"];
    let named = Named::of(ids.iter().map(|id| id.parse().unwrap()).collect());
    assert_eq!(named.count, 4);
    assert_eq!(named.ids, ["k3f9q2-p1-9..10", "k3f9q2-p2-5", "k3f9q2-p2-7"]);
}

fn promoted_after(s: u64, records: &[Record]) -> crate::ledger::promotion::Promotion {
    let ledger = apply(Ledger::new("k3f9q2".parse().unwrap(), "east"), records);
    let promoted = Record::Promoted { z: zone("b"), s, at: 200 };
    apply(ledger, &[promoted]).promotion(&zone("b")).unwrap()
}

#[test]
fn what_is_owed_is_timed_from_the_last_message_that_was_held() {
    let records = || {
        vec![
            Record::Intend { p: 1, n: 1, c: 20, at: AT },
            acked("zone-a", 1, 7, 1, false, 100),
            acked("zone-a", 8, 1, 8, false, 110),
            acked("zone-a", 9, 2, 9, false, 130),
        ]
    };
    assert_eq!(promoted_after(8, &records()).owed_ms, Some(20));
    // It held none: from the first of all.
    let told = promoted_after(0, &records());
    assert_eq!((told.owed.count, told.owed_ms), (10, Some(30)));
    assert_eq!(promoted_after(0, &[]).owed_ms, Some(0));
}

#[test]
fn what_was_acknowledged_too_long_ago_is_not_timed() {
    for (acks, timed) in [(4096, Some(4095)), (4097, None)] {
        let mut records = vec![Record::Intend { p: 1, n: 1, c: acks, at: AT }];
        records.extend((1..=acks).map(|n| acked("zone-a", n, 1, n, false, 1000 + n)));
        assert_eq!(promoted_after(1, &records).owed_ms, timed, "{acks}");
    }
}

#[test]
fn what_it_holds_is_not_owed_wherever_it_stands() {
    // The last of the producer's messages stand first; another producer's stand between.
    let other = Record::Acked { p: 2, n: 1, c: 2, s: 3, d: "zone-a".into(), dup: false, at: AT };
    let told = promoted_after(
        6,
        &[
            Record::Intend { p: 1, n: 1, c: 20, at: AT },
            Record::Intend { p: 2, n: 1, c: 2, at: AT },
            acked("zone-a", 5, 2, 1, false, AT),
            other,
            acked("zone-a", 1, 4, 5, false, AT),
            // Its place is another's.
            acked("zone-a", 15, 1, 2, false, AT),
        ],
    );
    assert_eq!((told.owed.count, told.owed.ids.len()), (3, 2));
    assert_eq!(told.owed.ids, ["k3f9q2-p1-3..4", "k3f9q2-p1-15"]);
}

#[test]
fn of_very_many_the_first_are_named() {
    let mut records = Vec::new();
    for p in [1, 2] {
        records.push(Record::Intend { p, n: 1, c: 40, at: AT });
        records.extend((1..=15).map(|i| {
            let (n, s) = (2 * i, 100 * u64::from(p) + i);
            Record::Acked { p, n, c: 1, s, d: "zone-a".into(), dup: false, at: AT }
        }));
    }
    let told = promoted_after(0, &records);
    assert_eq!((told.owed.count, told.owed.ids.len()), (30, 20));
}

#[test]
fn each_zone_is_promoted_once() {
    let again = Record::Promoted { z: zone("b"), s: 2, at: 300 };
    let other = Record::Promoted { z: zone("c"), s: 9, at: 400 };
    let ledger = apply(promoted(), &[again, other]);
    assert_eq!(ledger.promotion(&zone("b")).unwrap().after, 8);
    assert_eq!(ledger.promotion(&zone("c")).unwrap().after, 9);
    assert_eq!(ledger.promoted().count(), 2);
    let gone = Record::ZoneRemoved { z: zone("b"), at: AT };
    let ledger = apply(ledger, &[gone]);
    assert!(ledger.promotion(&zone("b")).is_none() && ledger.promotion(&zone("c")).is_some());
}
