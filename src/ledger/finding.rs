//! The judgement on one zone: what the ledger, the zone's stream and the comparison with the
//! source add up to.

pub mod fault;
mod judgement;
mod numbers;

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

pub use self::judgement::{Judgement, Outlook};
use self::{
    fault::{Fault, Kind},
    numbers::Numbers,
};
use super::{
    Ledger,
    account::{Account, FIRST_OFFENDERS, lowest},
    audit::StreamAudit,
    damage::Damage,
    fingerprint::Fidelity,
    set::NumberSet,
    zone::Zone,
};
use crate::region::ZoneName;

/// Where lost messages are missing: before everything that is there, after it, or in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Before the first that is there.
    pub prefix: u64,
    /// Between the first and the last.
    pub middle: u64,
    /// After the last: the end was cut off.
    pub postfix: u64,
}

impl Lost {
    /// All of them.
    #[must_use]
    pub fn total(self) -> u64 {
        self.prefix + self.middle + self.postfix
    }

    /// Sorts the lowest `count` of the missing sequences by what is there.
    fn split(missing: &NumberSet, count: u64, there: Option<(u64, u64)>) -> Self {
        let up_to = |seq: u64| missing.count_up_to(seq).min(count);
        let Some((first, last)) = there else { return Self { postfix: count, ..Self::default() } };
        let (prefix, before_end) = (up_to(first), up_to(last));
        Self { prefix, middle: before_end - prefix, postfix: count - before_end }
    }
}

/// An offender by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offender {
    pub seq: u64,
    /// The message that belongs there (`k3f9q2-p4-123`), if the ledger knows.
    pub message: Option<String>,
}

/// Kinds of trouble, each with the first offenders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    pub kind: Kind,
    pub count: u64,
    /// The first of them.
    pub first: Vec<Offender>,
}

/// What is found in one zone. `verify --json` prints it as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ZoneFinding {
    pub zone: ZoneName,
    /// What it adds up to.
    pub judgement: Judgement,
    /// Messages acknowledged by the source, all producers.
    pub acked: u64,
    /// Messages whose outcome nobody knows.
    pub unknown: u64,
    /// Of those never acknowledged, the ones that were received nevertheless: no fault.
    pub recovered: u64,
    /// Messages on the zone's stream; `None` if it was not read.
    pub on_stream: Option<u64>,
    /// Distinct messages the zone's consumer processed.
    pub received: u64,
    /// Acknowledged and not on the zone's stream. Zero if it was not read.
    pub lost: Lost,
    /// Acknowledged and never processed by the zone's consumer, which will not get them any more.
    pub not_received: Lost,
    /// Messages of which the ledger, cut short, cannot tell whether they were sent, acknowledged or
    /// processed.
    pub unrecorded: u64,
    /// Acknowledged and still to come (to the stream or to the consumer, the greater).
    pub behind: u64,
    /// Messages at a second sequence.
    pub duplicates: u64,
    /// Deliveries after a sequence's first: legal.
    pub redelivered: u64,
    /// Sequences processed more than once: legal.
    pub processed_twice: u64,
    /// Messages that stand after a higher number of their producer.
    pub reordered: u64,
    /// Likewise, but by the producer's own retry: no fault.
    pub late_by_resend: u64,
    /// Messages that are not as they were sent.
    pub corrupt: u64,
    /// Drill messages nobody sent, or that were refused.
    pub unexpected: u64,
    /// Messages of somebody else, who does not pretend to be a producer, after `baseline`: no fault.
    pub foreign: u64,
    /// The last sequence that stood on the stream before the ledger began; 0 for none.
    pub baseline: u64,
    /// Sequences with another message than was acknowledged there.
    pub mismatched: u64,
    /// Sequence ranges in which the mirror's stream is not the source's.
    pub differing: Vec<RangeInclusive<u64>>,
    /// Up to this sequence the mirror's stream was proved equal to the source's.
    pub equal_through: Option<u64>,
    /// What is wrong, by name.
    pub troubles: Vec<Trouble>,
}

