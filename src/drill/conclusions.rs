//! The conclusions: what each claims and requires, and how findings add up to a verdict.
//!
//! The program owns them. A script only drives: whatever `checks` it names, those that its
//! conclusion requires are made, and a script without the phases they need is refused.

use serde::{Deserialize, Serialize};

use super::{
    checks::{Check, Finding, Reason, SCRIPT_COMPLETED},
    run::Run,
    script::Script,
};
use crate::region::{PlatformKind, Status, status::Verdict, topology::Network};

/// What one of the conclusions claims and requires.
#[derive(Debug)]
pub struct Requirement {
    /// 1 to 4, or of [`FURTHER`].
    pub number: u8,
    /// The built-in drill that tests it.
    pub drill: &'static str,
    pub claim: &'static str,
    /// About how long its drill takes at the original plan's numbers, in seconds, with two zones of
    /// real servers on a quiet machine: measured on two cores with nats-server 2.15.1, over relays.
    takes_s: u8,
    /// The ids of the checks that decide.
    checks: &'static [&'static str],
    /// The phases they look at, in this order.
    phases: &'static [&'static str],
}

impl Requirement {
    /// About how long its drill takes, in seconds; `None` where that was not measured: on other
    /// platforms a cut is noticed by pings alone.
    #[must_use]
    pub fn takes_s(&self, status: &Status) -> Option<u8> {
        let over_relays =
            status.platform == PlatformKind::Local && status.network != Some(Network::Wire);
        over_relays.then_some(self.takes_s)
    }
}

/// The user's four conclusions, in their order.
pub static REQUIREMENTS: [Requirement; 4] = [
    Requirement {
        number: 1,
        drill: "cut",
        claim: "A cut between zones does not disturb consumption inside a zone.",
        takes_s: 11,
        checks: &[
            "severed",
            "in-zone",
            "latency",
            "drain",
            "progress",
            "no-loss-no-duplicate",
            "replicas-identical",
        ],
        phases: &["before", "during", "healing", "after"],
    },
    Requirement {
        number: 2,
        drill: "heal",
        claim: "After the network is back no message is lost or duplicated, and the mirror catches up in order.",
        takes_s: 9,
        checks: &["severed", "recovery", "progress", "no-loss-no-duplicate", "replicas-identical"],
        phases: &["before", "during", "healing", "after"],
    },
    Requirement {
        number: 3,
        drill: "independent",
        claim: "Each zone's progress is its own: a pause or a slow consumer in one does not hold up the other.",
        takes_s: 9,
        checks: &["progress-independent", "speeds", "no-loss-no-duplicate", "replicas-identical"],
        phases: &["before", "apart", "meeting", "speeds"],
    },
    Requirement {
        number: 4,
        drill: "grow",
        claim: "A zone joins the region, and the producer is not touched.",
        takes_s: 6,
        checks: &["producer", "servers", "backfill", "no-loss-no-duplicate", "replicas-identical"],
        phases: &["before", "joining", "after"],
    },
];

/// Conclusions after the user's four. The drill of 5 leaves the region in another state.
pub static FURTHER: [Requirement; 2] = [
    Requirement {
        number: 5,
        drill: "failover",
        claim: "The region survives the loss of its source: what was acknowledged is in the promoted zone, once and in order, and its consumers go on where they were.",
        takes_s: 20,
        checks: &["recovery-point", "recovery-time", "retries", "floors", "order"],
        phases: &["before", "load", "lost", "promoting", "moving", "after"],
    },
    Requirement {
        number: 6,
        drill: "rolling",
        claim: "The region can be maintained under load: every server of two zones is stopped and started again, one after the other, and nothing is lost, doubled or out of order.",
        takes_s: 13,
        checks: &["restarted", "nodes-down", "no-loss-no-duplicate", "replicas-identical"],
        phases: &["before", "load", "rolling-mirror", "rolling-source", "after"],
    },
];

/// What a conclusion requires; nothing of a drill that claims none.
#[must_use]
pub fn required(conclusion: Option<u8>) -> Option<&'static Requirement> {
    REQUIREMENTS.iter().chain(&FURTHER).find(|requirement| Some(requirement.number) == conclusion)
}

