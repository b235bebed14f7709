//! The shape of a region: which zones and nodes there are, how they are called, where they listen.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use super::{
    access::Access,
    external::ExternalStream,
    keeping::Keeping,
    names::{NodeName, ZoneName},
};
pub use super::{
    copy::{CopyKind, MirrorKind},
    platform::{Network, PlatformKind},
    role::Role,
};

/// The region when none is named.
pub const DEFAULT_REGION: &str = "region";

/// What a command line needs to mean region `region`: nothing for the default one.
#[must_use]
pub fn region_flag(region: &str) -> String {
    if region == DEFAULT_REGION { String::new() } else { format!(" --region {region}") }
}

/// The region's one stream. A stream name cannot hold a dot (nats-server refuses it).
pub const STREAM: &str = "EVENTS_REGION";
/// The subjects the source stream listens on.
pub const SUBJECTS: &str = "EVENTS.REGION.>";
/// The subjects of a fenced stream, on which nobody publishes.
pub const FENCED_SUBJECTS: &str = "FENCED.EVENTS.REGION.>";
/// The subject drill messages are published on.
pub const DRILL_SUBJECT: &str = "EVENTS.REGION.drill";
/// The account that holds the stream, in every zone.
pub const ACCOUNT: &str = "APP";
/// The server version this release was measured with and starts by default.
pub const DEFAULT_NATS_VERSION: &str = "2.15.1";
/// The original plan's first client port.
pub const DEFAULT_PORT_BASE: u16 = 15222;
/// Client ports of neighbouring zones lie this far apart (15222, 15232, 15242, …).
const ZONE_STRIDE: u16 = 10;
/// A node's cluster port is its client port plus this, its leafnode port plus twice this.
const KIND_STRIDE: u16 = 1000;
/// The most zones a region can have; keeps client ports clear of the cluster ports above them.
pub const MOST_ZONES: usize = 26;

/// How servers look whether the other end of a connection is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pings {
    /// Seconds between two.
    pub interval_s: u64,
    /// How many may stay unanswered.
    pub max: u64,
}

/// On the local platform.
pub const LOCAL_PINGS: Pings = Pings { interval_s: 5, max: 2 };
/// On the docker platform, where a cut is always silent and a zone comes back with new addresses:
/// only pings end the old connections.
pub const DOCKER_PINGS: Pings = Pings { interval_s: 2, max: 2 };

impl Pings {
    /// A dead connection is closed after this many milliseconds at most: an interval that passes
    /// because something was heard in it (a hub spares its leafnodes the ping then), one for each
    /// ping that stays unanswered, and one to find that out.
    #[must_use]
    pub fn notice_ms(self) -> u64 {
        self.interval_s * (self.max + 2) * 1000
    }

    /// The interval as a server configuration says it.
    #[must_use]
    pub fn written(self) -> String {
        format!("{}s", self.interval_s)
    }
}

words! {
    /// Ways to cut a link.
    #[derive(Hash, clap::ValueEnum)]
    pub enum CutKind {
        /// Connections are reset and new ones refused: both ends notice at once.
        Refuse = "refuse",
        /// Nothing is carried and nothing is closed: both ends notice by their pings.
        Silent = "silent",
        /// The zone's containers leave the network: silent, and they come back with new addresses,
        /// so that no connection outlives it.
        Unplug = "unplug",
        /// Commands of whoever runs the zone, as its region file names them.
        #[value(skip)]
        Hook = "hook",
        /// The copy's durable consumer is paused at the source; the link itself carries on.
        #[value(skip)]
        Pause = "pause",
    }
}

impl CutKind {
    /// The servers notice the cut by their pings, after this many milliseconds at most; `None`
    /// where they are told at once.
    #[must_use]
    pub fn notice_ms(self) -> Option<u64> {
        match self {
            Self::Refuse | Self::Hook | Self::Pause => None,
            Self::Silent => Some(LOCAL_PINGS.notice_ms()),
            Self::Unplug => Some(DOCKER_PINGS.notice_ms()),
        }
    }
}

