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

/// A file of these lines, with an end that fits.
fn file(lines: &[&str]) -> String {
    let text = lines.join("\n") + "\n";
    let mut crc = crc32fast::Hasher::new();
    crc.update(text.as_bytes());
    format!("{text}end {} {:08x}\n", lines.len(), crc.finalize())
}

/// Why a file is refused of which the beginning and the blocks are those of ten messages.
fn refused(lines: &[&str]) -> String {
    let head = ["zonedrill-stream 1 b k3f9q2 1 10", "b 0 00 10"];
    let text = file(&[&head, lines].concat());
    StreamAudit::read_lines(text.as_bytes())
        .map_or_else(|error| error.to_string(), |_| String::new())
}

#[test]
fn the_parts_of_a_file_must_fit() {
    let more = "counts more than the stream holds";
    let fits: [&[&str]; 8] = [
        &[],
        &["p 1", "r 1 1 10"],
        &["p 1", "r 1 1 4", "r 0 0 6"],
        &["p 1", "r 1 1 1 10"],
        &["p 1", "r 1 1 9", "m 1 1", "p 2", "r 1 10 1"],
        &["c 1 10", "f 1 10", "o 1 10", "s 1 10"],
        &["p 1", "r 0 5 1", "r 0 -6 1"],
        &["p 7", "p 8"],
    ];
    for lines in fits {
        let read = refused(lines);
        let unplaced = lines.contains(&"r 0 -6 1");
        let why = if unplaced { "line 5 of the stream's file names sequence 0" } else { "" };
        assert_eq!(read, why, "{lines:?}");
    }
    let wrong: [(&[&str], u64, &str); 20] = [
        (&["r 1 1 1"], 3, "belongs to no producer"),
        (&["m 1 1"], 3, "belongs to no producer"),
        (&["p 1", "r 1 1 11"], 4, more),
        (&["p 1", "r 1 1 1 11"], 4, more),
        (&["p 1", "r 1 1 5", "r 0 0 6"], 5, more),
        (&["p 1", "r 1 1 0"], 4, more),
        (&["p 1", "r 1 1 1 0"], 4, more),
        (&["p 1", "r 1 1 0 0"], 4, more),
        (&["p 1", "r 1 1 18446744073709551615 2"], 4, more),
        (&["p 1", "r 1 1 1", "r 0 0 18446744073709551615"], 5, more),
        (&["c 1 11"], 3, more),
        (&["c 1 0"], 3, more),
        (&["c 18446744073709551615 1"], 3, more),
        (&["p 1", "r 18446744073709551615 1 1"], 4, "goes past the end of numbers"),
        (&["p 1", "r 1 18446744073709551615 1"], 4, "goes past the end of numbers"),
        (&["p 1", "r 1 -1 1"], 4, "goes past the end of numbers"),
        (&["p 1", "r 1 0 1"], 4, "names sequence 0"),
        (&["p 2", "p 2"], 4, "names a producer out of order"),
        (&["p 2", "p 1"], 4, "names a producer out of order"),
        (&["p 1", "b 1 00 1"], 4, "is not of this format"),
    ];
    for (lines, line, why) in wrong {
        let said = refused(lines);
        assert_eq!(said, format!("line {line} of the stream's file {why}"), "{lines:?}");
    }
}

