//! The region's passwords: made once, kept in its folder for its owner only.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use super::{Home, HomeError};
use crate::region::access::Secrets;

/// The file with the passwords.
pub(super) const FILE: &str = "region.secrets";
/// The same, not yet whole.
pub(super) const NEW: &str = "region.secrets.new";
/// Random bytes of a password.
const BYTES: usize = 16;

impl Home {
    /// The region's passwords; `None` where it has none yet.
    ///
    /// # Errors
    /// When the file cannot be read or understood, or others may read it.
    pub fn secrets(&self) -> Result<Option<Secrets>, HomeError> {
        let path = self.folder.join(FILE);
        let io = |source| HomeError::Io { doing: "read", path: path.clone(), source };
        let mut file = match no_link(OpenOptions::new().read(true)).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io(source)),
        };
        let about = file.metadata().map_err(io)?;
        if about.uid() != rustix::process::getuid().as_raw() {
            return Err(HomeError::NotOurs { path, uid: about.uid() });
        }
        let wrong = |why: String| HomeError::Secrets { path: path.clone(), why };
        if about.mode() & 0o077 != 0 {
            let path = path.display();
            return Err(wrong(format!("others may read it: `chmod 600 '{path}'`")));
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(io)?;
        let renew = "remove it, and the next `up` makes new passwords (servers that still run with the old ones are then removed with `down` first)";
        // The reader's own words would quote the line, with a password in it.
        let secrets: Secrets =
            toml::from_str(&text).map_err(|_| wrong(format!("it is damaged: {renew}")))?;
        if secrets.are_usable() {
            Ok(Some(secrets))
        } else {
            Err(wrong(format!(
                "a password in it is missing or holds more than letters, digits, `-` and `_`: {renew}"
            )))
        }
    }

    /// The region's passwords; made now where it has none. Needs the claim.
    ///
    /// # Errors
    /// When the file cannot be read, understood or written.
    pub fn make_secrets(&self) -> Result<Secrets, HomeError> {
        if let Some(secrets) = self.secrets()? {
            return Ok(secrets);
        }
        let new = || {
            let path = Path::new("/dev/urandom");
            random().map_err(|source| HomeError::Io { doing: "read", path: path.into(), source })
        };
        let secrets = Secrets { client: new()?, leaf: new()?, route: new()?, system: new()? };
        self.keep_secrets(&secrets)?;
        Ok(secrets)
    }

    /// Makes these the region's passwords. Needs the claim.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn keep_secrets(&self, secrets: &Secrets) -> Result<(), HomeError> {
        let path = self.folder.join(NEW);
        let io = |source| HomeError::Io { doing: "write", path: path.clone(), source };
        let text = toml::to_string(secrets).map_err(|error| io(io::Error::other(error)))?;
        write_private(&path, &text).map_err(io)?;
        fs::rename(&path, self.folder.join(FILE)).map_err(io)
    }
}

/// Writes a new file for its owner only; what was there under that name is replaced, not written
/// through.
///
/// # Errors
/// When it cannot be made or written.
pub fn write_private(path: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file =
        no_link(OpenOptions::new().write(true).create_new(true).mode(0o600)).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn no_link(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
}

/// A password that nobody guesses. It begins with a letter: nats-server reads a bare word of a
/// variable as a number if it can.
fn random() -> io::Result<String> {
    let mut bytes = [0; BYTES];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold("z".to_owned(), |text, byte| format!("{text}{byte:02x}")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn home(folder: &Path) -> Home {
        let home = Home { region: "test".into(), folder: folder.join("test") };
        home.create().unwrap();
        home
    }

    #[test]
    fn passwords_are_made_once_and_are_their_owners() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(folder.path());
        assert_eq!(home.secrets().unwrap(), None);
        let made = home.make_secrets().unwrap();
        assert!(made.are_usable());
        let all = [&made.client, &made.leaf, &made.route, &made.system];
        for (i, one) in all.iter().enumerate() {
            assert!(one.len() == 33 && !all[..i].contains(one), "{one}");
        }
        assert_eq!(home.make_secrets().unwrap(), made);
        let path = home.folder.join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(!format!("{made:?}").contains(&made.client));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = home.make_secrets().unwrap_err().to_string();
        assert!(error.contains("others may read it: `chmod 600"), "{error}");
        fs::write(&path, format!("client = \"{}\"\nnonsense", made.client)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = home.secrets().unwrap_err().to_string();
        assert!(error.contains("is damaged") && !error.contains(&made.client), "{error}");
    }

    #[test]
    fn no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(folder.path());
        let elsewhere = folder.path().join("elsewhere");
        fs::write(&elsewhere, "mine").unwrap();
        symlink(&elsewhere, home.folder.join(NEW)).unwrap();
        home.make_secrets().unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "mine");
        let path = home.folder.join(FILE);
        fs::rename(&path, &elsewhere).unwrap();
        symlink(&elsewhere, &path).unwrap();
        assert!(home.secrets().is_err());
    }
}
