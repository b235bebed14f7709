//! What an examination comes to: one verdict over every zone and every replica, and its words.

use std::fmt::Write;

use serde::Serialize;

use crate::{
    ledger::{
        finding::{Judgement, ZoneFinding},
        table::render,
    },
    region::{NodeName, ZoneName},
    room::{protocol::Outcome, task::Completion},
};

/// What was found, and what was not looked at.
#[derive(Default, Serialize)]
pub(super) struct Examination {
    pub zones: Vec<ZoneFinding>,
    pub replicas: Vec<ReplicaFinding>,
    /// What could not be judged, though nothing else is wrong.
    pub unjudged: Vec<Unjudged>,
    /// Zones with streams of their own, which the ledger alone judges.
    pub apart: Vec<ZoneName>,
}

/// What one replica holds, against what most of the zone's replicas hold.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ReplicaFinding {
    pub zone: ZoneName,
    pub replica: NodeName,
    /// It holds the same, sequence by sequence; `None` if it was not read.
    pub equal: Option<bool>,
    /// Where it differs, or why it was not read.
    pub why: Option<String>,
}

/// Something that nothing can be said about.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub(super) enum Unjudged {
    /// The zone's stream removes what is consumed.
    NotKept { zone: ZoneName, retention: String },
    /// The zone's stream had nothing to be compared with.
    NotCompared { zone: ZoneName, source: ZoneName },
}

/// The verdict over everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    /// Every zone is whole, and every replica of every zone holds the same.
    Whole,
    /// Every zone is whole, and not everything was read.
    WholeAsFarAsRead,
    Broken,
    Void,
}

impl Examination {
    fn verdict(&self) -> Verdict {
        let differs = self.replicas.iter().any(|replica| replica.equal == Some(false));
        let broken = |zone: &ZoneFinding| matches!(zone.judgement, Judgement::Broken { .. });
        if differs || self.zones.iter().any(broken) {
            return Verdict::Broken;
        }
        let whole = |zone: &ZoneFinding| zone.judgement == Judgement::Whole;
        if self.zones.is_empty() || !self.zones.iter().all(whole) {
            return Verdict::Void;
        }
        let read = |zone: &ZoneFinding| {
            let mut replicas = self.replicas.iter().filter(|replica| replica.zone == zone.zone);
            replicas.clone().next().is_some() && replicas.all(|one| one.equal == Some(true))
        };
        if self.unjudged.is_empty() && self.zones.iter().all(read) {
            Verdict::Whole
        } else {
            Verdict::WholeAsFarAsRead
        }
    }

    /// The answer to `verify`.
    pub(super) fn said(&self) -> Completion {
        let verdict = self.verdict();
        let outcome = match verdict {
            Verdict::Whole => Outcome::Done,
            Verdict::Broken => Outcome::Broken,
            Verdict::WholeAsFarAsRead | Verdict::Void => Outcome::Void,
        };
        let mut text = render(&self.zones).trim_end().to_owned();
        text.push_str(&self.lines());
        for one in &self.unjudged {
            let _ = write!(text, "\n{one}");
        }
        for zone in &self.apart {
            let _ = write!(
                text,
                "\nzone {zone} took messages of its own: the ledger judges it, and no other stream was compared with it"
            );
        }
        if verdict == Verdict::WholeAsFarAsRead {
            let unread = self.replicas.iter().filter(|replica| replica.equal.is_none()).count();
            let _ = write!(text, "\nwhole as far as it was read");
            if unread > 0 {
                let _ = write!(text, ": {unread} of {} replicas not read", self.replicas.len());
            }
        }
        let mut data = serde_json::to_value(self).unwrap_or_default();
        data["verdict"] = serde_json::to_value(verdict).unwrap_or_default();
        Completion { outcome, text, data: Some(data) }
    }

