//! `verify` without servers: streams made by hand, with one thing wrong in each.
use zonedrill::{
    ledger::{
        Ledger,
        audit::{Entry, StreamAudit},
        damage::Damage,
        finding::{Evidence, Judgement, Lost, Outlook, ZoneFinding, fault::Fault, judge},
        fingerprint::{Fidelity, compare},
        message::{MessageId, RunId, encode},
        record::Record,
        table::render,
    },
    region::ZoneName,
};

const MESSAGES: u64 = 3000;

fn run() -> RunId {
    "k3f9q2".parse().unwrap()
}

fn zone(name: &str) -> ZoneName {
    name.parse().unwrap()
}

/// A message on a stream.
#[derive(Clone)]
struct Stored {
    seq: u64,
    label: Option<String>,
    payload: Vec<u8>,
}

fn stored(seq: u64, number: u64) -> Stored {
    let id = MessageId { run: run(), producer: 1, number };
    Stored { seq, label: Some(id.to_string()), payload: encode(&id, 1, 100).to_vec() }
}

fn stream() -> Vec<Stored> {
    (1..=MESSAGES).map(|number| stored(number, number)).collect()
}

fn audit(name: &str, stream: &[Stored]) -> StreamAudit {
    let mut audit = StreamAudit::new(zone(name), run());
    for message in stream {
        audit.feed(&Entry {
            seq: message.seq,
            subject: "EVENTS.REGION.p1",
            subject_fits: true,
            id: message.label.as_deref(),
            payload: &message.payload,
        });
    }
    audit
}

/// Every message acknowledged; the consumers of a and b received what they were given.
fn ledger(received: u64) -> Ledger {
    let mut ledger = Ledger::new(run(), "east");
    let (p, n, s, at) = (1, 1, 1, 1);
    ledger.apply(&Record::Intend { p, n, c: MESSAGES, at });
    ledger.apply(&Record::Acked { p, n, c: MESSAGES, s, d: "zone-a".into(), dup: false, at });
    for z in ["a", "b"].map(zone) {
        ledger.apply(&Record::Received { z, p, n, s, c: received, r: 1, at });
    }
    ledger
}

/// Judges zone b, whose stream `change` has altered.
fn verify(change: impl FnOnce(&mut Vec<Stored>), drained: bool) -> (ZoneFinding, Fidelity) {
    let ledger = ledger(MESSAGES);
    let source = audit("a", &stream());
    let mut mirror = stream();
    change(&mut mirror);
    let mirror = audit("b", &mirror);
    let fidelity = compare(source.fingerprint(), mirror.fingerprint());
    let account = ledger.account(&zone("b"), Some(MESSAGES));
    let evidence =
        Evidence { account: &account, stream: Some(&mirror), fidelity: Some(&fidelity), drained };
    (judge(&ledger, &zone("b"), &evidence), fidelity)
}

fn kinds(finding: &ZoneFinding) -> Vec<&str> {
    finding.troubles.iter().map(|trouble| trouble.kind.as_str()).collect()
}

#[test]
fn a_faithful_mirror_is_whole() {
    let (finding, fidelity) = verify(|_| {}, true);
    assert_eq!(finding.judgement, Judgement::Whole);
    assert!(fidelity.is_equal());
    assert_eq!(finding.equal_through, Some(MESSAGES));
    assert_eq!(finding.on_stream, Some(MESSAGES));
    assert!(finding.troubles.is_empty());
}

#[test]
fn lost_messages_are_found_wherever_they_are() {
    let (finding, fidelity) = verify(
        |mirror| mirror.retain(|m| m.seq > 3 && m.seq != 1500 && m.seq <= MESSAGES - 2),
        true,
    );
    assert_eq!(finding.lost, Lost { prefix: 3, middle: 1, postfix: 2 });
    assert_eq!(kinds(&finding), ["lost"]);
    let first: Vec<u64> = finding.troubles[0].first.iter().map(|offender| offender.seq).collect();
    assert_eq!(first, [1, 2, 3, 1500, 2999, 3000]);
    assert_eq!(finding.troubles[0].first[3].message.as_deref(), Some("k3f9q2-p1-1500"));
    assert_eq!(fidelity.behind, 2);
    assert_eq!(finding.judgement.as_str(), "broken");
}

