//! Does every replica of every zone hold the same messages, sequence by sequence?
//!
//! Observed: each replica's stream, read from that very node from its first to its last message at
//! the end of the run; the source's replica that has the least wrong with it, to compare with; the
//! ledger, for what was sent and acknowledged.

use super::{
    Check, Finding, ReplicaAudit,
    case::Case,
    no_loss_no_duplicate::{damaged, faults},
    reason::{Place, Reason},
};
use crate::{
    ledger::{
        audit::compare_copy,
        finding::{Judgement, ZoneFinding, judge_replica},
        fingerprint::compare_through,
    },
    region::{
        CopyKind, ZoneName,
        status::{Verdict, Zone},
    },
};

pub(super) static CHECK: Check = Check {
    id: "replicas-identical",
    was: &["faithful"],
    question: "does every replica of every zone hold the same messages, sequence by sequence?",
    by_ledger: true,
    by_replicas: true,
    live: |_, _| {},
    judge,
};

/// A finding for each zone, or for each of its replicas that is damaged.
fn judge(case: &Case<'_>) -> Vec<Finding> {
    let reference = reference(case);
    let mut findings = Vec::new();
    for zone in case.zones() {
        findings.extend(replicas(case, zone, reference));
    }
    for zone in case.bystanders() {
        let found = replicas(case, zone, reference).into_iter();
        findings.extend(found.filter(|finding| finding.verdict == Verdict::Broken));
    }
    findings
}

/// The replica that the others are compared with: of the source's the one with the least wrong, so
/// that a damaged one does not accuse the whole ones.
fn reference<'a>(case: &Case<'a>) -> Option<&'a ReplicaAudit> {
    let of_source = case.streams.iter().filter(|read| *read.audit.zone() == case.begin.source);
    of_source.min_by_key(|read| {
        let found = look(case, read, None);
        found.troubles.iter().map(|trouble| trouble.count).sum::<u64>()
    })
}

/// The last sequence of a stream as its leader said before it was read: the message may be deleted.
/// Older records do not hold it; there it is the one of the last sample.
fn through(case: &Case<'_>, read: &ReplicaAudit) -> u64 {
    let said = case.run.streams.iter().find(|said| said.replica == read.replica);
    said.and_then(|said| said.through).unwrap_or_else(|| through_at_the_end(case, read))
}

/// The one that it has in the last sample.
fn through_at_the_end(case: &Case<'_>, read: &ReplicaAudit) -> u64 {
    let last = case.run.last(read.audit.zone()).and_then(Zone::last_seq).unwrap_or_default();
    case.ledger.sequence(last)
}

/// What a replica holds, by itself and beside another one.
fn look(case: &Case<'_>, read: &ReplicaAudit, reference: Option<&ReplicaAudit>) -> ZoneFinding {
    let fidelity = reference.map(|reference| {
        let (source, ours) = (&reference.audit, &read.audit);
        let ends = (through(case, reference), through(case, read));
        if case.begin.copy_kind == CopyKind::Sources && source.zone() != ours.zone() {
            return compare_copy((source, ends.0), (ours, ends.1));
        }
        compare_through((source.fingerprint(), ends.0), (ours.fingerprint(), ends.1))
    });
    // Of a stream that went on while it was read, what is not in it may have come since.
    let stood_still = through(case, read) >= through_at_the_end(case, read);
    let drained = case.is_drained(read.audit.zone()) && stood_still;
    judge_replica(case.ledger, &read.audit, fidelity.as_ref(), drained)
}

fn replicas(case: &Case<'_>, zone: &ZoneName, reference: Option<&ReplicaAudit>) -> Vec<Finding> {
    let mut void = None;
    let mut broken = Vec::new();
    // How many are whole, and what each of them then holds.
    let (mut whole, mut held) = (0, None);
    let external = case.begin.is_external();
    // Of a region of others the stream's leader alone is read: for its zone.
    for replica in zone.nodes().take(if external { 1 } else { usize::MAX }) {
        let stream = case.streams.iter().find(|stream| stream.replica == replica);
        let Some(stream) = stream.filter(|stream| stream.audit.zone() == zone) else {
            let why = case.run.unread.iter().find(|(_, unread, _)| *unread == replica);
            let why = why.map(|(_, _, why)| why.clone());
            let said = why.clone().unwrap_or_else(|| "its stream was not read".into());
            let place = Place::Zone(zone.clone());
            void.get_or_insert(if external {
                Reason::Undecided { place, said }
            } else {
                Reason::Unread { replica, why }
            });
            continue;
        };
        let print = stream.audit.fingerprint();
        let ends = print.first().map(|first| (first, print.last()));
        let recorded = case.run.streams.iter().any(|said| {
            said.zone == *zone
                && said.replica == replica
                && said.messages == print.messages()
                && said.ends == ends
        });
        let found = look(case, stream, reference);
        let place =
            || if external { Place::Zone(zone.clone()) } else { Place::Replica(replica.clone()) };
        let reason = match &found.judgement {
            Judgement::Broken { .. } => {
                let finding = Finding::broken(CHECK.id, damaged(place(), &found))
                    .with("zone", zone)
                    .with("replica", &replica)
                    .with("acked", found.acked)
                    .with("on the stream", print.messages())
                    .with("lost", found.lost.total());
                broken.push(faults(finding, &found));
                continue;
            }
            _ if !recorded => Reason::ReadDiffers { replica },
            Judgement::Whole => match found.equal_through {
                Some(through) => {
                    (whole, held) = (whole + 1, Some((print.messages(), through)));
                    continue;
                }
                None => Reason::NoReference { replica },
            },
            Judgement::NotYet { count, .. } => {
                Reason::StillToCome { place: place(), count: *count }
            }
            Judgement::Void { damage, affected } => Reason::EvidenceDamaged {
                place: place(),
                damage: damage.clone(),
                affected: *affected,
            },
            Judgement::NotRead { why } => Reason::Undecided { place: place(), said: why.clone() },
            Judgement::Nothing => Reason::NothingAcked { place: place() },
        };
        void.get_or_insert(reason);
    }
    if !broken.is_empty() {
        return broken;
    }
    let none = || Reason::NoReplicas { zone: zone.clone() };
    let (messages, through) = match (void, held) {
        (None, Some(held)) => held,
        (void, _) => return vec![Finding::void(CHECK.id, void.unwrap_or_else(none))],
    };
    let reason = Reason::Identical {
        zone: zone.clone(),
        replicas: whole,
        messages,
        source: case.begin.source.clone(),
        through,
    };
    vec![
        Finding::proved(CHECK.id, reason)
            .with("zone", zone)
            .with("replicas", whole)
            .with("messages", messages)
            .with("equal through", through),
    ]
}
