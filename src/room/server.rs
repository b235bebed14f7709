//! The socket: who attaches, what they may do, what they are sent.
//!
//! A reader that is slow gets the newest status when it is ready for one, never a queue.

mod seats;
mod wire;

use std::{
    collections::VecDeque,
    io,
    net::IpAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{SinkExt, StreamExt};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{broadcast, mpsc},
};
use tokio_util::{
    codec::{Framed, LinesCodec, LinesCodecError},
    sync::CancellationToken,
    task::TaskTracker,
};

use super::{
    mailbox::CommandRequest,
    protocol::{ClientKind, LONGEST_REQUEST, Message, Outcome, PROTOCOL, Request},
};
use crate::{
    command::{Command, Drill},
    drill::library,
    region::{
        Actor, Person, Severity,
        actor::{self, Via},
    },
};
use seats::Place;
pub use seats::{Seats, Shared};
pub use wire::{EventWire, Published};

/// How long a connection may take to greet.
const GREETING_DEADLINE: Duration = Duration::from_secs(5);
/// How long one line may take to be taken by its reader before the connection is given up.
const SLOWEST_READER: Duration = Duration::from_secs(30);
/// How often the roles' clocks are looked at.
const ROLES_TICK: Duration = Duration::from_millis(500);
/// The most connections that have not greeted yet; the oldest gives way to a new one.
const MOST_UNGREETED: usize = 256;
/// The most shells and watchers at a time. Screens have their own bound.
const MOST_VISITORS: usize = 128;
/// A name's longest form, in characters.
const LONGEST_NAME: usize = 24;
/// The longest path or reason that is passed on, in characters.
const LONGEST_WORDS: usize = 300;
/// A token's longest form, in bytes.
const LONGEST_TOKEN: usize = 64;

/// The listening socket. Removed when dropped.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Listens at `path`, for its owner only. The region's claim must be held: a socket that is
    /// there already is then a dead room's.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Serves until `closing`, then lets every connection send what it still has.
    pub async fn serve(self, shared: Arc<Shared>, closing: CancellationToken) {
        let tracker = TaskTracker::new();
        let mut next = 1_u64;
        let mut ungreeted = VecDeque::new();
        let mut tick = tokio::time::interval(ROLES_TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let stream = tokio::select! {
                () = closing.cancelled() => break,
                _ = tick.tick() => {
                    shared.tick();
                    continue;
                }
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Out of descriptors, most likely: let some connections end.
                        tracing::warn!("cannot accept a connection: {error}");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
            };
            let (shared, closing) = (Arc::clone(&shared), closing.clone());
            shared.connections.send_modify(|n| *n += 1);
            let hurry = CancellationToken::new();
            ungreeted.push_back(hurry.clone());
            // For one that has greeted it means nothing.
            if ungreeted.len() > MOST_UNGREETED
                && let Some(oldest) = ungreeted.pop_front()
            {
                oldest.cancel();
            }
            tracker.spawn(async move {
                let number = next;
                if let Err(error) =
                    Connection::new(stream, number).run(&shared, closing, hurry).await
                {
                    tracing::debug!("connection {number}: {error}");
                }
                shared.connections.send_modify(|n| *n -= 1);
            });
            next += 1;
        }
        tracker.close();
        let _ = tokio::time::timeout(Duration::from_secs(2), tracker.wait()).await;
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Why a connection ended early.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("{0}")]
    Lines(#[from] LinesCodecError),
    #[error("the reader takes too long")]
    Slow,
    #[error("{0}")]
    Misbehaved(String),
}

struct Connection {
    number: u64,
    lines: Framed<UnixStream, LinesCodec>,
}

/// Who is at the other end.
struct Caller {
    actor: Actor,
    /// A guest: no file, and neither the beginning nor the end of the region.
    person: Person,
    kind: ClientKind,
    observe: bool,
    token: String,
}

impl Caller {
    /// Has a place among the screens.
    fn sits(&self) -> bool {
        matches!(self.kind, ClientKind::Screen | ClientKind::Recorder)
    }

    /// Whether it may act now, and if not, why.
    fn may_act(&self, place: Option<&Place<'_>>) -> Result<(), String> {
        match place {
            _ if self.observe => Err("you are here to observe".into()),
            // A shell has the account that owns the region; only its words are named.
            None => Ok(()),
            Some(place) => place.may_act(),
        }
    }
}

/// Counts a shell or a watcher while it is here.
struct Visitor<'a>(Option<&'a AtomicUsize>);

impl<'a> Visitor<'a> {
    /// `None` when there are too many. Who has a place among the screens is counted there.
    fn come(shared: &'a Shared, caller: &Caller) -> Option<Self> {
        if caller.sits() {
            return Some(Self(None));
        }
        let counted = Self(Some(&shared.visitors));
        (shared.visitors.fetch_add(1, Ordering::SeqCst) < MOST_VISITORS).then_some(counted)
    }
}

