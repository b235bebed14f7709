//! What a room would see of the woven region: samples on the way, every replica at the end.

use zonedrill::{
    drill::{
        checks::ReplicaAudit,
        record::{Entry, Sample},
    },
    ledger::audit::StreamAudit,
    region::{
        Role, Status,
        status::{Consumer, Ledger, Link, LinkState, Mirror, Producer, Stream, Zone as Seen},
    },
};

use super::Loom;
use crate::support::weave::{
    Stored, Woven, name,
    plan::{Fault, Harm},
    read,
};

impl Loom<'_> {
    pub(super) fn look(&mut self) {
        let last = self.stored.len() as u64;
        let zones = self.zones.iter().enumerate().map(|(z, zone)| {
            let mirror = z > 0;
            let cut = self.cut && z == 1;
            let holds = if mirror { zone.holds } else { last };
            let leafs = mirror.then_some(if cut { 0 } else { 3 });
            let floor = Some(zone.floor);
            Seen {
                stream: Some(Stream {
                    first_seq: u64::from(holds > 0),
                    last_seq: holds,
                    own_last_seq: Some(holds),
                    messages: holds,
                    ..Stream::default()
                }),
                consumer: Some(Consumer {
                    delivered: floor,
                    own_delivered: floor,
                    ack_floor: floor,
                    ..Consumer::default()
                }),
                mirror: mirror
                    .then(|| Mirror { true_lag: Some(last - holds), ..Mirror::default() }),
                link: mirror.then(|| Link {
                    state: if cut { LinkState::Cut } else { LinkState::Up },
                    effective: cut,
                    leafs_here: leafs,
                    leafs_there: leafs,
                    ..Link::default()
                }),
                ledger: Ledger {
                    acked: last,
                    received: zone.floor,
                    behind: last - zone.floor,
                    ..Ledger::default()
                },
                ..Seen::new(name(z), if mirror { Role::Mirror } else { Role::Source })
            }
        });
        let sample = Sample {
            at: self.now,
            mono_ms: Some(self.now),
            status: Status {
                at_ms: self.now,
                zones: zones.collect(),
                producer: Producer {
                    acked: last,
                    active: self.producing.is_some(),
                    ..Producer::default()
                },
                ..Status::default()
            },
        };
        self.drill(Entry::Sample(Box::new(sample)));
        self.looked = self.now;
        self.looks += 1;
    }

    /// Everything has arrived: every replica is read.
    pub(super) fn finish(mut self) -> Woven {
        let mut streams = Vec::new();
        for z in 0..self.plan.zones {
            for (r, replica) in name(z).nodes().enumerate() {
                let audit = self.read(z, r);
                let print = audit.fingerprint();
                let (messages, ends) =
                    (print.messages(), print.first().map(|first| (first, print.last())));
                let file = format!("stream-{replica}.jsonl");
                let (zone, at) = (name(z), self.now);
                let node = replica.clone();
                self.drill(Entry::Stream {
                    zone,
                    replica: node,
                    file,
                    messages,
                    ends,
                    through: None,
                    at,
                });
                streams.push(ReplicaAudit { replica, audit });
            }
        }
        self.drill(Entry::End { at: self.now });
        Woven { lines: self.lines, streams }
    }

    fn read(&self, zone: usize, replica: usize) -> StreamAudit {
        let stored = (1..).zip(self.stored.iter().copied()).filter_map(|(seq, message)| {
            let altered = match self.plan.fault(message) {
                Some(Fault::Replica { zone: z, replica: r, harm }) if (z, r) == (zone, replica) => {
                    match harm {
                        Harm::Gone => return None,
                        Harm::Altered => true,
                    }
                }
                _ => false,
            };
            let (producer, number) = message;
            Some(Stored { seq, producer, number, altered })
        });
        read(name(zone), stored)
    }
}
