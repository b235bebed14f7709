//! Clusters that somebody else runs: two real servers, each a zone with a domain of its own, joined by
//! a leafnode connection, started without zonedrill and configured as the test wants.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use async_nats::{Client, ConnectOptions};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use nkeys::KeyPair;
use serde_json::{Value, json};
use zonedrill::platform::local::ports::{free_base, give_back};

use super::{nats::eventually, region::Ran, server::nats_server};

/// How long servers may take to come up, on a busy machine.
const UP: Duration = Duration::from_secs(30);

/// What the configurations of the two servers differ in from plain ones.
#[derive(Default)]
pub struct Setup {
    /// More users of account APP, in both zones.
    pub users: String,
    /// In place of accounts: a resolver, say.
    pub accounts: Option<String>,
    /// At the top of both configurations.
    pub top: String,
    /// Within the leafnodes block of zone a.
    pub leaf_listen: String,
    /// Within the remote of zone b, in place of the account.
    pub leaf_remote: Option<String>,
    pub leaf_scheme: Option<&'static str>,
}

/// Zone a (domain eu) and zone b (domain us).
pub struct Others {
    pub home: tempfile::TempDir,
    pub ports: [u16; 2],
    servers: Vec<Child>,
}

impl Others {
    /// Starts them with users and passwords: `admin` may do everything.
    pub fn start(setup: &Setup) -> Self {
        let home = tempfile::tempdir().unwrap();
        Self::start_in(home, setup)
    }

    /// The same in a folder that the setup names files of.
    pub fn start_in(home: tempfile::TempDir, setup: &Setup) -> Self {
        let server = nats_server();
        let ports = [free_base(1).expect("free ports"), free_base(1).expect("free ports")];
        let leaf = ports[0] + 2000;
        let mut others = Self { home, ports, servers: Vec::new() };
        let accounts = setup.accounts.clone().unwrap_or_else(|| {
            format!(
                "accounts {{ APP {{ jetstream: enabled, users: [{{user: admin, password: admin}} {}] }}\n SYS {{ users: [{{user: sys, password: sys}}] }} }}\nsystem_account: SYS\n",
                setup.users
            )
        });
        for (at, domain) in ["eu", "us"].into_iter().enumerate() {
            let folder = others.home.path().display();
            let leafnodes = if at == 0 {
                format!("leafnodes {{ listen: \"127.0.0.1:{leaf}\"\n{}\n}}", setup.leaf_listen)
            } else {
                let remote = setup.leaf_remote.clone().unwrap_or("account: APP".into());
                let scheme = setup.leaf_scheme.unwrap_or("nats-leaf");
                let login = if setup.accounts.is_some() { "" } else { "admin:admin@" };
                format!(
                    "leafnodes {{ reconnect_interval: \"200ms\", remotes: [{{ url: \"{scheme}://{login}127.0.0.1:{leaf}\", {remote} }}] }}"
                )
            };
            let text = format!(
                "server_name: {domain}-1\nlisten: \"127.0.0.1:{}\"\nlog_file: \"{folder}/{domain}.log\"\njetstream {{ store_dir: \"{folder}/{domain}\", domain: {domain} }}\n{}\n{accounts}\n{leafnodes}\n",
                ports[at], setup.top
            );
            let file = others.home.path().join(format!("{domain}.conf"));
            std::fs::write(&file, text).unwrap();
            let child = Command::new(server)
                .arg("-c")
                .arg(&file)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("a nats-server that starts");
            others.servers.push(child);
        }
        others
    }

    /// Ends a zone's server.
    pub fn stop(&mut self, zone: usize) {
        let server = &mut self.servers[zone];
        server.kill().unwrap();
        server.wait().unwrap();
    }

    /// The process of a zone's server.
    pub fn pid(&self, zone: usize) -> u32 {
        self.servers[zone].id()
    }

    pub fn url(&self, zone: usize) -> String {
        format!("127.0.0.1:{}", self.ports[zone])
    }

    /// A connection to a zone as `admin`, once its server is there.
    pub async fn admin(&self, zone: usize) -> Client {
        let options = || ConnectOptions::with_user_and_password("admin".into(), "admin".into());
        self.client(zone, options).await
    }

    pub async fn client(&self, zone: usize, options: impl Fn() -> ConnectOptions) -> Client {
        eventually("a server that takes clients", UP, async || {
            options().connect(self.url(zone)).await.ok()
        })
        .await
    }

