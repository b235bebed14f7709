//! Links that are worse than whole: asked, measured, stuck, healed.

use super::*;
use crate::region::{
    Input,
    condition::{
        BitRate, Direction, LinkCondition, Way,
        measured::{Echo, LinkCount, Stuck, StuckCause, WayCount},
    },
};

fn delayed(ms: u32) -> LinkCondition {
    let way = Way { delay_ms: ms, ..Way::default() };
    LinkCondition::default().with(way, Direction::Both)
}

fn thin() -> LinkCondition {
    let way = Way { rate_bps: Some(BitRate(800_000)), ..Way::default() };
    LinkCondition::default().with(way, Direction::To)
}

impl Lab {
    fn impair(&mut self, condition: LinkCondition) {
        self.apply(Input::ImpairBegun { zone: zone("b"), condition, heals_after_ms: Some(60_000) });
        self.apply(Input::Impaired { zone: zone("b"), after_ms: 2 });
    }

    fn apply(&mut self, input: Input) {
        let events = self.state.apply(self.now, input);
        self.events.extend(events);
    }

    // A test says what was counted where it asks.
    #[allow(clippy::large_types_passed_by_value)]
    fn counted(&mut self, count: LinkCount) {
        let count = Some(Box::new(count));
        self.observe(Observation::Link { zone: zone("b"), count, echo: None });
    }

    fn echoed(&mut self, took_us: Option<u64>) {
        let echo = Some(Echo { sent_at_ms: self.now, took_us });
        self.observe(Observation::Link { zone: zone("b"), count: None, echo });
    }

    fn link(&self) -> crate::region::status::Link {
        self.shown("b").link.unwrap()
    }
}

fn held(condition: LinkCondition, least_us: u64) -> LinkCount {
    let way =
        WayCount { held: 2, least_us: Some(least_us), sum_us: 2 * least_us, ..WayCount::default() };
    LinkCount { condition, to_zone: way, from_zone: way, ..LinkCount::default() }
}

#[test]
fn what_is_asked_is_effective_once_the_line_and_the_ends_say_so_and_a_heal_ends_it() {
    let mut lab = Lab::new();
    let asked = delayed(50);
    lab.impair(asked);
    let link = lab.link();
    assert_eq!(
        (link.state, link.condition, link.effective),
        (LinkState::Impaired, Some(asked), false)
    );
    assert!(link.heals_at_ms.is_some());
    lab.half_second();
    lab.counted(held(asked, 50_000));
    assert!(!lab.link().effective, "only the line has said so");
    assert_eq!(lab.link().measured.unwrap().unproved.len(), 1);
    lab.echoed(Some(101_000));
    lab.half_second();
    lab.counted(held(asked, 50_000));
    let link = lab.link();
    assert!(link.effective && link.proved_in_ms.is_some(), "{link:?}");
    assert_eq!(link.measured.unwrap().round_trip_us, Some(101_000));
    // The line lets something through: not as asked any more, and it is told.
    lab.counted(held(asked, 2_000));
    assert!(!lab.link().effective);
    assert!(lab.lines().iter().any(|line| line.contains("not as asked any more (delay)")));
    lab.apply(Input::HealBegun { zone: zone("b"), acked: None });
    lab.half_second();
    lab.counted(LinkCount::default());
    let link = lab.link();
    assert_eq!((link.state, link.condition, link.heals_at_ms), (LinkState::Up, None, None));
    assert!(!link.effective && lab.shown("b").recovery.is_some());
}

#[test]
fn a_request_sent_before_the_condition_proves_nothing_of_it() {
    let mut lab = Lab::new();
    let sent_at_ms = lab.now;
    lab.half_second();
    lab.impair(delayed(50));
    lab.half_second();
    let echo = Some(Echo { sent_at_ms, took_us: Some(500_000) });
    lab.observe(Observation::Link { zone: zone("b"), count: None, echo });
    lab.counted(held(delayed(50), 50_000));
    assert!(!lab.link().effective);
}

#[test]
fn the_carrier_that_carries_something_else_is_believed() {
    let mut lab = Lab::new();
    lab.impair(delayed(50));
    lab.half_second();
    lab.echoed(Some(101_000));
    lab.counted(held(LinkCondition::default(), 50_000));
    assert!(!lab.link().effective, "the relay carries out nothing");
}

#[test]
fn a_cut_takes_the_place_of_a_condition() {
    let mut lab = Lab::new();
    lab.impair(delayed(50));
    lab.cut(CutKind::Refuse);
    let link = lab.link();
    assert_eq!((link.state, link.condition, link.effective), (LinkState::Cut, None, true));
    lab.counted(held(delayed(50), 50_000));
    assert!(lab.link().effective, "what the line counts says nothing about a cut");
}

