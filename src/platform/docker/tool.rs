//! The compose tool: `docker compose`, or `docker-compose`.

use std::{
    collections::BTreeSet, ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path, process::Stdio,
    time::Duration,
};

use futures::future::join_all;
use tokio::process::Command;

use super::engine::refuse;
use crate::platform::PlatformError;

/// How long a tool may take to say its version.
const ANSWER: Duration = Duration::from_secs(15);
/// How long bringing a zone up or down may take; an image may have to be pulled.
const WORK: Duration = Duration::from_secs(300);
/// Lines of its complaint that are told.
const LINES: usize = 4;

/// A compose tool that runs.
#[derive(Clone, Debug)]
pub struct Tool {
    words: &'static [&'static str],
    host: String,
    /// `1.29.2`, `v2.40.0`.
    pub version: String,
}

/// Finds the compose tool.
///
/// # Errors
/// [`PlatformError::Engine`] with the way out.
pub async fn find(host: &str) -> Result<Tool, PlatformError> {
    const TOOLS: [&[&str]; 2] = [&["docker", "compose"], &["docker-compose"]];
    let asked = TOOLS.map(|words| async move {
        let tool = Tool { words, host: host.to_owned(), version: String::new() };
        let said = tokio::time::timeout(ANSWER, tool.command(&["version", "--short"]).output());
        let said = said.await.ok()?.ok().filter(|said| said.status.success())?;
        let version = String::from_utf8_lossy(&said.stdout).trim().to_owned();
        Some(Tool { version, ..tool })
    });
    if let Some(tool) = join_all(asked).await.into_iter().flatten().next() {
        return Ok(tool);
    }
    Err(refuse(
        "there is no compose tool: install the Docker Compose plugin (`apt install docker-compose-v2`, or `docker-compose`), or use `--platform local`".into(),
    ))
}

impl Tool {
    /// `docker compose` or `docker-compose`.
    pub fn name(&self) -> String {
        self.words.join(" ")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.words[0]);
        command
            .args(&self.words[1..])
            .args(arguments)
            .env("DOCKER_HOST", &self.host)
            // What belongs to the user's own projects.
            .env_remove("COMPOSE_FILE")
            .env_remove("COMPOSE_PROJECT_NAME")
            .env_remove("COMPOSE_PROFILES")
            .env("COMPOSE_IGNORE_ORPHANS", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs it on a project.
    ///
    /// # Errors
    /// With the end of what it complained.
    pub async fn run(
        &self,
        project: &str,
        file: &Path,
        arguments: &[&str],
    ) -> Result<(), PlatformError> {
        let path = file.display().to_string();
        let mut all = vec!["-p", project, "-f", &path];
        all.extend_from_slice(arguments);
        let line = format!("{} {}", self.name(), arguments.join(" "));
        let said = tokio::time::timeout(WORK, self.command(&all).output())
            .await
            .map_err(|_| refuse(format!("`{line}` did not end within {} s", WORK.as_secs())))?
            .map_err(|error| refuse(format!("`{line}` could not be run: {error}")))?;
        if said.status.success() {
            return Ok(());
        }
        Err(refuse(format!(
            "`{line}` ({path}) failed: {}{}",
            complaint(&said.stderr),
            hint(&said.stderr)
        )))
    }
}

/// Does a compose tool work on a file in this folder, whoever has begun it? On Linux only; elsewhere
/// nobody knows.
pub fn is_at_work(folder: &Path) -> bool {
    let of_it = |words: &[u8]| {
        let words: Vec<&[u8]> = words.split(|byte| *byte == 0).collect();
        words.windows(2).any(|two| {
            let file = Path::new(OsStr::from_bytes(two[1]));
            two[0] == b"-f" && file.parent() == Some(folder)
        })
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .map(|one| fs::read(one.path().join("cmdline")))
        .any(|words| words.is_ok_and(|w| of_it(&w)))
}

/// The end of what a tool wrote, without its progress.
fn complaint(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let progress = ["Creating ", "Starting ", "Stopping ", "Removing ", "Network ", "Container "];
    // The same thing about each of three containers is told once.
    let mut told = BTreeSet::new();
    let about = |line: &str| match line.strip_prefix("ERROR: for ") {
        Some(rest) => rest.split_once("failed: ").map_or(rest, |(_, why)| why).to_owned(),
        None => line.to_owned(),
    };
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .filter(|line| {
            let told = line.contains("rror") || line.contains("annot");
            told || !progress.iter().any(|word| line.starts_with(word))
        })
        .filter(|line| told.insert(about(line)))
        .collect();
    let from = lines.len().saturating_sub(LINES);
    if lines.is_empty() { "it said nothing".into() } else { lines[from..].join("; ") }
}

/// The way out of what goes wrong most.
fn hint(stderr: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(stderr);
    if text.contains("port is already allocated") || text.contains("address already in use") {
        " (start the region on other ports with `--port-base N` or `--port-base auto`)"
    } else if text.contains("non-overlapping IPv4 address pool") {
        " (every address pool of the engine is in use: `docker network prune`)"
    } else if text.contains("pull access denied")
        || text.contains("manifest unknown")
        || text.contains("no such host")
        || text.contains("i/o timeout")
    {
        " (the image can neither be found nor pulled: leave NATS_IMAGE unset, and zonedrill builds one)"
    } else if text.contains("is already in use by container") {
        " (a container of that name is not this region's: remove it, or name another region with `--region`)"
    } else if text.contains("bind source path does not exist") {
        " (the engine does not see this machine's files: zonedrill and the engine must share a machine)"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_tool_at_work_on_a_folder_is_known() {
        use std::process::Command;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("zone-a.yml");
        // Not by its own name: one is a program of its own, the other a script of Python's.
        let mut tool = Command::new("sh");
        tool.args(["-c", "read line", "compose", "-p", "x", "-f"]).arg(&file).arg("up");
        let mut tool = tool.stdin(Stdio::piped()).spawn().unwrap();
        // The kernel lets go of who spawned it a moment before it has the new command line.
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while !is_at_work(folder.path()) {
            assert!(std::time::Instant::now() < deadline, "never seen");
            std::thread::yield_now();
        }
        assert!(!is_at_work(&folder.path().join("other")));
        tool.kill().unwrap();
        tool.wait().unwrap();
        assert!(!is_at_work(folder.path()));
    }

    #[test]
    fn a_complaint_is_told_without_the_progress() {
        let said = b"Creating network \"x\" ...\nCreating js1-zone-a ... error\n\nERROR: for js1-zone-a  Cannot start service js1-zone-a: driver failed: Bind for 127.0.0.1:15222 failed: port is already allocated\n";
        let told = complaint(said);
        assert!(!told.contains("network"), "{told}");
        assert!(told.contains("port is already allocated"), "{told}");
        assert!(hint(said).contains("--port-base"));
    }
}
