//! The loom: the actors take turns in any order until everything has arrived.

mod seen;

use std::collections::{BTreeSet, VecDeque};

use serde_json::json;
use zonedrill::{
    drill::record::{CommandOutcome, Entry},
    ledger::record::Record,
};

use super::{
    Line, Woven, begin, name,
    plan::{Fault, Message, Plan, SLOT},
    script::{Act, phase, produce, script},
};

/// Somebody looks at least this often, as a room does.
const LOOK_EVERY: u64 = 900;
/// Looks at each step.
const LOOKS: u32 = 3;

/// What somebody can do now.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Receive(usize),
    Again(usize),
    Copy(usize),
    Ack,
    Send,
    Resend,
    Second,
    Stage,
    Look,
}

#[derive(Clone, Debug, Default)]
struct Zone {
    /// Its stream holds the source's sequences up to this one.
    holds: u64,
    /// Its consumer has done them up to this one.
    floor: u64,
    /// Sequences to be delivered again.
    again: Vec<u64>,
}

struct Loom<'a> {
    plan: &'a Plan,
    now: u64,
    lines: Vec<Line>,
    acts: VecDeque<Act>,
    zones: Vec<Zone>,
    /// The source's stream.
    stored: Vec<Message>,
    unsent: VecDeque<Message>,
    /// Sequences whose answer is under way.
    answers: BTreeSet<u64>,
    /// Of unknown outcome; with the sequence if it is stored all the same.
    unknown: Vec<(Message, Option<u64>)>,
    /// To be stored a second time.
    seconds: Vec<Message>,
    /// The produce under way: its id, its producer.
    producing: Option<(u64, usize)>,
    given: u64,
    cut: bool,
    looked: u64,
    looks: u32,
}

/// Weaves a run to its end.
pub fn weave(plan: &Plan) -> Woven {
    let mut loom = Loom::new(plan);
    let mut turns = plan.turns.iter();
    loop {
        let turn = turns.next();
        let able = loom.able(turn.is_some());
        let Some(first) = able.first() else { break };
        let turn = turn.map_or(0, |turn| usize::from(*turn));
        loom.now += 1 + turn as u64 % 50;
        if loom.now - loom.looked >= LOOK_EVERY {
            loom.look();
        }
        let chosen = if turn == 0 { *first } else { able[turn % able.len()] };
        loom.take(chosen, turn);
    }
    loom.finish()
}

impl<'a> Loom<'a> {
    fn new(plan: &'a Plan) -> Self {
        let (script, acts) = script(plan);
        let mut loom = Self {
            plan,
            now: 1_000_000,
            lines: Vec::new(),
            acts,
            zones: vec![Zone::default(); plan.zones],
            stored: Vec::new(),
            unsent: VecDeque::new(),
            answers: BTreeSet::new(),
            unknown: Vec::new(),
            seconds: Vec::new(),
            producing: None,
            given: 0,
            cut: false,
            looked: 0,
            looks: 0,
        };
        loom.drill(begin("weave", script, None, loom.now));
        loom.look();
        loom
    }

    fn drill(&mut self, entry: Entry) {
        self.lines.push(Line::Drill(entry));
    }

    fn ledger(&mut self, record: Record) {
        self.lines.push(Line::Ledger(record));
    }

    fn able(&self, may_look: bool) -> Vec<Turn> {
        let mut able = Vec::new();
        let last = self.stored.len() as u64;
        for (z, zone) in self.zones.iter().enumerate() {
            let holds = if z == 0 { last } else { zone.holds };
            if zone.floor < holds {
                able.push(Turn::Receive(z));
            }
            if !zone.again.is_empty() {
                able.push(Turn::Again(z));
            }
            if z > 0 && zone.holds < last && !(z == 1 && self.cut) {
                able.push(Turn::Copy(z));
            }
        }
        let others = [
            (!self.answers.is_empty(), Turn::Ack),
            (!self.unsent.is_empty(), Turn::Send),
            (!self.unknown.is_empty(), Turn::Resend),
            (!self.seconds.is_empty(), Turn::Second),
        ];
        able.extend(others.iter().filter(|(able, _)| *able).map(|(_, turn)| *turn));
        let waits = match self.acts.front() {
            None => true,
            Some(Act::Answered) => {
                !(self.unsent.is_empty() && self.answers.is_empty() && self.unknown.is_empty())
            }
            // Nothing ends before everything has arrived.
            Some(Act::End) => !able.is_empty(),
            Some(_) => false,
        };
        if !waits {
            able.push(Turn::Stage);
        }
        if may_look && !able.is_empty() {
            able.push(Turn::Look);
        }
        able
    }

    fn take(&mut self, turn: Turn, chance: usize) {
        match turn {
            Turn::Receive(zone) => self.receive(zone, chance),
            Turn::Again(zone) => {
                let again = &mut self.zones[zone].again;
                let s = again.remove(chance % again.len());
                self.received(zone, s, 1, 2);
            }
            Turn::Copy(zone) => {
                let rest = self.stored.len() as u64 - self.zones[zone].holds;
                self.zones[zone].holds += (1 + chance as u64 % 5).min(rest);
            }
            Turn::Ack => self.ack(chance),
            Turn::Send => self.send(),
            Turn::Resend => {
                let ((p, n), stored) = self.unknown.remove(chance % self.unknown.len());
                self.ledger(Record::Resent { p, n, c: 1, at: self.now });
                match stored {
                    Some(seq) => self.acked((p, n), seq, 1, true),
                    None => self.store((p, n)),
                }
            }
            Turn::Second => {
                let message = self.seconds.remove(chance % self.seconds.len());
                self.stored.push(message);
            }
            Turn::Stage => self.act(),
            Turn::Look => self.look(),
        }
        self.zones[0].holds = self.stored.len() as u64;
    }

