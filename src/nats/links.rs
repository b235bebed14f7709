//! Proving that a link is cut, or up, by asking the servers at both of its ends.
//!
//! A cut that is not effective at both ends tests nothing (nats-facts §C: gossip once
//! let a leafnode connection walk around the cut).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use futures::future::join_all;
use tokio::time::{Instant, sleep_until};

use super::{
    NatsError,
    connect::{Kept, Login, keep_node_client},
    system,
};
use crate::region::{NodeName, ZoneName, ZonePlan, observation::LeafReport};

/// The time between two looks, and the least time between the two that make a proof.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a node may take to answer one look.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(300);
/// These connections rest between cuts and every look has its own deadline, so they need not
/// look for a frozen server; in a region of ten zones their pings would be the room's main work.
const PING_INTERVAL: Duration = Duration::from_secs(60);
/// How long a node that is known to be frozen may keep a proof waiting: it may thaw.
const FROZEN_PATIENCE: Duration = Duration::from_secs(5);

/// Connections to every node at both ends of a link, kept so that a proof takes milliseconds.
#[derive(Debug)]
pub struct LinkProbe {
    zone: ZoneName,
    here: Vec<(NodeName, Kept)>,
    there: Vec<(NodeName, Kept)>,
}

/// The leafnode connections of one link at one node.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EndSeen {
    pub node: NodeName,
    /// How many connections it has over this link; `None` for no answer.
    pub leafs: Option<usize>,
}

/// What both ends of a link said.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LinkProof {
    /// Both ends said so, and nobody who should have answered was silent.
    pub proved: bool,
    /// Milliseconds from the call to the proof, or to giving up.
    pub after_ms: u64,
    /// The mirror zone's nodes that were asked.
    pub here: Vec<EndSeen>,
    /// The source's nodes that were asked.
    pub there: Vec<EndSeen>,
    /// Nodes that were not asked because they are known not to run.
    pub excluded: Vec<NodeName>,
    /// Nodes whose answer is missing because they are known to be frozen.
    pub frozen: Vec<NodeName>,
}

impl LinkProof {
    /// The end at which no node runs, if there is one: nothing can be proved then.
    #[must_use]
    pub fn empty_end(&self) -> Option<&'static str> {
        match (self.here.is_empty(), self.there.is_empty()) {
            (true, _) => Some("the zone's"),
            (_, true) => Some("the source's"),
            _ => None,
        }
    }
}

impl fmt::Display for LinkProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, end) in self.here.iter().chain(&self.there).enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            match end.leafs {
                Some(leafs) => write!(f, "{comma}{}: {leafs} leafnodes", end.node)?,
                None if self.frozen.contains(&end.node) => {
                    write!(f, "{comma}{}: frozen", end.node)?;
                }
                None => write!(f, "{comma}{}: no answer", end.node)?,
            }
        }
        for node in &self.excluded {
            write!(f, ", {node}: does not run")?;
        }
        Ok(())
    }
}

/// Leafnode connections: the node that lists it, and its number there.
pub type Connections = BTreeSet<(NodeName, u64)>;

/// Connections that are dead though servers list them still, until a moment by which their pings
/// must have found them out.
#[derive(Clone, Debug)]
pub struct Dead {
    pub connections: Connections,
    /// A connection that is there now has lived.
    pub until: Instant,
}

/// Nodes that are known not to answer just now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mute {
    /// They do not run: they have no connections, and are not asked for any.
    pub down: Vec<NodeName>,
    /// They stand still. What connections they have nobody can tell; they are asked all the same.
    pub frozen: Vec<NodeName>,
}

/// Asked before every look: who is known not to answer.
pub type Muted<'a> = &'a (dyn Fn() -> Mute + Send + Sync);

/// How long frozen nodes have kept a proof waiting.
#[derive(Debug, Default)]
struct Standstill(Option<Instant>);

impl Standstill {
    /// Takes over what the look of `looked` waits for; has that been so for too long?
    fn too_long(&mut self, waits: bool, looked: Instant) -> bool {
        if !waits {
            self.0 = None;
        } else if self.0.is_none() {
            self.0 = Some(looked);
        }
        self.0.is_some_and(|since| since.elapsed() >= FROZEN_PATIENCE)
    }
}

/// One look at both ends: the connections of this link at every node asked.
struct Look {
    here: Vec<(NodeName, Option<Vec<LeafReport>>)>,
    there: Vec<(NodeName, Option<Vec<LeafReport>>)>,
}

impl Look {
    /// Everybody asked said that there is no connection, and at both ends somebody was asked.
    fn cut(&self) -> bool {
        let none = |end: &[(NodeName, Option<Vec<LeafReport>>)]| {
            !end.is_empty()
                && end.iter().all(|(_, leafs)| leafs.as_ref().is_some_and(Vec::is_empty))
        };
        none(&self.here) && none(&self.there)
    }

