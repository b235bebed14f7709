//! Every sabotage of every conclusion, end to end on real servers: each must end broken or void,
//! and for the right reason.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{
    calm::calmly,
    region::{Ran, Region},
};

/// Drill, sabotage, verdict, and what the reason must speak of.
const MUST: [(&str, &str, &str, &str); 25] = [
    ("cut", "leak", "void", "the cut leaked"),
    ("cut", "lose", "broken", "not on the stream"),
    ("cut", "duplicate", "broken", "twice"),
    ("cut", "corrupt", "broken", "not as sent"),
    ("cut", "reorder", "broken", "after a higher number"),
    ("cut", "nothing", "void", "nothing was produced"),
    ("heal", "leak", "void", "the cut leaked"),
    ("heal", "lose", "broken", "not on the stream"),
    ("heal", "duplicate", "broken", "twice"),
    ("heal", "corrupt", "broken", "not as sent"),
    ("heal", "reorder", "broken", "after a higher number"),
    ("heal", "nothing", "void", "nothing was produced"),
    ("independent", "lose", "broken", "not on the stream"),
    ("independent", "duplicate", "broken", "twice"),
    ("independent", "corrupt", "broken", "not as sent"),
    ("independent", "reorder", "broken", "after a higher number"),
    ("independent", "no-pause", "void", "pause"),
    ("independent", "nothing", "void", "nothing was produced"),
    ("grow", "lose", "broken", "not on the stream"),
    ("grow", "duplicate", "broken", "twice"),
    ("grow", "corrupt", "broken", "not as sent"),
    ("grow", "reorder", "broken", "after a higher number"),
    ("grow", "restart-producer", "broken", "connect"),
    ("grow", "reconfigure", "broken", "config"),
    ("grow", "nothing", "void", "nothing was produced"),
];

#[test]
fn every_sabotage_turns_the_verdict_for_the_right_reason() {
    let folder = tempfile::tempdir().unwrap();
    let Ran { code, out, .. } = calmly(|| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zonedrill"));
        command
            .args(["drill", "sabotage"])
            .current_dir(folder.path())
            .env("ZONEDRILL_HOME", folder.path().join("home"))
            .env("ZONEDRILL_NATS_SERVER", crate::support::server::nats_server())
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null());
        Ran::of(&mut command)
    });
    let table = out.split_once("as it must").expect(&out).1;
    for (drill, kind, verdict, reason) in MUST {
        let row = table.lines().find(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some(drill) && words.next() == Some(kind)
        });
        let row = row.unwrap_or_else(|| panic!("{drill} {kind} is missing:\n{out}"));
        let words: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(words[2..4], [verdict, "yes"], "{row}");
        assert!(row.contains(reason), "{row}");
    }
    assert_eq!(table.trim().lines().count(), MUST.len() + 1, "{out}");
    assert_eq!(code, 0, "{out}");
    // Its regions are gone.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// What a room's drills came to is handed out at once: the newest run of each, and the faults beside
/// what they test.
#[test]
fn one_report_holds_the_newest_run_and_the_fault_that_tests_it() {
    let region = Region::up("handed-out");
    let refused = region.run(&["report"]).expect_code(3);
    assert!(refused.err.contains("no drill has ended"), "{}", refused.err);
    region.run(&["drill", "run", "heal", "--sabotage", "nothing"]).expect_code(2);
    region.proved(&["drill", "run", "heal"]);
    let bundle = region.home.path().join("all-of-it");
    let bundle = bundle.to_str().unwrap();
    region.run(&["report", bundle]).expect_code(0);
    region.run(&["verify", bundle]).expect_code(0);
    let report = std::fs::read_to_string(format!("{bundle}/report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let told = |run: &Value| {
        let verdict = run["conclusion"]["verdict"].as_str().unwrap().to_owned();
        (run["drill"].clone(), run["sabotage"].clone(), verdict, run["as_it_must"].clone())
    };
    let runs: Vec<_> = report["runs"].as_array().unwrap().iter().map(told).collect();
    let heal = Value::from("heal");
    assert_eq!(
        runs,
        [
            (heal.clone(), Value::Null, "proved".to_owned(), Value::Null),
            (heal, Value::from("nothing"), "void".to_owned(), Value::from(true)),
        ]
    );
    let page = std::fs::read_to_string(format!("{bundle}/report.html")).unwrap();
    assert!(page.contains("1 of 1 deliberate fault came to the verdict that it must."));
    assert!(page.contains("<svg class=\"region\""), "the region is drawn");
}
