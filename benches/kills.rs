//! `kill -9` at seeded moments of every command: what is left behind, and what is lost.
//!
//! `ZONEDRILL_KILLS=1000 ZONEDRILL_SEED=7 cargo bench --bench kills` begins a command, kills a room, its
//! guard, the shell, a server or a container at a moment that the seed gives, and looks: no process,
//! port, socket, container or network stays; every acknowledged message is there. The same seed makes
//! the same choices. `ZONEDRILL_KILLS_ON=docker` does it in containers.

use std::{
    collections::BTreeMap,
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// The longest that anything may take, on a loaded machine.
const LONG: Duration = Duration::from_secs(90);

/// Every command that changes something, and `verify`, with the longest wait before the kill in
/// milliseconds: as long as the command takes here, so that every part of it is hit.
const COMMANDS: [(&str, u64); 18] = [
    ("up", 1500),
    ("produce --count 400", 300),
    ("produce --rate 2000/s --count 1500", 800),
    ("cut b", 300),
    ("cut b --kind silent", 600),
    ("heal b", 600),
    ("impair b --delay 50ms", 300),
    ("zone add c", 1200),
    ("zone remove b", 500),
    ("consumer pause b", 100),
    ("node stop js1-zone-a", 600),
    ("node kill js2-zone-b", 200),
    ("node freeze js3-zone-b", 200),
    ("promote b", 600),
    ("verify", 400),
    ("drill run cut", 4000),
    ("down", 600),
    ("down --purge", 600),
];

/// A generator that needs no library: the same seed, the same moments.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }
}

struct Lab {
    home: PathBuf,
    docker: bool,
    port: u16,
    name: String,
}