/// What the judgement is made from.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The zone's account, with its consumer's ack floor.
    pub account: &'a Account,
    /// The zone's stream; `None` when only the files are at hand.
    pub stream: Option<&'a StreamAudit>,
    /// The comparison with the source's stream; `None` at the source, or when not made.
    pub fidelity: Option<&'a Fidelity>,
    /// Nothing more will come: production has ended, the mirror has caught up (or was given up
    /// on), the consumer has nothing pending. What is missing now is lost.
    pub drained: bool,
}

/// Judges a zone.
#[must_use]
pub fn judge(ledger: &Ledger, name: &ZoneName, evidence: &Evidence<'_>) -> ZoneFinding {
    let ledger = ledger.line(name);
    match ledger.zones.iter().find(|zone| zone.name == *name) {
        Some(zone) => look(ledger, zone, evidence),
        None => look(ledger, &Zone::new(name.clone(), ledger.acked_seqs.clone()), evidence),
    }
}

/// Judges one replica of a zone by what it holds alone: what the zone's consumer received, or did
/// not, is no fault of it.
#[must_use]
pub fn judge_replica(
    ledger: &Ledger,
    stream: &StreamAudit,
    fidelity: Option<&Fidelity>,
    drained: bool,
) -> ZoneFinding {
    let ledger = ledger.line(stream.zone());
    let nothing_received = Zone::new(stream.zone().clone(), NumberSet::default());
    let totals = ledger.totals();
    let account = Account {
        acked: totals.acked,
        unknown: totals.unknown,
        contradictions: totals.contradictions,
        ..Account::default()
    };
    let evidence = Evidence { account: &account, stream: Some(stream), fidelity, drained };
    look(ledger, &nothing_received, &evidence)
}

fn look(ledger: &Ledger, zone: &Zone, evidence: &Evidence<'_>) -> ZoneFinding {
    let Evidence { account, stream, fidelity, drained } = *evidence;
    let mut behind = if drained { 0 } else { account.behind };
    let not_received = {
        let count = if drained { account.lost + account.behind } else { account.lost };
        Lost::split(&zone.sure_missing(ledger), count, ends(&zone.seen))
    };
    let mut lost = Lost::default();
    let mut mismatched = zone.mismatched.clone();
    let mut corrupt = zone.corrupt.clone();
    let mut lost_seqs = Vec::new();
    if let Some(stream) = stream {
        let missing = stream.missing(ledger);
        let print = stream.fingerprint();
        let there = print.first().map(|first| (first, print.last()));
        // While more may come, what is missing after the end is not lost.
        let count =
            if drained { missing.seqs.len() } else { missing.seqs.count_up_to(print.last()) };
        behind = behind.max(missing.seqs.len() - count);
        // What the source acknowledged alone would stand at the end.
        lost = Lost::split(&missing.seqs, count + missing.owed, there);
        lost_seqs =
            missing.seqs.first(FIRST_OFFENDERS.min(usize::try_from(count).unwrap_or(usize::MAX)));
        mismatched = mismatched.with(&missing.misplaced);
        let before = stream.corrupt.up_to(ledger.baseline());
        corrupt = corrupt.with(&stream.corrupt.without(&before));
    }
    let mut unreceived = account.first.lost.clone();
    if drained {
        unreceived.extend(&account.first.behind);
    }

    let numbers = Numbers::gather(ledger, zone, stream);
    let foreign = stream.map_or_else(|| zone.foreign.clone(), |s| zone.foreign.with(&s.foreign));
    let plain = stream.map_or_else(|| zone.plain.clone(), |s| zone.plain.with(&s.plain));
    let before = foreign.up_to(ledger.baseline());
    let foreign = foreign.without(&before).without(&mismatched);
    let others = foreign.common(&plain);
    let foreign = foreign.without(&others);
    let second = stream.map_or_else(|| zone.second.clone(), |s| zone.second.with(&s.second));
    let unexpected = foreign.len() + numbers.unexpected;
    let mut unexpected_seqs = numbers.unexpected_seqs;
    unexpected_seqs.extend(foreign.first(FIRST_OFFENDERS));

    let trouble = |kind, count, seqs: Vec<u64>| {
        let first = lowest(seqs).into_iter().map(|seq| Offender {
            seq,
            message: ledger
                .message_at(seq)
                .map(|(producer, number)| format!("{}-p{producer}-{number}", ledger.run())),
        });
        Trouble { kind, count, first: first.collect() }
    };
    let mut seconds = second.first(FIRST_OFFENDERS);
    seconds.extend(ledger.second.first(FIRST_OFFENDERS));
    let troubles: Vec<Trouble> = [
        trouble(Kind::Lost, lost.total(), lost_seqs),
        trouble(Kind::NotReceived, not_received.total(), unreceived),
        trouble(Kind::Duplicates, numbers.duplicates, seconds),
        trouble(Kind::Reordered, numbers.reordered, numbers.reordered_seqs),
        trouble(Kind::Corrupt, corrupt.len(), corrupt.first(FIRST_OFFENDERS)),
        trouble(Kind::Unexpected, unexpected, unexpected_seqs),
        trouble(Kind::Mismatched, mismatched.len(), mismatched.first(FIRST_OFFENDERS)),
    ]
    .into_iter()
    .filter(|trouble| trouble.count > 0)
    .collect();

    let mut finding = ZoneFinding {
        zone: zone.name.clone(),
        judgement: Judgement::Nothing,
        acked: account.acked,
        unknown: account.unknown,
        recovered: account.recovered,
        on_stream: stream.map(|stream| stream.fingerprint().messages()),
        received: account.received,
        lost,
        not_received,
        unrecorded: account.unrecorded.max(numbers.unrecorded),
        behind,
        duplicates: numbers.duplicates,
        redelivered: account.redelivered,
        processed_twice: account.processed_twice,
        reordered: numbers.reordered,
        late_by_resend: numbers.late_by_resend,
        corrupt: corrupt.len(),
        unexpected,
        foreign: others.len(),
        baseline: ledger.baseline(),
        mismatched: mismatched.len(),
        differing: fidelity.map(|f| f.differing.clone()).unwrap_or_default(),
        equal_through: fidelity.map(|f| f.equal_through),
        troubles,
    };
    finding.judgement = conclude(&finding, evidence, ledger.damage().cloned());
    finding
}

