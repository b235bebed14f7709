//! What the models of a region have in common: their run, and how a replica of it is read.

// A fixture that fails is a test that fails.
#![allow(clippy::unwrap_used)]

use zonedrill::{
    ledger::{
        audit::{Entry, StreamAudit},
        message::{MessageId, RunId, encode},
    },
    region::ZoneName,
};

/// A message on a replica.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    /// Where it stands.
    pub seq: u64,
    pub producer: u32,
    pub number: u64,
    /// Its payload is not as it was sent.
    pub altered: bool,
}

pub fn run_id() -> RunId {
    "k3f9q2".parse().unwrap()
}

/// A zone's replica that holds these messages, read from its first to its last.
pub fn read(zone: ZoneName, stored: impl IntoIterator<Item = Stored>) -> StreamAudit {
    let mut audit = StreamAudit::new(zone, run_id());
    for Stored { seq, producer, number, altered } in stored {
        let id = MessageId { run: run_id(), producer, number };
        let mut payload = encode(&id, 1, 128).to_vec();
        if altered {
            payload[90] ^= 1;
        }
        audit.feed(&Entry {
            seq,
            subject: "EVENTS.REGION.x",
            subject_fits: true,
            id: Some(&id.to_string()),
            payload: &payload,
        });
    }
    audit
}
