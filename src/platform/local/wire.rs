//! Links that carry packets: each zone in a network namespace of its own, all of them in one user
//! namespace that needs no root, joined by TUN devices and a wire in this process.
//!
//! | file | what is inside |
//! |---|---|
//! | `helper` | the process that makes namespaces, devices, and sockets in them |
//! | `client` | the room's side of it: started, asked, replaced when it is gone |
//! | `carrier` | the wire: a thread that moves packets |
//! | `link` | the link between a zone and the source |
//! | `lane` | one direction of a link: what becomes of a packet |
//! | `flows` | the connections over a link, and how they are reset |
//! | `doors` | the zones' ports, as they are reached from outside |
//!
//! The servers are children of the room as ever, and join their zone's namespaces before they
//! become servers (`launch::Namespaces`). Devices and namespaces are held by descriptors of the room; with
//! it they are gone.

mod carrier;
mod client;
mod doors;
mod flows;
pub mod helper;
mod lane;
mod link;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{net::TcpSocket, sync::mpsc::UnboundedSender};

use self::{
    carrier::{Carrier, Place},
    client::{Helper, Refusal},
    helper::{Answer, Request},
};
use super::launch::Namespaces;
use crate::{
    platform::{Common, LinkStats, PlatformError, PlatformEvent},
    region::{
        ZonePlan,
        condition::{Feature, LinkCondition, measured::EndCount},
        topology::{CutKind, NodePlan},
    },
};

/// The second number of the first zone's addresses: 10.100.0.1 is `js1-zone-a`.
const FIRST_PLACE: u8 = 100;

/// What a wire can do to a link.
pub const FEATURES: [Feature; 11] = [
    Feature::Delay,
    Feature::Jitter,
    Feature::Rate,
    Feature::Silence,
    Feature::Flap,
    Feature::Reset,
    Feature::Loss,
    Feature::Mtu,
    Feature::Reorder,
    Feature::Duplicate,
    Feature::Corrupt,
];
/// How a wire can be cut: as real lines are, which tell nobody; or so that both ends are told.
pub const CUTS: [CutKind; 2] = [CutKind::Silent, CutKind::Refuse];

fn place(zone: &ZonePlan) -> Place {
    FIRST_PLACE.saturating_add(u8::try_from(zone.slot).unwrap_or(u8::MAX))
}

/// Where a node is, for the zones: `10.100.0.1`.
#[must_use]
pub fn address(zone: &ZonePlan, node: &NodePlan) -> Ipv4Addr {
    Ipv4Addr::new(10, place(zone), 0, node.name.number)
}

/// The wire of a region. Dropping it, and its sites, removes everything.
pub struct Wire {
    helper: Helper,
    carrier: Carrier,
    user: Arc<OwnedFd>,
    source: ZonePlan,
    /// The source's network namespace, once it has one.
    source_net: Mutex<Option<Arc<OwnedFd>>>,
    events: UnboundedSender<PlatformEvent>,
}

impl Wire {
    /// Starts the helper and the wire. Blocks for milliseconds.
    ///
    /// # Errors
    /// Where user namespaces are forbidden, with what allows them.
    pub fn start(
        program: &Path,
        common: &Common,
        events: UnboundedSender<PlatformEvent>,
    ) -> Result<Arc<Self>, PlatformError> {
        let io = |error| PlatformError::io("run the wire's helper", program, error);
        let (helper, user) = Helper::start(program, common).map_err(|why| refused(&why))?;
        let carrier = Carrier::start(place(&common.source)).map_err(io)?;
        let wire = Arc::new(Self {
            helper,
            carrier,
            user,
            source: common.source.clone(),
            source_net: Mutex::default(),
            events,
        });
        client::watch(&wire);
        Ok(wire)
    }

    /// The helper is gone, or does not answer: another one takes its place, which needs nothing of it
    /// but the user namespace.
    fn replace_helper(self: &Arc<Self>, number: u64) -> Result<(), String> {
        let replaced = self.helper.replace(number, &self.user);
        let event = match &replaced {
            Ok(None) => return Ok(()),
            Ok(Some((old, new))) => PlatformEvent::Trouble {
                over: true,
                why: format!(
                    "the wire's helper process (pid {old}) ended or was suspended, and another one (pid {new}) took its place: the links and the servers are as they were"
                ),
            },
            Err(why) => PlatformEvent::Trouble {
                over: false,
                why: format!(
                    "the wire's helper process ended or was suspended, and no other could be started ({why}): the links and the servers are as they were, but no new client reaches them. `down`, then `up` again"
                ),
            },
        };
        // Closing: nobody wants to know.
        let _ = self.events.send(event);
        if matches!(replaced, Ok(Some(_))) {
            client::watch(self);
        }
        replaced.map(drop)
    }

