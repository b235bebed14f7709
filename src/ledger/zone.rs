//! What one zone's consumer has received, and what of it does not fit.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    producer::{Producer, Run},
    set::{NumberSet, Stretch},
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
    pub(super) received: u64,
    /// Of them, acknowledged ones.
    pub(super) received_acked: u64,
    pub(super) seen: NumberSet,
    /// Sequences processed more than once.
    pub(super) twice: NumberSet,
    /// Sequences delivered at least twice, three times, …
    pub(super) again: Vec<NumberSet>,
    pub(super) corrupt: NumberSet,
    pub(super) foreign: NumberSet,
    /// Of `foreign`: no drill messages, or from before this ledger began.
    pub(super) plain: NumberSet,
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
    /// Received, but not announced.
    pub(super) unannounced: NumberSet,
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
            plain: NumberSet::default(),
            odd: Oddities::default(),
            mismatched: NumberSet::default(),
            second: NumberSet::default(),
            missing,
        }
    }

    /// The producer's receipts, made when first asked for.
    fn receipts(&mut self, producer: usize) -> &mut Receipts {
        self.producers.resize_with(self.producers.len().max(producer + 1), Receipts::default);
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
        let ambiguous = self.odd.at(seq, 1).next().is_some() && self.odd.has(producer, number);
        self.has(producer, number) && self.seen.contains(seq) && !ambiguous
    }

    /// A run that was received where it stands.
    pub(super) fn receive(&mut self, producer: &Producer, mut run: Run, delivery: u64) {
        while run.c > 0 {
            let seen = self.seen.stretch(run.s, run.c);
            let had = match self.producers.get(run.p) {
                Some(receipts) => receipts.received.stretch(run.n, seen.count),
                None => Stretch { member: false, ..seen },
            };
            let part = run.head(had.count);
            self.process(part, delivery);
            if !had.member {
                self.note(producer, part);
                self.missing.remove(part.s, part.c);
            }
            run = run.skip(part.c);
        }
    }

    /// A run that stands where it was acknowledged, and was not acknowledged before.
    pub(super) fn acknowledged(&mut self, run: Run) {
        let nothing = NumberSet::default();
        let receipts = self.producers.get(run.p).map_or(&nothing, |receipts| &receipts.received);
        for stretch in receipts.stretches(run.n, run.c) {
            if stretch.member {
                self.received_acked += stretch.count;
            } else {
                let seq = run.s + (stretch.first - run.n);
                self.missing.insert_absent(&self.corrupt, seq, stretch.count);
            }
        }
    }

    /// Sequences were processed: all of them, or none, for the first time.
    fn process(&mut self, run: Run, delivery: u64) {
        if self.seen.insert(run.s, run.c) == 0 {
            self.twice.insert(run.s, run.c);
        }
        let repeats = usize::try_from(delivery.saturating_sub(1)).unwrap_or(usize::MAX);
        let repeats = repeats.min(MOST_REDELIVERIES);
        self.again.resize_with(self.again.len().max(repeats), NumberSet::default);
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
        receipts.unannounced.insert_absent(&producer.intended, run.n, run.c);
    }

    /// One message that was received where it does not stand. `taken`: another one stands there.
    pub(super) fn receive_odd(
        &mut self,
        producer: &Producer,
        one: Run,
        taken: bool,
        delivery: u64,
    ) {
        self.process(one, delivery);
        if !self.has(one.p, one.n) {
            self.note(producer, one);
        }
        if let Some(place) = producer.places.get(one.n) {
            self.missing.remove(place, 1);
        }
        self.odd.insert(Claim { p: one.p, n: one.n, s: one.s }, taken);
        self.review(one.s, taken);
        self.review_message(one.p, one.n);
    }

    /// A message will stand at `seq` no longer: whoever saw it there saw something odd.
    pub(super) fn vacated(&mut self, producer: usize, number: u64, seq: u64) {
        if self.saw(producer, number, seq) {
            self.odd.insert(Claim { p: producer, n: number, s: seq }, true);
        }
        let claims: Vec<Claim> = self.odd.at(seq, 1).collect();
        for claim in claims {
            self.odd.stray(claim);
            self.review_message(claim.p, claim.n);
        }
        self.review(seq, false);
    }

    /// A run stands now where nothing stood.
    pub(super) fn occupied(&mut self, run: Run) {
        let claims: Vec<Claim> = self.odd.at(run.s, run.c).collect();
        for claim in claims {
            let stands = claim.p == run.p && claim.n.checked_sub(run.n) == Some(claim.s - run.s);
            self.odd.found(claim, stands);
            self.review(claim.s, true);
            self.review_message(claim.p, claim.n);
        }
        self.mismatched.insert_common(&self.foreign, run.s, run.c);
    }

    /// Judges what this zone saw at a sequence. `taken`: a message stands there.
    fn review(&mut self, seq: u64, taken: bool) {
        let claimed = self.odd.at(seq, 1).next().is_some();
        self.mismatched.set(seq, taken && claimed);
        self.second.set(seq, claimed && !taken);
    }

    /// Judges whether this zone saw a message where nothing stands.
    fn review_message(&mut self, producer: usize, number: u64) {
        let moved = self.odd.is_astray(producer, number);
        self.receipts(producer).moved.set(number, moved);
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
    by_message: BTreeMap<(usize, u64), Claims>,
}

/// How many claims there are of one message.
#[derive(Clone, Copy, Debug, Default)]
struct Claims {
    all: u64,
    /// At sequences where nothing stands.
    astray: u64,
}

impl Oddities {
    /// `taken`: another message stands there.
    fn insert(&mut self, Claim { p, n, s }: Claim, taken: bool) {
        if self.by_seq.insert((s, p, n)) {
            let claims = self.by_message.entry((p, n)).or_default();
            claims.all += 1;
            claims.astray += u64::from(!taken);
        }
    }

    /// Nothing stands any more where the claim is.
    fn stray(&mut self, Claim { p, n, .. }: Claim) {
        if let Some(claims) = self.by_message.get_mut(&(p, n)) {
            claims.astray += 1;
        }
    }

    /// Something stands now where the claim is. `stands`: what it claims, so that it fits.
    fn found(&mut self, Claim { p, n, s }: Claim, stands: bool) {
        let Some(claims) = self.by_message.get_mut(&(p, n)) else { return };
        claims.astray = claims.astray.saturating_sub(1);
        if stands {
            claims.all -= 1;
            if claims.all == 0 {
                self.by_message.remove(&(p, n));
            }
            self.by_seq.remove(&(s, p, n));
        }
    }

    fn is_astray(&self, producer: usize, number: u64) -> bool {
        self.by_message.get(&(producer, number)).is_some_and(|claims| claims.astray > 0)
    }

    fn has(&self, producer: usize, number: u64) -> bool {
        self.by_message.contains_key(&(producer, number))
    }

    /// The claims about a run of sequences.
    fn at(&self, seq: u64, count: u64) -> impl Iterator<Item = Claim> + '_ {
        let range = (seq, 0, 0)..=(seq + (count - 1), usize::MAX, u64::MAX);
        self.by_seq.range(range).map(|&(s, p, n)| Claim { p, n, s })
    }
}
