//! `drill`: its words, what they mean, and how they are written.

use std::{fmt, path::PathBuf, time::Duration};

use clap::Subcommand;
use serde::{Deserialize, Serialize};

use crate::region::ZoneName;

use super::{
    DrillMatrix, DrillSearch, ParseError, ScreenSize,
    matrix::{MatrixWords, parse_version},
    search::SearchWords,
    spelling::{flag, parse_path, write_path},
    units::{format_duration, parse_duration},
};

/// The most times the original plan's numbers.
pub const LARGEST_SCALE: u64 = 100_000;

/// The drills zonedrill comes with, and what each is about. A user's own are known to the room
/// only.
pub(super) const DRILLS: [(&str, &str); 19] = [
    ("cut", "both zones go on consuming while the link is cut"),
    ("heal", "nothing lost, duplicated or reordered after a heal"),
    ("independent", "the zones' consumers move independently"),
    ("grow", "a zone joins and the producer notices nothing"),
    ("failover", "the source is lost, a copy takes over; the region stays so"),
    ("switchover", "another zone takes the messages, and gives them back"),
    ("failback", "the source is lost, comes back, and takes the messages again"),
    ("rolling", "each server is stopped and started again, under load"),
    ("rebuild", "a zone loses every store, and copies everything again"),
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drill {
    /// Run some, one after the other.
    Run(DrillRun),
    /// Run every sabotage of every drill (or of these) and print what each came to.
    Sabotage {
        /// Drills' names; all of the four conclusions if empty.
        names: Vec<String>,
    },
    /// List them.
    List,
    /// End the one that runs: what it cut is healed, its verdict is void.
    Stop,
    /// Presented drills: go on.
    Next,
    /// Record and judge what is done by hand from now on.
    Begin {
        /// `cut` or `heal` for that conclusion; any other name, or none, for both.
        name: Option<String>,
    },
    /// Judge what was done since `begin`.
    End,
    /// Measure recovery times of several server versions and kinds of mirrors.
    Matrix(DrillMatrix),
    /// Throw faults at regions of their own by a seed, and shrink what fails.
    Search(DrillSearch),
}

/// How drills are run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillRun {
    /// Their names; `all` stands for the four conclusions.
    pub names: Vec<String>,
    /// The mirror zone they are about; the first that can be drilled if none.
    pub zone: Option<ZoneName>,
    /// How many times the original plan's numbers.
    pub scale: u64,
    /// A deliberate fault, which must turn the verdict.
    pub sabotage: Option<Sabotage>,
    /// It is put in only once this held: what a drill's `until` can say.
    pub when: Option<String>,
    pub options: DrillOptions,
    /// Pause between steps, for an audience.
    pub pace: Option<Duration>,
    /// Every step waits for `drill next`.
    pub present: bool,
    /// Where the evidence bundle goes; a folder of its own if none.
    pub report: Option<PathBuf>,
}

/// What a script leaves to who runs it: it has a placeholder for each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillOptions {
    /// A zone that is promoted is made to know the ids it holds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rebuild_dedup: bool,
    /// The version of nats-server that each server is started again as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_version: Option<String>,
}

impl fmt::Display for DrillOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(flag(self.rebuild_dedup, " --rebuild-dedup"))?;
        self.to_version.iter().try_for_each(|version| write!(f, " --to-version {version}"))
    }
}

/// Deliberate faults of an experiment. Each must turn the right verdict.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Sabotage {
    /// The cut lets messages through for a while.
    Leak,
    /// A message is removed from the mirror.
    Lose,
    /// A message is published a second time without its id.
    Duplicate,
    /// A payload is altered on the way.
    Corrupt,
    /// Two messages swap places.
    Reorder,
    /// The pause does not pause.
    NoPause,
    /// The producer's connection is made anew while the zone joins.
    RestartProducer,
    /// The producer's configuration changes while the zone joins.
    Reconfigure,
    /// After a failover the producer sends nothing again that was acknowledged.
    NoRetry,
    /// The link is secretly whole while it is said to be impaired.
    Unimpaired,
    /// A server that is said to be suspended or dead is secretly brought back.
    Revive,
    /// Nothing is produced.
    Nothing,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Leak,
        Self::Lose,
        Self::Duplicate,
        Self::Corrupt,
        Self::Reorder,
        Self::NoPause,
        Self::RestartProducer,
        Self::Reconfigure,
        Self::NoRetry,
        Self::Unimpaired,
        Self::Revive,
        Self::Nothing,
    ];

    /// The word of the command language.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Leak => "leak",
            Self::Lose => "lose",
            Self::Duplicate => "duplicate",
            Self::Corrupt => "corrupt",
            Self::Reorder => "reorder",
            Self::NoPause => "no-pause",
            Self::RestartProducer => "restart-producer",
            Self::Reconfigure => "reconfigure",
            Self::NoRetry => "no-retry",
            Self::Unimpaired => "unimpaired",
            Self::Revive => "revive",
            Self::Nothing => "nothing",
        }
    }
}

