//! What a region is after its room, a server or a disk has failed.

use std::{
    collections::BTreeSet,
    io::Write,
    time::{Duration, Instant},
};

use crate::support::region::{RECOVERED, Region, SOON};
use serde_json::Value;

#[test]
fn a_room_that_is_killed_leaves_nothing_and_loses_nothing() {
    let region = Region::up("killed");
    region.ok("produce --count 500");
    region.ok("produce --rate 500/s");
    region.wait("some more", SOON, |status| status["producer"]["acked"].as_u64() > Some(600));
    let pid = rustix::process::Pid::from_raw(region.room_pid()).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
    region.assert_gone();
    let open = left_open(&region);
    assert!(open > 0, "the producer announces ahead of what it sends");
    // What was acknowledged before is still accounted for after, and so is what was announced.
    region.start(&[]).expect_code(0);
    let status = region.status();
    let acked = status["zones"][0]["ledger"]["acked"].as_u64().expect("a count");
    assert!(acked > 600, "{status:#}");
    region.wait("unknown", SOON, |status| status["producer"]["unknown"].as_u64() == Some(open));
    for zone in ["a", "b"] {
        region.wait_zone(zone, "all there", RECOVERED, |z| {
            z["ledger"]["received"].as_u64() >= Some(acked) && z["consumer"]["pending"] == 0
        });
    }
    let said = region.ok("verify");
    assert!(said.contains(&format!("(unknown, no fault): {open}")), "{said}");
    let verified: Value = serde_json::from_str(&region.ok("verify --json")).expect("JSON");
    assert_eq!(verified["zones"][0]["unknown"], open, "{verified:#}");
    // Another room, and another producer, find nothing more of that kind.
    region.ok("down");
    region.start(&[]).expect_code(0);
    region.ok("produce --count 10");
    assert_eq!(region.status()["producer"]["unknown"], open);
    assert_eq!(left_open(&region), 0);
}

/// How many messages the ledger's file announces, and says nothing more of.
fn left_open(region: &Region) -> u64 {
    let text = std::fs::read_to_string(region.folder().join("ledger.jsonl")).expect("a ledger");
    let (mut announced, mut told) = (BTreeSet::new(), BTreeSet::new());
    // A torn last line is none.
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let set = match line["k"].as_str() {
            Some("intend") => &mut announced,
            Some("acked" | "failed" | "unknown" | "withdrawn") => &mut told,
            _ => continue,
        };
        let of = |key: &str| line[key].as_u64().expect(key);
        set.extend((of("n")..of("n") + of("c")).map(|number| (of("p"), number)));
    }
    announced.difference(&told).count() as u64
}

