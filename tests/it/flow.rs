//! Producer, consumers and audit on real servers.

mod forgotten;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::support::flow::{
    Entry, Kept, REMEMBERED, Servers, audit, burst, consume, produce, range, run_id, server_of,
    until,
};
use async_nats::HeaderMap;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use zonedrill::{
    ledger::{
        message::{MESSAGE_ID_HEADER, MessageId, RunId, encode},
        record::Record,
    },
    nats::{
        audit::{Found, read_stream},
        consumer::Control,
        evidence::Evidence,
        producer::{self, Ended, Job, JobProgress, Producer},
    },
    region::topology::DRILL_SUBJECT,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_range_is_stored_exactly_once_on_schedule() {
    let servers = Servers::start(1);
    let client = servers.client().await;
    servers.stream(&client, &[]).await;
    let (evidence, kept) = Kept::keeper();
    let start = Instant::now();
    let report = produce(&client, &evidence, 1, range(1, 100, 10)).end(30).await;
    let took = start.elapsed();
    // How much longer it takes is the machine's matter.
    assert!(took >= Duration::from_millis(990), "{took:?}");
    assert_eq!(report.ended, Ended::Complete);
    assert_eq!((report.progress.acked, report.progress.last_seq, report.not_sent), (100, 100, 0));
    assert_eq!(report.progress.acked_by.as_deref(), Some("zone-a"));
    assert_eq!(kept.acked(), (1..=100).map(|n| (n, n)).collect::<Vec<_>>());
    // Announced first, a second's worth at a time.
    assert!(matches!(kept.all()[0], Record::Intend { p: 1, n: 1, c: 100, .. }));
    let (entries, found) = audit(&client, 100).await;
    assert_eq!(found, Found { messages: 100, holes: vec![] });
    for (entry, number) in entries.iter().zip(1..) {
        let id = MessageId { run: run_id(), producer: 1, number };
        assert_eq!(entry.seq, number);
        assert_eq!(entry.id.as_ref(), Some(&id));
        assert!(entry.subject_fits);
        assert_eq!(entry.decoded.as_ref().unwrap().id, id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_is_kept_and_stop_leaves_nothing_open() {
    let servers = Servers::start(1);
    let client = servers.client().await;
    servers.stream(&client, &[]).await;
    let (evidence, kept) = Kept::keeper();
    let mut producing = produce(&client, &evidence, 1, burst(None, Some("2000/s")));
    let start = Instant::now();
    producing.shows(|progress| progress.acked >= 2000).await;
    let took = start.elapsed();
    assert!(took > Duration::from_millis(800), "{took:?}");
    producing.stop.cancel();
    let report = producing.end(60).await;
    assert_eq!(report.ended, Ended::Stopped);
    assert_eq!((report.progress.failed, report.progress.unknown), (0, 0));
    assert_eq!(report.progress.sent, report.progress.acked);
    // Every number that was announced has its fate.
    let (mut intended, mut settled) = (0, 0);
    for record in kept.all() {
        match record {
            Record::Intend { c, .. } => intended += c,
            Record::Acked { c, .. } | Record::Failed { c, .. } | Record::Withdrawn { c, .. } => {
                settled += c;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(intended, settled);
    assert_eq!(intended, report.progress.sent + report.not_sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_failures_and_no_stream_is_waited_for() {
    let servers = Servers::start(1);
    let client = servers.client().await;
    let (evidence, kept) = Kept::keeper();
    let mut producing = produce(&client, &evidence, 1, range(1, 3, 1));
    // Nobody answers: unknown, and retried.
    producing.shows(|progress| progress.trouble.is_some()).await;
    let mut stream = servers.stream(&client, &[]).await;
    assert_eq!(producing.end(60).await.progress.acked, 3);
    assert!(kept.all().iter().any(|record| matches!(record, Record::Unknown { .. })));
    assert!(kept.all().iter().any(|record| matches!(record, Record::Resent { .. })));
    // Full: refused for certain.
    let mut config = stream.info().await.unwrap().config.clone();
    config.max_messages = 3;
    config.discard = async_nats::jetstream::stream::DiscardPolicy::New;
    async_nats::jetstream::new(client.clone()).update_stream(config).await.unwrap();
    let report = produce(&client, &evidence, 2, range(1, 5, 1)).end(60).await;
    assert_eq!((report.progress.acked, report.progress.failed), (0, 5));
    let refusals: Vec<(String, u64)> = report.refusals.into_iter().collect();
    assert_eq!(refusals, [("maximum messages exceeded (10077)".to_owned(), 5)]);
    assert!(
        kept.all().iter().any(|record| matches!(record, Record::Failed { p: 2, why, .. } if why.contains("maximum messages"))),
        "{:?}",
        kept.all()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_id_was_taken_is_told() {
    let servers = Servers::start(1);
    let client = servers.client().await;
    servers.stream(&client, &[]).await;
    let id = MessageId { run: run_id(), producer: 1, number: 2 };
    let mut headers = HeaderMap::new();
    headers.insert(MESSAGE_ID_HEADER, id.to_string());
    let foreign = async_nats::jetstream::new(client.clone());
    let sent = foreign.publish_with_headers(DRILL_SUBJECT, headers, "mine".into());
    sent.await.unwrap().await.unwrap();
    let (evidence, _kept) = Kept::keeper();
    let report = produce(&client, &evidence, 1, range(1, 3, 1)).end(60).await;
    assert_eq!((report.ids_taken, report.duplicates, report.progress.acked), (1, 1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_loses_and_doubles_nothing() {
    let mut servers = Servers::start(1);
    let client = servers.client().await;
    servers.stream(&client, &[]).await;
    let (evidence, kept) = Kept::keeper();
    let mut producing = produce(&client, &evidence, 1, burst(Some(40_000), None));
    producing.shows(|progress| progress.acked > 5_000).await;
    // Frozen first: what it is sent then has no answer for certain. A kill alone may come when all
    // that was sent is answered.
    servers.signal(0, rustix::process::Signal::STOP);
    let (mut last, mut still) = ((0, 0), 0);
    until("nothing moves, and some messages are open", 60, async || {
        let now = (producing.progress.borrow().sent, producing.progress.borrow().acked);
        still = if now == last { still + 1 } else { 0 };
        last = now;
        still > 20 && now.0 > now.1
    })
    .await;
    servers.kill(0);
    producing.shows(|progress| progress.trouble.is_some()).await;
    servers.launch(0);
    let report = producing.end(60).await;
    assert_eq!(report.ended, Ended::Complete);
    assert_eq!((report.progress.acked, report.progress.unknown), (40_000, 0));
    assert!(report.resent > 0);

    let mut acked = BTreeMap::new();
    for (number, seq) in kept.acked() {
        assert_eq!(acked.insert(number, seq), None, "{number} acknowledged twice");
    }
    let last = *acked.values().max().unwrap();
    let (entries, found) = audit(&client, last).await;
    assert_eq!(found.messages, 40_000);
    let mut seen = BTreeSet::new();
    let mut highest = 0;
    let resent: BTreeSet<u64> = kept
        .all()
        .iter()
        .filter_map(|record| match record {
            Record::Resent { n, .. } => Some(*n),
            _ => None,
        })
        .collect();
    for entry in entries {
        let number = entry.decoded.unwrap().id.number;
        assert!(seen.insert(number), "{number} twice");
        assert_eq!(acked.get(&number), Some(&entry.seq));
        // Only what was sent again may come after higher numbers.
        assert!(number > highest || resent.contains(&number), "{number} after {highest}");
        highest = highest.max(number);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_is_left() {
    let servers = Servers::start(3);
    let client = servers.client().await;
    let mut stream = servers.stream(&client, &["consumer-a"]).await;
    let (evidence, kept) = Kept::keeper();
    let consuming = consume(&client, &evidence, "a");
    let mut producing = produce(&client, &evidence, 1, burst(None, Some("500/s")));
    producing.shows(|progress| progress.acked > 100).await;
    // The one this connection goes to: the first, if that answered in time.
    let connected = server_of(&client);
    servers.signal(connected, rustix::process::Signal::STOP);
    let frozen = Instant::now();
    producing.shows(|progress| progress.trouble.is_some()).await;
    let at = producing.progress.borrow().acked;
    producing.shows(|progress| progress.acked > at + 100).await;
    println!("going on {:?} after the freeze", frozen.elapsed());
    servers.signal(connected, rustix::process::Signal::CONT);
    producing.stop.cancel();
    let report = producing.end(60).await;
    let acked: BTreeSet<u64> = kept.acked().into_iter().map(|(number, _)| number).collect();
    assert_eq!(acked.len() as u64, report.progress.acked);
    until("all consumed", 60, async || {
        let received: BTreeSet<u64> = kept.received("a").iter().map(|(n, ..)| *n).collect();
        acked.is_subset(&received)
    })
    .await;
    consuming.task.stop().await.unwrap();
    let last = stream.info().await.unwrap().state.last_sequence;
    let (entries, _) = audit(&client, last).await;
    let stored: BTreeSet<u64> =
        entries.iter().map(|entry| entry.decoded.as_ref().unwrap().id.number).collect();
    assert_eq!(stored.len(), entries.len(), "doubled");
    assert!(acked.is_subset(&stored), "lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_is_exact() {
    let servers = Servers::start(1);
    let client = servers.client().await;
    let stream = servers.stream(&client, &["consumer-a"]).await;
    let (evidence, kept) = Kept::keeper();
    let consuming = consume(&client, &evidence, "a");
    let producing = produce(&client, &evidence, 1, range(1, 300, 10));
    until("half consumed", 60, async || kept.received("a").len() >= 50).await;
    consuming.control.send_replace(Control { paused: true, ..Control::default() });
    let before = kept.received("a").len();
    let mut report = consuming.report.clone();
    timeout(Duration::from_secs(30), report.wait_for(|report| report.paused))
        .await
        .unwrap()
        .unwrap();
    // Not what it could still have pulled, which is all of them.
    let processed = kept.received("a").len();
    assert!(processed - before <= 50, "{before} {processed}");
    assert_eq!(producing.end(60).await.progress.acked, 300);
    // Nothing moved, and the server knows exactly what is left.
    assert_eq!(kept.received("a").len(), processed);
    let mut consumer: async_nats::jetstream::consumer::PullConsumer =
        stream.get_consumer("consumer-a").await.unwrap();
    let info = consumer.info().await.unwrap();
    assert_eq!((info.num_ack_pending, info.num_pending), (0, 300 - processed as u64));
    assert_eq!(info.num_waiting, 0);

    consuming.control.send_replace(Control { limit: Some(200.0), ..Control::default() });
    let resumed = Instant::now();
    until("the rest at its rate", 60, async || kept.received("a").len() == 300).await;
    let expected = (300 - processed) as f64 / 200.0;
    let took = resumed.elapsed().as_secs_f64();
    assert!(took > expected * 0.7, "{took} for {expected}");
    assert_eq!(kept.received("a"), (1..=300).map(|n| (n, n, 1)).collect::<Vec<_>>());
    consuming.task.stop().await.unwrap();
    until("all acknowledged", 60, async || {
        let info = consumer.info().await.unwrap();
        info.ack_floor.stream_sequence == 300 && info.num_ack_pending == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_acknowledged_comes_again_and_is_counted() {
    let servers = Servers::start(1);
    let client = servers.client().await;
    servers.stream(&client, &["consumer-a"]).await;
    let (evidence, kept) = Kept::keeper();
    produce(&client, &evidence, 1, range(1, 5, 0)).end(60).await;
    // A keeper that never says "written": the consumer dies between evidence and acknowledgement.
    let (mute, mut inbox) = Evidence::channel();
    let doomed = consume(&client, &mute, "a");
    let batch = timeout(Duration::from_secs(60), inbox.recv()).await.unwrap().unwrap();
    assert!(matches!(batch.records[0], Record::Received { n: 1, r: 1, .. }));
    doomed.task.abort();
    drop(doomed);
    let consuming = consume(&client, &evidence, "a");
    until("all received", 60, async || {
        let numbers: BTreeSet<u64> = kept.received("a").iter().map(|(n, ..)| *n).collect();
        numbers.len() == 5
    })
    .await;
    assert!(kept.received("a").contains(&(1, 1, 2)), "{:?}", kept.received("a"));
    let mut report = consuming.report.clone();
    timeout(Duration::from_secs(60), report.wait_for(|report| report.redelivered > 0))
        .await
        .unwrap()
        .unwrap();
    consuming.task.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_messages_are_noticed() {
    let servers = Servers::start(1);
    let client = servers.client().await;
    servers.stream(&client, &["consumer-a"]).await;
    let (evidence, kept) = Kept::keeper();
    let context = async_nats::jetstream::new(client.clone());
    let id = |run: RunId, number| MessageId { run, producer: 1, number };
    let mut damaged = encode(&id(run_id(), 2), 1, 128).to_vec();
    damaged[100] = b'!';
    let payloads = [
        encode(&id(run_id(), 1), 1, 128),
        damaged.into(),
        "hello".into(),
        encode(&id(RunId::from_number(5), 4), 1, 128),
    ];
    for payload in payloads {
        context.publish(DRILL_SUBJECT, payload).await.unwrap().await.unwrap();
    }
    let consuming = consume(&client, &evidence, "a");
    let mut report = consuming.report.clone();
    timeout(Duration::from_secs(60), report.wait_for(|report| report.processed == 4))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((report.borrow().corrupt, report.borrow().foreign), (1, 2));
    consuming.task.stop().await.unwrap();
    assert_eq!(kept.received("a"), [(1, 1, 1)]);
    assert!(kept.all().iter().any(|record| matches!(record, Record::Corrupt { s: 2, .. })));
    for seq in [3, 4] {
        assert!(kept.all().iter().any(|r| matches!(r, Record::Foreign { s, .. } if *s == seq)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_finds_holes_and_strangers() {
    let servers = Servers::start(1);
    let client = servers.client().await;
    let stream = servers.stream(&client, &[]).await;
    let (evidence, _kept) = Kept::keeper();
    produce(&client, &evidence, 1, burst(Some(5000), None)).end(60).await;
    let mut headers = HeaderMap::new();
    headers.insert(MESSAGE_ID_HEADER, "not-ours");
    async_nats::jetstream::new(client.clone())
        .publish_with_headers("EVENTS.REGION.other", headers, "hello".into())
        .await
        .unwrap()
        .await
        .unwrap();
    for seq in [1, 2000, 2001, 5000] {
        stream.delete_message(seq).await.unwrap();
    }
    let mut last_progress = 0;
    let mut entries: Vec<Entry> = Vec::new();
    let found =
        read_stream(&client, 1..=5005, |e| entries.push(e.into()), |seq| last_progress = seq)
            .await
            .unwrap();
    assert_eq!(found.messages, 4997);
    assert_eq!(found.holes, [(1, 1), (2000, 2001), (5000, 5000), (5002, 5005)]);
    assert_eq!(last_progress, 5001);
    assert!(entries.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    let stranger = entries.last().unwrap();
    assert_eq!((stranger.seq, &stranger.id, stranger.subject_fits), (5001, &None, false));
    assert_eq!(stranger.payload, b"hello");
    assert!(stranger.decoded.is_err());
    // A part of it, ending in a hole.
    let found = read_stream(&client, 1999..=2000, |_| {}, |_| {}).await.unwrap();
    assert_eq!(found, Found { messages: 1, holes: vec![(2000, 2000)] });
    stream.purge().await.unwrap();
    let found = read_stream(&client, 1..=5001, |_| {}, |_| {}).await.unwrap();
    assert_eq!(found, Found { messages: 0, holes: vec![(1, 5001)] });
}

/// Two messages in the wrong order are two of those that were asked for, and not one more.
#[tokio::test]
async fn a_swapped_pair_is_part_of_its_burst() {
    let servers = Servers::start(1);
    let client = servers.client().await;
    let mut stream = servers.stream(&client, &[]).await;
    let (evidence, kept) = Kept::keeper();
    let producer = Producer::new(client.clone(), run_id(), evidence);
    producer.put_fault(producer::Fault::Swap);
    let (progress, _told) = watch::channel(JobProgress::default());
    let produce = burst(Some(100), None);
    let job = Job { producer: 1, produce, first_number: 1, remembered: REMEMBERED };
    let report = producer.run(job, progress, CancellationToken::new()).await.unwrap();
    assert_eq!((report.progress.sent, report.progress.acked), (100, 100));
    assert_eq!((report.not_sent, report.ended), (0, Ended::Complete));
    let mut acked = kept.acked();
    acked.sort_unstable();
    assert_eq!(acked[..3], [(1, 2), (2, 1), (3, 3)]);
    assert_eq!((acked.len(), stream.info().await.unwrap().state.messages), (100, 100));
}
