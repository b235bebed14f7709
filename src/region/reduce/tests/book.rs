//! What the room writes down: zones, steps, tasks, screens, marks, histories, alarms.

use super::*;
use crate::region::{
    PlatformKind,
    input::{Concluded, Input},
};

#[test]
fn a_new_region_has_four_waiting_conclusions_and_nothing_else() {
    let state = State::new("drill", PlatformKind::Local, 5);
    let picture = state.status(9);
    assert_eq!(picture.at_ms, 9);
    assert_eq!(picture.conclusions.len(), 4);
    assert!(picture.conclusions.iter().all(|c| c.verdict == Verdict::Waiting));
    assert!(picture.zones.is_empty());
}

#[test]
fn an_idle_region_makes_one_revision_a_second() {
    let mut lab = Lab::new();
    lab.half_second();
    lab.events.clear();
    let before = lab.state.revision();
    for _ in 0..50 {
        lab.now += 8;
        lab.silent_ms = Some(lab.now % 1_000);
        lab.poll();
    }
    assert_eq!(lab.state.revision(), before);
    lab.now += 600;
    lab.state.tick(lab.now);
    assert!(lab.state.changed_since(before));
    let ticked = lab.state.revision();
    lab.state.tick(lab.now + 1);
    assert_eq!(lab.state.revision(), ticked, "no sample is due, nothing moved");
    assert!(lab.lines().is_empty());
}

#[test]
fn the_history_keeps_gaps_and_its_length() {
    let mut lab = Lab::new();
    lab.pass(3_000);
    lab.now += 5_000;
    lab.state.tick(lab.now);
    let history = lab.shown("b").lag_history;
    assert_eq!(history, [Some(0), Some(0), Some(0), None, None, None, None, None]);
    assert!(lab.shown("a").lag_history.iter().all(Option::is_none));
    for _ in 0..300 {
        lab.now += 1_000;
        lab.state.tick(lab.now);
    }
    assert_eq!(lab.shown("b").lag_history.len(), crate::region::status::HISTORY_LEN);
    assert_eq!(lab.state.peek().history_at_ms, lab.now);
}

/// What rose and fell between two samples was there all the same.
#[test]
fn the_history_keeps_the_peak_of_a_second() {
    let mut lab = Lab::new();
    lab.pass(2_000);
    lab.source_seq += 100;
    lab.half_second();
    assert_eq!(lab.shown("b").mirror.unwrap().true_lag, Some(100));
    lab.mirror_seq = lab.source_seq;
    lab.half_second();
    assert_eq!(lab.shown("b").mirror.unwrap().true_lag, Some(0));
    assert_eq!(lab.shown("b").lag_history.last(), Some(&Some(100)));
    lab.pass(1_000);
    assert_eq!(lab.shown("b").lag_history.last(), Some(&Some(0)));
}

#[test]
fn zones_come_in_order_and_go() {
    let mut lab = Lab::new();
    lab.state.zone_added(lab.now, &plan("d", 3));
    lab.state.zone_added(lab.now, &plan("c", 2));
    lab.state.zone_added(lab.now, &plan("c", 2));
    let names = |lab: &Lab| -> Vec<String> {
        lab.state.peek().zones.iter().map(|zone| zone.name.to_string()).collect()
    };
    assert_eq!(names(&lab), ["a", "b", "c", "d"]);
    lab.state.zone_ready(lab.now, &zone("c"));
    lab.state.zone_removing(&zone("b"));
    let dead = ProcessTruth { state: ProcessState::Stopped, pid: None };
    lab.process(&node("js1-zone-b"), dead);
    assert!(lab.lines().is_empty(), "a removal has its own line");
    lab.state.zone_removed(lab.now, &zone("b"));
    assert_eq!(names(&lab), ["a", "c", "d"]);
    let marks: Vec<&str> = lab.state.peek().marks.iter().map(|mark| mark.text.as_str()).collect();
    assert_eq!(marks, ["zone c joined", "zone b left"]);
    lab.process(&node("js1-zone-b"), dead);
}

#[test]
fn the_source_comes_first_whenever_it_is_added() {
    let mut state = State::new("drill", PlatformKind::Local, 0);
    state.zone_added(0, &plan("b", 1));
    state.zone_added(0, &plan("a", 0));
    assert_eq!(state.peek().zones[0].name, zone("a"));
}

#[test]
fn steps_begin_anew_with_every_bring_up() {
    let mut state = State::new("drill", PlatformKind::Local, 0);
    state.phase(Phase::Starting);
    state.step_started("start zone a");
    state.step_detail("start zone a", "3 of 3 nodes");
    assert_eq!(
        state.step_done("start zone a", 740),
        [EventKind::StepDone { title: "start zone a".into(), took_ms: 740 }]
    );
    state.step_started("stream");
    state.step_failed("stream", "no meta leader");
    assert_eq!(state.peek().steps.len(), 2);
    assert!(state.step_done("unknown", 1).is_empty());
    state.failed("no meta leader".into());
    state.phase(Phase::Starting);
    assert!(state.peek().steps.is_empty());
}