/// What the numbers add up to.
fn conclude(finding: &ZoneFinding, evidence: &Evidence<'_>, damage: Option<Damage>) -> Judgement {
    let mut faults: Vec<Fault> = finding
        .troubles
        .iter()
        .map(|Trouble { kind, count, .. }| {
            let at = match kind {
                Kind::Lost => Some(finding.lost),
                Kind::NotReceived => Some(finding.not_received),
                _ => None,
            };
            Fault::Messages { kind: *kind, count: *count, at }
        })
        .collect();
    if let Some(fidelity) = evidence.fidelity {
        if let Some(range) = fidelity.unexplained() {
            faults.push(Fault::Differs { first: *range.start(), last: *range.end() });
        }
        if let Some(first) = fidelity.kept.first() {
            let (count, first) = (fidelity.kept_messages, *first.start());
            faults.push(Fault::DeletedAtSource { count, first });
        }
        if let Some(first) = fidelity.first_swallowed {
            faults.push(Fault::Swallowed { count: fidelity.swallowed, first });
        }
        if fidelity.beyond > 0 {
            faults.push(Fault::Beyond { sequences: fidelity.beyond });
        }
        if fidelity.behind > 0 && evidence.drained {
            faults.push(Fault::EndsEarly { sequences: fidelity.behind });
        }
    }
    let contradictions = evidence.account.contradictions;
    if contradictions > 0 {
        faults.push(Fault::Contradictions { count: contradictions });
    }
    if !faults.is_empty() {
        faults.extend(damage.map(|damage| Fault::Evidence { damage }));
        return Judgement::Broken { faults };
    }
    if let Some(damage) = damage {
        return Judgement::Void { damage, affected: finding.unrecorded };
    }
    if finding.acked == 0 {
        return Judgement::Nothing;
    }
    let lag = evidence.fidelity.map_or(0, |fidelity| fidelity.behind);
    match finding.behind.max(lag) {
        0 => Judgement::Whole,
        count => Judgement::NotYet { count, outlook: Outlook::Coming },
    }
}

/// The first and the last of a set.
fn ends(set: &NumberSet) -> Option<(u64, u64)> {
    Some((set.iter().next()?, set.max()?))
}
