//! The evidence bundle: a folder that can be handed to a sceptic.
//!
//! | file | what is inside |
//! |---|---|
//! | [`manifest`] | what a bundle holds, with the digest of every file |
//! | [`files`] | reading files that somebody else may have prepared |
//! | [`blank`] | configurations and logs without their passwords |
//! | [`judge`] | the seam to the checks: from a run's files to what they find |
//! | `build` | from the evidence in a folder to its reports |
//! | `write` | a bundle comes to be, wholly or not at all |
//! | `verify` | a bundle is read back, its digests checked, its verdicts computed anew |
//! | `unread` | the replicas that a record holds nothing of |
//!
//! A digest is no signature: who alters a file and the manifest with it is found only where files
//! contradict each other. Every verdict is therefore computed anew from the evidence, and the
//! reports are written anew and compared.

pub mod blank;
mod build;
pub mod files;
pub mod judge;
pub mod manifest;
mod unread;
pub mod verify;
pub mod write;

use std::path::PathBuf;

pub use verify::{Bundle, Verification, read, verify, verify_with};
pub use write::{Parts, RunFolder, write, write_with};

/// Why a bundle cannot be written or read. The exit code is 3.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    /// What is there is no bundle.
    #[error("{} is not an evidence bundle: {why}", path.display())]
    NotABundle {
        /// What was looked at.
        path: PathBuf,
        why: String,
    },
    /// The folder is in use for something else.
    #[error("{} is not empty and holds no evidence bundle: give another folder", path.display())]
    Occupied { path: PathBuf },
    /// Evidence cannot be used.
    #[error("{}: {why}", path.display())]
    Evidence { path: PathBuf, why: String },
}

impl BundleError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn evidence(path: impl Into<PathBuf>, why: impl Into<String>) -> Self {
        Self::Evidence { path: path.into(), why: why.into() }
    }
}
