//! A drill as its file says it: what is done, waited for, claimed, told.
//!
//! A script is read, checked as a whole and refused before anything starts: every line of it is
//! tried with example zones at the original plan's scale.
//!
//! | file | what is inside |
//! |---|---|
//! | `read` | from the file's text to a script, or its first mistake |
//! | `fill` | what placeholders stand for |

mod fill;
mod read;
#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use self::{
    fill::substitute,
    read::{Reader, error},
};
use super::{checks::Check, conclusions, condition::Condition};
use crate::{
    command::{Command, DrillOptions, Sabotage},
    region::{NodeName, ZoneName, status::DrillStep},
};

/// A drill.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// What it is called: `cut`.
    pub name: String,
    /// Which of the conclusions it tests (1 to 6), if one.
    pub conclusion: Option<u8>,
    /// What it claims, in a sentence.
    pub claim: String,
    /// What it is about, for a list.
    pub about: String,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// The checks it names, beside those that its conclusion requires.
    own_checks: Vec<&'static Check>,
    /// What must be true at the end, in the user's own words.
    pub expects: Vec<Condition>,
    /// The deliberate faults that apply to it.
    pub sabotages: Vec<Sabotage>,
    /// The script itself: the verdict's rules are in it. Once filled, with nothing left to fill.
    pub text: String,
}

/// A step, with what a presenter says of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub title: String,
    /// What is done, for an audience.
    pub does: String,
    pub expect: String,
    pub watch: String,
    /// The phase that begins with it.
    pub phase: Option<String>,
    /// What is done, in order.
    pub actions: Vec<Action>,
}

impl Step {
    /// The step as it is shown before it begins.
    #[must_use]
    pub fn shown(&self) -> DrillStep {
        DrillStep {
            title: self.title.clone(),
            does: self.does.clone(),
            expect: self.expect.clone(),
            watch: self.watch.clone(),
            state: None,
            began_at_ms: None,
            took_ms: None,
            detail: String::new(),
        }
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Give a command; wait for its end, unless in the background.
    Run {
        /// In the words of the command language.
        line: String,
        /// Go on while it runs.
        background: bool,
    },
    /// Wait for something to become true.
    Wait {
        condition: Condition,
        /// The longest it may take.
        within: Duration,
    },
    /// Wait for the end of the background command that begins with this word (`produce`).
    WaitFor { command: String },
}

/// What the placeholders of a script stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filling {
    /// How many times the original plan's numbers.
    pub scale: u64,
    pub source: ZoneName,
    pub mirror: ZoneName,
    /// The server that leads the mirror's stream when the drill begins; `None` where none does.
    pub leader: Option<NodeName>,
    pub new_zone: Option<ZoneName>,
    pub options: DrillOptions,
    /// Somebody else runs the zones, whose servers are not seen.
    pub external: bool,
}

impl Filling {
    /// Zones that a script is tried with before its own are known.
    fn example() -> Option<Self> {
        let [source, mirror, new] = ["a", "b", "c"].map(|name| name.parse().ok());
        let (source, mirror, new_zone) = (source?, mirror?, Some(new?));
        let leader = Some("js1-zone-b".parse().ok()?);
        Some(Self {
            scale: 1,
            source,
            mirror,
            leader,
            new_zone,
            options: DrillOptions::default(),
            external: false,
        })
    }
}

/// Why a script was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    pub origin: String,
    /// Counted from 1; `None` for the file as a whole.
    pub line: Option<usize>,
    pub why: String,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.why)
    }
}

impl std::error::Error for ScriptError {}

