//! What an examination of a region of others found: for each zone what can be done there, and which
//! conclusions that allows.

use std::fmt::{self, Write};

use serde::Serialize;

use super::{Cluster, Problem, StreamState};
use crate::region::{
    ZoneName,
    file::{Copied, Cut},
    format::count,
    rights::{Line, Purpose, as_configuration, as_nsc},
};

/// Whether a purpose can be served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "is")]
pub enum Ability {
    /// With what is good to know, if anything.
    Yes { note: &'static str },
    /// These permissions are missing.
    No { lacks: Vec<Line> },
    /// It cannot be told, and why.
    Unknown { why: String },
    /// It does not come up, and why.
    Not { why: &'static str },
}

impl Ability {
    /// It can be done.
    #[must_use]
    pub fn is_yes(&self) -> bool {
        matches!(self, Self::Yes { .. })
    }

    /// It can be done, or nothing is known that stands against it.
    #[must_use]
    pub fn may_be(&self) -> bool {
        matches!(self, Self::Yes { .. } | Self::Unknown { .. })
    }

    fn lacks(&self) -> &[Line] {
        match self {
            Self::No { lacks } => lacks,
            _ => &[],
        }
    }
}

impl fmt::Display for Ability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes { note: "" } => f.write_str("yes"),
            Self::Yes { note } => write!(f, "yes: {note}"),
            Self::No { lacks } => {
                f.write_str("no: not permitted to ")?;
                for (i, line) in lacks.iter().enumerate() {
                    let way = match line.way {
                        crate::region::rights::Way::Publish => "publish",
                        crate::region::rights::Way::Subscribe => "subscribe to",
                    };
                    write!(f, "{}{way} {}", if i == 0 { "" } else { ", " }, line.subject)?;
                }
                Ok(())
            }
            Self::Unknown { why } => write!(f, "unknown: {why}"),
            Self::Not { why } => write!(f, "-: {why}"),
        }
    }
}

/// How messages of a stream are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reading {
    /// Direct gets, many with one request (2.11 and later, with `allow_direct`).
    Batch,
    /// Each with a request of its own, from the stream's leader.
    Single,
}

/// One zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneExamined {
    pub zone: ZoneName,
    pub cluster: Cluster,
    pub stream: String,
    /// What it holds, with the number of its replicas, where that is known.
    pub holds: Option<(StreamState, u8)>,
    /// How it copies the source; `None` at the source, and where that is not known.
    pub copied: Option<Copied>,
    pub is_source: bool,
    pub cut: Option<Cut>,
    /// In the order of [`Purpose::ALL`].
    pub abilities: [Ability; 6],
}

impl ZoneExamined {
    /// Of one purpose.
    #[must_use]
    pub fn ability(&self, purpose: Purpose) -> &Ability {
        &self.abilities[purpose as usize]
    }

    /// All the lines that its user lacks, each once.
    #[must_use]
    pub fn lacks(&self) -> Vec<Line> {
        let mut lines: Vec<Line> =
            self.abilities.iter().flat_map(Ability::lacks).cloned().collect();
        lines.sort();
        lines.dedup();
        lines
    }
}

/// The whole region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examination {
    /// The source first.
    pub zones: Vec<ZoneExamined>,
    pub problems: Vec<Problem>,
}

/// A purpose, whether it is needed at the source, and whether in a copy.
type Need = (Purpose, bool, bool);

/// What a conclusion about a cut link needs; the last is the cut.
const OF_A_CUT: [Need; 5] = [
    (Purpose::Observe, true, true),
    (Purpose::Produce, true, false),
    (Purpose::Drill, true, true),
    (Purpose::Verify, true, true),
    (Purpose::Cut, false, true),
];

/// What each conclusion needs.
const NEEDS: [(&str, &[Need]); 4] = [
    ("1 cut", &OF_A_CUT),
    ("2 heal", &OF_A_CUT),
    ("3 independent", OF_A_CUT.split_at(4).0),
    ("4 grow", &[]),
];

impl Examination {
    /// It can be worked with, and everything in it can be looked at.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.problems.is_empty()
            && self.zones.iter().all(|zone| zone.ability(Purpose::Observe).is_yes())
    }

    /// What keeps a copy's zone from a conclusion: "produce in a, cut of b".
    fn missing(&self, needs: &[Need], copy: &ZoneExamined) -> Vec<String> {
        let source = self.zones.iter().find(|zone| zone.is_source);
        needs
            .iter()
            .flat_map(|(purpose, at_source, in_copy)| {
                let zones = [source.filter(|_| *at_source), Some(copy).filter(|_| *in_copy)];
                zones.into_iter().flatten().filter_map(move |zone| {
                    let able = zone.ability(*purpose).is_yes();
                    (!able).then(|| format!("{purpose} in {}", zone.zone))
                })
            })
            .collect()
    }
}

impl fmt::Display for Examination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        for zone in &self.zones {
            let kind = match (zone.is_source, zone.copied) {
                (true, _) => "source".to_owned(),
                (false, Some(copied)) => format!("copy by {copied}"),
                (false, None) => "copy".to_owned(),
            };
            let _ = writeln!(out, "zone {} ({kind}): {}", zone.zone, zone.cluster);
            if let Some(clock) = zone.cluster.clock.filter(|clock| clock.ahead_ms.abs() > 1000) {
                let (ahead, within) = (clock.ahead_ms, clock.within_ms);
                let _ =
                    writeln!(out, "  clock    {ahead} ms ahead of this machine's (± {within} ms)");
            }
            let holds = zone.holds.map_or("unknown".to_owned(), |(state, replicas)| {
                let (messages, first) = (count(state.messages), count(state.first_seq));
                format!("{messages} messages, {first} to {}, R{replicas}", count(state.last_seq))
            });
            let _ = writeln!(out, "  stream   {}: {holds}", zone.stream);
            for purpose in Purpose::ALL {
                let _ = writeln!(out, "  {purpose:<8} {}", zone.ability(*purpose));
            }
        }
        self.conclusions(&mut out);
        self.permissions(&mut out);
        for problem in &self.problems {
            let _ = writeln!(out, "problem: {problem}");
        }
        f.write_str(out.trim_end())
    }
}

impl Examination {
    fn conclusions(&self, out: &mut String) {
        if !self.zones.iter().any(|zone| zone.is_source) {
            return;
        }
        out.push_str("conclusions that these rights allow\n");
        for (name, needs) in NEEDS {
            for copy in self.zones.iter().filter(|zone| !zone.is_source) {
                let missing = self.missing(needs, copy);
                let said = if needs.is_empty() {
                    "out of reach: this version makes no copy in a cluster of others".to_owned()
                } else if missing.is_empty() {
                    "within reach".to_owned()
                } else {
                    format!("out of reach: it lacks {}", missing.join(", "))
                };
                let _ = writeln!(out, "  {name:<13} {}  {said}", copy.zone);
            }
        }
    }

    fn permissions(&self, out: &mut String) {
        for zone in &self.zones {
            let lines = zone.lacks();
            if lines.is_empty() {
                continue;
            }
            let or = |text: &str, or: &str| {
                if text.is_empty() { or.to_owned() } else { text.to_owned() }
            };
            let (account, user) =
                (or(&zone.cluster.account, "ACCOUNT"), or(&zone.cluster.user, "USER"));
            let _ = writeln!(out, "what the user in zone {} lacks", zone.zone);
            let _ = writeln!(out, "  in the server's configuration: {}", as_configuration(&lines));
            let _ = writeln!(out, "  in a JWT: {}", as_nsc(&account, &user, &lines));
        }
    }
}
