//! Drills on a region that somebody else runs: proved as far as it can be seen, and left as it was found.

use std::{process::Stdio, time::Duration};

use async_nats::Client;
use serde_json::{Value, json};

use super::{
    belongings,
    cuts::{Producing, audit, linked, over_a_durable, with_systems},
    refused, says,
};
use crate::support::{
    nats::eventually,
    others::{Others, Setup, api, publish_on},
};

const PATIENCE: Duration = Duration::from_secs(60);
pub(super) const CONSENT: [&str; 4] = ["--allow", "produce,cut", "--confirm", "shop"];

pub(super) fn drill<'a>(name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["drill", "run", name], more].concat()
}

/// The one run that a bundle reports.
pub(super) fn report(folder: &std::path::Path) -> Value {
    let text = std::fs::read_to_string(folder.join("report.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["runs"][0].clone()
}

/// What a check found.
pub(super) fn finding(run: &Value, check: &str) -> String {
    let findings = run["conclusion"]["findings"].as_array().unwrap();
    let found: Vec<&Value> = findings.iter().filter(|one| one["check"] == check).collect();
    assert!(!found.is_empty(), "{check} is not among {findings:?}");
    let worst = found.iter().find(|one| one["verdict"] != "proved").unwrap_or(&found[0]);
    format!("{}: {}", worst["verdict"].as_str().unwrap(), worst["text"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_heal_is_proved_over_a_hook_while_others_publish() {
    let (others, clients, region) = with_systems("").await;
    // What an earlier drill left on the subject is nobody's loss.
    publish_on(&clients[0], "ORDERS.drill", 1..=7).await;
    let before = [belongings(&clients[0]).await, belongings(&clients[1]).await];
    let producing = Producing::from(&clients[0], 101);
    let bundle = others.home.path().join("bundle");
    let folder = bundle.to_str().unwrap();
    let ran = others.run(&region, &[&drill("heal", &["--report", folder])[..], &CONSENT].concat());
    producing.end().await;
    let ran = ran.expect_code(0);
    says(&ran.out, "publishes 220 messages");
    says(&ran.out, "what can show a cut: the connections that both ends list");
    says(&ran.out, "1 of 1 proved");
    assert_eq!(before, [belongings(&clients[0]).await, belongings(&clients[1]).await]);

    others.zonedrill(&["verify", folder]).expect_code(0);
    let run = report(&bundle);
    assert_eq!((&run["platform"], &run["sabotage"]), (&json!("external"), &Value::Null));
    says(&finding(&run, "recovery"), "100 messages");
    let held = run["streams"].as_array().unwrap();
    assert!(held.iter().all(|one| one["messages"] == 220), "{held:?}");
    let text = std::fs::read_to_string(bundle.join("report.md")).unwrap();
    says(&text, "| not seen | the replicas: each zone's stream was read once");
    let whats: Vec<Value> = audit(&others).iter().map(|line| line["what"].clone()).collect();
    let of = |what: &str| whats.iter().filter(|one| **one == what).count();
    assert_eq!((of("make a consumer"), of("remove a consumer"), of("produce")), (2, 2, 3));
    assert!(of("cut") == 2 && of("heal") >= 2, "{whats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_zone_goes_on_by_itself_and_a_cut_leaves_the_source_alone() {
    let (others, clients, region) = with_systems("").await;
    let producing = Producing::from(&clients[0], 101);
    proved(
        &others,
        &region,
        "independent",
        &["--allow", "produce", "--confirm", "shop"],
        &["speeds"],
    );
    proved(&others, &region, "cut", &CONSENT, &["latency", "drain", "in-zone"]);
    producing.end().await;
}

/// Runs a drill until it is proved, three times at the most. What keeps it from that is nothing but how
/// long things took on a busy machine: these checks, each of which says what it lacks.
fn proved(others: &Others, region: &str, name: &str, consent: &[&str], of_time: &[&str]) {
    let mut void = Vec::new();
    for time in 0..3 {
        let bundle = others.home.path().join(format!("{name}-{time}"));
        let words = drill(name, &["--report", bundle.to_str().unwrap()]);
        let ran = others.run(region, &[&words[..], consent].concat());
        let run = report(&bundle);
        let findings = run["conclusion"]["findings"].as_array().unwrap().clone();
        assert!(findings.len() > of_time.len(), "{findings:?}");
        for one in findings.iter().filter(|one| one["verdict"] != "proved") {
            let check = one["check"].as_str().unwrap();
            assert!(one["verdict"] == "void" && of_time.contains(&check), "{one}\n{}", ran.out);
            void.push(format!("{check}: {}", one["text"]));
        }
        if ran.code == 0 {
            return says(&ran.out, "1 of 1 proved");
        }
        assert_eq!(ran.code, 2, "{ran:?}");
    }
    panic!("{name} was not proved: {void:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pause_tests_no_cut_and_a_hook_that_does_nothing_neither() {
    let others = Others::start(&Setup::default());
    let clients = others.with_stream("mirror", 100).await;
    over_a_durable(&clients).await;
    let pause = others.region("admin", "cut = \"pause\"\n");
    let bundle = others.home.path().join("paused");
    let words = drill("heal", &["--report", bundle.to_str().unwrap()]);
    let ran = others.run(&pause, &[&words[..], &CONSENT].concat()).expect_code(2);
    says(&ran.out, "conclusion 2, heal: out of reach: a pause leaves the link as it is");
    let run = report(&bundle);
    says(&finding(&run, "severed"), "void: the copy of zone b was paused while 100 messages came");
    // What is shown of the paused copy is told for what it is.
    says(&finding(&run, "no-loss-no-duplicate"), "proved: ");
    let info = api(&clients[0], "CONSUMER.INFO.ORDERS.COPY_us", Value::Null).await;
    assert_ne!(info["paused"], true, "{info}");

    let lie = others.region("admin", "cut = { hook = \"true\", heal = \"true\" }\n");
    let ran = others.run(&lie, &[&drill("cut", &[])[..], &CONSENT].concat()).expect_code(2);
    says(&ran.out, "nothing shows within 30.0 s that zone b is cut");
}

/// What zonedrill has in both zones.
pub(super) async fn ours(clients: &[Client; 2]) -> Vec<String> {
    let mut names = Vec::new();
    for client in clients {
        let all = api(client, "CONSUMER.NAMES.ORDERS", Value::Null).await;
        let all = all["consumers"].as_array().cloned().unwrap_or_default();
        names.extend(all.iter().filter_map(Value::as_str).map(str::to_owned));
    }
    names.retain(|name| name.starts_with("zonedrill-"));
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_message_that_the_copy_loses_in_the_cut_is_found() {
    let (others, clients, region) = with_systems("").await;
    let words = [&drill("heal", &[])[..], &CONSENT].concat();
    let drilling = others.begin(&region, &words, Stdio::piped());
    eventually("the link is cut", PATIENCE, async || (!linked(&clients[1]).await).then_some(()))
        .await;
    let gone = api(&clients[1], "STREAM.MSG.DELETE.ORDERS", json!({"seq": 105})).await;
    assert_eq!(gone["success"], true, "{gone}");
    let ended = drilling.wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{out}");
    says(&out, "heal is broken");
    assert!(ours(&clients).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_drill_that_is_killed_in_its_cut_leaves_a_whole_link_and_what_down_removes() {
    let (others, clients, region) = with_systems("").await;
    let mut drilling =
        others.begin(&region, &[&drill("heal", &[])[..], &CONSENT].concat(), Stdio::piped());
    eventually("the link is cut", PATIENCE, async || (!linked(&clients[1]).await).then_some(()))
        .await;
    assert_eq!(ours(&clients).await.len(), 2);
    drilling.kill().unwrap();
    drilling.wait().unwrap();
    eventually("the guard heals", PATIENCE, async || linked(&clients[1]).await.then_some(())).await;
    let told = others.run(&region, &["down", "--dry"]).expect_code(0);
    says(&told.out, "2 of zonedrill's consumers are there");
    assert_eq!(ours(&clients).await.len(), 2);
    // One that was asked for messages a moment ago is taken for one in use.
    eventually("all are removed", PATIENCE, async || {
        others.run(&region, &["down"]).expect_code(0);
        ours(&clients).await.is_empty().then_some(())
    })
    .await;
    let info = api(&clients[0], "CONSUMER.INFO.ORDERS.billing", Value::Null).await;
    assert_eq!(info["name"], "billing", "{info}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_command_at_a_time_works_on_a_region() {
    let (others, clients, region) = with_systems("").await;
    let mut producing = others.begin(
        &region,
        &["produce", "1", "600", "50ms", "--allow", "produce", "--confirm", "shop"],
        Stdio::null(),
    );
    eventually("it produces", PATIENCE, async || (ours(&clients).await.len() == 2).then_some(()))
        .await;
    let why = "region shop is at work already: a command of process";
    refused(others.run(&region, &[&drill("heal", &[])[..], &CONSENT].concat()), why);
    refused(others.run(&region, &["down"]), why);
    assert_eq!(ours(&clients).await.len(), 2);
    producing.kill().unwrap();
    producing.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn messages_are_published_on_the_drills_subject_alone_and_nothing_without_a_word() {
    let (others, clients, region) = with_systems("").await;
    let before = [belongings(&clients[0]).await, belongings(&clients[1]).await];
    let elsewhere = region.replacen("ORDERS.drill", "PAYMENTS.drill", 1);
    let limited = format!("{region}\n[limits]\nrate = 10\nbytes = 10000\n");
    let both = ["--allow", "produce,cut"];
    let cases: [(&str, Vec<&str>, &str); 9] = [
        (&region, drill("heal", &[]), "add `allow = [\"produce\", \"cut\"]`"),
        (&region, drill("heal", &["--allow", "produce"]), "or `--allow cut`"),
        (&region, drill("heal", &both), "add `--confirm shop`"),
        (&region, [&drill("heal", &both)[..], &["--confirm", "shot"]].concat(), "it is `shop`"),
        (&elsewhere, [&drill("heal", &[])[..], &CONSENT].concat(), "messages would go nowhere"),
        (
            &region,
            [&drill("grow", &[])[..], &CONSENT].concat(),
            "is not done to what somebody else runs",
        ),
        (
            &region,
            [&drill("heal", &["--sabotage", "lose"])[..], &CONSENT].concat(),
            "a sabotage damages",
        ),
        (
            &limited,
            vec!["produce", "1", "20", "50ms", "--allow", "produce"],
            "more than the 10 that the limit",
        ),
        (
            &limited,
            vec!["produce", "1", "100", "1s", "--allow", "produce"],
            "the limit of this region is 9.8 KiB",
        ),
    ];
    for (region, words, why) in cases {
        refused(others.run(region, &words), why);
    }
    let dry = others.run(&region, &[&drill("all", &["--dry"])[..], &both].concat()).expect_code(0);
    says(&dry.out, "region shop: drill cut, heal, independent");
    says(&dry.out, "publishes 645 messages");
    says(&dry.out, "$JS.API.CONSUMER.CREATE.ORDERS.zonedrill-shop-RUN.ORDERS.drill");
    says(&dry.out, "conclusion 3, independent: within reach");
    assert!(audit(&others).is_empty() && ours(&clients).await.is_empty());

    let words = ["produce", "1", "20", "10ms", "--allow", "produce", "--confirm", "shop"];
    let ran = others.run(&region, &words).expect_code(0);
    says(&ran.out, "20 acked of 20 sent");
    let subjects = json!({"subjects_filter": ">"});
    let info = api(&clients[0], "STREAM.INFO.ORDERS", subjects).await;
    let all = json!({"ORDERS.drill": 20, "ORDERS.new": 100});
    assert_eq!(info["state"]["subjects"], all);
    assert_eq!(before, [belongings(&clients[0]).await, belongings(&clients[1]).await]);
}
