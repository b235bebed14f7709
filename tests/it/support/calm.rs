//! Drills that must be proved, on machines that are not always calm.

use super::{
    region::{Ran, Region},
    turns,
};

/// How often a drill may be void because of the machine: on two cores with three regions at work,
/// one drill in some hundred was.
const TRIES: usize = 5;

/// What a verdict says where the machine, and not the region, made the drill void: a consumer or
/// the room itself was not given the processor when times were measured.
const NOT_CALM: [&str; 3] =
    ["the baseline was disturbed", "the room itself stood still", "the rate was not steady"];

/// Runs something with drills in it; again where it did not end well and the machine was not calm.
/// Returns how it ended last.
pub fn calmly(mut run: impl FnMut() -> Ran) -> Ran {
    for _ in 1..TRIES {
        let ran = run();
        if ran.code == 0 || !NOT_CALM.iter().any(|told| ran.out.contains(told)) {
            return ran;
        }
        turns::tell("a drill was void, the machine was not calm: again");
    }
    run()
}

impl Region {
    /// Drills that must be proved; returns what the last run of them printed.
    #[track_caller]
    pub fn proved(&self, words: &[&str]) -> Ran {
        calmly(|| self.run(words)).expect_code(0)
    }
}
