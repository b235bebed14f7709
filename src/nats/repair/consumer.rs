//! Repairing a zone's consumer: as it was, and where it was.

use async_nats::Client;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Damaged, Step};
use crate::{
    nats::{
        NatsError,
        api::{self, Ask, Failure},
        configuration::wanted,
        streams::{self, SET_UP_DEADLINE},
    },
    region::{
        Role, ZonePlan,
        configuration::{Consumer, Difference, Kind, Seen, Subject},
        topology::STREAM,
    },
};

/// Where a consumer goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    from: u64,
    /// How many from there on were received before.
    again: u64,
}

impl Damaged<'_> {
    /// Repairs the zone's consumer. The stream is as it should be by now.
    pub(super) async fn mend_consumer(
        &self,
        found: &[Difference],
        steps: &mut Vec<Step>,
    ) -> Result<(), NatsError> {
        let (here, zone) = (&self.reader.here, self.zone());
        let kinds: Vec<&Kind> =
            found.iter().filter(|d| d.subject == Subject::Consumer).map(|d| &d.kind).collect();
        let seen = match super::known(self.reader).await?.consumer {
            Seen::There(seen) => seen,
            Seen::Missing | Seen::Unknown => {
                let position = self.position(steps).await?;
                return self.create_consumer(position, steps).await;
            }
        };
        if kinds.is_empty() {
            return Ok(());
        }
        if kinds.iter().any(|kind| !is_updated(kind)) {
            let position = self.position(steps).await?;
            // A new one that somebody made may stand where it should all the same.
            let accepted =
                |kind: &&Kind| matches!(kind, Kind::Recreated | Kind::Reset | Kind::Paused { .. });
            let own = self.own_of(position.from).await?;
            if !(kinds.iter().all(accepted) && stands_at(&seen, own)) {
                streams::delete_consumer(here, &zone.domain(), &zone.consumer()).await?;
                return self.create_consumer(position, steps).await;
            }
            steps.push(Step::Accepted(Subject::Consumer));
        }
        let settings =
            kinds.iter().any(|kind| matches!(kind, Kind::Replicas { .. } | Kind::Setting { .. }));
        if settings {
            let mut config = wanted::consumer(zone);
            // Where it began cannot be updated.
            config.deliver_policy.clone_from(&seen.config.deliver_policy);
            config.opt_start_seq = seen.config.opt_start_seq;
            streams::make_consumer(here, zone, &config).await?;
            steps.push(Step::Restored(Subject::Consumer));
        }
        if seen.paused_until.is_some() {
            resume(here, &zone.domain(), &zone.consumer()).await?;
            steps.push(Step::Resumed(Subject::Consumer));
        }
        Ok(())
    }

    async fn create_consumer(
        &self,
        position: Position,
        steps: &mut Vec<Step>,
    ) -> Result<(), NatsError> {
        // A source whose stores are of an earlier day has less than was received of it: what it takes next
        // is new.
        let next = self.origin().await?.last_seq + 1;
        let position = Position { from: position.from.min(next), ..position };
        if self.role() == Role::Mirror {
            self.wait_for(position.from - 1).await?;
        }
        let own = self.own_of(position.from).await?;
        create_at(&self.reader.here, self.zone(), own).await?;
        steps.push(Step::ConsumerCreated { from: position.from, again: position.again });
        Ok(())
    }

    /// The first sequence that the stream has and the room has not received.
    async fn position(&self, steps: &[Step]) -> Result<Position, NatsError> {
        let begun_anew = steps.contains(&Step::StreamCreated) || self.source_began_anew().await?;
        if begun_anew {
            return Ok(Position { from: 1, again: 0 });
        }
        let progress = self.progress;
        for &seq in &progress.missing {
            if self.has_message(seq).await? {
                let missing = progress.missing.iter().filter(|other| **other > seq).count();
                let again = (progress.last - seq).saturating_sub(missing as u64);
                return Ok(Position { from: seq, again });
            }
        }
        Ok(Position { from: progress.last + 1, again: 0 })
    }

    /// Whether sequences count from 1 again, so that none of them was received before.
    async fn source_began_anew(&self) -> Result<bool, NatsError> {
        let origin = self.origin().await?;
        let made = match self.reader.source {
            Some(_) => self.made.source_created.as_ref(),
            None => self.made.stream.there().map(|stream| &stream.created),
        };
        Ok(made.is_some_and(|created| *created != origin.created))
    }
}

/// Whether an update (or the end of a pause) mends it, without a loss of messages.
fn is_updated(kind: &Kind) -> bool {
    match kind {
        Kind::Paused { .. } | Kind::Replicas { .. } => true,
        Kind::Setting { name, .. } => {
            matches!(name.as_str(), "ack_wait" | "max_deliver" | "max_ack_pending")
        }
        _ => false,
    }
}

/// Whether a consumer will deliver just what the room lacks.
fn stands_at(seen: &Consumer, own: u64) -> bool {
    seen.ack_floor < own && seen.delivered_seq + 1 == own
}

/// Makes a zone's consumer so that it delivers from a sequence on.
async fn create_at(client: &Client, zone: &ZonePlan, from: u64) -> Result<(), NatsError> {
    let mut config = wanted::consumer(zone);
    // A reset leaves the configuration as it always is, and the ack floor at the position.
    let resets = client.is_server_compatible(2, 14, 0);
    if from > 1 && !resets {
        config.deliver_policy = "by_start_sequence".into();
        config.opt_start_seq = from;
    }
    streams::make_consumer(client, zone, &config).await?;
    if from > 1 && resets {
        let ask = Ask {
            client,
            subject: format!("$JS.API.CONSUMER.RESET.{STREAM}.{}", zone.consumer()),
            body: json!({"seq": from}),
            whom: &zone.domain(),
            what: &format!("set `{}` to sequence {from}", zone.consumer()),
        };
        ask.by::<Value>(Instant::now() + SET_UP_DEADLINE).await?;
    }
    Ok(())
}

/// Ends a consumer's pause at the server.
pub(super) async fn resume(client: &Client, whom: &str, name: &str) -> Result<(), NatsError> {
    let ask = Ask {
        client,
        subject: format!("$JS.API.CONSUMER.PAUSE.{STREAM}.{name}"),
        body: json!({}),
        whom,
        what: &format!("resume the consumer `{name}`"),
    };
    ask.by::<Value>(Instant::now() + SET_UP_DEADLINE).await.map(drop)
}

/// Whether the zone's stream holds a message at that sequence.
pub(super) async fn has_message(
    client: &Client,
    zone: &ZonePlan,
    seq: u64,
) -> Result<bool, NatsError> {
    let began = Instant::now();
    let ask = Ask {
        client,
        subject: format!("$JS.API.STREAM.MSG.GET.{STREAM}"),
        body: json!({"seq": seq}),
        whom: &zone.domain(),
        what: &format!("look for the message at sequence {seq}"),
    };
    match api::until::<Value>(&ask, began + SET_UP_DEADLINE).await {
        Ok(_) => Ok(true),
        Err(Failure::Api(error)) if error.err_code == api::NO_MESSAGE => Ok(false),
        Err(failure) => Err(ask.error(&failure, began.elapsed())),
    }
}
