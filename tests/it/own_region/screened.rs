//! What is done on a screen of a region of others: the same as in a shell, once its name was typed.

use std::{ffi::OsStr, path::PathBuf, time::Duration};

use rustix::process::Signal;
use serde_json::Value;

use super::{
    belongings,
    cuts::{audit, linked, with_systems},
    drilled::{finding, ours, report},
    says,
};
use crate::support::{nats::eventually, others::Others, screen::Terminal};

const PATIENCE: Duration = Duration::from_secs(60);
/// What the file of such a region allows.
const ALLOW: &str = "allow = [\"produce\", \"cut\"]\nsubject =";

fn allowing(region: &str) -> String {
    region.replacen("subject =", ALLOW, 1)
}

/// A screen on it, once it shows the copy.
fn screen(others: &Others, region: &str, words: &[&str]) -> Terminal {
    run(env!("CARGO_BIN_EXE_zonedrill"), &[], others, region, words)
}

/// The same, by a program that takes its words after its own.
fn run(program: &str, own: &[&str], others: &Others, region: &str, words: &[&str]) -> Terminal {
    let file = others.write("region.toml", region);
    let home = others.home.path().join("home");
    let config = others.home.path().join("config");
    let env = [
        ("ZONEDRILL_HOME", home.as_os_str()),
        ("XDG_CONFIG_HOME", config.as_os_str()),
        ("NO_COLOR", OsStr::new("1")),
    ];
    let args = [own, &["--region-file", file.to_str().unwrap()], words].concat();
    let screen = Terminal::run(program.as_ref(), &args, &env, (160, 50));
    screen.answer(true);
    screen.wait_for("streaming");
    screen
}

/// Types a line in the palette, once that is open.
fn give(screen: &mut Terminal, line: &str) {
    screen.press(":");
    screen.wait_for("─ command ─");
    screen.press(&format!("{line}\r"));
}

/// Closes the answer that lies on top.
fn close(screen: &mut Terminal) {
    screen.wait_for(" esc ┓");
    screen.press("q");
    screen.wait("nothing on top", |text| !text.contains(" esc ┓"));
}

/// Leaves the palette, in which a line that was refused stands again.
fn put_away(screen: &mut Terminal) {
    screen.wait_for("─ command ─");
    screen.press("\u{15}\u{7f}");
    screen.wait("no palette", |text| !text.contains("─ command ─"));
}

/// Answers the question of a command with a name.
fn name(screen: &mut Terminal, name: &str) {
    screen.wait_for("type the region's name");
    screen.press(&format!("{name}\r"));
}

/// The bundles of all commands on that region.
fn bundles(others: &Others) -> Vec<PathBuf> {
    let sessions = others.home.path().join("home/shop.others");
    let within = |folder: PathBuf| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let reports = within(sessions).into_iter().flat_map(|one| within(one.join("reports")));
    reports.filter(|folder| folder.join("report.json").exists()).collect()
}

