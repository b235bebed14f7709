//! The ledger writer at work: producers that are gone, and questions that crash.

use std::path::Path;

use super::*;

fn home(folder: &Path) -> Home {
    let home = Home { region: "test".into(), folder: folder.to_owned() };
    home.create().unwrap();
    home
}

async fn totals(writer: &LedgerWriter) -> Totals {
    writer.ledger_query().ask(Ledger::totals).await.unwrap()
}

async fn close(writer: LedgerWriter) {
    tokio::task::spawn_blocking(move || writer.close()).await.unwrap();
}

fn intend(p: u32, n: u64, c: u64) -> Record {
    Record::Intend { p, n, c, at: 7 }
}

fn acked(p: u32, n: u64, c: u64) -> Record {
    Record::Acked { p, n, c, s: n, d: "zone-a".into(), dup: false, at: 7 }
}

fn lines(home: &Home) -> usize {
    std::fs::read_to_string(home.ledger()).unwrap().lines().count()
}

#[tokio::test]
async fn what_a_gone_producer_left_open_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());
    let writer = LedgerWriter::open(&home, 1).unwrap();
    writer.evidence.write(vec![intend(1, 1, 100), acked(1, 1, 60)]).await.unwrap();
    writer.evidence.write(vec![intend(2, 101, 10)]).await.unwrap();
    // Somebody is at it, so far.
    let before = totals(&writer).await;
    assert_eq!((before.unknown, before.in_flight), (0, 50));
    writer.evidence.gone(1).await;
    let after = totals(&writer).await;
    assert_eq!((after.unknown, after.in_flight), (40, 10));
    // Who left nothing open has nothing written.
    let written = lines(&home);
    writer.evidence.gone(1).await;
    writer.evidence.gone(9).await;
    assert_eq!(lines(&home), written);
    close(writer).await;

    // Whoever was at it when the room ended is gone with it.
    let writer = LedgerWriter::open(&home, 2).unwrap();
    let figures = writer.figures.clone().wait_for(|told| told.totals.unknown == 50).await.is_ok();
    assert!(figures);
    let found = totals(&writer).await;
    assert_eq!((found.unknown, found.in_flight, found.acked), (50, 0, 60));
    close(writer).await;
    let written = lines(&home);
    let writer = LedgerWriter::open(&home, 3).unwrap();
    assert_eq!(totals(&writer).await.unknown, 50);
    close(writer).await;
    assert_eq!(lines(&home), written, "it is written once");
}

#[tokio::test]
async fn a_question_that_crashes_takes_nobody_along() {
    let folder = tempfile::tempdir().unwrap();
    let writer = LedgerWriter::open(&home(folder.path()), 1).unwrap();
    let crashed = writer.ledger_query().ask(|_| -> u64 { panic!("a law that cannot be") }).await;
    assert_eq!(crashed, None);
    writer.evidence.write(vec![intend(1, 1, 5), acked(1, 1, 5)]).await.unwrap();
    assert_eq!(totals(&writer).await.acked, 5);
}

/// A ledger of some messages, and what was done to its file while the room ran.
async fn meddled(with: impl FnOnce(&Home)) -> (LedgerWriter, Home, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());
    let writer = LedgerWriter::open(&home, 1).unwrap();
    for n in 1..=20 {
        writer.evidence.write(vec![intend(1, n, 1), acked(1, n, 1)]).await.unwrap();
    }
    assert_eq!(writer.ledger_query().inspect().await, None);
    with(&home);
    (writer, home, folder)
}

/// Alters a byte of the seventh line, where it is.
fn alter(home: &Home) {
    let text = std::fs::read_to_string(home.ledger()).unwrap();
    let at: usize = text.lines().take(6).map(|line| line.len() + 1).sum();
    let file = OpenOptions::new().write(true).open(home.ledger()).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"{\"K", at as u64).unwrap();
}

