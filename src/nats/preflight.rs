//! Proving that a mirror zone is isolated: it can mirror, and can do nothing else to the source.
//!
//! By default it is not: a publish in zone b is stored at the source, and b can delete the
//! source's stream (nats-facts §C). Every probe here is harmless where isolation is
//! broken: the publish expects a stream that nobody has, so that whichever it reaches refuses it.

mod leaf;

use std::{collections::BTreeMap, fmt, time::Duration};

use async_nats::{Client, HeaderMap, RequestErrorKind, client::Request, connection::State};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{
    NatsError,
    api::{self, Ask},
    connect::{Login, REQUEST_TIMEOUT, zone_client_within},
};
use crate::region::{ZonePlan, topology::STREAM};

/// What is published to see whether it gets anywhere.
const PROBE_SUBJECT: &str = "EVENTS.REGION.probe";
const PROBE_PAYLOAD: &[u8] = b"zonedrill isolation probe: whoever reads this sees broken isolation";
/// A stream nobody has, so that a probe that should have been refused deletes nothing.
const PROBE_STREAM: &str = "ZONEDRILL_PROBE";
/// How often an unanswered probe is tried: a time-out proves nothing.
const TRIES: u32 = 3;
/// How long the link may take to come up before the probes; without it they would be vacuous.
const LINK_PATIENCE: Duration = Duration::from_secs(10);

/// What the probes found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Isolation {
    pub probes: Vec<Probe>,
}

/// One probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    pub what: String,
    /// What must come of it.
    pub expected: String,
    pub got: String,
    pub finding: Finding,
}

/// What a probe's outcome means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finding {
    /// As it must be.
    Proved,
    Broken,
    /// No answer: nothing is known.
    Unknown,
}

impl Isolation {
    /// Every probe ended as it must; false if there was none.
    #[must_use]
    pub fn proved(&self) -> bool {
        !self.probes.is_empty() && self.probes.iter().all(|p| p.finding == Finding::Proved)
    }

    /// The probes that did not.
    pub fn objections(&self) -> impl Iterator<Item = &Probe> {
        self.probes.iter().filter(|p| p.finding != Finding::Proved)
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, got {}", self.what, self.expected, self.got)
    }
}

/// What came of a request.
enum Answer {
    NoResponders,
    /// The beginning of the reply.
    Text(String),
    Nothing(String),
}

/// Tries what a mirror zone must not be able to do, and what it must.
///
/// # Errors
/// When a zone cannot be connected to, or the source does not tell about its stream. A probe
/// without an answer is no error: it is in the result as unknown.
pub async fn prove_isolation(source: &ZonePlan, zone: &ZonePlan) -> Result<Isolation, NatsError> {
    let name = "zonedrill preflight";
    let there = zone_client_within(source, Login::App, name, REQUEST_TIMEOUT).await?;
    let here = zone_client_within(zone, Login::App, name, REQUEST_TIMEOUT).await?;
    let mut probes = vec![link_carries(&here, source, zone, LINK_PATIENCE).await];
    probes.push(publish_goes_nowhere(&there, &here, source, zone).await?);
    probes.extend(source_api_is_closed(&here, source, zone).await);
    // The probes above would all be answered "no responders" by a link that went down meanwhile.
    probes.push(link_carries(&here, source, zone, REQUEST_TIMEOUT).await);
    for node in &source.nodes {
        probes.extend(leaf::login_is_bound(node, source).await);
    }
    for node in &source.nodes {
        probes.push(leaf::gossip_is_silent(node, source).await);
    }
    Ok(Isolation { probes })
}

/// The positive control: what mirroring needs does get through.
async fn link_carries(
    here: &Client,
    source: &ZonePlan,
    zone: &ZonePlan,
    patience: Duration,
) -> Probe {
    let subject = format!("$JS.{}.API.STREAM.INFO.{STREAM}", source.domain());
    let deadline = Instant::now() + patience;
    let answer = loop {
        match ask(here, &subject, b"").await {
            Answer::NoResponders if Instant::now() < deadline => {
                sleep(Duration::from_millis(50)).await;
            }
            answer => break answer,
        }
    };
    let (got, finding) = match answer {
        Answer::Text(text) if text.contains("\"config\"") => ("an answer".into(), Finding::Proved),
        Answer::Text(text) => (text, Finding::Unknown),
        Answer::NoResponders => ("no responders: the link is down".into(), Finding::Unknown),
        Answer::Nothing(why) => (why, Finding::Unknown),
    };
    Probe {
        what: format!("{} asks the source about the stream it mirrors", zone.domain()),
        expected: "an answer".into(),
        got,
        finding,
    }
}