impl Drop for Visitor<'_> {
    fn drop(&mut self) {
        if let Some(visitors) = self.0 {
            visitors.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Connection {
    fn new(stream: UnixStream, number: u64) -> Self {
        let codec = LinesCodec::new_with_max_length(LONGEST_REQUEST);
        Self { number, lines: Framed::new(stream, codec) }
    }

    async fn run(
        mut self,
        shared: &Shared,
        closing: CancellationToken,
        hurry: CancellationToken,
    ) -> Result<(), Ended> {
        let greeting = tokio::time::timeout(GREETING_DEADLINE, self.greeted());
        let greeted = tokio::select! {
            greeted = greeting => greeted,
            () = hurry.cancelled() => {
                let why = "too many connections: this one has not greeted and gives way";
                return self.refuse(why.into()).await;
            }
        };
        let caller = match greeted {
            Ok(Ok(caller)) => caller,
            Ok(Err(Ended::Misbehaved(why))) => return self.refuse(why).await,
            Ok(Err(error)) => return Err(error),
            Err(_) => return self.refuse("no greeting came".into()).await,
        };
        let Some(_visitor) = Visitor::come(shared, &caller) else {
            let why = format!("{MOST_VISITORS} shells are connected already: a room takes no more");
            return self.refuse(why).await;
        };
        let (past, mut events) = shared.events.join();
        let place = match caller.sits().then(|| Place::take(shared, &caller, self.number)) {
            None => None,
            Some(Ok(place)) => Some(place),
            Some(Err(why)) => return self.refuse(why).await,
        };
        let removed = place.as_ref().map(|place| place.removed.clone());
        let removed = async move {
            match removed {
                Some(removed) => removed.cancelled().await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(removed);
        let hello = Message::Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            screen: place.as_ref().map_or(self.number, |place| place.seat),
            drives: caller.may_act(place.as_ref()).is_ok(),
            returned: place.as_ref().is_some_and(|place| place.returned),
            events: if caller.sits() { past } else { Vec::new() },
        };
        self.send(&hello).await?;
        let mut statuses = shared.statuses.clone();
        statuses.mark_changed();
        let (answers, mut answered) = mpsc::unbounded_channel::<Message>();
        let wants_statuses = caller.kind != ClientKind::Shell;
        let wants_events = caller.sits();
        if !wants_statuses {
            let newest = statuses.borrow_and_update().clone();
            self.send_line(newest.line().to_owned()).await?;
        }
        loop {
            tokio::select! {
                biased;
                () = &mut removed => return self.send(&Message::Removed).await,
                Some(message) = answered.recv() => self.send(&message).await?,
                event = events.recv(), if wants_events => match event {
                    Ok(event) => self.send(&Message::Event { event }).await?,
                    // The log has a gap on this screen; the file has none.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return Ok(()),
                },
                line = self.lines.next() => match line {
                    None => return Ok(()),
                    Some(Ok(line)) => match serde_json::from_str(&line) {
                        Ok(Request::Command { id, line }) => {
                            give(shared, &caller, place.as_ref(), id, &line, &answers);
                        }
                        Ok(Request::BrokenOff { path, why }) => broken_off(shared, &caller, &path, &why),
                        Ok(Request::Terminal { silent }) => {
                            if let Some(place) = &place {
                                place.terminal(silent);
                            }
                        }
                        Ok(Request::Leave) => {
                            if let Some(place) = &place {
                                place.leave();
                            }
                            return Ok(());
                        }
                        Ok(Request::Hello { .. }) => return self.refuse("greeted twice".into()).await,
                        Err(error) => return self.refuse(format!("not a request: {error}")).await,
                    },
                    Some(Err(LinesCodecError::MaxLineLengthExceeded)) => {
                        return self.refuse("a line is too long".into()).await;
                    }
                    Some(Err(LinesCodecError::Io(error))) if error.kind() == io::ErrorKind::InvalidData => {
                        return self.refuse("a line is not UTF-8".into()).await;
                    }
                    Some(Err(error)) => return Err(error.into()),
                },
                () = closing.cancelled() => {
                    // What was answered just before the end must still arrive.
                    while let Ok(message) = answered.try_recv() {
                        self.send(&message).await?;
                    }
                    return self.refuse("the room has ended".into()).await;
                }
                changed = statuses.changed(), if wants_statuses => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let newest = statuses.borrow_and_update().clone();
                    self.send_line(newest.line().to_owned()).await?;
                }
            }
        }
    }

    async fn greeted(&mut self) -> Result<Caller, Ended> {
        let line = match self.lines.next().await {
            None => return Err(Ended::Misbehaved("no greeting came".into())),
            Some(Err(LinesCodecError::MaxLineLengthExceeded)) => {
                return Err(Ended::Misbehaved("a line is too long".into()));
            }
            Some(Err(LinesCodecError::Io(error))) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(Ended::Misbehaved("a line is not UTF-8".into()));
            }
            Some(line) => line?,
        };
        match serde_json::from_str(&line) {
            Ok(Request::Hello {
                protocol: PROTOCOL,
                name,
                client,
                observe,
                guest,
                from,
                token,
            }) => {
                let via = match client {
                    ClientKind::Screen | ClientKind::Recorder => Via::Screen,
                    ClientKind::Shell | ClientKind::Watch => Via::Shell,
                };
                if token.len() > LONGEST_TOKEN {
                    return Err(Ended::Misbehaved("the token is too long".into()));
                }
                let observe = observe || client == ClientKind::Recorder;
                let name: String = name.chars().take(LONGEST_NAME).collect();
                actor::check_name(&name).map_err(Ended::Misbehaved)?;
                let from = from.parse::<IpAddr>().ok().map(|from| from.to_string());
                let actor = Actor::person(&name, guest, via);
                let person = Person { name, guest, from };
                Ok(Caller { actor, person, kind: client, observe, token })
            }
            Ok(Request::Hello { protocol, .. }) => Err(Ended::Misbehaved(format!(
                "this room runs zonedrill {} (protocol {PROTOCOL}), the caller speaks protocol {protocol}: use the same program",
                env!("CARGO_PKG_VERSION")
            ))),
            Ok(
                Request::Command { .. }
                | Request::BrokenOff { .. }
                | Request::Terminal { .. }
                | Request::Leave,
            ) => Err(Ended::Misbehaved("a greeting comes first".into())),
            Err(error) => Err(Ended::Misbehaved(format!("not a greeting: {error}"))),
        }
    }

    async fn send(&mut self, message: &Message) -> Result<(), Ended> {
        let line = serde_json::to_string(message).map_err(|e| Ended::Misbehaved(e.to_string()))?;
        self.send_line(line).await
    }

    async fn send_line(&mut self, line: String) -> Result<(), Ended> {
        match tokio::time::timeout(SLOWEST_READER, self.lines.send(line)).await {
            Ok(sent) => Ok(sent?),
            Err(_) => Err(Ended::Slow),
        }
    }

    async fn refuse(mut self, why: String) -> Result<(), Ended> {
        self.send(&Message::Error { why }).await
    }
}

/// Puts a line on the bus; the answer comes through `answers`.
fn give(
    shared: &Shared,
    caller: &Caller,
    place: Option<&Place<'_>>,
    id: u64,
    line: &str,
    answers: &mpsc::UnboundedSender<Message>,
) {
    let refuse = |text: String| {
        let outcome = Outcome::Refused;
        let _ = answers.send(Message::Answer { id, outcome, text, data: None });
    };
    let command = match line.parse::<Command>() {
        Ok(command) => command,
        Err(error) => return refuse(error.to_string()),
    };
    // Enforced here, where a screen cannot talk its way around it.
    if caller.person.guest
        && let Err(why) = for_guests(&command)
    {
        return refuse(format!("`{command}` is not for guests: {why}"));
    }
    let reply = |answered: Result<String, String>| {
        let (outcome, text) = match answered {
            Ok(text) => (Outcome::Done, text),
            Err(text) => (Outcome::Refused, text),
        };
        let _ = answers.send(Message::Answer { id, outcome, text, data: None });
    };
    match (&command, place) {
        (Command::Control(control), Some(place)) => {
            return place.hand_over(*control, &caller.person, id, answers);
        }
        (Command::Control(control), None) => {
            return reply(shared.control_of_a_shell(*control, &caller.person));
        }
        (Command::Kick { .. }, _) if caller.observe => {
            return refuse("you are here to observe".into());
        }
        (Command::Kick { name }, _) => return reply(shared.kick(&caller.person, name)),
        _ => {}
    }
    if !command.is_harmless()
        && let Err(why) = caller.may_act(place)
    {
        return refuse(format!("`{command}` is for who drives: {why}"));
    }
    if caller.person.guest
        && let Err(why) = shared.guests_add(command.disk_bytes())
    {
        return refuse(format!("`{command}` is not carried out: {why}"));
    }
    let given = CommandRequest {
        actor: caller.actor.clone(),
        command,
        id,
        answers: Some(answers.clone()),
        stop: None,
    };
    if shared.bus.give(given).is_err() {
        refuse("the room is closing".into());
    }
}

/// What a guest may give: of drills, those that come with the program; another may do anything.
fn for_guests(command: &Command) -> Result<(), &'static str> {
    command.check_for_guests()?;
    match command {
        Command::Drill(Drill::Run(run))
            if !run.names.iter().all(|name| name == "all" || library::has(name)) =>
        {
            Err("guests run the drills that come with zonedrill, and no script of the owner's")
        }
        _ => Ok(()),
    }
}

/// A screen's recording ended by itself: whoever relied on it must know.
fn broken_off(shared: &Shared, caller: &Caller, path: &str, why: &str) {
    // Who records nothing has nothing to tell.
    if !caller.sits() || caller.person.guest {
        return;
    }
    let short = |text: &str| text.chars().take(LONGEST_WORDS).collect::<String>();
    let who = &caller.actor.who;
    let text = format!(
        "{who}'s recording has ended early: {} {}; what was recorded until then plays",
        short(path),
        short(why)
    );
    shared.note(Severity::Error, text);
}
