//! A schedule as a drill script that anybody can run.

use std::fmt::Write;

use super::{Fault, Schedule};
use crate::command::{Command, Produce, Rate, Size};

/// Messages before the first fault and after the last one.
const APART: u64 = 25;
/// Messages a second while faults come and go.
const RATE: u64 = 100;

/// What is judged after any fault.
const CHECKS: [&str; 4] = ["progress", "no-loss-no-duplicate", "replicas-identical", "figures"];
/// The faults of the experiment that a search is tested with.
const SABOTAGES: [&str; 5] = ["lose", "duplicate", "corrupt", "reorder", "nothing"];

/// A moment at which something begins or ends.
struct Moment<'a> {
    at_ms: u64,
    command: &'a Command,
}

impl Schedule {
    /// The script of its drill.
    #[must_use]
    pub fn script(&self) -> String {
        let (source, mirror) = (&self.source, &self.mirror);
        let mut text = format!(
            "# Made by a search from seed {seed}: {faults} faults. To run it again, name its folder in $ZONEDRILL_DRILLS and\n# give the drill {name}.\nname = \"{name}\"\nclaim = \"what was acknowledged is lost, duplicated or reordered by none of these faults\"\nabout = \"{faults} faults by seed {seed}\"\nchecks = {CHECKS:?}\nsabotages = {SABOTAGES:?}\n",
            name = self.name(),
            seed = self.seed,
            faults = self.faults.len(),
        );
        let mut sent = APART;
        let received = |sent: u64| {
            format!(
                "new zones.{source}.ledger.received >= {sent} and new zones.{mirror}.ledger.received >= {sent}"
            )
        };
        let caught_up = format!("zones.{mirror}.mirror.true_lag == 0");
        step(
            &mut text,
            "linked: the first messages",
            Some("before"),
            &[run(&self.produce(APART)), until(&received(sent), 30), until(&caught_up, 30)],
        );
        let mut now = 0;
        for (i, Moment { at_ms, command }) in self.moments().into_iter().enumerate() {
            let count = (at_ms - now) * RATE / 1_000;
            now = at_ms;
            let mut actions = Vec::new();
            // Whatever is broken, messages flow: the time between two faults is theirs.
            if count > 0 {
                sent += count;
                actions.push(run(&self.produce(count)));
            }
            actions.push(run(command));
            let phase = (i == 0).then_some("during");
            step(
                &mut text,
                &format!("after {:.1} s: {command}", at_ms as f64 / 1_000.0),
                phase,
                &actions,
            );
        }
        let whole = format!(
            "zones.{source}.stream.replicas_current == 3 and zones.{mirror}.stream.replicas_current == 3"
        );
        let waits = [until(&whole, 60), until(&caught_up, 150), until(&received(sent), 60)];
        step(&mut text, "everything is whole again", Some("healing"), &waits);
        sent += APART;
        let last = [run(&self.produce(APART)), until(&received(sent), 60), until(&caught_up, 30)];
        step(&mut text, "the last messages", Some("after"), &last);
        text
    }

    fn produce(&self, count: u64) -> Command {
        let rate = std::num::NonZeroU32::new(RATE as u32);
        let rate = rate.map(|messages| Rate { messages, per_minute: false });
        Command::Produce(Produce::Burst { count: Some(count), rate, size: Size(self.size) })
    }

    /// When faults begin and end, in their order; of one moment, ends come first.
    fn moments(&self) -> Vec<Moment<'_>> {
        let begins = |fault: &'_ Fault| (fault.at_ms, 1);
        let mut all: Vec<((u64, u8), &Command)> = Vec::new();
        for fault in &self.faults {
            all.push((begins(fault), &fault.begin));
            if let Some(end) = &fault.end {
                all.push(((fault.ends_ms(), 0), end));
            }
        }
        all.sort_by_key(|(when, _)| *when);
        all.into_iter().map(|((at_ms, _), command)| Moment { at_ms, command }).collect()
    }
}

fn run(command: &Command) -> String {
    format!("{{ run = '{command}' }}")
}

fn until(condition: &str, seconds: u64) -> String {
    format!("{{ until = \"{condition}\", within = \"{seconds}s\" }}")
}

fn step(text: &mut String, title: &str, phase: Option<&str>, actions: &[String]) {
    let phase = phase.map_or_else(String::new, |phase| format!("phase = \"{phase}\"\n"));
    let _ = write!(
        text,
        "\n[[step]]\ntitle = '{title}'\n{phase}do = \"As the title says.\"\nexpect = \"Nothing is lost.\"\nwatch = \"The ledger.\"\nactions = [\n  {},\n]\n",
        actions.join(",\n  ")
    );
}
