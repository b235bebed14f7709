//! What the documents and comments refer to exists.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use zonedrill::{lang::Lang, region::status::AlarmKind};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file below these folders, with its content.
fn files(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if let Ok(text) = fs::read_to_string(&path) {
            found.push((path, text));
        }
    }
    found
}

#[test]
fn every_fact_that_is_cited_is_written_down() {
    let facts = fs::read_to_string(root().join("docs/nats-facts.md")).unwrap();
    let sections: BTreeSet<char> = facts
        .lines()
        .filter_map(|line| line.strip_prefix("## ")?.split_once(". ")?.0.parse().ok())
        .collect();
    let mut cited = 0;
    for (path, text) in files(&["src", "tests", "benches", "config", "docs", "README.md"]) {
        for (at, mark) in text.match_indices('§') {
            let section = text[at + mark.len()..].chars().next();
            let known = section.is_some_and(|section| sections.contains(&section));
            assert!(known || path.ends_with(file!()), "{}: §{section:?}", path.display());
            cited += 1;
        }
    }
    assert!(cited > 20, "{cited}");
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let mut links = 0;
    let tops = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs", "compose"];
    for (path, text) in files(&tops) {
        if path.extension().is_none_or(|end| end != "md") {
            continue;
        }
        for (_, rest) in text.match_indices("](").map(|(at, mark)| text.split_at(at + mark.len())) {
            let target = rest.split(')').next().unwrap_or_default();
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.starts_with("http") {
                continue;
            }
            let there = path.parent().unwrap().join(file).exists();
            assert!(there, "{} links to {target}", path.display());
            links += 1;
        }
    }
    assert!(links > 0, "{links}");
}

/// Whoever ships the program ships the licences of what is linked into it.
/// Words and signs of the guide to the screen are those of the screen, in both languages.
#[test]
fn the_guide_to_the_screen_has_every_word_of_the_region() {
    for (lang, file) in [(Lang::English, "docs/screen.md"), (Lang::Chinese, "docs/zh/screen.md")] {
        let guide = fs::read_to_string(root().join(file)).unwrap();
        let words = AlarmKind::ALL.iter().map(|kind| kind.as_str()).chain(["OK"]);
        for word in words.map(|word| lang.say(word)) {
            assert!(guide.contains(&format!("| `{word}` |")), "{file}: {word}");
        }
    }
}

#[test]
fn licences_are_those_of_what_is_linked() {
    let text = fs::read_to_string(root().join("THIRD-PARTY.txt")).unwrap();
    let listed: BTreeSet<String> = text
        .lines()
        .skip_while(|line| *line != "PACKAGES")
        .skip(2)
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
        .collect();
    let told = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--edges=normal", "--prefix=none", "--format={p}", "--locked", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let tree = String::from_utf8(told.stdout).unwrap();
    let linked: BTreeSet<String> = tree
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("zonedrill "))
        .map(|line| line.replacen(" v", " ", 1).split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert!(linked.len() > 100, "{}", linked.len());
    let missing: Vec<&String> = linked.difference(&listed).collect();
    assert!(missing.is_empty(), "`.ci/licences` writes it anew; not listed: {missing:?}");
    // What is linked elsewhere only is in the lock at least.
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for one in &listed {
        let (name, version) = one.split_once(' ').unwrap();
        let entry = format!("name = \"{name}\"\nversion = \"{version}\"");
        assert!(lock.contains(&entry), "`.ci/licences` writes it anew; gone: {one}");
    }
}
