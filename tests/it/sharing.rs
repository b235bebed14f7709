//! Several screens on one room: who may do what is decided at the socket, and nobody's trouble is
//! anybody else's.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use zonedrill::room::protocol::PROTOCOL;

use crate::support::{
    caller::{Caller, nothing},
    region::Region,
    screen::DEADLINE,
};

#[test]
fn who_drives_is_decided_at_the_socket() {
    let region = Region::up("roles");
    let (mut mira, hello) = Caller::greet(&region, "mira", &nothing());
    assert_eq!(hello["drives"], true);
    let (mut tom, hello) = Caller::greet(&region, "tom", &nothing());
    assert_eq!(hello["drives"], false);
    tom.refused("mark x", "mira drives");
    tom.refused("produce stop", "`control ask`");
    tom.done("status");
    let asked = tom.ask();
    tom.refused("mark x", "mira drives");
    mira.done("control refuse");
    tom.hears(asked, "refused", "mira keeps control: you were refused");
    let (first, second) = (tom.ask(), tom.ask());
    mira.done("control grant");
    tom.hears(first, "done", "you drive: mira gave you control");
    tom.hears(second, "done", "you drive: mira gave you control");
    tom.done("mark tom was here");
    mira.refused("mark x", "tom drives");
    mira.refused("control grant", "do not drive");
    mira.sees(&["mira", "*tom"]);

    let (mut eve, _) = Caller::greet(&region, "eve", &json!({ "observe": true }));
    eve.refused("mark x", "observe");
    eve.refused("control ask", "only observes");
    let (mut tape, _) = Caller::greet(&region, "tape", &json!({ "client": "recorder" }));
    tape.refused("mark x", "observe");
    let (mut shell, _) = Caller::greet(&region, "cron", &json!({ "client": "shell" }));
    shell.done("mark by a shell");
    shell.refused("control ask", "screens");

    let events = fs::read_to_string(region.folder().join("events.jsonl")).unwrap();
    let by = |who: &str, via: &str, text: &str| {
        events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).any(|event| {
            event["actor"]["who"] == who && event["actor"]["via"] == via && event["text"] == text
        })
    };
    assert!(by("tom", "screen", "tom was here") && by("cron", "shell", "by a shell"), "{events}");
    assert!(!events.contains("mark x"), "{events}");
}

#[test]
fn a_guest_reaches_no_file_and_does_not_end_the_region() {
    let region = Region::up("guests");
    let (mut tom, hello) = Caller::greet(&region, "tom", &json!({ "guest": true }));
    assert_eq!(hello["drives"], true);
    let folder = region.home.path().join("loot");
    let folder = folder.to_str().unwrap();
    for line in [
        "down".into(),
        "down --purge".into(),
        "up".into(),
        format!("report {folder}"),
        format!("drill run cut --report {folder}"),
        format!("record start {folder}"),
        "record stop".into(),
        // By what they give: others may be called like them.
        "drill run cut failover".into(),
        "drill run switchover".into(),
    ] {
        tom.refused(&line, "not for guests");
    }
    tom.done("mark a guest drives");
    assert!(!Path::new(folder).exists());
    // Nor by saying the same through a shell's greeting.
    let guest = json!({ "guest": true, "client": "shell" });
    Caller::greet(&region, "tom", &guest).0.refused("down", "not for guests");
    assert_eq!(region.status()["phase"], "up");
}

