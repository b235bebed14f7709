//! What is left in the engine of a region that has no room: found by its name, and removed.

use std::{path::Path, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    containers::{self, Swept},
    engine::{self, refuse},
    names::Names,
    tool,
};
use crate::{platform::PlatformError, region::topology::region_flag};

/// How long an engine has to give a region up. A container may take 8 s to end, and a compose tool
/// that was at work some more.
const PATIENCE: Duration = Duration::from_secs(120);
/// The pause before it is looked again whether anything is left.
const AGAIN: Duration = Duration::from_secs(1);
/// So many looks in a row that find nothing: what a killed room had just asked of the engine comes
/// after it.
const LOOKS: u8 = 2;

/// Removes what is left in the engine of a region that has no room. Returns what there was; `None`
/// where no engine answers.
///
/// # Errors
/// When something cannot be removed.
pub async fn remove_region(region: &str, purge: bool) -> Result<Option<Swept>, PlatformError> {
    let Ok(engine) = engine::find().await else { return Ok(None) };
    let names = Names::new(region);
    containers::sweep(&engine.docker, &names, None, purge).await.map(Some)
}

/// Removes all that a killed room left in the engine, its data too, and what still comes: a compose
/// tool that the room had begun in `servers` goes on without it.
///
/// # Errors
/// When that cannot be done within two minutes; with what is in the way, and the way out.
pub async fn clear_region(region: &str, servers: &Path) -> Result<(), PlatformError> {
    let deadline = Instant::now() + PATIENCE;
    let names = Names::new(region);
    let mut quiet = 0;
    loop {
        // Asked before the look: what it has made by then is seen.
        let busy = tool::is_at_work(servers);
        let swept = match engine::find().await {
            Ok(engine) => containers::sweep(&engine.docker, &names, None, true).await,
            Err(error) => Err(error),
        };
        let nothing = !busy && matches!(&swept, Ok(swept) if swept.is_nothing());
        quiet = if nothing { quiet + 1 } else { 0 };
        if quiet == LOOKS {
            return Ok(());
        }
        if Instant::now() > deadline {
            let why = swept.err().map_or_else(
                || "a compose tool is still at work on it".to_owned(),
                |error| error.to_string(),
            );
            return Err(refuse(format!(
                "not all of region {region} is removed from Docker ({why}): `zonedrill{} down --purge` removes it",
                region_flag(region)
            )));
        }
        sleep(AGAIN).await;
    }
}
