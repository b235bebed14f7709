//! Who a cluster is, who we are there, and what its streams are: questions that change nothing.

use async_nats::Client;
use bytes::Bytes;
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::attach::{Attached, PATIENCE, Unanswered, Violation};
use crate::{
    nats::api::{self, Failure},
    region::{
        external::{Clock, Cluster, Problem, StreamSeen},
        rights::{Permissions, USER_INFO},
    },
};

/// JetStream: "jetstream not enabled", and not enabled for the account.
const NO_JETSTREAM: [u64; 2] = [10039, 10076];
/// The most streams that are asked for: pages of 256.
const MOST_PAGES: usize = 40;

/// A cluster, and what we may do in it.
#[derive(Debug)]
pub(super) struct Presence {
    pub cluster: Cluster,
    /// `None` where it is not told; of a user without limits it is the empty one.
    pub permissions: Option<Permissions>,
    /// The question itself is not permitted.
    pub forbidden: Option<Violation>,
}

#[derive(Deserialize)]
struct UserInfo {
    server: ServerWord,
    data: Option<UserWord>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct ServerWord {
    id: String,
    cluster: String,
    domain: String,
    ver: String,
    time: Option<jiff::Timestamp>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct UserWord {
    user: String,
    account: String,
    permissions: Option<Permissions>,
}

/// Asks who the cluster is and what we may do. What is not told is taken from the connection's first
/// word.
pub(super) async fn presence(to: &Attached) -> Presence {
    let asked = now_ms();
    let told = user_info(to).await;
    let answered = now_ms();
    let mut cluster = first_word(&to.client);
    let (told, forbidden) = match told {
        Ok(told) => (Some(told), None),
        Err(Unanswered::Forbidden(violation)) => (None, Some(violation)),
        Err(Unanswered::Other(_)) => (None, None),
    };
    let Some(UserInfo { server, data }) = told else {
        return Presence { cluster, permissions: None, forbidden };
    };
    let take = |to: &mut String, from: String| {
        if !from.is_empty() {
            *to = from;
        }
    };
    take(&mut cluster.server_id, server.id);
    take(&mut cluster.name, server.cluster);
    take(&mut cluster.domain, server.domain);
    take(&mut cluster.version, server.ver);
    cluster.clock = server.time.map(|time| Clock::measured(asked, time.as_millisecond(), answered));
    let Some(UserWord { user, account, permissions }) = data else {
        return Presence { cluster, permissions: None, forbidden };
    };
    (cluster.user, cluster.account) = (user, account);
    Presence { cluster, permissions: Some(permissions.unwrap_or_default()), forbidden }
}

/// The answer of the server that we are connected to. The question goes over leafnodes as well: the
/// servers of other zones answer for the leafnode's user, sometimes sooner (nats-facts §U).
async fn user_info(to: &Attached) -> Result<UserInfo, Unanswered> {
    let own = to.client.server_info().server_id;
    let not_sent = |error: String| Unanswered::Other(Failure::NotSent(error));
    let inbox = to.client.new_inbox();
    let answers = to.client.subscribe(inbox.clone()).await;
    let mut answers = answers.map_err(|error| not_sent(error.to_string()))?;
    let asked = to.client.publish_with_reply(USER_INFO, inbox, Bytes::new()).await;
    asked.map_err(|error| not_sent(error.to_string()))?;
    let answer = timeout(PATIENCE, async {
        while let Some(message) = answers.next().await {
            if message.status == Some(async_nats::StatusCode::NO_RESPONDERS) {
                return Err(Failure::NoResponders);
            }
            let told: Option<UserInfo> = serde_json::from_slice(&message.payload).ok();
            if let Some(told) = told.filter(|told| told.server.id == own) {
                return Ok(told);
            }
        }
        Err(Failure::NotSent("the connection was closed".into()))
    });
    let answer = to.or_refused(USER_INFO, answer).await?;
    answer.unwrap_or(Err(Failure::TimedOut)).map_err(Unanswered::Other)
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn first_word(client: &Client) -> Cluster {
    let info = client.server_info();
    Cluster {
        server_id: info.server_id,
        name: info.cluster.unwrap_or_default(),
        domain: info.domain.unwrap_or_default(),
        version: info.version,
        ..Cluster::default()
    }
}

/// A zone's stream, or what is wrong with it; the violation where it may not be asked about.
pub(super) async fn stream(
    to: &Attached,
    name: &str,
) -> Result<StreamSeen, Result<Violation, Problem>> {
    let failure = match to.ask_api(&format!("STREAM.INFO.{name}"), &Value::Null).await {
        Ok(seen) => return Ok(seen),
        Err(Unanswered::Forbidden(violation)) => return Err(Ok(violation)),
        Err(Unanswered::Other(failure)) => failure,
    };
    let (zone, stream) = (to.zone.clone(), name.to_owned());
    Err(Err(match failure {
        Failure::Api(error) if error.err_code == api::STREAM_NOT_FOUND => {
            let has = names(to).await;
            Problem::NoStream { zone, stream, has }
        }
        Failure::Api(error) if NO_JETSTREAM.contains(&error.err_code) => {
            Problem::NoJetStream { zone, api: to.api.clone() }
        }
        Failure::NoResponders => Problem::NoJetStream { zone, api: to.api.clone() },
        other => Problem::Silent { zone, stream, why: other.words() },
    }))
}

/// The names of the streams there, as far as they may be asked for: the first of them.
async fn names(to: &Attached) -> Vec<String> {
    #[derive(Deserialize)]
    struct Names {
        streams: Option<Vec<String>>,
    }
    let names = to.ask_api::<Names>("STREAM.NAMES", &Value::Null).await;
    let mut names = names.ok().and_then(|names| names.streams).unwrap_or_default();
    names.truncate(20);
    names
}

/// All streams there.
pub(super) async fn streams(to: &Attached) -> Result<Vec<StreamSeen>, Unanswered> {
    #[derive(Deserialize)]
    struct Page {
        total: usize,
        #[serde(default)]
        streams: Option<Vec<StreamSeen>>,
    }
    let mut all = Vec::new();
    for _ in 0..MOST_PAGES {
        let page: Page = to.ask_api("STREAM.LIST", &json!({"offset": all.len()})).await?;
        let streams = page.streams.unwrap_or_default();
        let ended = streams.is_empty();
        all.extend(streams);
        if ended || all.len() >= page.total {
            break;
        }
    }
    Ok(all)
}

/// The names of a stream's consumers, without those that nobody made by name.
pub(super) async fn consumers(to: &Attached, stream: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct Page {
        consumers: Option<Vec<Consumer>>,
    }
    #[derive(Deserialize)]
    struct Consumer {
        config: Config,
    }
    #[derive(Deserialize)]
    struct Config {
        #[serde(default)]
        durable_name: String,
        #[serde(default)]
        ack_policy: String,
    }
    let page = to.ask_api::<Page>(&format!("CONSUMER.LIST.{stream}"), &Value::Null).await;
    let consumers = page.ok().and_then(|page| page.consumers).unwrap_or_default();
    let named = consumers.into_iter().map(|consumer| consumer.config);
    // A consumer with flow control for acknowledgements is a copy's own (nats-facts §B).
    named
        .filter(|config| !config.durable_name.is_empty() && config.ack_policy != "flow_control")
        .map(|config| config.durable_name)
        .collect()
}
