//! Did the mirror zone's consumer work off its backlog during the cut without standing still?
//!
//! Observed: each processing of a message by that zone's consumer, by itself, on the room's
//! monotonic clock: the longest time without one since the phase began or the consumer was resumed,
//! and the time to the last one. The backlog is all that could be processed: nothing arrives in a
//! cut.

use super::{
    Check, Finding,
    case::{Case, PROGRESS, STALL_MS},
    or_void,
    reason::{Reason, Unknown, When},
    severed,
};
use crate::{command::Command, drill::report::format::micros};

/// A pause like this is a stall.
const STALL_US: u64 = STALL_MS * 1000;
/// A backlog may take this long, …
const ALWAYS_US: u64 = 2_000_000;
/// … and this much longer for each message: 200 a second, a hundredth of what a consumer does.
const EACH_US: u64 = 5_000;

pub(super) static CHECK: Check = Check {
    id: "drain",
    was: &[],
    question: "did the mirror zone's consumer work off its backlog without standing still?",
    by_ledger: false,
    by_replicas: false,
    live: |_, _| {},
    judge: |case| or_void(&CHECK, judge(case)),
};

fn judge(case: &Case<'_>) -> Result<Finding, Reason> {
    severed::real(case)?;
    let zone = || case.begin.mirror.clone();
    let phase = case.phase("during")?;
    case.timed(When::Cut, phase.from, phase.to.unwrap_or(phase.from))?;
    let limited = case.run.given.iter().any(|given| {
        matches!(&given.command, Some(Command::ConsumerRate { zone, rate: Some(_) }) if *zone == case.begin.mirror)
    });
    if limited {
        return Err(Reason::RateLimited { zone: zone() });
    }
    let drained = case.received_in(phase, &case.begin.mirror).unwrap_or(0);
    if drained < PROGRESS {
        return Err(Reason::NoProgress {
            zone: zone(),
            phase: phase.name.clone(),
            count: drained,
            needed: PROGRESS,
        });
    }
    let pace = case
        .run
        .paces
        .iter()
        .find(|pace| pace.zone == case.begin.mirror && pace.phase == phase.name);
    let unknown = || Reason::Unknown { what: Unknown::Pace, zone: Some(zone()) };
    let pace = pace.ok_or_else(unknown)?;
    let (took_us, pause_us) = (pace.worked_us, pace.longest_pause_us);
    let limit_us = ALWAYS_US + drained.saturating_mul(EACH_US);
    let finding = if pause_us >= STALL_US {
        let (phase, limit_us) = (phase.name.clone(), STALL_US);
        Finding::broken(CHECK.id, Reason::Stalled { zone: zone(), phase, pause_us, limit_us })
    } else if took_us > limit_us {
        let zone = zone();
        Finding::broken(CHECK.id, Reason::DrainedSlowly { zone, took_us, limit_us, pause_us })
    } else {
        Finding::proved(CHECK.id, Reason::Drained { zone: zone(), took_us, pause_us })
    };
    Ok(finding
        .with("messages", drained)
        .with("took", micros(took_us))
        .with("limit", micros(limit_us))
        .with("longest pause", micros(pause_us))
        .with("limit of a pause", micros(STALL_US)))
}
