//! Raw JetStream API requests: JSON out, JSON or an error back, retried until a deadline.
//!
//! Raw, because the durable mirror's fields are newer than the client library's types.

use std::time::Duration;

use async_nats::{Client, RequestError, RequestErrorKind, client::Request, connection::State};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{
    connect::REQUEST_TIMEOUT,
    error::NatsError,
    external::read::message::{Answer, Stored},
};
use crate::region::{ZonePlan, topology::STREAM};

/// How long the first try of a question waits for its answer; each further one twice as long, up to
/// [`REQUEST_TIMEOUT`]. A leader drops what reaches it in its first milliseconds.
const FIRST_PATIENCE: Duration = Duration::from_millis(60);
/// The pause between two tries; a group without a leader answers (10008) or times out.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// JetStream: "no suitable peers for placement", while a just started cluster finds itself.
const NO_SUITABLE_PEERS: u64 = 10005;
/// JetStream: "consumer config replica count exceeds parent stream", just after the stream got more.
const STREAM_HAS_FEWER: u64 = 10126;
/// JetStream: "stream name already in use with a different configuration".
pub(super) const OTHER_CONFIGURATION: u64 = 10058;
/// JetStream: "stream not found".
pub(super) const STREAM_NOT_FOUND: u64 = 10059;
/// JetStream: "no message found".
pub(super) const NO_MESSAGE: u64 = 10037;
/// JetStream: "consumer not found".
pub(super) const CONSUMER_NOT_FOUND: u64 = 10014;

/// Of [`Failure::Leaderless`].
const LEADERLESS: &str = "the server that answered knows no leader";

/// JetStream's error object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct ApiError {
    /// Like an HTTP status.
    #[serde(default)]
    pub code: u64,
    #[serde(default)]
    pub err_code: u64,
    #[serde(default)]
    pub description: String,
}

/// Why one request brought no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The servers know nobody who listens on that subject.
    NoResponders,
    /// Somebody may listen and did not answer.
    TimedOut,
    /// The client is not connected, or could not send.
    NotSent(String),
    /// JetStream answered with an error.
    Api(ApiError),
    /// A server answered that knows no leader: it tells what it held itself, however long ago.
    Leaderless,
    /// The answer could not be read.
    Unreadable(String),
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        match error.kind() {
            RequestErrorKind::NoResponders => Self::NoResponders,
            RequestErrorKind::TimedOut => Self::TimedOut,
            _ => Self::NotSent(error.to_string()),
        }
    }
}

impl Failure {
    /// The bare reason, of a cluster whose links and leaders are not known.
    pub(super) fn words(&self) -> String {
        match self {
            Self::NoResponders => "nobody there answers that".into(),
            Self::TimedOut => "no answer in time".into(),
            Self::Leaderless => LEADERLESS.into(),
            Self::NotSent(why) | Self::Unreadable(why) => why.clone(),
            Self::Api(error) => {
                format!("{} (nats-server error {})", error.description, error.err_code)
            }
        }
    }

    /// It may well work a moment later: no leader yet, no answer, no connection.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::NoResponders | Self::TimedOut | Self::NotSent(_) | Self::Leaderless => true,
            // 503 is JetStream's "not now": 10008 "temporarily unavailable" and its kin.
            Self::Api(error) => {
                error.code == 503 || [NO_SUITABLE_PEERS, STREAM_HAS_FEWER].contains(&error.err_code)
            }
            Self::Unreadable(_) => false,
        }
    }

    /// The reason as a person wants it.
    fn explain(&self, subject: &str) -> String {
        match self {
            Self::NoResponders if subject.starts_with("$JS.API.") => {
                "no server there has JetStream ready".into()
            }
            Self::NoResponders => format!(
                "nobody answers on {subject}: the link is down, or the leaf user may not ask that"
            ),
            Self::TimedOut => "no answer; its group has no leader, or a node is frozen".into(),
            Self::Leaderless => LEADERLESS.into(),
            Self::NotSent(why) | Self::Unreadable(why) => why.clone(),
            Self::Api(error) => {
                format!("{} (nats-server error {})", error.description, error.err_code)
            }
        }
    }
}

/// What is asked, of whom, until when; the words are for errors.
pub(super) struct Ask<'a> {
    pub client: &'a Client,
    pub subject: String,
    pub body: Value,
    pub whom: &'a str,
    pub what: &'a str,
}

/// One request. `body` `null` sends nothing.
pub(super) async fn once<T: DeserializeOwned>(
    client: &Client,
    subject: &str,
    body: &Value,
    timeout: Duration,
) -> Result<T, Failure> {
    // A request of a client that is not connected waits in its queue, to be carried out much
    // later, when nobody expects it any more.
    if client.connection_state() != State::Connected {
        return Err(Failure::NotSent("not connected".into()));
    }
    let payload = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let request = Request::new().payload(payload.into()).timeout(Some(timeout));
    let reply = client.send_request(subject.to_owned(), request).await.map_err(Failure::from)?;
    read(&reply.payload)
}