/// The link carries 12.8 kB a second, 100 messages of 128 bytes, of a burst of 500.
#[test]
fn a_full_line_shows_its_rate_its_queue_and_when_it_is_clear() {
    let mut lab = Lab::new();
    lab.impair(thin());
    let mut count = LinkCount { condition: thin(), ..LinkCount::default() };
    lab.half_second();
    lab.counted(count);
    lab.source_seq += 500;
    for _ in 0..6 {
        lab.half_second();
        lab.mirror_seq += 50;
        count.to_zone = WayCount {
            passed: count.to_zone.passed + 6_400,
            since: count.to_zone.since + 6_400,
            queued: 40_000,
            booked_us: 390_000,
            ..count.to_zone
        };
        lab.poll();
        lab.counted(count);
    }
    let measured = lab.link().measured.unwrap();
    assert_eq!(measured.to_zone.bytes_per_s, Some(12_800));
    assert_eq!(measured.to_zone.queued_bytes, 40_000);
    // 200 are left, at 100 a second.
    assert_eq!(measured.clears_in_ms, Some(2_000), "{measured:?}");
    assert!(!lab.link().effective, "no server said what it took in");
    assert_eq!(lab.link().state, LinkState::Impaired);
}

fn stuck(lab: &Lab) -> Option<Stuck> {
    lab.link().stuck
}

#[test]
fn a_link_that_is_connected_and_moves_nothing_is_stuck_within_three_seconds_and_says_why() {
    let mut lab = Lab::new();
    let silent = Way { silent: true, ..Way::default() };
    let asked = LinkCondition::default().with(silent, Direction::To);
    lab.impair(asked);
    lab.source_seq += 40;
    let began = lab.now;
    while stuck(&lab).is_none() {
        lab.half_second();
        lab.counted(LinkCount { condition: asked, ..LinkCount::default() });
        assert!(lab.now - began <= 3_000, "not within 3 s");
    }
    let link = lab.link();
    let found = link.stuck.unwrap();
    assert_eq!((link.state, found.cause, found.behind), (LinkState::Stuck, StuckCause::OneWay, 40));
    assert!(link.why_stuck().unwrap().contains("nothing arrives in the zone"));
    let told = lab.lines().iter().filter(|line| line.contains("nothing moves")).count();
    assert_eq!(told, 1);
    assert!(lab.state.status(lab.now).alarms()[0].cause.contains("nothing moves"));
    lab.mirror_seq += 40;
    lab.half_second();
    assert_eq!((lab.link().state, lab.link().stuck), (LinkState::Impaired, None));
}

#[test]
fn a_hole_is_named_while_packets_fall_into_it_and_requests_pass() {
    let mut lab = Lab::new();
    let hole = Way { mtu: Some(900), ..Way::default() };
    let asked = LinkCondition::default().with(hole, Direction::Both);
    lab.impair(asked);
    let mut count = LinkCount { condition: asked, ..LinkCount::default() };
    let stands = |lab: &mut Lab, count: &mut LinkCount, falls: u64| {
        for _ in 0..8 {
            lab.half_second();
            count.to_zone.packets.too_large += falls;
            lab.counted(*count);
        }
    };
    lab.source_seq += 40;
    stands(&mut lab, &mut count, 1);
    let found = stuck(&lab).expect("stuck");
    assert_eq!((found.cause, found.behind), (StuckCause::Mtu, 40));
    let why = lab.link().why_stuck().unwrap();
    assert!(why.contains("packets over 900 bytes vanish"), "{why}");
    lab.mirror_seq += 40;
    lab.half_second();
    assert_eq!(stuck(&lab), None);
    // What fell into it earlier does not explain a mirror that stands still later.
    stands(&mut lab, &mut count, 0);
    lab.source_seq += 40;
    stands(&mut lab, &mut count, 0);
    assert!(stuck(&lab).is_none_or(|stuck| stuck.cause != StuckCause::Mtu));
}

#[test]
fn a_mirror_that_stands_still_over_a_link_that_answers_is_not_the_links_doing() {
    let mut lab = Lab::new();
    lab.source_seq += 40;
    for _ in 0..8 {
        lab.half_second();
        lab.counted(LinkCount::default());
        lab.echoed(Some(900));
    }
    assert!(lab.state.probed(lab.now).contains(&zone("b")), "it is asked");
    assert_eq!((lab.link().state, stuck(&lab)), (LinkState::Up, None));
    assert_eq!(lab.mirror_state(), MirrorState::Stalled);
    // Nobody answers over it: then it is.
    lab.echoed(None);
    lab.half_second();
    assert_eq!(stuck(&lab).unwrap().cause, StuckCause::Unknown);
}