#[test]
fn a_zone_that_joins_shows_its_own_steps() {
    let mut state = State::new("drill", PlatformKind::Local, 0);
    let titles = |state: &State| -> Vec<String> {
        state.peek().steps.iter().map(|step| step.title.clone()).collect()
    };
    state.phase(Phase::Starting);
    for (name, slot) in [("a", 0), ("b", 1)] {
        state.zone_added(0, &plan(name, slot));
        state.step_started(&format!("start zone {name}"));
        state.step_done(&format!("start zone {name}"), 5);
        state.zone_ready(0, &zone(name));
    }
    assert_eq!(titles(&state), ["start zone a", "start zone b"]);
    state.phase(Phase::Up);
    state.zone_added(9, &plan("c", 2));
    state.step_started("start zone c");
    assert_eq!(titles(&state), ["start zone c"]);
    // Of two that join together neither takes the other's away.
    state.zone_added(9, &plan("d", 3));
    state.step_started("start zone d");
    assert_eq!(titles(&state), ["start zone c", "start zone d"]);
}

#[test]
fn tasks_screens_and_marks() {
    let mut lab = Lab::new();
    let task = Task {
        id: 1,
        command: "produce --count 1000".into(),
        by: "room".into(),
        since_at_ms: lab.now,
        progress: String::new(),
    };
    lab.state.task_started(task);
    lab.state.task_progress(1, "412 of 1000 acked");
    assert_eq!(lab.state.peek().tasks[0].progress, "412 of 1000 acked");
    lab.state.task_ended(1);
    assert!(lab.state.peek().tasks.is_empty());

    let screen =
        |id, name: &str| Screen { id, name: name.into(), drives: id == 1, ..Screen::default() };
    let came = lab.state.screens(vec![screen(1, "ann"), screen(2, "bo")]);
    assert_eq!(
        came.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["ann attached", "bo attached to observe"]
    );
    assert!(lab.state.screens(vec![screen(1, "ann"), screen(2, "bo")]).is_empty());
    assert_eq!(lab.state.screens(vec![screen(2, "bo")])[0].to_string(), "ann left");

    for n in 0..100 {
        lab.state.mark(lab.now + n, "look");
    }
    assert_eq!(lab.state.peek().marks.len(), MARKS);
}

#[test]
fn alarms_sound_when_a_bad_count_grows_and_not_too_often() {
    let mut lab = Lab::new();
    let b = zone("b");
    let account = |duplicates, acked| Ledger { acked, duplicates, ..Ledger::default() };
    let first = Offenders { duplicates: vec![17, 21], ..Offenders::default() };
    assert!(lab.state.ledger(lab.now, &b, account(0, 10), first.clone()).is_empty());
    let events = lab.state.ledger(lab.now, &b, account(2, 20), first.clone());
    assert_eq!(events[0].to_string(), "ledger b: 2 duplicate, first at sequence [17, 21]");
    assert!(lab.state.ledger(lab.now + 50, &b, account(2, 30), first.clone()).is_empty());
    assert!(lab.state.ledger(lab.now + 90, &b, account(5, 30), first.clone()).is_empty());
    let events = lab.state.tick(lab.now + 1_090);
    assert!(events.iter().any(|event| event.to_string().starts_with("ledger b: 5 duplicate")));
    let redelivered = Ledger { redelivered: 9, ..account(5, 30) };
    assert!(lab.state.ledger(lab.now + 9_000, &b, redelivered, first).is_empty(), "legal");
}

#[test]
fn producer_and_consumer_troubles_get_a_line() {
    let mut lab = Lab::new();
    let fine = Producer { active: true, acked_by: Some("zone-a".into()), ..Producer::default() };
    assert!(lab.state.producer(fine.clone()).is_empty());
    let before = lab.state.revision();
    lab.state.producer(Producer { rate: 49.9, ..fine.clone() });
    assert_eq!(lab.state.revision(), before, "a rate alone waits for the tick");
    let stuck = Producer { trouble: Some("no responders".into()), reconnects: 1, ..fine.clone() };
    let lines: Vec<String> = lab.state.producer(stuck).iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        ["the producer cannot go on: no responders", "the producer's connection was made anew"]
    );
    let strange = Producer { acked_by: Some("zone-b".into()), ..fine };
    let events = lab.state.producer(strange);
    assert_eq!(events.last().unwrap().severity(), Severity::Error);

    let does = Consuming { trouble: Some("no leader".into()), ..Consuming::default() };
    let events = lab.state.consuming(lab.now, &zone("b"), does);
    assert_eq!(events[0].to_string(), "the consumer of zone b cannot go on: no leader");
    assert_eq!(lab.state.consuming(lab.now, &zone("b"), Consuming::default()).len(), 1);
}

