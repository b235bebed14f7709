//! Who may log in at a region's servers, what the well-known user may do, and that strangers are named.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_nats::{Client, ConnectOptions, Event};
use serde_json::{Value, json};
use zonedrill::{
    nats::connect::{Login, node_client},
    platform::local::ports::{free_base, give_back},
    region::{
        MirrorKind, Role, ZonePlan,
        access::{LEAF_USER, LOOKER, ROUTE_USER, SYSTEM_USER, USER},
    },
};

use crate::support::{
    hands::{A, B, Scene, last_seq},
    nats::eventually,
    region::{Region, SOON, nats_server},
};

/// A nats-server that is nobody's of the region, and tries to get in.
struct Rogue {
    server: Child,
    base: u16,
    _folder: tempfile::TempDir,
}

impl Rogue {
    fn start(settings: impl Fn(u16) -> String) -> Self {
        let (folder, base) = (tempfile::tempdir().unwrap(), free_base(1).unwrap());
        let config = folder.path().join("rogue.conf");
        let head = format!("server_name: rogue\nlisten: \"127.0.0.1:{base}\"\n");
        fs::write(&config, head + &settings(base)).unwrap();
        let mut server = Command::new(nats_server());
        server.arg("-c").arg(&config).stdout(Stdio::null()).stderr(Stdio::null());
        Self { server: server.spawn().unwrap(), base, _folder: folder }
    }

    /// It joins the cluster of a node.
    fn joins(zone: &ZonePlan, login: &str) -> Self {
        let (domain, port) = (zone.domain(), zone.nodes[0].cluster_port);
        Self::start(|base| {
            format!(
                "cluster {{ name: \"{domain}\", listen: \"127.0.0.1:{}\"\n routes: [\"nats-route://{login}127.0.0.1:{port}\"] }}\n",
                base + 1000
            )
        })
    }

    /// It links itself to a node of the source.
    fn links(zone: &ZonePlan, login: &str) -> Self {
        let port = zone.nodes[0].leaf_port;
        Self::start(|_| {
            format!(
                "leafnodes {{ remotes: [{{ url: \"nats-leaf://{login}127.0.0.1:{port}\" }}] }}\n"
            )
        })
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        give_back(self.base);
    }
}

/// Does the node list the rogue among its routes, or its leafnode connections?
async fn is_in(system: &Client, endpoint: &str) -> bool {
    let id = system.server_info().server_id;
    let subject = format!("$SYS.REQ.SERVER.{id}.{endpoint}");
    let reply = system.request(subject, "".into()).await.expect("an answer");
    String::from_utf8_lossy(&reply.payload).contains("rogue")
}

async fn log_in(url: &str, user: &str, password: &str) -> Result<Client, String> {
    ConnectOptions::with_user_and_password(user.into(), password.into())
        .request_timeout(Some(Duration::from_millis(400)))
        .connect(url)
        .await
        .map_err(|error| error.to_string())
}

