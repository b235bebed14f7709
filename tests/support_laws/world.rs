//! The region itself: what it holds, and what becomes of it with each tick and each command.

use serde_json::{Value, json};
use zonedrill::{
    command::{Command, Produce},
    drill::record::{Entry, ProducerSample, RecoverySample, Sample, ZoneSample},
    ledger::{book::Ledger, record::Record},
    region::{Role, ZoneName, observation::ServerFacts, snapshot::LinkState},
};

use super::{Fault, name, run_id};

/// How far time moves at once, in milliseconds.
const TICK: u64 = 250;

pub struct Zone {
    pub name: ZoneName,
    stream: u64,
    floor: u64,
    paused: bool,
    rate: Option<u64>,
    budget: u64,
}

impl Zone {
    fn new(name: ZoneName) -> Self {
        Self { name, stream: 0, floor: 0, paused: false, rate: None, budget: 0 }
    }
}

pub struct World {
    fault: Fault,
    pub now: u64,
    pub zones: Vec<Zone>,
    pub messages: Vec<(u32, u64)>,
    cut: bool,
    healed: Option<(u64, u64, Option<u64>)>,
    pub phase: String,
    pub entries: Vec<Entry>,
    pub ledger: Ledger,
    next_id: u64,
    producers: u32,
    background: Option<(u64, u32, u64)>,
    restarted: bool,
    pub start: Value,
}

