//! Where the servers run, and what can be done to them from outside NATS.
//!
//! A platform knows processes and links; it does not speak NATS (that is `nats`), and it keeps no
//! picture of the region (that is `room`).

mod banner;
mod config;
#[cfg(target_os = "linux")]
mod counters;
pub mod docker;
pub mod identity;
pub mod local;
pub mod marks;
pub mod person;
mod private;

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::mpsc;

use self::identity::Identity;

use crate::command::NodeAct;
use crate::region::{
    NodeName, PlatformKind, ZoneName, ZonePlan,
    condition::{Feature, LinkCondition, measured::LinkCount},
    observation::ProcessTruth,
    status::Container,
    topology::{CutKind, MirrorKind},
};

/// What went wrong on a platform. Every message says what happened, to what, and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// No usable nats-server binary.
    #[error("{0}")]
    Binary(String),
    /// A port is taken.
    #[error(
        "port {port} ({what}) is in use by {owner}: end it, or start this region on other ports with `--port-base N` (or `--port-base auto`)"
    )]
    PortTaken {
        port: u16,
        /// What we need it for: "js1-zone-a, clients".
        what: String,
        /// Who holds it: "nats-server, pid 4711", "another process".
        owner: String,
    },
    /// A node did not start, or ended at once.
    #[error("{node} did not start: {why}\n  its log: {log}")]
    NotStarted { node: NodeName, why: String, log: PathBuf },
    /// The node is not in a state in which that can be done.
    #[error("{node} {why}")]
    NodeState {
        node: NodeName,
        /// "is not running: `node start js1-zone-a` starts it".
        why: String,
    },
    /// The source has no link of its own: the links are the mirror zones'.
    #[error("zone {0} has no link to cut: cut or heal the zones that mirror it")]
    NoLink(ZoneName),
    /// Another room runs this region's servers.
    #[error(
        "the servers in {} belong to a room that is running (pid {pid}): attach to it, or end it first",
        folder.display()
    )]
    Busy {
        /// The folder of the servers.
        folder: PathBuf,
        /// The other room's process.
        pid: u32,
    },
    /// The engine that runs containers.
    #[error("{0}")]
    Engine(String),
    /// Something that is needed is another's; nothing was begun.
    #[error("{0}")]
    Foreign(String),
    /// A cut that was made in part, and could not be taken back.
    #[error("{0}")]
    HalfCut(String),
    /// A cut this platform cannot make.
    #[error("the {platform} platform has no cut of kind {}: it has {have}", kind.as_str())]
    CutKind {
        platform: PlatformKind,
        kind: CutKind,
        /// What there is: "refuse, silent".
        have: String,
    },
    /// Something asked of a link that this platform cannot do.
    #[error("{0}")]
    Condition(String),
    /// The zone is not known here.
    #[error("there is no zone {0}")]
    NoZone(ZoneName),
    /// A file or a system call.
    #[error("cannot {doing} {}: {source}{}", path.display(), hint(source))]
    Io {
        /// "write", "create folder", …
        doing: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
}

/// What a user can do about the commonest I/O errors.
fn hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::StorageFull => {
            " (free some space, or keep the region elsewhere with ZONEDRILL_HOME)"
        }
        std::io::ErrorKind::PermissionDenied => {
            " (check its owner and mode, or keep the region elsewhere with ZONEDRILL_HOME)"
        }
        _ => "",
    }
}

impl PlatformError {
    /// Wraps an I/O error with what was being done.
    #[must_use]
    pub fn io(doing: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }
}

/// What a platform tells by itself, the moment it happens.
#[derive(Clone, Debug, PartialEq)]
pub enum PlatformEvent {
    /// A node's process changed: started, ended, was frozen.
    Node {
        node: NodeName,
        /// What it is doing now.
        truth: ProcessTruth,
        /// In words. Of what is foreign they continue the node's name, with the way out after a
        /// colon: "was paused by somebody else: `node thaw js1-zone-b` resumes it".
        why: String,
        /// Nobody asked for it through this room.
        foreign: bool,
    },
    /// A node was taken off the network of the links, or put on it, against what the room has made
    /// of its zone's link; or it is where it belongs again.
    Astray {
        node: NodeName,
        /// It is off the network, though its zone's link is not cut.
        off: bool,
        /// What was done to it; continues the node's name like the words above. `None` where it
        /// is where it belongs.
        told: Option<String>,
    },
    /// A node was taken off its own zone's network, or is on it again.
    Alone {
        node: NodeName,
        /// Somebody took it off.
        off: bool,
        /// What was done to it; continues the node's name like the words above.
        told: String,
    },
    /// What the engine tells of a node's container.
    Container { node: NodeName, container: Container },
    /// The platform itself is in trouble, or out of it again.
    Trouble { over: bool, why: String },
}

