//! The checks: what a run has shown of its claim. Pure, one file a check.
//!
//! A check answers with findings: *broken* when something happened that must not, *void* when the
//! run did not test what it claims, *proved* only on positive evidence. A check that panics found
//! nothing: void. How findings add up to a verdict is [`super::conclusions::conclude`].
//!
//! To add a check: a file with its [`Check`], a line in [`ALL`], a test.
//!
//! | file | what is inside |
//! |---|---|
//! | [`case`](self) | what checks look at: phases, spans, counts |
//! | [`reason`] | why a check found what it found, as types |
//! | `words` | the one place that puts a reason into a sentence |
//! | `live` | the counters while a drill runs |
//! | `promoted` | what the checks of a failover share |
//! | `trial`, `script_completed`, `expectations` | made of every run, whatever its script names |
//! | the others | a check each |

mod backfill;
mod case;
mod drain;
mod expectations;
mod figures;
mod floors;
mod forecast;
mod impaired;
mod in_zone;
mod interest;
mod latency;
mod live;
mod no_loss_no_duplicate;
mod nodes_down;
mod order;
mod producer;
mod progress;
mod progress_independent;
mod promoted;
pub mod reason;
mod rebuilt;
mod recovery;
mod recovery_point;
mod recovery_time;
mod replicas_identical;
mod restarted;
mod retention;
mod retries;
mod script_completed;
mod servers;
mod severed;
mod speeds;
mod trial;
mod words;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use serde::{Deserialize, Serialize};

use super::run::Run;
use crate::{
    ledger::{
        Ledger,
        audit::StreamAudit,
        finding::fault::{Fault, audit},
    },
    region::{
        NodeName, UnixMs, ZoneName,
        status::{Audit, Verdict},
    },
};

use case::Case;
use live::{Live, LiveCounter};
pub use live::{live, live_of};
pub use reason::Reason;

/// A check, as a script names it.
pub struct Check {
    pub id: &'static str,
    /// The ids of earlier versions, still read.
    pub was: &'static [&'static str],
    /// The question it answers.
    pub question: &'static str,
    /// It judges by the ledger: a damaged one leaves it nothing to say.
    pub by_ledger: bool,
    /// It judges by every replica of every zone: a node that is away leaves it nothing to say.
    pub by_replicas: bool,
    /// Counters while the drill runs.
    live: fn(&Live<'_>, &mut Vec<LiveCounter>),
    judge: fn(&Case<'_>) -> Vec<Finding>,
}

/// All checks, in the order they are judged and told.
pub static ALL: [&Check; 26] = [
    &severed::CHECK,
    &impaired::CHECK,
    &restarted::CHECK,
    &rebuilt::CHECK,
    &retention::CHECK,
    &interest::CHECK,
    &forecast::CHECK,
    &in_zone::CHECK,
    &latency::CHECK,
    &drain::CHECK,
    &progress_independent::CHECK,
    &speeds::CHECK,
    &producer::CHECK,
    &servers::CHECK,
    &backfill::CHECK,
    &recovery::CHECK,
    &progress::CHECK,
    &recovery_point::CHECK,
    &recovery_time::CHECK,
    &retries::CHECK,
    &floors::CHECK,
    &order::CHECK,
    &no_loss_no_duplicate::CHECK,
    &replicas_identical::CHECK,
    &figures::CHECK,
    &nodes_down::CHECK,
];

impl Check {
    /// The check of that id, of this version or an earlier one.
    #[must_use]
    pub fn named(id: &str) -> Option<&'static Self> {
        ALL.into_iter().find(|check| check.id == id || check.was.contains(&id))
    }
}

impl PartialEq for Check {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

/// A stream as it was read from one replica at the end of a run.
#[derive(Clone, Debug)]
pub struct ReplicaAudit {
    pub replica: NodeName,
    pub audit: StreamAudit,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    pub check: String,
    /// Proved, broken or void.
    pub verdict: Verdict,
    /// Findings of earlier versions have only a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The reason in a sentence.
    pub text: String,
    /// The numbers behind it, by name.
    pub numbers: Vec<(String, String)>,
}

impl Finding {
    fn new(check: &str, verdict: Verdict, reason: Reason) -> Self {
        let text = reason.to_string();
        Self { check: check.to_owned(), verdict, reason: Some(reason), text, numbers: Vec::new() }
    }

