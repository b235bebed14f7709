//! The recovery clock: what happens between a heal and a mirror that has everything again.
//!
//! Three stages, timed apart, because only the first is the network: the link comes up, the mirror
//! moves, the mirror has caught up. While it stands still, a sentence says why, from the server's
//! own timers as they were measured or read in its source. It never counts down: when the mirror
//! sent the request it waits for is not known outside the server.

mod measured;

use serde::{Deserialize, Serialize};

pub use self::measured::{expected, expected_after, waits_for_a_lost_request};
use super::{UnixMs, names::ZoneName, status::Recovery, topology::MirrorKind};

/// A mirror that has not moved for this long stands still; 2 s is twice the source's heartbeat.
pub const STANDS_STILL_MS: u64 = 2_000;

/// What the clock must remember besides what it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// The mirror's last sequence when the heal was commanded, or as first told after it.
    base: Option<u64>,
    /// When the link was first seen up.
    link_up_ms: Option<UnixMs>,
}

/// What is known at one moment, from both ends.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    pub now: UnixMs,
    pub zone: &'a ZoneName,
    /// Leafnode connections were seen at both ends by answers given after the heal.
    pub link_up: bool,
    /// The mirror's last sequence and when its leader told it; `None` while that is stale.
    pub mirror: Option<(u64, UnixMs)>,
    /// When the source's leader told its last sequence; `None` while that is stale.
    pub source_told_ms: Option<UnixMs>,
    /// Source last sequence minus mirror last sequence.
    pub true_lag: Option<u64>,
    /// When the mirror last heard from its source.
    pub heard_at_ms: Option<UnixMs>,
    /// When the mirror's last sequence last grew.
    pub moved_ms: Option<UnixMs>,
    /// How the mirror pulls.
    pub kind: Option<MirrorKind>,
    pub version: Option<&'a str>,
    /// Its servers are ours to hurry.
    pub ours: bool,
}

/// Starts the clock at the command to heal.
#[must_use]
pub fn begin(now: UnixMs, mirror_last_seq: Option<u64>, behind: Option<u64>) -> (Recovery, Clock) {
    let recovery = Recovery { healed_at_ms: now, behind, ..Recovery::default() };
    (recovery, Clock { base: mirror_last_seq, link_up_ms: None })
}

/// Moves the clock on by what is seen now. True once: at the moment the mirror has caught up.
///
/// Caught up means: the link is up, both ends told their last sequence after the heal, the lag is
/// zero, and the mirror moved or heard from its source since the heal. Without the last condition
/// a mirror that missed nothing would count as recovered while it is still deaf.
pub fn advance(recovery: &mut Recovery, clock: &mut Clock, sight: &Sight<'_>) -> bool {
    if recovery.caught_up_after_ms.is_some() {
        return false;
    }
    let after = sight.now.saturating_sub(recovery.healed_at_ms);
    if let Some((last_seq, told)) = sight.mirror
        && told > recovery.healed_at_ms
    {
        let base = *clock.base.get_or_insert(last_seq);
        if last_seq > base && recovery.moving_after_ms.is_none() {
            recovery.moving_after_ms = Some(after);
        }
    }
    // A mirror that moves has a link, even when the leafnode poll has not shown it yet.
    if clock.link_up_ms.is_none() && (sight.link_up || recovery.moving_after_ms.is_some()) {
        clock.link_up_ms = Some(sight.now);
        recovery.link_up_after_ms = Some(after);
    }
    if clock.link_up_ms.is_some() {
        let since_heal =
            |moment: Option<UnixMs>| moment.is_some_and(|at| at > recovery.healed_at_ms);
        if sight.true_lag == Some(0)
            && since_heal(sight.mirror.map(|(_, told)| told))
            && since_heal(sight.source_told_ms)
            && (recovery.moving_after_ms.is_some() || since_heal(sight.heard_at_ms))
        {
            recovery.caught_up_after_ms = Some(after);
            recovery.stall = None;
            return true;
        }
    }
    recovery.stall = stall(recovery, *clock, sight);
    false
}

