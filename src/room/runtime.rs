//! What is running: the platform, the connections, the zones at work. Commands act on it; what is
//! *known* is the state actor's state, not this.

mod producing;
mod servers;
mod zone;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64},
    },
    time::Duration,
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::servers::Servers;
pub use self::zone::ZoneRuntime;
use super::{
    configuration::Acts,
    drills::active_drill::ActiveDrill,
    evidence::query::LedgerQuery,
    external::External,
    failure::Failure,
    home::{Home, HomeError, Kept},
    mailbox::Mailbox,
};
use crate::{
    ledger::message::RunId,
    nats::{
        evidence::Evidence,
        observe::NodeWatch,
        producer::{JobProgress, PATIENCE, Producer},
    },
    platform::Platform,
    region::{
        CopyKind, MirrorKind, NodeName, Role, Settings, ZoneName, ZonePlan, keeping::Keeping,
        renumbering::Renumbering,
    },
};

/// How often a node is asked while nothing happens.
pub const IDLE_PACE: Duration = Duration::from_secs(1);
/// How often while messages flow.
pub const BUSY_PACE: Duration = Duration::from_millis(500);
/// How often while a cut or a heal takes effect, so that its clock is worth its digits.
pub const KEEN_PACE: Duration = Duration::from_millis(50);

/// A running produce.
#[derive(Clone, Debug)]
pub struct Job {
    /// "p3 101..200 every 100ms".
    pub title: String,
    /// It ends when it is stopped, not by itself.
    pub endless: bool,
    pub stop: CancellationToken,
    /// How far it is.
    pub progress: watch::Receiver<JobProgress>,
}

/// What is running.
pub struct Runtime {
    /// Where the region lives.
    pub home: Home,
    /// What it was brought up with.
    pub settings: Mutex<Settings>,
    /// Where the servers run.
    pub platform: Box<dyn Platform>,
    /// The way to the state actor.
    pub bus: Mailbox,
    /// The way to the ledger writer.
    pub evidence: Evidence,
    pub ledger_query: LedgerQuery,
    pub run: RunId,
    pub pace: watch::Sender<Duration>,
    /// Zones over whose links requests are to be sent: something is asked of the link, or nothing
    /// moves that should.
    pub probed: watch::Sender<BTreeSet<ZoneName>>,
    zones: Mutex<BTreeMap<ZoneName, Arc<ZoneRuntime>>>,
    /// Those who watch each zone's nodes.
    watches: Mutex<BTreeMap<ZoneName, Vec<NodeWatch>>>,
    /// What is done to servers on command.
    pub servers: Servers,
    /// Of each copy by `sources`, how its sequences are read.
    renumberings: Mutex<BTreeMap<ZoneName, watch::Sender<Renumbering>>>,
    /// Plans of all zones, source first, in the order they came.
    plans: Mutex<Vec<ZonePlan>>,
    mirror: Mutex<Option<MirrorKind>>,
    producer: Mutex<Option<Arc<Producer>>>,
    /// The zone that the producer was moved to; the source if none.
    produces_in: Mutex<Option<ZoneName>>,
    /// Running produces by producer number.
    pub jobs: watch::Sender<BTreeMap<u32, Job>>,
    last_producer: AtomicU32,
    last_number: AtomicU64,
    pub active_drill: ActiveDrill,
    /// What other clients did lately.
    pub acts: Acts,
    /// What is known of a region that somebody else runs.
    pub external: Option<External>,
    /// Counts the cuts of each link, so that a timer heals only the cut it was set for.
    cuts: Mutex<BTreeMap<ZoneName, u64>>,
}

/// A lock that a panic elsewhere does not take down with it.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an engine is made of.
pub struct Parts {
    /// Where the region lives.
    pub home: Home,
    /// What it is brought up with.
    pub settings: Settings,
    /// The zones of an earlier life, or those of the settings.
    pub plans: Vec<ZonePlan>,
    /// Where the servers run.
    pub platform: Box<dyn Platform>,
    /// The way to the state actor.
    pub bus: Mailbox,
    /// The way to the ledger writer.
    pub evidence: Evidence,
    pub ledger_query: LedgerQuery,
    pub run: RunId,
    /// The highest producer so far.
    pub last_producer: u32,
    /// The highest message number so far.
    pub last_number: u64,
}

