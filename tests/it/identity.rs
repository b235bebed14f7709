//! Whose a process is: two homes with one region's name on one machine.

use std::{fs, path::Path, time::Instant};

use crate::support::region::{Region, SOON, nats_server};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

fn id_of(region: &Region) -> String {
    fs::read_to_string(region.folder().join("region.id")).expect("an id").trim().to_owned()
}

fn environment(pid: i32) -> Vec<String> {
    let text = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    text.split(|byte| *byte == 0).map(|one| String::from_utf8_lossy(one).into_owned()).collect()
}

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).expect("a pid"), signal).expect("it runs");
}

fn runs(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// The pid of every server of a region that runs.
fn servers(region: &Region) -> Vec<i32> {
    let is_server =
        |pid: &i32| environment(*pid).iter().any(|one| one.starts_with("ZONEDRILL_NODE="));
    region.processes().into_iter().filter(is_server).collect()
}

fn guard_of(region: &Region) -> i32 {
    let is_guard = |pid: &i32| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.split(|byte| *byte == 0).any(|word| word == b"guard"))
    };
    region.processes().into_iter().find(is_guard).expect("a guard")
}

fn wait(what: &str, mut wanted: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !wanted() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Notes the servers of `of` as left over in the folder of `into`, by a room that is gone.
fn forge_leftovers(of: &Region, into: &Region) {
    let note = of.folder().join("servers").join("pids.json");
    let text = fs::read_to_string(note).expect("a note");
    let mut note: Value = serde_json::from_str(&text).expect("JSON");
    note["owner"] = json!({ "pid": 1 << 30, "start": "1" });
    fs::create_dir_all(into.folder().join("servers")).expect("a folder");
    let path = into.folder().join("servers").join("pids.json");
    fs::write(path, note.to_string()).expect("written");
}

#[test]
fn two_homes_with_one_region_name_live_and_die_independently() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let (one, other) = (Region::up("twin"), Region::new("twin"));
    let (id, folder) = (id_of(&one), one.folder().display().to_string());
    let all = one.processes();
    assert!(all.len() >= 8, "room, guard, six servers: {all:?}");
    for pid in all {
        let carried = environment(pid);
        let has = |wanted: String| carried.contains(&wanted);
        assert!(has(format!("ZONEDRILL_REGION_ID={id}")), "{pid}: {carried:?}");
        assert!(has("ZONEDRILL_REGION=twin".into()), "{pid}: {carried:?}");
    }
    let before = servers(&one);
    assert_eq!(before.len(), 6);

    // The name is the same: what holds the ports is another's all the same, and is named.
    let port = one.port.to_string();
    let down = format!(
        "`ZONEDRILL_HOME={} zonedrill --region twin down` ends it",
        one.home.path().display()
    );
    let pid = format!("its room runs, pid {}", one.room_pid());
    let examined = other.run(&["doctor", "--port-base", &port]).expect_code(3);
    let examined = format!("{}{}", examined.out, examined.err);
    let server = nats_server().to_str().expect("a path");
    let refused = other.run(&["up", "--port-base", &port, "--nats-server", server]);
    let refused = refused.expect_code(1).err;
    for told in [&refused, &examined] {
        for part in ["js1-zone-a of region `twin`", &id, &folder, &pid, &down] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
    // A note that names another's servers ends none of them: not by `down`, `up` or the guard.
    other.ok("down");
    forge_leftovers(&one, &other);
    let told = other.ok("down");
    assert!(told.contains("not touched: pid ") && told.contains(&id), "{told}");
    forge_leftovers(&one, &other);
    let told = other.start(&[]).expect_code(0);
    assert!(format!("{}{}", told.out, told.err).contains("left alone: pid "), "{told:?}");
    assert_ne!(id_of(&other), id);
    forge_leftovers(&one, &other);
    signal(other.room_pid(), Signal::KILL);
    other.assert_gone();
    assert_eq!(servers(&one), before);
    one.ok("produce --count 20");

    // What the refusal says ends it, typed as it stands.
    let typed = down
        .split('`')
        .nth(1)
        .expect("a command")
        .replace(" zonedrill ", &format!(" {} ", env!("CARGO_BIN_EXE_zonedrill")));
    let ended = std::process::Command::new("sh").args(["-c", &typed]).output().expect("a shell");
    assert!(ended.status.success(), "{ended:?}");
    one.assert_gone();
}

/// Found by killing at seeded moments: the socket stayed, and nothing said so.
#[test]
fn down_removes_the_socket_of_a_room_that_was_killed_with_its_guard() {
    let region = Region::up("unguarded");
    let (guard, room) = (guard_of(&region), region.room_pid());
    signal(guard, Signal::KILL);
    signal(room, Signal::KILL);
    let socket = region.folder().join("room.sock");
    let deadline = Instant::now() + SOON;
    while region.run(&["status"]).code == 0 {
        assert!(Instant::now() < deadline, "the room is there");
    }
    assert!(socket.exists(), "nobody was there to remove it");
    region.ok("down");
    region.assert_gone();
}

#[test]
fn a_guard_leaves_alone_what_was_made_in_its_folders_place() {
    let region = Region::up("heir");
    let guard = guard_of(&region);
    signal(guard, Signal::STOP);
    let room = region.room_pid();
    signal(room, Signal::KILL);
    wait("the room is gone", || !runs(room));
    // Another region has the folder now, and a room of it is about to come.
    fs::write(region.folder().join("region.id"), "0ddba11d\n").expect("written");
    let socket = region.folder().join("room.sock");
    assert!(socket.exists());
    signal(guard, Signal::CONT);
    wait("the guard is gone", || !runs(guard));
    assert!(socket.exists(), "the guard removed what is another's");
    fs::remove_file(socket).expect("removed");
    region.assert_gone();
}

#[test]
fn a_room_of_another_region_at_the_same_path_is_told() {
    let region = Region::up("moved");
    let path = region.folder().join("region.id");
    let id = id_of(&region);
    fs::write(&path, "0ddba11d\n").expect("written");
    let refused = region.run(&["status"]).expect_code(3).err;
    let kill = format!("`kill {}`", region.room_pid());
    assert!(refused.contains(&id) && refused.contains(&kill), "{refused}");
    signal(region.room_pid(), Signal::TERM);
    region.assert_gone();
}

/// A link in a region's place leads to anybody's folder: nothing in it is used or removed.
#[test]
fn what_lies_behind_a_link_in_a_regions_place_stays() {
    let region = Region::new("linked");
    let theirs = region.home.path().join("theirs");
    fs::create_dir_all(theirs.join("servers")).expect("a folder");
    for name in ["ledger.jsonl", "servers/precious"] {
        fs::write(theirs.join(name), "theirs").expect("a file");
    }
    std::os::unix::fs::symlink(&theirs, region.folder()).expect("a link");
    for words in [&["down", "--purge"][..], &["down"], &["up"]] {
        let ran = region.run(words);
        assert_ne!(ran.code, 0, "{words:?}: {ran:?}");
        assert!(ran.err.contains("is a link"), "{words:?}: {ran:?}");
    }
    for name in ["ledger.jsonl", "servers/precious"] {
        let text = fs::read_to_string(theirs.join(name)).expect("it is there");
        assert_eq!(text, "theirs");
    }
    assert!(!theirs.join("room.lock").exists(), "nothing is written there");
}