    /// Makes `ORDERS` in zone a, a copy of it in zone b, and publishes some messages.
    pub async fn with_stream(&self, copied: &str, messages: u64) -> [Client; 2] {
        let clients = [self.admin(0).await, self.admin(1).await];
        fill(&clients, copied, messages).await;
        clients
    }

    /// The same with holes at the origin, before its copy was made: the copy holds 90 messages, the
    /// last of them the origin's 100th.
    pub async fn with_a_renumbered_copy(&self) -> [Client; 2] {
        let clients = self.with_stream("sources", 100).await;
        for seq in 10..20 {
            api(&clients[0], "STREAM.MSG.DELETE.ORDERS", json!({"seq": seq})).await;
        }
        api(&clients[1], "STREAM.DELETE.ORDERS", Value::Null).await;
        stream(&clients[1], copy("sources")).await;
        caught_up(&clients[1], 90).await;
        clients
    }

    /// Runs zonedrill on the region file of that text.
    pub fn run(&self, region: &str, words: &[&str]) -> Ran {
        let file = self.write("region.toml", region);
        let mut line = vec!["--region-file", file.to_str().unwrap()];
        line.extend(words);
        self.zonedrill(&line)
    }

    /// The same, on its way.
    pub fn begin(&self, region: &str, words: &[&str], out: Stdio) -> Child {
        let file = self.write("region.toml", region);
        let mut command = self.command(&["--region-file", file.to_str().unwrap()]);
        command.args(words).stdout(out).spawn().expect("zonedrill runs")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zonedrill"));
        command
            .args(words)
            .env("XDG_CONFIG_HOME", self.home.path().join("config"))
            .env("ZONEDRILL_HOME", self.home.path().join("home"))
            .env("OTHERS_PASSWORD", "admin")
            .stdin(Stdio::null());
        command
    }

    pub fn zonedrill(&self, words: &[&str]) -> Ran {
        let ran = self.command(words).output().expect("zonedrill runs");
        Ran {
            code: ran.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&ran.stdout).into_owned(),
            err: String::from_utf8_lossy(&ran.stderr).into_owned(),
        }
    }

    /// Writes a file in the region's folder.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        write(self.home.path(), name, text)
    }

    /// Writes a context of the `nats` command line.
    pub fn context(&self, name: &str, context: &Value) {
        self.write(&format!("config/nats/context/{name}.json"), &context.to_string());
    }

    /// A region file in which both zones are logged in at as that user.
    pub fn region(&self, user: &str, of_b: &str) -> String {
        let zone = |name: &str, at: usize| {
            format!(
                "[zone.{name}]\nurl = \"{}\"\nuser = \"{user}\"\npassword = \"{user}\"\n",
                self.url(at)
            )
        };
        format!("{HEAD}{}consumers = [\"billing\"]\n{}{of_b}", zone("a", 0), zone("b", 1))
    }
}

/// What begins a region file of the tests.
pub const HEAD: &str =
    "name = \"shop\"\nsource = \"a\"\nstream = \"ORDERS\"\nsubject = \"ORDERS.drill\"\n";

pub fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

impl Drop for Others {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
        for port in self.ports {
            give_back(port);
        }
        if std::thread::panicking() {
            for domain in ["eu", "us"] {
                let log = std::fs::read_to_string(self.home.path().join(format!("{domain}.log")));
                let log = log.unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(12).collect();
                eprintln!("--- {domain}");
                tail.iter().rev().for_each(|line| eprintln!("{line}"));
            }
        }
    }
}

/// One request to a zone's JetStream, until it is answered.
pub async fn api(client: &Client, what: &str, body: Value) -> Value {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    eventually(&format!("an answer to {what}"), UP, async || {
        let asked = client.request(format!("$JS.API.{what}"), body.clone().into()).await.ok()?;
        let answer: Value = serde_json::from_slice(&asked.payload).ok()?;
        // Not ready yet.
        (answer.pointer("/error/code") != Some(&json!(503))).then_some(answer)
    })
    .await
}

pub async fn stream(client: &Client, config: Value) {
    let name = config["name"].as_str().unwrap().to_owned();
    let made = api(client, &format!("STREAM.CREATE.{name}"), config).await;
    assert!(made.get("error").is_none(), "{made}");
}

