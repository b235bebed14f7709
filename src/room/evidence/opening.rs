//! What a room finds of the ledger that an earlier one wrote: all of it, all but a line that was
//! being written, or less than had been written.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom},
};

use crate::{
    ledger::{
        Ledger,
        record::Record,
        replay::{Replay, Replayer},
    },
    room::home::Home,
};

/// Opens the note of the ledger's length, and reads it; `None` where nothing was noted.
pub(super) fn note_of_length(home: &Home) -> std::io::Result<(File, Option<u64>)> {
    let path = home.ledger_length();
    let noted = length_noted(home)?;
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    Ok((file, noted))
}

/// How many bytes have been written to the ledger for certain, if that was noted.
fn length_noted(home: &Home) -> std::io::Result<Option<u64>> {
    match std::fs::read_to_string(home.ledger_length()) {
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(error),
    }
}

/// Says what is gone, if the ledger's end is. Without a note of its length, a torn line may be all
/// that is gone, or may not.
pub(super) fn missing_end(read: Replay, noted: Option<u64>) -> Option<Record> {
    let lost = match noted {
        Some(noted) if noted > read.bytes => Some(noted - read.bytes),
        None if read.torn_tail => None,
        _ => return None,
    };
    Some(Record::CutShort { after: read.lines, lost, at: read.last_at })
}