async fn publish_goes_nowhere(
    there: &Client,
    here: &Client,
    source: &ZonePlan,
    zone: &ZonePlan,
) -> Result<Probe, NatsError> {
    let before = stored(there, source).await?;
    let answer = ask_with(here, PROBE_SUBJECT, PROBE_PAYLOAD, expecting_nothing()).await;
    let after = stored(there, source).await?;
    let mut probe = closed(format!("a publish on {PROBE_SUBJECT} in {}", zone.domain()), answer);
    if probe.finding == Finding::Broken
        && let Some(own) = own_stream(here).await
    {
        probe.finding = Finding::Unknown;
        probe.got =
            format!("an answer of {}'s own stream {own}, which hides the source's", zone.domain());
    }
    if after > before {
        probe.finding = Finding::Broken;
        probe.got = format!("{}; the source has stored it", probe.got);
    }
    Ok(probe)
}

/// Makes every stream refuse a message: it must be stored in one that does not exist.
fn expecting_nothing() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Expected-Stream", PROBE_STREAM);
    headers
}

/// The stream in the client's own zone that takes the probe's subject, if there is one.
async fn own_stream(here: &Client) -> Option<String> {
    #[derive(Deserialize)]
    struct Names {
        streams: Option<Vec<String>>,
    }
    let body = json!({"subject": PROBE_SUBJECT});
    let names: Names =
        api::once(here, "$JS.API.STREAM.NAMES", &body, REQUEST_TIMEOUT).await.ok()?;
    names.streams?.into_iter().next()
}

/// How many probes the source's stream holds (it may hold some from a region that was broken).
async fn stored(client: &Client, source: &ZonePlan) -> Result<u64, NatsError> {
    #[derive(Deserialize)]
    struct Info {
        state: Subjects,
    }
    #[derive(Deserialize)]
    struct Subjects {
        subjects: Option<BTreeMap<String, u64>>,
    }
    let ask = Ask {
        client,
        subject: format!("$JS.API.STREAM.INFO.{STREAM}"),
        body: json!({"subjects_filter": PROBE_SUBJECT}),
        whom: &source.domain(),
        what: &format!("count what is stored on {PROBE_SUBJECT}"),
    };
    let info: Info = ask.by(Instant::now() + LINK_PATIENCE).await?;
    Ok(info.state.subjects.unwrap_or_default().values().sum())
}

/// The source's JetStream API must not be there for the zone.
async fn source_api_is_closed(here: &Client, source: &ZonePlan, zone: &ZonePlan) -> Vec<Probe> {
    let (from, domain) = (zone.domain(), source.domain());
    let mut probes = Vec::new();
    for (what, call, body) in [
        ("lists the source's streams", "STREAM.NAMES".to_owned(), ""),
        ("deletes a stream at the source", format!("STREAM.DELETE.{PROBE_STREAM}"), ""),
        // No name in the body: refused by the API if it gets there, so nothing is created.
        ("creates a stream at the source", format!("STREAM.CREATE.{PROBE_STREAM}"), "{}"),
        ("purges a stream at the source", format!("STREAM.PURGE.{PROBE_STREAM}"), ""),
    ] {
        let answer = ask(here, &format!("$JS.{domain}.API.{call}"), body.as_bytes()).await;
        probes.push(closed(format!("{from} {what}"), answer));
    }
    probes
}

/// Judges an answer where there must be nobody to answer.
fn closed(what: String, answer: Answer) -> Probe {
    let (got, finding) = match answer {
        Answer::NoResponders => ("no responders".into(), Finding::Proved),
        Answer::Text(text) => (format!("an answer: {text}"), Finding::Broken),
        Answer::Nothing(why) => (why, Finding::Unknown),
    };
    Probe { what, expected: "no responders".into(), got, finding }
}

/// A request whose every outcome is a finding.
async fn ask(client: &Client, subject: &str, payload: &'static [u8]) -> Answer {
    ask_with(client, subject, payload, HeaderMap::new()).await
}

async fn ask_with(
    client: &Client,
    subject: &str,
    payload: &'static [u8],
    headers: HeaderMap,
) -> Answer {
    let mut why = String::new();
    for _ in 0..TRIES {
        if client.connection_state() != State::Connected {
            why = "the connection was lost".into();
            sleep(Duration::from_millis(200)).await;
            continue;
        }
        let mut request =
            Request::new().payload(Bytes::from_static(payload)).timeout(Some(REQUEST_TIMEOUT));
        if !headers.is_empty() {
            request = request.headers(headers.clone());
        }
        match client.send_request(subject.to_owned(), request).await {
            Ok(reply) => {
                let text = String::from_utf8_lossy(&reply.payload);
                return Answer::Text(text.chars().take(200).collect());
            }
            Err(error) if error.kind() == RequestErrorKind::NoResponders => {
                return Answer::NoResponders;
            }
            Err(error) => why = format!("nothing, {TRIES} times ({error})"),
        }
    }
    Answer::Nothing(why)
}
