use super::*;
use crate::{
    command::{Command, DrillOptions},
    drill::{conclusions, library},
};

const GOOD: &str = r#"name = "mine"
claim = "it holds"
about = "a try"
checks = ["whole"]

[[step]]
title = "one"
do = "messages"
expect = "they arrive"
watch = "the ledger"
actions = [
  { run = "produce {from 101} {to 200} --interval {interval 100 4s}" },
  { until = "new zones.{mirror}.ledger.received >= {count 100}", within = "30s" },
]
"#;

fn filling(scale: u64) -> Filling {
    let zone = |name: &str| name.parse().unwrap();
    Filling {
        scale,
        source: zone("a"),
        mirror: zone("b"),
        leader: Some("js1-zone-b".parse().unwrap()),
        new_zone: Some(zone("c")),
        options: DrillOptions::default(),
        external: false,
    }
}

#[track_caller]
fn refused(from: &str, to: &str, line: usize, why: &str) {
    assert!(GOOD.contains(from), "{from}");
    let error = Script::parse(&GOOD.replacen(from, to, 1), "mine.toml").unwrap_err();
    assert_eq!(error.line, Some(line), "{error}");
    assert!(error.to_string().starts_with(&format!("mine.toml:{line}: ")), "{error}");
    assert!(error.why.contains(why), "{error}");
}

#[test]
fn mistakes_are_refused_with_their_line() {
    refused("about =", "abuot =", 3, "unknown field");
    refused("run =", "runs =", 12, "unknown field");
    refused("\"whole\"", "\"hole\"", 4, "`hole` is not a check");
    refused("checks = [\"whole\"]", "checks = []", 1, "can prove nothing");
    refused("produce {", "prodcue {", 12, "prodcue");
    refused("{mirror}", "{miror}", 13, "`{miror}` is not a placeholder");
    refused("{from 101}", "{from x}", 12, "is not a placeholder");
    refused("ledger.received", "ledger.recieved", 13, "is not in the status");
    refused(">= {count 100}", "", 13, "is not a comparison");
    refused(", within = \"30s\"", "", 13, "has no deadline");
    refused("30s", "soon", 13, "is not a duration");
    refused("\"they arrive\"", "\"\"", 9, "says nothing");
    refused("name = \"mine\"", "name = \"My drill\"", 1, "not a drill's name");
    refused(
        "produce {from 101} {to 200} --interval {interval 100 4s}",
        "drill stop",
        12,
        "cannot do that",
    );
    refused("claim =", "conclusion = 7\nclaim =", 2, "from 1 to 6");
    refused("claim = \"it holds\"\n", "", 1, "add `claim`");
    refused("claim =", "conclusion = 1\nclaim =", 2, "there is no `before` in its turn");
    refused("checks =", "sabotages = [\"fire\"]\nchecks =", 4, "not a sabotage");
    refused("name = \"mine\"", "name = mine", 1, "");
    assert!(Script::parse("", "x.toml").is_err());
}

/// A conclusion is the program's: a script that claims it needs its phases, gets its checks, and
/// claims nothing else.
#[test]
fn a_conclusion_owns_its_claim_its_checks_and_its_phases() {
    let heal = library::builtin().remove(1).text;
    let mine = heal.replace("name = \"heal\"", "name = \"mine\"");
    let script = Script::parse(&mine, "mine.toml").unwrap();
    let required = conclusions::required(Some(2)).unwrap();
    assert_eq!(script.claim, required.claim);
    let ids = |script: &Script| script.checks().iter().map(|c| c.id).collect::<Vec<_>>();
    let all: Vec<&str> = required.checks().map(|check| check.id).collect();
    assert_eq!(ids(&script), all);
    // Its own checks are made as well; none of the required ones can be left out.
    let more = mine.replace("conclusion = 2", "conclusion = 2\nchecks = [\"servers\"]");
    let more = Script::parse(&more, "mine.toml").unwrap();
    assert_eq!(ids(&more), [all.as_slice(), &["servers"]].concat());
    let none = mine.replace("conclusion = 2", "conclusion = 2\nchecks = []");
    assert_eq!(ids(&Script::parse(&none, "mine.toml").unwrap()), all);
    let refused = |text: &str, line, why: &str| {
        let error = Script::parse(text, "mine.toml").unwrap_err();
        assert!(error.line == Some(line) && error.why.contains(why), "{error}");
        // It was run all the same once: it is still read, and judged.
        assert!(Script::recorded(text, "mine").is_ok());
    };
    refused(&mine.replace("phase = \"after\"", "phase = \"later\""), 3, "no `after` in its turn");
    let other = mine.replace("conclusion = 2", "conclusion = 2\nclaim = \"All is well.\"");
    refused(&other, 4, "and nothing else");
}

#[test]
fn placeholders_grow_with_the_scale() {
    let script = Script::parse(GOOD, "mine.toml").unwrap();
    let lines = |scale| {
        let filled = script.fill(&filling(scale)).unwrap();
        let lines: Vec<String> = filled.lines().map(ToOwned::to_owned).collect();
        lines.join("; ")
    };
    assert_eq!(lines(1), "produce 101 200 --interval 40ms");
    assert_eq!(lines(3), "produce 301 600 --interval 13ms");
    assert_eq!(lines(1000), "produce 100001 200000 --interval 0s");
    let waits: Vec<String> =
        script.fill(&filling(3)).unwrap().waits().map(ToString::to_string).collect();
    assert_eq!(waits, ["new zones.b.ledger.received >= 300"]);
}

