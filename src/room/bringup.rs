//! `up` and the end: the way a region comes and goes.
//! Whatever fails takes down what it began; nothing half-started stays.

mod settled;

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use futures::future::try_join_all;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::settled::{decide_mirror, note_baseline};
use super::{
    clock::now_ms,
    configuration,
    drills::Statuses,
    failure::Failure,
    impair, links, lost_source,
    mailbox::Mail,
    produce,
    runtime::{Runtime, ZoneRuntime},
    task::{CommandCtx, Completion, Result},
    work,
};
use crate::{
    nats::{
        configuration::Reader,
        connect::{Login, zone_client, zone_client_within},
        consumer::{ConsumerTask, Control},
        leaders,
        observe::NodeWatch,
        preflight,
        producer::Producer,
        renumbering::{self, RenumberingWatch},
        streams,
    },
    region::{
        Input, MirrorKind, Role, ZoneName, ZonePlan, event::Severity, format::seconds,
        observation::Observation, status::Phase,
    },
};

/// How long an election may take: mostly under a second, six once, more with old data
/// (nats-facts §H), and every vote that fails on a busy machine costs 4-9 s more.
const ELECTED: Duration = Duration::from_secs(40);

/// A step that is shown while it runs.
pub(super) async fn step<T>(
    cx: &CommandCtx,
    title: &str,
    doing: impl Future<Output = std::result::Result<T, Failure>>,
) -> std::result::Result<T, Failure> {
    cx.bus().tell(Input::StepStarted { title: title.to_owned() });
    cx.tell(format!("{title} …"));
    let began = Instant::now();
    let result = doing.await;
    let title = title.to_owned();
    match &result {
        Ok(_) => {
            let took_ms = began.elapsed().as_millis() as u64;
            cx.tell(format!("{title}: done in {}", seconds(took_ms)));
            cx.bus().tell(Input::StepDone { title, took_ms });
        }
        Err(failure) => {
            cx.bus().tell(Input::StepFailed { title, why: failure.to_string() });
        }
    }
    result
}

/// Tells a running detail of a step.
fn detail(cx: &CommandCtx, title: &str, text: &str) {
    cx.tell(format!("{title}: {text}"));
    cx.bus().tell(Input::StepDetail { title: title.to_owned(), detail: text.to_owned() });
}

/// Brings the whole region up.
///
/// # Errors
/// When a step fails; then everything is down again.
pub async fn up(cx: CommandCtx, statuses: Statuses) -> Result {
    let began = Instant::now();
    cx.bus().tell(Input::Phase(Phase::Starting));
    let brought = tokio::select! {
        brought = bring_up(&cx, &statuses) => brought,
        () = cx.stop.cancelled() => Err(Failure::Broken("ended before the region was up".into())),
    };
    match brought {
        Ok(zones) => {
            cx.bus().tell(Input::Phase(Phase::Up));
            let took = seconds(began.elapsed().as_millis() as u64);
            let first = cx.runtime.source_plan()?.nodes[0].url();
            Ok(Completion::done(format!(
                "region `{}` is up in {took}: zones {}; any NATS tool can look in at {first}",
                cx.runtime.home.region,
                zones.join(", "),
            )))
        }
        Err(failure) => {
            cx.runtime.retire_all().await;
            let failure = match cx.runtime.platform.abandon().await {
                Ok(()) => failure,
                Err(error) => Failure::Broken(format!(
                    "{failure}. What was begun is not all removed ({error}): `zonedrill{} down` removes the rest",
                    cx.runtime.flag()
                )),
            };
            let failure = failure.with_servers(statuses.borrow().status.server_version.as_deref());
            let why = failure.to_string();
            let zones: Vec<ZoneName> =
                cx.runtime.plans().into_iter().map(|plan| plan.name).collect();
            cx.bus().tell(Input::BringUpFailed { zones, why });
            Err(failure)
        }
    }
}

