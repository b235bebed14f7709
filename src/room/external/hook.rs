//! The user's own commands that cut and heal a link, the guard that heals when nobody else does, and
//! the record of everything that was done.
//!
//! The guard is a process of its own. It cuts, so that it cannot heal before a cut that is still under way,
//! and holds the reading end of a pipe: when the pipe closes without a word, or the time is over and
//! nobody said that it is healed, it heals.

use std::{
    fs::OpenOptions,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{command::is_unruly, region::UnixMs, room::clock::now_ms};

/// The hidden subcommand that the guard is started with.
pub const SUBCOMMAND: &str = "healer";
/// How long one of the commands may take.
const COMMAND_TIME: Duration = Duration::from_secs(60);
/// How long after its time a cut that nobody healed is healed by the guard.
const GRACE: Duration = Duration::from_secs(5);
/// How often, and how long, a heal that failed is tried again.
const AGAIN: Duration = Duration::from_secs(5);
const TRIED_FOR: Duration = Duration::from_secs(600);
/// How much of what a command prints is kept, in bytes, and how long its end is waited for.
const KEPT: usize = 65_536;
const LAST_WORDS: Duration = Duration::from_millis(300);
/// What is said when it is healed.
const HEALED: &[u8] = b"healed";

/// What is done, as the record names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    Cut,
    Heal,
    #[serde(rename = "heal, by the guard")]
    HealByGuard,
    Status,
    Pause,
    Resume,
    Produce,
    #[serde(rename = "make a consumer")]
    Make,
    #[serde(rename = "remove a consumer")]
    Remove,
}

impl Deed {
    /// Only what cannot be recorded is not begun; what mends is done all the same.
    fn must_be_recorded(self) -> bool {
        matches!(self, Self::Cut | Self::Pause | Self::Produce | Self::Make)
    }
}

/// A file to which everything is added that was done in a region of others: a JSON line each.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Audit {
    pub file: PathBuf,
    pub region: String,
    pub by: String,
}

impl Audit {
    /// Adds what is done, or what came of it.
    ///
    /// # Errors
    /// When it cannot be written, of what may not be done then.
    pub fn note(&self, deed: Deed, about: &Value) -> Result<(), String> {
        let written = self.write(deed, about);
        if let Err(error) = &written {
            tracing::warn!(%error, "the record {} cannot be written", self.file.display());
        }
        let failed = |error| format!("{} cannot be written: {error}", self.file.display());
        if deed.must_be_recorded() { written.map_err(failed) } else { Ok(()) }
    }

    /// What was done last with that request: a pause that is not ours is nobody's to end.
    #[must_use]
    pub fn last_of(&self, subject: &str) -> Option<Deed> {
        #[derive(Deserialize)]
        struct Line {
            what: Deed,
            about: Value,
        }
        let text = std::fs::read_to_string(&self.file).ok()?;
        let mut lines = text.lines().rev().filter_map(|l| serde_json::from_str::<Line>(l).ok());
        lines.find(|line| line.about["request"][0] == subject).map(|line| line.what)
    }

    fn write(&self, what: Deed, about: &Value) -> io::Result<()> {
        if let Some(folder) = self.file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let nofollow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let mut options = OpenOptions::new();
        let options = options.create(true).append(true).mode(0o600).custom_flags(nofollow);
        let Self { region, by, .. } = self;
        let at = jiff::Timestamp::now();
        let line = json!({"at": at, "region": region, "by": by, "what": what, "about": about});
        options.open(&self.file)?.write_all(format!("{line}\n").as_bytes())
    }
}

/// A command of the user's, with what it is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hook {
    pub line: String,
    pub zone: String,
    pub audit: Audit,
}

impl Hook {
    /// Runs it; what it printed last.
    ///
    /// # Errors
    /// When it cannot be run, takes too long, or says by its exit code that it failed.
    pub fn run(&self, deed: Deed) -> Result<String, String> {
        self.audit.note(deed, &json!({"command": self.line}))?;
        let ran = self.run_unwatched();
        let (ok, text) = match &ran {
            Ok(text) => (true, text),
            Err(text) => (false, text),
        };
        // It is done: what came of it is told, recorded or not.
        let _ = self.audit.note(deed, &json!({"command": self.line, "well": ok, "said": text}));
        ran
    }

    fn run_unwatched(&self) -> Result<String, String> {
        let line = fit(&self.line);
        let failed = |error: io::Error| format!("`{line}` cannot be run: {error}");
        let (mut output, into) = io::pipe().map_err(failed)?;
        let mut child = Command::new("sh")
            .args(["-c", &self.line])
            .env("ZONEDRILL_ZONE", &self.zone)
            .env("ZONEDRILL_REGION", &self.audit.region)
            .stdin(Stdio::null())
            .stdout(into.try_clone().map_err(failed)?)
            .stderr(into)
            // What is typed at the terminal does not end it half done.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        // What it leaves running may keep the pipe open.
        let printed = Arc::new(Mutex::new(Vec::new()));
        let ends = Arc::clone(&printed);
        let reading = std::thread::spawn(move || {
            let mut some = [0; 4096];
            while let Ok(n @ 1..) = output.read(&mut some) {
                let mut printed = ends.lock().unwrap_or_else(PoisonError::into_inner);
                printed.extend_from_slice(&some[..n]);
                let surplus = printed.len().saturating_sub(KEPT);
                printed.drain(..surplus);
            }
        });
        let began = Instant::now();
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if began.elapsed() < COMMAND_TIME => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Ok(None) => {
                    let _ = rustix::process::kill_process_group(
                        rustix::process::Pid::from_child(&child),
                        rustix::process::Signal::KILL,
                    );
                    let _ = child.wait();
                    let most = COMMAND_TIME.as_secs();
                    return Err(format!("`{line}` did not end within {most} s"));
                }
                Err(error) => return Err(error.to_string()),
            }
        };
        let began = Instant::now();
        while !reading.is_finished() && began.elapsed() < LAST_WORDS {
            std::thread::sleep(Duration::from_millis(5));
        }
        let said = last_line(&printed.lock().unwrap_or_else(PoisonError::into_inner));
        if status.success() {
            return Ok(said);
        }
        let because = if said.is_empty() { String::new() } else { format!(": {said}") };
        Err(format!("`{line}` failed ({status}){because}"))
    }
}

