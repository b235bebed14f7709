//! The one bus: everything that reaches the owner of a region's state.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::protocol::{Message, Outcome};
use crate::{
    command::Command,
    platform::PlatformEvent,
    region::{Actor, EventKind, UnixMs, observation::Observation, reduce::State},
};

/// A command and whom to answer.
#[derive(Debug)]
pub struct Given {
    /// Who gives it.
    pub actor: Actor,
    /// What.
    pub command: Command,
    /// The giver's number for it.
    pub id: u64,
    /// Where progress and the answer go.
    pub answers: Option<mpsc::UnboundedSender<Message>>,
    /// Ends the command together with what gave it: a drill's commands end with the drill.
    pub stop: Option<CancellationToken>,
}

impl Given {
    /// By the room itself; nobody waits for an answer.
    #[must_use]
    pub fn by_room(command: Command) -> Self {
        Self { actor: Actor::room(), command, id: 0, answers: None, stop: None }
    }
}

/// A change of state that a task wants made; returns what is worth a line in the log.
pub type Change = Box<dyn FnOnce(&mut State, UnixMs) -> Vec<EventKind> + Send>;

/// What reaches the owner.
pub enum Input {
    /// A command.
    Given(Given),
    /// A watcher's fact.
    Observed(Observation),
    /// A platform's word.
    Platform(PlatformEvent),
    /// A task's news.
    Change(Change),
    /// A task ended.
    Ended {
        /// Which.
        task: u64,
        /// How.
        outcome: Outcome,
        /// In words.
        said: String,
        /// For machines.
        data: Option<serde_json::Value>,
    },
    /// A signal asks the room to end, with its name.
    Signal(&'static str),
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Given(given) => write!(f, "{given:?}"),
            Self::Observed(observation) => write!(f, "{observation:?}"),
            Self::Platform(event) => write!(f, "{event:?}"),
            Self::Change(_) => f.write_str("a change"),
            Self::Ended { task, outcome, said, .. } => {
                write!(f, "task {task} ended {outcome:?}: {said}")
            }
            Self::Signal(name) => f.write_str(name),
        }
    }
}

/// The room is closing.
#[derive(Debug, thiserror::Error)]
#[error("the room is closing")]
pub struct Closing;

/// The way onto the bus.
#[derive(Clone, Debug)]
pub struct Bus(mpsc::UnboundedSender<Input>);

impl Bus {
    /// A bus and its end.
    #[must_use]
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Input>) {
        let (sender, inbox) = mpsc::unbounded_channel();
        (Self(sender), inbox)
    }

    /// Gives a command.
    ///
    /// # Errors
    /// When the owner has gone.
    pub fn give(&self, given: Given) -> Result<(), Closing> {
        self.send(Input::Given(given))
    }

    /// Changes state, in order with everything else.
    pub fn change(
        &self,
        change: impl FnOnce(&mut State, UnixMs) -> Vec<EventKind> + Send + 'static,
    ) {
        let _ = self.send(Input::Change(Box::new(change)));
    }

    /// Sends anything.
    ///
    /// # Errors
    /// When the owner has gone.
    pub fn send(&self, input: Input) -> Result<(), Closing> {
        self.0.send(input).map_err(|_| Closing)
    }
}
