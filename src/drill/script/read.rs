//! From a drill's text to a script, or its first mistake with the line it stands in.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::{Action, Filling, Script, ScriptError, Step, fill::substitute};
use crate::{
    command::{Command, Sabotage, units::parse_duration},
    drill::{
        checks::{ALL, Check},
        conclusions,
        condition::Condition,
    },
};

/// Deadlines are this many times longer at this scale: `within` is for scale 1, and grows by itself
/// once at every hundred of scale.
const SCALE_OF_A_DEADLINE: u32 = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: Spanned<String>,
    conclusion: Option<Spanned<u8>>,
    claim: Option<Spanned<String>>,
    about: Spanned<String>,
    #[serde(default)]
    checks: Vec<Spanned<String>>,
    #[serde(default)]
    sabotages: Vec<Spanned<String>>,
    step: Vec<Spanned<RawStep>>,
    #[serde(default)]
    expect: Vec<RawExpect>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    title: Spanned<String>,
    r#do: Spanned<String>,
    expect: Spanned<String>,
    watch: Spanned<String>,
    phase: Option<Spanned<String>>,
    #[serde(default)]
    actions: Vec<Spanned<RawAction>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAction {
    run: Option<Spanned<String>>,
    start: Option<Spanned<String>>,
    until: Option<Spanned<String>>,
    within: Option<Spanned<String>>,
    finish: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExpect {
    that: Spanned<String>,
}

/// A mistake at that place of a text.
pub(super) fn error(origin: &str, text: &str, at: usize, why: impl Into<String>) -> ScriptError {
    let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count();
    ScriptError { origin: origin.to_owned(), line: Some(line + 1), why: why.into() }
}

/// Reads one text.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    /// What it is called.
    pub(super) origin: &'a str,
    /// Fill and read what needs to be filled; without it such lines are left as they are.
    pub(super) filling: Option<&'a Filling>,
    /// It was run: what it may claim is judged with its run.
    pub(super) recorded: bool,
}

