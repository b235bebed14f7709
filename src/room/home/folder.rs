//! Folders of which nobody else may decide what is in them.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::Path,
};

use super::{Home, HomeError, Lease};

/// Refuses a folder in which another account can put one in a region's place: one that is neither
/// ours nor the system's, or that everybody writes in and that is not sticky as /tmp is.
pub(super) fn not_shared(path: &Path) -> Result<(), HomeError> {
    let told = fs::metadata(path).map_err(|source| HomeError::Io {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    let (uid, mode) = (told.uid(), told.mode() & 0o7777);
    let owned = uid == 0 || uid == rustix::process::getuid().as_raw();
    let open = mode & 0o002 != 0 && mode & 0o1000 == 0;
    if owned && !open {
        return Ok(());
    }
    Err(HomeError::Shared { path: path.to_owned(), uid, mode })
}

impl Home {
    /// Takes a region that somebody else runs for one command: of two at once each would find the other's
    /// messages, and `down` would remove a consumer that is in use.
    ///
    /// # Errors
    /// When another command has it, or the folder cannot be used.
    pub fn claim_of_others(root: &Path, region: &str) -> Result<Lease, HomeError> {
        let folder = root.join(format!("{region}.others"));
        private_folder(&folder)?;
        let home = Self { region: region.to_owned(), folder };
        home.claim().map_err(|error| match error {
            HomeError::Held { region, pid } => HomeError::AtWork { region, pid },
            other => other,
        })
    }
}

/// Creates a folder that only its owner can enter. A link in its place is not followed: in a
/// folder where anybody writes, it would make this one's mode that of whatever it leads to.
///
/// # Errors
/// When it cannot be created, is a link, or is someone else's.
pub fn private_folder(path: &Path) -> Result<(), HomeError> {
    use rustix::fs::{Mode, OFlags};
    let io = |doing| move |source| HomeError::Io { doing, path: path.to_owned(), source };
    let only_ours = Mode::from_raw_mode(0o700);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io("create"))?;
    if fs::symlink_metadata(path).map_err(io("read"))?.is_symlink() {
        return Err(HomeError::Link(path.to_owned()));
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder =
        rustix::fs::open(path, flags, Mode::empty()).map_err(|error| io("open")(error.into()))?;
    let stat = rustix::fs::fstat(&folder).map_err(|error| io("read")(error.into()))?;
    if stat.st_uid != rustix::process::getuid().as_raw() {
        return Err(HomeError::NotOurs { path: path.to_owned(), uid: stat.st_uid });
    }
    rustix::fs::fchmod(&folder, only_ours).map_err(|error| io("protect")(error.into()))
}
