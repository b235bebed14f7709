//! `down` with `--region-file`: what drills have left there is taken away.

use color_eyre::eyre;

use super::caller::Caller;
use crate::{
    nats::external::examine::Region,
    room::{external::leftovers::remove, home::Home, protocol::Outcome, region_file::Opened},
};

/// Removes what drills have left: the consumers that carry this region's mark.
///
/// # Errors
/// When they cannot be listed or removed.
pub async fn down(region: &Region, opened: &Opened, caller: &Caller) -> eyre::Result<Outcome> {
    let name = &opened.file.name;
    if caller.consent.dry {
        let own = region.own_consumers(name, None).await.map_err(eyre::Report::msg)?;
        for consumer in &own {
            let left = if consumer.in_use { ", left alone: a drill uses it" } else { "" };
            caller.tell(&format!("zone {}: {}{left}", consumer.zone, consumer.name));
        }
        caller.tell(&format!("{} of zonedrill's consumers are there", own.len()));
        return Ok(Outcome::Done);
    }
    let _alone = Home::claim_of_others(&caller.root, name)?;
    let removed = remove(region, &caller.audit(name), (name, None, &opened.path)).await;
    let (removed, left) = removed.map_err(eyre::Report::msg)?;
    for one in &removed {
        caller.tell(&format!("removed: {one}"));
    }
    for one in &left {
        caller.tell(&format!("left alone, a drill uses it: {one}"));
    }
    if removed.is_empty() && left.is_empty() {
        caller.tell("nothing of zonedrill's is there");
    }
    Ok(Outcome::Done)
}
