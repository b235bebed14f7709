//! What one zone's consumer has received, and what of it does not fit.

use std::collections::BTreeSet;

use super::{
    producer::{Producer, Run},
    set::NumberSet,
};
use crate::region::ZoneName;

/// Redeliveries of one sequence are counted up to this many.
const MOST_REDELIVERIES: usize = 64;

/// What is known of one zone.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    pub(super) name: ZoneName,
    /// By the producer's index in the ledger.
    pub(super) producers: Vec<Receipts>,
    /// Distinct messages received.
    pub(super) received: u64,
    /// Of them, acknowledged ones.
    pub(super) received_acked: u64,
    /// Sequences processed.
    pub(super) seen: NumberSet,
    /// Sequences processed more than once.
    pub(super) twice: NumberSet,
    /// Sequences delivered at least twice, three times, …
    pub(super) again: Vec<NumberSet>,
    pub(super) corrupt: NumberSet,
    pub(super) foreign: NumberSet,
    /// What it saw that does not fit: derived from it are `mismatched`, `second` and `moved`.
    odd: Oddities,
    /// Sequences where this zone saw another message than the one that stands there.
    pub(super) mismatched: NumberSet,
    /// Sequences where nothing should stand, but this zone saw a message from elsewhere.
    pub(super) second: NumberSet,
    /// Sequences of acknowledged messages that have not been received, not even damaged.
    pub(super) missing: NumberSet,
}

/// What a zone has received of one producer, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Receipts {
    pub(super) received: NumberSet,
    /// Received, but never intended.
    pub(super) strays: NumberSet,
    /// Received at a sequence where nothing should stand.
    pub(super) moved: NumberSet,
}

impl Zone {
    /// A zone that has received nothing of what was acknowledged.
    pub(super) fn new(name: ZoneName, missing: NumberSet) -> Self {
        Self {
            name,
            producers: Vec::new(),
            received: 0,
            received_acked: 0,
            seen: NumberSet::default(),
            twice: NumberSet::default(),
            again: Vec::new(),
            corrupt: NumberSet::default(),
            foreign: NumberSet::default(),
            odd: Oddities::default(),
            mismatched: NumberSet::default(),
            second: NumberSet::default(),
            missing,
        }
    }

    /// The producer's receipts, made when first asked for.
    fn receipts(&mut self, producer: usize) -> &mut Receipts {
        if self.producers.len() <= producer {
            self.producers.resize_with(producer + 1, Receipts::default);
        }
        &mut self.producers[producer]
    }

    pub(super) fn has(&self, producer: usize, number: u64) -> bool {
        self.producers.get(producer).is_some_and(|r| r.received.contains(number))
    }

    pub(super) fn count(&self, run: Run) -> u64 {
        self.producers.get(run.p).map_or(0, |r| r.received.count(run.n, run.c))
    }

    /// Did the zone see that message at the place where it stands?
    fn saw(&self, producer: usize, number: u64, seq: u64) -> bool {
        let ambiguous = self.odd.at(seq, 1).next().is_some()
            && self.odd.of(producer, number, 1).next().is_some();
        self.has(producer, number) && self.seen.contains(seq) && !ambiguous
    }

    /// A run that was received where it stands.
    pub(super) fn receive(&mut self, producer: &Producer, run: Run, delivery: u64) {
        let seen = self.seen.count(run.s, run.c);
        let had = self.count(run);
        if (seen > 0 && seen < run.c) || (had > 0 && had < run.c) {
            run.each().for_each(|one| self.receive(producer, one, delivery));
            return;
        }
        self.process(run, delivery);
        if had == 0 {
            self.note(producer, run);
            self.missing.remove(run.s, run.c);
        }
    }

    /// Sequences were processed: all of them, or none, for the first time.
    fn process(&mut self, run: Run, delivery: u64) {
        if self.seen.insert(run.s, run.c) == 0 {
            self.twice.insert(run.s, run.c);
        }
        let repeats = usize::try_from(delivery.saturating_sub(1)).unwrap_or(usize::MAX);
        let repeats = repeats.min(MOST_REDELIVERIES);
        if self.again.len() < repeats {
            self.again.resize_with(repeats, NumberSet::default);
        }
        for layer in &mut self.again[..repeats] {
            layer.insert(run.s, run.c);
        }
    }