async fn answer(client: &Client, subject: &str, body: Value) -> Value {
    let payload = if body.is_null() { String::new() } else { body.to_string() };
    let reply = client.request(subject.to_owned(), payload.into()).await;
    let reply = reply.unwrap_or_else(|error| panic!("{subject}: {error}"));
    let answer: Value = serde_json::from_slice(&reply.payload).expect("JSON");
    assert!(answer.get("error").is_none(), "{subject}: {answer}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn the_well_known_user_looks_and_changes_nothing() {
    let mut scene = Scene::new(MirrorKind::Durable).await;
    scene.flow(5).await;
    for at in [A, B] {
        let zone = scene.readers[at].zone.clone();
        let (url, consumer, domain) = (zone.nodes[0].url(), zone.consumer(), zone.domain());
        let violations = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&violations);
        let looker = ConnectOptions::with_user_and_password(LOOKER.0.into(), LOOKER.1.into())
            .request_timeout(Some(Duration::from_millis(400)))
            .event_callback(move |event| {
                let refused = matches!(event, Event::ServerError(_));
                counter.fetch_add(usize::from(refused), Ordering::SeqCst);
                async {}
            })
            .connect(&url)
            .await
            .expect("the looker gets in");
        for (subject, body) in [
            ("$JS.API.INFO".to_owned(), Value::Null),
            ("$JS.API.STREAM.INFO.EVENTS_REGION".into(), Value::Null),
            ("$JS.API.STREAM.NAMES".into(), Value::Null),
            ("$JS.API.STREAM.LIST".into(), Value::Null),
            ("$JS.API.STREAM.MSG.GET.EVENTS_REGION".into(), json!({"seq": 2})),
            (format!("$JS.API.CONSUMER.INFO.EVENTS_REGION.{consumer}"), Value::Null),
            ("$JS.API.CONSUMER.NAMES.EVENTS_REGION".into(), Value::Null),
            ("$JS.API.CONSUMER.LIST.EVENTS_REGION".into(), Value::Null),
        ] {
            answer(&looker, &subject, body).await;
        }
        let ours = &scene.readers[at].here;
        let info = format!("$JS.API.CONSUMER.INFO.EVENTS_REGION.{consumer}");
        let stream = "$JS.API.STREAM.INFO.EVENTS_REGION";
        let before =
            (answer(ours, stream, Value::Null).await, answer(ours, &info, Value::Null).await);
        let refused = [
            "EVENTS.REGION.x".to_owned(),
            "$JS.API.STREAM.CREATE.MINE".into(),
            "$JS.API.STREAM.UPDATE.EVENTS_REGION".into(),
            "$JS.API.STREAM.PURGE.EVENTS_REGION".into(),
            "$JS.API.STREAM.DELETE.EVENTS_REGION".into(),
            "$JS.API.STREAM.MSG.DELETE.EVENTS_REGION".into(),
            "$JS.API.STREAM.SNAPSHOT.EVENTS_REGION".into(),
            "$JS.API.STREAM.LEADER.STEPDOWN.EVENTS_REGION".into(),
            "$JS.API.META.LEADER.STEPDOWN".into(),
            "$JS.API.CONSUMER.CREATE.EVENTS_REGION".into(),
            "$JS.API.CONSUMER.CREATE.EVENTS_REGION.mine".into(),
            "$JS.API.CONSUMER.DURABLE.CREATE.EVENTS_REGION.mine".into(),
            format!("$JS.API.CONSUMER.DELETE.EVENTS_REGION.{consumer}"),
            format!("$JS.API.CONSUMER.PAUSE.EVENTS_REGION.{consumer}"),
            format!("$JS.API.CONSUMER.MSG.NEXT.EVENTS_REGION.{consumer}"),
            format!("$JS.ACK.EVENTS_REGION.{consumer}.1.1.1.1.0"),
            format!("$JS.{domain}.API.STREAM.DELETE.EVENTS_REGION"),
            "$SYS.REQ.SERVER.PING".into(),
        ];
        for subject in &refused {
            let reply = looker.request(subject.clone(), "{\"seq\":1}".into()).await;
            assert!(reply.is_err(), "{subject}: {reply:?}");
        }
        for subject in ["EVENTS.>", "$JS.API.>", ">"] {
            let _ = looker.subscribe(subject).await.unwrap();
        }
        looker.flush().await.unwrap();
        eventually("each is refused", SOON, async || {
            (violations.load(Ordering::SeqCst) == refused.len() + 3).then_some(())
        })
        .await;
        let after =
            (answer(ours, stream, Value::Null).await, answer(ours, &info, Value::Null).await);
        let facts = |(stream, consumer): &(Value, Value)| {
            let cluster = &stream["cluster"]["leader"];
            (
                stream["state"].clone(),
                cluster.clone(),
                consumer["ack_floor"].clone(),
                consumer["delivered"].clone(),
            )
        };
        assert_eq!(facts(&before), facts(&after));
        assert_eq!(last_seq(&scene.readers[at]).await, 5);
        for (user, password) in [
            (LOOKER.0, "wrong"),
            (USER, LOOKER.1),
            (USER, ""),
            (SYSTEM_USER, "sys"),
            (LEAF_USER, &zone.access.secrets.leaf),
            (ROUTE_USER, &zone.access.secrets.route),
        ] {
            let error = log_in(&url, user, password).await.expect_err(user);
            assert!(error.contains("authorization violation"), "{user}: {error}");
        }
        assert!(async_nats::connect(&url).await.is_err(), "without a name");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_the_password_joins_and_links_nothing() {
    let scene = Scene::new(MirrorKind::Durable).await;
    let zone = &scene.region.source;
    let secrets = &zone.access.secrets;
    let system = node_client(zone, &zone.nodes[0], Login::System, "test").await.unwrap();
    let rogues = [
        Rogue::joins(zone, ""),
        Rogue::joins(zone, "route:route@"),
        Rogue::links(zone, ""),
        Rogue::links(zone, "leaf:leaf@"),
        Rogue::links(zone, &format!("{USER}:wrong@")),
    ];
    // Each tries again every second.
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        assert!(!is_in(&system, "ROUTEZ").await && !is_in(&system, "LEAFZ").await);
    }
    drop(rogues);
    // That it is the password it fails for is shown by the right one.
    for (rogue, endpoint) in [
        (Rogue::joins(zone, &format!("route:{}@", secrets.route)), "ROUTEZ"),
        (Rogue::links(zone, &format!("leaf:{}@", secrets.leaf)), "LEAFZ"),
    ] {
        eventually("with the password it gets in", SOON, async || {
            is_in(&system, endpoint).await.then_some(())
        })
        .await;
        drop(rogue);
    }
}

/// The exports that `zonedrill env` prints.
fn exports(text: &str) -> BTreeMap<String, String> {
    let line = |line: &str| {
        let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
        (name.to_owned(), value.trim_matches('\'').to_owned())
    };
    text.lines().map(line).collect()
}

async fn client(env: &BTreeMap<String, String>, name: &str) -> Client {
    let urls: Vec<&str> = env["NATS_URL"].split(',').collect();
    ConnectOptions::with_user_and_password(env["NATS_USER"].clone(), env["NATS_PASSWORD"].clone())
        .name(name)
        .connect(urls)
        .await
        .expect("connected")
}

fn has(zone: &Value, name: &str) -> bool {
    zone["foreign"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == name))
}

