//! A server's configuration in a container, and the files in `compose/` for use by hand: both are made
//! of the same templates, and a test holds them to that.

use super::names::lan;
use crate::{
    platform::config::{self, Clients, Values},
    region::{
        ZonePlan,
        topology::{DOCKER_PINGS, NodePlan},
    },
};

/// Ports inside a container.
pub const CLIENT_PORT: u16 = 4222;
const CLUSTER_PORT: u16 = 6222;
/// Where leafnode connections arrive inside a container of the source.
pub const LEAF_PORT: u16 = 7422;

/// A node's configuration; mirror zones dial `source`. Its names and ports are those inside the
/// container; only what clients are told is outside.
pub fn config(
    version: &str,
    source: &ZonePlan,
    zone: &ZonePlan,
    node: &NodePlan,
) -> Result<String, minijinja::Error> {
    let inside = NodePlan {
        name: node.name.clone(),
        published: node.published,
        reached: node.reached,
        client_port: CLIENT_PORT,
        cluster_port: CLUSTER_PORT,
        leaf_port: LEAF_PORT,
    };
    let peers = zone.nodes.iter().filter(|peer| peer.name != node.name);
    let routes: Vec<String> =
        peers.map(|peer| format!("{}:{CLUSTER_PORT}", lan(&peer.name))).collect();
    let links: Vec<String> =
        source.nodes.iter().map(|hub| format!("{}:{LEAF_PORT}", hub.name)).collect();
    let advertised = node.advertised().map(|at| at.to_string());
    let values = Values {
        version,
        listen_host: "0.0.0.0",
        clients: advertised.as_deref().map_or(Clients::AreNotTold, Clients::ComeTo),
        pid_file: "/data/nats.pid",
        // The engine keeps what a server writes to its standard error.
        log_file: "",
        ping_interval: &DOCKER_PINGS.written(),
        store_dir: "/data",
        routes: &routes,
        leaf_urls: &links,
    };
    config::render(zone, &inside, &values)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use minijinja::{Environment, UndefinedBehavior, context};

    use super::*;
    use crate::{
        platform::{docker::names::Names, identity::Identity},
        region::{
            NodeName,
            access::{Access, Secrets},
            topology::{DEFAULT_NATS_VERSION, DEFAULT_PORT_BASE, Role},
        },
    };

    const TEMPLATE: &str = include_str!("../../../compose/zone.yml.j2");

    fn config_path(node: &NodeName) -> String {
        format!("config/{node}.conf")
    }

    /// The passwords stand in the files as variables of the container's environment.
    fn variables() -> Access {
        let variable = |name: &str| format!("{name}_PASSWORD");
        let (client, leaf) = (variable("CLIENT"), variable("LEAF"));
        let (route, system) = (variable("ROUTE"), variable("SYSTEM"));
        Access::new(Secrets { client, leaf, route, system }, false)
    }

    #[test]
    fn clients_are_told_where_they_reach_the_servers_or_nothing() {
        let told = |publish: Option<&str>, reached: Option<&str>| {
            let ip = |text: &str| text.parse().unwrap();
            let zone = ZonePlan::new("a".parse().unwrap(), Role::Source, 0, DEFAULT_PORT_BASE)
                .at(publish.map(ip))
                .reached_at(reached.map(ip))
                .with_access(&variables());
            let text = config(DEFAULT_NATS_VERSION, &zone, &zone, &zone.nodes[0]).unwrap();
            let at = text.lines().find_map(|line| line.strip_prefix("client_advertise: "));
            // Once for the leafnodes in any case.
            (at.map(str::to_owned), text.matches("no_advertise: true").count() == 2)
        };
        let at = |address: &str| (Some(format!("\"{address}:15222\"")), false);
        assert_eq!(told(None, None), at("127.0.0.1"));
        assert_eq!(told(Some("192.0.2.7"), None), at("192.0.2.7"));
        assert_eq!(told(Some("0.0.0.0"), Some("192.0.2.7")), at("192.0.2.7"));
        assert_eq!(told(Some("0.0.0.0"), None), (None, true));
    }

    /// A node's configuration with variables, and what they are made of. nats-server knows a variable
    /// as a whole value only, so that an address with a password in it is one.
    fn by_hand(
        source: &ZonePlan,
        zone: &ZonePlan,
        node: &NodePlan,
    ) -> (String, Vec<(String, String)>) {
        let mut text = config(DEFAULT_NATS_VERSION, source, zone, node).unwrap();
        let from = |name: &str| {
            format!("${{ZONEDRILL_{name}_PASSWORD:?copy compose/.env.example to compose/.env}}")
        };
        let mut environment = Vec::new();
        for name in ["CLIENT", "LEAF", "ROUTE", "SYSTEM"] {
            let quoted = format!("\"{name}_PASSWORD\"");
            if text.contains(&quoted) {
                text = text.replace(&quoted, &format!("${name}_PASSWORD"));
                environment.push((format!("{name}_PASSWORD"), from(name)));
            }
        }
        for name in ["ROUTE", "LEAF"] {
            for number in 1.. {
                let lower = name.to_lowercase();
                let head = format!("nats-{lower}://{lower}:{name}_PASSWORD@");
                let Some(at) = text.find(&format!("\"{head}")) else { break };
                let url = text[at + 1..].split('"').next().unwrap().to_owned();
                text = text.replace(&format!("\"{url}\""), &format!("${name}_{number}"));
                let host = &url[head.len()..];
                let value = format!("nats-{lower}://{lower}:{}@{host}", from(name));
                environment.push((format!("{name}_{number}"), value));
            }
        }
        (text, environment)
    }

    /// A zone's compose file.
    fn compose(names: &Names, source: &ZonePlan, zone: &ZonePlan) -> String {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_keep_trailing_newline(true);
        let node = |node: &NodePlan| {
            context! {
                name => node.name.to_string(),
                container => names.container(&node.name),
                volume => names.volume(&node.name),
                lan => lan(&node.name),
                config => config_path(&node.name),
                environment => by_hand(source, zone, node).1,
                client_port => node.client_port,
                leaf_port => node.leaf_port,
            }
        };
        let values = context! {
            nodes => zone.nodes.iter().map(node).collect::<Vec<_>>(),
            region => names.region(),
            zone => zone.name.as_str(),
            role => if zone.is_hub() { "source" } else { "mirror" },
            zone_network => names.zone_network(&zone.name),
            wan => names.wan(),
        };
        environment.render_named_str("zone.yml.j2", TEMPLATE, values).unwrap()
    }

    /// `ZONEDRILL_WRITE_COMPOSE=1 cargo test --lib by_hand` writes them anew.
    #[test]
    fn the_files_by_hand_are_what_the_templates_make() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("compose");
        let names = Names::new("region", Identity::default());
        let plan = |name: &str, slot| {
            let role = if slot == 0 { Role::Source } else { Role::Mirror };
            let plan = ZonePlan::new(name.parse().unwrap(), role, slot, DEFAULT_PORT_BASE);
            plan.with_access(&variables())
        };
        let source = plan("a", 0);
        for (name, slot) in [("a", 0), ("b", 1), ("c", 2)] {
            let zone = plan(name, slot);
            let mut files = vec![(format!("zone-{name}.yml"), compose(&names, &source, &zone))];
            for node in &zone.nodes {
                let (text, _) = by_hand(&source, &zone, node);
                files.push((config_path(&node.name), text));
            }
            for (file, text) in files {
                let path = folder.join(file);
                if std::env::var_os("ZONEDRILL_WRITE_COMPOSE").is_some() {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(&path, &text).unwrap();
                }
                let there = fs::read_to_string(&path).unwrap_or_default();
                assert_eq!(there, text, "{}", path.display());
            }
        }
    }
}
