//! Hand-made statuses, for the screen's tests and benchmarks.

mod bringup;
mod drills;
mod passing;

pub use bringup::{failed, starting};
pub use drills::{drill_begun, drilled, drilling, presented, sabotaged};
pub use passing::advance;

use crate::region::{
    Status, UnixMs, ZoneName,
    past::Past,
    status::{
        Conclusion, Consumer, Flow, Latency, Ledger, Link, LinkState, Mark, MarkKind, Mirror,
        MirrorState, Node, NodeState, Phase, Producer, Recovery, Screen, Stream, Task, Verdict,
        Zone, ZoneState,
    },
    topology::{CutKind, MirrorKind, Role, ZonePlan},
};

/// The moment all samples are taken: 2026-11-02 14:03:20 UTC.
pub const NOW: UnixMs = 1_793_628_200_000;

fn zone_name(index: u16) -> Option<ZoneName> {
    let letter = char::from(b'a' + u8::try_from(index).ok()?);
    letter.to_string().parse().ok()
}

/// A healthy zone whose stream ends at `last`.
#[must_use]
pub fn zone(index: u16, last: u64) -> Option<Zone> {
    let name = zone_name(index)?;
    let role = if index == 0 { Role::Source } else { Role::Mirror };
    let plan = ZonePlan::new(name, role, index, 15222);
    let leader = usize::from(index) % 3;
    let nodes = plan
        .nodes
        .iter()
        .zip(0u16..)
        .map(|(node, i)| Node {
            container: None,
            name: node.name.clone(),
            state: NodeState::Up,
            since_at_ms: NOW - 720_000,
            url: node.url(),
            pid: Some(41_200 + u32::from(index * 3 + i)),
            meta_leader: usize::from(i) == (leader + 2) % 3,
            leader: usize::from(i) == leader,
            consumer_leader: usize::from(i) == (leader + 1) % 3,
            leafs: Some(1),
            rss_bytes: Some(21_000_000 + u64::from(i) * 400_000),
            cpu_percent: Some(1.2 + f32::from(i)),
            answered_at_ms: Some(NOW - 300),
        })
        .collect();
    let mirror = (role == Role::Mirror).then_some(Mirror {
        true_lag: Some(0),
        reported_lag: Some(0),
        heard_at_ms: Some(NOW - 400),
        state: MirrorState::Streaming,
        error: None,
        source_pending: Some(0),
        told_at_ms: Some(NOW - 300),
    });
    let link = (role == Role::Mirror).then_some(Link {
        state: LinkState::Up,
        kind: None,
        effective: false,
        severed_in_ms: None,
        proved_in_ms: None,
        since_at_ms: NOW - 700_000,
        heals_at_ms: None,
        leafs_here: Some(3),
        leafs_there: Some(3),
        rtt_us: Some(310),
    });
    Some(Zone {
        role,
        state: ZoneState::Ready,
        nodes,
        stream: Some(Stream {
            messages: last,
            bytes: last * 348,
            first_seq: 1,
            last_seq: last,
            num_deleted: 0,
            leader: Some(format!("js{}-{}", leader + 1, plan.name.long())),
            replicas: 3,
            replicas_current: Some(3),
            told_at_ms: NOW - 300,
        }),
        consumer: Some(Consumer {
            name: plan.consumer(),
            delivered: Some(last),
            ack_floor: Some(last),
            pending: Some(0),
            unacked: Some(0),
            redelivered: Some(0),
            deliveries: Some(last + 3),
            deliveries_here: Some(last + 3),
            running: true,
            told_at_ms: Some(NOW - 300),
            ..Consumer::default()
        }),
        mirror,
        link,
        recovery: None,
        flow: Flow::default(),
        ledger: Ledger { acked: last, received: last, ..Ledger::default() },
        audit: None,
        lag_history: if index == 0 { Vec::new() } else { vec![Some(0); 240] },
        past: Past {
            published: vec![Some(50); 240],
            consumed: vec![Some(50); 240],
            p99_us: vec![Some(3_100); 240],
            ..Past::default()
        },
        name: plan.name,
        differences: Vec::new(),
        foreign: Vec::new(),
        recorded: None,
    })
}

