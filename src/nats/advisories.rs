//! The audit of a zone's JetStream: who asked it to do what, as the server tells it at once.
//!
//! Needs a subscription in the zone's own account and no permission beyond that. Calls of the room's
//! own connections and of the servers' mirrors are left out; they are known otherwise.

use async_nats::{Client, Subscriber};
use serde::Deserialize;

use super::{NatsError, api::ApiError, connect, wire::now_ms};
use crate::{
    command::readable,
    region::{
        ZonePlan,
        advisory::{Act, Advisory, Call, Caller},
        topology::STREAM,
    },
};

/// Every advisory of JetStream.
const ADVISORIES: &str = "$JS.EVENT.ADVISORY.>";
/// The audit of API calls.
const API: &str = "$JS.EVENT.ADVISORY.API";
/// What the names of durable sourcing consumers begin with.
const DURABLE_PREFIX: &str = "MIRROR_";

/// What a zone's JetStream told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Somebody else asked for something that changes what is there, in vain or not.
    Foreign(Advisory),
    /// The region's stream or a consumer of it changed, by whomever.
    Changed,
    /// Nothing that matters.
    Nothing,
}

/// Subscribes to a zone's advisories.
///
/// # Errors
/// [`NatsError::Connect`] when the client has been closed.
pub async fn subscribe(client: &Client, zone: &ZonePlan) -> Result<Subscriber, NatsError> {
    client.subscribe(ADVISORIES).await.map_err(|error| NatsError::Connect {
        whom: zone.domain(),
        user: connect::Login::App.to_string(),
        why: error.to_string(),
        login_refused: false,
    })
}

