//! `upgrade`: servers are started as another version from now on, one after the other by who asks.

use super::{
    failure::Failure,
    task::{CommandCtx, Completion, Result},
};
use crate::{platform::version_at_least, region::MirrorKind};

/// The first version with durable copies.
const DURABLE: (u32, u32, u32) = (2, 15, 0);

/// Finds or fetches the version, and keeps it with the region. Without one, tells which it is.
///
/// # Errors
/// When the copies need a later one, or it cannot be had.
pub async fn upgrade(cx: CommandCtx, version: Option<String>) -> Result {
    let runtime = &cx.runtime;
    let Some(version) = version else {
        return Ok(Completion::done(format!("servers are started as {}", runtime.server())));
    };
    if runtime.mirror() == Some(MirrorKind::Durable) && !version_at_least(&version, DURABLE) {
        return Err(Failure::Refused(format!(
            "the copies of this region pull over durable consumers, which nats-server {version} does not have (2.15 and later do): nothing was changed"
        )));
    }
    let tell = |text: &str| cx.progress(text);
    runtime.platform.use_version(&version, &tell).await?;
    runtime.keep_version(&version)?;
    Ok(Completion::done(format!(
        "servers are started as nats-server {version} from now on; those that run stay as they are until then: `drill run rolling` starts one after the other again, under load"
    )))
}
