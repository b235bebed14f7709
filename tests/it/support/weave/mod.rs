//! A run woven from actors that take turns in any order: the stage gives commands, a producer sends
//! and hears, mirrors copy, consumers process, somebody looks. Each does what it does in its own
//! order; nothing else is promised. What went wrong, and where, is known.

mod loom;
pub mod plan;
mod script;
use proptest::sample::Index;
use zonedrill::{
    drill::{
        checks::{self, ReplicaAudit},
        conclusions::{self, Conclusion},
        record::Entry,
        run::Run,
    },
    ledger::{Ledger, record::Record},
    region::ZoneName,
};

use crate::support::model::{Stored, begin, read, run_id};
pub use loom::weave;

/// A line of a run's evidence, in the order in which it was written.
#[derive(Clone, Debug)]
enum Line {
    Drill(Entry),
    Ledger(Record),
}

/// A run and its evidence.
pub struct Woven {
    lines: Vec<Line>,
    streams: Vec<ReplicaAudit>,
}

fn name(zone: usize) -> ZoneName {
    char::from(b'a' + zone as u8).to_string().parse().unwrap()
}

impl Woven {
    /// What the laws make of its evidence.
    pub fn conclude(&self) -> Conclusion {
        let (mut entries, mut ledger) = (Vec::new(), Ledger::new(run_id(), "east"));
        for line in &self.lines {
            match line {
                Line::Drill(entry) => entries.push(entry.clone()),
                Line::Ledger(record) => ledger.apply(record),
            }
        }
        let run = Run::from_entries(entries);
        let findings = checks::judge(&run, &ledger, &self.streams);
        conclusions::conclude(&run, findings)
    }

    /// Lines of evidence.
    pub fn length(&self) -> usize {
        self.lines.len()
    }

    /// Only the first lines were written; what was not told of was not read.
    pub fn cut_short(&mut self, length: usize) {
        let cut = self.lines.split_off(length);
        if cut.iter().any(|line| matches!(line, Line::Drill(Entry::Stream { .. }))) {
            self.streams.clear();
        }
    }

    /// Somebody ended it before its end.
    pub fn interrupt(&mut self) {
        let end = self.lines.len() - 1;
        let why = "ctrl-c".into();
        self.lines.insert(end, Line::Drill(Entry::Interrupted { why, at: 1 }));
    }

    /// One replica could not be read.
    pub fn leave_unread(&mut self, zone: usize, replica: usize) {
        let node = name(zone).nodes().nth(replica).unwrap();
        self.streams.retain(|stream| stream.replica != node);
        for line in &mut self.lines {
            if let Line::Drill(entry @ Entry::Stream { .. }) = line
                && matches!(entry, Entry::Stream { replica, .. } if *replica == node)
            {
                let (zone, replica, why) = (name(zone), node.clone(), "it is frozen".into());
                *entry = Entry::Unread { zone, replica, why, at: 1 };
            }
        }
    }

    /// Nobody looked.
    pub fn forget_samples(&mut self) {
        self.lines.retain(|line| !matches!(line, Line::Drill(Entry::Sample(_))));
    }

    /// One line of acknowledgements is missing.
    pub fn forget_ack(&mut self, which: Index) {
        let is_ack = |line: &Line| matches!(line, Line::Ledger(Record::Acked { .. }));
        let acks: Vec<usize> = (0..self.lines.len()).filter(|i| is_ack(&self.lines[*i])).collect();
        self.lines.remove(acks[which.index(acks.len())]);
    }
}