impl Reader<'_> {
    fn wrong(&self, span: &Range<usize>, why: impl Into<String>) -> ScriptError {
        error(self.origin, self.text, span.start, why)
    }

    /// Reads all of it.
    pub(super) fn read(&self) -> Result<Script, ScriptError> {
        let raw: Raw = toml::from_str(self.text).map_err(|mistake| {
            let why = mistake.message().to_owned();
            match mistake.span() {
                Some(span) => self.wrong(&span, why),
                None => ScriptError { origin: self.origin.to_owned(), line: None, why },
            }
        })?;
        let name = raw.name.get_ref();
        let fits = !name.is_empty()
            && name.len() <= 24
            && !["all", "conditions"].contains(&name.as_str())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !fits {
            let why = format!("`{name}` is not a drill's name: use 1 to 24 of a-z, 0-9 and `-`");
            return Err(self.wrong(&raw.name.span(), why));
        }
        let conclusion = match &raw.conclusion {
            Some(number) if conclusions::required(Some(*number.get_ref())).is_none() => {
                return Err(self.wrong(&number.span(), "`conclusion` is a number from 1 to 6"));
            }
            number => number.as_ref().map(|number| *number.get_ref()),
        };
        let steps: Vec<Step> =
            raw.step.iter().map(|step| self.step(step)).collect::<Result<_, _>>()?;
        if steps.is_empty() {
            return Err(self.wrong(&(0..0), "a drill has at least one `[[step]]`"));
        }
        let checks = raw
            .checks
            .iter()
            .map(|word| {
                Check::named(word.get_ref()).ok_or_else(|| {
                    let known = ALL.map(|check| check.id).join(", ");
                    let why = format!("`{}` is not a check; there are {known}", word.get_ref());
                    self.wrong(&word.span(), why)
                })
            })
            .collect::<Result<Vec<&'static Check>, _>>()?;
        let expects = raw
            .expect
            .iter()
            .map(|expect| self.condition(&expect.that))
            .collect::<Result<Vec<_>, _>>()?;
        if conclusion.is_none() && checks.is_empty() && expects.is_empty() {
            let why = "it can prove nothing: name checks in `checks`, or add an `[[expect]]`";
            return Err(self.wrong(&(0..0), why));
        }
        let sabotages = raw
            .sabotages
            .iter()
            .map(|word| {
                let named = |kind: &&Sabotage| kind.as_str() == word.get_ref();
                Sabotage::ALL.iter().find(named).copied().ok_or_else(|| {
                    let known: Vec<&str> = Sabotage::ALL.iter().map(|kind| kind.as_str()).collect();
                    let known = known.join(", ");
                    let why = format!("`{}` is not a sabotage; there are {known}", word.get_ref());
                    self.wrong(&word.span(), why)
                })
            })
            .collect::<Result<_, _>>()?;
        let claim = match (&raw.claim, conclusions::required(conclusion)) {
            (Some(claim), _) => self.told(claim)?,
            (None, Some(requirement)) => requirement.claim.to_owned(),
            (None, None) => {
                let why = "a drill says what it claims: add `claim`";
                return Err(self.wrong(&raw.name.span(), why));
            }
        };
        let script = Script {
            name: name.clone(),
            conclusion,
            claim,
            about: self.told(&raw.about)?,
            steps,
            own_checks: checks,
            expects,
            sabotages,
            text: self.text.to_owned(),
        };
        if !self.recorded {
            self.may_claim(&raw, &script)?;
        }
        Ok(script)
    }

    /// A conclusion has its own claim, and needs its phases.
    fn may_claim(&self, raw: &Raw, script: &Script) -> Result<(), ScriptError> {
        let Some(requirement) = conclusions::required(script.conclusion) else { return Ok(()) };
        let number = requirement.number;
        let place = raw.conclusion.as_ref().map_or(0..0, Spanned::span);
        if let Err(phase) = requirement.phases_of(script) {
            let phases = requirement.phases().join(", ");
            let why = format!(
                "conclusion {number} requires the phases {phases} in this order, and there is no `{phase}` in its turn: add it, or leave `conclusion` out"
            );
            return Err(self.wrong(&place, why));
        }
        if let Some(claim) = raw.claim.as_ref().filter(|_| script.claim != requirement.claim) {
            let why = format!(
                "conclusion {number} claims \"{}\" and nothing else: leave `claim` out",
                requirement.claim
            );
            return Err(self.wrong(&claim.span(), why));
        }
        Ok(())
    }

    fn step(&self, step: &Spanned<RawStep>) -> Result<Step, ScriptError> {
        let span = step.span();
        let step = step.get_ref();
        let mut actions = Vec::new();
        for action in &step.actions {
            actions.push(self.action(&action.span(), action.get_ref())?);
        }
        let phase = match &step.phase {
            Some(phase) if phase.get_ref().is_empty() => {
                return Err(self.wrong(&span, "a phase has a name"));
            }
            phase => phase.as_ref().map(|phase| phase.get_ref().clone()),
        };
        Ok(Step {
            title: self.told(&step.title)?,
            does: self.told(&step.r#do)?,
            expect: self.told(&step.expect)?,
            watch: self.told(&step.watch)?,
            phase,
            actions,
        })
    }

    fn action(&self, span: &Range<usize>, action: &RawAction) -> Result<Action, ScriptError> {
        match (&action.run, &action.start, &action.until, &action.finish, &action.within) {
            (Some(line), None, None, None, None) => {
                Ok(Action::Run { line: self.line(line)?, background: false })
            }
            (None, Some(line), None, None, None) => {
                Ok(Action::Run { line: self.line(line)?, background: true })
            }
            (None, None, Some(condition), None, Some(within)) => {
                let time = parse_duration(within.get_ref())
                    .map_err(|why| self.wrong(&within.span(), why.to_string()))?;
                if time.is_zero() {
                    return Err(self.wrong(&within.span(), "`within` is longer than nothing"));
                }
                let scale = self.filling.map_or(1, |filling| filling.scale);
                let longer = 1 + u32::try_from(scale).unwrap_or(u32::MAX) / SCALE_OF_A_DEADLINE;
                Ok(Action::Wait {
                    condition: self.condition(condition)?,
                    within: time.saturating_mul(longer),
                })
            }
            (None, None, Some(_), None, None) => Err(self
                .wrong(span, "this wait has no deadline: add `within = \"30s\"` beside `until`")),
            (None, None, None, Some(command), None) => {
                Ok(Action::WaitFor { command: command.get_ref().clone() })
            }
            _ => Err(self.wrong(
                span,
                "an action is one of `run`, `start`, `finish`, or `until` with `within`",
            )),
        }
    }

    /// Text for people.
    fn told(&self, text: &Spanned<String>) -> Result<String, ScriptError> {
        if text.get_ref().trim().is_empty() {
            return Err(self.wrong(&text.span(), "this says nothing, and an audience reads it"));
        }
        self.filled(text)
    }

    fn line(&self, line: &Spanned<String>) -> Result<String, ScriptError> {
        let filled = self.filled(line)?;
        if self.filling.is_some() {
            let command: Command = filled
                .parse()
                .map_err(|why| self.wrong(&line.span(), format!("`{filled}`: {why}")))?;
            if matches!(
                command,
                Command::Drill(_) | Command::Down { .. } | Command::Up | Command::Wind(_)
            ) {
                let why = format!("`{filled}`: a drill cannot do that to the room it runs in");
                return Err(self.wrong(&line.span(), why));
            }
        }
        Ok(filled)
    }

    fn condition(&self, text: &Spanned<String>) -> Result<Condition, ScriptError> {
        let filled = self.filled(text)?;
        let parsed = Condition::parse(&filled);
        match parsed {
            Ok(condition) => Ok(condition),
            // Unfilled, it is only kept: the same line was tried with examples before.
            Err(_) if self.filling.is_none() => Ok(Condition::unfilled(&filled)),
            Err(why) => Err(self.wrong(&text.span(), why.to_string())),
        }
    }

    fn filled(&self, text: &Spanned<String>) -> Result<String, ScriptError> {
        let Some(filling) = self.filling else { return Ok(text.get_ref().clone()) };
        let filled = substitute(text.get_ref(), filling, false)
            .map_err(|(_, why)| self.wrong(&text.span(), why))?;
        Ok(filled)
    }
}
