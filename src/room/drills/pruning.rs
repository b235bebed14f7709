//! A bound on what the bundles that nobody named take on the disk: whoever runs drills in a loop, a
//! guest too, must not fill it.

use std::{fs, io, path::Path};

/// The most that the bundles in a region's folder may take, in bytes.
pub const MOST: u64 = 2 << 30;
/// What a bundle that was written to its end has.
const WHOLE: &str = "manifest.json";

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub bundles: u64,
    pub bytes: u64,
}

/// Removes the oldest bundles in `reports` until the rest takes at most `most` bytes. What has a
/// name of the user's own, what is not whole (somebody is writing it), and `kept`, stay.
///
/// # Errors
/// When the folder cannot be read, or a bundle cannot be removed.
pub fn prune(reports: &Path, kept: &Path, most: u64) -> io::Result<Pruned> {
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
    let mut total: u64 =
        size(kept).unwrap_or(0) + bundles.iter().map(|(_, size, _)| size).sum::<u64>();
    let mut pruned = Pruned::default();
    for (_, size, path) in bundles {
        if total <= most {
            break;
        }
        fs::remove_dir_all(&path)?;
        total -= size;
        pruned = Pruned { bundles: pruned.bundles + 1, bytes: pruned.bytes + size };
    }
    Ok(pruned)
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

    fn bundle(reports: &Path, name: &str, bytes: usize) -> std::path::PathBuf {
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

        assert_eq!(prune(reports, &kept, 1600).unwrap(), Pruned::default());
        let pruned = prune(reports, &kept, 1000).unwrap();
        assert_eq!(pruned, Pruned { bundles: 2, bytes: 800 });
        assert!(!oldest.exists() && !older.exists());
        assert!([&newer, &kept, &named, &begun, &elsewhere].iter().all(|path| path.exists()));
        // The one that was just written stays, however large it is.
        assert_eq!(prune(reports, &kept, 1).unwrap().bundles, 1);
        assert!(kept.exists() && !newer.exists());
    }
}
