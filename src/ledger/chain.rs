//! The running digest of a ledger: each line ends with a few digits that all lines before it
//! determine, so that a line that was altered, removed or inserted is noticed, and where.
//!
//! ```text
//! {"k":"intend","p":1,"n":1,"c":5,"at":2,"h":"9f2c71e0"}
//! ```
//!
//! It is no signature: whoever alters a line can compute all digests after it anew. Ledgers that
//! were written before there were digests have none, and stay readable.

use std::fmt;

use super::fingerprint::hash;

/// What stands before the digits, and how many they are.
const KEY: &[u8] = br#","h":""#;
const DIGITS: usize = 8;
/// What stands after them.
const END: &[u8] = br#""}"#;
const TAIL: usize = KEY.len() + DIGITS + END.len();

/// The digest of all lines so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    state: u64,
    /// A line had a digest: every later one must have one.
    begun: bool,
}

/// Why a line cannot be the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// It has no digest, and lines before it have.
    Missing,
    /// Its digest is not the one that the lines before it give.
    Different,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "has no running digest, though earlier lines have one: it was altered or inserted",
            Self::Different => {
                "does not fit its running digest: a line was altered, removed or inserted here or just before"
            }
        })
    }
}

impl Chain {
    /// Ends a line with its digest. `line` holds one JSON object, without a line end, from `start`.
    pub fn seal(&mut self, line: &mut Vec<u8>, start: usize) {
        line.pop();
        self.state = self.after(&line[start..]);
        self.begun = true;
        line.extend_from_slice(KEY);
        line.extend_from_slice(&self.digits());
        line.extend_from_slice(END);
    }

    /// Takes the next line, without its line end.
    ///
    /// # Errors
    /// When it cannot follow the lines before it.
    pub fn follow(&mut self, line: &[u8]) -> Result<(), Break> {
        let (body, digits) = split(line);
        self.state = self.after(body);
        match digits {
            Some(digits) if digits == self.digits() => self.begun = true,
            Some(_) => return Err(Break::Different),
            None if self.begun => return Err(Break::Missing),
            None => {}
        }
        Ok(())
    }

    fn after(self, body: &[u8]) -> u64 {
        hash(&[&self.state.to_le_bytes(), body])
    }

    fn digits(self) -> [u8; DIGITS] {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        std::array::from_fn(|i| HEX[(self.state >> (60 - 4 * i) & 15) as usize])
    }
}

/// A line without its end, and the digits of its digest if it has one.
fn split(line: &[u8]) -> (&[u8], Option<&[u8]>) {
    if let Some((body, tail)) = line.len().checked_sub(TAIL).map(|at| line.split_at(at))
        && tail.starts_with(KEY)
        && tail.ends_with(END)
    {
        return (body, Some(&tail[KEY.len()..KEY.len() + DIGITS]));
    }
    (line.strip_suffix(b"}").unwrap_or(line), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::record::Record;

    fn lines(count: u64) -> Vec<Vec<u8>> {
        let mut chain = Chain::default();
        let records = (1..=count).map(|n| Record::Intend { p: 1, n, c: 1, at: n });
        records
            .map(|record| {
                let mut line = serde_json::to_vec(&record).unwrap();
                chain.seal(&mut line, 0);
                line
            })
            .collect()
    }

    fn first_break(lines: &[Vec<u8>]) -> Option<(usize, Break)> {
        let mut chain = Chain::default();
        let mut follows = lines.iter().map(|line| chain.follow(line)).enumerate();
        follows.find_map(|(at, followed)| Some((at, followed.err()?)))
    }

    #[test]
    fn what_was_written_follows() {
        let lines = lines(50);
        assert_eq!(first_break(&lines), None);
        let record: Record = serde_json::from_slice(&lines[6]).unwrap();
        assert_eq!(record, Record::Intend { p: 1, n: 7, c: 1, at: 7 });
    }

    #[test]
    fn any_change_is_noticed_where_it_is() {
        let whole = lines(50);
        let mut removed = whole.clone();
        removed.remove(20);
        assert_eq!(first_break(&removed), Some((20, Break::Different)));
        let mut inserted = whole.clone();
        inserted.insert(20, whole[3].clone());
        assert_eq!(first_break(&inserted), Some((20, Break::Different)));
        let mut swapped = whole.clone();
        swapped.swap(20, 21);
        assert_eq!(first_break(&swapped), Some((20, Break::Different)));
        let mut bare = whole.clone();
        bare[20] = br#"{"k":"intend","p":1,"n":21,"c":1,"at":21}"#.to_vec();
        assert_eq!(first_break(&bare), Some((20, Break::Missing)));
        for at in 0..whole[20].len() {
            let mut altered = whole.clone();
            altered[20][at] ^= 1;
            assert_eq!(first_break(&altered).map(|(line, _)| line), Some(20), "byte {at}");
        }
    }

    #[test]
    fn lines_from_before_there_were_digests_are_counted_in() {
        let old: Vec<Vec<u8>> =
            [r#"{"k":"run"}"#, r#"{"k":"intend"}"#].map(|line| line.as_bytes().to_vec()).into();
        let mut chain = Chain::default();
        for line in &old {
            chain.follow(line).unwrap();
        }
        let mut line = br#"{"k":"acked"}"#.to_vec();
        chain.seal(&mut line, 0);
        let all = [old, vec![line]].concat();
        assert_eq!(first_break(&all), None);
        let mut altered = all.clone();
        altered[0] = br#"{"k":"ruin"}"#.to_vec();
        assert_eq!(first_break(&altered), Some((2, Break::Different)));
    }
}
