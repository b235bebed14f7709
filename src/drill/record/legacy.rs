//! Samples of formats 1 and 2: a zone was a row of numbers of its own there. What such a row does
//! not tell stays unknown.

use serde::Deserialize;

use super::Sample;
use crate::region::{
    Status, UnixMs, ZoneName,
    status::{
        Consumer, Ledger, Link, LinkState, Mirror, MirrorState, Phase, Producer, Recorded,
        Recovery, Stream, Zone, ZoneState,
    },
    topology::Role,
};

/// A sample of any format.
#[derive(Deserialize)]
pub(super) struct AnySample {
    at: UnixMs,
    #[serde(default)]
    mono_ms: Option<u64>,
    status: Option<Status>,
    #[serde(default)]
    zones: Vec<OldZone>,
    producer: Option<OldProducer>,
}

#[derive(Deserialize)]
struct OldZone {
    zone: ZoneName,
    role: Role,
    nodes_up: u32,
    first_seq: Option<u64>,
    last_seq: Option<u64>,
    messages: Option<u64>,
    delivered: Option<u64>,
    ack_floor: Option<u64>,
    received: u64,
    #[serde(default)]
    behind: Option<u64>,
    rate: f64,
    paused: bool,
    true_lag: Option<u64>,
    reported_lag: Option<u64>,
    mirror: Option<MirrorState>,
    link: Option<LinkState>,
    cut_effective: bool,
    leafs_here: Option<u32>,
    leafs_there: Option<u32>,
    recovery: Option<OldRecovery>,
}

#[derive(Deserialize)]
struct OldRecovery {
    healed_ms: UnixMs,
    behind: Option<u64>,
    link_up_after_ms: Option<u64>,
    moving_after_ms: Option<u64>,
    caught_up_after_ms: Option<u64>,
    nudged: bool,
}

#[derive(Deserialize)]
struct OldProducer {
    acked: u64,
    failed: u64,
    unknown: u64,
    active: bool,
    rate: f64,
    connection: Option<u64>,
    server_id: Option<String>,
    reconnects: u64,
    config_hash: Option<String>,
    acked_by: Option<String>,
}

impl TryFrom<AnySample> for Sample {
    type Error = &'static str;

    fn try_from(any: AnySample) -> Result<Self, Self::Error> {
        let AnySample { at, mono_ms, status, zones, producer } = any;
        let status = match (status, producer) {
            (Some(status), None) => status,
            (None, Some(producer)) => Status {
                at_ms: at,
                phase: Phase::Up,
                zones: zones.into_iter().map(|zone| zone.at(at, producer.acked)).collect(),
                producer: producer.into(),
                ..Status::default()
            },
            _ => return Err("a sample holds a status, or zones and a producer"),
        };
        Ok(Self { at, mono_ms, status })
    }
}

impl OldZone {
    fn at(self, at: UnixMs, acked: u64) -> Zone {
        let stream = (self.first_seq.zip(self.last_seq).zip(self.messages)).map(
            |((first_seq, last_seq), messages)| Stream {
                messages,
                first_seq,
                last_seq,
                told_at_ms: at,
                ..Stream::default()
            },
        );
        let mirror =
            self.role == Role::Mirror && (self.mirror.is_some() || self.true_lag.is_some());
        Zone {
            state: ZoneState::Ready,
            consumer: Some(Consumer {
                delivered: self.delivered,
                ack_floor: self.ack_floor,
                running: true,
                paused: self.paused,
                rate: self.rate,
                told_at_ms: self.delivered.map(|_| at),
                ..Consumer::default()
            }),
            mirror: mirror.then(|| Mirror {
                true_lag: self.true_lag,
                reported_lag: self.reported_lag,
                state: self.mirror.unwrap_or(MirrorState::Unknown),
                told_at_ms: Some(at),
                ..Mirror::default()
            }),
            link: self.link.map(|state| Link {
                state,
                effective: self.cut_effective,
                leafs_here: self.leafs_here,
                leafs_there: self.leafs_there,
                ..Link::default()
            }),
            recovery: self.recovery.map(|clock| Recovery {
                healed_at_ms: clock.healed_ms,
                behind: clock.behind,
                link_up_after_ms: clock.link_up_after_ms,
                moving_after_ms: clock.moving_after_ms,
                caught_up_after_ms: clock.caught_up_after_ms,
                nudged: clock.nudged,
                stall: None,
            }),
            ledger: Ledger { acked, received: self.received, ..Ledger::default() },
            recorded: Some(Recorded {
                nodes_up: self.nodes_up,
                first_seq: self.first_seq,
                last_seq: self.last_seq,
                messages: self.messages,
                behind: self.behind,
            }),
            stream,
            ..Zone::new(self.zone, self.role)
        }
    }
}

impl From<OldProducer> for Producer {
    fn from(old: OldProducer) -> Self {
        Self {
            active: old.active,
            rate: old.rate,
            acked: old.acked,
            failed: old.failed,
            unknown: old.unknown,
            published: old.acked,
            connection: old.connection,
            server_id: old.server_id,
            config_hash: old.config_hash,
            reconnects: old.reconnects,
            acked_by: old.acked_by,
            ..Self::default()
        }
    }
}
