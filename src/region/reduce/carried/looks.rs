//! The looks at a link's traffic: what one and those before it say together.

use super::{
    super::book::{Carried, Look},
    APART_MS,
};
use crate::region::{
    UnixMs,
    condition::{
        LinkCondition, Way,
        measured::{self, Echo, LinkCount, Measured, Seen, WayMeasured},
    },
};

/// Rates are of this long.
const WINDOW_MS: u64 = 3_000;
/// Servers are asked half a second apart, and a carrier that was kept waiting makes up for it at once:
/// a rate that is judged is of at least so long.
const JUDGED_MS: u64 = 2_000;
/// Servers compress what they send in blocks of up to so many bytes (S2), and count what they take in
/// once a block is there: so many more bytes than came may be counted at one moment.
const BLOCK: u64 = 1 << 20;
/// A line that has so much on it is full: what comes waits.
const FULL_US: u64 = 50_000;
/// So is one on which something waits and that has carried so many percent of its rate since the look
/// before: over a wire TCP fits itself to the rate and keeps a short queue.
const FULL_PERCENT: u64 = 80;
/// A line that was not full for so long is not full any more: TCP leaves gaps when it repairs a loss.
const GAP_MS: u64 = 1_500;

impl Carried {
    /// A request over the link came back, or did not.
    pub(super) fn echoed(&mut self, echo: &Echo) {
        self.unanswered = echo.took_us.is_none();
        self.last_echo_us = echo.took_us;
        let under_it = self.in_effect_at_ms.is_some_and(|since| echo.sent_at_ms > since);
        match echo.took_us {
            Some(us) if under_it => {
                let least = self.seen.round_trip_us.map_or(us, |known| known.min(us));
                self.seen.round_trip_us = Some(least);
                self.seen.slowest_us = self.seen.slowest_us.max(Some(us));
            }
            None if under_it => self.seen.unanswered += 1,
            _ => {}
        }
    }

    /// Takes a look over, and what it and the one before say together.
    pub(super) fn looked(&mut self, mut look: Look, asked: Option<&LinkCondition>) {
        self.seen.count = look.count;
        if look.source.is_some() && look.source == look.mirror {
            self.even = look.source.zip(look.bytes);
        }
        let Some(asked) = asked.filter(|asked| look.count.condition == **asked) else {
            self.keep(look);
            return;
        };
        let last = self.looks.back().filter(|last| last.count.condition == *asked);
        let full = |way: fn(&LinkCount) -> &measured::WayCount, asked: Way| {
            let (Some(rate), now) = (asked.rate_bps, way(&look.count)) else { return false };
            let (carried, refused) = last.map_or((0, 0), |last| {
                let ms = look.at_ms.saturating_sub(last.at_ms).max(1);
                let was = way(&last.count);
                let passed = now.passed.saturating_sub(was.passed).saturating_mul(1000) / ms;
                (passed, now.packets.overflowed.saturating_sub(was.packets.overflowed))
            });
            let fits = carried * 100 >= rate.bytes() * FULL_PERCENT;
            now.booked_us >= FULL_US || refused > 0 || (now.booked_us > 0 && fits)
        };
        look.full = (
            full(|count| &count.to_zone, asked.to_zone),
            full(|count| &count.from_zone, asked.from_zone),
        );
        let before = |apart: u64| {
            let mut looks = self.looks.iter().rev();
            let old = looks.find(|old| look.at_ms.saturating_sub(old.at_ms) >= apart);
            old.filter(|old| old.count.condition == *asked)
        };
        let rate = |old: &Look, bytes: u64| bytes.saturating_mul(1000) / (look.at_ms - old.at_ms);
        let passed = |way: fn(&LinkCount) -> &measured::WayCount, full: fn(&Look) -> bool| {
            let old = before(JUDGED_MS)?;
            let passed = way(&look.count).passed.saturating_sub(way(&old.count).passed);
            (full(&look) && full(old)).then(|| rate(old, passed))
        };
        let to = passed(|count| &count.to_zone, |look| look.full.0);
        let from = passed(|count| &count.from_zone, |look| look.full.1);
        if look.full.0 {
            self.full_at_ms = Some(look.at_ms);
            self.full_since = self.full_since.or_else(|| Some((look.at_ms, look.taken?)));
        } else if self.full_at_ms.is_none_or(|at| look.at_ms.saturating_sub(at) > GAP_MS) {
            self.full_since = None;
        }
        let taken = self.full_since.zip(look.taken).and_then(|((since, was), new)| {
            let ms = look.at_ms.checked_sub(since).filter(|ms| *ms >= JUDGED_MS && new > was)?;
            Some((new - was).saturating_sub(BLOCK) * 1000 / ms)
        });
        let seen: &mut Seen = &mut self.seen;
        seen.full_bps = (to.max(seen.full_bps.0), from.max(seen.full_bps.1));
        seen.taken_bps = taken.max(seen.taken_bps);
        self.keep(look);
    }

