//! The true-lag history: the highest of each second for the timeline, gaps kept as gaps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    UnixMs, ZoneName,
    status::{HISTORY_LEN, HISTORY_STEP_MS, Zone},
};

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

/// Appends `steps` samples to every zone: the seconds nobody looked at are unknown, the last one
/// is the zone's peak, the highest true lag since the sample before. Zones without a mirror have no
/// lag and stay unknown.
pub fn append(zones: &mut [Zone], peaks: &mut Peaks, steps: u64) {
    let steps = usize::try_from(steps).unwrap_or(HISTORY_LEN).min(HISTORY_LEN);
    if steps == 0 {
        return;
    }
    for zone in zones {
        let lag = peaks.0.remove(&zone.name);
        let history = &mut zone.lag_history;
        history.extend(std::iter::repeat_n(None, steps - 1));
        history.push(lag);
        let excess = history.len().saturating_sub(HISTORY_LEN);
        history.drain(..excess);
    }
    // Also of zones that are there no more.
    peaks.0.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
