use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{pump::BUFFER, *};

pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// A server that sends back what it gets, and its address. Ends with the test's runtime.
pub(super) async fn echo() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
                let _ = write.shutdown().await;
            });
        }
    });
    address
}

pub(super) async fn relay() -> (Relay, SocketAddr) {
    let relay = Relay::start(&[echo().await]).await.unwrap();
    let address = relay.addresses()[0];
    (relay, address)
}

pub(super) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("took longer than the test's deadline")
}

pub(super) async fn eventually(what: &str, mut true_now: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !true_now() {
        assert!(begun.elapsed() < DEADLINE, "{what} did not come true");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(super) async fn ask(stream: &mut TcpStream, text: &[u8]) {
    stream.write_all(text).await.unwrap();
    let mut answer = vec![0; text.len()];
    within(stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer, text);
}

/// Reads until the connection ends; true if it was reset.
pub(super) async fn was_reset(mut stream: TcpStream) -> bool {
    let mut rest = Vec::new();
    within(stream.read_to_end(&mut rest)).await.is_err()
}

#[tokio::test]
async fn carries_both_ways_and_counts() {
    let (relay, address) = relay().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    ask(&mut stream, b"hello").await;
    let stats = relay.stats();
    assert_eq!((stats.bytes_to_source, stats.bytes_from_source), (5, 5));
    assert_eq!((stats.connections, stats.accepted, stats.refused), (1, 1, 0));
    assert_eq!(stats.bytes_since_cut, None);
    drop(stream);
    eventually("the connection's end", || relay.stats().connections == 0).await;
}

#[tokio::test]
async fn a_half_closed_connection_still_answers() {
    let (_relay, address) = relay().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"the last word").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(answer, b"the last word");
}

#[tokio::test]
async fn refuse_resets_what_is_open_and_what_comes() {
    let (relay, address) = relay().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    ask(&mut stream, b"before").await;

    within(relay.cut(CutKind::Refuse)).await;
    assert_eq!(relay.stats().connections, 0);
    assert!(was_reset(stream).await);
    if let Ok(mut late) = TcpStream::connect(address).await {
        let _ = late.write_all(b"late").await;
        assert!(was_reset(late).await);
    }
    assert_eq!(relay.stats().bytes_since_cut, Some(0));

    relay.heal();
    ask(&mut TcpStream::connect(address).await.unwrap(), b"after").await;
}

#[tokio::test]
async fn refuse_stops_a_stream_in_full_flight() {
    let (relay, address) = relay().await;
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let flood = tokio::spawn(async move { while write.write_all(&[7; 4096]).await.is_ok() {} });
    let drain = tokio::spawn(async move {
        let mut sink = vec![0; BUFFER];
        while matches!(read.read(&mut sink).await, Ok(count) if count > 0) {}
    });
    eventually("the flood", || relay.stats().bytes_from_source > 1 << 20).await;

    within(relay.cut(CutKind::Refuse)).await;
    let at_cut = relay.stats();
    assert_eq!((at_cut.connections, at_cut.bytes_since_cut), (0, Some(0)));
    within(flood).await.unwrap();
    within(drain).await.unwrap();
    assert_eq!(relay.stats().bytes_since_cut, Some(0));
}

#[tokio::test]
async fn silent_holds_every_byte_and_goes_on_after_the_heal() {
    let (relay, address) = relay().await;
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let sent: Vec<u8> =
        (0..8 << 20).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let expected = sent.clone();
    let writer = tokio::spawn(async move {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
    });
    let reader = tokio::spawn(async move {
        let mut got = Vec::new();
        read.read_to_end(&mut got).await.unwrap();
        got
    });
    eventually("the flow", || relay.stats().bytes_from_source > 1 << 16).await;

    within(relay.cut(CutKind::Silent)).await;
    // A second connection's life shows that time passes, and that new ones are held unanswered.
    let mut second = TcpStream::connect(address).await.unwrap();
    second.write_all(b"held").await.unwrap();
    eventually("the second connection", || relay.stats().connections == 2).await;
    let silence = tokio::time::timeout(Duration::from_millis(50), second.read_u8()).await;
    assert!(silence.is_err(), "a held connection answered: {silence:?}");
    assert_eq!(relay.stats().bytes_since_cut, Some(0));

    relay.heal();
    let mut answer = [0; 4];
    within(second.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"held");
    within(writer).await.unwrap();
    assert!(within(reader).await.unwrap() == expected, "bytes differ after the heal");
}

#[tokio::test]
async fn a_connection_that_gave_up_during_a_silent_cut_is_never_dialled() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let relay = Relay::start(&[listener.local_addr().unwrap()]).await.unwrap();
    within(relay.cut(CutKind::Silent)).await;
    let given_up = TcpStream::connect(relay.addresses()[0]).await.unwrap();
    eventually("the held connection", || relay.stats().connections == 1).await;
    drop(given_up);
    eventually("its end", || relay.stats().connections == 0).await;
    relay.heal();
    let patient = TcpStream::connect(relay.addresses()[0]).await.unwrap();
    let (mut dialled, _) = within(listener.accept()).await.unwrap();
    dialled.write_all(b"x").await.unwrap();
    within(patient.readable()).await.unwrap();
    assert_eq!(patient.try_read(&mut [0]).unwrap(), 1, "the first dial is the patient one's");
}

#[tokio::test]
async fn the_kind_can_change_while_cut() {
    let (relay, address) = relay().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    ask(&mut stream, b"before").await;
    within(relay.cut(CutKind::Silent)).await;
    let held = TcpStream::connect(address).await.unwrap();
    eventually("the held connection", || relay.stats().connections == 2).await;
    within(relay.cut(CutKind::Refuse)).await;
    assert!(was_reset(stream).await && was_reset(held).await);
    within(relay.cut(CutKind::Silent)).await;
    let mut held = TcpStream::connect(address).await.unwrap();
    relay.heal();
    ask(&mut held, b"after").await;
}

#[tokio::test]
async fn flapping_leaves_nothing_behind() {
    let (relay, address) = relay().await;
    for round in 0..100 {
        let streams = [TcpStream::connect(address).await, TcpStream::connect(address).await];
        let kind = if round % 3 == 0 { CutKind::Silent } else { CutKind::Refuse };
        within(relay.cut(kind)).await;
        relay.heal();
        drop(streams);
    }
    eventually("no connection left", || relay.stats().connections == 0).await;
    ask(&mut TcpStream::connect(address).await.unwrap(), b"still there").await;
    eventually("no connection left", || relay.stats().connections == 0).await;
    // The accept task and this test's own handle are all that is left of the link.
    assert_eq!(Arc::strong_count(&relay.shared), 2);
}

#[tokio::test]
async fn dropping_the_relay_closes_everything() {
    let (relay, address) = relay().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    ask(&mut stream, b"before").await;
    let shared = Arc::downgrade(&relay.shared);
    drop(relay);
    let mut rest = Vec::new();
    let _ = within(stream.read_to_end(&mut rest)).await;
    eventually("no task left", || shared.strong_count() == 0).await;
    assert!(TcpStream::connect(address).await.is_err());
}
