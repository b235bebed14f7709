//! Did a drill go as its script says, but for its deliberate fault? A sabotage that ends broken or
//! void proves that the verdict turns only if nothing else turned it.

use super::{
    condition::Condition,
    record::CommandOutcome,
    run::{Answer, Run},
};
use crate::{
    command::{Command, Sabotage},
    region::UnixMs,
};

/// Is it the fault's doing that this was waited for in vain? Messages that are not sent do not come;
/// damaged ones are not counted as received; a cut that leaked is proved no more.
fn explains(kind: Sabotage, condition: &str) -> bool {
    let Ok(condition) = Condition::parse(condition) else { return false };
    let link = condition.reads("link");
    match kind {
        Sabotage::Nothing => !link,
        Sabotage::Corrupt => condition.reads("received"),
        Sabotage::Leak | Sabotage::Unimpaired => link,
        // A server that answers keeps its connections, and may lead again.
        Sabotage::Revive => link || condition.reads("nodes") || condition.reads("leader"),
        _ => false,
    }
}

/// Is it the fault's doing that a command did not end well? A producer whose connection is made anew
/// may be told to stop before the answers come that were lost with the old one.
fn excuses(kind: Sabotage, command: Option<&Command>, answer: &Answer) -> bool {
    let unknown = || answer.data.as_ref()?.get("unknown")?.as_u64();
    kind == Sabotage::RestartProducer
        && matches!(command, Some(Command::Produce(_)))
        && answer.outcome != CommandOutcome::Crashed
        && unknown().is_some_and(|count| count > 0)
}

