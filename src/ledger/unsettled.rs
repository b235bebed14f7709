//! What nobody will settle any more: numbers that were announced by a producer that is gone.

use super::{Ledger, producer::Producer, record::Record};
use crate::region::UnixMs;

impl Ledger {
    /// Producers that announced numbers of which nothing is known.
    #[must_use]
    pub fn unsettled_producers(&self) -> Vec<u32> {
        let unsettled = self.producers.iter().filter(|producer| !producer.open().is_empty());
        unsettled.map(|producer| producer.id).collect()
    }

    /// What is to be written of a producer that is gone: of what it announced, and nothing is known
    /// of, the outcome is unknown. It may have been sent or not.
    #[must_use]
    pub fn unsettled(&self, producer: u32, at: UnixMs) -> Vec<Record> {
        let known = self.producers.iter().find(|known| known.id == producer);
        let open = known.map(Producer::open).unwrap_or_default();
        open.runs().map(|(n, c)| Record::Unknown { p: producer, n, c, at }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(records: &[Record]) -> Ledger {
        let mut ledger = Ledger::new("k3f9q2".parse().unwrap(), "east");
        for record in records {
            ledger.apply(record);
        }
        ledger
    }

    #[test]
    fn what_a_gone_producer_announced_is_unknown_unless_its_fate_is_known() {
        let (p, at) = (3, 7);
        let mut ledger = ledger(&[
            Record::Intend { p, n: 1, c: 100, at },
            Record::Acked { p, n: 1, c: 40, s: 1, d: "zone-a".into(), dup: false, at },
            Record::Failed { p, n: 45, c: 5, why: "full".into(), at },
            Record::Unknown { p, n: 60, c: 1, at },
            Record::Withdrawn { p, n: 91, c: 10, at },
            Record::Intend { p: 4, n: 1, c: 10, at },
            Record::Acked { p: 4, n: 1, c: 10, s: 41, d: "zone-a".into(), dup: false, at },
        ]);
        assert_eq!(ledger.unsettled_producers(), [3]);
        assert!(ledger.unsettled(4, at).is_empty() && ledger.unsettled(9, at).is_empty());
        let before = ledger.totals();
        assert_eq!((before.unknown, before.in_flight), (1, 44));
        let records = ledger.unsettled(3, 8);
        let unknown = |n, c| Record::Unknown { p, n, c, at: 8 };
        assert_eq!(records, [unknown(41, 4), unknown(50, 10), unknown(61, 30)]);

        for record in &records {
            ledger.apply(record);
        }
        let after = ledger.totals();
        assert_eq!((after.unknown, after.in_flight), (45, 0));
        let sum = after.acked + after.failed + after.unknown;
        assert_eq!((sum, after.contradictions), (after.intended, 0));
        assert!(ledger.unsettled_producers().is_empty());
        // Should word come after all, that counts.
        ledger.apply(&Record::Acked { p, n: 41, c: 4, s: 51, d: "zone-a".into(), dup: false, at });
        assert_eq!(ledger.totals().unknown, 41);
    }
}
