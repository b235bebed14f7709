//! A region as time passes.

use crate::region::{Status, UnixMs};

/// Moves a region on to `now`, `messages` later: every leader has just told, every mirror has just
/// heard, every consumer has kept up.
pub fn advance(status: &mut Status, messages: u64, now: UnixMs) {
    let second = now / 1000 * 1000;
    let passed = second > status.history_at_ms;
    status.at_ms = now;
    status.history_at_ms = second;
    status.producer.acked += messages;
    status.producer.published += messages;
    for zone in &mut status.zones {
        zone.ledger.acked += messages;
        zone.ledger.received += messages;
        if let Some(stream) = &mut zone.stream {
            stream.messages += messages;
            stream.last_seq += messages;
            stream.bytes += messages * 348;
            stream.told_at_ms = now;
        }
        if let Some(consumer) = &mut zone.consumer {
            consumer.delivered = consumer.delivered.map(|delivered| delivered + messages);
            consumer.ack_floor = consumer.ack_floor.map(|floor| floor + messages);
            consumer.told_at_ms = Some(now);
        }
        if let Some(mirror) = &mut zone.mirror {
            mirror.told_at_ms = Some(now);
            mirror.heard_at_ms = Some(now);
        }
        if passed && !zone.lag_history.is_empty() {
            zone.lag_history.remove(0);
            zone.lag_history.push(Some(messages % 3));
        }
    }
    for task in &mut status.tasks {
        task.progress = format!("{} acked", status.producer.acked);
    }
}
