//! Are the script's own expectations met when the run ends? Made of every run.
//!
//! Observed: the fields that an expectation names, as the last sample shows them.

use serde_json::{Value, json};

use super::{Finding, case::Case, reason::Reason};
use crate::{
    drill::{condition::Condition, record::Sample},
    ledger::Ledger,
};

/// The id of its findings.
pub(super) const ID: &str = "expectations";

/// One finding for each.
pub(super) fn judge(case: &Case<'_>) -> Vec<Finding> {
    let samples = &case.run.samples;
    let now = samples.last().map_or(Value::Null, |sample| status(sample, Some(case.ledger)));
    let start = samples.first().map_or(Value::Null, |sample| status(sample, None));
    // What an interrupted run did not come to breaks nothing.
    let look = |condition: &Condition| {
        let held = condition.holds(&now, &start);
        let reason = Reason::Expectation { condition: condition.to_string(), seen: held.seen };
        if held.met {
            Finding::proved(ID, reason)
        } else if condition.fails(&now, &start) && case.run.interrupted.is_none() {
            Finding::broken(ID, reason)
        } else {
            Finding::void(ID, reason)
        }
    };
    case.script.expects.iter().map(look).collect()
}

/// Every expectation was met before the first step (of none, all are).
pub(super) fn met_from_the_start(case: &Case<'_>) -> bool {
    let start = case.run.samples.first().map_or(Value::Null, |sample| status(sample, None));
    case.script.expects.iter().all(|condition| condition.holds(&start, &start).met)
}

/// A sample as conditions read it; with the messages as the ledger counts them in the end.
fn status(sample: &Sample, ledger: Option<&Ledger>) -> Value {
    let mut status = sample.status.clone();
    status.at_ms = sample.at;
    for zone in status.zones.iter_mut().filter(|_| ledger.is_some()) {
        let received = zone.ledger.received;
        let account = ledger.map(|ledger| ledger.account(&zone.name, zone.passed_over()));
        zone.ledger = account.as_ref().map(Into::into).unwrap_or_default();
        zone.ledger.received = received;
    }
    let old = status.zones.iter().any(|zone| zone.recorded.is_some());
    let mut value = status.document();
    if let Some(zones) = value["zones"].as_array_mut().filter(|_| old && ledger.is_none()) {
        // A record of format 1 or 2 holds no other count.
        for zone in zones {
            zone["ledger"] = json!({ "received": zone["ledger"]["received"] });
        }
    }
    value
}
