//! Connections to the servers that are nobody's of the region.

use super::{State, note, set};
use crate::region::{
    UnixMs,
    event::{EventKind, Severity},
    format::{count, span},
    names::NodeName,
    status::Foreign,
};

impl State {
    /// A node lists these foreign connections now; each new one gets a line, unless there are too
    /// many of them.
    pub(super) fn foreign(
        &mut self,
        now: UnixMs,
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
            if known.is_none() && self.strangers.admits(now) {
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

    /// Says how many foreign connections got no line, when it is time for that.
    pub(super) fn say_strangers(&mut self, now: UnixMs, events: &mut Vec<EventKind>) {
        let Some((number, within_ms)) = self.strangers.left_out(now) else { return };
        let text = format!(
            "somebody else's hand: {} more connections to the servers within {}, which are not told one by one",
            count(number),
            span(within_ms)
        );
        events.push(note(Severity::Warn, text));
    }
}
