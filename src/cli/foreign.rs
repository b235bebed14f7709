//! `--force-foreign ID`: what another home has in Docker under this region's name is removed, or taken
//! over for good.

use color_eyre::eyre;

use super::tell;
use crate::{
    platform::docker::{self, Swept},
    region::{PlatformKind, Settings},
    room::home::Home,
};

/// Removes what bears `id`; nothing of this home's is touched.
///
/// # Errors
/// When there is no such thing, or it cannot be removed.
pub async fn remove(home: &Home, id: &str, purge: bool) -> eyre::Result<u8> {
    let ours = home.identity()?;
    let swept = docker::remove_foreign(&home.region, &ours, id, purge).await?;
    let Swept { containers, networks, volumes } = swept;
    let data = if purge { format!("{volumes} volumes") } else { "no volume".to_owned() };
    tell(&format!(
        "of region {} with the id {id}, {containers} containers, {networks} networks and {data} are removed",
        home.region
    ));
    Ok(0)
}

/// Makes what bears `id` this home's, before its room starts.
///
/// # Errors
/// When there is no such thing, its room runs, or this region is held.
pub async fn take_over(home: &Home, settings: &Settings, id: &str) -> eyre::Result<()> {
    eyre::ensure!(
        settings.platform == PlatformKind::Docker,
        "--force-foreign is about what Docker holds: it goes with `--platform docker`"
    );
    let ours = home.identity()?;
    if ours.has(id) {
        return Ok(());
    }
    docker::may_take_over(&home.region, &ours, id).await?;
    home.create()?;
    let _claim = home.claim()?;
    Ok(home.take_over(id)?)
}
