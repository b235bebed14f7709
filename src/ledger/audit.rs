//! A zone's whole stream, read once more from its first message to its last and looked at: the
//! part of `verify` that does not believe the consumers.
//!
//! What it keeps is small (a digest a thousand messages, and the places of messages as the ledger
//! keeps them), so that millions can be read.

use std::collections::{BTreeMap, HashSet};

use super::{
    Ledger,
    fingerprint::{Fidelity, Fingerprint, Print, compare_through, hash},
    message::{Fault, MessageId, RunId, decode},
    sequence_index::SequenceIndex,
    set::NumberSet,
};
use crate::region::ZoneName;

/// A message as it was read from a stream.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub seq: u64,
    pub subject: &'a str,
    /// The subject is one that this region's producers use.
    pub subject_fits: bool,
    /// Its `Nats-Msg-Id`, if it has one.
    pub id: Option<&'a str>,
    pub payload: &'a [u8],
}

impl Entry<'_> {
    /// What must be equal in every zone.
    #[must_use]
    pub fn print(&self) -> Print {
        let id = self.id.unwrap_or_default();
        let hash = hash(&[self.subject.as_bytes(), id.as_bytes(), self.payload]);
        Print { seq: self.seq, hash }
    }
}

/// What one zone's stream holds.
#[derive(Clone, Debug)]
pub struct StreamAudit {
    pub(super) zone: ZoneName,
    pub(super) run: RunId,
    pub(super) fingerprint: Fingerprint,
    pub(super) producers: BTreeMap<u32, Held>,
    /// Sequences of damaged messages, and of whole ones under a wrong id or subject.
    pub(super) corrupt: NumberSet,
    /// Sequences of messages that are not of this run.
    pub(super) foreign: NumberSet,
    /// Of `foreign`: no drill messages.
    pub(super) plain: NumberSet,
    /// Sequences of messages that stand elsewhere, too.
    pub(super) second: NumberSet,
    /// Sequences of messages with an id that stands before them, too: a copy that remembers ids may
    /// drop them.
    pub(super) repeated: NumberSet,
    /// The fingerprint without them; `None` while there are none.
    pub(super) once: Option<Fingerprint>,
    /// Hashes of the ids of messages that are not of this run.
    other_ids: HashSet<u64>,
}

/// Ids of messages that are not of this run are remembered up to so many.
const MOST_OTHER_IDS: usize = 1 << 16;

/// What the stream holds of one producer.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    pub(super) places: SequenceIndex,
    pub(super) numbers: NumberSet,
    /// Numbers found at a second sequence.
    pub(super) moved: NumberSet,
}

/// What became of the acknowledged messages on a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Missing {
    /// Acknowledged sequences of messages that are nowhere on the stream.
    pub(super) seqs: NumberSet,
    /// Acknowledged sequences of messages that stand at another one.
    pub(super) misplaced: NumberSet,
    /// Messages that only others acknowledged and that are owed here, and are nowhere on it.
    pub(super) owed: u64,
}

impl StreamAudit {
    /// Nothing read yet.
    #[must_use]
    pub fn new(zone: ZoneName, run: RunId) -> Self {
        Self {
            zone,
            run,
            fingerprint: Fingerprint::default(),
            producers: BTreeMap::new(),
            corrupt: NumberSet::default(),
            foreign: NumberSet::default(),
            plain: NumberSet::default(),
            second: NumberSet::default(),
            repeated: NumberSet::default(),
            once: None,
            other_ids: HashSet::new(),
        }
    }

    /// Whose stream it is.
    #[must_use]
    pub fn zone(&self) -> &ZoneName {
        &self.zone
    }

    /// The stream, condensed for comparison.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// How many messages of a producer it holds, of those runs: a first number and how many each.
    #[must_use]
    pub fn holds(&self, producer: u32, runs: &[(u64, u64)]) -> u64 {
        let held = self.producers.get(&producer).map(|held| &held.numbers);
        held.map_or(0, |held| runs.iter().map(|(first, count)| held.count(*first, *count)).sum())
    }

    /// Takes the next message in. Sequences ascend; a message that comes again because reading was
    /// begun again is left out.
    pub fn feed(&mut self, entry: &Entry<'_>) {
        if entry.seq <= self.fingerprint.last() {
            return;
        }
        let decoded = decode(entry.payload);
        let ours = decoded.as_ref().ok().map(|decoded| &decoded.id);
        let repeated = self.repeats(entry, ours.filter(|id| id.run == self.run));
        if repeated {
            self.once.get_or_insert_with(|| self.fingerprint.clone());
        }
        if !self.fingerprint.push(entry.print()) {
            return;
        }
        if repeated {
            self.repeated.insert(entry.seq, 1);
        } else if let Some(once) = &mut self.once {
            once.push(entry.print());
        }
        let id = match decoded {
            Ok(decoded) if decoded.id.run == self.run => decoded.id,
            other @ (Ok(_) | Err(Fault::Foreign)) => {
                self.foreign.insert(entry.seq, 1);
                self.plain.set(entry.seq, other.is_err());
                return;
            }
            Err(Fault::Damaged(_)) => {
                self.corrupt.insert(entry.seq, 1);
                return;
            }
        };
        let labelled = entry.id.is_some_and(|label| label.parse().is_ok_and(|label| id == label));
        if !labelled || !entry.subject_fits {
            self.corrupt.insert(entry.seq, 1);
        }
        let producer = self.producers.entry(id.producer).or_default();
        if producer.numbers.insert(id.number, 1) == 1 {
            producer.places.set(id.number, entry.seq, 1);
        } else {
            producer.moved.insert(id.number, 1);
            self.second.insert(entry.seq, 1);
        }
    }

