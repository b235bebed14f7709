//! A region on real servers with a stranger in it, who changes streams and consumers over their API.

use std::time::{Duration, Instant};

use async_nats::{Client, ConnectOptions, jetstream::consumer::PullConsumer};
use futures::StreamExt;
use serde_json::{Value, json};
use zonedrill::{
    ledger::progress::Progress,
    nats::{
        configuration::{Reader, wanted},
        connect::{Login, jetstream, zone_client_within},
        leaders,
        repair::{Damaged, Repaired, Step, repair},
        streams,
    },
    region::{
        MirrorKind, ZonePlan,
        access::{Access, USER},
        configuration::{Configuration, Kind, Subject, differences},
        topology::STREAM,
    },
};

use super::nats::{Region, as_shipped, eventually};

pub const PATIENCE: Duration = Duration::from_secs(40);
/// A change must be told, and a difference seen, within this.
pub const SOON: Duration = Duration::from_secs(40);

/// A region that was brought up, a stranger in it, and what the room knows.
pub struct Scene {
    pub region: Region,
    pub readers: [Reader; 2],
    pub made: [Configuration; 2],
    /// What a consumer of each zone has received.
    pub received: [Vec<u64>; 2],
}

pub const A: usize = 0;
pub const B: usize = 1;

impl Scene {
    pub async fn new(kind: MirrorKind) -> Self {
        let region = Region::start(&["b"], as_shipped);
        for zone in [&region.source, region.mirror()] {
            let system = zone_client_within(zone, Login::System, "test", PATIENCE).await.unwrap();
            leaders::wait_meta_leader(&system, zone, PATIENCE).await.unwrap();
        }
        let client = async |zone: &ZonePlan| {
            zone_client_within(zone, Login::App, "test", PATIENCE).await.unwrap()
        };
        let (a, b) = (client(&region.source).await, client(region.mirror()).await);
        streams::create_source(&a, &region.source).await.unwrap();
        streams::create_mirror(&a, &b, &region.source, region.mirror(), kind).await.unwrap();
        streams::create_consumer(&a, &region.source).await.unwrap();
        streams::create_consumer(&b, region.mirror()).await.unwrap();
        let reader = |here: &Client, source: Option<&Client>, zone: &ZonePlan| Reader {
            here: here.clone(),
            source: source.cloned(),
            zone: zone.clone(),
            kind,
        };
        let readers = [reader(&a, None, &region.source), reader(&b, Some(&a), region.mirror())];
        let mut scene =
            Self { region, readers, made: Default::default(), received: Default::default() };
        for zone in [A, B] {
            let seen = eventually("the configuration is known", PATIENCE, async || {
                Some(scene.readers[zone].read().await).filter(Configuration::is_known)
            })
            .await;
            scene.made[zone] = scene.made_of(zone, &seen);
            assert_eq!(differences(&scene.made[zone], &seen), [], "as it was made");
        }
        scene
    }

    pub fn made_of(&self, zone: usize, seen: &Configuration) -> Configuration {
        let reader = &self.readers[zone];
        wanted::made(&self.region.source, &reader.zone, reader.kind, seen)
    }

    /// A client that is nobody of the room's.
    pub async fn stranger(&self, zone: usize) -> Stranger {
        let plan = &self.readers[zone].zone;
        Stranger::connect(&plan.access, &plan.nodes[1].url()).await
    }

    /// Publishes, and receives in both zones what is there.
    pub async fn flow(&mut self, count: usize) {
        let context = jetstream(&self.readers[A].here);
        for _ in 0..count {
            context.publish("EVENTS.REGION.x", "x".into()).await.unwrap().await.unwrap();
        }
        self.receive().await;
    }

    /// Receives and acknowledges until both zones have all that the source holds.
    pub async fn receive(&mut self) {
        let last = last_seq(&self.readers[A]).await;
        for zone in [A, B] {
            let reader = self.readers[zone].clone();
            eventually("the zone holds all", PATIENCE, async || {
                (last_seq(&reader).await >= last).then_some(())
            })
            .await;
            self.consume(zone, last).await;
        }
    }

    async fn consume(&mut self, zone: usize, last: u64) {
        let reader = self.readers[zone].clone();
        let received = &mut self.received[zone];
        eventually("the zone has received all", PATIENCE, async || {
            let stream = jetstream(&reader.here).get_stream(STREAM).await.ok()?;
            let consumer: PullConsumer = stream.get_consumer(&reader.zone.consumer()).await.ok()?;
            let mut batch = consumer
                .fetch()
                .max_messages(500)
                .expires(Duration::from_millis(500))
                .messages()
                .await
                .ok()?;
            while let Some(Ok(message)) = batch.next().await {
                received.push(message.info().unwrap().stream_sequence);
                message.double_ack().await.unwrap();
            }
            (last == 0 || received.last() == Some(&last)).then_some(())
        })
        .await;
    }

    pub fn progress(&self, zone: usize) -> Progress {
        let last = self.received[zone].iter().copied().max().unwrap_or(0);
        let missing = (1..last).filter(|seq| !self.received[zone].contains(seq)).collect();
        Progress { last, missing }
    }

