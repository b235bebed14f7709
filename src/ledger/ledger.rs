//! The ledger itself: built from records, asked for accounts.
//!
//! Mirrors keep the source's sequences, so one map (producer, number) → sequence serves every
//! zone; what a zone has received is a set of sequences and a set of numbers beside it. Records
//! are runs and are applied as runs. Whatever does not fit that picture (a message at a second
//! sequence, another message at a known sequence) takes a slower way, message by message.
//!
//! In memory, with two zones: next to nothing for long runs, a byte a message for records of one
//! message each, five where producers alternate as well (`benches/ledger.rs` measures it).

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::{
    damage::Damage,
    message::RunId,
    objection::Objection,
    producer::{Producer, Run},
    promotion::Line,
    record::Record,
    set::NumberSet,
    zone::Zone,
};
use crate::region::{UnixMs, ZoneName};

/// A record of more messages than this is not believed: producers announce at most
/// [`crate::nats::producer::CHUNK`] at once.
pub const LONGEST_RUN: u64 = 1 << 16;
/// More producers than this are in no ledger: one a second for twelve days.
pub const MOST_PRODUCERS: usize = 1 << 20;
/// More zones than this no region has had at once ([`crate::region::topology::MOST_ZONES`]).
pub const MOST_ZONES_KNOWN: usize = 64;

/// Zones come and go; so many have not come to any region in one ledger's time.
pub const MOST_ZONES_EVER: u32 = 1 << 10;

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
    /// How many there have been.
    zones_ever: u32,
    /// The sequences at which messages stand.
    pub(super) taken: NumberSet,
    /// Nothing stands after this sequence (asking the set for its end is dear).
    pub(super) taken_to: u64,
    /// Acknowledged sequences (of messages with a place).
    pub(super) acked_seqs: NumberSet,
    /// Sequences that acknowledgements named for a message acknowledged elsewhere before.
    pub(super) second: NumberSet,
    /// Sequences that acknowledgements named for two messages.
    pub(super) clashed: NumberSet,
    /// Acknowledgements, by the domain that gave them.
    pub(super) acked_by: BTreeMap<String, u64>,
    /// The promoted zones, each with a ledger of its own.
    pub(super) lines: Vec<Line>,
    /// It is such a line itself.
    pub(super) is_line: bool,
    /// When the last acknowledgements came: first sequence, moment.
    pub(super) times: VecDeque<(u64, UnixMs)>,
    /// Records that cannot be true: of another run, past the end of numbers, sequence zero.
    pub(super) impossible: u64,
    /// Messages that did not fit, taken one by one so far.
    pub(super) exceptions: u64,
    /// What searching has cost so far, in parts of indexes.
    pub(super) searched: u64,
    /// Messages that did not fit, and were not looked at because there were too many before.
    pub(super) overflow: u64,
    /// Lines of the ledger's file are gone.
    pub(super) gap: Option<Gap>,
    /// What stands up to this sequence was there before.
    pub(super) baseline: u64,
    /// Others publish on the same stream.
    pub(super) shares: bool,
}

