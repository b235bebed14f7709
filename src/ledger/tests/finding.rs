//! What an account, a stream and a comparison add up to.

use super::{
    super::{
        damage::Damage,
        finding::{
            Evidence, Judgement, Lost, Outlook, ZoneFinding,
            fault::{Fault, Kind},
            judge, judge_replica,
        },
        fingerprint::Fidelity,
    },
    *,
};

fn found(ledger: &Ledger, stream: Option<&StreamAudit>, floor: u64, drained: bool) -> ZoneFinding {
    let account = ledger.account(&zone("b"), Some(floor));
    let evidence = Evidence { account: &account, stream, fidelity: None, drained };
    judge(ledger, &zone("b"), &evidence)
}

/// How many are in trouble of a kind, and which are named first.
fn trouble(found: &ZoneFinding, kind: Kind) -> (u64, Vec<u64>) {
    let trouble = found.troubles.iter().find(|trouble| trouble.kind == kind);
    trouble.map_or((0, vec![]), |trouble| {
        (trouble.count, trouble.first.iter().map(|offender| offender.seq).collect())
    })
}

/// Twenty messages at 1 to 20.
fn twenty() -> Vec<Record> {
    vec![intend(1, 1, 30), acked((1, 1), 1, 20)]
}

fn lost(prefix: u64, middle: u64, postfix: u64) -> Lost {
    Lost { prefix, middle, postfix }
}

#[test]
fn what_a_consumer_did_not_receive_and_where() {
    let ledger =
        ledger(&[twenty(), vec![received((1, 3), 3, 6), received((1, 10), 10, 6)]].concat());
    let going_on = found(&ledger, None, 9, false);
    assert_eq!((going_on.not_received, going_on.behind), (lost(2, 1, 0), 5));
    assert_eq!((going_on.acked, going_on.received, going_on.on_stream), (20, 12, None));
    assert_eq!(trouble(&going_on, Kind::NotReceived), (3, vec![1, 2, 9]));
    assert_eq!(going_on.troubles.len(), 1);
    let named = going_on.troubles[0].first[2].message.as_deref();
    assert_eq!(named, Some("k3f9q2-p1-9"));
    let over = found(&ledger, None, 9, true);
    assert_eq!((over.not_received, over.behind), (lost(2, 1, 5), 0));
    assert_eq!(trouble(&over, Kind::NotReceived), (8, vec![1, 2, 9, 16, 17, 18, 19, 20]));
    let at = Some(lost(2, 1, 5));
    let faults = vec![Fault::Messages { kind: Kind::NotReceived, count: 8, at }];
    assert_eq!(over.judgement, Judgement::Broken { faults });
    // A zone that nobody has heard of has received nothing.
    let account = ledger.account(&zone("c"), Some(3));
    let evidence = Evidence { account: &account, stream: None, fidelity: None, drained: false };
    let nothing = judge(&ledger, &zone("c"), &evidence);
    assert_eq!((nothing.not_received, nothing.behind, nothing.received), (lost(0, 0, 3), 17, 0));
}

#[test]
fn what_a_stream_lacks_and_where() {
    let ledger = ledger(&[twenty(), vec![received((1, 1), 1, 20)]].concat());
    let of = |seqs: &[u64]| stream(seqs.iter().map(|seq| (*seq, (1, *seq))));
    let held = of(&[3, 4, 5, 7, 8, 9, 10, 12, 13, 14, 15]);
    let going_on = found(&ledger, Some(&held), 20, false);
    // While more may come, what is missing after the end is not lost.
    assert_eq!((going_on.lost, going_on.behind), (lost(2, 2, 0), 5));
    assert_eq!((going_on.on_stream, going_on.not_received), (Some(11), Lost::default()));
    assert_eq!(trouble(&going_on, Kind::Lost), (4, vec![1, 2, 6, 11]));
    let over = found(&ledger, Some(&held), 20, true);
    assert_eq!((over.lost, over.behind), (lost(2, 2, 5), 0));
    let (kind, at) = (Kind::Lost, Some(lost(2, 2, 5)));
    let faults = vec![Fault::Messages { kind, count: 9, at }];
    assert_eq!(over.judgement, Judgement::Broken { faults });
    assert_eq!(trouble(&over, Kind::Lost), (9, vec![1, 2, 6, 11, 16, 17, 18, 19, 20]));
    let empty = found(&ledger, Some(&of(&[])), 20, true);
    assert_eq!((empty.lost, trouble(&empty, Kind::Lost).1.len()), (lost(0, 0, 20), 10));
    let coming = found(&ledger, Some(&of(&[])), 20, false);
    assert_eq!((coming.lost, coming.behind), (Lost::default(), 20));
    let outlook = Outlook::Coming;
    assert_eq!(coming.judgement, Judgement::NotYet { count: 20, outlook });
    let all: Vec<u64> = (1..=20).collect();
    let whole = found(&ledger, Some(&of(&all)), 20, true);
    assert_eq!((whole.judgement, whole.troubles), (Judgement::Whole, vec![]));
}

