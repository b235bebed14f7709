//! Who may log in at a region's servers, and with what.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// The user of the drill's own clients.
pub const USER: &str = "zonedrill";
/// User and password of whoever wants to look: it may read, and change nothing unless the region is
/// open.
pub const LOOKER: (&str, &str) = ("admin", "admin");
/// The user of the system account, for observation.
pub const SYSTEM_USER: &str = "sys";
/// The user of a mirror zone's leafnode connections: least privilege.
pub const LEAF_USER: &str = "leaf";
/// The user of the routes between the nodes of a zone.
pub const ROUTE_USER: &str = "route";

/// A region's passwords, each random and its own.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    pub client: String,
    pub leaf: String,
    pub route: String,
    pub system: String,
}

impl Secrets {
    /// Whether each is there and can stand in a URL and in a configuration as it is.
    #[must_use]
    pub fn are_usable(&self) -> bool {
        [&self.client, &self.leaf, &self.route, &self.system].into_iter().all(|secret| {
            !secret.is_empty()
                && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
    }
}

/// A secret of somebody else's cluster. It has no `Serialize`: no document can hold it by mistake.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// One that was read.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself: for a connection, or a file that a NATS client reads.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Whatever prints a plan must not print its passwords.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(***)")
    }
}

/// How to log in at a zone's servers. Never written down with the plan that carries it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    pub secrets: Arc<Secrets>,
    /// [`LOOKER`] may change everything.
    pub open: bool,
}

impl Access {
    /// Access with these passwords.
    #[must_use]
    pub fn new(secrets: Secrets, open: bool) -> Self {
        Self { secrets: Arc::new(secrets), open }
    }
}
