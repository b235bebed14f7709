//! What is wrong with a region now, the worst first, and the one word for it.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Apart, Link, LinkState, MirrorState, NodeState, Phase, Status, Zone, ZoneState};
use crate::region::{
    UnixMs,
    configuration::gone_at_source,
    deliveries::fetched_elsewhere,
    format::{count, span},
    names::ZoneName,
    reduce::FRESH_MS,
    remedy::Remedy,
    topology::Role,
};

words! {
    /// What kind of thing is wrong. The order is that of the region's word: the worst comes first.
    #[derive(PartialOrd, Ord)]
    pub enum AlarmKind {
        /// Two zones take messages that producers write.
        SplitBrain = "SPLIT BRAIN",
        /// Messages are lost, duplicate, out of order, corrupt or nobody's.
        Loss = "LOSS",
        /// A zone no longer follows the source.
        Split = "SPLIT",
        /// Nobody leads a stream: it takes nothing.
        NoLeader = "NO LEADER",
        /// A stream or consumer is not as it was made.
        Changed = "CHANGED",
        /// Nothing can be published, consumed or written down.
        Trouble = "TROUBLE",
        /// A link is down, and no command cut it.
        Down = "DOWN",
        /// A link is connected, and nothing moves that should.
        Stuck = "STUCK",
        /// A link was cut by a command.
        Cut = "CUT",
        /// A zone was made to take no messages by a command.
        Fenced = "FENCED",
        /// A node does not answer, or has ended.
        Degraded = "DEGRADED",
        /// A zone has not caught up, or hears nothing from the source.
        Behind = "BEHIND",
        /// A link was made worse by a command.
        Impaired = "IMPAIRED",
        /// Somebody who may change something is connected.
        Stranger = "STRANGER",
        /// Something is not known that `OK` would claim.
        Unknown = "UNKNOWN",
    }
}

/// Something that is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Alarm {
    pub kind: AlarmKind,
    /// The zone it is about, if one.
    pub zone: Option<ZoneName>,
    /// What is wrong, in a sentence.
    pub cause: String,
    /// Since when, where that is known.
    pub since_at_ms: Option<UnixMs>,
    /// The command that mends it or tells more; `null` where the cause says it.
    #[schemars(with = "Option<String>")]
    pub remedy: Option<Remedy>,
}

impl Status {
    /// What is wrong now, the worst first. Nothing while the region is not up.
    #[must_use]
    pub fn alarms(&self) -> Vec<Alarm> {
        if self.phase != Phase::Up {
            return Vec::new();
        }
        let mut found = Found::default();
        if let Some(why) = &self.producer.trouble {
            found.add(
                AlarmKind::Trouble,
                None,
                None,
                format!("the producer: {why}"),
                Remedy::Status,
            );
        }
        for zone in &self.zones {
            self.zone_alarms(zone, &mut found);
        }
        self.split_brain(&mut found);
        self.orphans(&mut found);
        self.mendable(found.sorted())
    }

    /// In a region of others nothing is mended from here.
    fn mendable(&self, mut alarms: Vec<Alarm>) -> Vec<Alarm> {
        if self.is_external() {
            for alarm in &mut alarms {
                alarm.remedy = None;
            }
        }
        alarms
    }

    /// The zones that producers can write to, and that have a majority to store it with.
    #[must_use]
    pub fn writable(&self) -> Vec<&Zone> {
        let can = |zone: &&Zone| zone.role.takes_messages() && zone.has_majority();
        self.zones.iter().filter(can).collect()
    }

    /// More than one zone takes messages.
    fn split_brain(&self, found: &mut Found) {
        let writable = self.writable();
        let [first, .., last] = writable[..] else { return };
        // The one that nobody produces into is the one to fence.
        let here = self.producer.zone.as_ref() == Some(&last.name);
        let (keeps, goes) = if here { (last, first) } else { (first, last) };
        let (one, other, goes) = (&first.name, &last.name, &goes.name);
        let ends = format!(
            "`fence {goes}` ends that, then `salvage {goes}` brings zone {} what it lacks",
            keeps.name
        );
        // With a third one the counts would be of another pair.
        let promoted = self.zones.iter().filter(|zone| zone.ledger.apart.is_some()).count();
        let cause = match (first.ledger.apart, last.ledger.apart) {
            (None, Some(Apart { alone, lacks })) if promoted == 1 => format!(
                "zones {one} and {other} both take messages: zone {one} has {lacks} acknowledged ones that zone {other} lacks, zone {other} {alone} that zone {one} lacks; {ends}"
            ),
            _ => format!(
                "zones {one} and {other} both take messages: each has what the other lacks; {ends}"
            ),
        };
        found.add(AlarmKind::SplitBrain, Some(goes), None, cause, Remedy::Fence(goes.clone()));
    }

