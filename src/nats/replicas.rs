//! A zone's stream read from each of its replicas, not only through its leader.
//!
//! A short-lived consumer of one replica is placed on a random peer of the stream; consumers are
//! made until one lives on the wanted server, and read from there ([`super::audit`]). Nobody has to
//! step down for it, and nothing else is disturbed.

use std::ops::RangeInclusive;

use async_nats::Client;
use futures::future::join_all;

use super::audit::{AuditError, Described, Found, Numbers, read_from};
use crate::{
    ledger::{
        audit::{Entry, StreamAudit},
        message::RunId,
    },
    region::{NodeName, ZonePlan},
};

/// What one replica holds, or why that is not known.
#[derive(Debug)]
pub struct Replica {
    pub node: NodeName,
    pub read: Result<Content, AuditError>,
}

/// What a replica holds.
#[derive(Debug)]
pub struct Content {
    pub audit: StreamAudit,
    pub found: Found,
    /// The first and the last sequence at which there is a message.
    pub ends: Option<(u64, u64)>,
}

/// Reads `range` from every replica of the zone, all at the same time, over the zone's own
/// connection. A node that holds none, as the stream's leader describes it, is not asked. `progress`
/// is told each sequence that one of them was read up to.
pub async fn read_replicas(
    client: &Client,
    plan: &ZonePlan,
    stream: &Described,
    run: &RunId,
    range: RangeInclusive<u64>,
    progress: impl Fn(u64),
) -> Vec<Replica> {
    let progress = &progress;
    let reading = plan.nodes.iter().map(|node| {
        let range = range.clone();
        async move {
            let name = node.name.to_string();
            if !stream.holders.is_empty() && !stream.holders.contains(&name) {
                let holders = stream.holders.clone();
                return Replica {
                    node: node.name.clone(),
                    read: Err(AuditError::NoReplica { holders }),
                };
            }
            let mut audit = StreamAudit::new(plan.name.clone(), run.clone());
            let mut ends = None;
            let numbers = Numbers::of(plan);
            let sink = |entry: &Entry<'_>| {
                if numbers == Numbers::Source && ends.is_some_and(|(_, last)| entry.seq <= last) {
                    audit.feed_disordered(entry);
                    return;
                }
                ends = Some((ends.map_or(entry.seq, |(first, _)| first), entry.seq));
                audit.feed(entry);
            };
            let read = read_from(client, Some(&name), numbers, range, sink, progress).await;
            Replica {
                node: node.name.clone(),
                read: read.map(|found| Content { audit, found, ends }),
            }
        }
    });
    join_all(reading).await
}
