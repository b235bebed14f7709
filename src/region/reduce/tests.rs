//! Scenes of a region's life, told in observations.

use super::*;
use crate::region::{
    PlatformKind,
    names::NodeName,
    observation::{
        ConsumerReport, Consuming, Deliveries, LeafReport, MirrorReport, NodeReport, PeerReport,
        ProcessState, ProcessTruth, StreamReport,
    },
    status::{
        Audit, Flow, Latency, Ledger, LinkState, MirrorState, NodeState, Producer, Screen, Task,
    },
    topology::{CutKind, DEFAULT_PORT_BASE, MirrorKind, Role, ZonePlan},
};

mod book;
mod carried;
mod flow;
mod foreign;
mod late;
mod link;
mod mirror;
mod nodes;
mod properties;

/// A region of zones a (source), b and c, whose servers answer when `poll` is called.
pub(super) struct Lab {
    pub state: State,
    pub now: UnixMs,
    pub source_seq: u64,
    pub mirror_seq: u64,
    /// What b's mirror says of its silence.
    pub silent_ms: Option<u64>,
    /// Each node of b has a leafnode connection, and a node of the source has it too.
    pub rtt_us: u64,
    pub linked: bool,
    /// Deliveries of each consumer to somebody else.
    pub fetched_elsewhere: u64,
    pub source_created: &'static str,
    pub events: Vec<EventKind>,
}

pub(super) fn zone(name: &str) -> ZoneName {
    name.parse().unwrap()
}

pub(super) fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

pub(super) fn plan(name: &str, slot: u16) -> ZonePlan {
    let role = if slot == 0 { Role::Source } else { Role::Mirror };
    ZonePlan::new(zone(name), role, slot, DEFAULT_PORT_BASE)
}

pub(super) fn running(pid: u32) -> ProcessTruth {
    ProcessTruth { state: ProcessState::Running, pid: Some(pid) }
}

impl Lab {
    pub fn new() -> Self {
        let mut state = State::new("drill", PlatformKind::Local, 1_000);
        state.phase(Phase::Starting);
        state.server_version("2.15.1".into());
        state.mirror_kind(MirrorKind::Durable);
        for (name, slot) in [("a", 0), ("b", 1)] {
            state.zone_added(1_000, &plan(name, slot));
            state.zone_ready(1_000, &zone(name));
        }
        let mut lab = Self {
            state,
            now: 1_000_000,
            source_seq: 100,
            mirror_seq: 100,
            silent_ms: Some(300),
            linked: true,
            fetched_elsewhere: 0,
            rtt_us: 400,
            source_created: "2026-01-01T00:00:00Z",
            events: Vec::new(),
        };
        for number in 1..=3 {
            for name in ["a", "b"] {
                let node = node(&format!("js{number}-zone-{name}"));
                lab.process(&node, running(number));
            }
        }
        lab.poll();
        lab.state.phase(Phase::Up);
        lab.events.clear();
        lab
    }

    pub fn observe(&mut self, observation: Observation) {
        let events = self.state.observe(self.now, observation);
        self.events.extend(events);
    }

    pub fn process(&mut self, node: &NodeName, truth: ProcessTruth) {
        self.observe(Observation::Process { node: node.clone(), truth });
    }

    /// What a node would say now. js1 leads everything in both zones.
    pub fn answer(&self, node: &NodeName) -> NodeReport {
        let source = node.zone == zone("a");
        let lead = format!("js1-zone-{}", node.zone);
        let seq = if source { self.source_seq } else { self.mirror_seq };
        let other = if source { "b" } else { "a" };
        let leaf = LeafReport {
            id: 7,
            name: format!("js{}-zone-{other}", node.number),
            rtt_us: Some(self.rtt_us),
            ..LeafReport::default()
        };
        let consumer = ConsumerReport {
            name: format!("consumer-{}", node.zone),
            delivered: seq,
            ack_floor: seq,
            deliveries: seq + self.fetched_elsewhere,
            leader: Some(lead.clone()),
            ..ConsumerReport::default()
        };
        NodeReport {
            server_id: format!("id of {node}"),
            version: "2.15.1".into(),
            at_ms: self.now,
            rss_bytes: Some(20_000_000),
            cpu_percent: Some(0.5),
            meta_leader: Some(lead.clone()),
            jetstream_off: false,
            foreign: None,
            foreign_unlisted: 0,
            leafs: if self.linked { vec![leaf] } else { Vec::new() },
            stream: Some(StreamReport {
                messages: seq,
                bytes: seq * 128,
                first_seq: 1,
                last_seq: seq,
                created: if source { self.source_created } else { "2026-01-01T00:00:01Z" }.into(),
                leader: Some(lead),
                peers: (2..=3)
                    .map(|n| PeerReport {
                        name: format!("js{n}-zone-{}", node.zone),
                        current: true,
                    })
                    .collect(),
                mirror: (!source && node.number == 1).then_some(MirrorReport {
                    lag: 0,
                    silent_ms: self.silent_ms,
                    error: None,
                }),
                consumers: vec![consumer],
                ..StreamReport::default()
            }),
        }
    }

    pub fn poll_zone(&mut self, name: &str) {
        for node in zone(name).nodes() {
            let report = Some(Box::new(self.answer(&node)));
            self.observe(Observation::Node { node, report });
        }
    }

    /// Every node answers.
    pub fn poll(&mut self) {
        self.poll_zone("a");
        self.poll_zone("b");
    }

    /// Half a second passes and every node answers; every full second ticks.
    pub fn half_second(&mut self) {
        self.now += 500;
        self.poll();
        if self.now.is_multiple_of(1_000) {
            let events = self.state.tick(self.now);
            self.events.extend(events);
        }
    }

    /// Half seconds until `ms` have passed.
    pub fn pass(&mut self, ms: u64) {
        for _ in 0..ms / 500 {
            self.half_second();
        }
    }

    pub fn shown(&self, name: &str) -> Zone {
        self.state.status(self.now).zone(&zone(name)).unwrap().clone()
    }

    pub fn node_state(&self, name: &str) -> NodeState {
        let node = node(name);
        let zone = self.shown(node.zone.as_str());
        zone.nodes.iter().find(|n| n.name == node).unwrap().state
    }

    pub fn mirror_state(&self) -> MirrorState {
        self.shown("b").mirror.unwrap().state
    }

    pub fn lines(&mut self) -> Vec<String> {
        self.events.drain(..).map(|event| event.to_string()).collect()
    }

    /// The leafnode connections of b's link, at b's end and at the source's.
    pub fn leafs(&self) -> (Option<u32>, Option<u32>) {
        let link = self.shown("b").link.unwrap();
        (link.leafs_here, link.leafs_there)
    }

    /// Cut b and see it bare at both ends.
    pub fn cut(&mut self, kind: CutKind) {
        let begun = self.now;
        self.events.extend(self.state.cut_begun(begun, &zone("b"), kind, None));
        self.events.extend(self.state.severed(&zone("b"), 3));
        self.linked = false;
        self.half_second();
        assert_eq!(self.leafs(), (Some(0), Some(0)));
        let after = self.now - begun;
        self.events.extend(self.state.cut_proved(self.now, &zone("b"), after));
    }
}
