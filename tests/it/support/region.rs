//! A region of its own for a test: the real program, real servers, free ports, a folder that goes
//! away. Whatever happens in the test, nothing is left running.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

pub use super::server::nats_server;
use serde_json::Value;
use zonedrill::{
    region::access::{Access, USER},
    room::home::Home,
};

/// What happens at once, on a slow machine.
pub const SOON: Duration = Duration::from_secs(40);
/// The longest a 2.15.1 durable mirror took after a 20 s cut was 4.6 s (nats-facts §A); a slow
/// machine gets much more.
pub const RECOVERED: Duration = Duration::from_secs(90);

/// The folders of every region of this program.
static HOMES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Ends the processes of every region and all others that this program started, where tests cannot
/// end in order.
pub fn end_everything() {
    let parent = format!("PPid:\t{}\n", std::process::id());
    end(&processes_with(&["status"], parent.as_bytes()));
    for home in HOMES.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        end(&processes_of(home));
    }
}

fn end(pids: &[i32]) {
    for pid in pids.iter().filter_map(|pid| rustix::process::Pid::from_raw(*pid)) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// The pids of every process with this folder in its command line or environment.
pub fn processes_of(folder: &Path) -> Vec<i32> {
    let mark = folder.to_str().expect("a path").as_bytes();
    processes_with(&["cmdline", "environ"], mark)
}

/// The pids of every other process that has the text in one of these files of `/proc`.
fn processes_with(files: &[&str], mark: &[u8]) -> Vec<i32> {
    let own = std::process::id().cast_signed();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let has = |file: &&str| {
            std::fs::read(entry.path().join(file))
                .is_ok_and(|text| text.windows(mark.len()).any(|part| part == mark))
        };
        if pid != own && files.iter().any(has) {
            found.push(pid);
        }
    }
    found
}

/// A region under test.
pub struct Region {
    pub name: String,
    pub home: tempfile::TempDir,
    pub port: u16,
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Region {
    /// A region that does not run yet.
    pub fn new(name: &str) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let port = zonedrill::platform::local::ports::free_base(6).expect("free ports");
        HOMES.lock().expect("a lock").push(home.path().to_owned());
        Self { name: name.to_owned(), home, port }
    }

    /// A region that is up, with zones a and b.
    pub fn up(name: &str) -> Self {
        let region = Self::new(name);
        region.start(&[]).expect_code(0);
        region
    }

    pub fn start(&self, more: &[&str]) -> Ran {
        let port = self.port.to_string();
        let server = nats_server().to_str().expect("a path").to_owned();
        let mut words = vec!["up", "--port-base", &port, "--nats-server", &server];
        words.extend_from_slice(more);
        self.run(&words)
    }

    /// The program, with this region.
    pub fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zonedrill"));
        command
            .env("ZONEDRILL_HOME", self.home.path())
            .env("ZONEDRILL_REGION", &self.name)
            .env_remove("ZONEDRILL_NATS_SERVER")
            .env("USER", "tester")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command line to its end.
    pub fn run(&self, words: &[&str]) -> Ran {
        Ran::of(self.program().args(words))
    }

    /// A command line that must end well; returns what it printed.
    pub fn ok(&self, line: &str) -> String {
        let words = shell_words::split(line).expect("words");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.run(&words).expect_code(0).out
    }

    /// A command line that must be refused with those words.
    pub fn refused(&self, line: &str, why: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let told = flowing(&self.run(&words).expect_code(3).err);
        assert!(told.contains(why), "{line}: {told}");
    }

    /// `status --json`.
    pub fn status(&self) -> Value {
        serde_json::from_str(&self.ok("status --json")).expect("JSON")
    }

    /// A zone of `status --json`.
    pub fn zone(&self, name: &str) -> Value {
        let status = self.status();
        let zones = status["zones"].as_array().expect("zones");
        zones.iter().find(|zone| zone["name"] == name).cloned().unwrap_or(Value::Null)
    }

