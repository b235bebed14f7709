//! Set-up, isolation, observation and link proofs against real servers.

// The helpers of an integration test are tests, too.
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use crate::support::nats::{Region, as_shipped, eventually};
use async_nats::Client;
use rustix::process::Signal;
use tokio::sync::{mpsc, watch};
use zonedrill::{
    command::Group,
    nats::{
        NatsError,
        connect::{Login, jetstream, zone_client_within},
        leaders,
        links::{LinkProbe, Mute},
        observe::NodeWatch,
        preflight::{Finding, prove_isolation},
        streams,
    },
    region::{
        MirrorKind, NodeName, ZonePlan,
        observation::{NodeReport, Observation},
        topology::STREAM,
    },
};

const PATIENCE: Duration = Duration::from_secs(40);
/// Enough for the durable's ack floor to leave the beginning.
const MANY: usize = 3000;

async fn client(zone: &ZonePlan) -> Client {
    zone_client_within(zone, Login::App, "test", PATIENCE).await.unwrap()
}

async fn publish(client: &Client, count: usize) {
    let jetstream = jetstream(client);
    let mut acks = Vec::new();
    for _ in 0..count {
        acks.push(jetstream.publish("EVENTS.REGION.test", "x".into()).await.unwrap());
    }
    for ack in acks {
        ack.await.unwrap();
    }
}

/// Brings the streams and consumers of a region up.
async fn set_up(region: &Region, kind: MirrorKind) -> (Client, Client) {
    // As a bring-up does: asked before the election, a restarted server refuses for a long time.
    for zone in [&region.source, region.mirror()] {
        let system = zone_client_within(zone, Login::System, "test", PATIENCE).await.unwrap();
        leaders::wait_meta_leader(&system, zone, PATIENCE).await.unwrap();
    }
    let (a, b) = (client(&region.source).await, client(region.mirror()).await);
    streams::create_source(&a, &region.source).await.unwrap();
    streams::create_mirror(&a, &b, &region.source, region.mirror(), kind).await.unwrap();
    streams::create_consumer(&a, &region.source).await.unwrap();
    streams::create_consumer(&b, region.mirror()).await.unwrap();
    (a, b)
}

async fn last_sequence(client: &Client) -> Option<u64> {
    let stream = jetstream(client).get_stream(STREAM).await.ok()?;
    Some(stream.cached_info().state.last_sequence)
}

async fn first_and_last(client: &Client) -> (u64, u64) {
    let stream = jetstream(client).get_stream(STREAM).await.unwrap();
    let state = &stream.cached_info().state;
    (state.first_sequence, state.last_sequence)
}

