//! How fast messages come to a zone and are processed there: counts of the last ten seconds, taken
//! once a second, made into rates.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{State, book::ZoneBook, fresh, set_quietly};
use crate::region::{
    UnixMs,
    observation::Deliveries,
    past::{self, Second},
    status::{Consumer, Flow, Zone},
};

/// The window of a rate.
const WINDOW_MS: u64 = 10_000;
/// A rate over less than this is none.
const SHORTEST_MS: u64 = 1_000;
/// Two counts that are further apart than this tell nothing of one second.
const LONGEST_SECOND_MS: u64 = 2_500;
/// A leader's answer is taken for one of before a delivery that came so shortly before it.
const IN_FLIGHT_MS: u64 = 1_000;

/// A count that only grows, at the moments of the window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counted(VecDeque<(UnixMs, u64)>);

impl Counted {
    /// The count as it is now, and its rate a second. Unknown, or begun anew, it has none.
    fn rate(&mut self, now: Option<(UnixMs, u64)>) -> Option<f64> {
        let seen = &mut self.0;
        let (at, count) = now.or_else(|| {
            seen.clear();
            None
        })?;
        if seen.back().is_some_and(|(then, before)| at < *then || count < *before) {
            seen.clear();
        }
        if seen.back().is_none_or(|(then, _)| *then != at) {
            seen.push_back((at, count));
        }
        seen.retain(|(then, _)| then.saturating_add(WINDOW_MS) >= at);
        let (then, before) = *seen.front()?;
        let span = at - then;
        (span >= SHORTEST_MS).then(|| (count - before) as f64 * 1000.0 / span as f64)
    }

    /// What came a second between the two newest counts, where they are no further apart than
    /// `within_ms`.
    fn newest(&self, within_ms: u64) -> Option<u64> {
        let mut seen = self.0.iter().rev();
        let ((to, count), (from, before)) = (seen.next()?, seen.next()?);
        let (span, grown) = (to - from, count - before);
        // Rounded, and never to zero where something came.
        let rate = || grown.saturating_mul(1000).saturating_add(span / 2) / span;
        (span > 0 && span <= within_ms).then(|| rate().max(grown.min(1)))
    }
}

impl State {
    /// Once a second.
    pub(super) fn measure(&mut self, now: UnixMs) {
        for i in 0..self.books.len() {
            let (zone, book) = (&mut self.status.zones[i], &mut self.books[i]);
            let stream = zone.stream.as_ref().filter(|stream| fresh(now, stream.told_at_ms));
            let stored = stream.map(|stream| (stream.told_at_ms, stream.last_seq));
            let paused = zone.consumer.as_ref().is_some_and(|consumer| consumer.paused);
            let processed = processed(zone, book, now).filter(|_| !paused);
            let flow = Flow {
                publish_rate: book.stored.rate(stored),
                consume_rate: book.consumed.rate(processed),
                ..zone.flow
            };
            let change = set_quietly(&mut zone.flow, flow);
            self.changed(change);
        }
    }

    /// Keeps what the last second was, and what came and went in the seconds before it that are
    /// `due` and nobody looked at.
    pub(super) fn remember(&mut self, now: UnixMs, due: (u64, UnixMs)) {
        let seconds = self.status.zones.iter().zip(&mut self.books).map(|(zone, book)| {
            book.processed_each.rate(processed(zone, book, now));
            Second {
                published: book.stored.newest(LONGEST_SECOND_MS),
                consumed: book.processed_each.newest(LONGEST_SECOND_MS),
                p99_us: zone.flow.latency.map(|latency| latency.p99_us),
            }
        });
        let seconds: Vec<_> = seconds.collect();
        self.keep(seconds, due);
    }

    /// The same for pictures that hold nothing but rates.
    pub(super) fn remember_rates(&mut self, due: (u64, UnixMs)) {
        let rounded = |rate: Option<f64>| rate.map(|rate| rate.round() as u64);
        let seconds = self.status.zones.iter().map(|Zone { flow, .. }| Second {
            published: rounded(flow.publish_rate),
            consumed: rounded(flow.consume_rate),
            p99_us: flow.latency.map(|latency| latency.p99_us),
        });
        let seconds: Vec<_> = seconds.collect();
        self.keep(seconds, due);
    }

    fn keep(&mut self, seconds: Vec<Second>, due: (u64, UnixMs)) {
        past::append(&mut self.status.zones, &mut self.peaks, seconds, due);
        self.status.history_at_ms = due.1;
    }
}

