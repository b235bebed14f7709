//! Links of others, cut for a while: only where it is allowed, told by what both ends say, and healed
//! whatever happens.

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::Client;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{refused, says};
use crate::support::{
    nats::eventually,
    others::{Others, Setup, api, caught_up, publish, stream},
};

const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody's producer, which knows of nothing.
pub(super) struct Producing {
    stop: Arc<AtomicBool>,
    task: JoinHandle<u64>,
}

impl Producing {
    pub(super) fn from(client: &Client, first: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (client, until) = (client.clone(), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            let mut next = first;
            while !until.load(Ordering::Relaxed) {
                publish(&client, next..=next).await;
                next += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            next - 1
        });
        Self { stop, task }
    }

    /// Ends it; how many messages there are then.
    pub(super) async fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

/// Puts `disabled` into the remote of zone b, or takes it out, and lets its server read that again:
/// the cut and the heal of whoever runs these servers.
fn hooks(others: &Others) -> String {
    let file = others.home.path().join("us.conf");
    let (file, pid) = (file.display(), others.pid(1));
    let set = |from: &str, to: &str| {
        format!("sed -i 's/{from} }}/{to} }}/' {file} && kill -HUP {pid} && echo done")
    };
    let cut = set("account: APP", "account: APP, disabled: true");
    let heal = set("account: APP, disabled: true", "account: APP");
    format!(
        "cut = {{ hook = \"{cut}\", heal = \"{heal}\", status = \"grep -c disabled {file} || true\" }}\n"
    )
}

/// Two zones with a way into their system accounts, and what begins their region file.
pub(super) async fn with_systems(hooks: &str) -> (Others, [Client; 2], String) {
    let others = Others::start(&Setup::default());
    let clients = others.with_stream("mirror", 100).await;
    for (zone, name) in ["eu-sys", "us-sys"].into_iter().enumerate() {
        others.context(name, &json!({"url": others.url(zone), "user": "sys", "password": "sys"}));
    }
    let hooks = if hooks.is_empty() { self::hooks(&others) } else { hooks.to_owned() };
    let of_b = format!("system_context = \"us-sys\"\n{hooks}");
    let region = others.region("admin", &of_b).replacen(
        "[zone.a]\n",
        "[zone.a]\nsystem_context = \"eu-sys\"\n",
        1,
    );
    (others, clients, region)
}

const CONSENT: [&str; 4] = ["--allow", "cut", "--confirm", "shop"];

fn cut<'a>(time: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["cut", "b", "--for", time], more].concat()
}

