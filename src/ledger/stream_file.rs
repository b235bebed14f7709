//! What was found on a stream, as lines of a file: compact, and refused as a whole if a byte of it
//! is not as it was written.
//!
//! ```text
//! zonedrill-stream 1 ZONE RUN FIRST LAST      ends `-` when nothing was read
//! b INDEX DIGEST MESSAGES                     a block of the fingerprint
//! p PRODUCER                                  the lines `r` and `m` after it are this producer's
//! r NUMBERS SEQUENCES COUNT [TIMES]           a run: gaps to the one before, its length
//! m FIRST COUNT                               numbers that were found at a second sequence
//! c, f, o, s FIRST COUNT                      sequences: corrupt, foreign, of these no drill
//!                                             messages, second
//! i FIRST COUNT                               sequences of messages whose id stands before
//! d INDEX DIGEST MESSAGES                     a block of the fingerprint without these
//! l LAST                                      the last sequence without these
//! end LINES CRC32                             of all lines before
//! ```
//!
//! Long runs cost next to nothing, producers that alternate regularly as well (`TIMES`), and a
//! message that follows no pattern about eight bytes.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::io::{self, BufRead, Write};

use self::{read::Reader, write::Lines};
use super::audit::StreamAudit;

const MAGIC: &str = "zonedrill-stream";
const FORMAT: &str = "1";
/// No line of ours is longer.
const LONGEST_LINE: u64 = 200;

/// Why a file was refused.
#[derive(Debug, thiserror::Error)]
pub enum StreamFileError {
    /// It could not be read.
    #[error("the stream's file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Not a file of this kind, or of another version.
    #[error("line {line} of the stream's file {why}")]
    Line {
        line: u64,
        /// What is wrong with it, as the end of a sentence.
        why: String,
    },
    /// Its end is missing.
    #[error("the stream's file is cut short after {lines} lines: its last line is missing")]
    Short {
        /// Whole lines there are.
        lines: u64,
    },
    /// Its checksum does not fit.
    #[error("the stream's file is not as it was written: its checksum does not fit")]
    Checksum,
}

impl StreamAudit {
    /// Writes what was found. [`Self::read_lines`] is the inverse.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_lines(&self, to: impl Write) -> io::Result<()> {
        let mut lines = Lines { to, crc: crc32fast::Hasher::new(), count: 0 };
        let print = self.fingerprint();
        let ends = match print.first() {
            Some(first) => format!("{first} {}", print.last()),
            None => "- -".into(),
        };
        lines.line(&format!("{MAGIC} {FORMAT} {} {} {ends}", self.zone, self.run))?;
        for (index, digest, messages) in print.blocks() {
            lines.line(&format!("b {index} {digest:016x} {messages}"))?;
        }
        for (id, held) in &self.producers {
            lines.line(&format!("p {id}"))?;
            lines.held(held)?;
        }
        lines.set("c", &self.corrupt)?;
        lines.set("f", &self.foreign)?;
        lines.set("o", &self.plain)?;
        lines.set("s", &self.second)?;
        if let Some(once) = &self.once {
            lines.set("i", &self.repeated)?;
            for (index, digest, messages) in once.blocks() {
                lines.line(&format!("d {index} {digest:016x} {messages}"))?;
            }
            lines.line(&format!("l {}", once.last()))?;
        }
        let (count, crc) = (lines.count, lines.crc.clone().finalize());
        lines.line(&format!("end {count} {crc:08x}"))?;
        lines.to.flush()
    }

    /// Reads what [`Self::write_lines`] wrote.
    ///
    /// # Errors
    /// When anything in it is not as it was written.
    pub fn read_lines(mut from: impl BufRead) -> Result<Self, StreamFileError> {
        let mut reader = Reader::default();
        let mut crc = crc32fast::Hasher::new();
        let mut text = String::new();
        let mut lines = 0;
        loop {
            text.clear();
            let read = match io::Read::take(&mut from, LONGEST_LINE).read_line(&mut text) {
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(wrong(lines + 1, "is not text"));
                }
                read => read?,
            };
            if !text.ends_with('\n') {
                let long = read as u64 == LONGEST_LINE;
                return Err(if long {
                    wrong(lines + 1, "is too long")
                } else {
                    StreamFileError::Short { lines }
                });
            }
            let line = &text[..text.len() - 1];
            if let Some(rest) = line.strip_prefix("end ") {
                if rest != format!("{lines} {:08x}", crc.finalize()) {
                    return Err(StreamFileError::Checksum);
                }
                if !from.fill_buf()?.is_empty() {
                    return Err(wrong(lines + 2, "comes after the end"));
                }
                return reader.finish().map_err(|why| wrong(lines + 1, why));
            }
            crc.update(text.as_bytes());
            lines += 1;
            reader.line(line).map_err(|why| wrong(lines, why))?;
        }
    }
}

fn wrong(line: u64, why: impl Into<String>) -> StreamFileError {
    StreamFileError::Line { line, why: why.into() }
}
