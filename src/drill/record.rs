//! The record of a drill's run: what was done, what was seen, when. One JSON object a line, written
//! as it happens; every verdict is computed from it.

mod legacy;

use serde::{Deserialize, Serialize};

use super::told::Told;
use crate::{
    command::{DrillOptions, Sabotage},
    region::{
        NodeName, PlatformKind, Status, UnixMs, ZoneName,
        observation::ServerFacts,
        reduce::FRESH_MS,
        status::{Node, Zone},
        topology::{CopyKind, MirrorKind},
    },
};

/// The version of this format. Format 1 told latencies by the lower ends of wide buckets, and had
/// neither paces nor a monotonic clock; up to format 2 a sample was a row of numbers a zone.
pub const FORMAT: u32 = 3;

/// A line of a drill's record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "kebab-case")]
pub enum Entry {
    /// The first line: what is drilled, and on what.
    Begin(Box<Begin>),
    /// A step of the script began.
    Step {
        index: usize,
        title: String,
        at: UnixMs,
    },
    StepDone {
        index: usize,
        /// All its commands succeeded and its waits were met.
        ok: bool,
        /// What failed, if something did.
        why: Option<String>,
        at: UnixMs,
    },
    /// A span of time got a name ("before", "during", "after"); the one before it ends here.
    Phase {
        name: String,
        at: UnixMs,
    },
    /// The drill gave a command.
    Given {
        /// Counted from 1 within the drill; the answer carries it.
        id: u64,
        /// In the words of the command language.
        line: String,
        at: UnixMs,
    },
    Answered {
        id: u64,
        outcome: CommandOutcome,
        text: String,
        /// The same for a machine (of a produce: `producer`, `first_number`, `sent`,
        /// `acked`, `last_seq`, …).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<serde_json::Value>,
        at: UnixMs,
    },
    Waited {
        /// The condition, in its own words.
        condition: String,
        /// It came true in time.
        met: bool,
        /// What was seen at the end, as text.
        seen: String,
        /// How long it took.
        took_ms: u64,
        at: UnixMs,
    },
    /// What the room knew at one moment: whenever it changed, several times a second.
    Sample(Box<Sample>),
    /// What the servers say about themselves: at the beginning, at the end, around a zone's coming.
    Servers {
        /// Each node that answered.
        nodes: Vec<ServerFacts>,
        at: UnixMs,
    },
    /// How long the messages that were acknowledged in one phase took from their acknowledgement to
    /// their first processing in a zone.
    Latency {
        zone: ZoneName,
        phase: String,
        /// Counts by microseconds: `[upper end, count]`, ascending. In format 1: the lower end.
        buckets: Vec<(u64, u64)>,
        /// Messages that were processed before their acknowledgement reached the producer (counted
        /// as zero).
        before_ack: u64,
        /// Messages that were processed too late to be measured.
        #[serde(default)]
        missed: u64,
        /// Messages that the source acknowledged in that phase. Unknown in format 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        acked: Option<u64>,
    },
    /// How steadily a zone's consumer worked in one phase.
    Pace {
        zone: ZoneName,
        phase: String,
        /// Messages processed for the first time.
        processed: u64,
        /// From the phase's beginning, or the consumer's last resumption in it, to the last
        /// processing.
        worked_us: u64,
        /// The longest time without a processing before that.
        longest_pause_us: u64,
    },
    /// Deliveries of a zone's consumer that came to somebody else, as the server's count of them
    /// shows; seen since the last such entry.
    Elsewhere {
        zone: ZoneName,
        count: u64,
    },
    /// A stream was read from end to end; its content is in a file of its own.
    Stream {
        zone: ZoneName,
        /// The replica that was read.
        replica: NodeName,
        /// The file, relative to this record's folder.
        file: String,
        messages: u64,
        /// The first and last sequence.
        ends: Option<(u64, u64)>,
        /// The last sequence of its zone as the stream's leader said before it was read: what comes
        /// while it is read is nobody's to miss. Older records do not hold it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        through: Option<u64>,
        at: UnixMs,
    },
    /// What the leaders of a zone's stream and consumer said at the end, beside the sample after it.
    Told {
        zone: ZoneName,
        figures: Told,
        at: UnixMs,
    },
    /// A replica could not be read.
    Unread {
        zone: ZoneName,
        replica: NodeName,
        why: String,
        at: UnixMs,
    },
    /// A deliberate fault was put in.
    Sabotaged {
        kind: Sabotage,
        /// What was done, in a sentence.
        what: String,
        at: UnixMs,
    },
    /// The drill was ended before its time.
    Interrupted {
        /// By whom or what.
        why: String,
        at: UnixMs,
    },
    End {
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
            Self::Latency { .. } | Self::Pace { .. } | Self::Elsewhere { .. } => None,
            Self::Step { at, .. }
            | Self::StepDone { at, .. }
            | Self::Phase { at, .. }
            | Self::Given { at, .. }
            | Self::Answered { at, .. }
            | Self::Waited { at, .. }
            | Self::Servers { at, .. }
            | Self::Stream { at, .. }
            | Self::Told { at, .. }
            | Self::Unread { at, .. }
            | Self::Sabotaged { at, .. }
            | Self::Interrupted { at, .. }
            | Self::End { at } => Some(*at),
        }
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommandOutcome {
    Done,
    Broken,
    Void,
    Refused,
    /// The program failed while it carried the command out.
    Crashed,
}

impl CommandOutcome {
    /// The word shown and printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Broken => "broken",
            Self::Void => "void",
            Self::Refused => "refused",
            Self::Crashed => "crashed",
        }
    }
}

