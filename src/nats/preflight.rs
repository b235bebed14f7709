//! Proving that a mirror zone is isolated: it can mirror, and can do nothing else to the source.
//!
//! By default it is not: a publish in zone b is stored at the source, and b can delete the
//! source's stream (`nats-facts.md`, fact 4). Every probe here is harmless where isolation is
//! broken, but for the publish, which cannot be tested without trying; it says who it is.

use std::{collections::BTreeMap, fmt, time::Duration};

use async_nats::{Client, RequestErrorKind, client::Request, connection::State};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use super::{
    NatsError,
    api::Ask,
    connect::{Login, REQUEST_TIMEOUT, zone_client_within},
};
use crate::region::{
    ZonePlan,
    topology::{NodePlan, STREAM},
};

/// What is published to see whether it gets anywhere.
const PROBE_SUBJECT: &str = "EVENTS.REGION.probe";
const PROBE_PAYLOAD: &[u8] = b"zonedrill isolation probe: whoever reads this sees broken isolation";
/// A stream nobody has, so that a probe that should have been refused deletes nothing.
const PROBE_STREAM: &str = "ZONEDRILL_PROBE";
/// How often an unanswered probe is tried: a time-out proves nothing.
const TRIES: u32 = 3;
/// How long the link may take to come up before the probes; without it they would be vacuous.
const LINK_PATIENCE: Duration = Duration::from_secs(10);
/// The port of the dead address that servers before 2.15 advertise (`config/nats-server.conf`).
const DEAD_PORT: &str = ":9";

/// What the probes found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Isolation {
    /// Each probe, in order.
    pub probes: Vec<Probe>,
}

/// One probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What was tried.
    pub what: String,
    /// What must come of it.
    pub expected: String,
    /// What came of it.
    pub got: String,
    /// What that means.
    pub finding: Finding,
}

