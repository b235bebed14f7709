//! How much of what does not fit is looked at, and what becomes of the rest.

use super::{
    super::{LONGEST_RUN, ledger::MOST_PRODUCERS, objection::Objection},
    *,
};

/// Messages that do not fit are taken one by one, up to 100,000 of them; each one after them is a
/// contradiction.
#[test]
fn the_most_exceptions() {
    let base = [intend(1, 1, LONGEST_RUN), acked((1, 1), 1, LONGEST_RUN)];
    let one_too_far = |record: &dyn Fn() -> Record| [record(), record()];
    let received = one_too_far(&|| received((1, 1), 2, LONGEST_RUN));
    let acknowledged = one_too_far(&|| acked((1, 1), 2, LONGEST_RUN));
    for again in [received, acknowledged] {
        let ledger = ledger(&[&base[..], &again].concat());
        // The last one is acknowledged where nothing stands.
        let clashed = ledger.clashed.len();
        assert_eq!(ledger.totals().contradictions - clashed, 2 * LONGEST_RUN - 100_000);
    }
}

/// Searching may pass fifty million parts of indexes; here it is 5,000 with each acknowledgement.
#[test]
fn the_longest_search() {
    let mut ledger = ledger(&[]);
    for part in 0..4999 {
        ledger.apply(&intend(1, part * 4096, 1));
        ledger.apply(&acked((1, part * 4096), part + 1, 1));
    }
    for i in 0..10_010 {
        ledger.apply(&acked((1, 0), 1_000_000 + i, 1));
    }
    assert_eq!(ledger.totals().contradictions, 10);
    assert_eq!(ledger.account(&zone("b"), None).duplicates, 1);
}

/// So many zones at once, and so many in a ledger's time; those that are known are still heard.
#[test]
fn the_most_zones() {
    let at =
        |i: u32| Record::Corrupt { z: zone(&format!("z{i}")), s: 5, why: String::new(), at: 1 };
    let received =
        |i| Record::Received { z: zone(&format!("z{i}")), p: 1, n: 1, s: 1, c: 1, r: 1, at: 1 };
    let removed = |i| Record::ZoneRemoved { z: zone(&format!("z{i}")), at: 1 };
    let too_many = Some(Objection::TooManyZones);
    let mut ledger = ledger(&(0..63).map(at).collect::<Vec<_>>());
    assert_eq!(ledger.objection(&at(63)), None);
    ledger.apply(&at(63));
    for known in [at(0), at(63), received(5)] {
        assert_eq!(ledger.objection(&known), None);
    }
    assert_eq!(
        (ledger.objection(&at(64)), ledger.objection(&received(64))),
        (too_many.clone(), too_many.clone())
    );
    assert_eq!(ledger.zones().count(), 64);
    for i in 64..1024 {
        ledger.apply(&removed(i - 1));
        assert_eq!(ledger.objection(&at(i)), None, "zone {i}");
        ledger.apply(&at(i));
    }
    ledger.apply(&removed(0));
    assert_eq!(ledger.objection(&at(1024)), too_many);
    assert_eq!(ledger.objection(&at(1)), None);
    assert_eq!(ledger.totals().contradictions, 0);
}

/// Of more than a thousand numbers the lowest thousand are looked at for what is named first.
#[test]
fn the_most_numbers_that_are_looked_at_for_a_list() {
    let listed = |many: u64| {
        let all = [received((9, 1), 2000, many - 1), received((9, many), 500, 1)];
        account(&all, 0).first.unexpected[0]
    };
    assert_eq!((listed(1000), listed(1001)), (500, 2000));
}

/// What cannot be true is counted with what is not looked at any more.
#[test]
fn impossible_records_are_contradictions() {
    let ledger = ledger(&[acked((1, 1), 0, 1), intend(1, 1, 0), intend(1, 2, 1)]);
    assert_eq!((ledger.totals().contradictions, ledger.totals().intended), (2, 1));
}

/// One producer more than can be known is refused, and those that are known are still heard.
#[test]
fn the_most_producers() {
    let most = u32::try_from(MOST_PRODUCERS).unwrap();
    let mut ledger = ledger(&[]);
    for id in 1..=most {
        ledger.apply(&intend(id, 1, 1));
    }
    assert_eq!(ledger.objection(&acked((1, 1), 1, 1)), None);
    assert_eq!(ledger.objection(&intend(most + 1, 1, 1)), Some(Objection::TooManyProducers));
}