    /// Copies of a zone that takes no messages any more, while another does.
    fn orphans(&self, found: &mut Found) {
        let writable = self.writable();
        let ([taking], Some(hub)) = (&writable[..], self.source()) else { return };
        if taking.is_hub() {
            return;
        }
        for zone in self.zones.iter().filter(|zone| zone.role == Role::Mirror) {
            let cause = format!(
                "zone {} copies zone {}, which takes no messages: it gets nothing of what zone {} takes",
                zone.name, hub.name, taking.name
            );
            found.add(AlarmKind::Split, Some(&zone.name), None, cause, None);
        }
    }

    /// What is wrong with a zone, the worst first.
    #[must_use]
    pub fn alarms_of(&self, zone: &Zone) -> Vec<Alarm> {
        let mut found = Found::default();
        if self.phase == Phase::Up {
            self.zone_alarms(zone, &mut found);
        }
        self.mendable(found.sorted())
    }

    /// The word for the region: `OK`, or that of its worst alarm, with the zone where one link is
    /// meant.
    #[must_use]
    pub fn word(alarms: &[Alarm]) -> String {
        use AlarmKind::{Behind, Cut, Down, Fenced, Impaired, Stuck};
        match alarms.first() {
            None => "OK".into(),
            Some(Alarm {
                kind: kind @ (Cut | Down | Stuck | Fenced | Behind | Impaired),
                zone: Some(zone),
                ..
            }) => {
                format!("{kind} {zone}")
            }
            Some(alarm) => alarm.kind.to_string(),
        }
    }

    fn zone_alarms(&self, zone: &Zone, found: &mut Found) {
        // One that comes or goes says so itself.
        if zone.state != ZoneState::Ready {
            return;
        }
        let name = &zone.name;
        let here = Some(name);
        let wrong: Vec<String> = zone
            .ledger
            .faults()
            .into_iter()
            .filter(|(_, number)| *number > 0)
            .map(|(what, number)| format!("{} {what}", count(number)))
            .collect();
        if !wrong.is_empty() {
            let cause = format!("zone {name}: {}", wrong.join(", "));
            found.add(AlarmKind::Loss, here, None, cause, Remedy::Verify(name.clone()));
        }
        if let Some((number, limits)) = self.gone_at_source(zone) {
            let cause = gone_at_source(name, number, &limits);
            found.add(AlarmKind::Loss, here, None, cause, Remedy::Verify(name.clone()));
        }
        for one in &zone.differences {
            let (cause, since) = (one.difference.describe(name), Some(one.since_at_ms));
            found.add(AlarmKind::Changed, here, since, cause, one.difference.remedy(name));
        }
        if let Some(consumer) = &zone.consumer {
            if let Some(why) = &consumer.trouble {
                let cause = format!("the consumer of zone {name}: {why}");
                found.add(AlarmKind::Trouble, here, None, cause, Remedy::Status);
            }
            if consumer.elsewhere > 0 {
                let cause = fetched_elsewhere(name, consumer.elsewhere);
                found.add(AlarmKind::Trouble, here, None, cause, None);
            }
        }
        if zone.ledger.unrecorded > 0 {
            let number = count(zone.ledger.unrecorded);
            let cause = format!(
                "zone {name}: the ledger was cut short, and cannot tell of {number} messages whether they are lost"
            );
            found.add(AlarmKind::Unknown, here, None, cause, Remedy::Verify(name.clone()));
        }
        for stranger in zone.foreign.iter().filter(|stranger| !stranger.looks) {
            let since = Some(stranger.since_at_ms);
            found.add(AlarmKind::Stranger, here, since, stranger.to_string(), None);
        }
        for node in zone.nodes.iter().filter(|node| node.state != NodeState::Up) {
            let remedy = Remedy::of_node(&node.name, node.state);
            let cause = format!("{} is {}", node.name, node.state);
            found.add(AlarmKind::Degraded, here, Some(node.since_at_ms), cause, remedy);
        }
        if zone.role == Role::Fenced {
            let cause = format!("zone {name} is fenced: its stream takes no messages");
            found.add(AlarmKind::Fenced, here, None, cause, Remedy::Salvage(name.clone()));
        }
        Self::link_alarms(zone, found);
        if zone.stream.as_ref().is_some_and(|stream| stream.leader.is_none()) {
            let cause = format!("nobody leads the stream of zone {name}: it takes nothing");
            found.add(AlarmKind::NoLeader, here, None, cause, None);
        }
        // A record of an old format tells of neither.
        if zone.recorded.is_none() {
            let told = zone.stream.as_ref().map(|stream| stream.told_at_ms);
            self.must_be_fresh(zone, "stream", told, found);
            // In a zone of others nobody has to name one.
            if zone.consumer.is_some() || !zone.of_others() {
                let told = zone.consumer.as_ref().and_then(|consumer| consumer.told_at_ms);
                self.must_be_fresh(zone, "consumer", told, found);
            }
        }
    }

