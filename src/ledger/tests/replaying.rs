//! A ledger from its lines: which of them count, and how they are written.

use super::{
    super::{
        chain::Chain,
        replay::{LedgerError, Replay, Replayer},
    },
    *,
};

const RUN: &str = r#"{"k":"run","run":"k3f9q2","region":"east","at":4}"#;

fn replay(lines: &[&str]) -> Result<(Ledger, Replay), LedgerError> {
    Ledger::replay(lines.iter().map(|line| format!("{line}\n")))
}

#[test]
fn a_record_is_written_short_and_read_whole() {
    let both = |record: &Record, text: &str| {
        assert_eq!(serde_json::to_string(record).unwrap(), text);
        assert_eq!(serde_json::from_str::<Record>(text).unwrap(), *record, "{text}");
    };
    let acked = |dup| Record::Acked { p: 1, n: 2, c: 3, s: 4, d: "zone-a".into(), dup, at: 5 };
    both(&acked(false), r#"{"k":"acked","p":1,"n":2,"c":3,"s":4,"d":"zone-a","at":5}"#);
    both(&acked(true), r#"{"k":"acked","p":1,"n":2,"c":3,"s":4,"d":"zone-a","dup":true,"at":5}"#);
    let received = |r| Record::Received { z: zone("b"), p: 1, n: 2, s: 4, c: 3, r, at: 5 };
    both(&received(1), r#"{"k":"received","z":"b","p":1,"n":2,"s":4,"c":3,"at":5}"#);
    both(&received(2), r#"{"k":"received","z":"b","p":1,"n":2,"s":4,"c":3,"r":2,"at":5}"#);
    let foreign = |plain| Record::Foreign { z: zone("b"), s: 4, plain, at: 5 };
    both(&foreign(false), r#"{"k":"foreign","z":"b","s":4,"at":5}"#);
    both(&foreign(true), r#"{"k":"foreign","z":"b","s":4,"plain":true,"at":5}"#);
}

#[test]
fn empty_lines_count_as_lines() {
    let (_, read) = replay(&[RUN, "", " ", RUN]).unwrap();
    assert_eq!((read.lines, read.last_at, read.torn_tail), (4, 4, false));
    assert_eq!(read.bytes, 2 * (RUN.len() as u64 + 1) + 3);
    let (_, read) = replay(&[RUN]).unwrap();
    assert_eq!((read.lines, read.last_at), (1, 4));
}

#[test]
fn a_ledger_begins_with_its_run() {
    let intend = r#"{"k":"intend","p":1,"n":1,"c":5,"at":2}"#;
    let missing = "line 1 of the ledger does not say which run it is of: its beginning is missing";
    assert_eq!(replay(&[intend, RUN]).unwrap_err().to_string(), missing);
    let nothing = "line 1 of the ledger does not say which run it is of: nothing was written";
    assert_eq!(replay(&["", ""]).unwrap_err().to_string(), nothing);
    let named = replay(&[&RUN.replace("k3f9q2", "no run")]).unwrap_err().to_string();
    assert!(named.starts_with("line 1 of the ledger begins no run: "), "{named}");
}

#[test]
fn a_line_that_does_not_follow_is_refused() {
    let mut chain = Chain::default();
    let mut sealed = |line: &str| {
        let mut line = line.as_bytes().to_vec();
        chain.seal(&mut line, 0);
        String::from_utf8(line).unwrap()
    };
    let intend = |n: u64| format!(r#"{{"k":"intend","p":1,"n":{n},"c":1,"at":5}}"#);
    let lines = [sealed(RUN), sealed(&intend(1)), sealed(&intend(2))];
    let [run, one, two] = lines.each_ref().map(String::as_str);
    assert_eq!(replay(&[run, one, two]).unwrap().0.totals().intended, 2);
    let error = replay(&[run, two]).unwrap_err();
    assert!(error.line == 2 && error.to_string().contains("running digest"), "{error}");
}

#[test]
fn records_after_a_moment_are_checked_and_not_applied() {
    let until = |until, more: &str| {
        let mut replayer = Replayer::until(until);
        let lines =
            [2, 5, 6].map(|at| format!(r#"{{"k":"intend","p":1,"n":{at},"c":1,"at":{at}}}"#));
        for line in [RUN, &lines[0], &lines[1], &lines[2], more] {
            replayer.line(&format!("{line}\n"))?;
        }
        replayer.finish().map(|(ledger, read)| (ledger.totals().intended, read.last_at, read.lines))
    };
    assert_eq!(until(Some(5), ""), Ok((2, 5, 5)));
    assert_eq!(until(Some(4), ""), Ok((1, 2, 5)));
    assert_eq!(until(None, ""), Ok((3, 6, 5)));
    assert_eq!(until(Some(5), "nonsense").map_err(|error| error.line), Err(5));
}