/// What the consumer saw and what the stream holds is counted together, each message once.
#[test]
fn stream_and_receipts_are_counted_together() {
    let ledger = ledger(
        &[
            twenty(),
            vec![
                received((1, 1), 1, 20),
                received((1, 3), 41, 1),
                received((1, 4), 42, 1),
                received((3, 1), 50, 2),
                corrupt(60),
                foreign(70, false),
                foreign(72, true),
                foreign(9, false),
                acked((1, 5), 43, 1),
            ],
        ]
        .concat(),
    );
    let mut held = stream((1..=20).filter(|n| *n != 7).map(|n| (n, (1, n))));
    // Twice: message 3, seen by the consumer as well, and 6. Message 7 stands at another's place.
    for (seq, message) in [(41, (1, 3)), (44, (1, 6)), (45, (1, 7)), (51, (3, 2)), (52, (3, 3))] {
        feed(&mut held, seq, message);
    }
    feed(&mut held, 72, (0, 0));
    feed(&mut held, 73, (0, 0));
    held.corrupt.insert(61, 1);
    held.foreign.insert(71, 1);
    let found = found(&ledger, Some(&held), 20, true);
    assert_eq!(trouble(&found, Kind::Duplicates), (4, vec![41, 42, 43, 44]));
    assert_eq!(trouble(&found, Kind::Unexpected), (5, vec![50, 51, 52, 70, 71]));
    assert_eq!(trouble(&found, Kind::Corrupt), (2, vec![60, 61]));
    assert_eq!(trouble(&found, Kind::Mismatched), (2, vec![7, 9]));
    assert_eq!((found.foreign, found.unexpected, found.mismatched), (2, 5, 2));
    // Message 7 stands after 20, and so does the second of each; they were not sent again.
    assert_eq!(trouble(&found, Kind::Reordered), (1, vec![45]));
    assert_eq!((found.late_by_resend, found.duplicates, found.corrupt), (0, 4, 2));
    assert_eq!(trouble(&found, Kind::Lost), (0, vec![]));
}

#[test]
fn what_was_there_before_is_not_judged() {
    let mut records =
        vec![Record::Baseline { s: 5, subject: None, at: 1 }, intend(1, 1, 2), acked((1, 1), 6, 2)];
    records.extend([received((1, 1), 6, 2), foreign(2, false), foreign(8, true), corrupt(3)]);
    let mut held = stream([(1, (0, 0)), (2, (9, 1)), (6, (1, 1)), (7, (1, 2)), (8, (0, 0))]);
    held.producers.remove(&9);
    held.corrupt.insert(4, 2);
    held.foreign.insert(5, 1);
    let ledger = ledger(&records);
    let before = found(&ledger, Some(&held), 8, true);
    assert_eq!((before.judgement, before.baseline, before.foreign), (Judgement::Whole, 5, 1));
    held.corrupt.insert(6, 1);
    let after = found(&ledger, Some(&held), 8, true);
    assert_eq!(trouble(&after, Kind::Corrupt), (1, vec![6]));
}

#[test]
fn what_stands_late_on_a_stream_is_reordered_unless_it_was_sent_again() {
    let resent = Record::Resent { p: 1, n: 2, c: 1, at: 1 };
    let sent = ledger(&[twenty(), vec![received((1, 1), 1, 20), resent]].concat());
    let order = [(1, 1), (2, 4), (3, 3), (4, 2), (5, 5)];
    let held = stream(
        order.map(|(seq, n)| (seq, (1, n))).into_iter().chain((6..=20).map(|n| (n, (1, n)))),
    );
    let read = found(&sent, Some(&held), 20, true);
    assert_eq!(trouble(&read, Kind::Reordered), (1, vec![3]));
    assert_eq!((read.late_by_resend, read.mismatched), (1, 2));
    // The same of what the consumer received, if nobody reads the stream.
    let order = order.map(|(seq, n)| acked((1, n), seq, 1));
    let resent = Record::Resent { p: 1, n: 2, c: 1, at: 1 };
    let mut records = vec![intend(1, 1, 5), resent, received((1, 4), 2, 1), received((1, 2), 4, 1)];
    records.extend([received((1, 3), 3, 1), received((1, 1), 1, 1), received((1, 5), 5, 1)]);
    let sent = ledger(&[&order[..], &records].concat());
    let seen = found(&sent, None, 5, true);
    assert_eq!(trouble(&seen, Kind::Reordered), (1, vec![3]));
    assert_eq!((seen.late_by_resend, seen.mismatched), (1, 0));
}

