//! Repairing a zone's stream and consumers while the region runs: each difference from what was
//! made gets the smallest change that mends it.
//!
//! A mirror that may lack messages is made anew from the source, with a durable that begins at the
//! first message (one that stands further on leaves the beginning out and says nothing,
//! nats-facts §B). A consumer that is made anew goes on after what the room has received.

mod consumer;
mod step;
mod stream;

use std::time::Duration;

use tokio::time::{Instant, sleep};

pub use self::step::Step;
use super::{
    NatsError,
    configuration::{Reader, wanted},
    renumbering::{self, Place, Question},
    streams::SET_UP_DEADLINE,
};
use crate::{
    ledger::progress::Progress,
    region::{
        Role, ZonePlan,
        configuration::{Configuration, Difference, Kind, Seen, Subject, differences},
    },
};

/// The pause between two looks at a zone that is to answer.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a mended difference may still be seen.
const SETTLED_WITHIN: Duration = Duration::from_secs(5);

/// A zone to be repaired.
#[derive(Debug)]
pub struct Damaged<'a> {
    pub reader: &'a Reader,
    pub source: &'a ZonePlan,
    pub made: &'a Configuration,
    /// What the room's consumer of the zone has received. It must be at rest: a message that is
    /// in hand would be delivered a second time.
    pub progress: &'a Progress,
    /// The zone's copy has gone beyond its source, whose end was lost: it copies nothing as it is.
    pub parted: bool,
}

/// What a repair did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    pub steps: Vec<Step>,
    /// As it is made now.
    pub made: Configuration,
    /// What could not be mended; empty after a repair that worked.
    pub left: Vec<Difference>,
}

/// Repairs everything in which the zone differs from what was made. A zone that differs in nothing
/// is left as it is.
///
/// # Errors
/// When a server refuses or does not answer within [`SET_UP_DEADLINE`]; what was done until then
/// stays.
pub async fn repair(damaged: &Damaged<'_>) -> Result<Repaired, NatsError> {
    let seen = known(damaged.reader).await?;
    let mut found = differences(damaged.made, &seen);
    found.extend(damaged.taken_elsewhere(&seen).await?);
    let mut steps = Vec::new();
    if damaged.rebuilds(&found) {
        damaged.rebuild_mirror(&mut steps).await?;
    } else {
        damaged.mend_stream(&found, &seen, &mut steps).await?;
        damaged.mend_durable(&found, &mut steps).await?;
    }
    damaged.mend_consumer(&found, &mut steps).await?;
    // A leader may say for a moment what was true before.
    let deadline = Instant::now() + SETTLED_WITHIN;
    loop {
        let seen = known(damaged.reader).await?;
        let made = wanted::made(damaged.source, damaged.zone(), damaged.reader.kind, &seen);
        let left = differences(&made, &seen);
        if left.is_empty() || Instant::now() >= deadline {
            return Ok(Repaired { steps, made, left });
        }
        sleep(LOOK_EVERY).await;
    }
}

impl Damaged<'_> {
    /// Whether a copy is deleted and made anew to mend that.
    #[must_use]
    pub fn rebuilds(&self, found: &[Difference]) -> bool {
        self.parted && self.role() == Role::Mirror
            || found.iter().any(|difference| needs_rebuild(self.role(), difference))
    }

    /// What the consumer has passed and the room never received, if the stream still has it.
    ///
    /// # Errors
    /// When the zone refuses or does not answer.
    pub async fn taken_elsewhere(
        &self,
        seen: &Configuration,
    ) -> Result<Option<Difference>, NatsError> {
        let Some(floor) = seen.consumer.there().map(|consumer| consumer.ack_floor) else {
            return Ok(None);
        };
        let floor = self.origin_of(floor).await?;
        let missing = &self.progress.missing;
        let passed = &missing[..missing.partition_point(|seq| *seq <= floor)];
        for (place, seq) in passed.iter().enumerate() {
            if self.has_message(*seq).await? {
                let kind = Kind::TakenElsewhere { count: (passed.len() - place) as u64 };
                return Ok(Some(Difference { subject: Subject::Consumer, kind }));
            }
        }
        Ok(None)
    }

    /// Where a message of the zone stands at the source.
    async fn place(&self, question: Question) -> Result<Option<Place>, NatsError> {
        renumbering::ask(&self.reader.here, self.zone(), question).await
    }

    /// The source's sequence of one of the zone's own.
    async fn origin_of(&self, own: u64) -> Result<u64, NatsError> {
        if !self.zone().renumbers() || own == 0 {
            return Ok(own);
        }
        Ok(self.place(Question::Own { own }).await?.map_or(own, |place| place.origin))
    }

    /// The zone's own sequence of the first message at or after one of the source's; after the last
    /// one, the next.
    async fn own_of(&self, origin: u64) -> Result<u64, NatsError> {
        if !self.zone().renumbers() {
            return Ok(origin);
        }
        match self.place(Question::AtOrAfter { origin }).await? {
            Some(place) => Ok(place.own),
            None => Ok(self.place(Question::Last).await?.map_or(1, |last| last.own + 1)),
        }
    }

    /// Whether the zone's stream holds the message at a sequence of the source.
    async fn has_message(&self, origin: u64) -> Result<bool, NatsError> {
        if !self.zone().renumbers() {
            return consumer::has_message(&self.reader.here, self.zone(), origin).await;
        }
        let found = self.place(Question::AtOrAfter { origin }).await?;
        Ok(found.is_some_and(|place| place.origin == origin))
    }

    fn zone(&self) -> &ZonePlan {
        &self.reader.zone
    }

    fn role(&self) -> Role {
        self.zone().role
    }
}

/// Whether only a new mirror is sure to hold every message.
fn needs_rebuild(role: Role, difference: &Difference) -> bool {
    if role != Role::Mirror {
        return false;
    }
    match (difference.subject, &difference.kind) {
        (
            Subject::Stream,
            Kind::Missing
            | Kind::Recreated
            | Kind::Promoted
            | Kind::Replaced
            | Kind::OtherOrigin
            | Kind::SourceRecreated
            | Kind::Emptied { .. }
            | Kind::Retention { .. }
            | Kind::Sealed,
        )
        // It has passed over messages that the mirror lacks now.
        | (Subject::Durable, Kind::Filtered { .. }) => true,
        _ => false,
    }
}

/// A reading in which everything was answered.
async fn known(reader: &Reader) -> Result<Configuration, NatsError> {
    let began = Instant::now();
    loop {
        let seen = reader.read().await;
        if seen.is_known() {
            return Ok(seen);
        }
        if began.elapsed() + LOOK_EVERY >= SET_UP_DEADLINE {
            let silent = |of: &Seen<_>| *of == Seen::Unknown;
            let whom = match &seen.durable {
                Some(durable) if silent(durable) => "the source".into(),
                _ => reader.zone.domain(),
            };
            return Err(NatsError::NoAnswer {
                whom,
                what: "tell about its stream and consumers".into(),
                waited: began.elapsed(),
                why: "a group has no leader, or its nodes are down (`status`)".into(),
            });
        }
        sleep(LOOK_EVERY).await;
    }
}
