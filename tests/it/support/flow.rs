//! Real nats-servers on free ports, and an evidence keeper that only remembers.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_nats::{Client, ConnectOptions, jetstream};
use tempfile::TempDir;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use zonedrill::{
    command::{Produce, Rate, Size},
    ledger::{
        message::{Decoded, Fault, MessageId, RunId, decode},
        record::Record,
    },
    nats::{
        audit::{Found, read_stream},
        configuration::wanted::DUPLICATE_WINDOW,
        consumer::{ConsumerReport, ConsumerTask, Control},
        evidence::Evidence,
        producer::{Job, JobProgress, JobReport, Producer},
    },
    platform::local::ports::{free_base, give_back},
    region::{
        Role, ZonePlan,
        topology::{DEFAULT_PORT_BASE, STREAM, SUBJECTS},
    },
};

/// How long the streams of these tests remember ids, as far as producers go by it.
pub const REMEMBERED: Duration = DUPLICATE_WINDOW;

/// One server or three, ended when dropped.
pub struct Servers {
    folder: TempDir,
    ports: Vec<u16>,
    running: Vec<Option<Child>>,
}

impl Servers {
    /// Starts `count` servers of one cluster, each with JetStream in domain `zone-a`.
    pub fn start(count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Ports that no outgoing connection of anyone gets before the servers listen.
        let base = free_base(1).expect("free ports");
        let zone = ZonePlan::new("a".parse().unwrap(), Role::Source, 0, base);
        let nodes = &zone.nodes[..count];
        let ports: Vec<u16> = nodes.iter().map(|node| node.client_port).collect();
        let routes: Vec<u16> = nodes.iter().map(|node| node.cluster_port).collect();
        for (number, port) in ports.iter().enumerate() {
            let store = folder.path().join(format!("js{number}"));
            let cluster = if count == 1 {
                String::new()
            } else {
                let urls: Vec<String> =
                    routes.iter().map(|port| format!("\"nats://127.0.0.1:{port}\"")).collect();
                format!(
                    "cluster {{ name: zone-a, listen: \"127.0.0.1:{}\", routes: [{}] }}\n",
                    routes[number],
                    urls.join(", ")
                )
            };
            let text = format!(
                "server_name: js{number}\nlisten: \"127.0.0.1:{port}\"\nlog_file: \"{}\"\n\
                 jetstream {{ store_dir: \"{}\", domain: zone-a }}\n{cluster}",
                folder.path().join(format!("{number}.log")).display(),
                store.display()
            );
            std::fs::write(folder.path().join(format!("{number}.conf")), text).unwrap();
        }
        let mut servers = Self { ports, running: (0..count).map(|_| None).collect(), folder };
        for number in 0..count {
            servers.launch(number);
        }
        servers
    }

