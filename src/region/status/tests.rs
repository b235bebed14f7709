use super::*;
use crate::region::{
    PlatformKind,
    names::ZoneName,
    topology::{CutKind, DEFAULT_PORT_BASE, Role, ZonePlan},
};

const AT: UnixMs = 1_767_225_600_000;

fn stream(last_seq: u64, age: u64) -> Stream {
    Stream {
        messages: last_seq,
        bytes: last_seq * 190,
        first_seq: 1,
        last_seq,
        own_last_seq: Some(last_seq),
        num_deleted: 0,
        leader: Some("js1-zone-a".into()),
        replicas: 3,
        replicas_current: Some(3),
        told_at_ms: AT - age,
    }
}

/// Zone a with a source, b cut, c in recovery, d just being added.
fn sample() -> Status {
    let mut state = crate::region::reduce::State::new("drill", PlatformKind::Local, AT - 754_000);
    for (slot, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let name: ZoneName = name.parse().unwrap();
        let role = if slot == 0 { Role::Source } else { Role::Mirror };
        let slot = u16::try_from(slot).unwrap();
        let plan = ZonePlan::new(name, role, slot, DEFAULT_PORT_BASE);
        state.apply(AT - 700_000, crate::region::Input::ZoneAdded(plan));
    }
    let mut picture = state.status(AT);
    picture.server_version = Some("2.15.1".into());
    picture.mirror_kind = Some(MirrorKind::Durable);
    picture.phase = Phase::Up;
    for zone in &mut picture.zones[..3] {
        zone.state = ZoneState::Ready;
        for node in &mut zone.nodes {
            node.state = NodeState::Up;
            node.pid = Some(4_700 + node.port()[3..].parse::<u32>().unwrap());
            node.rss_bytes = Some(21_000_000);
            node.cpu_percent = Some(1.5);
            node.answered_at_ms = Some(AT - 400);
        }
        zone.nodes[0].leader = true;
        zone.nodes[1].meta_leader = true;
        zone.nodes[1].consumer_leader = true;
        zone.stream = Some(stream(1_204_331, 400));
        zone.consumer = Some(Consumer {
            name: format!("consumer-{}", zone.name),
            delivered: Some(1_204_300),
            ack_floor: Some(1_204_250),
            pending: Some(31),
            unacked: Some(50),
            redelivered: Some(0),
            deliveries: Some(1_204_360),
            deliveries_here: Some(1_204_300),
            leader: Some("js2-zone-a".into()),
            told_at_ms: Some(AT - 400),
            running: true,
            rate: 49.8,
            ..Consumer::default()
        });
        let latency = Latency { messages: 500, p50_us: 780, p99_us: 2_150, max_us: 11_400 };
        zone.flow =
            Flow { publish_rate: Some(50.0), consume_rate: Some(49.8), latency: Some(latency) };
        zone.ledger =
            Ledger { acked: 1_204_331, received: 1_204_300, redelivered: 12, ..Ledger::default() };
    }
    picture.zones[0].stream = Some(stream(1_204_531, 400));
    let b = &mut picture.zones[1];
    b.flow = Flow { publish_rate: Some(0.0), ..Flow::default() };
    b.nodes[0].leader = false;
    b.nodes[2].state = NodeState::Frozen;
    b.nodes[2].since_at_ms = AT - 62_000;
    b.stream.as_mut().unwrap().told_at_ms = AT - 4_200;
    b.stream.as_mut().unwrap().leader = None;
    let consumer = b.consumer.as_mut().unwrap();
    (consumer.paused, consumer.limit) = (true, Some(50.0));
    b.link = Some(Link {
        state: LinkState::Cut,
        kind: Some(CutKind::Silent),
        effective: true,
        severed_in_ms: Some(3),
        proved_in_ms: Some(12_900),
        since_at_ms: AT - 21_000,
        heals_at_ms: Some(AT + 9_000),
        leafs_here: None,
        leafs_there: Some(0),
        rtt_us: None,
        ..Link::default()
    });
    b.mirror = Some(Mirror {
        true_lag: None,
        reported_lag: Some(0),
        heard_at_ms: Some(AT - 21_000),
        state: MirrorState::Unknown,
        error: None,
        source_pending: Some(200),
        told_at_ms: Some(AT - 4_200),
    });
    b.ledger.lost = 2;
    let c = &mut picture.zones[2];
    c.link = Some(Link {
        state: LinkState::Up,
        kind: None,
        effective: false,
        severed_in_ms: None,
        proved_in_ms: None,
        since_at_ms: AT - 5_000,
        heals_at_ms: None,
        leafs_here: Some(3),
        leafs_there: Some(3),
        rtt_us: Some(431),
        ..Link::default()
    });
    c.mirror = Some(Mirror {
        true_lag: Some(200),
        reported_lag: Some(0),
        heard_at_ms: Some(AT - 26_000),
        state: MirrorState::Stalled,
        error: Some("stream not found".into()),
        source_pending: None,
        told_at_ms: Some(AT - 400),
    });
    c.recovery = Some(Recovery {
        healed_at_ms: AT - 5_300,
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
    picture.producer = Producer {
        active: true,
        rate: 50.04,
        acked: 1_204_531,
        last_number: 1_204_531,
        running: vec!["p3 50/s".into()],
        connection: Some(17),
        acked_by: Some("zone-a".into()),
        ..Producer::default()
    };
    picture.tasks = vec![Task {
        id: 4,
        command: "zone add d".into(),
        by: "ann".into(),
        since_at_ms: AT - 800,
        progress: "starting 3 nodes".into(),
    }];
    picture.steps = vec![
        Step {
            title: "start zone d".into(),
            state: StepState::Running,
            detail: "2 of 3 nodes".into(),
            took_ms: None,
        },
        Step {
            title: "preflight".into(),
            state: StepState::Done,
            detail: String::new(),
            took_ms: Some(42),
        },
    ];
    picture.conclusions[0] = Conclusion {
        name: "cut".into(),
        verdict: Verdict::Proved,
        evidence: "B drained 31 messages alone".into(),
    };
    picture.screens = vec![
        Screen { id: 1, name: "ann".into(), drives: true, ..Screen::default() },
        Screen { id: 2, name: "bo".into(), drives: false, ..Screen::default() },
    ];
    picture
}

#[test]
fn the_schema_is_stable() {
    let json = serde_json::to_string_pretty(&sample()).unwrap();
    insta::assert_snapshot!("status_json", json);
}

#[test]
fn the_text_is_for_people() {
    insta::assert_snapshot!("status_text", render(&sample()));
}

#[test]
fn a_region_that_failed_to_start_says_why() {
    let mut picture =
        Status { region: "drill".into(), platform: PlatformKind::Local, ..Status::default() };
    picture.phase = Phase::Failed;
    picture.failure = Some(
        "port 15222 (js1-zone-a, clients) is in use by nats-server, pid 4711: end it, or start this region on other ports with `--port-base N`".into(),
    );
    insta::assert_snapshot!("status_failed", render(&picture));
    let status = serde_json::to_value(picture).unwrap();
    assert_eq!(status["phase"], "failed");
    assert!(status["failure"].as_str().unwrap().starts_with("port 15222"));
}

#[test]
fn unknown_is_null_and_moments_are_stored() {
    let status = serde_json::to_value(sample()).unwrap();
    let zones = &status["zones"];
    assert!(zones[0]["mirror"].is_null() && zones[0]["link"].is_null());
    assert!(zones[3]["stream"].is_null() && zones[3]["consumer"]["delivered"].is_null());
    assert_eq!(zones[3]["mirror"]["state"], "unknown");
    assert!(zones[3]["mirror"]["true_lag"].is_null());
    assert_eq!(zones[1]["link"]["since_at_ms"], AT - 21_000);
    assert_eq!(zones[1]["link"]["heals_at_ms"], AT + 9_000);
    assert_eq!(value_at(&status, "zones.b.link.since_ms"), Some(21_000.into()));
    assert_eq!(value_at(&status, "zones.b.link.heals_in_ms"), Some(9_000.into()));
    assert_eq!(value_at(&status, "zones.b.stream.age_ms"), Some(4_200.into()));
    assert_eq!(value_at(&status, "zones.d.mirror.silent_ms"), None);
    assert!(zones[1]["mirror"]["true_lag"].is_null());
    assert_eq!(zones[2]["link"]["effective"], false);
}

#[test]
fn no_line_is_wider_than_80_columns() {
    let mut picture = sample();
    for zone in &mut picture.zones {
        zone.consumer.get_or_insert_default().trouble =
            Some("a very long word: ".to_owned() + &"reason ".repeat(40));
        zone.flow = Flow {
            publish_rate: Some(1e12),
            consume_rate: Some(1e12),
            latency: Some(Latency {
                messages: u64::MAX,
                p50_us: u64::MAX,
                p99_us: u64::MAX,
                max_us: u64::MAX,
            }),
        };
        zone.ledger = Ledger {
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
            foreign: u64::MAX,
            unrecorded: u64::MAX,
            apart: Some(Apart { alone: u64::MAX, lacks: u64::MAX }),
        };
    }
    picture.region = "a-region-with-quite-a-long-name-for-a-drill".into();
    picture.producer.running = vec!["p4 100..200 every 100ms, and so on ".repeat(5)];
    for line in render(&picture).lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn paths_are_those_of_the_schema() {
    for path in [
        "phase",
        "failure",
        "producer.acked",
        "zones.b.state",
        "zones.b.link.kind",
        "zones.b.consumer.ack_floor",
        "zones.b.ledger.unrecorded",
        "zones.b.flow.publish_rate",
        "zones.b.flow.latency.p99_us",
        "zones.b.mirror.silent_ms",
        "zones.b.recovery.stall",
        "drill.verdict",
        "word",
    ] {
        assert!(is_comparable(path), "{path}");
    }
    for path in [
        "",
        "zones",
        "zones.b",
        "zones.b.link",
        "zones.b.link.efective",
        "zones.b.nodes",
        "tasks.1",
        "phase.word",
        "zones.b.ledger.age_ms",
        "marks.1.text",
    ] {
        assert!(!is_comparable(path), "{path}");
    }
}

/// Reads what an earlier version printed: what it did not know yet is unknown or empty, what has
/// become a moment is lost, everything else is as it was.
#[test]
fn a_document_of_version_0_1_0_is_still_read() {
    let text = include_str!("../../../tests/fixtures/status-0.1.0.json");
    let old: serde_json::Value = serde_json::from_str(text).unwrap();
    let status: Status = serde_json::from_value(old.clone()).unwrap();
    let new = serde_json::to_value(&status).unwrap();
    let mut compared = 0;
    agree(&old, &new, "", &mut compared);
    assert!(compared > 300, "{compared}");
    assert_eq!((status.zones.len(), status.phase), (4, Phase::Up));
}

/// Everything in `old` stands in `new`, but for ages.
fn agree(old: &serde_json::Value, new: &serde_json::Value, at: &str, compared: &mut usize) {
    use serde_json::Value;
    match (old, new) {
        (Value::Object(old), Value::Object(fields)) => {
            for (name, value) in old {
                if !["age_ms", "since_ms", "silent_ms", "heals_in_ms"].contains(&name.as_str()) {
                    let path = format!("{at}.{name}");
                    agree(value, fields.get(name).unwrap_or(&Value::Null), &path, compared);
                }
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            assert_eq!(old.len(), new.len(), "{at}");
            old.iter().zip(new).for_each(|(old, new)| agree(old, new, at, compared));
        }
        _ => {
            assert_eq!(old, new, "{at}");
            *compared += 1;
        }
    }
}

/// After a wanted change: `zonedrill status --schema > docs/status.schema.json`.
#[test]
fn the_schema_in_the_documentation_is_the_one_of_the_types() {
    let kept = include_str!("../../../docs/status.schema.json");
    assert!(format!("{:#}\n", schema().as_value()) == kept, "docs/status.schema.json is old");
}

#[test]
fn metrics_hold_what_is_known_and_nothing_else() {
    let gone = metrics("r", None).unwrap();
    assert!(gone.contains("zonedrill_seen{region=\"r\"} 0"), "{gone}");
    assert!(!gone.contains("lag"), "{gone}");
    let mut status = sample();
    let b = status.zones[1].mirror.as_mut().unwrap();
    (b.true_lag, b.state) = (Some(4_281), MirrorState::Silent);
    let text = metrics("r", Some(&status)).unwrap();
    for line in [
        "zonedrill_copy_lag_messages{region=\"r\",zone=\"b\"} 4281.0\n",
        "zonedrill_copy_state{region=\"r\",zone=\"b\",state=\"silent\"} 1.0\n",
        "zonedrill_copy_state{region=\"r\",zone=\"b\",state=\"streaming\"} 0.0\n",
        "zonedrill_consumer_ack_floor_sequence{region=\"r\",zone=\"a\",consumer=\"consumer-a\"} 1204250.0\n",
        "zonedrill_nodes_up{region=\"r\",zone=\"a\"} 3.0\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
    status.zones[1].mirror.as_mut().unwrap().true_lag = None;
    let text = metrics("r", Some(&status)).unwrap();
    assert!(!text.contains("zonedrill_copy_lag_messages{region=\"r\",zone=\"b\"}"), "{text}");
    // Of a zone of others nobody here has an account.
    status.zones[0].nodes.clear();
    let text = metrics("r", Some(&status)).unwrap();
    assert!(!text.contains("zonedrill_faults{region=\"r\",zone=\"a\""), "{text}");
}

#[test]
fn the_printed_document_says_what_is_wrong_and_what_mends_it() {
    let mut status = sample();
    status.phase = Phase::Starting;
    assert_eq!(status.document()["word"], serde_json::Value::Null);
    status.phase = Phase::Up;
    status.zones[1].nodes[0].state = NodeState::Dead;
    let document = status.document();
    let alarms = document["alarms"].as_array().unwrap();
    assert_eq!(document["word"], alarms[0]["kind"]);
    let dead = format!("node start {}", status.zones[1].nodes[0].name);
    assert!(
        alarms.iter().any(|alarm| alarm["kind"] == "DEGRADED" && alarm["remedy"] == dead.as_str())
    );
    assert_eq!(serde_json::from_value::<Status>(document).unwrap(), status);
}
