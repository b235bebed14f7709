//! Links that somebody else runs: what both ends tell when they are asked.

use super::{State, note, set, set_quietly};
use crate::region::{
    EventKind, Severity, UnixMs, ZoneName,
    external::cutting::ShownBy,
    status::{Link, LinkState},
};

impl State {
    /// Takes in what both ends told when they were asked at that moment. What was asked before a cut
    /// or a heal says nothing of it.
    pub(super) fn ends_told(
        &mut self,
        now: UnixMs,
        zone: &ZoneName,
        (at_ms, whole, shown_by): (UnixMs, bool, Option<ShownBy>),
        events: &mut Vec<EventKind>,
    ) {
        let Some(i) = self.index(zone) else { return };
        let hushed = self.hushed(i);
        if !self.status.zones[i].nodes.is_empty() || at_ms <= self.books[i].link_speaks_after {
            return;
        }
        if self.status.zones[i].is_hub() {
            return;
        }
        let first = Link { since_at_ms: now, ..Link::default() };
        let link = self.status.zones[i].link.get_or_insert(first);
        let mut change = set(&mut link.shown_by, shown_by);
        change = change.max(set_quietly(&mut link.asked_at_ms, Some(at_ms)));
        if link.state == LinkState::Cut {
            if link.effective && shown_by.is_none() {
                link.effective = false;
                link.proved_in_ms = None;
                let text = format!("link to {zone}: nothing shows any more that it is cut");
                events.push(note(Severity::Error, text));
            }
        } else {
            let state = if whole { LinkState::Up } else { LinkState::Down };
            let changed = set(&mut link.state, state);
            if changed == super::Change::Real {
                link.since_at_ms = now;
                if !hushed {
                    events.push(EventKind::LinkChanged { zone: zone.clone(), to: state });
                }
            }
            change = change.max(changed);
        }
        self.changed(change);
    }
}

#[cfg(test)]
mod tests {
    use crate::region::{
        Input, PlatformKind, Role, ZonePlan,
        external::{ExternalStream, cutting::ShownBy},
        input::Producing,
        observation::Observation,
        reduce::State,
        status::LinkState,
        topology::CutKind,
    };

    fn plan(name: &str, role: Role, slot: u16) -> ZonePlan {
        let external = Some(ExternalStream {
            stream: "ORDERS".into(),
            api: "$JS.API".into(),
            subject: "ORDERS.drill".into(),
            consumer: "zonedrill-shop-1".into(),
        });
        let plan = ZonePlan::new(name.parse().unwrap(), role, slot, 0);
        ZonePlan { nodes: Vec::new(), external, ..plan }
    }

    #[test]
    fn a_link_of_others_is_what_its_ends_tell() {
        let mut state = State::new("shop", PlatformKind::External, 1);
        state.apply(1, Input::ZoneAdded(plan("a", Role::Source, 0)));
        state.apply(1, Input::ZoneAdded(plan("b", Role::Mirror, 1)));
        let b: crate::region::ZoneName = "b".parse().unwrap();
        let ends = |at_ms, whole, shown_by| {
            Input::Observed(Observation::Ends { zone: b.clone(), at_ms, whole, shown_by })
        };
        let link = |state: &State| state.peek().zone(&b).unwrap().link.clone().unwrap();
        state.apply(10, ends(9, true, None));
        assert_eq!(link(&state).state, LinkState::Up);
        // Nothing is known of a link that nobody asks about.
        state.apply(10, Input::ZoneAdded(plan("c", Role::Mirror, 2)));
        assert_eq!(state.peek().zone(&"c".parse().unwrap()).unwrap().link, None);
        // Nothing is made up of servers that nobody sees.
        assert_eq!((link(&state).leafs_here, link(&state).leafs_there), (None, None));

        let begun = |zone| Input::CutBegun { zone, kind: CutKind::Hook, heals_after_ms: None };
        state.apply(20, begun(b.clone()));
        // Asked before the cut: it says nothing of it.
        state.apply(21, ends(19, true, Some(ShownBy::Silent)));
        assert_eq!((link(&state).state, link(&state).shown_by), (LinkState::Cut, None));
        state.apply(30, ends(25, false, Some(ShownBy::Listed)));
        assert!(!link(&state).effective);
        state.apply(31, Input::CutProved { zone: b.clone(), after_ms: 11 });
        assert!(link(&state).effective && link(&state).shown_by == Some(ShownBy::Listed));
        let told = state.apply(40, ends(39, false, None));
        assert!(!link(&state).effective && told.len() == 1, "{told:?}");

        state.apply(50, Input::HealBegun { zone: b.clone(), acked: None });
        assert_eq!(link(&state).state, LinkState::Down);
        state.apply(60, ends(55, true, None));
        assert_eq!(link(&state).state, LinkState::Up);
    }
    #[test]
    fn others_call_their_domains_as_they_like_and_drills_have_three_conclusions() {
        let mut state = State::new("shop", PlatformKind::External, 1);
        assert!(state.peek().conclusions.is_empty());
        state = state.drilled();
        assert_eq!(state.peek().conclusions.len(), 3);
        state.apply(1, Input::ZoneAdded(plan("a", Role::Source, 0)));
        let told = Producing { acked_by: Some("eu".into()), ..Producing::default() };
        assert_eq!(state.apply(2, Input::Producing(told)), []);
    }
}
