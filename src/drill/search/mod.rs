//! A search for what breaks: a schedule of faults by a seed, the drill script it makes, and how it
//! is made shorter while it still fails. Pure.
//!
//! | file | what is inside |
//! |---|---|
//! | `chance` | from a seed to a schedule |
//! | `written` | the schedule as a drill script that anybody can run |
//! | [`shrink`] | the shortest schedule that still fails |

mod chance;
pub mod shrink;
mod written;

use std::time::Duration;

use serde::Serialize;

use crate::{
    command::{Command, Family},
    region::ZoneName,
};

/// A fault of a schedule: what begins it, how long it lasts, what ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// After the first messages, in milliseconds.
    pub at_ms: u64,
    /// 0 for what is over at once.
    pub for_ms: u64,
    pub family: Family,
    pub begin: Command,
    pub end: Option<Command>,
}

impl Fault {
    fn ends_ms(&self) -> u64 {
        self.at_ms + self.for_ms
    }
}

/// What is thrown at a region, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Schedule {
    pub seed: u64,
    pub source: ZoneName,
    pub mirror: ZoneName,
    /// Bytes of each message.
    pub size: u32,
    /// In the order in which they begin.
    pub faults: Vec<Fault>,
}

/// What schedules are made of.
#[derive(Clone, Debug)]
pub struct Ground {
    pub source: ZoneName,
    pub mirror: ZoneName,
    /// The zone that joins and leaves.
    pub new_zone: ZoneName,
    pub families: Vec<Family>,
    /// How a link is cut there, and how it can be impaired.
    pub links: Vec<Command>,
    /// From the first fault to the end of the last one.
    pub length: Duration,
}

/// How bad a platform can make a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadLinks {
    /// Cut, or filtered as a kernel can that drops packets and holds none back.
    Filters,
    /// As a relay of connections can: slow, thin, flapping, half open.
    Streams,
    /// As what carries packets can: losing, repeating and altering them as well.
    Packets,
}

impl Ground {
    /// A region of the usual zones; `None` if those had no names.
    #[must_use]
    pub fn of(families: Vec<Family>, bad: BadLinks, length: Duration) -> Option<Self> {
        let known: &[&str] = match bad {
            BadLinks::Filters => &[
                "cut b",
                "impair b --rate 200kbit",
                "impair b --loss 5%",
                "impair b --silent --direction from",
                "impair b --silent --direction to",
            ],
            BadLinks::Streams | BadLinks::Packets => &[
                "cut b",
                "cut b --kind silent",
                "impair b --delay 80ms --jitter 20ms",
                "impair b --rate 200kbit",
                "impair b --flap 1s/500ms",
                "impair b --reset 1s",
                "impair b --silent --direction from",
            ],
        };
        let packets: &[&str] = match bad {
            BadLinks::Packets => &[
                "impair b --loss 5%",
                "impair b --duplicate 2% --reorder 2%",
                "impair b --corrupt 1%",
            ],
            BadLinks::Filters | BadLinks::Streams => &[],
        };
        Some(Self {
            source: "a".parse().ok()?,
            mirror: "b".parse().ok()?,
            new_zone: "c".parse().ok()?,
            families,
            links: known.iter().chain(packets).filter_map(|line| line.parse().ok()).collect(),
            length,
        })
    }
}

impl Schedule {
    /// The name of its drill.
    #[must_use]
    pub fn name(&self) -> String {
        format!("search-{}", self.seed)
    }

    /// Its faults in a line.
    #[must_use]
    pub fn told(&self) -> String {
        let told = |fault: &Fault| {
            let lasts = if fault.for_ms == 0 {
                String::new()
            } else {
                format!(" for {:.1} s", fault.for_ms as f64 / 1_000.0)
            };
            format!("{}{lasts}", fault.begin)
        };
        self.faults.iter().map(told).collect::<Vec<_>>().join(", ")
    }

