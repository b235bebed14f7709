//! How far a comparison of a region of others has come: a file in zonedrill's folder.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    command::Point,
    nats::external::compare::{Compared, Halfway},
    region::ZoneName,
};

/// What was asked for, and what came of it so far.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    pub zone: Option<ZoneName>,
    pub from: Asked,
    pub to: Asked,
    /// The copies that are finished.
    pub done: Vec<Compared>,
    /// The one that is being compared.
    pub halfway: Option<Halfway>,
}

/// Where to begin or to end, if that was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked(pub Option<Point>);

impl Serialize for Asked {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.map(|point| point.to_string()).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Asked {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        let point = text.map(|text| text.parse()).transpose();
        point.map(Self).map_err(serde::de::Error::custom)
    }
}

impl Kept {
    /// Nothing compared yet.
    #[must_use]
    pub fn of(zone: Option<ZoneName>, from: Option<Point>, to: Option<Point>) -> Self {
        Self { zone, from: Asked(from), to: Asked(to), done: Vec::new(), halfway: None }
    }

    /// There is something to go on with.
    #[must_use]
    pub fn is_worth_it(&self) -> bool {
        !self.done.is_empty() || self.halfway.is_some()
    }
}

/// The file of one region.
#[derive(Clone, Debug)]
pub struct KeptFile(PathBuf);

impl KeptFile {
    /// Of the region of that name.
    #[must_use]
    pub fn of(root: &Path, region: &str) -> Self {
        Self(root.join(format!("verify-{region}.json")))
    }

    /// What is kept, if anything is.
    ///
    /// # Errors
    /// When it is there and cannot be read or understood, in words.
    pub fn read(&self) -> Result<Option<Kept>, String> {
        let path = self.0.display();
        let text = match fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{path} cannot be read: {error}")),
        };
        let kept = serde_json::from_str(&text);
        kept.map(Some).map_err(|error| {
            format!("{path} cannot be understood ({error}): remove it, and leave `--resume` out")
        })
    }

    /// Keeps it, in the place of what was kept before.
    ///
    /// # Errors
    /// When it cannot be written, in words.
    pub fn write(&self, kept: &Kept) -> Result<(), String> {
        let failed = |error: io::Error| format!("{}: {error}", self.0.display());
        let text = serde_json::to_string(kept).map_err(|error| failed(error.into()))?;
        let new = self.0.with_extension(format!("{}.new", std::process::id()));
        if let Some(folder) = self.0.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let nofollow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let mut options = fs::OpenOptions::new();
        let options =
            options.create(true).write(true).truncate(true).mode(0o600).custom_flags(nofollow);
        let written = options.open(&new).and_then(|mut file| file.write_all(text.as_bytes()));
        written.and_then(|()| fs::rename(&new, &self.0)).map_err(failed)
    }

    /// There is nothing to go on with any more.
    pub fn remove(&self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again_and_what_is_damaged_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeptFile::of(&folder.path().join("home"), "shop");
        assert_eq!(file.read(), Ok(None));
        let from = Some("2026-11-28T09:00:00Z".parse().unwrap());
        let kept = Kept::of(Some("b".parse().unwrap()), from, Some(Point::Sequence(7)));
        assert!(!kept.is_worth_it());
        file.write(&kept).unwrap();
        assert_eq!(file.read(), Ok(Some(kept)));
        assert_eq!(fs::read_dir(folder.path().join("home")).unwrap().count(), 1);
        fs::write(&file.0, "{\"zone\":").unwrap();
        assert!(file.read().unwrap_err().contains("leave `--resume` out"));
        file.remove();
        assert_eq!(file.read(), Ok(None));
    }
}
