//! The record of a drill's run: what was done, what was seen, when. One JSON object a line, written
//! as it happens; every verdict is computed from it.

use serde::{Deserialize, Serialize};

use crate::{
    command::Sabotage,
    region::{
        NodeName, UnixMs, ZoneName,
        observation::ServerFacts,
        snapshot::{LinkState, MirrorState},
        topology::{MirrorKind, Role},
    },
};

/// The version of this format.
pub const FORMAT: u32 = 1;

/// A line of a drill's record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "kebab-case")]
pub enum Entry {
    /// The first line: what is drilled, and on what.
    Begin(Box<Begin>),
    /// A step of the script began.
    Step {
        /// Counted from 0.
        index: usize,
        /// Its title.
        title: String,
        /// When.
        at: UnixMs,
    },
    /// A step ended.
    StepDone {
        /// Which.
        index: usize,
        /// All its commands succeeded and its waits were met.
        ok: bool,
        /// What failed, if something did.
        why: Option<String>,
        /// When.
        at: UnixMs,
    },
    /// A span of time got a name ("before", "during", "after"); the one before it ends here.
    Phase {
        /// Its name.
        name: String,
        /// When.
        at: UnixMs,
    },
    /// The drill gave a command.
    Given {
        /// Counted from 1 within the drill; the answer carries it.
        id: u64,
        /// In the words of the command language.
        line: String,
        /// When.
        at: UnixMs,
    },
    /// The command ended.
    Answered {
        /// Which.
        id: u64,
        /// `done`, `broken`, `void`, `refused`.
        outcome: String,
        /// What was said.
        text: String,
        /// The same for a machine (of a produce: `producer`, `first_number`, `sent`,
        /// `acked`, `last_seq`, …).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<serde_json::Value>,
        /// When.
        at: UnixMs,
    },
    /// A wait ended.
    Waited {
        /// The condition, in its own words.
        condition: String,
        /// It came true in time.
        met: bool,
        /// What was seen at the end, as text.
        seen: String,
        /// How long it took.
        took_ms: u64,
        /// When.
        at: UnixMs,
    },
    /// What the room knew at one moment: whenever it changed, several times a second.
    Sample(Box<Sample>),
    /// What the servers say about themselves: at the beginning, at the end, around a zone's coming.
    Servers {
        /// Each node that answered.
        nodes: Vec<ServerFacts>,
        /// When.
        at: UnixMs,
    },
    /// How long messages took from acknowledgement to processing in a zone, in one phase.
    Latency {
        /// Where.
        zone: ZoneName,
        /// When: a phase's name.
        phase: String,
        /// Counts by microseconds: `[lower bound, count]`, ascending.
        buckets: Vec<(u64, u64)>,
        /// Messages that were processed before their acknowledgement reached the producer (counted
        /// in the lowest bucket).
        before_ack: u64,
    },
    /// A stream was read from end to end; its content is in a file of its own.
    Stream {
        /// Whose.
        zone: ZoneName,
        /// The replica that was read.
        replica: NodeName,
        /// The file, relative to this record's folder.
        file: String,
        /// Messages read.
        messages: u64,
        /// The first and last sequence.
        ends: Option<(u64, u64)>,
        /// When.
        at: UnixMs,
    },
    /// A replica could not be read.
    Unread {
        /// Whose.
        zone: ZoneName,
        /// Which replica.
        replica: NodeName,
        /// Why.
        why: String,
        /// When.
        at: UnixMs,
    },
    /// A deliberate fault was put in.
    Sabotaged {
        /// Which.
        kind: Sabotage,
        /// What was done, in a sentence.
        what: String,
        /// When.
        at: UnixMs,
    },
    /// The drill was ended before its time.
    Interrupted {
        /// By whom or what.
        why: String,
        /// When.
        at: UnixMs,
    },
    /// The last line.
    End {
        /// When.
        at: UnixMs,
    },
}

impl Entry {
    /// When it was; latencies are of no moment.
    #[must_use]
    pub fn at(&self) -> Option<UnixMs> {
        match self {
            Self::Begin(begin) => Some(begin.at),
            Self::Sample(sample) => Some(sample.at),
            Self::Latency { .. } => None,
            Self::Step { at, .. }
            | Self::StepDone { at, .. }
            | Self::Phase { at, .. }
            | Self::Given { at, .. }
            | Self::Answered { at, .. }
            | Self::Waited { at, .. }
            | Self::Servers { at, .. }
            | Self::Stream { at, .. }
            | Self::Unread { at, .. }
            | Self::Sabotaged { at, .. }
            | Self::Interrupted { at, .. }
            | Self::End { at } => Some(*at),
        }
    }
}

