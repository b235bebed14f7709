//! The search for what breaks: schedules of faults, each in a region of its own; what fails is run
//! again and shrunk to the shortest script that fails.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use color_eyre::eyre::{self, WrapErr};
use futures::{StreamExt, future::join_all, stream};
use serde::Serialize;

use super::{StartArgs, alone::Alone, shell, tell};
use crate::{
    command::{
        Command, Drill, DrillOptions, DrillRun, DrillSearch, Extent, units::format_duration,
    },
    drill::{
        condition::Condition,
        search::{BadLinks, Ground, Schedule, shrink::Shrinking},
    },
    region::{PlatformKind, format::seconds, status::Verdict, topology::Network},
    room::{
        drills::{Ended, bundle},
        protocol::Outcome,
    },
};

/// More regions at once than this only slow each other down.
const MOST_AT_ONCE: usize = 4;

/// How often what failed is run again until it fails again.
const AGAIN: usize = 3;

/// What one schedule came to.
#[derive(Clone, Debug, Serialize)]
struct Tried {
    seed: u64,
    faults: String,
    verdict: Verdict,
    /// Why it is not proved.
    why: String,
    took_ms: u64,
    /// Its evidence; removed where there was nothing to find.
    bundle: Option<PathBuf>,
}

impl Tried {
    fn failed(&self) -> bool {
        self.verdict == Verdict::Broken
    }

    fn line(&self) -> String {
        let why = if self.why.is_empty() { String::new() } else { format!(": {}", self.why) };
        let took = seconds(self.took_ms);
        format!("seed {:>4}  {:<7} {took:>8}  {}{why}", self.seed, self.verdict, self.faults)
    }
}

/// Searches, and tells what each schedule came to; the exit code is the worst verdict.
///
/// # Errors
/// When the condition of a sabotage is none, the folder cannot be written, or it is interrupted.
pub async fn search(name: &str, asked: &StartArgs, what: &DrillSearch) -> eyre::Result<u8> {
    if let Some(when) = &what.when {
        Condition::parse(when).wrap_err("`--when`")?;
    }
    let ground = ground(asked, what)?;
    let out = what.out.clone().unwrap_or_else(|| {
        PathBuf::from(format!("zonedrill-search-{}", bundle::new_name(&what.seed.to_string())))
    });
    std::fs::create_dir_all(&out).wrap_err_with(|| format!("cannot create {}", out.display()))?;
    let searching = Searching { name, asked, what, out: std::path::absolute(&out)? };
    tokio::select! {
        code = searching.all(&ground) => code,
        _ = tokio::signal::ctrl_c() => eyre::bail!("interrupted; nothing was left running"),
    }
}

/// What there is to throw faults at, on the platform that is asked for.
fn ground(asked: &StartArgs, what: &DrillSearch) -> eyre::Result<Ground> {
    let bad = match (asked.platform, asked.network) {
        (Some(PlatformKind::Docker), _) => BadLinks::Filters,
        (_, Some(Network::Wire)) => BadLinks::Packets,
        _ => BadLinks::Streams,
    };
    let ground = Ground::of(what.faults.clone(), bad, what.length);
    ground.ok_or_else(|| eyre::eyre!("no zones to throw faults at"))
}

/// How many regions run side by side: a drill mostly waits.
fn at_once() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(MOST_AT_ONCE)
}

/// A search on its way.
struct Searching<'a> {
    name: &'a str,
    asked: &'a StartArgs,
    what: &'a DrillSearch,
    /// Where what failed goes.
    out: PathBuf,
}

