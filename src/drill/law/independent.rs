//! Conclusion 3: each zone's progress is its own.

use super::{Case, Finding, ran::PROGRESS};
use crate::command::Command;

/// A paused consumer may still finish what it had in hand when the command was answered.
const IN_HAND_MS: u64 = 300;
/// Speeds differ when one zone processed this many times as much as the other.
const TIMES: f64 = 1.5;

/// The pause paused, the other zone went on; floors moved apart, and met again.
pub(super) fn apart(case: &Case<'_>) -> Finding {
    const CHECK: &str = "apart";
    match moved_apart(case, CHECK) {
        Ok(finding) => finding,
        Err(why) => Finding::void(CHECK, why),
    }
}

fn moved_apart(case: &Case<'_>, check: &str) -> Result<Finding, String> {
    let (paused, other) = (&case.begin.source, &case.begin.mirror);
    let pause = case
        .run
        .done(|command| matches!(command, Command::ConsumerPause { zone } if zone == paused));
    let Some((_, answer)) = pause else {
        return Err(format!("the consumer of zone {paused} was not paused"));
    };
    let resume = case
        .run
        .done(|command| matches!(command, Command::ConsumerResume { zone } if zone == paused));
    let Some((resumed, _)) = resume.filter(|(given, _)| given.at >= answer.at) else {
        return Err(format!("the consumer of zone {paused} was not resumed"));
    };
    let (from, to) = (answer.at + IN_HAND_MS, resumed.at);
    let samples = case.watched("during the pause", from, to)?;
    let pairs =
        || samples.iter().filter_map(|sample| Some((sample.zone(paused)?, sample.zone(other)?)));
    let (Some((first, _)), Some((last, last_other))) = (pairs().next(), pairs().next_back()) else {
        return Err("the zones were not seen during the pause".into());
    };
    let most = pairs().map(|(zone, _)| zone.received).max().unwrap_or(first.received);
    let moved = most.saturating_sub(first.received);
    if moved > 0 {
        return Err(format!(
            "the pause did not pause: zone {paused} processed {moved} messages while its consumer was paused"
        ));
    }
    if pairs().any(|(zone, _)| !zone.paused) {
        return Err(format!("the consumer of zone {paused} did not stay paused"));
    }
    let (Some(end), Some(floor)) = (last.last_seq, last.ack_floor) else {
        return Err(format!("the floor of zone {paused} during the pause is not known"));
    };
    let waiting = end.saturating_sub(floor);
    if waiting < PROGRESS {
        return Err(format!(
            "nothing waited for the paused consumer: {waiting} messages, at least {PROGRESS} are needed"
        ));
    }
    let advanced = case.received_between(answer.at, to, other).unwrap_or(0);
    if advanced < PROGRESS {
        let work =
            last_other.last_seq.zip(last_other.ack_floor).map(|(end, floor)| end - floor.min(end));
        let text =
            format!("zone {other} processed {advanced} messages while zone {paused} was paused");
        return match work {
            Some(work) if work >= PROGRESS && !last_other.paused => {
                Ok(Finding::broken(check, format!("{text}, though it held {work} more")))
            }
            _ => Err(format!("{text}, at least {PROGRESS} are needed")),
        };
    }
    let gap = pairs()
        .filter_map(|(zone, other)| Some(other.ack_floor?.saturating_sub(zone.ack_floor?)))
        .max()
        .unwrap_or(0);
    if gap < PROGRESS {
        return Err(format!("the floors never moved apart: {gap} sequences at most"));
    }
    let after = case.run.samples.iter().rev().take_while(|sample| sample.at > to);
    let met = after.filter_map(|sample| {
        let (here, there) = (sample.zone(paused)?, sample.zone(other)?);
        let floor = here.ack_floor?;
        (there.ack_floor == Some(floor) && here.last_seq == Some(floor)).then_some(floor)
    });
    let Some(met) = met.max().filter(|met| *met >= end) else {
        return Err("the floors were not seen to meet at the end of the stream".into());
    };
    Ok(Finding::proved(
        check,
        format!(
            "while zone {paused} was paused at sequence {floor} with {waiting} messages waiting, zone {other} processed {advanced}; the floors were {gap} apart, and met at {met}"
        ),
    )
    .with("paused at", floor)
    .with("waiting", waiting)
    .with("the other zone processed", advanced)
    .with("floors apart", gap)
    .with("floors met at", met))
}

/// Both zones had work, and did it at different speeds.
pub(super) fn speeds(case: &Case<'_>) -> Finding {
    const CHECK: &str = "speeds";
    match different(case, CHECK) {
        Ok(finding) => finding,
        Err(why) => Finding::void(CHECK, why),
    }
}

fn different(case: &Case<'_>, check: &str) -> Result<Finding, String> {
    let (one, other) = (&case.begin.source, &case.begin.mirror);
    let phase = case.phase("speeds")?;
    case.watched("in phase `speeds`", phase.from, phase.to.unwrap_or(phase.from))?;
    let end = |sample: &crate::drill::record::Sample| sample.zone(one)?.last_seq;
    // Only while both have work does a speed say anything.
    let busy: Vec<_> = case
        .run
        .during(phase)
        .iter()
        .filter(|sample| {
            let has_work = |name| {
                let floor = sample.zone(name).and_then(|zone| zone.ack_floor);
                floor.zip(end(sample)).is_some_and(|(floor, end)| floor < end)
            };
            has_work(one) && has_work(other)
        })
        .collect();
    let (Some(first), Some(last)) = (busy.first(), busy.last()) else {
        return Err("the zones never had work at the same time".into());
    };
    let seconds = last.at.saturating_sub(first.at) as f64 / 1000.0;
    let progress = |name| {
        let received = |sample: &crate::drill::record::Sample| Some(sample.zone(name)?.received);
        Some(received(last)?.saturating_sub(received(first)?))
    };
    let (Some(ours), Some(theirs)) = (progress(one), progress(other)) else {
        return Err("the zones were not seen at work".into());
    };
    let text = format!(
        "in {seconds:.1} s with work for both, zone {one} processed {ours} and zone {other} {theirs} messages"
    );
    let (less, more) = (ours.min(theirs), ours.max(theirs));
    if less < PROGRESS {
        return Err(format!("{text}: at least {PROGRESS} each are needed"));
    }
    let times = more as f64 / less as f64;
    if times < TIMES {
        return Err(format!("{text}: the speeds were not different"));
    }
    Ok(Finding::proved(check, format!("{text}, {times:.1} times as many"))
        .with(&format!("{one} processed"), ours)
        .with(&format!("{other} processed"), theirs)
        .with("times", format!("{times:.1}")))
}
