//! Whether a copy by `sources` is done: what its source holds no more, or what it dropped by its id, never
//! comes.

use std::time::Duration;

use async_nats::Client;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use super::Place;
use crate::{
    nats::{
        api::{self, Failure},
        connect::REQUEST_TIMEOUT,
    },
    region::{ZonePlan, external::StreamSeen, topology::STREAM},
};

/// Up to which sequence of the source there is nothing more for a copy whose last message is `last`:
/// the source holds none after it, or says that its durable consumer is done. The latter is to be
/// believed once it was so for [`SETTLED`]. `None` while something is to come, or that is unknown.
async fn done(
    source: &Client,
    zone: &ZonePlan,
    last: Option<Place>,
) -> Result<Option<Done>, Failure> {
    #[derive(Deserialize)]
    struct Durable {
        #[serde(default)]
        num_pending: u64,
        #[serde(default)]
        num_ack_pending: u64,
    }
    let subject = format!("$JS.API.STREAM.INFO.{STREAM}");
    let info: StreamSeen = api::once(source, &subject, &Value::Null, REQUEST_TIMEOUT).await?;
    let through = info.state.last_seq;
    // Asked after the end: whatever there is up to that is seen.
    let newest = super::last(source).await?.map_or(0, |place| place.own);
    if newest == last.map_or(0, |place| place.origin) {
        return Ok(Some(Done { through, surely: true }));
    }
    let subject = format!("$JS.API.CONSUMER.INFO.{STREAM}.{}", zone.mirror_consumer());
    match api::once::<Durable>(source, &subject, &Value::Null, REQUEST_TIMEOUT).await {
        Ok(Durable { num_pending: 0, num_ack_pending: 0 }) => {
            Ok(Some(Done { through, surely: false }))
        }
        Ok(_) | Err(Failure::Api(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// What [`done`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Done {
    pub through: u64,
    /// It needs no second look.
    pub surely: bool,
}

/// How long a durable must have nothing to do before what it delivered is in the copy, or dropped.
pub(super) const SETTLED: Duration = Duration::from_secs(1);

/// Looks whether a copy is done, again and again.
#[derive(Debug, Default)]
pub(in crate::nats) struct Settling(Option<(u64, u64, Instant)>);

impl Settling {
    /// The sequence of the source that the copy, now at `last`, has surely passed.
    pub async fn look(
        &mut self,
        source: &Client,
        zone: &ZonePlan,
        last: Option<Place>,
    ) -> Result<Option<u64>, Failure> {
        let own = last.map_or(0, |place| place.own);
        match done(source, zone, last).await? {
            Some(Done { through, surely: true }) => Ok(Some(through)),
            Some(Done { through, .. }) => {
                let stood = self.0.filter(|(last, end, _)| (*last, *end) == (own, through));
                let (.., since) = *self.0.insert(stood.unwrap_or((own, through, Instant::now())));
                Ok(Some(through).filter(|_| since.elapsed() >= SETTLED))
            }
            None => {
                self.0 = None;
                Ok(None)
            }
        }
    }
}
