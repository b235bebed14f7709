//! Numbers: what a leader tells of its own stream, mirror and consumer.

use super::{Change, State, book::Group, flow, fresh, note, set, set_quietly};
use crate::region::{
    EventKind, Severity, UnixMs,
    deliveries::fetched_elsewhere,
    observation::StreamReport,
    status::{Consumer, NodeState, Stream},
    topology::Role,
};

/// Jitter of a mirror's heartbeat that is no news.
const HEARD_JITTER_MS: u64 = 100;

impl State {
    /// Takes over the numbers a leader tells of its own stream and consumer; a follower's are
    /// behind by nature and its view of the others is wrong. Without a node it is the leader's
    /// answer.
    pub(super) fn stream_told(
        &mut self,
        now: UnixMs,
        (i, n): (usize, Option<usize>),
        at_ms: UnixMs,
        report: &StreamReport,
    ) {
        let current = self.current_replicas(i, report);
        let zone = &mut self.status.zones[i];
        let book = &mut self.books[i];
        let node = n.map(|n| zone.nodes[n].name.clone());
        let name = node.as_ref().map(ToString::to_string);
        let is_me = |leader: &Option<String>| node.is_none() || *leader == name;
        let leads = |known: &Group| node.as_ref().is_none_or(|node| known.now == Some(node.number));
        if node.is_none() && zone.consumer.is_none() {
            zone.consumer = report.consumers.first().map(|consumer| {
                book.consumer.clone_from(&consumer.name);
                Consumer { name: consumer.name.clone(), ..Consumer::default() }
            });
        }
        let mut change = Change::None;
        let mut source_replaced = false;
        let newest = zone.stream.as_ref().is_none_or(|stream| stream.told_at_ms <= at_ms);
        let first_hand = newest && leads(&book.leader) && is_me(&report.leader);
        let first = first_hand && zone.stream.is_none();
        if first_hand {
            let told = Stream {
                messages: report.messages,
                bytes: report.bytes,
                first_seq: report.first_seq,
                last_seq: report.last_seq,
                num_deleted: report.num_deleted,
                own_last_seq: Some(report.own_last_seq.unwrap_or(report.last_seq)),
                leader: report.leader.clone(),
                replicas: u32::try_from(report.peers.len()).unwrap_or(u32::MAX).saturating_add(1),
                replicas_current: Some(current),
                told_at_ms: at_ms,
            };
            let had = zone.stream.as_ref().map(|old| old.last_seq);
            if had.is_some_and(|had| had < told.last_seq) {
                book.mirror.moved_ms = Some(at_ms);
            }
            change = change.max(match &mut zone.stream {
                Some(old) => {
                    // What had become unknown by its age is known again.
                    let back = !fresh(now, old.told_at_ms) && fresh(now, at_ms);
                    let timeless = set_quietly(&mut old.told_at_ms, at_ms);
                    timeless.max(set(old, told)).max(if back { Change::Real } else { Change::None })
                }
                none => set(none, Some(told)),
            });
            let doubted = book.created_anew.is_some();
            let replaced = book.created_told(&report.created);
            if doubted != book.created_anew.is_some() {
                change = Change::Real;
            }
            book.keep_word(at_ms, report.last_seq);
            let emptied = had.is_some_and(|had| had > report.last_seq);
            book.receipts_fit(zone.ledger.received, report.last_seq, replaced || emptied);
            if zone.is_hub() {
                source_replaced = replaced;
            } else if let Some(mirror) = &mut zone.mirror {
                // A stream that is no mirror (any more) hears from nobody.
                let told = report.mirror.as_ref();
                change = change.max(set(&mut mirror.reported_lag, told.map(|told| told.lag)));
                let error = told.and_then(|told| told.error.clone());
                change = change.max(set(&mut mirror.error, error));
                let first = mirror.told_at_ms.is_none();
                let quiet = set_quietly(&mut mirror.told_at_ms, Some(at_ms));
                change = change.max(if first { Change::Real } else { quiet });
                let silent = told.and_then(|told| told.silent_ms);
                let heard = silent.map(|silent| at_ms.saturating_sub(silent));
                // A new leader says "never" until it has heard itself; what an earlier one
                // heard stays true.
                if let Some(heard) = heard
                    && mirror.heard_at_ms.is_none_or(|old| old.abs_diff(heard) >= HEARD_JITTER_MS)
                {
                    let first = mirror.heard_at_ms.is_none();
                    change = change.max(if first { Change::Real } else { Change::Quiet });
                    mirror.heard_at_ms = Some(heard);
                }
            }
            if replaced {
                change = change.max(forget(&mut zone.consumer));
            }
            if !report.consumers.iter().any(|consumer| consumer.name == book.consumer) {
                // The leader of the stream knows every consumer of it: this one is gone.
                change = change.max(forget(&mut zone.consumer));
            }
        }
        let report_of = report.consumers.iter().find(|consumer| consumer.name == book.consumer);
        if let Some(report) = report_of
            && let Some(shown) = &mut zone.consumer
            && shown.told_at_ms.is_none_or(|told| told <= at_ms)
            && leads(&book.consumer_leader)
            && is_me(&report.leader)
        {
            let mut told = Consumer {
                delivered: Some(report.delivered),
                own_delivered: Some(report.own_delivered.unwrap_or(report.delivered)),
                ack_floor: Some(report.ack_floor),
                pending: Some(report.pending),
                unacked: Some(report.unacked),
                redelivered: Some(report.redelivered),
                leader: report.leader.clone(),
                told_at_ms: Some(at_ms),
                ..shown.clone()
            };
            book.deliveries = Some(report.deliveries);
            flow::deliveries(&mut told, book.deliveries, book.came);
            let timeless = set_quietly(&mut shown.told_at_ms, told.told_at_ms);
            change = change.max(timeless).max(set(shown, told));
            let answers = zone.nodes.iter().filter(|node| !node.state.has_ended());
            let all_heard = answers.map(|node| node.answered_at_ms.unwrap_or(0)).min();
            let (count, leader) = (report.deliveries, report.leader.as_deref());
            book.elsewhere.told(now, count, leader, all_heard.unwrap_or(now));
        }
        let first = (first && zone.is_hub()).then_some(report.last_seq);
        if zone.is_hub() {
            for (zone, book) in self.status.zones.iter().zip(&mut self.books) {
                let holds = zone.stream.as_ref().is_some_and(|stream| stream.last_seq > 0);
                book.mirror.source_replaced |=
                    source_replaced && holds && zone.role == Role::Mirror;
                let durable = report.consumers.iter().find(|c| c.name == book.mirror_consumer);
                match durable {
                    None if first_hand => book.source_pending = None,
                    Some(durable) if is_me(&durable.leader) => {
                        book.source_pending = Some(durable.pending);
                    }
                    _ => {}
                }
            }
        }
        if let Some(last_seq) = first {
            self.first_seen(last_seq);
        }
        self.changed(change);
    }

