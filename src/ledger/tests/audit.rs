//! What a look at a stream finds, message by message.

use super::{
    super::{audit::compare_copy, fingerprint::compare_through, set::NumberSet},
    *,
};

fn members(set: &NumberSet) -> Vec<u64> {
    set.iter().collect()
}

#[test]
fn each_message_is_taken_for_what_it_is() {
    let mut audit = stream([(1, (1, 1)), (2, (1, 2)), (4, (0, 1)), (6, (2, 1)), (7, (1, 2))]);
    let other = MessageId { run: "aaaaaa".parse().unwrap(), producer: 1, number: 9 };
    let ours = MessageId { run: "k3f9q2".parse().unwrap(), producer: 1, number: 9 };
    let mut say = |seq, id: Option<&str>, message: &MessageId, subject_fits, cut: usize| {
        let payload = encode(message, 1, 80);
        let payload = &payload[..80 - cut];
        audit.feed(&Entry { seq, subject: "zd.east", subject_fits, id, payload });
    };
    say(8, Some("aaaaaa-p1-9"), &other, true, 0);
    say(9, Some("k3f9q2-p1-9"), &ours, true, 1);
    say(10, Some("k3f9q2-p1-10"), &MessageId { number: 10, ..ours.clone() }, true, 0);
    say(11, Some("k3f9q2-p1-12"), &MessageId { number: 11, ..ours.clone() }, true, 0);
    say(12, Some("nonsense"), &MessageId { number: 12, ..ours.clone() }, true, 0);
    say(13, Some("k3f9q2-p1-13"), &MessageId { number: 13, ..ours.clone() }, false, 0);
    say(14, Some("k3f9q2-p1-14"), &MessageId { number: 14, ..ours.clone() }, true, 0);
    say(15, None, &MessageId { number: 15, ..ours.clone() }, true, 0);
    // Read once more from an earlier message on.
    say(14, Some("k3f9q2-p1-14"), &MessageId { number: 14, ..ours.clone() }, true, 0);
    say(2, Some("k3f9q2-p1-2"), &MessageId { number: 2, ..ours }, true, 0);
    assert_eq!(members(&audit.foreign), [4, 8]);
    assert_eq!(members(&audit.plain), [4]);
    assert_eq!(members(&audit.corrupt), [9, 11, 12, 13, 15]);
    assert_eq!(members(&audit.second), [7]);
    let held = &audit.producers[&1];
    assert_eq!(members(&held.numbers), [1, 2, 10, 11, 12, 13, 14, 15]);
    assert_eq!(members(&held.moved), [2]);
    assert_eq!(
        [1, 2, 9, 14].map(|number| held.places.get(number)),
        [Some(1), Some(2), None, Some(14)]
    );
    assert_eq!(members(&audit.producers[&2].numbers), [1]);
    assert_eq!((audit.fingerprint().messages(), audit.zone()), (13, &zone("b")));
}

#[test]
fn what_is_nobodys_is_counted_from_a_sequence_on() {
    let audit = stream([(3, (0, 1)), (5, (0, 1)), (6, (1, 1)), (7, (0, 1))]);
    assert_eq!([0, 3, 4, 5, 7].map(|seq| audit.plain_after(seq)), [3, 2, 2, 1, 0]);
    let received = |z: &str, s| Record::Foreign { z: zone(z), s, plain: true, at: 1 };
    let ledger = ledger(&[received("a", 3), received("b", 3), received("b", 5), received("a", 7)]);
    assert_eq!([0, 3, 4, 5, 7].map(|seq| ledger.plain_after(seq)), [3, 2, 2, 1, 0]);
}

/// Acknowledged messages that are not there, and those that are somewhere else; what was received
/// without an acknowledgement may be missing.
#[test]
fn acknowledged_messages_are_looked_for_one_by_one() {
    let ledger = ledger(&[
        intend(1, 1, 5000),
        acked((1, 1), 101, 10),
        received((1, 11), 111, 5),
        acked((1, 16), 116, 4900),
        intend(2, 1, 3),
        acked((2, 1), 5016, 2),
        // Of these the first stands nowhere by the ledger, and the stream does not have it.
        acked((1, 4990), 103, 1),
        acked((2, 3), 104, 1),
    ]);
    let missing = |audit: &StreamAudit| {
        let missing = audit.missing(&ledger);
        (members(&missing.seqs), members(&missing.misplaced))
    };
    let at = |number: u64| (number + 100, (1, number));
    let whole = || (1..=4915).map(at).chain([(5016, (2, 1)), (5017, (2, 2))]);
    assert_eq!(missing(&stream(whole())), (vec![103, 104], vec![]));
    let nowhere = [(5018, (1, 4990)), (5019, (2, 3))];
    assert_eq!(missing(&stream(whole().chain(nowhere))), (vec![], vec![]));
    // Sequences 108 to 117 are gone: of these 111 to 115 were never acknowledged.
    let gone = |seq: &u64| (108..=117).contains(seq) || *seq == 4300 || *seq == 5017;
    let parts = || whole().chain(nowhere).filter(|(seq, _)| !gone(seq));
    assert_eq!(missing(&stream(parts())), (vec![108, 109, 110, 116, 117, 4300, 5017], vec![]));
    // One of them is there, but damaged.
    let mut damaged = stream(parts().filter(|(seq, _)| *seq < 109));
    damaged.corrupt.insert(109, 1);
    parts().filter(|(seq, _)| *seq > 109).for_each(|(seq, held)| feed(&mut damaged, seq, held));
    assert_eq!(missing(&damaged), (vec![108, 110, 116, 117, 4300, 5017], vec![]));
    // Two that are swapped stand where they should not; so does one behind them.
    let swapped = whole().chain(nowhere).map(|(seq, held)| match seq {
        107 => (seq, (1, 8)),
        108 => (seq, (1, 7)),
        111 => (seq, (1, 12)),
        112 => (seq, (1, 11)),
        _ => (seq, held),
    });
    assert_eq!(missing(&stream(swapped)), (vec![], vec![107, 108]));
}