/// What is drilled, and on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    /// [`FORMAT`].
    pub format: u32,
    /// This program's version.
    pub zonedrill: String,
    /// The drill's name.
    pub drill: String,
    /// The script as it was run, as text: the verdict's rules are in it.
    pub script: String,
    /// How many times the seed's numbers.
    pub scale: u64,
    /// The deliberate fault, if one.
    pub sabotage: Option<Sabotage>,
    /// The ledger's run id.
    pub run: String,
    /// What an earlier drill damaged on purpose in the same data: `lose in 1-cut`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damaged: Option<String>,
    /// When the command was given that ran this drill, and maybe others: one bundle tells of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<UnixMs>,
    /// The region's name.
    pub region: String,
    /// `local`, `docker`.
    pub platform: String,
    /// The server version.
    pub server_version: String,
    /// How mirrors pull.
    pub mirror_kind: MirrorKind,
    /// The source zone.
    pub source: ZoneName,
    /// The zone the drill cuts, watches, compares.
    pub mirror: ZoneName,
    /// The zone the drill adds, if it adds one.
    pub new_zone: Option<ZoneName>,
    /// Who gave the command.
    pub actor: String,
    /// When.
    pub at: UnixMs,
}

/// What the room knew at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When.
    pub at: UnixMs,
    /// Each zone.
    pub zones: Vec<ZoneSample>,
    /// The producer.
    pub producer: ProducerSample,
}

/// A zone at one moment. `None` is unknown (silent or stale), never zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZoneSample {
    /// Which.
    pub zone: ZoneName,
    /// Source or mirror.
    pub role: Role,
    /// Nodes that answer.
    pub nodes_up: u32,
    /// First and last sequence of its stream.
    pub first_seq: Option<u64>,
    /// Last sequence of its stream.
    pub last_seq: Option<u64>,
    /// Messages its stream holds.
    pub messages: Option<u64>,
    /// Its consumer's delivered sequence.
    pub delivered: Option<u64>,
    /// Its consumer's ack floor.
    pub ack_floor: Option<u64>,
    /// Distinct messages its consumer processed (the ledger's count, since the region's data began).
    pub received: u64,
    /// Messages acknowledged and not processed (the ledger's count). It is not `acked` less
    /// `received`: those also tell of messages that were never acknowledged, or came damaged.
    #[serde(default)]
    pub behind: Option<u64>,
    /// Messages a second its consumer processes.
    pub rate: f64,
    /// Its consumer is paused by a command.
    pub paused: bool,
    /// The mirror's true lag.
    pub true_lag: Option<u64>,
    /// What the server says the lag is.
    pub reported_lag: Option<u64>,
    /// Its mirror's state; `None` at the source.
    pub mirror: Option<MirrorState>,
    /// Its link's state; `None` at the source.
    pub link: Option<LinkState>,
    /// A cut is proved at both ends.
    pub cut_effective: bool,
    /// Leafnode connections its nodes have.
    pub leafs_here: Option<u32>,
    /// Leafnode connections the source's nodes have from it.
    pub leafs_there: Option<u32>,
    /// The clock of the last heal: link up, moving, caught up, in milliseconds after it.
    pub recovery: Option<RecoverySample>,
}

/// The recovery clock at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoverySample {
    /// When the heal was commanded.
    pub healed_ms: UnixMs,
    /// Messages missing at that moment.
    pub behind: Option<u64>,
    /// Heal → link up.
    pub link_up_after_ms: Option<u64>,
    /// Heal → first new message.
    pub moving_after_ms: Option<u64>,
    /// Heal → true lag zero.
    pub caught_up_after_ms: Option<u64>,
    /// The mirror's leader was asked to step down.
    pub nudged: bool,
}

/// The producer at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProducerSample {
    /// Acknowledged since the region's data began.
    pub acked: u64,
    /// Refused.
    pub failed: u64,
    /// Of unknown outcome.
    pub unknown: u64,
    /// A produce runs.
    pub active: bool,
    /// Acknowledged a second.
    pub rate: f64,
    /// The server's number of its connection.
    pub connection: Option<u64>,
    /// The server it is connected to, by its unique id.
    pub server_id: Option<String>,
    /// How often it reconnected.
    pub reconnects: u64,
    /// A hash over everything it is configured with (servers, user, stream, subject).
    pub config_hash: Option<String>,
    /// The domain that acknowledged last.
    pub acked_by: Option<String>,
}
