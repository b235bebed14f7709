//! Somebody else's hand in a running region: what `doctor`, `up`, `repair` and the commands that
//! cannot help say, and what becomes of a drill.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Instant,
};

use serde_json::{Value, json};
use zonedrill::region::topology::STREAM;

use crate::support::{
    hands::Stranger,
    region::{Region, SOON, has_all},
};

const CONSUMER: &str = "consumer-b";
const DURABLE: &str = "MIRROR_zone-b";

struct Meddled {
    region: Region,
    in_a: Stranger,
    in_b: Stranger,
    produced: u64,
}

impl Meddled {
    async fn new(name: &str) -> Self {
        let region = Region::up(name);
        let url = |offset| format!("nats://127.0.0.1:{}", region.port + offset);
        let access = region.access();
        let in_a = Stranger::connect(&access, &url(1)).await;
        let in_b = Stranger::connect(&access, &url(11)).await;
        let mut meddled = Self { region, in_a, in_b, produced: 0 };
        meddled.flows();
        meddled
    }

    /// What is produced arrives everywhere, each message once.
    #[track_caller]
    fn flows(&mut self) {
        let (from, to) = (self.produced + 1, self.produced + 20);
        self.region.ok(&format!("produce {from} {to} --interval 1ms"));
        self.produced = to;
        for zone in ["a", "b"] {
            self.region.wait_zone(zone, "all is consumed", SOON, |zone| has_all(zone, to));
        }
        self.region.ok("verify");
    }

    /// `doctor` and `up` name the damage; after `repair` they do not, and all flows.
    #[track_caller]
    fn is_told_and_repaired(&mut self, zone: &str, what: &str) {
        self.is_told(what);
        // With whose hand it was.
        let is_told = |text: &str| {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let line = text.split(what).nth(1).and_then(|rest| rest.split(" mends it").next());
            line.is_some_and(|line| line.contains("; client stranger (user zonedrill, 127.0.0.1) "))
        };
        self.region.wait(&format!("`status` tells `{what}`"), SOON, |_| {
            is_told(&self.region.ok("status"))
        });
        let doctor = self.region.run(&["doctor"]);
        assert!(is_told(&doctor.out), "{}", doctor.out);
        assert_eq!(doctor.code, 3, "{doctor:?}");
        assert!(doctor.out.contains(what), "{}", doctor.out);
        assert!(doctor.out.contains(&format!("`repair {zone}` mends it")), "{}", doctor.out);
        let repaired = self.region.ok("repair all");
        println!("{what}\n{repaired}");
        self.is_sound();
        self.flows();
    }

    /// The mirror's own word for it.
    #[track_caller]
    fn mirror_is(&self, state: &str) {
        self.region.wait_zone("b", state, SOON, |zone| zone["mirror"]["state"] == state);
    }

