//! Who is connected to a server and is nobody of the region: clients that are not the room's, servers
//! that are not its nodes.
//!
//! Asked for every few seconds, and at once when the server tells that a client has connected: one
//! that is gone again within milliseconds is not missed.

use std::{collections::BTreeSet, time::Duration};

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
/// The most that are told of one node at a time: of those who stay, and of those who are new.
const MOST: usize = 16;
/// The most that are remembered in full between two questions; of the rest the numbers are.
const HEARD: usize = 256;
/// The most connections' numbers that are remembered.
const NUMBERS: usize = 1 << 16;
/// Who is connected, with user names; more than the room's own connections and [`MOST`] others.
const OPTIONS: &[u8] = br#"{"auth":true,"limit":256}"#;
/// What a server tells of each client that connects.
pub(super) const CONNECTED: &str = "$SYS.ACCOUNT.*.CONNECT";

/// What is known of a node's foreign connections between two questions.
#[derive(Default)]
pub(super) struct Strangers {
    /// Clients that connected since.
    heard: Vec<Foreign>,
    /// The numbers of the clients beyond those: one that is listed as well is not counted twice.
    beyond: BTreeSet<u64>,
    /// Clients beyond those.
    uncounted: u64,
    /// Clients that were listed before the server's word of them came, however late it comes.
    early: BTreeSet<u64>,
    /// Who was listed last.
    known: BTreeSet<(&'static str, u64)>,
    asked: Option<Instant>,
}

/// Who is foreign at a node.
pub(super) struct Seen {
    /// Those who stay, and those who came.
    pub(super) all: Vec<Foreign>,
    /// How many more came.
    pub(super) unlisted: u64,
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
        if !client.is_strange() {
            return false;
        }
        if self.early.remove(&client.cid) {
            return true;
        }
        if self.heard.len() < HEARD {
            self.heard.push(client.told(ForeignKind::Client, zone, node));
        } else if self.beyond.len() < NUMBERS {
            self.beyond.insert(client.cid);
        } else {
            self.uncounted += 1;
        }
        true
    }

    /// Is it time to ask?
    pub(super) fn is_due(&self) -> bool {
        let every = if self.heard.is_empty() { EVERY } else { AT_LEAST };
        self.asked.is_none_or(|asked| asked.elapsed() >= every)
    }

    /// When to ask about those who were heard of; `None` if nobody was.
    pub(super) fn heard_due(&self) -> Option<Instant> {
        let asked = self.asked.filter(|_| !self.heard.is_empty())?;
        Some(asked + AT_LEAST)
    }

    /// Everybody foreign who is connected to a node now; `None` if it does not answer.
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
        self.asked = Some(Instant::now());
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
        Some(found)
    }

    /// The server was started again, and counts its connections anew.
    pub(super) fn counts_anew(&mut self) {
        self.known.clear();
        self.early.clear();
    }

    /// Of those who are listed now and those who were heard of: whom to tell, and how many not.
    /// Who is counted here is to be told, as nobody is counted twice.
    pub(super) fn sort(&mut self, listed: Vec<Foreign>) -> Seen {
        let key = |one: &Foreign| (one.kind.as_str(), one.cid);
        let now: BTreeSet<_> = listed.iter().map(key).collect();
        let (mut all, new): (Vec<_>, Vec<_>) =
            listed.into_iter().partition(|one| self.known.contains(&key(one)));
        let heard = std::mem::take(&mut self.heard);
        let mut beyond = std::mem::take(&mut self.beyond);
        for one in new.iter().filter(|one| one.kind == ForeignKind::Client) {
            let told = beyond.remove(&one.cid) || heard.iter().any(|told| told.cid == one.cid);
            if !told {
                self.early.insert(one.cid);
            }
        }
        while self.early.len() > NUMBERS {
            self.early.pop_first();
        }
        let gone = heard.into_iter().filter(|one| !now.contains(&key(one)));
        let mut new: Vec<Foreign> = new.into_iter().chain(gone).collect();
        let untold = new.len().saturating_sub(MOST) + beyond.len();
        new.truncate(MOST);
        all.truncate(MOST);
        self.known = now;
        all.extend(new);
        Seen { all, unlisted: untold as u64 + std::mem::take(&mut self.uncounted) }
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
    fn a_storm_of_connections_is_told_in_part_and_the_rest_is_counted() {
        let (zone, mut strangers) = (plan(false), Strangers::default());
        let node = &zone.nodes[0].name;
        let one = |cid: u64| Connection {
            cid,
            authorized_user: "zonedrill".into(),
            kind: "Client".into(),
            ..Connection::default()
        };
        let told = |one: Connection| one.told(ForeignKind::Client, &zone, node);
        // Twenty stay, the first sixteen of them are told.
        let stay: Vec<Foreign> = (0..20).map(|cid| told(one(cid))).collect();
        let seen = strangers.sort(stay.clone());
        assert_eq!((seen.all.len(), seen.unlisted), (16, 4));
        assert_eq!(strangers.sort(stay.clone()).unlisted, 0);
        // Of a thousand who come and go some are told, though those who stay are as many already.
        let mut payload: serde_json::Value =
            serde_json::from_slice(&event("storm", "zonedrill", "Client")).unwrap();
        for cid in 100..1100 {
            payload["client"]["id"] = cid.into();
            assert!(strangers.hear(&zone, node, payload.to_string().as_bytes()));
        }
        let seen = strangers.sort(stay.clone());
        assert_eq!((seen.all.len(), seen.unlisted), (32, 1000 - 16));
        assert_eq!(seen.all.iter().filter(|one| one.name == "storm").count(), 16);
        let seen = strangers.sort(stay);
        assert_eq!((seen.all.len(), seen.unlisted), (16, 0));
    }

    #[test]
    fn a_client_that_is_heard_of_and_listed_is_counted_once() {
        let (zone, mut strangers) = (plan(false), Strangers::default());
        let node = &zone.nodes[0].name;
        let told = |cid: u64| {
            let one = Connection { cid, kind: "Client".into(), ..Connection::default() };
            one.told(ForeignKind::Client, &zone, node)
        };
        let mut payload: serde_json::Value =
            serde_json::from_slice(&event("storm", "zonedrill", "Client")).unwrap();
        let mut hear = |strangers: &mut Strangers, cid: u64| {
            payload["client"]["id"] = cid.into();
            assert!(strangers.hear(&zone, node, payload.to_string().as_bytes()));
        };
        let counted = |seen: Seen| seen.all.len() as u64 + seen.unlisted;
        // Listed before the server's word of it came, which comes after the next question.
        assert_eq!(counted(strangers.sort(vec![told(2000)])), 1);
        assert_eq!(counted(strangers.sort(Vec::new())), 0);
        hear(&mut strangers, 2000);
        assert_eq!(counted(strangers.sort(Vec::new())), 0);
        // Heard of after more than are remembered in full, and then listed.
        for cid in 3000..3400 {
            hear(&mut strangers, cid);
        }
        assert_eq!(counted(strangers.sort(vec![told(3399)])), 400);
        // Those who stay are listed still, and are no news.
        assert_eq!(strangers.sort(vec![told(3399)]).unlisted, 0);
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
