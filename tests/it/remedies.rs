//! What the program tells people to type is typed, in the state that tells it, and mends it.

use std::{fs, process::Command};

use crate::support::region::{Ran, Region, SOON, nats_server};
use rustix::process::{Pid, Signal, kill_process};

/// Everything that stands in backquotes in what was printed.
fn commands(told: &str) -> Vec<String> {
    told.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The one that begins so.
#[track_caller]
fn told(text: &str, begins: &str) -> String {
    let found = commands(text).into_iter().find(|line| line.starts_with(begins));
    found.unwrap_or_else(|| panic!("no `{begins}…` in {text}"))
}

fn said(ran: &Ran) -> String {
    format!("{}{}", ran.out, ran.err)
}

/// Types a line as a person does: what begins with the program's name in a shell, all else after it.
#[track_caller]
fn type_it(region: &Region, line: &str) -> Ran {
    let line = line.strip_prefix("zonedrill").unwrap_or(line);
    let mut shell = Command::new("sh");
    let program = region.program();
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    // The region is named as the line names it, where it does.
    let words = format!("{} {line}", env!("CARGO_BIN_EXE_zonedrill"));
    let ran = shell.args(["-c", &words]).output().expect("a shell");
    Ran {
        code: ran.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&ran.stdout).into_owned(),
        err: String::from_utf8_lossy(&ran.stderr).into_owned(),
    }
}

fn kill(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).expect("a pid"), signal).expect("it runs");
}

fn server(region: &Region, zone: &str, node: usize) -> i32 {
    let pid = region.zone(zone)["nodes"][node]["pid"].as_i64().expect("a pid");
    i32::try_from(pid).expect("a pid")
}

fn nodes_are_up(region: &Region) {
    region.wait_zone("b", "every node is up", SOON, |b| {
        b["nodes"].as_array().is_some_and(|nodes| nodes.iter().all(|node| node["state"] == "up"))
    });
}

#[test]
fn a_node_a_link_and_a_consumer_are_mended_by_what_is_printed() {
    let region = Region::up("typed");
    let doctor = || said(&region.run(&["doctor"]));

    // A node that was killed, by somebody else and by a command; and what is refused meanwhile.
    kill(server(&region, "b", 1), Signal::KILL);
    region.wait_zone("b", "dead", SOON, |b| b["nodes"][1]["state"] == "dead");
    type_it(&region, &told(&doctor(), "node start")).expect_code(0);
    nodes_are_up(&region);
    let killed = region.ok("node kill js2-zone-b");
    let thaw = said(&region.run(&["node", "thaw", "js2-zone-b"]).expect_code(3));
    for text in [killed, thaw] {
        let again = type_it(&region, &told(&text, "node start"));
        assert!(again.code == 0 || said(&again).contains("runs already"), "{again:?}");
    }
    nodes_are_up(&region);

    // One that was suspended.
    kill(server(&region, "b", 2), Signal::STOP);
    region.wait_zone("b", "frozen", SOON, |b| b["nodes"][2]["state"] == "frozen");
    let refused = said(&region.run(&["node", "start", "js3-zone-b"]).expect_code(3));
    assert_eq!(told(&doctor(), "node thaw"), told(&refused, "node thaw"));
    type_it(&region, &told(&refused, "node thaw")).expect_code(0);
    nodes_are_up(&region);

    // A cut that stands, one that could not be proved, and what a zone in a cut keeps from a drill.
    region.ok("cut b");
    let refused = said(&region.run(&["cut", "b"]).expect_code(3));
    let drill = said(&region.run(&["drill", "run", "cut"]).expect_code(2));
    assert_eq!(told(&drill, "heal"), told(&refused, "heal"));
    type_it(&region, &told(&refused, "heal")).expect_code(0);
    region.wait_zone("b", "linked", SOON, |b| b["link"]["state"] == "up");

    region.ok("node freeze js2-zone-b");
    let half = said(&region.run(&["cut", "b"]).expect_code(1));
    type_it(&region, &told(&half, "node thaw")).expect_code(0);
    nodes_are_up(&region);
    type_it(&region, &told(&half, "cut b")).expect_code(0);
    assert_eq!(region.zone("b")["link"]["effective"], true);
    type_it(&region, &told(&half, "heal")).expect_code(0);

    // A heal that could not be proved.
    region.ok("cut b");
    region.ok("node freeze js2-zone-b");
    let half = said(&region.run(&["heal", "b"]).expect_code(1));
    type_it(&region, &told(&half, "node thaw")).expect_code(0);
    region.wait_zone("b", "linked", SOON, |b| b["link"]["leafs_here"] == 3);
    nodes_are_up(&region);

    // A consumer that was held.
    region.ok("consumer pause b");
    let drill = said(&region.run(&["drill", "run", "cut"]).expect_code(2));
    type_it(&region, &told(&drill, "consumer resume")).expect_code(0);
    // At once: what was observed last is older than the answer.
    region.ok("consumer rate b 10");
    let drill = said(&region.run(&["drill", "run", "cut"]).expect_code(2));
    type_it(&region, &told(&drill, "consumer rate")).expect_code(0);

    // Somebody who produces.
    let begun = region.ok("produce --rate 10/s");
    let drill = said(&region.run(&["drill", "run", "cut"]).expect_code(2));
    assert_eq!(told(&drill, "produce"), told(&begun, "produce stop"));
    type_it(&region, &told(&drill, "produce")).expect_code(0);
    region.ok("produce --count 5");
}

