//! Where a drill's evidence goes, and what belongs to it.

use std::path::{Path, PathBuf};

use super::{
    Recorded,
    pruning::{self, Pruned},
};
use crate::{
    drill::bundle::{self, Parts, RunFolder},
    region::{Severity, format::bytes},
    room::{
        clock::now_ms,
        failure::Failure,
        runtime::Runtime,
        task::{CommandCtx, Completion, Result},
    },
};

/// The region folder's place for bundles.
const REPORTS: &str = "reports";
/// Where server files lie under their nodes' names while a bundle is written.
const LENT: &str = "servers";

/// Writes the bundle of these runs; returns its folder.
///
/// # Errors
/// When it cannot be written.
pub async fn write(
    runtime: &Runtime,
    ended: &[Recorded],
    folder: Option<PathBuf>,
) -> std::result::Result<PathBuf, Failure> {
    let names: Vec<&str> = ended.iter().map(|one| one.drill.as_str()).collect();
    let unnamed = folder.is_none();
    let folder = folder
        .unwrap_or_else(|| runtime.home.folder.join(REPORTS).join(new_name(&names.join("-"))));
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent)
            .map_err(|error| Failure::Broken(format!("{}: {error}", parent.display())))?;
    }
    let home = runtime.home.clone();
    // What is not in the ledger's file any more would be missing in the bundle.
    if let Some(damage) = runtime.ledger_query.inspect().await {
        return Err(Failure::Broken(damage.to_string()));
    }
    let runs = ended.iter().map(|one| RunFolder { folder: one.folder.clone() }).collect();
    let writing = tokio::task::spawn_blocking(move || {
        let lent = home.folder.join(super::RECORDS).join(LENT);
        let server_configs = lend(&home.folder, &lent, "conf");
        let server_logs = lend(&home.folder, &lent, "log");
        let parts = Parts {
            runs,
            ledger: home.ledger(),
            events: home.events(),
            server_configs,
            server_logs,
            at: now_ms(),
        };
        let written = bundle::write(&folder, &parts);
        let _ = std::fs::remove_dir_all(&lent);
        written.map(|written| written.folder)
    });
    match writing.await {
        Ok(Ok(folder)) => {
            if unnamed {
                bound(runtime, folder.clone()).await;
            }
            Ok(folder)
        }
        Ok(Err(error)) => Err(Failure::Broken(error.to_string())),
        Err(crash) => Err(Failure::Broken(crash.to_string())),
    }
}

/// Removes the oldest bundles that nobody named, where all of them take too much; and says so.
async fn bound(runtime: &Runtime, written: PathBuf) {
    let reports = runtime.home.folder.join(REPORTS);
    let pruning = move || pruning::prune(&reports, &written, pruning::MOST);
    let (severity, text) = match tokio::task::spawn_blocking(pruning).await {
        Ok(Ok(Pruned { bundles: 0, .. })) | Err(_) => return,
        Ok(Ok(Pruned { bundles, bytes: freed })) => (
            Severity::Warn,
            format!(
                "the oldest {bundles} bundles in the region's folder are removed ({}), since all of them may take {}: `report FOLDER` keeps one elsewhere",
                bytes(freed),
                bytes(pruning::MOST)
            ),
        ),
        Ok(Err(error)) => (
            Severity::Warn,
            format!("the oldest bundles in the region's folder cannot be removed: {error}"),
        ),
    };
    runtime.bus.note(severity, text);
}

/// Copies each node's file of that kind under the node's own name, as a bundle wants it.
fn lend(home: &Path, lent: &Path, kind: &str) -> Vec<PathBuf> {
    let Ok(nodes) = std::fs::read_dir(home.join("servers")) else { return Vec::new() };
    let mut files = Vec::new();
    for node in nodes.flatten() {
        let from = node.path().join(format!("nats-server.{kind}"));
        let to = lent.join(format!("{}.{kind}", node.file_name().to_string_lossy()));
        // What is missing is missing in the bundle; it is no verdict's evidence.
        if from.is_file()
            && std::fs::create_dir_all(lent).is_ok()
            && std::fs::copy(&from, &to).is_ok()
        {
            files.push(to);
        }
    }
    files.sort();
    files
}

/// Writes the bundle of the last drills again.
///
/// # Errors
/// When no drill has ended on this region's data, or it cannot be written.
pub async fn report(cx: CommandCtx, folder: Option<PathBuf>) -> Result {
    let last = cx.runtime.active_drill.last();
    if last.is_empty() {
        return Err(Failure::Refused(
            "no drill has ended on this region yet: `drill run all` runs the four conclusions"
                .into(),
        ));
    }
    let folder = write(&cx.runtime, &last, folder).await?;
    Ok(Completion::done(format!("evidence: {}", folder.display())))
}

/// A bundle's folder name, by the time: `20261124-165500-cut`.
#[must_use]
pub fn new_name(what: &str) -> String {
    let now = i64::try_from(now_ms()).unwrap_or_default();
    let time = jiff::Timestamp::from_millisecond(now).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{}-{what}", time.strftime("%Y%m%d-%H%M%S"))
}
