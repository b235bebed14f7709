//! Regions whose links carry packets (`--network wire`): brought up without root, cut, made worse,
//! measured by the wire and by the kernels at both ends, and gone with their room.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::region::{RECOVERED, Region, SOON, nats_server, processes_of};

/// A silent cut is found out by the servers' pings.
const NOTICED: Duration = Duration::from_secs(60);

/// A region on the wire; `None`, in words, where this machine lets nobody make one.
fn up(name: &str) -> Option<Region> {
    let region = Region::new(name);
    let ran = region.start(&["--network", "wire"]);
    if ran.code != 0 && ran.err.contains("no wire can be made here") {
        assert!(ran.err.contains("`zonedrill up --network relay`"), "{}", ran.err);
        println!("SKIPPED: {}", ran.err);
        return None;
    }
    assert_eq!(ran.code, 0, "{ran:?}");
    Some(region)
}

fn effective(zone: &Value) -> bool {
    zone["link"]["effective"] == true
}

fn has_all(zone: &Value) -> bool {
    zone["link"]["state"] == "up" && zone["mirror"]["true_lag"] == 0
}

#[test]
fn a_cut_is_silent_and_proved_while_every_port_outside_answers() {
    let Some(region) = up("wire-cut") else { return };
    region.ok("produce --count 50");
    region.wait_zone("b", "mirrored", SOON, |b| b["mirror"]["true_lag"] == 0);
    let inspected = region.ok("inspect link b");
    assert!(inspected.contains("3 connections open"), "{inspected}");
    let said = region.ok("cut b");
    assert!(said.contains("silent cut of zone b is effective"), "{said}");
    for port in (region.port..region.port + 3).chain(region.port + 10..region.port + 13) {
        let mut greeting = [0; 5];
        let mut client = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        client.set_read_timeout(Some(SOON)).expect("a timeout");
        std::io::Read::read_exact(&mut client, &mut greeting).expect("a greeting");
        assert_eq!(&greeting, b"INFO ", "port {port}");
    }
    region.ok("produce --count 20");
    region.wait_zone("b", "behind", SOON, |b| {
        b["mirror"]["true_lag"] == 20 && b["link"]["leafs_here"] == 0
    });
    region.ok("heal b");
    region.wait_zone("b", "has all", RECOVERED, has_all);
    // The other kind: both ends are told, and find out at once.
    let began = Instant::now();
    let said = region.ok("cut b --kind refuse");
    println!("refused and proved after {:?}", began.elapsed());
    assert!(said.contains("refuse cut of zone b is effective"), "{said}");
    region.ok("heal b");
    region.wait_zone("b", "has all", RECOVERED, has_all);
}

#[test]
fn nothing_outlives_a_killed_room() {
    let Some(region) = up("wire-killed") else { return };
    let home = region.home.path();
    let all = processes_of(home);
    let named = |pid: &i32| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let is = |pid: &i32, what: &[u8]| named(pid).windows(what.len()).any(|part| part == what);
    assert_eq!(all.iter().filter(|pid| is(pid, b"wire-helper")).count(), 1, "{all:?}");
    let room = all.iter().find(|pid| is(pid, b"\0room\0")).expect("a room");
    let room = rustix::process::Pid::from_raw(*room).expect("a process");
    rustix::process::kill_process(room, rustix::process::Signal::KILL).expect("a signal");
    let began = Instant::now();
    while !processes_of(home).is_empty() {
        assert!(began.elapsed() < SOON, "left: {:?}", processes_of(home));
        std::thread::sleep(Duration::from_millis(50));
    }
    // And it comes up again with its data.
    region.start(&[]).expect_code(0);
    assert!(region.ok("inspect link b").contains("3 connections open"));
}

#[test]
fn what_happens_to_packets_is_measured_by_the_wire_and_by_the_kernels_at_both_ends() {
    let Some(region) = up("wire-packets") else { return };
    region.ok(
        "impair b --delay 20ms --jitter 5ms --loss 5% --reorder 10% --duplicate 10% --corrupt 5%",
    );
    let mut sent = 0;
    let began = Instant::now();
    let b = loop {
        region.ok("produce --count 200 --size 1KiB");
        sent += 200;
        let b = region.zone("b");
        if effective(&b) {
            break b;
        }
        assert!(began.elapsed() < NOTICED, "{:#}", b["link"]);
    };
    println!("measured after {:?} and {sent} messages", began.elapsed());
    assert_eq!(b["link"]["measured"]["unproved"], serde_json::json!([]));
    let inspected = region.ok("inspect link b");
    for part in ["lost", "corrupted", "doubled", "held back", "the kernel at the source"] {
        assert!(inspected.contains(part), "{part}: {inspected}");
    }
    region.ok("heal b");
    region.wait_zone("b", "has all", RECOVERED, has_all);
    let verified = region.ok("verify");
    println!("{verified}");
}

#[test]
fn a_hole_for_large_packets_leaves_the_link_connected_and_is_named() {
    let Some(region) = up("wire-hole") else { return };
    region.ok("impair b blackhole");
    region.ok("produce --count 200 --size 1KiB");
    let began = Instant::now();
    let b = region.wait_zone("b", "stuck", SOON, |b| b["link"]["state"] == "stuck");
    let took = began.elapsed();
    println!("found stuck after {took:?}: {:#}", b["link"]);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(b["link"]["stuck"]["cause"], "mtu", "{:#}", b["link"]);
    region.wait_zone("b", "measured", SOON, effective);
    region.ok("heal b");
    region.wait_zone("b", "has all", RECOVERED, has_all);
}

