//! The local platform with real servers: bring-up, links, node faults, and that nothing stays.

mod killed;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use crate::support::nats::access;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use zonedrill::{
    command::NodeAct,
    nats::connect::Login,
    platform::{
        Common, Platform, PlatformError, PlatformEvent,
        identity::Identity,
        local::{LocalOptions, LocalPlatform, ports},
    },
    region::{
        NodeName, Role, ZoneName, ZonePlan,
        observation::ProcessState,
        topology::{self, CutKind, Network},
    },
};

const DEADLINE: Duration = Duration::from_secs(30);

/// A region in a temporary folder. Dropping it kills its servers and removes the folder.
struct Region {
    platform: LocalPlatform,
    a: ZonePlan,
    b: ZonePlan,
    home: PathBuf,
    _folder: tempfile::TempDir,
}

fn name(zone: &str) -> ZoneName {
    zone.parse().unwrap()
}

fn node(text: &str) -> NodeName {
    text.parse().unwrap()
}

fn platform_at(home: &Path, source: &ZonePlan) -> LocalPlatform {
    LocalPlatform::new(LocalOptions {
        common: Common {
            home: home.into(),
            region: "trial".into(),
            identity: Identity::default(),
            source: source.clone(),
        },
        nats_version: topology::DEFAULT_NATS_VERSION.into(),
        nats_server: Some(crate::support::server::nats_server().to_owned()),
        cache: Path::new(env!("CARGO_TARGET_TMPDIR")).join("nats-server"),
        network: Network::default(),
        program: env!("CARGO_BIN_EXE_zonedrill").into(),
    })
}

impl Region {
    async fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("zone drill \"").tempdir().unwrap();
        let base = ports::free_base(2).expect("free ports");
        let a = ZonePlan::new(name("a"), Role::Source, 0, base).with_access(&access());
        let b = ZonePlan::new(name("b"), Role::Mirror, 1, base).with_access(&access());
        let home = folder.path().join("home");
        let platform = platform_at(&home, &a);
        platform.prepare(&|_| {}).await.unwrap();
        Self { platform, a, b, home, _folder: folder }
    }

    async fn up() -> Self {
        let region = Self::new().await;
        let (a, b) = tokio::join!(
            region.platform.start_zone(&region.a),
            region.platform.start_zone(&region.b)
        );
        a.unwrap();
        b.unwrap();
        region
    }

    fn ports(&self) -> impl Iterator<Item = u16> {
        self.a.ports().chain(self.b.ports())
    }

    async fn state(&self, wanted: &NodeName) -> ProcessState {
        let truth = self.platform.truth().await;
        truth.into_iter().find(|(node, _)| node == wanted).expect("known node").1.state
    }

    /// Waits until the nodes of both zones count this many leafnode connections, a zone's in sum.
    async fn leafs(&self, wanted: u64) {
        for zone in [&self.a, &self.b] {
            let client = connect(zone, 0, Login::System).await;
            eventually(&format!("{wanted} leafs at {:?}", zone.name), async || {
                let replies = ask_all(&client, "$SYS.REQ.SERVER.PING.LEAFZ").await;
                let leafs = replies.iter().map(|reply| reply["data"]["leafnodes"].as_u64());
                replies.len() == 3 && leafs.map(Option::unwrap).sum::<u64>() == wanted
            })
            .await;
        }
    }
}

async fn connect(zone: &ZonePlan, number: usize, who: Login) -> async_nats::Client {
    let user = who.credentials(&zone.access);
    let options = async_nats::ConnectOptions::with_user_and_password(user.0.into(), user.1.into());
    options
        .request_timeout(Some(Duration::from_secs(2)))
        .connect(zone.nodes[number].url())
        .await
        .unwrap()
}

/// Asks all servers of a zone; the answers of half a second, three at most.
async fn ask_all(client: &async_nats::Client, subject: &'static str) -> Vec<Value> {
    let inbox = client.new_inbox();
    let answers = client.subscribe(inbox.clone()).await.unwrap();
    client.publish_with_reply(subject, inbox, "".into()).await.unwrap();
    let answers = answers.take(3).map(|answer| serde_json::from_slice(&answer.payload).unwrap());
    answers.take_until(Box::pin(tokio::time::sleep(Duration::from_millis(500)))).collect().await
}

