//! What version 0.1.0 wrote: a bundle of its own `drill run cut --report`, and the ledger in it. They
//! stay readable, and nothing of them is called altered.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::screen::cells;
use serde_json::Value;
use zonedrill::{
    drill::bundle,
    ledger::{
        Ledger,
        finding::{Evidence, judge},
    },
    region::status::Verdict,
};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bundle-0.1.0")
}

#[test]
fn a_bundle_of_another_version_is_untouched_and_not_exit_0() {
    let verification = bundle::verify(&fixture()).unwrap();
    assert_eq!(verification.altered, []);
    assert_eq!((verification.verdict, verification.exit_code()), (Some(Verdict::Void), 2));
    for what in [
        "written by version 0.1.0",
        "its script is not one that this version has (`cut`)",
        "report.json, by version 0.1.0, says proved of cut; computed anew it is void",
    ] {
        assert!(verification.uncompared.iter().any(|one| one.contains(what)), "{verification}");
    }
}

#[test]
fn a_bundle_of_another_version_that_was_altered_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    copy_all(&fixture(), &copy);
    let record = copy.join("runs/1-cut/drill.jsonl");
    let text = fs::read_to_string(&record).unwrap();
    let altered = text.replacen("\"acked\":25", "\"acked\":26", 1);
    assert_ne!(altered, text);
    fs::write(&record, altered).unwrap();
    let verification = bundle::verify(&copy).unwrap();
    assert_eq!((verification.altered.len(), verification.exit_code()), (1, 1), "{verification}");
}

#[test]
fn a_bundle_of_another_version_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = fixture();
    let output = Command::new(env!("CARGO_BIN_EXE_zonedrill"))
        .arg("replay")
        .arg(&bundle)
        .args(["--speed", "4", "--record", "old.cast", "--size", "100x30"])
        .current_dir(folder.path())
        .env("ZONEDRILL_HOME", folder.path().join("home"))
        .env("LANG", "C.UTF-8")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let cast = fs::read_to_string(folder.path().join("old.cast")).unwrap();
    let mut screen = vt100::Parser::new(cells(30), cells(100), 0);
    let mut shown = Vec::new();
    for line in cast.lines().skip(1) {
        let event: Value = serde_json::from_str(line).unwrap();
        if event[1] == "o" {
            screen.process(event[2].as_str().unwrap().as_bytes());
            shown.push(screen.screen().contents());
        }
    }
    assert!(shown.iter().any(|screen| screen.contains("CUT")));
    assert!(shown.iter().any(|screen| screen.contains("225")), "all were received");
}

#[test]
fn a_ledger_of_another_version_is_read() {
    let text = fs::read_to_string(fixture().join("ledger.jsonl")).unwrap();
    let (ledger, read) = Ledger::replay(text.lines()).unwrap();
    assert_eq!((ledger.totals().acked, ledger.damage()), (225, None));
    assert_eq!(read.lines, text.lines().count() as u64);
    for zone in ["a", "b"].map(|zone| zone.parse().unwrap()) {
        let account = &ledger.account(&zone, Some(225));
        let evidence = Evidence { account, stream: None, fidelity: None, drained: true };
        let found = judge(&ledger, &zone, &evidence);
        assert_eq!((found.judgement.as_str(), found.received), ("whole", 225));
    }
    // It had no running digests, so that what is lost of it is found by what it says.
    let is_receipt = |line: &str| line.contains(r#""z":"a","p":1,"n":7,"#);
    let shorter: Vec<&str> = text.lines().filter(|line| !is_receipt(line)).collect();
    assert_ne!(shorter.len() as u64, read.lines);
    let (ledger, _) = Ledger::replay(shorter).unwrap();
    let zone = "a".parse().unwrap();
    let account = &ledger.account(&zone, Some(225));
    let evidence = Evidence { account, stream: None, fidelity: None, drained: true };
    assert_ne!(judge(&ledger, &zone, &evidence).judgement.as_str(), "whole");
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let to = to.join(item.file_name());
        if item.path().is_dir() {
            copy_all(&item.path(), &to);
        } else {
            fs::copy(item.path(), to).unwrap();
        }
    }
}
