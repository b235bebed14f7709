//! The room: the one process that owns a running region, and the way into it.
//!
//! | file | inside |
//! |---|---|
//! | [`home`] | where the region lives on disk, and the claim on it |
//! | [`region_file`] | a region that somebody else runs, and how its clusters are reached |
//! | `settle` | what it is made of: as it was before, or as asked |
//! | [`external`] | the room of one command, in a region that somebody else runs |
//! | [`state_actor`] | the one task that holds the state |
//! | [`mailbox`] | how everything reaches it |
//! | [`task`] | long commands, and the leases of what they work on |
//! | [`runtime`] | what is running: platform, connections, zones at work |
//! | [`bringup`], [`zones`], [`links`], [`nodes`], [`produce`], [`repair`], [`verify`], [`doctor`] | the commands |
//! | [`lost_source`] | a source that lost its stream |
//! | [`configuration`] | what somebody else does to streams and consumers, told as it is seen |
//! | [`drills`] | scripts run, recorded, concluded |
//! | [`evidence`] | the ledger writer |
//! | [`history`] | every input on disk, as it comes |
//! | [`drain`] | what consumers still have to do, and what will not come |
//! | [`work`] | what consumers and ledger do, told as it changes |
//! | [`protocol`], [`server`], [`client`] | the socket, from both ends |
//! | [`roles`] | who is here, who drives, who asks (pure) |
//! | [`guard`] | clears up after a room that was killed |

pub mod bounded_file;
pub mod bringup;
pub mod client;
pub mod clock;
pub mod configuration;
pub mod doctor;
pub mod drain;
pub mod drills;
pub mod evidence;
pub mod external;
mod failback;
pub mod failure;
mod fence;
pub mod guard;
pub mod history;
pub mod home;
pub mod impair;
pub mod inspect;
mod keeping;
pub mod links;
pub mod lost_source;
pub mod mailbox;
pub mod nodes;
pub mod produce;
pub mod promote;
pub mod protocol;
pub mod region_file;
pub mod repair;
pub mod roles;
pub mod runtime;
mod salvage;
pub mod server;
mod settle;
pub mod state_actor;
mod switchover;
pub mod task;
pub mod upgrade;
pub mod verify;
pub mod work;
mod zone_role;
pub mod zones;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    command::Command,
    platform::{Common, Platform, PlatformError, docker, identity::Identity, local},
    region::{
        PlatformKind, Settings, ZonePlan, access::Access, event::Severity, reduce::State,
        status::Phase,
    },
};
use home::{Home, HomeError};
use mailbox::{CommandRequest, Mail, Mailbox};
use settle::settle;

/// What is told when the last room was killed while it wrote the ledger.
const MENDED: &str = "the ledger's last line was torn (the room was killed while writing it) and has been removed: nobody had acted on it yet, so nothing is missing";
/// How long a room whose bring-up failed stays, so that somebody can read why.
const FAILED_STAY: Duration = Duration::from_secs(3);
/// How long a starting room waits for a dying one (or its guard) to let go of the region.
const CLAIM_PATIENCE: Duration = Duration::from_secs(3);

