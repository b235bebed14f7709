//! Did both zones consume before and after? Without that, "nothing lost" would be empty.
//!
//! Observed: the ledger's count of distinct messages that each zone's consumer processed, at the
//! samples around the phases `before` and `after`.

use super::{
    Check, Finding,
    case::{Case, PROGRESS},
    or_void,
    reason::{Reason, Unknown},
};

pub(super) static CHECK: Check = Check {
    id: "progress",
    was: &[],
    question: "did both zones consume before and after?",
    by_ledger: false,
    by_replicas: false,
    live: |_, _| {},
    judge: |case| or_void(&CHECK, judge(case)),
};

fn judge(case: &Case<'_>) -> Result<Finding, Reason> {
    let mut numbers = Vec::new();
    let mut zones = Vec::new();
    for zone in [&case.begin.source, &case.begin.mirror] {
        let mut counts = Vec::new();
        for name in ["before", "after"] {
            let count = case.received_in(case.phase(name)?, zone);
            let unknown = Reason::Unknown { what: Unknown::Received, zone: Some(zone.clone()) };
            let count = count.ok_or(unknown)?;
            let phase = name.to_owned();
            if count < PROGRESS {
                let (zone, needed) = (zone.clone(), PROGRESS);
                return Err(Reason::NoProgress { zone, phase, count, needed });
            }
            numbers.push((format!("{zone} received {name}"), count.to_string()));
            counts.push((phase, count));
        }
        zones.push((zone.clone(), counts));
    }
    let mut finding = Finding::proved(CHECK.id, Reason::Progress { zones });
    finding.numbers = numbers;
    Ok(finding)
}
