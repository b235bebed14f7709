//! Repairing a stream: its settings, the mirror, the durable that the mirror copies over.

use async_nats::Client;
use tokio::time::{Instant, sleep};

use super::{Damaged, LOOK_EVERY, Step};
use crate::{
    nats::{
        NatsError,
        configuration::{self, wanted},
        renumbering::{self, Question, Settling},
        streams::{self, SET_UP_DEADLINE},
    },
    region::{
        configuration::{Configuration, Difference, Kind, Stream, Subject},
        topology::STREAM,
    },
};

impl Damaged<'_> {
    /// Repairs a stream that holds what it should.
    pub(super) async fn mend_stream(
        &self,
        found: &[Difference],
        seen: &Configuration,
        steps: &mut Vec<Step>,
    ) -> Result<(), NatsError> {
        let kinds = || found.iter().filter(|d| d.subject == Subject::Stream).map(|d| &d.kind);
        if kinds().next().is_none() {
            return Ok(());
        }
        let begun_anew = |kind: &Kind| matches!(kind, Kind::Recreated | Kind::Emptied { .. });
        if kinds().any(|kind| *kind == Kind::Missing) {
            streams::create_source(&self.reader.here, self.zone()).await?;
            steps.push(Step::StreamCreated);
        } else if kinds().any(|kind| !begun_anew(kind)) {
            self.restore_settings().await?;
            steps.push(Step::Restored(Subject::Stream));
        } else if seen.stream.there().is_some() {
            steps.push(Step::Accepted(Subject::Stream));
        }
        Ok(())
    }

    /// Puts the settings back, and leaves those alone that no bring-up sets.
    async fn restore_settings(&self) -> Result<(), NatsError> {
        let want = wanted::stream(self.source, self.zone(), self.reader.kind);
        streams::update(&self.reader.here, self.zone(), &want).await
    }

    /// Deletes the mirror and makes it anew; waits until it holds what the source holds.
    pub(super) async fn rebuild_mirror(&self, steps: &mut Vec<Step>) -> Result<(), NatsError> {
        let (here, zone) = (&self.reader.here, self.zone());
        let Some(source) = &self.reader.source else { return Ok(()) };
        let old = configuration::stream(here).await.there().map_or(0, |old| old.last_seq);
        let origin = self.origin().await?;
        streams::delete_stream(here, &zone.domain()).await?;
        // The old durable stands where the old mirror was.
        streams::drop_zone(source, zone).await?;
        streams::create_mirror(source, here, self.source, zone, self.reader.kind).await?;
        let (last, dropped) = if zone.renumbers() {
            // A copy by `sources` does not count what the source has deleted at its end.
            (self.last_of(source).await?, 0)
        } else {
            (origin.last_seq, old.saturating_sub(origin.last_seq))
        };
        self.wait_for(last).await?;
        steps.push(Step::MirrorRebuilt { last_seq: origin.last_seq, dropped });
        Ok(())
    }

    /// The source's stream as it is now.
    pub(super) async fn origin(&self) -> Result<Stream, NatsError> {
        let deadline = Instant::now() + SET_UP_DEADLINE;
        let source = self.reader.source.as_ref().unwrap_or(&self.reader.here);
        loop {
            if let Some(origin) = configuration::stream(source).await.there() {
                return Ok(origin.clone());
            }
            if Instant::now() + LOOK_EVERY >= deadline {
                return Err(NatsError::NoAnswer {
                    whom: self.source.domain(),
                    what: format!("tell about the stream `{STREAM}`"),
                    waited: SET_UP_DEADLINE,
                    why: format!("it has none, or no leader; `repair {}` first", self.source.name),
                });
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// The last message of the region's stream in a zone, by the source's sequences; 0 for none.
    async fn last_of(&self, client: &Client) -> Result<u64, NatsError> {
        let last = renumbering::ask(client, self.zone(), Question::Last).await?;
        Ok(last.map_or(0, |place| place.origin))
    }

    /// Waits until the zone's stream has come to a sequence of the source.
    pub(super) async fn wait_for(&self, last_seq: u64) -> Result<(), NatsError> {
        let began = Instant::now();
        let mut settling = Settling::default();
        loop {
            let here = &self.reader.here;
            let has = if let Some(source) = &self.reader.source
                && self.zone().renumbers()
            {
                let last = renumbering::ask(here, self.zone(), Question::Last).await?;
                let passed = settling.look(source, self.zone(), last).await.ok().flatten();
                last.map_or(0, |place| place.origin).max(passed.unwrap_or(0))
            } else {
                configuration::stream(here).await.there().map_or(0, |stream| stream.last_seq)
            };
            if has >= last_seq {
                return Ok(());
            }
            if began.elapsed() + LOOK_EVERY >= SET_UP_DEADLINE {
                return Err(NatsError::NoAnswer {
                    whom: self.zone().domain(),
                    what: format!("copy the stream up to sequence {last_seq}"),
                    waited: began.elapsed(),
                    why: format!("it is at {has}; repair it again once it has caught up"),
                });
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Repairs the durable of a mirror that holds what it should.
    pub(super) async fn mend_durable(
        &self,
        found: &[Difference],
        steps: &mut Vec<Step>,
    ) -> Result<(), NatsError> {
        let kinds: Vec<&Kind> =
            found.iter().filter(|d| d.subject == Subject::Durable).map(|d| &d.kind).collect();
        let (Some(source), false) = (&self.reader.source, kinds.is_empty()) else { return Ok(()) };
        let zone = self.zone();
        let is_sound =
            |kind: &&Kind| matches!(kind, Kind::Paused { .. } | Kind::Recreated | Kind::Reset);
        if kinds.iter().all(is_sound) {
            if kinds.iter().any(|kind| matches!(kind, Kind::Paused { .. })) {
                super::consumer::resume(source, &self.source.domain(), &zone.mirror_consumer())
                    .await?;
                steps.push(Step::Resumed(Subject::Durable));
            } else {
                steps.push(Step::Accepted(Subject::Durable));
            }
        } else {
            streams::drop_zone(source, zone).await?;
            let deadline = Instant::now() + SET_UP_DEADLINE;
            // The mirror itself sets a new durable to the message it needs next.
            streams::create_mirror_consumer(&self.reader.here, self.source, zone, deadline).await?;
            steps.push(Step::DurableCreated);
        }
        streams::wait_until_heard(&self.reader.here, zone, self.reader.kind).await.map(drop)
    }
}
