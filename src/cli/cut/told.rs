//! What came of a cut of others: pure, from look to look.

use std::time::Duration;

use crate::{
    region::{
        ZoneName,
        external::cutting::{Look, Proof, proof},
        format::seconds,
    },
    room::protocol::Outcome,
};

/// So shortly before its end a link may carry again: clocks differ.
const SLACK: Duration = Duration::from_secs(2);

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Told {
    proved: Option<Proof>,
    /// The link was seen to carry after the command, without a proof.
    carried: bool,
    /// It was cut, and carried again before its time.
    leaked: bool,
    /// The most that the copy lacked, in messages.
    pub missed: u64,
}

impl Told {
    /// Takes in the looks since the cut, the last one new, so long `after` the command and so long
    /// before the end (`left`); what is worth a line.
    pub fn take(
        &mut self,
        zone: &ZoneName,
        before: &Look,
        looks: &[Look],
        (after, left): (Duration, Duration),
    ) -> Option<String> {
        let last = looks.last()?;
        self.missed = self.missed.max(last.missing().unwrap_or_default());
        let after = seconds(after.as_millis() as u64);
        let now = proof(before, looks);
        if let Some(now) = now {
            let other =
                |known: Proof| std::mem::discriminant(&now) != std::mem::discriminant(&known);
            let better = self.proved.is_none_or(|known| now < known && other(known));
            return better.then(|| {
                self.proved = Some(now);
                format!("zone {zone}, after {after}: {now}")
            });
        }
        let carries = last.crossed == Some(true) && last.paused != Some(true);
        self.carried |= carries;
        let was_cut = self.proved.is_some_and(Proof::is_of_a_cut);
        if !carries || !was_cut || self.leaked || left < SLACK {
            return None;
        }
        self.leaked = true;
        Some(format!(
            "zone {zone}, after {after}: it is cut off no more, and nobody healed it: it was not cut throughout"
        ))
    }

    /// What is said at the end of the cut, if it showed nothing.
    #[must_use]
    pub fn verdict(&self, zone: &ZoneName) -> Option<String> {
        match self.proved {
            None if self.carried => Some(format!("zone {zone} was not cut: the link carried on")),
            None => Some(format!("nothing showed that zone {zone} was cut")),
            Some(_) => None,
        }
    }

    /// Done only for a cut that was shown, lasted and healed; a copy that merely stood still shows
    /// none.
    #[must_use]
    pub fn outcome(&self, well: bool) -> Outcome {
        match self.proved {
            _ if !well => Outcome::Broken,
            Some(proof) if proof.is_of_a_cut() && !self.leaked => Outcome::Done,
            _ => Outcome::Void,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::external::cutting::Ends;

    fn look(second: u64, linked: bool) -> Look {
        let leafs = Some(u64::from(linked));
        let counted = Ends { source: leafs, copy: leafs };
        Look { at_ms: second * 1000, counted, crossed: Some(linked), ..Look::default() }
    }

    /// The lines, and what it came to, of a cut of 20 s whose link was so in each second.
    fn told(linked: impl Fn(u64) -> bool) -> (Vec<String>, Outcome) {
        let (zone, before) = ("b".parse().unwrap(), look(0, true));
        let (mut told, mut looks, mut lines) = (Told::default(), Vec::new(), Vec::new());
        for second in 1..=20 {
            looks.push(look(second, linked(second)));
            let times = (Duration::from_secs(second), Duration::from_secs(20 - second));
            lines.extend(told.take(&zone, &before, &looks, times));
        }
        lines.extend(told.verdict(&zone));
        (lines, told.outcome(true))
    }

    #[test]
    fn a_cut_is_done_only_if_it_was_shown_and_lasted() {
        let (lines, outcome) = told(|_| false);
        assert_eq!((lines.len(), outcome), (1, Outcome::Done), "{lines:?}");
        // Back a moment early by the other clock.
        assert_eq!(told(|second| second > 19).1, Outcome::Done);
        let (lines, outcome) = told(|second| second > 9);
        assert!(lines[1].contains("it was not cut throughout"), "{lines:?}");
        assert_eq!(outcome, Outcome::Void);
        // A link that comes and goes.
        assert_eq!(told(|second| second % 4 == 0).1, Outcome::Void);
        let (lines, outcome) = told(|_| true);
        assert_eq!(
            (lines[0].as_str(), outcome),
            ("zone b was not cut: the link carried on", Outcome::Void)
        );
    }
}