/// The source at 3 and 6 has messages whose ids it had before; the copy remembers ids.
fn source_with_repeats() -> StreamAudit {
    stream([(1, (1, 1)), (2, (1, 2)), (3, (1, 1)), (4, (1, 3)), (5, (0, 7)), (6, (0, 7))])
}

#[test]
fn what_a_copy_dropped_by_its_id_is_told_apart() {
    let source = source_with_repeats();
    assert_eq!(members(&source.repeated), [3, 6]);
    let whole = [(1, (1, 1)), (2, (1, 2)), (4, (1, 3)), (5, (0, 7))];
    let copy = stream(whole);
    // Whether it is known that the copy has passed over its source's last message or not.
    for through in [6, 5] {
        let found = compare_copy((&source, 6), (&copy, through));
        assert_eq!((found.swallowed, found.first_swallowed), (2, Some(3)), "{found:?}");
        assert!(found.differing.is_empty() && found.behind == 0 && !found.is_equal());
    }
    // A copy that kept both is whole, and one that lost another message as well is not explained.
    assert!(compare_copy((&source, 6), (&source, 6)).is_equal());
    for lost in 0..whole.len() {
        let rest = whole.into_iter().enumerate().filter(|(at, _)| *at != lost).map(|(_, one)| one);
        let found = compare_copy((&source, 6), (&stream(rest), 6));
        assert_eq!(found.swallowed, 0, "{found:?}");
        assert!(!found.differing.is_empty(), "{found:?}");
    }
    // One that holds another message in their place is no better.
    let other = stream([(1, (1, 1)), (2, (1, 9)), (4, (1, 3)), (5, (0, 7))]);
    assert!(!compare_copy((&source, 6), (&other, 6)).differing.is_empty());
}

#[test]
fn what_is_still_to_come_is_not_called_swallowed() {
    let source = source_with_repeats();
    let found = compare_copy((&source, 6), (&stream([(1, (1, 1)), (2, (1, 2))]), 2));
    assert_eq!((found.swallowed, found.behind), (0, 4), "{found:?}");
    let mirror = stream([(1, (1, 1)), (2, (1, 2)), (4, (1, 3)), (5, (0, 7))]);
    let found = compare_through((source.fingerprint(), 6), (mirror.fingerprint(), 6));
    assert!(!found.differing.is_empty(), "a mirror remembers no ids: {found:?}");
}

/// A copy of a source that was made anew holds its first sequences a second time.
#[test]
fn a_copy_in_another_order_equals_nothing() {
    let source = stream([(1, (1, 1)), (2, (1, 2)), (3, (1, 3))]);
    let mut copy = stream([(1, (1, 1)), (2, (1, 2)), (3, (1, 3))]);
    let id = MessageId { run: "k3f9q2".parse().unwrap(), producer: 1, number: 1 };
    let (label, payload) = (id.to_string(), encode(&id, 1, 80));
    let again = Entry {
        seq: 1,
        subject: "zd.east",
        subject_fits: true,
        id: Some(&label),
        payload: &payload,
    };
    copy.feed_disordered(&again);
    assert!(!compare_copy((&source, 3), (&copy, 3)).differing.is_empty());
    assert_eq!(members(&copy.producers[&1].moved), [1]);
    assert_eq!(members(&copy.second), [1]);
}

#[test]
fn what_is_held_and_what_is_lacked_are_counted() {
    let ledger = ledger(&[intend(1, 1, 9), acked((1, 1), 11, 9)]);
    let audit = stream([(11, (1, 1)), (14, (1, 4)), (15, (1, 5)), (19, (1, 9))]);
    assert_eq!(audit.lacks(&ledger), Some((12, 18, 5)));
    assert_eq!(audit.holds(1, &[(1, 3), (4, 2), (9, 1)]), 4);
    assert_eq!((audit.holds(1, &[(2, 2)]), audit.holds(2, &[(1, 9)])), (0, 0));
    let all = stream((1..=9).map(|n| (n + 10, (1, n))));
    assert_eq!(all.lacks(&ledger), None);
}

/// Of a main line a message that stands twice elsewhere is missed where it was acknowledged all the same.
#[test]
fn a_message_that_stands_twice_is_not_where_it_was_acknowledged() {
    let ledger = ledger(&[intend(1, 1, 2), acked((1, 1), 1, 2)]);
    let audit = stream([(1, (1, 7)), (2, (1, 1)), (3, (1, 1)), (4, (1, 2))]);
    assert_eq!(members(&audit.missing(&ledger).misplaced), [1, 2]);
}

/// A server drops what comes a second time under its id, whatever it says inside.
#[test]
fn a_message_is_repeated_by_its_id_alone() {
    let mut audit = stream([(1, (1, 1))]);
    let id = MessageId { run: "k3f9q2".parse().unwrap(), producer: 1, number: 1 };
    let payload = encode(&id, 1, 80);
    let mut say = |seq, label: &str| {
        let (subject, id) = ("zd.east", Some(label));
        audit.feed(&Entry { seq, subject, subject_fits: true, id, payload: &payload });
    };
    say(2, "another");
    say(3, "another");
    say(4, &id.to_string());
    assert_eq!(members(&audit.repeated), [3, 4]);
}
