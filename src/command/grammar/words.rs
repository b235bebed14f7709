//! The verbs and the words after them, for clap, with what `--help` says of each.

use std::{path::PathBuf, str::FromStr, time::Duration};

use clap::Subcommand;

use crate::{
    command::{
        Control, CutKind, Extent, Group, Inspect, Keep, Rate, Record, Wind,
        drill::DrillWords,
        impair::ImpairWords,
        matrix::parse_version,
        produce::ProduceWords,
        spelling::parse_path,
        units::{UnitError, parse_duration},
    },
    region::{NodeName, ZoneName, condition::Direction, names::NameError},
};

/// The verbs, for clap. Converted into [`Command`](crate::command::Command), where the impossible
/// cannot be said.
#[derive(Clone, Debug, Subcommand)]
pub enum Verb {
    /// Bring the region up: servers, stream, mirrors, consumers
    #[command(alias = "start")]
    Up,
    /// End the region and its room; data is kept unless purged
    Down {
        /// Remove the data as well
        #[arg(long)]
        purge: bool,
    },
    /// Print the state of the region
    #[command(alias = "ps")]
    Status {
        /// As JSON (the documented schema)
        #[arg(long)]
        json: bool,
        /// Print again whenever it changes, until ctrl-c
        #[arg(long)]
        watch: bool,
        /// Print the JSON schema of `status --json` instead
        #[arg(long, conflicts_with_all = ["json", "watch"])]
        schema: bool,
    },
    /// Examine the machine and the region, and say what to do
    Doctor,
    /// Publish: a range of numbers, a burst, a steady rate; or stop
    Produce(ProduceWords),
    /// Cut the link between a zone and the source
    Cut {
        /// The mirror zone
        zone: ZoneName,
        /// In what way [default: refuse; on docker: unplug]
        #[arg(long, value_enum)]
        kind: Option<CutKind>,
        /// Only what goes to the zone, or comes from it: a silence of that direction
        #[arg(long, value_enum, default_value = "both")]
        direction: Direction,
        /// Heal by itself after this long (30s)
        #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
        heal_after: Option<Duration>,
    },
    /// Make a zone's link slow, thin, one-way or unsteady
    Impair(ImpairWords),
    /// Restore a zone's link, or all of them
    Heal {
        /// The mirror zone, or `all`
        #[arg(value_name = "ZONE|all")]
        zone: Target,
    },
    /// Add or remove a mirror zone
    #[command(subcommand)]
    Zone(ZoneWords),
    /// Pause, resume or slow down a zone's consumer
    #[command(subcommand)]
    Consumer(ConsumerWords),
    /// Kill, freeze, thaw, stop or start a node; make a leader step down
    #[command(subcommand)]
    Node(NodeWords),
    /// Start servers as another version of nats-server from now on; those that run stay as they are
    Upgrade {
        /// The version, 2.15.1; without one, the version is told
        #[arg(value_parser = parse_version)]
        version: Option<String>,
    },
    /// Change how long the source keeps messages: a limit, or until every consumer has them
    #[command(subcommand)]
    Stream(Keep),
    /// Hurry a waiting mirror: its leader steps down
    Nudge {
        /// The mirror zone
        zone: ZoneName,
    },
    /// Mend streams, mirrors and consumers that somebody changed or removed
    Repair {
        /// The zone, or `all`
        #[arg(value_name = "ZONE|all")]
        zone: Target,
        /// Also remove messages that no other zone is known to hold
        #[arg(long)]
        force: bool,
    },
    /// Make a zone's copy a stream that takes messages, where the source is lost (nats-server 2.12)
    Promote {
        /// The zone
        zone: ZoneName,
        /// Restart a node and let it lead: a promoted mirror knows no ids before, and stores retries twice
        #[arg(long)]
        rebuild_dedup: bool,
        /// Also while the source is alive and linked: then there are two
        #[arg(long)]
        force: bool,
        /// The producer publishes there then
        #[arg(long)]
        follow: bool,
    },
    /// Make a zone's stream take no messages, where another zone took over
    Fence {
        /// The zone
        zone: ZoneName,
        /// Also the only zone that takes messages, or the one that the producer publishes into
        #[arg(long)]
        force: bool,
    },
    /// Publish what a fenced zone holds alone in the zone that takes messages, under the same ids
    Salvage {
        /// The fenced zone
        zone: ZoneName,
    },
    /// Make a fenced zone a copy again; its stream is deleted, its consumer begins anew
    Failback {
        /// The fenced zone
        zone: ZoneName,
        /// Also where it holds messages without an id, which are gone then
        #[arg(long)]
        force: bool,
    },
    /// Let another zone take the messages, as planned: fence, wait until it has all, promote, move the producer
    Switchover {
        /// The zone that takes them then: a copy, or a fenced zone
        zone: ZoneName,
    },
    /// Account for every message: lost, duplicated, reordered, corrupt
    Verify {
        /// Only this zone
        zone: Option<ZoneName>,
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        extent: Extent,
    },
    /// Show a thing as the servers tell it: node, stream, consumer, durable, link, faults, message
    #[command(subcommand)]
    Inspect(Inspect),
    /// Put a mark on the timeline and into the log
    Mark {
        /// The words
        #[arg(required = true, trailing_var_arg = true)]
        text: Vec<String>,
    },
    /// Run, list, stop or step drills: the four conclusions, and your own
    #[command(subcommand)]
    Drill(DrillWords),
    /// Write the evidence bundle of the last drills
    Report {
        /// Into this folder [default: a new one]
        #[arg(value_parser = parse_path)]
        folder: Option<PathBuf>,
    },
    /// Record what the screen shows, for asciinema
    #[command(subcommand)]
    Record(Record),
    /// Ask for control of the room, give it, refuse it, give it up, take it, hold it
    #[command(subcommand)]
    Control(Control),
    /// Remove somebody's screens from the room, and let a guest not come back for 10 min
    Kick {
        /// As the others see them
        #[arg(value_name = "NAME")]
        who: String,
    },
    /// Wind a past drill, in the palette of `replay`: pause, speed, next, to a time
    #[command(subcommand)]
    Wind(Wind),
}

