//! Records on their way to the evidence keeper; neighbours become one.

use tokio::time::Instant;

use super::window::Span;
use crate::{ledger::record::Record, nats::wire::now_ms};

/// An acknowledgement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ack<'a> {
    pub(super) number: u64,
    pub(super) seq: u64,
    pub(super) domain: &'a str,
    pub(super) duplicate: bool,
}

/// Records in the order in which things happened.
#[derive(Debug)]
pub(super) struct Notes {
    producer: u32,
    records: Vec<Record>,
    /// Messages they speak of.
    messages: usize,
    since: Option<Instant>,
}

impl Notes {
    pub(super) fn new(producer: u32) -> Self {
        Self { producer, records: Vec::new(), messages: 0, since: None }
    }

    fn started(&mut self, messages: u64) {
        self.since.get_or_insert_with(Instant::now);
        self.messages =
            self.messages.saturating_add(usize::try_from(messages).unwrap_or(usize::MAX));
    }

    pub(super) fn acked(&mut self, ack: Ack<'_>) {
        self.started(1);
        if let Some(Record::Acked { n, c, s, d, dup, .. }) = self.records.last_mut()
            && *n + *c == ack.number
            && *s + *c == ack.seq
            && *dup == ack.duplicate
            && d == ack.domain
        {
            *c += 1;
            return;
        }
        self.records.push(Record::Acked {
            p: self.producer,
            n: ack.number,
            c: 1,
            s: ack.seq,
            d: ack.domain.to_owned(),
            dup: ack.duplicate,
            at: now_ms(),
        });
    }

    pub(super) fn failed(&mut self, (first, count): Span, why: String) {
        self.started(count);
        if let Some(Record::Failed { n, c, why: last, .. }) = self.records.last_mut()
            && *n + *c == first
            && *last == why
        {
            *c += count;
            return;
        }
        self.records.push(Record::Failed {
            p: self.producer,
            n: first,
            c: count,
            why,
            at: now_ms(),
        });
    }

    /// Announced, and then not sent after all.
    pub(super) fn withdrawn(&mut self, (first, count): Span) {
        self.started(count);
        self.records.push(Record::Withdrawn { p: self.producer, n: first, c: count, at: now_ms() });
    }

    pub(super) fn unknown(&mut self, (first, count): Span) {
        self.started(count);
        if let Some(Record::Unknown { n, c, .. }) = self.records.last_mut()
            && *n + *c == first
        {
            *c += count;
            return;
        }
        self.records.push(Record::Unknown { p: self.producer, n: first, c: count, at: now_ms() });
    }

    pub(super) fn resent(&mut self, number: u64) {
        self.started(1);
        self.records.push(Record::Resent { p: self.producer, n: number, c: 1, at: now_ms() });
    }

    /// When the oldest record was made.
    pub(super) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Messages spoken of since the last [`Self::take`].
    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    pub(super) fn take(&mut self) -> Vec<Record> {
        self.messages = 0;
        self.since = None;
        std::mem::take(&mut self.records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_become_one_record() {
        let mut notes = Notes::new(3);
        let ack = |number, seq| Ack { number, seq, domain: "zone-a", duplicate: false };
        notes.acked(ack(1, 11));
        notes.acked(ack(2, 12));
        notes.acked(ack(3, 14));
        notes.acked(Ack { duplicate: true, ..ack(4, 15) });
        notes.acked(Ack { domain: "zone-b", duplicate: true, ..ack(5, 16) });
        notes.failed((6, 1), "full".into());
        notes.failed((7, 2), "full".into());
        notes.failed((9, 1), "other".into());
        notes.unknown((10, 2));
        notes.unknown((12, 1));
        assert_eq!(notes.messages(), 12);
        let counts: Vec<u64> = notes
            .take()
            .iter()
            .map(|record| match record {
                Record::Acked { c, .. } | Record::Failed { c, .. } | Record::Unknown { c, .. } => {
                    *c
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(counts, [2, 1, 1, 1, 3, 1, 3]);
        assert!(notes.take().is_empty() && notes.since().is_none());
    }
}
