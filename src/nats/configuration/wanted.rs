//! The configuration a bring-up makes, from which everything is created, repaired and compared.

use std::time::Duration;

use crate::region::{
    CopyKind, MirrorKind, Role, ZonePlan,
    configuration::{
        Configuration, Consumer, ConsumerConfig, External, Origin, OriginConsumer, StreamConfig,
    },
    names::NODES_PER_ZONE,
    topology::{FENCED_SUBJECTS, STREAM, SUBJECTS},
};

/// Within this time the source recognises a message id it has stored. Longer than any planned
/// outage, so that a retry after one is never stored twice (the server's default is 2 minutes).
pub const DUPLICATE_WINDOW: Duration = Duration::from_secs(600);
/// How long a consumer's message may stay unacknowledged before it is delivered again.
pub const ACK_WAIT: Duration = Duration::from_secs(5);
/// Messages a zone's consumer may hold unacknowledged: above the largest batches in flight, so
/// that the server never stops a fast consumer; low enough to show as a figure when one hangs.
pub const MAX_ACK_PENDING: u32 = 20_000;
/// The same for the durable sourcing consumer; the value measured in nats-facts §B.
const MIRROR_MAX_ACK_PENDING: u32 = 1000;
/// A durable sourcing consumer must have exactly this heartbeat, or the server refuses it.
const MIRROR_HEARTBEAT: Duration = Duration::from_secs(1);

/// The zone's stream: the source's own, or the mirror.
#[must_use]
pub fn stream(source: &ZonePlan, zone: &ZonePlan, kind: MirrorKind) -> StreamConfig {
    if zone.role == Role::Mirror { mirror_stream(source, zone, kind) } else { own_stream(zone) }
}

/// A stream that copies nothing: one that producers write to, or a fenced one.
#[must_use]
pub fn own_stream(zone: &ZonePlan) -> StreamConfig {
    let subjects = if zone.role == Role::Fenced { FENCED_SUBJECTS } else { SUBJECTS };
    let mut config = StreamConfig {
        subjects: vec![subjects.into()],
        duplicate_window: nanos(DUPLICATE_WINDOW),
        ..any_stream()
    };
    zone.keeping.put_into(&mut config);
    config
}

fn mirror_stream(source: &ZonePlan, zone: &ZonePlan, kind: MirrorKind) -> StreamConfig {
    let consumer = (kind == MirrorKind::Durable).then(|| OriginConsumer {
        name: zone.mirror_consumer(),
        deliver_subject: zone.mirror_deliver_subject(),
    });
    let api = format!("$JS.{}.API", source.domain());
    let origin = |deliver: String| Origin {
        name: STREAM.into(),
        external: Some(External { api, deliver }),
        consumer,
        ..Origin::default()
    };
    match zone.copy {
        CopyKind::Mirror => StreamConfig { mirror: Some(origin(String::new())), ..any_stream() },
        CopyKind::Sources => StreamConfig {
            // Without it the source delivers to a subject that the link does not let through.
            sources: vec![origin(zone.mirror_deliver_subject())],
            // Servers give a copy another window by version, or none (nats-facts §T). A mirror
            // can have none.
            duplicate_window: nanos(DUPLICATE_WINDOW),
            ..any_stream()
        },
    }
}

fn any_stream() -> StreamConfig {
    StreamConfig {
        name: STREAM.into(),
        num_replicas: NODES_PER_ZONE,
        // Lets an audit read from every replica.
        allow_direct: true,
        ..StreamConfig::default()
    }
}

/// The zone's durable pull consumer. It delivers from the first message on.
#[must_use]
pub fn consumer(zone: &ZonePlan) -> ConsumerConfig {
    ConsumerConfig {
        name: zone.consumer(),
        durable_name: zone.consumer(),
        ack_policy: "explicit".into(),
        ack_wait: nanos(ACK_WAIT),
        max_ack_pending: MAX_ACK_PENDING.into(),
        num_replicas: NODES_PER_ZONE,
        ..ConsumerConfig::default()
    }
}

/// The zone's durable sourcing consumer at the source.
#[must_use]
pub fn durable(zone: &ZonePlan) -> ConsumerConfig {
    ConsumerConfig {
        name: zone.mirror_consumer(),
        durable_name: zone.mirror_consumer(),
        deliver_subject: zone.mirror_deliver_subject(),
        ack_policy: "flow_control".into(),
        flow_control: true,
        idle_heartbeat: nanos(MIRROR_HEARTBEAT),
        max_ack_pending: MIRROR_MAX_ACK_PENDING.into(),
        num_replicas: NODES_PER_ZONE,
        ..ConsumerConfig::default()
    }
}

/// What was made: the configuration as it is wanted, with the times of creation that were seen.
/// Compared with a later reading, it shows every change since, and what never was as wanted.
#[must_use]
pub fn made(
    source: &ZonePlan,
    zone: &ZonePlan,
    kind: MirrorKind,
    seen: &Configuration,
) -> Configuration {
    fn not_paused(consumer: &mut Consumer, config: ConsumerConfig) {
        consumer.config = config;
        consumer.paused_until = None;
    }
    let mut made = seen.clone();
    if let Some(there) = made.stream.there_mut() {
        there.config = stream(source, zone, kind);
    }
    if let Some(there) = made.consumer.there_mut() {
        not_paused(there, consumer(zone));
    }
    if let Some(there) = made.durable.as_mut().and_then(|durable| durable.there_mut()) {
        not_paused(there, durable(zone));
    }
    made
}

/// JetStream's durations are nanoseconds.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
