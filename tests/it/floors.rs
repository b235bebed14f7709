//! The floors of the house, as the table in `src/lib.rs` draws them: a file uses only its own floor
//! and those below, and each floor keeps out what has no business there.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

const MAP: &str = include_str!("../../src/lib.rs");

/// Each room's floor.
fn floors() -> BTreeMap<&'static str, u8> {
    let rows = MAP.lines().filter_map(|line| line.strip_prefix("//! | ")?.split_once(" | "));
    rows.filter_map(|(floor, rest)| Some((floor.parse().ok()?, rest.split_once(" | ")?.0)))
        .flat_map(|(floor, rooms)| {
            rooms.split(", ").map(move |room| (room.trim_matches(&['[', ']', '`'][..]), floor))
        })
        .collect()
}

/// Every source file of a room, without its comments.
fn files(room: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
                let code = code.collect::<Vec<_>>().join("\n");
                found.push((path.display().to_string(), code));
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room), &mut found);
    found
}

/// The rooms that a file's `crate::…` and `use crate::{…}` name.
fn used(code: &str) -> BTreeSet<&str> {
    let word = |text: &'_ str| text.find(|c: char| !c.is_alphanumeric() && c != '_');
    let mut rooms = BTreeSet::new();
    for (at, start) in code.match_indices("crate::") {
        let path = &code[at + start.len()..];
        let Some(group) = path.strip_prefix('{') else {
            rooms.insert(&path[..word(path).unwrap_or(path.len())]);
            continue;
        };
        let mut depth = 0;
        let mut begins = true;
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                c if begins && c.is_alphabetic() => {
                    rooms.insert(&group[i..i + word(&group[i..]).unwrap_or(0)]);
                    begins = false;
                }
                _ => {}
            }
        }
    }
    rooms
}

#[test]
fn every_room_stands_on_a_floor() {
    let rooms: BTreeSet<&str> =
        MAP.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(rooms, floors().into_keys().collect());
}

#[test]
fn no_file_uses_a_floor_above_its_own() {
    let floors = floors();
    let mut uses = 0;
    for (room, floor) in &floors {
        for (file, code) in files(room) {
            for used in used(&code) {
                let of = floors.get(used).unwrap_or_else(|| panic!("{file}: what is {used}?"));
                assert!(of <= floor, "{file} on floor {floor} uses {used} on floor {of}");
                uses += usize::from(used != *room);
            }
        }
    }
    // A reader of imports that finds none would prove nothing.
    assert!(uses > 200, "{uses}");
}

#[test]
fn each_floor_keeps_out_what_has_no_business_there() {
    let outside = ["std::fs", "std::net", "std::process", "std::env", "SystemTime", "tokio::"];
    let screen = ["ratatui", "crossterm"];
    for (room, floor) in floors() {
        for (file, code) in files(room) {
            let used = used(&code);
            assert!(room != "nats" || !used.contains("platform"), "{file} knows a platform");
            assert!(room != "platform" || !used.contains("nats"), "{file} knows NATS");
            let banned = (outside.iter().filter(|_| floor <= 2))
                .chain(screen.iter().filter(|_| floor < 5))
                .find(|word| code.contains(**word));
            assert_eq!(banned, None, "{file} on floor {floor}");
        }
    }
}

#[test]
fn imports_are_read_as_they_are_written() {
    let code =
        "use crate::{\n    a::{b, c::d},\n    e,\n};\nuse crate::f::g; fn h() { crate::i() }";
    assert_eq!(used(code), ["a", "e", "f", "i"].into());
}

/// Whether a line declares something that other files can name.
fn is_public_item(line: &str) -> bool {
    let item = line
        .strip_prefix("pub ")
        .map(|rest| rest.trim_start_matches("async ").trim_start_matches("const "));
    ["fn ", "struct ", "enum ", "trait ", "type "]
        .iter()
        .any(|kind| item.is_some_and(|item| item.starts_with(kind)))
}

#[test]
fn public_types_and_functions_are_documented() {
    let mut items = 0;
    // The command line and the screen are used by nothing else.
    let floors = floors();
    let rooms = floors.keys().filter(|room| !["cli", "tui"].contains(room));
    for (file, _) in rooms.flat_map(|room| files(room)) {
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| is_public_item(line)) {
            // Attributes, which may take several lines, stand between a comment and its item.
            let above =
                lines[..at].iter().rev().take_while(|line| !line.is_empty() && **line != "}");
            let above: Vec<_> = above.collect();
            let documented = above.iter().any(|line| line.starts_with("///"));
            assert!(documented, "{file}:{}: `{line}` has no doc comment", at + 1);
            items += 1;
        }
    }
    assert!(items > 450, "{items}");
}