/// Lines that were written and are gone, and what that leaves in doubt.
#[derive(Clone, Debug)]
pub(super) struct Gap {
    /// The first damage; of ends that are gone, the bytes of all.
    damage: Damage,
    /// Sequences acknowledged before it: a zone may have processed them, with the record gone.
    pub(super) unsure: NumberSet,
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
            zones_ever: 0,
            taken: NumberSet::default(),
            taken_to: 0,
            acked_seqs: NumberSet::default(),
            second: NumberSet::default(),
            clashed: NumberSet::default(),
            acked_by: BTreeMap::new(),
            lines: Vec::new(),
            is_line: false,
            times: VecDeque::new(),
            impossible: 0,
            exceptions: 0,
            searched: 0,
            overflow: 0,
            gap: None,
            baseline: 0,
            shares: false,
        }
    }

    /// What of the evidence is gone or altered, if anything is. Nothing can be proved by the ledger
    /// then, and that something is not in it means nothing.
    #[must_use]
    pub fn damage(&self) -> Option<&Damage> {
        self.gap.as_ref().map(|gap| &gap.damage)
    }

    /// The last sequence that stood on the source's stream before this ledger began; 0 for none. No
    /// verdict is about what stands up to there.
    #[must_use]
    pub fn baseline(&self) -> u64 {
        self.baseline
    }

    /// Messages after a sequence that are no drill messages, as any zone's consumer received them.
    #[must_use]
    pub fn plain_after(&self, seq: u64) -> u64 {
        let all = self.zones.iter().fold(NumberSet::default(), |all, zone| all.with(&zone.plain));
        let here = all.len() - all.count_up_to(seq);
        here + self.lines.iter().map(|line| line.ledger.plain_after(seq)).sum::<u64>()
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
        self.zones.iter().map(|zone| &zone.name).chain(self.promoted())
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

    /// Whether a zone's consumer has processed the message at a sequence; `None` while it has
    /// processed nothing.
    #[must_use]
    pub fn has_received(&self, zone: &ZoneName, seq: u64) -> Option<bool> {
        let mut zones = self.line(zone).zones.iter();
        Some(zones.find(|known| known.name == *zone)?.seen.contains(seq))
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

    /// The producers it has heard of, in the order of that.
    pub fn producers(&self) -> impl Iterator<Item = u32> + '_ {
        self.producers.iter().map(|producer| producer.id)
    }

    /// Takes a record in. A record that cannot be true is counted and changes nothing else.
    pub fn apply(&mut self, record: &Record) {
        if self.objection(record).is_some() {
            self.impossible += 1;
            return;
        }
        if self.take_in_lines(record) {
            return;
        }
        match record {
            Record::Run { .. } | Record::Promoted { .. } => {}
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
                let producer = self.spoken_of(*p, *n, *c);
                producer.failed.insert(*n, *c);
            }
            Record::Unknown { p, n, c, .. } => {
                let producer = self.spoken_of(*p, *n, *c);
                producer.unknown.insert(*n, *c);
            }
            Record::Resent { p, n, c, .. } => {
                let producer = self.spoken_of(*p, *n, *c);
                producer.resent.insert(*n, *c);
            }
            Record::Received { z, p, n, s, c, r, .. } => {
                let p = self.index(*p);
                let zone = self.zone(z);
                self.receive(zone, Run { p, n: *n, s: *s, c: *c }, *r);
            }
            Record::Corrupt { z, s, .. } => {
                let zone = self.zone(z);
                let zone = &mut self.zones[zone];
                if *s <= self.baseline {
                    zone.foreign.insert(*s, 1);
                    zone.plain.insert(*s, 1);
                } else {
                    zone.corrupt.insert(*s, 1);
                    zone.missing.remove(*s, 1);
                }
            }
            Record::Foreign { z, s, plain, .. } => {
                let known = self.taken.contains(*s);
                let plain = *plain || *s <= self.baseline;
                let zone = self.zone(z);
                let zone = &mut self.zones[zone];
                zone.foreign.insert(*s, 1);
                zone.plain.set(*s, plain);
                if known {
                    zone.mismatched.insert(*s, 1);
                }
            }
            Record::Baseline { s, subject, .. } => {
                self.baseline = *s;
                self.shares = subject.is_some();
            }
            Record::CutShort { after, lost, .. } => {
                self.damaged(Damage::CutShort { after: *after, lost: *lost });
            }
            Record::ZoneRemoved { z, .. } => {
                self.zones.retain(|zone| zone.name != *z);
            }
        }
    }

    /// Evidence is gone or altered: nothing is proved by this ledger from now on.
    pub fn damaged(&mut self, damage: Damage) {
        let unsure = self.acked_seqs.clone();
        let damage = match (self.gap.take().map(|gap| gap.damage), damage) {
            (None, damage) => damage,
            (Some(Damage::CutShort { after, lost: one }), Damage::CutShort { lost: two, .. }) => {
                let lost = one.zip(two).map(|(one, two)| one.saturating_add(two));
                Damage::CutShort { after, lost }
            }
            (Some(first), _) => first,
        };
        for line in &mut self.lines {
            line.ledger.damaged(damage.clone());
        }
        self.gap = Some(Gap { damage, unsure });
    }

    /// Has it heard of any producer or zone, or of what was there before?
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.baseline > 0 || !self.producers.is_empty() || !self.zones.is_empty()
    }

    /// Is anything known of the producer?
    pub(super) fn has_heard_of(&self, id: u32) -> bool {
        self.by_id.contains_key(&id)
    }

    /// The index of a producer that has been heard of.
    pub(super) fn place_in_list(&self, id: u32) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// Objects to a producer that would be one too many.
    pub(super) fn to_producer(&self, id: u32) -> Option<Objection> {
        let more = self.producers.len() >= MOST_PRODUCERS && !self.by_id.contains_key(&id);
        more.then_some(Objection::TooManyProducers)
    }

    /// Objects to a zone that would be one too many.
    pub(super) fn to_zone(&self, name: &ZoneName) -> Option<Objection> {
        let full = self.zones.len() >= MOST_ZONES_KNOWN || self.zones_ever >= MOST_ZONES_EVER;
        (full && !self.zones().any(|known| known == name)).then_some(Objection::TooManyZones)
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
    pub(super) fn zone(&mut self, name: &ZoneName) -> usize {
        self.zones.iter().position(|zone| zone.name == *name).unwrap_or_else(|| {
            self.zones_ever += 1;
            self.zones.push(Zone::new(name.clone(), self.acked_seqs.clone()));
            self.zones.len() - 1
        })
    }

    /// The producer, of whose numbers a record speaks.
    pub(super) fn spoken_of(&mut self, id: u32, n: u64, c: u64) -> &mut Producer {
        let p = self.index(id);
        self.producers[p].spoken_of(n, c);
        &mut self.producers[p]
    }

    fn intend(&mut self, id: u32, n: u64, c: u64) {
        let p = self.index(id);
        let producer = &mut self.producers[p];
        producer.intended.insert(n, c);
        // The intention is written first, so that this is for ledgers out of order only.
        producer.unannounced.remove(n, c);
        for zone in &mut self.zones {
            if let Some(receipts) = zone.producers.get_mut(p) {
                receipts.unannounced.remove(n, c);
            }
        }
    }

    /// Numbers were not sent after all. Whatever is said of them before or after is not of them.
    fn withdraw(&mut self, id: u32, n: u64, c: u64) {
        let p = self.index(id);
        let producer = &mut self.producers[p];
        producer.spoken_of(n, c);
        producer.intended.remove(n, c);
        for said in [&producer.acked, &producer.failed, &producer.unknown, &producer.resent] {
            producer.unannounced.insert_common(said, n, c);
        }
        for zone in &mut self.zones {
            if let Some(receipts) = zone.producers.get_mut(p) {
                receipts.unannounced.insert_common(&receipts.received, n, c);
            }
        }
    }
}
