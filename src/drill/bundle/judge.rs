//! The seam to the checks: from a run's files to what they find.

use std::{io::BufReader, path::PathBuf};

use crate::{
    drill::{
        bundle::files::open,
        checks::{self, Finding, ReplicaAudit},
        record::Entry,
        run::Run,
    },
    ledger::{Ledger, audit::StreamAudit},
    region::{NodeName, ZoneName},
};

/// A stream as it was read from one replica, in a file of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamFile {
    pub zone: ZoneName,
    pub replica: NodeName,
    pub path: PathBuf,
}

/// All that a verdict is computed from.
#[derive(Clone, Copy, Debug)]
pub struct RunFiles<'a> {
    pub run: &'a Run,
    /// The record it was read from.
    pub entries: &'a [Entry],
    pub ledger: &'a Ledger,
    /// The streams, read at the run's end.
    pub streams: &'a [StreamFile],
}

/// What checks find in a run; a pure function of its files. `Err` is evidence that cannot be read:
/// which file, and why.
pub type Judge<'a> = dyn Fn(&RunFiles<'_>) -> Result<Vec<Finding>, String> + 'a;

/// What the program's own checks find: [`checks::judge`].
///
/// # Errors
/// When the evidence cannot be read: which file, and why.
pub fn by_checks(files: &RunFiles<'_>) -> Result<Vec<Finding>, String> {
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
    Ok(checks::judge(files.run, files.ledger, &streams))
}
