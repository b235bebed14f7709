//! The region's stream, its mirrors and its consumers: made idempotently, with retries.
//!
//! Every function can be called again on a region that comes up with its old data: what exists as
//! wanted is kept, what exists otherwise is refused in words.

use std::time::Duration;

use async_nats::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    api::{self, Ask, Failure},
    configuration::wanted,
    error::NatsError,
    leaders,
    system::MirrorState,
};
use crate::{
    command::Group,
    region::{
        CopyKind, MirrorKind, ZonePlan,
        configuration::{ConsumerConfig, Origin, StreamConfig},
        topology::STREAM,
    },
};

/// How long one step of the set-up may take in all. A fresh cluster's elections need 0.2-6 s, one
/// that starts with data 7 s (nats-facts §H), each repeated vote 4-9 s more; a busy machine
/// repeats some.
pub const SET_UP_DEADLINE: Duration = Duration::from_secs(40);
/// A mirror that has not heard after this long is in a back-off of up to 30 s; a step-down of its
/// leader ends that (nats-facts §A).
const DEAF_BEFORE_NUDGE: Duration = Duration::from_secs(3);
/// The pause between two looks at a mirror that has not heard yet.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// A mirror that hears from its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MirrorReady {
    /// It was made just now; otherwise it was there with its data.
    pub created: bool,
    /// From the call to its first word from the source.
    pub heard_after: Duration,
    /// Its leader was asked to step down to hurry it.
    pub nudged: bool,
}

/// Makes a stream that copies nothing (or finds it as it should be).
///
/// # Errors
/// [`NatsError::OtherStream`] if one of that name is something else; otherwise when the zone
/// refuses or does not answer within [`SET_UP_DEADLINE`].
pub async fn create_source(client: &Client, zone: &ZonePlan) -> Result<(), NatsError> {
    let deadline = Instant::now() + SET_UP_DEADLINE;
    let domain = zone.domain();
    // A leader that has just been elected drops what reaches it first; a lost order costs a second.
    stream_info(client, &domain, deadline).await?;
    let config = wanted::own_stream(zone);
    create_stream(client, &domain, &config, deadline, "the region's source").await
}

/// Makes a zone's mirror (or finds it as it should be) and waits until it has heard from its
/// source. `source_client` is connected to the source, `mirror_client` to the mirror's zone; all
/// that the mirror needs at the source is asked over the link, as the zone itself would.
///
/// # Errors
/// [`NatsError::OtherStream`] if there is one of another kind, [`NatsError::MirrorDeaf`] if it
/// never heard, otherwise when a zone refuses or does not answer within [`SET_UP_DEADLINE`].
pub async fn create_mirror(
    source_client: &Client,
    mirror_client: &Client,
    source: &ZonePlan,
    zone: &ZonePlan,
    kind: MirrorKind,
) -> Result<MirrorReady, NatsError> {
    let began = Instant::now();
    let deadline = began + SET_UP_DEADLINE;
    let (from, here) = (source.domain(), zone.domain());
    // A mirror made before its source waits for a back-off of half a minute (nats-facts §D).
    if stream_info(source_client, &from, deadline).await?.is_none() {
        return Err(NatsError::Refused {
            whom: from,
            what: format!("serve a mirror in {here}"),
            err_code: api::STREAM_NOT_FOUND,
            description: "it has no stream to mirror".into(),
            next: "`up` makes the source first".into(),
        });
    }
    let before = stream_info(mirror_client, &here, deadline).await?;
    if let Some(info) = &before {
        require_copy(&info.config, &here, zone, kind)?;
    }
    let created = before.is_none();
    link_answers(mirror_client, source, zone, deadline).await?;
    if kind == MirrorKind::Durable {
        create_mirror_consumer(mirror_client, source, zone, deadline).await?;
        if created {
            reset_mirror_consumer(mirror_client, source, zone, deadline).await?;
        }
    }
    let config = wanted::stream(source, zone, kind);
    let want = format!("a {} of {from}", zone.copy.one(kind));
    create_stream(mirror_client, &here, &config, deadline, &want).await?;
    let nudged = wait_until_heard(mirror_client, zone, kind).await?;
    Ok(MirrorReady { created, heard_after: began.elapsed(), nudged })
}

/// Waits for the link: a mirror made without one waits for a back-off of half a minute.
async fn link_answers(
    mirror_client: &Client,
    source: &ZonePlan,
    zone: &ZonePlan,
    deadline: Instant,
) -> Result<(), NatsError> {
    let ask = Ask {
        client: mirror_client,
        subject: format!("$JS.{}.API.STREAM.INFO.{STREAM}", source.domain()),
        body: Value::Null,
        whom: &source.domain(),
        what: &format!("answer {} over the link", zone.domain()),
    };
    ask.by::<Value>(deadline).await.map(drop)
}