async fn mirrored(client: &Client, count: u64) {
    eventually("everything is mirrored", PATIENCE, async || {
        last_sequence(client).await.filter(|&last| last == count)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_durable_mirror_is_set_up_kept_refused_and_made_anew() {
    let region = Region::start(&["b"], as_shipped);
    let (a, b) = set_up(&region, MirrorKind::Durable).await;
    publish(&a, MANY).await;
    mirrored(&b, MANY as u64).await;

    // Again, with its data: nothing changes.
    let again =
        streams::create_mirror(&a, &b, &region.source, region.mirror(), MirrorKind::Durable)
            .await
            .unwrap();
    assert!(!again.created);
    streams::create_source(&a, &region.source).await.unwrap();
    streams::create_consumer(&b, region.mirror()).await.unwrap();
    assert_eq!(last_sequence(&b).await, Some(MANY as u64));
    // What somebody changed of a stream of ours is told and mended on a running region.
    let mut changed = jetstream(&a).get_stream(STREAM).await.unwrap().cached_info().config.clone();
    changed.max_messages = 1_000_000;
    jetstream(&a).update_stream(&changed).await.unwrap();
    streams::create_source(&a, &region.source).await.unwrap();

    let other =
        streams::create_mirror(&a, &b, &region.source, region.mirror(), MirrorKind::Classic)
            .await
            .unwrap_err();
    assert!(matches!(other, NatsError::OtherStream { .. }), "{other}");
    assert!(other.to_string().contains("durable mirror, not a classic mirror"), "{other}");

    eventually("the durable's ack floor moved", PATIENCE, async || {
        // Raw: the client library does not know the durable's ack policy.
        let subject =
            format!("$JS.API.CONSUMER.INFO.{STREAM}.{}", region.mirror().mirror_consumer());
        let reply = a.request(subject, "".into()).await.ok()?;
        let info: serde_json::Value = serde_json::from_slice(&reply.payload).ok()?;
        info["ack_floor"]["stream_seq"].as_u64().filter(|&floor| floor > 0)
    })
    .await;
    // A mirror made anew over the old durable starts at the first message, not at its ack floor.
    jetstream(&b).delete_stream(STREAM).await.unwrap();
    let anew = streams::create_mirror(&a, &b, &region.source, region.mirror(), MirrorKind::Durable)
        .await
        .unwrap();
    assert!(anew.created);
    mirrored(&b, MANY as u64).await;
    assert_eq!(first_and_last(&b).await, (1, MANY as u64));

    streams::drop_zone(&a, region.mirror()).await.unwrap();
    streams::drop_zone(&a, region.mirror()).await.unwrap();
}

async fn comes_up_again(kind: MirrorKind) {
    let mut region = Region::start(&["b"], as_shipped);
    let (a, b) = set_up(&region, kind).await;
    publish(&a, 10).await;
    mirrored(&b, 10).await;
    drop((a, b));

    let nodes: Vec<_> = [&region.source, region.mirror()]
        .iter()
        .flat_map(|zone| zone.nodes.iter().map(|node| node.name.clone()))
        .collect();
    for node in &nodes {
        region.kill(node);
    }
    for node in &nodes {
        region.start_node(node);
    }

    let (a, b) = set_up(&region, kind).await;
    publish(&a, 10).await;
    mirrored(&b, 20).await;
    assert_eq!(first_and_last(&b).await, (1, 20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_comes_up_again_with_its_data() {
    comes_up_again(MirrorKind::Durable).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_with_a_classic_mirror_comes_up_again_with_its_data() {
    comes_up_again(MirrorKind::Classic).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_classic_mirror_is_set_up_and_leaders_step_down() {
    let region = Region::start(&["b"], as_shipped);
    let (a, b) = set_up(&region, MirrorKind::Classic).await;
    publish(&a, 5).await;
    mirrored(&b, 5).await;
    for (client, zone, group) in [
        (&a, &region.source, Group::Stream),
        (&b, region.mirror(), Group::Mirror),
        (&b, region.mirror(), Group::Consumer),
        (&b, region.mirror(), Group::Meta),
    ] {
        let change = leaders::stepdown(client, zone, group).await.unwrap();
        assert_ne!(change.from, change.to, "{group:?}");
    }
    let system = zone_client_within(&region.source, Login::System, "test", PATIENCE).await.unwrap();
    let leader = leaders::wait_meta_leader(&system, &region.source, PATIENCE).await.unwrap();
    assert!(leader.ends_with("-zone-a"), "{leader}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn isolation_is_proved() {
    let region = Region::start(&["b"], as_shipped);
    let (a, _) = set_up(&region, MirrorKind::Durable).await;
    let isolation = prove_isolation(&region.source, region.mirror()).await.unwrap();
    for objection in isolation.objections() {
        eprintln!("{objection}");
    }
    assert!(isolation.proved());
    assert_eq!(last_sequence(&a).await, Some(0), "a probe was stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_isolation_is_found() {
    let region = Region::start(&["b"], |template| {
        // The leaf user as a full user, and nothing denied on the remote: a server's default.
        let (head, rest) = template.split_once("       allowed_connection_types").unwrap();
        let (_, tail) = rest.split_once("      }}").unwrap();
        format!("{head}}}{tail}")
            .replace(r#"deny_exports: ["EVENTS.>"]"#, "")
            .replace(r#"deny_imports: ["EVENTS.>", "$JS.EVENT.>"]"#, "")
    });
    let _clients = set_up(&region, MirrorKind::Durable).await;
    let isolation = prove_isolation(&region.source, region.mirror()).await.unwrap();
    assert!(!isolation.proved());
    let broken: Vec<&str> = isolation
        .objections()
        .filter(|probe| probe.finding == Finding::Broken)
        .map(|probe| probe.what.as_str())
        .collect();
    for part in ["publish on EVENTS.REGION.probe", "lists", "deletes", "creates", "leaf user"] {
        assert!(broken.iter().any(|what| what.contains(part)), "{part}: {broken:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn isolation_without_a_link_is_not_proved() {
    let region = Region::start(&["b"], as_shipped);
    let _clients = set_up(&region, MirrorKind::Durable).await;
    region.set_link(region.mirror(), false);
    let isolation = prove_isolation(&region.source, region.mirror()).await.unwrap();
    assert!(!isolation.proved());
    assert!(isolation.objections().all(|probe| probe.finding == Finding::Unknown));
}

/// The newest report of one node, kept by a watcher's receiver.
async fn report_where(
    out: &mut mpsc::Receiver<Observation>,
    wanted: impl Fn(Option<&NodeReport>) -> bool,
) -> Option<Box<NodeReport>> {
    let began = Instant::now();
    loop {
        let left = PATIENCE.saturating_sub(began.elapsed());
        let Ok(Some(observation)) = tokio::time::timeout(left, out.recv()).await else {
            panic!("no such report within {PATIENCE:?}");
        };
        let Observation::Node { report, .. } = observation else { continue };
        if wanted(report.as_deref()) {
            return report;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_sees_a_node_freeze_restart_and_its_streams() {
    let mut region = Region::start(&["b"], as_shipped);
    let (a, b) = set_up(&region, MirrorKind::Durable).await;
    publish(&a, 10).await;
    mirrored(&b, 10).await;

    let (_pace, pace) = watch::channel(Duration::from_millis(100));
    let (out, mut seen) = mpsc::channel(64);
    let node = region.mirror().nodes[1].clone();
    let watcher = NodeWatch::spawn(region.mirror().clone(), node.clone(), out, pace);

    let report = report_where(&mut seen, |report| {
        report.is_some_and(|r| {
            r.stream.as_ref().is_some_and(|s| s.last_seq == 10 && s.leader.is_some())
        })
    })
    .await;
    let report = report.unwrap();
    let first_id = report.server_id.clone();
    assert!(report.rss_bytes.is_some_and(|bytes| bytes > 1_000_000));
    assert!(report.meta_leader.is_some());
    assert!(report.version.starts_with('2'), "{}", report.version);
    let stream = report.stream.unwrap();
    assert_eq!((stream.messages, stream.first_seq), (10, 1));
    assert_eq!(stream.peers.len(), 2);
    assert!(!stream.created.is_empty());
    assert_eq!(stream.consumers[0].name, "consumer-b");
    assert_eq!(report.leafs.len(), 1);
    assert!(report.leafs[0].name.ends_with("-zone-a"), "{}", report.leafs[0].name);

    // The mirror's leader tells about the mirror.
    let leader = stream.leader.unwrap();
    let leading = region.mirror().nodes.iter().find(|n| n.name.to_string() == leader).unwrap();
    let (_pace2, pace2) = watch::channel(Duration::from_millis(100));
    let (out2, mut seen2) = mpsc::channel(64);
    let watcher2 = NodeWatch::spawn(region.mirror().clone(), leading.clone(), out2, pace2);
    let report = report_where(&mut seen2, |report| {
        report.and_then(|r| r.stream.as_ref()).is_some_and(|s| s.mirror.is_some())
    })
    .await;
    let mirror = report.unwrap().stream.unwrap().mirror.unwrap();
    assert!(mirror.silent_ms.is_some_and(|ms| ms < 3000), "{mirror:?}");
    assert_eq!((mirror.lag, mirror.error), (0, None));
    drop(watcher2);

    // Frozen: silence is told; thawed: it speaks again.
    region.signal(&node.name, Signal::STOP);
    report_where(&mut seen, |report| report.is_none()).await;
    region.signal(&node.name, Signal::CONT);
    report_where(&mut seen, |report| report.is_some()).await;

    // Restarted: another server id over the same watcher.
    region.kill(&node.name);
    report_where(&mut seen, |report| report.is_none()).await;
    region.start_node(&node.name);
    let back = report_where(&mut seen, |report| report.is_some()).await;
    assert_ne!(back.unwrap().server_id, first_id);
    drop(watcher);
}

fn down(down: Vec<NodeName>) -> Mute {
    Mute { down, ..Mute::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_and_a_link_are_proved_at_both_ends() {
    let mut region = Region::start(&["b"], as_shipped);
    let _clients = set_up(&region, MirrorKind::Durable).await;
    let zone = region.mirror().clone();
    let probe = LinkProbe::new(&region.source, &zone).await.unwrap();

    let up = probe.prove_link(&Mute::default, Duration::from_millis(100), PATIENCE, None).await;
    assert!(up.proved, "{up}");
    let no_cut = probe.prove_cut(&Mute::default, Duration::from_millis(300)).await;
    assert!(!no_cut.proved, "{no_cut}");
    assert!(no_cut.here.iter().all(|end| end.leafs == Some(1)), "{no_cut}");

    // A watcher hears of the cut by the server's event, long before its next poll.
    let (_pace, pace) = watch::channel(Duration::from_secs(60));
    let (out, mut seen) = mpsc::channel(64);
    let _watcher = NodeWatch::spawn(zone.clone(), zone.nodes[0].clone(), out, pace);
    report_where(&mut seen, |r| r.is_some_and(|r| r.leafs.len() == 1)).await;

    region.set_link(&zone, false);
    let cut = probe.prove_cut(&Mute::default, PATIENCE).await;
    assert!(cut.proved, "{cut}");
    report_where(&mut seen, |r| r.is_some_and(|r| r.leafs.is_empty())).await;

    // A node that may be anything leaves the proof open; one known not to run does not.
    let dead = region.source.nodes[2].name.clone();
    region.kill(&dead);
    let open = probe.prove_cut(&Mute::default, Duration::from_millis(800)).await;
    assert!(!open.proved, "{open}");
    assert!(open.there.iter().any(|end| end.leafs.is_none()), "{open}");
    let closed = probe.prove_cut(&|| down(vec![dead.clone()]), PATIENCE).await;
    assert!(closed.proved, "{closed}");

    // A node that ends while it is asked is left out from then on, and an end at which nobody runs
    // ends the proof at once.
    let second = region.source.nodes[1].name.clone();
    let asked = AtomicUsize::new(0);
    region.kill(&second);
    let known_late = || {
        let known = asked.fetch_add(1, Ordering::Relaxed) > 3;
        down(if known { vec![dead.clone(), second.clone()] } else { vec![dead.clone()] })
    };
    let closed = probe.prove_cut(&known_late, PATIENCE).await;
    assert!(closed.proved && closed.excluded.len() == 2, "{closed}");
    let all = || down(region.source.nodes.iter().map(|node| node.name.clone()).collect());
    let nobody = probe.prove_cut(&all, PATIENCE).await;
    assert!(!nobody.proved && nobody.empty_end() == Some("the source's"), "{nobody}");
    assert!(nobody.after_ms < 2_000, "{nobody:?}");
    region.start_node(&second);

    region.set_link(&zone, true);
    let back = probe
        .prove_link(&|| down(vec![dead.clone()]), Duration::from_millis(100), PATIENCE, None)
        .await;
    assert!(back.proved, "{back}");
}
