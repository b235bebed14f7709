//! How long messages take from their acknowledgement at the source to their processing in a zone,
//! measured by the messages themselves, while a drill records.
//!
//! The producer notes when an acknowledgement arrives, a zone's consumer when it processes the
//! message: the same process, the same monotonic clock. Acknowledgements of the last [`SLOTS`]
//! sequences are remembered, so the memory is bounded; a message that is processed later than that
//! is counted as missed, never guessed. While nothing records, a message costs one relaxed load;
//! while something does, a look at the clock: consumers book what they measured batch by batch, so
//! that no two of them meet at a lock for every message.

use std::{
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use crate::region::ZoneName;

/// Acknowledgements remembered: two MiB.
pub const SLOTS: usize = 1 << 18;
/// Bits of a slot that hold the time, in microseconds since the recording began: 19 hours.
const TIME_BITS: u32 = 36;
/// Buckets of one power of two.
const STEPS: u64 = 8;

/// What was measured in one zone during one phase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Where.
    pub zone: Option<ZoneName>,
    /// When: the phase's name.
    pub phase: String,
    /// Lower bound in microseconds, and how many; ascending, without empty ones.
    pub buckets: Vec<(u64, u64)>,
    /// Processed before the acknowledgement reached the producer; counted in the lowest bucket.
    pub before_ack: u64,
    /// Processed too long after the acknowledgement to be measured.
    pub missed: u64,
}

/// The clock between producer and consumers.
#[derive(Debug)]
pub struct Meter {
    on: AtomicBool,
    epoch: Instant,
    /// Microseconds after `epoch` at which the recording began.
    started: AtomicU64,
    /// Sequences up to here were there before the recording began.
    base: AtomicU64,
    slots: OnceLock<Box<[AtomicU64]>>,
    books: Mutex<Books>,
}

/// What was measured of one message, not booked yet.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// The recording it belongs to: when that began.
    recording: u64,
    /// When it was processed, in microseconds since the recording began.
    at: u64,
    acked: Acked,
}

#[derive(Debug, Default)]
struct Books {
    /// From when on, and its name; in the order they came.
    phases: Vec<(u64, String)>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    zone: ZoneName,
    /// Its place among the phases.
    phase: usize,
    counts: Vec<u64>,
    before_ack: u64,
    missed: u64,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            on: AtomicBool::new(false),
            epoch: Instant::now(),
            started: AtomicU64::new(0),
            base: AtomicU64::new(0),
            slots: OnceLock::new(),
            books: Mutex::default(),
        }
    }
}

impl Meter {
    /// Begins to record, with the messages after sequence `base`.
    pub fn start(&self, base: u64) {
        let slots = self.slots.get_or_init(|| (0..SLOTS).map(|_| AtomicU64::new(0)).collect());
        self.on.store(false, Ordering::SeqCst);
        for slot in slots {
            slot.store(0, Ordering::Relaxed);
        }
        *self.books() = Books::default();
        self.base.store(base, Ordering::Relaxed);
        self.started.store(self.epoch.elapsed().as_micros() as u64, Ordering::Relaxed);
        self.on.store(true, Ordering::SeqCst);
    }

    /// What is processed from now on belongs to that phase; before the first one nothing is noted.
    pub fn phase(&self, name: &str) {
        let mut books = self.books();
        books.phases.push((self.now(), name.to_owned()));
    }

    /// Ends the recording.
    pub fn stop(&self) -> Vec<Reading> {
        self.on.store(false, Ordering::SeqCst);
        let Books { phases, rows } = std::mem::take(&mut *self.books());
        rows.into_iter()
            .map(|row| Reading {
                zone: Some(row.zone),
                phase: phases[row.phase].1.clone(),
                buckets: row
                    .counts
                    .iter()
                    .enumerate()
                    .filter(|(_, count)| **count > 0)
                    .map(|(index, count)| (lower_bound(index as u64), *count))
                    .collect(),
                before_ack: row.before_ack,
                missed: row.missed,
            })
            .collect()
    }

    /// The source acknowledged the message at `seq`.
    pub fn acked(&self, seq: u64) {
        if self.on.load(Ordering::Relaxed)
            && let Some(slots) = self.slots.get()
        {
            slots[seq as usize % SLOTS].store(pack(seq, self.now()), Ordering::Relaxed);
        }
    }

    /// A consumer processes the message at `seq` now, for the first time; [`Self::book`] takes what
    /// that says. Nothing while nothing is recorded.
    #[must_use]
    pub fn measure(&self, seq: u64) -> Option<Measured> {
        if !self.on.load(Ordering::Relaxed) || seq <= self.base.load(Ordering::Relaxed) {
            return None;
        }
        let slot = self.slots.get()?[seq as usize % SLOTS].load(Ordering::Relaxed);
        let recording = self.started.load(Ordering::Relaxed);
        Some(Measured { recording, at: self.now(), acked: acked_at(slot, seq) })
    }

    /// Books what a zone's consumer measured, and empties it. Each goes to the phase in which it was
    /// processed, however late it is booked.
    pub fn book(&self, zone: &ZoneName, measured: &mut Vec<Measured>) {
        if measured.is_empty() {
            return;
        }
        let mut books = self.books();
        let recording = self.started.load(Ordering::Relaxed);
        let on = self.on.load(Ordering::Relaxed);
        for one in measured.drain(..).filter(|one| on && one.recording == recording) {
            if let Some(row) = books.row(zone, one.at) {
                row.take(one);
            }
        }
    }