#[derive(Deserialize)]
struct Audit {
    #[serde(default)]
    subject: String,
    client: Option<ClientInfo>,
    /// The API's answer, as text; a long one is cut off.
    #[serde(default)]
    response: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ClientInfo {
    name: String,
    user: String,
    host: String,
    kind: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    error: Option<ApiError>,
    paused: Option<bool>,
}

/// Reads an advisory.
#[must_use]
pub fn read(zone: &ZonePlan, subject: &str, payload: &[u8]) -> News {
    if subject != API {
        return if subject.contains(STREAM) && !subject.contains("LEADER_ELECTED") {
            News::Changed
        } else {
            News::Nothing
        };
    }
    let Ok(audit) = serde_json::from_slice::<Audit>(payload) else { return News::Nothing };
    let mut call = Call::of(&audit.subject);
    let client = audit.client.unwrap_or_default();
    let leafnode = client.kind == "Leafnode";
    let foreign = match client.kind.as_str() {
        // Servers before 2.10 leave the kind out.
        "Client" | "" => !connect::is_own(&client.name),
        // A mirror's server makes its hidden consumers that way; no mirror deletes a durable.
        "Leafnode" => call.act == Act::ConsumerDelete && call.consumer.starts_with(DURABLE_PREFIX),
        // The servers themselves.
        _ => false,
    };
    if !call.act.changes() {
        return News::Nothing;
    }
    if !foreign {
        return if call.stream == STREAM { News::Changed } else { News::Nothing };
    }
    // An answer that is cut off was none of an error.
    let answer: Answer = serde_json::from_str(&audit.response).unwrap_or_default();
    if call.act == Act::ConsumerPause && answer.paused == Some(false) {
        call.act = Act::ConsumerResume;
    }
    let refused = answer.error.map(|error| format!("{} ({})", error.description, error.err_code));
    call.stream = readable(&call.stream);
    call.consumer = readable(&call.consumer);
    let caller = Caller {
        name: readable(&client.name),
        user: readable(&client.user),
        host: readable(&client.host),
        leafnode,
    };
    let refused = refused.as_deref().map(readable);
    News::Foreign(Advisory { at_ms: now_ms(), zone: zone.name.clone(), caller, call, refused })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::Role;

    fn heard(client: &str, call: &str, response: &str) -> News {
        let zone = ZonePlan::new("b".parse().unwrap(), Role::Mirror, 1, 15222);
        let payload = serde_json::json!({
            "type": "io.nats.jetstream.advisory.v1.api_audit", "server": "js1-zone-b",
            "client": serde_json::from_str::<serde_json::Value>(client).unwrap(),
            "subject": format!("$JS.API.{call}"), "response": response, "domain": "zone-b",
        });
        read(&zone, API, payload.to_string().as_bytes())
    }

    /// As nats-server 2.15.1 tells it, shortened.
    const STRANGER: &str = r#"{"start":"2026-11-28T11:47:30.22Z","host":"127.0.0.1","id":39,
        "acc":"APP","user":"admin","name":"stranger","kind":"Client","client_type":"nats"}"#;
    const LEAF: &str = r#"{"host":"127.0.0.1","id":23,"acc":"APP","user":"leaf",
        "name":"js1-zone-b","server":"js1-zone-b","kind":"Leafnode"}"#;

    #[test]
    fn a_strangers_name_cannot_write_on_the_terminal() {
        let client = r#"{"name":"x\n\u001b[31mcut proved\u202e","user":"admin","kind":"Client"}"#;
        let News::Foreign(told) = heard(client, "STREAM.PURGE.EVENTS_REGION", "{}") else {
            panic!("not told");
        };
        assert_eq!(told.caller.name, "x\u{fffd}\u{fffd}[31mcut proved\u{fffd}");
    }

    #[test]
    fn a_strangers_act_is_told_with_its_hand() {
        let News::Foreign(told) =
            heard(STRANGER, "CONSUMER.DELETE.EVENTS_REGION.consumer-b", r#"{"success":true}"#)
        else {
            panic!("not told");
        };
        assert_eq!(
            told.to_string(),
            "client stranger (user admin, 127.0.0.1) deleted consumer-b in zone b"
        );
        let News::Foreign(told) = heard(
            STRANGER,
            "STREAM.UPDATE.EVENTS_REGION",
            r#"{"error":{"code":500,"err_code":10052,"description":"can not change storage"}}"#,
        ) else {
            panic!("not told");
        };
        assert_eq!(told.refused.as_deref(), Some("can not change storage (10052)"));
        let News::Foreign(told) =
            heard(STRANGER, "CONSUMER.PAUSE.EVENTS_REGION.consumer-b", r#"{"paused":false}"#)
        else {
            panic!("not told");
        };
        assert_eq!(told.call.act, Act::ConsumerResume);
    }

    #[test]
    fn reads_and_the_rooms_own_calls_are_no_strangers_acts() {
        assert_eq!(heard(STRANGER, "STREAM.INFO.EVENTS_REGION", "{}"), News::Nothing);
        assert_eq!(heard(STRANGER, "STREAM.NAMES", "{}"), News::Nothing);
        let own = format!(r#"{{"name":"{}","kind":"Client"}}"#, connect::own_name("zonedrill"));
        assert_eq!(heard(&own, "STREAM.UPDATE.EVENTS_REGION", "{}"), News::Changed);
        assert_eq!(heard(&own, "STREAM.CREATE.OTHER", "{}"), News::Nothing);
        // Another room's connection is a stranger's.
        let other = r#"{"name":"zonedrill 1-1","kind":"Client"}"#;
        assert!(matches!(heard(other, "STREAM.PURGE.EVENTS_REGION", "{}"), News::Foreign(_)));
    }

    #[test]
    fn a_mirrors_own_consumers_are_no_strangers_acts() {
        assert_eq!(heard(LEAF, "CONSUMER.CREATE.EVENTS_REGION", "{}"), News::Changed);
        assert_eq!(heard(LEAF, "CONSUMER.DELETE.EVENTS_REGION.x7", "{}"), News::Changed);
        let News::Foreign(told) = heard(LEAF, "CONSUMER.DELETE.EVENTS_REGION.MIRROR_zone-b", "{}")
        else {
            panic!("not told");
        };
        assert!(told.to_string().contains("through js1-zone-b"), "{told}");
    }

    #[test]
    fn other_advisories_are_a_reason_to_look() {
        let zone = ZonePlan::new("b".parse().unwrap(), Role::Mirror, 1, 15222);
        let told = |subject: &str| read(&zone, &format!("$JS.EVENT.ADVISORY.{subject}"), b"{}");
        assert_eq!(told("CONSUMER.DELETED.EVENTS_REGION.consumer-b"), News::Changed);
        assert_eq!(told("STREAM.UPDATED.EVENTS_REGION"), News::Changed);
        assert_eq!(told("STREAM.LEADER_ELECTED.EVENTS_REGION"), News::Nothing);
        assert_eq!(told("STREAM.CREATED.OTHER"), News::Nothing);
        assert_eq!(read(&zone, API, b"no JSON"), News::Nothing);
    }
}
