//! Who is connected to a server and is nobody of the region: clients that are not the room's, servers
//! that are not its nodes.
//!
//! Asked for every few seconds, and at once when the server tells that a client has connected: one
//! that is gone again within milliseconds is not missed.

use std::time::Duration;

use async_nats::Client;
use serde::Deserialize;
use tokio::time::Instant;

use super::{connect::is_own, system, wire::now_ms};
use crate::{
    command::readable,
    region::{
        NodeName, UnixMs, ZonePlan,
        access::LOOKER,
        observation::LeafReport,
        status::{Foreign, ForeignKind},
    },
};

/// How often a server is asked.
const EVERY: Duration = Duration::from_millis(2500);
/// The least time between two questions, however many clients come and go.
const AT_LEAST: Duration = Duration::from_millis(250);
/// The most that are told of one node at a time.
const MOST: usize = 16;
/// Who is connected, with user names; more than the room's own connections and [`MOST`] others.
const OPTIONS: &[u8] = br#"{"auth":true,"limit":256}"#;
/// What a server tells of each client that connects.
pub(super) const CONNECTED: &str = "$SYS.ACCOUNT.*.CONNECT";

/// What is known of a node's foreign connections between two questions.
#[derive(Default)]
pub(super) struct Strangers {
    /// Clients that connected since.
    heard: Vec<Foreign>,
    asked: Option<Instant>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Connection {
    #[serde(alias = "id", alias = "rid")]
    cid: u64,
    kind: String,
    name: String,
    /// Of a route: the server at its other end.
    remote_name: Option<String>,
    #[serde(alias = "user")]
    authorized_user: String,
    #[serde(alias = "host")]
    ip: String,
    start: String,
}

impl Connection {
    /// A client that is not the room's. Links are listed as connections, too; and who has not
    /// logged in yet has no name, be it the room's, and can do nothing.
    fn is_strange(&self) -> bool {
        let logged_in = !self.authorized_user.is_empty();
        logged_in && matches!(self.kind.as_str(), "Client" | "") && !is_own(&self.name)
    }

    fn told(self, kind: ForeignKind, zone: &ZonePlan, node: &NodeName) -> Foreign {
        let (user, known) = (readable(&self.authorized_user), LOOKER.0);
        Foreign {
            kind,
            node: node.clone(),
            cid: self.cid,
            name: readable(&self.name),
            looks: kind == ForeignKind::Client && user == known && !zone.access.open,
            user,
            host: readable(&self.ip),
            since_at_ms: moment(&self.start).unwrap_or_else(now_ms),
        }
    }
}

/// A moment as a server prints it.
fn moment(text: &str) -> Option<UnixMs> {
    let at: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok()
}

impl Strangers {
    /// A server told that a client connected to it. Is it a foreign one?
    pub(super) fn hear(&mut self, zone: &ZonePlan, node: &NodeName, payload: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Event {
            client: Connection,
        }
        let Ok(Event { client }) = serde_json::from_slice(payload) else { return false };
        let foreign = client.is_strange();
        if foreign && self.heard.len() < MOST {
            self.heard.push(client.told(ForeignKind::Client, zone, node));
        }
        foreign
    }

    /// Is it time to ask?
    pub(super) fn due(&self) -> bool {
        let every = if self.heard.is_empty() { EVERY } else { AT_LEAST };
        self.asked.is_none_or(|asked| asked.elapsed() >= every)
    }

