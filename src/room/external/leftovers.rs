//! What drills have left in a region of others, and its removal.

use std::path::Path;

use serde_json::json;

use super::{
    file_flag,
    hook::{Audit, Deed},
};
use crate::nats::external::examine::Region;

/// Removes the consumers that carry a region's mark, those of one run if one is named; without one,
/// those that a drill uses just now are left. Tells the names of what was removed, and of what was left.
///
/// # Errors
/// What is left behind, and what removes it.
pub async fn remove(
    region: &Region,
    audit: &Audit,
    (name, run, file): (&str, Option<&str>, &Path),
) -> Result<(Vec<String>, Vec<String>), String> {
    let flag = file_flag(file);
    let failed = |why: String| {
        format!(
            "{why}; `zonedrill{flag} down` removes what is left, and the servers do after an hour"
        )
    };
    let (mut removed, mut left) = (Vec::new(), Vec::new());
    for consumer in region.own_consumers(name, run).await.map_err(failed)? {
        let told = format!("zone {}: {}", consumer.zone, consumer.name);
        if run.is_none() && consumer.in_use {
            left.push(told);
            continue;
        }
        let about = json!({"request": region.removal(&consumer), "zone": consumer.zone});
        audit.note(Deed::Remove, &about).map_err(failed)?;
        region.remove_consumer(&consumer).await.map_err(failed)?;
        removed.push(told);
    }
    Ok((removed, left))
}
