//! The laws of wholeness over any interleaving: producers, mirrors, consumers, the stage and whoever
//! looks take their turns in an order that nobody chose, with any set of faults in it. What is
//! concluded must be exactly those faults, each where it is; without one, the run is proved; and
//! a run that lacks a piece of its evidence never is.
// A test may panic; the short names are those of the records.
use std::collections::BTreeMap;

use crate::support::weave::{
    Woven,
    plan::{Fault, Harm, Plan},
    weave,
};
use proptest::{collection::vec, prelude::*, sample::Index};
use zonedrill::{
    drill::{checks::Finding, conclusions::Conclusion},
    region::status::Verdict,
};

/// What was found: in which zone's consumer or on which replica, of which kind, how often.
type Found = BTreeMap<(String, &'static str), u64>;

const KINDS: [&str; 5] = ["lost", "duplicates", "reordered", "corrupt", "unexpected"];

fn value<'a>(finding: &'a Finding, name: &str) -> &'a str {
    finding.numbers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

/// The faults that the broken findings tell of.
fn found(concluded: &Conclusion, plan: &Plan) -> Found {
    let mut found = Found::new();
    for finding in concluded.findings.iter().filter(|f| f.verdict == Verdict::Broken) {
        let place = match finding.check.as_str() {
            "no-loss-no-duplicate" => value(finding, "zone"),
            "replicas-identical" => value(finding, "replica"),
            other => panic!("{other} is broken: {}", finding.text),
        };
        for kind in KINDS {
            let count: u64 = value(finding, kind).parse().unwrap();
            if count > 0 {
                *found.entry((place.to_owned(), kind)).or_default() += count;
            }
        }
        // A replica that is whole by itself can only be accused of being unlike the source's: not
        // as long as one of those is whole.
        let counted = KINDS.iter().any(|kind| value(finding, kind) != "0");
        if !counted && !plan.source_is_hurt_everywhere() {
            found.insert((place.to_owned(), "differs"), 1);
        }
    }
    found
}

/// The faults that were put in, and where they must show.
fn expected(plan: &Plan) -> Found {
    let mut expected = Found::new();
    let mut add = |place: String, kind| *expected.entry((place, kind)).or_default() += 1;
    for fault in plan.faults() {
        match fault {
            Fault::Replica { zone, replica, harm } => {
                let kind = if harm == Harm::Gone { "lost" } else { "corrupt" };
                add(plan.node(zone, replica), kind);
            }
            Fault::Skipped { zone } => add(plan.zone(zone), "lost"),
            Fault::Garbled { zone } => add(plan.zone(zone), "corrupt"),
            // What happens on the source's stream happens to everybody.
            Fault::Twice | Fault::Overtaken => {
                let kind = if fault == Fault::Twice { "duplicates" } else { "reordered" };
                for zone in 0..plan.zones {
                    add(plan.zone(zone), kind);
                    (0..3).for_each(|replica| add(plan.node(zone, replica), kind));
                }
            }
            Fault::Redelivered { .. }
            | Fault::OnlyRedelivered { .. }
            | Fault::LostAnswer
            | Fault::Late => {}
        }
    }
    expected
}

fn harms() -> impl Strategy<Value = Harm> {
    prop_oneof![Just(Harm::Gone), Just(Harm::Altered)]
}

fn harmful(zones: usize) -> impl Strategy<Value = Fault> {
    prop_oneof![
        (0..zones, 0usize..3, harms()).prop_map(|(zone, replica, harm)| Fault::Replica {
            zone,
            replica,
            harm
        }),
        (0..zones).prop_map(|zone| Fault::Skipped { zone }),
        (0..zones).prop_map(|zone| Fault::Garbled { zone }),
        Just(Fault::Twice),
        Just(Fault::Overtaken),
    ]
}

fn harmless(zones: usize) -> impl Strategy<Value = Fault> {
    prop_oneof![
        (0..zones).prop_map(|zone| Fault::Redelivered { zone }),
        (0..zones).prop_map(|zone| Fault::OnlyRedelivered { zone }),
        Just(Fault::LostAnswer),
        Just(Fault::Late),
    ]
}

