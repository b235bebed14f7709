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

use etcetera::BaseStrategy;
use serde_json::{Value, json};

use super::{Home, HomeError, secrets::write_private};
use crate::region::{Role, ZoneName, ZonePlan, access::USER};

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
            let context = json!({
                "description": self.description(&zone.name),
                "url": zone.urls().join(","),
                "user": USER,
                "password": zone.access.secrets.client,
            });
            write(&of_zone(zone), &format!("{context:#}\n"))?;
        }
        if select && let Some(source) = zones.iter().find(|zone| zone.role == Role::Source) {
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
            let context: Value = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
            let zone = path.file_stem()?.to_str()?.rsplit_once('-')?.1.parse().ok()?;
            Some(context.get("description")?.as_str()? == self.description(&zone))
        };
        read().unwrap_or(false)
    }
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
