//! Leaders of a zone's raft groups: who they are, and asking one to step down.

use std::time::Duration;

use async_nats::Client;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    api::{self, Ask},
    connect::{Login, zone_client_within},
    error::NatsError,
    system,
};
use crate::{
    command::Group,
    region::{ZonePlan, topology::STREAM},
};

/// How long a group may take to elect: 0.02 s after a step-down, 4-9 s after a death (nats-facts
/// §D), as much again for every vote that fails on a busy machine.
const ELECTION_DEADLINE: Duration = Duration::from_secs(30);
/// The pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long the wanted node may take to lead before the leader is asked again to step down.
const ASKED_AGAIN: Duration = Duration::from_secs(3);
/// How long a server may take to say who leads the meta group.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(700);

/// A change of leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stepdown {
    pub from: String,
    pub to: String,
    /// From the request to the new leader being known.
    pub took: Duration,
}

/// Asks a group's leader to step down and waits for another. `client` is connected to the zone
/// as [`Login::App`]; for the meta group a connection of its own is made, as that is the system
/// account's affair. A group that just has no leader is given time to elect one first.
///
/// # Errors
/// [`NatsError::NoLeader`] if nobody, or nobody else, was elected within 30 seconds, or when the zone
/// refuses or does not answer.
pub async fn stepdown(
    client: &Client,
    zone: &ZonePlan,
    group: Group,
) -> Result<Stepdown, NatsError> {
    let began = Instant::now();
    let deadline = began + ELECTION_DEADLINE;
    let system;
    let client = if group == Group::Meta {
        system = zone_client_within(zone, Login::System, "zonedrill stepdown", ELECTION_DEADLINE)
            .await?;
        &system
    } else {
        client
    };
    let from = wait_for_leader(client, zone, group, None, deadline).await?;
    let subject = match group {
        Group::Stream | Group::Mirror => format!("$JS.API.STREAM.LEADER.STEPDOWN.{STREAM}"),
        Group::Consumer => {
            format!("$JS.API.CONSUMER.LEADER.STEPDOWN.{STREAM}.{}", zone.consumer())
        }
        Group::Meta => "$JS.API.META.LEADER.STEPDOWN".into(),
    };
    let ask = Ask {
        client,
        subject,
        body: Value::Null,
        whom: &zone.domain(),
        what: &format!("let the leader of the {} step down", group.as_str()),
    };
    ask.by::<Value>(deadline).await?;
    let to = wait_for_leader(client, zone, group, Some(&from), deadline).await?;
    Ok(Stepdown { from, to, took: began.elapsed() })
}

/// Asks a zone's stream to be led by a node, and waits until it is.
///
/// # Errors
/// As [`stepdown`].
pub async fn stepdown_to(client: &Client, zone: &ZonePlan, node: &str) -> Result<(), NatsError> {
    let began = Instant::now();
    let deadline = began + ELECTION_DEADLINE;
    loop {
        let leader = wait_for_leader(client, zone, Group::Stream, None, deadline).await?;
        if leader == node {
            return Ok(());
        }
        let ask = Ask {
            client,
            subject: format!("$JS.API.STREAM.LEADER.STEPDOWN.{STREAM}"),
            body: json!({"placement": {"preferred": node}}),
            whom: &zone.domain(),
            what: &format!("let {node} lead the stream"),
        };
        ask.by::<Value>(deadline).await?;
        // The one that stepped down may be elected again: then it is asked again.
        let settled = deadline.min(Instant::now() + ASKED_AGAIN);
        while Instant::now() < settled {
            if self::leader(client, zone, Group::Stream).await.as_deref() == Some(node) {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
        if Instant::now() + LOOK_EVERY >= deadline {
            return Err(NatsError::NoLeader {
                whom: zone.domain(),
                group: "stream".into(),
                other: true,
                waited: began.elapsed(),
            });
        }
    }
}

/// Who leads a zone's stream, and whether a replica on a node is current; `None` if nobody says.
pub async fn replica(client: &Client, node: &str) -> Option<(String, bool)> {
    let subject = format!("$JS.API.STREAM.INFO.{STREAM}");
    let info: Value = api::once(client, &subject, &Value::Null, ANSWER_TIMEOUT).await.ok()?;
    let leader = info.pointer("/cluster/leader")?.as_str()?.to_owned();
    let replicas = info.pointer("/cluster/replicas")?.as_array()?;
    let current = replicas
        .iter()
        .any(|peer| peer["name"] == node && peer["current"] == true && peer["offline"] != true);
    Some((leader, current))
}

/// Waits until the zone's meta group has a leader, and names it; before that, nothing can be
/// created. `client` is connected to the zone as [`Login::System`].
///
/// # Errors
/// [`NatsError::NoLeader`] when `patience` runs out.
pub async fn wait_meta_leader(
    client: &Client,
    zone: &ZonePlan,
    patience: Duration,
) -> Result<String, NatsError> {
    wait_for_leader(client, zone, Group::Meta, None, Instant::now() + patience).await
}

/// Waits for a leader other than `not`.
async fn wait_for_leader(
    client: &Client,
    zone: &ZonePlan,
    group: Group,
    not: Option<&str>,
    deadline: Instant,
) -> Result<String, NatsError> {
    let began = Instant::now();
    loop {
        match leader(client, zone, group).await {
            Some(leader) if Some(leader.as_str()) != not => return Ok(leader),
            _ => {}
        }
        if Instant::now() + LOOK_EVERY >= deadline {
            return Err(NatsError::NoLeader {
                whom: zone.domain(),
                group: group.as_str().into(),
                other: not.is_some(),
                waited: began.elapsed(),
            });
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Who leads the group; `None` if nobody does, or nobody says.
async fn leader(client: &Client, zone: &ZonePlan, group: Group) -> Option<String> {
    let subject = match group {
        Group::Meta => return system::jsz(client, ANSWER_TIMEOUT).await?.data.meta_leader(),
        Group::Stream | Group::Mirror => format!("$JS.API.STREAM.INFO.{STREAM}"),
        Group::Consumer => format!("$JS.API.CONSUMER.INFO.{STREAM}.{}", zone.consumer()),
    };
    let info: Value = api::once(client, &subject, &Value::Null, ANSWER_TIMEOUT).await.ok()?;
    let leader = info.pointer("/cluster/leader")?.as_str()?;
    (!leader.is_empty()).then(|| leader.to_owned())
}