    /// Waits until the status is as wanted.
    pub fn wait(
        &self,
        what: &str,
        within: Duration,
        mut wanted: impl FnMut(&Value) -> bool,
    ) -> Value {
        let deadline = Instant::now() + within;
        loop {
            // A room on a busy machine may not answer at once.
            let told = self.run(&["status", "--json"]);
            let status = serde_json::from_str(&told.out).unwrap_or(Value::Null);
            if told.code == 0 && wanted(&status) {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "{what}: not within {within:?}: {status:#} {}",
                told.err
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until a zone is as wanted.
    pub fn wait_zone(
        &self,
        name: &str,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let status = self.wait(what, within, |status| {
            status["zones"]
                .as_array()
                .is_some_and(|zones| zones.iter().any(|z| z["name"] == name && wanted(z)))
        });
        let zones = status["zones"].as_array().expect("zones");
        zones.iter().find(|zone| zone["name"] == name).cloned().expect("the zone")
    }

    /// A cut with a frozen node is not proved, and says so long before the servers' pings would
    /// leave off; nor is the heal. Neither waits once the node goes on: the cut is proved by another
    /// `cut`, which one that is effective refuses.
    pub fn a_frozen_node_is_told(&self, cut: &str) {
        self.ok("node freeze js2-zone-b");
        let told = self.not_proved(cut, "not proved at both ends");
        assert!(told.contains(&format!("`{cut}` tries again")), "{told}");
        self.not_proved(cut, "not proved at both ends");
        self.thaw(|b| b["link"]["state"] == "cut");
        assert_eq!(self.zone("b")["link"]["effective"], false, "nobody has proved it");
        assert!(self.ok(cut).contains("is effective"));
        assert_eq!(self.zone("b")["link"]["effective"], true);
        let refused = self.run(&cut.split(' ').collect::<Vec<_>>()).expect_code(3).err;
        assert!(refused.contains("cut already"), "{refused}");

        self.ok("node freeze js2-zone-b");
        self.not_proved("heal b", "not proved");
        self.thaw(|b| b["link"]["leafs_here"] == 3);
        self.ok(cut);
        self.ok("heal b");
    }

    fn not_proved(&self, line: &str, how: &str) -> String {
        let began = Instant::now();
        let told = self.run(&line.split(' ').collect::<Vec<_>>()).expect_code(1).err;
        assert!(began.elapsed() < Duration::from_secs(14), "{line}: {:?}", began.elapsed());
        let why = "js2-zone-b is frozen (`node thaw js2-zone-b` resumes it)";
        assert!(told.contains(how) && told.contains(why), "{told}");
        assert_eq!(self.zone("b")["link"]["effective"], false);
        told
    }

    fn thaw(&self, wanted: impl Fn(&Value) -> bool) {
        self.ok("node thaw js2-zone-b");
        self.wait_zone("b", "thawed", SOON, |b| b["nodes"][1]["state"] == "up" && wanted(b));
    }

    /// Waits until no process of the region runs any more.
    pub fn wait_for_processes_to_end(&self, within: Duration) {
        let deadline = Instant::now() + within;
        while !self.processes().is_empty() {
            assert!(Instant::now() < deadline, "{:?} run", self.processes());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Begins the drill `independent` in a shell; returns when it holds with something produced.
    pub fn begin_drill(&self) -> Child {
        let mut drill = self.program();
        drill.args(["drill", "run", "independent"]).stdout(Stdio::piped());
        let drill = drill.spawn().expect("a drill");
        self.wait("the drill holds", 2 * SOON, |status| {
            status["conclusions"][2]["verdict"] == "holding" && status["producer"]["acked"] != 0
        });
        drill
    }

    /// Waits for the end of [`Self::begin_drill`], which must be void. Returns why it is.
    #[track_caller]
    pub fn why_void(&self, drill: Child) -> String {
        let ended = drill.wait_with_output().expect("the drill ends");
        let said = String::from_utf8_lossy(&ended.stdout);
        assert_eq!(ended.status.code(), Some(2), "{said}");
        let conclusion = self.status()["conclusions"][2].clone();
        assert_eq!(conclusion["verdict"], "void", "{conclusion:#}");
        conclusion["evidence"].as_str().expect("evidence").to_owned()
    }

    /// The passwords of a region that was brought up.
    pub fn access(&self) -> Access {
        let home = Home { region: self.name.clone(), folder: self.folder() };
        Access::new(home.secrets().expect("readable").expect("made by `up`"), false)
    }

    /// A client in a zone that has the region's own password.
    pub async fn client(&self, zone: &str) -> async_nats::Client {
        let zone = self.zone(zone);
        let url = zone["nodes"][0]["url"].as_str().expect("a url").to_owned();
        let password = self.access().secrets.client.clone();
        async_nats::ConnectOptions::with_user_and_password(USER.into(), password)
            .request_timeout(Some(Duration::from_secs(5)))
            .connect(url)
            .await
            .expect("connected")
    }

    /// The folder of the region.
    pub fn folder(&self) -> PathBuf {
        self.home.path().join(&self.name)
    }

    /// The room's process.
    pub fn room_pid(&self) -> i32 {
        std::fs::read_to_string(self.folder().join("room.lock"))
            .expect("a lock")
            .trim()
            .parse()
            .expect("a pid")
    }

    /// The pids of every process that works in this region's folder or for it.
    pub fn processes(&self) -> Vec<i32> {
        processes_of(self.home.path())
    }

    /// Asserts that nothing of the region runs or listens any more.
    pub fn assert_gone(&self) {
        let deadline = Instant::now() + SOON;
        loop {
            let running = self.processes();
            let listening: Vec<u16> = (0..30)
                .map(|offset| self.port + offset)
                .flat_map(|port| [port, port + 1000, port + 2000])
                .filter(|port| !zonedrill::platform::local::ports::is_free(*port))
                .collect();
            let socket = self.folder().join("room.sock").exists();
            if running.is_empty() && listening.is_empty() && !socket {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "left behind: processes {running:?}, ports {listening:?}, socket {socket}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

pub(super) fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(of).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

pub(super) fn pid_of_room(folder: &Path) -> Option<i32> {
    std::fs::read_to_string(folder.join("room.lock")).ok()?.trim().parse().ok()
}

pub(super) fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it runs");
}

impl Drop for Region {
    fn drop(&mut self) {
        // A purge takes the log along.
        let log = std::fs::read_to_string(self.folder().join("room.log")).unwrap_or_default();
        let ended = self.run(&["down", "--purge"]);
        if std::thread::panicking() {
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            println!("{ended:?}");
            for line in tail.iter().rev() {
                println!("{line}");
            }
        }
        end(&self.processes());
        zonedrill::platform::local::ports::give_back(self.port);
    }
}

impl Ran {
    /// Runs a program to its end.
    pub fn of(command: &mut Command) -> Self {
        let output: Output = command.output().expect("the program runs");
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }
}

/// A text without its line breaks.
pub fn flowing(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Has a zone's consumer processed and acknowledged so many messages, and is nothing left?
pub fn has_all(zone: &Value, count: u64) -> bool {
    zone["ledger"]["received"] == count
        && zone["consumer"]["pending"] == 0
        && zone["consumer"]["unacked"] == 0
        && zone["consumer"]["ack_floor"] == count
}
