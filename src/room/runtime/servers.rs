//! What is done to servers on command, so that nobody else is blamed for what comes of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use super::locked;
use crate::region::{NodeName, UnixMs, ZoneName, ZonePlan};

/// Of all servers of the region.
#[derive(Debug, Default)]
pub struct Servers {
    draining: Mutex<BTreeSet<NodeName>>,
    /// Until their zone is repaired.
    wiped: Mutex<BTreeSet<NodeName>>,
    changed: Mutex<BTreeMap<ZoneName, UnixMs>>,
}

impl Servers {
    /// The server leaves on command, until it has ended.
    pub fn note_draining(&self, node: &NodeName, drains: bool) {
        let mut draining = locked(&self.draining);
        if drains {
            draining.insert(node.clone());
        } else {
            draining.remove(node);
        }
    }

    /// Does it leave on command?
    pub fn is_draining(&self, node: &NodeName) -> bool {
        locked(&self.draining).contains(node)
    }

    /// What the server stored is removed, on command.
    pub fn note_wiped(&self, node: &NodeName) {
        locked(&self.wiped).insert(node.clone());
    }

    /// A server was started. Where another one kept its store, it gets everything from that one.
    pub fn note_started(&self, node: &NodeName, zone: &ZonePlan) {
        if !self.is_wiped(zone) {
            locked(&self.wiped).remove(node);
        }
    }

    /// Every store of the zone was removed on command: that its stream is gone is nobody else's doing.
    pub fn is_wiped(&self, zone: &ZonePlan) -> bool {
        let wiped = locked(&self.wiped);
        zone.nodes.iter().all(|node| wiped.contains(&node.name))
    }

    /// The zone has its stream again.
    pub fn note_repaired(&self, zone: &ZoneName) {
        locked(&self.wiped).retain(|node| node.zone != *zone);
    }

    /// A server of the zone was started, ended or frozen, by whomever.
    pub fn note_changed(&self, zone: &ZoneName, at: UnixMs) {
        locked(&self.changed).insert(zone.clone(), at);
    }

    /// When that was last.
    pub fn changed(&self, zone: &ZoneName) -> Option<UnixMs> {
        locked(&self.changed).get(zone).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_wiped_once_every_store_is_and_until_it_is_repaired() {
        let servers = Servers::default();
        let b = ZonePlan::new("b".parse().unwrap(), crate::region::Role::Mirror, 1, 15_222);
        for node in &b.nodes {
            assert!(!servers.is_wiped(&b));
            servers.note_wiped(&node.name);
        }
        assert!(servers.is_wiped(&b));
        servers.note_repaired(&"c".parse().unwrap());
        assert!(servers.is_wiped(&b));
        servers.note_repaired(&b.name);
        assert!(!servers.is_wiped(&b));
        // One after the other, none is ever lost with all.
        for node in &b.nodes {
            servers.note_wiped(&node.name);
            servers.note_started(&node.name, &b);
            assert!(!servers.is_wiped(&b));
        }
    }
}
