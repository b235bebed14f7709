//! Everything that can be done to a region, as one type with one text form.
//!
//! Keys, the palette, another shell, a drill script and the audit log all speak it. Pure: a
//! command says what is wanted; the room does it.
//!
//! | file | what is inside |
//! |---|---|
//! | [`grammar`] | text to [`Command`] and back: the verbs, and what is refused |
//! | `produce`, `drill`, `matrix`, `search`, `impair`, `keep` | the large families of verbs, each with its words and how they are written |
//! | `effects` | what a command does to the region and its people: who may give it, what it disturbs |
//! | [`inspect`] | what can be looked at, as the servers tell it |
//! | [`recording`] | words for recording a screen, and for handing over who drives |
//! | [`wind`] | words for winding a past drill that is shown again |
//! | `spelling` | paths, flags and quotes, and why a line is no command |
//! | [`units`] | durations, rates and sizes |
//! | [`complete`] | what can come next in a line |
//! | [`keys`] | which key gives which line |

pub mod complete;
mod drill;
mod effects;
pub mod grammar;
mod impair;
pub mod inspect;
mod keep;
pub mod keys;
mod matrix;
mod node;
mod produce;
pub mod recording;
mod search;
mod spelling;
pub mod units;
pub mod wind;
mod within;

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

pub(crate) use self::spelling::{is_unruly, readable};
pub use self::{
    drill::{Drill, DrillOptions, DrillRun, Sabotage},
    impair::Impair,
    inspect::Inspect,
    keep::{Keep, Most},
    matrix::{DrillMatrix, parse_version},
    node::{Group, NodeAct},
    produce::Produce,
    recording::{CastFormat, Control, Record, ScreenSize},
    search::{DrillSearch, Family},
    spelling::ParseError,
    units::{Extent, Point, Rate, Size},
    wind::Wind,
};
pub use crate::region::topology::{CutKind, MirrorKind};
use crate::region::{NodeName, ZoneName};

