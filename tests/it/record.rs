//! Recordings: valid asciicasts whose last picture is the screen's own.

use std::{
    ffi::OsStr,
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use crate::support::calm::calmly;
use crate::support::cast::Cast;
use crate::support::region::Region;
use crate::support::screen::{DEADLINE, Terminal};
use ratatui::style::Modifier;
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc;
use zonedrill::{
    command::{CastFormat, ScreenSize, keys::Keymap},
    record::Tap,
    region::{Actor, Event, EventKind},
    room::protocol::{Message, PROTOCOL},
    tui::{Feed, FromRoom, ScreenOptions, headless, sample},
};

fn options() -> ScreenOptions {
    let mut options =
        ScreenOptions::from_environment(Keymap::standard().unwrap(), "recorder".into());
    options.ascii = false;
    options.colours = zonedrill::tui::theme::Colours::Default;
    options
}

/// Draws a made-up room, with pictures that follow each other, into a file.
fn draw(path: &Path, format: CastFormat, size: ScreenSize) -> ratatui::buffer::Buffer {
    let tap = Tap::default();
    tap.start(path, format, size, "made up").unwrap();
    let (to_screen, from_room) = mpsc::channel(64);
    let (to_room, _lines) = mpsc::channel(1);
    let hello = Message::Hello {
        protocol: PROTOCOL,
        version: "test".into(),
        pid: 1,
        id: String::new(),
        screen: 1,
        drives: false,
        returned: false,
        events: Vec::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let last = runtime.block_on(async {
        let feed = async move {
            to_screen.send(FromRoom::Message(hello)).await.unwrap();
            for (id, status) in ["starting", "idle", "cut", "recovering"]
                .map(sample::status)
                .into_iter()
                .enumerate()
            {
                let kind = EventKind::CommandGiven { command: format!("heal b{id}") };
                let event = Event { id: id as u64 + 1, at_ms: 0, actor: Actor::room(), kind };
                to_screen.send(FromRoom::Message(Message::Event { event })).await.unwrap();
                let status = Message::Status { status: Box::new(status) };
                to_screen.send(FromRoom::Message(status)).await.unwrap();
                tokio::time::sleep(Duration::from_millis(120)).await;
            }
        };
        let stop = std::future::pending();
        let options = options();
        let way = Feed { from_room, to_room };
        tokio::join!(headless::run(way, &options, size, &tap, stop), feed).0.unwrap().last
    });
    assert!(!tap.is_open());
    last
}

#[test]
fn the_last_picture_of_a_cast_is_the_screens_own() {
    let folder = tempfile::tempdir().unwrap();
    for (format, columns, rows) in
        [(CastFormat::V2, 120, 36), (CastFormat::V3, 80, 24), (CastFormat::V2, 200, 60)]
    {
        let path = folder.path().join(format!("{columns}.cast"));
        let own = draw(&path, format, ScreenSize { columns, rows });
        let cast = Cast::read(&path);
        assert_eq!(cast.size(), (columns, rows));
        assert_eq!(cast.markers(), ["heal b0", "heal b1", "heal b2", "heal b3"]);
        let played = cast.played();
        for row in 0..rows {
            for column in 0..columns {
                let theirs = played.screen().cell(row, column).unwrap();
                let ours = &own[(column, row)];
                let text = if theirs.has_contents() { theirs.contents() } else { " " };
                assert_eq!(text, ours.symbol(), "{columns}x{rows} at {column},{row}");
                // The crate knows one intensity at a time.
                let (bold, dim) = (Modifier::BOLD, Modifier::DIM);
                if !ours.modifier.contains(bold | dim) {
                    let at = format!("{columns}x{rows} at {column},{row}");
                    assert_eq!(theirs.bold(), ours.modifier.contains(bold), "{at}");
                    assert_eq!(theirs.dim(), ours.modifier.contains(dim), "{at}");
                }
            }
        }
        assert!(!played.screen().hide_cursor());
    }
}

#[test]
fn debians_asciinema_plays_it_to_the_same_picture() {
    if Command::new("asciinema").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no asciinema here (apt-get install asciinema)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plays.cast");
    draw(&path, CastFormat::V2, ScreenSize { columns: 100, rows: 30 });
    let expected = Cast::read(&path).played().screen().contents();
    let home = [("HOME", folder.path().as_os_str())];
    for words in [&["cat"][..], &["play", "-s", "50"][..]] {
        let mut words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
        words.push(path.as_os_str());
        let mut player = Terminal::run(Path::new("asciinema"), &words, &home, (100, 30));
        player.wait("the last picture", |shown| shown == expected);
        assert_eq!(player.exit_code(), 0, "{}", player.text());
    }
}

#[test]
fn a_shell_records_without_a_terminal_until_told_or_killed() {
    let region = Region::up("tape");
    let cast = |name: &str| region.home.path().join(name);
    let start = |name: &str, more: &str| {
        let path = cast(name);
        region.ok(&format!("record start {} {more} --as tape", path.display()))
    };
    start("two.cast", "--size 100x30");
    start("three.cast", "--format v3");
    start("killed.cast", "--size 90x20");
    let taken = format!("record start {}", cast("two.cast").display());
    let words: Vec<&str> = taken.split(' ').collect();
    let again = region.run(&words).expect_code(3);
    assert!(again.err.contains("is there already"), "{}", again.err);
    region.wait("three recorders", DEADLINE, |status| {
        status["screens"].as_array().is_some_and(|screens| screens.len() == 3)
    });
    region.ok("produce 1 10 --interval 10ms");
    region.ok("mark half way");
    // The room has it; the recorder is a process of its own.
    let start = Instant::now();
    while !fs::read_to_string(cast("killed.cast")).unwrap().contains("mark half way") {
        assert!(start.elapsed() < DEADLINE, "the mark is not recorded");
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = region.processes().into_iter().find(|pid| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains("killed.cast"))
    });
    kill_process(Pid::from_raw(pid.unwrap()).unwrap(), Signal::KILL).unwrap();
    region.wait("two recorders", DEADLINE, |status| {
        status["screens"].as_array().is_some_and(|screens| screens.len() == 2)
    });
    region.ok("record stop");
    region.wait("no recorder", DEADLINE, |status| {
        status["screens"].as_array().is_some_and(Vec::is_empty)
    });
    let nothing = region.run(&["record", "stop"]).expect_code(3);
    assert!(nothing.err.contains("nothing is being recorded"), "{}", nothing.err);

    for (name, size) in
        [("two.cast", (100, 30)), ("three.cast", (120, 36)), ("killed.cast", (90, 20))]
    {
        let path = cast(name);
        let cast = Cast::read(&path);
        assert_eq!(cast.size(), size, "{name}");
        let markers = cast.markers();
        assert_eq!(markers.first(), Some(&"produce 1 10 --interval 10ms"), "{name}");
        assert_eq!(markers.last(), Some(&"mark half way"), "{name}: {markers:?}");
        assert!(cast.played().screen().contents().contains("zone b"), "{name}");
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(region.home.path().to_str().unwrap()), "{name}: a path of ours");
    }
}

