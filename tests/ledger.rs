//! The ledger against a naive one, over drills with every kind of trouble in them.
// The short names are those of the records.
#![allow(clippy::unwrap_used, clippy::many_single_char_names)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};
use zonedrill::{
    ledger::{
        account::{Account, FIRST_OFFENDERS},
        book::Ledger,
        message::RunId,
        record::Record,
    },
    region::ZoneName,
};

type Message = (u32, u64);

fn zone(name: &str) -> ZoneName {
    name.parse().unwrap()
}

fn ledger(records: &[Record]) -> Ledger {
    let mut ledger = Ledger::new(RunId::from_number(7), "east");
    for record in records {
        ledger.apply(record);
    }
    ledger
}

fn intend(p: u32, n: u64, c: u64) -> Record {
    Record::Intend { p, n, c, at: 1 }
}

fn acked((p, n): Message, s: u64, c: u64) -> Record {
    Record::Acked { p, n, c, s, d: "zone-a".into(), dup: false, at: 1 }
}

fn received(name: &str, (p, n): Message, s: u64, c: u64, r: u64) -> Record {
    Record::Received { z: zone(name), p, n, s, c, r, at: 1 }
}

/// What becomes of one message between producer and stream.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Acked,
    /// Stored, and the next one stored is before it.
    Overtaken,
    /// Stored, its answer lost; sent again, and known to the server.
    AckedLater,
    /// Stored, its answer lost for good.
    StoredUnknown,
    /// Not stored, no answer.
    Unknown,
    /// Not stored at first; sent again after the others, and stored.
    StoredLate,
    Refused,
    /// Refused, they said, but it is stored.
    RefusedStored,
    /// Stored a second time, after the others; this one is acknowledged as well.
    AckedTwice,
    /// Stored, answer lost; stored again after the others and acknowledged there.
    StoredTwice,
    /// Somebody else's message is stored after it.
    Foreign,
    /// Never intended, and stored.
    Stray,
}

/// What becomes of one sequence between stream and consumer.
#[derive(Clone, Copy, Debug)]
enum Arrival {
    Once,
    Never,
    Twice,
    SecondOnly,
    Corrupt,
    /// Another message, of the acknowledged ones, comes in its place.
    Swapped,
}