    /// The share of the time from the first fault to the end of the last one in which at least one
    /// is alive, in percent.
    #[must_use]
    pub fn alive_percent(&self) -> u64 {
        let mut spans: Vec<_> = self.faults.iter().map(|f| (f.at_ms, f.ends_ms())).collect();
        spans.sort_unstable();
        let (Some(first), Some(last)) =
            (spans.first().map(|span| span.0), spans.iter().map(|span| span.1).max())
        else {
            return 0;
        };
        let (mut alive, mut reached) = (0, first);
        for (from, to) in spans {
            alive += to.saturating_sub(from.max(reached));
            reached = reached.max(to);
        }
        if last == first { 100 } else { alive * 100 / (last - first) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::script::{Filling, Script};

    pub(super) fn ground(families: &[Family]) -> Ground {
        let ground = Ground::of(families.to_vec(), BadLinks::Packets, Duration::from_secs(10));
        let ground = ground.unwrap();
        assert_eq!(ground.links.len(), 10, "every line is a command");
        ground
    }

    #[test]
    fn a_seed_is_one_schedule_and_another_is_another() {
        let ground = ground(Family::ALL);
        let made: Vec<Schedule> = (0..50).map(|seed| Schedule::by(seed, &ground)).collect();
        for schedule in &made {
            assert_eq!(*schedule, Schedule::by(schedule.seed, &ground));
        }
        let mut told: Vec<String> = made.iter().map(Schedule::told).collect();
        told.sort();
        told.dedup();
        assert!(told.len() > 45, "{told:#?}");
        for family in Family::ALL {
            let of = |schedule: &&Schedule| schedule.faults.iter().any(|f| f.family == *family);
            assert!(made.iter().filter(of).count() > 5, "{family}");
        }
    }

    /// Something is broken most of the time, no zone loses its quorum, and everything ends.
    #[test]
    fn faults_overlap_and_leave_each_zone_its_quorum() {
        let ground = ground(Family::ALL);
        for seed in 0..300 {
            let schedule = Schedule::by(seed, &ground);
            assert!(schedule.alive_percent() >= 50, "{schedule:#?}");
            for (i, fault) in schedule.faults.iter().enumerate() {
                assert_eq!(fault.for_ms > 0, fault.end.is_some(), "{fault:?}");
                assert!(fault.ends_ms() <= 10_000);
                let clash = schedule.faults[i + 1..].iter().find(|other| {
                    let node = |fault: &Fault| match &fault.begin {
                        Command::Node { node, .. } => Some(node.zone.clone()),
                        Command::Stepdown { zone, .. } => Some(zone.clone()),
                        _ => None,
                    };
                    let together = other.at_ms <= fault.ends_ms();
                    together && node(fault).is_some() && node(fault) == node(other)
                });
                assert_eq!(clash, None, "{schedule:#?}");
            }
        }
    }

    /// What a search prints is a drill of the house's own kind.
    #[test]
    fn every_schedule_is_a_script_that_can_be_read() {
        let ground = ground(Family::ALL);
        for seed in 0..100 {
            let schedule = Schedule::by(seed, &ground);
            let text = schedule.script();
            let script = Script::parse(&text, "search").unwrap_or_else(|e| panic!("{e}\n{text}"));
            assert_eq!(script.name, schedule.name());
            let filling = Filling {
                scale: 1,
                source: ground.source.clone(),
                mirror: ground.mirror.clone(),
                leader: None,
                new_zone: None,
                options: crate::command::DrillOptions::default(),
                external: false,
            };
            let filled = script.fill(&filling).unwrap();
            let given: Vec<Command> = filled.commands().collect();
            for fault in &schedule.faults {
                for command in [Some(&fault.begin), fault.end.as_ref()].into_iter().flatten() {
                    assert!(given.contains(command), "{command}: {text}");
                }
            }
        }
    }

    #[test]
    fn only_what_is_asked_for_is_thrown() {
        let ground = ground(&[Family::Consumer]);
        for seed in 0..20 {
            let schedule = Schedule::by(seed, &ground);
            assert!(schedule.faults.iter().all(|fault| fault.family == Family::Consumer));
            assert!(!schedule.faults.is_empty());
        }
    }
}
