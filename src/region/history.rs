//! The true-lag history: one sample a second for the timeline, gaps kept as gaps.

use super::{
    UnixMs,
    snapshot::{HISTORY_LEN, HISTORY_STEP_MS, Zone},
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

/// Appends `steps` samples to every zone: the seconds nobody looked at are unknown, the last one
/// is the zone's present true lag. Zones without a mirror have no lag and stay unknown.
pub fn append(zones: &mut [Zone], steps: u64) {
    let steps = usize::try_from(steps).unwrap_or(HISTORY_LEN).min(HISTORY_LEN);
    if steps == 0 {
        return;
    }
    for zone in zones {
        let lag = zone.mirror.as_ref().and_then(|mirror| mirror.true_lag);
        let history = &mut zone.lag_history;
        history.extend(std::iter::repeat_n(None, steps - 1));
        history.push(lag);
        let excess = history.len().saturating_sub(HISTORY_LEN);
        history.drain(..excess);
    }
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
