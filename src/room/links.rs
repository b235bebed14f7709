//! `cut` and `heal`: done by the platform, proved by the servers at both ends.

use std::time::{Duration, Instant};

use super::{
    drills::Statuses,
    external::ends,
    failure::Failure,
    mailbox::CommandRequest,
    protocol::Outcome,
    runtime::{BUSY_PACE, KEEN_PACE},
    task::{CommandCtx, Completion, Result},
};
use crate::{
    command::{Command, units::format_duration},
    nats::links::{Dead, LinkProbe, LinkProof, Mute, Muted},
    platform::PlatformError,
    region::{
        Input, NodeName, UnixMs, ZoneName, format::seconds, remedy::Remedy, status::NodeState,
        topology::CutKind,
    },
};

/// A reset is seen by both servers at once; five seconds cover a machine that is very busy.
const REFUSE_PROOF: Duration = Duration::from_secs(5);
/// A silent cut is noticed after [`CutKind::notice_ms`] at most: 20 s (nats-facts §A measured 13 s),
/// on docker 8 s; half as much again for a busy machine.
const SILENT_PROOF: Duration = Duration::from_secs(30);
/// How long `heal` waits for the link. The remote redials every 200 ms; after an unplugging it must
/// first find out that its old connection is dead (8 s). A busy machine gets twice that.
const LINK_UP: Duration = Duration::from_secs(30);
/// How long both ends have to list their connections before a heal.
const LISTED: Duration = Duration::from_secs(1);
/// The pause before a heal that was due and failed is tried again; it doubles up to the second.
const HEAL_AGAIN: Duration = Duration::from_secs(5);
const HEAL_AGAIN_MOST: Duration = Duration::from_secs(30);
/// Pings come a little late on a busy machine.
const NOTICE_MARGIN: Duration = Duration::from_millis(1_500);
/// How long a connection must last to count: one that only knocks is closed within this.
const STEADY: Duration = Duration::from_millis(100);

/// What `cut` is told by the state actor.
pub struct Cut {
    pub zone: ZoneName,
    pub kind: CutKind,
    pub heal_after: Option<Duration>,
    /// Where it is seen which nodes run: one that does not has no connection and cannot be asked.
    pub statuses: Statuses,
    /// When the command was given.
    pub given: Instant,
}

