//! A file that only grows, and is put aside when it is too long: so a room that runs for months,
//! or a client that makes it talk, fills no disk.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// A file longer than this is put aside, and the one put aside before goes. In bytes.
pub const LONGEST: u64 = 32 << 20;

/// Puts a file that is longer than `longest` bytes aside, as `NAME.1.EXTENSION`.
///
/// # Errors
/// When it cannot be renamed.
pub fn put_aside(path: &Path, longest: u64) -> io::Result<()> {
    if !std::fs::metadata(path).is_ok_and(|meta| meta.len() > longest) {
        return Ok(());
    }
    let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
    std::fs::rename(path, path.with_extension(format!("1.{extension}")))
}

/// Such a file; a line is to be given in one piece.
#[derive(Debug)]
pub struct BoundedFile {
    path: PathBuf,
    longest: u64,
    file: File,
    bytes: u64,
}

impl BoundedFile {
    /// Goes on with the file at `path`, which only its owner may read.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn append(path: &Path) -> io::Result<Self> {
        Self::up_to(path, LONGEST)
    }

    fn up_to(path: &Path, longest: u64) -> io::Result<Self> {
        put_aside(path, longest)?;
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), longest, file, bytes })
    }

    /// The file as it is open now.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Write for BoundedFile {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.bytes > self.longest {
            *self = Self::up_to(&self.path, self.longest)?;
        }
        let written = self.file.write(piece)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_put_aside_whole_and_only_one_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("room.log");
        let mut log = BoundedFile::up_to(&path, 1_000).unwrap();
        (0..500).for_each(|n| log.write_all(format!("line {n:04}\n").as_bytes()).unwrap());
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        let (aside, newest) = (read(&folder.path().join("room.1.log")), read(&path));
        assert!(aside.len() > 1_000 && aside.len() < 1_100, "{}", aside.len());
        assert!((aside + &newest).ends_with("line 0498\nline 0499\n"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