impl Script {
    /// Reads a script and tries every line of it with example zones.
    ///
    /// # Errors
    /// The first mistake, with its line.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ScriptError> {
        let filling = Filling::example();
        Reader { text, origin, filling: filling.as_ref(), recorded: false }.read()?;
        Reader { text, origin, filling: None, recorded: false }.read()
    }

    /// Reads a script that was run: what it may claim is judged with its run.
    ///
    /// # Errors
    /// The first mistake, with its line.
    pub fn recorded(text: &str, origin: &str) -> Result<Self, ScriptError> {
        Reader { text, origin, filling: None, recorded: true }.read()
    }

    /// No script: what was done by hand, judged for these conclusions.
    #[must_use]
    pub fn by_hand(name: &str, claims: &[u8]) -> Self {
        let required = claims.iter().filter_map(|number| conclusions::required(Some(*number)));
        let mut own_checks: Vec<&Check> = Vec::new();
        for check in required.clone().flat_map(conclusions::Requirement::checks) {
            if !own_checks.contains(&check) {
                own_checks.push(check);
            }
        }
        let claim: Vec<&str> = required.map(|one| one.claim).collect();
        Self {
            name: name.to_owned(),
            conclusion: claims.first().copied().filter(|_| claims.len() == 1),
            claim: claim.join(" "),
            about: "done by hand".into(),
            steps: Vec::new(),
            own_checks,
            expects: Vec::new(),
            sabotages: Vec::new(),
            text: String::new(),
        }
    }

    /// The checks that decide: those that its conclusion requires, and those it names.
    #[must_use]
    pub fn checks(&self) -> Vec<&'static Check> {
        let required = conclusions::required(self.conclusion).into_iter();
        let required = required.flat_map(conclusions::Requirement::checks);
        let mut checks: Vec<&Check> = required.collect();
        checks.extend(
            self.own_checks
                .iter()
                .filter(|check| !checks.contains(check))
                .copied()
                .collect::<Vec<_>>(),
        );
        checks
    }

    /// The script for these zones at this scale: nothing in it is left to fill, and every line of
    /// it is a command.
    ///
    /// # Errors
    /// When the scale makes a line impossible, or there is no new zone where one is needed.
    pub fn fill(&self, filling: &Filling) -> Result<Self, ScriptError> {
        let origin = format!("drill {}", self.name);
        let text = self.filled_text(filling)?;
        let mut filled =
            Reader { text: &text, origin: &origin, filling: Some(filling), recorded: false }
                .read()?;
        filled.text = text;
        Ok(filled)
    }

    /// Does the same, in the same order, and is judged by the same rules.
    #[must_use]
    pub fn acts_as(&self, other: &Self) -> bool {
        let acts = |script: &Self| {
            let steps = script.steps.iter().map(|step| (step.phase.clone(), step.actions.clone()));
            steps.collect::<Vec<_>>()
        };
        (&self.name, self.conclusion, &self.claim) == (&other.name, other.conclusion, &other.claim)
            && acts(self) == acts(other)
            && (&self.own_checks, &self.expects) == (&other.own_checks, &other.expects)
            && self.sabotages == other.sabotages
    }

    /// The text of the script for these zones at this scale.
    ///
    /// # Errors
    /// As [`Self::fill`].
    pub fn filled_text(&self, filling: &Filling) -> Result<String, ScriptError> {
        substitute(&self.text, filling, true)
            .map_err(|(at, why)| error(&format!("drill {}", self.name), &self.text, at, why))
    }

    /// It names the server that leads the mirror's stream when it begins.
    #[must_use]
    pub fn names_leader(&self) -> bool {
        self.text.contains("{leader}")
    }

    /// The waits of all steps, in order.
    pub fn waits(&self) -> impl Iterator<Item = &Condition> {
        self.actions().filter_map(|action| match action {
            Action::Wait { condition, .. } => Some(condition),
            _ => None,
        })
    }

    /// The command lines of all steps, in order.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.actions().filter_map(|action| match action {
            Action::Run { line, .. } => Some(line.as_str()),
            _ => None,
        })
    }

    /// The commands of all steps, in order. What is not filled in yet stands for example zones.
    pub fn commands(&self) -> impl Iterator<Item = Command> {
        let example = Filling::example();
        self.lines()
            .filter_map(move |line| substitute(line, example.as_ref()?, true).ok()?.parse().ok())
    }

    fn actions(&self) -> impl Iterator<Item = &Action> {
        self.steps.iter().flat_map(|step| &step.actions)
    }
}