#[test]
fn a_guest_who_drives_spoils_and_fills_nothing() {
    let region = Region::up("guestdisk");
    let (mut tom, _) = Caller::greet(&region, "tom", &json!({ "guest": true }));
    for (line, why) in [
        ("drill run cut --sabotage leak", "spoils an experiment"),
        ("drill sabotage", "spoils an experiment"),
        ("drill run mine", "no script of the owner's"),
        ("zone remove b", "removes data"),
        ("produce --rate 10000/s", "give a count"),
        ("produce --count 1000000 --size 64KB", "512 MB"),
        ("produce 1 999999999999", "512 MB"),
        ("drill run all --scale 1000", "512 MB"),
        ("control take", "only the region's owner"),
        ("control hold", "only the region's owner"),
        ("kick mira", "only the region's owner"),
    ] {
        tom.refused(line, why);
    }
    tom.done("produce --count 10");
    // Not in smaller parts either.
    // What is counted is what was asked for: this zone is there already.
    let refused = (0..140).any(|_| tom.give("zone add b").1.contains("512 MB"));
    assert!(refused);
    let events = fs::read_to_string(region.folder().join("events.jsonl")).unwrap();
    assert!(events.contains(r#""who":"tom (guest)""#), "{events}");
}

#[test]
fn the_owner_takes_control_holds_it_and_removes_a_guest() {
    let region = Region::up("owner");
    let from = json!({ "guest": true, "from": "192.0.2.7" });
    let (mut tom, hello) = Caller::greet(&region, "tom", &from);
    assert_eq!(hello["drives"], true);
    let (mut mira, _) = Caller::greet(&region, "mira", &nothing());
    mira.done("control take");
    mira.sees(&["tom", "*mira"]);
    tom.refused("mark x", "mira drives");
    mira.done("control hold");
    tom.refused("control ask", "mira holds control");
    mira.done("control release");
    tom.done("control ask");
    // From a shell, which needs no control itself.
    assert!(region.ok("control hold --as ops").contains("nobody drives, after tom"));
    tom.refused("control ask", "ops holds control");
    assert!(region.ok("control release --as ops").contains("again"));
    tom.done("control ask");
    region.ok("kick tom --as ops");
    tom.until(|message| message["type"] == "removed");
    assert!(tom.next().is_none(), "the connection is closed");
    let mut again = Caller::connect(&region);
    let hello = json!({
        "type": "hello", "protocol": PROTOCOL, "name": "tom", "client": "screen", "observe": false,
        "guest": true,
    });
    again.send(format!("{hello}\n").as_bytes());
    let error = again.until(|message| message["type"] == "error");
    assert!(error["why"].as_str().unwrap().contains("10 min"), "{error}");
    region.run(&["kick", "bob"]).expect_code(3);
    let events = fs::read_to_string(region.folder().join("events.jsonl")).unwrap();
    let seat = |did: &str| {
        let mut all = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        all.any(|event| {
            event["event"] == "seat"
                && event["did"] == did
                && event.to_string().contains("192.0.2.7")
        })
    };
    for did in ["drives", "takes", "removed"] {
        assert!(seat(did), "{did}: {events}");
    }
}

#[test]
fn thousands_of_idle_connections_are_bounded_and_nobody_waits_for_them() {
    let region = Region::up("idle");
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let wanted = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, wanted).unwrap();
    let hello = |client: &str| json!({ "type": "hello", "protocol": PROTOCOL, "name": "idle", "client": client, "observe": true });
    let mut idle = Vec::new();
    for n in 0..3000 {
        let mut caller = Caller::connect(&region);
        match n % 3 {
            0 => caller.send(format!("{}\n", hello("watch")).as_bytes()),
            1 => caller.send(format!("{}\n", hello("screen")).as_bytes()),
            _ => {}
        }
        idle.push(caller);
    }
    // A guest's, a watcher's and a screen's places are taken; the owner's shell is let in as soon as
    // one of its kind goes, and one that is in is answered at once.
    drop(idle.drain(..10));
    let start = Instant::now();
    let mut shell = loop {
        let mut caller = Caller::connect(&region);
        let hello = json!({
            "type": "hello", "protocol": PROTOCOL, "name": "cron", "client": "shell", "observe": false,
        });
        caller.send(format!("{hello}\n").as_bytes());
        if caller.next().unwrap()["type"] == "hello" {
            break caller;
        }
        assert!(start.elapsed() < DEADLINE, "no place for a shell");
    };
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let began = Instant::now();
        shell.done("mark x");
        slowest = slowest.max(began.elapsed());
    }
    let status = fs::read_to_string(format!("/proc/{}/status", region.room_pid())).unwrap();
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kb: u64 = rss.trim().trim_end_matches(" kB").parse().unwrap();
    let descriptors = fs::read_dir(format!("/proc/{}/fd", region.room_pid())).unwrap().count();
    println!("slowest answer {slowest:?}, {kb} kB, {descriptors} descriptors");
    assert!(kb < 200_000, "{kb} kB");
    assert!(descriptors < 700, "{descriptors}");
    // 100 ms where nothing else runs.
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    let events = fs::read_to_string(region.folder().join("events.jsonl")).unwrap();
    assert!(!events.contains("\"to\":\"silent\""), "a healthy node was called silent");
}