/// What a region is brought up with. Kept beside its data, so that a later `up` is the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The region's name.
    pub region: String,
    /// Where the servers run.
    pub platform: PlatformKind,
    /// What carries the links of the local platform.
    #[serde(default, skip_serializing_if = "Network::is_relay")]
    pub network: Network,
    /// The server version to fetch when none is named by path.
    pub nats_version: String,
    /// A server binary to use instead of looking for one.
    pub nats_server: Option<PathBuf>,
    /// How mirrors pull; `None` means durable where the server supports it.
    pub mirror: Option<MirrorKind>,
    /// What the other zones hold of the source's stream; `None` means mirrors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<CopyKind>,
    /// The first client port of zone a.
    pub port_base: u16,
    /// The zones to start with, the source first.
    pub zones: Vec<ZoneName>,
    /// The address at which containers publish their ports; `None` for this machine only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish: Option<IpAddr>,
    /// Take over servers that run already, left by a killed room or started by hand. Said anew
    /// each time; never kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopt: bool,
    /// The well-known user may change everything. Said anew each time; never kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
}

/// Where servers are reached when nothing else is said: on this machine only.
pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn loopback() -> IpAddr {
    LOOPBACK
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_loopback(address: &IpAddr) -> bool {
    *address == LOOPBACK
}

/// A node and the ports it listens on (loopback on the local platform).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePlan {
    /// The node's name.
    pub name: NodeName,
    /// The address at which the ports are published.
    #[serde(default = "loopback", skip_serializing_if = "is_loopback")]
    pub published: IpAddr,
    /// The engine's address, where the ports are published at every address of another machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<IpAddr>,
    /// Where clients connect.
    pub client_port: u16,
    /// Where the zone's other nodes connect.
    pub cluster_port: u16,
    /// Where other zones' leafnode connections arrive (used at the source).
    pub leaf_port: u16,
}

impl NodePlan {
    /// The address to hand to a NATS client, without credentials.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", SocketAddr::new(self.host(), self.client_port))
    }

    /// Where the node is reached from here: what is published at every address of this machine is
    /// at its loopback, too.
    #[must_use]
    pub fn host(&self) -> IpAddr {
        let here = if self.published.is_unspecified() { LOOPBACK } else { self.published };
        self.reached.unwrap_or(here)
    }

    /// Where clients on any machine reach it; `None` where several addresses are as good.
    #[must_use]
    pub fn advertised(&self) -> Option<SocketAddr> {
        let one = self.reached.is_some() || !self.published.is_unspecified();
        one.then(|| SocketAddr::new(self.host(), self.client_port))
    }
}

/// A zone: its name, role and nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZonePlan {
    /// The zone's name.
    pub name: ZoneName,
    /// Source or mirror.
    pub role: Role,
    /// What it holds of the source's stream, unless it is the source.
    #[serde(default, skip_serializing_if = "CopyKind::is_mirror")]
    pub copy: CopyKind,
    /// How long its own stream keeps messages.
    #[serde(default, skip_serializing_if = "Keeping::is_all")]
    pub keeping: Keeping,
    /// Which block of ports the zone has: 0 for 15222…, 1 for 15232…
    pub slot: u16,
    /// Its three nodes; none where somebody else runs it.
    pub nodes: Vec<NodePlan>,
    /// What a drill uses there, where somebody else runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalStream>,
    /// How to log in at them; goes into no file and no message.
    #[serde(skip)]
    pub access: Access,
}

impl ZonePlan {
    /// Lays out a zone on the ports of `slot`, counted from `port_base`.
    #[must_use]
    pub fn new(name: ZoneName, role: Role, slot: u16, port_base: u16) -> Self {
        let nodes = name
            .nodes()
            .map(|node| {
                let client = port_base + slot * ZONE_STRIDE + u16::from(node.number) - 1;
                NodePlan {
                    name: node,
                    published: LOOPBACK,
                    reached: None,
                    client_port: client,
                    cluster_port: client + KIND_STRIDE,
                    leaf_port: client + 2 * KIND_STRIDE,
                }
            })
            .collect();
        let (copy, keeping) = Default::default();
        Self { name, role, copy, keeping, slot, nodes, external: None, access: Access::default() }
    }