/// An answer, unless it is an error, or that of a server which knows no leader (nats-facts §D).
fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Failure> {
    #[derive(Deserialize)]
    struct Head {
        error: Option<ApiError>,
        cluster: Option<Group>,
    }
    #[derive(Deserialize)]
    struct Group {
        #[serde(default)]
        leader: String,
    }
    let unreadable = |e: serde_json::Error| Failure::Unreadable(format!("unreadable answer: {e}"));
    let head: Head = serde_json::from_slice(payload).map_err(unreadable)?;
    match head {
        Head { error: Some(error), .. } => Err(Failure::Api(error)),
        Head { cluster: Some(Group { leader }), .. } if leader.is_empty() => {
            Err(Failure::Leaderless)
        }
        _ => serde_json::from_slice(payload).map_err(unreadable),
    }
}

/// The message that a request to the zone's stream finds; `None` if there is none.
pub(super) async fn message(client: &Client, body: &Value) -> Result<Option<Stored>, Failure> {
    let subject = format!("$JS.API.STREAM.MSG.GET.{STREAM}");
    match once::<Answer>(client, &subject, body, REQUEST_TIMEOUT).await {
        Ok(answer) => Ok(Some(answer.message)),
        Err(Failure::Api(error)) if error.err_code == NO_MESSAGE => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Asks again, whatever came instead of an answer, until there is one.
///
/// # Errors
/// When `patience` runs out, with what came last.
pub(super) async fn insist<T, F: Future<Output = Result<T, String>>>(
    zone: &ZonePlan,
    what: &str,
    (patience, pause): (Duration, Duration),
    mut asked: impl FnMut() -> F,
) -> Result<T, NatsError> {
    let began = Instant::now();
    loop {
        let why = match asked().await {
            Ok(answer) => return Ok(answer),
            Err(why) => why,
        };
        if began.elapsed() >= patience {
            let (whom, what, waited) = (zone.domain(), what.to_owned(), began.elapsed());
            return Err(NatsError::NoAnswer { whom, what, waited, why });
        }
        sleep(pause).await;
    }
}

/// Asks again until there is a result, a refusal that stays, or the deadline.
///
/// # Errors
/// The last failure.
pub(super) async fn until<T: DeserializeOwned>(
    ask: &Ask<'_>,
    deadline: Instant,
) -> Result<T, Failure> {
    // A question can be asked again at any time; an order may be under way.
    let mut patience =
        if ask.subject.contains(".INFO.") { FIRST_PATIENCE } else { REQUEST_TIMEOUT };
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let failure = match once(ask.client, &ask.subject, &ask.body, patience.min(left)).await {
            Ok(result) => return Ok(result),
            Err(failure) => failure,
        };
        patience = (2 * patience).min(REQUEST_TIMEOUT);
        if !failure.passes() || Instant::now() + RETRY_PAUSE >= deadline {
            return Err(failure);
        }
        sleep(RETRY_PAUSE).await;
    }
}

impl Ask<'_> {
    /// Puts a failure into words.
    pub fn error(&self, failure: &Failure, waited: Duration) -> NatsError {
        match failure {
            Failure::Api(error) if !failure.passes() => NatsError::Refused {
                whom: self.whom.to_owned(),
                what: self.what.to_owned(),
                err_code: error.err_code,
                description: error.description.clone(),
                next: "`doctor` checks the region's settings and servers".into(),
            },
            _ => NatsError::NoAnswer {
                whom: self.whom.to_owned(),
                what: self.what.to_owned(),
                waited,
                why: failure.explain(&self.subject),
            },
        }
    }

    /// [`until`], with the failure in words.
    pub async fn by<T: DeserializeOwned>(&self, deadline: Instant) -> Result<T, NatsError> {
        let began = Instant::now();
        until(self, deadline).await.map_err(|failure| self.error(&failure, began.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(answer: &Value) -> Result<Value, Failure> {
        read(answer.to_string().as_bytes())
    }

    #[test]
    fn what_a_server_tells_that_knows_no_leader_is_not_believed() {
        // As nats-server 2.15.1 told it 32 ms after it went on; its stream was at 2,900 by then.
        let peers = json!([{"name": "js1-zone-a", "current": false, "active": 27_380_000_000_u64}]);
        let mut thawed = json!({
            "config": {"name": "EVENTS_REGION"}, "state": {"last_seq": 2700},
            "cluster": {"name": "zone-a", "replicas": peers},
        });
        assert_eq!(told(&thawed), Err(Failure::Leaderless));
        thawed["cluster"]["leader"] = json!("");
        assert_eq!(told(&thawed), Err(Failure::Leaderless));
        thawed["cluster"]["leader"] = json!("js1-zone-a");
        assert_eq!(told(&thawed), Ok(thawed.clone()));
        // One server by itself has no group.
        let alone = json!({"state": {"last_seq": 3}});
        assert_eq!(told(&alone), Ok(alone.clone()));
        let refused = json!({"error": {"code": 404, "err_code": 10059, "description": "no"}});
        assert!(matches!(told(&refused), Err(Failure::Api(_))));
    }
}
