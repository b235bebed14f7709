//! What the ledger says of one zone.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Ledger, set::NumberSet, zone::Zone};
use crate::region::{ZoneName, status};

/// How many offenders of a kind are listed.
pub const FIRST_OFFENDERS: usize = 10;

/// What all producers together have done. Messages, not records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Written down before they were sent.
    pub intended: u64,
    pub acked: u64,
    /// Refused for certain, and not acknowledged.
    pub failed: u64,
    /// Announced, and nobody will tell any more what became of them: no answer came, or whoever
    /// sent them was gone before it did. Settled neither way since.
    pub unknown: u64,
    /// Announced, and no word of them yet: somebody is at it.
    pub in_flight: u64,
    /// What contradicts itself: acknowledged and refused; acknowledged, refused, unknown, sent again
    /// or withdrawn, but never announced; two messages acknowledged at one sequence; records that
    /// cannot be true; more exceptions than are looked at.
    pub contradictions: u64,
    /// The last sequence that stood on the source's stream before this ledger began; 0 for none.
    #[serde(default)]
    pub baseline: u64,
}

/// The account of one zone's consumer. Every number counts messages or sequences exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Messages producers intended to send.
    pub intended: u64,
    /// Messages acknowledged by the stream.
    pub acked: u64,
    /// Messages refused for certain, and not acknowledged.
    pub failed: u64,
    /// Messages without an answer, settled neither way since.
    pub unknown: u64,
    /// Distinct messages of ours that the zone processed.
    pub received: u64,
    /// Of `received`, those never acknowledged though intended and not refused: their answer got
    /// lost, they did not. No fault.
    pub recovered: u64,
    /// Deliveries after a sequence's first, up to 64 of each: legal.
    pub redelivered: u64,
    /// Sequences processed more than once: legal at-least-once.
    pub processed_twice: u64,
    /// Messages that this zone, or the acknowledgements, found at a second stream sequence (one
    /// that is no other message's: that would be `mismatched`).
    pub duplicates: u64,
    /// Received messages that stand on the stream after a higher number of their producer (RFC
    /// 4737's reordered), though the producer did not send them again.
    pub reordered: u64,
    /// Likewise, but the producer did send them again: no fault of the stream.
    pub late_by_resend: u64,
    /// Sequences whose message is damaged.
    pub corrupt: u64,
    /// Sequences of drill messages of another run (but for those that are `mismatched`), and messages
    /// of ours that were never announced or were refused for certain.
    pub unexpected: u64,
    /// Sequences of somebody else's messages that are no drill messages (but for those that are
    /// `mismatched`), and were not there before this ledger began: no fault.
    #[serde(default)]
    pub foreign: u64,
    /// Sequences at which this zone saw another message (of ours or not) than the acknowledgements
    /// say, or, where they say nothing, than the zone that saw it first.
    pub mismatched: u64,
    /// Messages acknowledged, not received, and passed over by the consumer's ack floor.
    pub lost: u64,
    /// Messages of which a ledger that was cut short cannot tell whether they were sent,
    /// acknowledged or processed: they are in no other count, but those that were announced are
    /// `unknown` as well.
    #[serde(default)]
    pub unrecorded: u64,
    /// Messages acknowledged and not received, but not passed over: they may still come.
    /// (Messages that came damaged are in `corrupt` alone.)
    pub behind: u64,
    /// Contradictions of the ledger as a whole (see [`Totals::contradictions`]).
    pub contradictions: u64,
    /// Of a zone that was promoted: what it alone has, and what it lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart: Option<status::Apart>,
    /// The first offenders of each kind.
    pub first: Offenders,
}

/// The lowest stream sequences of each kind of offence, at most [`FIRST_OFFENDERS`] each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offenders {
    pub lost: Vec<u64>,
    /// Of `behind`: what is waited for.
    pub behind: Vec<u64>,
    /// The second sequences of `duplicates`.
    pub duplicates: Vec<u64>,
    pub processed_twice: Vec<u64>,
    pub reordered: Vec<u64>,
    pub corrupt: Vec<u64>,
    /// Of `unexpected`, as far as they have a place of their own.
    pub unexpected: Vec<u64>,
    pub mismatched: Vec<u64>,
}

