//! Before a command is carried out: is there a region to do it to, what does it work on, and would
//! it do anything? A refusal says what would help.

use super::{ENDING, StateActor};
use crate::{
    command::{Command, Drill, DrillRun, Extent, Inspect, NodeAct, Produce},
    platform::choose_cut,
    region::{
        Role, ZoneName,
        condition::LinkCondition,
        remedy::Remedy,
        status::{LinkState, NodeState, Phase},
    },
    room::{failure::Failure, impair, keeping, task::Lease},
};

impl StateActor {
    /// Is there a region to do it to?
    pub(super) fn possible(&self, command: &Command) -> Result<(), String> {
        let phase = &self.state.peek().phase;
        match (command, phase) {
            (Command::Verify { extent, .. }, _) if *extent != Extent::default() => Err(
                "`--from`, `--to` and `--max-rate` are for a region that somebody else runs: they go with --region-file; this one is verified whole".into(),
            ),
            (
                Command::Status { .. }
                | Command::Doctor
                | Command::Mark { .. }
                | Command::Drill(Drill::List | Drill::Stop)
                | Command::Report { .. }
                | Command::Record(_)
                | Command::Control(_)
                | Command::Kick { .. }
                | Command::Wind(_)
                | Command::Down { .. },
                _,
            )
            | (Command::Up, Phase::Down | Phase::Failed)
            | (_, Phase::Up) => Ok(()),
            (Command::Up, Phase::Starting) => {
                Err("the region is being brought up already: `status --watch` follows it".into())
            }
            (_, Phase::Starting) => Err(
                "the region is still being brought up: wait for it (`status --watch` follows it)"
                    .into(),
            ),
            (_, Phase::Stopping) => Err(ENDING.into()),
            (_, Phase::Down | Phase::Failed) => Err("the region is down: `up` brings it up".into()),
        }
    }

    /// What a command works on: two that share a part of the region do not run at once. `added` is
    /// the zone that it makes.
    pub(super) fn claims(
        &self,
        command: &Command,
        added: Option<&ZoneName>,
    ) -> Result<Vec<Lease>, Failure> {
        Ok(match command {
            Command::Switchover { zone } => {
                self.runtime.zone(zone)?;
                vec![Lease::Region]
            }
            Command::Stream(_) => vec![Lease::Zone(keeping::target(&self.runtime)?.name)],
            Command::Up | Command::Repair { zone: None, .. } => vec![Lease::Region],
            Command::Cut { zone, .. }
            | Command::Impair { zone, .. }
            | Command::Heal { zone: Some(zone) } => {
                vec![Lease::Link(self.runtime.mirror_plan(zone)?.name)]
            }
            Command::Heal { zone: None } => self.cut_zones().into_iter().map(Lease::Link).collect(),
            Command::ZoneAdd { .. } => added.cloned().map(Lease::Zone).into_iter().collect(),
            Command::Repair { zone: Some(zone), .. }
            | Command::ProducerMove { zone, .. }
            | Command::Promote { zone, .. }
            | Command::Fence { zone, .. }
            | Command::Salvage { zone }
            | Command::Failback { zone, .. } => {
                self.runtime.zone(zone)?;
                vec![Lease::Zone(zone.clone())]
            }
            Command::ZoneRemove { zone, .. } => {
                vec![Lease::Zone(self.runtime.mirror_plan(zone)?.name)]
            }
            Command::Node { node, .. } => {
                self.runtime.check_node(node)?;
                vec![Lease::Node(node.clone())]
            }
            Command::Drill(Drill::Run(DrillRun { zone: Some(zone), .. })) => {
                self.runtime.mirror_plan(zone)?;
                Vec::new()
            }
            Command::Stepdown { zone, .. }
            | Command::Nudge { zone }
            | Command::Verify { zone: Some(zone), .. }
            | Command::Inspect(Inspect::Stream { zone } | Inspect::Consumer { zone })
            | Command::ConsumerPause { zone }
            | Command::ConsumerResume { zone }
            | Command::ConsumerRate { zone, .. } => {
                self.runtime.zone(zone)?;
                Vec::new()
            }
            _ => Vec::new(),
        })
    }

