//! What other hands do to streams and consumers, and in what they differ from how they were made:
//! told as it is seen.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{mpsc, watch};

use super::{
    clock::now_ms,
    failure::Failure,
    protocol::Outcome,
    runtime::{Runtime, ZoneRuntime},
    task::CommandCtx,
};
use crate::{
    nats::{
        configuration::{ConfigurationWatch, Found, Reader, wanted},
        consumer::ConsumerReport,
        repair::{self, Damaged, Step},
    },
    region::{
        Input, NodeName, Severity, UnixMs, ZoneName, ZonePlan,
        advisory::Advisory,
        configuration::{Difference, Differing, Kind, Subject},
        format::{count, span},
        observation::{Observation, ProcessState},
        status::Foreign,
        storm::Storm,
    },
};

/// Acts that wait to be told, and that are remembered: a stranger's script may do many in a moment.
const ACTS: usize = 256;

/// Makes a zone's consumer, or finds it, and watches over the zone's configuration from then on. A
/// consumer that is not there any more goes on after what the room has received.
///
/// # Errors
/// When a server refuses or does not answer.
pub async fn open(
    cx: &CommandCtx,
    source: &ZonePlan,
    reader: &Reader,
    report: watch::Receiver<ConsumerReport>,
) -> Result<ConfigurationWatch, Failure> {
    let zone = reader.zone.name.clone();
    let progress = progress(&cx.runtime, &zone).await?;
    let made = wanted::made(source, &reader.zone, reader.kind, &reader.read().await);
    let damaged = Damaged { reader, source, made: &made, progress: &progress, parted: false };
    let repair::Repaired { steps, made, .. } = repair::repair(&damaged).await?;
    // A new zone's first consumer is not a repair.
    for step in steps.iter().filter(|step| !matches!(step, Step::ConsumerCreated { from: 1, .. })) {
        cx.bus().note(Severity::Warn, format!("zone {zone}: {}", step.describe(&zone)));
    }
    let (acts, told) = mpsc::channel(ACTS);
    let watch = ConfigurationWatch::start(reader.clone(), made, acts).await?;
    let runtime = Arc::clone(&cx.runtime);
    let (known, storm) = (Vec::new(), Storm::default());
    let telling = Telling { runtime, zone, known, sound_at: now_ms(), storm };
    tokio::spawn(tell(telling, watch.found.clone(), report, told));
    Ok(watch)
}

/// What the room's consumer of a zone has received.
///
/// # Errors
/// When the ledger writer has ended.
pub(super) async fn progress(
    runtime: &Runtime,
    zone: &ZoneName,
) -> Result<crate::ledger::progress::Progress, Failure> {
    let name = zone.clone();
    runtime.ledger_query.ask(move |ledger| ledger.progress(&name)).await.ok_or_else(|| {
        Failure::Broken(
            "the ledger writer has ended, so it is not known where the consumer goes on: `down`, then `up`"
                .into(),
        )
    })
}

/// What clients that are not the room's did lately, in any zone, the oldest first.
#[derive(Debug, Default)]
pub struct Acts(Mutex<VecDeque<Advisory>>);

impl Acts {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Advisory>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, act: Advisory) {
        let mut acts = self.lock();
        if acts.len() == ACTS {
            acts.pop_front();
        }
        acts.push_back(act);
    }

    /// The last one since then that can have made a difference of a zone.
    fn of(&self, zone: &ZoneName, difference: &Difference, since: UnixMs) -> Option<Advisory> {
        let Difference { subject, kind } = difference;
        let acts = self.lock();
        let mut explains = acts
            .iter()
            .rev()
            .filter(|act| act.at_ms >= since && act.explains(zone, *subject, kind));
        explains.next().cloned()
    }
}

/// What is told of one zone.
struct Telling {
    runtime: Arc<Runtime>,
    zone: ZoneName,
    known: Vec<Differing>,
    /// When it was seen last to differ in nothing.
    sound_at: UnixMs,
    storm: Storm,
}

/// Tells acts and differences as they come, until the watch ends.
async fn tell(
    mut told: Telling,
    mut found: watch::Receiver<Found>,
    mut report: watch::Receiver<ConsumerReport>,
    mut acts: mpsc::Receiver<Advisory>,
) {
    let mut set_back = 0;
    loop {
        tokio::select! {
            biased;
            act = acts.recv() => match act {
                Some(act) => told.act(act),
                None => return,
            },
            () = due(told.storm.due()) => told.say_left_out(),
            // A consumer that has ended is told otherwise.
            Ok((times, after)) = next_set_back(&mut report, set_back) => {
                set_back = times;
                if !told.lacked_a_server(after).await {
                    told.note(&Difference { subject: Subject::Consumer, kind: Kind::Reset }, None);
                }
            }
            changed = found.changed() => {
                if changed.is_err() {
                    return;
                }
                // While it does not answer, the last that was seen stands.
                let Some(now) = found.borrow_and_update().clone() else { continue };
                told.differences(now);
            }
        }
    }
}

