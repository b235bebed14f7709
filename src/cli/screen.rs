//! Attaching a screen: the room's messages in, command lines out, and what happens on leaving.

use std::time::Duration;

use color_eyre::eyre::{self, WrapErr};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{ScreenArgs, regions, settings::Settings, shell, start};
use crate::{
    platform::person,
    record::{BrokenOff, Recorded},
    room::{
        client::{Client, ClientError, Greeting},
        home::Home,
        protocol::{ClientKind, Message, Outcome, Request},
    },
    tui::{
        self, Feed, FromRoom, Leave, Left, ScreenOptions, ToRoom,
        saved_view::{SavedView, View},
    },
};

/// How long between two tries to find the room again.
const RETRY: Duration = Duration::from_millis(500);
/// How long leaving may take.
pub const GOOD_BYE: Duration = Duration::from_secs(1);

/// Without a terminal there is no screen, and no region is started for one.
///
/// # Errors
/// When standard input or output is none; `instead` is what to do then.
pub fn need_terminal(instead: &str) -> eyre::Result<()> {
    use std::io::IsTerminal;
    eyre::ensure!(
        std::io::stdout().is_terminal() && std::io::stdin().is_terminal(),
        "a screen needs a terminal: {instead}"
    );
    Ok(())
}

/// How the screen is to look, from flags, files and environment.
///
/// # Errors
/// When a file of settings or keys cannot be read or understood.
pub fn options(args: &ScreenArgs, name: &str) -> eyre::Result<ScreenOptions> {
    let mut options = Settings::read(args)?.options(name);
    options.record = args.record.clone().map(|file| (file, args.cast_format));
    Ok(options)
}

/// How somebody attaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct As {
    pub observe: bool,
    /// As a guest: no file, no shell, no end of the region.
    pub guest: bool,
}

/// Opens a screen on the room until the user leaves.
///
/// # Errors
/// When there is no room, or no terminal.
pub async fn attach(
    home: &Home,
    name: &str,
    how: As,
    mut options: ScreenOptions,
) -> eyre::Result<u8> {
    let mut saved = SavedView::find(&home.folder.join("screens"), name);
    let greeting = Greeting {
        name: name.to_owned(),
        client: ClientKind::Screen,
        observe: how.observe,
        guest: how.guest,
        from: person::ssh_peer(),
        token: saved.token.clone(),
    };
    // The first connection is made before the terminal is touched: its error is for the shell.
    let client = Client::greet(home, &greeting).await?;
    if !client.hello.returned {
        saved.view = View::default();
    }
    options.saved = Some(saved);
    options.guest = how.guest;
    options.stderr_log = Some(home.folder.join("screen.log"));
    let (to_screen, from_room) = mpsc::channel(256);
    let (to_room, lines) = mpsc::channel(64);
    let line = tokio::spawn(carry(client, home.clone(), greeting, to_screen, lines));
    // The channel closes with the screen; the carrier then takes its leave of the room.
    let looks = options.clone();
    let left = tui::run(Feed { from_room, to_room }, options).await;
    let abort = line.abort_handle();
    if !matches!(left, Ok(Left { leave: Leave::TerminalLost, .. })) {
        let _ = tokio::time::timeout(GOOD_BYE, line).await;
    }
    abort.abort();
    let Left { leave, recorded } = left?;
    if leave == Leave::TerminalLost {
        // There is nobody to read anything.
        return Ok(0);
    }
    let recorded = tell_recorded(recorded);
    if let Leave::GoTo { region } = &leave {
        recorded?;
        return go_to(region, how, &looks);
    }
    let code = after(home, name, how, leave).await?;
    // Told at last, and by the exit code: the screen itself ended well.
    recorded.map(|()| code)
}

/// What became of a recording that went on to the screen's end.
///
/// # Errors
/// When it ended by itself.
pub fn tell_recorded(recorded: Option<Result<Recorded, BrokenOff>>) -> eyre::Result<()> {
    match recorded {
        None => Ok(()),
        Some(Ok(recorded)) => {
            super::tell(&recorded.to_string());
            Ok(())
        }
        Some(Err(broken)) => Err(broken.into()),
    }
}

/// What is said and done once a screen was left.
async fn after(home: &Home, name: &str, how: As, leave: Leave) -> eyre::Result<u8> {
    match leave {
        Leave::Detach if how.guest => Ok(0),
        Leave::Detach if start::listens(home).await.unwrap_or(false) => {
            let flag = home.flag();
            super::tell(&format!(
                "region {} keeps running: `zonedrill{flag} attach` comes back, `zonedrill{flag} down` ends it",
                home.region
            ));
            Ok(0)
        }
        Leave::Detach => {
            super::tell(&format!(
                "the room of region {} has ended; `zonedrill{} up` brings it back with its data",
                home.region,
                home.flag()
            ));
            Ok(0)
        }
        Leave::TerminalLost | Leave::GoTo { .. } => Ok(0),
        Leave::Removed => eyre::bail!("the owner of region {} has removed you", home.region),
        // The screen offers it to no guest; if it ever did, it must not be done.
        Leave::TearDown { .. } if how.guest => eyre::bail!("a guest does not end the region"),
        Leave::TearDown { purge } => shell::down(home, name, purge).await,
        Leave::RoomEnded => {
            super::tell(&format!("the room of region {} has ended", home.region));
            Ok(0)
        }
    }
}

