//! Edges of what replicas hold and consumers received: the ends of streams, and which reason is told.

use zonedrill::{
    drill::record::Entry,
    ledger::{audit::Entry as Read, record::Record},
    region::status::Verdict,
};

use super::{at_the_end, conclude, found, otherwise};
use crate::support::laws::{Fault, Played, play};

/// The record says of every replica what was read of it.
fn record_what_was_read(played: &mut Played) {
    for entry in &mut played.entries {
        let Entry::Stream { replica: of, messages, ends, .. } = entry else { continue };
        let read = played.streams.iter().find(|read| read.replica == *of).unwrap();
        let print = read.audit.fingerprint();
        (*messages, *ends) = (print.messages(), print.first().map(|first| (first, print.last())));
    }
}

/// Somebody else's message stands at the end of each of these zones' replicas.
fn a_foreign_end(played: &mut Played, zones: &[&str]) {
    for read in &mut played.streams {
        let seq = read.audit.fingerprint().last() + 1;
        if zones.contains(&read.audit.zone().as_str()) {
            let (subject, payload) = ("EVENTS.REGION.x", &b"hello"[..]);
            read.audit.feed(&Read { seq, subject, subject_fits: true, id: None, payload });
        }
    }
    for zone in ["a", "b"] {
        let zone = at_the_end(played, zone);
        zone.stream.as_mut().unwrap().last_seq += 1;
        let consumer = zone.consumer.as_mut().unwrap();
        consumer.ack_floor = consumer.ack_floor.map(|floor| floor + 1);
    }
    record_what_was_read(played);
}

/// A stream goes as far as its leader says, though the message there may be deleted.
#[test]
fn a_deleted_last_message_is_no_end_of_a_stream() {
    let ends = |zones: &[&str]| {
        let mut played = play("heal", Fault::None, 0, 0);
        a_foreign_end(&mut played, zones);
        let findings = conclude(&played).findings.into_iter();
        let of_b = findings.filter(|found| found.check == "replicas-identical").nth(1).unwrap();
        (of_b.verdict, of_b.text)
    };
    let (verdict, text) = ends(&["a", "b"]);
    let whole = "all 3 replicas of zone b hold the same 221 messages as zone a";
    assert_eq!((verdict, text.contains(whole)), (Verdict::Proved, true), "{text}");
    let (verdict, text) = ends(&[]);
    let deleted = "hold the same 220 messages as zone a, identical sequence by sequence up to 221";
    assert_eq!((verdict, text.contains(deleted)), (Verdict::Proved, true), "{text}");
    // Without the leader's word the mirror would go further than its source, or end before it.
    for (kept_by, otherwise) in [("b", "further"), ("a", "ends")] {
        let (verdict, text) = ends(&[kept_by]);
        assert_eq!((verdict, text.contains("differs")), (Verdict::Broken, true), "{text}");
        assert!(!text.contains(otherwise), "{text}");
    }
}

/// What comes to a copy while its replicas are read was there to be read by none of them: a copy that
/// catches up is late, not different.
#[test]
fn what_comes_while_a_replica_is_read_is_nobodys_to_miss() {
    let read_early = |leader_said: Option<u64>| {
        let mut played = play("heal", Fault::None, 0, 0);
        // At the end the source has one message more, and by then the copy has it too.
        a_foreign_end(&mut played, &["a"]);
        for entry in &mut played.entries {
            let Entry::Stream { zone, through, .. } = entry else { continue };
            *through = leader_said.filter(|_| zone.as_str() == "b");
        }
        let findings = conclude(&played).findings.into_iter();
        let of_b = findings.filter(|found| found.check == "replicas-identical").nth(1).unwrap();
        (of_b.verdict, of_b.text)
    };
    let (verdict, text) = read_early(Some(220));
    assert_eq!((verdict, text.contains("differs")), (Verdict::Void, false), "{text}");
    // What its leader said it had is missed.
    let (verdict, text) = read_early(Some(221));
    assert_eq!((verdict, text.contains("differs")), (Verdict::Broken, true), "{text}");
}

/// An earlier drill's messages are all there, and this one has sent none; or it sent some, and not
/// all is done.
#[test]
fn what_a_zone_is_not_known_to_have_received_is_told_for_its_reason() {
    let earlier = |played: &mut Played| {
        let (p, n, c, s, at) = (9, 1, 5, 901, 1);
        played.ledger.apply(&Record::Intend { p, n, c, at });
        let d = "zone-a".into();
        played.ledger.apply(&Record::Acked { p, n, c, s, d, dup: false, at });
        for zone in ["a", "b"] {
            let z = zone.parse().unwrap();
            played.ledger.apply(&Record::Received { z, p, n, s, c, r: 1, at });
        }
    };
    let check = "no-loss-no-duplicate";
    let mut idle = play("cut", Fault::Nothing, 0, 0);
    earlier(&mut idle);
    let (verdict, text) = found(&idle, check);
    let said = "no message of this drill was acknowledged";
    assert_eq!((verdict, text.contains(said)), (Verdict::Void, true), "{text}");
    let (verdict, text) = otherwise("cut", check, |played| {
        at_the_end(played, "a").stream.as_mut().unwrap().last_seq += 1;
    });
    let said = "was not seen to have done everything";
    assert_eq!((verdict, text.contains(said)), (Verdict::Void, true), "{text}");
}