    /// Once a second: what came to somebody else.
    pub(super) fn note_elsewhere(&mut self, now: UnixMs, i: usize, events: &mut Vec<EventKind>) {
        let book = &mut self.books[i];
        book.elsewhere.look(now);
        let zone = &mut self.status.zones[i];
        let Some(consumer) = &mut zone.consumer else { return };
        let count = book.elsewhere.count;
        let new = count - std::mem::replace(&mut consumer.elsewhere, count);
        if new > 0 {
            events.push(note(Severity::Warn, fetched_elsewhere(&zone.name, new)));
            self.touch();
        }
    }

    /// The leader and the peers it takes for current, but for those whose servers have ended, are
    /// suspended or gave up JetStream: a leader goes on calling them current for seconds, and for
    /// good once it is the last one running.
    fn current_replicas(&self, i: usize, report: &StreamReport) -> u32 {
        let out = |name: &str| {
            let node = self.status.zones[i].nodes.iter().find(|node| node.name.to_string() == name);
            node.is_some_and(|node| {
                matches!(
                    node.state,
                    NodeState::Dead
                        | NodeState::Stopped
                        | NodeState::Frozen
                        | NodeState::JsOff
                        | NodeState::Leaving
                )
            })
        };
        let current = report.peers.iter().filter(|peer| peer.current && !out(&peer.name)).count();
        u32::try_from(current).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// A consumer's numbers are unknown once it is gone.
fn forget(consumer: &mut Option<Consumer>) -> Change {
    match consumer {
        Some(consumer) if consumer.told_at_ms.is_some() => {
            consumer.forget_numbers();
            Change::Real
        }
        _ => Change::None,
    }
}
