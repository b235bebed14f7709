//! A plan as a drill's script, and what the stage makes of it.

use std::{collections::VecDeque, fmt::Write as _};

use super::plan::{Plan, SLOT};

/// What the stage does, in order.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Step(usize),
    Produce(usize),
    /// Waits for the burst's last answer.
    Answered,
    Cut,
    Heal,
    Done(usize),
    End,
}

pub fn produce(count: u64) -> String {
    format!("produce --count {count}")
}

/// The steps of a plan: each burst is one, and so are the cut and its heal.
fn steps(plan: &Plan) -> Vec<Act> {
    let mut steps = Vec::new();
    for burst in 0..plan.triples.len() {
        if plan.cut.is_some_and(|(from, _)| from == burst) {
            steps.push(Act::Cut);
        }
        steps.push(Act::Produce(burst));
        if plan.cut.is_some_and(|(_, to)| to == burst) {
            steps.push(Act::Heal);
        }
    }
    steps
}

/// The name of the phase that begins with a step, if one does.
pub fn phase(plan: &Plan, step: usize) -> Option<&'static str> {
    let (from, _) = plan.cut?;
    match steps(plan)[step] {
        Act::Cut => Some("cutting"),
        Act::Heal => Some("healing"),
        Act::Produce(burst) if burst == from => Some("during"),
        _ => None,
    }
}

/// The plan as a drill's script, and what the stage makes of it.
pub fn script(plan: &Plan) -> (String, VecDeque<Act>) {
    let severed = if plan.cut.is_some() { r#""severed", "# } else { "" };
    let mut text = format!(
        "name = \"weave\"\nclaim = \"Nothing happens.\"\nabout = \"any run\"\nchecks = [{severed}\"no-loss-no-duplicate\", \"replicas-identical\"]\n"
    );
    let mut acts = VecDeque::new();
    for (index, act) in steps(plan).into_iter().enumerate() {
        let line = match act {
            Act::Produce(burst) => produce(plan.triples[burst] * SLOT),
            Act::Cut => "cut b".into(),
            _ => "heal b".into(),
        };
        let _ = writeln!(text, "\n[[step]]\ntitle = \"step {index}\"");
        if let Some(phase) = phase(plan, index) {
            let _ = writeln!(text, "phase = \"{phase}\"");
        }
        let _ = writeln!(text, "do = \"x\"\nexpect = \"x\"\nwatch = \"x\"");
        let _ = writeln!(text, "actions = [ {{ run = \"{line}\" }} ]");
        acts.extend([Act::Step(index), act]);
        if matches!(act, Act::Produce(_)) {
            acts.push_back(Act::Answered);
        }
        acts.push_back(Act::Done(index));
    }
    acts.push_back(Act::End);
    (text, acts)
}
