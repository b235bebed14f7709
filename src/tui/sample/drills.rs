//! Hand-made drills: begun, running, over, sabotaged, presented.

use super::{NOW, cut, idle, recovering};
use crate::region::{
    Status,
    status::{Counter, Drill, DrillStep, Pause, StepState, Verdict},
};

fn step(title: &str, does: &str, expect: &str, watch: &str) -> DrillStep {
    DrillStep {
        title: title.into(),
        does: does.into(),
        expect: expect.into(),
        watch: watch.into(),
        state: None,
        began_at_ms: None,
        took_ms: None,
        detail: String::new(),
    }
}

fn counter(label: &str, value: &str, good: Option<bool>) -> Counter {
    Counter { label: label.into(), value: value.into(), good }
}

/// The drill of the first conclusion, not begun.
fn drill() -> Drill {
    Drill {
        name: "cut".into(),
        conclusion: Some(1),
        claim: "While zone b is cut off, zone a goes on as if nothing had happened, and zone b's \
                own consumer goes on with what zone b holds."
            .into(),
        scale: 1,
        sabotage: None,
        actor: "mira".into(),
        began_at_ms: NOW - 16_400,
        ended_at_ms: None,
        verdict: Verdict::Holding,
        evidence: "b got nothing new for 12 s".into(),
        steps: vec![
            step(
                "produce 1 to 100, b's consumer paused",
                "The producer writes messages 1 to 100 to zone a. Zone b's consumer is paused, so \
                 that zone b holds a backlog.",
                "Both zones store 100 messages; zone a has consumed all of them, zone b none.",
                "stored in both panes; pending in zone b",
            ),
            step(
                "cut b",
                "The link between zone a and zone b is cut, and the cut is proved at both ends.",
                "No leafnode connection is left at either end, within a second.",
                "the line between the panes",
            ),
            step(
                "produce 101 to 200",
                "The producer goes on with messages 101 to 200, while the link stays cut.",
                "Zone a's consumer receives all of them with its usual latency. Zone b receives \
                 nothing new.",
                "delivered in zone a; true lag of zone b",
            ),
            step(
                "b consumes what it holds",
                "Zone b's consumer is resumed, while the link stays cut.",
                "Zone b's consumer drains its 100 messages without zone a.",
                "ack floor in zone b",
            ),
            step("heal b", "The link is healed.", "Zone b catches up.", "true lag of zone b"),
        ],
        counters: vec![
            counter("a received during the cut", "61 of 61", Some(true)),
            counter("b received during the cut", "0", Some(true)),
            counter("b consumed of its backlog", "0 of 100", None),
            counter("a latency p50/p99 before", "1.2 / 3.9 ms", Some(true)),
            counter("a latency p50/p99 during", "1.3 / 4.4 ms", Some(true)),
            counter("cut proved at both ends", "41 ms", Some(true)),
        ],
        presented: false,
        waits_for: None,
        queue: Vec::new(),
        bundle: None,
    }
}

/// The first `done` steps are done, the next one runs.
fn at_step(drill: &mut Drill, done: usize) {
    for (i, step) in drill.steps.iter_mut().enumerate() {
        if i < done {
            step.state = Some(StepState::Done);
            step.began_at_ms = Some(drill.began_at_ms + 3_000 * i as u64);
            step.took_ms = Some(412 + 2_310 * i as u64);
        } else if i == done {
            step.state = Some(StepState::Running);
            step.began_at_ms = Some(NOW - 6_100);
            step.detail = "161 of 200 acked".into();
        }
    }
}

/// The first conclusion is being drilled: zone b is cut off.
#[must_use]
pub fn drilling() -> Status {
    let mut status = cut();
    let mut drill = drill();
    at_step(&mut drill, 2);
    drill.queue = vec!["heal".into(), "independent".into(), "grow".into()];
    status.drill = Some(drill);
    status
}

