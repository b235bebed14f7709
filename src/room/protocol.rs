//! What goes over the room's socket: one JSON object a line, in both directions.

use serde::{Deserialize, Serialize};

use crate::region::{Event, Status};

/// The version of this protocol; a room and a screen of different versions refuse each other.
pub const PROTOCOL: u32 = 6;
/// The longest line either side accepts, in bytes.
pub const LONGEST_LINE: usize = 4 * 1024 * 1024;
/// The longest line a room accepts, in bytes: a request is a greeting or a command.
pub const LONGEST_REQUEST: usize = 64 * 1024;

/// From a screen or a shell to the room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Request {
    Hello {
        protocol: u32,
        name: String,
        client: ClientKind,
        /// Only wants to look.
        observe: bool,
        /// Wants no command carried out that reaches a file, or begins or ends the region.
        #[serde(default)]
        guest: bool,
        /// The address at the other end of the caller's SSH connection; empty if there is none.
        #[serde(default)]
        from: String,
        /// Proves later that a place was this one's; empty if none is to be kept.
        #[serde(default)]
        token: String,
    },
    /// The screen's terminal does not answer any more, or does again: nobody may sit there.
    Terminal { silent: bool },
    /// Leaves on purpose: no place is to be kept.
    Leave,
    /// This screen's recording ended by itself.
    BrokenOff {
        path: String,
        /// Why: goes on from the path.
        why: String,
    },
    /// A line of the command language.
    Command {
        /// Chosen by the sender; answers carry it.
        id: u64,
        line: String,
    },
}

/// What attaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientKind {
    /// Wants statuses and events as they come, and counts as present.
    Screen,
    /// Gives a command and leaves; gets progress, the answer, and one status.
    Shell,
    /// Wants statuses as they come, but nobody sits there (`status --watch`).
    Watch,
    /// A screen without a terminal, which records: seen by all, never drives.
    Recorder,
}

/// From the room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Message {
    Hello {
        protocol: u32,
        /// The room's zonedrill version.
        version: String,
        pid: u32,
        /// The region's id.
        #[serde(default)]
        id: String,
        /// This screen's number in `Status::screens`.
        screen: u64,
        drives: bool,
        /// The place was kept since a connection was lost.
        #[serde(default)]
        returned: bool,
        /// The newest events, oldest first.
        events: Vec<Event>,
    },
    Status {
        status: Box<Status>,
    },
    Event {
        event: Event,
    },
    /// A command is under way.
    Progress {
        id: u64,
        /// How far it is.
        text: String,
    },
    Answer {
        id: u64,
        outcome: Outcome,
        /// What to print: a sentence, or several lines.
        text: String,
        /// The same for a machine, where the command has such a form.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<serde_json::Value>,
    },
    /// The owner has removed this screen; the room closes the connection after this line.
    Removed,
    /// The connection is of no use any more; the room closes it after this line.
    Error {
        why: String,
    },
}

impl Message {
    /// What a screen is told first where no room stands behind it, and whether it gives commands.
    #[must_use]
    pub fn without_a_room(drives: bool) -> Self {
        Self::Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            id: String::new(),
            screen: 0,
            drives,
            returned: false,
            events: Vec::new(),
        }
    }
}

/// How a command ended; a shell's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Done, or all is well.
    Done,
    /// Tried and failed, or something is broken.
    Broken,
    /// Could not be tested.
    Void,
    /// Refused: bad words, or not possible now. Nothing was changed.
    Refused,
}

impl Outcome {
    /// The exit code of a shell that gave the command.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Broken => 1,
            Self::Void => 2,
            Self::Refused => 3,
        }
    }
}
