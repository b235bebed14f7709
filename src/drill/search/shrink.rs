//! The shortest schedule that still fails: faults are left out, first many at once, then one by one
//! (delta debugging, Zeller and Hildebrandt 2002), then what is left is hurried.

use super::Schedule;

/// A fault that lasts lasts at least so long, in milliseconds.
const SHORTEST_MS: u64 = 400;

/// A schedule that fails, on its way to the shortest one.
#[derive(Clone, Debug)]
pub struct Shrinking {
    /// The shortest so far that was seen to fail.
    best: Schedule,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// So many faults are left out at once.
    LeaveOut(usize),
    /// Everything comes in half the time.
    Hurry,
    Done,
}

impl Shrinking {
    /// Begins with a schedule that failed.
    #[must_use]
    pub fn of(schedule: Schedule) -> Self {
        let stage = match schedule.faults.len() {
            0 | 1 => Stage::Hurry,
            count => Stage::LeaveOut(count / 2),
        };
        Self { best: schedule, stage }
    }

    /// The shortest so far that was seen to fail.
    #[must_use]
    pub fn best(&self) -> &Schedule {
        &self.best
    }

    /// What is to be tried next, the likeliest first; nothing when it is as short as it gets.
    #[must_use]
    pub fn next(&self) -> Vec<Schedule> {
        match self.stage {
            Stage::LeaveOut(count) => {
                let faults = &self.best.faults;
                let without = |from: usize| {
                    let to = (from + count).min(faults.len());
                    let left = faults[..from].iter().chain(&faults[to..]).cloned().collect();
                    Schedule { faults: left, ..self.best.clone() }
                };
                (0..faults.len()).step_by(count).map(without).collect()
            }
            Stage::Hurry => vec![hurried(&self.best)],
            Stage::Done => Vec::new(),
        }
    }

    /// What came of what was to be tried: the first that failed, if one did.
    pub fn tried(&mut self, failed: Option<Schedule>) {
        self.stage = match (self.stage, failed) {
            (Stage::LeaveOut(count), Some(shorter)) => {
                self.best = shorter;
                leave_out(count.min(self.best.faults.len() / 2).max(1), &self.best)
            }
            (Stage::LeaveOut(1), None) => Stage::Hurry,
            (Stage::LeaveOut(count), None) => Stage::LeaveOut(count / 2),
            (Stage::Hurry, Some(shorter)) if hurried(&shorter) != shorter => {
                self.best = shorter;
                Stage::Hurry
            }
            (Stage::Hurry, failed) => {
                self.best = failed.unwrap_or_else(|| self.best.clone());
                Stage::Done
            }
            (Stage::Done, _) => Stage::Done,
        };
    }
}

/// With one fault left, leaving it out would leave nothing to fail by; it is tried all the same,
/// as what fails without any fault is no fault's doing.
fn leave_out(count: usize, best: &Schedule) -> Stage {
    if best.faults.is_empty() { Stage::Hurry } else { Stage::LeaveOut(count) }
}

/// Twice as fast.
fn hurried(schedule: &Schedule) -> Schedule {
    let mut schedule = schedule.clone();
    let first = schedule.faults.iter().map(|fault| fault.at_ms).min().unwrap_or(0);
    for fault in &mut schedule.faults {
        fault.at_ms = (fault.at_ms - first) / 200 * 100;
        if fault.for_ms > 0 {
            fault.for_ms = (fault.for_ms / 200 * 100).max(SHORTEST_MS.min(fault.for_ms));
        }
    }
    schedule
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Fault, tests::ground},
        *,
    };
    use crate::command::Family;

    /// Shrinks with an oracle in place of regions; what it came to, and how many tries it took.
    fn shrunk(schedule: Schedule, fails: impl Fn(&Schedule) -> bool) -> (Schedule, usize) {
        let (mut shrinking, mut tries) = (Shrinking::of(schedule), 0);
        loop {
            let next = shrinking.next();
            if next.is_empty() {
                return (shrinking.best().clone(), tries);
            }
            tries += next.len();
            shrinking.tried(next.into_iter().find(&fails));
            assert!(tries < 200, "it ends");
        }
    }

    fn is(fault: &Fault, begin: &str) -> bool {
        fault.begin.to_string() == begin
    }

    /// Two causes that must overlap are found among all, and only they.
    #[test]
    fn two_causes_are_found() {
        let overlap = |schedule: &Schedule| {
            let find = |family| schedule.faults.iter().filter(move |f| f.family == family);
            find(Family::Link).any(|link| {
                find(Family::Process)
                    .any(|kill| link.at_ms <= kill.at_ms && kill.at_ms <= link.ends_ms())
            })
        };
        let made = (0..2_000).map(|seed| Schedule::by(seed, &ground(Family::ALL)));
        let failing: Vec<Schedule> = made.filter(overlap).collect();
        assert!(failing.len() > 100);
        for schedule in failing {
            let (short, tries) = shrunk(schedule, overlap);
            assert_eq!(short.faults.len(), 2, "{short:#?}");
            assert!(overlap(&short) && tries < 60, "{tries} tries");
        }
    }

    #[test]
    fn what_fails_without_any_fault_is_told_so() {
        let (short, _) = shrunk(Schedule::by(1, &ground(Family::ALL)), |_| true);
        assert_eq!(short.faults, []);
    }

    #[test]
    fn one_cause_is_found_and_hurried() {
        let mut rng = 0..;
        let schedule = rng
            .find_map(|seed| {
                let made = Schedule::by(seed, &ground(Family::ALL));
                made.faults.iter().any(|fault| is(fault, "consumer pause a")).then_some(made)
            })
            .unwrap();
        let paused =
            |schedule: &Schedule| schedule.faults.iter().any(|f| is(f, "consumer pause a"));
        let (short, _) = shrunk(schedule, paused);
        assert_eq!(short.faults.len(), 1);
        assert_eq!((short.faults[0].at_ms, short.faults[0].for_ms), (0, SHORTEST_MS));
    }
}
