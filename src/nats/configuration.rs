//! The configuration of a zone's stream and consumers: what a bring-up makes, and what is there.
//!
//! It is read over the zone's own API, as any client can: `STREAM.INFO` and `CONSUMER.INFO`, which
//! are answered by the leaders, so that no replica that lags behind is believed.

pub mod wanted;

use std::time::Duration;

use async_nats::{Client, Subscriber};
use futures::StreamExt;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};

use super::{
    NatsError,
    advisories::{self, News},
    api::{self, Failure},
    connect::REQUEST_TIMEOUT,
    system::Place,
};
use crate::region::{
    MirrorKind, Role, ZonePlan,
    advisory::Advisory,
    configuration::{
        Configuration, Consumer, ConsumerConfig, Difference, Seen, Stream, differences,
    },
    external::StreamSeen,
    topology::STREAM,
};

/// The longest time between two readings: what no advisory tells (a store that was removed) is
/// seen after this.
const EVERY: Duration = Duration::from_secs(2);
/// Advisories that belong together come in a burst; one reading answers them.
const BURST: Duration = Duration::from_millis(50);
/// The same act of the same client is told once within this time: a server tells some twice, and
/// who deletes message by message is one hand.
const REPEATED: Duration = Duration::from_secs(1);
/// The pause before something that is suddenly missing or not told is looked for once more: a group
/// between two leaders may say so for a moment.
const SECOND_LOOK: Duration = Duration::from_millis(250);

/// The connections that reading a zone's configuration needs, and what they lead to.
#[derive(Clone, Debug)]
pub struct Reader {
    /// In the zone's account.
    pub here: Client,
    /// In the source's account; `None` for the source itself.
    pub source: Option<Client>,
    pub zone: ZonePlan,
    pub kind: MirrorKind,
}

impl Reader {
    /// Reads it once. What is not answered within a second is unknown.
    pub async fn read(&self) -> Configuration {
        let stream = stream(&self.here);
        let consumer = consumer(&self.here, self.zone.consumer());
        let durable = async {
            match &self.source {
                Some(source) if self.has_durable() => {
                    Some(self::consumer(source, self.zone.mirror_consumer()).await)
                }
                _ => None,
            }
        };
        let origin = async {
            match &self.source {
                Some(source) => self::stream(source).await,
                None => Seen::Unknown,
            }
        };
        let (stream, consumer, durable, origin) = tokio::join!(stream, consumer, durable, origin);
        let source_created = origin.there().map(|origin| origin.created.clone());
        Configuration { stream, consumer, durable, source_created }
    }

    fn has_durable(&self) -> bool {
        self.zone.role == Role::Mirror && self.kind == MirrorKind::Durable
    }
}

/// Asks for the stream in the client's own zone.
pub(super) async fn stream(client: &Client) -> Seen<Stream> {
    ask(client, format!("$JS.API.STREAM.INFO.{STREAM}")).await.map(|seen: StreamSeen| Stream {
        config: seen.config,
        created: seen.created,
        messages: seen.state.messages,
        first_seq: seen.state.first_seq,
        last_seq: seen.state.last_seq,
    })
}

/// Asks for a consumer in the client's own zone.
pub(super) async fn consumer(client: &Client, name: String) -> Seen<Consumer> {
    #[derive(Deserialize)]
    struct Info {
        config: Config,
        #[serde(default)]
        created: String,
        #[serde(default)]
        paused: bool,
        #[serde(default)]
        delivered: Place,
        #[serde(default)]
        ack_floor: Place,
    }
    #[derive(Deserialize)]
    struct Config {
        #[serde(flatten)]
        config: ConsumerConfig,
        pause_until: Option<String>,
    }
    ask(client, format!("$JS.API.CONSUMER.INFO.{STREAM}.{name}")).await.map(|info: Info| Consumer {
        paused_until: info.paused.then(|| info.config.pause_until.unwrap_or_default()),
        config: info.config.config,
        created: info.created,
        delivered: info.delivered.consumer_seq,
        delivered_seq: info.delivered.stream_seq,
        ack_floor: info.ack_floor.stream_seq,
    })
}

/// One question.
async fn ask<T: DeserializeOwned>(client: &Client, subject: String) -> Seen<T> {
    match api::once(client, &subject, &Value::Null, REQUEST_TIMEOUT).await {
        Ok(info) => Seen::There(info),
        Err(Failure::Api(error))
            if matches!(error.err_code, api::STREAM_NOT_FOUND | api::CONSUMER_NOT_FOUND) =>
        {
            Seen::Missing
        }
        Err(failure) => {
            tracing::debug!(subject, ?failure, "no answer about the configuration");
            Seen::Unknown
        }
    }
}

/// In what a zone differs from what was made; `None` while it does not answer.
pub type Found = Option<Vec<Difference>>;

/// A running watch over a zone's configuration; it ends when this is dropped.
#[derive(Debug)]
pub struct ConfigurationWatch {
    made: watch::Sender<Option<Configuration>>,
    pub found: watch::Receiver<Found>,
    task: JoinHandle<()>,
}

