//! A region as time passes.

use crate::region::{Snapshot, UnixMs};

/// Moves a region on to `now`, `messages` later: every leader has just told, every mirror has just
/// heard, every consumer has kept up.
pub fn advance(snapshot: &mut Snapshot, messages: u64, now: UnixMs) {
    let second = now / 1000 * 1000;
    let passed = second > snapshot.history_ms;
    snapshot.at_ms = now;
    snapshot.history_ms = second;
    snapshot.producer.acked += messages;
    for zone in &mut snapshot.zones {
        zone.ledger.acked += messages;
        zone.ledger.received += messages;
        if let Some(stream) = &mut zone.stream {
            stream.messages += messages;
            stream.last_seq += messages;
            stream.bytes += messages * 348;
            stream.told_ms = now;
        }
        if let Some(consumer) = &mut zone.consumer {
            consumer.delivered += messages;
            consumer.ack_floor += messages;
            consumer.told_ms = now;
        }
        if let Some(mirror) = &mut zone.mirror {
            mirror.told_ms = now;
            mirror.heard_ms = Some(now);
        }
        if passed && !zone.lag_history.is_empty() {
            zone.lag_history.remove(0);
            zone.lag_history.push(Some(messages % 3));
        }
    }
    for task in &mut snapshot.tasks {
        task.progress = format!("{} acked", snapshot.producer.acked);
    }
}