/// Attaches without a person: what the room says, and what carries it.
///
/// # Errors
/// When there is no room.
pub async fn look_on(
    home: &Home,
    name: &str,
    client: ClientKind,
) -> eyre::Result<(Feed, JoinHandle<()>)> {
    let greeting = Greeting {
        name: name.to_owned(),
        client,
        observe: true,
        guest: false,
        from: person::ssh_peer(),
        token: String::new(),
    };
    let client = Client::greet(home, &greeting).await?;
    let (to_screen, from_room) = mpsc::channel(256);
    let (to_room, lines) = mpsc::channel(1);
    let line = tokio::spawn(carry(client, home.clone(), greeting, to_screen, lines));
    Ok((Feed { from_room, to_room }, line))
}

/// Carries messages both ways; when the room goes away, says so and looks for it again.
async fn carry(
    mut client: Client,
    home: Home,
    greeting: Greeting,
    to_screen: mpsc::Sender<FromRoom>,
    mut lines: mpsc::Receiver<ToRoom>,
) {
    loop {
        let hello = Message::Hello {
            protocol: crate::room::protocol::PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            pid: client.hello.pid,
            id: String::new(),
            screen: client.hello.screen,
            drives: client.hello.drives,
            returned: client.hello.returned,
            events: std::mem::take(&mut client.hello.events),
        };
        if to_screen.send(FromRoom::Message(hello)).await.is_err() {
            return good_bye(client).await;
        }
        let why = loop {
            tokio::select! {
                message = client.next() => match message {
                    Ok(Message::Error { why }) => break why,
                    Ok(Message::Removed) => {
                        let _ = to_screen.send(FromRoom::Message(Message::Removed)).await;
                        return;
                    }
                    Ok(message) => {
                        if to_screen.send(FromRoom::Message(message)).await.is_err() {
                            return good_bye(client).await;
                        }
                    }
                    Err(error) => break error.to_string(),
                },
                line = lines.recv() => match line {
                    None => return good_bye(client).await,
                    Some(ToRoom::Wind(_) | ToRoom::Confirmed { .. }) => {}
                    Some(ToRoom::Regions { id, name }) => {
                        let told = way_to(&home, id, name).await;
                        if to_screen.send(told).await.is_err() {
                            return good_bye(client).await;
                        }
                    }
                    Some(ToRoom::Silent(silent)) => {
                        if let Err(error) = client.send(&Request::Terminal { silent }).await {
                            break error.to_string();
                        }
                    }
                    Some(ToRoom::BrokenOff(BrokenOff { path, why })) => {
                        let path = path.display().to_string();
                        if let Err(error) = client.send(&Request::BrokenOff { path, why }).await {
                            break error.to_string();
                        }
                    }
                    Some(ToRoom::Command { id, line }) => {
                        if let Err(error) = client.send(&Request::Command { id, line }).await {
                            break error.to_string();
                        }
                    }
                },
            }
        };
        if to_screen.send(FromRoom::Lost { why }).await.is_err() {
            return;
        }
        client = loop {
            tokio::time::sleep(RETRY).await;
            // Lines typed meanwhile must not be carried out later, to everyone's surprise.
            while lines.try_recv().is_ok() {}
            match Client::greet(&home, &greeting).await {
                Ok(client) => break client,
                Err(ClientError::NoRoom(_) | ClientError::Gone) => {}
                Err(error) => {
                    if to_screen.send(FromRoom::Lost { why: error.to_string() }).await.is_err() {
                        return;
                    }
                }
            }
            if to_screen.is_closed() {
                return;
            }
        };
    }
}

/// Which regions there are, or the way to one whose room runs.
async fn way_to(home: &Home, id: u64, name: Option<String>) -> FromRoom {
    let refused = |why: String| (Outcome::Refused, why);
    let (outcome, text) = match name {
        None => match regions::table(home).await {
            Ok(table) => (Outcome::Done, format!("{table}\n\n`:region NAME` goes to one")),
            Err(error) => refused(error.to_string()),
        },
        Some(name) if name == home.region => refused(format!("this is region {name}")),
        Some(name) => match Home::find(&name) {
            Ok(other) if start::listens(&other).await.unwrap_or(false) => {
                return FromRoom::GoTo { region: name };
            }
            Ok(other) => refused(format!(
                "region {name} has no room that answers: `zonedrill{} up` in a shell starts it",
                other.flag()
            )),
            Err(error) => refused(error.to_string()),
        },
    };
    FromRoom::Message(Message::Answer { id, outcome, text, data: None })
}

/// Becomes the program once more, with a screen on another region and the same looks.
///
/// # Errors
/// When that cannot be started.
fn go_to(region: &str, how: As, options: &ScreenOptions) -> eyre::Result<u8> {
    use std::os::unix::process::CommandExt;
    let program = std::env::current_exe().wrap_err("cannot find this program's own file")?;
    let mut command = std::process::Command::new(program);
    command.args(["attach", "--region", region, "--theme", options.colours.as_str()]);
    let flags = [
        (how.observe, "--observe"),
        (options.ascii, "--ascii"),
        (options.mouse, "--mouse"),
        (!options.bell, "--no-bell"),
    ];
    command.args(flags.iter().filter_map(|(is, flag)| is.then_some(*flag)));
    Err(command.exec()).wrap_err_with(|| format!("cannot open a screen on region {region}"))
}

/// Says that no place is to be kept, and waits until the room has heard it, which then hangs up: a
/// room that is just writing to a connection that ends does not read what was sent on it last.
async fn good_bye(mut client: Client) {
    if client.send(&Request::Leave).await.is_ok() {
        while client.next().await.is_ok() {}
    }
}
