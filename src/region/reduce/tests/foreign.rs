//! Foreign connections are told once, shown while they last, and gone with their node.

use super::{Lab, node};
use crate::region::{
    event::EventKind,
    observation::{NodeReport, Observation, ProcessState, ProcessTruth},
    status::{Foreign, ForeignKind},
};

fn stranger(at: &str, cid: u64, looks: bool) -> Foreign {
    Foreign {
        kind: ForeignKind::Client,
        node: node(at),
        cid,
        name: "stranger".into(),
        user: if looks { "admin" } else { "zonedrill" }.into(),
        host: "127.0.0.1".into(),
        since_at_ms: 1_000,
        looks,
    }
}

fn told(lab: &mut Lab, at: &str, foreign: Option<Vec<Foreign>>) -> Vec<String> {
    let before = lab.events.len();
    let report = NodeReport { foreign, ..lab.answer(&node(at)) };
    lab.observe(Observation::Node { node: node(at), report: Some(Box::new(report)) });
    let new = lab.events[before..].iter();
    new.filter(|one| matches!(one, EventKind::Foreign { .. })).map(ToString::to_string).collect()
}

/// A hundred come and go in each half second, most of them not even listed.
#[test]
fn a_storm_of_connections_has_few_lines_and_all_are_counted() {
    let mut lab = Lab::new();
    let mut cid = 0;
    for _ in 0..50 {
        let came = (0..10).map(|_| {
            cid += 1;
            stranger("js2-zone-b", cid, false)
        });
        let report = NodeReport {
            foreign: Some(came.collect()),
            foreign_unlisted: 90,
            ..lab.answer(&node("js2-zone-b"))
        };
        let node = node("js2-zone-b");
        lab.observe(Observation::Node { node, report: Some(Box::new(report)) });
        lab.pass(500);
        assert_eq!(lab.state.peek().zones[1].foreign.len(), 10);
    }
    lab.pass(7_000);
    let lines = |begin: &str| -> Vec<String> {
        let texts = lab.events.iter().map(ToString::to_string);
        texts.filter(|text| text.starts_with(begin)).collect()
    };
    let told = lines("somebody else's hand: client stranger");
    let said = lines("somebody else's hand: ").into_iter().filter_map(|text| {
        let (_, rest) = text.split_once(": ")?;
        rest.split_once(" more connections")?
            .0
            .replace([',', ' ', '\u{202f}'], "")
            .parse::<u64>()
            .ok()
    });
    assert!(told.len() <= 100, "{told:#?}");
    assert_eq!(told.len() as u64 + said.sum::<u64>(), 5_000);
}

#[test]
fn a_foreign_connection_is_told_once_and_shown_while_it_lasts() {
    let mut lab = Lab::new();
    let one = stranger("js2-zone-b", 39, false);
    assert_eq!(
        told(&mut lab, "js2-zone-b", Some(vec![one.clone()])),
        [
            "somebody else's hand: client stranger (user zonedrill, 127.0.0.1) connected to js2-zone-b"
        ]
    );
    let later = Foreign { since_at_ms: 9_000, ..one.clone() };
    assert!(told(&mut lab, "js2-zone-b", Some(vec![later])).is_empty());
    // Not asked this time: what was told stands. Another node's word is about itself.
    assert!(told(&mut lab, "js2-zone-b", None).is_empty());
    let looker = stranger("js1-zone-b", 39, true);
    assert_eq!(
        told(&mut lab, "js1-zone-b", Some(vec![looker.clone()])),
        ["client stranger (user admin, 127.0.0.1) looks in at js1-zone-b"]
    );
    assert_eq!(lab.state.peek().zones[1].foreign, [looker.clone(), one]);
    assert!(told(&mut lab, "js2-zone-b", Some(Vec::new())).is_empty());
    assert_eq!(lab.state.peek().zones[1].foreign, [looker]);
    lab.process(&node("js1-zone-b"), ProcessTruth { state: ProcessState::Dead, pid: None });
    assert_eq!(lab.state.peek().zones[1].foreign, []);
}
