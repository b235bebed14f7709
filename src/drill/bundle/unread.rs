//! The replicas that a run's record holds nothing of.
//!
//! Those of the zones that a drill is about make it void by its checks. Those of other zones do not:
//! its claim does not speak of them. But whoever verifies the bundle is told. What the drill itself has
//! ended for good, because a zone takes its place, is not missing.

use std::collections::BTreeMap;

use crate::{
    command::{Command, NodeAct},
    drill::record::Entry,
    region::NodeName,
};

/// Each replica that was there at the end and was not read, as sentences.
pub(super) fn unread(entries: &[Entry]) -> Vec<String> {
    let zones = entries.iter().rev().find_map(|entry| match entry {
        Entry::Sample(sample) => Some(&sample.status.zones),
        _ => None,
    });
    let external = |entry: &Entry| matches!(entry, Entry::Begin(begin) if begin.is_external());
    // Of what somebody else runs, a zone is read once.
    let external = entries.iter().any(external);
    let of_each = if external { 1 } else { usize::MAX };
    let nodes = zones.into_iter().flatten().flat_map(|zone| zone.name.nodes().take(of_each));
    let named = |node: &NodeName| {
        if external { format!("zone {}", node.zone) } else { format!("the replica of {node}") }
    };
    let mut read: BTreeMap<NodeName, Option<&str>> = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Stream { replica, .. } => drop(read.insert(replica.clone(), None)),
            Entry::Unread { replica, why, .. } => drop(read.insert(replica.clone(), Some(why))),
            _ => {}
        }
    }
    let given = || {
        entries.iter().filter_map(|entry| match entry {
            Entry::Given { line, .. } => line.parse::<Command>().ok(),
            _ => None,
        })
    };
    let promotes = given().any(|command| matches!(command, Command::Promote { .. }));
    let lost = given().filter_map(|command| match command {
        Command::Node { act: NodeAct::Kill, node } if promotes => Some(node),
        _ => None,
    });
    let lost: Vec<NodeName> = lost.collect();
    nodes
        .filter(|node| !lost.contains(node))
        .filter_map(|node| match read.get(&node) {
            Some(None) => None,
            Some(Some(why)) => Some(format!("{} was not read: {why}", named(&node))),
            None => Some(format!("there is nothing of {}", named(&node))),
        })
        .collect()
}
