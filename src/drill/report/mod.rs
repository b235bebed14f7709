//! What is told of drills: one content, one file per output format.
//!
//! | file | what is inside |
//! |---|---|
//! | [`run`] | from a run's record to what is told of it |
//! | [`plot`] | the timeline, as inline SVG |
//! | [`region`] | the region as it was drilled, as inline SVG |
//! | [`json`] [`markdown`] [`html`] [`junit`] | the formats |
//! | [`localised`] | a page in another language |
//! | [`mod@format`] | times and numbers as people read them |
//!
//! A report is a pure function of the evidence, so that it can be written anew and compared.

pub mod format;
pub mod html;
pub mod json;
pub mod junit;
pub mod localised;
pub mod markdown;
pub mod plot;
pub mod region;
pub mod run;
mod unseen;

use std::fmt::Write;

use serde::{Deserialize, Serialize};

pub use run::RunReport;

use crate::{
    drill::conclusions::REQUIREMENTS,
    region::{UnixMs, status::Verdict},
};

/// The name and version of the schema of `report.json`.
pub const SCHEMA: &str = "zonedrill-report/1";

/// What a bundle tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub schema: String,
    /// The version of the program that wrote it.
    pub zonedrill: String,
    pub written_ms: UnixMs,
    /// The verdict over all runs: broken if one is, else void if one is, else proved.
    pub verdict: Verdict,
    pub runs: Vec<RunReport>,
}

impl Report {
    /// Those without a deliberate fault.
    pub fn honest(&self) -> impl Iterator<Item = &RunReport> {
        self.runs.iter().filter(|run| run.sabotage.is_none())
    }

    /// Those with a deliberate fault: they test the checks, not the region.
    pub fn sabotaged(&self) -> impl Iterator<Item = &RunReport> {
        self.runs.iter().filter(|run| run.sabotage.is_some())
    }

    /// Has runs of both kinds: a deliberate fault then stands beside what it tests.
    #[must_use]
    pub fn is_mixed(&self) -> bool {
        self.honest().next().is_some() && self.sabotaged().next().is_some()
    }

    /// What came out, what was not tested at all, and whether deliberate faults were found.
    #[must_use]
    pub fn summary(&self) -> String {
        let proved = |run: &&RunReport| run.conclusion.verdict == Verdict::Proved;
        let mut text = match self.honest().count() {
            0 => "No drill was run without a deliberate fault".to_owned(),
            all => format!(
                "{} of {all} {} proved",
                self.honest().filter(proved).count(),
                if all == 1 { "drill" } else { "drills" }
            ),
        };
        for run in self.honest().filter(|run| !proved(run)) {
            let _ = write!(text, "; {} is {}", run.drill, run.conclusion.verdict.as_str());
        }
        let tried = |number: u8| self.honest().any(|run| run.conclusion_number == Some(number));
        let untried: Vec<String> = REQUIREMENTS
            .iter()
            .filter(|one| !tried(one.number))
            .map(|one| format!("{} ({})", one.number, one.drill))
            .collect();
        text.push_str(". ");
        if untried.is_empty() {
            text.push_str("All four conclusions were tested.");
        } else {
            let noun = if untried.len() == 1 { "conclusion" } else { "conclusions" };
            let _ = write!(text, "Not tested: {noun} {}.", untried.join(", "));
        }
        let (put_in, found) = self.faults();
        if put_in > 0 {
            let noun = if put_in == 1 { "deliberate fault" } else { "deliberate faults" };
            let _ = write!(text, " {found} of {put_in} {noun} came to the verdict that it must.");
        }
        text
    }

    /// How many deliberate faults were put in, and how many came to the verdict that they must.
    #[must_use]
    pub fn faults(&self) -> (usize, usize) {
        let found = self.sabotaged().filter(|run| run.as_it_must == Some(true)).count();
        (self.sabotaged().count(), found)
    }

    /// A report of these runs. Its verdict is that of the runs without a deliberate fault, if there
    /// are any; a fault that went unseen takes the worth of every proof.
    #[must_use]
    pub fn new(written_ms: UnixMs, runs: Vec<RunReport>) -> Self {
        let mut report = Self {
            schema: SCHEMA.into(),
            zonedrill: env!("CARGO_PKG_VERSION").into(),
            written_ms,
            verdict: Verdict::Void,
            runs,
        };
        let honest: Vec<Verdict> = report.honest().map(|run| run.conclusion.verdict).collect();
        let sabotaged: Vec<Verdict> =
            report.sabotaged().map(|run| run.conclusion.verdict).collect();
        let judged = if honest.is_empty() { &sabotaged } else { &honest };
        let unseen = sabotaged.contains(&Verdict::Proved);
        report.verdict = match () {
            () if judged.contains(&Verdict::Broken) => Verdict::Broken,
            () if judged.is_empty() || unseen => Verdict::Void,
            () if judged.iter().all(|verdict| *verdict == Verdict::Proved) => Verdict::Proved,
            () => Verdict::Void,
        };
        report
    }
}

/// A verdict's glyph: colour never carries meaning alone.
#[must_use]
pub fn glyph(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Proved => "✓",
        Verdict::Broken => "✗",
        Verdict::Void => "∅",
        Verdict::Holding => "…",
        Verdict::Waiting => "·",
    }
}

/// What a reader must know to weigh a report, in every format.
pub const LIMITS: [&str; 5] = [
    "A digest is no signature. Who alters the evidence and the manifest together is found only where files contradict each other; hand the bundle over by a way you trust, or keep the digest of manifest.json apart.",
    "The evidence was collected by zonedrill itself, from each zone through that zone's own connection. It shows what happened in this run, on these servers; it is not a promise about other versions, hardware or networks.",
    "Times are the room's clock, in milliseconds. Latency is measured message by message, at the first processing, and counted to three digits: a percentile is at most 0.1 % above the truth. Lag is sampled, several times a second at most: what is shorter than a sample is not seen.",
    "Delivery is at least once: a message delivered again at the same sequence is legal and counted apart from duplicates, which are one message at two sequences.",
    "How long a classic mirror takes to recover depends on the moment of the heal, not on the length of the cut: a longer cut can recover faster. One run is one sample.",
];

/// `versions.txt`: a line for each server as it was, with the drills that saw it so. A server that
/// was started or configured anew has a line for each.
#[must_use]
pub fn versions(report: &Report) -> String {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for run in &report.runs {
        for node in run.servers.iter().flat_map(|set| &set.nodes) {
            let line = format!(
                "{} nats-server {} id {} started {} configured {}",
                node.node, node.version, node.server_id, node.start, node.config_load_time
            );
            let at = lines.iter().position(|(known, _)| *known == line).unwrap_or_else(|| {
                lines.push((line, Vec::new()));
                lines.len() - 1
            });
            if !lines[at].1.contains(&run.drill.as_str()) {
                lines[at].1.push(&run.drill);
            }
        }
    }
    lines.sort();
    let mut text = format!("zonedrill {}\n", report.zonedrill);
    for (line, drills) in lines {
        let _ = writeln!(text, "{line} ({})", drills.join(", "));
    }
    text
}
