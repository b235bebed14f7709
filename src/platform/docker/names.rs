//! How everything of a region is called in the engine, and how it is found again.

use std::collections::HashMap;

use crate::{
    platform::identity::{Identity, UNMARKED},
    region::{NodeName, ZoneName, ZonePlan, topology::DEFAULT_REGION},
};

/// The label with the region's name; on containers, networks and volumes.
pub const REGION_LABEL: &str = "zonedrill.region";
/// The label with the id of the home that made it; on everything that has a region's label.
pub const ID_LABEL: &str = "zonedrill.id";
/// The label with that home's folder.
pub const HOME_LABEL: &str = "zonedrill.home";
/// The label with whose it is, `user@host`.
pub const OWNER_LABEL: &str = "zonedrill.owner";
/// The label with the zone's name.
pub const ZONE_LABEL: &str = "zonedrill.zone";
/// The label with the node's name.
pub const NODE_LABEL: &str = "zonedrill.node";
/// The label of a helper container, with the node that it is beside.
pub const HELPER_LABEL: &str = "zonedrill.helper";
/// The label with the zone's role.
pub const ROLE_LABEL: &str = "zonedrill.role";
/// The label with who owns what is in a volume; root where it has none.
pub const USER_LABEL: &str = "zonedrill.user";
/// The label with the published client port.
pub const PORT_LABEL: &str = "zonedrill.port";
/// The label with the server's version.
pub const VERSION_LABEL: &str = "zonedrill.version";

/// The names of one region, and the identity by which its things are known.
#[derive(Clone, Debug)]
pub struct Names {
    region: String,
    identity: Identity,
}

impl Names {
    /// Those of region `region` of the home with that identity.
    pub fn new(region: &str, identity: Identity) -> Self {
        Self { region: region.to_owned(), identity }
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Whose the region is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The labels that say whose a thing is.
    pub fn labels(&self) -> HashMap<String, String> {
        let Identity { home, owner, .. } = &self.identity;
        let id = self.identity.own().map(str::to_owned);
        let marks = id.into_iter().flat_map(|id| {
            [
                (ID_LABEL.to_owned(), id),
                (HOME_LABEL.to_owned(), home.display().to_string()),
                (OWNER_LABEL.to_owned(), owner.clone()),
            ]
        });
        [(REGION_LABEL.to_owned(), self.region.clone())].into_iter().chain(marks).collect()
    }

    /// The names in the engine that a region of these zones takes: of containers, of networks, of
    /// volumes.
    pub fn wanted<'a>(&self, plans: impl Iterator<Item = &'a ZonePlan>) -> [Vec<String>; 3] {
        let [mut containers, mut networks, mut volumes] = [vec![], vec![self.wan()], vec![]];
        for plan in plans {
            networks.push(self.zone_network(&plan.name));
            for node in &plan.nodes {
                containers.push(self.container(&node.name));
                volumes.push(self.volume(&node.name));
            }
        }
        [containers, networks, volumes]
    }

    /// A node's container. Container names are the engine's, not the region's: only one region can
    /// have the plain ones, and it is the default one.
    pub fn container(&self, node: &NodeName) -> String {
        if self.region == DEFAULT_REGION {
            node.to_string()
        } else {
            format!("{}-{node}", self.region)
        }
    }

    /// A zone's own network.
    pub fn zone_network(&self, zone: &ZoneName) -> String {
        format!("zonedrill-{}-{}", self.region, zone.long())
    }

    /// The network of the links. Sorts after every zone's: published ports follow the gateway,
    /// which the engine takes from the first network by name.
    pub fn wan(&self) -> String {
        format!("zonedrill-{}-zz-wan", self.region)
    }

    /// A node's data.
    pub fn volume(&self, node: &NodeName) -> String {
        format!("zonedrill-{}-{node}", self.region)
    }

    /// A filter for everything of the region, or of one zone. What it lets through still has to be
    /// [of the region](Self::owns).
    pub fn filter(&self, zone: Option<&ZoneName>) -> HashMap<String, Vec<String>> {
        let mut labels = vec![format!("{REGION_LABEL}={}", self.region)];
        labels.extend(zone.map(|zone| format!("{ZONE_LABEL}={zone}")));
        HashMap::from([("label".to_owned(), labels)])
    }

    /// Do these labels say that it is of the region, or of one of its zones, and of this home? Asked
    /// of everything before it is touched: another home's region may have the same name, and not
    /// every engine lists only what has all the labels it was asked for (Podman 4.3 lists volumes
    /// that have any of them).
    pub fn owns(&self, labels: &HashMap<String, String>, zone: Option<&ZoneName>) -> bool {
        let is = |label: &str, wanted: &str| labels.get(label).is_some_and(|is| is == wanted);
        is(REGION_LABEL, &self.region)
            && zone.is_none_or(|zone| is(ZONE_LABEL, zone.as_str()))
            && self.identity.has(labels.get(ID_LABEL).map_or(UNMARKED, String::as_str))
    }
}

/// The name by which the nodes of a zone call each other: only the zone's network knows it.
pub fn lan(node: &NodeName) -> String {
    format!("{node}-lan")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn named(region: &str) -> Names {
        Names::new(region, Identity::new(vec!["00c0ffee".into()], Path::new("/home/mira/demo")))
    }

    #[test]
    fn the_wan_sorts_after_every_zone() {
        for region in ["region", "a", "zz", "z-zz-wan"] {
            let names = named(region);
            for zone in ["a", "b", "z", "zz-wan", "zzzzzzzzzzzz"] {
                let zone: ZoneName = zone.parse().unwrap();
                assert!(names.zone_network(&zone) < names.wan(), "{region} {zone}");
            }
        }
    }

    #[test]
    fn only_what_has_all_its_labels_is_of_a_zone() {
        let (names, zone): (_, ZoneName) = (named("demo"), "b".parse().unwrap());
        let labels = |region: &str, zone: &str| {
            HashMap::from([
                (ID_LABEL.to_owned(), "00c0ffee".to_owned()),
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
    fn another_homes_region_of_the_same_name_is_not_ours() {
        let names = named("demo");
        assert!(names.owns(&names.labels(), None));
        let other = Names::new("demo", Identity::new(vec!["0ddba11d".into()], Path::new("/x")));
        assert!(!names.owns(&other.labels(), None));
        // Made by an earlier release: nobody's, unless it was taken over.
        let unmarked = HashMap::from([(REGION_LABEL.to_owned(), "demo".to_owned())]);
        assert!(!names.owns(&unmarked, None));
        let ids = vec!["00c0ffee".into(), UNMARKED.into()];
        let heir = Names::new("demo", Identity::new(ids, Path::new("/home/mira/demo")));
        assert!(heir.owns(&unmarked, None) && heir.owns(&names.labels(), None));
        // A home in which no room ever ran owns nothing.
        let empty = Names::new("demo", Identity::new(vec![], Path::new("/x")));
        assert!(!empty.owns(&unmarked, None) && !empty.owns(&names.labels(), None));
    }

    #[test]
    fn two_regions_share_no_container() {
        let node: NodeName = "js1-zone-a".parse().unwrap();
        assert_eq!(named("region").container(&node), "js1-zone-a");
        assert_eq!(named("demo").container(&node), "demo-js1-zone-a");
    }
}
