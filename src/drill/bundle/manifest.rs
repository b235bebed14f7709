//! What a bundle holds, with the digest of every file, and one of itself.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    BundleError,
    files::{self, bad_path, hex},
};
use crate::region::UnixMs;

/// Its file.
pub const FILE: &str = "manifest.json";
/// The version of the format.
pub const FORMAT: u32 = 1;
/// The first word of every manifest.
const KIND: &str = "zonedrill evidence bundle";
const LARGEST: u64 = 8 << 20;

/// A manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub kind: String,
    pub format: u32,
    pub version: String,
    /// When it was written.
    pub written_ms: UnixMs,
    /// The folders of the runs, in order.
    pub runs: Vec<String>,
    /// Every file but this one.
    pub files: BTreeMap<String, Digest>,
    /// SHA-256 of this manifest with an empty text here.
    pub digest: String,
}

/// A file's size and digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    pub bytes: u64,
    pub sha256: String,
}

impl Manifest {
    /// A manifest of this version of the program.
    #[must_use]
    pub fn new(written_ms: UnixMs, runs: Vec<String>, files: BTreeMap<String, Digest>) -> Self {
        let mut manifest = Self {
            kind: KIND.into(),
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            written_ms,
            runs,
            files,
            digest: String::new(),
        };
        manifest.digest = manifest.own_digest();
        manifest
    }

    /// As it is written.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// The digest of this manifest without its digest.
    #[must_use]
    pub fn own_digest(&self) -> String {
        let bare = Self { digest: String::new(), ..self.clone() };
        hex(&Sha256::digest(bare.text().as_bytes()))
    }

    /// Reads the manifest of a folder. The second is what is wrong with it, though it can be read.
    ///
    /// # Errors
    /// When the folder holds none that can be followed safely.
    pub fn read(folder: &Path) -> Result<(Self, Option<&'static str>), BundleError> {
        let path = folder.join(FILE);
        let not = |why: String| BundleError::NotABundle { path: folder.into(), why };
        if !folder.is_dir() {
            return Err(not("there is no such folder".into()));
        }
        let text = files::text(&path, LARGEST).map_err(|error| not(error.to_string()))?;
        let value: serde_json::Value = serde_json::from_str(&text)
            .map_err(|error| not(format!("{FILE} is damaged: {error}")))?;
        if value.get("kind").and_then(|kind| kind.as_str()) != Some(KIND) {
            return Err(not(format!("{FILE} is that of something else")));
        }
        let format = value.get("format").and_then(serde_json::Value::as_u64);
        if format != Some(FORMAT.into()) {
            return Err(not(format!("{FILE} is of a format that this version does not know")));
        }
        let manifest: Self = serde_json::from_value(value)
            .map_err(|error| not(format!("{FILE} is damaged: {error}")))?;
        for file in manifest.files.keys().chain(&manifest.runs) {
            if let Some(why) = bad_path(file) {
                return Err(not(format!("{FILE} names the file {file:?}, which {why}")));
            }
        }
        let wrong = if manifest.text() != text {
            Some("is not written as this program writes it")
        } else if manifest.own_digest() != manifest.digest {
            Some("does not fit its own digest")
        } else {
            None
        };
        Ok((manifest, wrong))
    }
}
