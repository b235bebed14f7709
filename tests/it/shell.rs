//! The shell under bad circumstances: output that goes nowhere, folders named from here, ctrl-c.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    process::{Output, Stdio},
};

use crate::support::region::Region;
use rustix::process::{Pid, Signal};

/// Runs a command line whose output is lost, as on a full disk.
fn unheard(region: &Region, words: &[&str]) -> (i32, String) {
    let full = File::options().write(true).open("/dev/full").expect("a device that is full");
    let Output { status, stderr, .. } =
        region.program().args(words).stdout(full).output().expect("it runs");
    (status.code().unwrap_or(-1), String::from_utf8_lossy(&stderr).into_owned())
}

#[test]
fn what_was_not_told_did_not_end_well() {
    let region = Region::up("unheard");
    for words in [&["status"][..], &["status", "--json"], &["status", "--watch"], &["--help"]] {
        let (code, err) = unheard(&region, words);
        assert_eq!(code, 3, "{words:?}: {err}");
        assert!(err.contains("standard output cannot be written"), "{words:?}: {err}");
    }
    // Nothing was produced, so nothing was tested: that stays the verdict.
    let (code, err) = unheard(&region, &["verify"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("standard output cannot be written"), "{err}");
    // A reader that had enough is no error.
    let mut watch = region
        .program()
        .args(["status", "--watch"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut line = String::new();
    let mut reader = BufReader::new(watch.stdout.take().expect("its output"));
    reader.read_line(&mut line).expect("a line");
    drop(reader);
    // Something changes, to be printed.
    region.ok("produce --count 3");
    let ended = watch.wait_with_output().expect("it ends");
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
}

#[test]
fn a_home_named_from_here_is_the_same_for_the_room() {
    let region = Region::new("fromhere");
    let port = region.port.to_string();
    let server = crate::support::server::nats_server().to_str().expect("a path");
    let ran = region
        .program()
        .args(["up", "--port-base", &port, "--nats-server", server])
        .current_dir(region.home.path())
        .env("ZONEDRILL_HOME", ".")
        .output()
        .expect("it runs");
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(region.status()["phase"], "up");
    assert!(region.folder().join("room.lock").exists());
}

#[test]
fn a_home_that_cannot_be_is_told_once_and_with_a_way_out() {
    let region = Region::new("nohome");
    let file = region.home.path().join("file");
    std::fs::write(&file, "").expect("a file");
    for (words, told) in [("status", "no room runs"), ("up", "set ZONEDRILL_HOME")] {
        let ran = region.program().arg(words).env("ZONEDRILL_HOME", &file).output().expect("runs");
        let err = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(3), "{err}");
        assert!(err.contains(told), "{words}: {err}");
        assert_eq!(err.lines().count(), 1, "{words}: {err}");
    }
    // What the room itself could not do comes in its words, with one name before them.
    let ran = region.program().arg("up").env("ZONEDRILL_HOME", "/proc").output().expect("runs");
    let err = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(3), "{err}");
    assert!(err.starts_with("zonedrill: cannot create /proc/nohome"), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
}

#[test]
fn who_no_longer_waits_for_a_start_is_told_what_goes_on() {
    let region = Region::new("waits");
    let port = region.port.to_string();
    let server = crate::support::server::nats_server().to_str().expect("a path");
    let mut up = region
        .program()
        .args(["up", "--port-base", &port, "--nats-server", server])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut out = BufReader::new(up.stdout.take().expect("its output"));
    // The first step is told: it waits, and for a while yet.
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    assert!(line.contains("find nats-server"), "{line}");
    let pid = Pid::from_raw(up.id().cast_signed()).expect("a pid");
    rustix::process::kill_process(pid, Signal::INT).expect("it runs");
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("text");
    let ended = up.wait_with_output().expect("it ends");
    let err = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(3), "{err}");
    assert!(err.contains("goes on starting (`zonedrill --region waits status`"), "{err}");
    region.ok("down");
    region.assert_gone();
}

#[test]
fn a_screen_without_a_terminal_takes_nobodys_place() {
    let region = Region::up("noscreen");
    let ran = region.run(&["attach"]).expect_code(3);
    assert!(ran.err.contains("zonedrill status"), "{ran:?}");
    let ran = region.run(&["guest", "--as", "tom"]).expect_code(3);
    assert!(ran.err.contains("ssh -t"), "{ran:?}");
    region.ok("mark after");
    let events = std::fs::read_to_string(region.folder().join("events.jsonl")).expect("events");
    assert!(events.contains("after") && !events.contains("attached"), "{events}");
}

#[test]
fn the_regions_of_an_account_are_listed_with_what_runs() {
    let region = Region::up("listed");
    std::fs::create_dir(region.home.path().join("something-else")).expect("a folder");
    std::fs::write(region.home.path().join("something-else/notes"), "mine").expect("a file");
    let line = || {
        let out = region.run(&["region", "list"]).expect_code(0).out;
        assert_eq!(out.lines().count(), 1, "{out}");
        out
    };
    let running = line();
    for part in [region.name.as_str(), &format!("room {}", region.room_pid()), "a,b", "local"] {
        assert!(running.contains(part), "{part}: {running}");
    }
    region.ok("down");
    assert!(line().contains("no room"), "{}", line());
}
