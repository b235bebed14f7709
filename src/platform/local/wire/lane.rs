//! One direction of a link: what becomes of a packet on it. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    platform::local::line::Line,
    region::condition::{
        Way,
        measured::{PacketCount, WayCount},
    },
};

/// A packet that is to be overtaken is held for so long beyond its delay.
const HELD_BACK: Duration = Duration::from_millis(5);
/// The most bytes under way in one direction: beyond what a sender has unacknowledged.
const MOST: u64 = 32 << 20;

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Dropped,
    /// It goes on at once, as it came.
    Passes,
    Travels {
        due: Instant,
        /// A second one of it arrives as well.
        twice: bool,
        /// One of its bits is changed.
        spoiled: bool,
    },
}

/// One direction of a link.
#[derive(Default)]
pub struct Lane {
    pub line: Line,
    pub packets: PacketCount,
    /// Bytes on their way.
    queued: u64,
    /// When the packet before arrives: a line keeps the order.
    last_due: Option<Instant>,
}

impl Lane {
    /// A packet of so many bytes comes.
    pub fn comes(&mut self, way: &Way, bytes: usize, now: Instant) -> Fate {
        let Self { line, packets, .. } = self;
        packets.came += 1;
        if way.silent {
            packets.silenced += 1;
            return Fate::Dropped;
        }
        if way.is_whole() && self.queued == 0 {
            return Fate::Passes;
        }
        if way.mtu.is_some_and(|mtu| bytes > usize::from(mtu)) {
            packets.too_large += 1;
            return Fate::Dropped;
        }
        if line.hits(way.loss) {
            packets.lost += 1;
            return Fate::Dropped;
        }
        // As at a router whose queue is full.
        if self.queued + bytes as u64 > MOST || line.full_for(now).is_some() {
            packets.overflowed += 1;
            return Fate::Dropped;
        }
        let (spoiled, twice) = (line.hits(way.corrupt), line.hits(way.duplicate));
        let mut due = line.book(way, bytes, now);
        if line.hits(way.reorder) {
            packets.held_back += 1;
            due += HELD_BACK;
        } else {
            due = due.max(self.last_due.unwrap_or(due));
            self.last_due = Some(due);
        }
        packets.spoiled += u64::from(spoiled);
        packets.doubled += u64::from(twice);
        self.queue(bytes as u64 * (1 + u64::from(twice)), true);
        Fate::Travels { due, twice, spoiled }
    }

    /// A packet that travelled is at the end of the line; `passes` says whether it goes on there.
    /// `travelled` is how long it took, if it began under the present condition.
    pub fn arrives(&mut self, bytes: usize, travelled: Option<Duration>, passes: bool) {
        self.queue(bytes as u64, false);
        if passes {
            self.line.pass(bytes);
            if let Some(time) = travelled {
                self.line.held(time);
            }
        } else {
            self.packets.silenced += 1;
        }
    }

    fn queue(&mut self, bytes: u64, more: bool) {
        let old = self.queued;
        self.queued = if more { old + bytes } else { old.saturating_sub(bytes) };
        self.line.queue(old, self.queued);
    }

    /// Another condition begins: what is counted from now on is its own.
    pub fn begin(&mut self) {
        self.line.begin();
        self.packets = PacketCount::default();
        self.last_due = None;
    }

    /// What was counted.
    pub fn count(&self) -> WayCount {
        WayCount { packets: self.packets, ..self.line.count() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::condition::{BitRate, Share};

    const LARGE: usize = 1_500;

    fn fates(way: Way, packets: usize) -> (Vec<Fate>, Lane) {
        let (mut lane, now) = (Lane::default(), Instant::now());
        let fates = (0..packets).map(|_| lane.comes(&way, LARGE, now)).collect();
        (fates, lane)
    }

    #[test]
    fn a_whole_lane_lets_everything_pass() {
        let (fates, lane) = fates(Way::default(), 100);
        assert!(fates.iter().all(|fate| *fate == Fate::Passes));
        assert_eq!(lane.packets, PacketCount { came: 100, ..PacketCount::default() });
    }

    #[test]
    fn a_share_of_the_packets_is_lost_and_counted() {
        let (fates, lane) = fates(Way { loss: Some(Share(50)), ..Way::default() }, 10_000);
        let lost = fates.iter().filter(|fate| **fate == Fate::Dropped).count();
        assert!((400..600).contains(&lost), "{lost}");
        assert_eq!(lane.packets.lost, lost as u64);
        assert_eq!(lane.packets.overflowed, 0);
    }

    #[test]
    fn a_hole_swallows_what_is_larger_and_nothing_else() {
        let way = Way { mtu: Some(900), ..Way::default() };
        let mut lane = Lane::default();
        let now = Instant::now();
        assert_eq!(lane.comes(&way, 901, now), Fate::Dropped);
        assert!(matches!(lane.comes(&way, 900, now), Fate::Travels { due, .. } if due == now));
        assert_eq!((lane.packets.came, lane.packets.too_large), (2, 1));
    }

    #[test]
    fn a_thin_line_keeps_a_queue_and_drops_what_it_does_not_hold() {
        let way = Way { rate_bps: Some(BitRate(1_200_000)), ..Way::default() };
        let (fates, lane) = fates(way, 100);
        // A packet takes 10 ms: 400 ms are on the line before one more is too many.
        let travel = fates.iter().filter(|fate| **fate != Fate::Dropped).count();
        assert!((40..=42).contains(&travel), "{travel}");
        assert_eq!(lane.count().queued, (travel * LARGE) as u64);
    }

    #[test]
    fn jitter_keeps_the_order_and_reordering_does_not() {
        let due = |fate: &Fate| match fate {
            Fate::Travels { due, .. } => *due,
            other => panic!("{other:?}"),
        };
        let jitter = Way { delay_ms: 20, jitter_ms: 10, ..Way::default() };
        let (ordered, _) = fates(jitter, 200);
        assert!(ordered.iter().map(due).is_sorted());
        let (mixed, lane) = fates(Way { reorder: Some(Share(200)), ..jitter }, 200);
        assert!(!mixed.iter().map(due).is_sorted());
        assert!((15..=70).contains(&lane.packets.held_back), "{:?}", lane.packets);
    }
}
