//! What the source's leaf port and leaf user must not give away.

use serde::Deserialize;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

use super::{Finding, PROBE_STREAM, PROBE_SUBJECT, Probe, TRIES};
use crate::{
    nats::connect::{Login, REQUEST_TIMEOUT, own_name},
    region::{ZonePlan, topology::NodePlan},
};

/// The port of the dead address that servers before 2.15 advertise (`config/nats-server.conf`).
const DEAD_PORT: &str = ":9";

/// A client that logs in at the source as the leaf user must be refused, too.
pub(super) async fn login_is_bound(node: &NodePlan, source: &ZonePlan) -> Vec<Probe> {
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
            outcome = raw_publish(source, node, &call).await;
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
async fn raw_publish(source: &ZonePlan, node: &NodePlan, subject: &str) -> Result<Raw, String> {
    let (user, password) = Login::Leaf.credentials(&source.access);
    let talk = async {
        let mut stream = BufReader::new(TcpStream::connect((node.host(), node.client_port)).await?);
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let hello = json!({
            "verbose": false, "user": user, "pass": password, "protocol": 1,
            "headers": true, "no_responders": true, "name": own_name("zonedrill preflight"),
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
/// link that is cut (nats-facts §C).
pub(super) async fn gossip_is_silent(node: &NodePlan, source: &ZonePlan) -> Probe {
    #[derive(Deserialize)]
    struct Info {
        #[serde(default)]
        leafnode_urls: Vec<String>,
        #[serde(default)]
        connect_urls: Vec<String>,
    }
    let read = async {
        let mut stream = BufReader::new(TcpStream::connect((node.host(), node.leaf_port)).await?);
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
