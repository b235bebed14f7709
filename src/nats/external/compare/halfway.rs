//! A comparison that has not come to its end, as it is kept to go on from.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Progress, Reached, Told};
use crate::{
    ledger::copies::Comparison,
    nats::wire::now_ms,
    region::{UnixMs, ZoneName, external::StreamSeen},
};

/// How often progress is told.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// How often what is needed to go on is told.
const KEPT_EVERY: Duration = Duration::from_secs(2);

/// A comparison that is not at its end, and what it found: as much as it takes to go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Halfway {
    pub zone: ZoneName,
    /// When the streams were made: others cannot be gone on with.
    pub(super) origin_created: String,
    pub(super) copy_created: String,
    /// The origin's sequences that are compared.
    pub(super) from: u64,
    pub(super) to: u64,
    /// More was asked for than the copy had, up to here.
    pub(super) beyond: Option<u64>,
    pub(super) behind: u64,
    pub reached: Reached,
    pub(super) found: Comparison,
    /// How far earlier runs came: a sequence of the origin, and when.
    pub(super) runs: Vec<Run>,
    pub(super) took_ms: u64,
}

/// How far a run came that was ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub through: u64,
    pub at_ms: UnixMs,
}

impl Halfway {
    /// It is of these streams.
    pub(super) fn is_of(&self, origin: &StreamSeen, copy: &StreamSeen) -> bool {
        self.origin_created == origin.created && self.copy_created == copy.created
    }

    /// As it is kept: with what was found up to where it has come, after so much more time.
    pub(super) fn kept(&self, found: &Comparison, took: Duration) -> Self {
        let mut kept = Self { found: found.clone(), ..self.clone() };
        kept.took_ms += took.as_millis() as u64;
        kept.runs.push(Run { through: self.reached.origin.saturating_sub(1), at_ms: now_ms() });
        kept
    }
}

/// When something was told last.
pub(super) struct Clock {
    pub(super) began: Instant,
    /// Where this run began, and what earlier ones had compared: its pace is its own.
    from: u64,
    compared: u64,
    told: Instant,
    kept: Instant,
}

impl Clock {
    /// It begins now, there.
    pub(super) fn start(halfway: &Halfway) -> Self {
        let now = Instant::now();
        let (from, compared) = (halfway.reached.origin, halfway.found.compared);
        Self { began: now, from, compared, told: now, kept: now }
    }

    /// Tells how far it has come, if that is due.
    pub(super) fn take(
        &mut self,
        halfway: &Halfway,
        found: &Comparison,
        sampled: bool,
        tell: &mut impl FnMut(Told<'_>),
    ) {
        let now = Instant::now();
        if now - self.told >= TOLD_EVERY {
            self.told = now;
            let (zone, from, to) = (&halfway.zone, self.from, halfway.to);
            let (at, messages) = (halfway.reached.origin, found.compared - self.compared);
            let took = now - self.began;
            tell(Told::Progress(Progress { zone, at, from, to, messages, took }));
        }
        if !sampled && now - self.kept >= KEPT_EVERY {
            self.kept = now;
            tell(Told::Halfway(&halfway.kept(found, now - self.began)));
        }
    }
}
