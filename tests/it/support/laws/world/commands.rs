//! What becomes of each command.

use super::*;

impl World {
    fn give(&mut self, line: &str) -> u64 {
        self.next_id += 1;
        let (id, at) = (self.next_id, self.now());
        self.entries.push(Entry::Given { id, line: line.into(), at });
        id
    }

    fn answer(&mut self, id: u64, data: Option<Value>) {
        let (outcome, text) = (CommandOutcome::Done, "done".to_owned());
        self.entries.push(Entry::Answered { id, outcome, text, data, at: self.now() });
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
                self.healed = Some((self.now(), behind, None));
            }
            Command::ConsumerPause { zone } => self.zone(&zone).paused = true,
            Command::ConsumerResume { zone } => {
                let mono = self.mono;
                let zone = self.zone(&zone);
                (zone.paused, zone.active) = (false, mono);
            }
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
}
