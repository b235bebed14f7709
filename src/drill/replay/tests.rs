use std::sync::Arc;

use serde_json::{Value, json};

use super::{old::Outcome, *};
use crate::{
    drill::{library, record::Entry},
    region::{
        Status,
        status::{LinkState, MarkKind, StepState, Verdict},
    },
};

const T: UnixMs = 1_795_521_600_000;

fn outcome() -> Outcome {
    Outcome { verdict: Verdict::Proved, evidence: "b holds what a holds".into() }
}

fn zone(name: &str, last: Option<u64>, lag: Option<u64>, link: Option<&str>) -> Value {
    json!({
        "zone": name, "role": if name == "a" { "source" } else { "mirror" }, "nodes_up": 3,
        "first_seq": last.map(|_| 1), "last_seq": last, "messages": last, "delivered": last,
        "ack_floor": last, "received": 7, "behind": last.map(|_| 0), "rate": 20.0, "paused": false, "true_lag": lag,
        "reported_lag": lag, "mirror": link.map(|_| "streaming"), "link": link,
        "cut_effective": link == Some("cut"), "leafs_here": null, "leafs_there": null,
        "recovery": null,
    })
}

fn sample(ms: u64, zones: &[Value]) -> Value {
    json!({
        "k": "sample", "at": T + ms, "zones": zones,
        "producer": {
            "acked": 9, "failed": 0, "unknown": 0, "active": true, "rate": 20.0, "connection": 14,
            "server_id": "NA1", "reconnects": 0, "config_hash": "9f", "acked_by": "zone-a",
        },
    })
}

/// The heal drill, its first two steps and a zone that joins.
fn entries() -> Vec<Entry> {
    let script = library::builtin().into_iter().find(|script| script.name == "heal").unwrap();
    let lines = [
        json!({
            "k": "begin", "format": 1, "zonedrill": "0.1.0", "drill": "heal",
            "script": script.text.replace("{mirror}", "b").replace("{source}", "a"), "scale": 1, "sabotage": null, "run": "k3f9q2", "region": "east",
            "platform": "local", "server_version": "2.15.1", "mirror_kind": "durable",
            "source": "a", "mirror": "b", "new_zone": "c", "actor": "mia", "at": T,
        }),
        json!({"k": "step", "index": 0, "title": "linked", "at": T + 100}),
        sample(200, &[zone("a", Some(10), None, None), zone("b", Some(8), Some(2), Some("up"))]),
        json!({"k": "step-done", "index": 0, "ok": true, "why": null, "at": T + 1100}),
        json!({"k": "step", "index": 1, "title": "cut", "at": T + 1100}),
        json!({"k": "given", "id": 1, "line": "cut b --kind silent", "at": T + 1200}),
        sample(1300, &[zone("a", Some(10), None, None), zone("b", Some(8), Some(2), Some("up"))]),
        json!({"k": "answered", "id": 1, "outcome": "done", "text": "cut", "at": T + 1400}),
        // Nobody knows anything of b.
        sample(1500, &[zone("a", Some(30), None, None), zone("b", None, None, Some("cut"))]),
        json!({"k": "given", "id": 2, "line": "heal b", "at": T + 2000}),
        json!({"k": "answered", "id": 2, "outcome": "refused", "text": "no", "at": T + 2050}),
        json!({"k": "given", "id": 3, "line": "zone add c", "at": T + 2100}),
        json!({"k": "answered", "id": 3, "outcome": "done", "text": "c", "at": T + 2500}),
        sample(
            2600,
            &[
                zone("a", Some(30), None, None),
                zone("b", Some(8), Some(22), Some("cut")),
                zone("c", Some(30), Some(0), Some("up")),
            ],
        ),
        json!({"k": "step-done", "index": 1, "ok": false, "why": "too slow", "at": T + 3000}),
        json!({"k": "latency", "zone": "a", "phase": "x", "before_ack": 0, "buckets": []}),
        json!({"k": "end", "at": T + 3100}),
    ];
    lines.into_iter().map(|line| serde_json::from_value(line).unwrap()).collect()
}

