//! The one document of a region: `status --json` prints it, screens draw it, conditions read it.
//!
//! - An `Option` is `null` while its value is unknown; unknown is never 0 and never left out.
//! - A field that ends in `_at_ms` is a moment (milliseconds since the Unix epoch), any other `_ms`
//!   a span. Ages are not stored: whoever draws or compares computes them from `at_ms`.
//! - Fields are only ever added: `docs/status.schema.json` is generated from these types, and a
//!   test reads documents of earlier versions.
//!
//! The region as a whole is here; the parts have files of their own.

mod alarms;
mod drill;
mod foreign;
mod link;
mod messages;
mod metrics;
mod mirror;
mod node;
mod render;
mod schema;
#[cfg(test)]
mod tests;
mod zone;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    alarms::{Alarm, AlarmKind},
    drill::{Conclusion, Counter, Drill, DrillStep, Pause, Verdict},
    foreign::{Foreign, ForeignKind},
    link::{Link, LinkState},
    messages::{Apart, Audit, Ledger, Producer},
    metrics::metrics,
    mirror::{Mirror, MirrorState, Recovery},
    node::{Container, Node, NodeState},
    render::render,
    schema::{is_comparable, meaning, schema, value_at},
    zone::{Consumer, Flow, Latency, Recorded, Stream, Zone, ZoneState},
};
use super::{
    UnixMs,
    actor::Person,
    names::ZoneName,
    topology::{CopyKind, MirrorKind, Network, PlatformKind},
};

/// One consistent picture of a region: the whole of `status --json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    pub region: String,
    pub platform: PlatformKind,
    /// What carries the links on the local platform; `null` on others.
    #[serde(default)]
    pub network: Option<Network>,
    /// The nats-server version, once a server has said it.
    pub server_version: Option<String>,
    /// How mirrors pull, once decided.
    pub mirror_kind: Option<MirrorKind>,
    /// What the other zones hold of the source's stream.
    #[serde(default)]
    pub copy_kind: CopyKind,
    /// The well-known user `admin` may change everything.
    #[serde(default)]
    pub open: bool,
    pub phase: Phase,
    /// Why the last bring-up failed, with the phase `failed`; else `null`.
    pub failure: Option<String>,
    /// When the room started.
    pub started_at_ms: UnixMs,
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
    pub drill: Option<Drill>,
    /// Long commands that are running now.
    pub tasks: Vec<Task>,
    /// The screens attached now, and the places kept for those that lost their connection.
    pub screens: Vec<Screen>,
    /// The newest marks for the timeline (cuts, heals, user marks), oldest first.
    #[serde(default)]
    pub marks: Vec<Mark>,
    /// When the newest sample of every zone's `lag_history` was taken.
    #[serde(default)]
    pub history_at_ms: UnixMs,
    /// When the room itself was late last: what was observed meanwhile is older than it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<Late>,
    /// This is no region but the record of one, shown again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replay>,
}

/// The room took in nothing for a while: its machine was busy, or suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Late {
    /// When it went on.
    pub at_ms: UnixMs,
    pub for_ms: u64,
}

impl Status {
    /// The platform, with what carries its links if that is not the usual: `local, wire`.
    #[must_use]
    pub fn where_it_runs(&self) -> String {
        match self.network {
            Some(Network::Wire) => format!("{}, wire", self.platform),
            Some(Network::Relay) | None => self.platform.to_string(),
        }
    }

    /// No room stands behind it: it is the record of a region, or a region of others.
    #[must_use]
    pub fn without_a_room(&self) -> bool {
        self.replay.is_some() || self.is_external()
    }

    /// Somebody else runs it.
    #[must_use]
    pub fn is_external(&self) -> bool {
        self.platform == PlatformKind::External
    }

    /// The zone of that name.
    #[must_use]
    pub fn zone(&self, name: &ZoneName) -> Option<&Zone> {
        self.zones.iter().find(|z| &z.name == name)
    }