/// A drill has only begun.
#[must_use]
pub fn drill_begun() -> Status {
    let mut status = idle(2);
    let mut drill = drill();
    at_step(&mut drill, 0);
    drill.verdict = Verdict::Waiting;
    drill.evidence = String::new();
    for counter in &mut drill.counters {
        counter.value = "?".into();
        counter.good = None;
    }
    status.drill = Some(drill);
    status
}

/// The drill is over and ended in this verdict.
#[must_use]
pub fn drilled(verdict: Verdict) -> Status {
    let mut status = idle(2);
    let mut drill = drill();
    let all = drill.steps.len();
    at_step(&mut drill, all);
    drill.ended_at_ms = Some(NOW - 2_000);
    drill.verdict = verdict;
    drill.bundle =
        Some("/home/mira/.local/state/zonedrill/demo/drills/2026-11-02-140304-cut".into());
    drill.evidence = match verdict {
        Verdict::Proved => {
            "zone a received 101 to 200 during the cut with its usual latency; zone b received \
             nothing new for 12.4 s and consumed its backlog of 100"
        }
        Verdict::Broken => "zone b received 3 messages during the cut, first sequence 131",
        _ => "nothing was produced during the cut, so that nothing was tested",
    }
    .into();
    for (at, value, good) in match verdict {
        Verdict::Proved => vec![(0, "100 of 100", Some(true)), (2, "100 of 100", Some(true))],
        Verdict::Broken => vec![(1, "3", Some(false)), (2, "100 of 100", Some(true))],
        _ => vec![(0, "0 of 0", Some(false)), (4, "?", None)],
    } {
        if let Some(counter) = drill.counters.get_mut(at) {
            counter.value = value.into();
            counter.good = good;
        }
    }
    if verdict == Verdict::Void
        && let Some(step) = drill.steps.get_mut(2)
    {
        step.state = Some(StepState::Failed);
        step.took_ms = None;
        step.detail = "nothing was acked within 10 s: the producer was stopped by tom".into();
        for step in drill.steps.iter_mut().skip(3) {
            step.state = None;
            step.began_at_ms = None;
            step.took_ms = None;
        }
    }
    let (name, evidence) = (drill.name.clone(), drill.evidence.clone());
    status.drill = Some(drill);
    if let Some(conclusion) = status.conclusions.iter_mut().find(|c| c.name == name) {
        conclusion.verdict = verdict;
        conclusion.evidence = evidence;
    }
    status
}

/// The second conclusion with a deliberate fault, while the mirror stands still after the heal.
#[must_use]
pub fn sabotaged() -> Status {
    let mut status = recovering();
    let mut drill = drill();
    drill.name = "heal".into();
    drill.conclusion = Some(2);
    drill.claim = "After the heal zone b has every message once, in order and unaltered.".into();
    drill.scale = 1_000;
    drill.sabotage = Some("lose".into());
    drill.began_at_ms = NOW - 84_000;
    at_step(&mut drill, 4);
    drill.evidence = "580 to go".into();
    drill.counters = vec![
        counter("lost", "?", None),
        counter("duplicates", "0", Some(true)),
        counter("reordered", "0", Some(true)),
        counter("corrupt", "0", Some(true)),
        counter("link up after", "0.11 s", Some(true)),
        counter("moving after", "?", None),
        counter("caught up after", "?", None),
    ];
    if let Some(step) = drill.steps.last_mut() {
        step.detail = "true lag 612".into();
    }
    status.drill = Some(drill);
    status
}

/// A presented drill that waits (or runs, if for nothing).
#[must_use]
pub fn presented(waits_for: Option<Pause>) -> Status {
    let mut status = drilling();
    if let Some(drill) = &mut status.drill {
        drill.presented = true;
        drill.waits_for = waits_for;
        drill.queue.clear();
        if let Some(step) = drill.steps.get_mut(2).filter(|_| waits_for.is_some()) {
            step.state = None;
            step.began_at_ms = None;
            step.detail = String::new();
            if waits_for != Some(Pause::Predict) {
                step.state = Some(StepState::Done);
                step.took_ms = Some(10_140);
                step.detail = "200 of 200 acked".into();
            }
        }
    }
    status
}