#[test]
fn what_is_read_of_a_file_is_what_stands_there() {
    let text = file(&[
        "zonedrill-stream 1 b k3f9q2 1 10",
        "b 0 00 10",
        "p 3",
        "r 5 2 2 3",
        "r 0 -9 1",
        "m 6 2",
        "c 4 1",
        "f 7 2",
        "o 8 1",
        "s 9 2",
    ]);
    let read = StreamAudit::read_lines(text.as_bytes()).unwrap();
    let held = &read.producers[&3];
    let places: Vec<_> = held.places.runs().collect();
    // Runs of two: numbers 5, 12, 19 at sequences 2, 6, 10; then number 21 at 12 - 9.
    assert_eq!(places, [(5, 2, 2), (12, 6, 2), (19, 10, 2), (21, 3, 1)]);
    let numbers: Vec<u64> = held.numbers.iter().collect();
    assert_eq!(numbers, [5, 6, 12, 13, 19, 20, 21]);
    let sets = [&held.moved, &read.corrupt, &read.foreign, &read.plain, &read.second];
    let sets = sets.map(|set| set.iter().collect::<Vec<_>>());
    assert_eq!(sets, [vec![6, 7], vec![4], vec![7, 8], vec![8], vec![9, 10]]);
    // And it is written so.
    let (written, stood) =
        (String::from_utf8(lines(&read)).unwrap(), text.replace(" 00 ", " 0000000000000000 "));
    assert!(written.lines().take(10).eq(stood.lines().take(10)), "{written}");
    let empty = file(&["zonedrill-stream 1 b k3f9q2 - -"]);
    let nothing = StreamAudit::read_lines(empty.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(lines(&nothing)).unwrap(), empty);
}

#[test]
fn a_chunks_end_is_no_runs_end() {
    let one: Vec<_> = (4090..4110).map(|n| (1, n, 0)).collect();
    let text = String::from_utf8(lines(&audit(&one))).unwrap();
    let runs: Vec<&str> = text.lines().filter(|line| line.starts_with("r ")).collect();
    assert_eq!(runs, ["r 4090 1 20"]);
    // Where the sequences do not go on, or the numbers do not, it is one.
    let gap: Vec<_> = [(1, 4095, 0), (2, 1, 0), (1, 4096, 0), (1, 4100, 0)].into();
    let text = String::from_utf8(lines(&audit(&gap))).unwrap();
    let runs: Vec<&str> = text.lines().filter(|line| line.starts_with("r ")).collect();
    assert_eq!(runs, ["r 4095 1 1", "r 0 1 1", "r 3 0 1", "r 1 2 1"]);
}

/// What cannot be read at all.
struct Broken;
impl io::Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the disk is on fire"))
    }
}

#[test]
fn what_is_wrong_with_a_file_as_a_whole() {
    let head = "zonedrill-stream 1 b k3f9q2 1 10";
    let error = |text: &[u8]| StreamAudit::read_lines(text).unwrap_err().to_string();
    let whole = file(&[head, "b 0 00 10"]);
    let after = error(format!("{whole}x\n").as_bytes());
    assert_eq!(after, "line 4 of the stream's file comes after the end");
    let long = error(format!("{head}\nc {}\n", "1".repeat(300)).as_bytes());
    assert_eq!(long, "line 2 of the stream's file is too long");
    let short = "the stream's file is cut short after 1 lines: its last line is missing";
    assert_eq!(error(format!("{head}\n").as_bytes()), short);
    assert_eq!(error(format!("{head}\nb 0 00").as_bytes()), short);
    let binary = [head.as_bytes(), b"\n\xff\n"].concat();
    assert_eq!(error(&binary), "line 2 of the stream's file is not text");
    let altered = whole.replace("b 0 00 10", "b 0 01 10");
    assert!(error(altered.as_bytes()).contains("its checksum does not fit"));
    let strange = error(file(&[head, "x 1"]).as_bytes());
    assert_eq!(strange, "line 2 of the stream's file is not of this format");
    let blocks = error(file(&[head, "b 0 00 10", "b 0 00 10"]).as_bytes());
    assert_eq!(blocks, "line 4 of the stream's file follows blocks that cannot be a stream's");
    let unread = error(file(&["zonedrill-stream 1 b k3f9q2 - -", "b 0 00 10"]).as_bytes());
    assert_eq!(unread, "line 3 of the stream's file follows blocks that cannot be a stream's");

    let unreadable = StreamAudit::read_lines(io::BufReader::new(Broken)).unwrap_err();
    let said = "the stream's file cannot be read: the disk is on fire";
    assert_eq!(unreadable.to_string(), said);
}
