//! The docker platform against a real engine: regions as they come up, run and go, what they leave,
//! and what stands in their way. What somebody else does to one is in `docker_meddled`.
//!
//! Where no engine answers, every test here says so on standard error and tests nothing;
//! `ZONEDRILL_NEED_DOCKER=1` makes the first of them fail then.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::support::{
    calm::calmly,
    docker::{Lab, Left, Ran, SOON, engine, loudly, nats_server, node, skip},
};

#[test]
fn without_an_engine_everything_here_is_skipped() {
    if engine().is_some() {
        return loudly("a Docker engine answers: the docker tests run against it");
    }
    loudly("SKIPPED: no Docker engine answers, NOTHING of the docker platform was tested");
    assert!(std::env::var_os("ZONEDRILL_NEED_DOCKER").is_none(), "a Docker engine is needed");
}

#[test]
fn a_region_in_containers_from_end_to_end() {
    skip!();
    let lab = Lab::up("flow");
    let region = &lab.region;
    assert_eq!(region.status()["platform"], "docker");
    region.ok("produce 1 50 --interval 1ms");
    region.wait_zone("b", "b has 50", SOON, |b| b["ledger"]["received"] == 50);

    // A cut is silent: at first the servers go on listing what is dead.
    let cutting = region.program().args(["cut", "b"]).spawn().expect("cut");
    region.wait("the cut is told, and not yet noticed", SOON, |status| {
        let link = &status["zones"][1]["link"];
        link["state"] == "cut" && link["kind"] == "unplug" && link["effective"] == false
    });
    assert!(
        region.ok("status").contains("servers have not noticed yet"),
        "{}",
        region.ok("status")
    );
    let ended = cutting.wait_with_output().expect("cut ends");
    assert!(ended.status.success(), "{ended:?}");
    let b = region.zone("b");
    assert_eq!(b["link"]["effective"], true, "{b:#}");
    assert!(lab.on_the_wan().iter().all(|name| !name.contains("zone-b")), "{:?}", lab.on_the_wan());
    // The cut zone keeps its clients' ports: its nodes answer, and so does its consumer.
    for name in ["js1-zone-b", "js2-zone-b", "js3-zone-b"] {
        assert_eq!(node(&b, name)["state"], "up", "{b:#}");
        assert!(node(&b, name)["answered_at_ms"].is_u64(), "{b:#}");
    }
    region.ok("produce 51 100 --interval 1ms");
    region.wait_zone("a", "a has 100", SOON, |a| a["ledger"]["received"] == 100);
    assert_eq!(region.zone("b")["ledger"]["received"], 50, "the cut leaks");

    region.ok("heal b");
    assert_eq!(lab.on_the_wan().len(), 6);
    let b = region.wait_zone("b", "b has 100", SOON, |b| b["ledger"]["received"] == 100);
    assert_eq!(b["link"]["state"], "up", "{b:#}");
    region.ok("verify");

    // Healed before anybody noticed: the connections of before are dead and must not count.
    let cutting = region.program().args(["cut", "b"]).spawn().expect("cut");
    region.wait("b leaves the WAN", SOON, |_| lab.on_the_wan().len() == 3);
    region.ok("heal b");
    drop(cutting.wait_with_output());
    region.ok("produce 101 150 --interval 1ms");
    let b = region.wait_zone("b", "b has 150", SOON, |b| b["ledger"]["received"] == 150);
    let link_up = b["recovery"]["link_up_after_ms"].as_u64().expect("a clock");
    assert!(link_up > 500, "a dead connection was taken for the link: {b:#}");

    let refused = region.run(&["cut", "b", "--kind", "refuse"]).expect_code(3);
    assert!(
        refused.err.contains("docker platform") && refused.err.contains("unplug"),
        "{refused:?}"
    );

    for (line, state) in [
        ("node freeze js1-zone-b", "frozen"),
        ("node thaw js1-zone-b", "up"),
        ("node kill js2-zone-b", "dead"),
        ("node start js2-zone-b", "up"),
        ("node stop js3-zone-b", "stopped"),
        ("node start js3-zone-b", "up"),
    ] {
        region.ok(line);
        let name = line.rsplit(' ').next().unwrap();
        let b = region.wait_zone("b", line, SOON, |b| node(b, name)["state"] == state);
        let word = &node(&b, name)["container"]["state"];
        let wanted = match state {
            "up" => "running",
            "frozen" => "paused",
            _ => "exited",
        };
        assert_eq!(word, wanted, "{line}");
    }
    let told = region.wait_zone("b", "the engine measures", SOON, |b| {
        let container = &node(b, "js1-zone-b")["container"];
        container["cpu_percent"].is_number() && container["memory_bytes"].as_u64() > Some(1 << 20)
    });
    assert_eq!(node(&told, "js1-zone-b")["container"]["restarts"], 0);
    let log = region.folder().join("servers/js1-zone-b/nats-server.log");
    assert!(fs::read_to_string(&log).unwrap().contains("Server is ready"), "{}", log.display());

    region.ok("zone add");
    region.wait_zone("c", "c has all", SOON, |c| c["ledger"]["received"] == 150);
    region.ok("zone remove c");
    assert!(lab.everything().iter().all(|name| !name.contains("zone-c")), "{:?}", lab.everything());
    region.ok("doctor");

    // Data outlives a `down`, and nothing outlives a purge.
    region.ok("down");
    assert!(lab.everything().iter().all(|name| name.starts_with("volume ")));
    lab.start(&[]).expect_code(0);
    region.wait_zone("a", "the data is there", SOON, |a| a["stream"]["messages"] == 150);
    region.ok("down --purge");
    assert_eq!(lab.everything(), Vec::<String>::new());
}