/// How many messages the zone's consumer has processed, while that is known.
fn processed(zone: &Zone, book: &ZoneBook, now: UnixMs) -> Option<(UnixMs, u64)> {
    let consumer = zone.consumer.as_ref()?;
    let told = consumer.told_at_ms?;
    if zone.of_others() {
        // Who acknowledges has processed.
        return fresh(now, told).then_some((told, consumer.ack_floor?));
    }
    consumer.running.then_some((now, book.processed?))
}

/// Somebody is at work on the zone's durable consumer, as far as is known.
fn consumes(zone: &Zone, now: UnixMs) -> bool {
    zone.consumer.as_ref().is_some_and(|consumer| match consumer.told_at_ms {
        Some(told) if zone.of_others() => fresh(now, told),
        told => consumer.running && !consumer.paused && told.is_some(),
    })
}

/// Makes unknown what a zone's stream and consumer do not do at this moment.
pub(super) fn expire(zone: &mut Zone, now: UnixMs) {
    if !zone.stream.as_ref().is_some_and(|stream| fresh(now, stream.told_at_ms)) {
        zone.flow.publish_rate = None;
    }
    if !consumes(zone, now) {
        zone.flow = Flow { publish_rate: zone.flow.publish_rate, ..Flow::default() };
    }
}

/// The consumer's deliveries: those its leader `counted`, and beside them those that `came` here.
pub(super) fn deliveries(consumer: &mut Consumer, counted: Option<u64>, came: Option<Deliveries>) {
    let told = consumer.told_at_ms.and_then(|at| Some((at, counted?)));
    let of_before = |at: UnixMs, came: Deliveries| at <= came.at_ms.saturating_add(IN_FLIGHT_MS);
    (consumer.deliveries, consumer.deliveries_here) = match (told, came) {
        (None, _) => (None, None),
        (Some((at, counted)), Some(came)) if counted >= came.count || of_before(at, came) => {
            (Some(counted.max(came.count)), Some(came.here))
        }
        // None came, or it counts fewer than came: another consumer has its name.
        (Some((_, counted)), _) => (Some(counted), None),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_the_window_and_of_one_subject() {
        let mut counted = Counted::default();
        assert_eq!(counted.rate(Some((1_000, 500))), None, "one count is no rate");
        assert_eq!(counted.rate(Some((1_999, 510))), None);
        assert_eq!(counted.rate(Some((3_000, 600))), Some(50.0));
        assert_eq!(counted.rate(Some((3_000, 600))), Some(50.0), "the same word again");
        assert_eq!(counted.rate(Some((11_000, 600))), Some(10.0));
        assert_eq!(counted.rate(Some((13_000, 600))), Some(0.0), "the window has moved on");
        assert_eq!(counted.rate(Some((14_000, 5))), None, "another stream");
        assert_eq!(counted.rate(Some((16_000, 7))), Some(1.0));
        assert_eq!(counted.rate(None), None);
        assert_eq!(counted.rate(Some((18_000, 9))), None, "nothing of before the gap");
        assert_eq!(counted.rate(Some((9_000, 9))), None, "a clock that was set back");
    }

    #[test]
    fn both_counts_of_deliveries_are_of_the_same_consumer() {
        let shown = |told_at_ms, counted, came| {
            let mut consumer = Consumer { told_at_ms, ..Consumer::default() };
            deliveries(&mut consumer, counted, came);
            (consumer.deliveries, consumer.deliveries_here)
        };
        let came = Some(Deliveries { count: 50, here: 50, at_ms: 9_000 });
        assert_eq!(shown(None, Some(50), came), (None, None), "the consumer is gone");
        assert_eq!(shown(Some(9_500), Some(50), None), (Some(50), None));
        assert_eq!(shown(Some(9_500), Some(110), came), (Some(110), Some(50)), "a foreign fetch");
        assert_eq!(shown(Some(9_500), Some(40), came), (Some(50), Some(50)), "a slower answer");
        assert_eq!(shown(Some(10_001), Some(0), came), (Some(0), None), "another consumer");
    }

    #[test]
    fn deliveries_that_came_are_counted_without_the_gaps() {
        let mut came = None;
        let mut shown = Vec::new();
        // Three went elsewhere; a new leader repeats the last two; then it is made anew.
        for count in [501, 502, 506, 505, 506, 1, 2] {
            let next = Deliveries::after(came, count, 0);
            shown.push(next.here);
            came = Some(next);
        }
        assert_eq!(shown, [501, 502, 503, 502, 503, 1, 2]);
    }
}