/// The words after `drill`.
#[derive(Clone, Debug, Subcommand)]
pub enum DrillWords {
    /// Run drills, one after the other; the exit code is the verdict
    Run {
        /// cut, heal, independent, grow, failover, switchover, failback, rolling, rebuild, stepdowns, slow, halfopen, flap, unnoticed, blackhole, lossy, frozen, two-cuts, leader-in-catchup, your own; `all` (the first four), `conditions` (those after stepdowns)
        #[arg(required = true)]
        names: Vec<String>,
        /// The mirror zone they are about [default: the first that can be drilled]
        #[arg(long, value_name = "ZONE")]
        zone: Option<ZoneName>,
        /// How many times the original plan's numbers
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=LARGEST_SCALE))]
        scale: u64,
        /// A deliberate fault in the experiment, which must turn the verdict
        #[arg(long, value_enum)]
        sabotage: Option<Sabotage>,
        /// Put the fault in only once this held, as in a drill's `until`
        #[arg(long, value_name = "CONDITION", requires = "sabotage")]
        when: Option<String>,
        /// With failover: the promoted zone is made to know the ids it holds
        #[arg(long)]
        rebuild_dedup: bool,
        /// With rolling: each server is started again as this version of nats-server (2.15.1)
        #[arg(long, value_name = "VERSION", value_parser = parse_version)]
        to_version: Option<String>,
        /// Pause between steps, for an audience (2s)
        #[arg(long, value_name = "TIME", value_parser = parse_duration)]
        pace: Option<Duration>,
        /// Every step waits for `drill next`: predict, then reveal
        #[arg(long)]
        present: bool,
        /// Where the evidence bundle goes [default: a new folder]
        #[arg(long, value_name = "FOLDER", value_parser = parse_path)]
        report: Option<PathBuf>,
        /// With --record, in a shell: columns and rows of the recording [default: 120x36]
        #[arg(long, value_name = "COLSxROWS")]
        size: Option<ScreenSize>,
    },
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
    Matrix(MatrixWords),
    /// Throw faults at regions of their own by a seed, and shrink what fails to the shortest script
    Search(SearchWords),
}

impl TryFrom<DrillWords> for Drill {
    type Error = ParseError;

    fn try_from(words: DrillWords) -> Result<Self, ParseError> {
        let check = |names: &[String]| match names.iter().find(|name| !is_drill_name(name)) {
            Some(bad) => Err(ParseError::Words(format!(
                "`{bad}` is not the name of a drill: use a-z, 0-9 and `-` (`drill list` shows them)"
            ))),
            None => Ok(()),
        };
        Ok(match words {
            DrillWords::Run {
                names,
                zone,
                scale,
                sabotage,
                when,
                rebuild_dedup,
                to_version,
                pace,
                present,
                report,
                size,
            } => {
                check(&names)?;
                // The shell takes it out before; anywhere else it would be forgotten silently.
                if size.is_some() {
                    return Err(ParseError::Words(
                        "--size goes with --record, in a shell: `zonedrill drill run all --record FILE --size 120x36`".into(),
                    ));
                }
                if sabotage.is_some() && (names.len() > 1 || names[0] == "all") {
                    return Err(ParseError::Words(
                        "--sabotage goes with one drill; `drill sabotage` runs them all".into(),
                    ));
                }
                Self::Run(DrillRun {
                    names,
                    zone,
                    scale,
                    sabotage,
                    when,
                    options: DrillOptions { rebuild_dedup, to_version },
                    pace,
                    present,
                    report,
                })
            }
            DrillWords::Sabotage { names } => {
                check(&names)?;
                Self::Sabotage { names }
            }
            DrillWords::List => Self::List,
            DrillWords::Stop => Self::Stop,
            DrillWords::Next => Self::Next,
            DrillWords::Begin { name } => {
                check(name.as_slice())?;
                Self::Begin { name }
            }
            DrillWords::End => Self::End,
            DrillWords::Matrix(words) => Self::Matrix(words.try_into()?),
            DrillWords::Search(words) => Self::Search(words.try_into()?),
        })
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
                if let Some(zone) = &run.zone {
                    write!(f, " --zone {zone}")?;
                }
                if run.scale != 1 {
                    write!(f, " --scale {}", run.scale)?;
                }
                if let Some(kind) = run.sabotage {
                    write!(f, " --sabotage {}", kind.as_str())?;
                }
                if let Some(when) = &run.when {
                    write!(f, " --when {}", shell_words::quote(when))?;
                }
                run.options.fmt(f)?;
                if let Some(pace) = run.pace {
                    write!(f, " --pace {}", format_duration(pace))?;
                }
                f.write_str(flag(run.present, " --present"))?;
                match &run.report {
                    Some(folder) => write!(f, " --report {}", write_path(folder)),
                    None => Ok(()),
                }
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