/// With lines gone, what would be unexpected or reordered is not known to be.
#[test]
fn what_lines_that_are_gone_may_have_told_is_not_held_against_a_stream() {
    let base = [twenty(), vec![received((1, 1), 1, 20), failed(1, 25, 1)]].concat();
    let mut held = stream([(1, (1, 1)), (2, (1, 3)), (3, (1, 2)), (21, (1, 25)), (22, (1, 40))]);
    // Producer 9 nobody has heard of.
    feed(&mut held, 23, (9, 1));
    feed(&mut held, 24, (9, 2));
    let known = found(&ledger(&base), Some(&held), 20, false);
    assert_eq!(trouble(&known, Kind::Unexpected), (4, vec![21, 22, 23]));
    assert_eq!((trouble(&known, Kind::Reordered), known.unrecorded), ((1, vec![3]), 0));
    let cut = ledger(&[base, vec![cut_short()]].concat());
    let unknown = found(&cut, Some(&held), 20, false);
    assert_eq!(trouble(&unknown, Kind::Unexpected), (1, vec![21]));
    assert_eq!((trouble(&unknown, Kind::Reordered), unknown.unrecorded), ((0, vec![]), 4));
    // The account's count, if it is the greater one.
    let open = [twenty(), vec![cut_short()]].concat();
    assert_eq!(found(&ledger(&open), Some(&stream([(1, (9, 1))])), 20, false).unrecorded, 20);
}

#[test]
fn what_a_comparison_adds() {
    let records = [twenty(), vec![received((1, 1), 1, 20)]].concat();
    let held = stream((1..=20).map(|n| (n, (1, n))));
    let faults = |fidelity: Fidelity, drained| {
        let found = judge_replica(&ledger(&records), &held, Some(&fidelity), drained);
        assert_eq!(
            (found.differing, found.equal_through),
            (fidelity.differing, Some(fidelity.equal_through))
        );
        match found.judgement {
            Judgement::Broken { faults } => faults,
            Judgement::Whole => vec![],
            Judgement::NotYet { count, outlook } => {
                assert_eq!((count, outlook), (fidelity.behind, Outlook::Coming));
                vec![]
            }
            other => panic!("{other:?}"),
        }
    };
    let nothing = Fidelity { equal_through: 20, ..Fidelity::default() };
    assert_eq!(faults(nothing.clone(), true), []);
    let differs = Fidelity { differing: vec![3..=5, 9..=9], ..nothing.clone() };
    assert_eq!(faults(differs, true), [Fault::Differs { first: 3, last: 5 }]);
    let kept = vec![3..=5];
    let kept = Fidelity { differing: kept.clone(), kept, kept_messages: 2, ..nothing.clone() };
    assert_eq!(faults(kept, true), [Fault::DeletedAtSource { count: 2, first: 3 }]);
    let beyond = Fidelity { beyond: 1, ..nothing.clone() };
    assert_eq!(faults(beyond, false), [Fault::Beyond { sequences: 1 }]);
    let behind = Fidelity { behind: 1, ..nothing };
    assert_eq!(faults(behind.clone(), true), [Fault::EndsEarly { sequences: 1 }]);
    assert_eq!(faults(behind, false), []);
}

#[test]
fn a_replica_is_judged_by_what_it_holds() {
    let records = [
        twenty(),
        vec![received((1, 1), 1, 5), corrupt(6), Record::Unknown { p: 1, n: 21, c: 2, at: 1 }],
    ];
    let mut all = ledger(&records.concat());
    let held = stream((1..=20).map(|n| (n, (1, n))));
    let found = judge_replica(&all, &held, None, true);
    assert_eq!((found.judgement, found.acked, found.unknown), (Judgement::Whole, 20, 2));
    assert_eq!((found.received, found.equal_through, found.zone), (0, None, zone("b")));
    all.apply(&acked((1, 40), 40, 1));
    let found = judge_replica(&all, &held, None, false);
    let contradiction = Fault::Contradictions { count: 1 };
    assert_eq!(found.judgement, Judgement::Broken { faults: vec![contradiction.clone()] });
    // Damage of the evidence is told beside what is wrong for certain, and alone it is void.
    all.damaged(Damage::Removed);
    let evidence = Fault::Evidence { damage: Damage::Removed };
    let found = judge_replica(&all, &held, None, false);
    assert_eq!(found.judgement, Judgement::Broken { faults: vec![contradiction, evidence] });
    let void = ledger(&[twenty(), vec![cut_short()]].concat());
    let damage = Damage::CutShort { after: 9, lost: Some(100) };
    let found = judge_replica(&void, &held, None, true);
    assert_eq!(found.judgement, Judgement::Void { damage, affected: 0 });
    let nothing = judge_replica(&ledger(&[intend(1, 1, 5)]), &stream([]), None, true);
    assert_eq!(nothing.judgement, Judgement::Nothing);
    let one = ledger(&[intend(1, 1, 1), acked((1, 1), 1, 1)]);
    let found = judge_replica(&one, &stream([(1, (1, 1))]), None, true);
    assert_eq!(found.judgement, Judgement::Whole);
}
