//! Every command that the program tells people to type is one.

use std::{fs, path::Path};

use clap::Parser as _;

use super::words::Cli;
use crate::{
    command::{Command, grammar},
    region::remedy::Remedy,
};

/// What names a command, and is no line to type.
const NAMES: [&str; 3] = ["drill run", "zonedrill drill", "consumer resume"];

/// A command in backquotes in some text of the source, with what stands for its placeholders.
struct Told {
    file: String,
    text: String,
    line: String,
}

#[test]
fn every_remedy_is_a_command() {
    for remedy in Remedy::one_of_each(&"js2-zone-b".parse().unwrap()) {
        let parsed = remedy.to_string().parse::<Command>();
        assert!(parsed.is_ok(), "{remedy}: {parsed:?}");
    }
}

/// Not by a list of what there is: by the source, so that no new text is forgotten.
#[test]
fn every_command_that_a_text_tells_to_type_can_be_typed() {
    let verbs: Vec<String> =
        grammar::tree().get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    let mut told = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut told);
    let (mut typed, mut wrongs) = (0, Vec::new());
    for Told { file, text, line } in told {
        let line = line.strip_prefix("ZONEDRILL_HOME=/x ").unwrap_or(&line);
        // The rest is the shell's.
        let line = line.split(" < ").next().unwrap_or_default();
        let words = shell_words::split(line).unwrap_or_default();
        let Some(first) = words.first() else { continue };
        let wrong = if first == "zonedrill" && !NAMES.contains(&line) {
            Cli::try_parse_from(&words).err().map(|error| error.to_string())
        } else if verbs.contains(first) && words.len() > 1 && !NAMES.contains(&line) {
            line.parse::<Command>().err().map(|error| error.to_string())
        } else {
            // A word alone may only name a command.
            continue;
        };
        typed += 1;
        wrongs.extend(wrong.map(|why| format!("{file}: `{text}`, typed as `{line}`: {why}")));
    }
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
    assert!(typed > 80, "only {typed} were found");
}

fn walk(folder: &Path, told: &mut Vec<Told>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            walk(&path, told);
        } else if path.extension().is_some_and(|end| end == "rs")
            && !["tests.rs", "remedies.rs"].contains(&&*name)
        {
            let source = fs::read_to_string(&path).unwrap();
            let source = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            let lines = source.lines().map(str::trim).filter(|line| !line.starts_with("//"));
            let code = lines.collect::<Vec<_>>().join("\n").replace("\\\n", "");
            for line in code.lines() {
                let quoted = line.split('`').skip(1).step_by(2);
                told.extend(quoted.map(|text| Told {
                    file: path.display().to_string(),
                    text: text.to_owned(),
                    line: filled(text),
                }));
            }
        }
    }
}

/// The text with something typical in each placeholder.
fn filled(text: &str) -> String {
    let mut line = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, end)) = after.split_once('}') else { break };
        line.push_str(before);
        let node = ["node start ", "node thaw ", "node stop ", "node freeze "];
        line.push_str(match name {
            _ if line.ends_with("zonedrill") => " --region demo",
            _ if node.iter().any(|verb| line.ends_with(verb)) => "js2-zone-b",
            _ if line.ends_with("--platform ") => "docker",
            "id" | "UNMARKED" => "unmarked",
            "command" | "line" => "status",
            "sequence" => "7",
            "root" => "/x",
            "folder" => "folder",
            _ if line.ends_with("stepdown b ") => "meta",
            _ => "b",
        });
        rest = end;
    }
    line.push_str(rest);
    for (word, example) in [
        ("ZONE", "b"),
        ("NODE", "js2-zone-b"),
        ("a,b,…", "a,b"),
        ("NAME", "mira"),
        ("FOLDER", "folder"),
        ("BUNDLE", "folder"),
        ("FILE", "file"),
    ] {
        let example = |part: &str| if part == word { example.to_owned() } else { part.to_owned() };
        line = line.split(' ').map(example).collect::<Vec<_>>().join(" ");
    }
    line
}
