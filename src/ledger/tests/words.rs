//! What is said of damage, of objections, and of faults, word by word.

use super::{
    super::{
        chain::{Break, Chain},
        damage::Damage,
        finding::{
            Judgement, Lost, Outlook,
            fault::{self, Fault, Kind, within},
        },
        objection::Objection,
    },
    *,
};

#[test]
fn what_is_gone_of_the_evidence() {
    let said = |damage: Damage| {
        let text = damage.to_string();
        text.strip_prefix("the evidence is damaged: the ledger ").expect(&text).to_owned()
    };
    let cut = |lost| said(Damage::CutShort { after: 7, lost });
    let unknown = ", and what those lines told of messages is not known";
    assert_eq!(cut(Some(1)), format!("was cut short after line 7 (1 byte is gone){unknown}"));
    assert_eq!(cut(Some(2)), format!("was cut short after line 7 (2 bytes are gone){unknown}"));
    let untold = format!("was cut short after line 7 (how much is gone is not known){unknown}");
    assert_eq!(cut(None), untold);
    let truncated = said(Damage::Truncated { lost: 1 });
    assert_eq!(truncated, "was truncated while the room ran: 1 byte gone");
    let extended = said(Damage::Extended { bytes: 20 });
    assert_eq!(extended, "was written to by somebody else while the room ran: 20 bytes more");
}

#[test]
fn ends_that_are_gone_add_up_and_the_first_damage_stays() {
    let cut = |lost| Damage::CutShort { after: 7, lost };
    let after = |damages: &[Damage]| {
        let mut ledger = ledger(&[]);
        for damage in damages {
            ledger.damaged(damage.clone());
        }
        ledger.damage().cloned()
    };
    assert_eq!(after(&[]), None);
    let again = Damage::CutShort { after: 9, lost: Some(5) };
    assert_eq!(after(&[cut(Some(3)), again.clone()]), Some(cut(Some(8))));
    assert_eq!(after(&[cut(None), again.clone()]), Some(cut(None)));
    assert_eq!(after(&[cut(Some(u64::MAX)), again.clone()]), Some(cut(Some(u64::MAX))));
    assert_eq!(after(&[Damage::Removed, again]), Some(Damage::Removed));
    assert_eq!(after(&[cut(Some(3)), Damage::Removed]), Some(cut(Some(3))));
}