    fn now(&self) -> u64 {
        (self.epoch.elapsed().as_micros() as u64)
            .saturating_sub(self.started.load(Ordering::Relaxed))
    }

    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    /// The row of a zone at a moment; none before the first phase.
    fn row(&mut self, zone: &ZoneName, at: u64) -> Option<&mut Row> {
        let phase = self.phases.partition_point(|(from, _)| *from <= at).checked_sub(1)?;
        let place = self.rows.iter().rposition(|row| row.phase == phase && row.zone == *zone);
        let place = place.unwrap_or_else(|| {
            let (zone, counts) = (zone.clone(), Vec::new());
            self.rows.push(Row { zone, phase, counts, before_ack: 0, missed: 0 });
            self.rows.len() - 1
        });
        self.rows.get_mut(place)
    }
}

impl Row {
    fn take(&mut self, one: Measured) {
        match one.acked {
            Acked::At(at) => self.count(one.at.saturating_sub(at)),
            Acked::NotYet => {
                self.before_ack += 1;
                self.count(0);
            }
            Acked::LongAgo => self.missed += 1,
        }
    }

    fn count(&mut self, us: u64) {
        let index = bucket(us) as usize;
        if self.counts.len() <= index {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] += 1;
    }
}

/// What a slot says about a sequence.
#[derive(Clone, Copy, Debug)]
enum Acked {
    At(u64),
    NotYet,
    LongAgo,
}

/// The round of the ring a sequence belongs to, and the time (plus one: an empty slot is zero).
fn pack(seq: u64, now: u64) -> u64 {
    let time = (now + 1) & ((1 << TIME_BITS) - 1);
    (seq / SLOTS as u64) << TIME_BITS | time
}

fn acked_at(slot: u64, seq: u64) -> Acked {
    let (round, time) = (slot >> TIME_BITS, slot & ((1 << TIME_BITS) - 1));
    let wanted = (seq / SLOTS as u64) & (u64::MAX >> TIME_BITS);
    match round.cmp(&wanted) {
        _ if slot == 0 => Acked::NotYet,
        std::cmp::Ordering::Equal => Acked::At(time - 1),
        std::cmp::Ordering::Less => Acked::NotYet,
        std::cmp::Ordering::Greater => Acked::LongAgo,
    }
}

/// Exact below [`STEPS`], then eight buckets to each power of two: within an eighth.
fn bucket(us: u64) -> u64 {
    if us < STEPS {
        return us;
    }
    let shift = u64::from(us.ilog2() - STEPS.ilog2());
    shift * STEPS + (us >> shift)
}

fn lower_bound(bucket: u64) -> u64 {
    if bucket < STEPS {
        return bucket;
    }
    let shift = bucket / STEPS - 1;
    (bucket - shift * STEPS) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> ZoneName {
        name.parse().unwrap()
    }

    #[test]
    fn buckets_hold_what_is_put_into_them() {
        for us in (0..5000).chain([1 << 20, (1 << 20) + 7, 3_600_000_000]) {
            let low = lower_bound(bucket(us));
            let next = lower_bound(bucket(us) + 1);
            assert!(low <= us && us < next, "{us}: {low}..{next}");
            assert!(next - low <= us / 8 + 1, "{us}: {low}..{next}");
        }
    }

    /// Waits until the meter's clock has moved on.
    fn tick(meter: &Meter) {
        let then = meter.now();
        while meter.now() == then {
            std::hint::spin_loop();
        }
    }

    fn told(meter: &Meter) -> Vec<(String, String, u64, u64, u64)> {
        let readings = meter.stop().into_iter();
        readings
            .map(|r| {
                let count: u64 = r.buckets.iter().map(|(_, n)| n).sum();
                (r.zone.unwrap().to_string(), r.phase, count, r.before_ack, r.missed)
            })
            .collect()
    }

    fn row(zone: &str, phase: &str, n: u64, b: u64, m: u64) -> (String, String, u64, u64, u64) {
        (zone.to_owned(), phase.to_owned(), n, b, m)
    }

    #[test]
    fn a_message_is_measured_once_in_its_phase() {
        let meter = Meter::default();
        let processed = |name: &str, seq| {
            let mut measured: Vec<Measured> = meter.measure(seq).into_iter().collect();
            meter.book(&zone(name), &mut measured);
            assert!(measured.is_empty());
        };
        meter.acked(1);
        processed("a", 1);
        assert!(meter.stop().is_empty(), "nothing records yet");
        meter.start(10);
        meter.acked(11);
        processed("a", 11);
        // Before the first phase nothing is noted.
        tick(&meter);
        meter.phase("before");
        processed("a", 10);
        processed("a", 11);
        processed("b", 12);
        tick(&meter);
        meter.phase("during");
        processed("a", 11);
        // One round of the ring later the time of 11 is gone.
        meter.acked(11 + SLOTS as u64);
        processed("b", 11);
        assert_eq!(
            told(&meter),
            [
                row("a", "before", 1, 0, 0),
                row("b", "before", 1, 1, 0),
                row("a", "during", 1, 0, 0),
                row("b", "during", 0, 0, 1)
            ]
        );
    }

    #[test]
    fn what_is_booked_late_belongs_to_when_it_was_processed() {
        let meter = Meter::default();
        meter.start(0);
        meter.phase("before");
        meter.acked(1);
        let mut measured: Vec<Measured> = meter.measure(1).into_iter().collect();
        tick(&meter);
        meter.phase("during");
        measured.extend(meter.measure(2));
        let mut late = measured.clone();
        meter.book(&zone("a"), &mut measured);
        assert_eq!(told(&meter), [row("a", "before", 1, 0, 0), row("a", "during", 1, 1, 0)]);
        // Of the recording that is over, nothing goes into the next one.
        tick(&meter);
        meter.start(0);
        meter.phase("before");
        meter.book(&zone("a"), &mut late);
        assert!(told(&meter).is_empty());
    }
}