/// How a command ended; no code if it had to be ended.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Lab {
    fn new(number: u64, docker: bool) -> std::io::Result<Self> {
        let name = format!("kills-{}-{number}", std::process::id());
        let home = std::env::temp_dir().join(&name);
        std::fs::create_dir(&home)?;
        // Regions of tests have theirs elsewhere.
        let port = 24_000 + (std::process::id() as u16 % 200) * 20;
        Ok(Self { home, docker, port, name })
    }

    fn program(&self, line: &str) -> Command {
        let program = std::env::var_os("ZONEDRILL_KILLS_PROGRAM");
        let program = program.or_else(|| option_env!("CARGO_BIN_EXE_zonedrill").map(Into::into));
        let mut command = Command::new(program.unwrap_or_else(|| "zonedrill".into()));
        command.args(line.split(' ').filter(|word| !word.is_empty()));
        if line.split(' ').next() == Some("up") {
            command.args(["--port-base", &self.port.to_string()]);
            command.args(["--platform", if self.docker { "docker" } else { "local" }]);
        }
        command.env("ZONEDRILL_HOME", &self.home).env("ZONEDRILL_REGION", &self.name);
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) -> Ran {
        let out = self.home.join(".out");
        let err = self.home.join(".err");
        let ended = (|| {
            let mut child = self
                .program(line)
                .stdout(std::fs::File::create(&out)?)
                .stderr(std::fs::File::create(&err)?)
                .spawn()?;
            wait(&mut child)
        })();
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        Ran { code: ended.ok().flatten(), out: read(&out), err: read(&err) }
    }

    fn status(&self) -> Option<Value> {
        let told = self.run("status --json");
        (told.code == Some(0)).then(|| serde_json::from_str(&told.out).ok()).flatten()
    }

    /// Every process that has the home in its environment or words, with those words.
    fn processes(&self) -> Vec<(i32, String)> {
        let mark = self.home.to_string_lossy().into_owned();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
            let Some(pid) = pid.filter(|pid| *pid != std::process::id().cast_signed()) else {
                continue;
            };
            let read = |file: &str| {
                let text = std::fs::read(entry.path().join(file)).unwrap_or_default();
                String::from_utf8_lossy(&text).replace('\0', " ")
            };
            let words = read("cmdline");
            if words.contains(&mark) || read("environ").contains(&mark) {
                found.push((pid, words));
            }
        }
        found
    }

    fn docker(&self, words: &[&str]) -> Vec<String> {
        let label = format!("label=zonedrill.region={}", self.name);
        let out = Command::new("docker").args(words).args(["--filter", &label]).output();
        let out = out.map(|out| out.stdout).unwrap_or_default();
        String::from_utf8_lossy(&out).lines().map(str::to_owned).collect()
    }

    fn containers(&self) -> Vec<String> {
        if self.docker { self.docker(&["ps", "--format", "{{.Names}}"]) } else { Vec::new() }
    }

    /// What of the region is there; volumes only where data must be gone.
    fn left(&self, purged: bool) -> Vec<String> {
        let mut left: Vec<String> = self
            .processes()
            .into_iter()
            .map(|(pid, words)| format!("process {pid} {words}"))
            .collect();
        if self.home.join(&self.name).join("room.sock").exists() {
            left.push("a socket".into());
        }
        if self.docker {
            let all = |of: &[&str]| self.docker(of);
            left.extend(all(&["ps", "-a", "--format", "container {{.Names}}"]));
            left.extend(all(&["network", "ls", "--format", "network {{.Name}}"]));
            if purged {
                left.extend(all(&["volume", "ls", "--format", "volume {{.Name}}"]));
            }
        }
        left.extend((self.port..self.port + 20).filter_map(|port| {
            TcpListener::bind(("127.0.0.1", port)).err().map(|why| format!("port {port}: {why}"))
        }));
        left
    }

    /// Waits until nothing is left, and returns what is.
    fn gone(&self, purged: bool) -> Vec<String> {
        let deadline = Instant::now() + LONG;
        loop {
            let left = self.left(purged);
            if left.is_empty() || Instant::now() >= deadline {
                return left;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Removes by hand what should not be there, so that the next run begins clean.
    fn clear(&self) {
        for (pid, _) in self.processes() {
            kill(pid);
        }
        if self.docker {
            for name in self.docker(&["ps", "-a", "--format", "{{.Names}}"]) {
                let _ = Command::new("docker").args(["rm", "-f", &name]).output();
            }
            for kind in ["network", "volume"] {
                for name in self.docker(&[kind, "ls", "--format", "{{.Name}}"]) {
                    let _ = Command::new("docker").args([kind, "rm", &name]).output();
                }
            }
        }
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

/// Waits for the end of a child; ends it when that takes too long.
fn wait(child: &mut std::process::Child) -> std::io::Result<Option<i32>> {
    let deadline = Instant::now() + LONG;
    loop {
        if let Some(ended) = child.try_wait()? {
            return Ok(Some(ended.code().unwrap_or(-1)));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn kill(pid: i32) {
    let _ = Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
}

/// The whom of a run, and the process or container.
fn victim(lab: &Lab, shell: u32, random: &mut Seeded) -> (&'static str, Option<String>) {
    let wanted = ["room", "guard", "shell", "server"][random.below(4) as usize];
    let which = random.below(64);
    if wanted == "shell" {
        return (wanted, Some(shell.to_string()));
    }
    if wanted == "server" && lab.docker {
        let all = lab.containers();
        let at = which as usize % all.len().max(1);
        return ("container", all.get(at).cloned());
    }
    let is = |words: &str| match wanted {
        "server" => words.contains("nats-server.conf"),
        other => words.split(' ').nth(1) == Some(other),
    };
    let all: Vec<i32> =
        lab.processes().into_iter().filter(|(_, words)| is(words)).map(|(pid, _)| pid).collect();
    (wanted, all.get(which as usize % all.len().max(1)).map(ToString::to_string))
}

/// What is known of what was acknowledged.
#[derive(Default)]
struct Known {
    acked: u64,
    purged: bool,
}

/// A run: what was done, or what was wrong.
fn run(lab: &Lab, known: &mut Known, random: &mut Seeded) -> Result<String, String> {
    let (line, longest) = COMMANDS[random.below(COMMANDS.len() as u64) as usize];
    let longest = if lab.docker { longest * 4 } else { longest };
    let moment = random.below(longest);
    let wrong = |what: &str, ran: &Ran| {
        Err(format!("{line} +{moment} ms: {what}: {:?}\n{}\n{}", ran.code, ran.out, ran.err))
    };
    if lab.status().is_none() && line != "up" {
        let up = lab.run("up");
        if up.code != Some(0) {
            return wrong("`up` before", &up);
        }
    } else if line == "up" {
        lab.run("down");
    }
    if line != "up" {
        // What is published goes by where the producer is, in a region that was promoted.
        let produced = lab.run("produce --count 20");
        if produced.code != Some(0) {
            return wrong("`produce` before", &produced);
        }
        if line == "heal b" {
            lab.run("cut b");
        }
        known.acked = acked(lab.status().as_ref()).max(known.acked);
    }
    let mut shell = lab
        .program(line)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|why| why.to_string())?;
    std::thread::sleep(Duration::from_millis(moment));
    let (whom, which) = victim(lab, shell.id(), random);
    match &which {
        Some(name) if whom == "container" => {
            let _ = Command::new("docker").args(["kill", name]).output();
        }
        Some(pid) => kill(pid.parse().unwrap_or(0)),
        None => {}
    }
    let told = format!(
        "{line} +{moment} ms, {whom} {}",
        if which.is_some() { "killed" } else { "was not there" }
    );
    if wait(&mut shell).map_err(|why| why.to_string())?.is_none() {
        return Err(format!("{told}: the command hangs"));
    }
    let purging = line == "down --purge";
    // A killed room takes its processes along by its guard; containers stay, and can be taken over.
    if whom == "room" && which.is_some() && !lab.docker {
        let left = lab.gone(false);
        if !left.is_empty() {
            return Err(format!("{told}: left behind: {left:?}"));
        }
    }
    if whom == "room" && lab.docker && random.below(2) == 0 && line != "up" && !purging {
        let adopted = lab.run("up --adopt");
        if adopted.code != Some(0) {
            return wrong(&format!("{whom} killed: `up --adopt`"), &adopted);
        }
    }
    known.purged = purging || random.below(25) == 0;
    let down = lab.run(if known.purged { "down --purge" } else { "down" });
    // 3: no room runs.
    if !matches!(down.code, Some(0 | 3)) {
        return wrong(&format!("{whom} killed: `down`"), &down);
    }
    let left = lab.gone(known.purged);
    if !left.is_empty() {
        return Err(format!("{told}: left behind after `down`: {left:?}"));
    }
    let up = lab.run("up");
    if up.code != Some(0) {
        return wrong(&format!("{whom} killed: `up` again"), &up);
    }
    if known.purged {
        known.acked = 0;
        return Ok(format!("{told}; purged"));
    }
    let status = lab.status();
    let now = acked(status.as_ref());
    if now < known.acked {
        return Err(format!("{told}: {} were acknowledged, {now} are known", known.acked));
    }
    known.acked = now;
    if now == 0 && lab.run("produce --count 20").code != Some(0) {
        return Err(format!("{told}: nothing can be produced"));
    }
    let deadline = Instant::now() + LONG;
    loop {
        let verified = lab.run("verify");
        if verified.code == Some(0) {
            break;
        }
        // A consumer or a mirror may still be catching up; a loss does not mend itself.
        if Instant::now() >= deadline {
            return wrong(&format!("{whom} killed: `verify`"), &verified);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(format!("{told}; {now} acknowledged, all there"))
}

/// How many messages were acknowledged, as the region's ledger has it.
fn acked(status: Option<&Value>) -> u64 {
    let zones = status.and_then(|status| status["zones"].as_array());
    let all = zones.into_iter().flatten().filter_map(|zone| zone["ledger"]["acked"].as_u64());
    all.max().unwrap_or(0)
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn main() -> ExitCode {
    let (kills, seed) = (number("ZONEDRILL_KILLS", 20), number("ZONEDRILL_SEED", 20_261_130));
    let docker = std::env::var("ZONEDRILL_KILLS_ON").is_ok_and(|on| on == "docker");
    let tell = |text: &str| {
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    };
    tell(&format!("seed {seed}, {kills} kills, {}", if docker { "docker" } else { "local" }));
    let mut random = Seeded(seed | 1);
    let (mut whom, mut wrong, mut acknowledged) = (BTreeMap::<String, u64>::new(), 0, 0);
    let began = Instant::now();
    let mut lab: Option<(Lab, Known)> = None;
    for at in 0..kills {
        let (here, mut known) = match lab.take() {
            Some(lab) => lab,
            None => match Lab::new(at, docker) {
                Ok(lab) => (lab, Known::default()),
                Err(why) => {
                    tell(&format!("no folder: {why}"));
                    return ExitCode::FAILURE;
                }
            },
        };
        let before = known.acked;
        let since = Instant::now();
        match run(&here, &mut known, &mut random) {
            Ok(told) => {
                acknowledged += known.acked.saturating_sub(before);
                let victim = told.split(", ").nth(1).unwrap_or_default();
                *whom.entry(victim.split(';').next().unwrap_or_default().into()).or_default() += 1;
                tell(&format!("run {at}: {told} ({:.1} s)", since.elapsed().as_secs_f64()));
                lab = Some((here, known));
            }
            Err(why) => {
                wrong += 1;
                tell(&format!("run {at}: WRONG: {why}"));
                let log = here.home.join(&here.name).join("room.log");
                let log = std::fs::read_to_string(log).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(12).collect();
                tail.iter().rev().for_each(|line| tell(&format!("    {line}")));
                here.clear();
            }
        }
    }
    if let Some((lab, _)) = lab {
        lab.run("down --purge");
        let left = lab.gone(true);
        wrong += u64::from(!left.is_empty());
        if !left.is_empty() {
            tell(&format!("left at the end: {left:?}"));
        }
        lab.clear();
    }
    tell(&format!(
        "{kills} runs in {:.0} s, {whom:?}; {acknowledged} messages acknowledged; {wrong} runs wrong",
        began.elapsed().as_secs_f64()
    ));
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
