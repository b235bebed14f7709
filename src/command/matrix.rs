//! `drill matrix`: its words, what they mean, and how they are written.

use std::{fmt, path::PathBuf, time::Duration};

use clap::Args;

use super::{
    MirrorKind, ParseError,
    spelling::{option, parse_path, write_path},
    units::{format_duration, parse_duration},
};

/// What recovery times are measured of, every combination: the words after `drill matrix`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct DrillMatrix {
    /// Server versions
    #[arg(long, value_delimiter = ',', default_value = "2.11.11,2.12.8,2.14.6,2.15.1", value_parser = parse_version)]
    pub versions: Vec<String>,
    /// Kinds of mirrors
    #[arg(
        id = "mirror",
        long,
        value_name = "MIRROR",
        value_delimiter = ',',
        value_enum,
        default_value = "classic,durable"
    )]
    pub mirrors: Vec<MirrorKind>,
    /// Lengths of the cut
    #[arg(long = "cut", value_name = "CUT", value_delimiter = ',', default_value = "5s,20s,45s", value_parser = parse_duration)]
    pub cuts: Vec<Duration>,
    /// Impair the link by these presets for so long, instead of cutting it (halfopen,flapping)
    #[arg(long, value_delimiter = ',', value_name = "PRESET")]
    pub impair: Vec<String>,
    /// Where the tables go [default: a new folder]
    #[arg(long, value_name = "FOLDER", value_parser = parse_path)]
    pub out: Option<PathBuf>,
}

impl DrillMatrix {
    /// What no single word shows to be wrong.
    pub(super) fn check(&self) -> Result<(), ParseError> {
        if self.cuts.contains(&Duration::ZERO) {
            return Err(ParseError::Words("`--cut 0s` would cut nothing: give times".into()));
        }
        if self.impair.iter().any(String::is_empty) {
            return Err(ParseError::Words("`--impair` names presets: `--impair thin`".into()));
        }
        Ok(())
    }
}

/// A server version is numbers with dots.
pub fn parse_version(text: &str) -> Result<String, String> {
    let fits = text.split('.').count() == 3
        && text.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    if fits { Ok(text.to_owned()) } else { Err("a server version is like 2.15.1".into()) }
}

impl fmt::Display for DrillMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mirrors: Vec<&str> = self.mirrors.iter().map(|kind| kind.as_str()).collect();
        let cuts: Vec<String> = self.cuts.iter().map(|length| format_duration(*length)).collect();
        write!(
            f,
            "matrix --versions {} --mirror {} --cut {}",
            self.versions.join(","),
            mirrors.join(","),
            cuts.join(",")
        )?;
        if !self.impair.is_empty() {
            write!(f, " --impair {}", shell_words::quote(&self.impair.join(",")))?;
        }
        option(f, "out", self.out.as_deref().map(write_path))
    }
}
