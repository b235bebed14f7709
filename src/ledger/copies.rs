//! Whether a copy holds what its origin holds, message by message, in the origin's order.
//!
//! Pure and bounded: both streams are fed in as they are read, side by side; what is kept are counts,
//! and the first differences. A copy that renumbers is compared by the origin's sequences, which its
//! messages carry.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::fingerprint::hash;

/// The most differences that are named one by one.
pub const MOST_NAMED: usize = 1000;
/// Message ids of the origin that are remembered, to know one that a copy's id window swallowed.
const REMEMBERED_IDS: usize = 1 << 16;

/// A message, boiled down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its sequence in the stream that it was read from.
    pub seq: u64,
    /// Its sequence at the origin; there the same.
    pub origin: u64,
    subject: u64,
    payload: u64,
    pub id: Option<String>,
}

impl Item {
    /// From what was read.
    #[must_use]
    pub fn new(seq: u64, origin: u64, subject: &str, id: Option<&str>, payload: &[u8]) -> Self {
        let id = id.map(str::to_owned);
        Self { seq, origin, subject: hash(&[subject.as_bytes()]), payload: hash(&[payload]), id }
    }
}

/// What is not as it should be with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The copy does not have it.
    Missing,
    /// The copy has it, after the origin's last.
    Beyond,
    /// The copy has it, and the origin, which never removes one, has it no more.
    LostAtOrigin,
    OtherId,
    OtherSubject,
    OtherPayload,
    /// The copy has it a second time.
    Twice,
    /// The copy has it after one that the origin has later.
    OutOfOrder,
}

/// Why one of two does not hold a message, where that is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Explained {
    /// The copy keeps what was deleted, purged, has gone by a limit, or was lost at the origin.
    GoneAtOrigin,
    /// The copy's limits have removed its beginning.
    CopyLimits,
    /// The copy's limits may remove any message, or it was lost: nobody can tell.
    LimitsOrLoss,
    /// The copy was told to begin later.
    CopyStart,
    /// The origin has the id twice, and the copy's id window dropped the second.
    Swallowed,
}

/// Adjoining messages with the same fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub fault: Fault,
    /// At the origin: the first and the last.
    pub first: u64,
    pub last: u64,
    /// How many messages.
    pub messages: u64,
    /// Where the first is in the copy, if it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_copy: Option<u64>,
    /// The first's message id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// What is known of the copy beside its messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// Subjects are changed on the way: they are not compared.
    pub other_subjects: bool,
    /// The copy has limits, by which its beginning may go.
    pub copy_is_limited: bool,
    /// And any message in it, not only the first.
    pub copy_is_limited_inside: bool,
    /// It was told to begin at a later message or time.
    pub copy_starts_late: bool,
    /// It remembers ids, and drops a second one.
    pub copy_drops_ids: bool,
    /// The origin never removes a message.
    pub origin_keeps_all: bool,
    /// The origin's last sequence.
    pub origin_last: u64,
    /// The origin's sequence of the first message in the copy, wherever the comparison begins.
    pub copy_begins: u64,
}

/// Which of two streams to read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Origin,
    Copy,
    Both,
}

/// The comparison as far as it has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    expected: Expectation,
    /// Messages that both hold and that were compared.
    pub compared: u64,
    /// The first differences.
    pub differences: Vec<Difference>,
    /// Messages that differ, named or not.
    pub differing: u64,
    /// How often what is as it should be.
    pub explained: Vec<(Explained, u64)>,
    /// Of the origin's sequences in the copy.
    highest: u64,
    ids: HashMap<u64, u64>,
    order: VecDeque<u64>,
}

impl Comparison {
    /// A comparison with nothing compared yet.
    #[must_use]
    pub fn new(expected: Expectation) -> Self {
        Self { expected, ..Self::default() }
    }