/// A region of `zones` zones at rest.
#[must_use]
pub fn idle(zones: u16) -> Status {
    let last = 12_345;
    let conclusion = |name: &str, verdict, evidence: &str| Conclusion {
        name: name.into(),
        verdict,
        evidence: evidence.into(),
    };
    Status {
        open: false,
        region: "demo".into(),
        platform: "local".into(),
        server_version: Some("2.15.1".into()),
        mirror_kind: Some(MirrorKind::Durable),
        phase: Phase::Up,
        failure: None,
        started_at_ms: NOW - 724_000,
        at_ms: NOW,
        steps: Vec::new(),
        zones: (0..zones).filter_map(|i| zone(i, last)).collect(),
        producer: Producer {
            acked: last,
            published: last,
            last_number: last,
            acked_by: Some("zone-a".into()),
            connection: Some(14),
            ..Producer::default()
        },
        drill: None,
        conclusions: vec![
            conclusion("cut", Verdict::Waiting, "not tested yet"),
            conclusion("heal", Verdict::Waiting, "not tested yet"),
            conclusion("independent", Verdict::Waiting, "not tested yet"),
            conclusion("grow", Verdict::Waiting, "not tested yet"),
        ],
        tasks: Vec::new(),
        marks: Vec::new(),
        history_at_ms: NOW,
        screens: vec![
            Screen { id: 1, name: "mira".into(), drives: true, ..Screen::default() },
            Screen { id: 2, name: "tom".into(), drives: false, ..Screen::default() },
        ],
        late: None,
        replay: None,
    }
}

/// Zone b is cut off while a steady producer runs.
#[must_use]
pub fn cut() -> Status {
    let mut status = idle(2);
    producing(&mut status);
    status.marks = vec![
        Mark { at_ms: NOW - 130_000, kind: MarkKind::Note, zone: None, text: "first try".into() },
        mark(12_000, MarkKind::Cut, "cut b"),
    ];
    verdict(&mut status, 0, Verdict::Holding, "b got nothing new for 12 s");
    if let Some(zone) = status.zones.get_mut(1) {
        cut_off(zone, 12_000, 612);
    }
    status
}

/// A steady producer.
pub fn producing(status: &mut Status) {
    status.producer.active = true;
    status.producer.rate = 49.97;
    status.producer.running = vec!["p3 steady 50/s, 612 so far".into()];
    status.tasks = vec![Task {
        id: 4,
        command: "produce --rate 50/s".into(),
        by: "room".into(),
        since_at_ms: NOW - 12_400,
        progress: "612 acked".into(),
    }];
    if let Some(source) = status.zones.first_mut() {
        consumer_of(source).rate = 50.0;
        let latency = Latency { messages: 499, p50_us: 780, p99_us: 2_150, max_us: 11_400 };
        source.flow =
            Flow { publish_rate: Some(49.9), consume_rate: Some(49.9), latency: Some(latency) };
    }
}

fn consumer_of(zone: &mut Zone) -> &mut Consumer {
    zone.consumer.get_or_insert_default()
}

fn mark(ago: u64, kind: MarkKind, text: &str) -> Mark {
    Mark { at_ms: NOW - ago, kind, zone: zone_name(1), text: text.into() }
}

fn verdict(status: &mut Status, index: usize, verdict: Verdict, evidence: &str) {
    if let Some(conclusion) = status.conclusions.get_mut(index) {
        conclusion.verdict = verdict;
        conclusion.evidence = evidence.into();
    }
}

/// Cuts a zone off, `ago` milliseconds ago and `lag` messages behind.
pub fn cut_off(zone: &mut Zone, ago: u64, lag: u64) {
    if let Some(link) = &mut zone.link {
        link.state = LinkState::Cut;
        link.kind = Some(CutKind::Refuse);
        link.effective = true;
        link.severed_in_ms = Some(3);
        link.proved_in_ms = Some(41);
        link.since_at_ms = NOW - ago;
        link.leafs_here = Some(0);
        link.leafs_there = Some(0);
        link.rtt_us = None;
    }
    if let Some(mirror) = &mut zone.mirror {
        mirror.state = MirrorState::Silent;
        mirror.true_lag = Some(lag);
        mirror.heard_at_ms = Some(NOW - ago);
    }
    if let Some(stream) = &mut zone.stream {
        stream.messages -= lag;
        stream.last_seq -= lag;
    }
    if let Some(consumer) = &mut zone.consumer {
        consumer.delivered = consumer.delivered.map(|delivered| delivered - lag);
        consumer.ack_floor = consumer.ack_floor.map(|floor| floor - lag);
    }
    zone.ledger.received -= lag;
    zone.ledger.behind += lag;
    let seconds = usize::try_from(ago / 1000).unwrap_or(0).min(zone.lag_history.len());
    let start = zone.lag_history.len() - seconds;
    zone.past.consumed[start..].fill(Some(0));
    zone.past.p99_us[start..].fill(None);
    for (i, sample) in (1..).zip(zone.lag_history.iter_mut().skip(start)) {
        *sample = Some(lag * i / (seconds.max(1) as u64));
    }
}

