//! What was received, as records; neighbours become one.

use crate::{
    ledger::{
        message::{Fault, RunId, decode},
        record::Record,
    },
    nats::{
        evidence::Evidence,
        meter::Measured,
        wire::{Delivery, now_ms, since_sent, steady_us},
    },
    region::{ZoneName, observation::Deliveries},
};

use super::{ConsumerReport, latencies::Latencies};

/// Turns deliveries into records.
#[derive(Debug)]
pub(super) struct Notes {
    evidence: Evidence,
    zone: ZoneName,
    run: RunId,
    records: Vec<Record>,
    /// The highest sequence so far.
    highest: u64,
    /// How long messages took, while a drill records.
    measured: Vec<Measured>,
    latencies: Latencies,
}

impl Notes {
    pub(super) fn new(zone: ZoneName, run: RunId, evidence: Evidence) -> Self {
        let latencies = Latencies::default();
        let (records, measured) = (Vec::new(), Vec::new());
        Self { evidence, zone, run, records, highest: 0, measured, latencies }
    }

    /// A message was delivered.
    pub(super) fn add(&mut self, payload: &[u8], delivery: Delivery, state: &mut ConsumerReport) {
        let seq = delivery.stream_seq;
        state.processed += 1;
        let before = state.deliveries.map_or(0, |deliveries| deliveries.at_ms);
        state.deliveries =
            Some(Deliveries::after(state.deliveries, delivery.consumer_seq, now_ms()));
        // The server counts deliveries from 1 again; of a lost leader it repeats the last few.
        let begins = delivery.consumer_seq == 1 && delivery.delivered == 1;
        if begins && seq <= self.highest {
            state.set_back += 1;
            state.set_back_after = before;
        }
        self.highest = self.highest.max(seq);
        state.last_seq = seq;
        state.redelivered += u64::from(delivery.delivered > 1);
        let decoded = decode(payload);
        let ours = decoded.as_ref().is_ok_and(|decoded| decoded.id.run == self.run);
        self.measured.extend(self.evidence.meter().measure(seq, ours));
        match decoded {
            Ok(decoded) if ours => {
                let now = steady_us();
                if let Some(us) = since_sent(now, decoded.sent_us) {
                    self.latencies.record(now, seq, us);
                }
                self.received(decoded.id.producer, decoded.id.number, delivery);
            }
            other @ (Ok(_) | Err(Fault::Foreign)) => {
                state.foreign += 1;
                let (z, plain) = (self.zone.clone(), other.is_err());
                self.records.push(Record::Foreign { z, s: seq, plain, at: now_ms() });
            }
            Err(fault @ Fault::Damaged(_)) => {
                state.corrupt += 1;
                let why = fault.to_string();
                self.records.push(Record::Corrupt {
                    z: self.zone.clone(),
                    s: seq,
                    why,
                    at: now_ms(),
                });
            }
        }
    }

    fn received(&mut self, producer: u32, number: u64, delivery: Delivery) {
        if let Some(Record::Received { p, n, s, c, r, .. }) = self.records.last_mut()
            && *p == producer
            && *r == delivery.delivered
            // The number is whatever the message says: it may be the last there is.
            && n.checked_add(*c) == Some(number)
            && *s + *c == delivery.stream_seq
        {
            *c += 1;
            return;
        }
        self.records.push(Record::Received {
            z: self.zone.clone(),
            p: producer,
            n: number,
            s: delivery.stream_seq,
            c: 1,
            r: delivery.delivered,
            at: now_ms(),
        });
    }

    /// The consumer goes on after a pause.
    pub(super) fn resumed(&self) {
        self.evidence.meter().resumed(&self.zone);
    }

    /// The latencies of the last 10 s.
    pub(super) fn latencies(&mut self) -> &mut Latencies {
        &mut self.latencies
    }

    pub(super) fn take(&mut self) -> Vec<Record> {
        self.evidence.meter().book(&self.zone, &mut self.measured);
        std::mem::take(&mut self.records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::message::{MessageId, encode};

    #[test]
    fn neighbours_become_one_record() {
        let run = RunId::from_number(1);
        let mut notes = Notes::new("b".parse().unwrap(), run.clone(), Evidence::channel().0);
        let mut state = ConsumerReport::default();
        let mut add = |run: &RunId, number, stream_seq, delivered| {
            let id = MessageId { run: run.clone(), producer: 1, number };
            let delivery = Delivery { delivered, stream_seq, consumer_seq: 1, pending: 0 };
            notes.add(&encode(&id, 1, 128), delivery, &mut state);
        };
        add(&run, 1, 1, 1);
        add(&run, 2, 2, 1);
        add(&run, 3, 4, 1);
        add(&run, 4, 5, 2);
        add(&run, 6, 6, 2);
        add(&RunId::from_number(2), 7, 7, 2);
        let delivery = Delivery { delivered: 1, stream_seq: 8, consumer_seq: 1, pending: 0 };
        notes.add(b"hello", delivery, &mut state);
        notes.add(b"zd1 hello", delivery, &mut state);
        let kinds: Vec<String> = notes
            .take()
            .iter()
            .map(|record| match record {
                Record::Received { n, c, r, .. } => format!("{n}+{c} r{r}"),
                Record::Foreign { s, .. } => format!("foreign {s}"),
                Record::Corrupt { s, .. } => format!("corrupt {s}"),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            kinds,
            ["1+2 r1", "3+1 r1", "4+1 r2", "6+1 r2", "foreign 7", "foreign 8", "corrupt 8"]
        );
        assert_eq!((state.processed, state.redelivered), (8, 3));
        assert_eq!((state.foreign, state.corrupt, state.last_seq), (2, 1, 8));
    }

    #[test]
    fn a_consumer_that_begins_again_was_set_back() {
        let mut notes =
            Notes::new("b".parse().unwrap(), RunId::from_number(1), Evidence::channel().0);
        let mut state = ConsumerReport::default();
        // Made anew after the last message, then set back, then a redelivery.
        for (consumer_seq, stream_seq, delivered, set_back) in
            [(1, 1, 1, 0), (2, 2, 1, 0), (1, 3, 1, 0), (1, 1, 1, 1), (2, 2, 1, 1), (3, 2, 2, 1)]
        {
            let delivery = Delivery { delivered, stream_seq, consumer_seq, pending: 0 };
            notes.add(b"hello", delivery, &mut state);
            assert_eq!(state.set_back, set_back, "{delivery:?}");
        }
    }

    #[test]
    fn the_last_number_there_is_has_no_neighbour() {
        let run = RunId::from_number(1);
        let mut notes = Notes::new("b".parse().unwrap(), run.clone(), Evidence::channel().0);
        let mut state = ConsumerReport::default();
        for (number, stream_seq) in [(u64::MAX, 1), (0, 2)] {
            let id = MessageId { run: run.clone(), producer: 1, number };
            let delivery = Delivery { delivered: 1, stream_seq, consumer_seq: 1, pending: 0 };
            notes.add(&encode(&id, 1, 128), delivery, &mut state);
        }
        let counts: Vec<_> = notes
            .take()
            .into_iter()
            .filter_map(|record| match record {
                Record::Received { n, c, .. } => Some((n, c)),
                _ => None,
            })
            .collect();
        assert_eq!(counts, [(u64::MAX, 1), (0, 1)]);
    }
}
