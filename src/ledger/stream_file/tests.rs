use super::*;
use crate::ledger::{
    Ledger,
    audit::Entry,
    finding::{Evidence, judge},
    fingerprint::compare,
    message::{MessageId, RunId, encode},
    record::Record,
};
use crate::region::ZoneName;
use proptest::prelude::*;

fn run() -> RunId {
    "k3f9q2".parse().unwrap()
}

fn zone() -> ZoneName {
    "b".parse().unwrap()
}

/// (producer, number, fault) in stream order; fault 1 damages, 2 is somebody else's, 3 leaves
/// a gap.
fn audit(messages: &[(u32, u64, u8)]) -> StreamAudit {
    let mut audit = StreamAudit::new(zone(), run());
    for (at, (producer, number, fault)) in messages.iter().enumerate() {
        let id = MessageId { run: run(), producer: *producer, number: *number };
        let mut payload = encode(&id, 1, 128).to_vec();
        match fault {
            1 => payload[70] ^= 1,
            2 => payload[0] = b'x',
            3 => continue,
            _ => {}
        }
        audit.feed(&Entry {
            seq: at as u64 + 1,
            subject: "EVENTS.REGION.x",
            subject_fits: true,
            id: Some(&id.to_string()),
            payload: &payload,
        });
    }
    audit
}

fn lines(audit: &StreamAudit) -> Vec<u8> {
    let mut file = Vec::new();
    audit.write_lines(&mut file).unwrap();
    file
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        messages in prop::collection::vec((1u32..4, 1u64..200, 0u8..20), 0..300),
    ) {
        let audit = audit(&messages);
        let file = lines(&audit);
        let read = StreamAudit::read_lines(&file[..]).unwrap();
        prop_assert_eq!(lines(&read), file);
        prop_assert!(compare(audit.fingerprint(), read.fingerprint()).is_equal());
        // The judgement from the file is the judgement.
        let mut ledger = Ledger::new(run(), "east");
        for p in 1..4 {
            ledger.apply(&Record::Intend { p, n: 1, c: 200, at: 1 });
        }
        for (at, (p, n, _)) in messages.iter().enumerate() {
            let (s, d) = (at as u64 + 1, "zone-a".into());
            ledger.apply(&Record::Acked { p: *p, n: *n, c: 1, s, d, dup: false, at: 1 });
        }
        let account = ledger.account(&zone(), Some(messages.len() as u64));
        let judged = |audit| judge(&ledger, &zone(), &Evidence {
            account: &account, stream: Some(audit), fidelity: None, drained: true,
        });
        prop_assert_eq!(judged(&audit), judged(&read));
    }

    #[test]
    fn any_damage_is_refused(
        messages in prop::collection::vec((1u32..3, 1u64..50, 0u8..9), 1..40),
        at in any::<prop::sample::Index>(),
        flip in 1u8..=255,
    ) {
        let file = lines(&audit(&messages));
        let at = at.index(file.len());
        let mut damaged = file.clone();
        damaged[at] ^= flip;
        prop_assert!(StreamAudit::read_lines(&damaged[..]).is_err());
        prop_assert!(StreamAudit::read_lines(&file[..at]).is_err());
        let longer = [&file[..], b"x"].concat();
        prop_assert!(StreamAudit::read_lines(&longer[..]).is_err());
    }
}

#[test]
fn regular_streams_are_small() {
    let one: Vec<_> = (1..=5000).map(|n| (1, n, 0)).collect();
    assert!(lines(&audit(&one)).len() < 400);
    let two: Vec<_> = (1..=5000).flat_map(|n| [(1, n, 0), (2, n, 0)]).collect();
    assert!(lines(&audit(&two)).len() < 600);
}

#[test]
fn refusals_say_why() {
    let error = |text: &str| StreamAudit::read_lines(text.as_bytes()).unwrap_err().to_string();
    assert!(error("").contains("cut short"), "{}", error(""));
    assert!(error("{}\n").contains("line 1"), "{}", error("{}\n"));
    let foreign = error("zonedrill-stream 2 b k3f9q2 - -\n");
    assert!(foreign.contains("says format 2"), "{foreign}");
    let huge =
        error("zonedrill-stream 1 b k3f9q2 1 1\nb 0 00 1\np 1\nr 1 1 18446744073709551615\n");
    assert!(huge.contains("more than the stream holds"), "{huge}");
}
