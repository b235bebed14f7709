//! `drill`: its words, what they mean, and how they are written.

use std::{fmt, path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use crate::region::{ZoneName, word::words};

use super::{
    DrillMatrix, DrillSearch, ParseError, ScreenSize,
    matrix::parse_version,
    spelling::{flag, option, parse_path, write_path},
    units::{format_duration, parse_duration},
};

/// The most times the original plan's numbers.
pub const LARGEST_SCALE: u64 = 100_000;

/// The drills zonedrill comes with, and what each is about. A user's own are known to the room
/// only.
pub(super) const DRILLS: [(&str, &str); 22] = [
    ("cut", "both zones go on consuming while the link is cut"),
    ("heal", "nothing lost, duplicated or reordered after a heal"),
    ("independent", "the zones' consumers move independently"),
    ("grow", "a zone joins and the producer notices nothing"),
    ("failover", "the source is lost, a copy takes over; the region stays so"),
    ("switchover", "another zone takes the messages, and gives them back"),
    ("failback", "the source is lost, comes back, and takes the messages again"),
    ("rolling", "each server is stopped and started again, under load"),
    ("rebuild", "a zone loses every store, and copies everything again"),
    ("rebuild-source", "the source loses every store, and gets everything back"),
    ("retention", "how long a cut may be: the source's limit, forecast and proved"),
    ("interest", "a source that deletes what its consumers have, and a cut copy"),
    ("stepdowns", "leaders step down again and again, under load"),
    ("slow", "a thin line under a backlog that clears as forecast"),
    ("halfopen", "one direction is silent until the servers notice"),
    ("flap", "the link comes and goes while messages flow"),
    ("unnoticed", "a silence shorter than the servers' pings"),
    ("blackhole", "large packets vanish on the way (up --network wire)"),
    ("lossy", "packets are lost on the way (up --network wire, or Docker)"),
    ("frozen", "a zone's servers stand still, and go on"),
    ("two-cuts", "a second cut as soon as the link is back"),
    ("leader-in-catchup", "the mirror's leader dies while it catches up"),
];

/// What can be done with drills.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Drill {
    /// Run some, one after the other.
    // Read with a word more, which is the shell's: see `DrillWords`.
    #[command(skip)]
    Run(DrillRun),
    /// Run every sabotage and print what each came to
    Sabotage {
        /// Only of these drills
        names: Vec<String>,
    },
    /// List the drills there are
    List,
    /// End the drill that runs: heals what it cut; its verdict is void
    Stop,
    /// Go on with a presented drill
    Next,
    /// Record what is done by hand from now on; `drill end` judges it like a drill
    Begin {
        /// cut or heal, for that conclusion; any other name, or none, for both
        name: Option<String>,
    },
    /// Judge what was done by hand since `drill begin`; the exit code is the verdict
    End,
    /// Measure the recovery times of server versions and kinds of mirrors, in regions of their own
    Matrix(DrillMatrix),
    /// Throw faults at regions of their own by a seed, and shrink what fails to the shortest script
    Search(DrillSearch),
}

/// How drills are run.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct DrillRun {
    /// cut, heal, independent, grow, failover, switchover, failback, rolling, rebuild, rebuild-source, retention, interest, stepdowns, slow, halfopen, flap, unnoticed, blackhole, lossy, frozen, two-cuts, leader-in-catchup, your own; `all` (the first four), `conditions` (those after stepdowns)
    #[arg(required = true)]
    pub names: Vec<String>,
    /// The mirror zone they are about [default: the first that can be drilled]
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<ZoneName>,
    /// How many times the original plan's numbers
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=LARGEST_SCALE))]
    pub scale: u64,
    /// A deliberate fault in the experiment, which must turn the verdict
    #[arg(long, value_enum)]
    pub sabotage: Option<Sabotage>,
    /// Put the fault in only once this held, as in a drill's `until`
    #[arg(long, value_name = "CONDITION", requires = "sabotage")]
    pub when: Option<String>,
    #[command(flatten)]
    pub options: DrillOptions,
    /// Pause between steps, for an audience (2s)
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub pace: Option<Duration>,
    /// Every step waits for `drill next`: predict, then reveal
    #[arg(long)]
    pub present: bool,
    /// Where the evidence bundle goes [default: a new folder]
    #[arg(long, value_name = "FOLDER", value_parser = parse_path)]
    pub report: Option<PathBuf>,
}

/// What a script leaves to who runs it: it has a placeholder for each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args, Serialize, Deserialize)]
pub struct DrillOptions {
    /// With failover: the promoted zone is made to know the ids it holds
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rebuild_dedup: bool,
    /// With rolling: each server is started again as this version of nats-server (2.15.1)
    #[arg(long, value_name = "VERSION", value_parser = parse_version)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_version: Option<String>,
}

