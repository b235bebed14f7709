//! The naive ledger: every claim in a list, every question by looking at all of them.

use std::collections::{BTreeMap, BTreeSet};

use zonedrill::{
    ledger::{
        account::{Account, FIRST_OFFENDERS},
        record::Record,
    },
    region::ZoneName,
};

use super::{Message, split};

#[derive(Default)]
pub struct Naive {
    intended: BTreeSet<Message>,
    acked: BTreeMap<Message, Vec<u64>>,
    failed: BTreeSet<Message>,
    unknown: BTreeSet<Message>,
    resent: BTreeSet<Message>,
    received: BTreeMap<ZoneName, Vec<(Message, u64, u64)>>,
    corrupt: BTreeSet<(ZoneName, u64)>,
    foreign: BTreeSet<(ZoneName, u64)>,
}

impl Naive {
    pub fn new(records: &[Record]) -> Self {
        let mut naive = Self::default();
        for record in split(records) {
            match record {
                Record::Intend { p, n, .. } => drop(naive.intended.insert((p, n))),
                Record::Withdrawn { p, n, .. } => drop(naive.intended.remove(&(p, n))),
                Record::Acked { p, n, s, .. } => naive.acked.entry((p, n)).or_default().push(s),
                Record::Failed { p, n, .. } => drop(naive.failed.insert((p, n))),
                Record::Unknown { p, n, .. } => drop(naive.unknown.insert((p, n))),
                Record::Resent { p, n, .. } => drop(naive.resent.insert((p, n))),
                Record::Received { z, p, n, s, r, .. } => {
                    naive.received.entry(z).or_default().push(((p, n), s, r));
                }
                Record::Corrupt { z, s, .. } => drop(naive.corrupt.insert((z, s))),
                Record::Foreign { z, s, .. } => drop(naive.foreign.insert((z, s))),
                Record::Run { .. }
                | Record::Baseline { .. }
                | Record::CutShort { .. }
                | Record::Promoted { .. }
                | Record::ZoneRemoved { .. } => {}
            }
        }
        naive
    }

    fn places(&self) -> BTreeMap<Message, u64> {
        let claims = self.received.values().flatten().map(|(message, seq, _)| (*message, *seq));
        let mut places: BTreeMap<Message, u64> = claims.collect();
        places.extend(self.acked.iter().map(|(message, seqs)| (*message, seqs[0])));
        places
    }

    pub fn account(&self, name: &ZoneName, floor: u64) -> Account {
        let places = self.places();
        let standing: BTreeMap<u64, Message> = places.iter().map(|(m, s)| (*s, *m)).collect();
        let claims = self.received.get(name).cloned().unwrap_or_default();
        let received: BTreeSet<Message> = claims.iter().map(|claim| claim.0).collect();
        let corrupt: BTreeSet<u64> =
            self.corrupt.iter().filter(|(z, _)| z == name).map(|(_, s)| *s).collect();
        let foreign: BTreeSet<u64> =
            self.foreign.iter().filter(|(z, _)| z == name).map(|(_, s)| *s).collect();

        let mut times: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for (_, seq, delivery) in &claims {
            let (processed, deliveries) = times.entry(*seq).or_default();
            *processed += 1;
            *deliveries = delivery.max(deliveries).to_owned();
        }
        let twice: BTreeSet<u64> =
            times.iter().filter(|(_, (times, _))| *times > 1).map(|(s, _)| *s).collect();

        let (mut duplicates, mut second, mut mismatched) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (message, seqs) in &self.acked {
            if seqs.len() > 1 {
                duplicates.insert(*message);
                second.extend(seqs[1..].iter().copied());
            }
        }
        for (message, seq, _) in &claims {
            match standing.get(seq) {
                Some(owner) if owner == message => {}
                Some(_) => drop(mismatched.insert(*seq)),
                None => {
                    duplicates.insert(*message);
                    second.insert(*seq);
                }
            }
        }
        // Where a message stands, another one is that and nothing else.
        let (instead, foreign): (BTreeSet<u64>, BTreeSet<u64>) =
            foreign.into_iter().partition(|seq| standing.contains_key(seq));
        mismatched.extend(instead);

        let late: BTreeSet<Message> = received
            .iter()
            .filter(|(p, n)| {
                places.iter().any(|((q, m), s)| q == p && m > n && *s < places[&(*p, *n)])
            })
            .copied()
            .collect();
        let reordered: BTreeSet<Message> = late.difference(&self.resent).copied().collect();

        let settled = |message: &Message| self.acked.contains_key(message);
        let unexpected: BTreeSet<Message> = received
            .iter()
            .filter(|m| !self.intended.contains(m) || self.failed.contains(m) && !settled(m))
            .copied()
            .collect();
        let missing: BTreeSet<u64> = self
            .acked
            .iter()
            .filter(|(message, seqs)| !received.contains(message) && !corrupt.contains(&seqs[0]))
            .map(|(_, seqs)| seqs[0])
            .collect();

        let mut account = Account {
            intended: self.intended.len() as u64,
            acked: self.acked.len() as u64,
            failed: self.failed.iter().filter(|m| !settled(m)).count() as u64,
            unknown: self.unknown.iter().filter(|m| !settled(m) && !self.failed.contains(m)).count()
                as u64,
            received: received.len() as u64,
            recovered: received.iter().filter(|m| !settled(m) && !unexpected.contains(m)).count()
                as u64,
            redelivered: times.values().map(|(_, deliveries)| deliveries - 1).sum(),
            processed_twice: twice.len() as u64,
            duplicates: duplicates.len() as u64,
            reordered: reordered.len() as u64,
            late_by_resend: (late.len() - reordered.len()) as u64,
            corrupt: corrupt.len() as u64,
            unexpected: (foreign.len() + unexpected.len()) as u64,
            mismatched: mismatched.len() as u64,
            lost: missing.iter().filter(|seq| **seq <= floor).count() as u64,
            behind: missing.iter().filter(|seq| **seq > floor).count() as u64,
            contradictions: 0,
            ..Account::default()
        };
        let list = |seqs: BTreeSet<u64>| seqs.into_iter().take(FIRST_OFFENDERS).collect::<Vec<_>>();
        let place = |message: &Message| places[message];
        account.first.lost = list(missing.iter().copied().filter(|s| *s <= floor).collect());
        account.first.behind = list(missing.iter().copied().filter(|s| *s > floor).collect());
        account.first.duplicates = list(second);
        account.first.processed_twice = list(twice);
        account.first.corrupt = list(corrupt);
        account.first.mismatched = list(mismatched);
        let reordered: BTreeSet<u64> = reordered.iter().map(place).collect();
        let unexpected = foreign.into_iter().chain(unexpected.iter().map(place)).collect();
        account.first.reordered = list(reordered);
        account.first.unexpected = list(unexpected);
        account
    }
}