/// The region's link is whole, and nothing of ours is left in it.
async fn is_as_before(clients: &[async_nats::Client; 2]) {
    eventually("the link is whole", PATIENCE, async || linked(&clients[1]).await.then_some(()))
        .await;
    assert_eq!(ours(clients).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_heal_is_proved_on_a_screen_once_the_name_was_typed() {
    let (others, clients, region) = with_systems("").await;
    let before = [belongings(&clients[0]).await, belongings(&clients[1]).await];
    let mut screen = screen(&others, &allowing(&region), &[]);
    give(&mut screen, "drill run heal");
    screen.wait_for("publishes 220 messages");
    screen.wait_for("conclusion 2, heal: within reach");
    // A wrong name, and none at all.
    name(&mut screen, "shot");
    screen.wait_for("`shot` is not this region: it is `shop`");
    put_away(&mut screen);
    screen.press("2");
    screen.wait_for("type the region's name");
    screen.press("\r");
    screen.press("\u{1b}");
    screen.wait_for("it was not confirmed: nothing is published or cut");
    assert!(audit(&others).is_empty() && ours(&clients).await.is_empty());
    assert_eq!(before, [belongings(&clients[0]).await, belongings(&clients[1]).await]);

    give(&mut screen, "drill run heal");
    name(&mut screen, "shop");
    screen.wait_for("drill heal · conclusion 2");
    screen.wait_for("CUT b");
    // One thing at a time.
    give(&mut screen, "verify");
    screen.wait_for("`drill run heal` runs: wait for its end, or `drill stop` ends it");
    put_away(&mut screen);
    screen.wait("the verdict", |text| text.contains("1 of 1 proved"));
    screen.wait_for("`zonedrill verify ");
    is_as_before(&clients).await;
    let bundles = bundles(&others);
    assert_eq!(bundles.len(), 1, "{bundles:?}");
    others.zonedrill(&["verify", bundles[0].to_str().unwrap()]).expect_code(0);
    says(&finding(&report(&bundles[0]), "recovery"), "100 messages");
    let whats: Vec<Value> = audit(&others).iter().map(|line| line["what"].clone()).collect();
    for what in ["make a consumer", "produce", "cut", "heal", "remove a consumer"] {
        assert!(whats.iter().any(|one| one == what), "{what}: {whats:?}");
    }

    // The onlooker again, and what was shown stays.
    close(&mut screen);
    screen.wait("the onlooker", |text| text.contains("1–320") && text.contains("proved"));
    screen.press("w");
    screen.wait_for("┏ why ");
    screen.wait_for("2 heal ");
    close(&mut screen);
    give(&mut screen, "verify");
    screen.wait_for("320 messages compared");
    close(&mut screen);
    screen.press("q");
    assert_eq!(screen.exit_code(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_the_file_does_not_allow_is_refused_on_a_screen_with_the_line_to_add() {
    let (others, clients, region) = with_systems("").await;
    let mut screen = screen(&others, &region, &[]);
    give(&mut screen, "drill run heal");
    screen.wait_for("add `allow = [\"produce\", \"cut\"]` to its file");
    put_away(&mut screen);
    give(&mut screen, "nudge b");
    screen.wait_for("somebody else runs this region: `nudge b` is not done there");
    screen.wait_for("`drill run heal` (or `cut`, `independent`, `all`)");
    give(&mut screen, "doctor");
    screen.wait_for("zone a (source): nats-server");
    close(&mut screen);
    assert!(audit(&others).is_empty() && ours(&clients).await.is_empty());
}

/// What is said when a screen is opened counts for all that is done on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cut_and_a_drill_on_a_screen_end_when_somebody_says_so() {
    let (others, clients, region) = with_systems("").await;
    let words = ["--allow", "produce,cut", "--confirm", "shop"];
    let mut screen = screen(&others, &region, &words);
    give(&mut screen, "produce 1 20 10ms");
    screen.wait_for("✓ 20 acked of 20 sent");
    // The key of a cut asks for how long.
    screen.press("\t");
    screen.press("c");
    screen.wait_for("cut b --for 30s");
    screen.press("\u{7f}\u{7f}\u{7f}10m\r");
    eventually("the link is cut", PATIENCE, async || (!linked(&clients[1]).await).then_some(()))
        .await;
    give(&mut screen, "heal b");
    screen.wait_for("zone b has caught up");
    is_as_before(&clients).await;
    close(&mut screen);
    // A key that drills asks, as it would in any region.
    screen.press("2");
    screen.wait_for("run `drill run heal --zone b`?");
    screen.press("y");
    screen.wait_for("CUT b");
    screen.press("x");
    screen.wait_for("run `drill stop`?");
    screen.press("y");
    screen.wait_for("0 of 1 proved; heal is void");
    screen.wait_for("`zonedrill verify ");
    is_as_before(&clients).await;
    close(&mut screen);
    give(&mut screen, "down");
    screen.wait_for("nothing of zonedrill's is there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_screen_that_ends_in_a_cut_leaves_a_whole_link() {
    let (others, clients, region) = with_systems("").await;
    for (time, signal) in [Some(Signal::HUP), Some(Signal::TERM), None].into_iter().enumerate() {
        let mut screen = screen(&others, &allowing(&region), &["--confirm", "shop"]);
        give(&mut screen, "drill run heal");
        eventually("the link is cut", PATIENCE, async || {
            (!linked(&clients[1]).await).then_some(())
        })
        .await;
        let code = if let Some(signal) = signal {
            screen.signal(signal);
            128 + signal.as_raw()
        } else {
            screen.press("q");
            screen.wait_for("`drill run heal` ends");
            screen.press("\r");
            2
        };
        assert_eq!(screen.exit_code(), u32::try_from(code).unwrap());
        // All of it was done before the process ended.
        assert!(linked(&clients[1]).await && ours(&clients).await.is_empty());
        let bundles = bundles(&others);
        assert_eq!(bundles.len(), time + 1, "{bundles:?}");
        let newest = bundles.iter().max().unwrap();
        says(&finding(&report(newest), "trial"), "void: the drill was interrupted");
        screen.wait("what it came to", |text| text.contains("zonedrill verify"));
    }
}

/// Nobody is there to read anything: the terminal itself goes, with the shell whose it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_terminal_that_is_lost_in_a_cut_leaves_a_whole_link() {
    let (others, clients, region) = with_systems("").await;
    let words = ["-c", "\"$0\" \"$@\"; true", env!("CARGO_BIN_EXE_zonedrill")];
    let confirm = ["--confirm", "shop"];
    let mut screen = run("/bin/sh", &words, &others, &allowing(&region), &confirm);
    give(&mut screen, "drill run heal");
    eventually("the link is cut", PATIENCE, async || (!linked(&clients[1]).await).then_some(()))
        .await;
    screen.signal(Signal::KILL);
    eventually("it has ended in order", PATIENCE, async || {
        let left = !linked(&clients[1]).await || !ours(&clients).await.is_empty();
        (!left && !bundles(&others).is_empty()).then_some(())
    })
    .await;
    says(&finding(&report(&bundles(&others)[0]), "trial"), "void: the drill was interrupted");
    let healed = audit(&others).into_iter().filter(|line| line["what"] == "heal, by the guard");
    assert_eq!(healed.count(), 0);
}
