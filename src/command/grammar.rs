//! The one grammar: clap reads it for the shell and for every other place, `Display` writes it.
//!
//! Each command is read and written in one file: `produce` and `drill` in their own, the others
//! here.

#[cfg(test)]
mod tests;
mod words;

use std::{cell::RefCell, fmt, str::FromStr};

use clap::{CommandFactory, FromArgMatches, Parser};

pub use self::words::{ConsumerWords, NodeWords, Verb, ZoneWords};
use super::{
    CastFormat, Command, CutKind, Impair, NodeAct, ParseError, Record,
    impair::check_length,
    spelling::{flag, is_unruly, option, write_path},
    units::format_duration,
};
pub use super::{drill::DrillWords, produce::HIGHEST_NUMBER};

use crate::region::{ZoneName, condition::Direction};

/// The longest text of a mark, in bytes.
pub const LONGEST_MARK: usize = 200;

/// The grammar as a clap command of its own, for lines that are not typed in a shell.
#[derive(Debug, Parser)]
#[command(
    no_binary_name = true,
    disable_help_flag = true,
    disable_help_subcommand = true,
    infer_subcommands = true,
    subcommand_required = true,
    name = ""
)]
struct Line {
    #[command(subcommand)]
    verb: Verb,
}

/// The grammar as a tree, for completion and generated help.
#[must_use]
pub fn tree() -> clap::Command {
    let mut tree = Line::command();
    tree.build();
    tree
}

impl TryFrom<Verb> for Command {
    type Error = ParseError;

    fn try_from(verb: Verb) -> Result<Self, ParseError> {
        Ok(match verb {
            Verb::Up => Self::Up,
            Verb::Down { purge } => Self::Down { purge },
            Verb::Status { json, watch, schema } => Self::Status { json, watch, schema },
            Verb::Doctor => Self::Doctor,
            Verb::Produce(words) => match words.moves() {
                Some((zone, resend)) => Self::ProducerMove { zone, resend },
                None => Self::Produce(words.try_into()?),
            },
            Verb::Cut { zone, kind, direction, heal_after } => {
                check_length(heal_after, "cut")?;
                match (direction, kind) {
                    (Direction::Both, kind) => Self::Cut { zone, kind, heal_after },
                    (one, None | Some(CutKind::Silent)) => {
                        Self::Impair { zone, what: Impair::silence(one), heal_after }
                    }
                    (_, Some(kind)) => {
                        return Err(ParseError::Words(format!(
                            "one direction is cut by silence alone, {kind} ends both: leave `--kind` or `--direction` out"
                        )));
                    }
                }
            }
            Verb::Impair(words) => {
                let (zone, what, heal_after) = words.try_into()?;
                Self::Impair { zone, what, heal_after }
            }
            Verb::Heal { zone } => Self::Heal { zone: zone.0 },
            Verb::Zone(ZoneWords::Add { zone }) => Self::ZoneAdd { zone },
            Verb::Zone(ZoneWords::Remove { zone, force }) => Self::ZoneRemove { zone, force },
            Verb::Consumer(ConsumerWords::Pause { zone }) => Self::ConsumerPause { zone },
            Verb::Consumer(ConsumerWords::Resume { zone }) => Self::ConsumerResume { zone },
            Verb::Consumer(ConsumerWords::Rate { zone, rate }) => {
                Self::ConsumerRate { zone, rate: rate.0 }
            }
            Verb::Node(words) => match words {
                NodeWords::Kill { node } => Self::Node { act: NodeAct::Kill, node },
                NodeWords::Freeze { node } => Self::Node { act: NodeAct::Freeze, node },
                NodeWords::Thaw { node } => Self::Node { act: NodeAct::Thaw, node },
                NodeWords::Stop { node } => Self::Node { act: NodeAct::Stop, node },
                NodeWords::Drain { node } => Self::Node { act: NodeAct::Drain, node },
                NodeWords::Wipe { node } => Self::Node { act: NodeAct::Wipe, node },
                NodeWords::Start { node } => Self::Node { act: NodeAct::Start, node },
                NodeWords::Stepdown { zone, group } => Self::Stepdown { zone, group },
            },
            Verb::Upgrade { version } => Self::Upgrade { version },
            Verb::Stream(keep) => Self::Stream(keep),
            Verb::Nudge { zone } => Self::Nudge { zone },
            Verb::Repair { zone, force } => Self::Repair { zone: zone.0, force },
            Verb::Promote { zone, rebuild_dedup, force, follow } => {
                Self::Promote { zone, rebuild_dedup, force, follow }
            }
            Verb::Fence { zone, force } => Self::Fence { zone, force },
            Verb::Salvage { zone } => Self::Salvage { zone },
            Verb::Failback { zone, force } => Self::Failback { zone, force },
            Verb::Switchover { zone } => Self::Switchover { zone },
            Verb::Verify { zone, json, extent } => Self::Verify { zone, json, extent },
            Verb::Inspect(what) => Self::Inspect(what),
            Verb::Mark { text } => {
                let text = text.join(" ");
                if text.trim().is_empty() {
                    return Err(ParseError::Words("`mark` needs some words".into()));
                }
                if text.chars().any(is_unruly) || text.len() > LONGEST_MARK {
                    return Err(ParseError::Words(format!(
                        "a mark is one line of at most {LONGEST_MARK} bytes, without control characters"
                    )));
                }
                Self::Mark { text }
            }
            Verb::Drill(words) => Self::Drill(words.try_into()?),
            Verb::Report { folder } => Self::Report { folder },
            Verb::Record(record) => Self::Record(record),
            Verb::Control(control) => Self::Control(control),
            Verb::Kick { who } => Self::Kick { name: who },
            Verb::Wind(wind) => Self::Wind(wind),
        })
    }
}

