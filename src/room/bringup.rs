//! `up` and the end: the way a region comes and goes.
//!
//! Whatever fails takes down what it began; nothing half-started stays.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use futures::future::try_join_all;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    bus::Input,
    engine::{Engine, Failure, ZoneEngine},
    task::{Cx, Result, Said},
    work,
};
use crate::{
    nats::{
        connect::{Login, zone_client, zone_client_within},
        consumer::{ConsumerTask, Control},
        leaders,
        observe::NodeWatch,
        preflight,
        producer::Producer,
        streams,
    },
    platform::{default_mirror, version_at_least},
    region::{
        MirrorKind, Role, ZoneName, ZonePlan, event::seconds, observation::Observation,
        snapshot::Phase,
    },
};

/// How long an election may take: mostly under a second, six once, more with old data
/// (nats-facts §H), and every vote that fails on a busy machine costs 4-9 s more.
const ELECTED: Duration = Duration::from_secs(40);

/// A step that is shown while it runs.
async fn step<T>(
    cx: &Cx,
    title: &str,
    doing: impl Future<Output = std::result::Result<T, Failure>>,
) -> std::result::Result<T, Failure> {
    let name = title.to_owned();
    cx.bus().change(move |state, _| state.step_started(&name));
    cx.tell(format!("{title} …"));
    let began = Instant::now();
    let result = doing.await;
    let name = title.to_owned();
    match &result {
        Ok(_) => {
            let took_ms = began.elapsed().as_millis() as u64;
            cx.tell(format!("{title}: done in {}", seconds(took_ms)));
            cx.bus().change(move |state, _| state.step_done(&name, took_ms));
        }
        Err(failure) => {
            let why = failure.to_string();
            cx.bus().change(move |state, _| state.step_failed(&name, &why));
        }
    }
    result
}

/// Tells a running detail of a step.
fn detail(cx: &Cx, title: &str, text: &str) {
    let (title, text) = (title.to_owned(), text.to_owned());
    cx.tell(format!("{title}: {text}"));
    cx.bus().change(move |state, _| state.step_detail(&title, &text));
}

/// Brings the whole region up.
///
/// # Errors
/// When a step fails; then everything is down again.
pub async fn up(cx: Cx) -> Result {
    let began = Instant::now();
    cx.bus().change(|state, _| state.phase(Phase::Starting));
    let brought = tokio::select! {
        brought = bring_up(&cx) => brought,
        () = cx.stop.cancelled() => Err(Failure::Broken("ended before the region was up".into())),
    };
    match brought {
        Ok(zones) => {
            cx.bus().change(|state, _| state.phase(Phase::Up));
            let took = seconds(began.elapsed().as_millis() as u64);
            let first = cx.engine.source_plan()?.nodes[0].client_port;
            Ok(Said::done(format!(
                "region `{}` is up in {took}: zones {}; any NATS tool can look in at localhost:{first}",
                cx.engine.home.region,
                zones.join(", "),
            )))
        }
        Err(failure) => {
            cx.engine.retire_all().await;
            if let Err(error) = cx.engine.platform.abandon().await {
                tracing::warn!("after a failed bring-up: {error}");
            }
            let why = failure.to_string();
            let zones: Vec<ZoneName> =
                cx.engine.plans().into_iter().map(|plan| plan.name).collect();
            cx.bus().change(move |state, now| {
                for zone in &zones {
                    state.zone_removed(now, zone);
                }
                state.phase(Phase::Failed(why))
            });
            Err(failure)
        }
    }
}

async fn bring_up(cx: &Cx) -> std::result::Result<Vec<String>, Failure> {
    let engine = &cx.engine;
    let plans = engine.plans();
    for plan in &plans {
        let plan = plan.clone();
        cx.bus().change(move |state, now| state.zone_added(now, &plan));
    }
    let title = "find nats-server";
    let version = step(cx, title, async {
        Ok(engine.platform.prepare(&|text| detail(cx, title, text)).await?)
    })
    .await?;
    decide_mirror(engine, &version)?;
    if let Some(kind) = engine.mirror() {
        let version = version.clone();
        cx.bus().change(move |state, _| {
            state.server_version(version);
            state.mirror_kind(kind);
            Vec::new()
        });
    }
    for plan in &plans {
        engine.platform.check_zone(plan).await?;
    }
    engine.keep_plans()?;
    // All zones' elections run at the same time; the source's stream is there before the first
    // mirror is (a mirror made before its source waits half a minute, nats-facts §D).
    let (source, mirrors): (Vec<_>, Vec<_>) =
        plans.iter().partition(|plan| plan.role == Role::Source);
    let source = *source.first().ok_or_else(|| Failure::Broken("no source zone".into()))?;
    let (source_ready, wait) = watch::channel(false);
    let raise_source = async {
        start_servers(cx, source).await?;
        let client = connect(source).await?;
        step(cx, "create stream EVENTS_REGION", async {
            Ok(streams::create_source(&client, source).await?)
        })
        .await?;
        source_ready.send_replace(true);
        open_zone(cx, source, client).await
    };
    let raise_mirrors = try_join_all(mirrors.iter().map(|plan| {
        let mut wait = wait.clone();
        async move {
            start_servers(cx, plan).await?;
            let client = connect(plan).await?;
            // An error here means that the source failed, which ends everything anyway.
            let _ = wait.wait_for(|ready| *ready).await;
            open_mirror(cx, source, plan, client).await
        }
    }));
    tokio::try_join!(raise_source, raise_mirrors)?;
    Ok(plans.iter().map(|plan| plan.name.to_string()).collect())
}

