//! A region of its own in Docker for a test. Whatever happens in the test, nothing of it stays.

// Each test file uses its own part of this, and a fixture that fails is a test that fails.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
pub use support::{OneRun, Ran, Region, nats_server};
use zonedrill::{platform::docker, region::NodeName};

/// Says it where a passing test's output is not swallowed.
pub fn loudly(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "docker tests: {text}");
}

/// The version of the engine, if one answers.
pub fn engine() -> Option<&'static str> {
    static VERSION: OnceLock<Option<String>> = OnceLock::new();
    let version = VERSION.get_or_init(|| {
        let said = Command::new("docker")
            .args(["version", "--format", "{{.Server.Version}}"])
            .output()
            .ok()
            .filter(|said| said.status.success())?;
        Some(String::from_utf8_lossy(&said.stdout).trim().to_owned())
    });
    version.as_deref()
}

/// Leaves the test, loudly, where no engine answers.
macro_rules! skip {
    () => {
        if $crate::support_docker::engine().is_none() {
            return $crate::support_docker::loudly(&format!(
                "SKIPPED, no engine answers: {}",
                std::thread::current().name().unwrap_or("a test")
            ));
        }
    };
}
pub(crate) use skip;

/// An election takes 4 to 9 s after a leader was lost, and may have to be repeated.
pub const SOON: Duration = Duration::from_secs(60);

/// A node of a zone of `status --json`.
pub fn node<'a>(zone: &'a Value, name: &str) -> &'a Value {
    let nodes = zone["nodes"].as_array().expect("nodes");
    nodes.iter().find(|node| node["name"] == name).expect("the node")
}

/// One region after the other comes up: the machine has few cores, and elections have time limits.
static TURN: Mutex<()> = Mutex::new(());

/// A region in Docker.
pub struct Lab {
    pub region: Region,
    /// The server binary to use.
    pub binary: PathBuf,
    /// The engine's address, if not the usual one.
    pub host: Option<String>,
    left: Left,
}

/// Removes what a region left in the engine, after its room has had its chance.
pub struct Left(String);

impl Left {
    /// Of a region for one shell.
    pub fn of(run: &OneRun) -> Self {
        Self(run.name())
    }

