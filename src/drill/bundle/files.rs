//! Reading files that somebody else may have prepared: no links, no surprises, nothing without
//! bound.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Component, Path},
};

use sha2::{Digest, Sha256};

use super::BundleError;
use crate::{
    drill::record::{Entry, FORMAT},
    ledger::{Ledger, replay::Replayer},
    region::{Event, UnixMs},
};

/// The longest line of evidence.
const LONGEST_LINE: u64 = 4 << 20;
/// The largest record of a run.
const LARGEST_RECORD: u64 = 512 << 20;
/// The largest file that is read in one piece.
pub const LARGEST_TEXT: u64 = 64 << 20;
/// The most digits of a number in a record: microseconds since the epoch have 16.
const MOST_DIGITS: u32 = 16;
/// The most files of a bundle.
const MOST_FILES: usize = 10_000;
/// The deepest folder of a bundle.
const DEEPEST: usize = 6;

/// Why a text is not the path of a file inside a bundle; `None` if it is one.
#[must_use]
pub fn bad_path(text: &str) -> Option<&'static str> {
    let path = Path::new(text);
    if text.is_empty() || text.len() > 255 {
        Some("is empty or too long")
    } else if text.chars().any(|c| c.is_control() || c == '\\') {
        Some("has characters that no file of a bundle has")
    } else if path.is_absolute() || path.components().any(|c| !matches!(c, Component::Normal(_))) {
        Some("leads out of the bundle")
    } else if path
        .components()
        .map(|c| c.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
        != text
    {
        Some("is not written in its shortest form")
    } else {
        None
    }
}

/// Opens a regular file; a link or anything else is an error.
///
/// # Errors
/// When it cannot be opened, or is not a regular file.
pub fn open(path: &Path) -> Result<File, BundleError> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(BundleError::io(path))?;
    if !file.metadata().map_err(BundleError::io(path))?.is_file() {
        return Err(BundleError::evidence(path, "is not a regular file"));
    }
    Ok(file)
}

/// A file in one piece, if it is not larger than it may be.
///
/// # Errors
/// When it cannot be read, is too large or no text.
pub fn text(path: &Path, most: u64) -> Result<String, BundleError> {
    let mut text = String::new();
    let read = open(path)?.take(most + 1).read_to_string(&mut text);
    match read {
        Ok(_) if text.len() as u64 > most => {
            Err(BundleError::evidence(path, format!("is larger than {} MiB", most >> 20)))
        }
        Ok(_) => Ok(text),
        Err(error) => Err(BundleError::io(path)(error)),
    }
}

/// Size and SHA-256 of a file.
///
/// # Errors
/// When it cannot be read.
pub fn digest(path: &Path) -> Result<(u64, String), BundleError> {
    let mut file = open(path)?;
    let (mut hash, mut size) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer).map_err(BundleError::io(path))?;
        if read == 0 {
            return Ok((size, hex(&hash.finalize())));
        }
        hash.update(&buffer[..read]);
        size += read as u64;
    }
}

/// Bytes as people write digests.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What lies in a folder, by its path inside it: `Some(size)` of a regular file, `None` of anything
/// that has no place in a bundle (a link, a pipe).
///
/// # Errors
/// When it cannot be read, or holds more than a bundle does.
pub fn walk(folder: &Path) -> Result<BTreeMap<String, Option<u64>>, BundleError> {
    let mut found = BTreeMap::new();
    let mut left = vec![(folder.to_owned(), String::new(), 0)];
    while let Some((at, prefix, depth)) = left.pop() {
        for item in std::fs::read_dir(&at).map_err(BundleError::io(&at))? {
            let item = item.map_err(BundleError::io(&at))?;
            let name = format!("{prefix}{}", item.file_name().to_string_lossy());
            let meta = item.path().symlink_metadata().map_err(BundleError::io(item.path()))?;
            if meta.is_dir() && depth < DEEPEST {
                left.push((item.path(), format!("{name}/"), depth + 1));
            } else {
                found.insert(name, meta.is_file().then_some(meta.len()));
            }
            if found.len() + left.len() > MOST_FILES {
                return Err(BundleError::NotABundle {
                    path: folder.into(),
                    why: format!("it holds more than {MOST_FILES} files"),
                });
            }
        }
    }
    Ok(found)
}

/// Hands over each line, with its end.
fn lines(
    path: &Path,
    mut take: impl FnMut(u64, &str) -> Result<(), String>,
) -> Result<(), BundleError> {
    let mut reader = BufReader::with_capacity(1 << 16, open(path)?);
    let mut line = String::new();
    for number in 1.. {
        line.clear();
        let read = (&mut reader).take(LONGEST_LINE).read_line(&mut line);
        match read {
            Ok(0) => break,
            Ok(_) if line.len() as u64 >= LONGEST_LINE => {
                return Err(BundleError::evidence(path, format!("line {number} is too long")));
            }
            Ok(_) => take(number, &line).map_err(|why| BundleError::evidence(path, why))?,
            Err(error) => return Err(BundleError::io(path)(error)),
        }
    }
    Ok(())
}

