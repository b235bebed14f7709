//! What is wrong with a region of others is told once, in words, and nothing is begun.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

use serde_json::json;

use super::refused;
use crate::support::others::{Others, Setup, api, copy, stream};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_together_is_told() {
    let others = Others::start(&Setup::default());
    let clients = others.with_stream("mirror", 10).await;
    let region = others.region("admin", "");
    for word in ["doctor", "verify"] {
        let told = |region: &str, words: &str| refused(others.run(region, &[word]), words);
        // The same cluster twice.
        let twice = region.replace(&others.url(1), &others.url(0));
        told(&twice, "zones a and b are the same cluster");
        // No such stream.
        let missing = format!("{region}stream = \"ORDRES\"\n");
        told(&missing, "zone b has no stream `ORDRES` (it has ORDERS)");
        // Wrong password.
        let unknown = region.replacen("password = \"admin\"", "password = \"hush\"", 1);
        told(&unknown, "zone a: the servers at nats://127.0.0.1:");
        told(&unknown, "refused user admin");
        // Nobody there.
        let nobody = region.replace(&others.url(1), "127.0.0.1:9");
        told(&nobody, "zone b: nobody answers at nats://127.0.0.1:9");
        // A domain that is not there.
        let domain = format!("{region}domain = \"asia\"\n");
        told(&domain, "zone b has no JetStream that answers on $JS.asia.API");
    }
    let shown = region.replacen("password = \"admin\"", "password = \"hush\"", 1);
    let shown = others.run(&shown, &["doctor"]);
    assert!(!format!("{shown:?}").contains("hush"), "{shown:?}");

    // A stream of its own, a copy of something else, and one of another domain.
    stream(&clients[1], json!({"name": "OWN", "subjects": ["OWN.>"]})).await;
    stream(&clients[0], json!({"name": "AUDIT", "subjects": ["AUDIT.>"]})).await;
    let mut other = copy("mirror");
    (other["name"], other["mirror"]["name"]) = (json!("OTHER"), json!("AUDIT"));
    stream(&clients[1], other).await;
    for (name, told) in [
        ("OWN", "`OWN` in zone b is a stream of its own"),
        (
            "OTHER",
            "`OTHER` in zone b copies `AUDIT` of domain eu, not `ORDERS` of zone a (domain eu)",
        ),
    ] {
        let region = format!("{region}stream = \"{name}\"\n");
        refused(others.run(&region, &["doctor"]), told);
        refused(others.run(&region, &["verify"]), told);
    }
    // Neither a command that changes anything, nor one of a region that is started.
    refused(others.run(&region, &["nudge", "b"]), "that does not go with --region-file");
    refused(others.run(&region, &["verify", "a"]), "zone a holds no copy in this region");
    refused(others.run(&region, &["--zones", "a,b", "doctor"]), "`--zones` is for a region that");
    refused(
        others.run(&region.replace("source", "sauce"), &["doctor"]),
        "line 2: unknown field `sauce`",
    );
    let gone = others.zonedrill(&["--region-file", "none.toml", "doctor"]);
    refused(gone, "cannot read the region file none.toml");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_streams_that_source_each_other_are_a_loop() {
    let others = Others::start(&Setup::default());
    let clients = [others.admin(0).await, others.admin(1).await];
    let of = |domain: &str, filter: &str| {
        json!({"name": "ORDERS", "sources": [{"name": "ORDERS", "filter_subject": filter,
            "external": {"api": format!("$JS.{domain}.API"), "deliver": ""}}]})
    };
    // Nothing is published: the loop is found before it turns.
    stream(&clients[0], of("us", "")).await;
    stream(&clients[1], of("eu", "")).await;
    let region = others.region("admin", "").replace("consumers = [\"billing\"]\n", "");
    let told = "source each other and a filter is missing";
    refused(others.run(&region, &["doctor"]), told);
    for client in &clients {
        api(client, "STREAM.DELETE.ORDERS", json!(null)).await;
    }
    stream(&clients[0], of("us", "ORDERS.us.>")).await;
    stream(&clients[1], of("eu", "ORDERS.eu.>")).await;
    others.run(&region, &["doctor"]).expect_code(0);
}

/// Passes everything on to a server, and sets the time that it tells: somebody's clock is wrong.
fn with_another_clock(server: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(&server).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || tell_another_day(server, client));
        }
    });
    at
}

fn tell_another_day(mut from: TcpStream, mut to: TcpStream) {
    let told = b"\"time\":\"";
    let mut some = vec![0; 65_536];
    while let Ok(n @ 1..) = from.read(&mut some) {
        // On a busy machine several answers are read at once.
        let mut past = 0;
        while let Some(at) = some[past..n].windows(told.len()).position(|window| window == told) {
            let day = past + at + told.len();
            some[day..day + 10].copy_from_slice(b"2020-01-01");
            past = day;
        }
        if to.write_all(&some[..n]).is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_off_and_a_context_that_is_not_there_are_told() {
    let others = Others::start(&Setup::default());
    others.with_stream("mirror", 10).await;
    let region = others.region("admin", "");
    others.run(&region, &["doctor"]).expect_code(0);
    let off = region.replace(&others.url(1), &with_another_clock(others.url(1)));
    for words in [vec!["doctor"], vec!["verify"], vec!["status"]] {
        let ran = others.run(&off, &words);
        refused(ran, "s behind this machine's: set one of them right, or no time means anything");
    }
    let plain = format!("url = \"{}\"\nuser = \"admin\"\npassword = \"admin\"\n", others.url(1));
    let nowhere = region.replace(&plain, "context = \"prod-us\"\n");
    assert_ne!(nowhere, region);
    refused(others.run(&nowhere, &["verify"]), "there is no nats context `prod-us` in");
}