#[test]
fn why_a_line_cannot_follow() {
    let mut chain = Chain::default();
    let mut line = br#"{"k":"run"}"#.to_vec();
    chain.seal(&mut line, 0);
    assert_eq!(String::from_utf8(line.clone()).unwrap(), r#"{"k":"run","h":"70cf47f3"}"#);
    assert_eq!(chain.follow(br#"{"k":"run"}"#), Err(Break::Missing));
    assert!(Break::Missing.to_string().starts_with("has no running digest"));
    assert!(Break::Different.to_string().starts_with("does not fit its running digest"));
    // A line may stand behind others in what is written at once.
    let (mut together, mut apart) = (Chain::default(), b"before".to_vec());
    apart.extend_from_slice(br#"{"k":"run"}"#);
    together.seal(&mut apart, 6);
    assert_eq!(apart[6..], line);
}

#[test]
fn why_a_record_cannot_be_true() {
    let all = ledger(&[intend(1, 1, 1)]);
    let objection = |record: &Record| all.objection(record).map(|said| said.to_string());
    assert_eq!(objection(&intend(1, 5, 1 << 16)), None);
    let many = "is about 65537 messages at once; a room writes at most 65536 in one line";
    assert_eq!(objection(&intend(1, 5, (1 << 16) + 1)).as_deref(), Some(many));
    assert_eq!(objection(&intend(1, u64::MAX, 1)), None);
    let past = "has numbers greater than 18446744073709551615";
    assert_eq!(objection(&intend(1, u64::MAX, 2)).as_deref(), Some(past));
    assert_eq!(objection(&acked((1, 1), u64::MAX, 2)).as_deref(), Some(past));
    assert_eq!(objection(&received((1, 1), u64::MAX, 2)).as_deref(), Some(past));
    assert_eq!(objection(&intend(1, 5, 0)).as_deref(), Some("is about 0 messages"));
    let late = all.objection(&Record::Baseline { s: 4, subject: None, at: 1 });
    assert_eq!(late, Some(Objection::LateBaseline));
    assert_eq!(ledger(&[]).objection(&Record::Baseline { s: 4, subject: None, at: 1 }), None);
    let zones = ledger(&[corrupt(1)]);
    assert_eq!(
        zones.objection(&Record::Baseline { s: 4, subject: None, at: 1 }),
        Some(Objection::LateBaseline)
    );
    let told = ledger(&[Record::Baseline { s: 4, subject: None, at: 1 }]);
    assert_eq!(
        told.objection(&Record::Baseline { s: 4, subject: None, at: 1 }),
        Some(Objection::LateBaseline)
    );
}

#[test]
fn one_message_and_several_are_told_alike() {
    let said = |kind, count| Fault::Messages { kind, count, at: None }.to_string();
    let told = |kind| [said(kind, 1), said(kind, 2)];
    let lost = ["1 acknowledged message is", "2 acknowledged messages are"];
    assert_eq!(told(Kind::Lost), lost.map(|text| format!("{text} not on the stream")));
    let unreceived = ["1 acknowledged message was", "2 acknowledged messages were"];
    let unreceived = unreceived.map(|text| format!("{text} never processed by the consumer"));
    assert_eq!(told(Kind::NotReceived), unreceived);
    let twice = ["1 message is twice on the stream", "2 messages are twice on the stream"];
    assert_eq!(told(Kind::Duplicates), twice);
    let reordered = ["1 message stands", "2 messages stand"];
    let behind = "after a higher number of the same producer";
    assert_eq!(told(Kind::Reordered), reordered.map(|text| format!("{text} {behind}")));
    assert_eq!(told(Kind::Corrupt), ["1 message is not as sent", "2 messages are not as sent"]);
    let unexpected = [
        "1 message is there that nobody sent, or that was refused",
        "2 messages are there that nobody sent, or that were refused",
    ];
    assert_eq!(told(Kind::Unexpected), unexpected);
    let mismatched = [
        "1 sequence holds another message than was acknowledged",
        "2 sequences hold another message than was acknowledged",
    ];
    assert_eq!(told(Kind::Mismatched), mismatched);
    let contradictions = [1, 2].map(|count| Fault::Contradictions { count }.to_string());
    let expected = ["1 contradiction", "2 contradictions"];
    assert_eq!(contradictions, expected.map(|text| format!("{text} in the ledger itself")));
}

#[test]
fn where_something_is() {
    let at = Some(Lost { prefix: 1, middle: 0, postfix: 3 });
    let lost = Fault::Messages { kind: Kind::Lost, count: 4, at }.to_string();
    assert!(lost.ends_with(" (1 at the start, 3 at the end)"), "{lost}");
    let middle = Lost { middle: 2, ..Lost::default() };
    assert_eq!((middle.to_string(), middle.total()), ("2 in the middle".into(), 2));
    assert_eq!(within(7, 7), "at sequence 7");
    assert_eq!(within(7, 8), "between sequences 7 and 8");
    let deleted = |count| Fault::DeletedAtSource { count, first: 9 }.to_string();
    let one = "the source has deleted 1 message (sequence 9) that this mirror keeps";
    assert_eq!(deleted(1), one);
    let two = "the source has deleted 2 messages (the first at sequence 9) that this mirror keeps";
    assert_eq!(deleted(2), two);
}

#[test]
fn what_a_judgement_says() {
    let late = Outlook::Late { why: "30 s".into() };
    let never = Outlook::WillNotCome { why: "the durable is gone".into() };
    let not_yet = |count, outlook| Judgement::NotYet { count, outlook }.to_string();
    assert_eq!(not_yet(1, Outlook::Coming), "1 message is still to come");
    assert_eq!(not_yet(2, late), "2 messages are still to come (30 s)");
    assert_eq!(not_yet(2, never), "2 messages will not come: the durable is gone");
    let void = |affected| {
        let damage = Damage::Removed;
        let text = Judgement::Void { damage: damage.clone(), affected }.to_string();
        text.strip_prefix(&damage.to_string()).unwrap().to_owned()
    };
    assert_eq!((void(0), void(1)), (String::new(), "; 1 message is affected here".into()));
    assert_eq!(void(2), "; 2 messages are affected here");
}

#[test]
fn a_screen_gets_the_most_that_was_found_of_each_kind() {
    let messages = |kind, count| Fault::Messages { kind, count, at: None };
    let faults = [
        messages(Kind::Lost, 2),
        messages(Kind::NotReceived, 5),
        Fault::Beyond { sequences: 99 },
        messages(Kind::Duplicates, 3),
        messages(Kind::Reordered, 4),
        messages(Kind::Corrupt, 6),
        messages(Kind::Mismatched, 8),
        messages(Kind::Unexpected, 7),
    ];
    let audit = fault::audit(&faults, 77);
    assert_eq!((audit.at_ms, audit.lost, audit.duplicates, audit.reordered), (77, 5, 3, 4));
    assert_eq!((audit.corrupt, audit.unexpected), (6, 8));
    assert!(faults[0].of(Kind::Lost) && !faults[0].of(Kind::Corrupt) && !faults[2].of(Kind::Lost));
}
