//! What a zone's figures were: second by second for the last minutes, in longer steps for what was
//! before. Gaps are kept as gaps.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    UnixMs, ZoneName,
    status::{HISTORY_LEN, HISTORY_STEP_MS, Zone},
};

/// Values in the two longer series, of which each fills a screen.
const STEPS: usize = 100;
/// A hundred of these are a quarter of an hour.
const QUARTER_STEP_S: u64 = 9;
/// The first step of the series that goes back to the beginning.
const FIRST_STEP_S: u64 = 3;
/// Its longest: made of seconds, it cannot be longer than they are kept.
const LONGEST_STEP_S: u64 = 192;

/// Four figures of a zone over time, oldest first, one value a step, `null` where it was unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Steps {
    /// Milliseconds from one value to the next; 0 while there is none.
    pub step_ms: u64,
    /// When the newest step ended.
    pub at_ms: UnixMs,
    /// The highest true lag of the step.
    pub lag: Vec<Option<u64>>,
    /// Messages a second that came onto the stream.
    pub published: Vec<Option<u64>>,
    /// Messages a second that the room's consumer processed.
    pub consumed: Vec<Option<u64>>,
    /// The highest p99 latency, in microseconds.
    pub p99_us: Vec<Option<u64>>,
}

/// What a zone's figures were; the true lag of each second stands in `lag_history` of the zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Past {
    /// Messages that came onto the stream in each second, on the steps of `lag_history`.
    pub published: Vec<Option<u64>>,
    /// Messages that the room's consumer processed in each second.
    pub consumed: Vec<Option<u64>>,
    /// The p99 latency in microseconds, as `flow.latency` told it in each second.
    pub p99_us: Vec<Option<u64>>,
    /// The last quarter of an hour.
    pub quarter: Steps,
    /// Since the zone is there, in steps that double as it grows, up to five hours.
    pub all: Steps,
}

/// What is read off a zone once a second, besides its highest lag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    pub published: Option<u64>,
    pub consumed: Option<u64>,
    pub p99_us: Option<u64>,
}

/// How many samples are due at `now` when the newest one was taken at `newest`, and the moment the
/// newest due one belongs to. Samples stay on a steady grid, so that a late tick does not bend the
/// timeline; a tick more than half a step early gets none.
///
/// A clock that was set back by more than a step starts a new grid with one sample.
#[must_use]
pub fn due(newest: UnixMs, now: UnixMs) -> (u64, UnixMs) {
    if newest == 0 || now.saturating_add(HISTORY_STEP_MS) < newest {
        return (1, now);
    }
    let steps = (now.saturating_sub(newest) + HISTORY_STEP_MS / 2) / HISTORY_STEP_MS;
    (steps, newest + steps * HISTORY_STEP_MS)
}

/// The highest true lag of each zone since the newest sample: what rises and falls between two
/// samples was there all the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Peaks(BTreeMap<ZoneName, u64>);

impl Peaks {
    /// A zone's true lag as it is now; `None` while it is unknown.
    pub fn saw(&mut self, zone: &ZoneName, lag: Option<u64>) {
        let Some(lag) = lag else { return };
        match self.0.get_mut(zone) {
            Some(peak) => *peak = lag.max(*peak),
            None => drop(self.0.insert(zone.clone(), lag)),
        }
    }
}

/// Appends `steps` samples to every zone, the newest of the moment `at`: the seconds nobody looked
/// at are unknown, the last one is the zone's `seconds`, and its highest true lag since the sample
/// before. Zones without a mirror have no lag and stay unknown.
pub fn append(
    zones: &mut [Zone],
    peaks: &mut Peaks,
    seconds: impl IntoIterator<Item = Second>,
    (steps, at): (u64, UnixMs),
) {
    let steps = steps.min(HISTORY_LEN as u64);
    if steps == 0 {
        return;
    }
    for (zone, second) in zones.iter_mut().zip(seconds) {
        let lag = peaks.0.remove(&zone.name);
        for left in (0..steps).rev() {
            let last = left == 0;
            let Second { published, consumed, p99_us } =
                if last { second } else { Second::default() };
            let Past { published: came, consumed: done, p99_us: took, .. } = &mut zone.past;
            push(&mut zone.lag_history, lag.filter(|_| last), HISTORY_LEN);
            push(came, published, HISTORY_LEN);
            push(done, consumed, HISTORY_LEN);
            push(took, p99_us, HISTORY_LEN);
            longer(zone, at.saturating_sub(left * HISTORY_STEP_MS));
        }
    }
    // Also of zones that are there no more.
    peaks.0.clear();
}