/// The words after `zone`.
#[derive(Clone, Debug, Subcommand)]
pub enum ZoneWords {
    /// Add a mirror zone while everything runs
    Add {
        /// Its name; the next free letter if none
        zone: Option<ZoneName>,
    },
    /// Remove a mirror zone, its data and its durable at the source
    Remove {
        /// Which
        zone: ZoneName,
        /// Also remove messages that no other zone is known to hold
        #[arg(long)]
        force: bool,
    },
}

/// The words after `consumer`.
#[derive(Clone, Debug, Subcommand)]
pub enum ConsumerWords {
    /// Stop consuming in a zone
    Pause {
        /// Which
        zone: ZoneName,
    },
    /// Go on consuming in a zone
    Resume {
        /// Which
        zone: ZoneName,
    },
    /// Hold a zone's consumer to a rate
    Rate {
        /// Which
        zone: ZoneName,
        /// Like 50/s, or `max` for no limit
        #[arg(value_name = "RATE|max")]
        rate: RateWord,
    },
}

/// The words after `node`.
#[derive(Clone, Debug, Subcommand)]
pub enum NodeWords {
    /// End a node without warning (SIGKILL)
    Kill {
        /// Like js2-zone-b
        node: NodeName,
    },
    /// Suspend a node (SIGSTOP)
    Freeze {
        /// Like js2-zone-b
        node: NodeName,
    },
    /// Resume a frozen node
    Thaw {
        /// Like js2-zone-b
        node: NodeName,
    },
    /// End a node in order (SIGTERM)
    Stop {
        /// Like js2-zone-b
        node: NodeName,
    },
    /// Let a node leave in order, as before an upgrade (lame-duck mode, SIGUSR2); returns when it has ended
    Drain {
        /// Like js2-zone-b
        node: NodeName,
    },
    /// End a node without warning and remove what it stored, as where a disk is lost
    Wipe {
        /// Like js2-zone-b
        node: NodeName,
    },
    /// Start a stopped or dead node
    Start {
        /// Like js2-zone-b
        node: NodeName,
    },
    /// Make a raft group of a zone elect another leader
    Stepdown {
        /// In which zone
        zone: ZoneName,
        /// Which group
        #[arg(value_enum)]
        group: Group,
    },
}

/// A zone or `all`.
#[derive(Clone, Debug)]
pub struct Target(pub(super) Option<ZoneName>);

impl FromStr for Target {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" { Ok(Self(None)) } else { text.parse().map(|zone| Self(Some(zone))) }
    }
}

/// A rate or `max`.
#[derive(Clone, Copy, Debug)]
pub struct RateWord(pub(super) Option<Rate>);

impl FromStr for RateWord {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "max" { Ok(Self(None)) } else { text.parse().map(|rate| Self(Some(rate))) }
    }
}
