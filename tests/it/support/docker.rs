//! A region of its own in Docker for a test. Whatever happens in the test, nothing of it stays.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

pub use super::{
    one_run::OneRun,
    region::{Ran, Region, nats_server},
};
use serde_json::Value;
use zonedrill::region::NodeName;

/// Says it where a passing test's output is not swallowed.
pub fn loudly(text: &str) {
    super::turns::tell(&format!("docker tests: {text}"));
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
        if $crate::support::docker::engine().is_none() {
            return $crate::support::docker::loudly(&format!(
                "SKIPPED, no engine answers: {}",
                std::thread::current().name().unwrap_or("a test")
            ));
        }
        $crate::support::turns::for_docker();
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
        // By the region's label, whatever the id: its folder may be gone.
        for thing in self.everything() {
            let (kind, name) = thing.split_once(' ').unwrap_or_default();
            let words: &[&str] = match kind {
                "container" => &["rm", "-f"],
                kind => &[kind, "rm"],
            };
            let done = Command::new("docker").args(words).arg(name).output();
            if !done.is_ok_and(|done| done.status.success()) {
                loudly(&format!("left behind: {thing}"));
            }
        }
    }
}

impl Lab {
    /// A region that does not run yet.
    pub fn new(name: &str) -> Self {
        Self::named(format!("t{}-{name}", std::process::id()))
    }

    fn named(name: String) -> Self {
        Self {
            region: Region::new(&name),
            binary: nats_server().to_owned(),
            host: None,
            left: Left(name),
        }
    }

    /// Another home's region of the same name, which does not run.
    pub fn double(&self) -> Self {
        Self::named(self.region.name.clone())
    }

    /// One that is up, with zones a and b.
    pub fn up(name: &str) -> Self {
        let lab = Self::new(name);
        lab.start(&[]).expect_code(0);
        lab
    }

    /// `up`, with what it needs.
    pub fn start(&self, more: &[&str]) -> Ran {
        let port = self.region.port.to_string();
        let mut program = self.region.program();
        program
            .args(["up", "--platform", "docker", "--port-base", &port, "--nats-server"])
            .arg(&self.binary)
            .args(more);
        if let Some(host) = &self.host {
            program.env("DOCKER_HOST", host);
        }
        Ran::of(&mut program)
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
        let access = super::nats::access();
        let secrets = &access.secrets;
        let password = |line: &str| match line {
            "ZONEDRILL_CLIENT_PASSWORD=" => format!("{line}{}\n", secrets.client),
            "ZONEDRILL_LEAF_PASSWORD=" => format!("{line}{}\n", secrets.leaf),
            "ZONEDRILL_ROUTE_PASSWORD=" => format!("{line}{}\n", secrets.route),
            "ZONEDRILL_SYSTEM_PASSWORD=" => format!("{line}{}\n", secrets.system),
            other => format!("{other}\n"),
        };
        // As its head says to do.
        let example = fs::read_to_string(from.join(".env.example")).unwrap();
        fs::write(to.join(".env"), example.lines().map(password).collect::<String>()).unwrap();
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