/// Makes the seconds up to `at` into a longer step, where one ends.
fn longer(zone: &mut Zone, at: UnixMs) {
    let number = at / HISTORY_STEP_MS;
    let all = if zone.past.all.step_ms == 0 { FIRST_STEP_S } else { zone.past.all.step_ms / 1000 };
    for (step, whole) in [(QUARTER_STEP_S, false), (all, true)] {
        if !number.is_multiple_of(step) {
            continue;
        }
        let past = &zone.past;
        let values = [
            last(&zone.lag_history, step).max().flatten(),
            mean(last(&past.published, step)),
            mean(last(&past.consumed, step)),
            last(&past.p99_us, step).max().flatten(),
        ];
        let series = if whole { &mut zone.past.all } else { &mut zone.past.quarter };
        (series.step_ms, series.at_ms) = (step * 1000, at);
        let full = {
            let all = [&mut series.lag, &mut series.published, &mut series.consumed];
            for (list, value) in all.into_iter().chain([&mut series.p99_us]).zip(values) {
                push(list, value, STEPS);
            }
            series.lag.len() == STEPS
        };
        if whole && full && step < LONGEST_STEP_S && number.is_multiple_of(step * 2) {
            series.halve();
        }
    }
}

impl Steps {
    /// Makes one step of every two; the newest ends with a whole pair.
    fn halve(&mut self) {
        self.step_ms *= 2;
        for list in [&mut self.lag, &mut self.p99_us] {
            *list = list.rchunks(2).rev().map(|two| two.iter().copied().max().flatten()).collect();
        }
        for list in [&mut self.published, &mut self.consumed] {
            *list = list.rchunks(2).rev().map(|two| mean(two.iter().copied())).collect();
        }
    }
}

fn push(list: &mut Vec<Option<u64>>, value: Option<u64>, most: usize) {
    list.push(value);
    let excess = list.len().saturating_sub(most);
    list.drain(..excess);
}

fn last(list: &[Option<u64>], count: u64) -> impl Iterator<Item = Option<u64>> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    list.iter().skip(list.len().saturating_sub(count)).copied()
}

/// Of what is known; rounded, and never to zero where something was.
fn mean(values: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    let (count, sum) =
        values.flatten().fold((0, 0_u64), |(n, sum), v| (n + 1, sum.saturating_add(v)));
    (count > 0).then(|| (sum.saturating_add(count / 2) / count).max(sum.min(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::topology::Role;

    #[test]
    fn samples_stay_on_their_grid() {
        assert_eq!(due(0, 5_000), (1, 5_000));
        assert_eq!(due(5_000, 5_400), (0, 5_000));
        assert_eq!(due(5_000, 5_950), (1, 6_000));
        assert_eq!(due(5_000, 6_070), (1, 6_000));
        assert_eq!(due(5_000, 8_100), (3, 8_000));
        assert_eq!(due(5_000, 4_900), (0, 5_000), "a small step back waits");
        assert_eq!(due(5_000, 1_000), (1, 1_000), "a clock that was set back starts anew");
    }

    /// A zone whose second number `n` is `n` in every figure, from the first to `to`.
    fn grown(to: u64) -> Zone {
        let mut zones = [Zone::new("b".parse().unwrap(), Role::Mirror)];
        for n in 1..=to {
            let mut peaks = Peaks::default();
            peaks.saw(&zones[0].name, Some(n));
            let second = Second { published: Some(n), consumed: Some(n), p99_us: Some(n) };
            append(&mut zones, &mut peaks, [second], (1, n * 1000));
        }
        let [zone] = zones;
        zone
    }

    #[test]
    fn longer_steps_are_made_of_seconds() {
        let zone = grown(18);
        let quarter = &zone.past.quarter;
        assert_eq!((quarter.step_ms, quarter.at_ms), (9_000, 18_000));
        assert_eq!(quarter.lag, [Some(9), Some(18)], "the highest");
        assert_eq!(quarter.published, [Some(5), Some(14)], "the mean");
        assert_eq!(zone.past.all.lag, [3, 6, 9, 12, 15, 18].map(Some));
        assert_eq!(zone.past.consumed.len(), 18);
    }

    #[test]
    fn the_whole_past_stays_in_a_hundred_steps() {
        for (to, step_s) in [(299, 3), (300, 6), (601, 12), (3_000, 48), (100_000, 192)] {
            let zone = grown(to);
            let all = &zone.past.all;
            assert_eq!(all.step_ms, step_s * 1000, "{to}");
            assert!(all.lag.len() <= STEPS && all.lag.len() >= STEPS / 2, "{to}");
            let ends = (0..all.lag.len() as u64).rev().map(|back| all.at_ms / 1000 - back * step_s);
            assert!(ends.map(Some).eq(all.lag.iter().copied()), "{to}: {:?}", all.lag);
            assert_eq!(
                zone.lag_history.len().min(zone.past.p99_us.len()),
                HISTORY_LEN.min(to as usize)
            );
        }
    }

    #[test]
    fn what_nobody_saw_is_a_gap() {
        let mut zones = [Zone::new("b".parse().unwrap(), Role::Mirror)];
        let second = Second { consumed: Some(7), ..Second::default() };
        append(&mut zones, &mut Peaks::default(), [second], (1, 9_000));
        append(&mut zones, &mut Peaks::default(), [second], (3, 12_000));
        assert_eq!(zones[0].past.consumed, [Some(7), None, None, Some(7)]);
        assert_eq!(zones[0].past.all.consumed, [Some(7), Some(7)]);
        assert_eq!(zones[0].past.all.p99_us, [None, None]);
        assert_eq!(mean([Some(0), Some(1), Some(0)].into_iter()), Some(1), "something came");
        assert_eq!(mean([Some(0), None].into_iter()), Some(0));
    }
}
