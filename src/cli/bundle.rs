//! `zonedrill verify FOLDER`: an evidence bundle checked from its files alone. It needs no room.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use color_eyre::eyre;

use super::{print, tell};
use crate::drill::bundle;

/// What was asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    folder: PathBuf,
    json: bool,
}

/// The folder that `verify` is asked to check, if it is asked for one and not for a zone: a path has
/// a `/` or a `.` in it, or is a folder with a manifest; no zone's name has.
pub fn asked(arguments: &[OsString]) -> Option<Asked> {
    let words: Vec<&str> = arguments.iter().map(|a| a.to_str().unwrap_or_default()).collect();
    let at = words.iter().skip(1).position(|word| *word == "verify")? + 1;
    // Before the verb there are only flags and their values.
    let mut takes_value = false;
    for word in &words[1..at] {
        if !takes_value && !word.starts_with('-') {
            return None;
        }
        takes_value = word.starts_with("--") && !word.contains('=');
    }
    let mut asked = Asked { folder: PathBuf::new(), json: false };
    for (word, raw) in words[at + 1..].iter().zip(&arguments[at + 1..]) {
        if *word == "--json" {
            asked.json = true;
        } else if word.starts_with('-') || !asked.folder.as_os_str().is_empty() {
            return None;
        } else {
            asked.folder = raw.into();
        }
    }
    is_path(&asked.folder).then_some(asked)
}

fn is_path(path: &Path) -> bool {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes.contains(&b'/')
        || bytes.contains(&b'.')
        || (!bytes.is_empty() && path.join(bundle::manifest::FILE).exists())
}

/// Verifies, and prints what came of it. The exit code: 0 all proved and untouched, 1 broken or
/// altered, 2 void; 3, for what is no bundle, is that of every error.
///
/// # Errors
/// When the folder is no bundle.
pub fn verify(asked: &Asked) -> eyre::Result<u8> {
    let verification = bundle::verify(&asked.folder)?;
    if asked.json {
        let mut value = serde_json::to_value(&verification)?;
        value["exit_code"] = verification.exit_code().into();
        print(&format!("{value:#}"));
    } else {
        tell(&verification.to_string());
    }
    Ok(verification.exit_code())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(line: &str) -> Option<String> {
        let words: Vec<OsString> = line.split(' ').map(Into::into).collect();
        asked(&words).map(|asked| format!("{} {}", asked.folder.display(), asked.json))
    }

    #[test]
    fn a_folder_is_not_a_zone() {
        assert_eq!(folder("zonedrill verify ./evidence").as_deref(), Some("./evidence false"));
        assert_eq!(folder("zonedrill --region x verify --json a/b").as_deref(), Some("a/b true"));
        for other in [
            "zonedrill verify",
            "zonedrill verify b",
            "zonedrill verify b --json",
            "zonedrill mark verify ./evidence",
            "zonedrill verify ./a ./b",
            "zonedrill status",
        ] {
            assert_eq!(folder(other), None, "{other}");
        }
    }
}