    /// Compares the next message of each; `None` where a stream has come to its end.
    pub fn step(&mut self, origin: Option<&Item>, copy: Option<&Item>) -> Next {
        if let Some(copy) = copy
            && self.disorder(copy)
        {
            return Next::Copy;
        }
        match (origin, copy) {
            (Some(ours), Some(theirs)) if ours.origin == theirs.origin => {
                self.highest = theirs.origin;
                self.both(ours, theirs);
                self.remember(ours);
                Next::Both
            }
            (Some(ours), theirs) if theirs.is_none_or(|theirs| ours.origin < theirs.origin) => {
                self.missing(ours);
                self.remember(ours);
                Next::Origin
            }
            (_, Some(theirs)) => {
                self.highest = theirs.origin;
                if theirs.origin > self.expected.origin_last {
                    self.fault(Fault::Beyond, theirs, Some(theirs.seq));
                } else if self.expected.origin_keeps_all {
                    self.fault(Fault::LostAtOrigin, theirs, Some(theirs.seq));
                } else {
                    self.explain(Explained::GoneAtOrigin, 1);
                }
                Next::Copy
            }
            (_, None) => Next::Both,
        }
    }

    /// Whether the copy has a message where it should not be.
    fn disorder(&mut self, copy: &Item) -> bool {
        let fault = match copy.origin {
            origin if origin > self.highest => return false,
            origin if origin == self.highest => Fault::Twice,
            _ => Fault::OutOfOrder,
        };
        self.fault(fault, copy, Some(copy.seq));
        true
    }

    fn both(&mut self, ours: &Item, theirs: &Item) {
        self.compared += 1;
        let other_subject = ours.subject != theirs.subject && !self.expected.other_subjects;
        let faults = [
            (ours.id != theirs.id, Fault::OtherId),
            (other_subject, Fault::OtherSubject),
            (ours.payload != theirs.payload, Fault::OtherPayload),
        ];
        for (_, fault) in faults.into_iter().filter(|(wrong, _)| *wrong) {
            self.fault(fault, ours, Some(theirs.seq));
        }
    }

    fn missing(&mut self, ours: &Item) {
        let swallowed = self.expected.copy_drops_ids
            && ours.id.as_deref().is_some_and(|id| self.ids.contains_key(&hash(&[id.as_bytes()])));
        let explained = match ours.origin >= self.expected.copy_begins {
            _ if swallowed => Explained::Swallowed,
            false if self.expected.copy_starts_late => Explained::CopyStart,
            false if self.expected.copy_is_limited => Explained::CopyLimits,
            true if self.expected.copy_is_limited_inside => Explained::LimitsOrLoss,
            _ => return self.fault(Fault::Missing, ours, None),
        };
        self.explain(explained, 1);
    }

    fn remember(&mut self, ours: &Item) {
        let Some(id) = ours.id.as_deref().filter(|_| self.expected.copy_drops_ids) else { return };
        let id = hash(&[id.as_bytes()]);
        if self.ids.insert(id, ours.origin).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > REMEMBERED_IDS
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }

    /// Counts what is as it should be.
    pub fn explain(&mut self, why: Explained, messages: u64) {
        match self.explained.iter_mut().find(|(one, _)| *one == why) {
            Some((_, count)) => *count += messages,
            None => self.explained.push((why, messages)),
        }
    }

    fn fault(&mut self, fault: Fault, item: &Item, in_copy: Option<u64>) {
        self.differing += 1;
        let adjoins = |last: &&mut Difference| {
            last.fault == fault && last.last + 1 == item.origin && in_copy.is_none()
        };
        if let Some(last) = self.differences.last_mut().filter(adjoins) {
            last.last = item.origin;
            last.messages += 1;
        } else if self.differences.len() < MOST_NAMED {
            let (first, last) = (item.origin, item.origin);
            let id = item.id.clone();
            self.differences.push(Difference { fault, first, last, messages: 1, in_copy, id });
        }
    }

    /// A message that was missed, and that a second look found in both: it is compared after all.
    pub fn found_late(&mut self, ours: &Item, theirs: &Item) {
        let missed = |one: &Difference| {
            one.fault == Fault::Missing && one.messages == 1 && one.first == ours.origin
        };
        let before = self.differences.len();
        self.differences.retain(|one| !missed(one));
        if self.differences.len() < before {
            self.differing -= 1;
            self.both(ours, theirs);
        }
    }

    /// What was missing below a sequence has gone by the copy's limits while it was read.
    pub fn gone_from_copy(&mut self, first_in_copy: u64) {
        let mut gone = 0;
        self.differences.retain(|one| {
            let below = one.fault == Fault::Missing && one.last < first_in_copy;
            gone += if below { one.messages } else { 0 };
            !below
        });
        if gone > 0 {
            self.differing -= gone;
            self.explain(Explained::CopyLimits, gone);
        }
    }
}

#[cfg(test)]
mod tests;
