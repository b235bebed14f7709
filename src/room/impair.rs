//! `impair`: made by the platform, and measured by its carrier and both ends while it lasts.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{
    clock::now_ms,
    failure::Failure,
    links,
    mailbox::Mail,
    runtime::Runtime,
    task::{CommandCtx, Completion, Result},
};
use crate::{
    command::units::format_duration,
    nats::echo::{self, Answer},
    region::{
        Input, ZoneName, ZonePlan,
        condition::{
            LinkCondition,
            measured::Echo,
            presets::{self, Preset},
        },
        observation::Observation,
    },
};

/// How often a link's traffic is read.
const LOOK: Duration = Duration::from_millis(500);
/// How long a request over the link may take, besides what is asked of the link.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// The file of a user's own presets, beside the keymap.
const USERS_PRESETS: &str = "links.toml";

/// The presets there are: built in, and the user's own.
///
/// # Errors
/// When the user's file cannot be read or has a mistake.
pub fn known_presets() -> std::result::Result<Vec<Preset>, String> {
    let Some(path) = users_presets() else { return presets::all(None) };
    let said = |why: String| format!("{}: {why}", path.display());
    match std::fs::read_to_string(&path) {
        Ok(text) => presets::all(Some(&text)).map_err(said),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => presets::all(None),
        Err(error) => Err(said(format!("cannot be read: {error}"))),
    }
}

/// Where a user's own presets are.
fn users_presets() -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    let named = std::env::var_os("ZONEDRILL_LINKS").filter(|value| !value.is_empty());
    named.map(PathBuf::from).or_else(|| {
        let base = etcetera::choose_base_strategy().ok()?;
        Some(base.config_dir().join("zonedrill").join(USERS_PRESETS))
    })
}

/// What `impair` is told by the state actor.
pub struct Impair {
    pub zone: ZoneName,
    /// What the link is to be like, and was before.
    pub condition: LinkCondition,
    pub before: Option<LinkCondition>,
    pub heal_after: Option<Duration>,
    /// When the command was given.
    pub given: Instant,
}

/// Makes a link worse. Whether it is so at the ends as well is measured from then on.
///
/// # Errors
/// When the zone is not a mirror's, or the platform cannot.
pub async fn impair(cx: CommandCtx, asked: Impair) -> Result {
    let Impair { zone, condition, before, heal_after, given } = asked;
    cx.runtime.mirror_plan(&zone)?;
    let number = cx.runtime.count_cut(&zone);
    let heals_after_ms = heal_after.map(|after| after.as_millis() as u64);
    // Told before it is done: what the watchers see of it is then this, not a link in trouble.
    cx.bus().tell(Input::ImpairBegun { zone: zone.clone(), condition, heals_after_ms });
    if let Err(error) = cx.runtime.platform.impair(&zone, condition).await {
        cx.bus().tell(Input::ImpairFailed { zone, condition: before });
        return Err(error.into());
    }
    let after_ms = given.elapsed().as_millis() as u64;
    cx.bus().tell(Input::Impaired { zone: zone.clone(), after_ms });
    let limit = heal_after
        .map(|after| format!("; heals after {}", format_duration(after)))
        .unwrap_or_default();
    if let Some(after) = heal_after {
        links::heal_later(&cx, zone.clone(), number, after);
    }
    Ok(Completion::done(format!(
        "the link of zone {zone} is {condition}, on the line after {after_ms} ms{limit}; `status` says when both ends have seen it"
    )))
}

/// Reads what a mirror zone's link carries, and sends requests over it while that is asked for, until
/// `stop`. The source has no link.
pub fn watch(
    runtime: &Arc<Runtime>,
    source: &ZonePlan,
    plan: &ZonePlan,
    client: &async_nats::Client,
    stop: &CancellationToken,
) {
    if plan.is_hub() {
        return;
    }
    let (source, zone, client) = (source.clone(), plan.name.clone(), client.clone());
    let (runtime, stop) = (Arc::clone(runtime), stop.clone());
    let counting = {
        let (runtime, zone) = (Arc::clone(&runtime), zone.clone());
        async move {
            let mut pace = runtime.pace.subscribe();
            loop {
                let count = runtime.platform.link_stats(&zone).await.map(|stats| stats.count);
                if let Some(count) = count {
                    let count = Some(Box::new(count));
                    tell(&runtime, Observation::Link { zone: zone.clone(), count, echo: None });
                } else if runtime.platform.features().is_empty() {
                    // Where the platform does nothing to links there is nothing to count.
                    return;
                }
                let pause = (*pace.borrow_and_update()).max(LOOK);
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    _ = pace.changed() => tokio::time::sleep(LOOK).await,
                }
            }
        }
    };
    let asking = async move {
        let mut probed = runtime.probed.subscribe();
        loop {
            if probed.wait_for(|zones| zones.contains(&zone)).await.is_err() {
                return;
            }
            let began = Instant::now();
            let stats = runtime.platform.link_stats(&zone).await;
            let least = stats.and_then(|stats| stats.count.condition.least_round_trip_ms());
            let patience = PATIENCE + Duration::from_millis(least.unwrap_or(0));
            let sent_at_ms = now_ms();
            let took_us = match echo::over_link(&client, &source, patience).await {
                Answer::After(time) => Some(time.as_micros() as u64),
                Answer::None => None,
                // Without a connection there is no link to time.
                Answer::NoLink => {
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
            };
            let echo = Some(Echo { sent_at_ms, took_us });
            tell(&runtime, Observation::Link { zone: zone.clone(), count: None, echo });
            tokio::time::sleep((LOOK * 2).saturating_sub(began.elapsed())).await;
        }
    };
    tokio::spawn(stop.clone().run_until_cancelled_owned(counting));
    tokio::spawn(stop.run_until_cancelled_owned(asking));
}

fn tell(runtime: &Runtime, observation: Observation) {
    // Closing: nobody wants to know.
    let _ = runtime.bus.send(Mail::Input(Input::Observed(observation)));
}

/// Refuses what a link cannot be, or this platform cannot make.
///
/// # Errors
/// Why not.
pub fn check(
    runtime: &Runtime,
    what: &crate::command::Impair,
    now: LinkCondition,
) -> std::result::Result<LinkCondition, Failure> {
    let presets = known_presets().map_err(Failure::Refused)?;
    let condition = what.condition(now, &presets).map_err(Failure::Refused)?;
    let can = crate::platform::check_condition(&*runtime.platform, &condition);
    can.map_err(|why| Failure::Refused(why.to_string()))?;
    Ok(condition)
}
