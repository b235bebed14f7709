//! Drills: scripts run in the room, recorded as they happen, concluded by the laws.
//!
//! | file | inside |
//! |---|---|
//! | [`active_drill`] | which drill runs, and how others speak to it |
//! | [`choice`] | which drills there are, and which were asked for |
//! | [`ready`] | what a drill needs before it can begin |
//! | [`stage`], [`steps`] | one script from its beginning to its verdict; its steps |
//! | [`issuer`] | gives the script's commands, and undoes what they left |
//! | [`recorder`] | the record on disk, the picture on the screens |
//! | [`closing`], [`told`] | what is gathered at the end: latencies, servers, every replica, the leaders' own figures |
//! | [`sabotage`] | deliberate faults, and the table of what each came to |
//! | [`by_hand`] | what is done between `drill begin` and `drill end` |
//! | [`bundle`] | where the evidence goes |
//! | [`watching`] | the strip while nobody records |
//! | [`abandoned`] | the drills that an earlier room did not end |
//! | [`latest`] | the newest record of every drill, for `report` |

pub mod abandoned;
pub mod active_drill;
pub mod bundle;
pub mod by_hand;
pub mod choice;
pub mod closing;
pub mod issuer;
pub mod latest;
pub mod pruning;
pub mod ready;
pub mod recorder;
pub mod sabotage;
pub mod stage;
pub mod steps;
pub mod told;
pub mod watching;

use std::{
    fmt::Write,
    io::BufRead,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use self::choice::NotHere;
use super::{
    failure::Failure,
    protocol::Outcome,
    runtime::Runtime,
    server::Published,
    task::{CommandCtx, Completion, Result},
};
use crate::{
    command::{Command, DrillRun, Sabotage},
    drill::{checks::Finding, record::Entry, script::Script},
    region::{
        Input,
        format::seconds,
        status::{Pause, Verdict},
    },
};

/// The newest statuses.
pub type Statuses = watch::Receiver<Arc<Published>>;
/// A run's record, in its folder.
pub const RECORD: &str = "drill.jsonl";
/// The region folder's place for the records of its drills.
pub const RECORDS: &str = "drills";

/// How a drill ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ended {
    pub drill: String,
    /// The deliberate fault, if one.
    pub sabotage: Option<Sabotage>,
    pub verdict: Verdict,
    pub evidence: String,
    /// What was checked, and what came of it.
    pub findings: Vec<Finding>,
    /// How long it took.
    pub took_ms: u64,
    /// Where its record is.
    pub folder: PathBuf,
    /// What it needed was not there: nothing was tried.
    pub untried: bool,
    /// Of a sabotaged drill: what did not go as its script says, and is not the fault's doing.
    #[serde(default)]
    pub off_script: Option<String>,
    /// Of a sabotaged drill: it came to the verdict that its fault must come to, by that fault.
    #[serde(default)]
    pub as_it_must: bool,
}

/// Where a drill that has ended is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub drill: String,
    /// Where its record is.
    pub folder: PathBuf,
}

impl From<&Ended> for Recorded {
    fn from(ended: &Ended) -> Self {
        Self { drill: ended.drill.clone(), folder: ended.folder.clone() }
    }
}

/// Who runs drills, with what at hand.
#[derive(Clone)]
pub struct DrillCtx {
    pub cx: CommandCtx,
    pub who: String,
    pub statuses: Statuses,
    next: Arc<Notify>,
}

/// The desk is free again when this goes.
struct Seat(Arc<Runtime>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.active_drill.leave();
    }
}

impl DrillCtx {
    fn seated(
        cx: CommandCtx,
        who: String,
        statuses: Statuses,
        line: &str,
    ) -> std::result::Result<(Self, Seat), Failure> {
        let next =
            cx.runtime.active_drill.occupy(line, cx.stop.clone()).map_err(Failure::Refused)?;
        let seat = Seat(Arc::clone(&cx.runtime));
        Ok((Self { cx, who, statuses, next }, seat))
    }

