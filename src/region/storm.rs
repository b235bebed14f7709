//! A bound on how often is told what others cause: their script may do thousands of things a second.
//! What is left out is counted, and said.

use serde::{Deserialize, Serialize};

use super::UnixMs;

/// So many are told at once.
const AT_ONCE: u64 = 40;
/// After that, one each so long.
const EACH_MS: u64 = 500;
/// How often it is said how many were left out.
const SAID_EVERY_MS: u64 = 5_000;

/// What may still be told, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storm {
    /// What may be told now is as much as would have been saved up since then.
    saved_since_ms: UnixMs,
    left_out: u64,
    /// When it was said last how many were left out, or began to be left out.
    said_at_ms: UnixMs,
}

impl Storm {
    /// May one more be told? If not, it is counted.
    pub fn admits(&mut self, now: UnixMs) -> bool {
        // Not after now: the clock may have been set back.
        let earliest = now.saturating_sub(EACH_MS * AT_ONCE);
        self.saved_since_ms = self.saved_since_ms.clamp(earliest, now);
        if now - self.saved_since_ms >= EACH_MS {
            self.saved_since_ms += EACH_MS;
            return true;
        }
        self.leave_out(now, 1);
        false
    }

    /// Counts what is not told.
    pub fn leave_out(&mut self, now: UnixMs, number: u64) {
        if self.left_out == 0 {
            self.said_at_ms = now;
        }
        self.left_out = self.left_out.saturating_add(number);
    }

    /// When it is to be said how many were left out; `None` while none were.
    #[must_use]
    pub fn due(&self) -> Option<UnixMs> {
        (self.left_out > 0).then_some(self.said_at_ms + SAID_EVERY_MS)
    }

    /// How many were left out, and in how many milliseconds, if that is to be said now.
    pub fn left_out(&mut self, now: UnixMs) -> Option<(u64, u64)> {
        self.said_at_ms = self.said_at_ms.min(now);
        self.due().filter(|due| *due <= now)?;
        let within_ms = now - self.said_at_ms;
        self.said_at_ms = now;
        Some((std::mem::take(&mut self.left_out), within_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: UnixMs = 1_795_000_000_000;

    /// Ten thousand a second, for ten seconds.
    #[test]
    fn a_storm_is_told_in_part_and_the_rest_is_counted() {
        let mut storm = Storm::default();
        let (mut told, mut said) = (0_u64, 0);
        for i in 0..100_000 {
            let now = BEGIN + i / 10;
            told += u64::from(storm.admits(now));
            said += storm.left_out(now).map_or(0, |(count, _)| count);
        }
        let end = BEGIN + 20_000;
        assert!(storm.due().is_some_and(|due| due <= end));
        said += storm.left_out(end).map_or(0, |(count, _)| count);
        assert!(told <= AT_ONCE + 21, "{told}");
        assert_eq!(told + said, 100_000);
        assert_eq!(storm.left_out(end + SAID_EVERY_MS), None, "nothing is left to say");
        // Afterwards everything is told again.
        let calm = end + EACH_MS * AT_ONCE;
        assert!((0..AT_ONCE).all(|_| storm.admits(calm)));
        assert!(!storm.admits(calm));
    }

    #[test]
    fn a_clock_that_is_set_back_holds_nothing_up_for_long() {
        let mut storm = Storm::default();
        while storm.admits(BEGIN) {}
        let before = BEGIN - 3_600_000;
        assert!(!storm.admits(before));
        assert!(storm.admits(before + EACH_MS));
        assert_eq!(storm.left_out(before + EACH_MS), None);
        let (number, within_ms) = storm.left_out(before + EACH_MS + SAID_EVERY_MS).unwrap();
        assert_eq!((number, within_ms), (2, SAID_EVERY_MS));
    }
}