fn logged(region: &Region) -> String {
    fs::read_to_string(region.folder().join("events.jsonl")).unwrap()
}

/// Every file of the region, by path, but for the passwords, the configurations and the data.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && name != "data" {
            files(&path, found);
        } else if kind.is_file() && name != "region.secrets" && name != "nats-server.conf" {
            found.push((path.display().to_string(), fs::read(path).unwrap()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_named_and_make_a_drill_void() {
    let region = Region::new("access");
    let config = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| {
        let mut program = region.program();
        let ran = program.args(words).env("XDG_CONFIG_HOME", config.path()).output().unwrap();
        (ran.status.success(), String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap())
    };
    let (ran, said) = run(&["env"]);
    assert!(!ran && said.contains("`zonedrill --region access up` brings it up"), "{said}");
    let (port, server) = (region.port.to_string(), nats_server().to_str().unwrap().to_owned());
    let up = ["up", "--port-base", &port, "--nats-server", &server];
    let (ran, said) = run(&up);
    assert!(ran, "{said}");
    assert_eq!(region.status()["open"], false);
    for zone in ["a", "b"] {
        assert_eq!(region.zone(zone)["foreign"], json!([]));
    }

    let env = exports(&region.ok("env b"));
    assert_eq!(env["NATS_USER"], USER);
    let looks = exports(&region.ok("env --read-only"));
    assert_eq!((&*looks["NATS_USER"], &*looks["NATS_PASSWORD"]), LOOKER);
    let drill = region.begin_drill();
    // Who can change nothing makes nothing void.
    let looker = client(&looks, "looker").await;
    region.wait_zone("a", "the looker is shown", SOON, |zone| has(zone, "looker"));
    assert!(region.status()["drill"]["verdict"] != "void");
    let intruder = client(&env, "intruder").await;
    let why = region.why_void(drill);
    let told = "somebody else's hand: client intruder (user zonedrill, 127.0.0.1) connected to js";
    assert!(why.contains(told), "{why}");
    let b = region.wait_zone("b", "it is shown", SOON, |zone| has(zone, "intruder"));
    let one = &b["foreign"][0];
    assert_eq!(
        (&one["kind"], &one["user"], &one["looks"]),
        (&json!("client"), &json!(USER), &json!(false))
    );
    let status = region.ok("status");
    assert!(status.contains("client intruder (user zonedrill, 127.0.0.1)"), "{status}");
    assert!(logged(&region).contains("intruder") && logged(&region).contains("looker"));
    drop((looker, intruder));
    for zone in ["a", "b"] {
        region.wait_zone(zone, "they are gone", SOON, |zone| zone["foreign"] == json!([]));
    }
    // Gone before anybody could have asked.
    client(&env, "passer-by").await.drain().await.unwrap();
    eventually("it is logged", SOON, async || logged(&region).contains("passer-by").then_some(()))
        .await;

    let secrets = region.access().secrets.clone();
    let kept = fs::metadata(region.folder().join("region.secrets")).unwrap();
    assert_eq!(kept.permissions().mode() & 0o777, 0o600);
    {
        let zone = ZonePlan::new("a".parse().unwrap(), Role::Source, 0, region.port);
        let _rogue = Rogue::joins(&zone, &format!("route:{}@", secrets.route));
        let a = region.wait_zone("a", "the server is shown", SOON, |zone| has(zone, "rogue"));
        assert_eq!(a["foreign"][0]["kind"], "route", "{a:#}");
    }
    {
        let zone = ZonePlan::new("a".parse().unwrap(), Role::Source, 0, region.port);
        let _rogue = Rogue::links(&zone, &format!("leaf:{}@", secrets.leaf));
        let shown = |zone: &Value| {
            let all = zone["foreign"].as_array().unwrap();
            all.iter().any(|one| one["kind"] == "leafnode" && one["name"] == "rogue")
        };
        region.wait_zone("a", "the leafnode is shown", SOON, shown);
    }

    // The passwords are nowhere but where they must be.
    let all = [&secrets.client, &secrets.leaf, &secrets.route, &secrets.system];
    let holds = |text: &[u8]| {
        all.iter().any(|secret| text.windows(secret.len()).any(|part| part == secret.as_bytes()))
    };
    assert!(!holds(region.ok("status --json").as_bytes()));
    let mut found = Vec::new();
    files(&region.folder(), &mut found);
    assert!(found.len() > 10, "{}", found.len());
    for (path, text) in &found {
        assert!(!holds(text), "{path}");
    }
    assert!(region.processes().len() > 6);
    for pid in region.processes() {
        for file in ["cmdline", "environ"] {
            assert!(!holds(&fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default()), "{pid}");
        }
    }

    // Contexts: what is another's stays.
    let contexts = config.path().join("nats/context");
    let of_b = contexts.join("zonedrill-access-b.json");
    fs::create_dir_all(&contexts).unwrap();
    fs::write(&of_b, "{\"url\": \"nats://elsewhere\"}").unwrap();
    let (ran, said) = run(&["context"]);
    assert!(!ran && said.contains("was not made for this region"), "{said}");
    assert!(!contexts.join("zonedrill-access-a.json").exists(), "nothing was begun");
    fs::remove_file(&of_b).unwrap();
    let (ran, said) = run(&["context", "--select"]);
    assert!(ran && said.contains("zonedrill-access-a, zonedrill-access-b"), "{said}");
    let context: Value = serde_json::from_str(&fs::read_to_string(&of_b).unwrap()).unwrap();
    assert_eq!((&context["user"], &context["password"]), (&json!(USER), &json!(secrets.client)));
    assert_eq!(fs::metadata(&of_b).unwrap().permissions().mode() & 0o777, 0o600);
    let selected = config.path().join("nats/context.txt");
    assert_eq!(fs::read_to_string(&selected).unwrap(), "zonedrill-access-a");
    fs::write(contexts.join("mine.json"), "{}").unwrap();

    // The passwords outlive the room; `--open` is for one start.
    region.ok("down");
    let (ran, said) = run(&[&up[..], &["--open"]].concat());
    assert!(ran, "{said}");
    assert_eq!(region.access().secrets, secrets);
    assert_eq!(region.status()["open"], true);
    assert!(region.ok("status").contains("open: admin may change everything"));
    let open = client(&looks, "opener").await;
    let ack = open.request("EVENTS.REGION.x", "x".into()).await.expect("published");
    assert!(String::from_utf8_lossy(&ack.payload).contains("zone-a"), "{ack:?}");
    region.wait_zone("a", "it is shown", SOON, |zone| has(zone, "opener"));
    assert_eq!(region.zone("a")["foreign"][0]["looks"], false);
    assert!(run(&["down", "--purge"]).0);
    let left: Vec<_> =
        fs::read_dir(&contexts).unwrap().flatten().map(|one| one.file_name()).collect();
    assert_eq!(left, ["mine.json"]);
    assert!(!selected.exists() && !region.folder().join("region.secrets").exists());
}
