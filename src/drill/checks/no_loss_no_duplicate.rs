//! Did each zone's consumer receive every acknowledged message, once on the stream, in order, as it
//! was sent?
//!
//! Observed: the ledger's account of what each consumer processed, message by message, beside what
//! the producer sent and the source acknowledged; each consumer's ack floor and each stream's end,
//! as the zone's own servers say at the end.

use super::{
    Check, Finding,
    case::Case,
    live::{Live, LiveCounter},
    reason::{Place, Reason},
};
use crate::{
    command::{Command, Produce},
    ledger::finding::{Evidence, Judgement, ZoneFinding, judge as judge_zone},
    region::{
        ZoneName,
        status::{Verdict, Zone},
    },
};

pub(super) static CHECK: Check = Check {
    id: "no-loss-no-duplicate",
    was: &["whole"],
    question: "did each zone's consumer receive every acknowledged message, once, in order, as it was sent?",
    by_ledger: true,
    by_replicas: false,
    live,
    judge,
};

impl Case<'_> {
    /// The region's other zones. Whatever they lack does not make a drill void that is not about
    /// them; damage in them is damage all the same.
    pub(super) fn bystanders(&self) -> Vec<&ZoneName> {
        let about = self.zones();
        let read = self.streams.iter().map(|stream| stream.audit.zone());
        let mut others: Vec<_> = self.ledger.zones().chain(read).collect();
        others.retain(|zone| !about.contains(zone));
        others.sort();
        others.dedup();
        others
    }
}

fn judge(case: &Case<'_>) -> Vec<Finding> {
    let mut findings: Vec<_> = case.zones().into_iter().map(|zone| received(case, zone)).collect();
    let others = case.bystanders().into_iter().map(|zone| received(case, zone));
    findings.extend(others.filter(|finding| finding.verdict == Verdict::Broken));
    findings
}

pub(super) fn received(case: &Case<'_>, zone: &ZoneName) -> Finding {
    let floor = case.run.last(zone).and_then(Zone::ack_floor);
    let account = case.ledger.account(zone, floor);
    let drained = case.is_drained(zone);
    let evidence = Evidence { account: &account, stream: None, fidelity: None, drained };
    let found = judge_zone(case.ledger, zone, &evidence);
    let place = Place::Zone(zone.clone());
    let (mut acked, mut received) = (0, 0);
    for produced in case.run.produced() {
        acked += case.ledger.acked_of(produced.producer);
        received += case.ledger.received_of(zone, produced.producer);
    }
    let zone = zone.clone();
    let reason = match &found.judgement {
        Judgement::Broken { .. } => {
            return numbered(Finding::broken(CHECK.id, damaged(place, &found)), &found);
        }
        Judgement::Whole if acked > 0 && drained && received >= acked => {
            let (redelivered, processed_twice) = (found.redelivered, found.processed_twice);
            let reason = Reason::NoneLost { zone, acked, redelivered, processed_twice };
            return of_drill(Finding::proved(CHECK.id, reason), acked, received, &found);
        }
        Judgement::Whole if acked == 0 => Reason::NothingAcked { place },
        Judgement::Whole if !drained => Reason::NotDrained { zone },
        Judgement::Whole => Reason::NotKnownReceived { zone, received, acked },
        Judgement::NotYet { count, .. } => Reason::StillToCome { place, count: *count },
        Judgement::Void { damage, affected } => {
            Reason::EvidenceDamaged { place, damage: damage.clone(), affected: *affected }
        }
        Judgement::NotRead { why } => Reason::Undecided { place, said: why.clone() },
        Judgement::Nothing => Reason::NothingAcked { place },
    };
    of_drill(Finding::void(CHECK.id, reason), acked, received, &found)
}

/// What is wrong there.
pub(super) fn damaged(place: Place, found: &ZoneFinding) -> Reason {
    let faults = match &found.judgement {
        Judgement::Broken { faults } => faults.clone(),
        _ => Vec::new(),
    };
    Reason::Damaged { place, faults }
}

fn of_drill(finding: Finding, acked: u64, received: u64, found: &ZoneFinding) -> Finding {
    let finding = finding.with("of this drill acked", acked);
    numbered(finding.with("of this drill received", received), found)
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
pub(super) fn faults(finding: Finding, found: &ZoneFinding) -> Finding {
    finding
        .with("duplicates", found.duplicates)
        .with("reordered", found.reordered)
        .with("corrupt", found.corrupt)
        .with("unexpected", found.unexpected + found.mismatched)
}

fn live(live: &Live<'_>, counters: &mut Vec<LiveCounter>) {
    let run = live.run;
    let (first, last) = (run.samples.first(), run.samples.last());
    let reported: u64 = run.produced().map(|produced| produced.acked).sum();
    // What a running `produce` has got acknowledged is in the samples alone.
    let running = run.given.iter().any(|given| {
        given.answer.is_none()
            && matches!(&given.command, Some(Command::Produce(what)) if *what != Produce::Stop)
    });
    let sampled = first
        .zip(last)
        .filter(|_| running || !live.begin.by_hand.is_empty())
        .map_or(0, |(was, is)| is.acked().saturating_sub(was.acked()));
    counters.push(LiveCounter::known("acked in this drill", Some(reported.max(sampled))));
    let (source, zone) = (&live.begin.source, &live.begin.mirror);
    let got = |zone: &ZoneName| {
        let (had, is) = (first?.zone(zone)?.ledger.received, run.last(zone)?.ledger.received);
        // What was still on its way when the drill began is not of this drill.
        Some(is.saturating_sub(had.max(first?.acked())))
    };
    let both = got(source).zip(got(zone)).map(|(there, here)| format!("{there}, {here}"));
    counters.push(LiveCounter::known(&format!("received in {source}, {zone}"), both));
    let lag = run.last(zone).and_then(Zone::true_lag);
    counters.push(LiveCounter::known(&format!("{zone} true lag"), lag));
}
