//! What a zone is made of in the engine: networks, volumes, containers, all through its API. The
//! servers' configuration is copied into the container, so that the engine need not share this
//! machine's files.

use std::collections::HashMap;

use bollard::{
    Docker, body_full,
    models::{
        ContainerCreateBody, EndpointSettings, HostConfig, HostConfigLogConfig, Mount, MountType,
        NetworkCreateRequest, NetworkingConfig, PortBinding, VolumeCreateRequest,
    },
    query_parameters::{
        CreateContainerOptionsBuilder, CreateImageOptionsBuilder, InspectContainerOptions,
        StartContainerOptions, UploadToContainerOptionsBuilder,
    },
};
use futures::{StreamExt, future::join_all};

use super::{
    DockerPlatform, Ready, containers,
    engine::{code, failed, patient, refuse},
    files::{CLIENT_PORT, LEAF_PORT},
    image::{self, Image},
    locked,
    names::{NODE_LABEL, PORT_LABEL, ROLE_LABEL, USER_LABEL, VERSION_LABEL, ZONE_LABEL, lan},
    watch::Plug,
};
use crate::{
    platform::{PlatformError, Progress},
    region::{ZonePlan, topology::NodePlan},
};

/// Where a server finds its configuration.
pub(super) const CONFIG: &str = "etc/nats/nats-server.conf";
/// The most memory a server may have, in bytes.
const MEMORY: i64 = 2 << 30;

impl DockerPlatform {
    /// What the image is made from.
    pub(super) fn image_source(&self) -> image::Source {
        locked(&self.source).clone()
    }

    /// Finds or builds the image of that version: containers are made from it from now on.
    pub(super) async fn use_image(
        &self,
        version: &str,
        progress: Progress<'_>,
    ) -> Result<(), PlatformError> {
        let ready = self.ready()?;
        let before = self.image_source();
        let source = image::Source { nats_version: version.into(), nats_server: None, ..before };
        let image = image::ready(&ready.engine, &source, progress).await?;
        if image.version != version {
            return Err(refuse(format!(
                "the room was started with NATS_IMAGE={}, which has nats-server {}: `down`, then `up` without it",
                image.name, image.version
            )));
        }
        *ready.image.lock().await = Some(image);
        *locked(&self.source) = source;
        *locked(&self.upgraded) = Some(version.to_owned());
        Ok(())
    }

    pub(super) async fn image(
        &self,
        ready: &Ready,
        progress: Progress<'_>,
    ) -> Result<Image, PlatformError> {
        let mut known = ready.image.lock().await;
        if let Some(image) = &*known {
            // Somebody may have removed it since.
            let there = ready.engine.docker.inspect_image(&image.name).await;
            if !matches!(&there, Err(error) if code(error) == Some(404)) {
                return Ok(image.clone());
            }
        }
        Ok(known.insert(image::ready(&ready.engine, &self.image_source(), progress).await?).clone())
    }

    /// Makes and starts the containers of these nodes of a zone, with the networks and volumes they
    /// need, unless those are there.
    ///
    /// # Errors
    /// What the engine refuses, by name; what was made until then stays.
    pub(super) async fn make(
        &self,
        ready: &Ready,
        zone: &ZonePlan,
        nodes: impl Iterator<Item = &NodePlan>,
    ) -> Result<(), PlatformError> {
        let docker = &ready.engine.docker;
        let image = self.image(ready, &|_| {}).await?;
        pull(docker, &image).await?;
        {
            // Zones come up side by side, and an engine may hold two networks of one name.
            let _turn = ready.making.lock().await;
            let wan = self.names.labels();
            self.ensure_network(docker, self.names.wan(), wan).await?;
            let mut labels = self.names.labels();
            labels.insert(ZONE_LABEL.into(), zone.name.to_string());
            self.ensure_network(docker, self.names.zone_network(&zone.name), labels).await?;
        }
        let made = nodes.map(|node| self.make_node(ready, &image, zone, node));
        join_all(made).await.into_iter().collect()
    }