    /// Whether a message's id stands before it; `ours` is what a message of this run says it is.
    fn repeats(&mut self, entry: &Entry<'_>, ours: Option<&MessageId>) -> bool {
        let Some(label) = entry.id else { return false };
        match ours {
            Some(id) if label.parse().as_ref() == Ok(id) => {
                let held = self.producers.get(&id.producer);
                held.is_some_and(|held| held.numbers.contains(id.number))
            }
            _ if self.other_ids.len() < MOST_OTHER_IDS => {
                !self.other_ids.insert(hash(&[label.as_bytes()]))
            }
            _ => self.other_ids.contains(&hash(&[label.as_bytes()])),
        }
    }

    /// Takes in a message of a copy whose sequence at the source does not ascend: it was copied a
    /// second time, or after a later one. The copy equals nothing then.
    pub fn feed_disordered(&mut self, entry: &Entry<'_>) {
        self.fingerprint.taint(entry.print());
        self.second.insert(entry.seq, 1);
        if let Ok(decoded) = decode(entry.payload)
            && decoded.id.run == self.run
        {
            let producer = self.producers.entry(decoded.id.producer).or_default();
            producer.numbers.insert(decoded.id.number, 1);
            producer.moved.insert(decoded.id.number, 1);
        }
    }

    /// Messages after a sequence that are no drill messages.
    #[must_use]
    pub fn plain_after(&self, seq: u64) -> u64 {
        self.plain.len() - self.plain.count_up_to(seq)
    }

    /// The acknowledged messages that are not on it: the first and the last sequence, and how many.
    #[must_use]
    pub fn lacks(&self, ledger: &Ledger) -> Option<(u64, u64, u64)> {
        let missing = self.missing(ledger.line(&self.zone)).seqs;
        Some((missing.iter().next()?, missing.max()?, missing.len()))
    }

    /// Looks for every acknowledged message. One that is there, but damaged, is not missing.
    pub(super) fn missing(&self, ledger: &Ledger) -> Missing {
        let mut missing = Missing::default();
        let nothing = Held::default();
        for (p, producer) in ledger.producers.iter().enumerate() {
            let held = self.producers.get(&producer.id).unwrap_or(&nothing);
            for (mut number, mut seq, mut left) in producer.places.runs() {
                while left > 0 {
                    let piece = held.places.piece(number, left);
                    if piece.seq != Some(seq) {
                        // Not all of a run need have been acknowledged.
                        for acked in producer.acked.stretches(number, piece.count) {
                            let at = seq + (acked.first - number);
                            // One that a promoted zone holds twice is told as such.
                            let twice = || {
                                ledger.is_line
                                    && held.moved.count(acked.first, acked.count) == acked.count
                            };
                            match piece.seq {
                                _ if !acked.member || twice() => {}
                                Some(_) => drop(missing.misplaced.insert(at, acked.count)),
                                None => {
                                    missing.seqs.insert_absent(&self.corrupt, at, acked.count);
                                }
                            }
                        }
                    }
                    left -= piece.count;
                    // Both may leave u64 only after the last turn.
                    number = number.wrapping_add(piece.count);
                    seq = seq.wrapping_add(piece.count);
                }
            }
            missing.owed += ledger.only_others_acked(p).without(&held.numbers).len();
            for (number, seq) in &producer.unplaced {
                if !held.numbers.contains(*number) {
                    missing.seqs.insert(*seq, 1);
                }
            }
        }
        missing
    }
}

/// Compares a copy that remembers ids with its source, each with the last sequence it has ever had.
/// What the copy does not hold because the source has its id twice is told apart from what differs.
#[must_use]
pub fn compare_copy(source: (&StreamAudit, u64), copy: (&StreamAudit, u64)) -> Fidelity {
    let theirs = (&copy.0.fingerprint, copy.1);
    let whole = compare_through((&source.0.fingerprint, source.1), theirs);
    let Some(once) = source.0.once.as_ref().filter(|_| !whole.is_equal()) else {
        return whole;
    };
    // It lost exactly those, or something else is wrong as well.
    let end = source.1.max(source.0.fingerprint.last());
    // Behind the copy's last message there are only such: nothing else is to come.
    let ends_there = once.last() == copy.0.fingerprint.last();
    let there = if ends_there { end.max(copy.1) } else { copy.1 };
    let rest = compare_through((once, end), (&copy.0.fingerprint, there));
    if !rest.differing.is_empty() {
        return whole;
    }
    let swallowed = source.0.repeated.up_to(rest.equal_through);
    if swallowed.is_empty() {
        return whole;
    }
    Fidelity { swallowed: swallowed.len(), first_swallowed: swallowed.iter().next(), ..rest }
}
