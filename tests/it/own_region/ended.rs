//! Drills on a region of others that are ended before their end: by a person, and by their limit.

use std::{path::Path, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    cuts::{linked, with_systems},
    drilled::{CONSENT, drill, finding, ours, report},
    says,
};
use crate::support::nats::eventually;

const PATIENCE: Duration = Duration::from_secs(60);

/// What an ended drill leaves: a whole link, none of its consumers, and a bundle that says so.
#[track_caller]
fn is_told(out: &str, code: Option<i32>, bundle: &Path, why: &str) {
    assert_eq!(code, Some(2), "{out}");
    says(out, &format!("it ends now, because {why}: what it cut is healed"));
    says(out, "heal is void");
    says(out, &format!("evidence: {}", bundle.display()));
    let run = report(bundle);
    says(&finding(&run, "trial"), "void: the drill was interrupted");
    says(&finding(&run, "script-completed"), "void: ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_drill_that_somebody_ends_in_its_cut_is_healed_and_told() {
    let (others, clients, region) = with_systems("").await;
    let bundle = others.home.path().join("bundle");
    let words = [&drill("heal", &["--report", bundle.to_str().unwrap()])[..], &CONSENT].concat();
    let drilling = others.begin(&region, &words, Stdio::piped());
    eventually("the link is cut", PATIENCE, async || (!linked(&clients[1]).await).then_some(()))
        .await;
    kill_process(Pid::from_raw(drilling.id().cast_signed()).unwrap(), Signal::INT).unwrap();
    let ended = drilling.wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&ended.stdout).into_owned();
    is_told(&out, ended.status.code(), &bundle, "it was asked to end");
    assert!(linked(&clients[1]).await && ours(&clients).await.is_empty());
    others.zonedrill(&["verify", bundle.to_str().unwrap()]).expect_code(2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_drill_whose_time_is_over_is_healed_and_told() {
    let (others, clients, region) = with_systems("").await;
    let region = format!("{region}\n[limits]\nseconds = 6\n");
    let bundle = others.home.path().join("bundle");
    let words = [&drill("heal", &["--report", bundle.to_str().unwrap()])[..], &CONSENT].concat();
    let ran = others.run(&region, &words);
    let why = "its time is over (`seconds` under [limits])";
    is_told(&ran.out, Some(ran.code), &bundle, why);
    assert!(linked(&clients[1]).await && ours(&clients).await.is_empty());
}

/// What is typed after the words of a drill that found its link uncut heals it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_remedy_of_a_drill_names_the_file_and_can_be_typed() {
    let lie = "cut = { hook = \"true\", heal = \"true\" }\n";
    let (others, _, region) = with_systems(lie).await;
    let words = [&drill("cut", &[])[..], &CONSENT].concat();
    let ran = others.run(&region, &words).expect_code(2);
    let at = ran.out.find("`zonedrill --region-file ").unwrap_or_else(|| panic!("{}", ran.out));
    let line = ran.out[at + 1..].split('`').next().unwrap();
    let words: Vec<&str> = line.split(' ').skip(1).collect();
    assert!(words.contains(&"heal"), "{line}");
    says(&others.zonedrill(&words).expect_code(0).out, "nothing of a cut is left");
}
