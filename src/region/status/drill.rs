//! The four conclusions, and the drill that runs: its steps, its numbers, its verdict.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::StepState;
use crate::region::UnixMs;

/// One of the four conclusions and what has been shown about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conclusion {
    /// `cut`, `heal`, `independent`, `grow`.
    pub name: String,
    /// What has been shown.
    pub verdict: Verdict,
    /// The evidence in a few words.
    pub evidence: String,
}

words! {
    /// A verdict's word. Never green when nothing was tested.
    pub enum Verdict {
        Waiting = "waiting",
        /// Under test, no objection so far.
        Holding = "holding",
        Proved = "proved",
        /// Tested, does not hold.
        Broken = "broken",
        /// The test did not test it.
        Void = "void",
    }
}

/// A drill that runs, or has run: what its pane and the presenter's card show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drill {
    /// `cut`, or the name of a user's own.
    pub name: String,
    /// Which of the four conclusions it tests (1 to 4), if one.
    pub conclusion: Option<u8>,
    /// What it claims, in a sentence.
    pub claim: String,
    /// How many times the original plan's numbers.
    pub scale: u64,
    /// The deliberate fault put in, if one.
    pub sabotage: Option<String>,
    /// Who gave the command.
    pub actor: String,
    pub began_at_ms: UnixMs,
    /// When it ended; `None` while it runs.
    pub ended_at_ms: Option<UnixMs>,
    /// What has been shown so far.
    pub verdict: Verdict,
    /// The verdict's reason, in a sentence.
    pub evidence: String,
    pub steps: Vec<DrillStep>,
    /// The numbers that decide, as they stand now.
    pub counters: Vec<Counter>,
    /// It is presented: steps wait for `drill next`.
    pub presented: bool,
    /// It waits for `drill next` now: to begin the next step, or to reveal what was expected.
    pub waits_for: Option<Pause>,
    /// Drills still to come, when several were asked for.
    pub queue: Vec<String>,
    /// Where the evidence bundle is, once it is written.
    pub bundle: Option<String>,
}

impl Drill {
    /// A drill that begins, before its first step and before anything is tested.
    #[must_use]
    pub fn beginning(name: &str, actor: &str, at: UnixMs) -> Self {
        Self {
            name: name.to_owned(),
            conclusion: None,
            claim: String::new(),
            scale: 1,
            sabotage: None,
            actor: actor.to_owned(),
            began_at_ms: at,
            ended_at_ms: None,
            verdict: Verdict::Waiting,
            evidence: "nothing tested yet".into(),
            steps: Vec::new(),
            counters: Vec::new(),
            presented: false,
            waits_for: None,
            queue: Vec::new(),
            bundle: None,
        }
    }

    /// Every step is over and the verdict is still to come: the streams are being read.
    #[must_use]
    pub fn closing(&self) -> bool {
        let done = |step: &DrillStep| step.state == Some(StepState::Done);
        self.ended_at_ms.is_none()
            && self.waits_for.is_none()
            && !self.steps.is_empty()
            && self.steps.iter().all(done)
    }

    /// It runs, or has its verdict and another is to come once somebody goes on.
    #[must_use]
    pub fn under_way(&self) -> bool {
        self.ended_at_ms.is_none() || self.waits_for.is_some()
    }
}

words! {
    /// What a presented drill waits for.
    pub enum Pause {
        /// The audience predicts; the next key begins the step.
        Predict = "predict",
        /// The step is over; the next key reveals what was expected and what happened.
        Reveal = "reveal",
        /// Revealed, or with its verdict told and another drill to come; the next key goes on.
        GoOn = "goon",
    }
}

/// A step of a drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DrillStep {
    pub title: String,
    /// What is done, for an audience.
    pub does: String,
    pub expect: String,
    pub watch: String,
    /// How far it is; `None` before it begins.
    pub state: Option<StepState>,
    pub began_at_ms: Option<UnixMs>,
    /// How long it took.
    pub took_ms: Option<u64>,
    /// What it does now, or why it failed.
    pub detail: String,
}

/// A number that decides a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counter {
    /// What it counts: "b received during the cut".
    pub label: String,
    /// Its value, ready to be shown; `?` while unknown.
    pub value: String,
    /// As it must be (`true`), as it must not be (`false`), undecided.
    pub good: Option<bool>,
}
