//! A drill as its file says it: what is done, waited for, claimed, told.
//!
//! A script is read, checked as a whole and refused before anything starts: every line of it is
//! tried with example zones at the seed's own scale.
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
use super::{check::Check, condition::Condition};
use crate::{command::Sabotage, region::ZoneName};

/// A drill.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// What it is called: `cut`.
    pub name: String,
    /// Which of the four conclusions it tests (1 to 4), if one.
    pub conclusion: Option<u8>,
    /// What it claims, in a sentence.
    pub claim: String,
    /// What it is about, for a list.
    pub about: String,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// The laws that decide.
    pub checks: Vec<Check>,
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
    /// A few words.
    pub title: String,
    /// What is done, for an audience.
    pub does: String,
    /// What is expected.
    pub expect: String,
    /// Where to look.
    pub watch: String,
    /// The phase that begins with it.
    pub phase: Option<String>,
    /// What is done, in order.
    pub actions: Vec<Action>,
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
        /// What.
        condition: Condition,
        /// The longest it may take.
        within: Duration,
    },
    /// Wait for the end of the background command that begins with this word (`produce`).
    WaitFor {
        /// Its first word.
        command: String,
    },
}

/// What the placeholders of a script stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filling {
    /// How many times the seed's numbers.
    pub scale: u64,
    /// `{source}`.
    pub source: ZoneName,
    /// `{mirror}`.
    pub mirror: ZoneName,
    /// `{new}`.
    pub new_zone: Option<ZoneName>,
}

/// Why a script was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// The file.
    pub origin: String,
    /// Counted from 1; `None` for the file as a whole.
    pub line: Option<usize>,
    /// What is wrong.
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
        let example = |name: &str| name.parse::<ZoneName>();
        if let (Ok(source), Ok(mirror), Ok(new)) = (example("a"), example("b"), example("c")) {
            let filling = Filling { scale: 1, source, mirror, new_zone: Some(new) };
            Reader { text, origin, filling: Some(&filling) }.read()?;
        }
        Reader { text, origin, filling: None }.read()
    }

    /// The script for these zones at this scale: nothing in it is left to fill, and every line of
    /// it is a command.
    ///
    /// # Errors
    /// When the scale makes a line impossible, or there is no new zone where one is needed.
    pub fn fill(&self, filling: &Filling) -> Result<Self, ScriptError> {
        let origin = format!("drill {}", self.name);
        let text = substitute(&self.text, filling, true)
            .map_err(|(at, why)| error(&origin, &self.text, at, why))?;
        let mut filled = Reader { text: &text, origin: &origin, filling: Some(filling) }.read()?;
        filled.text = text;
        Ok(filled)
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

    fn actions(&self) -> impl Iterator<Item = &Action> {
        self.steps.iter().flat_map(|step| &step.actions)
    }
}
