//! Where a drill's evidence goes, and what belongs to it.

use std::path::{Path, PathBuf};

use super::{
    Recorded, latest,
    pruning::{self, BUNDLES, Most, Pruned},
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
        written
    });
    match writing.await {
        Ok(Ok(folder)) => {
            if unnamed {
                let (reports, written) = (runtime.home.folder.join(REPORTS), folder.clone());
                let pruning = move || pruning::bundles(&reports, &written, BUNDLES);
                bound(runtime, "bundles", BUNDLES, pruning).await;
            }
            bound_records(runtime, ended).await;
            Ok(folder)
        }
        Ok(Err(error)) => Err(Failure::Broken(error.to_string())),
        Err(crash) => Err(Failure::Broken(crash.to_string())),
    }
}

/// Bounds the records of drills. Those that can still be reported stay.
async fn bound_records(runtime: &Runtime, reported: &[Recorded]) {
    let (drills, run) = (runtime.home.folder.join(super::RECORDS), runtime.run.to_string());
    let mut needed = reported.to_vec();
    let pruning = move || {
        needed.extend(latest::of(&drills, &run));
        let kept: Vec<PathBuf> = needed.into_iter().map(|one| one.folder).collect();
        pruning::records(&drills, &kept, &run, pruning::RECORDS)
    };
    bound(runtime, "records of drills", pruning::RECORDS, pruning).await;
}

/// Removes the oldest, where there are too many, and says so.
async fn bound(
    runtime: &Runtime,
    what: &str,
    most: Most,
    pruning: impl FnOnce() -> std::io::Result<Pruned> + Send + 'static,
) {
    let text = match tokio::task::spawn_blocking(pruning).await {
        Ok(Ok(Pruned { folders: 0, .. })) | Err(_) => return,
        Ok(Ok(Pruned { folders, bytes: freed })) => format!(
            "the oldest {folders} {what} in the region's folder are removed ({}), since at most {} and {} are kept: `report FOLDER` keeps a drill's evidence elsewhere",
            bytes(freed),
            most.folders,
            bytes(most.bytes)
        ),
        Ok(Err(error)) => {
            format!("the oldest {what} in the region's folder cannot be removed: {error}")
        }
    };
    runtime.bus.note(Severity::Warn, text);
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

/// Writes one bundle of the newest run of every drill since the region's data began, sabotaged ones
/// beside what they test.
///
/// # Errors
/// When no drill has ended on this region's data, or it cannot be written.
pub async fn report(cx: CommandCtx, folder: Option<PathBuf>) -> Result {
    let latest = latest::of(&cx.runtime.home.folder.join(super::RECORDS), cx.runtime.run.as_str());
    if latest.is_empty() {
        return Err(Failure::Refused(
            "no drill has ended on this region yet: `drill run all` runs the four conclusions"
                .into(),
        ));
    }
    let mut names: Vec<&str> = latest.iter().map(|one| one.drill.as_str()).collect();
    names.dedup();
    let what = names.join(", ");
    let folder = write(&cx.runtime, &latest, folder).await?;
    Ok(Completion::done(format!("evidence: {} (the newest runs of {what})", folder.display())))
}

/// A bundle's folder name, by the time: `20261124-165500-cut`.
#[must_use]
pub fn new_name(what: &str) -> String {
    let now = i64::try_from(now_ms()).unwrap_or_default();
    let time = jiff::Timestamp::from_millisecond(now).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{}-{what}", time.strftime("%Y%m%d-%H%M%S"))
}
