//! What is wrong with a region of others is told once, in words, and nothing is begun.

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