/// What a mirror zone's link has carried, where the platform carries it itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkStats {
    /// How the link is cut, if it is.
    pub cut: Option<CutKind>,
    /// It has counted since the link is there, connections as well; otherwise only bytes and packets,
    /// since a condition is in effect.
    pub since_begin: bool,
    /// Connections open now (under a silent cut: held).
    pub connections: usize,
    /// Connections accepted since the start.
    pub accepted: u64,
    /// Connections refused since the start.
    pub refused: u64,
    /// Bytes carried from the mirror zone to the source.
    pub bytes_to_source: u64,
    /// Bytes carried from the source to the mirror zone.
    pub bytes_from_source: u64,
    /// Bytes carried in both directions since the link was cut: anything but zero is a leak.
    /// `None` while it is not cut.
    pub bytes_since_cut: Option<u64>,
    /// What was counted in each direction, and under which condition.
    pub count: LinkCount,
}

/// How long a node has to leave: it sends its clients away within 30 s (`lame_duck_duration` in
/// `config/nats-server.conf`), and ends then.
const LEAVES: Duration = Duration::from_secs(40);

/// How a bring-up tells how far it is: a step's title and a running detail.
pub type Progress<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// What every region's servers have in common; decided once, kept for zones added later.
#[derive(Clone, Debug)]
pub struct Common {
    /// The region's folder; the platform works in its subfolder `servers`.
    pub home: PathBuf,
    pub region: String,
    /// Whose the region is; everything outside its folder carries it.
    pub identity: Identity,
    /// The source zone's name: where leafnodes of other zones go.
    pub source: ZonePlan,
}

/// Where servers run.
#[async_trait]
pub trait Platform: Send + Sync {
    /// `local`, `docker`, `external`.
    fn kind(&self) -> PlatformKind;

    /// Makes everything ready that needs no zone: finds or fetches the server binary, clears what
    /// an earlier room of this region left running. Returns the server's version, `2.15.1`.
    async fn prepare(&self, progress: Progress<'_>) -> Result<String, PlatformError>;

    /// Checks that the zone could be made now (ports), without changing anything.
    async fn check_zone(&self, zone: &ZonePlan) -> Result<(), PlatformError>;

    /// Makes the zone's configuration and link and starts its nodes. On failure nothing of the
    /// zone stays running.
    async fn start_zone(&self, zone: &ZonePlan) -> Result<(), PlatformError>;

    /// Ends the zone's nodes and link; `purge` removes its data and configuration too.
    async fn remove_zone(&self, zone: &ZoneName, purge: bool) -> Result<(), PlatformError>;

    /// Finds or fetches that version of the server, `2.15.1`: nodes are started as it from now on. Those
    /// that run stay as they are.
    async fn use_version(&self, version: &str, progress: Progress<'_>)
    -> Result<(), PlatformError>;

    /// Does it to the node. Returns when a node that is started, with its data, answers; when one that is
    /// to end has ended (or was killed after a grace time); when one is suspended, or goes on.
    async fn act(&self, act: NodeAct, node: &NodeName) -> Result<(), PlatformError>;

    /// The kinds of cut it can make, the usual one first.
    fn cut_kinds(&self) -> &'static [CutKind];

    /// Severs a mirror zone's link. When this returns, nothing is carried any more.
    async fn cut(&self, zone: &ZoneName, kind: CutKind) -> Result<(), PlatformError>;
    /// What carries its links, and so what it cannot make of them; in words that follow a colon.
    fn carries(&self) -> &'static str {
        "it does not carry the links itself"
    }

    /// What it can make of a link that is not whole; nothing where it does not carry links itself.
    fn features(&self) -> &'static [Feature] {
        &[]
    }

