//! A stream that others publish on as well: the drill's messages are counted among themselves, so that
//! a figure never counts anybody else's.

use super::Ledger;

impl Ledger {
    /// How many of this ledger's messages stand up to a sequence of the source's stream; the sequence
    /// itself where nobody else publishes on it.
    #[must_use]
    pub fn counted(&self, seq: u64) -> u64 {
        if self.shares { self.taken.count_up_to(seq) } else { seq }
    }

    /// The sequence at which the message stands that [`Self::counted`] counts as this one; 0, for
    /// none, is where the ledger begins.
    #[must_use]
    pub fn sequence(&self, counted: u64) -> u64 {
        if !self.shares {
            return counted;
        }
        match counted.checked_sub(1) {
            None => self.baseline,
            Some(before) => self.taken.nth(before).unwrap_or(self.taken_to),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        ledger::{Ledger, message::RunId, record::Record},
        region::ZoneName,
    };

    /// Five messages of ours among those of others, which have the sequences between.
    fn shared(subject: Option<&str>) -> Ledger {
        let mut ledger = Ledger::new(RunId::from_number(1), "shop");
        let (p, c, at) = (1, 1, 2);
        ledger.apply(&Record::Baseline { s: 100, subject: subject.map(Into::into), at });
        ledger.apply(&Record::Intend { p, n: 1, c: 5, at });
        for (n, s) in (1..).zip([103, 104, 110, 111, 120]) {
            ledger.apply(&Record::Acked { p, n, c, s, d: "eu".into(), dup: false, at });
        }
        ledger
    }

    #[test]
    fn messages_are_counted_among_themselves() {
        let ledger = shared(Some("ORDERS.drill"));
        let counts = [0, 100, 103, 105, 110, 119, 120, 900].map(|seq| ledger.counted(seq));
        assert_eq!(counts, [0, 0, 1, 2, 3, 4, 5, 5]);
        let places = [0, 1, 2, 3, 5].map(|counted| ledger.sequence(counted));
        assert_eq!(places, [100, 103, 104, 110, 120]);
        // Where nobody else publishes, sequences are what they are.
        let own = shared(None);
        assert_eq!((own.counted(110), own.sequence(3)), (110, 3));
    }

    #[test]
    fn what_a_consumer_has_passed_is_told_by_count() {
        let (mut ledger, b) = (shared(Some("ORDERS.drill")), "b".parse::<ZoneName>().unwrap());
        for (n, s) in [(1, 103), (3, 110)] {
            ledger.apply(&Record::Received { z: b.clone(), p: 1, n, s, c: 1, r: 1, at: 3 });
        }
        // It is past the third of ours, and never got the second.
        let account = ledger.account(&b, Some(3));
        assert_eq!((account.lost, account.first.lost), (1, vec![104]));
        assert_eq!(ledger.account(&b, Some(1)).lost, 0);
    }
}