impl Requirement {
    /// The checks that decide.
    pub fn checks(&self) -> impl Iterator<Item = &'static Check> {
        self.checks.iter().filter_map(|id| Check::named(id))
    }

    /// The phases they look at, in their order.
    #[must_use]
    pub fn phases(&self) -> &'static [&'static str] {
        self.phases
    }

    /// A script has the phases, in their order.
    ///
    /// # Errors
    /// The first phase that it lacks.
    pub fn phases_of(&self, script: &Script) -> Result<(), &'static str> {
        self.phases_among(script.steps.iter().filter_map(|step| step.phase.as_deref()))
    }

    /// The phases are among these, in their order.
    ///
    /// # Errors
    /// The first that is not.
    pub fn phases_among<'a>(
        &self,
        mut there: impl Iterator<Item = &'a str>,
    ) -> Result<(), &'static str> {
        match self.phases.iter().find(|phase| !there.any(|name| name == **phase)) {
            Some(missing) => Err(missing),
            None => Ok(()),
        }
    }
}

/// What all findings of a run add up to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conclusion {
    /// The verdict: never waiting or holding.
    pub verdict: Verdict,
    /// Its reason, in a sentence.
    pub evidence: String,
    /// What each check found.
    pub findings: Vec<Finding>,
}

/// Concludes a run from what its checks found: in the room, and for a bundle.
///
/// Broken outweighs void, void outweighs proved; nothing found is void. A run that was sabotaged,
/// interrupted, or has no end is never proved, whatever its checks say.
#[must_use]
pub fn conclude(run: &Run, mut findings: Vec<Finding>) -> Conclusion {
    let proved = |findings: &[Finding]| {
        !findings.is_empty() && findings.iter().all(|one| one.verdict == Verdict::Proved)
    };
    if proved(&findings) {
        findings.extend(objection(run));
    } else if !findings.iter().any(|one| matches!(one.verdict, Verdict::Broken | Verdict::Void)) {
        findings.push(Finding::void("trial", Reason::NoCheck));
    }
    for verdict in [Verdict::Broken, Verdict::Void] {
        let mut of = findings.iter().filter(|finding| finding.verdict == verdict);
        let Some(first) = of.next() else { continue };
        let more = match of.count() {
            0 => String::new(),
            1 => " (and 1 more reason)".into(),
            more => format!(" (and {more} more reasons)"),
        };
        let mut evidence = format!("{}{more}", first.text);
        let damage = run.begin().and_then(|begin| begin.damaged.as_ref());
        if let Some(damage) = damage.filter(|_| verdict == Verdict::Broken) {
            let note = format!(
                "; an earlier drill damaged this region's data on purpose ({damage}): `down --purge` and `up` begin anew"
            );
            evidence.push_str(&note);
        }
        return Conclusion { verdict, evidence, findings };
    }
    let telling = findings.iter().filter(|finding| finding.check != SCRIPT_COMPLETED);
    let texts: Vec<&str> = telling.take(3).map(|finding| finding.text.as_str()).collect();
    Conclusion { verdict: Verdict::Proved, evidence: texts.join("; "), findings }
}

/// Why a run is not proved although every check says so.
fn objection(run: &Run) -> Option<Finding> {
    let sabotage = run.sabotaged.as_ref().map(|(kind, _)| *kind);
    if sabotage.is_none()
        && let Some((kind, when)) = run.begin().and_then(|b| b.sabotage.zip(b.when.clone()))
    {
        return Some(Finding::void("trial", Reason::SabotageNeverDue { kind, when }));
    }
    if let Some(kind) = sabotage.or_else(|| run.begin()?.sabotage) {
        return Some(Finding::broken("trial", Reason::SabotageUnnoticed { kind }));
    }
    if let Some(why) = &run.interrupted {
        return Some(Finding::void("trial", Reason::Interrupted { why: why.clone() }));
    }
    (!run.has_ended()).then(|| Finding::void("trial", Reason::NoEnd))
}
