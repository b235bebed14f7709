//! The recovery clock: what happens between a heal and a mirror that has everything again.
//!
//! Three stages, timed apart, because only the first is the network: the link comes up, the mirror
//! moves, the mirror has caught up. While it stands still, a sentence says why, from the server's
//! own timers as they were measured or read in its source. It never counts down: when the mirror
//! sent the request it waits for is not known outside the server.

use std::time::Duration;

use super::{UnixMs, names::ZoneName, snapshot::Recovery, topology::MirrorKind};

/// A mirror that has not moved for this long stands still; 2 s is twice the source's heartbeat.
pub const STANDS_STILL_MS: u64 = 2_000;

/// What the clock must remember besides what it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// The mirror's last sequence when the heal was commanded, or as first told after it.
    base: Option<u64>,
    /// When the link was first seen up.
    link_up_ms: Option<UnixMs>,
}

/// What is known at one moment, from both ends.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The moment.
    pub now: UnixMs,
    /// The mirror zone.
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
    pub heard_ms: Option<UnixMs>,
    /// When the mirror's last sequence last grew.
    pub moved_ms: Option<UnixMs>,
    /// How the mirror pulls.
    pub kind: Option<MirrorKind>,
    /// The server version.
    pub version: Option<&'a str>,
}

/// Starts the clock at the command to heal.
#[must_use]
pub fn begin(now: UnixMs, mirror_last_seq: Option<u64>, behind: Option<u64>) -> (Recovery, Clock) {
    let recovery = Recovery {
        healed_ms: now,
        behind,
        link_up_after_ms: None,
        moving_after_ms: None,
        caught_up_after_ms: None,
        nudged: false,
        stall: None,
    };
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
    let after = sight.now.saturating_sub(recovery.healed_ms);
    if let Some((last_seq, told)) = sight.mirror
        && told > recovery.healed_ms
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
        let since_heal = |moment: Option<UnixMs>| moment.is_some_and(|at| at > recovery.healed_ms);
        if sight.true_lag == Some(0)
            && since_heal(sight.mirror.map(|(_, told)| told))
            && since_heal(sight.source_told_ms)
            && (recovery.moving_after_ms.is_some() || since_heal(sight.heard_ms))
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
        return still_since(recovery.healed_ms).then(|| {
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
    let moved = sight.moved_ms.filter(|moved| *moved > recovery.healed_ms);
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
    // What can be done stands where a narrow pane still shows it.
    let hurry = if recovery.nudged {
        "its leader was asked to step down".to_owned()
    } else {
        format!("`nudge {}` hurries it", sight.zone)
    };
    Some(format!(
        "{what} ({hurry}){why}; expected with {version} {}: {}",
        kind.as_str(),
        expected(version, kind)
    ))
}

/// A range of versions, what was measured with it, and where that is written down.
struct Known {
    kind: MirrorKind,
    /// First version of the range.
    from: (u32, u32, u32),
    /// First version after it.
    before: (u32, u32, u32),
    /// The mirror waits for a request that was lost in the cut, then backs off.
    waits: bool,
    /// After cuts shorter than [`LONG_CUT`]; after all, where there is nothing apart for long ones.
    figures: &'static str,
    /// After longer ones, and how long those were.
    long: Option<(&'static str, &'static str)>,
}

/// Cuts as long as this are found by the mirror's own health check, which looks every 10 s
/// (`nats-facts.md` §A); cuts of 5 s and of 20 s and more were measured.
const LONG_CUT: Duration = Duration::from_secs(10);

/// Heal → caught up, 200 messages missed, reset-and-refuse cuts (`nats-facts.md` §A and §B, and
/// `drill matrix`: on four versions it came to less than the shortest times there, so the quick
/// ones have no lower end here).
/// "by its source" marks ranges that were read, not run: the slow path is there from 2.12.9 and
/// from 2.14.1 on.
const MEASURED: &[Known] = &[
    Known {
        kind: MirrorKind::Durable,
        from: (2, 15, 0),
        before: (3, 0, 0),
        waits: false,
        figures: "0.1 to 1.1 s, up to 5 s if a reset request was lost in the cut",
        long: None,
    },
    Known {
        kind: MirrorKind::Durable,
        from: (2, 14, 0),
        before: (2, 15, 0),
        waits: true,
        figures: "13 to 40 s, no better than classic before 2.15",
        long: None,
    },
    Known {
        kind: MirrorKind::Classic,
        from: (2, 14, 1),
        before: (3, 0, 0),
        waits: true,
        figures: "up to 3 s",
        long: Some(("12 to 48 s", "20 s to 2 min")),
    },
    Known {
        kind: MirrorKind::Classic,
        from: (2, 14, 0),
        before: (2, 14, 1),
        waits: false,
        figures: "up to 2.2 s",
        long: None,
    },
    Known {
        kind: MirrorKind::Classic,
        from: (2, 12, 9),
        before: (2, 13, 0),
        waits: true,
        figures: "not measured",
        long: Some(("up to 40 s (by its source, not measured)", "20 s")),
    },
    Known {
        kind: MirrorKind::Classic,
        from: (2, 12, 0),
        before: (2, 12, 9),
        waits: false,
        figures: "up to 2.7 s",
        long: None,
    },
    Known {
        kind: MirrorKind::Classic,
        from: (2, 11, 0),
        before: (2, 12, 0),
        waits: false,
        figures: "up to 2.8 s",
        long: None,
    },
    Known {
        kind: MirrorKind::Classic,
        from: (2, 10, 0),
        before: (2, 11, 0),
        waits: true,
        figures: "up to 2 s",
        long: Some(("11 to 40 s", "20 to 45 s")),
    },
    Known {
        kind: MirrorKind::Classic,
        from: (2, 9, 0),
        before: (2, 10, 0),
        waits: false,
        figures: "3.1 to 4.1 s",
        long: None,
    },
];

fn known(version: &str, kind: MirrorKind) -> Option<&'static Known> {
    let mut parts = version
        .trim_start_matches('v')
        .split(['.', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    let version = (parts.next()?, parts.next()?, parts.next()?);
    MEASURED.iter().find(|row| row.kind == kind && (row.from..row.before).contains(&version))
}

/// Said where nothing is known.
const NOT_MEASURED: &str = "not measured";

/// How long heal → caught up took with that version and kind of mirror.
#[must_use]
pub fn expected(version: &str, kind: MirrorKind) -> String {
    match known(version, kind) {
        None => NOT_MEASURED.to_owned(),
        Some(Known { figures, long: None, .. }) => (*figures).to_owned(),
        Some(Known { figures, long: Some((long, cuts)), .. }) => {
            format!("{figures} after a cut of 5 s, {long} after one of {cuts}")
        }
    }
}

/// The same after a cut of that length.
#[must_use]
pub fn expected_after(version: &str, kind: MirrorKind, cut: Duration) -> &'static str {
    known(version, kind).map_or(NOT_MEASURED, |row| match row.long {
        Some((long, _)) if cut >= LONG_CUT => long,
        _ => row.figures,
    })
}

/// Whether that version and kind is one that waits for a request lost in the cut.
#[must_use]
pub fn waits_for_a_lost_request(version: &str, kind: MirrorKind) -> bool {
    known(version, kind).is_some_and(|row| row.waits)
}

#[cfg(test)]
mod tests {
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
            heard_ms: Some(500),
            moved_ms: Some(500),
            kind: Some(MirrorKind::Classic),
            version: Some("2.15.1"),
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
            heard_ms: Some(1_790),
            moved_ms: Some(1_800),
            link_up: true,
            ..sight(&zone, 1_800)
        };
        assert!(!advance(&mut recovery, &mut clock, &moving));
        assert_eq!(recovery.moving_after_ms, Some(800));
        let done = Sight { now: 2_400, mirror: Some((300, 2_400)), true_lag: Some(0), ..moving };
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
            &Sight { now: 2_500, heard_ms: Some(2_300), mirror: Some((100, 2_500)), ..deaf }
        ));
        assert_eq!(recovery.moving_after_ms, None);
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
        let durable = said(up, Sight { kind: Some(MirrorKind::Durable), ..late });
        assert!(durable.contains("0.1 to 1.1 s") && !durable.contains("gives up"), "{durable}");
        assert_eq!(
            said(up, Sight { version: None, ..late }),
            "link is back; the mirror does not move"
        );
    }

    #[test]
    fn the_table_knows_fast_and_slow_versions() {
        use MirrorKind::{Classic, Durable};
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
        let after =
            |version, secs| expected_after(version, MirrorKind::Classic, Duration::from_secs(secs));
        assert_eq!((after("2.15.1", 5), after("2.15.1", 20)), ("up to 3 s", "12 to 48 s"));
        assert_eq!((after("2.12.8", 5), after("2.12.8", 45)), ("up to 2.7 s", "up to 2.7 s"));
        assert_eq!(after("2.13.0", 20), NOT_MEASURED);
        assert_eq!(
            expected("2.15.1", MirrorKind::Classic),
            "up to 3 s after a cut of 5 s, 12 to 48 s after one of 20 s to 2 min"
        );
    }
}