/// Why the recovery stands still, in a sentence; `None` while it moves.
fn stall(recovery: &Recovery, clock: Clock, sight: &Sight<'_>) -> Option<String> {
    let still_since = |since: UnixMs| sight.now.saturating_sub(since) > STANDS_STILL_MS;
    let Some(up) = clock.link_up_ms else {
        // config/nats-server.conf: reconnect_interval 200ms; ping_interval 5s, ping_max 2.
        // Facts §A: the stale close came about 13 s after a freeze.
        return still_since(recovery.healed_at_ms).then(|| {
            "the link is not back: servers redial every 0.2 s; a connection that died silently \
             is first found stale, which takes up to 15 s"
                .into()
        });
    };
    if sight.mirror.is_none() {
        // Facts §D: elections take 4 to 9 s by constant.
        return still_since(up).then(|| {
            "link is back; no word from the mirror's leader (an election after a node's death \
             takes 4 to 9 s)"
                .into()
        });
    }
    let moved = sight.moved_ms.filter(|moved| *moved > recovery.healed_at_ms);
    if !still_since(moved.map_or(up, |moved| moved.max(up))) {
        return None;
    }
    let (Some(kind), Some(version)) = (sight.kind, sight.version) else {
        return Some("link is back; the mirror does not move".into());
    };
    let what = if moved.is_some() {
        "the mirror moved and stands still again"
    } else if waits_for_a_lost_request(version, kind) {
        "link is back; the mirror waits for a request it sent during the cut"
    } else {
        "link is back; the mirror does not move"
    };
    let why = if moved.is_none() && waits_for_a_lost_request(version, kind) {
        format!(
            ": {version} {} gives up 30 s after sending, then pauses 10 s per failure (at most \
             120 s)",
            kind.as_str()
        )
    } else {
        String::new()
    };
    // What can be done stands where a narrow pane still shows it. Nothing is, to others' servers.
    let hurry = match (recovery.nudged, sight.ours) {
        (true, _) => "its leader was asked to step down".to_owned(),
        (false, true) => format!("`nudge {}` hurries it", sight.zone),
        (false, false) => "others run it".to_owned(),
    };
    Some(format!(
        "{what} ({hurry}){why}; expected with {version} {}: {}",
        kind.as_str(),
        expected(version, kind)
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use MirrorKind::{Classic, Durable};

    use super::*;

    fn zone() -> ZoneName {
        "b".parse().unwrap()
    }

    fn sight(zone: &ZoneName, now: UnixMs) -> Sight<'_> {
        Sight {
            now,
            zone,
            link_up: false,
            mirror: Some((100, now)),
            source_told_ms: Some(now),
            true_lag: Some(200),
            heard_at_ms: Some(500),
            moved_ms: Some(500),
            kind: Some(Classic),
            version: Some("2.15.1"),
            ours: true,
        }
    }

    #[test]
    fn three_stages_timed_apart() {
        let zone = zone();
        let (mut recovery, mut clock) = begin(1_000, Some(100), Some(200));
        assert!(!advance(&mut recovery, &mut clock, &sight(&zone, 1_200)));
        assert_eq!(recovery.link_up_after_ms, None);
        advance(&mut recovery, &mut clock, &Sight { link_up: true, ..sight(&zone, 1_300) });
        assert_eq!(recovery.link_up_after_ms, Some(300));
        let moving = Sight {
            mirror: Some((150, 1_800)),
            true_lag: Some(150),
            heard_at_ms: Some(1_790),
            moved_ms: Some(1_800),
            link_up: true,
            ..sight(&zone, 1_800)
        };
        // What was told in the very moment of the heal is of before it.
        let of_before = Sight { mirror: Some((150, 1_000)), ..moving };
        assert!(!advance(&mut recovery, &mut clock, &of_before));
        assert_eq!(recovery.moving_after_ms, None);
        assert!(!advance(&mut recovery, &mut clock, &moving));
        assert_eq!(recovery.moving_after_ms, Some(800));
        let done = Sight { now: 2_400, mirror: Some((300, 2_400)), true_lag: Some(0), ..moving };
        let of_then = Sight { source_told_ms: Some(1_000), ..done };
        assert!(!advance(&mut recovery, &mut clock, &of_then), "told in the moment of the heal");
        let stale_source = Sight { source_told_ms: Some(900), ..done };
        assert!(!advance(&mut recovery, &mut clock, &stale_source), "told before the heal");
        assert!(advance(&mut recovery, &mut clock, &Sight { source_told_ms: Some(2_350), ..done }));
        assert_eq!(recovery.caught_up_after_ms, Some(1_400));
        assert!(!advance(&mut recovery, &mut clock, &done), "only once");
    }

    #[test]
    fn a_mirror_that_missed_nothing_must_still_hear() {
        let zone = zone();
        let (mut recovery, mut clock) = begin(1_000, Some(100), Some(0));
        let deaf = Sight { link_up: true, true_lag: Some(0), ..sight(&zone, 2_000) };
        assert!(!advance(&mut recovery, &mut clock, &deaf));
        assert!(advance(
            &mut recovery,
            &mut clock,
            &Sight { now: 2_500, heard_at_ms: Some(2_300), mirror: Some((100, 2_500)), ..deaf }
        ));
        assert_eq!(recovery.moving_after_ms, None);
        // Nor is it done before it has a link.
        let (mut recovery, mut clock) = begin(1_000, Some(100), Some(0));
        let heard = Sight { link_up: false, heard_at_ms: Some(1_900), ..deaf };
        assert!(!advance(&mut recovery, &mut clock, &heard));
    }

    #[test]
    fn a_moving_mirror_proves_its_link() {
        let zone = zone();
        let (mut recovery, mut clock) = begin(1_000, None, None);
        advance(&mut recovery, &mut clock, &sight(&zone, 1_100));
        advance(
            &mut recovery,
            &mut clock,
            &Sight { mirror: Some((101, 1_400)), ..sight(&zone, 1_400) },
        );
        assert_eq!((recovery.link_up_after_ms, recovery.moving_after_ms), (Some(400), Some(400)));
    }

    #[test]
    fn a_stall_is_explained_and_never_counts_down() {
        let zone = zone();
        let (mut recovery, mut clock) = begin(1_000, Some(100), Some(200));
        advance(&mut recovery, &mut clock, &Sight { link_up: true, ..sight(&zone, 1_100) });
        assert_eq!(recovery.stall, None);
        advance(&mut recovery, &mut clock, &Sight { link_up: true, ..sight(&zone, 3_100) });
        assert_eq!(recovery.stall, None, "two seconds are not yet too long");
        advance(&mut recovery, &mut clock, &Sight { link_up: true, ..sight(&zone, 4_000) });
        let early = recovery.stall.clone().unwrap();
        assert!(early.contains("gives up 30 s after sending"), "{early}");
        // Within what three lines of a pane hold.
        assert!(early.find("`nudge b` hurries it").is_some_and(|at| at < 110), "{early}");
        advance(&mut recovery, &mut clock, &Sight { link_up: true, ..sight(&zone, 20_000) });
        assert_eq!(recovery.stall.as_ref(), Some(&early));
        recovery.nudged = true;
        advance(&mut recovery, &mut clock, &Sight { link_up: true, ..sight(&zone, 20_500) });
        assert!(recovery.stall.unwrap().contains("(its leader was asked to step down)"));
    }

    #[test]
    fn every_stage_has_its_own_sentence() {
        let zone = zone();
        let said = |clock: Clock, sight: Sight<'_>| {
            stall(&begin(1_000, Some(100), None).0, clock, &sight).unwrap_or_default()
        };
        let down = Clock { base: None, link_up_ms: None };
        let up = Clock { base: None, link_up_ms: Some(1_100) };
        let late = sight(&zone, 9_000);
        assert!(said(down, late).starts_with("the link is not back"));
        assert!(said(up, Sight { mirror: None, ..late }).contains("no word"));
        assert!(said(up, Sight { moved_ms: Some(2_000), ..late }).contains("still again"));
        for of_before in [500, 1_000] {
            let waits = said(up, Sight { moved_ms: Some(of_before), ..late });
            assert!(waits.contains("waits for a request"), "{waits}");
        }
        let just_up = Clock { base: None, link_up_ms: Some(8_000) };
        assert_eq!(said(just_up, Sight { moved_ms: Some(2_000), ..late }), "");
        let durable = said(up, Sight { kind: Some(Durable), ..late });
        assert!(durable.contains("0.1 to 1.1 s") && !durable.contains("gives up"), "{durable}");
        assert_eq!(
            said(up, Sight { version: None, ..late }),
            "link is back; the mirror does not move"
        );
    }

    #[test]
    fn the_table_knows_fast_and_slow_versions() {
        for (version, kind, waits, figures) in [
            ("2.15.1", Durable, false, "0.1 to 1.1 s"),
            ("2.16.0-RC.1", Durable, false, "0.1 to 1.1 s"),
            ("2.15.1", Classic, true, "12 to 48 s"),
            ("v2.14.6", Classic, true, "12 to 48 s"),
            ("2.14.6", Durable, true, "13 to 40 s"),
            ("2.14.0", Classic, false, "up to 2.2 s"),
            ("2.12.9", Classic, true, "not measured"),
            ("2.12.8", Classic, false, "up to 2.7 s"),
            ("2.11.11", Classic, false, "up to 2.8 s"),
            ("2.10.26", Classic, true, "11 to 40 s"),
            ("2.9.10", Classic, false, "3.1 to 4.1 s"),
            ("2.13.0", Classic, false, "not measured"),
            ("nonsense", Classic, false, "not measured"),
        ] {
            assert_eq!(waits_for_a_lost_request(version, kind), waits, "{version}");
            assert!(expected(version, kind).contains(figures), "{version}");
        }
    }

    #[test]
    fn how_long_it_takes_depends_on_the_cut_where_the_mirror_waits() {
        let after = |version, secs| expected_after(version, Classic, Duration::from_secs(secs));
        assert_eq!((after("2.15.1", 5), after("2.15.1", 20)), ("up to 3 s", "12 to 48 s"));
        assert_eq!((after("2.12.8", 5), after("2.12.8", 45)), ("up to 2.7 s", "up to 2.7 s"));
        assert_eq!(after("2.13.0", 20), "not measured");
        assert_eq!(
            expected("2.15.1", Classic),
            "up to 3 s after a cut of 5 s, 12 to 48 s after one of 20 s to 2 min"
        );
    }
}
