//! The drills there are: the four conclusions, compiled in, and a user's own folder.

use std::path::Path;

use super::script::{Script, ScriptError};

/// The scripts compiled in, by file.
const BUILTIN: [(&str, &str); 4] = [
    ("cut.toml", include_str!("../../config/drills/cut.toml")),
    ("heal.toml", include_str!("../../config/drills/heal.toml")),
    ("independent.toml", include_str!("../../config/drills/independent.toml")),
    ("grow.toml", include_str!("../../config/drills/grow.toml")),
];

/// The drills that come with the program, the four conclusions in their order.
#[must_use]
pub fn builtin() -> Vec<Script> {
    // A test reads them all: none is ever left out.
    BUILTIN.iter().filter_map(|(origin, text)| Script::parse(text, origin).ok()).collect()
}

/// The drills that come with the program and those of a folder (`*.toml`, by name). One of the same
/// name as another replaces it; a folder that is not there holds none.
///
/// # Errors
/// The first mistake in any of them, or a file that cannot be read.
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
        match scripts.iter_mut().find(|known| known.name == script.name) {
            Some(known) => *known = script,
            None => scripts.push(script),
        }
    }
    Ok(scripts)
}
