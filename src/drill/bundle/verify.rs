//! A bundle is read back: its digests checked, its verdicts computed anew from the files alone.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    BundleError,
    build::{Reports, build},
    files,
    judge::{House, Law},
    manifest::{self, Manifest},
};
use crate::{
    drill::{library, report::Report, script::Filling},
    region::snapshot::Verdict,
};

/// A bundle whose files were compared with its manifest.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// Where it is.
    pub folder: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
    /// What does not fit the manifest.
    pub altered: Vec<Alteration>,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alteration {
    /// Which file.
    pub file: String,
    /// What is wrong with it, as the end of a sentence.
    pub what: String,
}

/// What verifying a bundle came to.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// Where the bundle is.
    pub folder: PathBuf,
    /// The version that wrote it.
    pub written_by: String,
    /// Everything that is not as it was written; empty of an untouched bundle.
    pub altered: Vec<Alteration>,
    /// The verdict over all runs, computed anew; `None` if its evidence was altered.
    pub verdict: Option<Verdict>,
    /// The same for each run.
    pub runs: Vec<Recomputed>,
    /// What was not compared, and why.
    pub notes: Vec<String>,
}

/// A run's verdict, computed anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recomputed {
    /// Its folder.
    pub folder: String,
    /// The drill.
    pub drill: String,
    /// The deliberate fault, if one.
    pub sabotage: Option<String>,
    /// Computed anew.
    pub verdict: Verdict,
    /// Its reason.
    pub evidence: String,
}

impl Verification {
    /// 0 all proved and untouched, 1 broken or altered, 2 void.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.verdict {
            _ if !self.altered.is_empty() => 1,
            Some(Verdict::Proved) => 0,
            Some(Verdict::Broken) => 1,
            _ => 2,
        }
    }
}

/// Reads a bundle and checks every digest.
///
/// # Errors
/// When the folder is no bundle, or its manifest cannot be followed safely.
pub fn read(folder: &Path) -> Result<Bundle, BundleError> {
    let (manifest, wrong) = Manifest::read(folder)?;
    let mut altered = Vec::new();
    let mut alter = |file: &str, what: String| altered.push(Alteration { file: file.into(), what });
    if let Some(what) = wrong {
        alter(manifest::FILE, what.into());
    }
    let mut found = files::walk(folder)?;
    found.remove(manifest::FILE);
    for (file, digest) in &manifest.files {
        match found.remove(file) {
            None => alter(file, "is missing".into()),
            Some(None) => alter(file, "is not a regular file".into()),
            Some(Some(bytes)) if bytes != digest.bytes => {
                alter(file, format!("has {bytes} bytes instead of {}", digest.bytes));
            }
            Some(Some(_)) => match files::digest(&folder.join(file)) {
                Ok((_, sha256)) if sha256 == digest.sha256 => {}
                Ok(_) => alter(file, "was changed".into()),
                Err(error) => alter(file, format!("cannot be read: {error}")),
            },
        }
    }
    for file in found.keys() {
        alter(file, "is not part of the bundle".into());
    }
    let needed =
        ["ledger.jsonl", "events.jsonl", "report.json", "report.md", "report.html", "junit.xml"];
    let records = manifest.runs.iter().map(|run| format!("{run}/drill.jsonl"));
    for file in needed.iter().map(|file| (*file).to_owned()).chain(records) {
        if !manifest.files.contains_key(&file) {
            alter(&file, "is not in the manifest, as that of every bundle is".into());
        }
    }
    if manifest.runs.is_empty() {
        alter(manifest::FILE, "names no run".into());
    }
    Ok(Bundle { folder: folder.into(), manifest, altered })
}

/// Verifies a bundle by the house's laws.
///
/// # Errors
/// As [`read`].
pub fn verify(folder: &Path) -> Result<Verification, BundleError> {
    verify_with(folder, &House)
}

/// The same with other laws.
///
/// # Errors
/// As [`read`].
pub fn verify_with(folder: &Path, law: &dyn Law) -> Result<Verification, BundleError> {
    let Bundle { folder, manifest, altered } = read(folder)?;
    let mut verification = Verification {
        folder,
        written_by: manifest.version.clone(),
        altered,
        verdict: None,
        runs: Vec::new(),
        notes: Vec::new(),
    };
    let evidence =
        |file: &str| file == manifest::FILE || file == "ledger.jsonl" || file.starts_with("runs/");
    if verification.altered.iter().any(|a| evidence(&a.file)) {
        verification
            .notes
            .push("no verdict was computed: the evidence is not what was written".into());
        return Ok(verification);
    }
    verification.recompute(&manifest, law);
    Ok(verification)
}

