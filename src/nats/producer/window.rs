//! Messages that were sent and whose outcome is open: bookkeeping.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::{nats::wire::now_ms, region::UnixMs};

/// What is known of one message.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Slot {
    /// Sent then; the answer may still come.
    Waiting { sent: Instant, first: FirstSent },
    /// No clear answer came.
    Unknown { first: FirstSent },
    /// Its outcome is known.
    Settled,
}

/// When a message was sent for the first time, by the clock that stands still while the machine
/// sleeps, and by the one that goes on, as the servers' do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FirstSent {
    at: Instant,
    at_ms: UnixMs,
}

impl FirstSent {
    /// How long ago that is at most.
    pub(super) fn ago(self) -> Duration {
        self.at.elapsed().max(Duration::from_millis(now_ms().saturating_sub(self.at_ms)))
    }
}

/// First number and how many.
pub(super) type Span = (u64, u64);

/// Adds the next number to spans.
fn lengthen(spans: &mut Vec<Span>, number: u64) {
    match spans.last_mut() {
        Some((first, count)) if *first + *count == number => *count += 1,
        _ => spans.push((number, 1)),
    }
}

/// Consecutive numbers from the oldest unsettled one to the newest sent one.
#[derive(Debug)]
pub(super) struct Window {
    base: u64,
    slots: VecDeque<Slot>,
    waiting: usize,
    unknown: usize,
}

impl Window {
    /// An empty window; the next number to be sent is `first`.
    pub(super) fn new(first: u64) -> Self {
        Self { base: first, slots: VecDeque::new(), waiting: 0, unknown: 0 }
    }

    /// The next number was sent.
    pub(super) fn push(&mut self, sent: Instant) {
        let first = FirstSent { at: sent, at_ms: now_ms() };
        self.slots.push_back(Slot::Waiting { sent, first });
        self.waiting += 1;
    }

    /// A number's outcome is open.
    pub(super) fn is_open(&self, number: u64) -> bool {
        let at = number.checked_sub(self.base).and_then(|at| usize::try_from(at).ok());
        let slot = at.and_then(|at| self.slots.get(at));
        slot.is_some_and(|slot| *slot != Slot::Settled)
    }

    /// How many numbers it spans.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Nothing is open.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// How many may still be answered.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many had no clear answer.
    pub(super) fn unknown(&self) -> usize {
        self.unknown
    }

    fn slot(&mut self, number: u64) -> Option<&mut Slot> {
        let at = usize::try_from(number.checked_sub(self.base)?).ok()?;
        self.slots.get_mut(at)
    }

    /// The outcome of a number is known. Returns whether it was open.
    pub(super) fn settle(&mut self, number: u64) -> bool {
        let Some(slot) = self.slot(number) else { return false };
        match std::mem::replace(slot, Slot::Settled) {
            Slot::Waiting { .. } => self.waiting -= 1,
            Slot::Unknown { .. } => self.unknown -= 1,
            Slot::Settled => return false,
        }
        while self.slots.front() == Some(&Slot::Settled) {
            self.slots.pop_front();
            self.base += 1;
        }
        true
    }

    /// The answer to a number was unclear. Returns whether it was waited for.
    pub(super) fn mark_unknown(&mut self, number: u64) -> bool {
        let Some(slot) = self.slot(number) else { return false };
        let Slot::Waiting { first, .. } = *slot else { return false };
        *slot = Slot::Unknown { first };
        self.waiting -= 1;
        self.unknown += 1;
        true
    }

    /// Gives up waiting for what was sent at `limit` or before, and says what that was.
    pub(super) fn expire(&mut self, limit: Instant) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for (number, slot) in (self.base..).zip(self.slots.iter_mut()) {
            let Slot::Waiting { sent, first } = *slot else { continue };
            if sent > limit {
                // Numbers are sent in order; a number is only sent again while no other waits.
                break;
            }
            *slot = Slot::Unknown { first };
            self.waiting -= 1;
            self.unknown += 1;
            lengthen(&mut spans, number);
        }
        spans
    }

    /// The numbers without a clear answer, with when each was sent for the first time.
    fn unknowns(&self) -> impl Iterator<Item = (u64, FirstSent)> {
        (self.base..).zip(&self.slots).filter_map(|(number, slot)| match slot {
            Slot::Unknown { first } => Some((number, *first)),
            Slot::Waiting { .. } | Slot::Settled => None,
        })
    }

    /// The lowest number without a clear answer, and when it was sent for the first time.
    pub(super) fn first_unknown(&self) -> Option<(u64, FirstSent)> {
        self.unknowns().next()
    }

    /// All numbers without a clear answer.
    pub(super) fn unknown_spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        self.unknowns().for_each(|(number, _)| lengthen(&mut spans, number));
        spans
    }

    /// A number without a clear answer was sent again.
    pub(super) fn wait_again(&mut self, number: u64, sent: Instant) {
        if let Some(slot) = self.slot(number)
            && let Slot::Unknown { first } = *slot
        {
            *slot = Slot::Waiting { sent, first };
            self.unknown -= 1;
            self.waiting += 1;
        }
    }

    /// When the message was sent whose answer is overdue first.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.slots.iter().find_map(|slot| match slot {
            Slot::Waiting { sent, .. } => Some(*sent),
            Slot::Unknown { .. } | Slot::Settled => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settles_in_any_order() {
        let now = Instant::now();
        let mut window = Window::new(10);
        for _ in 0..5 {
            window.push(now);
        }
        assert!(window.settle(12));
        assert_eq!(window.len(), 5);
        assert!(window.settle(10) && window.settle(11));
        assert_eq!((window.len(), window.waiting()), (2, 2));
        assert!(!window.settle(10) && !window.settle(12) && !window.settle(15));
        assert!(window.settle(13) && window.settle(14));
        assert!(window.is_empty());
        assert_eq!(window.oldest(), None);
    }

    #[test]
    fn expires_and_waits_again() {
        let start = Instant::now();
        let mut window = Window::new(1);
        for second in 0..4 {
            window.push(start + Duration::from_secs(second));
        }
        window.settle(2);
        assert_eq!(window.expire(start + Duration::from_secs(2)), vec![(1, 1), (3, 1)]);
        assert_eq!((window.waiting(), window.unknown()), (1, 2));
        assert!(window.mark_unknown(4) && !window.mark_unknown(4) && !window.mark_unknown(2));
        let first =
            |window: &Window| window.first_unknown().map(|(number, sent)| (number, sent.at));
        let unknown = [(1, start), (3, start + Duration::from_secs(2))];
        assert_eq!(first(&window), Some(unknown[0]));
        assert_eq!(window.unknown_spans(), [(1, 1), (3, 2)]);
        window.wait_again(1, start + Duration::from_secs(9));
        assert_eq!(window.oldest(), Some(start + Duration::from_secs(9)));
        // However often it is sent again, what counts is when it was sent first.
        assert!(window.mark_unknown(1));
        assert_eq!(first(&window), Some(unknown[0]));
        assert!(window.settle(1));
        assert_eq!(first(&window), Some(unknown[1]));
        let asleep = FirstSent { at: Instant::now(), at_ms: now_ms() - 90_000 };
        assert!(asleep.ago() >= Duration::from_secs(90));
        assert!(window.settle(3) && window.settle(4));
        assert!(window.is_empty());
        assert_eq!(window.unknown(), 0);
    }
}
