//! A small model of a region with a known truth, through which the built-in drills are played.

#[path = "../support_model/mod.rs"]
mod support_model;
mod world;

pub use support_model::run_id;
use support_model::{Stored, begin};
use world::World;
use zonedrill::{
    drill::{
        law::ReplicaAudit,
        library,
        record::Entry,
        script::{Action, Filling, Script},
    },
    ledger::{audit::StreamAudit, book::Ledger},
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
    /// The source's consumer is slow while cut.
    Slow,
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
}

fn name(text: &str) -> ZoneName {
    text.parse().unwrap()
}

/// A drill that was played, and its evidence.
pub struct Played {
    pub entries: Vec<Entry>,
    pub ledger: Ledger,
    pub streams: Vec<ReplicaAudit>,
}

fn script(drill: &str) -> Script {
    let all = library::builtin();
    let filling = Filling {
        scale: 1,
        source: name("a"),
        mirror: name("b"),
        new_zone: (drill == "grow").then(|| name("c")),
    };
    all.iter().find(|script| script.name == drill).unwrap().fill(&filling).unwrap()
}

/// Plays a script. `at` chooses the message that is hurt, `replica` the replica.
pub fn play(drill: &str, fault: Fault, at: u64, replica: usize) -> Played {
    let script = script(drill);
    let mut world = World::new(fault);
    let new_zone = (drill == "grow").then(|| name("c"));
    world.entries.push(begin(drill, script.text.clone(), new_zone, world.now));
    world.start = world.status();
    world.servers("t1");
    world.sample();
    for (index, step) in script.steps.iter().enumerate() {
        let (title, now) = (step.title.clone(), world.now);
        if let Some(phase) = &step.phase {
            world.phase.clone_from(phase);
            world.entries.push(Entry::Phase { name: phase.clone(), at: now });
        }
        world.entries.push(Entry::Step { index, title, at: now });
        for action in &step.actions {
            match action {
                Action::Run { line, background } => world.command(line, *background),
                Action::WaitFor { .. } => world.tick(),
                Action::Wait { condition, within } => {
                    let began = world.now;
                    let held = loop {
                        let held = condition.holds(&world.status(), &world.start);
                        if held.met || world.now - began > within.as_millis() as u64 {
                            break held;
                        }
                        world.tick();
                    };
                    let took_ms = world.now - began;
                    let (condition, at) = (condition.to_string(), world.now);
                    let (met, seen) = (held.met, held.seen);
                    world.entries.push(Entry::Waited { condition, met, seen, took_ms, at });
                }
            }
        }
        world.entries.push(Entry::StepDone { index, ok: true, why: None, at: world.now });
        world.tick();
    }
    world.tick();
    world.tick();
    if drill == "cut" {
        for phase in ["before", "during", "after"] {
            let us = if fault == Fault::Slow && phase == "during" { 3_000_000 } else { 2000 };
            world.entries.push(Entry::Latency {
                zone: name("a"),
                phase: phase.into(),
                buckets: vec![(us, 60)],
                before_ack: 0,
            });
        }
    }
    world.servers(if fault == Fault::Reload { "t2" } else { "t1" });
    let mut streams = Vec::new();
    let names: Vec<ZoneName> = world.zones.iter().map(|zone| zone.name.clone()).collect();
    for (z, zone) in names.iter().enumerate() {
        for (r, node) in zone.nodes().enumerate() {
            if fault == Fault::Unread && z == 1 && r == replica {
                let (zone, replica, why) = (zone.clone(), node, "it is frozen".into());
                world.entries.push(Entry::Unread { zone, replica, why, at: world.now });
                continue;
            }
            let hurt = z == 1 && r == replica;
            let audit = read(&world.messages, zone, if hurt { fault } else { Fault::None }, at);
            let print = audit.fingerprint();
            world.entries.push(Entry::Stream {
                zone: zone.clone(),
                replica: node.clone(),
                file: format!("stream-{node}.txt"),
                messages: print.messages(),
                ends: print.first().map(|first| (first, print.last())),
                at: world.now,
            });
            streams.push(ReplicaAudit { replica: node, audit });
        }
    }
    if fault == Fault::Interrupt {
        world.entries.push(Entry::Interrupted { why: "ctrl-c".into(), at: world.now });
    }
    world.entries.push(Entry::End { at: world.now });
    Played { entries: world.entries, ledger: world.ledger, streams }
}

fn read(messages: &[(u32, u64)], zone: &ZoneName, fault: Fault, at: u64) -> StreamAudit {
    let mut all: Vec<(u64, (u32, u64))> = (1..).zip(messages.iter().copied()).collect();
    let at = (at as usize) % all.len().saturating_sub(1).max(1);
    if !all.is_empty() {
        match fault {
            Fault::Lose => drop(all.remove(at)),
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
    support_model::read(zone.clone(), stored)
}