#[test]
fn a_mirror_that_is_behind_may_still_become_whole() {
    let (finding, _) = verify(|mirror| mirror.truncate(2000), false);
    let outlook = Outlook::Coming;
    assert_eq!(finding.judgement, Judgement::NotYet { count: 1000, outlook });
    assert_eq!(finding.judgement.to_string(), "1000 messages are still to come");
    assert_eq!((finding.behind, finding.lost), (1000, Lost::default()));
    let (finding, _) = verify(|mirror| mirror.truncate(2000), true);
    assert_eq!(finding.lost, Lost { postfix: 1000, ..Lost::default() });
    // A hole will not be filled by waiting.
    let (finding, _) = verify(|mirror| drop(mirror.remove(7)), false);
    assert_eq!(finding.lost, Lost { middle: 1, ..Lost::default() });
    assert_eq!(finding.judgement.as_str(), "broken");
}

#[test]
fn an_altered_payload_is_corrupt_and_nothing_else() {
    let (finding, fidelity) = verify(|mirror| mirror[41].payload[90] ^= 1, true);
    assert_eq!((finding.corrupt, finding.lost.total()), (1, 0));
    assert_eq!(kinds(&finding), ["corrupt"]);
    assert_eq!(finding.differing, [1..=1024]);
    assert_eq!((fidelity.equal_through, finding.troubles[0].first[0].seq), (0, 42));
    // Whole, but under another message's id: deduplication would not have known it.
    let (finding, _) = verify(|mirror| mirror[41].label = Some("k3f9q2-p1-7".into()), true);
    assert_eq!(kinds(&finding), ["corrupt"]);
    let (finding, _) = verify(|mirror| mirror[41].label = None, true);
    assert_eq!(kinds(&finding), ["corrupt"]);
}

#[test]
fn a_message_twice_is_a_duplicate_and_nothing_else() {
    let (finding, fidelity) = verify(|mirror| mirror.push(stored(MESSAGES + 1, 7)), true);
    assert_eq!(finding.duplicates, 1);
    assert_eq!(kinds(&finding), ["duplicates"]);
    assert_eq!(finding.troubles[0].first[0].seq, MESSAGES + 1);
    assert_eq!(fidelity.beyond, 1);
}

#[test]
fn exchanged_messages_are_out_of_order_and_not_where_they_were_acknowledged() {
    let (finding, _) = verify(
        |mirror| {
            mirror[9] = stored(10, 11);
            mirror[10] = stored(11, 10);
        },
        true,
    );
    assert_eq!((finding.reordered, finding.mismatched, finding.lost.total()), (1, 2, 0));
    assert_eq!(kinds(&finding), ["reordered", "mismatched"]);
}

#[test]
fn what_nobody_sent_is_unexpected() {
    let (finding, _) = verify(
        |mirror| {
            mirror.push(stored(MESSAGES + 1, MESSAGES + 9));
            mirror.push(Stored { seq: MESSAGES + 2, label: None, payload: b"hello".to_vec() });
        },
        true,
    );
    assert_eq!((finding.unexpected, finding.foreign), (1, 1));
    assert_eq!(kinds(&finding), ["unexpected"]);
}

#[test]
fn what_somebody_else_publishes_is_counted_and_no_fault() {
    let (finding, _) = verify(
        |mirror| {
            mirror.push(Stored { seq: MESSAGES + 1, label: None, payload: b"hello".to_vec() });
        },
        true,
    );
    assert_eq!((finding.unexpected, finding.foreign), (0, 1));
    assert!(kinds(&finding).is_empty(), "{finding:?}");
}

#[test]
fn without_the_stream_the_consumers_word_counts() {
    let ledger = ledger(2990);
    let account = ledger.account(&zone("b"), Some(2990));
    let evidence = Evidence { account: &account, stream: None, fidelity: None, drained: false };
    let finding = judge(&ledger, &zone("b"), &evidence);
    assert_eq!((finding.judgement.as_str(), finding.behind), ("not yet", 10));
    let finding = judge(&ledger, &zone("b"), &Evidence { drained: true, ..evidence });
    assert_eq!(finding.not_received, Lost { postfix: 10, ..Lost::default() });
    assert_eq!(kinds(&finding), ["not-received"]);
    let finding = judge(&ledger, &zone("c"), &Evidence { drained: true, ..evidence });
    assert_eq!(finding.judgement.as_str(), "broken");
}

#[test]
fn nothing_sent_is_nothing_tested() {
    let ledger = Ledger::new(run(), "east");
    let account = ledger.account(&zone("b"), None);
    let stream = audit("b", &[]);
    let evidence =
        Evidence { account: &account, stream: Some(&stream), fidelity: None, drained: true };
    let finding = judge(&ledger, &zone("b"), &evidence);
    assert_eq!(finding.judgement, Judgement::Nothing);
    assert!(render(&[finding]).contains("nothing was tested"));
}

