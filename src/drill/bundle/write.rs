//! A bundle comes to be, wholly or not at all.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{
    BundleError, blank,
    build::{Reports, build},
    files,
    judge::{Judge, by_checks},
    manifest::{self, Digest, Manifest},
};
use crate::region::UnixMs;

/// As much of a server's log as goes into a bundle: its end.
const LONGEST_LOG: u64 = 4 << 20;

/// What a bundle is made of.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// The runs, in order.
    pub runs: Vec<RunFolder>,
    pub ledger: PathBuf,
    pub events: PathBuf,
    /// The servers' configurations, called like their nodes (`js1-zone-a.conf`).
    pub server_configs: Vec<PathBuf>,
    /// The servers' logs, called like their nodes (`js1-zone-a.log`).
    pub server_logs: Vec<PathBuf>,
    /// When the bundle is written.
    pub at: UnixMs,
}

/// A run's folder: `drill.jsonl` and the stream files that it names.
#[derive(Clone, Debug, Default)]
pub struct RunFolder {
    pub folder: PathBuf,
}

/// Writes a bundle and tells where. Verdicts are computed from the copied files by the program's
/// checks.
///
/// # Errors
/// When something cannot be read or written; nothing is left then.
pub fn write(folder: &Path, parts: &Parts) -> Result<PathBuf, BundleError> {
    write_with(folder, parts, &by_checks)
}

/// The same with other checks.
///
/// # Errors
/// As [`write()`].
pub fn write_with(folder: &Path, parts: &Parts, judge: &Judge<'_>) -> Result<PathBuf, BundleError> {
    let folder = std::path::absolute(folder).map_err(BundleError::io(folder))?;
    let place = Place::find(&folder)?;
    if parts.runs.is_empty() {
        return Err(BundleError::evidence(&folder, "there is no run to report"));
    }
    let half = Half::begin(&folder)?;
    let at = |name: &str| half.0.join(name);
    copy_lines(&parts.ledger, &at("ledger.jsonl"))?;
    copy_lines(&parts.events, &at("events.jsonl"))?;
    for path in parts.server_configs.iter().chain(&parts.server_logs) {
        copy_blanked(path, &at("servers"))?;
    }
    let mut runs = Vec::new();
    for (index, run) in parts.runs.iter().enumerate() {
        runs.push(copy_run(index + 1, &run.folder, &half.0)?);
    }
    let built = build(&half.0, &runs, parts.at, judge)?;
    for (name, text) in Reports::render(&built).files() {
        put(&at(name), text.as_bytes())?;
    }
    let mut digests = BTreeMap::new();
    for name in files::walk(&half.0)?.into_keys() {
        let (bytes, sha256) = files::digest(&half.0.join(&name))?;
        digests.insert(name, Digest { bytes, sha256 });
    }
    let manifest = Manifest::new(parts.at, runs, digests);
    put(&at(manifest::FILE), manifest.text().as_bytes())?;
    half.become_whole(&folder, place)?;
    Ok(folder)
}

/// What is where the bundle goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Free,
    Empty,
    Bundle,
}

impl Place {
    fn find(folder: &Path) -> Result<Self, BundleError> {
        let occupied = || BundleError::Occupied { path: folder.into() };
        match folder.symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::Free),
            Err(error) => Err(BundleError::io(folder)(error)),
            Ok(meta) if !meta.is_dir() => Err(occupied()),
            Ok(_) if fs::read_dir(folder).map_err(BundleError::io(folder))?.next().is_none() => {
                Ok(Self::Empty)
            }
            // Only an untouched set of files is taken away: nobody keeps notes in it.
            Ok(_) => match Manifest::read(folder) {
                Ok((manifest, None))
                    if files::walk(folder)?.keys().all(|name| {
                        name == manifest::FILE || manifest.files.contains_key(name)
                    }) =>
                {
                    Ok(Self::Bundle)
                }
                _ => Err(occupied()),
            },
        }
    }
}

/// A bundle that is not whole yet, beside its place; it goes when it is dropped.
struct Half(PathBuf);

