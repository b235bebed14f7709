//! What has this region's name in the engine and is not this home's: whose it is, whether a room of
//! its runs, and what can be done. It is told before anything is begun or removed.

use std::{collections::BTreeMap, collections::HashMap, path::Path};

use bollard::{
    Docker,
    query_parameters::{ListContainersOptionsBuilder, ListNetworksOptions, ListVolumesOptions},
};

use super::{
    engine::failed,
    names::{HOME_LABEL, ID_LABEL, Names, OWNER_LABEL, REGION_LABEL},
};
use crate::{
    command::readable,
    platform::{
        PlatformError,
        identity::{RoomOf, UNMARKED, is_id, room_of, their_down},
    },
    region::{ZonePlan, topology::region_flag},
};

/// What an engine holds by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Container,
    Network,
    Volume,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Network => "network",
            Self::Volume => "volume",
        }
    }

    /// What removes one by hand.
    fn removal(self) -> &'static str {
        match self {
            Self::Container => "docker rm -f",
            Self::Network => "docker network rm",
            Self::Volume => "docker volume rm",
        }
    }
}

/// Whose something is that is not ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// Another home's.
    Home {
        id: String,
        /// Its folder.
        home: String,
        /// `user@host`.
        owner: String,
    },
    /// It bears the region's label and no id: an earlier release or the compose files made it.
    Unmarked,
    /// zonedrill has not made it.
    Stranger,
}

/// What is not ours, by owner; each with its kind and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreign(BTreeMap<Owner, Vec<(Kind, String)>>);

/// Looks for what has the region's label, or one of the names that these zones need, and is not this
/// home's.
///
/// # Errors
/// When the engine does not answer.
pub async fn look(
    docker: &Docker,
    names: &Names,
    plans: &[ZonePlan],
) -> Result<Foreign, PlatformError> {
    let mut foreign = Foreign::default();
    let [containers, networks, volumes] = names.wanted(plans.iter());
    let options = ListContainersOptionsBuilder::new().all(true).build();
    let doing = |what: &'static str| move |error| failed(&format!("list {what}"), &error);
    for one in docker.list_containers(Some(options)).await.map_err(doing("containers"))? {
        for name in one.names.iter().flatten() {
            let name = name.trim_start_matches('/');
            let labels = one.labels.clone().unwrap_or_default();
            foreign.note(names, Kind::Container, name, &labels, &containers);
        }
    }
    let there = docker.list_networks(None::<ListNetworksOptions>).await;
    for one in there.map_err(doing("networks"))? {
        let labels = one.labels.unwrap_or_default();
        foreign.note(names, Kind::Network, &one.name.unwrap_or_default(), &labels, &networks);
    }
    let there = docker.list_volumes(None::<ListVolumesOptions>).await;
    for one in there.map_err(doing("volumes"))?.volumes.unwrap_or_default() {
        foreign.note(names, Kind::Volume, &one.name, &one.labels, &volumes);
    }
    Ok(foreign)
}

/// Refuses where something has a name that these zones need, or the region's label, and is not this
/// home's.
///
/// # Errors
/// When there is such a thing, with whose it is and what to do; when the engine does not answer.
pub async fn refuse_foreign(
    docker: &Docker,
    names: &Names,
    plans: &[ZonePlan],
) -> Result<(), PlatformError> {
    let foreign = look(docker, names, plans).await?;
    match foreign.describe(names) {
        Some(why) => Err(PlatformError::Foreign(why)),
        None => Ok(()),
    }
}

impl Foreign {
    fn note(
        &mut self,
        names: &Names,
        kind: Kind,
        name: &str,
        labels: &HashMap<String, String>,
        wanted: &[String],
    ) {
        let region = labels.get(REGION_LABEL);
        let of_the_name = region.is_some_and(|region| region == names.region());
        if names.owns(labels, None) || !(of_the_name || wanted.iter().any(|one| one == name)) {
            return;
        }
        let label = |label: &str| labels.get(label).cloned().unwrap_or_default();
        let owner = match (region, labels.get(ID_LABEL)) {
            (Some(_), Some(id)) => {
                Owner::Home { id: id.clone(), home: label(HOME_LABEL), owner: label(OWNER_LABEL) }
            }
            (Some(_), None) => Owner::Unmarked,
            (None, _) => Owner::Stranger,
        };
        self.0.entry(owner).or_default().push((kind, name.to_owned()));
    }

    /// The owner of that id, if something of it is there.
    pub fn owner(&self, id: &str) -> Option<&Owner> {
        self.0.keys().find(|owner| match owner {
            Owner::Home { id: theirs, .. } => theirs == id,
            Owner::Unmarked => id == UNMARKED,
            Owner::Stranger => false,
        })
    }

    /// What is there, whose it is, and what to do; `None` where there is nothing.
    pub fn describe(&self, names: &Names) -> Option<String> {
        let all: Vec<String> = self
            .0
            .iter()
            .map(|(owner, things)| {
                let (whose, remedy) = told(owner, things, names.region());
                format!("Docker holds {}, {whose}: {remedy}", counted(things))
            })
            .collect();
        (!all.is_empty()).then(|| all.join(". "))
    }
}