#[test]
fn a_node_that_is_away_explains_a_standstill_otherwise() {
    let mut lab = Lab::new();
    lab.process(&node("js3-zone-b"), ProcessTruth { state: ProcessState::Frozen, pid: Some(3) });
    lab.source_seq += 40;
    for _ in 0..8 {
        lab.half_second();
        lab.echoed(None);
    }
    assert_eq!(stuck(&lab), None);
}

/// A look at the line, half a second after the one before: so many bytes passed meanwhile, and so much
/// waits.
fn carries(lab: &mut Lab, count: &mut LinkCount, bytes: u64, booked_us: u64) {
    lab.half_second();
    count.to_zone.passed += bytes;
    count.to_zone.since += bytes;
    count.to_zone.booked_us = booked_us;
    lab.counted(*count);
}

/// Is the rate still among what was not seen?
fn rate_unseen(lab: &Lab) -> bool {
    lab.link().measured.unwrap().unproved.contains(&crate::region::condition::Feature::Rate)
}

/// What of a rate the line shows; the servers' own bytes are another matter, and stay unknown here.
fn seen_on_the_line(lab: &Lab) -> Option<u64> {
    let i = lab.state.index(&zone("b")).unwrap();
    lab.state.books[i].carried.seen.full_bps.0
}

#[test]
fn a_line_that_is_used_to_its_rate_is_full_though_its_queue_is_short() {
    // 800 kbit/s is 50 kB in half a second.
    let (mut lab, mut count) = (Lab::new(), LinkCount { condition: thin(), ..Default::default() });
    lab.impair(thin());
    for _ in 0..8 {
        carries(&mut lab, &mut count, 49_000, 12_000);
    }
    assert_eq!(seen_on_the_line(&lab), Some(98_000));
    assert!(rate_unseen(&lab), "no server said what it took in");
}

#[test]
fn a_line_on_which_nothing_waits_shows_no_rate_however_much_it_carries() {
    let (mut lab, mut count) = (Lab::new(), LinkCount { condition: thin(), ..Default::default() });
    lab.impair(thin());
    for _ in 0..8 {
        carries(&mut lab, &mut count, 49_000, 0);
    }
    assert_eq!(seen_on_the_line(&lab), None);
    // Nor does one on which something waits and little moves.
    for _ in 0..8 {
        carries(&mut lab, &mut count, 9_000, 12_000);
    }
    assert_eq!(seen_on_the_line(&lab), None);
    // A kernel that keeps no queue and dropped what was too much: full.
    for _ in 0..8 {
        count.to_zone.packets.overflowed += 1;
        carries(&mut lab, &mut count, 40_000, 0);
    }
    assert_eq!(seen_on_the_line(&lab), Some(80_000));
}

/// Servers send compressed blocks: nothing arrives for seconds, and the line says how long it takes.
#[test]
fn a_backlog_of_which_nothing_has_arrived_is_forecast_by_the_bytes_that_pass() {
    let (mut lab, mut count) = (Lab::new(), LinkCount { condition: thin(), ..Default::default() });
    lab.impair(thin());
    carries(&mut lab, &mut count, 0, 0);
    // 4,000 messages of 128 bytes, at 98 kB a second.
    lab.source_seq += 4_000;
    let mut told = Vec::new();
    for _ in 0..4 {
        carries(&mut lab, &mut count, 49_000, 60_000);
        told.extend(lab.link().measured.unwrap().clears_in_ms);
    }
    assert_eq!(told.last(), Some(&(4_000 * 128 * 1_000 / 98_000)), "{told:?}");
    lab.mirror_seq = lab.source_seq;
    carries(&mut lab, &mut count, 49_000, 60_000);
    assert_eq!(lab.link().measured.unwrap().clears_in_ms, None, "nothing is behind");
}

#[test]
fn what_was_counted_under_a_condition_is_gone_with_it() {
    let (mut lab, mut count) = (Lab::new(), LinkCount { condition: thin(), ..Default::default() });
    lab.impair(thin());
    carries(&mut lab, &mut count, 49_000, 60_000);
    assert!(lab.link().measured.is_some());
    lab.apply(Input::HealBegun { zone: zone("b"), acked: None });
    assert_eq!(lab.link().measured, None);
}