/// Severs a link and proves it.
///
/// # Errors
/// When the zone is not a mirror's, or the cut is not effective at both ends.
pub async fn cut(cx: CommandCtx, cut: Cut) -> Result {
    let Cut { zone, kind, heal_after, statuses, given } = cut;
    let plan = cx.runtime.mirror_plan(&zone)?;
    let source = cx.runtime.source_plan()?;
    let number = cx.runtime.count_cut(&zone);
    let heals_after_ms = heal_after.map(|after| after.as_millis() as u64);
    // Told before it is done: what the watchers see of it is then a cut, not a link that broke.
    cx.bus().tell(Input::CutBegun { zone: zone.clone(), kind, heals_after_ms });
    if let Err(error) = cx.runtime.platform.cut(&zone, kind).await {
        match (&error, heal_after) {
            // It stays shown as a cut that nobody has proved, and is healed when that is due.
            (PlatformError::HalfCut(_), Some(after)) => heal_later(&cx, zone, number, after),
            (PlatformError::HalfCut(_), None) => {}
            _ => cx.bus().tell(Input::CutFailed { zone }),
        }
        return Err(error.into());
    }
    let severed_ms = since(given);
    // That a command of the user's has ended shows nothing.
    if plan.external.is_none() {
        cx.bus().tell(Input::Severed { zone: zone.clone(), after_ms: severed_ms });
    }
    cx.runtime.pace.send_replace(KEEN_PACE);
    if let Some(after) = heal_after {
        heal_later(&cx, zone.clone(), number, after);
    }
    cx.progress(format!("severed after {severed_ms} ms; asking both ends"));
    if plan.external.is_some() {
        return ends::prove(&cx, &zone, &statuses, given).await;
    }
    let deadline = if kind.notice_ms().is_some() { SILENT_PROOF } else { REFUSE_PROOF };
    let probe = LinkProbe::new(&source, &plan).await?;
    let muted = || mute(&statuses);
    let proof = tokio::select! {
        proof = probe.prove_cut(&muted, deadline) => proof,
        () = cx.stop.cancelled() => {
            return Ok(Completion {
                outcome: Outcome::Void,
                text: too_short(kind, severed_ms),
                data: None,
            });
        }
    };
    cx.runtime.pace.send_replace(BUSY_PACE);
    let limit = heal_after
        .map(|after| format!("; heals after {}", format_duration(after)))
        .unwrap_or_default();
    if !proof.proved {
        let why = match (proof.empty_end(), standstill(&proof)) {
            (Some(end), _) => format!("of {end} nodes none runs that could be asked ({proof})"),
            (None, Some(frozen)) => format!("{frozen} ({proof})"),
            (None, None) => format!("not within {}: {proof}", format_duration(deadline)),
        };
        let usual = cx.runtime.platform.cut_kinds().first() == Some(&kind);
        let kind = (!usual).then_some(kind);
        let again = Command::Cut { zone: zone.clone(), kind, heal_after };
        return Err(Failure::Broken(format!(
            "severed, but not proved at both ends: {why}. Do not score this cut; `{again}` tries again to prove it, {}",
            Remedy::Heal(zone).told()
        )));
    }
    if !cx.runtime.is_cut_number(&zone, number) {
        return Ok(Completion::done("healed before the proof was needed"));
    }
    let proved_ms = since(given);
    cx.bus().tell(Input::CutProved { zone: zone.clone(), after_ms: proved_ms });
    Ok(Completion::done(format!(
        "{} cut of zone {zone} is effective: severed after {severed_ms} ms, no leafnode at either end after {proved_ms} ms{limit}",
        kind.as_str()
    )))
}

/// A cut that was over before it was proved: how long one must be.
fn too_short(kind: CutKind, severed_ms: u64) -> String {
    let notice = kind.notice_ms().map(|ms| {
        format!("; servers find out about a {} cut within {} s", kind.as_str(), ms / 1000)
    });
    format!(
        "severed after {severed_ms} ms, and healed before it was proved at both ends{}",
        notice.unwrap_or_default()
    )
}

pub(super) fn heal_later(cx: &CommandCtx, zone: ZoneName, number: u64, after: Duration) {
    let runtime = std::sync::Arc::clone(&cx.runtime);
    tokio::spawn(async move {
        tokio::time::sleep(after).await;
        let mut again = HEAL_AGAIN;
        // A heal that fails leaves the cut as it was.
        while runtime.is_cut_number(&zone, number) {
            let heal = Command::Heal { zone: Some(zone.clone()) };
            if runtime.bus.give(CommandRequest::by_room(heal)).is_err() {
                return;
            }
            tokio::time::sleep(again).await;
            again = (again * 2).min(HEAL_AGAIN_MOST);
        }
    });
}

/// What `heal` is told by the state actor of each link.
#[derive(Clone, Debug)]
pub struct Heal {
    pub zone: ZoneName,
    /// Since when the zone's containers have been off the network, if that was the cut: the
    /// connections of before are dead, though servers list them until their pings find out.
    pub unplugged_ms: Option<UnixMs>,
    /// How the link is cut, if it is.
    pub cut: Option<CutKind>,
}

/// Restores links and waits until they are up at both ends.
///
/// # Errors
/// When a link does not come up.
pub async fn heal(cx: CommandCtx, zones: Vec<Heal>, statuses: Statuses) -> Result {
    cx.runtime.pace.send_replace(KEEN_PACE);
    let muted = || mute(&statuses);
    let healed =
        futures::future::join_all(zones.iter().map(|zone| heal_one(&cx, zone, &muted, &statuses)))
            .await;
    let mut said = Vec::new();
    for one in healed {
        said.push(one?);
    }
    Ok(Completion::done(said.join("; ")))
}