async fn bring_up(
    cx: &CommandCtx,
    statuses: &Statuses,
) -> std::result::Result<Vec<String>, Failure> {
    let runtime = &cx.runtime;
    let plans = runtime.plans();
    for plan in &plans {
        cx.bus().tell(Input::ZoneAdded(plan.clone()));
    }
    let title = "find nats-server";
    let version = step(cx, title, async {
        Ok(runtime.platform.prepare(&|text| detail(cx, title, text)).await?)
    })
    .await?;
    for told in runtime.platform.adopted() {
        step(cx, &told, async { Ok(()) }).await?;
    }
    decide_mirror(runtime, &version)?;
    if let Some(mirror_kind) = runtime.mirror() {
        let copy_kind = runtime.copy();
        cx.bus().tell(Input::Servers { version: version.clone(), mirror_kind, copy_kind });
    }
    for plan in &plans {
        runtime.platform.check_zone(plan).await?;
    }
    runtime.keep_plans()?;
    // All zones' elections run at the same time; the source's stream is there before the first
    // mirror is (a mirror made before its source waits half a minute, nats-facts §D).
    let (source, mirrors): (Vec<_>, Vec<_>) = plans.iter().partition(|plan| plan.is_hub());
    let source = *source.first().ok_or_else(|| Failure::Broken("no source zone".into()))?;
    let (source_ready, wait) = watch::channel(false);
    let raise_source = async {
        start_servers(cx, source).await?;
        let client = connect(source).await?;
        if lost_source::is_lost(cx, source, &client).await? {
            lost_source::bring_up_fenced(cx, source, client).await?;
            source_ready.send_replace(true);
            return Ok(());
        }
        step(cx, "create stream EVENTS_REGION", async {
            Ok(streams::create_source(&client, source).await?)
        })
        .await?;
        note_baseline(cx, &client).await?;
        source_ready.send_replace(true);
        // The source itself mirrors nothing, as a zone that was promoted.
        open_promoted(cx, source, source, client, None).await
    };
    let raise_mirrors = try_join_all(mirrors.iter().map(|plan| {
        let mut wait = wait.clone();
        async move {
            start_servers(cx, plan).await?;
            let client = connect(plan).await?;
            // An error here means that the source failed, which ends everything anyway.
            let _ = wait.wait_for(|ready| *ready).await;
            if plan.role != Role::Mirror {
                return open_promoted(cx, source, plan, client, None).await;
            }
            open_mirror(cx, source, plan, client).await
        }
    }));
    tokio::try_join!(raise_source, raise_mirrors)?;
    produce::where_it_was(cx).await?;
    for plan in plans.iter().filter(|plan| runtime.platform.is_cut(&plan.name)) {
        // Found so: it is shown as a cut, and proved like one.
        let Some(kind) = runtime.platform.cut_kinds().first().copied() else { continue };
        let (zone, statuses, given) = (plan.name.clone(), statuses.clone(), Instant::now());
        let cut = links::Cut { zone, kind, heal_after: None, statuses, given };
        if let Err(failure) = links::cut(cx.clone(), cut).await {
            cx.bus().note(Severity::Warn, failure.to_string());
        }
    }
    Ok(plans.iter().map(|plan| plan.name.to_string()).collect())
}

/// Starts a zone's servers and waits until they have elected a leader of all.
pub(super) async fn start_servers(
    cx: &CommandCtx,
    plan: &ZonePlan,
) -> std::result::Result<(), Failure> {
    step(cx, &format!("start zone {}", plan.name), async {
        cx.runtime.platform.start_zone(plan).await?;
        Ok(())
    })
    .await?;
    watch_zone(cx, plan);
    // Asked before there is a leader, a server does not answer at all; waiting for the election
    // first is faster than waiting for a request to time out.
    step(cx, &format!("election in zone {}", plan.name), async {
        let client = zone_client_within(plan, Login::System, "zonedrill set-up", ELECTED).await?;
        leaders::wait_meta_leader(&client, plan, ELECTED).await?;
        Ok(())
    })
    .await
}

/// Watches a zone's nodes from now on.
pub(super) fn watch_zone(cx: &CommandCtx, plan: &ZonePlan) {
    let runtime = &cx.runtime;
    let (out, mut seen) = tokio::sync::mpsc::channel::<Observation>(64);
    let watches = plan
        .nodes
        .iter()
        .map(|node| {
            NodeWatch::spawn(plan.clone(), node.clone(), out.clone(), runtime.pace.subscribe())
        })
        .collect();
    let bus = runtime.bus.clone();
    let map = plan.renumbers().then(|| runtime.renumbering(&plan.name).subscribe());
    tokio::spawn(async move {
        while let Some(mut observation) = seen.recv().await {
            if let (Some(map), Observation::Node { report: Some(report), .. }) =
                (&map, &mut observation)
                && let Some(stream) = &mut report.stream
            {
                map.borrow().read(stream);
            }
            if bus.send(Mail::Input(Input::Observed(observation))).is_err() {
                break;
            }
        }
    });
    runtime.watch(plan.name.clone(), watches);
}

/// The drill's own connection to a zone, once it is served.
pub(super) async fn connect(plan: &ZonePlan) -> std::result::Result<async_nats::Client, Failure> {
    Ok(zone_client_within(plan, Login::App, "zonedrill", ELECTED).await?)
}

