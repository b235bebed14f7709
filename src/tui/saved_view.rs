//! What a screen comes back to when its connection was lost: its token and its view, in a file of
//! the region's folder while the screen is up.
//!
//! A screen that is left on purpose removes its file; one whose terminal is gone leaves it, and the
//! next screen of the same name takes it up. The room decides by the token whether the place is
//! still kept; a file that outlived it is of no use and goes.

use std::{
    fs::{self, File, OpenOptions},
    hash::{BuildHasher, Hasher},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::state::ViewState;
use crate::region::ZoneName;

/// A screen's own view, as far as it is worth coming back to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The zone with the focus.
    pub focus: Option<ZoneName>,
    /// It fills the screen.
    pub zoom: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    token: String,
    view: View,
}

/// The file of a screen's view and token.
#[derive(Clone, Debug)]
pub struct SavedView {
    path: PathBuf,
    file: Option<Arc<File>>,
    /// What proves to the room that the place is ours.
    pub token: String,
    /// The view to begin with, once the room has said that the place was kept.
    pub view: View,
}

impl SavedView {
    /// The place of `name`: one that a dead screen of that name left behind, or a new one.
    #[must_use]
    pub fn find(folder: &Path, name: &str) -> Self {
        let own: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let path = folder.join(format!("{own}.{}.json", std::process::id()));
        let kept = abandoned(folder, &own);
        let (token, view) = match kept {
            Some(kept) => (kept.token, kept.view),
            None => (token(), View::default()),
        };
        Self { path, file: None, token, view }
    }

    /// Keeps what a screen shows now, if that is something else than before.
    pub fn keep(&mut self, state: &ViewState) {
        let view = View { focus: state.focus.clone(), zoom: state.zoom };
        if view != self.view {
            self.view = view;
            self.write();
        }
    }

    /// Writes the file. Without it, a lost screen comes back as a new one: no reason to fail.
    pub fn write(&mut self) {
        if let Err(error) = self.try_write() {
            tracing::debug!("{}: {error}", self.path.display());
        }
    }

    fn try_write(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            if let Some(folder) = self.path.parent() {
                fs::create_dir_all(folder)?;
            }
            let file = options().create(true).truncate(false).open(&self.path)?;
            // Held to this process' end, however it comes: what tells a living screen's file from
            // a dead one's.
            file.try_lock()?;
            self.file = Some(Arc::new(file));
        }
        let Some(mut file) = self.file.as_deref() else { return Ok(()) };
        let kept = Kept { token: self.token.clone(), view: self.view.clone() };
        let text = serde_json::to_string(&kept).map_err(io::Error::from)?;
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(text.as_bytes())
    }

    /// The screen is left on purpose.
    pub fn remove(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// A link in the folder is followed nowhere.
const NOFOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(NOFOLLOW);
    options
}

/// Takes up what dead screens of that name left; the newest of them.
fn abandoned(folder: &Path, own: &str) -> Option<Kept> {
    let mut newest = None;
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let name = entry.file_name();
        let who = name
            .to_str()
            .and_then(|name| name.strip_suffix(".json"))
            .and_then(|name| name.rsplit_once('.'))
            .map(|(who, _)| who);
        if who != Some(own) {
            continue;
        }
        let Ok(mut file) = options().open(entry.path()) else { continue };
        if file.try_lock().is_err() {
            continue;
        }
        let modified = file.metadata().and_then(|data| data.modified()).ok();
        let mut text = String::new();
        let kept = file
            .read_to_string(&mut text)
            .ok()
            .and_then(|_| serde_json::from_str::<Kept>(&text).ok());
        let _ = fs::remove_file(entry.path());
        if let Some(kept) = kept
            && newest.as_ref().is_none_or(|(at, _)| *at < modified)
        {
            newest = Some((modified, kept));
        }
    }
    newest.map(|(_, kept)| kept)
}

/// A word nobody guesses within a minute. Everyone who reaches the socket has the account that
/// owns it, so it need not withstand more.
fn token() -> String {
    let word = || std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", word(), word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_screens_place_is_taken_up_once_by_its_own_name() {
        let folder = tempfile::tempdir().unwrap();
        let view = View { focus: "b".parse().ok(), zoom: true };
        let kept = Kept { token: "secret".into(), view: view.clone() };
        let left = folder.path().join("tom.1.json");
        fs::write(&left, serde_json::to_string(&kept).unwrap()).unwrap();
        assert_ne!(SavedView::find(folder.path(), "mira").token, "secret");
        let mut saved = SavedView::find(folder.path(), "tom");
        assert_eq!((saved.token.as_str(), &saved.view), ("secret", &view));
        saved.write();
        // Now it is a living screen's.
        let second = SavedView::find(folder.path(), "tom");
        assert_ne!(second.token, "secret");
        assert_eq!(second.view, View::default());
        saved.remove();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
