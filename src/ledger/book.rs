//! The ledger itself: built from records, asked for accounts.
//!
//! Mirrors keep the source's sequences, so one map (producer, number) → sequence serves every
//! zone; what a zone has received is a set of sequences and a set of numbers beside it. Records
//! are runs and are applied as runs. Whatever does not fit that picture (a message at a second
//! sequence, another message at a known sequence) takes a slower way, message by message.
//!
//! In memory, with two zones: next to nothing for long runs, a byte a message for records of one
//! message each, five where producers alternate as well (`benches/ledger.rs` measures it).

use std::collections::{BTreeMap, HashMap};

use super::{
    message::RunId,
    producer::{Producer, Run},
    record::Record,
    set::NumberSet,
    zone::{Ground, Zone},
};
use crate::region::ZoneName;

/// A record of more messages than this is not believed.
pub const LONGEST_RUN: u64 = 1 << 24;

/// What became of every message of a run.
#[derive(Clone, Debug)]
pub struct Ledger {
    run: RunId,
    region: String,
    pub(super) producers: Vec<Producer>,
    by_id: HashMap<u32, usize>,
    /// The index asked for last: it is mostly the next one, too.
    latest: usize,
    /// A handful, in the order they were first heard of.
    pub(super) zones: Vec<Zone>,
    /// The sequences at which messages stand.
    taken: NumberSet,
    /// Nothing stands after this sequence (asking the set for its end is dear).
    taken_to: u64,
    /// Acknowledged sequences (of messages with a place).
    pub(super) acked_seqs: NumberSet,
    /// Sequences that acknowledgements named for a message acknowledged elsewhere before.
    pub(super) second: NumberSet,
    /// Sequences that acknowledgements named for two messages.
    pub(super) clashed: NumberSet,
    /// Acknowledgements, by the domain that gave them.
    acked_by: BTreeMap<String, u64>,
    /// Records that cannot be true: of another run, past the end of numbers, sequence zero.
    pub(super) impossible: u64,
    /// Lines of the ledger's file are gone.
    pub(super) gap: Option<Gap>,
}

/// Lines that were written and are gone, and what that leaves in doubt.
#[derive(Clone, Debug)]
pub(super) struct Gap {
    /// Lines before it.
    after: u64,
    /// Bytes that are gone, if that is known.
    lost: Option<u64>,
    /// Sequences acknowledged before it: a zone may have processed them, with the record gone.
    pub(super) unsure: NumberSet,
}

/// Does the run stay within what numbers can say and what anybody would write?
fn is_possible(first: u64, count: u64) -> bool {
    count <= LONGEST_RUN && first.checked_add(count.saturating_sub(1)).is_some()
}

impl Ledger {
    /// An empty ledger of a run.
    #[must_use]
    pub fn new(run: RunId, region: impl Into<String>) -> Self {
        Self {
            run,
            region: region.into(),
            producers: Vec::new(),
            by_id: HashMap::new(),
            latest: 0,
            zones: Vec::new(),
            taken: NumberSet::default(),
            taken_to: 0,
            acked_seqs: NumberSet::default(),
            second: NumberSet::default(),
            clashed: NumberSet::default(),
            acked_by: BTreeMap::new(),
            impossible: 0,
            gap: None,
        }
    }

    /// What of the evidence is gone, as a sentence, if anything is. Nothing can be proved by the
    /// ledger then, and that something is not in it means nothing.
    #[must_use]
    pub fn damage(&self) -> Option<String> {
        let gap = self.gap.as_ref()?;
        let gone = match gap.lost {
            Some(1) => "1 byte is gone".to_owned(),
            Some(bytes) => format!("{bytes} bytes are gone"),
            None => "how much is gone is not known".to_owned(),
        };
        Some(format!(
            "the evidence is damaged: the ledger was cut short after line {} ({gone}), and what those lines told of messages is not known",
            gap.after
        ))
    }

    /// The run whose messages are kept here.
    #[must_use]
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// The region's name.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The zones that have received anything, and have not been removed.
    pub fn zones(&self) -> impl Iterator<Item = &ZoneName> {
        self.zones.iter().map(|zone| &zone.name)
    }

    /// How many acknowledgements each domain has given: a message that was sent again may have
    /// two.
    #[must_use]
    pub fn acked_by(&self) -> &BTreeMap<String, u64> {
        &self.acked_by
    }

    /// The message that stands at a sequence: (producer, number). A search; for exceptions.
    #[must_use]
    pub fn message_at(&self, seq: u64) -> Option<(u32, u64)> {
        self.owner(seq).map(|(p, n)| (self.producers[p].id, n))
    }

