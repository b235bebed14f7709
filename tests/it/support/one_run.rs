//! A region for one shell, as `drill run` makes it where no room runs.

use std::{
    path::PathBuf,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use super::{
    region::{Region, SOON, folders, kill, pid_of_room},
    server::nats_server,
};

/// A `drill run` with a region of its own.
pub struct OneRun {
    pub shell: Child,
    /// Its folder, in the temporary folder of the [`Region`] that began it.
    pub folder: PathBuf,
}

impl Region {
    /// Begins the drill `independent` in a region for one shell; returns when its room runs.
    pub fn begin_one_run(&self, more: &[&str]) -> OneRun {
        let mut shell = self.program();
        shell
            .args(["drill", "run", "independent", "--report", "proof", "--nats-server"])
            .arg(nats_server())
            .args(more)
            .current_dir(self.home.path())
            .env("TMPDIR", self.home.path())
            .stdout(Stdio::null());
        let shell = shell.spawn().expect("a drill");
        OneRun { shell, folder: self.room_of_one_run() }
    }

    fn room_of_one_run(&self) -> PathBuf {
        let deadline = Instant::now() + SOON;
        loop {
            let mut rooms = self.one_runs().into_iter().flat_map(|root| folders(&root));
            if let Some(folder) = rooms.find(|folder| pid_of_room(folder).is_some()) {
                return folder;
            }
            assert!(Instant::now() < deadline, "no room for one shell");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What there is of regions for one shell in the temporary folder.
    pub fn one_runs(&self) -> Vec<PathBuf> {
        let ours = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("zonedrill-"))
        };
        // The bundle is called `proof`.
        folders(self.home.path()).into_iter().filter(ours).collect()
    }
}

impl OneRun {
    /// The region's name.
    pub fn name(&self) -> String {
        self.folder.file_name().expect("a name").to_string_lossy().into_owned()
    }

    /// Waits until the drill has begun.
    pub fn wait_for_the_drill(&self) {
        let deadline = Instant::now() + 2 * SOON;
        while folders(&self.folder.join("drills")).is_empty() {
            assert!(Instant::now() < deadline, "no drill begins");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn kill_room(&self) {
        kill(pid_of_room(&self.folder).expect("a room"));
    }

    pub fn kill_shell(&mut self) {
        kill(self.shell.id().cast_signed());
        self.shell.wait().expect("it has ended");
    }
}
