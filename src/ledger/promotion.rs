//! A promoted zone has a line of its own: after its promotion the same sequence is another message
//! there than at the source, and what the source acknowledged last may not be there at all.
//!
//! Such a line is a ledger that begins as the main one was, without what the zone did not hold. What
//! the zone acknowledges and what its consumer receives goes there; the main ledger only notes that
//! a message was acknowledged elsewhere.

use std::collections::BTreeMap;

use super::{
    Ledger,
    message::{MessageId, RunId},
    producer::Producer,
    record::Record,
    set::NumberSet,
};
use crate::region::{UnixMs, ZoneName};

/// Acknowledgements of the main line whose times are remembered.
const TIMES: usize = 4096;
/// Messages that are named by their ids at most.
const NAMED: usize = 20;

/// A promoted zone's line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    zone: ZoneName,
    /// Up to this sequence of the source it holds what the source holds.
    after: u64,
    at: UnixMs,
    pub(super) ledger: Box<Ledger>,
    /// Acknowledged by others after that.
    owed: BTreeMap<u32, NumberSet>,
    /// When others acknowledged the last message that it holds, and the last one of all.
    acked_at: (Option<UnixMs>, UnixMs),
    /// Sent again since, and of those and others the ones that it called duplicates.
    resent: BTreeMap<u32, NumberSet>,
    known: BTreeMap<u32, NumberSet>,
}

/// What became of messages around the promotion of a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promotion {
    /// The last of the source's sequences that the zone holds.
    pub after: u64,
    pub at: UnixMs,
    /// Messages that others acknowledged and that it did not hold.
    pub owed: Named,
    /// From the last acknowledged message that it held to the last one that was acknowledged at all, in
    /// milliseconds; `None` if that is too long ago.
    pub owed_ms: Option<u64>,
    /// Of `owed`, those that it has neither acknowledged nor delivered since.
    pub missing: Named,
    /// Messages that were sent again since.
    pub resent: u64,
    /// Of them, those that it knew: they were not stored again.
    pub known: u64,
    /// Of them, those that it held and stored a second time.
    pub stored_twice: Named,
    /// Messages that only it has acknowledged.
    pub acked: u64,
}

/// Messages, and the first of them by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    pub count: u64,
    /// Runs of ids, as `k3f9q2-p4-123` or `k3f9q2-p4-123..130`.
    pub ids: Vec<String>,
}

impl Named {
    /// These messages.
    #[must_use]
    pub fn of(ids: Vec<MessageId>) -> Self {
        let mut sets: BTreeMap<(RunId, u32), NumberSet> = BTreeMap::new();
        for MessageId { run, producer, number } in ids {
            sets.entry((run, producer)).or_default().insert(number, 1);
        }
        let mut all = Self::default();
        for ((run, producer), numbers) in &sets {
            all.add(run, *producer, numbers);
        }
        all
    }

    fn add(&mut self, run: &RunId, producer: u32, numbers: &NumberSet) {
        self.count += numbers.len();
        for (n, c) in numbers.runs().take(NAMED - self.ids.len().min(NAMED)) {
            let id = MessageId { run: run.clone(), producer, number: n };
            self.ids.push(match c {
                1 => id.to_string(),
                _ => format!("{id}..{}", n + (c - 1)),
            });
        }
    }
}

impl Ledger {
    /// What is known of a zone: its own line once it was promoted.
    pub(super) fn line(&self, zone: &ZoneName) -> &Self {
        let line = self.lines.iter().find(|line| line.zone == *zone);
        line.map_or(self, |line| &line.ledger)
    }

    /// Of a producer, what only others acknowledged and is owed here: in a promoted zone what the
    /// source has acknowledged; at the source what a promoted zone had that is there no more.
    pub(super) fn only_others_acked(&self, p: usize) -> NumberSet {
        let producer = &self.producers[p];
        if producer.elsewhere.is_empty() {
            return NumberSet::default();
        }
        let owed = producer.elsewhere.without(&producer.acked);
        self.lines.iter().fold(owed, |owed, line| {
            let theirs = line.ledger.place_in_list(producer.id);
            theirs.map_or_else(|| owed.clone(), |p| owed.without(&line.ledger.producers[p].acked))
        })
    }

    /// The zones that were promoted.
    pub fn promoted(&self) -> impl Iterator<Item = &ZoneName> {
        self.lines.iter().map(|line| &line.zone)
    }

    /// Up to this sequence of the source two zones hold the same: where the first of them was promoted;
    /// 0 if none was.
    #[must_use]
    pub fn parted_after(&self, zones: &[ZoneName; 2]) -> u64 {
        let of = self.lines.iter().filter(|line| zones.contains(&line.zone));
        of.map(|line| line.after).min().unwrap_or(0)
    }

    /// Takes what is of promoted zones; whether the main ledger is not to take it any more.
    pub(super) fn take_in_lines(&mut self, record: &Record) -> bool {
        match record {
            Record::Promoted { z, s, at } => {
                self.promote(z, *s, *at);
                return true;
            }
            Record::ZoneRemoved { z, .. } => self.lines.retain(|line| line.zone != *z),
            _ => {}
        }
        let mut theirs = false;
        for line in &mut self.lines {
            theirs |= line.take(record);
        }
        match record {
            Record::Acked { p, n, c, d, .. } if theirs => {
                *self.acked_by.entry(d.clone()).or_default() += c;
                self.spoken_of(*p, *n, *c).elsewhere.insert(*n, *c);
            }
            Record::Acked { s, at, .. } => {
                self.times.push_back((*s, *at));
                if self.times.len() > TIMES {
                    self.times.pop_front();
                }
            }
            _ => {}
        }
        theirs
    }