    /// The sequence at which a message stands, if it was acknowledged or received.
    #[must_use]
    pub fn place_of(&self, producer: u32, number: u64) -> Option<u64> {
        self.producers[*self.by_id.get(&producer)?].places.get(number)
    }

    /// The greatest producer id so far; the next produce command takes the one after it.
    #[must_use]
    pub fn last_producer(&self) -> u32 {
        self.producers.iter().map(|p| p.id).max().unwrap_or(0)
    }

    /// The greatest number any producer has intended to send.
    #[must_use]
    pub fn last_number(&self) -> Option<u64> {
        self.producers.iter().filter_map(|p| p.intended.max()).max()
    }

    /// Takes a record in. A record that cannot be true is counted and changes nothing else.
    pub fn apply(&mut self, record: &Record) {
        let possible = match record {
            Record::Run { run, .. } => *run == self.run.as_str(),
            Record::Intend { n, c, .. }
            | Record::Withdrawn { n, c, .. }
            | Record::Failed { n, c, .. }
            | Record::Unknown { n, c, .. }
            | Record::Resent { n, c, .. } => is_possible(*n, *c),
            Record::Acked { n, c, s, .. } | Record::Received { n, c, s, .. } => {
                *s > 0 && is_possible(*n, *c) && is_possible(*s, *c)
            }
            Record::Corrupt { s, .. } | Record::Foreign { s, .. } => *s > 0,
            Record::CutShort { .. } | Record::ZoneRemoved { .. } => true,
        };
        if !possible {
            self.impossible += 1;
            return;
        }
        match record {
            Record::Run { .. }
            | Record::Intend { c: 0, .. }
            | Record::Withdrawn { c: 0, .. }
            | Record::Acked { c: 0, .. }
            | Record::Failed { c: 0, .. }
            | Record::Unknown { c: 0, .. }
            | Record::Resent { c: 0, .. }
            | Record::Received { c: 0, .. } => {}
            Record::Intend { p, n, c, .. } => self.intend(*p, *n, *c),
            Record::Withdrawn { p, n, c, .. } => self.withdraw(*p, *n, *c),
            Record::Acked { p, n, c, s, d, .. } => {
                match self.acked_by.get_mut(d) {
                    Some(count) => *count += c,
                    None => {
                        self.acked_by.insert(d.clone(), *c);
                    }
                }
                let p = self.index(*p);
                self.ack(Run { p, n: *n, s: *s, c: *c });
            }
            Record::Failed { p, n, c, .. } => {
                let p = self.index(*p);
                let producer = &mut self.producers[p];
                producer.failed.insert(*n, *c);
                producer.unknown_open.remove(*n, *c);
                for number in *n..=*n + (*c - 1) {
                    if !producer.acked.contains(number) {
                        producer.failed_open.insert(number, 1);
                    }
                }
            }
            Record::Unknown { p, n, c, .. } => {
                let p = self.index(*p);
                let producer = &mut self.producers[p];
                for number in *n..=*n + (*c - 1) {
                    if !producer.acked.contains(number) && !producer.failed.contains(number) {
                        producer.unknown_open.insert(number, 1);
                    }
                }
            }
            Record::Resent { p, n, c, .. } => {
                let p = self.index(*p);
                self.producers[p].resent.insert(*n, *c);
            }
            Record::Received { z, p, n, s, c, r, .. } => {
                let p = self.index(*p);
                let zone = self.zone(z);
                self.receive(zone, Run { p, n: *n, s: *s, c: *c }, *r);
            }
            Record::Corrupt { z, s, .. } => {
                let zone = self.zone(z);
                let zone = &mut self.zones[zone];
                zone.corrupt.insert(*s, 1);
                zone.missing.remove(*s, 1);
            }
            Record::Foreign { z, s, .. } => {
                let known = self.taken.contains(*s);
                let zone = self.zone(z);
                let zone = &mut self.zones[zone];
                zone.foreign.insert(*s, 1);
                if known {
                    zone.mismatched.insert(*s, 1);
                }
            }
            Record::CutShort { after, lost, .. } => {
                let unsure = self.acked_seqs.clone();
                self.gap = Some(match self.gap.take() {
                    None => Gap { after: *after, lost: *lost, unsure },
                    // The first one is named; all that is gone is counted.
                    Some(gap) => {
                        let lost = gap.lost.zip(*lost).map(|(one, two)| one.saturating_add(two));
                        Gap { lost, unsure, ..gap }
                    }
                });
            }
            Record::ZoneRemoved { z, .. } => {
                self.zones.retain(|zone| zone.name != *z);
            }
        }
    }

    /// The producer's index; it is made when first heard of.
    fn index(&mut self, id: u32) -> usize {
        if self.producers.get(self.latest).is_some_and(|producer| producer.id == id) {
            return self.latest;
        }
        self.latest = *self.by_id.entry(id).or_insert_with(|| {
            self.producers.push(Producer { id, ..Producer::default() });
            self.producers.len() - 1
        });
        self.latest
    }

