//! What of a region is in the engine: found by labels, whoever made it, and removed.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    time::{Duration, Instant},
};

use bollard::{
    Docker,
    errors::Error,
    models::{EndpointSettings, NetworkConnectRequest, NetworkDisconnectRequest},
    query_parameters::{
        InspectContainerOptions, ListContainersOptionsBuilder, ListNetworksOptionsBuilder,
        ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptions,
        StopContainerOptionsBuilder,
    },
};
use futures::future::join_all;

use super::{
    engine::{code, failed, patient},
    names::{HELPER_LABEL, ID_LABEL, NODE_LABEL, Names, PORT_LABEL, REGION_LABEL, VERSION_LABEL},
};
use crate::{
    command::readable,
    platform::PlatformError,
    region::{NodeName, ZoneName},
};

/// How long it is waited for containers that somebody is just making or removing, and how often it
/// is looked.
const VACATES: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(200);
/// How long a server has to end in order.
pub const GRACE_S: i32 = 8;

/// A container of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub id: String,
    pub node: NodeName,
    /// The engine's word: `running`, `paused`, `exited`, `created`.
    pub state: String,
    /// The client port it publishes.
    pub port: Option<u16>,
    /// The server's version, where its label tells.
    pub version: Option<String>,
    /// It is on the network of the links.
    pub on_wan: bool,
}

impl Found {
    /// Its server has not ended.
    pub fn lives(&self) -> bool {
        matches!(self.state.as_str(), "running" | "paused" | "restarting")
    }
}

/// The containers of a region, or of one of its zones, running or not.
pub async fn list(
    docker: &Docker,
    names: &Names,
    zone: Option<&ZoneName>,
) -> Result<Vec<Found>, PlatformError> {
    let options =
        ListContainersOptionsBuilder::new().all(true).filters(&names.filter(zone)).build();
    let listed = docker.list_containers(Some(options)).await;
    let listed = listed.map_err(|error| failed("list the region's containers", &error))?;
    let mut found: Vec<Found> = listed
        .into_iter()
        .filter_map(|one| {
            let labels = one.labels.unwrap_or_default();
            names.owns(&labels, zone).then_some(())?;
            Some(Found {
                id: one.id?,
                node: labels.get(NODE_LABEL)?.parse().ok()?,
                state: one.state.map(|state| state.to_string()).unwrap_or_default(),
                port: labels.get(PORT_LABEL).and_then(|port| port.parse().ok()),
                version: labels.get(VERSION_LABEL).cloned(),
                on_wan: one
                    .network_settings
                    .and_then(|settings| settings.networks)
                    .is_some_and(|networks| networks.contains_key(&names.wan())),
            })
        })
        .collect();
    found.sort_by(|one, other| one.node.cmp(&other.node));
    Ok(found)
}

/// What becomes of a region's volumes.
#[derive(Clone, Copy, Debug)]
pub enum Data<'a> {
    Keep,
    Remove,
    /// Those that were there before are kept.
    RemoveBut(&'a BTreeSet<String>),
}

impl Data<'_> {
    /// As a `down` with or without `--purge` wants it.
    pub fn of(purge: bool) -> Self {
        if purge { Self::Remove } else { Self::Keep }
    }

    fn goes(self, volume: &str) -> bool {
        match self {
            Self::Keep => false,
            Self::Remove => true,
            Self::RemoveBut(kept) => !kept.contains(volume),
        }
    }
}

/// What was removed of a region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub containers: usize,
    pub networks: usize,
    /// So many volumes, its data.
    pub volumes: usize,
}

impl Swept {
    /// There was nothing.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        (self.containers, self.networks, self.volumes) == (0, 0, 0)
    }
}

