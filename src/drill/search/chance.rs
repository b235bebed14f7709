//! From a seed to a schedule.

use super::{Fault, Ground, Schedule};
use crate::{
    command::{Command, Family, Group, NodeAct},
    region::ZoneName,
};

/// The least and the most faults of a schedule, unless more are needed so that something is broken
/// most of the time.
const FAULTS: std::ops::RangeInclusive<usize> = 3..=6;
/// No schedule has more.
const MOST: usize = 12;
/// Of the time in which at least one fault is alive.
const ALIVE_PERCENT: u64 = 50;
/// A fault lasts at least so long, in milliseconds.
const SHORTEST_MS: u64 = 400;
/// Times are multiples of this, in milliseconds.
const GRAIN_MS: u64 = 100;
/// What a zone needs between two faults of its nodes, until all of them hold the same again, in
/// milliseconds.
const RECOVERS_MS: u64 = 2_500;
/// How often a fault that does not fit is thrown again.
const TRIES: usize = 40;

/// What a fault occupies: two faults of one place are not alive at once.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Link,
    /// One node at a time, so that the zone keeps its quorum.
    Nodes(ZoneName),
    Consumer(ZoneName),
    Zone,
}

/// A fault before its time is known.
struct Thrown {
    family: Family,
    places: Vec<Place>,
    begin: Command,
    end: Option<Command>,
}

impl Schedule {
    /// The schedule of that seed: the same for the same ground.
    #[must_use]
    pub fn by(seed: u64, ground: &Ground) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let size = *rng.choice(&[128, 128, 512, 1024]).unwrap_or(&128);
        let (source, mirror) = (ground.source.clone(), ground.mirror.clone());
        let mut schedule = Self { seed, source, mirror, size, faults: Vec::new() };
        let mut taken: Vec<(Place, u64, u64)> = Vec::new();
        let wanted = rng.usize(FAULTS);
        let length = ground.length.as_millis() as u64;
        for _ in 0..TRIES {
            let enough =
                schedule.faults.len() >= wanted && schedule.alive_percent() >= ALIVE_PERCENT;
            if enough || schedule.faults.len() == MOST {
                break;
            }
            let Some(thrown) = throw(&mut rng, ground) else { break };
            let lasts = thrown.end.is_some();
            // The later ones fill the gaps: they may be longer.
            let most = if schedule.faults.len() < wanted { length / 2 } else { length };
            let for_ms =
                if lasts { round(rng.u64(SHORTEST_MS..=most.max(SHORTEST_MS))) } else { 0 };
            let at_ms = round(rng.u64(0..=length.saturating_sub(for_ms)));
            let free = |place: &Place| {
                let rest =
                    if matches!(place, Place::Nodes(_) | Place::Zone) { RECOVERS_MS } else { 0 };
                taken.iter().all(|(other, from, to)| {
                    other != place || at_ms > to + rest || at_ms + for_ms + rest < *from
                })
            };
            if thrown.places.iter().all(free) {
                let span = |place| (place, at_ms, at_ms + for_ms);
                taken.extend(thrown.places.into_iter().map(span));
                let Thrown { family, begin, end, .. } = thrown;
                schedule.faults.push(Fault { at_ms, for_ms, family, begin, end });
            }
        }
        schedule.faults.sort_by_key(|fault| fault.at_ms);
        schedule
    }
}

fn round(ms: u64) -> u64 {
    ms / GRAIN_MS * GRAIN_MS
}

fn throw(rng: &mut fastrand::Rng, ground: &Ground) -> Option<Thrown> {
    let family = *rng.choice(&ground.families)?;
    let zone = rng.choice([&ground.source, &ground.mirror])?.clone();
    let node = zone.nodes().nth(rng.usize(0..3))?;
    let nodes = vec![Place::Nodes(zone.clone())];
    let act = |act| Command::Node { act, node: node.clone() };
    let (places, begin, end) = match family {
        Family::Link => {
            let begin = rng.choice(&ground.links)?.clone();
            let heal = Command::Heal { zone: Some(ground.mirror.clone()) };
            (vec![Place::Link], begin, Some(heal))
        }
        Family::Node => match rng.u8(0..3) {
            0 => (nodes, act(NodeAct::Freeze), Some(act(NodeAct::Thaw))),
            1 => (nodes, act(NodeAct::Stop), Some(act(NodeAct::Start))),
            _ => {
                let stream = if zone == ground.source { Group::Stream } else { Group::Mirror };
                let group = *rng.choice(&[stream, stream, Group::Consumer, Group::Meta])?;
                (nodes, Command::Stepdown { zone, group }, None)
            }
        },
        Family::Process => (nodes, act(NodeAct::Kill), Some(act(NodeAct::Start))),
        Family::Consumer => {
            let places = vec![Place::Consumer(zone.clone())];
            let (begin, end) = if rng.bool() {
                let end = Command::ConsumerResume { zone: zone.clone() };
                (Command::ConsumerPause { zone }, end)
            } else {
                let rate = ["20/s", "50/s"][rng.usize(0..2)].parse().ok();
                let end = Command::ConsumerRate { zone: zone.clone(), rate: None };
                (Command::ConsumerRate { zone, rate }, end)
            };
            (places, begin, Some(end))
        }
        Family::Zone => {
            // The source's nodes serve the new zone while it joins.
            let places = vec![Place::Zone, Place::Nodes(ground.source.clone())];
            let new = ground.new_zone.clone();
            let end = Command::ZoneRemove { zone: new.clone(), force: false };
            (places, Command::ZoneAdd { zone: Some(new) }, Some(end))
        }
    };
    Some(Thrown { family, places, begin, end })
}