    /// Everything of it that is in the engine.
    pub fn everything(&self) -> Vec<String> {
        let label = format!("label=zonedrill.region={}", self.0);
        let all = [
            ("container", vec!["ps", "-a", "--format", "{{.Names}}", "--filter", &label]),
            ("network", vec!["network", "ls", "--format", "{{.Name}}", "--filter", &label]),
            ("volume", vec!["volume", "ls", "--format", "{{.Name}}", "--filter", &label]),
        ];
        all.iter()
            .flat_map(|(kind, words)| {
                let names = Lab::raw_docker(words);
                names.lines().map(|name| format!("{kind} {name}")).collect::<Vec<_>>()
            })
            .collect()
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        if engine().is_none() {
            return;
        }
        let region = self.0.clone();
        let swept = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(docker::remove_region(&region, true)).map_err(|e| e.to_string())
        });
        if let Ok(Err(error)) = swept.join() {
            loudly(&format!("left behind: {error}"));
        }
    }
}

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lab {
    /// A region that does not run yet.
    pub fn new(name: &str) -> Self {
        let name = format!("t{}-{name}", std::process::id());
        Self {
            region: Region::new(&name),
            binary: nats_server().to_owned(),
            host: None,
            left: Left(name),
        }
    }

    /// One that is up, with zones a and b.
    pub fn up(name: &str) -> Self {
        let lab = Self::new(name);
        lab.start(&[]).expect_code(0);
        lab
    }

    /// `up`, with what it needs.
    pub fn start(&self, more: &[&str]) -> Ran {
        let _turn = turn();
        let port = self.region.port.to_string();
        let mut program = self.region.program();
        program
            .args(["up", "--platform", "docker", "--port-base", &port, "--nats-server"])
            .arg(&self.binary)
            .args(more);
        if let Some(host) = &self.host {
            program.env("DOCKER_HOST", host);
        }
        let output = program.output().expect("the program runs");
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Kills the room without warning, and waits until it is gone.
    pub fn kill_room(&self) {
        let pid = rustix::process::Pid::from_raw(self.region.room_pid()).expect("a pid");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("a room");
        let deadline = std::time::Instant::now() + SOON;
        // The guard removes the socket when it has seen to the rest.
        while self.region.folder().join("room.sock").exists() {
            assert!(std::time::Instant::now() < deadline, "the guard did not clear up");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How a node's container is called.
    pub fn container(&self, node: &str) -> String {
        format!("{}-{node}", self.region.name)
    }

    /// A docker command on a node's container, the last word.
    pub fn docker(&self, words: &[&str]) {
        let (node, words) = words.split_last().expect("a node");
        let container = self.container(node);
        let mut words = words.to_vec();
        words.push(&container);
        Self::raw_docker(&words);
    }

    /// A docker command as it is.
    pub fn raw_docker(words: &[&str]) -> String {
        let said = Command::new("docker").args(words).output().expect("docker");
        assert!(said.status.success(), "docker {words:?}: {said:?}");
        String::from_utf8_lossy(&said.stdout).into_owned()
    }

    /// `docker network connect` or `disconnect`, on the WAN network.
    pub fn docker_network(&self, verb: &str, node: &NodeName) {
        let wan = format!("zonedrill-{}-zz-wan", self.region.name);
        Self::raw_docker(&["network", verb, &wan, &self.container(&node.to_string())]);
    }

    fn label(&self) -> String {
        format!("label=zonedrill.region={}", self.region.name)
    }

    /// The containers that run.
    pub fn running(&self) -> usize {
        Self::raw_docker(&["ps", "-q", "--filter", &self.label()]).lines().count()
    }

    /// The ids of all containers.
    pub fn ids(&self) -> Vec<String> {
        let ids = Self::raw_docker(&["ps", "-aq", "--no-trunc", "--filter", &self.label()]);
        let mut ids: Vec<String> = ids.lines().map(str::to_owned).collect();
        ids.sort();
        ids
    }

    /// The containers on the WAN network.
    pub fn on_the_wan(&self) -> Vec<String> {
        let wan = format!("zonedrill-{}-zz-wan", self.region.name);
        let format = "{{range .Containers}}{{.Name}} {{end}}";
        let names = Self::raw_docker(&["network", "inspect", &wan, "--format", format]);
        names.split_whitespace().map(str::to_owned).collect()
    }

    /// Everything of the region that is in the engine.
    pub fn everything(&self) -> Vec<String> {
        self.left.everything()
    }

    /// The image of a node's container.
    pub fn image_of(&self, node: &str) -> String {
        let container = self.container(node);
        let image = Self::raw_docker(&["inspect", &container, "--format", "{{.Config.Image}}"]);
        image.trim().to_owned()
    }

    /// Takes an image's name away; containers made of it go on.
    pub fn remove_image(image: &str) {
        assert!(image.starts_with("zonedrill/"), "{image} is not ours");
        let _ = Command::new("docker").args(["rmi", "-f", image]).output();
    }

    /// The image that zonedrill builds of the test's server, by a region that comes and goes.
    pub fn make_image() -> String {
        let other = Self::up("maker");
        let image = other.image_of("js1-zone-a");
        other.region.ok("down --purge");
        image
    }

    /// The files for use by hand, on this region's names and ports.
    pub fn copy_compose_files(&self, to: &Path) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("compose");
        fs::create_dir_all(to.join("config")).unwrap();
        let name = &self.region.name;
        let ours = |text: String| {
            let mut text = text
                .replace("zonedrill-region-", &format!("zonedrill-{name}-"))
                .replace("container_name: ", &format!("container_name: {name}-"))
                .replace("zonedrill.region: \"region\"", &format!("zonedrill.region: \"{name}\""));
            for offset in 0..30 {
                let (theirs, ours) = (15_222 + offset, self.region.port + offset);
                text = text.replace(&theirs.to_string(), &ours.to_string());
                let (theirs, ours) = (theirs + 2_000, ours + 2_000);
                text = text.replace(&theirs.to_string(), &ours.to_string());
            }
            text
        };
        for folder in ["", "config"] {
            for entry in fs::read_dir(from.join(folder)).unwrap().flatten() {
                if entry.path().is_file() {
                    let text = ours(fs::read_to_string(entry.path()).unwrap());
                    fs::write(to.join(folder).join(entry.file_name()), text).unwrap();
                }
            }
        }
    }
}

/// Runs the compose tool that is there.
pub fn compose(words: &[&str], image: &str) {
    let plugin = Command::new("docker").args(["compose", "version"]).output();
    let mut command = if plugin.is_ok_and(|said| said.status.success()) {
        let mut command = Command::new("docker");
        command.arg("compose");
        command
    } else {
        Command::new("docker-compose")
    };
    let said = command.args(words).env("NATS_IMAGE", image).output().expect("a compose tool");
    assert!(said.status.success(), "{words:?}: {said:?}");
}

/// Stands between zonedrill and the engine, and can stop carrying.
pub struct Proxy {
    path: PathBuf,
    frozen: Arc<AtomicBool>,
}

impl Proxy {
    pub fn start(path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let frozen = Arc::new(AtomicBool::new(false));
        let carries = Arc::clone(&frozen);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(engine) = UnixStream::connect("/var/run/docker.sock") else { return };
                carry(client.try_clone().unwrap(), engine.try_clone().unwrap(), &carries);
                carry(engine, client, &carries);
            }
        });
        Self { path: path.to_owned(), frozen }
    }

    pub fn host(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    pub fn freeze(&self, freeze: bool) {
        self.frozen.store(freeze, Ordering::SeqCst);
    }
}

fn carry(mut from: UnixStream, mut to: UnixStream, frozen: &Arc<AtomicBool>) {
    let frozen = Arc::clone(frozen);
    std::thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            while frozen.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(20));
            }
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
}