/// The last line that was printed, without what would move a cursor.
fn last_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    fit(line).chars().take(200).collect()
}

/// A text without what would move a cursor.
#[must_use]
pub fn fit(text: &str) -> String {
    text.chars().filter(|c| !is_unruly(*c)).collect()
}

/// What the guard is told.
#[derive(Debug, Serialize, Deserialize)]
struct Orders {
    cut: Hook,
    heal: Hook,
    at_ms: UnixMs,
}

/// The guard, as who cuts holds it.
#[derive(Debug)]
pub struct Healer(Child);

impl Healer {
    /// Starts a guard that cuts at once, and heals at that time, or when this process is gone.
    ///
    /// # Errors
    /// When it cannot be started: then nothing is cut.
    pub fn start(cut: Hook, heal: Hook, at_ms: UnixMs) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(SUBCOMMAND).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let orders = serde_json::to_string(&Orders { cut, heal, at_ms })?;
        match &mut child.stdin {
            Some(pipe) => writeln!(pipe, "{orders}")?,
            None => return Err(io::Error::other("the guard has no pipe")),
        }
        Ok(Self(child))
    }

    /// Waits until the cut command has ended; what it printed last.
    ///
    /// # Errors
    /// What became of it instead, in words.
    pub fn cut(&mut self) -> Result<String, String> {
        let mut line = String::new();
        let read = self.0.stdout.take().map(|told| BufReader::new(told).read_line(&mut line));
        match (read, serde_json::from_str(&line)) {
            (Some(Ok(_)), Ok(came)) => came,
            _ => Err("the guard, which runs it, has ended".into()),
        }
    }

    /// It is healed.
    pub fn dismiss(mut self) {
        if let Some(mut pipe) = self.0.stdin.take() {
            let _ = pipe.write_all(HEALED);
        }
        let _ = self.0.wait();
    }
}

/// The guard's whole life.
///
/// # Errors
/// When it is told nothing that it understands.
pub fn heal_if_nobody_does() -> io::Result<()> {
    // A signal to the group of who cuts must not take the guard along.
    let _ = rustix::process::setsid();
    let mut input = BufReader::new(io::stdin());
    let mut line = String::new();
    input.read_line(&mut line)?;
    let Orders { cut, heal, at_ms } = serde_json::from_str(&line)?;
    let (tell, heard) = mpsc::channel();
    std::thread::spawn(move || {
        let mut said = Vec::new();
        let _ = input.read_to_end(&mut said);
        let _ = tell.send(said == HEALED);
    });
    let came = serde_json::to_string(&cut.run(Deed::Cut))?;
    // Whoever waits for it may be gone.
    let _ = writeln!(io::stdout(), "{came}");
    let left = Duration::from_millis(at_ms.saturating_sub(now_ms())) + GRACE;
    if heard.recv_timeout(left) == Ok(true) {
        return Ok(());
    }
    let began = Instant::now();
    while heal.run(Deed::HealByGuard).is_err() && began.elapsed() < TRIED_FOR {
        std::thread::sleep(AGAIN);
    }
    Ok(())
}

/// Where the record of a region of others is kept.
#[must_use]
pub fn audit_file(root: &Path, region: &str) -> PathBuf {
    root.join(format!("audit-{region}.jsonl"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(folder: &Path, line: &str) -> Hook {
        let audit =
            Audit { file: audit_file(folder, "shop"), region: "shop".into(), by: "mira".into() };
        Hook { line: line.into(), zone: "b".into(), audit }
    }

    #[test]
    fn a_command_is_told_what_it_is_about_and_everything_is_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let run = |line: &str| hook(folder.path(), line).run(Deed::Cut);
        let told = run("echo first; echo $ZONEDRILL_REGION/$ZONEDRILL_ZONE; echo");
        assert_eq!(told.as_deref(), Ok("shop/b"));
        let failed = run("echo 'no such \u{1b}[31mhost' >&2; exit 4").unwrap_err();
        assert!(failed.ends_with("(exit status: 4): no such [31mhost"), "{failed}");
        let text = std::fs::read_to_string(audit_file(folder.path(), "shop")).unwrap();
        let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(
            (&lines[1]["about"]["well"], &lines[3]["about"]["well"]),
            (&json!(true), &json!(false))
        );
        assert!(lines.iter().all(|line| line["by"] == "mira" && line["what"] == "cut"));
    }

    #[test]
    fn what_cannot_be_recorded_is_not_begun_and_is_mended_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let file = audit_file(folder.path(), "shop");
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), file).unwrap();
        let done = folder.path().join("done");
        let hook = hook(folder.path(), &format!("touch {}", done.display()));
        assert!(hook.run(Deed::Cut).is_err() && !done.exists());
        // What mends is done all the same: a full disk must not keep a link cut.
        assert!(hook.run(Deed::Heal).is_ok() && done.exists());
        assert!(!folder.path().join("elsewhere").exists());
    }
}
