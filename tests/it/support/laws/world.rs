//! The region itself: what it holds, and what becomes of it with each tick and each command.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use zonedrill::{
    command::{Command, Produce},
    drill::{
        latency::Histogram,
        record::{CommandOutcome, Entry, Sample},
    },
    ledger::{Ledger, record::Record},
    region::{
        Role, Status, ZoneName,
        observation::ServerFacts,
        status::{
            Consumer, Ledger as Account, Link, LinkState, Mirror, Producer, Recovery, Stream,
            Zone as Seen,
        },
    },
};

mod commands;
mod seen;

use super::{Fault, name, run_id};

/// How far time moves at once, in milliseconds.
const TICK: u64 = 250;
/// How long a consumer stalls.
const STALLS: u64 = 4_000;
/// How late what somebody else fetched comes again.
const ACK_WAIT: u64 = 5_000;
/// Messages that somebody else fetches.
const FETCHED: usize = 60;

pub struct Zone {
    pub name: ZoneName,
    pub stream: u64,
    /// The last sequence that was delivered to anybody.
    delivered: u64,
    /// The server's ack floor.
    floor: u64,
    /// Messages its consumer processed.
    received: u64,
    paused: bool,
    rate: Option<u64>,
    budget: u64,
    /// When it began to stall.
    stalled: Option<u64>,
    /// Fetched by somebody else: sequences, and when they come again.
    late: BTreeMap<u64, u64>,
    /// Acknowledged above the floor.
    done: BTreeSet<u64>,
    /// When it processed last, or was resumed.
    active: u64,
    /// Deliveries that went elsewhere.
    elsewhere: u64,
    latency: BTreeMap<usize, Histogram>,
    /// Processed; began, ended, longest pause (ms).
    pace: BTreeMap<usize, (u64, u64, u64, u64)>,
}

impl Zone {
    fn new(name: ZoneName) -> Self {
        Self {
            name,
            stream: 0,
            delivered: 0,
            floor: 0,
            received: 0,
            paused: false,
            rate: None,
            budget: 0,
            stalled: None,
            late: BTreeMap::new(),
            done: BTreeSet::new(),
            active: 0,
            elsewhere: 0,
            latency: BTreeMap::new(),
            pace: BTreeMap::new(),
        }
    }

    /// The server knows that a message was acknowledged.
    fn acknowledge(&mut self, seq: u64) {
        self.done.insert(seq);
        while self.done.remove(&(self.floor + 1)) {
            self.floor += 1;
        }
    }

    /// What is due now, in the order in which it is delivered.
    fn due(&mut self, now: u64) -> Vec<u64> {
        let mut due: Vec<u64> =
            self.late.iter().filter(|(_, at)| **at <= now).map(|(seq, _)| *seq).collect();
        self.late.retain(|seq, _| !due.contains(seq));
        while self.delivered < self.stream && self.budget >= 1000 {
            self.delivered += 1;
            self.budget -= 1000;
            due.push(self.delivered);
        }
        due
    }
}

/// A phase of the run.
struct Phase {
    name: String,
    began: u64,
    acked: u64,
}

pub struct World {
    fault: Fault,
    /// The monotonic clock.
    pub mono: u64,
    /// How far the wall clock is ahead of it.
    ahead: u64,
    pub zones: Vec<Zone>,
    /// Producer and number; of producer 0 what is no drill message.
    pub messages: Vec<(u32, u64)>,
    /// When each was acknowledged, and in which phase.
    acked: Vec<(u64, Option<usize>)>,
    cut: bool,
    healed: Option<(u64, u64, Option<u64>)>,
    phases: Vec<Phase>,
    pub entries: Vec<Entry>,
    pub ledger: Ledger,
    /// What the ledger was told.
    pub records: Vec<Record>,
    next_id: u64,
    producers: u32,
    background: Option<(u64, u32, u64)>,
    restarted: bool,
    /// The fault of a moment has come.
    struck: bool,
    pub start: Value,
}

