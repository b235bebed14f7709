//! A bundle is read back: its digests checked, its verdicts computed anew from the files alone.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    BundleError,
    build::{Reports, build},
    files,
    judge::{Judge, by_checks},
    manifest::{self, Manifest},
    unread::unread,
};
use crate::{
    drill::{
        library,
        record::{Begin, Entry},
        report::Report,
        script::Script,
    },
    region::status::Verdict,
};

/// Said of evidence on which the computation of the verdict crashed.
const CRASHED: &str =
    "leads to evidence on which a check crashes; please report it with the bundle";

/// The version of this program.
const OURS: &str = env!("CARGO_PKG_VERSION");

/// A bundle whose files were compared with its manifest.
#[derive(Clone, Debug)]
pub struct Bundle {
    pub folder: PathBuf,
    pub manifest: Manifest,
    /// What does not fit the manifest.
    pub altered: Vec<Alteration>,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alteration {
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
    /// What was not compared, and why: an untouched bundle has nothing here.
    pub uncompared: Vec<String>,
}

/// A run's verdict, computed anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recomputed {
    pub folder: String,
    pub drill: String,
    /// The deliberate fault, if one.
    pub sabotage: Option<String>,
    pub verdict: Verdict,
    pub evidence: String,
}

impl Verification {
    /// 0 all proved, compared and untouched; 1 broken or altered; 2 void, or not wholly compared.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.verdict {
            _ if !self.altered.is_empty() => 1,
            Some(Verdict::Broken) => 1,
            Some(Verdict::Proved) if self.uncompared.is_empty() => 0,
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

/// Verifies a bundle by the program's checks.
///
/// # Errors
/// As [`read`].
pub fn verify(folder: &Path) -> Result<Verification, BundleError> {
    verify_with(folder, &by_checks)
}

/// The same with other checks.
///
/// # Errors
/// As [`read`].
pub fn verify_with(folder: &Path, judge: &Judge<'_>) -> Result<Verification, BundleError> {
    let Bundle { folder, manifest, altered } = read(folder)?;
    let mut verification = Verification {
        folder,
        written_by: manifest.version.clone(),
        altered,
        verdict: None,
        runs: Vec::new(),
        uncompared: Vec::new(),
    };
    let evidence =
        |file: &str| file == manifest::FILE || file == "ledger.jsonl" || file.starts_with("runs/");
    if verification.altered.iter().any(|a| evidence(&a.file)) {
        verification
            .uncompared
            .push("no verdict was computed: the evidence is not what was written".into());
        return Ok(verification);
    }
    verification.recompute(&manifest, judge);
    Ok(verification)
}

impl Verification {
    fn recompute(&mut self, manifest: &Manifest, judge: &Judge<'_>) {
        let known: Vec<String> = self.altered.iter().map(|a| a.file.clone()).collect();
        let mut alter = |file: &str, what: String| {
            // What is missing or changed is told once; that it differs follows from it.
            if !known.iter().any(|name| name == file) {
                self.altered.push(Alteration { file: file.into(), what });
            }
        };
        let mut missing = Vec::with_capacity(manifest.runs.len());
        // Nothing outside the manifest is read: its digest would be unknown.
        for run in &manifest.runs {
            let place = self.folder.join(run);
            let entries = files::record(&place.join("drill.jsonl")).unwrap_or_default();
            missing.push(unread(&entries));
            for entry in entries {
                if let Entry::Begin(begin) = &entry {
                    let of_run = |why: String| format!("{run}: {why}");
                    self.uncompared.extend(unknown(begin, manifest).into_iter().map(of_run));
                }
                if let Entry::Stream { file, .. } = entry
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
        let computing =
            AssertUnwindSafe(|| build(&self.folder, &manifest.runs, manifest.written_ms, judge));
        let built = match catch_unwind(computing) {
            Ok(Ok(built)) => built,
            // A check that crashes knows nothing, and says nothing green.
            Err(_) => {
                alter(manifest::FILE, CRASHED.into());
                return;
            }
            Ok(Err(error)) => {
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
        let told: Option<Told> = files::text(&self.folder.join("report.json"), files::LARGEST_TEXT)
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok());
        match told {
            None => alter("report.json", "is not a report".into()),
            Some(told) => {
                for what in contradictions(&told, &built.report) {
                    if manifest.version == OURS {
                        alter("report.json", what);
                    } else {
                        // Another version's checks may have come to another verdict.
                        let version = &manifest.version;
                        self.uncompared.push(format!("report.json, by version {version}, {what}"));
                    }
                }
            }
        }
        if manifest.version == OURS {
            for (name, text) in Reports::render(&built).files() {
                let same = files::text(&self.folder.join(name), files::LARGEST_TEXT)
                    .is_ok_and(|t| t == text);
                if !same {
                    alter(name, "is not what this version writes from the same evidence".into());
                }
            }
        } else {
            self.uncompared.push(format!(
                "written by version {}, this is {OURS}: the reports were not compared with what that version writes",
                manifest.version
            ));
        }
        for (run, missing) in built.report.runs.iter().zip(missing) {
            // What is not proved says itself what is missing.
            if run.conclusion.verdict == Verdict::Proved {
                let of_run = |why| format!("{}: {why}", run.folder);
                self.uncompared.extend(missing.into_iter().map(of_run));
            }
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

/// What is compared of a report, of this version or an earlier one: its verdicts.
#[derive(Deserialize)]
struct Told {
    verdict: Verdict,
    runs: Vec<ToldRun>,
}

#[derive(Deserialize)]
struct ToldRun {
    conclusion: ToldConclusion,
}

#[derive(Deserialize)]
struct ToldConclusion {
    verdict: Verdict,
}

/// In what a report contradicts the one computed anew, each the end of a sentence.
fn contradictions(told: &Told, built: &Report) -> Vec<String> {
    let mut found = Vec::new();
    if told.runs.len() != built.runs.len() {
        found.push(format!("tells of {} runs, there are {}", told.runs.len(), built.runs.len()));
    }
    let runs = told.runs.iter().zip(&built.runs);
    let verdicts = runs
        .map(|(told, run)| (told.conclusion.verdict, run.conclusion.verdict, run.drill.as_str()))
        .chain([(told.verdict, built.verdict, "all")]);
    for (said, is, of) in verdicts.filter(|(said, is, _)| said != is) {
        let (said, is) = (said.as_str(), is.as_str());
        found.push(format!("says {said} of {of}; computed anew it is {is}"));
    }
    found
}

/// What this version cannot say of a run, as sentences.
fn unknown(begin: &Begin, manifest: &Manifest) -> Vec<String> {
    let mut unknown = Vec::new();
    if begin.zonedrill != manifest.version {
        unknown.push(format!(
            "its record is of version {}, the manifest of {}: one of them is not as it was written, or the program was replaced between the run and the report",
            begin.zonedrill, manifest.version
        ));
    }
    let conclusion = Script::recorded(&begin.script, &begin.drill).ok().and_then(|s| s.conclusion);
    if !library::is_ours(begin) || (conclusion.is_some() && library::named(&begin.drill).is_none())
    {
        unknown.push(format!(
            "its script is not one that this version has (`{}`): look at what it does before you believe its claim",
            begin.drill
        ));
    }
    unknown
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
        for what in &self.uncompared {
            writeln!(f, "unknown  {what}")?;
        }
        let all = self.verdict.map_or("not computed", Verdict::as_str);
        let touched = match (self.altered.len(), self.uncompared.len()) {
            (0, 0) => "untouched".to_owned(),
            (0, _) => "not wholly compared".to_owned(),
            (count, _) => format!("ALTERED in {count} places"),
        };
        write!(f, "{}: {all}, {touched}", self.folder.display())
    }
}