    /// Waits until a zone differs in just this.
    pub async fn sees(&self, zone: usize, subject: Subject, kind: impl Fn(&Kind) -> bool) {
        eventually("the difference is seen", SOON, async || {
            let seen = self.readers[zone].read().await;
            let found = differences(&self.made[zone], &seen);
            let name = self.readers[zone].zone.name.clone();
            for difference in &found {
                eprintln!("{}", difference.describe(&name));
            }
            found.iter().any(|d| d.subject == subject && kind(&d.kind)).then_some(())
        })
        .await;
    }

    /// Repairs a zone, after which it must be as it is made.
    pub async fn repair(&mut self, zone: usize) -> Vec<Step> {
        let progress = self.progress(zone);
        let damaged = Damaged {
            reader: &self.readers[zone],
            source: &self.region.source,
            made: &self.made[zone],
            progress: &progress,
            parted: false,
        };
        let Repaired { steps, made, left } = repair(&damaged).await.unwrap();
        for step in &steps {
            eprintln!("  {}", step.describe(&self.readers[zone].zone.name));
        }
        assert_eq!(left, []);
        self.made[zone] = made;
        let seen = self.readers[zone].read().await;
        assert_eq!(differences(&self.made[zone], &seen), [], "after the repair");
        steps
    }

    /// Everything was received once, in order, in both zones.
    #[track_caller]
    pub fn all_received_once(&self, from: u64) {
        for received in &self.received {
            let last = *received.last().unwrap();
            assert_eq!(*received, (from..=last).collect::<Vec<_>>());
        }
        assert_eq!(self.received[A].last(), self.received[B].last());
    }
}

pub async fn last_seq(reader: &Reader) -> u64 {
    reader.read().await.stream.there().map_or(0, |stream| stream.last_seq)
}

/// JetStream: "no suitable peers for placement".
const NO_SUITABLE_PEERS: u64 = 10005;

pub struct Stranger(pub Client);

impl Stranger {
    /// Logs in as any NATS tool would that was given the region's own password.
    pub async fn connect(access: &Access, url: &str) -> Self {
        let password = access.secrets.client.clone();
        let options = ConnectOptions::with_user_and_password(USER.into(), password)
            .name("stranger")
            .request_timeout(Some(Duration::from_secs(5)));
        Self(options.connect(url).await.unwrap())
    }

    /// A call of the API, which must succeed. While servers find each other after an election, it is
    /// called again.
    #[track_caller]
    pub fn call(&self, call: String, body: Value) -> impl Future<Output = Value> {
        let client = self.0.clone();
        async move {
            let deadline = Instant::now() + Duration::from_secs(30);
            loop {
                let answer = Self(client.clone()).try_call(&call, body.clone()).await;
                let Some(error) = answer.get("error") else { return answer };
                let passes = error["err_code"] == NO_SUITABLE_PEERS && Instant::now() < deadline;
                assert!(passes, "{call}: {answer}");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }

    pub async fn try_call(&self, call: &str, body: Value) -> Value {
        let payload = if body.is_null() { String::new() } else { body.to_string() };
        let reply = self.0.request(format!("$JS.API.{call}"), payload.into()).await.unwrap();
        serde_json::from_slice(&reply.payload).unwrap()
    }

    pub async fn stream_config(&self) -> Value {
        let mut info = self.call(format!("STREAM.INFO.{STREAM}"), Value::Null).await;
        info["config"].as_object_mut().unwrap().remove("metadata");
        info["config"].take()
    }

    pub async fn update_stream(&self, change: impl FnOnce(&mut Value)) {
        let mut config = self.stream_config().await;
        change(&mut config);
        self.call(format!("STREAM.UPDATE.{STREAM}"), config).await;
    }

    pub async fn consumer_config(&self, name: &str) -> Value {
        let mut info = self.call(format!("CONSUMER.INFO.{STREAM}.{name}"), Value::Null).await;
        info["config"].as_object_mut().unwrap().remove("metadata");
        info["config"].take()
    }

    pub async fn put_consumer(&self, name: &str, config: Value) {
        let body = json!({"stream_name": STREAM, "config": config});
        self.call(format!("CONSUMER.CREATE.{STREAM}.{name}"), body).await;
    }

    pub async fn update_consumer(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut config = self.consumer_config(name).await;
        change(&mut config);
        self.put_consumer(name, config).await;
    }

    pub async fn recreate_consumer(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut config = self.consumer_config(name).await;
        self.delete_consumer(name).await;
        change(&mut config);
        self.put_consumer(name, config).await;
    }

    pub async fn delete_consumer(&self, name: &str) {
        self.call(format!("CONSUMER.DELETE.{STREAM}.{name}"), Value::Null).await;
    }

    pub async fn pause_consumer(&self, name: &str) {
        let body = json!({"pause_until": "2099-01-01T00:00:00Z"});
        self.call(format!("CONSUMER.PAUSE.{STREAM}.{name}"), body).await;
    }

    pub async fn delete_stream(&self) {
        self.call(format!("STREAM.DELETE.{STREAM}"), Value::Null).await;
    }

    pub async fn recreate_stream(&self, change: impl FnOnce(&mut Value)) {
        let mut config = self.stream_config().await;
        self.delete_stream().await;
        change(&mut config);
        self.call(format!("STREAM.CREATE.{STREAM}"), config).await;
    }
}
