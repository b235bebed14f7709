//! Over a slow line graphs move less often: a second more moves most of their cells. They say by
//! their own axis how far they go.

use std::{borrow::Cow, time::Duration};

use tokio::time::Instant;

use crate::region::{Status, UnixMs, ZoneName, past::Past};

/// How long they stand still.
const STILL: Duration = Duration::from_secs(5);
/// A frame that takes longer makes them stand still: two of them are seen 2 s late.
const SLOW: Duration = Duration::from_millis(700);
/// A line that takes less for a frame is not about to be slow.
const QUICK: Duration = Duration::from_millis(100);

/// The graphs as they were drawn last.
#[derive(Debug, Default)]
pub(super) struct Held {
    graphs: Option<Graphs>,
    slow: Option<Instant>,
}

#[derive(Debug)]
struct Graphs {
    drawn: Instant,
    to_ms: UnixMs,
    zones: Vec<(ZoneName, Vec<Option<u64>>, Past)>,
}

impl Held {
    /// What is drawn now, where the last frame took so long: over a slow line with the graphs of a
    /// moment ago.
    pub(super) fn of<'a>(
        &mut self,
        status: &'a Status,
        took: Duration,
        now: Instant,
    ) -> Cow<'a, Status> {
        if took < QUICK {
            self.graphs = None;
            return Cow::Borrowed(status);
        }
        if took >= SLOW {
            self.slow = Some(now);
        }
        let lately = |at: Instant| now.duration_since(at) < STILL;
        let still = self.graphs.as_ref().filter(|held| {
            let zones = held.zones.iter().map(|(name, ..)| name);
            self.slow.is_some_and(lately)
                && lately(held.drawn)
                && zones.eq(status.zones.iter().map(|zone| &zone.name))
        });
        let Some(held) = still else {
            let zones = status.zones.iter();
            let zones =
                zones.map(|zone| (zone.name.clone(), zone.lag_history.clone(), zone.past.clone()));
            let (to_ms, zones) = (status.history_at_ms, zones.collect());
            self.graphs = Some(Graphs { drawn: now, to_ms, zones });
            return Cow::Borrowed(status);
        };
        let mut still = status.clone();
        still.history_at_ms = held.to_ms;
        for (zone, (_, lag, past)) in still.zones.iter_mut().zip(&held.zones) {
            (zone.lag_history, zone.past) = (lag.clone(), past.clone());
        }
        Cow::Owned(still)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::sample;

    #[test]
    fn on_a_slow_line_graphs_stand_still_for_a_while_and_nothing_else_does() {
        let (mut held, now) = (Held::default(), Instant::now());
        let before = sample::status("idle");
        let ms = Duration::from_millis;
        let at = |millis| now + ms(millis);
        assert_eq!(*held.of(&before, ms(900), now), before);
        let mut after = before.clone();
        after.history_at_ms += 1000;
        after.producer.acked += 50;
        after.zones[0].lag_history.push(Some(7));
        // Without the graphs a frame is quicker, which does not end it.
        for (millis, took) in [(900, 900), (1500, 500), (4999, 500)] {
            let drawn = held.of(&after, ms(took), at(millis)).into_owned();
            assert_eq!(drawn.producer, after.producer);
            assert_eq!(drawn.zones[0].lag_history, before.zones[0].lag_history);
            assert_eq!(drawn.history_at_ms, before.history_at_ms);
        }
        assert_eq!(*held.of(&after, ms(500), at(5000)), after);
        assert_eq!(held.of(&before, ms(900), at(5900)).history_at_ms, after.history_at_ms);
        let mut fewer = before.clone();
        fewer.zones.pop();
        assert_eq!(*held.of(&fewer, ms(500), at(6000)), fewer);
        assert_eq!(*held.of(&before, ms(20), at(6001)), before, "the line is quick");
    }
}
