//! Nothing lost, duplicated, reordered, corrupt or unexpected: by the ledger, and by every replica
//! of every zone.

use super::{Case, Finding, ReplicaAudit};
use crate::{
    ledger::{
        finding::{Evidence, Judgement, ZoneFinding, judge, judge_replica},
        fingerprint::compare,
    },
    region::{ZoneName, snapshot::Verdict},
};

const WHOLE: &str = "whole";
const FAITHFUL: &str = "faithful";

impl Case<'_> {
    /// The zones a verdict is about.
    fn zones(&self) -> Vec<&ZoneName> {
        let mut zones = vec![&self.begin.source, &self.begin.mirror];
        zones.extend(self.begin.new_zone.iter().filter(|_| self.grows()));
        zones
    }

    /// The region's other zones. Whatever they lack does not make a drill void that is not about
    /// them; damage in them is damage all the same.
    fn bystanders(&self) -> Vec<&ZoneName> {
        let about = self.zones();
        let read = self.streams.iter().map(|stream| stream.audit.zone());
        let mut others: Vec<_> = self.ledger.zones().chain(read).collect();
        others.retain(|zone| !about.contains(zone));
        others.sort();
        others.dedup();
        others
    }

    /// The script adds a zone.
    fn grows(&self) -> bool {
        self.script
            .lines()
            .any(|line| matches!(line.parse(), Ok(crate::command::Command::ZoneAdd { .. })))
    }

    /// Nothing more will come to a zone: it has all the source has, and its consumer has done it.
    fn is_drained(&self, zone: &ZoneName) -> bool {
        let done = || {
            let (here, there) = (self.run.last(zone)?, self.run.last(&self.begin.source)?);
            let last = here.last_seq?;
            Some(
                last >= there.last_seq?
                    && here.ack_floor? >= last
                    && !self.run.samples.last()?.producer.active,
            )
        };
        self.run.ended.is_some() && self.run.interrupted.is_none() && done() == Some(true)
    }

    /// What the consumer of a zone received.
    fn judge(&self, zone: &ZoneName) -> ZoneFinding {
        let floor = self.run.last(zone).and_then(|zone| zone.ack_floor);
        let account = self.ledger.account(zone, floor);
        let drained = self.is_drained(zone);
        judge(
            self.ledger,
            zone,
            &Evidence { account: &account, stream: None, fidelity: None, drained },
        )
    }

    /// What a replica holds, by itself and beside another one.
    fn judge_replica(
        &self,
        stream: &ReplicaAudit,
        reference: Option<&ReplicaAudit>,
    ) -> ZoneFinding {
        let fidelity = reference
            .map(|reference| compare(reference.audit.fingerprint(), stream.audit.fingerprint()));
        let drained = self.is_drained(stream.audit.zone());
        judge_replica(self.ledger, &stream.audit, fidelity.as_ref(), drained)
    }
}

/// What the consumers received.
pub(super) fn whole(case: &Case<'_>) -> Vec<Finding> {
    let mut findings: Vec<_> = case.zones().into_iter().map(|zone| received(case, zone)).collect();
    let others = case.bystanders().into_iter().map(|zone| received(case, zone));
    findings.extend(others.filter(is_broken));
    findings
}

fn is_broken(finding: &Finding) -> bool {
    finding.verdict == Verdict::Broken
}

fn received(case: &Case<'_>, zone: &ZoneName) -> Finding {
    let found = case.judge(zone);
    if let Judgement::Broken { reasons } = &found.judgement {
        return numbered(
            Finding::broken(WHOLE, format!("zone {zone}: {}", reasons.join("; "))),
            &found,
        );
    }
    let (mut acked, mut got) = (0, 0);
    for produced in case.run.produced() {
        acked += case.ledger.acked_of(produced.producer);
        got += case.ledger.received_of(zone, produced.producer);
    }
    let finding = match &found.judgement {
        Judgement::Whole if acked == 0 => {
            Finding::void(WHOLE, format!("zone {zone}: no message of this drill was acknowledged"))
        }
        Judgement::Whole if !case.is_drained(zone) => Finding::void(
            WHOLE,
            format!("zone {zone} was not seen to have done everything at the end"),
        ),
        Judgement::Whole if got >= acked => Finding::proved(
            WHOLE,
            format!(
                "zone {zone} received each of the {acked} acknowledged messages of this drill: 0 lost, 0 duplicated, 0 reordered, 0 corrupt, 0 unexpected (in all the region's life {} redelivered and {} processed twice, which is legal)",
                found.redelivered, found.processed_twice
            ),
        ),
        Judgement::Whole => Finding::void(
            WHOLE,
            format!(
                "zone {zone} is known to have received {got} of {acked} messages of this drill"
            ),
        ),
        Judgement::NotYet { why } | Judgement::Void { why } => {
            Finding::void(WHOLE, format!("zone {zone}: {why}"))
        }
        Judgement::Nothing => {
            Finding::void(WHOLE, format!("zone {zone}: no message was acknowledged"))
        }
        Judgement::Broken { .. } => unreachable_broken(zone),
    };
    numbered(finding.with("of this drill acked", acked).with("of this drill received", got), &found)
}