/// Any run: some zones, some bursts, a cut of zone b around some of them, faults at any messages.
fn plans() -> impl Strategy<Value = Plan> {
    (2usize..=4, vec(1u64..=5, 1..=5), any::<Index>(), any::<Index>(), any::<bool>()).prop_flat_map(
        |(zones, triples, one, other, cut)| {
            let (one, other) = (one.index(triples.len()), other.index(triples.len()));
            let cut = cut.then_some((one.min(other), one.max(other)));
            let slot = any::<Index>();
            let bad = vec((slot.clone(), harmful(zones)), 0..=4);
            let good = vec((slot, harmless(zones)), 0..=6);
            let turns = vec(any::<u16>(), 0..600);
            (Just((zones, triples, cut)), bad, good, turns).prop_map(
                |((zones, triples, cut), bad, good, turns)| {
                    let mut plan =
                        Plan { zones, triples, cut, at: BTreeMap::new(), turns, silent: false };
                    // Each triple of messages has one thing happen to it, so that nothing hides
                    // anything else. Harm comes first.
                    for (slot, fault) in bad.into_iter().chain(good) {
                        let slot = slot.index(plan.slots());
                        plan.at.entry(slot).or_insert(fault);
                    }
                    plan
                },
            )
        },
    )
}

/// What a run lacks.
#[derive(Clone, Debug)]
enum Gap {
    /// Its record, and all other evidence, ends somewhere.
    Unfinished(Index),
    /// Somebody ended it.
    Interrupted,
    /// Nobody read one replica.
    Unread { zone: usize, replica: usize },
    /// Nobody looked.
    Unwatched,
    /// One acknowledgement is not in the ledger.
    Unacknowledged(Index),
    /// Nothing was produced at all.
    Nothing,
}

fn gaps() -> impl Strategy<Value = Gap> {
    prop_oneof![
        any::<Index>().prop_map(Gap::Unfinished),
        Just(Gap::Interrupted),
        (0usize..2, 0usize..3).prop_map(|(zone, replica)| Gap::Unread { zone, replica }),
        Just(Gap::Unwatched),
        any::<Index>().prop_map(Gap::Unacknowledged),
        Just(Gap::Nothing),
    ]
}

impl Gap {
    /// The run, without that.
    fn tear(&self, plan: &Plan) -> Woven {
        if matches!(self, Self::Nothing) {
            return weave(&Plan { silent: true, ..plan.clone() });
        }
        let mut woven = weave(plan);
        match self {
            Self::Unfinished(at) => woven.cut_short(at.index(woven.length())),
            Self::Interrupted => woven.interrupt(),
            Self::Unread { zone, replica } => woven.leave_unread(*zone, *replica),
            Self::Unwatched => woven.forget_samples(),
            Self::Unacknowledged(at) => woven.forget_ack(*at),
            Self::Nothing => {}
        }
        woven
    }
}

fn told(concluded: &Conclusion) -> String {
    let lines =
        concluded.findings.iter().map(|f| format!("{:?} {}: {}", f.verdict, f.check, f.text));
    lines.collect::<Vec<_>>().join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn exactly_the_faults_are_found(plan in plans()) {
    crate::support::turns::watched();
        let concluded = weave(&plan).conclude();
        let (found, expected) = (found(&concluded, &plan), expected(&plan));
        prop_assert_eq!(&found, &expected, "{}", told(&concluded));
        let verdict = if expected.is_empty() { Verdict::Proved } else { Verdict::Broken };
        // A cut during which too little was sent to tell proves nothing; it breaks nothing either.
        let verdict = if expected.is_empty() && plan.tests_too_little() { Verdict::Void } else { verdict };
        prop_assert_eq!(concluded.verdict, verdict, "{}", told(&concluded));
    }

    #[test]
    fn without_a_piece_of_its_evidence_no_run_is_proved(plan in plans(), gap in gaps()) {
    crate::support::turns::watched();
        let concluded = gap.tear(&plan).conclude();
        prop_assert_ne!(concluded.verdict, Verdict::Proved, "{}", told(&concluded));
        // What it does not know, it accuses nobody of. Where a replica lacks what the ledger does not
        // know, that replica, or where it is the source's the others, do differ from the source's.
        let expected = expected(&plan);
        let unsound = plan.at.values().any(|fault| matches!(fault, Fault::Replica { zone: 0, .. }));
        for (fault, count) in found(&concluded, &plan) {
            let put_in = expected.get(&fault).copied().unwrap_or_default();
            let hurt = || expected.keys().any(|(place, _)| *place == fault.0);
            let differs = fault.1 == "differs" && (unsound || hurt());
            prop_assert!(count <= put_in || differs, "{fault:?} {count}: {}", told(&concluded));
        }
    }
}
