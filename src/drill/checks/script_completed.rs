//! Did the script come to its end, by nobody else's hand? Made of every run.
//!
//! Observed: each step's own end, each command's own answer, each wait's own outcome, as recorded
//! when they happened; pauses and cuts as the room's samples show them; the ledger's count of the
//! messages of each producer.

use std::collections::BTreeSet;

use super::{
    Case, Finding,
    reason::{Act, Reason},
};
use crate::{
    command::Command,
    drill::record::CommandOutcome,
    region::{UnixMs, status::LinkState},
};

/// The id of its finding.
pub(super) const ID: &str = "script-completed";
/// A command shows in the samples this much later at most.
const SETTLES_MS: u64 = 1500;

/// Every step ended well, every wait was met, every command was done, and nobody interfered.
pub(super) fn judge(case: &Case<'_>) -> Finding {
    let failed = steps(case)
        .and_then(|()| phases(case))
        .and_then(|()| commands(case))
        .and_then(|()| waits(case));
    let reason = failed.err().or_else(|| other_hand(case)).or_else(|| other_messages(case));
    if let Some(reason) = reason {
        return Finding::void(ID, reason);
    }
    if !case.begin.by_hand.is_empty() {
        let commands = case.run.given.len();
        return Finding::proved(ID, Reason::DoneByHand { commands }).with("commands", commands);
    }
    let (steps, waits) = (case.script.steps.len(), case.script.waits().count());
    let commands = case.script.lines().count();
    Finding::proved(ID, Reason::Completed { steps, waits, commands })
        .with("steps", steps)
        .with("waits", waits)
        .with("commands", commands)
        .with("samples", case.run.samples.len())
}

fn steps(case: &Case<'_>) -> Result<(), Reason> {
    for (index, planned) in case.script.steps.iter().enumerate() {
        let step = index + 1;
        let Some(seen) = case.run.steps.iter().find(|seen| seen.index == index) else {
            return Err(Reason::StepNeverBegan { step, title: planned.title.clone() });
        };
        let title = seen.title.clone();
        match &seen.ended {
            Some((true, _)) => {}
            Some((false, why)) => return Err(Reason::StepFailed { step, title, why: why.clone() }),
            None => return Err(Reason::StepNeverEnded { step, title }),
        }
    }
    Ok(())
}

fn phases(case: &Case<'_>) -> Result<(), Reason> {
    let mut phases = case.run.phases.iter();
    for name in case.script.steps.iter().filter_map(|step| step.phase.as_ref()) {
        if phases.next().is_none_or(|phase| phase.name != *name || phase.to.is_none()) {
            return Err(Reason::PhaseOutOfTurn { phase: name.clone() });
        }
    }
    Ok(())
}

fn commands(case: &Case<'_>) -> Result<(), Reason> {
    let mut given = case.run.given.iter();
    for line in case.script.lines() {
        let command: Option<Command> = line.parse().ok();
        let found = given.by_ref().find(|given| given.command == command && command.is_some());
        let line = line.to_owned();
        match found.map(|given| &given.answer) {
            None => return Err(Reason::NotGiven { line }),
            Some(None) => return Err(Reason::NeverAnswered { line }),
            Some(Some(answer)) if answer.outcome != CommandOutcome::Done => {
                let (outcome, text) = (answer.outcome, answer.text.clone());
                return Err(Reason::CommandFailed { line, outcome, text });
            }
            Some(Some(_)) => {}
        }
    }
    Ok(())
}

fn waits(case: &Case<'_>) -> Result<(), Reason> {
    let mut waited = case.run.waits.iter();
    for condition in case.script.waits() {
        let condition = condition.to_string();
        match waited.next().filter(|wait| wait.condition == condition) {
            Some(wait) if wait.met => {}
            Some(wait) => {
                let (ms, seen) = (wait.took_ms, wait.seen.clone());
                return Err(Reason::WaitedInVain { condition, ms, seen });
            }
            None => return Err(Reason::NeverWaited { condition }),
        }
    }
    Ok(())
}

/// A pause, a cut or a heal that this drill did not command.
fn other_hand(case: &Case<'_>) -> Option<Reason> {
    let zones = [&case.begin.source, &case.begin.mirror].into_iter().chain(&case.begin.new_zone);
    for zone in zones {
        let mut held = false;
        let paused = ours(case, |command| {
            match command {
                Command::ConsumerPause { zone: named } if named == zone => held = true,
                Command::ConsumerResume { zone: named } if named == zone => held = false,
                // It pauses the consumer while it works, and leaves it as it was.
                Command::Repair { zone: named, .. }
                    if named.as_ref().is_none_or(|named| named == zone) => {}
                _ => return None,
            }
            Some(Some(held))
        });
        let cut = ours(case, |command| match command {
            // It ends by itself, some time.
            Command::Cut { zone: named, heal_after: Some(_), .. } if named == zone => Some(None),
            Command::Cut { zone: named, .. } if named == zone => Some(Some(true)),
            Command::Heal { zone: named } if named.as_ref().is_none_or(|named| named == zone) => {
                Some(Some(false))
            }
            _ => None,
        });
        for sample in &case.run.samples {
            let Some(seen) = sample.zone(zone) else { continue };
            let zone = zone.clone();
            if expected(&paused, sample.at).is_some_and(|ours| ours != seen.paused()) {
                let act = if seen.paused() { Act::Paused } else { Act::Resumed };
                return Some(Reason::OtherHand { act, zone });
            }
            let is_cut = seen.link_state().map(|link| link == LinkState::Cut);
            if let (Some(ours), Some(is_cut)) = (expected(&cut, sample.at), is_cut)
                && ours != is_cut
            {
                let act = if is_cut { Act::Cut } else { Act::Healed };
                return Some(Reason::OtherHand { act, zone });
            }
        }
    }
    None
}

/// Messages of a producer that was not this drill's: receipts are counted whoever sent them, so
/// that "all were processed" could be met by somebody else's.
fn other_messages(case: &Case<'_>) -> Option<Reason> {
    let ours: BTreeSet<u32> = case.run.produced().map(|produced| produced.producer).collect();
    // Producers are numbered as they begin.
    let first = *ours.first()?;
    let others =
        case.ledger.producers().filter(|number| *number >= first && !ours.contains(number));
    let mut foreign: Vec<(u32, u64)> = others
        .map(|number| (number, case.ledger.acked_of(number)))
        .filter(|(_, acked)| *acked > 0)
        .collect();
    foreign.sort_unstable();
    let (producer, _) = *foreign.first()?;
    let count = foreign.iter().map(|(_, acked)| acked).sum();
    Some(Reason::OtherProducer { producer, count })
}

/// What this drill's commands set, and from when to when that is not certain:
/// (given, settled, value).
type Set = (UnixMs, UnixMs, Option<bool>);

fn ours(case: &Case<'_>, mut of: impl FnMut(&Command) -> Option<Option<bool>>) -> Vec<Set> {
    let given = case.run.given.iter();
    given
        .filter_map(|given| {
            let value = of(given.command.as_ref()?)?;
            let settled = match &given.answer {
                Some(answer) if answer.outcome == CommandOutcome::Done => answer.at + SETTLES_MS,
                // Whether it took effect is not known.
                _ => UnixMs::MAX,
            };
            Some((given.at, settled, value))
        })
        .collect()
}

/// What must be seen at a moment, if that is certain.
fn expected(sets: &[Set], at: UnixMs) -> Option<bool> {
    match sets.iter().rev().find(|(given, ..)| *given <= at) {
        None => Some(false),
        Some((_, settled, value)) if at >= *settled => *value,
        Some(_) => None,
    }
}