#[tokio::test]
async fn whatever_is_done_to_the_file_under_a_running_room_is_noticed_at_once() {
    type Meddle = fn(&Home);
    let without_line = |home: &Home, gone: usize| {
        let text = std::fs::read_to_string(home.ledger()).unwrap();
        let lines = text.lines().enumerate().filter(|(line, _)| *line != gone);
        lines.map(|(_, line)| line.to_owned() + "\n").collect::<String>()
    };
    let cases: [(Meddle, &str); 6] = [
        (|home| std::fs::remove_file(home.ledger()).unwrap(), "was removed while the room ran"),
        (
            |home| {
                std::fs::copy(home.ledger(), home.folder.join("copy")).unwrap();
                std::fs::rename(home.folder.join("copy"), home.ledger()).unwrap();
            },
            "was replaced by another file",
        ),
        (
            |home| {
                let file = OpenOptions::new().write(true).open(home.ledger()).unwrap();
                file.set_len(100).unwrap();
            },
            "was truncated while the room ran",
        ),
        (
            |home| {
                let mut file = OpenOptions::new().append(true).open(home.ledger()).unwrap();
                std::io::Write::write_all(&mut file, b"{}\n").unwrap();
            },
            "was written to by somebody else while the room ran: 3 bytes more",
        ),
        (alter, "was altered while the room ran, first at line 7"),
        (
            |home| {
                let text = std::fs::read_to_string(home.ledger()).unwrap();
                let other = text.replacen("\"n\":3,", "\"n\":4,", 1);
                std::fs::write(home.ledger(), other).unwrap();
            },
            "was altered while the room ran, first at line 6",
        ),
    ];
    for (meddle, said) in cases {
        let (writer, home, _folder) = meddled(meddle).await;
        // By itself, without anybody asking.
        let mut figures = writer.figures.clone();
        let told = figures.wait_for(|told| told.damage.is_some());
        let told = tokio::time::timeout(Duration::from_secs(5), told).await.expect(said).unwrap();
        let damage = told.damage.clone().unwrap().to_string();
        assert!(damage.contains(said), "{damage}");
        drop(told);
        assert!(writer.ledger_query().ask(|ledger| ledger.damage().is_some()).await.unwrap());
        close(writer).await;
        // The next room knows as well, unless the same lines stand in another file.
        let next = LedgerWriter::open(&home, 2);
        let knows = next.as_ref().map_or(true, |next| next.damage.is_some());
        assert!(knows || said.contains("replaced"), "{said}");
    }
    // What the note of the length says as well is noticed by the digest.
    let (writer, home, _folder) = meddled(|_| {}).await;
    close(writer).await;
    let text = without_line(&home, 9);
    std::fs::write(home.ledger(), &text).unwrap();
    std::fs::write(home.ledger_length(), format!("{}\n", text.len())).unwrap();
    let error = LedgerWriter::open(&home, 2).err().unwrap().to_string();
    assert!(error.contains("line 10 of the ledger does not fit its running digest"), "{error}");
}

#[tokio::test]
async fn an_alteration_between_two_lines_of_ours_is_noticed() {
    let (writer, home, _folder) = meddled(|_| {}).await;
    // The clock of files has steps of some milliseconds.
    tokio::time::sleep(Duration::from_millis(30)).await;
    alter(&home);
    writer.evidence.write(vec![intend(1, 21, 1)]).await.unwrap();
    let told = writer.figures.clone();
    let told = tokio::time::timeout(Duration::from_secs(5), async move {
        let mut told = told;
        told.wait_for(|told| told.damage.is_some()).await.map(|told| told.damage.clone())
    });
    let damage = told.await.expect("noticed").unwrap().unwrap();
    assert_eq!(damage, Damage::Altered { line: Some(7) });
}

#[tokio::test]
async fn a_ledger_from_before_there_were_digests_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());
    let writer = LedgerWriter::open(&home, 1).unwrap();
    writer.evidence.write(vec![intend(1, 1, 5), acked(1, 1, 5)]).await.unwrap();
    close(writer).await;
    let text = std::fs::read_to_string(home.ledger()).unwrap();
    let bare = |line: &str| line[..line.len() - r#","h":"00000000"}"#.len()].to_owned() + "}\n";
    let old: String = text.lines().map(bare).collect();
    std::fs::write(home.ledger(), &old).unwrap();
    std::fs::write(home.ledger_length(), format!("{}\n", old.len())).unwrap();

    let writer = LedgerWriter::open(&home, 2).unwrap();
    assert_eq!((writer.damage.as_ref(), totals(&writer).await.acked), (None, 5));
    writer.evidence.write(vec![intend(1, 6, 5), acked(1, 6, 5)]).await.unwrap();
    assert_eq!(writer.ledger_query().inspect().await, None);
    close(writer).await;
    let writer = LedgerWriter::open(&home, 3).unwrap();
    assert_eq!((writer.damage.as_ref(), totals(&writer).await.acked), (None, 10));
}
