//! In a zone's pane: in what its stream and consumers differ from how they were made, and what of a
//! consumer's deliveries somebody else took.

use super::{Pane, Zone};
use crate::region::{configuration::gone_at_source, deliveries::fetched_elsewhere, format::count};

/// The most differences that are told in a pane; `status` tells them all.
const DIFFERENCES: usize = 3;

impl Pane<'_> {
    pub(super) fn differences(&mut self, zone: &Zone) {
        let style = self.scene.theme.bad();
        let elsewhere = zone.consumer.as_ref().map_or(0, |consumer| consumer.elsewhere);
        if elsewhere > 0 {
            self.sentence(&fetched_elsewhere(&zone.name, elsewhere), self.scene.theme.warn(), 2);
        }
        if let Some((first, more)) = zone.foreign.split_first() {
            let more = match more.len() as u64 {
                0 => String::new(),
                more => format!(", and {} more", count(more)),
            };
            let text = format!("foreign: {} at js{}{more}", first.who(), first.node.number);
            self.sentence(&text, self.scene.theme.warn(), 2);
        }
        if let Some(told) = zone.keeping.told() {
            self.sentence(&told, self.scene.theme.warn(), 2);
        }
        for one in zone.differences.iter().take(DIFFERENCES) {
            self.sentence(&one.describe(&zone.name, self.scene.now), style, 1);
        }
        if let Some((count, limits)) = self.scene.status.gone_at_source(zone) {
            self.sentence(&gone_at_source(&zone.name, count, &limits), style, 1);
        }
        let more = zone.differences.len().saturating_sub(DIFFERENCES) as u64;
        if more > 0 {
            self.sentence(&format!("and {} more differences: `status`", count(more)), style, 2);
        }
    }
}