    /// Starts a server (again) with its data.
    pub fn launch(&mut self, number: usize) {
        let child = Command::new(super::server::nats_server())
            .arg("-c")
            .arg(self.folder.path().join(format!("{number}.conf")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.running[number] = Some(child);
    }

    /// SIGKILL.
    pub fn kill(&mut self, number: usize) {
        if let Some(mut child) = self.running[number].take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends a signal (SIGSTOP, SIGCONT) to a server.
    pub fn signal(&self, number: usize, signal: rustix::process::Signal) {
        let child = self.running[number].as_ref().unwrap();
        let pid = rustix::process::Pid::from_child(child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub fn url(&self, number: usize) -> String {
        format!("nats://127.0.0.1:{}", self.ports[number])
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A connection to the servers in order, the first one preferred.
    pub async fn client(&self) -> Client {
        let urls: Vec<async_nats::ServerAddr> =
            (0..self.ports.len()).map(|number| self.url(number).parse().unwrap()).collect();
        let options = ConnectOptions::new()
            .retain_servers_order()
            .connection_timeout(Duration::from_secs(1))
            .ping_interval(Duration::from_secs(2))
            .reconnect_delay_callback(|_| Duration::from_millis(50));
        for _ in 0..200 {
            if let Ok(client) = options.clone().connect(&urls[..]).await {
                return client;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("no server answers; logs in {}", self.folder().display());
    }

    /// The drill's stream with as many replicas as there are servers, and a durable for each of
    /// `consumers`.
    pub async fn stream(&self, client: &Client, consumers: &[&str]) -> jetstream::stream::Stream {
        let config = jetstream::stream::Config {
            name: STREAM.into(),
            subjects: vec![SUBJECTS.into()],
            num_replicas: self.ports.len(),
            duplicate_window: Duration::from_secs(600),
            ..Default::default()
        };
        let context = jetstream::new(client.clone());
        let deadline = Instant::now() + Duration::from_secs(60);
        let stream = loop {
            match context.create_stream(config.clone()).await {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            sleep(Duration::from_millis(100)).await;
        };
        for consumer in consumers {
            stream
                .create_consumer(jetstream::consumer::pull::Config {
                    durable_name: Some((*consumer).into()),
                    ack_wait: Duration::from_secs(2),
                    max_ack_pending: 10_000,
                    ..Default::default()
                })
                .await
                .unwrap();
        }
        stream
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for number in 0..self.running.len() {
            self.kill(number);
        }
        give_back(self.ports[0]);
    }
}

/// What a keeper would have written to disk.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<Vec<Record>>>);

impl Kept {
    /// A keeper that remembers and says "written".
    pub fn keeper() -> (Evidence, Self) {
        let (evidence, mut inbox) = Evidence::channel();
        let kept = Self::default();
        let records = kept.clone();
        tokio::spawn(async move {
            while let Some(batch) = inbox.recv().await {
                records.0.lock().unwrap().extend(batch.records);
                if let Some(written) = batch.written {
                    let _ = written.send(Ok(()));
                }
            }
        });
        (evidence, kept)
    }

    pub fn all(&self) -> Vec<Record> {
        self.0.lock().unwrap().clone()
    }

    /// Acknowledged (number, sequence) pairs.
    pub fn acked(&self) -> Vec<(u64, u64)> {
        let mut acked = Vec::new();
        for record in self.all() {
            if let Record::Acked { n, c, s, .. } = record {
                acked.extend((0..c).map(|i| (n + i, s + i)));
            }
        }
        acked
    }

    /// Received (number, sequence, delivery) triples of a zone.
    pub fn received(&self, zone: &str) -> Vec<(u64, u64, u64)> {
        let mut received = Vec::new();
        for record in self.all() {
            if let Record::Received { z, n, s, c, r, .. } = record
                && z.as_str() == zone
            {
                received.extend((0..c).map(|i| (n + i, s + i, r)));
            }
        }
        received
    }
}

/// Which of the servers a client is connected to.
pub fn server_of(client: &Client) -> usize {
    client.server_info().server_name.strip_prefix("js").unwrap().parse().unwrap()
}

/// Waits until something holds, up to `seconds`.
pub async fn until(what: &str, seconds: u64, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !holds().await {
        assert!(Instant::now() < deadline, "not within {seconds} s: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

pub fn run_id() -> RunId {
    RunId::from_number(4711)
}

pub fn range(from: u64, to: u64, interval_ms: u64) -> Produce {
    Produce::Range { from, to, interval: Duration::from_millis(interval_ms), size: Size(128) }
}

pub fn burst(count: Option<u64>, rate: Option<&str>) -> Produce {
    let rate = rate.map(|rate| rate.parse::<Rate>().unwrap());
    Produce::Burst { count, rate, size: Size(128) }
}

/// A job at work.
pub struct Producing {
    pub task: JoinHandle<JobReport>,
    pub progress: watch::Receiver<JobProgress>,
    pub stop: CancellationToken,
}

pub fn produce(client: &Client, evidence: &Evidence, number: u32, produce: Produce) -> Producing {
    let producer = Producer::new(client.clone(), run_id(), evidence.clone());
    let (sender, progress) = watch::channel(JobProgress::default());
    let stop = CancellationToken::new();
    let job = Job { producer: number, produce, first_number: 1, remembered: REMEMBERED };
    let token = stop.clone();
    let task = tokio::spawn(async move { producer.run(job, sender, token).await.unwrap() });
    Producing { task, progress, stop }
}

impl Producing {
    /// Waits until its progress is so.
    pub async fn shows(&mut self, wanted: impl FnMut(&JobProgress) -> bool) {
        let seen = self.progress.wait_for(wanted);
        timeout(Duration::from_secs(60), seen).await.expect("it comes to that").unwrap();
    }

    pub async fn end(self, seconds: u64) -> JobReport {
        timeout(Duration::from_secs(seconds), self.task).await.expect("the job goes on").unwrap()
    }
}

/// A consumer at work.
pub struct Consuming {
    pub task: ConsumerTask,
    pub control: watch::Sender<Control>,
    pub report: watch::Receiver<ConsumerReport>,
}

pub fn consume(client: &Client, evidence: &Evidence, zone: &str) -> Consuming {
    let (control, orders) = watch::channel(Control::default());
    let (sender, report) = watch::channel(ConsumerReport::default());
    let task = ConsumerTask::spawn(
        client.clone(),
        &ZonePlan::new(zone.parse().unwrap(), Role::Source, 0, DEFAULT_PORT_BASE),
        run_id(),
        evidence.clone(),
        orders,
        sender,
        None,
    );
    Consuming { task, control, report }
}

/// A message as it was read, kept.
pub struct Entry {
    pub seq: u64,
    pub id: Option<MessageId>,
    pub subject_fits: bool,
    pub decoded: Result<Decoded, Fault>,
    pub payload: Vec<u8>,
}

impl From<&zonedrill::ledger::audit::Entry<'_>> for Entry {
    fn from(entry: &zonedrill::ledger::audit::Entry<'_>) -> Self {
        Self {
            seq: entry.seq,
            id: entry.id.and_then(|id| id.parse().ok()),
            subject_fits: entry.subject_fits,
            decoded: decode(entry.payload),
            payload: entry.payload.to_vec(),
        }
    }
}

pub async fn audit(client: &Client, last: u64) -> (Vec<Entry>, Found) {
    let mut entries = Vec::new();
    let found =
        read_stream(client, 1..=last, |entry| entries.push(entry.into()), |_| {}).await.unwrap();
    (entries, found)
}