impl Verification {
    fn recompute(&mut self, manifest: &Manifest, law: &dyn Law) {
        let known: Vec<String> = self.altered.iter().map(|a| a.file.clone()).collect();
        let mut alter = |file: &str, what: String| {
            // What is missing or changed is told once; that it differs follows from it.
            if !known.iter().any(|name| name == file) {
                self.altered.push(Alteration { file: file.into(), what });
            }
        };
        // Nothing outside the manifest is read: its digest would be unknown.
        for run in &manifest.runs {
            let place = self.folder.join(run);
            for entry in files::record(&place.join("drill.jsonl")).unwrap_or_default() {
                if let crate::drill::record::Entry::Begin(begin) = &entry
                    && !own_script(begin)
                {
                    self.notes.push(format!(
                        "{run}: its script is not the one this version has for `{}`: look at what it checks",
                        begin.drill
                    ));
                }
                if let crate::drill::record::Entry::Stream { file, .. } = entry
                    && !manifest.files.contains_key(&format!("{run}/{file}"))
                {
                    alter(
                        run,
                        format!("names the stream file {file:?}, which the manifest does not"),
                    );
                    return;
                }
            }
        }
        let built = match build(&self.folder, &manifest.runs, manifest.written_ms, law) {
            Ok(built) => built,
            Err(error) => {
                // Digests fit, and yet it is damaged: it was altered together with the manifest.
                let file = match &error {
                    BundleError::Evidence { path, .. } | BundleError::Io { path, .. } => {
                        path.strip_prefix(&self.folder).unwrap_or(path).display().to_string()
                    }
                    _ => manifest::FILE.into(),
                };
                alter(&file, format!("cannot be used: {error}"));
                return;
            }
        };
        let told: Option<Report> =
            files::text(&self.folder.join("report.json"), files::LARGEST_TEXT)
                .ok()
                .and_then(|text| serde_json::from_str(&text).ok());
        match told {
            None => alter("report.json", "is not a report".into()),
            Some(told) => {
                if told.runs.len() != built.report.runs.len() {
                    alter(
                        "report.json",
                        format!(
                            "tells of {} runs, there are {}",
                            told.runs.len(),
                            built.report.runs.len()
                        ),
                    );
                }
                for (told, run) in told.runs.iter().zip(&built.report.runs) {
                    let (said, is) = (told.conclusion.verdict, run.conclusion.verdict);
                    if said != is {
                        alter(
                            "report.json",
                            format!(
                                "says {} of {}; computed anew it is {}",
                                said.as_str(),
                                run.drill,
                                is.as_str()
                            ),
                        );
                    }
                }
                if told.verdict != built.report.verdict {
                    alter(
                        "report.json",
                        format!(
                            "says {} of all; computed anew it is {}",
                            told.verdict.as_str(),
                            built.report.verdict.as_str()
                        ),
                    );
                }
            }
        }
        if manifest.version == env!("CARGO_PKG_VERSION") {
            for (name, text) in Reports::render(&built).files() {
                let same = files::text(&self.folder.join(name), files::LARGEST_TEXT)
                    .is_ok_and(|t| t == text);
                if !same {
                    alter(name, "is not what this version writes from the same evidence".into());
                }
            }
        } else {
            self.notes.push(format!(
                "written by version {}, this is {}: the reports' wording was not compared",
                manifest.version,
                env!("CARGO_PKG_VERSION")
            ));
        }
        self.verdict = Some(built.report.verdict);
        self.runs = built
            .report
            .runs
            .into_iter()
            .map(|run| Recomputed {
                folder: run.folder,
                drill: run.drill,
                sabotage: run.sabotage,
                verdict: run.conclusion.verdict,
                evidence: run.conclusion.evidence,
            })
            .collect();
    }
}

/// The script is the built-in one of its name; true of a drill that is nobody's but the user's.
fn own_script(begin: &crate::drill::record::Begin) -> bool {
    let builtin = library::builtin();
    let Some(script) = builtin.iter().find(|script| script.name == begin.drill) else {
        return true;
    };
    let filling = Filling {
        scale: begin.scale,
        source: begin.source.clone(),
        mirror: begin.mirror.clone(),
        new_zone: begin.new_zone.clone(),
    };
    script.fill(&filling).is_ok_and(|filled| filled.text == begin.script)
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for run in &self.runs {
            let sabotage =
                run.sabotage.as_ref().map(|k| format!(" [sabotage: {k}]")).unwrap_or_default();
            writeln!(f, "{:<8} {}{sabotage}: {}", run.verdict.as_str(), run.drill, run.evidence)?;
        }
        for Alteration { file, what } in &self.altered {
            writeln!(f, "altered  {file:?} {what}")?;
        }
        for note in &self.notes {
            writeln!(f, "note     {note}")?;
        }
        let all = self.verdict.map_or("not computed", Verdict::as_str);
        let touched = match self.altered.len() {
            0 => "untouched".to_owned(),
            count => format!("ALTERED in {count} places"),
        };
        write!(f, "{}: {all}, {touched}", self.folder.display())
    }
}