impl Owner {
    /// Whether its room runs.
    pub fn room(&self) -> RoomOf {
        match self {
            Self::Home { home, owner, .. } => room_of(Path::new(home), owner),
            Self::Unmarked | Self::Stranger => RoomOf::Unknown,
        }
    }
}

/// Whose things are, in words, and the way out.
fn told(owner: &Owner, things: &[(Kind, String)], region: &str) -> (String, String) {
    let flag = region_flag(region);
    let beside = "`--region NAME` names another region";
    let forced = |id: &str| {
        format!(
            "`zonedrill{flag} up --platform docker --adopt --force-foreign {id}` takes them over, `zonedrill{flag} down --purge --force-foreign {id}` removes them with their data, {beside}"
        )
    };
    match owner {
        Owner::Home { id, home, owner } => {
            let room = room_of(Path::new(home), owner);
            let remedy = match (&room, their_down(Path::new(home), region)) {
                (RoomOf::Alive { .. }, Some(down)) => format!("{down} ends it there, {beside}"),
                (RoomOf::Alive { .. }, None) => beside.to_owned(),
                // What is no id cannot be named on a command line.
                _ if is_id(id) => forced(id),
                _ => beside.to_owned(),
            };
            let [home, owner, id] = [home, owner, id].map(|text| readable(text));
            (format!("which are not this home's but of {home} ({owner}, id {id}; {room})"), remedy)
        }
        Owner::Unmarked => (
            format!(
                "which bear the label of region `{region}` and no id (an earlier release made them, or somebody with the compose files)"
            ),
            format!("if they are yours, {}", forced(UNMARKED)),
        ),
        Owner::Stranger => {
            let removals: Vec<String> =
                things.iter().map(|(kind, name)| format!("{} {name}", kind.removal())).collect();
            let removals = removals.join(" && ");
            (
                "which zonedrill has not made, under names that this region needs".to_owned(),
                format!("{beside}; if nobody needs them, `{removals}` removes them"),
            )
        }
    }
}

/// "6 containers, 1 network (js1-zone-a, …)".
fn counted(things: &[(Kind, String)]) -> String {
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    for (kind, _) in things {
        *counts.entry(*kind).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .into_iter()
        .map(|(kind, count)| {
            format!("{count} {}{}", kind.word(), if count == 1 { "" } else { "s" })
        })
        .collect();
    let first = things.first().map_or("", |(_, name)| name);
    let more = if things.len() > 1 { ", …" } else { "" };
    format!("{} ({first}{more})", counts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::identity::Identity;

    fn noted(labels: &[(&str, &str)], name: &str, ids: &[&str]) -> Option<String> {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        let names = Names::new("demo", Identity::new(ids, Path::new("/home/mira/demo")));
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut foreign = Foreign::default();
        let wanted = ["zonedrill-demo-js1-zone-a".to_owned()];
        foreign.note(&names, Kind::Volume, name, &labels, &wanted);
        foreign.describe(&names)
    }

    #[test]
    fn what_is_not_ours_is_told_with_whose_it_is_and_the_way_out() {
        let theirs = [
            (REGION_LABEL, "demo"),
            (ID_LABEL, "0ddba11d"),
            (HOME_LABEL, "/home/bob/demo"),
            (OWNER_LABEL, "bob@elsewhere.invalid"),
        ];
        let told = noted(&theirs, "anything", &["00c0ffee"]).unwrap();
        for part in ["/home/bob/demo", "bob@elsewhere", "0ddba11d", "--force-foreign 0ddba11d"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(noted(&theirs, "anything", &["0ddba11d"]).is_none(), "it was taken over");
        let told = noted(&[(REGION_LABEL, "demo")], "anything", &["00c0ffee"]).unwrap();
        assert!(told.contains("no id") && told.contains("--force-foreign unmarked"), "{told}");
        let told = noted(&[], "zonedrill-demo-js1-zone-a", &["00c0ffee"]).unwrap();
        assert!(told.contains("`docker volume rm zonedrill-demo-js1-zone-a`"), "{told}");
        assert!(!told.contains("--force-foreign"), "{told}");
        assert!(noted(&[], "another", &["00c0ffee"]).is_none());
        assert!(noted(&[(REGION_LABEL, "other")], "another", &[]).is_none());
    }

    #[test]
    fn labels_that_a_stranger_wrote_move_no_cursor_and_type_no_command() {
        let theirs = [
            (REGION_LABEL, "demo"),
            (ID_LABEL, "`rm -rf ~`\u{1b}[2J"),
            (HOME_LABEL, "/home/\u{202e}bob\n/demo"),
            (OWNER_LABEL, "bob\u{7}@elsewhere.invalid"),
        ];
        let told = noted(&theirs, "anything", &["00c0ffee"]).unwrap();
        assert!(!told.contains(|c: char| c.is_control() || c == '\u{202e}'), "{told:?}");
        assert!(!told.contains("--force-foreign"), "{told}");
    }
}