impl Searching<'_> {
    async fn all(&self, ground: &Ground) -> eyre::Result<u8> {
        let began = Instant::now();
        let in_time = |_: &u64| self.what.at_most.is_none_or(|most| began.elapsed() < most);
        let seeds = (self.what.seed..self.what.seed + self.what.rounds).take_while(in_time);
        let mut coming = stream::iter(seeds)
            .map(|seed| async move {
                let schedule = Schedule::by(seed, ground);
                let tried = self.one(&schedule).await;
                tell(&tried.line());
                (schedule, tried)
            })
            .buffered(at_once());
        let (mut all, mut failed) = (Vec::new(), Vec::new());
        while let Some((schedule, tried)) = coming.next().await {
            if tried.failed() {
                failed.push(schedule);
            }
            all.push(tried);
            // As it happens: hours of searching must not be lost to a last mistake.
            self.write("search.json", &serde_json::to_vec_pretty(&all)?)?;
        }
        drop(coming);
        for schedule in failed {
            tell(&format!("\n{}", self.shrunk(schedule).await?));
        }
        tell(&format!("\n{}", told(&all, &self.out, began.elapsed())));
        let any = |verdict| all.iter().any(|tried| tried.verdict == verdict);
        Ok(if any(Verdict::Broken) {
            1
        } else if any(Verdict::Void) || all.is_empty() {
            2
        } else {
            0
        })
    }

    /// Runs what failed again, and makes it shorter while it fails; what came of it, in words.
    async fn shrunk(&self, schedule: Schedule) -> eyre::Result<String> {
        let (seed, count) = (schedule.seed, schedule.faults.len());
        tell(&format!("\nseed {seed} failed: it is run again, then shrunk"));
        let mut tries = 0;
        loop {
            tries += 1;
            if self.one(&schedule).await.failed() {
                break;
            }
            if tries == AGAIN {
                return Ok(format!(
                    "seed {seed} failed once, and not in {AGAIN} more runs: it is not shrunk. The script: {}",
                    self.script(&schedule)?.display()
                ));
            }
        }
        let mut shrinking = Shrinking::of(schedule);
        loop {
            let next = shrinking.next();
            if next.is_empty() {
                break;
            }
            let mut found = None;
            for some in next.chunks(at_once()) {
                tries += some.len();
                let came = join_all(some.iter().map(|shorter| self.one(shorter))).await;
                let mut pairs = some.iter().zip(&came);
                if let Some((shorter, _)) = pairs.find(|(_, tried)| tried.failed()) {
                    tell(&format!(
                        "  fails with {} of {count}: {}",
                        shorter.faults.len(),
                        shorter.told()
                    ));
                    found = Some(shorter.clone());
                    break;
                }
            }
            shrinking.tried(found);
        }
        let best = shrinking.best();
        let (left, file) = (best.faults.len(), self.script(best)?);
        Ok(format!(
            "seed {seed} fails with {left} of its {count} faults (shrunk in {tries} tries): {}\n  {}",
            if left == 0 { "no fault is needed".to_owned() } else { best.told() },
            file.display()
        ))
    }

    /// Writes a schedule's script into the search's folder; its path.
    fn script(&self, schedule: &Schedule) -> eyre::Result<PathBuf> {
        self.write(&format!("{}.toml", schedule.name()), schedule.script().as_bytes())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> eyre::Result<PathBuf> {
        let file = self.out.join(name);
        std::fs::write(&file, bytes)
            .wrap_err_with(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }

    /// One schedule in a region of its own.
    async fn one(&self, schedule: &Schedule) -> Tried {
        let began = Instant::now();
        let came = self.run(schedule).await;
        let (verdict, why, bundle) = match came {
            Ok((Verdict::Proved, _, bundle)) => {
                let _ = std::fs::remove_dir_all(bundle);
                (Verdict::Proved, String::new(), None)
            }
            Ok((verdict, why, bundle)) => (verdict, why, Some(bundle)),
            Err(error) => (Verdict::Void, format!("{error:#}"), None),
        };
        let took_ms = began.elapsed().as_millis() as u64;
        Tried { seed: schedule.seed, faults: schedule.told(), verdict, why, took_ms, bundle }
    }

    /// The verdict, its reason, and where script and bundle are.
    async fn run(&self, schedule: &Schedule) -> eyre::Result<(Verdict, String, PathBuf)> {
        let name = schedule.name();
        let folder = self.free(&name)?;
        let file = folder.join(format!("{name}.toml"));
        std::fs::write(&file, schedule.script())
            .wrap_err_with(|| format!("cannot write {}", file.display()))?;
        let alone = Alone::with_drills("search", self.asked, None, Some(&folder)).await?;
        let judged = self.judged(&alone, name, &folder).await;
        alone.end().await;
        judged.map(|(verdict, why)| (verdict, why, folder))
    }

    /// Its drill's verdict; where that is green, whether every message is still accounted for.
    async fn judged(
        &self,
        alone: &Alone,
        drill: String,
        folder: &Path,
    ) -> eyre::Result<(Verdict, String)> {
        alone.until_up(self.name).await?;
        let run = DrillRun {
            names: vec![drill],
            zone: None,
            scale: 1,
            sabotage: self.what.sabotage,
            when: self.what.when.clone(),
            options: DrillOptions::default(),
            pace: None,
            present: false,
            report: Some(folder.join("bundle")),
        };
        let given = |command| async move {
            shell::follow_with(&alone.home, self.name, &command, |_| {}).await
        };
        let answer = given(Command::Drill(Drill::Run(run))).await?;
        let ended =
            answer.data.and_then(|mut data| data.pointer_mut("/drills/0").map(std::mem::take));
        let ended: Ended =
            serde_json::from_value(ended.ok_or_else(|| eyre::eyre!("{}", answer.text))?)?;
        if ended.verdict == Verdict::Proved {
            let verify = Command::Verify { zone: None, json: false, extent: Extent::default() };
            let answer = given(verify).await?;
            if answer.outcome != Outcome::Done {
                return Ok((Verdict::Broken, format!("verify: {}", answer.text)));
            }
        }
        Ok((ended.verdict, ended.evidence))
    }

    /// A new folder of the search's.
    fn free(&self, name: &str) -> eyre::Result<PathBuf> {
        for n in 1.. {
            let folder =
                self.out.join(if n == 1 { name.to_owned() } else { format!("{name}-{n}") });
            match std::fs::create_dir(&folder) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                made => {
                    made.wrap_err_with(|| format!("cannot create {}", folder.display()))?;
                    return Ok(folder);
                }
            }
        }
        eyre::bail!("no name is left in {}", self.out.display())
    }
}

/// The sum of a search, in words.
fn told(all: &[Tried], out: &Path, took: Duration) -> String {
    let count = |verdict| all.iter().filter(|tried| tried.verdict == verdict).count();
    format!(
        "{} schedules in {}: {} proved, {} broken, {} void; {}",
        all.len(),
        format_duration(Duration::from_secs(took.as_secs())),
        count(Verdict::Proved),
        count(Verdict::Broken),
        count(Verdict::Void),
        out.display()
    )
}
