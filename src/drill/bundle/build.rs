//! From the evidence in a folder to its reports: the same at writing and at verifying.

use std::path::Path;

use super::{
    BundleError, files,
    judge::{Judge, RunFiles, StreamFile},
};
use crate::{
    drill::{
        conclusions::conclude,
        record::Entry,
        report::{self, Report, localised, plot::Charts},
        run::Run,
        sabotaged, scripted,
    },
    lang::Lang,
    region::UnixMs,
};

/// The reports' content.
pub(super) struct Built {
    pub report: Report,
    pub charts: Vec<Charts>,
}

/// The reports as they are written.
pub(super) struct Reports([(&'static str, String); 7]);

impl Reports {
    pub fn render(built: &Built) -> Self {
        let report = &built.report;
        let markdown = report::markdown::render(report);
        let html = report::html::render(report, &built.charts);
        Self([
            ("report.zh.md", localised::markdown(&markdown, Lang::Chinese)),
            ("report.zh.html", localised::html(&html, Lang::Chinese)),
            ("report.json", report::json::render(report)),
            ("report.md", markdown),
            ("report.html", html),
            ("junit.xml", report::junit::render(report)),
            ("versions.txt", report::versions(report)),
        ])
    }

    pub fn files(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, text)| (*name, text.as_str()))
    }
}

/// A script's run is judged once, one by hand for each conclusion that it was done for.
fn claims(run: Run) -> Vec<(Option<u8>, Run)> {
    let claims = run.begin().map(|begin| begin.by_hand.clone()).unwrap_or_default();
    if claims.is_empty() {
        return vec![(None, run)];
    }
    claims.into_iter().map(|claim| (Some(claim), run.claiming(claim))).collect()
}

/// Computes every verdict of a folder.
pub(super) fn build(
    folder: &Path,
    runs: &[String],
    at: UnixMs,
    judge: &Judge<'_>,
) -> Result<Built, BundleError> {
    let (mut reports, mut charts) = (Vec::new(), Vec::new());
    for name in runs {
        let place = folder.join(name);
        let path = place.join("drill.jsonl");
        let entries = files::record(&path)?;
        let end = entries.iter().find_map(|entry| match entry {
            Entry::End { at } => Some(*at),
            _ => None,
        });
        let ledger = files::ledger(&folder.join("ledger.jsonl"), end)?;
        let mut streams = Vec::new();
        for entry in &entries {
            match entry {
                Entry::Begin(begin) if begin.run != ledger.run().as_str() => {
                    return Err(BundleError::evidence(
                        path,
                        format!(
                            "is of run {}, the ledger is of {}",
                            begin.run,
                            ledger.run().as_str()
                        ),
                    ));
                }
                Entry::Stream { zone, replica, file, .. } => {
                    if let Some(why) = files::bad_path(file) {
                        return Err(BundleError::evidence(
                            path,
                            format!("names {file:?}, which {why}"),
                        ));
                    }
                    streams.push(StreamFile {
                        zone: zone.clone(),
                        replica: replica.clone(),
                        path: place.join(file),
                    });
                }
                _ => {}
            }
        }
        for (claim, run) in claims(Run::from_entries(entries.iter().cloned())) {
            let files =
                RunFiles { run: &run, entries: &entries, ledger: &ledger, streams: &streams };
            let findings = judge(&files).map_err(|why| BundleError::evidence(&path, why))?;
            let conclusion = conclude(&run, findings);
            charts.push(Charts::draw(&entries));
            let as_it_must = run.begin().and_then(|begin| begin.sabotage).map(|kind| {
                let off_script = scripted::deviation(&run, kind);
                sabotaged::as_it_must(kind, off_script.as_deref(), &conclusion)
            });
            let mut told = report::run::tell(name, &entries, claim, conclusion);
            told.as_it_must = as_it_must;
            reports.push(told);
        }
    }
    Ok(Built { report: Report::new(at, reports), charts })
}
