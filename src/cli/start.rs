//! Finding the region's room, or starting one that outlives this shell.

use std::{
    io::{Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use color_eyre::eyre::{self, WrapErr};
use tokio::signal::unix::SignalKind;

use super::{StartArgs, foreign, logging};
use crate::{
    command::Command as Line,
    platform::{identity::new_id, local, marks},
    region::{Settings, ZonePlan, status::Phase},
    room::{
        self, RoomError,
        bounded_file::BoundedFile,
        client::{Client, ClientError},
        drills::choice::DRILLS,
        home::Home,
        protocol::{ClientKind, Message, Request},
    },
};

/// By what name a connection comes that only looks whether a room is there; shown nowhere.
pub const NOBODY_SEEN: &str = "starter";
/// How long a new room may take until it listens. It does so before it starts any server.
const LISTENS_WITHIN: Duration = Duration::from_secs(30);
/// Which variables of the environment name a folder that the room uses, besides its own.
const FOLDERS: [&str; 4] = ["ZONEDRILL_CACHE", DRILLS, "DOCKER_CONFIG", "DOCKER_CERT_PATH"];
/// Room for a few more zones when free ports are looked for.
const SPARE_ZONES: usize = 4;

/// Was there a room already?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    Before,
    /// It was started now.
    Now,
}

/// The settings a region is started with: as asked, else as kept, else the defaults.
///
/// # Errors
/// When the kept ones cannot be read, or those asked for are impossible.
pub fn settings(home: &Home, asked: &StartArgs) -> eyre::Result<Settings> {
    let kept = home.kept()?.map(|kept| kept.settings);
    asked.settings(home, kept)
}

/// A first port from which on everything needed is free.
///
/// # Errors
/// When nothing is.
pub fn free_ports(zones: usize) -> eyre::Result<u16> {
    local::ports::free_base(zones + SPARE_ZONES).ok_or_else(|| {
        eyre::eyre!("no free block of ports was found: name one with `--port-base N`")
    })
}

/// Makes sure the region's room runs and listens.
///
/// # Errors
/// When it cannot be started; in the room's own words.
pub async fn ensure_room(home: &Home, asked: &StartArgs) -> eyre::Result<Started> {
    end_failed(home).await?;
    if listens(home).await? {
        if let Some(flag) = asked.first_given() {
            eyre::bail!(
                "region `{}` is running already, so `{flag}` comes too late: `zonedrill{} down` first, or name another region with `--region`",
                home.region,
                home.flag()
            );
        }
        return Ok(Started::Before);
    }
    let settings = settings(home, asked)?;
    if let Some(id) = &asked.force_foreign {
        foreign::take_over(home, &settings, id).await?;
    }
    if let Some(warning) = ZonePlan::warning(settings.publish) {
        super::tell(&format!("mind: {warning}"));
    }
    let mut child = spawn(home, &settings, false, None)?;
    until_it_listens(home, &mut child).await
}

/// Waits until a room that was just started listens; kills it if it does not.
///
/// # Errors
/// When it ends at once, in its own words, or does not listen in time.
pub async fn until_it_listens(home: &Home, child: &mut Child) -> eyre::Result<Started> {
    let deadline = Instant::now() + LISTENS_WITHIN;
    loop {
        if listens(home).await? {
            return Ok(Started::Now);
        }
        if let Some(status) = child.try_wait()? {
            let mut words = String::new();
            if let Some(mut pipe) = child.stderr.take() {
                let _ = pipe.read_to_string(&mut words);
            }
            let words = words.trim().trim_start_matches("zonedrill: ");
            // Somebody else may have started one at the same moment.
            if listens(home).await? {
                return Ok(Started::Before);
            }
            if words.is_empty() {
                eyre::bail!("the room ended at once ({status}); its log: {}", home.log().display());
            }
            eyre::bail!("{words}");
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            eyre::bail!(
                "the room does not listen after {} s; its log: {}",
                LISTENS_WITHIN.as_secs(),
                home.log().display()
            );
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Does a room listen?
///
/// # Errors
/// When one does that cannot be talked to.
pub async fn listens(home: &Home) -> eyre::Result<bool> {
    match Client::connect(home, NOBODY_SEEN, ClientKind::Shell, true).await {
        Ok(_) => Ok(true),
        Err(ClientError::NoRoom(_) | ClientError::Gone) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A room whose bring-up failed stays a moment so that the reason can be read; whoever tries again,
/// or removes what was in its way, need not wait for it. Was there one?
///
/// # Errors
/// When the connection breaks.
pub async fn end_failed(home: &Home) -> eyre::Result<bool> {
    let connected = Client::connect(home, NOBODY_SEEN, ClientKind::Shell, false).await;
    let Ok(mut client) = connected else { return Ok(false) };
    let Message::Status { status } = client.next().await? else { return Ok(false) };
    if !matches!(status.phase, Phase::Failed) {
        return Ok(false);
    }
    let line = Line::Down { purge: false }.to_string();
    client.send(&Request::Command { id: 1, line }).await?;
    let deadline = Instant::now() + LISTENS_WITHIN;
    while Instant::now() < deadline && listens(home).await? {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(true)
}

/// Starts a room's process. A tethered one ends with this shell: its standard input is a pipe
/// whose other end only we hold.
///
/// # Errors
/// When it cannot be started.
pub fn spawn(
    home: &Home,
    settings: &Settings,
    tethered: bool,
    drills: Option<&Path>,
) -> eyre::Result<Child> {
    let program = std::env::current_exe().wrap_err("cannot find this program's own file")?;
    let mut command = Command::new(program);
    command
        .args(["room", "--region", &home.region, "--settings"])
        .arg(serde_json::to_string(settings)?)
        .stdin(if tethered { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if tethered {
        command.arg("--tethered");
    }
    // The room stands elsewhere: what is named from here must be named from there as well.
    let mut identity = home.identity()?;
    if identity.own().is_none() {
        identity.ids.push(new_id());
    }
    marks::mark(&mut command, &home.region, &identity);
    for name in FOLDERS {
        if let Some(folder) = std::env::var_os(name).filter(|value| !value.is_empty()) {
            command.env(name, std::path::absolute(folder)?);
        }
    }
    if let Some(folder) = drills {
        command.env(DRILLS, folder);
    }
    // What the settings say already must not be said a second time by the environment.
    command.env_remove("ZONEDRILL_NATS_SERVER");
    // So that no folder is kept busy by the room.
    command.current_dir("/");
    command.spawn().wrap_err("cannot start the room")
}

/// The room's process, from here to its end.
///
/// # Errors
/// When there cannot be a room; told to whoever started it.
pub fn be_the_room(home: Home, settings: Settings, tethered: bool) -> eyre::Result<u8> {
    home.create()?;
    let root = home.folder.parent().map(Path::to_owned);
    // A session of its own: no terminal's hang-up or ctrl-c concerns it. Fails only where it is
    // one already.
    let _ = rustix::process::setsid();
    let log = BoundedFile::append(&home.log())
        .wrap_err_with(|| format!("cannot write {}", home.log().display()))?;
    // Whoever started us reads our standard error until we listen; a crash must land in the log.
    let starter = std::io::stderr();
    let mut starter = std::fs::File::from(rustix::io::fcntl_dupfd_cloexec(&starter, 3)?);
    rustix::stdio::dup2_stderr(log.file())?;
    logging::to_file(log);
    tracing::info!("room of region {}, pid {}", home.region, std::process::id());
    if tethered {
        std::thread::spawn(end_with_the_shell);
    }
    let runtime = runtime_of_a_room()?;
    let ended = runtime.block_on(room::run(home, settings, tethered));
    runtime.shutdown_timeout(Duration::from_secs(2));
    if tethered
        && let Some(root) = root
        && !matches!(ended, Err(RoomError::LeftBehind(_)))
    {
        // The folder was made for this one run; what is left of that is the guard's.
        let _ = std::fs::remove_dir_all(root);
    }
    match ended {
        Ok(()) => Ok(0),
        Err(error) => {
            tracing::error!("{error}");
            let _ = writeln!(starter, "{error}");
            Ok(3)
        }
    }
}

/// A file that outgrows `ulimit -f` is a write that fails, as on a full disk, and not this
/// process' death: the signal that says so is taken.
pub fn outgrown_files_are_errors(runtime: &tokio::runtime::Runtime) {
    let _within = runtime.enter();
    let number = rustix::process::Signal::XFSZ.as_raw();
    // Taken for good; without it, the process dies of what it would otherwise have told.
    let _ = tokio::signal::unix::signal(SignalKind::from_raw(number));
}

/// What a room runs on: what it measures must not wait for anything else.
///
/// # Errors
/// When the system has no thread or descriptor left.
pub fn runtime_of_a_room() -> eyre::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .wrap_err("cannot start the room's runtime")?;
    outgrown_files_are_errors(&runtime);
    Ok(runtime)
}

/// The tether: when the shell has gone, in whatever way, the room ends in order.
fn end_with_the_shell() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    let ourselves = rustix::process::getpid();
    let _ = rustix::process::kill_process(ourselves, rustix::process::Signal::TERM);
}