/// The volumes of a region, or of one of its zones.
pub async fn volumes(
    docker: &Docker,
    names: &Names,
    zone: Option<&ZoneName>,
) -> Result<Vec<String>, PlatformError> {
    let options = ListVolumesOptionsBuilder::new().filters(&names.filter(zone)).build();
    let listed = docker.list_volumes(Some(options)).await;
    let listed = listed.map_err(|error| failed("list the region's volumes", &error))?;
    let volumes = listed.volumes.unwrap_or_default().into_iter();
    let mut ours: Vec<String> =
        volumes.filter(|one| names.owns(&one.labels, zone)).map(|one| one.name).collect();
    ours.sort();
    Ok(ours)
}

/// Ends and removes what is this home's of a region, or of one of its zones: containers, networks,
/// and volumes as `data` says. Goes on after an error and returns the first.
pub async fn sweep(
    docker: &Docker,
    names: &Names,
    zone: Option<&ZoneName>,
    data: Data<'_>,
) -> Result<Swept, PlatformError> {
    let mut first = Ok(());
    let mut note = |done: Result<(), PlatformError>| {
        if first.is_ok() {
            first = done;
        }
    };
    remove_helpers(docker, names, zone).await;
    let found = list(docker, names, zone).await?;
    for done in join_all(found.iter().map(|one| remove(docker, one))).await {
        note(done);
    }
    let mut networks_found = 0;
    let options = ListNetworksOptionsBuilder::new().filters(&names.filter(zone)).build();
    match docker.list_networks(Some(options)).await {
        Ok(networks) => {
            let ours = networks
                .into_iter()
                .filter(|one| one.labels.as_ref().is_some_and(|labels| names.owns(labels, zone)));
            for network in ours {
                // Two networks may have one name: the other may be somebody else's.
                let Some(id) = network.id else { continue };
                networks_found += 1;
                let remove = || docker.remove_network(&id);
                let gone = vacated(docker, names, zone, remove).await;
                let name = network.name.unwrap_or_default();
                note(fine_if_gone(gone, &format!("remove network {name}")));
            }
        }
        Err(error) => note(Err(failed("list the region's networks", &error))),
    }
    let mut gone = Vec::new();
    if !matches!(data, Data::Keep) {
        match volumes(docker, names, zone).await {
            Ok(volumes) => gone = volumes.into_iter().filter(|one| data.goes(one)).collect(),
            Err(error) => note(Err(error)),
        }
    }
    for volume in &gone {
        let remove = || docker.remove_volume(volume, None::<RemoveVolumeOptions>);
        let removed = vacated(docker, names, zone, remove).await;
        note(fine_if_gone(removed, &format!("remove volume {volume}")));
    }
    first.map(|()| Swept { containers: found.len(), networks: networks_found, volumes: gone.len() })
}

/// Removes the helper containers of a region, or of one of its zones: a room that was killed a moment
/// ago may have some that end with it.
async fn remove_helpers(docker: &Docker, names: &Names, zone: Option<&ZoneName>) {
    let options =
        ListContainersOptionsBuilder::new().all(true).filters(&names.filter(zone)).build();
    let listed = docker.list_containers(Some(options)).await.unwrap_or_default();
    let helpers = listed.into_iter().filter_map(|one| {
        let labels = one.labels.unwrap_or_default();
        (names.owns(&labels, zone) && labels.contains_key(HELPER_LABEL)).then_some(one.id?)
    });
    let gone = helpers.map(|id| async move {
        let options = RemoveContainerOptionsBuilder::new().force(true).build();
        // The engine may be removing it.
        let _ = docker.remove_container(&id, Some(options)).await;
    });
    join_all(gone).await;
}

/// Removes a network or volume once no container of ours uses it: one may have been made since they
/// were listed, by a `zone add` that is just being ended, and one that another command removes is
/// there a moment longer.
async fn vacated<F: Future<Output = Result<(), Error>>>(
    docker: &Docker,
    names: &Names,
    zone: Option<&ZoneName>,
    removed: impl Fn() -> F,
) -> Result<(), Error> {
    let deadline = Instant::now() + VACATES;
    loop {
        match removed().await {
            Err(error) if matches!(code(&error), Some(403 | 409)) && Instant::now() < deadline => {
                tokio::time::sleep(AGAIN).await;
                if let Ok(found) = list(docker, names, zone).await {
                    join_all(found.iter().map(|one| remove(docker, one))).await;
                }
            }
            done => return done,
        }
    }
}

