//! What zonedrill adds to what the containers and their elections take anyway.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use crate::support::docker::{Lab, SOON, loudly, skip};
use zonedrill::{
    nats::{
        connect::{Login, zone_client_within},
        leaders, streams,
    },
    region::{Role, ZonePlan, topology::NodePlan},
};

const ROUNDS: usize = 7;

/// Every group of a zone elects: that of all servers, the stream's, the consumer's.
async fn elect(zone: &ZonePlan) {
    let client = zone_client_within(zone, Login::System, "hand", SOON).await.unwrap();
    leaders::wait_meta_leader(&client, zone, SOON).await.unwrap();
    let client = zone_client_within(zone, Login::App, "hand", SOON).await.unwrap();
    streams::create_source(&client, zone).await.unwrap();
    let request = br#"{"stream_name":"EVENTS_REGION","config":{"durable_name":"hand","ack_policy":"explicit"}}"#;
    let subject = "$JS.API.CONSUMER.DURABLE.CREATE.EVENTS_REGION.hand";
    let deadline = Instant::now() + SOON;
    loop {
        let answer = client.request(subject, request[..].into()).await.unwrap();
        if !String::from_utf8_lossy(&answer.payload).contains("\"error\"") {
            break;
        }
        assert!(Instant::now() < deadline, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// One `docker run` for each of six nodes, all at once, with the configurations that zonedrill made;
/// then the elections. Returns how long the two took, in seconds.
fn by_hand(lab: &Lab, zones: &[ZonePlan; 2], configs: &Path, image: &str) -> (f64, f64) {
    let name = &lab.region.name;
    let label = format!("zonedrill.region={name}");
    let network = |zone: &ZonePlan| format!("{name}-hand-{}", zone.name);
    for zone in zones {
        Lab::raw_docker(&["network", "create", "--label", &label, &network(zone)]);
    }
    let run = |zone: &ZonePlan, node: &NodePlan| {
        let alias = format!("{}-lan", node.name);
        let config = configs.join(node.name.to_string());
        let config = format!("{}:/etc/nats/nats-server.conf:ro", config.display());
        let port = format!("127.0.0.1:{}:4222", node.client_port);
        let (container, network) = (lab.container(&node.name.to_string()), network(zone));
        Lab::raw_docker(
            &[
                &["run", "-d", "--name", &container, "--label", &label, "--user", "0:0"][..],
                &["--network", &network, "--network-alias", &alias, "-p", &port],
                &["-v", &config, "-v", "/data", image, "--config", "/etc/nats/nats-server.conf"],
            ]
            .concat(),
        );
    };
    let began = Instant::now();
    std::thread::scope(|scope| {
        for zone in zones {
            for node in &zone.nodes {
                scope.spawn(|| run(zone, node));
            }
        }
    });
    let ran = began.elapsed().as_secs_f64();
    let began = Instant::now();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        futures::future::join_all(zones.iter().map(elect)).await;
    });
    let elected = began.elapsed().as_secs_f64();
    for node in zones.iter().flat_map(|zone| &zone.nodes) {
        Lab::raw_docker(&["rm", "-f", "-v", &lab.container(&node.name.to_string())]);
    }
    for zone in zones {
        Lab::raw_docker(&["network", "rm", &network(zone)]);
    }
    (ran, elected)
}

/// The groups' elections take between 0.1 and 6 s by chance: several rounds.
#[test]
#[ignore = "a measurement: run it alone, with --ignored --nocapture"]
fn a_bring_up_beside_six_containers_alone() {
    skip!();
    let image = Lab::make_image();
    let (mut hand, mut ours) = (vec![], vec![]);
    for round in 1..=ROUNDS {
        let lab = Lab::new("beside");
        let began = Instant::now();
        lab.start(&[]).expect_code(0);
        let up = began.elapsed().as_secs_f64();
        let zones = [("a", Role::Source, 0), ("b", Role::Mirror, 1)].map(|(zone, role, slot)| {
            let zone = ZonePlan::new(zone.parse().unwrap(), role, slot, lab.region.port);
            zone.with_access(&lab.region.access())
        });
        let configs = lab.region.home.path().join("configs");
        fs::create_dir(&configs).unwrap();
        for node in zones.iter().flat_map(|zone| &zone.nodes) {
            let made = lab.region.folder().join(format!("servers/{}/nats-server.conf", node.name));
            fs::copy(made, configs.join(node.name.to_string())).unwrap();
        }
        let steps = lab.region.ok("status --json");
        lab.region.ok("down --purge");
        let (ran, elected) = by_hand(&lab, &zones, &configs, &image);
        let steps: serde_json::Value = serde_json::from_str(&steps).unwrap();
        let steps = steps["steps"].as_array().unwrap().iter();
        let steps: Vec<String> =
            steps.map(|step| format!("{} {}", step["title"], step["took_ms"])).collect();
        loudly(&format!(
            "round {round}: six `docker run` {ran:.2} s, elections {elected:.2} s; `up` {up:.2} s ({})",
            steps.join(", ")
        ));
        hand.push(ran + elected);
        ours.push(up);
    }
    let median = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all[ROUNDS / 2]
    };
    let (hand, ours) = (median(hand), median(ours));
    loudly(&format!(
        "medians of {ROUNDS}: six `docker run` and the elections of their servers, streams and consumers {hand:.2} s; `up` {ours:.2} s ({:.2} times)",
        ours / hand
    ));
}