#[test]
fn the_table_fits_and_names_the_offenders() {
    let (whole, _) = verify(|_| {}, true);
    let (broken, _) = verify(
        |mirror| {
            mirror.retain(|m| m.seq % 100 != 50);
            mirror[5].payload[90] ^= 1;
        },
        true,
    );
    let whole = ZoneFinding { zone: zone("a"), ..whole };
    assert_eq!(
        render(std::slice::from_ref(&whole)),
        "zone  verdict  acked  stream  received  redel  lost  dup  order  corr  unexp\n\
         a     whole     3000    3000      3000      0     0    0      0     0      0\n"
    );
    // More on the stream than was acknowledged, and yet whole: that is told.
    let more = ZoneFinding { recovered: 5, ..whole.clone() };
    assert!(
        render(&[more])
            .ends_with("\nsent, never acknowledged, and received (no fault): 5 in zone a\n")
    );
    let text = render(&[whole, broken]);
    assert_eq!(
        text,
        "\
zone  verdict  acked  stream  received  redel  lost  dup  order  corr  unexp
a     whole     3000    3000      3000      0     0    0      0     0      0
b     broken    3000    2970      3000      0    30    0      0     1      0

zone b:
  - 30 acknowledged messages are not on the stream (30 in the middle)
  - 1 message is not as sent
  - the stream differs from the source's, first between sequences 1 and 3000
    lost at sequence 50 (k3f9q2-p1-50), 150 (k3f9q2-p1-150), 250
    (k3f9q2-p1-250), 350 (k3f9q2-p1-350), 450 (k3f9q2-p1-450), 550
    (k3f9q2-p1-550), 650 (k3f9q2-p1-650), 750 (k3f9q2-p1-750), 850
    (k3f9q2-p1-850), 950 (k3f9q2-p1-950), …
    corrupt at sequence 6 (k3f9q2-p1-6)

lost          acknowledged by the source, and not on this zone's stream
corrupt       checksum, id or subject are not those it was sent with
"
    );
    assert!(text.lines().all(|line| line.chars().count() <= 80));
}

#[test]
fn a_finding_is_plain_json() {
    let (finding, _) = verify(|mirror| drop(mirror.remove(7)), true);
    let json = serde_json::to_value(&finding).unwrap();
    assert_eq!(json["zone"], "b");
    assert_eq!(json["judgement"]["is"], "broken");
    assert_eq!(json["lost"]["middle"], 1);
    assert_eq!(json["troubles"][0]["first"][0]["message"], "k3f9q2-p1-8");
}

/// Zone b's consumer has acknowledged everything, and the ledger's lines that told of it are gone.
#[test]
fn a_ledger_that_was_cut_short_accuses_nobody_and_proves_nothing() {
    let found = |received: u64, mirror: &[Stored]| {
        let mut ledger = ledger(received);
        ledger.apply(&Record::CutShort { after: 3, lost: Some(312), at: 1 });
        let (source, mirror) = (audit("a", &stream()), audit("b", mirror));
        let fidelity = compare(source.fingerprint(), mirror.fingerprint());
        let evidence = Evidence {
            account: &ledger.account(&zone("b"), Some(MESSAGES)),
            stream: Some(&mirror),
            fidelity: Some(&fidelity),
            drained: true,
        };
        judge(&ledger, &zone("b"), &evidence)
    };
    let finding = found(2000, &stream());
    assert_eq!(finding.judgement.as_str(), "void");
    assert_eq!((finding.not_received, finding.unrecorded), (Lost::default(), 1000));
    assert!(finding.troubles.is_empty());
    insta::assert_snapshot!(render(&[finding]));
    assert_eq!(found(MESSAGES, &stream()).judgement.as_str(), "void");

    // A message of which the ledger knows nothing: the line that announced it may be gone.
    let mut more = stream();
    more.push(stored(MESSAGES + 1, MESSAGES + 1));
    let finding = found(MESSAGES, &more);
    assert_eq!((finding.unexpected, finding.unrecorded), (0, 1));

    // What the streams show does not need the ledger's end.
    let mut hole = stream();
    hole.remove(41);
    let finding = found(2000, &hole);
    assert_eq!(kinds(&finding), ["lost"]);
    let Judgement::Broken { faults } = finding.judgement else { panic!("{finding:?}") };
    assert!(matches!(
        faults[..],
        [.., Fault::Evidence { damage: Damage::CutShort { after: 3, .. } }]
    ));
}
