use super::*;
use crate::region::{
    Actor,
    names::ZoneName,
    snapshot::{
        Conclusion as ShownConclusion, Consumer as ShownConsumer, Ledger as ShownLedger,
        Link as ShownLink, Mirror as ShownMirror, Producer as ShownProducer,
        Recovery as ShownRecovery, Screen as ShownScreen, Snapshot, Step as ShownStep,
        Stream as ShownStream, Task as ShownTask, Work, ZoneState,
    },
    topology::{DEFAULT_PORT_BASE, ZonePlan},
};

const AT: UnixMs = 1_767_225_600_000;

fn stream(last_seq: u64, age: u64) -> ShownStream {
    ShownStream {
        messages: last_seq,
        bytes: last_seq * 190,
        first_seq: 1,
        last_seq,
        num_deleted: 0,
        leader: Some("js1-zone-a".into()),
        replicas: 3,
        replicas_current: Some(3),
        told_ms: AT - age,
    }
}

/// Zone a with a source, b cut, c in recovery, d just being added.
fn sample() -> Snapshot {
    let mut state = crate::region::reduce::State::new("drill", "local", AT - 754_000);
    for (slot, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let name: ZoneName = name.parse().unwrap();
        let role = if slot == 0 { Role::Source } else { Role::Mirror };
        let slot = u16::try_from(slot).unwrap();
        state.zone_added(AT - 700_000, &ZonePlan::new(name, role, slot, DEFAULT_PORT_BASE));
    }
    let mut picture = state.snapshot(AT);
    picture.server_version = Some("2.15.1".into());
    picture.mirror_kind = Some(MirrorKind::Durable);
    picture.phase = Phase::Up;
    for zone in &mut picture.zones[..3] {
        zone.state = ZoneState::Ready;
        for node in &mut zone.nodes {
            node.state = NodeState::Up;
            node.pid = Some(4_700 + u32::from(node.client_port % 100));
            node.rss_bytes = Some(21_000_000);
            node.cpu_percent = Some(1.5);
            node.answered_ms = Some(AT - 400);
        }
        zone.nodes[0].stream_leader = true;
        zone.nodes[1].meta_leader = true;
        zone.nodes[1].consumer_leader = true;
        zone.stream = Some(stream(1_204_331, 400));
        zone.consumer = Some(ShownConsumer {
            name: format!("consumer-{}", zone.name),
            delivered: 1_204_300,
            ack_floor: 1_204_250,
            pending: 31,
            unacked: 50,
            redelivered: 0,
            leader: Some("js2-zone-a".into()),
            told_ms: AT - 400,
        });
        zone.work = Work { running: true, rate: 49.8, ..Work::default() };
        zone.ledger = ShownLedger {
            acked: 1_204_331,
            received: 1_204_300,
            redelivered: 12,
            ..ShownLedger::default()
        };
    }
    picture.zones[0].stream = Some(stream(1_204_531, 400));
    let b = &mut picture.zones[1];
    b.nodes[0].stream_leader = false;
    b.nodes[2].state = NodeState::Frozen;
    b.nodes[2].since_ms = AT - 62_000;
    b.stream.as_mut().unwrap().told_ms = AT - 4_200;
    b.stream.as_mut().unwrap().leader = None;
    b.work.paused = true;
    b.work.limit = Some(50.0);
    b.link = Some(ShownLink {
        state: LinkState::Cut,
        kind: Some(CutKind::Silent),
        effective: true,
        severed_in_ms: Some(3),
        proved_in_ms: Some(12_900),
        since_ms: AT - 21_000,
        heals_at_ms: Some(AT + 9_000),
        leafs_here: None,
        leafs_there: Some(0),
        rtt_us: None,
    });
    b.mirror = Some(ShownMirror {
        true_lag: None,
        reported_lag: Some(0),
        heard_ms: Some(AT - 21_000),
        state: MirrorState::Unknown,
        error: None,
        source_pending: Some(200),
        told_ms: AT - 4_200,
    });
    b.ledger.lost = 2;
    let c = &mut picture.zones[2];
    c.link = Some(ShownLink {
        state: LinkState::Up,
        kind: None,
        effective: false,
        severed_in_ms: None,
        proved_in_ms: None,
        since_ms: AT - 5_000,
        heals_at_ms: None,
        leafs_here: Some(3),
        leafs_there: Some(3),
        rtt_us: Some(431),
    });
    c.mirror = Some(ShownMirror {
        true_lag: Some(200),
        reported_lag: Some(0),
        heard_ms: Some(AT - 26_000),
        state: MirrorState::Stalled,
        error: Some("stream not found".into()),
        source_pending: None,
        told_ms: AT - 400,
    });
    c.recovery = Some(ShownRecovery {
        healed_ms: AT - 5_300,
        behind: Some(180),
        link_up_after_ms: Some(310),
        moving_after_ms: None,
        caught_up_after_ms: None,
        nudged: false,
        stall: Some(
            "link is back; the mirror waits for a request it sent during the cut; expected up to 40 s; `nudge c` hurries it"
                .into(),
        ),
    });
    picture.producer = ShownProducer {
        active: true,
        rate: 50.04,
        acked: 1_204_531,
        last_number: 1_204_531,
        running: vec!["p3 50/s".into()],
        connection: Some(17),
        acked_by: Some("zone-a".into()),
        ..ShownProducer::default()
    };
    picture.tasks = vec![ShownTask {
        id: 4,
        command: "zone add d".into(),
        actor: Actor { who: "ann".into(), via: crate::region::actor::Via::Shell },
        since_ms: AT - 800,
        progress: "starting 3 nodes".into(),
    }];
    picture.steps = vec![
        ShownStep {
            title: "start zone d".into(),
            state: StepState::Running,
            detail: "2 of 3 nodes".into(),
            took_ms: None,
        },
        ShownStep {
            title: "preflight".into(),
            state: StepState::Done,
            detail: String::new(),
            took_ms: Some(42),
        },
    ];
    picture.conclusions[0] = ShownConclusion {
        name: "cut".into(),
        verdict: Verdict::Proved,
        evidence: "B drained 31 messages alone".into(),
    };
    picture.screens = vec![
        ShownScreen { id: 1, name: "ann".into(), drives: true, ..ShownScreen::default() },
        ShownScreen { id: 2, name: "bo".into(), drives: false, ..ShownScreen::default() },
    ];
    picture
}