/// Case 8.2: what an audience reads beside the figures of its room was written for another one.
#[test]
fn numbers_that_an_audience_reads_are_computed() {
    let units = regex::Regex::new(r"\d+(%| Mbit/s| KiB)").unwrap();
    for script in library::builtin() {
        let [once, thrice] = [1, 3].map(|scale| script.fill(&filling(scale)).unwrap());
        let counts = |text: &str| {
            // In brackets stands what the original plan does.
            let text = text.split(" (").next().unwrap_or_default();
            // With a unit it is the line's or a message's, at every scale the same.
            let text = units.replace_all(text, "");
            let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty());
            numbers.map(|n| n.parse().unwrap()).collect::<Vec<u64>>()
        };
        for (one, three) in once.steps.iter().zip(&thrice.steps) {
            let told = |step: &Step| {
                [&step.title, &step.does, &step.expect, &step.watch].map(|text| counts(text))
            };
            for (one, three) in told(one).iter().flatten().zip(told(three).iter().flatten()) {
                // The first of a range follows the one before it.
                assert!(*one == 1 || [3 * one, 3 * one - 2].contains(three), "{one} {three}");
            }
        }
    }
}

/// Before its zones are known, and however its lines are abbreviated.
#[test]
fn the_commands_of_a_script_are_known_before_it_is_filled() {
    let bare =
        GOOD.replace("produce {from 101} {to 200} --interval {interval 100 4s}", "z a {new}");
    let script = Script::parse(&bare, "mine.toml").unwrap();
    let all: Vec<Command> = script.commands().collect();
    assert!(matches!(&all[..], [Command::ZoneAdd { zone: Some(zone) }] if zone.to_string() == "c"));
}

/// A run of a script that tells the same drill in other words is this version's; one that does
/// something else is not.
#[test]
fn a_script_is_known_by_what_it_does() {
    for script in library::builtin() {
        let run = |text: &str| Script::recorded(text, "run").unwrap();
        let filled = script.fill(&filling(2)).unwrap();
        assert!(run(&filled.text).acts_as(&filled));
        let told = filled.text.replace("Both consumers", "The two consumers");
        assert!(run(&told).acts_as(&filled));
        let slower = filled.text.replacen("--interval ", "--interval 1", 1);
        assert!(!run(&slower).acts_as(&filled));
        let laxer = filled.text.replacen("within = \"30s\"", "within = \"31s\"", 1);
        assert!(!run(&laxer).acts_as(&filled));
        let unphased = filled.text.replacen("phase = \"before\"", "phase = \"early\"", 1);
        assert!(!run(&unphased).acts_as(&filled));
    }
}

#[test]
fn a_filled_script_is_a_script_of_its_own() {
    for script in library::builtin() {
        let filled = script.fill(&filling(2)).unwrap();
        let again = Script::parse(&filled.text, "record").unwrap();
        assert_eq!(again.lines().collect::<Vec<_>>(), filled.lines().collect::<Vec<_>>());
        assert_eq!(again.text, filled.text);
    }
}

#[test]
fn the_four_conclusions_are_there_at_any_scale() {
    let scripts = library::builtin();
    let names: Vec<&str> = scripts.iter().map(|script| script.name.as_str()).collect();
    assert_eq!(names[..4], ["cut", "heal", "independent", "grow"]);
    let more = [
        "failover",
        "rolling",
        "switchover",
        "failback",
        "rebuild",
        "rebuild-source",
        "retention",
        "interest",
        "stepdowns",
        "slow",
        "halfopen",
        "flap",
        "unnoticed",
        "blackhole",
        "lossy",
        "frozen",
        "two-cuts",
        "leader-in-catchup",
    ];
    assert_eq!(names[4..], more);
    for (number, script) in (1..).zip(&scripts) {
        assert_eq!(script.conclusion, Some(number).filter(|number| *number <= 6));
        for scale in [1, 3, 1000] {
            let filled = script.fill(&filling(scale)).unwrap();
            for line in filled.lines() {
                line.parse::<Command>().unwrap();
            }
            assert!(!filled.text.contains("{from") && !filled.text.contains("{mirror"));
        }
    }
}

#[test]
fn a_folder_of_ones_own_adds_and_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ours = library::builtin().len();
    assert_eq!(library::load(Some(&folder.path().join("none"))).unwrap().len(), ours);
    std::fs::write(folder.path().join("mine.toml"), GOOD).unwrap();
    let scripts = library::load(Some(folder.path())).unwrap();
    assert_eq!(scripts.len(), ours + 1);
    assert_eq!(scripts[ours].about, "a try");
    // A name is taken once, by the program first.
    for name in ["cut", "grow", "mine"] {
        let text = format!("# another\n{}", GOOD.replace("mine", name));
        std::fs::write(folder.path().join("z.toml"), text).unwrap();
        let error = library::load(Some(folder.path())).unwrap_err();
        let taken = format!("there is a drill `{name}` already");
        assert!(error.line == Some(2) && error.why.contains(&taken), "{error}");
    }
    std::fs::remove_file(folder.path().join("z.toml")).unwrap();
    std::fs::write(folder.path().join("bad.toml"), "name = 1").unwrap();
    let error = library::load(Some(folder.path())).unwrap_err();
    assert!(error.origin.ends_with("bad.toml"), "{error}");
}

/// A bundle's record says the version, and could say a script.
#[test]
fn a_version_is_filled_in_only_where_it_is_one() {
    let rolling = library::named("rolling").unwrap();
    for (version, fits) in [("2.15.0", true), ("2.15.0\" }, { run = \"up", false), ("", false)] {
        let mut filling = filling(1);
        filling.options.to_version = Some(version.into());
        assert_eq!(rolling.fill(&filling).is_ok(), fits, "{version}");
    }
}
