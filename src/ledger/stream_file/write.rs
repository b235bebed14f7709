//! Lines on their way into a file: runs and sets, and the checksum of all of it.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use crate::ledger::{audit::Held, set::NumberSet};

/// Writes lines and keeps their checksum.
pub(super) struct Lines<W> {
    pub(super) to: W,
    pub(super) crc: crc32fast::Hasher,
    pub(super) count: u64,
}

impl<W: Write> Lines<W> {
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        self.to.write_all(text.as_bytes())?;
        self.to.write_all(b"\n")?;
        self.crc.update(text.as_bytes());
        self.crc.update(b"\n");
        self.count += 1;
        Ok(())
    }

    pub(super) fn set(&mut self, word: &str, set: &NumberSet) -> io::Result<()> {
        set.runs().try_for_each(|(first, count)| self.line(&format!("{word} {first} {count}")))
    }

    pub(super) fn held(&mut self, held: &Held) -> io::Result<()> {
        // A chunk's end is no run's end.
        let mut joined: Option<(u64, u64, u64)> = None;
        let mut runs = Runs::default();
        for (number, seq, count) in held.places.runs() {
            match &mut joined {
                Some((n, s, c)) if *n + *c == number && *s + *c == seq => *c += count,
                _ => {
                    if let Some(run) = joined.replace((number, seq, count)) {
                        runs.push(self, run)?;
                    }
                }
            }
        }
        if let Some(run) = joined {
            runs.push(self, run)?;
        }
        runs.flush(self)?;
        self.set("m", &held.moved)
    }
}

/// Runs as gaps to the one before; equal ones are counted.
#[derive(Default)]
struct Runs {
    /// What follows the run before: (number, sequence).
    next: (u64, u64),
    /// (gap of numbers, gap of sequences, count) and how many times.
    open: Option<((u64, i128, u64), u64)>,
}

impl Runs {
    fn push<W: Write>(
        &mut self,
        lines: &mut Lines<W>,
        (number, seq, count): (u64, u64, u64),
    ) -> io::Result<()> {
        let gaps = (number - self.next.0, i128::from(seq) - i128::from(self.next.1), count);
        self.next = (number.wrapping_add(count), seq.wrapping_add(count));
        match &mut self.open {
            Some((same, times)) if *same == gaps => *times += 1,
            _ => {
                self.flush(lines)?;
                self.open = Some((gaps, 1));
            }
        }
        Ok(())
    }

    fn flush<W: Write>(&mut self, lines: &mut Lines<W>) -> io::Result<()> {
        let Some(((numbers, seqs, count), times)) = self.open.take() else { return Ok(()) };
        let mut text = format!("r {numbers} {seqs} {count}");
        if times > 1 {
            // Writing into a String cannot fail.
            let _ = write!(text, " {times}");
        }
        lines.line(&text)
    }
}