impl ConfigurationWatch {
    /// Listens from the moment this returns, and compares with `made`. The acts of other clients go
    /// to `acts`. It ends by itself when nobody takes these any more, or when the client is closed.
    ///
    /// # Errors
    /// [`NatsError::Connect`] when the client has been closed.
    pub async fn start(
        reader: Reader,
        made: Configuration,
        acts: mpsc::Sender<Advisory>,
    ) -> Result<Self, NatsError> {
        let heard = advisories::subscribe(&reader.here, &reader.zone).await?;
        let marks = made.clone();
        let (made, known) = watch::channel(Some(made));
        let (tell, found) = watch::channel(None);
        let watching = Watching {
            reader,
            marks,
            made: known,
            last: Configuration::default(),
            tell,
            acts,
            latest: None,
        };
        Ok(Self { made, found, task: tokio::spawn(watching.run(heard)) })
    }
}

impl ConfigurationWatch {
    /// Over what somebody else made: nothing of it is ours to compare or to mend.
    #[must_use]
    pub fn of_others() -> Self {
        let (made, found) = (watch::channel(None).0, watch::channel(Some(Vec::new())).1);
        Self { made, found, task: tokio::spawn(async {}) }
    }

    /// What was made; `None` while it is being repaired.
    #[must_use]
    pub fn made(&self) -> Option<Configuration> {
        self.made.borrow().clone()
    }

    /// Says that the zone is being repaired: until [`Self::is_made`], what differs is not told.
    pub fn begin_repair(&self) {
        self.made.send_replace(None);
    }

    /// Compares with this from now on.
    pub fn is_made(&self, made: Configuration) {
        self.made.send_replace(Some(made));
    }
}

impl Drop for ConfigurationWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Watching {
    reader: Reader,
    made: watch::Receiver<Option<Configuration>>,
    /// What was made, with the marks it has reached since.
    marks: Configuration,
    /// The reading before.
    last: Configuration,
    tell: watch::Sender<Found>,
    acts: mpsc::Sender<Advisory>,
    /// The act that was told last.
    latest: Option<(Instant, Advisory)>,
}

impl Watching {
    async fn run(mut self, mut heard: Subscriber) {
        loop {
            let began = Instant::now();
            self.look().await;
            let mut next = began + EVERY;
            loop {
                tokio::select! {
                    () = sleep_until(next) => break,
                    changed = self.made.changed() => {
                        if changed.is_err() {
                            return;
                        }
                        if let Some(made) = self.made.borrow_and_update().clone() {
                            self.marks = made;
                            break;
                        }
                    }
                    message = heard.next() => {
                        let Some(message) = message else { return };
                        let zone = &self.reader.zone;
                        match advisories::read(zone, &message.subject, &message.payload) {
                            News::Nothing => continue,
                            News::Changed => {}
                            News::Foreign(advisory) => {
                                if self.tell(advisory).await.is_err() {
                                    return;
                                }
                            }
                        }
                        next = next.min(Instant::now() + BURST);
                    }
                }
            }
        }
    }

    /// Reads, compares and tells.
    async fn look(&mut self) {
        let mut seen = self.reader.read().await;
        // A group that has just been made, or is between two leaders, tells nothing for a moment.
        if lost_something(&self.last, &seen) || !seen.is_known() {
            sleep(SECOND_LOOK).await;
            seen = self.reader.read().await;
        }
        // What was read before a repair's end is not compared with what the repair made.
        if self.made.borrow().is_none() || self.made.has_changed().unwrap_or(true) {
            return;
        }
        let found = differences(&self.marks, &seen);
        if found.is_empty() {
            self.marks.raise_marks(&seen);
        }
        // What differs is told whatever else is not answered.
        let found = (seen.is_known() || !found.is_empty()).then_some(found);
        self.last = seen;
        self.tell.send_if_modified(|told| {
            let news = *told != found;
            if news {
                *told = found;
            }
            news
        });
    }

    /// Tells an act, unless it is the last one again.
    async fn tell(&mut self, advisory: Advisory) -> Result<(), mpsc::error::SendError<Advisory>> {
        let repeated = self
            .latest
            .as_ref()
            .is_some_and(|(at, last)| at.elapsed() < REPEATED && last.is_repeated_by(&advisory));
        if repeated {
            return Ok(());
        }
        self.latest = Some((Instant::now(), advisory.clone()));
        self.acts.send(advisory).await
    }
}

/// Whether something that was there is said to be missing.
fn lost_something(last: &Configuration, seen: &Configuration) -> bool {
    fn lost<T>(last: &Seen<T>, seen: &Seen<T>) -> bool {
        matches!((last, seen), (Seen::There(_), Seen::Missing))
    }
    lost(&last.stream, &seen.stream)
        || lost(&last.consumer, &seen.consumer)
        || matches!((&last.durable, &seen.durable), (Some(last), Some(seen)) if lost(last, seen))
}