    /// Makes a zone's place on the wire, and opens its ports outside.
    ///
    /// # Errors
    /// When the system does not let it, or a port is taken.
    pub async fn add(self: Arc<Self>, zone: &ZonePlan) -> Result<Site, PlatformError> {
        let addresses: Vec<Ipv4Addr> = zone.nodes.iter().map(|node| address(zone, node)).collect();
        let wire = Arc::clone(&self);
        let asked = Request::Zone(addresses.clone());
        let (_, given) = wire.ask(asked, None).await.map_err(|why| refused(&why))?;
        let [net, device] = <[OwnedFd; 2]>::try_from(given)
            .map_err(|_| refused("it gave a zone without its device"))?;
        let (net, place) = (Arc::new(net), place(zone));
        if zone.name == self.source.name {
            *self.source_net.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Arc::clone(&net));
        }
        self.carrier.add(place, device);
        let mut site = Site {
            place,
            namespaces: Namespaces { user: Arc::clone(&self.user), net },
            before: Mutex::default(),
            wire: self,
            doors: doors::Doors::default(),
        };
        let source = zone.is_hub();
        let doors = zone.nodes.iter().zip(addresses).flat_map(|(node, inside)| {
            let ports = [Some(node.client_port), Some(node.cluster_port)];
            let all = ports.into_iter().chain([source.then_some(node.leaf_port)]).flatten();
            all.map(move |port| (port, SocketAddr::from((inside, port))))
        });
        site.doors = doors::open(&site, doors).await?;
        Ok(site)
    }

    /// Asks the helper, off the runtime: it may have been suspended.
    async fn ask(
        self: Arc<Self>,
        request: Request,
        along: Option<Arc<OwnedFd>>,
    ) -> Result<(Answer, Vec<OwnedFd>), String> {
        let asking = move || {
            let along: Vec<BorrowedFd<'_>> = along.iter().map(|fd| fd.as_fd()).collect();
            match self.helper.ask(&request, &along) {
                Err(Refusal::NoAnswer(number, _)) => {
                    self.replace_helper(number)?;
                    self.helper.ask(&request, &along).map_err(|refusal| refusal.to_string())
                }
                answered => answered.map_err(|refusal| refusal.to_string()),
            }
        };
        tokio::task::spawn_blocking(asking).await.map_err(|error| error.to_string())?
    }

    /// A TCP socket in that network namespace.
    async fn socket(self: Arc<Self>, net: Arc<OwnedFd>) -> Result<TcpSocket, String> {
        let (_, given) = self.ask(Request::Socket, Some(net)).await?;
        let socket = given.into_iter().next().ok_or("the wire's helper gave no socket")?;
        Ok(TcpSocket::from_std_stream(socket.into()))
    }

    async fn counted(self: &Arc<Self>, net: Option<Arc<OwnedFd>>) -> Option<EndCount> {
        let asked = Arc::clone(self).ask(Request::Counters, Some(net?)).await;
        match asked {
            Ok((Answer::Counted(count), _)) => Some(count),
            _ => None,
        }
    }

    /// What the kernel has counted at both ends of a link: at the source, in the zone.
    async fn ends(self: &Arc<Self>, net: &Arc<OwnedFd>) -> [Option<EndCount>; 2] {
        let source = self.source_net.lock().unwrap_or_else(PoisonError::into_inner).clone();
        [self.counted(source).await, self.counted(Some(Arc::clone(net))).await]
    }
}

/// A zone's place on the wire. Dropping it takes the zone off.
pub struct Site {
    place: Place,
    namespaces: Namespaces,
    /// What the ends' kernels had counted when the condition began.
    before: Mutex<Option<[Option<EndCount>; 2]>>,
    wire: Arc<Wire>,
    doors: doors::Doors,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.wire.carrier.remove(self.place);
    }
}

impl Site {
    /// Where the zone's servers run.
    pub fn namespaces(&self) -> Namespaces {
        self.namespaces.clone()
    }

    /// A TCP socket where the zone's servers run.
    ///
    /// # Errors
    /// When the helper does not give one, in words.
    pub async fn socket(&self) -> Result<TcpSocket, String> {
        Arc::clone(&self.wire).socket(Arc::clone(&self.namespaces.net)).await
    }

    /// Closes the ports outside; returns when they are free.
    pub async fn close(&self) {
        self.doors.close().await;
    }

    /// Severs the zone's link.
    pub fn cut(&self, kind: CutKind) {
        self.begin(None);
        self.wire.carrier.cut(self.place, kind);
    }

    /// Makes the zone's link like that.
    pub async fn impair(&self, condition: LinkCondition) {
        let before = self.wire.ends(&self.namespaces.net).await;
        self.begin(Some(before));
        self.wire.carrier.impair(self.place, condition);
    }

    /// Restores the zone's link.
    pub fn heal(&self) {
        self.begin(None);
        self.wire.carrier.heal(self.place);
    }

    fn begin(&self, before: Option<[Option<EndCount>; 2]>) {
        *self.before.lock().unwrap_or_else(PoisonError::into_inner) = before;
    }

    /// What the zone's link has carried.
    pub async fn stats(&self) -> Option<LinkStats> {
        let mut stats = self.wire.carrier.stats(self.place)?;
        let before = *self.before.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some([source, zone]) = before {
            let [now_source, now_zone] = self.wire.ends(&self.namespaces.net).await;
            let since = |now: Option<EndCount>, then| Some(now?.since(then?));
            stats.count.source_end = since(now_source, source);
            stats.count.zone_end = since(now_zone, zone);
        }
        Some(stats)
    }
}

/// Why there can be no wire here, and what to do about it.
fn refused(why: &str) -> PlatformError {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let way_out = if read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" {
        "AppArmor keeps programs without a profile from using user namespaces: root allows it with `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, or with a profile that has `userns,`"
    } else if read("/proc/sys/kernel/unprivileged_userns_clone") == "0" {
        "this system lets only root make user namespaces: root allows it with `sysctl -w kernel.unprivileged_userns_clone=1`"
    } else if read("/proc/sys/user/max_user_namespaces") == "0" {
        "this system allows no user namespaces: root allows them with `sysctl -w user.max_user_namespaces=10000`"
    } else if !Path::new("/dev/net/tun").exists() {
        "there is no /dev/net/tun: root makes it with `modprobe tun`; a container needs `--device /dev/net/tun`"
    } else {
        "the network wire needs a user namespace with a network namespace in it and /dev/net/tun; a container's seccomp profile often forbids them"
    };
    PlatformError::Engine(format!(
        "no wire can be made here: {why}. {way_out}; `zonedrill up --network relay` needs none of it"
    ))
}
