//! Why a check found what it found, as types. `words` puts them into sentences; nothing
//! decides by those.

use serde::{Deserialize, Serialize};

use crate::{
    command::Sabotage,
    drill::{latency::Quantile, record::CommandOutcome, run::Contradiction},
    ledger::{damage::Damage, finding::fault::Fault},
    region::{CopyKind, MirrorKind, NodeName, ZoneName, condition::Feature},
};

/// What a finding says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
#[rustfmt::skip] // one line each: it is a table
pub enum Reason {
    // The run as a whole.
    NoBeginning,
    NoEnd,
    Interrupted { why: String },
    Contradiction { what: Contradiction },
    /// The script goes by a built-in drill's name and is not that drill.
    OtherScript { drill: String },
    /// The script claims a conclusion without a phase that it requires.
    PhaseMissing { conclusion: u8, phase: String },
    NothingProduced,
    /// Nothing was produced, and every expectation was met before the first step.
    NothingShown,
    LedgerDiffers { producer: u32, reported: u64, known: u64 },
    CheckCrashed,
    SabotageUnnoticed { kind: Sabotage },
    /// The sabotage waited for what never held.
    SabotageNeverDue {
        kind: Sabotage,
        when: String,
    },
    NoCheck,

    // The script.
    StepNeverBegan { step: usize, title: String },
    StepFailed { step: usize, title: String, why: Option<String> },
    StepNeverEnded { step: usize, title: String },
    PhaseOutOfTurn { phase: String },
    NotGiven { line: String },
    NeverAnswered { line: String },
    CommandFailed { line: String, outcome: CommandOutcome, text: String },
    WaitedInVain { condition: String, ms: u64, seen: String },
    NeverWaited { condition: String },
    Completed { steps: usize, waits: usize, commands: usize },
    DoneByHand { commands: usize },
    Expectation { condition: String, seen: String },

    // Somebody else.
    OtherHand { act: Act, zone: ZoneName },
    OtherProducer { producer: u32, count: u64 },
    SomebodyPublished { count: u64 },
    DeliveredElsewhere { zone: ZoneName, count: u64 },

    // Looking.
    NoPhase { phase: String, failed: Option<FailedStep> },
    PhaseNeverEnded { phase: String, failed: Option<FailedStep> },
    TooFewLooks { when: When, looks: usize, needed: usize },
    NobodyLooked { when: When, ms: u64, allowed_ms: u64 },
    ClockStepped { when: When, ms: u64 },
    Unknown { what: Unknown, zone: Option<ZoneName> },

    // The cut.
    NothingDuringCut { acked: u64, needed: u64 },
    Leaked { count: u64, of: u64, zone: ZoneName },
    CutNotEffective { after_ms: u64, zone: ZoneName, leafs: u32 },
    CutEnded { after_ms: u64, zone: ZoneName },
    CutNotProved { looks: usize, longest_ms: u64 },
    /// The copy's durable was paused; the link carried on.
    OnlyPaused { zone: ZoneName, missed: u64 },
    Severed { ms: u64, looks: usize, acked: u64, zone: ZoneName },

    // What else is asked of a link.
    NothingImpaired,
    ImpairmentNotMeasured { line: String, zone: ZoneName, missing: Vec<Feature> },
    ImpairmentLost { line: String, zone: ZoneName, after_ms: u64 },
    ImpairmentMeasured { line: String, zone: ZoneName, looks: usize, after_ms: u64, round_trip_us: Option<u64> },
    NoForecast { zone: ZoneName },
    NeverCleared { zone: ZoneName, behind: u64 },
    ForecastHeld { zone: ZoneName, held: bool, behind: u64, forecast_ms: u64, took_ms: u64 },

    // Servers that the drill suspended or ended.
    NoNodeDown,
    NotWiped,
    NothingHeld { zone: ZoneName },
    NotGone { zone: ZoneName },
    NotRebuilt { zone: ZoneName },
    Rebuilt { zone: ZoneName, held: u64, messages: u64, ms: u64 },
    RebuiltSource { zone: ZoneName, held: u64, messages: u64, ms: u64 },
    NodeNotDown { line: String, node: NodeName },
    NodeCameBack { line: String, node: NodeName, after_ms: u64 },
    NodeDown { line: String, node: NodeName, looks: usize, ms: u64 },
    NotRestarted { node: NodeName },
    OtherVersion { node: NodeName, version: String, wanted: String },
    NotUpgraded { zone: ZoneName, version: String },
    TwoAway { nodes: [NodeName; 2] },
    NothingMeanwhile { phase: String },
    Restarted { zone: ZoneName, servers: usize },
    Upgraded { zone: ZoneName, servers: usize, from: Vec<String>, to: String },
    TakenMeanwhile { acked: u64, gap_ms: u64 },