    /// Since then, or just before, packets were too large for the path.
    pub(super) fn holes(&self, since: UnixMs) -> bool {
        self.hole_at_ms.is_some_and(|at| at + 2 * APART_MS >= since)
    }

    fn keep(&mut self, look: Look) {
        let too_large = |look: &Look| {
            look.count.to_zone.packets.too_large + look.count.from_zone.packets.too_large
        };
        if self.looks.back().is_some_and(|last| too_large(last) < too_large(&look)) {
            self.hole_at_ms = Some(look.at_ms);
        }
        let keep = look.at_ms.saturating_sub(WINDOW_MS);
        while self.looks.front().is_some_and(|old| old.at_ms < keep) {
            self.looks.pop_front();
        }
        self.looks.push_back(look);
    }

    /// What the looks of the last seconds show.
    pub(super) fn measured(&self, now: UnixMs, impaired: bool) -> Measured {
        let (Some(first), Some(last)) = (self.looks.front(), self.looks.back()) else {
            return Measured::default();
        };
        let ms = last.at_ms.saturating_sub(first.at_ms);
        let way = |of: fn(&LinkCount) -> &measured::WayCount| {
            let before = (ms >= APART_MS).then(|| (ms, of(&first.count)));
            WayMeasured::of(of(&last.count), before, impaired)
        };
        Measured {
            at_ms: now,
            to_zone: way(|count| &count.to_zone),
            from_zone: way(|count| &count.from_zone),
            resets: last.count.resets,
            round_trip_us: self.last_echo_us,
            clears_in_ms: self.clears_in(),
            unproved: Vec::new(),
        }
    }

    /// How long until the mirror has everything: by the messages of the last seconds, or over a line with
    /// a rate by the bytes that it carries. Servers compress what they send into blocks, and one arrives
    /// as a whole: over a thin line no message may come for seconds, and then very many.
    fn clears_in(&self) -> Option<u64> {
        let last = self.looks.back()?;
        let lag = last.source?.checked_sub(last.mirror?).filter(|lag| *lag > 0)?;
        match last.count.condition.to_zone.rate_bps {
            Some(_) => self.clears_by_bytes(last, lag),
            None => self.clears_by_messages(last, lag),
        }
    }

    fn clears_by_messages(&self, last: &Look, lag: u64) -> Option<u64> {
        let mut first = self.looks.front()?;
        // Once nothing more comes, what came before says nothing about how long the rest takes.
        let still = self.looks.iter().find(|look| look.source == last.source);
        if let Some(still) = still.filter(|still| last.at_ms - still.at_ms >= 2 * APART_MS) {
            first = still;
        }
        let ms = last.at_ms.saturating_sub(first.at_ms);
        let drained = last.mirror?.saturating_sub(first.mirror?);
        let came = last.source?.saturating_sub(first.source?);
        let shrinks = drained.checked_sub(came).filter(|shrinks| *shrinks > 0)?;
        (ms >= APART_MS).then(|| lag.saturating_mul(ms) / shrinks)
    }

    /// What is behind was stored after the mirror last had everything: its messages are as large as
    /// those since then. Known while the line is full.
    fn clears_by_bytes(&self, last: &Look, lag: u64) -> Option<u64> {
        self.full_at_ms.filter(|at| last.at_ms.saturating_sub(*at) <= GAP_MS)?;
        let first = self.looks.iter().find(|look| look.full.0)?;
        let ms = last.at_ms.checked_sub(first.at_ms).filter(|ms| *ms >= APART_MS)?;
        let carried = last.count.to_zone.passed.saturating_sub(first.count.to_zone.passed);
        let (seq, bytes) = self.even?;
        let messages = last.source?.checked_sub(seq).filter(|messages| *messages > 0)?;
        let each = last.bytes?.checked_sub(bytes)? / messages;
        (carried > 0).then(|| lag.saturating_mul(each).saturating_mul(ms) / carried)
    }
}
