//! A zone that is up, or coming up: what carries its link, and where its servers run.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use tokio::sync::Mutex;

use super::{
    launch::Namespaces,
    relay::Relay,
    wire::{self, Site, Wire},
};
use crate::{
    platform::{LinkStats, PlatformError},
    region::{
        ZonePlan,
        condition::LinkCondition,
        topology::{CutKind, NodePlan},
    },
};

/// A zone that is up, or coming up.
pub struct Zone {
    pub plan: ZonePlan,
    place: Place,
    /// Held while the link is cut or healed: the one must not overtake the other.
    turn: Mutex<()>,
}

/// What carries the zone's link, and where its servers run.
enum Place {
    /// On loopback, without a link: the source.
    Bare,
    /// On loopback.
    Relay(Relay),
    /// In namespaces.
    Wire(Site),
}

/// What carries a link.
enum Carrier<'a> {
    Relay(&'a Relay),
    Wire(&'a Site),
}

impl Zone {
    /// Its servers are on loopback, its link is a relay.
    pub async fn with_a_relay(plan: &ZonePlan, source: &ZonePlan) -> io::Result<Self> {
        let leaf = |node: &NodePlan| SocketAddr::from((Ipv4Addr::LOCALHOST, node.leaf_port));
        let place = if plan.is_hub() {
            Place::Bare
        } else {
            let targets: Vec<_> = source.nodes.iter().map(leaf).collect();
            Place::Relay(Relay::start(&targets).await?)
        };
        Ok(Self { plan: plan.clone(), place, turn: Mutex::new(()) })
    }

    /// Its servers are in namespaces, its link is a wire.
    pub async fn on_a_wire(plan: &ZonePlan, wire: Arc<Wire>) -> Result<Self, PlatformError> {
        let place = Place::Wire(wire.add(plan).await?);
        Ok(Self { plan: plan.clone(), place, turn: Mutex::new(()) })
    }

    /// Where its servers run, if not as everybody's.
    pub fn namespaces(&self) -> Option<Namespaces> {
        match &self.place {
            Place::Wire(site) => Some(site.namespaces()),
            Place::Bare | Place::Relay(_) => None,
        }
    }

    /// Where its servers find the source's leafnode ports, as `host:port`.
    pub fn links(&self, source: &ZonePlan) -> Vec<String> {
        let leaf = |node: &NodePlan| (wire::address(source, node), node.leaf_port).into();
        let links: Vec<SocketAddr> = match self.carrier() {
            Err(_) => Vec::new(),
            Ok(Carrier::Relay(relay)) => relay.addresses().to_vec(),
            Ok(Carrier::Wire(_)) => source.nodes.iter().map(leaf).collect(),
        };
        links.iter().map(ToString::to_string).collect()
    }

    /// Frees the ports that it holds itself.
    pub async fn close(&self) {
        if let Place::Wire(site) = &self.place {
            site.close().await;
        }
    }

    fn carrier(&self) -> Result<Carrier<'_>, PlatformError> {
        match &self.place {
            Place::Relay(relay) => Ok(Carrier::Relay(relay)),
            Place::Wire(site) if !self.plan.is_hub() => Ok(Carrier::Wire(site)),
            Place::Wire(_) | Place::Bare => Err(PlatformError::NoLink(self.plan.name.clone())),
        }
    }

    /// Severs its link.
    pub async fn cut(&self, kind: CutKind) -> Result<(), PlatformError> {
        let carrier = self.carrier()?;
        let _turn = self.turn.lock().await;
        match carrier {
            Carrier::Relay(relay) => relay.cut(kind).await,
            Carrier::Wire(site) => site.cut(kind),
        }
        Ok(())
    }

    /// Makes its link like that.
    pub async fn impair(&self, condition: LinkCondition) -> Result<(), PlatformError> {
        let carrier = self.carrier()?;
        let _turn = self.turn.lock().await;
        match carrier {
            Carrier::Relay(relay) => relay.impair(condition),
            Carrier::Wire(site) => site.impair(condition).await,
        }
        Ok(())
    }

    /// Restores its link.
    pub async fn heal(&self) -> Result<(), PlatformError> {
        let carrier = self.carrier()?;
        let _turn = self.turn.lock().await;
        match carrier {
            Carrier::Relay(relay) => relay.heal(),
            Carrier::Wire(site) => site.heal(),
        }
        Ok(())
    }

    /// What its link has carried.
    pub async fn stats(&self) -> Option<LinkStats> {
        match self.carrier().ok()? {
            Carrier::Relay(relay) => Some(relay.stats()),
            Carrier::Wire(site) => site.stats().await,
        }
    }
}
