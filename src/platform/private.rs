//! Folders and files that only their owner may read: there are passwords in them.

use std::{
    fs::{DirBuilder, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use super::PlatformError;

/// Makes a folder, unless it is there.
pub(super) fn folder(path: &Path) -> Result<(), PlatformError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| PlatformError::io("create folder", path, error))
}

/// Writes a file, in the place of what it held.
pub(super) fn write(path: &Path, text: &str) -> Result<(), PlatformError> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| PlatformError::io("write", path, error))
}

/// Removes a folder and everything in it; one that is not there is fine.
pub(super) async fn remove(folder: &Path) -> Result<(), PlatformError> {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(PlatformError::io("remove", folder, error))
        }
        _ => Ok(()),
    }
}