async fn remove(docker: &Docker, one: &Found) -> Result<(), PlatformError> {
    let docker = patient(docker);
    if one.state == "running" {
        let options = StopContainerOptionsBuilder::new().t(GRACE_S).build();
        // If it cannot be stopped, it is removed by force.
        let _ = docker.stop_container(&one.id, Some(options)).await;
    }
    let options = RemoveContainerOptionsBuilder::new().force(true).build();
    let gone = docker.remove_container(&one.id, Some(options)).await;
    match gone {
        // Somebody else is removing it.
        Err(error) if code(&error) == Some(409) => Ok(()),
        gone => fine_if_gone(gone, &format!("remove the container of {}", one.node)),
    }
}

fn fine_if_gone(done: Result<(), Error>, doing: &str) -> Result<(), PlatformError> {
    match done {
        Err(error) if code(&error) != Some(404) => Err(failed(doing, &error)),
        _ => Ok(()),
    }
}

/// Takes a container off the network of the links; one that is off it already is fine. Engines answer
/// that with codes and words of their own, so that the container is looked at.
pub async fn unplug(docker: &Docker, names: &Names, container: &str) -> Result<(), Error> {
    let request = NetworkDisconnectRequest { container: container.to_owned(), force: Some(true) };
    match docker.disconnect_network(&names.wan(), request).await {
        Err(_) if is_on_wan(docker, names, container).await == Some(false) => Ok(()),
        done => done,
    }
}

/// Puts a node's container on again, under the node's name; one that is on it already is fine.
pub async fn plug(
    docker: &Docker,
    names: &Names,
    node: &NodeName,
    container: &str,
) -> Result<(), Error> {
    let request = NetworkConnectRequest {
        container: container.to_owned(),
        endpoint_config: Some(EndpointSettings {
            aliases: Some(vec![node.to_string()]),
            ..EndpointSettings::default()
        }),
    };
    match docker.connect_network(&names.wan(), request).await {
        Err(_) if is_on_wan(docker, names, container).await == Some(true) => Ok(()),
        done => done,
    }
}

/// Is a container on the network of the links? `None` where the engine does not tell.
async fn is_on_wan(docker: &Docker, names: &Names, container: &str) -> Option<bool> {
    let told = docker.inspect_container(container, None::<InspectContainerOptions>).await.ok()?;
    Some(told.network_settings?.networks?.contains_key(&names.wan()))
}

/// Who publishes a port, in words: "container demo-js1-zone-a (region `demo`)".
pub async fn publisher(docker: &Docker, at: IpAddr, port: u16) -> Option<String> {
    let listed = docker.list_containers(None).await.ok()?;
    let holder = listed.into_iter().find(|one| {
        one.ports.iter().flatten().any(|published| {
            let there = published.ip.as_deref().and_then(|ip| ip.parse::<IpAddr>().ok());
            let meets = there
                .is_none_or(|there| there == at || there.is_unspecified() || at.is_unspecified());
            published.public_port == Some(port) && meets
        })
    })?;
    let name = holder.names.unwrap_or_default().first().cloned().unwrap_or_default();
    let labels = holder.labels.unwrap_or_default();
    let of = |label: &str| labels.get(label).map(|text| readable(text));
    let region = of(REGION_LABEL).map(|region| format!(" of region `{region}`"));
    let id = of(ID_LABEL).map(|id| format!(", id {id}"));
    let name = readable(name.trim_start_matches('/'));
    Some(format!("container {name}{}{}", region.unwrap_or_default(), id.unwrap_or_default()))
}
