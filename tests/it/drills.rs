//! Drills end to end: the real program, real servers.
//!
//! Scenarios that do not disturb each other share a region: a bring-up takes seconds.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::{
    calm::calmly,
    region::{Ran, Region, SOON, nats_server, processes_of},
    screen::cells,
};
use serde_json::Value;
use zonedrill::{drill::record::Entry, room::protocol::PROTOCOL};

/// The newest run's record in a region's folder.
fn record(region: &Region) -> Vec<Entry> {
    let drills = std::fs::read_dir(region.folder().join("drills")).expect("drills");
    let number = |path: &Path| -> u64 {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.split('-').next().unwrap().parse().unwrap()
    };
    let newest = drills.map(|entry| entry.unwrap().path()).max_by_key(|path| number(path));
    let text = std::fs::read_to_string(newest.expect("a run").join("drill.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).expect("an entry")).collect()
}

/// How many runs have a record.
fn records(region: &Region) -> usize {
    std::fs::read_dir(region.folder().join("drills")).expect("drills").count()
}

/// What a drill begins with is what there is when it begins, not what was observed before.
#[test]
fn a_drill_begins_with_all_that_was_acknowledged_before_it() {
    let region = Region::up("before");
    for round in 1..=3 {
        region.ok("produce --count 300");
        region.ok("drill begin");
        let record = record(&region);
        let first = record.iter().find_map(|entry| match entry {
            Entry::Sample(sample) => Some(sample),
            _ => None,
        });
        let zones = &first.expect("a sample").status.zones;
        let last = zones.iter().map(|zone| zone.stream.as_ref().map(|stream| stream.last_seq));
        assert_eq!(last.collect::<Vec<_>>(), [Some(300 * round); 2], "round {round}");
        region.ok("drill stop");
        // Its place is free when the command has ended, not when it can be ended no more.
        let idle = |status: &Value| status["tasks"].as_array().is_some_and(Vec::is_empty);
        region.wait("it is over", SOON, idle);
    }
}

fn conclusion(region: &Region, name: &str) -> Value {
    let status = region.status();
    let conclusions = status["conclusions"].as_array().unwrap();
    conclusions.iter().find(|one| one["name"] == name).cloned().unwrap()
}

/// A program of its own folder and no room.
fn alone(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zonedrill"));
    command
        .current_dir(folder)
        .env("ZONEDRILL_HOME", folder.join("home"))
        .env("ZONEDRILL_NATS_SERVER", nats_server())
        .env("TMPDIR", folder)
        .stdin(Stdio::null());
    command
}

/// Starts a command line in the background.
fn start(region: &Region, words: &[&str]) -> Child {
    let mut command = region.program();
    command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
}

fn finish(mut child: Child) -> Ran {
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    Ran { code: child.wait().unwrap().code().unwrap_or(-1), out, err }
}

fn wait_until(what: &str, seconds: u64, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !holds() {
        assert!(Instant::now() < deadline, "not within {seconds} s: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn cut_state(region: &Region) -> Value {
    region.zone("b")["link"]["state"].clone()
}

/// All four in a region of their own, without a room: as a sceptic runs them.
#[test]
fn the_four_conclusions_are_proved_without_a_room() {
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let all = calmly(|| {
        let _ = std::fs::remove_dir_all(folder.path().join("proof"));
        Ran::of(alone(folder.path()).args(["drill", "run", "all", "--report", "proof"]))
    });
    let all = all.expect_code(0);
    for name in ["cut", "heal", "independent", "grow"] {
        let proved = all.out.lines().any(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some(name) && words.next() == Some("proved")
        });
        assert!(proved, "{name}: {}", all.out);
    }
    println!("all four took {:?}", began.elapsed());
    assert!(folder.path().join("proof").is_dir());
    // Nothing is left but what was asked for.
    assert_eq!(processes_of(folder.path()), Vec::<i32>::new());
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["proof"]);
    are_played_in_turn(folder.path());
}

/// A replay of the bundle shows one drill after the other, each to its verdict, with the ledger.
fn are_played_in_turn(folder: &Path) {
    let words = ["replay", "proof", "--speed", "20", "--record", "all.cast", "--size", "120x40"];
    Ran::of(alone(folder).args(words)).expect_code(0);
    let cast = std::fs::read_to_string(folder.join("all.cast")).unwrap();
    let mut screen = vt100::Parser::new(cells(40), cells(120), 0);
    let (mut began, mut ends) = (Vec::new(), String::new());
    for event in cast.lines().skip(1).map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let data = event[2].as_str().unwrap();
        match event[1].as_str().unwrap() {
            "m" => began.extend(data.split_once(" 1: ").map(|(drill, _)| drill.to_owned())),
            _ => screen.process(data.as_bytes()),
        }
        ends = screen.screen().contents();
    }
    assert_eq!(began, ["cut", "heal", "independent", "grow"]);
    for name in began {
        assert!(ends.contains(&format!("{name} proved")), "{name}: {ends}");
    }
    let row = |zone: &str| ends.lines().find(|line| line.starts_with(zone)).unwrap_or_default();
    for zone in [" zone a", " zone b", " zone c"] {
        assert!(row(zone).contains('→') && !row(zone).contains('?'), "{zone}: {ends}");
    }
}

#[test]
fn a_shell_that_is_killed_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = alone(folder.path())
        .args(["drill", "run", "cut"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut seen = String::new();
    let out = shell.stdout.as_mut().unwrap();
    let mut byte = [0];
    while !seen.contains("1/") {
        assert_eq!(out.read(&mut byte).unwrap(), 1, "ended early: {seen}");
        seen.push(char::from(byte[0]));
    }
    assert!(processes_of(folder.path()).len() > 6);
    shell.kill().unwrap();
    shell.wait().unwrap();
    wait_until("everything is gone", 60, || {
        processes_of(folder.path()).is_empty()
            && std::fs::read_dir(folder.path()).unwrap().next().is_none()
    });
}

#[test]
fn words_that_cannot_be_are_refused_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |words: &[&str], what: &str| {
        let ran = Ran::of(alone(folder.path()).args(words)).expect_code(3);
        assert!(ran.err.contains(what), "{}", ran.err);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    };
    refused(&["drill", "run", "nonsense"], "there is no drill `nonsense`");
    refused(&["drill", "stop"], "no room");
    refused(&["drill", "run", "all", "--sabotage", "leak"], "--sabotage");
    refused(&["--zones", "a,b", "drill", "list"], "--zones");
    let list = Ran::of(alone(folder.path()).args(["drill", "list"])).expect_code(0).out;
    for name in ["cut", "heal", "independent", "grow"] {
        assert!(list.contains(name), "{list}");
    }
}

/// In a running room: one at a time, stopped, disturbed, not begun.
#[test]
fn a_drill_that_is_ended_heals_and_says_void() {
    let region = Region::up("ended");
    // Stopped while the link is cut.
    let drill = start(&region, &["drill", "run", "heal"]);
    wait_until("zone b is cut", 60, || cut_state(&region) == "cut");
    let second = region.run(&["drill", "run", "grow"]).expect_code(3);
    assert!(second.err.contains("`drill run heal` runs"), "{}", second.err);
    region.ok("drill stop");
    let ended = finish(drill).expect_code(2);
    assert!(ended.out.contains("drill stop"), "{}", ended.out);
    assert_eq!(cut_state(&region), "up");
    assert_eq!(conclusion(&region, "heal")["verdict"], "void");
    assert!(record(&region).iter().any(|entry| matches!(entry, Entry::Interrupted { .. })));
    assert!(region.status()["producer"]["active"] == false);

    // Disturbed by somebody else.
    let drill = start(&region, &["drill", "run", "cut"]);
    wait_until("zone b is cut", 60, || cut_state(&region) == "cut");
    region.run(&["--as", "eve", "heal", "b"]).expect_code(0);
    let ended = finish(drill).expect_code(2);
    assert!(ended.out.contains("eve gave `heal b` while the drill ran"), "{}", ended.out);
    assert_eq!(cut_state(&region), "up");

    // Ended with ctrl-c in its shell.
    let drill = start(&region, &["drill", "run", "cut"]);
    wait_until("zone b is cut", 60, || cut_state(&region) == "cut");
    let pid = rustix::process::Pid::from_child(&drill);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    finish(drill).expect_code(2);
    assert_eq!(cut_state(&region), "up");

    // A region that is not as a drill needs it: told before anything is done.
    let (drills, sent) = (records(&region), region.status()["producer"]["acked"].clone());
    region.ok("node kill js2-zone-b");
    wait_until("it is seen", 60, || region.zone("b")["nodes"][1]["state"] == "dead");
    let ended = region.run(&["drill", "run", "cut"]).expect_code(2);
    assert!(ended.out.contains("node js2-zone-b is dead"), "{}", ended.out);
    assert!(ended.out.contains("`node start js2-zone-b`"), "{}", ended.out);
    assert_eq!((records(&region), &region.status()["producer"]["acked"]), (drills, &sent));
    region.ok("node start js2-zone-b");
    region.ok("cut b");
    let ended = region.run(&["drill", "run", "cut"]).expect_code(2);
    assert!(ended.out.contains("zone b is cut: `heal b`"), "{}", ended.out);
    region.ok("heal b");
    let refused = region.run(&["drill", "stop"]).expect_code(3);
    assert!(refused.err.contains("no drill runs"), "{}", refused.err);
}

#[test]
fn a_drill_is_about_the_zone_that_is_named() {
    let region = Region::new("named");
    region.start(&["--zones", "a,b,c"]).expect_code(0);
    region.proved(&["drill", "run", "heal", "--zone", "c"]);
    let about = record(&region).into_iter().find_map(|entry| match entry {
        Entry::Begin(begin) => Some(begin.mirror),
        _ => None,
    });
    assert_eq!(about, Some("c".parse().unwrap()));
    assert_eq!(region.zone("b")["recovery"], Value::Null, "zone b was left alone");
    for (zone, why) in [("a", "name a mirror zone"), ("x", "there is no zone x")] {
        let refused = region.run(&["drill", "run", "cut", "--zone", zone]).expect_code(3).err;
        assert!(refused.contains(why), "{refused}");
    }
}

/// Presented: every step is revealed, also the last, and each verdict stands until somebody goes on.
#[test]
fn a_presented_verdict_stands_until_somebody_goes_on() {
    let region = Region::up("presented");
    let folder = tempfile::tempdir().unwrap();
    for name in ["one", "two"] {
        let script = format!(
            r#"
            name = "{name}"
            claim = "Messages arrive."
            about = "one step"
            checks = ["whole"]
            [[step]]
            title = "a few"
            do = "A few messages."
            expect = "They arrive."
            watch = "The ledger."
            actions = [
              {{ run = "produce 1 10" }},
              {{ until = "new zones.b.ledger.received >= 10", within = "30s" }},
              {{ until = "zones.b.consumer.ack_floor == zones.a.stream.last_seq and zones.a.consumer.ack_floor == zones.a.stream.last_seq", within = "30s" }},
            ]
            "#
        );
        std::fs::write(folder.path().join(format!("{name}.toml")), script).unwrap();
    }
    region.ok("down");
    let up = |region: &Region| {
        let mut up = region.program();
        up.arg("up").env("ZONEDRILL_DRILLS", folder.path());
        Ran::of(&mut up).expect_code(0);
    };
    up(&region);
    let mut run = region.program();
    run.args(["drill", "run", "one", "two", "--present"]).env("ZONEDRILL_DRILLS", folder.path());
    let drill = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    // Predict, reveal, go on: the verdict comes with the third only.
    for _ in 0..3 {
        assert_eq!(ended_drills(&region), 0);
        wait_until("it waits", 60, || region.run(&["drill", "next"]).code == 0);
    }
    wait_until("the first verdict", 60, || ended_drills(&region) == 1);
    // Nothing is tested now: whoever does something disturbs no drill.
    region.run(&["--as", "eve", "produce", "1", "5"]).expect_code(0);
    assert_eq!(records(&region), 1, "the second has begun by itself");
    region.ok("drill stop");
    let ended = finish(drill).expect_code(2);
    assert!(ended.out.contains("1 of 2 proved; not begun: two"), "{}", ended.out);
    // Who presents from a shell is told what it waits for.
    assert!(ended.out.contains("one: waits for `drill next`"), "{}", ended.out);
    // Nothing is said to be still to come.
    wait_for_drill(&region, |drill| drill["queue"] == serde_json::json!([]));
}

/// Waits until a screen would show the drill so.
fn wait_for_drill(region: &Region, wanted: impl Fn(&Value) -> bool) {
    let mut stream = UnixStream::connect(region.folder().join("room.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let hello = serde_json::json!({
        "type": "hello", "protocol": PROTOCOL, "name": "looker", "client": "watch", "observe": true,
    });
    writeln!(stream, "{hello}").unwrap();
    let lines = BufReader::new(stream).lines();
    let mut messages = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    messages.find(|message| wanted(&message["status"]["drill"])).expect("it is shown so");
}

fn ended_drills(region: &Region) -> usize {
    let events = std::fs::read_to_string(region.folder().join("events.jsonl")).unwrap_or_default();
    events.lines().filter(|line| line.contains("drill-ended")).count()
}

/// The evidence of a drill outlives its room, and says what became of it.
#[test]
fn a_drill_whose_room_is_killed_is_void_and_can_be_reported() {
    let region = Region::up("abandoned");
    let drill = start(&region, &["drill", "run", "cut", "heal"]);
    // Of a busy machine it may say anything: what counts is that it ended.
    let ended = ["proved", "void", "broken"].map(Value::from);
    wait_until("the first is over", 120, || ended.contains(&conclusion(&region, "cut")["verdict"]));
    let first = conclusion(&region, "cut")["verdict"].clone();
    wait_until("zone b is cut", 60, || cut_state(&region) == "cut");
    let pid = rustix::process::Pid::from_raw(region.room_pid()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    assert_ne!(finish(drill).code, 0);
    region.assert_gone();

    region.start(&[]).expect_code(0);
    let heal = conclusion(&region, "heal");
    assert_eq!(heal["verdict"], "void", "{heal}");
    assert!(heal["evidence"].as_str().unwrap().contains("its room was killed"), "{heal}");
    let bundle = region.home.path().join("what-there-is");
    let bundle = bundle.to_str().unwrap();
    region.run(&["report", bundle]).expect_code(0);
    let verified = region.run(&["verify", bundle]).expect_code(2);
    assert!(verified.out.contains("its room was killed"), "{}", verified.out);
    // What had ended before is told with it.
    let first = format!("{:<9}cut: ", first.as_str().unwrap());
    assert!(verified.out.contains(&first), "{}", verified.out);
    // Told once: the next room knows that it is over.
    region.ok("down");
    region.start(&[]).expect_code(0);
    // What consumers still had to work off may be watched by then, as what is done by hand is.
    let heal = conclusion(&region, "heal");
    assert_ne!(heal["verdict"], "void", "{heal}");
    assert!(!heal["evidence"].as_str().unwrap().contains("its room was killed"), "{heal}");
}

#[test]
fn nothing_stays_of_a_region_for_one_shell_that_was_killed() {
    let region = Region::new("killed");
    let mut run = region.begin_one_run(&[]);
    run.wait_for_the_drill();
    run.kill_room();
    run.kill_shell();
    region.wait_for_processes_to_end(SOON);
    assert_eq!(region.one_runs(), Vec::<std::path::PathBuf>::new());
}
