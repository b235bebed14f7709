//! Connections to the servers that are nobody's of the region.

use super::{State, set};
use crate::region::{event::EventKind, names::NodeName, status::Foreign};

impl State {
    /// A node lists these foreign connections now; each new one gets a line.
    pub(super) fn foreign(
        &mut self,
        node: &NodeName,
        told: Vec<Foreign>,
        events: &mut Vec<EventKind>,
    ) {
        let Some(i) = self.index(&node.zone) else { return };
        let known = &self.status.zones[i].foreign;
        let (here, mut all): (Vec<_>, Vec<_>) =
            known.iter().cloned().partition(|one| &one.node == node);
        for one in told {
            // The moment it was first told stands.
            let known = here.iter().find(|known| known.is(&one)).cloned();
            if known.is_none() {
                events.push(EventKind::Foreign { who: one.clone() });
            }
            all.push(known.unwrap_or(one));
        }
        all.sort_by(|one, other| {
            (&one.node, one.kind.as_str(), one.cid).cmp(&(
                &other.node,
                other.kind.as_str(),
                other.cid,
            ))
        });
        let change = set(&mut self.status.zones[i].foreign, all);
        self.changed(change);
    }
}