#[test]
fn an_idle_producer_has_no_rate() {
    let mut lab = Lab::new();
    let busy = Producer { active: true, rate: 300.0, ..Producer::default() };
    lab.state.producer(busy.clone());
    assert!((lab.state.peek().producer.rate - 300.0).abs() < 0.1);
    lab.state.producer(Producer { active: false, ..busy });
    assert!(lab.state.peek().producer.rate.abs() < 0.1);
}

#[test]
fn a_conclusion_changes_by_name() {
    let mut lab = Lab::new();
    for (name, verdict) in [("heal", Verdict::Proved), ("nonsense", Verdict::Broken)] {
        lab.state.conclude(&concluded(name, verdict));
    }
    assert_eq!(lab.state.peek().conclusions[1].verdict, Verdict::Proved);
    assert_eq!(lab.state.peek().conclusions.len(), 4);
}

fn concluded(name: &str, verdict: Verdict) -> Concluded {
    Concluded { name: name.into(), verdict, evidence: verdict.as_str().into() }
}

#[test]
fn watching_tells_anew_only_what_it_told_itself() {
    let mut lab = Lab::new();
    let watched = |lab: &mut Lab, verdict| {
        lab.state.apply(lab.now, Input::Watched(vec![concluded("cut", verdict)]));
        lab.state.peek().conclusions[0].verdict
    };
    assert_eq!(watched(&mut lab, Verdict::Holding), Verdict::Holding);
    assert_eq!(watched(&mut lab, Verdict::Broken), Verdict::Broken);
    assert_eq!(watched(&mut lab, Verdict::Holding), Verdict::Holding);
    lab.state.apply(lab.now, Input::Concluded(concluded("cut", Verdict::Broken)));
    assert_eq!(watched(&mut lab, Verdict::Holding), Verdict::Broken, "a drill's stands");
}

/// One account: what an audit found stands beside what the receipts show, until the next audit.
#[test]
fn an_audit_stands_until_the_next_one() {
    let mut lab = Lab::new();
    let b = zone("b");
    let lost = |lab: &Lab| lab.shown("b").ledger.lost;
    lab.state.audited(&b, Audit { at_ms: 5, lost: 1, ..Audit::default() });
    assert_eq!((lost(&lab), lab.shown("b").audit.unwrap().at_ms), (1, 5));
    // The receipts know nothing of it; what they find themselves is not hidden.
    let receipts = |lost| Ledger { lost, ..Ledger::default() };
    lab.state.ledger(lab.now, &b, receipts(0), Offenders::default());
    assert_eq!(lost(&lab), 1);
    lab.state.ledger(lab.now, &b, receipts(3), Offenders::default());
    assert_eq!(lost(&lab), 3);
    lab.state.ledger(lab.now, &b, receipts(0), Offenders::default());
    lab.state.audited(&b, Audit { at_ms: 9, ..Audit::default() });
    assert_eq!(lost(&lab), 0);
}

/// What was received is on the stream; what was received from a stream that is gone is not.
#[test]
fn nothing_is_received_that_is_not_stored() {
    let mut lab = Lab::new();
    lab.half_second();
    let a = zone("a");
    let last = lab.shown("a").stream.unwrap().last_seq;
    let received = |count| Ledger { received: count, ..Ledger::default() };
    lab.state.producer(Producer { acked: last + 7, ..Producer::default() });
    lab.state.ledger(lab.now, &a, received(last + 7), Offenders::default());
    let shown = lab.shown("a");
    assert_eq!(shown.stream.unwrap().last_seq, shown.ledger.received, "one cut-off");
    // The servers go on saying that there are fewer: the others came from an earlier stream.
    for _ in 0..3 {
        lab.half_second();
    }
    let shown = lab.shown("a");
    assert_eq!((shown.stream.unwrap().last_seq, shown.ledger.received), (last, last + 7));
}

/// Messages of others that are counted late lower what is shown of a copy for a moment, and raise it
/// again in the middle of a cut: what arrived is told by the copy's own count.
#[test]
fn what_is_counted_late_is_not_taken_for_arrivals() {
    let mut lab = Lab::new();
    let acked = |count| Producer { acked: count, ..Producer::default() };
    lab.state.producer(acked(100));
    lab.source_seq += 7;
    lab.mirror_seq = lab.source_seq;
    for _ in 0..6 {
        lab.half_second();
    }
    let all = lab.mirror_seq;
    assert_eq!(lab.shown("b").last_seq(), Some(all));
    // Acknowledged before the servers are heard of again.
    lab.state.producer(acked(103));
    lab.source_seq += 3;
    lab.mirror_seq += 3;
    lab.half_second();
    let shown = lab.shown("b");
    let own = shown.own_counts().map(|(last, _)| last);
    assert_eq!(own, Some(all + 3));
    assert!(shown.last_seq() < own, "held to what is accounted for: {shown:?}");
    for _ in 0..4 {
        lab.half_second();
    }
    let shown = lab.shown("b");
    assert_eq!((shown.last_seq(), shown.own_counts().map(|(last, _)| last)), (own, own));
}
