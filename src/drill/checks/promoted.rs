//! What the checks of a failover share: the ledger's word of the promotion, and each replica of the
//! promoted zone as it was read at the end.

use super::{
    Case, Finding, ReplicaAudit,
    reason::{Place, Reason},
};
use crate::{
    ledger::{
        finding::{
            Judgement, ZoneFinding,
            fault::{Fault, Kind},
            judge_replica,
        },
        promotion::Promotion,
    },
    region::ZoneName,
};

/// The zone that takes the source's place.
pub(super) fn zone<'a>(case: &Case<'a>) -> &'a ZoneName {
    &case.begin.mirror
}

/// What the ledger knows of its promotion.
pub(super) fn promotion(case: &Case<'_>) -> Result<Promotion, Reason> {
    let zone = zone(case);
    case.ledger.promotion(zone).ok_or_else(|| Reason::NotPromoted { zone: zone.clone() })
}

/// Every replica of the promoted zone, judged by the zone's own line of the ledger.
pub(super) fn replicas<'a>(
    case: &Case<'a>,
) -> Result<Vec<(&'a ReplicaAudit, ZoneFinding)>, Reason> {
    let zone = zone(case);
    let drained = case.is_drained(zone);
    let mut all = Vec::new();
    for replica in zone.nodes() {
        let read = case.streams.iter().find(|read| read.replica == replica);
        let Some(read) = read.filter(|read| read.audit.zone() == zone) else {
            let why = case.run.unread.iter().find(|(_, unread, _)| *unread == replica);
            let why = why.map(|(_, _, why)| why.clone());
            return Err(Reason::Unread { replica, why });
        };
        all.push((read, judge_replica(case.ledger, &read.audit, None, drained)));
    }
    Ok(all)
}

/// A finding for each replica with such faults.
pub(super) fn damaged(
    id: &str,
    replicas: &[(&ReplicaAudit, ZoneFinding)],
    such: impl Fn(&Fault) -> bool,
) -> Vec<Finding> {
    let found = replicas.iter().filter_map(|(read, found)| {
        let Judgement::Broken { faults } = &found.judgement else { return None };
        let faults: Vec<Fault> = faults.iter().filter(|fault| such(fault)).cloned().collect();
        let place = Place::Replica(read.replica.clone());
        (!faults.is_empty()).then(|| Finding::broken(id, Reason::Damaged { place, faults }))
    });
    found.collect()
}

/// Messages that are not there.
pub(super) fn is_loss(fault: &Fault) -> bool {
    fault.of(Kind::Lost) || fault.of(Kind::NotReceived)
}