    /// Of several presented drills one has its verdict: it stands there until somebody goes on.
    async fn verdict_is_seen(&self) {
        let waits = |pause| self.cx.bus().tell(Input::DrillWaits(pause));
        self.cx.runtime.active_drill.between(true);
        waits(Some(Pause::GoOn));
        self.cx.progress("waits for `drill next`".to_owned());
        tokio::select! {
            () = self.next.notified() => {}
            () = self.cx.stop.cancelled() => {}
        }
        waits(None);
        self.cx.runtime.active_drill.between(false);
    }

    /// Why the drill was ended, once it was.
    #[must_use]
    pub fn why_ended(&self) -> String {
        self.cx.runtime.active_drill.why().unwrap_or_else(|| "the region is being ended".into())
    }
}

/// Runs drills, one after the other.
///
/// # Errors
/// When there is no such drill, a script has a mistake, or another drill runs.
pub async fn run(
    cx: CommandCtx,
    asked: DrillRun,
    who: String,
    statuses: Statuses,
    line: String,
) -> Result {
    choice::check(&asked)?;
    let scripts = choice::chosen(&asked.names)?;
    let (scripts, not_here) = choice::take_out(&cx.runtime, &asked.names, scripts);
    let (ctx, _seat) = DrillCtx::seated(cx, who, statuses, &line)?;
    for NotHere { drill, why } in &not_here {
        ctx.cx.tell(format!("not run here: {drill}: {why}"));
    }
    let began = std::time::Instant::now();
    let mut ended = Vec::new();
    for (index, script) in scripts.iter().enumerate() {
        let queue = scripts[index + 1..].iter().map(|script| script.name.clone()).collect();
        let how = steps::How {
            zone: asked.zone.clone(),
            scale: asked.scale,
            sabotage: asked.sabotage,
            when: asked.when.clone(),
            options: asked.options.clone(),
            pace: asked.pace,
            present: asked.present,
            queue,
        };
        ended.push(stage::run(&ctx, script, how).await?);
        let more = index + 1 < scripts.len();
        if more && asked.present && ended.last().is_some_and(|one| !one.untried) {
            ctx.verdict_is_seen().await;
        }
        if ctx.cx.stop.is_cancelled() {
            break;
        }
    }
    // Nothing is to come any more, whatever was.
    ctx.cx.bus().tell(Input::DrillQueueEmptied);
    let left: Vec<&str> = scripts.iter().skip(ended.len()).map(|one| one.name.as_str()).collect();
    let tried: Vec<Ended> = ended.iter().filter(|one| !one.untried).cloned().collect();
    // With the region's end there is nobody to hand anything to.
    let closing = ctx.cx.stop.is_cancelled() && ctx.cx.runtime.active_drill.why().is_none();
    let bundle = if tried.is_empty() || closing {
        None
    } else {
        let tried: Vec<Recorded> = tried.iter().map(Recorded::from).collect();
        Some(bundle::write(&ctx.cx.runtime, &tried, asked.report).await)
    };
    let mut text = format!("{}\n{}", headline(&ended, &left, &not_here), table(&ended));
    let (mut outcome, word) = overall(&ended, &left);
    let mut data = serde_json::json!({
        "verdict": word,
        "drills": ended,
        "not_here": not_here,
        "took_ms": began.elapsed().as_millis() as u64,
    });
    match bundle {
        Some(Ok(folder)) => {
            let shown = folder.display().to_string();
            let _ = write!(text, "\nevidence: {shown}");
            data["bundle"] = shown.clone().into();
            ctx.cx.bus().tell(Input::DrillBundle { folder: shown });
        }
        Some(Err(failure)) => {
            let _ = write!(text, "\nthe evidence bundle could not be written: {failure}");
            // A proof that nobody can look at is none.
            if outcome == Outcome::Done {
                outcome = Outcome::Void;
            }
        }
        None => {}
    }
    Ok(Completion { outcome, text, data: Some(data) })
}

/// The verdict of several: broken if one is, else void if one is, or was never begun.
fn overall(ended: &[Ended], left: &[&str]) -> (Outcome, &'static str) {
    let any = |verdict| ended.iter().any(|one| one.verdict == verdict);
    // A deliberate fault that went unseen proves nothing.
    let unseen = |one: &Ended| one.sabotage.is_some() && one.verdict == Verdict::Proved;
    if any(Verdict::Broken) {
        (Outcome::Broken, "broken")
    } else if !ended.is_empty()
        && !ended.iter().any(unseen)
        && left.is_empty()
        && ended.iter().all(|one| one.verdict == Verdict::Proved)
    {
        (Outcome::Done, "proved")
    } else {
        (Outcome::Void, "void")
    }
}

