//! Looks at both ends of a link that somebody else runs, again and again, and what they show of a cut.
//! The state hears of it; a cut and a heal wait for what it says.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    nats::external::link::ExternalLink,
    region::{
        Input, ZoneName,
        external::cutting::{Look, ShownBy, is_healed, proof},
        format::seconds,
        observation::Observation,
        remedy::Remedy,
        status::Zone,
    },
    room::{
        clock::now_ms,
        drills::Statuses,
        failure::Failure,
        mailbox::Mailbox,
        task::{CommandCtx, Completion, Result},
    },
};

/// The pause between two looks: each takes a second or so.
const PAUSE: Duration = Duration::from_millis(200);
/// Looks that are kept of a cut.
const KEPT: usize = 60;
/// How long a cut may take to show. Servers notice a silent one by their pings alone, which are two
/// minutes apart if nobody has said otherwise.
const SHOWN_WITHIN: Duration = Duration::from_secs(30);
/// How long a healed link may take to be as before.
const HEALED_WITHIN: Duration = Duration::from_secs(60);

/// Looks until `stop`. `before` is a look at the whole link.
pub async fn watch(
    mut link: ExternalLink,
    zone: ZoneName,
    mut before: Look,
    cut: watch::Receiver<bool>,
    bus: Mailbox,
    stop: CancellationToken,
) {
    let mut since: Vec<Look> = Vec::new();
    loop {
        let (at_ms, is_cut) = (now_ms(), *cut.borrow());
        let look = link.look().await;
        // A look during which it was cut or healed belongs to neither.
        if *cut.borrow() == is_cut {
            let (whole, shown_by) = if is_cut {
                since.push(look);
                let surplus = since.len().saturating_sub(KEPT);
                since.drain(..surplus);
                (false, shown(&before, &since))
            } else {
                since.clear();
                let whole = is_healed(&before, &look);
                if whole {
                    before = look;
                }
                (whole, None)
            };
            let zone = zone.clone();
            bus.tell(Input::Observed(Observation::Ends { zone, at_ms, whole, shown_by }));
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// What shows the cut. That a durable is paused the server says itself, whether or not anything came
/// that it keeps back.
fn shown(before: &Look, since: &[Look]) -> Option<ShownBy> {
    let paused = since.last().is_some_and(|look| look.paused == Some(true));
    let proof = proof(before, since).map(crate::region::external::cutting::Proof::kind);
    proof.filter(|kind| kind.severs() || !paused).or(paused.then_some(ShownBy::Paused))
}

/// Waits until something shows the cut that was begun.
///
/// # Errors
/// When nothing does in time: then it tests nothing.
pub(in crate::room) async fn prove(
    cx: &CommandCtx,
    zone: &ZoneName,
    statuses: &Statuses,
    given: Instant,
) -> Result {
    let shows =
        |zone: &Zone| zone.cut_shown_by().filter(|by| by.severs() || *by == ShownBy::Paused);
    let shown = wait(cx, zone, statuses, SHOWN_WITHIN, shows).await;
    let took = given.elapsed().as_millis() as u64;
    let Some(by) = shown else {
        return Err(Failure::Broken(format!(
            "it was done, and nothing shows within {} that zone {zone} is cut: {}",
            seconds(SHOWN_WITHIN.as_millis() as u64),
            cx.runtime.told(&Remedy::Heal(zone.clone()))
        )));
    };
    if by.severs() {
        cx.bus().tell(Input::Severed { zone: zone.clone(), after_ms: took });
    }
    cx.bus().tell(Input::CutProved { zone: zone.clone(), after_ms: took });
    let what = match by {
        ShownBy::Listed => "both ends list fewer leafnode connections between them",
        ShownBy::Counted => "both ends count fewer leafnode connections of the account",
        ShownBy::Silent => "what was answered over the link is answered no more",
        ShownBy::Paused => "its copy is paused; the link itself carries on",
        ShownBy::StandsStill => "its copy stands still",
    };
    Ok(Completion::done(format!("zone {zone} is cut, shown after {}: {what}", seconds(took))))
}

/// Waits until both ends tell as before the cut.
///
/// # Errors
/// When they do not in time.
pub(in crate::room) async fn healed(
    cx: &CommandCtx,
    zone: &ZoneName,
    statuses: &Statuses,
) -> std::result::Result<String, Failure> {
    let began = Instant::now();
    let up = |zone: &Zone| zone.link_state().filter(|state| state.connected());
    match wait(cx, zone, statuses, HEALED_WITHIN, up).await {
        Some(_) => Ok(format!(
            "zone {zone} is healed: both ends tell as before, after {}",
            seconds(began.elapsed().as_millis() as u64)
        )),
        None => Err(Failure::Broken(format!(
            "zone {zone} was healed, and its ends do not tell as before the cut after {}: look at it",
            seconds(HEALED_WITHIN.as_millis() as u64)
        ))),
    }
}

/// What is looked for in a zone's picture, once it is there.
async fn wait<T>(
    cx: &CommandCtx,
    zone: &ZoneName,
    statuses: &Statuses,
    within: Duration,
    sought: impl Fn(&Zone) -> Option<T>,
) -> Option<T> {
    let mut statuses = statuses.clone();
    let until = tokio::time::Instant::now() + within;
    loop {
        let found = statuses.borrow_and_update().status.zone(zone).and_then(&sought);
        if found.is_some() {
            return found;
        }
        tokio::select! {
            () = tokio::time::sleep_until(until) => return None,
            () = cx.stop.cancelled() => return None,
            changed = statuses.changed() => if changed.is_err() { return None },
        }
    }
}