    /// The replicas in words: how many of each zone hold the same, and every other one by name.
    fn lines(&self) -> String {
        let mut text = String::new();
        for zone in self.replicas.chunk_by(|a, b| a.zone == b.zone) {
            let equal = zone.iter().filter(|replica| replica.equal == Some(true)).count();
            let name = &zone[0].zone;
            let _ = write!(
                text,
                "\nreplicas of zone {name}: {equal} of {} hold the same, sequence by sequence",
                zone.len()
            );
            for replica in zone.iter().filter(|replica| replica.equal != Some(true)) {
                let what = if replica.equal.is_some() { "differs" } else { "was not read" };
                let why = replica.why.as_deref().unwrap_or_default();
                let _ = write!(text, "; {} {what}: {why}", replica.replica);
            }
        }
        text
    }
}

impl std::fmt::Display for Unjudged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotKept { zone, retention } => write!(
                f,
                "the stream of zone {zone} was not judged: its retention is {retention}, so it does not keep what is consumed"
            ),
            Self::NotCompared { zone, source } => {
                write!(f, "the stream of zone {zone} was not compared with that of zone {source}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{
        Ledger,
        finding::{Evidence, judge},
    };

    fn zone(name: &str, judgement: Judgement) -> ZoneFinding {
        let name: ZoneName = name.parse().unwrap();
        let ledger = Ledger::new("k3f9q2".parse().unwrap(), "east");
        let account = ledger.account(&name, None);
        let evidence = Evidence { account: &account, stream: None, fidelity: None, drained: true };
        ZoneFinding { judgement, ..judge(&ledger, &name, &evidence) }
    }

    fn replicas(equal: [Option<bool>; 6]) -> Vec<ReplicaFinding> {
        let names = ["a", "b"].into_iter().flat_map(|zone| (1..=3).map(move |n| (zone, n)));
        names
            .zip(equal)
            .map(|((zone, number), equal)| ReplicaFinding {
                zone: zone.parse().unwrap(),
                replica: format!("js{number}-zone-{zone}").parse().unwrap(),
                equal,
                why: equal.is_none().then(|| "it is dead".into()),
            })
            .collect()
    }

    fn of(equal: [Option<bool>; 6]) -> Examination {
        let zones = vec![zone("a", Judgement::Whole), zone("b", Judgement::Whole)];
        Examination { zones, replicas: replicas(equal), unjudged: Vec::new(), apart: Vec::new() }
    }

    const YES: Option<bool> = Some(true);

    #[test]
    fn whole_is_only_what_was_read_from_every_replica() {
        let all = of([YES; 6]);
        assert_eq!((all.verdict(), all.said().outcome), (Verdict::Whole, Outcome::Done));
        for missing in 0..6 {
            let mut equal = [YES; 6];
            equal[missing] = None;
            let said = of(equal).said();
            assert_eq!(said.outcome, Outcome::Void, "{}", said.text);
            assert!(said.text.ends_with("whole as far as it was read: 1 of 6 replicas not read"));
            assert!(said.text.contains("was not read: it is dead"), "{}", said.text);
            assert_eq!(said.data.unwrap()["verdict"], "whole-as-far-as-read");
            equal[missing] = Some(false);
            assert_eq!(of(equal).said().outcome, Outcome::Broken);
        }
        // Nothing was read of zone b at all.
        let mut half = of([YES; 6]);
        half.replicas.truncate(3);
        assert_eq!(half.verdict(), Verdict::WholeAsFarAsRead);
    }

    #[test]
    fn what_cannot_be_judged_is_named_and_nothing_green() {
        let mut one = of([YES; 6]);
        let zone = "a".parse().unwrap();
        one.unjudged.push(Unjudged::NotKept { zone, retention: "interest".into() });
        let said = one.said();
        assert_eq!(said.outcome, Outcome::Void);
        assert!(said.text.contains("its retention is interest"), "{}", said.text);
        let nothing = Examination::default();
        assert_eq!(nothing.said().outcome, Outcome::Void);
    }
}