#[test]
fn a_frozen_container_does_not_keep_a_cut_waiting() {
    skip!();
    let lab = Lab::up("frozen");
    lab.region.a_frozen_node_is_told("cut b");
}

#[test]
fn a_killed_room_leaves_its_containers_to_be_adopted_or_removed() {
    skip!();
    let lab = Lab::up("orphan");
    let region = &lab.region;
    region.ok("produce 1 30 --interval 1ms");
    region.wait_zone("b", "b has 30", SOON, |b| b["ledger"]["received"] == 30);
    region.ok("cut b");
    lab.kill_room();
    assert_eq!(lab.running(), 6, "containers outlive their room");
    let refused = lab.start(&[]);
    assert_ne!(refused.code, 0);
    let told = format!("{}{}", refused.out, refused.err);
    assert!(told.contains("--adopt") && told.contains("zone a: 3 running"), "{told}");
    assert_eq!(lab.running(), 6, "nothing was touched");
    let doctor = region.run(&["doctor", "--platform", "docker"]);
    assert!(doctor.out.contains("up --adopt"), "{doctor:?}");

    let before = lab.ids();
    lab.docker(&["pause", "js2-zone-a"]);
    let adopted = lab.start(&["--adopt"]).expect_code(0);
    let told = format!("{}{}", adopted.out, adopted.err);
    assert_eq!(lab.ids(), before, "adopted containers are the same containers");
    // What it finds it keeps, or says.
    assert!(told.contains("js2-zone-a is frozen: it is resumed"), "{told}");
    assert!(told.contains("zone b is cut and stays cut"), "{told}");
    assert_eq!(lab.on_the_wan().len(), 3, "a cut stays cut");
    region.wait_zone("b", "the cut is proved anew", SOON, |b| {
        b["link"]["state"] == "cut" && b["link"]["effective"] == true
    });
    region.ok("heal b");
    assert_eq!(lab.on_the_wan().len(), 6);
    region.ok("produce 31 40 --interval 1ms");
    region.wait_zone("b", "b goes on", SOON, |b| b["ledger"]["received"] == 40);
    region.ok("verify");
    region.ok("node kill js1-zone-a");
    region.ok("node start js1-zone-a");

    lab.kill_room();
    let said = region.ok("down");
    assert!(said.contains("6 containers are removed"), "{said}");
    assert_eq!(lab.running(), 0);
    region.ok("down --purge");
    assert_eq!(lab.everything(), Vec::<String>::new());
}