/// The record of a run.
///
/// # Errors
/// When a line is damaged, or it does not begin as a record does.
pub fn record(path: &Path) -> Result<Vec<Entry>, BundleError> {
    let mut entries: Vec<Entry> = Vec::new();
    let size = path.symlink_metadata().map_err(BundleError::io(path))?.len();
    if size > LARGEST_RECORD {
        return Err(BundleError::evidence(
            path,
            format!("is larger than {} MiB", LARGEST_RECORD >> 20),
        ));
    }
    lines(path, |number, line| {
        if has_large_number(line) {
            return Err(format!("line {number} has a number of more than {MOST_DIGITS} digits"));
        }
        let entry: Entry = serde_json::from_str(line)
            .map_err(|error| format!("line {number} of the record is damaged: {error}"))?;
        match (&entry, entries.is_empty()) {
            (Entry::Begin(begin), true) if (1..=FORMAT).contains(&begin.format) => {}
            (Entry::Begin(begin), true) => {
                return Err(format!(
                    "it is of format {}, which this version does not know",
                    begin.format
                ));
            }
            (Entry::Begin(_), false) => return Err(format!("line {number} begins a second run")),
            (_, true) => return Err("its beginning is missing".into()),
            (_, false) => {}
        }
        entries.push(entry);
        Ok(())
    })?;
    if entries.is_empty() { Err(BundleError::evidence(path, "it is empty")) } else { Ok(entries) }
}

/// Is there a number in a line of JSON that no room writes? Sums and differences of the others stay
/// far from what 64 bits hold. The digits of a fraction make nothing large: a rate of a third has
/// seventeen.
fn has_large_number(line: &str) -> bool {
    let (mut quoted, mut escaped, mut fraction, mut digits) = (false, false, false, 0);
    line.bytes().any(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            _ => {}
        }
        let digit = byte.is_ascii_digit() && !quoted;
        fraction = if digit { fraction } else { byte == b'.' && digits > 0 };
        digits = if digit { digits + 1 } else { 0 };
        digits > MOST_DIGITS && !fraction
    })
}

/// What happened, and how many lines are of a kind that this version does not know.
///
/// # Errors
/// When the file cannot be read.
pub fn events(path: &Path) -> Result<(Vec<Event>, usize), BundleError> {
    let (mut events, mut unknown) = (Vec::new(), 0);
    lines(path, |_, line| {
        match serde_json::from_str(line) {
            Ok(event) => events.push(event),
            Err(_) if line.trim().is_empty() => {}
            Err(_) => unknown += 1,
        }
        Ok(())
    })?;
    Ok((events, unknown))
}

/// The ledger, as it was at `until`: a later drill's messages say nothing about an earlier one.
///
/// # Errors
/// When a line is damaged or cut short.
pub fn ledger(path: &Path, until: Option<UnixMs>) -> Result<Ledger, BundleError> {
    let mut replayer = Replayer::until(until);
    lines(path, |_, line| replayer.line(line).map_err(|error| error.to_string()))?;
    match replayer.finish() {
        Ok((_, read)) if read.torn_tail => {
            Err(BundleError::evidence(path, "its last line is cut short"))
        }
        Ok((ledger, _)) => Ok(ledger),
        Err(error) => Err(BundleError::evidence(path, error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::{bad_path, events, has_large_number, ledger};

    #[test]
    fn a_number_that_no_room_writes_is_seen_and_a_rate_of_a_third_is_none() {
        for large in ["{\"n\":12345678901234567}", "[12345678901234567.5]", "[1,99999999999999999]"]
        {
            assert!(has_large_number(large), "{large}");
        }
        let third = serde_json::to_string(&[100.0 / 3.0, 1.0 / 3.0, 2.0]).unwrap();
        assert!(third.contains("33.333333333333336"), "{third}");
        for fine in [third.as_str(), "[1792000000000000]", "{\"x\":\"12345678901234567890\"}"] {
            assert!(!has_large_number(fine), "{fine}");
        }
    }

    #[test]
    fn lines_that_are_no_events_are_counted() {
        let event =
            r#"{"id":1,"at_ms":5,"actor":{"who":"a","via":"room"},"event":"mark","text":"x"}"#;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        std::fs::write(&path, format!("{event}\n{{\"at_ms\":1}}\n\n{event}\n")).unwrap();
        let (events, unknown) = events(&path).unwrap();
        assert_eq!((events.len(), unknown), (2, 1));
    }

    /// A drill that was over, with more written after it, lost nothing with the ledger's end.
    #[test]
    fn a_ledgers_damage_counts_for_what_was_not_over_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        let lines = [
            r#"{"k":"run","run":"k3f9q2","region":"east","at":1}"#,
            r#"{"k":"intend","p":1,"n":1,"c":5,"at":5}"#,
            r#"{"k":"cut-short","after":2,"lost":80,"at":5}"#,
            r#"{"k":"intend","p":1001,"n":1,"c":5,"at":90}"#,
        ];
        std::fs::write(&path, lines.map(|line| line.to_owned() + "\n").concat()).unwrap();
        let damage = |until| ledger(&path, until).unwrap().damage().cloned();
        assert!(damage(None).is_some() && damage(Some(50)).is_some() && damage(Some(5)).is_some());
        assert_eq!(damage(Some(4)), None);
    }

    #[test]
    fn paths_stay_inside() {
        assert_eq!(bad_path("runs/1-cut/drill.jsonl"), None);
        for bad in ["", "/etc/passwd", "../x", "runs/../../x", "a//b", "./a", "a/.", "a\\b", "a\nb"]
        {
            assert!(bad_path(bad).is_some(), "{bad:?}");
        }
    }
}
