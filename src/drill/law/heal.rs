//! Conclusion 2: what was missed is made up for, and how long that took.

use super::{Case, Finding, ran::PROGRESS};
use crate::{
    command::Command,
    drill::record::RecoverySample,
    region::{UnixMs, event::seconds, recovery},
};

const CHECK: &str = "recovery";

/// The three recovery times, of a heal after which something was missing.
pub(super) fn recovery(case: &Case<'_>) -> Finding {
    let mirror = &case.begin.mirror;
    let heal = case.run.done(|command| {
        matches!(command, Command::Heal { zone } if zone.as_ref().is_none_or(|zone| zone == mirror))
    });
    let Some((given, _)) = heal else {
        return Finding::void(CHECK, format!("zone {mirror} was not healed by this drill"));
    };
    // A clock of an earlier heal is no clock of this one.
    let clock = case.run.samples.iter().rev().find_map(|sample| {
        let clock = sample.zone(mirror)?.recovery.as_ref()?;
        (clock.healed_ms + 1000 >= given.at).then_some(clock)
    });
    let Some(clock) = clock else {
        return Finding::void(CHECK, format!("the recovery of zone {mirror} was not timed"));
    };
    let RecoverySample { behind, link_up_after_ms, moving_after_ms, caught_up_after_ms, .. } =
        *clock;
    // The clock knows what was last polled; what this drill had sent by then is known exactly.
    let Some(behind) = behind.max(missing(case, given.at)) else {
        let why = format!("how much zone {mirror} was missing at the heal is not known");
        return Finding::void(CHECK, why);
    };
    if behind < PROGRESS {
        return Finding::void(
            CHECK,
            format!(
                "zone {mirror} was missing {behind} messages at the heal, at least {PROGRESS} are needed: there was nothing to make up for"
            ),
        );
    }
    let nudges = case
        .script
        .lines()
        .any(|line| matches!(line.parse(), Ok(Command::Nudge { .. } | Command::Stepdown { .. })));
    if clock.nudged && !nudges {
        return Finding::void(
            CHECK,
            format!("the mirror of zone {mirror} was nudged: these are not its own recovery times"),
        );
    }
    let (Some(up), Some(moving), Some(done)) =
        (link_up_after_ms, moving_after_ms, caught_up_after_ms)
    else {
        return Finding::void(
            CHECK,
            format!("zone {mirror} was not seen to recover: not all three times are known"),
        );
    };
    let version = &case.begin.server_version;
    let kind = case.begin.mirror_kind;
    let expected = recovery::expected(version, kind);
    Finding::proved(
        CHECK,
        format!(
            "{behind} messages made up for: link back after {}, mirror moving after {}, caught up after {} (expected of nats-server {version} with a {} mirror: {expected})",
            seconds(up),
            seconds(moving),
            seconds(done),
            kind.as_str(),
        ),
    )
    .with("missing at the heal", behind)
    .with("heal to link up", seconds(up))
    .with("heal to mirror moving", seconds(moving))
    .with("heal to caught up", seconds(done))
    .with("expected", expected)
    .with("nudged", clock.nudged)
}

/// What this drill had sent when it healed, less what the mirror held.
fn missing(case: &Case<'_>, healed: UnixMs) -> Option<u64> {
    let before = case.run.samples.iter().rev().find(|sample| sample.at <= healed)?;
    let held = before.zone(&case.begin.mirror)?.last_seq?;
    let sent = case.run.produced().filter(|produced| produced.to <= healed);
    Some(sent.filter_map(|produced| produced.last_seq).max()?.saturating_sub(held))
}