/// The records a drill leaves, by who wrote them: the producers, then each zone.
fn drill(sends: &[(u32, Fate)], arrivals: &[(Vec<Arrival>, usize)]) -> Vec<Vec<Record>> {
    let mut numbers: BTreeMap<u32, u64> = BTreeMap::new();
    let mut stream: Vec<Option<Message>> = Vec::new();
    let mut late: Vec<(Message, Fate)> = Vec::new();
    let mut overtaken: Option<Message> = None;
    let mut first_acks: BTreeMap<u64, Message> = BTreeMap::new();
    let mut produced = Vec::new();
    for &(p, fate) in sends {
        let number = numbers.entry(p).or_default();
        *number += 1;
        let (n, c, at) = (*number, 1, 1);
        let message = (p, n);
        if !matches!(fate, Fate::Stray) {
            produced.push(intend(p, n, 1));
        }
        let mut store = |message| {
            stream.push(Some(message));
            stream.len() as u64
        };
        let unknown = Record::Unknown { p, n, c, at };
        let resent = Record::Resent { p, n, c, at };
        let refused = Record::Failed { p, n, c, why: "no".into(), at };
        match fate {
            Fate::Overtaken if overtaken.is_none() => overtaken = Some(message),
            Fate::Acked | Fate::Overtaken | Fate::Foreign | Fate::AckedTwice => {
                let seq = store(message);
                first_acks.insert(seq, message);
                produced.push(acked(message, seq, 1));
                if matches!(fate, Fate::AckedTwice) {
                    late.push((message, fate));
                }
                if let Some(message) = overtaken.take() {
                    let seq = store(message);
                    first_acks.insert(seq, message);
                    produced.push(acked(message, seq, 1));
                }
                if matches!(fate, Fate::Foreign) {
                    stream.push(None);
                }
            }
            Fate::AckedLater => {
                let seq = store(message);
                first_acks.insert(seq, message);
                produced.extend([unknown, resent, acked(message, seq, 1)]);
            }
            Fate::StoredUnknown => {
                store(message);
                produced.push(unknown);
            }
            Fate::Unknown => produced.push(unknown),
            Fate::StoredLate => {
                produced.extend([unknown, resent]);
                late.push((message, fate));
            }
            Fate::Refused => produced.push(refused),
            Fate::RefusedStored => {
                store(message);
                produced.push(refused);
            }
            Fate::StoredTwice => {
                store(message);
                produced.extend([unknown, resent]);
                late.push((message, fate));
            }
            Fate::Stray => {
                store(message);
            }
        }
    }
    for (message, fate) in late {
        stream.push(Some(message));
        let seq = stream.len() as u64;
        if !matches!(fate, Fate::AckedTwice) {
            first_acks.insert(seq, message);
        }
        produced.push(acked(message, seq, 1));
    }

    let mut all = vec![produced];
    for (z, (arrivals, reach)) in arrivals.iter().enumerate() {
        let z = ["a", "b", "c"][z];
        let (mut records, mut again) = (Vec::new(), Vec::new());
        for (seq, message) in (1..).zip(&stream).take(*reach) {
            let Some(message) = *message else {
                records.push(Record::Foreign { z: zone(z), s: seq, at: 1 });
                continue;
            };
            match arrivals[seq as usize % arrivals.len()] {
                Arrival::Never => {}
                Arrival::Once => records.push(received(z, message, seq, 1, 1)),
                Arrival::SecondOnly => records.push(received(z, message, seq, 1, 2)),
                Arrival::Twice => {
                    records.push(received(z, message, seq, 1, 1));
                    again.push(received(z, message, seq, 1, 3));
                }
                Arrival::Corrupt => {
                    let why = "its checksum does not fit".into();
                    records.push(Record::Corrupt { z: zone(z), s: seq, why, at: 1 });
                }
                Arrival::Swapped => {
                    let other = first_acks.range(seq + 1..).next().map(|(_, other)| *other);
                    let other = other.filter(|_| first_acks.contains_key(&seq));
                    records.push(received(z, other.unwrap_or(message), seq, 1, 1));
                }
            }
        }
        records.extend(again);
        all.push(records);
    }
    all
}

/// Interleaves the writers' records, each writer's in its own order.
fn interleave(mut writers: Vec<Vec<Record>>, order: &[usize]) -> Vec<Record> {
    for records in &mut writers {
        records.reverse();
    }
    let mut all = Vec::new();
    let mut order = order.iter().cycle();
    while writers.iter().any(|records| !records.is_empty()) {
        let wanted = order.next().unwrap() % writers.len();
        let from = (wanted..writers.len()).chain(0..wanted).find(|w| !writers[*w].is_empty());
        all.extend(from.and_then(|w| writers[w].pop()));
    }
    all
}

/// Joins neighbouring records into runs.
fn join(records: &[Record]) -> Vec<Record> {
    let mut joined: Vec<Record> = Vec::new();
    for record in records {
        let grown = joined.last_mut().is_some_and(|last| match (last, record) {
            (Record::Intend { p, n, c, .. }, Record::Intend { p: p2, n: n2, c: c2, .. })
            | (Record::Unknown { p, n, c, .. }, Record::Unknown { p: p2, n: n2, c: c2, .. })
            | (Record::Resent { p, n, c, .. }, Record::Resent { p: p2, n: n2, c: c2, .. })
            | (Record::Failed { p, n, c, .. }, Record::Failed { p: p2, n: n2, c: c2, .. }) => {
                let fits = p == p2 && *n + *c == *n2;
                *c += if fits { *c2 } else { 0 };
                fits
            }
            (
                Record::Acked { p, n, c, s, .. },
                Record::Acked { p: p2, n: n2, c: c2, s: s2, .. },
            ) => {
                let fits = p == p2 && *n + *c == *n2 && *s + *c == *s2;
                *c += if fits { *c2 } else { 0 };
                fits
            }
            (
                Record::Received { z, p, n, c, s, r, .. },
                Record::Received { z: z2, p: p2, n: n2, c: c2, s: s2, r: r2, .. },
            ) => {
                let fits = z == z2 && p == p2 && r == r2 && *n + *c == *n2 && *s + *c == *s2;
                *c += if fits { *c2 } else { 0 };
                fits
            }
            _ => false,
        });
        if !grown {
            joined.push(record.clone());
        }
    }
    joined
}