    fn must_be_fresh(&self, zone: &Zone, what: &str, told: Option<UnixMs>, found: &mut Found) {
        let age = told.map(|told| self.at_ms.saturating_sub(told));
        let name = &zone.name;
        let cause = match age {
            Some(age) if age < FRESH_MS => return,
            Some(age) => {
                format!("nothing was heard of the {what} of zone {name} for {}", span(age))
            }
            None => format!("nothing is known of the {what} of zone {name}"),
        };
        found.add(AlarmKind::Unknown, Some(name), told, cause, Remedy::Doctor);
    }

    fn link_alarms(zone: &Zone, found: &mut Found) {
        let (name, here) = (&zone.name, Some(&zone.name));
        if zone.is_hub() {
            return;
        }
        let link = zone.link.as_ref();
        let since = link.map(|link| link.since_at_ms);
        match link.map(|link| (link.state, link.effective)) {
            Some((LinkState::Cut, proved)) => {
                let proof = if proved { "confirmed at both ends" } else { "not confirmed yet" };
                let cause = format!("zone {name} is cut off by a command, {proof}");
                found.add(AlarmKind::Cut, here, since, cause, Remedy::Heal(name.clone()));
            }
            Some((LinkState::Down, _)) => {
                let cause = format!(
                    "zone {name} has no leafnode connection to the source, and no command cut it"
                );
                found.add(AlarmKind::Down, here, since, cause, Remedy::Doctor);
            }
            Some((LinkState::Impaired, proved)) => {
                let asked = link.and_then(|link| link.condition).unwrap_or_default();
                let proof = if proved { "as measured" } else { "not measured yet" };
                let cause =
                    format!("the link of zone {name} is made worse by a command: {asked}, {proof}");
                found.add(AlarmKind::Impaired, here, since, cause, Remedy::Heal(name.clone()));
            }
            Some((LinkState::Stuck, _)) => {
                let why = link.and_then(Link::why_stuck).unwrap_or_default();
                let cause =
                    format!("the link of zone {name} is connected and nothing moves: {why}");
                let asked = link.is_some_and(|link| link.condition.is_some());
                let remedy = if asked { Remedy::Heal(name.clone()) } else { Remedy::Doctor };
                found.add(AlarmKind::Stuck, here, since, cause, remedy);
            }
            Some((LinkState::Up, _)) | None => {}
        }
        let Some(mirror) = &zone.mirror else { return };
        let lag = mirror.true_lag.map_or("an unknown number".into(), count);
        let (kind, cause, remedy) = match mirror.state {
            MirrorState::Diverged
            | MirrorState::Promoted
            | MirrorState::Replaced
            | MirrorState::SourceRecreated => {
                let cause = format!("the mirror of zone {name} is {}", mirror.state);
                (AlarmKind::Split, cause, Some(Remedy::Repair(name.clone())))
            }
            MirrorState::Missing => {
                let cause = format!("zone {name} has no mirror: its stream does not exist");
                (AlarmKind::Behind, cause, Some(Remedy::Repair(name.clone())))
            }
            MirrorState::Stalled => {
                let cause =
                    format!("the mirror of zone {name} stands still, {lag} messages behind");
                (AlarmKind::Behind, cause, Some(Remedy::Nudge(name.clone())))
            }
            _ if zone.recovery.as_ref().is_some_and(|clock| clock.caught_up_after_ms.is_none())
                && link.is_some_and(|link| link.state.connected()) =>
            {
                let cause = format!("zone {name} is catching up after a heal, {lag} behind");
                (AlarmKind::Behind, cause, None)
            }
            MirrorState::Streaming | MirrorState::CatchingUp => return,
            // A link that does not carry has its own alarm.
            _ if link.is_some_and(|link| !link.state.connected() || link.stuck.is_some()) => return,
            _ if link.is_none() && !zone.of_others() => return,
            MirrorState::Unknown => {
                let cause = format!("what the mirror of zone {name} does is not known");
                (AlarmKind::Unknown, cause, Some(Remedy::Doctor))
            }
            MirrorState::Silent
            | MirrorState::NeverLinked
            | MirrorState::DurableMissing
            | MirrorState::DurablePaused => {
                let link = if link.is_some() { " though its link is up" } else { "" };
                let cause = format!(
                    "the mirror of zone {name} is {}{link}, {lag} messages behind",
                    mirror.state
                );
                (AlarmKind::Behind, cause, Some(Remedy::Doctor))
            }
        };
        found.add(kind, here, None, cause, remedy);
    }
}

#[derive(Default)]
struct Found(Vec<Alarm>);

impl Found {
    fn sorted(self) -> Vec<Alarm> {
        let mut alarms = self.0;
        alarms.sort_by_key(|alarm| alarm.kind);
        alarms
    }

    fn add(
        &mut self,
        kind: AlarmKind,
        zone: Option<&ZoneName>,
        since_at_ms: Option<UnixMs>,
        cause: String,
        remedy: impl Into<Option<Remedy>>,
    ) {
        let (zone, remedy) = (zone.cloned(), remedy.into());
        self.0.push(Alarm { kind, zone, cause, since_at_ms, remedy });
    }
}

#[cfg(test)]
mod tests;