impl Half {
    fn begin(folder: &Path) -> Result<Self, BundleError> {
        let path = beside(folder, "half");
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent).map_err(BundleError::io(parent))?;
        }
        fs::create_dir(&path).map_err(BundleError::io(&path))?;
        Ok(Self(path))
    }

    fn become_whole(self, folder: &Path, place: Place) -> Result<(), BundleError> {
        let old = beside(folder, "old");
        match place {
            Place::Free => {}
            Place::Empty => fs::remove_dir(folder).map_err(BundleError::io(folder))?,
            Place::Bundle => fs::rename(folder, &old).map_err(BundleError::io(folder))?,
        }
        if let Err(error) = fs::rename(&self.0, folder) {
            if place == Place::Bundle {
                let _ = fs::rename(&old, folder);
            }
            return Err(BundleError::io(folder)(error));
        }
        if place == Place::Bundle {
            fs::remove_dir_all(&old).map_err(BundleError::io(&old))?;
        }
        if let Some(parent) = folder.parent().and_then(|parent| File::open(parent).ok()) {
            // The rename itself; a file system that cannot is no reason to fail.
            let _ = parent.sync_all();
        }
        Ok(())
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A hidden sibling that no other process, and no other write of this one, uses.
fn beside(folder: &Path, what: &str) -> PathBuf {
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    folder.with_file_name(format!(".{name}.{what}-{}-{number}", std::process::id()))
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), BundleError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(BundleError::io(parent))?;
    }
    let mut file = File::create_new(path).map_err(BundleError::io(path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(BundleError::io(path))
}

fn copy(from: &Path, to: &Path) -> Result<u64, BundleError> {
    let mut source = files::open(from)?;
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(BundleError::io(parent))?;
    }
    let mut target = File::create_new(to).map_err(BundleError::io(to))?;
    let bytes = std::io::copy(&mut source, &mut target).map_err(BundleError::io(to))?;
    target.sync_all().map_err(BundleError::io(to))?;
    Ok(bytes)
}

/// Copies whole lines: a file that is still written to may end in the middle of one.
fn copy_lines(from: &Path, to: &Path) -> Result<(), BundleError> {
    let mut left = copy(from, to)?;
    let mut file =
        fs::OpenOptions::new().read(true).write(true).open(to).map_err(BundleError::io(to))?;
    let mut cut = || -> std::io::Result<()> {
        let mut buffer = [0; 4096];
        while left > 0 {
            let piece = left.min(buffer.len() as u64);
            file.seek(SeekFrom::Start(left - piece))?;
            file.read_exact(&mut buffer[..piece as usize])?;
            if let Some(end) = buffer[..piece as usize].iter().rposition(|byte| *byte == b'\n') {
                return file.set_len(left - piece + end as u64 + 1);
            }
            left -= piece;
        }
        file.set_len(0)
    };
    cut().map_err(BundleError::io(to))
}

fn copy_blanked(from: &Path, folder: &Path) -> Result<(), BundleError> {
    let Some(name) = from.file_name() else {
        return Err(BundleError::evidence(from, "is not a file"));
    };
    let mut file = files::open(from)?;
    let size = file.metadata().map_err(BundleError::io(from))?.len();
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(size.saturating_sub(LONGEST_LOG)))
        .and_then(|_| file.take(LONGEST_LOG).read_to_end(&mut bytes))
        .map_err(BundleError::io(from))?;
    put(&folder.join(name), blank::secrets(&String::from_utf8_lossy(&bytes)).as_bytes())
}

/// Copies a run; returns its folder inside the bundle.
fn copy_run(number: usize, from: &Path, bundle: &Path) -> Result<String, BundleError> {
    let source = from.join("drill.jsonl");
    let part = bundle.join("run.part");
    copy_lines(&source, &part)?;
    let entries = files::record(&part)?;
    let mut name = format!("runs/{number}");
    for entry in &entries {
        if let crate::drill::record::Entry::Begin(begin) = entry {
            // A user's own drill may be called anything.
            let drill: String = begin
                .drill
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
                .take(40)
                .collect();
            name = format!("{name}-{drill}");
        }
    }
    let to = bundle.join(&name);
    fs::create_dir_all(&to).map_err(BundleError::io(&to))?;
    fs::rename(&part, to.join("drill.jsonl")).map_err(BundleError::io(&to))?;
    let history = from.join("history.jsonl");
    if history.exists() {
        copy_lines(&history, &to.join("history.jsonl"))?;
    }
    for entry in &entries {
        if let crate::drill::record::Entry::Stream { file, .. } = entry {
            if let Some(why) = files::bad_path(file) {
                return Err(BundleError::evidence(&source, format!("names {file:?}, which {why}")));
            }
            copy(&from.join(file), &to.join(file))?;
        }
    }
    Ok(name)
}