async fn heal_one(
    cx: &CommandCtx,
    heal: &Heal,
    muted: Muted<'_>,
    statuses: &Statuses,
) -> std::result::Result<String, Failure> {
    let Heal { zone, unplugged_ms, cut } = heal;
    let plan = cx.runtime.mirror_plan(zone)?;
    if plan.external.is_some() {
        cx.bus().tell(Input::HealBegun { zone: zone.clone(), acked: None });
        if let Err(error) = cx.runtime.platform.heal(zone).await {
            if let Some(kind) = *cut {
                cx.bus().tell(Input::HealFailed { zone: zone.clone(), kind });
            }
            return Err(error.into());
        }
        cx.runtime.count_cut(zone);
        return ends::healed(cx, zone, statuses).await;
    }
    let source = cx.runtime.source_plan()?;
    // Connected before the heal, so that the clock does not count our own greeting.
    let probe = LinkProbe::new(&source, &plan).await?;
    let dead = match unplugged_ms {
        None => None,
        Some(since) => {
            let age = Duration::from_millis(super::clock::now_ms().saturating_sub(*since));
            let notice = CutKind::Unplug.notice_ms().map_or(Duration::ZERO, Duration::from_millis);
            let left = (notice + NOTICE_MARGIN).saturating_sub(age);
            let until = tokio::time::Instant::now() + left;
            Some(Dead { connections: probe.connections(muted, LISTED).await, until })
        }
    };
    let acked = cx.runtime.producer().ok().and_then(|producer| producer.last_seq());
    cx.bus().tell(Input::HealBegun { zone: zone.clone(), acked });
    if let Err(error) = cx.runtime.platform.heal(zone).await {
        if let Some(kind) = *cut {
            cx.bus().tell(Input::HealFailed { zone: zone.clone(), kind });
        }
        return Err(error.into());
    }
    cx.runtime.count_cut(zone);
    let begun = Instant::now();
    let proof = tokio::select! {
        proof = probe.prove_link(muted, STEADY, LINK_UP, dead.as_ref()) => proof,
        () = cx.stop.cancelled() => return Ok(format!("zone {zone} healed")),
    };
    if !proof.proved {
        let why = match (proof.empty_end(), standstill(&proof)) {
            (Some(end), _) => format!("is not up: of {end} nodes none runs ({proof})"),
            (None, Some(frozen)) => format!("is not proved at every node: {frozen} ({proof})"),
            (None, None) => format!("is not up: not after {}: {proof}", format_duration(LINK_UP)),
        };
        return Err(Failure::Broken(format!("zone {zone} healed, but the link {why}")));
    }
    Ok(format!(
        "zone {zone} is healed: the link is up at both ends (proved after {}); the mirror catches up by its own clock, see `status`",
        seconds(since(begun))
    ))
}

/// Of a proof that frozen nodes kept waiting: which, and what makes them answer.
fn standstill(proof: &LinkProof) -> Option<String> {
    let thaw =
        |node: &NodeName| format!("{node} is frozen ({})", Remedy::ThawNode(node.clone()).told());
    let told: Vec<String> = proof.frozen.iter().map(thaw).collect();
    (!told.is_empty()).then(|| format!("{}, and cannot be asked", told.join(", ")))
}

/// The nodes that do not answer, as was last published.
fn mute(statuses: &Statuses) -> Mute {
    let mut mute = Mute::default();
    for node in statuses.borrow().status.zones.iter().flat_map(|zone| &zone.nodes) {
        match node.state {
            NodeState::Dead | NodeState::Stopped => mute.down.push(node.name.clone()),
            NodeState::Frozen => mute.frozen.push(node.name.clone()),
            NodeState::Starting
            | NodeState::Up
            | NodeState::JsOff
            | NodeState::Leaving
            | NodeState::Silent => {}
        }
    }
    mute
}

fn since(begun: Instant) -> u64 {
    begun.elapsed().as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_that_was_too_short_says_how_long_it_must_be() {
        let silent = too_short(CutKind::Silent, 3);
        assert!(silent.ends_with("servers find out about a silent cut within 20 s"), "{silent}");
        assert!(too_short(CutKind::Refuse, 3).ends_with("at both ends"));
    }
}