thread_local! {
    /// Building it takes longer than reading a line by it.
    static GRAMMAR: RefCell<clap::Command> = RefCell::new(Line::command());
}

impl FromStr for Command {
    type Err = ParseError;

    fn from_str(line: &str) -> Result<Self, ParseError> {
        let words = shell_words::split(line).map_err(|_| ParseError::Quote)?;
        if words.is_empty() {
            return Err(ParseError::Empty);
        }
        let matches = GRAMMAR
            .with_borrow_mut(|grammar| grammar.try_get_matches_from_mut(words))
            .map_err(|e| ParseError::Words(plain(&e)))?;
        let line = Line::from_arg_matches(&matches).map_err(|e| ParseError::Words(plain(&e)))?;
        line.verb.try_into()
    }
}

impl TryFrom<String> for Command {
    type Error = ParseError;

    fn try_from(line: String) -> Result<Self, ParseError> {
        line.parse()
    }
}

impl From<Command> for String {
    fn from(command: Command) -> Self {
        command.to_string()
    }
}

/// clap's error on one line, without its colours and its usage block, in the words of a person who
/// types a command.
fn plain(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text: Vec<&str> = text
        .lines()
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    text.join(" ")
        .trim_start_matches("error: ")
        .replace(" tip: ", "; ")
        .replace("unrecognized subcommand", "unknown command")
        .replace("a similar subcommand exists", "there is a similar one")
        .replace("some similar subcommands exist", "there are similar ones")
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str("up"),
            Self::Down { purge } => write!(f, "down{}", flag(*purge, " --purge")),
            Self::Status { schema: true, .. } => f.write_str("status --schema"),
            Self::Status { json, watch, schema: false } => {
                write!(f, "status{}{}", flag(*json, " --json"), flag(*watch, " --watch"))
            }
            Self::Doctor => f.write_str("doctor"),
            Self::Produce(produce) => write!(f, "produce {produce}"),
            Self::Cut { zone, kind, heal_after } => {
                write!(f, "cut {zone}")?;
                option(f, "kind", *kind)?;
                option(f, "for", heal_after.map(format_duration))
            }
            Self::Impair { zone, what, heal_after } => {
                write!(f, "impair {zone} {what}")?;
                option(f, "for", heal_after.map(format_duration))
            }
            Self::Heal { zone: Some(zone) } => write!(f, "heal {zone}"),
            Self::Heal { zone: None } => f.write_str("heal all"),
            Self::ZoneAdd { zone: Some(zone) } => write!(f, "zone add {zone}"),
            Self::ZoneAdd { zone: None } => f.write_str("zone add"),
            Self::ZoneRemove { zone, force } => {
                write!(f, "zone remove {zone}{}", flag(*force, " --force"))
            }
            Self::ConsumerPause { zone } => write!(f, "consumer pause {zone}"),
            Self::ConsumerResume { zone } => write!(f, "consumer resume {zone}"),
            Self::ConsumerRate { zone, rate: Some(rate) } => {
                write!(f, "consumer rate {zone} {rate}")
            }
            Self::ConsumerRate { zone, rate: None } => write!(f, "consumer rate {zone} max"),
            Self::Node { act, node } => write!(f, "node {} {node}", act.as_str()),
            Self::Stepdown { zone, group } => write!(f, "node stepdown {zone} {}", group.as_str()),
            Self::Upgrade { version: Some(version) } => write!(f, "upgrade {version}"),
            Self::Upgrade { version: None } => f.write_str("upgrade"),
            Self::Stream(keep) => write!(f, "stream {keep}"),
            Self::Nudge { zone } => write!(f, "nudge {zone}"),
            Self::Repair { zone, force } => {
                let zone = zone.as_ref().map_or("all", ZoneName::as_str);
                write!(f, "repair {zone}{}", flag(*force, " --force"))
            }
            Self::Promote { zone, rebuild_dedup, force, follow } => {
                let rebuild = flag(*rebuild_dedup, " --rebuild-dedup");
                let force = flag(*force, " --force");
                write!(f, "promote {zone}{rebuild}{force}{}", flag(*follow, " --follow"))
            }
            Self::Fence { zone, force } => write!(f, "fence {zone}{}", flag(*force, " --force")),
            Self::Salvage { zone } => write!(f, "salvage {zone}"),
            Self::Failback { zone, force } => {
                write!(f, "failback {zone}{}", flag(*force, " --force"))
            }
            Self::Switchover { zone } => write!(f, "switchover {zone}"),
            Self::ProducerMove { zone, resend: 0 } => write!(f, "produce move {zone}"),
            Self::ProducerMove { zone, resend } => {
                write!(f, "produce move {zone} --resend {resend}")
            }
            Self::Verify { zone, json, extent } => {
                f.write_str("verify")?;
                if let Some(zone) = zone {
                    write!(f, " {zone}")?;
                }
                write!(f, "{}{extent}", flag(*json, " --json"))
            }
            Self::Inspect(what) => write!(f, "inspect {what}"),
            Self::Mark { text } => {
                let end_of_options = if text.starts_with('-') { "-- " } else { "" };
                write!(f, "mark {end_of_options}{}", shell_words::quote(text))
            }
            Self::Drill(drill) => write!(f, "drill {drill}"),
            Self::Report { folder: None } => f.write_str("report"),
            Self::Report { folder: Some(folder) } => write!(f, "report {}", write_path(folder)),
            Self::Record(Record::Start { file, format, size }) => {
                write!(f, "record start {}", write_path(file))?;
                option(f, "format", Some(*format).filter(|format| *format != CastFormat::V2))?;
                option(f, "size", *size)
            }
            Self::Record(Record::Stop) => f.write_str("record stop"),
            Self::Control(control) => write!(f, "control {}", control.as_str()),
            Self::Kick { name } => write!(f, "kick -- {}", shell_words::quote(name)),
            Self::Wind(wind) => write!(f, "wind {wind}"),
        }
    }
}