    fn promote(&mut self, zone: &ZoneName, after: u64, at: UnixMs) {
        if self.lines.iter().any(|line| line.zone == *zone) {
            return;
        }
        let mut own = self.clone();
        own.lines.clear();
        own.is_line = true;
        let _ = own.zone(zone);
        own.zones.retain(|known| known.name == *zone);
        self.zones.retain(|known| known.name != *zone);
        let owed = own.forget_after(after);
        let held = self.times.iter().rev().find(|(seq, _)| *seq <= after).map(|(_, at)| *at);
        let last = self.times.back().map_or(0, |(_, at)| *at);
        let acked_at =
            (held.or((after == 0 && !self.times.is_empty()).then(|| self.times[0].1)), last);
        own.times.clear();
        self.lines.push(Line {
            zone: zone.clone(),
            after,
            at,
            ledger: Box::new(own),
            owed,
            acked_at,
            resent: BTreeMap::new(),
            known: BTreeMap::new(),
        });
    }

    /// Nothing stands after this sequence; returns the acknowledged messages that stood there.
    fn forget_after(&mut self, after: u64) -> BTreeMap<u32, NumberSet> {
        let mut owed = BTreeMap::new();
        for producer in &mut self.producers {
            let mut gone = NumberSet::default();
            for (n, s, c) in producer.places.runs() {
                let held = (after + 1).saturating_sub(s).min(c);
                if held < c {
                    gone.insert(n + held, c - held);
                }
            }
            for number in gone.iter() {
                producer.places.unset(number);
            }
            gone = gone.common(&producer.acked);
            gone = gone.with(&producer.unplaced.keys().fold(NumberSet::default(), |mut all, n| {
                all.insert(*n, 1);
                all
            }));
            producer.unplaced.clear();
            if !gone.is_empty() {
                producer.acked = producer.acked.without(&gone);
                producer.elsewhere = gone.clone();
                owed.insert(producer.id, gone);
            }
        }
        for set in [&mut self.taken, &mut self.acked_seqs, &mut self.second, &mut self.clashed] {
            *set = set.up_to(after);
        }
        for zone in &mut self.zones {
            zone.missing = zone.missing.up_to(after);
        }
        self.taken_to = self.taken_to.min(after);
        owed
    }

    /// What became of messages around a zone's promotion; `None` if it was not promoted.
    #[must_use]
    pub fn promotion(&self, zone: &ZoneName) -> Option<Promotion> {
        let line = self.lines.iter().find(|line| line.zone == *zone)?;
        let nothing = NumberSet::default();
        let mut all = Promotion { after: line.after, at: line.at, ..Promotion::default() };
        for (p, producer) in line.ledger.producers.iter().enumerate() {
            let of = |sets: &BTreeMap<u32, NumberSet>| {
                sets.get(&producer.id).unwrap_or(&nothing).clone()
            };
            let (owed, resent, known) = (of(&line.owed), of(&line.resent), of(&line.known));
            let receipts = line.ledger.zones.first().and_then(|zone| zone.producers.get(p));
            let (received, moved) = receipts.map_or_else(Default::default, |receipts| {
                (receipts.received.clone(), receipts.moved.clone())
            });
            all.owed.add(self.run(), producer.id, &owed);
            let missing = owed.without(&producer.acked).without(&received);
            all.missing.add(self.run(), producer.id, &missing);
            all.resent += resent.len();
            all.known += resent.common_len(&known);
            let twice = resent.common(&producer.moved.with(&moved));
            all.stored_twice.add(self.run(), producer.id, &twice);
            let main = self.place_in_list(producer.id).map(|p| &self.producers[p]);
            all.acked += main.map_or(0, Producer::only_elsewhere);
        }
        all.owed_ms = match line.acked_at {
            _ if all.owed.count == 0 => Some(0),
            (held, last) => held.map(|held| last.saturating_sub(held)),
        };
        Some(all)
    }
}

impl Line {
    /// Takes what is of this zone; whether it is of this zone alone.
    fn take(&mut self, record: &Record) -> bool {
        match record {
            Record::Acked { p, n, c, s, d, dup, .. } if *d == self.zone.long() => {
                self.ledger.apply(record);
                if *dup {
                    self.known.entry(*p).or_default().insert(*n, *c);
                }
                // What stands up to there stands at the source as well.
                s + (c - 1) > self.after
            }
            Record::Acked { p, n, c, s, d, dup, at } => {
                let held = (self.after + 1).saturating_sub(*s).min(*c);
                if held > 0 {
                    let (p, n, s, dup, at) = (*p, *n, *s, *dup, *at);
                    self.ledger.apply(&Record::Acked { p, n, c: held, s, d: d.clone(), dup, at });
                }
                if held < *c {
                    self.owed.entry(*p).or_default().insert(n + held, c - held);
                    self.ledger.spoken_of(*p, *n, *c).elsewhere.insert(n + held, c - held);
                    self.acked_at.1 = *at;
                }
                false
            }
            Record::Received { z, .. } | Record::Corrupt { z, .. } | Record::Foreign { z, .. } => {
                let ours = *z == self.zone;
                if ours {
                    self.ledger.apply(record);
                }
                ours
            }
            Record::Resent { p, n, c, .. } => {
                self.resent.entry(*p).or_default().insert(*n, *c);
                self.ledger.apply(record);
                false
            }
            Record::Intend { .. }
            | Record::Withdrawn { .. }
            | Record::Failed { .. }
            | Record::Unknown { .. } => {
                self.ledger.apply(record);
                false
            }
            // A damaged ledger tells its lines itself.
            Record::Run { .. }
            | Record::CutShort { .. }
            | Record::Baseline { .. }
            | Record::Promoted { .. }
            | Record::ZoneRemoved { .. } => false,
        }
    }
}