/// Makes the durable sourcing consumer at the source, asked from the mirror's zone.
pub(super) async fn create_mirror_consumer(
    mirror_client: &Client,
    source: &ZonePlan,
    zone: &ZonePlan,
    deadline: Instant,
) -> Result<(), NatsError> {
    let name = zone.mirror_consumer();
    let ask = Ask {
        client: mirror_client,
        subject: format!("$JS.{}.API.CONSUMER.CREATE.{STREAM}.{name}", source.domain()),
        body: json!({"stream_name": STREAM, "config": wanted::durable(zone)}),
        whom: &source.domain(),
        what: &format!("make the durable `{name}` for {}", zone.domain()),
    };
    ask.by::<Value>(deadline).await.map(drop).map_err(|error| match error {
        NatsError::Refused { whom, what, err_code, description, .. } => NatsError::Refused {
            whom,
            what,
            err_code,
            description,
            next: "durable copies need nats-server 2.15 or later; classic ones work with all"
                .into(),
        },
        other => other,
    })
}

/// Without this a *new* mirror that meets an old durable starts at its ack floor and silently
/// lacks everything before (nats-facts §B).
async fn reset_mirror_consumer(
    mirror_client: &Client,
    source: &ZonePlan,
    zone: &ZonePlan,
    deadline: Instant,
) -> Result<(), NatsError> {
    let name = zone.mirror_consumer();
    let ask = Ask {
        client: mirror_client,
        subject: format!("$JS.{}.API.CONSUMER.RESET.{STREAM}.{name}", source.domain()),
        body: json!({"seq": 1}),
        whom: &source.domain(),
        what: &format!("reset the durable `{name}` to the first message"),
    };
    ask.by::<Value>(deadline).await.map(drop)
}

