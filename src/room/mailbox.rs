//! The one bus: everything that reaches the state actor of a region's state.

use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::protocol::{Message, Outcome};
use crate::{
    command::Command,
    region::{Actor, Input, Severity},
};

/// A command and whom to answer.
#[derive(Debug)]
pub struct CommandRequest {
    pub actor: Actor,
    pub command: Command,
    /// The giver's number for it.
    pub id: u64,
    /// Where progress and the answer go.
    pub answers: Option<mpsc::UnboundedSender<Message>>,
    /// Ends the command together with what gave it: a drill's commands end with the drill.
    pub stop: Option<CancellationToken>,
}

impl CommandRequest {
    /// By the room itself; nobody waits for an answer.
    #[must_use]
    pub fn by_room(command: Command) -> Self {
        Self { actor: Actor::room(), command, id: 0, answers: None, stop: None }
    }
}

/// What reaches the state actor.
#[derive(Debug)]
pub enum Mail {
    Command(CommandRequest),
    /// What changes the state.
    Input(Input),
    Ended {
        task: u64,
        outcome: Outcome,
        said: String,
        data: Option<serde_json::Value>,
    },
    /// Keeps a drill's history in a file of its own, from now on.
    KeepHistory {
        path: PathBuf,
        done: oneshot::Sender<std::io::Result<()>>,
    },
    /// Ends it.
    EndHistory {
        path: PathBuf,
        done: oneshot::Sender<std::io::Result<()>>,
    },
    /// A signal asks the room to end, with its name.
    Signal(&'static str),
}

/// The room is closing.
#[derive(Debug, thiserror::Error)]
#[error("the room is closing")]
pub struct Closing;

/// The way onto the bus.
#[derive(Clone, Debug)]
pub struct Mailbox(mpsc::UnboundedSender<Mail>);

impl Mailbox {
    /// A bus and its end.
    #[must_use]
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Mail>) {
        let (sender, inbox) = mpsc::unbounded_channel();
        (Self(sender), inbox)
    }

    /// Gives a command.
    ///
    /// # Errors
    /// When the state actor has gone.
    pub fn give(&self, given: CommandRequest) -> Result<(), Closing> {
        self.send(Mail::Command(given))
    }

    /// Changes state, in order with everything else.
    pub fn tell(&self, input: Input) {
        let _ = self.send(Mail::Input(input));
    }

    /// Puts a line into the log that everyone sees.
    pub fn note(&self, severity: Severity, text: impl Into<String>) {
        self.tell(Input::note(severity, text));
    }

    /// Sends anything.
    ///
    /// # Errors
    /// When the state actor has gone.
    pub fn send(&self, mail: Mail) -> Result<(), Closing> {
        self.0.send(mail).map_err(|_| Closing)
    }
}
