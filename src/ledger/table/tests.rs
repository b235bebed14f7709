//! What is printed of findings.

use super::{
    super::{
        damage::Damage,
        finding::{Lost, Offender, Outlook, fault::Fault},
    },
    *,
};

fn finding(zone: &str, judgement: Judgement) -> ZoneFinding {
    ZoneFinding {
        zone: zone.parse().unwrap(),
        judgement,
        acked: 200,
        unknown: 0,
        recovered: 0,
        on_stream: Some(200),
        received: 199,
        lost: Lost::default(),
        not_received: Lost::default(),
        unrecorded: 0,
        behind: 0,
        duplicates: 0,
        redelivered: 0,
        processed_twice: 0,
        reordered: 0,
        late_by_resend: 0,
        corrupt: 0,
        unexpected: 0,
        foreign: 0,
        baseline: 0,
        mismatched: 0,
        differing: Vec::new(),
        equal_through: None,
        troubles: Vec::new(),
    }
}

#[test]
fn what_is_whole_is_a_line() {
    insta::assert_snapshot!(render(&[finding("a", Judgement::Whole)]));
}

#[test]
fn what_is_broken_is_named() {
    let named = |seq, message: Option<&str>| Offender { seq, message: message.map(String::from) };
    let lost = Trouble {
        kind: Kind::Lost,
        count: 3,
        first: (7..9).map(|seq| named(seq, Some("k3f9q2-p1-7"))).collect(),
    };
    let corrupt = Trouble { kind: Kind::Corrupt, count: 1, first: vec![named(12, None)] };
    let duplicates = Trouble { kind: Kind::Duplicates, count: 2, first: Vec::new() };
    let many = Trouble {
        kind: Kind::Unexpected,
        count: 10,
        first: (1_000_001..1_000_011).map(|seq| named(seq, None)).collect(),
    };
    let at = Some(Lost { prefix: 1, middle: 1, postfix: 1 });
    let faults = vec![
        Fault::Messages { kind: Kind::Lost, count: 3, at },
        Fault::DeletedAtSource { count: 12, first: 1_000_000 },
    ];
    let broken = ZoneFinding {
        lost: Lost { prefix: 1, middle: 1, postfix: 1 },
        not_received: Lost { middle: 2, ..Lost::default() },
        on_stream: None,
        unrecorded: 9,
        duplicates: 2,
        redelivered: 4,
        reordered: 5,
        corrupt: 1,
        unexpected: 10,
        mismatched: 20,
        troubles: vec![lost, corrupt, duplicates, many],
        ..finding("b", Judgement::Broken { faults })
    };
    insta::assert_snapshot!(render(&[finding("a", Judgement::Whole), broken]));
}

#[test]
fn what_proves_nothing_says_why() {
    let not_yet = Judgement::NotYet { count: 3, outlook: Outlook::Coming };
    let why =
        "the node zonedrill-js2-zone-c did not answer within five seconds, and nobody knows why";
    let void = Judgement::Void { damage: Damage::Removed, affected: 1 };
    let unrecorded = ZoneFinding {
        unrecorded: 1,
        unknown: 1,
        recovered: 1,
        foreign: 1,
        baseline: 1,
        not_received: Lost::default(),
        ..finding("d", void)
    };
    let others = ZoneFinding {
        unknown: 4,
        recovered: 30,
        foreign: 7,
        baseline: 20,
        not_received: Lost { postfix: 5, ..Lost::default() },
        ..finding("e", Judgement::Whole)
    };
    let all = [
        finding("a", Judgement::Nothing),
        finding("b", not_yet),
        finding("c", Judgement::NotRead { why: why.into() }),
        unrecorded,
        others,
    ];
    let text = render(&all);
    assert!(!text.ends_with("\n\n"), "{text}");
    insta::assert_snapshot!(text);
    // One of each is told, none is not.
    let one = ZoneFinding { unknown: 1, baseline: 1, ..finding("a", Judgement::Whole) };
    let text = render(&[one]);
    assert!(text.contains("(unknown, no fault): 1") && text.contains("up to 1 are"), "{text}");
}

/// A line has eighty columns; a word that is longer than a line stands alone.
#[test]
fn lines_are_as_long_as_a_terminal_is_wide() {
    let wrapped = |words: &str| {
        let mut text = String::new();
        wrap(&mut text, "  - ", words);
        text
    };
    let (long, longer) = ("x".repeat(70), "ü".repeat(71));
    assert_eq!(wrapped(&format!("{long} 12345 7")), format!("  - {long} 12345\n    7\n"));
    assert_eq!(wrapped(&format!("{longer} 12345 7")), format!("  - {longer}\n    12345 7\n"));
    let longest = "x".repeat(90);
    assert_eq!(wrapped(&format!("{longest} 1")), format!("  - {longest}\n    1\n"));
    assert_eq!(wrapped("1"), "  - 1\n");
}