    /// Makes a network, unless it is there. One of that name that is not ours is refused.
    pub(super) async fn ensure_network(
        &self,
        docker: &Docker,
        name: String,
        labels: HashMap<String, String>,
    ) -> Result<(), PlatformError> {
        match docker.inspect_network(&name, None).await {
            Ok(network) => self.must_be_ours("network", &name, network.labels),
            Err(error) if code(&error) == Some(404) => {
                let request = NetworkCreateRequest {
                    name: name.clone(),
                    driver: Some("bridge".into()),
                    labels: Some(labels),
                    ..NetworkCreateRequest::default()
                };
                let made = docker.create_network(request).await;
                made.map(drop).map_err(|error| failed(&format!("create network {name}"), &error))
            }
            Err(error) => Err(failed(&format!("look for network {name}"), &error)),
        }
    }

    /// Makes a node's volume, unless it is there; returns the user that owns what is in it.
    async fn ensure_volume(
        &self,
        docker: &Docker,
        image: &Image,
        node: &NodePlan,
    ) -> Result<String, PlatformError> {
        let name = self.names.volume(&node.name);
        let user = |labels: &HashMap<String, String>| {
            // What an earlier release made, or another image's server filled, is root's.
            labels.get(USER_LABEL).cloned().unwrap_or_else(|| "0:0".into())
        };
        match docker.inspect_volume(&name).await {
            Ok(volume) => {
                let user = user(&volume.labels);
                self.must_be_ours("volume", &name, Some(volume.labels))?;
                Ok(user)
            }
            Err(error) if code(&error) == Some(404) => {
                let mut labels = self.names.labels();
                labels.insert(ZONE_LABEL.into(), node.name.zone.to_string());
                labels.insert(NODE_LABEL.into(), node.name.to_string());
                labels.extend(image.user.map(|user| (USER_LABEL.to_owned(), user.to_owned())));
                let user = user(&labels);
                let request = VolumeCreateRequest {
                    name: Some(name.clone()),
                    labels: Some(labels),
                    ..VolumeCreateRequest::default()
                };
                let made = docker.create_volume(request).await;
                made.map_err(|error| failed(&format!("create volume {name}"), &error))?;
                Ok(user)
            }
            Err(error) => Err(failed(&format!("look for volume {name}"), &error)),
        }
    }

    /// The names were looked at before; what came since is refused all the same.
    pub(super) fn must_be_ours(
        &self,
        kind: &str,
        name: &str,
        labels: Option<HashMap<String, String>>,
    ) -> Result<(), PlatformError> {
        if self.names.owns(&labels.unwrap_or_default(), None) {
            return Ok(());
        }
        Err(PlatformError::Foreign(format!(
            "the {kind} {name} in Docker is not this home's: `zonedrill{} doctor --platform docker` says whose it is",
            crate::region::topology::region_flag(self.names.region())
        )))
    }

    async fn make_node(
        &self,
        ready: &Ready,
        image: &Image,
        zone: &ZonePlan,
        node: &NodePlan,
    ) -> Result<(), PlatformError> {
        let docker = &patient(&ready.engine.docker);
        let name = self.names.container(&node.name);
        let config = self.write(zone, node, image)?;
        let user = self.ensure_volume(docker, image, node).await?;
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let made = docker.create_container(Some(options), self.body(image, zone, node, user)).await;
        let id = made.map_err(|error| failed(&format!("create container {name}"), &error))?.id;
        let options = UploadToContainerOptionsBuilder::new().path("/").build();
        let packed =
            pack(&config).map_err(|error| PlatformError::io("pack", CONFIG.as_ref(), error))?;
        let copied = docker.upload_to_container(&id, Some(options), body_full(packed.into())).await;
        copied.map_err(|error| failed(&format!("copy the configuration into {name}"), &error))?;
        // An engine before 25 takes one network when a container is made. A cut zone's comes without
        // the WAN.
        if ready.watch.plugged(&zone.name) != Plug::Off {
            let plugged = containers::plug(docker, &self.names, &node.name, &id).await;
            plugged.map_err(|error| failed(&format!("connect {name}"), &error))?;
        }
        let started = docker.start_container(&id, None::<StartContainerOptions>).await;
        let Err(error) = started else { return Ok(()) };
        // Some say why in the container only.
        let told = docker.inspect_container(&id, None::<InspectContainerOptions>).await.ok();
        let why = told.and_then(|told| told.state?.error).filter(|why| !why.is_empty());
        Err(why.map_or_else(
            || failed(&format!("start container {name}"), &error),
            |why| refuse(format!("Docker could not start container {name}: {why}")),
        ))
    }