    /// Refuses what would do nothing, with what the user may have meant.
    pub(super) fn sensible(&self, command: &Command) -> Result<(), String> {
        let link =
            |zone: &ZoneName| self.state.peek().zone(zone).and_then(|zone| zone.link.clone());
        match command {
            Command::Cut { zone, kind, .. } => {
                let kind = choose_cut(&*self.runtime.platform, *kind).map_err(|e| e.to_string())?;
                // One that is not proved, or has leaked since, may be made and proved anew.
                match link(zone) {
                    Some(link)
                        if link.state == LinkState::Cut
                            && link.kind == Some(kind)
                            && link.effective =>
                    {
                        Err(format!(
                            "zone {zone} is cut already ({}): {}",
                            kind.as_str(),
                            self.runtime.told(&Remedy::Heal(zone.clone()))
                        ))
                    }
                    _ => Ok(()),
                }
            }
            Command::Impair { zone, what, .. } => match link(zone) {
                Some(link) if link.state == LinkState::Cut => Err(format!(
                    "zone {zone} is cut: {}",
                    self.runtime.told(&Remedy::Heal(zone.clone()))
                )),
                link => {
                    let now = link.and_then(|link| link.condition).unwrap_or_default();
                    let can = impair::check(&self.runtime, what, now);
                    can.map(drop).map_err(|why| why.to_string())
                }
            },
            Command::Heal { zone: Some(zone) } => match link(zone) {
                Some(link) if link.condition.is_some() => Ok(()),
                // One that is down, though nobody cut it, may lack what a heal makes anew.
                Some(link) if !link.state.connected() => Ok(()),
                Some(_) if self.state.astray_since(zone).is_some() => Ok(()),
                _ => Err(format!("zone {zone} is not cut: there is nothing to heal")),
            },
            Command::Heal { zone: None } if self.cut_zones().is_empty() => {
                Err("no zone is cut: there is nothing to heal".into())
            }
            Command::Node { act: NodeAct::Start, node } => {
                let running =
                    self.state.peek().zone(&node.zone).and_then(|zone| {
                        zone.nodes.iter().find(|n| &n.name == node).map(|n| n.state)
                    });
                match running {
                    Some(NodeState::Up | NodeState::Silent | NodeState::Starting) => {
                        Err(format!("{node} runs already"))
                    }
                    Some(NodeState::Leaving) => Err(format!(
                        "{node} is leaving (lame-duck mode) and has not ended: `node stop {node}` hurries it"
                    )),
                    Some(NodeState::JsOff) => Err(format!(
                        "{node} runs, with its JetStream off: `node stop {node}` first"
                    )),
                    Some(NodeState::Frozen) => {
                        Err(format!("{node} is frozen: {}", Remedy::ThawNode(node.clone()).told()))
                    }
                    _ => Ok(()),
                }
            }
            Command::Drill(Drill::Run(_) | Drill::Begin { .. }) => {
                match self.runtime.active_drill.running() {
                    Some(other) => Err(format!(
                        "`{other}` runs: wait for its verdict, or end it with `drill stop`"
                    )),
                    None => Ok(()),
                }
            }
            Command::Drill(Drill::Matrix(_) | Drill::Sabotage { .. } | Drill::Search(_)) => Err(
                format!("that brings up regions of its own: run `zonedrill {command}` in a shell"),
            ),
            Command::Produce(Produce::Range { .. } | Produce::Burst { .. }) => {
                let producer = self.runtime.producer().map_err(|failure| failure.to_string())?;
                let into = producer.zone().and_then(|zone| self.runtime.plan(&zone).ok());
                match into.filter(|plan| plan.role == Role::Fenced) {
                    Some(plan) => Err(format!(
                        "the producer publishes into zone {}, which is fenced: `produce move ZONE` leads it to one that takes messages",
                        plan.name
                    )),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// What is asked of a zone's link.
    pub(super) fn asked_of(&self, zone: &ZoneName) -> Option<LinkCondition> {
        self.state.peek().zone(zone)?.link.as_ref()?.condition
    }

    /// The mirror zones that there is something to heal in: cut, impaired, or unplugged by somebody else.
    pub(super) fn cut_zones(&self) -> Vec<ZoneName> {
        self.state
            .peek()
            .zones
            .iter()
            .filter(|zone| {
                let cut = zone
                    .link
                    .as_ref()
                    .is_some_and(|link| link.state == LinkState::Cut || link.condition.is_some());
                !zone.is_hub() && (cut || self.state.astray_since(&zone.name).is_some())
            })
            .map(|zone| zone.name.clone())
            .collect()
    }
}
