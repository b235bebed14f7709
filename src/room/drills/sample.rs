//! A sample: what the room knows, in the record's words.

use crate::{
    drill::record::{ProducerSample, RecoverySample, Sample, ZoneSample},
    nats::producer::Producer as Publisher,
    region::{
        Snapshot, UnixMs,
        snapshot::{LinkState, NodeState, Zone},
    },
};

/// A leader's word older than this is no word about now.
const FRESH_MS: u64 = 3_000;

/// The moment of `snapshot`; the producer is asked itself.
pub fn of(snapshot: &Snapshot, publisher: Option<&Publisher>) -> Sample {
    let producer = &snapshot.producer;
    let connection = publisher.map(Publisher::connection);
    Sample {
        at: snapshot.at_ms,
        zones: snapshot.zones.iter().map(|one| zone(snapshot.at_ms, one)).collect(),
        producer: ProducerSample {
            acked: producer.acked,
            failed: producer.failed,
            unknown: producer.unknown,
            active: producer.active,
            rate: producer.rate,
            connection: connection.map(|(id, _)| id),
            server_id: publisher.and_then(Publisher::server_id),
            reconnects: connection.map_or(producer.reconnects, |(_, anew)| anew),
            config_hash: publisher.map(Publisher::config_hash),
            acked_by: producer.acked_by.clone(),
        },
    }
}

fn zone(at: UnixMs, zone: &Zone) -> ZoneSample {
    let fresh = |told: UnixMs| at.saturating_sub(told) < FRESH_MS;
    let stream = zone.stream.as_ref().filter(|stream| fresh(stream.told_ms));
    let consumer = zone.consumer.as_ref().filter(|consumer| fresh(consumer.told_ms));
    let mirror = zone.mirror.as_ref();
    let link = zone.link.as_ref();
    let up = |state: &NodeState| matches!(state, NodeState::Up);
    ZoneSample {
        zone: zone.name.clone(),
        role: zone.role,
        nodes_up: zone.nodes.iter().filter(|node| up(&node.state)).count() as u32,
        first_seq: stream.map(|stream| stream.first_seq),
        last_seq: stream.map(|stream| stream.last_seq),
        messages: stream.map(|stream| stream.messages),
        delivered: consumer.map(|consumer| consumer.delivered),
        ack_floor: consumer.map(|consumer| consumer.ack_floor),
        received: zone.ledger.received,
        behind: zone.ledger.known_behind(),
        rate: zone.work.rate,
        paused: zone.work.paused,
        true_lag: mirror.and_then(|mirror| mirror.true_lag),
        reported_lag: mirror.and_then(|mirror| mirror.reported_lag),
        mirror: mirror.map(|mirror| mirror.state),
        link: link.map(|link| link.state),
        cut_effective: link.is_some_and(|link| link.state == LinkState::Cut && link.effective),
        leafs_here: link.and_then(|link| link.leafs_here),
        leafs_there: link.and_then(|link| link.leafs_there),
        recovery: zone.recovery.as_ref().map(|clock| RecoverySample {
            healed_ms: clock.healed_ms,
            behind: clock.behind,
            link_up_after_ms: clock.link_up_after_ms,
            moving_after_ms: clock.moving_after_ms,
            caught_up_after_ms: clock.caught_up_after_ms,
            nudged: clock.nudged,
        }),
    }
}