fn event(ms: i64, event: &Value) -> Event {
    let mut line = json!({
        "id": 7, "at_ms": T.checked_add_signed(ms).unwrap(), "actor": {"who": "room", "via": "room"},
    });
    line.as_object_mut().unwrap().extend(event.as_object().unwrap().clone());
    serde_json::from_value(line).unwrap()
}

pub(crate) fn story() -> Arc<Story> {
    let events = [
        event(-5000, &json!({"event": "link-changed", "zone": "b", "to": "up"})),
        event(1250, &json!({"event": "link-severed", "zone": "b", "after_ms": 3})),
        event(1600, &json!({"event": "cut-effective", "zone": "b", "after_ms": 41})),
        event(1700, &json!({"event": "mark", "text": "look here"})),
        event(
            3500,
            &json!({
                "event": "drill-ended", "drill": "heal", "verdict": "broken", "evidence": "told then",
            }),
        ),
        event(9000, &json!({"event": "screen-left", "name": "tom"})),
    ];
    Arc::new(Story::new(old::history(entries(), &events, outcome()).unwrap()).unwrap())
}

fn at(ms: u64) -> Status {
    Reel::new(story()).sought(T + ms).0.status()
}

#[test]
fn what_is_in_no_sample_is_not_there() {
    let before = at(150);
    assert!(before.zones.is_empty(), "before the first sample nothing is known");
    assert_eq!(before.history_at_ms, 0);
    let names = |ms| at(ms).zones.iter().map(|z| z.name.to_string()).collect::<String>();
    assert_eq!((names(200), names(2599), names(2600)), ("ab".into(), "ab".into(), "abc".into()));
}

#[test]
fn unknown_stays_unknown() {
    let known = at(200);
    let b = known.zone(&"b".parse().unwrap()).unwrap();
    assert_eq!(b.recorded.as_ref().unwrap().messages, Some(8));
    assert_eq!(b.mirror.as_ref().unwrap().true_lag, Some(2));
    assert_eq!(b.lag_history, [Some(2)]);

    let unknown = at(1550);
    let b = unknown.zone(&"b".parse().unwrap()).unwrap();
    let recorded = b.recorded.as_ref().unwrap();
    assert_eq!((recorded.messages, recorded.last_seq, recorded.first_seq), (None, None, None));
    let consumer = b.consumer.as_ref().unwrap();
    assert_eq!((consumer.ack_floor, consumer.delivered), (None, None));
    // 9 were acknowledged and 7 processed: that two are behind is what the ledger would have to say.
    assert_eq!((b.ledger.acked, b.ledger.received, recorded.behind), (9, 7, None));
    assert_eq!(known.zones[0].recorded.as_ref().unwrap().behind, Some(0));
    let mirror = b.mirror.as_ref().unwrap();
    assert_eq!((mirror.true_lag, mirror.reported_lag, mirror.heard_at_ms), (None, None, None));
    let link = b.link.as_ref().unwrap();
    assert_eq!((link.leafs_here, link.leafs_there, link.rtt_us), (None, None, None));
    // A second on: the lag nobody knew is a gap, and so is what was before a zone was there.
    let later = at(2600);
    let history = |zone: &str| later.zone(&zone.parse().unwrap()).unwrap().lag_history.clone();
    assert_eq!(history("b"), [Some(2), Some(2), Some(22)]);
    assert_eq!(history("c"), [Some(0)]);
    // No record holds these at all.
    for zone in &later.zones {
        assert!(zone.nodes.is_empty() && zone.stream.is_none());
        assert!(zone.recorded.is_some(), "without it zeros of the ledger would be drawn");
    }
}

#[test]
fn a_link_is_cut_from_when_it_was_cut() {
    let link = |ms| at(ms).zone(&"b".parse().unwrap()).unwrap().link.clone().unwrap();
    assert_eq!((link(300).state, link(300).since_at_ms), (LinkState::Up, T + 200));
    let cut = link(1650);
    assert_eq!((cut.state, cut.effective, cut.since_at_ms), (LinkState::Cut, true, T + 1500));
    assert_eq!(link(2700).since_at_ms, T + 1500, "later samples keep it");
}

