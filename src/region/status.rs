//! The stable schema of `status --json`, and the same for people.
//!
//! The schema is not the snapshot: the snapshot may change with every release, these names do not.
//! Fields are only ever added. Rules that hold everywhere:
//!
//! - What is unknown is `null`, never 0 and never left out.
//! - Times are milliseconds. `at_ms`, and a field that ends in `_at_ms`, is a moment (since the
//!   Unix epoch); every other one is a span, counted back from `at_ms` where it is an age.
//! - Numbers a leader told are kept when it falls silent; `age_ms` says how old they are.

mod convert;
mod render;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use self::render::render;
use super::{
    UnixMs,
    snapshot::{self, LinkState, MirrorState, NodeState, Phase, StepState, Verdict},
    topology::{CutKind, MirrorKind, Role},
};

/// The whole of `status --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// The region's name.
    pub region: String,
    /// Where its servers run: `"local"`, `"docker"`.
    pub platform: String,
    /// The nats-server version, `"2.15.1"`; `null` until one is known.
    pub server_version: Option<String>,
    /// `"durable"` or `"classic"`; `null` until decided.
    pub mirror_kind: Option<MirrorKind>,
    /// `"down"`, `"starting"`, `"up"`, `"stopping"`, `"failed"`.
    pub phase: &'static str,
    /// Why the last bring-up failed, with the phase `"failed"`; else `null`.
    pub failure: Option<String>,
    /// When the room started.
    pub started_at_ms: UnixMs,
    /// The moment all of this is true of.
    pub at_ms: UnixMs,
    /// The steps of the last bring-up or zone growth, in order.
    pub steps: Vec<Step>,
    /// The zones, source first.
    pub zones: Vec<Zone>,
    /// What the producer has done.
    pub producer: Producer,
    /// Long commands that are running.
    pub tasks: Vec<Task>,
    /// The four conclusions, in the order `cut`, `heal`, `independent`, `grow`.
    pub conclusions: Vec<Conclusion>,
    /// The screens attached now.
    pub screens: Vec<Screen>,
}

/// A step of a bring-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What is done: `"start zone a"`.
    pub title: String,
    /// `"running"`, `"done"` or `"failed"`.
    pub state: StepState,
    /// How far it is, or why it failed.
    pub detail: String,
    /// How long it took, once done.
    pub took_ms: Option<u64>,
}

/// A zone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Zone {
    /// `"b"`.
    pub name: String,
    /// `"source"` or `"mirror"`.
    pub role: Role,
    /// `"starting"`, `"ready"` or `"removing"`.
    pub state: snapshot::ZoneState,
    /// Its nodes, in order.
    pub nodes: Vec<Node>,
    /// The stream as its leader last told; `null` until it has.
    pub stream: Option<Stream>,
    /// The zone's durable consumer as its leader last told; `null` until it has.
    pub consumer: Option<Consumer>,
    /// The mirror; `null` at the source.
    pub mirror: Option<Mirror>,
    /// The link to the source; `null` at the source.
    pub link: Option<Link>,
    /// The clock of the last heal; `null` before the first.
    pub recovery: Option<Recovery>,
    /// The account of messages.
    pub ledger: Ledger,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Node {
    /// `"js2-zone-b"`.
    pub name: String,
    /// `"starting"`, `"up"`, `"js-off"` (answers, its JetStream is off), `"silent"` (runs, does not
    /// answer), `"frozen"`, `"dead"` (ended unasked), `"stopped"` (ended on purpose).
    pub state: NodeState,
    /// Leads the stream.
    pub leader: bool,
    /// Leads the zone's meta group.
    pub meta_leader: bool,
    /// Leads the zone's consumer.
    pub consumer_leader: bool,
    /// Where clients connect: `"nats://127.0.0.1:15222"`.
    pub url: String,
    /// Its process.
    pub pid: Option<u32>,
    /// Resident memory.
    pub rss_bytes: Option<u64>,
    /// CPU in percent of one core.
    pub cpu_percent: Option<f32>,
    /// Since it last answered.
    pub age_ms: Option<u64>,
    /// Its container, as the engine tells; not there where nodes are processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<snapshot::Container>,
}

/// A stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stream {
    /// Messages held.
    pub messages: u64,
    /// Bytes held.
    pub bytes: u64,
    /// First sequence held.
    pub first_seq: u64,
    /// Last sequence assigned.
    pub last_seq: u64,
    /// Holes between them.
    pub num_deleted: u64,
    /// The leader's server name; `null` while nobody leads.
    pub leader: Option<String>,
    /// Replicas, the leader included.
    pub replicas: u32,
    /// Of them, those that have everything, as the leader sees it; `null` while nobody leads, or
    /// the leader has not told for a while.
    pub replicas_current: Option<u32>,
    /// Since the leader told.
    pub age_ms: u64,
}

/// A zone's consumer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Consumer {
    /// `"consumer-b"`.
    pub name: String,
    /// Last stream sequence delivered.
    pub delivered: u64,
    /// Every stream sequence up to here is acknowledged.
    pub ack_floor: u64,
    /// Messages not delivered yet.
    pub pending: u64,
    /// Delivered and not acknowledged.
    pub unacked: u64,
    /// Waiting messages that were delivered more than once, as the server counts.
    pub redelivered: u64,
    /// Paused by a command.
    pub paused: bool,
    /// Messages a second it is held to; `null` for no limit.
    pub limit: Option<f64>,
    /// Messages a second it processes now.
    pub rate: f64,
    /// Why it cannot consume just now; `null` when it can.
    pub trouble: Option<String>,
    /// Since the leader told.
    pub age_ms: u64,
}