pub(super) fn audit(others: &Others) -> Vec<Value> {
    let file = others.home.path().join("home/audit-shop.jsonl");
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Whether zone b reaches the source over the link.
pub(super) async fn linked(client: &Client) -> bool {
    let asked = client.request("$JS.eu.API.STREAM.INFO.ORDERS", "".into()).await;
    asked.is_ok_and(|answer| answer.status.is_none())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_link_is_cut_by_hook_proved_at_both_ends_healed_and_recorded() {
    let (others, clients, region) = with_systems("").await;
    let producing = Producing::from(&clients[0], 101);
    let ran = others.run(&region, &cut("8s", &CONSENT)).expect_code(0);
    says(
        &ran.out,
        "what can show it: the connections that both ends list, the account's connections at both ends, a question over the link",
    );
    says(&ran.out, "the cut command says: done");
    says(
        &ran.out,
        "both ends list fewer connections between them: 1 before and 0 now at the source, 1 before and 0 now at the copy",
    );
    says(&ran.out, "the status command says: 1");
    says(&ran.out, "zone b is healed: both ends tell as before");
    says(&ran.out, "zone b has caught up");
    let whats: Vec<Value> = audit(&others).iter().map(|line| line["what"].clone()).collect();
    assert_eq!(whats, ["cut", "cut", "status", "status", "heal", "heal", "status", "status"]);
    let all = producing.end().await;
    caught_up(&clients[1], all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_command_that_ends_well_and_cuts_nothing_is_no_cut() {
    let lie = "cut = { hook = \"true\", heal = \"true\" }\n";
    let (others, clients, region) = with_systems(lie).await;
    let producing = Producing::from(&clients[0], 101);
    let ran = others.run(&region, &cut("6s", &CONSENT)).expect_code(2);
    says(&ran.out, "zone b was not cut: the link carried on");
    producing.end().await;
    // A heal that fails is told, its exit code is never 0, and the guard goes on.
    let repaired = others.home.path().join("repaired");
    let heal = format!("test -e {} || {{ echo no such host; exit 1; }}", repaired.display());
    let broken = format!("cut = {{ hook = \"true\", heal = \"{heal}\" }}\n");
    let region = others.region("admin", &broken);
    let ran = others.run(&region, &cut("1s", &CONSENT)).expect_code(1);
    says(&ran.out, "zone b may still be cut");
    says(&ran.out, "no such host; the guard goes on trying");
    std::fs::write(repaired, "").unwrap();
    healed_by_the_guard(&others).await;
}

async fn healed_by_the_guard(others: &Others) {
    eventually("it is recorded", PATIENCE, async || {
        let last = audit(others).pop().unwrap_or_default();
        (last["what"] == "heal, by the guard" && last["about"]["well"] == true).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cut_heals_when_who_cut_is_killed() {
    let (others, clients, region) = with_systems("").await;
    let mut cutting = others.begin(&region, &cut("10m", &CONSENT), Stdio::null());
    eventually("the link is cut", PATIENCE, async || (!linked(&clients[1]).await).then_some(()))
        .await;
    cutting.kill().unwrap();
    cutting.wait().unwrap();
    eventually("the guard heals", PATIENCE, async || linked(&clients[1]).await.then_some(())).await;
    healed_by_the_guard(&others).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cut_that_is_still_under_way_heals_when_who_cut_is_killed() {
    let (others, clients, region) = with_systems("").await;
    let begun = others.home.path().join("begun");
    let first = format!("hook = \"touch {}; sleep 2; ", begun.display());
    let slow = region.replacen("hook = \"", &first, 1);
    let mut cutting = others.begin(&slow, &cut("10m", &CONSENT), Stdio::null());
    eventually("the command runs", PATIENCE, async || begun.exists().then_some(())).await;
    cutting.kill().unwrap();
    cutting.wait().unwrap();
    healed_by_the_guard(&others).await;
    let of = |line: &Value| (line["what"].clone(), line["about"]["well"].clone());
    let told: Vec<_> = audit(&others).iter().map(of).collect();
    let by_guard = json!("heal, by the guard");
    let expected =
        [(json!("cut"), Value::Null), (json!("cut"), json!(true)), (by_guard.clone(), Value::Null)];
    assert_eq!(told[..3], expected);
    assert_eq!(told[3], (by_guard, json!(true)));
    eventually("the link is whole", PATIENCE, async || linked(&clients[1]).await.then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cut_command_that_fails_is_told_and_healed_at_once() {
    let (others, clients, region) = with_systems("").await;
    let failing = region.replacen("&& echo done\", heal", "&& exit 7\", heal", 1);
    assert_ne!(failing, region);
    let ran = others.run(&failing, &cut("10m", &CONSENT));
    assert_ne!(ran.code, 0, "{ran:?}");
    says(&format!("{}{}", ran.out, ran.err), "failed (exit status: 7); it was healed");
    eventually("the link is whole", PATIENCE, async || linked(&clients[1]).await.then_some(()))
        .await;
}

/// The copy as a mirror over a durable consumer at the source.
pub(super) async fn over_a_durable(clients: &[Client; 2]) {
    api(&clients[1], "STREAM.DELETE.ORDERS", Value::Null).await;
    let durable = json!({"stream_name": "ORDERS", "config": {
        "name": "COPY_us", "durable_name": "COPY_us", "deliver_subject": "$JS.M.us",
        "ack_policy": "flow_control", "deliver_policy": "all", "flow_control": true,
        "idle_heartbeat": 1_000_000_000_u64, "max_ack_pending": 1000,
    }});
    let made = api(&clients[0], "CONSUMER.CREATE.ORDERS.COPY_us", durable).await;
    assert!(made.get("error").is_none(), "{made}");
    let mirror = json!({"name": "ORDERS", "external": {"api": "$JS.eu.API", "deliver": ""},
        "consumer": {"name": "COPY_us", "deliver_subject": "$JS.M.us"}});
    stream(&clients[1], json!({"name": "ORDERS", "storage": "file", "mirror": mirror})).await;
    caught_up(&clients[1], 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pause_is_told_as_one_and_ends_by_itself() {
    let others = Others::start(&Setup::default());
    let clients = others.with_stream("mirror", 100).await;
    over_a_durable(&clients).await;
    let region = others.region("admin", "cut = \"pause\"\n").replacen(
        "subject =",
        "allow = [\"cut\"]\nsubject =",
        1,
    );
    let paused = async || {
        let info = api(&clients[0], "CONSUMER.INFO.ORDERS.COPY_us", Value::Null).await;
        info["paused"] == true
    };
    let dry = others.run(&region, &cut("9s", &["--dry"])).expect_code(0);
    says(
        &dry.out,
        "the copy of zone b is paused for 9.0 s ($JS.API.CONSUMER.PAUSE.ORDERS.COPY_us at the source; the server itself ends it)",
    );
    assert!(!paused().await && audit(&others).is_empty());

    let producing = Producing::from(&clients[0], 101);
    let ran = others.run(&region, &cut("9s", &["--confirm", "shop"])).expect_code(0);
    says(&ran.out, "came to the source alone; the link itself carries on");
    says(&ran.out, "zone b has caught up");
    assert!(!paused().await);

    // Whoever paused it is killed: the server ends it.
    let mut cutting = others.begin(&region, &cut("12s", &["--confirm", "shop"]), Stdio::null());
    eventually("the durable is paused", PATIENCE, async || paused().await.then_some(())).await;
    cutting.kill().unwrap();
    cutting.wait().unwrap();
    refused(others.run(&region, &cut("9s", &["--confirm", "shop"])), "is paused already");
    let dry = others.run(&region, &["heal", "b", "--dry"]).expect_code(0);
    says(&dry.out, "its durable would be resumed");
    assert!(paused().await);
    eventually("the server resumes it", PATIENCE, async || (!paused().await).then_some(())).await;
    // Nobody else's pause is ended.
    others.run(&region, &["heal", "b"]).expect_code(0);
    let until = json!({"pause_until": "2099-01-01T00:00:00Z"});
    api(&clients[0], "CONSUMER.PAUSE.ORDERS.COPY_us", until).await;
    refused(others.run(&region, &["heal", "b"]), "whoever paused it resumes it");
    assert!(paused().await);
    api(&clients[0], "CONSUMER.PAUSE.ORDERS.COPY_us", json!({})).await;
    let all = producing.end().await;
    caught_up(&clients[1], all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_not_allowed_is_not_begun() {
    let others = Others::start(&Setup::default());
    others.with_stream("mirror", 10).await;
    let pause = others.region("admin", "cut = \"pause\"\n");
    let hook = others.region("admin", "cut = { hook = \"touch cut\", heal = \"true\" }\n");
    let plain = others.region("admin", "");
    let allowed = ["--allow", "cut"];
    let cases: [(&str, Vec<&str>, &str); 9] = [
        (&hook, cut("5s", &[]), "add `allow = [\"cut\"]` to its file, or `--allow cut`"),
        (&hook, cut("5s", &allowed), "add `--confirm shop`"),
        (&hook, cut("5s", &["--allow", "cut", "--confirm", "shot"]), "it is `shop`"),
        (&hook, vec!["cut", "b", "--allow", "cut"], "--for 30s"),
        (&hook, cut("2h", &allowed), "an hour at most"),
        (&hook, cut("5s", &["--kind", "silent"]), "leave `--kind` and `--direction` out"),
        (&hook, vec!["cut", "a", "--for", "5s", "--allow", "cut"], "zone a holds no copy"),
        (&plain, cut("5s", &allowed), "give [zone.b] a `cut`, \"pause\" or a hook"),
        (&pause, cut("5s", &CONSENT), "copies over no durable that could be paused"),
    ];
    for (region, words, why) in cases {
        refused(others.run(region, &words), why);
    }
    assert!(audit(&others).is_empty());
    refused(others.zonedrill(&["cut", "b", "--dry"]), "they go with `--region-file FILE`");
}
