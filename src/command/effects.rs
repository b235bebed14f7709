//! What a command does to the region and to the people in it: who may give it, what it disturbs,
//! what it takes away.

use super::{Command, Control, Drill, DrillRun, NodeAct, Produce};

/// What goes with regions of others, as a person types it.
const FOR_OTHERS: &str = "`drill run heal` (or `cut`, `independent`, `all`), `drill stop`, `cut ZONE --for 30s`, `heal ZONE`, `produce`, `verify`, `doctor`, `status` and `down`";

impl Command {
    /// Whether it is something to do in a region that somebody else runs; whether it may be done there
    /// its file says.
    #[must_use]
    pub fn goes_with_others(&self) -> bool {
        matches!(
            self,
            Self::Status { schema: false, .. }
                | Self::Doctor
                | Self::Verify { .. }
                | Self::Cut { .. }
                | Self::Heal { .. }
                | Self::Produce(_)
                | Self::Drill(Drill::Run(_) | Drill::Stop | Drill::Next)
                | Self::Down { purge: false }
        )
    }

    /// Only looks; an observer may give it.
    #[must_use]
    pub fn is_harmless(&self) -> bool {
        matches!(
            self,
            Self::Status { .. }
                | Self::Doctor
                | Self::Verify { .. }
                | Self::Inspect(_)
                | Self::Drill(Drill::List)
                | Self::Wind(_)
        )
    }

    /// The same, in words.
    ///
    /// # Errors
    /// Why not, and what can be done there.
    pub fn check_for_others(&self) -> Result<(), String> {
        if self.goes_with_others() {
            return Ok(());
        }
        Err(format!(
            "somebody else runs this region: `{self}` is not done there; what can be is {FOR_OTHERS}"
        ))
    }

    /// Whether a guest may give it: nothing that names a file, begins or ends the region, removes
    /// data, spoils an experiment or goes on for ever. Every command is decided here by name, so
    /// that a new one is not forgotten.
    ///
    /// # Errors
    /// Why not.
    pub fn check_for_guests(&self) -> Result<(), &'static str> {
        match self {
            Self::Up | Self::Down { .. } => Err("it begins or ends the region"),
            Self::Record(_)
            | Self::Report { folder: Some(_) }
            | Self::Drill(
                Drill::Matrix(_) | Drill::Search(_) | Drill::Run(DrillRun { report: Some(_), .. }),
            ) => Err("it reaches files"),
            Self::Drill(
                Drill::Run(DrillRun { sabotage: Some(_), .. }) | Drill::Sabotage { .. },
            ) => Err("it spoils an experiment"),
            Self::ZoneRemove { .. } | Self::Node { act: NodeAct::Wipe, .. } | Self::Stream(_) => {
                Err("it removes data")
            }
            Self::Promote { .. } => Err("it makes a second stream that takes messages"),
            Self::ProducerMove { .. }
            | Self::Fence { .. }
            | Self::Salvage { .. }
            | Self::Failback { .. }
            | Self::Switchover { .. } => Err("it decides which stream takes messages"),
            Self::Upgrade { .. } => Err("it decides which program serves"),
            Self::Kick { .. } | Self::Control(Control::Take | Control::Hold) => {
                Err("only the region's owner does it")
            }
            Self::Produce(Produce::Burst { count: None, .. }) => {
                Err("it goes on until it is stopped: give a count")
            }
            Self::Status { .. }
            | Self::Doctor
            | Self::Produce(_)
            | Self::Cut { .. }
            | Self::Impair { .. }
            | Self::Heal { .. }
            | Self::ZoneAdd { .. }
            | Self::ConsumerPause { .. }
            | Self::ConsumerResume { .. }
            | Self::ConsumerRate { .. }
            | Self::Node { .. }
            | Self::Stepdown { .. }
            | Self::Nudge { .. }
            | Self::Repair { .. }
            | Self::Verify { .. }
            | Self::Inspect(_)
            | Self::Mark { .. }
            | Self::Report { folder: None }
            | Self::Drill(
                Drill::Run(_)
                | Drill::List
                | Drill::Stop
                | Drill::Next
                | Drill::Begin { .. }
                | Drill::End,
            )
            | Self::Control(_)
            | Self::Wind(_) => Ok(()),
        }
    }

    /// About how much it adds to the disk, in bytes; a guest's are bounded. A drill leaves its
    /// streams and its bundle.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        const DRILL: u64 = 4 << 20;
        match self {
            Self::Produce(Produce::Range { from, to, size, .. }) => {
                to.saturating_sub(*from).saturating_add(1).saturating_mul(size.0.into())
            }
            Self::Produce(Produce::Burst { count, size, .. }) => {
                count.unwrap_or(u64::MAX).saturating_mul(size.0.into())
            }
            Self::Drill(Drill::Run(run)) => {
                let drills = run.names.iter().map(|name| if name == "all" { 4 } else { 1 });
                DRILL.saturating_mul(run.scale.max(1)).saturating_mul(drills.sum())
            }
            Self::Drill(Drill::End) | Self::Report { .. } | Self::ZoneAdd { .. } => DRILL,
            _ => 0,
        }
    }

    /// Changes what a drill tests: one that runs is void by it.
    #[must_use]
    pub fn disturbs(&self) -> bool {
        self.moves_the_source()
            || matches!(
                self,
                Self::Cut { .. }
                | Self::Impair { .. }
                | Self::Heal { .. }
                | Self::ZoneAdd { .. }
                | Self::ZoneRemove { .. }
                | Self::ConsumerPause { .. }
                | Self::ConsumerResume { .. }
                | Self::ConsumerRate { .. }
                | Self::Node { .. }
                | Self::Stepdown { .. }
                | Self::Nudge { .. }
                | Self::Repair { .. }
                | Self::Stream(_)
                // Somebody else's messages would count as the drill's where receipts are counted.
                | Self::Produce(_)
            )
    }

    /// Decides which zone takes messages, and which follow it.
    #[must_use]
    pub fn moves_the_source(&self) -> bool {
        matches!(
            self,
            Self::Promote { .. }
                | Self::ProducerMove { .. }
                | Self::Fence { .. }
                | Self::Salvage { .. }
                | Self::Failback { .. }
                | Self::Switchover { .. }
        )
    }

    /// Takes something away; a key asks once before giving it.
    #[must_use]
    pub fn is_destructive(&self) -> bool {
        matches!(
            self,
            Self::Down { .. }
                | Self::ZoneRemove { .. }
                | Self::Promote { .. }
                | Self::Fence { .. }
                | Self::Failback { .. }
                | Self::Switchover { .. }
                | Self::Repair { force: true, .. }
        ) || matches!(self, Self::Stream(keep) if keep.deletes())
            || matches!(self, Self::Node { act, .. } if *act != NodeAct::Start && *act != NodeAct::Thaw)
    }
}
