//! Says which commit the program was built from, and for which target.

use std::{fs, path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=ZONEDRILL_COMMIT");
    println!("cargo::rustc-env=ZONEDRILL_TARGET={}", std::env::var("TARGET").unwrap_or_default());
    let commit = std::env::var("ZONEDRILL_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = commit.or_else(packaged).or_else(checked_out).unwrap_or_default();
    println!("cargo::rustc-env=ZONEDRILL_COMMIT={commit}");
}

/// `cargo package` notes the commit.
fn packaged() -> Option<String> {
    let noted = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = noted.split_once("\"sha1\": \"")?;
    rest.get(..SHORT).map(str::to_owned)
}

/// Digits of a commit that are told.
const SHORT: usize = 12;

/// The commit of this checkout; unpacked inside another's, it has none.
fn checked_out() -> Option<String> {
    if !Path::new(".git").exists() {
        return None;
    }
    for file in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", file])?;
        println!("cargo::rerun-if-changed={path}");
    }
    let commit = git(&["rev-parse", &format!("--short={SHORT}"), "HEAD"])?;
    Some(commit)
}

fn git(words: &[&str]) -> Option<String> {
    let said = Command::new("git").args(words).output().ok()?;
    let said = said.status.success().then(|| String::from_utf8(said.stdout).ok())??;
    Some(said.trim().to_owned())
}
