//! What happened, to what, by whose hand: the lines of the log, of `events.jsonl`, of the audit.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    UnixMs,
    actor::{Actor, Person},
    format::seconds,
    names::{NodeName, ZoneName},
    status::{Foreign, LinkState, MirrorState, NodeState, Verdict},
};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Counted from 1 by the room.
    pub id: u64,
    pub at_ms: UnixMs,
    pub actor: Actor,
    #[serde(flatten)]
    pub kind: EventKind,
}

words! {
    /// How much an event asks for attention.
    #[derive(PartialOrd, Ord)]
    pub enum Severity {
        Info = "info",
        /// Something stopped or is missing, perhaps on purpose.
        Warn = "warn",
        Error = "error",
    }
}

words! {
    /// What people do about control, and what happens to their places.
    pub enum SeatAct {
        Asks = "asks",
        Grants = "grants",
        Refuses = "refuses",
        /// Asked, and was not answered.
        Unanswered = "unanswered",
        /// Has control, as nobody else has it any more.
        Drives = "drives",
        Releases = "releases",
        /// The owner, without asking.
        Takes = "takes",
        /// The owner, so that no guest gets it.
        Holds = "holds",
        Frees = "frees",
        /// The connection, without a word.
        Lost = "lost",
        /// The terminal does not answer.
        Silent = "silent",
        Answers = "answers",
        Removed = "removed",
    }
}

impl SeatAct {
    fn write(
        self,
        f: &mut fmt::Formatter<'_>,
        who: &Person,
        other: Option<&Person>,
    ) -> fmt::Result {
        let nobody = Person { name: "nobody".into(), ..Person::default() };
        let then = other.unwrap_or(&nobody);
        match self {
            Self::Asks => write!(f, "{who} asks for control"),
            Self::Grants => write!(f, "{who} gave control to {then}"),
            Self::Refuses => write!(f, "{who} refused control to {then}"),
            Self::Unanswered => write!(f, "no answer: {who} does not get control"),
            Self::Drives => write!(f, "{who} drives after {then}"),
            Self::Releases => write!(f, "{who} drives no longer; nobody does"),
            Self::Takes => write!(f, "{who} took control from {then}"),
            Self::Holds => write!(f, "{who} holds control: no guest gets it"),
            Self::Frees => write!(f, "{who} holds control no longer"),
            Self::Lost => write!(f, "{who}: the connection is lost"),
            Self::Silent => write!(f, "{who}: the terminal does not answer"),
            Self::Answers => write!(f, "{who}: the terminal answers again"),
            Self::Removed => write!(f, "{who} removed {then}"),
        }
    }
}

/// What happened. Each prints as one sentence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventKind {
    /// A command was accepted.
    CommandGiven {
        /// In the words of the command language.
        command: String,
    },
    /// A command ended well.
    CommandDone {
        /// In the words of the command language.
        command: String,
        /// Its result in a sentence.
        said: String,
        /// How long it took.
        took_ms: u64,
    },
    /// A command was refused or failed; nothing half-done stays.
    CommandFailed {
        /// In the words of the command language.
        command: String,
        /// Why, and what to do next.
        why: String,
    },
    /// A step of a bring-up ended.
    StepDone {
        title: String,
        /// How long it took.
        took_ms: u64,
    },
    /// A node changed its state.
    NodeChanged {
        node: NodeName,
        /// What it was doing.
        from: NodeState,
        /// What it does now.
        to: NodeState,
    },
    /// A raft group has another leader.
    LeaderChanged {
        zone: ZoneName,
        /// `meta`, `stream` or `consumer`.
        group: String,
        /// The new leader; `None` for none.
        leader: Option<String>,
    },
    /// A link's relay stopped carrying traffic.
    LinkSevered {
        /// The zone cut off.
        zone: ZoneName,
        /// Milliseconds from the command.
        after_ms: u64,
    },
    /// Both ends were seen without a leafnode connection.
    CutEffective {
        /// The zone cut off.
        zone: ZoneName,
        /// Milliseconds from the command.
        after_ms: u64,
    },
    /// A link changed its state.
    LinkChanged {
        /// The zone at its far end.
        zone: ZoneName,
        /// What it is now.
        to: LinkState,
    },
    /// A mirror changed its state.
    MirrorChanged {
        zone: ZoneName,
        /// What it was doing.
        from: MirrorState,
        /// What it does now.
        to: MirrorState,
    },
    /// A mirror has caught up after a heal.
    Recovered {
        zone: ZoneName,
        /// Heal → link up.
        link_up_ms: u64,
        /// Heal → first new message; `None` if nothing was missing.
        moving_ms: Option<u64>,
        /// Heal → true lag zero.
        caught_up_ms: u64,
    },
    /// The ledger found something that must not be.
    LedgerAlarm {
        zone: ZoneName,
        /// What: "lost", "duplicate", "reordered", "corrupt", "unexpected".
        what: String,
        /// How many there are now.
        count: u64,
        /// The first of them, by stream sequence.
        first: Vec<u64>,
    },
    DrillBegan {
        drill: String,
        /// The deliberate fault, if one.
        sabotage: Option<String>,
    },
    /// A step of a drill began.
    DrillStep {
        drill: String,
        number: usize,
        title: String,
    },
    DrillEnded {
        drill: String,
        verdict: Verdict,
        evidence: String,
    },
    ScreenAttached {
        #[serde(flatten)]
        person: Person,
        drives: bool,
    },
    ScreenLeft {
        #[serde(flatten)]
        person: Person,
    },
    /// What became of control, or of a place.
    Seat {
        did: SeatAct,
        #[serde(flatten)]
        person: Person,
        /// The one it was done to, or who drove before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        other: Option<Person>,
    },
    Mark {
        text: String,
    },
    /// Somebody who is nobody of the region connected to a server.
    Foreign {
        who: Foreign,
    },
    /// Anything else worth a line.
    Note {
        /// How much attention it asks for.
        severity: Severity,
        text: String,
    },
}

