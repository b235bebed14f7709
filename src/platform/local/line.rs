//! One direction of a link, relay or wire: when what is sent over it arrives, and what
//! was counted.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::region::condition::{
    Share, Way,
    measured::{PacketCount, WayCount},
};

/// A line takes no more while what it has taken needs longer than this to pass: the queue of a
/// router (nats-facts §W used 400 ms). What comes then waits with the sender.
const QUEUE: Duration = Duration::from_millis(400);
/// A piece is what a thin line carries in this time, so that connections share it fairly.
const PIECE: Duration = Duration::from_millis(10);
/// An Ethernet packet; no piece is smaller.
const PACKET: usize = 1_500;
/// No count yet.
const NONE: u64 = u64::MAX;

/// One direction of a link.
pub struct Line {
    /// When the line has passed everything that was put on it.
    free_at: Mutex<Option<Instant>>,
    random: AtomicU64,
    passed: AtomicU64,
    /// `passed` when the condition began.
    before: AtomicU64,
    /// Bytes that came and have not passed, by the connections that are held.
    queued: AtomicU64,
    held: AtomicU64,
    least_us: AtomicU64,
    sum_us: AtomicU64,
    most_us: AtomicU64,
}

impl Default for Line {
    fn default() -> Self {
        let zero = AtomicU64::default;
        Self {
            free_at: Mutex::default(),
            // Any number but zero; jitter needs no secret.
            random: AtomicU64::new(0x9e37_79b9_7f4a_7c15),
            passed: zero(),
            before: zero(),
            queued: zero(),
            held: zero(),
            least_us: AtomicU64::new(NONE),
            sum_us: zero(),
            most_us: zero(),
        }
    }
}

impl Line {
    /// Bytes that passed.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    /// So many bytes more have passed.
    pub fn pass(&self, bytes: usize) {
        self.passed.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A condition begins: what is counted from now on is its own.
    pub fn begin(&self) {
        *self.free_at() = None;
        self.before.store(self.passed(), Ordering::Relaxed);
        self.held.store(0, Ordering::Relaxed);
        self.least_us.store(NONE, Ordering::Relaxed);
        self.sum_us.store(0, Ordering::Relaxed);
        self.most_us.store(0, Ordering::Relaxed);
    }

    /// A piece passed that had been held for so long.
    pub fn held(&self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(NONE);
        self.held.fetch_add(1, Ordering::Relaxed);
        self.least_us.fetch_min(us, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
        self.most_us.fetch_max(us, Ordering::Relaxed);
    }

    /// What a connection holds has changed from `old` to `new` bytes.
    pub fn queue(&self, old: u64, new: u64) {
        if new >= old {
            self.queued.fetch_add(new - old, Ordering::Relaxed);
        } else {
            self.queued.fetch_sub(old - new, Ordering::Relaxed);
        }
    }

    /// What was counted.
    pub fn count(&self) -> WayCount {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (passed, least) = (self.passed(), read(&self.least_us));
        let booked = self.free_at().map(|free| free.saturating_duration_since(Instant::now()));
        WayCount {
            booked_us: booked.map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(NONE)),
            passed,
            since: passed.saturating_sub(read(&self.before)),
            queued: read(&self.queued),
            held: read(&self.held),
            least_us: (least != NONE).then_some(least),
            sum_us: read(&self.sum_us),
            most_us: read(&self.most_us),
            packets: PacketCount::default(),
        }
    }

    /// Puts a piece of so many bytes on the line; when it arrives at the other end.
    pub fn book(&self, way: &Way, bytes: usize, now: Instant) -> Instant {
        let mut free_at = self.free_at();
        let begins = free_at.map_or(now, |free| free.max(now));
        let passes = way.rate_bps.map_or(Duration::ZERO, |rate| {
            Duration::from_secs_f64(bytes as f64 * 8.0 / rate.0.max(1) as f64)
        });
        *free_at = Some(begins + passes);
        begins + passes + self.delay(way)
    }

    /// How long to wait until the line takes more.
    pub fn full_for(&self, now: Instant) -> Option<Duration> {
        let left = self.free_at().and_then(|free| free.checked_duration_since(now))?;
        left.checked_sub(QUEUE).filter(|left| !left.is_zero())
    }

    /// Does it hit one with this chance?
    pub fn hits(&self, share: Option<Share>) -> bool {
        share.is_some_and(|share| self.number() >> 11 < (u64::from(share.0) << 53) / 1000)
    }

    fn delay(&self, way: &Way) -> Duration {
        let jitter = i64::from(way.jitter_ms) * 1000;
        let off = if jitter == 0 {
            0
        } else {
            (self.number() % (2 * u64::from(way.jitter_ms) * 1000 + 1)).cast_signed() - jitter
        };
        let us = (i64::from(way.delay_ms) * 1000 + off).max(0);
        Duration::from_micros(us.cast_unsigned())
    }

    /// The next of an xorshift sequence.
    pub fn number(&self) -> u64 {
        let next = |mut x: u64| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^ (x << 17)
        };
        let step = |x| Some(next(x));
        self.random.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).unwrap_or(1)
    }

    fn free_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.free_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much of a direction like that is read at once.
pub fn piece(way: &Way, most: usize) -> usize {
    way.rate_bps.map_or(most, |rate| {
        let bytes = u128::from(rate.bytes()) * PIECE.as_millis() / 1000;
        usize::try_from(bytes).unwrap_or(most).clamp(PACKET, most)
    })
}