/// A region for one shell goes with its data: the next one would find messages there that it never
/// produced. One whose folder is gone leaves data that a new region of its name must not take.
#[test]
fn data_of_another_region_is_nobodys() {
    skip!();
    let lab = Lab::new("once");
    let region = &lab.region;
    let ran = calmly(|| {
        let _ = fs::remove_dir_all(region.home.path().join("proof"));
        let mut drill = region.program();
        drill
            .args(["drill", "run", "independent", "--platform", "docker", "--report", "proof"])
            .args(["--nats-server"])
            .arg(nats_server())
            .current_dir(region.home.path())
            .env("TMPDIR", region.home.path());
        Ran::of(&mut drill)
    });
    ran.expect_code(0);
    let left = Lab::raw_docker(&["volume", "ls", "--format", "{{.Name}}"]);
    let ours = format!("zonedrill-{}-", region.name);
    assert!(!left.contains(&ours), "{left}");

    // Without a port base it would look at ports that another test may have.
    let base = region.port.to_string();
    let doctor = ["doctor", "--platform", "docker", "--port-base", &base];
    let volume = format!("{ours}js1-zone-a");
    let label = format!("zonedrill.region={}", region.name);
    Lab::raw_docker(&["volume", "create", "--label", &label, &volume]);
    let looked = region.run(&doctor).expect_code(3).out;
    let refused = lab.start(&[]);
    assert_ne!(refused.code, 0);
    // It bears no id: an earlier release made it.
    for told in [looked, format!("{}{}", refused.out, refused.err)] {
        assert!(told.contains(&volume) && told.contains("no id"), "{told}");
    }
    region.run(&["down", "--purge"]).expect_code(3);
    let said = region.ok("down --purge --force-foreign unmarked");
    assert!(said.contains("1 volumes are removed"), "{said}");
    assert_eq!(lab.everything(), Vec::<String>::new());
    let looked = region.run(&doctor).expect_code(0).out;
    assert!(looked.contains("no volumes of this region"), "{looked}");
    lab.start(&[]).expect_code(0);
    // Its own data is in nobody's way.
    region.ok("down");
    let looked = region.run(&doctor).expect_code(0).out;
    assert!(looked.contains("6 volumes of this region"), "{looked}");
}

/// Killed while it comes up; while a drill runs; and while the shell
/// lives on, which then sees to it.
#[test]
fn nothing_stays_of_a_region_for_one_shell_that_was_killed() {
    skip!();
    let lab = Lab::new("killed");
    let region = &lab.region;
    let begin = || {
        let run = region.begin_one_run(&["--platform", "docker"]);
        let left = Left::of(&run);
        (run, left)
    };
    let nothing_stays = |left: &Left, when: &str| {
        region.wait_for_processes_to_end(Duration::from_secs(150));
        assert_eq!(left.everything(), Vec::<String>::new(), "{when}");
        assert_eq!(region.one_runs(), Vec::<PathBuf>::new(), "{when}");
    };
    let (mut run, left) = begin();
    let deadline = Instant::now() + SOON;
    while !left.everything().iter().any(|name| name.contains("-zone-")) {
        assert!(Instant::now() < deadline, "nothing is begun");
    }
    run.kill_room();
    run.kill_shell();
    nothing_stays(&left, "coming up");

    let (mut run, left) = begin();
    run.wait_for_the_drill();
    run.kill_shell();
    run.kill_room();
    nothing_stays(&left, "while a drill runs");

    let (mut run, left) = begin();
    run.wait_for_the_drill();
    run.kill_room();
    assert_ne!(run.shell.wait().expect("it ends").code(), Some(0));
    nothing_stays(&left, "its shell lives");
}

#[test]
fn two_regions_side_by_side() {
    skip!();
    let (one, two) = (Lab::up("east"), Lab::up("west"));
    one.region.ok("produce 1 20 --interval 1ms");
    // A mirror that never held anything can begin behind what it missed (docs/nats-facts.md).
    two.region.ok("produce 1 5 --interval 1ms");
    two.region.wait_zone("b", "west has 5", SOON, |b| b["ledger"]["received"] == 5);
    two.region.ok("cut b");
    two.region.ok("produce 6 15 --interval 1ms");
    one.region.wait_zone("b", "east has 20", SOON, |b| b["ledger"]["received"] == 20);
    assert_eq!(one.region.zone("b")["link"]["state"], "up");
    assert_eq!(two.region.zone("b")["ledger"]["received"], 5);
    one.region.ok("down --purge");
    assert_eq!(one.everything(), Vec::<String>::new());
    two.region.ok("heal b");
    two.region.wait_zone("b", "west has 15", SOON, |b| b["ledger"]["received"] == 15);
    // A port that another container has is told with its holder.
    let third = Lab::new("south");
    let port = two.region.port.to_string();
    let words = ["up", "--platform", "docker", "--port-base", &port];
    let refused = third.region.run(&words);
    assert_ne!(refused.code, 0);
    let told = format!("{}{}", refused.out, refused.err);
    assert!(told.contains(&format!("region `{}`", two.region.name)), "{told}");
    assert!(told.contains("--port-base"), "{told}");
}

#[test]
fn the_four_conclusions_hold_in_containers() {
    skip!();
    let lab = Lab::up("drills");
    let ran = lab.region.proved(&["drill", "run", "all"]);
    for name in ["cut", "heal", "independent", "grow"] {
        let proved = ran.out.lines().any(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some(name) && words.next() == Some("proved")
        });
        assert!(proved, "{name}: {ran:?}");
    }
    let status = lab.region.status();
    let conclusions = status["conclusions"].as_array().expect("conclusions");
    assert!(conclusions.iter().all(|c| c["verdict"] == "proved"), "{conclusions:?}");
}