/// Broken was answered before; should that ever change, it stays broken.
fn unreachable_broken(zone: &ZoneName) -> Finding {
    Finding::broken(WHOLE, format!("zone {zone} is broken"))
}

fn numbered(finding: Finding, found: &ZoneFinding) -> Finding {
    let finding = finding
        .with("zone", &found.zone)
        .with("acked", found.acked)
        .with("received", found.received)
        .with("lost", found.not_received.total())
        .with("redelivered", found.redelivered)
        .with("processed twice", found.processed_twice);
    faults(finding, found).with("unknown outcome", found.unknown)
}

/// The faults that are counted alike in what was received and in what a replica holds.
fn faults(finding: Finding, found: &ZoneFinding) -> Finding {
    finding
        .with("duplicates", found.duplicates)
        .with("reordered", found.reordered)
        .with("corrupt", found.corrupt)
        .with("unexpected", found.unexpected + found.mismatched)
}

/// What every replica holds: a finding for each zone, or for each of its replicas that is damaged.
pub(super) fn faithful(case: &Case<'_>) -> Vec<Finding> {
    let reference = reference(case);
    let mut findings = Vec::new();
    for zone in case.zones() {
        findings.extend(replicas(case, zone, reference));
    }
    for zone in case.bystanders() {
        findings.extend(replicas(case, zone, reference).into_iter().filter(is_broken));
    }
    findings
}

/// The replica that the others are compared with: of the source's the one with the least to say
/// against it, so that a damaged one does not accuse the whole ones.
fn reference<'a>(case: &Case<'a>) -> Option<&'a ReplicaAudit> {
    let of_source = case.streams.iter().filter(|read| *read.audit.zone() == case.begin.source);
    of_source.min_by_key(|read| {
        let found = case.judge_replica(read, None);
        found.troubles.iter().map(|trouble| trouble.count).sum::<u64>()
    })
}

fn replicas(case: &Case<'_>, zone: &ZoneName, reference: Option<&ReplicaAudit>) -> Vec<Finding> {
    let mut void = None;
    let mut broken = Vec::new();
    let mut read = Vec::new();
    for node in zone.nodes() {
        let stream = case.streams.iter().find(|stream| stream.replica == node);
        let Some(stream) = stream.filter(|stream| stream.audit.zone() == zone) else {
            let why = case.run.unread.iter().find(|(_, replica, _)| *replica == node);
            let why = why.map_or_else(String::new, |(_, _, why)| format!(": {why}"));
            void.get_or_insert(format!("the replica of {node} was not read{why}"));
            continue;
        };
        let print = stream.audit.fingerprint();
        let ends = print.first().map(|first| (first, print.last()));
        let recorded = case.run.streams.iter().any(|said| {
            said.zone == *zone
                && said.replica == node
                && said.messages == print.messages()
                && said.ends == ends
        });
        let found = case.judge_replica(stream, reference);
        match &found.judgement {
            Judgement::Broken { reasons } => {
                let text = format!("replica {node}: {}", reasons.join("; "));
                let finding = Finding::broken(FAITHFUL, text)
                    .with("zone", zone)
                    .with("replica", &node)
                    .with("acked", found.acked)
                    .with("on the stream", print.messages())
                    .with("lost", found.lost.total());
                broken.push(faults(finding, &found));
            }
            _ if !recorded => {
                void.get_or_insert(format!("what was read of {node} is not what the record says"));
            }
            Judgement::Whole if reference.is_some() => {
                read.push((node, print.messages(), found.equal_through));
            }
            Judgement::Whole => {
                void.get_or_insert(format!("there is nothing to compare {node} with"));
            }
            Judgement::NotYet { why } | Judgement::Void { why } => {
                void.get_or_insert(format!("replica {node}: {why}"));
            }
            Judgement::Nothing => {
                void.get_or_insert(format!("replica {node}: no message was acknowledged"));
            }
        }
    }
    if !broken.is_empty() {
        return broken;
    }
    if let Some(why) = void {
        return vec![Finding::void(FAITHFUL, why)];
    }
    let Some((_, messages, through)) = read.first() else {
        return vec![Finding::void(FAITHFUL, format!("zone {zone} has no replicas"))];
    };
    let through = through.unwrap_or(0);
    let finding = Finding::proved(
        FAITHFUL,
        format!(
            "all {} replicas of zone {zone} hold the same {messages} messages as zone {}, sequence by sequence to {through}",
            read.len(),
            case.begin.source
        ),
    );
    vec![
        finding
            .with("zone", zone)
            .with("replicas", read.len())
            .with("messages", messages)
            .with("equal through", through),
    ]
}
