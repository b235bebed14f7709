//! The way into a room: connect to its socket, greet, send lines, read what comes.

use std::{io, time::Duration};

use futures::{SinkExt, StreamExt};
use tokio::net::UnixStream;
use tokio_util::codec::{Framed, LinesCodec, LinesCodecError};

use super::{
    home::Home,
    protocol::{ClientKind, LONGEST_LINE, Message, PROTOCOL, Request},
};

/// How long a room may take to greet.
const GREETING: Duration = Duration::from_secs(5);

/// Why a room cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no room runs for region `{0}`: `zonedrill{flag} up` starts one", flag = super::home::region_flag(.0))]
    NoRoom(String),
    /// The socket cannot be used.
    #[error("cannot talk to the room of region `{region}`: {source}")]
    Io { region: String, source: io::Error },
    /// The room is another account's.
    #[error(
        "region `{0}` in this folder belongs to another account: its owner can let you in with `zonedrill invite NAME`, or set ZONEDRILL_HOME to a folder of your own"
    )]
    NotOurs(String),
    /// Somebody listens and says nothing.
    #[error("the room of region `{0}` does not answer within {seconds} s: it may be suspended or overloaded; its pid is in room.lock in its folder", seconds = GREETING.as_secs())]
    Silent(String),
    /// The room refused us.
    #[error("the room refused: {0}")]
    Refused(String),
    /// The room speaks another protocol.
    #[error("the room runs zonedrill {version} (protocol {theirs}), this is {ours} (protocol {PROTOCOL}): use the same program, or `zonedrill{flag} down` with the old one first", ours = env!("CARGO_PKG_VERSION"), flag = super::home::region_flag(region))]
    Version { region: String, version: String, theirs: u32 },
    /// Another region's room listens in this one's place.
    #[error(
        "the room that answers for region `{region}` has another region's id ({id}): it is of a folder that was here before; `kill {pid}` ends it in order"
    )]
    Another { region: String, id: String, pid: u32 },
    /// The room sent something that cannot be read.
    #[error("the room sent something unreadable: {0}")]
    Garbled(String),
    /// The room closed the connection.
    #[error("the room has ended")]
    Gone,
}

/// How a caller presents itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// A name to be shown.
    pub name: String,
    pub client: ClientKind,
    pub observe: bool,
    /// Comes as a guest (see [`Request::Hello`]).
    pub guest: bool,
    /// The address at the other end of the SSH connection, or nothing.
    pub from: String,
    /// By which a lost connection's place is had again; may be empty.
    pub token: String,
}

/// A connection to a room.
#[derive(Debug)]
pub struct Client {
    lines: Framed<UnixStream, LinesCodec>,
    region: String,
    pub hello: Hello,
}

/// What a room says first.
#[derive(Clone, Debug, Default)]
pub struct Hello {
    pub pid: u32,
    pub screen: u64,
    pub drives: bool,
    /// The place was kept since a connection was lost.
    pub returned: bool,
    pub events: Vec<crate::region::Event>,
}

impl Client {
    /// Connects and greets.
    ///
    /// # Errors
    /// When no room listens, it refuses, or it speaks another protocol.
    pub async fn connect(
        home: &Home,
        name: &str,
        client: ClientKind,
        observe: bool,
    ) -> Result<Self, ClientError> {
        let name = name.to_owned();
        let greeting = Greeting {
            name,
            client,
            observe,
            guest: false,
            from: String::new(),
            token: String::new(),
        };
        Self::greet(home, &greeting).await
    }

    /// Connects and greets as one who may come back.
    ///
    /// # Errors
    /// When no room listens, it refuses, or it speaks another protocol.
    pub async fn greet(home: &Home, greeting: &Greeting) -> Result<Self, ClientError> {
        let region = &home.region;
        let stream =
            UnixStream::connect(home.socket()).await.map_err(|source| match source.kind() {
                // Where there is no folder, and cannot be one, is no room either.
                io::ErrorKind::NotFound
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::ConnectionRefused => ClientError::NoRoom(region.clone()),
                io::ErrorKind::PermissionDenied => ClientError::NotOurs(region.clone()),
                _ => ClientError::Io { region: region.clone(), source },
            })?;
        let lines = Framed::new(stream, LinesCodec::new_with_max_length(LONGEST_LINE));
        let mut connection = Self { lines, region: region.clone(), hello: Hello::default() };
        let Greeting { name, client, observe, guest, from, token } = greeting.clone();
        let protocol = PROTOCOL;
        let request = Request::Hello { protocol, name, client, observe, guest, from, token };
        connection.send(&request).await?;
        let hello = tokio::time::timeout(GREETING, connection.next())
            .await
            .map_err(|_| ClientError::Silent(region.clone()))?;
        match hello? {
            Message::Hello { protocol, version, pid, id, screen, drives, returned, events } => {
                if protocol != PROTOCOL {
                    return Err(ClientError::Version {
                        region: region.clone(),
                        version,
                        theirs: protocol,
                    });
                }
                // The path may be that of a folder that was there before.
                let ours = home.identity().unwrap_or_default();
                if ours.own().is_some() && !id.is_empty() && !ours.has(&id) {
                    return Err(ClientError::Another { region: region.clone(), id, pid });
                }
                connection.hello = Hello { pid, screen, drives, returned, events };
                Ok(connection)
            }
            Message::Error { why } => Err(ClientError::Refused(why)),
            _ => Err(ClientError::Garbled("no greeting".into())),
        }
    }

    /// Sends one request.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send(&mut self, request: &Request) -> Result<(), ClientError> {
        let line =
            serde_json::to_string(request).map_err(|e| ClientError::Garbled(e.to_string()))?;
        self.lines.send(line).await.map_err(|error| self.lost(error))
    }

    /// The next message.
    ///
    /// # Errors
    /// When the room closes the connection, or sends something unreadable.
    pub async fn next(&mut self) -> Result<Message, ClientError> {
        match self.lines.next().await {
            None => Err(ClientError::Gone),
            Some(Err(error)) => Err(self.lost(error)),
            Some(Ok(line)) => {
                serde_json::from_str(&line).map_err(|e| ClientError::Garbled(e.to_string()))
            }
        }
    }

    fn lost(&self, error: LinesCodecError) -> ClientError {
        match error {
            LinesCodecError::MaxLineLengthExceeded => {
                ClientError::Garbled("a line too long".into())
            }
            LinesCodecError::Io(source)
                if matches!(
                    source.kind(),
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
                ) =>
            {
                ClientError::Gone
            }
            LinesCodecError::Io(source) => ClientError::Io { region: self.region.clone(), source },
        }
    }
}