impl Ledger {
    /// What all producers together have done.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals {
            contradictions: self.impossible + self.overflow + self.clashed.len(),
            baseline: self.baseline,
            ..Totals::default()
        };
        for producer in &self.producers {
            totals.intended += producer.intended.len();
            totals.acked += producer.count_acked();
            totals.failed += producer.refused().len();
            totals.unknown += producer.unsettled().len();
            totals.in_flight += producer.count_open();
            totals.contradictions +=
                producer.unannounced.len() + producer.failed.common_len(&producer.acked);
        }
        totals
    }

    /// Messages of one producer that were acknowledged.
    #[must_use]
    pub fn acked_of(&self, producer: u32) -> u64 {
        self.place_in_list(producer).map_or(0, |p| self.producers[p].count_acked())
    }

    /// Acknowledged messages of one producer that a zone has processed.
    #[must_use]
    pub fn received_of(&self, zone: &ZoneName, producer: u32) -> u64 {
        let ledger = self.line(zone);
        let Some(p) = ledger.place_in_list(producer) else { return 0 };
        let known = ledger.zones.iter().find(|known| known.name == *zone);
        let receipts = known.and_then(|known| known.producers.get(p));
        receipts.map_or(0, |receipts| ledger.producers[p].count_acked_of(&receipts.received))
    }

    /// The account of a zone. `floor` is its consumer's ack floor as a stream sequence, if known:
    /// nothing at or below it will be delivered again. Without it nothing is called lost. On a stream
    /// of others it is a count, as [`Self::counted`] gives.
    ///
    /// Takes microseconds while nothing is wrong: sets are counted, not walked.
    #[must_use]
    pub fn account(&self, name: &ZoneName, floor: Option<u64>) -> Account {
        let floor = floor.map(|floor| self.sequence(floor));
        let ledger = self.line(name);
        let account = match ledger.zones.iter().find(|zone| zone.name == *name) {
            Some(zone) => ledger.account_of(zone, floor),
            // Nothing heard of it yet: everything is missing.
            None => ledger.account_of(&Zone::new(name.clone(), self.acked_seqs.clone()), floor),
        };
        let apart = self
            .promotion(name)
            .map(|told| status::Apart { alone: told.acked, lacks: told.missing.count });
        Account { apart, ..account }
    }

    fn account_of(&self, zone: &Zone, floor: Option<u64>) -> Account {
        let totals = self.totals();
        let mut account = Account {
            intended: totals.intended,
            acked: totals.acked,
            failed: totals.failed,
            unknown: totals.unknown,
            contradictions: totals.contradictions,
            received: zone.received,
            recovered: zone.received.saturating_sub(zone.received_acked),
            redelivered: zone.again.iter().map(NumberSet::len).sum(),
            processed_twice: zone.twice.len(),
            corrupt: zone.corrupt.len(),
            mismatched: zone.mismatched.len(),
            ..Account::default()
        };
        account.first.processed_twice = zone.twice.first(FIRST_OFFENDERS);
        account.first.corrupt = zone.corrupt.first(FIRST_OFFENDERS);
        account.first.mismatched = zone.mismatched.first(FIRST_OFFENDERS);
        self.count_missing(zone, floor.unwrap_or(0), &mut account);
        self.count_unexpected(zone, &mut account);
        if self.gap.is_some() {
            // So may its acknowledgement.
            account.unrecorded += std::mem::take(&mut account.recovered);
        }
        self.count_duplicates(zone, &mut account);
        self.count_late(zone, &mut account);
        account
    }

    fn count_missing(&self, zone: &Zone, floor: u64, account: &mut Account) {
        let passed = zone.missing.count_up_to(floor);
        account.behind = zone.missing.len() - passed;
        let missing = zone.sure_missing(self);
        account.lost = missing.count_up_to(floor);
        account.unrecorded = passed - account.lost;
        let mut missing = missing.first(FIRST_OFFENDERS);
        let ahead = floor.checked_add(1).into_iter().flat_map(|seq| zone.missing.iter_from(seq));
        account.first.behind = ahead.take(FIRST_OFFENDERS).collect();
        missing.retain(|seq| *seq <= floor);
        for (p, producer) in self.producers.iter().enumerate() {
            account.lost += self.owed(zone, p).len();
            for (number, seq) in &producer.unplaced {
                if zone.has(p, *number) {
                } else if *seq <= floor && self.is_unsure(*seq) {
                    account.unrecorded += 1;
                } else if *seq <= floor {
                    account.lost += 1;
                    missing.push(*seq);
                } else {
                    account.behind += 1;
                    account.first.behind.push(*seq);
                }
            }
        }
        account.first.lost = lowest(missing);
        account.first.behind = lowest(std::mem::take(&mut account.first.behind));
    }

    fn count_unexpected(&self, zone: &Zone, account: &mut Account) {
        // Where another message should stand it is `mismatched`, and counted once.
        let plain = zone.plain.without(&zone.mismatched);
        account.foreign = plain.len() - plain.count_up_to(self.baseline);
        let foreign = zone.foreign.without(&zone.mismatched).without(&zone.plain);
        account.unexpected = foreign.len();
        let mut first = foreign.first(FIRST_OFFENDERS);
        for (producer, receipts) in self.producers.iter().zip(&zone.producers) {
            let refused = receipts.received.common(&producer.refused());
            let mut unexpected = receipts.unannounced.with(&refused);
            account.recovered =
                account.recovered.saturating_sub(unexpected.without(&producer.acked).len());
            if self.gap.is_some() {
                // That it was to be sent may have been told by the lines that are gone.
                account.unrecorded += unexpected.len() - refused.len();
                unexpected = refused;
            }
            account.unexpected += unexpected.len();
            first.extend(seqs(&unexpected, |number| producer.places.get(number)));
        }
        account.first.unexpected = lowest(first);
    }

    fn count_duplicates(&self, zone: &Zone, account: &mut Account) {
        for (p, producer) in self.producers.iter().enumerate() {
            let receipts = zone.producers.get(p);
            account.duplicates += receipts
                .map_or(producer.moved.len(), |seen| seen.moved.with(&producer.moved).len());
        }
        let mut first = zone.second.first(FIRST_OFFENDERS);
        first.extend(self.second.first(FIRST_OFFENDERS));
        account.first.duplicates = lowest(first);
    }

    fn count_late(&self, zone: &Zone, account: &mut Account) {
        let mut first = Vec::new();
        for (producer, receipts) in self.producers.iter().zip(&zone.producers) {
            let late = receipts.received.common(producer.places.late());
            let mut reordered = late.without(&producer.resent);
            account.late_by_resend += late.len() - reordered.len();
            if self.gap.is_some() {
                // And that it was sent again.
                account.unrecorded += reordered.len();
                reordered = NumberSet::default();
            }
            account.reordered += reordered.len();
            first.extend(seqs(&reordered, |number| producer.places.get(number)));
        }
        account.first.reordered = lowest(first);
    }
}