    /// At one end there is nobody left to ask.
    fn one_sided(&self) -> bool {
        self.here.is_empty() || self.there.is_empty()
    }

    /// Leaves the dead connections out.
    fn without(mut self, dead: &Connections) -> Self {
        for (node, leafs) in self.here.iter_mut().chain(&mut self.there) {
            if let Some(leafs) = leafs {
                leafs.retain(|leaf| !dead.contains(&(node.clone(), leaf.id)));
            }
        }
        self
    }

    /// The connection ids of every zone node, if each has at least one and the source knows at
    /// least as many connections as there are nodes.
    fn up(&self) -> Option<BTreeMap<&NodeName, Vec<u64>>> {
        let mut ids = BTreeMap::new();
        for (node, leafs) in &self.here {
            let leafs = leafs.as_ref().filter(|leafs| !leafs.is_empty())?;
            ids.insert(node, leafs.iter().map(|leaf| leaf.id).collect());
        }
        let there: usize =
            self.there.iter().filter_map(|(_, leafs)| leafs.as_ref()).map(Vec::len).sum();
        (!ids.is_empty() && there >= ids.len()).then_some(ids)
    }

    /// The nodes that did not answer and are known to be frozen: of the zone, or of both ends.
    fn frozen(&self, mute: &Mute, both: bool) -> Vec<NodeName> {
        let there = self.there.iter().filter(|_| both);
        let silent = self.here.iter().chain(there).filter(|(_, leafs)| leafs.is_none());
        silent.map(|(node, _)| node).filter(|node| mute.frozen.contains(node)).cloned().collect()
    }

    fn proof(self, proved: bool, began: Instant, mute: Mute) -> LinkProof {
        let frozen = self.frozen(&mute, true);
        let seen = |end: Vec<(NodeName, Option<Vec<LeafReport>>)>| {
            end.into_iter()
                .map(|(node, leafs)| EndSeen { node, leafs: leafs.map(|leafs| leafs.len()) })
                .collect()
        };
        LinkProof {
            proved,
            after_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            here: seen(self.here),
            there: seen(self.there),
            excluded: mute.down,
            frozen,
        }
    }
}

impl LinkProbe {
    /// Starts connecting to the nodes of both ends; returns at once.
    ///
    /// # Errors
    /// [`NatsError::Connect`] only if an address cannot be an address.
    pub async fn new(source: &ZonePlan, zone: &ZonePlan) -> Result<Self, NatsError> {
        Ok(Self {
            zone: zone.name.clone(),
            here: keep_all(zone).await?,
            there: keep_all(source).await?,
        })
    }

    /// Looks until every node of both ends has said twice, at least 20 ms apart, that this link
    /// has no leafnode connection; or until that cannot be any more, because no node of one end
    /// runs, or a node stays frozen; or until `patience` runs out. A silent node that is not known
    /// to be down leaves the proof incomplete.
    pub async fn prove_cut(&self, muted: Muted<'_>, patience: Duration) -> LinkProof {
        let began = Instant::now();
        let mut standstill = Standstill::default();
        let mut cut_since: Option<Instant> = None;
        loop {
            let looked = Instant::now();
            let mute = muted();
            let look = self.look(&mute.down).await;
            if look.cut() {
                if cut_since.is_some_and(|since| looked.duration_since(since) >= LOOK_EVERY) {
                    return look.proof(true, began, mute);
                }
                // Counted from when the answers were in: they were true by then.
                cut_since.get_or_insert_with(Instant::now);
            } else {
                cut_since = None;
            }
            let waits = !look.frozen(&mute, true).is_empty();
            let frozen = standstill.too_long(waits, looked);
            if frozen || began.elapsed() + LOOK_EVERY >= patience || look.one_sided() {
                return look.proof(false, began, mute);
            }
            sleep_until(Instant::now().max(looked) + LOOK_EVERY).await;
        }
    }

    /// The connections every node of both ends lists, once all have answered or `patience` has run
    /// out.
    pub async fn connections(&self, muted: Muted<'_>, patience: Duration) -> Connections {
        let began = Instant::now();
        let mut known = Connections::new();
        loop {
            let look = self.look(&muted().down).await;
            let mut whole = true;
            for (node, leafs) in look.here.iter().chain(&look.there) {
                whole &= leafs.is_some();
                known.extend(leafs.iter().flatten().map(|leaf| (node.clone(), leaf.id)));
            }
            if whole || began.elapsed() >= patience {
                return known;
            }
            sleep_until(Instant::now() + LOOK_EVERY).await;
        }
    }

