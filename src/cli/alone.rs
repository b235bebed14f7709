//! A region for one shell only: on free ports, in a temporary folder, gone with the shell with all
//! its data.
//!
//! The room is tethered: it reads from a pipe whose other end only this process holds, and ends in
//! order when that end is closed, by whatever death.

use std::{
    path::{Path, PathBuf},
    process::Child,
    time::{Duration, Instant},
};

use color_eyre::eyre::{self, WrapErr};

use super::{PortBase, StartArgs, shell, start, tell};
use crate::{
    region::{MirrorKind, PlatformKind, status::Phase},
    room::{
        client::Client,
        guard,
        home::{self, Home},
        protocol::{ClientKind, Message},
    },
};

/// How long the room may take to end in order.
const ENDS_WITHIN: Duration = Duration::from_secs(20);
/// How long what a killed room left may take to go. An engine that gives nothing up is told before.
const CLEARED_WITHIN: Duration = Duration::from_secs(300);

/// A region of this shell's own.
#[derive(Debug)]
pub struct Alone {
    pub home: Home,
    root: PathBuf,
    room: Child,
    platform: PlatformKind,
}

/// A region's name that no other region of the same engine has: there the data of one would be the
/// other's.
fn of_its_own(region: &str, pid: u32, nanos: u32) -> String {
    let short: String = region.chars().take(14).collect();
    format!("{short}-{:08x}", pid.wrapping_mul(0x9e37_79b9) ^ nanos)
}

/// Another server or mirror kind than the shell's words say.
#[derive(Clone, Debug)]
pub struct Other {
    pub version: String,
    pub mirror: MirrorKind,
}

impl Alone {
    /// Starts the room of such a region; it brings the region up.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start(
        region: &str,
        asked: &StartArgs,
        other: Option<Other>,
    ) -> eyre::Result<Self> {
        Self::with_drills(region, asked, other, None).await
    }

    /// The same, with the scripts of a folder in place of the user's own.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn with_drills(
        region: &str,
        asked: &StartArgs,
        other: Option<Other>,
        drills: Option<&Path>,
    ) -> eyre::Result<Self> {
        let mut asked = asked.clone();
        asked.port_base = asked.port_base.or(Some(PortBase::Auto));
        if let Some(Other { version, mirror }) = other {
            (asked.nats_version, asked.mirror, asked.nats_server) =
                (Some(version), Some(mirror), None);
        }
        let nanos = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.subsec_nanos());
        let root = std::env::temp_dir().join(format!("zonedrill-{}-{nanos}", std::process::id()));
        home::private_folder(&root)?;
        let docker = asked.platform == Some(PlatformKind::Docker);
        let region =
            if docker { of_its_own(region, std::process::id(), nanos) } else { region.to_owned() };
        let home = Home { folder: root.join(&region), region };
        let started = async {
            let settings = asked.settings(&home, None)?;
            let mut room = start::spawn(&home, &settings, true, drills).wrap_err("no region")?;
            start::until_it_listens(&home, &mut room).await?;
            Ok((room, settings.platform))
        };
        match started.await {
            Ok((room, platform)) => Ok(Self { home, root, room, platform }),
            Err(error) => {
                let _ = std::fs::remove_dir_all(&root);
                Err(error)
            }
        }
    }

    /// Waits until the region is up, and tells the steps; the exit code of the start.
    ///
    /// # Errors
    /// When the connection breaks, or ctrl-c ends the waiting.
    pub async fn until_told_up(&self, name: &str) -> eyre::Result<u8> {
        tokio::select! {
            up = shell::up(&self.home, name, start::Started::Now) => up,
            _ = tokio::signal::ctrl_c() => eyre::bail!("ended before the region was up"),
        }
    }

    /// Waits until the region is up, without a word.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn until_up(&self, name: &str) -> eyre::Result<()> {
        let home = &self.home;
        let mut client = Client::connect(home, name, ClientKind::Watch, true).await?;
        loop {
            if let Message::Status { status } = client.next().await? {
                match status.phase {
                    Phase::Up => return Ok(()),
                    Phase::Failed => eyre::bail!("{}", status.failure.unwrap_or_default()),
                    _ => {}
                }
            }
        }
    }

    /// Ends the room and removes what there was.
    pub async fn end(mut self) {
        drop(self.room.stdin.take());
        let deadline = Instant::now() + ENDS_WITHIN;
        while Instant::now() < deadline && matches!(self.room.try_wait(), Ok(None)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if matches!(self.room.try_wait(), Ok(Some(status)) if status.success()) {
            return;
        }
        let _ = self.room.kill();
        let _ = self.room.wait();
        // Its guard clears up; where that was killed too, this shell does.
        let deadline = Instant::now() + CLEARED_WITHIN;
        while self.home.folder.exists() && Instant::now() < deadline {
            let identity = match self.home.identity() {
                Ok(identity) => identity,
                Err(error) => return tell(&error.to_string()),
            };
            let cleared = guard::clear_up(&self.home, &identity, Some(self.platform)).await;
            if let Err(error) = cleared {
                return tell(&error.to_string());
            }
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        drop(self.room.stdin.take());
        if matches!(self.room.try_wait(), Ok(None)) {
            // It did not end when it should have; its guard clears up after it.
            let _ = self.room.kill();
            let _ = self.room.wait();
        }
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_of_one_shell_each_have_their_own_name() {
        let long = "a-region-with-a-long-name";
        let one = of_its_own(long, 4711, 5);
        assert!(one.len() <= 24 && one.starts_with("a-region-with-"), "{one}");
        assert_ne!(one, of_its_own(long, 4711, 6));
        assert_ne!(one, of_its_own(long, 4712, 5));
    }
}