impl World {
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            mono: 1_000_000,
            ahead: 0,
            zones: vec![Zone::new(name("a")), Zone::new(name("b"))],
            messages: Vec::new(),
            acked: Vec::new(),
            cut: false,
            healed: None,
            phases: Vec::new(),
            entries: Vec::new(),
            ledger: Ledger::new(run_id(), "east"),
            records: Vec::new(),
            next_id: 0,
            producers: 0,
            background: None,
            restarted: false,
            struck: false,
            start: Value::Null,
        }
    }

    /// The wall clock.
    pub fn now(&self) -> u64 {
        self.mono + self.ahead
    }

    fn zone(&mut self, n: &ZoneName) -> &mut Zone {
        self.zones.iter_mut().find(|zone| zone.name == *n).unwrap()
    }

    pub fn begin_phase(&mut self, name: &str) {
        self.phases.push(Phase { name: name.into(), began: self.mono, acked: 0 });
    }

    fn in_phase(&self, name: &str) -> bool {
        self.phases.last().is_some_and(|phase| phase.name == name)
    }

    fn publish(&mut self, p: u32, n: u64) {
        self.messages.push((p, n));
        self.acked.push((self.mono, self.phases.len().checked_sub(1)));
        if let Some(phase) = self.phases.last_mut() {
            phase.acked += 1;
        }
        let (s, at) = (self.messages.len() as u64, self.now());
        self.tell(Record::Intend { p, n, c: 1, at });
        self.tell(Record::Acked { p, n, c: 1, s, d: "zone-a".into(), dup: false, at });
    }

    /// Messages that were acknowledged to the drill's producers.
    fn produced(&self) -> u64 {
        self.messages.iter().filter(|(p, _)| *p > 0).count() as u64
    }

    fn tell(&mut self, record: Record) {
        self.ledger.apply(&record);
        self.records.push(record);
    }

    /// The room, or its clock, stands still for a while or jumps; once, with the first tick of its phase.
    fn strike(&mut self) {
        let (phase, stopped, set) = match self.fault {
            Fault::Asleep(phase) => (phase, 12_000, 0),
            Fault::ClockSet(phase) => (phase, 0, 30_000),
            Fault::Suspended(phase) => (phase, 0, 3_600_000),
            _ => return,
        };
        if !self.struck && self.in_phase(phase) {
            self.struck = true;
            self.mono += stopped;
            self.ahead += set;
        }
    }

    pub fn tick(&mut self) {
        self.strike();
        self.mono += TICK;
        let phases = ["during", "apart", "joining"];
        if self.fault == Fault::Published
            && !self.struck
            && phases.iter().any(|phase| self.in_phase(phase))
        {
            self.struck = true;
            self.messages.extend((1..=3).map(|n| (0, n)));
            self.acked.extend([(self.mono, None); 3]);
        }
        if let Some((_, p, sent)) = self.background {
            for i in 1..=5 {
                self.publish(p, sent + i);
            }
            self.background = Some((self.background.unwrap().0, p, sent + 5));
        }
        let last = self.messages.len() as u64;
        for z in 0..self.zones.len() {
            self.copy(z, last);
            for seq in self.deliver(z) {
                self.process(z, seq);
            }
        }
        if let Some((at, _, done)) = self.healed
            && done.is_none()
            && self.zones[1].stream == last
        {
            self.healed = self.healed.map(|(_, behind, _)| (at, behind, Some(self.now() - at)));
        }
        let blind = self.fault == Fault::Blind
            && ["during", "apart", "joining"].iter().any(|phase| self.in_phase(phase));
        if !blind {
            self.sample();
        }
    }

    /// What the zone's stream gets.
    fn copy(&mut self, z: usize, last: u64) {
        let leaks = self.fault == Fault::Leak && self.in_phase("during");
        let gone = self.fault == Fault::DurableGone
            && z == 1
            && ["during", "healing", "after", "apart", "meeting", "speeds", "joining"]
                .iter()
                .any(|phase| self.in_phase(phase));
        let cut = self.cut && z == 1;
        let zone = &mut self.zones[z];
        if !cut && !gone {
            zone.stream = last;
        } else if leaks {
            zone.stream = (zone.stream + 3).min(last);
        }
    }

    /// What the zone's consumer gets to process now.
    fn deliver(&mut self, z: usize) -> Vec<u64> {
        let (fault, mono) = (self.fault, self.mono);
        let phase = self.phases.last().map(|phase| phase.name.clone()).unwrap_or_default();
        let stalls = match fault {
            Fault::Stalls(zone, when) => zone == z && when == phase,
            Fault::NoisyAndStalled => z == 0 && ["before", "during"].contains(&phase.as_str()),
            _ => false,
        };
        let gone = fault == Fault::ConsumerGone && z == 1 && !["", "before"].contains(&&*phase);
        let stands = fault == Fault::Stall && z == 0 && phase == "during";
        let steals = match fault {
            Fault::Redelivered => z == 0,
            Fault::TakenAway(zone) => zone == z,
            _ => false,
        };
        let phase_began = self.phases.last().map_or(0, |phase| phase.began);
        let zone = &mut self.zones[z];
        if (zone.paused && fault != Fault::NoPause) || stands || gone {
            return Vec::new();
        }
        if stalls && zone.floor < zone.stream {
            let since = *zone.stalled.filter(|since| *since >= phase_began).get_or_insert(mono);
            zone.stalled = Some(since);
            if mono - since < STALLS {
                return Vec::new();
            }
        }
        zone.budget = match zone.rate.filter(|_| fault != Fault::SameSpeed) {
            Some(rate) => zone.budget + rate * TICK,
            None if zone.rate.is_some() => zone.budget + 10 * TICK,
            None => u64::MAX / 2,
        };
        let mut due = zone.due(mono);
        if zone.rate.is_none() {
            zone.budget = 0;
        }
        let steals = steals && ["during", "apart", "joining"].contains(&&*phase);
        if steals && (zone.elsewhere as usize) < FETCHED {
            let wanted = FETCHED - zone.elsewhere as usize;
            let fetched: Vec<u64> = due.iter().copied().take(wanted).collect();
            due.retain(|seq| !fetched.contains(seq));
            zone.elsewhere += fetched.len() as u64;
            for seq in fetched {
                if fault == Fault::Redelivered {
                    zone.late.insert(seq, mono + ACK_WAIT);
                } else {
                    zone.acknowledge(seq);
                }
            }
        }
        due
    }

    fn process(&mut self, z: usize, seq: u64) {
        let at = self.now();
        let (p, n) = self.messages[seq as usize - 1];
        let (acked, acked_in) = self.acked[seq as usize - 1];
        let phase = self.phases.len().checked_sub(1);
        let began = self.phases.last().map_or(0, |phase| phase.began);
        let zone = &mut self.zones[z];
        zone.acknowledge(seq);
        if p == 0 {
            let z = zone.name.clone();
            return self.tell(Record::Foreign { z, s: seq, plain: true, at });
        }
        let skipped = match self.fault {
            Fault::Skip => seq == 7,
            Fault::Filtered | Fault::FilteredBy => seq > 30 && seq.is_multiple_of(2),
            _ => false,
        };
        if skipped && z == 1 {
            return;
        }
        zone.received += 1;
        // What is processed with the next tick was processed at once.
        let ms = |since: u64| (self.mono - since).saturating_sub(TICK);
        if let Some(acked_in) = acked_in {
            zone.latency.entry(acked_in).or_default().record(ms(acked) * 1000 + 2000);
        }
        if let Some(phase) = phase {
            let idle = zone.active.max(began);
            let pace = zone.pace.entry(phase).or_insert((0, idle, 0, 0));
            *pace = (pace.0 + 1, pace.1, self.mono, pace.3.max(ms(idle)));
        }
        zone.active = self.mono;
        let z = zone.name.clone();
        self.tell(Record::Received { z, p, n, s: seq, c: 1, r: 1, at });
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
        self.entries.push(Entry::Servers { nodes: nodes.collect(), at: self.now() });
    }
}