    /// Looks until every node of the zone has had the same leafnode connections for `steady`,
    /// and the source knows them; or until no node of one end runs, a node of the zone stays frozen,
    /// or `patience` runs out. Dead connections do not count.
    pub async fn prove_link(
        &self,
        muted: Muted<'_>,
        steady: Duration,
        patience: Duration,
        dead: Option<&Dead>,
    ) -> LinkProof {
        let began = Instant::now();
        let mut standstill = Standstill::default();
        let mut since: Option<(BTreeMap<NodeName, Vec<u64>>, Instant)> = None;
        loop {
            let looked = Instant::now();
            let mute = muted();
            let look = self.look(&mute.down).await;
            let look = match dead {
                Some(dead) if Instant::now() < dead.until => look.without(&dead.connections),
                _ => look,
            };
            let ids: Option<BTreeMap<NodeName, Vec<u64>>> =
                look.up().map(|ids| ids.into_iter().map(|(n, ids)| (n.clone(), ids)).collect());
            since = match (ids, since) {
                (Some(ids), Some((before, first))) if ids == before => {
                    if looked.duration_since(first) >= steady {
                        return look.proof(true, began, mute);
                    }
                    Some((before, first))
                }
                (Some(ids), _) => Some((ids, Instant::now())),
                (None, _) => None,
            };
            let waits = !look.frozen(&mute, false).is_empty();
            let frozen = standstill.too_long(waits, looked);
            if frozen || began.elapsed() + LOOK_EVERY >= patience || look.one_sided() {
                return look.proof(false, began, mute);
            }
            sleep_until(Instant::now() + LOOK_EVERY).await;
        }
    }

    async fn look(&self, excluded: &[NodeName]) -> Look {
        // At the source, connections of other zones are none of this link's.
        let mine = |leaf: &LeafReport| {
            leaf.name.parse::<NodeName>().map_or(true, |node| node.zone == self.zone)
        };
        let (here, there) = tokio::join!(
            ask_all(&self.here, excluded, |_| true),
            ask_all(&self.there, excluded, mine)
        );
        Look { here, there }
    }
}

async fn keep_all(zone: &ZonePlan) -> Result<Vec<(NodeName, Kept)>, NatsError> {
    let mut ends = Vec::new();
    for node in &zone.nodes {
        let (who, name) = (Login::System, "zonedrill link");
        let kept = keep_node_client(zone, node, who, name, PING_INTERVAL).await?;
        ends.push((node.name.clone(), kept));
    }
    Ok(ends)
}

async fn ask_all(
    ends: &[(NodeName, Kept)],
    excluded: &[NodeName],
    counts: impl Fn(&LeafReport) -> bool + Copy,
) -> Vec<(NodeName, Option<Vec<LeafReport>>)> {
    join_all(ends.iter().filter(|(node, _)| !excluded.contains(node)).map(
        |(node, kept)| async move {
            let leafs = system::leafz(&kept.client, ANSWER_TIMEOUT).await;
            (node.clone(), leafs.map(|leafs| leafs.into_iter().filter(|l| counts(l)).collect()))
        },
    ))
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leafs(ids: &[u64]) -> Vec<LeafReport> {
        ids.iter().map(|&id| LeafReport { id, ..LeafReport::default() }).collect()
    }

    type End = Vec<(NodeName, Option<Vec<LeafReport>>)>;

    fn end(zone: &str, leafs: Vec<Option<Vec<LeafReport>>>) -> End {
        zone.parse::<ZoneName>().unwrap().nodes().zip(leafs).collect()
    }

    #[test]
    fn silence_is_no_proof_of_a_cut() {
        let none = || Some(leafs(&[]));
        let whole = |third| Look {
            here: end("b", vec![none(), none(), third]),
            there: end("a", vec![none(), none(), none()]),
        };
        assert!(whole(none()).cut());
        assert!(!whole(None).cut());
        assert!(!whole(Some(leafs(&[4]))).cut());
        let nobody = Look { here: Vec::new(), there: end("a", vec![none()]) };
        assert!(!nobody.cut() && nobody.one_sided());
    }

    #[test]
    fn a_link_is_up_when_both_ends_say_so() {
        let here = || end("b", vec![Some(leafs(&[1])), Some(leafs(&[2]))]);
        let there = |ids| end("a", vec![Some(leafs(ids))]);
        assert!(Look { here: here(), there: there(&[7, 8]) }.up().is_some());
        assert!(Look { here: here(), there: there(&[7]) }.up().is_none());
        let half = end("b", vec![Some(leafs(&[1])), Some(leafs(&[]))]);
        assert!(Look { here: half, there: there(&[7, 8]) }.up().is_none());
    }
}