#[test]
fn marks_are_what_was_seen() {
    let marks: Vec<_> =
        at(3100).marks.iter().map(|mark| (mark.at_ms - T, mark.kind, mark.text.clone())).collect();
    assert_eq!(
        marks,
        [
            (1500, MarkKind::Cut, "cut b".into()),
            (1700, MarkKind::Note, "look here".into()),
            (2600, MarkKind::Zone, "zone c joined".into()),
        ]
    );
    assert!(at(1499).marks.is_empty());
}

#[test]
fn steps_go_as_they_went_and_only_the_end_has_the_verdict() {
    let drill = |ms| at(ms).drill.unwrap();
    assert_eq!(drill(0).verdict, Verdict::Waiting);
    assert_eq!(drill(0).conclusion, Some(2));
    assert!(drill(0).steps.len() > 2 && drill(0).steps.iter().all(|step| step.state.is_none()));
    assert_eq!(drill(1100).steps[0].took_ms, Some(1000));
    assert_eq!(drill(1100).steps[1].state, Some(StepState::Running));
    assert_eq!(drill(3000).steps[1].state, Some(StepState::Failed));
    assert_eq!(drill(3000).steps[1].detail, "too slow");
    for ms in (0..3500).step_by(50) {
        let now = at(ms);
        let drill = now.drill.unwrap();
        assert_ne!(drill.verdict, Verdict::Proved, "{ms}");
        assert!(drill.ended_at_ms.is_none() && drill.evidence != outcome().evidence, "{ms}");
        assert_eq!(now.conclusions[1].verdict, drill.verdict);
    }
    // As it was computed anew, whatever the events say.
    let end = at(3500);
    let drill = end.drill.unwrap();
    assert_eq!((drill.verdict, drill.ended_at_ms), (Verdict::Proved, Some(T + 3100)));
    assert_eq!(end.conclusions[1].verdict, Verdict::Proved);
    assert!(end.conclusions.iter().filter(|c| c.verdict != Verdict::Waiting).count() == 1);
}

#[test]
fn seeking_gives_what_playing_gives() {
    let story = story();
    assert_eq!((story.from(), story.to()), (T, T + 3500));
    let end = Reel::new(Arc::clone(&story)).sought(story.to()).0;
    let mut played = Reel::new(Arc::clone(&story));
    let mut seen = Vec::new();
    for to in (story.from()..=story.to() + 200).step_by(37) {
        seen.extend(played.wind(to));
        // From the beginning and back from the end.
        for from in [Reel::new(Arc::clone(&story)), end.clone()] {
            let (sought, events) = from.sought(to);
            assert_eq!(sought.status(), played.status(), "{}", to - T);
            assert_eq!(sought.at(), played.at());
            assert_eq!(events, seen);
        }
    }
    assert_eq!(played.at(), story.to(), "there is nothing after the end");
    // What happened before and long after is no part of it; the numbers count from 1.
    let numbers = 1..=seen.len() as u64;
    assert!(seen.iter().map(|event| event.id).eq(numbers), "{seen:?}");
    assert!(seen.iter().all(|event| (T..=T + 3500).contains(&event.at_ms)), "{seen:?}");
}

#[test]
fn markers_are_steps_marks_and_the_verdict() {
    let story = story();
    let words: Vec<_> = story.markers.iter().map(|m| format!("{} {}", m.at - T, m.words)).collect();
    assert_eq!(
        words,
        ["100 heal 1: linked", "1100 heal 2: cut", "1700 mark look here", "3500 heal: proved",]
    );
    assert_eq!(story.next(T + 1100).unwrap().at, T + 1700);
    assert_eq!(story.previous(T + 1100).unwrap().at, T + 100);
    assert_eq!(story.marker(T + 1699).unwrap().at, T + 1100);
    assert!(story.next(story.to()).is_none() && story.previous(T).is_none());
}

#[test]
fn a_record_cut_short_ends_where_it_ends() {
    let mut short = entries();
    short.truncate(6);
    let void = Outcome { verdict: Verdict::Void, evidence: "interrupted".into() };
    let story = Arc::new(Story::new(old::history(short, &[], void).unwrap()).unwrap());
    assert_eq!(story.to(), T + 1200);
    let last = Reel::new(Arc::clone(&story)).sought(story.to()).0.status();
    assert_eq!(last.drill.unwrap().verdict, Verdict::Void);
    assert!(old::history(entries().split_off(1), &[], outcome()).is_none());
}
