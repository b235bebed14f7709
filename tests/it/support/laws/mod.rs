//! A small model of a region with a known truth, through which the built-in drills are played.

mod world;

pub use crate::support::model::run_id;
use crate::support::model::{Stored, begin};
use world::World;
use zonedrill::{
    drill::{
        checks::ReplicaAudit,
        library,
        record::Entry,
        script::{Action, Filling, Script},
    },
    ledger::{Ledger, audit::StreamAudit, record::Record},
    region::ZoneName,
};

/// What goes wrong: with the region, with the drill, or with the looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The mirror gets messages while cut.
    Leak,
    /// The cut is there, but leafnode connections are, too.
    Bypass,
    /// One replica of a zone lacks a message.
    Lose,
    /// A message stands twice.
    Duplicate,
    /// A replica's message is altered.
    Corrupt,
    /// Two messages of a replica swapped.
    Reorder,
    /// A consumer never got one message.
    Skip,
    NoPause,
    Restart,
    Reconfigure,
    Nothing,
    /// The source's consumer stands still while cut.
    Stall,
    /// Somebody pauses a consumer.
    Hand,
    Blind,
    Unread,
    Reload,
    Interrupt,
    Nudge,
    SameSpeed,
    /// Somebody else produces, too.
    Foreign,
    /// Somebody else publishes messages that are no drill messages.
    Published,
    /// A zone's consumer (0: the source's) stands still for four seconds in a phase, from the first
    /// moment in which it has work.
    Stalls(usize, &'static str),
    /// So slow before the cut that the cut looks fast, and stalled in it.
    NoisyAndStalled,
    /// Somebody fetches 60 messages of the source's consumer in the cut: they come 5 s late.
    Redelivered,
    /// Somebody fetches 60 messages of a zone's consumer and acknowledges them.
    TakenAway(usize),
    /// The room is stopped for 12 s in a phase.
    Asleep(&'static str),
    /// Somebody sets the clock by 30 s in a phase.
    ClockSet(&'static str),
    /// The machine is suspended for an hour in a phase.
    Suspended(&'static str),
    /// The source's limits delete the messages of the second half before the mirrors have them.
    Limits,
    /// What the mirror of zone b pulls from is gone.
    DurableGone,
    /// The consumer of zone b is deleted.
    ConsumerGone,
    /// The consumer of zone b is made to skip messages.
    Filtered,
    /// The same, and the server's audit says who did it.
    FilteredBy,
}

/// The faults of `docs/verdicts.md`, by their names there.
pub const FAULTS: [(&str, Fault); 53] = [
    ("nothing goes wrong", Fault::None),
    ("the cut leaks", Fault::Leak),
    ("the cut is bypassed", Fault::Bypass),
    ("a replica lacks a message", Fault::Lose),
    ("a message stands twice", Fault::Duplicate),
    ("a message is altered", Fault::Corrupt),
    ("two messages are swapped", Fault::Reorder),
    ("a consumer never gets one message", Fault::Skip),
    ("a pause pauses nobody", Fault::NoPause),
    ("the producer reconnects", Fault::Restart),
    ("the producer is reconfigured", Fault::Reconfigure),
    ("a source server reloads", Fault::Reload),
    ("nothing is produced", Fault::Nothing),
    ("a stands still for the whole cut", Fault::Stall),
    ("a stalls before", Fault::Stalls(0, "before")),
    ("a stalls in the cut", Fault::Stalls(0, "during")),
    ("a stalls while healing", Fault::Stalls(0, "healing")),
    ("a stalls after", Fault::Stalls(0, "after")),
    ("a stalls while b goes on alone", Fault::Stalls(0, "apart")),
    ("a stalls after its pause", Fault::Stalls(0, "meeting")),
    ("a stalls while a zone joins", Fault::Stalls(0, "joining")),
    ("b stalls before", Fault::Stalls(1, "before")),
    ("b stalls in the cut", Fault::Stalls(1, "during")),
    ("b stalls while healing", Fault::Stalls(1, "healing")),
    ("b stalls after", Fault::Stalls(1, "after")),
    ("b stalls while a is paused", Fault::Stalls(1, "apart")),
    ("b stalls while a zone joins", Fault::Stalls(1, "joining")),
    ("a stalls before and in the cut", Fault::NoisyAndStalled),
    ("60 of a's messages are fetched by somebody, and come late", Fault::Redelivered),
    ("60 of a's messages are fetched and acked by somebody", Fault::TakenAway(0)),
    ("60 of b's messages are fetched and acked by somebody", Fault::TakenAway(1)),
    ("somebody pauses a consumer", Fault::Hand),
    ("somebody else produces", Fault::Foreign),
    ("somebody publishes messages of his own", Fault::Published),
    ("nobody looks", Fault::Blind),
    ("the room is stopped before", Fault::Asleep("before")),
    ("the room is stopped in the cut", Fault::Asleep("during")),
    ("the room is stopped while healing", Fault::Asleep("healing")),
    ("the room is stopped while a is paused", Fault::Asleep("apart")),
    ("the room is stopped while a zone joins", Fault::Asleep("joining")),
    ("the clock is set in the cut", Fault::ClockSet("during")),
    ("the clock is set while healing", Fault::ClockSet("healing")),
    ("the clock is set while a is paused", Fault::ClockSet("apart")),
    ("the clock is set while a zone joins", Fault::ClockSet("joining")),
    ("the machine is suspended while healing", Fault::Suspended("healing")),
    ("limits delete messages", Fault::Limits),
    ("the durable of b's mirror is gone", Fault::DurableGone),
    ("the consumer of b is gone", Fault::ConsumerGone),
    ("the consumer of b is filtered", Fault::Filtered),
    ("the consumer of b is filtered, and it is known by whom", Fault::FilteredBy),
    ("a replica is not read", Fault::Unread),
    ("the drill is interrupted", Fault::Interrupt),
    ("the mirror is nudged", Fault::Nudge),
];

fn name(text: &str) -> ZoneName {
    text.parse().unwrap()
}

/// A drill that was played, and its evidence.
pub struct Played {
    pub entries: Vec<Entry>,
    pub ledger: Ledger,
    /// What the ledger was told, in order.
    pub records: Vec<Record>,
    pub streams: Vec<ReplicaAudit>,
}

fn script(drill: &str) -> Script {
    let all = library::builtin();
    let filling = Filling {
        scale: 1,
        source: name("a"),
        mirror: name("b"),
        leader: None,
        new_zone: (drill == "grow").then(|| name("c")),
        options: zonedrill::command::DrillOptions::default(),
        external: false,
    };
    all.iter().find(|script| script.name == drill).unwrap().fill(&filling).unwrap()
}

/// Does one thing of a step; a wait in vain fails.
fn act(world: &mut World, action: &Action) -> Result<(), String> {
    match action {
        Action::Run { line, background } => world.command(line, *background),
        Action::WaitFor { .. } => world.tick(),
        Action::Wait { condition, within } => {
            let began = world.mono;
            let held = loop {
                let held = condition.holds(&world.status(), &world.start);
                if held.met || world.mono - began > within.as_millis() as u64 {
                    break held;
                }
                world.tick();
            };
            let (took_ms, at) = (world.mono - began, world.now());
            let (condition, met, seen) = (condition.to_string(), held.met, held.seen);
            let failed = format!("`{condition}` did not come true");
            world.entries.push(Entry::Waited { condition, met, seen, took_ms, at });
            if !met {
                return Err(failed);
            }
        }
    }
    Ok(())
}

/// Plays a script. `at` chooses the message that is hurt, `replica` the replica.
pub fn play(drill: &str, fault: Fault, at: u64, replica: usize) -> Played {
    let script = script(drill);
    let mut world = World::new(fault);
    let new_zone = (drill == "grow").then(|| name("c"));
    world.entries.push(begin(drill, script.text.clone(), new_zone, world.now()));
    world.start = world.status();
    world.servers("t1");
    world.sample();
    for (index, step) in script.steps.iter().enumerate() {
        let (title, now) = (step.title.clone(), world.now());
        if let Some(phase) = &step.phase {
            world.sample();
            world.begin_phase(phase);
            world.entries.push(Entry::Phase { name: phase.clone(), at: now });
        }
        world.entries.push(Entry::Step { index, title, at: now });
        let failed = step.actions.iter().find_map(|action| act(&mut world, action).err());
        let (ok, at) = (failed.is_none(), world.now());
        world.entries.push(Entry::StepDone { index, ok, why: failed, at });
        if !ok {
            break;
        }
        world.tick();
    }
    world.tick();
    world.tick();
    world.metered();
    world.servers(if fault == Fault::Reload { "t2" } else { "t1" });
    let mut streams = Vec::new();
    let names: Vec<ZoneName> = world.zones.iter().map(|zone| zone.name.clone()).collect();
    for (z, zone) in names.iter().enumerate() {
        for (r, node) in zone.nodes().enumerate() {
            if fault == Fault::Unread && z == 1 && r == replica {
                let (zone, replica, why) = (zone.clone(), node, "it is frozen".into());
                world.entries.push(Entry::Unread { zone, replica, why, at: world.now() });
                continue;
            }
            let hurt = if fault == Fault::Limits { z == 0 } else { z == 1 && r == replica };
            let held = &world.messages[..world.zones[z].stream as usize];
            let audit = read(held, zone, if hurt { fault } else { Fault::None }, at);
            let print = audit.fingerprint();
            world.entries.push(Entry::Stream {
                zone: zone.clone(),
                replica: node.clone(),
                file: format!("stream-{node}.txt"),
                messages: print.messages(),
                ends: print.first().map(|first| (first, print.last())),
                through: None,
                at: world.now(),
            });
            streams.push(ReplicaAudit { replica: node, audit });
        }
    }
    let why = match fault {
        Fault::Interrupt => Some("ctrl-c"),
        Fault::FilteredBy => Some("eve updated consumer-b"),
        _ => None,
    };
    if let Some(why) = why {
        world.entries.push(Entry::Interrupted { why: why.into(), at: world.now() });
    }
    world.entries.push(Entry::End { at: world.now() });
    let World { entries, ledger, records, .. } = world;
    Played { entries, ledger, records, streams }
}

fn read(messages: &[(u32, u64)], zone: &ZoneName, fault: Fault, at: u64) -> StreamAudit {
    let mut all: Vec<(u64, (u32, u64))> = (1..).zip(messages.iter().copied()).collect();
    let at = (at as usize) % all.len().saturating_sub(1).max(1);
    if !all.is_empty() {
        match fault {
            Fault::Lose => drop(all.remove(at)),
            // The limits keep the second half of what there is, and its end.
            Fault::Limits => drop(all.drain(..messages.len() / 2)),
            Fault::Duplicate => {
                let copy = all[at].1;
                all.push((messages.len() as u64 + 1, copy));
            }
            Fault::Reorder => {
                let (one, two) = (all[at].1, all[at + 1].1);
                (all[at].1, all[at + 1].1) = (two, one);
            }
            _ => {}
        }
    }
    let stored = all.into_iter().enumerate().map(|(i, (seq, (producer, number)))| {
        let altered = fault == Fault::Corrupt && i == at;
        Stored { seq, producer, number, altered }
    });
    crate::support::model::read(zone.clone(), stored)
}