impl World {
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            now: 1_000_000,
            zones: vec![Zone::new(name("a")), Zone::new(name("b"))],
            messages: Vec::new(),
            cut: false,
            healed: None,
            phase: String::new(),
            entries: Vec::new(),
            ledger: Ledger::new(run_id(), "east"),
            next_id: 0,
            producers: 0,
            background: None,
            restarted: false,
            start: Value::Null,
        }
    }

    fn zone(&mut self, n: &ZoneName) -> &mut Zone {
        self.zones.iter_mut().find(|zone| zone.name == *n).unwrap()
    }

    fn publish(&mut self, p: u32, n: u64) {
        self.messages.push((p, n));
        let (s, at) = (self.messages.len() as u64, self.now);
        self.ledger.apply(&Record::Intend { p, n, c: 1, at });
        self.ledger.apply(&Record::Acked { p, n, c: 1, s, d: "zone-a".into(), dup: false, at });
    }

    pub fn tick(&mut self) {
        self.now += TICK;
        if let Some((_, p, sent)) = self.background {
            for i in 1..=5 {
                self.publish(p, sent + i);
            }
            self.background = Some((self.background.unwrap().0, p, sent + 5));
        }
        let (fault, cut, phase) = (self.fault, self.cut, self.phase.clone());
        let last = self.messages.len() as u64;
        for z in 0..self.zones.len() {
            let zone = &mut self.zones[z];
            let is_source = z == 0;
            if !(cut && z == 1) {
                zone.stream = last;
            } else if fault == Fault::Leak && phase == "during" {
                zone.stream = (zone.stream + 3).min(last);
            }
            let stalled = fault == Fault::Stall && is_source && phase == "during";
            if (zone.paused && fault != Fault::NoPause) || stalled {
                continue;
            }
            zone.budget = match zone.rate.filter(|_| fault != Fault::SameSpeed) {
                Some(rate) => zone.budget + rate * TICK,
                None if zone.rate.is_some() => zone.budget + 10 * TICK,
                None => u64::MAX / 2,
            };
            let mut done = Vec::new();
            while zone.floor < zone.stream && zone.budget >= 1000 {
                zone.floor += 1;
                zone.budget -= 1000;
                done.push(zone.floor);
            }
            if zone.rate.is_none() {
                zone.budget = 0;
            }
            let z = zone.name.clone();
            for s in done {
                let (p, n) = self.messages[s as usize - 1];
                if fault == Fault::Skip && s == 7 && z == name("b") {
                    continue;
                }
                let record = Record::Received { z: z.clone(), p, n, s, c: 1, r: 1, at: self.now };
                self.ledger.apply(&record);
            }
        }
        if let Some((at, _, done)) = &mut self.healed
            && done.is_none()
        {
            *done = Some(self.now - *at);
        }
        let blind =
            fault == Fault::Blind && ["during", "apart", "joining"].contains(&phase.as_str());
        if !blind {
            self.sample();
        }
    }

    pub fn sample(&mut self) {
        let last = self.messages.len() as u64;
        let cut = self.cut;
        let bypass = self.fault == Fault::Bypass && self.phase == "during";
        let zones = self.zones.iter().enumerate().map(|(z, zone)| {
            let mirror = z > 0;
            let here = cut && z == 1;
            let leafs = mirror.then_some(if here && !bypass { 0 } else { 3 });
            let hand = self.fault == Fault::Hand && z == 1 && self.now % 5000 < 2 * TICK;
            ZoneSample {
                zone: zone.name.clone(),
                role: if mirror { Role::Mirror } else { Role::Source },
                nodes_up: 3,
                first_seq: (zone.stream > 0).then_some(1),
                last_seq: Some(zone.stream),
                messages: Some(zone.stream),
                delivered: Some(zone.floor),
                ack_floor: Some(zone.floor),
                received: zone.floor,
                behind: Some(last - zone.floor),
                rate: 0.0,
                paused: zone.paused ^ hand,
                true_lag: mirror.then(|| last - zone.stream),
                reported_lag: None,
                mirror: None,
                link: mirror.then_some(if here { LinkState::Cut } else { LinkState::Up }),
                cut_effective: here && !bypass,
                leafs_here: leafs,
                leafs_there: leafs,
                recovery: self.healed.filter(|_| z == 1).map(|(healed_ms, behind, done)| {
                    RecoverySample {
                        healed_ms,
                        behind: Some(behind),
                        link_up_after_ms: done.map(|_| 110),
                        moving_after_ms: done.map(|_| 140),
                        caught_up_after_ms: done,
                        nudged: self.fault == Fault::Nudge,
                    }
                }),
            }
        });
        let again = self.restarted;
        let hash = if again && self.fault == Fault::Reconfigure { "ffff" } else { "abcd" };
        let sample = Sample {
            at: self.now,
            zones: zones.collect(),
            producer: ProducerSample {
                acked: last,
                active: self.background.is_some(),
                connection: Some(if again && self.fault == Fault::Restart { 18 } else { 17 }),
                server_id: Some("NAAA".into()),
                config_hash: Some(hash.into()),
                acked_by: Some("zone-a".into()),
                ..ProducerSample::default()
            },
        };
        self.entries.push(Entry::Sample(Box::new(sample)));
    }

    pub fn status(&self) -> Value {
        let last = self.messages.len() as u64;
        let zones = self.zones.iter().enumerate().map(|(z, zone)| {
            let cut = self.cut && z == 1;
            json!({
                "name": zone.name,
                "stream": { "last_seq": zone.stream },
                "consumer": { "ack_floor": zone.floor },
                "ledger": { "received": zone.floor },
                "mirror": { "true_lag": last - zone.stream },
                "link": { "effective": cut, "leafs_here": if cut { 0 } else { 3 },
                          "leafs_there": if cut { 0 } else { 3 } },
                "recovery": self.healed.map(|(_, _, done)| json!({ "caught_up_after_ms": done })),
            })
        });
        json!({ "zones": zones.collect::<Vec<_>>() })
    }

    fn give(&mut self, line: &str) -> u64 {
        self.next_id += 1;
        let (id, at) = (self.next_id, self.now);
        self.entries.push(Entry::Given { id, line: line.into(), at });
        id
    }

    fn answer(&mut self, id: u64, data: Option<Value>) {
        let (outcome, text) = ("done".to_owned(), "done".to_owned());
        self.entries.push(Entry::Answered { id, outcome, text, data, at: self.now });
    }

    pub fn command(&mut self, line: &str, background: bool) {
        let command: Command = line.parse().unwrap();
        if self.fault == Fault::Nothing
            && matches!(command, Command::Produce(Produce::Range { .. } | Produce::Burst { .. }))
        {
            return;
        }
        let id = self.give(line);
        match command {
            Command::Produce(Produce::Stop) => {
                self.answer(id, None);
                if let Some((id, p, sent)) = self.background.take() {
                    self.answer(id, Some(json!({ "producer": p, "acked": sent })));
                }
                return;
            }
            Command::Produce(produce) => {
                if self.fault == Fault::Foreign && self.producers > 0 {
                    self.producers += 1;
                    (1..=3).for_each(|n| self.publish(self.producers, n));
                }
                self.producers += 1;
                let p = self.producers;
                if background {
                    self.background = Some((id, p, 0));
                    self.restarted = true;
                    return;
                }
                let (from, to, ticks) = match produce {
                    Produce::Range { from, to, .. } => (from, to, 16),
                    Produce::Burst { count, .. } => (1, count.unwrap(), 1),
                    Produce::Stop => unreachable!(),
                };
                let each = (to - from + 1).div_ceil(ticks);
                for n in from..=to {
                    self.publish(p, n);
                    if (n - from + 1) % each == 0 {
                        self.tick();
                    }
                }
                let acked = to - from + 1;
                self.answer(id, Some(json!({ "producer": p, "acked": acked })));
                return;
            }
            Command::Cut { .. } => self.cut = true,
            Command::Heal { .. } => {
                let behind = self.messages.len() as u64 - self.zones[1].stream;
                self.cut = false;
                self.healed = Some((self.now, behind, None));
            }
            Command::ConsumerPause { zone } => self.zone(&zone).paused = true,
            Command::ConsumerResume { zone } => self.zone(&zone).paused = false,
            Command::ConsumerRate { zone, rate } => {
                self.zone(&zone).rate = rate.map(|rate| rate.per_second() as u64);
                self.zone(&zone).budget = 0;
            }
            Command::ZoneAdd { zone } => {
                for _ in 0..8 {
                    self.tick();
                }
                self.zones.push(Zone::new(zone.unwrap()));
            }
            other => panic!("{other}"),
        }
        self.answer(id, None);
        self.tick();
    }

    pub fn servers(&mut self, load: &str) {
        let source = name("a");
        let nodes = source.nodes().map(|node| ServerFacts {
            node: node.to_string(),
            server_id: format!("N{}", node.number),
            version: "2.15.1".into(),
            start: "2026-01-01T00:00:00Z".into(),
            config_load_time: load.into(),
        });
        self.entries.push(Entry::Servers { nodes: nodes.collect(), at: self.now });
    }
}
