//! Connections to a zone's servers that are nobody's of the region.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::region::{UnixMs, names::NodeName};

words! {
    /// What a foreign connection is.
    pub enum ForeignKind {
        Client = "client",
        /// A nats-server in the zone's cluster.
        Route = "route",
        /// A nats-server over the leafnode port.
        Leafnode = "leafnode",
    }
}

/// A connection that is not the room's, not a mirror's and not between the zone's own nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Foreign {
    pub kind: ForeignKind,
    /// The node it is connected to.
    pub node: NodeName,
    /// Its number there.
    pub cid: u64,
    /// The name it gave; of a server its name.
    pub name: String,
    /// The user it logged in as; of a server the route's or the leafnode's account.
    pub user: String,
    pub host: String,
    pub since_at_ms: UnixMs,
    /// The user may look and change nothing: no drill is void for it.
    pub looks: bool,
}

impl Foreign {
    /// Is it the same connection?
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        (self.kind, &self.node, self.cid) == (other.kind, &other.node, other.cid)
    }

    /// `client stranger (user zonedrill, 127.0.0.1)`.
    #[must_use]
    pub fn who(&self) -> String {
        let name = if self.name.is_empty() { "without a name" } else { &self.name };
        let what = match self.kind {
            ForeignKind::Client => "client",
            ForeignKind::Route => "server",
            ForeignKind::Leafnode => "leafnode server",
        };
        let user =
            if self.user.is_empty() { String::new() } else { format!("user {}, ", self.user) };
        format!("{what} {name} ({user}{})", self.host)
    }
}

/// What it did, as a sentence.
impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (who, node, zone) = (self.who(), &self.node, &self.node.zone);
        match (self.kind, self.looks) {
            (ForeignKind::Client, true) => write!(f, "{who} looks in at {node}"),
            (ForeignKind::Client, false) => write!(f, "{who} connected to {node}"),
            (ForeignKind::Route, _) => {
                write!(f, "{who} joined the cluster of zone {zone} at {node}")
            }
            (ForeignKind::Leafnode, _) => write!(f, "{who} linked itself to {node}"),
        }
    }
}
