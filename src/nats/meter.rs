//! How long messages take from their acknowledgement at the source to their first processing in a
//! zone, and how steadily a zone works, measured by the messages themselves while a drill records.
//!
//! The producer notes when an acknowledgement arrives, a zone's consumer when it processes a
//! message: the same process, the same monotonic clock. A message is measured when a zone processes
//! it for the first time, whatever its delivery count, and belongs to the phase in which it was
//! acknowledged; so a phase has as many measurements as acknowledged messages, or some were not
//! measured. Acknowledgements of the last [`SLOTS`] sequences are remembered, so the memory is
//! bounded; a message that is processed later than that is counted as missed, never guessed. While
//! nothing records, a message costs one relaxed load; while something does, a look at the clock:
//! consumers book what they measured batch by batch, so that no two of them meet at a lock for
//! every message.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Instant,
};

use roaring::RoaringTreemap;

use crate::{drill::latency::Histogram, region::ZoneName};

/// Acknowledgements remembered: two MiB.
pub const SLOTS: usize = 1 << 18;
/// Bits of a slot that hold the time, in microseconds since the recording began: 19 hours.
const TIME_BITS: u32 = 36;
/// Phases whose acknowledgements are counted; later ones count as the last.
const PHASES: usize = 64;

/// Messages acknowledged in one phase, as one zone processed them.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub zone: ZoneName,
    pub phase: String,
    /// From acknowledgement to first processing.
    pub latency: Histogram,
    /// Processed too long after the acknowledgement to be measured.
    pub missed: u64,
    /// Messages the source acknowledged in that phase.
    pub acked: u64,
}

/// How steadily one zone worked during one phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    pub zone: ZoneName,
    pub phase: String,
    /// Messages processed for the first time.
    pub processed: u64,
    /// From the phase's beginning to the last processing, without the pauses that were commanded.
    pub worked_us: u64,
    /// The longest time without a processing before that.
    pub longest_pause_us: u64,
}

/// What was measured during a recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metered {
    pub readings: Vec<Reading>,
    pub paces: Vec<Pace>,
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
    /// Acknowledgements by phase; the first place is for those before any.
    acked: [AtomicU64; PHASES],
    /// The place in `acked` of the phase that goes on.
    phase: AtomicUsize,
    books: Mutex<Books>,
}

/// What was measured of one delivery, not booked yet.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// The recording it belongs to: when that began.
    recording: u64,
    /// The stream sequence of a message of this run; `None` of other messages.
    seq: Option<u64>,
    /// When it was processed, in microseconds since the recording began.
    at: u64,
    acked: Acked,
}

#[derive(Debug, Default)]
struct Books {
    /// From when on, and its name; in the order they came.
    phases: Vec<(u64, String)>,
    zones: BTreeMap<ZoneName, ZoneBook>,
}

#[derive(Debug, Default)]
struct ZoneBook {
    /// Sequences that were processed.
    done: RoaringTreemap,
    /// When a message was processed last, or the consumer resumed.
    last: u64,
    /// By the phase in which the message was acknowledged.
    latency: BTreeMap<usize, (Histogram, u64)>,
    /// By the phase in which the message was processed.
    pace: BTreeMap<usize, ZonePace>,
}

#[derive(Clone, Copy, Debug, Default)]
struct ZonePace {
    processed: u64,
    /// Up to the pauses that were commanded in the phase; what follows the last one is `began` to
    /// `ended`.
    worked: u64,
    began: Option<u64>,
    ended: u64,
    longest: u64,
}

impl ZonePace {
    fn worked_us(&self) -> u64 {
        self.worked + self.ended.saturating_sub(self.began.unwrap_or(self.ended))
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            on: AtomicBool::new(false),
            epoch: Instant::now(),
            started: AtomicU64::new(0),
            base: AtomicU64::new(0),
            slots: OnceLock::new(),
            acked: [const { AtomicU64::new(0) }; PHASES],
            phase: AtomicUsize::new(0),
            books: Mutex::default(),
        }
    }
}

impl Meter {
    /// Begins to record, with the messages after sequence `base`.
    pub fn start(&self, base: u64) {
        let slots = self.slots.get_or_init(|| (0..SLOTS).map(|_| AtomicU64::new(0)).collect());
        self.on.store(false, Ordering::SeqCst);
        for slot in slots.iter().chain(&self.acked) {
            slot.store(0, Ordering::Relaxed);
        }
        *self.books() = Books::default();
        self.phase.store(0, Ordering::Relaxed);
        self.base.store(base, Ordering::Relaxed);
        self.started.store(self.epoch.elapsed().as_micros() as u64, Ordering::Relaxed);
        self.on.store(true, Ordering::SeqCst);
    }

    /// A phase begins; before the first one nothing is noted.
    pub fn phase(&self, name: &str) {
        let mut books = self.books();
        let now = self.now();
        books.phases.push((now, name.to_owned()));
        self.phase.store(books.phases.len().min(PHASES - 1), Ordering::Relaxed);
    }

