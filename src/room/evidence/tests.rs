//! The keeper at work: producers that are gone, and questions that crash.

use std::path::Path;

use super::*;

fn home(folder: &Path) -> Home {
    let home = Home { region: "test".into(), folder: folder.to_owned() };
    home.create().unwrap();
    home
}

async fn totals(keeper: &Keeper) -> Totals {
    keeper.asker().ask(Ledger::totals).await.unwrap()
}

async fn close(keeper: Keeper) {
    tokio::task::spawn_blocking(move || keeper.close()).await.unwrap();
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
    let keeper = Keeper::open(&home, 1).unwrap();
    keeper.evidence.write(vec![intend(1, 1, 100), acked(1, 1, 60)]).await.unwrap();
    keeper.evidence.write(vec![intend(2, 101, 10)]).await.unwrap();
    // Somebody is at it, so far.
    let before = totals(&keeper).await;
    assert_eq!((before.unknown, before.in_flight), (0, 50));
    keeper.evidence.gone(1).await;
    let after = totals(&keeper).await;
    assert_eq!((after.unknown, after.in_flight), (40, 10));
    // Who left nothing open has nothing written.
    let written = lines(&home);
    keeper.evidence.gone(1).await;
    keeper.evidence.gone(9).await;
    assert_eq!(lines(&home), written);
    close(keeper).await;

    // Whoever was at it when the room ended is gone with it.
    let keeper = Keeper::open(&home, 2).unwrap();
    let figures = keeper.figures.clone().wait_for(|told| told.totals.unknown == 50).await.is_ok();
    assert!(figures);
    let found = totals(&keeper).await;
    assert_eq!((found.unknown, found.in_flight, found.acked), (50, 0, 60));
    close(keeper).await;
    let written = lines(&home);
    let keeper = Keeper::open(&home, 3).unwrap();
    assert_eq!(totals(&keeper).await.unknown, 50);
    close(keeper).await;
    assert_eq!(lines(&home), written, "it is written once");
}

#[tokio::test]
async fn a_question_that_crashes_takes_nobody_along() {
    let folder = tempfile::tempdir().unwrap();
    let keeper = Keeper::open(&home(folder.path()), 1).unwrap();
    let crashed = keeper.asker().ask(|_| -> u64 { panic!("a law that cannot be") }).await;
    assert_eq!(crashed, None);
    keeper.evidence.write(vec![intend(1, 1, 5), acked(1, 1, 5)]).await.unwrap();
    assert_eq!(totals(&keeper).await.acked, 5);
}
