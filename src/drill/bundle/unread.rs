//! The replicas that a run's record holds nothing of.
//!
//! Those of the zones that a drill is about make it void by its checks. Those of other zones do not:
//! its claim does not speak of them. But whoever verifies the bundle is told.

use std::collections::BTreeMap;

use crate::{drill::record::Entry, region::NodeName};

/// Each replica that was there at the end and was not read, as sentences.
pub(super) fn unread(entries: &[Entry]) -> Vec<String> {
    let zones = entries.iter().rev().find_map(|entry| match entry {
        Entry::Sample(sample) => Some(&sample.status.zones),
        _ => None,
    });
    let nodes = zones.into_iter().flatten().flat_map(|zone| zone.name.nodes());
    let mut read: BTreeMap<NodeName, Option<&str>> = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Stream { replica, .. } => drop(read.insert(replica.clone(), None)),
            Entry::Unread { replica, why, .. } => drop(read.insert(replica.clone(), Some(why))),
            _ => {}
        }
    }
    nodes
        .filter_map(|node| match read.get(&node) {
            Some(None) => None,
            Some(Some(why)) => Some(format!("the replica of {node} was not read: {why}")),
            None => Some(format!("there is nothing of the replica of {node}")),
        })
        .collect()
}
