//! The laws: what a run has shown of its claim. Pure.
//!
//! A law answers with a [`Finding`]: *broken* when something happened that must not, *void* when
//! the run did not test what it claims, *proved* only on positive evidence. A safety violation
//! outweighs every reason for void, and a reason for void everything that was proved.
//!
//! | file | what is inside |
//! |---|---|
//! | `ran` | the run itself: steps, waits, commands, nobody else's hand |
//! | `whole` | nothing lost, duplicated, reordered, corrupt: ledger and every replica |
//! | `severed` | the cut was real, and let nothing through |
//! | `cut`, `heal`, `independent`, `grow` | the four conclusions |
//! | `wanted` | a user's own expectations |
//! | `glance` | the live view |

mod cut;
mod glance;
mod grow;
mod heal;
mod independent;
mod ran;
mod severed;
mod wanted;
mod whole;

use serde::{Deserialize, Serialize};

use super::{check::Check, run::Run};
use crate::{
    ledger::{audit::StreamAudit, book::Ledger},
    region::{NodeName, snapshot::Verdict},
};

pub use glance::glance;

/// A stream as it was read from one replica at the end of a run.
#[derive(Clone, Debug)]
pub struct ReplicaAudit {
    /// The node it was read from.
    pub replica: NodeName,
    /// What it holds; its zone is in it.
    pub audit: StreamAudit,
}

/// What one law found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Which law.
    pub check: String,
    /// Proved, broken or void.
    pub verdict: Verdict,
    /// A sentence with the numbers in it.
    pub text: String,
    /// The numbers behind it, by name.
    pub numbers: Vec<(String, String)>,
}

impl Finding {
    fn new(check: &str, verdict: Verdict, text: impl Into<String>) -> Self {
        Self { check: check.to_owned(), verdict, text: text.into(), numbers: Vec::new() }
    }

    fn proved(check: &str, text: impl Into<String>) -> Self {
        Self::new(check, Verdict::Proved, text)
    }

    fn broken(check: &str, text: impl Into<String>) -> Self {
        Self::new(check, Verdict::Broken, text)
    }

    fn void(check: &str, text: impl Into<String>) -> Self {
        Self::new(check, Verdict::Void, text)
    }

    #[allow(clippy::needless_pass_by_value)] // numbers and references alike, at forty places
    fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.numbers.push((name.to_owned(), value.to_string()));
        self
    }
}

/// What all laws together found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conclusion {
    /// The verdict: never waiting or holding.
    pub verdict: Verdict,
    /// Its reason, in a sentence.
    pub evidence: String,
    /// What each law found.
    pub findings: Vec<Finding>,
}

/// What laws look at.
struct Case<'a> {
    run: &'a Run,
    begin: &'a super::record::Begin,
    script: &'a super::script::Script,
    ledger: &'a Ledger,
    streams: &'a [ReplicaAudit],
}

/// Concludes a run.
#[must_use]
pub fn conclude(run: &Run, ledger: &Ledger, streams: &[ReplicaAudit]) -> Conclusion {
    let (Some(begin), Some(script)) = (&run.begin, &run.script) else {
        let why = "the record does not say what was drilled: its beginning, or the script in it, cannot be read";
        return weigh(vec![Finding::void("record", why)]);
    };
    let case = Case { run, begin, script, ledger, streams };
    let mut findings = Vec::new();
    // Interruptions explain everything after them; then what is particular; then what failed in
    // general.
    findings.extend(ran::before_all(&case));
    for check in Check::ALL.into_iter().filter(|check| script.checks.contains(check)) {
        match check {
            Check::Severed => findings.push(severed::severed(&case)),
            Check::Progress => findings.push(ran::progress(&case)),
            Check::InZone => findings.push(cut::in_zone(&case)),
            Check::Latency => findings.push(cut::latency(&case)),
            Check::Whole => findings.extend(whole::whole(&case)),
            Check::Faithful => findings.extend(whole::faithful(&case)),
            Check::Recovery => findings.push(heal::recovery(&case)),
            Check::Apart => findings.push(independent::apart(&case)),
            Check::Speeds => findings.push(independent::speeds(&case)),
            Check::Producer => findings.push(grow::producer(&case)),
            Check::Servers => findings.push(grow::servers(&case)),
            Check::Backfill => findings.push(grow::backfill(&case)),
        }
    }
    findings.extend(wanted::wanted(&case));
    findings.push(ran::ran(&case));
    let mut conclusion = weigh(findings);
    if let Some(damage) = begin.damaged.as_ref().filter(|_| conclusion.verdict == Verdict::Broken) {
        let note = format!(
            "; an earlier drill damaged this region's data on purpose ({damage}): `down --purge` and `up` begin anew"
        );
        conclusion.evidence.push_str(&note);
    }
    conclusion
}

/// Broken outweighs void, void outweighs proved; nothing found is void.
fn weigh(findings: Vec<Finding>) -> Conclusion {
    let of = |verdict| findings.iter().filter(move |finding: &&Finding| finding.verdict == verdict);
    for verdict in [Verdict::Broken, Verdict::Void] {
        if let Some(first) = of(verdict).next() {
            let more = of(verdict).count() - 1;
            let mut evidence = first.text.clone();
            if more > 0 {
                evidence = format!(
                    "{evidence} (and {more} more {})",
                    if more == 1 { "reason" } else { "reasons" }
                );
            }
            return Conclusion { verdict, evidence, findings };
        }
    }
    if findings.is_empty() || !findings.iter().all(|finding| finding.verdict == Verdict::Proved) {
        let evidence = "no law was asked, so nothing was tested".into();
        return Conclusion { verdict: Verdict::Void, evidence, findings };
    }
    let texts: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.check != ran::CHECK)
        .take(3)
        .map(|finding| finding.text.as_str())
        .collect();
    let evidence = texts.join("; ");
    Conclusion { verdict: Verdict::Proved, evidence, findings }
}
