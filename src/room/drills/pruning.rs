//! A bound on what the bundles that nobody named, and the records of drills, take on the disk:
//! whoever runs drills in a loop, a guest too, must not fill it.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::{RECORD, lasting_damage};
use crate::{drill::record::Entry, room::home::Home};

/// As much as may be kept.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    pub folders: u64,
    pub bytes: u64,
}

/// Of bundles in a region's folder.
pub const BUNDLES: Most = Most { folders: 1000, bytes: 2 << 30 };
/// Of records of drills, each of which every drill looks at before it begins.
pub const RECORDS: Most = Most { folders: 1000, bytes: 2 << 30 };
/// Of the folders of commands in a region of others.
pub const SESSIONS: Most = Most { folders: 100, bytes: 1 << 30 };
/// What a bundle that was written to its end has.
const WHOLE: &str = "manifest.json";
/// The last line of a record is shorter.
const END: u64 = 4096;

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub folders: u64,
    pub bytes: u64,
}

/// Removes the oldest bundles in `reports` until there are at most so many. What has a name of the
/// user's own, what is not whole (somebody is writing it), and `kept`, stay.
///
/// # Errors
/// When the folder cannot be read, or a bundle cannot be removed.
pub fn bundles(reports: &Path, kept: &Path, most: Most) -> io::Result<Pruned> {
    let mut bundles = Vec::new();
    for entry in fs::read_dir(reports)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        // A link leads to what is not the region's.
        let ours = entry.file_type()?.is_dir() && is_dated(&name) && path != kept;
        if ours && path.join(WHOLE).is_file() {
            bundles.push((name, size(&path)?, path));
        }
    }
    // The names begin with the time.
    bundles.sort();
    let folders = bundles.into_iter().map(|(_, size, path)| (size, path)).collect();
    oldest(folders, size(kept).unwrap_or(0), most, |_| true)
}

/// Removes the oldest records in `drills` until there are at most so many. `kept`, those of drills
/// that have not ended, and those that tell what was damaged on purpose in the data of `run`, stay.
///
/// # Errors
/// When the folder cannot be read, or a record cannot be removed.
pub fn records(drills: &Path, kept: &[PathBuf], run: &str, most: Most) -> io::Result<Pruned> {
    let (mut records, mut others) = (Vec::new(), 0);
    for entry in fs::read_dir(drills)? {
        let entry = entry?;
        let path = entry.path();
        if !entry.file_type()?.is_dir() {
            continue;
        }
        match number(&entry).filter(|_| !kept.contains(&path)) {
            Some(number) => records.push((number, size(&path)?, path)),
            None => others += size(&path)?,
        }
    }
    records.sort();
    let folders = records.into_iter().map(|(_, size, path)| (size, path)).collect();
    oldest(folders, others, most, |folder| {
        let file = folder.join(RECORD);
        has_ended(&file).unwrap_or(false) && lasting_damage(&file, run).is_none()
    })
}

/// Removes the oldest folders of ended commands in a region of others until there are at most so many.
/// What has a name of the user's own, and what a running command holds, stays.
///
/// # Errors
/// When the folder cannot be read, or one in it cannot be removed.
pub fn sessions(others: &Path, region: &str, most: Most) -> io::Result<Pruned> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(others)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if entry.file_type()?.is_dir() && is_dated(&name) {
            folders.push((name, size(&path)?, path));
        }
    }
    // The names begin with the time.
    folders.sort();
    let folders = folders.into_iter().map(|(_, size, path)| (size, path)).collect();
    oldest(folders, 0, most, |folder| {
        let home = Home { region: region.to_owned(), folder: folder.to_owned() };
        home.is_ours() && home.claim().is_ok()
    })
}

/// The number that a record's folder begins with: `7-heal`.
#[must_use]
pub fn number(entry: &fs::DirEntry) -> Option<u64> {
    entry.file_name().to_str()?.split('-').next()?.parse().ok()
}

/// Removes the first of `folders` (with their sizes) that may go, until the rest and `others` bytes
/// are within bounds.
fn oldest(
    folders: Vec<(u64, PathBuf)>,
    others: u64,
    most: Most,
    may_go: impl Fn(&Path) -> bool,
) -> io::Result<Pruned> {
    let mut bytes: u64 = others + folders.iter().map(|(size, _)| size).sum::<u64>();
    let mut left = folders.len() as u64;
    let mut pruned = Pruned::default();
    for (size, path) in folders {
        if bytes <= most.bytes && left <= most.folders {
            break;
        }
        if may_go(&path) {
            fs::remove_dir_all(&path)?;
            (bytes, left) = (bytes - size, left - 1);
            pruned = Pruned { folders: pruned.folders + 1, bytes: pruned.bytes + size };
        }
    }
    Ok(pruned)
}

/// Whether a record's last line says that its drill is over.
fn has_ended(record: &Path) -> io::Result<bool> {
    let mut file = File::open(record)?;
    let from = file.metadata()?.len().saturating_sub(END);
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    let last = end.trim_ascii_end().rsplit(|byte| *byte == b'\n').next();
    let entry = last.and_then(|line| serde_json::from_slice(line).ok());
    Ok(matches!(entry, Some(Entry::End { .. })))
}