    // What is shown, beside what the servers say.
    NothingTold { zone: ZoneName },
    FigureDiffers { zone: ZoneName, figure: String, shown: Option<u64>, told: u64 },
    FiguresAgree { zone: ZoneName, count: usize },

    // Consumption.
    PausedDuringCut { zone: ZoneName },
    PausedThroughoutCut { zone: ZoneName },
    RateLimited { zone: ZoneName },
    NoBacklog { zone: ZoneName, backlog: u64, needed: u64 },
    InZone { source: ZoneName, processed: u64, acked: u64, mirror: ZoneName, drained: u64, backlog: u64 },
    NoProgress { zone: ZoneName, phase: String, count: u64, needed: u64 },
    Progress { zones: Vec<(ZoneName, Vec<(String, u64)>)> },
    Drained { zone: ZoneName, took_us: u64, pause_us: u64 },
    DrainedSlowly { zone: ZoneName, took_us: u64, limit_us: u64, pause_us: u64 },
    Stalled { zone: ZoneName, phase: String, pause_us: u64, limit_us: u64 },

    // Latency.
    NoLatency { zone: ZoneName, phase: String },
    TooFewMeasured { zone: ZoneName, phase: String, count: u64, needed: u64 },
    NotAllMeasured { zone: ZoneName, phase: String, measured: u64, acked: u64 },
    NoisyBaseline { zone: ZoneName, phase: String, p99: Quantile, longest: Quantile, limit_us: u64 },
    Latency { zone: ZoneName, disturbed: bool, phases: Vec<PhaseLatency>, p50_limit_us: u64, p99_limit_us: u64 },

    // Recovery.
    NotHealed { zone: ZoneName },
    NotTimed { zone: ZoneName },
    NothingMissed { zone: ZoneName, behind: u64, needed: u64 },
    Nudged { zone: ZoneName },
    NotRecovered { zone: ZoneName },
    Recovered { behind: u64, link_up_ms: u64, moving_ms: u64, caught_up_ms: u64, version: String, mirror: String, expected: String },

    // Independence.
    NotPaused { zone: ZoneName },
    NotResumed { zone: ZoneName },
    PauseDidNotPause { zone: ZoneName, processed: u64 },
    DidNotStayPaused { zone: ZoneName },
    NothingWaited { zone: ZoneName, waiting: u64, needed: u64 },
    HeldUp { zone: ZoneName, processed: u64, paused: ZoneName, held: Option<u64>, needed: u64 },
    FloorsTogether { most: u64 },
    FloorsNeverMet,
    Independent { paused: ZoneName, floor: u64, waiting: u64, zone: ZoneName, processed: u64, gap: u64, met: u64 },
    NeverBothAtWork,
    Speeds { finding: Speeds, ms: u64, one: ZoneName, ours: u64, other: ZoneName, theirs: u64 },

    // Growing.
    NotDecided { why: Box<Reason>, otherwise: Box<Reason> },
    NotJoined,
    ProducerChanged { what: ProducerFact, values: Vec<String> },
    OtherDomain { other: String, expected: String, count: Option<u64> },
    ProducerUnknown { when: Joining },
    ProducerIdle { when: Joining, count: u64, needed: u64 },
    ProducerStalled { ms: u64, limit_ms: u64 },
    ProducerUntouched { connection: String, before: u64, during: u64, after: u64, domain: String },
    ServerChanged { node: String, zone: ZoneName, restarted: bool },
    ServersUnknown { zone: ZoneName },
    ServersUntouched { zone: ZoneName, count: usize, durable: bool },
    NothingToBackfill { zone: ZoneName },
    BeginsLate { zone: ZoneName, first: u64, source: ZoneName, source_first: u64 },
    NotDone { zone: ZoneName, last: u64, source_last: u64, floor: u64 },
    BackfillIncomplete { zone: ZoneName, missing: u64, acked: u64 },
    BackfillTooLittle { zone: ZoneName, received: u64 },
    Backfilled { zone: ZoneName, first: u64, last: u64, source: ZoneName, before: u64, received: u64 },

