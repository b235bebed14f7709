//! What a zone is made of on disk: a compose file and a server configuration for each node.
//!
//! The files in `compose/`, for use by hand, are made of the same two templates; a test holds them
//! to that.

use minijinja::{Environment, UndefinedBehavior, context};

use super::names::{Names, lan};
use crate::{
    platform::config::{self, Values},
    region::{
        NodeName, ZonePlan,
        topology::{DOCKER_PINGS, NodePlan, Role},
    },
};

const TEMPLATE: &str = include_str!("../../../compose/zone.yml.j2");
/// Ports inside a container.
const CLIENT_PORT: u16 = 4222;
const CLUSTER_PORT: u16 = 6222;
const LEAF_PORT: u16 = 7422;

/// What the files of a zone depend on besides its plan.
#[derive(Clone, Copy, Debug)]
pub struct Make<'a> {
    /// The region's names.
    pub names: &'a Names,
    /// The image of the servers.
    pub image: &'a str,
    /// The server's version, `2.15.1`.
    pub version: &'a str,
    /// The source's plan: where mirror zones dial.
    pub source: &'a ZonePlan,
    /// For `compose/`, to be used without zonedrill.
    pub by_hand: bool,
}

impl Make<'_> {
    /// The zone's compose file.
    pub fn compose(&self, zone: &ZonePlan) -> Result<String, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_keep_trailing_newline(true);
        let nodes: Vec<_> = zone
            .nodes
            .iter()
            .map(|node| {
                context! {
                    name => node.name.to_string(),
                    container => self.names.container(&node.name),
                    volume => self.names.volume(&node.name),
                    lan => lan(&node.name),
                    config => self.config_path(&node.name),
                    client_port => node.client_port,
                    leaf_port => node.leaf_port,
                }
            })
            .collect();
        environment.render_named_str(
            "zone.yml.j2",
            TEMPLATE,
            context! {
                nodes,
                by_hand => self.by_hand,
                region => self.names.region(),
                zone => zone.name.as_str(),
                role => match zone.role { Role::Source => "source", Role::Mirror => "mirror" },
                image => self.image,
                version => if self.by_hand { "" } else { self.version },
                zone_network => self.names.zone_network(&zone.name),
                wan => self.names.wan(),
            },
        )
    }

    /// Where a node's configuration is, seen from the compose file.
    pub fn config_path(&self, node: &NodeName) -> String {
        if self.by_hand {
            format!("config/{node}.conf")
        } else {
            format!("{node}/nats-server.conf")
        }
    }

    /// A node's configuration. Its names and ports are those inside the container; only what
    /// clients are told is outside.
    pub fn config(&self, zone: &ZonePlan, node: &NodePlan) -> Result<String, minijinja::Error> {
        let inside = NodePlan {
            name: node.name.clone(),
            client_port: CLIENT_PORT,
            cluster_port: CLUSTER_PORT,
            leaf_port: LEAF_PORT,
        };
        let routes: Vec<String> =
            zone.nodes.iter().map(|peer| format!("{}:{CLUSTER_PORT}", lan(&peer.name))).collect();
        let links: Vec<String> =
            self.source.nodes.iter().map(|hub| format!("{}:{LEAF_PORT}", hub.name)).collect();
        let values = Values {
            version: self.version,
            listen_host: "0.0.0.0",
            client_advertise: &format!("127.0.0.1:{}", node.client_port),
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
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::region::topology::{DEFAULT_NATS_VERSION, DEFAULT_PORT_BASE};

    /// `ZONEDRILL_WRITE_COMPOSE=1 cargo test --lib by_hand` writes them anew.
    #[test]
    fn the_files_by_hand_are_what_the_templates_make() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("compose");
        let names = Names::new("region");
        let plan = |name: &str, slot| {
            let role = if slot == 0 { Role::Source } else { Role::Mirror };
            ZonePlan::new(name.parse().unwrap(), role, slot, DEFAULT_PORT_BASE)
        };
        let source = plan("a", 0);
        let make = Make {
            names: &names,
            image: "${NATS_IMAGE:-nats:2.15}",
            version: DEFAULT_NATS_VERSION,
            source: &source,
            by_hand: true,
        };
        for (name, slot) in [("a", 0), ("b", 1), ("c", 2)] {
            let zone = plan(name, slot);
            let mut files = vec![(format!("zone-{name}.yml"), make.compose(&zone).unwrap())];
            for node in &zone.nodes {
                files.push((make.config_path(&node.name), make.config(&zone, node).unwrap()));
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
