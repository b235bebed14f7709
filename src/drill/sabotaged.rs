//! What a deliberate fault must come to: the right verdict, for the right reason.

use super::{
    checks::{Finding, Reason, reason::ProducerFact},
    conclusions::Conclusion,
};
use crate::{command::Sabotage, ledger::finding::fault::Kind, region::status::Verdict};

/// The verdict that a sabotage must come to.
fn verdict_of(kind: Sabotage) -> Verdict {
    match kind {
        Sabotage::Leak
        | Sabotage::NoPause
        | Sabotage::NoRetry
        | Sabotage::Unimpaired
        | Sabotage::Revive
        | Sabotage::Nothing => Verdict::Void,
        Sabotage::Lose
        | Sabotage::Duplicate
        | Sabotage::Corrupt
        | Sabotage::Reorder
        | Sabotage::RestartProducer
        | Sabotage::Reconfigure => Verdict::Broken,
    }
}

/// Is it by this reason that the sabotage was noticed?
fn notices(kind: Sabotage, reason: &Reason) -> bool {
    let harmed = |kind| matches!(reason, Reason::Damaged { faults, .. } if faults.iter().any(|fault| fault.of(kind)));
    let changed = |facts: &[ProducerFact]| matches!(reason, Reason::ProducerChanged { what, .. } if facts.contains(what));
    match kind {
        Sabotage::Leak => matches!(
            reason,
            Reason::Leaked { .. } | Reason::CutNotEffective { .. } | Reason::CutNotProved { .. }
        ),
        Sabotage::Lose => harmed(Kind::Lost) || matches!(reason, Reason::LacksOther { .. }),
        Sabotage::Duplicate => harmed(Kind::Duplicates),
        Sabotage::Corrupt => harmed(Kind::Corrupt),
        Sabotage::Reorder => harmed(Kind::Reordered),
        Sabotage::NoPause => {
            matches!(reason, Reason::PauseDidNotPause { .. } | Reason::DidNotStayPaused { .. })
        }
        Sabotage::RestartProducer => {
            changed(&[ProducerFact::Connection, ProducerFact::Server, ProducerFact::Reconnects])
        }
        Sabotage::Reconfigure => changed(&[ProducerFact::Configuration]),
        Sabotage::Unimpaired => {
            matches!(reason, Reason::ImpairmentNotMeasured { .. } | Reason::ImpairmentLost { .. })
        }
        Sabotage::Revive => {
            matches!(reason, Reason::NodeNotDown { .. } | Reason::NodeCameBack { .. })
        }
        Sabotage::NoRetry => matches!(reason, Reason::NotRetried { .. }),
        Sabotage::Nothing => {
            matches!(reason, Reason::NothingProduced | Reason::NothingAcked { .. })
        }
    }
}

/// Did a sabotaged drill end as it must: with the right verdict, for the right reason, and with all
/// else as its script says (`off_script`, from [`super::scripted::deviation`], is what did not)?
#[must_use]
pub fn as_it_must(kind: Sabotage, off_script: Option<&str>, conclusion: &Conclusion) -> bool {
    let verdict = verdict_of(kind);
    let right = |found: &Finding| {
        found.verdict == verdict && found.reason.as_ref().is_some_and(|why| notices(kind, why))
    };
    // What is not sent again may be lost as well, where the copy did not hold it.
    let lost = |found: &Finding| {
        found.verdict != Verdict::Broken || matches!(found.reason, Some(Reason::AckedLost { .. }))
    };
    let worse = kind == Sabotage::NoRetry
        && conclusion.verdict == Verdict::Broken
        && conclusion.findings.iter().all(lost);
    off_script.is_none()
        && (conclusion.verdict == verdict || worse)
        && conclusion.findings.iter().any(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_verdict_after_something_else_went_wrong_is_not_as_it_must() {
        let leaked = Conclusion {
            verdict: Verdict::Void,
            evidence: "the cut leaked".into(),
            findings: vec![Finding {
                check: "severed".into(),
                verdict: Verdict::Void,
                reason: Some(Reason::Leaked { count: 3, of: 9, zone: "b".parse().unwrap() }),
                text: "the cut leaked".into(),
                numbers: Vec::new(),
            }],
        };
        assert!(as_it_must(Sabotage::Leak, None, &leaked));
        assert!(!as_it_must(Sabotage::Lose, None, &leaked));
        assert!(!as_it_must(Sabotage::Leak, Some("`cut b`: the command crashed"), &leaked));
    }
}