/// What a probe's outcome means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finding {
    /// As it must be.
    Proved,
    /// Isolation is broken.
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
    /// Nothing, each time.
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
        probes.extend(leaf_login_is_bound(node, source).await);
    }
    for node in &source.nodes {
        probes.push(gossip_is_silent(node, source).await);
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
    let answer = ask(here, PROBE_SUBJECT, PROBE_PAYLOAD).await;
    let after = stored(there, source).await?;
    let mut probe = closed(format!("a publish on {PROBE_SUBJECT} in {}", zone.domain()), answer);
    if after > before {
        probe.finding = Finding::Broken;
        probe.got = format!("{}; the source has stored it", probe.got);
    }
    Ok(probe)
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
    let mut why = String::new();
    for _ in 0..TRIES {
        if client.connection_state() != State::Connected {
            why = "the connection was lost".into();
            sleep(Duration::from_millis(200)).await;
            continue;
        }
        let request =
            Request::new().payload(Bytes::from_static(payload)).timeout(Some(REQUEST_TIMEOUT));
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

/// A client that logs in at the source as the leaf user must be refused, too.
async fn leaf_login_is_bound(node: &NodePlan, source: &ZonePlan) -> Vec<Probe> {
    let domain = source.domain();
    let mut probes = Vec::new();
    for call in [
        "$JS.API.STREAM.NAMES".to_owned(),
        format!("$JS.{domain}.API.STREAM.NAMES"),
        format!("$JS.{domain}.API.STREAM.DELETE.{PROBE_STREAM}"),
        PROBE_SUBJECT.to_owned(),
    ] {
        let what = format!("the leaf user, logged in at {}, sends {call}", node.name);
        let mut outcome = Err(String::new());
        for _ in 0..TRIES {
            outcome = raw_publish(node, &call).await;
            if outcome.is_ok() {
                break;
            }
        }
        let (got, finding) = match outcome {
            Ok(Raw::Refused) => ("a permissions violation".into(), Finding::Proved),
            Ok(Raw::LoginRefused) => ("the login itself refused".into(), Finding::Proved),
            Ok(Raw::Answered(text)) => (format!("an answer: {text}"), Finding::Broken),
            Ok(Raw::Accepted) => ("accepted".into(), Finding::Broken),
            Err(why) => (why, Finding::Unknown),
        };
        probes.push(Probe { what, expected: "a permissions violation".into(), got, finding });
    }
    probes
}

/// What a server made of one raw publish.
enum Raw {
    Refused,
    /// The user is for leafnode connections only; not even a client.
    LoginRefused,
    Answered(String),
    /// No objection: the permissions would let it through.
    Accepted,
}

/// Publishes once as the leaf user, on a bare connection: the refusal comes before the `PONG`,
/// where the client library would only time out.
async fn raw_publish(node: &NodePlan, subject: &str) -> Result<Raw, String> {
    let (user, password) = Login::Leaf.credentials();
    let talk = async {
        let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", node.client_port)).await?);
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let hello = json!({
            "verbose": false, "user": user, "pass": password, "protocol": 1,
            "headers": true, "no_responders": true, "name": "zonedrill preflight",
        });
        let inbox = "_INBOX.zonedrill.preflight";
        // Without a payload nothing is stored that somebody could mistake for a message.
        let words = format!(
            "CONNECT {hello}\r\nPING\r\nSUB {inbox} 1\r\nPUB {subject} {inbox} 0\r\n\r\nPING\r\n"
        );
        stream.write_all(words.as_bytes()).await?;
        let mut pongs = 0;
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(Err("the connection was closed".to_owned()));
            }
            let line = line.trim_end();
            if line.starts_with("-ERR") && line.contains("Permissions Violation") {
                return Ok(Ok(Raw::Refused));
            } else if line.starts_with("-ERR") && line.contains("Authorization Violation") {
                return Ok(Ok(Raw::LoginRefused));
            } else if line.starts_with("-ERR") {
                return Ok(Err(line.to_owned()));
            } else if line.starts_with("MSG") || line.starts_with("HMSG") {
                return Ok(Ok(Raw::Answered(line.to_owned())));
            } else if line == "PONG" {
                pongs += 1;
                if pongs == 2 {
                    return Ok(Ok(Raw::Accepted));
                }
            }
        }
    };
    match timeout(REQUEST_TIMEOUT, talk).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => Err(io_words(&error)),
        Err(_) => Err(format!("nothing, {TRIES} times")),
    }
}

fn io_words(error: &std::io::Error) -> String {
    format!("no conversation: {error}")
}

/// The source's leaf port must not tell its own address: a remote that learns it dials around the
/// link that is cut (facts, 3).
async fn gossip_is_silent(node: &NodePlan, source: &ZonePlan) -> Probe {
    #[derive(Deserialize)]
    struct Info {
        #[serde(default)]
        leafnode_urls: Vec<String>,
        #[serde(default)]
        connect_urls: Vec<String>,
    }
    let read = async {
        let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", node.leaf_port)).await?);
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        Ok::<_, std::io::Error>(line)
    };
    let line = match timeout(REQUEST_TIMEOUT, read).await {
        Ok(Ok(line)) => Ok(line),
        Ok(Err(error)) => Err(io_words(&error)),
        Err(_) => Err("nothing".into()),
    };
    let info = line.and_then(|line| {
        let text = line.strip_prefix("INFO ").ok_or_else(|| format!("`{}`", line.trim_end()))?;
        serde_json::from_str::<Info>(text).map_err(|e| format!("an unreadable greeting: {e}"))
    });
    let (got, finding) = match info {
        Err(why) => (why, Finding::Unknown),
        Ok(info) => {
            let told: Vec<String> = info
                .leafnode_urls
                .into_iter()
                .chain(info.connect_urls)
                .filter(|url| !url.trim_end_matches('/').ends_with(DEAD_PORT))
                .collect();
            if told.is_empty() {
                ("none".into(), Finding::Proved)
            } else {
                (told.join(", "), Finding::Broken)
            }
        }
    };
    Probe {
        what: format!("addresses that {}'s leaf port tells ({})", node.name, source.domain()),
        expected: "none".into(),
        got,
        finding,
    }
}
