//! A run by hand: nobody's script, the same checks. Its phases follow from the link of the zone
//! that is cut.

use super::record::Sample;
use crate::region::{
    Role, ZoneName,
    status::{LinkState, Zone},
};

/// The conclusions that can be shown by hand.
pub const CLAIMS: [u8; 2] = [1, 2];

/// How far a run by hand is: linked, cut, healing, linked again, and whatever comes later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Linked,
    Cut,
    Healing,
    Again,
    Later,
}

impl Stage {
    /// The phase that it is, by the name that checks know it by.
    #[must_use]
    pub fn phase(self) -> &'static str {
        match self {
            Self::Linked => "before",
            Self::Cut => "during",
            Self::Healing => "healing",
            Self::Again => "after",
            Self::Later => "later",
        }
    }

    /// The stage that a look at the zone shows, if it is another one.
    #[must_use]
    pub fn next(self, zone: &Zone) -> Option<Self> {
        let severed = zone.cut_effective() && zone.leafs() == (Some(0), Some(0));
        match self {
            Self::Linked if severed => Some(Self::Cut),
            Self::Cut if zone.link_state() != Some(LinkState::Cut) => Some(Self::Healing),
            Self::Healing
                if zone.link_state().is_some_and(LinkState::connected)
                    && zone.true_lag() == Some(0) =>
            {
                Some(Self::Again)
            }
            Self::Again if zone.link_state() == Some(LinkState::Cut) => Some(Self::Later),
            _ => None,
        }
    }
}

/// The zone that a run by hand is about: the mirror zone that is cut; the first while none is.
#[must_use]
pub fn about(sample: &Sample) -> Option<&ZoneName> {
    let mirrors = || sample.status.zones.iter().filter(|zone| zone.role == Role::Mirror);
    let cut = mirrors().find(|zone| zone.link_state() == Some(LinkState::Cut));
    cut.or_else(|| mirrors().next()).map(|zone| &zone.name)
}

/// What a run by hand of that name is judged for: the conclusion whose drill has the name, or all
/// that can be shown by hand.
#[must_use]
pub fn claims(name: &str) -> Vec<u8> {
    let named = super::conclusions::REQUIREMENTS.iter().find(|one| one.drill == name);
    match named.filter(|one| CLAIMS.contains(&one.number)) {
        Some(one) => vec![one.number],
        None => CLAIMS.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::{
        Status,
        status::{Link, Mirror},
    };

    fn zone(name: &str, link: Option<LinkState>, leafs: u32, lag: u64) -> Zone {
        let role = if link.is_some() { Role::Mirror } else { Role::Source };
        Zone {
            mirror: Some(Mirror { true_lag: Some(lag), ..Mirror::default() }),
            link: link.map(|state| Link {
                state,
                effective: state == LinkState::Cut,
                leafs_here: Some(leafs),
                leafs_there: Some(leafs),
                ..Link::default()
            }),
            ..Zone::new(name.parse().unwrap(), role)
        }
    }

    const UP: Option<LinkState> = Some(LinkState::Up);
    const CUT: Option<LinkState> = Some(LinkState::Cut);

    #[test]
    fn phases_follow_from_the_link() {
        let mut stage = Stage::Linked;
        let mut seen = Vec::new();
        for (link, leafs, lag) in [
            (UP, 3, 0),
            // Commanded, and not confirmed yet.
            (CUT, 1, 0),
            (CUT, 0, 0),
            (CUT, 0, 100),
            (UP, 1, 100),
            (UP, 3, 40),
            (UP, 3, 0),
            (UP, 3, 0),
            // Cut again: what comes now belongs to no phase that is judged.
            (CUT, 0, 0),
            (UP, 3, 0),
        ] {
            stage = stage.next(&zone("b", link, leafs, lag)).unwrap_or(stage);
            seen.push(stage.phase());
        }
        let (linked, cut, again) = ("before", "during", "after");
        let expected =
            [linked, linked, cut, cut, "healing", "healing", again, again, "later", "later"];
        assert_eq!(seen, expected);
    }

    #[test]
    fn it_is_about_the_zone_that_is_cut() {
        let zones = |b, c| Sample {
            status: Status {
                zones: vec![zone("a", None, 0, 0), zone("b", b, 3, 0), zone("c", c, 3, 0)],
                ..Status::default()
            },
            ..Sample::default()
        };
        let of = |sample: &Sample| about(sample).map(ToString::to_string);
        assert_eq!(of(&zones(UP, UP)).as_deref(), Some("b"));
        assert_eq!(of(&zones(UP, CUT)).as_deref(), Some("c"));
        assert_eq!(of(&Sample::default()), None);
    }

    #[test]
    fn a_name_chooses_the_conclusion() {
        assert_eq!((claims("cut"), claims("heal")), (vec![1], vec![2]));
        assert_eq!((claims("mine"), claims("grow")), (vec![1, 2], vec![1, 2]));
    }
}