    /// Everybody foreign at a node, with those who were heard of and are gone; `None` if it does not
    /// answer.
    pub(super) async fn ask(
        &mut self,
        client: &Client,
        zone: &ZonePlan,
        node: &NodeName,
        timeout: Duration,
    ) -> Option<Vec<Foreign>> {
        #[derive(Deserialize)]
        struct Listed {
            #[serde(default, alias = "routes")]
            connections: Option<Vec<Connection>>,
        }
        let (clients, routes) = tokio::join!(
            system::ask::<Listed>(client, "CONNZ", OPTIONS, timeout),
            system::ask::<Listed>(client, "ROUTEZ", b"", timeout)
        );
        let list = |said: system::Said<Listed>| said.data.connections.unwrap_or_default();
        let clients = list(clients?).into_iter().filter(Connection::is_strange);
        let mut found: Vec<Foreign> =
            clients.map(|one| one.told(ForeignKind::Client, zone, node)).collect();
        let nodes: Vec<String> = zone.nodes.iter().map(|node| node.name.to_string()).collect();
        for mut route in list(routes?) {
            // Servers that do not tell the name are too old to be judged.
            let Some(name) = route.remote_name.take().filter(|name| !nodes.contains(name)) else {
                continue;
            };
            route.name = name;
            let mut one = route.told(ForeignKind::Route, zone, node);
            one.user = crate::region::access::ROUTE_USER.into();
            // A route is a pool of connections; one of them stands for all.
            if !found.iter().any(|known| known.kind == one.kind && known.name == one.name) {
                found.push(one);
            }
        }
        self.asked = Some(Instant::now());
        let gone = self.heard.drain(..).filter(|one| !found.iter().any(|known| known.is(one)));
        let gone: Vec<Foreign> = gone.collect();
        found.extend(gone);
        found.truncate(MOST);
        Some(found)
    }
}

/// The leafnode connections whose other end is no node of any zone.
pub(super) fn leafs(node: &NodeName, leafs: &[LeafReport]) -> Vec<Foreign> {
    let foreign = leafs.iter().filter(|leaf| leaf.name.parse::<NodeName>().is_err());
    foreign
        .map(|leaf| Foreign {
            kind: ForeignKind::Leafnode,
            node: node.clone(),
            cid: leaf.id,
            name: readable(&leaf.name),
            user: crate::region::access::LEAF_USER.into(),
            host: readable(&leaf.host),
            since_at_ms: now_ms(),
            looks: false,
        })
        .take(MOST)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        nats::connect::own_name,
        region::{
            Role,
            access::{Access, Secrets},
        },
    };

    fn plan(open: bool) -> ZonePlan {
        let plan = ZonePlan::new("b".parse().unwrap(), Role::Mirror, 1, 15222);
        plan.with_access(&Access::new(Secrets::default(), open))
    }

    /// As nats-server 2.15.1 tells it, shortened.
    fn event(name: &str, user: &str, kind: &str) -> Vec<u8> {
        serde_json::json!({
            "server": {"id": "N", "name": "js1-zone-b"},
            "client": {"start": "2026-11-28T11:47:30.22Z", "host": "127.0.0.1", "id": 39,
                "acc": "APP", "user": user, "name": name, "kind": kind, "client_type": "nats"},
        })
        .to_string()
        .into_bytes()
    }

    #[test]
    fn own_connections_and_links_are_not_foreign() {
        let (zone, mut strangers) = (plan(false), Strangers::default());
        let node = &zone.nodes[0].name;
        assert!(!strangers.hear(
            &zone,
            node,
            &event(&own_name("zonedrill"), "zonedrill", "Client")
        ));
        assert!(!strangers.hear(&zone, node, &event("js1-zone-a", "leaf", "Leafnode")));
        assert!(!strangers.hear(&zone, node, b"nonsense"));
        assert!(strangers.hear(&zone, node, &event("evil\u{1b}[2J", "zonedrill", "Client")));
        let one = &strangers.heard[0];
        assert_eq!(one.who(), "client evil\u{fffd}[2J (user zonedrill, 127.0.0.1)");
        assert_eq!((one.cid, one.since_at_ms), (39, 1_795_866_450_220));
        assert!(!one.looks);
    }

    #[test]
    fn who_can_only_look_is_told_from_who_can_change_things() {
        for (open, user, looks) in [(false, "admin", true), (true, "admin", false)] {
            let (zone, mut strangers) = (plan(open), Strangers::default());
            assert!(strangers.hear(&zone, &zone.nodes[0].name, &event("", user, "Client")));
            assert_eq!(strangers.heard[0].looks, looks, "{user}, open: {open}");
        }
    }
}
