//! What was received, as records; neighbours become one.

use crate::{
    ledger::{
        message::{Fault, RunId, decode},
        record::Record,
    },
    nats::{
        evidence::Evidence,
        meter::Measured,
        wire::{Delivery, now_ms, now_us},
    },
    region::ZoneName,
};

use super::ConsumerReport;

/// Turns deliveries into records.
#[derive(Debug)]
pub(super) struct Notes {
    evidence: Evidence,
    zone: ZoneName,
    run: RunId,
    records: Vec<Record>,
    /// How long messages took, while a drill records.
    measured: Vec<Measured>,
}

impl Notes {
    pub(super) fn new(zone: ZoneName, run: RunId, evidence: Evidence) -> Self {
        Self { evidence, zone, run, records: Vec::new(), measured: Vec::new() }
    }

    /// A message was delivered.
    pub(super) fn add(&mut self, payload: &[u8], delivery: Delivery, state: &mut ConsumerReport) {
        let seq = delivery.stream_seq;
        state.processed += 1;
        state.last_seq = seq;
        state.redelivered += u64::from(delivery.delivered > 1);
        match decode(payload) {
            Ok(decoded) if decoded.id.run == self.run => {
                state.latency_us = Some(now_us().saturating_sub(decoded.sent_us));
                if delivery.delivered == 1 {
                    self.measured.extend(self.evidence.meter().measure(seq));
                }
                self.received(decoded.id.producer, decoded.id.number, delivery);
            }
            Ok(_) | Err(Fault::Foreign) => {
                state.foreign += 1;
                self.records.push(Record::Foreign { z: self.zone.clone(), s: seq, at: now_ms() });
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