/// A mirror, from both ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mirror {
    /// Source last sequence minus mirror last sequence; `null` while either end's word is older
    /// than three seconds.
    pub true_lag: Option<u64>,
    /// What the server says. It stays 0 in a cut: never trust it alone.
    pub reported_lag: Option<u64>,
    /// Since the mirror is known to have heard from its source; `null` for never, or unknown.
    pub silent_ms: Option<u64>,
    /// `"streaming"`, `"catching-up"`, `"silent"`, `"stalled"`, `"never-linked"`, `"diverged"`,
    /// `"unknown"`.
    pub state: MirrorState,
    /// The server's own error text.
    pub error: Option<String>,
    /// Backlog that the source's durable consumer counts (durable mirrors only).
    pub source_pending: Option<u64>,
    /// Since the mirror's leader told; `null` before it has.
    pub age_ms: Option<u64>,
}

/// A link to the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// `"up"`, `"cut"` (by a command) or `"down"` (by itself).
    pub state: LinkState,
    /// `"refuse"`, `"silent"` or `"unplug"` while cut; else `null`.
    pub kind: Option<CutKind>,
    /// The cut was proved at both ends. False while not proved, and while the link is not cut.
    pub effective: bool,
    /// For how long the link has been in this state.
    pub since_ms: u64,
    /// Until the cut heals by itself; `null` when it does not.
    pub heals_in_ms: Option<u64>,
    /// Leafnode connections of this zone's nodes; `null` while one of them is silent.
    pub leafs_here: Option<u32>,
    /// Leafnode connections the source's nodes have from this zone; `null` likewise.
    pub leafs_there: Option<u32>,
    /// Round trip as the server measured it, microseconds.
    pub rtt_us: Option<u64>,
    /// From the command to the relay carrying nothing; `null` while not cut.
    pub severed_in_ms: Option<u64>,
    /// From the command to the proof at both ends; `null` while not proved.
    pub proved_in_ms: Option<u64>,
}

/// The recovery clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// When the heal was commanded.
    pub healed_at_ms: UnixMs,
    /// Messages missing at that moment.
    pub behind: Option<u64>,
    /// Heal → leafnode connections at both ends.
    pub link_up_after_ms: Option<u64>,
    /// Heal → first new message in the mirror.
    pub moving_after_ms: Option<u64>,
    /// Heal → true lag zero.
    pub caught_up_after_ms: Option<u64>,
    /// The mirror's leader was asked to step down to hurry it.
    pub nudged: bool,
    /// Why it stands still, in a sentence, while it does.
    pub stall: Option<String>,
}

/// The account of messages in a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// Acknowledged by the source, all producers.
    pub acked: u64,
    /// Distinct messages the zone's consumer has processed.
    pub received: u64,
    /// Acknowledged messages that this zone has for certain passed over.
    pub lost: u64,
    /// Messages found at a second stream sequence.
    pub duplicates: u64,
    /// Deliveries after the first of the same sequence: legal.
    pub redelivered: u64,
    /// Sequences processed more than once: legal at-least-once.
    pub processed_twice: u64,
    /// Messages out of order on the stream.
    pub reordered: u64,
    /// Messages whose checksum or content is not what was sent.
    pub corrupt: u64,
    /// Messages no producer of this region sent.
    pub unexpected: u64,
    /// Messages of which the ledger cannot tell, because its file was cut short.
    pub unrecorded: u64,
}

/// The producer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Producer {
    /// A produce command is running.
    pub active: bool,
    /// Messages a second acknowledged now.
    pub rate: f64,
    /// Acknowledged.
    pub acked: u64,
    /// Refused for certain.
    pub failed: u64,
    /// Sent, outcome not known (yet).
    pub unknown: u64,
    /// The highest message number used.
    pub last_number: u64,
    /// Which producers run: `"p3 101..200 every 100ms"`.
    pub running: Vec<String>,
    /// The server-side id of its connection.
    pub connection: Option<u64>,
    /// How often it reconnected.
    pub reconnects: u64,
    /// The domain that acknowledged last.
    pub acked_by: Option<String>,
    /// Why it cannot publish just now; `null` when it can.
    pub trouble: Option<String>,
}

/// A long command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Task {
    /// Its number.
    pub id: u64,
    /// In the words of the command language.
    pub command: String,
    /// Who gave it.
    pub by: String,
    /// How long it has been running.
    pub since_ms: u64,
    /// How far it is.
    pub progress: String,
}

/// A conclusion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conclusion {
    /// `"cut"`, `"heal"`, `"independent"`, `"grow"`.
    pub name: String,
    /// `"waiting"`, `"holding"`, `"proved"`, `"broken"`, `"void"`.
    pub verdict: Verdict,
    /// In a few words.
    pub evidence: String,
}

/// An attached screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Screen {
    /// Its number.
    pub id: u64,
    /// Who sits there.
    pub name: String,
    /// May send commands.
    pub drives: bool,
}

/// The phase's word, without the reason of a failure.
#[must_use]
pub fn phase_word(phase: &Phase) -> &'static str {
    match phase {
        Phase::Down => "down",
        Phase::Starting => "starting",
        Phase::Up => "up",
        Phase::Stopping => "stopping",
        Phase::Failed(_) => "failed",
    }
}
