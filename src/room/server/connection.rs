//! One connection: it greets, asks, is answered, and is sent the newest status.

use std::{io, net::IpAddr, time::Duration};

use futures::{SinkExt, StreamExt};
use tokio::{
    net::UnixStream,
    sync::{broadcast, mpsc},
};
use tokio_util::{
    codec::{Framed, LinesCodec, LinesCodecError},
    sync::CancellationToken,
};

use super::{
    caller::{Caller, MOST_VISITORS, Visitor, broken_off, give},
    seats::{Place, Shared},
};
use crate::{
    region::{
        Actor, Person,
        actor::{self, Via},
    },
    room::protocol::{ClientKind, LONGEST_REQUEST, Message, PROTOCOL, Request},
};

/// How long a connection may take to greet.
const GREETING_DEADLINE: Duration = Duration::from_secs(5);
/// How long one line may take to be taken by its reader before the connection is given up.
const SLOWEST_READER: Duration = Duration::from_secs(30);
/// A name's longest form, in characters.
const LONGEST_NAME: usize = 24;
/// A token's longest form, in bytes.
const LONGEST_TOKEN: usize = 64;

/// Why a connection ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("{0}")]
    Lines(#[from] LinesCodecError),
    #[error("the reader takes too long")]
    Slow,
    #[error("{0}")]
    Misbehaved(String),
}

pub(super) struct Connection {
    number: u64,
    lines: Framed<UnixStream, LinesCodec>,
}

impl Connection {
    pub fn new(stream: UnixStream, number: u64) -> Self {
        let codec = LinesCodec::new_with_max_length(LONGEST_REQUEST);
        Self { number, lines: Framed::new(stream, codec) }
    }

    pub async fn run(
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
            id: shared.id.clone(),
            screen: place.as_ref().map_or(self.number, |place| place.seat),
            drives: caller.may_act(place.as_ref()).is_ok(),
            returned: place.as_ref().is_some_and(|place| place.returned),
            events: if caller.kind == ClientKind::Shell { Vec::new() } else { past },
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