    /// A consumer processes the next message, or several in a row.
    fn receive(&mut self, zone: usize, chance: usize) {
        let holds = if zone == 0 { self.stored.len() as u64 } else { self.zones[zone].holds };
        let s = self.zones[zone].floor + 1;
        let message = self.stored[s as usize - 1];
        let (z, at) = (name(zone), self.now);
        let mut count = 1;
        match self.plan.fault(message).filter(|_| !self.plan.is_plain(zone, message)) {
            Some(Fault::Skipped { .. }) => {}
            Some(Fault::Garbled { .. }) => {
                let why = "its checksum does not fit".into();
                self.ledger(Record::Corrupt { z, s, why, at });
            }
            Some(Fault::OnlyRedelivered { .. }) => self.received(zone, s, 1, 2),
            Some(_) => {
                self.received(zone, s, 1, 1);
                self.zones[zone].again.push(s);
            }
            None => {
                let most = 1 + chance as u64 % 7;
                let fits = |count: u64| {
                    let next = self.stored[(s + count) as usize - 1];
                    next == (message.0, message.1 + count) && self.plan.is_plain(zone, next)
                };
                while count < most && s + count <= holds && fits(count) {
                    count += 1;
                }
                self.received(zone, s, count, 1);
            }
        }
        self.zones[zone].floor += count;
    }

    fn received(&mut self, zone: usize, s: u64, c: u64, r: u64) {
        let (p, n) = self.stored[s as usize - 1];
        self.ledger(Record::Received { z: name(zone), p, n, s, c, r, at: self.now });
    }

    /// An answer arrives, or those of several in a row.
    fn ack(&mut self, chance: usize) {
        let seq = *self.answers.iter().nth(chance % self.answers.len()).unwrap();
        let message = self.stored[seq as usize - 1];
        let is_lost = |message| self.plan.fault(message) == Some(Fault::LostAnswer);
        if is_lost(message) {
            self.answers.remove(&seq);
            let (p, n) = message;
            self.ledger(Record::Unknown { p, n, c: 1, at: self.now });
            self.unknown.push((message, Some(seq)));
            return;
        }
        let mut count = 1;
        while count < 1 + chance as u64 % 5 && self.answers.contains(&(seq + count)) {
            let next = self.stored[(seq + count) as usize - 1];
            if next != (message.0, message.1 + count) || is_lost(next) {
                break;
            }
            count += 1;
        }
        for seq in seq..seq + count {
            self.answers.remove(&seq);
        }
        self.acked(message, seq, count, false);
    }

    fn acked(&mut self, (p, n): Message, s: u64, c: u64, dup: bool) {
        self.ledger(Record::Acked { p, n, c, s, d: "zone-a".into(), dup, at: self.now });
    }

    fn send(&mut self) {
        let message = self.unsent.pop_front().unwrap();
        match self.plan.fault(message) {
            Some(Fault::Late) => {
                let (p, n) = message;
                self.ledger(Record::Unknown { p, n, c: 1, at: self.now });
                self.unknown.push((message, None));
            }
            Some(Fault::Twice) => {
                self.store(message);
                self.seconds.push(message);
            }
            _ => self.store(message),
        }
    }

    fn store(&mut self, message: Message) {
        self.stored.push(message);
        self.answers.insert(self.stored.len() as u64);
    }

    fn act(&mut self) {
        // Each step is looked at, however short it is.
        if matches!(self.acts.front(), Some(Act::Done(_))) && self.looks < LOOKS {
            return self.look();
        }
        let Some(act) = self.acts.pop_front() else { return };
        let at = self.now;
        match act {
            Act::Step(index) => {
                if let Some(name) = phase(self.plan, index) {
                    self.drill(Entry::Phase { name: name.into(), at });
                }
                self.drill(Entry::Step { index, title: format!("step {index}"), at });
                self.looks = 0;
            }
            Act::Produce(burst) => {
                let c = self.plan.triples[burst] * SLOT;
                let id = self.give(&produce(c));
                self.producing = Some((id, burst));
                if self.plan.silent {
                    return;
                }
                let p = burst as u32 + 1;
                self.ledger(Record::Intend { p, n: 1, c, at });
                for first in (1..=c).step_by(SLOT as usize) {
                    let overtaken = self.plan.fault((p, first + 1)) == Some(Fault::Overtaken);
                    let order = if overtaken { [first + 1, first] } else { [first, first + 1] };
                    self.unsent.extend(order.map(|n| (p, n)));
                    self.unsent.push_back((p, first + 2));
                }
            }
            Act::Answered => {
                let (id, burst) = self.producing.take().unwrap();
                let acked = if self.plan.silent { 0 } else { self.plan.triples[burst] * SLOT };
                self.answer(id, Some(json!({ "producer": burst + 1, "acked": acked })));
            }
            Act::Cut | Act::Heal => {
                self.cut = matches!(act, Act::Cut);
                let id = self.give(if self.cut { "cut b" } else { "heal b" });
                self.answer(id, None);
            }
            Act::Done(index) => {
                self.drill(Entry::StepDone { index, ok: true, why: None, at });
            }
            Act::End => self.look(),
        }
    }

    fn give(&mut self, line: &str) -> u64 {
        self.given += 1;
        self.drill(Entry::Given { id: self.given, line: line.into(), at: self.now });
        self.given
    }

    fn answer(&mut self, id: u64, data: Option<serde_json::Value>) {
        let (outcome, text) = (CommandOutcome::Done, "done".to_owned());
        self.drill(Entry::Answered { id, outcome, text, data, at: self.now });
    }
}