    // The loss of the source.
    NotPromoted { zone: ZoneName },
    NotLost { zone: ZoneName },
    SourceBack { zone: ZoneName },
    NothingBeforeLoss { acked: u64, needed: u64 },
    AckedLost { zone: ZoneName, source: ZoneName, count: u64, of: u64, ids: Vec<String> },
    RecoveryPoint { zone: ZoneName, source: ZoneName, count: u64, ms: Option<u64>, ids: Vec<String> },
    NoFirstAck { zone: ZoneName },
    TookTooLong { zone: ZoneName, ms: u64, limit_ms: u64 },
    RecoveryTime { zone: ZoneName, total_ms: u64, detect_ms: u64, decide_ms: u64, promote_ms: u64, first_ack_ms: u64 },
    NotRetried { zone: ZoneName, resent: u64, held: u64, needed: u64 },
    StoredTwice { zone: ZoneName, count: u64, of: u64, ids: Vec<String>, copy: CopyKind, rebuilt: bool },
    RetriesKnown { zone: ZoneName, known: u64, resent: u64 },
    FloorUnknown { zone: ZoneName },
    FloorWentBack { zone: ZoneName, from: u64, to: u64 },
    FloorKept { zone: ZoneName, before: u64, lowest: u64, last: u64 },
    InOrder { zone: ZoneName, replicas: usize, messages: u64, acked: u64, late: u64 },

    // A source that deletes messages.
    NoLimit { zone: ZoneName },
    NoShortCut { zone: ZoneName, behind: u64, limit: u64 },
    NotBack { zone: ZoneName },
    Unsteady { before: u64, during: u64 },
    NothingDeleted { zone: ZoneName, behind: u64, limit: u64 },
    LacksOther { place: Place, first: u64, last: u64, count: u64, from: u64, to: u64 },
    LimitForecast { zone: ZoneName, source: ZoneName, held: bool, limit: u64, rate: u64, forecast_ms: u64, took_ms: u64, tolerance_ms: u64, behind: u64, lost: u64, first: u64, last: u64 },
    NoInterest { zone: ZoneName },
    NothingOfInterest { zone: ZoneName },
    NotConsumed { zone: ZoneName },
    HeldForCopy { zone: ZoneName, source: ZoneName, count: u64, ms: u64 },
    GoneForCopy { zone: ZoneName, source: ZoneName, gone: u64, of: u64, ms: u64, via: MirrorKind },

    // Messages.
    /// Reports of before had sentences instead of faults, which are not read again.
    Damaged { place: Place, #[serde(default)] faults: Vec<Fault> },
    NothingAcked { place: Place },
    NotDrained { zone: ZoneName },
    NotKnownReceived { zone: ZoneName, received: u64, acked: u64 },
    StillToCome { place: Place, count: u64 },
    /// The ledger's evidence is damaged, so that it cannot decide.
    EvidenceDamaged { place: Place, damage: Damage, affected: u64 },
    /// The stream cannot decide; `said` is its own reason.
    Undecided { place: Place, said: String },
    NoneLost { zone: ZoneName, acked: u64, redelivered: u64, processed_twice: u64 },
    Unread { replica: NodeName, why: Option<String> },
    ReadDiffers { replica: NodeName },
    NoReference { replica: NodeName },
    NoReplicas { zone: ZoneName },
    Identical { zone: ZoneName, replicas: usize, messages: u64, source: ZoneName, through: u64 },
}

/// A step that ended the run before its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedStep {
    /// Counted from 1.
    pub step: usize,
    pub why: Option<String>,
}

/// What somebody did to a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    Paused,
    Resumed,
    Cut,
    Healed,
}

/// The span that a check looks at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    Phase(String),
    Cut,
    Pause,
    Joining,
    Recovery,
    Failover,
}

/// What is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    HeldDuringCut,
    Backlog,
    ReceivedDuringCut,
    Received,
    MissingAtHeal,
    ZonesDuringPause,
    FloorDuringPause,
    HeldAtJoin,
    HeldAtEnd,
    Pace,
}

/// How different two speeds were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speeds {
    TooLittle,
    Alike,
    Different,
}

/// What of the producer changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProducerFact {
    Connection,
    Server,
    Configuration,
    Reconnects,
}

/// Beside the joining of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Joining {
    Before,
    While,
    After,
}

/// Where something was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    Zone(ZoneName),
    Replica(NodeName),
}

/// A zone's latency for the messages of one phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseLatency {
    pub phase: String,
    pub count: u64,
    /// Messages that were processed before their acknowledgement reached the producer.
    pub ahead: u64,
    pub p50: Quantile,
    pub p99: Quantile,
    pub longest: Quantile,
}

impl Place {
    /// The zone it is in.
    #[must_use]
    pub fn zone(&self) -> &ZoneName {
        match self {
            Self::Zone(zone) => zone,
            Self::Replica(node) => &node.zone,
        }
    }
}
