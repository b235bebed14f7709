//! The telling rows of `docs/verdicts.md` on real servers: other hands and stops that a verdict
//! must not mistake for the region's doing, nor for nothing.

use std::{
    io::Read,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use async_nats::{Client, Subscriber};
use futures::StreamExt;

use crate::support::{
    calm::calmly,
    region::{Ran, Region, SOON},
};
use zonedrill::drill::record::Entry;

/// A drill that runs in the background.
struct Running<'a> {
    region: &'a Region,
    shell: Child,
    /// Records there were before it.
    before: usize,
}

impl<'a> Running<'a> {
    fn start(region: &'a Region, drill: &str) -> Self {
        let before = records(region).len();
        let mut command = region.program();
        command.args(["drill", "run", drill]).stdout(Stdio::piped()).stderr(Stdio::null());
        Self { region, shell: command.spawn().expect("it runs"), before }
    }

    /// Waits until a phase has begun.
    fn wait_for(&self, phase: &str) {
        let deadline = Instant::now() + SOON;
        // As text: what is to happen in a phase of a tenth of a second must not wait for JSON.
        let line = format!(r#"{{"k":"phase","name":"{phase}""#);
        let began = || {
            let path = records(self.region).pop()?.join("drill.jsonl");
            Some(std::fs::read_to_string(path).ok()?.contains(&line))
        };
        while records(self.region).len() == self.before || began() != Some(true) {
            assert!(Instant::now() < deadline, "phase {phase} did not begin");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn end(mut self) -> Ran {
        let mut out = String::new();
        self.shell.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        let code = self.shell.wait().unwrap().code().unwrap_or(-1);
        Ran { code, out, err: String::new() }
    }
}

fn records(region: &Region) -> Vec<std::path::PathBuf> {
    let Ok(folders) = std::fs::read_dir(region.folder().join("drills")) else { return Vec::new() };
    let mut folders: Vec<_> = folders
        .map(|one| one.unwrap().path())
        .filter(|one| one.join("drill.jsonl").is_file())
        .collect();
    folders.sort_by_key(|one| one.join("drill.jsonl").metadata().unwrap().created().unwrap());
    folders
}

/// The newest record, as far as it is written.
fn record(region: &Region) -> Vec<Entry> {
    let newest = records(region).pop().expect("a record").join("drill.jsonl");
    let text = std::fs::read_to_string(newest).unwrap();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// What `nats consumer pause` does.
async fn pause(client: &Client, consumer: &str, for_ms: i64) {
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(for_ms);
    let subject = format!("$JS.API.CONSUMER.PAUSE.EVENTS_REGION.{consumer}");
    let answer = client.request(subject, format!(r#"{{"pause_until":"{until}"}}"#).into()).await;
    let text = String::from_utf8_lossy(&answer.expect("an answer").payload).into_owned();
    assert!(text.contains(r#""paused":true"#), "{text}");
}

/// Waits until the server's pause of a consumer is over.
async fn paused_no_more(client: &Client, consumer: &str) {
    let deadline = Instant::now() + SOON;
    let subject = format!("$JS.API.CONSUMER.INFO.EVENTS_REGION.{consumer}");
    loop {
        let answer = client.request(subject.clone(), "".into()).await.expect("an answer");
        if !String::from_utf8_lossy(&answer.payload).contains(r#""paused":true"#) {
            return;
        }
        assert!(Instant::now() < deadline, "{consumer} stays paused");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Fetches messages of a consumer beside the room, and acknowledges none.
async fn fetch(client: &Client, consumer: &str, count: u64) -> Subscriber {
    let inbox = client.new_inbox();
    let messages = client.subscribe(inbox.clone()).await.expect("an inbox");
    let subject = format!("$JS.API.CONSUMER.MSG.NEXT.EVENTS_REGION.{consumer}");
    let wanted = format!(r#"{{"batch":{count},"expires":3000000000}}"#);
    client.publish_with_reply(subject, inbox, wanted.into()).await.expect("asked");
    client.flush().await.expect("sent");
    messages
}

/// cases: a noisy baseline, a mirror zone that stands still, messages fetched by somebody.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_stands_still_is_never_undisturbed() {
    let region = Region::up("stalls");
    let (a, b) = (region.client("a").await, region.client("b").await);

    let drill = Running::start(&region, "cut");
    drill.wait_for("before");
    pause(&a, "consumer-a", 1_500).await;
    // The audit names the hand, so the drill need not go on: what the stall alone comes to is a row
    // of the model.
    let ended = drill.end().expect_code(2);
    assert!(ended.out.contains("paused consumer-a in zone a"), "{}", ended.out);
    paused_no_more(&a, "consumer-a").await;

    let drill = Running::start(&region, "cut");
    drill.wait_for("cutting");
    pause(&b, "consumer-b", 1_500).await;
    let ended = drill.end().expect_code(2);
    assert!(ended.out.contains("paused consumer-b in zone b"), "{}", ended.out);
    paused_no_more(&b, "consumer-b").await;

    let drill = Running::start(&region, "cut");
    drill.wait_for("during");
    let mut fetched = fetch(&a, "consumer-a", 60).await;
    fetched.next().await.expect("a message");
    let ended = drill.end().expect_code(2);
    let told = ["somebody else fetched ", " of consumer-a in zone a"];
    assert!(told.iter().all(|part| ended.out.contains(part)), "{}", ended.out);
}

/// cases: another hand through NATS itself, of which no advisory tells: void, and named.
#[tokio::test(flavor = "multi_thread")]
async fn another_hand_makes_a_drill_void_and_is_named() {
    let region = Region::up("hands");
    let (a, b) = (region.client("a").await, region.client("b").await);

    let drill = Running::start(&region, "heal");
    drill.wait_for("during");
    for _ in 0..3 {
        a.publish("EVENTS.REGION.ext", "hello".into()).await.expect("published");
    }
    a.flush().await.expect("sent");
    let ended = drill.end().expect_code(2);
    assert!(ended.out.contains("somebody else published 3 messages"), "{}", ended.out);
    let verified = region.run(&["verify"]).expect_code(0);
    let told = "published by somebody else (not judged): 3 in zone a, 3 in zone b";
    assert!(verified.out.contains(told), "{}", verified.out);

    let drill = Running::start(&region, "grow");
    drill.wait_for("joining");
    let pid = region.zone("a")["nodes"][1]["pid"].as_i64().expect("a pid");
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    let ended = drill.end().expect_code(2);
    let told = "somebody else's hand: server js2-zone-a of zone a was told to reload";
    assert!(ended.out.contains(told), "{}", ended.out);

    let drill = Running::start(&region, "cut");
    drill.wait_for("before");
    take_away(&b, "consumer-b", 1).await;
    let ended = drill.end().expect_code(2);
    let told = "somebody else fetched 1 message of consumer-b in zone b";
    assert!(ended.out.contains(told), "{}", ended.out);
    let told =
        |entry: &Entry| matches!(entry, Entry::Elsewhere { zone, .. } if zone.as_str() == "b");
    assert!(record(&region).iter().any(told));

    // Without a drill, and though nothing more comes to the room.
    let elsewhere = |zone: &serde_json::Value| zone["consumer"]["elsewhere"].as_u64().unwrap();
    region.ok("consumer pause b");
    let before = elsewhere(&region.zone("b"));
    region.ok("produce --count 7");
    take_away(&b, "consumer-b", 7).await;
    region.wait_zone("b", "told", SOON, |z| elsewhere(z) == before + 7);
    region.ok("consumer resume b");
    let log = std::fs::read_to_string(region.folder().join("events.jsonl")).expect("events");
    assert!(log.contains("somebody else fetched 7 messages of consumer-b in zone b"), "{log}");
    region.wait_zone("b", "passed over", SOON, |z| z["ledger"]["lost"] != 0);
    region.run(&["verify"]).expect_code(1);
    let doctor = region.run(&["doctor"]).expect_code(3);
    let told = "messages that never came to the room: somebody else acknowledged them";
    assert!(doctor.out.contains(told), "{}", doctor.out);
    region.ok("repair b");
    // It waits for what comes, and the strip shows what it found.
    region.ok("verify");
    region.wait_zone("b", "all came", SOON, |z| z["ledger"]["lost"] == 0);
}

/// Fetches messages of a consumer beside the room, and acknowledges them.
async fn take_away(client: &Client, consumer: &str, count: u64) {
    let mut fetched = fetch(client, consumer, count).await;
    for _ in 0..count {
        let message = fetched.next().await.expect("a message");
        client
            .publish(message.reply.expect("a reply subject"), "+ACK".into())
            .await
            .expect("acked");
    }
    client.flush().await.expect("sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_fetch_shows_beside_the_rooms_own_deliveries_within_two_seconds() {
    let region = Region::up("fetched");
    let counts = |z: &serde_json::Value, name: &str| z["consumer"][name].as_u64();
    region.ok("produce --count 10");
    region.wait_zone("a", "all came", SOON, |z| {
        counts(z, "deliveries") == Some(10) && counts(z, "deliveries_here") == Some(10)
    });
    region.ok("consumer pause a");
    region.ok("produce --count 20");
    let a = region.client("a").await;
    let mut fetched = fetch(&a, "consumer-a", 5).await;
    for _ in 0..5 {
        fetched.next().await.expect("a message");
    }
    region.wait_zone("a", "five went elsewhere", Duration::from_secs(2), |z| {
        counts(z, "deliveries") == Some(15) && counts(z, "deliveries_here") == Some(10)
    });
}

/// A room that is stopped sees nothing: its own sleep is not the servers' recovery.
#[test]
fn a_room_that_is_stopped_times_nothing() {
    let region = Region::up("stopped");
    let room = rustix::process::Pid::from_raw(region.room_pid()).unwrap();
    let said = "between the heal and the end of the catch-up: the room itself stood still";
    for _ in 0..5 {
        let drill = Running::start(&region, "heal");
        drill.wait_for("healing");
        // A catch-up takes a fifth of a second, and the link is the room's: where the room goes on
        // for a twentieth at a time, at least one stop is inside it.
        for _ in 0..6 {
            rustix::process::kill_process(room, rustix::process::Signal::STOP).unwrap();
            std::thread::sleep(Duration::from_secs(2));
            rustix::process::kill_process(room, rustix::process::Signal::CONT).unwrap();
            std::thread::sleep(Duration::from_millis(50));
        }
        let ended = drill.end();
        if ended.code == 2 {
            assert!(ended.out.contains(said), "{}", ended.out);
            return;
        }
    }
    panic!("five catch-ups, and the stop of the room was seen in none");
}

/// What is done by keys and shell is watched by the same checks, with nobody recording it.
#[test]
fn the_strip_is_live_while_a_region_is_used_by_hand() {
    let region = Region::up("watched");
    // Until the strip says it: conclusion 2 needs no backlog.
    let says = |what: &str| -> String {
        region.wait(&format!("the strip says `{what}`"), SOON, |status| {
            let heal = &status["conclusions"][1];
            let evidence = heal["evidence"].as_str().unwrap();
            heal["verdict"] == "holding" && evidence.contains(what)
        });
        region.status()["conclusions"][1]["evidence"].as_str().unwrap().to_owned()
    };
    region.ok("produce 1 40 --interval 5ms");
    says("by hand, no violation yet (before)");
    region.ok("cut b");
    let severed = says("by hand, no violation yet (during)");
    region.ok("produce 41 90 --interval 5ms");
    region.wait("the strip counts them", SOON, |status| {
        status["conclusions"][1]["evidence"].as_str().unwrap().contains("50")
    });
    assert!(!severed.contains("50"), "{severed}");
    region.ok("heal b");
    says("by hand, no violation yet (after)");
    // What a drill comes to stands beside what is done after it.
    region.proved(&["drill", "run", "cut"]);
    region.ok("produce 1 40 --interval 5ms");
    region.ok("cut b");
    says("by hand, no violation yet (during)");
    let cut = &region.status()["conclusions"][0];
    assert_eq!(cut["verdict"], "proved");
}

/// Nobody's script: what a person does between `drill begin` and `drill end` is judged by the same
/// checks.
#[test]
fn conclusions_1_and_2_are_proved_by_hand() {
    let mut used = None;
    let ended = calmly(|| by_hand(used.insert(Region::up("by-hand")))).expect_code(0);
    let region = used.expect("a region");
    assert!(ended.out.starts_with("2 of 2 proved"), "{}", ended.out);
    let bundle = ended.out.lines().find_map(|line| line.strip_prefix("evidence: ")).unwrap();
    let verified = region.run(&["verify", bundle]).expect_code(0);
    for told in ["proved   cut by hand: ", "proved   heal by hand: ", "proved, untouched"] {
        assert!(verified.out.contains(told), "{}", verified.out);
    }
    let status = region.status();
    let verdicts: Vec<_> =
        status["conclusions"].as_array().unwrap().iter().map(|c| &c["verdict"]).collect();
    assert_eq!(verdicts[..2], ["proved", "proved"], "{status}");
    // It is free again, and stopped it is void.
    region.ok("drill begin mine");
    region.ok("drill stop");
    region.wait("it is over", SOON, |_| region.run(&["drill", "end"]).code == 3);
}

/// What a person does between `drill begin` and `drill end`; returns how the latter ended.
fn by_hand(region: &Region) -> Ran {
    let refused = region.run(&["drill", "end"]).expect_code(3).err;
    assert!(refused.contains("`drill begin` begins it"), "{refused}");
    region.ok("drill begin");
    let second = region.run(&["drill", "run", "cut"]).expect_code(3).err;
    assert!(second.contains("`drill begin` runs"), "{second}");
    let received = |zone: &str, count: u64| {
        region.wait_zone(zone, "received", SOON, |z| z["ledger"]["received"] == count);
    };
    region.ok("produce 1 60 --interval 10ms");
    received("b", 60);
    region.ok("consumer pause b");
    region.ok("produce 61 110 --interval 10ms");
    region.wait_zone("b", "held", SOON, |z| z["stream"]["last_seq"] == 110);
    region.ok("cut b");
    region.ok("consumer resume b");
    region.ok("produce 111 210 --interval 20ms");
    received("a", 210);
    region.ok("heal b");
    received("b", 210);
    region.ok("produce 211 240 --interval 10ms");
    received("b", 240);
    region.run(&["drill", "end"])
}