    /// Messages that the source no longer has and a mirror has not copied yet: it will never get
    /// them. With the settings of the source that may have deleted them.
    #[must_use]
    pub fn gone_at_source(&self, zone: &Zone) -> Option<(u64, Vec<String>)> {
        let source = self.source().filter(|source| source.name != zone.name)?;
        let first = source.stream.as_ref()?.first_seq;
        let gone = first.saturating_sub(zone.last_seq()?.saturating_add(1));
        // While a mirror follows, the source may delete a message before the mirror has reported it.
        let follows = |mirror: &Mirror| mirror.state == MirrorState::Streaming;
        if gone == 0 || zone.is_linked() && zone.mirror.as_ref().is_some_and(follows) {
            return None;
        }
        let changed = source.differences.iter().filter_map(|one| one.difference.kind.limit());
        Some((gone, changed.chain(source.keeping.settings()).collect()))
    }

    /// The source zone, once it is laid out.
    #[must_use]
    pub fn source(&self) -> Option<&Zone> {
        self.zones.iter().find(|z| z.is_hub())
    }
}

/// How far apart the samples of `Zone::lag_history` are.
pub const HISTORY_STEP_MS: u64 = 1000;
/// How many samples `Zone::lag_history` keeps.
pub const HISTORY_LEN: usize = 300;

words! {
    /// What a region as a whole is doing.
    #[derive(Default)]
    pub enum Phase {
        #[default]
        Down = "down",
        /// Servers are being started.
        Starting = "starting",
        Up = "up",
        /// Servers are being stopped.
        Stopping = "stopping",
        /// The last bring-up failed.
        Failed = "failed",
    }
}

/// A step of a bring-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

words! {
    /// How far a step is.
    pub enum StepState {
        Running = "running",
        Done = "done",
        /// Failed; the detail says why.
        Failed = "failed",
    }
}

/// A long command that is running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// Counted from 1 by the room.
    pub id: u64,
    /// The command, in the words of the command language.
    pub command: String,
    /// Who gave it.
    pub by: String,
    #[serde(default)]
    pub since_at_ms: UnixMs,
    /// How far it is: "412 of 1000 acked".
    pub progress: String,
}

/// A moment on the timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mark {
    pub at_ms: UnixMs,
    pub kind: MarkKind,
    /// The zone it concerns, if one.
    pub zone: Option<ZoneName>,
    pub text: String,
}

words! {
    /// Kinds of marks.
    pub enum MarkKind {
        /// A link was cut.
        Cut = "cut",
        /// A link was healed.
        Heal = "heal",
        /// A node was killed, frozen, stopped, thawed or started.
        Node = "node",
        /// A zone came or went.
        Zone = "zone",
        /// A user's own mark.
        Note = "note",
    }
}

/// A screen attached to the room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Screen {
    /// Counted from 1 by the room.
    pub id: u64,
    pub name: String,
    pub drives: bool,
    #[serde(default)]
    pub observes: bool,
    /// Came in as a guest: reaches no file, and neither begins nor ends the region.
    #[serde(default)]
    pub guest: bool,
    /// Nobody sits there: it records.
    #[serde(default)]
    pub records: bool,
    /// Asks for control; refused when not answered by then.
    pub ask_ends_at_ms: Option<UnixMs>,
    /// Its connection is lost; the place is kept until then.
    pub place_ends_at_ms: Option<UnixMs>,
    /// Its terminal does not answer: nobody may sit there any more.
    #[serde(default)]
    pub silent: bool,
    /// The address at the other end of its SSH connection, if it came by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

impl Screen {
    /// Who sits there.
    #[must_use]
    pub fn person(&self) -> Person {
        Person { name: self.name.clone(), guest: self.guest, from: self.from.clone() }
    }
}

/// Where the replay of a drill stands. What the record does not hold is not shown as a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Replay {
    /// The name of the bundle's folder.
    pub bundle: String,
    /// How far into the drill.
    pub position_ms: u64,
    /// How long it took.
    pub length_ms: u64,
    /// How many times as fast as it was, in percent.
    pub speed_percent: u32,
    pub paused: bool,
    /// The marker passed last, in words.
    pub marker: String,
}
