//! Every sabotage of every drill, and whether each ended as it must.
//!
//! Regions of their own: a fault that stays on the streams would rightly break every later verdict
//! there, so those get a fresh region each; the others share one.

use std::{collections::VecDeque, sync::Mutex};

use color_eyre::eyre;
use futures::future::join_all;

use super::{StartArgs, alone::Alone, shell, tell};
use crate::{
    command::{Command, Drill, DrillOptions, DrillRun, Sabotage},
    region::status::Verdict,
    room::drills::{self, Ended, sabotage},
};

/// Regions at the same time: a drill mostly waits.
const AT_ONCE: usize = 2;

/// One of them.
#[derive(Clone, Debug)]
struct Case {
    drill: String,
    kind: Sabotage,
}

/// What it came to.
struct Came {
    case: Case,
    /// Why it could not be run, or how it ended.
    ended: Result<Ended, String>,
}

/// Runs every sabotage of these drills (of the four conclusions if none is named).
///
/// # Errors
/// When there is no such drill, or it is interrupted.
pub async fn all(name: &str, asked: &StartArgs, names: &[String]) -> eyre::Result<u8> {
    let all = ["all".to_owned()];
    let names = if names.is_empty() { &all[..] } else { names };
    let scripts = drills::choice::chosen(names).map_err(|failure| eyre::eyre!("{failure}"))?;
    let mut order = Vec::new();
    let (mut together, mut each) = (VecDeque::new(), VecDeque::new());
    for script in &scripts {
        // A drill that adds or promotes a zone leaves it so: the next one gets a region of its own.
        let lasts = |line| matches!(line, Command::ZoneAdd { .. } | Command::Promote { .. });
        let grows = script.commands().any(lasts);
        for kind in &script.sabotages {
            let case = Case { drill: script.name.clone(), kind: *kind };
            order.push((case.drill.clone(), *kind));
            if sabotage::leaves_no_trace(*kind) && !grows {
                together.push_back(case);
            } else {
                each.push_back(VecDeque::from([case]));
            }
        }
    }
    if !together.is_empty() {
        each.push_front(together);
    }
    let queue = Mutex::new(each);
    let came = Mutex::new(Vec::new());
    let next = || queue.lock().ok().and_then(|mut queue| queue.pop_front());
    let workers = (0..AT_ONCE).map(|_| async {
        while let Some(cases) = next() {
            let done = one_region(name, asked, cases).await;
            if let Ok(mut came) = came.lock() {
                came.extend(done);
            }
        }
    });
    tokio::select! {
        _ = join_all(workers) => {}
        _ = tokio::signal::ctrl_c() => eyre::bail!("interrupted; nothing was left running"),
    }
    let mut came = came.into_inner().unwrap_or_default();
    came.sort_by_key(|one| {
        order.iter().position(|(drill, kind)| *drill == one.case.drill && *kind == one.case.kind)
    });
    super::print(&table(&came));
    let tried = came.iter().any(|one| one.ended.is_ok());
    let right = came.len() == order.len() && tried && came.iter().all(is_right);
    Ok(match (right, tried) {
        (true, _) => 0,
        (false, true) => 1,
        (false, false) => 3,
    })
}

/// Runs some in one region, one after the other.
async fn one_region(name: &str, asked: &StartArgs, cases: VecDeque<Case>) -> Vec<Came> {
    let started = async {
        let alone = Alone::start("sabotage", asked, None).await?;
        alone.until_up(name).await?;
        Ok::<_, eyre::Report>(alone)
    };
    let alone = match started.await {
        Ok(alone) => alone,
        Err(error) => {
            let why = format!("{error:#}");
            return cases.into_iter().map(|case| Came { case, ended: Err(why.clone()) }).collect();
        }
    };
    let mut came = Vec::new();
    for case in cases {
        let ended = run(&alone, name, &case).await.map_err(|error| format!("{error:#}"));
        let one = Came { case, ended };
        tell(&line(&one));
        came.push(one);
    }
    alone.end().await;
    came
}

async fn run(alone: &Alone, name: &str, case: &Case) -> eyre::Result<Ended> {
    let run = DrillRun {
        names: vec![case.drill.clone()],
        zone: None,
        scale: 1,
        sabotage: Some(case.kind),
        when: None,
        // Without it a mirror's failover is broken anyway.
        options: DrillOptions { rebuild_dedup: case.drill == "failover", to_version: None },
        pace: None,
        present: false,
        report: None,
    };
    let command = Command::Drill(Drill::Run(run));
    let answer = shell::follow_with(&alone.home, name, &command, |_| {}).await?;
    let data = answer.data.and_then(|mut data| data.pointer_mut("/drills/0").map(std::mem::take));
    let data = data.ok_or_else(|| eyre::eyre!("{}", answer.text))?;
    Ok(serde_json::from_value(data)?)
}

fn is_right(came: &Came) -> bool {
    came.ended.as_ref().is_ok_and(|ended| ended.as_it_must)
}

fn line(came: &Came) -> String {
    let (verdict, why) = match &came.ended {
        Ok(ended) => {
            let off = ended.off_script.as_ref().map(|off| format!("not as scripted: {off}; "));
            (ended.verdict.as_str(), format!("{}{}", off.unwrap_or_default(), ended.evidence))
        }
        Err(why) => (Verdict::Void.as_str(), why.clone()),
    };
    row(
        &came.case.drill,
        came.case.kind.as_str(),
        verdict,
        if is_right(came) { "yes" } else { "NO" },
        &why,
    )
}

fn row(drill: &str, kind: &str, verdict: &str, right: &str, why: &str) -> String {
    format!("{drill:<12} {kind:<17} {verdict:<8} {right:<11} {why}")
}

fn table(came: &[Came]) -> String {
    let mut lines =
        vec![String::new(), row("drill", "sabotage", "verdict", "as it must", "reason")];
    lines.extend(came.iter().map(line));
    lines.join("\n")
}