/// Splits every run into single messages.
fn split(records: &[Record]) -> Vec<Record> {
    let count = |record: &Record| match record {
        Record::Intend { c, .. }
        | Record::Withdrawn { c, .. }
        | Record::Acked { c, .. }
        | Record::Failed { c, .. }
        | Record::Unknown { c, .. }
        | Record::Resent { c, .. }
        | Record::Received { c, .. } => *c,
        _ => 1,
    };
    let nth = |record: &Record, i: u64| {
        let mut one = record.clone();
        match &mut one {
            Record::Acked { n, s, c, .. } | Record::Received { n, s, c, .. } => {
                (*n, *s, *c) = (*n + i, *s + i, 1);
            }
            Record::Intend { n, c, .. }
            | Record::Withdrawn { n, c, .. }
            | Record::Failed { n, c, .. }
            | Record::Unknown { n, c, .. }
            | Record::Resent { n, c, .. } => (*n, *c) = (*n + i, 1),
            _ => {}
        }
        one
    };
    records.iter().flat_map(|record| (0..count(record)).map(move |i| nth(record, i))).collect()
}

/// The naive ledger: every claim in a list, every question by looking at all of them.
#[derive(Default)]
struct Naive {
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
    fn new(records: &[Record]) -> Self {
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
                Record::Run { .. } | Record::ZoneRemoved { .. } => {}
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

    fn account(&self, name: &ZoneName, floor: u64) -> Account {
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
        mismatched.extend(foreign.iter().filter(|seq| standing.contains_key(seq)));

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

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        12 => Just(Fate::Acked),
        1 => Just(Fate::Overtaken),
        1 => Just(Fate::AckedLater),
        1 => Just(Fate::StoredUnknown),
        1 => Just(Fate::Unknown),
        1 => Just(Fate::StoredLate),
        1 => Just(Fate::Refused),
        1 => Just(Fate::RefusedStored),
        1 => Just(Fate::AckedTwice),
        1 => Just(Fate::StoredTwice),
        1 => Just(Fate::Foreign),
        1 => Just(Fate::Stray),
    ]
}

fn arrival() -> impl Strategy<Value = Arrival> {
    prop_oneof![
        12 => Just(Arrival::Once),
        1 => Just(Arrival::Never),
        1 => Just(Arrival::Twice),
        1 => Just(Arrival::SecondOnly),
        1 => Just(Arrival::Corrupt),
        1 => Just(Arrival::Swapped),
    ]
}

fn drills() -> impl Strategy<Value = Vec<Vec<Record>>> {
    let sends = vec((1u32..4, fate()), 0..70);
    let arrivals = vec((vec(arrival(), 1..40), 0usize..100), 0..3);
    (sends, arrivals).prop_map(|(sends, arrivals)| drill(&sends, &arrivals))
}

/// A record that somebody might have made up.
fn anything() -> impl Strategy<Value = Record> {
    let edge = prop_oneof![20 => 0u64..30, 1 => Just(u64::MAX - 3), 1 => Just(1u64 << 33)];
    let count = prop_oneof![20 => 0u64..6, 1 => Just(u64::MAX)];
    let name = prop_oneof![Just("a"), Just("b")];
    (
        0u8..10,
        1u32..3,
        edge.clone(),
        edge,
        count,
        name,
        prop_oneof![9 => 0u64..4, 1 => Just(u64::MAX)],
    )
        .prop_map(|(kind, p, n, s, c, z, r)| match kind {
            0 if s % 4 == 0 => Record::Withdrawn { p, n, c, at: 1 },
            0 => intend(p, n, c),
            1..=3 => acked((p, n), s, c),
            4 => Record::Failed { p, n, c, why: String::new(), at: 1 },
            5 => Record::Unknown { p, n, c, at: 1 },
            6 => Record::Resent { p, n, c, at: 1 },
            7 if s % 5 == 0 => Record::Foreign { z: zone(z), s, at: 1 },
            7 if s % 5 == 1 => Record::Corrupt { z: zone(z), s, why: String::new(), at: 1 },
            7 if s % 5 == 2 => Record::ZoneRemoved { z: zone(z), at: 1 },
            _ => received(z, (p, n), s, c, r),
        })
}

proptest! {
    #[test]
    fn it_says_what_a_naive_ledger_says(
        writers in drills(),
        order in vec(0usize..4, 1..50),
        floor in 0u64..100,
    ) {
        let writers: Vec<_> = writers.iter().map(|records| join(records)).collect();
        let records = interleave(writers, &order);
        let (ledger, naive) = (ledger(&records), Naive::new(&records));
        for name in ["a", "b", "c"].map(zone) {
            prop_assert_eq!(ledger.account(&name, Some(floor)), naive.account(&name, floor));
        }
    }

    #[test]
    fn neither_the_order_nor_the_cut_of_records_matters(
        writers in drills(),
        order in vec(0usize..4, 1..50),
        other_order in vec(0usize..4, 1..50),
    ) {
        let one = interleave(writers.clone(), &order);
        let runs = writers.iter().map(|records| join(records)).collect();
        let other = interleave(runs, &other_order);
        let (one, other) = (ledger(&one), ledger(&other));
        for name in ["a", "b", "c"].map(zone) {
            prop_assert_eq!(one.account(&name, Some(40)), other.account(&name, Some(40)));
        }
    }

    #[test]
    fn a_file_gives_the_same_ledger(writers in drills(), order in vec(0usize..4, 1..50)) {
        let records = interleave(writers, &order);
        let run = Record::Run { run: RunId::from_number(7).to_string(), region: "east".into(), at: 1 };
        let lines: Vec<String> = std::iter::once(&run)
            .chain(&records)
            .map(|record| serde_json::to_string(record).unwrap() + "\n")
            .collect();
        let (replayed, read) = Ledger::replay(&lines).unwrap();
        prop_assert_eq!(read.lines, lines.len() as u64);
        prop_assert!(!read.torn_tail);
        let ledger = ledger(&records);
        prop_assert_eq!(ledger.totals(), replayed.totals());
        for name in ["a", "b", "c"].map(zone) {
            prop_assert_eq!(ledger.account(&name, None), replayed.account(&name, None));
        }
    }

    #[test]
    fn nonsense_is_survived_and_may_be_cut_anywhere(records in vec(anything(), 0..60)) {
        let whole = ledger(&records);
        let possible: Vec<_> = records
            .iter()
            .filter(|record| !format!("{record:?}").contains(&format!("c: {}", u64::MAX)))
            .filter(|record| !format!("{record:?}").contains("s: 0,"))
            .cloned()
            .collect();
        let (whole_possible, pieces) = (ledger(&possible), ledger(&split_within(&possible)));
        for name in ["a", "b"].map(zone) {
            // Whatever it says, it adds up.
            let account = whole.account(&name, Some(9));
            prop_assert!(account.lost + account.behind <= account.acked);
            prop_assert!(account.recovered <= account.received);
            prop_assert_eq!(
                whole_possible.account(&name, Some(9)),
                pieces.account(&name, Some(9))
            );
        }
    }
}

/// Splits all runs but those that pass the end of numbers.
fn split_within(records: &[Record]) -> Vec<Record> {
    let passes = |record: &Record| match record {
        Record::Intend { n, c, .. }
        | Record::Withdrawn { n, c, .. }
        | Record::Failed { n, c, .. }
        | Record::Unknown { n, c, .. }
        | Record::Resent { n, c, .. } => *c > 0 && n.checked_add(*c - 1).is_none(),
        Record::Acked { n, s, c, .. } | Record::Received { n, s, c, .. } => {
            *c > 0 && n.max(s).checked_add(*c - 1).is_none()
        }
        _ => false,
    };
    records
        .iter()
        .flat_map(|record| {
            if passes(record) { vec![record.clone()] } else { split(std::slice::from_ref(record)) }
        })
        .collect()
}

/// Fifty messages, all acknowledged and received in a and b; then one thing goes wrong.
fn account_after(trouble: impl FnOnce(&mut Vec<Record>)) -> Account {
    let mut records = vec![
        intend(1, 1, 50),
        acked((1, 1), 1, 50),
        received("a", (1, 1), 1, 50, 1),
        received("b", (1, 1), 1, 50, 1),
    ];
    trouble(&mut records);
    ledger(&records).account(&zone("b"), Some(50))
}

/// The account when nothing has gone wrong.
fn whole() -> Account {
    Account { intended: 50, acked: 50, received: 50, ..Account::default() }
}

#[test]
fn nothing_wrong() {
    let account = account_after(|_| {});
    assert_eq!(account, whole());
    assert!(account.is_clean());
}

#[test]
fn each_fault_is_found_and_only_it() {
    let lost = account_after(|records| {
        records.pop();
        records.extend([received("b", (1, 1), 1, 9, 1), received("b", (1, 11), 11, 40, 1)]);
    });
    let mut expected = Account { received: 49, lost: 1, ..whole() };
    expected.first.lost = vec![10];
    assert_eq!(lost, expected);

    let redelivered = account_after(|records| records.push(received("b", (1, 7), 7, 1, 2)));
    let mut expected = Account { redelivered: 1, processed_twice: 1, ..whole() };
    expected.first.processed_twice = vec![7];
    assert_eq!(redelivered, expected);
    assert!(redelivered.is_clean());

    let duplicate = account_after(|records| records.push(received("b", (1, 7), 51, 1, 1)));
    let mut expected = Account { duplicates: 1, ..whole() };
    expected.first.duplicates = vec![51];
    assert_eq!(duplicate, expected);

    let mismatched = account_after(|records| {
        records.pop();
        records.extend([received("b", (1, 1), 1, 49, 1), received("b", (1, 1), 50, 1, 1)]);
    });
    let mut expected = Account { received: 49, lost: 1, mismatched: 1, ..whole() };
    expected.first.lost = vec![50];
    expected.first.mismatched = vec![50];
    assert_eq!(mismatched, expected);

    let corrupt = account_after(|records| {
        records.pop();
        let why = "cut short".into();
        records.extend([
            received("b", (1, 1), 1, 49, 1),
            Record::Corrupt { z: zone("b"), s: 50, why, at: 1 },
        ]);
    });
    let mut expected = Account { received: 49, corrupt: 1, ..whole() };
    expected.first.corrupt = vec![50];
    assert_eq!(corrupt, expected);

    let foreign = account_after(|records| {
        records.push(Record::Foreign { z: zone("b"), s: 51, at: 1 });
    });
    let mut expected = Account { unexpected: 1, ..whole() };
    expected.first.unexpected = vec![51];
    assert_eq!(foreign, expected);

    let recovered = account_after(|records| {
        records.extend([
            intend(1, 51, 1),
            Record::Unknown { p: 1, n: 51, c: 1, at: 1 },
            received("b", (1, 51), 51, 1, 1),
        ]);
    });
    let expected = Account { intended: 51, unknown: 1, received: 51, recovered: 1, ..whole() };
    assert_eq!(recovered, expected);
    assert!(recovered.is_clean());
}

#[test]
fn order_is_the_streams_and_a_producers_own_retry_is_no_fault() {
    let swapped = |resent: bool| {
        account_after(|records| {
            records.push(intend(1, 51, 2));
            if resent {
                records.push(Record::Resent { p: 1, n: 51, c: 1, at: 1 });
            }
            records.extend([acked((1, 52), 51, 1), acked((1, 51), 52, 1)]);
            // Delivered out of order, which says nothing.
            records.extend([received("b", (1, 51), 52, 1, 1), received("b", (1, 52), 51, 1, 1)]);
        })
    };
    let all = Account { intended: 52, acked: 52, received: 52, ..whole() };
    let mut expected = Account { reordered: 1, ..all.clone() };
    expected.first.reordered = vec![52];
    assert_eq!(swapped(false), expected);
    assert_eq!(swapped(true), Account { late_by_resend: 1, ..all });
}

#[test]
fn a_zone_that_left_and_came_again_starts_anew() {
    let account = account_after(|records| {
        records.push(Record::ZoneRemoved { z: zone("b"), at: 1 });
        records.push(received("b", (1, 1), 1, 10, 1));
    });
    assert_eq!((account.received, account.lost, account.processed_twice), (10, 40, 0));
}

#[test]
fn contradictions_are_counted() {
    let other_run = Record::Run { run: "aaaaaa".into(), region: "east".into(), at: 1 };
    let account = account_after(|records| {
        records.push(other_run);
        records.push(acked((1, 60), 60, 1));
        records.push(Record::Failed { p: 1, n: 5, c: 1, why: "no".into(), at: 1 });
        records.extend([intend(2, 1, 1), acked((2, 1), 9, 1)]);
    });
    assert_eq!(account.contradictions, 4);
    assert!(!account.is_clean());
}

#[test]
fn numbers_that_were_only_announced_count_for_nothing() {
    let mut ledger = Ledger::new(RunId::from_number(1), "test");
    let zone: ZoneName = "b".parse().unwrap();
    ledger.apply(&intend(1, 1, 10));
    ledger.apply(&Record::Acked { p: 1, n: 1, c: 6, s: 1, d: "zone-a".into(), dup: false, at: 1 });
    ledger.apply(&Record::Withdrawn { p: 1, n: 7, c: 4, at: 1 });
    let totals = ledger.totals();
    assert_eq!((totals.intended, totals.acked, totals.failed, totals.in_flight), (6, 6, 0, 0));
    // One that turns up all the same was sent by nobody who said so.
    let turned_up = Record::Received { z: zone.clone(), p: 1, n: 8, s: 7, c: 1, r: 1, at: 2 };
    ledger.apply(&turned_up);
    assert_eq!(ledger.account(&zone, Some(0)).unexpected, 1);
}

#[test]
fn numbers_cannot_be_withdrawn_once_they_were_heard_of() {
    let withdrawn = Record::Withdrawn { p: 1, n: 7, c: 4, at: 1 };
    let heard = [acked((1, 1), 1, 8), received("b", (1, 1), 1, 8, 1)];
    let before =
        ledger(&[&[intend(1, 1, 10)], &heard[..], std::slice::from_ref(&withdrawn)].concat());
    let after = ledger(&[&[intend(1, 1, 10), withdrawn], &heard[..]].concat());
    for ledger in [before, after] {
        let account = ledger.account(&zone("b"), Some(8));
        assert_eq!((account.unexpected, account.contradictions), (2, 2));
        assert_eq!(ledger.totals().in_flight, 0);
    }
}

#[test]
fn what_was_never_intended_does_not_hide_what_is_under_way() {
    let ledger = ledger(&[intend(1, 1, 10), acked((1, 11), 1, 3)]);
    let totals = ledger.totals();
    assert_eq!((totals.intended, totals.acked, totals.in_flight), (10, 3, 10));
}

#[test]
fn nothing_is_behind_a_floor_at_the_end_of_numbers() {
    let end = u64::MAX - 1;
    let ledger = ledger(&[intend(1, 1, 2), acked((1, 1), end, 1), acked((1, 2), u64::MAX, 1)]);
    let account = ledger.account(&zone("b"), Some(u64::MAX));
    assert_eq!((account.lost, account.behind), (2, 0));
    assert_eq!((account.first.lost, account.first.behind), (vec![end, u64::MAX], vec![]));
}