/// The copy's configuration: `mirror` or `sources` of ORDERS in domain eu.
pub fn copy(copied: &str) -> Value {
    let origin =
        json!({"name": "ORDERS", "external": {"api": "$JS.eu.API", "deliver": "us.deliver"}});
    let origin = if copied == "sources" { json!([origin]) } else { origin };
    json!({"name": "ORDERS", "storage": "file", "allow_direct": true, copied: origin})
}

/// Makes the stream, its consumer and its copy, and waits until the copy has everything.
pub async fn fill(clients: &[Client; 2], copied: &str, messages: u64) {
    let orders = json!({"name": "ORDERS", "subjects": ["ORDERS.>"], "storage": "file", "allow_direct": true});
    stream(&clients[0], orders).await;
    let consumer = json!({"stream_name": "ORDERS", "config": {"durable_name": "billing", "ack_policy": "explicit"}});
    api(&clients[0], "CONSUMER.CREATE.ORDERS.billing", consumer).await;
    publish(&clients[0], 1..=messages).await;
    // A copy made before the link is there waits for a back-off.
    eventually("the link", UP, async || {
        let asked = clients[1].request("$JS.eu.API.STREAM.INFO.ORDERS", "".into()).await.ok()?;
        serde_json::from_slice::<Value>(&asked.payload).ok()?.get("config").cloned()
    })
    .await;
    stream(&clients[1], copy(copied)).await;
    caught_up(&clients[1], messages).await;
}

pub async fn caught_up(client: &Client, messages: u64) {
    eventually("the copy has everything", Duration::from_secs(60), async || {
        let info = api(client, "STREAM.INFO.ORDERS", Value::Null).await;
        (info["state"]["messages"] == messages).then_some(())
    })
    .await;
}

/// Publishes numbered messages with ids.
pub async fn publish(client: &Client, numbers: std::ops::RangeInclusive<u64>) {
    publish_on(client, "ORDERS.new", numbers).await;
}

pub async fn publish_on(
    client: &Client,
    subject: &'static str,
    numbers: std::ops::RangeInclusive<u64>,
) {
    let context = async_nats::jetstream::new(client.clone());
    let mut acks = Vec::new();
    for number in numbers {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Nats-Msg-Id", format!("id-{number}"));
        let payload = format!("order {number}").into();
        let ack = context.publish_with_headers(subject, headers, payload).await.unwrap();
        acks.push(ack);
        if acks.len() == 200 {
            for ack in acks.drain(..) {
                ack.await.unwrap();
            }
        }
    }
    for ack in acks {
        ack.await.unwrap();
    }
}

/// A JWT of the nkeys format, for an operator, an account or a user.
pub fn jwt(issuer: &KeyPair, subject: &KeyPair, name: &str, nats: &Value, expires: i64) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let mut claims = json!({
        "jti": name, "iat": 1_700_000_000, "iss": issuer.public_key(), "name": name,
        "sub": subject.public_key(), "nats": nats,
    });
    if expires != 0 {
        claims["exp"] = expires.into();
    }
    let head = part(&json!({"typ": "JWT", "alg": "ed25519-nkey"}));
    let signed = format!("{head}.{}", part(&claims));
    let signature = issuer.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// A creds file.
pub fn creds(jwt: &str, user: &KeyPair) -> String {
    format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        user.seed().unwrap()
    )
}

/// An operator with its system account and account APP, as a server's configuration has them, and what
/// signs users of APP.
pub fn operator() -> (String, KeyPair) {
    let (operator, system, app) =
        (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_account());
    let account = |of: &KeyPair, name: &str, limits: Value| {
        let unlimited = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
            "conn": -1, "leaf": -1,
        });
        let mut all = unlimited;
        all.as_object_mut().unwrap().extend(limits.as_object().unwrap().clone());
        jwt(&operator, of, name, &json!({"limits": all, "type": "account", "version": 2}), 0)
    };
    let own = json!({"type": "operator", "version": 2, "system_account": system.public_key()});
    let own = jwt(&operator, &operator, "op", &own, 0);
    let storage = json!({"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1});
    let text = format!(
        "operator: {own}\nsystem_account: {0}\nresolver: MEMORY\nresolver_preload: {{\n  {0}: {1}\n  {2}: {3}\n}}\n",
        system.public_key(),
        account(&system, "SYS", json!({})),
        app.public_key(),
        account(&app, "APP", storage),
    );
    (text, app)
}