/// Settles how mirrors pull: as the region's data was made, as asked, or by the server's version.
fn decide_mirror(engine: &Engine, version: &str) -> std::result::Result<(), Failure> {
    let asked = engine.settings.lock().map(|settings| settings.mirror).unwrap_or_default();
    let kind = asked.unwrap_or_else(|| default_mirror(version));
    if kind == MirrorKind::Durable && !version_at_least(version, (2, 14, 0)) {
        return Err(Failure::Refused(format!(
            "nats-server {version} has no durable mirrors (2.15 and later): use `--mirror classic`, or another `--nats-version`"
        )));
    }
    engine.set_mirror(kind);
    Ok(())
}

/// Starts a zone's servers and waits until they have elected a leader of all.
pub(super) async fn start_servers(cx: &Cx, plan: &ZonePlan) -> std::result::Result<(), Failure> {
    step(cx, &format!("start zone {}", plan.name), async {
        cx.engine.platform.start_zone(plan).await?;
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
fn watch_zone(cx: &Cx, plan: &ZonePlan) {
    let engine = &cx.engine;
    let (out, mut seen) = tokio::sync::mpsc::channel::<Observation>(64);
    let watches = plan
        .nodes
        .iter()
        .map(|node| NodeWatch::spawn(node.clone(), out.clone(), engine.pace.subscribe()))
        .collect();
    let bus = engine.bus.clone();
    tokio::spawn(async move {
        while let Some(observation) = seen.recv().await {
            if bus.send(Input::Observed(observation)).is_err() {
                break;
            }
        }
    });
    engine.watch(plan.name.clone(), watches);
}

/// The drill's own connection to a zone, once it is served.
pub(super) async fn connect(plan: &ZonePlan) -> std::result::Result<async_nats::Client, Failure> {
    Ok(zone_client_within(plan, Login::App, "zonedrill", ELECTED).await?)
}

/// The mirror zone's part: isolation, mirror, consumer.
pub(super) async fn open_mirror(
    cx: &Cx,
    source: &ZonePlan,
    plan: &ZonePlan,
    client: async_nats::Client,
) -> std::result::Result<(), Failure> {
    let kind = cx
        .engine
        .mirror()
        .ok_or_else(|| Failure::Broken("the mirror kind is not decided".into()))?;
    step(cx, &format!("mirror in zone {} ({})", plan.name, kind.as_str()), async {
        let source_client = zone_client(source, Login::App, "zonedrill set-up").await?;
        streams::create_mirror(&source_client, &client, source, plan, kind).await?;
        Ok(())
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
    .await?;
    open_zone(cx, plan, client).await
}

/// Every zone's part: its consumer, its watchers.
async fn open_zone(
    cx: &Cx,
    plan: &ZonePlan,
    client: async_nats::Client,
) -> std::result::Result<(), Failure> {
    let engine = &cx.engine;
    step(cx, &format!("consumer {}", plan.consumer()), async {
        Ok(streams::create_consumer(&client, plan).await?)
    })
    .await?;
    if plan.role == Role::Source {
        // A connection of its own, so that nothing else can disturb it or be mistaken for it.
        let connection = zone_client(plan, Login::App, "zonedrill producer").await?;
        let producer =
            Producer::new(connection, engine.run.clone(), engine.evidence.clone()).at(plan);
        engine.set_producer(producer);
    }
    let stop = CancellationToken::new();
    let (control, held) = watch::channel(Control::default());
    let (report, reported) = watch::channel(work::Report::default());
    let consumer = ConsumerTask::spawn(
        client.clone(),
        plan.name.clone(),
        &plan.consumer(),
        engine.run.clone(),
        engine.evidence.clone(),
        held,
        report,
    );
    work::tell(
        engine.bus.clone(),
        plan.name.clone(),
        control.subscribe(),
        reported.clone(),
        stop.clone(),
    );
    engine.set_to_work(std::sync::Arc::new(ZoneEngine {
        plan: plan.clone(),
        client,
        control,
        report: reported,
        consumer: Mutex::new(Some(consumer)),
        stop,
    }));
    let name = plan.name.clone();
    cx.bus().change(move |state, now| state.zone_ready(now, &name));
    Ok(())
}

/// Ends everything, in order: produces, consumers, watchers, servers.
///
/// # Errors
/// The first thing that could not be ended; the rest is ended all the same.
pub async fn down(engine: &Engine, purge: bool) -> std::result::Result<(), Failure> {
    engine.retire_all().await;
    engine.platform.down(purge).await?;
    Ok(())
}
