//! What a bring-up settles once: where the ledger begins, and how copies pull.

use crate::{
    ledger::{Ledger, record::Record},
    nats::audit::{self, Numbers},
    platform::{default_mirror, version_at_least},
    region::MirrorKind,
    room::{clock::now_ms, failure::Failure, runtime::Runtime, task::CommandCtx},
};

/// What stands on the source's stream when its ledger begins is somebody else's: no verdict is about
/// it.
pub(super) async fn note_baseline(
    cx: &CommandCtx,
    client: &async_nats::Client,
) -> Result<(), Failure> {
    let runtime = &cx.runtime;
    if runtime.ledger_query.ask(Ledger::has_begun).await != Some(false) {
        return Ok(());
    }
    let s = audit::describe(client, Numbers::Own).await.map(|stream| stream.last_seq).map_err(
        |error| {
            Failure::Broken(format!("what the source's stream held before is not known: {error}"))
        },
    )?;
    if s == 0 {
        return Ok(());
    }
    cx.tell(format!(
        "the stream holds messages from before, up to sequence {s}: verdicts are about what comes after"
    ));
    let baseline = Record::Baseline { s, subject: None, at: now_ms() };
    let written = runtime.evidence.write(vec![baseline]).await;
    written.map_err(|lost| Failure::Broken(lost.to_string()))
}

/// Settles how mirrors pull: as the region's data was made, as asked, or by the server's version.
pub(super) fn decide_mirror(runtime: &Runtime, version: &str) -> Result<(), Failure> {
    let asked = runtime.settings.lock().map(|settings| settings.mirror).unwrap_or_default();
    let kind = asked.unwrap_or_else(|| default_mirror(version));
    if kind == MirrorKind::Durable && !version_at_least(version, (2, 14, 0)) {
        return Err(Failure::Refused(format!(
            "nats-server {version} has no durable copies (2.15 and later): use `--via classic`, or another `--nats-version`"
        )));
    }
    runtime.set_mirror(kind);
    Ok(())
}
