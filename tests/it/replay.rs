//! `zonedrill replay`: a bundle made by hand, shown on a real pseudo-terminal and recorded without
//! one. No room runs.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::support::bundle::{Kind, parts};
use crate::support::screen::{Terminal, cells};
use serde_json::{Value, json};
use zonedrill::drill::{bundle, library, script::Filling};

/// When the hand-made run begins.
const START: u64 = 1_795_521_600_000;

/// A bundle of one run of the heal drill, which nothing was read of in the end: void.
fn made(folder: &Path) -> PathBuf {
    let parts = parts(&folder.join("parts"), Kind::default());
    let script = library::builtin().into_iter().find(|script| script.name == "heal").unwrap();
    let filling = Filling {
        scale: 1,
        source: "a".parse().unwrap(),
        mirror: "b".parse().unwrap(),
        leader: None,
        new_zone: None,
        options: zonedrill::command::DrillOptions::default(),
        external: false,
    };
    let script = script.fill(&filling).unwrap();
    let record = parts.runs[0].folder.join("drill.jsonl");
    let lines: Vec<String> = fs::read_to_string(&record)
        .unwrap()
        .lines()
        .filter_map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            if line["k"] == "begin" {
                line["script"] = script.text.clone().into();
            }
            (line["k"] != "stream").then(|| line.to_string())
        })
        .collect();
    fs::write(&record, lines.join("\n") + "\n").unwrap();
    let event = |id: u64, ms: u64, who: &str, via: &str, mut kind: Value| {
        kind["id"] = id.into();
        kind["at_ms"] = (START + ms).into();
        kind["actor"] = json!({"who": who, "via": via});
        kind.to_string()
    };
    let began = json!({"event": "drill-began", "drill": "heal", "sabotage": null});
    let severed = json!({"event": "link-severed", "zone": "b", "after_ms": 3});
    // What another recording was told then is no word to this one.
    let given = json!({"event": "command-given", "command": "record stop"});
    let events = [
        event(40, 10, "room", "room", began),
        event(41, 6103, "room", "room", severed),
        event(42, 9000, "tom", "shell", given),
    ];
    fs::write(&parts.events, events.join("\n") + "\n").unwrap();
    let bundle = folder.join("evidence");
    bundle::write(&bundle, &parts).unwrap();
    bundle
}

fn zonedrill(home: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_zonedrill"))
        .args(words)
        .current_dir(home)
        .env("ZONEDRILL_HOME", home.join("home"))
        .env("LANG", "C.UTF-8")
        .output()
        .unwrap()
}

#[test]
fn a_past_drill_is_watched_paused_and_sought() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = made(folder.path());
    let home = folder.path().join("home");
    let words = [OsStr::new("replay"), bundle.as_os_str()];
    let env = [("ZONEDRILL_HOME", home.as_os_str())];
    let program = Path::new(env!("CARGO_BIN_EXE_zonedrill"));
    let mut terminal = Terminal::run(program, &words, &env, (120, 40));
    terminal.wait_for("REPLAY");
    terminal.wait_for("replay of east");
    terminal.press("\u{1b}[F");
    terminal.wait_for("over");
    terminal.wait_for("void");
    // Back to the beginning and on by markers, standing still: exactly there.
    let first = |shown: &str| shown.lines().next().unwrap_or_default().to_owned();
    terminal.press("\u{1b}[H");
    terminal.wait("it to run again", |shown| !first(shown).contains("over"));
    terminal.press(" ");
    terminal.wait_for("paused");
    terminal.press("\u{1b}[H");
    terminal.wait_for("0:00 / 0:20");
    for _ in 0..2 {
        terminal.press("]");
    }
    terminal.wait("the cut", |shown| first(shown).contains("own 2: Cut"));
    terminal.press("]");
    terminal.wait("the heal", |shown| first(shown).contains("own 3: Heal"));
    terminal.press(":wind to 7s\r");
    terminal.wait_for("severed 3 ms after the command");
    terminal.press("[");
    terminal.wait("the log of before", |shown| !shown.contains("severed 3 ms"));
    terminal.press("c");
    terminal.wait_for("this is a replay");
    terminal.press(":wind to 12s\r");
    terminal.wait_for("0:12 / 0:20");
    terminal.press(":wind sp\t0.5\r:wind on\r");
    terminal.wait_for("0.5x");
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
    assert!(!home.exists(), "a replay keeps nothing and starts nothing");
}

