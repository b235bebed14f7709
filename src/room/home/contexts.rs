//! Contexts of the `nats` command line for the region's zones, in the folder where it looks for them.
//!
//! A file that was not made here for this region is neither changed nor removed: each says in its
//! description whose it is.

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use super::{Home, HomeError, secrets::write_private};
use crate::region::{
    ZoneName, ZonePlan,
    access::{Secret, USER},
    nats_context::NatsContext,
};
use etcetera::BaseStrategy;

/// What the `nats` command line calls the selected one in.
const SELECTED: &str = "context.txt";

impl Home {
    /// The name of a zone's context.
    #[must_use]
    pub fn context(&self, zone: &ZoneName) -> String {
        format!("zonedrill-{}-{zone}", self.region)
    }

    /// Writes a context for each zone; the source's becomes the selected one if asked for. Returns
    /// their names.
    ///
    /// # Errors
    /// When there is no folder for them, a file of that name is another's, or one cannot be written.
    pub fn write_contexts(
        &self,
        zones: &[ZonePlan],
        select: bool,
    ) -> Result<Vec<String>, HomeError> {
        let folder = folder().ok_or(HomeError::NoHome)?;
        let files = folder.join("context");
        let of_zone = |zone: &ZonePlan| files.join(format!("{}.json", self.context(&zone.name)));
        for path in zones.iter().map(of_zone) {
            if path.symlink_metadata().is_ok() && !self.made(&path) {
                return Err(HomeError::Context { path });
            }
        }
        private(&files)?;
        for zone in zones {
            let context = NatsContext {
                description: self.description(&zone.name),
                url: zone.urls().join(","),
                user: USER.into(),
                password: Some(Secret::new(zone.access.secrets.client.clone())),
                ..NatsContext::default()
            };
            let path = of_zone(zone);
            let text = serde_json::to_string_pretty(&context).map_err(|source| HomeError::Io {
                doing: "write",
                path: path.clone(),
                source: source.into(),
            })?;
            write(&path, &format!("{text}\n"))?;
        }
        if select && let Some(source) = zones.iter().find(|zone| zone.is_hub()) {
            write(&folder.join(SELECTED), &self.context(&source.name))?;
        }
        Ok(zones.iter().map(|zone| self.context(&zone.name)).collect())
    }

    /// Removes the contexts that were made for this region; how many.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn remove_contexts(&self) -> Result<usize, HomeError> {
        let Some(folder) = folder() else { return Ok(0) };
        let Ok(entries) = fs::read_dir(folder.join("context")) else { return Ok(0) };
        let (mut removed, selected) = (0, folder.join(SELECTED));
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            if !name.starts_with(&format!("zonedrill-{}-", self.region)) || !self.made(&path) {
                continue;
            }
            if fs::read_to_string(&selected).is_ok_and(|selected| selected.trim() == name) {
                remove(&selected)?;
            }
            remove(&path)?;
            removed += 1;
        }
        Ok(removed)
    }

    fn description(&self, zone: &ZoneName) -> String {
        format!("zone {zone} of the zonedrill region in {}", self.folder.display())
    }

    /// Was that file made for a zone of this region?
    fn made(&self, path: &Path) -> bool {
        let read = || {
            path.symlink_metadata().ok().filter(fs::Metadata::is_file)?;
            let context: NatsContext =
                serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
            let zone = path.file_stem()?.to_str()?.rsplit_once('-')?.1.parse().ok()?;
            Some(context.description == self.description(&zone))
        };
        read().unwrap_or(false)
    }
}

/// Why a context cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Home(#[from] HomeError),
    /// There is none of that name.
    #[error(
        "there is no nats context `{name}` in {}{}",
        folder.display(),
        if known.is_empty() {
            ", nor any other: `nats context add` makes one".to_owned()
        } else {
            format!(": it has {}", known.join(", "))
        }
    )]
    None { name: String, folder: PathBuf, known: Vec<String> },
    /// The file is damaged.
    #[error("{} is no nats context: line {line} is not the JSON of one; `nats context edit` mends it", path.display())]
    Text { path: PathBuf, line: usize },
}

/// Reads a context, of whomever it is.
///
/// # Errors
/// When there is none of that name, or it cannot be read.
pub fn read_context(name: &str) -> Result<NatsContext, ReadError> {
    let folder = folder().ok_or(HomeError::NoHome)?.join("context");
    let path = folder.join(format!("{name}.json"));
    let unknown = || {
        let mut known: Vec<String> = fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".json")?.to_owned()))
            .collect();
        known.sort();
        ReadError::None { name: name.to_owned(), folder: folder.clone(), known }
    };
    if name.is_empty() || name.contains('/') || name.contains("..") {
        return Err(unknown());
    }
    let text = fs::read_to_string(&path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => unknown(),
        _ => HomeError::Io { doing: "read", path: path.clone(), source }.into(),
    })?;
    // Not the reader's own words, which may quote a password.
    serde_json::from_str(&text).map_err(|error| ReadError::Text { path, line: error.line() })
}

/// Where the `nats` command line has its files.
fn folder() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.config_dir().join("nats"))
}

/// Makes a folder for its owner only; one that is there stays as it is.
fn private(folder: &Path) -> Result<(), HomeError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| HomeError::Io { doing: "create", path: folder.to_owned(), source })
}

/// Replaces a file; never written through a link.
fn write(path: &Path, text: &str) -> Result<(), HomeError> {
    let io = |source: io::Error| HomeError::Io { doing: "write", path: path.to_owned(), source };
    write_private(path, text).map_err(io)
}

fn remove(path: &Path) -> Result<(), HomeError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(HomeError::Io { doing: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
