//! The region's id: made once, kept in its folder, carried by everything made for it elsewhere.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
};

use super::{Home, HomeError};
use crate::platform::{
    identity::{Identity, is_id, new_id},
    marks::given_id,
};

/// The file with the ids, one a line: the folder's own, then those taken over.
pub(super) const FILE: &str = "region.id";

impl Home {
    /// The folder's identity; without ids where no room ever ran here.
    ///
    /// # Errors
    /// When the file is there and cannot be read or understood.
    pub fn identity(&self) -> Result<Identity, HomeError> {
        let path = self.folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(source) => return Err(HomeError::Io { doing: "read", path, source }),
        };
        let ids: Vec<String> = text.lines().map(str::to_owned).collect();
        match ids.iter().find(|id| !is_id(id)) {
            Some(id) => Err(HomeError::Id { path, id: id.clone() }),
            None => Ok(Identity::new(ids, &self.folder)),
        }
    }

    /// The folder's identity; its id is made now where it has none, unless this process was given
    /// one for it. Needs the claim.
    ///
    /// # Errors
    /// When the file cannot be read, understood or written.
    pub fn identify(&self) -> Result<Identity, HomeError> {
        let identity = self.identity()?;
        if identity.own().is_some() {
            return Ok(identity);
        }
        self.write_ids(vec![given_id().unwrap_or_else(new_id)])
    }

    /// Takes over what bears `id`: from now on it is this region's. Needs the claim.
    ///
    /// # Errors
    /// As [`Self::identify`].
    pub fn take_over(&self, id: &str) -> Result<(), HomeError> {
        let mut ids = self.identify()?.ids;
        if !ids.iter().any(|ours| ours == id) {
            ids.push(id.to_owned());
            self.write_ids(ids)?;
        }
        Ok(())
    }

    fn write_ids(&self, ids: Vec<String>) -> Result<Identity, HomeError> {
        let path = self.folder.join(FILE);
        let io = |source| HomeError::Io { doing: "write", path: path.clone(), source };
        // A torn file would make what runs under its id somebody else's.
        let new = path.with_extension("id.new");
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&new);
        file.and_then(|mut file| {
            file.write_all((ids.join("\n") + "\n").as_bytes())?;
            file.sync_all()
        })
        .map_err(io)?;
        fs::rename(&new, &path).map_err(io)?;
        Ok(Identity::new(ids, &self.folder))
    }
}