impl Runtime {
    /// Nothing runs yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        // What cannot be read was told before.
        let kept = parts.home.kept().ok().flatten();
        Self {
            produces_in: Mutex::new(kept.and_then(|kept| kept.producer)),
            home: parts.home,
            settings: Mutex::new(parts.settings),
            platform: parts.platform,
            bus: parts.bus,
            evidence: parts.evidence,
            ledger_query: parts.ledger_query,
            run: parts.run,
            pace: watch::channel(IDLE_PACE).0,
            probed: watch::channel(BTreeSet::new()).0,
            zones: Mutex::default(),
            watches: Mutex::default(),
            servers: Servers::default(),
            renumberings: Mutex::default(),
            plans: Mutex::new(parts.plans),
            mirror: Mutex::new(None),
            producer: Mutex::new(None),
            jobs: watch::channel(BTreeMap::new()).0,
            last_producer: AtomicU32::new(parts.last_producer),
            last_number: AtomicU64::new(parts.last_number),
            active_drill: ActiveDrill::default(),
            acts: Acts::default(),
            external: None,
            cuts: Mutex::default(),
        }
    }

    /// The same, attached to a region that somebody else runs.
    #[must_use]
    pub fn attached(self, external: External) -> Self {
        Self { external: Some(external), ..self }
    }

    /// All zones' plans, source first.
    #[must_use]
    pub fn plans(&self) -> Vec<ZonePlan> {
        locked(&self.plans).clone()
    }

    /// The plan of the zone that copies follow and all links lead to.
    ///
    /// # Errors
    /// When there is none, which a region cannot be without.
    pub fn source_plan(&self) -> Result<ZonePlan, Failure> {
        self.plans()
            .into_iter()
            .find(ZonePlan::is_hub)
            .ok_or_else(|| Failure::Broken("the region has no source zone".into()))
    }

    /// The plan of a zone.
    ///
    /// # Errors
    /// When there is no such zone; names those there are.
    pub fn plan(&self, zone: &ZoneName) -> Result<ZonePlan, Failure> {
        let plans = self.plans();
        plans.iter().find(|plan| &plan.name == zone).cloned().ok_or_else(|| {
            let names: Vec<&str> = plans.iter().map(|plan| plan.name.as_str()).collect();
            Failure::Refused(format!("there is no zone {zone}: the zones are {}", names.join(", ")))
        })
    }

    /// The plan of a zone that must be a mirror.
    ///
    /// # Errors
    /// When there is no such zone, or it is the source.
    pub fn mirror_plan(&self, zone: &ZoneName) -> Result<ZonePlan, Failure> {
        let plan = self.plan(zone)?;
        if plan.is_hub() {
            return Err(Failure::Refused(format!("zone {zone} is the source: name a mirror zone")));
        }
        Ok(plan)
    }

    /// Checks that a node's zone exists.
    ///
    /// # Errors
    /// When it does not.
    pub fn check_node(&self, node: &NodeName) -> Result<(), Failure> {
        self.plan(&node.zone).map(drop)
    }

    /// Adds a zone's plan and writes all down; taken out again by [`Self::forget`].
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remember(&self, plan: ZonePlan) -> Result<(), Failure> {
        let mut plans = locked(&self.plans);
        plans.push(plan);
        Ok(self.keep(&plans)?)
    }

    /// Takes a zone's plan out and writes the rest down.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn forget(&self, zone: &ZoneName) -> Result<(), Failure> {
        let mut plans = locked(&self.plans);
        plans.retain(|plan| &plan.name != zone);
        Ok(self.keep(&plans)?)
    }

    /// Notes that a zone takes part otherwise, and writes all down.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn take_role(&self, zone: &ZoneName, role: Role) -> Result<(), Failure> {
        let mut plans = locked(&self.plans);
        for plan in plans.iter_mut().filter(|plan| plan.name == *zone) {
            plan.role = role;
        }
        Ok(self.keep(&plans)?)
    }

    /// Notes how a zone's stream keeps messages, and writes all down.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_as(&self, zone: &ZoneName, keeping: Keeping) -> Result<(), Failure> {
        let mut plans = locked(&self.plans);
        plans.iter_mut().filter(|plan| plan.name == *zone).for_each(|plan| plan.keeping = keeping);
        Ok(self.keep(&plans)?)
    }

    /// Writes down what the region is made of.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_plans(&self) -> Result<(), Failure> {
        Ok(self.keep(&locked(&self.plans))?)
    }

    fn keep(&self, plans: &[ZonePlan]) -> Result<(), HomeError> {
        let settings = locked(&self.settings).clone();
        let producer = self.produces_in();
        self.home.keep(&Kept { settings, producer, zones: plans.to_vec() })
    }

    /// What the other zones hold of the source's stream.
    #[must_use]
    pub fn copy(&self) -> CopyKind {
        locked(&self.settings).copy.unwrap_or_default()
    }

    /// How a zone's sequences are read by the source's; nothing is known of a new one.
    pub fn renumbering(&self, zone: &ZoneName) -> watch::Sender<Renumbering> {
        locked(&self.renumberings).entry(zone.clone()).or_default().clone()
    }

    /// How mirrors pull, once decided.
    #[must_use]
    pub fn mirror(&self) -> Option<MirrorKind> {
        *locked(&self.mirror)
    }

    /// Decides how mirrors pull; kept with the region's data, which depends on it.
    pub fn set_mirror(&self, kind: MirrorKind) {
        *locked(&self.mirror) = Some(kind);
        locked(&self.settings).mirror = Some(kind);
    }

    /// What servers are started as, in words.
    pub fn server(&self) -> String {
        let settings = locked(&self.settings);
        match &settings.nats_server {
            Some(program) => {
                format!("{}, the program named with `--nats-server`", program.display())
            }
            None => format!("nats-server {}", settings.nats_version),
        }
    }

    /// Servers are started as that version from now on, also by the next room.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn keep_version(&self, version: &str) -> Result<(), Failure> {
        {
            let mut settings = locked(&self.settings);
            settings.nats_version = version.into();
            settings.nats_server = None;
        }
        self.keep_plans()
    }

    /// A zone at work.
    ///
    /// # Errors
    /// When it is not.
    pub fn zone(&self, zone: &ZoneName) -> Result<Arc<ZoneRuntime>, Failure> {
        self.plan(zone)?;
        locked(&self.zones).get(zone).cloned().ok_or_else(|| {
            Failure::Refused(format!(
                "zone {zone} is not serving yet: wait for it (`status` tells)"
            ))
        })
    }

    /// All zones at work.
    #[must_use]
    pub fn zones(&self) -> Vec<Arc<ZoneRuntime>> {
        locked(&self.zones).values().cloned().collect()
    }

    /// Keeps a zone's watchers.
    pub fn watch(&self, zone: ZoneName, watches: Vec<NodeWatch>) {
        locked(&self.watches).insert(zone, watches);
    }

    /// Puts a zone to work.
    pub fn set_to_work(&self, zone: Arc<ZoneRuntime>) {
        locked(&self.zones).insert(zone.plan.name.clone(), zone);
    }

    /// Takes a zone out of work: its consumer is stopped and its watchers end.
    pub async fn retire(&self, zone: &ZoneName) {
        locked(&self.watches).remove(zone);
        locked(&self.renumberings).remove(zone);
        let Some(runtime) = locked(&self.zones).remove(zone) else { return };
        runtime.stop.cancel();
        let consumer = locked(&runtime.consumer).take();
        if let Some(consumer) = consumer
            && let Err(error) = consumer.stop().await
        {
            tracing::error!("the consumer of zone {zone}: {error}");
        }
    }

    /// Takes everything out of work, produces first.
    pub async fn retire_all(&self) {
        self.stop_jobs(PATIENCE).await;
        locked(&self.producer).take();
        let names: Vec<ZoneName> = locked(&self.zones).keys().cloned().collect();
        futures::future::join_all(names.iter().map(|name| self.retire(name))).await;
        locked(&self.watches).clear();
    }

    /// Counts a cut of a link; the number tells later whether it is still the same cut.
    pub fn count_cut(&self, zone: &ZoneName) -> u64 {
        let mut cuts = locked(&self.cuts);
        let count = cuts.entry(zone.clone()).or_default();
        *count += 1;
        *count
    }

    /// Is it still that cut?
    #[must_use]
    pub fn is_cut_number(&self, zone: &ZoneName, number: u64) -> bool {
        locked(&self.cuts).get(zone) == Some(&number)
    }

    /// A node's folder, in which its log is.
    #[must_use]
    pub fn node_folder(&self, node: &NodeName) -> PathBuf {
        self.home.folder.join("servers").join(node.to_string())
    }
}
