//! Deliveries of a zone's consumer that came to somebody else.
//!
//! The server numbers a consumer's deliveries, and the room sees the number of each that comes to
//! it. A number that never comes was delivered to somebody else, or was lost with a connection or a
//! leader. Of a fetch by another client no advisory tells: this count is all there is.

use serde::{Deserialize, Serialize};

use super::{UnixMs, ZoneName, observation::Deliveries, topology::consumer_name};

/// A delivery that is under way this long goes to somebody else.
const UNDER_WAY_MS: u64 = 750;
/// So long after a new connection or leader, a delivery that did not come may be lost with the old
/// one.
const DOUBT_MS: u64 = 5_000;
/// A gap is somebody else's once the same leader has answered again so much later: what a leader took
/// along that has just stepped down is seen before its successor is.
const CONFIRMED_MS: u64 = 600;
/// The state is looked at once a second: after a longer time the room itself stood still.
const ASLEEP_MS: u64 = 1_500;

/// What somebody else's fetch is called.
#[must_use]
pub fn fetched_elsewhere(zone: &ZoneName, count: u64) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("somebody else fetched {count} message{s} of {} in zone {zone}", consumer_name(zone))
}

/// Compares the room's count with the server's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Elsewhere {
    /// What came to the room; `None` before it consumes.
    here: Option<Deliveries>,
    connections: u64,
    leader: Option<String>,
    /// The server's count, and since when the room is behind it.
    ahead: Option<(u64, UnixMs)>,
    /// The greatest count of the server that the room was behind for too long.
    overdue: u64,
    /// What did not come by the last look.
    missed: u64,
    /// How much of it is not confirmed, and since when it is missed.
    #[serde(default)]
    suspected: Option<(u64, UnixMs)>,
    doubt_until: UnixMs,
    looked_at: UnixMs,
    /// Deliveries that came to somebody else, since the room consumes.
    pub(super) count: u64,
}

impl Elsewhere {
    /// What the room has.
    pub(super) fn came(&mut self, now: UnixMs, here: Deliveries, connections: u64) {
        if connections != self.connections {
            self.connections = connections;
            self.doubt(now);
        }
        if self.here.is_some_and(|before| here.count < before.count) {
            // It counts anew.
            (self.ahead, self.overdue, self.missed) = (None, 0, gaps(here));
        }
        self.here = Some(here);
        self.look(now);
    }

    /// What the consumer's leader counts. `all_heard` is the oldest of the last answers of the zone's servers
    /// that have not ended: a suspended one may hold what was delivered through it.
    pub(super) fn told(
        &mut self,
        now: UnixMs,
        count: u64,
        leader: Option<&str>,
        all_heard: UnixMs,
    ) {
        if self.leader.as_deref() != leader {
            self.leader = leader.map(str::to_owned);
            self.doubt(now);
        }
        self.look(now);
        if let Some((more, _)) = self
            .suspected
            .take_if(|(_, since)| now.saturating_sub(*since) >= CONFIRMED_MS && all_heard >= *since)
        {
            self.count += more;
        }
        let Some(here) = self.here else { return };
        if count > here.count.max(self.overdue) && self.ahead.is_none() {
            self.ahead = Some((count, now));
        }
    }

    /// What the room asked for was not answered, or its connection or leader is another one: for a while,
    /// what does not come may be lost.
    pub(super) fn doubt(&mut self, now: UnixMs) {
        self.doubt_until = now + DOUBT_MS;
        (self.ahead, self.suspected) = (None, None);
    }

    /// Time has passed.
    pub(super) fn look(&mut self, now: UnixMs) {
        let asleep = now.saturating_sub(self.looked_at) > ASLEEP_MS;
        self.looked_at = now;
        let Some(here) = self.here else { return };
        let mut since_when = now;
        match &mut self.ahead {
            Some((count, _)) if *count <= here.count => self.ahead = None,
            Some((_, since)) if asleep => *since = now,
            Some((count, since)) if now.saturating_sub(*since) >= UNDER_WAY_MS => {
                (self.overdue, since_when) = (*count, *since);
                self.ahead = None;
            }
            _ => {}
        }
        let missed = gaps(here) + self.overdue.saturating_sub(here.count);
        let more = missed.saturating_sub(self.missed);
        self.missed = missed;
        if more > 0 && now >= self.doubt_until {
            let (before, since) = self.suspected.unwrap_or((0, since_when));
            self.suspected = Some((before + more, since));
        }
    }
}

