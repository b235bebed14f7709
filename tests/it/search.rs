//! `drill search`: what no fault breaks holds, and a planted fault is found and shrunk to its causes.

use std::{fs, process::Command, time::Duration};

use serde_json::Value;
use zonedrill::{
    command::Family,
    drill::search::{BadLinks, Ground, Schedule},
};

use crate::support::turns;

fn search(folder: &std::path::Path, args: &str) -> (Option<i32>, String, Value) {
    let out = folder.join("out");
    let ran = Command::new(env!("CARGO_BIN_EXE_zonedrill"))
        .args(["drill", "search", "--out"])
        .arg(&out)
        .args(args.split(' '))
        .current_dir(folder)
        .output()
        .unwrap();
    let told = String::from_utf8(ran.stdout).unwrap() + &String::from_utf8(ran.stderr).unwrap();
    let rows = fs::read(out.join("search.json"))
        .map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap());
    (ran.status.code(), told, rows)
}

/// Faults of every kind, and nothing is lost.
#[test]
fn no_fault_that_heals_loses_anything() {
    turns::for_a_region();
    let folder = tempfile::tempdir().unwrap();
    let (code, told, rows) = search(folder.path(), "--seed 1 --rounds 4 --length 6s");
    let verdicts: Vec<&str> =
        rows.as_array().unwrap().iter().map(|row| row["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts.len(), 4, "{told}");
    // On a loaded machine one may see too little; none is ever broken.
    assert!(!verdicts.contains(&"broken") && verdicts.contains(&"proved"), "{told}");
    assert!(matches!(code, Some(0 | 2)), "{told}");
}

/// A seed whose schedule has a thin link and a killed server of the copy at once, for two seconds,
/// among faults of other kinds.
fn with_both(families: &[Family], length: Duration) -> Schedule {
    let ground = Ground::of(families.to_vec(), BadLinks::Streams, length).unwrap();
    let both = |schedule: &Schedule| {
        let spans = |is: fn(&str) -> bool| {
            let mut all = schedule.faults.iter().filter(|fault| is(&fault.begin.to_string()));
            all.next().map(|fault| (fault.at_ms, fault.at_ms + fault.for_ms))
        };
        let thin = spans(|line| line.starts_with("impair b --rate"));
        let dead = spans(|line| line.starts_with("node kill") && line.ends_with("zone-b"));
        let overlap = thin
            .zip(dead)
            .map(|(thin, dead)| thin.1.min(dead.1).saturating_sub(thin.0.max(dead.0)));
        // The source's servers are left alone: they would do nothing for the plant.
        let of_a = schedule.faults.iter().any(|fault| fault.begin.to_string().contains("-zone-a"));
        overlap.is_some_and(|ms| ms >= 2_000) && !of_a && schedule.faults.len() >= 4
    };
    (0..10_000).map(|seed| Schedule::by(seed, &ground)).find(both).unwrap()
}

/// "Loses a message if a server of the copy is down while its link is bad", among other faults.
#[test]
fn a_planted_fault_is_found_and_shrunk_to_its_two_causes() {
    turns::for_a_region();
    let folder = tempfile::tempdir().unwrap();
    let schedule =
        with_both(&[Family::Link, Family::Process, Family::Consumer], Duration::from_secs(8));
    let mut given = schedule.faults.iter().map(|fault| fault.begin.to_string());
    let node = given.find_map(|line| Some(line.strip_prefix("node kill ")?.to_owned()));
    let (node, out) = (node.unwrap(), folder.path().join("out"));
    let ran = Command::new(env!("CARGO_BIN_EXE_zonedrill"))
        .args(["drill", "search", "--rounds", "1", "--length", "8s"])
        .args(["--faults", "link,process,consumer", "--sabotage", "lose", "--when"])
        .arg(format!("zones.b.link.state == 'impaired' and zones.b.nodes.{node}.state == 'dead'"))
        .args(["--seed", &schedule.seed.to_string(), "--out"])
        .arg(&out)
        .output()
        .unwrap();
    let told = String::from_utf8(ran.stdout).unwrap() + &String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(1), "{told}");
    let want = format!("fails with 2 of its {} faults", schedule.faults.len());
    assert!(told.contains(&want), "{told}");
    let script = fs::read_to_string(out.join(format!("search-{}.toml", schedule.seed))).unwrap();
    let given = |line: &str| script.matches(&format!("{{ run = '{line}")).count();
    assert_eq!(
        (given("impair b"), given("node kill js"), given("consumer ")),
        (1, 1, 0),
        "{script}"
    );
}