impl fmt::Display for DrillOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(flag(self.rebuild_dedup, " --rebuild-dedup"))?;
        option(f, "to-version", self.to_version.as_ref())
    }
}

words! {
    /// Deliberate faults of an experiment. Each must turn the right verdict.
    #[derive(Hash, PartialOrd, Ord, clap::ValueEnum)]
    pub enum Sabotage {
        /// The cut lets messages through for a while.
        Leak = "leak",
        /// A message is removed from the mirror.
        Lose = "lose",
        /// A message is published a second time without its id.
        Duplicate = "duplicate",
        /// A payload is altered on the way.
        Corrupt = "corrupt",
        /// Two messages swap places.
        Reorder = "reorder",
        /// The pause does not pause.
        NoPause = "no-pause",
        /// The producer's connection is made anew while the zone joins.
        RestartProducer = "restart-producer",
        /// The producer's configuration changes while the zone joins.
        Reconfigure = "reconfigure",
        /// After a failover the producer sends nothing again that was acknowledged.
        NoRetry = "no-retry",
        /// The link is secretly whole while it is said to be impaired.
        Unimpaired = "unimpaired",
        /// A server that is said to be suspended or dead is secretly brought back.
        Revive = "revive",
        /// Nothing is produced.
        Nothing = "nothing",
    }
}

/// The words after `drill`.
#[derive(Clone, Debug, Subcommand)]
pub enum DrillWords {
    /// Run drills, one after the other; the exit code is the verdict
    Run {
        #[command(flatten)]
        run: DrillRun,
        /// With --record, in a shell: columns and rows of the recording [default: 120x36]
        #[arg(long, value_name = "COLSxROWS")]
        size: Option<ScreenSize>,
    },
    #[command(flatten)]
    Other(Drill),
}

impl TryFrom<DrillWords> for Drill {
    type Error = ParseError;

    fn try_from(words: DrillWords) -> Result<Self, ParseError> {
        let drill = match words {
            // The shell takes it out before; anywhere else it would be forgotten silently.
            DrillWords::Run { size: Some(_), .. } => {
                return Err(ParseError::Words(
                    "--size goes with --record, in a shell: `zonedrill drill run all --record FILE --size 120x36`".into(),
                ));
            }
            DrillWords::Run { run, size: None } => Self::Run(run),
            DrillWords::Other(Self::Search(search)) => Self::Search(search.checked()?),
            DrillWords::Other(drill) => drill,
        };
        drill.check()?;
        Ok(drill)
    }
}

impl Drill {
    /// What no single word shows to be wrong.
    fn check(&self) -> Result<(), ParseError> {
        let names = match self {
            Self::Run(DrillRun { names, .. }) | Self::Sabotage { names } => names.as_slice(),
            Self::Begin { name } => name.as_slice(),
            Self::Matrix(matrix) => return matrix.check(),
            _ => return Ok(()),
        };
        if let Some(bad) = names.iter().find(|name| !is_drill_name(name)) {
            return Err(ParseError::Words(format!(
                "`{bad}` is not the name of a drill: use a-z, 0-9 and `-` (`drill list` shows them)"
            )));
        }
        match self {
            Self::Run(run) if run.sabotage.is_some() && (names.len() > 1 || names[0] == "all") => {
                Err(ParseError::Words(
                    "--sabotage goes with one drill; `drill sabotage` runs them all".into(),
                ))
            }
            _ => Ok(()),
        }
    }
}

/// Can a drill be called that?
fn is_drill_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 40
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

impl fmt::Display for Drill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(run) => {
                write!(f, "run {}", run.names.join(" "))?;
                option(f, "zone", run.zone.as_ref())?;
                if run.scale != 1 {
                    write!(f, " --scale {}", run.scale)?;
                }
                option(f, "sabotage", run.sabotage)?;
                option(f, "when", run.when.as_deref().map(shell_words::quote))?;
                run.options.fmt(f)?;
                option(f, "pace", run.pace.map(format_duration))?;
                f.write_str(flag(run.present, " --present"))?;
                option(f, "report", run.report.as_deref().map(write_path))
            }
            Self::Sabotage { names } if names.is_empty() => f.write_str("sabotage"),
            Self::Sabotage { names } => write!(f, "sabotage {}", names.join(" ")),
            Self::List => f.write_str("list"),
            Self::Stop => f.write_str("stop"),
            Self::Next => f.write_str("next"),
            Self::Begin { name: None } => f.write_str("begin"),
            Self::Begin { name: Some(name) } => write!(f, "begin {name}"),
            Self::End => f.write_str("end"),
            Self::Search(search) => search.fmt(f),
            Self::Matrix(matrix) => matrix.fmt(f),
        }
    }
}
