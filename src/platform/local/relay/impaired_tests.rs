//! A relay that is worse than whole.

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    pump::MOST,
    tests::{ask, eventually, relay, was_reset, within},
    *,
};
use crate::region::condition::{BitRate, Flap};

fn both(way: Way) -> LinkCondition {
    LinkCondition::default().with(way, Direction::Both)
}

fn delay(delay_ms: u32) -> Way {
    Way { delay_ms, ..Way::default() }
}

fn rate(bits: u64) -> Way {
    Way { rate_bps: Some(BitRate(bits)), ..Way::default() }
}

fn silent() -> Way {
    Way { silent: true, ..Way::default() }
}

async fn timed(stream: &mut TcpStream) -> Duration {
    let began = Instant::now();
    ask(stream, b"how long").await;
    began.elapsed()
}

#[tokio::test]
async fn a_delay_holds_each_direction_for_its_time_and_a_heal_ends_it_at_once() {
    let (relay, address) = relay().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    ask(&mut stream, b"before").await;
    relay.impair(LinkCondition { to_zone: delay(120), ..both(delay(60)) });
    let took = timed(&mut stream).await;
    assert!(took >= Duration::from_millis(179), "{took:?}");
    let count = relay.stats().count;
    assert!(count.from_zone.least_us.unwrap() >= 59_000, "{count:?}");
    assert!(count.to_zone.least_us.unwrap() >= 119_000, "{count:?}");
    assert_eq!((count.to_zone.since, count.from_zone.since), (8, 8));
    // What is under way arrives with the heal, and what comes later is not held.
    relay.impair(both(delay(8_000)));
    stream.write_all(b"held").await.unwrap();
    eventually("the held bytes", || relay.stats().count.from_zone.queued == 4).await;
    relay.heal();
    let mut answer = [0; 4];
    within(stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"held");
    ask(&mut stream, b"after").await;
    let count = relay.stats().count;
    assert!(count.condition.is_whole() && count.from_zone.queued == 0, "{count:?}");
}

#[tokio::test]
async fn jitter_never_swaps_bytes() {
    let (relay, address) = relay().await;
    relay.impair(both(Way { jitter_ms: 8, ..delay(8) }));
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut read, mut write) = stream.into_split();
    let sent: Vec<u8> = (0..200).collect();
    let expected = sent.clone();
    let writer = tokio::spawn(async move {
        for byte in sent {
            write.write_all(&[byte]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        write.shutdown().await.unwrap();
    });
    let mut got = Vec::new();
    within(read.read_to_end(&mut got)).await.unwrap();
    writer.await.unwrap();
    assert_eq!(got, expected);
    assert!(relay.stats().count.to_zone.held > 1);
}

/// Floods one direction and drains the other end; the bytes that arrived in a second.
async fn flood(relay: &Relay, address: SocketAddr) -> u64 {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let flood = tokio::spawn(async move { while write.write_all(&[7; 4096]).await.is_ok() {} });
    let drain = tokio::spawn(async move {
        let mut sink = vec![0; 65_536];
        while matches!(read.read(&mut sink).await, Ok(count) if count > 0) {}
    });
    eventually("the queue", || relay.stats().count.from_zone.queued > 0).await;
    let (began, before) = (Instant::now(), relay.stats().count.from_zone.passed);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let passed = relay.stats().count.from_zone.passed - before;
    let rate = passed as f64 / began.elapsed().as_secs_f64();
    flood.abort();
    drain.abort();
    rate as u64
}

#[tokio::test]
async fn a_rate_is_kept_by_all_connections_together_and_the_queue_is_bounded() {
    let (relay, address) = relay().await;
    relay.impair(both(rate(8_000_000)));
    let (one, two) = tokio::join!(flood(&relay, address), flood(&relay, address));
    // Both saw the line's whole traffic. A busy machine moves less, nothing moves more.
    for passed in [one, two] {
        assert!((500_000..1_100_000).contains(&passed), "{passed} bytes a second");
    }
    let queued = relay.stats().count.from_zone.queued;
    assert!(queued < 2 * (MOST as u64), "{queued} queued");
}

#[tokio::test]
async fn one_silent_direction_holds_its_bytes_and_the_other_goes_on() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let relay = Relay::start(&[listener.local_addr().unwrap()]).await.unwrap();
    let mut near = TcpStream::connect(relay.addresses()[0]).await.unwrap();
    let (mut far, _) = within(listener.accept()).await.unwrap();
    near.write_all(b"before").await.unwrap();
    within(far.read_exact(&mut [0; 6])).await.unwrap();

    relay.impair(LinkCondition::default().with(silent(), Direction::From));
    near.write_all(b"lost").await.unwrap();
    far.write_all(b"heard").await.unwrap();
    let mut heard = [0; 5];
    within(near.read_exact(&mut heard)).await.unwrap();
    assert_eq!(&heard, b"heard");
    eventually("what waits", || relay.stats().count.from_zone.queued == 4).await;
    let count = relay.stats().count;
    assert_eq!((count.from_zone.since, count.to_zone.since), (0, 5));
    // A new connection needs both directions.
    let late = TcpStream::connect(relay.addresses()[0]).await.unwrap();
    eventually("the second connection", || relay.stats().connections == 2).await;
    let accepted = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(accepted.is_err(), "connected over half a link");

    relay.heal();
    let mut told = [0; 4];
    within(far.read_exact(&mut told)).await.unwrap();
    assert_eq!(&told, b"lost");
    within(listener.accept()).await.unwrap();
    drop(late);
}