#[test]
fn a_zone_without_a_majority_is_brought_back_by_what_is_printed() {
    let region = Region::up("half");
    region.ok("node kill js1-zone-b");
    region.ok("node kill js2-zone-b");
    region.wait_zone("b", "two are dead", SOON, |b| {
        b["nodes"][0]["state"] == "dead" && b["nodes"][1]["state"] == "dead"
    });
    let verify = said(&region.run(&["verify"]).expect_code(2));
    type_it(&region, &told(&verify, "node start")).expect_code(0);
    let doctor = said(&region.run(&["doctor"]));
    type_it(&region, &told(&doctor, "node start")).expect_code(0);
    nodes_are_up(&region);
    region.ok("produce --count 5");
    region.wait_zone("b", "all there", SOON, |b| b["ledger"]["received"] == 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_changed_in_nats_is_mended_by_what_is_printed() {
    let region = Region::up("changed");
    let client = region.client("b").await;
    let in_b = async_nats::jetstream::new(client);
    let in_a = async_nats::jetstream::new(region.client("a").await);
    let stream = in_b.get_stream("EVENTS_REGION").await.expect("the mirror");
    stream.delete_consumer("consumer-b").await.expect("deleted");
    let changed = |what: &str| {
        region.wait_zone("b", what, SOON, |b| {
            b["differences"].as_array().is_some_and(|all| !all.is_empty())
        });
        let doctor = said(&region.run(&["doctor"]));
        type_it(&region, &told(&doctor, "repair")).expect_code(0);
        region.wait_zone("b", "repaired", SOON, |b| {
            b["differences"].as_array().is_some_and(Vec::is_empty)
        });
    };
    changed("the consumer is gone");
    let stream = in_a.get_stream("EVENTS_REGION").await.expect("the source");
    stream.delete_consumer("MIRROR_zone-b").await.expect("deleted");
    changed("the durable is gone");
    region.ok("produce --count 5");
    region.wait_zone("b", "all there", SOON, |b| b["ledger"]["received"] == 5);
}

#[test]
fn a_room_that_ended_or_is_held_and_a_taken_port_are_left_by_what_is_printed() {
    let region = Region::up("ended");
    let server = nats_server().to_str().expect("a path");
    // What is running already.
    let late = said(&region.start(&["--open"]).expect_code(3));
    type_it(&region, &told(&late, "zonedrill --region ended down")).expect_code(0);
    // No room runs.
    let none = said(&region.run(&["status"]).expect_code(3));
    type_it(&region, &told(&none, "zonedrill --region ended up")).expect_code(0);
    let second = Region::new("second");
    // A port is taken: the way out names other ports.
    let port = region.port.to_string();
    let taken = second.run(&["up", "--port-base", &port, "--nats-server", server]).expect_code(1);
    let flag = told(&said(&taken), "--port-base auto");
    type_it(&second, &format!("up {flag} --nats-server {server}")).expect_code(0);
    second.ok("down --purge");
    // Data of another kind of mirror.
    region.ok("down");
    let kept = said(&region.start(&["--mirror", "classic"]).expect_code(3));
    type_it(&region, &told(&kept, "zonedrill --region ended down --purge")).expect_code(0);
    region.start(&["--mirror", "classic"]).expect_code(0);
    region.ok("down --purge");
}

#[test]
fn a_folder_that_is_stale_or_damaged_is_mended_by_what_is_printed() {
    let region = Region::up("stale");
    region.ok("down");
    // Its ledger cannot be read.
    fs::write(region.folder().join("ledger.jsonl"), "nonsense\nnonsense\n").expect("written");
    let refused = said(&region.start(&[]).expect_code(3));
    type_it(&region, &told(&refused, "zonedrill --region stale down --purge")).expect_code(0);
    region.start(&[]).expect_code(0);
    // Its passwords may be read by others.
    region.ok("down");
    let secrets = fs::read_dir(region.folder())
        .expect("a folder")
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().contains("secret"));
    let path = secrets.expect("a file of passwords").path();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("set");
    let refused = said(&region.start(&[]).expect_code(3));
    let chmod = told(&refused, "chmod");
    let done = Command::new("sh").args(["-c", &chmod]).status().expect("a shell");
    assert!(done.success(), "{chmod}");
    region.start(&[]).expect_code(0);
    region.ok("down --purge");
}
