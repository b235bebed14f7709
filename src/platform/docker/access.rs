//! With which passwords the servers run that are to be adopted: as their configuration says.

use std::{collections::HashMap, io::Read};

use bollard::{
    Docker,
    query_parameters::{DownloadFromContainerOptionsBuilder, InspectContainerOptions},
};
use futures::TryStreamExt;

use super::{
    containers::{self, Found},
    engine::{self, failed, refuse},
    make::CONFIG,
    names::Names,
};
use crate::{
    platform::{PlatformError, config, identity::Identity},
    region::{access::Access, topology::region_flag},
};

/// How to log in at what runs of this home's region; `None` where nothing of it is there, or no
/// engine answers.
///
/// # Errors
/// When what is there was made by a release without passwords of the region's own.
pub async fn adopted_access(
    region: &str,
    identity: &Identity,
) -> Result<Option<Access>, PlatformError> {
    let Ok(engine) = engine::find().await else { return Ok(None) };
    let names = Names::new(region, identity.clone());
    let found = containers::list(&engine.docker, &names, None).await?;
    for one in &found {
        let (text, variables) = configuration(&engine.docker, one).await?;
        // Only the source knows the passwords of both ends of a link.
        if let Some(access) = config::access(&text, &|name| variables.get(name).cloned()) {
            return Ok(Some(access));
        }
    }
    let flag = region_flag(region);
    match found.first() {
        None => Ok(None),
        Some(one) => Err(refuse(format!(
            "{} runs with the well-known passwords of an earlier release: `zonedrill{flag} down` removes the containers and keeps their data, then `zonedrill{flag} up` starts them with passwords of the region's own",
            one.node
        ))),
    }
}

/// A container's server configuration, and its environment.
async fn configuration(
    docker: &Docker,
    one: &Found,
) -> Result<(String, HashMap<String, String>), PlatformError> {
    let wrong = |error| failed(&format!("read the configuration of {}", one.node), &error);
    let about = docker.inspect_container(&one.id, None::<InspectContainerOptions>).await;
    let variables = about.map_err(wrong)?.config.and_then(|config| config.env).unwrap_or_default();
    let variables = variables
        .iter()
        .filter_map(|one| one.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let options = DownloadFromContainerOptionsBuilder::new().path(&format!("/{CONFIG}")).build();
    let chunks = docker.download_from_container(&one.id, Some(options));
    let packed: Vec<u8> = chunks
        .try_fold(Vec::new(), |mut all, chunk| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        })
        .await
        .map_err(wrong)?;
    let mut text = String::new();
    let mut unpacked = tar::Archive::new(packed.as_slice());
    if let Some(Ok(mut entry)) = unpacked.entries().ok().and_then(|mut entries| entries.next()) {
        // What is not text has no password that can be read.
        let _ = entry.read_to_string(&mut text);
    }
    Ok((text, variables))
}
