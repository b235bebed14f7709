//! Words of the JetStream protocol that the fast paths read and write themselves.

use std::{
    borrow::Cow,
    sync::LazyLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_nats::{Client, connection::State};
use serde::Deserialize;
use tokio::time::{Instant, timeout};

use super::api::ApiError;
use crate::region::UnixMs;

/// How long an operation on the client may wait for room in its queue; it has none while the
/// connection is down or a frozen server has stopped reading.
pub(super) const BLOCKED: Duration = Duration::from_millis(250);
/// How long a server may take to carry a message to ourselves.
const ECHO: Duration = Duration::from_secs(1);
/// The last token of the subject of a message to ourselves.
const ECHO_TOKEN: &str = "echo";

/// Microseconds since the epoch.
pub(super) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Milliseconds since the epoch.
pub(super) fn now_ms() -> UnixMs {
    now_us() / 1000
}

/// Microseconds since the epoch by a clock that nobody sets: the system's clock when the process
/// first looked, and the monotonic one since. What a message says of its sending.
pub(super) fn steady_us() -> u64 {
    let (first, began) = *FIRST_LOOK;
    first.saturating_add(began.elapsed().as_micros() as u64)
}

static FIRST_LOOK: LazyLock<(u64, std::time::Instant)> =
    LazyLock::new(|| (now_us(), std::time::Instant::now()));

/// How long before the moment `now` of the steady clock a message was sent; `None` if it was not
/// sent by this process.
pub(super) fn since_sent(now: u64, sent: u64) -> Option<u64> {
    now.checked_sub(sent).filter(|_| sent >= FIRST_LOOK.0)
}

/// Is there a connection just now?
pub(super) fn is_connected(client: &Client) -> bool {
    client.connection_state() == State::Connected
}

/// The number at the end of a subject of ours, `….123`.
pub(super) fn number_of(subject: &str) -> Option<u64> {
    subject.rsplit('.').next()?.parse().ok()
}

/// What came back for a published message.
#[derive(Debug)]
pub(super) enum Reply<'a> {
    Stored {
        /// Where on the stream.
        seq: u64,
        domain: Cow<'a, str>,
        /// It was there already.
        duplicate: bool,
    },
    /// Not stored, for certain.
    Refused(String),
    /// Not clear; worth another try.
    Unclear(String),
}

#[derive(Deserialize)]
struct PubAck<'a> {
    #[serde(default)]
    seq: u64,
    #[serde(borrow, default)]
    domain: Cow<'a, str>,
    #[serde(default)]
    duplicate: bool,
    error: Option<ApiError>,
}

/// Errors that say for certain that the message is not stored: 10023, 10028, 10047 no resources,
/// 10054 too large, 10060 another stream expected, 10077 the store refused (a limit, with
/// "discard new"), 10097 headers too large, 10109 sealed. Everything else (no leader, the same id
/// still in process, …) may be different in a moment, or leave it open what became of the message.
const DEFINITE: [u64; 8] = [10023, 10028, 10047, 10054, 10060, 10077, 10097, 10109];

/// Reads the answer to a published message.
pub(super) fn read_reply(message: &async_nats::Message) -> Reply<'_> {
    if message.status == Some(async_nats::StatusCode::NO_RESPONDERS) {
        return Reply::Unclear("no server takes messages for the stream (no leader?)".into());
    }
    match serde_json::from_slice::<PubAck<'_>>(&message.payload) {
        Ok(PubAck { error: Some(error), .. }) if DEFINITE.contains(&error.err_code) => {
            Reply::Refused(format!("{} ({})", error.description, error.err_code))
        }
        Ok(PubAck { error: Some(error), .. }) => {
            Reply::Unclear(format!("{} ({}/{})", error.description, error.code, error.err_code))
        }
        Ok(PubAck { seq: 0, .. }) | Err(_) => Reply::Unclear("an answer that is no PubAck".into()),
        Ok(ack) => Reply::Stored { seq: ack.seq, domain: ack.domain, duplicate: ack.duplicate },
    }
}

/// What the reply subject of a delivered message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    /// Which delivery of the message, from 1.
    pub(super) delivered: u64,
    /// Its sequence on the stream.
    pub(super) stream_seq: u64,
    /// Its place in the consumer's own count of deliveries.
    pub(super) consumer_seq: u64,
    /// Messages the consumer has not delivered yet.
    pub(super) pending: u64,
}