/// Reads a ledger file: the ledger (none in an empty file), and what was read of it.
pub(super) fn load(file: &mut File) -> Result<(Option<Ledger>, Replay), String> {
    file.seek(SeekFrom::Start(0)).map_err(|e| e.to_string())?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut replayer = Replayer::default();
    let (mut line, mut torn, mut any) = (String::new(), false, false);
    loop {
        line.clear();
        let length = reader.read_line(&mut line).map_err(|e| e.to_string())?;
        if length == 0 {
            break;
        }
        any = true;
        // Without its line end a line may be cut short in a way that still reads: never trust it.
        torn = !line.ends_with('\n');
        if !torn {
            replayer.line(&line).map_err(|error| error.to_string())?;
        }
    }
    if !any {
        return Ok((None, Replay::default()));
    }
    let (ledger, read) = replayer.finish().map_err(|error| error.to_string())?;
    Ok((Some(ledger), Replay { torn_tail: torn || read.torn_tail, ..read }))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        ledger::account::Account,
        region::ZoneName,
        room::evidence::{KeeperError, LedgerWriter},
    };

    fn home(folder: &Path) -> Home {
        let home = Home { region: "test".into(), folder: folder.to_owned() };
        home.create().unwrap();
        home
    }

    fn zone() -> ZoneName {
        "a".parse().unwrap()
    }

    /// Ten messages are sent, acknowledged and processed, six lines in all.
    async fn work(writer: &LedgerWriter, p: u32) {
        let at = 7;
        for n in [1, 6] {
            let s = n + u64::from(p - 1) * 10;
            let records = vec![
                Record::Intend { p, n, c: 5, at },
                Record::Acked { p, n, c: 5, s, d: "zone-a".into(), dup: false, at },
                Record::Received { z: zone(), p, n, s, c: 5, r: 1, at },
            ];
            writer.evidence.write(records).await.unwrap();
        }
    }

    /// What the ledger says when everything up to sequence 10 was acknowledged by the consumer.
    async fn account(writer: &LedgerWriter) -> Account {
        writer.ledger_query().ask(|ledger| ledger.account(&zone(), Some(10))).await.unwrap()
    }

    async fn close(writer: LedgerWriter) {
        tokio::task::spawn_blocking(move || writer.close()).await.unwrap();
    }

    /// A ledger of ten messages, whose file `change` alters while no room runs.
    async fn reopened(
        folder: &Path,
        change: impl FnOnce(&Home, &str),
    ) -> Result<LedgerWriter, KeeperError> {
        let home = home(folder);
        let writer = LedgerWriter::open(&home, 1)?;
        work(&writer, 1).await;
        close(writer).await;
        let text = std::fs::read_to_string(home.ledger()).unwrap();
        change(&home, &text);
        LedgerWriter::open(&home, 2)
    }

    /// As bytes are gone from the end, or lines.
    fn without_end(bytes: usize) -> impl FnOnce(&Home, &str) {
        move |home, text| std::fs::write(home.ledger(), &text[..text.len() - bytes]).unwrap()
    }

    #[tokio::test]
    async fn an_untouched_ledger_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let writer = reopened(folder.path(), |_, _| {}).await.unwrap();
        assert_eq!((writer.damage.as_ref(), writer.mended), (None, false));
        assert_eq!((writer.last_producer, writer.last_number), (1, 10));
        let account = account(&writer).await;
        assert_eq!((account.received, account.lost, account.unrecorded), (10, 0, 0));
    }

    #[tokio::test]
    async fn an_end_that_is_gone_is_damage_and_not_a_loss() {
        let line = |home: &Home| {
            let text = std::fs::read_to_string(home.ledger()).unwrap();
            text.lines().last().unwrap().len() + 1
        };
        let folder = tempfile::tempdir().unwrap();
        let whole = reopened(folder.path(), |_, _| {}).await.unwrap();
        close(whole).await;
        let last = line(&home(folder.path()));
        // The last line is that of five messages' processing.
        for gone in [1, 9, last - 1, last] {
            let folder = tempfile::tempdir().unwrap();
            let writer = reopened(folder.path(), without_end(gone)).await.unwrap();
            let damage = writer.damage.clone().unwrap();
            let told = damage.to_string();
            let said = format!("cut short after line 6 ({last} bytes are gone)");
            assert!(told.contains(&said), "{gone}: {damage}");
            let found = account(&writer).await;
            assert_eq!((found.received, found.lost, found.unrecorded), (5, 0, 5), "{gone}");
            assert!(found.first.lost.is_empty());
            assert!(writer.last_producer > 1, "{gone}");
            close(writer).await;

            // It stays damaged, however much is written after it.
            let again = LedgerWriter::open(&home(folder.path()), 3).unwrap();
            assert_eq!(again.damage, Some(damage), "{gone}");
            close(again).await;
        }
    }

    #[tokio::test]
    async fn what_is_passed_over_after_the_damage_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let writer = reopened(folder.path(), without_end(5)).await.unwrap();
        let (p, n, c, at) = (1001, 11, 2, 9);
        let acked = Record::Acked { p, n, c, s: 11, d: "zone-a".into(), dup: false, at };
        writer.evidence.write(vec![Record::Intend { p, n, c, at }, acked]).await.unwrap();
        let account =
            writer.ledger_query().ask(|ledger| ledger.account(&zone(), Some(12))).await.unwrap();
        assert_eq!((account.lost, account.unrecorded), (2, 5));
        assert_eq!(account.first.lost, [11, 12]);
    }

    #[tokio::test]
    async fn a_line_that_was_being_written_is_no_damage() {
        let folder = tempfile::tempdir().unwrap();
        let torn = |home: &Home, text: &str| {
            std::fs::write(home.ledger(), format!("{text}{{\"k\":\"rece")).unwrap();
        };
        let writer = reopened(folder.path(), torn).await.unwrap();
        assert_eq!((writer.damage.as_ref(), writer.mended), (None, true));
        assert_eq!(account(&writer).await.received, 10);
        close(writer).await;
        let again = LedgerWriter::open(&home(folder.path()), 3).unwrap();
        assert_eq!((again.damage.as_ref(), again.mended), (None, false));
    }

    #[tokio::test]
    async fn a_torn_line_of_a_ledger_of_unknown_length_may_be_damage() {
        let folder = tempfile::tempdir().unwrap();
        let torn = |home: &Home, text: &str| {
            std::fs::remove_file(home.ledger_length()).unwrap();
            without_end(5)(home, text);
        };
        let writer = reopened(folder.path(), torn).await.unwrap();
        let damage = writer.damage.clone().unwrap().to_string();
        assert!(damage.contains("line 6 (how much is gone is not known)"), "{damage}");
    }

    #[tokio::test]
    async fn an_emptied_ledger_is_not_begun_anew() {
        for remove in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let emptied = |home: &Home, text: &str| {
                std::fs::write(home.ledger(), "").unwrap();
                if remove {
                    std::fs::remove_file(home.ledger()).unwrap();
                }
                assert!(!text.is_empty());
            };
            let error = reopened(folder.path(), emptied).await.err().unwrap().to_string();
            assert!(error.contains("bytes had been written to it"), "{error}");
            assert!(error.contains("`zonedrill --region test down --purge`"), "{error}");
        }
    }
}