/// Zone b was healed and stands still, waiting for an old request.
#[must_use]
pub fn recovering() -> Status {
    let mut status = cut();
    status.mirror_kind = Some(MirrorKind::Classic);
    status.marks.push(mark(9_000, MarkKind::Heal, "heal b"));
    if let Some(first) = status.marks.get_mut(1) {
        first.at_ms = NOW - 74_000;
    }
    verdict(&mut status, 0, Verdict::Proved, "b got nothing for 65 s");
    verdict(&mut status, 1, Verdict::Holding, "612 to go");
    if let Some(zone) = status.zones.get_mut(1) {
        zone.link = idle(2).zones.get(1).and_then(|z| z.link.clone());
        if let Some(mirror) = &mut zone.mirror {
            mirror.state = MirrorState::Stalled;
            mirror.heard_at_ms = Some(NOW - 74_000);
            mirror.source_pending = None;
        }
        zone.recovery = Some(Recovery {
            healed_at_ms: NOW - 9_000,
            behind: Some(580),
            link_up_after_ms: Some(110),
            moving_after_ms: None,
            caught_up_after_ms: None,
            nudged: false,
            stall: Some(
                "waiting for the consumer request sent 21 s ago, gives up at 30 s, then backs \
                 off 10 s; `n` nudges it"
                    .into(),
            ),
        });
        let n = zone.lag_history.len();
        for (i, sample) in zone.lag_history.iter_mut().enumerate().skip(n - 74) {
            *sample = if i < n - 40 && i > n - 50 { None } else { Some((i + 74 - n) as u64 * 8) };
        }
    }
    status
}

/// Everything that can be wrong or unknown.
#[must_use]
pub fn troubled() -> Status {
    let mut status = idle(3);
    status.server_version = None;
    status.mirror_kind = None;
    verdict(&mut status, 0, Verdict::Void, "nothing was produced during the cut");
    verdict(&mut status, 1, Verdict::Broken, "3 lost, first at sequence 812");
    verdict(&mut status, 2, Verdict::Proved, "floors met at 100");
    status.producer.unknown = 14;
    status.producer.failed = 2;
    status.producer.reconnects = 1;
    status.producer.acked_by = Some("zone-b".into());
    status.producer.trouble = Some("no responders: the source has no leader".into());
    if let Some(zone) = status.zones.first_mut() {
        for (node, state) in
            zone.nodes.iter_mut().zip([NodeState::Dead, NodeState::Frozen, NodeState::Silent])
        {
            node.state = state;
            node.since_at_ms = NOW - 31_000;
            node.leader = false;
            node.meta_leader = false;
            node.consumer_leader = false;
            node.cpu_percent = None;
            node.rss_bytes = None;
            node.leafs = None;
        }
        if let Some(stream) = &mut zone.stream {
            stream.told_at_ms = NOW - 31_000;
            stream.replicas_current = Some(1);
            stream.num_deleted = 7;
        }
        let consumer = consumer_of(zone);
        consumer.told_at_ms = Some(NOW - 31_000);
        consumer.trouble = Some("consumer-a does not answer".into());
        zone.ledger.lost = 3;
        zone.ledger.corrupt = 1;
    }
    if let Some(zone) = status.zones.get_mut(1) {
        zone.stream = None;
        zone.consumer = Some(Consumer { running: true, paused: true, ..Consumer::default() });
        zone.mirror = Some(Mirror {
            true_lag: None,
            reported_lag: None,
            heard_at_ms: None,
            state: MirrorState::Unknown,
            error: Some("stream mirror consumer requires flow control ack policy".into()),
            source_pending: None,
            told_at_ms: Some(NOW - 8_000),
        });
        zone.lag_history = vec![None; 240];
        if let Some(link) = &mut zone.link {
            link.state = LinkState::Down;
            link.since_at_ms = NOW - 95_000;
            link.leafs_here = Some(0);
            link.leafs_there = None;
        }
    }
    if let Some(zone) = status.zones.get_mut(2) {
        zone.state = ZoneState::Starting;
        zone.nodes.truncate(2);
        zone.stream = None;
        zone.consumer = Some(Consumer::default());
        zone.mirror = Some(Mirror::default());
        zone.link = None;
        zone.lag_history = Vec::new();
    }
    status
}
