//! Which drills there are, and which of them were asked for.

use std::{fmt::Write, path::PathBuf};

use serde::Serialize;

use super::ready::can_be_done;
use crate::{
    command::{Command, DrillRun, NodeAct, Sabotage},
    drill::{conclusions::REQUIREMENTS, condition::Condition, library, script::Script},
    room::{
        failure::Failure,
        protocol::Outcome,
        runtime::Runtime,
        task::{Completion, Result},
    },
};

/// The word for the four conclusions.
const ALL: &str = "all";
/// The word for the program's drills of links and servers that fail.
const CONDITIONS: &str = "conditions";
/// Names the folder of a user's own drills.
pub const DRILLS: &str = "ZONEDRILL_DRILLS";
/// A folder's own drills, beside the keymap.
const USERS_DRILLS: &str = "drills";

/// The scripts of those names; `all` stands for the four conclusions.
///
/// # Errors
/// When a script has a mistake, or there is none of that name.
pub fn chosen(names: &[String]) -> std::result::Result<Vec<Script>, Failure> {
    let known = scripts()?;
    let mut chosen = Vec::new();
    for name in names {
        if name == ALL {
            let mut four: Vec<_> =
                known.iter().filter(|script| is_of_the_four(script)).cloned().collect();
            four.sort_by_key(|script| script.conclusion);
            chosen.extend(four);
            continue;
        }
        if name == CONDITIONS {
            chosen.extend(library::builtin().into_iter().filter(is_of_failures));
            continue;
        }
        let Some(script) = known.iter().find(|script| &script.name == name) else {
            let names: Vec<&str> = known.iter().map(|script| script.name.as_str()).collect();
            return Err(Failure::Refused(format!(
                "there is no drill `{name}`: the drills are {}, `conditions` for those of links that are not whole, and `all` (your own are read from {})",
                names.join(", "),
                users_drills().map_or_else(
                    || "~/.config/zonedrill/drills, which is not there".into(),
                    |folder| folder.display().to_string()
                )
            )));
        };
        chosen.push(script.clone());
    }
    Ok(chosen)
}

/// It makes what fails by itself: links and servers, by no plan. Which zone takes messages stays.
fn is_of_failures(script: &Script) -> bool {
    script.conclusion.is_none()
        && !script
            .commands()
            .any(|command| command.moves_the_source() || matches!(command, Command::Stream(_)))
        && script.commands().any(|command| {
            matches!(
                command,
                Command::Impair { .. }
                    | Command::Cut { .. }
                    | Command::Node { act: NodeAct::Kill | NodeAct::Freeze, .. }
            )
        })
}

/// A drill that nobody named and that this platform cannot do, with why.
#[derive(Clone, Debug, Serialize)]
pub struct NotHere {
    pub drill: String,
    pub why: String,
}

/// Takes out what `conditions` stands for and this platform cannot do. A drill that is named stays: who
/// asks for it is told that it tested nothing.
pub fn take_out(
    runtime: &Runtime,
    names: &[String],
    scripts: Vec<Script>,
) -> (Vec<Script>, Vec<NotHere>) {
    let mut not_here = Vec::new();
    let here = scripts.into_iter().filter(|script| {
        let why = can_be_done(runtime, script).err().filter(|_| !names.contains(&script.name));
        not_here.extend(why.map(|why| NotHere { drill: script.name.clone(), why }));
        not_here.last().is_none_or(|one| one.drill != script.name)
    });
    (here.collect(), not_here)
}

fn is_of_the_four(script: &Script) -> bool {
    script.conclusion.is_some_and(|number| REQUIREMENTS.iter().any(|one| one.number == number))
}

/// Checks that there are such drills, and that the sabotage is one of theirs.
///
/// # Errors
/// When that is not so, or a script has a mistake.
pub fn check(asked: &DrillRun) -> std::result::Result<(), Failure> {
    let scripts = chosen(&asked.names)?;
    let has = |wanted: fn(&Command) -> bool| {
        scripts.iter().any(|script| script.commands().any(|command| wanted(&command)))
    };
    let names = asked.names.join(", ");
    if asked.options.rebuild_dedup && !has(|command| matches!(command, Command::Promote { .. })) {
        return Err(Failure::Refused(format!(
            "`--rebuild-dedup` goes with a drill that promotes a zone, and {names} does not: `drill run failover --rebuild-dedup`"
        )));
    }
    let upgrades = asked.options.to_version.is_some();
    if upgrades && !has(|command| matches!(command, Command::Upgrade { .. })) {
        return Err(Failure::Refused(format!(
            "`--to-version` goes with a drill that starts every server again, as `drill run rolling` does: {names} does not"
        )));
    }
    if let Some(when) = &asked.when {
        Condition::parse(when).map_err(|why| Failure::Refused(format!("`--when`: {why}")))?;
    }
    asked.sabotage.map_or(Ok(()), |kind| fits(kind, &scripts))
}

/// All there are: built in, and the user's own.
///
/// # Errors
/// When one has a mistake.
pub fn scripts() -> std::result::Result<Vec<Script>, Failure> {
    let folder = users_drills();
    library::load(folder.as_deref()).map_err(|error| Failure::Refused(error.to_string()))
}

/// Where a user's own drills are.
fn users_drills() -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    let named = std::env::var_os(DRILLS).filter(|value| !value.is_empty());
    named
        .map(PathBuf::from)
        .or_else(|| {
            let base = etcetera::choose_base_strategy().ok()?;
            Some(base.config_dir().join("zonedrill").join(USERS_DRILLS))
        })
        .filter(|folder| folder.is_dir())
}

/// Is that fault one of each of these drills?
fn fits(kind: Sabotage, scripts: &[Script]) -> std::result::Result<(), Failure> {
    match scripts.iter().find(|script| !script.sabotages.contains(&kind)) {
        None => Ok(()),
        Some(script) => {
            let fitting: Vec<&str> = script.sabotages.iter().map(|kind| kind.as_str()).collect();
            Err(Failure::Refused(format!(
                "`{}` is no sabotage of the drill {}: it has {}",
                kind.as_str(),
                script.name,
                if fitting.is_empty() { "none".to_owned() } else { fitting.join(", ") }
            )))
        }
    }
}

/// Lists the drills there are.
///
/// # Errors
/// When a script has a mistake.
pub fn list() -> Result {
    let scripts = scripts()?;
    let width = scripts.iter().map(|script| script.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for script in &scripts {
        let number = script.conclusion.map_or(" ".to_owned(), |number| number.to_string());
        let _ = writeln!(text, "{number} {:width$}  {}", script.name, script.claim);
    }
    let data = scripts
        .iter()
        .map(|script| {
            serde_json::json!({
                "name": script.name, "conclusion": script.conclusion, "claim": script.claim,
                "steps": script.steps.len(),
                "sabotages": script.sabotages.iter().map(|s| s.as_str()).collect::<Vec<_>>(),
            })
        })
        .collect();
    let text = text.trim_end().to_owned();
    Ok(Completion { outcome: Outcome::Done, text, data: Some(serde_json::Value::Array(data)) })
}