    /// Makes a mirror zone's link like that, which [`check_condition`] has let pass. When this
    /// returns, nothing is carried otherwise.
    async fn impair(&self, zone: &ZoneName, condition: LinkCondition) -> Result<(), PlatformError> {
        let _ = condition;
        Err(PlatformError::NoLink(zone.clone()))
    }

    /// Restores a mirror zone's link, whatever was asked of it.
    async fn heal(&self, zone: &ZoneName) -> Result<(), PlatformError>;

    /// What a zone's link has carried; `None` where the platform does not carry links itself, or
    /// the zone has none.
    async fn link_stats(&self, _zone: &ZoneName) -> Option<LinkStats> {
        None
    }

    /// What it found of before and keeps, changes or leaves alone, in words; after
    /// [`Self::prepare`].
    fn adopted(&self) -> Vec<String> {
        Vec::new()
    }

    /// Is a mirror zone's link cut, also where it was found so?
    fn is_cut(&self, _zone: &ZoneName) -> bool {
        false
    }

    /// Nodes that are off a network they belong on, each with which, and what brings it back: "off
    /// the WAN network: `heal b` …". As of the last [`Self::truth`] or event.
    fn astray(&self) -> Vec<(NodeName, String)> {
        Vec::new()
    }

    /// What is true of every node's process.
    async fn truth(&self) -> Vec<(NodeName, ProcessTruth)>;

    /// The stream of things the platform notices by itself. Can be taken once.
    fn events(&self) -> Option<mpsc::UnboundedReceiver<PlatformEvent>>;

    /// After a bring-up that failed: ends what it began. What it was to take over is not its own to
    /// end.
    async fn abandon(&self) -> Result<(), PlatformError> {
        self.down(false).await
    }

    /// Ends every zone. Never fails half-way: goes on and returns the first error.
    async fn down(&self, purge: bool) -> Result<(), PlatformError>;
}

/// Checks that the platform has that kind of cut; without a kind, the usual one is meant.
///
/// # Errors
/// [`PlatformError::CutKind`], naming those there are.
pub fn choose_cut(
    platform: &dyn Platform,
    kind: Option<CutKind>,
) -> Result<CutKind, PlatformError> {
    let kinds = platform.cut_kinds();
    match kind.or_else(|| kinds.first().copied()) {
        Some(kind) if kinds.contains(&kind) => Ok(kind),
        other => Err(PlatformError::CutKind {
            platform: platform.kind(),
            kind: other.unwrap_or(CutKind::Refuse),
            have: kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", "),
        }),
    }
}

/// Checks that the platform can make a link like that.
///
/// # Errors
/// [`PlatformError::Condition`]: what it cannot do, why, and which platform can.
pub fn check_condition(
    platform: &dyn Platform,
    condition: &LinkCondition,
) -> Result<(), PlatformError> {
    let can = platform.features();
    let Some(missing) = condition.features().find(|feature| !can.contains(feature)) else {
        return Ok(());
    };
    let have: Vec<&str> = can.iter().map(|one| one.as_str()).collect();
    let have = if have.is_empty() { "nothing".to_owned() } else { have.join(", ") };
    let other = if missing.needs_packets() {
        "`zonedrill up --platform local --network wire`"
    } else {
        "`zonedrill up --platform local`"
    };
    Err(PlatformError::Condition(format!(
        "the {} platform cannot do {missing}: {}; {other} can. It can do {have}",
        platform.kind(),
        platform.carries()
    )))
}

/// What a lock guards. Every change of it is one step, so it is whole even after a panic elsewhere.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Compares dotted versions by their numbers: is `version` at least `wanted`?
#[must_use]
pub fn version_at_least(version: &str, wanted: (u32, u32, u32)) -> bool {
    let mut parts = version
        .trim_start_matches('v')
        .split(['.', '-'])
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next()) >= wanted
}

/// Which mirror kind a server version gets when the user has not said: durable from 2.15 on
/// (nats-facts §B: 2.14 accepts it and gains nothing).
#[must_use]
pub fn default_mirror(version: &str) -> MirrorKind {
    if version_at_least(version, (2, 15, 0)) { MirrorKind::Durable } else { MirrorKind::Classic }
}