impl EventKind {
    /// How much attention the event asks for.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::CommandFailed { .. } | Self::LedgerAlarm { .. } => Severity::Error,
            Self::NodeChanged { to, .. } => match to {
                NodeState::Up | NodeState::Starting => Severity::Info,
                NodeState::JsOff => Severity::Error,
                NodeState::Leaving
                | NodeState::Silent
                | NodeState::Frozen
                | NodeState::Stopped
                | NodeState::Dead => Severity::Warn,
            },
            Self::LinkSevered { .. }
            | Self::CutEffective { .. }
            | Self::LeaderChanged { leader: None, .. } => Severity::Warn,
            Self::LinkChanged { to, .. } => {
                if *to == LinkState::Up {
                    Severity::Info
                } else {
                    Severity::Warn
                }
            }
            Self::MirrorChanged { to, .. } => match to {
                MirrorState::Streaming | MirrorState::CatchingUp => Severity::Info,
                MirrorState::Diverged => Severity::Error,
                _ => Severity::Warn,
            },
            Self::DrillEnded { verdict, .. } => match verdict {
                Verdict::Broken => Severity::Error,
                Verdict::Void => Severity::Warn,
                _ => Severity::Info,
            },
            Self::Note { severity, .. } => *severity,
            Self::Foreign { who } if !who.looks => Severity::Warn,
            Self::Seat { did: SeatAct::Lost | SeatAct::Silent | SeatAct::Removed, .. } => {
                Severity::Warn
            }
            _ => Severity::Info,
        }
    }

    /// The zone the event concerns, if one: the log can be filtered by it.
    #[must_use]
    pub fn zone(&self) -> Option<&ZoneName> {
        match self {
            Self::NodeChanged { node, .. } | Self::Foreign { who: Foreign { node, .. } } => {
                Some(&node.zone)
            }
            Self::LeaderChanged { zone, .. }
            | Self::LinkSevered { zone, .. }
            | Self::CutEffective { zone, .. }
            | Self::LinkChanged { zone, .. }
            | Self::MirrorChanged { zone, .. }
            | Self::Recovered { zone, .. }
            | Self::LedgerAlarm { zone, .. } => Some(zone),
            _ => None,
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandGiven { command } => write!(f, "> {command}"),
            Self::CommandDone { command, said, took_ms } => {
                write!(f, "{command}: {said} ({})", seconds(*took_ms))
            }
            Self::CommandFailed { command, why } => write!(f, "{command}: {why}"),
            Self::StepDone { title, took_ms } => {
                write!(f, "{title}: done in {}", seconds(*took_ms))
            }
            Self::NodeChanged { node, from, to } => {
                write!(f, "{node} is {} (was {})", to.as_str(), from.as_str())
            }
            Self::LeaderChanged { zone, group, leader: Some(leader) } => {
                write!(f, "zone {zone}: {leader} leads the {group}")
            }
            Self::LeaderChanged { zone, group, leader: None } => {
                write!(f, "zone {zone}: nobody leads the {group}")
            }
            Self::LinkSevered { zone, after_ms } => {
                write!(f, "link to {zone}: severed {after_ms} ms after the command")
            }
            Self::CutEffective { zone, after_ms } => write!(
                f,
                "link to {zone}: the cut is effective, no leafnode at either end ({after_ms} ms after the command)"
            ),
            Self::LinkChanged { zone, to } => write!(f, "link to {zone} is {}", to.as_str()),
            Self::MirrorChanged { zone, from, to } => {
                write!(f, "mirror {zone} is {} (was {})", to.as_str(), from.as_str())
            }
            Self::Recovered { zone, link_up_ms, moving_ms, caught_up_ms } => {
                write!(
                    f,
                    "mirror {zone} caught up {} after the heal (link up {}",
                    seconds(*caught_up_ms),
                    seconds(*link_up_ms)
                )?;
                match moving_ms {
                    Some(ms) => write!(f, ", moving {})", seconds(*ms)),
                    None => write!(f, ", nothing was missing)"),
                }
            }
            Self::LedgerAlarm { zone, what, count, first } => {
                write!(f, "ledger {zone}: {count} {what}, first at sequence {first:?}")
            }
            Self::DrillBegan { drill, sabotage: None } => write!(f, "drill {drill} began"),
            Self::DrillBegan { drill, sabotage: Some(kind) } => {
                write!(f, "drill {drill} began, sabotaged: {kind}")
            }
            Self::DrillStep { drill, number, title } => {
                write!(f, "drill {drill}, step {number}: {title}")
            }
            Self::DrillEnded { drill, verdict, evidence } => {
                write!(f, "drill {drill} {}: {evidence}", verdict.as_str())
            }
            Self::ScreenAttached { person, drives } => {
                write!(f, "{person} attached{}", if *drives { "" } else { " to observe" })
            }
            Self::ScreenLeft { person } => write!(f, "{person} left"),
            Self::Seat { did, person, other } => did.write(f, person, other.as_ref()),
            Self::Mark { text } => write!(f, "mark: {text}"),
            Self::Foreign { who } if who.looks => write!(f, "{who}"),
            Self::Foreign { who } => write!(f, "somebody else's hand: {who}"),
            Self::Note { text, .. } => f.write_str(text),
        }
    }
}
