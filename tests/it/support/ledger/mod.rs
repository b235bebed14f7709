//! Drills with every kind of trouble in them, as the records they leave.

mod naive;

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};
use zonedrill::{
    ledger::{Ledger, message::RunId, record::Record},
    region::ZoneName,
};

pub use naive::Naive;

pub type Message = (u32, u64);

pub fn zone(name: &str) -> ZoneName {
    name.parse().unwrap()
}

pub fn ledger(records: &[Record]) -> Ledger {
    let mut ledger = Ledger::new(RunId::from_number(7), "east");
    for record in records {
        ledger.apply(record);
    }
    ledger
}

pub fn intend(p: u32, n: u64, c: u64) -> Record {
    Record::Intend { p, n, c, at: 1 }
}

pub fn acked((p, n): Message, s: u64, c: u64) -> Record {
    Record::Acked { p, n, c, s, d: "zone-a".into(), dup: false, at: 1 }
}

pub fn received(name: &str, (p, n): Message, s: u64, c: u64, r: u64) -> Record {
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
                records.push(Record::Foreign { z: zone(z), s: seq, plain: false, at: 1 });
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
pub fn interleave(mut writers: Vec<Vec<Record>>, order: &[usize]) -> Vec<Record> {
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
pub fn join(records: &[Record]) -> Vec<Record> {
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
pub fn split(records: &[Record]) -> Vec<Record> {
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

pub fn drills() -> impl Strategy<Value = Vec<Vec<Record>>> {
    let sends = vec((1u32..4, fate()), 0..70);
    let arrivals = vec((vec(arrival(), 1..40), 0usize..100), 0..3);
    (sends, arrivals).prop_map(|(sends, arrivals)| drill(&sends, &arrivals))
}

/// A record that somebody might have made up.
pub fn anything() -> impl Strategy<Value = Record> {
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
            7 if s % 5 == 0 => Record::Foreign { z: zone(z), s, plain: false, at: 1 },
            7 if s % 5 == 1 => Record::Corrupt { z: zone(z), s, why: String::new(), at: 1 },
            7 if s % 5 == 2 => Record::ZoneRemoved { z: zone(z), at: 1 },
            _ => received(z, (p, n), s, c, r),
        })
}

/// Splits all runs but those that pass the end of numbers.
pub fn split_within(records: &[Record]) -> Vec<Record> {
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