    /// `up` names the damage.
    #[track_caller]
    fn is_told(&self, what: &str) {
        let began = Instant::now();
        loop {
            let up = self.region.run(&["up"]);
            if up.code == 1 && (up.out.contains(what) || up.err.contains(what)) {
                break;
            }
            assert!(began.elapsed() < SOON, "`up` does not say `{what}`: {up:?}");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    #[track_caller]
    fn is_sound(&self) {
        let doctor = self.region.ok("doctor");
        for zone in ["streams a", "streams b"] {
            let line = doctor.lines().find(|line| line.contains(zone)).expect(zone);
            assert!(line.starts_with("ok"), "{doctor}");
        }
    }

    fn events(&self) -> String {
        std::fs::read_to_string(self.region.folder().join("events.jsonl")).unwrap()
    }
}

fn remove_mirror(config: &mut Value) {
    config.as_object_mut().unwrap().remove("mirror");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damages_are_told_with_their_remedy_and_repaired() {
    let mut scene = Meddled::new("meddled").await;
    assert!(scene.region.ok("up").contains("is up already"));
    assert!(scene.region.ok("repair all").contains("nothing to repair"));

    scene.in_b.delete_consumer(CONSUMER).await;
    scene.is_told_and_repaired("b", "consumer-b does not exist");
    let hand =
        "somebody else's hand: client stranger (user zonedrill, 127.0.0.1) deleted consumer-b";
    assert!(scene.events().contains(hand), "{}", scene.events());

    scene.in_b.recreate_consumer(CONSUMER, |config| config["ack_policy"] = json!("none")).await;
    scene.is_told_and_repaired("b", "has ack policy none instead of explicit");

    let other = json!("EVENTS.REGION.other");
    scene.in_b.update_consumer(CONSUMER, |config| config["filter_subject"] = other).await;
    scene.is_told_and_repaired("b", "delivers only EVENTS.REGION.other");

    let other = json!("EVENTS.REGION.another");
    scene.in_b.recreate_consumer(CONSUMER, |config| config["filter_subject"] = other).await;
    scene.is_told_and_repaired("b", "delivers only EVENTS.REGION.another");

    scene.in_b.pause_consumer(CONSUMER).await;
    let resume = scene.region.run(&["consumer", "resume", "b"]).expect_code(1);
    assert!(resume.err.contains("is paused at the server"), "{resume:?}");
    scene.is_told_and_repaired("b", "is paused at the server until 2099");

    scene.in_a.delete_consumer(DURABLE).await;
    scene.mirror_is("durable-missing");
    let nudge = scene.region.run(&["nudge", "b"]).expect_code(3);
    assert!(nudge.err.contains("a nudge cannot help: MIRROR_zone-b"), "{nudge:?}");
    scene.is_told_and_repaired("b", "MIRROR_zone-b at the source does not exist");

    scene.in_a.pause_consumer(DURABLE).await;
    scene.mirror_is("durable-paused");
    scene.is_told_and_repaired("b", "MIRROR_zone-b at the source is paused");

    scene.in_b.update_stream(remove_mirror).await;
    scene.mirror_is("promoted");
    let nudge = scene.region.run(&["nudge", "b"]).expect_code(3);
    assert!(nudge.err.contains("was promoted"), "{nudge:?}");
    scene.is_told_and_repaired("b", "is no mirror any more");

    // One that takes the isolation probe's subject hides the source's.
    scene
        .in_b
        .update_stream(|config| {
            remove_mirror(config);
            config["subjects"] = json!(["EVENTS.REGION.>"]);
        })
        .await;
    scene.is_told_and_repaired("b", "is no mirror any more");

    scene.in_b.recreate_stream(remove_mirror).await;
    scene.mirror_is("replaced");
    scene.is_told_and_repaired("b", "is a plain stream where the mirror was");

    scene.in_a.update_stream(|config| config["num_replicas"] = json!(1)).await;
    // The stream takes its consumers along, a moment later.
    scene.is_told("consumer-a has 1 replica instead of 3");
    scene.is_told("MIRROR_zone-b at the source has 1 replica instead of 3");
    scene.is_told_and_repaired("a", "EVENTS_REGION in zone a has 1 replica instead of 3");

    scene.in_a.update_stream(|config| config["duplicate_window"] = json!(200_000_000)).await;
    scene.is_told_and_repaired("a", "recognises a message id for 0.2 s");

    scene.in_a.update_stream(|config| config["max_msgs"] = json!(1_000_000)).await;
    scene.is_told_and_repaired("a", "has max_msgs 1000000 instead of unlimited");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repair_that_needs_the_link_is_refused_while_it_is_cut() {
    let mut scene = Meddled::new("cutoff").await;
    scene.region.ok("cut b");
    scene.in_b.delete_consumer(CONSUMER).await;
    let repaired = scene.region.ok("repair b");
    assert!(repaired.contains("goes on at sequence 21"), "{repaired}");
    scene.in_b.update_stream(remove_mirror).await;
    let refused = scene.region.run(&["repair", "b"]).expect_code(3);
    assert!(refused.err.contains("`heal b` first"), "{refused:?}");
    scene.region.ok("heal b");
    scene.region.ok("repair b");
    scene.flows();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recreated_source_lets_everything_begin_anew() {
    let scene = Meddled::new("recreated").await;
    scene.in_a.recreate_stream(|_| {}).await;
    scene.mirror_is("source-recreated");
    scene.region.run(&["nudge", "b"]).expect_code(3);
    let doctor = scene.region.run(&["doctor"]).expect_code(3);
    for what in [
        "EVENTS_REGION in zone a was deleted and created again",
        "consumer-a does not exist",
        "mirrors a stream that was deleted and created again at the source",
        "MIRROR_zone-b at the source does not exist",
    ] {
        assert!(doctor.out.contains(what), "{what}: {}", doctor.out);
    }
    // The mirror alone holds what the first one held.
    scene.region.refused("repair all", "holds 20 messages that zone a does not hold");
    scene.region.ok("repair all --force");
    scene.is_sound();
    scene.region.ok("produce 21 30 --interval 1ms");
    for zone in ["a", "b"] {
        scene.region.wait_zone(zone, "the new ones are consumed", SOON, |zone| {
            zone["consumer"]["ack_floor"] == 10 && zone["consumer"]["pending"] == 0
        });
    }
    // What was acknowledged before is lost, and said to be.
    let verdict = scene.region.run(&["verify"]).expect_code(1);
    assert!(verdict.out.contains("broken"), "{verdict:?}");
}

/// Limits that delete before a mirror has what they delete.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_source_no_longer_has_is_told_to_never_come() {
    let scene = Meddled::new("gone").await;
    scene.in_a.update_stream(|config| config["max_msgs"] = json!(100)).await;
    scene.region.ok("cut b");
    scene.region.ok("produce 21 320 --interval 1ms");
    let told =
        "200 are already gone at the source (its max_msgs is 100): zone b will never get them";
    scene.region.wait("it is told", SOON, |_| {
        let status = scene.region.ok("status");
        status.split_whitespace().collect::<Vec<_>>().join(" ").contains(told)
    });
}

/// A server in lame-duck mode is neither silent nor dead: it is leaving, and somebody told it to.
#[test]
fn a_server_that_is_told_to_leave_is_told_as_leaving() {
    let region = Region::up("lame");
    let drill = region.begin_drill();
    let node = region.zone("b")["nodes"][2].clone();
    // It sends its clients away one a second, and ends with the last. These only look.
    let address = node["url"].as_str().unwrap().trim_start_matches("nats://").to_owned();
    let clients: Vec<TcpStream> = (0..15).map(|_| client(&address)).collect();
    let pid = node["pid"].as_i64().expect("a pid");
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::USR2).unwrap();
    region.wait_zone("b", "its node leaves", SOON, |zone| zone["nodes"][2]["state"] == "leaving");
    let told = "js3-zone-b was told to leave by somebody else (lame-duck mode, SIGUSR2)";
    let doctor = region.run(&["doctor"]).out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(doctor.contains(told), "{doctor}");
    let early = region.run(&["node", "start", "js3-zone-b"]).expect_code(3);
    assert!(early.err.contains("is leaving"), "{early:?}");
    // A drill that was at its end by then could not read the replica.
    let why = region.why_void(drill);
    assert!(why.contains(told) || why.contains("was not read: it is leaving"), "{why}");
    drop(clients);
}

/// Logs in as the well-known user, who may change nothing.
fn client(address: &str) -> TcpStream {
    let mut connection = TcpStream::connect(address).expect("a server");
    let login = r#"CONNECT {"user":"admin","pass":"admin","verbose":false}"#;
    write!(connection, "{login}\r\nPING\r\n").expect("it takes a login");
    let mut said = [0; 4096];
    while !said.windows(4).any(|part| part == b"PONG") {
        assert_ne!(connection.read(&mut said).expect("an answer"), 0, "the login was refused");
    }
    connection
}

/// A ledger that begins where the stream already holds messages judges what comes after them.
#[test]
fn a_region_that_was_used_before_is_drillable() {
    let region = Region::up("used");
    region.ok("produce 1 150 --interval 1ms");
    for zone in ["a", "b"] {
        region.wait_zone(zone, "all is consumed", SOON, |zone| has_all(zone, 150));
    }
    region.ok("down");
    for file in ["ledger.jsonl", "ledger.length"] {
        std::fs::remove_file(region.folder().join(file)).expect("there");
    }
    region.start(&[]).expect_code(0);
    let drill = region.proved(&["drill", "run", "heal"]);
    assert!(drill.out.contains("1 of 1 proved"), "{drill:?}");
    // Also once the room has read its own ledger again.
    region.ok("down");
    region.start(&[]).expect_code(0);
    let verified = region.run(&["verify"]).expect_code(0);
    let told = "sequences up to 150 are from before this ledger began";
    assert!(verified.out.contains(told), "{verified:?}");
    let status = region.ok("status");
    assert!(status.contains("from before 150"), "{status}");
}

/// A mirror can stand with its source, without a lag, and lack what its consumer never saw: seen once of a
/// mirror that nobody touched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_mirror_holds_no_longer_is_lost_to_its_consumer() {
    let scene = Meddled::new("hollow").await;
    let before = scene.region.zone("b")["stream"]["last_seq"].as_u64().unwrap();
    scene.region.ok("consumer pause b");
    scene.region.ok("produce --count 10");
    scene.region.wait_zone("b", "it has all", SOON, |b| {
        b["stream"]["last_seq"] == before + 10 && b["mirror"]["true_lag"] == 0
    });
    scene.in_b.call(format!("STREAM.PURGE.{STREAM}"), json!({})).await;
    scene.region.ok("consumer resume b");
    scene.region.wait_zone("b", "ten are lost", SOON, |b| {
        b["ledger"]["lost"] == 10 && b["mirror"]["true_lag"] == 0
    });
    let told = scene.region.ok("status");
    assert!(told.contains("LOSS"), "{told}");

    // What differs when a room begins is put back, and told.
    scene.in_a.update_stream(|config| config["max_msgs"] = json!(5000)).await;
    scene.region.ok("down");
    scene.region.start(&[]).expect_code(0);
    let log = std::fs::read_to_string(scene.region.folder().join("room.log")).unwrap();
    assert!(log.contains("the settings of EVENTS_REGION were put back"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_that_somebody_meddles_with_is_void_and_names_the_hand() {
    let scene = Meddled::new("voided").await;
    let drill = scene.region.begin_drill();
    scene.in_b.delete_consumer(CONSUMER).await;
    let why = scene.region.why_void(drill);
    let hand = "somebody else's hand: client stranger (user zonedrill, 127.0.0.1) deleted consumer-b in zone b at ";
    assert!(why.contains(hand), "{why}");
    scene.region.ok("repair b");

    // Of this no advisory tells; the consumer's own count does, once it delivered something that no start
    // of its servers took along.
    scene.region.wait("its servers are there for a while", SOON, |status| {
        let ms = |name: &str| status[name].as_u64().unwrap_or(0);
        ms("at_ms").saturating_sub(ms("started_at_ms")) > 8_000
    });
    scene.region.ok("produce --count 20");
    let drill = scene.region.begin_drill();
    scene.in_b.call(format!("CONSUMER.RESET.{STREAM}.{CONSUMER}"), json!({"seq": 1})).await;
    let why = scene.region.why_void(drill);
    assert!(why.contains("consumer-b was set back at the server"), "{why}");
}
