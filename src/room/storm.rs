//! A bound on how often is told what others cause: their script may do thousands of things a second.
//! What is left out is counted, and said.

use std::time::{Duration, Instant};

/// So many are told at once.
const AT_ONCE: u32 = 40;
/// After that, one each so long.
const EACH: Duration = Duration::from_millis(500);
/// How often it is said how many were left out.
const SAID_EVERY: Duration = Duration::from_secs(5);

/// What may still be told, and what was not.
#[derive(Debug)]
pub struct Storm {
    /// What may be told now is as much as would have been saved up since then.
    saved_since: Instant,
    left_out: u64,
    /// When it was said last how many were left out, or began to be left out.
    said_at: Instant,
}

impl Storm {
    /// Nothing was told yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        let saved_since = now.checked_sub(EACH * AT_ONCE).unwrap_or(now);
        Self { saved_since, left_out: 0, said_at: now }
    }

    /// May one more be told? If not, it is counted.
    pub fn admits(&mut self, now: Instant) -> bool {
        let most = now.checked_sub(EACH * AT_ONCE).unwrap_or(self.saved_since);
        self.saved_since = self.saved_since.max(most);
        if now.saturating_duration_since(self.saved_since) >= EACH {
            self.saved_since += EACH;
            return true;
        }
        if self.left_out == 0 {
            self.said_at = now;
        }
        self.left_out += 1;
        false
    }

    /// When it is to be said how many were left out; `None` while none were.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        (self.left_out > 0).then(|| self.said_at + SAID_EVERY)
    }

    /// How many were left out, and in what time, if that is to be said now.
    pub fn left_out(&mut self, now: Instant) -> Option<(u64, Duration)> {
        let due = self.due().filter(|due| *due <= now)?;
        let within = now.saturating_duration_since(due) + SAID_EVERY;
        self.said_at = now;
        Some((std::mem::take(&mut self.left_out), within))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten thousand a second, for ten seconds.
    #[test]
    fn a_storm_is_told_in_part_and_the_rest_is_counted() {
        let begin = Instant::now();
        let mut storm = Storm::new(begin);
        let (mut told, mut said) = (0_u64, 0);
        for i in 0..100_000 {
            let now = begin + Duration::from_micros(100 * i);
            told += u64::from(storm.admits(now));
            said += storm.left_out(now).map_or(0, |(count, _)| count);
        }
        let end = begin + Duration::from_secs(20);
        assert!(storm.due().is_some_and(|due| due <= end));
        said += storm.left_out(end).map_or(0, |(count, _)| count);
        assert!(told <= u64::from(AT_ONCE) + 21, "{told}");
        assert_eq!(told + said, 100_000);
        assert_eq!(storm.left_out(end + SAID_EVERY), None, "nothing is left to say");
        // Afterwards everything is told again.
        let calm = end + EACH * AT_ONCE;
        assert!((0..AT_ONCE).all(|_| storm.admits(calm)));
        assert!(!storm.admits(calm));
    }
}