/// One thing to do. [`std::fmt::Display`] and [`std::str::FromStr`] are each other's inverse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Command {
    /// Bring the region up (again).
    Up,
    /// End the region and its room.
    Down {
        /// Remove the data as well.
        purge: bool,
    },
    /// Print the state. Changes nothing.
    Status {
        json: bool,
        /// Again whenever it changes.
        watch: bool,
        /// The JSON schema of the document instead.
        schema: bool,
    },
    /// Examine the machine and the region. Changes nothing.
    Doctor,
    Produce(Produce),
    /// Cut the link between a zone and the source.
    Cut {
        zone: ZoneName,
        /// In what way; the platform's usual way if none.
        kind: Option<CutKind>,
        /// Heal by itself after this long.
        heal_after: Option<Duration>,
    },
    /// Make the link between a zone and the source worse than whole.
    Impair {
        zone: ZoneName,
        what: Impair,
        /// Heal by itself after this long.
        heal_after: Option<Duration>,
    },
    Heal {
        /// Which; `None` for all.
        zone: Option<ZoneName>,
    },
    ZoneAdd {
        /// Its name; the next free letter if none.
        zone: Option<ZoneName>,
    },
    /// Remove a mirror zone, its data, and its durable at the source.
    ZoneRemove {
        zone: ZoneName,
        /// Also if it alone holds messages.
        force: bool,
    },
    /// Stop consuming in a zone.
    ConsumerPause {
        zone: ZoneName,
    },
    /// Go on consuming in a zone.
    ConsumerResume {
        zone: ZoneName,
    },
    /// Hold a zone's consumer to a rate.
    ConsumerRate {
        zone: ZoneName,
        /// Messages per time; `None` lifts the limit.
        rate: Option<Rate>,
    },
    /// Do something to a node.
    Node {
        act: NodeAct,
        node: NodeName,
    },
    /// Make a raft group elect another leader.
    Stepdown {
        zone: ZoneName,
        group: Group,
    },
    /// Hurry a mirror that waits: its leader steps down.
    Nudge {
        zone: ZoneName,
    },
    /// Mend what differs from how it was made: streams, mirrors, consumers.
    Repair {
        /// Which zone; `None` for all.
        zone: Option<ZoneName>,
        /// Also where messages are removed with it that no other zone is known to hold.
        force: bool,
    },
    /// Make a zone's copy a stream that producers can write to.
    Promote {
        zone: ZoneName,
        /// Restart a node and let it lead, so that the stream knows the ids it holds.
        rebuild_dedup: bool,
        /// Also while the source takes messages.
        force: bool,
        /// The producer publishes there then.
        follow: bool,
    },
    /// Make a zone's stream take no messages.
    Fence {
        zone: ZoneName,
        /// Also the only one that takes messages, and the one that is produced into.
        force: bool,
    },
    /// Publish what only a fenced zone holds in the zone that takes messages.
    Salvage {
        zone: ZoneName,
    },
    /// Make a fenced zone a copy again.
    Failback {
        zone: ZoneName,
        /// Also where it holds messages without an id, which go with its stream.
        force: bool,
    },
    /// Start servers as another version from now on; those that run stay as they are.
    Upgrade {
        /// `2.15.1`; if none, the version stays and is told.
        version: Option<String>,
    },
    /// Change how long the stream that takes messages keeps them.
    Stream(Keep),
    /// Fence the zone that takes messages, and let this one take them.
    Switchover {
        zone: ZoneName,
    },
    /// Publish into another zone from now on.
    ProducerMove {
        zone: ZoneName,
        /// How many acknowledged messages are sent again there.
        resend: u64,
    },
    /// Account for every message.
    Verify {
        /// In one zone; `None` for all.
        zone: Option<ZoneName>,
        json: bool,
        /// Of a region that somebody else runs: which part.
        extent: Extent,
    },
    /// Show a thing as the servers tell it. Changes nothing.
    Inspect(Inspect),
    /// Put a mark on the timeline and into the log.
    Mark {
        text: String,
    },
    /// Run, list, stop or step a drill.
    Drill(Drill),
    /// Write the evidence bundle of the last drills again, elsewhere.
    Report {
        /// Into this folder; a new one of its own if none.
        folder: Option<PathBuf>,
    },
    /// Record what a screen shows.
    Record(Record),
    /// Ask for control, give it, refuse it, give it up, take it, hold it.
    Control(Control),
    /// Remove somebody from the room.
    Kick {
        /// As the others see them.
        name: String,
    },
    /// Wind a past drill that is shown again.
    Wind(Wind),
}

impl Command {
    /// The zone it names that must be there already.
    #[must_use]
    pub fn zone(&self) -> Option<&ZoneName> {
        match self {
            Self::Cut { zone, .. }
            | Self::Impair { zone, .. }
            | Self::ZoneRemove { zone, .. }
            | Self::ConsumerPause { zone }
            | Self::ConsumerResume { zone }
            | Self::ConsumerRate { zone, .. }
            | Self::Stepdown { zone, .. }
            | Self::Nudge { zone }
            | Self::ProducerMove { zone, .. }
            | Self::Fence { zone, .. }
            | Self::Salvage { zone }
            | Self::Failback { zone, .. }
            | Self::Switchover { zone }
            | Self::Promote { zone, .. } => Some(zone),
            Self::Node { node, .. } => Some(&node.zone),
            Self::Heal { zone } | Self::Repair { zone, .. } | Self::Verify { zone, .. } => {
                zone.as_ref()
            }
            Self::Inspect(what) => what.zone(),
            Self::Drill(Drill::Run(run)) => run.zone.as_ref(),
            _ => None,
        }
    }

    /// The command as others see it and as a recording keeps it: of a path only its last name, as where
    /// things lie on this machine is nobody's business.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut shown = self.clone();
        let path = match &mut shown {
            Self::Report { folder } => folder.as_mut(),
            Self::Drill(Drill::Run(run)) => run.report.as_mut(),
            Self::Drill(Drill::Matrix(matrix)) => matrix.out.as_mut(),
            Self::Drill(Drill::Search(search)) => search.out.as_mut(),
            Self::Record(Record::Start { file, .. }) => Some(file),
            _ => None,
        };
        if let Some(path) = path
            && let Some(name) = path.file_name()
        {
            *path = name.into();
        }
        shown.to_string()
    }
}
