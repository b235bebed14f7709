//! A user's own expectations, looked at when the run ends.

use serde_json::{Value, json};

use super::{Case, Finding};
use crate::{drill::record::Sample, ledger::book::Ledger};

/// One finding for each.
pub(super) fn wanted(case: &Case<'_>) -> Vec<Finding> {
    const CHECK: &str = "expect";
    let samples = &case.run.samples;
    let now = samples.last().map_or(Value::Null, |sample| status(sample, Some(case.ledger)));
    let start = samples.first().map_or(Value::Null, |sample| status(sample, None));
    // What an interrupted run did not come to breaks nothing.
    let look = |condition: &crate::drill::condition::Condition| {
        let held = condition.holds(&now, &start);
        let text = format!("`{condition}`: {}", held.seen);
        if held.met {
            Finding::proved(CHECK, text)
        } else if condition.fails(&now, &start) && case.run.interrupted.is_none() {
            Finding::broken(CHECK, text)
        } else {
            Finding::void(CHECK, text)
        }
    };
    case.script.expects.iter().map(look).collect()
}

/// A sample in the words of the documented status, as far as it goes.
fn status(sample: &Sample, ledger: Option<&Ledger>) -> Value {
    let zones = sample.zones.iter().map(|zone| {
        let account = ledger.map(|ledger| ledger.account(&zone.zone, zone.ack_floor));
        let of = |count: fn(&crate::ledger::account::Account) -> u64| account.as_ref().map(count);
        json!({
            "name": zone.zone,
            "role": zone.role,
            "stream": {
                "first_seq": zone.first_seq, "last_seq": zone.last_seq, "messages": zone.messages,
            },
            "consumer": {
                "delivered": zone.delivered, "ack_floor": zone.ack_floor,
                "paused": zone.paused, "rate": zone.rate,
            },
            "mirror": {
                "true_lag": zone.true_lag, "reported_lag": zone.reported_lag,
                "state": zone.mirror.map(crate::region::snapshot::MirrorState::as_str),
            },
            "link": {
                "state": zone.link.map(crate::region::snapshot::LinkState::as_str),
                "effective": zone.cut_effective,
                "leafs_here": zone.leafs_here, "leafs_there": zone.leafs_there,
            },
            "recovery": zone.recovery.as_ref().map(|clock| json!({
                "healed_at_ms": clock.healed_ms, "behind": clock.behind,
                "link_up_after_ms": clock.link_up_after_ms,
                "moving_after_ms": clock.moving_after_ms,
                "caught_up_after_ms": clock.caught_up_after_ms, "nudged": clock.nudged,
            })),
            "ledger": {
                "received": zone.received,
                "acked": of(|a| a.acked), "lost": of(|a| a.lost),
                "duplicates": of(|a| a.duplicates), "redelivered": of(|a| a.redelivered),
                "processed_twice": of(|a| a.processed_twice), "reordered": of(|a| a.reordered),
                "corrupt": of(|a| a.corrupt), "unexpected": of(|a| a.unexpected),
            },
        })
    });
    let producer = &sample.producer;
    json!({
        "at_ms": sample.at,
        "zones": zones.collect::<Vec<_>>(),
        "producer": {
            "active": producer.active, "rate": producer.rate, "acked": producer.acked,
            "failed": producer.failed, "unknown": producer.unknown,
            "connection": producer.connection, "reconnects": producer.reconnects,
        },
    })
}
