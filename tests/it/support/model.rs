//! What the models of a region have in common: their run, how it begins, and how a replica of it
//! is read.

use zonedrill::{
    drill::record::{Begin, Entry, FORMAT},
    ledger::{
        audit::{Entry as Read, StreamAudit},
        message::{MessageId, RunId, encode},
    },
    region::{CopyKind, MirrorKind, ZoneName},
};

/// A message on a replica.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    /// Where it stands.
    pub seq: u64,
    /// 0: it is no drill message.
    pub producer: u32,
    pub number: u64,
    /// Its payload is not as it was sent.
    pub altered: bool,
}

pub fn run_id() -> RunId {
    "k3f9q2".parse().unwrap()
}

/// A drill begins, from zone a to zone b.
pub fn begin(drill: &str, script: String, new_zone: Option<ZoneName>, at: u64) -> Entry {
    Entry::Begin(Box::new(Begin {
        format: FORMAT,
        zonedrill: env!("CARGO_PKG_VERSION").into(),
        drill: drill.into(),
        script,
        scale: 1,
        sabotage: None,
        when: None,
        options: zonedrill::command::DrillOptions::default(),
        run: run_id().to_string(),
        damaged: None,
        region: "east".into(),
        platform: "local".into(),
        server_version: "2.15.1".into(),
        mirror_kind: MirrorKind::Durable,
        copy_kind: CopyKind::Mirror,
        source: "a".parse().unwrap(),
        mirror: "b".parse().unwrap(),
        leader: None,
        new_zone,
        actor: "test".into(),
        by_hand: Vec::new(),
        at,
    }))
}

/// A zone's replica that holds these messages, read from its first to its last.
pub fn read(zone: ZoneName, stored: impl IntoIterator<Item = Stored>) -> StreamAudit {
    let mut audit = StreamAudit::new(zone, run_id());
    for Stored { seq, producer, number, altered } in stored {
        if producer == 0 {
            let subject = "EVENTS.REGION.x";
            audit.feed(&Read { seq, subject, subject_fits: true, id: None, payload: b"hello" });
            continue;
        }
        let id = MessageId { run: run_id(), producer, number };
        let mut payload = encode(&id, 1, 128).to_vec();
        if altered {
            payload[90] ^= 1;
        }
        audit.feed(&Read {
            seq,
            subject: "EVENTS.REGION.x",
            subject_fits: true,
            id: Some(&id.to_string()),
            payload: &payload,
        });
    }
    audit
}
