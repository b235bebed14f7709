//! The drills there are: the four conclusions and those of links as real ones are, compiled in, and a
//! user's own folder.

use std::{path::Path, sync::LazyLock};

use super::{
    record::Begin,
    script::{Filling, Script, ScriptError},
};

/// The scripts compiled in, by file.
const BUILTIN: &[(&str, &str)] = &[
    ("cut.toml", include_str!("../../config/drills/cut.toml")),
    ("heal.toml", include_str!("../../config/drills/heal.toml")),
    ("independent.toml", include_str!("../../config/drills/independent.toml")),
    ("grow.toml", include_str!("../../config/drills/grow.toml")),
    ("failover.toml", include_str!("../../config/drills/failover.toml")),
    ("rolling.toml", include_str!("../../config/drills/rolling.toml")),
    ("switchover.toml", include_str!("../../config/drills/switchover.toml")),
    ("failback.toml", include_str!("../../config/drills/failback.toml")),
    ("rebuild.toml", include_str!("../../config/drills/rebuild.toml")),
    ("rebuild-source.toml", include_str!("../../config/drills/rebuild-source.toml")),
    ("retention.toml", include_str!("../../config/drills/retention.toml")),
    ("interest.toml", include_str!("../../config/drills/interest.toml")),
    ("stepdowns.toml", include_str!("../../config/drills/stepdowns.toml")),
    ("slow.toml", include_str!("../../config/drills/slow.toml")),
    ("halfopen.toml", include_str!("../../config/drills/halfopen.toml")),
    ("flap.toml", include_str!("../../config/drills/flap.toml")),
    ("unnoticed.toml", include_str!("../../config/drills/unnoticed.toml")),
    ("blackhole.toml", include_str!("../../config/drills/blackhole.toml")),
    ("lossy.toml", include_str!("../../config/drills/lossy.toml")),
    ("frozen.toml", include_str!("../../config/drills/frozen.toml")),
    ("two-cuts.toml", include_str!("../../config/drills/two-cuts.toml")),
    ("leader-in-catchup.toml", include_str!("../../config/drills/leader-in-catchup.toml")),
];

/// The drills that come with the program: the four conclusions in their order, then the others.
#[must_use]
pub fn builtin() -> Vec<Script> {
    READ.clone()
}

/// The built-in scripts, read once. A test reads them all: none is ever left out.
static READ: LazyLock<Vec<Script>> = LazyLock::new(|| {
    BUILTIN.iter().filter_map(|(origin, text)| Script::parse(text, origin).ok()).collect()
});

/// The built-in drill of that name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Script> {
    READ.iter().find(|script| script.name == name)
}

/// The script that a drill ran does what the one does that this version has of its name; what it says
/// to an audience may differ. A drill whose name no built-in one has is its author's.
#[must_use]
pub fn is_ours(begin: &Begin) -> bool {
    if !begin.by_hand.is_empty() {
        return true;
    }
    let Some(script) = named(&begin.drill) else { return true };
    let filling = Filling {
        scale: begin.scale,
        source: begin.source.clone(),
        mirror: begin.mirror.clone(),
        leader: begin.leader.clone(),
        new_zone: begin.new_zone.clone(),
        options: begin.options.clone(),
        external: begin.is_external(),
    };
    let ran = Script::recorded(&begin.script, &begin.drill);
    script.fill(&filling).is_ok_and(|ours| ran.is_ok_and(|ran| ran.acts_as(&ours)))
}

/// The drills that come with the program and those of a folder (`*.toml`, by name). A folder that is
/// not there holds none.
///
/// # Errors
/// The first mistake in any of them, a file that cannot be read, or a name that a built-in drill or
/// another file has.
pub fn load(folder: Option<&Path>) -> Result<Vec<Script>, ScriptError> {
    let mut scripts = builtin();
    let Some(folder) = folder else { return Ok(scripts) };
    let failed = |path: &Path, why: std::io::Error| ScriptError {
        origin: path.display().to_string(),
        line: None,
        why: format!("cannot be read: {why}"),
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(scripts),
        Err(error) => return Err(failed(folder, error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| failed(folder, error))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    for path in files {
        let text = std::fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
        let script = Script::parse(&text, &path.display().to_string())?;
        if scripts.iter().any(|known| known.name == script.name) {
            let line = text.lines().position(|line| line.trim_start().starts_with("name"));
            let why = format!("there is a drill `{}` already: give it another name", script.name);
            let origin = path.display().to_string();
            return Err(ScriptError { origin, line: line.map(|line| line + 1), why });
        }
        scripts.push(script);
    }
    Ok(scripts)
}