/// Waits until the mirror has heard from its source; says whether it had to be nudged.
pub(super) async fn wait_until_heard(
    client: &Client,
    zone: &ZonePlan,
    kind: MirrorKind,
) -> Result<bool, NatsError> {
    let began = Instant::now();
    let deadline = began + SET_UP_DEADLINE;
    let mut nudge_at = began + DEAF_BEFORE_NUDGE;
    let mut nudged = false;
    loop {
        let info = stream_info(client, &zone.domain(), deadline).await?;
        let mirror = info.and_then(|info| info.mirror.or_else(|| info.sources.into_iter().next()));
        if mirror.as_ref().is_some_and(MirrorState::has_heard) {
            return Ok(nudged);
        }
        let now = Instant::now();
        if now + LOOK_EVERY >= deadline {
            let error = mirror.and_then(|mirror| mirror.error());
            let whom = zone.domain();
            let copy = zone.copy.one(kind);
            return Err(NatsError::MirrorDeaf { whom, copy, waited: now - began, error });
        }
        if now >= nudge_at {
            leaders::stepdown(client, zone, Group::Mirror).await?;
            nudged = true;
            nudge_at = Instant::now() + DEAF_BEFORE_NUDGE;
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Makes a zone's durable pull consumer (or finds it). It delivers from the first message on.
///
/// # Errors
/// When the zone refuses or does not answer within [`SET_UP_DEADLINE`].
pub async fn create_consumer(client: &Client, zone: &ZonePlan) -> Result<(), NatsError> {
    make_consumer(client, zone, &wanted::consumer(zone)).await
}

/// Makes a zone's consumer with that configuration, or gives it to the one that is there.
///
/// # Errors
/// When the zone refuses or does not answer within [`SET_UP_DEADLINE`].
pub(super) async fn make_consumer(
    client: &Client,
    zone: &ZonePlan,
    config: &ConsumerConfig,
) -> Result<(), NatsError> {
    let name = &config.name;
    let ask = Ask {
        client,
        subject: format!("$JS.API.CONSUMER.CREATE.{STREAM}.{name}"),
        body: json!({"stream_name": STREAM, "config": config}),
        whom: &zone.domain(),
        what: &format!("make the consumer `{name}`"),
    };
    ask.by::<Value>(Instant::now() + SET_UP_DEADLINE).await.map(drop)
}

/// Gives a zone's stream these settings, and leaves those alone that no bring-up sets. Without an
/// origin in them, a copy becomes a stream of its own (2.12 and later).
///
/// # Errors
/// When the zone refuses or does not answer within [`SET_UP_DEADLINE`].
pub async fn update(
    client: &Client,
    zone: &ZonePlan,
    want: &StreamConfig,
) -> Result<(), NatsError> {
    let deadline = Instant::now() + SET_UP_DEADLINE;
    let whom = zone.domain();
    let info = Ask {
        client,
        subject: format!("$JS.API.STREAM.INFO.{STREAM}"),
        body: Value::Null,
        whom: &whom,
        what: &format!("tell about the stream `{STREAM}`"),
    };
    let mut config = info.by::<Value>(deadline).await?["config"].take();
    if let (Some(config), Value::Object(want)) = (config.as_object_mut(), json!(want)) {
        for origin in ["mirror", "sources", "subjects"] {
            config.remove(origin);
        }
        config.extend(want);
    }
    let update = Ask {
        client,
        subject: format!("$JS.API.STREAM.UPDATE.{STREAM}"),
        body: config,
        whom: &whom,
        what: &format!("change the settings of the stream `{STREAM}`"),
    };
    update.by::<Value>(deadline).await.map(drop)
}

/// Removes what a mirror zone has at the source: its durable sourcing consumer. One that is not
/// there (a classic mirror, a second call) is fine.
///
/// # Errors
/// When the source refuses or does not answer within [`SET_UP_DEADLINE`].
pub async fn drop_zone(source_client: &Client, zone: &ZonePlan) -> Result<(), NatsError> {
    delete_consumer(source_client, "the source", &zone.mirror_consumer()).await
}

/// Deletes a consumer in the client's own zone; one that is not there is fine.
pub(super) async fn delete_consumer(
    client: &Client,
    whom: &str,
    name: &str,
) -> Result<(), NatsError> {
    let subject = format!("$JS.API.CONSUMER.DELETE.{STREAM}.{name}");
    delete(client, subject, whom, &format!("delete the consumer `{name}`")).await
}

/// Deletes the stream in the client's own zone; one that is not there is fine.
///
/// # Errors
/// When the zone refuses or does not answer within [`SET_UP_DEADLINE`].
pub async fn delete_stream(client: &Client, whom: &str) -> Result<(), NatsError> {
    let subject = format!("$JS.API.STREAM.DELETE.{STREAM}");
    delete(client, subject, whom, &format!("delete the stream `{STREAM}`")).await
}

async fn delete(client: &Client, subject: String, whom: &str, what: &str) -> Result<(), NatsError> {
    let began = Instant::now();
    let ask = Ask { client, subject, body: Value::Null, whom, what };
    match api::until::<Value>(&ask, began + SET_UP_DEADLINE).await {
        Ok(_) => Ok(()),
        Err(Failure::Api(error))
            if matches!(error.err_code, api::CONSUMER_NOT_FOUND | api::STREAM_NOT_FOUND) =>
        {
            Ok(())
        }
        Err(failure) => Err(ask.error(&failure, began.elapsed())),
    }
}

/// What `STREAM.INFO` tells, as far as the set-up needs it.
#[derive(Debug, Deserialize)]
struct StreamInfo {
    config: StreamConfig,
    mirror: Option<MirrorState>,
    #[serde(default)]
    sources: Vec<MirrorState>,
}

fn require_copy(
    config: &StreamConfig,
    whom: &str,
    zone: &ZonePlan,
    kind: MirrorKind,
) -> Result<(), NatsError> {
    let via = |origin: &Origin| match origin.consumer {
        Some(_) => MirrorKind::Durable,
        None => MirrorKind::Classic,
    };
    let mirror = config.mirror.as_ref().map(|origin| (CopyKind::Mirror, via(origin)));
    let sources = config.sources.first().map(|origin| (CopyKind::Sources, via(origin)));
    let have = mirror.or(sources);
    if have == Some((zone.copy, kind)) {
        return Ok(());
    }
    let said = |copy: Option<(CopyKind, MirrorKind)>| {
        copy.map_or_else(|| "no copy".into(), |(copy, via)| format!("a {}", copy.one(via)))
    };
    Err(other_stream(whom, said(have), said(Some((zone.copy, kind)))))
}

fn other_stream(whom: &str, have: String, want: String) -> NatsError {
    NatsError::OtherStream { whom: whom.to_owned(), stream: STREAM.into(), have, want }
}

/// The stream in the client's own zone; `None` if there is none.
async fn stream_info(
    client: &Client,
    whom: &str,
    deadline: Instant,
) -> Result<Option<StreamInfo>, NatsError> {
    let began = Instant::now();
    let ask = Ask {
        client,
        subject: format!("$JS.API.STREAM.INFO.{STREAM}"),
        body: Value::Null,
        whom,
        what: &format!("tell about the stream `{STREAM}`"),
    };
    match api::until(&ask, deadline).await {
        Ok(info) => Ok(Some(info)),
        Err(Failure::Api(error)) if error.err_code == api::STREAM_NOT_FOUND => Ok(None),
        Err(failure) => Err(ask.error(&failure, began.elapsed())),
    }
}

async fn create_stream(
    client: &Client,
    whom: &str,
    config: &StreamConfig,
    deadline: Instant,
    want: &str,
) -> Result<(), NatsError> {
    let began = Instant::now();
    let ask = Ask {
        client,
        subject: format!("$JS.API.STREAM.CREATE.{STREAM}"),
        body: json!(config),
        whom,
        what: &format!("create the stream `{STREAM}`"),
    };
    match api::until::<Value>(&ask, deadline).await {
        Ok(_) => Ok(()),
        Err(Failure::Api(error)) if error.err_code == api::OTHER_CONFIGURATION => {
            // Settings that were changed are put back, and told, once the region runs.
            match stream_info(client, whom, deadline).await? {
                Some(info) if info.config.origin().is_some() == config.origin().is_some() => Ok(()),
                _ => Err(other_stream(whom, "of another kind".into(), want.into())),
            }
        }
        Err(failure) => Err(ask.error(&failure, began.elapsed())),
    }
}