/// The last line is taken out of the ledger while no room runs: what it told is unknown then. It is
/// neither a loss, nor is anything proved by what is left.
#[test]
fn a_ledger_that_was_cut_short_is_told_as_such() {
    let region = Region::up("short");
    // So that nothing is written after what zone b's consumer did.
    region.ok("consumer pause b");
    region.ok("produce --count 50");
    region.ok("consumer resume b");
    region.ok("verify");
    region.ok("down");
    let path = region.folder().join("ledger.jsonl");
    let text = std::fs::read_to_string(&path).expect("a ledger");
    let last = text.trim_end().lines().last().expect("lines");
    assert!(last.starts_with(r#"{"k":"received","z":"b""#), "{last}");
    std::fs::write(&path, &text[..text.len() - last.len() - 1]).expect("written");
    region.start(&[]).expect_code(0);

    region.wait_zone("b", "unrecorded", SOON, |z| z["ledger"]["unrecorded"] != 0);
    assert_eq!(region.zone("b")["ledger"]["lost"], 0);
    let verified = region.run(&["verify"]).expect_code(2);
    let said = verified.out.replace('\n', " ");
    assert!(said.contains("the ledger was cut short after line"), "{said}");
    assert!(!said.contains("never processed") && !said.contains("whole"), "{said}");
    let drilled = region.run(&["drill", "run", "cut"]).expect_code(2);
    assert!(drilled.out.contains("not begun: the evidence is damaged"), "{}", drilled.out);
    region.ok("down --purge");
    region.start(&[]).expect_code(0);
    region.ok("produce --count 50");
    region.ok("verify");
}

#[test]
fn a_terminated_room_goes_in_order() {
    let region = Region::up("termed");
    let pid = rustix::process::Pid::from_raw(region.room_pid()).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).expect("sent");
    region.ok("produce --count 5");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("sent");
    region.assert_gone();
    assert_eq!(region.run(&["status"]).code, 3);
}

/// Signals a node's server as somebody else would.
fn signal(region: &Region, zone: &str, name: &str, signal: rustix::process::Signal) {
    let nodes = region.zone(zone)["nodes"].as_array().expect("nodes").clone();
    let node = nodes.iter().find(|node| node["name"] == name).expect("the node");
    let pid = i32::try_from(node["pid"].as_i64().expect("a pid")).expect("a pid");
    let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
    rustix::process::kill_process(pid, signal).expect("a process");
}

fn state_of(zone: &Value, name: &str) -> Value {
    let nodes = zone["nodes"].as_array().expect("nodes");
    nodes.iter().find(|node| node["name"] == name).expect("the node")["state"].clone()
}

#[test]
fn a_server_killed_or_suspended_by_somebody_else_makes_a_drill_void() {
    use rustix::process::Signal;
    let region = Region::up("meddle");
    for (act, told, way_back) in [
        (Signal::KILL, "has ended, and not by a command (killed by signal 9)", "node start"),
        (Signal::STOP, "was suspended by somebody else", "node thaw"),
    ] {
        let drill = region.begin_drill();
        signal(&region, "b", "js2-zone-b", act);
        let why = region.why_void(drill);
        assert!(why.contains(&format!("js2-zone-b {told}")), "{told}: {why}");
        assert!(why.contains("while the drill ran"), "{told}: {why}");
        region.ok(&format!("{way_back} js2-zone-b"));
        region.wait_zone("b", "up again", SOON, |b| state_of(b, "js2-zone-b") == "up");
    }
    // What a command does is no meddling.
    region.ok("node kill js2-zone-b");
    region.ok("node start js2-zone-b");
    let events = std::fs::read_to_string(region.folder().join("events.jsonl")).expect("events");
    let note = |line: &&str| line.contains("\"note\"") && line.contains("not by a command");
    let told = events.lines().filter(note).count();
    assert_eq!(told, 1, "{events}");
}

/// A full disk, of eight megabytes. It takes the right to mount.
#[test]
fn a_server_whose_disk_is_full_is_not_shown_as_up() {
    let region = Region::up("full");
    let name = "js2-zone-b";
    let data = region.folder().join("servers").join(name).join("data");
    region.ok(&format!("node stop {name}"));
    let mount = |words: &[&str]| {
        let done = std::process::Command::new(words[0]).args(&words[1..]).arg(&data).output();
        done.is_ok_and(|done| done.status.success())
    };
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs"]) {
        let _ = writeln!(
            std::io::stderr().lock(),
            "SKIPPED, nothing can be mounted here: a_server_whose_disk_is_full_is_not_shown_as_up"
        );
        return;
    }
    let _unmount = Unmount(data.clone());
    region.ok(&format!("node start {name}"));
    region.ok("produce --count 3000 --size 4096");
    region.wait_zone("b", "its JetStream is off", SOON, |b| state_of(b, name) == "js-off");
    let events = region.folder().join("events.jsonl");
    let deadline = Instant::now() + SOON;
    // In the words of the server's log, which depend on what it was writing.
    let told = loop {
        let events = std::fs::read_to_string(&events).expect("events");
        let told = events.lines().find(|line| line.contains("has switched its JetStream off ("));
        if let Some(told) = told {
            break told.to_owned();
        }
        assert!(Instant::now() < deadline, "the reason is not told: {events}");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(told.contains("no space left") || told.contains("DISABLED"), "{told}");
    assert!(region.ok("status").contains("js2-zone-b js-off"), "{}", region.ok("status"));
    let doctor = region.run(&["doctor"]).expect_code(3);
    assert!(doctor.out.contains("its JetStream is off: free space"), "{doctor:?}");
    assert_eq!(region.zone("b")["stream"]["replicas_current"], 2);
    // With space, and started again, it is up and has everything.
    region.ok(&format!("node stop {name}"));
    assert!(mount(&["mount", "-o", "remount,size=64m"]));
    region.ok(&format!("node start {name}"));
    region.wait_zone("b", "up", SOON, |b| state_of(b, name) == "up");
    region.wait_zone("b", "whole", RECOVERED, |b| b["stream"]["replicas_current"] == 3);
    region.ok("down");
    region.assert_gone();
}

/// Takes the full disk away whatever happens.
struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).output();
    }
}
