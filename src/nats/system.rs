//! What a server says about itself over the system account: `JSZ`, `LEAFZ`, `STATSZ`.
//!
//! Only the fields a report needs are read; a field an older server does not send is unknown.
//! Field names as nats-server 2.15.1 prints them, checked against its replies.

mod leafs;

use std::time::Duration;

use async_nats::{Client, client::Request, connection::State};
use bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};

pub(super) use self::leafs::{leafz, leafz_whole};
use crate::region::{
    observation::{ConsumerReport, MirrorReport, PeerReport, StreamReport},
    topology::{ACCOUNT, STREAM},
};

/// Everything about accounts, streams and consumers, without their configuration.
const JSZ_OPTIONS: &[u8] = br#"{"accounts":true,"streams":true,"consumer":true}"#;

/// A server's answer and who it is.
pub(super) struct Said<T> {
    pub server: Server,
    pub data: T,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Server {
    #[serde(default)]
    pub id: String,
    #[serde(default, rename = "ver")]
    pub version: String,
}

/// Asks the one server this client is connected to; `None` is silence (or an unreadable answer).
pub(super) async fn ask<T: DeserializeOwned>(
    client: &Client,
    endpoint: &str,
    options: &'static [u8],
    timeout: Duration,
) -> Option<Said<T>> {
    #[derive(Deserialize)]
    struct Envelope<T> {
        #[serde(default)]
        server: Server,
        #[serde(alias = "statsz")]
        data: T,
    }
    // Not connected means nobody answers; and a request would wait in the client's queue.
    if client.connection_state() != State::Connected {
        return None;
    }
    // The id is that of the newest connection: a restarted server has a new one.
    let id = client.try_server_info()?.server_id;
    let request = Request::new().payload(Bytes::from_static(options)).timeout(Some(timeout));
    let reply =
        client.send_request(format!("$SYS.REQ.SERVER.{id}.{endpoint}"), request).await.ok()?;
    match serde_json::from_slice::<Envelope<T>>(&reply.payload) {
        Ok(Envelope { server, data }) => Some(Said { server, data }),
        Err(error) => {
            tracing::debug!(endpoint, %error, "unreadable answer");
            None
        }
    }
}

/// JetStream as the server sees it.
pub(super) async fn jsz(client: &Client, timeout: Duration) -> Option<Said<Jsz>> {
    ask(client, "JSZ", JSZ_OPTIONS, timeout).await
}

/// Who the server is, since when, and since when with this configuration.
pub(super) async fn varz(client: &Client, timeout: Duration) -> Option<Varz> {
    ask(client, "VARZ", b"", timeout).await.map(|said| said.data)
}

#[derive(Debug, Deserialize)]
pub(super) struct Varz {
    pub server_id: String,
    #[serde(default)]
    pub version: String,
    #[serde(default)]
    pub start: String,
    #[serde(default)]
    pub config_load_time: String,
}

/// The server's own load.
pub(super) async fn statsz(client: &Client, timeout: Duration) -> Option<Statsz> {
    ask(client, "STATSZ", b"", timeout).await.map(|said| said.data)
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Statsz {
    pub mem: Option<u64>,
    /// Percent of one core.
    pub cpu: Option<f32>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Jsz {
    /// JetStream is off: a server that cannot write its store ends it and goes on without.
    #[serde(default)]
    pub disabled: bool,
    meta_cluster: Option<Group>,
    account_details: Option<Vec<Account>>,
}

impl Jsz {
    /// Who leads the meta group, as this server sees it.
    pub fn meta_leader(&self) -> Option<String> {
        self.meta_cluster.as_ref().and_then(Group::leader)
    }

    /// The region's stream, if this server holds a replica.
    pub fn stream(self) -> Option<StreamReport> {
        let account = self.account_details?.into_iter().find(|a| a.name == ACCOUNT)?;
        let stream = account.stream_detail?.into_iter().find(|s| s.name == STREAM)?;
        Some(stream.report())
    }
}

#[derive(Debug, Deserialize)]
struct Account {
    #[serde(default)]
    name: String,
    stream_detail: Option<Vec<Stream>>,
}

#[derive(Debug, Default, Deserialize)]
struct Group {
    leader: Option<String>,
    replicas: Option<Vec<Peer>>,
}

impl Group {
    /// Servers print an unknown leader as an empty string.
    fn leader(&self) -> Option<String> {
        self.leader.clone().filter(|leader| !leader.is_empty())
    }
}

#[derive(Debug, Deserialize)]
struct Peer {
    #[serde(default)]
    name: String,
    #[serde(default)]
    current: bool,
}

/// A stream, in `JSZ` and in `STREAM.INFO` alike.
#[derive(Debug, Deserialize)]
pub(super) struct Stream {
    #[serde(default)]
    name: String,
    #[serde(default)]
    created: String,
    #[serde(default)]
    cluster: Group,
    state: Contents,
    mirror: Option<MirrorState>,
    #[serde(default)]
    sources: Option<Vec<MirrorState>>,
    consumer_detail: Option<Vec<Consumer>>,
}

/// What the stream holds.
#[derive(Debug, Deserialize)]
struct Contents {
    #[serde(default)]
    messages: u64,
    #[serde(default)]
    bytes: u64,
    #[serde(default)]
    first_seq: u64,
    #[serde(default)]
    last_seq: u64,
    #[serde(default)]
    num_deleted: u64,
}

impl Stream {
    pub fn report(self) -> StreamReport {
        let leader = self.cluster.leader();
        StreamReport {
            messages: self.state.messages,
            bytes: self.state.bytes,
            first_seq: self.state.first_seq,
            last_seq: self.state.last_seq,
            own_last_seq: None,
            num_deleted: self.state.num_deleted,
            created: self.created,
            leader,
            peers: self
                .cluster
                .replicas
                .unwrap_or_default()
                .into_iter()
                .map(|peer| PeerReport { name: peer.name, current: peer.current })
                .collect(),
            mirror: self
                .mirror
                .or_else(|| self.sources?.into_iter().next())
                .map(MirrorState::report),
            consumers: self
                .consumer_detail
                .unwrap_or_default()
                .into_iter()
                .map(Consumer::report)
                .collect(),
        }
    }
}

/// A mirror's `mirror` object, or one of a copy's `sources`, in `JSZ` and in `STREAM.INFO` alike.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct MirrorState {
    #[serde(default)]
    lag: u64,
    /// Nanoseconds since it heard from its source; -1 for never (under this leader).
    active: Option<i64>,
    error: Option<super::api::ApiError>,
}

impl MirrorState {
    /// Whether it has heard from its source under its present leader.
    pub fn has_heard(&self) -> bool {
        self.active.is_some_and(|nanos| nanos >= 0)
    }

    /// The server's own error text.
    pub fn error(&self) -> Option<String> {
        self.error.as_ref().map(|error| error.description.clone())
    }

    fn report(self) -> MirrorReport {
        MirrorReport {
            lag: self.lag,
            silent_ms: self
                .active
                .and_then(|nanos| u64::try_from(nanos).ok())
                .map(|nanos| nanos / 1_000_000),
            error: self.error(),
        }
    }
}

/// How far a consumer is, in its own count and in the stream's.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Place {
    #[serde(default)]
    pub consumer_seq: u64,
    #[serde(default)]
    pub stream_seq: u64,
}

/// A consumer, in `JSZ` and in `CONSUMER.INFO` alike.
#[derive(Debug, Deserialize)]
pub(super) struct Consumer {
    #[serde(default)]
    name: String,
    #[serde(default)]
    delivered: Place,
    #[serde(default)]
    ack_floor: Place,
    #[serde(default)]
    num_pending: u64,
    #[serde(default)]
    num_ack_pending: u64,
    #[serde(default)]
    num_redelivered: u64,
    #[serde(default)]
    cluster: Group,
}

impl Consumer {
    pub fn report(self) -> ConsumerReport {
        let leader = self.cluster.leader();
        ConsumerReport {
            name: self.name,
            delivered: self.delivered.stream_seq,
            own_delivered: None,
            deliveries: self.delivered.consumer_seq,
            ack_floor: self.ack_floor.stream_seq,
            pending: self.num_pending,
            unacked: self.num_ack_pending,
            redelivered: self.num_redelivered,
            leader,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reply of nats-server 2.15.1, shortened.
    #[test]
    fn a_mirror_leaders_reply_is_read() {
        let jsz: Jsz = serde_json::from_str(
            r#"{"memory":0,"meta_cluster":{"name":"zone-b","leader":"js3-zone-b","replicas":[]},
            "account_details":[{"name":"APP","stream_detail":[{"name":"EVENTS_REGION",
            "created":"2026-11-23T23:03:57.594202501Z",
            "cluster":{"name":"zone-b","leader":"js2-zone-b","replicas":[
              {"name":"js1-zone-b","current":true,"active":901070167},
              {"name":"js3-zone-b","current":false,"active":0}]},
            "state":{"messages":20,"bytes":1000,"first_seq":1,"last_seq":20,"consumer_count":1},
            "consumer_detail":[{"name":"consumer-b","delivered":{"consumer_seq":7,"stream_seq":5},
              "ack_floor":{"consumer_seq":3,"stream_seq":2},"num_ack_pending":3,"num_redelivered":1,
              "num_pending":15,"cluster":{"leader":""}}],
            "mirror":{"name":"EVENTS_REGION","lag":0,"active":904214607}}]}]}"#,
        )
        .unwrap();
        assert_eq!(jsz.meta_leader().as_deref(), Some("js3-zone-b"));
        let stream = jsz.stream().unwrap();
        assert_eq!((stream.first_seq, stream.last_seq, stream.num_deleted), (1, 20, 0));
        assert_eq!(stream.leader.as_deref(), Some("js2-zone-b"));
        assert_eq!(stream.peers.iter().filter(|p| p.current).count(), 1);
        assert_eq!(stream.mirror, Some(MirrorReport { lag: 0, silent_ms: Some(904), error: None }));
        let consumer = &stream.consumers[0];
        assert_eq!((consumer.delivered, consumer.ack_floor, consumer.deliveries), (5, 2, 7));
        assert_eq!((consumer.pending, consumer.unacked, consumer.redelivered), (15, 3, 1));
        assert_eq!(consumer.leader, None);
    }

    #[test]
    fn never_heard_is_not_zero() {
        let mirror: MirrorState = serde_json::from_str(r#"{"lag":0,"active":-1}"#).unwrap();
        assert!(!mirror.has_heard());
        assert_eq!(mirror.report().silent_ms, None);
    }

    #[test]
    fn a_server_without_streams_is_read() {
        let jsz: Jsz = serde_json::from_str(r#"{"memory":0}"#).unwrap();
        assert_eq!(jsz.meta_leader(), None);
        assert!(!jsz.disabled);
        assert_eq!(jsz.stream(), None);
        // As 2.15.1 says it after "JetStream out of File resources, will be DISABLED".
        let off = r#"{"memory":0,"storage":0,"disabled":true,"streams":0,"total":0}"#;
        assert!(serde_json::from_str::<Jsz>(off).unwrap().disabled);
    }
}