/// Why a room cannot be.
#[derive(Debug, thiserror::Error)]
pub enum RoomError {
    #[error("{0}")]
    Home(#[from] HomeError),
    #[error("{0}")]
    Evidence(#[from] evidence::KeeperError),
    #[error("cannot listen on {}: {source}", path.display())]
    Socket { path: PathBuf, source: std::io::Error },
    /// Settings that do not fit the region's data.
    #[error("{0}")]
    Settings(String),
    /// A region that was made for one run is over, and not all of it could be removed.
    #[error("not all of the region is removed: {0}")]
    LeftBehind(String),
    /// What is to be adopted cannot be, or the engine's servers could not be reached.
    #[error("{0}")]
    Engine(#[from] PlatformError),
}

/// Claims the region; waits a little for a dying room to let go.
async fn claim(home: &Home) -> Result<home::Lease, HomeError> {
    let deadline = Instant::now() + CLAIM_PATIENCE;
    loop {
        match home.claim() {
            Err(HomeError::Held { .. })
                if Instant::now() < deadline
                    && std::os::unix::net::UnixStream::connect(home.socket()).is_err() =>
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            other => return other,
        }
    }
}

fn platform(
    home: &Home,
    settings: &Settings,
    plans: &[ZonePlan],
    source: &ZonePlan,
    identity: Identity,
    fresh: bool,
) -> Result<Box<dyn Platform>, RoomError> {
    let common = Common {
        home: home.folder.clone(),
        region: home.region.clone(),
        identity,
        source: source.clone(),
    };
    let nats_version = settings.nats_version.clone();
    let nats_server = settings.nats_server.clone();
    let cache = home::cache_folder()?;
    match settings.platform {
        PlatformKind::Local => Ok(Box::new(local::LocalPlatform::new(local::LocalOptions {
            common,
            nats_version,
            nats_server,
            cache,
            network: settings.network,
            program: std::env::current_exe().unwrap_or_else(|_| "zonedrill".into()),
        }))),
        PlatformKind::Docker => Ok(Box::new(docker::DockerPlatform::new(docker::DockerOptions {
            common,
            plans: plans.to_vec(),
            nats_version,
            nats_server,
            cache,
            adopt: settings.adopt,
            fresh,
        }))),
        PlatformKind::External => Err(RoomError::Settings(
            "somebody else runs this region: `zonedrill --region-file FILE up` looks at it".into(),
        )),
    }
}

/// How to log in at the region's servers: as what is adopted was made, else with the passwords of
/// the folder.
async fn access(
    home: &Home,
    settings: &Settings,
    identity: &Identity,
) -> Result<Access, RoomError> {
    if settings.adopt
        && settings.platform == PlatformKind::Docker
        && let Some(access) = docker::adopted_access(&home.region, identity).await?
    {
        if settings.open && !access.open {
            return Err(RoomError::Settings(format!(
                "`--open` changes the servers' configuration, and `--adopt` keeps it: `zonedrill{flag} down`, then `zonedrill{flag} up --open`",
                flag = home.flag()
            )));
        }
        home.keep_secrets(&access.secrets)?;
        return Ok(access);
    }
    Ok(Access::new(home.make_secrets()?, settings.open))
}

/// A room's whole life: claims the region, brings it up, serves until it is ended, takes it down.
/// Of a region that was made for one run (`once`), the data goes too.
///
/// # Errors
/// When there cannot be a room here; nothing is running then.
pub async fn run(home: Home, asked: Settings, once: bool) -> Result<(), RoomError> {
    home.create()?;
    let claim = claim(&home).await?;
    let identity = home.identify()?;
    let fresh = home.kept()?.is_none();
    let reached = match asked.platform {
        PlatformKind::Docker => docker::reached(asked.publish).await?,
        PlatformKind::Local | PlatformKind::External => None,
    };
    let (settings, plans) = settle(&home, asked, reached)?;
    let access = access(&home, &settings, &identity).await?;
    let plans: Vec<ZonePlan> = plans.into_iter().map(|plan| plan.with_access(&access)).collect();
    let source = plans
        .first()
        .cloned()
        .ok_or_else(|| RoomError::Settings("a region needs at least its source zone".into()))?;
    let platform = platform(&home, &settings, &plans, &source, identity.clone(), fresh)?;
    // Completion for this start only.
    let settings = Settings { adopt: false, open: false, ..settings };
    let writer = evidence::LedgerWriter::open(&home, clock::now_ms())?;
    let socket_path = home.socket();
    if let Some(folder) = socket_path.parent() {
        home::private_folder(folder)?;
    }
    let socket = server::Socket::bind(&socket_path)
        .map_err(|source| RoomError::Socket { path: socket_path.clone(), source })?;
    let guard = guard::Guard::start(&home, &identity, once.then_some(settings.platform))
        .inspect_err(|error| tracing::warn!("no guard: {error}"))
        .ok();

    let (bus, inbox) = Mailbox::new();
    let started = clock::now_ms();
    let port_base = settings.port_base;
    let network = (settings.platform == PlatformKind::Local).then_some(settings.network);
    let state =
        State::new(&home.region, settings.platform, started).open(access.open).over(network);
    let first = Arc::new(server::Published::new(state.status(started)));
    let (publish, statuses) = watch::channel(first);
    let wire = Arc::new(server::EventWire::default());
    let (screens, attached) = watch::channel(BTreeMap::new());
    let connections = watch::channel(0_usize).0;
    let mut present = connections.subscribe();
    let runtime = Arc::new(runtime::Runtime::new(runtime::Parts {
        home: home.clone(),
        settings,
        plans,
        platform,
        bus: bus.clone(),
        evidence: writer.evidence.clone(),
        ledger_query: writer.ledger_query(),
        run: writer.run.clone(),
        last_producer: writer.last_producer,
        last_number: writer.last_number,
    }));
    work::tell_figures(bus.clone(), writer.figures.clone(), home.flag());
    let closing = CancellationToken::new();
    let shared = server::Shared {
        id: identity.own().unwrap_or_default().to_owned(),
        bus: bus.clone(),
        statuses: statuses.clone(),
        events: Arc::clone(&wire),
        screens,
        visitors: std::sync::atomic::AtomicUsize::default(),
        seats: std::sync::Mutex::default(),
        connections,
    };
    let serving = tokio::spawn(socket.serve(Arc::new(shared), closing.clone()));
    listen_for_signals(&bus);
    let watching = tokio::spawn(drills::watching::watch(Arc::clone(&runtime), statuses.clone()));
    end_after_failure(bus.clone(), statuses, &mut present);
    if writer.mended {
        bus.note(Severity::Warn, MENDED);
    }
    let records = home.folder.join(drills::RECORDS);
    let abandoned = drills::abandoned::end_all(&records, writer.run.as_str());
    if !abandoned.is_empty() {
        drills::abandoned::tell(&bus, abandoned);
    }
    let _ = bus.give(CommandRequest::by_room(Command::Up));

    let owner = state_actor::StateActor::new(state_actor::Parts {
        state,
        runtime: Arc::clone(&runtime),
        inbox,
        publish,
        wire,
        floors: writer.floors.clone(),
        screens: attached,
        port_base,
    });
    // A panic of the state actor must still take the region down.
    let lived = tokio::spawn(owner.run()).await;
    let purge = once || lived.as_ref().is_ok_and(|(_, end)| end.purge);
    let mut down = Ok(());
    let taking_down = async { down = bringup::down(&runtime, purge).await };
    let ended = match lived {
        Ok((mut owner, end)) => {
            owner.see_out(taking_down).await;
            Some((owner, end))
        }
        Err(crash) => {
            tracing::error!("the owner crashed: {crash}");
            taking_down.await;
            None
        }
    };
    watching.abort();
    drop(runtime);
    let mut result = down.map_err(|failure| failure.to_string());
    let left_behind = result.as_ref().err().filter(|_| once).cloned();
    if let Some((mut owner, end)) = ended {
        if purge && result.is_ok() {
            result = home.purge().map_err(|error| error.to_string());
        }
        owner.answer_down(end, result);
    }
    closing.cancel();
    let _ = serving.await;
    if !purge {
        let closed = tokio::task::spawn_blocking(move || writer.close());
        // Whoever still holds a way to the ledger writer must not hold up the end.
        let _ = tokio::time::timeout(Duration::from_secs(2), closed).await;
    }
    match (guard, left_behind) {
        // Nobody comes back for it: the guard tries again.
        (_, Some(why)) => return Err(RoomError::LeftBehind(why)),
        (Some(guard), None) => guard.dismiss(),
        (None, None) => {}
    }
    drop(claim);
    Ok(())
}

fn listen_for_signals(bus: &Mailbox) {
    use tokio::signal::unix::{SignalKind, signal};
    for (kind, name) in [
        (SignalKind::terminate(), "SIGTERM"),
        (SignalKind::interrupt(), "SIGINT"),
        (SignalKind::quit(), "SIGQUIT"),
    ] {
        let bus = bus.clone();
        match signal(kind) {
            Ok(mut signals) => {
                tokio::spawn(async move {
                    if signals.recv().await.is_some() {
                        let _ = bus.send(Mail::Signal(name));
                    }
                });
            }
            Err(error) => tracing::warn!("cannot listen for {name}: {error}"),
        }
    }
    // The room belongs to no terminal; a hang-up is somebody else's affair.
    match signal(SignalKind::hangup()) {
        Ok(mut signals) => {
            tokio::spawn(async move { while signals.recv().await.is_some() {} });
        }
        Err(error) => tracing::warn!("cannot ignore SIGHUP: {error}"),
    }
}

/// A room whose bring-up failed has nothing to own: it stays while somebody looks at the reason,
/// then ends.
fn end_after_failure(
    bus: Mailbox,
    mut statuses: watch::Receiver<Arc<server::Published>>,
    present: &mut watch::Receiver<usize>,
) {
    let mut present = present.clone();
    tokio::spawn(async move {
        loop {
            let failed = |p: &Arc<server::Published>| matches!(p.status.phase, Phase::Failed);
            if statuses.wait_for(failed).await.is_err() {
                return;
            }
            tokio::time::sleep(FAILED_STAY).await;
            if present.wait_for(|n| *n == 0).await.is_err() {
                return;
            }
            let still = matches!(statuses.borrow().status.phase, Phase::Failed);
            if still {
                let _ = bus.send(Mail::Signal("a failed bring-up that nobody looks at"));
                return;
            }
        }
    });
}