/// What is drilled, and on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    pub format: u32,
    pub zonedrill: String,
    pub drill: String,
    /// The script as it was run, as text: the verdict's rules are in it.
    pub script: String,
    /// How many times the original plan's numbers.
    pub scale: u64,
    /// The deliberate fault, if one.
    pub sabotage: Option<Sabotage>,
    /// What had to hold once before it was put in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    #[serde(flatten)]
    pub options: DrillOptions,
    /// The ledger's run id.
    pub run: String,
    /// What an earlier drill damaged on purpose in the same data: `lose in 1-cut`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damaged: Option<String>,
    pub region: String,
    pub platform: String,
    pub server_version: String,
    pub mirror_kind: MirrorKind,
    #[serde(default)]
    pub copy_kind: CopyKind,
    pub source: ZoneName,
    /// The zone the drill cuts, watches, compares.
    pub mirror: ZoneName,
    /// The server that led the mirror's stream when the drill began, where the script names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<NodeName>,
    /// The zone the drill adds, if it adds one.
    pub new_zone: Option<ZoneName>,
    /// Who gave the command.
    pub actor: String,
    /// The conclusions that what was done by hand is judged for; empty of a script's run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_hand: Vec<u8>,
    pub at: UnixMs,
}

impl Begin {
    /// Somebody else runs the region: its servers are not seen.
    #[must_use]
    pub fn is_external(&self) -> bool {
        self.platform == PlatformKind::External.as_str()
    }
}

/// What the room knew at one moment: what it was too late to know is unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "legacy::AnySample")]
pub struct Sample {
    pub at: UnixMs,
    /// The room's monotonic clock, in milliseconds since some moment: beside `at` it shows that the
    /// wall clock was set or the machine was suspended. Unknown in format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mono_ms: Option<u64>,
    /// Without what is no observation of the region: histories, tasks, screens, other drills.
    pub status: Status,
}

impl Sample {
    /// What a picture tells about its moment.
    #[must_use]
    pub fn of(status: &Status) -> Self {
        let fresh = |told: UnixMs| status.at_ms.saturating_sub(told) < FRESH_MS;
        let zones = status.zones.iter().map(|zone| {
            let nodes = zone.nodes.iter().map(|node| Node { container: None, ..node.clone() });
            let stream = zone.stream.clone().filter(|stream| fresh(stream.told_at_ms));
            let consumer = zone.consumer.clone().map(|mut consumer| {
                if !consumer.told_at_ms.is_some_and(fresh) {
                    consumer.forget_numbers();
                }
                consumer
            });
            let (lag_history, past) = Default::default();
            Zone { nodes: nodes.collect(), stream, consumer, lag_history, past, ..zone.clone() }
        });
        let seen = Status {
            region: status.region.clone(),
            platform: status.platform,
            server_version: status.server_version.clone(),
            mirror_kind: status.mirror_kind,
            copy_kind: status.copy_kind,
            phase: status.phase,
            started_at_ms: status.started_at_ms,
            at_ms: status.at_ms,
            zones: zones.collect(),
            producer: status.producer.clone(),
            ..Status::default()
        };
        Self { at: status.at_ms, mono_ms: None, status: seen }
    }

    /// The zone of that name.
    #[must_use]
    pub fn zone(&self, name: &ZoneName) -> Option<&Zone> {
        self.status.zone(name)
    }

    /// Messages acknowledged since the region's data began.
    #[must_use]
    pub fn acked(&self) -> u64 {
        self.status.producer.acked
    }
}
