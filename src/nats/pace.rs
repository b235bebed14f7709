//! A steady schedule that does not make up for a stall with a burst.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// How far behind its schedule a pace may be and still catch up: enough to even out timers (1 ms)
/// and a busy machine, too little to be seen as a burst.
const SLACK: Duration = Duration::from_millis(50);

/// Says how many messages are due. Like tokio's `MissedTickBehavior::Delay`, but also for rates
/// beyond a timer's resolution, where several are due at each waking.
#[derive(Debug)]
pub(super) struct Pacer {
    /// `None` for no limit.
    step: Option<Duration>,
    due: Instant,
}

impl Pacer {
    /// One every `step`, the first at once; no limit if `step` is zero.
    pub(super) fn every(step: Duration, now: Instant) -> Self {
        Self { step: (!step.is_zero()).then_some(step), due: now }
    }

    /// So many a second, the first at once; no limit if `None`.
    pub(super) fn per_second(rate: Option<f64>, now: Instant) -> Self {
        let step = rate
            .filter(|rate| *rate > 0.0)
            .and_then(|rate| Duration::try_from_secs_f64(1.0 / rate).ok());
        Self { step, due: now }
    }

    /// Takes what is due now, `most` at most.
    pub(super) fn take(&mut self, now: Instant, most: u64) -> u64 {
        let Some(step) = self.step else { return most };
        if self.due > now || most == 0 {
            return 0;
        }
        let behind = now - self.due;
        if behind > SLACK.max(step) {
            self.due = now;
        }
        let due = (now - self.due).as_nanos() / step.as_nanos().max(1) + 1;
        let taken =
            u32::try_from(due).unwrap_or(u32::MAX).min(u32::try_from(most).unwrap_or(u32::MAX));
        self.due += step * taken;
        u64::from(taken)
    }

    /// When the next one is due; `None` for no limit.
    pub(super) fn next(&self) -> Option<Instant> {
        self.step.map(|_| self.due)
    }

    /// How many are due in a second; `None` for no limit.
    pub(super) fn rate(&self) -> Option<f64> {
        self.step.map(|step| 1.0 / step.as_secs_f64())
    }
}

/// How much time a reader may make up for: what it was late with is read in a burst of half a second's
/// worth at the most, and still never more than the rate since the beginning.
const MADE_UP: Duration = Duration::from_millis(500);

/// What may be read of a zone, shared by all who read there: whoever asks for messages waits until
/// their time has passed, so that never more than the rate was asked for since the beginning.
#[derive(Debug)]
pub(super) struct Budget {
    /// Messages a second.
    rate: f64,
    /// When everything that was asked for is paid.
    paid: Mutex<Instant>,
}

impl Budget {
    /// So many messages a second.
    pub(super) fn per_second(rate: f64) -> Self {
        Self { rate, paid: Mutex::new(Instant::now()) }
    }

    /// So many messages are asked for at once, the most: ten requests a second, not thousands.
    pub(super) fn at_once(&self, most: u64) -> u64 {
        ((self.rate / 10.0) as u64).clamp(1, most)
    }

    /// Waits until so many may be asked for.
    pub(super) async fn pay(&self, messages: u64) {
        let time = Duration::try_from_secs_f64(messages as f64 / self.rate);
        let due = {
            let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let from = (*paid).max(now.checked_sub(MADE_UP).unwrap_or(now));
            *paid = time.ok().and_then(|time| from.checked_add(time)).unwrap_or(from);
            *paid
        };
        sleep_until(due).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn one_every_step() {
        let start = Instant::now();
        let mut pacer = Pacer::every(100 * MS, start);
        assert_eq!(pacer.take(start, 10), 1);
        assert_eq!(pacer.take(start + 99 * MS, 10), 0);
        // A late timer does not move the schedule.
        assert_eq!(pacer.take(start + 102 * MS, 10), 1);
        assert_eq!(pacer.next(), Some(start + 200 * MS));
    }

    #[test]
    fn a_stall_causes_no_burst() {
        let start = Instant::now();
        let mut pacer = Pacer::every(100 * MS, start);
        assert_eq!(pacer.take(start, 10), 1);
        assert_eq!(pacer.take(start + 3000 * MS, 10), 1);
        assert_eq!(pacer.next(), Some(start + 3100 * MS));
        let mut fast = Pacer::per_second(Some(20_000.0), start);
        assert!(fast.take(start + 3000 * MS, 100_000) <= 1001);
    }

    #[test]
    fn many_are_due_at_each_waking() {
        let start = Instant::now();
        let mut pacer = Pacer::per_second(Some(20_000.0), start);
        let total: u64 = (0..=1000).map(|ms| pacer.take(start + ms * MS, 4096)).sum();
        assert_eq!(total, 20_001);
    }

    #[test]
    fn no_limit_takes_all() {
        let start = Instant::now();
        assert_eq!(Pacer::every(Duration::ZERO, start).take(start, 77), 77);
        assert_eq!(Pacer::per_second(None, start).take(start, 77), 77);
        assert_eq!(Pacer::per_second(None, start).next(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_budget_is_never_overdrawn_and_is_used_up() {
        let (budget, start) = (Budget::per_second(1000.0), Instant::now());
        assert_eq!((budget.at_once(1000), budget.at_once(32)), (100, 32));
        for asked in 1..=40_u64 {
            budget.pay(100).await;
            let passed = start.elapsed().as_secs_f64() * 1000.0;
            let asked = asked as f64 * 100.0;
            assert!((asked - 5.0..=asked + 10.0).contains(&passed), "{asked} after {passed} ms");
        }
        // What was not read in a stall is not all read in a burst after it.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let start = Instant::now();
        for _ in 0..10 {
            budget.pay(100).await;
        }
        assert!(start.elapsed() >= Duration::from_millis(490), "{:?}", start.elapsed());
        assert_eq!(Budget::per_second(0.5).at_once(1000), 1);
    }
}
