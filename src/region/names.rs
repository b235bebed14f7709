//! The names of zones and nodes, and what may be one.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Nodes in every zone: the original plan's three, enough for R3.
pub const NODES_PER_ZONE: u8 = 3;
/// The longest zone name, so that a pane's title and a container's name stay readable.
const LONGEST: usize = 12;

/// A zone's short name: `a`, `b`, `paris-1`. Its long form, `zone-a`, is understood as well.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ZoneName(String);

/// Why a text is not the name of a zone or a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a zone name.
    #[error(
        "`{0}` is not a zone name: use 1 to 12 of a-z, 0-9 and `-`, starting with a letter (like `b`)"
    )]
    Zone(String),
    /// Not a node name.
    #[error("`{0}` is not a node name: nodes are called like `js2-zone-b`, numbers 1 to 3")]
    Node(String),
}

impl ZoneName {
    /// The short name, `b`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The long name, `zone-b`: the zone's JetStream domain and cluster name.
    #[must_use]
    pub fn long(&self) -> String {
        format!("zone-{}", self.0)
    }

    /// The zone's three nodes in order.
    pub fn nodes(&self) -> impl Iterator<Item = NodeName> + '_ {
        (1..=NODES_PER_ZONE).map(|number| NodeName { number, zone: self.clone() })
    }
}

impl FromStr for ZoneName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let short = text.strip_prefix("zone-").unwrap_or(text);
        let fits = !short.is_empty()
            && short.len() <= LONGEST
            && short != "all"
            // Its own short form would be read as another zone's long one.
            && !short.starts_with("zone-")
            && short.starts_with(|c: char| c.is_ascii_lowercase())
            && !short.ends_with('-')
            && short.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if fits { Ok(Self(short.to_owned())) } else { Err(NameError::Zone(text.to_owned())) }
    }
}

impl TryFrom<String> for ZoneName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<ZoneName> for String {
    fn from(name: ZoneName) -> Self {
        name.0
    }
}

impl fmt::Display for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "zone {}", self.0)
    }
}

/// One of a zone's nodes: `js2-zone-b`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct NodeName {
    /// The zone the node belongs to.
    pub zone: ZoneName,
    pub number: u8,
}

impl FromStr for NodeName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let wrong = || NameError::Node(text.to_owned());
        let (number, zone) =
            text.strip_prefix("js").and_then(|rest| rest.split_once('-')).ok_or_else(wrong)?;
        let number = match number.as_bytes() {
            [digit @ b'1'..=b'9'] if digit - b'0' <= NODES_PER_ZONE => digit - b'0',
            _ => return Err(wrong()),
        };
        Ok(Self { zone: zone.parse().map_err(|_| wrong())?, number })
    }
}

impl TryFrom<String> for NodeName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("js{}-zone-{}", self.number, self.zone))
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zone_names_are_short_or_long() {
        assert_eq!("b".parse::<ZoneName>().unwrap(), "zone-b".parse().unwrap());
        assert_eq!("paris-1".parse::<ZoneName>().unwrap().long(), "zone-paris-1");
        for bad in
            ["", "B", "1a", "a_b", "a.b", "zone-", "all", "a-", "abcdefghijklm", "ä", "zone-zone-a"]
        {
            assert!(bad.parse::<ZoneName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn node_names_round_trip() {
        let node: NodeName = "js2-zone-b".parse().unwrap();
        assert_eq!(node.to_string(), "js2-zone-b");
        assert_eq!("js2-b".parse::<NodeName>().unwrap(), node);
        for bad in [
            "js0-zone-a",
            "js+1-zone-a",
            "js01-zone-a",
            "js4-zone-a",
            "js-zone-a",
            "js1",
            "zone-a",
            "js1-zone-A",
        ] {
            assert!(bad.parse::<NodeName>().is_err(), "{bad}");
        }
    }
}
