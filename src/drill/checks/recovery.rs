//! Did the mirror catch up after the heal, and how long did each stage take?
//!
//! Observed: the mirror's last sequence at the heal beside the source's acknowledgements; the
//! recovery clock's three moments (leafnode connections back at both ends, the mirror's last
//! sequence growing, equal to the source's). Between heal and catch-up the room must not have stood
//! still: what it did not see it would time as the servers'.

use super::{
    Check, Finding,
    case::{Case, PROGRESS},
    live::{Live, LiveCounter},
    or_void,
    reason::{Reason, Unknown, When},
};
use crate::{
    command::Command,
    drill::report::format::span,
    region::{UnixMs, format::seconds, recovery, status::Recovery},
};

pub(super) static CHECK: Check = Check {
    id: "recovery",
    was: &[],
    question: "did the mirror catch up after the heal, and how long did each stage take?",
    by_ledger: false,
    by_replicas: false,
    live,
    judge: |case| or_void(&CHECK, judge(case)),
};

fn judge(case: &Case<'_>) -> Result<Finding, Reason> {
    let mirror = &case.begin.mirror;
    let zone = || mirror.clone();
    let heal = case.run.done(|command| {
        matches!(command, Command::Heal { zone } if zone.as_ref().is_none_or(|zone| zone == mirror))
    });
    let (given, _) = heal.ok_or_else(|| Reason::NotHealed { zone: zone() })?;
    // A clock of an earlier heal is no clock of this one.
    let clock = case.run.samples.iter().rev().find_map(|sample| {
        let clock = sample.zone(mirror)?.recovery.as_ref()?;
        (clock.healed_at_ms + 1000 >= given.at).then_some(clock)
    });
    let clock = clock.ok_or_else(|| Reason::NotTimed { zone: zone() })?;
    // The clock knows what was last polled; what this drill had sent by then is known exactly.
    let behind = clock.behind.max(missing(case, given.at));
    let unknown = || Reason::Unknown { what: Unknown::MissingAtHeal, zone: Some(zone()) };
    let behind = behind.ok_or_else(unknown)?;
    if behind < PROGRESS {
        return Err(Reason::NothingMissed { zone: zone(), behind, needed: PROGRESS });
    }
    let nudges = case
        .commands()
        .any(|command| matches!(command, Command::Nudge { .. } | Command::Stepdown { .. }));
    if clock.nudged && !nudges {
        return Err(Reason::Nudged { zone: zone() });
    }
    let Recovery { link_up_after_ms, moving_after_ms, caught_up_after_ms, .. } = *clock;
    let (Some(link_up_ms), Some(moving_ms), Some(caught_up_ms)) =
        (link_up_after_ms, moving_after_ms, caught_up_after_ms)
    else {
        return Err(Reason::NotRecovered { zone: zone() });
    };
    let from = given.at.min(clock.healed_at_ms);
    case.clocked(&When::Recovery, from, clock.healed_at_ms + caught_up_ms)?;
    let version = case.begin.server_version.clone();
    let kind = case.begin.mirror_kind;
    let expected = recovery::expected(&version, kind);
    let reason = Reason::Recovered {
        behind,
        link_up_ms,
        moving_ms,
        caught_up_ms,
        version,
        mirror: kind.as_str().to_owned(),
        expected: expected.clone(),
    };
    Ok(Finding::proved(CHECK.id, reason)
        .with("missing at the heal", behind)
        .with("heal to link up", span(link_up_ms))
        .with("heal to mirror moving", span(moving_ms))
        .with("heal to caught up", span(caught_up_ms))
        .with("expected", expected)
        .with("nudged", clock.nudged))
}

/// What this drill had sent when it healed, less what the mirror held.
fn missing(case: &Case<'_>, healed: UnixMs) -> Option<u64> {
    let before = case.run.samples.iter().rev().find(|sample| sample.at <= healed)?;
    let held = before.zone(&case.begin.mirror)?.last_seq()?;
    let sent = case.run.produced().filter(|produced| produced.to <= healed);
    let last = case.ledger.counted(sent.filter_map(|produced| produced.last_seq).max()?);
    Some(last.saturating_sub(held))
}

fn live(live: &Live<'_>, counters: &mut Vec<LiveCounter>) {
    let healed = live.run.done(|command| matches!(command, Command::Heal { .. }));
    let by_hand = || live.run.phase("healing").filter(|_| !live.begin.by_hand.is_empty());
    let healed = healed.map(|(given, _)| given.at).or_else(|| Some(by_hand()?.from));
    let clock = healed.and_then(|at| {
        let clock = live.run.last(&live.begin.mirror)?.recovery.as_ref()?;
        (clock.healed_at_ms + 1000 >= at).then_some(clock)
    });
    let stages = [
        ("link up after", clock.and_then(|clock| clock.link_up_after_ms)),
        ("mirror moving after", clock.and_then(|clock| clock.moving_after_ms)),
        ("caught up after", clock.and_then(|clock| clock.caught_up_after_ms)),
    ];
    for (label, ms) in stages {
        counters.push(LiveCounter::known(label, ms.map(seconds)).good(ms.is_some()));
    }
}
