//! Did a zone that lost every store become whole again, and how long did it take?
//!
//! Observed: the `node wipe` commands of the run and their answers; in the samples, what the zone's own
//! servers say of its stream (how many messages before, that it does not exist after), its mirror's
//! state, and its true lag, which both ends tell.

use super::{Check, Finding, case::Case, reason::Reason};
use crate::{
    command::{Command, NodeAct},
    drill::record::CommandOutcome,
    region::{
        NodeName, UnixMs,
        configuration::{Kind, Subject},
        status::{MirrorState, Zone},
    },
};

pub(super) static CHECK: Check = Check {
    id: "rebuilt",
    was: &[],
    question: "did the zone that lost every store get all of its messages again?",
    by_ledger: false,
    by_replicas: false,
    live: |_, _| {},
    judge: |case| {
        vec![match rebuilt(case) {
            Ok(reason) => Finding::proved(CHECK.id, reason),
            Err(reason) => Finding::void(CHECK.id, reason),
        }]
    },
};

fn rebuilt(case: &Case<'_>) -> Result<Reason, Reason> {
    let zone = case.begin.mirror.clone();
    let wiped: Option<Vec<_>> = zone.nodes().map(|node| wiped(case, &node)).collect();
    let Some((begun, ended)) = wiped.and_then(|all| {
        let begun = all.iter().map(|(given, _)| *given).min()?;
        Some((begun, all.iter().map(|(_, answered)| *answered).max()?))
    }) else {
        return Err(Reason::NotWiped { zone });
    };
    let samples = case.run.samples.iter();
    let looks: Vec<(UnixMs, Look)> =
        samples.filter_map(|sample| Some((sample.at, look(sample.zone(&zone)?)))).collect();
    judged(&looks, begun, ended).map_err(|why| why(zone.clone())).map(|found| {
        let Found { held, messages, ms } = found;
        Reason::Rebuilt { zone, held, messages, ms }
    })
}

/// When the node's store was removed: given and answered, the last time.
fn wiped(case: &Case<'_>, node: &NodeName) -> Option<(UnixMs, UnixMs)> {
    let wipe = Command::Node { act: NodeAct::Wipe, node: node.clone() };
    let mut given = case.run.given.iter().rev().filter(|one| one.command.as_ref() == Some(&wipe));
    given.find_map(|one| {
        let answer = one.answer.as_ref().filter(|a| a.outcome == CommandOutcome::Done)?;
        Some((one.at, answer.at))
    })
}

/// What a sample says of the zone.
#[derive(Clone, Copy)]
struct Look {
    messages: Option<u64>,
    gone: bool,
    whole: bool,
}

fn look(zone: &Zone) -> Look {
    let gone = zone.differences.iter().any(|one| {
        (one.difference.subject, &one.difference.kind) == (Subject::Stream, &Kind::Missing)
    });
    let mirror = zone.mirror.as_ref();
    let copies = mirror
        .is_some_and(|mirror| mirror.state == MirrorState::Streaming && mirror.true_lag == Some(0));
    let messages = zone.stream.as_ref().map(|stream| stream.messages);
    Look { messages, gone, whole: copies && zone.differences.is_empty() }
}

#[derive(Debug, PartialEq, Eq)]
struct Found {
    held: u64,
    messages: u64,
    ms: u64,
}

type Why = fn(crate::region::ZoneName) -> Reason;

fn judged(looks: &[(UnixMs, Look)], begun: UnixMs, ended: UnixMs) -> Result<Found, Why> {
    let before = looks.iter().filter(|(at, _)| *at <= begun);
    let held = before.filter_map(|(_, look)| look.messages).next_back().unwrap_or(0);
    if held == 0 {
        return Err(|zone| Reason::NothingHeld { zone });
    }
    let after = looks.iter().filter(|(at, _)| *at > ended);
    let mut gone = after.skip_while(|(_, look)| !look.gone).peekable();
    if gone.peek().is_none() {
        return Err(|zone| Reason::NotGone { zone });
    }
    let whole = gone.find_map(|(at, look)| Some((at, look.messages?)).filter(|_| look.whole));
    match whole {
        Some((at, messages)) if messages >= held => {
            Ok(Found { held, messages, ms: at.saturating_sub(ended) })
        }
        _ => Err(|zone| Reason::NotRebuilt { zone }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_seen_is_not_rebuilt() {
        let full = |messages| Look { messages: Some(messages), gone: false, whole: true };
        let behind = Look { messages: Some(900), gone: false, whole: false };
        let gone = Look { messages: None, gone: true, whole: false };
        let zone = || "b".parse().unwrap();
        let whole = [(90, full(500)), (150, gone), (200, gone), (300, behind), (410, full(700))];
        let told = judged(&whole, 100, 140).map_err(|why| why(zone()));
        assert_eq!(told, Ok(Found { held: 500, messages: 700, ms: 270 }));
        let why = |looks: &[(UnixMs, Look)]| judged(looks, 100, 140).unwrap_err()(zone());
        assert_eq!(why(&whole[1..]), Reason::NothingHeld { zone: zone() });
        assert_eq!(why(&[(90, full(0)), (150, gone)]), Reason::NothingHeld { zone: zone() });
        assert_eq!(why(&[whole[0], whole[3], whole[4]]), Reason::NotGone { zone: zone() });
        assert_eq!(why(&[whole[0], (120, gone), whole[4]]), Reason::NotGone { zone: zone() });
        assert_eq!(why(&whole[..4]), Reason::NotRebuilt { zone: zone() });
        assert_eq!(
            why(&[whole[0], whole[1], (400, full(499))]),
            Reason::NotRebuilt { zone: zone() }
        );
    }
}