#[test]
fn a_past_drill_is_recorded_without_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = made(folder.path());
    let bundle = bundle.to_str().unwrap();
    let words = ["replay", bundle, "--speed", "20", "--record", "demo.cast", "--size", "100x30"];
    let output = zonedrill(folder.path(), &words);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("recorded "), "{output:?}");
    let text = fs::read_to_string(folder.path().join("demo.cast")).unwrap();
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let header = lines.next().unwrap();
    assert_eq!((&header["width"], &header["height"]), (&json!(100), &json!(30)));
    let mut screen = vt100::Parser::new(cells(30), cells(100), 0);
    let (mut seen, mut marks, mut last) = (Vec::new(), Vec::new(), 0.0);
    for event in lines {
        last = event[0].as_f64().unwrap();
        let data = event[2].as_str().unwrap();
        match event[1].as_str().unwrap() {
            "o" => {
                screen.process(data.as_bytes());
                seen.push(screen.screen().contents());
            }
            "m" => marks.push(data.to_owned()),
            other => panic!("{other}"),
        }
    }
    // 20.4 s at twenty times the speed, and a moment to begin and end.
    assert!((1.0..15.0).contains(&last), "{last}");
    assert_eq!(marks.first().map(String::as_str), Some("own 1: Before the cut"), "{marks:?}");
    for mark in ["own 2: Cut <b>", "own: void"] {
        assert!(marks.iter().any(|told| told == mark), "{marks:?}");
    }
    assert!(seen.iter().any(|shown| shown.contains("CUT") || shown.contains("holding")));
    let drawn: Vec<&String> = seen.iter().filter(|shown| shown.contains("zone a")).collect();
    assert!(drawn.len() > 3);
    assert!(drawn.iter().all(|shown| shown.contains("REPLAY")), "never to be taken for a region");
    assert!(drawn.iter().any(|shown| shown.contains("over") && shown.contains("void")));
    // A file is never written over.
    let again = zonedrill(folder.path(), &words);
    assert_eq!(again.status.code(), Some(3));
}

#[test]
fn nothing_is_shown_of_what_was_altered() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = made(folder.path());
    let path = bundle.to_str().unwrap();
    let refused = |words: &[&str], why: &str| {
        let mut all = vec!["replay", path, "--record", "demo.cast"];
        all.extend(words);
        let output = zonedrill(folder.path(), &all);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(why), "{said}");
        assert!(!folder.path().join("demo.cast").exists());
    };
    refused(&["--drill", "grow"], "it holds 1-own");
    refused(&["--speed", "0"], "0.1 to 100");
    let record = bundle.join("runs/1-own/drill.jsonl");
    let whole = fs::read_to_string(&record).unwrap();
    fs::write(&record, whole.replacen("\"last_seq\":100", "\"last_seq\":101", 1)).unwrap();
    refused(&[], "was altered, so nothing of it is shown: \"runs/1-own/drill.jsonl\" was changed");
    fs::write(&record, &whole).unwrap();
    fs::write(bundle.join("events.jsonl"), "").unwrap();
    refused(&[], "\"events.jsonl\"");
    fs::remove_file(bundle.join("manifest.json")).unwrap();
    refused(&[], "is not an evidence bundle");
}

#[test]
fn without_a_terminal_it_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let output = zonedrill(folder.path(), &["replay", "."]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--record FILE"), "{output:?}");
}