#[tokio::test]
async fn a_flap_resets_refuses_and_comes_back_until_the_heal() {
    let (relay, address) = relay().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    ask(&mut stream, b"before").await;
    let flap = Some(Flap { up_ms: 200, down_ms: 200 });
    relay.impair(LinkCondition { flap, ..LinkCondition::default() });
    assert!(was_reset(stream).await);
    if let Ok(mut late) = TcpStream::connect(address).await {
        let _ = late.write_all(b"late").await;
        assert!(was_reset(late).await);
    }
    eventually("the second time down", || relay.stats().count.resets > 1).await;
    relay.heal();
    let resets = relay.stats().count.resets;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let until = Instant::now() + Duration::from_millis(900);
    while Instant::now() < until {
        ask(&mut stream, b"stays").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(relay.stats().count.resets, resets, "it went on flapping after the heal");
}

#[tokio::test]
async fn a_reset_ends_what_is_open_and_takes_what_comes() {
    let (relay, address) = relay().await;
    let stream = TcpStream::connect(address).await.unwrap();
    relay.impair(LinkCondition { reset_every_ms: Some(200), ..LinkCondition::default() });
    assert!(was_reset(stream).await);
    ask(&mut TcpStream::connect(address).await.unwrap(), b"at once").await;
}

#[tokio::test]
async fn a_cut_takes_the_place_of_a_condition_and_its_heal_leaves_none() {
    let (relay, address) = relay().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    ask(&mut stream, b"before").await;
    relay.impair(both(delay(5_000)));
    stream.write_all(b"under way").await.unwrap();
    eventually("what is under way", || relay.stats().count.from_zone.queued == 9).await;
    within(relay.cut(CutKind::Silent)).await;
    assert!(relay.stats().count.condition.is_whole());
    assert_eq!(relay.stats().bytes_since_cut, Some(0));
    relay.heal();
    let mut answer = [0; 9];
    within(stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"under way");
    relay.impair(both(delay(5_000)));
    within(relay.cut(CutKind::Refuse)).await;
    assert!(was_reset(stream).await);
    relay.heal();
    ask(&mut TcpStream::connect(address).await.unwrap(), b"after").await;
}

#[tokio::test]
async fn a_condition_is_in_effect_within_50_ms() {
    let (relay, address) = relay().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    ask(&mut stream, b"before").await;
    for round in 0..20 {
        let began = Instant::now();
        relay.impair(both(delay(30)));
        let took = began.elapsed();
        assert!(took < Duration::from_millis(50), "round {round}: {took:?}");
        // The first byte after it is held.
        let held = timed(&mut stream).await;
        assert!(held >= Duration::from_millis(58), "round {round}: {held:?}");
        relay.heal();
        ask(&mut stream, b"healed").await;
    }
}

#[tokio::test]
async fn a_connection_that_was_thin_is_as_fast_as_before_after_the_heal() {
    let (relay, address) = relay().await;
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let flood =
        tokio::spawn(async move { while write.write_all(&vec![7; 65_536]).await.is_ok() {} });
    let drain = tokio::spawn(async move {
        let mut sink = vec![0; 262_144];
        while matches!(read.read(&mut sink).await, Ok(count) if count > 0) {}
    });
    let second = async || {
        let before = relay.stats().count.from_zone.passed;
        tokio::time::sleep(Duration::from_millis(700)).await;
        relay.stats().count.from_zone.passed - before
    };
    eventually("the flood", || relay.stats().count.from_zone.passed > 1 << 20).await;
    let before = second().await;
    relay.impair(both(rate(1_000_000)));
    let thin = second().await;
    relay.heal();
    // The machine may be busy just then; a connection that stays thin never comes there.
    let mut after = second().await;
    for _ in 0..8 {
        after = if after > before / 3 { break } else { second().await };
    }
    println!("{before} before, {thin} thin, {after} after the heal");
    assert!(thin < 1 << 20 && after > before / 3, "{before} before, {thin} thin, {after} after");
    flood.abort();
    drain.abort();
}
