//! Reads a region file and the nats contexts it names.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::home::contexts::{ReadError, read_context};
use crate::region::{
    endpoint::{Api, Credential, Endpoint, SecretSource},
    file::{FileError, Reach, RegionFile, Site},
    nats_context::{ContextError, expanded},
};

/// Why a region file, or what it names, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot read the region file {}: {source} (`zonedrill region init --name NAME --contexts a=FILE,b=FILE` prints a first one)", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}, {error}", path.display())]
    Text { path: PathBuf, error: FileError },
    #[error(transparent)]
    Context(#[from] ReadError),
    #[error("the nats context `{name}`: {error}")]
    Unusable { name: String, error: ContextError },
}

/// A region file with its zones' ways in, the source first.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Where it was read.
    pub path: PathBuf,
    pub file: RegionFile,
    pub sites: Vec<Site>,
}

/// Reads the region file.
///
/// # Errors
/// When it or a context cannot be read, understood or used.
pub fn open(path: &Path) -> Result<Opened, OpenError> {
    let text = fs::read_to_string(path)
        .map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
    let file: RegionFile =
        text.parse().map_err(|error| OpenError::Text { path: path.to_owned(), error })?;
    let beside = path.parent().unwrap_or(Path::new(""));
    let site = |zone: &crate::region::file::ExternalZone| -> Result<Site, OpenError> {
        let mut endpoint = reached(&zone.reach, beside)?;
        if zone.domain.is_some() || zone.api_prefix.is_some() {
            endpoint.api = Api::of(zone.domain.clone(), zone.api_prefix.clone());
        }
        let system = zone.system.as_ref().map(|system| reached(system, beside)).transpose()?;
        Ok(Site { zone: zone.clone(), endpoint, system })
    };
    let sites = file.zones.iter().map(site).collect::<Result<_, _>>()?;
    Ok(Opened { path: path.to_owned(), file, sites })
}

/// The way into a cluster by the name of a context.
///
/// # Errors
/// When there is no such context, or it needs what zonedrill does not have.
pub fn by_context(name: &str) -> Result<Endpoint, OpenError> {
    let home = etcetera::home_dir().ok();
    read_context(name)?
        .endpoint(home.as_deref())
        .map_err(|error| OpenError::Unusable { name: name.to_owned(), error })
}

/// A path in a region file begins where the file lies.
fn reached(reach: &Reach, beside: &Path) -> Result<Endpoint, OpenError> {
    let endpoint = match reach {
        Reach::Context(name) => return by_context(name),
        Reach::Direct(endpoint) => endpoint,
    };
    let home = etcetera::home_dir().ok();
    let path = |path: &mut PathBuf| {
        *path = beside.join(expanded(&path.to_string_lossy(), home.as_deref()));
    };
    let secret = |source: &mut SecretSource| {
        if let SecretSource::File { file } = source {
            path(file);
        }
    };
    let mut endpoint = (**endpoint).clone();
    match &mut endpoint.credential {
        Credential::Nobody => {}
        Credential::User { password: one, .. } | Credential::Token(one) | Credential::Nkey(one) => {
            secret(one);
        }
        Credential::Creds(file) => path(file),
        Credential::Jwt { jwt, seed } => {
            secret(jwt);
            secret(seed);
        }
    }
    let tls = &mut endpoint.tls;
    tls.ca.iter_mut().for_each(path);
    if let Some((cert, key)) = &mut tls.client {
        path(cert);
        path(key);
    }
    Ok(endpoint)
}
