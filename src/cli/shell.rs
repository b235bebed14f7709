//! Giving one command to a running room from another shell, and printing what happened.

use std::{
    collections::BTreeSet,
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use color_eyre::eyre;

use super::{
    StartArgs,
    output::{self, print, say, tell},
    said,
    start::{self, Started},
};
use crate::{
    command::{Command, Drill},
    platform::docker::{self, Removed, Swept},
    region::{PlatformKind, status, status::Phase},
    room::{
        client::{Client, ClientError},
        guard,
        home::{Home, HomeError},
        protocol::{ClientKind, Message, Outcome, Request},
    },
};

/// The number of the only command such a connection gives.
const ONLY: u64 = 1;
/// How long a room may take to vanish after it said that it is down.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// Gives a command and waits for its end.
///
/// # Errors
/// When there is no room, or the connection breaks.
pub async fn give(home: &Home, name: &str, command: &Command) -> eyre::Result<u8> {
    let mut client = connect(home, name).await?;
    let answer = converse(home, &mut client, command).await?;
    let json =
        matches!(command, Command::Status { json: true, .. } | Command::Verify { json: true, .. });
    Ok(match answer.data {
        Some(data) if json => {
            print(&format!("{data:#}"));
            answer.outcome.exit_code()
        }
        _ => said(answer.outcome, &answer.text),
    })
}

/// How a command ended.
#[derive(Clone, Debug)]
pub struct Answer {
    pub outcome: Outcome,
    pub text: String,
    pub data: Option<serde_json::Value>,
}

async fn connect(home: &Home, name: &str) -> Result<Client, ClientError> {
    Client::connect(home, name, ClientKind::Shell, false).await
}

async fn converse(home: &Home, client: &mut Client, command: &Command) -> eyre::Result<Answer> {
    client.send(&Request::Command { id: ONLY, line: command.to_string() }).await?;
    let mut line = ProgressLine::default();
    loop {
        let message = tokio::select! {
            message = client.next() => message?,
            interrupt = tokio::signal::ctrl_c() => {
                interrupt?;
                line.clear();
                eyre::bail!(
                    "no longer waiting; `{command}` goes on in the room (`zonedrill{} status` shows it)",
                    home.flag()
                );
            }
        };
        match message {
            Message::Progress { text, .. } => line.show(&text),
            Message::Answer { outcome, text, data, .. } => {
                line.clear();
                return Ok(Answer { outcome, text, data });
            }
            Message::Error { why } => {
                line.clear();
                eyre::bail!("the room: {why}");
            }
            // Said to screens.
            Message::Removed
            | Message::Hello { .. }
            | Message::Status { .. }
            | Message::Event { .. } => {}
        }
    }
}

/// Gives a drill and tells its steps as they happen. Ctrl-c ends the drill, not only the waiting.
///
/// # Errors
/// When there is no room, or the connection breaks.
pub async fn follow(home: &Home, name: &str, command: &Command) -> eyre::Result<u8> {
    let answer = follow_with(home, name, command, tell).await?;
    print("");
    Ok(said(answer.outcome, &answer.text))
}

/// As [`follow`], but hands each step to `tell`, and the answer back.
///
/// # Errors
/// When there is no room, or the connection breaks.
pub async fn follow_with(
    home: &Home,
    name: &str,
    command: &Command,
    tell: impl Fn(&str),
) -> eyre::Result<Answer> {
    let mut client = connect(home, name).await?;
    client.send(&Request::Command { id: ONLY, line: command.to_string() }).await?;
    let mut ending = false;
    loop {
        let message = tokio::select! {
            message = client.next() => message?,
            interrupt = tokio::signal::ctrl_c() => {
                interrupt?;
                eyre::ensure!(!ending, "no longer waiting; the drill is being ended in the room");
                ending = true;
                tell("ending the drill: what it cut is healed");
                let line = Command::Drill(Drill::Stop).to_string();
                client.send(&Request::Command { id: ONLY + 1, line }).await?;
                continue;
            }
        };
        match message {
            Message::Progress { text, .. } => tell(&text),
            Message::Answer { id: ONLY, outcome, text, data } => {
                return Ok(Answer { outcome, text, data });
            }
            Message::Error { why } => eyre::bail!("the room: {why}"),
            _ => {}
        }
    }
}

/// Progress: one line that is written over in a terminal, nothing where output is collected.
#[derive(Default)]
struct ProgressLine {
    shown: bool,
}

impl ProgressLine {
    fn show(&mut self, text: &str) {
        let mut out = std::io::stderr();
        if out.is_terminal() {
            self.shown = true;
            let _ = write!(out, "\r\x1b[K{}", say(text.lines().next().unwrap_or_default()));
            let _ = out.flush();
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let mut out = std::io::stderr();
            let _ = write!(out, "\r\x1b[K");
            let _ = out.flush();
        }
    }
}

/// Starts the region's room, unless it runs, and waits until the region is up. The room is a process
/// of its own: ctrl-c ends the waiting only, and says so.
///
/// # Errors
/// When it cannot be started, the connection breaks, or ctrl-c ended the waiting.
pub async fn start_and_wait(home: &Home, name: &str, asked: &StartArgs) -> eyre::Result<u8> {
    let starting = async {
        let started = start::ensure_room(home, asked).await?;
        up(home, name, started).await
    };
    tokio::select! {
        code = starting => code,
        interrupt = tokio::signal::ctrl_c() => {
            interrupt?;
            eyre::bail!(
                "no longer waiting; the region goes on starting (`zonedrill{flag} status` shows it, `zonedrill{flag} down` ends it)",
                flag = home.flag()
            );
        }
    }
}

/// Waits until the region is up; tells the steps as they happen.
///
/// # Errors
/// When the connection breaks.
pub async fn up(home: &Home, name: &str, started: Started) -> eyre::Result<u8> {
    let mut client = Client::connect(home, name, ClientKind::Watch, false).await?;
    let mut told = BTreeSet::new();
    let mut asked = false;
    loop {
        match client.next().await {
            Ok(Message::Status { status }) => {
                for step in &status.steps {
                    // Steps of different zones run at the same time and end in any order.
                    if let Some(took) = step.took_ms
                        && told.insert(step.title.clone())
                    {
                        let took = crate::region::format::seconds(took);
                        let title = crate::tui::format::left(&say(&step.title), 40);
                        print(&format!("  {title} {took:>8}"));
                    }
                }
                match status.phase {
                    Phase::Up if started == Started::Before && !asked => {
                        // The room looks whether it is as it was made.
                        let answer = converse(home, &mut client, &Command::Up).await?;
                        return Ok(said(answer.outcome, &answer.text));
                    }
                    Phase::Up => {
                        tell(&ready(&status));
                        return Ok(0);
                    }
                    // In a room that outlived a failure, try again, once.
                    Phase::Down | Phase::Failed if started == Started::Before && !asked => {
                        asked = true;
                        told.clear();
                        let line = Command::Up.to_string();
                        client.send(&Request::Command { id: ONLY, line }).await?;
                    }
                    Phase::Failed if started == Started::Now || asked => {
                        return Ok(said(Outcome::Broken, &status.failure.unwrap_or_default()));
                    }
                    _ => {}
                }
            }
            Ok(Message::Error { why }) => eyre::bail!("the room: {why}"),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn ready(status: &crate::region::Status) -> String {
    let zones: Vec<String> = status
        .zones
        .iter()
        .map(|zone| {
            let first = zone.nodes.first().map_or("?".to_owned(), status::Node::address);
            format!("zone {} at {first}", zone.name)
        })
        .collect();
    format!(
        "region `{}` is up: nats-server {}, {}, {}",
        status.region,
        status.server_version.as_deref().unwrap_or("?"),
        status.copy_kind.several(status.mirror_kind),
        zones.join(", ")
    )
}

/// Ends the region and waits until its room is gone.
///
/// # Errors
/// When the connection breaks, or the room does not go.
pub async fn down(home: &Home, name: &str, purge: bool) -> eyre::Result<u8> {
    // It has begun nothing and would remove nothing: what was in its way would stay.
    if start::end_failed(home).await? {
        gone(home).await;
        return down_without_room(home, purge).await;
    }
    let mut client = match connect(home, name).await {
        Ok(client) => client,
        Err(ClientError::NoRoom(_)) => return down_without_room(home, purge).await,
        Err(error) => return Err(error.into()),
    };
    let answer = converse(home, &mut client, &Command::Down { purge }).await?;
    if answer.outcome == Outcome::Done {
        if !gone(home).await {
            eyre::bail!(
                "the region is down, but its room (pid {}) has not ended",
                client.hello.pid
            );
        }
        if purge {
            home.remove()?;
        }
    }
    Ok(said(answer.outcome, &answer.text))
}

/// Waits until no room holds the region any more.
async fn gone(home: &Home) -> bool {
    let deadline = Instant::now() + GONE_WITHIN;
    while matches!(home.claim(), Err(HomeError::Held { .. })) {
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

async fn down_without_room(home: &Home, purge: bool) -> eyre::Result<u8> {
    // A link in its place may lead to anybody's folder, whose files would be removed.
    if home.folder.symlink_metadata().is_ok() {
        home.usable()?;
    }
    let kept = home.kept().ok().flatten();
    let mut removed = Removed::default();
    if kept.as_ref().is_none_or(|kept| kept.settings.platform != PlatformKind::Local) {
        // Of a room that was killed.
        let plans = kept.as_ref().map(|kept| kept.zones.clone()).unwrap_or_default();
        match docker::remove_region(&home.region, &home.identity()?, &plans, purge).await? {
            Some(there) => removed = there,
            None if kept.is_some() => eyre::bail!(
                "no Docker engine answers, so what region {} left there cannot be looked for: `zonedrill doctor --platform docker` says why",
                home.region
            ),
            None => {}
        }
    }
    let Removed { swept: Swept { containers, volumes, .. }, foreign } = removed;
    if let Some(foreign) = foreign {
        // This home knows no region: what is there is all that can be meant.
        eyre::ensure!(kept.is_some() || containers + volumes > 0, "nothing is removed: {foreign}");
        tell(&format!("not touched: {foreign}"));
    }
    if home.folder.exists() && home.is_ours() {
        let claim = home.claim()?;
        let left = crate::platform::local::end_leftovers_in(&home.folder, &home.identity()?)?;
        for foreign in left.foreign {
            tell(&format!("not touched: {foreign}"));
        }
        // Of a room that was killed with its guard.
        guard::remove_socket(home)?;
        if purge {
            home.purge()?;
            drop(claim);
            home.remove()?;
            let removed = match containers {
                0 => "its data is removed".to_owned(),
                count => format!("its {count} containers and its data are removed"),
            };
            tell(&format!("no room ran for region {}; {removed}", home.region));
            return Ok(0);
        }
    }
    if containers > 0 {
        let data = if purge { "" } else { "; its data is kept" };
        tell(&format!(
            "no room ran for region {}; its {containers} containers are removed{data}",
            home.region
        ));
    } else if volumes > 0 {
        tell(&format!(
            "no room ran for region {}; its data in Docker ({volumes} volumes) is removed",
            home.region
        ));
    } else {
        tell(&format!("no room runs for region {}: nothing to end", home.region));
    }
    Ok(0)
}

/// Prints the state again whenever it changes.
///
/// # Errors
/// When there is no room, or the connection breaks.
pub async fn watch(home: &Home, name: &str, json: bool) -> eyre::Result<u8> {
    let mut client = Client::connect(home, name, ClientKind::Watch, true).await?;
    loop {
        let message = tokio::select! {
            message = client.next() => message,
            _ = tokio::signal::ctrl_c() => return Ok(0),
        };
        match message {
            Ok(Message::Status { status }) => {
                let text = if json {
                    status.document().to_string()
                } else {
                    format!("{}\n", say(&status::render(&status)))
                };
                if !output::judge(writeln!(std::io::stdout().lock(), "{text}")) {
                    return Ok(0);
                }
            }
            Ok(Message::Error { why }) => {
                let _ = writeln!(std::io::stderr(), "zonedrill: {}", say(&why));
                return Ok(0);
            }
            Ok(_) => {}
            Err(ClientError::Gone) => return Ok(0),
            Err(error) => return Err(error.into()),
        }
    }
}
