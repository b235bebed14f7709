//! The files in `compose/` by hand.
//!
//! Where no engine answers, every test here says so on standard error and tests nothing.

// A test may panic.
use std::{
    fs,
    time::{Duration, Instant},
};

use crate::support::{
    docker::{Lab, SOON, compose, skip},
    nats::access,
};
use serde_json::Value;
use zonedrill::{
    nats::{
        connect::{Login, zone_client_within},
        leaders,
        links::{LinkProbe, Mute},
    },
    region::{Role, ZonePlan},
};

/// On other names and ports, without zonedrill: the region comes up, the
/// mirror can be created, `docker network disconnect` cuts. Then zonedrill adopts it.
#[test]
fn by_hand_with_the_compose_files_alone() {
    skip!();
    let lab = Lab::new("hand");
    let name = &lab.region.name;
    let files = lab.region.home.path().join("by-hand");
    lab.copy_compose_files(&files);
    let plan = |zone: &str, role, slot| {
        ZonePlan::new(zone.parse().unwrap(), role, slot, lab.region.port).with_access(&access())
    };
    let (a, b) = (plan("a", Role::Source, 0), plan("b", Role::Mirror, 1));
    let image = Lab::make_image();
    for zone in ["a", "b"] {
        let file = files.join(format!("zone-{zone}.yml"));
        let project = format!("{name}-hand-{zone}");
        compose(&["-p", &project, "-f", file.to_str().unwrap(), "up", "-d"], &image);
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        for zone in [&a, &b] {
            let client = zone_client_within(zone, Login::System, "hand", SOON).await.unwrap();
            leaders::wait_meta_leader(&client, zone, SOON).await.unwrap();
        }
    });
    runtime.block_on(async {
        let source = zone_client_within(&a, Login::App, "hand", SOON).await.unwrap();
        let mirror = zone_client_within(&b, Login::App, "hand", SOON).await.unwrap();
        for (client, file) in [(&source, "stream.json"), (&mirror, "mirror.json")] {
            let request = fs::read(files.join(file)).unwrap();
            let subject = "$JS.API.STREAM.CREATE.EVENTS_REGION";
            // A cluster that has just elected may not have found all its peers yet.
            let deadline = Instant::now() + SOON;
            loop {
                let answer = client.request(subject, request.clone().into()).await;
                let answer: Option<Value> =
                    answer.ok().and_then(|answer| serde_json::from_slice(&answer.payload).ok());
                if answer.as_ref().is_some_and(|answer| answer.get("error").is_none()) {
                    break;
                }
                assert!(Instant::now() < deadline, "{file}: {answer:?}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        let probe = LinkProbe::new(&a, &b).await.unwrap();
        let hundred = Duration::from_millis(100);
        assert!(probe.prove_link(&Mute::default, hundred, SOON, None).await.proved);
        for node in &b.nodes {
            lab.docker_network("disconnect", &node.name);
        }
        let cut = probe.prove_cut(&Mute::default, SOON).await;
        assert!(cut.proved, "{cut}");
        // Without an alias: what a person types.
        for node in &b.nodes {
            lab.docker_network("connect", &node.name);
        }
        let up = probe.prove_link(&Mute::default, hundred, SOON, None).await;
        assert!(up.proved, "{up}");
    });
    let classic = ["--adopt", "--mirror", "classic"];
    assert_ne!(lab.start(&classic).code, 0, "what bears no id is nobody's");
    lab.start(&["--adopt", "--mirror", "classic", "--force-foreign", "unmarked"]).expect_code(0);
    lab.region.ok("produce 1 20 --interval 1ms");
    let minute = Duration::from_secs(60);
    lab.region.wait_zone("b", "b has 20", minute, |b| b["ledger"]["received"] == 20);
    lab.region.ok("cut b");
    lab.region.ok("heal b");
    lab.region.ok("down --purge");
    assert_eq!(lab.everything(), Vec::<String>::new());
}