    /// The zone's index; it is made when first heard of.
    fn zone(&mut self, name: &ZoneName) -> usize {
        self.zones.iter().position(|zone| zone.name == *name).unwrap_or_else(|| {
            self.zones.push(Zone::new(name.clone(), self.acked_seqs.clone()));
            self.zones.len() - 1
        })
    }

    fn owner(&self, seq: u64) -> Option<(usize, u64)> {
        self.producers
            .iter()
            .enumerate()
            .find_map(|(p, producer)| producer.places.owner(seq).map(|number| (p, number)))
    }

    fn intend(&mut self, id: u32, n: u64, c: u64) {
        let p = self.index(id);
        let producer = &mut self.producers[p];
        producer.intended.insert(n, c);
        // The intention is written first, so that this is for ledgers out of order only.
        producer.strays.remove(n, c);
        for zone in &mut self.zones {
            if let Some(receipts) = zone.producers.get_mut(p) {
                receipts.strays.remove(n, c);
            }
        }
    }

    /// Numbers were not sent after all. Whatever was heard of them before came from elsewhere.
    fn withdraw(&mut self, id: u32, n: u64, c: u64) {
        let p = self.index(id);
        let producer = &mut self.producers[p];
        producer.intended.remove(n, c);
        producer.strays.insert_common(&producer.acked, n, c);
        for zone in &mut self.zones {
            if let Some(receipts) = zone.producers.get_mut(p) {
                receipts.strays.insert_common(&receipts.received, n, c);
            }
        }
    }

    /// A run was acknowledged: stretch by stretch as it fits what is known.
    fn ack(&mut self, mut run: Run) {
        while run.c > 0 {
            let count = self.settle(run);
            if count > 0 {
                self.acked(run.head(count));
            } else {
                self.ack_odd(run.head(1));
            }
            run = run.skip(count.max(1));
        }
    }

    /// A zone received a run: stretch by stretch as it fits what is known.
    fn receive(&mut self, zone: usize, mut run: Run, delivery: u64) {
        while run.c > 0 {
            let count = self.settle(run);
            if count > 0 {
                let producer = &self.producers[run.p];
                self.zones[zone].receive(producer, run.head(count), delivery);
            } else {
                let ground = Ground { producers: &self.producers, taken: &self.taken };
                self.zones[zone].receive_odd(ground, run.head(1), delivery);
            }
            run = run.skip(count.max(1));
        }
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
                    while count > 1 && self.taken.count(run.s, count) > 0 {
                        count /= 2;
                    }
                    if self.taken.contains(run.s) {
                        return 0;
                    }
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
        self.review(run);
    }

    /// Takes a message's place away, because an acknowledgement knows better than a zone.
    fn vacate(&mut self, p: usize, n: u64, s: u64) {
        for zone in &mut self.zones {
            zone.vacate(p, n, s);
        }
        self.producers[p].places.unset(n);
        self.taken.remove(s, 1);
        self.review(Run { p, n, s, c: 1 });
    }

    fn review(&mut self, run: Run) {
        let ground = Ground { producers: &self.producers, taken: &self.taken };
        for zone in &mut self.zones {
            zone.review(ground, run);
        }
    }

    /// A run that stands where it was acknowledged.
    fn acked(&mut self, run: Run) {
        let producer = &mut self.producers[run.p];
        let known = producer.acked.count(run.n, run.c);
        if known == run.c {
            return;
        }
        if known > 0 {
            run.each().for_each(|one| self.acked(one));
            return;
        }
        producer.acknowledge(run);
        self.acked_seqs.insert(run.s, run.c);
        for zone in &mut self.zones {
            let got = zone.count(run);
            zone.received_acked += got;
            if got == 0 && (zone.corrupt.is_empty() || zone.corrupt.count(run.s, run.c) == 0) {
                zone.missing.insert(run.s, run.c);
            } else if got < run.c {
                for one in run.each() {
                    if !zone.has(one.p, one.n) && !zone.corrupt.contains(one.s) {
                        zone.missing.insert(one.s, 1);
                    }
                }
            }
        }
    }

    /// One message was acknowledged where it was not known to be.
    fn ack_odd(&mut self, one: Run) {
        let Run { p, n, s, .. } = one;
        let owner = if self.taken.contains(s) { self.owner(s) } else { None };
        let clash = owner.is_some_and(|(p, n)| self.producers[p].acked.contains(n));
        let producer = &mut self.producers[p];
        let homeless = producer.homeless.get(&n).copied();
        if homeless == Some(s) {
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
            producer.homeless.insert(n, s);
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