impl Ledger {
    /// What others acknowledged of a producer, and neither the zone nor its consumer has.
    fn owed(&self, zone: &Zone, p: usize) -> NumberSet {
        let owed = self.only_others_acked(p);
        match zone.producers.get(p) {
            Some(receipts) if !owed.is_empty() => owed.without(&receipts.received),
            _ => owed,
        }
    }

    /// Was it acknowledged before lines went missing that may have told of it?
    fn is_unsure(&self, seq: u64) -> bool {
        self.gap.as_ref().is_some_and(|gap| gap.unsure.contains(seq))
    }
}

impl Zone {
    /// What has not been received for certain: not because lines of the ledger are gone.
    pub(super) fn sure_missing(&self, ledger: &Ledger) -> Cow<'_, NumberSet> {
        match &ledger.gap {
            None => Cow::Borrowed(&self.missing),
            Some(gap) => Cow::Owned(self.missing.without(&gap.unsure)),
        }
    }
}

impl Account {
    /// Is anything wrong for certain? (`behind` is not: it may still come.)
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.lost == 0
            && self.duplicates == 0
            && self.reordered == 0
            && self.corrupt == 0
            && self.unexpected == 0
            && self.mismatched == 0
            && self.contradictions == 0
    }
}

impl From<&Account> for status::Ledger {
    /// What a screen shows. A message where another should stand is `unexpected` there.
    fn from(account: &Account) -> Self {
        Self {
            acked: account.acked,
            received: account.received,
            behind: account.behind + account.lost,
            lost: account.lost,
            duplicates: account.duplicates,
            redelivered: account.redelivered,
            processed_twice: account.processed_twice,
            reordered: account.reordered,
            corrupt: account.corrupt,
            unexpected: account.unexpected + account.mismatched,
            foreign: account.foreign,
            unrecorded: account.unrecorded,
            apart: account.apart,
        }
    }
}

/// Places of numbers, for the list of the lowest. Beyond a thousand numbers the rest is not
/// looked at: the list is then of the lowest numbers, which is near enough to begin looking.
pub(super) fn seqs(numbers: &NumberSet, place: impl Fn(u64) -> Option<u64>) -> Vec<u64> {
    numbers.iter().take(1000).filter_map(place).collect()
}

/// The lowest few, each once.
pub(super) fn lowest(mut seqs: Vec<u64>) -> Vec<u64> {
    seqs.sort_unstable();
    seqs.dedup();
    seqs.truncate(FIRST_OFFENDERS);
    seqs
}