/// Who brings a killed room back goes on in the same recording, in which the gap is seen.
#[test]
fn a_recorder_outlives_a_killed_room_and_ends_with_one_that_goes_in_order() {
    let region = Region::up("outlives");
    let path = region.home.path().join("outlives.cast");
    region.ok(&format!("record start {} --size 100x30", path.display()));
    let recorded = |what: &str| {
        let start = Instant::now();
        while !fs::read_to_string(&path).unwrap().contains(what) {
            assert!(start.elapsed() < DEADLINE, "not recorded: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    region.ok("mark before");
    recorded("mark before");
    kill_process(Pid::from_raw(region.room_pid()).unwrap(), Signal::KILL).unwrap();
    recorded("no connection to the room");
    region.start(&[]).expect_code(0);
    region.ok("mark behind");
    recorded("mark behind");
    region.ok("down");
    region.assert_gone();
    let played = Cast::read(&path).played().screen().contents();
    assert!(!played.contains("no connection"), "{played}");
}

#[test]
fn a_drill_from_the_shell_is_recorded_with_its_steps_and_its_verdict() {
    let region = Region::up("take");
    let path = region.home.path().join("drill.cast");
    let report = region.home.path().join("report");
    let words = ["drill", "run", "heal", "--size", "110x32"];
    let file = ["--record", path.to_str().unwrap(), "--report", report.to_str().unwrap()];
    let words = [&words[..], &file[..]].concat();
    let ran = calmly(|| {
        let _ = (fs::remove_file(&path), fs::remove_dir_all(&report));
        region.run(&words)
    });
    let ran = ran.expect_code(0);
    assert!(ran.out.contains("recorded") && ran.out.contains("drill.cast"), "{}", ran.out);
    let cast = Cast::read(&path);
    assert_eq!(cast.size(), (110, 32));
    let markers = cast.markers();
    let last = ["heal 4: heal zone b", "heal 5: linked again: messages 301-400", "heal: proved"];
    assert_eq!(markers[markers.len() - 3..], last, "{markers:?}");
    assert!(markers.iter().all(|marker| marker.starts_with("heal")), "{markers:?}");
    assert!(cast.held() >= 2.0, "the last frame is held");
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains(region.home.path().to_str().unwrap()), "a path of ours");
    assert!(cast.played().screen().contents().contains("zone b"));
    // Neither the room's drill nor a region of its own begins when the file is there already.
    let again = region.run(&words).expect_code(3);
    assert!(again.err.contains("is there already"), "{}", again.err);
    let alone = region.run(&[&["--region", "none"][..], &words[..]].concat()).expect_code(3);
    assert!(alone.err.contains("is there already") && alone.out.is_empty(), "{alone:?}");
}

#[test]
fn what_cannot_be_recorded_into_is_refused_before_anything_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let (there, nowhere) = (folder.path().join("there.cast"), folder.path().join("no/where.cast"));
    fs::write(&there, "somebody's").unwrap();
    let env = [("ZONEDRILL_HOME", home.as_os_str())];
    let program = Path::new(env!("CARGO_BIN_EXE_zonedrill"));
    for (path, why) in [(&there, "is there already"), (&nowhere, "first, or name a file")] {
        let path = path.as_os_str();
        let flag = OsStr::new("--record");
        let own: &[&OsStr] = &[flag, path];
        let drill = [OsStr::new("drill"), OsStr::new("run"), OsStr::new("cut"), flag, path];
        for words in [own, &drill[..]] {
            let mut screen = Terminal::run(program, words, &env, (200, 24));
            assert_eq!(screen.exit_code(), 3, "{}", screen.text());
            screen.wait_for(why);
        }
    }
    assert!(!home.exists(), "a region's folder was made");
    assert_eq!(fs::read_to_string(&there).unwrap(), "somebody's");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_recording_that_runs_out_of_room_ends_plays_and_is_told_to_all() {
    let region = Region::up("full");
    let env = [
        ("ZONEDRILL_HOME", region.home.path().as_os_str()),
        ("ZONEDRILL_REGION", OsStr::new(&region.name)),
    ];
    let program = env!("CARGO_BIN_EXE_zonedrill");
    let mut mira = Terminal::run(Path::new(program), &["attach", "--as", "mira"], &env, (200, 40));
    mira.wait_for("● mira (you)");
    // What a full disk does, without one: no file of theirs may outgrow 20 KiB.
    let limited = |words: &str| ["-c".to_owned(), format!("ulimit -f 40; exec {program} {words}")];
    let cast = |name: &str| region.home.path().join(name);
    let (own, tape) = (cast("own.cast"), cast("tape.cast"));
    let words = limited(&format!("record start {} --as tape", tape.display()));
    let mut shell = Terminal::run(Path::new("sh"), &words, &env, (200, 24));
    assert_eq!(shell.exit_code(), 0, "{}", shell.text());
    let words = limited(&format!("attach --as tom --record {}", own.display()));
    let mut tom = Terminal::run(Path::new("sh"), &words, &env, (120, 40));
    tom.wait_for("rec ");
    mira.wait_for("⏺ tape");
    region.ok("produce --rate 50/s");
    for (who, path) in [("tom", &own), ("tape", &tape)] {
        let name = path.file_name().unwrap().to_str().unwrap();
        mira.wait(who, |text| {
            text.contains(&format!("{who}'s recording has ended early"))
                && text.contains(name)
                && text.contains("File too large")
        });
        assert!(!Cast::read(path).played().screen().contents().is_empty(), "{who}");
    }
    tom.wait("no recording", |text| !text.contains("rec ") && text.contains("has ended"));
    mira.wait("no recorder", |text| !text.contains("⏺ tape"));
    region.ok("produce stop");
    tom.press("qq");
    assert_eq!(tom.exit_code(), 0);
    mira.press("qq");
}

#[test]
fn a_screen_records_itself_with_a_key_and_from_the_palette() {
    let region = Region::up("selfie");
    let path = region.home.path().join("self.cast");
    let env = [
        ("ZONEDRILL_HOME", region.home.path().as_os_str()),
        ("ZONEDRILL_REGION", OsStr::new(&region.name)),
    ];
    let program = Path::new(env!("CARGO_BIN_EXE_zonedrill"));
    let mut mira = Terminal::run(program, &["attach", "--as", "mira"], &env, (110, 32));
    mira.wait_for("● mira (you)");
    mira.press(&format!(":record start {}\r", path.display()));
    mira.wait_for("rec ●");
    mira.press(":mark one\r");
    mira.wait_for("marked");
    mira.press("r");
    mira.wait_for("recorded");
    let cast = Cast::read(&path);
    assert_eq!(cast.size(), (110, 32));
    assert_eq!(cast.markers(), ["mark one"]);
    assert!(cast.played().screen().contents().contains("zone b"));
    mira.press("qq");
    assert_eq!(mira.exit_code(), 0);

    // One picture, of any size, with the log, and never over another file.
    let picture = region.ok("shot --size 120x40");
    assert_eq!(picture.lines().count(), 40);
    assert!(picture.contains("mark one") && picture.contains("zone b"), "{picture}");
    let file = region.home.path().join("now.svg");
    let line = format!("shot {} --size 80x24", file.display());
    region.ok(&line);
    assert!(fs::read_to_string(&file).unwrap().ends_with("</svg>\n"));
    let words: Vec<&str> = line.split(' ').collect();
    assert!(region.run(&words).expect_code(3).err.contains("name a new file"));

    let whole = region.home.path().join("whole.cast");
    let words = ["attach", "--as", "mira", "--record", whole.to_str().unwrap()];
    let mut mira = Terminal::run(program, &words, &env, (80, 24));
    mira.wait_for("● mira (you)");
    mira.press("qq");
    assert_eq!(mira.exit_code(), 0);
    assert_eq!(Cast::read(&whole).size(), (80, 24));
    let taken = Terminal::run(program, &words, &env, (80, 24)).exit_code();
    assert_eq!(taken, 3);
}