/// `20261124-165500-cut`: a name that the room gives.
fn is_dated(name: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = name.splitn(3, '-');
    let (day, time, what) = (parts.next(), parts.next(), parts.next());
    day.is_some_and(|day| day.len() == 8 && digits(day))
        && time.is_some_and(|time| time.len() == 6 && digits(time))
        && what.is_some()
}

/// What a folder takes, links not followed.
fn size(folder: &Path) -> io::Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        total += if kind.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(reports: &Path, name: &str, bytes: usize) -> PathBuf {
        let folder = reports.join(name);
        fs::create_dir_all(folder.join("runs")).unwrap();
        fs::write(folder.join(WHOLE), "").unwrap();
        fs::write(folder.join("runs").join("drill.jsonl"), vec![b'x'; bytes]).unwrap();
        folder
    }

    #[test]
    fn the_oldest_that_nobody_named_go_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let reports = folder.path();
        let oldest = bundle(reports, "20250101-000000-cut", 400);
        let older = bundle(reports, "20250102-000000-grow", 400);
        let newer = bundle(reports, "20250103-000000-heal", 400);
        let kept = bundle(reports, "20250104-000000-cut", 400);
        let named = bundle(reports, "for-the-board", 4000);
        let begun = bundle(reports, "20240101-000000-cut", 4000);
        fs::remove_file(begun.join(WHOLE)).unwrap();
        let elsewhere = bundle(&folder.path().join("elsewhere"), "20240101-000000-far", 400);
        std::os::unix::fs::symlink(&elsewhere, reports.join("20240102-000000-link")).unwrap();

        let most = |bytes| Most { folders: 9, bytes };
        assert_eq!(bundles(reports, &kept, most(1600)).unwrap(), Pruned::default());
        let pruned = bundles(reports, &kept, most(1000)).unwrap();
        assert_eq!(pruned, Pruned { folders: 2, bytes: 800 });
        assert!(!oldest.exists() && !older.exists());
        assert!([&newer, &kept, &named, &begun, &elsewhere].iter().all(|path| path.exists()));
        // The one that was just written stays, however large it is.
        assert_eq!(bundles(reports, &kept, most(1)).unwrap().folders, 1);
        assert!(kept.exists() && !newer.exists());
    }

    #[test]
    fn the_oldest_commands_of_others_go_and_none_that_is_at_work() {
        let folder = tempfile::tempdir().unwrap();
        let session = |name: &str| {
            let folder = folder.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("ledger.jsonl"), "x").unwrap();
            Home { region: "shop".into(), folder }
        };
        let working = session("20250101-000000-1");
        let _held = working.claim().unwrap();
        let gone = session("20250102-000000-2");
        let theirs = folder.path().join("20250103-000000-3");
        fs::create_dir(&theirs).unwrap();
        fs::write(theirs.join("notes"), "mine").unwrap();
        let kept = [working, session("mine"), session("20250104-000000-4")];
        let most = Most { folders: 3, bytes: 1 << 20 };
        assert_eq!(sessions(folder.path(), "shop", most).unwrap().folders, 1);
        assert_eq!(sessions(folder.path(), "shop", most).unwrap().folders, 0);
        assert!(!gone.folder.exists() && theirs.join("notes").exists());
        assert!(kept.iter().all(|home| home.ledger().exists()));
    }

    fn record(drills: &Path, name: &str, sabotage: Option<&str>, ended: bool) -> PathBuf {
        let folder = drills.join(name);
        fs::create_dir_all(&folder).unwrap();
        let begin = serde_json::json!({
            "k": "begin", "format": 1, "zonedrill": "0", "drill": "heal", "script": "", "scale": 1,
            "sabotage": sabotage, "run": "r1", "region": "r", "platform": "local",
            "server_version": "2", "mirror_kind": "durable", "source": "a", "mirror": "b",
            "new_zone": null, "actor": "mira", "at": 1,
        });
        let end = if ended { "{\"k\":\"end\",\"at\":9}\n" } else { "{\"k\":\"step\"" };
        fs::write(folder.join(RECORD), format!("{begin}\n{end}")).unwrap();
        folder
    }

    #[test]
    fn the_oldest_records_go_and_none_that_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let drills = folder.path();
        let gone = [record(drills, "2-cut", None, true), record(drills, "9-heal", None, true)];
        let kept = record(drills, "10-cut", None, true);
        let mut stay = vec![
            record(drills, "3-heal", Some("lose"), true),
            record(drills, "4-heal", None, false),
            record(drills, "11-heal", None, true),
            record(drills, "servers", None, true),
        ];
        stay.push(kept.clone());
        let within = |folders| {
            records(drills, std::slice::from_ref(&kept), "r1", Most { folders, bytes: 1 << 20 })
                .unwrap()
        };
        assert_eq!(within(5), Pruned::default());
        assert_eq!(within(3).folders, 2);
        assert!(gone.iter().all(|path| !path.exists()));
        assert!(stay.iter().all(|path| path.exists()));
        // On other data the damage is not there any more.
        let none = Most { folders: 9, bytes: 0 };
        assert_eq!(records(drills, std::slice::from_ref(&kept), "r2", none).unwrap().folders, 2);
        assert!(!stay[0].exists() && stay[1].exists() && !stay[2].exists() && kept.exists());
    }
}