    pub(super) fn proved(check: &str, reason: Reason) -> Self {
        Self::new(check, Verdict::Proved, reason)
    }

    pub(super) fn broken(check: &str, reason: Reason) -> Self {
        Self::new(check, Verdict::Broken, reason)
    }

    pub(super) fn void(check: &str, reason: Reason) -> Self {
        Self::new(check, Verdict::Void, reason)
    }

    #[allow(clippy::needless_pass_by_value)] // numbers and references alike, at forty places
    fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.numbers.push((name.to_owned(), value.to_string()));
        self
    }
}

/// A check that finds one thing, or why it cannot tell.
fn or_void(check: &Check, found: Result<Finding, Reason>) -> Vec<Finding> {
    vec![found.unwrap_or_else(|why| Finding::void(check.id, why))]
}

/// Everything the checks of a run find: first what explains what follows, then each check's, then
/// whether the run went as its script says.
#[must_use]
pub fn judge(run: &Run, ledger: &Ledger, streams: &[ReplicaAudit]) -> Vec<Finding> {
    let (Some(begin), Some(script)) = (&run.begin, &run.script) else {
        return vec![Finding::void(trial::ID, Reason::NoBeginning)];
    };
    let case = Case { run, begin, script, ledger, streams };
    let mut findings = guarded(trial::ID, || trial::judge(&case));
    let named = |check: &&Check| {
        // What a drill has made of a link must have been so, whatever it names.
        let impairs = **check == impaired::CHECK && impaired::impairs(&case);
        script.checks().contains(check) || impairs
    };
    for check in ALL.into_iter().filter(named) {
        let found = guarded(check.id, || (check.judge)(&case));
        findings.extend(found.into_iter().map(|finding| case.unless_another(finding)));
    }
    findings.extend(guarded(expectations::ID, || expectations::judge(&case)));
    findings.extend(guarded(script_completed::ID, || vec![script_completed::judge(&case)]));
    findings
}

/// What the findings say of each zone's messages: of those whose replicas were all read, or in which
/// something is wrong.
#[must_use]
pub fn audits(findings: &[Finding], at: UnixMs) -> BTreeMap<ZoneName, Audit> {
    let mut faults: BTreeMap<ZoneName, Vec<&Fault>> = BTreeMap::new();
    for finding in findings {
        match &finding.reason {
            Some(Reason::Identical { zone, .. }) => drop(faults.entry(zone.clone()).or_default()),
            Some(Reason::Damaged { place, faults: found }) => {
                faults.entry(place.zone().clone()).or_default().extend(found);
            }
            _ => {}
        }
    }
    faults.into_iter().map(|(zone, faults)| (zone, audit(faults, at))).collect()
}

/// A check that crashes found nothing.
fn guarded(id: &str, check: impl FnOnce() -> Vec<Finding>) -> Vec<Finding> {
    catch_unwind(AssertUnwindSafe(check))
        .unwrap_or_else(|_| vec![Finding::void(id, Reason::CheckCrashed)])
}

/// The id of the finding that says whether the script came to its end.
pub(super) const SCRIPT_COMPLETED: &str = script_completed::ID;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_the_old_ones_are_still_read() {
        let mut ids: Vec<&str> =
            ALL.iter().flat_map(|check| check.was.iter().copied().chain([check.id])).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
        for (old, id) in [
            ("faithful", "replicas-identical"),
            ("apart", "progress-independent"),
            ("whole", "no-loss-no-duplicate"),
        ] {
            assert_eq!(Check::named(old).unwrap().id, id);
        }
        assert!(Check::named("ran").is_none());
        assert!(ALL.iter().all(|check| check.question.ends_with('?')));
    }

    #[test]
    fn a_check_that_crashes_is_void() {
        let found = guarded("severed", || panic!("on purpose"));
        assert_eq!(found[0].verdict, Verdict::Void);
        assert_eq!(found[0].reason, Some(Reason::CheckCrashed));
    }
}