async fn eventually(what: &str, mut true_now: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !true_now().await {
        assert!(begun.elapsed() < DEADLINE, "{what} did not come true in {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Repeats a JetStream request until it is answered without an error.
async fn js(client: &async_nats::Client, subject: &str, request: Value) -> Value {
    let begun = Instant::now();
    loop {
        let payload = serde_json::to_vec(&request).unwrap().into();
        let answer = client.request(subject.to_owned(), payload).await;
        let told = match answer {
            Ok(answer) => {
                let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
                if answer.get("error").is_none() {
                    return answer;
                }
                answer.to_string()
            }
            Err(error) => error.to_string(),
        };
        assert!(begun.elapsed() < DEADLINE, "{subject}: {told}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn next_event(
    events: &mut UnboundedReceiver<PlatformEvent>,
    wanted: &NodeName,
    state: ProcessState,
) -> String {
    let search = async {
        loop {
            let PlatformEvent::Node { node, truth, why, .. } = events.recv().await.unwrap() else {
                continue;
            };
            if &node == wanted && truth.state == state {
                return why;
            }
        }
    };
    tokio::time::timeout(DEADLINE, search).await.expect("an event in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_comes_up_mirrors_is_cut_healed_and_leaves_nothing() {
    let region = Region::up().await;
    region.leafs(3).await;

    let source = connect(&region.a, 0, Login::App).await;
    let mirror = connect(&region.b, 0, Login::App).await;
    let stream =
        json!({"name": "EVENTS_REGION", "subjects": ["EVENTS.REGION.>"], "num_replicas": 3});
    js(&source, "$JS.API.STREAM.CREATE.EVENTS_REGION", stream).await;
    let version = region.platform.prepare(&|_| {}).await.unwrap();
    let mut from =
        json!({"name": "EVENTS_REGION", "external": {"api": "$JS.zone-a.API", "deliver": ""}});
    if zonedrill::platform::version_at_least(&version, (2, 15, 0)) {
        let durable = json!({"stream_name": "EVENTS_REGION", "config": {
            "name": "MIRROR_zone-b", "durable_name": "MIRROR_zone-b",
            "deliver_subject": "$JS.M.zone-b", "ack_policy": "flow_control",
            "deliver_policy": "all", "flow_control": true, "idle_heartbeat": 1_000_000_000_u64,
            "max_ack_pending": 1000, "num_replicas": 3}});
        js(&mirror, "$JS.zone-a.API.CONSUMER.CREATE.EVENTS_REGION.MIRROR_zone-b", durable).await;
        from["consumer"] = json!({"name": "MIRROR_zone-b", "deliver_subject": "$JS.M.zone-b"});
    }
    let copy = json!({"name": "EVENTS_REGION", "num_replicas": 3, "mirror": from});
    js(&mirror, "$JS.API.STREAM.CREATE.EVENTS_REGION", copy).await;
    let publish = async |text: &'static str| {
        let ack = source.request("EVENTS.REGION.drill", text.into()).await.unwrap();
        let ack: Value = serde_json::from_slice(&ack.payload).unwrap();
        assert_eq!(ack["domain"], "zone-a", "{ack}");
    };
    let mirrored = async |count: u64| {
        eventually(&format!("{count} mirrored"), async || {
            let info = js(&mirror, "$JS.API.STREAM.INFO.EVENTS_REGION", json!({})).await;
            info["state"]["last_seq"] == count
        })
        .await;
    };
    publish("1").await;
    mirrored(1).await;

    // Isolation: nothing of b's reaches a but what mirroring needs.
    let stray = mirror.request("EVENTS.REGION.stray", "x".into()).await.unwrap_err();
    assert_eq!(stray.kind(), async_nats::client::RequestErrorKind::NoResponders);
    let reach = mirror.request("$JS.zone-a.API.STREAM.NAMES", "".into()).await.unwrap_err();
    assert_eq!(reach.kind(), async_nats::client::RequestErrorKind::NoResponders);

    let (user, password) = Login::Leaf.credentials(&region.a.access);
    let options = async_nats::ConnectOptions::with_user_and_password(user.into(), password.into());
    let client = options.connect(region.a.nodes[0].url()).await;
    assert!(client.is_err(), "the leafnodes' user let a client in");

    let zone = name("b");
    let carried = region.platform.link_stats(&zone).await.unwrap();
    assert!(carried.bytes_from_source > 0 && carried.connections == 3, "{carried:?}");
    region.platform.cut(&zone, CutKind::Refuse).await.unwrap();
    region.leafs(0).await;
    publish("2").await;
    let cut = region.platform.link_stats(&zone).await.unwrap();
    assert_eq!((cut.bytes_since_cut, cut.connections), (Some(0), 0), "{cut:?}");
    region.platform.heal(&zone).await.unwrap();
    region.leafs(3).await;
    mirrored(2).await;

    region.platform.cut(&zone, CutKind::Silent).await.unwrap();
    publish("3").await;
    assert_eq!(region.platform.link_stats(&zone).await.unwrap().bytes_since_cut, Some(0));
    region.platform.heal(&zone).await.unwrap();
    mirrored(3).await;

    let source_cut = region.platform.cut(&name("a"), CutKind::Refuse).await.unwrap_err();
    assert!(matches!(source_cut, PlatformError::NoLink(_)), "{source_cut}");
    region.platform.down(true).await.unwrap();
    for port in region.ports() {
        assert!(
            ports::is_free(port),
            "{port} is held by {}",
            ports::owner(port, &Identity::default())
        );
    }
    assert!(!region.home.join("servers").exists());
    assert!(region.platform.truth().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_can_be_killed_frozen_stopped_and_started() {
    let region = Region::up().await;
    let mut events = region.platform.events().unwrap();
    let platform = &region.platform;
    let victim = node("js2-zone-b");

    // By someone else: dead, with what is known about why.
    let truth = platform.truth().await;
    let pid = truth.iter().find(|(node, _)| *node == victim).unwrap().1.pid.unwrap();
    kill(pid, "-KILL");
    let told = next_event(&mut events, &victim, ProcessState::Dead).await;
    assert!(told.contains("not by a command (killed by signal 9)"), "{told}");
    let refused = platform.act(NodeAct::Freeze, &victim).await.unwrap_err();
    assert!(refused.to_string().contains("node start js2-zone-b"), "{refused}");
    platform.act(NodeAct::Start, &victim).await.unwrap();
    assert_eq!(region.state(&victim).await, ProcessState::Running);
    assert!(platform.act(NodeAct::Start, &victim).await.is_err());

    platform.act(NodeAct::Kill, &victim).await.unwrap();
    assert_eq!(region.state(&victim).await, ProcessState::Dead);
    platform.act(NodeAct::Start, &victim).await.unwrap();

    platform.act(NodeAct::Freeze, &victim).await.unwrap();
    assert_eq!(region.state(&victim).await, ProcessState::Frozen);
    assert!(platform.act(NodeAct::Freeze, &victim).await.is_err());
    assert!(
        platform.act(NodeAct::Start, &victim).await.unwrap_err().to_string().contains("node thaw")
    );
    platform.act(NodeAct::Thaw, &victim).await.unwrap();
    assert_eq!(region.state(&victim).await, ProcessState::Running);
    assert!(platform.act(NodeAct::Thaw, &victim).await.is_err());

    // A frozen node can be stopped in order.
    platform.act(NodeAct::Freeze, &victim).await.unwrap();
    platform.act(NodeAct::Stop, &victim).await.unwrap();
    assert_eq!(next_event(&mut events, &victim, ProcessState::Stopped).await, "stopped");
    assert!(platform.act(NodeAct::Stop, &victim).await.is_err());
    platform.act(NodeAct::Start, &victim).await.unwrap();

    if cfg!(target_os = "linux") {
        let truth = platform.truth().await;
        let pid = truth.iter().find(|(node, _)| *node == victim).unwrap().1.pid.unwrap();
        kill(pid, "-STOP");
        eventually("the freeze by hand", async || {
            region.state(&victim).await == ProcessState::Frozen
        })
        .await;
        kill(pid, "-CONT");
        eventually("the thaw by hand", async || {
            region.state(&victim).await == ProcessState::Running
        })
        .await;
    }
    let unknown = platform.act(NodeAct::Kill, &node("js1-zone-z")).await.unwrap_err();
    assert!(matches!(unknown, PlatformError::NoZone(_)), "{unknown}");

    platform.remove_zone(&name("b"), false).await.unwrap();
    assert!(region.home.join("servers/js2-zone-b/data").exists());
    platform.start_zone(&region.b).await.unwrap();
    platform.down(false).await.unwrap();
    for port in region.ports() {
        assert!(
            ports::is_free(port),
            "{port} is held by {}",
            ports::owner(port, &Identity::default())
        );
    }
    assert!(!region.home.join("servers/pids.json").exists());
}

fn kill(pid: u32, signal: &str) {
    let status = Command::new("kill").args([signal, &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_names_its_owner_and_a_failed_zone_leaves_nothing() {
    let region = Region::up().await;
    let other_folder = tempfile::tempdir().unwrap();
    let other = platform_at(other_folder.path(), &region.a);
    let taken = other.start_zone(&region.a).await.unwrap_err().to_string();
    assert!(taken.contains(&region.a.nodes[0].client_port.to_string()), "{taken}");
    assert!(taken.contains("js1-zone-a, clients"), "{taken}");
    if cfg!(target_os = "linux") {
        assert!(taken.contains("nats-server, pid "), "{taken}");
        assert!(taken.contains("js1-zone-a of region `trial`"), "{taken}");
    }
    region.platform.remove_zone(&name("b"), true).await.unwrap();

    // A node that cannot start: its reason is told, and its neighbours do not stay.
    let conf = region.home.join("servers/js3-zone-b/nats-server.log");
    std::fs::create_dir_all(&conf).unwrap();
    let failed = region.platform.start_zone(&region.b).await.unwrap_err();
    let PlatformError::NotStarted { node, why, .. } = failed else { panic!("{failed}") };
    assert_eq!(node.to_string(), "js3-zone-b");
    assert!(why.contains("exit status 1") && why.contains("nats-server.log"), "{why}");
    for port in region.b.ports() {
        assert!(
            ports::is_free(port),
            "{port} is held by {}",
            ports::owner(port, &Identity::default())
        );
    }
    assert_eq!(region.platform.truth().await.len(), 3);
    std::fs::remove_dir(&conf).unwrap();
    region.platform.start_zone(&region.b).await.unwrap();
    region.leafs(3).await;
}