async fn due(at: Option<UnixMs>) {
    match at {
        Some(at) => tokio::time::sleep(Duration::from_millis(at.saturating_sub(now_ms()))).await,
        None => std::future::pending().await,
    }
}

/// For this long after a server of a zone came or went, a consumer there may begin anew once more: seen
/// once, 0.4 s after the last of three killed servers was back.
const RECOVERS_MS: u64 = 3_000;

/// Waits until a consumer was set back more often than before; how often, and when the delivery before
/// came.
async fn next_set_back(
    report: &mut watch::Receiver<ConsumerReport>,
    before: u64,
) -> Result<(u64, UnixMs), watch::error::RecvError> {
    let report = report.wait_for(|report| report.set_back > before).await?;
    Ok((report.set_back, report.set_back_after))
}

impl Telling {
    /// A server of the zone is not at work, or was not since then: a consumer that began shortly before
    /// began with it, and begins anew with another one, by nobody's hand. So it does where all servers were
    /// killed at once before any had kept what was consumed.
    async fn lacked_a_server(&self, since: UnixMs) -> bool {
        let changed = self.runtime.servers.changed(&self.zone);
        if changed.is_some_and(|at| at.saturating_add(RECOVERS_MS) >= since) {
            return true;
        }
        let Ok(plan) = self.runtime.plan(&self.zone) else { return true };
        let ours = |name: &NodeName| plan.nodes.iter().any(|node| node.name == *name);
        let nodes = self.runtime.platform.truth().await;
        nodes.iter().any(|(name, process)| ours(name) && process.state != ProcessState::Running)
    }

    fn act(&mut self, act: Advisory) {
        let severity = if act.refused.is_none() && act.concerns_region() {
            let at = time_of_day(act.at_ms);
            self.runtime.active_drill.end(&format!("somebody else's hand: {act} at {at}"));
            Severity::Warn
        } else {
            Severity::Info
        };
        let text = self.storm.admits(now_ms()).then(|| format!("somebody else's hand: {act}"));
        self.runtime.acts.add(act);
        self.say_left_out();
        let Some(text) = text else { return };
        note(&self.runtime, severity, text);
        // It may have been seen before the act was told.
        let unknown = self.known.iter().any(|one| one.by.is_none());
        if unknown {
            self.publish();
        }
    }

    /// Says how many acts were not told one by one, when it is time for that.
    fn say_left_out(&mut self) {
        let Some((number, within_ms)) = self.storm.left_out(now_ms()) else { return };
        let text = format!(
            "somebody else's hand: {} more acts in zone {} within {}, which are not told one by one",
            count(number),
            self.zone,
            span(within_ms)
        );
        note(&self.runtime, Severity::Warn, text);
    }

    fn differences(&mut self, now: Vec<Difference>) {
        let before = std::mem::take(&mut self.known);
        for difference in now {
            let known = before.iter().find(|one| one.difference == difference).cloned();
            let one = known.unwrap_or_else(|| {
                let by = self.by(&difference);
                self.note(&difference, by.as_ref());
                Differing { difference, since_at_ms: now_ms(), by }
            });
            self.known.push(one);
        }
        if self.known.is_empty() {
            self.sound_at = now_ms();
            if !before.is_empty() {
                let zone = &self.zone;
                let text =
                    format!("zone {zone}'s streams and consumers are as they were made again");
                note(&self.runtime, Severity::Info, text);
            }
        }
        self.publish();
    }

    fn by(&self, difference: &Difference) -> Option<Advisory> {
        self.runtime.acts.of(&self.zone, difference, self.sound_at)
    }

    /// Puts what differs into the state.
    fn publish(&mut self) {
        for i in 0..self.known.len() {
            if self.known[i].by.is_none() {
                self.known[i].by = self.by(&self.known[i].difference);
            }
        }
        let (zone, differences) = (self.zone.clone(), self.known.clone());
        self.runtime.bus.tell(Input::Observed(Observation::Differs { zone, differences }));
    }

    /// A line of the log; a drill that runs tests nothing any more.
    fn note(&self, difference: &Difference, by: Option<&Advisory>) {
        let what = difference.describe(&self.zone);
        let since = time_of_day(now_ms());
        let lost = difference.kind == Kind::Missing
            && self.runtime.plan(&self.zone).is_ok_and(|plan| self.runtime.servers.is_wiped(&plan));
        if !lost {
            self.runtime.active_drill.end(&format!("{what}, since {since}"));
        }
        let by = by.map(|by| format!(" ({by})")).unwrap_or_default();
        let remedy = remedy(difference, &self.zone);
        note(&self.runtime, Severity::Error, format!("{what}{by}{remedy}"));
    }
}

