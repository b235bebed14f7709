mod looking;

use std::{path::PathBuf, time::Duration};

use self::looking::{inspect, wind};
use super::*;
use crate::command::{drill::LARGEST_SCALE, impair, search};
use crate::{
    command::{
        Control, CutKind, Drill, DrillMatrix, DrillOptions, DrillRun, Extent, Group, Keep,
        MirrorKind, Most, Point, Produce, Rate, Sabotage, Size, wind::Speed,
    },
    ledger::message::{LARGEST_SIZE, SMALLEST_SIZE},
    region::{NodeName, ZoneName, keeping::Retention},
};
use proptest::prelude::*;

fn zone() -> impl Strategy<Value = ZoneName> {
    "[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,3})?"
        .prop_filter_map("reserved", |text| text.parse::<ZoneName>().ok())
}

fn node() -> impl Strategy<Value = NodeName> {
    (1u8..=3, zone()).prop_map(|(number, zone)| NodeName { zone, number })
}

fn duration() -> impl Strategy<Value = Duration> {
    (1u64..86_400_000).prop_map(Duration::from_millis)
}

fn rate() -> impl Strategy<Value = Rate> {
    (1u32..1_000_000, any::<bool>())
        .prop_map(|(n, per_minute)| Rate { messages: n.try_into().unwrap(), per_minute })
}

fn point() -> impl Strategy<Value = Point> {
    prop_oneof![
        (1u64..u64::MAX).prop_map(Point::Sequence),
        (0u64..4_000_000_000_000).prop_map(Point::Time),
    ]
}

fn extent() -> impl Strategy<Value = Extent> {
    let point = || proptest::option::of(point());
    let sample = proptest::option::of(1..u64::MAX);
    (point(), point(), proptest::option::of(rate()), sample, any::<bool>()).prop_map(
        |(from, to, max_rate, sample, resume)| Extent { from, to, max_rate, sample, resume },
    )
}

fn size() -> impl Strategy<Value = Size> {
    (SMALLEST_SIZE..=LARGEST_SIZE).prop_map(Size)
}

fn produce() -> impl Strategy<Value = Produce> {
    prop_oneof![
        Just(Produce::Stop),
        (1u64..1000, 0u64..1000, duration(), size()).prop_map(|(from, more, interval, size)| {
            Produce::Range { from, to: from + more, interval, size }
        }),
        (1u64..HIGHEST_NUMBER, proptest::option::of(rate()), size())
            .prop_map(|(count, rate, size)| Produce::Burst { count: Some(count), rate, size }),
        (rate(), size()).prop_map(|(rate, size)| Produce::Burst {
            count: None,
            rate: Some(rate),
            size
        }),
    ]
}

fn version() -> impl Strategy<Value = String> {
    "[1-9][0-9]?\\.[0-9]{1,2}\\.[0-9]{1,2}"
}

