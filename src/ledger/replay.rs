//! A ledger from the lines of a file.

use super::{Ledger, chain::Chain, message::RunId, record::Record};
use crate::region::UnixMs;

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Whole lines, the empty ones included.
    pub lines: u64,
    /// Bytes of them, as they were handed in. With their line ends included, this is where the
    /// next record belongs in the file.
    pub bytes: u64,
    /// When the last of them was written.
    pub last_at: UnixMs,
    /// The last line was cut short: whoever wrote it was killed while doing so. Its record is not
    /// part of the ledger (and nothing was done that depends on it, because records that matter
    /// are written first).
    pub torn_tail: bool,
    /// The digest of the whole lines, for the next one.
    pub chain: Chain,
}

/// Why lines are not a ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the ledger {why}")]
pub struct LedgerError {
    /// Which line, from 1.
    pub line: u64,
    /// What is wrong with it, as the end of a sentence.
    pub why: String,
}

/// Takes lines one by one, so that a file need not be held in memory.
#[derive(Debug, Default)]
pub struct Replayer {
    ledger: Option<Ledger>,
    read: Replay,
    /// Records that are later are checked, but not applied.
    until: Option<UnixMs>,
    /// A line that could not be read, and has no end: forgiven if it is the last.
    doubt: Option<LedgerError>,
}

impl Replayer {
    /// Takes only records up to a moment into the ledger: later ones say nothing about what was
    /// over before.
    #[must_use]
    pub fn until(until: Option<UnixMs>) -> Self {
        Self { until, ..Self::default() }
    }

    /// A line, with or without its line end. With it the line is whole: it can be damaged then,
    /// but not torn.
    ///
    /// # Errors
    /// When this line, or the one before it, is damaged.
    pub fn line(&mut self, line: &str) -> Result<(), LedgerError> {
        if let Some(error) = self.doubt.take() {
            return Err(error);
        }
        let number = self.read.lines + 1;
        let wrong = |why: String| LedgerError { line: number, why };
        let text = line.strip_suffix('\n').unwrap_or(line);
        let record = match serde_json::from_str::<Record>(text) {
            _ if text.trim().is_empty() => None,
            Ok(record) => Some(record),
            Err(error) => {
                let error = wrong(format!("is damaged: {error}"));
                if line.ends_with('\n') {
                    return Err(error);
                }
                self.doubt = Some(error);
                return Ok(());
            }
        };
        self.read.chain.follow(text.as_bytes()).map_err(|broken| wrong(broken.to_string()))?;
        match (record, &mut self.ledger) {
            (Some(Record::Run { run, region, at }), None) => {
                self.read.last_at = at;
                let run: RunId =
                    run.parse().map_err(|error| wrong(format!("begins no run: {error}")))?;
                self.ledger = Some(Ledger::new(run, region));
            }
            (Some(_), None) => {
                return Err(wrong(
                    "does not say which run it is of: its beginning is missing".into(),
                ));
            }
            (Some(record), Some(ledger)) if self.until.is_none_or(|until| record.at() <= until) => {
                if let Some(objection) = ledger.objection(&record) {
                    return Err(wrong(objection.to_string()));
                }
                self.read.last_at = record.at();
                ledger.apply(&record);
            }
            _ => {}
        }
        self.read.lines = number;
        self.read.bytes += line.len() as u64;
        Ok(())
    }

    /// No more lines.
    ///
    /// # Errors
    /// When there was not one whole line.
    pub fn finish(self) -> Result<(Ledger, Replay), LedgerError> {
        let torn_tail = self.doubt.is_some();
        match self.ledger {
            Some(ledger) => Ok((ledger, Replay { torn_tail, ..self.read })),
            None => Err(LedgerError {
                line: 1,
                why: "does not say which run it is of: nothing was written".into(),
            }),
        }
    }
}

impl Ledger {
    /// Rebuilds a ledger from the lines of its file. A last line that was cut short is tolerated
    /// and reported.
    ///
    /// # Errors
    /// When a line that is not the last is damaged, or the run's line is missing.
    pub fn replay<L: AsRef<str>>(
        lines: impl IntoIterator<Item = L>,
    ) -> Result<(Self, Replay), LedgerError> {
        let mut replayer = Replayer::default();
        for line in lines {
            replayer.line(line.as_ref())?;
        }
        replayer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = r#"{"k":"run","run":"k3f9q2","region":"east","at":1}"#;
    const INTEND: &str = r#"{"k":"intend","p":1,"n":1,"c":5,"at":2}"#;
    const ACKED: &str = r#"{"k":"acked","p":1,"n":1,"c":5,"s":1,"d":"zone-a","at":3}"#;

    #[test]
    fn a_file_becomes_a_ledger() {
        let text = [RUN, INTEND, ACKED].map(|line| format!("{line}\n")).concat();
        let (ledger, read) = Ledger::replay(text.split_inclusive('\n')).unwrap();
        assert_eq!((ledger.run().as_str(), ledger.region()), ("k3f9q2", "east"));
        let bytes = text.len() as u64;
        assert_eq!(
            read,
            Replay { lines: 3, bytes, last_at: 3, torn_tail: false, chain: read.chain }
        );
        assert_eq!(ledger.place_of(1, 5), Some(5));
        assert_eq!(ledger.acked_by()["zone-a"], 5);
        assert_eq!((ledger.last_producer(), ledger.last_number()), (1, Some(5)));
    }

    #[test]
    fn a_torn_tail_is_forgiven_at_any_byte() {
        let whole = format!("{RUN}\n{INTEND}\n");
        for cut in 1..ACKED.len() {
            let text = format!("{whole}{}", &ACKED[..cut]);
            let (ledger, read) = Ledger::replay(text.split_inclusive('\n')).unwrap();
            let bytes = whole.len() as u64;
            assert_eq!((read.lines, read.bytes, read.last_at), (2, bytes, 2));
            assert!(read.torn_tail);
            assert_eq!(ledger.place_of(1, 1), None);
        }
    }

    #[test]
    fn a_last_line_that_is_whole_is_not_torn() {
        let text = format!("{RUN}\n{INTEND}\n{}\n", ACKED.replace("acked", "axked"));
        let error = Ledger::replay(text.split_inclusive('\n')).unwrap_err();
        assert_eq!(error.line, 3);
    }

    #[test]
    fn damage_in_the_middle_is_named() {
        let error = Ledger::replay([RUN, &INTEND[..20], ACKED]).unwrap_err();
        assert_eq!(error.line, 2);
        assert!(error.to_string().starts_with("line 2 of the ledger is damaged: "), "{error}");
    }

    #[test]
    fn the_run_comes_first_and_stays() {
        assert_eq!(Ledger::replay([INTEND]).unwrap_err().line, 1);
        assert_eq!(Ledger::replay([&RUN[..9]]).unwrap_err().line, 1);
        assert_eq!(Ledger::replay::<&str>([]).unwrap_err().line, 1);
        let other = RUN.replace("k3f9q2", "k3f9q3");
        assert_eq!(Ledger::replay([RUN, RUN, &other]).unwrap_err().line, 3);
    }
}