impl Delivery {
    /// Reads `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>`,
    /// or the longer form with `<domain>.<account>` in front and a random token behind.
    pub(super) fn read(reply: &str) -> Option<Self> {
        let tokens = reply.strip_prefix("$JS.ACK.")?;
        let skip = match tokens.split('.').count() {
            7 => 2,
            9.. => 4,
            _ => return None,
        };
        let mut numbers = tokens.split('.').skip(skip).map(str::parse::<u64>);
        let mut next = || numbers.next()?.ok();
        let (delivered, stream_seq, consumer_seq) = (next()?, next()?, next()?);
        let _time = next()?;
        Some(Self { delivered, stream_seq, consumer_seq, pending: next()? })
    }
}

/// Watches whether the connection carries anything at all. A frozen node never closes TCP, and
/// the client's own pings take their time; a message to ourselves tells within a second.
#[derive(Debug)]
pub(super) struct Liveness {
    subject: String,
    heard: Instant,
    asked: Option<Instant>,
}

impl Liveness {
    /// For the connection on which `inbox.*` is subscribed.
    pub(super) fn new(inbox: &str) -> Self {
        Self { subject: format!("{inbox}.{ECHO_TOKEN}"), heard: Instant::now(), asked: None }
    }

    /// A message arrived. True for our own echo.
    pub(super) fn arrived(&mut self, subject: &str) -> bool {
        self.heard = Instant::now();
        subject == self.subject
    }

    /// When something arrived last.
    pub(super) fn heard(&self) -> Instant {
        self.heard
    }

    /// Sends a message to ourselves, unless one is under way.
    pub(super) async fn ask(&mut self, client: &Client) {
        if self.asked.is_none() && is_connected(client) {
            self.asked = Some(Instant::now());
            // If there is no room for it, the missing echo says so.
            let _ =
                timeout(BLOCKED, client.publish(self.subject.clone(), bytes::Bytes::new())).await;
        }
    }

    /// Gives up a connection that did not carry our message. Returns whether it did.
    pub(super) async fn check(&mut self, client: &Client) -> bool {
        let Some(asked) = self.asked else { return false };
        if self.heard > asked || !is_connected(client) {
            self.asked = None;
            return false;
        }
        if asked.elapsed() < ECHO {
            return false;
        }
        self.asked = None;
        reconnect(client).await;
        true
    }

    /// When [`Self::check`] has something to decide.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.asked.map(|asked| asked + ECHO)
    }
}

/// Leaves the server for another one. The client cannot be told while its queue is full; its own
/// pings find the dead connection then.
pub(super) async fn reconnect(client: &Client) {
    let _ = timeout(BLOCKED, client.force_reconnect()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(payload: &str) -> async_nats::Message {
        async_nats::Message {
            subject: "_INBOX.x.7".into(),
            reply: None,
            payload: payload.to_owned().into(),
            headers: None,
            status: None,
            description: None,
            length: 0,
        }
    }

    #[test]
    fn reads_pub_acks() {
        let ok =
            message(r#"{"stream":"EVENTS_REGION","domain":"zone-a","seq":12,"duplicate":true}"#);
        assert!(matches!(
            read_reply(&ok),
            Reply::Stored { seq: 12, duplicate: true, domain } if domain == "zone-a"
        ));
        let full = message(
            r#"{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"},"stream":"S","seq":0}"#,
        );
        assert!(matches!(read_reply(&full), Reply::Refused(_)));
        let soon =
            message(r#"{"error":{"code":503,"err_code":10008,"description":"unavailable"}}"#);
        assert!(matches!(read_reply(&soon), Reply::Unclear(_)));
        assert!(matches!(read_reply(&message("nonsense")), Reply::Unclear(_)));
        assert_eq!(number_of("_INBOX.x.7"), Some(7));
        assert_eq!(number_of("_INBOX.x.echo"), None);
    }

    #[test]
    fn reads_both_forms_of_delivery() {
        let wanted = Delivery { delivered: 2, stream_seq: 30, consumer_seq: 31, pending: 5 };
        assert_eq!(Delivery::read("$JS.ACK.S.C.2.30.31.1763937035123456.5"), Some(wanted));
        assert_eq!(
            Delivery::read("$JS.ACK.zone-b.hash.S.C.2.30.31.1763937035123456.5"),
            Some(wanted)
        );
        assert_eq!(
            Delivery::read("$JS.ACK.zone-b.hash.S.C.2.30.31.1763937035123456.5.rnd"),
            Some(wanted)
        );
        for bad in ["", "$JS.ACK.S.C.x.1.1.1.1", "_INBOX.a.b", "$JS.ACK.S.C.1.2"] {
            assert_eq!(Delivery::read(bad), None, "{bad}");
        }
    }
}