/// What did not go as scripted, in a sentence: a command that crashed or failed, a wait in vain that
/// the fault does not explain, a fault that was never put in. `None`: nothing.
#[must_use]
pub fn deviation(run: &Run, kind: Sabotage) -> Option<String> {
    for given in &run.given {
        let Some(answer) = &given.answer else { continue };
        if answer.outcome == CommandOutcome::Crashed {
            return Some(format!("`{}`: {}", given.line, answer.text));
        }
    }
    if let Some(why) = &run.interrupted {
        return Some(format!("the drill was interrupted: {why}"));
    }
    if run.sabotaged.as_ref().is_none_or(|(put_in, _)| *put_in != kind) {
        return Some("the fault was never put in".into());
    }
    let vain = run.waits.iter().find(|wait| !wait.met);
    if let Some(wait) = vain.filter(|wait| !explains(kind, &wait.condition)) {
        return Some(format!("waited in vain for `{}`: {}", wait.condition, wait.seen));
    }
    // After that, what runs in the background is ended.
    let until = vain.map_or(UnixMs::MAX, |wait| wait.at);
    let mut excused = vain.is_some();
    for given in run.given.iter().filter(|given| given.at < until) {
        match &given.answer {
            Some(answer) if answer.at >= until || answer.outcome == CommandOutcome::Done => {}
            Some(answer) if excuses(kind, given.command.as_ref(), answer) => excused = true,
            Some(answer) => return Some(format!("`{}`: {}", given.line, answer.text)),
            None => return Some(format!("`{}` was never answered", given.line)),
        }
    }
    let failed = run.steps.iter().find(|step| !matches!(step.ended, Some((true, _))));
    failed.filter(|_| !excused).map(|step| {
        let why = step.ended.as_ref().and_then(|(_, why)| why.as_deref());
        format!("step {} did not end well: {}", step.index + 1, why.unwrap_or("no reason given"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::drill::record::Entry;

    const RECEIVED: &str = "new zones.b.ledger.received >= 100";
    const EFFECTIVE: &str = "zones.b.link.effective == true";

    /// A step in which one command is given, and answered at 30; a wait at 40.
    fn run(answered: Value, met: bool, kind: Option<&str>) -> Run {
        waiting(RECEIVED, answered, met, kind)
    }

    fn waiting(condition: &str, answered: Value, met: bool, kind: Option<&str>) -> Run {
        let mut lines = vec![
            json!({"k": "step", "index": 0, "title": "one", "at": 10}),
            json!({"k": "given", "id": 1, "line": "cut b", "at": 20}),
            json!({"k": "given", "id": 2, "line": "produce --rate 20/s", "at": 20}),
            answered,
            json!({"k": "waited", "condition": condition, "met": met, "seen": "3", "took_ms": 9, "at": 40}),
            // Ended because the drill did not go on.
            json!({"k": "answered", "id": 2, "outcome": if met { "done" } else { "broken" }, "text": "ended early", "at": 50}),
            json!({"k": "step-done", "index": 0, "ok": met, "why": null, "at": 60}),
            json!({"k": "end", "at": 70}),
        ];
        lines.extend(
            kind.map(|kind| json!({"k": "sabotaged", "kind": kind, "what": "it", "at": 15})),
        );
        lines.sort_by_key(|line| line["at"].as_u64());
        Run::from_entries(
            lines.into_iter().map(|line| serde_json::from_value::<Entry>(line).unwrap()),
        )
    }

    fn answer(outcome: &str, text: &str) -> Value {
        json!({"k": "answered", "id": 1, "outcome": outcome, "text": text, "at": 30})
    }

    #[test]
    fn what_the_fault_explains_is_as_scripted() {
        let good = || answer("done", "zone b is cut");
        assert_eq!(deviation(&run(good(), true, Some("leak")), Sabotage::Leak), None);
        for (name, kind) in [("nothing", Sabotage::Nothing), ("corrupt", Sabotage::Corrupt)] {
            assert_eq!(deviation(&run(good(), false, Some(name)), kind), None);
        }
        let leaked = waiting(EFFECTIVE, good(), false, Some("leak"));
        assert_eq!(deviation(&leaked, Sabotage::Leak), None);
    }

    #[test]
    fn a_producer_that_was_restarted_may_leave_an_outcome_unknown() {
        let ended = |line: &str, outcome: &str, unknown: u64| {
            let text = "21 acked of 22 sent as p2 in 3.16 s";
            let lines = [
                json!({"k": "step", "index": 0, "title": "one", "at": 10}),
                json!({"k": "given", "id": 1, "line": line, "at": 20}),
                json!({"k": "sabotaged", "kind": "restart-producer", "what": "it", "at": 25}),
                json!({"k": "answered", "id": 1, "outcome": outcome, "text": text, "at": 30,
                       "data": {"acked": 21, "unknown": unknown}}),
                json!({"k": "step-done", "index": 0, "ok": false, "why": text, "at": 40}),
                json!({"k": "end", "at": 70}),
            ];
            let entries = lines.map(|line| serde_json::from_value::<Entry>(line).unwrap());
            deviation(&Run::from_entries(entries), Sabotage::RestartProducer)
        };
        assert_eq!(ended("produce --rate 20/s", "broken", 1), None);
        assert!(ended("produce --rate 20/s", "broken", 0).is_some());
        assert!(ended("produce --rate 20/s", "crashed", 1).is_some());
        assert!(ended("zone add c", "broken", 1).is_some());
    }

    #[test]
    fn a_crash_a_failure_and_a_missing_fault_are_told() {
        let crashed = answer("crashed", "the command crashed; please report it (panic)");
        let failed = answer("broken", "not severed within 8 s");
        let good = || answer("done", "zone b is cut");
        for (run, said) in [
            (run(crashed.clone(), true, Some("nothing")), "`cut b`: the command crashed"),
            (run(crashed, false, Some("nothing")), "`cut b`: the command crashed"),
            // Before the wait that the fault explains.
            (run(failed, false, Some("nothing")), "`cut b`: not severed"),
            (
                run(json!({"k": "phase", "name": "x", "at": 30}), true, Some("nothing")),
                "`cut b` was never answered",
            ),
            (run(good(), true, None), "the fault was never put in"),
            (run(good(), true, Some("leak")), "the fault was never put in"),
        ] {
            let why = deviation(&run, Sabotage::Nothing).unwrap();
            assert!(why.starts_with(said), "{why}");
        }
        // Waits that the fault does not explain.
        for (condition, name, kind) in [
            (RECEIVED, "leak", Sabotage::Leak),
            (EFFECTIVE, "nothing", Sabotage::Nothing),
            (EFFECTIVE, "corrupt", Sabotage::Corrupt),
            (RECEIVED, "lose", Sabotage::Lose),
        ] {
            let why = deviation(&waiting(condition, good(), false, Some(name)), kind).unwrap();
            assert!(why.starts_with(&format!("waited in vain for `{condition}`: 3")), "{why}");
        }
    }
}
