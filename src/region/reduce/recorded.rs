//! Pictures as a drill's record of format 1 or 2 holds them: whole, now and then, with less in them.

use super::{State, ZoneBook};
use crate::region::{
    Status, UnixMs, past,
    status::{LinkState, MarkKind, Zone},
};

impl State {
    /// Shows what was recorded; of the picture before only what goes on.
    pub(super) fn recorded(&mut self, now: UnixMs, seen: Status) {
        let mut old = std::mem::take(&mut self.status.zones);
        let first = old.is_empty();
        for mut zone in seen.zones {
            // All that is known of it stands in `recorded`.
            zone.stream = None;
            let place = old.iter().position(|known| known.name == zone.name);
            match place.map(|place| old.swap_remove(place)) {
                Some(before) => self.goes_on(now, &mut zone, before),
                None if first => {}
                None => {
                    let text = format!("zone {} joined", zone.name);
                    self.push_mark(now, MarkKind::Zone, Some(zone.name.clone()), text);
                }
            }
            if let Some(link) = zone.link.as_mut().filter(|link| link.since_at_ms == 0) {
                link.since_at_ms = now;
            }
            self.peaks.saw(&zone.name, zone.true_lag());
            self.status.zones.push(zone);
        }
        self.books = vec![ZoneBook::default(); self.status.zones.len()];
        self.status.producer = seen.producer;
        let due = past::due(self.status.history_at_ms, now);
        if due.0 > 0 {
            self.remember_rates(due);
        }
        self.touch();
    }

    fn goes_on(&mut self, now: UnixMs, zone: &mut Zone, before: Zone) {
        (zone.lag_history, zone.past) = (before.lag_history, before.past);
        let (Some(link), Some(was)) = (&mut zone.link, before.link) else { return };
        if link.state == was.state {
            link.since_at_ms = was.since_at_ms;
            return;
        }
        let (kind, word) = match (was.state, link.state) {
            (_, LinkState::Cut) => (MarkKind::Cut, "cut"),
            (LinkState::Cut, _) => (MarkKind::Heal, "heal"),
            _ => return,
        };
        self.push_mark(now, kind, Some(zone.name.clone()), format!("{word} {}", zone.name));
    }
}
