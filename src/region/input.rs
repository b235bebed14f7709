//! What changes the picture of a region: every fact, told as plain data. Nothing else does.
//!
//! The room keeps its inputs in `history.jsonl` (see [`super::history`]): the same inputs, applied
//! again, make the same pictures.

use serde::{Deserialize, Serialize};

use super::{
    Status, UnixMs,
    condition::LinkCondition,
    event::EventKind,
    keeping::Keeping,
    names::ZoneName,
    observation::{Consuming, Observation},
    reduce::Offenders,
    status::{Audit, Drill, Ledger, Pause, Phase, Producer, Screen, Task, Verdict},
    topology::{CopyKind, CutKind, MirrorKind, Role, ZonePlan},
};

/// One input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// A second has passed.
    Tick,
    /// A watcher's fact.
    Observed(Observation),
    /// What the region as a whole is doing now.
    Phase(Phase),
    /// The bring-up failed, and its zones are gone again.
    BringUpFailed {
        zones: Vec<ZoneName>,
        /// Says also what to do.
        why: String,
    },
    /// Which servers there are, and so how mirrors pull.
    Servers {
        version: String,
        mirror_kind: MirrorKind,
        #[serde(default)]
        copy_kind: CopyKind,
    },
    StepStarted {
        title: String,
    },
    StepDetail {
        title: String,
        detail: String,
    },
    StepDone {
        title: String,
        took_ms: u64,
    },
    StepFailed {
        title: String,
        why: String,
    },
    ZoneAdded(ZonePlan),
    ZoneReady(ZoneName),
    /// A zone takes part otherwise.
    RoleTaken {
        zone: ZoneName,
        role: Role,
    },
    /// A zone's stream is another one from now on: what was told of it before says nothing any more.
    BegunAnew(ZoneName),
    /// Its stream keeps messages otherwise.
    Keeping {
        zone: ZoneName,
        keeping: Keeping,
    },
    /// A zone's copy was made a stream of its own, as histories of before 0.3 tell it.
    Promoted(ZoneName),
    ZoneRemoving(ZoneName),
    ZoneRemoved(ZoneName),
    /// A long command began.
    TaskStarted(Task),
    TaskProgress {
        id: u64,
        progress: String,
    },
    TaskEnded {
        id: u64,
    },
    /// A user's mark.
    Mark {
        text: String,
    },
    /// What the producers are doing.
    Producing(Producing),
    /// The domain that acknowledged last.
    AckedBy {
        domain: String,
    },
    /// What the ledger says of all producers, and of the zones whose accounts have changed.
    Accounts {
        produced: Produced,
        zones: Vec<ZoneAccount>,
    },
    /// A zone's streams were read, and this was wrong.
    Audited {
        zone: ZoneName,
        audit: Audit,
    },
    /// What the room does with a zone's consumer.
    Consuming {
        zone: ZoneName,
        does: Consuming,
    },
    /// The screens attached now.
    Screens(Vec<Screen>),
    /// A cut was commanded.
    CutBegun {
        zone: ZoneName,
        kind: CutKind,
        /// It heals by itself after so many milliseconds.
        heals_after_ms: Option<u64>,
    },
    /// It could not be made.
    CutFailed {
        zone: ZoneName,
    },
    /// The link carries nothing any more.
    Severed {
        zone: ZoneName,
        /// Milliseconds from the command.
        after_ms: u64,
    },
    /// Both ends were seen without a leafnode connection.
    CutProved {
        zone: ZoneName,
        /// Milliseconds from the command.
        after_ms: u64,
    },
    /// A link is to be worse than whole.
    ImpairBegun {
        zone: ZoneName,
        condition: LinkCondition,
        /// It heals by itself after so many milliseconds.
        heals_after_ms: Option<u64>,
    },
    /// Its carrier has it so, or could not: then it is as it was before.
    Impaired {
        zone: ZoneName,
        /// Milliseconds from the command.
        after_ms: u64,
    },
    ImpairFailed {
        zone: ZoneName,
        /// What the link is like.
        condition: Option<LinkCondition>,
    },
    /// A heal was commanded.
    HealBegun {
        zone: ZoneName,
        /// The highest sequence the source has acknowledged.
        acked: Option<u64>,
    },
    /// It could not be made: the link is cut as it was, as far as it can be told.
    HealFailed {
        zone: ZoneName,
        kind: CutKind,
    },
    /// The mirror's leader was asked to step down to hurry it.
    Nudged {
        zone: ZoneName,
    },
    /// The drill that runs, as it stands now, or the last one.
    Drill(Box<Drill>),
    /// A presented drill waits, or goes on.
    DrillWaits(Option<Pause>),
    /// Nothing is queued behind the drill any more.
    DrillQueueEmptied,
    /// Where the evidence bundle is.
    DrillBundle {
        folder: String,
    },
    /// What has been shown about a conclusion.
    Concluded(Concluded),
    /// What is done by hand, and judged by no drill, amounts to so far.
    Watched(Vec<Concluded>),
    /// A picture as a drill's record of format 1 or 2 holds it.
    Recorded(Box<Status>),
    /// Lines for the log alone.
    Said(Vec<EventKind>),
}

/// What the producers are doing, as the room knows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Producing {
    /// Which run: `p3 101..200 every 100ms`.
    pub running: Vec<String>,
    /// The highest message number used.
    pub last_number: u64,
    /// Messages a second acknowledged since this was last measured; `None` for not measured now.
    pub rate: Option<f64>,
    /// How it is connected; `None` where no producer is.
    pub connection: Option<Connection>,
    /// The domain that acknowledged last, where one is known.
    pub acked_by: Option<String>,
    /// Why nothing can be published just now.
    pub trouble: Option<String>,
}

/// How the producer is connected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The server-side id of the connection.
    pub id: u64,
    /// How often it was made anew.
    pub reconnects: u64,
    /// The server at its other end, by its unique id.
    pub server_id: Option<String>,
    /// A hash over everything the producer is configured with.
    pub config_hash: String,
    /// The zone that it leads to.
    #[serde(default)]
    pub zone: Option<ZoneName>,
}

impl Connection {
    /// Shows it.
    pub fn put(self, shown: &mut Producer) {
        shown.connection = Some(self.id);
        shown.reconnects = self.reconnects;
        shown.server_id = self.server_id;
        shown.config_hash = Some(self.config_hash);
        shown.zone = self.zone;
    }
}

/// What the ledger says of all producers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Produced {
    pub acked: u64,
    pub failed: u64,
    pub unknown: u64,
    /// See `Producer::baseline`.
    #[serde(default)]
    pub baseline: u64,
}

/// A zone's account of messages, and the first sequences behind each count that must be zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZoneAccount {
    pub zone: ZoneName,
    pub ledger: Ledger,
    pub offenders: Offenders,
}

/// What has been shown about a conclusion, by the name of its drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concluded {
    pub name: String,
    pub verdict: Verdict,
    pub evidence: String,
}

impl Input {
    /// One line for the log alone.
    #[must_use]
    pub fn note(severity: super::Severity, text: impl Into<String>) -> Self {
        Self::Said(vec![EventKind::Note { severity, text: text.into() }])
    }
}

/// An input, when it came, and by whose hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    pub at: UnixMs,
    /// `None` for the room itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<super::Actor>,
    pub input: Input,
}