#[test]
fn the_schema_is_stable() {
    let json = serde_json::to_string_pretty(&Status::from(&sample())).unwrap();
    insta::assert_snapshot!("status_json", json);
}

#[test]
fn the_text_is_for_people() {
    insta::assert_snapshot!("status_text", render(&sample()));
}

#[test]
fn a_region_that_failed_to_start_says_why() {
    let mut picture =
        Snapshot { region: "drill".into(), platform: "local".into(), ..Snapshot::default() };
    picture.phase = Phase::Failed(
        "port 15222 (js1-zone-a, clients) is in use by nats-server, pid 4711: end it, or start this region on other ports with `--port-base N`".into(),
    );
    insta::assert_snapshot!("status_failed", render(&picture));
    let status = serde_json::to_value(Status::from(&picture)).unwrap();
    assert_eq!(status["phase"], "failed");
    assert!(status["failure"].as_str().unwrap().starts_with("port 15222"));
}

#[test]
fn unknown_is_null_and_ages_are_spans() {
    let status = serde_json::to_value(Status::from(&sample())).unwrap();
    let zones = &status["zones"];
    assert!(zones[0]["mirror"].is_null() && zones[0]["link"].is_null());
    assert!(zones[3]["stream"].is_null() && zones[3]["consumer"].is_null());
    assert_eq!(zones[3]["mirror"]["state"], "unknown");
    assert!(zones[3]["mirror"]["true_lag"].is_null());
    assert_eq!(zones[1]["link"]["since_ms"], 21_000);
    assert_eq!(zones[1]["link"]["heals_in_ms"], 9_000);
    assert!(zones[1]["mirror"]["true_lag"].is_null());
    assert_eq!(zones[1]["stream"]["age_ms"], 4_200);
    assert_eq!(zones[2]["link"]["effective"], false);
}

#[test]
fn no_line_is_wider_than_80_columns() {
    let mut picture = sample();
    for zone in &mut picture.zones {
        zone.work.trouble = Some("a very long word: ".to_owned() + &"reason ".repeat(40));
        zone.ledger = ShownLedger {
            acked: u64::MAX,
            received: u64::MAX,
            behind: u64::MAX,
            lost: u64::MAX,
            duplicates: u64::MAX,
            redelivered: u64::MAX,
            processed_twice: u64::MAX,
            reordered: u64::MAX,
            corrupt: u64::MAX,
            unexpected: u64::MAX,
            unrecorded: u64::MAX,
        };
    }
    picture.region = "a-region-with-quite-a-long-name-for-a-drill".into();
    picture.producer.running = vec!["p4 100..200 every 100ms, and so on ".repeat(5)];
    for line in render(&picture).lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}
