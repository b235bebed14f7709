//! What was found when a zone's streams were read.

use super::{State, set};
use crate::region::{event::EventKind, names::ZoneName, status::Audit};

impl State {
    /// A zone's streams were read, and this was wrong. It stands beside what the receipts show
    /// until they are read again.
    pub(super) fn audited(&mut self, zone: &ZoneName, audit: Audit) -> Vec<EventKind> {
        if let Some(i) = self.index(zone) {
            let change = set(&mut self.status.zones[i].audit, Some(audit));
            self.changed(change);
        }
        Vec::new()
    }
}