    /// Messages were received that had not been before.
    fn note(&mut self, producer: &Producer, run: Run) {
        self.received += run.c;
        self.received_acked += producer.acked.count(run.n, run.c);
        let receipts = self.receipts(run.p);
        receipts.received.insert(run.n, run.c);
        if producer.intended.count(run.n, run.c) < run.c {
            for one in run.each().filter(|one| !producer.intended.contains(one.n)) {
                receipts.strays.insert(one.n, 1);
            }
        }
    }

    /// One message that was received where it does not stand.
    pub(super) fn receive_odd(&mut self, ground: Ground<'_>, one: Run, delivery: u64) {
        self.process(one, delivery);
        self.odd.insert(Claim { p: one.p, n: one.n, s: one.s });
        let producer = &ground.producers[one.p];
        if !self.has(one.p, one.n) {
            self.note(producer, one);
        }
        if let Some(place) = producer.places.get(one.n) {
            self.missing.remove(place, 1);
        }
        self.review(ground, one);
    }

    /// A message will stand at `seq` no longer: whoever saw it there saw something odd.
    pub(super) fn vacate(&mut self, producer: usize, number: u64, seq: u64) {
        if self.saw(producer, number, seq) {
            self.odd.insert(Claim { p: producer, n: number, s: seq });
        }
    }

    /// The places of a run have changed: what this zone saw there is judged again.
    pub(super) fn review(&mut self, ground: Ground<'_>, run: Run) {
        if self.odd.is_empty() && self.foreign.is_empty() {
            return;
        }
        let mut claims: Vec<Claim> = self.odd.at(run.s, run.c).collect();
        claims.extend(self.odd.of(run.p, run.n, run.c));
        let mut seqs: BTreeSet<u64> = claims.iter().map(|claim| claim.s).collect();
        seqs.extend((run.s..=run.s + (run.c - 1)).filter(|seq| self.foreign.contains(*seq)));
        for claim in &claims {
            if ground.stands(*claim) {
                self.odd.remove(*claim);
            }
        }
        for seq in seqs {
            let claimed = self.odd.at(seq, 1).next().is_some();
            let owned = ground.taken.contains(seq);
            self.mismatched.set(seq, owned && (claimed || self.foreign.contains(seq)));
            self.second.set(seq, claimed && !owned);
        }
        for Claim { p, n, .. } in claims {
            let moved = self.odd.of(p, n, 1).any(|claim| !ground.taken.contains(claim.s));
            self.receipts(p).moved.set(n, moved);
        }
    }
}

/// What all zones agree on: where messages stand.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) producers: &'a [Producer],
    /// The sequences at which messages stand.
    pub(super) taken: &'a NumberSet,
}

impl Ground<'_> {
    fn stands(self, claim: Claim) -> bool {
        self.producers[claim.p].places.get(claim.n) == Some(claim.s)
    }
}

/// A zone saw this message at this sequence.
#[derive(Clone, Copy, Debug)]
struct Claim {
    p: usize,
    n: u64,
    s: u64,
}

/// Claims that do not fit where messages stand. Exceptions, so each is kept as it is.
#[derive(Clone, Debug, Default)]
struct Oddities {
    by_seq: BTreeSet<(u64, usize, u64)>,
    by_message: BTreeSet<(usize, u64, u64)>,
}

impl Oddities {
    fn is_empty(&self) -> bool {
        self.by_seq.is_empty()
    }

    fn insert(&mut self, Claim { p, n, s }: Claim) {
        self.by_seq.insert((s, p, n));
        self.by_message.insert((p, n, s));
    }

    fn remove(&mut self, Claim { p, n, s }: Claim) {
        self.by_seq.remove(&(s, p, n));
        self.by_message.remove(&(p, n, s));
    }

    /// The claims about a run of sequences.
    fn at(&self, seq: u64, count: u64) -> impl Iterator<Item = Claim> + '_ {
        let range = (seq, 0, 0)..=(seq + (count - 1), usize::MAX, u64::MAX);
        self.by_seq.range(range).map(|&(s, p, n)| Claim { p, n, s })
    }

    /// The claims about a run of messages.
    fn of(&self, producer: usize, number: u64, count: u64) -> impl Iterator<Item = Claim> + '_ {
        let range = (producer, number, 0)..=(producer, number + (count - 1), u64::MAX);
        self.by_message.range(range).map(|&(p, n, s)| Claim { p, n, s })
    }
}