#[test]
fn bad_frames_end_their_own_connection_with_an_error() {
    let region = Region::up("frames");
    let (mut mira, _) = Caller::greet(&region, "mira", &nothing());
    let hello = json!({
        "type": "hello", "protocol": PROTOCOL, "name": "x", "client": "screen", "observe": false,
    });
    let old = json!({ "type": "hello", "protocol": 1, "name": "x", "client": "screen", "observe": false });
    let long = format!("{{\"type\":\"command\",\"id\":1,\"line\":\"{}\"}}\n", "x".repeat(200_000));
    let posing = json!({ "type": "hello", "protocol": PROTOCOL, "name": "Room", "client": "screen", "observe": false });
    let mut frames: Vec<(Vec<u8>, &str)> = vec![
        (b"what\n".to_vec(), "not a greeting"),
        (b"\n".to_vec(), "not a greeting"),
        (b"{}\n".to_vec(), "not a greeting"),
        (b"[[[[[[[[[[[[\n".to_vec(), "not a greeting"),
        (b"\xff\xfe\x00\n".to_vec(), "UTF-8"),
        (format!("{old}\n").into_bytes(), "protocol"),
        (long.clone().into_bytes(), "too long"),
        (b"{\"type\":\"command\",\"id\":1,\"line\":\"up\"}\n".to_vec(), "greeting comes first"),
        (b"{\"type\":\"leave\"}\n".to_vec(), "greeting comes first"),
        (format!("{posing}\n").into_bytes(), "cannot be a person's name"),
        (format!("{hello}\n{hello}\n").into_bytes(), "twice"),
        (format!("{hello}\nrubbish\n").into_bytes(), "not a request"),
        (format!("{hello}\n{long}").into_bytes(), "too long"),
        ([format!("{hello}\n").as_bytes(), b"\xc3\x28\n"].concat(), "UTF-8"),
    ];
    let mut token = hello.clone();
    token["token"] = "t".repeat(5000).into();
    frames.push((format!("{token}\n").into_bytes(), "token is too long"));
    for (frame, why) in frames {
        let mut caller = Caller::connect(&region);
        caller.send(&frame);
        let error = caller.until(|message| message["type"] == "error");
        let shown = String::from_utf8_lossy(&frame[..frame.len().min(60)]).into_owned();
        assert!(error["why"].as_str().unwrap().contains(why), "{shown}: {error}");
        assert!(caller.next().is_none(), "{shown}: the connection is still open");
    }
    // Truncated anywhere: the connection ends with its caller.
    let whole = format!("{hello}\n");
    for at in [1, 10, whole.len() - 1] {
        Caller::connect(&region).send(&whole.as_bytes()[..at]);
    }
    mira.done("mark nobody noticed");
    mira.sees(&["*mira"]);
}

#[test]
fn a_hundred_visits_leave_nothing_behind() {
    let region = Region::up("visits");
    let (mut mira, _) = Caller::greet(&region, "mira", &nothing());
    let pid = region.room_pid();
    let count = |what: &str| fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().count();
    let (descriptors, threads) = (count("fd"), count("task"));
    for visit in 0..100 {
        let (mut tom, _) = Caller::greet(&region, "tom", &json!({ "token": "" }));
        if visit % 2 == 0 {
            tom.send(b"{\"type\":\"leave\"}\n");
        }
    }
    mira.sees(&["*mira"]);
    let start = Instant::now();
    // The servers' own connections come and go by a few.
    while count("fd") > descriptors + 4 || count("task") > threads + 4 {
        assert!(start.elapsed() < DEADLINE, "{} of {descriptors}", count("fd"));
        std::thread::sleep(Duration::from_millis(50));
    }
    // Places of lost connections are bounded by time, and by one for each name and token.
    for _ in 0..20 {
        drop(Caller::greet(&region, "tom", &nothing()));
    }
    mira.sees(&["*mira", "-tom"]);
}
