//! A room that is killed takes its servers along.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use zonedrill::{
    command::NodeAct,
    platform::{Platform, PlatformError, local::ports},
    region::{Role, ZonePlan},
};

use super::{eventually, name, node, platform_at};
use crate::support::nats::access;

/// A child process, ended with the test.
struct Room(Child);

impl Drop for Room {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const HOME: &str = "TEST_ROOM_HOME";
const BASE: &str = "TEST_ROOM_BASE";

/// Not a test: the room that another test starts in a process of its own, and kills.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by killing_the_room_ends_its_servers"]
async fn a_room_to_be_killed() {
    let (Ok(home), Ok(base)) = (std::env::var(HOME), std::env::var(BASE)) else { return };
    let zone =
        ZonePlan::new(name("a"), Role::Source, 0, base.parse().unwrap()).with_access(&access());
    let platform = platform_at(Path::new(&home), &zone);
    platform.prepare(&|_| {}).await.unwrap();
    platform.start_zone(&zone).await.unwrap();
    platform.act(NodeAct::Freeze, &node("js3-zone-a")).await.unwrap();
    std::fs::write(Path::new(&home).join("up"), "").unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_room_ends_its_servers() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let base = ports::free_base(1).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "local_platform::killed::a_room_to_be_killed", "--ignored"])
        .env(HOME, home)
        .env(BASE, base.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut room = Room(child);
    eventually("the room", async || home.join("up").exists()).await;
    let zone = ZonePlan::new(name("a"), Role::Source, 0, base).with_access(&access());

    // While it lives, its servers are not another's to clear.
    let platform = platform_at(home, &zone);
    let busy = platform.prepare(&|_| {}).await.unwrap_err();
    assert!(matches!(busy, PlatformError::Busy { pid, .. } if pid == room.0.id()), "{busy}");

    room.0.kill().unwrap();
    room.0.wait().unwrap();
    if cfg!(target_os = "linux") {
        // The kernel ends them, a frozen one too.
        eventually("free ports", async || zone.ports().all(ports::is_free)).await;
    }
    platform.prepare(&|_| {}).await.unwrap();
    platform.start_zone(&zone).await.unwrap();
    platform.down(false).await.unwrap();
}
