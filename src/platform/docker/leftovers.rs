//! What is left in the engine of a region that has no room: found by its home's id, and removed.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    containers::{self, Data, Swept},
    engine::{self, Engine, refuse},
    foreign::{self, Owner},
    names::Names,
};
use crate::{
    platform::{
        PlatformError,
        identity::{Identity, RoomOf},
    },
    region::{ZonePlan, topology::region_flag},
};

/// How long an engine has to give a region up. A container may take 8 s to end.
const PATIENCE: Duration = Duration::from_secs(120);
/// The pause before it is looked again whether anything is left.
const AGAIN: Duration = Duration::from_secs(1);
/// So many looks in a row that find nothing: what a killed room had just asked of the engine comes
/// after it.
const LOOKS: u8 = 2;

/// What was removed of a region, and what bears its name and was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// This home's.
    pub swept: Swept,
    /// What is not this home's, in words with whose it is; `None` where there is nothing.
    pub foreign: Option<String>,
}

/// Removes what is left in the engine of a home's region that has no room; `plans` are its zones, as
/// far as they are known. What is another's is not touched. `None` where no engine answers.
///
/// # Errors
/// When something cannot be removed.
pub async fn remove_region(
    region: &str,
    identity: &Identity,
    plans: &[ZonePlan],
    purge: bool,
) -> Result<Option<Removed>, PlatformError> {
    let Ok(engine) = engine::find().await else { return Ok(None) };
    let names = Names::new(region, identity.clone());
    let foreign = foreign::look(&engine.docker, &names, plans).await?.describe(&names);
    let swept = containers::sweep(&engine.docker, &names, None, Data::of(purge)).await?;
    Ok(Some(Removed { swept, foreign }))
}

/// Removes what another home's region of that name has in the engine: what bears `id`.
///
/// # Errors
/// When there is nothing of that id, or it cannot be removed.
pub async fn remove_foreign(
    region: &str,
    ours: &Identity,
    id: &str,
    purge: bool,
) -> Result<Swept, PlatformError> {
    let engine = engine::find().await?;
    find_foreign(&engine, region, ours, id).await?;
    let theirs = Identity { ids: vec![id.to_owned()], ..ours.clone() };
    containers::sweep(&engine.docker, &Names::new(region, theirs), None, Data::of(purge)).await
}

/// Whether what bears `id` can be taken over by this home.
///
/// # Errors
/// When there is nothing of that id, or its room runs.
pub async fn may_take_over(region: &str, ours: &Identity, id: &str) -> Result<(), PlatformError> {
    let engine = engine::find().await?;
    match find_foreign(&engine, region, ours, id).await?.room() {
        RoomOf::Alive { pid } => {
            let pid = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            Err(refuse(format!(
                "the room of what bears the id {id} runs{pid}, and two rooms cannot have one region: `--region NAME` starts another region beside it"
            )))
        }
        RoomOf::Dead | RoomOf::Gone | RoomOf::Unknown => Ok(()),
    }
}

async fn find_foreign(
    engine: &Engine,
    region: &str,
    ours: &Identity,
    id: &str,
) -> Result<Owner, PlatformError> {
    let flag = region_flag(region);
    if ours.has(id) {
        return Err(refuse(format!(
            "{id} is this home's own: leave `--force-foreign` out (`zonedrill{flag} down`)"
        )));
    }
    let names = Names::new(region, ours.clone());
    let foreign = foreign::look(&engine.docker, &names, &[]).await?;
    foreign.owner(id).cloned().ok_or_else(|| {
        refuse(format!(
            "Docker holds nothing of region `{region}` with the id {id}: `zonedrill{flag} doctor --platform docker` names what is there"
        ))
    })
}

/// Removes all that a killed room of this home left in the engine, its data too, and what still
/// comes of what it had asked for.
///
/// # Errors
/// When that cannot be done within two minutes; with what stands in the way, and what to do.
pub async fn clear_region(region: &str, identity: &Identity) -> Result<(), PlatformError> {
    let deadline = Instant::now() + PATIENCE;
    let names = Names::new(region, identity.clone());
    let mut quiet = 0;
    loop {
        let swept = match engine::find().await {
            Ok(engine) => containers::sweep(&engine.docker, &names, None, Data::Remove).await,
            Err(error) => Err(error),
        };
        let nothing = matches!(&swept, Ok(swept) if swept.is_nothing());
        quiet = if nothing { quiet + 1 } else { 0 };
        if quiet == LOOKS {
            return Ok(());
        }
        if Instant::now() > deadline {
            let why = swept.err().map_or_else(
                || "more of it came all the time".to_owned(),
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
