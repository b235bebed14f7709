//! A small region of real servers on free ports, straight from `config/nats-server.conf`, with
//! leafnode connections that go directly to the source. Ends with the test, also a failed one.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use zonedrill::{
    platform::local::ports::{free_base, give_back},
    region::{
        NodeName, Role, ZonePlan,
        access::{Access, LEAF_USER, LOOKER, ROUTE_USER, SYSTEM_USER, Secrets, USER},
        topology::{ACCOUNT, STREAM},
    },
};

const TEMPLATE: &str = include_str!("../../../config/nats-server.conf");

/// Changes the template before it is filled in: to break something on purpose.
pub type Sabotage = fn(String) -> String;

/// The template as it is.
pub fn as_shipped(template: String) -> String {
    template
}

pub struct Region {
    home: tempfile::TempDir,
    sabotage: Sabotage,
    pub source: ZonePlan,
    pub mirrors: Vec<ZonePlan>,
    servers: Vec<(NodeName, Child)>,
}

impl Region {
    /// Starts zone a and the mirror zones named.
    pub fn start(mirrors: &[&str], sabotage: Sabotage) -> Self {
        let mut region = Self {
            home: tempfile::tempdir().unwrap(),
            sabotage,
            source: plan("a", Role::Source),
            mirrors: mirrors.iter().map(|name| plan(name, Role::Mirror)).collect(),
            servers: Vec::new(),
        };
        let zones: Vec<ZonePlan> =
            std::iter::once(&region.source).chain(&region.mirrors).cloned().collect();
        for zone in &zones {
            region.configure(zone, false);
            for node in &zone.nodes {
                region.start_node(&node.name);
            }
        }
        region
    }

    pub fn mirror(&self) -> &ZonePlan {
        &self.mirrors[0]
    }

    fn file(&self, node: &NodeName, ending: &str) -> PathBuf {
        self.home.path().join(format!("{node}.{ending}"))
    }

    /// Writes the configuration of a zone's nodes.
    fn configure(&self, zone: &ZonePlan, link_disabled: bool) {
        let mut template = (self.sabotage)(TEMPLATE.to_owned());
        if link_disabled {
            let line = "      account: \"{{ account }}\"\n";
            assert!(template.contains(line), "the template's remote looks different now");
            template = template.replace(line, &format!("{line}      disabled: true\n"));
        }
        let local = |port: u16| format!("127.0.0.1:{port}");
        for node in &zone.nodes {
            let routes: Vec<String> = zone
                .nodes
                .iter()
                .filter(|other| other.name != node.name)
                .map(|other| local(other.cluster_port))
                .collect();
            let leaf_urls: Vec<String> =
                self.source.nodes.iter().map(|node| local(node.leaf_port)).collect();
            let text = minijinja::render!(
                &template,
                node => node.name.to_string(),
                listen_host => "127.0.0.1",
                client_port => node.client_port,
                cluster_port => node.cluster_port,
                leaf_port => node.leaf_port,
                pid_file => self.file(&node.name, "pid"),
                log_file => self.file(&node.name, "log"),
                store_dir => self.file(&node.name, "js"),
                domain => zone.domain(),
                routes,
                leaf_urls,
                version => [2, 15],
                role => zone.role,
                leaf_user => LEAF_USER,
                leaf_password => zone.access.secrets.leaf,
                route_user => ROUTE_USER,
                route_password => zone.access.secrets.route,
                account => ACCOUNT,
                open => zone.access.open,
                user => USER,
                password => zone.access.secrets.client,
                looker => LOOKER.0,
                looker_password => LOOKER.1,
                system_user => SYSTEM_USER,
                system_password => zone.access.secrets.system,
                stream => STREAM,
            );
            std::fs::write(self.file(&node.name, "conf"), text).unwrap();
        }
    }

    pub fn start_node(&mut self, node: &NodeName) {
        let child = Command::new(super::server::nats_server())
            .arg("-c")
            .arg(self.file(node, "conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a nats-server that starts");
        self.servers.push((node.clone(), child));
    }

    /// Ends a node without warning.
    pub fn kill(&mut self, node: &NodeName) {
        let at = self.servers.iter().position(|(name, _)| name == node).expect("a running node");
        let (_, mut child) = self.servers.remove(at);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub fn signal(&self, node: &NodeName, signal: Signal) {
        let (_, child) =
            self.servers.iter().find(|(name, _)| name == node).expect("a running node");
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    /// Disables or enables the leafnode remotes of a mirror zone (a 2.15 server reloads that).
    pub fn set_link(&self, zone: &ZonePlan, up: bool) {
        self.configure(zone, !up);
        for node in &zone.nodes {
            self.signal(&node.name, Signal::HUP);
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        for (_, child) in &mut self.servers {
            let _ = child.kill();
        }
        for (name, child) in &mut self.servers {
            let _ = child.wait();
            if std::thread::panicking() {
                let log = std::fs::read_to_string(self.home.path().join(format!("{name}.log")));
                let log = log.unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(12).collect();
                eprintln!("--- {name}");
                tail.iter().rev().for_each(|line| eprintln!("{line}"));
            }
        }
        for zone in self.mirrors.iter().chain([&self.source]) {
            give_back(zone.nodes[0].client_port);
        }
    }
}

/// A zone on free ports that no outgoing connection of anyone gets: between the asking and the
/// server's start there is time for one.
fn plan(name: &str, role: Role) -> ZonePlan {
    let plan = ZonePlan::new(name.parse().unwrap(), role, 0, free_base(1).expect("free ports"));
    plan.with_access(&access())
}

/// The passwords of the servers that tests start themselves.
pub fn access() -> Access {
    let secret = |name: &str| format!("{name}-of-a-test");
    let (client, leaf) = (secret("client"), secret("leaf"));
    let (route, system) = (secret("route"), secret("system"));
    Access::new(Secrets { client, leaf, route, system }, false)
}

/// Waits until `condition` holds.
pub async fn eventually<T>(
    what: &str,
    patience: Duration,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
