//! The ledger's sums, limits and exceptions, each by the records that lead to it.

mod account;
mod audit;
mod finding;
mod gap;
mod limits;
mod placing;
mod promotion;
mod replaying;
mod words;
mod zones;

use super::{
    Ledger,
    account::Account,
    audit::{Entry, StreamAudit},
    message::{MessageId, encode},
    record::Record,
};
use crate::region::ZoneName;

type Message = (u32, u64);

fn zone(name: &str) -> ZoneName {
    name.parse().unwrap()
}

fn ledger(records: &[Record]) -> Ledger {
    let mut ledger = Ledger::new("k3f9q2".parse().unwrap(), "east");
    for record in records {
        ledger.apply(record);
    }
    ledger
}

/// The account of zone b.
fn account(records: &[Record], floor: u64) -> Account {
    ledger(records).account(&zone("b"), Some(floor))
}

fn intend(p: u32, n: u64, c: u64) -> Record {
    Record::Intend { p, n, c, at: 1 }
}

fn acked((p, n): Message, s: u64, c: u64) -> Record {
    Record::Acked { p, n, c, s, d: "zone-a".into(), dup: false, at: 1 }
}

fn failed(p: u32, n: u64, c: u64) -> Record {
    Record::Failed { p, n, c, why: "full".into(), at: 1 }
}

/// Zone b received it.
fn received((p, n): Message, s: u64, c: u64) -> Record {
    Record::Received { z: zone("b"), p, n, s, c, r: 1, at: 1 }
}

fn corrupt(s: u64) -> Record {
    Record::Corrupt { z: zone("b"), s, why: "cut short".into(), at: 1 }
}

fn foreign(s: u64, plain: bool) -> Record {
    Record::Foreign { z: zone("b"), s, plain, at: 1 }
}

fn cut_short() -> Record {
    Record::CutShort { after: 9, lost: Some(100), at: 1 }
}

/// What a look at zone b's stream finds: at each sequence a producer's message, nobody's if 0.
fn stream(held: impl IntoIterator<Item = (u64, Message)>) -> StreamAudit {
    let mut audit = StreamAudit::new(zone("b"), "k3f9q2".parse().unwrap());
    for (seq, message) in held {
        feed(&mut audit, seq, message);
    }
    audit
}

fn feed(audit: &mut StreamAudit, seq: u64, (producer, number): Message) {
    let id = MessageId { run: "k3f9q2".parse().unwrap(), producer, number };
    let (label, payload) = (id.to_string(), encode(&id, 1, 80));
    let payload: &[u8] = if producer == 0 { b"hello" } else { &payload };
    let (id, subject) = (Some(label.as_str()), "zd.east");
    audit.feed(&Entry { seq, subject, subject_fits: true, id, payload });
}
