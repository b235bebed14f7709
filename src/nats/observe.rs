//! Watching one node: a slow poll for the truth, hurried by the server's own events.
//!
//! Each node is asked over its own connection, so the room never learns about one node through
//! another. Silence is reported as a fact, not treated as an error.

use std::time::Duration;

use futures::{StreamExt, future::OptionFuture, stream::select_all};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use super::{
    connect::{Kept, Login, PING_INTERVAL, keep_node_client},
    foreign::{self, CONNECTED, Strangers},
    system,
    wire::now_ms,
};
use crate::region::{
    NodeName, ZonePlan,
    observation::{NodeReport, Observation},
    topology::{ACCOUNT, NodePlan},
};

/// How long a node may take to answer before it is asked once more, and then counts as silent.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(700);
/// The shortest time between two polls, however many events come.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
/// How late a poll may be that events hold up.
const LATEST: Duration = Duration::from_millis(250);
/// The longest time between two polls of a silent node, so that its return is seen at once. It
/// costs nothing: without a connection nothing is asked.
const SILENT_PAUSE: Duration = Duration::from_millis(100);
/// How often memory and CPU are asked for; the server itself samples them once a second.
const LOAD_EVERY: Duration = Duration::from_millis(2500);

/// A running watcher; it ends when this is dropped.
#[derive(Debug)]
pub struct NodeWatch(JoinHandle<()>);

impl NodeWatch {
    /// Starts watching a node. `pace` is the time between two polls, and takes effect at once.
    ///
    /// Ends by itself when nobody listens to `out` any more.
    #[must_use]
    pub fn spawn(
        zone: ZonePlan,
        node: NodePlan,
        out: mpsc::Sender<Observation>,
        pace: watch::Receiver<Duration>,
    ) -> Self {
        Self(tokio::spawn(async move {
            if let Err(error) = watch_node(&zone, node, out, pace).await {
                tracing::error!(%error, "a node cannot be watched");
            }
        }))
    }
}

impl Drop for NodeWatch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn watch_node(
    zone: &ZonePlan,
    node: NodePlan,
    out: mpsc::Sender<Observation>,
    mut pace: watch::Receiver<Duration>,
) -> Result<(), super::NatsError> {
    let (who, name) = (Login::System, "zonedrill watch");
    let kept = keep_node_client(zone, &node, who, name, PING_INTERVAL).await?;
    // Reports the number of a server's leafnode connections the moment it changes (nats-facts §G).
    // Every server of the zone reports; only this node's report hurries this node's watcher.
    let links = kept.client.subscribe(format!("$SYS.ACCOUNT.{ACCOUNT}.SERVER.CONNS")).await;
    let clients = kept.client.subscribe(CONNECTED).await;
    // In lame-duck mode a server says so once, then ends its JetStream and its connections.
    let leaving = kept.client.subscribe("$SYS.SERVER.*.LAMEDUCK").await;
    let mut events = select_all([links, clients, leaving].into_iter().flatten());
    let mut load = Load::default();
    let mut strangers = Strangers::default();
    let mut answered = false;
    loop {
        let began = Instant::now();
        let mut asked = poll(&kept, zone, &node.name, &mut load, &mut strangers).await;
        // One answer may be lost to a busy machine.
        if asked.is_none() {
            asked = poll(&kept, zone, &node.name, &mut load, &mut strangers).await;
        }
        let report = asked.map(Box::new);
        let longest = if report.is_none() { SILENT_PAUSE } else { Duration::MAX };
        // While the connection is being made the silence is the watcher's own; that of the node shows
        // by the age of its last answer.
        answered |= report.is_some();
        if answered
            && out.send(Observation::Node { node: node.name.clone(), report }).await.is_err()
        {
            return Ok(());
        }
        // The burst that belongs together is answered by one poll.
        let mut hurried = false;
        loop {
            let mut next = began + (*pace.borrow_and_update()).clamp(SHORTEST_PAUSE, longest);
            if hurried {
                next = began + SHORTEST_PAUSE;
            }
            if let Some(due) = strangers.heard_due() {
                next = next.min(due.max(began + SHORTEST_PAUSE));
            }
            // However many events there are, the node is asked.
            if next.elapsed() > LATEST {
                break;
            }
            tokio::select! {
                // What has come is counted before it is too much to be kept.
                biased;
                Some(message) = events.next() => {
                    if message.subject.ends_with(".LAMEDUCK") {
                        if kept.client.try_server_info().is_some_and(|own| message.subject.contains(&own.server_id)) {
                            let _ = out.send(Observation::Leaving { node: node.name.clone() }).await;
                        }
                        continue;
                    }
                    if !concerns(&kept, &message.payload) {
                        continue;
                    }
                    // Many may connect in a moment: they do not hurry the node's own figures.
                    if message.subject.ends_with(".CONNECT") {
                        strangers.hear(zone, &node.name, &message.payload);
                    } else {
                        hurried = true;
                    }
                }
                changed = pace.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                }
                () = sleep_until(next) => break,
            }
        }
    }
}

/// Whether an event was sent by the server this watcher is connected to.
fn concerns(kept: &Kept, payload: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Event<'a> {
        #[serde(borrow)]
        server: Sender<'a>,
    }
    #[derive(serde::Deserialize)]
    struct Sender<'a> {
        id: &'a str,
    }
    let Some(info) = kept.client.try_server_info() else { return false };
    // An event that cannot be read costs a poll, no more.
    serde_json::from_slice::<Event<'_>>(payload).map_or(true, |e| e.server.id == info.server_id)
}

/// Memory and CPU as last told.
#[derive(Default)]
struct Load {
    last: system::Statsz,
    server_id: String,
    asked: Option<Instant>,
}

async fn poll(
    kept: &Kept,
    zone: &ZonePlan,
    node: &NodeName,
    load: &mut Load,
    strangers: &mut Strangers,
) -> Option<NodeReport> {
    let client = &kept.client;
    let load_due = load.asked.is_none_or(|asked| asked.elapsed() >= LOAD_EVERY);
    let statsz = OptionFuture::from(load_due.then(|| system::statsz(client, ANSWER_TIMEOUT)));
    let foreign = OptionFuture::from(
        strangers.is_due().then(|| strangers.ask(client, zone, node, ANSWER_TIMEOUT)),
    );
    let (jsz, leafs, statsz, foreign) = tokio::join!(
        system::jsz(client, ANSWER_TIMEOUT),
        system::leafz(client, ANSWER_TIMEOUT),
        statsz,
        foreign
    );
    let (jsz, leafs) = (jsz?, leafs?);
    if load.server_id != jsz.server.id {
        strangers.counts_anew();
        *load = Load { server_id: jsz.server.id.clone(), ..Load::default() };
    }
    if let Some(Some(statsz)) = statsz {
        load.last = statsz;
        load.asked = Some(Instant::now());
    }
    let linked = foreign::leafs(node, &leafs);
    let (foreign, foreign_unlisted) = match foreign.flatten().map(|now| strangers.sort(now)) {
        Some(seen) => (Some(seen.all.into_iter().chain(linked).collect()), seen.unlisted),
        None => (None, 0),
    };
    Some(NodeReport {
        server_id: jsz.server.id,
        version: jsz.server.version,
        at_ms: now_ms(),
        rss_bytes: load.last.mem,
        cpu_percent: load.last.cpu,
        meta_leader: jsz.data.meta_leader(),
        jetstream_off: jsz.data.disabled,
        leafs,
        foreign,
        foreign_unlisted,
        stream: jsz.data.stream(),
    })
}