/// Deliveries before the newest that did not come here.
fn gaps(here: Deliveries) -> u64 {
    here.count.saturating_sub(here.here)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(here: &mut Deliveries, count: u64) {
        *here = Deliveries::after(Some(*here), count, 0);
    }

    /// A consumer that has been at work for a while, at delivery 10.
    fn at_work() -> (Elsewhere, Deliveries) {
        let here = Deliveries { count: 10, here: 10, at_ms: 0 };
        let mut elsewhere = Elsewhere::default();
        elsewhere.came(0, here, 1);
        elsewhere.told(0, 10, Some("js1-zone-b"), 0);
        for second in 1..=10 {
            elsewhere.look(second * 1000);
        }
        (elsewhere, here)
    }

    #[test]
    fn what_the_server_delivered_and_never_came_went_to_somebody_else() {
        let (mut elsewhere, mut here) = at_work();
        elsewhere.told(10_100, 13, Some("js1-zone-b"), 10_100);
        elsewhere.look(10_500);
        assert_eq!(elsewhere.count, 0, "it may be under way");
        elsewhere.told(11_000, 13, Some("js1-zone-b"), 11_000);
        assert_eq!(elsewhere.count, 3);
        // The next one shows the same gap: it is counted once.
        add(&mut here, 14);
        elsewhere.came(11_200, here, 1);
        assert_eq!((gaps(here), elsewhere.count), (3, 3));
        // A gap counts once its leader has answered again.
        add(&mut here, 17);
        elsewhere.came(11_300, here, 1);
        elsewhere.told(11_400, 17, Some("js1-zone-b"), 11_400);
        assert_eq!(elsewhere.count, 3, "it may have stepped down");
        elsewhere.told(11_900, 18, Some("js1-zone-b"), 11_900);
        assert_eq!(elsewhere.count, 5);
        // And more at the end.
        elsewhere.look(12_700);
        elsewhere.told(12_800, 20, Some("js1-zone-b"), 12_800);
        elsewhere.look(13_600);
        elsewhere.told(13_700, 20, Some("js1-zone-b"), 13_700);
        assert_eq!(elsewhere.count, 8);
    }

    #[test]
    fn what_a_suspended_server_may_hold_is_nobodys_hand_yet() {
        let (mut elsewhere, mut here) = at_work();
        let leader = Some("js1-zone-b");
        elsewhere.told(10_100, 13, leader, 9_900);
        for at in [10_900, 11_600, 12_300] {
            elsewhere.look(at);
            elsewhere.told(at, 13, leader, 9_900);
        }
        assert_eq!(elsewhere.count, 0);
        // Its request was not answered: what was delivered to that is lost.
        let (mut held, before) = (elsewhere.clone(), here);
        held.doubt(12_400);
        add(&mut here, 14);
        held.came(12_900, here, 1);
        held.told(13_600, 14, leader, 13_500);
        assert_eq!((gaps(here), held.count), (3, 0));
        // It goes on, and nothing comes: it was somebody else after all.
        elsewhere.came(12_500, before, 1);
        elsewhere.told(12_600, 13, leader, 12_500);
        assert_eq!(elsewhere.count, 3);
    }

    #[test]
    fn what_comes_late_came_here() {
        let (mut elsewhere, mut here) = at_work();
        elsewhere.told(10_100, 13, Some("js1-zone-b"), 10_100);
        add(&mut here, 11);
        add(&mut here, 12);
        add(&mut here, 13);
        elsewhere.came(10_700, here, 1);
        elsewhere.look(12_000);
        assert_eq!(elsewhere.count, 0);
    }

    #[test]
    fn what_a_lost_connection_or_leader_took_along_is_nobodys_hand() {
        for lost in ["connection", "leader"] {
            let (mut elsewhere, mut here) = at_work();
            let leader = if lost == "leader" { "js2-zone-b" } else { "js1-zone-b" };
            let connections = if lost == "connection" { 2 } else { 1 };
            elsewhere.came(10_100, here, connections);
            elsewhere.told(10_200, 13, Some(leader), 10_200);
            elsewhere.look(11_100);
            add(&mut here, 14);
            elsewhere.came(20_000, here, connections);
            assert_eq!((gaps(here), elsewhere.count), (3, 0), "{lost}");
            // What goes elsewhere later does.
            add(&mut here, 16);
            elsewhere.came(20_100, here, connections);
            elsewhere.told(20_700, 16, Some(leader), 20_700);
            assert_eq!(elsewhere.count, 1, "{lost}");
        }
    }

    /// Its successor delivers before the room hears of it.
    #[test]
    fn what_a_leader_took_along_that_steps_down_is_nobodys_hand() {
        let (mut elsewhere, mut here) = at_work();
        add(&mut here, 16);
        elsewhere.came(10_100, here, 1);
        elsewhere.told(10_400, 16, Some("js2-zone-b"), 10_400);
        elsewhere.look(11_400);
        elsewhere.told(20_000, 16, Some("js2-zone-b"), 20_000);
        assert_eq!((gaps(here), elsewhere.count), (5, 0));
    }

    #[test]
    fn a_room_that_stood_still_accuses_nobody() {
        let (mut elsewhere, mut here) = at_work();
        elsewhere.told(10_100, 13, Some("js1-zone-b"), 10_100);
        elsewhere.look(22_000);
        add(&mut here, 11);
        add(&mut here, 12);
        add(&mut here, 13);
        elsewhere.came(22_100, here, 1);
        elsewhere.look(23_000);
        assert_eq!(elsewhere.count, 0);
    }

    #[test]
    fn a_consumer_that_is_made_anew_counts_from_one() {
        let (mut elsewhere, mut here) = at_work();
        elsewhere.told(10_100, 13, Some("js1-zone-b"), 10_100);
        elsewhere.told(11_000, 13, Some("js1-zone-b"), 11_000);
        add(&mut here, 1);
        elsewhere.came(11_100, here, 1);
        assert_eq!(elsewhere.count, 3);
        add(&mut here, 4);
        elsewhere.came(11_200, here, 1);
        elsewhere.told(11_900, 4, Some("js1-zone-b"), 11_900);
        assert_eq!(elsewhere.count, 5);
    }
}
