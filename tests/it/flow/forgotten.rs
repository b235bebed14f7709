//! Messages whose answers never came, and a stream that forgets their ids.

use std::time::Duration;

use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;
use zonedrill::{
    ledger::record::Record,
    nats::producer::{Ended, Job, JobProgress, Producer},
};

use crate::support::flow::{Kept, Servers, range, run_id, until};

/// A message may be stored although its answer never came: once the stream may have forgotten its id,
/// it is not sent again.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_again_after_the_streams_duplicate_window() {
    let servers = Servers::start(1);
    let client = servers.client().await;
    let mut stream = servers.stream(&client, &[]).await;
    let (evidence, kept) = Kept::keeper();
    let producer = Producer::new(client.clone(), run_id(), evidence);
    let (progress, mut told) = watch::channel(JobProgress::default());
    let remembered = Duration::from_secs(10);
    let job = Job { producer: 1, produce: range(1, 1000, 5), first_number: 1, remembered };
    let working = tokio::spawn(async move {
        producer.run(job, progress, CancellationToken::new()).await.unwrap()
    });
    timeout(Duration::from_secs(60), told.wait_for(|told| told.acked > 20)).await.unwrap().unwrap();
    servers.signal(0, rustix::process::Signal::STOP);
    let report = timeout(Duration::from_secs(60), working).await;
    servers.signal(0, rustix::process::Signal::CONT);
    let report = report.expect("it gives up").unwrap();
    assert_eq!(report.ended, Ended::Forgotten);
    let unknown: u64 = report.unknown.iter().map(|(_, count)| count).sum();
    assert!(unknown > 0 && unknown == report.progress.unknown, "{report:?}");
    assert_eq!(report.progress.acked + unknown, report.progress.sent);
    // Announced first, within a second of being sent; never sent again later than a quarter of the
    // window before its end.
    let records = kept.all();
    let first = records.iter().find_map(|one| match one {
        Record::Unknown { at, .. } => Some(*at),
        _ => None,
    });
    let last = records.iter().filter_map(|one| match one {
        Record::Resent { at, .. } => Some(*at),
        _ => None,
    });
    let (first, last) = (first.unwrap(), last.max());
    assert!(last.is_none_or(|last| last < first + 6_000), "{first} {last:?}");
    // What was sent is stored once, answered or not.
    until("the server goes on", 60, async || {
        stream.info().await.is_ok_and(|info| info.state.messages >= report.progress.acked)
    })
    .await;
}
