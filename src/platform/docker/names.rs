//! How everything of a region is called in the engine, and how it is found again.

use std::collections::HashMap;

use crate::region::{NodeName, ZoneName, topology::DEFAULT_REGION};

/// The label with the region's name; on containers, networks and volumes.
pub const REGION_LABEL: &str = "zonedrill.region";
/// The label with the zone's name.
pub const ZONE_LABEL: &str = "zonedrill.zone";
/// The label with the node's name.
pub const NODE_LABEL: &str = "zonedrill.node";
/// The label with the published client port.
pub const PORT_LABEL: &str = "zonedrill.port";
/// The label with the server's version.
pub const VERSION_LABEL: &str = "zonedrill.version";
/// The names of one region.
#[derive(Clone, Debug)]
pub struct Names(String);

impl Names {
    /// Those of region `region`.
    pub fn new(region: &str) -> Self {
        Self(region.to_owned())
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.0
    }

    /// A node's container. Container names are the engine's, not the region's: only one region can
    /// have the plain ones, and it is the default one.
    pub fn container(&self, node: &NodeName) -> String {
        if self.0 == DEFAULT_REGION { node.to_string() } else { format!("{}-{node}", self.0) }
    }

    /// A zone's own network.
    pub fn zone_network(&self, zone: &ZoneName) -> String {
        format!("zonedrill-{}-{}", self.0, zone.long())
    }

    /// The network of the links. Sorts after every zone's: published ports follow the gateway,
    /// which the engine takes from the first network by name.
    pub fn wan(&self) -> String {
        format!("zonedrill-{}-zz-wan", self.0)
    }

    /// The zone's compose project.
    pub fn project(&self, zone: &ZoneName) -> String {
        self.zone_network(zone)
    }

    /// A node's data.
    pub fn volume(&self, node: &NodeName) -> String {
        format!("zonedrill-{}-{node}", self.0)
    }

    /// A filter for everything of the region, or of one zone. What it lets through still has to be
    /// [of the region](Self::owns).
    pub fn filter(&self, zone: Option<&ZoneName>) -> HashMap<String, Vec<String>> {
        let mut labels = vec![format!("{REGION_LABEL}={}", self.0)];
        labels.extend(zone.map(|zone| format!("{ZONE_LABEL}={zone}")));
        HashMap::from([("label".to_owned(), labels)])
    }

    /// Do these labels say that it is of the region, or of one of its zones? Asked of everything
    /// before it is touched: not every engine lists only what has all the labels it was asked for
    /// (Podman 4.3 lists volumes that have any of them).
    pub fn owns(&self, labels: &HashMap<String, String>, zone: Option<&ZoneName>) -> bool {
        let is = |label: &str, wanted: &str| labels.get(label).is_some_and(|is| is == wanted);
        is(REGION_LABEL, &self.0) && zone.is_none_or(|zone| is(ZONE_LABEL, zone.as_str()))
    }
}

/// The name by which the nodes of a zone call each other: only the zone's network knows it.
pub fn lan(node: &NodeName) -> String {
    format!("{node}-lan")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wan_sorts_after_every_zone() {
        for region in ["region", "a", "zz", "z-zz-wan"] {
            let names = Names::new(region);
            for zone in ["a", "b", "z", "zz-wan", "zzzzzzzzzzzz"] {
                let zone: ZoneName = zone.parse().unwrap();
                assert!(names.zone_network(&zone) < names.wan(), "{region} {zone}");
            }
        }
    }

    #[test]
    fn only_what_has_all_its_labels_is_of_a_zone() {
        let (names, zone): (_, ZoneName) = (Names::new("demo"), "b".parse().unwrap());
        let labels = |region: &str, zone: &str| {
            HashMap::from([
                (REGION_LABEL.to_owned(), region.to_owned()),
                (ZONE_LABEL.to_owned(), zone.to_owned()),
            ])
        };
        assert!(names.owns(&labels("demo", "b"), Some(&zone)));
        assert!(names.owns(&labels("demo", "a"), None));
        assert!(!names.owns(&labels("demo", "a"), Some(&zone)));
        assert!(!names.owns(&labels("other", "b"), Some(&zone)));
        assert!(!names.owns(&labels("other", "b"), None));
        assert!(!names.owns(&HashMap::new(), None));
    }

    #[test]
    fn two_regions_share_no_container() {
        let node: NodeName = "js1-zone-a".parse().unwrap();
        assert_eq!(Names::new("region").container(&node), "js1-zone-a");
        assert_eq!(Names::new("demo").container(&node), "demo-js1-zone-a");
    }
}