#[test]
fn a_silent_direction_a_flap_and_a_rate_are_as_over_a_relay() {
    let Some(region) = up("wire-others") else { return };
    region.ok("cut b --direction from");
    region.ok("produce --count 20");
    region.wait_zone("b", "measured", NOTICED, effective);
    region.ok("heal b");
    region.wait_zone("b", "has all", RECOVERED, has_all);
    region.ok("impair b --flap 2s/1s");
    region.wait_zone("b", "measured", NOTICED, |b| {
        effective(b) && b["link"]["measured"]["resets"].as_u64() >= Some(1)
    });
    region.ok("heal b");
    region.wait_zone("b", "has all", RECOVERED, has_all);
    region.ok("impair b --delay 20ms --rate 1mbit");
    // Long enough that what the line drops at first is made up for: then it stays full.
    region.ok("produce --count 3000 --size 1KiB");
    region.wait_zone("b", "measured", NOTICED, effective);
    region.ok("heal b");
    region.wait_zone("b", "has all", RECOVERED, has_all);
}

#[test]
fn the_four_conclusions_hold_on_the_wire() {
    let Some(region) = up("wire-four") else { return };
    region.proved(&["drill", "run", "all"]);
}

#[test]
fn a_hole_a_thin_line_and_lost_packets_are_told_and_lose_nothing() {
    let Some(region) = up("wire-drills") else { return };
    let ran = region.run(&["drill", "run", "blackhole", "slow", "lossy"]);
    println!("{}", ran.out);
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    assert!(ran.out.contains("3 of 3 proved"), "{}", ran.out);
    assert!(ran.out.contains("was measured on the line and at both ends"), "{}", ran.out);
    // Without the hole nothing is stuck, and the drill has shown nothing.
    for drill in ["blackhole", "lossy"] {
        let ran = region.run(&["drill", "run", drill, "--sabotage", "unimpaired"]);
        assert_eq!(ran.code, 2, "{}\n{}", ran.out, ran.err);
    }
}

/// What the helper made stays, and another one takes its place; so clients reach the servers again.
#[test]
fn a_helper_that_dies_in_the_middle_of_a_run_is_replaced_and_told() {
    let Some(region) = up("wire-replaced") else { return };
    region.ok("impair b --delay 20ms");
    region.ok("produce --count 50");
    let home = region.home.path();
    let helpers = || {
        let is = |pid: &i32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.windows(11).any(|part| part == b"wire-helper")
        };
        processes_of(home).into_iter().filter(is).collect::<Vec<i32>>()
    };
    let [first] = helpers()[..] else { panic!("{:?}", helpers()) };
    for (killed, signal) in
        [(first, rustix::process::Signal::KILL), (0, rustix::process::Signal::STOP)]
    {
        let pid = if killed == 0 { helpers()[0] } else { killed };
        let one = rustix::process::Pid::from_raw(pid).expect("a process");
        rustix::process::kill_process(one, signal).expect("a signal");
        let began = Instant::now();
        while helpers().contains(&pid) || helpers().len() != 1 {
            assert!(began.elapsed() < NOTICED, "{pid}: {:?}", helpers());
            std::thread::sleep(Duration::from_millis(50));
        }
        // It is told once the other one is at work.
        let told = format!("helper process (pid {pid}) ended or was suspended");
        loop {
            let log = std::fs::read_to_string(region.folder().join("events.jsonl"));
            let log = log.expect("events");
            if log.contains(&told) {
                break;
            }
            assert!(began.elapsed() < NOTICED, "{log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    region.wait_zone("b", "measured", SOON, effective);
    region.ok("heal b");
    region.wait_zone("b", "has all", RECOVERED, has_all);
    region.ok("zone add c");
    region.ok("verify");
    region.ok("down");
    assert!(processes_of(home).is_empty(), "{:?}", processes_of(home));
}

#[test]
fn over_relays_the_hole_is_refused_and_its_drill_void() {
    let region = Region::up("relay-blackhole");
    let refused = region.run(&["impair", "b", "blackhole"]).expect_code(3).err;
    assert!(refused.contains("`zonedrill up --platform local --network wire`"), "{refused}");
    let ran = region.run(&["drill", "run", "blackhole"]);
    println!("{}{}", ran.out, ran.err);
    assert_eq!(ran.code, 2, "{}\n{}", ran.out, ran.err);
    assert!(ran.out.contains("cannot do mtu"), "{}", ran.out);
}

#[test]
fn where_user_namespaces_are_forbidden_it_says_what_allows_them() {
    let region = Region::new("wire-forbidden");
    let forbid = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" \"$@\"";
    let mut inner = std::process::Command::new("unshare");
    inner.args(["-Ur", "sh", "-c", forbid, env!("CARGO_BIN_EXE_zonedrill"), "up"]);
    inner.args(["--network", "wire", "--port-base", &region.port.to_string(), "--nats-server"]);
    inner.arg(nats_server()).env("ZONEDRILL_HOME", region.home.path());
    inner.env("ZONEDRILL_REGION", &region.name).stdin(std::process::Stdio::null());
    let Ok(output) = inner.output() else { return println!("SKIPPED: there is no unshare") };
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("unshare failed") || said.contains("max_user_namespaces: ") {
        return println!("SKIPPED: {said}");
    }
    assert!(!output.status.success(), "{output:?}");
    for part in
        ["no wire can be made here", "sysctl -w user.max_user_namespaces", "--network relay"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_wire_is_of_the_local_platform() {
    let region = Region::new("wire-docker");
    let refused = region.start(&["--network", "wire", "--platform", "docker"]).expect_code(3);
    assert!(refused.err.contains("`--network wire` is of the local platform"), "{}", refused.err);
}
