//! Where messages stand: what is acknowledged or received is compared with what is known, stretch by
//! stretch as it fits, and message by message where it does not.

use super::{Ledger, producer::Run};

/// Messages that do not fit are kept one by one, up to so many; what comes after is only counted.
const MOST_EXCEPTIONS: u64 = 100_000;
/// Looking for what stands at a sequence may pass so many parts of indexes in all.
const MOST_SEARCHED: u64 = 50_000_000;

impl Ledger {
    pub(super) fn owner(&self, seq: u64) -> Option<(usize, u64)> {
        self.producers
            .iter()
            .enumerate()
            .find_map(|(p, producer)| producer.places.owner(seq).map(|number| (p, number)))
    }

    /// A run was acknowledged: stretch by stretch as it fits what is known.
    pub(super) fn ack(&mut self, mut run: Run) {
        while run.c > 0 {
            let count = self.settle(run);
            if count > 0 {
                self.acked(run.head(count));
            } else if self.is_overflowing() {
                self.overflow += run.c;
                return;
            } else {
                self.ack_odd(run.head(1));
            }
            run = run.skip(count.max(1));
        }
    }

    /// A zone received a run: stretch by stretch as it fits what is known.
    pub(super) fn receive(&mut self, zone: usize, mut run: Run, delivery: u64) {
        while run.c > 0 {
            let count = self.settle(run);
            let producer = &self.producers[run.p];
            if count > 0 {
                self.zones[zone].receive(producer, run.head(count), delivery);
            } else if self.exceptions >= MOST_EXCEPTIONS {
                self.overflow += run.c;
                return;
            } else {
                self.exceptions += 1;
                let taken = self.taken.contains(run.s);
                self.zones[zone].receive_odd(producer, run.head(1), taken, delivery);
            }
            run = run.skip(count.max(1));
        }
    }

    /// There were too many acknowledgements that do not fit, or looking into them took too long.
    fn is_overflowing(&mut self) -> bool {
        let cost: u64 = self.producers.iter().map(|producer| 1 + producer.places.parts()).sum();
        self.exceptions += 1;
        self.searched = self.searched.saturating_add(cost);
        self.exceptions > MOST_EXCEPTIONS || self.searched > MOST_SEARCHED
    }

    /// How many messages from the run's first on stand where the run says. Messages of which
    /// nothing is known are given that place if it is free. 0: the first one does not fit.
    fn settle(&mut self, run: Run) -> u64 {
        let piece = self.producers[run.p].places.piece(run.n, run.c);
        match piece.seq {
            Some(seq) if seq == run.s => piece.count,
            Some(_) => 0,
            None => {
                let mut count = piece.count;
                if run.s <= self.taken_to {
                    let stretch = self.taken.stretch(run.s, count);
                    if stretch.member {
                        return 0;
                    }
                    count = stretch.count;
                }
                self.place(run.head(count));
                count
            }
        }
    }

    /// Gives messages without a place a free one.
    fn place(&mut self, run: Run) {
        self.producers[run.p].places.set(run.n, run.s, run.c);
        self.taken.insert(run.s, run.c);
        self.taken_to = self.taken_to.max(run.s + (run.c - 1));
        for zone in &mut self.zones {
            zone.occupied(run);
        }
    }

    /// Takes a message's place away, because an acknowledgement knows better than a zone.
    fn vacate(&mut self, p: usize, n: u64, s: u64) {
        for zone in &mut self.zones {
            zone.vacated(p, n, s);
        }
        self.producers[p].places.unset(n);
        self.taken.remove(s, 1);
    }

    /// A run that stands where it was acknowledged.
    fn acked(&mut self, mut run: Run) {
        while run.c > 0 {
            let producer = &mut self.producers[run.p];
            let stretch = producer.acked.stretch(run.n, run.c);
            let part = run.head(stretch.count);
            if !stretch.member {
                producer.acknowledge(part);
                self.acked_seqs.insert(part.s, part.c);
                for zone in &mut self.zones {
                    zone.acknowledged(part);
                }
            }
            run = run.skip(part.c);
        }
    }

    /// One message was acknowledged where it was not known to be.
    fn ack_odd(&mut self, one: Run) {
        let Run { p, n, s, .. } = one;
        let owner = if self.taken.contains(s) { self.owner(s) } else { None };
        let clash = owner.is_some_and(|(p, n)| self.producers[p].acked.contains(n));
        let producer = &mut self.producers[p];
        let unplaced = producer.unplaced.get(&n).copied();
        if unplaced == Some(s) {
            return;
        }
        if clash {
            self.clashed.insert(s, 1);
        }
        if producer.acked.contains(n) {
            producer.moved.insert(n, 1);
            self.second.insert(s, 1);
        } else if clash {
            // Acknowledged, but it stands nowhere.
            producer.unplaced.insert(n, s);
            producer.acknowledge(one);
            for zone in &mut self.zones {
                zone.received_acked += zone.count(one);
            }
        } else {
            if let Some((p, n)) = owner {
                self.vacate(p, n, s);
            }
            if let Some(place) = self.producers[p].places.get(n) {
                self.vacate(p, n, place);
            }
            self.place(one);
            self.acked(one);
        }
    }
}