    /// Ends the recording.
    pub fn stop(&self) -> Metered {
        self.on.store(false, Ordering::SeqCst);
        let Books { phases, zones } = std::mem::take(&mut *self.books());
        let (mut readings, mut paces) = (Vec::new(), Vec::new());
        for (place, (_, phase)) in phases.iter().enumerate() {
            let acked = self.acked.get(place + 1).map_or(0, |count| count.load(Ordering::Relaxed));
            for (zone, book) in &zones {
                let (zone, phase) = (zone.clone(), phase.clone());
                let measured = book.latency.get(&place).cloned();
                if measured.is_some() || acked > 0 {
                    let (latency, missed) = measured.unwrap_or_default();
                    let (zone, phase) = (zone.clone(), phase.clone());
                    readings.push(Reading { zone, phase, latency, missed, acked });
                }
                if let Some(pace) = book.pace.get(&place) {
                    paces.push(Pace {
                        zone,
                        phase,
                        processed: pace.processed,
                        worked_us: pace.worked_us(),
                        longest_pause_us: pace.longest,
                    });
                }
            }
        }
        Metered { readings, paces }
    }

    /// The acknowledgements that are remembered say nothing of what is processed from now on.
    pub fn forget(&self) {
        for slot in self.slots.get().into_iter().flat_map(|slots| slots.iter()) {
            slot.store(0, Ordering::Relaxed);
        }
    }

    /// The source acknowledged the message at `seq`.
    pub fn acked(&self, seq: u64) {
        if self.on.load(Ordering::Relaxed)
            && let Some(slots) = self.slots.get()
        {
            slots[seq as usize % SLOTS].store(pack(seq, self.now()), Ordering::Relaxed);
            if seq > self.base.load(Ordering::Relaxed) {
                let phase = self.phase.load(Ordering::Relaxed);
                self.acked[phase].fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// A consumer processes the message at `seq` now;
    /// [`Self::book`] takes what that says. Only messages of this run (`ours`) are timed. Nothing
    /// while nothing is recorded.
    #[must_use]
    pub fn measure(&self, seq: u64, ours: bool) -> Option<Measured> {
        if !self.on.load(Ordering::Relaxed) {
            return None;
        }
        let slot = self.slots.get()?[seq as usize % SLOTS].load(Ordering::Relaxed);
        let recording = self.started.load(Ordering::Relaxed);
        let acked = acked_at(slot, seq);
        let seq = (ours && seq > self.base.load(Ordering::Relaxed)).then_some(seq);
        Some(Measured { recording, seq, at: self.now(), acked })
    }

    /// Books what a zone's consumer measured, and empties it. Only the first processing of a
    /// message counts.
    pub fn book(&self, zone: &ZoneName, measured: &mut Vec<Measured>) {
        if measured.is_empty() {
            return;
        }
        let mut books = self.books();
        let recording = self.started.load(Ordering::Relaxed);
        let on = self.on.load(Ordering::Relaxed);
        for one in measured.drain(..).filter(|one| on && one.recording == recording) {
            books.take(zone, one);
        }
    }

    /// The consumer of a zone goes on after a pause: the pause was commanded, so it is none of its
    /// own.
    pub fn resumed(&self, zone: &ZoneName) {
        if self.on.load(Ordering::Relaxed) {
            let now = self.now();
            let mut books = self.books();
            let phase = books.phases.len().checked_sub(1);
            let book = books.zones.entry(zone.clone()).or_default();
            book.last = now;
            if let Some(pace) = phase.and_then(|phase| book.pace.get_mut(&phase)) {
                pace.worked = pace.worked_us();
                (pace.began, pace.ended) = (Some(now), now);
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
    /// The place of the phase that a moment belongs to.
    fn phase(&self, at: u64) -> Option<usize> {
        self.phases.partition_point(|(from, _)| *from <= at).checked_sub(1)
    }

    fn take(&mut self, zone: &ZoneName, one: Measured) {
        let (Some(seq), Some(processed_in)) = (one.seq, self.phase(one.at)) else { return };
        // A message that was processed before its acknowledgement came was acknowledged by now.
        let acked_in = match one.acked {
            Acked::At(at) => self.phase(at),
            Acked::NotYet | Acked::LongAgo => Some(processed_in),
        };
        let phase_began = self.phases[processed_in].0;
        let book = self.zones.entry(zone.clone()).or_default();
        if !book.done.insert(seq) {
            return;
        }
        let idle_since = book.last.max(phase_began);
        book.last = one.at;
        let pace = book.pace.entry(processed_in).or_default();
        pace.processed += 1;
        pace.began.get_or_insert(idle_since);
        pace.longest = pace.longest.max(one.at.saturating_sub(idle_since));
        pace.ended = one.at;
        let Some(acked_in) = acked_in else { return };
        let (latency, missed) = book.latency.entry(acked_in).or_default();
        match one.acked {
            Acked::At(at) => latency.record(one.at.saturating_sub(at)),
            Acked::NotYet => latency.record_ahead(),
            Acked::LongAgo => *missed += 1,
        }
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