    /// The same plan, with this kind of copy.
    #[must_use]
    pub fn holding(self, copy: CopyKind) -> Self {
        Self { copy, ..self }
    }

    /// All links lead to it: it was the source to begin with, whatever it is now.
    #[must_use]
    pub fn is_hub(&self) -> bool {
        self.slot == 0
    }

    /// Its stream counts messages by itself, so that its sequences are not the source's
    /// (nats-facts §T).
    #[must_use]
    pub fn renumbers(&self) -> bool {
        !self.is_hub() && self.copy == CopyKind::Sources
    }

    /// The same plan, published at another address.
    #[must_use]
    pub fn at(mut self, published: Option<IpAddr>) -> Self {
        for node in &mut self.nodes {
            node.published = published.unwrap_or(LOOPBACK);
        }
        self
    }

    /// The same plan, where what is published at every address is reached at this one.
    #[must_use]
    pub fn reached_at(mut self, reached: Option<IpAddr>) -> Self {
        for node in &mut self.nodes {
            node.reached = reached;
        }
        self
    }

    /// What whoever publishes a region at an address is told; `None` where only this machine reaches
    /// it.
    #[must_use]
    pub fn warning(published: Option<IpAddr>) -> Option<String> {
        let published = published.filter(|address| !address.is_loopback())?;
        let at = if published.is_unspecified() {
            format!("every address of the machine ({published})")
        } else {
            published.to_string()
        };
        Some(format!(
            "the region is published at {at}, and whoever reaches that reaches its servers: without its passwords `admin`/`admin` looks at everything; `--publish 127.0.0.1` keeps others out"
        ))
    }

    /// The addresses of its nodes, without credentials.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(NodePlan::url).collect()
    }

    /// The same plan, with how to log in.
    #[must_use]
    pub fn with_access(self, access: &Access) -> Self {
        Self { access: access.clone(), ..self }
    }

    /// The zone's JetStream domain, `zone-b`.
    #[must_use]
    pub fn domain(&self) -> String {
        self.name.long()
    }

    /// The zone's durable consumer, `consumer-b`.
    #[must_use]
    pub fn consumer(&self) -> String {
        let own = || consumer_name(&self.name);
        self.external.as_ref().map_or_else(own, |external| external.consumer.clone())
    }

    /// The durable sourcing consumer this mirror zone has at the source.
    #[must_use]
    pub fn mirror_consumer(&self) -> String {
        mirror_consumer_name(&self.name)
    }

    /// The subject the durable sourcing consumer delivers to.
    #[must_use]
    pub fn mirror_deliver_subject(&self) -> String {
        format!("$JS.M.{}", self.name.long())
    }

    /// Every port the zone's nodes listen on.
    pub fn ports(&self) -> impl Iterator<Item = u16> + '_ {
        self.nodes.iter().flat_map(|n| [n.client_port, n.cluster_port, n.leaf_port])
    }
}

/// The durable sourcing consumer that a mirror zone has at the source: `MIRROR_zone-b`.
#[must_use]
pub fn mirror_consumer_name(zone: &ZoneName) -> String {
    format!("MIRROR_{}", zone.long())
}

/// The durable consumer of a zone: `consumer-b`.
#[must_use]
pub fn consumer_name(zone: &ZoneName) -> String {
    format!("consumer-{zone}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_follow_the_original_plan() {
        let b = ZonePlan::new("b".parse().unwrap(), Role::Mirror, 1, DEFAULT_PORT_BASE);
        assert_eq!(b.nodes[0].client_port, 15232);
        assert_eq!(b.nodes[2].client_port, 15234);
        assert_eq!(b.domain(), "zone-b");
        assert_eq!(b.consumer(), "consumer-b");
    }

    #[test]
    fn no_two_zones_share_a_port() {
        let mut seen = std::collections::BTreeSet::new();
        for slot in 0..u16::try_from(MOST_ZONES).unwrap() {
            let zone = ZonePlan::new("z".parse().unwrap(), Role::Mirror, slot, DEFAULT_PORT_BASE);
            for port in zone.ports() {
                assert!(seen.insert(port), "{port} twice");
            }
        }
    }
}
