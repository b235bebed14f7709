//! Several screens on one room: who may do what is decided at the socket, and nobody's trouble is
//! anybody else's.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, Instant},
};

use crate::support::region::Region;
use crate::support::screen::{DEADLINE, Terminal};
use rustix::process::Signal;
use serde_json::{Value, json};
use zonedrill::room::protocol::PROTOCOL;

/// One end of the socket, by hand.
struct Caller {
    lines: BufReader<UnixStream>,
    next: u64,
}

impl Caller {
    fn connect(region: &Region) -> Self {
        let stream = UnixStream::connect(region.folder().join("room.sock")).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Self { lines: BufReader::new(stream), next: 1 }
    }

    /// Greets; returns the room's greeting as well.
    fn greet(region: &Region, name: &str, more: &Value) -> (Self, Value) {
        let mut caller = Self::connect(region);
        let mut hello = json!({
            "type": "hello", "protocol": PROTOCOL, "name": name, "client": "screen",
            "observe": false, "guest": false, "token": format!("{name}'s"),
        });
        for (key, value) in more.as_object().unwrap() {
            hello[key] = value.clone();
        }
        caller.send(format!("{hello}\n").as_bytes());
        let hello = caller.next().unwrap();
        assert_eq!(hello["type"], "hello", "{hello}");
        (caller, hello)
    }

    fn send(&mut self, bytes: &[u8]) {
        // The room may have closed already, having read enough.
        let _ = self.lines.get_mut().write_all(bytes);
    }

    fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap()),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("nothing came: {error}"),
        }
    }

    fn until(&mut self, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let message = self.next().expect("the connection is open");
            if wanted(&message) {
                return message;
            }
            assert!(start.elapsed() < DEADLINE, "not among what came");
        }
    }

    /// Gives a line; returns its outcome and text.
    fn give(&mut self, line: &str) -> (String, String) {
        let id = self.next;
        self.next += 1;
        let request = json!({ "type": "command", "id": id, "line": line });
        self.send(format!("{request}\n").as_bytes());
        let answer = self.until(|m| m["type"] == "answer" && m["id"] == id);
        let word = |key: &str| answer[key].as_str().unwrap().to_owned();
        (word("outcome"), word("text"))
    }

    #[track_caller]
    fn refused(&mut self, line: &str, why: &str) {
        let (outcome, text) = self.give(line);
        assert_eq!(outcome, "refused", "{line}: {text}");
        assert!(text.contains(why), "{line}: {text}");
    }

    #[track_caller]
    fn done(&mut self, line: &str) {
        let (outcome, text) = self.give(line);
        assert_eq!(outcome, "done", "{line}: {text}");
    }

    /// Asks for control; the answer comes when it is decided.
    fn ask(&mut self) -> u64 {
        let id = self.next;
        self.next += 1;
        let request = json!({ "type": "command", "id": id, "line": "control ask" });
        self.send(format!("{request}\n").as_bytes());
        self.until(|m| m["type"] == "progress" && m["id"] == id);
        id
    }

    /// Waits for the answer to what was asked for.
    #[track_caller]
    fn hears(&mut self, id: u64, outcome: &str, text: &str) {
        let answer = self.until(|m| m["type"] == "answer" && m["id"] == id);
        assert_eq!((&answer["outcome"], &answer["text"]), (&json!(outcome), &json!(text)));
    }

    /// Waits for a picture with these screens: names, with `*` for who drives and `-` for who is
    /// away.
    #[track_caller]
    fn sees(&mut self, wanted: &[&str]) {
        let mut last = Vec::new();
        let start = Instant::now();
        while start.elapsed() < DEADLINE {
            let message = self.next().expect("the connection is open");
            if message["type"] != "status" {
                continue;
            }
            last = message["status"]["screens"]
                .as_array()
                .unwrap()
                .iter()
                .map(|screen| {
                    let drives = if screen["drives"] == true { "*" } else { "" };
                    let away = if screen["place_ends_at_ms"].is_null() { "" } else { "-" };
                    format!("{drives}{away}{}", screen["name"].as_str().unwrap())
                })
                .collect();
            if last == wanted {
                return;
            }
        }
        panic!("never {wanted:?}, at last {last:?}");
    }
}

