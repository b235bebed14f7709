//! A copy by `sources` counts messages by itself, without the holes of its source (nats-facts §T).
//! Everything in the region goes by the source's sequences, so what such a zone's servers tell is
//! read through this.

use super::observation::StreamReport;

/// Which sequence of the source stands at which of the copy, as far as that was looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renumbering {
    /// From the copy's sequence on, the source's is greater by so much; ascending.
    steps: Vec<(u64, i64)>,
    /// The copy was looked at up to this sequence of its own.
    known: u64,
    /// Up to this sequence of the source the copy has everything, stored or passed over: what the
    /// source has deleted, or what the copy dropped by its id.
    passed: u64,
}

impl Renumbering {
    /// The copy's last sequence that was looked at; 0 for none.
    #[must_use]
    pub fn known(&self) -> u64 {
        self.known
    }

    /// The source's sequence of the copy's. Behind what was looked at, no further holes are
    /// supposed: what is told is never more than what is true.
    #[must_use]
    pub fn origin(&self, own: u64) -> u64 {
        if own == 0 {
            return 0;
        }
        let at = self.steps.partition_point(|(from, _)| *from <= own);
        let offset = at.checked_sub(1).map_or(0, |at| self.steps[at].1);
        own.saturating_add_signed(offset)
    }

    /// Up to which sequence of the source the copy was seen to have passed over everything.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// Everything up to this sequence of the source was passed over or stored.
    pub fn pass(&mut self, origin: u64) {
        self.passed = self.passed.max(origin);
    }

    /// The same; whoever has all that was looked at has passed over what the copy has passed over.
    fn reached(&self, own: u64) -> u64 {
        let origin = self.origin(own);
        // A report may be older than the look, or its node may lag behind.
        if own >= self.known { origin.max(self.passed) } else { origin }
    }

    /// Puts the source's sequences into a zone's report.
    pub fn read(&self, report: &mut StreamReport) {
        report.first_seq = self.origin(report.first_seq);
        report.own_last_seq = Some(report.last_seq);
        report.last_seq = self.reached(report.last_seq);
        for consumer in &mut report.consumers {
            consumer.own_delivered = Some(consumer.delivered);
            consumer.delivered = self.reached(consumer.delivered);
            consumer.ack_floor = self.reached(consumer.ack_floor);
        }
    }

    /// Takes in where a message stands in both; those between the last one and this one follow each
    /// other in both.
    pub fn learn(&mut self, own: u64, origin: u64) {
        let offset = (i128::from(origin) - i128::from(own)).try_into().unwrap_or(i64::MAX);
        if self.steps.last().map_or(0, |(_, last)| *last) != offset {
            self.steps.push((own, offset));
        }
        self.known = own;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::observation::ConsumerReport;

    fn with_a_hole() -> Renumbering {
        let mut map = Renumbering::default();
        map.learn(1, 1);
        map.learn(10, 10);
        // The source has deleted 11 to 15.
        map.learn(11, 16);
        map.learn(20, 25);
        map
    }

    #[test]
    fn holes_of_the_source_are_put_back() {
        let map = with_a_hole();
        let origins: Vec<u64> = [0, 1, 10, 11, 20, 30].map(|own| map.origin(own)).into();
        assert_eq!(origins, [0, 1, 10, 16, 25, 35]);
        assert_eq!(map.known(), 20);
        assert_eq!(Renumbering::default().origin(7), 7);
    }

    #[test]
    fn a_source_that_began_anew_is_told_as_it_is() {
        let mut map = with_a_hole();
        map.learn(21, 1);
        assert_eq!((map.origin(20), map.origin(21), map.origin(22)), (25, 1, 2));
    }

    fn report(last: u64, floor: u64) -> StreamReport {
        let consumer =
            ConsumerReport { delivered: last, ack_floor: floor, ..ConsumerReport::default() };
        StreamReport {
            first_seq: 1,
            last_seq: last,
            consumers: vec![consumer],
            ..StreamReport::default()
        }
    }

    #[test]
    fn a_report_is_read_by_the_sources_sequences() {
        let mut told = report(20, 10);
        with_a_hole().read(&mut told);
        assert_eq!((told.first_seq, told.last_seq), (1, 25));
        assert_eq!((told.consumers[0].delivered, told.consumers[0].ack_floor), (25, 10));
    }

    /// The source's last messages are deleted, or the copy dropped them by their ids.
    #[test]
    fn what_was_passed_over_counts_for_whoever_has_all_of_the_copy() {
        let mut map = with_a_hole();
        map.pass(28);
        for (last, floor, want) in [(20, 20, (28, 28)), (20, 19, (28, 24)), (24, 24, (29, 29))] {
            let mut told = report(last, floor);
            map.read(&mut told);
            assert_eq!((told.last_seq, told.consumers[0].ack_floor), want);
        }
        // The consumer's leader lags behind with its own stream.
        let mut told = report(19, 19);
        told.consumers[0].delivered = 20;
        map.read(&mut told);
        let consumer = &told.consumers[0];
        assert_eq!((told.last_seq, consumer.ack_floor, consumer.delivered), (24, 24, 28));
    }
}