/// `09:31:07`, in the time zone of the room.
fn time_of_day(at: UnixMs) -> String {
    let at = jiff::Timestamp::from_millisecond(at.cast_signed()).unwrap_or_default();
    at.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string()
}

/// Somebody connected to a server: who may do what the drill does makes it void.
pub(super) fn connected(runtime: &Runtime, who: &Foreign) {
    // One that was there before may be told only now.
    let while_it_ran = runtime.active_drill.began().is_some_and(|began| who.since_at_ms >= began);
    if !who.looks && while_it_ran {
        let at = time_of_day(who.since_at_ms);
        runtime.active_drill.end(&format!("somebody else's hand: {who} at {at}"));
    }
}

fn note(runtime: &Runtime, severity: Severity, text: String) {
    runtime.bus.note(severity, text);
}

fn remedy(difference: &Difference, zone: &ZoneName) -> String {
    // It has happened: the deliveries go on from there.
    if difference.kind == Kind::Reset {
        String::new()
    } else {
        format!("; {}", difference.remedy(zone).told())
    }
}

/// In what a zone differs, as it was seen last.
#[must_use]
pub fn differences(zone: &ZoneRuntime) -> Vec<Difference> {
    zone.configuration.found.borrow().clone().unwrap_or_default()
}

/// Everything in which the region differs, a line each, with what mends it.
fn all_differences(runtime: &Runtime) -> Vec<String> {
    let lines = |zone: Arc<ZoneRuntime>| {
        let name = zone.plan.name.clone();
        differences(&zone).into_iter().map(move |one| one.told(&name))
    };
    runtime.zones().into_iter().flat_map(lines).collect()
}

/// What `up` says of a region that is up.
#[must_use]
pub fn up_already(runtime: &Runtime) -> (Outcome, String) {
    let region = &runtime.home.region;
    match all_differences(runtime).as_slice() {
        [] => (Outcome::Done, format!("region `{region}` is up already")),
        lines => (
            Outcome::Broken,
            format!("region `{region}` is up, but not as it was made:\n{}", lines.join("\n")),
        ),
    }
}

/// What is still to be repaired in a zone whose node was started; nothing if all is as made.
pub(super) fn still_differs(cx: &CommandCtx, zone: &ZoneName) -> String {
    let Ok(zone) = cx.runtime.zone(zone) else { return String::new() };
    let name = &zone.plan.name;
    match differences(&zone).first() {
        Some(one) => format!(", but {}", one.told(name)),
        None => String::new(),
    }
}

/// Why a zone's consumer gets no messages however it is told to go on; `None` if it can.
pub(super) async fn why_nothing_is_delivered(zone: &ZoneRuntime) -> Option<String> {
    first(zone, keeps_from_the_consumer).await
}

/// Why a mirror copies nothing however it is hurried; `None` if it can.
pub(super) async fn why_nothing_is_copied(zone: &ZoneRuntime) -> Option<String> {
    first(zone, keeps_from_the_mirror).await
}

/// Why messages do not come to a zone's consumer, or to its mirror, as it was seen last.
pub(super) fn why_nothing_comes(zone: &ZoneRuntime, mirror_has_all: bool) -> Option<String> {
    let is = |one: &Difference| {
        keeps_from_the_consumer(one) || (!mirror_has_all && keeps_from_the_mirror(one))
    };
    let one = differences(zone).into_iter().find(is)?;
    Some(one.told(&zone.plan.name))
}

fn keeps_from_the_consumer(one: &Difference) -> bool {
    matches!(
        (one.subject, &one.kind),
        (Subject::Consumer, Kind::Missing | Kind::Paused { .. } | Kind::Filtered { .. })
            | (Subject::Stream, Kind::Missing)
    )
}

fn keeps_from_the_mirror(one: &Difference) -> bool {
    matches!(
        (one.subject, &one.kind),
        (Subject::Durable, Kind::Missing | Kind::Paused { .. } | Kind::Filtered { .. })
            | (
                Subject::Stream,
                Kind::Missing
                    | Kind::Promoted
                    | Kind::Replaced
                    | Kind::OtherOrigin
                    | Kind::SourceRecreated,
            )
    )
}

/// The first difference of a kind, asked for now.
async fn first(zone: &ZoneRuntime, is: impl Fn(&Difference) -> bool) -> Option<String> {
    let made = zone.configuration.made()?;
    let seen = zone.reader.read().await;
    let found = crate::region::configuration::differences(&made, &seen);
    let name = &zone.plan.name;
    let one = found.into_iter().find(is)?;
    Some(format!("{}; `{}` mends it", one.describe(name), one.remedy(name)))
}
