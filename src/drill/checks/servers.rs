//! Were the source zone's servers neither restarted nor reloaded?
//!
//! The room does neither to a running server, and a drill's own `node` commands are in its record:
//! whoever did it was somebody else, and what the zone's joining alone does was not seen.
//!
//! Observed: each server's own id, start time and configuration load time, as it answers at the
//! beginning, around the joining, and at the end.

use super::{Check, Finding, case::Case, or_void, reason::Reason};
use crate::region::{MirrorKind, observation::ServerFacts};

pub(super) static CHECK: Check = Check {
    id: "servers",
    was: &[],
    question: "were the source zone's servers neither restarted nor reloaded?",
    by_ledger: false,
    by_replicas: false,
    live: |_, _| {},
    judge: |case| or_void(&CHECK, judge(case)),
};

fn judge(case: &Case<'_>) -> Result<Finding, Reason> {
    let source = &case.begin.source;
    let of = |facts: &[ServerFacts]| -> Vec<Option<ServerFacts>> {
        source
            .nodes()
            .map(|node| facts.iter().find(|fact| fact.node == node.to_string()).cloned())
            .collect()
    };
    let looks = &case.run.servers;
    // Every look is compared with the first that knew the node.
    let mut first: Vec<Option<ServerFacts>> = vec![None; source.nodes().count()];
    for look in looks {
        for (known, now) in first.iter_mut().zip(of(look)) {
            match (known.as_ref(), now) {
                (Some(known), Some(now)) if *known != now => {
                    let restarted = known.start != now.start || known.server_id != now.server_id;
                    let (node, zone) = (now.node, source.clone());
                    let reason = Reason::ServerChanged { node, zone, restarted };
                    return Err(reason);
                }
                (None, Some(now)) => *known = Some(now),
                _ => {}
            }
        }
    }
    let complete = |look: Option<&Vec<ServerFacts>>| {
        look.is_some_and(|look| {
            of(look).iter().all(|fact| {
                fact.as_ref().is_some_and(|fact| {
                    !fact.server_id.is_empty()
                        && !fact.start.is_empty()
                        && !fact.config_load_time.is_empty()
                })
            })
        })
    };
    if looks.len() < 2 || !complete(looks.first()) || !complete(looks.last()) {
        return Err(Reason::ServersUnknown { zone: source.clone() });
    }
    let (zone, count) = (source.clone(), first.len());
    let durable = case.begin.mirror_kind == MirrorKind::Durable;
    let mut finding = Finding::proved(CHECK.id, Reason::ServersUntouched { zone, count, durable });
    for fact in first.into_iter().flatten() {
        finding = finding
            .with(&format!("{} started", fact.node), &fact.start)
            .with(&format!("{} configuration loaded", fact.node), &fact.config_load_time);
    }
    Ok(finding)
}
