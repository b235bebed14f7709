//! The seam to the laws: from a run's files to its conclusion.

use std::{io::BufReader, path::PathBuf};

use crate::{
    drill::{
        bundle::files::open,
        law::{self, Conclusion, ReplicaAudit},
        record::Entry,
        run::Run,
    },
    ledger::{audit::StreamAudit, book::Ledger},
    region::{NodeName, ZoneName, snapshot::Verdict},
};

/// A stream as it was read from one replica, in a file of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamFile {
    /// Whose.
    pub zone: ZoneName,
    /// Which replica.
    pub replica: NodeName,
    /// Where.
    pub path: PathBuf,
}

/// All that a verdict is computed from.
#[derive(Clone, Copy, Debug)]
pub struct RunFiles<'a> {
    /// The record of the run.
    pub entries: &'a [Entry],
    /// Every message.
    pub ledger: &'a Ledger,
    /// The streams, read at the run's end.
    pub streams: &'a [StreamFile],
}

/// From a run to its conclusion; a pure function of its files.
pub trait Law {
    /// # Errors
    /// When the evidence cannot be read: which file, and why.
    fn conclude(&self, run: &RunFiles<'_>) -> Result<Conclusion, String>;
}

impl<F: Fn(&RunFiles<'_>) -> Result<Conclusion, String>> Law for F {
    fn conclude(&self, run: &RunFiles<'_>) -> Result<Conclusion, String> {
        self(run)
    }
}

/// The house's own laws: [`crate::drill::law`].
#[derive(Clone, Copy, Debug, Default)]
pub struct House;

impl Law for House {
    fn conclude(&self, files: &RunFiles<'_>) -> Result<Conclusion, String> {
        let mut streams = Vec::new();
        for StreamFile { zone, replica, path } in files.streams {
            let told = |why: String| format!("{}: {why}", path.display());
            let file = open(path).map_err(|error| error.to_string())?;
            let audit = StreamAudit::read_lines(BufReader::new(file))
                .map_err(|error| told(error.to_string()))?;
            if audit.zone() != zone {
                let why = format!("is the stream of zone {}, not of {zone}", audit.zone());
                return Err(told(why));
            }
            streams.push(ReplicaAudit { replica: replica.clone(), audit });
        }
        let run = Run::from_entries(files.entries.iter().cloned());
        Ok(law::conclude(&run, files.ledger, &streams))
    }
}

/// Computes a conclusion, and takes back what no run of this kind can have: a run that was
/// sabotaged, interrupted or did not come to its end proves nothing, whatever its law says.
///
/// # Errors
/// As [`Law::conclude`].
pub fn settle(law: &dyn Law, run: &RunFiles<'_>) -> Result<Conclusion, String> {
    let mut conclusion = law.conclude(run)?;
    let objection = run.entries.iter().find_map(|entry| match entry {
        Entry::Sabotaged { kind, .. } => Some((Verdict::Broken, sabotage_unseen(kind.as_str()))),
        Entry::Begin(begin) => {
            begin.sabotage.map(|k| (Verdict::Broken, sabotage_unseen(k.as_str())))
        }
        Entry::Interrupted { why, .. } => Some((Verdict::Void, format!("interrupted: {why}"))),
        _ => None,
    });
    let ended = matches!(run.entries.last(), Some(Entry::End { .. }));
    let objection = objection
        .or_else(|| (!ended).then(|| (Verdict::Void, "the record of the run has no end".into())));
    // Waiting and holding are words for a run that goes on; this one is over.
    let unfinished = matches!(conclusion.verdict, Verdict::Waiting | Verdict::Holding);
    if let Some((verdict, why)) = objection
        && (conclusion.verdict == Verdict::Proved || unfinished)
    {
        conclusion.verdict = verdict;
        conclusion.evidence = why;
    } else if unfinished {
        conclusion.verdict = Verdict::Void;
        conclusion.evidence = format!("not decided: {}", conclusion.evidence);
    } else if conclusion.verdict == Verdict::Proved
        && let Some(finding) = conclusion.findings.iter().find(|f| f.verdict != Verdict::Proved)
    {
        conclusion.verdict =
            if finding.verdict == Verdict::Broken { Verdict::Broken } else { Verdict::Void };
        conclusion.evidence = format!("{}: {}", finding.check, finding.text);
    }
    Ok(conclusion)
}

fn sabotage_unseen(kind: &str) -> String {
    format!("sabotaged ({kind}), and the law did not notice: this verdict cannot be trusted")
}
