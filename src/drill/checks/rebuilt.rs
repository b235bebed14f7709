//! Did a zone that lost every store become whole again, and how long did it take?
//!
//! Observed: the `node wipe` commands of the run and their answers; in the samples, what the zone's own
//! servers say of its stream (how many messages before, that it does not exist or is empty after); of a copy
//! its mirror's state and its true lag, which both ends tell; of the source that it takes messages again,
//! and has at least as many as it had and as any other zone has. Whether they are the same messages is
//! what the ledger and the replicas tell, by checks of their own.

use super::{Check, Finding, case::Case, reason::Reason};
use crate::{
    command::{Command, NodeAct},
    drill::record::CommandOutcome,
    region::{
        NodeName, Role, UnixMs, ZoneName,
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
        let zones = [&case.begin.source, &case.begin.mirror];
        let lost: Vec<_> = zones.into_iter().filter_map(|zone| lost(case, zone)).collect();
        if lost.is_empty() {
            return vec![Finding::void(CHECK.id, Reason::NotWiped)];
        }
        let found = lost.into_iter().map(|lost| match rebuilt(case, &lost) {
            Ok(reason) => Finding::proved(CHECK.id, reason),
            Err(reason) => Finding::void(CHECK.id, reason),
        });
        found.collect()
    },
};

/// A zone that lost every store.
struct Lost<'a> {
    zone: &'a ZoneName,
    /// When the first was asked for.
    begun: UnixMs,
    /// When the last was gone.
    ended: UnixMs,
}

fn lost<'a>(case: &Case<'_>, zone: &'a ZoneName) -> Option<Lost<'a>> {
    let all: Vec<_> = zone.nodes().map(|node| wiped(case, &node)).collect::<Option<_>>()?;
    let begun = all.iter().map(|(given, _)| *given).min()?;
    Some(Lost { zone, begun, ended: all.iter().map(|(_, answered)| *answered).max()? })
}

fn rebuilt(case: &Case<'_>, Lost { zone, begun, ended }: &Lost<'_>) -> Result<Reason, Reason> {
    let looks = case.run.samples.iter().filter_map(|sample| {
        let others = sample.status.zones.iter().filter(|other| other.name != **zone);
        let most = others.filter_map(Zone::messages).max().unwrap_or(0);
        Some((sample.at, look(sample.zone(zone)?, most)))
    });
    let found = judged(&looks.collect::<Vec<_>>(), *begun, *ended);
    let (zone, is_source) = ((*zone).clone(), *zone == &case.begin.source);
    let Found { held, messages, ms } = found.map_err(|why| why(zone.clone()))?;
    Ok(if is_source {
        Reason::RebuiltSource { zone, held, messages, ms }
    } else {
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

/// `most` is how many messages any other zone has.
fn look(zone: &Zone, most: u64) -> Look {
    let messages = zone.messages();
    let has_its_part = match &zone.mirror {
        Some(mirror) => mirror.state == MirrorState::Streaming && mirror.true_lag == Some(0),
        None => zone.role == Role::Source && messages.is_some_and(|has| has >= most),
    };
    let whole = has_its_part && zone.differences.is_empty();
    Look { messages, gone: zone.lacks_its_stream() || messages == Some(0), whole }
}

#[derive(Debug, PartialEq, Eq)]
struct Found {
    held: u64,
    messages: u64,
    ms: u64,
}

type Why = fn(ZoneName) -> Reason;

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
    let mut whole = gone.filter(|(_, look)| look.whole);
    let found = whole.find_map(|(at, look)| Some((*at, look.messages.filter(|has| *has >= held)?)));
    let (at, messages) = found.ok_or::<Why>(|zone| Reason::NotRebuilt { zone })?;
    Ok(Found { held, messages, ms: at.saturating_sub(ended) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::status::Stream;

    #[test]
    fn a_source_is_whole_once_it_takes_messages_and_has_as_many_as_any_zone() {
        let mut zone = Zone::new("a".parse().unwrap(), Role::Fenced);
        zone.stream = Some(Stream { messages: 30, ..Stream::default() });
        assert!(!look(&zone, 30).whole, "it is fenced");
        zone.role = Role::Source;
        assert!(look(&zone, 30).whole && !look(&zone, 31).whole);
        zone.stream = Some(Stream::default());
        assert!(look(&zone, 30).gone && !look(&zone, 30).whole);
    }

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
