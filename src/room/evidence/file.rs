//! The ledger's file: written line by line, each sealed with the running digest, and looked at
//! again and again, because it lies where other people's hands reach it.

use std::{
    fs::{File, Metadata},
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    os::unix::fs::{FileExt, MetadataExt},
    path::PathBuf,
};

use crate::{
    ledger::{chain::Chain, damage::Damage, record::Record, replay::Replay},
    room::home::Home,
};

/// The longest line that is one of ours.
const LONGEST_LINE: u64 = 4 << 20;

/// The file, and what must be in it.
pub(super) struct LedgerFile {
    file: File,
    /// Holds `good`, as text.
    length: File,
    /// Bytes of the file that are whole lines of ours.
    good: u64,
    /// The digest of these lines.
    chain: Chain,
    /// When the file was changed last, as far as that was by us.
    changed: Option<(i64, i64)>,
    /// It was changed by somebody else just before a line of ours.
    suspect: bool,
    /// What somebody else has done to it.
    damage: Option<Damage>,
    home: Home,
    line: Vec<u8>,
}

/// When a file's content, name or mode was changed. It cannot be set back as its time of writing can.
fn changed(meta: &Metadata) -> (i64, i64) {
    (meta.ctime(), meta.ctime_nsec())
}

impl LedgerFile {
    /// The file that was read, and the note of its length.
    pub(super) fn new(file: File, length: File, read: &Replay, home: Home) -> Self {
        let mut opened = Self {
            file,
            length,
            good: read.bytes,
            chain: read.chain,
            changed: None,
            suspect: false,
            damage: None,
            home,
            line: Vec::with_capacity(64 * 1024),
        };
        opened.remember();
        opened
    }

    pub(super) fn path(&self) -> PathBuf {
        self.home.ledger()
    }

    /// Removes a line that was being written when an earlier room was killed.
    pub(super) fn cut_tail(&mut self) -> std::io::Result<()> {
        self.file.set_len(self.good)?;
        self.remember();
        Ok(())
    }

    pub(super) fn write(&mut self, records: &[Record]) -> std::io::Result<()> {
        self.line.clear();
        let mut chain = self.chain;
        for record in records {
            let start = self.line.len();
            serde_json::to_writer(&mut self.line, record)?;
            chain.seal(&mut self.line, start);
            self.line.push(b'\n');
        }
        self.suspect |= self.changed_now() != self.changed;
        let written = self.file.write_all(&self.line);
        if written.is_ok() {
            self.chain = chain;
            self.good += self.line.len() as u64;
        } else {
            // A full disk may have taken half a line; leave none.
            let _ = self.file.set_len(self.good);
        }
        self.remember();
        self.note();
        written
    }

    /// Notes the length beside the file.
    pub(super) fn note(&self) {
        // Without it a later room cannot tell that the end is gone; that is no reason to stop.
        let note = format!("{:<20}\n", self.good);
        if let Err(error) = self.length.write_all_at(note.as_bytes(), 0) {
            tracing::warn!("{}: {error}", self.home.ledger_length().display());
        }
    }

    pub(super) fn sync(&self) {
        let _ = self.file.sync_data();
    }

    fn remember(&mut self) {
        self.changed = self.changed_now();
    }

    fn changed_now(&self) -> Option<(i64, i64)> {
        self.file.metadata().ok().map(|meta| changed(&meta))
    }

    /// Is it still the file that was written? Costs as much as asking for its length; only if it was
    /// changed by somebody else it is read. Returns the damage, if there is any.
    pub(super) fn glance(&mut self) -> Option<&Damage> {
        self.look(false)
    }

    /// The same, and the file is read from its beginning to its end.
    pub(super) fn inspect(&mut self) -> Option<&Damage> {
        self.look(true)
    }

    fn look(&mut self, read: bool) -> Option<&Damage> {
        if self.damage.is_none() {
            self.damage = match self.find(read) {
                Ok(damage) => damage,
                Err(error) if error.kind() == ErrorKind::NotFound => Some(Damage::Removed),
                Err(error) => Some(Damage::Unreadable { why: error.to_string() }),
            };
        }
        self.damage.as_ref()
    }

    fn find(&mut self, read: bool) -> std::io::Result<Option<Damage>> {
        let (here, ours) = (std::fs::symlink_metadata(self.path())?, self.file.metadata()?);
        if (here.ino(), here.dev()) != (ours.ino(), ours.dev()) {
            return Ok(Some(Damage::Replaced));
        }
        if let Some(lost) = self.good.checked_sub(here.len()).filter(|lost| *lost > 0) {
            return Ok(Some(Damage::Truncated { lost }));
        }
        if here.len() > self.good {
            return Ok(Some(Damage::Extended { bytes: here.len() - self.good }));
        }
        if !read && !self.suspect && self.changed == Some(changed(&here)) {
            return Ok(None);
        }
        let damage = self.read()?;
        (self.changed, self.suspect) = (Some(changed(&here)), false);
        Ok(damage)
    }

    /// Reads all lines and follows the digest.
    fn read(&self) -> std::io::Result<Option<Damage>> {
        let mut reader =
            BufReader::with_capacity(1 << 20, File::open(self.path())?.take(self.good));
        let (mut chain, mut line) = (Chain::default(), Vec::new());
        for number in 1.. {
            line.clear();
            if (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let whole = line.pop() == Some(b'\n');
            if !whole || chain.follow(&line).is_err() {
                return Ok(Some(Damage::Altered { line: Some(number) }));
            }
        }
        Ok((chain != self.chain).then_some(Damage::Altered { line: None }))
    }
}