/// The mirror zone's part: isolation, mirror, consumer.
pub(super) async fn open_mirror(
    cx: &CommandCtx,
    source: &ZonePlan,
    plan: &ZonePlan,
    client: async_nats::Client,
) -> std::result::Result<(), Failure> {
    let kind = cx
        .runtime
        .mirror()
        .ok_or_else(|| Failure::Broken("the mirror kind is not decided".into()))?;
    let source_client = zone_client(source, Login::App, "zonedrill set-up").await?;
    let cut = cx.runtime.platform.is_cut(&plan.name);
    if cut {
        // Adopted so: the mirror is there, and neither it nor the isolation can be tried now.
        cx.bus().note(
            Severity::Warn,
            format!(
                "zone {zone} was found cut and stays cut, so its isolation from the source is not proved: `heal {zone}`, then `doctor` proves it",
                zone = plan.name
            ),
        );
    } else {
        make_mirror(cx, source, &source_client, plan, &client, kind).await?;
    }
    let reader = Reader { here: client, source: Some(source_client), zone: plan.clone(), kind };
    open_zone(cx, source, reader, None).await
}

/// The part of a zone that was promoted: its own stream, consumer.
pub(super) async fn open_promoted(
    cx: &CommandCtx,
    source: &ZonePlan,
    plan: &ZonePlan,
    client: async_nats::Client,
    before: Option<work::Report>,
) -> std::result::Result<(), Failure> {
    let kind = MirrorKind::Classic;
    let reader = Reader { here: client, source: None, zone: plan.clone(), kind };
    open_zone(cx, source, reader, before).await
}

/// Makes the mirror, and proves that the zone is isolated from the source's streams.
async fn make_mirror(
    cx: &CommandCtx,
    source: &ZonePlan,
    source_client: &async_nats::Client,
    plan: &ZonePlan,
    client: &async_nats::Client,
    kind: MirrorKind,
) -> std::result::Result<(), Failure> {
    step(cx, &format!("{} in zone {}", plan.copy.one(kind), plan.name), async {
        Ok(streams::create_mirror(source_client, client, source, plan, kind).await?)
    })
    .await?;
    step(cx, &format!("isolation of zone {}", plan.name), async {
        let isolation = preflight::prove_isolation(source, plan).await?;
        if isolation.proved() {
            return Ok(());
        }
        let objections: Vec<String> = isolation.objections().map(ToString::to_string).collect();
        Err(Failure::Broken(format!(
            "zone {} is not proved to be isolated from the source: {}",
            plan.name,
            objections.join("; ")
        )))
    })
    .await
}

/// Every zone's part: its consumer, its watchers.
async fn open_zone(
    cx: &CommandCtx,
    source: &ZonePlan,
    reader: Reader,
    before: Option<work::Report>,
) -> std::result::Result<(), Failure> {
    let (runtime, plan, client) = (&cx.runtime, &reader.zone, &reader.here);
    let (report, reported) = watch::channel(work::Report::default());
    let configuration = step(cx, &format!("consumer {}", plan.consumer()), async {
        configuration::open(cx, source, &reader, reported.clone()).await
    })
    .await?;
    let made = configuration.made();
    let told = made.as_ref().and_then(|made| Some(made.consumer.there()?.delivered));
    report.send_replace(work::carried_on(before, told, now_ms()));
    if plan.is_hub() && runtime.producer().is_err() {
        // A connection of its own, so that nothing else can disturb it or be mistaken for it.
        let connection = zone_client(plan, Login::App, "zonedrill producer").await?;
        let producer =
            Producer::new(connection, runtime.run.clone(), runtime.evidence.clone()).at(plan);
        runtime.set_producer(producer);
    }
    let (stop, (control, held)) = (CancellationToken::new(), watch::channel(Control::default()));
    let map = plan.renumbers().then(|| runtime.renumbering(&plan.name));
    if let Some(map) = &map {
        // What a promoted copy took from producers is placed by what is known before.
        renumbering::learn(client, plan, map).await?;
    }
    let consumer = ConsumerTask::spawn(
        client.clone(),
        plan,
        runtime.run.clone(),
        runtime.evidence.clone(),
        held,
        report,
        map.as_ref().map(watch::Sender::subscribe),
    );
    let renumbering = map.map(|map| {
        RenumberingWatch::spawn(client.clone(), reader.source.clone(), plan.clone(), map)
    });
    work::tell(
        runtime.bus.clone(),
        plan.name.clone(),
        control.subscribe(),
        reported.clone(),
        stop.clone(),
    );
    impair::watch(runtime, source, plan, client, &stop);
    runtime.set_to_work(std::sync::Arc::new(ZoneRuntime {
        plan: plan.clone(),
        client: client.clone(),
        reader: reader.clone(),
        configuration,
        control,
        report: reported,
        consumer: Mutex::new(Some(consumer)),
        renumbering,
        stop,
    }));
    cx.bus().tell(Input::ZoneReady(plan.name.clone()));
    Ok(())
}

/// Ends everything, in order: produces, consumers, watchers, servers.
///
/// # Errors
/// The first thing that could not be ended; the rest is ended all the same.
pub async fn down(runtime: &Runtime, purge: bool) -> std::result::Result<(), Failure> {
    runtime.retire_all().await;
    runtime.platform.down(purge).await?;
    Ok(())
}
