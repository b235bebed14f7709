//! Numbers: what a leader tells of its own stream, mirror and consumer.

use super::{Change, State, fresh, set, set_quietly};
use crate::region::{
    UnixMs,
    observation::StreamReport,
    snapshot::{Consumer, Mirror, MirrorState, NodeState, Stream},
    topology::Role,
};

/// Jitter of a mirror's heartbeat that is no news.
const HEARD_JITTER_MS: u64 = 100;

impl State {
    /// Takes over the numbers a leader tells of its own stream and consumer; a follower's are
    /// behind by nature and its view of the others is wrong.
    pub(super) fn stream_told(
        &mut self,
        now: UnixMs,
        (i, n): (usize, usize),
        at_ms: UnixMs,
        report: &StreamReport,
    ) {
        let current = self.current_replicas(i, report);
        let zone = &mut self.snapshot.zones[i];
        let book = &mut self.books[i];
        let node = &zone.nodes[n].name;
        let number = Some(node.number);
        let name = node.to_string();
        let is_me = |leader: &Option<String>| leader.as_deref() == Some(name.as_str());
        let mut change = Change::None;
        let mut source_replaced = false;
        let newest = zone.stream.as_ref().is_none_or(|stream| stream.told_ms <= at_ms);
        if newest && book.stream_leader.now == number && is_me(&report.leader) {
            let told = Stream {
                messages: report.messages,
                bytes: report.bytes,
                first_seq: report.first_seq,
                last_seq: report.last_seq,
                num_deleted: report.num_deleted,
                leader: Some(name.clone()),
                replicas: u32::try_from(report.peers.len()).unwrap_or(u32::MAX).saturating_add(1),
                replicas_current: Some(current),
                told_ms: at_ms,
            };
            if zone.stream.as_ref().is_some_and(|old| old.last_seq < told.last_seq) {
                book.mirror.moved_ms = Some(at_ms);
            }
            change = change.max(match &mut zone.stream {
                Some(old) => {
                    // What had become unknown by its age is known again.
                    let back = !fresh(now, old.told_ms) && fresh(now, at_ms);
                    let timeless = set_quietly(&mut old.told_ms, at_ms);
                    timeless.max(set(old, told)).max(if back { Change::Real } else { Change::None })
                }
                none => set(none, Some(told)),
            });
            let replaced = book.created_told(&report.created);
            book.keep_word(at_ms, report.last_seq);
            if zone.role == Role::Source {
                source_replaced = replaced;
            } else if let Some(told) = &report.mirror {
                let heard = told.silent_ms.map(|silent| at_ms.saturating_sub(silent));
                let mirror = zone.mirror.get_or_insert_with(|| {
                    change = Change::Real;
                    Mirror {
                        true_lag: None,
                        reported_lag: None,
                        heard_ms: None,
                        state: MirrorState::Unknown,
                        error: None,
                        source_pending: None,
                        told_ms: at_ms,
                    }
                });
                change = change.max(set(&mut mirror.reported_lag, Some(told.lag)));
                change = change.max(set(&mut mirror.error, told.error.clone()));
                change = change.max(set_quietly(&mut mirror.told_ms, at_ms));
                // A new leader says "never" until it has heard itself; what an earlier one
                // heard stays true.
                if let Some(heard) = heard
                    && mirror.heard_ms.is_none_or(|old| old.abs_diff(heard) >= HEARD_JITTER_MS)
                {
                    let first = mirror.heard_ms.is_none();
                    change = change.max(if first { Change::Real } else { Change::Quiet });
                    mirror.heard_ms = Some(heard);
                }
            }
        }
        let newest = zone.consumer.as_ref().is_none_or(|consumer| consumer.told_ms <= at_ms);
        let consumer = report.consumers.iter().find(|consumer| consumer.name == book.consumer);
        if let Some(report) = consumer
            && newest
            && book.consumer_leader.now == number
            && is_me(&report.leader)
        {
            let told = Consumer {
                name: report.name.clone(),
                delivered: report.delivered,
                ack_floor: report.ack_floor,
                pending: report.pending,
                unacked: report.unacked,
                redelivered: report.redelivered,
                leader: Some(name.clone()),
                told_ms: at_ms,
            };
            change = change.max(match &mut zone.consumer {
                Some(old) => {
                    let timeless = set_quietly(&mut old.told_ms, at_ms);
                    timeless.max(set(old, told))
                }
                none => set(none, Some(told)),
            });
        }
        if zone.role == Role::Source {
            for (zone, book) in self.snapshot.zones.iter().zip(&mut self.books) {
                let holds = zone.stream.as_ref().is_some_and(|stream| stream.last_seq > 0);
                book.mirror.source_replaced |= source_replaced && holds && zone.mirror.is_some();
                let durable = report.consumers.iter().find(|c| c.name == book.mirror_consumer);
                if let Some(durable) = durable.filter(|durable| is_me(&durable.leader)) {
                    book.source_pending = Some(durable.pending);
                }
            }
        }
        self.changed(change);
    }

    /// The leader and the peers it takes for current, but for those whose servers have ended, are
    /// suspended or gave up JetStream: a leader goes on calling them current for seconds, and for
    /// good once it is the last one running.
    fn current_replicas(&self, i: usize, report: &StreamReport) -> u32 {
        let out = |name: &str| {
            let node =
                self.snapshot.zones[i].nodes.iter().find(|node| node.name.to_string() == name);
            node.is_some_and(|node| {
                matches!(
                    node.state,
                    NodeState::Dead | NodeState::Stopped | NodeState::Frozen | NodeState::JsOff
                )
            })
        };
        let current = report.peers.iter().filter(|peer| peer.current && !out(&peer.name)).count();
        u32::try_from(current).unwrap_or(u32::MAX).saturating_add(1)
    }
}