fn drill() -> impl Strategy<Value = Drill> {
    let names = || proptest::collection::vec("[a-z][a-z0-9-]{0,8}", 1..4);
    let kind = proptest::option::of(proptest::sample::select(Sabotage::ALL));
    let folder = proptest::option::of("[a-z /]{0,9}[a-z]");
    let pace = proptest::option::of(duration());
    let zone = proptest::option::of(zone());
    let when = proptest::option::of("[a-z.]{1,9} >= [0-9]{1,3}( and [a-z]{1,4} == '[a-z]{1,4}')?");
    let kind = (kind, any::<bool>(), proptest::option::of(version()), when);
    let run = (names(), zone, 1..=LARGEST_SCALE, kind, pace, any::<bool>(), folder);
    prop_oneof![
        run.prop_map(|(mut names, zone, scale, kind, pace, present, folder)| {
            let (sabotage, rebuild_dedup, to_version, when) = kind;
            let when = when.filter(|_| sabotage.is_some());
            if sabotage.is_some() {
                names = vec!["cut".into()];
            }
            let report = folder.map(PathBuf::from);
            Drill::Run(DrillRun {
                names,
                zone,
                scale,
                sabotage,
                when,
                options: DrillOptions { rebuild_dedup, to_version },
                pace,
                present,
                report,
            })
        }),
        names().prop_map(|names| Drill::Sabotage { names }),
        Just(Drill::Sabotage { names: Vec::new() }),
        Just(Drill::List),
        Just(Drill::Stop),
        Just(Drill::Next),
        (
            proptest::collection::vec(version(), 1..3),
            proptest::sample::subsequence(vec![MirrorKind::Classic, MirrorKind::Durable], 1..=2),
            proptest::collection::vec((1_u64..120).prop_map(Duration::from_secs), 1..3),
            proptest::collection::vec("[a-z][a-z0-9-]{0,8}", 0..3),
            proptest::option::of("[a-z]{1,8}".prop_map(PathBuf::from)),
        )
            .prop_map(|(versions, mirrors, cuts, impair, out)| Drill::Matrix(
                DrillMatrix { versions, mirrors, cuts, impair, out }
            )),
        search::tests::any_search().prop_map(Drill::Search),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let (act, group) =
        (proptest::sample::select(NodeAct::ALL), proptest::sample::select(Group::ALL));
    let kind = proptest::option::of(prop_oneof![
        Just(CutKind::Refuse),
        Just(CutKind::Silent),
        Just(CutKind::Unplug)
    ]);
    prop_oneof![
        Just(Command::Up),
        Just(Command::Doctor),
        any::<bool>().prop_map(|purge| Command::Down { purge }),
        (any::<bool>(), any::<bool>()).prop_map(|(json, watch)| Command::Status {
            json,
            watch,
            schema: false
        }),
        Just(Command::Status { json: false, watch: false, schema: true }),
        produce().prop_map(Command::Produce),
        (zone(), kind, proptest::option::of(duration()))
            .prop_map(|(zone, kind, heal_after)| Command::Cut { zone, kind, heal_after }),
        (zone(), impair::tests::any_impair(), proptest::option::of(duration()))
            .prop_map(|(zone, what, heal_after)| Command::Impair { zone, what, heal_after }),
        inspect().prop_map(Command::Inspect),
        proptest::option::of(zone()).prop_map(|zone| Command::Heal { zone }),
        proptest::option::of(zone()).prop_map(|zone| Command::ZoneAdd { zone }),
        (zone(), any::<bool>()).prop_map(|(zone, force)| Command::ZoneRemove { zone, force }),
        zone().prop_map(|zone| Command::ConsumerPause { zone }),
        zone().prop_map(|zone| Command::ConsumerResume { zone }),
        (zone(), proptest::option::of(rate()))
            .prop_map(|(zone, rate)| Command::ConsumerRate { zone, rate }),
        (act, node()).prop_map(|(act, node)| Command::Node { act, node }),
        (zone(), group).prop_map(|(zone, group)| Command::Stepdown { zone, group }),
        zone().prop_map(|zone| Command::Nudge { zone }),
        proptest::option::of(version()).prop_map(|version| Command::Upgrade { version }),
        (zone(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
            |(zone, rebuild_dedup, force, follow)| {
                Command::Promote { zone, rebuild_dedup, force, follow }
            }
        ),
        (zone(), any::<bool>()).prop_map(|(zone, force)| Command::Fence { zone, force }),
        zone().prop_map(|zone| Command::Salvage { zone }),
        (proptest::option::of(zone()), any::<bool>())
            .prop_map(|(zone, force)| Command::Repair { zone, force }),
        (zone(), any::<bool>()).prop_map(|(zone, force)| Command::Failback { zone, force }),
        zone().prop_map(|zone| Command::Switchover { zone }),
        proptest::option::of(1..i64::MAX as u64)
            .prop_map(|most| Command::Stream(Keep::Limit { most: Most(most) })),
        proptest::sample::select(Retention::ALL)
            .prop_map(|retention| Command::Stream(Keep::Retention { retention })),
        (zone(), 0u64..9).prop_map(|(zone, resend)| Command::ProducerMove { zone, resend }),
        (proptest::option::of(zone()), any::<bool>(), extent())
            .prop_map(|(zone, json, extent)| Command::Verify { zone, json, extent }),
        "[ -~äöü漢]{0,30}[a-z!]".prop_map(|text| Command::Mark { text }),
        drill().prop_map(Command::Drill),
        proptest::option::of("[a-z /]{0,9}[a-z]")
            .prop_map(|folder| Command::Report { folder: folder.map(PathBuf::from) }),
        recording(),
        wind().prop_map(Command::Wind),
    ]
}

fn speed() -> impl Strategy<Value = Speed> {
    (10u32..=10_000)
        .prop_map(|percent| format!("{}.{:02}", percent / 100, percent % 100).parse().unwrap())
}

fn recording() -> impl Strategy<Value = Command> {
    use crate::command::recording::RECORDED_SIZE;
    let format = proptest::sample::select(CastFormat::ALL);
    let size = proptest::option::of(Just(RECORDED_SIZE));
    prop_oneof![
        ("[a-z /]{0,9}[a-z]", format, size).prop_map(|(file, format, size)| {
            Command::Record(Record::Start { file: file.into(), format, size })
        }),
        Just(Command::Record(Record::Stop)),
        proptest::sample::select(Control::ALL).prop_map(Command::Control),
        "[a-z -]{1,9}".prop_map(|name| Command::Kick { name }),
    ]
}

proptest! {
    #[test]
    fn every_command_survives_its_text(command in command()) {
        let text = command.to_string();
        let back: Command = text.parse().map_err(|e| TestCaseError::fail(format!("{text}: {e}")))?;
        prop_assert_eq!(back, command);
    }

    #[test]
    fn no_text_panics(line in "\\PC{0,40}") {
        let _ = line.parse::<Command>();
    }
}

fn error(line: &str) -> String {
    line.parse::<Command>().unwrap_err().to_string()
}

#[test]
fn the_original_plans_words_are_understood() {
    let range: Command = "produce 1 100 --interval 0.1".parse().unwrap();
    assert_eq!(range, "produce 1 100".parse().unwrap());
    assert_eq!("cut zone-b".parse::<Command>().unwrap(), "cut b".parse().unwrap());
    assert_eq!(
        "mark two words".parse::<Command>().unwrap(),
        Command::Mark { text: "two words".into() }
    );
}

#[test]
fn mistakes_are_named() {
    assert!(error("produce 5 1").contains("5 1 is empty"), "{}", error("produce 5 1"));
    assert!(error("produce").contains("what to produce"));
    assert!(error("produce --count 0").contains("nothing"));
    assert!(error("produce 1 10 --count 4").contains("cannot be used with"));
    assert!(error("produce --count 10 --size 3").contains("--size 3"));
    assert!(
        error("produce --count -4").contains("-4") || error("produce --count -4").contains("'-")
    );
    assert!(error("cut B").contains("zone name"), "{}", error("cut B"));
    assert!(error("cut b --kind gentle").contains("refuse"), "{}", error("cut b --kind gentle"));
    assert!(error("cut b --for 0s").contains("--for 0s"));
    assert!(error("node kill js9-zone-a").contains("js9-zone-a"));
    assert!(error("prodcue 1 2").contains("produce"), "{}", error("prodcue 1 2"));
    for wrong in ["0", "-3", "+3", "some", "9223372036854775808"] {
        let said = error(&format!("stream limit {wrong}"));
        assert!(said.contains("from 1 on, or `none`"), "{said}");
    }
    assert!(error("mark 'open").contains("quote"));
    assert!(!error("cut").contains('\n'));
}

/// Words that somebody might try.
fn odd_word() -> impl Strategy<Value = String> {
    let words = [
        "up",
        "down",
        "status",
        "produce",
        "stop",
        "cut",
        "heal",
        "all",
        "zone",
        "add",
        "remove",
        "consumer",
        "pause",
        "rate",
        "max",
        "node",
        "kill",
        "stepdown",
        "nudge",
        "promote",
        "fence",
        "salvage",
        "--force",
        "move",
        "--resend",
        "verify",
        "mark",
        "drill",
        "run",
        "sabotage",
        "matrix",
        "report",
        "record",
        "start",
        "control",
        "ask",
        "--",
        "-",
        "-x",
        "--json",
        "--for",
        "--for=2s",
        "--kind=silent",
        "--count",
        "--rate",
        "--size",
        "--interval",
        "--report",
        "--report=-x",
        "--out=-",
        "--pace",
        "--scale",
        "--versions",
        "--cut",
        "--size=120x36",
        "b",
        "zone-b",
        "zone-zone-b",
        "js1-zone-b",
        "js+1-b",
        "0",
        "1",
        "5",
        "+5",
        "-5",
        "1e3",
        "0.1",
        "0.0004",
        "1h",
        "-1s",
        "5/s",
        "64KiB",
        "2.15.1",
        "''",
        "' '",
        "\"a b\"",
        "'--json'",
        "a\\ b",
        "é",
        "٣",
        "漢字",
        "'\u{202e}x'",
        "18446744073709551615",
        "999999999999",
    ];
    proptest::sample::select(words.map(str::to_owned).to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn whatever_is_understood_survives_its_text(words in proptest::collection::vec(odd_word(), 1..6)) {
        if let Ok(command) = words.join(" ").parse::<Command>() {
            let text = command.to_string();
            let back = text.parse::<Command>();
            prop_assert_eq!(back, Ok(command), "{}", text);
        }
    }
}

#[test]
fn a_path_that_looks_like_a_flag_stays_a_path() {
    for line in ["report -- -x", "record start -- -x", "drill run cut --report=-x"] {
        let command: Command = line.parse().unwrap();
        let text = command.to_string();
        assert!(text.contains(" ./-x"), "{text}");
        assert_eq!(text.parse(), Ok(command));
    }
    assert!(
        error("report ''").contains("at least one character")
            || error("report ''").contains("value")
    );
}

#[test]
fn a_mark_is_one_line_that_reads_forward() {
    for bad in ["'a\u{202e}b'", "'a\u{2028}b'", "'a\tb'", "' '", "''"] {
        assert!(format!("mark {bad}").parse::<Command>().is_err(), "{bad}");
    }
    assert!("mark 👩\u{200d}🚀 漢字 ünï".parse::<Command>().is_ok());
}

#[test]
fn a_time_of_nothing_is_refused() {
    assert!(error("produce 1 10 --interval 0.4ms").contains("whole milliseconds"));
    assert!(error("drill matrix --cut 5s,0s").contains("would cut nothing"));
    assert!(error("cut zone-zone-a").contains("zone name"));
}

#[test]
fn an_unknown_command_is_told_in_a_sentence() {
    let told = |line: &str| line.parse::<Command>().unwrap_err().to_string();
    assert_eq!(told("frobnicate b"), "unknown command 'frobnicate'");
    assert_eq!(told("verfy b"), "unknown command 'verfy'; there is a similar one: 'verify'");
}