/// How many are proved, and which are not: `3 of 4 proved; heal is broken`; which were left
/// when it ended before its time, and which this platform cannot do.
fn headline(ended: &[Ended], left: &[&str], not_here: &[NotHere]) -> String {
    let proved = ended.iter().filter(|one| one.verdict == Verdict::Proved).count();
    let mut text = format!("{proved} of {} proved", ended.len() + left.len());
    for one in ended.iter().filter(|one| one.verdict != Verdict::Proved) {
        let _ = write!(text, "; {} is {}", one.drill, one.verdict.as_str());
    }
    if !left.is_empty() {
        let _ = write!(text, "; not begun: {}", left.join(", "));
    }
    if !not_here.is_empty() {
        let names: Vec<&str> = not_here.iter().map(|one| one.drill.as_str()).collect();
        let _ = write!(text, "; not run here: {}", names.join(", "));
    }
    text
}

/// The verdicts, and under each what was found.
fn table(ended: &[Ended]) -> String {
    let width = ended.iter().map(|one| one.drill.len()).max().unwrap_or_default();
    let mut lines = Vec::new();
    for one in ended {
        let took = seconds(one.took_ms);
        let fault = one.sabotage.map(|kind| format!(" [sabotage {}]", kind.as_str()));
        lines.push(format!(
            "{:width$}  {:<8} {took:>8}  {}{}",
            one.drill,
            one.verdict.as_str(),
            one.evidence,
            fault.unwrap_or_default()
        ));
        for finding in &one.findings {
            lines.push(format!(
                "{:width$}    {:<8} {}: {}",
                "",
                finding.verdict.as_str(),
                finding.check,
                finding.text
            ));
        }
    }
    lines.join("\n")
}

/// What earlier drills damaged on purpose in the data of this run of the region: the faults that
/// stay. Drills after them find it again.
fn damaged(home: &Path, run: &str) -> Option<String> {
    let mut damage = Vec::new();
    for entry in std::fs::read_dir(home.join(RECORDS)).ok()?.flatten() {
        if let Some(what) = lasting_damage(&entry.path().join(RECORD), run) {
            let place = entry.file_name().to_string_lossy().into_owned();
            damage.push(format!("{what} in {place}"));
        }
    }
    damage.sort();
    (!damage.is_empty()).then(|| damage.join(", "))
}

/// What a recorded drill damaged on purpose in the data of this run, if that stays.
fn lasting_damage(record: &Path, run: &str) -> Option<&'static str> {
    use Sabotage::{Corrupt, Duplicate, Lose, Reorder};
    let mut line = String::new();
    std::io::BufReader::new(std::fs::File::open(record).ok()?).read_line(&mut line).ok()?;
    let Ok(Entry::Begin(begin)) = serde_json::from_str(&line) else { return None };
    let stays = |kind: &Sabotage| matches!(kind, Lose | Duplicate | Corrupt | Reorder);
    let sabotage = begin.sabotage.filter(stays).map(Sabotage::as_str);
    // The source deleted messages, as the script made it.
    let deletes = |command| matches!(command, Command::Stream(keep) if keep.deletes());
    let deleted = || {
        let script = Script::recorded(&begin.script, &begin.drill).ok()?;
        script.commands().any(deletes).then_some("messages deleted at the source")
    };
    sabotage.or_else(deleted).filter(|_| begin.run == run)
}

/// A new folder for a run's record: `drills/7-heal`.
///
/// # Errors
/// When it cannot be made.
fn new_folder(home: &Path, name: &str) -> std::io::Result<PathBuf> {
    let drills = home.join(RECORDS);
    std::fs::create_dir_all(&drills)?;
    let numbers = std::fs::read_dir(&drills)?.flatten().filter_map(|one| pruning::number(&one));
    let last = numbers.max().unwrap_or(0);
    let folder = drills.join(format!("{}-{name}", last + 1));
    std::fs::create_dir(&folder)?;
    Ok(folder)
}