fn nothing() -> Value {
    json!({})
}

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
    assert!(!events.contains("mark -- x"), "{events}");
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
fn a_screen_whose_terminal_stops_answering_is_shown_within_15_s() {
    let region = Region::up("deadline");
    let (mut mira, _) = Caller::greet(&region, "mira", &nothing());
    mira.done("control release");
    let mut tom = screen(&region, &["guest", "--as", "tom"], (80, 24));
    tom.answer(true);
    tom.wait_for("(you, guest)");
    tom.press("o");
    tom.wait_for("● tom");
    let silent = |message: &Value, silent: bool| {
        let screens = message["status"]["screens"].as_array();
        screens.is_some_and(|all| all.iter().any(|s| s["name"] == "tom" && s["silent"] == silent))
    };
    tom.answer(false);
    let began = Instant::now();
    mira.until(|message| silent(message, true));
    // The limit is 15 s; the rest is a busy machine's.
    assert!(began.elapsed() < Duration::from_secs(18), "{:?}", began.elapsed());
    mira.done("control ask");
    tom.answer(true);
    mira.until(|message| silent(message, false));
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
fn on_a_thin_line_the_picture_is_never_old_and_says_that_it_is_late() {
    let region = Region::up("thin");
    let (mut mira, _) = Caller::greet(&region, "mira", &nothing());
    let tom = screen(&region, &["attach", "--as", "tom"], (80, 24));
    tom.answer(true);
    tom.wait_for("true lag");
    tom.throttle(2000);
    mira.done("produce --rate 50/s");
    let begin = Instant::now();
    let (mut oldest, mut late) = (Duration::ZERO, false);
    let mut given = Vec::new();
    while begin.elapsed() < Duration::from_secs(25) {
        mira.done(&format!("mark moment-{:04}", given.len()));
        given.push(Instant::now());
        let next = Instant::now() + Duration::from_millis(200);
        while Instant::now() < next {
            let text = tom.text();
            late |= text.contains("slow line");
            let seen = (0..given.len()).rev().find(|n| text.contains(&format!("moment-{n:04}")));
            // What was given after the newest that is seen is missing since then.
            if begin.elapsed() > Duration::from_secs(8)
                && let Some(missing) = seen.and_then(|n| given.get(n + 1))
            {
                oldest = oldest.max(missing.elapsed());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    println!("oldest picture {oldest:?}, told as late: {late}");
    assert!(oldest < Duration::from_secs(3), "{oldest:?}");
}

#[test]
fn a_lost_driver_comes_back_to_the_same_place() {
    let region = Region::up("places");
    let (mira, first) = Caller::greet(&region, "mira", &nothing());
    let (mut tom, _) = Caller::greet(&region, "tom", &nothing());
    drop(mira);
    tom.sees(&["*-mira", "tom"]);
    let (eve, hello) = Caller::greet(&region, "mira", &json!({ "token": "guessed" }));
    assert_eq!((&hello["drives"], &hello["returned"]), (&json!(false), &json!(false)));
    let (mira, hello) = Caller::greet(&region, "mira", &nothing());
    assert_eq!((&hello["drives"], &hello["returned"]), (&json!(true), &json!(true)));
    assert_eq!(hello["screen"], first["screen"]);
    drop(mira);
    tom.sees(&["*-mira", "tom", "mira"]);
    // Who is gone cannot refuse.
    tom.done("control ask");
    tom.done("mark tom drives");
    let (mut mira, hello) = Caller::greet(&region, "mira", &nothing());
    assert_eq!((&hello["drives"], &hello["returned"]), (&json!(false), &json!(true)));
    // One who is asked and goes cannot refuse either.
    let asked = mira.ask();
    drop(tom);
    mira.hears(asked, "done", "you drive: tom is gone");
    let (mut tom, hello) = Caller::greet(&region, "tom", &nothing());
    assert_eq!((&hello["drives"], &hello["returned"]), (&json!(false), &json!(true)));
    let asked = tom.ask();
    mira.done("control release");
    tom.hears(asked, "done", "you drive: mira drives no longer");
    // Leaving on purpose keeps nothing.
    tom.send(b"{\"type\":\"leave\"}\n");
    drop(eve);
    mira.sees(&["mira", "-mira"]);
    mira.done("control ask");
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

fn screen(region: &Region, words: &[&str], size: (u16, u16)) -> Terminal {
    let env = [
        ("ZONEDRILL_HOME", region.home.path().as_os_str()),
        ("ZONEDRILL_REGION", OsStr::new(&region.name)),
    ];
    Terminal::run(Path::new(env!("CARGO_BIN_EXE_zonedrill")), words, &env, size)
}

#[test]
fn screens_have_their_own_sizes_and_a_frozen_one_holds_nobody_up() {
    let region = Region::up("sizes");
    let mut mira = screen(&region, &["attach", "--as", "mira"], (120, 40));
    mira.wait_for("● mira (you)");
    let mut tom = screen(&region, &["attach", "--as", "tom"], (80, 24));
    tom.wait_for("● mira");
    mira.wait_for("○ tom");
    // Zoom and focus are each one's own.
    mira.press("\r");
    mira.wait_for("enter or esc: back");
    assert!(!tom.text().contains("enter or esc: back"), "{}", tom.text());
    tom.press("p");
    tom.wait_for("mira drives: o asks for control");
    tom.press("o");
    mira.wait_for("tom asks for control");
    mira.press("o");
    tom.wait_for("● tom (you)");
    tom.press(":mark from tom\r");
    mira.wait_for("mark: from tom");

    mira.signal(Signal::STOP);
    let began = Instant::now();
    region.ok("produce --count 3000 --as cron");
    assert!(began.elapsed() < DEADLINE, "{:?}", began.elapsed());
    tom.wait_for("3,000");
    mira.signal(Signal::CONT);
    mira.wait_for("3,000");
    tom.press("qq");
    assert_eq!(tom.exit_code(), 0);
    mira.wait("departure", |text| !text.contains("● tom") && !text.contains("○ tom"));
}

#[test]
fn a_hung_up_screen_comes_back_to_the_same_view() {
    let region = Region::up("hangup");
    let mut mira = screen(&region, &["attach", "--as", "mira"], (120, 40));
    mira.wait_for("● mira (you)");
    mira.press("\t\r");
    mira.wait_for("enter or esc: back");
    mira.wait("the zoomed mirror", |text| text.contains("zone b") && !text.contains("zone a ·"));
    mira.signal(Signal::HUP);
    assert_eq!(mira.exit_code(), 129);
    let places = fs::read_dir(region.folder().join("screens")).unwrap().count();
    assert_eq!(places, 1);
    let mut again = screen(&region, &["attach", "--as", "mira"], (100, 30));
    again.wait_for("● mira (you)");
    again.wait_for("enter or esc: back");
    again.press("qq");
    assert_eq!(again.exit_code(), 0);
    assert_eq!(fs::read_dir(region.folder().join("screens")).unwrap().count(), 0);
}