    /// What a node's container is: no rights but to serve, and little memory.
    fn body(
        &self,
        image: &Image,
        zone: &ZonePlan,
        node: &NodePlan,
        user: String,
    ) -> ContainerCreateBody {
        let role = if zone.is_hub() { "source" } else { "mirror" };
        let mut labels = self.names.labels();
        labels.extend(
            [
                (ZONE_LABEL, zone.name.to_string()),
                (NODE_LABEL, node.name.to_string()),
                (ROLE_LABEL, role.to_owned()),
                (PORT_LABEL, node.client_port.to_string()),
                (VERSION_LABEL, image.version.clone()),
            ]
            .map(|(label, value)| (label.to_owned(), value)),
        );
        let leaf = zone.is_hub().then_some((LEAF_PORT, node.leaf_port));
        let published: Vec<(u16, u16)> =
            [(CLIENT_PORT, node.client_port)].into_iter().chain(leaf).collect();
        let ports = published.iter().map(|(inside, outside)| {
            let bound = PortBinding {
                host_ip: Some(node.published.to_string()),
                host_port: Some(outside.to_string()),
            };
            (format!("{inside}/tcp"), Some(vec![bound]))
        });
        let endpoint = EndpointSettings {
            aliases: Some(vec![lan(&node.name)]),
            ..EndpointSettings::default()
        };
        let words = |words: &[&str]| Some(words.iter().map(|&word| word.to_owned()).collect());
        let log = [("max-size", "16m"), ("max-file", "2")];
        ContainerCreateBody {
            image: Some(image.name.clone()),
            cmd: words(&["--config", &format!("/{CONFIG}")]),
            user: Some(user),
            labels: Some(labels),
            exposed_ports: Some(
                published.iter().map(|(inside, _)| format!("{inside}/tcp")).collect(),
            ),
            stop_timeout: Some(10),
            host_config: Some(HostConfig {
                port_bindings: Some(ports.collect()),
                mounts: Some(vec![Mount {
                    target: Some("/data".into()),
                    source: Some(self.names.volume(&node.name)),
                    typ: Some(MountType::VOLUME),
                    ..Mount::default()
                }]),
                network_mode: Some(self.names.zone_network(&zone.name)),
                log_config: Some(HostConfigLogConfig {
                    typ: Some("json-file".into()),
                    config: Some(
                        log.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
                    ),
                }),
                cap_drop: words(&["ALL"]),
                security_opt: words(&["no-new-privileges"]),
                memory: Some(MEMORY),
                ..HostConfig::default()
            }),
            networking_config: Some(NetworkingConfig {
                endpoints_config: Some([(self.names.zone_network(&zone.name), endpoint)].into()),
            }),
            ..ContainerCreateBody::default()
        }
    }
}

/// Makes sure that an image the user named is there.
async fn pull(docker: &Docker, image: &Image) -> Result<(), PlatformError> {
    match docker.inspect_image(&image.name).await {
        Err(error) if code(&error) == Some(404) => {}
        _ => return Ok(()),
    }
    let options = CreateImageOptionsBuilder::new().from_image(&image.name).build();
    let mut steps = docker.create_image(Some(options), None, None);
    while let Some(step) = steps.next().await {
        if let Err(error) = step {
            let why = failed(&format!("pull image {}", image.name), &error);
            return Err(refuse(format!("{why}; leave NATS_IMAGE unset, and zonedrill builds one")));
        }
    }
    Ok(())
}

/// A configuration as the engine takes it.
fn pack(config: &str) -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::with_capacity(config.len() + 2048));
    let mut header = tar::Header::new_gnu();
    header.set_size(config.len() as u64);
    // Whoever the server runs as must read it; nobody else is in the container.
    header.set_mode(0o444);
    header.set_cksum();
    tar.append_data(&mut header, CONFIG, config.as_bytes())?;
    tar.into_inner()
}
