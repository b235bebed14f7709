//! The whole truth about a running region as plain data: what a screen draws, what `status` prints.
//!
//! `Option` means *known or unknown*, never "zero": a number nobody measured is `None`. Ages are
//! not stored (they would change every millisecond); the moments they count from are.
//!
//! Here is what concerns the region as a whole; the parts have files of their own.

mod drill;
mod link;
mod messages;
mod mirror;
mod node;
mod zone;

use serde::{Deserialize, Serialize};

pub use self::{
    drill::{Conclusion, Counter, Drill, DrillStep, Pause, Verdict},
    link::{Link, LinkState},
    messages::{Ledger, Producer},
    mirror::{Mirror, MirrorState, Recovery},
    node::{Container, Node, NodeState},
    zone::{Consumer, Recorded, Stream, Work, Zone, ZoneState},
};
use super::{
    UnixMs,
    actor::Actor,
    names::ZoneName,
    topology::{MirrorKind, Role},
};

/// One consistent picture of a region.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The region's name.
    pub region: String,
    /// Where its servers run: `local`, `docker`, `external`.
    pub platform: String,
    /// The nats-server version, once a server has said it.
    pub server_version: Option<String>,
    /// How mirrors pull, once decided.
    pub mirror_kind: Option<MirrorKind>,
    /// What the region as a whole is doing.
    pub phase: Phase,
    /// When the room started.
    pub started_ms: UnixMs,
    /// When this picture was taken.
    pub at_ms: UnixMs,
    /// The steps of the last bring-up (or zone growth), in order.
    pub steps: Vec<Step>,
    /// The zones, source first.
    pub zones: Vec<Zone>,
    /// What the producer has done.
    pub producer: Producer,
    /// The four conclusions' verdicts, in order.
    pub conclusions: Vec<Conclusion>,
    /// The drill that runs, or the last one that ran.
    #[serde(default)]
    pub drill: Option<Drill>,
    /// Long commands that are running now.
    pub tasks: Vec<Task>,
    /// The newest marks for the timeline (cuts, heals, user marks), oldest first.
    pub marks: Vec<Mark>,
    /// When the newest sample of every zone's `lag_history` was taken.
    pub history_ms: UnixMs,
    /// The screens attached now.
    pub screens: Vec<Screen>,
    /// This is no region but the record of one, shown again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replay>,
}

impl Snapshot {
    /// The zone of that name.
    #[must_use]
    pub fn zone(&self, name: &ZoneName) -> Option<&Zone> {
        self.zones.iter().find(|z| &z.name == name)
    }

    /// The source zone, once it is laid out.
    #[must_use]
    pub fn source(&self) -> Option<&Zone> {
        self.zones.iter().find(|z| z.role == Role::Source)
    }
}

/// How far apart the samples of `Zone::lag_history` are.
pub const HISTORY_STEP_MS: u64 = 1000;
/// How many samples `Zone::lag_history` keeps.
pub const HISTORY_LEN: usize = 240;

/// What a region as a whole is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "is", content = "why")]
pub enum Phase {
    /// No servers run.
    #[default]
    Down,
    /// Servers are being started.
    Starting,
    /// The region serves.
    Up,
    /// Servers are being stopped.
    Stopping,
    /// The last bring-up failed; the text says why and what to do.
    Failed(String),
}

/// A step of a bring-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is done: "start zone a".
    pub title: String,
    /// How far it is.
    pub state: StepState,
    /// A running detail ("3.1 of 7.2 MB"), or the reason of a failure.
    pub detail: String,
    /// How long it took, once done.
    pub took_ms: Option<u64>,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    /// Under way.
    Running,
    /// Done.
    Done,
    /// Failed; the detail says why.
    Failed,
}

/// A long command that is running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Counted from 1 by the room.
    pub id: u64,
    /// The command, in the words of the command language.
    pub command: String,
    /// Who gave it.
    pub actor: Actor,
    /// When it began.
    pub since_ms: UnixMs,
    /// How far it is: "412 of 1000 acked".
    pub progress: String,
}

/// A moment on the timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When.
    pub at_ms: UnixMs,
    /// What kind.
    pub kind: MarkKind,
    /// The zone it concerns, if one.
    pub zone: Option<ZoneName>,
    /// In words.
    pub text: String,
}

/// Kinds of marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MarkKind {
    /// A link was cut.
    Cut,
    /// A link was healed.
    Heal,
    /// A node was killed, frozen, stopped, thawed or started.
    Node,
    /// A zone came or went.
    Zone,
    /// A user's own mark.
    Note,
}

/// A screen attached to the room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Screen {
    /// Counted from 1 by the room.
    pub id: u64,
    /// Who sits there.
    pub name: String,
    /// May send commands.
    pub drives: bool,
    /// Never drives.
    #[serde(default)]
    pub observes: bool,
    /// Came in as a guest: reaches no file, and neither begins nor ends the region.
    #[serde(default)]
    pub guest: bool,
    /// Nobody sits there: it records.
    #[serde(default)]
    pub records: bool,
    /// Asks for control; refused when not answered by then.
    #[serde(default)]
    pub asks_until_ms: Option<UnixMs>,
    /// Its connection is lost; the place is kept until then.
    #[serde(default)]
    pub away_until_ms: Option<UnixMs>,
}

/// Where the replay of a drill stands. What the record does not hold is not shown as a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// The name of the bundle's folder.
    pub bundle: String,
    /// How far into the drill.
    pub position_ms: u64,
    /// How long it took.
    pub length_ms: u64,
    /// How many times as fast as it was, in percent.
    pub speed_percent: u32,
    /// It stands still.
    pub paused: bool,
    /// The marker passed last, in words.
    pub marker: String,
}
